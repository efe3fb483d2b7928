"""The share of zeros among the weights of a model (lesson 10)."""

import torch
from torch import nn

from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The sparsity of a model: the share, from 0 to 1, of zeros among the weights of all its nn.Linear and "
    "nn.Conv2d layers, however deep they sit. Biases, norms and embeddings do not count. A weight that two layers "
    "share counts once."
)
def share_of_zeros(model):
    weights = {layer.weight for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))}
    zeros = sum((weight == 0).sum().item() for weight in weights)
    return zeros / sum(weight.numel() for weight in weights)


def with_zeros(model, *shares):
    """The model with the given share of zeros in the weights of one layer after the other, and biases full of zeros."""
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    for layer, share in zip(layers, shares, strict=True):
        count = round(share * layer.weight.numel())
        layer.weight.data.view(-1)[:count] = 0.0
        if share < 1:
            layer.weight.data.view(-1)[-1] = 1e-6  # small, and not zero
        if layer.bias is not None:
            layer.bias.data.zero_()
    return model


@share_of_zeros.cases
def models_with_zeros():
    block = nn.Sequential(nn.LayerNorm(4), nn.Conv2d(1, 2, 3), nn.Linear(4, 6))
    both = nn.Sequential(nn.Embedding(5, 4, padding_idx=0), block, nn.Linear(6, 3))
    tied = with_zeros(nn.Sequential(*(nn.Linear(6, 6) for _ in range(3))), 0.0, 0.2, 0.9)
    tied[0].weight = tied[2].weight
    images = nn.Sequential(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)), nn.ReLU(), nn.Linear(4, 10))
    odd = with_zeros(nn.Sequential(Tower(), nn.Linear(3, 3, bias=False)), 0.5, 0.25, 0.0).double().eval()
    odd[1].requires_grad_(False)
    return [
        (with_zeros(nn.Sequential(nn.Linear(4, 2)), 0.5),),
        (with_zeros(nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 4)), 0.75, 0.1),),
        (with_zeros(images, 0.5, 0.2),),
        (with_zeros(both, 0.2, 0.75, 0.4), tied),
        (odd,),
        (with_zeros(nn.Linear(3, 3), 0.5),),
        (with_zeros(nn.Sequential(nn.Conv2d(2, 3, 1), nn.Linear(5, 3)), 0.0, 0.0),),
        (with_zeros(nn.Sequential(nn.ModuleList([nn.Linear(2, 2), nn.ModuleDict({"a": nn.Linear(3, 1)})])), 1.0, 1.0),),
    ]


class Tower(nn.Module):
    """Layers under names of their own, and a parameter that belongs to none."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(3, 3))
        self.up = nn.Linear(2, 4)
        self.down = nn.Sequential(nn.Sequential(nn.Conv2d(4, 2, 2, bias=False)))


TWICE = (
    "A weight that two layers share counts twice. It lies in memory once, and its zeros save once: collect the weights "
    "in a set."
)


def count_by_names(model):
    zeros = weights = 0
    for name, parameter in model.named_parameters():
        layer = model.get_submodule(name.rpartition(".")[0])
        if name.endswith("weight") and type(layer) in (nn.Linear, nn.Conv2d):
            numbers = parameter.flatten().tolist()
            zeros, weights = zeros + numbers.count(0.0), weights + len(numbers)
    return zeros / weights


def as_number(value):
    """The plain number in a tensor of no dimension, so that answers with and without .item() count as alike."""
    return value.item() if torch.is_tensor(value) and value.ndim == 0 else value


@share_of_zeros.run
def share_and_tied(answer, model, tied=None):
    """The share of an answer; where that is right, it must also be right for the model `tied`, whose layers share."""
    share = as_number(answer(model))
    right = not difference(share, count_by_names(model), 1e-5)
    if right and tied and difference(answer(tied), count_by_names(tied), 1e-5):
        raise Mistake(TWICE)
    return share


@share_of_zeros.judge
def expected(model, tied=None):
    return count_by_names(model)


@share_of_zeros.right
def in_one_row(model):
    layers = filter(lambda layer: isinstance(layer, (nn.Linear, nn.Conv2d)), model.modules())
    weights = list({id(layer.weight): layer.weight for layer in layers}.values())
    return (nn.utils.parameters_to_vector(weights) == 0).float().mean().item()


@share_of_zeros.right
def with_a_memory(model):
    seen, zeros, count = set(), 0, 0
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)) and id(layer.weight) not in seen:
            seen.add(id(layer.weight))
            zeros += layer.weight.numel() - int(torch.count_nonzero(layer.weight))
            count += layer.weight.numel()
    return zeros / count


@share_of_zeros.right
def by_descent(model):
    """From layer to layer, down into the children."""
    found = {}

    def visit(layer):
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            found[layer.weight.data_ptr()] = layer.weight.detach().flatten()
        for child in layer.children():
            visit(child)

    visit(model)
    row = torch.cat([weight.double() for weight in found.values()])
    return row.eq(0).double().mean()


@share_of_zeros.right
def by_names(model):
    types = {name: type(layer) for name, layer in model.named_modules()}
    kept = [
        parameter
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[2] == "weight" and types[name.rpartition(".")[0]] in (nn.Linear, nn.Conv2d)
    ]
    return 1 - sum(int(p.count_nonzero()) for p in kept) / sum(p.numel() for p in kept)


LAYERS = (nn.Linear, nn.Conv2d)


def prunable(model):
    return [layer.weight for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]


def _share(tensors):
    tensors = list(tensors)
    return sum(int((t == 0).sum()) for t in tensors) / max(sum(t.numel() for t in tensors), 1)


@share_of_zeros.mistake(
    "You take the mean of the layers' shares. A layer of 10 weights then counts as much as one of 10000. Add "
    "up zeros and weights first, and divide once."
)
def mean_of_shares(model):
    shares = [_share([weight]) for weight in set(prunable(model))]
    return sum(shares) / len(shares)


@share_of_zeros.mistake(
    "You count weights that are nearly zero. A small weight still has to be stored and multiplied: == 0."
)
def nearly_zero(model):
    weights = set(prunable(model))
    return sum(int((weight.abs() < 1e-3).sum()) for weight in weights) / sum(weight.numel() for weight in weights)


def share_of(choose):
    """A wrong share: zeros among the tensors that `choose(model)` gives."""
    return lambda model: _share(choose(model))


share_of_zeros.mistake(TWICE, counted_twice=share_of(prunable))


def weights_and_biases(model):
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    return {parameter for layer in layers for parameter in layer.parameters()}


share_of_zeros.mistake(
    "You count the biases too. They are few, are never pruned, and begin at 0 in many models: that is no sparsity.",
    with_biases=share_of(weights_and_biases),
)

share_of_zeros.mistake(
    "You count every parameter: biases, norms and embeddings too. A pruned model then looks less sparse, or a "
    "dense one sparse, as norms begin with biases of 0. Take the weights of nn.Linear and nn.Conv2d.",
    every_parameter=share_of(nn.Module.parameters),
)

share_of_zeros.mistake(
    "A tensor with two dimensions need not be a linear layer's: you count embeddings, and their rows are zero "
    "for padding. Ask for the type of the layer.",
    two_dimensions=share_of(lambda model: [p for p in model.parameters() if p.ndim > 1]),
)

share_of_zeros.mistake(
    "Norms and embeddings have a parameter called weight as well. Ask for the type of the layer and not for the name.",
    named_weight=share_of(lambda model: [p for name, p in model.named_parameters() if name.endswith("weight")]),
)

share_of_zeros.mistake(
    "The state dict also holds biases and what norms keep (running means, which begin at 0), and a shared "
    "weight twice. Take the weights of nn.Linear and nn.Conv2d.",
    state_dict=share_of(lambda model: model.state_dict().values()),
)

share_of_zeros.mistake(
    "That is the density, the share of weights that are left. The sparsity is the share of zeros.",
    density=lambda model: 1 - share_of_zeros(model),
)

share_of_zeros.mistake(
    "You give percent. Here it is a share from 0 to 1.", percent=lambda model: 100 * share_of_zeros(model)
)

share_of_zeros.mistake(
    "That is how many zeros there are. Divide by the number of weights.",
    number_of_zeros=lambda model: sum(int((weight == 0).sum()) for weight in set(prunable(model))),
)

share_of_zeros.mistake(
    "The convolutions are missing: nn.Conv2d has a weight too. isinstance(layer, (nn.Linear, nn.Conv2d)).",
    no_convolutions=share_of(lambda model: {layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)}),
)


def top_level(model):
    layers = [layer for layer in [model, *model.children()] if isinstance(layer, (nn.Linear, nn.Conv2d))]
    return {layer.weight for layer in layers}


share_of_zeros.mistake(
    "You look at the model's own layers only, not at those inside its blocks, and there are most weights of a "
    "big model. model.modules() goes to the bottom.",
    top_level_only=share_of(top_level),
)

share_of_zeros.mistake(
    "The linear layers are missing: isinstance(layer, (nn.Linear, nn.Conv2d)).",
    no_linear_layers=share_of(lambda model: {m.weight for m in model.modules() if isinstance(m, nn.Conv2d)}),
)
share_of_zeros.mistake(
    "Only the first layer counts: is the `return` inside of the loop? Add up over all layers, and divide once.",
    first_layer_only=share_of(lambda model: prunable(model)[:1]),
)
share_of_zeros.mistake(
    "Only the last layer counts: is the sum overwritten in the loop? Use +=.",
    last_layer_only=share_of(lambda model: prunable(model)[-1:]),
)
share_of_zeros.mistake(
    "The first layer does not count. Add up over all layers.",
    without_first_layer=share_of(lambda model: prunable(model)[1:]),
)
share_of_zeros.mistake(
    "The last layer does not count. Add up over all layers.",
    without_last_layer=share_of(lambda model: prunable(model)[:-1]),
)
share_of_zeros.mistake(
    "You count the biases of these layers and not their weights.",
    biases_only=share_of(
        lambda model: [m.bias for m in model.modules() if isinstance(m, LAYERS) and m.bias is not None]
    ),
)
share_of_zeros.mistake(
    "You look at the children of the model only, not at those inside of its blocks. model.modules() goes to the "
    "bottom, and begins with the model itself.",
    children_only=share_of(lambda model: {m.weight for m in model.children() if isinstance(m, LAYERS)}),
)
share_of_zeros.mistake(
    "The model itself may be an nn.Linear, and yours then finds nothing. model.modules() begins with the model itself.",
    without_the_model=share_of(lambda model: {m.weight for m in list(model.modules())[1:] if isinstance(m, LAYERS)}),
)
share_of_zeros.mistake(
    "You look two steps deep. Layers may sit deeper: model.modules() goes to the bottom.",
    two_steps_deep=share_of(
        lambda model: {
            m.weight
            for m in [model, *model.children(), *(g for c in model.children() for g in c.children())]
            if isinstance(m, LAYERS)
        }
    ),
)
share_of_zeros.mistake(
    "You count what has more than one dimension and belongs to no embedding. A model may have parameters of its own: "
    "ask for the type of the layer.",
    all_but_embeddings=share_of(
        lambda model: {
            p for m in model.modules() if not isinstance(m, nn.Embedding) for p in m.parameters(False) if p.ndim > 1
        }
    ),
)
share_of_zeros.mistake(
    "Convolutions have four dimensions and fall out: you count matrices only. Ask for the type of the layer.",
    matrices_only=share_of(lambda model: [p for p in model.parameters() if p.ndim == 2]),
)
share_of_zeros.mistake(
    "You divide by all parameters of the model. Divide by the number of weights of the nn.Linear and nn.Conv2d layers.",
    divided_by_all=lambda model: (
        sum(int((w == 0).sum()) for w in set(prunable(model))) / sum(p.numel() for p in model.parameters())
    ),
)
share_of_zeros.mistake(
    "You divide the zeros by the other weights. The share is of all weights, zeros included.",
    zeros_by_others=lambda model: (
        sum(int((w == 0).sum()) for w in set(prunable(model)))
        / sum(int(w.count_nonzero()) for w in set(prunable(model)))
    ),
)
share_of_zeros.mistake(
    "You divide by the number of rows, len(weight). All numbers count: weight.numel().",
    divided_by_rows=lambda model: (
        sum(int((w == 0).sum()) for w in set(prunable(model))) / sum(len(w) for w in set(prunable(model)))
    ),
)
share_of_zeros.mistake(
    "You divide by the number of layers. Divide by the number of weights: weight.numel().",
    divided_by_layers=lambda model: sum(int((w == 0).sum()) for w in set(prunable(model))) / len(set(prunable(model))),
)
share_of_zeros.mistake(
    "You add up the shares of the layers. Add up zeros and weights first, and divide once.",
    sum_of_shares=lambda model: sum(_share([weight]) for weight in set(prunable(model))),
)
share_of_zeros.mistake(
    "That is the number of weights that are left. The share of zeros was asked.",
    number_left=lambda model: sum(int(w.count_nonzero()) for w in set(prunable(model))),
)
share_of_zeros.mistake(
    "You round the share. Return it as it is.",
    rounded=lambda model: round(share_of_zeros(model), 2),
)
share_of_zeros.mistake(
    "You divide whole numbers with //, which cuts off. Write /.",
    whole_division=lambda model: int(share_of_zeros(model)),
)
share_of_zeros.mistake(
    "You count weights that are not above 0: negative ones are no zeros. weight == 0.",
    not_positive=lambda model: (
        sum(int((w <= 0).sum()) for w in set(prunable(model))) / sum(w.numel() for w in set(prunable(model)))
    ),
)
share_of_zeros.mistake(
    "You count rows that are full of zeros. Each single weight counts: (weight == 0).sum().",
    rows_of_zeros=lambda model: (
        sum(int((w == 0).flatten(1).all(1).sum()) for w in set(prunable(model))) / sum(map(len, set(prunable(model))))
    ),
)
share_of_zeros.mistake(
    "Frozen layers do not count in yours. requires_grad says what is learned; a frozen weight is a weight as well.",
    only_learned=share_of(lambda model: {w for w in prunable(model) if w.requires_grad}),
)

share_of_zeros.hints(
    "model.modules() gives every layer, however deep. Which ones are nn.Linear or nn.Conv2d?",
    "Two numbers: the zeros, (weight == 0).sum(), and all weights, weight.numel(), each added up over the layers.",
    "A set of the weights, {layer.weight for layer in ...}, holds a shared one once.",
)
