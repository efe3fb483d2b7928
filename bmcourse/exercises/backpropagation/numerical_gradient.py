"""The exercise `numerical_gradient`: nudge each number to both sides and look what the result does."""

import numpy as np
import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The gradient of `function` at `point` (n,), again (n,), by central differences: nudge one number up by h "
    "and down by h, and divide the change of the result by the distance 2 h. `function` takes a tensor (n,) and gives "
    "one number. `point` must stay as it is.",
    built=("backward", "grad", "vjp", "jacobian", "jacrev", "jvp"),
    untried={
        "point": {"a gradient is wanted": "the slopes are numbers: no graph leads through them"},
        "h": {"0": "no nudge at all, and a division by 0"},
    },
)
def numerical_gradient(function, point, h):
    slopes = torch.zeros_like(point)
    for i in range(len(point)):
        nudge = torch.zeros_like(point)
        nudge[i] = h
        slopes[i] = (function(point + nudge) - function(point - nudge)) / (2 * h)
    return slopes


def two_and_three(x):
    return 2 * x[0] + 3 * x[1]


def cubes(x):
    return (x**3).sum()


def product(x):
    return x.prod()


def as_a_float(x):
    return float(x[0] * x[0] + 5 * x[-1])


@numerical_gradient.cases
def cases():
    apart = torch.tensor([[1.0, 9.0], [-2.0, 9.0], [0.5, 9.0]], dtype=torch.float64)[:, 0]
    return [
        (two_and_three, torch.tensor([1.0, 5.0], dtype=torch.float64), 0.1),
        (cubes, torch.tensor([1.0, -2.0, 0.0, 1.0], dtype=torch.float64), 0.1),
        (product, apart, 0.01),
        (cubes, torch.tensor([2.0]), 0.5),
        (as_a_float, torch.tensor([3.0, 0.0, 3.0], dtype=torch.float64), 1.0),
        (cubes, torch.tensor([30.0, 40.0], dtype=torch.float64), 1e-4),
    ]


@numerical_gradient.judge
def coordinate_by_coordinate(function, point, h):
    slopes = []
    for i in range(len(point)):
        values = []
        for sign in (1, -1):
            moved = np.array(point.tolist())
            moved[i] += sign * h
            values.append(float(function(torch.tensor(moved))))
        slopes.append((values[0] - values[1]) / (2 * h))
    return torch.tensor(slopes, dtype=point.dtype)


@numerical_gradient.right
def by_copies(function, point, h):
    slopes = []
    for i in range(point.numel()):
        up, down = point.clone(), point.clone()
        up[i] += h
        down[i] -= h
        slopes.append(float(function(up) - function(down)) / h / 2)
    return torch.tensor(slopes, dtype=point.dtype)


@numerical_gradient.right
def by_rows_of_the_identity(function, point, h):
    steps = h * torch.eye(len(point), dtype=point.dtype)
    rises = [torch.as_tensor(function(point + step) - function(point - step), dtype=point.dtype) for step in steps]
    return torch.stack(rises) / (2 * h)


@numerical_gradient.right
def mean_of_both_sides(function, point, h):
    middle, steps = function(point), torch.eye(len(point), dtype=point.dtype) * h
    right = [(function(point + step) - middle) / h for step in steps]
    left = [(middle - function(point - step)) / h for step in steps]
    return torch.tensor([(float(r) + float(l)) / 2 for r, l in zip(right, left, strict=True)], dtype=point.dtype)


DIFFERENCE = "(function(point + nudge) - function(point - nudge)) / (2 * h)"

numerical_gradient.mistake(
    "You nudge to one side only. That is a forward difference: its error shrinks with h, the central one's with h². "
    "Nudge down as well, and divide by 2 h.",
    forward=numerical_gradient.changed(DIFFERENCE, "(function(point + nudge) - function(point)) / h"),
)
numerical_gradient.mistake(
    "You nudge downward only. That is a backward difference. Nudge up as well, and divide by 2 h.",
    backward_difference=numerical_gradient.changed(DIFFERENCE, "(function(point) - function(point - nudge)) / h"),
)
numerical_gradient.mistake(
    "The two points are 2 h apart, and you divide by h: every slope is twice too large.",
    divided_by_h=numerical_gradient.changed("/ (2 * h)", "/ h"),
)
numerical_gradient.mistake(
    "`/ 2 * h` divides by 2 and then multiplies by h. Brackets: / (2 * h).",
    brackets_missing=numerical_gradient.changed("/ (2 * h)", "/ 2 * h"),
)
numerical_gradient.mistake(
    "You did not divide: that is how much the result changed, not the slope. Divide by 2 h.",
    not_divided=numerical_gradient.changed(" / (2 * h)", ""),
)
numerical_gradient.mistake(
    "The difference is the wrong way round, so every slope has the wrong sign: up minus down.",
    down_minus_up=numerical_gradient.changed(DIFFERENCE, "(function(point - nudge) - function(point + nudge)) / (2*h)"),
)
numerical_gradient.mistake(
    "You divide by 2 h for the forward difference, whose two points are only h apart. Nudge down as well.",
    half_of_a_forward_difference=numerical_gradient.changed("point - nudge", "point"),
)
numerical_gradient.mistake(
    "You nudge all numbers at once. Then nobody knows which of them moved the result: nudge one at a time.",
    all_at_once=numerical_gradient.changed("nudge[i] = h", "nudge[:] = h"),
)
numerical_gradient.mistake(
    "The nudges pile up: the earlier numbers stay nudged while the next one moves. Make a fresh nudge for each.",
    piled_up=numerical_gradient.changed("nudge[i] = h", "nudge[: i + 1] = h"),
)
numerical_gradient.mistake(
    "The nudge is always 1, whatever h is. Write nudge[i] = h.",
    nudge_of_one=numerical_gradient.changed("nudge[i] = h", "nudge[i] = 1"),
)
numerical_gradient.mistake(
    "The nudge is multiplied by the number itself, so a large number moves further than h, and a zero not at all. The "
    "nudge is h, for each of them.",
    relative_nudge=numerical_gradient.changed("nudge[i] = h", "nudge[i] = h * point[i]"),
)
numerical_gradient.mistake(
    "`return` stands inside the loop: only the first slope is computed.",
    return_in_the_loop=lambda function, point, h: (
        numerical_gradient(function, point, h) * (torch.arange(len(point)) == 0)
    ),
)
numerical_gradient.mistake(
    "One number came: the sum of the slopes. Each number of the point has its own: return (n,).",
    summed=numerical_gradient.changed("return slopes", "return slopes.sum()"),
)
numerical_gradient.mistake(
    "A list came. Return a tensor of the shape of the point: torch.tensor(slopes).",
    a_list=numerical_gradient.changed("return slopes", "return slopes.tolist()"),
)
numerical_gradient.mistake(
    "Those are distances: abs() loses the sign, which says in which direction the result grows.",
    signs_lost=numerical_gradient.changed("return slopes", "return slopes.abs()"),
)


@numerical_gradient.mistake(
    "You move the point itself (+=, -=), and leave it moved. Work on a copy: point.clone(), or point + nudge."
)
def in_place(function, point, h):
    slopes = torch.zeros_like(point)
    for i in range(len(point)):
        point[i] += h
        up = function(point)
        point[i] -= 2 * h
        slopes[i] = (up - function(point)) / (2 * h)
    return slopes


numerical_gradient.mistake(
    "`point + h` nudges all numbers at once, and one number came. Nudge one at a time, in a loop over the places.",
    point_plus_h=lambda function, point, h: (function(point + h) - function(point - h)) / (2 * h),
)


@numerical_gradient.mistake(
    "`up = point` makes no copy: up, down and point are one tensor, and each nudge moves all three. Write "
    "point.clone()."
)
def no_copies(function, point, h):
    slopes = torch.zeros_like(point)
    for i in range(len(point)):
        up = point
        up[i] += h
        down = point
        down[i] -= h
        slopes[i] = (function(up) - function(down)) / (2 * h)
    return slopes


numerical_gradient.hints(
    "One number at a time: how much does the result change when only this one moves?",
    "A tensor of zeros with h at one place is a nudge: function(point + nudge), function(point - nudge).",
    "The two points are 2 h apart: divide by (2 * h), with the brackets.",
)
