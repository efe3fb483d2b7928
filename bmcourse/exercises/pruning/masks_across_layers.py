"""One mask for each layer, of which the smallest weights of all layers together are False (lesson 08)."""

import torch
from torch.nn.utils import prune

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake
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
from bmcourse.exercises.pruning.smallest_mask import smallest_mask


@exercise(
    prompt="One mask for each tensor in the list `weights`, as in smallest_mask, but the layers are compared with each "
    "other: over all of them together, the share `rate` with the smallest absolute values goes. A layer of small "
    "weights may lose nearly all, another one hardly any. Returns a list."
)
def masks_across_layers(weights, rate):
    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    mask = torch.ones(len(sizes), dtype=torch.bool)
    mask[sizes.argsort()[: round(rate * len(sizes))]] = False
    parts = mask.split([weight.numel() for weight in weights])
    return [part.view(weight.shape) for part, weight in zip(parts, weights, strict=True)]


@masks_across_layers.cases
def cases():
    return [
        ([torch.tensor([3.0, -4.0]), torch.tensor([[0.5], [-1.0]])], 0.5),
        ([torch.randn(4, 5), 0.3 * torch.randn(7), 2 * torch.randn(2, 3, 2)], 0.4),
        ([0.1 * torch.randn(6, 6), torch.randn(3, 7)], 0.83),
        ([torch.ones(2, 3), -torch.ones(5), torch.full((2,), 2.0)], 0.3),
        ([torch.randn(4, 4)], 0.3),
    ]


def cut(row, shaped):
    """The row in parts, of the shapes of the tensors in the list `shaped`."""
    parts = row.split([tensor.numel() for tensor in shaped])
    return [part.view(tensor.shape) for part, tensor in zip(parts, shaped, strict=True)]


@masks_across_layers.run
def settled_across(answer, weights, rate):
    """The masks in one row, settled among equal weights; and the shapes they had."""
    masks = answer(weights, rate)
    if not isinstance(masks, (list, tuple)):
        raise Mistake(
            "Return a list with one mask for each layer. mask.split([numbers of weights]) cuts a long row in parts, "
            "and .view(weight.shape) gives each its shape."
        )
    if not all(map(torch.is_tensor, masks)) or sum(map(torch.numel, masks)) != sum(map(torch.numel, weights)):
        return masks
    row = settled(torch.cat([mask.flatten() for mask in masks]), torch.cat([weight.flatten() for weight in weights]))
    return cut(row, masks)


def by_torch(weights, rate):
    layers = [Weights(weight) for weight in weights]
    prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=rate)
    return [layer.weight_mask.bool() for layer in layers]


@masks_across_layers.judge
def expected(weights, rate):
    return settled_across(by_torch, weights, rate)


@masks_across_layers.right
def by_loop(weights, rate):
    places = [(abs(w), layer, i) for layer, one in enumerate(weights) for i, w in enumerate(one.flatten().tolist())]
    masks = [torch.ones(weight.numel(), dtype=torch.bool) for weight in weights]
    for _, layer, i in sorted(places)[: round(rate * len(places))]:
        masks[layer][i] = False
    return [mask.reshape(weight.shape) for mask, weight in zip(masks, weights, strict=True)]


@masks_across_layers.right
def by_vector(weights, rate):
    row = torch.nn.utils.parameters_to_vector(weights)
    return cut(row.square().argsort().argsort() >= round(rate * len(row)), weights)


@masks_across_layers.right
def by_topk(weights, rate):
    row = torch.hstack([weight.abs().ravel() for weight in weights])
    gone = torch.topk(row, round(rate * len(row)), largest=False).indices
    return cut(torch.ones(row.shape).bool().index_fill(0, gone, False), weights)


@masks_across_layers.mistake(
    "Each layer loses the same share: you sort layer by layer. The last layer, small and with strong weights, "
    "suffers most from that. Put the weights of all layers in one row with torch.cat, and sort once."
)
def layer_by_layer(weights, rate):
    return [smallest_mask(weight, rate) for weight in weights]


def one_threshold(threshold):
    """Wrong masks: weights stay whose size is above `threshold(sizes of each layer, rate)`."""

    def answer(weights, rate):
        limit = threshold([weight.abs().flatten() for weight in weights], rate)
        return [weight.abs() > limit for weight in weights]

    return answer


masks_across_layers.mistake(
    "You take the mean of the layers' thresholds. A layer of 10 weights then has as much say as one of 10000, "
    "and the count is wrong. Sort all weights together.",
    mean_of_thresholds=one_threshold(lambda sizes, rate: sum(largest_to_go(s, rate) for s in sizes) / len(sizes)),
)

masks_across_layers.mistake(
    "Your threshold comes from the first layer alone. Put the weights of all layers in one row and sort that.",
    first_layers_threshold=one_threshold(lambda sizes, rate: largest_to_go(sizes[0], rate)),
)

masks_across_layers.mistake(
    "All weights that are as small as the threshold go, so with equal weights more go than asked. Take the "
    "places of the smallest ones (argsort) and count those off.",
    ties_go=one_threshold(lambda sizes, rate: largest_to_go(torch.cat(sizes), rate)),
)


def across(size=lambda weight: weight.abs(), count=lambda rate, n: round(rate * n)):
    """Wrong masks: the first `count(rate, n)` weights go, in the order of `size(weight)` over all layers."""

    def answer(weights, rate):
        row = torch.cat([size(weight).flatten() for weight in weights])
        return cut(row.argsort(stable=True).argsort() >= count(rate, len(row)), weights)

    return answer


masks_across_layers.mistake(
    "You divide each layer by its largest weight before you compare. Then a weak layer keeps as many as a "
    "strong one. Some methods want that; here sizes are compared as they are.",
    divided_by_largest=across(lambda weight: weight.abs() / weight.abs().max()),
)

masks_across_layers.mistake(
    "You divide each layer by its norm before you compare, so the layers' own strength does not count. Here "
    "sizes are compared as they are.",
    divided_by_norm=across(lambda weight: weight.abs() / weight.norm()),
)

masks_across_layers.mistake(SIGNED, signed=across(lambda weight: weight))

masks_across_layers.mistake(LARGEST, largest_go=across(lambda weight: -weight.abs()))

masks_across_layers.mistake(
    INVERTED, inverted=lambda weights, rate: [~mask for mask in masks_across_layers(weights, rate)]
)

masks_across_layers.mistake(
    "You keep the share `rate`. It is the share that goes: at 0.2, four weights of five stay.",
    rate_kept=across(count=lambda rate, n: n - round(rate * n)),
)

masks_across_layers.mistake(
    "int() cuts off: 0.4 of 39 is 15.6, which is 16 weights and not 15. Use round().",
    cut_off=across(count=lambda rate, n: int(rate * n)),
)

masks_across_layers.mistake(
    "Return a list with one mask for each layer. mask.split([numbers of weights]) cuts a long row in parts, "
    "and .view(weight.shape) gives each its shape.",
    one_long_row=lambda weights, rate: torch.cat([mask.flatten() for mask in masks_across_layers(weights, rate)]),
)

masks_across_layers.mistake(
    "Your masks are long rows. Give each the shape of its weight: .view(weight.shape).",
    rows_not_shapes=lambda weights, rate: [mask.flatten() for mask in masks_across_layers(weights, rate)],
)

masks_across_layers.mistake(
    NOT_A_MASK,
    weights_not_masks=lambda weights, rate: [
        w * mask for w, mask in zip(weights, masks_across_layers(weights, rate), strict=True)
    ],
)

masks_across_layers.mistake(
    FLOATS, floats=lambda weights, rate: [mask.float() for mask in masks_across_layers(weights, rate)]
)

masks_across_layers.hints(
    "It is smallest_mask on one long row that holds the weights of all layers. Make that row first.",
    "torch.cat([weight.abs().flatten() for weight in weights]), then argsort and count as before.",
    "mask.split([weight.numel() for weight in weights]) cuts the long mask into one part for each layer; then "
    ".view(weight.shape).",
)
