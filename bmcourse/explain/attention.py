"""Attention (注意力) as an explanation: where every layer looked, and what that comes to over all layers.

That a model looked somewhere does not say that it used what it saw: Jain and Wallace, "Attention is not Explanation",
2019; Wiegreffe and Pinter, "Attention is not not Explanation", 2019.
"""

import torch

from bmcourse.explain.core import check_evaluating
from bmcourse.explain.inside import residual_streams
from bmcourse.models.attention import attention_weights, causal_mask


@torch.no_grad()
def gpt_attention(model, tokens):
    """The weights of all heads of a GPT that reads one text (T,): (layers, H, T, T), a row for each token that looks.

    Raises ValueError as residual_streams does.
    """
    weights = []
    streams = residual_streams(model, tokens)
    for block, x in zip(model.blocks, streams, strict=False):  # the last stream comes out of the last block
        T, H = len(x), block.attention.heads
        query, key, _ = block.attention.query_key_value(block.attention_norm(x)).view(T, 3, H, -1).permute(1, 2, 0, 3)
        weights.append(attention_weights(query, key, causal_mask(T, x.device)))
    return torch.stack(weights)


@torch.no_grad()
def encoder_attention(encoder, src, src_key_padding_mask=None, mask=None):
    """The weights of all heads of a TransformerEncoder that reads src (B, T, C): (layers, B, H, T, T).

    `src_key_padding_mask` (B, T) is True for padding; `mask` is the encoder's own. Raises ValueError for an encoder in
    training mode.
    """
    check_evaluating(encoder)
    weights = []
    for layer in encoder.layers:
        x = layer.norm1(src) if layer.norm_first else src
        weights.append(layer.self_attn(x, x, x, mask, src_key_padding_mask, need_weights=True)[1])
        src = layer(src, mask, src_key_padding_mask)
    return torch.stack(weights)


def attention_rollout(weights):
    """How much of each token reaches each position through all layers: (layers, ..., H, T, T) → (..., T, T).

    A layer hands on half of what a position has (the sum x + ...) and half of what its heads took, on average. The
    layers' matrices are multiplied, so a row still sums to 1. Raises ValueError for weights of another shape.
    Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", 2020, section 3.
    """
    if weights.ndim < 4 or weights.shape[-1] != weights.shape[-2] or len(weights) == 0:
        raise ValueError(
            f"The weights are {tuple(weights.shape)}; (layers, ..., H, T, T) was expected: all heads of all layers. "
            f"For one layer pass weights[None]."
        )
    T = weights.shape[-1]
    steps = (weights.mean(dim=-3) + torch.eye(T).to(weights)) / 2  # (layers, ..., T, T)
    reached = steps[0]
    for step in steps[1:]:
        reached = step @ reached
    return reached
