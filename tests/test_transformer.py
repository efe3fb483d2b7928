"""Encoder and decoder, held equal to torch.nn with the same weights: outputs and gradients."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models.attention import causal_mask
from bmcourse.models.transformer import (
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from tests.twins import assert_twins, randn

B, T, S, C, H, WIDE = 2, 5, 7, 12, 2, 20
SRC_PADDING = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
MEMORY_PADDING = torch.tensor([[False] * 5 + [True] * 2, [False] * 7])
BLIND = torch.zeros(T, T, dtype=torch.bool)
BLIND[1] = True

SRC_MASKS = {
    "none": (None, None),
    "causal": (causal_mask(T), None),
    "padding": (None, SRC_PADDING),
    "both": (causal_mask(T), SRC_PADDING),
    "float": (randn(T, T, seed=7), None),
    "a blind query": (BLIND, None),
    "a text of padding": (None, torch.tensor([[False] * 5, [True] * 5])),
}


@pytest.fixture
def src():
    return randn(B, T, C)


@pytest.fixture
def memory():
    return randn(B, S, C, seed=1)


def twins(ours, theirs, layers=None, dropout=0.0, **settings):
    """Our layer and torch's, or stacks of so many with a norm behind them, of the same random weights."""
    torch.manual_seed(0)
    pair = []
    for module in (ours, theirs):
        more = {} if module.__module__.startswith("bmcourse") else {"batch_first": True}
        layer = module(C, H, WIDE, dropout, **settings, **more)
        if layers:
            layer = STACKS[module](layer, layers, nn.LayerNorm(C))
        pair.append(layer)
    for parameter in pair[0].parameters():
        nn.init.normal_(parameter, std=0.3)
    pair[1].load_state_dict(pair[0].state_dict())
    return pair


STACKS = {
    TransformerEncoderLayer: TransformerEncoder,
    TransformerDecoderLayer: TransformerDecoder,
    nn.TransformerEncoderLayer: partial(nn.TransformerEncoder, enable_nested_tensor=False),  # it zeroes padding in eval
    nn.TransformerDecoderLayer: nn.TransformerDecoder,
}


def encoders(**settings):
    return twins(TransformerEncoderLayer, nn.TransformerEncoderLayer, **settings)


def decoders(**settings):
    return twins(TransformerDecoderLayer, nn.TransformerDecoderLayer, **settings)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("masks", SRC_MASKS.values(), ids=SRC_MASKS)
def test_an_encoder_layer_equals_torchs(src, masks, norm_first):
    ours, theirs = encoders(norm_first=norm_first)
    results = assert_twins(ours, theirs, src, call=lambda layer, x: [layer(x, *masks)])
    assert all(result.isfinite().all() for result in results)


@pytest.mark.parametrize("masks", SRC_MASKS.values(), ids=SRC_MASKS)
def test_an_encoder_equals_torchs(src, masks):
    def call(encoder, x):
        return [encoder(x, mask=masks[0], src_key_padding_mask=masks[1])]

    assert_twins(*encoders(layers=2), src, call=call)


@pytest.mark.parametrize("name", ["none", "causal", "padding", "both"])  # with others torch's shortcut gives NaN
def test_an_encoder_equals_torchs_in_eval_mode_where_torch_takes_a_shortcut(src, name):
    ours, theirs = (encoder.eval() for encoder in encoders(layers=2, dropout=0.5))
    with torch.inference_mode():
        torch.testing.assert_close(ours(src, *SRC_MASKS[name]), theirs(src, *SRC_MASKS[name]), atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing(src):
    ours, _ = encoders(layers=2)
    alone = ours(src[1:, :3])
    torch.testing.assert_close(ours(src, src_key_padding_mask=SRC_PADDING)[1:, :3], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_a_decoder_layer_equals_torchs(src, memory, norm_first, padded):
    masks = {"tgt_mask": causal_mask(T), "memory_mask": randn(T, S) > 1.5}
    if padded:
        masks |= {"tgt_key_padding_mask": SRC_PADDING, "memory_key_padding_mask": MEMORY_PADDING}
    call = lambda layer, tgt, memory: [layer(tgt, memory, **masks)]  # noqa: E731
    assert_twins(*decoders(norm_first=norm_first), src, memory, call=call)


def test_a_decoder_equals_torchs(src, memory):
    def call(decoder, tgt, memory):
        return [decoder(tgt, memory, causal_mask(T), memory_key_padding_mask=MEMORY_PADDING)]

    assert_twins(*decoders(layers=2), src, memory, call=call)


def test_encoder_and_decoder_together_equal_torchs_transformer(src, memory):
    theirs = nn.Transformer(C, H, 2, 2, WIDE, dropout=0.0, batch_first=True)
    encoder, decoder = encoders(layers=2)[0], decoders(layers=2)[0]
    encoder.load_state_dict(theirs.encoder.state_dict())
    decoder.load_state_dict(theirs.decoder.state_dict())
    expected = theirs(memory, src, tgt_mask=causal_mask(T))
    torch.testing.assert_close(decoder(src, encoder(memory), tgt_mask=causal_mask(T)), expected, atol=1e-5, rtol=1e-5)


def test_the_decoder_hides_the_future_but_not_the_memory(src, memory):
    ours, _ = decoders(layers=2)
    changed, mask = src.clone(), causal_mask(T)
    changed[:, 3] += 1
    before, after = ours(src, memory, tgt_mask=mask), ours(changed, memory, tgt_mask=mask)
    assert torch.equal(before[:, :3], after[:, :3]) and not torch.allclose(before[:, 3:], after[:, 3:])
    memory[:, -1] += 1
    assert not torch.isclose(ours(src, memory, tgt_mask=mask), before).all(dim=-1).any()


@pytest.mark.parametrize("activation", ["relu", "gelu", F.silu, nn.GELU()])
def test_activations_equal_torchs(src, memory, activation):
    assert_twins(*encoders(activation=activation), src)
    assert_twins(*decoders(activation=activation), src, memory)


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_same_seed_drops_what_torch_drops(src, memory, norm_first):
    src, memory = src[:1], memory[:1]  # torch draws for several texts in another order
    for pair, inputs in ((encoders, [src]), (decoders, [src, memory])):
        outputs = []
        for layer in pair(dropout=0.5, norm_first=norm_first):
            torch.manual_seed(1)
            outputs.append(layer(*inputs))
        torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)


def test_dropout_acts_in_training_only(src):
    ours, _ = encoders(dropout=0.5)
    assert not torch.equal(ours(src), ours(src))
    assert torch.equal(ours.eval()(src), ours(src))


def test_the_defaults_are_torchs():
    ours, theirs = TransformerEncoderLayer(C, H), nn.TransformerEncoderLayer(C, H, batch_first=True)
    assert ours.linear1.out_features == theirs.linear1.out_features == 2048
    assert ours.dropout.p == ours.self_attn.dropout == theirs.dropout.p == 0.1
    assert ours.activation is theirs.activation and ours.norm_first is theirs.norm_first is False


@pytest.mark.parametrize("pair, stack", [(encoders, TransformerEncoder), (decoders, TransformerDecoder)])
def test_the_layers_of_a_stack_are_deep_copies(pair, stack):
    layer = pair()[0]
    model = stack(layer, 3)
    before = layer.linear1.weight.clone()
    assert all(torch.equal(copy.linear1.weight, before) for copy in model.layers)
    with torch.no_grad():
        model.layers[0].linear1.weight.zero_()
    assert all(torch.equal(other.linear1.weight, before) for other in (layer, *model.layers[1:]))


def test_a_stack_without_norm_is_its_layers(src):
    layer = encoders()[0]
    assert torch.equal(TransformerEncoder(layer, 2)(src), layer(layer(src)))


def test_pre_norm_leaves_a_path_through_the_sums(src):
    pre, post = encoders(norm_first=True)[0], encoders()[0]
    for layer in (pre, post):
        nn.init.zeros_(layer.self_attn.out_proj.weight), nn.init.zeros_(layer.self_attn.out_proj.bias)
        nn.init.zeros_(layer.linear2.weight), nn.init.zeros_(layer.linear2.bias)
    assert torch.equal(pre(src), src) and not torch.allclose(post(src), src)


# ---------------------------------------------------------------- what may come in


def test_unknown_activations_and_heads():
    for layer in (TransformerEncoderLayer, TransformerDecoderLayer):
        with pytest.raises(ValueError, match="no activation 'swish'"):
            layer(C, H, activation="swish")
        with pytest.raises(ValueError, match="d_model = 12 cannot be shared evenly by nhead = 5 heads"):
            layer(C, 5)


def test_a_stack_of_no_layers():
    for pair, stack in ((encoders, TransformerEncoder), (decoders, TransformerDecoder)):
        with pytest.raises(ValueError, match="num_layers is 0; a Transformer needs 1 layer or more"):
            stack(pair()[0], 0)


@pytest.mark.parametrize("norm_first", [False, True])
def test_inputs_of_the_wrong_shape(src, memory, norm_first):
    encoder, decoder = encoders(norm_first=norm_first)[0], decoders(norm_first=norm_first)[0]
    with pytest.raises(ValueError, match=r"src is \(2, 5, 11\); \(B, T, C\) was expected with C = d_model = 12"):
        encoder(src[..., :11])
    with pytest.raises(ValueError, match=r"tgt is \(5, 12\); .* pass tgt\[None\]"):
        decoder(src[0], memory)
    with pytest.raises(ValueError, match=r"memory is \(2, 7, 11\)"):
        decoder(src, memory[..., :11])


def test_masks_of_the_wrong_shape(src):
    with pytest.raises(ValueError, match=r"key_padding_mask is \(5, 5\); it must be \(B, S\) = \(2, 5\)"):
        encoders(layers=1)[0](src, src_key_padding_mask=causal_mask(T))
    with pytest.raises(ValueError, match=r"attn_mask is \(2, 5\); it must be \(T, S\) = \(5, 5\)"):
        encoders(layers=1)[0](src, mask=SRC_PADDING)
