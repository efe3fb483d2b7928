"""The exercise `training_days` of lesson 01."""

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How many days a training takes. Each token costs 6 operations per parameter. There are `chips`, each doing "
    "`flops_per_second` at best; `utilisation` of that is reached (0.4 means 40 %)."
)
def training_days(parameters, tokens, chips, flops_per_second, utilisation):
    flops = 6 * parameters * tokens
    seconds = flops / (chips * flops_per_second * utilisation)
    return seconds / (24 * 60 * 60)


@training_days.right
def days_for_one_chip_first(parameters, tokens, chips, flops_per_second, utilisation):
    seconds_per_token = 6 * parameters / (flops_per_second * utilisation)
    return seconds_per_token * tokens / 86_400 / chips


@training_days.right
def days_by_speed(parameters, tokens, chips, flops_per_second, utilisation):
    flops_per_day = chips * flops_per_second * utilisation * 3600 * 24
    return 6 * parameters * tokens / flops_per_day


@training_days.right
def days_by_passes(parameters, tokens, chips, flops_per_second, utilisation):
    forward = 2 * parameters * tokens
    backward = 2 * forward
    hours = (forward + backward) / (flops_per_second * utilisation * chips) / 3600
    return hours / 24


@training_days.cases
def cases():
    return [
        (1e6, 1e6, 1, 1e9, 1.0),
        (175e9, 300e9, 1024, 312e12, 0.45),
        (70e9, 1.4e12, 2000, 1e14, 0.5),
        (1e6, 1e8, 1, 5e10, 0.2),
    ]


training_days.mistake(
    "2 operations per parameter and token are the way forward alone. The way backward costs twice as much: 6 in all.",
    TODO_34=lambda *sizes: training_days(*sizes) / 3,
)


training_days.mistake(
    "Parameters times tokens must be multiplied by 6: forward a multiplication and an addition, backward twice that.",
    TODO_35=lambda *sizes: training_days(*sizes) / 6,
)


training_days.mistake(
    "The utilisation is missing: chips wait for memory and for each other, and do less than their best.",
    TODO_36=lambda *sizes: training_days(*sizes[:4], 1),
)


training_days.mistake(
    "You multiply by the utilisation, so that slower chips finish sooner. Divide by it.",
    TODO_37=lambda *sizes: training_days(*sizes[:4], 1 / sizes[4]),
)


training_days.mistake(
    "0.4 is 40 % already: do not divide by 100.", TODO_38=lambda *sizes: training_days(*sizes[:4], sizes[4] / 100)
)


training_days.mistake("Those are hours. Divide by 24 once more.", TODO_39=lambda *sizes: training_days(*sizes) * 24)


training_days.mistake(
    "Those are minutes. A day has 24 * 60 of them.", TODO_40=lambda *sizes: training_days(*sizes) * 1440
)


training_days.mistake(
    "Those are seconds. A day has 24 * 60 * 60 of them.", TODO_41=lambda *sizes: training_days(*sizes) * 86_400
)


training_days.mistake(
    "That is the time on one chip. They work at the same time: divide by `chips`.",
    TODO_42=lambda *sizes: training_days(*sizes) * sizes[2],
)


training_days.mistake(
    "You multiply by `chips`, so that more chips take longer. They share the work: divide by them.",
    TODO_43=lambda *sizes: training_days(*sizes) * sizes[2] ** 2,
)


training_days.mistake(
    "You divided the wrong way round: those are trainings per day. Time is work divided by speed.",
    TODO_44=lambda *sizes: 1 / training_days(*sizes),
)


training_days.mistake(
    "That is the work, in operations. Divide it by the speed of all chips together, and turn seconds to days.",
    TODO_45=lambda *sizes: 6 * sizes[0] * sizes[1],
)


training_days.hints(
    "Time is work divided by speed. First the work: how many operations in all?",
    "The speed is chips * flops_per_second * utilisation, in operations per second.",
    "Work divided by speed is in seconds. A day has 24 * 60 * 60 of them.",
)
