"""Exercises of lesson 11: power laws, what a budget buys, days and dollars, and one batch for several processes."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Mistake, Wrong

# ---------------------------------------------------------------- power_law


def power_law(x, y):
    log_x, log_y = torch.log(x), torch.log(y)
    from_mean = log_x - log_x.mean()
    exponent = (from_mean * log_y).sum() / (from_mean**2).sum()
    factor = torch.exp(log_y.mean() - exponent * log_x.mean())
    return factor.item(), exponent.item()


def _power_law_by_polyfit(x, y):
    exponent, intercept = np.polyfit(np.log(x.numpy()), np.log(y.numpy()), 1)
    return math.exp(intercept), float(exponent)


def _power_law_by_least_squares(x, y):
    columns = torch.stack([torch.ones_like(x), x.log()], dim=1)
    intercept, exponent = torch.linalg.lstsq(columns, y.log()[:, None]).solution[:, 0].tolist()
    return math.exp(intercept), exponent


def _power_law_in_tens(x, y):
    log_x, log_y = torch.log10(x), torch.log10(y)
    both = torch.cov(torch.stack([log_x, log_y]))
    exponent = (both[0, 1] / both[0, 0]).item()
    return 10 ** (log_y.mean().item() - exponent * log_x.mean().item()), exponent


def _line_without_logarithms(x, y):
    slope, intercept = np.polyfit(x.numpy(), y.numpy(), 1)
    return float(intercept), float(slope)


def _line_in_log_x_alone(x, y):
    slope, intercept = np.polyfit(np.log(x.numpy()), y.numpy(), 1)
    return float(intercept), float(slope)


def _an_exponential(x, y):
    slope, intercept = np.polyfit(x.numpy(), np.log(y.numpy()), 1)
    return math.exp(intercept), float(slope)


def _line_through_the_ends(x, y):
    exponent = math.log(y[-1] / y[0]) / math.log(x[-1] / x[0])
    return (y[0] / x[0] ** exponent).item(), exponent


def _line_through_the_origin(x, y):
    log_x, log_y = torch.log(x), torch.log(y)
    return 1.0, ((log_x * log_y).sum() / (log_x**2).sum()).item()


def _power_law_cases():
    def law(points, factor, exponent, noise):
        x = torch.logspace(1, 4, points, dtype=torch.float64)
        return x, factor * x**exponent * torch.exp(noise * torch.randn(points, dtype=torch.float64))

    return [law(4, 20.0, -0.25, 0.0), law(6, 5.0, -0.1, 0.1), law(9, 0.5, 1.5, 0.3)]


POWER_LAW = Exercise(
    reference=power_law,
    prompt="The (factor, exponent), two plain numbers, of the law y = factor * x ** exponent that is nearest to the "
    "measurements: least squares of log y on log x. x and y are tensors of numbers above 0.",
    cases=_power_law_cases,
    judge=_power_law_by_polyfit,
    right=[_power_law_by_polyfit, _power_law_by_least_squares, _power_law_in_tens],
    wrong=[
        Wrong(
            _line_without_logarithms,
            "That is a straight line through x and y themselves. A power law is one only between their logarithms.",
        ),
        Wrong(_line_in_log_x_alone, "You took the logarithm of x alone. Take that of y too."),
        Wrong(_an_exponential, "You took the logarithm of y alone: that fits an exponential. Take that of x too."),
        Wrong(
            lambda x, y: (math.log(power_law(x, y)[0]), power_law(x, y)[1]),
            "The first number is still a logarithm: where the line meets log x = 0. Take exp of it.",
        ),
        Wrong(
            lambda x, y: (10 ** math.log(power_law(x, y)[0]), power_law(x, y)[1]),
            "torch.log goes with exp, and 10 ** with torch.log10. You mixed them.",
        ),
        Wrong(
            lambda x, y: (power_law(x, y)[0], -power_law(x, y)[1]),
            "The exponent has the wrong sign. A loss that falls as x grows has an exponent below 0.",
        ),
        Wrong(lambda x, y: power_law(x, y)[::-1], "The order is (factor, exponent). You return them the other way."),
        Wrong(lambda x, y: power_law(y, x), "x and y are swapped: that is x as a power of y."),
        Wrong(
            _line_through_the_ends,
            "You drew the line through the first and the last point. Least squares listens to all of them.",
        ),
        Wrong(
            _line_through_the_origin,
            "You forced the factor to be 1. Subtract the means of log x and log y before you fit the slope.",
        ),
    ],
    hints=[
        "Where y = factor * x ** exponent, log y = log factor + exponent * log x: a straight line.",
        "Its slope is sum((log x - mean) * log y) / sum((log x - mean) ** 2), with the mean of log x.",
        "The line goes through the two means: log factor = mean(log y) - exponent * mean(log x).",
    ],
)

# ---------------------------------------------------------------- size_for_budget


def size_for_budget(flops, tokens_per_parameter):
    parameters = math.sqrt(flops / (6 * tokens_per_parameter))
    return parameters, tokens_per_parameter * parameters


def _size_then_the_rest(flops, tokens_per_parameter):
    parameters = (flops / 6 / tokens_per_parameter) ** 0.5
    return parameters, flops / (6 * parameters)


def _tokens_first(flops, tokens_per_parameter):
    tokens = math.sqrt(flops * tokens_per_parameter / 6)
    return tokens / tokens_per_parameter, tokens


def _size_by_logarithms(flops, tokens_per_parameter):
    parameters = math.exp((math.log(flops) - math.log(6 * tokens_per_parameter)) / 2)
    return [parameters, parameters * tokens_per_parameter]


SIZE_FOR_BUDGET = Exercise(
    reference=size_for_budget,
    prompt="The (parameters, tokens) of a training that costs `flops` when every parameter and token cost 6 operations "
    "and there are `tokens_per_parameter` tokens for each parameter. Chinchilla's rule is 20.",
    cases=lambda: [(6 * 20 * 1e12, 20), (5.76e23, 20), (3.8e25, 38.5), (1e15, 0.5)],
    right=[_size_then_the_rest, _tokens_first, _size_by_logarithms],
    wrong=[
        Wrong(
            lambda flops, ratio: size_for_budget(6 * flops, ratio),
            "The 6 is missing: a training costs 6 operations for each parameter and token.",
        ),
        Wrong(
            lambda flops, ratio: size_for_budget(3 * flops, ratio),
            "2 operations are the way forward alone. With the way backward there are 6.",
        ),
        Wrong(
            lambda flops, ratio: (flops / (6 * ratio), flops / 6),
            "The root is missing: flops = 6 N D with D = ratio * N has N squared in it.",
        ),
        Wrong(
            lambda flops, ratio: (math.sqrt(flops / 6), math.sqrt(flops / 6)),
            "You gave as many tokens as parameters. Each parameter is to have tokens_per_parameter of them.",
        ),
        Wrong(
            lambda flops, ratio: (math.sqrt(flops / 6), ratio * math.sqrt(flops / 6)),
            "Parameters times tokens is too much by tokens_per_parameter: put D = ratio * N into flops = 6 N D first.",
        ),
        Wrong(
            lambda flops, ratio: size_for_budget(flops, 1 / ratio),
            "Parameters and tokens are the wrong way round: D = tokens_per_parameter * N, and the order is "
            "(parameters, tokens).",
        ),
        Wrong(
            lambda flops, ratio: (flops / (6 * ratio), ratio),
            "tokens_per_parameter is not the number of tokens. There are that many for each parameter.",
        ),
        Wrong(lambda *budget: size_for_budget(*budget)[0], "Return both: parameters, tokens."),
        Wrong(
            lambda flops, ratio: (size_for_budget(flops, ratio)[0], flops / size_for_budget(flops, ratio)[0]),
            "The parameters are right. The tokens are flops / (6 * parameters): the 6 is missing there.",
        ),
    ],
    hints=[
        "Two equations: flops = 6 * N * D, and D = tokens_per_parameter * N.",
        "Put the second into the first: flops = 6 * tokens_per_parameter * N ** 2. Solve it for N.",
    ],
)

# ---------------------------------------------------------------- days_and_dollars


def days_and_dollars(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    hours = flops / (chips * flops_per_second * utilisation) / 3600
    return hours / 24, hours * chips * dollars_per_hour


def _dollars_first(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    chip_hours = flops / flops_per_second / utilisation / 3600
    return chip_hours / chips / 24, chip_hours * dollars_per_hour


def _days_first(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    days = flops / (chips * flops_per_second * utilisation * 86_400)
    return days, days * 24 * dollars_per_hour * chips


def _price_of_an_operation(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    really = flops_per_second * utilisation
    seconds = flops / really / chips
    return [seconds / 60 / 60 / 24, flops * dollars_per_hour / (really * 3600)]


def _changed(*sizes, **changes):
    """The right answer to other numbers."""
    names = ("flops", "chips", "flops_per_second", "utilisation", "dollars_per_hour")
    return days_and_dollars(**(dict(zip(names, sizes, strict=True)) | changes))


DAYS_AND_DOLLARS = Exercise(
    reference=days_and_dollars,
    prompt="The (days, dollars) of a training of `flops` operations. `chips` work at once; each does "
    "`flops_per_second` at best, reaches `utilisation` of that (0.4 means 40 %), and costs `dollars_per_hour`.",
    cases=lambda: [
        (3600e12, 2, 1e12, 0.5, 1.0),
        (3.8e25, 16_384, 989e12, 0.4, 3.99),
        (3.14e23, 1024, 312e12, 0.3, 2.0),
    ],
    right=[_dollars_first, _days_first, _price_of_an_operation],
    wrong=[
        Wrong(
            lambda *s: (days_and_dollars(*s)[0], days_and_dollars(*s)[1] / s[1]),
            "The days are right. The dollars are those of one chip: each of them is paid for.",
        ),
        Wrong(
            lambda *s: (days_and_dollars(*s)[0], days_and_dollars(*s)[0] * s[1] * s[4]),
            "The days are right. For the dollars you took the price as one per day: it is per hour.",
        ),
        Wrong(
            lambda *s: (days_and_dollars(*s)[0], days_and_dollars(*s)[0] * 86_400 * s[1] * s[4]),
            "The days are right. For the dollars you counted seconds, but the price is per hour.",
        ),
        Wrong(
            lambda *s: (days_and_dollars(*s)[0] * 24, days_and_dollars(*s)[1]),
            "The dollars are right. The time is in hours: divide by 24 for days.",
        ),
        Wrong(
            lambda *s: (days_and_dollars(*s)[0] * 86_400, days_and_dollars(*s)[1]),
            "The dollars are right. The time is in seconds: a day has 24 * 60 * 60.",
        ),
        Wrong(
            lambda *s: (days_and_dollars(*s)[0] * s[1], days_and_dollars(*s)[1]),
            "The dollars are right. The days are those of one chip alone: they work at the same time.",
        ),
        Wrong(
            lambda *s: (days_and_dollars(*s)[0] * s[1], days_and_dollars(*s)[1] * s[1]),
            "You left the chips out of the speed: they work at the same time, so divide the time by `chips`.",
        ),
        Wrong(
            lambda *s: _changed(*s, utilisation=1.0),
            "The utilisation is missing: chips wait for memory and for each other, and do less than their best.",
        ),
        Wrong(
            lambda *s: _changed(*s, utilisation=1 / s[3]),
            "You multiply the time by the utilisation, so that a worse one ends sooner. Divide by it.",
        ),
        Wrong(lambda *s: _changed(*s, utilisation=s[3] / 100), "0.4 is 40 % already: do not divide by 100."),
        Wrong(lambda *s: days_and_dollars(*s)[::-1], "The order is (days, dollars)."),
    ],
    hints=[
        "First the time: operations divided by the speed of all chips together, in seconds.",
        "The speed is chips * flops_per_second * utilisation. An hour has 3600 seconds, a day 24 hours.",
        "Every chip is paid for every hour: hours * chips * dollars_per_hour.",
    ],
)

# ---------------------------------------------------------------- rows_of


def rows_of(rank, processes, batch):
    if len(batch) % processes:
        raise ValueError(f"{len(batch)} rows do not divide by {processes} processes.")
    each = len(batch) // processes
    return batch[rank * each : (rank + 1) * each]


def _shares_of_all(answer, processes, batch):
    """How many rows each process has, and all rows that any has, in order; or that a ValueError came."""
    try:
        shares = [answer(rank, processes, batch.clone()) for rank in range(processes)]
    except ValueError:
        return "ValueError"
    if not all(isinstance(share, torch.Tensor) for share in shares):
        raise Mistake("Return the rows themselves, a tensor: for example batch[start:end].")
    if any(share.shape[1:] != batch.shape[1:] for share in shares):
        raise Mistake("A row must stay whole: split the first dimension of the batch, not the others.")
    rows = sorted(row for share in shares for row in share.tolist())
    return {"rows of each": [len(share) for share in shares], "all rows": rows}


def _judge_shares(processes, batch):
    if len(batch) % processes:
        return "ValueError"
    return {"rows of each": [len(batch) // processes] * processes, "all rows": sorted(batch.tolist())}


def _rows_by_chunk(rank, processes, batch):
    if len(batch) % processes != 0:
        raise ValueError("uneven")
    return batch.chunk(processes)[rank]


def _rows_in_turn(rank, processes, batch):
    if len(batch) // processes * processes < len(batch):
        raise ValueError("uneven")
    return batch[rank::processes]


def _rows_by_view(rank, processes, batch):
    each, rest = divmod(len(batch), processes)
    if rest:
        raise ValueError("uneven")
    return batch.reshape(processes, each, *batch.shape[1:])[rank]


def _checked(split):
    """A way to split that refuses what does not divide, as the right one does."""

    def answer(rank, processes, batch):
        rows_of(rank, processes, batch)
        return split(rank, len(batch) // processes, batch)

    return answer


ROWS_OF = Exercise(
    reference=rows_of,
    prompt="The rows of `batch` (B, T) that process number `rank` of `processes` works on. Ranks count from 0. "
    "Together they take every row once, all equally many. Raises ValueError where the rows do not divide evenly.",
    cases=lambda: [
        (2, torch.arange(8).view(4, 2)),
        (3, torch.arange(27).view(9, 3)),
        (1, torch.arange(10).view(5, 2)),
        (4, torch.arange(30).view(10, 3)),
        (3, torch.arange(12).view(6, 2)),
    ],
    run=_shares_of_all,
    judge=_judge_shares,
    right=[_rows_by_chunk, _rows_in_turn, _rows_by_view],
    wrong=[
        Wrong(
            _checked(lambda rank, each, batch: batch),
            "Every process gets the whole batch: they would all do the same work. Give each its share.",
        ),
        Wrong(
            _checked(lambda rank, each, batch: batch[:each]),
            "Every process gets the first rows. Where a share starts depends on `rank`.",
        ),
        Wrong(
            _checked(lambda rank, each, batch: batch[rank : rank + each]),
            "The shares overlap: process `rank` starts at row rank * (rows of each), not at row `rank`.",
        ),
        Wrong(
            _checked(lambda rank, each, batch: batch[(rank + 1) * each : (rank + 2) * each]),
            "Ranks count from 0: your first process skips the first share and the last one gets nothing.",
        ),
        Wrong(
            _checked(lambda rank, each, batch: batch[rank * each : (rank + 1) * each - 1]),
            "One row is lost in each share. A slice leaves out its end: batch[a:b] has b - a rows.",
        ),
        Wrong(
            lambda rank, processes, batch: batch[rank * (len(batch) // processes) :][: len(batch) // processes],
            "Where the rows do not divide evenly, some are never used. Raise ValueError there.",
        ),
        Wrong(
            lambda rank, processes, batch: batch.tensor_split(processes)[rank],
            "Where the rows do not divide evenly, some processes get more, and the mean of the means is not the mean. "
            "Raise ValueError there.",
        ),
        Wrong(
            lambda rank, processes, batch: batch.tensor_split(processes, dim=1)[rank],
            "A row must stay whole: split the first dimension of the batch, not the others.",
        ),
        Wrong(
            lambda rank, processes, batch: list(range(len(batch)))[rank::processes],
            "Return the rows themselves, a tensor: for example batch[start:end].",
        ),
    ],
    hints=[
        "Each process gets len(batch) // processes rows. Check first that nothing is left over.",
        "The share of process 0 starts at row 0, that of process 1 where the first one ends, and so on.",
    ],
)

# ---------------------------------------------------------------- average_gradients


def average_gradients(gradients):
    processes = len(gradients)
    return [sum(of_all) / processes for of_all in zip(*gradients, strict=True)]


def _average_by_stack(gradients):
    return [torch.stack(of_all).mean(dim=0) for of_all in zip(*gradients, strict=True)]


def _average_around_the_ring(gradients):
    total = [gradient.clone() for gradient in gradients[0]]
    for process in gradients[1:]:
        for sum_so_far, gradient in zip(total, process, strict=True):
            sum_so_far += gradient
    return [sum_so_far / len(gradients) for sum_so_far in total]


def _average_by_numbers(gradients):
    return [
        torch.stack([process[number] / len(gradients) for process in gradients]).sum(0)
        for number in range(len(gradients[0]))
    ]


def _median_of_all(gradients):
    return [torch.stack(of_all).quantile(0.5, dim=0) for of_all in zip(*gradients, strict=True)]


def _running_average(gradients):
    mean = list(gradients[0])
    for process in gradients[1:]:
        mean = [(one + other) / 2 for one, other in zip(mean, process, strict=True)]
    return mean


def _gradient_cases():
    def drawn(processes):
        return [[torch.randn(2, 3), torch.randn(3)] for _ in range(processes)]

    ones = [[torch.ones(2), torch.ones(1)], [3 * torch.ones(2), 5 * torch.ones(1)]]
    return [(ones,), (drawn(3),), (drawn(1),), (drawn(4),)]


AVERAGE_GRADIENTS = Exercise(
    reference=average_gradients,
    prompt="What all-reduce leaves with every process. `gradients[p][i]` is the gradient of parameter i that process p "
    "computed from its share of the batch. Returns a list: for each parameter the mean over the processes.",
    cases=_gradient_cases,
    judge=_average_by_stack,
    right=[_average_by_stack, _average_around_the_ring, _average_by_numbers],
    wrong=[
        Wrong(
            lambda gradients: [sum(of_all) for of_all in zip(*gradients, strict=True)],
            "That is the sum: more processes would make larger steps. Divide by how many there are.",
        ),
        Wrong(
            lambda gradients: gradients[0],
            "Those are the gradients of process 0 alone: what the others saw in their rows is lost.",
        ),
        Wrong(
            lambda gradients: [sum(of_all) / len(of_all[0]) for of_all in zip(*gradients, strict=True)],
            "You divide by the length of a gradient. Divide by the number of processes.",
        ),
        Wrong(
            lambda gradients: [sum(of_all) / len(gradients[0]) for of_all in zip(*gradients, strict=True)],
            "You divide by the number of parameters. Divide by the number of processes, len(gradients).",
        ),
        Wrong(
            lambda gradients: [torch.stack(of_all).mean() for of_all in zip(*gradients, strict=True)],
            "You average the elements of a gradient too. Only the processes are averaged: each element stays.",
        ),
        Wrong(
            _median_of_all,
            "That is the median. One batch on one machine gives the mean, and so must many machines.",
        ),
        Wrong(
            _running_average,
            "Halving again and again gives the last process half of all weight. Add all up, then divide once.",
        ),
    ],
    hints=[
        "zip(*gradients) gives, for each parameter, the gradients that all processes have for it.",
        "Add these up element by element and divide by the number of processes.",
    ],
)

# ---------------------------------------------------------------- accumulate_gradients


def accumulate_gradients(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        loss = F.mse_loss(model(part_x), part_y) / parts
        loss.backward()


def _gradients_left(answer, parts, weights, x, y):
    """The gradients that the answer leaves, where old ones were before, and the most rows the model saw at once."""
    model = torch.nn.Linear(x.shape[1], 1)
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    seen = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    answer(model, x, y, parts)
    left = [parameter.grad for parameter in model.parameters()]
    if any(gradient is None for gradient in left):
        raise Mistake("There is no gradient at the end. Call loss.backward() for each part.")
    weights = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    return {"gradients": left, "most rows at once": max(seen, default=0), "weights": weights}


def _gradients_of_all(parts, weights, x, y):
    """What autograd gives for the whole batch."""
    model = torch.nn.Linear(x.shape[1], 1)
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    gradients = torch.autograd.grad(((model(x) - y) ** 2).mean(), list(model.parameters()))
    return {"gradients": list(gradients), "most rows at once": len(x) // parts, "weights": weights}


def _accumulate_weighted_by_rows(model, x, y, parts):
    model.zero_grad()
    for rows in torch.arange(len(x)).tensor_split(parts):
        (F.mse_loss(model(x[rows]), y[rows]) * len(rows) / len(x)).backward()


def _accumulate_sums(model, x, y, parts):
    for parameter in model.parameters():
        parameter.grad = None
    each = len(x) // parts
    for start in range(0, len(x), each):
        ((model(x[start : start + each]) - y[start : start + each]) ** 2).sum().div(len(x)).backward()


def _accumulate_then_divide(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.split(len(x) // parts), y.split(len(x) // parts), strict=True):
        F.mse_loss(model(part_x), part_y).backward()
    for parameter in model.parameters():
        parameter.grad /= parts


def _accumulate_with(model, x, y, parts, before=True, each=False, divide_by=None, only=None):
    """The answer, changed in one place."""
    if before:
        model.zero_grad()
    pairs = list(zip(x.chunk(parts), y.chunk(parts), strict=True))
    for part_x, part_y in pairs[:only]:
        if each:
            model.zero_grad()
        (F.mse_loss(model(part_x), part_y) / (divide_by or parts)).backward()


def _whole_batch(model, x, y, parts):
    model.zero_grad()
    F.mse_loss(model(x), y).backward()


def _no_backward(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        F.mse_loss(model(part_x), part_y)


def _steps_between(model, x, y, parts):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        (F.mse_loss(model(part_x), part_y) / parts).backward()
        optimizer.step()


ACCUMULATE_GRADIENTS = Exercise(
    reference=accumulate_gradients,
    prompt="Leave in the model's parameters the gradient of the mean squared error over all rows of x and y, but show "
    "the model only one of `parts` equal parts at a time. Gradients of before must not count. Returns nothing.",
    cases=lambda: [
        (2, torch.zeros(3), torch.eye(2).repeat(2, 1), torch.tensor([[1.0], [2.0], [3.0], [4.0]])),
        (3, torch.randn(5), torch.randn(12, 4), torch.randn(12, 1)),
        (1, torch.randn(3), torch.randn(4, 2), torch.randn(4, 1)),
    ],
    run=_gradients_left,
    judge=_gradients_of_all,
    right=[_accumulate_weighted_by_rows, _accumulate_sums, _accumulate_then_divide],
    wrong=[
        Wrong(
            lambda *given: _accumulate_with(*given, divide_by=1),
            "The gradients are `parts` times too large: backward() adds them up, and the sum of the parts' means is no "
            "mean. Divide each loss by `parts`.",
        ),
        Wrong(
            lambda *given: _accumulate_with(*given, each=True),
            "Only the last part is left. Call zero_grad() before the loop: in it, it throws away what was added up. "
            "And call backward() in the loop, once for each part.",
        ),
        Wrong(
            lambda *given: _accumulate_with(*given, before=False),
            "The gradients that were there before are still in the sum. Call model.zero_grad() before the loop.",
        ),
        Wrong(
            lambda model, x, y, parts: _accumulate_with(model, x, y, parts, divide_by=len(x)),
            "F.mse_loss is a mean over the part's rows already. Divide by the number of parts, not of rows.",
        ),
        Wrong(
            lambda model, x, y, parts: _accumulate_with(model, x, y, parts, divide_by=parts**2),
            "You divide by `parts` twice. Once is enough: either each loss, or the gradients at the end.",
        ),
        Wrong(
            lambda *given: _accumulate_with(*given, only=1),
            "Only the first part is used. Go through all of them.",
        ),
        Wrong(
            _whole_batch,
            "The gradient is right, but the model saw the whole batch at once: the memory has no room for that.",
        ),
        Wrong(_steps_between, "The weights changed between the parts. The step comes after all of them, and not here."),
        Wrong(_no_backward, "There is no gradient at the end. Call loss.backward() for each part."),
    ],
    hints=[
        "x.chunk(parts) and y.chunk(parts) give the parts; zip goes through both.",
        "backward() adds to the gradients that are there. So zero_grad() stands before the loop, not in it.",
        "The mean over all rows is the mean of the parts' means: divide each part's loss by `parts`.",
    ],
)
