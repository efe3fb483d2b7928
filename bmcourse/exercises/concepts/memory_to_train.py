"""The exercise `memory_to_train`: the bytes of weights, gradients and what the optimizer keeps."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The bytes that a model takes while it trains, activations aside: the weights, a gradient for each, and "
    'what the optimizer keeps: "sgd" nothing, "momentum" one number for each weight, "adam" two. All in fp32.'
)
def memory_to_train(parameters, optimizer):
    numbers = {"sgd": 2, "momentum": 3, "adam": 4}[optimizer]
    return 4 * numbers * parameters


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


@memory_to_train.judge
def with_real_tensors(parameters, optimizer):
    """What torch's optimizers hold, as tensors: one of torch's own takes seconds to make, as it loads half of torch."""
    tensors = ["weights", "gradients"]
    tensors += {"sgd": [], "momentum": ["momentum_buffer"], "adam": ["exp_avg", "exp_avg_sq"]}[optimizer]
    return sum(torch.empty(parameters, device="meta").nbytes for _ in tensors)


@memory_to_train.right
def by_parts(parameters, optimizer):
    weights = gradients = 4 * parameters
    if optimizer == "adam":
        return weights + gradients + 2 * weights
    return weights + gradients + (weights if optimizer == "momentum" else 0)


@memory_to_train.right
def in_bits(parameters, optimizer):
    bits = 32 * parameters * (2 + ["sgd", "momentum", "adam"].index(optimizer))
    return bits // 8


@memory_to_train.right
def by_match(parameters, optimizer):
    match optimizer:
        case "sgd":
            return 8 * parameters
        case "momentum":
            return 12 * parameters
    return 16 * parameters


@memory_to_train.right
def added_to_sgd(parameters, optimizer):
    numbers = 2 + (optimizer != "sgd") + (optimizer == "adam")
    return numbers * parameters * torch.finfo(torch.float32).bits // 8


def per_weight(sgd, momentum, adam):
    """A wrong memory: so many bytes for each weight."""
    return lambda parameters, optimizer: parameters * {"sgd": sgd, "momentum": momentum, "adam": adam}[optimizer]


def of_right(change):
    """A wrong memory: the right one, changed."""
    return lambda parameters, optimizer: change(memory_to_train(parameters, optimizer))


KEPT = {"sgd": 0, "momentum": 1, "adam": 2}


# A part of the three is missing, or there twice.

memory_to_train.mistake(
    "Those are the weights alone. Training also keeps a gradient for each, and what the optimizer remembers.",
    weights_only=per_weight(4, 4, 4),
)
memory_to_train.mistake(
    "Weights and gradients are there. What the optimizer keeps is missing: nothing for sgd, one number for "
    "each weight for momentum, two for adam.",
    optimizer_missing=per_weight(8, 8, 8),
)
memory_to_train.mistake(
    "4 bytes for each weight are missing. Weights and gradients are two numbers for each, of 4 bytes, and what the "
    "optimizer keeps comes on top.",
    gradients_missing=per_weight(4, 8, 12),
)
memory_to_train.mistake(
    "That is what the optimizer keeps, alone. Add the weights and their gradients.", optimizer_only=per_weight(0, 4, 8)
)
memory_to_train.mistake(
    "That is what the optimizer keeps, counted in numbers. Add weights and gradients, and take 4 bytes for each.",
    optimizer_only_in_numbers=per_weight(0, 1, 2),
)
memory_to_train.mistake(
    "One number for each weight too many, for every optimizer. There are the weights, a gradient each, and what the "
    "optimizer keeps: 2, 3 or 4 numbers.",
    one_too_many=per_weight(12, 16, 20),
)
memory_to_train.mistake(
    "Two numbers for each weight too many, for every optimizer. Activations are left aside here: 2, 3 or 4 numbers.",
    two_too_many=per_weight(16, 20, 24),
)
memory_to_train.mistake(
    "You multiply the numbers the optimizer keeps with the others. They stand beside weights and gradients: add.",
    multiplied=per_weight(0, 8, 16),
)

# Mixed up optimizers.

memory_to_train.mistake(
    "Adam keeps two numbers for each weight: an average and an average of squares.",
    adam_like_momentum=per_weight(8, 12, 12),
)
memory_to_train.mistake(
    'Adam\'s numbers are missing. Does your code compare with the text "adam", in small letters?',
    adam_like_sgd=per_weight(8, 12, 8),
)
memory_to_train.mistake(
    "Momentum keeps one number for each weight: the average of the gradients so far.",
    momentum_like_sgd=per_weight(8, 8, 16),
)
memory_to_train.mistake(
    "You give momentum what Adam keeps. It keeps one number for each weight, not two.",
    momentum_like_adam=per_weight(8, 16, 16),
)
memory_to_train.mistake(
    "Momentum keeps one number for each weight, and Adam two. You count twice as many.",
    twice_the_state=per_weight(8, 16, 24),
)
memory_to_train.mistake(
    "Plain sgd keeps nothing: it steps along the gradient and forgets it.", sgd_like_momentum=per_weight(12, 12, 16)
)
memory_to_train.mistake(
    "Your sgd gets what Adam keeps. `if`, `if`, `else`: the `else` belongs to the last `if` alone, so that sgd ends "
    "there too. Use `elif` for the second.",
    sgd_like_adam=per_weight(16, 12, 16),
)
memory_to_train.mistake(
    "Only Adam's answer is right; all get it. 16 bytes for each weight is Adam, sgd and momentum keep less. Note that "
    '`optimizer == "adam" or "momentum"` is always true.',
    all_like_adam=per_weight(16, 16, 16),
)
memory_to_train.mistake(
    "All get what momentum keeps. sgd keeps nothing, and adam two numbers for each weight.",
    all_like_momentum=per_weight(12, 12, 12),
)
memory_to_train.mistake(
    "Momentum and adam are exchanged: momentum keeps one number for each weight, adam two.",
    momentum_and_adam_exchanged=per_weight(8, 16, 12),
)
memory_to_train.mistake(
    "The order is reversed: sgd keeps nothing, momentum one number for each weight, adam two.",
    order_reversed=per_weight(16, 12, 8),
)
memory_to_train.mistake(
    "Your adam has 24 bytes for each weight. Weights, gradients and its two numbers are 4 numbers of 4 bytes: 16.",
    adam_of_24=per_weight(8, 12, 24),
)
memory_to_train.mistake(
    "Adam's two numbers are counted as two bytes. Each is in fp32: 4 bytes.", adam_in_bytes=per_weight(8, 12, 10)
)
memory_to_train.mistake(
    "Adam keeps two numbers for each weight, and you count three: it has nothing of momentum beside them, and "
    "the count of its steps is one number for all.",
    adam_with_three=per_weight(8, 12, 20),
)
memory_to_train.mistake(
    "Only sgd has its gradients. With momentum and adam the weights have gradients too.",
    gradients_for_sgd_only=per_weight(8, 8, 12),
)
memory_to_train.mistake(
    "For sgd the gradients are missing. It needs them too, to make its step: only then it forgets them.",
    sgd_without_gradients=per_weight(4, 12, 16),
)
memory_to_train.mistake(
    "For sgd nothing is left. The optimizer keeps nothing, but weights and gradients take their room.",
    nothing_for_sgd=per_weight(0, 12, 16),
)

# Wrong sizes of a number.

memory_to_train.mistake("Those are numbers. In fp32 each takes 4 bytes.", numbers=per_weight(2, 3, 4))
memory_to_train.mistake(
    "Those are bits. A byte has 8 of them: an fp32 number takes 4 bytes.", bits=per_weight(64, 96, 128)
)
memory_to_train.mistake(
    "You take 8 bytes for a number. fp32 has 32 bits, which are 4 bytes.", eight_bytes=per_weight(16, 24, 32)
)
memory_to_train.mistake(
    "You take 2 bytes for a number. That is bf16; fp32 has 32 bits, which are 4.", two_bytes=per_weight(4, 6, 8)
)
memory_to_train.mistake(
    "You take 3 bytes for a number. fp32 has 32 bits, which are 4.", three_bytes=per_weight(6, 9, 12)
)
memory_to_train.mistake(
    "You take 16 bytes for a number. fp32 has 32 bits, which are 4.", sixteen_bytes=per_weight(32, 48, 64)
)
memory_to_train.mistake(
    "The optimizer's numbers are counted as bytes. They are in fp32 too: 4 bytes each.",
    optimizer_in_bytes=per_weight(8, 9, 10),
)
memory_to_train.mistake(
    "Only the weights are counted in bytes. Gradients and the optimizer's numbers take 4 bytes each too.",
    only_weights_in_bytes=per_weight(5, 6, 7),
)
memory_to_train.mistake(
    "Only the optimizer's numbers are counted in bytes. Weights and gradients take 4 bytes each too.",
    only_the_optimizer_in_bytes=per_weight(2, 6, 10),
)
memory_to_train.mistake(
    "Weights and gradients together take 5 bytes in your count: 4 + 1. A gradient takes 4 bytes too.",
    gradients_as_bytes=per_weight(5, 9, 13),
)
memory_to_train.mistake(
    "You take 2 bytes for a weight or for its gradient, as in bf16. All is in fp32: 4 bytes.",
    one_part_in_bf16=per_weight(6, 10, 14),
)
memory_to_train.mistake(
    "You take 2 bytes for the optimizer's numbers, as in bf16. All is in fp32: 4 bytes.",
    optimizer_in_bf16=per_weight(8, 10, 12),
)
memory_to_train.mistake("Those are kilobytes. Return bytes.", kilobytes=of_right(lambda memory: memory / 1e3))
memory_to_train.mistake("Those are kilobytes. Return bytes: leave / 1024 out.", kibibytes=of_right(lambda m: m / 1024))
memory_to_train.mistake("Those are megabytes, or larger units. Return bytes.", megabytes=of_right(lambda m: m / 1e6))
memory_to_train.mistake(
    "Those are megabytes, or larger units. Return bytes: leave / 1024**2 out.", mebibytes=of_right(lambda m: m / 2**20)
)
memory_to_train.mistake("Those are gigabytes. Return bytes.", gigabytes=of_right(lambda memory: memory / 1e9))
memory_to_train.mistake(
    "You divide by 4. A number in fp32 takes 4 bytes: multiply.", divided_by_four=of_right(lambda memory: memory / 16)
)

# Wrong ways to put the parts together.

memory_to_train.mistake(
    "What the optimizer keeps does not grow with the model in your count. It keeps so many numbers for each weight: "
    "multiply by `parameters`. Mind the brackets around what is added.",
    optimizer_once=lambda parameters, optimizer: 8 * parameters + 4 * KEPT[optimizer],
)
memory_to_train.mistake(
    "You add the number of what the optimizer keeps, and it grows neither with the model nor by 4 bytes. Set "
    "brackets: 4 * parameters * (2 + kept).",
    brackets_missing=lambda parameters, optimizer: 8 * parameters + KEPT[optimizer],
)
memory_to_train.mistake(
    "Only the weights grow with the model in your count. There is a gradient for each of them, and so many of the "
    "optimizer's numbers: multiply all by `parameters`.",
    others_once=lambda parameters, optimizer: 4 * parameters + 1 + KEPT[optimizer],
)
memory_to_train.mistake(
    "Only the weights grow with the model in your count, and the gradients are missing. Multiply all by `parameters`.",
    others_once_without_gradients=lambda parameters, optimizer: 4 * parameters + KEPT[optimizer],
)
memory_to_train.mistake(
    "Only the weights grow with the model in your count. Multiply all numbers by `parameters`, and by 4 bytes.",
    other_bytes_once=lambda parameters, optimizer: 4 * parameters + 4 * (1 + KEPT[optimizer]),
)
memory_to_train.mistake(
    'There is no such key in your dictionary. The names are in small letters: "sgd", "momentum", "adam".',
    other_keys=lambda parameters, optimizer: {}[optimizer],
)
memory_to_train.mistake(
    "`optimizer` is a text, and cannot be multiplied with the other numbers. Choose a number by it first.",
    text_in_a_product=lambda parameters, optimizer: 4 * parameters * (2 + optimizer),
)
memory_to_train.mistake(
    "Those are the bytes for one weight. Multiply by `parameters`.",
    one_weight=lambda parameters, optimizer: 8 + 4 * KEPT[optimizer],
)
memory_to_train.mistake(
    "You add `parameters` in place of multiplying.",
    parameters_added=lambda parameters, optimizer: 4 * (2 + KEPT[optimizer]) + parameters,
)
memory_to_train.mistake(
    "You square the parameters. So much does a matrix of all pairs take; here each weight has a few numbers.",
    parameters_squared=lambda parameters, optimizer: memory_to_train(parameters, optimizer) * parameters,
)
memory_to_train.mistake(
    "You return a text. Return the number of bytes.", as_text=of_right(lambda memory: f"{memory} bytes")
)
memory_to_train.mistake(
    "You return the parts. Return their sum.",
    list_of_parts=lambda parameters, optimizer: [4 * parameters, 4 * parameters, 4 * parameters * KEPT[optimizer]],
)
memory_to_train.mistake(
    "You always return 0. Does your code add the parts to what it returns?", always_zero=of_right(lambda m: 0)
)


memory_to_train.hints(
    "How many bytes does one fp32 number take? It has 32 bits, and a byte has 8.",
    "For each weight count the numbers: itself, its gradient, and what the optimizer keeps.",
    'sgd: 2 numbers, momentum: 3, adam: 4. A dictionary from name to count is enough: {"sgd": 2, ...}[optimizer].',
)
