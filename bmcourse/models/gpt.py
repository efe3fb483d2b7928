"""A GPT: from the tokens so far, a score for every token that may come next."""

from dataclasses import dataclass

import torch
from torch import nn

from bmcourse.models.transformer import Block


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a GPT. `context` is the longest text it reads at once, in tokens."""

    vocabulary_size: int
    context: int = 64
    layers: int = 2
    heads: int = 4
    channels: int = 64
    dropout: float = 0.0


class GPT(nn.Module):
    """Tokens (B, T) in, logits (B, T, V) out: `logits[b, t]` scores the token that follows token t.

    Raises ValueError for a text longer than the context.
    Source: Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019; weights start as there,
    normal with standard deviation 0.02.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary_size, config.channels)
        self.position_embedding = nn.Embedding(config.context, config.channels)
        self.blocks = nn.Sequential(
            *(Block(config.channels, config.heads, config.dropout) for _ in range(config.layers))
        )
        self.norm = nn.LayerNorm(config.channels)
        self.head = nn.Linear(config.channels, config.vocabulary_size, bias=False)
        self.apply(_small_random_weights)

    def forward(self, tokens):
        B, T = tokens.shape
        if self.config.context < T:
            raise ValueError(
                f"The text has {T} tokens; this GPT reads at most {self.config.context} at once "
                f"(config.context). Pass its last {self.config.context} tokens."
            )
        x = self.token_embedding(tokens) + self.position_embedding(torch.arange(T, device=tokens.device))  # (B, T, C)
        return self.head(self.norm(self.blocks(x)))  # (B, T, V)


def _small_random_weights(module):
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
