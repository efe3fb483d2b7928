"""The exercise `kernel_weight` of lesson 09."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="KernelSHAP fits a line to the values of teams; how much does one team of `size` players count, of "
    "`players` in all? (players - 1) / (C * size * (players - size)), where C is the number of teams of this size. The "
    "empty team and the full one must be met exactly: their weight is infinite, math.inf. Lundberg & Lee 2017, theorem "
    "2.",
    tolerance=1e-6,
)
def kernel_weight(size, players):
    if size in (0, players):
        return math.inf
    return (players - 1) / (math.comb(players, size) * size * (players - size))


@kernel_weight.run
def _as_tensor(answer, size, players):
    """The weight as a tensor, since infinity is compared as such there."""
    weight = answer(size, players)
    return torch.as_tensor(weight).double() if isinstance(weight, (int, float, torch.Tensor)) else weight


def kernel_by_factorials(size, players):
    f = math.factorial
    return (
        math.inf if size * (players - size) == 0 else (players - 1) * f(size - 1) * f(players - size - 1) / f(players)
    )


@kernel_weight.right
def kernel_by_beta(size, players):
    if not 0 < size < players:
        return float("inf")
    return (players - 1) / players * math.gamma(size) * math.gamma(players - size) / math.gamma(players)


@kernel_weight.right
def kernel_by_table(size, players):
    others = torch.arange(1, players, dtype=torch.float64)
    of_sizes = [math.inf, *((players - 1) / (others * (players - others))).tolist(), math.inf]
    return of_sizes[size] / math.comb(players, size)


@kernel_weight.right
def kernel_by_product(size, players):
    try:
        weight = (players - 1) / (size * (players - size))
    except ZeroDivisionError:
        return math.inf
    for number in range(size):
        weight *= (number + 1) / (players - number)
    return weight


def inner(weight, ends=math.inf):
    """A wrong weight: `weight(size, players)`, and `ends` where nobody or everybody is there."""
    return lambda size, players: weight(size, players) if 0 < size < players else ends


@kernel_weight.cases
def cases():
    return [(1, 4), (2, 4), (3, 10), (5, 10), (9, 10), (1, 2), (2, 3), (0, 6), (6, 6)]


@kernel_weight.judge
def expected(*case):
    return _as_tensor(kernel_by_factorials, *case)


kernel_weight.mistake(
    "You forgot the number of teams of this size. That is the weight of all of them together; one team gets "
    "its part of it. Divide by math.comb(players, size) too.",
    TODO_65=inner(lambda size, players: (players - 1) / (size * (players - size))),
)


kernel_weight.mistake(
    "You forgot size * (players - size). It is what makes the smallest and the largest teams count most.",
    TODO_66=inner(lambda size, players: (players - 1) / math.comb(players, size)),
)


kernel_weight.mistake(
    "You forgot players - 1. The fit would be the same, since every weight is smaller by one factor; but it is "
    "not the weight of the formula.",
    TODO_67=inner(lambda size, players: 1 / (math.comb(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "On top stands players - 1, not players.",
    TODO_68=inner(lambda size, players: players / (math.comb(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "Python goes from left to right: a / b * c is (a / b) * c. Put the whole denominator in brackets.",
    TODO_69=inner(lambda size, players: (players - 1) / math.comb(players, size) * size * (players - size)),
)


kernel_weight.mistake(
    "You count the teams that one player can join. C is the number of teams of this size among all: "
    "math.comb(players, size).",
    TODO_70=inner(lambda size, players: (players - 1) / (math.comb(players - 1, size) * size * (players - size))),
)


kernel_weight.mistake(
    "math.perm counts orders. A team has no order: math.comb(players, size).",
    TODO_71=inner(lambda size, players: (players - 1) / (math.perm(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "The number of teams is not size!. It is players! / (size! (players - size)!): math.comb(players, size).",
    TODO_72=inner(lambda size, players: (players - 1) / (math.factorial(size) * size * (players - size))),
)


kernel_weight.mistake(
    "That is the weight of a player's gain in the Shapley value's own formula. KernelSHAP weighs the teams of "
    "a fit, and it needs the other one.",
    TODO_73=lambda size, players: (
        math.factorial(size) * math.factorial(max(players - size - 1, 0)) / math.factorial(players)
    ),
)


kernel_weight.mistake(
    "// divides without a remainder, and so gives 0 nearly everywhere. Use /.",
    TODO_74=inner(lambda size, players: (players - 1) // (math.comb(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "For the empty team and the full one you divide by 0. Return math.inf for these two first.",
    TODO_75=lambda size, players: (players - 1) / (math.comb(players, size) * size * (players - size)),
)


kernel_weight.mistake(
    "You give the empty team and the full one no weight. These two must be met exactly, so that the shares add "
    "up to the total: their weight is infinite.",
    TODO_76=inner(kernel_weight, ends=0.0),
)


kernel_weight.mistake(
    "You give the empty team and the full one the weight 1. These two must be met exactly: their weight is "
    "infinite, math.inf.",
    TODO_77=inner(kernel_weight, ends=1.0),
)


kernel_weight.mistake(
    "A large number for infinity is what a program may use in the fit. Here return math.inf.",
    TODO_78=inner(kernel_weight, ends=1e6),
)


kernel_weight.mistake(
    "The full team must be met exactly too, as the empty one: its weight is infinite.",
    TODO_79=lambda size, players: kernel_weight(size, players) if size < players else 0.0,
)


kernel_weight.hints(
    "Two teams are special. Deal with them first: if size in (0, players).",
    "math.comb(players, size) is the number of teams of this size.",
    "(players - 1) / (math.comb(players, size) * size * (players - size)), with the whole denominator in brackets.",
)
