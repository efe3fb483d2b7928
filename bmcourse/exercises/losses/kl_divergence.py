"""The exercise `kl_divergence` of lesson 04."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="KL(p ‖ q) in nats of two distributions along the last dimension: (C,) gives one number, (N, C) gives "
    "(N,). A class that p gives probability 0 counts 0."
)
def kl_divergence(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


@kl_divergence.judge
def slow_kl(p, q):
    """Class by class; the sum runs over the classes that p gives a chance."""
    if p.ndim > 1:
        return torch.stack([slow_kl(*rows) for rows in zip(p, q, strict=True)])
    return sum(a * (a / b).log() for a, b in zip(p, q, strict=True) if a > 0)


@kl_divergence.run
def kl_run(answer, p, q):
    result, expected = answer(p, q), slow_kl(p, q)
    same = torch.is_tensor(result) and result.shape == expected.shape
    if same and (result.isfinite() & expected.isinf()).any():
        raise Mistake(
            "Where q says impossible (0) and p says it happens, the divergence is infinite: no code for q has a word "
            "for it. Yours is finite there. An eps hides that; what needs care is a 0 in p, which counts 0."
        )
    return result


@kl_divergence.right
def kl_by_where(p, q):
    ratio = torch.where(p > 0, p / q, torch.ones_like(p))
    return (p * ratio.log()).sum(dim=-1)


@kl_divergence.right
def kl_by_torch(p, q):
    return F.kl_div(q.log(), p, reduction="none").sum(-1)


@kl_divergence.right
def kl_by_nansum(p, q):
    return torch.nansum(p * torch.log(p / q), dim=-1)


@kl_divergence.right
def kl_by_differences(p, q):
    cross_entropy, entropy = -torch.xlogy(p, q).sum(-1), torch.special.entr(p).sum(-1)
    return cross_entropy - entropy


@kl_divergence.cases
def some_distributions():
    def rows(*shape):
        return torch.randn(shape).softmax(-1)

    sparse = torch.tensor([[0.0, 0.5, 0.5], [0.2, 0.8, 0.0]])
    return [
        (torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])),
        (rows(3, 4), rows(3, 4).requires_grad_()),
        (sparse, rows(2, 3)),
        (torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.5, 0.0, 0.5])),
    ]


kl_divergence.mistake(
    "p and q are exchanged: that is KL(q ‖ p), and the two differ. The weights are p: sum of p * log(p / q). "
    "Beware of F.kl_div, where q comes first.",
    TODO_123=lambda p, q: kl_divergence(q, p),
)


kl_divergence.mistake(
    "p and q are exchanged, and a 0 among them gives NaN or infinity. It is the sum of p * log(p / q), where "
    "a class with p = 0 counts 0.",
    TODO_124=lambda p, q: (q * (q / p).log()).sum(-1),
)


kl_divergence.mistake(
    "Right, until p has a zero: 0 * log 0 is NaN for a computer. It should count 0: torch.xlogy(p, p) knows that.",
    TODO_125=lambda p, q: (p * (p / q).log()).sum(-1),
)


kl_divergence.mistake(
    "Where q says impossible (0) and p says it happens, the divergence is infinite: no code for q has a word "
    "for it. Yours is finite there. An eps hides that; what needs care is a 0 in p, which counts 0.",
    TODO_126=lambda p, q: ((p + 1e-9) * ((p + 1e-9) / (q + 1e-9)).log()).sum(-1),
)


kl_divergence.mistake(
    "That is the cross-entropy. The divergence is what it costs beyond the entropy of p: subtract that, so "
    "that equal distributions give 0.",
    TODO_127=lambda p, q: -torch.xlogy(p, q).sum(-1),
)


kl_divergence.mistake(
    "One sign is wrong: log(p / q) is log p - log q. For equal distributions the result must be 0.",
    TODO_128=lambda p, q: torch.xlogy(p, p).sum(-1) + torch.xlogy(p, q).sum(-1),
)


kl_divergence.mistake(
    "The sign is wrong: a divergence is never negative. It is log(p / q), not log(q / p).",
    TODO_129=lambda p, q: -kl_divergence(p, q),
)


kl_divergence.mistake(
    "The weights are missing: each log(p / q) counts p times.", TODO_130=lambda p, q: (p / q).log().sum(-1)
)


kl_divergence.mistake(
    "You took the mean over the classes. The weights p already make it an average: take the sum.",
    TODO_131=lambda p, q: kl_divergence(p, q) / p.shape[-1],
)


kl_divergence.mistake(
    "You took the mean over everything (it is what F.kl_div does by default). Sum over the classes, and keep "
    "one number for each row.",
    TODO_132=lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).mean(),
)


kl_divergence.mistake(
    "You summed everything and divided by the first dimension (F.kl_div calls it batchmean). For one "
    "distribution that divides by C; for several it leaves one number in place of N.",
    TODO_133=lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).sum() / len(p),
)


kl_divergence.mistake(
    "You summed over the whole batch. Each row is a distribution of its own: sum along the last dimension, dim=-1.",
    TODO_134=lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(),
)


kl_divergence.mistake(
    "You averaged over the batch. Each row keeps its own number: (N, C) gives (N,).",
    TODO_135=lambda p, q: kl_divergence(p, q).mean(),
)


kl_divergence.mistake(
    "You summed down the columns. The classes are the last dimension: dim=-1.",
    TODO_136=lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(0),
)


kl_divergence.mistake(
    "Right for each class; now sum over the classes, dim=-1.",
    TODO_137=lambda p, q: torch.xlogy(p, p) - torch.xlogy(p, q),
)


kl_divergence.mistake(
    "You added both directions (the Jeffreys divergence). KL has a direction: only p weighs.",
    TODO_138=lambda p, q: kl_divergence(p, q) + kl_divergence(q, p),
)


kl_divergence.mistake(
    "You averaged both directions. KL has a direction: only p weighs.",
    TODO_139=lambda p, q: (kl_divergence(p, q) + kl_divergence(q, p)) / 2,
)


kl_divergence.mistake(
    "That is the Jensen-Shannon divergence, which compares both with their middle. KL compares p with q itself.",
    TODO_140=lambda p, q: (kl_divergence(p, (p + q) / 2) + kl_divergence(q, (p + q) / 2)) / 2,
)


kl_divergence.mistake(
    "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
    TODO_141=lambda p, q: kl_divergence(p, q) / math.log(2),
)


kl_divergence.mistake(
    "F.kl_div wants the logarithm of its first argument: q.log().",
    TODO_142=lambda p, q: F.kl_div(q, p, reduction="none").sum(-1),
)


kl_divergence.mistake(
    "F.kl_div takes log q first, and p second: F.kl_div(q.log(), p, ...).",
    TODO_143=lambda p, q: F.kl_div(p, q, reduction="none").sum(-1),
)


kl_divergence.hints(
    "How many nats more than needed does it cost, on average over p, to code with q? That is the mean of log(p / q).",
    "The mean over p: sum of p * log(p / q), along the last dimension.",
    "Write it as p log p - p log q. torch.xlogy(a, b) is a * log(b), and 0 where a is 0.",
)
