"""Attention from the loop to several heads, held equal to torch.nn with the same weights: outputs and gradients."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models import attention
from bmcourse.models.attention import MultiHeadAttention, attention_weights, causal_mask, scaled_dot_product_attention
from tests.twins import assert_twins, randn

B, H, T, S, D, C = 2, 3, 5, 7, 4, 12
HIDDEN = -math.inf

CAUSAL = causal_mask(T)
PADDING = torch.tensor([[False] * 5 + [True] * 2, [False] * 4 + [True] * 3])  # (B, S)
SOME = randn(T, S, seed=3) > 0.5
SOME[2] = False  # so that every query sees something even with padding
FLOAT = randn(T, S, seed=4)
PER_HEAD = randn(B * H, T, S, seed=5) > 0.5
PER_HEAD[..., 0] = False
BLIND = SOME.clone()
BLIND[1] = True


@pytest.fixture
def inputs():
    return randn(B, T, C), randn(B, S, C, seed=1), randn(B, S, C, seed=2)


@pytest.fixture
def heads():
    return randn(B, H, T, D), randn(B, H, S, D, seed=1), randn(B, H, S, D, seed=2)


def twins(dropout=0.0):
    torch.manual_seed(0)
    ours, theirs = MultiHeadAttention(C, H, dropout), nn.MultiheadAttention(C, H, dropout, batch_first=True)
    nn.init.normal_(ours.in_proj_bias)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


# ---------------------------------------------------------------- one head


def test_each_version_is_the_one_before_in_other_words():
    query, key, value = randn(T, D), randn(S, D, seed=1), randn(S, D, seed=2)
    loop = attention.attention_loop(query, key, value)
    torch.testing.assert_close(attention.dot_product_attention(query, key, value), loop, atol=1e-5, rtol=1e-5)
    scaled = attention.scaled_attention(query, key, value)
    torch.testing.assert_close(scaled, attention.attention_loop(query / 2, key, value), atol=1e-5, rtol=1e-5)
    masked = scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(masked, scaled, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mask", [None, SOME, FLOAT, FLOAT.masked_fill(SOME, HIDDEN), PER_HEAD.view(B, H, T, S)])
def test_masked_attention_equals_torchs(heads, mask):
    torchs_mask = ~mask if mask is not None and mask.dtype == torch.bool else mask
    assert_twins(
        nn.Identity(), nn.Identity(), *heads,
        call=lambda _, q, k, v: [scaled_dot_product_attention(q, k, v, mask)],
        call_theirs=lambda _, q, k, v: [F.scaled_dot_product_attention(q, k, v, attn_mask=torchs_mask)],
    )  # fmt: skip


@pytest.mark.parametrize("mask", [BLIND, torch.zeros(T, S).masked_fill(BLIND, HIDDEN)])
def test_a_query_that_sees_nothing_gets_zeros_and_gives_no_gradient(heads, mask):
    query, key, value = (x.requires_grad_() for x in heads)
    mixed = scaled_dot_product_attention(query, key, value, mask)
    assert torch.equal(mixed[:, :, 1], torch.zeros(B, H, D))
    others = torch.tensor([0, 2, 3, 4])
    expected = scaled_dot_product_attention(query[:, :, others], key, value, mask[others])
    torch.testing.assert_close(mixed[:, :, others], expected)
    mine, torchs = (torch.autograd.grad(out.square().sum(), (query, key, value)) for out in (mixed, expected))
    torch.testing.assert_close(mine, torchs)
    assert not mine[0][:, :, 1].any()


def test_weights_sum_to_one_and_hidden_keys_get_none(heads):
    weights = attention_weights(*heads[:2], BLIND)
    assert weights.shape == (B, H, T, S) and not weights[..., BLIND].any()
    torch.testing.assert_close(weights.sum(-1), (~BLIND.all(-1)).float().expand(B, H, T))


def test_the_scale_keeps_large_heads_from_looking_at_one_key_only():
    for size in (4, 64, 1024):
        query, key = randn(200, size), randn(200, size, seed=1)
        assert (query @ key.T).std() == pytest.approx(math.sqrt(size), rel=0.1)
    scaled, unscaled = attention_weights(query, key), (query @ key.T).softmax(-1)
    assert torch.special.entr(scaled).sum(-1).mean() > 4.5, "nats, of ln 200 = 5.3"
    assert torch.special.entr(unscaled).sum(-1).mean() < 0.5, "nearly all weight is on one key"


def test_a_causal_mask_hides_the_future():
    assert causal_mask(3).tolist() == [[False, True, True], [False, False, True], [False, False, False]]
    torchs = nn.Transformer.generate_square_subsequent_mask(T)
    assert torch.equal(attention.additive_mask(causal_mask(T), torch.float32), torchs)


# ---------------------------------------------------------------- several heads

MASKS = {
    "none": {},
    "bool": {"attn_mask": SOME},
    "float": {"attn_mask": FLOAT},
    "per head": {"attn_mask": PER_HEAD},
    "padding": {"key_padding_mask": PADDING},
    "float padding": {"key_padding_mask": torch.zeros(B, S).masked_fill(PADDING, HIDDEN)},
    "bool and padding": {"attn_mask": SOME & ~PADDING.all(0), "key_padding_mask": PADDING},
}


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_cross_attention_equals_torchs(inputs, masks, need_weights):
    def call(mha, query, key, value):
        averaged = {} if isinstance(mha, MultiHeadAttention) else {"average_attn_weights": False}
        output, weights = mha(query, key, value, need_weights=need_weights, **masks, **averaged)
        return [output, weights] if need_weights else [output]

    assert_twins(*twins(), *inputs, call=call)


@pytest.mark.parametrize("mask", [None, CAUSAL])
@pytest.mark.parametrize("padded", [False, True])
def test_self_attention_equals_torchs(inputs, mask, padded):
    padding = PADDING[:, 2:] if padded else None

    def call(mha, x):
        return [mha(x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=False)[0]]

    assert_twins(*twins(), inputs[0], call=call)


def test_a_learned_float_mask_gets_torchs_gradient(inputs):
    mask = FLOAT.clone()

    def call(mha, query, key, value, mask):
        return [mha(query, key, value, attn_mask=mask, need_weights=False)[0]]

    assert_twins(*twins(), *inputs, mask, call=call)


@pytest.mark.parametrize("need_weights", [False, True])
def test_a_text_of_padding_only_gives_no_nan(inputs, need_weights):
    ours, _ = twins()
    query, key, value = (x.requires_grad_() for x in inputs)
    padding = PADDING.clone()
    padding[1] = True
    output, weights = ours(query, key, value, key_padding_mask=padding, need_weights=need_weights)
    assert torch.equal(output[1], ours.out_proj.bias.expand(T, C)), "nothing but the last bias"
    torch.testing.assert_close(output[:1], ours(query[:1], key[:1], value[:1], key_padding_mask=padding[:1])[0])
    gradients = torch.autograd.grad(output.square().sum(), (query, key, value, *ours.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert not any(gradient[1].any() for gradient in gradients[:3])
    assert weights is None or not weights[1].any()


def test_both_paths_are_the_same(inputs):
    ours, _ = twins()
    fused, none = ours(*inputs, attn_mask=BLIND, key_padding_mask=PADDING)
    naive, weights = ours(*inputs, attn_mask=BLIND, key_padding_mask=PADDING, need_weights=True)
    torch.testing.assert_close(fused, naive, atol=1e-5, rtol=1e-5)
    assert none is None and weights.shape == (B, H, T, S)


def test_a_bool_and_a_float_mask_can_be_mixed(inputs):
    ours, _ = twins()
    as_float = torch.zeros(B, S).masked_fill(PADDING, HIDDEN)
    mixed = ours(*inputs, attn_mask=SOME, key_padding_mask=as_float)[0]
    torch.testing.assert_close(mixed, ours(*inputs, attn_mask=SOME, key_padding_mask=PADDING)[0])


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("mask", [None, SOME])
def test_the_same_seed_drops_what_torch_drops(inputs, mask, need_weights):
    ours, theirs = twins(dropout=0.5)
    outputs = []
    for mha in (ours, theirs):
        torch.manual_seed(1)
        outputs.append(mha(*inputs, attn_mask=mask, need_weights=need_weights)[0])
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(outputs[0], ours(*inputs, attn_mask=mask)[0]), "another time, other weights are dropped"
    torch.testing.assert_close(ours.eval()(*inputs)[0], theirs.eval()(*inputs)[0], atol=1e-5, rtol=1e-5)


def test_a_float_mask_of_another_precision(inputs):
    ours, _ = twins()
    torch.testing.assert_close(ours(*inputs, attn_mask=FLOAT.double())[0], ours(*inputs, attn_mask=FLOAT)[0])


def test_weights_load_both_ways_and_start_as_torchs_do(inputs):
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(C, H, batch_first=True)
    ours = MultiHeadAttention(C, H)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(*inputs)[0], theirs(*inputs)[0], atol=1e-5, rtol=1e-5)
    wide = MultiHeadAttention(128, 4)
    bound = math.sqrt(6 / (128 + 3 * 128))  # Xavier, uniform
    assert wide.in_proj_weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert not wide.in_proj_bias.any() and not wide.out_proj.bias.any()


def test_nothing_leaks_through_a_causal_mask(inputs):
    ours, x = twins()[0], inputs[0]
    changed = x.clone()
    changed[:, 3] += 1
    before, after = (ours(x, x, x, attn_mask=CAUSAL)[0] for x in (x, changed))
    assert torch.equal(before[:, :3], after[:, :3]) and not torch.allclose(before[:, 3:], after[:, 3:])


# ---------------------------------------------------------------- what may come in


@pytest.mark.parametrize("nhead", [5, 0])
def test_heads_that_do_not_divide_the_channels(nhead):
    with pytest.raises(
        ValueError, match=f"d_model = 12 cannot be shared evenly by nhead = {nhead} heads. Make d_model"
    ):
        MultiHeadAttention(12, nhead)


def test_inputs_of_the_wrong_shape(inputs):
    query, key, value = inputs
    ours, _ = twins()
    with pytest.raises(ValueError, match=r"query is \(5, 12\); \(B, T, C\) .* d_model = 12.* pass query\[None\]"):
        ours(query[0], key, value)
    with pytest.raises(ValueError, match=r"value is \(2, 7, 11\); \(B, T, C\) was expected with C = d_model = 12"):
        ours(query, key, value[..., :11])
    for k, v in ((key, value[:, :6]), (key[:1], value[:1])):
        with pytest.raises(ValueError, match="same number of texts B, and key and value the same length S"):
            ours(query, k, v)


def test_masks_of_the_wrong_shape(inputs, heads):
    ours, _ = twins()
    with pytest.raises(ValueError, match=r"attn_mask is \(7, 5\); it must be \(T, S\) = \(5, 7\).*\(6, 5, 7\)"):
        ours(*inputs, attn_mask=SOME.T)
    with pytest.raises(ValueError, match=r"attn_mask is \(2, 7\).* What hides padding is key_padding_mask"):
        ours(*inputs, attn_mask=PADDING)
    with pytest.raises(ValueError, match=r"key_padding_mask is \(5, 7\); it must be \(B, S\) = \(2, 7\)"):
        ours(*inputs, key_padding_mask=SOME)
    with pytest.raises(
        ValueError, match=r"mask is \(7, 5\) and does not broadcast to the scores, \(2, 3, 5, 7\).* 7 k"
    ):
        scaled_dot_product_attention(*heads, SOME.T)
    with pytest.raises(ValueError, match=r"mask is \(1, 5, 7\) and does not broadcast to the scores, \(5, 7\)"):
        scaled_dot_product_attention(*(x[0, 0] for x in heads), SOME[None])


def test_masks_of_integers(inputs):
    for masks in ({"attn_mask": SOME.long()}, {"key_padding_mask": PADDING.long()}):
        with pytest.raises(ValueError, match=r"bool \(True: may not attend\) or float .*torch.int64 came.* mask == 0"):
            twins()[0](*inputs, **masks)
