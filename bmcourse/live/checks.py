"""What a live run accepts, and what it says to the rest."""

import math
import numbers
from collections.abc import Iterable

CONTROLS = ("lr", "code", "pause", "stop")


def checked_steps(steps):
    if not isinstance(steps, numbers.Integral) or steps < 1:
        raise ValueError(f"steps must be a whole number, 1 or more; it was {steps!r}.")
    return steps


def checked_seconds(seconds):
    if not isinstance(seconds, numbers.Real) or not 0 <= seconds < math.inf:
        raise ValueError(f"seconds must be a number, 0 or more; it was {seconds!r}.")
    return seconds


def checked_baselines(baselines):
    if not isinstance(baselines, dict):
        baselines = {"": baselines}
    for name, value in baselines.items():
        if not name or not isinstance(value, numbers.Real) or not -math.inf < value < math.inf:
            raise ValueError(
                'baselines must be names with the numbers that simple methods reach, such as {"guessing": 4.17}; '
                f"one of them was {name!r}: {value!r}."
            )
    return baselines


def checked_range(lr_range):
    try:
        low, high = lr_range
        if 0 < low < high < math.inf:
            return float(low), float(high)
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"lr_range must be two positive numbers, the smaller first, like (1e-5, 1.0); it was {lr_range!r}."
    )


def checked_lr(lr, lr_range):
    low, high = lr_range
    if not isinstance(lr, numbers.Real) or not low <= lr <= high:
        raise ValueError(
            f"lr must be a number from {low:g} to {high:g}, the ends of the slider; it was {lr!r}. "
            "For other ends make the run with lr_range=(low, high)."
        )
    return float(lr)


def checked_schedule(schedule, lr_range):
    """`schedule` as a list of tuples (JSON makes lists of them); ValueError if a run could not have recorded it."""
    moves, last = [], 0
    for move in schedule if isinstance(schedule, Iterable) else (schedule,):
        step, control, value = move if isinstance(move, (list, tuple)) and len(move) == 3 else (None, None, None)
        if control not in CONTROLS or not isinstance(step, numbers.Integral) or step < last:
            raise ValueError(
                'schedule must be what run.schedule of another run was, a list of moves such as (120, "lr", 0.001) '
                f"in the order of their steps; one of its moves was {move!r}."
            )
        moves.append((step, control, checked_lr(value, lr_range) if control == "lr" else value))
        last = step
    return moves


def checked_number(name, value):
    """A float, or a tensor of no dimension that is still on its GPU."""
    if getattr(value, "ndim", 0):
        raise ValueError(
            f"run.log() takes one number for {name}, and it got {tuple(value.shape)}, a shape. "
            f"Log its mean: run.log({name}={name}.mean())."
        )
    if hasattr(value, "detach"):
        return float(value.item()) if value.device.type == "cpu" else value.detach().clone()
    if not isinstance(value, numbers.Real) and not hasattr(value, "dtype"):
        raise ValueError(
            f"run.log() takes a number or a tensor for {name}; it got a {type(value).__name__}: {value!r}."
        )
    return float(value)
