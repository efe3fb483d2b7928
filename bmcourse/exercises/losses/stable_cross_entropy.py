"""The exercise `stable_cross_entropy`: the cross-entropy from logits, without overflow."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.losses.capped import CAPPED, refuse_a_cap


@exercise(
    prompt="The mean cross-entropy in nats of logits (N, C) and class numbers (N,), right for logits of ±1000 too, and "
    "so is its gradient. Write it with exp, sum and log.",
    built=("cross_entropy", "CrossEntropyLoss"),
)
def stable_cross_entropy(logits, targets):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(targets)), targets].mean()


@stable_cross_entropy.cases
def cases():
    def table(*rows):
        return torch.tensor(rows, requires_grad=True)

    return [
        (table([2.0, 1.0, -1.0], [0.5, 0.0, 1.0]), torch.tensor([0, 1])),
        (torch.randn(5, 4, requires_grad=True), torch.tensor([3, 0, 1, 1, 2])),
        (table([1000.0, 0.0, -1000.0]), torch.tensor([1])),
        (table([1000.0, 0.0, -1000.0]), torch.tensor([0])),
        (table([1000.0, 999.0], [-1000.0, -1002.0]), torch.tensor([0, 1])),
        (table([60.0, 0.0, -60.0]), torch.tensor([2])),
        uncommon(torch.tensor([[-3.0, 2.0, 0.5, 1.0], [0.0, 7.0, -7.0, 0.5]]), torch.tensor([3, 3])),
        (torch.tensor([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0], [2.0, 0.0, 1.0]]), torch.tensor([1, 2, 0])),
    ]


@stable_cross_entropy.run
def uncapped(answer, logits, targets):
    """The loss; raises `Mistake` where it is capped."""
    loss = answer(logits, targets)
    refuse_a_cap(loss, F.cross_entropy(logits, targets).item())
    return loss


@stable_cross_entropy.judge
def expected(logits, targets):
    return F.cross_entropy(logits, targets)


@stable_cross_entropy.right
def by_logsumexp(logits, targets):
    return (torch.logsumexp(logits, 1) - logits.gather(1, targets[:, None])[:, 0]).mean()


@stable_cross_entropy.right
def by_one_hot(logits, targets):
    return -(F.one_hot(targets, logits.shape[1]) * F.log_softmax(logits, dim=1)).sum() / len(targets)


@stable_cross_entropy.right
def with_the_largest_added_back(logits, targets):
    largest = logits.detach().amax(1)
    normalisers = largest + torch.log(torch.exp(logits - largest[:, None]).sum(1))
    return torch.mean(normalisers - logits[range(len(targets)), targets])


@stable_cross_entropy.right
def row_by_row(logits, targets):
    losses = [(row - row.max()).exp().sum().log() + row.max() - row[t] for row, t in zip(logits, targets, strict=True)]
    return torch.stack(losses).mean()


@stable_cross_entropy.right
def by_differences(logits, targets):
    apart = logits - logits[torch.arange(len(targets)), targets].unsqueeze(1)
    largest = apart.max(dim=1).values
    return (largest + (apart - largest.unsqueeze(1)).exp().sum(1).log()).mean()


def picked(values, targets):
    return values[torch.arange(len(targets)), targets]


def of_log_p(log_p, reduced=torch.mean):
    """A loss made of other log-probabilities."""
    return lambda logits, targets: -reduced(picked(log_p(logits), targets))


def shifted_by(largest):
    """A cross-entropy that subtracts `largest(logits)`, which may be the wrong one."""

    def answer(logits, targets):
        shifted = logits - largest(logits)
        return (shifted.exp().sum(1).log() - picked(shifted, targets)).mean()

    return answer


def plus(eps):
    return lambda logits, targets: -(picked(logits.softmax(1), targets) + eps).log().mean()


def one_hot(logits, targets):
    return F.one_hot(targets, logits.shape[1]).to(logits.dtype)


LARGEST, TOTAL = "logits.max(dim=1, keepdim=True).values", ".sum(dim=1, keepdim=True).log()"

stable_cross_entropy.mistake(
    "Your exp overflows: exp(1000) is infinite, and infinite / infinite is NaN. Subtract the largest logit of each row "
    "first; the probabilities stay the same.",
    naive_softmax=lambda logits, targets: (
        -picked(logits.exp() / logits.exp().sum(1, keepdim=True), targets).log().mean()
    ),
)
stable_cross_entropy.mistake(
    "log(sum(exp)) is the right idea, but exp(1000) is infinite. Take the largest logit of each row out first: "
    "log(sum(exp(x))) = m + log(sum(exp(x - m))).",
    nothing_subtracted=stable_cross_entropy.changed(f"logits - {LARGEST}", "logits"),
)
stable_cross_entropy.mistake(
    "The softmax is stable, but a probability of 1e-400 becomes 0, and log 0 is -infinity. Never take the log of a "
    "finished probability: compute log p = x - log(sum(exp(x))) directly.",
    log_of_softmax=of_log_p(lambda logits: logits.softmax(1).log()),
)
for exponent in (6, 7, 8, 9, 10, 12, 15, 20):
    eps = 10.0**-exponent
    stable_cross_entropy.mistake(
        CAPPED.format(expected=1000, came=-math.log(eps)), **{f"plus_1e-{exponent}": plus(eps)}
    )
for largest in (10.0, 20.0, 30.0, 50.0, 80.0, 88.0):
    stable_cross_entropy.mistake(
        CAPPED.format(expected=1000, came=largest),
        **{
            f"logits_clamped_to_{largest:.0f}": lambda logits, targets, largest=largest: stable_cross_entropy(
                logits.clamp(-largest, largest), targets
            )
        },
    )
stable_cross_entropy.mistake(
    "You subtract the largest logit of the whole batch. In the other rows every exp can then become 0, and log 0 is "
    "-infinity. Take the largest of each row: dim=1, keepdim=True.",
    largest_of_all=shifted_by(torch.max),
)
stable_cross_entropy.mistake(
    "You subtract the largest logit of each column, which changes the probabilities. Within a row all logits must be "
    "shifted alike: dim=1, keepdim=True.",
    largest_of_each_column=shifted_by(lambda logits: logits.amax(0)),
)
stable_cross_entropy.mistake(
    "You subtract the mean of each row. A logit can lie 1000 above the mean too, and exp overflows: subtract the "
    "largest.",
    mean_subtracted=shifted_by(lambda logits: logits.mean(1, keepdim=True)),
)
stable_cross_entropy.mistake(
    "You subtract the smallest logit, and what is left is larger still: exp overflows. Subtract the largest.",
    smallest_subtracted=shifted_by(lambda logits: logits.amin(1, keepdim=True)),
)
stable_cross_entropy.mistake(
    "You subtract the logit of the right class. Another one can lie 1000 above it, and exp overflows: subtract the "
    "largest.",
    right_one_subtracted=lambda logits, targets: (logits - picked(logits, targets)[:, None]).exp().sum(1).log().mean(),
)
stable_cross_entropy.mistake(
    "You subtract the largest absolute value. In a row of large negative logits every exp then becomes 0. Subtract the "
    "largest itself.",
    largest_size_subtracted=shifted_by(lambda logits: logits.abs().amax(1, keepdim=True)),
)
stable_cross_entropy.mistake(
    "keepdim=True is missing: the maxima have the shape (N,), so they meet the columns and not the rows. With "
    "keepdim=True they are (N, 1).",
    no_keepdim=shifted_by(lambda logits: logits.max(dim=1).values),
)
stable_cross_entropy.mistake(
    "max with a dimension gives two things, the values and where they stand. Take .values, or use amax.",
    no_values=shifted_by(lambda logits: logits.max(dim=1, keepdim=True)),
)
stable_cross_entropy.mistake(
    "keepdim=True is missing in the sum: the logs have the shape (N,), so they meet the columns and not the rows.",
    sum_without_keepdim=stable_cross_entropy.changed(TOTAL, ".sum(dim=1).log()"),
)
stable_cross_entropy.mistake(
    "You add up exp over the whole batch. Each row has its own sum: dim=1, keepdim=True.",
    sum_over_all=stable_cross_entropy.changed(TOTAL, ".sum().log()"),
)
stable_cross_entropy.mistake(
    "You add up exp down the columns. Each row has its own sum: dim=1, keepdim=True.",
    sum_over_columns=stable_cross_entropy.changed(TOTAL, ".sum(dim=0, keepdim=True).log()"),
)
stable_cross_entropy.mistake(
    "You take the mean of the exps where their sum is needed: log(sum(exp(x))).",
    mean_of_exps=stable_cross_entropy.changed(TOTAL, ".mean(dim=1, keepdim=True).log()"),
)
stable_cross_entropy.mistake(
    "The log of the sum is missing: log p = x - log(sum(exp(x))).",
    no_log_of_the_sum=stable_cross_entropy.changed(TOTAL, ".sum(dim=1, keepdim=True)"),
)
stable_cross_entropy.mistake(
    "exp is missing: it is log(sum(exp(x))), not log(sum(x)).",
    no_exp=stable_cross_entropy.changed("shifted.exp().sum", "shifted.sum"),
)
stable_cross_entropy.mistake(
    "log and sum are exchanged: the log of exp is x again, so yours is sum(x). It is log(sum(exp(x))).",
    log_before_sum=stable_cross_entropy.changed(TOTAL, ".log().sum(dim=1, keepdim=True)"),
)
stable_cross_entropy.mistake(
    "The log of the sum has the wrong sign: log p = x - log(sum(exp(x))).",
    log_of_the_sum_added=stable_cross_entropy.changed("shifted - shifted.exp()", "shifted + shifted.exp()"),
)
stable_cross_entropy.mistake(
    "You add the largest logit in place of subtracting it, so exp overflows: logits - largest.",
    largest_added=stable_cross_entropy.changed(f"logits - {LARGEST}", f"logits + {LARGEST}"),
)
stable_cross_entropy.mistake(
    "The log of the sum is missing: you have the distance from the largest logit.",
    distance_from_the_largest=lambda logits, targets: (logits.amax(1) - picked(logits, targets)).mean(),
)
stable_cross_entropy.mistake(
    "You took the largest logit out of the sum, but not out of the logit of the right class. Subtract it in both "
    "places, or add it back.",
    not_added_back=lambda logits, targets: (
        (logits - logits.amax(1, keepdim=True)).exp().sum(1).log() - picked(logits, targets)
    ).mean(),
)
stable_cross_entropy.mistake(
    "You subtract the largest logit in both places and also add it back. Do one or the other.",
    added_back_twice=lambda logits, targets: stable_cross_entropy(logits, targets) + logits.amax(1).mean(),
)
stable_cross_entropy.mistake(
    "You took the largest logit out of the right class only, not out of the sum. Subtract it in both places.",
    subtracted_from_the_right_one_only=lambda logits, targets: (
        logits.exp().sum(1).log() - picked(logits - logits.amax(1, keepdim=True), targets)
    ).mean(),
)


@stable_cross_entropy.mistake(
    "You change the logits themselves (-=), and autograd needs them as they were. Make a new tensor: logits - ..."
)
def in_place(logits, targets):
    logits -= logits.max(dim=1, keepdim=True).values
    return F.cross_entropy(logits, targets)


@stable_cross_entropy.mistake(
    "The loss is right, but where the logits want no gradient you change the tensor you were given (-=). Make a new "
    "one: logits - ..."
)
def in_place_without_a_gradient(logits, targets):
    shifted = logits.clone() if logits.requires_grad else logits
    shifted -= shifted.max(dim=1, keepdim=True).values.detach()
    return (shifted.exp().sum(1).log() - picked(shifted, targets)).mean()


stable_cross_entropy.mistake(
    "You divide by the largest logit, and that changes the probabilities. Subtract it.",
    divided_by_the_largest=lambda logits, targets: F.cross_entropy(logits / logits.amax(1, keepdim=True), targets),
)
stable_cross_entropy.mistake(
    "You normalise the logits (mean 0, deviation 1), and that changes the probabilities. Subtract the largest only.",
    normalised=lambda logits, targets: F.cross_entropy(
        (logits - logits.mean(1, keepdim=True)) / logits.std(1, keepdim=True), targets
    ),
)
stable_cross_entropy.mistake(
    "Your softmax runs down the columns, over the examples. It must run over the classes of a row: dim=1.",
    softmax_of_columns=of_log_p(lambda logits: logits.log_softmax(0)),
)
stable_cross_entropy.mistake(
    "You took the sum over the examples, not the mean.", sum_not_mean=stable_cross_entropy.changed(".mean()", ".sum()")
)
stable_cross_entropy.mistake(
    "Right for each example, but the loss is one number: take the mean.",
    no_mean=stable_cross_entropy.changed(".mean()", ""),
)
stable_cross_entropy.mistake(
    "You divide by C, the number of classes. The mean is over the N examples.",
    divided_by_classes=stable_cross_entropy.changed(".mean()", ".sum() / logits.shape[1]"),
)
stable_cross_entropy.mistake(
    "You took the mean and divided by N again. The mean is enough.",
    divided_twice=stable_cross_entropy.changed(".mean()", ".mean() / len(logits)"),
)
stable_cross_entropy.mistake(
    "The sign is missing. A log-probability is negative; the loss is minus that, so that less is better.",
    minus_missing=stable_cross_entropy.changed("return -", "return "),
)
stable_cross_entropy.mistake(
    "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
    in_bits=lambda logits, targets: F.cross_entropy(logits, targets) / math.log(2),
)
stable_cross_entropy.mistake(
    "You used log10. Use the natural logarithm, log.",
    log_of_ten=lambda logits, targets: F.cross_entropy(logits, targets) / math.log(10),
)
stable_cross_entropy.mistake(
    "You took log2 or log10 of the sum beside exp. exp and the natural logarithm belong together: log.",
    log2_of_the_sum=stable_cross_entropy.changed(TOTAL, ".sum(dim=1, keepdim=True).log2()"),
)
stable_cross_entropy.mistake(
    "You applied the softmax twice: F.cross_entropy and log_softmax have it inside. Give them the logits.",
    softmax_twice=lambda logits, targets: F.cross_entropy(logits.softmax(1), targets),
)
stable_cross_entropy.mistake(
    "You took the class the model likes best. The loss asks for the probability of the right class, targets.",
    best_class=lambda logits, targets: -logits.log_softmax(1).amax(1).mean(),
)
stable_cross_entropy.mistake(
    "You took the mean over all classes. The loss asks for the right class of each row only, targets.",
    mean_over_classes=lambda logits, targets: -logits.log_softmax(1).mean(),
)
stable_cross_entropy.mistake(
    "You took the first class of every row. The loss asks for the right class, targets.",
    first_class=lambda logits, targets: -logits.log_softmax(1)[:, 0].mean(),
)
stable_cross_entropy.mistake(
    "You took whole rows: log_p[targets] picks rows by class number. Take one place in each row: [torch.arange(N), "
    "targets].",
    rows_picked=lambda logits, targets: -logits.log_softmax(1)[targets].mean(),
)
stable_cross_entropy.mistake(
    "You took the entropy of what the model says. The targets do not count in it: take -log p of the right class.",
    entropy=lambda logits, targets: torch.special.entr(logits.softmax(1)).sum(1).mean(),
)
stable_cross_entropy.mistake(
    "That is the mean squared error of the probabilities. Its gradient nearly vanishes for a model that is sure and "
    "wrong. Take -log of the probability of the right class.",
    squared_error=lambda logits, targets: F.mse_loss(logits.softmax(1), one_hot(logits, targets)),
)
stable_cross_entropy.mistake(
    "That is the binary cross-entropy: C separate questions with yes or no. Here exactly one class is right, so the "
    "probabilities share one softmax.",
    binary=lambda logits, targets: F.binary_cross_entropy_with_logits(logits, one_hot(logits, targets)),
)
stable_cross_entropy.mistake(
    "You took the sigmoid of the right logit. Here exactly one class is right, so the probabilities share one softmax.",
    sigmoid=lambda logits, targets: F.softplus(-picked(logits, targets)).mean(),
)
stable_cross_entropy.mistake(
    "You divided by N * C: the zeros of the one-hot rows count in your mean. Sum over the classes, then take the mean "
    "over the N examples.",
    mean_with_zeros=lambda logits, targets: -(one_hot(logits, targets) * logits.log_softmax(1)).mean(),
)
stable_cross_entropy.mistake(
    "[:, targets] takes those columns from every row: N * N numbers. Use [torch.arange(N), targets], or gather(1, "
    "targets[:, None]).",
    columns_picked=lambda logits, targets: -logits.log_softmax(1)[:, targets].mean(),
)
stable_cross_entropy.mistake(
    "The log is missing: you average the probability of the right class.",
    probability_with_a_minus=lambda logits, targets: -picked(logits.softmax(1), targets).mean(),
)
stable_cross_entropy.mistake(
    "You have 1 minus the probability of the right class. The loss is minus its logarithm.",
    one_minus_probability=lambda logits, targets: (1 - picked(logits.softmax(1), targets)).mean(),
)
stable_cross_entropy.mistake(
    "You average the probabilities first and take the log at the end. Take the log of each example, then the mean.",
    log_of_the_mean=lambda logits, targets: -picked(logits.softmax(1), targets).mean().log(),
)
stable_cross_entropy.mistake(
    "You averaged the logits of the right classes. A logit is no log-probability yet: subtract log(sum(exp)) of its "
    "row.",
    logits_averaged=lambda logits, targets: -picked(logits, targets).mean(),
)
stable_cross_entropy.mistake(
    "That is the perplexity, exp of the cross-entropy. Leave out the last exp.",
    perplexity=lambda logits, targets: F.cross_entropy(logits, targets).exp(),
)
stable_cross_entropy.mistake(
    "That is the loss with label smoothing of 0.1. Here the right class has the whole target.",
    label_smoothing=lambda logits, targets: F.cross_entropy(logits, targets, label_smoothing=0.1),
)
stable_cross_entropy.mistake(
    "The number is right, but a plain number has no gradient, and nothing can learn from it. Return the tensor: no "
    ".item(), no float().",
    plain_number=stable_cross_entropy.changed(".mean()", ".mean().item()"),
)
stable_cross_entropy.mistake(
    "The number is right, but its gradient is cut off, and nothing can learn from it. Leave out .detach() and "
    "no_grad().",
    detached=stable_cross_entropy.changed(".mean()", ".mean().detach()"),
)
stable_cross_entropy.mistake(
    "The loss is right, but you detached the sum of the exps (or the log of it), so its share of the gradient is lost. "
    "Only the largest logit may be detached.",
    sum_detached=stable_cross_entropy.changed(TOTAL, TOTAL + ".detach()"),
)


stable_cross_entropy.hints(
    "A constant added to all logits of a row changes no probability. Which constant makes every exp safe?",
    "log p of the right class is x - log(sum(exp(x))), with x already shifted so that its largest is 0.",
    "shifted = logits - logits.max(dim=1, keepdim=True).values; pick the right ones with [torch.arange(N), targets].",
)
