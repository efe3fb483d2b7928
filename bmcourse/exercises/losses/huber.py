"""The exercise `huber` of lesson 04."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The mean Huber loss of two tensors of the same shape. Up to an error of `delta` it is half the squared "
    "error; beyond, a straight line with the slope `delta` that goes on where the curve ends."
)
def huber(predictions, targets, delta):
    error = (predictions - targets).abs()
    return torch.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).mean()


@huber.right
def huber_by_a_core(predictions, targets, delta):
    error = (predictions - targets).abs()
    core = error.clamp(max=delta)
    return (core * (error - core / 2)).mean()


@huber.right
def huber_by_masks(predictions, targets, delta):
    error = predictions - targets
    near = (error.abs() < delta).float()
    return (near * 0.5 * error**2 + (1 - near) * (delta * error.abs() - 0.5 * delta**2)).mean()


@huber.right
def huber_by_smooth_l1(predictions, targets, delta):
    return delta * F.smooth_l1_loss(predictions, targets, beta=delta)


def _branches(near, far, absolute=True):
    """A wrong Huber loss: `near(e, d)` up to delta and `far(e, d)` beyond it."""

    def answer(predictions, targets, delta):
        error = predictions - targets
        size = error.abs()
        return torch.where((size if absolute else error) <= delta, near(size, delta), far(size, delta)).mean()

    return answer


@huber.mistake(
    "`if` needs one True or False, but the comparison gives one for each element. torch.where(condition, a, b) "
    "chooses element by element."
)
def huber_with_if(predictions, targets, delta):
    error = (predictions - targets).abs()
    if error <= delta:
        return (error**2 / 2).mean()
    return (delta * (error - delta / 2)).mean()


@huber.mistake("You choose one branch for the whole batch. Each element must choose by its own error: torch.where.")
def huber_one_branch_for_all(predictions, targets, delta):
    error = (predictions - targets).abs()
    if error.mean() <= delta:
        return (error**2 / 2).mean()
    return (delta * (error - delta / 2)).mean()


def huber_in_two_means(predictions, targets, delta):
    error = (predictions - targets).abs()
    near, far = error[error <= delta], error[error > delta]
    return (near**2 / 2).mean() + (delta * (far - delta / 2)).mean()


@huber.cases
def cases():
    return [
        (torch.tensor([0.5, 3.0, -3.0]), torch.zeros(3), 1.0),
        (torch.tensor([0.5, 3.0, -3.0]), torch.zeros(3), 2.0),
        ((3 * torch.randn(4, 3)).requires_grad_(), torch.randn(4, 3), 1.5),
        (torch.randn(6, requires_grad=True), torch.randn(6), 0.5),
        ((0.1 * torch.randn(6)).requires_grad_(), torch.zeros(6), 4.0),
    ]


@huber.judge
def expected(predictions, targets, delta):
    return F.huber_loss(predictions, targets, delta=delta)


huber.mistake(
    "The two branches are exchanged: your loss is straight near zero and squares the outliers.",
    TODO_16=_branches(lambda e, d: d * (e - d / 2), lambda e, d: e**2 / 2),
)


huber.mistake(
    "Near zero the 1/2 is missing. Your loss jumps at delta, from delta² down to delta² / 2.",
    TODO_17=_branches(lambda e, d: e**2, lambda e, d: d * (e - d / 2)),
)


huber.mistake(
    "Both branches lack a half: it is e² / 2 near zero, and delta * e - delta² / 2 beyond. Yours meet, but at "
    "delta² and with a kink.",
    TODO_18=_branches(lambda e, d: e**2, lambda e, d: d * e),
)


huber.mistake(
    "Twice too large: both branches miss the factor 1/2.",
    TODO_19=_branches(lambda e, d: e**2, lambda e, d: 2 * d * e - d**2),
)


huber.mistake(
    "The slope of your line is 1. That fits delta = 1 only: the slope must be delta.",
    TODO_20=_branches(lambda e, d: e**2 / 2, lambda e, d: e - d / 2),
)


huber.mistake(
    "The line starts too high: at delta it is delta², but the curve ends at delta² / 2. Subtract delta² / 2.",
    TODO_21=_branches(lambda e, d: e**2 / 2, lambda e, d: d * e),
)


huber.mistake(
    "You subtract delta / 2 from the line. It must be delta² / 2, or the line does not meet the curve.",
    TODO_22=_branches(lambda e, d: e**2 / 2, lambda e, d: d * e - d / 2),
)


huber.mistake(
    "Beyond delta you use the absolute error as it is. Scale the line by delta, and let it begin where the "
    "curve ends, at delta² / 2.",
    TODO_23=_branches(lambda e, d: e**2 / 2, lambda e, d: e),
)


huber.mistake(
    "Your line starts at zero: delta * (error - delta). The curve ends at delta² / 2, so add that.",
    TODO_24=_branches(lambda e, d: e**2 / 2, lambda e, d: d * (e - d)),
)


huber.mistake(
    "You compare the error with delta and forget its sign: an error of -10 counts as small. Compare its "
    "absolute value.",
    TODO_25=_branches(lambda e, d: e**2 / 2, lambda e, d: d * (e - d / 2), absolute=False),
)


huber.mistake(
    "You took the sum, not the mean over all elements.",
    TODO_26=lambda p, t, delta: F.huber_loss(p, t, reduction="sum", delta=delta),
)


huber.mistake(
    "Right for each element, but the loss is one number: take the mean.",
    TODO_27=lambda p, t, delta: F.huber_loss(p, t, reduction="none", delta=delta),
)


huber.mistake("Your delta is always 1. Use the argument `delta`.", TODO_28=lambda p, t, delta: F.huber_loss(p, t))


huber.mistake(
    "That is the smooth L1 loss, which is Huber's loss divided by delta. Its line has the slope 1.",
    TODO_29=lambda p, t, delta: F.smooth_l1_loss(p, t, beta=delta),
)


huber.mistake(
    "That is the pseudo-Huber loss, a smooth relative. Huber's loss has two branches.",
    TODO_30=lambda p, t, delta: (delta**2 * ((1 + ((p - t) / delta) ** 2).sqrt() - 1)).mean(),
)


huber.mistake(
    "Beyond delta your loss stays constant, so its gradient is 0 there: far points pull no more at all. It "
    "must go on as a straight line.",
    TODO_31=lambda p, t, delta: ((p - t).abs().clamp(max=delta) ** 2 / 2).mean(),
)


huber.hints(
    "Draw it: a parabola in the middle, and from ±delta on the straight lines that touch it.",
    "Take the absolute error first. torch.where(condition, a, b) chooses for each element.",
    "The line has the slope delta and is delta² / 2 at error = delta. What must be subtracted from delta * error?",
)
