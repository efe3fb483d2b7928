"""The fast GPT: a GPT with the ingredients that make a small one learn sooner. Each is a field, to leave out alone."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models.positions import position_angles


@dataclass(frozen=True)
class FastGPTConfig:
    """The shape of a FastGPT, and its ingredients. With every ingredient off it is nanoGPT's model.

    `norm` is "plain" (LayerNorm without weights), "rms" (without the mean too) or "weighted" (nn.LayerNorm);
    `activation` is "relu2" or "gelu". `shift` lets attention read a mix of each position and the one before it.
    Two ingredients are n-gram inputs: `previous` is how many characters before the present one are embedded as well,
    `trigrams` the rows of a table with an embedding for each three characters, which share a row by chance (0: none).
    """

    vocabulary_size: int
    context: int = 64
    layers: int = 4
    heads: int = 4
    channels: int = 128
    rotary: bool = True
    norm: str = "plain"
    qk_norm: bool = False
    activation: str = "relu2"
    zero_outputs: bool = True
    zero_head: bool = True
    shift: bool = False
    previous: int = 0
    trigrams: int = 0


class FastGPT(nn.Module):
    """Tokens (B, T) in, logits (B, T, V) out, as from GPT.

    Raises ValueError for a text longer than the context, for channels that heads do not divide, and for an unknown
    norm or activation.
    Source of the plain model: Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019.
    """

    def __init__(self, config):
        super().__init__()
        self.config, C, V = config, config.channels, config.vocabulary_size
        self.token_embedding = nn.Embedding(V, C)
        self.previous_embeddings = nn.ModuleList(nn.Embedding(V, C) for _ in range(config.previous))
        self.trigram_embedding = nn.Embedding(config.trigrams, C) if config.trigrams else None
        self.positions = None if config.rotary else nn.Embedding(config.context, C)
        self.blocks = nn.Sequential(*(FastBlock(config) for _ in range(config.layers)))
        self.norm = normalisation(config)
        self.head = nn.Linear(C, V, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=first_std(name, config))
        if not config.zero_head:
            self.head.weight = self.token_embedding.weight  # tied: one table for reading and writing

    def forward(self, tokens):
        T = tokens.shape[1]
        if self.config.context < T:
            raise ValueError(
                f"The text has {T} tokens; this GPT reads at most {self.config.context} at once "
                f"(config.context). Pass its last {self.config.context} tokens."
            )
        x = self.token_embedding(tokens)  # (B, T, C)
        for distance, embedding in enumerate(self.previous_embeddings, start=1):
            x = x + embedding(F.pad(tokens, (distance, 0))[:, :T])
        if self.trigram_embedding:
            x = x + self.trigram_embedding(rows_of_trigrams(tokens, self.config))
        if self.positions:
            x = x + self.positions.weight[:T]
        return self.head(self.norm(self.blocks(x)))  # (B, T, V)


class FastBlock(nn.Module):
    """Attention, then a small network at every position; x (B, T, C) in, the same shape out. No biases."""

    def __init__(self, config):
        super().__init__()
        C, H = config.channels, config.heads
        if C % H:
            raise ValueError(f"{C} channels cannot be shared evenly by {H} heads: make channels a multiple of heads.")
        self.heads, self.qk_norm, self.relu2 = H, config.qk_norm, relu2_wanted(config.activation)
        self.attention_norm, self.mlp_norm = normalisation(config), normalisation(config)
        self.query_key_value = nn.Linear(C, 3 * C, bias=False)
        self.attention_output = nn.Linear(C, C, bias=False)
        self.mlp_input = nn.Linear(C, 4 * C, bias=False)
        self.mlp_output = nn.Linear(4 * C, C, bias=False)
        self.shift = nn.Parameter(torch.full((C,), 0.5)) if config.shift else None
        turns = rotations(config.context, C // H) if config.rotary else None
        self.register_buffer("turns", turns, persistent=False)

    def forward(self, x):
        x = x + self.attention_output(self.attend(self.attention_norm(x)))
        hidden = self.mlp_input(self.mlp_norm(x))
        return x + self.mlp_output(F.relu(hidden).square() if self.relu2 else F.gelu(hidden))

    def attend(self, x):
        B, T, C = x.shape
        H, D = self.heads, C // self.heads
        if self.shift is not None:  # So et al., "Primer", 2021, mix three positions after this product
            x = x + self.shift * F.pad(x, (0, 0, 1, 0))[:, :T]
        query_key, value = self.query_key_value(x).view(B, T, 3 * H, D).split((2 * H, H), dim=2)
        if self.qk_norm:
            query_key = F.layer_norm(query_key, (D,))
        if self.turns is not None:  # queries and keys in one go: at this size each call costs more than its sums
            query_key = rotate(query_key, self.turns[:T])
        query, key = query_key.split(H, dim=2)
        heads_first = (part.transpose(1, 2) for part in (query, key, value))  # each (B, H, T, D)
        return F.scaled_dot_product_attention(*heads_first, is_causal=True).transpose(1, 2).reshape(B, T, C)


def rows_of_trigrams(tokens, config):
    """The row of the table that stands for the last three of tokens (B, T), at each position; 0s stand before them."""
    B, T = tokens.shape
    last, before, first = (F.pad(tokens, (distance, 0))[:, :T] for distance in range(3))
    V = config.vocabulary_size
    return (last + V * before + V * V * first) % config.trigrams


def rotations(T, D):
    """The turn of each position for each pair of channels, as complex numbers of length 1: (T, 1, D / 2)."""
    angles = position_angles(T, D)
    return torch.polar(torch.ones_like(angles), angles)[:, None]


def rotate(x, turns):
    """Each pair of channels of x (B, T, H, D) as a complex number, times its turn: what `positions.rotary` gives.

    Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021, section 3.4.2.
    """
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2)


def normalisation(config):
    """The layer that `config.norm` names."""
    C = config.channels
    if config.norm == "plain":
        return nn.LayerNorm(C, elementwise_affine=False)
    if config.norm == "rms":
        return nn.RMSNorm(C, elementwise_affine=False)  # Zhang and Sennrich, "Root Mean Square Layer Norm...", 2019
    if config.norm == "weighted":
        return nn.LayerNorm(C, bias=False)
    raise ValueError(f"norm is {config.norm!r}; 'plain', 'rms' or 'weighted' was expected.")


def relu2_wanted(activation):
    """Whether the network squares what ReLU lets through (So et al., "Primer", 2021), or uses GELU."""
    if activation not in ("relu2", "gelu"):
        raise ValueError(f"activation is {activation!r}; 'relu2' or 'gelu' was expected.")
    return activation == "relu2"


def first_std(name, config):
    """The standard deviation a matrix starts with: GPT-2's, or 0 where an ingredient lets it start silent.

    A block whose outputs are 0 passes on what came, and a head of 0 gives every token the same chance.
    """
    if name == "head.weight":
        return 0.0 if config.zero_head else 0.02
    if name.endswith("output.weight"):
        return 0.0 if config.zero_outputs else 0.02 / math.sqrt(2 * config.layers)
    return 0.02
