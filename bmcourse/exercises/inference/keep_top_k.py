"""The exercise `keep_top_k`: all logits but the k largest become minus infinity."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Top-k: the k largest logits stay as they are, where they are, and all others become minus infinity. "
    "logits (V,) in, (V,) out.",
    tolerance=1e-9,
    untried={"logits": {"a gradient is wanted": "nobody learns from a token that is drawn"}},
)
def keep_top_k(logits, k):
    smallest = logits.topk(k).values[-1]
    return logits.masked_fill(logits < smallest, -math.inf)


@keep_top_k.cases
def cases():
    """Where equal logits stand at the border, the text leaves open which of them stay: none do."""
    return [
        (torch.tensor([1.0, 3.0, 0.5, 2.0]), 2),
        (torch.tensor([-1.0, -4.0, -2.5, -0.5, -3.0]), 3),
        (torch.tensor([2.0, 0.0, 0.0, -1.0, 2.0, -3.0, -3.0]), 4),
        (torch.randn(12), 1),
        (torch.randn(7), 7),
        (torch.randn(30) * 4, 11),
        (torch.tensor([0.3, 1.0, 1.0 + 1e-9, -2.0], dtype=torch.float64), 1),
        (torch.tensor([0.3, 0.1, -0.2, 0.7], dtype=torch.float64), 3),
        (torch.tensor([0.7]), 1),
        (torch.tensor([-1000.0, 0.5, 1000.0, -math.inf, 999.0, -50.0]), 3),
    ]


@keep_top_k.judge
def by_counting(logits, k):
    """A logit stays where fewer than k are larger."""
    scores = logits.tolist()
    kept = [x if sum(other > x for other in scores) < k else -math.inf for x in scores]
    return torch.tensor(kept, dtype=logits.dtype)


@keep_top_k.right
def by_scatter(logits, k):
    values, places = torch.topk(logits, k)
    return torch.full_like(logits, -math.inf).scatter(0, places, values)


@keep_top_k.right
def by_where(logits, k):
    limit = torch.sort(logits, descending=True).values[k - 1]
    return torch.where(logits >= limit, logits, torch.tensor(float("-inf")))


@keep_top_k.right
def by_index(logits, k):
    kept = logits.clone()
    kept[logits.argsort(descending=True)[k:]] = float("-inf")
    return kept


@keep_top_k.right
def by_rank(logits, k):
    rank = logits.argsort(descending=True).argsort()
    return logits + torch.where(rank < k, 0.0, -math.inf)


@keep_top_k.right
def in_a_list(logits, k):
    scores = logits.tolist()
    largest = set(sorted(range(len(scores)), key=lambda place: -scores[place])[:k])
    kept = [score if place in largest else -math.inf for place, score in enumerate(scores)]
    return torch.tensor(kept, dtype=logits.dtype, device=logits.device)


def only_these(logits, places, other=-math.inf):
    """The logits with `other` everywhere but at `places`."""
    return torch.full_like(logits, other).scatter(0, places, logits[places])


def others(value):
    """A wrong top-k: one with another value for what is removed."""
    return lambda logits, k: only_these(logits, logits.topk(k).indices, value)


def gone(condition):
    """A wrong top-k: what is removed is where `condition(logits, k)` holds."""
    return lambda logits, k: logits.masked_fill(condition(logits, k), -math.inf)


def kept(places):
    """A wrong top-k: what is kept is at `places(logits, k)`."""
    return lambda logits, k: only_these(logits, places(logits, k))


def after(change):
    """A wrong top-k: the right result, changed."""
    return lambda logits, k: change(keep_top_k(logits, k))


keep_top_k.mistake(
    "You keep the k smallest. A higher logit means likelier: keep the largest.",
    smallest=kept(lambda logits, k: logits.topk(k, largest=False).indices),
)
keep_top_k.mistake(
    "You set the others to 0. A logit of 0 still has a probability, since exp(0) is 1. Use -inf: exp(-inf) is 0.",
    zero=others(0.0),
)
keep_top_k.mistake(
    "You multiply with a mask, which makes the others 0. A logit of 0 still has a probability, since exp(0) is 1. Use "
    "masked_fill with -inf.",
    zero_by_a_product=lambda logits, k: logits * (logits >= logits.topk(k).values[-1]),
)
keep_top_k.mistake(
    "You set the others to 1. They must get -inf: exp(-inf) is 0, and so they are never drawn.", one=others(1.0)
)
keep_top_k.mistake("You set the others to -1. That is a logit like any other. Use -inf.", minus_one=others(-1.0))
keep_top_k.mistake("You set the others to plus infinity. It must be minus infinity.", plus_infinity=others(math.inf))
keep_top_k.mistake("You set the others to NaN. Use minus infinity: -math.inf.", nan=others(math.nan))
for number, text in (
    (-1e9, "-1e9"), (-1e10, "-1e10"), (-1e4, "-1e4"), (-1e5, "-1e5"), (-1e6, "-1e6"), (-1e8, "-1e8"), (-1e20, "-1e20"),
    (-1e30, "-1e30"), (-100.0, "-100"), (-1000.0, "-1000"), (-999.0, "-999"), (-9999.0, "-9999"),
):  # fmt: skip
    keep_top_k.mistake(
        f"You use {text} for minus infinity. It works until logits are added or scaled; -inf always works: "
        "float('-inf') or -math.inf.",
        **{f"minus_{abs(number):g}".replace("+", ""): others(number)},
    )
keep_top_k.mistake(
    "You use the smallest float for minus infinity. -inf is meant: float('-inf') or -math.inf.",
    smallest_float=lambda logits, k: others(torch.finfo(logits.dtype).min)(logits, k),
)
keep_top_k.mistake(
    "The others get the smallest logit. They are still drawn: use -inf.",
    smallest_logit=lambda logits, k: others(logits.min().item())(logits, k),
)
keep_top_k.mistake(
    "The k-th largest goes too. Remove what is smaller than it: < and not <=.",
    limit_removed=gone(lambda logits, k: logits <= logits.topk(k).values[-1]),
)
keep_top_k.mistake(
    "One too few stays: take the k largest, and not k - 1.",
    one_too_few=kept(lambda logits, k: logits.topk(k - 1).indices),
)
keep_top_k.mistake(
    "One too many stays, where there is one. In a list sorted from the largest, the k-th stands at k - 1, since "
    "counting begins with 0.",
    one_too_many=kept(lambda logits, k: logits.topk(min(k + 1, len(logits))).indices),
)
keep_top_k.mistake(
    "One too many stays, and where all stay there is an error. In a list sorted from the largest, the k-th stands at "
    "k - 1, since counting begins with 0.",
    limit_at_k=gone(lambda logits, k: logits < logits.sort(descending=True).values[k]),
)
keep_top_k.mistake(
    "You take k + 1, one too many; and where k is the size of the vocabulary there is an error.",
    topk_of_one_more=gone(lambda logits, k: logits < logits.topk(k + 1).values[-1]),
)
keep_top_k.mistake(
    "Sorted from the smallest, the k-th largest stands at -k. At -k - 1 there is the next one, which must go.",
    limit_at_minus_k_minus_one=gone(lambda logits, k: logits < logits.sort().values[-k - 1]),
)
keep_top_k.mistake(
    "sort() puts the smallest first, so [k] is no limit for the largest. Use descending=True and [k - 1], or [-k].",
    ascending_at_k=gone(lambda logits, k: logits < logits.sort().values[k]),
)
keep_top_k.mistake(
    "sort() puts the smallest first, so [k - 1] is the k-th smallest. Use descending=True, or [-k].",
    ascending_at_k_minus_one=gone(lambda logits, k: logits < logits.sort().values[k - 1]),
)
keep_top_k.mistake(
    "You remove the k smallest. Keep k, and remove all others.",
    k_smallest_removed=gone(
        lambda logits, k: torch.zeros_like(logits, dtype=torch.bool).index_fill(0, logits.argsort()[:k], True)
    ),
)
keep_top_k.mistake(
    "You removed the k largest and kept the others. It is the other way round.",
    largest_removed=lambda logits, k: logits.scatter(0, logits.topk(k).indices, -math.inf),
)
keep_top_k.mistake(
    "Your limit is the largest logit, so only that one stays. The k-th largest is the last of topk(k): values[-1].",
    limit_is_the_largest=gone(lambda logits, k: logits < logits.max()),
)
keep_top_k.mistake(
    "Nothing stays. The k largest must keep their logits.", nothing_stays=gone(lambda logits, k: logits > -1e300)
)
keep_top_k.mistake(
    "Nothing goes: all but the k largest must become -inf.", nothing_goes=lambda logits, k: logits.clone()
)
keep_top_k.mistake(
    "You return the k values alone: which tokens are they? Keep the shape (V,), with -inf at the others.",
    values_alone=lambda logits, k: logits.topk(k).values,
)
keep_top_k.mistake(
    "You return the logits that stay, without the others: which tokens are they? Keep the shape (V,), with -inf at the "
    "others.",
    kept_alone=lambda logits, k: logits[logits >= logits.topk(k).values[-1]],
)
keep_top_k.mistake(
    "You return the places of the k largest. Return the logits, (V,), with -inf everywhere else.",
    places_alone=lambda logits, k: logits.topk(k).indices,
)
keep_top_k.mistake(
    "topk gives two things, values and places, and you return both. Return the logits, (V,), with -inf for the others.",
    both_of_topk=lambda logits, k: tuple(logits.topk(k)),
)
keep_top_k.mistake(
    "You return True and False. Use them: logits.masked_fill(...), or torch.where.",
    mask_alone=lambda logits, k: logits >= logits.topk(k).values[-1],
)
keep_top_k.mistake(
    "Your values are sorted, so each now belongs to another token. Every logit must stay in its place.",
    values_in_front=lambda logits, k: F.pad(logits.topk(k).values, (0, len(logits) - k), value=-math.inf),
)
keep_top_k.mistake(
    "The largest are in the right places and in the wrong order: each belongs to another token.",
    values_in_the_order_of_places=lambda logits, k: torch.full_like(logits, -math.inf).scatter(
        0, logits.topk(k).indices.sort().values, logits.topk(k).values
    ),
)
keep_top_k.mistake(
    "You return the limit, the k-th largest logit. Remove what is smaller than it.",
    limit_alone=lambda logits, k: logits.topk(k).values[-1],
)
keep_top_k.mistake(
    "You return probabilities. Return logits: temperature and softmax come later.",
    probabilities=after(lambda result: result.softmax(dim=-1)),
)
keep_top_k.mistake(
    "You keep probabilities. Return the logits as they are: softmax comes later.",
    probabilities_kept=lambda logits, k: keep_top_k(logits.softmax(dim=-1), k),
)
keep_top_k.mistake(
    "You return logarithms of probabilities. Return the logits as they are.",
    log_probabilities=after(lambda result: result.log_softmax(dim=-1)),
)
keep_top_k.mistake(
    "You return logarithms of the probabilities among all tokens. Return the logits as they are.",
    log_probabilities_kept=lambda logits, k: keep_top_k(logits.log_softmax(dim=-1), k),
)
keep_top_k.mistake(
    "You return the logits divided by the largest. They stay as they are.",
    divided=after(lambda result: result / result.max()),
)
keep_top_k.mistake(
    "You subtract the largest logit. They stay as they are.", largest_subtracted=after(lambda r: r - r.max())
)
keep_top_k.mistake(
    "The logits that stay are 1. They keep their values.",
    ones=after(lambda result: torch.where(result > -math.inf, 1.0, result)),
)
keep_top_k.mistake(
    "The logits that stay are 0. They keep their values: add your mask to the logits.",
    zeros=after(lambda result: torch.where(result > -math.inf, 0.0, result)),
)
keep_top_k.mistake(
    "You compare the logits with k itself. k counts tokens: compare with the k-th largest logit.",
    compared_with_k=gone(lambda logits, k: logits < k),
)
keep_top_k.mistake(
    "You compare the places with k: the first k of the vocabulary stay, whatever their logits.",
    first_k_of_the_vocabulary=gone(lambda logits, k: torch.arange(len(logits)) >= k),
)
keep_top_k.mistake(
    "You keep the last k of the vocabulary. They would be the largest only if the logits were sorted.",
    last_k_of_the_vocabulary=gone(lambda logits, k: torch.arange(len(logits)) < len(logits) - k),
)
keep_top_k.mistake(
    "argsort says which token stands at each rank, not which rank a token has. order < k asks the wrong one: "
    "write to the places order[k:], or take argsort of it once more.",
    order_for_rank=gone(lambda logits, k: logits.argsort(descending=True) >= k),
)
keep_top_k.mistake(
    "argsort says which token stands at each rank, not which rank a token has, and it begins with the smallest.",
    ascending_order_for_rank=gone(lambda logits, k: logits.argsort() >= k),
)
keep_top_k.mistake(
    "You take the largest absolute values. -4 is a small logit: leave abs() out.",
    absolute=kept(lambda logits, k: logits.abs().topk(k).indices),
)
keep_top_k.mistake(
    "0 times infinity is NaN. Choose with masked_fill or torch.where; do not multiply a mask with -inf.",
    zero_times_infinity=lambda logits, k: mixed_by_product(logits, logits >= logits.topk(k).values[-1]),
)
keep_top_k.mistake(
    "Your mask times -inf is NaN where the mask is 0. Choose with masked_fill or torch.where.",
    mask_times_infinity=lambda logits, k: logits + (logits < logits.topk(k).values[-1]) * -math.inf,
)
keep_top_k.mistake(
    "A logit of 0 is lost: you fill up with zeros and then take every 0 for one that is removed. Begin with -inf: "
    "torch.full_like(logits, -math.inf).",
    zero_is_removed=after(lambda result: result.masked_fill(result == 0, -math.inf)),
)
keep_top_k.mistake(
    "Equal logits count once. Two tokens may have the same logit, and both count: do not use unique() or set().",
    equal_once=gone(lambda logits, k: logits < logits.unique()[-min(k, len(logits.unique()))]),
)
keep_top_k.mistake(
    "You look up the place of a logit, and find the first one with that value. Two tokens may have the same logit: "
    "take the indices that topk gives.",
    first_of_equal=kept(
        lambda logits, k: torch.tensor([logits.tolist().index(x) for x in logits.topk(k).values.tolist()])
    ),
)
for number in (1, 2, 3, 5, 10):
    keep_top_k.mistake(
        f"You always keep {number}, or all where there are fewer. Use the argument k.",
        **{f"always_{number}": kept(lambda logits, k, number=number: logits.topk(min(number, len(logits))).indices)},
    )
keep_top_k.mistake(
    "You keep what is above the mean. How many those are depends on the logits: k tokens must stay.",
    above_the_mean=gone(lambda logits, k: logits < logits.mean()),
)
keep_top_k.mistake(
    "Float64 logits come back with the digits of float32: torch.full, torch.zeros and torch.tensor make float32. Use "
    "torch.full_like(logits, ...), or say dtype=logits.dtype.",
    digits_lost=after(lambda result: result.float()),
)
keep_top_k.mistake(
    "You turn float64 logits into float32 before you choose: those that are nearly equal become equal. Leave the type "
    "as it is.",
    digits_lost_before=lambda logits, k: keep_top_k(logits.float(), k),
)
keep_top_k.mistake(
    "You turn float64 logits into float32 before you choose: two that are nearly equal become equal, and the first of "
    "them wins. Leave the type as it is.",
    digits_lost_before_topk=lambda logits, k: only_these(logits.float(), logits.float().topk(k).indices),
)
keep_top_k.mistake(
    "The k-th largest goes too, and float64 logits come back in float32. Keep what equals the limit, >= and not >, and "
    "say dtype=logits.dtype.",
    limit_removed_and_digits_lost=lambda logits, k: logits.masked_fill(
        logits <= logits.topk(k).values[-1], -math.inf
    ).float(),
)
keep_top_k.mistake("You round the logits. They stay as they are.", rounded=after(torch.round))
keep_top_k.mistake(
    "You return a list. Return a tensor: torch.tensor(..., dtype=logits.dtype).",
    in_a_list_only=after(torch.Tensor.tolist),
)


def mixed_by_product(logits, mask):
    mask = mask.to(logits.dtype)
    return logits * mask + (1 - mask) * -math.inf


@keep_top_k.mistake(
    "The result is right, but the logits you were given are changed too. Work on a copy: logits.clone(), or "
    "masked_fill without _ at its end."
)
def in_place(logits, k):
    logits[logits.argsort(descending=True)[k:]] = -math.inf
    return logits


keep_top_k.hints(
    "Find the k-th largest logit. All that is smaller goes.",
    "logits.topk(k).values is sorted, the largest first. Which is the k-th?",
    "logits.masked_fill(logits < smallest, -math.inf), with smallest = logits.topk(k).values[-1].",
)
