"""Causal self-attention (因果自注意力): every position looks back at the positions before it, and at itself."""

import torch.nn.functional as F
from torch import nn


class CausalSelfAttention(nn.Module):
    """Several heads of attention side by side, over x (B, T, C), and nothing from the future.

    Raises ValueError when `channels` is not a multiple of `heads`.
    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.
    """

    def __init__(self, channels, heads, dropout=0.0):
        super().__init__()
        if channels % heads:
            raise ValueError(
                f"{channels} channels cannot be shared evenly by {heads} heads: make channels a multiple of heads."
            )
        self.heads, self.dropout = heads, dropout
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)

    def forward(self, x):
        B, T, C = x.shape
        H, D = self.heads, C // self.heads
        query, key, value = self.query_key_value(x).view(B, T, 3, H, D).permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=dropout)
        return self.output(mixed.transpose(1, 2).reshape(B, T, C))
