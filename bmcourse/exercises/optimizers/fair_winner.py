"""The exercise `fair_winner` of lesson 07: which optimizer is best when each has its own best learning rate."""

import math
import statistics

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


def random_table(size):
    """Three rates with two to four seeds, of which none, some or all diverged."""

    def losses():
        share, seeds = (0, 0, 0.4, 1)[torch.randint(4, ())], 2 + torch.randint(3, ()).item()
        numbers = [round(size * number, 2) for number in torch.rand(seeds).pow(2).tolist()]
        return [float("nan") if torch.rand(()) < share else number for number in numbers]

    return {name: {lr: losses() for lr in (0.01, 0.1, 1.0)} for name in ("SGD", "Muon", "Adam")}


@fair_winner.cases
def cases():
    """Small tables, in each of which another way to compare goes wrong; random ones, which tell all of these apart."""
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
        ),
        table(
            Muon=[[1.0, 1.0], [2.4, 2.5], [2.5, 2.5]],
            SGD=[[3.0, 3.1], [2.1, 1.9], [3.0, 2.9]],
            Adam=[[2.6, 2.5, 2.6], [nan, 1.4, 1.3], [0.7, 0.8, 0.8]],
        ),
        *((random_table(size),) for size in (1.0, 1000.0) * 5),
    ]


@fair_winner.right
def by_tensor(results):
    def best(name):
        means = torch.tensor([torch.tensor(losses).mean() for losses in results[name].values()])
        return means.nan_to_num(math.inf).min()

    return min(results, key=best)


@fair_winner.right
def of_all_pairs(results):
    pairs = [
        (sum(losses) / len(losses), name)
        for name, losses_at in results.items()
        for losses in losses_at.values()
        if not any(math.isnan(loss) for loss in losses)
    ]
    return sorted(pairs)[0][1]


@fair_winner.right
def with_a_loop(results):
    winner, lowest = None, math.inf
    for name in results:
        for losses in results[name].values():
            mean = math.fsum(losses) / len(losses)
            if mean < lowest:  # False for NaN
                winner, lowest = name, mean
    return winner


@fair_winner.right
def from_the_back(results):
    names = list(results)
    score = [-math.inf] * len(names)
    for place, name in enumerate(names):
        for losses in results[name].values():
            if all(loss == loss for loss in losses):
                score[place] = max(score[place], -statistics.mean(losses))
    return names[score.index(max(score))]


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


# One rate for all, or one name for all rates.
@fair_winner.mistake(
    "You compare all optimizers at the first learning rate. It may suit one and not the other: take each at "
    "its own best."
)
def at_first_rate(results):
    return _least(lambda losses_at: _mean(next(iter(losses_at.values()))))(results)


@fair_winner.mistake(
    "You compare all optimizers at the last learning rate. It may not suit all: take each at its own best."
)
def at_last_rate(results):
    return _least(lambda losses_at: _mean(list(losses_at.values())[-1]))(results)


@fair_winner.mistake(
    "You compare all optimizers at one learning rate, the best for all together. The optimizers need "
    "different ones: take each at its own best."
)
def at_one_rate(results):
    rates = next(iter(results.values()))
    shared = min(rates, key=lambda lr: sum(_mean(losses_at[lr]) for losses_at in results.values()))
    return _least(lambda losses_at: _mean(losses_at[shared]))(results)


@fair_winner.mistake(
    "You tune the learning rate for the first optimizer and give it to all others. So new optimizers beat old "
    "ones in many papers, and the other way round. Take each at its own best."
)
def at_the_rate_of_the_first(results):
    first = next(iter(results.values()))
    tuned = min(first, key=lambda lr: _mean(first[lr]))
    return _least(lambda losses_at: _mean(losses_at[tuned]))(results)


@fair_winner.mistake(
    "You count the learning rates at which an optimizer is ahead. Nobody trains at all of them: compare each "
    "at its own best."
)
def by_number_of_rates(results):
    rates = next(iter(results.values()))
    ahead = [_least(lambda losses_at, lr=lr: _mean(losses_at[lr]))(results) for lr in rates]
    return max(results, key=ahead.count)


fair_winner.mistake(
    "You average over the learning rates. Nobody trains at a bad one when there is a good one: take each "
    "optimizer at its best.",
    mean_over_rates=_least(
        lambda losses_at: _mean([mean for mean in map(_mean, losses_at.values()) if mean < math.inf] or [math.inf])
    ),
)
fair_winner.mistake(
    "You average over all runs of an optimizer that did not diverge, whatever their rate. Nobody trains at a bad rate "
    "when there is a good one: take each optimizer at its best.",
    mean_over_all=_least(lambda losses_at: _mean(finite(sum(losses_at.values(), [])) or [math.inf])),
)
fair_winner.mistake(
    "You compare each optimizer at its worst rate. Take each at its best: min over the rates.",
    at_worst_rate=_least(
        lambda losses_at: max((mean for mean in map(_mean, losses_at.values()) if mean < math.inf), default=math.inf)
    ),
)
fair_winner.mistake(
    "You compare the optimizers by how often they diverged. Only their mean loss at the best rate counts.",
    by_number_of_diverged=_least(
        lambda losses_at: sum(len(losses) - len(finite(losses)) for losses in losses_at.values())
    ),
)
fair_winner.mistake(
    "You always return the first name. The comparison decides nothing: is the winner ever replaced?",
    always_the_first=lambda results: next(iter(results)),
)
fair_winner.mistake(
    "You always return the last name. Is the winner replaced in every round of the loop?",
    always_the_last=lambda results: list(results)[-1],
)
fair_winner.mistake(
    "You return the name that comes first in the alphabet: min(results) compares names. Give it a key.",
    first_of_the_alphabet=min,
)

# Seeds.
fair_winner.mistake(
    "You compare the single best runs. That rewards the luckiest seed, even where others diverged. Take the "
    "mean over the seeds first.",
    luckiest_run=least_at_best(lambda losses: min(finite(losses), default=math.inf)),
)
fair_winner.mistake(
    "You leave out the runs that diverged and average the rest. Those are the survivors: a rate that killed "
    "the others looks good. Where any seed diverged, the learning rate does not count.",
    survivors=least_at_best(lambda losses: _mean(finite(losses) or [math.inf])),
)
fair_winner.mistake(
    "A rate counts for you as long as one of its seeds did not diverge, and you divide by all of them: a diverged run "
    "counts as a loss of 0, the best there is. Where any seed diverged, the learning rate does not count.",
    diverged_is_zero_unless_all=least_at_best(
        lambda losses: sum(finite(losses)) / len(losses) if finite(losses) else math.inf
    ),
)
fair_winner.mistake(
    "You count a diverged run as a loss of 0, and that is the best loss there is. Where any seed diverged, "
    "the learning rate does not count.",
    diverged_is_zero=least_at_best(lambda losses: sum(finite(losses)) / len(losses)),
)
fair_winner.mistake(
    "A rate at which some seeds diverged has a mean of NaN, and that gets into your comparison: every comparison with "
    "NaN is False. Leave out each rate at which any seed diverged.",
    only_where_all_diverged=least_at_best(lambda losses: sum(losses) / len(losses) if finite(losses) else math.inf),
)
fair_winner.mistake(
    "You look for NaN in the first seed only. Any seed may have diverged.",
    first_seed_looked_at=least_at_best(lambda losses: math.inf if math.isnan(losses[0]) else _mean(finite(losses))),
)
fair_winner.mistake(
    "You look at the first seed only. Take the mean over all seeds of a rate.",
    first_seed_only=least_at_best(counting(lambda losses: losses[0])),
)
fair_winner.mistake(
    "You look at the last seed only. Take the mean over all seeds of a rate.",
    last_seed_only=least_at_best(counting(lambda losses: losses[-1])),
)
fair_winner.mistake(
    "NaN confuses min(): every comparison with NaN is False, so the answer depends on the order. Leave the "
    "rates with a NaN out (math.isnan) before you take the minimum.",
    nan_in_min=least_at_best(lambda losses: sum(losses) / len(losses)),
)
fair_winner.mistake(
    "You put a loss of 10 or so in the place of NaN, and with losses of thousands that looks good. Leave the rate out, "
    "or use math.inf.",
    nan_is_ten=least_at_best(counting(_mean))
    and _least(lambda losses_at: min(10.0 if _mean(x) == math.inf else _mean(x) for x in losses_at.values())),
)
fair_winner.mistake(
    "You put a loss of 100 in the place of NaN, and with losses of thousands that looks good. Leave the rate out, or "
    "use math.inf.",
    nan_is_a_hundred=_least(
        lambda losses_at: min(100.0 if _mean(x) == math.inf else _mean(x) for x in losses_at.values())
    ),
)
fair_winner.mistake(
    "You throw an optimizer out as soon as one of its runs diverged. Only that learning rate does not count: "
    "its others do.",
    optimizer_thrown_out=_least(without_diverged),
)
fair_winner.mistake(
    "`min()` found nothing: there is an optimizer that diverged at every learning rate. It cannot win: "
    "min(..., default=math.inf).",
    nothing_to_compare=_least(
        lambda losses_at: min(finite(sum(losses) / len(losses) for losses in losses_at.values()))
    ),
)
fair_winner.mistake(
    "You compare the worst seeds. Here the mean over the seeds counts.", worst_seed=least_at_best(counting(max))
)
fair_winner.mistake(
    "You compare sums over the seeds, and not all have as many seeds. Take the mean.",
    sum_over_seeds=least_at_best(counting(sum)),
)
fair_winner.mistake(
    "You compare the luckiest seeds, and min() of numbers with a NaN among them depends on their order. Drop "
    "the rates at which a seed diverged, then take the mean over the seeds.",
    luckiest_with_nan=least_at_best(min),
)
fair_winner.mistake(
    "You compare the luckiest seeds. Take the mean over the seeds of each learning rate.",
    luckiest_seed=least_at_best(counting(min)),
)
fair_winner.mistake(
    "You compare the middle seeds (the median). Here the mean over the seeds counts.",
    middle_seed=least_at_best(counting(lambda losses: sorted(losses)[len(losses) // 2])),
)
fair_winner.mistake(
    "You compare how far the seeds lie apart. A steady optimizer is nice; asked for is the lowest mean.",
    steadiest=least_at_best(counting(statistics.pstdev)),
)
fair_winner.mistake(
    "You took the highest loss. A loss is better when it is lower.",
    highest=lambda results: max(results, key=lambda name: min(map(_mean, results[name].values()))),
)


fair_winner.mistake(
    "You average without the runs that diverged, as nanmean does: the survivors make a bad rate look good. Where any "
    "seed diverged, the learning rate does not count.",
    nanmean=least_at_best(lambda losses: sum(finite(losses)) / len(finite(losses)) if finite(losses) else math.nan),
)


@fair_winner.mistake(
    "You leave an optimizer at its first rate with a NaN, and its later rates are never looked at. Skip that rate "
    "only: continue, not break."
)
def until_the_first_nan(results):
    means = {name: [math.inf] for name in results}
    for name, losses_at in results.items():
        for losses in losses_at.values():
            if finite(losses) != losses:
                break
            means[name].append(_mean(losses))
    best = min(results, key=lambda name: min(means[name]))
    return best if min(means[best]) < math.inf else None


# What is returned.
@fair_winner.mistake("You return the learning rate of the winner. Return the optimizer's name.")
def rate_of_the_winner(results):
    losses_at = results[fair_winner(results)]
    return min(losses_at, key=lambda lr: _mean(losses_at[lr]))


@fair_winner.mistake("You return the loss of the winner. Return the optimizer's name.")
def loss_of_the_winner(results):
    return min(_mean(losses) for losses in results[fair_winner(results)].values())


@fair_winner.mistake("You return name and loss together. Return the name alone.")
def name_and_loss(results):
    return fair_winner(results), loss_of_the_winner(results)


@fair_winner.mistake("You return loss and name together. Return the name alone.")
def loss_and_name(results):
    return loss_of_the_winner(results), fair_winner(results)


@fair_winner.mistake("You return name and learning rate together. Return the name alone.")
def name_and_rate(results):
    return fair_winner(results), rate_of_the_winner(results)


@fair_winner.mistake("You return the best mean of every optimizer. Return the name of the best of them.")
def all_best_means(results):
    return {name: min(map(_mean, losses_at.values())) for name, losses_at in results.items()}


@fair_winner.mistake(
    "The winner is right, but you deleted learning rates from `results`. Skip them instead: whoever gave you "
    "the table still needs it."
)
def drops_diverged_rates(results):
    for losses_at in results.values():
        for lr in [lr for lr, losses in losses_at.items() if finite(losses) != losses]:
            del losses_at[lr]
    return fair_winner(results)


fair_winner.hints(
    "Two questions, one after the other: how good is each optimizer at its best rate, and which of them is best?",
    "For each optimizer: the mean of every rate, without those that are NaN (math.isnan); then the smallest.",
    "min(best, key=best.get) gives the key of a dict whose value is the smallest.",
)
