"""The exercise `count_parameters` of lesson 03."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How many parameters nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward) has, by a formula: "
    "multi-head attention, a feed-forward network of two layers, two LayerNorms. Biases count."
)
def count_parameters(d_model, dim_feedforward, nhead):
    attention = 4 * (d_model * d_model + d_model)
    feed_forward = 2 * d_model * dim_feedforward + dim_feedforward + d_model
    norms = 2 * (d_model + d_model)
    return attention + feed_forward + norms


@count_parameters.judge
def counted_in_torch(d_model, dim_feedforward, nhead):
    layer = torch.nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


def _linear(inputs, outputs):
    return (inputs + 1) * outputs


@count_parameters.right
def count_by_linears(C, F, nhead):
    return _linear(C, 3 * C) + _linear(C, C) + _linear(C, F) + _linear(F, C) + 4 * C


@count_parameters.right
def count_by_shapes(C, F, nhead):
    shapes = [(3 * C, C), (3 * C,), (C, C), (C,), (F, C), (F,), (C, F), (C,), *[(C,)] * 4]
    return sum(map(math.prod, shapes))


@count_parameters.right
def count_by_heads(C, F, nhead):
    D = C // nhead
    head = 3 * (C * D + D) + D * C
    return nhead * head + C + C * F + F + F * C + C + 2 * 2 * C


def _count(attention=lambda C, H: 4 * C * (C + 1), feed=lambda C, F: 2 * C * F + F + C, norms=lambda C: 4 * C):
    """A wrong count: one with a changed part."""
    return lambda C, F, nhead: attention(C, nhead) + feed(C, F) + norms(C)


@count_parameters.cases
def cases():
    return [(4, 8, 1), (6, 10, 2), (512, 2048, 8), (10, 7, 5)]


count_parameters.mistake(
    "The biases are missing. Each linear layer has one for every output: in attention 4 * d_model, in the "
    "feed-forward network dim_feedforward + d_model.",
    TODO_79=_count(lambda C, H: 4 * C * C, lambda C, F: 2 * C * F),
)


count_parameters.mistake(
    "The biases of the feed-forward network are missing: dim_feedforward and d_model.",
    TODO_80=_count(feed=lambda C, F: 2 * C * F),
)


count_parameters.mistake(
    "4 * d_model are missing. The two LayerNorms have that many, a weight and a bias for every channel; and so "
    "have the four biases of attention.",
    TODO_81=_count(norms=lambda C: 0),
)


count_parameters.mistake(
    "You count half of the LayerNorms. There are two, and each has d_model weights and d_model biases.",
    TODO_82=_count(norms=lambda C: 2 * C),
)


count_parameters.mistake(
    "You count the big matrices only. Good enough for an estimate; here the biases and the LayerNorms count too.",
    TODO_83=_count(lambda C, H: 4 * C * C, lambda C, F: 2 * C * F, lambda C: 0),
)


count_parameters.mistake(
    "You multiply by the number of heads. The heads share the d_model channels among them: their number "
    "changes nothing.",
    TODO_84=_count(lambda C, H: 4 * H * C * (C + 1)),
)


count_parameters.mistake(
    "The output projection of attention is missing: behind query, key and value comes a fourth matrix.",
    TODO_85=_count(lambda C, H: 3 * C * (C + 1)),
)


count_parameters.mistake(
    "The feed-forward network has two layers: out to dim_feedforward, and back to d_model.",
    TODO_86=_count(feed=lambda C, F: C * F + F),
)


count_parameters.mistake(
    "The second layer of the feed-forward network has d_model outputs, and so as many biases.",
    TODO_87=_count(feed=lambda C, F: 2 * (C * F + F)),
)


count_parameters.hints(
    "A linear layer from n to m has n * m weights and m biases.",
    "Attention has four of them, d_model to d_model: query, key, value, output. `nhead` changes nothing.",
    "The feed-forward network has two: d_model to dim_feedforward and back. A LayerNorm has 2 * d_model.",
)
