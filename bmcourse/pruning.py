"""Pruning (剪枝): set the weights that matter least to zero, or cut them out; simplest first.

A mask (掩码) is True where a weight stays. A rate is the share that goes, 0 or more and below 1, of all the weights
there are: what is already zero counts, so that pruning twice at 0.2 is 0.2.
"""

import bisect
import copy
import math
import numbers
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from bmcourse.inference import evaluating
from bmcourse.models import cnn, mlp
from bmcourse.models.attention import CausalSelfAttention, MultiHeadAttention
from bmcourse.models.embeddings import Embedding
from bmcourse.models.transformer import TransformerDecoderLayer, TransformerEncoderLayer

METHODS = ("global", "layer", "random", "2:4", "structured", "wanda", "sparsegpt")
LINEAR = nn.Linear, mlp.Linear
CONVOLUTION = nn.modules.conv._ConvNd, cnn.Conv2d
PLAIN_CONVOLUTION = nn.Conv1d, nn.Conv2d, nn.Conv3d, cnn.Conv2d  # their weights are (out, in, ...)
ATTENTION = nn.MultiheadAttention, MultiHeadAttention
EMBEDDING = nn.Embedding, nn.EmbeddingBag, Embedding
FEED_FORWARD = (
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    TransformerEncoderLayer,
    TransformerDecoderLayer,
)
ELEMENTWISE = (
    *(nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.Dropout, nn.Identity),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),  # each channel for itself
)


# ---------------------------------------------------------------- which weights go


def drop_smallest(scores, count):
    """A mask of the scores' shape, False at the `count` smallest of them, however many are equal."""
    mask = torch.ones(scores.numel(), dtype=torch.bool, device=scores.device)
    mask[scores.flatten().topk(count, largest=False, sorted=False).indices] = False
    return mask.view(scores.shape)


def magnitude_mask(weight, rate):
    """False for the share `rate` of the weights that is nearest to 0.

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks", 2015, section 3.
    """
    check_rate(rate)
    return drop_smallest(weight.detach().abs(), round(rate * weight.numel()))


def global_masks(weights, rate):
    """A mask for each of the weights, a list of tensors: all of them in one ranking, so layers may lose unequal shares.

    Source: Frankle and Carbin, "The Lottery Ticket Hypothesis", 2019, section 4.
    """
    together = torch.cat([weight.detach().flatten() for weight in weights])
    masks = magnitude_mask(together, rate).split([weight.numel() for weight in weights])
    return [mask.view(weight.shape) for mask, weight in zip(masks, weights, strict=True)]


def random_masks(weights, rate, generator=None):
    """A mask for each of the weights, by lot and not by size: what any other method has to beat. Zeros go first."""
    # An order, not torch.rand: of the same seed that would be the very numbers the first weights were made from.
    order = torch.randperm(sum(weight.numel() for weight in weights), generator=generator) + 1
    lots = order.split([weight.numel() for weight in weights])
    scores = [lot.view_as(weight).to(weight.device) * (weight != 0) for lot, weight in zip(lots, weights, strict=True)]
    return global_masks(scores, rate)


def two_of_four_mask(weight):
    """True for the two largest of every four neighbours in a row: the pattern that some GPUs compute faster.

    A convolution's row is all that one output reads. Rows whose length is no multiple of 4 stay whole.
    Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, section 3.
    """
    rows = weight.detach().abs().flatten(1)
    if rows.shape[1] % 4:
        return torch.ones_like(weight, dtype=torch.bool)
    fours = rows.reshape(-1, 4)
    mask = torch.zeros_like(fours, dtype=torch.bool).scatter(1, fours.topk(2).indices, True)
    return mask.view(weight.shape)


def gradual_rate(step, begin, end, final_rate, initial_rate=0.0):
    """The rate at `step`: it grows fast at first, when much can go, then ever more slowly, from `begin` to `end`.

    Raises ValueError unless it begins before it ends. Source: Zhu and Gupta, "To prune, or not to prune", 2017, eq. 1.
    """
    if not begin < end:
        raise ValueError(f"begin is {begin} and end {end}; both are steps, and the first must come before the last.")
    progress = min(max((step - begin) / (end - begin), 0.0), 1.0)
    return final_rate + (initial_rate - final_rate) * (1 - progress) ** 3


# ---------------------------------------------------------------- zeros that stay


class PrunedParameter(nn.Parameter):
    """A parameter whose entries are 0 where `mask` is False, and stay 0 behind every step of every torch optimizer.

    To its model it is a parameter like any other: a state_dict holds the plain tensor, copies keep the mask. Only an
    update written by hand has to multiply by `weight.mask` itself.
    """

    def __new__(cls, data, mask, requires_grad=True):
        parameter = super().__new__(cls, data.detach().clone(), requires_grad)
        parameter.mask = torch.ones_like(parameter.data)  # numbers: a product with booleans takes four times as long
        parameter.prune(mask)
        return parameter

    @torch.no_grad()
    def prune(self, mask):
        """Prune by a mask on top of what is pruned already. Raises ValueError for a mask of another shape."""
        if mask.shape != self.shape:
            raise ValueError(f"The mask is {tuple(mask.shape)} and the weight {tuple(self.shape)}; make them equal.")
        self.mask = self.mask.to(self.data) * mask.to(self.data)
        self.mul_(self.mask).add_(0.0)  # 0 of -0: a file with two kinds of zeros is not compressed as well

    def __deepcopy__(self, memo):
        memo[id(self)] = PrunedParameter(self, self.mask, self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        return PrunedParameter, (self.data, self.mask, self.requires_grad)


@torch.no_grad()
def keep_zeros(optimizer, *_):
    """Set the pruned weights of an optimizer back to 0: the gradient and the memory of earlier ones have moved them."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if type(parameter) is PrunedParameter:
                if parameter.mask.device != parameter.device:  # the model has moved to a GPU, or back
                    parameter.mask = parameter.mask.to(parameter.device)
                parameter.mul_(parameter.mask)


register_optimizer_step_post_hook(keep_zeros)  # torch calls it behind each step of each optimizer


def apply_masks(model, masks):
    """Prune `model` itself by {name of a weight: mask}. What was pruned before stays pruned.

    A weight that is pruned already remains the same object, so an optimizer goes on with it.
    """
    for name, mask in masks.items():
        weight = model.get_parameter(name)
        if isinstance(weight, PrunedParameter):
            weight.prune(mask)
        else:
            _replace(model, weight, PrunedParameter(weight, mask, weight.requires_grad))


def _replace(model, old, new):
    """Put `new` wherever the model has `old`, so that tied weights stay tied."""
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False, remove_duplicate=False)):
            if parameter is old:
                setattr(module, name, new)


# ---------------------------------------------------------------- the door


def prunable_weights(model):
    """{name: weight} of the Linear and convolution layers and of attention's projections; a tied weight comes once.

    Biases, norms and embeddings are left out, also a layer's weight that is tied to an embedding.
    """
    seen = {id(weight) for module in model.modules() if isinstance(module, EMBEDDING) for weight in module.parameters()}
    weights = {}
    for path, module in model.named_modules():
        for name, weight in module.named_parameters(prefix=path, recurse=False):
            layer = isinstance(module, LINEAR + CONVOLUTION + ATTENTION) and name.endswith("weight")
            if layer and id(weight) not in seen:
                seen.add(id(weight))
                weights[name] = weight
    return weights


def prune_model(model, pruning_rate=0.2, method="global", inputs=None, generator=None):
    """A copy of `model` with the share `pruning_rate` of its weights pruned, to be fine-tuned; `model` stays as it is.

    "global" (the smallest of all), "layer" (the smallest of each layer) and "random" set weights of prunable_weights to
    0, and so do "2:4" (always half), "wanda" and "sparsegpt", which look at `inputs`, a batch for the model.
    "structured" cuts out neurons, channels and heads; then the rate is one of all the model's parameters.
    Raises ValueError for a rate, a method or a model that cannot be pruned so.
    """
    check_request(model, pruning_rate, method, inputs)
    pruned = copy.deepcopy(model)
    if method == "structured":
        remove_units(pruned, pruning_rate)
    elif method in ("wanda", "sparsegpt"):
        prune_by_inputs(pruned, pruning_rate, method, inputs)
    else:
        weights = prunable_weights(pruned)
        masks = choose_masks(list(weights.values()), pruning_rate, method, generator)
        apply_masks(pruned, dict(zip(weights, masks, strict=True)))
    return pruned


def choose_masks(weights, rate, method, generator):
    """A mask for each of the weights, by a method that needs no inputs."""
    if method == "layer":
        return [magnitude_mask(weight, rate) for weight in weights]
    if method == "2:4":
        return [two_of_four_mask(weight) for weight in weights]
    return random_masks(weights, rate, generator) if method == "random" else global_masks(weights, rate)


@dataclass(frozen=True)
class LayerSparsity:
    """How many of a layer's weights are zeros."""

    name: str
    shape: tuple
    weights: int
    zeros: int

    @property
    def sparsity(self):
        return self.zeros / self.weights


@dataclass(frozen=True, repr=False)
class SparsityReport:
    """The sparsity (稀疏度) of each layer, `rows`, and of all of them; it shows itself as a table."""

    rows: tuple

    @property
    def weights(self):
        return sum(row.weights for row in self.rows)

    @property
    def zeros(self):
        return sum(row.zeros for row in self.rows)

    @property
    def sparsity(self):
        return self.zeros / self.weights

    def __repr__(self):
        width = max(len(row.name) for row in self.rows)
        rows = [*self.rows, LayerSparsity("all", (), self.weights, self.zeros)]
        lines = [f"{'layer':<{width}}  {'weights':>11}  {'zeros':>11}  sparsity"]
        lines += [f"{row.name:<{width}}  {row.weights:>11,}  {row.zeros:>11,}  {row.sparsity:>8.1%}" for row in rows]
        return "\n".join(lines)


def sparsity_report(model):
    """The zeros among the weights that prune_model may take, layer by layer and in all.

    Raises ValueError when there is no such weight.
    """
    check_model(model)
    weights = prunable_weights(model).items()
    return SparsityReport(
        tuple(LayerSparsity(name, tuple(w.shape), w.numel(), w.numel() - int(w.count_nonzero())) for name, w in weights)
    )


# ---------------------------------------------------------------- with a look at the inputs


def layer_inputs(model, layer, inputs):
    """What one layer reads while the model reads `inputs`: (N, in), a row for every product with its weight.

    For a convolution a row is a window. Raises ValueError when nothing comes to the layer.
    """
    seen = []
    hook = layer.register_forward_pre_hook(lambda module, args: seen.append(_rows(module, args[0])))
    with hook, evaluating(model), torch.no_grad():
        model(inputs)
    if not seen:
        raise ValueError(
            f"The model never calls its {type(layer).__name__}({', '.join(map(str, layer.weight.shape))}) on these "
            f"inputs, so there is nothing to weigh its weights by. "
            f"Prune by method='global', or quantize without inputs."
        )
    return torch.cat(seen)


def _rows(layer, x):
    if isinstance(layer, LINEAR):
        return x.flatten(0, -2)
    if not isinstance(layer, nn.Conv2d | cnn.Conv2d) or getattr(layer, "groups", 1) != 1:
        raise ValueError(
            f"{type(layer).__name__} cannot be pruned or quantized by its inputs; Linear and Conv2d with groups=1 can. "
            f"Prune by method='global', or quantize without inputs."
        )
    windows = F.unfold(
        x, layer.weight.shape[2:], getattr(layer, "dilation", 1), layer.padding, layer.stride
    )  # (B, in, places)
    return windows.transpose(1, 2).flatten(0, 1)


def wanda_mask(weight, inputs, rate):
    """False for the smallest |weight| × length of its input, in each row: weight (out, in), inputs (N, in).

    A small weight may matter if what it multiplies is large. Each output loses the same share.
    Source: Sun et al., "A Simple and Effective Pruning Approach for Large Language Models", 2023, section 3.
    """
    check_rate(rate)
    check_inputs(weight, inputs)
    scores = weight.detach().abs() * inputs.norm(dim=0)  # (out, in)
    scores = scores.masked_fill(weight == 0, -1.0)  # before a weight whose input is always 0
    dropped = scores.topk(round(rate * weight.shape[1]), dim=1, largest=False).indices
    return torch.ones_like(scores, dtype=torch.bool).scatter(1, dropped, False)


def inverse_factor(inputs, damping=0.01):
    """The upper Cholesky factor (in, in) of the inverse of the Hessian XᵀX / N, for inputs X (N, in), in float64.

    Its row j is, but for a factor, row j of the inverse of what is left of the Hessian from column j on. `damping`, a
    share of the mean of its diagonal, keeps it invertible.
    Source: Frantar et al., "GPTQ", 2022, section 4 (step 3).
    """
    inputs = inputs.double()
    hessian = inputs.T @ inputs / len(inputs)
    hessian.diagonal().add_(damping * hessian.diagonal().mean() + 1e-8)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    return torch.linalg.cholesky(inverse, upper=True)


def sparsegpt_update(weight, inputs, rate, block=32, damping=0.01):
    """A weight (out, in) with the share `rate` of zeros, whose other entries make up for them on inputs (N, in).

    Column after column, the error that a zero makes is spread over the columns behind it, as the likeness of their
    inputs (the Hessian of the squared error) says. Which weights go is decided anew for every `block` of columns.
    Source: Frantar and Alistarh, "SparseGPT", 2023, section 3 and algorithm 1.
    """
    check_rate(rate)
    check_inputs(weight, inputs)
    updated, factor = weight.detach().to(torch.float64, copy=True), inverse_factor(inputs, damping)
    rows, columns = weight.shape
    for start in range(0, columns, block):
        stop = min(start + block, columns)
        scores = (updated[:, start:stop] / factor.diagonal()[start:stop]) ** 2
        mask = drop_smallest(scores, round(rate * rows * stop) - round(rate * rows * start))
        for j in range(start, stop):
            error = updated[:, j] * ~mask[:, j - start] / factor[j, j]
            updated[:, j:] -= error[:, None] * factor[j, j:]
        updated[:, start:stop] *= mask
    return updated.to(weight)


def prune_by_inputs(model, rate, method, inputs):
    """Prune `model` itself from its first layer to its last; each one sees what the pruned ones before it give."""
    for name, weight in prunable_weights(model).items():
        rows = layer_inputs(model, model.get_submodule(name.rpartition(".")[0]), inputs)
        matrix = weight.detach().flatten(1)  # (out, in)
        if method == "wanda":
            mask = wanda_mask(matrix, rows, rate)
        else:
            updated = sparsegpt_update(matrix, rows, rate)
            mask = updated != 0
            weight.data.copy_(updated.view(weight.shape))
        apply_masks(model, {name: mask.view(weight.shape)})


# ---------------------------------------------------------------- whole neurons, channels and heads


@dataclass(frozen=True)
class Units:
    """`count` neurons, channels or heads that only each other's layers know, so that any of them can be cut out.

    A part (module, name, dim, repeats) is a parameter whose dimension `dim` is (repeats, count, size of a unit).
    """

    count: int
    parts: list
    attention: nn.Module = None  # whose heads these are

    def index(self, size, repeats, kept):
        """The places, of `size`, that belong to the units `kept` (a list of numbers)."""
        return torch.arange(size).view(repeats, self.count, -1)[:, kept].flatten()

    def scores(self):
        """The length of each unit's weights (count,), compared with the mean over its layer."""
        squares = 0
        for module, name, dim, repeats in self.parts:
            if name.endswith("weight"):
                weight = getattr(module, name).detach().movedim(dim, 0)
                squares = squares + weight.reshape(repeats, self.count, -1).pow(2).sum(dim=(0, 2))
        return squares.sqrt() / squares.sqrt().mean().clamp(min=1e-12)


class FewerHeads(nn.Module):
    """CausalSelfAttention whose heads need not fill all channels, so that some can go; the parameters are the same."""

    def __init__(self, attention):
        super().__init__()
        self.query_key_value, self.output = attention.query_key_value, attention.output
        self.nhead, self.dropout = attention.heads, attention.dropout

    def forward(self, x):
        query, key, value = self.query_key_value(x).unflatten(-1, (3, self.nhead, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=dropout)  # (B, H, T, D)
        return self.output(mixed.transpose(1, 2).flatten(2))


def units_between(first, second):
    """The outputs of layer `first` that only layer `second` reads; behind a convolution each may be several columns."""
    parts = [(first, "weight", 0, 1), (second, "weight", 1, 1)]
    return Units(len(first.weight), parts + ([(first, "bias", 0, 1)] if first.bias is not None else []))


def heads_of(attention):
    """The heads of an attention with query, key and value below each other in one weight."""
    if isinstance(attention, MultiHeadAttention):
        parts = [(attention, "in_proj_weight", 0, 3), (attention, "in_proj_bias", 0, 3)]
        parts.append((attention.out_proj, "weight", 1, 1))
    else:
        parts = [(attention.query_key_value, "weight", 0, 3), (attention.query_key_value, "bias", 0, 3)]
        parts.append((attention.output, "weight", 1, 1))
    return Units(attention.nhead, parts, attention)


def find_units(model):
    """All units of the architectures known here, wherever they stand in the model; those with tied weights stay."""
    units = []
    for module in model.modules():
        if isinstance(module, mlp.MLP):
            units += [units_between(*pair) for pair in pairwise(module.layers)]
        elif isinstance(module, cnn.CNN):
            units += [units_between(module.conv1, module.conv2), units_between(module.conv2, module.head)]
        elif type(module) is nn.Sequential:
            units += [units_between(*pair) for pair in _neighbours(module)]
        elif isinstance(module, FewerHeads | MultiHeadAttention):
            units.append(heads_of(module))
        elif isinstance(module, FEED_FORWARD):
            units.append(units_between(module.linear1, module.linear2))
    places = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    return [u for u in units if all(places[id(getattr(part[0], part[1]))] == 1 for part in u.parts)]


def _neighbours(sequential):
    """Pairs of layers of a Sequential of which the second reads what the first gives, channel by channel."""
    before, flattened = None, False
    for module in sequential:
        if isinstance(module, LINEAR + PLAIN_CONVOLUTION) and getattr(module, "groups", 1) == 1:
            if before is not None and _fit(before, module, flattened):
                yield before, module
            before, flattened = module, False
        elif isinstance(module, nn.Flatten) and module.start_dim == 1:
            flattened = True
        elif not isinstance(module, ELEMENTWISE):
            before = None


def _fit(first, second, flattened):
    if flattened:  # each channel's pixels have become columns side by side
        return isinstance(first, PLAIN_CONVOLUTION) and isinstance(second, LINEAR)
    same_kind = isinstance(first, LINEAR) == isinstance(second, LINEAR)
    return same_kind and second.weight.shape[1] == len(first.weight)


def remove_units(model, rate):
    """Cut units out of `model` itself, those with the smallest weights for their layer first; one stays everywhere.

    As few go as take away the share `rate` of the parameters, of those the model had before it was cut at all.
    Raises ValueError for an architecture without units known here, or a rate that would leave a layer without any.
    Sources: Li et al., "Pruning Filters for Efficient ConvNets", 2017, section 3.1; heads: Michel et al., "Are Sixteen
    Heads Really Better than One?", 2019.
    """
    _free_heads(model)
    units = find_units(model)
    check_units(model, units)
    model.parameters_once = getattr(model, "parameters_once", sum(weight.numel() for weight in model.parameters()))
    order = _ranking(units)

    def removed(count):
        gone = Counter(layer for _, layer, _ in order[:count])
        left = parameters_left(model, units, [unit.count - gone[layer] for layer, unit in enumerate(units)])
        return (model.parameters_once - left) / model.parameters_once

    check_removable(rate, removed(len(order)))
    count = bisect.bisect_left(range(len(order)), rate, key=removed)
    gone = {(layer, number) for _, layer, number in order[:count]}
    for layer, unit in enumerate(units):
        keep_units(unit, [number for number in range(unit.count) if (layer, number) not in gone])


def _free_heads(model):
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, CausalSelfAttention):
                setattr(module, name, FewerHeads(child))


def _ranking(units):
    """(score, layer, number) of all units but the best of each layer, lowest first."""
    order = []
    for layer, unit in enumerate(units):
        scores = sorted((score, layer, number) for number, score in enumerate(unit.scores().tolist()))
        order += scores[:-1]
    return sorted(order)


def parameters_left(model, units, counts):
    """The number of parameters of `model` if of each of the units only so many were kept."""
    left = {id(parameter): parameter.numel() for parameter in model.parameters()}
    for unit, count in zip(units, counts, strict=True):
        for module, name, _, _ in unit.parts:
            weight = id(getattr(module, name))
            left[weight] = left[weight] * count // unit.count
    return sum(left.values())


def keep_units(units, kept):
    """Cut all but the units `kept`, a list of numbers, out of every parameter they are part of."""
    for module, name, dim, repeats in units.parts:
        old = getattr(module, name)
        index = units.index(old.shape[dim], repeats, kept).to(old.device)
        new = old.detach().index_select(dim, index)
        if isinstance(old, PrunedParameter):
            setattr(module, name, PrunedParameter(new, old.mask.index_select(dim, index), old.requires_grad))
        else:
            setattr(module, name, nn.Parameter(new, old.requires_grad))
        _note_sizes(module)
    if units.attention is not None:
        units.attention.nhead = len(kept)


def _note_sizes(module):
    """Write what a layer's weight is now into the sizes that it shows and computes with."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.modules.conv._ConvNd):
        module.out_channels, module.in_channels = module.weight.shape[:2]


# ---------------------------------------------------------------- what may come in


def check_rate(rate):
    if isinstance(rate, bool) or not isinstance(rate, numbers.Real) or not 0 <= rate < 1:
        raise ValueError(
            f"pruning_rate is {rate!r}; it is the share of the weights to remove, a number from 0 to below 1, such as "
            f"0.2 for a fifth."
        )


def check_model(model):
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is a {type(model).__name__}; expected a torch.nn.Module. Pass the model itself.")
    if not prunable_weights(model):
        raise ValueError(
            f"{type(model).__name__} has nothing to prune: expected a weight of a Linear or convolution layer or of "
            f"an attention's projections. Biases, norms and embeddings are never pruned; pass the whole model."
        )


def check_request(model, rate, method, inputs):
    check_rate(rate)
    check_model(model)
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}. Choose one of {', '.join(METHODS)}.")
    if method in ("wanda", "sparsegpt") and inputs is None:
        raise ValueError(
            f"method={method!r} looks at what each layer reads, and inputs is None. Pass inputs=, a batch that the "
            f"model takes: a few hundred rows of the training data."
        )
    if method == "2:4":
        check_two_of_four(model, rate)


def check_inputs(weight, inputs):
    if weight.ndim != 2 or inputs.ndim != 2 or inputs.shape[1] != weight.shape[1]:
        raise ValueError(
            f"The weight is {tuple(weight.shape)} and its inputs {tuple(inputs.shape)}; expected (out, in) and "
            f"(N, in). A convolution's weight becomes a matrix with weight.flatten(1); layer_inputs gives the inputs."
        )


def check_two_of_four(model, rate):
    if rate != 0.5:
        raise ValueError(f"2:4 removes two of every four weights, and pruning_rate is {rate}. Pass pruning_rate=0.5.")
    if all(weight[0].numel() % 4 for weight in prunable_weights(model).values()):
        raise ValueError(
            f"{type(model).__name__} has nothing to prune by 2:4: expected a weight whose rows are a multiple of 4 "
            f"long. Use another method."
        )


def check_units(model, units):
    if not units:
        raise ValueError(
            f"{type(model).__name__} has no neurons, channels or heads that can be cut out: expected the course's MLP, "
            f"CNN, GPT or Transformer layers, or an nn.Sequential of Linear and convolution layers, without tied "
            f"weights. Use method='global'."
        )


def check_removable(rate, largest):
    if rate > largest:
        raise ValueError(
            f"pruning_rate is {rate}, but with one neuron, channel and head left everywhere only "
            f"{math.floor(1000 * largest) / 1000} of the parameters are gone. Pass a lower rate."
        )
