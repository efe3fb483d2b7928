"""The exercise `accuracy` of lesson 00: the share of right answers."""

import statistics
from collections import Counter

import torch

from bmcourse.exercises.concepts.twice import KEPT, asked_twice
from bmcourse.exercises.core import exercise


@exercise(prompt="The share of the answers that are right, from 0 to 1: answers[i] is right where it equals labels[i].")
def accuracy(answers, labels):
    return sum(answer == label for answer, label in zip(answers, labels, strict=True)) / len(labels)


@accuracy.cases
def cases():
    return [
        ([7, 2, 1, 0], [7, 2, 7, 0]),
        ([3], [3]),
        ([3], [8]),
        ([1, 2, 3, 4], [4, 3, 2, 1]),
        ([5, 5, 9], [5, 6, 5]),
        ([0, 4, 4, 4, 1, 1, 0], [0, 4, 4, 4, 1, 8, 0]),
        ([1000 + i for i in range(3)], [1000 + i for i in range(3)]),  # equal, and not the same objects
        ([2, 3, 3, 5, 4], [1, 3, 2, 5, 2]),
    ]


accuracy.run(asked_twice)


@accuracy.judge
def by_comparing_tensors(answers, labels):
    return (torch.tensor(answers) == torch.tensor(labels)).double().mean().item()


@accuracy.right
def counted(answers, labels):
    right = 0
    for i in range(len(answers)):
        if answers[i] == labels[i]:
            right += 1
    return right / len(answers)


@accuracy.right
def by_torch(answers, labels):
    return torch.eq(torch.tensor(answers), torch.tensor(labels)).float().mean().item()


accuracy.right(lambda answers, labels: statistics.fmean(a == b for a, b in zip(answers, labels, strict=True)))
accuracy.right(lambda answers, labels: 1 - sum(a != b for a, b in zip(answers, labels, strict=True)) / len(labels))
accuracy.right(lambda answers, labels: len([i for i, a in enumerate(answers) if labels[i] == a]) / len(answers))


def hits(answers, labels):
    """True or False, pair by pair."""
    return [a == b for a, b in zip(answers, labels, strict=True)]


def share(condition):
    """A wrong accuracy: the share of the pairs for which `condition(answer, label)` holds."""
    return lambda answers, labels: sum(map(bool, map(condition, answers, labels))) / len(labels)


def of_hits(measure):
    """A wrong accuracy: `measure(hits)`."""
    return lambda answers, labels: measure(hits(answers, labels))


accuracy.mistake(
    "You count the right answers. For the share, divide by how many answers there are.", count=of_hits(sum)
)
accuracy.mistake(
    "You count the wrong answers. The share of the right ones is asked for: == and not !=, and divide.",
    count_of_wrong=of_hits(lambda h: len(h) - sum(h)),
)
accuracy.mistake("That is the share of wrong answers.", wrong_ones=share(lambda a, b: a != b))
accuracy.mistake("Those are percent. Return a share from 0 to 1.", percent=of_hits(lambda h: 100 * sum(h) / len(h)))
accuracy.mistake(
    "That is how many answers there are. Count only those that equal their label, and divide.", how_many=of_hits(len)
)
accuracy.mistake(
    "You get 1 where all are right and 0 everywhere else. Compare place by place, not the lists as a whole, "
    "and divide with /: // throws away what is behind the point.",
    all_or_nothing=lambda answers, labels: float(answers == labels),
)
accuracy.mistake(
    "That is True where all are right. Compare place by place, count the right ones, and divide.",
    are_all_right=of_hits(all),
)
accuracy.mistake("That is True where one answer is right. Count the right ones, and divide.", is_one_right=of_hits(any))
accuracy.mistake(
    "You return True or False for each answer. Count the True, and divide by how many there are.", list_of_hits=hits
)
accuracy.mistake(
    "You round to one place behind the point. Return the share as it is.",
    rounded_to_one_place=of_hits(lambda h: round(sum(h) / len(h), 1)),
)
accuracy.mistake(
    "You round to two places behind the point. Return the share as it is.",
    rounded_to_two_places=of_hits(lambda h: round(sum(h) / len(h), 2)),
)
accuracy.mistake(
    "You round to 0 or 1. The share lies between them: leave round() out.",
    rounded=of_hits(lambda h: round(sum(h) / len(h))),
)
accuracy.mistake(
    "You divide by one too few. All answers count: len(labels).", one_too_few=of_hits(lambda h: sum(h) / (len(h) - 1))
)
accuracy.mistake(
    "You divide by one too many. Divide by len(labels).", one_too_many=of_hits(lambda h: sum(h) / (len(h) + 1))
)
accuracy.mistake(
    "You divide by 4, always. That fits the example only: divide by len(labels).",
    always_by_four=of_hits(lambda h: sum(h) / 4),
)
accuracy.mistake(
    "You divide by 10, always. Divide by how many answers there are: len(labels).",
    always_by_ten=of_hits(lambda h: sum(h) / 10),
)
accuracy.mistake(
    "You divide by 100. Divide by how many answers there are: len(labels).",
    always_by_hundred=of_hits(lambda h: sum(h) / 100),
)
accuracy.mistake(
    "You divide by answers and labels together. They are pairs: len(labels) is enough.",
    by_both=of_hits(lambda h: sum(h) / (2 * len(h))),
)
accuracy.mistake(
    "You divide the wrong way round. The number of right answers is divided by that of all.",
    upside_down=of_hits(lambda h: len(h) / sum(h)),
)
accuracy.mistake(
    "You divide right answers by wrong ones. Divide by all: a share of 1 means that all are right.",
    right_by_wrong=of_hits(lambda h: sum(h) / (len(h) - sum(h))),
)
accuracy.mistake(
    "You subtract a point for each wrong answer. A wrong answer counts 0, and not -1.",
    minus_one_for_wrong=of_hits(lambda h: (2 * sum(h) - len(h)) / len(h)),
)
accuracy.mistake(
    "You always return 0.75, which fits the example only. Compute it from `answers` and `labels`.",
    always_three_quarters=lambda answers, labels: 0.75,
)
accuracy.mistake(
    "You always return 0. Does your count go up where an answer equals its label?",
    always_zero=lambda answers, labels: 0.0,
)
accuracy.mistake(
    "You compare a list with itself, so all are right. Compare answers[i] with labels[i].",
    with_itself=lambda answers, labels: 1.0,
)
accuracy.mistake(
    "The last pair is not compared. range(len(answers)) ends by itself before len(answers): do not subtract 1.",
    last_left_out=of_hits(lambda h: sum(h[:-1]) / len(h)),
)
accuracy.mistake(
    "The first pair is not compared. Counting begins with 0: answers[0] is the first.",
    first_left_out=of_hits(lambda h: sum(h[1:]) / len(h)),
)
accuracy.mistake(
    "You compare the first pair only. Does your `return` stand inside the loop? Put it below, without the indent.",
    first_only=of_hits(lambda h: h[0] / len(h)),
)
accuracy.mistake(
    "Only the last pair counts. Each round writes over the one before: add, with +=.",
    last_only=of_hits(lambda h: h[-1] / len(h)),
)
accuracy.mistake(
    "Your count begins with 1. Let it begin with 0: nothing was right yet.",
    begins_with_one=of_hits(lambda h: (1 + sum(h)) / len(h)),
)
accuracy.mistake(
    "You stop at the first wrong answer. Those after it count too: go through all pairs.",
    stops_at_the_first_wrong=of_hits(lambda h: [*h, False].index(False) / len(h)),
)
accuracy.mistake(
    "An answer of 0 counts as none. 0 is an answer like any other: `if answer` is false for it. Compare with == only.",
    zero_is_no_answer=share(lambda a, b: a and a == b),
)
accuracy.mistake(
    "You ask whether both are something other than 0. An answer is right where it equals its label: ==.",
    both_not_zero=share(lambda a, b: a and b),
)
accuracy.mistake(
    "`is` asks whether two names mean the same object, which holds for small numbers by chance. Use ==.",
    identity=share(lambda a, b: a is b),
)
accuracy.mistake(
    "You count answers that are larger than their label as right. Only equal ones are: ==.",
    at_least=share(lambda a, b: a >= b),
)
accuracy.mistake(
    "You count answers that are smaller than their label as right. Only equal ones are: ==.",
    at_most=share(lambda a, b: a <= b),
)
accuracy.mistake(
    "You count answers that miss their label by 1 as right. Digits have no near: only equal ones count.",
    nearly=share(lambda a, b: abs(a - b) <= 1),
)
accuracy.mistake(
    "You measure how far the answers are from the labels. A wrong answer is wrong, however far: count with ==.",
    one_minus_distance=lambda answers, labels: 1 - distance(answers, labels),
)
accuracy.mistake(
    "You measure how far the answers are from the labels, down to 0. A wrong answer is wrong, however far: count "
    "with ==.",
    distance_down_to_zero=lambda answers, labels: max(0.0, 1 - distance(answers, labels)),
)
accuracy.mistake(
    "That is the mean distance from the labels. Count those that are equal: ==.",
    mean_distance=lambda answers, labels: distance(answers, labels),
)
accuracy.mistake(
    "You add up the right answers themselves. Each counts 1, whichever digit it is.",
    sum_of_right_answers=lambda answers, labels: (
        sum(a for a, b in zip(answers, labels, strict=True) if a == b) / len(labels)
    ),
)
accuracy.mistake(
    "You divide the sum of the answers by that of the labels. Compare pair by pair, and count.",
    sum_by_sum=lambda answers, labels: sum(answers) / sum(labels),
)
accuracy.mistake(
    "You ask whether an answer stands anywhere in the labels. It has to equal the label at its own place.",
    anywhere=lambda answers, labels: sum(answer in labels for answer in answers) / len(labels),
)
accuracy.mistake(
    "You ask whether a label stands anywhere in the answers. It has to equal the answer at its own place.",
    label_anywhere=lambda answers, labels: sum(label in answers for label in labels) / len(labels),
)
accuracy.mistake(
    "You compare every answer with every label: two loops, one in the other. Compare the two at the same place: "
    "zip(answers, labels).",
    every_pair=lambda answers, labels: sum(a == b for a in answers for b in labels) / len(labels),
)
accuracy.mistake(
    "You compare every answer with every label, and divide by all these pairs. Compare the two at the same place only.",
    every_pair_of_all=lambda answers, labels: sum(a == b for a in answers for b in labels) / len(labels) ** 2,
)
accuracy.mistake(
    "You compare sets, which have no order and hold each number once. Compare the lists place by place.",
    sets=lambda answers, labels: len({*answers} & {*labels}) / len(labels),
)
accuracy.mistake(
    "You compare sets, and divide by what they hold together. Compare the lists place by place.",
    sets_by_union=lambda answers, labels: len({*answers} & {*labels}) / len({*answers} | {*labels}),
)
accuracy.mistake(
    "You sort before you compare, so the answers belong to other pictures. Leave the order as it is.",
    sorted_first=lambda answers, labels: accuracy(sorted(answers), sorted(labels)),
)
accuracy.mistake(
    "You compare how often each number comes. Compare place by place.",
    how_often=lambda answers, labels: sum((Counter(answers) & Counter(labels)).values()) / len(labels),
)
accuracy.mistake(
    "You compare each answer with the label of the place before. Take the same place: labels[i].",
    one_place_before=lambda answers, labels: accuracy(answers, labels[-1:] + labels[:-1]),
)
accuracy.mistake(
    "You compare with the labels from the end. Take the same place: labels[i].",
    from_the_end=lambda answers, labels: accuracy(answers, labels[::-1]),
)
accuracy.mistake(
    "You divide by how many different labels there are. Divide by how many answers there are.",
    by_different_labels=lambda answers, labels: sum(hits(answers, labels)) / len({*labels}),
)
accuracy.mistake(
    "You take the accuracy of each digit by itself, and the mean of these. Here every answer counts the same, "
    "however often its digit comes.",
    mean_over_digits=lambda answers, labels: statistics.fmean(
        statistics.fmean(a == b for a, b in zip(answers, labels, strict=True) if b == digit) for digit in {*labels}
    ),
)
accuracy.mistake(
    "torch takes the mean of floats only, and a comparison gives True and False. Turn them into numbers first: "
    ".float().mean().",
    mean_of_true_and_false=lambda answers, labels: (torch.tensor(answers) == torch.tensor(labels)).mean().item(),
)
accuracy.mistake(
    "answers == labels compares the two lists as a whole, and gives one True or False, which has no mean(). Compare "
    "place by place, in a loop.",
    mean_of_one_comparison=lambda answers, labels: (answers == labels).mean(),
)
accuracy.mistake(
    "answers == labels compares the two lists as a whole, and gives one True or False, which cannot be added up. "
    "Compare place by place, in a loop.",
    sum_of_one_comparison=lambda answers, labels: sum(answers == labels) / len(labels),
)
accuracy.mistake(
    "Lists cannot be subtracted. Compare their items pair by pair: zip(answers, labels).",
    lists_subtracted=lambda answers, labels: answers - labels,
)
accuracy.mistake(
    "You return text. Return the number itself.", as_text=lambda answers, labels: str(accuracy(answers, labels))
)


def distance(answers, labels):
    return sum(abs(a - b) for a, b in zip(answers, labels, strict=True)) / len(labels)


accuracy.mistake(
    "Those are percent, and of wrong answers. Return the share of right ones, from 0 to 1.",
    percent_of_wrong=of_hits(lambda h: 100 * (len(h) - sum(h)) / len(h)),
)
accuracy.mistake(
    "Your count is 1 at most: = 1 sets it, and += 1 adds to it.", count_set_to_one=of_hits(lambda h: any(h) / len(h))
)
accuracy.mistake(
    "You take the answers for places: `for i in answers` gives the answers. Use range(len(answers)), or zip.",
    answers_as_places=lambda answers, labels: sum(answers[i] == labels[i] for i in answers) / len(answers),
)


@accuracy.mistake(KEPT)
def kept_between_calls(answers, labels, seen=[]):  # noqa: B006 - this is the mistake
    seen.extend(hits(answers, labels))
    return sum(seen) / len(seen)


accuracy.hints(
    "zip(answers, labels) gives them pair by pair.",
    "Count the pairs whose two halves are equal, and divide by how many there are.",
    "True counts as 1: sum(a == b for a, b in zip(answers, labels)).",
)
