"""Exercises of lesson 08: which weights go, masks that last, smaller layers, fewer bits, a teacher's soft targets."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import Exercise, Mistake, Wrong
from bmcourse.exercises.optimizers import IN_GRAPH

# ---------------------------------------------------------------- what several have in common

NOT_A_MASK = (
    "You return the weights with zeros in them, and so nobody can tell a weight that was removed from one that is 0 by "
    "chance. Return the mask, True where a weight stays."
)
FLOATS = (
    "Your mask holds the floats 0 and 1. As a factor it works; but ~mask raises an error, and weight[mask] does not "
    "pick the weights that stay. Make it True and False."
)
INVERTED = "Your mask is inverted: True where a weight goes. weight * mask would keep what you want to remove."
SIGNED = (
    "You sort by the signed value, so strong negative weights go first. -0.9 does more in a sum than 0.1: sort by "
    "weight.abs()."
)
LARGEST = "You remove the largest weights, and with them most of what the layer has learned. The smallest go."


def _settled(mask, weight):
    """The mask with the removed ones first among weights of equal size, so that any choice among these counts."""
    if not (torch.is_tensor(mask) and mask.numel() == weight.numel()):
        return mask
    if mask.is_floating_point() and torch.equal(mask.flatten(), weight.flatten() * (mask.flatten() != 0)):
        raise Mistake(NOT_A_MASK)
    return _sorted_where_equal(mask.flatten(), weight.abs().flatten()).view(mask.shape)


def _sorted_where_equal(row, sizes):
    row = row.clone()
    for size in sizes.unique():
        row[sizes == size] = row[sizes == size].sort().values
    return row


def _as_number(value):
    """The plain number in a tensor of no dimension, so that answers with and without .item() count as alike."""
    return value.item() if torch.is_tensor(value) and value.ndim == 0 else value


class _Weights(nn.Module):
    """A layer with nothing but a weight, which torch.nn.utils.prune can prune."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())


# ---------------------------------------------------------------- smallest_mask


def smallest_mask(weight, rate):
    smallest = weight.abs().flatten().argsort()[: round(rate * weight.numel())]
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[smallest] = False
    return mask.view(weight.shape)


def _settled_mask(answer, weight, rate):
    before = weight.clone()
    return _settled(answer(weight, rate), before)


def _mask_by_torch(weight, rate):
    layer = prune.l1_unstructured(_Weights(weight), "weight", amount=rate)
    return _settled(layer.weight_mask.bool(), weight)


def _mask_by_rank(weight, rate):
    ranks = weight.flatten().abs().argsort().argsort()
    return (ranks >= round(rate * weight.numel())).view_as(weight)


def _mask_by_topk(weight, rate):
    kept = weight.numel() - round(rate * weight.numel())
    mask = torch.zeros_like(weight, dtype=torch.bool)
    mask.view(-1)[weight.square().view(-1).topk(kept).indices] = True
    return mask


def _mask_by_loop(weight, rate):
    numbers = weight.flatten().tolist()
    order = sorted(range(len(numbers)), key=lambda place: abs(numbers[place]))
    gone = set(order[: round(rate * len(numbers))])
    return torch.tensor([place not in gone for place in range(len(numbers))]).reshape(weight.shape)


def _ranked(size=torch.abs, count=lambda rate, n: round(rate * n)):
    """A wrong mask: the first `count(rate, n)` weights go, in the order of `size(weight)`."""

    def answer(weight, rate):
        ranks = size(weight).flatten().argsort(stable=True).argsort()
        return (ranks >= count(rate, weight.numel())).view(weight.shape)

    return answer


def _above(threshold):
    """A wrong mask: weights stay whose size is above `threshold(sizes, rate)`."""
    return lambda weight, rate: weight.abs() > threshold(weight.abs().flatten(), rate)


def _largest_to_go(sizes, rate):
    return sizes.sort().values[round(rate * len(sizes)) - 1]


def _smallest_to_stay(weight, rate):
    sizes = weight.abs().flatten().sort().values
    return weight.abs() >= sizes[round(rate * len(sizes))]


def _row_by_row(weight, rate):
    return torch.stack([smallest_mask(row, rate) for row in weight])


def _zeros_in_place(weight, rate):
    mask = smallest_mask(weight, rate)
    weight[~mask] = 0.0
    return mask


SMALLEST_MASK = Exercise(
    reference=smallest_mask,
    prompt="A mask of True and False, of the shape of `weight`: False for the share `rate` of the weights with the "
    "smallest absolute values, and True for those that stay. Exactly round(rate * number of weights) go, also where "
    "some are equally small; which of these go is free.",
    cases=lambda: [
        (torch.tensor([0.1, -0.9, 0.5, -0.2]), 0.5),
        (torch.randn(17), 0.4),
        (torch.randn(3, 9), 0.2),
        (torch.randn(10, 10), 0.29),
        (torch.tensor([[1.0, -1.0, 2.0], [1.0, 1.0, -1.0]]), 0.5),
    ],
    run=_settled_mask,
    judge=_mask_by_torch,
    right=[_mask_by_rank, _mask_by_topk, _mask_by_loop],
    wrong=[
        Wrong(_ranked(lambda weight: weight), SIGNED),
        Wrong(_ranked(lambda weight: -weight.abs()), LARGEST),
        Wrong(lambda weight, rate: ~smallest_mask(weight, rate), INVERTED),
        Wrong(
            _ranked(count=lambda rate, n: n - round(rate * n)),
            "You keep the share `rate`. It is the share that goes: at 0.2, four weights of five stay.",
        ),
        Wrong(
            _ranked(count=lambda rate, n: int(rate * n)),
            "int() cuts off: 0.4 of 17 is 6.8, which is 7 weights and not 6. And 0.29 * 100 is 28.999999999999996 for "
            "a computer. Use round().",
        ),
        Wrong(
            _ranked(count=lambda rate, n: math.ceil(rate * n)),
            "You round up: 0.2 of 27 is 5.4, which is 5 weights and not 6. Use round().",
        ),
        Wrong(
            _above(_largest_to_go),
            "All weights that are as small as the threshold go, so with equal weights more go than asked. Take the "
            "places of the smallest ones (argsort) and count those off.",
        ),
        Wrong(
            _smallest_to_stay,
            "All weights that are as large as the threshold stay, so with equal weights fewer go than asked. Take the "
            "places of the smallest ones (argsort) and count those off.",
        ),
        Wrong(
            _above(lambda sizes, rate: sizes.kthvalue(int(rate * len(sizes))).values),
            "Two things miscount. int() cuts off, and 0.4 of 17 is 7 and not 6: use round(). And a threshold takes all "
            "equal weights or none: set the places of the smallest ones (argsort) to False.",
        ),
        Wrong(
            _above(torch.quantile),
            "torch.quantile gives a value between two weights that lie at rate * (n - 1), so one weight too many may "
            "go, and with equal weights all of them. Take the places of the smallest ones: argsort.",
        ),
        Wrong(
            lambda weight, rate: weight.abs() >= weight.abs().quantile(rate),
            "torch.quantile gives a value between two weights that lie at rate * (n - 1), so one weight too many may "
            "go, and with equal weights none. Take the places of the smallest ones: argsort.",
        ),
        Wrong(
            _above(lambda sizes, rate: rate),
            "You remove weights smaller than `rate` itself. `rate` is a share of the number of weights: in a layer of "
            "small weights, yours would remove all.",
        ),
        Wrong(
            _above(lambda sizes, rate: rate * sizes.max()),
            "You remove weights below `rate` times the largest one. `rate` is a share of their number, and most "
            "weights are far smaller than the largest.",
        ),
        Wrong(
            lambda weight, rate: (weight.abs().flatten().argsort() >= round(rate * weight.numel())).view_as(weight),
            "You compare the result of argsort with the number of weights that go. argsort gives places and not "
            "ranks: its first entry says where the smallest weight is. Set the mask at these places to False, or call "
            "argsort twice.",
        ),
        Wrong(
            _row_by_row,
            "You remove the share in each row by itself, so a row of strong weights loses as many as a row of weak "
            "ones. All weights of the layer stand in one order: flatten first.",
        ),
        Wrong(lambda weight, rate: weight * smallest_mask(weight, rate), NOT_A_MASK),
        Wrong(lambda weight, rate: smallest_mask(weight, rate).float(), FLOATS),
        Wrong(
            lambda weight, rate: smallest_mask(weight, rate).flatten(),
            "Your mask is one long row. Give it the shape of the weight: .view(weight.shape).",
        ),
        Wrong(
            _zeros_in_place,
            "The mask is right, but you also set the weights to 0. The original is then lost, and nobody can compare "
            "the pruned model with it.",
        ),
    ],
    hints=[
        "Put the weights in one row and sort them by size. How many go? Where do they stand?",
        "weight.abs().flatten().argsort() gives the places of the weights, the smallest first.",
        "Begin with a mask of True, torch.ones(n, dtype=torch.bool); set the first round(rate * n) of these places to "
        "False; give it the weight's shape.",
    ],
)

# ---------------------------------------------------------------- masks_across_layers


def masks_across_layers(weights, rate):
    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    mask = torch.ones(len(sizes), dtype=torch.bool)
    mask[sizes.argsort()[: round(rate * len(sizes))]] = False
    parts = mask.split([weight.numel() for weight in weights])
    return [part.view(weight.shape) for part, weight in zip(parts, weights, strict=True)]


def _settled_across(answer, weights, rate):
    """The masks in one row, settled among equal weights; and the shapes they had."""
    masks = answer(weights, rate)
    if not isinstance(masks, (list, tuple)):
        raise Mistake(
            "Return a list with one mask for each layer. mask.split([numbers of weights]) cuts a long row in parts, "
            "and .view(weight.shape) gives each its shape."
        )
    if not all(map(torch.is_tensor, masks)) or sum(map(torch.numel, masks)) != sum(map(torch.numel, weights)):
        return masks
    row = _settled(torch.cat([mask.flatten() for mask in masks]), torch.cat([weight.flatten() for weight in weights]))
    return _cut(row, masks)


def _cut(row, shaped):
    """The row in parts, of the shapes of the tensors in the list `shaped`."""
    parts = row.split([tensor.numel() for tensor in shaped])
    return [part.view(tensor.shape) for part, tensor in zip(parts, shaped, strict=True)]


def _masks_by_torch(weights, rate):
    layers = [_Weights(weight) for weight in weights]
    prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=rate)
    return [layer.weight_mask.bool() for layer in layers]


def _masks_by_loop(weights, rate):
    places = [(abs(w), layer, i) for layer, one in enumerate(weights) for i, w in enumerate(one.flatten().tolist())]
    masks = [torch.ones(weight.numel(), dtype=torch.bool) for weight in weights]
    for _, layer, i in sorted(places)[: round(rate * len(places))]:
        masks[layer][i] = False
    return [mask.reshape(weight.shape) for mask, weight in zip(masks, weights, strict=True)]


def _masks_by_vector(weights, rate):
    row = torch.nn.utils.parameters_to_vector(weights)
    return _cut(row.square().argsort().argsort() >= round(rate * len(row)), weights)


def _masks_by_topk(weights, rate):
    row = torch.hstack([weight.abs().ravel() for weight in weights])
    gone = torch.topk(row, round(rate * len(row)), largest=False).indices
    return _cut(torch.ones(row.shape).bool().index_fill(0, gone, False), weights)


def _across(size=lambda weight: weight.abs(), count=lambda rate, n: round(rate * n)):
    """Wrong masks: the first `count(rate, n)` weights go, in the order of `size(weight)` over all layers."""

    def answer(weights, rate):
        row = torch.cat([size(weight).flatten() for weight in weights])
        return _cut(row.argsort(stable=True).argsort() >= count(rate, len(row)), weights)

    return answer


def _one_threshold(threshold):
    """Wrong masks: weights stay whose size is above `threshold(sizes of each layer, rate)`."""

    def answer(weights, rate):
        limit = threshold([weight.abs().flatten() for weight in weights], rate)
        return [weight.abs() > limit for weight in weights]

    return answer


def _layer_by_layer(weights, rate):
    return [smallest_mask(weight, rate) for weight in weights]


MASKS_ACROSS_LAYERS = Exercise(
    reference=masks_across_layers,
    prompt="One mask for each tensor in the list `weights`, as in smallest_mask, but the layers are compared with each "
    "other: over all of them together, the share `rate` with the smallest absolute values goes. A layer of small "
    "weights may lose nearly all, another one hardly any. Returns a list.",
    cases=lambda: [
        ([torch.tensor([3.0, -4.0]), torch.tensor([[0.5], [-1.0]])], 0.5),
        ([torch.randn(4, 5), 0.3 * torch.randn(7), 2 * torch.randn(2, 3, 2)], 0.4),
        ([0.1 * torch.randn(6, 6), torch.randn(3, 7)], 0.83),
        ([torch.ones(2, 3), -torch.ones(5), torch.full((2,), 2.0)], 0.3),
        ([torch.randn(4, 4)], 0.3),
    ],
    run=_settled_across,
    judge=lambda weights, rate: _settled_across(_masks_by_torch, weights, rate),
    right=[_masks_by_loop, _masks_by_vector, _masks_by_topk],
    wrong=[
        Wrong(
            _layer_by_layer,
            "Each layer loses the same share: you sort layer by layer. The last layer, small and with strong weights, "
            "suffers most from that. Put the weights of all layers in one row with torch.cat, and sort once.",
        ),
        Wrong(
            _one_threshold(lambda sizes, rate: sum(_largest_to_go(s, rate) for s in sizes) / len(sizes)),
            "You take the mean of the layers' thresholds. A layer of 10 weights then has as much say as one of 10000, "
            "and the count is wrong. Sort all weights together.",
        ),
        Wrong(
            _one_threshold(lambda sizes, rate: _largest_to_go(sizes[0], rate)),
            "Your threshold comes from the first layer alone. Put the weights of all layers in one row and sort that.",
        ),
        Wrong(
            _one_threshold(lambda sizes, rate: _largest_to_go(torch.cat(sizes), rate)),
            "All weights that are as small as the threshold go, so with equal weights more go than asked. Take the "
            "places of the smallest ones (argsort) and count those off.",
        ),
        Wrong(
            _across(lambda weight: weight.abs() / weight.abs().max()),
            "You divide each layer by its largest weight before you compare. Then a weak layer keeps as many as a "
            "strong one. Some methods want that; here sizes are compared as they are.",
        ),
        Wrong(
            _across(lambda weight: weight.abs() / weight.norm()),
            "You divide each layer by its norm before you compare, so the layers' own strength does not count. Here "
            "sizes are compared as they are.",
        ),
        Wrong(_across(lambda weight: weight), SIGNED),
        Wrong(_across(lambda weight: -weight.abs()), LARGEST),
        Wrong(lambda weights, rate: [~mask for mask in masks_across_layers(weights, rate)], INVERTED),
        Wrong(
            _across(count=lambda rate, n: n - round(rate * n)),
            "You keep the share `rate`. It is the share that goes: at 0.2, four weights of five stay.",
        ),
        Wrong(
            _across(count=lambda rate, n: int(rate * n)),
            "int() cuts off: 0.4 of 39 is 15.6, which is 16 weights and not 15. Use round().",
        ),
        Wrong(
            lambda weights, rate: torch.cat([mask.flatten() for mask in masks_across_layers(weights, rate)]),
            "Return a list with one mask for each layer. mask.split([numbers of weights]) cuts a long row in parts, "
            "and .view(weight.shape) gives each its shape.",
        ),
        Wrong(
            lambda weights, rate: [mask.flatten() for mask in masks_across_layers(weights, rate)],
            "Your masks are long rows. Give each the shape of its weight: .view(weight.shape).",
        ),
        Wrong(
            lambda weights, rate: [
                w * mask for w, mask in zip(weights, masks_across_layers(weights, rate), strict=True)
            ],
            NOT_A_MASK,
        ),
        Wrong(lambda weights, rate: [mask.float() for mask in masks_across_layers(weights, rate)], FLOATS),
    ],
    hints=[
        "It is smallest_mask on one long row that holds the weights of all layers. Make that row first.",
        "torch.cat([weight.abs().flatten() for weight in weights]), then argsort and count as before.",
        "mask.split([weight.numel() for weight in weights]) cuts the long mask into one part for each layer; then "
        ".view(weight.shape).",
    ],
)

# ---------------------------------------------------------------- share_of_zeros


def share_of_zeros(model):
    weights = {layer.weight for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))}
    zeros = sum((weight == 0).sum().item() for weight in weights)
    return zeros / sum(weight.numel() for weight in weights)


def _with_zeros(model, *shares):
    """The model with the given share of zeros in the weights of one layer after the other, and biases full of zeros."""
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    for layer, share in zip(layers, shares, strict=True):
        count = round(share * layer.weight.numel())
        layer.weight.data.view(-1)[:count] = 0.0
        layer.weight.data.view(-1)[-1] = 1e-6  # small, and not zero
        layer.bias.data.zero_()
    return model


def _models_with_zeros():
    block = nn.Sequential(nn.LayerNorm(4), nn.Conv2d(1, 2, 3), nn.Linear(4, 6))
    both = nn.Sequential(nn.Embedding(5, 4, padding_idx=0), block, nn.Linear(6, 3))
    tied = _with_zeros(nn.Sequential(*(nn.Linear(6, 6) for _ in range(3))), 0.0, 0.2, 0.9)
    tied[0].weight = tied[2].weight
    images = nn.Sequential(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)), nn.ReLU(), nn.Linear(4, 10))
    return [
        (_with_zeros(nn.Sequential(nn.Linear(4, 2)), 0.5),),
        (_with_zeros(nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 4)), 0.75, 0.1),),
        (_with_zeros(images, 0.5, 0.2),),
        (_with_zeros(both, 0.2, 0.75, 0.4), tied),
    ]


TWICE = (
    "A weight that two layers share counts twice. It lies in memory once, and its zeros save once: collect the weights "
    "in a set."
)


def _share_and_tied(answer, model, tied=None):
    """The share of an answer; where that is right, it must also be right for the model `tied`, whose layers share."""
    share = _as_number(answer(model))
    right = not difference(share, _count_by_names(model), 1e-5)
    if right and tied and difference(answer(tied), _count_by_names(tied), 1e-5):
        raise Mistake(TWICE)
    return share


def _count_by_names(model):
    zeros = weights = 0
    for name, parameter in model.named_parameters():
        layer = model.get_submodule(name.rpartition(".")[0])
        if name.endswith("weight") and type(layer) in (nn.Linear, nn.Conv2d):
            numbers = parameter.flatten().tolist()
            zeros, weights = zeros + numbers.count(0.0), weights + len(numbers)
    return zeros / weights


def _share_in_one_row(model):
    layers = filter(lambda layer: isinstance(layer, (nn.Linear, nn.Conv2d)), model.modules())
    weights = list({id(layer.weight): layer.weight for layer in layers}.values())
    return (nn.utils.parameters_to_vector(weights) == 0).float().mean().item()


def _share_with_a_memory(model):
    seen, zeros, count = set(), 0, 0
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)) and id(layer.weight) not in seen:
            seen.add(id(layer.weight))
            zeros += layer.weight.numel() - int(torch.count_nonzero(layer.weight))
            count += layer.weight.numel()
    return zeros / count


def _share_by_dimensions(model):
    norms = (nn.LayerNorm, nn.BatchNorm2d, nn.Embedding)
    parameters = {
        parameter
        for layer in model.modules()
        if not isinstance(layer, norms)
        for parameter in layer.parameters(recurse=False)
        if parameter.ndim > 1
    }
    return 1 - sum(int(p.count_nonzero()) for p in parameters) / sum(p.numel() for p in parameters)


def _prunable(model):
    return [layer.weight for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]


def _share(tensors):
    tensors = list(tensors)
    return sum(int((t == 0).sum()) for t in tensors) / sum(t.numel() for t in tensors)


def _share_of(choose):
    """A wrong share: zeros among the tensors that `choose(model)` gives."""
    return lambda model: _share(choose(model))


def _weights_and_biases(model):
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    return {parameter for layer in layers for parameter in layer.parameters()}


def _top_level(model):
    layers = [layer for layer in [model, *model.children()] if isinstance(layer, (nn.Linear, nn.Conv2d))]
    return {layer.weight for layer in layers}


def _mean_of_shares(model):
    shares = [_share([weight]) for weight in set(_prunable(model))]
    return sum(shares) / len(shares)


def _nearly_zero(model):
    weights = set(_prunable(model))
    return sum(int((weight.abs() < 1e-3).sum()) for weight in weights) / sum(weight.numel() for weight in weights)


SHARE_OF_ZEROS = Exercise(
    reference=share_of_zeros,
    prompt="The sparsity of a model: the share, from 0 to 1, of zeros among the weights of all its nn.Linear and "
    "nn.Conv2d layers, however deep they sit. Biases, norms and embeddings do not count. A weight that two layers "
    "share counts once.",
    cases=_models_with_zeros,
    run=_share_and_tied,
    judge=lambda model, tied=None: _count_by_names(model),
    right=[_share_in_one_row, _share_with_a_memory, _share_by_dimensions],
    wrong=[
        Wrong(_share_of(_prunable), TWICE),
        Wrong(
            _share_of(_weights_and_biases),
            "You count the biases too. They are few, are never pruned, and begin at 0 in many models: that is no "
            "sparsity.",
        ),
        Wrong(
            _share_of(nn.Module.parameters),
            "You count every parameter: biases, norms and embeddings too. A pruned model then looks less sparse, or a "
            "dense one sparse, as norms begin with biases of 0. Take the weights of nn.Linear and nn.Conv2d.",
        ),
        Wrong(
            _share_of(lambda model: [p for p in model.parameters() if p.ndim > 1]),
            "A tensor with two dimensions need not be a linear layer's: you count embeddings, and their rows are zero "
            "for padding. Ask for the type of the layer.",
        ),
        Wrong(
            _share_of(lambda model: [p for name, p in model.named_parameters() if name.endswith("weight")]),
            "Norms and embeddings have a parameter called weight as well. Ask for the type of the layer and not for "
            "the name.",
        ),
        Wrong(
            _share_of(lambda model: model.state_dict().values()),
            "The state dict also holds biases and what norms keep (running means, which begin at 0), and a shared "
            "weight twice. Take the weights of nn.Linear and nn.Conv2d.",
        ),
        Wrong(
            _mean_of_shares,
            "You take the mean of the layers' shares. A layer of 10 weights then counts as much as one of 10000. Add "
            "up zeros and weights first, and divide once.",
        ),
        Wrong(
            lambda model: 1 - share_of_zeros(model),
            "That is the density, the share of weights that are left. The sparsity is the share of zeros.",
        ),
        Wrong(lambda model: 100 * share_of_zeros(model), "You give percent. Here it is a share from 0 to 1."),
        Wrong(
            lambda model: sum(int((weight == 0).sum()) for weight in set(_prunable(model))),
            "That is how many zeros there are. Divide by the number of weights.",
        ),
        Wrong(
            _share_of(lambda model: {layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)}),
            "The convolutions are missing: nn.Conv2d has a weight too. isinstance(layer, (nn.Linear, nn.Conv2d)).",
        ),
        Wrong(
            _share_of(_top_level),
            "You look at the model's own layers only, not at those inside its blocks, and there are most weights of a "
            "big model. model.modules() goes to the bottom.",
        ),
        Wrong(
            _nearly_zero,
            "You count weights that are nearly zero. A small weight still has to be stored and multiplied: == 0.",
        ),
    ],
    hints=[
        "model.modules() gives every layer, however deep. Which ones are nn.Linear or nn.Conv2d?",
        "Two numbers: the zeros, (weight == 0).sum(), and all weights, weight.numel(), each added up over the layers.",
        "A set of the weights, {layer.weight for layer in ...}, holds a shared one once.",
    ],
)

# ---------------------------------------------------------------- step_with_mask


def step_with_mask(model, optimizer, masks, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for name, mask in masks.items():
            model.get_parameter(name).mul_(mask)
    return loss.item()


OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.05, weight_decay=0.1),
}


def _trained(optimizer, x, y):
    """A small network and its optimizer after five steps of training, and masks for its two weights."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(5):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    masks = {"0.weight": smallest_mask(model[0].weight, 0.5), "2.weight": smallest_mask(model[2].weight, 0.5)}
    first = masks["0.weight"].nonzero()[0]
    model[0].weight.data[tuple(first)] = 0.0  # this one stays, and happens to be zero
    return model, optimizer, masks


def _fine_tune(answer, optimizer, x, y):
    """What three steps of fine-tuning make of a pruned network whose optimizer remembers the time before."""
    model, optimizer, masks = _trained(optimizer, x, y)
    for name, mask in masks.items():
        model.get_parameter(name).data.mul_(mask)
    try:
        losses = [answer(model, optimizer, masks, x, y) for _ in range(3)]
    except RuntimeError as error:
        raise Mistake(IN_GRAPH) if "leaf Variable" in str(error) else error from None
    zeros = [bool((model.get_parameter(name)[~mask] == 0).all()) for name, mask in masks.items()]
    after = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return {"zeros stay": zeros, "losses": losses, **after}


def _fine_tune_by_torch(optimizer, x, y):
    """The same with torch.nn.utils.prune, which multiplies by the mask in the forward pass."""
    model, optimizer, masks = _trained(optimizer, x, y)
    layers = [model[0], model[2]]
    for layer, mask in zip(layers, masks.values(), strict=True):
        prune.custom_from_mask(layer, "weight", mask)
    losses = []
    for _ in range(3):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    after = {}
    for number, layer in zip((0, 2), layers, strict=True):
        after[f"{number}.weight"] = (layer.weight_orig * layer.weight_mask).detach()
        after[f"{number}.bias"] = layer.bias.detach()
    return {"zeros stay": [True, True], "losses": losses, **after}


def _step_on_data(model, optimizer, masks, x, y):
    optimizer.zero_grad()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    for name, parameter in model.named_parameters():
        if name in masks:
            parameter.data = parameter.data * masks[name]
    return float(loss.detach())


def _step_with_zeros_set(model, optimizer, masks, x, y):
    model.zero_grad()
    loss = nn.MSELoss()(model(x), y)
    loss.backward()
    optimizer.step()
    parameters = dict(model.named_parameters())
    for name in masks:
        parameters[name].data[~masks[name]] = 0
    return loss.item()


@torch.no_grad()
def _step_with_fill(model, optimizer, masks, x, y):
    with torch.enable_grad():
        loss = F.mse_loss(model(x), y)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    for name, mask in masks.items():
        model.get_parameter(name).masked_fill_(mask.logical_not(), 0.0)
    return loss.item()


def _fine_tuning(before=None, behind_backward=None, behind_step=None, zero=True, back=torch.Tensor.item):
    """A wrong step: at three moments it may do something to each pruned parameter and its mask."""

    def each(change, model, masks):
        with torch.no_grad():
            for name, mask in masks.items() if change else ():
                change(model.get_parameter(name), mask)

    def answer(model, optimizer, masks, x, y):
        each(before, model, masks)
        loss = F.mse_loss(model(x), y)
        if zero:
            optimizer.zero_grad()
        loss.backward()
        each(behind_backward, model, masks)
        optimizer.step()
        each(behind_step, model, masks)
        return back(loss)

    return answer


def _mask_gradient(parameter, mask):
    parameter.grad.mul_(mask)


def _mask_weight(parameter, mask):
    parameter.mul_(mask)


def _smallest_again(parameter, mask):
    parameter.mul_(smallest_mask(parameter, 1 - mask.float().mean().item()))


def _in_the_graph(model, optimizer, masks, x, y):
    loss = _fine_tuning()(model, optimizer, masks, x, y)
    for name, mask in masks.items():
        parameter = model.get_parameter(name)
        parameter *= mask
    return loss


def _forget_everything(model, optimizer, masks, x, y):
    optimizer.state.clear()
    return _fine_tuning(None, _mask_gradient)(model, optimizer, masks, x, y)


def _zeros_for_the_mask(model, optimizer, masks, x, y):
    masks = {name: model.get_parameter(name) != 0 for name in masks}
    return step_with_mask(model, optimizer, masks, x, y)


@torch.no_grad()
def _masks_in_order(model, optimizer, masks, x, y):
    with torch.enable_grad():
        loss = _fine_tuning()(model, optimizer, masks, x, y)
    for parameter, mask in zip(model.parameters(), masks.values(), strict=False):
        parameter *= mask
    return loss


def _new_parameters(model, optimizer, masks, x, y):
    loss = _fine_tuning()(model, optimizer, masks, x, y)
    for name, mask in masks.items():
        layer = model.get_submodule(name.removesuffix(".weight"))
        layer.weight = nn.Parameter(layer.weight * mask)
    return loss


STEP_WITH_MASK = Exercise(
    reference=step_with_mask,
    prompt="One step of fine-tuning a pruned model with the mean squared error. `masks` has a mask for each pruned "
    "weight, by its name in model.named_parameters(): True where a weight stays. After the step the others must be 0 "
    "again, whatever the optimizer remembers from the time before. Returns the loss as a plain number.",
    cases=lambda: [
        ("SGD", torch.randn(6, 3), torch.randn(6, 1)),
        ("AdamW", torch.randn(6, 3), torch.randn(6, 1)),
    ],
    run=_fine_tune,
    judge=_fine_tune_by_torch,
    inputs_unchanged=False,
    seconds=20,
    right=[_step_on_data, _step_with_zeros_set, _step_with_fill],
    wrong=[
        Wrong(
            _fine_tuning(),
            "The weights that were pruned grow back: after one step the model is dense again. Multiply them by their "
            "mask after the step, in place: `p *= mask` or p.mul_(mask). `p = p * mask` makes a new tensor, and the "
            "model holds the old one.",
        ),
        Wrong(
            _fine_tuning(behind_backward=_mask_gradient),
            "You mask the gradients, and still the zeros grow back: the optimizer keeps a momentum from before the "
            "pruning and moves every weight by it, also where the gradient is 0. Multiply the weights by their masks, "
            "after the step.",
        ),
        Wrong(
            _fine_tuning(before=_mask_weight),
            "You apply the masks before the step, and the step writes into the zeros again: what you save at the end "
            "is dense. Apply them after optimizer.step().",
        ),
        Wrong(
            _fine_tuning(behind_backward=_mask_weight),
            "You apply the masks between backward() and step(), and the step writes into the zeros again. Apply them "
            "after optimizer.step().",
        ),
        Wrong(_in_the_graph, IN_GRAPH),
        Wrong(
            _forget_everything,
            "The zeros stay, but you throw away what the optimizer remembers of the weights that stay, in every step: "
            "without its momentum it learns more slowly. Leave it alone, and mask the weights after the step.",
        ),
        Wrong(
            _zeros_for_the_mask,
            "You take the places that are not 0 for the mask. A weight that stays may be 0 at this moment, and yours "
            "can then never learn again. Use `masks`.",
        ),
        Wrong(
            _fine_tuning(behind_step=_smallest_again),
            "After the step you choose the smallest weights anew, so a pruned one may come back and another one go. "
            "Some methods do that; here `masks` stay as they are.",
        ),
        Wrong(
            _fine_tuning(behind_step=lambda parameter, mask: parameter.mul_(~mask)),
            "You set the weights to 0 that stay. A mask is True where a weight stays: multiply by it as it is.",
        ),
        Wrong(
            _masks_in_order,
            "You pair the masks with the parameters one after the other. model.parameters() has the biases in between, "
            "which have no mask. Go by the name: model.get_parameter(name).",
        ),
        Wrong(
            _new_parameters,
            "You put new parameters into the model. The optimizer still moves the old ones, so from the second step on "
            "these weights learn nothing. Change them in place: p.mul_(mask), under torch.no_grad().",
        ),
        Wrong(
            _fine_tuning(behind_step=_mask_weight, zero=False),
            "The zeros stay, but optimizer.zero_grad() is missing: every step adds its gradient to all the old ones.",
        ),
        Wrong(
            _fine_tuning(behind_step=_mask_weight, back=lambda loss: loss),
            "The loss comes back as a tensor that still holds the whole graph. In a long run that fills the memory. "
            "Return loss.item().",
        ),
    ],
    hints=[
        "Write the usual training step first: loss, zero_grad, backward, step. What may the last one do to a zero?",
        "Masked gradients are not enough: a momentum moves a weight with gradient 0. So mask the weights, and last.",
        "with torch.no_grad(): for name, mask in masks.items(): model.get_parameter(name).mul_(mask)",
    ],
)

# ---------------------------------------------------------------- keep_two_of_four


def keep_two_of_four(weight):
    fours = weight.abs().reshape(-1, 4)
    mask = torch.zeros(fours.shape, dtype=torch.bool)
    mask.scatter_(1, fours.topk(2).indices, True)
    return mask.view(weight.shape)


def _settled_in_fours(answer, weight):
    """The mask of an answer, settled among equal weights of the same four."""
    before, mask = weight.clone(), answer(weight)
    if not (torch.is_tensor(mask) and mask.numel() == weight.numel()):
        return mask
    _settled(mask, before)  # for what it says to weights in place of a mask
    fours = zip(mask.reshape(-1, 4), before.abs().reshape(-1, 4), strict=True)
    return torch.stack([_sorted_where_equal(*four) for four in fours]).view(mask.shape)


def _fours_by_loop(weight):
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    for row, numbers in enumerate(weight.tolist()):
        for start in range(0, len(numbers), 4):
            order = sorted(range(start, start + 4), key=lambda place: abs(numbers[place]))
            mask[row, order[2:]] = True
    return mask


def _fours_by_rank(weight):
    ranks = weight.square().unflatten(1, (-1, 4)).argsort(dim=2).argsort(dim=2)
    return (ranks > 1).flatten(1)


def _fours_by_chunks(weight):
    blocks = []
    for block in weight.split(4, dim=1):
        smallest = block.abs().topk(2, dim=1, largest=False).indices
        blocks.append(torch.ones(block.shape).bool().scatter(1, smallest, False))
    return torch.hstack(blocks)


def _fours_by_cells(weight):
    mask = torch.ones(weight.shape, dtype=torch.bool)
    for row in range(weight.shape[0]):
        for start in range(0, weight.shape[1], 4):
            gone = weight[row, start : start + 4].abs().argsort()[:2]
            mask[row, start + gone] = False
    return mask


def _in_fours(choose, cut=lambda weight: weight.reshape(-1, 4), join=lambda mask, weight: mask.view(weight.shape)):
    """A wrong mask: `cut` makes fours of the weight, (N, 4), `choose` gives their mask, and `join` puts it back."""
    return lambda weight: join(choose(cut(weight)), weight)


def _two_largest(fours):
    return fours.abs().argsort(dim=1, stable=True).argsort(dim=1) > 1


def _pattern(*kept):
    return lambda fours: torch.tensor([place in kept for place in range(4)]).expand(fours.shape)


def _equal_neighbours():
    return torch.tensor(
        [
            [1.0, 1.0, -1.0, 1.0, 2.0, 0.5, 0.5, 0.5],
            [3.0, -3.0, 2.5, 2.5, 4.0, 6.0, 7.0, 8.0],
            [5.0, 5.0, 5.0, 5.0, 9.0, 9.0, 0.1, 0.1],
            [7.0, 7.0, -7.0, 0.2, 0.3, 0.4, 0.6, -0.6],
        ]
    )


KEEP_TWO_OF_FOUR = Exercise(
    reference=keep_two_of_four,
    prompt="The 2:4 pattern that some GPUs compute at double speed. `weight` is (out, in) as in nn.Linear, in a "
    "multiple of 4. Cut each row into fours of neighbours, 0 to 3, 4 to 7, ...: in each, the two weights of the "
    "largest absolute value stay. Returns the mask, True where a weight stays; among equal ones the choice is free.",
    cases=lambda: [
        (torch.tensor([[0.1, -0.9, 0.5, 0.2], [0.4, 0.3, -0.1, -0.6], [0.5, 0.6, 0.7, 0.8], [-0.8, 0.7, 0.2, -0.3]]),),
        (torch.randn(4, 8),),
        (torch.randn(8, 16),),
        (_equal_neighbours(),),
    ],
    run=_settled_in_fours,
    judge=lambda weight: _settled_in_fours(_fours_by_loop, weight),
    right=[_fours_by_rank, _fours_by_chunks, _fours_by_cells],
    wrong=[
        Wrong(
            lambda weight: keep_two_of_four(weight.T).T,
            "You cut the columns into fours, along the outputs. The hardware skips inputs: the fours are neighbours in "
            "a row, along the input dimension.",
        ),
        Wrong(
            _in_fours(_two_largest, lambda weight: weight.reshape(4, -1).T, lambda mask, w: mask.T.reshape(w.shape)),
            "Your fours are no neighbours: reshape(4, -1) puts numbers together that lie far apart. reshape(-1, 4) "
            "makes a row of each four.",
        ),
        Wrong(
            lambda weight: smallest_mask(weight, 0.5),
            "You keep the largest half of all weights. A four may then keep three or none, and the hardware cannot "
            "use that: in each four two stay.",
        ),
        Wrong(
            lambda weight: torch.stack([smallest_mask(row, 0.5) for row in weight]),
            "You keep the largest half of each row. A four may then keep three or none, and the hardware cannot use "
            "that: in each four two stay.",
        ),
        Wrong(_in_fours(lambda fours: fours.argsort(dim=1, stable=True).argsort(dim=1) > 1), SIGNED),
        Wrong(_in_fours(lambda fours: ~_two_largest(fours)), INVERTED),
        Wrong(
            _in_fours(_pattern(0, 1)),
            "The first two of each four stay, whatever their size. The two of the largest absolute value stay.",
        ),
        Wrong(
            _in_fours(_pattern(0, 2)),
            "Every other weight stays, whatever its size. The two of the largest absolute value stay.",
        ),
        Wrong(
            _in_fours(lambda fours: fours.abs() >= fours.abs().sort(dim=1).values[:, 2:3]),
            "With equal weights more than two of a four stay: `>=` a threshold keeps them all, and the hardware has "
            "room for two. Take the places of two: topk(2).indices.",
        ),
        Wrong(
            _in_fours(lambda fours: fours.abs() > fours.abs().sort(dim=1).values[:, 1:2]),
            "With equal weights fewer than two of a four stay: `>` a threshold removes them all. Take the places of "
            "two: topk(2).indices.",
        ),
        Wrong(
            _in_fours(lambda fours: fours.abs() > fours.abs().mean(dim=1, keepdim=True)),
            "You compare with the mean of each four. One large weight lifts the mean, and then it stays alone. Two "
            "stay, always: topk(2).",
        ),
        Wrong(
            _in_fours(lambda fours: fours.abs() == fours.abs().amax(dim=1, keepdim=True)),
            "Only the largest of each four stays. Two stay: topk(2), not max.",
        ),
        Wrong(
            _in_fours(lambda fours: fours.abs() != fours.abs().amin(dim=1, keepdim=True)),
            "Only the smallest of each four goes. Two go and two stay.",
        ),
        Wrong(lambda weight: weight * keep_two_of_four(weight), NOT_A_MASK),
        Wrong(lambda weight: keep_two_of_four(weight).float(), FLOATS),
        Wrong(
            lambda weight: keep_two_of_four(weight).view(-1, 4),
            "Your mask still lies in fours. Give it the shape of the weight: .view(weight.shape).",
        ),
    ],
    hints=[
        "Which shape puts four neighbours of a row into a row of their own?",
        "weight.abs().reshape(-1, 4).topk(2).indices are the places of the two that stay, in each four.",
        "mask.scatter_(1, places, True) sets them in a mask of zeros of the same shape; then .view(weight.shape).",
    ],
)

# ---------------------------------------------------------------- remove_neurons


def remove_neurons(first, second, keep):
    smaller = nn.Linear(first.in_features, len(keep))
    after = nn.Linear(len(keep), second.out_features)
    with torch.no_grad():
        smaller.weight.copy_(first.weight[keep])
        smaller.bias.copy_(first.bias[keep])
        after.weight.copy_(second.weight[:, keep])
        after.bias.copy_(second.bias)
    return smaller, after


def _layer(weight, bias):
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
    return layer


def _described(*layers):
    """Copies of what two layers hold."""
    parts = {"first": layers[0], "second": layers[1]}
    return {
        f"{name}.{part}": getattr(layer, part).detach().clone()
        for name, layer in parts.items()
        for part in ("weight", "bias")
    }


CHANGED = (
    "You changed the layers you were given, and with them the original model: it cannot be compared or pruned at "
    "another rate any more. Make two new layers."
)
SHARED = (
    "Your new layers share a bias or a weight with the old ones: fine-tune the small model, and the original changes "
    "with it. Copy it, with copy_ or clone()."
)
OTHER_SIZES = (
    "The right numbers are in the right places, but out_features and in_features still say the old number of neurons. "
    "print(model), and all that counts by them, is then wrong. nn.Linear(in, out) sets them."
)
MISFIT = (
    "The shapes do not fit. `keep` names hidden neurons, and such a neuron is a row of the first layer, "
    "first.weight[keep] and first.bias[keep], and a column of the second one, second.weight[:, keep]."
)


def _removed(answer, weights, biases, keep):
    """The layers an answer makes, which must have nothing in common with those it was given."""
    first, second = (_layer(*layer) for layer in zip(weights, biases, strict=True))
    before = _described(first, second)
    try:
        pair = answer(first, second, keep)
    except (IndexError, RuntimeError) as error:
        known = any(words in str(error) for words in ("out of bounds", "size of tensor", "size mismatch"))
        raise Mistake(MISFIT) if known else error from None
    if not (isinstance(pair, (list, tuple)) and [type(layer) for layer in pair] == [nn.Linear, nn.Linear]):
        raise Mistake("Return the two new nn.Linear layers: return smaller, after.")
    if any(layer.bias is None for layer in pair):
        raise Mistake("Both layers have a bias, and it is part of what they compute: leave out bias=False.")
    if difference(_described(first, second), before, 0.0):
        raise Mistake(CHANGED)
    after = _described(*pair)
    for layer in pair:
        layer.weight.data.add_(1)
        layer.bias.data.add_(1)
    if difference(_described(first, second), before, 0.0):
        raise Mistake(SHARED)
    sizes = [(layer.out_features, layer.in_features) for layer in pair]
    right = not difference(after, _removed_by_hand(weights, biases, keep), 0.0)
    if right and sizes != [layer.weight.shape for layer in pair]:
        raise Mistake(OTHER_SIZES)
    return after


def _removed_by_hand(weights, biases, keep):
    """Number by number: what belongs to a neuron that stays."""
    rows = [weights[0][neuron] for neuron in keep]
    columns = [[row[neuron].item() for neuron in keep] for row in weights[1]]
    bias = torch.tensor([biases[0][neuron].item() for neuron in keep])
    after = [torch.stack(rows), bias, torch.tensor(columns), biases[1]]
    return dict(zip(["first.weight", "first.bias", "second.weight", "second.bias"], after, strict=True))


def _remove_by_copies(first, second, keep):
    first, second = copy.deepcopy(first), copy.deepcopy(second)
    first.weight, first.bias = nn.Parameter(first.weight[keep]), nn.Parameter(first.bias[keep])
    second.weight = nn.Parameter(second.weight[:, keep])
    first.out_features = second.in_features = len(keep)
    return first, second


def _remove_by_data(first, second, keep):
    keep = torch.tensor(keep)
    pair = nn.Linear(first.weight.shape[1], len(keep)), nn.Linear(len(keep), second.weight.shape[0])
    pair[0].weight.data = first.weight.data.index_select(0, keep)
    pair[0].bias.data = first.bias.data.index_select(0, keep)
    pair[1].weight.data = second.weight.data.index_select(1, keep)
    pair[1].bias.data = second.bias.data.clone()
    return pair


def _remove_by_states(first, second, keep):
    pair = [nn.Linear(first.in_features, len(keep)), nn.Linear(len(keep), second.out_features)]
    pair[0].load_state_dict({name: tensor[keep] for name, tensor in first.state_dict().items()})
    pair[1].load_state_dict({"weight": second.weight[:, keep], "bias": second.bias})
    return pair


def _cut_layers(
    rows=lambda weight, keep: weight[keep],
    bias=lambda bias, keep: bias[keep],
    columns=lambda weight, keep: weight[:, keep],
    last=lambda bias, keep: bias,
):
    """A wrong removal: one with a changed part."""

    def answer(first, second, keep):
        parts = [(rows, first.weight), (bias, first.bias), (columns, second.weight), (last, second.bias)]
        with torch.no_grad():
            W, b, V, c = (part(tensor, keep) for part, tensor in parts)
        return _layer(W, b), _layer(V, c)

    return answer


def _copied(*parts):
    """A wrong removal: new layers into which only these parts are copied; None is one left as nn.Linear draws it."""

    def answer(first, second, keep):
        pair = nn.Linear(first.in_features, len(keep)), nn.Linear(len(keep), second.out_features)
        right = remove_neurons(first, second, keep)
        for layer, part in zip((0, 0, 1, 1), parts, strict=True):
            if part:
                getattr(pair[layer], part).data.copy_(getattr(right[layer], part).data)
        return pair

    return answer


def _assigned(first, second, keep):
    smaller = nn.Linear(first.in_features, len(keep))
    smaller.weight = first.weight[keep]


def _filled_in_the_graph(first, second, keep):
    smaller = nn.Linear(first.in_features, len(keep))
    smaller.weight.copy_(first.weight[keep])


def _without(neurons, keep):
    return [neuron for neuron in range(neurons) if neuron not in keep]


def _kept_for_removed(first, second, keep):
    return remove_neurons(first, second, _without(first.out_features, keep))


def _zeros_only(first, second, keep):
    first, second, gone = copy.deepcopy(first), copy.deepcopy(second), _without(first.out_features, keep)
    first.weight.data[gone] = first.bias.data[gone] = second.weight.data[:, gone] = 0.0
    return first, second


def _in_the_old_layers(first, second, keep):
    first.weight, first.bias = nn.Parameter(first.weight[keep]), nn.Parameter(first.bias[keep])
    second.weight = nn.Parameter(second.weight[:, keep])
    first.out_features = second.in_features = len(keep)
    return first, second


def _old_bias_in_the_new_layer(first, second, keep):
    smaller, after = remove_neurons(first, second, keep)
    after.bias = second.bias
    return smaller, after


def _old_sizes(first, second, keep):
    smaller, after = remove_neurons(first, second, keep)
    smaller.out_features = after.in_features = first.out_features
    return smaller, after


def _removal_case(inputs, neurons, outputs, keep):
    weights = [torch.randn(neurons, inputs), torch.randn(outputs, neurons)]
    return weights, [torch.randn(neurons), torch.randn(outputs)], keep


REMOVE_NEURONS = Exercise(
    reference=remove_neurons,
    prompt="Take neurons out of the hidden layer between two nn.Linear: second(relu(first(x))). `keep` is a list of "
    "the neurons that stay. Returns two new, smaller nn.Linear with copies of all that belongs to these neurons; "
    "`first` and `second` stay as they are. Both have biases.",
    cases=lambda: [
        _removal_case(2, 3, 2, [0, 2]),
        _removal_case(5, 6, 6, [1, 4, 5]),
        _removal_case(4, 4, 4, [1, 3]),
        _removal_case(3, 7, 5, [0]),
    ],
    run=_removed,
    judge=_removed_by_hand,
    right=[_remove_by_copies, _remove_by_data, _remove_by_states],
    wrong=[
        Wrong(
            _cut_layers(columns=lambda weight, keep: weight),
            "You shrink the first layer only. The second one still waits for all the neurons, and a forward pass ends "
            "in 'mat1 and mat2 shapes cannot be multiplied'. Its columns must go too: second.weight[:, keep].",
        ),
        Wrong(_cut_layers(columns=lambda weight, keep: weight[keep]), MISFIT),
        Wrong(
            _cut_layers(bias=lambda bias, keep: bias),
            "The first layer's bias still has a number for every neuron. A neuron is a row of the weight and its bias: "
            "first.bias[keep].",
        ),
        Wrong(
            _cut_layers(columns=lambda weight, keep: weight[:, : len(keep)]),
            "The second layer keeps its first columns, and not those of the neurons that stay. Each neuron then meets "
            "the weights of another one: second.weight[:, keep].",
        ),
        Wrong(
            _cut_layers(bias=lambda bias, keep: bias[: len(keep)]),
            "The first layer keeps the first biases, and not those of the neurons that stay: first.bias[keep].",
        ),
        Wrong(
            _cut_layers(
                *[lambda tensor, keep: tensor[: len(keep)]] * 2, columns=lambda weight, keep: weight[:, : len(keep)]
            ),
            "You keep the first len(keep) neurons. `keep` says which ones stay: first.weight[keep].",
        ),
        Wrong(
            _cut_layers(last=lambda bias, keep: torch.zeros_like(bias)),
            "The second layer has lost its bias. It belongs to the outputs, which all stay: copy it whole.",
        ),
        Wrong(
            _copied("weight", "bias", "weight", None),
            "You did not copy the second layer's bias, so it is the random one of a new nn.Linear. Copy it whole: its "
            "outputs all stay.",
        ),
        Wrong(
            _copied("weight", None, "weight", "bias"),
            "You did not copy the first layer's bias: it is the random one of a new nn.Linear. Copy first.bias[keep].",
        ),
        Wrong(
            _copied("weight", None, "weight", None),
            "You copied the weights only, so both biases are the random ones of a new nn.Linear. Copy first.bias[keep] "
            "and second.bias.",
        ),
        Wrong(
            _assigned,
            "torch takes only an nn.Parameter as a layer's weight, so that it will be learned. Fill the one that is "
            "there, with copy_ under torch.no_grad(), or put nn.Parameter(...) around the tensor.",
        ),
        Wrong(
            _filled_in_the_graph,
            "torch keeps a record of all that happens to a parameter, for backward(), and forbids a change in place. "
            "To fill new layers is no part of a model: put it under `with torch.no_grad():`.",
        ),
        Wrong(
            _cut_layers(bias=lambda bias, keep: torch.zeros(len(keep))),
            "The first layer has lost its biases. Copy those of the neurons that stay: first.bias[keep].",
        ),
        Wrong(
            _zeros_only,
            "You set the neurons to zero. The layers are as large as before, and a dense product computes with zeros "
            "at full price. Make smaller layers.",
        ),
        Wrong(
            _kept_for_removed,
            "You remove the neurons in `keep`. They are the ones that stay.",
        ),
        Wrong(
            lambda first, second, keep: (nn.Linear(2, len(keep), bias=False), remove_neurons(first, second, keep)[1]),
            "Both layers have a bias, and it is part of what they compute: leave out bias=False.",
        ),
        Wrong(_in_the_old_layers, CHANGED),
        Wrong(_old_bias_in_the_new_layer, SHARED),
        Wrong(
            _old_sizes,
            OTHER_SIZES,
        ),
        Wrong(
            _cut_layers(columns=lambda weight, keep: weight[:, keep].T),
            "The second weight is transposed. nn.Linear keeps (out, in): second.weight[:, keep].",
        ),
        Wrong(
            lambda first, second, keep: remove_neurons(first, second, keep)[0],
            "Return the two new nn.Linear layers: return smaller, after.",
        ),
    ],
    hints=[
        "In nn.Linear the weight is (out, in). Which rows or columns belong to hidden neuron 3, in each layer?",
        "A neuron is a row of first.weight, a number of first.bias and a column of second.weight.",
        "Make nn.Linear(inputs, len(keep)) and nn.Linear(len(keep), outputs), and copy_ under torch.no_grad(): "
        "first.weight[keep], first.bias[keep], second.weight[:, keep], second.bias.",
    ],
)

# ---------------------------------------------------------------- quantize_int8


def quantize_int8(weight):
    largest = weight.abs().max()
    scale = torch.where(largest > 0, largest / 127, 1.0)
    return (weight / scale).round().to(torch.int8), scale


ZERO_SCALE = (
    "Right, but for a weight full of zeros your scale is 0. Then weight / scale is 0 / 0, NaN, and what int8 makes of "
    "it is chance. Use another scale there, such as 1."
)


def _integers_and_scale(answer, weight):
    """What an answer makes of a weight; where that is right, it must also have a scale for zeros."""
    result = _pair_of(answer(weight), weight.abs().max().item() / 127)
    if not difference(result, _int8_by_torch(weight), 1e-5):
        try:
            zeros, scale = answer(torch.zeros_like(weight))
        except ZeroDivisionError:
            raise Mistake(ZERO_SCALE) from None
        if zeros.any() or not 0 < scale < math.inf:
            raise Mistake(ZERO_SCALE)
    return result


def _pair_of(pair, right):
    """An answer's type, scale and integers; these only where the scale is right: without it they mean nothing."""
    if not (isinstance(pair, (list, tuple)) and len(pair) == 2):
        raise Mistake(
            "Return two things: the integers and their scale. Whoever reads the integers needs the scale to get the "
            "weights back: integers * scale."
        )
    integers, scale = pair[0], _as_number(pair[1])
    known = not difference(scale, right, 1e-5)
    shown = integers if known else "not looked at: the scale is wrong"
    return {"type": str(getattr(integers, "dtype", type(integers))), "scale": scale, "integers": shown}


def _int8_by_torch(weight):
    """With torch's own rounding to a grid, fake_quantize, which gives back floats on it."""
    scale = max(map(abs, weight.flatten().tolist())) / 127
    grid = torch.fake_quantize_per_tensor_affine(weight, scale, 0, -127, 127)
    return {"type": "torch.int8", "scale": scale, "integers": (grid / scale).round().to(torch.int8)}


def _int8_by_loop(weight):
    numbers = weight.flatten().tolist()
    scale = max(abs(number) for number in numbers) / 127 or 1.0
    integers = torch.tensor([round(number / scale) for number in numbers], dtype=torch.int8)
    return integers.reshape(weight.shape), scale


def _int8_with_a_small_number(weight):
    scale = weight.abs().max().clamp(min=1e-12) / 127
    return torch.round(weight / scale).clamp(-127, 127).char(), scale


def _int8_with_if(weight):
    if not weight.any():
        return torch.zeros_like(weight, dtype=torch.int8), torch.tensor(1.0)
    scale = max(weight.max(), -weight.min()) / 127
    return torch.floor(weight / scale + 0.5).to(torch.int8), scale


def _int8(
    scale=lambda weight: weight.abs().max() / 127,
    whole=torch.round,
    kind=torch.int8,
    back=lambda integers, scale: (integers, scale),
):
    """A wrong quantization: one with a changed part."""

    def answer(weight):
        step = scale(weight)
        return back(whole(weight / step).to(kind), step)

    return answer


def _from_smallest_to_largest(weight):
    scale = ((weight.max() - weight.min()) / 255).clamp(min=1e-12)
    return ((weight - weight.min()) / scale - 128).round().to(torch.int8), scale


QUANTIZE_INT8 = Exercise(
    reference=quantize_int8,
    prompt="Absmax quantization to 8 bits. Returns (integers, scale): integers of the type torch.int8, -127 to 127, "
    "and one positive number, so that integers * scale is as near to `weight` as can be and the weight of the largest "
    "absolute value becomes 127 or -127. For zeros any positive scale will do.",
    cases=lambda: [
        (torch.tensor([0.5, -1.27, 0.016]),),
        (torch.randn(4, 5),),
        (-1 - torch.rand(3, 4),),
        (100 * torch.randn(2, 7),),
    ],
    run=_integers_and_scale,
    judge=_int8_by_torch,
    right=[_int8_by_loop, _int8_with_a_small_number, _int8_with_if],
    wrong=[
        Wrong(
            _int8(whole=torch.trunc),
            "You do not round: .to(torch.int8) cuts off, so 1.6 becomes 1 and every weight shrinks. The error is up to "
            "a whole step and not half of one. round() first.",
        ),
        Wrong(
            _int8(whole=torch.floor),
            "You round down, so all weights move to the left and the errors add up in a sum. Use round().",
        ),
        Wrong(
            _int8(lambda weight: weight.max() / 127),
            "You take the largest weight and not the largest absolute value. A stronger negative weight then does not "
            "fit: it is cut off, or comes back as a positive number. weight.abs().max().",
        ),
        Wrong(
            _int8(lambda weight: weight.abs().max() / 128),
            "You divide by 128. The largest weight becomes 128, and int8 ends at 127: it is cut off, or comes back as "
            "-128. Divide by 127.",
        ),
        Wrong(
            _int8(lambda weight: weight.abs().max() / 255),
            "You divide by 255. int8 has 256 values, but half of them are negative: the largest is 127, and all larger "
            "weights are cut off.",
        ),
        Wrong(
            _int8(lambda weight: 2 * weight.abs().max() / 255),
            "Your step is the whole range by 255, so the largest weight becomes 127.5, which no int8 holds. With a "
            "symmetric range of -127 to 127 it is the largest absolute value by 127.",
        ),
        Wrong(
            _from_smallest_to_largest,
            "You spread the range from the smallest to the largest weight over -128 to 127. Then 0 is no longer 0, and "
            "whoever reads it needs the zero point as well. Here the range is symmetric around 0.",
        ),
        Wrong(
            _int8(lambda weight: 3 * weight.std() / 127),
            "Your scale comes from the standard deviation, so the largest weights are cut off or the range is not "
            "used. Absmax takes the largest absolute value.",
        ),
        Wrong(
            _int8(lambda weight: weight.abs().mean() / 127),
            "Your scale comes from the mean, and all weights above it are cut off. Absmax takes the largest absolute "
            "value.",
        ),
        Wrong(
            _int8(),
            ZERO_SCALE,
        ),
        Wrong(
            _int8(kind=torch.float32),
            "The values are whole but still floats, of four bytes each: nothing is saved. Add .to(torch.int8).",
        ),
        Wrong(
            _int8(kind=torch.uint8),
            "uint8 goes from 0 to 255 and has no negative numbers. The signed type is torch.int8.",
        ),
        Wrong(
            _int8(kind=torch.int32),
            "Your integers have 32 bits, as many as the floats had: nothing is saved. Use .to(torch.int8).",
        ),
        Wrong(
            _int8(kind=torch.int64),
            "Your integers have 64 bits, twice as many as the floats: the model gets bigger. Use .to(torch.int8).",
        ),
        Wrong(
            _int8(back=lambda integers, scale: (integers, 1 / scale)),
            "Your scale is upside down: integers * scale must give the weights back. It is the largest absolute value "
            "by 127.",
        ),
        Wrong(
            _int8(back=lambda integers, scale: (scale, integers)),
            "The two are exchanged: return integers, scale.",
        ),
        Wrong(
            _int8(back=lambda integers, scale: integers),
            "Return two things: the integers and their scale. Whoever reads the integers needs the scale to get the "
            "weights back: integers * scale.",
        ),
        Wrong(
            _int8(back=lambda integers, scale: (integers * scale, scale)),
            "You multiply by the scale again: those are the weights, rounded, as floats. The integers are what is "
            "stored.",
        ),
    ],
    hints=[
        "The weight of the largest absolute value becomes 127. How wide is one step then? That is the scale.",
        "weight / scale lies between -127 and 127. Round it before .to(torch.int8), which cuts off.",
        "What is the scale of a weight full of zeros? Give it 1, so that nothing is divided by 0.",
    ],
)

# ---------------------------------------------------------------- scales_per_row


def scales_per_row(weight, bits):
    largest = weight.abs().amax(dim=1, keepdim=True)
    return torch.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1.0)


NO_SCALE_FOR_ZEROS = (
    "Right, but a row of zeros has the scale 0, and weight / scale is NaN there. A dead neuron is such a row, and one "
    "NaN spreads to all that follows. Give it another scale, such as 1."
)


def _scales(answer, weight, bits):
    """The scales of an answer; where they are right, there must also be one for a row of zeros."""
    scales = answer(weight, bits)
    if not difference(scales, _scales_by_loop(weight, bits), 1e-5):
        with_zeros = answer(torch.cat([weight, torch.zeros_like(weight[:1])]), bits)
        if not 0 < with_zeros[-1] < math.inf:
            raise Mistake(NO_SCALE_FOR_ZEROS)
    return scales


def _scales_by_loop(weight, bits):
    steps = sum(2**bit for bit in range(bits - 1))
    return torch.tensor([[max(map(abs, row)) / steps] for row in weight.tolist()])


def _scales_by_norm(weight, bits):
    largest = torch.linalg.vector_norm(weight, ord=math.inf, dim=1)
    return (largest.clamp(min=1e-12) / (2 ** (bits - 1) - 1)).unsqueeze(1)


def _scales_by_extremes(weight, bits):
    largest = torch.maximum(weight.max(1).values, -weight.min(1).values)[:, None]
    largest[largest == 0] = 1.0
    return largest / ((1 << bits - 1) - 1)


def _scales_by_sorting(weight, bits):
    largest = weight.abs().sort(dim=-1).values[:, -1:]
    return largest.div(2**bits / 2 - 1) + (largest == 0)


def _scaled(largest=lambda weight: weight.abs().amax(dim=1, keepdim=True), steps=lambda bits: 2 ** (bits - 1) - 1):
    """Wrong scales: `largest(weight)` divided by `steps(bits)`."""
    return lambda weight, bits: largest(weight) / steps(bits)


SCALES_PER_ROW = Exercise(
    reference=scales_per_row,
    prompt="The scales (out, 1) of absmax quantization row by row: weight (out, in) as in nn.Linear, so each output "
    "has its own. With 8 bits the integers go from -127 to 127, with 4 from -7 to 7, with 2 from -1 to 1. A row of "
    "zeros may have any positive scale, so that weight / scale is 0 there.",
    cases=lambda: [
        (torch.tensor([[0.35, -0.7], [0.07, 0.01]]), 4),
        (torch.randn(3, 5), 6),
        (torch.randn(4, 4) * torch.tensor([[1.0], [10.0], [0.1], [1.0]]), 2),
        (-torch.rand(3, 2) - 0.1, 3),
    ],
    run=_scales,
    judge=_scales_by_loop,
    right=[_scales_by_norm, _scales_by_extremes, _scales_by_sorting],
    wrong=[
        Wrong(
            _scaled(lambda weight: weight.abs().amax(dim=0, keepdim=True)),
            "Your scales run along the inputs, (1, in). A product adds up over the inputs, and a factor can be taken "
            "out of that sum only when it is the same for the whole row. amax(dim=1, keepdim=True).",
        ),
        Wrong(
            _scaled(lambda weight: weight.abs().amax(dim=0)),
            "Your scales run down the columns, one for each input. Each output, a row, has its own: "
            "amax(dim=1, keepdim=True).",
        ),
        Wrong(
            _scaled(lambda weight: weight.abs().amax(dim=1)),
            "Your scales have the shape (out,). weight / scale then divides the columns, or fails where the weight is "
            "not square: on a square one nobody notices. keepdim=True gives (out, 1).",
        ),
        Wrong(
            _scaled(lambda weight: weight.abs().max().expand(len(weight), 1)),
            "All rows have the scale of the largest weight in the whole tensor. A row of small weights then uses few "
            "of the integers, and that is what scales by row are for: amax(dim=1, keepdim=True).",
        ),
        Wrong(
            _scaled(lambda weight: weight.abs().max()),
            "You give one scale for the whole tensor. A single large weight then makes all rows coarse. Each row has "
            "its own: amax(dim=1, keepdim=True).",
        ),
        Wrong(
            _scaled(steps=lambda bits: 127),
            "You divide by 127 for any number of bits. 4 bits end at 7: it is 2 ** (bits - 1) - 1.",
        ),
        Wrong(
            _scaled(steps=lambda bits: 2**bits - 1),
            "You divide by 2 ** bits - 1. One bit is the sign: 8 bits end at 127 and not at 255. It is "
            "2 ** (bits - 1) - 1.",
        ),
        Wrong(
            _scaled(steps=lambda bits: 2 ** (bits - 1)),
            "You divide by 2 ** (bits - 1). The largest integer is one less: 128 does not fit into int8, nor 8 into 4 "
            "bits.",
        ),
        Wrong(
            _scaled(lambda weight: weight.amax(dim=1, keepdim=True)),
            "You take the largest weight of a row and not the largest absolute value. A row of negative weights gets a "
            "scale that is too small, or negative. weight.abs() first.",
        ),
        Wrong(
            _scaled(lambda weight: (weight.amax(dim=1, keepdim=True) - weight.amin(dim=1, keepdim=True)) / 2),
            "You take half the way from the smallest to the largest weight of a row. That fits a range with a zero "
            "point. Here the range is symmetric around 0: take the largest absolute value.",
        ),
        Wrong(
            _scaled(lambda weight: weight.abs().mean(dim=1, keepdim=True)),
            "You take the mean of a row, and all weights above it do not fit. Absmax takes the largest absolute value.",
        ),
        Wrong(_scaled(), NO_SCALE_FOR_ZEROS),
        Wrong(
            lambda weight, bits: 1 / scales_per_row(weight, bits),
            "Your scales are upside down: integers * scale must give the weights back.",
        ),
    ],
    hints=[
        "The largest absolute value of each row becomes the largest integer. What is that with 8, 4 and 2 bits?",
        "2 ** (bits - 1) - 1; and weight.abs().amax(dim=1, keepdim=True) has the shape (out, 1).",
        "torch.where(largest > 0, ..., 1.0) takes care of rows of zeros.",
    ],
)

# ---------------------------------------------------------------- soft_target_loss


def soft_target_loss(student_logits, teacher_logits, temperature):
    student = F.log_softmax(student_logits / temperature, dim=-1)
    teacher = F.softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(student, teacher, reduction="batchmean") * temperature**2


def _soft_by_distributions(student_logits, teacher_logits, temperature):
    student, teacher = (
        torch.distributions.Categorical(logits=logits / temperature) for logits in (student_logits, teacher_logits)
    )
    return temperature**2 * torch.distributions.kl_divergence(teacher, student).mean()


def _soft_by_formula(student_logits, teacher_logits, temperature):
    log_q = (student_logits / temperature).log_softmax(dim=1)
    log_p = (teacher_logits / temperature).log_softmax(dim=1)
    return temperature * temperature * (log_p.exp() * (log_p - log_q)).sum() / len(log_p)


def _soft_by_entropy(student_logits, teacher_logits, temperature):
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    entropy = torch.special.entr(p).sum(dim=-1).mean()
    return (F.cross_entropy(student_logits / temperature, p) - entropy) * temperature**2


def _soft_row_by_row(student_logits, teacher_logits, temperature):
    losses = []
    for s, t in zip(student_logits / temperature, teacher_logits / temperature, strict=True):
        p = t.softmax(0)
        log_ratio = (t - t.logsumexp(0)) - (s - s.logsumexp(0))
        losses.append(torch.dot(p, log_ratio) * temperature**2)
    return torch.stack(losses).mean()


def _soft(
    student=lambda logits, T: logits / T,
    teacher=lambda logits, T: logits / T,
    compare=lambda log_q, log_p: (log_p.exp() * (log_p - log_q)).sum() / len(log_p),
    factor=lambda T: T**2,
    dim=-1,
):
    """A wrong loss: one with a changed part; log_q is the student's, log_p the teacher's."""

    def answer(student_logits, teacher_logits, temperature):
        log_q = student(student_logits, temperature).log_softmax(dim=dim)
        log_p = teacher(teacher_logits, temperature).log_softmax(dim=dim)
        return compare(log_q, log_p) * factor(temperature)

    return answer


def _plain(logits, temperature):
    return logits


def _cross_entropy(log_q, log_p):
    return -(log_p.exp() * log_q).sum() / len(log_p)


def _mean_over_everything(log_q, log_p):
    return (log_p.exp() * (log_p - log_q)).mean()


def _other_direction(log_q, log_p):
    return (log_q.exp() * (log_q - log_p)).sum() / len(log_p)


def _ratio_of_probabilities(log_q, log_p):
    p, q = log_p.exp(), log_q.exp()
    return (p * (p / q).log()).sum() / len(p)


SOFT_TARGET_LOSS = Exercise(
    reference=soft_target_loss,
    prompt="The distillation loss of Hinton, Vinyals and Dean (2015): both logits (B, C) are divided by the "
    "temperature T, and the loss is KL(teacher ‖ student) of the two softmaxes, the mean over the batch, times T². It "
    "keeps the student's gradient.",
    cases=lambda: [
        (torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), 1.0),
        (torch.randn(3, 4, requires_grad=True), 3 * torch.randn(3, 4), 2.0),
        (torch.randn(5, 3, requires_grad=True), 5 * torch.randn(5, 3), 4.0),
        (torch.randn(2, 3, requires_grad=True), torch.tensor([[400.0, 0.0, -400.0], [1.0, 2.0, 3.0]]), 2.0),
    ],
    judge=_soft_by_distributions,
    right=[_soft_by_formula, _soft_by_entropy, _soft_row_by_row],
    wrong=[
        Wrong(
            _soft(factor=lambda T: 1),
            "The factor T² is missing. Softened by T, the gradients shrink by T²: at T = 4 the teacher would have a "
            "sixteenth of its say beside the true labels.",
        ),
        Wrong(
            _soft(factor=lambda T: T),
            "You multiply by T. The gradients shrink by T²: once because the logits are divided by T, and once because "
            "the softened answers lie closer together.",
        ),
        Wrong(
            _soft(student=_plain),
            "Only the teacher is softened. The student then learns to be as unsure as the softened teacher: both "
            "logits are divided by T.",
        ),
        Wrong(
            _soft(teacher=_plain),
            "Only the student is softened. The teacher's answer stays as sharp as a label, and what it knows about the "
            "other classes does not show: both logits are divided by T.",
        ),
        Wrong(
            _soft(student=_plain, teacher=_plain),
            "The temperature softens nothing: divide both logits by it before the softmax.",
        ),
        Wrong(
            _soft(*[lambda logits, T: logits * T] * 2),
            "You multiply the logits by T, which makes the answers sharper. Divide by it: a high temperature softens.",
        ),
        Wrong(
            _soft(compare=_other_direction),
            "The direction is wrong: that is KL(student ‖ teacher), where the student may leave out classes that the "
            "teacher finds likely. The teacher's probabilities weigh. Beware of F.kl_div: the student comes first.",
        ),
        Wrong(
            _soft(compare=_mean_over_everything),
            "You take the mean over the classes too, as F.kl_div does by default. The loss is then too small by the "
            'number of classes, and the teacher is hardly heard: reduction="batchmean".',
        ),
        Wrong(
            _soft(compare=lambda log_q, log_p: (log_p.exp() * (log_p - log_q)).sum()),
            "You take the sum over the batch, so twice as many examples give twice the loss, and twice the step. "
            'reduction="batchmean".',
        ),
        Wrong(
            _soft(compare=lambda log_q, log_p: (log_p.exp() * (log_p - log_q)).sum(dim=-1)),
            "You give one number for each example. Take the mean over the batch.",
        ),
        Wrong(
            _soft(compare=lambda log_q, log_p: F.kl_div(log_q.exp(), log_p.exp(), reduction="batchmean")),
            "F.kl_div takes the logarithms of the student's probabilities, and you give the probabilities. It raises "
            "no error, and the number means nothing. Use F.log_softmax for the student.",
        ),
        Wrong(
            _soft(compare=lambda log_q, log_p: F.kl_div(log_q, log_p, reduction="batchmean")),
            "F.kl_div takes the teacher's probabilities, and you give their logarithms. They are negative, and what it "
            "makes of them is NaN. Use F.softmax for the teacher, or log_target=True.",
        ),
        Wrong(
            _soft(compare=_cross_entropy),
            "That is the cross-entropy. Its gradient is the same, but it is not 0 when the student answers just as "
            "the teacher: subtract the teacher's entropy, or use F.kl_div.",
        ),
        Wrong(
            _soft(compare=_cross_entropy, factor=lambda T: 1),
            "That is the cross-entropy, which is not 0 when the student answers just as the teacher; and the factor T² "
            "is missing, without which the gradients shrink with T. Use F.kl_div and temperature**2.",
        ),
        Wrong(
            _soft(compare=_mean_over_everything, factor=lambda T: 1),
            "Too small for two reasons: F.kl_div takes the mean over the classes too, unless you say "
            'reduction="batchmean"; and the factor T² is missing.',
        ),
        Wrong(
            _soft(compare=_other_direction, factor=lambda T: 1),
            "The direction is wrong, KL(student ‖ teacher), and the factor T² is missing. In F.kl_div the student's "
            "logarithms come first and the teacher's probabilities second.",
        ),
        Wrong(
            lambda student, teacher, temperature: F.cross_entropy(student, teacher.argmax(dim=-1)),
            "You learn only the class that the teacher finds likeliest. What it thinks of the others is what "
            "distillation is for: compare all its probabilities.",
        ),
        Wrong(
            _soft(compare=lambda log_q, log_p: F.mse_loss(log_q.exp(), log_p.exp())),
            "That is the mean squared error of the probabilities. The loss of the paper is the Kullback-Leibler "
            "divergence.",
        ),
        Wrong(
            lambda student, teacher, temperature: F.mse_loss(student, teacher),
            "That is the mean squared error of the logits. It is used as well, and the loss of the paper comes near it "
            "for very large T; here it is the Kullback-Leibler divergence.",
        ),
        Wrong(
            _soft(compare=_ratio_of_probabilities),
            "Right, until the teacher is quite sure: a probability is then 0, and 0 * log(0) is NaN. Compute with "
            "log_softmax, or use F.kl_div.",
        ),
        Wrong(
            _soft(dim=0),
            "Your softmax runs over the batch. The classes are the last dimension: dim=-1.",
        ),
        Wrong(
            lambda *case: soft_target_loss(*case).item(),
            "The number is right, but a plain number has no gradient, and the student cannot learn from it. Leave out "
            ".item().",
        ),
        Wrong(
            lambda *case: soft_target_loss(*case).detach(),
            "The number is right, but its gradient is cut off, and the student cannot learn from it. Leave out "
            ".detach() and no_grad.",
        ),
    ],
    hints=[
        "Divide both logits by the temperature. Which of the two softmaxes do you need as logarithms?",
        'F.kl_div(log_softmax of the student, softmax of the teacher, reduction="batchmean") is KL(teacher ‖ student).',
        "Multiply by temperature**2, so that the gradients keep their size at any temperature.",
    ],
)
