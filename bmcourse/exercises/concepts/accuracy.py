"""The exercise `accuracy` of lesson 00."""

import statistics

import torch

from bmcourse.exercises.core import exercise


@exercise(prompt="The share of the answers that are right, from 0 to 1: answers[i] is right where it equals labels[i].")
def accuracy(answers, labels):
    return sum(answer == label for answer, label in zip(answers, labels, strict=True)) / len(labels)


@accuracy.right
def accuracy_by_hand(answers, labels):
    right = 0
    for i in range(len(answers)):
        if answers[i] == labels[i]:
            right += 1
    return right / len(answers)


@accuracy.cases
def cases():
    return [
        ([7, 2, 1, 0], [7, 2, 7, 0]),
        ([3], [3]),
        ([3], [8]),
        ([1, 2, 3, 4], [4, 3, 2, 1]),
        ([5, 5, 5], [5, 6, 5]),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, 3], [1, 3, 2, 3]),
    ]


@accuracy.judge
def expected(answers, labels):
    return (torch.tensor(answers) == torch.tensor(labels)).double().mean().item()


accuracy.right(lambda answers, labels: statistics.fmean(a == b for a, b in zip(answers, labels, strict=True)))


accuracy.right(lambda answers, labels: 1 - sum(a != b for a, b in zip(answers, labels, strict=True)) / len(labels))


accuracy.mistake(
    "You count the right answers. For the share, divide by how many answers there are.",
    TODO_6=lambda answers, labels: sum(a == b for a, b in zip(answers, labels, strict=True)),
)


accuracy.mistake("That is the share of wrong answers.", TODO_7=lambda answers, labels: 1 - accuracy(answers, labels))


accuracy.mistake(
    "Those are percent. Return a share from 0 to 1.", TODO_8=lambda answers, labels: 100 * accuracy(answers, labels)
)


accuracy.mistake(
    "You get 1 where all are right and 0 everywhere else. Compare place by place, not the lists as a whole, "
    "and divide with /: // throws away what is behind the point.",
    TODO_9=lambda answers, labels: float(answers == labels),
)


accuracy.mistake(
    "You ask whether an answer stands anywhere in the labels. It has to equal the label at its own place.",
    TODO_10=lambda answers, labels: sum(answer in labels for answer in answers) / len(labels),
)


accuracy.hints(
    "zip(answers, labels) gives them pair by pair.",
    "Count the pairs whose two halves are equal, and divide by how many there are.",
    "True counts as 1: sum(a == b for a, b in zip(answers, labels)).",
)
