"""Fit a power law to measurements: a straight line between their logarithms."""

import math

import numpy as np
import torch

from bmcourse.exercises.core import exercise

POINTS = {"one in its first dimension": "one point has no slope", "a zero": "the measurements are above 0"}


@exercise(
    prompt="The (factor, exponent), two plain numbers, of the law y = factor * x ** exponent that is nearest to the "
    "measurements: least squares of log y on log x. x and y are tensors of numbers above 0.",
    untried={"x": POINTS, "y": POINTS},
)
def power_law(x, y):
    log_x, log_y = torch.log(x), torch.log(y)
    from_mean = log_x - log_x.mean()
    exponent = (from_mean * log_y).sum() / (from_mean**2).sum()
    factor = torch.exp(log_y.mean() - exponent * log_x.mean())
    return factor.item(), exponent.item()


@power_law.cases
def cases():
    def law(points, factor, exponent, noise):
        x = torch.logspace(1, 4, points, dtype=torch.float64)
        return x, factor * x**exponent * torch.exp(noise * torch.randn(points, dtype=torch.float64))

    uneven = torch.tensor([1.0, 2.0, 5.0, 1.0, 16.0]), torch.tensor([3.0, 3.0, 0.5, 1.5, 0.25])
    return [law(4, 20.0, -0.25, 0.0), law(6, 5.0, -0.1, 0.1), law(9, 0.5, 1.5, 0.3), uneven]


@power_law.judge
def by_polyfit(x, y):
    exponent, intercept = np.polyfit(np.log(x.double().numpy()), np.log(y.double().numpy()), 1)
    return math.exp(intercept), float(exponent)


power_law.right(by_polyfit)


@power_law.right
def by_least_squares(x, y):
    columns = torch.stack([torch.ones_like(x), x.log()], dim=1)
    intercept, exponent = torch.linalg.lstsq(columns, y.log()[:, None]).solution[:, 0].tolist()
    return math.exp(intercept), exponent


@power_law.right
def in_tens(x, y):
    log_x, log_y = torch.log10(x), torch.log10(y)
    both = torch.cov(torch.stack([log_x, log_y]))
    exponent = (both[0, 1] / both[0, 0]).item()
    return 10 ** (log_y.mean().item() - exponent * log_x.mean().item()), exponent


@power_law.right
def in_plain_python(x, y):
    pairs = [(math.log2(one), math.log2(other)) for one, other in zip(x.tolist(), y.tolist(), strict=True)]
    n, sum_x, sum_y = len(pairs), sum(one for one, _ in pairs), sum(other for _, other in pairs)
    products, squares = sum(one * other for one, other in pairs), sum(one * one for one, _ in pairs)
    exponent = (n * products - sum_x * sum_y) / (n * squares - sum_x**2)
    return 2 ** ((sum_y - exponent * sum_x) / n), exponent


@power_law.right
def by_normal_equations(x, y):
    table = torch.stack([x.double().log(), torch.ones_like(x, dtype=torch.float64)], dim=1)
    exponent, intercept = torch.linalg.solve(table.T @ table, table.T @ y.double().log())
    return intercept.exp(), exponent


def line(x, y):
    slope, intercept = np.polyfit(x, y, 1)
    return float(intercept), float(slope)


def logs(x, y):
    return x.double().log(), y.double().log()


def fitted(exponent, factor=lambda x, y, b: (y.mean() - b * x.mean()).exp()):
    """A wrong fit: `exponent(log_x, log_y)`, and a factor that goes with it."""

    def answer(x, y):
        found = torch.as_tensor(exponent(*logs(x, y)))
        return float(factor(*logs(x, y), found)), found.item()

    return answer


def with_factor(factor):
    """A wrong fit: the right exponent, and `factor(log_x, log_y, exponent)`."""
    return fitted(right_exponent, factor)


def right_exponent(x, y):
    return ((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum()


# What the line is drawn through.


@power_law.mistake(
    "That is a straight line through x and y themselves. A power law is one only between their logarithms."
)
def no_logarithms(x, y):
    return line(x.numpy(), y.numpy())


@power_law.mistake("You took the logarithm of x alone. Take that of y too.")
def log_of_x_alone(x, y):
    return line(x.log().numpy(), y.numpy())


@power_law.mistake("You took the logarithm of x alone. Take that of y too; exp alone does not make a power law.")
def log_of_x_alone_then_exp(x, y):
    intercept, slope = line(x.log().numpy(), y.numpy())
    return math.exp(intercept), slope


@power_law.mistake("You took the logarithm of y alone: that fits an exponential. Take that of x too.")
def log_of_y_alone(x, y):
    intercept, slope = line(x.numpy(), y.log().numpy())
    return math.exp(intercept), slope


@power_law.mistake("You took log(1 + x) and log(1 + y). A power law is a line between log x and log y.")
def log_of_one_more(x, y):
    intercept, slope = line(x.log1p().numpy(), y.log1p().numpy())
    return math.exp(intercept), slope


@power_law.mistake("x and y are swapped: that is x as a power of y.")
def swapped(x, y):
    return power_law(y, x)


@power_law.mistake("You fitted a parabola between the logarithms. A power law is a straight line: degree 1.")
def parabola(x, y):
    _, slope, intercept = np.polyfit(*(log.numpy() for log in logs(x, y)), 2)
    return math.exp(intercept), float(slope)


@power_law.mistake("Large y count more in your fit. Least squares of log y counts every measurement alike.")
def weighted_by_y(x, y):
    slope, intercept = np.polyfit(*(log.numpy() for log in logs(x, y)), 1, w=y.double().numpy())
    return math.exp(intercept), float(slope)


@power_law.mistake(
    "Your law is nearest to y itself. Asked are least squares of log y, where a small y counts as much as a large one."
)
def nearest_to_y(x, y):
    log_x, log_y = logs(x, y)
    exponent = right_exponent(log_x, log_y)
    parameters = torch.stack([log_y.mean() - exponent * log_x.mean(), exponent])
    columns = torch.stack([torch.ones_like(log_x), log_x], dim=1)
    for _ in range(100):
        guess = (columns @ parameters).exp()
        parameters = parameters + torch.linalg.lstsq(guess[:, None] * columns, (y - guess)[:, None]).solution[:, 0]
    return parameters[0].exp().item(), parameters[1].item()


# The exponent.

power_law.mistake(
    "You drew the line through the first and the last point. Least squares listens to all of them.",
    through_the_ends=fitted(lambda x, y: (y[-1] - y[0]) / (x[-1] - x[0]), lambda x, y, b: (y[0] - b * x[0]).exp()),
)
power_law.mistake(
    "Your exponent comes from the first and the last point. Least squares listens to all of them.",
    exponent_of_the_ends=fitted(lambda x, y: (y[-1] - y[0]) / (x[-1] - x[0])),
)
power_law.mistake(
    "Your exponent comes from the first two points. Least squares listens to all of them.",
    exponent_of_the_first_two=fitted(lambda x, y: (y[1] - y[0]) / (x[1] - x[0])),
)
power_law.mistake(
    "You take the mean of the slopes between neighbours, in which only the ends count. Least squares: the sum of "
    "products, divided by the sum of squares.",
    mean_of_slopes=fitted(lambda x, y: ((y[1:] - y[:-1]) / (x[1:] - x[:-1])).mean()),
)
power_law.mistake(
    "You take the mean of log y / log x. Subtract the means, and divide the sum of products by the sum of squares.",
    mean_of_quotients=fitted(lambda x, y: (y / x).mean()),
)
power_law.mistake(
    "You forced the factor to be 1. Subtract the means of log x and log y before you fit the slope.",
    through_the_origin=fitted(lambda x, y: (x * y).sum() / (x**2).sum(), lambda x, y, b: 1.0),
)
power_law.mistake(
    "Your slope is that of a line through the origin: subtract the mean of log x, above and below the fraction bar.",
    slope_without_means=fitted(lambda x, y: (x * y).sum() / (x**2).sum()),
)
power_law.mistake(
    "The mean of log x is missing in the sum of squares: (log x - mean) ** 2.",
    squares_without_mean=fitted(lambda x, y: ((x - x.mean()) * (y - y.mean())).sum() / (x**2).sum()),
)
power_law.mistake(
    "The mean of log x is missing in the sum of products: (log x - mean) * log y.",
    products_without_mean=fitted(lambda x, y: (x * y).sum() / ((x - x.mean()) ** 2).sum()),
)
power_law.mistake(
    "You divide by the sum of squares of log y. Log y is explained by log x: divide by that of log x.",
    squares_of_y=fitted(lambda x, y: ((x - x.mean()) * y).sum() / ((y - y.mean()) ** 2).sum()),
)
power_law.mistake(
    "You fitted log x on log y and turned the slope around. That is another line: least squares of log y on log x.",
    turned_around=fitted(lambda x, y: 1 / right_exponent(y, x)),
)
power_law.mistake(
    "You divide by the root of the sum of squares. Divide by the sum itself.",
    root_of_squares=fitted(lambda x, y: ((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum().sqrt()),
)
power_law.mistake(
    "The square is missing below the fraction bar: sum((log x - mean) ** 2).",
    squares_missing=fitted(lambda x, y: ((x - x.mean()) * y).sum() / (x - x.mean()).abs().sum()),
)
power_law.mistake(
    "You took the correlation. The slope is the covariance divided by the variance of log x alone.",
    correlation=fitted(lambda x, y: torch.corrcoef(torch.stack([x, y]))[0, 1]),
)
power_law.mistake(
    "You took the covariance. Divide it by the variance of log x.",
    covariance=fitted(lambda x, y: torch.cov(torch.stack([x, y]))[0, 1]),
)
power_law.mistake(
    "You divide two spreads. The slope is the covariance divided by the variance of log x.",
    quotient_of_spreads=fitted(lambda x, y: y.std() / x.std()),
)
power_law.mistake(
    "Your covariance divides by n - 1 and your variance by n. Take the same for both: correction=0, or the sums.",
    n_less_one_over_n=fitted(lambda x, y: torch.cov(torch.stack([x, y]))[0, 1] / x.var(correction=0)),
)
power_law.mistake(
    "Your covariance divides by n and your variance by n - 1, as .var() does. Take the same for both: the sums.",
    n_over_n_less_one=fitted(lambda x, y: ((x - x.mean()) * (y - y.mean())).mean() / x.var()),
)
power_law.mistake(
    "You divide a sum by a mean, so the slope is n times too large. Take the sum, or the mean, for both.",
    sum_over_mean=fitted(lambda x, y: ((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).mean()),
)
power_law.mistake(
    "You divide a mean by a sum, so the slope is n times too small. Take the sum, or the mean, for both.",
    mean_over_sum=fitted(lambda x, y: ((x - x.mean()) * y).mean() / ((x - x.mean()) ** 2).sum()),
)
power_law.mistake(
    "The exponent has the wrong sign. A loss that falls as x grows has an exponent below 0.",
    sign_turned=lambda x, y: (power_law(x, y)[0], -power_law(x, y)[1]),
)
power_law.mistake(
    "The exponent has the wrong sign, and the factor with it. A loss that falls as x grows has an exponent below 0.",
    sign_turned_in_both=fitted(lambda x, y: -right_exponent(x, y)),
)
power_law.mistake(
    "The exponent is the slope itself: no exp of it.",
    exp_of_the_exponent=lambda x, y: (power_law(x, y)[0], math.exp(power_law(x, y)[1])),
)

# The factor.

power_law.mistake(
    "The first number is still a logarithm: where the line meets log x = 0. Take exp of it.",
    factor_is_a_logarithm=lambda x, y: (math.log(power_law(x, y)[0]), power_law(x, y)[1]),
)
power_law.mistake(
    "The first number is still a logarithm, to the base 10. Take 10 ** of it.",
    factor_is_a_log10=lambda x, y: (math.log10(power_law(x, y)[0]), power_law(x, y)[1]),
)
power_law.mistake(
    "torch.log goes with exp, and 10 ** with torch.log10. You took log, and then 10 **.",
    log_and_ten=lambda x, y: (10 ** math.log(power_law(x, y)[0]), power_law(x, y)[1]),
)
power_law.mistake(
    "torch.log goes with exp, and 10 ** with torch.log10. You took log10, and then exp.",
    log10_and_exp=lambda x, y: (math.exp(math.log10(power_law(x, y)[0])), power_law(x, y)[1]),
)
power_law.mistake(
    "torch.log2 goes with 2 **. You took log2, and then exp.",
    log2_and_exp=lambda x, y: (math.exp(math.log2(power_law(x, y)[0])), power_law(x, y)[1]),
)
power_law.mistake(
    "The exponent is right. For the factor you add exponent * mean(log x): subtract it.",
    factor_added=with_factor(lambda x, y, b: (y.mean() + b * x.mean()).exp()),
)
power_law.mistake(
    "The exponent is right. The factor is turned around: its logarithm is mean(log y) - exponent * mean(log x).",
    factor_turned=with_factor(lambda x, y, b: (b * x.mean() - y.mean()).exp()),
)
power_law.mistake(
    "The exponent is right. For the factor you take mean(log y) alone: subtract exponent * mean(log x).",
    factor_of_y_alone=with_factor(lambda x, y, b: y.mean().exp()),
)
power_law.mistake(
    "The exponent is right. For the factor, multiply mean(log x) by the exponent before you subtract it.",
    factor_without_exponent=with_factor(lambda x, y, b: (y.mean() - x.mean()).exp()),
)
power_law.mistake(
    "The exponent is right. The factor is fitted to the first point alone. The line goes through the two means.",
    factor_of_the_first=with_factor(lambda x, y, b: (y[0] - b * x[0]).exp()),
)
power_law.mistake(
    "The exponent is right. The factor is fitted to the last point alone. The line goes through the two means.",
    factor_of_the_last=with_factor(lambda x, y, b: (y[-1] - b * x[-1]).exp()),
)
power_law.mistake(
    "The exponent is right. The factor is a mean of y / x ** exponent: take the mean of the logarithms, and then exp.",
    factor_as_a_mean=with_factor(lambda x, y, b: (y - b * x).exp().mean()),
)
power_law.mistake(
    "The exponent is right. For the factor you took the means of x and y themselves: take those of the logarithms.",
    factor_of_plain_means=with_factor(lambda x, y, b: y.exp().mean() / x.exp().mean() ** b),
)
power_law.mistake(
    "The exponent is right. For the factor you subtract sums: take the means.",
    factor_of_sums=with_factor(lambda x, y, b: (y.sum() - b * x.sum()).exp()),
)

# The right numbers in another form.

power_law.mistake(
    "The order is (factor, exponent). You return them the other way.", order_turned=lambda x, y: power_law(x, y)[::-1]
)
power_law.mistake(
    "np.polyfit gives the slope first, and you took it for the intercept: the exponent is the first, exp of the second "
    "the factor.",
    polyfit_turned=lambda x, y: (math.exp(power_law(x, y)[1]), math.log(power_law(x, y)[0])),
)
power_law.mistake("Return both: factor, exponent.", exponent_only=lambda x, y: power_law(x, y)[1])
power_law.mistake("Return both, factor and exponent, in this order.", factor_only=lambda x, y: power_law(x, y)[0])
power_law.mistake(
    "You return both in one tensor. Return two plain numbers.", one_tensor=lambda x, y: torch.tensor(power_law(x, y))
)
power_law.mistake(
    "You return both in one NumPy array. Return two plain numbers.", one_array=lambda x, y: np.array(power_law(x, y))
)
power_law.mistake(
    "Each number is still in a tensor with a dimension of size 1. Make plain numbers of them: .item().",
    tensors_of_one=lambda x, y: tuple(torch.tensor([number]) for number in power_law(x, y)),
)
power_law.mistake(
    "You round to two digits. Return the numbers as they are.",
    rounded_to_two_digits=lambda x, y: tuple(round(number, 2) for number in power_law(x, y)),
)
power_law.mistake(
    "You round to four digits. Return the numbers as they are.",
    rounded_to_four_digits=lambda x, y: tuple(round(number, 4) for number in power_law(x, y)),
)
power_law.mistake(
    "Your exponent comes from the largest and the smallest of each. Least squares listens to all points, "
    "and keeps pairs.",
    exponent_of_the_extremes=fitted(lambda x, y: (y.max() - y.min()) / (x.max() - x.min())),
)
power_law.mistake(
    "Your exponent is the median of the slopes between neighbours. Asked are least squares, over all points.",
    median_of_slopes=fitted(lambda x, y: ((y[1:] - y[:-1]) / (x[1:] - x[:-1])).median()),
)
power_law.mistake(
    "You fitted with the mean of log y and not that of log x: sum((log x - mean of log x) * log y).",
    mean_of_y_taken_from_x=fitted(lambda x, y: ((x - y.mean()) * y).sum() / ((x - y.mean()) ** 2).sum()),
)
power_law.mistake(
    "The exponent is right. For the factor, subtract first and take exp of the difference.",
    exp_before_subtracting=with_factor(lambda x, y, b: y.mean().exp() - b * x.mean().exp()),
)
power_law.mistake(
    "The exponent is right. The factor is one too small: exp, and not expm1.",
    factor_of_expm1=with_factor(lambda x, y, b: (y.mean() - b * x.mean()).expm1()),
)
power_law.mistake(
    "You took exp of the exponent and not of the intercept. It is the other way round.",
    exp_of_the_exponent_only=lambda x, y: (math.log(power_law(x, y)[0]), math.exp(power_law(x, y)[1])),
)
power_law.mistake(
    "You return text. Return two plain numbers.", text=lambda x, y: "y = {:.4g} * x ** {:.4g}".format(*power_law(x, y))
)
power_law.mistake(
    "You return the fitted values. Return the two numbers of the law: factor, exponent.",
    fitted_values=lambda x, y: power_law(x, y)[0] * x ** power_law(x, y)[1],
)
power_law.mistake(
    "You return three things. Return two: factor, exponent.", three_returned=lambda x, y: (*power_law(x, y), 0.0)
)
power_law.mistake(
    "You return a dict. Return a pair: factor, exponent.",
    a_dict=lambda x, y: dict(zip(("factor", "exponent"), power_law(x, y), strict=True)),
)


power_law.hints(
    "Where y = factor * x ** exponent, log y = log factor + exponent * log x: a straight line.",
    "Its slope is sum((log x - mean) * log y) / sum((log x - mean) ** 2), with the mean of log x.",
    "The line goes through the two means: log factor = mean(log y) - exponent * mean(log x).",
)
