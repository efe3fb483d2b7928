"""The exercise `days_and_dollars` of lesson 11."""

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The (days, dollars) of a training of `flops` operations. `chips` work at once; each does "
    "`flops_per_second` at best, reaches `utilisation` of that (0.4 means 40 %), and costs `dollars_per_hour`."
)
def days_and_dollars(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    hours = flops / (chips * flops_per_second * utilisation) / 3600
    return hours / 24, hours * chips * dollars_per_hour


@days_and_dollars.right
def dollars_first(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    chip_hours = flops / flops_per_second / utilisation / 3600
    return chip_hours / chips / 24, chip_hours * dollars_per_hour


@days_and_dollars.right
def days_first(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    days = flops / (chips * flops_per_second * utilisation * 86_400)
    return days, days * 24 * dollars_per_hour * chips


@days_and_dollars.right
def price_of_an_operation(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    really = flops_per_second * utilisation
    seconds = flops / really / chips
    return [seconds / 60 / 60 / 24, flops * dollars_per_hour / (really * 3600)]


def changed(*sizes, **changes):
    """The right answer to other numbers."""
    names = ("flops", "chips", "flops_per_second", "utilisation", "dollars_per_hour")
    return days_and_dollars(**(dict(zip(names, sizes, strict=True)) | changes))


@days_and_dollars.cases
def cases():
    return [
        (3600e12, 2, 1e12, 0.5, 1.0),
        (3.8e25, 16_384, 989e12, 0.4, 3.99),
        (3.14e23, 1024, 312e12, 0.3, 2.0),
    ]


days_and_dollars.mistake(
    "The days are right. The dollars are those of one chip: each of them is paid for.",
    TODO_15=lambda *s: (days_and_dollars(*s)[0], days_and_dollars(*s)[1] / s[1]),
)


days_and_dollars.mistake(
    "The days are right. For the dollars you took the price as one per day: it is per hour.",
    TODO_16=lambda *s: (days_and_dollars(*s)[0], days_and_dollars(*s)[0] * s[1] * s[4]),
)


days_and_dollars.mistake(
    "The days are right. For the dollars you counted seconds, but the price is per hour.",
    TODO_17=lambda *s: (days_and_dollars(*s)[0], days_and_dollars(*s)[0] * 86_400 * s[1] * s[4]),
)


days_and_dollars.mistake(
    "The dollars are right. The time is in hours: divide by 24 for days.",
    TODO_18=lambda *s: (days_and_dollars(*s)[0] * 24, days_and_dollars(*s)[1]),
)


days_and_dollars.mistake(
    "The dollars are right. The time is in seconds: a day has 24 * 60 * 60.",
    TODO_19=lambda *s: (days_and_dollars(*s)[0] * 86_400, days_and_dollars(*s)[1]),
)


days_and_dollars.mistake(
    "The dollars are right. The days are those of one chip alone: they work at the same time.",
    TODO_20=lambda *s: (days_and_dollars(*s)[0] * s[1], days_and_dollars(*s)[1]),
)


days_and_dollars.mistake(
    "You left the chips out of the speed: they work at the same time, so divide the time by `chips`.",
    TODO_21=lambda *s: (days_and_dollars(*s)[0] * s[1], days_and_dollars(*s)[1] * s[1]),
)


days_and_dollars.mistake(
    "The utilisation is missing: chips wait for memory and for each other, and do less than their best.",
    TODO_22=lambda *s: changed(*s, utilisation=1.0),
)


days_and_dollars.mistake(
    "You multiply the time by the utilisation, so that a worse one ends sooner. Divide by it.",
    TODO_23=lambda *s: changed(*s, utilisation=1 / s[3]),
)


days_and_dollars.mistake(
    "0.4 is 40 % already: do not divide by 100.", TODO_24=lambda *s: changed(*s, utilisation=s[3] / 100)
)


days_and_dollars.mistake("The order is (days, dollars).", TODO_25=lambda *s: days_and_dollars(*s)[::-1])


days_and_dollars.hints(
    "First the time: operations divided by the speed of all chips together, in seconds.",
    "The speed is chips * flops_per_second * utilisation. An hour has 3600 seconds, a day 24 hours.",
    "Every chip is paid for every hour: hours * chips * dollars_per_hour.",
)
