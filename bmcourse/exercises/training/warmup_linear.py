"""The exercise `warmup_linear` of lesson 06."""

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The share of the peak learning rate: a straight climb to 1 at step `warmup`, then a straight fall to 0 at "
    "step `steps`."
)
def warmup_linear(step, steps, warmup):
    if step < warmup:
        return step / warmup
    return (steps - step) / (steps - warmup)


@warmup_linear.right
def linear_as_minimum(step, steps, warmup):
    return min(step / warmup, (steps - step) / (steps - warmup))


@warmup_linear.right
def linear_other_branch(step, steps, warmup):
    if step > warmup:
        return 1 - (step - warmup) / (steps - warmup)
    return step / warmup


@warmup_linear.right
def linear_interpolated(step, steps, warmup):
    knots = ((0, 0.0), (warmup, 1.0), (steps, 0.0))
    (a, low), (b, high) = knots[:2] if step <= warmup else knots[1:]
    return low + (high - low) * (step - a) / (b - a)


@warmup_linear.mistake(
    "There is no warm-up: your rate is highest at the first step. Until step `warmup` return step / warmup."
)
def no_warmup(step, steps, warmup):
    return 1 - step / steps


@warmup_linear.mistake("Your rate climbs to 1 and stays there. After the warm-up it must fall, to 0 at the last step.")
def never_falls(step, steps, warmup):
    return min(1.0, step / warmup)


@warmup_linear.mistake(
    "Your rate jumps down at the end of the warm-up: there it must be 1. Count the fall from "
    "`warmup`, not from 0: (steps - step) / (steps - warmup)."
)
def jumps_down(step, steps, warmup):
    return step / warmup if step < warmup else 1 - step / steps


@warmup_linear.mistake("Climb and fall are exchanged: your rate starts near 1, is 0 at step `warmup`, and ends at 1.")
def upside_down(step, steps, warmup):
    return 1 - step / warmup if step < warmup else (step - warmup) / (steps - warmup)


@warmup_linear.mistake(
    "Your rate does not reach 0 at the last step. The fall takes steps - warmup steps, "
    "so divide by that and not by steps."
)
def falls_too_slowly(step, steps, warmup):
    return step / warmup if step < warmup else 1 - (step - warmup) / steps


@warmup_linear.mistake("Your rate is 0 all through the warm-up and then jumps to 1. It must climb: step / warmup.")
def jumps_up(step, steps, warmup):
    return 0.0 if step < warmup else (steps - step) / (steps - warmup)


@warmup_linear.cases
def cases():
    return [(step, 100, 10) for step in (1, 5, 10, 11, 50, 99, 100)] + [(3, 8, 4), (4, 8, 4), (6, 8, 4)]


warmup_linear.hints(
    "Draw it: a triangle with its top at (warmup, 1) and its foot at (steps, 0).",
    "Two cases: step < warmup, and the rest. Both are straight lines.",
    "The fall is (steps - step) / (steps - warmup).",
)
