"""A mask that is False for the smallest weights of one layer (lesson 08)."""

import math

import torch
from torch.nn.utils import prune

from bmcourse.exercises.core import exercise
from bmcourse.exercises.pruning.masks import (
    FLOATS,
    INVERTED,
    LARGEST,
    NOT_A_MASK,
    SIGNED,
    Weights,
    largest_to_go,
    settled,
)


@exercise(
    prompt="A mask of True and False, of the shape of `weight`: False for the share `rate` of the weights with the "
    "smallest absolute values, and True for those that stay. Exactly round(rate * number of weights) go, also where "
    "some are equally small; which of these go is free."
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
    ]


@smallest_mask.run
def settled_mask(answer, weight, rate):
    before = weight.clone()
    return settled(answer(weight, rate), before)


@smallest_mask.judge
def by_torch(weight, rate):
    layer = prune.l1_unstructured(Weights(weight), "weight", amount=rate)
    return settled(layer.weight_mask.bool(), weight)


@smallest_mask.right
def by_rank(weight, rate):
    ranks = weight.flatten().abs().argsort().argsort()
    return (ranks >= round(rate * weight.numel())).view_as(weight)


@smallest_mask.right
def by_topk(weight, rate):
    kept = weight.numel() - round(rate * weight.numel())
    mask = torch.zeros_like(weight, dtype=torch.bool)
    mask.view(-1)[weight.square().view(-1).topk(kept).indices] = True
    return mask


@smallest_mask.right
def by_loop(weight, rate):
    numbers = weight.flatten().tolist()
    order = sorted(range(len(numbers)), key=lambda place: abs(numbers[place]))
    gone = set(order[: round(rate * len(numbers))])
    return torch.tensor([place not in gone for place in range(len(numbers))]).reshape(weight.shape)


@smallest_mask.mistake(
    "All weights that are as large as the threshold stay, so with equal weights fewer go than asked. Take the "
    "places of the smallest ones (argsort) and count those off."
)
def smallest_to_stay(weight, rate):
    sizes = weight.abs().flatten().sort().values
    return weight.abs() >= sizes[round(rate * len(sizes))]


@smallest_mask.mistake(
    "You remove the share in each row by itself, so a row of strong weights loses as many as a row of weak "
    "ones. All weights of the layer stand in one order: flatten first."
)
def row_by_row(weight, rate):
    return torch.stack([smallest_mask(row, rate) for row in weight])


@smallest_mask.mistake(
    "The mask is right, but you also set the weights to 0. The original is then lost, and nobody can compare "
    "the pruned model with it."
)
def zeros_in_place(weight, rate):
    mask = smallest_mask(weight, rate)
    weight[~mask] = 0.0
    return mask


def ranked(size=torch.abs, count=lambda rate, n: round(rate * n)):
    """A wrong mask: the first `count(rate, n)` weights go, in the order of `size(weight)`."""

    def answer(weight, rate):
        ranks = size(weight).flatten().argsort(stable=True).argsort()
        return (ranks >= count(rate, weight.numel())).view(weight.shape)

    return answer


smallest_mask.mistake(SIGNED, signed=ranked(lambda weight: weight))

smallest_mask.mistake(LARGEST, largest_go=ranked(lambda weight: -weight.abs()))

smallest_mask.mistake(INVERTED, inverted=lambda weight, rate: ~smallest_mask(weight, rate))

smallest_mask.mistake(
    "You keep the share `rate`. It is the share that goes: at 0.2, four weights of five stay.",
    rate_kept=ranked(count=lambda rate, n: n - round(rate * n)),
)

smallest_mask.mistake(
    "int() cuts off: 0.4 of 17 is 6.8, which is 7 weights and not 6. And 0.29 * 100 is 28.999999999999996 for "
    "a computer. Use round().",
    cut_off=ranked(count=lambda rate, n: int(rate * n)),
)

smallest_mask.mistake(
    "You round up: 0.2 of 27 is 5.4, which is 5 weights and not 6. Use round().",
    rounded_up=ranked(count=lambda rate, n: math.ceil(rate * n)),
)


def above(threshold):
    """A wrong mask: weights stay whose size is above `threshold(sizes, rate)`."""
    return lambda weight, rate: weight.abs() > threshold(weight.abs().flatten(), rate)


smallest_mask.mistake(
    "All weights that are as small as the threshold go, so with equal weights more go than asked. Take the "
    "places of the smallest ones (argsort) and count those off.",
    ties_go=above(largest_to_go),
)

smallest_mask.mistake(
    "Two things miscount. int() cuts off, and 0.4 of 17 is 7 and not 6: use round(). And a threshold takes all "
    "equal weights or none: set the places of the smallest ones (argsort) to False.",
    cut_off_and_ties=above(lambda sizes, rate: sizes.kthvalue(int(rate * len(sizes))).values),
)

smallest_mask.mistake(
    "torch.quantile gives a value between two weights that lie at rate * (n - 1), so one weight too many may "
    "go, and with equal weights all of them. Take the places of the smallest ones: argsort.",
    quantile=above(torch.quantile),
)

smallest_mask.mistake(
    "torch.quantile gives a value between two weights that lie at rate * (n - 1), so one weight too many may "
    "go, and with equal weights none. Take the places of the smallest ones: argsort.",
    quantile_or_equal=lambda weight, rate: weight.abs() >= weight.abs().quantile(rate),
)

smallest_mask.mistake(
    "You remove weights smaller than `rate` itself. `rate` is a share of the number of weights: in a layer of "
    "small weights, yours would remove all.",
    rate_as_threshold=above(lambda sizes, rate: rate),
)

smallest_mask.mistake(
    "You remove weights below `rate` times the largest one. `rate` is a share of their number, and most "
    "weights are far smaller than the largest.",
    share_of_largest=above(lambda sizes, rate: rate * sizes.max()),
)

smallest_mask.mistake(
    "You compare the result of argsort with the number of weights that go. argsort gives places and not "
    "ranks: its first entry says where the smallest weight is. Set the mask at these places to False, or call "
    "argsort twice.",
    places_for_ranks=lambda weight, rate: (weight.abs().flatten().argsort() >= round(rate * weight.numel())).view_as(
        weight
    ),
)

smallest_mask.mistake(NOT_A_MASK, weights_not_mask=lambda weight, rate: weight * smallest_mask(weight, rate))

smallest_mask.mistake(FLOATS, floats=lambda weight, rate: smallest_mask(weight, rate).float())

smallest_mask.mistake(
    "Your mask is one long row. Give it the shape of the weight: .view(weight.shape).",
    one_long_row=lambda weight, rate: smallest_mask(weight, rate).flatten(),
)

smallest_mask.hints(
    "Put the weights in one row and sort them by size. How many go? Where do they stand?",
    "weight.abs().flatten().argsort() gives the places of the weights, the smallest first.",
    "Begin with a mask of True, torch.ones(n, dtype=torch.bool); set the first round(rate * n) of these places to "
    "False; give it the weight's shape.",
)
