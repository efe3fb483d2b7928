"""A tensor as 8-bit integers and the scale that gives the weights back (lesson 11)."""

import math

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


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
        (torch.tensor([[0.5, -1.27], [0.016, 0.04]]),),
        (torch.randn(4, 5), True),
        (-1 - torch.rand(3, 4),),
        (100 * torch.randn(2, 7),),
        (torch.tensor([[[0.3, -0.25, 0.0, 0.3], [0.011, -0.0101, 0.004, 0.25]]]),),
        (2e-5 * torch.randn(3, 5),),
        (3 + torch.rand(4, 2).double().T,),
        uncommon(torch.tensor([[5.0, -2.0, 0.0, -2.0]])),
        (torch.tensor([-0.7]),),
        (torch.tensor([[3.0, 40.0], [9.0, 127.0]]),),  # the scale is 1
    ]


# Wrong scales are known by their size: name, formula, what to tell.
WRONG_SCALES = {
    "no_abs": (
        lambda weight: weight.max() / 127,
        "You take the largest weight and not the largest absolute value. A stronger negative weight then does not fit: "
        "it is cut off, or comes back as a positive number. weight.abs().max().",
    ),
    "abs_of_max": (
        lambda weight: weight.max().abs() / 127,
        "You take the absolute value of the largest weight. A stronger negative weight then does not fit. abs() first, "
        "max() second.",
    ),
    "abs_of_min": (
        lambda weight: weight.min().abs() / 127,
        "You take the absolute value of the smallest weight. A stronger positive weight then does not fit. "
        "weight.abs().max().",
    ),
    "sign_of_largest": (
        lambda weight: weight.flatten()[weight.abs().argmax()] / 127,
        "Your scale has the sign of the strongest weight, so it may be negative. A step has a positive width: "
        "weight.abs().max() / 127.",
    ),
    "smallest_size": (
        lambda weight: weight.abs().min() / 127,
        "You take the smallest absolute value, and all other weights are cut off. Take the largest.",
    ),
    "by_128": (
        lambda weight: weight.abs().max() / 128,
        "You divide by 128. The largest weight becomes 128, and int8 ends at 127: it is cut off, or comes back as "
        "-128. Divide by 127.",
    ),
    "by_255": (
        lambda weight: weight.abs().max() / 255,
        "You divide by 255. int8 has 256 values, but half of them are negative: the largest is 127, and all larger "
        "weights are cut off.",
    ),
    "by_256": (
        lambda weight: weight.abs().max() / 256,
        "You divide by 256. int8 has 256 values, but half of them are negative: the largest is 127, and all larger "
        "weights are cut off.",
    ),
    "by_126": (
        lambda weight: weight.abs().max() / 126,
        "You divide by 126. The largest integer is 127: use all of the range.",
    ),
    "by_7": (
        lambda weight: weight.abs().max() / 7,
        "You divide by 7, which is the end of 4 bits. 8 bits go to 127.",
    ),
    "not_divided": (
        lambda weight: weight.abs().max(),
        "Your scale is the largest absolute value itself. One step is a 127th of that: divide by 127.",
    ),
    "range_by_255": (
        lambda weight: 2 * weight.abs().max() / 255,
        "Your step is the whole range by 255, so the largest weight becomes 127.5, which no int8 holds. With a "
        "symmetric range of -127 to 127 it is the largest absolute value by 127.",
    ),
    "twice_too_wide": (
        lambda weight: 2 * weight.abs().max() / 127,
        "Your scale is twice as large as it should be, and half of the integers are never used. The range has 127 "
        "steps on each side of 0.",
    ),
    "from_smallest_to_largest": (
        lambda weight: (weight.max() - weight.min()) / 255,
        "You spread the range from the smallest to the largest weight over 256 values. That needs a zero point as "
        "well. Here the range is symmetric around 0: weight.abs().max() / 127.",
    ),
    "half_the_range": (
        lambda weight: (weight.max() - weight.min()) / 254,
        "You take max - min, as if the weights were spread evenly around 0. Where they are not, the strongest is cut "
        "off. weight.abs().max() / 127.",
    ),
    "range_by_127": (
        lambda weight: (weight.max() - weight.min()) / 127,
        "You divide max - min by 127. The range is symmetric around 0: weight.abs().max() / 127.",
    ),
    "range_by_256": (
        lambda weight: (weight.max() - weight.min()) / 256,
        "You divide max - min by 256. The range is symmetric around 0: weight.abs().max() / 127.",
    ),
    "mean_as_range": (
        lambda weight: weight.abs().mean() / 127,
        "Your scale comes from the mean, and all weights above it are cut off. Absmax takes the largest absolute "
        "value.",
    ),
    "median_as_range": (
        lambda weight: weight.abs().median() / 127,
        "Your scale comes from the median, and half of the weights are cut off. Absmax takes the largest absolute "
        "value.",
    ),
    "root_mean_square": (
        lambda weight: weight.square().mean().sqrt() / 127,
        "Your scale comes from the root of the mean square, and the largest weights are cut off. Absmax takes the "
        "largest absolute value.",
    ),
    "norm": (
        lambda weight: weight.norm() / 127,
        "Your scale comes from the norm of all weights together, which is larger than any of them: most integers are "
        "never used. weight.abs().max().",
    ),
    "sum_as_range": (
        lambda weight: weight.abs().sum() / 127,
        "Your scale comes from the sum of all sizes. Absmax takes the largest one: weight.abs().max().",
    ),
    "upside_down": (
        lambda weight: 127 / weight.abs().max(),
        "Your scale is upside down: integers * scale must give the weights back. It is the largest absolute value by "
        "127.",
    ),
    "one_by_largest": (
        lambda weight: 1 / weight.abs().max(),
        "Your scale is 1 by the largest absolute value. integers * scale must give the weights back: it is the largest "
        "absolute value by 127.",
    ),
}
THREE_DEVIATIONS = (
    "Your scale comes from the standard deviation, so the largest weights are cut off or the range is not used. Absmax "
    "takes the largest absolute value."
)
CONSTANT = (
    "Your scale is the same for small weights as a fixed number, so they lose their levels: a lower bound such as 1e-4 "
    "or a constant is too large. Only a weight of zeros needs another scale."
)
ADDED = (
    "You add a small number to the scale, and for small weights it is not small: the largest one does not become 127. "
    "Change the scale only where it is 0."
)


def scale_told(scale, weight):
    """What is known of a wrong scale; None where nothing is."""
    right = weight.abs().max().item() / 127
    if weight.numel() < 3 or math.isclose(scale, right, rel_tol=1e-5):
        return None
    for formula, message in WRONG_SCALES.values():
        if math.isclose(scale, formula(weight).item(), rel_tol=1e-4):
            return message
    for times in (1, 2, 2.5, 3, 4, 6):
        for biased in (True, False):
            for steps in (127, 128, 255):
                if math.isclose(scale, times * weight.std(unbiased=not biased).item() / steps, rel_tol=1e-4):
                    return THREE_DEVIATIONS
    tenths = [10.0**-power for power in range(13)]
    if any(math.isclose(scale, tenth, rel_tol=1e-4) for tenth in [*tenths, *(tenth / 127 for tenth in tenths)]):
        return CONSTANT
    if any(math.isclose(scale - right, part, rel_tol=1e-3) for tenth in tenths for part in (tenth, tenth / 127)):
        return ADDED
    return None


ZERO_SCALE = (
    "Right, but for a weight full of zeros your scale is 0. Then weight / scale is 0 / 0, NaN, and what int8 makes of "
    "it is chance. Use another scale there, such as 1."
)
ZERO_DIVISION = (
    "Right, but with a weight full of zeros you divide by 0, which raises an error. Use another scale there, such as 1."
)
TWO_THINGS = (
    "Return two things: the integers and their scale. Whoever reads the integers needs the scale to get the weights "
    "back: integers * scale."
)
EXCHANGED = "The two are exchanged: return integers, scale."
MANY_SCALES = (
    "Your scale holds several numbers. One for the whole weight was asked here: weight.abs().max(), without a dim."
)
NUMPY = "A layer's weight wants a gradient, and .numpy() refuses such a tensor. Call .detach() first."
WEIGHTS_AGAIN = (
    "You multiply by the scale again: those are the weights, rounded, as floats. The integers are what is stored."
)
UNROUNDED = (
    "You return weight / scale as it is, with all that stands behind the point. Round it, and make it torch.int8."
)
TYPES = {
    "torch.float32": "The values are whole, but floats, of four bytes each, so nothing is saved. Add .to(torch.int8).",
    "torch.uint8": "The type uint8 goes from 0 to 255 and has no negative numbers. The signed type is torch.int8.",
    "torch.int16": "Your integers have 16 bits. Half of that is enough: .to(torch.int8).",
    "torch.int32": "Your integers have 32 bits, as many as the floats had: nothing is saved. Use .to(torch.int8).",
    "torch.int64": (
        "Your integers have 64 bits, twice as many as the floats: the model gets bigger. Use .to(torch.int8)."
    ),
    "list": "Return a tensor of the type torch.int8, not a list: torch.tensor(numbers, dtype=torch.int8).",
    "int8": "Return a torch tensor, not a NumPy array: torch.from_numpy(...).",
}


@quantize_int8.run
def integers_and_scale(answer, weight, zeros_too=False):
    """What an answer makes of a weight; where that is right, it must, with `zeros_too`, have a scale for zeros."""
    try:
        result = described(answer(weight), weight.detach())
    except RuntimeError as error:
        raise Mistake(NUMPY) if "numpy() on Tensor that requires grad" in str(error) else error from None
    if zeros_too and not difference(result, by_lists(weight), 1e-5):
        try:
            zeros, scale = answer(torch.zeros_like(weight))
        except ZeroDivisionError:
            raise Mistake(ZERO_DIVISION) from None
        if zeros.any() or not 0 < scale < math.inf:
            raise Mistake(ZERO_SCALE)
    return result


def described(pair, weight):
    """An answer's scale, type and integers; these only where the others are right: without them they mean nothing."""
    if not (isinstance(pair, (list, tuple)) and len(pair) == 2):
        raise Mistake(TWO_THINGS)
    integers, scale = pair
    if torch.is_tensor(scale) and scale.numel() > 1:
        alone = not torch.is_tensor(integers) or integers.numel() == 1
        raise Mistake(EXCHANGED if alone else MANY_SCALES)
    scale = scale.item() if torch.is_tensor(scale) and scale.numel() else scale
    if not isinstance(scale, (int, float)):
        return {"scale": scale}
    if told := scale_told(scale, weight):
        raise Mistake(told)
    right = weight.abs().max().item() / 127
    kind = str(getattr(integers, "dtype", type(integers).__name__))
    known = math.isclose(scale, right, rel_tol=1e-5)
    if known and torch.is_tensor(integers) and integers.is_floating_point() and integers.shape == weight.shape:
        tell_floats(integers.detach(), weight, scale)
    if known and kind in TYPES:
        raise Mistake(TYPES[kind])
    shown = integers if known and kind == "torch.int8" else "not looked at: the scale or the type is wrong"
    return {"scale / right scale": scale / right, "type": kind, "integers": shown}


def tell_floats(integers, weight, scale):
    steps = weight / scale
    if scale == 1 or (integers - weight).abs().max() > 1.01 * scale:
        if torch.allclose(integers, steps.to(integers.dtype), rtol=1e-6) and (steps - steps.round()).any():
            raise Mistake(UNROUNDED)
        raise Mistake(TYPES["torch.float32"])
    raise Mistake(WEIGHTS_AGAIN)


@quantize_int8.judge
def by_lists(weight, zeros_too=False):
    numbers = weight.flatten().tolist()
    scale = max(map(abs, numbers)) / 127
    integers = torch.tensor([round(number / scale) for number in numbers], dtype=torch.int8)
    return {"scale / right scale": 1.0, "type": "torch.int8", "integers": integers.reshape(weight.shape)}


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


@quantize_int8.right
def by_fake_quantize(weight):
    """With torch's own rounding to a grid, which gives back floats on it."""
    weight = weight.detach().float()
    scale = weight.abs().max().item() / 127 or 1.0
    grid = torch.fake_quantize_per_tensor_affine(weight, scale, 0, -127, 127)
    return torch.round(grid / scale).to(torch.int8), scale


@quantize_int8.right
def by_norm(weight):
    largest = torch.linalg.vector_norm(weight.detach(), ord=math.inf)
    unit = torch.nan_to_num(weight.detach() / largest)
    return (unit * 127).round_().type(torch.int8), (largest / 127 + (largest == 0)).reshape(1)


def int8(scale, whole=torch.round, kind=torch.int8):
    """A wrong quantization: one with a changed part; int8 gets no numbers that it cannot hold."""

    def answer(weight):
        step = scale(weight)
        return whole(weight / step).clamp(-127, 127).to(kind), step

    return answer


def largest(weight):
    return torch.where(weight.any(), weight.abs().max() / 127, 1.0)


def back(change):
    """A wrong answer: a right one, of which `change(integers, scale, weight)` comes back."""
    return lambda weight: change(*quantize_int8(weight), weight)


for name, (formula, message) in WRONG_SCALES.items():
    quantize_int8.mistake(message, **{name: int8(formula)})

quantize_int8.mistake(THREE_DEVIATIONS, three_deviations=int8(lambda weight: 3 * weight.std(unbiased=False) / 127))
quantize_int8.mistake(CONSTANT, at_least_a_constant=int8(lambda weight: (weight.abs().max() / 127).clamp(min=1e-4)))
quantize_int8.mistake(ADDED, small_number_added=int8(lambda weight: weight.abs().max() / 127 + 1e-8))
quantize_int8.mistake(
    "You do not round: .to(torch.int8) cuts off, so 1.6 becomes 1 and every weight shrinks. The error is up to a whole "
    "step and not half of one. round() first.",
    cut_off=int8(largest, torch.trunc),
)
quantize_int8.mistake(
    "You round down, so all weights move to the left and the errors add up in a sum. Use round().",
    rounded_down=int8(largest, torch.floor),
)
quantize_int8.mistake(
    "You round up, so all weights move to the right and the errors add up in a sum. Use round().",
    rounded_up=int8(largest, torch.ceil),
)
quantize_int8.mistake(
    "You add 0.5 and cut off. For negative numbers that rounds the wrong way: -1.6 + 0.5 is -1.1, and becomes -1. Use "
    "round().",
    half_added=int8(largest, lambda steps: (steps + 0.5).trunc()),
)
quantize_int8.mistake(
    "You round weight / largest, before the multiplication by 127: only -127, 0 and 127 are left. Round last.",
    rounded_too_early=int8(largest, lambda steps: (steps / 127).round() * 127),
)
quantize_int8.mistake(
    "You round the weight itself before you divide it by the scale. Divide first, and round then.",
    weight_rounded=back(lambda integers, scale, weight: ((weight.round() / scale).to(torch.int8), scale)),
)
quantize_int8.mistake(
    "Your integers are the weight without its scale: small weights all become 0. Divide by the scale before you round.",
    not_divided_by_scale=back(lambda integers, scale, weight: (weight.round().clamp(-127, 127).to(torch.int8), scale)),
)
quantize_int8.mistake(
    "You multiply the weight by the scale. Divide by it: integers * scale gives the weights back.",
    times_scale=back(lambda integers, scale, weight: ((weight * scale).round().clamp(-127, 127).to(torch.int8), scale)),
)
quantize_int8.mistake(
    "Your integers have lost their signs. abs() is for the scale only.",
    signs_lost=int8(largest, lambda steps: steps.abs().round()),
)
quantize_int8.mistake(
    "Negative weights become 0: you clamp at 0. int8 goes down to -127.",
    clamped_at_0=int8(largest, lambda steps: steps.round().clamp(min=0)),
)
quantize_int8.mistake(
    "Your integers have the wrong sign.",
    negated=int8(largest, lambda steps: -steps.round()),
)
quantize_int8.mistake(
    "Your integers end at 126, so the largest weight does not become 127. clamp(-127, 127).",
    clamped_at_126=int8(largest, lambda steps: steps.round().clamp(-126, 126)),
)
quantize_int8.mistake(
    "A positive weight does not become 127: you clamp to -128 and 126. clamp(-127, 127).",
    clamped_one_lower=int8(largest, lambda steps: steps.round().clamp(-127, 126)),
)
quantize_int8.mistake(
    "Your integers lie in -7 to 7, which is the range of 4 bits. 8 bits go from -127 to 127.",
    clamped_at_7=int8(largest, lambda steps: steps.round().clamp(-7, 7)),
)
quantize_int8.mistake(
    "Your integers are shifted by a zero point: 0 is not 0. Absmax has none.",
    shifted=back(
        lambda integers, scale, weight: (((weight - weight.mean()) / scale).round().clamp(-127, 127).char(), scale)
    ),
)
quantize_int8.mistake(
    "Your integers are one long row. Keep the shape of the weight.",
    one_long_row=back(lambda integers, scale, weight: (integers.flatten(), scale)),
)
quantize_int8.mistake(ZERO_SCALE, zero_scale=int8(lambda weight: weight.abs().max() / 127))
quantize_int8.mistake(ZERO_DIVISION, zero_division=int8(lambda weight: 1 / (127 / weight.abs().max().item())))
quantize_int8.mistake(TYPES["torch.float32"], floats=int8(largest, kind=torch.float32))
quantize_int8.mistake(TYPES["torch.uint8"], uint8=int8(largest, kind=torch.uint8))
quantize_int8.mistake(TYPES["torch.int16"], int16=int8(largest, kind=torch.int16))
quantize_int8.mistake(TYPES["torch.int32"], int32=int8(largest, kind=torch.int32))
quantize_int8.mistake(TYPES["torch.int64"], int64=int8(largest, kind=torch.int64))
quantize_int8.mistake(TYPES["list"], list_back=back(lambda integers, scale, weight: (integers.tolist(), scale)))
quantize_int8.mistake(TYPES["int8"], numpy_array=back(lambda integers, scale, weight: (integers.numpy(), scale)))
quantize_int8.mistake(NUMPY, numpy_of_a_weight=lambda weight: quantize_int8(torch.from_numpy(weight.numpy())))
quantize_int8.mistake(UNROUNDED, unrounded=back(lambda integers, scale, weight: (weight / scale, scale)))
quantize_int8.mistake(EXCHANGED, exchanged=back(lambda integers, scale, weight: (scale, integers)))
quantize_int8.mistake(TWO_THINGS, integers_only=back(lambda integers, scale, weight: integers))
quantize_int8.mistake(WEIGHTS_AGAIN, weights_again=back(lambda integers, scale, weight: (integers * scale, scale)))
quantize_int8.mistake(
    MANY_SCALES,
    scale_of_each_row=lambda weight: (
        quantize_int8(weight)[0],
        weight.abs().amax(dim=-1, keepdim=True).expand(weight.shape) / 127,
    ),
)

quantize_int8.hints(
    "The weight of the largest absolute value becomes 127. How wide is one step then? That is the scale.",
    "weight / scale lies between -127 and 127. Round it before .to(torch.int8), which cuts off.",
    "What is the scale of a weight full of zeros? Give it 1, so that nothing is divided by 0.",
)
