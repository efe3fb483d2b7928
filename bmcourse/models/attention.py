"""Attention (注意力), simplest first: one query at a time, all at once, scaled, masked, in several heads.

A query asks, every key answers with a score, and the query gets the mean of the values weighted by exp(score).
Sizes: B texts, H heads, T queries, S keys with a value each, D numbers in each of them, C = H · D channels.

A bool mask is True where a query may NOT attend, as in torch.nn.MultiheadAttention; a float mask is added to the
scores. (In torch.nn.functional.scaled_dot_product_attention True means the opposite: may attend.)
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

# ---------------------------------------------------------------- one head


def attention_loop(query, key, value):
    """For each query (T, D) the mean of the values (S, D), weighted by how well their keys (S, D) fit. Slow."""
    mixed = []
    for q in query:
        weights = torch.stack([torch.exp(q @ k) for k in key])
        weights = weights / weights.sum()
        mixed.append(sum(w * v for w, v in zip(weights, value, strict=True)))
    return torch.stack(mixed)


def dot_product_attention(query, key, value):
    """The same in two matrix products: query (..., T, D) with key and value (..., S, D) gives (..., T, D)."""
    attention_scores = query @ key.transpose(-2, -1)  # (..., T, S)
    return attention_scores.softmax(dim=-1) @ value


def scaled_attention(query, key, value):
    """The same with scores divided by √D: sums of D products grow like √D, and large scores leave softmax no gradient.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1.
    """
    return dot_product_attention(query / math.sqrt(query.shape[-1]), key, value)


def scaled_dot_product_attention(query, key, value, mask=None):
    """The same with a mask, bool or float, that broadcasts to the scores (..., T, S).

    A query that may attend to nothing gets zeros and a gradient of zero; a plain softmax gives NaN.
    Raises ValueError for a mask of another shape or dtype.
    """
    return attention_weights(query, key, mask) @ value


def attention_weights(query, key, mask=None):
    """How much a query (..., T, D) takes of each key (..., S, D): (..., T, S). A row sums to 1; fully masked, to 0."""
    attention_scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is None:
        return attention_scores.softmax(dim=-1)
    check_mask(mask, attention_scores.shape)
    mask, blind = open_blind_rows(additive_mask(mask, query.dtype))
    return (attention_scores + mask).softmax(dim=-1).masked_fill(blind, 0.0)


# ---------------------------------------------------------------- masks


def causal_mask(T, device=None):
    """A bool mask (T, T), True above the diagonal: no position may attend to a later one."""
    return torch.ones(T, T, dtype=torch.bool, device=device).triu(diagonal=1)


def additive_mask(mask, dtype):
    """The mask as numbers to add to the scores: -inf where a bool mask is True, and a float mask as it is.

    Raises ValueError for a mask of integers.
    """
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, -math.inf)
    if mask.is_floating_point():
        return mask.to(dtype)
    raise ValueError(
        f"A mask is bool (True: may not attend) or float (added to the scores); {mask.dtype} came. "
        f"Pass mask.bool() if 1 means 'may not attend', or mask == 0 if 1 means 'may attend'."
    )


def open_blind_rows(mask):
    """An additive mask (..., T, S) with 0 in the rows that were all -inf, and those rows as a bool mask (..., T, 1)."""
    blind = (mask == -math.inf).all(dim=-1, keepdim=True)
    return mask.masked_fill(blind, 0.0), blind


def merge_masks(attn_mask, key_padding_mask, shape, dtype):
    """One additive mask that broadcasts to scores of `shape` (B, H, T, S), or None if there are no masks."""
    B, H, T, S = shape
    masks = []
    if attn_mask is not None:
        check_attn_mask(attn_mask, shape)
        mask = additive_mask(attn_mask, dtype)
        masks.append(mask if mask.ndim == 2 else mask.unflatten(0, (B, H)))
    if key_padding_mask is not None:
        check_key_padding_mask(key_padding_mask, shape)
        masks.append(additive_mask(key_padding_mask, dtype)[:, None, None, :])
    return sum(masks) if masks else None


# ---------------------------------------------------------------- several heads


def fused_attention(query, key, value, mask=None, dropout=0.0):
    """scaled_dot_product_attention by torch's fused kernel, with dropout of the weights; the mask is additive.

    Source: Dao et al., "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness", 2022.
    """
    if mask is None:
        return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    mask, blind = open_blind_rows(mask)  # torch does not promise what a row of -inf gives
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    return mixed.masked_fill(blind, 0.0)


class MultiHeadAttention(nn.Module):
    """`nhead` attentions side by side, each on D = d_model / nhead channels of its own.

    Takes query (B, T, C), key and value (B, S, C): `mha(x, x, x)` is self-attention, `mha(x, memory, memory)` is
    cross-attention. Returns the output (B, T, C) and the weights (B, H, T, S), which are None unless `need_weights`.
    (torch keeps them unless told not to, and gives their mean over the heads.)
    `attn_mask` is (T, S) or (B · H, T, S); `key_padding_mask` is (B, S), True for padding.
    The parameters are those of torch.nn.MultiheadAttention(batch_first=True): state_dicts load both ways.
    Raises ValueError when d_model is not a multiple of nhead, and for inputs and masks of other shapes or dtypes.
    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.2.
    """

    def __init__(self, d_model, nhead, dropout=0.0):
        super().__init__()
        check_heads(d_model, nhead)
        self.d_model, self.nhead, self.dropout = d_model, nhead, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))  # of query, key and value, in this order
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query, key, value, attn_mask=None, key_padding_mask=None, need_weights=False):
        check_inputs(query, key, value, self.d_model)
        query, key, value = (self.split_heads(x) for x in self.project(query, key, value))
        mask = merge_masks(attn_mask, key_padding_mask, (*query.shape[:3], key.shape[2]), query.dtype)
        dropout = self.dropout if self.training else 0.0
        if need_weights:
            weights = F.dropout(attention_weights(query, key, mask), dropout)
            mixed = weights @ value
        else:
            weights, mixed = None, fused_attention(query, key, value, mask, dropout)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), weights

    def project(self, query, key, value):
        if query is key is value:  # one large product is faster than three
            return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        return [F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]

    def split_heads(self, x):
        B, T, C = x.shape
        return x.view(B, T, self.nhead, C // self.nhead).transpose(1, 2)  # (B, H, T, D)


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


# ---------------------------------------------------------------- what may come in


def check_heads(d_model, nhead):
    if nhead < 1 or d_model % nhead:
        raise ValueError(
            f"d_model = {d_model} cannot be shared evenly by nhead = {nhead} heads. Make d_model a multiple of nhead."
        )


def check_input(name, x, d_model):
    if x.ndim != 3 or x.shape[-1] != d_model:
        raise ValueError(
            f"{name} is {tuple(x.shape)}; (B, T, C) was expected with C = d_model = {d_model}: texts first. "
            f"For one text alone pass {name}[None]."
        )


def check_inputs(query, key, value, d_model):
    for name, x in (("query", query), ("key", key), ("value", value)):
        check_input(name, x, d_model)
    if key.shape != value.shape or len(query) != len(key):
        raise ValueError(
            f"query is {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}; all need the same "
            f"number of texts B, and key and value the same length S."
        )


def check_mask(mask, shape):
    fits = zip(reversed(mask.shape), reversed(shape), strict=False)
    if mask.ndim > len(shape) or any(size not in (1, wanted) for size, wanted in fits):
        raise ValueError(
            f"The mask is {tuple(mask.shape)} and does not broadcast to the scores, {tuple(shape)}. "
            f"Give it one row for each of {shape[-2]} queries and one column for each of {shape[-1]} keys."
        )


def check_attn_mask(attn_mask, shape):
    B, H, T, S = shape
    if attn_mask.shape not in ((T, S), (B * H, T, S)):
        raise ValueError(
            f"attn_mask is {tuple(attn_mask.shape)}; it must be (T, S) = ({T}, {S}), one row a query and one column "
            f"a key, or (B · H, T, S) = ({B * H}, {T}, {S}). What hides padding is key_padding_mask."
        )


def check_key_padding_mask(key_padding_mask, shape):
    B, _, _, S = shape
    if key_padding_mask.shape != (B, S):
        raise ValueError(
            f"key_padding_mask is {tuple(key_padding_mask.shape)}; it must be (B, S) = ({B}, {S}), "
            f"True for every key that is padding."
        )
