"""Quantization of numbers that do not lie around 0: with a zero point."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Quantization with a zero point: x, any shape, becomes whole numbers from 0 to L = 2 ** bits - 1. With low "
    "= min(x) and high = max(x): scale = (high - low) / L, and levels = round((x - low) / scale), of the type "
    "torch.int64. Returns (levels, scale, low), so that levels * scale + low is near x. Where all of x is equal, the "
    "scale is 1.",
    untried={"x": {"a gradient is wanted": "whole numbers have none"}},
)
def quantize_with_zero_point(x, bits):
    low, high = x.min(), x.max()
    scale = (high - low) / (2**bits - 1)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return ((x - low) / scale).round().long(), scale, low


@quantize_with_zero_point.cases
def cases():
    return [
        (torch.tensor([0.0, 0.5, 1.0, 3.0]), 2),
        (torch.tensor([[2.0, 3.5], [5.0, 2.0]]), 4),
        (torch.rand(40) * 6, 8),
        (-torch.rand(5, 6, dtype=torch.float64) - 1, 4),
        (torch.randn(12, 3).T, 3),
        (torch.full((4,), 2.5), 8),
        (torch.tensor([-1.0, 0.0, 1.0]), 2),
        (torch.zeros(1, 3), 4),
        (torch.tensor([7.0]), 1),
    ]


@quantize_with_zero_point.judge
def number_by_number(x, bits):
    """Each number alone."""
    low, high = min(x.flatten().tolist()), max(x.flatten().tolist())
    scale = (high - low) / (2**bits - 1) if high > low else 1.0
    one = torch.ones((), dtype=x.dtype)
    levels = [round((value - low) / scale) for value in x.flatten().tolist()]
    return torch.tensor(levels).view(x.shape), scale * one, low * one


@quantize_with_zero_point.right
def in_place_of_torch_where(x, bits):
    low = x.amin()
    scale = (x.amax() - low) / (2**bits - 1)
    if scale == 0:
        scale = scale + 1
    return torch.round((x - low) / scale).to(torch.int64), scale, low


@quantize_with_zero_point.right
def by_a_masked_fill(x, bits):
    low, high = torch.aminmax(x)
    scale = ((high - low) / (2**bits - 1)).masked_fill(high == low, 1.0)
    return (x.sub(low).div(scale).round()).long(), scale, low


@quantize_with_zero_point.right
def with_a_clamp(x, bits):
    levels = 2**bits - 1
    low, high = x.flatten().min(), x.flatten().max()
    scale = (high - low) / levels if high > low else torch.ones_like(low)
    return ((x - low) / scale).round().clamp(0, levels).long(), scale, low


wrong = quantize_with_zero_point.changed
quantize_with_zero_point.mistake(
    "There are 2 ** bits levels, and 2 ** bits - 1 steps between them. Divide high - low by 2 ** bits - 1.",
    a_step_too_many=wrong("(2**bits - 1)", "2**bits"),
)
quantize_with_zero_point.mistake(
    "You use the largest level of numbers around 0, 2 ** (bits - 1) - 1. Here the levels go from 0 to 2 ** bits - 1.",
    levels_around_zero=wrong("(2**bits - 1)", "max(1, 2 ** (bits - 1) - 1)"),
)
quantize_with_zero_point.mistake(
    "You forget to subtract low before you divide. The smallest number must become level 0.",
    low_not_subtracted=wrong("(x - low)", "x"),
)
quantize_with_zero_point.mistake(
    "You add low. Subtract it: the smallest number must become level 0.", low_added=wrong("(x - low)", "(x + low)")
)
quantize_with_zero_point.mistake(
    "Your scale is high / L. Only the range from low to high has to be covered: (high - low) / L.",
    range_from_zero=wrong("(high - low)", "high"),
)
quantize_with_zero_point.mistake(
    "You take the largest absolute value. That is absmax, which wastes the levels on one side of 0.",
    absmax=wrong("low, high = x.min(), x.max()", "low, high = -x.abs().max(), x.abs().max()"),
)
quantize_with_zero_point.mistake(
    "You cut the digits off. Round to the nearest level: .round() before .long().", cut_off=wrong(".round()", "")
)
quantize_with_zero_point.mistake("You round up. Round to the nearest level.", rounded_up=wrong(".round()", ".ceil()"))
quantize_with_zero_point.mistake(
    "You multiply by the scale. Divide by it: (x - low) / scale.",
    multiplied=wrong("(x - low) / scale", "(x - low) * scale"),
)
quantize_with_zero_point.mistake(
    "The levels are floats. Turn them into whole numbers with .long().", floats=wrong(".long()", "")
)
quantize_with_zero_point.mistake(
    "The levels have the type torch.int8, in which 255 has no place. Use .long().",
    int8=lambda x, bits: (quantize_with_zero_point(x, bits)[0].to(torch.int8), *quantize_with_zero_point(x, bits)[1:]),
)
quantize_with_zero_point.mistake(
    "Where all numbers are equal the scale is 0, and 0 / 0 is no number. Use a scale of 1 there.",
    divided_by_zero=lambda x, bits: (
        ((x - x.min()) / ((x.max() - x.min()) / (2**bits - 1))).round().nan_to_num(nan=-1.0).long(),
        (x.max() - x.min()) / (2**bits - 1),
        x.min(),
    ),
)
quantize_with_zero_point.mistake(
    "You return the rounded numbers themselves. Return the levels, the scale and low.",
    dequantized=wrong(".long(), scale", ".long() * scale + low, scale"),
)
quantize_with_zero_point.mistake(
    "You return scale and low in the wrong order: (levels, scale, low).",
    exchanged=lambda x, bits: tuple(quantize_with_zero_point(x, bits)[i] for i in (0, 2, 1)),
)
quantize_with_zero_point.mistake(
    "You return only the levels. Without scale and low nobody can turn them back.",
    levels_alone=lambda x, bits: quantize_with_zero_point(x, bits)[0],
)
quantize_with_zero_point.mistake(
    "Your low and high are those of each row. There is one scale for all of x.",
    row_by_row=lambda x, bits: (
        quantize_with_zero_point(x, bits)
        if x.ndim < 2
        else tuple(torch.stack(part) for part in zip(*(quantize_with_zero_point(row, bits) for row in x), strict=True))
    ),
)


quantize_with_zero_point.hints(
    "Write the numbers 2, 3.5 and 5 on a line, and under them levels from 0 to 15. Which number gets 0, which 15?",
    "Move x so that its smallest number is 0, divide by the scale, round.",
    "scale = (high - low) / (2 ** bits - 1), with 1 where that is 0; levels = ((x - low) / scale).round().long().",
)
