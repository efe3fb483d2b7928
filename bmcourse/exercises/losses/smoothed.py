"""The exercise `smoothed`: smoothed targets (Szegedy and others, Rethinking the Inception Architecture, 2016, section "
"7)."""

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


@smoothed.cases
def cases():
    return [
        (torch.tensor([0, 2]), 4, 0.2),
        (torch.randint(9, (5,)), 10, 0.1),
        (torch.tensor([1]), 2, 0.3),
        (torch.tensor([1, 0, 2]), 3, 0.0),
        (torch.tensor([1, 0]), 5, 1.0),
        (torch.tensor([2, 0, 2, 2, 1]), 3, 0.6),
    ]


@smoothed.judge
def slow_smoothed(targets, classes, epsilon):
    """Number by number, as the paper has it."""
    rows = [
        [(1 - epsilon) * (c == target) + epsilon * (1 / classes) for c in range(classes)] for target in targets.tolist()
    ]
    return torch.tensor(rows, dtype=torch.float32)


@smoothed.right
def by_filling(targets, classes, epsilon):
    result = torch.full((len(targets), classes), epsilon / classes)
    result[torch.arange(len(targets)), targets] += 1 - epsilon
    return result


@smoothed.right
def by_lerp(targets, classes, epsilon):
    return torch.eye(classes)[targets].lerp(torch.full((classes,), 1 / classes), epsilon)


@smoothed.right
def by_where(targets, classes, epsilon):
    rest = epsilon / classes
    return torch.where(torch.arange(classes) == targets.view(-1, 1), 1 - epsilon + rest, rest)


@smoothed.right
def by_scatter(targets, classes, epsilon):
    right = torch.full((len(targets), 1), 1 - epsilon + epsilon / classes)
    return torch.zeros(len(targets), classes).add(epsilon / classes).scatter_(1, targets.unsqueeze(1), right)


@smoothed.right
def row_by_row(targets, classes, epsilon):
    rows = []
    for target in targets.tolist():
        row = [epsilon / classes] * classes
        row[target] += 1 - epsilon
        rows.append(row)
    return torch.tensor(rows)


def right_and_rest(right, rest):
    """Smoothed targets with `right(e, C)` for the right class and `rest(e, C)` for the others."""

    def answer(targets, classes, epsilon):
        onehot = F.one_hot(targets, classes).float()
        return right(epsilon, classes) * onehot + rest(epsilon, classes) * (1 - onehot)

    return answer


SHARE, REST = "(1 - epsilon)", "epsilon / classes"

smoothed.mistake(
    "You spread epsilon over the wrong classes only, epsilon / (C - 1) each. Some texts do. Szegedy et al. and torch "
    "give epsilon / C to every class, the right one too.",
    wrong_classes_only=right_and_rest(lambda e, C: 1 - e, lambda e, C: e / (C - 1)),
)
smoothed.mistake(
    "The rows do not sum to 1: the right class gets its epsilon / C too, so it is 1 - epsilon + epsilon / C.",
    right_class_without_its_share=right_and_rest(lambda e, C: 1 - e, lambda e, C: e / C),
)
smoothed.mistake(
    "Every wrong class gets the whole epsilon, so the rows sum to more than 1. Spread it: epsilon / C each.",
    whole_epsilon_for_each=right_and_rest(lambda e, C: 1 - e, lambda e, C: e),
)
smoothed.mistake(
    "The right class keeps its full 1, so the rows sum to more than 1. It gives up epsilon, and gets back epsilon / C.",
    full_one=right_and_rest(lambda e, C: 1, lambda e, C: e / C),
)
smoothed.mistake(
    "The right class keeps its full 1, and the others share epsilon, so the rows sum to 1 + epsilon.",
    full_one_and_others_share=right_and_rest(lambda e, C: 1, lambda e, C: e / (C - 1)),
)
smoothed.mistake(
    "The rows sum to more than 1: C - 1 classes get epsilon / C each, so the right one gives up that much and not only "
    "one epsilon / C.",
    gives_up_one_share=right_and_rest(lambda e, C: 1 - e / C, lambda e, C: e / C),
)
smoothed.mistake(
    "You mix two rules: 1 - epsilon + epsilon / C for the right class, but epsilon / (C - 1) for the others. Every "
    "class gets the same epsilon / C.",
    two_rules=right_and_rest(lambda e, C: 1 - e + e / C, lambda e, C: e / (C - 1)),
)
smoothed.mistake(
    "You spread epsilon / (C - 1) over all classes, the right one too, so the rows sum to more than 1. There are C "
    "classes: epsilon / C.",
    shares_of_one_less=smoothed.changed(REST, "epsilon / (classes - 1)"),
)
smoothed.mistake(
    "You spread epsilon / (C + 1). There are C classes, numbered from 0 to C - 1: epsilon / C.",
    shares_of_one_more=smoothed.changed(REST, "epsilon / (classes + 1)"),
)
smoothed.mistake(
    "You divide by the number of examples. The share is spread over the classes: epsilon / C.",
    spread_over_examples=smoothed.changed(REST, "epsilon / len(targets)"),
)
smoothed.mistake(
    "You divide by the largest target plus 1. The number of classes is the argument `classes`.",
    spread_up_to_the_largest=smoothed.changed(REST, "epsilon / (targets.max() + 1)"),
)
smoothed.mistake(
    "The even share is 1 / C of epsilon, not 1 / C itself: epsilon is missing in it.",
    whole_even_share=smoothed.changed(REST, "1 / classes"),
)
smoothed.mistake(
    "The even share gets 1 - epsilon too. It gets epsilon: (1 - epsilon) * one-hot + epsilon / C.",
    same_share_for_both=smoothed.changed(f"{SHARE} * onehot + {REST}", "(1 - epsilon) * (onehot + 1 / classes)"),
)
smoothed.mistake(
    "The brackets reach too far: 1 - epsilon multiplies the even share too. It is (1 - epsilon) * one-hot, plus "
    "epsilon / C.",
    brackets_too_wide=smoothed.changed(f"{SHARE} * onehot + {REST}", "(1 - epsilon) * (onehot + epsilon / classes)"),
)
smoothed.mistake(
    "Brackets are missing: * comes before -, so you have 1 - epsilon * one-hot. Write (1 - epsilon) * one-hot.",
    brackets_missing=smoothed.changed(SHARE, "1 - epsilon"),
)
smoothed.mistake(
    "You subtract epsilon / C in place of adding it, so the wrong classes are below 0.",
    share_subtracted=smoothed.changed("+ epsilon", "- epsilon"),
)
smoothed.mistake(
    "You subtract the even share everywhere from one-hot rows. It is (1 - epsilon) * one-hot + epsilon / C.",
    subtracted_from_one_hot=smoothed.changed(f"{SHARE} * onehot + {REST}", "onehot - epsilon / classes"),
)
smoothed.mistake(
    "It is 1 - epsilon that the right class keeps, not 1 + epsilon.",
    plus_epsilon=smoothed.changed("1 - epsilon", "1 + epsilon"),
)
smoothed.mistake(
    "You compute with the class numbers themselves. Turn them into one-hot rows first: F.one_hot.",
    class_numbers=lambda targets, classes, epsilon: (1 - epsilon) * targets + epsilon / classes,
)
smoothed.mistake(
    "Those are one-hot rows: epsilon is not used.", one_hot_only=right_and_rest(lambda e, C: 1, lambda e, C: 0)
)
smoothed.mistake(
    "Those are one-hot rows of whole numbers: epsilon is not used.",
    one_hot_of_integers=lambda targets, classes, epsilon: F.one_hot(targets, classes),
)
smoothed.mistake(
    "Whole numbers cannot hold 0.025: your one-hot rows of integers round the shares away. Use .float() first.",
    written_into_integers=lambda targets, classes, epsilon: smoothed(targets, classes, epsilon).long(),
)
smoothed.mistake(
    "Your rows are even everywhere: the right class is lost. Add 1 - epsilon at the target.",
    even_only=right_and_rest(lambda e, C: e / C, lambda e, C: e / C),
)
smoothed.mistake(
    "Your rows are even with 1 / C everywhere: the right class is lost. It is (1 - epsilon) * one-hot + epsilon / C.",
    uniform=right_and_rest(lambda e, C: 1 / C, lambda e, C: 1 / C),
)
smoothed.mistake(
    "You took epsilon from the right class and gave it to nobody: the rows sum to 1 - epsilon. Add epsilon / C to "
    "every class.",
    given_to_nobody=smoothed.changed(f" + {REST}", ""),
)
smoothed.mistake(
    "Every class gets the whole epsilon on top, so the rows sum to more than 1. Spread it: epsilon / C each.",
    whole_epsilon_on_top=smoothed.changed(REST, "epsilon"),
)
smoothed.mistake(
    "You add epsilon / C to every class and take nothing from the right one: the rows sum to 1 + epsilon. Scale the "
    "one-hot rows by 1 - epsilon.",
    nothing_taken=smoothed.changed(f"{SHARE} * ", ""),
)
smoothed.mistake(
    "epsilon and 1 - epsilon are exchanged: the right class has the small share.",
    exchanged=lambda targets, classes, epsilon: smoothed(targets, classes, 1 - epsilon),
)
smoothed.mistake(
    "Right and wrong classes are exchanged: the target has the small share, all others the large one.",
    right_and_wrong_exchanged=right_and_rest(lambda e, C: e / C, lambda e, C: 1 - e + e / C),
)
smoothed.mistake(
    "The wrong classes share the rest by halves or at random. Each gets the same epsilon / C.",
    epsilon_halved=right_and_rest(lambda e, C: 1 - e / 2, lambda e, C: e / 2 / (C - 1)),
)
smoothed.mistake(
    "You always smooth by 0.1. Use the argument `epsilon`.",
    epsilon_of_a_tenth=lambda t, C, epsilon: smoothed(t, C, 0.1),
)
smoothed.mistake(
    "You took the softmax of the one-hot rows. Mix them: (1 - epsilon) * one-hot + epsilon / C.",
    softmax=lambda targets, classes, epsilon: F.one_hot(targets, classes).float().softmax(1),
)
smoothed.mistake(
    "You divide each row by its sum at the end, after giving epsilon / C on top of a full 1. Give the right class 1 - "
    "epsilon, and nothing is to be divided.",
    divided_by_the_sum=lambda targets, classes, epsilon: (
        (F.one_hot(targets, classes) + epsilon / classes) / (1 + epsilon)
    ),
)
smoothed.mistake(
    "one_hot was not told the number of classes, so it counts only up to the largest target. Give it `classes`.",
    one_hot_without_classes=smoothed.changed("F.one_hot(targets, classes)", "F.one_hot(targets)"),
)
smoothed.mistake(
    "Your rows are the classes. Each row must be one example: (N, C).",
    transposed=lambda targets, classes, epsilon: smoothed(targets, classes, epsilon).T,
)
smoothed.mistake(
    "You averaged the rows. Each example keeps its own: (N, C).",
    averaged=lambda targets, classes, epsilon: smoothed(targets, classes, epsilon).mean(0),
)
smoothed.mistake(
    "You return one row for the first example: your `return` may stand inside the loop. Return all of them: (N, C).",
    first_row=lambda targets, classes, epsilon: smoothed(targets, classes, epsilon)[0],
)
smoothed.mistake(
    "One long row came. The shape is (N, C): a row for each example.",
    one_long_row=lambda targets, classes, epsilon: smoothed(targets, classes, epsilon).flatten(),
)
smoothed.mistake(
    "You return only the shares of the right classes, (N,). Each row holds all classes: (N, C).",
    right_classes_only=lambda targets, classes, epsilon: torch.full((len(targets),), 1 - epsilon + epsilon / classes),
)
smoothed.mistake(
    "A list came. Return a tensor: torch.tensor(rows).",
    list_of_lists=lambda targets, classes, epsilon: smoothed(targets, classes, epsilon).tolist(),
)
smoothed.mistake(
    "[:, targets] writes into every row. Each row has its own target: [torch.arange(N), targets].",
    written_in_every_row=lambda targets, classes, epsilon: torch.full(
        (len(targets), classes), epsilon / classes
    ).index_fill(1, targets, 1 - epsilon + epsilon / classes),
)


smoothed.hints(
    "Each row is a probability distribution: what must it sum to? Check that first.",
    "Two distributions are mixed: the one-hot row with the share 1 - epsilon, the even one with the share epsilon.",
    "The even distribution is 1 / C for every class, the right one included. F.one_hot(targets, classes) helps.",
)
