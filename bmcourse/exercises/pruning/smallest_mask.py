"""A mask that is False for the smallest weights of one layer (lesson 10)."""

import math

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.pruning.masks import (
    FLOATS,
    INTEGERS,
    INVERTED,
    LARGEST,
    NOT_A_MASK,
    SIGNED,
    VIEW,
    WRITTEN,
    explained,
    settled,
)


@exercise(
    prompt="A mask of True and False, of the shape of `weight`: False for the share `rate` of the weights with the "
    "smallest absolute values, and True for those that stay. Exactly round(rate * number of weights) go, also where "
    "some are equally small; which of these go is free.",
    built=("l1_unstructured", "L1Unstructured"),
)
def smallest_mask(weight, rate):
    smallest = weight.abs().flatten().argsort()[: round(rate * weight.numel())]
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[smallest] = False
    return mask.view(weight.shape)


@smallest_mask.cases
def cases():
    return [
        (torch.tensor([0.1, -0.9, 0.5, -0.2]), 0.5),
        (torch.randn(17), 0.4),
        (torch.randn(3, 9), 0.2),
        (torch.randn(10, 10), 0.29),
        (torch.tensor([[1.0, -1.0, 2.0], [1.0, 1.0, -1.0]]), 0.5),
        (*uncommon(torch.randn(3, 4)), 0.4),
        (torch.randn(4, 2, 3).transpose(0, 2), 0.6),
        (torch.tensor([[0.0, 3.0, -4.0, 0.0, 2.0, 0.7]]), 0.5),
        (torch.randn(5), 0.5),  # 2.5, which Python rounds to 2
        (torch.tensor([[0.0, -2.0], [0.3, 0.0]]), 0.0),
        (torch.randn(2, 3), 1.0),
    ]


@smallest_mask.run
def settled_mask(answer, weight, rate):
    before = weight.detach().clone()
    with explained():
        mask = answer(weight, rate)
    return settled(mask, before)


@smallest_mask.judge
def by_lists(weight, rate):
    numbers = weight.flatten().tolist()
    order = sorted(range(len(numbers)), key=lambda place: abs(numbers[place]))
    gone = set(order[: round(rate * len(numbers))])
    mask = torch.tensor([place not in gone for place in range(len(numbers))]).reshape(weight.shape)
    return settled(mask, weight.detach())


@smallest_mask.right
def by_rank(weight, rate):
    ranks = weight.flatten().abs().argsort().argsort()
    return (ranks >= round(rate * weight.numel())).view_as(weight)


@smallest_mask.right
def by_topk(weight, rate):
    kept = weight.numel() - round(rate * weight.numel())
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    mask.view(-1)[weight.square().reshape(-1).topk(kept).indices] = True
    return mask


@smallest_mask.right
def by_loop(weight, rate):
    sizes, mask = weight.detach().abs().clone(), torch.ones(weight.shape, dtype=torch.bool)
    for _ in range(round(rate * weight.numel())):
        place = torch.unravel_index(sizes.argmin(), sizes.shape)
        sizes[place], mask[place] = math.inf, False
    return mask


@smallest_mask.right
def by_threshold_and_ties(weight, rate):
    sizes, gone = weight.detach().abs().reshape(-1), round(rate * weight.numel())
    limit = sizes.sort().values[gone - 1] if gone else -1.0
    mask = sizes >= limit
    equal = (sizes == limit).nonzero()[:, 0]
    mask[equal[: gone - int((sizes < limit).sum())]] = False
    return mask.reshape(weight.shape)


@smallest_mask.right
def by_scatter(weight, rate):
    places = weight.abs().flatten().sort(descending=True).indices
    stays = torch.arange(weight.numel()) < weight.numel() - round(rate * weight.numel())
    return torch.empty(weight.numel(), dtype=torch.bool).scatter(0, places, stays).reshape(weight.shape)


def ranked(size=torch.abs, count=lambda rate, n: round(rate * n)):
    """A wrong mask: the first `count(rate, n)` weights go, in the order of `size(weight)`."""

    def answer(weight, rate):
        ranks = size(weight).flatten().argsort(stable=True).argsort()
        return (ranks >= count(rate, weight.numel())).view(weight.shape)

    return answer


def above(threshold, size=torch.abs):
    """A wrong mask: weights stay whose size is above `threshold(sizes, k, rate)`, where k are to go."""

    def answer(weight, rate):
        sizes = weight.abs().flatten()
        return size(weight) > threshold(sizes, round(rate * len(sizes)), rate)

    return answer


def at_least(threshold, size=torch.abs):
    """A wrong mask: weights stay whose size is at least `threshold(sizes, k, rate)`, where k are to go."""

    def answer(weight, rate):
        sizes = weight.abs().flatten()
        return size(weight) >= threshold(sizes, round(rate * len(sizes)), rate)

    return answer


def zeros_last(weight):
    return torch.where(weight == 0, math.inf, weight.abs())


def in_order(sizes, place):
    return sizes.sort().values[place]


def along(dim):
    """A wrong mask: each row along `dim` loses the share for itself."""

    def answer(weight, rate):
        ranks = weight.abs().argsort(dim=dim).argsort(dim=dim)
        return ranks >= round(rate * weight.shape[dim])

    return answer


def lost(start):
    """A wrong mask: written through a reshape, which is a copy where the weight is transposed."""

    def answer(weight, rate):
        mask = torch.full_like(weight, start, dtype=torch.bool)
        gone = round(rate * weight.numel())
        order = weight.abs().flatten().argsort()
        mask.reshape(-1)[order[:gone] if start else order[gone:]] = not start
        return mask

    return answer


COUNT_PLACES = "Take the places of the smallest ones (argsort) and count those off."
TIES_GO = f"All weights that are as small as the threshold go, so with equal weights more go than asked. {COUNT_PLACES}"
TIES_STAY = f"All weights that are as large as the threshold stay, so with equal weights fewer go. {COUNT_PLACES}"
NOT_SIZES = (
    "Your threshold comes from the absolute values, but then you compare the signed weights with it: every negative "
    "weight goes. Compare weight.abs()."
)
CUT_OFF = (
    "You cut off with int(): 0.4 of 17 is 6.8, which is 7 weights and not 6. And 0.29 * 100 is 28.999999999999996 for "
    "a computer. Use round()."
)
QUANTILE = "A quantile is a value between two weights that lie at rate * (n - 1)"

smallest_mask.mistake(SIGNED, signed=ranked(lambda weight: weight))
smallest_mask.mistake(LARGEST, largest_go=ranked(lambda weight: -weight.abs()))
smallest_mask.mistake(
    "You remove the largest of the signed values. The smallest absolute values go: sort weight.abs(), and take the "
    "first ones.",
    largest_signed_go=ranked(lambda weight: -weight),
)
smallest_mask.mistake(INVERTED, inverted=lambda weight, rate: ~smallest_mask(weight, rate))
smallest_mask.mistake(
    "You keep the share `rate`. It is the share that goes: at 0.2, four weights of five stay.",
    rate_kept=ranked(count=lambda rate, n: n - round(rate * n)),
)
smallest_mask.mistake(CUT_OFF, cut_off=ranked(count=lambda rate, n: int(rate * n)))
smallest_mask.mistake(
    "You round up, or cut off how many stay: 0.2 of 27 is 5.4, and round() makes 5 of that, not 6.",
    rounded_up=ranked(count=lambda rate, n: math.ceil(rate * n)),
)
smallest_mask.mistake(
    "You round halves up: 2.5 becomes 3. Python's round() goes to the even neighbour, 2, and the text asks for "
    "round(rate * number).",
    half_up=ranked(count=lambda rate, n: int(rate * n + 0.5)),
)
smallest_mask.mistake(
    "One too many goes. The first k places of an order are [:k], or ranks below k: k itself is not among them.",
    one_too_many=ranked(count=lambda rate, n: round(rate * n) + 1),
)
smallest_mask.mistake(
    "One too few goes. The first k places of an order are [:k], or ranks 0 to k - 1.",
    one_too_few=ranked(count=lambda rate, n: max(round(rate * n) - 1, 0)),
)
smallest_mask.mistake(
    "With rate 1 everything stays: no weight is kept, and [-0:] is the whole row. Set the places of those that go, "
    "[:k], to False.",
    minus_zero=ranked(count=lambda rate, n: 0 if rate == 1 else round(rate * n)),
)
smallest_mask.mistake(
    "With rate 0 everything goes: no weight is to be removed, and [:-0] is the empty row, or [-0:] the whole one. "
    "Count from the start, [:k].",
    minus_zero_at_0=ranked(count=lambda rate, n: n if rate == 0 else round(rate * n)),
)
smallest_mask.mistake(
    "At least one weight goes, also where the rate is 0. Let nothing go then: leave out max(1, ...).",
    one_at_least=ranked(count=lambda rate, n: max(round(rate * n), 1)),
)
smallest_mask.mistake(
    "At least one weight stays, also where the rate is 1. All go then.",
    one_stays=ranked(count=lambda rate, n: min(round(rate * n), n - 1)),
)
smallest_mask.mistake(
    TIES_GO, ties_go=above(lambda sizes, k, rate: in_order(sizes, k - 1) if k else torch.tensor(-1.0))
)
smallest_mask.mistake(
    f"{TIES_GO} (And sorted[k - 1] is the largest of all where k is 0.)",
    ties_go_and_all_at_0=above(lambda sizes, k, rate: in_order(sizes, k - 1)),
)
smallest_mask.mistake(
    f"{TIES_GO} (And where k is 0, kthvalue has nothing to give.)",
    ties_go_by_kthvalue=above(lambda sizes, k, rate: sizes.kthvalue(k).values),
)
smallest_mask.mistake(
    f"{TIES_GO} (And where the rate is 0, the smallest k have no maximum.)",
    ties_go_by_topk=above(lambda sizes, k, rate: sizes.topk(k, largest=False).values.max()),
)
smallest_mask.mistake(
    f"{TIES_GO} (And where the rate is 0, there is no last one among the smallest k.)",
    ties_go_by_last=above(lambda sizes, k, rate: sizes.topk(k, largest=False).values[-1]),
)
smallest_mask.mistake(
    f"{TIES_GO} At rate 0 even the smallest goes, for the threshold is never below it.",
    ties_go_and_one_at_0=above(lambda sizes, k, rate: in_order(sizes, max(k - 1, 0))),
)
smallest_mask.mistake(
    f"Two things miscount: {CUT_OFF} And a threshold takes all equal weights or none: take places (argsort).",
    cut_off_and_ties=above(lambda sizes, k, rate: sizes.kthvalue(int(rate * len(sizes))).values),
)
smallest_mask.mistake(
    f"Two things miscount: int() cuts off, where round() was asked, and sorted[k - 1] takes all equal weights. "
    f"{COUNT_PLACES}",
    cut_off_and_ties_by_sorting=above(lambda sizes, k, rate: in_order(sizes, int(rate * len(sizes)) - 1)),
)
smallest_mask.mistake(
    f"{TIES_STAY} (And where all go, sorted[k] is beyond the end.)",
    ties_stay=at_least(lambda sizes, k, rate: in_order(sizes, k)),
)
smallest_mask.mistake(
    TIES_STAY,
    ties_stay_guarded=at_least(lambda sizes, k, rate: in_order(sizes, k) if k < len(sizes) else torch.tensor(math.inf)),
)
smallest_mask.mistake(
    f"{TIES_STAY} And at rate 1 the largest stays, for the threshold is never above it.",
    ties_stay_and_one_at_1=at_least(lambda sizes, k, rate: in_order(sizes, min(k, len(sizes) - 1))),
)
smallest_mask.mistake(
    f"Two things miscount: int() cuts off, and sorted[k] with >= keeps all equal weights. Use round(). {COUNT_PLACES}",
    cut_off_and_ties_stay=at_least(lambda sizes, k, rate: in_order(sizes, int(rate * len(sizes)))),
)
smallest_mask.mistake(
    f"The threshold sorted[k] with > removes one weight too many, as the places count from 0; and all that are equal "
    f"to it. {COUNT_PLACES}",
    one_too_many_by_threshold=above(lambda sizes, k, rate: in_order(sizes, k)),
)
smallest_mask.mistake(
    f"The threshold sorted[k] with > removes one weight too many, at rate 1 the largest stays, and equal weights go "
    f"together. {COUNT_PLACES}",
    one_too_many_by_bounded_threshold=above(
        lambda sizes, k, rate: in_order(sizes, k) if k < len(sizes) else in_order(sizes, -1) / 2
    ),
)
smallest_mask.mistake(
    f"The threshold sorted[k - 1] with >= keeps the last one that should go, and all that are equal to it. "
    f"{COUNT_PLACES}",
    one_too_few_by_threshold=at_least(lambda sizes, k, rate: in_order(sizes, k - 1)),
)
smallest_mask.mistake(
    f"The threshold sorted[k - 1] with >= keeps the last one that should go, and all that are equal to it. (And where "
    f"k is 0, kthvalue has nothing to give.) {COUNT_PLACES}",
    one_too_few_by_kthvalue=at_least(lambda sizes, k, rate: sizes.kthvalue(k).values),
)
smallest_mask.mistake(
    f"{QUANTILE}, so one weight too many may go, and with equal weights all of them. {COUNT_PLACES}",
    quantile=above(lambda sizes, k, rate: sizes.quantile(rate)),
)
smallest_mask.mistake(
    f"{QUANTILE}, so one weight too many may go, and with equal weights none. {COUNT_PLACES}",
    quantile_or_equal=at_least(lambda sizes, k, rate: sizes.quantile(rate)),
)
smallest_mask.mistake(
    f"{QUANTILE}; and yours is taken of the signed weights. The smallest absolute values go. {COUNT_PLACES}",
    signed_quantile=lambda weight, rate: weight > weight.quantile(rate),
)
smallest_mask.mistake(
    NOT_SIZES, signed_compared=above(lambda sizes, k, rate: in_order(sizes, k - 1), lambda weight: weight)
)
smallest_mask.mistake(
    f"{NOT_SIZES} (And where k is 0, kthvalue has nothing to give.)",
    signed_compared_by_kthvalue=above(lambda sizes, k, rate: sizes.kthvalue(k).values, lambda weight: weight),
)
smallest_mask.mistake(
    f"{NOT_SIZES} (And where all go, sorted[k] is beyond the end.)",
    signed_compared_or_equal=at_least(lambda sizes, k, rate: in_order(sizes, k), lambda weight: weight),
)
smallest_mask.mistake(
    f"{NOT_SIZES} (And a quantile is no count: equal weights go together.)",
    signed_compared_with_quantile=above(lambda sizes, k, rate: sizes.quantile(rate), lambda weight: weight),
)
smallest_mask.mistake(
    "You remove weights smaller than `rate` itself. `rate` is a share of the number of weights: in a layer of small "
    "weights, yours would remove all.",
    rate_as_threshold=above(lambda sizes, k, rate: rate),
)
smallest_mask.mistake(
    "You keep weights of at least `rate`. `rate` is a share of the number of weights, and no size.",
    rate_as_threshold_or_equal=at_least(lambda sizes, k, rate: rate),
)
smallest_mask.mistake(
    "You remove weights below `rate` times the largest one. `rate` is a share of their number, and most weights are "
    "far smaller than the largest.",
    share_of_largest=above(lambda sizes, k, rate: rate * sizes.max()),
)
smallest_mask.mistake(
    "You keep weights of at least `rate` times the largest one. `rate` is a share of their number, and most weights "
    "are far smaller than the largest.",
    share_of_largest_or_equal=at_least(lambda sizes, k, rate: rate * sizes.max()),
)
smallest_mask.mistake(
    "Your threshold lies at the share `rate` of the way from the smallest to the largest weight. `rate` is a share of "
    "their number, not of their range.",
    share_of_range=above(lambda sizes, k, rate: torch.lerp(sizes.min(), sizes.max(), rate)),
)
smallest_mask.mistake(
    "You remove weights below `rate` times the mean. `rate` is a share of their number.",
    share_of_mean=above(lambda sizes, k, rate: rate * sizes.mean()),
)
smallest_mask.mistake(
    "You compare with the mean, whatever the rate. round(rate * number) weights go: sort them, and count those off.",
    mean_as_threshold=above(lambda sizes, k, rate: sizes.mean()),
)
smallest_mask.mistake(
    "You compare with the median, so half of the weights go, whatever the rate. Use `rate`.",
    always_half=ranked(count=lambda rate, n: round(0.5 * n)),
)
smallest_mask.mistake(
    "Only weights of 0 go, whatever the rate. Pruning removes the smallest ones, also where they are not 0.",
    zeros_only=lambda weight, rate: weight != 0,
)
smallest_mask.mistake(
    "You compare the result of argsort with the number of weights that go. argsort gives places and not ranks: its "
    "first entry says where the smallest weight is. Set the mask at these places to False, or call argsort twice.",
    places_for_ranks=lambda weight, rate: (weight.abs().flatten().argsort() >= round(rate * weight.numel())).view(
        weight.shape
    ),
)
smallest_mask.mistake(
    "In your mask the first places are False, whatever stands there. Perhaps it is in the order of the sorted weights: "
    "set the places that argsort gives to False.",
    first_places=lambda weight, rate: (torch.arange(weight.numel()) >= round(rate * weight.numel())).view(weight.shape),
)
smallest_mask.mistake(
    "In your mask the last places are False, whatever stands there. Set the places that argsort gives to False.",
    last_places=lambda weight, rate: (
        torch.arange(weight.numel()) < weight.numel() - round(rate * weight.numel())
    ).view(weight.shape),
)
smallest_mask.mistake(
    "Nothing goes: your mask is True everywhere. Is a result thrown away, or the rate taken for percent?",
    nothing_goes=lambda weight, rate: torch.ones(weight.shape, dtype=torch.bool),
)
smallest_mask.mistake(
    "Everything goes: your mask is False everywhere. Set it to True where a weight stays.",
    everything_goes=lambda weight, rate: torch.zeros(weight.shape, dtype=torch.bool),
)
smallest_mask.mistake(
    "The count comes from the number of rows, len(weight). All weights count: weight.numel().",
    share_of_rows=lambda weight, rate: ranked(count=lambda _, n: round(rate * len(weight)))(weight, rate),
)
smallest_mask.mistake(
    "The count comes from the length of a row, weight.shape[-1]. All weights count: weight.numel().",
    share_of_columns=lambda weight, rate: ranked(count=lambda _, n: round(rate * weight.shape[-1]))(weight, rate),
)
smallest_mask.mistake(
    "You remove the share in each row by itself, so a row of strong weights loses as many as a row of weak ones. All "
    "weights of the layer stand in one order: flatten first.",
    row_by_row=along(-1),
)
smallest_mask.mistake(
    "You remove the share in each row by itself, and a weight of one dimension has no dim 1. All weights of the layer "
    "stand in one order, whatever its shape: flatten first.",
    row_by_row_of_a_matrix=along(1),
)
smallest_mask.mistake(
    "You remove the share in each column by itself (argsort along dim 0). All weights of the layer stand in one order: "
    "flatten first.",
    column_by_column=along(0),
)
smallest_mask.mistake(
    "You sort each row by itself, and then set these places in the whole weight: the places of a row begin at 0 again. "
    "Flatten first, and sort all weights in one order.",
    places_of_rows=lambda weight, rate: (
        torch.ones(weight.numel(), dtype=torch.bool)
        .index_fill(0, weight.abs().argsort().flatten()[: round(rate * weight.numel())], False)
        .view(weight.shape)
    ),
)
smallest_mask.mistake(
    "Weights that are 0 already go on top of the others. They are the smallest ones, and count among those that go.",
    zeros_on_top=lambda weight, rate: (weight != 0) & ranked(zeros_last)(weight, rate),
)
smallest_mask.mistake(
    "Weights that are 0 already stay: you count the others only. They are the smallest ones, and go first.",
    zeros_stay=ranked(zeros_last),
)
smallest_mask.mistake(
    "You take the share of the weights that are not 0. All weights count: weight.numel().",
    share_of_the_rest=lambda weight, rate: ranked(count=lambda _, n: round(rate * int(weight.count_nonzero())))(
        weight, rate
    ),
)
smallest_mask.mistake(
    "Right, but where the weight is transposed your mask stays True: reshape and flatten give a copy there, and what "
    "you write into it is lost. Make a flat mask first, and give it the shape of the weight at the end.",
    written_into_a_copy=lost(True),
)
smallest_mask.mistake(
    "Right, but where the weight is transposed your mask stays False: reshape and flatten give a copy there, and what "
    "you write into it is lost. Make a flat mask first, and give it the shape of the weight at the end.",
    kept_written_into_a_copy=lost(False),
)
smallest_mask.mistake(
    VIEW,
    view_of_the_weight=lambda weight, rate: smallest_mask(weight.view(-1), rate).view(weight.shape),
)
smallest_mask.mistake(
    "You return the places of the weights that go. Return a mask: begin with one of True, and set these to False.",
    places_that_go=lambda weight, rate: weight.abs().flatten().argsort()[: round(rate * weight.numel())],
)
smallest_mask.mistake(
    "You return the places of the weights that stay. Return a mask: begin with one of False, and set these to True.",
    places_that_stay=lambda weight, rate: weight.abs().flatten().argsort()[round(rate * weight.numel()) :],
)
smallest_mask.mistake(
    "You return the weights that stay, in a row: nobody knows where they were. Return the mask.",
    weights_that_stay=lambda weight, rate: weight[smallest_mask(weight, rate)],
)
smallest_mask.mistake(
    "The mask is right, but you also set the weights to 0. The original is then lost, and nobody can compare the "
    "pruned model with it.",
    zeros_in_place=lambda weight, rate: (mask := smallest_mask(weight, rate), weight.data.mul_(mask))[0],
)
smallest_mask.mistake(WRITTEN, zeros_in_the_graph=lambda weight, rate: weight.mul_(smallest_mask(weight, rate)))
smallest_mask.mistake(NOT_A_MASK, weights_not_masks=lambda weight, rate: weight * smallest_mask(weight, rate))
smallest_mask.mistake(FLOATS, floats=lambda weight, rate: smallest_mask(weight, rate).float())
smallest_mask.mistake(INTEGERS, integers=lambda weight, rate: smallest_mask(weight, rate).int())
smallest_mask.mistake(
    "Your mask is one long row. Give it the shape of the weight: .view(weight.shape).",
    one_long_row=lambda weight, rate: smallest_mask(weight, rate).flatten(),
)
smallest_mask.mistake(
    f"{TIES_STAY} (And where all go, there is no last one among those that stay.)",
    ties_stay_by_last=at_least(lambda sizes, k, rate: sizes.topk(len(sizes) - k).values[-1]),
)
smallest_mask.mistake(
    f"{TIES_STAY} (And where all go, those that stay have no minimum.)",
    ties_stay_by_min=at_least(lambda sizes, k, rate: sizes.topk(len(sizes) - k).values.min()),
)

smallest_mask.hints(
    "Put the weights in one row and sort them by size. How many go? Where do they stand?",
    "weight.abs().flatten().argsort() gives the places of the weights, the smallest first.",
    "Begin with a mask of True, torch.ones(n, dtype=torch.bool); set the first round(rate * n) of these places to "
    "False; give it the weight's shape.",
)
