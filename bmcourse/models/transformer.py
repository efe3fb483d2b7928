"""The Transformer block (Transformer 块): look around, then think alone, each added to what was there."""

from torch import nn

from bmcourse.models.attention import CausalSelfAttention


class Block(nn.Module):
    """Attention, then a small network at every position; x (B, T, C) in, the same shape out.

    The normalisation stands before each part (pre-norm), so the sum `x + ...` runs through the whole model untouched.
    Source: Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019, section 2.3.
    """

    def __init__(self, channels, heads, dropout=0.0):
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels)
        self.attention = CausalSelfAttention(channels, heads, dropout)
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))
