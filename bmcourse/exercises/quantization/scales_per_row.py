"""The scale of each row for quantization to a few bits (lesson 11)."""

import math

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The scales (out, 1) of absmax quantization row by row: weight (out, in) as in nn.Linear, so each output "
    "has its own. With 8 bits the integers go from -127 to 127, with 4 from -7 to 7, with 2 from -1 to 1. A row of "
    "zeros may have any positive scale, so that weight / scale is 0 there.",
    untried={"weight": {"a gradient is wanted": "scales of finished weights need none"}},
)
def scales_per_row(weight, bits):
    largest = weight.abs().amax(dim=1, keepdim=True)
    return torch.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1.0)


@scales_per_row.cases
def cases():
    return [
        (torch.tensor([[0.35, -0.7], [0.07, 0.01]]), 4),
        (torch.randn(3, 5), 6, True),
        (torch.randn(4, 4) * torch.tensor([[1.0], [10.0], [0.1], [1.0]]), 2),
        (-torch.rand(3, 2) - 0.1, 3),
        (uncommon(torch.tensor([[0.0, -0.7, 0.2]]))[0].detach(), 8),
        (1e-3 + torch.rand(4, 3).T, 5),
        (2e-5 * torch.randn(2, 6), 8),
    ]


NO_SCALE_FOR_ZEROS = (
    "Right, but a row of zeros has the scale 0, and weight / scale is NaN there. A dead neuron is such a row, and one "
    "NaN spreads to all that follows. Give it another scale, such as 1."
)
ZEROS_SPOIL_THE_REST = (
    "Right, but where one row is all zeros, the other rows get another scale too. Change the scale of that row only."
)
ERROR_FOR_ZEROS = (
    "Right, but with a row of zeros you divide by 0, which raises an error. Give it another scale, such as 1."
)
CONSTANT = (
    "Your scales are never below a fixed number, and rows of small weights lose their levels: a lower bound such as "
    "1e-4 is too large. Only a row of zeros needs another scale."
)
ADDED = (
    "You add a small number to the scale, and for small weights it is not small: the largest one is then no longer the "
    "largest integer. Change the scale only where it is 0."
)
TINY = "Your scales are wrong for small weights, of about 0.00001: the largest of a row is not the largest integer."


@scales_per_row.run
def with_a_row_of_zeros(answer, weight, bits, zeros_too=False):
    """The scales of an answer; where they are right, there must, with `zeros_too`, be one for a row of zeros."""
    scales = answer(weight, bits)
    right = by_loop(weight, bits)
    if not (torch.is_tensor(scales) and scales.shape == right.shape and scales.is_floating_point()):
        return scales
    if not difference(scales / right, right / right, 1e-5):
        if not zeros_too:
            return scales
        try:
            with_zeros = answer(torch.cat([weight, torch.zeros_like(weight[:1])]), bits)
        except ZeroDivisionError:
            raise Mistake(ERROR_FOR_ZEROS) from None
        if not 0 < with_zeros[-1] < math.inf:
            raise Mistake(NO_SCALE_FOR_ZEROS)
        if difference(with_zeros[:-1] / right, right / right, 1e-5):
            raise Mistake(ZEROS_SPOIL_THE_REST)
        return scales
    tenths = [10.0**-power for power in range(1, 13)]
    levels = 2 ** (bits - 1) - 1
    for tenth in [*tenths, *(tenth / levels for tenth in tenths)]:
        if torch.allclose(scales, right.clamp(min=tenth), rtol=1e-5, atol=0):
            raise Mistake(CONSTANT)
        if tenth > 1e-10 and torch.allclose(scales - right, torch.full_like(scales, tenth), rtol=1e-2, atol=1e-12):
            raise Mistake(ADDED)
    if weight.abs().max() < 1e-3:  # wrong numbers as small as these are within the tolerance
        raise Mistake(TINY)
    return scales


@scales_per_row.judge
def by_loop(weight, bits, zeros_too=False):
    steps = sum(2**bit for bit in range(bits - 1))
    return torch.tensor([[max(map(abs, row)) / steps] for row in weight.tolist()], dtype=weight.dtype)


@scales_per_row.right
def by_norm(weight, bits):
    largest = torch.linalg.vector_norm(weight, ord=math.inf, dim=1)
    return (largest.clamp(min=1e-12) / (2 ** (bits - 1) - 1)).unsqueeze(1)


@scales_per_row.right
def by_extremes(weight, bits):
    largest = torch.maximum(weight.max(1).values, -weight.min(1).values)[:, None]
    largest[largest == 0] = 1.0
    return largest / ((1 << bits - 1) - 1)


@scales_per_row.right
def by_sorting(weight, bits):
    largest = weight.abs().sort(dim=-1).values[:, -1:]
    return largest.div(2**bits / 2 - 1) + (largest == 0)


@scales_per_row.right
def row_by_row(weight, bits):
    levels = 2 ** (bits - 1) - 1
    scales = [row.abs().max().item() / levels or 1.0 for row in weight]
    return torch.tensor(scales, dtype=weight.dtype, device=weight.device).reshape(-1, 1)


def rows(weight):
    return weight.abs().amax(dim=1, keepdim=True)


def scaled(largest=rows, levels=lambda bits: 2 ** (bits - 1) - 1):
    """Wrong scales: `largest(weight)` divided by `levels(bits)`."""
    return lambda weight, bits: largest(weight) / levels(bits)


def back(change):
    """A wrong answer made of the right scales."""
    return lambda weight, bits: change(scales_per_row(weight, bits), weight, bits)


scales_per_row.mistake(
    "Your scales run along the inputs, (1, in). A product adds up over the inputs, and a factor can be taken out of "
    "that sum only when it is the same for the whole row. amax(dim=1, keepdim=True).",
    one_a_column=scaled(lambda weight: weight.abs().amax(dim=0, keepdim=True)),
)
scales_per_row.mistake(
    "Your scales run down the columns, one for each input. Each output, a row, has its own: amax(dim=1, keepdim=True).",
    columns_as_a_row=scaled(lambda weight: weight.abs().amax(dim=0)),
)
scales_per_row.mistake(
    "Your scales are those of the columns, in a column: (in, 1). Each output, a row, has its own: amax(dim=1, "
    "keepdim=True).",
    columns_as_a_column=scaled(lambda weight: weight.abs().amax(dim=0)[:, None]),
)
scales_per_row.mistake(
    "Your scales have the shape (out,). weight / scale then divides the columns, or fails where the weight is not "
    "square: on a square one nobody notices. keepdim=True gives (out, 1).",
    dimension_lost=scaled(lambda weight: weight.abs().amax(dim=1)),
)
scales_per_row.mistake(
    "Your scales have the shape (1, out). weight / scale then divides the columns. keepdim=True gives (out, 1).",
    lying=scaled(lambda weight: weight.abs().amax(dim=1)[None]),
)
scales_per_row.mistake(
    "Your scales are as large as the weight: one for each number. One for each row was asked, (out, 1): leave out the "
    "expand.",
    expanded=scaled(lambda weight: rows(weight).expand(weight.shape)),
)
scales_per_row.mistake(
    "All rows have the scale of the largest weight in the whole tensor. A row of small weights then uses few of the "
    "integers, and that is what scales by row are for: amax(dim=1, keepdim=True).",
    one_for_all_expanded=scaled(lambda weight: weight.abs().max().expand(len(weight), 1)),
)
scales_per_row.mistake(
    "You give one scale for the whole tensor. A single large weight then makes all rows coarse. Each row has its own: "
    "amax(dim=1, keepdim=True).",
    one_for_all=scaled(lambda weight: weight.abs().max()),
)
scales_per_row.mistake(
    "All rows have the scale of the first one. Each has its own: amax(dim=1, keepdim=True).",
    first_row_for_all=scaled(lambda weight: rows(weight)[:1].expand(len(weight), 1)),
)
scales_per_row.mistake(
    "You divide by 127 for any number of bits. 4 bits end at 7: it is 2 ** (bits - 1) - 1.",
    always_127=scaled(levels=lambda bits: 127),
)
scales_per_row.mistake(
    "You divide by 2 ** bits - 1. One bit is the sign: 8 bits end at 127 and not at 255. It is 2 ** (bits - 1) - 1.",
    sign_forgotten=scaled(levels=lambda bits: 2**bits - 1),
)
scales_per_row.mistake(
    "You divide by 2 ** bits. One bit is the sign, and 0 takes a place as well: it is 2 ** (bits - 1) - 1.",
    all_patterns=scaled(levels=lambda bits: 2**bits),
)
scales_per_row.mistake(
    "You divide by 2 ** (bits - 1). The largest integer is one less: 128 does not fit into int8, nor 8 into 4 bits.",
    one_too_many=scaled(levels=lambda bits: 2 ** (bits - 1)),
)
scales_per_row.mistake(
    "You divide by 2 ** (bits - 1) + 1. The largest integer is one less than the power, not more.",
    two_too_many=scaled(levels=lambda bits: 2 ** (bits - 1) + 1),
)
scales_per_row.mistake(
    "You divide by 2 ** (bits - 1 - 1) or half of the levels: the minus 1 belongs outside of the power, 2 ** (bits - "
    "1) - 1.",
    minus_one_in_the_power=scaled(levels=lambda bits: 2 ** (bits - 2)),
)
scales_per_row.mistake(
    "You divide by 2 ** (bits - 2) - 1. One bit is the sign, not two: 2 ** (bits - 1) - 1.",
    two_bits_for_the_sign=lambda weight, bits: rows(weight) / torch.tensor(2.0 ** (bits - 2) - 1),
)
scales_per_row.mistake(
    "You divide by bits - 1. With every bit there are twice as many integers: 2 ** (bits - 1) - 1.",
    no_power=scaled(levels=lambda bits: bits - 1),
)
scales_per_row.mistake(
    "You divide by the number of bits. The largest integer is 2 ** (bits - 1) - 1.",
    by_bits=scaled(levels=lambda bits: bits),
)
scales_per_row.mistake(
    "In Python ^ is no power, but a bit operation (exclusive or). Write 2 ** (bits - 1) - 1.",
    caret=scaled(levels=lambda bits: (2 ^ (bits - 1)) - 1 or math.inf),
)
scales_per_row.mistake(
    "You square bits - 1. The largest integer is a power of 2: 2 ** (bits - 1) - 1.",
    squared_bits=scaled(levels=lambda bits: (bits - 1) ** 2),
)
scales_per_row.mistake(
    "You do not divide: these are the largest absolute values. One step is that by 2 ** (bits - 1) - 1.",
    not_divided=scaled(levels=lambda bits: 1),
)
scales_per_row.mistake(
    "You take the largest weight of a row and not the largest absolute value. A row of negative weights gets a scale "
    "that is too small, or negative. weight.abs() first.",
    signed=scaled(lambda weight: weight.amax(dim=1, keepdim=True)),
)
scales_per_row.mistake(
    "You take the absolute value of the largest weight of a row. A stronger negative weight then does not fit. abs() "
    "first, amax second.",
    abs_of_max=scaled(lambda weight: weight.amax(dim=1, keepdim=True).abs()),
)
scales_per_row.mistake(
    "You take the smallest absolute value of a row, and all others do not fit. Take the largest: amax.",
    smallest=scaled(lambda weight: weight.abs().amin(dim=1, keepdim=True)),
)
scales_per_row.mistake(
    "You take half the way from the smallest to the largest weight of a row. That fits a range with a zero point. Here "
    "the range is symmetric around 0: take the largest absolute value.",
    half_the_range=scaled(lambda weight: (weight.amax(dim=1, keepdim=True) - weight.amin(dim=1, keepdim=True)) / 2),
)
scales_per_row.mistake(
    "You take the way from the smallest to the largest weight of a row. Here the range is symmetric around 0: take the "
    "largest absolute value.",
    whole_range=scaled(lambda weight: weight.amax(dim=1, keepdim=True) - weight.amin(dim=1, keepdim=True)),
)
scales_per_row.mistake(
    "You spread the way from the smallest to the largest weight of a row over 2 ** bits - 1 steps, which needs a zero "
    "point. Here the range is symmetric around 0: the largest absolute value by 2 ** (bits - 1) - 1.",
    zero_point_needed=scaled(
        lambda weight: weight.amax(dim=1, keepdim=True) - weight.amin(dim=1, keepdim=True), lambda bits: 2**bits - 1
    ),
)
scales_per_row.mistake(
    "You take the mean of a row, and all weights above it do not fit. Absmax takes the largest absolute value.",
    mean_of_row=scaled(lambda weight: weight.abs().mean(dim=1, keepdim=True)),
)
scales_per_row.mistake(
    "You take the sum of a row. Absmax takes the largest absolute value.",
    sum_of_row=scaled(lambda weight: weight.abs().sum(dim=1, keepdim=True)),
)
scales_per_row.mistake(
    "You take the length (norm) of a row. Absmax takes the largest absolute value.",
    norm_of_row=scaled(lambda weight: weight.norm(dim=1, keepdim=True)),
)
scales_per_row.mistake(
    "You take the standard deviation of a row, and larger weights do not fit. Absmax takes the largest absolute value.",
    deviation_of_row=scaled(lambda weight: weight.std(dim=1, keepdim=True)),
)
scales_per_row.mistake(
    "You take the median of a row, and half of its weights do not fit. Absmax takes the largest absolute value.",
    median_of_row=scaled(lambda weight: weight.abs().median(dim=1, keepdim=True).values),
)
scales_per_row.mistake(NO_SCALE_FOR_ZEROS, zero_scale=scaled())
scales_per_row.mistake(
    ERROR_FOR_ZEROS,
    zero_division=lambda weight, bits: torch.tensor(
        [[1 / ((2 ** (bits - 1) - 1) / row.abs().max().item())] for row in weight], dtype=weight.dtype
    ),
)
scales_per_row.mistake(CONSTANT, at_least_a_constant=lambda weight, bits: scaled()(weight, bits).clamp(min=1e-4))
scales_per_row.mistake(ADDED, small_number_added=lambda weight, bits: scaled()(weight, bits) + 1e-6)
scales_per_row.mistake(
    "Your scales are upside down: integers * scale must give the weights back.",
    upside_down=back(lambda scales, weight, bits: 1 / scales),
)
scales_per_row.mistake(
    "Your scales are multiplied by the largest integer, where they should be divided by it.",
    multiplied=scaled(levels=lambda bits: 1 / (2 ** (bits - 1) - 1)),
)
scales_per_row.mistake(
    "You return the weights on their grid. The scales alone were asked.",
    weights_back=back(lambda scales, weight, bits: (weight / scales).round() * scales),
)
scales_per_row.mistake(
    "You return the integers. The scales alone were asked.",
    integers_back=back(lambda scales, weight, bits: (weight / scales).round()),
)
scales_per_row.mistake(
    "You return two things. The scales alone were asked.",
    two_things=back(lambda scales, weight, bits: ((weight / scales).round(), scales)),
)
scales_per_row.mistake(
    "You return a list. Make a tensor (out, 1) of it.",
    list_back=back(lambda scales, weight, bits: scales.flatten().tolist()),
)


@scales_per_row.mistake(ZEROS_SPOIL_THE_REST)
def ones_for_all(weight, bits):
    scales = weight.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.ones_like(scales) if (scales == 0).any() else scales


scales_per_row.hints(
    "The largest absolute value of each row becomes the largest integer. What is that with 8, 4 and 2 bits?",
    "2 ** (bits - 1) - 1; and weight.abs().amax(dim=1, keepdim=True) has the shape (out, 1).",
    "torch.where(largest > 0, ..., 1.0) takes care of rows of zeros.",
)
