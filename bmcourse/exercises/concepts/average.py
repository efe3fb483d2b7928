"""The exercise `average` of lesson 00."""

import statistics

import torch

from bmcourse.exercises.core import exercise


@exercise(prompt="The average of a list of numbers.")
def average(numbers):
    return sum(numbers) / len(numbers)


@average.right
def average_by_hand(numbers):
    total = count = 0
    for number in numbers:
        total, count = total + number, count + 1
    return total / count


@average.cases
def cases():
    return [([2, 4, 9],), ([7],), ([1, 2],), ([-3, 0, 0, 1],), ([0.5, 0.25],), ([1, 1, 1, 10],)]


@average.judge
def expected(numbers):
    return statistics.fmean(numbers)


average.right(lambda numbers: torch.tensor(numbers, dtype=torch.float64).mean())


average.right(lambda numbers: sum(number / len(numbers) for number in numbers))


average.mistake("That is the sum. Divide it by how many numbers there are.", sum=sum)


average.mistake(
    "// divides and throws away what is behind the point. Divide with /.",
    TODO_1=lambda numbers: sum(numbers) // len(numbers),
)


average.mistake("That is the median: the number in the middle. Here every number counts.", TODO_2=statistics.median)


average.mistake(
    "You use the smallest and the largest only. Here every number counts.",
    TODO_3=lambda numbers: (min(numbers) + max(numbers)) / 2,
)


average.mistake(
    "You always divide by 2. Divide by how many numbers there are.", TODO_4=lambda numbers: sum(numbers) / 2
)


average.mistake(
    "You divide by one too few, and by nothing where there is one number. Divide by len(numbers).",
    TODO_5=lambda numbers: sum(numbers) / (len(numbers) - 1),
)


average.hints("Add up all the numbers.", "sum(numbers) adds up, len(numbers) counts. Which is divided by which?")
