"""The exercise `count_mlp` of lesson 01."""

import math
from itertools import pairwise

from torch import nn

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The parameters of a network whose layers have these sizes: [64, 32, 10] takes 64 numbers, makes 32 of "
    "them, then 10. Each output of a layer has a weight for every input and one bias."
)
def count_mlp(sizes):
    return sum(inputs * outputs + outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True))


@count_mlp.judge
def mlp_in_torch(sizes):
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes)]
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


@count_mlp.right
def mlp_with_a_one(sizes):
    total = 0
    for i in range(1, len(sizes)):
        total += (sizes[i - 1] + 1) * sizes[i]
    return total


@count_mlp.right
def mlp_weights_then_biases(sizes):
    weights = [math.prod(pair) for pair in pairwise(sizes)]
    return sum(weights) + sum(sizes[1:])


@count_mlp.right
def mlp_by_recursion(sizes):
    return 0 if len(sizes) < 2 else (sizes[0] + 1) * sizes[1] + mlp_by_recursion(sizes[1:])


@count_mlp.cases
def cases():
    return [([1, 1],), ([2, 3],), ([64, 32, 10],), ([784, 300, 100, 10],), ([5, 5, 5, 5],), ([7],)]


count_mlp.mistake(
    "The biases are missing: every output of a layer has one, next to its weights.",
    TODO_11=lambda sizes: sum(map(math.prod, pairwise(sizes))),
)


count_mlp.mistake(
    "The first size is the input, which has no bias: numbers come in, nothing is computed there.",
    TODO_12=lambda sizes: sum(map(math.prod, pairwise(sizes))) + sum(sizes),
)


count_mlp.mistake(
    "You give each input a bias. A bias belongs to an output: layer [2, 3] has 3 of them.",
    TODO_13=lambda sizes: sum(inputs * outputs + inputs for inputs, outputs in pairwise(sizes)),
)


count_mlp.mistake(
    "You count one bias a layer. Each output has its own.",
    TODO_14=lambda sizes: sum(inputs * outputs + 1 for inputs, outputs in pairwise(sizes)),
)


count_mlp.mistake(
    "You add inputs and outputs. Each output has a weight for every input: multiply them.",
    TODO_15=lambda sizes: sum(map(sum, pairwise(sizes))) + sum(sizes[1:]),
)


count_mlp.mistake(
    "You count the outputs: the numbers that are computed. The parameters are the weights and biases they are "
    "computed with.",
    TODO_16=lambda sizes: sum(sizes[1:]),
)


count_mlp.mistake(
    "You multiply all sizes. Only neighbours are connected: multiply pair by pair, and add up.",
    TODO_17=lambda sizes: math.prod(sizes),
)


count_mlp.mistake(
    "You count the first layer only. Go on through all pairs of neighbours.",
    TODO_18=lambda sizes: (sizes[0] + 1) * sizes[1],
)


count_mlp.mistake(
    "You count the last layer only. Start at the first pair of neighbours, and add up.",
    TODO_19=lambda sizes: (sizes[-2] + 1) * sizes[-1],
)


count_mlp.mistake(
    "The last size has no right neighbour: sizes[i + 1] does not exist there. Let i run over range(len(sizes) - 1).",
    TODO_20=lambda sizes: sum(sizes[i] * sizes[i + 1] + sizes[i + 1] for i in range(len(sizes))),
)


count_mlp.hints(
    "A layer lies between two sizes that are neighbours: n sizes make n - 1 layers.",
    "A layer from a inputs to b outputs has a * b weights and b biases.",
    "zip(sizes[:-1], sizes[1:]) gives the pairs.",
)
