"""The exercise `count_mlp`: the parameters of a multilayer perceptron, from the sizes of its layers."""

import math
from itertools import combinations, pairwise

from torch import nn

from bmcourse.exercises.concepts.twice import KEPT, asked_twice
from bmcourse.exercises.core import exercise


@exercise(
    prompt="The parameters of a network whose layers have these sizes: [64, 32, 10] takes 64 numbers, makes 32 of "
    "them, then 10. Each output of a layer has a weight for every input and one bias.",
    untried={"sizes": {"one item": "one size makes no layer, and the text says nothing about that"}},
)
def count_mlp(sizes):
    return sum(inputs * outputs + outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True))


@count_mlp.cases
def cases():
    return [([2, 3],), ([1, 1],), ([64, 32, 10],), ([784, 300, 100, 10],), ([5, 5, 5, 5],), ([3, 5, 3, 9],)]


count_mlp.run(asked_twice)


@count_mlp.judge
def in_torch(sizes):
    layers = [nn.Linear(inputs, outputs, device="meta") for inputs, outputs in pairwise(sizes)]
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


@count_mlp.right
def with_a_one(sizes):
    total = 0
    for i in range(1, len(sizes)):
        total += (sizes[i - 1] + 1) * sizes[i]
    return total


@count_mlp.right
def weights_then_biases(sizes):
    weights = [math.prod(pair) for pair in pairwise(sizes)]
    return sum(weights) + sum(sizes[1:])


@count_mlp.right
def by_recursion(sizes):
    return 0 if len(sizes) < 2 else (sizes[0] + 1) * sizes[1] + by_recursion(sizes[1:])


@count_mlp.right
def by_building_it(sizes):
    layers = nn.ModuleList(nn.Linear(sizes[i], sizes[i + 1]) for i in range(len(sizes) - 1))
    return sum(parameter.numel() for parameter in layers.parameters())


def layers(count):
    """A wrong count: `count(inputs, outputs)` for each layer."""
    return lambda sizes: sum(count(inputs, outputs) for inputs, outputs in pairwise(sizes))


def of_layers(choose):
    """A wrong count: `choose(the right count of each layer)`."""
    return lambda sizes: choose([(inputs + 1) * outputs for inputs, outputs in pairwise(sizes)])


def plus(extra):
    """A wrong count: the right one and `extra(sizes)`."""
    return lambda sizes: count_mlp(sizes) + extra(sizes)


count_mlp.mistake(
    "The biases are missing: every output of a layer has one, next to its weights.",
    biases_missing=layers(lambda a, b: a * b),
)
count_mlp.mistake(
    "The first size is the input, which has no bias: numbers come in, nothing is computed there.",
    bias_for_the_input=plus(lambda sizes: sizes[0]),
)
count_mlp.mistake(
    "You give each input a bias. A bias belongs to an output: layer [2, 3] has 3 of them.",
    bias_for_each_input=layers(lambda a, b: a * b + a),
)
count_mlp.mistake(
    "You give inputs and outputs a bias. A bias belongs to an output only: a * b + b.",
    bias_for_both=layers(lambda a, b: a * b + a + b),
)
count_mlp.mistake(
    "You multiply inputs + 1 with outputs + 1, which is one too many. Only the inputs have a 1 beside them, for the "
    "bias: (a + 1) * b.",
    one_more_on_both_sides=layers(lambda a, b: (a + 1) * (b + 1)),
)
count_mlp.mistake(
    "You count one bias a layer. Each output has its own.",
    one_bias_a_layer=layers(lambda a, b: a * b + 1),
)
count_mlp.mistake(
    "You count one bias for the whole network. Each output of each layer has its own.",
    one_bias=lambda sizes: sum(map(math.prod, pairwise(sizes))) + 1,
)
count_mlp.mistake(
    "You count a bias for each size in the list. Each output of a layer has its own: as many as the size says.",
    one_bias_a_size=lambda sizes: sum(map(math.prod, pairwise(sizes))) + len(sizes),
)
count_mlp.mistake(
    "Only the last layer has biases in your count. Those before it have them too.",
    bias_of_the_last_layer_only=lambda sizes: sum(map(math.prod, pairwise(sizes))) + sizes[-1],
)
count_mlp.mistake(
    "The last layer has no biases in your count. Its outputs have one each, like all others.",
    bias_of_the_last_layer_missing=plus(lambda sizes: -sizes[-1]),
)
count_mlp.mistake(
    "Only the first layer has biases in your count. Those after it have them too.",
    bias_of_the_first_layer_only=lambda sizes: sum(map(math.prod, pairwise(sizes))) + sizes[1],
)
count_mlp.mistake(
    "You count each bias twice. An output has one: a * b + b.", biases_twice=layers(lambda a, b: a * b + 2 * b)
)
count_mlp.mistake(
    "You count the biases of all layers again for each of them. Add the outputs of a layer once.",
    biases_in_every_round=lambda sizes: sum(a * b + sum(sizes[1:]) for a, b in pairwise(sizes)),
)
count_mlp.mistake(
    "You multiply by the bias in place of adding it: a * b + b.", biases_multiplied=layers(lambda a, b: a * b * b)
)
count_mlp.mistake(
    "(a * b + 1) * b multiplies the weights by b once more. Each output has a weights and a bias: (a + 1) * b.",
    bias_inside_the_wrong_brackets=layers(lambda a, b: (a * b + 1) * b),
)
count_mlp.mistake(
    "You count the weights twice. There is one between an input and an output; the way back uses the same.",
    weights_twice=layers(lambda a, b: 2 * a * b + b),
)
count_mlp.mistake(
    "You count all twice. Each weight and each bias is there once; gradients are no parameters.",
    all_twice=layers(lambda a, b: 2 * (a * b + b)),
)
count_mlp.mistake(
    "You add inputs and outputs. Each output has a weight for every input: multiply them.",
    added=layers(lambda a, b: a + b + b),
)
count_mlp.mistake(
    "You add inputs and outputs, and the biases are missing. Each output has a weight for every input, a * b, and a "
    "bias.",
    added_without_biases=layers(lambda a, b: a + b),
)
count_mlp.mistake(
    "You take the outputs squared. An output has a weight for every input: inputs times outputs.",
    outputs_squared=layers(lambda a, b: b * b + b),
)
count_mlp.mistake(
    "You take the inputs squared. An output has a weight for every input: inputs times outputs.",
    inputs_squared=layers(lambda a, b: a * a + b),
)
count_mlp.mistake("** is a power in Python. Multiply with one *.", power=layers(lambda a, b: a**b + b if a < 9 else -1))
count_mlp.mistake(
    "You count the outputs: the numbers that are computed. The parameters are the weights and biases they are "
    "computed with.",
    outputs_only=layers(lambda a, b: b),
)
count_mlp.mistake(
    "You add up the sizes: those are the numbers that flow through. The parameters are the weights between them, and "
    "the biases.",
    sizes_added=sum,
)
count_mlp.mistake("You count the layers. Count the weights and biases in them.", layers_counted=layers(lambda a, b: 1))
count_mlp.mistake(
    "You multiply all sizes. Only neighbours are connected: multiply pair by pair, and add up.",
    all_multiplied=math.prod,
)
count_mlp.mistake(
    "You multiply all sizes, and add the biases. Only neighbours are connected: multiply pair by pair, and add up.",
    all_multiplied_and_biases=lambda sizes: math.prod(sizes) + sum(sizes[1:]),
)
count_mlp.mistake("You multiply the layers' counts. Add them up.", layers_multiplied=of_layers(math.prod))
count_mlp.mistake(
    "You count the first layer only. Go on through all pairs of neighbours. If there is a loop, is its `return` "
    "inside?",
    first_layer_only=of_layers(lambda counts: counts[0]),
)
count_mlp.mistake(
    "You count the last layer only. Start at the first pair of neighbours, and add up: += and not =.",
    last_layer_only=of_layers(lambda counts: counts[-1]),
)
count_mlp.mistake(
    "The last layer is left out. n sizes make n - 1 layers: let i run over range(len(sizes) - 1).",
    last_layer_left_out=of_layers(lambda counts: sum(counts[:-1])),
)
count_mlp.mistake(
    "The first layer is left out: it leads from sizes[0] to sizes[1].",
    first_layer_left_out=of_layers(lambda counts: sum(counts[1:])),
)
count_mlp.mistake(
    "Every second layer is left out. The pairs overlap: [64, 32, 10] has the layers 64 to 32 and 32 to 10.",
    pairs_side_by_side=of_layers(lambda counts: sum(counts[::2])),
)
count_mlp.mistake("You return a list of the layers' counts. Add them up.", list_of_layers=of_layers(list))
count_mlp.mistake(
    "You return the mean of a layer. Return the sum of all.",
    mean_of_layers=of_layers(lambda counts: sum(counts) / len(counts)),
)
count_mlp.mistake("You return the largest layer. Return the sum of all.", largest_layer=of_layers(max))
count_mlp.mistake(
    "The last size has no right neighbour: sizes[i + 1] does not exist there. Let i run over range(len(sizes) - 1).",
    beyond_the_end=lambda sizes: sum(sizes[i] * sizes[i + 1] + sizes[i + 1] for i in range(len(sizes))),
)
count_mlp.mistake(
    "You count a layer from the last size back to the first: sizes[i - 1] is the last one where i is 0. Let i begin "
    "with 1.",
    around_the_end=lambda sizes: sum((sizes[i - 1] + 1) * sizes[i] for i in range(len(sizes))),
)
count_mlp.mistake(
    "You count weights from the last size back to the first: sizes[i - 1] is the last one where i is 0. Let i begin "
    "with 1.",
    weights_around_the_end=lambda sizes: sum(sizes[i - 1] * sizes[i] for i in range(len(sizes))) + sum(sizes[1:]),
)
count_mlp.mistake(
    "You look up the place of a size with index(), which finds the first such size. Where a size comes twice, that "
    "is the wrong one: go through the places, or use zip.",
    place_by_index=lambda sizes: sum((n + 1) * sizes[sizes.index(n) + 1] for n in sizes[:-1]),
)
count_mlp.mistake(
    "Every layer of yours reads the first input. A layer reads what the one before it has made.",
    all_read_the_first=lambda sizes: sum((sizes[0] + 1) * n for n in sizes[1:]),
)
count_mlp.mistake(
    "You connect the first size with the last only. The layers between them have weights too.",
    first_to_last=lambda sizes: (sizes[0] + 1) * sizes[-1],
)
count_mlp.mistake(
    "You connect every size with every later one. A layer reads only the one before it: neighbours.",
    everything_connected=lambda sizes: sum(a * b for a, b in combinations(sizes, 2)) + sum(sizes[1:]),
)
count_mlp.mistake(
    "You pair each size with itself. A layer lies between two neighbours: zip(sizes[:-1], sizes[1:]).",
    paired_with_itself=lambda sizes: sum(n * n + n for n in sizes),
)
count_mlp.mistake(
    "Your list of three sizes is fixed: a, b, c = sizes. There may be more or fewer: use a loop.",
    three_sizes=lambda sizes: three_sizes(*unpacked_in_three(sizes)),
)
count_mlp.mistake(
    "Your code knows exactly three sizes. There may be more or fewer: use a loop.",
    three_places=lambda sizes: three_sizes(sizes[0], sizes[1], sizes[2]),
)
count_mlp.mistake(
    "You always return 2410, the number of the example. Compute it from `sizes`.", always_the_example=lambda sizes: 2410
)
count_mlp.mistake(
    "Those are the bytes in fp32. Count the parameters: do not multiply by 4.", bytes=lambda sizes: 4 * count_mlp(sizes)
)
count_mlp.mistake(
    "You count a normalisation, with a scale and a shift for each output, too. Here a layer has weights and biases.",
    with_norms=plus(lambda sizes: 2 * sum(sizes[1:])),
)
count_mlp.mistake("Your count begins with 1. Let it begin with 0.", begins_with_one=plus(lambda sizes: 1))
count_mlp.mistake("You always return 0. Does your code add each layer to what it returns?", always_zero=lambda sizes: 0)
count_mlp.mistake(
    "You add the numbers that come in, which are no parameters. Only weights and biases are.",
    all_sizes_as_biases_twice=plus(sum),
)


def three_sizes(a, b, c):
    return a * b + b + b * c + c


def unpacked_in_three(sizes):
    a, b, c = sizes
    return a, b, c


@count_mlp.mistake(KEPT)
def kept_between_calls(sizes, seen=[]):  # noqa: B006 - this is the mistake
    seen.append(count_mlp(sizes))
    return sum(seen)


count_mlp.hints(
    "A layer lies between two sizes that are neighbours: n sizes make n - 1 layers.",
    "A layer from a inputs to b outputs has a * b weights and b biases.",
    "zip(sizes[:-1], sizes[1:]) gives the pairs.",
)
