"""The exercise `training_days`: how long a training takes, by the rule of 6 operations per parameter and token."""

import math

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How many days a training takes. Each token costs 6 operations per parameter. There are `chips`, each doing "
    "`flops_per_second` at best; `utilisation` of that is reached (0.4 means 40 %).",
    untried={"utilisation": {"0": "such a training never ends"}},
)
def training_days(parameters, tokens, chips, flops_per_second, utilisation):
    flops = 6 * parameters * tokens
    seconds = flops / (chips * flops_per_second * utilisation)
    return seconds / (24 * 60 * 60)


@training_days.cases
def cases():
    return [
        (1e6, 1e6, 1, 1e9, 1.0),
        (175e9, 300e9, 1024, 312e12, 0.45),
        (70e9, 1.4e12, 2000, 1e14, 0.5),
        (1e6, 1e8, 3, 5e10, 0.2),
        (10, 20, 2, 0.01, 0.25),  # by hand: every argument leaves a trace in the result
    ]


@training_days.right
def for_one_chip_first(parameters, tokens, chips, flops_per_second, utilisation):
    seconds_per_token = 6 * parameters / (flops_per_second * utilisation)
    return seconds_per_token * tokens / 86_400 / chips


@training_days.right
def by_the_speed_of_a_day(parameters, tokens, chips, flops_per_second, utilisation):
    flops_per_day = chips * flops_per_second * utilisation * 3600 * 24
    return 6 * parameters * tokens / flops_per_day


@training_days.right
def by_passes(parameters, tokens, chips, flops_per_second, utilisation):
    forward = 2 * parameters * tokens
    backward = 2 * forward
    hours = (forward + backward) / (flops_per_second * utilisation * chips) / 3600
    return hours / 24


@training_days.right
def by_logarithms(parameters, tokens, chips, flops_per_second, utilisation):
    work = math.log(6) + math.log(parameters) + math.log(tokens)
    return math.exp(work - math.log(chips) - math.log(flops_per_second) - math.log(utilisation) - math.log(86_400))


NAMES = ("parameters", "tokens", "chips", "flops_per_second", "utilisation")
POWERS = dict(zip(NAMES, (1, 1, -1, -1, -1), strict=True))


def times(factor, **powers):
    """A wrong number of days: the right one times `factor`, with other powers of some arguments."""

    def answer(*sizes):
        days = training_days(*sizes) * factor
        for name, size in zip(NAMES, sizes, strict=True):
            days *= float(size) ** (powers.get(name, POWERS[name]) - POWERS[name])
        return days

    return answer


def rounded(how):
    return lambda *sizes: how(training_days(*sizes))


training_days.mistake(
    "2 operations per parameter and token are the way forward alone. The way backward costs twice as much: 6 in all.",
    forward_only=times(2 / 6),
)
training_days.mistake(
    "4 operations per parameter and token are the way backward alone. The way forward costs 2 more: 6 in all.",
    backward_only=times(4 / 6),
)
training_days.mistake("You count 3 operations per parameter and token. There are 6.", three_operations=times(3 / 6))
training_days.mistake(
    "Twice too many days: each token costs 6 operations per parameter, not 12, and a day has 24 hours.",
    twice_too_many=times(2),
)
training_days.mistake(
    "You count 8 operations per parameter and token: that is for those who compute the way forward twice. Here 6.",
    eight_operations=times(8 / 6),
)
training_days.mistake("The 6 comes in twice. Multiply by it once.", six_twice=times(6))
training_days.mistake(
    "Parameters times tokens must be multiplied by 6: forward a multiplication and an addition, backward twice that.",
    six_missing=times(1 / 6),
)
training_days.mistake(
    "You divide by 6. Each token costs 6 operations per parameter: multiply.", divided_by_six=times(1 / 36)
)
training_days.mistake(
    "The utilisation is missing: chips wait for memory and for each other, and do less than their best.",
    utilisation_missing=times(1, utilisation=0),
)
training_days.mistake(
    "You multiply by the utilisation, so that slower chips finish sooner. Divide by it. (Mind the brackets: in a / b * "
    "c, c is multiplied.)",
    utilisation_multiplied=times(1, utilisation=1),
)
training_days.mistake("0.4 is 40 % already: do not divide by 100.", utilisation_as_percent=times(100))
training_days.mistake("0.4 is 40 % already: do not multiply by 100.", utilisation_in_percent=times(1 / 100))
training_days.mistake("The utilisation comes in twice. Divide by it once.", utilisation_twice=times(1, utilisation=-2))
training_days.mistake(
    "You divide by 1 - utilisation, the share that is lost. Divide by the share that is reached.",
    share_that_is_lost=lambda *sizes: training_days(*sizes[:4], max(1 - sizes[4], 1e-300)),
)
for percent in (30, 40, 45, 50):
    training_days.mistake(
        f"Your utilisation is {percent} %, whatever is given. Use the argument `utilisation`.",
        **{f"always_{percent}_percent": lambda *sizes, percent=percent: training_days(*sizes[:4], percent / 100)},
    )
training_days.mistake("Those are hours. Divide by 24 once more.", hours=times(24))
training_days.mistake("Those are minutes. A day has 24 * 60 of them.", minutes=times(24 * 60))
training_days.mistake("Those are seconds. A day has 24 * 60 * 60 of them.", seconds=times(24 * 60 * 60))
training_days.mistake("Those are weeks. Days are asked for: do not divide by 7.", weeks=times(1 / 7))
training_days.mistake("Those are years. Days are asked for: do not divide by 365.", years=times(1 / 365))
training_days.mistake("Those are months. Days are asked for: do not divide by 30.", months=times(1 / 30))
training_days.mistake("One 60 is missing. A day has 24 * 60 * 60 seconds.", one_sixty=times(60))
training_days.mistake("You divide seconds by 24 only. A day has 24 * 60 * 60 of them.", only_by_24=times(3600))
training_days.mistake("There is a 60 too many. A day has 24 * 60 * 60 seconds.", three_sixties=times(1 / 60))
training_days.mistake("You divide by 24 twice. A day has 24 * 60 * 60 seconds.", twice_24=times(1 / 24))
training_days.mistake("Your day has 8 hours. Chips work through the night: 24.", eight_hours=times(3))
training_days.mistake("A day has 86 400 seconds, not 84 600: 24 * 60 * 60.", digits_swapped=times(86_400 / 84_600))
training_days.mistake(
    "Ten times too many days: a day has 24 * 60 * 60 = 86 400 seconds, an hour 3600.", a_zero_lost=times(10)
)
training_days.mistake("A day has 86 400 seconds, not 864 000: 24 * 60 * 60.", a_zero_too_many=times(1 / 10))
training_days.mistake(
    "x / 24 * 60 * 60 divides by 24 and then multiplies. Set brackets: x / (24 * 60 * 60).",
    brackets_of_the_day=times(3600 * 86_400 / 24),
)
training_days.mistake(
    "x / 60 * 60 * 24 divides by 60 and then multiplies. Set brackets: x / (60 * 60 * 24).",
    brackets_of_the_day_from_60=times(24 * 86_400),
)
training_days.mistake(
    "x / 3600 * 24 divides by 3600 and then multiplies. Set brackets: x / (3600 * 24).",
    brackets_of_the_day_from_3600=times(24 * 24),
)
for wrong, slip, factor in (
    ("six_missing", "the factor 6 is missing", 1 / 6),
    ("forward_only", "you count 2 operations per parameter and token, not 6", 1 / 3),
    ("hours", "those are hours, not days", 24),
    ("minutes", "those are minutes, not days", 24 * 60),
    ("seconds", "those are seconds, not days", 86_400),
    ("one_sixty", "one 60 is missing in the seconds of a day", 60),
):
    for other, words, powers in (
        ("utilisation_missing", "the utilisation is missing", {"utilisation": 0}),
        ("utilisation_multiplied", "you multiply by the utilisation", {"utilisation": 1}),
        ("chips_missing", "the chips are missing", {"chips": 0}),
    ):
        training_days.mistake(
            f"Two things: {slip}; and {words}. Days are 6 * parameters * tokens / (chips * flops_per_second * "
            "utilisation) / (24 * 60 * 60).",
            **{f"{wrong}_and_{other}": times(factor, **powers)},
        )
training_days.mistake(
    "Chips and utilisation are missing: all chips together reach chips * flops_per_second * utilisation.",
    chips_and_utilisation_missing=times(1, chips=0, utilisation=0),
)
training_days.mistake(
    "You multiply by the seconds of a day. The work divided by the speed is in seconds: divide by them.",
    multiplied_by_the_day=times(86_400**2),
)
training_days.mistake(
    "a / b * c * d divides by b alone and multiplies by the others. Set brackets: work / (chips * flops_per_second * "
    "utilisation).",
    brackets_of_the_speed=times(1, flops_per_second=1, utilisation=1),
)
training_days.mistake(
    "a / (b * c) * d multiplies by d. Let the brackets of the speed hold the utilisation, and the seconds of the day "
    "divide too.",
    brackets_after_the_day=times(86_400**2, chips=-1, flops_per_second=1, utilisation=1),
)
training_days.mistake(
    "That is the time on one chip. They work at the same time: divide by `chips`.", one_chip=times(1, chips=0)
)
training_days.mistake(
    "You multiply by `chips`, so that more chips take longer. They share the work: divide by them.",
    chips_multiplied=times(1, chips=1),
)
training_days.mistake("You divide by `chips` twice. Once is enough.", chips_twice=times(1, chips=-2))
training_days.mistake(
    "`parameters` are missing: each token costs 6 operations for each of them.",
    parameters_missing=times(1, parameters=0),
)
training_days.mistake("`tokens` are missing: those are the days for one token.", tokens_missing=times(1, tokens=0))
training_days.mistake("You square `parameters`. Multiply by them once.", parameters_squared=times(1, parameters=2))
training_days.mistake("You square `tokens`. Multiply by them once.", tokens_squared=times(1, tokens=2))
training_days.mistake("You divide by `tokens`. More tokens take longer: multiply.", tokens_divided=times(1, tokens=-1))
training_days.mistake(
    "You divide by `parameters`. A larger model takes longer: multiply.", parameters_divided=times(1, parameters=-1)
)
training_days.mistake(
    "The speed of a chip is missing: divide by flops_per_second.", speed_missing=times(1, flops_per_second=0)
)
training_days.mistake(
    "You multiply by flops_per_second, so that faster chips take longer. Divide by it.",
    speed_multiplied=times(1, flops_per_second=1),
)
training_days.mistake(
    "You take 20 tokens for each parameter, a rule of thumb. Use the argument `tokens`.",
    twenty_tokens_a_parameter=lambda *sizes: training_days(sizes[0], 20 * sizes[0], *sizes[2:]),
)
training_days.mistake(
    "You add parameters and tokens. Each token costs 6 operations for each parameter: multiply.",
    parameters_and_tokens_added=lambda n, d, c, f, u: 6 * (n + d) / (c * f * u) / 86_400,
)
training_days.mistake(
    "6 * parameters + tokens adds the tokens. Each token costs 6 operations per parameter: multiply all three.",
    tokens_added=lambda n, d, c, f, u: (6 * n + d) / (c * f * u) / 86_400,
)
training_days.mistake(
    "You add 6. Each token costs 6 operations per parameter: multiply.",
    six_added=lambda n, d, c, f, u: (6 + n * d) / (c * f * u) / 86_400,
)
training_days.mistake(
    "You add the number of chips to their speed. All together do chips * flops_per_second.",
    chips_and_speed_added=lambda n, d, c, f, u: 6 * n * d / ((c + f) * u) / 86_400,
)
training_days.mistake(
    "You divided the wrong way round: those are trainings per day. Time is work divided by speed.",
    upside_down=lambda *sizes: 1 / training_days(*sizes),
)
training_days.mistake(
    "Your days are next to nothing, on every input. Work is divided by speed, and not the other way round; both are in "
    "operations, without another 1e9 or 1e12.",
    next_to_nothing=times(1e-15),
)
training_days.mistake("Your day has 60 hours. It has 24.", sixty_hours=times(24 / 60))
training_days.mistake(
    "You multiply by 1 - utilisation. Divide by the utilisation.",
    lost_share_multiplied=lambda *sizes: training_days(*sizes[:4], 1) * (1 - sizes[4]),
)
training_days.mistake(
    "You multiply by 1 + utilisation. Divide by the utilisation.",
    one_plus_utilisation=lambda *sizes: training_days(*sizes[:4], 1) * (1 + sizes[4]),
)
training_days.mistake(
    "6 * parameters + tokens / ... divides the tokens only and adds the rest. Each token costs 6 operations per "
    "parameter: multiply all three, then divide.",
    tokens_divided_and_added=lambda n, d, c, f, u: 6 * n + d / (c * f * u) / 86_400,
)
training_days.mistake(
    "That is the work, in operations. Divide it by the speed of all chips together, and turn seconds to days.",
    work_only=lambda n, d, c, f, u: 6 * n * d,
)
training_days.mistake(
    "That is the speed, in operations per second. Divide the work by it, and turn seconds to days.",
    speed_only=lambda n, d, c, f, u: c * f * u,
)
training_days.mistake(
    "You return whole days: // or int() throws away what is behind the point. Divide with /.",
    whole_days=rounded(math.floor),
)
training_days.mistake("You round up to whole days. Return the number as it is.", rounded_up=rounded(math.ceil))
training_days.mistake("You round to whole days. Return the number as it is.", rounded=rounded(round))
for places, word in ((1, "one place"), (2, "two places"), (3, "three places")):
    training_days.mistake(
        f"You round to {word} behind the point. Return the number as it is.",
        **{f"rounded_to_{places}": rounded(lambda days, places=places: round(days, places))},
    )
training_days.mistake("You return text. Return the number itself.", as_text=lambda *sizes: f"{training_days(*sizes)}")


training_days.hints(
    "Time is work divided by speed. First the work: how many operations in all?",
    "The speed is chips * flops_per_second * utilisation, in operations per second.",
    "Work divided by speed is in seconds. A day has 24 * 60 * 60 of them.",
)
