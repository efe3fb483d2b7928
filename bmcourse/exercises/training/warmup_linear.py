"""The exercise `warmup_linear`: a learning rate that climbs in a straight line and then falls in one."""

import math

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The share of the peak learning rate: a straight climb from 0 at step 0 to 1 at step `warmup`, then a "
    "straight fall to 0 at step `steps`."
)
def warmup_linear(step, steps, warmup):
    if step < warmup:
        return step / warmup
    return (steps - step) / (steps - warmup)


@warmup_linear.cases
def cases():
    return [(step, 100, 10) for step in (5, 1, 10, 11, 50, 99, 100)] + [
        (0, 8, 4),
        (3, 8, 4),
        (4, 8, 4),
        (6, 8, 4),
        (5, 8, 7),
        (1, 4, 1),
        (2, 4, 1),
    ]


@warmup_linear.right
def the_lower_of_two_lines(step, steps, warmup):
    return min(step / warmup, (steps - step) / (steps - warmup))


@warmup_linear.right
def with_the_other_branch_first(step, steps, warmup):
    if step > warmup:
        return 1 - (step - warmup) / (steps - warmup)
    return step / warmup


@warmup_linear.right
def between_knots(step, steps, warmup):
    knots = ((0, 0.0), (warmup, 1.0), (steps, 0.0))
    (a, low), (b, high) = knots[:2] if step <= warmup else knots[1:]
    return low + (high - low) * (step - a) / (b - a)


@warmup_linear.right
def step_by_step(step, steps, warmup):
    share = 0.0
    for number in range(step):
        share += 1 / warmup if number < warmup else -1 / (steps - warmup)
    return share


@warmup_linear.right
def by_the_distance_from_the_top(step, steps, warmup):
    side = warmup if step <= warmup else steps - warmup
    return 1 - abs(step - warmup) / side


def climb_then(fall):
    """An answer with the right climb."""
    return lambda step, steps, warmup: step / warmup if step < warmup else fall(step, steps, warmup)


def then_fall(climb):
    """An answer with the right fall."""
    return lambda step, steps, warmup: (
        climb(step, steps, warmup) if step < warmup else (steps - step) / (steps - warmup)
    )


warmup_linear.mistake(
    "There is no warm-up: your rate is highest at the first step. Until step `warmup` return step / warmup.",
    no_warmup=lambda step, steps, warmup: 1 - step / steps,
)
warmup_linear.mistake(
    "Your climb is missing: before `warmup` you go on along the line of the fall, and get more than 1. Until step "
    "`warmup` return step / warmup.",
    fall_only=lambda step, steps, warmup: (steps - step) / (steps - warmup),
)
warmup_linear.mistake(
    "Your rate is 1 all through the warm-up. It must climb: step / warmup.", flat_then_falls=then_fall(lambda *_: 1.0)
)
warmup_linear.mistake(
    "Your rate is 0 all through the warm-up and then jumps to 1. It must climb: step / warmup, with / and not //.",
    jumps_up=then_fall(lambda *_: 0.0),
)
warmup_linear.mistake(
    "Your climb is one step ahead: at step 0 it must be 0. Leave out the + 1 in (step + 1) / warmup.",
    climbs_one_step_ahead=then_fall(lambda step, steps, warmup: (step + 1) / warmup),
)
warmup_linear.mistake(
    "Your climb does not begin at 0: at step 0 it must be 0. It is step / warmup, not (step + 1) / (warmup + 1).",
    climb_counted_from_one=then_fall(lambda step, steps, warmup: (step + 1) / (warmup + 1)),
)
warmup_linear.mistake(
    "Your climb does not reach 1 at step `warmup`: divide by warmup, not by warmup + 1.",
    climb_divided_by_one_more=then_fall(lambda step, steps, warmup: step / (warmup + 1)),
)
warmup_linear.mistake(
    "Your climb reaches 1 one step too early: divide by warmup, not by warmup - 1.",
    climb_divided_by_one_less=then_fall(lambda step, steps, warmup: step / max(warmup - 1, 1)),
)
warmup_linear.mistake(
    "You divide the climb by `steps`, so it stays low and then jumps to 1. It takes `warmup` steps: step / warmup.",
    climb_divided_by_steps=then_fall(lambda step, steps, warmup: step / steps),
)
warmup_linear.mistake(
    "You divide the climb by steps - warmup, the length of the fall. It takes `warmup` steps: step / warmup.",
    climb_divided_by_the_fall=then_fall(lambda step, steps, warmup: step / (steps - warmup)),
)
warmup_linear.mistake(
    "Your warm-up falls, from 1 to 0. It must climb: step / warmup.",
    falls_twice=then_fall(lambda step, steps, warmup: 1 - step / warmup),
)
warmup_linear.mistake(
    "Your climb is curved: it is the square of step / warmup. Take step / warmup itself.",
    climb_squared=then_fall(lambda step, steps, warmup: (step / warmup) ** 2),
)
warmup_linear.mistake(
    "Your climb is curved: it is the root of step / warmup. Take step / warmup itself.",
    climb_rooted=then_fall(lambda step, steps, warmup: (step / warmup) ** 0.5),
)
warmup_linear.mistake(
    "Your climb follows a cosine. Here it is straight: step / warmup.",
    climb_by_a_cosine=then_fall(lambda step, steps, warmup: (1 - math.cos(math.pi * step / warmup)) / 2),
)
warmup_linear.mistake(
    "// is a division that throws the remainder away: your rate is only ever 0 or 1. Use /.",
    whole_numbers=warmup_linear.changed(" / ", " // "),
)
warmup_linear.mistake(
    "Your climb is a count of steps, not a share: divide step by warmup.",
    climb_not_divided=then_fall(lambda step, steps, warmup: step),
)
warmup_linear.mistake(
    "warmup / step is upside down. The climb is step / warmup.",
    climb_upside_down=then_fall(lambda step, steps, warmup: warmup / step),
)
warmup_linear.mistake(
    "Your rate climbs to 1 and stays there. After the warm-up it must fall, to 0 at the last step.",
    never_falls=lambda step, steps, warmup: min(1.0, step / warmup),
)
warmup_linear.mistake(
    "Your rate climbs beyond 1 and never falls. After step `warmup` it must fall, to 0 at the last step.",
    climbs_for_ever=lambda step, steps, warmup: step / warmup,
)
warmup_linear.mistake(
    "Your rate climbs for all of the training, to 1 at step `steps`. It must be 1 at step `warmup`, and then fall.",
    climbs_to_the_end=lambda step, steps, warmup: step / steps,
)
warmup_linear.mistake(
    "After the warm-up your rate is 0. It must fall in a straight line from 1, and be 0 only at step `steps`.",
    nothing_after_the_warmup=climb_then(lambda *_: 0.0),
)
warmup_linear.mistake(
    "After the warm-up your function gives nothing back. Return the fall: (steps - step) / (steps - warmup).",
    no_return_after_the_warmup=climb_then(lambda *_: None),
)
warmup_linear.mistake(
    "At step `warmup` itself your function gives nothing back: `<` and `>` leave it out. End with a plain return.",
    no_return_at_the_top=lambda step, steps, warmup: None if step == warmup else warmup_linear(step, steps, warmup),
)
warmup_linear.mistake(
    "At step `warmup` itself your rate is 0. There it must be 1, the top.",
    zero_at_the_top=lambda step, steps, warmup: 0.0 if step == warmup else warmup_linear(step, steps, warmup),
)
warmup_linear.mistake(
    "Your rate jumps down at the end of the warm-up: there it must be 1. Count the fall from `warmup`, not from 0: "
    "(steps - step) / (steps - warmup).",
    jumps_down=climb_then(lambda step, steps, warmup: 1 - step / steps),
)
warmup_linear.mistake(
    "Climb and fall are exchanged: your rate starts near 1, is 0 at step `warmup`, and ends at 1.",
    upside_down=lambda step, steps, warmup: 1 - warmup_linear(step, steps, warmup),
)
warmup_linear.mistake(
    "Before `warmup` you take the line of the fall, after it that of the climb; so does max(). It is "
    "always the lower of the two.",
    branches_exchanged=lambda step, steps, warmup: (
        step / warmup if step >= warmup else (steps - step) / (steps - warmup)
    ),
)
warmup_linear.mistake(
    "After the warm-up your rate drops to 0 and climbs to 1 again. It must fall: 1 minus that.",
    climbs_again=climb_then(lambda step, steps, warmup: (step - warmup) / (steps - warmup)),
)
warmup_linear.mistake(
    "Your fall has the wrong sign: it is below 0. It is (steps - step) / (steps - warmup).",
    fall_below_zero=climb_then(lambda step, steps, warmup: (step - steps) / (steps - warmup)),
)
warmup_linear.mistake(
    "Your rate does not reach 0 at the last step. The fall takes steps - warmup steps, so divide by that and not by "
    "steps.",
    falls_too_slowly=climb_then(lambda step, steps, warmup: 1 - (step - warmup) / steps),
)
warmup_linear.mistake(
    "You count the fall from step 0, but divide by its length: it starts below 1, and ends below 0. It is 1 - (step - "
    "warmup) / (steps - warmup).",
    falls_below_zero=climb_then(lambda step, steps, warmup: 1 - step / (steps - warmup)),
)
warmup_linear.mistake(
    "You divide the fall by `warmup`, the length of the climb. It takes steps - warmup steps.",
    fall_divided_by_warmup=climb_then(lambda step, steps, warmup: (steps - step) / warmup),
)
warmup_linear.mistake(
    "You divide the count from the top by `warmup`. The fall takes steps - warmup steps: 1 - (step - warmup) / "
    "(steps - warmup).",
    falls_as_fast_as_it_climbs=climb_then(lambda step, steps, warmup: 1 - (step - warmup) / warmup),
)
warmup_linear.mistake(
    "You divide the fall by its own steps that are gone. Divide by its whole length: steps - warmup.",
    fall_divided_by_what_is_gone=climb_then(lambda step, steps, warmup: (steps - step) / max(step - warmup, 1)),
)
warmup_linear.mistake(
    "Your fall is a count of steps, not a share: divide steps - step by steps - warmup.",
    fall_not_divided=climb_then(lambda step, steps, warmup: steps - step),
)
warmup_linear.mistake(
    "Brackets are missing: / comes before -. Write (steps - step) / (steps - warmup).",
    no_brackets_above=climb_then(lambda step, steps, warmup: steps - step / (steps - warmup)),
)
warmup_linear.mistake(
    "Brackets are missing below the line: / comes before -. Write (steps - step) / (steps - warmup).",
    no_brackets_below=climb_then(lambda step, steps, warmup: (steps - step) / steps - warmup),
)
warmup_linear.mistake(
    "Brackets are missing everywhere: / comes before -. Write (steps - step) / (steps - warmup).",
    no_brackets=climb_then(lambda step, steps, warmup: steps - step / steps - warmup),
)
warmup_linear.mistake(
    "Your fall begins one step late: at step warmup + 1 it is still 1. Leave out the - 1.",
    falls_one_step_late=lambda step, steps, warmup: (
        step / warmup if step <= warmup else 1 - (step - warmup - 1) / (steps - warmup)
    ),
)
warmup_linear.mistake(
    "Your rate is 0 one step before the last. The fall takes steps - warmup steps: leave out the - 1.",
    ends_one_step_early=climb_then(lambda step, steps, warmup: max(0, steps - 1 - step) / max(steps - 1 - warmup, 1)),
)
warmup_linear.mistake(
    "Your fall is one step ahead, and ends below 0. Leave out the - 1 or + 1: (steps - step) / (steps - warmup).",
    fall_one_step_ahead=climb_then(lambda step, steps, warmup: (steps - step - 1) / (steps - warmup)),
)
warmup_linear.mistake(
    "You divide the fall by steps - warmup + 1, so it starts below 1. It takes steps - warmup steps.",
    fall_divided_by_one_more=climb_then(lambda step, steps, warmup: (steps - step) / (steps - warmup + 1)),
)
warmup_linear.mistake(
    "Your fall follows a cosine, as in the schedule before this one. Here it is straight: (steps - step) / (steps - "
    "warmup).",
    cosine=climb_then(lambda step, steps, warmup: (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2),
)
warmup_linear.mistake(
    "Your fall follows 1 / root of the step, as in the first Transformer. Here it is straight, and ends at 0.",
    inverse_root=climb_then(lambda step, steps, warmup: (warmup / step) ** 0.5),
)
warmup_linear.mistake(
    "Your fall is warmup / step, a curve that never reaches 0. It is (steps - step) / (steps - warmup).",
    inverse=climb_then(lambda step, steps, warmup: warmup / step),
)
warmup_linear.mistake(
    "Your fall is curved: it is the square of the share that is left. Take the share itself.",
    fall_squared=climb_then(lambda step, steps, warmup: ((steps - step) / (steps - warmup)) ** 2),
)
warmup_linear.mistake(
    "Your fall is curved: it is the root of the share that is left. Take the share itself.",
    fall_rooted=climb_then(lambda step, steps, warmup: ((steps - step) / (steps - warmup)) ** 0.5),
)
warmup_linear.mistake(
    "You multiply climb and fall. They follow one another: until step `warmup` the first, then the second.",
    product=lambda step, steps, warmup: step / warmup * (steps - step) / (steps - warmup),
)
warmup_linear.mistake(
    "You multiply the climb, capped at 1, with a fall over the whole training. The fall begins at step `warmup`, at 1: "
    "(steps - step) / (steps - warmup).",
    climb_times_whole_fall=lambda step, steps, warmup: min(1, step / warmup) * (1 - step / steps),
)
warmup_linear.mistake(
    "The top of your triangle is always in the middle. It is at step `warmup`.",
    top_in_the_middle=lambda step, steps, warmup: 1 - abs(step - steps / 2) / (steps / 2),
)
warmup_linear.mistake(
    "You take `warmup` for a share of the steps. It is a number of steps, as `steps` is.",
    warmup_as_a_share=lambda step, steps, warmup: warmup_linear(step, steps, warmup * steps),
)
warmup_linear.mistake(
    "You give a percentage. The share lies between 0 and 1.",
    percentage=lambda step, steps, warmup: 100 * warmup_linear(step, steps, warmup),
)
for rate in (0.001, 0.003, 0.0003, 0.01, 0.1):
    warmup_linear.mistake(
        f"You multiply by a learning rate of {rate}. Return the share of it, whose top is 1.",
        **{f"times_{rate}": lambda step, steps, warmup, rate=rate: rate * warmup_linear(step, steps, warmup)},
    )
for rest, words in ((0.1, "a tenth"), (0.01, "a hundredth"), (0.5, "a half")):
    warmup_linear.mistake(
        f"Your rate falls to {words} only. At step `steps` it must be 0.",
        **{
            f"falls_to_{rest}": climb_then(
                lambda step, steps, warmup, rest=rest: 1 - (1 - rest) * (step - warmup) / (steps - warmup)
            )
        },
    )
for digits in (1, 2, 3):
    warmup_linear.mistake(
        f"You round to {digits} digits. Return the share with all it has.",
        **{
            f"rounded_to_{digits}_digits": lambda step, steps, warmup, digits=digits: round(
                warmup_linear(step, steps, warmup), digits
            )
        },
    )
warmup_linear.mistake(
    "Brackets are missing everywhere: / comes before -. Write 1 - (step - warmup) / (steps - warmup).",
    no_brackets_after_one=climb_then(lambda step, steps, warmup: 1 - step - warmup / steps - warmup),
)
warmup_linear.mistake(
    "Brackets are missing: / comes before -. Write 1 - (step - warmup) / (steps - warmup).",
    no_brackets_above_after_one=climb_then(lambda step, steps, warmup: 1 - step - warmup / (steps - warmup)),
)
warmup_linear.mistake(
    "After the warm-up you count up from 0, and divide by `steps`. It must fall from 1: (steps - step) / (steps - "
    "warmup).",
    counts_up=climb_then(lambda step, steps, warmup: (step - warmup) / steps),
)
warmup_linear.mistake(
    "You multiply the fall by `warmup` in place of subtracting it below the line: (steps - step) / (steps - warmup).",
    times_warmup=climb_then(lambda step, steps, warmup: (steps - step) / steps * warmup),
)
warmup_linear.mistake(
    "The fall of your minimum starts at step 0: (steps - step) / steps. It must be 1 at step `warmup`: divide by steps "
    "- warmup.",
    minimum_with_the_whole_fall=lambda step, steps, warmup: min(step / warmup, (steps - step) / steps),
)
warmup_linear.mistake(
    "Your climb reaches only a half. At step `warmup` it must be 1: step / warmup.",
    half_a_climb=then_fall(lambda step, steps, warmup: step / warmup / 2),
)
warmup_linear.mistake(
    "Your climb is twice too fast. It must be 1 at step `warmup`, not before: step / warmup.",
    double_climb=then_fall(lambda step, steps, warmup: 2 * step / warmup),
)
warmup_linear.mistake(
    "Your climb starts at a tenth. At step 0 it must be 0: step / warmup.",
    climb_from_a_tenth=then_fall(lambda step, steps, warmup: 0.1 + 0.9 * step / warmup),
)
warmup_linear.mistake(
    "After the warm-up your rate stays at a half. It must fall in a straight line from 1 to 0.",
    half_after_the_warmup=climb_then(lambda step, steps, warmup: 0.5),
)
warmup_linear.mistake(
    "After the warm-up your rate stays at a half until the last step. It must fall in a straight line from 1 to 0.",
    half_until_the_end=climb_then(lambda step, steps, warmup: 0.5 if step < steps else 0.0),
)
warmup_linear.mistake(
    "Your fall is exponential. Here it is straight, and ends at 0: (steps - step) / (steps - warmup).",
    exponential=climb_then(lambda step, steps, warmup: math.exp(-(step - warmup) / (steps - warmup))),
)
warmup_linear.mistake(
    "A sign is wrong: your rate goes on to climb, to 2. It is 1 minus (step - warmup) / (steps - warmup).",
    climbs_to_two=climb_then(lambda step, steps, warmup: 1 + (step - warmup) / (steps - warmup)),
)
warmup_linear.mistake(
    "You divide the climb by warmup * steps. It is step / warmup.",
    climb_divided_by_both=then_fall(lambda step, steps, warmup: step / (warmup * steps)),
)
warmup_linear.mistake(
    "Your rate stays at 1 for another `warmup` steps. The fall begins at once, at step `warmup`.",
    plateau=climb_then(lambda step, steps, warmup: 1.0 if step < 2 * warmup else (steps - step) / (steps - warmup)),
)
warmup_linear.mistake(
    "Your fall is (steps - step) / step. Divide by its length: steps - warmup.",
    fall_divided_by_step=climb_then(lambda step, steps, warmup: (steps - step) / step),
)
warmup_linear.mistake(
    "Your fall is (steps - step) / (steps + warmup). Divide by its length: steps - warmup.",
    plus_below_the_line=climb_then(lambda step, steps, warmup: (steps - step) / (steps + warmup)),
)
warmup_linear.mistake(
    "Your fall is 1 - (step - warmup), a count of steps. Divide that by steps - warmup.",
    count_from_the_top=climb_then(lambda step, steps, warmup: 1 - (step - warmup)),
)
warmup_linear.mistake(
    "Your whole curve is shifted by one step: you compute with step + 1. Step 0 is 0, step `warmup` is 1.",
    one_step_ahead=lambda step, steps, warmup: warmup_linear(step + 1, steps, warmup),
)
warmup_linear.mistake(
    "Your whole curve is shifted by one step: you compute with step - 1. Step 0 is 0, step `warmup` is 1.",
    one_step_behind=lambda step, steps, warmup: warmup_linear(step - 1, steps, warmup),
)
warmup_linear.mistake(
    "The sign is wrong everywhere: the share lies between 0 and 1.",
    minus=lambda step, steps, warmup: -warmup_linear(step, steps, warmup),
)
warmup_linear.mistake(
    "The fall of your rate is bent: it is the cube of the share that is left, or of another power. It is straight.",
    fall_cubed=climb_then(lambda step, steps, warmup: ((steps - step) / (steps - warmup)) ** 3),
)
warmup_linear.mistake(
    "You clamp the share at 0.1 from below. At step 0 and at step `steps` it must be 0.",
    clamped_at_a_tenth=lambda step, steps, warmup: max(0.1, warmup_linear(step, steps, warmup)),
)


warmup_linear.hints(
    "Draw it: a triangle with its top at (warmup, 1) and its foot at (steps, 0).",
    "Two cases: step < warmup, and the rest. Both are straight lines.",
    "The fall is (steps - step) / (steps - warmup).",
)
