"""The exercise `split_heads` of lesson 03."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Cut the C channels of x (B, T, C) into `heads` equal parts, one after the other: (B, H, T, D) with "
    "D = C / H. Head 0 gets the first D channels of every position."
)
def split_heads(x, heads):
    B, T, C = x.shape
    return x.view(B, T, heads, C // heads).transpose(1, 2)


@split_heads.judge
def heads_by_loop(x, heads):
    B, T, C = x.shape
    D = C // heads
    result = torch.empty(B, heads, T, D)
    for h in range(heads):
        for d in range(D):
            result[:, h, :, d] = x[:, :, h * D + d]
    return result


@split_heads.right
def heads_by_chunks(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


@split_heads.right
def heads_by_unflatten(x, heads):
    return x.unflatten(2, (heads, -1)).permute(0, 2, 1, 3)


@split_heads.right
def heads_by_columns(x, heads):
    B, T, C = x.shape
    return x.mT.reshape(B, heads, C // heads, T).mT


def _cut(view, turn=lambda x: x):
    """A wrong way to split: `view(B, T, H, D)` gives the sizes to read x in, `turn` moves dimensions."""

    def answer(x, heads):
        B, T, C = x.shape
        return turn(x.reshape(view(B, T, heads, C // heads)))

    return answer


@split_heads.cases
def cases():
    return [
        (torch.arange(8.0).view(1, 2, 4), 2),
        (torch.randn(2, 3, 8), 4),
        (torch.randn(3, 5, 6), 2),
        (torch.randn(2, 4, 3), 1),
    ]


split_heads.mistake(
    "view(B, H, T, D) gives the right shape and mixes positions: it deals the numbers out in the order they "
    "lie in memory. First view(B, T, H, D), then transpose(1, 2).",
    TODO_62=_cut(lambda B, T, H, D: (B, H, T, D)),
)


split_heads.mistake(
    "The heads are cut, but yours is (B, T, H, D). Move the heads in front of time: transpose(1, 2).",
    TODO_63=_cut(lambda B, T, H, D: (B, T, H, D)),
)


split_heads.mistake(
    "Head 0 gets channels 0, H, 2H, ... The heads are blocks that lie side by side: view(B, T, H, D).",
    TODO_64=_cut(lambda B, T, H, D: (B, T, D, H), lambda x: x.permute(0, 3, 1, 2)),
)


split_heads.mistake(
    "You exchanged heads and channels, (B, T, D, H). Exchange time and heads: transpose(1, 2).",
    TODO_65=_cut(lambda B, T, H, D: (B, T, H, D), lambda x: x.transpose(2, 3)),
)


split_heads.mistake(
    "You exchanged time and channels, (B, D, H, T). Exchange time and heads: transpose(1, 2).",
    TODO_66=_cut(lambda B, T, H, D: (B, T, H, D), lambda x: x.transpose(1, 3)),
)


split_heads.mistake(
    "Your heads come first, before the batch: stack(..., dim=1).",
    TODO_67=lambda x, heads: torch.stack(x.chunk(heads, dim=-1)),
)


split_heads.mistake(
    "Every head is transposed, (B, H, D, T). Exchange the last two dimensions once more.",
    TODO_68=lambda x, heads: x.mT.reshape(len(x), heads, -1, x.shape[1]),
)


split_heads.mistake(
    "You put batch and heads into one dimension, (B * H, T, D). Here they stay apart.",
    TODO_69=lambda x, heads: split_heads(x, heads).flatten(0, 1),
)


split_heads.mistake(
    "You took H for the size of a head. `heads` is how many there are: each has C // heads channels.",
    TODO_70=_cut(lambda B, T, H, D: (B, T, D, H), lambda x: x.transpose(1, 2)),
)


split_heads.hints(
    "Two steps: first cut the last dimension in two, then move one dimension.",
    "view(B, T, H, D) cuts the channels, and each position keeps its own.",
    "transpose(1, 2) then exchanges T and H.",
)
