"""The fast GPT: plain, it is torch.nn's layers; each ingredient does what its formula says; nothing leaks back."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.inference import generate
from bmcourse.models.fast_gpt import FastGPT, FastGPTConfig, rotate, rotations
from bmcourse.models.positions import rotary
from bmcourse.speedrun import nanogpt

SMALL = {"vocabulary_size": 11, "context": 12, "layers": 2, "heads": 2, "channels": 16}
PLAIN = {"rotary": False, "norm": "weighted", "activation": "gelu", "zero_outputs": False, "zero_head": False}


def model(**changes):
    """A small FastGPT with all its weights random, those that would start at 0 too."""
    torch.manual_seed(0)
    gpt = FastGPT(FastGPTConfig(**SMALL | changes))
    for weight in gpt.parameters():
        nn.init.normal_(weight, std=0.3)
    return gpt


def tokens(B=3, T=12):
    return torch.randint(11, (B, T), generator=torch.Generator().manual_seed(1))


def test_plain_it_is_torchs_layers():
    gpt, x = model(**PLAIN), tokens()
    h = gpt.token_embedding.weight[x] + gpt.positions.weight
    for block in gpt.blocks:
        twin = nn.TransformerEncoderLayer(16, 2, 64, 0.0, F.gelu, batch_first=True, norm_first=True, bias=False)
        weights = {
            "self_attn.in_proj_weight": block.query_key_value.weight,
            "self_attn.out_proj.weight": block.attention_output.weight,
            "linear1.weight": block.mlp_input.weight,
            "linear2.weight": block.mlp_output.weight,
            "norm1.weight": block.attention_norm.weight,
            "norm2.weight": block.mlp_norm.weight,
        }
        twin.load_state_dict(weights)
        h = twin(h, nn.Transformer.generate_square_subsequent_mask(12), is_causal=True)
    expected = F.layer_norm(h, (16,), gpt.norm.weight) @ gpt.token_embedding.weight.T
    torch.testing.assert_close(gpt(x), expected)


def test_nanogpts_own_size():
    config, _ = nanogpt(65)  # its character-level text has 65 characters
    gpt = FastGPT(config)
    assert sum(p.numel() for p in gpt.parameters()) - gpt.positions.weight.numel() == 795_904  # "0.80M" in its log
    assert gpt.head.weight is gpt.token_embedding.weight
    assert gpt.blocks[0].mlp_output.weight.std().item() == pytest.approx(0.02 / 8**0.5, rel=0.02)


@pytest.mark.parametrize("T, D", [(1, 2), (7, 4), (12, 8)])
def test_rotate_is_the_rotary_of_positions(T, D):
    x = torch.randn(3, T, 2, D, generator=torch.Generator().manual_seed(0))
    expected = rotary(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(rotate(x, rotations(T, D)), expected)


INGREDIENTS = [
    {},
    PLAIN,
    {"rotary": False},
    {"norm": "rms"},
    {"norm": "weighted"},
    {"qk_norm": True},
    {"activation": "gelu"},
    {"zero_head": False},
    {"previous": 1},
    {"previous": 2},
    {"trigrams": 5},
    {"shift": True},
]


@pytest.mark.parametrize("changes", INGREDIENTS, ids=str)
def test_no_token_sees_a_later_one(changes):
    gpt, x = model(**changes), tokens()
    other = x.clone()
    other[:, 7:] = (other[:, 7:] + 1) % 11
    torch.testing.assert_close(gpt(x)[:, :7], gpt(other)[:, :7])
    assert not torch.allclose(gpt(x)[:, 7], gpt(other)[:, 7])
    torch.testing.assert_close(gpt(x)[:, :5], gpt(x[:, :5]))  # nor the text's length


@pytest.mark.parametrize("changes", INGREDIENTS, ids=str)
def test_every_weight_gets_a_gradient_and_the_text_is_written(changes):
    gpt, x = model(**changes), tokens()
    F.cross_entropy(gpt(x).flatten(0, 1), x.flatten()).backward()
    assert all(p.grad.abs().max() > 0 for p in gpt.parameters())
    assert generate(gpt, x[0, :3], 15, torch.Generator().manual_seed(0)).shape == (18,)


def test_what_starts_at_zero():
    gpt, x = FastGPT(FastGPTConfig(**SMALL)), tokens()
    assert torch.equal(gpt(x), torch.zeros(3, 12, 11))
    assert torch.equal(gpt.blocks(torch.ones(1, 12, 16)), torch.ones(1, 12, 16))
    assert FastGPT(FastGPTConfig(**SMALL, zero_head=False))(x).abs().max() > 0
    assert FastGPT(FastGPTConfig(**SMALL, zero_outputs=False)).blocks[0].mlp_output.weight.abs().max() > 0


def test_each_ingredients_formula():
    block, x = model(activation="relu2", norm="rms").blocks[0], torch.randn(1, 12, 16)
    torch.testing.assert_close(block.mlp_norm(x), x / (x.square().mean(-1, keepdim=True) + 1.2e-7).sqrt())
    after = x + block.attention_output(block.attend(block.attention_norm(x)))
    hidden = block.mlp_norm(after) @ block.mlp_input.weight.T
    expected = after + (hidden * hidden * (hidden > 0)) @ block.mlp_output.weight.T
    torch.testing.assert_close(block(x), expected)
    plain = model().blocks[0].mlp_norm(x)
    torch.testing.assert_close(
        plain, (x - x.mean(-1, keepdim=True)) / x.std(-1, False, keepdim=True), atol=1e-4, rtol=0
    )


def test_qk_norm_makes_the_size_of_queries_and_keys_unimportant():
    gpt, x = model(qk_norm=True).blocks[0], torch.randn(2, 12, 16)
    before = gpt.attend(x)
    with torch.no_grad():
        gpt.query_key_value.weight[:32] *= 7  # rows of queries and keys
    torch.testing.assert_close(gpt.attend(x), before, atol=1e-3, rtol=0)


def test_the_character_before_is_an_input():
    gpt, x = model(previous=1, layers=1), tokens()
    first, second = gpt.token_embedding.weight, gpt.previous_embeddings[0].weight
    h = first[x]
    h[:, 1:] += second[x[:, :-1]]
    h[:, 0] += second[0]
    torch.testing.assert_close(gpt(x), gpt.head(gpt.norm(gpt.blocks(h))))


def test_three_characters_are_an_input():
    gpt, x = model(trigrams=2000, layers=1), tokens()  # 11³ = 1331 kinds: each has a row of its own
    rows = torch.tensor([[k[t] + 11 * k[t - 1] + 121 * k[t - 2] for t in range(2, 12)] for k in x.tolist()])
    h = gpt.token_embedding.weight[x]
    h[:, 2:] += gpt.trigram_embedding.weight[rows]
    h[:, 1] += gpt.trigram_embedding.weight[x[:, 1] + 11 * x[:, 0]]
    h[:, 0] += gpt.trigram_embedding.weight[x[:, 0]]
    torch.testing.assert_close(gpt(x), gpt.head(gpt.norm(gpt.blocks(h))))
    assert model(trigrams=5)(x).shape == (3, 12, 11)


def test_shift_adds_the_position_before():
    block, x = model(shift=True).blocks[0], torch.randn(2, 12, 16)
    mixed = x.clone()
    mixed[:, 1:] += block.shift * x[:, :-1]
    shifted = block.attend(x)
    block.shift = None
    torch.testing.assert_close(shifted, block.attend(mixed))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"heads": 3}, "16 channels cannot be shared evenly by 3 heads"),
        ({"norm": "batch"}, "norm is 'batch'; 'plain', 'rms' or 'weighted' was expected."),
        ({"activation": "tanh"}, "activation is 'tanh'; 'relu2' or 'gelu' was expected."),
        ({"heads": 16}, "Positions are written into pairs of channels, so their number must be even; 1 came."),
    ],
)
def test_shapes_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        FastGPT(FastGPTConfig(**SMALL | changes))


def test_a_text_that_is_too_long():
    with pytest.raises(ValueError, match="The text has 13 tokens; this GPT reads at most 12 at once"):
        model()(tokens(T=13))
