"""Backpropagation (反向传播): an autograd engine on single numbers, and deep networks to watch gradients in.

The engine is reverse-mode automatic differentiation (Baydin and others, "Automatic Differentiation in Machine Learning:
a Survey", 2018, section 3.2), with the local derivatives kept on the edges of the graph.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Value:
    """A number that knows what it was computed from: `inputs`, pairs of a Value and the slope for it."""

    def __init__(self, data, inputs=()):
        self.data, self.inputs, self.grad = data, inputs, 0.0

    def __repr__(self):
        return f"Value({self.data:g}, grad={self.grad:g})"

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __sub__(self, other):
        other = as_value(other)
        return Value(self.data - other.data, [(self, 1.0), (other, -1.0)])

    def __mul__(self, other):
        other = as_value(other)
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    def __pow__(self, power):
        return Value(self.data**power, [(self, power * self.data ** (power - 1))])

    def tanh(self):
        y = math.tanh(self.data)
        return Value(y, [(self, 1 - y * y)])

    def relu(self):
        return Value(max(self.data, 0.0), [(self, float(self.data > 0))])

    def backward(self):
        backpropagate(topological_order(self))

    __radd__, __rmul__ = __add__, __mul__


def as_value(number):
    """`number` as a Value; a Value stays as it is."""
    return number if isinstance(number, Value) else Value(float(number))


def topological_order(result):
    """All Values that `result` was computed from and itself, each once and after its inputs."""
    order, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            for source, _ in value.inputs:
                visit(source)
            order.append(value)

    visit(result)
    return order


def backpropagate(order):
    """Write the slope of the last Value of `order` into each one's `grad`; those without inputs add it to theirs."""
    for value in order:
        if value.inputs:
            value.grad = 0.0
    order[-1].grad += 1.0
    for value in reversed(order):
        for source, slope in value.inputs:
            source.grad += slope * value.grad


class DeepMLP(nn.Module):
    """Digits (B, 64) to logits (B, 10) through `depth` hidden layers of 32, whose weights have one `scale`.

    A weight is drawn with the standard deviation scale / √(inputs): 1 is Xavier's for tanh, √2 Kaiming's for ReLU.
    """

    def __init__(self, depth, scale=1.0, activation=torch.tanh, normed=False, residual=False):
        super().__init__()
        self.activation, self.residual = activation, residual
        self.layers = nn.ModuleList(nn.Linear(32 if n else 64, 32) for n in range(depth))
        norm = nn.LayerNorm if normed else nn.Identity
        self.norms = nn.ModuleList(norm(32) for _ in range(depth))
        self.head = nn.Linear(32, 10)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=scale / layer.in_features**0.5)
            nn.init.zeros_(layer.bias)

    def hidden(self, x):
        """What comes out of each hidden layer, first layer first: a list of (B, 32)."""
        outputs = []
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            made = self.activation(norm(layer(x)))
            x = x + made if self.residual and number else made  # the first layer changes the width
            outputs.append(x)
        return outputs

    def forward(self, x):
        return self.head(self.hidden(x)[-1])


def sizes_by_depth(model, x, y):
    """Two lists, first layer first: the root mean square of each hidden layer's output, and of the slope for it.

    The slope is that of the cross-entropy of `x` (B, 64) and the classes `y` (B,). No `.grad` is touched.
    """
    outputs = model.hidden(x)
    loss = F.cross_entropy(model.head(outputs[-1]), y)
    slopes = torch.autograd.grad(loss, outputs)
    return [[table.square().mean().sqrt().item() for table in tables] for tables in (outputs, slopes)]
