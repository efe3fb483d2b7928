"""Positions (位置编码): attention does not know in which order its inputs stand, so they have to say it themselves."""

import torch


def position_angles(T, C):
    """The angle of each position for each of C / 2 hands of a clock: (T, C / 2), in radians.

    The first hand turns by 1 a position, each one after it more slowly, the last by almost 1/10000.
    Raises ValueError when C is odd. Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.5.
    """
    if C < 2 or C % 2:
        raise ValueError(f"Positions are written into pairs of channels, so their number must be even; {C} came.")
    speeds = 10000.0 ** (-torch.arange(0, C, 2) / C)
    return torch.arange(T)[:, None] * speeds


def sinusoidal_positions(T, C):
    """Sine and cosine of every hand, side by side: (T, C), to be added to the embeddings of T tokens.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.5.
    """
    angles = position_angles(T, C)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def rotary(x):
    """Each pair of channels of queries or keys x (..., T, D), turned by its position's angle; the length stays.

    A query's product with a key then depends on their distance only. Values are not turned.
    Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021, section 3.4.2.
    """
    angles = position_angles(*x.shape[-2:])
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(-2)
