"""The scale of each row for quantization to a few bits (lesson 08)."""

import math

import torch

from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The scales (out, 1) of absmax quantization row by row: weight (out, in) as in nn.Linear, so each output "
    "has its own. With 8 bits the integers go from -127 to 127, with 4 from -7 to 7, with 2 from -1 to 1. A row of "
    "zeros may have any positive scale, so that weight / scale is 0 there."
)
def scales_per_row(weight, bits):
    largest = weight.abs().amax(dim=1, keepdim=True)
    return torch.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1.0)


@scales_per_row.cases
def cases():
    return [
        (torch.tensor([[0.35, -0.7], [0.07, 0.01]]), 4),
        (torch.randn(3, 5), 6),
        (torch.randn(4, 4) * torch.tensor([[1.0], [10.0], [0.1], [1.0]]), 2),
        (-torch.rand(3, 2) - 0.1, 3),
    ]


NO_SCALE_FOR_ZEROS = (
    "Right, but a row of zeros has the scale 0, and weight / scale is NaN there. A dead neuron is such a row, and one "
    "NaN spreads to all that follows. Give it another scale, such as 1."
)


@scales_per_row.run
def with_a_row_of_zeros(answer, weight, bits):
    """The scales of an answer; where they are right, there must also be one for a row of zeros."""
    scales = answer(weight, bits)
    if not difference(scales, by_loop(weight, bits), 1e-5):
        with_zeros = answer(torch.cat([weight, torch.zeros_like(weight[:1])]), bits)
        if not 0 < with_zeros[-1] < math.inf:
            raise Mistake(NO_SCALE_FOR_ZEROS)
    return scales


@scales_per_row.judge
def by_loop(weight, bits):
    steps = sum(2**bit for bit in range(bits - 1))
    return torch.tensor([[max(map(abs, row)) / steps] for row in weight.tolist()])


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


def scaled(largest=lambda weight: weight.abs().amax(dim=1, keepdim=True), steps=lambda bits: 2 ** (bits - 1) - 1):
    """Wrong scales: `largest(weight)` divided by `steps(bits)`."""
    return lambda weight, bits: largest(weight) / steps(bits)


scales_per_row.mistake(
    "Your scales run along the inputs, (1, in). A product adds up over the inputs, and a factor can be taken "
    "out of that sum only when it is the same for the whole row. amax(dim=1, keepdim=True).",
    one_a_column=scaled(lambda weight: weight.abs().amax(dim=0, keepdim=True)),
)

scales_per_row.mistake(
    "Your scales run down the columns, one for each input. Each output, a row, has its own: amax(dim=1, keepdim=True).",
    columns_as_a_row=scaled(lambda weight: weight.abs().amax(dim=0)),
)

scales_per_row.mistake(
    "Your scales have the shape (out,). weight / scale then divides the columns, or fails where the weight is "
    "not square: on a square one nobody notices. keepdim=True gives (out, 1).",
    dimension_lost=scaled(lambda weight: weight.abs().amax(dim=1)),
)

scales_per_row.mistake(
    "All rows have the scale of the largest weight in the whole tensor. A row of small weights then uses few "
    "of the integers, and that is what scales by row are for: amax(dim=1, keepdim=True).",
    one_for_all_expanded=scaled(lambda weight: weight.abs().max().expand(len(weight), 1)),
)

scales_per_row.mistake(
    "You give one scale for the whole tensor. A single large weight then makes all rows coarse. Each row has "
    "its own: amax(dim=1, keepdim=True).",
    one_for_all=scaled(lambda weight: weight.abs().max()),
)

scales_per_row.mistake(
    "You divide by 127 for any number of bits. 4 bits end at 7: it is 2 ** (bits - 1) - 1.",
    always_127=scaled(steps=lambda bits: 127),
)

scales_per_row.mistake(
    "You divide by 2 ** bits - 1. One bit is the sign: 8 bits end at 127 and not at 255. It is 2 ** (bits - 1) - 1.",
    sign_forgotten=scaled(steps=lambda bits: 2**bits - 1),
)

scales_per_row.mistake(
    "You divide by 2 ** (bits - 1). The largest integer is one less: 128 does not fit into int8, nor 8 into 4 bits.",
    one_too_many=scaled(steps=lambda bits: 2 ** (bits - 1)),
)

scales_per_row.mistake(
    "You take the largest weight of a row and not the largest absolute value. A row of negative weights gets a "
    "scale that is too small, or negative. weight.abs() first.",
    signed=scaled(lambda weight: weight.amax(dim=1, keepdim=True)),
)

scales_per_row.mistake(
    "You take half the way from the smallest to the largest weight of a row. That fits a range with a zero "
    "point. Here the range is symmetric around 0: take the largest absolute value.",
    half_the_range=scaled(lambda weight: (weight.amax(dim=1, keepdim=True) - weight.amin(dim=1, keepdim=True)) / 2),
)

scales_per_row.mistake(
    "You take the mean of a row, and all weights above it do not fit. Absmax takes the largest absolute value.",
    mean_of_row=scaled(lambda weight: weight.abs().mean(dim=1, keepdim=True)),
)

scales_per_row.mistake(NO_SCALE_FOR_ZEROS, zero_scale=scaled())

scales_per_row.mistake(
    "Your scales are upside down: integers * scale must give the weights back.",
    upside_down=lambda weight, bits: 1 / scales_per_row(weight, bits),
)

scales_per_row.hints(
    "The largest absolute value of each row becomes the largest integer. What is that with 8, 4 and 2 bits?",
    "2 ** (bits - 1) - 1; and weight.abs().amax(dim=1, keepdim=True) has the shape (out, 1).",
    "torch.where(largest > 0, ..., 1.0) takes care of rows of zeros.",
)
