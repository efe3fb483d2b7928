"""Shapley values as the mean over all orders in which the players come (lesson 12)."""

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


def random_game(players):
    return {team: round(torch.randn(()).item() * 10, 1) for team in teams_of(players)}


def teams_of(players):
    return ["".join(map(str, team)) for size in range(players + 1) for team in combinations(range(players), size)]


@shapley_by_orders.cases
def cases():
    offset = {team: 1000 + worth for team, worth in random_game(3).items()}
    return [
        ({"": 0.0, "0": 10.0, "1": 20.0, "01": 50.0}, 2),
        ({"": 1.0, "0": 4.0}, 1),
        ({"": 0.0, "0": 0.0, "1": 0.0, "2": 0.0, "01": 0.0, "02": 12.0, "12": 12.0, "012": 12.0}, 3),
        (random_game(3), 3),
        (random_game(4), 4),
        (offset, 3),
        ({"": -2, "0": 3, "1": -2, "01": 4}, 2),
    ]


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


@shapley_by_orders.judge
def by_teams(game, players):
    """The other way to write it: a weighted mean over the teams that a player can join."""
    shares = []
    for player in range(players):
        share = 0.0
        for team in teams_of(players):
            if str(player) not in team:
                orders = math.factorial(len(team)) * math.factorial(players - len(team) - 1)
                joined = "".join(sorted(team + str(player)))
                share += orders / math.factorial(players) * (game[joined] - game[team])
        shares.append(share)
    return shares


@shapley_by_orders.right
def by_sizes(value, players):
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
def with_pairs(value, players):
    orders = list(permutations(range(players)))
    shares = torch.zeros(players, dtype=torch.float64)
    for order in orders:
        worth = [value(order[:count]) for count in range(players + 1)]
        for player, (before, after) in zip(order, pairwise(worth), strict=True):
            shares[player] += after - before
    return shares / len(orders)


@shapley_by_orders.right
def by_recursion(value, players):
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


@shapley_by_orders.right
def by_bits(value, players):
    def team(bits):
        return frozenset(player for player in range(players) if bits >> player & 1)

    worth = [value(team(bits)) for bits in range(2**players)]
    weight = [1 / (players * math.comb(players - 1, size)) for size in range(players)]
    return [
        sum(
            weight[bits.bit_count()] * (worth[bits | 1 << p] - worth[bits])
            for bits in range(2**players)
            if not bits >> p & 1
        )
        for p in range(players)
    ]


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


def gains_of(value, players, player):
    """What the player adds to each team that can be joined."""
    others = [other for other in range(players) if other != player]
    return {
        team: value({*team, player}) - value(set(team))
        for size in range(players)
        for team in combinations(others, size)
    }


def over_teams(weigh, joined_by=lambda team: True):
    """Wrong shares: each gain of a player who joins a team, weighed by `weigh(size, players)`."""

    def answer(value, players):
        every = [gains_of(value, players, player) for player in range(players)]
        return [
            sum(weigh(len(team), players) * gain for team, gain in gains.items() if joined_by(team)) for gains in every
        ]

    return answer


def then(change):
    """A wrong answer: `change(shares)` of the right ones."""
    return lambda *case: change(shapley_by_orders(*case))


# Which orders.


def turns(players):
    return [tuple((first + step) % players for step in range(players)) for first in range(players)]


shapley_by_orders.mistake(
    "You try one order only, 0, 1, 2, ... Who comes late gets what is left. itertools.permutations gives all.",
    one_order=over_orders(orders=lambda players: [range(players)]),
)


shapley_by_orders.mistake(
    "Only one order counts with you, from the last player to the first, which is also the last permutation. Add up "
    "over "
    "all of them: shares[player] += ...",
    one_order_backward=over_orders(orders=lambda players: [range(players)[::-1]]),
)


shapley_by_orders.mistake(
    "You try two orders, forward and backward. itertools.permutations gives all.",
    two_orders=over_orders(orders=lambda players: [range(players), range(players)[::-1]]),
)


shapley_by_orders.mistake(
    "You turn one order round in a circle, which gives `players` orders. There are players! of them: "
    "itertools.permutations.",
    turned_in_a_circle=over_orders(orders=turns),
)


shapley_by_orders.mistake(
    "Each order overwrites the shares, and you still divide by the number of orders. Add up: shares[player] += ...",
    overwritten_and_divided=over_orders(
        orders=lambda players: list(permutations(range(players)))[-1:], divide=math.factorial
    ),
)


shapley_by_orders.mistake(
    "You return after the first order, divided by the number of all. The `return` belongs behind both loops.",
    returned_in_the_loop=over_orders(orders=lambda players: [range(players)], divide=math.factorial),
)


shapley_by_orders.mistake(
    "The last player of every order gets nothing: you forgot the team of all others. The places, and the sizes of the "
    "team that is joined, run from 0 to players - 1.",
    last_one_left_out=over_orders(
        lambda value, before, player: value({*before, player}) - value(set(before)),
        orders=lambda players: [order[:-1] for order in permutations(range(players))],
    ),
)


shapley_by_orders.mistake(
    "The first player of every order gets nothing: you forgot the empty team, which that one joins, and which has a "
    "value, value(frozenset()).",
    first_one_left_out=over_orders(
        lambda value, before, player: value({*before, player}) - value(set(before)) if before else 0.0
    ),
)


# What a player is credited with.


shapley_by_orders.mistake(
    "You credit the player with the whole value of the team. Subtract its value before the player came.",
    value_before_not_subtracted=over_orders(lambda value, before, player: value({*before, player})),
)


shapley_by_orders.mistake(
    "You credit the player with the value of the team before the player came. Subtract that from the value with "
    "the player.",
    value_before=over_orders(lambda value, before, player: value(set(before))),
)


shapley_by_orders.mistake(
    "The first player of an order is credited with the value of the empty team too. Subtract "
    "value(frozenset()) there: for a model, it is the output for the baseline.",
    empty_team_taken_for_zero=over_orders(
        lambda value, before, player: value({*before, player}) - (value(set(before)) if before else 0)
    ),
)


shapley_by_orders.mistake(
    "Your sign is turned round: value with the player minus value without.",
    sign_turned=over_orders(lambda value, before, player: value(set(before)) - value({*before, player})),
)


shapley_by_orders.mistake(
    "You drop negative gains. A player who spoils the team gets what that costs: leave out max(0, ...).",
    negative_gains_dropped=over_orders(
        lambda value, before, player: max(0.0, value({*before, player}) - value(set(before)))
    ),
)


shapley_by_orders.mistake(
    "You take absolute gains. A player who spoils the team gets what that costs: leave out abs().",
    absolute_gains=over_orders(lambda value, before, player: abs(value({*before, player}) - value(set(before)))),
)


shapley_by_orders.mistake(
    "You subtract what the player is worth alone from the team. Subtract the value of those who were there before.",
    own_value_subtracted=over_orders(lambda value, before, player: value({*before, player}) - value({player})),
)


shapley_by_orders.mistake(
    "You subtract the empty team's value each time. Subtract the value of those who were there before.",
    empty_team_subtracted=over_orders(lambda value, before, player: value({*before, player}) - value(set())),
)


shapley_by_orders.mistake(
    "Both teams are the same: those before the player. The first is with the player, order[:place + 1].",
    same_team_twice=over_orders(lambda value, before, player: 0.0),
)


@shapley_by_orders.mistake(
    "You credit the player with what the next one brings. At `place` the team grows from order[:place] to "
    "order[:place + 1]."
)
def gain_of_the_next(value, players):
    shares = [0.0] * players
    for order in permutations(range(players)):
        for place, player in enumerate(order):
            shares[player] += value(set(order[: place + 2])) - value(set(order[: place + 1]))
    return [share / math.factorial(players) for share in shares]


@shapley_by_orders.mistake(
    "You credit the place in the order and not the player who stands there: shares[order[place]]."
)
def credited_to_the_place(value, players):
    shares = [0.0] * players
    for order in permutations(range(players)):
        for place in range(players):
            shares[place] += value(set(order[: place + 1])) - value(set(order[:place]))
    return [share / math.factorial(players) for share in shares]


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
def alone(value, players):
    return [value({player}) - value(set()) for player in range(players)]


@shapley_by_orders.mistake(
    "You take the value of each player alone, the empty team's value included. Let them come in every order, and take "
    "what each adds."
)
def value_alone(value, players):
    return [value({player}) for player in range(players)]


@shapley_by_orders.mistake(
    "You average two places, first and last. With three players or more there are places between: go over every order."
)
def alone_and_last(value, players):
    return [(one + last) / 2 for one, last in zip(alone(value, players), leave_one_out(value, players), strict=True)]


@shapley_by_orders.mistake(
    "You take each player out of the full team and stretch the result to the total. The sum is right and the "
    "shares are not: go over every order."
)
def scaled_to_the_total(value, players):
    gains, total = leave_one_out(value, players), value(set(range(players))) - value(set())
    return [gain / sum(gains) * total for gain in gains]


@shapley_by_orders.mistake(
    "You share out equally. The sum is right, but who does nothing gets as much as who does all."
)
def equal_shares(value, players):
    return [(value(set(range(players))) - value(set())) / players] * players


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


# The mean.


shapley_by_orders.mistake(
    "You forgot to divide by the number of orders: math.factorial(players).",
    not_divided=over_orders(divide=lambda players: 1),
)


shapley_by_orders.mistake(
    "You divide by the number of players. It is a mean over orders: math.factorial(players).",
    divided_by_players=over_orders(divide=lambda players: players),
)


shapley_by_orders.mistake(
    "You divide by players! times players. Each player comes once in every order: divide by math.factorial(players).",
    divided_by_places_too=over_orders(divide=lambda players: math.factorial(players) * players),
)


shapley_by_orders.mistake(
    "You divide by (players - 1)!, or you add up over the sizes of teams what should be averaged: that is `players` "
    "times "
    "too large. The number of orders is players!: math.factorial(players).",
    factorial_of_one_less=over_orders(divide=lambda players: math.factorial(players - 1)),
)


shapley_by_orders.mistake(
    "You divide by 2 ** players, the number of teams. It is a mean over orders: math.factorial(players).",
    divided_by_teams=over_orders(divide=lambda players: 2**players),
)


shapley_by_orders.mistake(
    "// rounds down. Use /.",
    rounded_down=lambda value, players: [
        share * math.factorial(players) // math.factorial(players) for share in shapley_by_orders(value, players)
    ],
)


shapley_by_orders.mistake(
    "You divide by the total, so the shares add up to 1. They add up to what the full team is worth more than the "
    "empty "
    "one: return the means as they are.",
    shares_of_one=lambda value, players: [
        share / (value(set(range(players))) - value(set())) for share in shapley_by_orders(value, players)
    ],
)


# Teams in place of orders.


def orders_of(size, players):
    return math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)


shapley_by_orders.mistake(
    "You average over the teams a player can join, all counted alike: these are Banzhaf's values, and they do "
    "not add up to the total. Small and large teams stand in more orders than middling ones: average over "
    "orders.",
    banzhaf=over_teams(lambda size, players: 1 / 2 ** (players - 1)),
)


shapley_by_orders.mistake(
    "You divide by 2 ** players, and a player can join only half of the teams; and all are counted alike. Small and "
    "large teams stand in more orders than middling ones: average over orders.",
    banzhaf_by_all_teams=over_teams(lambda size, players: 1 / 2**players),
)


shapley_by_orders.mistake(
    "You add up the gains over all teams. Go over orders instead, and divide by their number.",
    teams_added_up=over_teams(lambda size, players: 1.0),
)


shapley_by_orders.mistake(
    "You add up the gains over all teams and divide by the number of players. Go over orders, and divide by theirs.",
    teams_over_players=over_teams(lambda size, players: 1 / players),
)


shapley_by_orders.mistake(
    "Two things are wrong with your weights: after the team and the player, players - size - 1 are left, and "
    "all is to be divided by the number of orders, players!.",
    weights_wrong_twice=over_teams(lambda size, players: math.factorial(size) * math.factorial(players - size)),
)


shapley_by_orders.mistake(
    "After the team and the player, players - size - 1 are left to come, and not players - size. With orders "
    "you need no such weight.",
    one_left_too_many=over_teams(
        lambda size, players: math.factorial(size) * math.factorial(players - size) / math.factorial(players)
    ),
)


shapley_by_orders.mistake(
    "You divide by players times the number of teams of that size among all. Among the others, there are "
    "math.comb(players - 1, size).",
    teams_among_all=over_teams(lambda size, players: 1 / (players * math.comb(players, size))),
)


shapley_by_orders.mistake(
    "The weights of your teams lack the factor size!, the orders of those before: the number of orders is "
    "size! (players - size - 1)!.",
    orders_before_forgotten=over_teams(
        lambda size, players: math.factorial(players - size - 1) / math.factorial(players)
    ),
)


shapley_by_orders.mistake(
    "The weights of your teams lack the factor (players - size - 1)!, the orders of those after.",
    orders_after_forgotten=over_teams(lambda size, players: math.factorial(size) / math.factorial(players)),
)


# What is given and returned.


shapley_by_orders.mistake(
    NO_TEAM, player_for_a_team=lambda value, players: [value(player) for player in range(players)]
)


shapley_by_orders.mistake(
    "You return a dict. Return a list, player 0 first.",
    a_dict=then(lambda shares: dict(enumerate(shares))),
)


shapley_by_orders.mistake(
    "You return the sum, which is what the full team is worth more than the empty one. Return a list of shares.",
    summed=then(sum),
)


shapley_by_orders.mistake(
    "Your list is turned round. Player 0 comes first.", turned_round=then(lambda shares: shares[::-1])
)


shapley_by_orders.mistake("You sort the shares. Player 0 comes first, whatever the share.", sorted_shares=then(sorted))


shapley_by_orders.hints(
    "itertools.permutations(range(players)) gives every order. Who is in the room before a player comes?",
    "In an order, the player at `place` finds the team frozenset(order[:place]).",
    "Add value(team with the player) - value(team) to that player's share, and divide by math.factorial(players).",
)
