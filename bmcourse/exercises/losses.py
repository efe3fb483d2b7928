"""Exercises of lesson 04: losses for numbers, classes and distributions, stable for any logits, and which to choose."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Mistake, Wrong

# ---------------------------------------------------------------- mse


def mse(predictions, targets):
    return ((predictions - targets) ** 2).mean()


def _mse_by_counting(predictions, targets):
    return torch.sum(torch.square(targets - predictions)) / predictions.numel()


def _mse_by_a_product(predictions, targets):
    error = (predictions - targets).flatten()
    return error @ error / len(error)


def _mse_by_a_loop(predictions, targets):
    pairs = zip(predictions.flatten(), targets.flatten(), strict=True)
    return sum((p - t) ** 2 for p, t in pairs) / targets.numel()


MSE = Exercise(
    reference=mse,
    prompt="The mean squared error of two tensors of the same shape, one number over all their elements. It keeps its "
    "gradient.",
    cases=lambda: [
        (torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 2.0, 2.0])),
        (torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)),
        (torch.randn(5, 1, requires_grad=True), torch.randn(5, 1)),
    ],
    judge=lambda predictions, targets: F.mse_loss(predictions, targets),
    right=[_mse_by_counting, _mse_by_a_product, _mse_by_a_loop],
    wrong=[
        Wrong(
            lambda p, t: ((p - t) ** 2).sum(),
            "You took the sum, not the mean: twice as many examples give twice the loss. Use .mean().",
        ),
        Wrong(
            lambda p, t: (p - t).abs().mean(),
            "You took the absolute error (MAE). Square the differences instead.",
        ),
        Wrong(
            lambda p, t: ((p - t) ** 2).mean().sqrt(),
            "You took the root at the end: that is the RMSE. The mean squared error has no root.",
        ),
        Wrong(
            lambda p, t: (p - t).mean() ** 2,
            "You squared the mean. First square, then take the mean: otherwise errors of +1 and -1 cancel.",
        ),
        Wrong(
            lambda p, t: (p - t).mean(),
            "The square is missing, so errors above and below cancel: a bad model can reach zero.",
        ),
        Wrong(
            lambda p, t: (p**2 - t**2).mean(),
            "You subtracted the squares. Square the difference: (predictions - targets) ** 2.",
        ),
        Wrong(
            lambda p, t: ((p - t) ** 2).mean() / 2,
            "You halved it. Some books do, for a tidier gradient; torch and this exercise do not.",
        ),
        Wrong(
            lambda p, t: (p - t) ** 2,
            "Right squares, one for each element, but a loss is one number: take their mean.",
        ),
        Wrong(
            lambda p, t: ((p - t) ** 2).mean(dim=-1),
            "Your mean runs along the last dimension only, so a table leaves one loss for each row. Leave `dim` out.",
        ),
        Wrong(
            lambda p, t: ((p - t) ** 2).mean(dim=0),
            "Your mean runs down the columns only, so a table leaves one loss for each column. Leave `dim` out.",
        ),
        Wrong(
            lambda p, t: ((p - t) ** 2).sum() / len(p),
            "len() counts the rows only. Divide by the number of all elements, numel(), or use .mean().",
        ),
        Wrong(
            lambda p, t: ((p.reshape(-1, 1) - t.reshape(1, -1)) ** 2).mean(),
            "Your shapes broadcast, (n, 1) against (1, n): every prediction meets every target. Compare each with its "
            "own.",
        ),
        Wrong(
            lambda p, t: (p - t).norm(),
            "The norm is the root of the sum of the squares. You need their mean, and no root.",
        ),
        Wrong(
            lambda p, t: ((p - t) ** 2).mean().item(),
            "The number is right, but a plain number has no gradient, and nothing can learn from it. Return the "
            "tensor: no .item(), no float().",
        ),
        Wrong(
            lambda p, t: ((p - t) ** 2).mean().detach(),
            "The number is right, but its gradient is cut off, and nothing can learn from it. Leave out .detach() and "
            "no_grad().",
        ),
    ],
    hints=[
        "Read the name backwards: first the error, then square it, then the mean.",
        "The error is predictions - targets; ** 2 squares each element.",
        ".mean() without arguments is over all elements.",
    ],
)

# ---------------------------------------------------------------- huber


def huber(predictions, targets, delta):
    error = (predictions - targets).abs()
    return torch.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).mean()


def _huber_by_a_core(predictions, targets, delta):
    error = (predictions - targets).abs()
    core = error.clamp(max=delta)
    return (core * (error - core / 2)).mean()


def _huber_by_masks(predictions, targets, delta):
    error = predictions - targets
    near = (error.abs() < delta).float()
    return (near * 0.5 * error**2 + (1 - near) * (delta * error.abs() - 0.5 * delta**2)).mean()


def _huber_by_smooth_l1(predictions, targets, delta):
    return delta * F.smooth_l1_loss(predictions, targets, beta=delta)


def _branches(near, far, absolute=True):
    """A wrong Huber loss: `near(e, d)` up to delta and `far(e, d)` beyond it."""

    def answer(predictions, targets, delta):
        error = predictions - targets
        size = error.abs()
        return torch.where((size if absolute else error) <= delta, near(size, delta), far(size, delta)).mean()

    return answer


def _huber_with_if(predictions, targets, delta):
    error = (predictions - targets).abs()
    if error <= delta:
        return (error**2 / 2).mean()
    return (delta * (error - delta / 2)).mean()


def _huber_one_branch_for_all(predictions, targets, delta):
    error = (predictions - targets).abs()
    if error.mean() <= delta:
        return (error**2 / 2).mean()
    return (delta * (error - delta / 2)).mean()


def _huber_in_two_means(predictions, targets, delta):
    error = (predictions - targets).abs()
    near, far = error[error <= delta], error[error > delta]
    return (near**2 / 2).mean() + (delta * (far - delta / 2)).mean()


HUBER = Exercise(
    reference=huber,
    prompt="The mean Huber loss of two tensors of the same shape. Up to an error of `delta` it is half the squared "
    "error; beyond, a straight line with the slope `delta` that goes on where the curve ends.",
    cases=lambda: [
        (torch.tensor([0.5, 3.0, -3.0]), torch.zeros(3), 1.0),
        (torch.tensor([0.5, 3.0, -3.0]), torch.zeros(3), 2.0),
        ((3 * torch.randn(4, 3)).requires_grad_(), torch.randn(4, 3), 1.5),
        (torch.randn(6, requires_grad=True), torch.randn(6), 0.5),
        ((0.1 * torch.randn(6)).requires_grad_(), torch.zeros(6), 4.0),
    ],
    judge=lambda predictions, targets, delta: F.huber_loss(predictions, targets, delta=delta),
    right=[_huber_by_a_core, _huber_by_masks, _huber_by_smooth_l1],
    wrong=[
        Wrong(
            _branches(lambda e, d: d * (e - d / 2), lambda e, d: e**2 / 2),
            "The two branches are exchanged: your loss is straight near zero and squares the outliers.",
        ),
        Wrong(
            _branches(lambda e, d: e**2, lambda e, d: d * (e - d / 2)),
            "Near zero the 1/2 is missing. Your loss jumps at delta, from delta² down to delta² / 2.",
        ),
        Wrong(
            _branches(lambda e, d: e**2, lambda e, d: d * e),
            "Both branches lack a half: it is e² / 2 near zero, and delta * e - delta² / 2 beyond. Yours meet, but at "
            "delta² and with a kink.",
        ),
        Wrong(
            _branches(lambda e, d: e**2, lambda e, d: 2 * d * e - d**2),
            "Twice too large: both branches miss the factor 1/2.",
        ),
        Wrong(
            _branches(lambda e, d: e**2 / 2, lambda e, d: e - d / 2),
            "The slope of your line is 1. That fits delta = 1 only: the slope must be delta.",
        ),
        Wrong(
            _branches(lambda e, d: e**2 / 2, lambda e, d: d * e),
            "The line starts too high: at delta it is delta², but the curve ends at delta² / 2. Subtract delta² / 2.",
        ),
        Wrong(
            _branches(lambda e, d: e**2 / 2, lambda e, d: d * e - d / 2),
            "You subtract delta / 2 from the line. It must be delta² / 2, or the line does not meet the curve.",
        ),
        Wrong(
            _branches(lambda e, d: e**2 / 2, lambda e, d: e),
            "Beyond delta you use the absolute error as it is. Scale the line by delta, and let it begin where the "
            "curve ends, at delta² / 2.",
        ),
        Wrong(
            _branches(lambda e, d: e**2 / 2, lambda e, d: d * (e - d)),
            "Your line starts at zero: delta * (error - delta). The curve ends at delta² / 2, so add that.",
        ),
        Wrong(
            _branches(lambda e, d: e**2 / 2, lambda e, d: d * (e - d / 2), absolute=False),
            "You compare the error with delta and forget its sign: an error of -10 counts as small. Compare its "
            "absolute value.",
        ),
        Wrong(
            lambda p, t, delta: F.huber_loss(p, t, reduction="sum", delta=delta),
            "You took the sum, not the mean over all elements.",
        ),
        Wrong(
            lambda p, t, delta: F.huber_loss(p, t, reduction="none", delta=delta),
            "Right for each element, but the loss is one number: take the mean.",
        ),
        Wrong(
            lambda p, t, delta: F.huber_loss(p, t),
            "Your delta is always 1. Use the argument `delta`.",
        ),
        Wrong(
            lambda p, t, delta: F.smooth_l1_loss(p, t, beta=delta),
            "That is the smooth L1 loss, which is Huber's loss divided by delta. Its line has the slope 1.",
        ),
        Wrong(
            lambda p, t, delta: (delta**2 * ((1 + ((p - t) / delta) ** 2).sqrt() - 1)).mean(),
            "That is the pseudo-Huber loss, a smooth relative. Huber's loss has two branches.",
        ),
        Wrong(
            lambda p, t, delta: ((p - t).abs().clamp(max=delta) ** 2 / 2).mean(),
            "Beyond delta your loss stays constant, so its gradient is 0 there: far points pull no more at all. It "
            "must go on as a straight line.",
        ),
        Wrong(
            _huber_with_if,
            "`if` needs one True or False, but the comparison gives one for each element. torch.where(condition, a, b) "
            "chooses element by element.",
        ),
        Wrong(
            _huber_one_branch_for_all,
            "You choose one branch for the whole batch. Each element must choose by its own error: torch.where.",
        ),
    ],
    hints=[
        "Draw it: a parabola in the middle, and from ±delta on the straight lines that touch it.",
        "Take the absolute error first. torch.where(condition, a, b) chooses for each element.",
        "The line has the slope delta and is delta² / 2 at error = delta. What must be subtracted from delta * error?",
    ],
)

# ---------------------------------------------------------------- stable_cross_entropy


def stable_cross_entropy(logits, targets):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(targets)), targets].mean()


def _with_gradient(loss_function, logits, targets):
    """A loss and its gradient with respect to the logits, None where there is none."""
    logits = logits.clone().requires_grad_()
    loss = loss_function(logits, targets)
    whole = torch.is_tensor(loss) and loss.ndim == 0 and loss.requires_grad
    gradient = torch.autograd.grad(loss, logits, allow_unused=True)[0] if whole else None
    return {"loss": loss, "gradient": gradient}


CAPPED = (
    "Your loss is capped: here it should be {expected:.0f}, and it stops at {came:.3g}. An eps inside the log, or a "
    "clamp, hides the overflow and does not cure it: the gradient vanishes where the model is most wrong. Subtract "
    "instead of dividing: log(a / b) = log a - log b."
)


def _cross_entropy_run(answer, logits, targets):
    result = _with_gradient(answer, logits, targets)
    _refuse_a_cap(result["loss"], F.cross_entropy(logits, targets).item())
    return result


def _refuse_a_cap(loss, expected):
    if torch.is_tensor(loss) and loss.ndim == 0 and expected > 300 and 0 < loss < expected / 2:
        raise Mistake(CAPPED.format(expected=expected, came=loss.item()))


def _ce_by_logsumexp(logits, targets):
    return (torch.logsumexp(logits, 1) - logits.gather(1, targets[:, None])[:, 0]).mean()


def _ce_by_one_hot(logits, targets):
    return -(F.one_hot(targets, logits.shape[1]) * F.log_softmax(logits, dim=1)).sum() / len(targets)


def _ce_with_the_largest_added_back(logits, targets):
    largest = logits.detach().amax(1)
    normalisers = largest + torch.log(torch.exp(logits - largest[:, None]).sum(1))
    return torch.mean(normalisers - logits[range(len(targets)), targets])


def _ce_row_by_row(logits, targets):
    losses = [(row - row.max()).exp().sum().log() + row.max() - row[t] for row, t in zip(logits, targets, strict=True)]
    return torch.stack(losses).mean()


def _picked(values, targets):
    return values[torch.arange(len(targets)), targets]


def _naive_softmax(logits, targets):
    exponentials = logits.exp()
    return -_picked(exponentials / exponentials.sum(1, keepdim=True), targets).log().mean()


def _shifted_ce(largest):
    """A cross-entropy that subtracts `largest(logits)`, which may be the wrong one."""

    def answer(logits, targets):
        shifted = logits - largest(logits)
        return (shifted.exp().sum(1).log() - _picked(shifted, targets)).mean()

    return answer


def _ce_not_added_back(logits, targets):
    shifted = logits - logits.amax(1, keepdim=True)
    return (shifted.exp().sum(1).log() - _picked(logits, targets)).mean()


def _ce_added_back_twice(logits, targets):
    largest = logits.amax(1, keepdim=True)
    shifted = logits - largest
    return (largest[:, 0] + shifted.exp().sum(1).log() - _picked(shifted, targets)).mean()


def _ce_in_place(logits, targets):
    logits -= logits.max(dim=1, keepdim=True).values
    return F.cross_entropy(logits, targets)


def _ce_divided_by_the_largest(logits, targets):
    return F.cross_entropy(logits / logits.amax(1, keepdim=True), targets)


STABLE_CROSS_ENTROPY = Exercise(
    reference=stable_cross_entropy,
    prompt="The mean cross-entropy in nats of logits (N, C) and class numbers (N,), right for logits of ±1000 too, and "
    "so is its gradient. Write it with exp, sum and log.",
    cases=lambda: [
        (torch.tensor([[2.0, 1.0, -1.0], [0.5, 0.0, 1.0]]), torch.tensor([0, 1])),
        (torch.randn(5, 4), torch.tensor([3, 0, 1, 1, 2])),
        (torch.tensor([[1000.0, 0.0, -1000.0]]), torch.tensor([1])),
        (torch.tensor([[1000.0, 0.0, -1000.0]]), torch.tensor([0])),
        (torch.tensor([[1000.0, 999.0], [-1000.0, -1002.0]]), torch.tensor([0, 1])),
    ],
    run=_cross_entropy_run,
    judge=lambda logits, targets: _with_gradient(F.cross_entropy, logits, targets),
    right=[_ce_by_logsumexp, _ce_by_one_hot, _ce_with_the_largest_added_back, _ce_row_by_row],
    wrong=[
        Wrong(
            _naive_softmax,
            "Your exp overflows: exp(1000) is infinite, and infinite / infinite is NaN. Subtract the largest logit of "
            "each row first; the probabilities stay the same.",
        ),
        Wrong(
            lambda logits, targets: (logits.exp().sum(1).log() - _picked(logits, targets)).mean(),
            "log(sum(exp)) is the right idea, but exp(1000) is infinite. Take the largest logit of each row out first: "
            "log(sum(exp(x))) = m + log(sum(exp(x - m))).",
        ),
        Wrong(
            lambda logits, targets: -_picked(logits.softmax(1), targets).log().mean(),
            "The softmax is stable, but a probability of 1e-400 becomes 0, and log 0 is -infinity. Never take the log "
            "of a finished probability: compute log p = x - log(sum(exp(x))) directly.",
        ),
        Wrong(
            lambda logits, targets: -(_picked(logits.softmax(1), targets) + 1e-12).log().mean(),
            CAPPED.format(expected=1000, came=-math.log(1e-12)),
        ),
        Wrong(
            _ce_not_added_back,
            "You took the largest logit out of the sum, but not out of the logit of the right class. Subtract it in "
            "both places, or add it back.",
        ),
        Wrong(
            _ce_added_back_twice,
            "You subtract the largest logit in both places and also add it back. Do one or the other.",
        ),
        Wrong(
            _shifted_ce(torch.max),
            "You subtract the largest logit of the whole batch. In the other rows every exp can then become 0, and "
            "log 0 is -infinity. Take the largest of each row: dim=1, keepdim=True.",
        ),
        Wrong(
            _shifted_ce(lambda logits: logits.amax(0)),
            "You subtract the largest logit of each column, which changes the probabilities. Within a row all logits "
            "must be shifted alike: dim=1, keepdim=True.",
        ),
        Wrong(
            _shifted_ce(lambda logits: logits.max(dim=1).values),
            "keepdim=True is missing: the maxima have the shape (N,), so they meet the columns and not the rows. With "
            "keepdim=True they are (N, 1).",
        ),
        Wrong(
            _shifted_ce(lambda logits: logits.max(dim=1, keepdim=True)),
            "max with a dimension gives two things, the values and where they stand. Take .values, or use amax.",
        ),
        Wrong(
            _ce_in_place,
            "You change the logits themselves (-=), and autograd needs them as they were. Make a new tensor: logits - "
            "...",
        ),
        Wrong(
            _ce_divided_by_the_largest,
            "You divide by the largest logit, and that changes the probabilities. Subtract it.",
        ),
        Wrong(
            lambda logits, targets: -_picked(logits.log_softmax(0), targets).mean(),
            "Your softmax runs down the columns, over the examples. It must run over the classes of a row: dim=1.",
        ),
        Wrong(
            lambda logits, targets: -_picked(logits.log_softmax(1), targets).sum(),
            "You took the sum over the examples, not the mean.",
        ),
        Wrong(
            lambda logits, targets: -_picked(logits.log_softmax(1), targets),
            "Right for each example, but the loss is one number: take the mean.",
        ),
        Wrong(
            lambda logits, targets: _picked(logits.log_softmax(1), targets).mean(),
            "The sign is missing. A log-probability is negative; the loss is minus that, so that less is better.",
        ),
        Wrong(
            lambda logits, targets: F.cross_entropy(logits, targets) / math.log(2),
            "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
        ),
        Wrong(
            lambda logits, targets: F.cross_entropy(logits, targets) / math.log(10),
            "You used log10. Use the natural logarithm, log.",
        ),
        Wrong(
            lambda logits, targets: F.cross_entropy(logits.softmax(1), targets),
            "You applied the softmax twice: F.cross_entropy and log_softmax have it inside. Give them the logits.",
        ),
        Wrong(
            lambda logits, targets: -logits.log_softmax(1).amax(1).mean(),
            "You took the class the model likes best. The loss asks for the probability of the right class, targets.",
        ),
        Wrong(
            lambda logits, targets: F.mse_loss(logits.softmax(1), F.one_hot(targets, logits.shape[1]).float()),
            "That is the mean squared error of the probabilities. Its gradient nearly vanishes for a model that is "
            "sure and wrong. Take -log of the probability of the right class.",
        ),
        Wrong(
            lambda logits, targets: F.binary_cross_entropy_with_logits(
                logits, F.one_hot(targets, logits.shape[1]).float()
            ),
            "That is the binary cross-entropy: C separate questions with yes or no. Here exactly one class is right, "
            "so the probabilities share one softmax.",
        ),
        Wrong(
            lambda logits, targets: -(F.one_hot(targets, logits.shape[1]) * logits.log_softmax(1)).mean(),
            "You divided by N * C: the zeros of the one-hot rows count in your mean. Sum over the classes, then take "
            "the mean over the N examples.",
        ),
        Wrong(
            lambda logits, targets: -logits.log_softmax(1)[:, targets].mean(),
            "[:, targets] takes those columns from every row: N * N numbers. Use [torch.arange(N), targets], or "
            "gather(1, targets[:, None]).",
        ),
        Wrong(
            lambda logits, targets: -_picked(logits.softmax(1), targets).mean(),
            "The log is missing: you average the probability of the right class.",
        ),
        Wrong(
            lambda logits, targets: -_picked(logits, targets).mean(),
            "You averaged the logits of the right classes. A logit is no log-probability yet: subtract log(sum(exp)) "
            "of its row.",
        ),
    ],
    hints=[
        "A constant added to all logits of a row changes no probability. Which constant makes every exp safe?",
        "log p of the right class is x - log(sum(exp(x))), with x already shifted so that its largest is 0.",
        "shifted = logits - logits.max(dim=1, keepdim=True).values; pick the right ones with [torch.arange(N), "
        "targets].",
    ],
)

# ---------------------------------------------------------------- gradient_of_cross_entropy


def gradient_of_cross_entropy(logits, targets):
    gradient = torch.softmax(logits, dim=1)
    gradient[torch.arange(len(targets)), targets] -= 1
    return gradient / len(targets)


def _by_autograd(logits, targets):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(logits, targets), logits)[0]


def _gradient_by_one_hot(logits, targets):
    N, C = logits.shape
    return (logits.softmax(1) - F.one_hot(targets, C)) / N


def _gradient_by_scatter(logits, targets):
    probabilities = torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))
    minus_one = torch.full((len(targets), 1), -1.0)
    return probabilities.scatter_add(1, targets[:, None], minus_one) / len(targets)


def _gradient_by_comparison(logits, targets):
    right = torch.arange(logits.shape[1]) == targets[:, None]
    return torch.where(right, logits.softmax(1) - 1, logits.softmax(1)).div(len(targets))


def _onehot(logits, targets):
    return F.one_hot(targets, logits.shape[1]).float()


def _subtracts_in_every_row(logits, targets):
    gradient = logits.softmax(1)
    gradient[:, targets] -= 1
    return gradient / len(targets)


GRADIENT_OF_CROSS_ENTROPY = Exercise(
    reference=gradient_of_cross_entropy,
    prompt="The gradient of the mean cross-entropy with respect to the logits (N, C), for class numbers (N,): again "
    "(N, C). Work it out by hand; it is short.",
    cases=lambda: [
        (torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])),
        (torch.randn(5, 4), torch.tensor([3, 0, 1, 1, 3])),
        (torch.randn(1, 3), torch.tensor([0])),
        (torch.tensor([[1000.0, 0.0, -1000.0], [0.0, 1.0, 2.0]]), torch.tensor([1, 2])),
    ],
    judge=_by_autograd,
    right=[_gradient_by_one_hot, _gradient_by_scatter, _gradient_by_comparison],
    wrong=[
        Wrong(
            lambda logits, targets: logits.softmax(1) - _onehot(logits, targets),
            "Right for each example, but the loss is the mean over N examples: divide by N.",
        ),
        Wrong(
            lambda logits, targets: (_onehot(logits, targets) - logits.softmax(1)) / len(targets),
            "The sign is wrong. The gradient points to where the loss grows: probability minus target. You have the "
            "way down.",
        ),
        Wrong(
            lambda logits, targets: logits.softmax(1) / len(targets),
            "Those are only the probabilities. Subtract 1 at the right class of each row.",
        ),
        Wrong(
            lambda logits, targets: (logits.softmax(1) - targets[:, None]) / len(targets),
            "You subtract the number of the class (0, 1, 2, ...) from the whole row. Subtract 1, at that class only.",
        ),
        Wrong(
            lambda logits, targets: (logits.softmax(0) - _onehot(logits, targets)) / len(targets),
            "Your softmax runs down the columns, over the examples. It must run over the classes of a row: dim=1.",
        ),
        Wrong(
            lambda logits, targets: (logits.softmax(1) - _onehot(logits, targets)) / logits.numel(),
            "You divide by N * C. The mean is over the N examples only.",
        ),
        Wrong(
            lambda logits, targets: (logits.softmax(1) - _onehot(logits, targets)) / logits.shape[1],
            "You divide by C, the number of classes. Divide by N, the number of examples.",
        ),
        Wrong(
            lambda logits, targets: (logits.softmax(1) - _onehot(logits, logits.argmax(1))) / len(targets),
            "You subtract 1 where the model's largest logit is. Subtract it at the right class, targets.",
        ),
        Wrong(
            lambda logits, targets: -_onehot(logits, targets) / logits.softmax(1) / len(targets),
            "-1 / p is the gradient with respect to the probabilities. Go on by the chain rule, through the softmax to "
            "the logits: nearly everything cancels.",
        ),
        Wrong(
            lambda logits, targets: (logits - _onehot(logits, targets)) / len(targets),
            "You subtract from the logits. Turn them into probabilities first: softmax.",
        ),
        Wrong(
            lambda logits, targets: (logits.log_softmax(1) - _onehot(logits, targets)) / len(targets),
            "You subtract from the log-probabilities. The derivative of log(sum(exp(x))) is the softmax itself.",
        ),
        Wrong(
            lambda logits, targets: (logits.softmax(1) - 1) * _onehot(logits, targets) / len(targets),
            "Only the right class has a gradient with you. The other logits stand in the sum of the softmax too: each "
            "gets its probability.",
        ),
        Wrong(
            lambda logits, targets: (_picked(logits.softmax(1), targets) - 1) / len(targets),
            "One number for each example came. The gradient has the shape of the logits, (N, C): every logit counts.",
        ),
        Wrong(
            _subtracts_in_every_row,
            "[:, targets] subtracts in every row, not each in its own. Use [torch.arange(N), targets].",
        ),
        Wrong(
            lambda logits, targets: (
                (logits.exp() / logits.exp().sum(1, keepdim=True) - _onehot(logits, targets)) / len(targets)
            ),
            "Right, until exp overflows: exp(1000) is infinite and gives NaN. Use torch.softmax, or subtract the "
            "largest logit first.",
        ),
        Wrong(
            lambda logits, targets: (logits.softmax(1) - F.one_hot(targets)) / len(targets),
            "one_hot was not told the number of classes, so it counts only up to the largest target. Give it C.",
        ),
        Wrong(
            lambda logits, targets: (logits.softmax(1) - _onehot(logits, targets)).mean(0),
            "You averaged over the examples, so one row is left. Each example's logits have their own gradient: divide "
            "by N and keep the shape (N, C).",
        ),
        Wrong(
            lambda logits, targets: logits.softmax(1) * (1 - logits.softmax(1)) / len(targets),
            "p * (1 - p) is the derivative of a probability by its own logit. The loss is -log p of the right class: "
            "use the chain rule.",
        ),
        Wrong(
            lambda logits, targets: (logits.sigmoid() - _onehot(logits, targets)) / len(targets),
            "You used the sigmoid, which is for yes-or-no questions. With one right class out of C it is the softmax.",
        ),
    ],
    hints=[
        "The loss of one row is log(sum(exp(x))) - x[target]. Take the derivative by each logit.",
        "The derivative of log(sum(exp(x))) is the softmax. What does the second part add, and where?",
        "Probability minus one-hot target, and then the mean over N examples.",
    ],
)

# ---------------------------------------------------------------- stable_bce


def stable_bce(logits, targets):
    # The gradient of torch.maximum at 0 is 1/2, which is right here; that of clamp would be 1.
    positive_part = torch.maximum(logits, torch.zeros_like(logits))
    return (positive_part - logits * targets + torch.log1p(torch.exp(-logits.abs()))).mean()


BCE_OF_TORCH = (
    "F.binary_cross_entropy cuts every log off at -100. Here the loss should be 1000, and its gradient is gone: the "
    "model is sure, wrong, and learns nothing. Put the sigmoid and the log together."
)


def _bce_run(answer, logits, targets):
    result = _with_gradient(answer, logits, targets)
    loss, expected = result["loss"], F.binary_cross_entropy_with_logits(logits, targets).item()
    if torch.is_tensor(loss) and loss.ndim == 0 and expected == 1000 and loss == 100:
        raise Mistake(BCE_OF_TORCH)
    _refuse_a_cap(loss, expected)
    return result


def _bce_by_softplus(logits, targets):
    return torch.mean(targets * F.softplus(-logits) + (1 - targets) * F.softplus(logits))


def _bce_by_logsigmoid(logits, targets):
    return -(targets * F.logsigmoid(logits) + (1 - targets) * F.logsigmoid(-logits)).sum() / logits.numel()


def _bce_by_logaddexp(logits, targets):
    return (torch.logaddexp(logits, torch.zeros_like(logits)) - targets * logits).mean()


def _bce_by_clamp(logits, targets):
    return (logits.clamp(min=0) - logits * targets + torch.log1p(torch.exp(-logits.abs()))).mean()


def _bce_by_cases(logits, targets):
    tail = (1 + torch.exp(-logits.abs())).log()
    return torch.where(logits > 0, logits * (1 - targets) + tail, tail - logits * targets).mean()


def _bce_of_probabilities(p, targets):
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def _bce_by_a_where(x, y):
    above, below = (1 - y) * x + (1 + torch.exp(-x)).log(), (1 + torch.exp(x)).log() - y * x
    return torch.where(x >= 0, above, below).mean()


def _bce_with_a_tiny_number(logits, targets):
    p = logits.sigmoid()
    return -(targets * (p + 1e-12).log() + (1 - targets) * (1 - p + 1e-12).log()).mean()


STABLE_BCE = Exercise(
    reference=stable_bce,
    prompt="The mean binary cross-entropy in nats, from logits and targets between 0 and 1 of the same shape. It is "
    "right for logits of ±1000 too, and so is its gradient.",
    cases=lambda: [
        (torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, 0.0])),
        (3 * torch.randn(4, 3), torch.randint(2, (4, 3)).float()),
        (torch.randn(6), torch.rand(6)),
        (torch.tensor([1000.0, -1000.0]), torch.tensor([1.0, 0.0])),
        (torch.tensor([-1000.0]), torch.tensor([1.0])),
        (torch.tensor([1000.0]), torch.tensor([0.0])),
    ],
    run=_bce_run,
    judge=lambda logits, targets: _with_gradient(F.binary_cross_entropy_with_logits, logits, targets),
    right=[_bce_by_clamp, _bce_by_softplus, _bce_by_logsigmoid, _bce_by_logaddexp, _bce_by_cases],
    wrong=[
        Wrong(
            lambda x, y: _bce_of_probabilities(x.sigmoid(), y),
            "This is the formula as written, and it breaks at ±1000: the sigmoid rounds to 0 or 1, log 0 is -infinity, "
            "and 0 * infinity is NaN. Put sigmoid and log together: -log(sigmoid(x)) = log(1 + exp(-x)).",
        ),
        Wrong(_bce_with_a_tiny_number, CAPPED.format(expected=1000, came=-math.log(1e-12))),
        Wrong(lambda x, y: F.binary_cross_entropy(x.sigmoid(), y), BCE_OF_TORCH),
        Wrong(
            lambda x, y: ((1 - y) * x + (1 + (-x).exp()).log()).mean(),
            "log(1 + exp(-x)) is the right idea, but for x = -1000 the exp is infinite. With |x| it only sees numbers "
            "below 0: log(1 + exp(-x)) = max(-x, 0) + log(1 + exp(-|x|)).",
        ),
        Wrong(
            lambda x, y: ((1 + x.exp()).log() - x * y).mean(),
            "log(1 + exp(x)) is the right idea, but for x = 1000 the exp is infinite. With |x| it only sees numbers "
            "below 0: log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).",
        ),
        Wrong(
            lambda x, y: _bce_of_probabilities(x.exp() / (1 + x.exp()), y),
            "exp(x) / (1 + exp(x)) is infinite / infinite for x = 1000, which is NaN. Put sigmoid and log together: "
            "-log(sigmoid(x)) = log(1 + exp(-x)).",
        ),
        Wrong(
            _bce_by_a_where,
            "The loss is right, but its gradient is NaN: torch.where computes both branches for every element, and the "
            "one not used still overflows (0 * infinity). Make the exp itself safe: exp(-|x|).",
        ),
        Wrong(
            lambda x, y: -F.binary_cross_entropy_with_logits(x, y),
            "The sign is missing. A log-probability is negative; the loss is minus that, so that less is better.",
        ),
        Wrong(
            lambda x, y: F.binary_cross_entropy_with_logits(x, 1 - y),
            "The targets are exchanged: your loss rewards the model for saying no to every yes.",
        ),
        Wrong(
            lambda x, y: (y * F.softplus(-x)).mean(),
            "The part of the targets that are 0 is missing. A model that always says yes would have no loss. Add "
            "(1 - targets) * ...",
        ),
        Wrong(
            lambda x, y: ((1 - y) * F.softplus(x)).mean(),
            "The part of the targets that are 1 is missing. A model that always says no would have no loss.",
        ),
        Wrong(
            lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="sum"),
            "You took the sum, not the mean over all elements.",
        ),
        Wrong(
            lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"),
            "Right for each element, but the loss is one number: take the mean.",
        ),
        Wrong(
            lambda x, y: (x.clamp(min=0) + x * y + (-x.abs()).exp().log1p()).mean(),
            "One sign is wrong: it is max(x, 0) - x * target + ..., so that a large logit is good where the target is "
            "1.",
        ),
        Wrong(
            lambda x, y: (-x * y + (-x.abs()).exp().log1p()).mean(),
            "max(x, 0) is missing. log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)); you have only the second part.",
        ),
        Wrong(
            lambda x, y: (x.clamp(min=0) - x * y + x.abs().exp().log1p()).mean(),
            "A minus is missing: exp(-|x|). exp(|x|) is what overflows.",
        ),
        Wrong(
            lambda x, y: (x.clamp(min=0) - x * y + (-x.abs()).exp().log()).mean(),
            "The 1 inside the log is missing: log(1 + exp(-|x|)), which is log1p(exp(-|x|)).",
        ),
        Wrong(
            lambda x, y: (x.clamp(min=0) - x * y).mean(),
            "The rounded part is missing: near 0 the loss is not a bent line but a curve. Add log(1 + exp(-|x|)).",
        ),
        Wrong(
            lambda x, y: F.binary_cross_entropy_with_logits(x.sigmoid(), y),
            "You applied the sigmoid twice: the function has it inside. Give it the logits.",
        ),
        Wrong(
            lambda x, y: F.mse_loss(x.sigmoid(), y),
            "That is the mean squared error of the probabilities. Its gradient vanishes for a model that is sure and "
            "wrong.",
        ),
        Wrong(
            lambda x, y: -(y * x.log() + (1 - y) * (1 - x).log()).mean(),
            "You take the log of the logits as if they were probabilities. A logit may be negative: it goes through "
            "the sigmoid first, p = sigmoid(x).",
        ),
        Wrong(
            lambda x, y: F.binary_cross_entropy_with_logits(x, y) / math.log(2),
            "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
        ),
    ],
    hints=[
        "-log(sigmoid(x)) is log(1 + exp(-x)), and -log(1 - sigmoid(x)) is log(1 + exp(x)). Put them into the formula.",
        "It becomes log(1 + exp(x)) - x * target. Only one thing is still unsafe: exp of a large x.",
        "log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)): now exp never sees a positive number.",
    ],
)

# ---------------------------------------------------------------- token_perplexity


def token_perplexity(logits, targets, padding):
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=padding)
    return losses.exp()


def _slow_perplexity(logits, targets, padding):
    """Token by token, in plain numbers."""
    total, count = 0.0, 0
    for scores, target in zip(logits.flatten(0, 1).tolist(), targets.flatten().tolist(), strict=True):
        if target != padding:
            total += math.log(sum(math.exp(score) for score in scores)) - scores[target]
            count += 1
    return math.exp(total / count)


def _perplexity_by_a_mask(logits, targets, padding):
    kept = targets != padding
    return torch.exp(F.cross_entropy(logits[kept], targets[kept]))


def _perplexity_by_weights(logits, targets, padding):
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    mask = (targets != padding).float()
    return ((losses * mask).sum() / mask.sum()).exp()


def _perplexity_by_probabilities(logits, targets, padding):
    p = logits.softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)[targets != padding]
    return 1 / math.exp(p.log().mean().item())


def _token_losses(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def _sentence_means(logits, targets, padding):
    mask = targets != padding
    return (_token_losses(logits, targets) * mask).sum(1) / mask.sum(1)


def _some_sentences():
    def sentences(lengths, V, padding):
        T = max(lengths)
        targets = torch.randint(V, (len(lengths), T))
        targets[targets == padding] = (padding + 1) % V
        for row, length in zip(targets, lengths, strict=True):
            row[length:] = padding
        return torch.randn(len(lengths), T, V), targets, padding

    return [
        (torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), torch.tensor([[1, 0]]), 0),
        sentences([2, 5], 4, 0),
        sentences([6, 1, 3], 5, 2),
        sentences([3, 3], 7, 6),
    ]


TOKEN_PERPLEXITY = Exercise(
    reference=token_perplexity,
    prompt="The perplexity per token of a batch of sentences: logits (B, T, V), targets (B, T). Short sentences are "
    "filled up with the token `padding`, and such targets do not count.",
    cases=_some_sentences,
    judge=_slow_perplexity,
    right=[_perplexity_by_a_mask, _perplexity_by_weights, _perplexity_by_probabilities],
    wrong=[
        Wrong(
            lambda logits, targets, padding: _sentence_means(logits, targets, padding).exp().mean(),
            "You averaged the perplexities of the sentences. Then a sentence of one token weighs as much as one of a "
            "hundred. Take the mean over all tokens, and exp once at the end.",
        ),
        Wrong(
            lambda logits, targets, padding: _sentence_means(logits, targets, padding).mean().exp(),
            "You averaged the losses of the sentences, so the tokens of short sentences weigh more. Take one mean over "
            "all tokens.",
        ),
        Wrong(
            lambda logits, targets, padding: _token_losses(logits, targets).mean().exp(),
            "You counted the padding. It is no text: leave out the targets that equal `padding`.",
        ),
        Wrong(
            lambda logits, targets, padding: (_token_losses(logits, targets) * (targets != padding)).mean().exp(),
            "You set the loss of the padding to zero, but still divide by all places, so the perplexity comes out too "
            "low. Divide by the number of tokens that count.",
        ),
        Wrong(
            lambda logits, targets, padding: (_token_losses(logits, targets) * (targets != padding)).sum().exp(),
            "You took exp of the sum, which grows with the length of the text. Take exp of the mean over the tokens.",
        ),
        Wrong(
            lambda logits, targets, padding: _token_losses(logits, targets).sum().exp(),
            "You took exp of the sum over all places, padding too. Take exp of the mean over the tokens that count.",
        ),
        Wrong(
            lambda logits, targets, padding: 2 ** _token_losses(logits, targets)[targets != padding].mean(),
            "2 ** loss is for a loss in bits. Cross-entropy is in nats here: use exp.",
        ),
        Wrong(
            lambda logits, targets, padding: _token_losses(logits, targets)[targets != padding].mean(),
            "That is the mean cross-entropy. The perplexity is exp of it.",
        ),
        Wrong(
            lambda logits, targets, padding: (-_token_losses(logits, targets)[targets != padding].mean()).exp(),
            "The sign is wrong: you have the geometric mean of the probabilities. The perplexity is one divided by "
            "that.",
        ),
        Wrong(
            lambda logits, targets, padding: _token_losses(logits, targets)[targets != padding].exp().mean(),
            "You took exp of every token's loss, and then the mean: one surprising token rules everything. First the "
            "mean, then exp.",
        ),
        Wrong(
            lambda logits, targets, padding: _token_losses(logits, targets)[targets != padding].exp(),
            "One number for each token came. Take the mean of the losses first, then exp.",
        ),
        Wrong(
            lambda logits, targets, padding: _token_losses(logits, targets)[targets != 0].mean().exp(),
            "You took 0 for the padding. Its number is the argument `padding`.",
        ),
        Wrong(
            lambda logits, targets, padding: F.cross_entropy(
                logits.reshape(logits.shape[0], logits.shape[2], logits.shape[1]), targets, ignore_index=padding
            ).exp(),
            "reshape or view to (B, V, T) mixes up the numbers of different tokens. To exchange two dimensions, use "
            "transpose(1, 2); or flatten B and T together.",
        ),
        Wrong(
            lambda logits, targets, padding: F.cross_entropy(logits, targets, ignore_index=padding).exp(),
            "F.cross_entropy wants the classes in the second dimension, and yours are the last. Flatten B and T "
            "together, or use logits.transpose(1, 2).",
        ),
        Wrong(
            lambda logits, targets, padding: 1 / (-_token_losses(logits, targets)[targets != padding]).exp().mean(),
            "You averaged the probabilities. Perplexity averages their logs: exp of the mean of -log p.",
        ),
        Wrong(
            lambda logits, targets, padding: (
                _token_losses(logits, targets)[targets != padding].sum().exp() / (targets != padding).sum()
            ),
            "You divide after exp. Divide the sum of the losses first, then take exp of the mean.",
        ),
        Wrong(
            lambda logits, targets, padding: F.cross_entropy(
                logits.flatten(0, 1).softmax(-1), targets.flatten(), ignore_index=padding
            ).exp(),
            "You applied the softmax twice: F.cross_entropy has it inside. Give it the logits.",
        ),
    ],
    hints=[
        "Perplexity is exp of the mean cross-entropy. The mean over what?",
        "Put all tokens of all sentences into one row: logits (B * T, V) and targets (B * T).",
        "F.cross_entropy has an argument that leaves targets out, ignore_index; its mean then counts the others only.",
    ],
)

# ---------------------------------------------------------------- smoothed


def smoothed(targets, classes, epsilon):
    onehot = F.one_hot(targets, classes).float()
    return (1 - epsilon) * onehot + epsilon / classes


def _smoothed_by_filling(targets, classes, epsilon):
    result = torch.full((len(targets), classes), epsilon / classes)
    result[torch.arange(len(targets)), targets] += 1 - epsilon
    return result


def _smoothed_by_lerp(targets, classes, epsilon):
    return torch.eye(classes)[targets].lerp(torch.full((classes,), 1 / classes), epsilon)


def _smoothed_by_where(targets, classes, epsilon):
    rest = epsilon / classes
    return torch.where(torch.arange(classes) == targets.view(-1, 1), 1 - epsilon + rest, rest)


def _slow_smoothed(targets, classes, epsilon):
    """Number by number, as the paper has it."""
    rows = [
        [(1 - epsilon) * (c == target) + epsilon * (1 / classes) for c in range(classes)] for target in targets.tolist()
    ]
    return torch.tensor(rows, dtype=torch.float32)


def _right_and_rest(right, rest):
    """Smoothed targets with `right(eps, C)` for the right class and `rest(eps, C)` for the others."""

    def answer(targets, classes, epsilon):
        onehot = F.one_hot(targets, classes).float()
        return right(epsilon, classes) * onehot + rest(epsilon, classes) * (1 - onehot)

    return answer


SMOOTHED = Exercise(
    reference=smoothed,
    prompt="Smoothed targets (N, C) for class numbers (N,): each row is 1 - epsilon of its one-hot row, and the share "
    "epsilon spread evenly over all `classes`.",
    cases=lambda: [
        (torch.tensor([0, 2]), 4, 0.2),
        (torch.randint(9, (5,)), 10, 0.1),
        (torch.tensor([1]), 2, 0.3),
        (torch.tensor([1, 0, 2]), 3, 0.0),
        (torch.tensor([1, 0]), 5, 1.0),
    ],
    judge=_slow_smoothed,
    right=[_smoothed_by_filling, _smoothed_by_lerp, _smoothed_by_where],
    wrong=[
        Wrong(
            _right_and_rest(lambda e, C: 1 - e, lambda e, C: e / (C - 1)),
            "You spread epsilon over the wrong classes only, epsilon / (C - 1) each. Some texts do. Szegedy et al. and "
            "torch give epsilon / C to every class, the right one too.",
        ),
        Wrong(
            _right_and_rest(lambda e, C: 1 - e, lambda e, C: e / C),
            "The rows do not sum to 1: the right class gets its epsilon / C too, so it is 1 - epsilon + epsilon / C.",
        ),
        Wrong(
            _right_and_rest(lambda e, C: 1 - e, lambda e, C: e),
            "Every wrong class gets the whole epsilon, so the rows sum to more than 1. Spread it: epsilon / C each.",
        ),
        Wrong(
            _right_and_rest(lambda e, C: 1, lambda e, C: e / C),
            "The right class keeps its full 1, so the rows sum to more than 1. It gives up epsilon, and gets back "
            "epsilon / C.",
        ),
        Wrong(
            _right_and_rest(lambda e, C: 1, lambda e, C: e / (C - 1)),
            "The right class keeps its full 1, and the others share epsilon, so the rows sum to 1 + epsilon.",
        ),
        Wrong(
            _right_and_rest(lambda e, C: 1 - e / C, lambda e, C: e / C),
            "The rows sum to more than 1: C - 1 classes get epsilon / C each, so the right one gives up that much and "
            "not only one epsilon / C.",
        ),
        Wrong(
            _right_and_rest(lambda e, C: 1 - e + e / C, lambda e, C: e / (C - 1)),
            "You mix two rules: 1 - epsilon + epsilon / C for the right class, but epsilon / (C - 1) for the others. "
            "Every class gets the same epsilon / C.",
        ),
        Wrong(
            lambda targets, classes, epsilon: (1 - epsilon) * targets + epsilon / classes,
            "You compute with the class numbers themselves. Turn them into one-hot rows first: F.one_hot.",
        ),
        Wrong(
            _right_and_rest(lambda e, C: 1, lambda e, C: 0),
            "Those are one-hot rows: epsilon is not used.",
        ),
        Wrong(
            _right_and_rest(lambda e, C: 1 - e, lambda e, C: 0),
            "You took epsilon from the right class and gave it to nobody: the rows sum to 1 - epsilon. Add epsilon / "
            "C to every class.",
        ),
        Wrong(
            lambda targets, classes, epsilon: (1 - epsilon) * F.one_hot(targets, classes) + epsilon,
            "Every class gets the whole epsilon on top, so the rows sum to more than 1. Spread it: epsilon / C each.",
        ),
        Wrong(
            lambda targets, classes, epsilon: F.one_hot(targets, classes) + epsilon / classes,
            "You add epsilon / C to every class and take nothing from the right one: the rows sum to 1 + epsilon. "
            "Scale the one-hot rows by 1 - epsilon.",
        ),
        Wrong(
            lambda targets, classes, epsilon: epsilon * F.one_hot(targets, classes) + (1 - epsilon) / classes,
            "epsilon and 1 - epsilon are exchanged: the right class has the small share.",
        ),
        Wrong(
            lambda targets, classes, epsilon: (1 - epsilon) * F.one_hot(targets) + epsilon / classes,
            "one_hot was not told the number of classes, so it counts only up to the largest target. Give it "
            "`classes`.",
        ),
        Wrong(
            lambda targets, classes, epsilon: ((1 - epsilon) * F.one_hot(targets, classes) + epsilon / classes).T,
            "Your rows are the classes. Each row must be one example: (N, C).",
        ),
    ],
    hints=[
        "Each row is a probability distribution: what must it sum to? Check that first.",
        "Two distributions are mixed: the one-hot row with the share 1 - epsilon, the even one with the share epsilon.",
        "The even distribution is 1 / C for every class, the right one included. F.one_hot(targets, classes) helps.",
    ],
)

# ---------------------------------------------------------------- kl_divergence


def kl_divergence(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def _slow_kl(p, q):
    """Class by class; the sum runs over the classes that p gives a chance."""
    if p.ndim > 1:
        return torch.stack([_slow_kl(*rows) for rows in zip(p, q, strict=True)])
    return sum(a * (a / b).log() for a, b in zip(p, q, strict=True) if a > 0)


def _kl_run(answer, p, q):
    result, expected = answer(p, q), _slow_kl(p, q)
    same = torch.is_tensor(result) and result.shape == expected.shape
    if same and (result.isfinite() & expected.isinf()).any():
        raise Mistake(
            "Where q says impossible (0) and p says it happens, the divergence is infinite: no code for q has a word "
            "for it. Yours is finite there. An eps hides that; what needs care is a 0 in p, which counts 0."
        )
    return result


def _kl_by_where(p, q):
    ratio = torch.where(p > 0, p / q, torch.ones_like(p))
    return (p * ratio.log()).sum(dim=-1)


def _kl_by_torch(p, q):
    return F.kl_div(q.log(), p, reduction="none").sum(-1)


def _kl_by_nansum(p, q):
    return torch.nansum(p * torch.log(p / q), dim=-1)


def _kl_by_differences(p, q):
    cross_entropy, entropy = -torch.xlogy(p, q).sum(-1), torch.special.entr(p).sum(-1)
    return cross_entropy - entropy


def _some_distributions():
    def rows(*shape):
        return torch.randn(shape).softmax(-1)

    sparse = torch.tensor([[0.0, 0.5, 0.5], [0.2, 0.8, 0.0]])
    return [
        (torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])),
        (rows(3, 4), rows(3, 4).requires_grad_()),
        (sparse, rows(2, 3)),
        (torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.5, 0.0, 0.5])),
    ]


KL_DIVERGENCE = Exercise(
    reference=kl_divergence,
    prompt="KL(p ‖ q) in nats of two distributions along the last dimension: (C,) gives one number, (N, C) gives "
    "(N,). A class that p gives probability 0 counts 0.",
    cases=_some_distributions,
    run=_kl_run,
    judge=_slow_kl,
    right=[_kl_by_where, _kl_by_torch, _kl_by_nansum, _kl_by_differences],
    wrong=[
        Wrong(
            lambda p, q: kl_divergence(q, p),
            "p and q are exchanged: that is KL(q ‖ p), and the two differ. The weights are p: sum of p * log(p / q). "
            "Beware of F.kl_div, where q comes first.",
        ),
        Wrong(
            lambda p, q: (q * (q / p).log()).sum(-1),
            "p and q are exchanged, and a 0 among them gives NaN or infinity. It is the sum of p * log(p / q), where "
            "a class with p = 0 counts 0.",
        ),
        Wrong(
            lambda p, q: (p * (p / q).log()).sum(-1),
            "Right, until p has a zero: 0 * log 0 is NaN for a computer. It should count 0: torch.xlogy(p, p) knows "
            "that.",
        ),
        Wrong(
            lambda p, q: ((p + 1e-9) * ((p + 1e-9) / (q + 1e-9)).log()).sum(-1),
            "Where q says impossible (0) and p says it happens, the divergence is infinite: no code for q has a word "
            "for it. Yours is finite there. An eps hides that; what needs care is a 0 in p, which counts 0.",
        ),
        Wrong(
            lambda p, q: -torch.xlogy(p, q).sum(-1),
            "That is the cross-entropy. The divergence is what it costs beyond the entropy of p: subtract that, so "
            "that equal distributions give 0.",
        ),
        Wrong(
            lambda p, q: torch.xlogy(p, p).sum(-1) + torch.xlogy(p, q).sum(-1),
            "One sign is wrong: log(p / q) is log p - log q. For equal distributions the result must be 0.",
        ),
        Wrong(
            lambda p, q: -kl_divergence(p, q),
            "The sign is wrong: a divergence is never negative. It is log(p / q), not log(q / p).",
        ),
        Wrong(
            lambda p, q: (p / q).log().sum(-1),
            "The weights are missing: each log(p / q) counts p times.",
        ),
        Wrong(
            lambda p, q: kl_divergence(p, q) / p.shape[-1],
            "You took the mean over the classes. The weights p already make it an average: take the sum.",
        ),
        Wrong(
            lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).mean(),
            "You took the mean over everything (it is what F.kl_div does by default). Sum over the classes, and keep "
            "one number for each row.",
        ),
        Wrong(
            lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).sum() / len(p),
            "You summed everything and divided by the first dimension (F.kl_div calls it batchmean). For one "
            "distribution that divides by C; for several it leaves one number in place of N.",
        ),
        Wrong(
            lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(),
            "You summed over the whole batch. Each row is a distribution of its own: sum along the last dimension, "
            "dim=-1.",
        ),
        Wrong(
            lambda p, q: kl_divergence(p, q).mean(),
            "You averaged over the batch. Each row keeps its own number: (N, C) gives (N,).",
        ),
        Wrong(
            lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(0),
            "You summed down the columns. The classes are the last dimension: dim=-1.",
        ),
        Wrong(
            lambda p, q: torch.xlogy(p, p) - torch.xlogy(p, q),
            "Right for each class; now sum over the classes, dim=-1.",
        ),
        Wrong(
            lambda p, q: kl_divergence(p, q) + kl_divergence(q, p),
            "You added both directions (the Jeffreys divergence). KL has a direction: only p weighs.",
        ),
        Wrong(
            lambda p, q: (kl_divergence(p, q) + kl_divergence(q, p)) / 2,
            "You averaged both directions. KL has a direction: only p weighs.",
        ),
        Wrong(
            lambda p, q: (kl_divergence(p, (p + q) / 2) + kl_divergence(q, (p + q) / 2)) / 2,
            "That is the Jensen-Shannon divergence, which compares both with their middle. KL compares p with q "
            "itself.",
        ),
        Wrong(
            lambda p, q: kl_divergence(p, q) / math.log(2),
            "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
        ),
        Wrong(
            lambda p, q: F.kl_div(q, p, reduction="none").sum(-1),
            "F.kl_div wants the logarithm of its first argument: q.log().",
        ),
        Wrong(
            lambda p, q: F.kl_div(p, q, reduction="none").sum(-1),
            "F.kl_div takes log q first, and p second: F.kl_div(q.log(), p, ...).",
        ),
    ],
    hints=[
        "How many nats more than needed does it cost, on average over p, to code with q? That is the mean of log(p / "
        "q).",
        "The mean over p: sum of p * log(p / q), along the last dimension.",
        "Write it as p log p - p log q. torch.xlogy(a, b) is a * log(b), and 0 where a is 0.",
    ],
)

# ---------------------------------------------------------------- choose_losses

LOSSES = ("mse", "mae", "huber", "binary cross-entropy", "cross-entropy", "kl")


def choose_losses():
    """A loss for each task: "mse", "mae", "huber", "binary cross-entropy", "cross-entropy" or "kl".

    "temperature"    a number; the errors are Gaussian, and you want the mean
    "delivery time"  a number; you want the median: half of the parcels come earlier
    "sensor"         a number; mostly a little noise, now and then a wild value that must not
                     rule; the gradient must shrink to 0 at the target
    "spam"           is a mail spam, yes or no; one logit
    "tags"           which of 20 tags fit a photo: none, one or several; 20 logits
    "digit"          which one of ten digits it is; ten logits
    "next token"     which token of the vocabulary comes next; one logit for each
    "teacher"        a small model copies all the probabilities of a big one; in nats, and 0
                     when they are equal
    """
    return {
        "temperature": "mse",
        "delivery time": "mae",
        "sensor": "huber",
        "spam": "binary cross-entropy",
        "tags": "binary cross-entropy",
        "digit": "cross-entropy",
        "next token": "cross-entropy",
        "teacher": "kl",
    }


NO_BOUNDS = "it wants targets between 0 and 1, and this number has no such bounds"
NO_DISTANCE = "it knows right and wrong but not near and far: a miss by one costs as much as a miss by a thousand"
NO_DISTRIBUTION = "it compares two distributions, and here the target is one number"
VANISHES = (
    "where the model is sure and wrong the sigmoid is flat, so the gradient vanishes and the model learns nothing"
)
NO_ORDER = "class numbers are names: a 3 is no nearer to a 4 than to a 9, but this loss would think so"
SEPARATE = "it asks one yes-or-no question for each class, and several may be answered yes"
ONE_CLASS = (
    "the target is one class and no distribution; as a one-hot row it costs the same loss, and C numbers for each"
)
SMALL = (
    "it hardly sees small probabilities: 0.001 in place of 0.01 is wrong by a factor of ten and costs next to nothing"
)

# What goes wrong with a loss that does not fit a task.
AGAINST = {
    "temperature": {
        "mae": "its best answer is the median, and every error pulls with the same force",
        "huber": "far errors pull less than they should, so its best answer lies between mean and median; Gaussian "
        "errors have no wild values to be saved from",
        "binary cross-entropy": NO_BOUNDS,
        "cross-entropy": NO_DISTANCE,
        "kl": NO_DISTRIBUTION,
    },
    "delivery time": {
        "mse": "its best answer is the mean, which a few very late parcels pull up",
        "huber": "its best answer lies between the mean and the median",
        "binary cross-entropy": NO_BOUNDS,
        "cross-entropy": NO_DISTANCE,
        "kl": NO_DISTRIBUTION,
    },
    "sensor": {
        "mse": "an error pulls as hard as it is far, so a few wild values rule",
        "mae": "wild values do not rule, but its gradient has the same size however near the target you are: with a "
        "fixed learning rate it jumps to and fro",
        "binary cross-entropy": NO_BOUNDS,
        "cross-entropy": NO_DISTANCE,
        "kl": NO_DISTRIBUTION,
    },
    "spam": {
        "mse": VANISHES,
        "mae": f"{VANISHES}; and its best answer is a flat 0 or 1, never a probability",
        "huber": f"{VANISHES}; up to an error of 1 it is only half the squared error",
        "cross-entropy": "its softmax over a single logit is always 1, so the loss is always 0",
        "kl": "it sums over the classes, and one logit gives only the probability of yes: that of no would not count",
    },
    "tags": {
        "mse": VANISHES,
        "mae": f"{VANISHES}; and its best answer is a flat 0 or 1, never a probability",
        "huber": f"{VANISHES}; up to an error of 1 it is only half the squared error",
        "cross-entropy": "its softmax makes the tags compete for a sum of 1: two can never both be certain, and none "
        "is never an answer",
        "kl": "it compares distributions that sum to 1, but a photo may have five tags, or none",
    },
    "digit": {
        "mse": NO_ORDER,
        "mae": NO_ORDER,
        "huber": NO_ORDER,
        "binary cross-entropy": f"{SEPARATE}; here exactly one is right",
        "kl": ONE_CLASS,
    },
    "next token": {
        "mse": NO_ORDER,
        "mae": NO_ORDER,
        "huber": NO_ORDER,
        "binary cross-entropy": f"{SEPARATE}; here exactly one is right",
        "kl": ONE_CLASS,
    },
    "teacher": {
        "mse": SMALL,
        "mae": SMALL,
        "huber": SMALL,
        "binary cross-entropy": f"{SEPARATE}; here the probabilities share a sum of 1",
        "cross-entropy": "its gradient is the same, but for equal probabilities it is their entropy and not 0, so you "
        "cannot see how near you are",
    },
}
TASKS = tuple(AGAINST)


def _objection(task, loss):
    return f"{task!r} with {loss!r}: {AGAINST[task][loss]}."


def _unknown(task, loss):
    return f"{task!r}: {loss!r} is not on the list. Choose one of: {', '.join(LOSSES)}."


def _missing(task):
    return f"The task {task!r} has no loss yet. Return a dictionary with all {len(TASKS)} tasks."


def _look_up(answer):
    """Whether the loss chosen for each task fits it, without telling which one does."""
    choices = answer()
    if not isinstance(choices, dict):
        raise Mistake(f"Return a dictionary with a loss for each task. What came is a {type(choices).__name__}.")
    for task in TASKS:
        if task not in choices:
            raise Mistake(_missing(task))
        loss = choices[task]
        if loss not in LOSSES:
            raise Mistake(_unknown(task, loss))
        if loss in AGAINST[task]:
            raise Mistake(_objection(task, loss))
    return "right"


def _with(task, loss):
    """All choices right but one."""
    return lambda: choose_losses() | {task: loss}


def _by_pairs():
    numbers = dict(zip(("temperature", "delivery time", "sensor"), LOSSES, strict=False))
    classes = dict.fromkeys(("digit", "next token"), LOSSES[4])
    return {**numbers, **classes, "spam": LOSSES[3], "tags": LOSSES[3], "teacher": LOSSES[5]}


def _by_elimination():
    return {task: next(loss for loss in LOSSES if loss not in AGAINST[task]) for task in TASKS}


def _by_assignment():
    choices = {"temperature": "mse", "sensor": "huber", "spam": "binary cross-entropy", "teacher": "kl"}
    choices["digit"], choices["delivery time"] = "cross-entropy", "mae"
    choices["tags"], choices["next token"] = choices["spam"], choices["digit"]
    return choices


CHOOSE_LOSSES = Exercise(
    reference=choose_losses,
    prompt="A dictionary with a loss for each of the eight tasks.",
    cases=lambda: [()],
    run=_look_up,
    right=[_by_pairs, _by_elimination, _by_assignment],
    wrong=[
        *(Wrong(_with(task, loss), _objection(task, loss)) for task in TASKS for loss in AGAINST[task]),
        Wrong(_with("spam", "accuracy"), _unknown("spam", "accuracy")),
        Wrong(lambda: {task: loss for task, loss in choose_losses().items() if task != "tags"}, _missing("tags")),
        Wrong(
            lambda: list(choose_losses().values()),
            "Return a dictionary with a loss for each task. What came is a list.",
        ),
    ],
    hints=[
        "First ask what the target is: a number, one yes or no, several of them, one class out of many, a "
        "distribution?",
        "Three tasks are numbers. Which loss finds the mean, which the median, and which lies between?",
        "How many answers can be right at once: exactly one (softmax), or any number (sigmoid)?",
    ],
)
