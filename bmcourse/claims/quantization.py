"""What lesson 11 says of fewer bits and of teachers, measured on the digits of lesson 10."""

import copy
import functools

import torch
import torch.nn.functional as F

from bmcourse.claims.core import claim
from bmcourse.claims.pruning import BATCH, accuracy, dense, digits, fit, new_mlp
from bmcourse.distillation import distill
from bmcourse.pruning import layer_inputs
from bmcourse.quantization import dequantize, gptq, output_error, quantize, quantize_model

ROUNDINGS = ("one scale", "scale per row", "GPTQ")


# ---------------------------------------------------------------- fewer bits


@functools.cache
def rounded(seed, bits, rounding):
    """The accuracy at so many bits: with one scale for a matrix, a scale per row, or per row and GPTQ."""
    inputs = digits(seed)[0] if rounding == "GPTQ" else None
    return accuracy(quantize_model(dense(seed), bits, per_channel=rounding != "one scale", inputs=inputs), seed)


def accuracies_by_bits(seed):
    """The accuracies at 8, 4 and 2 bits, a row for each of ROUNDINGS."""
    return [[round(rounded(seed, bits, rounding), 1) for bits in (8, 4, 2)] for rounding in ROUNDINGS]


@claim(
    "Eight bits a weight cost nothing, four cost next to nothing, two cost a lot. (Rounded to nearest, one scale for "
    "each matrix.)",
    unit="points of accuracy lost at 2 bits",
    at_least=5.0,
    table=accuracies_by_bits,
)
def four_bits_cost_nothing_two_a_lot(seed):
    """The points lost at 2 bits; 0 where 8 bits cost more than one point, or 4 bits more than two."""
    eight, four, two = (accuracy(dense(seed), seed) - rounded(seed, bits, "one scale") for bits in (8, 4, 2))
    return two if eight <= 1 and four <= 2 else 0.0


@claim(
    "At two bits a scale for each row is better than one for the whole matrix, and GPTQ is better still.",
    unit="points, the smaller of the leads",
)
def gptq_saves_two_bits(seed):
    one, per_row, by_inputs = (rounded(seed, 2, rounding) for rounding in ROUNDINGS)
    return min(per_row - one, by_inputs - per_row)


@torch.no_grad()
def four_levels(weight, tries=33):
    """`weight` (out, in) rounded to nearest, to ±½ and ±1½ of a scale; each row has the scale of the least error."""
    best, least = weight, torch.full((len(weight), 1), float("inf"))
    for share in torch.linspace(0.2, 1.0, tries):
        scale = share * weight.abs().amax(dim=1, keepdim=True) / 1.5
        nearest = ((weight / scale - 0.5).round().clamp(-2, 1) + 0.5) * scale
        error = (nearest - weight).square().sum(dim=1, keepdim=True)
        best, least = torch.where(error < least, nearest, best), torch.minimum(error, least)
    return best


@claim(
    "GPTQ, with three levels and a scale by the largest weight, is better than rounding to nearest with all four "
    "levels that two bits have and the best scale for each row.",
    unit="points more accurate",
    opposite="points less accurate",
    belief=True,
)
def gptq_beats_careful_rounding(seed):
    model = new_mlp(seed)
    model.load_state_dict(dense(seed).state_dict())
    for layer in model.layers:
        layer.weight.data = four_levels(layer.weight)
    return rounded(seed, 2, "GPTQ") - accuracy(model, seed)


@claim(
    "GPTQ moves the weights of every layer further than rounding to nearest does, and yet the layer answers closer to "
    "what it did. (2 bits, validation digits.)",
    unit="times as close, the worst layer",
    at_least=3.0,
)
def gptq_moves_further_and_answers_closer(seed):
    """How much smaller GPTQ's squared error is in the worst layer; 0 where it moved a layer's weights less far."""
    x, _, new_x, _ = digits(seed)
    closer = []
    for layer in dense(seed).layers:
        weight = layer.weight.detach()
        nearest = dequantize(*quantize(weight, 2, per_channel=True))
        moved = dequantize(*gptq(weight, layer_inputs(dense(seed), layer, x), 2))
        if (moved - weight).norm() <= (nearest - weight).norm():
            return 0.0
        inputs = layer_inputs(dense(seed), layer, new_x)
        closer.append(output_error(weight, nearest, inputs) / output_error(weight, moved, inputs))
    return min(closer)


# ---------------------------------------------------------------- outliers, groups, training with rounding


def with_an_outlier(seed):
    """The trained MLP with one weight of its middle layer made ten times as large as the largest."""
    model = copy.deepcopy(dense(seed))
    weight = model.layers[1].weight.data
    weight[0, 0] = 10 * weight.abs().max()
    return model


@claim(
    "One weight that is ten times as large as all others ruins four bits with one scale for the matrix. A scale for "
    "each row keeps the damage in its own row.",
    unit="points of accuracy that the scales for rows save",
    at_least=10.0,
)
def an_outlier_ruins_one_scale(seed):
    """0 where a scale for each row loses more than five points."""
    model = with_an_outlier(seed)
    whole = accuracy(model, seed)
    one, rows = (accuracy(quantize_model(model, 4, per_channel=per_channel), seed) for per_channel in (False, True))
    return rows - one if rows > whole - 5 else 0.0


def in_groups(weight, bits, size):
    """`weight` (out, in) rounded to nearest with a scale for each `size` neighbours of a row."""
    rows, columns = weight.shape
    groups = weight.detach().reshape(-1, size)
    return dequantize(*quantize(groups, bits, per_channel=True)).view(rows, columns)


def rounded_behind(seed, round_it):
    """The accuracy with all layers but the first rounded: rows of 64 pixels make no groups of ten."""
    model = copy.deepcopy(dense(seed))
    for layer in model.layers[1:]:
        layer.weight.data = round_it(layer.weight.data)
    return accuracy(model, seed)


@claim(
    "With a scale for each ten neighbours of a row, two bits read more digits than with a scale for each row.",
    unit="points more accurate",
    opposite="points less accurate",
    at_least=1.0,
    belief=True,
)
def groups_help_two_bits(seed):
    return rounded_behind(seed, lambda w: in_groups(w, 2, 10)) - rounded_behind(
        seed, lambda w: in_groups(w, 2, w.shape[1])
    )


@claim(
    "Two bits with a scale for each ten neighbours are as good as four bits with a scale for each row. (Stored bits "
    "for a weight, scales of 16 bits included: 3.6 against 4.1.)",
    unit="points more accurate",
    opposite="points less accurate",
    at_least=-0.5,
    belief=True,
)
def groups_replace_bits(seed):
    return rounded_behind(seed, lambda w: in_groups(w, 2, 10)) - rounded_behind(
        seed, lambda w: in_groups(w, 4, w.shape[1])
    )


def trained_on(seed, rounding, epochs=5):
    """The trained MLP after some more epochs at a tenth of the rate, and then rounded to 2 bits with a scale for rows.

    With `rounding` the loss is that of the rounded weights, and its gradient moves those behind them.
    """
    model, (x, y, _, _) = copy.deepcopy(dense(seed)), digits(seed)
    optimizer, generator = torch.optim.Adam(model.parameters(), lr=1e-3), torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            optimizer.zero_grad()
            if rounding:
                exact = [layer.weight.detach().clone() for layer in model.layers]
                for layer in model.layers:
                    layer.weight.data = dequantize(*quantize(layer.weight, 2, per_channel=True))
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            if rounding:
                for layer, weight in zip(model.layers, exact, strict=True):
                    layer.weight.data = weight
            optimizer.step()
    return quantize_model(model, 2)


@claim(
    "Five more epochs in which the network sees its weights rounded (quantization-aware training) read more digits at "
    "two bits than rounding afterwards, and than five more epochs without that.",
    unit="points more accurate than the better of the two",
    at_least=1.0,
)
def training_with_rounding_saves_two_bits(seed):
    aware, unaware = (accuracy(trained_on(seed, rounding), seed) for rounding in (True, False))
    return aware - max(unaware, rounded(seed, 2, "scale per row"))


def alone_at_two_bits(seed):
    """The accuracy with one of the three layers at 2 bits, one scale for it, and the others as they are."""
    rows = []
    for layer in range(3):
        model = copy.deepcopy(dense(seed))
        model.layers[layer].weight.data = dequantize(*quantize(model.layers[layer].weight, 2))
        rows.append(round(accuracy(model, seed), 1))
    return rows


@claim(
    "The layers are not equally sensitive: at two bits with one scale, the layer that loses most loses several points "
    "more than the one that loses least.",
    unit="points between the worst and the best layer",
    at_least=2.0,
    belief=True,
    table=alone_at_two_bits,
)
def layers_differ_in_what_they_lose(seed):
    row = alone_at_two_bits(seed)
    return max(row) - min(row)


# ---------------------------------------------------------------- a teacher


@functools.cache
def taught(seed, teacher, count=None, alpha=0.5):
    """The accuracy of a small student (64-32-10) after 500 steps on the first `count` digits.

    alpha 0 is learning from the labels alone, 1 from the teacher alone, who may be asked about digits without labels.
    """
    x, y, _, _ = digits(seed)
    student = new_mlp(seed + 500, (64, 32, 10))
    distill(student, teacher, x[:count], None if alpha == 1 else y[:count], steps=500, seed=seed, alpha=alpha)
    return accuracy(student, seed)


@functools.cache
def teacher_of_100(seed):
    """An MLP as large as the other teacher, which has seen nothing but the 100 labels."""
    model = new_mlp(seed)
    fit(model, seed, epochs=60, count=100)
    return model


@claim(
    "Where only 100 digits have labels, a small student learns more from a good teacher's answers to all 1,438 digits "
    "than from the labels. (The teacher has seen all labels.)",
    unit="points of accuracy ahead",
    at_least=2.0,
)
def distillation_helps_with_few_labels(seed):
    return taught(seed, dense(seed), alpha=1) - taught(seed, dense(seed), count=100, alpha=0)


@claim(
    "A student learns more from a teacher and the labels than from the labels. (All 1,438 digits have labels.)",
    unit="points more accurate",
    opposite="points less accurate",
    belief=True,
)
def distillation_helps_with_all_labels(seed):
    return taught(seed, dense(seed)) - taught(seed, dense(seed), alpha=0)


@claim(
    "What helps is what the teacher knows: asked about the same digits, a teacher that has seen only the 100 labels "
    "makes a worse student than the good teacher.",
    unit="points of accuracy behind",
)
def a_teacher_no_wiser_teaches_nothing(seed):
    return taught(seed, dense(seed), alpha=1) - taught(seed, teacher_of_100(seed), alpha=1)
