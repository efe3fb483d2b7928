"""The exercise `shapley_by_orders` of lesson 09."""

import math
from itertools import combinations, pairwise, permutations

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Shapley values: the players 0 to players - 1 come into the room one after the other, in every possible "
    "order. Each is credited with what the team's value rises when this player comes. A player's share is the mean "
    "over all orders. value(team) gives a number for a frozenset of players; the empty one has a value too, not always "
    "0. Returns a list, player 0 first."
)
def shapley_by_orders(value, players):
    shares = [0.0] * players
    for order in permutations(range(players)):
        for place, player in enumerate(order):
            shares[player] += value(frozenset(order[: place + 1])) - value(frozenset(order[:place]))
    return [share / math.factorial(players) for share in shares]


NO_TEAM = "value() takes a team and not a player: frozenset({player}) is a team of one."


@shapley_by_orders.run
def play(answer, game, players):
    """What it answers for a game whose values are kept by the players' digits: {"": 0, "0": 10, "1": 20, "01": 50}."""

    def value(team):
        if isinstance(team, int):
            raise Mistake(NO_TEAM)
        return game["".join(map(str, sorted(set(team))))]

    shares = answer(value, players)
    return shares.tolist() if torch.is_tensor(shares) else shares


def _teams(players):
    return ["".join(map(str, team)) for size in range(players + 1) for team in combinations(range(players), size)]


@shapley_by_orders.judge
def shapley_by_teams(game, players):
    """The other way to write it: a weighted mean over the teams that a player can join."""
    shares = []
    for player in range(players):
        share = 0.0
        for team in _teams(players):
            if str(player) not in team:
                orders = math.factorial(len(team)) * math.factorial(players - len(team) - 1)
                joined = "".join(sorted(team + str(player)))
                share += orders / math.factorial(players) * (game[joined] - game[team])
        shares.append(share)
    return shares


@shapley_by_orders.right
def shapley_by_sizes(value, players):
    shares = []
    for player in range(players):
        others = [other for other in range(players) if other != player]
        of_sizes = []
        for size in range(players):
            gains = [value({player, *team}) - value(set(team)) for team in combinations(others, size)]
            of_sizes.append(sum(gains) / len(gains))
        shares.append(sum(of_sizes) / players)
    return shares


@shapley_by_orders.right
def shapley_with_pairs(value, players):
    orders = list(permutations(range(players)))
    shares = torch.zeros(players, dtype=torch.float64)
    for order in orders:
        worth = [value(order[:count]) for count in range(players + 1)]
        for player, (before, after) in zip(order, pairwise(worth), strict=True):
            shares[player] += after - before
    return shares / len(orders)


@shapley_by_orders.right
def shapley_by_recursion(value, players):
    def shares_of(team):
        """Shapley values of the game that only `team` plays: the last of an order may be any of them."""
        shares = dict.fromkeys(team, 0.0)
        for last in team:
            shares[last] += (value(team) - value(team - {last})) / len(team)
            for player, share in shares_of(team - {last}).items():
                shares[player] += share / len(team)
        return shares

    shares = shares_of(frozenset(range(players)))
    return [shares[player] for player in range(players)]


def over_orders(
    gain=lambda value, before, player: value({*before, player}) - value(set(before)), orders=None, divide=None
):
    """Wrong shares: `gain(value, those before, player)`, over `orders(players)`, divided by `divide(players)`."""
    orders = orders or (lambda players: permutations(range(players)))

    def answer(value, players):
        shares, count = [0.0] * players, 0
        for order in orders(players):
            count += 1
            for place, player in enumerate(order):
                shares[player] += gain(value, order[:place], player)
        return [share / (divide(players) if divide else count) for share in shares]

    return answer


def turns(players):
    return [tuple((first + step) % players for step in range(players)) for first in range(players)]


@shapley_by_orders.mistake(
    "You take each player out of the full team. Two who can stand in for each other then both get 0. Let them "
    "come in every order."
)
def leave_one_out(value, players):
    everybody = set(range(players))
    return [value(everybody) - value(everybody - {player}) for player in range(players)]


@shapley_by_orders.mistake(
    "You take each player alone. What they do together belongs to nobody then. Let them come in every order."
)
def _alone(value, players):
    return [value({player}) - value(set()) for player in range(players)]


@shapley_by_orders.mistake(
    "You average two places, first and last. With three players or more there are places between: go over every order."
)
def alone_and_last(value, players):
    return [(one + last) / 2 for one, last in zip(_alone(value, players), leave_one_out(value, players), strict=True)]


@shapley_by_orders.mistake(
    "You take each player out of the full team and stretch the result to the total. The sum is right and the "
    "shares are not: go over every order."
)
def scaled_to_the_total(value, players):
    gains, total = leave_one_out(value, players), value(set(range(players))) - value(set())
    return [gain / sum(gains) * total for gain in gains]


def _gains(value, players, player):
    others = [other for other in range(players) if other != player]
    return {
        team: value({*team, player}) - value(set(team))
        for size in range(players)
        for team in combinations(others, size)
    }


def over_teams(weigh):
    """Wrong shares: each gain of a player who joins a team, weighed by `weigh(size, players)`."""

    def answer(value, players):
        every = [_gains(value, players, player) for player in range(players)]
        return [sum(weigh(len(team), players) * gain for team, gain in gains.items()) for gains in every]

    return answer


@shapley_by_orders.mistake(
    "You average the values of all teams that have the player. What counts is the difference the player makes."
)
def teams_with_the_player(value, players):
    teams = [set(team) for size in range(players + 1) for team in combinations(range(players), size)]
    shares = []
    for player in range(players):
        own = [value(team) for team in teams if player in team]
        shares.append(sum(own) / len(own))
    return shares


@shapley_by_orders.mistake(
    "You credit the place in the order and not the player who stands there: shares[order[place]]."
)
def by_place(value, players):
    shares = [0.0] * players
    for order in permutations(range(players)):
        for place in range(players):
            shares[place] += value(set(order[: place + 1])) - value(set(order[:place]))
    return [share / math.factorial(players) for share in shares]


@shapley_by_orders.mistake(
    "You share out equally. The sum is right, but who does nothing gets as much as who does all."
)
def equal_shares(value, players):
    return [(value(set(range(players))) - value(set())) / players] * players


def _game(players):
    return {team: round(torch.randn(()).item() * 10, 1) for team in _teams(players)}


@shapley_by_orders.cases
def cases():
    return [
        ({"": 0.0, "0": 10.0, "1": 20.0, "01": 50.0}, 2),
        ({"": 1.0, "0": 4.0}, 1),
        ({"": 0.0, "0": 0.0, "1": 0.0, "2": 0.0, "01": 0.0, "02": 12.0, "12": 12.0, "012": 12.0}, 3),
        (_game(3), 3),
        (_game(4), 4),
    ]


shapley_by_orders.mistake(
    "You average over the teams a player can join, all counted alike: these are Banzhaf's values, and they do "
    "not add up to the total. Small and large teams stand in more orders than middling ones: average over "
    "orders.",
    TODO_51=over_teams(lambda size, players: 1 / 2 ** (players - 1)),
)


shapley_by_orders.mistake(
    "You add up the gains over all teams. Go over orders instead, and divide by their number.",
    TODO_52=over_teams(lambda size, players: 1.0),
)


shapley_by_orders.mistake(
    "The gains are averaged within each size of team, and then added up over the sizes. Divide by the number "
    "of sizes, which is `players`, too.",
    TODO_53=over_teams(lambda size, players: 1 / math.comb(players - 1, size)),
)


shapley_by_orders.mistake(
    "Two things are wrong with your weights: after the team and the player, players - size - 1 are left, and "
    "all is to be divided by the number of orders, players!.",
    TODO_54=over_teams(lambda size, players: math.factorial(size) * math.factorial(players - size)),
)


shapley_by_orders.mistake(
    "After the team and the player, players - size - 1 are left to come, and not players - size. With orders "
    "you need no such weight.",
    TODO_55=over_teams(
        lambda size, players: math.factorial(size) * math.factorial(players - size) / math.factorial(players)
    ),
)


shapley_by_orders.mistake(
    "You credit the player with the whole value of the team. Subtract its value before the player came.",
    TODO_56=over_orders(lambda value, before, player: value({*before, player})),
)


shapley_by_orders.mistake(
    "The first player of an order is credited with the value of the empty team too. Subtract "
    "value(frozenset()) there: for a model, it is the output for the baseline.",
    TODO_57=over_orders(lambda value, before, player: value({*before, player}) - (value(set(before)) if before else 0)),
)


shapley_by_orders.mistake(
    "Your sign is turned round: value with the player minus value without.",
    TODO_58=over_orders(lambda value, before, player: value(set(before)) - value({*before, player})),
)


shapley_by_orders.mistake(
    "You try one order only, 0, 1, 2, ... Who comes late gets what is left. itertools.permutations gives all.",
    TODO_59=over_orders(orders=lambda players: [range(players)]),
)


shapley_by_orders.mistake(
    "You try two orders, forward and backward. itertools.permutations gives all.",
    TODO_60=over_orders(orders=lambda players: [range(players), range(players)[::-1]]),
)


shapley_by_orders.mistake(
    "You turn one order round in a circle, which gives `players` orders. There are players! of them: "
    "itertools.permutations.",
    TODO_61=over_orders(orders=turns),
)


shapley_by_orders.mistake(
    "You forgot to divide by the number of orders: math.factorial(players).",
    TODO_62=over_orders(divide=lambda players: 1),
)


shapley_by_orders.mistake(
    "You divide by the number of players. It is a mean over orders: math.factorial(players).",
    TODO_63=over_orders(divide=lambda players: players),
)


shapley_by_orders.mistake(NO_TEAM, TODO_64=lambda value, players: [value(player) for player in range(players)])


shapley_by_orders.hints(
    "itertools.permutations(range(players)) gives every order. Who is in the room before a player comes?",
    "In an order, the player at `place` finds the team frozenset(order[:place]).",
    "Add value(team with the player) - value(team) to that player's share, and divide by math.factorial(players).",
)
