"""What is looked at in a result of an exercise of lesson 12: its numbers, and not whether it still has a graph."""

import torch


def plain(value):
    """The value without a graph, so that answers with and without no_grad count as alike."""
    return value.detach().clone() if torch.is_tensor(value) else value


def without_graph(answer, *case):
    """What the answer makes of the case, without a graph."""
    return plain(answer(*case))
