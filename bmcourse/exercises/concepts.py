"""Two small exercises for 00, then those of lesson 01: how big a model is, how long it trains, the four words."""

import math
import statistics
from itertools import pairwise

import torch
from torch import nn

from bmcourse.exercises.core import Exercise, Mistake, Wrong

# ---------------------------------------------------------------- average


def average(numbers):
    return sum(numbers) / len(numbers)


def _average_by_hand(numbers):
    total = count = 0
    for number in numbers:
        total, count = total + number, count + 1
    return total / count


AVERAGE = Exercise(
    reference=average,
    prompt="The average of a list of numbers.",
    cases=lambda: [([2, 4, 9],), ([7],), ([1, 2],), ([-3, 0, 0, 1],), ([0.5, 0.25],), ([1, 1, 1, 10],)],
    judge=lambda numbers: statistics.fmean(numbers),
    right=[
        _average_by_hand,
        lambda numbers: torch.tensor(numbers, dtype=torch.float64).mean(),
        lambda numbers: sum(number / len(numbers) for number in numbers),
    ],
    wrong=[
        Wrong(sum, "That is the sum. Divide it by how many numbers there are."),
        Wrong(
            lambda numbers: sum(numbers) // len(numbers),
            "// divides and throws away what is behind the point. Divide with /.",
        ),
        Wrong(statistics.median, "That is the median: the number in the middle. Here every number counts."),
        Wrong(
            lambda numbers: (min(numbers) + max(numbers)) / 2,
            "You use the smallest and the largest only. Here every number counts.",
        ),
        Wrong(
            lambda numbers: sum(numbers) / 2,
            "You always divide by 2. Divide by how many numbers there are.",
        ),
        Wrong(
            lambda numbers: sum(numbers) / (len(numbers) - 1),
            "You divide by one too few, and by nothing where there is one number. Divide by len(numbers).",
        ),
    ],
    hints=["Add up all the numbers.", "sum(numbers) adds up, len(numbers) counts. Which is divided by which?"],
)

# ---------------------------------------------------------------- accuracy


def accuracy(answers, labels):
    return sum(answer == label for answer, label in zip(answers, labels, strict=True)) / len(labels)


def _accuracy_by_hand(answers, labels):
    right = 0
    for i in range(len(answers)):
        if answers[i] == labels[i]:
            right += 1
    return right / len(answers)


ACCURACY = Exercise(
    reference=accuracy,
    prompt="The share of the answers that are right, from 0 to 1: answers[i] is right where it equals labels[i].",
    cases=lambda: [
        ([7, 2, 1, 0], [7, 2, 7, 0]),
        ([3], [3]),
        ([3], [8]),
        ([1, 2, 3, 4], [4, 3, 2, 1]),
        ([5, 5, 5], [5, 6, 5]),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, 3], [1, 3, 2, 3]),
    ],
    judge=lambda answers, labels: (torch.tensor(answers) == torch.tensor(labels)).double().mean().item(),
    right=[
        _accuracy_by_hand,
        lambda answers, labels: statistics.fmean(a == b for a, b in zip(answers, labels, strict=True)),
        lambda answers, labels: 1 - sum(a != b for a, b in zip(answers, labels, strict=True)) / len(labels),
    ],
    wrong=[
        Wrong(
            lambda answers, labels: sum(a == b for a, b in zip(answers, labels, strict=True)),
            "You count the right answers. For the share, divide by how many answers there are.",
        ),
        Wrong(
            lambda answers, labels: 1 - accuracy(answers, labels),
            "That is the share of wrong answers.",
        ),
        Wrong(
            lambda answers, labels: 100 * accuracy(answers, labels),
            "Those are percent. Return a share from 0 to 1.",
        ),
        Wrong(
            lambda answers, labels: float(answers == labels),
            "You get 1 where all are right and 0 everywhere else. Compare place by place, not the lists as a whole, "
            "and divide with /: // throws away what is behind the point.",
        ),
        Wrong(
            lambda answers, labels: sum(answer in labels for answer in answers) / len(labels),
            "You ask whether an answer stands anywhere in the labels. It has to equal the label at its own place.",
        ),
    ],
    hints=[
        "zip(answers, labels) gives them pair by pair.",
        "Count the pairs whose two halves are equal, and divide by how many there are.",
        "True counts as 1: sum(a == b for a, b in zip(answers, labels)).",
    ],
)

# ---------------------------------------------------------------- count_mlp


def count_mlp(sizes):
    return sum(inputs * outputs + outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True))


def _mlp_in_torch(sizes):
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes)]
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


def _mlp_with_a_one(sizes):
    total = 0
    for i in range(1, len(sizes)):
        total += (sizes[i - 1] + 1) * sizes[i]
    return total


def _mlp_weights_then_biases(sizes):
    weights = [math.prod(pair) for pair in pairwise(sizes)]
    return sum(weights) + sum(sizes[1:])


def _mlp_by_recursion(sizes):
    return 0 if len(sizes) < 2 else (sizes[0] + 1) * sizes[1] + _mlp_by_recursion(sizes[1:])


COUNT_MLP = Exercise(
    reference=count_mlp,
    prompt="The parameters of a network whose layers have these sizes: [64, 32, 10] takes 64 numbers, makes 32 of "
    "them, then 10. Each output of a layer has a weight for every input and one bias.",
    cases=lambda: [([1, 1],), ([2, 3],), ([64, 32, 10],), ([784, 300, 100, 10],), ([5, 5, 5, 5],), ([7],)],
    judge=_mlp_in_torch,
    right=[_mlp_with_a_one, _mlp_weights_then_biases, _mlp_by_recursion],
    wrong=[
        Wrong(
            lambda sizes: sum(map(math.prod, pairwise(sizes))),
            "The biases are missing: every output of a layer has one, next to its weights.",
        ),
        Wrong(
            lambda sizes: sum(map(math.prod, pairwise(sizes))) + sum(sizes),
            "The first size is the input, which has no bias: numbers come in, nothing is computed there.",
        ),
        Wrong(
            lambda sizes: sum(inputs * outputs + inputs for inputs, outputs in pairwise(sizes)),
            "You give each input a bias. A bias belongs to an output: layer [2, 3] has 3 of them.",
        ),
        Wrong(
            lambda sizes: sum(inputs * outputs + 1 for inputs, outputs in pairwise(sizes)),
            "You count one bias a layer. Each output has its own.",
        ),
        Wrong(
            lambda sizes: sum(map(sum, pairwise(sizes))) + sum(sizes[1:]),
            "You add inputs and outputs. Each output has a weight for every input: multiply them.",
        ),
        Wrong(
            lambda sizes: sum(sizes[1:]),
            "You count the outputs: the numbers that are computed. The parameters are the weights and biases they are "
            "computed with.",
        ),
        Wrong(
            lambda sizes: math.prod(sizes),
            "You multiply all sizes. Only neighbours are connected: multiply pair by pair, and add up.",
        ),
        Wrong(
            lambda sizes: (sizes[0] + 1) * sizes[1],
            "You count the first layer only. Go on through all pairs of neighbours.",
        ),
        Wrong(
            lambda sizes: (sizes[-2] + 1) * sizes[-1],
            "You count the last layer only. Start at the first pair of neighbours, and add up.",
        ),
        Wrong(
            lambda sizes: sum(sizes[i] * sizes[i + 1] + sizes[i + 1] for i in range(len(sizes))),
            "The last size has no right neighbour: sizes[i + 1] does not exist there. Let i run over "
            "range(len(sizes) - 1).",
        ),
    ],
    hints=[
        "A layer lies between two sizes that are neighbours: n sizes make n - 1 layers.",
        "A layer from a inputs to b outputs has a * b weights and b biases.",
        "zip(sizes[:-1], sizes[1:]) gives the pairs.",
    ],
)

# ---------------------------------------------------------------- count_gpt


def count_gpt(layers, channels, vocabulary, context):
    embeddings = vocabulary * channels + context * channels
    blocks = layers * (12 * channels**2 + 13 * channels)
    norm = 2 * channels
    head = channels * vocabulary
    return embeddings + blocks + norm + head


def _gpt_by_shapes(layers, channels, vocabulary, context):
    C = channels  # each tensor's shape: modules of this size take gigabytes, and on "meta" seconds to import
    attention = [(3 * C, C), (3 * C,), (C, C), (C,)]
    feed_forward = [(4 * C, C), (4 * C,), (C, 4 * C), (C,)]
    norm = [(C,), (C,)]
    block = [*attention, *feed_forward, *norm, *norm]
    return sum(map(math.prod, [(vocabulary, C), (context, C), *block * layers, *norm, (vocabulary, C)]))


def _gpt_in_one_line(L, C, V, T):
    return C * (2 * V + T + L * (12 * C + 13) + 2)


def _gpt_by_parts(layers, channels, vocabulary, context):
    parts = {"tokens": vocabulary, "positions": context, "norm": 2, "head": vocabulary}
    parts["blocks"] = layers * (13 + 12 * channels)
    return channels * sum(parts.values())


def _gpt_by_layers(layers, channels, vocabulary, context):
    total = 2 * channels * vocabulary + channels * context + channels + channels
    for _ in range(layers):
        total += 4 * channels * (channels + 1) + 8 * channels**2 + 5 * channels + 4 * channels
    return total


COUNT_GPT = Exercise(
    reference=count_gpt,
    prompt="The parameters of a GPT with C channels. A row of C for each token of the vocabulary, and one for each "
    "position of the context; the blocks, with 12 C² + 13 C each; the last norm, with 2 C; the head, C x vocabulary, "
    "a table of its own without bias.",
    cases=lambda: [
        (1, 2, 3, 4),
        (2, 64, 100, 64),
        (12, 768, 50_257, 1024),
        (96, 12_288, 50_257, 2048),
        (0, 3, 5, 7),
    ],
    judge=_gpt_by_shapes,
    right=[_gpt_in_one_line, _gpt_by_parts, _gpt_by_layers],
    wrong=[
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - C * V,
            "One table of C x vocabulary is missing. The tokens need one to come in, the head one to score the next "
            "token. (Some models use one table for both; here they are two.)",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) + V,
            "Your head has a bias for each token. Here it has none.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - C * T,
            "The positions are missing: a row of C for each place in the context.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - 2 * C,
            "The last norm is missing: C scales and C shifts.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - C,
            "A norm has a scale and a shift for each channel: 2 C.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(1, C, V, T),
            "You count one block. There are `layers` of them, each with weights of its own.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - 13 * L * C,
            "A block has 12 C² + 13 C parameters. Your 13 C (biases and norms) are missing.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - 12 * L * C * C + 12 * L * C,
            "12 C² is 12 * C * C, or 12 * C**2. You count 12 C.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - 12 * L * C * C + L * (12 * C) ** 2,
            "12 C² squares C alone: 12 * C**2. You square 12 C.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - 12 * L * C * C + L * (12 * C ^ 2),
            "In Python ^ is no power: it compares bits. Write C**2.",
        ),
        Wrong(
            lambda L, C, V, T: L * (12 * C**2 + 13 * C),
            "You count the blocks only. Add the tables of tokens and positions, the last norm and the head.",
        ),
        Wrong(
            lambda L, C, V, T: 12 * L * C**2,
            "12 L C² is the rule of thumb for large models. Here every part counts: biases and norms of the blocks, "
            "tokens, positions, the last norm, the head.",
        ),
        Wrong(
            lambda L, C, V, T: count_gpt(L, C, V, T) - C * T + C * T * V,
            "You count a row for each token at each place. Tokens and positions have two tables, which are added.",
        ),
    ],
    hints=[
        "Five parts: tokens, positions, blocks, norm, head. Write a line for each, then add them up.",
        "A table with n rows of C numbers has n * C parameters.",
        "For the blocks: layers * (12 * channels**2 + 13 * channels).",
    ],
)

# ---------------------------------------------------------------- training_days


def training_days(parameters, tokens, chips, flops_per_second, utilisation):
    flops = 6 * parameters * tokens
    seconds = flops / (chips * flops_per_second * utilisation)
    return seconds / (24 * 60 * 60)


def _days_for_one_chip_first(parameters, tokens, chips, flops_per_second, utilisation):
    seconds_per_token = 6 * parameters / (flops_per_second * utilisation)
    return seconds_per_token * tokens / 86_400 / chips


def _days_by_speed(parameters, tokens, chips, flops_per_second, utilisation):
    flops_per_day = chips * flops_per_second * utilisation * 3600 * 24
    return 6 * parameters * tokens / flops_per_day


def _days_by_passes(parameters, tokens, chips, flops_per_second, utilisation):
    forward = 2 * parameters * tokens
    backward = 2 * forward
    hours = (forward + backward) / (flops_per_second * utilisation * chips) / 3600
    return hours / 24


TRAINING_DAYS = Exercise(
    reference=training_days,
    prompt="How many days a training takes. Each token costs 6 operations per parameter. There are `chips`, each doing "
    "`flops_per_second` at best; `utilisation` of that is reached (0.4 means 40 %).",
    cases=lambda: [
        (1e6, 1e6, 1, 1e9, 1.0),
        (175e9, 300e9, 1024, 312e12, 0.45),
        (70e9, 1.4e12, 2000, 1e14, 0.5),
        (1e6, 1e8, 1, 5e10, 0.2),
    ],
    right=[_days_for_one_chip_first, _days_by_speed, _days_by_passes],
    wrong=[
        Wrong(
            lambda *sizes: training_days(*sizes) / 3,
            "2 operations per parameter and token are the way forward alone. The way backward costs twice as much: "
            "6 in all.",
        ),
        Wrong(
            lambda *sizes: training_days(*sizes) / 6,
            "Parameters times tokens must be multiplied by 6: forward a multiplication and an addition, backward twice "
            "that.",
        ),
        Wrong(
            lambda *sizes: training_days(*sizes[:4], 1),
            "The utilisation is missing: chips wait for memory and for each other, and do less than their best.",
        ),
        Wrong(
            lambda *sizes: training_days(*sizes[:4], 1 / sizes[4]),
            "You multiply by the utilisation, so that slower chips finish sooner. Divide by it.",
        ),
        Wrong(
            lambda *sizes: training_days(*sizes[:4], sizes[4] / 100),
            "0.4 is 40 % already: do not divide by 100.",
        ),
        Wrong(lambda *sizes: training_days(*sizes) * 24, "Those are hours. Divide by 24 once more."),
        Wrong(lambda *sizes: training_days(*sizes) * 1440, "Those are minutes. A day has 24 * 60 of them."),
        Wrong(lambda *sizes: training_days(*sizes) * 86_400, "Those are seconds. A day has 24 * 60 * 60 of them."),
        Wrong(
            lambda *sizes: training_days(*sizes) * sizes[2],
            "That is the time on one chip. They work at the same time: divide by `chips`.",
        ),
        Wrong(
            lambda *sizes: training_days(*sizes) * sizes[2] ** 2,
            "You multiply by `chips`, so that more chips take longer. They share the work: divide by them.",
        ),
        Wrong(
            lambda *sizes: 1 / training_days(*sizes),
            "You divided the wrong way round: those are trainings per day. Time is work divided by speed.",
        ),
        Wrong(
            lambda *sizes: 6 * sizes[0] * sizes[1],
            "That is the work, in operations. Divide it by the speed of all chips together, and turn seconds to days.",
        ),
    ],
    hints=[
        "Time is work divided by speed. First the work: how many operations in all?",
        "The speed is chips * flops_per_second * utilisation, in operations per second.",
        "Work divided by speed is in seconds. A day has 24 * 60 * 60 of them.",
    ],
)

# ---------------------------------------------------------------- memory_to_train


def memory_to_train(parameters, optimizer):
    numbers = {"sgd": 2, "momentum": 3, "adam": 4}[optimizer]
    return 4 * numbers * parameters


def _memory_in_torch(parameters, optimizer):
    weights = nn.Parameter(torch.ones(parameters))
    steps = {
        "sgd": lambda: torch.optim.SGD([weights], lr=0.1),
        "momentum": lambda: torch.optim.SGD([weights], lr=0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam([weights], lr=0.1),
    }
    torchs = steps[optimizer]()
    weights.sum().backward()
    torchs.step()
    states = [value for value in torchs.state[weights].values() if isinstance(value, torch.Tensor) and value.ndim]
    return weights.nbytes + weights.grad.nbytes + sum(state.nbytes for state in states)


def _memory_by_parts(parameters, optimizer):
    weights = gradients = 4 * parameters
    if optimizer == "adam":
        return weights + gradients + 2 * weights
    return weights + gradients + (weights if optimizer == "momentum" else 0)


def _memory_in_bits(parameters, optimizer):
    bits = 32 * parameters * (2 + ["sgd", "momentum", "adam"].index(optimizer))
    return bits // 8


def _memory_by_match(parameters, optimizer):
    match optimizer:
        case "sgd":
            return 8 * parameters
        case "momentum":
            return 12 * parameters
    return 16 * parameters


def _memory_with(sgd, momentum, adam):
    return lambda parameters, optimizer: parameters * {"sgd": sgd, "momentum": momentum, "adam": adam}[optimizer]


MEMORY_TO_TRAIN = Exercise(
    reference=memory_to_train,
    prompt="The bytes that a model takes while it trains, activations aside: the weights, a gradient for each, and "
    'what the optimizer keeps: "sgd" nothing, "momentum" one number for each weight, "adam" two. All in fp32.',
    cases=lambda: [
        (1, "sgd"),
        (1, "momentum"),
        (1, "adam"),
        (1000, "adam"),
        (123_456, "momentum"),
        (1_000_000, "sgd"),
    ],
    judge=_memory_in_torch,
    right=[_memory_by_parts, _memory_in_bits, _memory_by_match],
    wrong=[
        Wrong(
            _memory_with(4, 4, 4),
            "Those are the weights alone. Training also keeps a gradient for each, and what the optimizer remembers.",
        ),
        Wrong(
            _memory_with(8, 8, 8),
            "Weights and gradients are there. What the optimizer keeps is missing: nothing for sgd, one number for "
            "each weight for momentum, two for adam.",
        ),
        Wrong(
            _memory_with(4, 8, 12),
            "Weights and the optimizer's numbers are there. The gradients are missing: one number for each weight.",
        ),
        Wrong(_memory_with(8, 12, 12), "Adam keeps two numbers for each weight: an average and an average of squares."),
        Wrong(_memory_with(12, 12, 16), "Plain sgd keeps nothing: it steps along the gradient and forgets it."),
        Wrong(_memory_with(16, 16, 16), "16 bytes for each weight is Adam. sgd and momentum keep less."),
        Wrong(_memory_with(2, 3, 4), "Those are numbers. In fp32 each takes 4 bytes."),
        Wrong(_memory_with(64, 96, 128), "Those are bits. A byte has 8 of them: an fp32 number takes 4 bytes."),
        Wrong(_memory_with(16, 24, 32), "You take 8 bytes for a number. fp32 has 32 bits, which are 4 bytes."),
        Wrong(_memory_with(4, 6, 8), "You take 2 bytes for a number. That is bf16; fp32 has 32 bits, which are 4."),
        Wrong(
            lambda parameters, optimizer: memory_to_train(parameters, optimizer) / 1e9,
            "Those are gigabytes. Return bytes.",
        ),
    ],
    hints=[
        "How many bytes does one fp32 number take? It has 32 bits, and a byte has 8.",
        "For each weight count the numbers: itself, its gradient, and what the optimizer keeps.",
        'sgd: 2 numbers, momentum: 3, adam: 4. A dictionary from name to count is enough: {"sgd": 2, ...}[optimizer].',
    ],
)

# ---------------------------------------------------------------- most_exact


def most_exact(parameters, memory):
    for precision, size in {"fp32": 4, "bf16": 2, "int8": 1, "int4": 0.5}.items():
        if parameters * size <= memory:
            return precision
    return None


def _exact_by_ifs(parameters, memory):
    bits = 8 * memory / parameters
    if bits >= 32:
        return "fp32"
    if bits >= 16:
        return "bf16"
    if bits >= 8:
        return "int8"
    return "int4" if bits >= 4 else None


def _exact_by_next(parameters, memory):
    sizes = [(32, "fp32"), (16, "bf16"), (8, "int8"), (4, "int4")]
    return next((name for bits, name in sizes if parameters * bits <= 8 * memory), None)


def _exact_by_max(parameters, memory):
    sizes = {"int4": 0.5, "int8": 1, "bf16": 2, "fp32": 4}
    fitting = {size: name for name, size in sizes.items() if size * parameters <= memory}
    return fitting[max(fitting)] if fitting else None


def _first_that_fits(sizes, fits):
    return next((name for name, size in sizes.items() if fits(size)), None)


SIZES = {"fp32": 4, "bf16": 2, "int8": 1, "int4": 0.5}

MOST_EXACT = Exercise(
    reference=most_exact,
    prompt='The most exact precision in which the weights fit into `memory` bytes: "fp32", "bf16", "int8", "int4", or '
    "None where none of them fits. The number in a name is its bits.",
    cases=lambda: [
        (1e9, 100e9),
        (7e9, 16e9),
        (70e9, 80e9),
        (70e9, 40e9),
        (175e9, 80e9),
        (1e9, 4e9),
        (8e9, 4e9),
        (8e9, 8e9),
        (3e9, 6e9),
        (10e9, 39e9),
        (1e9, 1),
    ],
    right=[_exact_by_ifs, _exact_by_next, _exact_by_max],
    wrong=[
        Wrong(
            lambda parameters, memory: _first_that_fits(SIZES, lambda size: size * parameters < memory),
            "Weights that fill the memory to the last byte fit: use <=.",
        ),
        Wrong(
            lambda parameters, memory: _first_that_fits(SIZES, lambda size: 8 * size * parameters <= memory),
            "You count a byte for each bit. A byte has 8 bits: fp32 takes 4 bytes, int4 half a byte.",
        ),
        Wrong(
            lambda parameters, memory: _first_that_fits(
                dict(reversed(SIZES.items())), lambda size: size * parameters <= memory
            ),
            "You take the smallest that fits. Start with the most exact, fp32, and go down.",
        ),
        Wrong(
            lambda parameters, memory: _first_that_fits({**SIZES, "int4": 1}, lambda size: size * parameters <= memory),
            "int4 has 4 bits: half a byte. Two of its numbers share one byte.",
        ),
        Wrong(
            lambda parameters, memory: most_exact(parameters, memory) or "int4",
            "Where not even int4 fits, say so: return None.",
        ),
        Wrong(
            lambda parameters, memory: next(name for name, size in SIZES.items() if size * parameters <= memory),
            "Where nothing fits, your code raises an error. Return None there.",
        ),
        Wrong(
            lambda parameters, memory: _first_that_fits(SIZES, lambda size: 4 * size * parameters <= memory),
            "You leave room for gradients and an optimizer. This model only answers: its weights alone must fit.",
        ),
        Wrong(
            lambda parameters, memory: _first_that_fits(SIZES, lambda size: size * parameters >= memory),
            "Your comparison is the wrong way round: the weights must be smaller than the memory.",
        ),
        Wrong(
            lambda parameters, memory: _first_that_fits(SIZES, lambda size: size <= memory),
            "You compare one weight with the memory. Multiply by the number of parameters.",
        ),
        Wrong(
            lambda parameters, memory: "fp32" if 4 * parameters <= memory else None,
            "You try fp32 only. Go on: bf16, int8 and int4 are smaller.",
        ),
    ],
    hints=[
        "How many bytes does one number take in each precision? The number in the name is its bits.",
        "fp32: 4 bytes, bf16: 2, int8: 1, int4: 0.5. Try them in this order.",
        "Return the first for which parameters * size <= memory, and None after the loop.",
    ],
)

# ---------------------------------------------------------------- which_word

WORDS = ("model", "training", "inference", "interpretability")


def which_word():
    """A word for each: "model", "training", "inference" or "interpretability".

    "download"   a file of 350 GB with 175 billion numbers in it
    "recipe"     how many layers and channels, and in which order they compute
    "falling"    the loss goes down from 4.6 to 1.8
    "gradients"  every weight moves a little, to where the error is smaller
    "chat"       a question goes in, an answer comes out word by word; no weight moves
    "photo"      your phone says what is in a picture that nobody ever showed it
    "pixels"     which parts of the picture made it say "seven"
    "doctor"     the reason why it thinks that this patient is ill
    """
    return {
        "download": "model",
        "recipe": "model",
        "falling": "training",
        "gradients": "training",
        "chat": "inference",
        "photo": "inference",
        "pixels": "interpretability",
        "doctor": "interpretability",
    }


# What speaks against a word, by the word that is right.
OBJECTIONS = {
    ("model", "training"): "nothing is learned here; this is what is there before and after it learns",
    ("model", "inference"): "no question is asked and nothing is answered",
    ("model", "interpretability"): "nobody asks why; this is the thing that one could ask about",
    ("training", "model"): "this is something that is done, over many steps, and no thing that you can copy",
    ("training", "inference"): "the weights change here; an answer leaves them as they are",
    ("training", "interpretability"): "it gets better, but nobody learns why it says what it says",
    ("inference", "model"): "this is something that is done with it, each time it is asked",
    ("inference", "training"): "no weight moves, so nothing is learned",
    ("inference", "interpretability"): "you get the answer, and no reason for it",
    ("interpretability", "model"): "this is a question about it, and no part of it",
    ("interpretability", "training"): "no weight moves: you look at what was learned",
    ("interpretability", "inference"): "the answer is there already; you ask where it comes from",
}


def _look_up_words(answer):
    """Whether the words are right, without telling which ones are."""
    words = answer()
    if not isinstance(words, dict):
        raise Mistake(f"Return a dictionary with a word for each. What came is a {type(words).__name__}.")
    for key, right in which_word().items():
        if key not in words:
            raise Mistake(_no_word(key))
        if words[key] not in WORDS:
            raise Mistake(_no_such_word(key, words[key]))
        if words[key] != right:
            raise Mistake(_objection(key, words[key]))
    return "right"


def _objection(key, word):
    return f"{key!r} is not {word}: {OBJECTIONS[which_word()[key], word]}."


def _no_word(key):
    return f"There is no word for {key!r} in your dictionary."


def _no_such_word(key, word):
    return f"{word!r}, your word for {key!r}, is none of the four: {', '.join(WORDS)}."


def _with_word(key, word):
    return lambda: which_word() | {key: word}


def _words_by_pairs():
    keys = iter(which_word())
    return {key: word for word in WORDS for key in (next(keys), next(keys))}


def _words_by_groups():
    groups = {"model": "download recipe", "training": "falling gradients", "inference": "chat photo"}
    found = {key: word for word, keys in groups.items() for key in keys.split()}
    return found | dict.fromkeys(["pixels", "doctor"], "interpretability")


def _words_by_assignment():
    words = dict.fromkeys(which_word(), "model")
    words["falling"] = words["gradients"] = "training"
    words["chat"] = words["photo"] = "inference"
    words["pixels"] = words["doctor"] = "interpretability"
    return words


WHICH_WORD = Exercise(
    reference=which_word,
    prompt="A dictionary with one of the four words for each.",
    cases=lambda: [()],
    run=_look_up_words,
    right=[_words_by_pairs, _words_by_groups, _words_by_assignment],
    wrong=[
        *(
            Wrong(_with_word(key, word), _objection(key, word))
            for key, right in which_word().items()
            for word in WORDS
            if word != right
        ),
        Wrong(_with_word("chat", "answering"), _no_such_word("chat", "answering")),
        Wrong(lambda: {"download": "model"}, _no_word("recipe")),
        Wrong(lambda: list(which_word().values()), "Return a dictionary with a word for each. What came is a list."),
    ],
    hints=[
        "Is it a thing (you can store it), or something that is done?",
        "Do the weights change? Then it is training. Do they stay, and an answer comes out? Then it is inference.",
        "Who asks for the reason of an answer, asks for interpretability.",
    ],
)
