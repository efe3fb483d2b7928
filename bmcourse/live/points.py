"""What a picture shows of a run's numbers: fewer points, averages, the ends of the y axis, marks for the controls."""

import math

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

LABELS = {"lr": "lr {:.2g}", "code": "lr {:.2g}", "pause": "pause", "stop": "stop"}


def merged(moves, width):
    """Marks [(step, label)]; a drag of the slider, many moves within `width` steps, is one mark with its last value."""
    marks, start, last = [], -math.inf, None
    for step, control, value in moves:
        if control == "pause" and not value:
            continue  # the end of a pause is at the same step as its begin
        if step - start < width and LABELS[control] == last:
            marks.pop()
        else:
            start, last = step, LABELS[control]
        marks.append((step, last.format(value)))
    return marks


def finite(steps, values):
    known = np.isfinite(values)
    return (steps, values) if known.all() else (steps[known], values[known])


def decimate(x, y, buckets):
    """At most 3 · `buckets` points of a curve: the smallest and the largest of each bucket, so no spike is lost."""
    size = len(x) // buckets
    if size < 3:
        return x, y
    whole = len(x) // size * size
    rows = y[:whole].reshape(-1, size)
    ends = np.sort(np.stack([rows.argmin(1), rows.argmax(1)], 1), 1) + np.arange(0, whole, size)[:, None]
    keep = np.append(ends.ravel(), np.arange(whole, len(x)))
    return x[keep], y[keep]


def average(x, y, window, start, places):
    """The mean of the last `window` values, at places from `start` on: of no later ones, or it would rise too early."""
    at = np.unique(np.linspace(start, len(y) - 1, places + 1).astype(int))
    begin = max(start + 1 - window, 0)
    sums = np.append(0.0, np.cumsum(y[begin:]))
    first = np.maximum(at + 1 - window, 0)
    return x[at], (sums[at + 1 - begin] - sums[first - begin]) / (at + 1 - first)


def limits(curves):
    """(log?, low, high) of the y axis: logarithmic if positive values span a factor of 20; explosions do not count.

    The ends are rounded coarsely: a new axis is slow to draw, and hard to follow with the eye.
    """
    if not curves:
        return False, 0.0, 1.0
    values = np.concatenate(curves)
    usual = max(np.median(np.abs(values)), *(usual_start(np.abs(curve[:10])) for curve in curves))
    low, high = values.min(), values[values <= 3 * usual].max()
    if low > 0 and high > 20 * low:
        return True, 10.0 ** math.floor(math.log10(low)), nice(high)
    step = nice(max(abs(low), abs(high), 1e-12) / 20)
    high = math.ceil(high / step) * step
    if low < 0:
        return False, math.floor(low / step) * step, high
    return False, max(part * high for part in (0, 0.5, 0.8) if part * high <= low), max(high, step)


def usual_start(values):
    """The largest of the first values of a curve, unless that one has exploded: a short curve has no others."""
    return min(values.max(), max(values[0], 10 * np.median(values)))


def nice(value):
    """The smallest of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … that is not below `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return min(power * factor for factor in (1, 2, 5, 10) if power * factor >= value)


def ticks(log, low, high):
    """The places on the y axis that get a number."""
    locator = LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)) if log else MaxNLocator(5, steps=(1, 2, 5, 10))
    return [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high * (1 + 1e-9)]
