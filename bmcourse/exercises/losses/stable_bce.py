"""The exercise `stable_bce` of lesson 04."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.losses.shared import CAPPED, refuse_a_cap, with_gradient
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The mean binary cross-entropy in nats, from logits and targets between 0 and 1 of the same shape. It is "
    "right for logits of ±1000 too, and so is its gradient."
)
def stable_bce(logits, targets):
    # The gradient of torch.maximum at 0 is 1/2, which is right here; that of clamp would be 1.
    positive_part = torch.maximum(logits, torch.zeros_like(logits))
    return (positive_part - logits * targets + torch.log1p(torch.exp(-logits.abs()))).mean()


BCE_OF_TORCH = (
    "F.binary_cross_entropy cuts every log off at -100. Here the loss should be 1000, and its gradient is gone: the "
    "model is sure, wrong, and learns nothing. Put the sigmoid and the log together."
)


@stable_bce.run
def bce_run(answer, logits, targets):
    result = with_gradient(answer, logits, targets)
    loss, expected = result["loss"], F.binary_cross_entropy_with_logits(logits, targets).item()
    if torch.is_tensor(loss) and loss.ndim == 0 and expected == 1000 and loss == 100:
        raise Mistake(BCE_OF_TORCH)
    refuse_a_cap(loss, expected)
    return result


@stable_bce.right
def bce_by_softplus(logits, targets):
    return torch.mean(targets * F.softplus(-logits) + (1 - targets) * F.softplus(logits))


@stable_bce.right
def bce_by_logsigmoid(logits, targets):
    return -(targets * F.logsigmoid(logits) + (1 - targets) * F.logsigmoid(-logits)).sum() / logits.numel()


@stable_bce.right
def bce_by_logaddexp(logits, targets):
    return (torch.logaddexp(logits, torch.zeros_like(logits)) - targets * logits).mean()


@stable_bce.right
def bce_by_clamp(logits, targets):
    return (logits.clamp(min=0) - logits * targets + torch.log1p(torch.exp(-logits.abs()))).mean()


@stable_bce.right
def bce_by_cases(logits, targets):
    tail = (1 + torch.exp(-logits.abs())).log()
    return torch.where(logits > 0, logits * (1 - targets) + tail, tail - logits * targets).mean()


def bce_of_probabilities(p, targets):
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


@stable_bce.mistake(
    "The loss is right, but its gradient is NaN: torch.where computes both branches for every element, and the "
    "one not used still overflows (0 * infinity). Make the exp itself safe: exp(-|x|)."
)
def bce_by_a_where(x, y):
    above, below = (1 - y) * x + (1 + torch.exp(-x)).log(), (1 + torch.exp(x)).log() - y * x
    return torch.where(x >= 0, above, below).mean()


@stable_bce.mistake(CAPPED.format(expected=1000, came=-math.log(1e-12)))
def bce_with_a_tiny_number(logits, targets):
    p = logits.sigmoid()
    return -(targets * (p + 1e-12).log() + (1 - targets) * (1 - p + 1e-12).log()).mean()


@stable_bce.cases
def cases():
    return [
        (torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, 0.0])),
        (3 * torch.randn(4, 3), torch.randint(2, (4, 3)).float()),
        (torch.randn(6), torch.rand(6)),
        (torch.tensor([1000.0, -1000.0]), torch.tensor([1.0, 0.0])),
        (torch.tensor([-1000.0]), torch.tensor([1.0])),
        (torch.tensor([1000.0]), torch.tensor([0.0])),
    ]


@stable_bce.judge
def expected(logits, targets):
    return with_gradient(F.binary_cross_entropy_with_logits, logits, targets)


stable_bce.mistake(
    "This is the formula as written, and it breaks at ±1000: the sigmoid rounds to 0 or 1, log 0 is -infinity, "
    "and 0 * infinity is NaN. Put sigmoid and log together: -log(sigmoid(x)) = log(1 + exp(-x)).",
    TODO_71=lambda x, y: bce_of_probabilities(x.sigmoid(), y),
)


stable_bce.mistake(BCE_OF_TORCH, TODO_72=lambda x, y: F.binary_cross_entropy(x.sigmoid(), y))


stable_bce.mistake(
    "log(1 + exp(-x)) is the right idea, but for x = -1000 the exp is infinite. With |x| it only sees numbers "
    "below 0: log(1 + exp(-x)) = max(-x, 0) + log(1 + exp(-|x|)).",
    TODO_73=lambda x, y: ((1 - y) * x + (1 + (-x).exp()).log()).mean(),
)


stable_bce.mistake(
    "log(1 + exp(x)) is the right idea, but for x = 1000 the exp is infinite. With |x| it only sees numbers "
    "below 0: log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).",
    TODO_74=lambda x, y: ((1 + x.exp()).log() - x * y).mean(),
)


stable_bce.mistake(
    "exp(x) / (1 + exp(x)) is infinite / infinite for x = 1000, which is NaN. Put sigmoid and log together: "
    "-log(sigmoid(x)) = log(1 + exp(-x)).",
    TODO_75=lambda x, y: bce_of_probabilities(x.exp() / (1 + x.exp()), y),
)


stable_bce.mistake(
    "The sign is missing. A log-probability is negative; the loss is minus that, so that less is better.",
    TODO_76=lambda x, y: -F.binary_cross_entropy_with_logits(x, y),
)


stable_bce.mistake(
    "The targets are exchanged: your loss rewards the model for saying no to every yes.",
    TODO_77=lambda x, y: F.binary_cross_entropy_with_logits(x, 1 - y),
)


stable_bce.mistake(
    "The part of the targets that are 0 is missing. A model that always says yes would have no loss. Add "
    "(1 - targets) * ...",
    TODO_78=lambda x, y: (y * F.softplus(-x)).mean(),
)


stable_bce.mistake(
    "The part of the targets that are 1 is missing. A model that always says no would have no loss.",
    TODO_79=lambda x, y: ((1 - y) * F.softplus(x)).mean(),
)


stable_bce.mistake(
    "You took the sum, not the mean over all elements.",
    TODO_80=lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="sum"),
)


stable_bce.mistake(
    "Right for each element, but the loss is one number: take the mean.",
    TODO_81=lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"),
)


stable_bce.mistake(
    "One sign is wrong: it is max(x, 0) - x * target + ..., so that a large logit is good where the target is 1.",
    TODO_82=lambda x, y: (x.clamp(min=0) + x * y + (-x.abs()).exp().log1p()).mean(),
)


stable_bce.mistake(
    "max(x, 0) is missing. log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)); you have only the second part.",
    TODO_83=lambda x, y: (-x * y + (-x.abs()).exp().log1p()).mean(),
)


stable_bce.mistake(
    "A minus is missing: exp(-|x|). exp(|x|) is what overflows.",
    TODO_84=lambda x, y: (x.clamp(min=0) - x * y + x.abs().exp().log1p()).mean(),
)


stable_bce.mistake(
    "The 1 inside the log is missing: log(1 + exp(-|x|)), which is log1p(exp(-|x|)).",
    TODO_85=lambda x, y: (x.clamp(min=0) - x * y + (-x.abs()).exp().log()).mean(),
)


stable_bce.mistake(
    "The rounded part is missing: near 0 the loss is not a bent line but a curve. Add log(1 + exp(-|x|)).",
    TODO_86=lambda x, y: (x.clamp(min=0) - x * y).mean(),
)


stable_bce.mistake(
    "You applied the sigmoid twice: the function has it inside. Give it the logits.",
    TODO_87=lambda x, y: F.binary_cross_entropy_with_logits(x.sigmoid(), y),
)


stable_bce.mistake(
    "That is the mean squared error of the probabilities. Its gradient vanishes for a model that is sure and wrong.",
    TODO_88=lambda x, y: F.mse_loss(x.sigmoid(), y),
)


stable_bce.mistake(
    "You take the log of the logits as if they were probabilities. A logit may be negative: it goes through "
    "the sigmoid first, p = sigmoid(x).",
    TODO_89=lambda x, y: -(y * x.log() + (1 - y) * (1 - x).log()).mean(),
)


stable_bce.mistake(
    "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
    TODO_90=lambda x, y: F.binary_cross_entropy_with_logits(x, y) / math.log(2),
)


stable_bce.hints(
    "-log(sigmoid(x)) is log(1 + exp(-x)), and -log(1 - sigmoid(x)) is log(1 + exp(x)). Put them into the formula.",
    "It becomes log(1 + exp(x)) - x * target. Only one thing is still unsafe: exp of a large x.",
    "log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)): now exp never sees a positive number.",
)
