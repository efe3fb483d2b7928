"""How much a team counts in the fit of KernelSHAP (lesson 12): Lundberg & Lee 2017, theorem 2."""

import math

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


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


@kernel_weight.cases
def cases():
    ends = [(0, 6), (6, 6), (0, 1), (1, 1)]
    return [(1, 4), (2, 4), (3, 10), (5, 10), (9, 10), (1, 2), (2, 3), *ends, (100, 200), (199, 200)]


LARGE = "A large number for infinity is what a program may use in the fit. Here return math.inf."


@kernel_weight.run
def weight(answer, size, players):
    came = answer(size, players)
    if size in (0, players) and isinstance(came, int | float) and 1e3 <= came < math.inf:
        raise Mistake(LARGE)
    return came


@kernel_weight.judge
def by_factorials(size, players):
    f = math.factorial
    return (
        math.inf if size * (players - size) == 0 else (players - 1) * f(size - 1) * f(players - size - 1) / f(players)
    )


@kernel_weight.right
def by_log_gamma(size, players):
    if not 0 < size < players:
        return float("inf")
    teams = math.lgamma(players + 1) - math.lgamma(size + 1) - math.lgamma(players - size + 1)
    return math.exp(math.log(players - 1) - teams - math.log(size) - math.log(players - size))


@kernel_weight.right
def by_a_table(size, players):
    others = torch.arange(1, players, dtype=torch.float64)
    of_sizes = [math.inf, *((players - 1) / (others * (players - others))).tolist(), math.inf]
    return of_sizes[size] / math.comb(players, size)


@kernel_weight.right
def by_a_product(size, players):
    try:
        weight = (players - 1) / (size * (players - size))
    except ZeroDivisionError:
        return math.inf
    for number in range(size):
        weight *= (number + 1) / (players - number)
    return weight


@kernel_weight.right
def by_the_recipe_of_a_team(size, players):
    if size == 0 or size == players:
        return torch.tensor(torch.inf)
    teams = math.factorial(players) // (math.factorial(size) * math.factorial(players - size))
    return torch.tensor((players - 1) / (teams * size * (players - size)))


def inner(weight, ends=math.inf):
    """A wrong weight: `weight(size, players)`, and `ends` where nobody or everybody is there."""
    return lambda size, players: weight(size, players) if 0 < size < players else ends


def with_teams(count):
    """A wrong weight: the number of teams is `count(size, players)`."""
    return inner(lambda size, players: (players - 1) / (count(size, players) * size * (players - size)))


kernel_weight.mistake(
    "You forgot the number of teams of this size. That is the weight of all of them together; one team gets "
    "its part of it. Divide by math.comb(players, size) too.",
    number_of_teams_forgotten=with_teams(lambda size, players: 1),
)


kernel_weight.mistake(
    "You forgot size * (players - size). It is what makes the smallest and the largest teams count most.",
    product_forgotten=inner(lambda size, players: (players - 1) / math.comb(players, size)),
)


kernel_weight.mistake(
    "You forgot the factor `size` in the denominator: C * size * (players - size).",
    size_forgotten=inner(lambda size, players: (players - 1) / (math.comb(players, size) * (players - size))),
)


kernel_weight.mistake(
    "You forgot the factor players - size in the denominator: C * size * (players - size).",
    others_forgotten=inner(lambda size, players: (players - 1) / (math.comb(players, size) * size)),
)


kernel_weight.mistake(
    "You forgot players - 1. The fit would be the same, since every weight is smaller by one factor; but it is "
    "not the weight of the formula.",
    top_forgotten=inner(lambda size, players: 1 / (math.comb(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "On top stands players - 1, not players.",
    players_on_top=inner(lambda size, players: players / (math.comb(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "On top stands players - 1, not size - 1.",
    size_less_one_on_top=inner(lambda size, players: (size - 1) / (math.comb(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "On top stands players - 1, not players + 1.",
    players_and_one_on_top=inner(
        lambda size, players: (players + 1) / (math.comb(players, size) * size * (players - size))
    ),
)


kernel_weight.mistake(
    "On top stands players - 1, not players - size, which would cancel against the one below.",
    others_on_top=inner(lambda size, players: 1 / (math.comb(players, size) * size)),
)


kernel_weight.mistake(
    "Your fraction is upside down: small and large teams should count most. players - 1 stands on top, "
    "C * size * (players - size) below.",
    upside_down=inner(lambda size, players: math.comb(players, size) * size * (players - size) / (players - 1)),
)


kernel_weight.mistake(
    "Python goes from left to right: a / b * c is (a / b) * c. Put the whole denominator in brackets.",
    brackets_forgotten=inner(lambda size, players: (players - 1) / math.comb(players, size) * size * (players - size)),
)


kernel_weight.mistake(
    "Python goes from left to right: a / (b * c) * d multiplies by d. Put players - size into the brackets of the "
    "denominator, too.",
    last_factor_on_top=inner(
        lambda size, players: (players - 1) / (math.comb(players, size) * size) * (players - size)
    ),
)


kernel_weight.mistake(
    "C * size * players - size subtracts at the end. Put brackets round players - size.",
    inner_brackets_forgotten=inner(
        lambda size, players: (players - 1) / (math.comb(players, size) * size * players - size)
    ),
)


kernel_weight.mistake(
    "players - 1 / (...) divides only the 1. Put brackets round players - 1.",
    top_brackets_forgotten=inner(
        lambda size, players: players - 1 / (math.comb(players, size) * size * (players - size))
    ),
)


kernel_weight.mistake(
    "You subtract in the wrong order: players - size is how many are missing, and size - players is negative.",
    negative=inner(lambda size, players: (players - 1) / (math.comb(players, size) * size * (size - players))),
)


kernel_weight.mistake(
    "players - size - 1 belongs to the Shapley value's own formula. Here it is players - size.",
    one_missing_too_few=lambda size, players: (
        math.inf if size in (0, players) else (players - 1) / (math.comb(players, size) * size * (players - size - 1))
    ),
)


kernel_weight.mistake(
    "You add the factors of the denominator. They are multiplied: C * size * (players - size).",
    added_below=inner(lambda size, players: (players - 1) / (math.comb(players, size) + size + players - size)),
)


kernel_weight.mistake(
    "You multiply by `players` in the denominator. The second factor is players - size: how many are missing.",
    all_players_below=inner(lambda size, players: (players - 1) / (math.comb(players, size) * size * players)),
)


kernel_weight.mistake(
    "You square the size. The denominator is C * size * (players - size).",
    size_squared=inner(lambda size, players: (players - 1) / (math.comb(players, size) * size**2)),
)


kernel_weight.mistake(
    "You count the teams that one player can join. C is the number of teams of this size among all: "
    "math.comb(players, size).",
    teams_without_one=with_teams(lambda size, players: math.comb(players - 1, size)),
)


kernel_weight.mistake(
    "You count the teams of this size that have one certain player. C is the number of all: math.comb(players, size).",
    teams_with_one=with_teams(lambda size, players: math.comb(players - 1, size - 1)),
)


kernel_weight.mistake(
    "You count the teams with one player fewer. C is the number of teams of `size`: math.comb(players, size).",
    smaller_teams=with_teams(lambda size, players: math.comb(players, size - 1)),
)


kernel_weight.mistake(
    "math.comb(n, k) counts the teams of k among n: players come first, math.comb(players, size).",
    comb_turned_round=inner(lambda size, players: (players - 1) / (math.comb(size, players) * size * (players - size))),
)


kernel_weight.mistake(
    "math.perm counts orders. A team has no order: math.comb(players, size).",
    orders_for_teams=with_teams(lambda size, players: math.perm(players, size)),
)


kernel_weight.mistake(
    "The number of teams is not size!. It is players! / (size! (players - size)!): math.comb(players, size).",
    factorial_of_size=with_teams(lambda size, players: math.factorial(size)),
)


kernel_weight.mistake(
    "The number of teams is not players!, which counts orders of all. It is players! / (size! (players - size)!): "
    "math.comb(players, size).",
    factorial_of_players=with_teams(lambda size, players: math.factorial(players)),
)


kernel_weight.mistake(
    "2 ** players counts the teams of all sizes. C counts those of this size: math.comb(players, size).",
    teams_of_every_size=with_teams(lambda size, players: 2**players),
)


kernel_weight.mistake(
    "C is not the number of players. It is the number of teams of this size: math.comb(players, size).",
    players_for_teams=with_teams(lambda size, players: players),
)


kernel_weight.mistake(
    "You count the pairs of players. C is the number of teams of this size: math.comb(players, size).",
    pairs_for_teams=with_teams(lambda size, players: math.comb(players, 2)),
)


kernel_weight.mistake(
    "For many players your number of teams does not fit a float: factorials and gamma grow too fast. math.comb "
    "counts with whole numbers of any length.",
    overflows=with_teams(
        lambda size, players: math.gamma(players + 1) / (math.gamma(size + 1) * math.gamma(players - size + 1))
    ),
)


kernel_weight.mistake(
    "float() of a factorial does not fit for many players. Leave the whole numbers whole: math.comb(players, size).",
    factorials_as_floats=with_teams(
        lambda size, players: (
            float(math.factorial(players)) / float(math.factorial(size) * math.factorial(players - size))
        )
    ),
)


kernel_weight.mistake(
    "1 / C shares the weight out among the teams of this size, and all sizes count alike. Multiply by (players - 1) / "
    "(size * (players - size)).",
    one_over_teams=inner(lambda size, players: 1 / math.comb(players, size)),
)


kernel_weight.mistake(
    "You multiply by the number of teams. One team gets its part only: C belongs into the denominator.",
    teams_on_top=inner(lambda size, players: (players - 1) * math.comb(players, size) / (size * (players - size))),
)


kernel_weight.mistake(
    "You add C to size * (players - size). The factors of the denominator are multiplied: C * size * (players - size).",
    teams_added=inner(lambda size, players: (players - 1) / (math.comb(players, size) + size * (players - size))),
)


kernel_weight.mistake(
    "You count the teams among players - 2. C is the number of teams of this size among all: math.comb(players, size).",
    teams_without_two=inner(
        lambda size, players: (players - 1) / (max(math.comb(players - 2, size - 1), 1) * size * (players - size))
    ),
)


kernel_weight.mistake(
    "On top stands players - 1, not players - 2.",
    two_less_on_top=inner(lambda size, players: (players - 2) / (math.comb(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "You round the weight. Return it as it is.",
    rounded=inner(lambda size, players: round(kernel_weight(size, players), 4)),
)


kernel_weight.mistake(
    "You round the weight to three digits. Return it as it is.",
    rounded_to_three=inner(lambda size, players: round(kernel_weight(size, players), 3)),
)


kernel_weight.mistake(
    "All teams get the weight 1. Small and large teams count most: (players - 1) / (C * size * (players - size)).",
    all_alike=inner(lambda size, players: 1.0),
)


def shapley(size, players):
    return math.factorial(size) * math.factorial(max(players - size - 1, 0)) / math.factorial(players)


kernel_weight.mistake(
    "That is the weight of a player's gain in the Shapley value's own formula. KernelSHAP weighs the teams of "
    "a fit, and it needs the other one.",
    shapleys_own=shapley,
)


kernel_weight.mistake(
    "size! (players - size - 1)! / players! weighs a player's gain in the Shapley value's own formula. KernelSHAP "
    "weighs the teams of a fit: (players - 1) / (C * size * (players - size)).",
    shapleys_own_with_infinite_ends=inner(shapley),
)


kernel_weight.mistake(
    "size! (players - size - 1)! / players! is the Shapley value's own formula, for a player who joins a team; nobody "
    "can join the full one. Here a team is weighed: (players - 1) / (C * size * (players - size)).",
    shapleys_own_that_raises=lambda size, players: (
        math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
    ),
)


kernel_weight.mistake(
    "You share the weight 1 out among the sizes. The formula's weights need not add up to anything: leave the "
    "division by their total out.",
    shared_out_among_sizes=inner(
        lambda size, players: (
            kernel_weight(size, players) / sum(kernel_weight(other, players) for other in range(1, players))
        )
    ),
)


kernel_weight.mistake(
    "You divide by the total weight of all teams. The formula's weights need not add up to 1: leave that out.",
    shared_out_among_teams=inner(
        lambda size, players: (
            kernel_weight(size, players)
            / sum(kernel_weight(other, players) * math.comb(players, other) for other in range(1, players))
        )
    ),
)


kernel_weight.mistake(
    "// divides without a remainder, and so gives 0 nearly everywhere. Use /.",
    whole_division=inner(lambda size, players: (players - 1) // (math.comb(players, size) * size * (players - size))),
)


kernel_weight.mistake(
    "You return the root of the weight, as a fit by least squares needs it. Return the weight.",
    the_root=inner(lambda size, players: kernel_weight(size, players) ** 0.5),
)


kernel_weight.mistake(
    "You return the logarithm of the weight. Return the weight.",
    the_logarithm=inner(lambda size, players: math.log(kernel_weight(size, players))),
)


kernel_weight.mistake(
    "For the empty team and the full one you divide by 0. Return math.inf for these two first.",
    ends_forgotten=lambda size, players: (players - 1) / (math.comb(players, size) * size * (players - size)),
)


kernel_weight.mistake(
    "The full team divides by 0 as well as the empty one: its weight is infinite, too.",
    full_team_forgotten=kernel_weight.changed("size in (0, players)", "size == 0"),
)


kernel_weight.mistake(
    "The empty team divides by 0 as well as the full one: its weight is infinite, too.",
    empty_team_forgotten=kernel_weight.changed("size in (0, players)", "size == players"),
)


kernel_weight.mistake(
    "A team of one has a finite weight. Only the empty team (size 0) and the full one are infinite.",
    team_of_one_infinite=kernel_weight.changed("size in (0, players)", "size in (0, 1, players)"),
)


kernel_weight.mistake(
    "A team that lacks one player has a finite weight. Only size 0 and size == players are infinite.",
    nearly_full_infinite=kernel_weight.changed("size in (0, players)", "size in (0, players - 1, players)"),
)


kernel_weight.mistake(
    "The largest and the smallest team with a finite weight are those of players - 1 and of 1. Only size 0 and "
    "size == players are infinite.",
    next_to_the_ends_infinite=kernel_weight.changed("size in (0, players)", "size <= 1 or size >= players - 1"),
)


kernel_weight.mistake(
    "The full team has all `players`, not players - 1: for size == players you divide by 0.",
    full_team_off_by_one=kernel_weight.changed("size in (0, players)", "size in (0, players - 1)"),
)


kernel_weight.mistake(
    "You give the empty team and the full one no weight. These two must be met exactly, so that the shares add "
    "up to the total: their weight is infinite.",
    ends_zero=inner(kernel_weight, ends=0.0),
)


kernel_weight.mistake(
    "You give the empty team and the full one the weight 1. These two must be met exactly: their weight is "
    "infinite, math.inf.",
    ends_one=inner(kernel_weight, ends=1.0),
)


kernel_weight.mistake(
    LARGE,
    ends_large=inner(kernel_weight, ends=1e6),
)


kernel_weight.mistake(
    "The weight of the empty and of the full team is plus infinity, math.inf, not minus.",
    ends_minus_infinite=inner(kernel_weight, ends=-math.inf),
)


kernel_weight.mistake(
    "NaN is no weight. The empty team and the full one have the weight math.inf.",
    ends_nan=inner(kernel_weight, ends=math.nan),
)


kernel_weight.mistake(
    "The word 'inf' is text. The number is math.inf or float('inf').",
    ends_as_text=inner(kernel_weight, ends="inf"),
)


kernel_weight.mistake(
    "Your code gives back None for the empty team and the full one. Return math.inf for these two.",
    ends_none=inner(kernel_weight, ends=None),
)


kernel_weight.mistake(
    "The full team must be met exactly too, as the empty one: its weight is infinite.",
    full_team_zero=lambda size, players: kernel_weight(size, players) if size < players else 0.0,
)


kernel_weight.mistake(
    "The empty team must be met exactly too, as the full one: its weight is infinite.",
    empty_team_zero=lambda size, players: kernel_weight(size, players) if size > 0 else 0.0,
)


kernel_weight.hints(
    "Two teams are special. Deal with them first: if size in (0, players).",
    "math.comb(players, size) is the number of teams of this size.",
    "(players - 1) / (math.comb(players, size) * size * (players - size)), with the whole denominator in brackets.",
)
