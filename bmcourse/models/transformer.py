"""The Transformer: look around, then think alone, each added to what was there.

First the block (Transformer 块) of the course's GPT, then encoder and decoder with the interface of torch.nn and
batch_first=True: tensors are always (B, T, C). Their parameters have torch's names, so state_dicts load both ways.
"""

import copy

from torch import nn

from bmcourse.models.attention import CausalSelfAttention, MultiHeadAttention, check_input
from bmcourse.models.mlp import activation_function


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


def add_and_norm(x, part, norm, dropout, norm_first):
    """One part of a layer: normalise the sum of x and part(x) (post-norm), or first what goes into the part (pre-norm).

    Pre-norm leaves a path of sums through the whole model, on which the gradient comes back untouched.
    Sources: Vaswani et al., "Attention Is All You Need", 2017, section 3.1 (post-norm); Xiong et al., "On Layer
    Normalization in the Transformer Architecture", 2020 (pre-norm).
    """
    if norm_first:
        return x + dropout(part(norm(x)))
    return norm(x + dropout(part(x)))


class TransformerEncoderLayer(nn.Module):
    """Self-attention, then a network of two layers at every position: src (B, T, C) in, the same shape out.

    Texts always come first, as in torch with batch_first=True.
    `src_mask` and `src_key_padding_mask` are MultiHeadAttention's, `activation` is a name or a function, and
    `norm_first` chooses pre-norm. Raises ValueError for an unknown activation, and as MultiHeadAttention does.
    Source: Vaswani et al., "Attention Is All You Need", 2017, sections 3.1 and 3.3.
    """

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu", norm_first=False):
        super().__init__()
        self.self_attn = MultiHeadAttention(d_model, nhead, dropout)
        self.linear1 = nn.Linear(d_model, dim_feedforward)
        self.linear2 = nn.Linear(dim_feedforward, d_model)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.activation, self.norm_first = activation_function(activation), norm_first

    def forward(self, src, src_mask=None, src_key_padding_mask=None):
        check_input("src", src, self.self_attn.d_model)

        def attend(x):
            return self.self_attn(x, x, x, src_mask, src_key_padding_mask)[0]

        src = add_and_norm(src, attend, self.norm1, self.dropout, self.norm_first)
        return add_and_norm(src, self.feed_forward, self.norm2, self.dropout, self.norm_first)

    def feed_forward(self, x):
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoder(nn.Module):
    """`num_layers` deep copies of `encoder_layer`, one after another, and `norm` (such as LayerNorm) behind the last.

    src (B, T, C) in, the same shape out; `mask` and `src_key_padding_mask` go to every layer. As in torch all copies
    start with the same weights; give each its own, with torch.nn.init, if you train from scratch.
    Raises ValueError for fewer than one layer.
    """

    def __init__(self, encoder_layer, num_layers, norm=None):
        super().__init__()
        self.layers = deep_copies(encoder_layer, num_layers)
        self.norm = norm

    def forward(self, src, mask=None, src_key_padding_mask=None):
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


class TransformerDecoderLayer(nn.Module):
    """Self-attention in tgt (B, T, C), then cross-attention from it to memory (B, S, C), then the network: (B, T, C).

    `memory` is what the encoder made of its text. `tgt_mask` is (T, T), mostly causal_mask(T); `memory_mask` is (T, S).
    Settings and errors are the encoder layer's.
    Source: Vaswani et al., "Attention Is All You Need", 2017, sections 3.1 and 3.2.3.
    """

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu", norm_first=False):
        super().__init__()
        self.self_attn = MultiHeadAttention(d_model, nhead, dropout)
        self.multihead_attn = MultiHeadAttention(d_model, nhead, dropout)
        self.linear1 = nn.Linear(d_model, dim_feedforward)
        self.linear2 = nn.Linear(dim_feedforward, d_model)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        self.activation, self.norm_first = activation_function(activation), norm_first

    def forward(
        self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None
    ):
        check_input("tgt", tgt, self.self_attn.d_model)
        check_input("memory", memory, self.self_attn.d_model)

        def attend(x):
            return self.self_attn(x, x, x, tgt_mask, tgt_key_padding_mask)[0]

        def attend_to_memory(x):
            return self.multihead_attn(x, memory, memory, memory_mask, memory_key_padding_mask)[0]

        tgt = add_and_norm(tgt, attend, self.norm1, self.dropout, self.norm_first)
        tgt = add_and_norm(tgt, attend_to_memory, self.norm2, self.dropout, self.norm_first)
        return add_and_norm(tgt, self.feed_forward, self.norm3, self.dropout, self.norm_first)

    def feed_forward(self, x):
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerDecoder(nn.Module):
    """`num_layers` deep copies of `decoder_layer`, one after another, each looking at the same memory, and `norm`.

    tgt (B, T, C) and memory (B, S, C) in, (B, T, C) out; the masks are the layer's.
    Raises ValueError for fewer than one layer.
    """

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__()
        self.layers = deep_copies(decoder_layer, num_layers)
        self.norm = norm

    def forward(self, tgt, memory, *masks, **named_masks):
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks, **named_masks)
        return tgt if self.norm is None else self.norm(tgt)


def deep_copies(layer, count):
    """`count` layers that are equal to `layer` and share nothing, with it or each other."""
    if count < 1:
        raise ValueError(f"num_layers is {count}; a Transformer needs 1 layer or more.")
    return nn.ModuleList(copy.deepcopy(layer) for _ in range(count))
