"""The exercise `compare_ranks` of lesson 09."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.results import plain


@exercise(
    prompt="Do two explanations rank the features alike? Spearman's correlation of a and b, (n,) scores each: replace "
    "each score by its rank, where equal scores share the mean of their ranks, then take Pearson's correlation of the "
    "ranks. One number from -1 to 1. In neither are all scores equal."
)
def compare_ranks(a, b):
    ranks = []
    for scores in (a, b):
        below = (scores[:, None] > scores).sum(dim=1)
        equal = (scores[:, None] == scores).sum(dim=1)
        ranks.append(below + (equal + 1) / 2)
    return torch.corrcoef(torch.stack(ranks))[0, 1]


@compare_ranks.run
def one_number(answer, a, b):
    agreement = plain(answer(a, b))
    return float(agreement) if torch.is_tensor(agreement) and agreement.ndim == 0 else agreement


@compare_ranks.judge
def agreement_by_counting(a, b):
    def centred_ranks(values):
        twice = [sum((v > w) - (v < w) for w in values) for v in values]  # twice the rank, less the mean rank
        return [rank / 2 for rank in twice]

    a, b = centred_ranks(a.tolist()), centred_ranks(b.tolist())
    return sum(p * q for p, q in zip(a, b, strict=True)) / math.sqrt(sum(p * p for p in a) * sum(q * q for q in b))


@compare_ranks.right
def agreement_by_signs(a, b):
    a, b = ((x[:, None] - x).sign().sum(dim=1).double() for x in (a, b))
    return F.cosine_similarity(a, b, dim=0)


def mean_ranks(values):
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(dim=0)
    return (last - (counts - 1) / 2)[place]


@compare_ranks.right
def agreement_by_unique(a, b):
    a, b = mean_ranks(a), mean_ranks(b)
    a, b = a - a.mean(), b - b.mean()
    return (a @ b / (a.norm() * b.norm())).item()


@compare_ranks.right
def agreement_with_a_list(a, b):
    def ranks(values):
        ordered = sorted(values)
        return [ordered.index(v) + (ordered.count(v) - 1) / 2 for v in values]

    both = torch.tensor([ranks(a.tolist()), ranks(b.tolist())])
    both = (both - both.mean(dim=1, keepdim=True)) / both.std(dim=1, keepdim=True)
    return both.prod(dim=0).sum() / (len(a) - 1)


def correlated(rank, rank_of_b=None):
    """A wrong agreement: the correlation of `rank(a)` and `rank(b)`."""
    rank_of_b = rank_of_b or rank
    return lambda a, b: torch.corrcoef(torch.stack([rank(a).float(), rank_of_b(b).float()]))[0, 1]


def _places(values):
    return values.argsort(stable=True)


def ranks_one_by_one(values):
    return values.argsort(stable=True).argsort()


@compare_ranks.mistake(
    "1 - 6 Σd² / (n (n² - 1)) holds only where no scores are equal. Take Pearson's correlation of the ranks."
)
def by_differences(a, b):
    n = len(a)
    return 1 - 6 * ((mean_ranks(a) - mean_ranks(b)) ** 2).sum() / (n * (n**2 - 1))


@compare_ranks.mistake(
    "That is Kendall's tau: it counts pairs that stand in the same order. Spearman's correlates the ranks."
)
def kendall(a, b):
    signs = ((a[:, None] - a) * (b[:, None] - b)).sign()
    return signs.sum() / (len(a) * (len(a) - 1))


def of_mean_ranks(compare):
    return lambda a, b: compare(mean_ranks(a), mean_ranks(b))


@compare_ranks.cases
def cases():
    return [
        (torch.tensor([0.1, 0.2, 0.9]), torch.tensor([10.0, 30.0, 20.0])),
        (torch.tensor([0.0, 5.0, 0.0, 2.0, 0.0]), torch.tensor([1.0, 4.0, 2.0, 2.0, 0.0])),
        (torch.randn(9), torch.randn(9).exp()),
        (torch.randn(12).relu(), torch.randn(12).round()),
        (torch.arange(6.0), -torch.arange(6.0).exp()),
    ]


compare_ranks.mistake(
    "That is Pearson's correlation of the scores. One huge score decides it, and two methods have different "
    "units: replace the scores by their ranks first.",
    TODO_126=correlated(lambda values: values),
)


compare_ranks.mistake(
    "argsort gives places and not ranks: its first entry says where the smallest score is. argsort of argsort "
    "gives ranks, and equal scores must then share the mean of theirs.",
    TODO_127=correlated(_places),
)


compare_ranks.mistake(
    "Equal scores get different ranks, by the order in which they lie. Many features have the score 0, so that "
    "matters: equal scores share the mean of their ranks.",
    TODO_128=correlated(ranks_one_by_one),
)


compare_ranks.mistake(
    "Equal scores all get the lowest of their ranks. They share the mean: half of the other equal ones count as below.",
    TODO_129=correlated(lambda values: (values[:, None] > values).sum(dim=1)),
)


compare_ranks.mistake(
    "Equal scores all get the highest of their ranks. They share the mean: half of the other equal ones count "
    "as below.",
    TODO_130=correlated(lambda values: (values[:, None] >= values).sum(dim=1)),
)


compare_ranks.mistake(
    "You number the different scores, so ten equal ones take up one rank and not ten. Equal scores share the "
    "mean of the ranks that they take up.",
    TODO_131=correlated(lambda values: values.unique(return_inverse=True)[1]),
)


compare_ranks.mistake(
    "You forgot to subtract the mean rank. All ranks are positive, so even opposite orders seem to agree.",
    TODO_132=of_mean_ranks(lambda a, b: F.cosine_similarity(a, b, dim=0)),
)


compare_ranks.mistake(
    "You count the places that are the same. Two features that change places would cost as much as the first "
    "and the last.",
    TODO_133=lambda a, b: (a.argsort() == b.argsort()).float().mean().item(),
)


compare_ranks.mistake(
    "You compare absolute values. A feature that speaks for and one that speaks against the target then look "
    "alike: rank the scores as they are.",
    TODO_134=lambda a, b: compare_ranks(a.abs(), b.abs()),
)


compare_ranks.mistake(
    "That is the covariance of the ranks, which grows with n. Divide by both standard deviations.",
    TODO_135=of_mean_ranks(lambda a, b: ((a - a.mean()) * (b - b.mean())).mean()),
)


compare_ranks.mistake(
    "std() divides by n - 1 and mean() by n, so even equal orders give less than 1. Use the same for both: "
    "std(correction=0).",
    TODO_136=of_mean_ranks(lambda a, b: ((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std())),
)


compare_ranks.mistake(
    "Your sign is turned round: one ranking runs upward and the other downward.",
    TODO_137=lambda a, b: compare_ranks(a, -b),
)


compare_ranks.mistake(
    "You square it. Then opposite orders look like equal ones.", TODO_138=lambda a, b: compare_ranks(a, b) ** 2
)


compare_ranks.mistake(
    "torch.corrcoef gives the whole matrix. The correlation of the two is its [0, 1].",
    TODO_139=lambda a, b: torch.corrcoef(torch.stack([mean_ranks(a), mean_ranks(b)])),
)


compare_ranks.hints(
    "The rank of a score is how many are below it. Where several are equal, each gets the mean of their ranks.",
    "(scores[:, None] > scores).sum(dim=1) counts how many are below each one; == counts those that are equal, "
    "itself included. The mean rank is below + (equal + 1) / 2.",
    "torch.corrcoef(torch.stack([ranks of a, ranks of b]))[0, 1]",
)
