"""Two smaller layers in which only some hidden neurons are left (lesson 10)."""

import copy

import torch
from torch import nn

from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Take neurons out of the hidden layer between two nn.Linear: second(relu(first(x))). `keep` is a list of "
    "the neurons that stay. Returns two new, smaller nn.Linear with copies of all that belongs to these neurons; "
    "`first` and `second` stay as they are. Both have biases.",
    untried={"keep": {"the same item twice": "a neuron is kept once"}},
)
def remove_neurons(first, second, keep):
    smaller = nn.Linear(first.in_features, len(keep))
    after = nn.Linear(len(keep), second.out_features)
    with torch.no_grad():
        smaller.weight.copy_(first.weight[keep])
        smaller.bias.copy_(first.bias[keep])
        after.weight.copy_(second.weight[:, keep])
        after.bias.copy_(second.bias)
    return smaller, after


def removal_case(inputs, neurons, outputs, keep):
    weights = [torch.randn(neurons, inputs), torch.randn(outputs, neurons)]
    return weights, [torch.randn(neurons), torch.randn(outputs)], keep


@remove_neurons.cases
def cases():
    return [
        removal_case(2, 3, 2, [0, 2]),
        removal_case(5, 6, 6, [1, 4, 5]),
        removal_case(4, 4, 4, [1, 3]),
        removal_case(3, 7, 5, [0]),
        removal_case(3, 5, 1, [4, 0, 2]),
        removal_case(2, 3, 4, [2, 1]),
    ]


def _layer(weight, bias):
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
    return layer


def described(*layers):
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


TWO_LAYERS = "Return the two new nn.Linear layers: return smaller, after."
NO_BIAS = "Both layers have a bias, and it is part of what they compute: leave out bias=False."
FROZEN = (
    "Your new layers cannot learn: requires_grad is False. Make parameters as nn.Linear has them, so that the small "
    "model can be fine-tuned."
)
MISFIT = (
    "The shapes do not fit. `keep` names hidden neurons, and such a neuron is a row of the first layer, "
    "first.weight[keep] and first.bias[keep], and a column of the second one, second.weight[:, keep]."
)


@remove_neurons.run
def removed(answer, weights, biases, keep):
    """The layers an answer makes, which must have nothing in common with those it was given."""
    first, second = (_layer(*layer) for layer in zip(weights, biases, strict=True))
    before = described(first, second)
    try:
        pair = answer(first, second, keep)
    except (IndexError, RuntimeError) as error:
        known = any(words in str(error) for words in ("out of bounds", "size of tensor", "size mismatch"))
        raise Mistake(MISFIT) if known else error from None
    if not (isinstance(pair, (list, tuple)) and [type(layer) for layer in pair] == [nn.Linear, nn.Linear]):
        raise Mistake(TWO_LAYERS)
    if any(layer.bias is None for layer in pair):
        raise Mistake(NO_BIAS)
    if difference(described(first, second), before, 0.0):
        raise Mistake(CHANGED)
    if not all(parameter.requires_grad for layer in pair for parameter in layer.parameters()):
        raise Mistake(FROZEN)
    after = described(*pair)
    for layer in pair:
        layer.weight.data.add_(1)
        layer.bias.data.add_(1)
    if difference(described(first, second), before, 0.0):
        raise Mistake(SHARED)
    sizes = [(layer.out_features, layer.in_features) for layer in pair]
    right = not difference(after, by_hand(weights, biases, keep), 0.0)
    if right and sizes != [layer.weight.shape for layer in pair]:
        raise Mistake(OTHER_SIZES)
    return after


@remove_neurons.judge
def by_hand(weights, biases, keep):
    """Number by number: what belongs to a neuron that stays."""
    rows = [weights[0][neuron] for neuron in keep]
    columns = [[row[neuron].item() for neuron in keep] for row in weights[1]]
    bias = torch.tensor([biases[0][neuron].item() for neuron in keep])
    after = [torch.stack(rows), bias, torch.tensor(columns), biases[1]]
    return dict(zip(["first.weight", "first.bias", "second.weight", "second.bias"], after, strict=True))


@remove_neurons.right
def by_copies(first, second, keep):
    first, second = copy.deepcopy(first), copy.deepcopy(second)
    first.weight, first.bias = nn.Parameter(first.weight[keep]), nn.Parameter(first.bias[keep])
    second.weight = nn.Parameter(second.weight[:, keep])
    first.out_features = second.in_features = len(keep)
    return first, second


@remove_neurons.right
def by_data(first, second, keep):
    keep = torch.tensor(keep)
    pair = nn.Linear(first.weight.shape[1], len(keep)), nn.Linear(len(keep), second.weight.shape[0])
    pair[0].weight.data = first.weight.data.index_select(0, keep)
    pair[0].bias.data = first.bias.data.index_select(0, keep)
    pair[1].weight.data = second.weight.data.index_select(1, keep)
    pair[1].bias.data = second.bias.data.clone()
    return pair


@remove_neurons.right
def by_choosing_matrix(first, second, keep):
    """A row of the unit matrix chooses a neuron."""
    chooser = torch.eye(first.out_features)[keep]
    pair = nn.Linear(first.in_features, len(keep)), nn.Linear(len(keep), second.out_features)
    tensors = [chooser @ first.weight, chooser @ first.bias, second.weight @ chooser.T, second.bias.clone()]
    for number, tensor in enumerate(tensors):
        layer = pair[number // 2]
        setattr(layer, ("weight", "bias")[number % 2], nn.Parameter(tensor.detach()))
    return pair


@remove_neurons.right
@torch.no_grad()
def neuron_by_neuron(first, second, keep):
    smaller, after = nn.Linear(first.in_features, len(keep)), nn.Linear(len(keep), second.out_features)
    for new, old in enumerate(keep):
        smaller.weight[new], smaller.bias[new] = first.weight[old], first.bias[old]
        after.weight[:, new] = second.weight[:, old]
    after.bias[:] = second.bias
    return smaller, after


@remove_neurons.right
def by_states(first, second, keep):
    pair = [nn.Linear(first.in_features, len(keep)), nn.Linear(len(keep), second.out_features)]
    pair[0].load_state_dict({name: tensor[keep] for name, tensor in first.state_dict().items()})
    pair[1].load_state_dict({"weight": second.weight[:, keep], "bias": second.bias})
    return pair


@remove_neurons.mistake(
    "A layer's weight can only be an nn.Parameter, so that it will be learned. Fill the one that is "
    "there, with copy_ under torch.no_grad(), or put nn.Parameter(...) around the tensor."
)
def assigned(first, second, keep):
    smaller = nn.Linear(first.in_features, len(keep))
    smaller.weight = first.weight[keep]


@remove_neurons.mistake(
    "A record is kept of all that happens to a parameter, for backward(), and a change in place is forbidden. "
    "To fill new layers is no part of a model: put it under `with torch.no_grad():`."
)
def filled_in_the_graph(first, second, keep):
    smaller = nn.Linear(first.in_features, len(keep))
    smaller.weight.copy_(first.weight[keep])


def without(neurons, keep):
    return [neuron for neuron in range(neurons) if neuron not in keep]


@remove_neurons.mistake("You remove the neurons in `keep`. They are the ones that stay.")
def kept_for_removed(first, second, keep):
    return remove_neurons(first, second, without(first.out_features, keep))


@remove_neurons.mistake(
    "You set the neurons to zero. The layers are as large as before, and a dense product computes with zeros "
    "at full price. Make smaller layers."
)
def zeros_only(first, second, keep):
    first, second, gone = copy.deepcopy(first), copy.deepcopy(second), without(first.out_features, keep)
    first.weight.data[gone] = first.bias.data[gone] = second.weight.data[:, gone] = 0.0
    return first, second


@remove_neurons.mistake(CHANGED)
def in_the_old_layers(first, second, keep):
    first.weight, first.bias = nn.Parameter(first.weight[keep]), nn.Parameter(first.bias[keep])
    second.weight = nn.Parameter(second.weight[:, keep])
    first.out_features = second.in_features = len(keep)
    return first, second


@remove_neurons.mistake(SHARED)
def old_bias_in_the_new_layer(first, second, keep):
    smaller, after = remove_neurons(first, second, keep)
    after.bias = second.bias
    return smaller, after


@remove_neurons.mistake(OTHER_SIZES)
def old_sizes(first, second, keep):
    smaller, after = remove_neurons(first, second, keep)
    smaller.out_features = after.in_features = first.out_features
    return smaller, after


def cut_layers(
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


remove_neurons.mistake(
    "You shrink the first layer only. The second one still waits for all the neurons, and a forward pass ends "
    "in 'mat1 and mat2 shapes cannot be multiplied'. Its columns must go too: second.weight[:, keep].",
    second_layer_whole=cut_layers(columns=lambda weight, keep: weight),
)

remove_neurons.mistake(MISFIT, rows_of_the_second=cut_layers(columns=lambda weight, keep: weight[keep]))

remove_neurons.mistake(
    "The first layer's bias still has a number for every neuron. A neuron is a row of the weight and its bias: "
    "first.bias[keep].",
    old_bias_length=cut_layers(bias=lambda bias, keep: bias),
)

remove_neurons.mistake(
    "The second layer keeps its first columns, and not those of the neurons that stay. Each neuron then meets "
    "the weights of another one: second.weight[:, keep].",
    first_columns=cut_layers(columns=lambda weight, keep: weight[:, : len(keep)]),
)

remove_neurons.mistake(
    "The first layer keeps the first biases, and not those of the neurons that stay: first.bias[keep].",
    first_biases=cut_layers(bias=lambda bias, keep: bias[: len(keep)]),
)

remove_neurons.mistake(
    "You keep the first len(keep) neurons. `keep` says which ones stay: first.weight[keep].",
    first_neurons=cut_layers(
        *[lambda tensor, keep: tensor[: len(keep)]] * 2, columns=lambda weight, keep: weight[:, : len(keep)]
    ),
)

remove_neurons.mistake(
    "The second layer has lost its bias. It belongs to the outputs, which all stay: copy it whole.",
    no_last_bias=cut_layers(last=lambda bias, keep: torch.zeros_like(bias)),
)


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


remove_neurons.mistake(
    "You did not copy the second layer's bias, so it is the random one of a new nn.Linear. Copy it whole: its "
    "outputs all stay.",
    random_last_bias=_copied("weight", "bias", "weight", None),
)

remove_neurons.mistake(
    "You did not copy the first layer's bias: it is the random one of a new nn.Linear. Copy first.bias[keep].",
    random_first_bias=_copied("weight", None, "weight", "bias"),
)

remove_neurons.mistake(
    "You copied the weights only, so both biases are the random ones of a new nn.Linear. Copy first.bias[keep] "
    "and second.bias.",
    random_biases=_copied("weight", None, "weight", None),
)

remove_neurons.mistake(
    "The first layer has lost its biases. Copy those of the neurons that stay: first.bias[keep].",
    no_first_bias=cut_layers(bias=lambda bias, keep: torch.zeros(len(keep))),
)

remove_neurons.mistake(
    NO_BIAS,
    bias_false=lambda first, second, keep: (
        nn.Linear(2, len(keep), bias=False),
        remove_neurons(first, second, keep)[1],
    ),
)

remove_neurons.mistake(
    "The second weight is transposed. nn.Linear keeps (out, in): second.weight[:, keep].",
    transposed=cut_layers(columns=lambda weight, keep: weight[:, keep].T),
)

remove_neurons.mistake(
    TWO_LAYERS,
    one_layer_back=lambda first, second, keep: remove_neurons(first, second, keep)[0],
)

remove_neurons.mistake(
    "You keep the neurons in their old order. `keep` may have another one: use it as it is.",
    sorted_order=lambda first, second, keep: remove_neurons(first, second, sorted(keep)),
)
remove_neurons.mistake(
    "The second layer's bias is cut as well. It belongs to the outputs, which all stay: copy it whole.",
    last_bias_cut=cut_layers(last=lambda bias, keep: bias[[neuron % len(bias) for neuron in keep]]),
)
remove_neurons.mistake(
    "You keep the last len(keep) neurons. `keep` says which ones stay: first.weight[keep].",
    last_neurons=lambda first, second, keep: remove_neurons(
        first, second, range(first.out_features - len(keep), first.out_features)
    ),
)
remove_neurons.mistake(
    "You count the neurons from 1: keep - 1. The first one has the number 0.",
    counted_from_one=lambda first, second, keep: remove_neurons(first, second, [neuron - 1 for neuron in keep]),
)
remove_neurons.mistake(
    "The two layers are exchanged: return the smaller first one, and then the second.",
    exchanged=lambda first, second, keep: remove_neurons(first, second, keep)[::-1],
)
remove_neurons.mistake(
    "Nothing is copied: the new layers hold the random numbers of nn.Linear. Copy what belongs to the neurons, under "
    "torch.no_grad().",
    nothing_copied=_copied(None, None, None, None),
)
remove_neurons.mistake(
    "Only the biases are copied: the weights are the random ones of a new nn.Linear.",
    biases_only=_copied(None, "bias", None, "bias"),
)
remove_neurons.mistake(
    "You did not copy the first layer's weight: it is the random one of a new nn.Linear. Copy first.weight[keep].",
    random_first_weight=_copied(None, "bias", "weight", "bias"),
)
remove_neurons.mistake(
    "You did not copy the second layer's weight: it is the random one of a new nn.Linear. Copy second.weight[:, keep].",
    random_second_weight=_copied("weight", "bias", None, "bias"),
)
remove_neurons.mistake(
    "You copied the first layer only: the second one holds the random numbers of a new nn.Linear.",
    random_second_layer=_copied("weight", "bias", None, None),
)
remove_neurons.mistake(
    "You copied the second layer only: the first one holds the random numbers of a new nn.Linear.",
    random_first_layer=_copied(None, None, "weight", "bias"),
)
remove_neurons.mistake(
    "Nothing is removed: you return copies of both layers as they were.",
    nothing_removed=lambda first, second, keep: (copy.deepcopy(first), copy.deepcopy(second)),
)
remove_neurons.mistake(
    "You shrink the second layer only. The first one still has all the neurons: first.weight[keep], first.bias[keep].",
    first_layer_whole=cut_layers(rows=lambda weight, keep: weight, bias=lambda bias, keep: bias),
)
remove_neurons.mistake(
    "The neurons that stay are scaled up, as if they had to stand for those that go. Copy them as they are.",
    scaled_up=cut_layers(columns=lambda weight, keep: weight[:, keep] * weight.shape[1] / len(keep)),
)
remove_neurons.mistake(
    FROZEN,
    frozen=lambda first, second, keep: [layer.requires_grad_(False) for layer in remove_neurons(first, second, keep)],
)

remove_neurons.hints(
    "In nn.Linear the weight is (out, in). Which rows or columns belong to hidden neuron 3, in each layer?",
    "A neuron is a row of first.weight, a number of first.bias and a column of second.weight.",
    "Make nn.Linear(inputs, len(keep)) and nn.Linear(len(keep), outputs), and copy_ under torch.no_grad(): "
    "first.weight[keep], first.bias[keep], second.weight[:, keep], second.bias.",
)
