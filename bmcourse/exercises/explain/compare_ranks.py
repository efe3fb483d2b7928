"""Spearman's rank correlation of two explanations (lesson 12)."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.results import plain

ALL_EQUAL = {"one in its first dimension": "a single score equals all, which the prompt excludes"}


@exercise(
    prompt="Do two explanations rank the features alike? Spearman's correlation of a and b, (n,) scores each: replace "
    "each score by its rank, where equal scores share the mean of their ranks, then take Pearson's correlation of the "
    "ranks. One number from -1 to 1. In neither are all scores equal.",
    untried={"a": ALL_EQUAL, "b": ALL_EQUAL},
)
def compare_ranks(a, b):
    ranks = []
    for scores in (a, b):
        below = (scores[:, None] > scores).sum(dim=1)
        equal = (scores[:, None] == scores).sum(dim=1)
        ranks.append(below + (equal + 1) / 2)
    return torch.corrcoef(torch.stack(ranks))[0, 1]


@compare_ranks.cases
def cases():
    close = 1 + torch.tensor([3.0, 0.0, 1.0, 1.0, -2.0, 3.0, 7.0]).double() * 1e-12
    return [
        (torch.tensor([0.1, 0.2, 0.9]), torch.tensor([10.0, 30.0, 20.0])),
        (torch.tensor([0.0, 5.0, 0.0, 2.0, 0.0]), torch.tensor([1.0, 4.0, 2.0, 2.0, 0.0])),
        (torch.randn(9), torch.randn(9).exp()),
        (torch.randn(12).relu(), torch.randn(12).round()),
        (torch.arange(6.0), -torch.arange(6.0).exp()),
        (close, 1e30 * torch.tensor([-1.0, 0.0, 2.0, -1.0, -1.0, 3.0, 2.0]).double()),
        (torch.tensor([-4.0, 3.0]), torch.tensor([-1.0, 0.0])),
    ]


@compare_ranks.run
def one_number(answer, a, b):
    agreement = plain(answer(a, b))
    return float(agreement) if torch.is_tensor(agreement) and agreement.ndim == 0 else agreement


@compare_ranks.judge
def by_counting(a, b):
    def centred_ranks(values):
        twice = [sum((v > w) - (v < w) for w in values) for v in values]  # twice the rank, less the mean rank
        return [rank / 2 for rank in twice]

    a, b = centred_ranks(a.tolist()), centred_ranks(b.tolist())
    return sum(p * q for p, q in zip(a, b, strict=True)) / math.sqrt(sum(p * p for p in a) * sum(q * q for q in b))


@compare_ranks.right
def by_signs(a, b):
    a, b = ((x[:, None] > x).double().sum(1) - (x[:, None] < x).double().sum(1) for x in (a, b))
    return F.cosine_similarity(a, b, dim=0)


def mean_ranks(values):
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(dim=0)
    return (last - (counts - 1) / 2)[place]


@compare_ranks.right
def by_unique(a, b):
    a, b = mean_ranks(a), mean_ranks(b)
    a, b = a - a.mean(), b - b.mean()
    return (a @ b / (a.norm() * b.norm())).item()


@compare_ranks.right
def with_a_list(a, b):
    def ranks(values):
        ordered = sorted(values)
        return [ordered.index(v) + (ordered.count(v) - 1) / 2 for v in values]

    both = torch.tensor([ranks(a.tolist()), ranks(b.tolist())])
    both = (both - both.mean(dim=1, keepdim=True)) / both.std(dim=1, keepdim=True)
    return both.prod(dim=0).sum() / (len(a) - 1)


@compare_ranks.right
def by_averaging_argsort(a, b):
    def ranks(scores):
        ranks = scores.argsort().argsort().double()
        for score in scores.unique():
            ranks[scores == score] = ranks[scores == score].mean()
        return ranks - ranks.mean()

    a, b = ranks(a), ranks(b)
    return (a * b).mean() / (a.std(correction=0) * b.std(correction=0))


def correlated(rank, rank_of_b=None):
    """A wrong agreement: the correlation of `rank(a)` and `rank(b)`."""
    rank_of_b = rank_of_b or rank
    return lambda a, b: torch.corrcoef(torch.stack([rank(a).double(), rank_of_b(b).double()]))[0, 1]


def of_mean_ranks(compare):
    return lambda a, b: compare(mean_ranks(a), mean_ranks(b))


def centred(a, b):
    return a - a.mean(), b - b.mean()


# The ranks.


def places(values):
    return values.argsort(stable=True)


def ranks_one_by_one(values):
    return values.argsort(stable=True).argsort()


compare_ranks.mistake(
    "That is Pearson's correlation of the scores. One huge score decides it, and two methods have different "
    "units: replace the scores by their ranks first.",
    scores_as_they_are=correlated(lambda values: values),
)


compare_ranks.mistake(
    "You rank a, and leave the scores of b as they are. Replace both by their ranks.",
    only_a_ranked=correlated(mean_ranks, lambda values: values),
)


compare_ranks.mistake(
    "You rank b, and leave the scores of a as they are. Replace both by their ranks.",
    only_b_ranked=correlated(lambda values: values, mean_ranks),
)


compare_ranks.mistake(
    "argsort gives places and not ranks: its first entry says where the smallest score is. argsort of argsort "
    "gives ranks, and equal scores must then share the mean of theirs.",
    places_for_ranks=correlated(places),
)


compare_ranks.mistake(
    "You sort the scores themselves, so both go upward and seem to agree. A rank stays at the place of its score.",
    sorted_scores=correlated(lambda values: values.sort().values),
)


compare_ranks.mistake(
    "You sort the ranks, so both go upward and seem to agree. A rank stays at the place of its score.",
    sorted_ranks=correlated(lambda values: mean_ranks(values).sort().values),
)


compare_ranks.mistake(
    "Equal scores get different ranks, by the order in which they lie. Many features have the score 0, so that "
    "matters: equal scores share the mean of their ranks.",
    ties_in_their_order=correlated(ranks_one_by_one),
)


compare_ranks.mistake(
    "Equal scores get different ranks, the last one the lowest. They share the mean of their ranks.",
    ties_in_reversed_order=correlated(lambda values: ranks_one_by_one(values.flip(0)).flip(0)),
)


compare_ranks.mistake(
    "Equal scores all get the lowest of their ranks. They share the mean: half of the other equal ones count as below.",
    ties_at_their_lowest=correlated(lambda values: (values[:, None] > values).sum(dim=1)),
)


compare_ranks.mistake(
    "Equal scores all get the highest of their ranks. They share the mean: half of the other equal ones count "
    "as below.",
    ties_at_their_highest=correlated(lambda values: (values[:, None] >= values).sum(dim=1)),
)


compare_ranks.mistake(
    "Your mean rank is below + equal / 2, rounded down. It may end in a half: / and not //.",
    ties_rounded_down=correlated(
        lambda values: (values[:, None] > values).sum(1) + (values[:, None] == values).sum(1) // 2
    ),
)


compare_ranks.mistake(
    "Your mean rank is below + (equal + 1) / 2, rounded down. It may end in a half: / and not //.",
    half_ranks_lost=correlated(
        lambda values: (values[:, None] > values).sum(1) + ((values[:, None] == values).sum(1) + 1) // 2
    ),
)


compare_ranks.mistake(
    "You add the whole number of equal scores once more to the highest rank. The mean rank is below + (equal + 1) / 2, "
    "where equal counts the score itself.",
    equal_ones_counted_twice=correlated(
        lambda values: (values[:, None] >= values).sum(1) + ((values[:, None] == values).sum(1) + 1) / 2
    ),
)


compare_ranks.mistake(
    "You number the different scores, so ten equal ones take up one rank and not ten. Equal scores share the "
    "mean of the ranks that they take up.",
    different_scores_numbered=correlated(lambda values: values.unique(return_inverse=True)[1]),
)


compare_ranks.mistake(
    "Equal scores get the rank 0. They share the mean of their ranks.",
    ties_at_zero=correlated(
        lambda values: torch.where((values[:, None] == values).sum(1) > 1, 0.0, mean_ranks(values).double())
    ),
)


compare_ranks.mistake(
    "You round the scores, or take close ones for equal. Only equal scores share a rank: compare with ==.",
    close_ones_equal=correlated(lambda values: mean_ranks(values.float())),
)


compare_ranks.mistake(
    "You compare the scores in whole numbers. 0.1 and 0.9 are not equal: leave them floats.",
    whole_numbers=correlated(lambda values: mean_ranks(values.long())),
)


compare_ranks.mistake(
    "Your sign is turned round: one ranking runs upward and the other downward.",
    one_runs_downward=lambda a, b: compare_ranks(a, -b),
)


compare_ranks.mistake(
    "You compare absolute values. A feature that speaks for and one that speaks against the target then look "
    "alike: rank the scores as they are.",
    absolute_scores=lambda a, b: compare_ranks(a.abs(), b.abs()),
)


compare_ranks.mistake(
    "Your result is always 1: you compare a with itself, or read the diagonal of the matrix. The correlation of the "
    "two is its [0, 1].",
    a_with_itself=lambda a, b: compare_ranks(a, a),
)


# The correlation.


compare_ranks.mistake(
    "1 - 6 Σd² / (n (n² - 1)) holds only where no scores are equal. Take Pearson's correlation of the ranks.",
    by_differences=of_mean_ranks(lambda a, b: 1 - 6 * ((a - b) ** 2).sum() / (len(a) * (len(a) ** 2 - 1))),
)


def kendalls_signs(a, b):
    return ((a[:, None] - a) * (b[:, None] - b)).sign()


compare_ranks.mistake(
    "That is Kendall's tau: it counts pairs that stand in the same order. Spearman's correlates the ranks.",
    kendall=lambda a, b: kendalls_signs(a, b).sum() / (len(a) * (len(a) - 1)),
)


compare_ranks.mistake(
    "That is Kendall's tau-b, which counts pairs that stand in the same order. Spearman's correlates the ranks.",
    kendall_with_ties=lambda a, b: (
        kendalls_signs(a, b).sum() / (kendalls_signs(a, a).sum() * kendalls_signs(b, b).sum()).sqrt()
    ),
)


compare_ranks.mistake(
    "You forgot to subtract the mean rank. All ranks are positive, so even opposite orders seem to agree.",
    mean_rank_not_subtracted=of_mean_ranks(lambda a, b: F.cosine_similarity(a, b, dim=0)),
)


compare_ranks.mistake(
    "You forgot to subtract the mean rank, and your ranks begin at 0. All are positive, so even opposite orders seem "
    "to "
    "agree.",
    mean_rank_not_subtracted_from_zero=of_mean_ranks(lambda a, b: F.cosine_similarity(a - 1, b - 1, dim=0)),
)


compare_ranks.mistake(
    "You took the cosine of the scores. Replace them by their ranks, and subtract the mean rank.",
    cosine_of_scores=lambda a, b: F.cosine_similarity(a, b, dim=0),
)


compare_ranks.mistake(
    "You subtract the mean in one ranking only, and its spread is then too large in the other. Subtract it in both.",
    one_mean_subtracted=of_mean_ranks(lambda a, b: F.cosine_similarity(a - a.mean(), b, dim=0)),
)


compare_ranks.mistake(
    "You count the places that are the same. Two features that change places would cost as much as the first "
    "and the last.",
    same_places_counted=lambda a, b: (places(a) == places(b)).float().mean().item(),
)


compare_ranks.mistake(
    "You count the ranks that are the same. Ranks that nearly agree would count for nothing: correlate them.",
    same_ranks_counted=of_mean_ranks(lambda a, b: (a == b).float().mean()),
)


compare_ranks.mistake(
    "That is the mean difference of the ranks. Take Pearson's correlation of them, from -1 to 1.",
    mean_difference=of_mean_ranks(lambda a, b: (a - b).abs().mean()),
)


compare_ranks.mistake(
    "That is the sum of the squared differences of the ranks. Take Pearson's correlation of them, from -1 to 1.",
    sum_of_squared_differences=of_mean_ranks(lambda a, b: ((a - b) ** 2).sum()),
)


def covariance(a, b):
    a, b = centred(a, b)
    return (a * b).mean()


compare_ranks.mistake(
    "That is the covariance of the ranks, which grows with n. Divide by both standard deviations.",
    covariance=of_mean_ranks(covariance),
)


compare_ranks.mistake(
    "That is the covariance of the ranks, a sum divided by n - 1, which grows with n. Divide by both standard "
    "deviations.",
    covariance_by_n_less_one=of_mean_ranks(lambda a, b: torch.cov(torch.stack([a, b]))[0, 1]),
)


compare_ranks.mistake(
    "You add up the products of the centred ranks. Divide by the roots of both sums of squares.",
    products_added_up=of_mean_ranks(lambda a, b: covariance(a, b) * len(a)),
)


compare_ranks.mistake(
    "std() divides by n - 1 and mean() by n, so even equal orders give less than 1. Use the same for both: "
    "std(correction=0).",
    two_ways_to_divide=of_mean_ranks(lambda a, b: covariance(a, b) / (a.std() * b.std())),
)


compare_ranks.mistake(
    "Your covariance divides by n - 1 and your deviations by n, so equal orders give more than 1. Use the same for "
    "both.",
    two_ways_to_divide_the_other_way=of_mean_ranks(
        lambda a, b: covariance(a, b) * len(a) / (len(a) - 1) / (a.std(correction=0) * b.std(correction=0))
    ),
)


compare_ranks.mistake(
    "You forgot to divide by n: the sum of products over both deviations grows with n. Take the mean of the products.",
    not_divided_by_n=of_mean_ranks(
        lambda a, b: covariance(a, b) * len(a) / (a.std(correction=0) * b.std(correction=0))
    ),
)


compare_ranks.mistake(
    "You forgot the division by n - 1: the sum of products over both deviations grows with n. torch.corrcoef does it "
    "all.",
    not_divided_by_n_less_one=of_mean_ranks(lambda a, b: covariance(a, b) * len(a) / (a.std() * b.std())),
)


compare_ranks.mistake(
    "You divide by the variances. Divide by the standard deviations, their roots.",
    divided_by_variances=of_mean_ranks(lambda a, b: covariance(a, b) / (a.var(correction=0) * b.var(correction=0))),
)


compare_ranks.mistake(
    "You divide by one variance only. With ties the two differ: divide by both standard deviations.",
    divided_by_one_variance=of_mean_ranks(lambda a, b: covariance(a, b) / a.var(correction=0)),
)


compare_ranks.mistake(
    "You divide by the variance that ranks without ties have. Equal scores have less: divide by both standard "
    "deviations as they are.",
    variance_without_ties=of_mean_ranks(lambda a, b: covariance(a, b) * 12 / (len(a) ** 2 - 1)),
)


compare_ranks.mistake(
    "You square it. Then opposite orders look like equal ones.", squared=lambda a, b: compare_ranks(a, b) ** 2
)


compare_ranks.mistake(
    "You take the absolute value. Then opposite orders look like equal ones.",
    absolute=lambda a, b: abs(compare_ranks(a, b)),
)


compare_ranks.mistake(
    "You move the result to the range from 0 to 1. A correlation goes from -1, opposite, to 1.",
    from_zero_to_one=lambda a, b: (1 + compare_ranks(a, b)) / 2,
)


compare_ranks.mistake(
    "That is 1 minus the correlation, a distance. Return the correlation.",
    distance=lambda a, b: 1 - compare_ranks(a, b),
)


compare_ranks.mistake(
    "torch.corrcoef gives the whole matrix, and you return it. Take its [0, 1].",
    whole_matrix=of_mean_ranks(lambda a, b: torch.corrcoef(torch.stack([a, b]))),
)


compare_ranks.mistake(
    "torch.corrcoef takes each row for a variable. Stack the two as rows, dim=0.",
    stacked_as_columns=of_mean_ranks(lambda a, b: torch.corrcoef(torch.stack([a, b], dim=1))[0, 1]),
)


compare_ranks.mistake(
    "mean() needs floats, and counted ranks are whole numbers. Make them floats: .float() or .double().",
    whole_numbers_averaged=lambda a, b: ranks_one_by_one(a).mean() * ranks_one_by_one(b).mean(),
)


compare_ranks.hints(
    "The rank of a score is how many are below it. Where several are equal, each gets the mean of their ranks.",
    "(scores[:, None] > scores).sum(dim=1) counts how many are below each one; == counts those that are equal, "
    "itself included. The mean rank is below + (equal + 1) / 2.",
    "torch.corrcoef(torch.stack([ranks of a, ranks of b]))[0, 1]",
)
