"""The sinusoidal table of positions (Vaswani et al. 2017, "Attention Is All You Need", section 3.5)."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The table (T, C) of sinusoidal positions of the Transformer paper, C even, t from 0: "
    "channel 2i is sin(t / 10000^(2i / C)), channel 2i + 1 is the cos of the same angle.",
    tolerance=1e-4,
)
def sinusoidal_positions(T, C):
    angles = torch.arange(T)[:, None] / 10_000 ** (torch.arange(0, C, 2) / C)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


@sinusoidal_positions.cases
def cases():
    return [(3, 2), (4, 6), (1, 4), (20, 16), (5, 10)]


@sinusoidal_positions.judge
def by_loop(T, C):
    def entry(t, c):
        angle = t / 10_000 ** ((c - c % 2) / C)
        return math.cos(angle) if c % 2 else math.sin(angle)

    return torch.tensor([[entry(t, c) for c in range(C)] for t in range(T)])


sinusoidal_positions.right(by_loop)


@sinusoidal_positions.right
def into_a_table(T, C):
    table = torch.zeros(T, C)
    t = torch.arange(T).unsqueeze(1).float()
    frequencies = torch.exp(torch.arange(0, C, 2) * (-math.log(10_000) / C))
    table[:, 0::2] = torch.sin(t * frequencies)
    table[:, 1::2] = torch.cos(t * frequencies)
    return table


@sinusoidal_positions.right
def by_a_phase(T, C):
    c = torch.arange(C)
    angles = torch.arange(T).outer(torch.pow(10_000, -2 * (c // 2) / C))
    return torch.sin(angles + math.pi / 2 * (c % 2))


@sinusoidal_positions.right
def of_complex_numbers(T, C):
    angles = torch.outer(torch.arange(T).float(), 1e4 ** (-torch.arange(C // 2) / (C // 2)))
    turning = torch.view_as_real(torch.polar(torch.ones_like(angles), angles)).flip(-1)
    return turning.reshape(T, C)


@sinusoidal_positions.right
def by_repeated_angles(T, C):
    wave_lengths = 10_000 ** (torch.arange(0, C, 2, dtype=torch.float64) / C).repeat_interleave(2)
    angles = torch.arange(T, dtype=torch.float64).reshape(-1, 1) / wave_lengths
    return torch.where(torch.arange(C) % 2 == 1, torch.cos(angles), torch.sin(angles)).float()


def interleaved(sines, cosines):
    return torch.stack([sines, cosines], dim=-1).flatten(1)


def of_angles(angles, join=interleaved):
    """A wrong table: `angles(t, i, T, C)` from a column of positions and the row i = 0, 1, ..., C / 2 - 1."""

    def answer(T, C):
        made = angles(torch.arange(T)[:, None], torch.arange(C // 2), T, C)
        return join(made.sin(), made.cos())

    return answer


def joined(join):
    """A wrong table: the right sines and cosines, put together by `join(sines, cosines)`."""
    return of_angles(lambda t, i, T, C: t / 10_000 ** (2 * i / C), join)


def after(change):
    """The right table, changed by `change(table)`."""
    return lambda T, C: change(sinusoidal_positions(T, C))


# How sines and cosines are put together.

sinusoidal_positions.mistake(
    "All sines come first, then all cosines. Much code does it so, and it works as well; the paper, and this "
    "exercise, alternate: sin, cos, sin, cos.",
    sines_then_cosines=joined(lambda sines, cosines: torch.cat([sines, cosines], dim=1)),
)
sinusoidal_positions.mistake(
    "All cosines come first, then all sines. The paper, and this exercise, alternate: sin, cos, sin, cos.",
    cosines_then_sines=joined(lambda sines, cosines: torch.cat([cosines, sines], dim=1)),
)
sinusoidal_positions.mistake(
    "Sine and cosine are exchanged: channel 0 is a sine.",
    sine_and_cosine_exchanged=joined(lambda sines, cosines: interleaved(cosines, sines)),
)
sinusoidal_positions.mistake(
    "All channels are sines. Those with an odd number are cosines.",
    sines_only=joined(lambda sines, cosines: interleaved(sines, sines)),
)
sinusoidal_positions.mistake(
    "All channels are cosines. Those with an even number are sines.",
    cosines_only=joined(lambda sines, cosines: interleaved(cosines, cosines)),
)
sinusoidal_positions.mistake(
    "The odd channels stay 0: fill them with the cosines, table[:, 1::2].",
    no_cosines=joined(lambda sines, cosines: interleaved(sines, 0 * sines)),
)
sinusoidal_positions.mistake(
    "The even channels stay 0: fill them with the sines, table[:, 0::2].",
    no_sines=joined(lambda sines, cosines: interleaved(0 * sines, cosines)),
)
sinusoidal_positions.mistake(
    "Your table has only C / 2 channels, the sines. Between them belong the cosines.",
    half_the_channels=joined(lambda sines, cosines: sines),
)
sinusoidal_positions.mistake(
    "You add sines and cosines. They stand side by side, in channels of their own.",
    added=joined(lambda sines, cosines: sines + cosines),
)
sinusoidal_positions.mistake(
    "Your pairs are still apart, (T, C / 2, 2). Make one row of them: .flatten(1).",
    pairs_apart=joined(lambda sines, cosines: torch.stack([sines, cosines], dim=-1)),
)
sinusoidal_positions.mistake(
    "reshape mixes positions: all sines lie in memory before all cosines. Stack along the last dimension: dim=-1.",
    stacked_in_front=joined(lambda sines, cosines: torch.stack([sines, cosines]).reshape(len(sines), -1)),
)
sinusoidal_positions.mistake(
    "Sines and cosines stand one below the other, (2T, C / 2). Each position is one row.",
    stacked_below=joined(lambda sines, cosines: torch.cat([sines, cosines])),
)
sinusoidal_positions.mistake(
    "sin and cos alternate with the position. They alternate with the channel: table[:, 0::2], and not table[0::2].",
    alternating_positions=lambda T, C: torch.where(
        torch.arange(T)[:, None] % 2 == 0,
        sinusoidal_positions(T, C)[:, 0::2].repeat_interleave(2, 1),
        sinusoidal_positions(T, C)[:, 1::2].repeat_interleave(2, 1),
    ),
)


# The angles.


def by_channel(exponent):
    """A wrong table: every channel c has the angle t / 10000^exponent(c, C)."""

    def answer(T, C):
        c = torch.arange(C)
        angles = torch.arange(T)[:, None] / 10_000 ** exponent(c, C)
        return torch.where(c % 2 == 0, angles.sin(), angles.cos())

    return answer


sinusoidal_positions.mistake(
    "Each channel has its own frequency. A sine and the cosine behind it share one: 2i for both.",
    frequency_for_each_channel=by_channel(lambda c, C: c / C),
)
sinusoidal_positions.mistake(
    "You take the channel's number for i: channel c has i = c // 2, so that 2i is the even number at or below c.",
    twice_the_channel=by_channel(lambda c, C: 2 * c / C),
)
sinusoidal_positions.mistake(
    "Your cosines use the next frequency, 2i + 2. A sine and the cosine behind it share one: 2i for both.",
    next_frequency_for_cosines=by_channel(lambda c, C: (c + c % 2) / C),
)
sinusoidal_positions.mistake(
    "Your exponent is i / C. It is 2i / C, so that the slowest wave comes near 10000.",
    half_the_exponent=of_angles(lambda t, i, T, C: t / 10_000 ** (i / C)),
)
sinusoidal_positions.mistake(
    "You double twice: arange(0, C, 2) is 2i already.",
    double_the_exponent=of_angles(lambda t, i, T, C: t / 10_000 ** (4 * i / C)),
)
sinusoidal_positions.mistake(
    "You divide the exponent by C - 2, so that the slowest wave is 10000 exactly. Some code does; here it is 2i / C.",
    exponent_to_the_end=of_angles(lambda t, i, T, C: t / 10_000 ** (i / max(C // 2 - 1, 1))),
)
sinusoidal_positions.mistake(
    "You divide the exponent by C - 1. It is 2i / C.",
    exponent_by_c_less_one=of_angles(lambda t, i, T, C: t / 10_000 ** (2 * i / (C - 1))),
)
sinusoidal_positions.mistake(
    "Your exponent begins with 2 / C: count i from 0. The first wave is sin(t).",
    exponent_from_one=of_angles(lambda t, i, T, C: t / 10_000 ** (2 * (i + 1) / C)),
)
sinusoidal_positions.mistake(
    "You divide the exponent by T, the number of positions. It is 2i / C, with the number of channels.",
    exponent_by_t=of_angles(lambda t, i, T, C: t / 10_000 ** (2 * i / T)),
)
sinusoidal_positions.mistake(
    "Only your first wave moves: all other angles are near 0. Divide the exponent by C: 10000 ** (2i / C). With "
    "exp, take the logarithm too: exp(-math.log(10000) * 2i / C).",
    exponent_not_divided=of_angles(lambda t, i, T, C: t / 10_000.0 ** (2 * i)),
)
sinusoidal_positions.mistake(
    "You divide the power by C. Divide the exponent: 10000 ** (2i / C), with brackets, since ** comes before /.",
    power_divided=of_angles(lambda t, i, T, C: t / (10_000.0 ** (2 * i) / C)),
)
sinusoidal_positions.mistake(
    "Brackets are missing: ** comes before /, so you divide by C and do not raise to 2i / C.",
    quotient_divided=of_angles(lambda t, i, T, C: t / 10_000.0 ** (2 * i) / C),
)
sinusoidal_positions.mistake(
    "// rounds the exponent down to 0, and all waves have the same length. Divide with /.",
    exponent_rounded=of_angles(lambda t, i, T, C: t / 10_000 ** (2 * i // C)),
)
sinusoidal_positions.mistake(
    "Your angles grow from channel to channel: you multiply by 10000^(2i / C). Divide by it.",
    multiplied=of_angles(lambda t, i, T, C: t * 10_000 ** (2 * i / C)),
)
sinusoidal_positions.mistake(
    "You raise t / 10000 to the power. Only 10000 is raised: t / 10000 ** (2i / C).",
    quotient_raised=of_angles(lambda t, i, T, C: (t / 10_000) ** (2 * i / C)),
)
sinusoidal_positions.mistake(
    "All your waves have the same length, 10000. It is raised to 2i / C.",
    exponent_forgotten=of_angles(lambda t, i, T, C: t / 10_000 + 0 * i),
)
sinusoidal_positions.mistake(
    "You multiply 10000 by 2i / C, which is 0 at first: t / 0. It is raised to it: ** and not *.",
    times_not_power=of_angles(lambda t, i, T, C: t / (10_000 * (2 * i / C))),
)
sinusoidal_positions.mistake(
    "Your base is 1000. It is 10000, with four zeros.",
    base_1000=of_angles(lambda t, i, T, C: t / 1000 ** (2 * i / C)),
)
sinusoidal_positions.mistake(
    "Your base is 100000. It is 10000, with four zeros.",
    base_100000=of_angles(lambda t, i, T, C: t / 100_000 ** (2 * i / C)),
)
sinusoidal_positions.mistake(
    "exp goes with the natural logarithm, math.log. You took log10, or log2, so the base is no longer 10000.",
    log10=of_angles(lambda t, i, T, C: t * torch.exp(-math.log10(10_000) * 2 * i / C)),
)
sinusoidal_positions.mistake(
    "exp without a base of 10000: your waves are t / e^(2i / C). Take 10_000 ** (2i / C).",
    base_e=of_angles(lambda t, i, T, C: t / torch.exp(2 * i / C)),
)
sinusoidal_positions.mistake(
    "You multiply by 2 pi. The angle is t / 10000^(2i / C) as it stands.",
    times_two_pi=of_angles(lambda t, i, T, C: 2 * math.pi * t / 10_000 ** (2 * i / C)),
)
sinusoidal_positions.mistake(
    "You turn the angles from degrees to radians. They are radians already.",
    from_degrees=of_angles(lambda t, i, T, C: torch.deg2rad(t / 10_000 ** (2 * i / C))),
)
sinusoidal_positions.mistake(
    "You divide the positions by T. They count 0, 1, 2, ..., whatever T is, so that a place looks alike in every text.",
    positions_divided=of_angles(lambda t, i, T, C: t / T / 10_000 ** (2 * i / C)),
)
sinusoidal_positions.mistake(
    "Your positions begin with 1. The first is 0: its sines are 0 and its cosines 1.",
    from_one=of_angles(lambda t, i, T, C: (t + 1) / 10_000 ** (2 * i / C)),
)
sinusoidal_positions.mistake(
    "Your angles are negative, so the sines have the wrong sign. The minus belongs into the exponent only.",
    negative_angles=of_angles(lambda t, i, T, C: -t / 10_000 ** (2 * i / C)),
)
sinusoidal_positions.mistake(
    "Your frequencies run backwards: the fastest wave, sin(t), stands in the first channels.",
    frequencies_reversed=of_angles(lambda t, i, T, C: t / 10_000 ** (2 * i.flip(0) / C)),
)
sinusoidal_positions.mistake(
    "You return the angles. Even channels are their sines, odd ones their cosines.",
    angles_only=lambda T, C: (torch.arange(T)[:, None] / 10_000 ** (torch.arange(0, C, 2) / C)).repeat_interleave(2, 1),
)


# The table as a whole.

sinusoidal_positions.mistake(
    "Your table is (C, T). Positions are the rows: (T, C).", transposed=after(lambda table: table.T)
)
sinusoidal_positions.mistake(
    "Your table has a dimension for the batch in front, (1, T, C). Here it is (T, C).",
    batch_in_front=after(lambda table: table[None]),
)
sinusoidal_positions.mistake(
    "Your table has a dimension for the batch in the middle, (T, 1, C). Here it is (T, C).",
    batch_in_the_middle=after(lambda table: table[:, None]),
)
sinusoidal_positions.mistake(
    "You scale by the root of C. Some models scale the embeddings so; the table itself is plain sines and cosines.",
    divided_by_the_root=after(lambda table: table / math.sqrt(table.shape[1])),
)
sinusoidal_positions.mistake(
    "You multiply by the root of C. Some models scale the embeddings so; the table itself is plain sines and cosines.",
    times_the_root=after(lambda table: table * math.sqrt(table.shape[1])),
)
sinusoidal_positions.mistake(
    "Your table holds whole numbers, and what is behind the point is lost. Fill a table of floats.",
    whole_numbers=after(torch.Tensor.long),
)
sinusoidal_positions.mistake("You return a NumPy array. Return a tensor.", numpy_array=after(torch.Tensor.numpy))
sinusoidal_positions.mistake(
    "You return lists. Make a tensor of them: torch.tensor(...).", lists=after(torch.Tensor.tolist)
)
sinusoidal_positions.mistake(
    "The last position is missing: arange(T) ends with T - 1 already.",
    last_position_missing=lambda T, C: sinusoidal_positions(T - 1, C),
)
sinusoidal_positions.mistake(
    "Your table has one position too many: 0 to T - 1 are T rows.",
    one_position_too_many=lambda T, C: sinusoidal_positions(T + 1, C),
)
sinusoidal_positions.mistake(
    "You take C for T and T for C. The arguments are T, the rows, and C, the channels.",
    sizes_exchanged=lambda T, C: sinusoidal_positions(C, T),
)
sinusoidal_positions.mistake(
    "Your angles grow from channel to channel: the minus is missing in exp(-math.log(10000) * 2i / C).",
    minus_forgotten=of_angles(lambda t, i, T, C: t * torch.exp(2 * i * (math.log(10_000) / C))),
)
sinusoidal_positions.mistake(
    "Sines and cosines are stacked in the middle, (T, 2, C / 2). They alternate in one row: stack(..., "
    "dim=-1).flatten(1).",
    stacked_in_the_middle=joined(lambda sines, cosines: torch.stack([sines, cosines], dim=1)),
)
sinusoidal_positions.mistake(
    "Sines and cosines are stacked in front, (2, T, C / 2). They alternate in one row: stack(..., dim=-1).flatten(1).",
    stacked_as_two_tables=joined(lambda sines, cosines: torch.stack([sines, cosines])),
)
sinusoidal_positions.mistake(
    "The cosines overwrite the sines: they belong to table[:, 1::2].",
    sines_overwritten=joined(lambda sines, cosines: interleaved(cosines, 0 * cosines)),
)
sinusoidal_positions.mistake(
    "Position 0 is left at 0. Its sines are 0, but its cosines are 1.",
    position_0_empty=lambda T, C: torch.cat([torch.zeros(1, C), sinusoidal_positions(T, C)[1:]]),
)
sinusoidal_positions.mistake(
    "The last position is left at 0. range(T) ends with T - 1 already.",
    last_position_empty=lambda T, C: torch.cat([sinusoidal_positions(T, C)[:-1], torch.zeros(1, C)]),
)
sinusoidal_positions.mistake(
    "You return the angles, (T, C / 2). Even channels are their sines, odd ones their cosines.",
    half_of_angles=lambda T, C: torch.arange(T)[:, None] / 10_000 ** (torch.arange(0, C, 2) / C),
)
sinusoidal_positions.mistake(
    "Your table is one long row. Positions are the rows: (T, C).", one_long_row=after(torch.Tensor.flatten)
)
sinusoidal_positions.mistake(
    "You scale each row to the length 1. Leave the plain sines and cosines.",
    normalised=after(lambda table: table / table.norm(dim=1, keepdim=True)),
)


@sinusoidal_positions.mistake(
    "Your rows 0::2 are sines and 1::2 cosines. Channels alternate: table[:, 0::2], table[:, 1::2]."
)
def rows_for_channels(T, C):
    table, angles = torch.zeros(T, C), torch.arange(T)[:, None] / 10_000 ** (torch.arange(0, C, 2) / C)
    table[0::2] = angles.sin()
    table[1::2] = angles.cos()
    return table


@sinusoidal_positions.mistake(
    "You write the pair of i to channels i and i + 1, over the next one. It belongs to 2i and 2i + 1."
)
def pairs_overwritten(T, C):
    table = torch.zeros(T, C)
    for i in range(C // 2):
        table[:, i] = (torch.arange(T) / 10_000 ** (2 * i / C)).sin()
        table[:, i + 1] = (torch.arange(T) / 10_000 ** (2 * i / C)).cos()
    return table


sinusoidal_positions.hints(
    "First the angles, a table (T, C / 2): positions as a column, divided by a row of wave lengths.",
    "The wave lengths are 10_000 ** (torch.arange(0, C, 2) / C).",
    "A table of zeros: table[:, 0::2] takes the sines, table[:, 1::2] the cosines.",
)
