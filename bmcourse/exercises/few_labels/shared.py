"""What several exercises of lesson 10 have in common."""

import torch


def plain(value):
    """The value without a graph, so that answers with and without no_grad count as alike."""
    return value.detach().clone() if torch.is_tensor(value) else value
