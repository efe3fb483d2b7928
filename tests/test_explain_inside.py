"""Inside a model: where it looks, what it would say after each layer, which place carries the answer."""

import copy

import pytest
import torch
from torch import nn

from bmcourse.explain.attention import attention_rollout, encoder_attention, gpt_attention
from bmcourse.explain.inside import logit_lens, patch_activations, residual_streams
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.transformer import TransformerEncoder, TransformerEncoderLayer
from bmcourse.recipes import load_gpt

TEXT = [3, 1, 4, 1, 5]


@pytest.fixture
def gpt():
    torch.manual_seed(0)
    model = GPT(GPTConfig(11, context=8, layers=3, heads=2, channels=8)).eval()
    for p in model.parameters():
        nn.init.normal_(p, std=0.5)  # larger than a fresh GPT's, so that every place matters
    return model


def stream_by_hooks(model, layer, tokens):
    """The stream behind block `layer`, caught during the model's own forward pass."""
    caught = []
    hook = model.blocks[layer].register_forward_hook(lambda module, args, output: caught.append(output[0]))
    model(torch.tensor([tokens]))
    hook.remove()
    return caught[0]


# ---------------------------------------------------------------- attention


def test_gpt_attention_is_what_its_blocks_use(gpt):
    weights = gpt_attention(gpt, TEXT)
    assert weights.shape == (3, 2, 5, 5)
    for layer in range(3):
        x = gpt.blocks[layer].attention_norm(residual_streams(gpt, TEXT)[layer])
        attention = gpt.blocks[layer].attention
        value = attention.query_key_value(x)[:, 16:].view(5, 2, 4).transpose(0, 1)
        by_weights = attention.output((weights[layer] @ value).transpose(0, 1).flatten(1))
        torch.testing.assert_close(by_weights, attention(x[None])[0])


def test_gpt_attention_sees_no_future_and_sums_to_one(gpt):
    weights = gpt_attention(gpt, TEXT)
    assert (weights.triu(1) == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 5))


@pytest.mark.parametrize("norm_first", [True, False])
def test_encoder_attention_agrees_with_torch(norm_first):
    torch.manual_seed(0)
    ours = TransformerEncoder(TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=norm_first), 2).eval()
    for p in ours.parameters():
        nn.init.normal_(p, std=0.5)  # the copies of a layer start out equal
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=norm_first, batch_first=True)
    theirs = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    theirs.load_state_dict(ours.state_dict())  # in training mode, which takes no short cut
    src, padding = torch.randn(3, 5, 8), torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 1, 1, 1]]).bool()
    weights = encoder_attention(ours, src, padding)
    for number, layer in enumerate(theirs.layers):
        x = layer.norm1(src) if norm_first else src
        expected = layer.self_attn(x, x, x, key_padding_mask=padding, average_attn_weights=False)[1]
        torch.testing.assert_close(weights[number], expected)
        src = layer(src, src_key_padding_mask=padding)


def test_an_encoder_in_training_mode():
    encoder = TransformerEncoder(TransformerEncoderLayer(8, 2, 16), 1)
    with pytest.raises(ValueError, match="training mode.*model.eval"):
        encoder_attention(encoder, torch.randn(1, 3, 8))


def test_rollout_of_one_layer_by_hand():
    weights = torch.tensor([[[[1.0, 0.0], [0.4, 0.6]], [[1.0, 0.0], [0.8, 0.2]]]])  # mean of the second row: .6, .4
    torch.testing.assert_close(attention_rollout(weights), torch.tensor([[1.0, 0.0], [0.3, 0.7]]))


def test_rollout_puts_the_first_layer_to_the_right():
    first = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    second = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    expected = (second + torch.eye(3)) / 2 @ ((first + torch.eye(3)) / 2)
    torch.testing.assert_close(attention_rollout(torch.stack([first, second])[:, None]), expected)
    assert not torch.allclose(expected, (first + torch.eye(3)) / 2 @ ((second + torch.eye(3)) / 2))


def test_rollout_of_a_batch_is_each_ones_own(gpt):
    weights = torch.stack([gpt_attention(gpt, TEXT), gpt_attention(gpt, TEXT[::-1])], dim=1)  # (layers, B, H, T, T)
    rolled = attention_rollout(weights)
    for b in range(2):
        torch.testing.assert_close(rolled[b], attention_rollout(weights[:, b]))
    torch.testing.assert_close(rolled.sum(-1), torch.ones(2, 5))


@pytest.mark.parametrize("shape", [(2, 5, 5), (0, 2, 5, 5), (1, 2, 5, 4)])
def test_weights_that_cannot_be_rolled_out(shape):
    with pytest.raises(ValueError, match=r"\(layers, ..., H, T, T\) was expected.*weights\[None\]"):
        attention_rollout(torch.zeros(shape))


# ---------------------------------------------------------------- streams and the lens


def test_streams_are_those_of_the_models_own_pass(gpt):
    streams = residual_streams(gpt, TEXT)
    assert streams.shape == (4, 5, 8) and not streams.requires_grad
    for layer in range(3):
        torch.testing.assert_close(streams[layer + 1], stream_by_hooks(gpt, layer, TEXT))


def test_the_lens_ends_with_what_the_model_says(gpt):
    logits = logit_lens(gpt, TEXT)
    assert logits.shape == (4, 5, 11)
    torch.testing.assert_close(logits[-1], gpt(torch.tensor([TEXT]))[0])


def test_the_lens_is_the_model_with_its_upper_blocks_removed(gpt):
    for layers in range(4):
        shorter = copy.deepcopy(gpt)
        shorter.blocks = shorter.blocks[:layers]
        torch.testing.assert_close(logit_lens(gpt, TEXT)[layers], shorter(torch.tensor([TEXT]))[0])


@pytest.mark.parametrize(
    "tokens, message",
    [
        ([], "prompt is empty"),
        ([1] * 9, "9 tokens; this GPT reads at most 8.*Pass a part"),
        ([1, 11], "tokens from 1 to 11; the model knows 0 to 10"),
        ([[1, 2]], "a tensor \\(T,\\) of whole numbers"),
    ],
)
def test_texts_that_cannot_be_read(gpt, tokens, message):
    with pytest.raises(ValueError, match=message):
        residual_streams(gpt, tokens)


@pytest.mark.parametrize("look", [residual_streams, logit_lens, gpt_attention])
def test_a_gpt_in_training_mode(gpt, look):
    with pytest.raises(ValueError, match="training mode"):
        look(gpt.train(), TEXT)


# ---------------------------------------------------------------- patching


def patched_by_hooks(model, clean, corrupted, layer, place, answer, other):
    """The logit difference of the corrupted run, with one vector replaced on its way; layer 0 is the embeddings."""
    good = residual_streams(model, clean)[layer, place]

    def replace(x):
        x = x.clone()
        x[0, place] = good
        return x

    if layer == 0:
        hook = model.blocks.register_forward_pre_hook(lambda module, args: replace(args[0]))
    else:
        hook = model.blocks[layer - 1].register_forward_hook(lambda module, args, output: replace(output))
    logits = model(torch.tensor([corrupted]))[0, -1]
    hook.remove()
    return (logits[answer] - logits[other]).item()


def test_patching_agrees_with_hooks_at_every_place(gpt):
    clean, corrupted, answer, other = TEXT, [3, 2, 4, 7, 5], 6, 9
    effects = patch_activations(gpt, clean, corrupted, answer, other)
    assert effects.shape == (4, 5)
    low, high = ((z[answer] - z[other]).item() for z in (gpt(torch.tensor([t]))[0, -1] for t in (corrupted, clean)))
    for layer in range(4):
        for place in range(5):
            patched = patched_by_hooks(gpt, clean, corrupted, layer, place, answer, other)
            assert effects[layer, place].item() == pytest.approx((patched - low) / (high - low), abs=1e-4)


def test_patching_does_nothing_where_nothing_differs_and_all_at_the_end(gpt):
    effects = patch_activations(gpt, TEXT, [3, 1, 9, 1, 5], 6, 8)
    torch.testing.assert_close(effects[:, :2], torch.zeros(4, 2))  # before the changed token both runs are the same
    torch.testing.assert_close(effects[0], torch.tensor([0.0, 0, 1, 0, 0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(effects[3], torch.tensor([0.0, 0, 0, 0, 1]), atol=1e-5, rtol=0)


def test_the_courses_gpt_carries_the_quotation_mark_to_the_end():
    model, tokenizer = load_gpt()
    clean, corrupted = tokenizer.encode('the name "x'), tokenizer.encode("the name (x")
    answer, other = (tokenizer.encode(mark)[0] for mark in '")')
    at_mark, at_end = patch_activations(model, clean, corrupted, answer, other)[:, 2:].T
    assert (at_mark.diff() < -0.05).all() and (at_end.diff() > 0.05).all()


def test_texts_of_different_lengths(gpt):
    with pytest.raises(ValueError, match="clean text has 5 tokens and the corrupted one 4.*as many tokens"):
        patch_activations(gpt, TEXT, TEXT[1:], 6, 9)


def test_texts_that_differ_in_nothing(gpt):
    with pytest.raises(ValueError, match="nothing to bring back. Choose texts that differ"):
        patch_activations(gpt, TEXT, TEXT, 6, 9)
