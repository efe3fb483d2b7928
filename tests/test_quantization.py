"""Quantization against torch's own rounding, slow loops, counted bytes; GPTQ against its update written out."""

import copy
import doctest
import io
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from bmcourse import quantization
from bmcourse.models.attention import CausalSelfAttention
from bmcourse.models.cnn import CNN
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.mlp import MLP
from bmcourse.pruning import layer_inputs, prune_model, sparsity_report
from bmcourse.quantization import (
    Int8Linear,
    PackedWeight,
    QuantizedConv2d,
    QuantizedLinear,
    absmax_scale,
    dequantize,
    file_bytes,
    gptq,
    largest_level,
    model_bytes,
    output_error,
    pack,
    quantize,
    quantize_dynamic,
    quantize_model,
    unpack,
)
from tests.twins import randn

BITS = (8, 4, 2)


def likeness(count, columns, seed=0):
    """Inputs (count, columns) whose columns are alike, as those of a trained model are: a quarter of them would do."""
    few = columns // 4
    return randn(count, few, seed=seed) @ randn(few, columns, seed=1) + 0.1 * randn(count, columns, seed=seed + 2)


def test_the_examples_in_the_docstrings():
    done = doctest.testmod(quantization)
    assert done.attempted == 2 and done.failed == 0


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("bits", BITS)
def test_per_tensor_equals_torch(bits):
    weight, largest = randn(5, 7), largest_level(bits)
    levels, scale = quantize(weight, bits)
    theirs = torch.fake_quantize_per_tensor_affine(weight, scale.item(), 0, -largest, largest)
    torch.testing.assert_close(dequantize(levels, scale), theirs)
    assert levels.dtype == torch.int8 and levels.abs().max() == largest


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 2, 2)])
def test_per_channel_equals_torch(bits, shape):
    weight, largest = randn(*shape), largest_level(bits)
    levels, scale = quantize(weight, bits, per_channel=True)
    zeros = torch.zeros(shape[0], dtype=torch.int32)
    theirs = torch.fake_quantize_per_channel_affine(weight, scale.flatten(), zeros, 0, -largest, largest)
    torch.testing.assert_close(dequantize(levels, scale), theirs)
    assert levels.flatten(1).abs().amax(dim=1).tolist() == [largest] * shape[0]


@pytest.mark.parametrize("bits", BITS)
def test_quantize_equals_a_loop_in_plain_numbers(bits):
    weight = randn(3, 5)
    for row, levels in zip(weight.tolist(), quantize(weight, bits, per_channel=True)[0].tolist(), strict=True):
        scale = max(map(abs, row)) / {8: 127, 4: 7, 2: 1}[bits]
        assert levels == [round(w / scale) for w in row]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bits", BITS)
def test_no_weight_moves_by_more_than_half_a_step(bits, per_channel):
    weight = randn(6, 50)
    levels, scale = quantize(weight, bits, per_channel)
    assert ((dequantize(levels, scale) - weight).abs() <= scale * 0.5001).all()


def test_one_scale_per_channel_rounds_better_where_rows_differ_in_size():
    weight = randn(6, 50) * torch.tensor([0.01, 0.1, 1.0, 1.0, 1.0, 10.0])[:, None]
    errors = [(dequantize(*quantize(weight, 4, per_channel)) - weight).abs()[0].mean() for per_channel in (False, True)]
    assert errors[1] < errors[0] / 5


def test_zeros_stay_zeros_and_rows_of_zeros_too():
    weight = randn(3, 4)
    weight[1], weight[0, 2] = 0.0, 0.0
    for bits in BITS:
        again = dequantize(*quantize(weight, bits, per_channel=True))
        assert (again[weight == 0] == 0).all() and again.isfinite().all()
    assert not dequantize(*quantize(torch.zeros(2, 2))).any()


def test_quantizing_again_changes_nothing():
    for bits in BITS:
        once = dequantize(*quantize(randn(4, 9), bits, per_channel=True))
        torch.testing.assert_close(dequantize(*quantize(once, bits, per_channel=True)), once)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 1001])
def test_packing_loses_nothing_and_counts_its_bytes(bits, count):
    largest = largest_level(bits)
    levels = torch.randint(-largest, largest + 1, (count,), generator=torch.Generator().manual_seed(count))
    levels = levels.to(torch.int8)
    packed = pack(levels, bits)
    assert packed.dtype == torch.uint8 and packed.nbytes == -(-count * bits // 8)
    again = unpack(packed, bits, levels.shape)
    assert torch.equal(again, levels) and again.dtype == torch.int8


@pytest.mark.parametrize("bits", BITS)
def test_packing_equals_numpys_bits(bits):
    levels = torch.arange(-largest_level(bits), largest_level(bits) + 1, dtype=torch.int8)
    numbers = levels.numpy().astype(np.int16) + 2 ** (bits - 1)
    theirs = np.packbits([number >> bit & 1 for number in numbers for bit in range(bits)], bitorder="little")
    assert pack(levels, bits).tolist() == theirs.tolist()


# ---------------------------------------------------------------- layers and models


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("per_channel", [False, True])
def test_the_model_answers_as_one_with_the_rounded_weights(bits, per_channel):
    model, images = CNN(channels=3), randn(4, 8, 8)
    expected = copy.deepcopy(model)
    for layer in (expected.conv1, expected.conv2, expected.head):
        layer.weight.data = dequantize(*quantize(layer.weight.data, bits, per_channel))
    torch.testing.assert_close(quantize_model(model, bits, per_channel)(images), expected(images), atol=1e-5, rtol=1e-5)


def test_torchs_convolution_keeps_its_settings():
    layer = nn.Conv2d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False)
    quantized = quantize_model(layer, 8)
    assert isinstance(quantized, QuantizedConv2d)
    x, expected = randn(2, 4, 9, 9), copy.deepcopy(layer)
    expected.weight.data = quantized.weight
    torch.testing.assert_close(quantized(x), expected(x))


def test_the_original_is_left_alone():
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)).eval()
    before = copy.deepcopy(model.state_dict())
    for quantized in (quantize_model(model, 2), quantize_model(model, 2, inputs=randn(9, 6)), quantize_dynamic(model)):
        quantized[0].bias.data.add_(1.0)
        assert not quantized.training and not quantized[0].training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert type(model[0]) is nn.Linear


def test_a_model_that_is_one_layer_and_a_layer_that_is_there_twice():
    assert isinstance(quantize_model(nn.Linear(3, 2)), QuantizedLinear)
    shared = nn.Linear(3, 3)
    quantized = quantize_model(nn.Sequential(shared, nn.ReLU(), shared))
    assert quantized[0] is quantized[2] and isinstance(quantized[0], QuantizedLinear)


def test_tied_weights_stay_tied_floats():
    model = GPT(GPTConfig(vocabulary_size=9, context=4, layers=1, heads=2, channels=8))
    model.head.weight = model.token_embedding.weight
    quantized = quantize_model(model)
    assert quantized.head.weight is quantized.token_embedding.weight
    assert isinstance(quantized.blocks[0].mlp[0], QuantizedLinear)


@pytest.mark.parametrize("quantized", [lambda m: quantize_model(m, 4), quantize_dynamic])
def test_a_quantized_model_is_saved_loaded_and_copied(quantized):
    models = [GPT(GPTConfig(vocabulary_size=9, context=4, layers=1, heads=2, channels=8)) for _ in range(2)]
    one, other = map(quantized, models)
    tokens = torch.tensor([[1, 2, 3]])
    assert not torch.equal(one(tokens), other(tokens))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(tokens), other(tokens)) and torch.equal(one(tokens), copy.deepcopy(one)(tokens))


@pytest.mark.parametrize("quantized", [quantize_model, quantize_dynamic])
def test_attention_that_reads_its_layers_weight_itself(quantized):
    attention, x = nn.MultiheadAttention(8, 2, batch_first=True), randn(2, 3, 8)
    torch.testing.assert_close(quantized(attention)(x, x, x)[0], attention(x, x, x)[0], atol=0.02, rtol=0)
    own = CausalSelfAttention(8, 2)
    torch.testing.assert_close(quantized(own)(x), own(x), atol=0.05, rtol=0)


def test_what_was_pruned_stays_pruned():
    pruned = prune_model(MLP([10, 8, 3]), pruning_rate=0.5)
    quantized = quantize_model(pruned, 8)
    for layer, was in zip(quantized.layers, pruned.layers, strict=True):
        assert (layer.weight[was.weight == 0] == 0).all()
    assert sparsity_report(pruned).zeros <= sum((layer.weight == 0).sum().item() for layer in quantized.layers)


def test_bytes_are_those_of_the_packed_weights():
    model = MLP([64, 300, 10])
    weights, biases = 64 * 300 + 300 * 10, 310
    assert model_bytes(model) == 4 * (weights + biases)
    for bits in BITS:
        assert model_bytes(quantize_model(model, bits)) == weights * bits // 8 + 4 * biases + 4 * 310  # 310 scales
        assert model_bytes(quantize_model(model, bits, per_channel=False)) == weights * bits // 8 + 4 * biases + 4 * 2
    tied = GPT(GPTConfig(vocabulary_size=9, context=4, layers=1, heads=2, channels=8))
    before = model_bytes(tied)
    tied.head.weight = tied.token_embedding.weight
    assert before - model_bytes(tied) == 4 * 9 * 8


def test_the_file_is_as_long_as_the_one_that_is_written(tmp_path):
    from safetensors.torch import save_file

    for model in (CNN(channels=3), quantize_model(CNN(channels=3), 4)):
        save_file(model.state_dict(), tmp_path / "model.safetensors")
        assert file_bytes(model) == (tmp_path / "model.safetensors").stat().st_size


def test_zeros_shrink_the_zipped_file_alone():
    model = MLP([64, 300, 10])
    pruned = prune_model(model, pruning_rate=0.9)
    assert file_bytes(pruned) == file_bytes(model)
    assert file_bytes(pruned, compressed=True) < file_bytes(model, compressed=True) / 4
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        from safetensors.torch import save

        file.writestr("model", save({name: p.detach() for name, p in pruned.named_parameters()}))
    assert file_bytes(pruned, compressed=True) == pytest.approx(len(buffer.getvalue()), rel=0.02)


def test_a_layer_prints_its_bits():
    assert "(packed): PackedWeight(5 × 6, 4 bits)" in str(quantize_model(nn.Linear(6, 5), 4))


# ---------------------------------------------------------------- GPTQ


def gptq_slow(weight, inputs, scale, bits, damping=0.01):
    """One weight after another, each with a new inverse of what is left of the Hessian: equation 3 of the paper."""
    hessian = inputs.double().T @ inputs.double()
    hessian += damping * hessian.diagonal().mean() * torch.eye(len(hessian))
    largest, rounded = largest_level(bits), weight.double().clone()
    for row in range(len(weight)):
        for j in range(weight.shape[1]):
            inverse = torch.linalg.inv(hessian[j:, j:])
            level = (rounded[row, j] / scale[row, 0]).round().clamp(-largest, largest)
            error = rounded[row, j] - level * scale[row, 0]
            rounded[row, j:] -= error / inverse[0, 0] * inverse[0]  # this sets weight j to its level, too
    return rounded.float()


@pytest.mark.parametrize("bits", BITS)
def test_gptq_equals_the_update_written_out(bits):
    weight, inputs = randn(3, 8), likeness(40, 8)
    levels, scale = gptq(weight, inputs, bits)
    assert torch.equal(scale, absmax_scale(weight, bits, per_channel=True)) and levels.dtype == torch.int8
    torch.testing.assert_close(dequantize(levels, scale), gptq_slow(weight, inputs, scale, bits), atol=1e-4, rtol=0)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bits", [4, 2])
def test_gptq_answers_better_than_rounding_on_fresh_inputs_though_its_weights_are_further_off(bits, per_channel):
    weight, calibration, fresh = randn(16, 32), likeness(300, 32), likeness(300, 32, seed=5)
    nearest, better = (
        dequantize(*quantize(weight, bits, per_channel)),
        dequantize(*gptq(weight, calibration, bits, per_channel)),
    )
    assert output_error(weight, better, fresh) < output_error(weight, nearest, fresh) / 2
    assert (better - weight).norm() > (nearest - weight).norm()


def test_gptq_is_rounding_to_nearest_where_no_input_is_like_another():
    weight, inputs = randn(4, 6), torch.linalg.qr(randn(20, 6, seed=1)).Q
    assert torch.equal(gptq(weight, inputs, 4)[0], quantize(weight, 4, per_channel=True)[0])


def test_an_input_that_is_always_zero_is_no_trouble():
    inputs = likeness(40, 8)
    inputs[:, 3] = 0.0
    weight = randn(3, 8)
    levels, scale = gptq(weight, inputs, 4)
    assert torch.equal(levels[:, 3], quantize(weight, 4, per_channel=True)[0][:, 3])
    nearest = dequantize(*quantize(weight, 4, per_channel=True))
    assert output_error(weight, dequantize(levels, scale), inputs) < output_error(weight, nearest, inputs)


def test_output_error_by_hand():
    weight, other = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0]])
    assert output_error(weight, other, torch.tensor([[2.0, 1.0], [0.0, 1.0]])) == pytest.approx((1 + 1) / (16 + 4))
    assert output_error(weight, weight, torch.ones(3, 2)) == 0


def test_a_model_is_rounded_layer_by_layer_on_what_the_rounded_layers_give():
    model, inputs = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), likeness(50, 6)
    quantized = quantize_model(model, 4, inputs=inputs)
    first = dequantize(*gptq(model[0].weight, inputs, 4))
    torch.testing.assert_close(quantized[0].weight, first)
    hidden = torch.relu(inputs @ first.T + model[0].bias).detach()
    torch.testing.assert_close(quantized[2].weight, dequantize(*gptq(model[2].weight, hidden, 4)))


@pytest.mark.parametrize("per_channel", [False, True])
def test_gptq_on_a_cnn(per_channel):
    torch.manual_seed(0)
    model, images = CNN(channels=4), torch.rand((64, 8, 8), generator=torch.Generator().manual_seed(0))
    answers = model(images)
    errors = [
        (quantize_model(model, 2, per_channel, inputs=inputs)(images) - answers).norm() for inputs in (None, images)
    ]
    assert errors[1] < errors[0] / 2
    quantized = quantize_model(model, 2, per_channel, inputs=images)
    windows = layer_inputs(model, model.conv1, images)
    expected = dequantize(*gptq(model.conv1.weight.flatten(1), windows, 2, per_channel))
    torch.testing.assert_close(quantized.conv1.weight.flatten(1), expected)


# ---------------------------------------------------------------- int8 × int8


@pytest.mark.parametrize("shape", [(7,), (1, 7), (5, 7), (2, 3, 7), (0, 7)])
@pytest.mark.parametrize("bias", [False, True])
def test_int8_linear_equals_whole_numbers_multiplied_by_hand(shape, bias):
    torch.manual_seed(0)
    layer, x = nn.Linear(7, 3, bias=bias), randn(*shape)
    output = Int8Linear(layer)(x)
    assert output.shape == layer(x).shape and not output.requires_grad
    expected = []
    for row in x.view(-1, 7).tolist():
        row_scale = max(map(abs, row)) / 127
        for number, weights in enumerate(layer.weight.tolist()):
            scale = max(map(abs, weights)) / 127
            total = sum(round(a / row_scale) * round(w / scale) for a, w in zip(row, weights, strict=True))
            expected.append(total * row_scale * scale + (layer.bias[number].item() if bias else 0.0))
    torch.testing.assert_close(output.flatten(), torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_the_dynamic_model_answers_almost_as_the_original():
    torch.manual_seed(0)
    model, x = MLP([64, 100, 10]), randn(20, 64)
    dynamic = quantize_dynamic(model)
    assert all(isinstance(layer, Int8Linear) for layer in dynamic.layers)
    assert (dynamic(x) - model(x)).norm() < 0.02 * model(x).norm()
    assert model_bytes(dynamic) == 64 * 100 + 100 * 10 + 4 * 110 + 4 * 110


def test_rows_of_zeros_give_the_bias():
    layer = nn.Linear(4, 2)
    torch.testing.assert_close(Int8Linear(layer)(torch.zeros(3, 4)), layer.bias.detach().expand(3, 2))


def test_a_convolution_stays_as_it_is_in_the_dynamic_model():
    dynamic = quantize_dynamic(CNN(channels=2))
    assert type(dynamic.conv1).__name__ == "Conv2d" and isinstance(dynamic.head, Int8Linear)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("bits", [1, 3, 16, 0, None, "8"])
def test_other_bits(bits):
    for call in (
        lambda: quantize(randn(2, 2), bits),
        lambda: quantize_model(nn.Linear(2, 2), bits),
        lambda: quantize_model(nn.ReLU(), bits),
        lambda: pack(torch.zeros(2, dtype=torch.int8), bits),
    ):
        with pytest.raises(ValueError, match=f"bits is {bits!r}; a byte is divided into .* 8, 4 or 2 bits. Choose one"):
            call()


@pytest.mark.parametrize(
    "weight",
    [torch.tensor([[1.0, float("nan")]]), torch.tensor([[float("inf")]]), torch.zeros(0, 3), torch.ones(2, 2).int()],
)
def test_weights_that_cannot_be_rounded(weight):
    message = (
        r"The weight, torch\.\w+ of shape \(\d, \d\), cannot be quantized: .* train again at a lower learning rate"
    )
    with pytest.raises(ValueError, match=message):
        quantize(weight)
    with pytest.raises(ValueError, match=message):
        gptq(weight, torch.ones(4, weight.shape[1]))


def test_inputs_that_do_not_fit():
    for inputs in (randn(4, 2), randn(3), randn(2, 4, 3)):
        with pytest.raises(ValueError, match=r"The inputs are \(.*\) and the weight \(5, 3\); expected \(N, in\) and"):
            gptq(randn(5, 3), inputs)
    with pytest.raises(ValueError, match=r"the weight \(5, 3, 1\); .* inputs.flatten\(0, -2\)"):
        gptq(randn(5, 3, 1), randn(4, 3))
    for inputs in (torch.zeros(4, 3), torch.zeros(0, 3)):
        with pytest.raises(ValueError, match="All inputs are 0, .* Pass inputs the layer really sees."):
            gptq(randn(5, 3), inputs)


@pytest.mark.parametrize("quantized", [quantize_model, quantize_dynamic])
def test_a_model_with_nothing_to_quantize(quantized):
    already = quantized(nn.Linear(3, 2))
    for model in (nn.ReLU(), nn.Sequential(), nn.Embedding(3, 2), already):
        with pytest.raises(ValueError, match=f"{type(model).__name__} has nothing to quantize: .* Pass a model of"):
            quantized(model)


def test_padding_that_is_not_zero():
    with pytest.raises(ValueError, match="padding_mode='circular' cannot be quantized here; 'zeros' can. Pad with"):
        quantize_model(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"))


def test_a_packed_weight_gives_back_its_floats():
    levels, scale = quantize(randn(3, 5), 4, per_channel=True)
    assert torch.equal(PackedWeight(levels, scale, 4)(), dequantize(levels, scale))
