"""The exercise `sinusoidal_positions` of lesson 03."""

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


@sinusoidal_positions.judge
def positions_by_loop(T, C):
    def entry(t, c):
        angle = t / 10_000 ** ((c - c % 2) / C)
        return math.cos(angle) if c % 2 else math.sin(angle)

    return torch.tensor([[entry(t, c) for c in range(C)] for t in range(T)])


@sinusoidal_positions.right
def positions_into_a_table(T, C):
    table = torch.zeros(T, C)
    t = torch.arange(T).unsqueeze(1).float()
    frequencies = torch.exp(torch.arange(0, C, 2) * (-math.log(10_000) / C))
    table[:, 0::2] = torch.sin(t * frequencies)
    table[:, 1::2] = torch.cos(t * frequencies)
    return table


@sinusoidal_positions.right
def positions_by_a_phase(T, C):
    c = torch.arange(C)
    angles = torch.arange(T).outer(torch.pow(10_000, -2 * (c // 2) / C))
    return torch.sin(angles + math.pi / 2 * (c % 2))


@sinusoidal_positions.right
def positions_of_complex_numbers(T, C):
    angles = torch.outer(torch.arange(T).float(), 1e4 ** (-torch.arange(C // 2) / (C // 2)))
    turning = torch.view_as_real(torch.polar(torch.ones_like(angles), angles)).flip(-1)
    return turning.reshape(T, C)


def _waves(
    exponent=lambda C: torch.arange(0, C, 2) / C,
    base=10_000,
    first=0,
    waves=(torch.sin, torch.cos),
    join=lambda sines, cosines: torch.stack([sines, cosines], dim=-1).flatten(1),
):
    """A wrong table of positions: one with a changed part."""

    def answer(T, C):
        angles = torch.arange(first, first + T)[:, None] / base ** exponent(C)
        return join(*(wave(angles) for wave in waves))

    return answer


@sinusoidal_positions.mistake(
    "Each channel has its own frequency. A sine and the cosine behind it share one: 2i for both."
)
def by_channel(T, C):
    angles = torch.arange(T)[:, None] / 10_000 ** (torch.arange(C) / C)
    return torch.where(torch.arange(C) % 2 == 0, angles.sin(), angles.cos())


@sinusoidal_positions.cases
def cases():
    return [(3, 2), (4, 6), (1, 4), (20, 16)]


sinusoidal_positions.mistake(
    "All sines come first, then all cosines. Much code does it so, and it works as well; the paper, and this "
    "exercise, alternate: sin, cos, sin, cos.",
    TODO_71=_waves(join=lambda sines, cosines: torch.cat([sines, cosines], dim=1)),
)


sinusoidal_positions.mistake(
    "Sine and cosine are exchanged: channel 0 is a sine.", TODO_72=_waves(waves=(torch.cos, torch.sin))
)


sinusoidal_positions.mistake(
    "Your exponent is i / C. It is 2i / C, so that the slowest wave comes near 10000.",
    TODO_73=_waves(exponent=lambda C: torch.arange(C // 2) / C),
)


sinusoidal_positions.mistake(
    "You double twice: arange(0, C, 2) is 2i already.", TODO_74=_waves(exponent=lambda C: 2 * torch.arange(0, C, 2) / C)
)


sinusoidal_positions.mistake(
    "Your angles grow from channel to channel: you multiply by 10000^(2i / C). Divide by it.",
    TODO_75=_waves(exponent=lambda C: -torch.arange(0, C, 2) / C),
)


sinusoidal_positions.mistake(
    "Your positions begin with 1. The first is 0: its sines are 0 and its cosines 1.", TODO_76=_waves(first=1)
)


sinusoidal_positions.mistake(
    "Your table is (C, T). Positions are the rows: (T, C).", TODO_77=lambda T, C: sinusoidal_positions(T, C).T
)


sinusoidal_positions.mistake(
    "All your waves have the same length. 10000 is raised to 2i / C: ** and not *.",
    TODO_78=_waves(exponent=lambda C: torch.ones(C // 2)),
)


sinusoidal_positions.hints(
    "First the angles, a table (T, C / 2): positions as a column, divided by a row of wave lengths.",
    "The wave lengths are 10_000 ** (torch.arange(0, C, 2) / C).",
    "A table of zeros: table[:, 0::2] takes the sines, table[:, 1::2] the cosines.",
)
