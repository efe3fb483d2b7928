"""The size of a model and of its data for a budget of operations (Chinchilla: Hoffmann et al. 2022)."""

import math

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The (parameters, tokens) of a training that costs `flops` when every parameter and token cost 6 operations "
    "and there are `tokens_per_parameter` tokens for each parameter. Chinchilla's rule is 20."
)
def size_for_budget(flops, tokens_per_parameter):
    parameters = math.sqrt(flops / (6 * tokens_per_parameter))
    return parameters, tokens_per_parameter * parameters


@size_for_budget.cases
def cases():
    return [(6 * 20 * 1e12, 20), (5.76e23, 20), (3.8e25, 38.5), (1e15, 0.5), (54e20, 1)]


@size_for_budget.right
def then_the_rest(flops, tokens_per_parameter):
    parameters = (flops / 6 / tokens_per_parameter) ** 0.5
    return parameters, flops / (6 * parameters)


@size_for_budget.right
def tokens_first(flops, tokens_per_parameter):
    tokens = math.sqrt(flops * tokens_per_parameter / 6)
    return tokens / tokens_per_parameter, tokens


@size_for_budget.right
def by_logarithms(flops, tokens_per_parameter):
    parameters = math.exp((math.log(flops) - math.log(6 * tokens_per_parameter)) / 2)
    return [parameters, parameters * tokens_per_parameter]


@size_for_budget.right
def by_halving(flops, tokens_per_parameter):
    low, high = 0.0, float(flops)
    for _ in range(200):
        middle = (low + high) / 2
        too_small = 6 * middle * (tokens_per_parameter * middle) < flops
        low, high = (middle, high) if too_small else (low, middle)
    return low, low * tokens_per_parameter


def sizes(parameters, tokens=lambda parameters, flops, ratio: ratio * parameters):
    """A wrong answer: `parameters(flops, ratio)`, and the tokens that go with them."""
    return lambda flops, ratio: (parameters(flops, ratio), tokens(parameters(flops, ratio), flops, ratio))


def right(flops, ratio):
    return math.sqrt(flops / (6 * ratio))


def rest(parameters, flops, ratio):
    return flops / (6 * parameters)


size_for_budget.mistake(
    "The 6 is missing: a training costs 6 operations for each parameter and token.",
    no_six=sizes(lambda flops, ratio: math.sqrt(flops / ratio)),
)
size_for_budget.mistake(
    "2 operations are the way forward alone. With the way backward there are 6.",
    forward_only=sizes(lambda flops, ratio: math.sqrt(flops / (2 * ratio))),
)
size_for_budget.mistake(
    "4 operations are the way backward alone. With the way forward there are 6.",
    backward_only=sizes(lambda flops, ratio: math.sqrt(flops / (4 * ratio))),
)
size_for_budget.mistake(
    "Your training costs 3 operations for each parameter and token. It costs 6: a multiplication and an addition count "
    "as two.",
    three=sizes(lambda flops, ratio: math.sqrt(flops / (3 * ratio))),
)
size_for_budget.mistake(
    "Your training costs 8 operations for each parameter and token, as with activations computed twice. Here it is 6.",
    eight=sizes(lambda flops, ratio: math.sqrt(flops / (8 * ratio))),
)
size_for_budget.mistake(
    "Your training costs 12 operations for each parameter and token. Here it is 6.",
    twelve=sizes(lambda flops, ratio: math.sqrt(flops / (12 * ratio))),
)
size_for_budget.mistake(
    "Your training costs 36 operations for each parameter and token: the 6 stands outside the root, or is there twice.",
    six_outside=sizes(lambda flops, ratio: math.sqrt(flops / ratio) / 6),
)
size_for_budget.mistake(
    "You multiply by the 6. Divide: flops = 6 N D.", times_six=sizes(lambda flops, ratio: math.sqrt(6 * flops / ratio))
)
size_for_budget.mistake(
    "The brackets are missing: flops / 6 * ratio multiplies by the ratio. Write flops / (6 * tokens_per_parameter).",
    brackets_missing=sizes(lambda flops, ratio: math.sqrt(flops / 6 * ratio)),
)
size_for_budget.mistake(
    "tokens_per_parameter stands outside the root. It belongs under it: flops = 6 * ratio * N ** 2.",
    ratio_outside=sizes(lambda flops, ratio: math.sqrt(flops / 6) / ratio),
)
size_for_budget.mistake(
    "You divide the root of flops by 6 * ratio. All of it belongs under the root: math.sqrt(flops / (6 * ratio)).",
    root_of_flops_only=sizes(lambda flops, ratio: math.sqrt(flops) / (6 * ratio)),
)
size_for_budget.mistake(
    "The root is missing: flops = 6 N D with D = ratio * N has N squared in it.",
    no_root=sizes(lambda flops, ratio: flops / (6 * ratio)),
)
size_for_budget.mistake(
    "That is the third root. N is squared in flops = 6 * ratio * N ** 2: the square root.",
    third_root=sizes(lambda flops, ratio: (flops / (6 * ratio)) ** (1 / 3)),
)
size_for_budget.mistake(
    "You take the square in place of the root.", squared=sizes(lambda flops, ratio: (flops / (6 * ratio)) ** 2)
)
size_for_budget.mistake(
    "You take the root twice.", fourth_root=sizes(lambda flops, ratio: (flops / (6 * ratio)) ** 0.25)
)
size_for_budget.mistake(
    "You gave as many tokens as parameters. Each parameter is to have tokens_per_parameter of them.",
    as_many_tokens=sizes(lambda flops, ratio: math.sqrt(flops / 6), lambda n, flops, ratio: n),
)
size_for_budget.mistake(
    "Parameters times tokens is too much by tokens_per_parameter: put D = ratio * N into flops = 6 N D first.",
    ratio_forgotten=sizes(lambda flops, ratio: math.sqrt(flops / 6)),
)
size_for_budget.mistake(
    "Your ratio is always 20. It is an argument: tokens_per_parameter.",
    always_twenty=lambda flops, ratio: size_for_budget(flops, 20),
)
size_for_budget.mistake(
    "Your parameters are those for 20 tokens each, whatever the ratio is. It is an argument: tokens_per_parameter.",
    twenty_for_parameters=sizes(lambda flops, ratio: math.sqrt(flops / 120)),
)
size_for_budget.mistake(
    "The parameters are right. The tokens are 20 for each, whatever the ratio is. It is an argument: "
    "tokens_per_parameter.",
    twenty_for_tokens=sizes(right, lambda n, flops, ratio: 20 * n),
)
size_for_budget.mistake(
    "Parameters and tokens are the wrong way round: D = tokens_per_parameter * N, and the order is "
    "(parameters, tokens).",
    order_turned=lambda *budget: size_for_budget(*budget)[::-1],
)
size_for_budget.mistake(
    "Your tokens are tokens_per_parameter alone, and the parameters are the rest of the budget. Each has that "
    "many tokens, so N is squared: take the root.",
    ratio_as_tokens=sizes(lambda flops, ratio: flops / (6 * ratio), lambda n, flops, ratio: ratio),
)
size_for_budget.mistake(
    "The parameters are right. The tokens are not tokens_per_parameter alone: each parameter has that many.",
    ratio_as_tokens_only=sizes(right, lambda n, flops, ratio: ratio),
)
size_for_budget.mistake(
    "The parameters are right. The tokens are 6 times too many. They are flops / (6 * parameters), the ratio times N.",
    tokens_without_six=sizes(right, lambda n, flops, ratio: flops / n),
)
size_for_budget.mistake(
    "The parameters are right. Divide flops by 6 * parameters, with brackets: flops / 6 * parameters multiplies.",
    tokens_without_brackets=sizes(right, lambda n, flops, ratio: flops / 6 * n),
)
size_for_budget.mistake(
    "The parameters are right. Multiply them by tokens_per_parameter; you divide.",
    tokens_divided=sizes(right, lambda n, flops, ratio: n / ratio),
)
size_for_budget.mistake(
    "The parameters are right. The tokens are as many: multiply by tokens_per_parameter.",
    tokens_like_parameters=sizes(right, lambda n, flops, ratio: n),
)
size_for_budget.mistake(
    "The parameters are right. The tokens are tokens_per_parameter * parameters; you add.",
    tokens_added=sizes(right, lambda n, flops, ratio: n + ratio),
)
size_for_budget.mistake(
    "The parameters are right. The tokens are the rest of the budget, divided by the parameters: flops / 6 is that of "
    "one parameter.",
    tokens_of_one_parameter=sizes(right, lambda n, flops, ratio: flops / 6),
)
size_for_budget.mistake(
    "The parameters are right. You take the root for the tokens too: they are tokens_per_parameter * parameters.",
    tokens_of_flops=sizes(right, lambda n, flops, ratio: math.sqrt(flops / 6)),
)
size_for_budget.mistake(
    "The tokens are right, and the parameters are not: divide the tokens by tokens_per_parameter.",
    tokens_for_parameters=sizes(lambda flops, ratio: math.sqrt(flops * ratio / 6), lambda n, flops, ratio: n),
)
size_for_budget.mistake(
    "The tokens are those that the budget leaves, but the parameters are too many: put D = ratio * N into "
    "flops = 6 N D first.",
    rest_of_too_many=sizes(lambda flops, ratio: math.sqrt(flops / 6) * ratio, rest),
)
size_for_budget.mistake(
    "You return billions. Return plain numbers.",
    billions=lambda *budget: tuple(number / 1e9 for number in size_for_budget(*budget)),
)
size_for_budget.mistake("Return both: parameters, tokens.", parameters_only=right)
size_for_budget.mistake(
    "Return both, parameters and tokens, in this order.", tokens_only=lambda *budget: size_for_budget(*budget)[1]
)
size_for_budget.mistake(
    "You return a dict. Return a pair: parameters, tokens.",
    a_dict=lambda *budget: dict(zip(("parameters", "tokens"), size_for_budget(*budget), strict=True)),
)
size_for_budget.mistake(
    "Your tokens are what the parameters should be, and the parameters are that, divided once more. "
    "sqrt(flops / (6 * ratio)) are the parameters.",
    parameters_for_tokens=sizes(lambda flops, ratio: right(flops, ratio) / ratio),
)
size_for_budget.mistake(
    "You add 6 and tokens_per_parameter. They multiply: flops = 6 * ratio * N ** 2.",
    six_added=sizes(lambda flops, ratio: math.sqrt(flops / (6 + ratio))),
)
size_for_budget.mistake(
    "You halve in place of taking the root.", halved=sizes(lambda flops, ratio: flops / (6 * ratio) / 2)
)
size_for_budget.mistake(
    "You multiply all under the root. Divide: N = sqrt(flops / (6 * ratio)).",
    all_multiplied=sizes(lambda flops, ratio: math.sqrt(6 * flops * ratio)),
)
size_for_budget.mistake(
    "The parameters are what one token would leave: flops / 6. Each parameter has tokens_per_parameter tokens.",
    no_ratio_no_root=sizes(lambda flops, ratio: flops / 6),
)
size_for_budget.mistake(
    "The root of flops alone are your parameters. 6 and tokens_per_parameter belong under the root.",
    root_of_flops=sizes(lambda flops, ratio: math.sqrt(flops)),
)
size_for_budget.mistake(
    "The 6 is missing in the parameters, though not in the tokens: flops = 6 N D, both times.",
    six_in_tokens_only=sizes(lambda flops, ratio: math.sqrt(flops / ratio), rest),
)
size_for_budget.mistake(
    "The tokens are right. The parameters are flops / tokens: the 6 is missing there.",
    parameters_without_six=lambda flops, ratio: (
        flops / size_for_budget(flops, ratio)[1],
        size_for_budget(flops, ratio)[1],
    ),
)
size_for_budget.mistake(
    "You return the product of both. Return the pair: parameters, tokens.",
    product=lambda flops, ratio: math.prod(size_for_budget(flops, ratio)),
)


size_for_budget.hints(
    "Two equations: flops = 6 * N * D, and D = tokens_per_parameter * N.",
    "Put the second into the first: flops = 6 * tokens_per_parameter * N ** 2. Solve it for N.",
)
