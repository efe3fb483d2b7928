"""One mask for each layer, of which the smallest weights of all layers together are False (lesson 10)."""

import math

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake
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
from bmcourse.exercises.pruning.smallest_mask import smallest_mask


@exercise(
    prompt="One mask for each tensor in the list `weights`, as in smallest_mask, but the layers are compared with each "
    "other: over all of them together, the share `rate` with the smallest absolute values goes. A layer of small "
    "weights may lose nearly all, another one hardly any. Returns a list.",
    built=("global_unstructured",),
)
def masks_across_layers(weights, rate):
    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    mask = torch.ones(len(sizes), dtype=torch.bool)
    mask[sizes.argsort()[: round(rate * len(sizes))]] = False
    parts = mask.split([weight.numel() for weight in weights])
    return [part.view(weight.shape) for part, weight in zip(parts, weights, strict=True)]


@masks_across_layers.cases
def cases():
    same = torch.tensor([[0.0, 0.3], [0.0, -2.0]])
    return [
        ([torch.tensor([3.0, -4.0]), torch.tensor([[0.5], [-1.0]])], 0.5),
        ([torch.randn(4, 5), 0.3 * torch.randn(7), 2 * torch.randn(2, 3, 2)], 0.4),
        ([0.1 * torch.randn(6, 6), torch.randn(3, 7)], 0.83),
        ([torch.ones(2, 3), -torch.ones(5), torch.full((2,), 2.0)], 0.3),
        ([torch.randn(4, 4)], 0.3),
        (list(uncommon(torch.randn(2, 3), torch.randn(5, 1), torch.randn(3))), 0.1),
        ([same, same.clone(), torch.randn(4, 3).T], 0.7),
        ([torch.randn(3, 2), torch.randn(4)], 0.0),
        ([torch.randn(2, 2), torch.randn(1, 3)], 1.0),
    ]


ONE_ROW = (
    "Return a list with one mask for each layer. mask.split([numbers of weights]) cuts a long row in parts, and "
    ".view(weight.shape) gives each its shape."
)


@masks_across_layers.run
def settled_across(answer, weights, rate):
    """The masks in one row, settled among equal weights; and the shapes they had."""
    before = torch.cat([weight.detach().flatten() for weight in weights])
    with explained():
        masks = answer(weights, rate)
    if torch.is_tensor(masks):
        raise Mistake(ONE_ROW)
    if not isinstance(masks, (list, tuple)) or not all(map(torch.is_tensor, masks)):
        return masks
    if sum(map(torch.numel, masks)) != len(before):
        return masks
    return cut(settled(torch.cat([mask.flatten() for mask in masks]), before), masks)


def cut(row, shaped):
    """The row in parts, of the shapes of the tensors in the list `shaped`."""
    parts = row.split([tensor.numel() for tensor in shaped])
    return [part.view(tensor.shape) for part, tensor in zip(parts, shaped, strict=True)]


@masks_across_layers.judge
def expected(weights, rate):
    return settled_across(by_loop, weights, rate)


def by_loop(weights, rate):
    places = [(abs(w), layer, i) for layer, one in enumerate(weights) for i, w in enumerate(one.flatten().tolist())]
    masks = [torch.ones(weight.numel(), dtype=torch.bool) for weight in weights]
    for _, layer, i in sorted(places)[: round(rate * len(places))]:
        masks[layer][i] = False
    return [mask.reshape(weight.shape) for mask, weight in zip(masks, weights, strict=True)]


@masks_across_layers.right
def by_vector(weights, rate):
    row = torch.nn.utils.parameters_to_vector([weight.contiguous() for weight in weights])
    return cut(row.square().argsort().argsort() >= round(rate * len(row)), weights)


@masks_across_layers.right
def by_topk(weights, rate):
    row = torch.hstack([weight.abs().ravel() for weight in weights])
    gone = torch.topk(row, round(rate * len(row)), largest=False).indices
    return cut(torch.ones(row.shape).bool().index_fill(0, gone, False), weights)


@masks_across_layers.right
def by_one_layer(weights, rate):
    """All weights as one long layer."""
    return cut(smallest_mask(torch.cat([weight.reshape(-1) for weight in weights]), rate), weights)


@masks_across_layers.right
def by_removing(weights, rate):
    """One after the other goes: the smallest of all that are left."""
    sizes = [weight.detach().abs().reshape(-1).tolist() for weight in weights]
    masks = [[True] * len(row) for row in sizes]
    for _ in range(round(rate * sum(map(len, sizes)))):
        left = [(s, k, i) for k, row in enumerate(sizes) for i, s in enumerate(row) if masks[k][i]]
        _, k, i = min(left)
        masks[k][i] = False
    return [torch.tensor(mask).reshape(weight.shape) for mask, weight in zip(masks, weights, strict=True)]


def across(size=lambda weight: weight.abs(), count=lambda rate, n: round(rate * n)):
    """Wrong masks: the first `count(rate, n)` weights go, in the order of `size(weight)` over all layers."""

    def answer(weights, rate):
        row = torch.cat([size(weight).flatten() for weight in weights])
        return cut(row.argsort(stable=True).argsort() >= count(rate, len(row)), weights)

    return answer


def one_threshold(threshold, compare=torch.gt):
    """Wrong masks: a weight stays by the comparison of its size with `threshold(sizes of each layer, rate)`."""

    def answer(weights, rate):
        limit = threshold([weight.abs().flatten() for weight in weights], rate)
        return [compare(weight.abs(), limit) for weight in weights]

    return answer


def place(row, number):
    return row.sort().values[number]


def last_to_go(row, rate):
    """The largest of those that go; smaller than all where none goes."""
    gone = round(rate * len(row))
    return place(row, gone - 1) if gone else torch.tensor(-1.0)


def each(change):
    """Wrong masks: something done to each right mask and its weight."""
    return lambda weights, rate: [
        change(mask, weight) for mask, weight in zip(masks_across_layers(weights, rate), weights, strict=True)
    ]


TIES_GO = (
    "All weights that are as small as the threshold go, so with equal weights more go than asked. Take the places of "
    "the smallest ones (argsort) and count those off."
)
TIES_STAY = (
    "All weights that are as large as the threshold stay, so with equal weights fewer go. Take the places of the "
    "smallest ones (argsort) and count those off."
)

masks_across_layers.mistake(
    "Each layer loses the same share: you sort layer by layer. The last layer, small and with strong weights, suffers "
    "most from that. Put the weights of all layers in one row with torch.cat, and sort once.",
    layer_by_layer=lambda weights, rate: [smallest_mask(weight, rate) for weight in weights],
)
masks_across_layers.mistake(
    "You take the mean of the layers' thresholds. A layer of 10 weights then has as much say as one of 10000, and the "
    "count is wrong. Sort all weights together.",
    mean_of_thresholds=one_threshold(lambda sizes, rate: sum(last_to_go(s, rate) for s in sizes) / len(sizes)),
)
masks_across_layers.mistake(
    "Your threshold comes from the first layer alone. Put the weights of all layers in one row and sort that.",
    first_layers_threshold=one_threshold(lambda sizes, rate: last_to_go(sizes[0], rate)),
)
masks_across_layers.mistake(
    "Your threshold comes from the last layer alone. Put the weights of all layers in one row and sort that.",
    last_layers_threshold=one_threshold(lambda sizes, rate: last_to_go(sizes[-1], rate)),
)
masks_across_layers.mistake(TIES_GO, ties_go=one_threshold(lambda sizes, rate: last_to_go(torch.cat(sizes), rate)))
masks_across_layers.mistake(
    f"{TIES_GO} (And sorted[k - 1] is the largest of all where k is 0.)",
    ties_go_and_all_at_0=one_threshold(lambda s, rate: place(row := torch.cat(s), round(rate * len(row)) - 1)),
)
masks_across_layers.mistake(
    f"{TIES_GO} (And where k is 0, kthvalue has nothing to give.)",
    ties_go_by_kthvalue=one_threshold(lambda s, rate: (row := torch.cat(s)).kthvalue(round(rate * len(row))).values),
)
masks_across_layers.mistake(
    f"{TIES_GO} (And at rate 0 there is no last one among the smallest k.)",
    ties_go_by_topk=one_threshold(
        lambda s, rate: (row := torch.cat(s)).topk(round(rate * len(row)), largest=False).values[-1]
    ),
)
masks_across_layers.mistake(
    f"{TIES_STAY} (And where all go, sorted[k] is beyond the end.)",
    ties_stay=one_threshold(lambda s, rate: place(row := torch.cat(s), round(rate * len(row))), torch.ge),
)
masks_across_layers.mistake(
    TIES_STAY,
    ties_stay_guarded=one_threshold(
        lambda s, rate: torch.cat([*s, torch.tensor([math.inf])]).sort().values[round(rate * sum(map(len, s)))],
        torch.ge,
    ),
)
masks_across_layers.mistake(
    f"{TIES_STAY} And at rate 1 the largest stays, for the threshold is never above it.",
    ties_stay_and_one_at_1=one_threshold(
        lambda s, rate: place(row := torch.cat(s), min(round(rate * len(row)), len(row) - 1)), torch.ge
    ),
)
masks_across_layers.mistake(
    "The threshold sorted[k] with > removes one weight too many, as the places count from 0. Take the places of the "
    "smallest k: argsort()[:k].",
    one_too_many_by_threshold=one_threshold(lambda s, rate: place(row := torch.cat(s), round(rate * len(row)))),
)
masks_across_layers.mistake(
    "A quantile is a value between two weights that lie at rate * (n - 1), so one too many may go, and equal "
    "weights go together. Take the places of the smallest ones: argsort.",
    quantile=one_threshold(lambda sizes, rate: torch.cat([s.float() for s in sizes]).quantile(rate)),
)
masks_across_layers.mistake(
    "A quantile is a value between two weights that lie at rate * (n - 1), so one too many may go, and equal "
    "weights stay together. Take the places of the smallest ones: argsort.",
    quantile_or_equal=one_threshold(lambda sizes, rate: torch.cat([s.float() for s in sizes]).quantile(rate), torch.ge),
)
masks_across_layers.mistake(
    "You remove weights smaller than `rate` itself. `rate` is a share of their number.",
    rate_as_threshold=one_threshold(lambda sizes, rate: rate),
)
masks_across_layers.mistake(
    "You remove weights below `rate` times the largest of all. `rate` is a share of their number.",
    share_of_largest=one_threshold(lambda sizes, rate: rate * torch.cat(sizes).max()),
)
masks_across_layers.mistake(
    "You divide each layer by its largest weight, or what grows with it, before you compare. Then a weak layer keeps "
    "as many as a strong one. Some methods want that; here sizes are compared as they are.",
    divided_by_largest=across(lambda weight: weight.abs() / weight.abs().max()),
)
masks_across_layers.mistake(
    "You divide each layer by its norm before you compare, so the layers' own strength does not count. Here sizes are "
    "compared as they are.",
    divided_by_norm=across(lambda weight: weight.abs() / weight.norm()),
)
masks_across_layers.mistake(
    "You divide each layer by its mean size before you compare, so the layers' own strength does not count. Here sizes "
    "are compared as they are.",
    divided_by_mean=across(lambda weight: weight.abs() / weight.abs().mean()),
)
masks_across_layers.mistake(
    "You remove whole layers, those whose weights are smallest on the whole. Single weights go, wherever they are.",
    weakest_layers=across(lambda weight: weight.abs().mean().expand(weight.numel())),
)
masks_across_layers.mistake(SIGNED, signed=across(lambda weight: weight))
masks_across_layers.mistake(LARGEST, largest_go=across(lambda weight: -weight.abs()))
masks_across_layers.mistake(INVERTED, inverted=each(lambda mask, weight: ~mask))
masks_across_layers.mistake(
    "You keep the share `rate`. It is the share that goes: at 0.2, four weights of five stay.",
    rate_kept=across(count=lambda rate, n: n - round(rate * n)),
)
masks_across_layers.mistake(
    "You cut off with int(): 0.4 of 39 is 15.6, which is 16 weights and not 15. Use round().",
    cut_off=across(count=lambda rate, n: int(rate * n)),
)
masks_across_layers.mistake(
    "You round up, or cut off how many stay: 0.3 of 13 is 3.9, but 0.83 of 57 is 47.3, which is 47 weights. Use "
    "round().",
    rounded_up=across(count=lambda rate, n: math.ceil(rate * n)),
)
masks_across_layers.mistake(
    "One too many goes. The first k places of an order are [:k], or ranks below k: k itself is not among them.",
    one_too_many=across(count=lambda rate, n: round(rate * n) + 1),
)
masks_across_layers.mistake(
    "With rate 1 everything stays: no weight is kept, and [-0:] is the whole row. Set the places of those that go, "
    "[:k], to False.",
    minus_zero=across(count=lambda rate, n: 0 if rate == 1 else round(rate * n)),
)
masks_across_layers.mistake(
    "You round for each layer and add up: 0.4 of 20, 7 and 12 are 8, 3 and 5. Round once, for all weights together.",
    rounded_by_layer=lambda weights, rate: across(count=lambda _, n: sum(round(rate * w.numel()) for w in weights))(
        weights, rate
    ),
)
masks_across_layers.mistake(
    "You count the share of the first layer only. All weights of all layers count.",
    share_of_first=lambda weights, rate: across(count=lambda _, n: round(rate * weights[0].numel()))(weights, rate),
)
masks_across_layers.mistake(
    "Only the first layer's mask is right; the other ones begin at the start of the long row again. Cut it in parts "
    "one after the other: mask.split([numbers of weights]).",
    start_forgotten=lambda weights, rate: [
        torch.cat([mask.flatten() for mask in masks_across_layers(weights, rate)])[: weight.numel()].view(weight.shape)
        for weight in weights
    ],
)
masks_across_layers.mistake(
    "From argsort come places and not ranks: its first entry says where the smallest weight is. Set the mask at the "
    "first k of these places to False, or call argsort twice.",
    places_for_ranks=lambda weights, rate: cut(
        (row := torch.cat([weight.abs().flatten() for weight in weights])).argsort() >= round(rate * len(row)), weights
    ),
)
masks_across_layers.mistake(
    "Your masks come in another order than the weights: the last layer's first.",
    reversed_list=lambda weights, rate: masks_across_layers(weights, rate)[::-1],
)
masks_across_layers.mistake(
    "Your list holds the mask of the first layer only. Is the `return` inside of the loop?",
    first_only=lambda weights, rate: masks_across_layers(weights, rate)[:1],
)
masks_across_layers.mistake(
    "Nothing goes: your masks are True everywhere. Is a result thrown away, or a copy changed?",
    nothing_goes=lambda weights, rate: [torch.ones(weight.shape, dtype=torch.bool) for weight in weights],
)
masks_across_layers.mistake(
    "Everything goes: your masks are False everywhere. Set them to True where a weight stays.",
    everything_goes=lambda weights, rate: [torch.zeros(weight.shape, dtype=torch.bool) for weight in weights],
)
masks_across_layers.mistake(
    ONE_ROW,
    one_long_row=lambda weights, rate: torch.cat([mask.flatten() for mask in masks_across_layers(weights, rate)]),
)
masks_across_layers.mistake(
    "Your masks are long rows. Give each the shape of its weight: .view(weight.shape).",
    rows_not_shapes=each(lambda mask, weight: mask.flatten()),
)
masks_across_layers.mistake(
    "Return a list, one mask after the other as in `weights`. What came is a dict.",
    dict_back=lambda weights, rate: dict(enumerate(masks_across_layers(weights, rate))),
)
masks_across_layers.mistake(VIEW, view_of_the_weight=each(lambda mask, weight: mask.view(weight.view(-1).shape)))
masks_across_layers.mistake(WRITTEN, zeros_in_the_graph=each(lambda mask, weight: weight.mul_(mask)))
masks_across_layers.mistake(
    "The masks are right, but you also set the weights to 0. The original is then lost, and nobody can compare the "
    "pruned model with it.",
    zeros_in_place=each(lambda mask, weight: (mask, weight.data.mul_(mask))[0]),
)
masks_across_layers.mistake(NOT_A_MASK, weights_not_masks=each(lambda mask, weight: weight * mask))
masks_across_layers.mistake(FLOATS, floats=each(lambda mask, weight: mask.float()))
masks_across_layers.mistake(INTEGERS, integers=each(lambda mask, weight: mask.int()))
masks_across_layers.mistake(
    f"{TIES_STAY} (And where all go, there is no last one among those that stay.)",
    ties_stay_by_last=one_threshold(
        lambda s, rate: (row := torch.cat(s)).topk(len(row) - round(rate * len(row))).values[-1], torch.ge
    ),
)

masks_across_layers.hints(
    "It is smallest_mask on one long row that holds the weights of all layers. Make that row first.",
    "torch.cat([weight.abs().flatten() for weight in weights]), then argsort and count as before.",
    "mask.split([weight.numel() for weight in weights]) cuts the long mask into one part for each layer; then "
    ".view(weight.shape).",
)
