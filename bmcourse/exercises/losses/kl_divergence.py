"""The exercise `kl_divergence`: how far a prediction is from the truth (Kullback and Leibler, 1951)."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="KL(p ‖ q) in nats of two distributions along the last dimension: (C,) gives one number, (N, C) gives "
    "(N,). A class that p gives probability 0 counts 0.",
    built=("kl_div", "KLDivLoss"),
)
def kl_divergence(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


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
        uncommon(torch.tensor([[0.1, 0.2, 0.3, 0.4]]), torch.tensor([[0.4, 0.4, 0.1, 0.1]])),
        (torch.tensor([[0.3, 0.7], [0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.3, 0.7], [0.9, 0.1], [0.25, 0.75]])),
        (torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 1e-12, 1.0])),
    ]


@kl_divergence.judge
def slow_kl(p, q):
    """Class by class; the sum runs over the classes that p gives a chance."""
    if p.ndim > 1:
        return torch.stack([slow_kl(*rows) for rows in zip(p, q, strict=True)])
    return sum(a * (a / b).log() for a, b in zip(p, q, strict=True) if a > 0)


FINITE = (
    "Where q says impossible (0) and p says it happens, the divergence is infinite: no code for q has a word for it. "
    "Yours is finite there. An eps hides that; what needs care is a 0 in p, which counts 0."
)


@kl_divergence.run
def with_infinities(answer, p, q):
    """The divergence; raises `Mistake` where it must be infinite and is not."""
    result, expected = answer(p, q), slow_kl(p, q)
    same = torch.is_tensor(result) and result.shape == expected.shape
    if same and (result.isfinite() & expected.isinf()).any():
        raise Mistake(FINITE)
    return result


@kl_divergence.right
def by_where(p, q):
    ratio = torch.where(p > 0, p / q, torch.ones_like(p))
    return (p * ratio.log()).sum(dim=-1)


@kl_divergence.right
def by_filling(p, q):
    terms = p * (p.log() - q.log())
    return terms.masked_fill(p == 0, 0.0).sum(-1)


@kl_divergence.right
def by_nansum(p, q):
    return torch.nansum(p * torch.log(p / q), dim=-1)


@kl_divergence.right
def by_differences(p, q):
    cross_entropy, entropy = -torch.xlogy(p, q).sum(-1), torch.special.entr(p).sum(-1)
    return cross_entropy - entropy


@kl_divergence.right
def by_classes_that_happen(p, q):
    if p.ndim == 1:
        happens = p > 0
        return (p[happens] * (p[happens] / q[happens]).log()).sum()
    return torch.stack([kl_divergence(*pair) for pair in zip(p, q, strict=True)])


TERMS = "(torch.xlogy(p, p) - torch.xlogy(p, q))"


def reduced(text):
    """The terms of the reference, reduced in another way."""
    return kl_divergence.changed(".sum(-1)", text)


kl_divergence.mistake(
    "p and q are exchanged: that is KL(q ‖ p), and the two differ. The weights are p: sum of p * log(p / q). Beware of "
    "F.kl_div, where q comes first.",
    exchanged=lambda p, q: kl_divergence(q, p),
)
kl_divergence.mistake(
    "p and q are exchanged, and a 0 among them gives NaN or infinity. It is the sum of p * log(p / q), where a class "
    "with p = 0 counts 0.",
    exchanged_with_zeros=lambda p, q: (q * (q / p).log()).sum(-1),
)
kl_divergence.mistake(
    "The weights are q with you: sum of q * log(p / q). Each log counts p times.",
    weights_of_q=lambda p, q: (q * (p / q).log()).sum(-1),
)
kl_divergence.mistake(
    "Right, until p has a zero: 0 * log 0 is NaN for a computer. It should count 0: torch.xlogy(p, p) knows that.",
    zero_times_log=lambda p, q: (p * (p / q).log()).sum(-1),
)
kl_divergence.mistake(FINITE, eps_in_both=lambda p, q: ((p + 1e-9) * ((p + 1e-9) / (q + 1e-9)).log()).sum(-1))
kl_divergence.mistake(
    "You leave out the classes that q gives probability 0. Those that p gives a chance cost infinity; only a 0 in p "
    "counts 0.",
    zeros_of_q_left_out=lambda p, q: (
        torch.where((p > 0) & (q > 0), p * (p / q).log(), 0.0).nan_to_num(posinf=0).sum(-1)
    ),
)
kl_divergence.mistake(
    "A class that p gives probability 0 counts 0, and only that one. You replace its term by something else.",
    zeros_count_one=lambda p, q: torch.where(p > 0, p * (p / q).log(), 1.0).sum(-1),
)
kl_divergence.mistake(
    "Where p is 0 you count q. A class that p gives probability 0 counts 0.",
    zeros_count_q=lambda p, q: torch.where(p > 0, p * (p / q).log(), q).sum(-1),
)
kl_divergence.mistake(
    "That is the cross-entropy. The divergence is what it costs beyond the entropy of p: subtract that, so that equal "
    "distributions give 0.",
    cross_entropy=kl_divergence.changed("(torch.xlogy(p, p) - torch.xlogy(p, q))", "-torch.xlogy(p, q)"),
)
kl_divergence.mistake(
    "That is the entropy of p: q does not count in it. KL is the sum of p * log(p / q).",
    entropy=lambda p, q: torch.special.entr(p).sum(-1),
)
kl_divergence.mistake(
    "That is minus the entropy of p: q does not count in it. Subtract p * log q.",
    negative_entropy=lambda p, q: torch.xlogy(p, p).sum(-1),
)
kl_divergence.mistake(
    "That is minus the cross-entropy: p * log p is missing. KL is the sum of p * log(p / q).",
    negative_cross_entropy=lambda p, q: torch.xlogy(p, q).sum(-1),
)
kl_divergence.mistake(
    "You subtract the entropy of q. It is that of p: p * log p - p * log q.",
    entropy_of_q=lambda p, q: (torch.xlogy(q, q) - torch.xlogy(p, q)).sum(-1),
)
kl_divergence.mistake(
    "Each log has its own weight with you: p log p - q log q. Both weigh p: p log p - p log q.",
    difference_of_entropies=lambda p, q: (torch.xlogy(p, p) - torch.xlogy(q, q)).sum(-1),
)
kl_divergence.mistake(
    "You have (p - q) * log(p / q), which counts both directions. The weight is p alone.",
    weights_of_the_difference=lambda p, q: ((p - q) * (p / q).log()).sum(-1),
)
kl_divergence.mistake(
    "One sign is wrong: log(p / q) is log p - log q. For equal distributions the result must be 0.",
    plus=kl_divergence.changed(" - ", " + "),
)
kl_divergence.mistake(
    "You have log(p * q) under the weights. It is log(p / q).",
    product_in_the_log=lambda p, q: (p * (p * q).log()).sum(-1),
)
kl_divergence.mistake(
    "The sign is wrong: a divergence is never negative. It is log(p / q), not log(q / p).",
    minus=kl_divergence.changed("return ", "return -"),
)
kl_divergence.mistake(
    "The sign is wrong: it is log(p / q), not log(q / p). And a 0 in p gives NaN or infinity, where it should count 0.",
    minus_with_zeros=lambda p, q: (p * (q / p).log()).sum(-1),
)
kl_divergence.mistake(
    "You take the absolute value of each term. A class with p below q counts negative; only their sum is at least 0.",
    absolute_terms=lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).abs().sum(-1),
)
kl_divergence.mistake(
    "You clamp the terms at 0. A class with p below q counts negative; only their sum is at least 0.",
    clamped_terms=lambda p, q: (torch.xlogy(p, p) - torch.xlogy(p, q)).clamp(min=0).sum(-1),
)
kl_divergence.mistake(
    "The weights are missing: each log(p / q) counts p times.", no_weights=lambda p, q: (p / q).log().sum(-1)
)
kl_divergence.mistake(
    "The weights are missing: each log(p / q) counts p times, also where you have left out the zeros of p.",
    no_weights_but_zeros=lambda p, q: torch.where(p > 0, (p / q).log(), torch.zeros_like(p)).sum(-1),
)
kl_divergence.mistake(
    "The log is missing: you weigh the ratios p / q themselves.",
    no_log=lambda p, q: (p * (p / q)).nan_to_num(0.0).sum(-1),
)
kl_divergence.mistake(
    "You took the log at the end, of a sum. The log belongs to each class: p * log(p / q).",
    log_at_the_end=lambda p, q: (p * p / q).sum(-1).log(),
)
kl_divergence.mistake(
    "You made a softmax of p and q first. They are probabilities already: use them as they are.",
    softmax_first=lambda p, q: kl_divergence(p.softmax(-1), q.softmax(-1)),
)
kl_divergence.mistake(
    "You made a softmax of q. It is a distribution already: use log q itself.",
    softmax_of_q=lambda p, q: (torch.xlogy(p, p) - p * q.log_softmax(-1)).sum(-1),
)
kl_divergence.mistake(
    "You took the mean over the classes. The weights p already make it an average: take the sum.",
    mean_over_classes=reduced(".mean(-1)"),
)
kl_divergence.mistake(
    "You took the mean over everything (it is what F.kl_div does by default). Sum over the classes, and keep one "
    "number for each row.",
    mean_over_all=reduced(".mean()"),
)
kl_divergence.mistake(
    "You summed everything and divided by the first dimension (F.kl_div calls it batchmean). For one distribution that "
    "divides by C; for several it leaves one number in place of N.",
    batchmean=reduced(".sum() / len(p)"),
)
kl_divergence.mistake(
    "You summed over the whole batch. Each row is a distribution of its own: sum along the last dimension, dim=-1.",
    sum_over_all=reduced(".sum()"),
)
kl_divergence.mistake(
    "You averaged over the batch. Each row keeps its own number: (N, C) gives (N,).",
    mean_over_batch=reduced(".sum(-1).mean()"),
)
kl_divergence.mistake(
    "You summed down the columns. The classes are the last dimension: dim=-1.", columns=reduced(".sum(0)")
)
kl_divergence.mistake(
    "dim=1 is the last dimension of a table, but a single distribution (C,) has none. The last one is always dim=-1.",
    dimension_one=reduced(".sum(1)"),
)
kl_divergence.mistake(
    "keepdim=True leaves a dimension of size 1 too many: (N, C) gives (N,).", keepdim=reduced(".sum(-1, keepdim=True)")
)
kl_divergence.mistake("Right for each class; now sum over the classes, dim=-1.", no_sum=reduced(""))
kl_divergence.mistake("You took the largest term. Sum over the classes.", largest=reduced(".amax(-1)"))
kl_divergence.mistake(
    "You added both directions (the Jeffreys divergence). KL has a direction: only p weighs.",
    both_directions=lambda p, q: kl_divergence(p, q) + kl_divergence(q, p),
)
kl_divergence.mistake(
    "You averaged both directions. KL has a direction: only p weighs.",
    both_directions_averaged=lambda p, q: (kl_divergence(p, q) + kl_divergence(q, p)) / 2,
)
kl_divergence.mistake(
    "That is the Jensen-Shannon divergence, which compares both with their middle. KL compares p with q itself.",
    jensen_shannon=lambda p, q: (kl_divergence(p, (p + q) / 2) + kl_divergence(q, (p + q) / 2)) / 2,
)
kl_divergence.mistake(
    "You compare p with the middle of p and q. KL compares it with q itself.",
    with_the_middle=lambda p, q: kl_divergence(p, (p + q) / 2),
)
kl_divergence.mistake(
    "You used log2, so your unit is the bit. Here it is the nat: use the natural logarithm, log.",
    in_bits=lambda p, q: kl_divergence(p, q) / math.log(2),
)
kl_divergence.mistake(
    "You used log10. Use the natural logarithm, log.", log_of_ten=lambda p, q: kl_divergence(p, q) / math.log(10)
)
kl_divergence.mistake("It is halved: leave out the factor 1/2.", halved=reduced(".sum(-1) / 2"))
kl_divergence.mistake(
    "That is the sum of the squared differences. KL is the sum of p * log(p / q).",
    squared_differences=lambda p, q: ((p - q) ** 2).sum(-1),
)
kl_divergence.mistake(
    "That is the sum of the absolute differences. KL is the sum of p * log(p / q).",
    absolute_differences=lambda p, q: (p - q).abs().sum(-1),
)
kl_divergence.mistake(
    "That is half the sum of the absolute differences, the total variation. KL is the sum of p * log(p / q).",
    total_variation=lambda p, q: (p - q).abs().sum(-1) / 2,
)
kl_divergence.mistake(
    "F.kl_div wants the logarithm of its first argument: q.log().",
    probabilities_for_kl_div=lambda p, q: F.kl_div(q, p, reduction="none").sum(-1),
)
kl_divergence.mistake(
    "F.kl_div takes log q first, and p second: F.kl_div(q.log(), p, ...).",
    kl_div_exchanged=lambda p, q: F.kl_div(p, q, reduction="none").sum(-1),
)
kl_divergence.mistake(
    "You make a plain number of it. (N, C) gives N numbers, and q must keep its gradient: return the tensor.",
    plain_number=reduced(".sum().item()"),
)
kl_divergence.mistake(
    "The numbers are right, but as a list. Return the tensor.", as_a_list=reduced(".sum(-1).tolist()")
)
kl_divergence.mistake(
    "The numbers are right, but their gradient is cut off, and a model could not learn from them. Leave out .detach() "
    "and no_grad().",
    detached=reduced(".sum(-1).detach()"),
)
kl_divergence.mistake(
    "q is detached, so the model that makes it cannot learn. Leave out .detach().",
    q_detached=lambda p, q: kl_divergence(p, q.detach()),
)


@kl_divergence.mistake(
    "You wrote into p itself, to get rid of its zeros: whoever gave it to you has other probabilities now. Use "
    "torch.where or xlogy, which make new tensors."
)
def zeros_replaced_in_place(p, q):
    zero = p == 0
    if zero.any():
        p[zero] = 1.0
    return (p * torch.log(p / q)).masked_fill(zero, 0.0).sum(-1)


@kl_divergence.mistake(
    "You write into p itself, to get rid of its zeros. Whoever gave it to you has other probabilities then, and where "
    "p wants a gradient torch refuses it. Use torch.where or xlogy, which make new tensors."
)
def always_written_into(p, q):
    zero = p == 0
    p[zero] = 1.0
    return (p * torch.log(p / q)).masked_fill(zero, 0.0).sum(-1)


kl_divergence.hints(
    "How many nats more than needed does it cost, on average over p, to code with q? That is the mean of log(p / q).",
    "The mean over p: sum of p * log(p / q), along the last dimension.",
    "Write it as p log p - p log q. torch.xlogy(a, b) is a * log(b), and 0 where a is 0.",
)
