"""A tensor as 8-bit integers and the scale that gives the weights back (lesson 08)."""

import math

import torch

from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake
from bmcourse.exercises.pruning.masks import as_number


@exercise(
    prompt="Absmax quantization to 8 bits. Returns (integers, scale): integers of the type torch.int8, -127 to 127, "
    "and one positive number, so that integers * scale is as near to `weight` as can be and the weight of the largest "
    "absolute value becomes 127 or -127. For zeros any positive scale will do."
)
def quantize_int8(weight):
    largest = weight.abs().max()
    scale = torch.where(largest > 0, largest / 127, 1.0)
    return (weight / scale).round().to(torch.int8), scale


@quantize_int8.cases
def cases():
    return [
        (torch.tensor([0.5, -1.27, 0.016]),),
        (torch.randn(4, 5),),
        (-1 - torch.rand(3, 4),),
        (100 * torch.randn(2, 7),),
    ]


ZERO_SCALE = (
    "Right, but for a weight full of zeros your scale is 0. Then weight / scale is 0 / 0, NaN, and what int8 makes of "
    "it is chance. Use another scale there, such as 1."
)


def pair_of(pair, right):
    """An answer's type, scale and integers; these only where the scale is right: without it they mean nothing."""
    if not (isinstance(pair, (list, tuple)) and len(pair) == 2):
        raise Mistake(
            "Return two things: the integers and their scale. Whoever reads the integers needs the scale to get the "
            "weights back: integers * scale."
        )
    integers, scale = pair[0], as_number(pair[1])
    known = not difference(scale, right, 1e-5)
    shown = integers if known else "not looked at: the scale is wrong"
    return {"type": str(getattr(integers, "dtype", type(integers))), "scale": scale, "integers": shown}


@quantize_int8.run
def integers_and_scale(answer, weight):
    """What an answer makes of a weight; where that is right, it must also have a scale for zeros."""
    result = pair_of(answer(weight), weight.abs().max().item() / 127)
    if not difference(result, by_torch(weight), 1e-5):
        try:
            zeros, scale = answer(torch.zeros_like(weight))
        except ZeroDivisionError:
            raise Mistake(ZERO_SCALE) from None
        if zeros.any() or not 0 < scale < math.inf:
            raise Mistake(ZERO_SCALE)
    return result


@quantize_int8.judge
def by_torch(weight):
    """With torch's own rounding to a grid, fake_quantize, which gives back floats on it."""
    scale = max(map(abs, weight.flatten().tolist())) / 127
    grid = torch.fake_quantize_per_tensor_affine(weight, scale, 0, -127, 127)
    return {"type": "torch.int8", "scale": scale, "integers": (grid / scale).round().to(torch.int8)}


@quantize_int8.right
def by_loop(weight):
    numbers = weight.flatten().tolist()
    scale = max(abs(number) for number in numbers) / 127 or 1.0
    integers = torch.tensor([round(number / scale) for number in numbers], dtype=torch.int8)
    return integers.reshape(weight.shape), scale


@quantize_int8.right
def with_a_small_number(weight):
    scale = weight.abs().max().clamp(min=1e-12) / 127
    return torch.round(weight / scale).clamp(-127, 127).char(), scale


@quantize_int8.right
def with_if(weight):
    if not weight.any():
        return torch.zeros_like(weight, dtype=torch.int8), torch.tensor(1.0)
    scale = max(weight.max(), -weight.min()) / 127
    return torch.floor(weight / scale + 0.5).to(torch.int8), scale


@quantize_int8.mistake(
    "You spread the range from the smallest to the largest weight over -128 to 127. Then 0 is no longer 0, and "
    "whoever reads it needs the zero point as well. Here the range is symmetric around 0."
)
def from_smallest_to_largest(weight):
    scale = ((weight.max() - weight.min()) / 255).clamp(min=1e-12)
    return ((weight - weight.min()) / scale - 128).round().to(torch.int8), scale


def int8(
    scale=lambda weight: weight.abs().max() / 127,
    whole=torch.round,
    kind=torch.int8,
    back=lambda integers, scale: (integers, scale),
):
    """A wrong quantization: one with a changed part."""

    def answer(weight):
        step = scale(weight)
        return back(whole(weight / step).to(kind), step)

    return answer


quantize_int8.mistake(
    "You do not round: .to(torch.int8) cuts off, so 1.6 becomes 1 and every weight shrinks. The error is up to "
    "a whole step and not half of one. round() first.",
    cut_off=int8(whole=torch.trunc),
)

quantize_int8.mistake(
    "You round down, so all weights move to the left and the errors add up in a sum. Use round().",
    rounded_down=int8(whole=torch.floor),
)

quantize_int8.mistake(
    "You take the largest weight and not the largest absolute value. A stronger negative weight then does not "
    "fit: it is cut off, or comes back as a positive number. weight.abs().max().",
    no_abs=int8(lambda weight: weight.max() / 127),
)

quantize_int8.mistake(
    "You divide by 128. The largest weight becomes 128, and int8 ends at 127: it is cut off, or comes back as "
    "-128. Divide by 127.",
    by_128=int8(lambda weight: weight.abs().max() / 128),
)

quantize_int8.mistake(
    "You divide by 255. int8 has 256 values, but half of them are negative: the largest is 127, and all larger "
    "weights are cut off.",
    by_255=int8(lambda weight: weight.abs().max() / 255),
)

quantize_int8.mistake(
    "Your step is the whole range by 255, so the largest weight becomes 127.5, which no int8 holds. With a "
    "symmetric range of -127 to 127 it is the largest absolute value by 127.",
    range_by_255=int8(lambda weight: 2 * weight.abs().max() / 255),
)

quantize_int8.mistake(
    "Your scale comes from the standard deviation, so the largest weights are cut off or the range is not "
    "used. Absmax takes the largest absolute value.",
    three_deviations=int8(lambda weight: 3 * weight.std() / 127),
)

quantize_int8.mistake(
    "Your scale comes from the mean, and all weights above it are cut off. Absmax takes the largest absolute value.",
    mean_as_range=int8(lambda weight: weight.abs().mean() / 127),
)

quantize_int8.mistake(ZERO_SCALE, zero_scale=int8())

quantize_int8.mistake(
    "The values are whole but still floats, of four bytes each: nothing is saved. Add .to(torch.int8).",
    floats=int8(kind=torch.float32),
)

quantize_int8.mistake(
    "uint8 goes from 0 to 255 and has no negative numbers. The signed type is torch.int8.",
    uint8=int8(kind=torch.uint8),
)

quantize_int8.mistake(
    "Your integers have 32 bits, as many as the floats had: nothing is saved. Use .to(torch.int8).",
    int32=int8(kind=torch.int32),
)

quantize_int8.mistake(
    "Your integers have 64 bits, twice as many as the floats: the model gets bigger. Use .to(torch.int8).",
    int64=int8(kind=torch.int64),
)

quantize_int8.mistake(
    "Your scale is upside down: integers * scale must give the weights back. It is the largest absolute value by 127.",
    upside_down=int8(back=lambda integers, scale: (integers, 1 / scale)),
)

quantize_int8.mistake(
    "The two are exchanged: return integers, scale.", exchanged=int8(back=lambda integers, scale: (scale, integers))
)

quantize_int8.mistake(
    "Return two things: the integers and their scale. Whoever reads the integers needs the scale to get the "
    "weights back: integers * scale.",
    integers_only=int8(back=lambda integers, scale: integers),
)

quantize_int8.mistake(
    "You multiply by the scale again: those are the weights, rounded, as floats. The integers are what is stored.",
    weights_again=int8(back=lambda integers, scale: (integers * scale, scale)),
)

quantize_int8.hints(
    "The weight of the largest absolute value becomes 127. How wide is one step then? That is the scale.",
    "weight / scale lies between -127 and 127. Round it before .to(torch.int8), which cuts off.",
    "What is the scale of a weight full of zeros? Give it 1, so that nothing is divided by 0.",
)
