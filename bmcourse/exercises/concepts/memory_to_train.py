"""The exercise `memory_to_train` of lesson 01."""

import torch
from torch import nn

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The bytes that a model takes while it trains, activations aside: the weights, a gradient for each, and "
    'what the optimizer keeps: "sgd" nothing, "momentum" one number for each weight, "adam" two. All in fp32.'
)
def memory_to_train(parameters, optimizer):
    numbers = {"sgd": 2, "momentum": 3, "adam": 4}[optimizer]
    return 4 * numbers * parameters


@memory_to_train.judge
def memory_in_torch(parameters, optimizer):
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


@memory_to_train.right
def memory_by_parts(parameters, optimizer):
    weights = gradients = 4 * parameters
    if optimizer == "adam":
        return weights + gradients + 2 * weights
    return weights + gradients + (weights if optimizer == "momentum" else 0)


@memory_to_train.right
def memory_in_bits(parameters, optimizer):
    bits = 32 * parameters * (2 + ["sgd", "momentum", "adam"].index(optimizer))
    return bits // 8


@memory_to_train.right
def memory_by_match(parameters, optimizer):
    match optimizer:
        case "sgd":
            return 8 * parameters
        case "momentum":
            return 12 * parameters
    return 16 * parameters


def memory_with(sgd, momentum, adam):
    return lambda parameters, optimizer: parameters * {"sgd": sgd, "momentum": momentum, "adam": adam}[optimizer]


@memory_to_train.cases
def cases():
    return [
        (1, "sgd"),
        (1, "momentum"),
        (1, "adam"),
        (1000, "adam"),
        (123_456, "momentum"),
        (1_000_000, "sgd"),
    ]


memory_to_train.mistake(
    "Those are the weights alone. Training also keeps a gradient for each, and what the optimizer remembers.",
    TODO_46=memory_with(4, 4, 4),
)


memory_to_train.mistake(
    "Weights and gradients are there. What the optimizer keeps is missing: nothing for sgd, one number for "
    "each weight for momentum, two for adam.",
    TODO_47=memory_with(8, 8, 8),
)


memory_to_train.mistake(
    "Weights and the optimizer's numbers are there. The gradients are missing: one number for each weight.",
    TODO_48=memory_with(4, 8, 12),
)


memory_to_train.mistake(
    "Adam keeps two numbers for each weight: an average and an average of squares.", TODO_49=memory_with(8, 12, 12)
)


memory_to_train.mistake(
    "Plain sgd keeps nothing: it steps along the gradient and forgets it.", TODO_50=memory_with(12, 12, 16)
)


memory_to_train.mistake(
    "16 bytes for each weight is Adam. sgd and momentum keep less.", TODO_51=memory_with(16, 16, 16)
)


memory_to_train.mistake("Those are numbers. In fp32 each takes 4 bytes.", TODO_52=memory_with(2, 3, 4))


memory_to_train.mistake(
    "Those are bits. A byte has 8 of them: an fp32 number takes 4 bytes.", TODO_53=memory_with(64, 96, 128)
)


memory_to_train.mistake(
    "You take 8 bytes for a number. fp32 has 32 bits, which are 4 bytes.", TODO_54=memory_with(16, 24, 32)
)


memory_to_train.mistake(
    "You take 2 bytes for a number. That is bf16; fp32 has 32 bits, which are 4.", TODO_55=memory_with(4, 6, 8)
)


memory_to_train.mistake(
    "Those are gigabytes. Return bytes.",
    TODO_56=lambda parameters, optimizer: memory_to_train(parameters, optimizer) / 1e9,
)


memory_to_train.hints(
    "How many bytes does one fp32 number take? It has 32 bits, and a byte has 8.",
    "For each weight count the numbers: itself, its gradient, and what the optimizer keeps.",
    'sgd: 2 numbers, momentum: 3, adam: 4. A dictionary from name to count is enough: {"sgd": 2, ...}[optimizer].',
)
