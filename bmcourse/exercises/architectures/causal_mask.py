"""The exercise `causal_mask` of lesson 03."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="A mask (T, T) of True and False: mask[t, s] is True where position t may look at position s, at itself and "
    "at all before it. (F.scaled_dot_product_attention reads masks so; nn.MultiheadAttention reads True as 'may not'.)"
)
def causal_mask(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


@causal_mask.judge
def mask_by_loop(T):
    return torch.tensor([[source <= t for source in range(T)] for t in range(T)])


@causal_mask.right
def mask_by_comparison(T):
    positions = torch.arange(T)
    return positions[:, None] >= positions


@causal_mask.right
def mask_by_inversion(T):
    return ~torch.triu(torch.ones(T, T), diagonal=1).bool()


@causal_mask.right
def mask_row_by_row(T):
    mask = torch.zeros(T, T, dtype=torch.bool)
    for t in range(T):
        mask[t, : t + 1] = True
    return mask


@causal_mask.cases
def cases():
    return [(3,), (1,), (6,)]


causal_mask.mistake(
    "Your mask is transposed: position t sees itself and the future. Rows look, columns are looked at: tril.",
    TODO_42=lambda T: causal_mask(T).T,
)


causal_mask.mistake(
    "Your mask is inverted: True where position t may not look. nn.MultiheadAttention wants it so; here True "
    "means that it may.",
    TODO_43=lambda T: ~causal_mask(T),
)


causal_mask.mistake(
    "A position must also see itself: the diagonal is True. Otherwise position 0 sees nothing at all.",
    TODO_44=lambda T: causal_mask(T).tril(-1),
)


causal_mask.mistake(
    "Every position sees one of the future, the very token it must predict. Use tril with diagonal=0.",
    TODO_45=lambda T: torch.ones(T, T).tril(1).bool(),
)


causal_mask.mistake(
    "Your mask holds floats. A float mask is added to the scores: 0 and 1 then hide nothing. Make it True and "
    "False: .bool().",
    TODO_46=lambda T: causal_mask(T).float(),
)


causal_mask.mistake(
    "That is the additive mask, 0 and -inf, which is added to the scores. Here it is True and False.",
    TODO_47=lambda T: torch.zeros(T, T).masked_fill(~causal_mask(T), -math.inf),
)


causal_mask.mistake(
    "Position t sees only itself and the one before (a window). It may see all before it.",
    TODO_48=lambda T: causal_mask(T).triu(-1),
)


causal_mask.mistake(
    "Position t sees only itself. It may also see all before it.", TODO_49=lambda T: torch.eye(T).bool()
)


causal_mask.hints(
    "Write it down for T = 3. Which positions may position 0 see? Which may position 2?",
    "The lower triangle with the diagonal. torch.tril keeps it and sets the rest to zero, or False.",
    "torch.ones(T, T, dtype=torch.bool).tril()",
)
