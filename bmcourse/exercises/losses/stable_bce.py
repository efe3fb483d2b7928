"""The exercise `stable_bce`: the binary cross-entropy from logits, without overflow."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.losses.capped import CAPPED, refuse_a_cap
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The mean binary cross-entropy in nats, from logits and targets between 0 and 1 of the same shape. It is "
    "right for logits of ±1000 too, and so is its gradient.",
    built=("binary_cross_entropy_with_logits", "BCEWithLogitsLoss"),
    untried={"targets": {"a gradient is wanted": "targets are data: no weights have made them"}},
)
def stable_bce(logits, targets):
    # The gradient of torch.maximum at 0 is 1/2, which is right here; that of clamp would be 1.
    positive_part = torch.maximum(logits, torch.zeros_like(logits))
    return (positive_part - logits * targets + torch.log1p(torch.exp(-logits.abs()))).mean()


@stable_bce.cases
def cases():
    def row(*numbers):
        return torch.tensor(numbers, requires_grad=True)

    logits, targets = uncommon(torch.tensor([[2.0, -3.0, 2.0, 0.4]]), torch.tensor([[0.0, 1.0, 1.0, 0.3]]))
    return [
        (row(2.0, -1.0, 0.5), torch.tensor([1.0, 1.0, 0.0])),
        ((3 * torch.randn(4, 3)).requires_grad_(), torch.randint(2, (4, 3)).float()),
        (torch.randn(6, requires_grad=True), torch.rand(6)),
        (row(1000.0, -1000.0), torch.tensor([1.0, 0.0])),
        (row(-1000.0), torch.tensor([1.0])),
        (row(1000.0), torch.tensor([0.0])),
        (logits, targets.detach()),
        (row(40.0, -40.0), torch.tensor([0.0, 1.0])),
        (torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.5, 1.0]])),  # some right answers have a kink at 0
    ]


BCE_OF_TORCH = (
    "F.binary_cross_entropy cuts every log off at -100. Here the loss should be 1000, and its gradient is gone: the "
    "model is sure, wrong, and learns nothing. Put the sigmoid and the log together."
)


@stable_bce.run
def uncapped(answer, logits, targets):
    """The loss; raises `Mistake` where it is capped."""
    loss, expected = answer(logits, targets), F.binary_cross_entropy_with_logits(logits, targets).item()
    if torch.is_tensor(loss) and loss.ndim == 0 and expected == 1000 and loss == 100:
        raise Mistake(BCE_OF_TORCH)
    refuse_a_cap(loss, expected)
    return loss


@stable_bce.judge
def expected(logits, targets):
    return F.binary_cross_entropy_with_logits(logits, targets)


@stable_bce.right
def by_softplus(logits, targets):
    return torch.mean(targets * F.softplus(-logits) + (1 - targets) * F.softplus(logits))


@stable_bce.right
def by_logsigmoid(logits, targets):
    return -(targets * F.logsigmoid(logits) + (1 - targets) * F.logsigmoid(-logits)).sum() / logits.numel()


@stable_bce.right
def by_logaddexp(logits, targets):
    return (torch.logaddexp(logits, torch.zeros_like(logits)) - targets * logits).mean()


@stable_bce.right
def by_clamp(logits, targets):
    return (logits.clamp(min=0) - logits * targets + torch.log1p(torch.exp(-logits.abs()))).mean()


@stable_bce.right
def by_two_branches(logits, targets):
    tail = (1 + torch.exp(-logits.abs())).log()
    return torch.where(logits > 0, logits * (1 - targets) + tail, tail - logits * targets).mean()


@stable_bce.right
def by_two_classes(logits, targets):
    both = torch.stack([torch.zeros_like(logits), logits], -1).log_softmax(-1)
    return -(targets * both[..., 1] + (1 - targets) * both[..., 0]).mean()


def of_probabilities(p, targets):
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def by_parts(
    positive=lambda x, y: x.clamp(min=0), product=lambda x, y: -x * y, tail=lambda x: (-x.abs()).exp().log1p()
):
    """The formula with another part."""
    return lambda x, y: (positive(x, y) + product(x, y) + tail(x)).mean()


@stable_bce.mistake(
    "The loss is right, but its gradient is NaN: torch.where computes both branches for every element, and the one not "
    "used still overflows (0 * infinity). Make the exp itself safe: exp(-|x|)."
)
def where_of_an_overflow(x, y):
    above, below = (1 - y) * x + (1 + torch.exp(-x)).log(), (1 + torch.exp(x)).log() - y * x
    return torch.where(x >= 0, above, below).mean()


def with_a_tiny_number(eps):
    def answer(logits, targets):
        p = logits.sigmoid()
        return -(targets * (p + eps).log() + (1 - targets) * (1 - p + eps).log()).mean()

    return answer


for exponent in (6, 7, 8, 9, 10, 12, 15, 20):
    eps = 10.0**-exponent
    stable_bce.mistake(
        CAPPED.format(expected=1000, came=-math.log(eps)), **{f"plus_1e-{exponent}": with_a_tiny_number(eps)}
    )
for largest in (10.0, 20.0, 30.0, 50.0, 80.0, 88.0):
    stable_bce.mistake(
        CAPPED.format(expected=1000, came=largest),
        **{f"logits_clamped_to_{largest:.0f}": lambda x, y, largest=largest: stable_bce(x.clamp(-largest, largest), y)},
    )

stable_bce.mistake(
    "This is the formula as written, and it breaks at ±1000: the sigmoid rounds to 0 or 1, log 0 is -infinity, and 0 * "
    "infinity is NaN. Put sigmoid and log together: -log(sigmoid(x)) = log(1 + exp(-x)).",
    formula_as_written=lambda x, y: of_probabilities(x.sigmoid(), y),
)
stable_bce.mistake(BCE_OF_TORCH, torch_of_probabilities=lambda x, y: F.binary_cross_entropy(x.sigmoid(), y))
stable_bce.mistake(
    "log(1 + exp(-x)) is the right idea, but for x = -1000 the exp is infinite. With |x| it only sees numbers below 0: "
    "log(1 + exp(-x)) = max(-x, 0) + log(1 + exp(-|x|)).",
    overflow_below=lambda x, y: ((1 - y) * x + (1 + (-x).exp()).log()).mean(),
)
stable_bce.mistake(
    "log(1 + exp(x)) is the right idea, but for x = 1000 the exp is infinite. With |x| it only sees numbers below 0: "
    "log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).",
    overflow_above=lambda x, y: ((1 + x.exp()).log() - x * y).mean(),
)
stable_bce.mistake(
    "You use log(1 + exp(-x)) and log(1 + exp(x)), and for ±1000 one of them is infinite; 0 times that is NaN. With "
    "|x| exp only sees numbers below 0: log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).",
    overflow_on_both_sides=lambda x, y: (y * (1 + (-x).exp()).log() + (1 - y) * (1 + x.exp()).log()).mean(),
)
stable_bce.mistake(
    "exp(x) / (1 + exp(x)) is infinite / infinite for x = 1000, which is NaN. Put sigmoid and log together: "
    "-log(sigmoid(x)) = log(1 + exp(-x)).",
    sigmoid_by_hand=lambda x, y: of_probabilities(x.exp() / (1 + x.exp()), y),
)
stable_bce.mistake(
    "torch.where hides the infinite logs, but the gradient goes through them and is NaN. Put sigmoid and log together: "
    "-log(sigmoid(x)) = log(1 + exp(-x)).",
    where_of_logs=lambda x, y: -torch.where(y == 1, x.sigmoid().log(), (1 - x.sigmoid()).log()).mean(),
)
stable_bce.mistake(
    "nan_to_num turns what overflowed into 0 or a huge number. It hides the overflow and does not cure it: put sigmoid "
    "and log together.",
    nan_to_num=lambda x, y: (
        -(y * x.sigmoid().log() + (1 - y) * (1 - x.sigmoid()).log()).nan_to_num(0.0, 0.0, 0.0).mean()
    ),
)
stable_bce.mistake(
    "The sign is missing. A log-probability is negative; the loss is minus that, so that less is better.",
    minus=stable_bce.changed("return ", "return -"),
)
stable_bce.mistake(
    "The targets are exchanged: your loss rewards the model for saying no to every yes.",
    targets_exchanged=lambda x, y: stable_bce(x, 1 - y),
)
stable_bce.mistake(
    "The part of the targets that are 0 is missing. A model that always says yes would have no loss. Add (1 - targets) "
    "* ...",
    only_the_ones=lambda x, y: (y * F.softplus(-x)).mean(),
)
stable_bce.mistake(
    "The part of the targets that are 1 is missing. A model that always says no would have no loss.",
    only_the_zeros=lambda x, y: ((1 - y) * F.softplus(x)).mean(),
)
stable_bce.mistake(
    "The targets do not count with you: each logit is asked for a yes, log(1 + exp(-x)). Where the target is 0 it is "
    "log(1 + exp(x)).",
    always_yes=lambda x, y: F.softplus(-x).mean(),
)
stable_bce.mistake(
    "The targets do not count with you: - x * target is missing.", no_product=by_parts(product=lambda x, y: 0)
)
stable_bce.mistake(
    "You round the targets to 0 or 1. Between them they are probabilities, and count as such: y * ... + (1 - y) * ....",
    targets_rounded=lambda x, y: stable_bce(x, (y > 0.5).to(x.dtype)),
)
stable_bce.mistake(
    "You choose one part for each element, by target == 1, so a target of 0.3 counts as 0. Weigh both: y * ... + (1 - "
    "y) * ....",
    choice_by_one=lambda x, y: torch.where(y == 1, F.softplus(-x), F.softplus(x)).mean(),
)
stable_bce.mistake(
    "You choose one part for each element, by target > 0, so a target of 0.3 counts as 1. Weigh both: y * ... + (1 - "
    "y) * ....",
    choice_by_more_than_zero=lambda x, y: torch.where(y > 0, F.softplus(-x), F.softplus(x)).mean(),
)
stable_bce.mistake(
    "You took the sum, not the mean over all elements.", sum_not_mean=stable_bce.changed(".mean()", ".sum()")
)
stable_bce.mistake(
    "You divide the sum by the number of rows. The mean runs over all elements.",
    mean_over_rows=stable_bce.changed(".mean()", ".sum() / len(logits)"),
)
stable_bce.mistake(
    "Right for each element, but the loss is one number: take the mean.", no_mean=stable_bce.changed(".mean()", "")
)
stable_bce.mistake(
    "Your mean runs along the last dimension only. The loss is one number over all elements: leave `dim` out.",
    mean_of_rows=stable_bce.changed(".mean()", ".mean(-1)"),
)
stable_bce.mistake(
    "Your mean runs down the columns only. The loss is one number over all elements: leave `dim` out.",
    mean_of_columns=stable_bce.changed(".mean()", ".mean(0)"),
)
stable_bce.mistake("Your loss is halved: the mean is enough.", halved=stable_bce.changed(".mean()", ".mean() / 2"))
stable_bce.mistake(
    "One sign is wrong: it is max(x, 0) - x * target + ..., so that a large logit is good where the target is 1.",
    plus_product=by_parts(product=lambda x, y: x * y),
)
stable_bce.mistake(
    "max(x, 0) is missing. log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)); you have only the second part.",
    no_positive_part=by_parts(positive=lambda x, y: 0),
)
stable_bce.mistake(
    "It is max(x, 0) - x * target: you have x itself, which is too small where x is below 0.",
    x_for_its_positive_part=by_parts(positive=lambda x, y: x),
)
stable_bce.mistake(
    "It is max(x, 0) - x * target: you have |x|, which is too large where x is below 0.",
    size_for_the_positive_part=by_parts(positive=lambda x, y: x.abs()),
)
stable_bce.mistake(
    "max(-x, 0) belongs to log(1 + exp(-x)). With - x * target it is max(x, 0).",
    negative_part=by_parts(positive=lambda x, y: (-x).clamp(min=0)),
)
stable_bce.mistake(
    "max(x, 0) is a clamp from below, min=0; you cut off what is above 0.",
    clamped_from_above=by_parts(positive=lambda x, y: x.clamp(max=0)),
)
stable_bce.mistake(
    "A minus is missing: exp(-|x|). exp(|x|) is what overflows.",
    size_without_minus=by_parts(tail=lambda x: x.abs().exp().log1p()),
)
stable_bce.mistake(
    "The 1 inside the log is missing: log(1 + exp(-|x|)), which is log1p(exp(-|x|)).",
    no_one_in_the_log=by_parts(tail=lambda x: (-x.abs()).exp().log()),
)
stable_bce.mistake(
    "log1p adds a 1 itself, and you add another: log1p(exp(-|x|)).",
    one_added_twice=by_parts(tail=lambda x: (1 + (-x.abs()).exp()).log1p()),
)
stable_bce.mistake(
    "The log is missing: it is log(1 + exp(-|x|)), not exp(-|x|) itself.",
    no_log=by_parts(tail=lambda x: (-x.abs()).exp()),
)
stable_bce.mistake(
    "The bars are missing in exp(-|x|): exp(-x) is infinite for x = -1000, and not the part that lacks.",
    no_size=by_parts(tail=lambda x: (-x).exp().log1p()),
)
stable_bce.mistake(
    "It is exp(-|x|): exp(x) is infinite for x = 1000, and not the part that lacks.",
    exp_of_x=by_parts(tail=lambda x: x.exp().log1p()),
)
stable_bce.mistake(
    "The sign of the last part is wrong: + log(1 + exp(-|x|)).",
    tail_subtracted=by_parts(tail=lambda x: -(-x.abs()).exp().log1p()),
)
stable_bce.mistake(
    "The rounded part is missing: near 0 the loss is not a bent line but a curve. Add log(1 + exp(-|x|)).",
    no_tail=by_parts(tail=lambda x: 0),
)
stable_bce.mistake(
    "You applied the sigmoid twice: the function has it inside. Give it the logits.",
    sigmoid_twice=lambda x, y: stable_bce(x.sigmoid(), y),
)
stable_bce.mistake(
    "That is the mean squared error of the probabilities. Its gradient vanishes for a model that is sure and wrong.",
    squared_error=lambda x, y: F.mse_loss(x.sigmoid(), y),
)
stable_bce.mistake(
    "That is the mean absolute error of the probabilities. Take -log of the probability of what is right.",
    absolute_error=lambda x, y: F.l1_loss(x.sigmoid(), y),
)
stable_bce.mistake(
    "That is the mean squared error of the logits. A logit is no probability, and its target is not 0 or 1.",
    squared_error_of_logits=lambda x, y: F.mse_loss(x, y),
)
stable_bce.mistake(
    "That is a hinge loss, as support vector machines have it. The cross-entropy is log(1 + exp(...)).",
    hinge=lambda x, y: (1 - (2 * y - 1) * x).clamp(min=0).mean(),
)
stable_bce.mistake(
    "You take the log of the logits as if they were probabilities. A logit may be negative: it goes through the "
    "sigmoid first, p = sigmoid(x).",
    logits_as_probabilities=lambda x, y: of_probabilities(x, y),
)
stable_bce.mistake(
    "You took the softmax, over all elements. Each logit is a yes-or-no question of its own: the sigmoid.",
    softmax=lambda x, y: -(y * x.log_softmax(-1)).sum(-1).mean(),
)
stable_bce.mistake(
    "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
    in_bits=stable_bce.changed(".mean()", ".mean() / math.log(2)"),
)
stable_bce.mistake(
    "You used log10. Use the natural logarithm, log.",
    log_of_ten=stable_bce.changed(".mean()", ".mean() / math.log(10)"),
)
stable_bce.mistake(
    "logits and targets are exchanged: the targets are the numbers between 0 and 1.",
    arguments_exchanged=lambda x, y: stable_bce(y, x),
)
stable_bce.mistake(
    "The number is right, but a plain number has no gradient, and nothing can learn from it. Return the tensor: no "
    ".item(), no float().",
    plain_number=stable_bce.changed(".mean()", ".mean().item()"),
)
stable_bce.mistake(
    "The number is right, but its gradient is cut off, and nothing can learn from it. Leave out .detach() and "
    "no_grad().",
    detached=stable_bce.changed(".mean()", ".mean().detach()"),
)


stable_bce.hints(
    "-log(sigmoid(x)) is log(1 + exp(-x)), and -log(1 - sigmoid(x)) is log(1 + exp(x)). Put them into the formula.",
    "It becomes log(1 + exp(x)) - x * target. Only one thing is still unsafe: exp of a large x.",
    "log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)): now exp never sees a positive number.",
)
