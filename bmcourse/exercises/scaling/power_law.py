"""The exercise `power_law` of lesson 11."""

import math

import numpy as np
import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The (factor, exponent), two plain numbers, of the law y = factor * x ** exponent that is nearest to the "
    "measurements: least squares of log y on log x. x and y are tensors of numbers above 0."
)
def power_law(x, y):
    log_x, log_y = torch.log(x), torch.log(y)
    from_mean = log_x - log_x.mean()
    exponent = (from_mean * log_y).sum() / (from_mean**2).sum()
    factor = torch.exp(log_y.mean() - exponent * log_x.mean())
    return factor.item(), exponent.item()


@power_law.judge
def power_law_by_polyfit(x, y):
    exponent, intercept = np.polyfit(np.log(x.numpy()), np.log(y.numpy()), 1)
    return math.exp(intercept), float(exponent)


@power_law.right
def power_law_by_least_squares(x, y):
    columns = torch.stack([torch.ones_like(x), x.log()], dim=1)
    intercept, exponent = torch.linalg.lstsq(columns, y.log()[:, None]).solution[:, 0].tolist()
    return math.exp(intercept), exponent


@power_law.right
def power_law_in_tens(x, y):
    log_x, log_y = torch.log10(x), torch.log10(y)
    both = torch.cov(torch.stack([log_x, log_y]))
    exponent = (both[0, 1] / both[0, 0]).item()
    return 10 ** (log_y.mean().item() - exponent * log_x.mean().item()), exponent


@power_law.mistake(
    "That is a straight line through x and y themselves. A power law is one only between their logarithms."
)
def line_without_logarithms(x, y):
    slope, intercept = np.polyfit(x.numpy(), y.numpy(), 1)
    return float(intercept), float(slope)


@power_law.mistake("You took the logarithm of x alone. Take that of y too.")
def line_in_log_x_alone(x, y):
    slope, intercept = np.polyfit(np.log(x.numpy()), y.numpy(), 1)
    return float(intercept), float(slope)


@power_law.mistake("You took the logarithm of y alone: that fits an exponential. Take that of x too.")
def an_exponential(x, y):
    slope, intercept = np.polyfit(x.numpy(), np.log(y.numpy()), 1)
    return math.exp(intercept), float(slope)


@power_law.mistake("You drew the line through the first and the last point. Least squares listens to all of them.")
def line_through_the_ends(x, y):
    exponent = math.log(y[-1] / y[0]) / math.log(x[-1] / x[0])
    return (y[0] / x[0] ** exponent).item(), exponent


@power_law.mistake("You forced the factor to be 1. Subtract the means of log x and log y before you fit the slope.")
def line_through_the_origin(x, y):
    log_x, log_y = torch.log(x), torch.log(y)
    return 1.0, ((log_x * log_y).sum() / (log_x**2).sum()).item()


@power_law.cases
def power_law_cases():
    def law(points, factor, exponent, noise):
        x = torch.logspace(1, 4, points, dtype=torch.float64)
        return x, factor * x**exponent * torch.exp(noise * torch.randn(points, dtype=torch.float64))

    return [law(4, 20.0, -0.25, 0.0), law(6, 5.0, -0.1, 0.1), law(9, 0.5, 1.5, 0.3)]


power_law.right(power_law_by_polyfit)


power_law.mistake(
    "The first number is still a logarithm: where the line meets log x = 0. Take exp of it.",
    TODO_1=lambda x, y: (math.log(power_law(x, y)[0]), power_law(x, y)[1]),
)


power_law.mistake(
    "torch.log goes with exp, and 10 ** with torch.log10. You mixed them.",
    TODO_2=lambda x, y: (10 ** math.log(power_law(x, y)[0]), power_law(x, y)[1]),
)


power_law.mistake(
    "The exponent has the wrong sign. A loss that falls as x grows has an exponent below 0.",
    TODO_3=lambda x, y: (power_law(x, y)[0], -power_law(x, y)[1]),
)


power_law.mistake(
    "The order is (factor, exponent). You return them the other way.", TODO_4=lambda x, y: power_law(x, y)[::-1]
)


power_law.mistake("x and y are swapped: that is x as a power of y.", TODO_5=lambda x, y: power_law(y, x))


power_law.hints(
    "Where y = factor * x ** exponent, log y = log factor + exponent * log x: a straight line.",
    "Its slope is sum((log x - mean) * log y) / sum((log x - mean) ** 2), with the mean of log x.",
    "The line goes through the two means: log factor = mean(log y) - exponent * mean(log x).",
)
