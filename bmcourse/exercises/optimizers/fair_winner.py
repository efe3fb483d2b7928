"""The exercise `fair_winner` of lesson 05."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The name of the optimizer with the lowest mean loss at its own best rate. `results` is like {'SGD': "
    "{0.1: [2.3, 2.4], 1.0: [1.9, nan]}, 'Adam': ...}: the loss of each seed, NaN where it diverged. A rate at which "
    "any seed diverged does not count."
)
def fair_winner(results):
    best = {}
    for name, losses_at in results.items():
        means = [sum(losses) / len(losses) for losses in losses_at.values()]
        best[name] = min((mean for mean in means if not math.isnan(mean)), default=math.inf)
    return min(best, key=best.get)


@fair_winner.right
def winner_by_tensor(results):
    def best(name):
        means = torch.tensor([torch.tensor(losses).mean() for losses in results[name].values()])
        return means.nan_to_num(math.inf).min()

    return min(results, key=best)


@fair_winner.right
def winner_of_all_pairs(results):
    pairs = [
        (sum(losses) / len(losses), name)
        for name, losses_at in results.items()
        for losses in losses_at.values()
        if not any(math.isnan(loss) for loss in losses)
    ]
    return sorted(pairs)[0][1]


@fair_winner.right
def winner_with_a_loop(results):
    winner, lowest = None, math.inf
    for name in results:
        for losses in results[name].values():
            mean = math.fsum(losses) / len(losses)
            if mean < lowest:  # False for NaN
                winner, lowest = name, mean
    return winner


def _mean(losses):
    """The mean of the losses, infinite where one is NaN."""
    mean = sum(losses) / len(losses)
    return math.inf if math.isnan(mean) else mean


def finite(losses):
    return [loss for loss in losses if not math.isnan(loss)]


def _least(score):
    """The answer that takes the optimizer with the least `score(its losses by learning rate)`."""
    return lambda results: min(results, key=lambda name: score(results[name]))


def least_at_best(score):
    """The answer that takes the optimizer with the least `score(losses of one rate)` at any rate."""
    return _least(lambda losses_at: min(map(score, losses_at.values())))


def counting(score):
    """The score of one rate that is infinite where a seed diverged."""
    return lambda losses: math.inf if len(finite(losses)) < len(losses) else score(losses)


def without_diverged(losses_at):
    """The best mean of an optimizer, infinite where any of its runs diverged."""
    means = list(map(_mean, losses_at.values()))
    return max(means) if math.inf in means else min(means)


def mean_over_rates(losses_at):
    means = finite(sum(losses) / len(losses) for losses in losses_at.values())
    return sum(means) / len(means) if means else math.inf


@fair_winner.mistake(
    "You compare all optimizers at the first learning rate. It may suit one and not the other: take each at "
    "its own best."
)
def at_first_rate(results):
    return _least(lambda losses_at: _mean(next(iter(losses_at.values()))))(results)


@fair_winner.mistake(
    "You compare all optimizers at one learning rate, the best for all together. The optimizers need "
    "different ones: take each at its own best."
)
def at_one_rate(results):
    """Compares at the rate that is best for all optimizers together."""
    rates = next(iter(results.values()))
    shared = min(rates, key=lambda lr: sum(_mean(losses_at[lr]) for losses_at in results.values()))
    return _least(lambda losses_at: _mean(losses_at[shared]))(results)


@fair_winner.mistake(
    "You tune the learning rate for the first optimizer and give it to all others. So new optimizers beat old "
    "ones in many papers, and the other way round. Take each at its own best."
)
def at_the_rate_of_the_first(results):
    """Compares at the rate that is best for the first optimizer."""
    first = next(iter(results.values()))
    tuned = min(first, key=lambda lr: _mean(first[lr]))
    return _least(lambda losses_at: _mean(losses_at[tuned]))(results)


@fair_winner.mistake(
    "You count the learning rates at which an optimizer is ahead. Nobody trains at all of them: compare each "
    "at its own best."
)
def by_number_of_rates(results):
    """The optimizer that is ahead at most of the rates."""
    rates = next(iter(results.values()))
    ahead = [_least(lambda losses_at, lr=lr: _mean(losses_at[lr]))(results) for lr in rates]
    return max(results, key=ahead.count)


@fair_winner.mistake(
    "The winner is right, but you deleted learning rates from `results`. Skip them instead: whoever gave you "
    "the table still needs it."
)
def drops_diverged_rates(results):
    for losses_at in results.values():
        for lr in [lr for lr, losses in losses_at.items() if finite(losses) != losses]:
            del losses_at[lr]
    return fair_winner(results)


@fair_winner.mistake("You return the learning rate of the winner. Return the optimizer's name.")
def rate_of_the_winner(results):
    losses_at = results[fair_winner(results)]
    return min(losses_at, key=lambda lr: _mean(losses_at[lr]))


@fair_winner.mistake("You return the loss of the winner. Return the optimizer's name.")
def loss_of_the_winner(results):
    return min(_mean(losses) for losses in results[fair_winner(results)].values())


@fair_winner.cases
def some_races():
    """Small tables; in each of them another way to compare goes wrong."""
    nan = float("nan")  # as from .item(): not the object math.nan, which `in` would find

    def table(**rows):
        return ({name: dict(zip((0.01, 0.1, 1.0), losses, strict=True)) for name, losses in rows.items()},)

    return [
        table(
            Adam=[[1.2, 1.3], [2.0, 2.2], [3.0, 3.1]],
            SGD=[[2.5, 2.6], [1.7, 1.9], [0.9, 1.1]],
        ),
        table(
            Muon=[[nan, 0.9], [nan, nan], [1.2, nan]],
            SGD=[[2.1, 2.0], [1.4, nan], [nan, nan]],
            Adam=[[1.9, 1.7], [0.4, nan], [nan, nan]],
        ),
        table(
            SGD=[[0.7, 1.4], [1.1, 1.0], [2.3, 2.2]],
            Muon=[[2.0, 2.0], [0.9, 0.9], [3.0, 2.9]],
            Adam=[[2.0, 2.0], [nan, 0.6], [2.4, 2.9]],
        ),
        table(
            Muon=[[1.1, nan, 1.1], [1.5, 1.6, 1.7], [3.0, 3.0, 2.9]],
            Adam=[[1.6, 1.6], [2.6, 2.5], [1.3, nan]],
            SGD=[[nan, 2.6], [1.6, 0.8], [3.3, 3.3]],
        ),
        table(
            Muon=[[1.0, 1.0], [2.4, 2.5], [2.5, 2.5]],
            SGD=[[3.0, 3.1], [2.1, 1.9], [3.0, 2.9]],
            Adam=[[2.6, 2.5, 2.6], [nan, 1.4, 1.3], [0.7, 0.8, 0.8]],
        ),
    ]


fair_winner.mistake(
    "You compare the single best runs. That rewards the luckiest seed, even where others diverged. Take the "
    "mean over the seeds first.",
    TODO_67=least_at_best(lambda losses: min(finite(losses), default=math.inf)),
)


fair_winner.mistake(
    "You leave out the runs that diverged and average the rest. Those are the survivors: a rate that killed "
    "the others looks good. Where any seed diverged, the learning rate does not count.",
    TODO_68=least_at_best(lambda losses: _mean(finite(losses) or [math.inf])),
)


fair_winner.mistake(
    "NaN confuses min(): every comparison with NaN is False, so the answer depends on the order. Leave the "
    "rates with a NaN out (math.isnan) before you take the minimum.",
    TODO_69=least_at_best(lambda losses: sum(losses) / len(losses)),
)


fair_winner.mistake(
    "You count a diverged run as a loss of 0, and that is the best loss there is. Where any seed diverged, "
    "the learning rate does not count.",
    TODO_70=least_at_best(lambda losses: sum(finite(losses)) / len(losses)),
)


fair_winner.mistake(
    "You throw an optimizer out as soon as one of its runs diverged. Only that learning rate does not count: "
    "its others do.",
    TODO_71=_least(without_diverged),
)


fair_winner.mistake(
    "You average over the learning rates. Nobody trains at a bad one when there is a good one: take each "
    "optimizer at its best.",
    TODO_72=_least(mean_over_rates),
)


fair_winner.mistake(
    "min() found nothing: there is an optimizer that diverged at every learning rate. It cannot win: "
    "min(..., default=math.inf).",
    TODO_73=_least(lambda losses_at: min(finite(sum(losses) / len(losses) for losses in losses_at.values()))),
)


fair_winner.mistake(
    "You compare the worst seeds. Here the mean over the seeds counts.", TODO_74=least_at_best(counting(max))
)


fair_winner.mistake(
    "You compare sums over the seeds, and not all have as many seeds. Take the mean.",
    TODO_75=least_at_best(counting(sum)),
)


fair_winner.mistake(
    "You compare the luckiest seeds, and min() of numbers with a NaN among them depends on their order. Drop "
    "the rates at which a seed diverged, then take the mean over the seeds.",
    TODO_76=lambda results: min(results, key=lambda name: min(min(losses) for losses in results[name].values())),
)


fair_winner.mistake(
    "You compare the luckiest seeds. Take the mean over the seeds of each learning rate.",
    TODO_77=least_at_best(counting(min)),
)


fair_winner.mistake(
    "You compare the middle seeds (the median). Here the mean over the seeds counts.",
    TODO_78=least_at_best(counting(lambda losses: sorted(losses)[len(losses) // 2])),
)


fair_winner.mistake(
    "You took the highest loss. A loss is better when it is lower.",
    TODO_79=lambda results: max(results, key=lambda name: min(map(_mean, results[name].values()))),
)


fair_winner.hints(
    "Two questions, one after the other: how good is each optimizer at its best rate, and which of them is best?",
    "For each optimizer: the mean of every rate, without those that are NaN (math.isnan); then the smallest.",
    "min(best, key=best.get) gives the key of a dict whose value is the smallest.",
)
