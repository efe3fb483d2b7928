"""Shapley values (沙普利值): what each feature adds to the output, averaged over every order they could come in.

The features are the players of a game. A coalition (联盟) is the set of those that are present; what it wins is the
model's output while all others are absent. Absent means: at the baseline, or, with a background (M, ...), replaced by
each of its M inputs in turn, and the M outputs averaged: the interventional expectation. A background takes the place
of the baseline. The values of all features add up to f(x) - f(nothing present); this is called efficiency.
Source: Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", 2017; Shapley, "A Value for n-Person
Games", 1953. For the interventional expectation, Janzing et al., "Feature Relevance Quantification in Explainable AI: A
Causal Problem", 2020, section 3.
"""

import itertools
import math

import torch

from bmcourse.explain.core import check_baseline, check_groups, check_model, masked_outputs

MOST_PLAYERS = 12  # 4,096 coalitions; each further player doubles them


def shapley_exact(model, inputs, target=None, baseline=0.0, groups=None, background=None):
    """The Shapley values (B, G) from the outputs of all 2^G coalitions.

    Raises ValueError for more than 12 groups that are ever other than when absent, and for what core.check_model,
    check_groups, check_baseline and check_background refuse.
    """
    play, spread, G = game(model, inputs, target, baseline, groups, background)
    check_players(G)
    coalitions = all_coalitions(G)
    return spread(play(coalitions) @ exact_weights(coalitions))


def all_coalitions(G):
    """Every subset of G players, (2^G, G) bool, numbered by its bits."""
    return (torch.arange(2**G)[:, None] >> torch.arange(G)) % 2 == 1


def exact_weights(coalitions):
    """What each coalition's output counts for each player, (2^G, G) float64: + where the player is in, - where not.

    A player joins a coalition of s others in s! (G - s - 1)! of the G! orders.
    """
    G = coalitions.shape[1]
    share = torch.tensor([1 / (G * math.comb(G - 1, s)) for s in range(G)] + [0.0], dtype=torch.float64)
    size = coalitions.sum(dim=1, keepdim=True)
    return torch.where(coalitions, share[size - 1], -share[size])


def shapley_sampling(model, inputs, target=None, baseline=0.0, groups=None, background=None, permutations=100, seed=0):
    """The Shapley values (B, G) from random orders, and their standard errors (B, G).

    The players come in one after the other; what the output gains when one comes is its contribution. Every second
    order is the one before it reversed, which makes errors smaller; the standard error is taken over these pairs. All
    inputs share the orders, so their errors are not independent. Raises ValueError unless `permutations` is even and 4
    or more, and as shapley_exact does.
    Source: Strumbelj and Kononenko, "Explaining Prediction Models and Individual Predictions with Feature
    Contributions", 2014, algorithm 1; reversed orders: Mitchell et al., "Sampling Permutations for Shapley Value
    Estimation", 2022, section 4.
    """
    if permutations < 4 or permutations % 2:
        raise ValueError(f"permutations is {permutations}; expected an even number, 4 or more: they come in pairs.")
    play, spread, G = game(model, inputs, target, baseline, groups, background)
    rank = torch.rand(permutations // 2, G, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)
    rank = torch.cat([rank, G - 1 - rank])  # when each player comes in
    prefixes = rank[:, None] < torch.arange(1, G)[:, None]  # (permutations, G - 1, G)
    ends = torch.stack([torch.zeros(G, dtype=torch.bool), torch.ones(G, dtype=torch.bool)])
    nothing, everything, between = play(torch.cat([ends, prefixes.flatten(0, 1)])).tensor_split([1, 2], dim=1)
    B, P = len(between), permutations
    path = [nothing.expand(B, P)[..., None], between.view(B, P, G - 1), everything.expand(B, P)[..., None]]
    contributions = torch.cat(path, dim=2).diff(dim=2).gather(2, rank.to(between.device).expand(B, P, G))
    pairs = contributions.view(B, 2, P // 2, G).mean(dim=1)
    return spread(pairs.mean(dim=1)), spread(pairs.std(dim=1) / math.sqrt(P // 2))


def kernel_shap(model, inputs, target=None, baseline=0.0, groups=None, background=None, samples=2048, seed=0):
    """The Shapley values (B, G) as the slopes of a weighted linear regression on at most `samples` coalitions.

    They add up exactly. Exact where `samples` is enough for all coalitions, 2^G - 2. All inputs share the coalitions,
    so one solve does for all. Raises ValueError for fewer than 4 samples a group, and as shapley_exact does.
    Source: Lundberg and Lee, 2017, section 4.1; the constraint: Covert and Lee, "Improving KernelSHAP", 2021, eq. 7.
    """
    play, spread, G = game(model, inputs, target, baseline, groups, background)
    least = min(4 * G, 2**G - 2)
    if samples < least:
        raise ValueError(f"samples is {samples}; expected {least} or more for {G} groups, or the slopes are not fixed.")
    coalitions, weights = paired_coalitions(G, samples, torch.Generator().manual_seed(seed))
    ends = torch.stack([torch.zeros(G, dtype=torch.bool), torch.ones(G, dtype=torch.bool)])
    nothing, everything, outputs = play(torch.cat([ends, coalitions])).tensor_split([1, 2], dim=1)
    present, weights = coalitions.to(outputs), weights.to(outputs)
    # The least squares under "the slopes add up to the total", by Lagrange: one more unknown and one more equation.
    equations = outputs.new_ones(G + 1, G + 1)
    equations[:G, :G] = (present * weights[:, None]).T @ present
    equations[G, G] = 0
    right = torch.cat([((outputs - nothing) * weights) @ present, everything - nothing], dim=1)
    return spread(torch.linalg.solve(equations, right.T)[:G].T)


def paired_coalitions(G, samples, generator):
    """At most `samples` coalitions (S, G), each with its complement, and their weights (S,): KernelSHAP's.

    Every size gets as many as its weight in the regression deserves, and where that is enough for all of its size,
    there is no chance in it. What is drawn stands for the whole size.
    """
    sizes = range(1, G // 2 + 1)
    mass = [(1 if 2 * s == G else 2) / (s * (G - s)) for s in sizes]  # (G - 1) / (s (G - s)) of a size; 2 for the pair
    rows, weights, left = [torch.zeros(0, G, dtype=torch.bool)], [torch.zeros(0)], samples // 2
    for i, s in enumerate(sizes):
        half = subsets(G, s, max(1, round(left * mass[i] / sum(mass[i:]))), generator)
        left -= len(half)
        rows += [half, ~half]
        weights.append(torch.full((2 * len(half),), mass[i] / (2 * len(half))))
    return torch.cat(rows), torch.cat(weights)


def subsets(G, size, count, generator):
    """`count` different subsets of one size by lot, (count, G) bool, or all of them if there are no more.

    Of two complements only one is there. Where there are far more than `count` subsets, one may rarely be missing.
    """
    total = math.comb(G, size) // (2 if 2 * size == G else 1)
    if total <= 4 * count:
        members = torch.tensor(list(itertools.islice(itertools.combinations(range(G), size), total)))
    else:
        members = torch.rand(2 * count, G, generator=generator).argsort(dim=1)[:, :size]
    chosen = torch.zeros(len(members), G, dtype=torch.bool).scatter(1, members, True)
    if total > 4 * count:
        if 2 * size == G:
            chosen = chosen ^ ~chosen[:, :1]  # the one of the pair with player 0
        chosen = chosen.unique(dim=0)
    return chosen[torch.randperm(len(chosen), generator=generator)[:count]]


def linear_shapley(weights, inputs, mean, covariance=None):
    """The Shapley values (B, F) of the linear model inputs @ weights + bias, in closed form.

    Without a covariance: interventional, weight × (x - mean), as if absent features knew nothing of the present ones.
    With one, (F, F): conditional, where an absent feature is what the present ones lead one to expect of a normal
    distribution. Then a feature of weight 0 can have a value. Raises ValueError for shapes that do not fit, and for
    more than 12 features with a covariance. Source: Aas et al., "Explaining Individual Predictions when Features Are
    Dependent", 2021, sections 2.3 and 3.1.
    """
    F = len(weights)
    shapes = [tuple(shape) for shape in (weights.shape, inputs.shape[1:], mean.shape)]
    square = (F, F) if covariance is None else tuple(covariance.shape)
    if shapes != [(F,)] * 3 or square != (F, F):
        raise ValueError(
            f"weights {shapes[0]}, one input {shapes[1]}, mean {shapes[2]}, covariance {square} do not fit; expected "
            f"(F,) each, and a covariance (F, F) or None."
        )
    if covariance is None:
        return weights * (inputs - mean)
    check_players(F)
    coalitions = all_coalitions(F)
    known = coalitions.double()
    # Of x - mean we expect covariance[:, S] covariance[S, S]^-1 (x - mean)[S]; the model's output is that @ weights.
    inverse = torch.linalg.pinv(known[:, :, None] * covariance.double() * known[:, None], hermitian=True)
    slopes = inverse @ (covariance.double() @ weights.double())  # (2^F, F): zeros where a feature is not known
    return ((inputs - mean).double() @ slopes.T @ exact_weights(coalitions)).to(inputs.dtype)


# ---------------------------------------------------------------- the game


def game(model, inputs, target, baseline, groups, background):
    """The game: a function from coalitions (S, P) bool to what each wins with each input, (B, S) float64; a function
    from the players' values (B, P) to those of all groups (B, G); and the number of players P.

    A group that in all inputs is as when it is absent, such as an image's black border, does not play: its value is 0.
    """
    target = check_model(model, inputs, target)
    groups, G = check_groups(groups, inputs)
    absent = check_baseline(baseline, inputs)[None] if background is None else check_background(background, inputs)
    moves = (inputs != absent[:1]).any(dim=0) | (absent != absent[:1]).any(dim=0)
    players = groups[moves].unique() if moves.any() else groups.flatten()[:1]  # a game needs a player

    def play(coalitions):
        present = torch.ones(1, len(coalitions), G, dtype=torch.bool, device=inputs.device)
        present[0, :, players] = coalitions.to(inputs.device)
        return sum(masked_outputs(model, inputs, target, present, groups, row).double() for row in absent) / len(absent)

    def spread(values):
        return torch.zeros(len(values), G, device=values.device).index_copy(1, players, values.float())

    return play, spread, len(players)


def check_background(background, inputs):
    """The background on the inputs' device. Raises ValueError unless it is (M, ...) finite inputs of the same kind."""
    if not isinstance(background, torch.Tensor) or background.ndim != inputs.ndim or len(background) == 0:
        raise ValueError(
            f"The background is {tuple(getattr(background, 'shape', ()))}; expected a tensor (M, ...) of M inputs, "
            f"here (M, {', '.join(map(str, inputs.shape[1:]))})."
        )
    if background.shape[1:] != inputs.shape[1:]:
        raise ValueError(
            f"The background's inputs are {tuple(background.shape[1:])} and those to explain "
            f"{tuple(inputs.shape[1:])}; both must have the same features, in the same order."
        )
    if not background.isfinite().all():
        raise ValueError("The background has values that are not finite. Leave those inputs out, or fill them in.")
    return background.to(inputs)


def check_players(G):
    if G > MOST_PLAYERS:
        raise ValueError(
            f"There are {G} groups, which makes 2^{G} coalitions; exact values are for {MOST_PLAYERS} groups or fewer. "
            f"Put features together with `groups`, or use shapley_sampling or kernel_shap."
        )
