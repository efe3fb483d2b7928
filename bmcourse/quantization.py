"""Quantization (量化), simplest first: weights as small integers and a scale, so that each needs fewer bits.

Everything here is symmetric: a level is a whole number from -L to L, a weight is level × scale, and 0 stays 0 exactly,
so that a pruned weight stays pruned.
"""

import copy
import zlib

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models import cnn
from bmcourse.pruning import LINEAR, inverse_factor, layer_inputs

CONV2D = nn.Conv2d, cnn.Conv2d

# ---------------------------------------------------------------- numbers


def largest_level(bits):
    """The largest level of a signed number of `bits`: 127 for 8, 7 for 4, 1 for 2. Raises ValueError for other bits.

    The most negative number, -128 for 8 bits, is not used: the levels would not be symmetric.
    """
    if bits not in (2, 4, 8):
        raise ValueError(f"bits is {bits!r}; a byte is divided into numbers of 8, 4 or 2 bits. Choose one of these.")
    return 2 ** (bits - 1) - 1


def absmax_scale(weight, bits=8, per_channel=False):
    """The scale that puts the largest |weight| on the largest level: one number, or (out, 1, ...), one for each output.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", 2018, section 2.1, without a zero point; per channel: Krishnamoorthi, "Quantizing Deep Convolutional
    Networks for Efficient Inference", 2018, section 3.
    """
    axes = tuple(range(1, weight.ndim)) if per_channel else tuple(range(weight.ndim))
    scale = weight.detach().abs().amax(dim=axes, keepdim=per_channel) / largest_level(bits)
    return torch.where(scale == 0, 1.0, scale)  # where all is 0, any scale will do


def nearest_levels(weight, scale, bits):
    """The level (int8) nearest to each weight / scale."""
    largest = largest_level(bits)
    return (weight / scale).round_().clamp_(-largest, largest).to(torch.int8)


def quantize(weight, bits=8, per_channel=False):
    """Round to nearest: the levels (int8, the shape of weight) and their scale.

    Raises ValueError for a weight that is empty, not float, NaN or infinite.

    >>> quantize(torch.tensor([[-1.0, 0.4, 0.0]]), bits=4)
    (tensor([[-7,  3,  0]], dtype=torch.int8), tensor(0.1429))
    """
    check_weight(weight)
    scale = absmax_scale(weight, bits, per_channel)
    return nearest_levels(weight.detach(), scale, bits), scale


def dequantize(levels, scale):
    """The weights that the levels stand for, as floats."""
    return levels * scale


def pack(levels, bits):
    """Levels side by side in bytes: a uint8 row of ⌈count · bits / 8⌉; the first level has the lowest bits of a byte.

    >>> pack(torch.tensor([1, -1, 0, 1, 1], dtype=torch.int8), bits=2)
    tensor([231,   3], dtype=torch.uint8)
    """
    half, per_byte = largest_level(bits) + 1, 8 // bits
    numbers = levels.flatten().int() + half  # 0 or more, below 2 ** bits
    numbers = F.pad(numbers, [0, -len(numbers) % per_byte])
    shifts = bits * torch.arange(per_byte, device=levels.device)
    return (numbers.view(-1, per_byte) << shifts).sum(dim=1).to(torch.uint8)


def unpack(packed, bits, shape):
    """The levels (int8) that `pack` put into these bytes, in their `shape`."""
    half, per_byte = largest_level(bits) + 1, 8 // bits
    shifts = bits * torch.arange(per_byte, device=packed.device, dtype=torch.uint8)
    numbers = (packed[:, None] >> shifts) & (2**bits - 1)
    return (numbers.flatten()[: shape.numel()].to(torch.int16) - half).to(torch.int8).view(shape)


# ---------------------------------------------------------------- layers


class PackedWeight(nn.Module):
    """A weight of `bits` each, in whole bytes, and its scale; calling it gives the weight as floats."""

    def __init__(self, levels, scale, bits):
        super().__init__()
        self.shape, self.bits = levels.shape, bits
        self.register_buffer("packed", pack(levels, bits))
        self.register_buffer("scale", scale)

    def forward(self):
        return dequantize(unpack(self.packed, self.bits, self.shape), self.scale)

    def extra_repr(self):
        return f"{' × '.join(map(str, self.shape))}, {self.bits} bits"


class QuantizedLinear(nn.Module):
    """Stands in for a Linear layer: small in memory, no faster, because each call unpacks the weight to floats."""

    def __init__(self, layer, levels, scale, bits):
        super().__init__()
        self.packed, self.bias = PackedWeight(levels, scale, bits), layer.bias

    @property
    def weight(self):
        return self.packed()

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class QuantizedConv2d(nn.Module):
    """Stands in for a Conv2d layer that pads with zeros; raises ValueError for other paddings."""

    def __init__(self, layer, levels, scale, bits):
        super().__init__()
        check_padding(layer)
        self.packed, self.bias = PackedWeight(levels, scale, bits), layer.bias
        names = ("stride", "padding", "dilation", "groups")  # the course's own Conv2d has the first two
        self.settings = {name: getattr(layer, name) for name in names if hasattr(layer, name)}

    @property
    def weight(self):
        return self.packed()

    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, **self.settings)


def quantize_model(model, bits=8, per_channel=True, inputs=None):
    """A copy of `model` whose Linear and Conv2d weights have 8, 4 or 2 bits; `model` stays as it is.

    Biases, norms, embeddings and weights that two modules share (tied ones) stay floats.
    With `inputs`, a batch for the model, the weights are rounded by `gptq`, from the first layer to the last; each one
    sees what the rounded ones before it give. Raises ValueError where there is nothing to quantize.
    """
    largest_level(bits)  # wrong bits are told before anything else

    def quantized(copied, layer):
        weight = layer.weight.detach()
        if inputs is None:
            levels, scale = quantize(weight, bits, per_channel)
        else:
            levels, scale = gptq(weight.flatten(1), layer_inputs(copied, layer, inputs), bits, per_channel)
            levels, scale = levels.view(weight.shape), scale.view(-1, *[1] * (weight.ndim - 1))
        stand_in = QuantizedLinear if isinstance(layer, LINEAR) else QuantizedConv2d
        return stand_in(layer, levels, scale, bits)

    return replace_layers(model, LINEAR + CONV2D, quantized)


def replace_layers(model, kinds, replacement):
    """A copy of `model` in which replacement(copy, layer) stands for each layer of these kinds; tied weights stay.

    A layer that the model holds twice is replaced by one and the same. Raises ValueError when nothing is replaced.
    """
    whole = nn.ModuleList([copy.deepcopy(model)])  # so that a model which is one layer has a parent too
    owners = [id(p) for module in whole.modules() for p in module.parameters(recurse=False)]
    stand_ins = {}
    for name, layer in list(whole.named_modules(remove_duplicate=False)):
        if isinstance(layer, kinds) and owners.count(id(layer.weight)) == 1:
            if layer not in stand_ins:
                stand_ins[layer] = replacement(whole[0], layer).train(layer.training)
            parent, _, attribute = name.rpartition(".")
            setattr(whole.get_submodule(parent), attribute, stand_ins[layer])
    check_replaced(model, stand_ins)
    return whole[0]


# ---------------------------------------------------------------- rounding that looks at the inputs


def output_error(weight, other, inputs):
    """How far `other` (out, in) answers from `weight` on inputs (N, in): |difference|² over |answers|²."""
    answers = inputs @ weight.T
    return ((inputs @ other.T - answers).square().sum() / answers.square().sum()).item()


def gptq(weight, inputs, bits=8, per_channel=True, damping=0.01):
    """Levels and scale of a weight (out, in) that keep the answers to inputs (N, in), not the weight, as they were.

    Column after column is rounded; the columns behind it, not yet rounded, make up for the error as far as their inputs
    are like its own: the Hessian of the squared error, XᵀX, says how far. `damping` is added to its diagonal.
    Raises ValueError when the inputs do not fit the weight or are all 0.
    Source: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022,
    section 4 and algorithm 1, without its blocks, which only save time.
    """
    check_weight(weight)
    check_inputs(weight, inputs)
    scale = absmax_scale(weight, bits, per_channel)
    factor = inverse_factor(inputs, damping)
    left = weight.detach().double().clone()
    for j in range(weight.shape[1]):
        column = left[:, j : j + 1]
        rounded = dequantize(nearest_levels(column, scale, bits), scale)
        left[:, j + 1 :] -= (column - rounded) / factor[j, j] * factor[j, j + 1 :]
        left[:, j : j + 1] = rounded
    return nearest_levels(left, scale, bits), scale


# ---------------------------------------------------------------- speed


class Int8Linear(nn.Module):
    """Stands in for a Linear layer and is faster where the processor multiplies int8: inputs are rounded too.

    Every row of x (..., in) gets its own scale when it comes ("dynamic"); sums are exact, in int32. For inference: no
    gradient. Source: Dettmers et al., "LLM.int8()", 2022, section 3.1 ("vector-wise"), without the outliers.
    """

    def __init__(self, layer):
        super().__init__()
        levels, scale = quantize(layer.weight, bits=8, per_channel=True)
        self.register_buffer("levels", levels)
        self.register_buffer("scale", scale)
        self.bias = layer.bias

    @property
    def weight(self):
        return dequantize(self.levels, self.scale)

    @torch.no_grad()
    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        row_scale = absmax_scale(rows, bits=8, per_channel=True)
        sums = torch._int_mm(nearest_levels(rows, row_scale, bits=8), self.levels.T)  # torch's only int8 × int8
        output = (sums * row_scale).mul_(self.scale.T)  # in place: new memory costs time
        if self.bias is not None:
            output += self.bias
        return output.view(*x.shape[:-1], len(self.levels))


def quantize_dynamic(model):
    """A copy of `model` for inference whose Linear layers are Int8Linear; `model` stays as it is.

    Tied weights stay floats. Raises ValueError where there is nothing to quantize.
    """
    return replace_layers(model, LINEAR, lambda _, layer: Int8Linear(layer))


# ---------------------------------------------------------------- size


def model_bytes(model):
    """The bytes of all parameters and buffers; what is tied counts once."""
    return sum(tensor.nbytes for tensor in [*model.parameters(), *model.buffers()])


def file_bytes(model, compressed=False):
    """The bytes of the model in a safetensors file, and with `compressed` those of that file when it is zipped."""
    from safetensors.torch import save

    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    file = save({name: tensor.detach().contiguous() for name, tensor in tensors.items()})
    return len(zlib.compress(file)) if compressed else len(file)


# ---------------------------------------------------------------- checks


def check_weight(weight):
    if not weight.is_floating_point() or weight.numel() == 0 or not weight.isfinite().all():
        raise ValueError(
            f"The weight, {weight.dtype} of shape {tuple(weight.shape)}, cannot be quantized: expected floats, at "
            f"least one, none of them NaN or infinite. If training made them NaN, train again at a lower learning rate."
        )


def check_inputs(weight, inputs):
    if inputs.ndim != 2 or weight.ndim != 2 or inputs.shape[1] != weight.shape[1]:
        raise ValueError(
            f"The inputs are {tuple(inputs.shape)} and the weight {tuple(weight.shape)}; expected (N, in) and "
            f"(out, in) with the same `in`. inputs.flatten(0, -2) makes rows of them."
        )
    if not inputs.any():
        raise ValueError("All inputs are 0, so no weight matters more than another. Pass inputs the layer really sees.")


def check_padding(layer):
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        raise ValueError(
            f"A Conv2d with padding_mode={layer.padding_mode!r} cannot be quantized here; 'zeros' can. "
            f"Pad with torch.nn.functional.pad before the layer."
        )


def check_replaced(model, stand_ins):
    if not stand_ins:
        raise ValueError(
            f"{type(model).__name__} has nothing to quantize: no Linear or Conv2d layer whose weight is its own and "
            f"not yet quantized. Pass a model of floats."
        )
