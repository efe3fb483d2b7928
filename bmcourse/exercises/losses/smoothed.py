"""The exercise `smoothed` of lesson 04."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Smoothed targets (N, C) for class numbers (N,): each row is 1 - epsilon of its one-hot row, and the share "
    "epsilon spread evenly over all `classes`."
)
def smoothed(targets, classes, epsilon):
    onehot = F.one_hot(targets, classes).float()
    return (1 - epsilon) * onehot + epsilon / classes


@smoothed.right
def smoothed_by_filling(targets, classes, epsilon):
    result = torch.full((len(targets), classes), epsilon / classes)
    result[torch.arange(len(targets)), targets] += 1 - epsilon
    return result


@smoothed.right
def smoothed_by_lerp(targets, classes, epsilon):
    return torch.eye(classes)[targets].lerp(torch.full((classes,), 1 / classes), epsilon)


@smoothed.right
def smoothed_by_where(targets, classes, epsilon):
    rest = epsilon / classes
    return torch.where(torch.arange(classes) == targets.view(-1, 1), 1 - epsilon + rest, rest)


@smoothed.judge
def slow_smoothed(targets, classes, epsilon):
    """Number by number, as the paper has it."""
    rows = [
        [(1 - epsilon) * (c == target) + epsilon * (1 / classes) for c in range(classes)] for target in targets.tolist()
    ]
    return torch.tensor(rows, dtype=torch.float32)


def right_and_rest(right, rest):
    """Smoothed targets with `right(eps, C)` for the right class and `rest(eps, C)` for the others."""

    def answer(targets, classes, epsilon):
        onehot = F.one_hot(targets, classes).float()
        return right(epsilon, classes) * onehot + rest(epsilon, classes) * (1 - onehot)

    return answer


@smoothed.cases
def cases():
    return [
        (torch.tensor([0, 2]), 4, 0.2),
        (torch.randint(9, (5,)), 10, 0.1),
        (torch.tensor([1]), 2, 0.3),
        (torch.tensor([1, 0, 2]), 3, 0.0),
        (torch.tensor([1, 0]), 5, 1.0),
    ]


smoothed.mistake(
    "You spread epsilon over the wrong classes only, epsilon / (C - 1) each. Some texts do. Szegedy et al. and "
    "torch give epsilon / C to every class, the right one too.",
    TODO_108=right_and_rest(lambda e, C: 1 - e, lambda e, C: e / (C - 1)),
)


smoothed.mistake(
    "The rows do not sum to 1: the right class gets its epsilon / C too, so it is 1 - epsilon + epsilon / C.",
    TODO_109=right_and_rest(lambda e, C: 1 - e, lambda e, C: e / C),
)


smoothed.mistake(
    "Every wrong class gets the whole epsilon, so the rows sum to more than 1. Spread it: epsilon / C each.",
    TODO_110=right_and_rest(lambda e, C: 1 - e, lambda e, C: e),
)


smoothed.mistake(
    "The right class keeps its full 1, so the rows sum to more than 1. It gives up epsilon, and gets back epsilon / C.",
    TODO_111=right_and_rest(lambda e, C: 1, lambda e, C: e / C),
)


smoothed.mistake(
    "The right class keeps its full 1, and the others share epsilon, so the rows sum to 1 + epsilon.",
    TODO_112=right_and_rest(lambda e, C: 1, lambda e, C: e / (C - 1)),
)


smoothed.mistake(
    "The rows sum to more than 1: C - 1 classes get epsilon / C each, so the right one gives up that much and "
    "not only one epsilon / C.",
    TODO_113=right_and_rest(lambda e, C: 1 - e / C, lambda e, C: e / C),
)


smoothed.mistake(
    "You mix two rules: 1 - epsilon + epsilon / C for the right class, but epsilon / (C - 1) for the others. "
    "Every class gets the same epsilon / C.",
    TODO_114=right_and_rest(lambda e, C: 1 - e + e / C, lambda e, C: e / (C - 1)),
)


smoothed.mistake(
    "You compute with the class numbers themselves. Turn them into one-hot rows first: F.one_hot.",
    TODO_115=lambda targets, classes, epsilon: (1 - epsilon) * targets + epsilon / classes,
)


smoothed.mistake(
    "Those are one-hot rows: epsilon is not used.", TODO_116=right_and_rest(lambda e, C: 1, lambda e, C: 0)
)


smoothed.mistake(
    "You took epsilon from the right class and gave it to nobody: the rows sum to 1 - epsilon. Add epsilon / "
    "C to every class.",
    TODO_117=right_and_rest(lambda e, C: 1 - e, lambda e, C: 0),
)


smoothed.mistake(
    "Every class gets the whole epsilon on top, so the rows sum to more than 1. Spread it: epsilon / C each.",
    TODO_118=lambda targets, classes, epsilon: (1 - epsilon) * F.one_hot(targets, classes) + epsilon,
)


smoothed.mistake(
    "You add epsilon / C to every class and take nothing from the right one: the rows sum to 1 + epsilon. "
    "Scale the one-hot rows by 1 - epsilon.",
    TODO_119=lambda targets, classes, epsilon: F.one_hot(targets, classes) + epsilon / classes,
)


smoothed.mistake(
    "epsilon and 1 - epsilon are exchanged: the right class has the small share.",
    TODO_120=lambda targets, classes, epsilon: epsilon * F.one_hot(targets, classes) + (1 - epsilon) / classes,
)


smoothed.mistake(
    "one_hot was not told the number of classes, so it counts only up to the largest target. Give it `classes`.",
    TODO_121=lambda targets, classes, epsilon: (1 - epsilon) * F.one_hot(targets) + epsilon / classes,
)


smoothed.mistake(
    "Your rows are the classes. Each row must be one example: (N, C).",
    TODO_122=lambda targets, classes, epsilon: ((1 - epsilon) * F.one_hot(targets, classes) + epsilon / classes).T,
)


smoothed.hints(
    "Each row is a probability distribution: what must it sum to? Check that first.",
    "Two distributions are mixed: the one-hot row with the share 1 - epsilon, the even one with the share epsilon.",
    "The even distribution is 1 / C for every class, the right one included. F.one_hot(targets, classes) helps.",
)
