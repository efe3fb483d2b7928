"""The exercise `size_for_budget` of lesson 11."""

import math

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The (parameters, tokens) of a training that costs `flops` when every parameter and token cost 6 operations "
    "and there are `tokens_per_parameter` tokens for each parameter. Chinchilla's rule is 20."
)
def size_for_budget(flops, tokens_per_parameter):
    parameters = math.sqrt(flops / (6 * tokens_per_parameter))
    return parameters, tokens_per_parameter * parameters


@size_for_budget.right
def size_then_the_rest(flops, tokens_per_parameter):
    parameters = (flops / 6 / tokens_per_parameter) ** 0.5
    return parameters, flops / (6 * parameters)


@size_for_budget.right
def tokens_first(flops, tokens_per_parameter):
    tokens = math.sqrt(flops * tokens_per_parameter / 6)
    return tokens / tokens_per_parameter, tokens


@size_for_budget.right
def size_by_logarithms(flops, tokens_per_parameter):
    parameters = math.exp((math.log(flops) - math.log(6 * tokens_per_parameter)) / 2)
    return [parameters, parameters * tokens_per_parameter]


@size_for_budget.cases
def cases():
    return [(6 * 20 * 1e12, 20), (5.76e23, 20), (3.8e25, 38.5), (1e15, 0.5)]


size_for_budget.mistake(
    "The 6 is missing: a training costs 6 operations for each parameter and token.",
    TODO_6=lambda flops, ratio: size_for_budget(6 * flops, ratio),
)


size_for_budget.mistake(
    "2 operations are the way forward alone. With the way backward there are 6.",
    TODO_7=lambda flops, ratio: size_for_budget(3 * flops, ratio),
)


size_for_budget.mistake(
    "The root is missing: flops = 6 N D with D = ratio * N has N squared in it.",
    TODO_8=lambda flops, ratio: (flops / (6 * ratio), flops / 6),
)


size_for_budget.mistake(
    "You gave as many tokens as parameters. Each parameter is to have tokens_per_parameter of them.",
    TODO_9=lambda flops, ratio: (math.sqrt(flops / 6), math.sqrt(flops / 6)),
)


size_for_budget.mistake(
    "Parameters times tokens is too much by tokens_per_parameter: put D = ratio * N into flops = 6 N D first.",
    TODO_10=lambda flops, ratio: (math.sqrt(flops / 6), ratio * math.sqrt(flops / 6)),
)


size_for_budget.mistake(
    "Parameters and tokens are the wrong way round: D = tokens_per_parameter * N, and the order is "
    "(parameters, tokens).",
    TODO_11=lambda flops, ratio: size_for_budget(flops, 1 / ratio),
)


size_for_budget.mistake(
    "tokens_per_parameter is not the number of tokens. There are that many for each parameter.",
    TODO_12=lambda flops, ratio: (flops / (6 * ratio), ratio),
)


size_for_budget.mistake("Return both: parameters, tokens.", TODO_13=lambda *budget: size_for_budget(*budget)[0])


size_for_budget.mistake(
    "The parameters are right. The tokens are flops / (6 * parameters): the 6 is missing there.",
    TODO_14=lambda flops, ratio: (size_for_budget(flops, ratio)[0], flops / size_for_budget(flops, ratio)[0]),
)


size_for_budget.hints(
    "Two equations: flops = 6 * N * D, and D = tokens_per_parameter * N.",
    "Put the second into the first: flops = 6 * tokens_per_parameter * N ** 2. Solve it for N.",
)
