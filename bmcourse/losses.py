"""Loss functions (损失函数), simplest first: each is the negative log-likelihood of an assumption about the data.

All are in nats, keep their gradient, and equal torch.nn.functional's functions of the same name; what torch computes
in silence although the inputs cannot be meant (a shape that broadcasts, integers for floats) raises ValueError here.
"""

import math
from itertools import zip_longest

import torch

IGNORED = -100  # a target that costs nothing: cross_entropy's ignore_index, here and in torch


def reduced(values, reduction):
    """The "mean" or the "sum" of `values`, or with "none" the values as they are; raises ValueError for others."""
    if reduction == "mean":
        return values.mean()
    if reduction == "sum":
        return values.sum()
    if reduction == "none":
        return values
    raise ValueError(f"reduction is {reduction!r}. Choose 'mean', 'sum' or 'none' (kl_div also knows 'batchmean').")


# ---------------------------------------------------------------- a number


def mse_loss(predictions, targets, reduction="mean"):
    """Mean squared error of two float tensors of one shape: a Gaussian with fixed variance.

    Its negative log-likelihood is error² / 2σ² and a constant; the factor 1 / 2σ² is left out, as is usual.
    """
    check_regression(predictions, targets)
    return reduced((predictions - targets) ** 2, reduction)


def l1_loss(predictions, targets, reduction="mean"):
    """Mean absolute error (MAE) of two float tensors of one shape: a Laplace distribution with fixed scale."""
    check_regression(predictions, targets)
    return reduced((predictions - targets).abs(), reduction)


def huber_loss(predictions, targets, reduction="mean", delta=1.0):
    """Huber's loss of two float tensors of one shape: a Gaussian core up to an error of `delta`, Laplace tails beyond.

    Up to `delta` it is error² / 2, from there a straight line. Raises ValueError unless `delta` is above 0.
    Source: Huber, "Robust Estimation of a Location Parameter", 1964.
    """
    check_regression(predictions, targets)
    check_delta(delta)
    error = (predictions - targets).abs()
    core = error.clamp(max=delta)
    return reduced(core**2 / 2 + delta * (error - core), reduction)


# ---------------------------------------------------------------- yes or no


def clamped_log(probabilities):
    """log p, never below -100, with a gradient that is finite at p = 0 too: 1 / p, or 0 where 1 / p would overflow."""
    tiny = torch.finfo(probabilities.dtype).tiny
    with_gradient = probabilities.clamp(min=tiny).log()
    return torch.where(probabilities < tiny, probabilities.detach().log(), with_gradient).clamp(min=-100)


def binary_cross_entropy(probabilities, targets, weight=None, reduction="mean"):
    """-log of the probability given to what came true: Bernoulli. `targets` are 0, 1 or between, of the same shape.

    A certain and wrong answer costs 100, not infinity, as in torch; its gradient is 0 then (torch's is ∓1e12).
    `weight` multiplies the loss of each element.
    Raises ValueError for probabilities or targets outside [0, 1].
    """
    check_regression(probabilities, targets, weight)
    check_probabilities(probabilities, "probabilities", "If they are logits, use binary_cross_entropy_with_logits.")
    check_probabilities(targets, "targets", "Classes are 0 and 1, not -1 and 1.")
    values = -(targets * clamped_log(probabilities) + (1 - targets) * clamped_log(1 - probabilities))
    return reduced(values if weight is None else weight * values, reduction)


def softplus(x):
    """log(1 + exp(x)), which never overflows: exp only sees numbers that are not positive."""
    positive_part = torch.maximum(x, torch.zeros_like(x))  # its gradient at 0 is 1/2, that of clamp would be 1
    return positive_part + torch.log1p(torch.exp(-x.abs()))


def binary_cross_entropy_with_logits(logits, targets, weight=None, reduction="mean", pos_weight=None):
    """Bernoulli again, from logits, log p / (1 - p), of any size: with the sigmoid inside, nothing overflows.

    `weight` multiplies the loss of each element, `pos_weight` only the part of the positive ones.
    Raises ValueError for targets outside [0, 1].
    """
    check_regression(logits, targets, weight, pos_weight)
    check_probabilities(targets, "targets", "Classes are 0 and 1, not -1 and 1.")
    positives = targets if pos_weight is None else pos_weight * targets
    values = positives * softplus(-logits) + (1 - targets) * softplus(logits)
    return reduced(values if weight is None else weight * values, reduction)


# ---------------------------------------------------------------- one of C classes


def logsumexp(logits, dim=-1):
    """log(sum(exp(logits))) along `dim`: with the largest taken out first, no exp overflows and one of them is 1."""
    largest = logits.detach().amax(dim, keepdim=True)
    largest = largest.masked_fill(largest.isinf(), 0.0)
    return (logits - largest).exp().sum(dim).log() + largest.squeeze(dim)


def softmax(logits, dim=-1):
    """Probabilities along `dim`, in proportion to exp(logits); the same when a constant is added to all logits."""
    exponentials = torch.exp(logits - logits.detach().amax(dim, keepdim=True))
    return exponentials / exponentials.sum(dim, keepdim=True)


def log_softmax(logits, dim=-1):
    """log(softmax(logits)) along `dim`, without ever taking the log of a probability that became 0."""
    shifted = logits - logits.detach().amax(dim, keepdim=True)
    return shifted - logsumexp(shifted, dim).unsqueeze(dim)


def cross_entropy_naive(logits, targets):
    """Mean cross-entropy of logits (N, C) and classes (N,), as the formula is written: NaN from logits of 89 on."""
    check_classes(logits, targets, ignore_index=None)
    if logits.ndim != 2:
        raise ValueError(f"logits must be (N, C); {tuple(logits.shape)} came. cross_entropy takes other layouts.")
    exponentials = logits.exp()
    probabilities = exponentials / exponentials.sum(dim=1, keepdim=True)
    return -probabilities.gather(1, targets[:, None]).log().mean()


def cross_entropy(logits, targets, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """-log of the probability given to the right class, out of C: categorical. Targets are class numbers.

    Shapes: logits (C,), (N, C) or (N, C, ...) with targets (), (N,) or (N, ...). `weight` (C,): the mean is divided by
    the weights of the targets. Targets equal to `ignore_index` cost 0 and do not count in the mean; when all are, the
    mean raises ValueError (torch gives NaN). Smoothing gives each class label_smoothing / C of the target; a logit of
    -inf then costs infinity, as in torch. Source: Szegedy et al., "Rethinking the Inception Architecture", 2016, §7.
    """
    check_classes(logits, targets, ignore_index, weight, label_smoothing)
    dim = min(logits.ndim - 1, 1)
    log_p = log_softmax(logits, dim).movedim(dim, -1)  # (..., C)
    weight = log_p.new_ones(log_p.shape[-1]) if weight is None else weight
    counted = targets != ignore_index
    classes = targets.where(counted, 0)
    values = -weight[classes] * log_p.gather(-1, classes[..., None])[..., 0]
    if label_smoothing > 0:
        values = (1 - label_smoothing) * values - label_smoothing * (weight * log_p).mean(-1)
    values = values.where(counted, 0.0)
    if reduction == "mean":
        check_counted(counted, ignore_index)
        return values.sum() / weight[classes[counted]].sum()
    return reduced(values, reduction)


def kl_div(log_probabilities, targets, reduction="mean", log_target=False):
    """How far the prediction is from a target distribution: targets * (log targets - log_probabilities), as in torch.

    Relative entropy: the nats lost by coding `targets` as if they were the prediction. The sum over classes is the
    divergence, "batchmean" its mean over the first dimension; "mean" also divides by the number of classes.
    `log_target` says that targets are logs. Raises ValueError for probabilities where logs belong, and the reverse.
    Source: Kullback and Leibler, "On Information and Sufficiency", 1951.
    """
    check_regression(log_probabilities, targets)
    check_log_probabilities(log_probabilities, "log_probabilities")
    if log_target:
        check_log_probabilities(targets, "targets")
        values = targets.exp() * (targets - log_probabilities)
    else:
        check_probabilities(targets, "targets", "If they are logs, say log_target=True.")
        values = torch.xlogy(targets, targets) - targets * log_probabilities  # xlogy: 0 * log 0 is 0
    return values.sum() / len(values) if reduction == "batchmean" else reduced(values, reduction)


def perplexity(logits, targets, ignore_index=-100):
    """exp of the mean cross-entropy over all tokens: between how many equally likely tokens the model hesitates.

    logits (N, V) or (N, V, T), targets (N,) or (N, T); V is a guess, 1 is certain and right.
    Source: Jelinek et al., "Perplexity: a measure of the difficulty of speech recognition tasks", 1977.
    """
    return cross_entropy(logits, targets, ignore_index=ignore_index).exp()


# ---------------------------------------------------------------- gradients by hand: of the mean, by the first argument


def mse_gradient(predictions, targets):
    """The gradient of mse_loss: twice the error, so an outlier pulls as hard as it is far."""
    check_regression(predictions, targets)
    return 2 * (predictions - targets) / predictions.numel()


def l1_gradient(predictions, targets):
    """The gradient of l1_loss: the sign of the error, the same pull from near and far (0 where there is no error)."""
    check_regression(predictions, targets)
    return (predictions - targets).sign() / predictions.numel()


def huber_gradient(predictions, targets, delta=1.0):
    """The gradient of huber_loss: the error, clipped at `delta`."""
    check_regression(predictions, targets)
    check_delta(delta)
    return (predictions - targets).clamp(-delta, delta) / predictions.numel()


def binary_cross_entropy_gradient(logits, targets):
    """The gradient of binary_cross_entropy_with_logits: probability minus target."""
    check_regression(logits, targets)
    return (logits.sigmoid() - targets) / logits.numel()


def cross_entropy_gradient(logits, targets):
    """The gradient of cross_entropy: probabilities minus the one-hot target; logits as there, none ignored."""
    check_classes(logits, targets, ignore_index=None)
    dim = min(logits.ndim - 1, 1)
    onehot = torch.zeros_like(logits).scatter(dim, targets.unsqueeze(dim), 1.0)
    return (softmax(logits, dim) - onehot) / targets.numel()


# ---------------------------------------------------------------- checks: each raises ValueError and says what to do


def check_floats(values, name):
    """Raise ValueError unless `values` is a tensor of floats."""
    if not torch.is_tensor(values):
        raise ValueError(f"{name} must be a tensor; what came is a {type(values).__name__}. Write torch.tensor(...).")
    if not values.is_floating_point():
        raise ValueError(f"{name} must hold floats; what came is {values.dtype}. Write {name}.float().")


def check_regression(predictions, targets, *weights):
    """Raise ValueError unless both are floats of one shape, and each of the weights (or None) fits that shape."""
    check_floats(predictions, "predictions")
    check_floats(targets, "targets")
    wanted, came = tuple(predictions.shape), tuple(targets.shape)
    if came != wanted:
        advice = "Make the shapes equal."
        if predictions.numel() == targets.numel():
            advice = "Write targets.view_as(predictions): otherwise each prediction would meet every target."
        raise ValueError(f"predictions have the shape {wanted} and targets {came}; the two must be the same. {advice}")
    for weight in filter(torch.is_tensor, weights):
        sizes = zip_longest(reversed(weight.shape), reversed(wanted), fillvalue=1)
        if any(size not in (1, of) for size, of in sizes):
            raise ValueError(
                f"A weight has the shape {tuple(weight.shape)}, which does not fit predictions of the shape {wanted}. "
                "Give one for each element, or one for each place of the last dimension."
            )


def check_classes(logits, targets, ignore_index=-100, weight=None, label_smoothing=0.0):
    """Raise ValueError unless targets are class numbers that fit these logits, and so do the settings."""
    check_floats(logits, "logits")
    if not torch.is_tensor(targets):
        raise ValueError(f"targets must be a tensor; what came is a {type(targets).__name__}. Write torch.tensor(...).")
    check_class_shapes(logits, targets)
    if targets.dtype != torch.long:
        raise ValueError(f"targets must be class numbers, torch.long; {targets.dtype} came. Write targets.long().")
    C = logits.shape[min(logits.ndim - 1, 1)]
    wrong = targets[(targets < 0) | (targets >= C)]
    wrong = wrong if ignore_index is None else wrong[wrong != ignore_index]
    if len(wrong):
        raise ValueError(
            f"A target is {wrong[0].item()}, but the {C} classes are numbered 0 to {C - 1}. Count from 0; to leave "
            "targets out of a cross-entropy, set them to its ignore_index."
        )
    if weight is not None and tuple(weight.shape) != (C,):
        raise ValueError(f"weight has the shape {tuple(weight.shape)}. Give one weight for each class: ({C},).")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is {label_smoothing}. It is a share: choose 0 to 1, often 0.1.")


def check_class_shapes(logits, targets):
    """Raise ValueError unless targets have the shape of the logits without the dimension of the classes."""
    if logits.ndim == 0:
        raise ValueError("logits have no dimension for the classes: their shape is (). Write one logit for each class.")
    came, wanted = tuple(targets.shape), tuple(logits.shape[:1] + logits.shape[2:]) if logits.ndim > 1 else ()
    if came == wanted:
        return
    advice = "Classes are the only dimension of logits, or the second: (C,), (N, C) or (N, C, ...)."
    if came == tuple(logits.shape):
        advice = "If targets are one-hot, write targets.argmax(1); if they are probabilities, use kl_div."
    elif logits.ndim > 2 and came == tuple(logits.shape[:-1]):
        advice = "Your classes are the last dimension. Write logits.flatten(0, -2) and targets.flatten()."
    elif targets.numel() == math.prod(wanted):
        advice = f"Write targets.view({wanted})."
    raise ValueError(f"logits have the shape {tuple(logits.shape)}, so targets must be {wanted}; {came} came. {advice}")


def check_counted(counted, ignore_index):
    """Raise ValueError when no target counts, for then there is no mean."""
    if not counted.any():
        raise ValueError(
            f"Every target is ignore_index ({ignore_index}), or there are none: there is no mean over nothing. Leave "
            "such a batch out, or use reduction='sum'."
        )


def check_probabilities(values, name, advice):
    """Raise ValueError when any of `values` is below 0 or above 1."""
    wrong = values[(values < 0) | (values > 1)]
    if len(wrong):
        raise ValueError(f"{name} must be between 0 and 1; {wrong[0].item():.4g} came. {advice}")


def check_log_probabilities(values, name):
    """Raise ValueError when any of `values` is above 0 by more than rounding."""
    if (values > 1e-2).any():
        raise ValueError(
            f"{name} must be logs of probabilities, so at most 0; {values.max().item():.4g} came. For logits write "
            "log_softmax(logits), for probabilities probabilities.log()."
        )


def check_delta(delta):
    """Raise ValueError unless delta is above 0."""
    if not delta > 0:
        raise ValueError(f"delta is {delta}; it must be above 0. It is the error from which on the loss is straight.")
