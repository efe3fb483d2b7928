"""The exercise `average` of lesson 00: the mean of a list of numbers."""

import math
import statistics

import torch

from bmcourse.exercises.concepts.twice import KEPT, asked_twice
from bmcourse.exercises.core import exercise


@exercise(prompt="The average of a list of numbers.")
def average(numbers):
    return sum(numbers) / len(numbers)


@average.cases
def cases():
    return [([2, 4, 9],), ([7],), ([600, 3],), ([-3, 0, 0, 1, 0],), ([0.5, 0.25, 0.125],), ([1, 1, 10, 1],)]


average.run(asked_twice)


@average.judge
def by_the_library(numbers):
    return statistics.fmean(numbers)


@average.right
def in_a_loop(numbers):
    total = count = 0
    for number in numbers:
        total, count = total + number, count + 1
    return total / count


@average.right
def step_by_step(numbers):
    mean = 0.0
    for count, number in enumerate(numbers, start=1):
        mean += (number - mean) / count
    return mean


average.right(lambda numbers: torch.tensor(numbers, dtype=torch.float64).mean())
average.right(lambda numbers: sum(number / len(numbers) for number in numbers))
average.right(lambda numbers: math.fsum(numbers) / len(numbers))


average.mistake("That is the sum. Divide it by how many numbers there are.", only_the_sum=sum)
average.mistake("That is how many numbers there are. Divide their sum by it.", only_the_count=len)
average.mistake(
    "// divides and throws away what is behind the point. Divide with /.",
    floor_division=average.changed("/", "//"),
)
average.mistake(
    "You cut off what is behind the point. An average need not be a whole number: leave int() out.",
    cut_to_whole=lambda numbers: int(average(numbers)),
)
average.mistake(
    "You round to a whole number. An average need not be one: leave round() out.",
    rounded_to_whole=lambda numbers: round(average(numbers)),
)
average.mistake(
    "You round to one place behind the point. Return the average as it is.",
    rounded_to_one_place=lambda numbers: round(average(numbers), 1),
)
average.mistake(
    "You round to two places behind the point. Return the average as it is.",
    rounded_to_two_places=lambda numbers: round(average(numbers), 2),
)
average.mistake(
    "You round up to a whole number. Return the average as it is.",
    rounded_up=lambda numbers: math.ceil(average(numbers)),
)
average.mistake("That is the median: the number in the middle. Here every number counts.", median=statistics.median)
average.mistake(
    "You sort and take the number in the middle, or the upper of the two there. Here every number counts.",
    upper_median=statistics.median_high,
)
average.mistake(
    "You sort and take the number in the middle, or the lower of the two there. Here every number counts.",
    lower_median=statistics.median_low,
)
average.mistake(
    "You take the number in the middle of the list. Here every number counts.",
    middle_of_the_list=lambda numbers: numbers[len(numbers) // 2],
)
average.mistake("That is the most frequent number. Here every number counts.", mode=statistics.mode)
average.mistake("That is the largest number. Here every number counts.", largest=max)
average.mistake("That is the smallest number. Here every number counts.", smallest=min)
average.mistake(
    "You use the smallest and the largest only. Here every number counts.",
    middle_of_the_range=lambda numbers: (min(numbers) + max(numbers)) / 2,
)
average.mistake(
    "You use the first and the last only. Here every number counts.",
    first_and_last=lambda numbers: (numbers[0] + numbers[-1]) / 2,
)
average.mistake(
    "You always divide by 2. Divide by how many numbers there are.",
    always_by_two=average.changed("len(numbers)", "2"),
)
average.mistake(
    "You always divide by 3. That fits the example only: divide by how many numbers there are, len(numbers).",
    always_by_three=average.changed("len(numbers)", "3"),
)
average.mistake(
    "You divide by one too few, and by nothing where there is one number. Divide by len(numbers).",
    one_too_few=average.changed("len(numbers)", "(len(numbers) - 1)"),
)
average.mistake(
    "You divide by one too many. Divide by len(numbers).",
    one_too_many=average.changed("len(numbers)", "(len(numbers) + 1)"),
)
average.mistake(
    "You multiply by how many numbers there are. Divide by it.",
    multiplied=average.changed("/", "*"),
)
average.mistake(
    "You divide the wrong way round. The sum is divided by how many numbers there are.",
    upside_down=lambda numbers: len(numbers) / sum(numbers),
)
average.mistake(
    "You divide by the largest number. Divide by how many numbers there are: len(numbers), not max(numbers).",
    by_the_largest=lambda numbers: sum(numbers) / max(numbers),
)
average.mistake(
    "You divide by the last number. Divide by how many numbers there are.",
    by_the_last=lambda numbers: sum(numbers) / numbers[-1],
)
average.mistake(
    "Only the first number is added up. Does your `return` stand inside the loop? Then the loop ends in its first "
    "round: put it below the loop, without the indent.",
    first_only=lambda numbers: numbers[0] / len(numbers),
)
average.mistake(
    "Only the last number arrives in your sum. Each round writes over the one before: add, with +=.",
    last_only=lambda numbers: numbers[-1] / len(numbers),
)
average.mistake(
    "The last number is left out of your sum. range(len(numbers)) ends by itself before len(numbers): do not subtract "
    "1, and `[:-1]` leaves the last one out.",
    last_left_out=lambda numbers: sum(numbers[:-1]) / len(numbers),
)
average.mistake(
    "The first number is left out of your sum. Counting begins with 0: numbers[0] is the first.",
    first_left_out=lambda numbers: sum(numbers[1:]) / len(numbers),
)
average.mistake(
    "The first number counts twice. Let the sum begin with 0, or the loop with the second number.",
    first_twice=lambda numbers: (numbers[0] + sum(numbers)) / len(numbers),
)
average.mistake(
    "Your sum begins with 1. Let it begin with 0: nothing has been added yet.",
    begins_with_one=lambda numbers: (1 + sum(numbers)) / len(numbers),
)
average.mistake(
    "You add up the places 0, 1, 2, ... and not the numbers that stand there: numbers[i].",
    places_not_numbers=lambda numbers: sum(range(len(numbers))) / len(numbers),
)


@average.mistake(
    "You take half after each number, so the last one counts as much as all before it together. Add all of them up "
    "first, and divide once."
)
def halved_after_each(numbers):
    result = numbers[0]
    for number in numbers[1:]:
        result = (result + number) / 2
    return result


@average.mistake(
    "You begin with 0 and take half after each number, so the last one counts most. Add all of them up first, and "
    "divide once."
)
def halved_from_zero(numbers):
    result = 0
    for number in numbers:
        result = (result + number) / 2
    return result


@average.mistake("You divide in every round of the loop. Add all numbers up first, and divide once, below the loop.")
def divided_in_every_round(numbers):
    total = 0
    for number in numbers:
        total = (total + number) / len(numbers)
    return total


average.mistake(
    "Only the last number is divided: / comes before +. Add all numbers up first, or write (a + b) / 2.",
    only_last_divided=lambda numbers: sum(numbers[:-1]) + numbers[-1] / len(numbers),
)
average.mistake(
    "You take the numbers for places: `for i in numbers` gives the numbers themselves, so add i and not numbers[i].",
    numbers_as_places=lambda numbers: sum(numbers[i] for i in numbers) / len(numbers),
)
average.mistake(
    "sum / 2 * n divides by 2 and multiplies by n. Divide the sum by how many numbers there are.",
    half_times_count=lambda numbers: sum(numbers) / 2 * len(numbers),
)
average.mistake(
    "Equal numbers count once only. A set drops what comes twice: use the list.",
    equal_once=lambda numbers: sum(set(numbers)) / len(set(numbers)),
)
average.mistake(
    "You divide by how many different numbers there are. Equal ones count too: len(numbers).",
    by_different_numbers=lambda numbers: sum(numbers) / len(set(numbers)),
)
average.mistake(
    "Zeros do not count in your average. A 0 is a number like any other: it belongs to those you divide by.",
    zeros_skipped=lambda numbers: sum(numbers) / sum(number != 0 for number in numbers),
)
average.mistake(
    "Only numbers above 0 count in your average. Negative ones and zeros are numbers too.",
    positive_only=lambda numbers: statistics.mean(number for number in numbers if number > 0),
)
average.mistake(
    "Numbers below 0 do not count in your average. They are numbers too.",
    negative_skipped=lambda numbers: statistics.mean(number for number in numbers if number >= 0),
)
average.mistake(
    "You lose the sign of negative numbers. Add the numbers up as they are, without abs().",
    signs_lost=lambda numbers: sum(map(abs, numbers)) / len(numbers),
)
average.mistake(
    "The sign is lost. The average of negative numbers is negative: leave abs() out.",
    sign_of_the_result_lost=lambda numbers: abs(average(numbers)),
)
average.mistake(
    "That is the geometric mean: a product and a root. For the average, add the numbers up and divide.",
    geometric=lambda numbers: math.prod(numbers) ** (1 / len(numbers)),
)
average.mistake(
    "You multiply the numbers. Add them up.",
    product=lambda numbers: math.prod(numbers) / len(numbers),
)
average.mistake(
    "That is the root of the mean square. For the average, add the numbers up as they are and divide.",
    root_mean_square=lambda numbers: math.sqrt(sum(number**2 for number in numbers) / len(numbers)),
)
average.mistake(
    "You take the mean of the squares. Add the numbers up as they are.",
    squares=lambda numbers: sum(number**2 for number in numbers) / len(numbers),
)
average.mistake(
    "You take the root of the sum. Divide the sum by how many numbers there are.",
    root_of_the_sum=lambda numbers: sum(numbers) / math.sqrt(len(numbers)),
)
average.mistake(
    "torch takes the mean of floats only, and a list of whole numbers makes a tensor of integers. Say "
    "torch.tensor(numbers, dtype=torch.float64).",
    torch_of_integers=lambda numbers: torch.tensor(numbers).mean().item(),
)
average.mistake(
    "A list has no mean(): that is a method of tensors and arrays. Add up with sum(), count with len().",
    method_of_a_list=lambda numbers: numbers.mean(),
)
average.mistake(
    "A list cannot be divided by a number. Add its numbers up first: sum(numbers).",
    list_divided=lambda numbers: numbers / len(numbers),
)
average.mistake(
    "You return every number divided. Add them up: one number is asked for.",
    each_divided=lambda numbers: [number / len(numbers) for number in numbers],
)
average.mistake(
    "You return a list. One number is asked for: leave the brackets out.", in_a_list=lambda numbers: [average(numbers)]
)
average.mistake(
    "You return text. Return the number itself, without str() and quotation marks.",
    as_text=lambda numbers: str(average(numbers)),
)
average.mistake(
    "You always return 5, which fits the example only. Compute it from `numbers`.", always_five=lambda numbers: 5
)
average.mistake(
    "You always return 0. Does your code add the numbers to what it returns?", always_zero=lambda numbers: 0
)


@average.mistake(KEPT)
def kept_between_calls(numbers, seen=[]):  # noqa: B006 - this is the mistake
    seen.extend(numbers)
    return sum(seen) / len(seen)


average.hints("Add up all the numbers.", "sum(numbers) adds up, len(numbers) counts. Which is divided by which?")
