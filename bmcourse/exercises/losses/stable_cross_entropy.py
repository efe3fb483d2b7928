"""The exercise `stable_cross_entropy` of lesson 04."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.losses.shared import CAPPED, picked, refuse_a_cap, with_gradient


@exercise(
    prompt="The mean cross-entropy in nats of logits (N, C) and class numbers (N,), right for logits of ±1000 too, and "
    "so is its gradient. Write it with exp, sum and log."
)
def stable_cross_entropy(logits, targets):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(targets)), targets].mean()


@stable_cross_entropy.run
def cross_entropy_run(answer, logits, targets):
    result = with_gradient(answer, logits, targets)
    refuse_a_cap(result["loss"], F.cross_entropy(logits, targets).item())
    return result


@stable_cross_entropy.right
def ce_by_logsumexp(logits, targets):
    return (torch.logsumexp(logits, 1) - logits.gather(1, targets[:, None])[:, 0]).mean()


@stable_cross_entropy.right
def ce_by_one_hot(logits, targets):
    return -(F.one_hot(targets, logits.shape[1]) * F.log_softmax(logits, dim=1)).sum() / len(targets)


@stable_cross_entropy.right
def ce_with_the_largest_added_back(logits, targets):
    largest = logits.detach().amax(1)
    normalisers = largest + torch.log(torch.exp(logits - largest[:, None]).sum(1))
    return torch.mean(normalisers - logits[range(len(targets)), targets])


@stable_cross_entropy.right
def ce_row_by_row(logits, targets):
    losses = [(row - row.max()).exp().sum().log() + row.max() - row[t] for row, t in zip(logits, targets, strict=True)]
    return torch.stack(losses).mean()


@stable_cross_entropy.mistake(
    "Your exp overflows: exp(1000) is infinite, and infinite / infinite is NaN. Subtract the largest logit of "
    "each row first; the probabilities stay the same."
)
def naive_softmax(logits, targets):
    exponentials = logits.exp()
    return -picked(exponentials / exponentials.sum(1, keepdim=True), targets).log().mean()


def shifted_ce(largest):
    """A cross-entropy that subtracts `largest(logits)`, which may be the wrong one."""

    def answer(logits, targets):
        shifted = logits - largest(logits)
        return (shifted.exp().sum(1).log() - picked(shifted, targets)).mean()

    return answer


@stable_cross_entropy.mistake(
    "You took the largest logit out of the sum, but not out of the logit of the right class. Subtract it in "
    "both places, or add it back."
)
def ce_not_added_back(logits, targets):
    shifted = logits - logits.amax(1, keepdim=True)
    return (shifted.exp().sum(1).log() - picked(logits, targets)).mean()


@stable_cross_entropy.mistake(
    "You subtract the largest logit in both places and also add it back. Do one or the other."
)
def ce_added_back_twice(logits, targets):
    largest = logits.amax(1, keepdim=True)
    shifted = logits - largest
    return (largest[:, 0] + shifted.exp().sum(1).log() - picked(shifted, targets)).mean()


@stable_cross_entropy.mistake(
    "You change the logits themselves (-=), and autograd needs them as they were. Make a new tensor: logits - ..."
)
def ce_in_place(logits, targets):
    logits -= logits.max(dim=1, keepdim=True).values
    return F.cross_entropy(logits, targets)


@stable_cross_entropy.mistake("You divide by the largest logit, and that changes the probabilities. Subtract it.")
def ce_divided_by_the_largest(logits, targets):
    return F.cross_entropy(logits / logits.amax(1, keepdim=True), targets)


@stable_cross_entropy.cases
def cases():
    return [
        (torch.tensor([[2.0, 1.0, -1.0], [0.5, 0.0, 1.0]]), torch.tensor([0, 1])),
        (torch.randn(5, 4), torch.tensor([3, 0, 1, 1, 2])),
        (torch.tensor([[1000.0, 0.0, -1000.0]]), torch.tensor([1])),
        (torch.tensor([[1000.0, 0.0, -1000.0]]), torch.tensor([0])),
        (torch.tensor([[1000.0, 999.0], [-1000.0, -1002.0]]), torch.tensor([0, 1])),
    ]


@stable_cross_entropy.judge
def expected(logits, targets):
    return with_gradient(F.cross_entropy, logits, targets)


stable_cross_entropy.mistake(
    "log(sum(exp)) is the right idea, but exp(1000) is infinite. Take the largest logit of each row out first: "
    "log(sum(exp(x))) = m + log(sum(exp(x - m))).",
    TODO_32=lambda logits, targets: (logits.exp().sum(1).log() - picked(logits, targets)).mean(),
)


stable_cross_entropy.mistake(
    "The softmax is stable, but a probability of 1e-400 becomes 0, and log 0 is -infinity. Never take the log "
    "of a finished probability: compute log p = x - log(sum(exp(x))) directly.",
    TODO_33=lambda logits, targets: -picked(logits.softmax(1), targets).log().mean(),
)


stable_cross_entropy.mistake(
    CAPPED.format(expected=1000, came=-math.log(1e-12)),
    TODO_34=lambda logits, targets: -(picked(logits.softmax(1), targets) + 1e-12).log().mean(),
)


stable_cross_entropy.mistake(
    "You subtract the largest logit of the whole batch. In the other rows every exp can then become 0, and "
    "log 0 is -infinity. Take the largest of each row: dim=1, keepdim=True.",
    TODO_35=shifted_ce(torch.max),
)


stable_cross_entropy.mistake(
    "You subtract the largest logit of each column, which changes the probabilities. Within a row all logits "
    "must be shifted alike: dim=1, keepdim=True.",
    TODO_36=shifted_ce(lambda logits: logits.amax(0)),
)


stable_cross_entropy.mistake(
    "keepdim=True is missing: the maxima have the shape (N,), so they meet the columns and not the rows. With "
    "keepdim=True they are (N, 1).",
    TODO_37=shifted_ce(lambda logits: logits.max(dim=1).values),
)


stable_cross_entropy.mistake(
    "max with a dimension gives two things, the values and where they stand. Take .values, or use amax.",
    TODO_38=shifted_ce(lambda logits: logits.max(dim=1, keepdim=True)),
)


stable_cross_entropy.mistake(
    "Your softmax runs down the columns, over the examples. It must run over the classes of a row: dim=1.",
    TODO_39=lambda logits, targets: -picked(logits.log_softmax(0), targets).mean(),
)


stable_cross_entropy.mistake(
    "You took the sum over the examples, not the mean.",
    TODO_40=lambda logits, targets: -picked(logits.log_softmax(1), targets).sum(),
)


stable_cross_entropy.mistake(
    "Right for each example, but the loss is one number: take the mean.",
    TODO_41=lambda logits, targets: -picked(logits.log_softmax(1), targets),
)


stable_cross_entropy.mistake(
    "The sign is missing. A log-probability is negative; the loss is minus that, so that less is better.",
    TODO_42=lambda logits, targets: picked(logits.log_softmax(1), targets).mean(),
)


stable_cross_entropy.mistake(
    "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
    TODO_43=lambda logits, targets: F.cross_entropy(logits, targets) / math.log(2),
)


stable_cross_entropy.mistake(
    "You used log10. Use the natural logarithm, log.",
    TODO_44=lambda logits, targets: F.cross_entropy(logits, targets) / math.log(10),
)


stable_cross_entropy.mistake(
    "You applied the softmax twice: F.cross_entropy and log_softmax have it inside. Give them the logits.",
    TODO_45=lambda logits, targets: F.cross_entropy(logits.softmax(1), targets),
)


stable_cross_entropy.mistake(
    "You took the class the model likes best. The loss asks for the probability of the right class, targets.",
    TODO_46=lambda logits, targets: -logits.log_softmax(1).amax(1).mean(),
)


stable_cross_entropy.mistake(
    "That is the mean squared error of the probabilities. Its gradient nearly vanishes for a model that is "
    "sure and wrong. Take -log of the probability of the right class.",
    TODO_47=lambda logits, targets: F.mse_loss(logits.softmax(1), F.one_hot(targets, logits.shape[1]).float()),
)


stable_cross_entropy.mistake(
    "That is the binary cross-entropy: C separate questions with yes or no. Here exactly one class is right, "
    "so the probabilities share one softmax.",
    TODO_48=lambda logits, targets: F.binary_cross_entropy_with_logits(
        logits, F.one_hot(targets, logits.shape[1]).float()
    ),
)


stable_cross_entropy.mistake(
    "You divided by N * C: the zeros of the one-hot rows count in your mean. Sum over the classes, then take "
    "the mean over the N examples.",
    TODO_49=lambda logits, targets: -(F.one_hot(targets, logits.shape[1]) * logits.log_softmax(1)).mean(),
)


stable_cross_entropy.mistake(
    "[:, targets] takes those columns from every row: N * N numbers. Use [torch.arange(N), targets], or "
    "gather(1, targets[:, None]).",
    TODO_50=lambda logits, targets: -logits.log_softmax(1)[:, targets].mean(),
)


stable_cross_entropy.mistake(
    "The log is missing: you average the probability of the right class.",
    TODO_51=lambda logits, targets: -picked(logits.softmax(1), targets).mean(),
)


stable_cross_entropy.mistake(
    "You averaged the logits of the right classes. A logit is no log-probability yet: subtract log(sum(exp)) "
    "of its row.",
    TODO_52=lambda logits, targets: -picked(logits, targets).mean(),
)


stable_cross_entropy.hints(
    "A constant added to all logits of a row changes no probability. Which constant makes every exp safe?",
    "log p of the right class is x - log(sum(exp(x))), with x already shifted so that its largest is 0.",
    "shifted = logits - logits.max(dim=1, keepdim=True).values; pick the right ones with [torch.arange(N), targets].",
)
