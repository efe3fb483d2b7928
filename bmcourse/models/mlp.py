"""The multilayer perceptron (MLP, 多层感知机), simplest first: one neuron, a layer of them, several layers."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


def perceptron(x, weight, bias):
    """One neuron: 1.0 if the weighted sum of x (..., C) is above 0, else 0.0; weight (C,), bias a number.

    Source: Rosenblatt, "The Perceptron: A Probabilistic Model for Information Storage and Organization in the Brain",
    1958.
    """
    return ((x * weight).sum(dim=-1) + bias > 0).float()


def linear_loop(x, weight, bias):
    """A layer of neurons, one after another: x (C,), weight (out, C) and bias (out,) give (out,). Slow."""
    output = []
    for row, b in zip(weight, bias, strict=True):
        output.append(sum(w * feature for w, feature in zip(row, x, strict=True)) + b)
    return torch.stack(output)


def linear(x, weight, bias):
    """The same in one matrix product, for any number of inputs: x (..., C), weight (out, C), bias (out,).

    Raises ValueError when x does not have as many features as the weight has columns.
    """
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"The input is {tuple(x.shape)}; its last size must be {weight.shape[1]}, the columns of the weight "
            f"{tuple(weight.shape)}. An image becomes a row of features with x.flatten(1)."
        )
    return x @ weight.T + bias


class Linear(nn.Module):
    """A layer with weights that are learned: x (..., in_features) in, (..., out_features) out.

    The weights start small and random, as torch.nn.Linear's do: uniform within ±1/√in_features.
    """

    def __init__(self, in_features, out_features):
        super().__init__()
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound))

    def forward(self, x):
        return linear(x, self.weight, self.bias)


class MLP(nn.Module):
    """Linear layers with an activation function (激活函数) between each two: from (..., sizes[0]) to (..., sizes[-1]).

    Without the activation two layers would be no more than one. It is "relu", "gelu", "tanh", "sigmoid", or a function
    of your own. Raises ValueError for fewer than two sizes and for an unknown activation.
    Source: Rumelhart, Hinton and Williams, "Learning Representations by Back-Propagating Errors", 1986.
    """

    def __init__(self, sizes, activation="relu"):
        super().__init__()
        check_sizes(sizes)
        self.activation = activation_function(activation)
        self.layers = nn.ModuleList(Linear(m, n) for m, n in pairwise(sizes))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def activation_function(activation):
    """The function that a name stands for; a function stays as it is. Raises ValueError for an unknown name."""
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"There is no activation {activation!r}. Choose one of {', '.join(ACTIVATIONS)}, or pass a function, "
            f"such as torch.sin."
        )
    return ACTIVATIONS[activation]


def check_sizes(sizes):
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(
            f"sizes is {list(sizes)}; expected the number of features that come in, of each layer between, and of what "
            f"goes out, each 1 or more, such as [64, 32, 10]."
        )
