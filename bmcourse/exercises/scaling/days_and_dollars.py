"""How many days a training takes, and what it costs."""

import math

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The (days, dollars) of a training of `flops` operations. `chips` work at once; each does "
    "`flops_per_second` at best, reaches `utilisation` of that (0.4 means 40 %), and costs `dollars_per_hour`.",
    untried={"utilisation": {"0": "chips that do nothing never end"}},
)
def days_and_dollars(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    hours = flops / (chips * flops_per_second * utilisation) / 3600
    return hours / 24, hours * chips * dollars_per_hour


@days_and_dollars.cases
def cases():
    return [
        (3600e12, 2, 1e12, 0.5, 1.0),
        (3.8e25, 16_384, 989e12, 0.4, 3.99),
        (3.14e23, 1024, 312e12, 0.3, 2.0),
        (1e17, 1, 50e12, 1.0, 0.25),
        (1.5e12, 1, 1e12, 1.0, 36.0),
    ]


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


@days_and_dollars.right
def operations_of_a_day(flops, chips, flops_per_second, utilisation, dollars_per_hour):
    a_day = sum(flops_per_second * utilisation * 3600 for _ in range(24)) * chips
    dollars_a_day = dollars_per_hour * chips * 24
    return flops / a_day, flops / a_day * dollars_a_day


NOTHING = dict.fromkeys(("flops", "chips", "speed", "utilisation", "price"), 0)


def times(days=1, dollars=1, days_by=NOTHING, dollars_by=NOTHING):
    """A wrong answer: the right days and dollars, each multiplied by a constant and by powers of the inputs."""

    def answer(flops, chips, flops_per_second, utilisation, dollars_per_hour):
        right = days_and_dollars(flops, chips, flops_per_second, utilisation, dollars_per_hour)
        inputs = dict(zip(NOTHING, (flops, chips, flops_per_second, utilisation, dollars_per_hour), strict=True))
        powers = (math.prod(inputs[name] ** power for name, power in by.items()) for by in (days_by, dollars_by))
        return tuple(
            number * factor * power for number, factor, power in zip(right, (days, dollars), powers, strict=True)
        )

    return answer


# The days are right.

days_and_dollars.mistake(
    "The days are right. The dollars are those of one chip: each of them is paid for.",
    dollars_of_one_chip=times(dollars_by={"chips": -1}),
)
days_and_dollars.mistake(
    "The days are right. For the dollars you multiplied by the chips twice.",
    dollars_times_chips_twice=times(dollars_by={"chips": 1}),
)
days_and_dollars.mistake(
    "The days are right. For the dollars you took the price as one per day: it is per hour.",
    price_per_day=times(dollars=1 / 24),
)
days_and_dollars.mistake(
    "The days are right. For the dollars you took the price as one per day, and of one chip: it is per hour, and each "
    "chip is paid for.",
    price_per_day_of_one_chip=times(dollars=1 / 24, dollars_by={"chips": -1}),
)
days_and_dollars.mistake(
    "The days are right. For the dollars you counted seconds, but the price is per hour.",
    dollars_of_seconds=times(dollars=3600),
)
days_and_dollars.mistake(
    "The days are right. For the dollars you counted seconds, and one chip. The price is per hour, for each chip.",
    dollars_of_seconds_of_one_chip=times(dollars=3600, dollars_by={"chips": -1}),
)
days_and_dollars.mistake(
    "The days are right. For the dollars you counted minutes, but the price is per hour.",
    dollars_of_minutes=times(dollars=60),
)
days_and_dollars.mistake(
    "The days are right. For the dollars you multiplied hours by 24 once more.", dollars_times_24=times(dollars=24)
)
days_and_dollars.mistake(
    "The days are right. The dollars count only the time in use: a chip that waits is paid for too. Leave out the "
    "utilisation there.",
    dollars_times_utilisation=times(dollars_by={"utilisation": 1}),
)
days_and_dollars.mistake(
    "The days are right. For the dollars you divided by the utilisation again: it is in the hours already.",
    dollars_by_utilisation_twice=times(dollars_by={"utilisation": -1}),
)
days_and_dollars.mistake(
    "The days are right. The dollars are hours of all chips: multiply by dollars_per_hour.",
    dollars_without_price=times(dollars_by={"price": -1}),
)
days_and_dollars.mistake(
    "The days are right. The dollars are only those of one hour: multiply by the hours.",
    dollars_of_one_hour=lambda *s: (days_and_dollars(*s)[0], s[1] * s[4]),
)
days_and_dollars.mistake(
    "The days are right. The dollars are divided by the price: multiply.",
    dollars_by_price=times(dollars_by={"price": -2}),
)

# The dollars are right.

days_and_dollars.mistake(
    "The dollars are right. The time is in hours: divide by 24 for days.", days_in_hours=times(days=24)
)
days_and_dollars.mistake(
    "The dollars are right. The time is in seconds: a day has 24 * 60 * 60.", days_in_seconds=times(days=86_400)
)
days_and_dollars.mistake(
    "The dollars are right. The time is in minutes: a day has 24 * 60.", days_in_minutes=times(days=1440)
)
days_and_dollars.mistake(
    "The dollars are right. The time is in weeks: leave out the 7.", days_in_weeks=times(days=1 / 7)
)
days_and_dollars.mistake("The dollars are right. A day has 24 hours, not 12.", days_of_12_hours=times(days=2))
days_and_dollars.mistake(
    "The dollars are right. You divided the hours by 24 twice.", days_by_24_twice=times(days=1 / 24)
)
days_and_dollars.mistake(
    "The dollars are right. You multiplied the hours by 24: a day has 24 hours, so divide.",
    days_times_24=times(days=24 * 24),
)
days_and_dollars.mistake(
    "The dollars are right. The days are those of one chip alone: they work at the same time.",
    days_of_one_chip=times(days_by={"chips": 1}),
)
days_and_dollars.mistake(
    "The dollars are right. You divided the time by the chips twice.", days_by_chips_twice=times(days_by={"chips": -1})
)
days_and_dollars.mistake(
    "The dollars are right. The days are those at the chips' best: divide them by the utilisation too.",
    days_without_utilisation=times(days_by={"utilisation": 1}),
)

# Both are wrong.

days_and_dollars.mistake(
    "You left the chips out of the speed: they work at the same time, so divide the time by `chips`.",
    chips_left_out_of_the_speed=times(days_by={"chips": 1}, dollars_by={"chips": 1}),
)
days_and_dollars.mistake(
    "You multiply the time by the chips. More chips end sooner: divide.",
    time_times_chips=times(days_by={"chips": 2}, dollars_by={"chips": 2}),
)
days_and_dollars.mistake(
    "The utilisation is missing: chips wait for memory and for each other, and do less than their best.",
    utilisation_missing=times(days_by={"utilisation": 1}, dollars_by={"utilisation": 1}),
)
days_and_dollars.mistake(
    "You multiply the time by the utilisation, so that a worse one ends sooner. Divide by it.",
    time_times_utilisation=times(days_by={"utilisation": 2}, dollars_by={"utilisation": 2}),
)
days_and_dollars.mistake(
    "You divide by the utilisation twice.",
    utilisation_twice=times(days_by={"utilisation": -1}, dollars_by={"utilisation": -1}),
)
days_and_dollars.mistake("0.4 is 40 % already: do not divide by 100.", utilisation_by_100=times(100, 100))
days_and_dollars.mistake("0.4 is 40 % already: do not multiply by 100.", utilisation_times_100=times(0.01, 0.01))
days_and_dollars.mistake(
    "You use 1 - utilisation. The utilisation is what a chip reaches of its best.",
    utilisation_turned=days_and_dollars.changed("* utilisation", "* max(1 - utilisation, 1e-300)"),
)
days_and_dollars.mistake(
    "You divide the speed by the flops. Time is operations divided by operations per second.",
    quotient_turned=days_and_dollars.changed(
        "flops / (chips * flops_per_second * utilisation)", "(chips * flops_per_second * utilisation) / flops"
    ),
)
days_and_dollars.mistake(
    "The brackets are missing: a / b * c divides by b alone. Write flops / (chips * flops_per_second * utilisation).",
    brackets_missing=days_and_dollars.changed(
        "(chips * flops_per_second * utilisation)", "chips * flops_per_second * utilisation"
    ),
)
days_and_dollars.mistake("You multiply by 6. `flops` counts all operations already.", times_six=times(6, 6))
days_and_dollars.mistake(
    "You take flops_per_second as one per hour: an hour has 3600 seconds.",
    speed_per_hour=times(3600, 3600),
)
days_and_dollars.mistake("You divide by 60 once: an hour has 60 * 60 seconds.", hours_of_60_seconds=times(60, 60))
days_and_dollars.mistake(
    "Your hours are days: you divided by 24 before the dollars too. The price is per hour.",
    both_by_24=times(1 / 24, 1 / 24),
)
days_and_dollars.mistake(
    "You divide by 10**12. All numbers are whole operations, with no unit such as tera.", tera=times(1e-12, 1e-12)
)

# The right numbers in another form.

days_and_dollars.mistake("The order is (days, dollars).", order_turned=lambda *s: days_and_dollars(*s)[::-1])
days_and_dollars.mistake("Return both: days, dollars.", days_only=lambda *s: days_and_dollars(*s)[0])
days_and_dollars.mistake(
    "Return both, days and dollars, in this order.", dollars_only=lambda *s: days_and_dollars(*s)[1]
)
days_and_dollars.mistake(
    "You round to whole days and dollars. Return the numbers as they are.",
    rounded=lambda *s: tuple(round(number) for number in days_and_dollars(*s)),
)
days_and_dollars.mistake(
    "You round to two digits. Return the numbers as they are.",
    rounded_to_two_digits=lambda *s: tuple(round(number, 2) for number in days_and_dollars(*s)),
)
days_and_dollars.mistake(
    "You count begun days as whole ones. Return the number as it is.",
    begun_days=lambda *s: (math.ceil(days_and_dollars(*s)[0]), days_and_dollars(*s)[1]),
)
days_and_dollars.mistake(
    "// cuts off what is behind the point. Divide with /.",
    cut_off=days_and_dollars.changed("flops / (", "flops // (", "/ 3600", "// 3600", "/ 24", "// 24"),
)
days_and_dollars.mistake(
    "You pay for begun hours only. Return the dollars as they come.",
    begun_hours=days_and_dollars.changed("hours * chips", "-(-hours // 1) * chips"),
)
days_and_dollars.mistake(
    "You return a dict. Return a pair: days, dollars.",
    a_dict=lambda *s: dict(zip(("days", "dollars"), days_and_dollars(*s), strict=True)),
)
days_and_dollars.mistake(
    "Your days are hours, and your dollars are as if the price were one per day. An hour has 3600 "
    "seconds, a day 24 hours.",
    hours_and_days_exchanged=times(24, 1 / 24),
)
days_and_dollars.mistake(
    "The utilisation is missing, and the dollars are those of one chip. Chips do less than their best, "
    "and each is paid for.",
    utilisation_missing_and_one_chip=times(days_by={"utilisation": 1}, dollars_by={"utilisation": 1, "chips": -1}),
)
days_and_dollars.mistake(
    "Chips and utilisation are missing in the speed: all chips work at once, and do less than their best.",
    chips_and_utilisation_missing=times(
        days_by={"utilisation": 1, "chips": 1}, dollars_by={"utilisation": 1, "chips": 1}
    ),
)
days_and_dollars.mistake(
    "You take the speed of one chip at its best, and pay for one. All chips work at once, do less than their best, and "
    "each is paid for.",
    one_chip_at_its_best=times(days_by={"utilisation": 1, "chips": 1}, dollars_by={"utilisation": 1}),
)
days_and_dollars.mistake(
    "Your days are hours, and your dollars are those of one chip. Divide by 24, and pay for each chip.",
    hours_and_one_chip=times(days=24, dollars_by={"chips": -1}),
)
days_and_dollars.mistake(
    "Your days are seconds, and so the dollars are counted by seconds. The price is per hour.",
    seconds_in_both=times(86_400, 3600),
)
days_and_dollars.mistake(
    "Your days are seconds, and the dollars are seconds of one chip. The price is per hour, for each chip.",
    seconds_in_both_of_one_chip=times(86_400, 3600, dollars_by={"chips": -1}),
)
days_and_dollars.mistake(
    "Your days are hours, and you took them for days in the dollars too: hours * 24.",
    hours_taken_for_days=times(24, 24),
)
days_and_dollars.mistake(
    "The dollars are right. For the days you divide the hours by 3600: a day has 24.",
    days_by_3600=times(days=24 / 3600),
)
days_and_dollars.mistake(
    "An hour has 60 * 60 seconds: you divide by 60 once, and you pay for one chip only.",
    both_by_minutes=times(60, 60, dollars_by={"chips": -1}),
)
days_and_dollars.mistake(
    "The days are right. You divide the dollars by the chips: multiply, each is paid for.",
    dollars_by_chips=times(dollars_by={"chips": -2}),
)
days_and_dollars.mistake(
    "The days are right. Your dollars are the hours: multiply by chips * dollars_per_hour.",
    hours_for_dollars=times(dollars_by={"chips": -1, "price": -1}),
)


days_and_dollars.hints(
    "First the time: operations divided by the speed of all chips together, in seconds.",
    "The speed is chips * flops_per_second * utilisation. An hour has 3600 seconds, a day 24 hours.",
    "Every chip is paid for every hour: hours * chips * dollars_per_hour.",
)
