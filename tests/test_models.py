"""The GPT and its parts, held equal to torch.nn and to a slow loop."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.inference import generate
from bmcourse.models.attention import CausalSelfAttention
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.transformer import Block

CONFIG = GPTConfig(vocabulary_size=11, context=8, layers=2, heads=2, channels=12)


@pytest.fixture
def x():
    return torch.randn(3, 5, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def gpt():
    torch.manual_seed(0)
    return GPT(CONFIG).eval()


def test_attention_equals_torch_with_the_same_weights(x):
    ours, torchs = CausalSelfAttention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    torchs.in_proj_weight.data, torchs.in_proj_bias.data = ours.query_key_value.weight, ours.query_key_value.bias
    torchs.out_proj.load_state_dict(ours.output.state_dict())
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    expected, _ = torchs(x, x, x, attn_mask=mask, is_causal=True)
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)


def test_attention_equals_a_slow_loop(x):
    attention = CausalSelfAttention(12, 3)
    query, key, value = attention.query_key_value(x).split(12, dim=-1)
    expected = torch.zeros_like(x)
    for b in range(3):
        for t in range(5):
            for h in range(3):
                part = slice(4 * h, 4 * h + 4)
                scores = [query[b, t, part] @ key[b, s, part] / math.sqrt(4) for s in range(t + 1)]
                weights = torch.softmax(torch.stack(scores), dim=0)
                expected[b, t, part] = sum(w * value[b, s, part] for s, w in enumerate(weights))
    torch.testing.assert_close(attention(x), attention.output(expected), atol=1e-5, rtol=1e-5)


def test_a_block_equals_torchs_pre_norm_encoder_layer(x):
    ours = Block(12, 3).eval()
    torchs = nn.TransformerEncoderLayer(12, 3, 48, activation="gelu", batch_first=True, norm_first=True).eval()
    torchs.self_attn.in_proj_weight.data = ours.attention.query_key_value.weight.data
    torchs.self_attn.in_proj_bias.data = ours.attention.query_key_value.bias.data
    torchs.self_attn.out_proj.load_state_dict(ours.attention.output.state_dict())
    torchs.linear1.load_state_dict(ours.mlp[0].state_dict())
    torchs.linear2.load_state_dict(ours.mlp[2].state_dict())
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    torch.testing.assert_close(ours(x), torchs(x, src_mask=mask, is_causal=True), atol=1e-5, rtol=1e-5)


def test_nothing_leaks_from_the_future(gpt):
    tokens = torch.randint(11, (2, 8), generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 11
    before, after = gpt(tokens), gpt(changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_an_untrained_gpt_knows_nothing(gpt):
    tokens = torch.randint(11, (64, 8), generator=torch.Generator().manual_seed(0))
    loss = F.cross_entropy(gpt(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(11), abs=0.05)


def test_the_number_of_parameters_is_the_formulas(gpt):
    V, T, L, C = 11, 8, 2, 12
    block = (4 * C * C + 4 * C) + (8 * C * C + 5 * C) + 4 * C  # attention, MLP, two norms
    assert sum(p.numel() for p in gpt.parameters()) == V * C + T * C + L * block + 2 * C + V * C


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary_size=11, context=8, layers=1, heads=2, channels=12, dropout=0.5))
    tokens = torch.zeros(1, 8, dtype=torch.long)
    assert not torch.equal(model(tokens), model(tokens))
    assert torch.equal(model.eval()(tokens), model(tokens))


def test_a_text_longer_than_the_context(gpt):
    with pytest.raises(ValueError, match="has 9 tokens; this GPT reads at most 8"):
        gpt(torch.zeros(1, 9, dtype=torch.long))


def test_heads_that_do_not_divide_the_channels():
    with pytest.raises(ValueError, match="12 channels cannot be shared evenly by 5 heads"):
        CausalSelfAttention(12, 5)


def test_generation_goes_on_from_the_prompt_and_repeats_with_its_seed(gpt):
    prompt = torch.tensor([1, 2, 3])
    one, two = (generate(gpt, prompt, 20, torch.Generator().manual_seed(1)) for _ in range(2))
    assert len(one) == 23 and torch.equal(one, two) and torch.equal(one[:3], prompt)


def test_a_low_temperature_takes_the_likeliest(gpt):
    tokens = generate(gpt, torch.tensor([1, 2, 3]), 4, torch.Generator().manual_seed(0), temperature=1e-4)
    for t in range(3, 7):
        assert tokens[t] == gpt(tokens[None, :t])[0, -1].argmax()


def test_generation_leaves_the_mode_as_it_was(gpt):
    for mode in (True, False):
        generate(gpt.train(mode), torch.tensor([1]), 2, torch.Generator())
        assert gpt.training is mode


def test_bad_generation_arguments(gpt):
    with pytest.raises(ValueError, match="prompt is empty"):
        generate(gpt, torch.tensor([], dtype=torch.long), 2, torch.Generator())
    for temperature in (-1, float("nan")):
        with pytest.raises(ValueError, match="temperature must be 0 or above"):
            generate(gpt, torch.tensor([1]), 2, torch.Generator(), temperature=temperature)
