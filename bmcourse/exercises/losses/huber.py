"""The exercise `huber`: Huber's loss (Robust Estimation of a Location Parameter, 1964)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="The mean Huber loss of two tensors of the same shape. Up to an error of `delta` it is half the squared "
    "error; beyond, a straight line with the slope `delta` that goes on where the curve ends.",
    built=("huber_loss", "HuberLoss"),
    untried={"targets": {"a gradient is wanted": "targets are data: no weights have made them"}},
)
def huber(predictions, targets, delta):
    error = (predictions - targets).abs()
    return torch.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).mean()


@huber.cases
def cases():
    predictions, targets = uncommon(torch.tensor([[4.0, -1.0, -1.0], [1.7, 0.0, 2.0]]).T, torch.zeros(3, 2))
    return [
        (torch.tensor([0.5, 3.0, -3.0]), torch.zeros(3), 1.0),
        (torch.tensor([0.5, 3.0, -3.0]), torch.zeros(3), 2.0),
        ((3 * torch.randn(4, 3)).requires_grad_(), torch.randn(4, 3), 1.5),
        (torch.randn(6, requires_grad=True), torch.randn(6), 0.5),
        ((0.1 * torch.randn(6)).requires_grad_(), torch.zeros(6), 4.0),
        (predictions, targets.detach(), 2),
        (torch.tensor([[-1.0, 0.9, 700.0]], requires_grad=True), torch.zeros(1, 3), 0.7),
    ]


@huber.judge
def expected(predictions, targets, delta):
    return F.huber_loss(predictions, targets, delta=delta)


@huber.right
def by_a_core(predictions, targets, delta):
    error = (predictions - targets).abs()
    core = error.clamp(max=delta)
    return (core * (error - core / 2)).mean()


@huber.right
def by_masks(predictions, targets, delta):
    error = predictions - targets
    near = (error.abs() < delta).to(error.dtype)
    return (near * 0.5 * error**2 + (1 - near) * (delta * error.abs() - 0.5 * delta**2)).mean()


@huber.right
def by_smooth_l1(predictions, targets, delta):
    return delta * F.smooth_l1_loss(predictions, targets, beta=delta)


@huber.right
def by_the_rest(predictions, targets, delta):
    error = predictions - targets
    inside = error.clamp(-delta, delta)
    return (inside.square() / 2 + delta * torch.relu(error.abs() - delta)).sum() / error.numel()


@huber.right
def by_a_loop(predictions, targets, delta):
    total = 0.0
    for error in (targets - predictions).flatten():
        size = abs(error)
        total = total + (0.5 * size * size if size < delta else delta * size - delta * delta / 2)
    return total / predictions.numel()


def branches(near, far, size=torch.abs, border=lambda d: d):
    """A wrong Huber loss: `near(e, d)` where `size` of the error is at most the `border`, and `far(e, d)` beyond."""

    def answer(predictions, targets, delta):
        error = predictions - targets
        absolute = error.abs()
        return torch.where(size(error) <= border(delta), near(absolute, delta), far(absolute, delta)).mean()

    return answer


def curve(e, d):
    return e**2 / 2


def line(e, d):
    return d * (e - d / 2)


@huber.mistake(
    "`if` needs one True or False, but the comparison gives one for each element. torch.where(condition, a, b) chooses "
    "element by element."
)
def if_of_a_tensor(predictions, targets, delta):
    error = (predictions - targets).abs()
    if error <= delta:
        return (error**2 / 2).mean()
    return (delta * (error - delta / 2)).mean()


def one_branch_for_all(decides):
    def answer(predictions, targets, delta):
        error = (predictions - targets).abs()
        return (curve(error, delta) if decides(error) <= delta else line(error, delta)).mean()

    return answer


huber.mistake(
    "You choose one branch for the whole batch, by the mean error. Each element must choose by its own: torch.where.",
    branch_by_the_mean=one_branch_for_all(torch.mean),
)
huber.mistake(
    "You choose one branch for the whole batch: the curve only if all errors are small. Each element must choose by "
    "its own: torch.where.",
    branch_by_all=one_branch_for_all(torch.max),
)
huber.mistake(
    "You choose one branch for the whole batch: the curve as soon as one error is small. Each element must choose by "
    "its own: torch.where.",
    branch_by_any=one_branch_for_all(torch.min),
)


@huber.mistake(
    "You take one mean over the near elements and another over the far ones, and add them. The mean runs over all: put "
    "both parts together first, with torch.where. (And the mean of no element is NaN.)"
)
def two_means(predictions, targets, delta):
    error = (predictions - targets).abs()
    near, far = error[error <= delta], error[error > delta]
    return (near**2 / 2).mean() + (delta * (far - delta / 2)).mean()


huber.mistake(
    "The two branches are exchanged: your loss is straight near zero and squares the outliers.",
    branches_exchanged=branches(line, curve),
)
huber.mistake(
    "Near zero the 1/2 is missing. Your loss jumps at delta, from delta² down to delta² / 2.",
    no_half_near=branches(lambda e, d: e**2, line),
)
huber.mistake(
    "Both branches lack a half: it is e² / 2 near zero, and delta * e - delta² / 2 beyond. Yours meet, but at delta² "
    "and with a kink.",
    no_halves=branches(lambda e, d: e**2, lambda e, d: d * e),
)
huber.mistake(
    "Twice too large: both branches miss the factor 1/2.",
    twice=branches(lambda e, d: e**2, lambda e, d: 2 * d * e - d**2),
)
huber.mistake(
    "Your loss is halved once too often: near zero it is e² / 2.", halved=huber.changed(".mean()", ".mean() / 2")
)
huber.mistake(
    "Near zero you halve the error before you square it: that is e² / 4. It is e² / 2.",
    halved_before_squared=branches(lambda e, d: (e / 2) ** 2, line),
)
huber.mistake("Near zero the square is missing: it is e² / 2 there.", no_square_near=branches(lambda e, d: e / 2, line))
huber.mistake(
    "Near zero you take the absolute error as it is. It is e² / 2 there.", absolute_near=branches(lambda e, d: e, line)
)
huber.mistake(
    "Near zero you multiply the square by delta. It is e² / 2, whatever delta is.",
    delta_times_curve=branches(lambda e, d: d * e**2 / 2, line),
)
huber.mistake(
    "The slope of your line is 1. That fits delta = 1 only: the slope must be delta.",
    slope_one=branches(curve, lambda e, d: e - d / 2),
)
huber.mistake(
    "Beyond delta you have error - 0.5, which fits delta = 1 only. The line is delta * (error - delta / 2).",
    line_of_delta_one=branches(curve, lambda e, d: e - 0.5),
)
huber.mistake(
    "Beyond delta you have delta * error - 0.5, which fits delta = 1 only. Subtract delta² / 2.",
    half_subtracted=branches(curve, lambda e, d: d * e - 0.5),
)
huber.mistake(
    "The line starts too high: at delta it is delta², but the curve ends at delta² / 2. Subtract delta² / 2.",
    nothing_subtracted=branches(curve, lambda e, d: d * e),
)
huber.mistake(
    "You subtract delta / 2 from the line (or 0.5 from the error). It must be delta² / 2, or the line does not meet "
    "the curve.",
    delta_not_squared=branches(curve, lambda e, d: d * e - d / 2),
)
huber.mistake(
    "You subtract delta² from the line, which starts at 0 then. The curve ends at delta² / 2: subtract the half of it.",
    line_from_zero=branches(curve, lambda e, d: d * (e - d)),
)
huber.mistake(
    "You add delta² / 2 to the line in place of subtracting it. At delta the line must be delta² / 2.",
    added_not_subtracted=branches(curve, lambda e, d: d * (e + d / 2)),
)
huber.mistake(
    "Your line begins where the curve ends, but with the slope 1. It must go on with the slope delta: delta * (error - "
    "delta / 2).",
    slope_one_that_meets=branches(curve, lambda e, d: e - d + d**2 / 2),
)
huber.mistake(
    "The line has half of the slope: delta * error / 2. It is delta * (error - delta / 2).",
    half_the_slope=branches(curve, lambda e, d: d * e / 2),
)
huber.mistake(
    "You halve the whole line: delta * (error - delta) / 2 or so. It is delta * (error - delta / 2).",
    half_in_the_wrong_place=branches(curve, lambda e, d: d * (e - d) / 2),
)
huber.mistake(
    "The slope of your line is delta². It must be delta.", slope_squared=branches(curve, lambda e, d: d**2 * (e - 0.5))
)
huber.mistake(
    "Beyond delta you use the absolute error as it is. Scale the line by delta, and let it begin where the curve ends, "
    "at delta² / 2.",
    absolute_far=branches(curve, lambda e, d: e),
)
huber.mistake(
    "Beyond delta your loss stays constant, so its gradient is 0 there: far points pull no more at all. It must go on "
    "as a straight line.",
    constant_far=branches(curve, lambda e, d: torch.full_like(e, d**2 / 2)),
)
huber.mistake(
    "Far errors count nothing with you. Beyond delta the loss goes on as a straight line.",
    nothing_far=branches(curve, lambda e, d: torch.zeros_like(e)),
)
huber.mistake(
    "Near errors count nothing with you. Up to delta the loss is half the squared error.",
    nothing_near=branches(lambda e, d: torch.zeros_like(e), line),
)
huber.mistake(
    "You compare the error with delta and forget its sign: an error of -10 counts as small. Compare its absolute "
    "value.",
    sign_forgotten=branches(curve, line, size=lambda error: error),
)
huber.mistake(
    "You compare the squared error with delta. Compare the absolute error.",
    square_compared=branches(curve, line, size=torch.square),
)
huber.mistake(
    "You compare the half squared error with delta. Compare the absolute error.",
    half_square_compared=branches(curve, line, size=lambda error: error**2 / 2),
)
huber.mistake(
    "You compare the error with delta / 2. The border is delta.",
    border_halved=branches(curve, line, border=lambda d: d / 2),
)
huber.mistake(
    "You compare the error with 1. The border is delta.", border_of_one=branches(curve, line, border=lambda d: 1.0)
)
huber.mistake(
    "Your line takes the error with its sign, so far below the target the loss is negative. Take its absolute value.",
    line_with_sign=lambda p, t, delta: torch.where(
        (p - t).abs() <= delta, (p - t) ** 2 / 2, delta * (p - t - delta / 2)
    ).mean(),
)
huber.mistake(
    "You took the line everywhere. Up to an error of delta it is half the squared error: torch.where chooses.",
    line_everywhere=lambda p, t, delta: line((p - t).abs(), delta).mean(),
)
huber.mistake(
    "You took half the squared error everywhere. Beyond delta it goes on as a straight line: torch.where chooses.",
    curve_everywhere=lambda p, t, delta: ((p - t) ** 2 / 2).mean(),
)
huber.mistake("That is the mean squared error: delta is not used.", squared_error=lambda p, t, delta: F.mse_loss(p, t))
huber.mistake("That is the mean absolute error: delta is not used.", absolute_error=lambda p, t, delta: F.l1_loss(p, t))
huber.mistake(
    "You take the smaller of the two branches. The line touches the curve from below, so that is the line everywhere. "
    "Choose by the size of the error.",
    smaller_of_the_two=lambda p, t, delta: torch.minimum((p - t) ** 2 / 2, delta * (p - t).abs()).mean(),
)
huber.mistake(
    "You add both branches. Each element takes one of them: torch.where chooses.",
    both_added=lambda p, t, delta: (curve((p - t).abs(), delta) + line((p - t).abs(), delta)).mean(),
)
huber.mistake("You took the sum, not the mean over all elements.", sum_not_mean=huber.changed(".mean()", ".sum()"))
huber.mistake(
    "You divide the sum by the number of rows. The mean runs over all elements.",
    mean_over_rows=huber.changed(".mean()", ".sum() / len(error)"),
)
huber.mistake(
    "Right for each element, but the loss is one number: take the mean.", no_mean=huber.changed(".mean()", "")
)
huber.mistake(
    "Your mean runs along the last dimension only. The loss is one number over all elements: leave `dim` out.",
    mean_of_rows=huber.changed(".mean()", ".mean(-1)"),
)
huber.mistake(
    "Your mean runs down the columns only. The loss is one number over all elements: leave `dim` out.",
    mean_of_columns=huber.changed(".mean()", ".mean(0)"),
)
huber.mistake("Your delta is always 1. Use the argument `delta`.", delta_of_one=lambda p, t, delta: F.huber_loss(p, t))
huber.mistake(
    "That is the smooth L1 loss, which is Huber's loss divided by delta. Its line has the slope 1.",
    smooth_l1=lambda p, t, delta: F.smooth_l1_loss(p, t, beta=delta),
)
huber.mistake(
    "That is the pseudo-Huber loss, a smooth relative. Huber's loss has two branches.",
    pseudo_huber=lambda p, t, delta: (delta**2 * ((1 + ((p - t) / delta) ** 2).sqrt() - 1)).mean(),
)
huber.mistake("The sign is wrong: the loss is never negative.", minus=huber.changed("return ", "return -"))
huber.mistake(
    "The number is right, but a plain number has no gradient, and nothing can learn from it. Return the tensor: no "
    ".item(), no float().",
    plain_number=huber.changed(".mean()", ".mean().item()"),
)
huber.mistake(
    "The number is right, but its gradient is cut off, and nothing can learn from it. Leave out .detach() and "
    "no_grad().",
    detached=huber.changed(".mean()", ".mean().detach()"),
)


huber.hints(
    "Draw it: a parabola in the middle, and from ±delta on the straight lines that touch it.",
    "Take the absolute error first. torch.where(condition, a, b) chooses for each element.",
    "The line has the slope delta and is delta² / 2 at error = delta. What must be subtracted from delta * error?",
)
