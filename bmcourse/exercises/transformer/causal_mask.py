"""The mask of a decoder: each position may look at itself and at all before it."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="A mask (T, T) of True and False: mask[t, s] is True where position t may look at position s, at itself and "
    "at all before it. (F.scaled_dot_product_attention reads masks so; nn.MultiheadAttention reads True as 'may not'.)"
)
def causal_mask(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


@causal_mask.cases
def cases():
    return [(3,), (1,), (6,), (70,)]


@causal_mask.judge
def by_loop(T):
    return torch.tensor([[source <= t for source in range(T)] for t in range(T)])


@causal_mask.right
def by_comparison(T):
    positions = torch.arange(T)
    return positions[:, None] >= positions


@causal_mask.right
def by_inversion(T):
    return ~torch.triu(torch.ones(T, T), diagonal=1).bool()


@causal_mask.right
def row_by_row(T):
    mask = torch.zeros(T, T, dtype=torch.bool)
    for t in range(T):
        mask[t, : t + 1] = True
    return mask


@causal_mask.right
def by_a_running_sum(T):
    return torch.eye(T).cumsum(dim=0) > 0


@causal_mask.right
def by_indices(T):
    mask = torch.full((T, T), False)
    mask[tuple(torch.tril_indices(T, T))] = True
    return mask


def after(change):
    """The right mask, changed."""
    return lambda T: change(causal_mask(T))


causal_mask.mistake(
    "Your mask is transposed: position t sees itself and the future. Rows look, columns are looked at: tril.",
    transposed=after(lambda mask: mask.T),
)
causal_mask.mistake(
    "Your mask is inverted: True where position t may not look. nn.MultiheadAttention wants it so; here True "
    "means that it may.",
    inverted=after(lambda mask: ~mask),
)
causal_mask.mistake(
    "A position must also see itself: the diagonal is True. Otherwise position 0 sees nothing at all.",
    no_diagonal=after(lambda mask: mask.tril(-1)),
)
causal_mask.mistake(
    "Every position sees one of the future, the very token it must predict. Use tril with diagonal=0.",
    one_of_the_future=lambda T: torch.ones(T, T).tril(1).bool(),
)
causal_mask.mistake(
    "Every position sees two of the future. Use tril with diagonal=0, or compare with <=.",
    two_of_the_future=lambda T: torch.ones(T, T).tril(2).bool(),
)
causal_mask.mistake(
    "You hide only the place right behind t. All places behind it must be hidden.",
    next_one_hidden=lambda T: ~torch.ones(T, T).triu(1).tril(1).bool(),
)
causal_mask.mistake(
    "Every position sees all others, the future too. Position t may look at s only where s <= t.",
    all_true=lambda T: torch.ones(T, T, dtype=torch.bool),
)
causal_mask.mistake(
    "Nobody sees anything: your mask is False everywhere. It is True where s <= t.",
    all_false=lambda T: torch.zeros(T, T, dtype=torch.bool),
)
causal_mask.mistake(
    "Every position sees all but itself. It may see itself, and not what comes behind it.",
    all_but_itself=lambda T: ~torch.eye(T).bool(),
)
causal_mask.mistake(
    "Your mask holds floats. A float mask is added to the scores: 0 and 1 then hide nothing. Make it True and "
    "False: .bool().",
    floats=after(torch.Tensor.float),
)
causal_mask.mistake(
    "Your mask holds whole numbers, 0 and 1. Make it True and False: .bool().", whole_numbers=after(torch.Tensor.long)
)
causal_mask.mistake(
    "Your mask holds floats, and is 1 where position t may not look. Make it True where it may: tril, and .bool().",
    inverted_floats=after(lambda mask: (~mask).float()),
)
causal_mask.mistake(
    "Your mask holds floats, and it is transposed. Rows look, columns are looked at: tril, and .bool().",
    transposed_floats=after(lambda mask: mask.T.float()),
)
causal_mask.mistake(
    "That is the additive mask, 0 and -inf, which is added to the scores. Here it is True and False.",
    additive=after(lambda mask: torch.zeros(mask.shape).masked_fill(~mask, -math.inf)),
)
causal_mask.mistake(
    "That is an additive mask, 0 and -1e9, which is added to the scores. Here it is True and False.",
    additive_finite=after(lambda mask: torch.zeros(mask.shape).masked_fill(~mask, -1e9)),
)
causal_mask.mistake(
    "You multiply -inf by 0, which is NaN. Here no -inf is needed: the mask is True and False.",
    times_inf=after(lambda mask: (~mask) * -math.inf),
)
causal_mask.mistake(
    "Position t sees only itself and the one before (a window). It may see all before it.",
    window_of_two=after(lambda mask: mask.triu(-1)),
)
causal_mask.mistake(
    "Position t sees only itself and the two before (a window). It may see all before it.",
    window_of_three=after(lambda mask: mask.triu(-2)),
)
causal_mask.mistake(
    "Position t sees only the last 8 places. It may see all before it, however many there are.",
    window_of_eight=after(lambda mask: mask.triu(-7)),
)
causal_mask.mistake(
    "Position t sees itself and its two neighbours. It may see all before it, and nothing behind it.",
    neighbours=lambda T: torch.ones(T, T).triu(-1).tril(1).bool(),
)
causal_mask.mistake(
    "Position t sees only itself. It may also see all before it.", only_itself=lambda T: torch.eye(T).bool()
)
causal_mask.mistake(
    "Position t sees only the one before it. It may also see itself and all others before it.",
    only_the_one_before=lambda T: torch.ones(T, T).tril(-1).triu(-1).bool(),
)


@causal_mask.mistake("Only position 0 sees position 0. Every position may look at all before it, the first one too.")
def first_one_hidden(T):
    mask = torch.ones(T, T, dtype=torch.bool).tril()
    mask[1:, 0] = False
    return mask


@causal_mask.mistake("Your last row is empty: range(T - 1) leaves it out. range(T) ends with T - 1 already.")
def last_row_empty(T):
    mask = torch.zeros(T, T, dtype=torch.bool)
    for t in range(T - 1):
        mask[t, : t + 1] = True
    return mask


@causal_mask.mistake("Your first row is empty, so that position 0 sees nothing. Begin with t = 0: it sees itself.")
def first_row_empty(T):
    mask = torch.ones(T, T, dtype=torch.bool).tril()
    mask[0] = False
    return mask


causal_mask.mistake(
    "Your triangle leans the other way: the first positions see most. Position 0 sees itself only.",
    rows_reversed=after(lambda mask: mask.flip(0)),
)
causal_mask.mistake(
    "Each of your rows is reversed: position 0 sees the last place. It sees itself, mask[0, 0].",
    columns_reversed=after(lambda mask: mask.flip(1)),
)
causal_mask.mistake(
    "You added dimensions for batch and heads. The mask is (T, T), and broadcasting does the rest.",
    batch_and_heads=after(lambda mask: mask[None, None]),
)
causal_mask.mistake(
    "You added a dimension for the batch. The mask is (T, T), and broadcasting does the rest.",
    batch=after(lambda mask: mask[None]),
)
causal_mask.mistake(
    "That is one row of T places. A table needs the positions once as a column: positions[:, None] >= positions.",
    one_row=lambda T: torch.arange(T) <= torch.arange(T),
)
causal_mask.mistake(
    "Your mask has one row and one column too many. There are T positions: 0 to T - 1.",
    one_too_large=lambda T: causal_mask(T + 1),
)
causal_mask.mistake(
    "Your mask has one row and one column too few: T positions look at T positions.",
    one_too_small=lambda T: causal_mask(T - 1),
)
causal_mask.mistake(
    "You return lists. Make a tensor of them: torch.tensor(...).", lists=after(lambda mask: mask.tolist())
)
causal_mask.mistake(
    "You return a NumPy array. Attention wants a tensor: torch.ones(T, T).tril().bool().",
    numpy_array=after(lambda mask: mask.numpy()),
)
causal_mask.mistake(
    "You return the pairs (t, s) where position t may look. Return the table: True at these places.",
    pairs=after(lambda mask: mask.nonzero()),
)
causal_mask.mistake(
    "Position t sees the future, itself and the one before it: triu keeps what is behind. tril keeps what is before.",
    future_and_one_before=lambda T: torch.ones(T, T).triu(-1).bool(),
)
causal_mask.mistake(
    "That is an additive mask, and its diagonal is -inf too. Here the mask is True and False, and a "
    "position sees itself.",
    additive_with_diagonal=lambda T: torch.full((T, T), -math.inf).triu(),
)
causal_mask.mistake(
    "Your mask holds floats, and position t does not see itself. Make it True and False, the diagonal True.",
    floats_without_diagonal=lambda T: torch.ones(T, T).tril(-1),
)
causal_mask.mistake(
    "Only position 0 may be seen. Position t sees all places from 0 to t.",
    only_the_first_seen=lambda T: torch.arange(T).expand(T, T) == 0,
)
causal_mask.mistake(
    "Only the last position sees all; the rest sees nothing. Each position t sees the places 0 to t.",
    only_the_last_sees=lambda T: (torch.arange(T) == T - 1)[:, None].expand(T, T),
)
causal_mask.mistake(
    "Each position sees only every second place before it. It sees all of them.",
    every_second=lambda T: causal_mask(T) & ((torch.arange(T)[:, None] - torch.arange(T)) % 2 == 0),
)
causal_mask.mistake(
    "Your mask holds floats, and every position sees one of the future. Make it True and False: tril(), diagonal 0.",
    floats_with_one_of_the_future=lambda T: torch.ones(T, T).tril(1),
)


causal_mask.hints(
    "Write it down for T = 3. Which positions may position 0 see? Which may position 2?",
    "The lower triangle with the diagonal. torch.tril keeps it and sets the rest to zero, or False.",
    "torch.ones(T, T, dtype=torch.bool).tril()",
)
