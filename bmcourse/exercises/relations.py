"""The simplest relation between what came and what was expected: a factor, a sign, a root, transposed, the first row.

A relation is told only where it holds for every input.
"""

import math

from bmcourse.exercises.compare import difference

NEAR = 1e-4  # relative

# What came, made of what was expected; and the sentence that says so.
MADE = [
    (lambda right: -right, "has the wrong sign, everywhere."),
    (lambda right: 1 - right, "is 1 minus what was expected."),
    (lambda right: 1 / right, "is 1 divided by what was expected."),
    (lambda right: right**2, "is the square of what was expected."),
    (lambda right: right.sqrt(), "is the square root of what was expected."),
    (lambda right: right.exp(), "is exp() of what was expected: a logarithm is missing, or an exp() too many."),
    (lambda right: right.log(), "is the logarithm of what was expected: an exp() is missing, or a log() too many."),
    (lambda right: right.abs(), "has lost its signs: it is the absolute value of what was expected."),
    (lambda right: right.round(), "is rounded to whole numbers, and should not be."),
    (lambda right: right.floor(), "is rounded down to whole numbers, and should not be."),
    (lambda right: right.transpose(-2, -1), "is right but transposed: rows and columns are exchanged."),
    (lambda right: right.flip(0), "has its order reversed: the last comes first."),
    (lambda right: right.flip(-1), "has each row reversed: the last comes first."),
    (lambda right: right.roll(1, 0), "is shifted: each entry stands where the one after it should."),
    (lambda right: right.roll(-1, 0), "is shifted: each entry stands where the one before it should."),
    (lambda right: right.roll(1, -1), "is shifted in each row: an entry stands where the one after it should."),
    (lambda right: right.roll(-1, -1), "is shifted in each row: an entry stands where the one before it should."),
    (lambda right: right.unsqueeze(0), "has the right numbers, and a dimension of size 1 too many in front."),
    (lambda right: right.unsqueeze(-1), "has the right numbers, and a dimension of size 1 too many at the end."),
    (lambda right: right.unsqueeze(1), "has the right numbers, and a dimension of size 1 too many, dim 1."),
    (lambda right: right.squeeze(), "has the right numbers, but has lost its dimensions of size 1 (see keepdim)."),
    (lambda right: right.mean(), "is one number, the mean of those that were expected."),
    (lambda right: right.sum(), "is one number, the sum of those that were expected."),
    (lambda right: right.flatten(), "has the right numbers in one long row: its shape is lost."),
    (lambda right: right[0], "is only the first of what was expected."),
    (lambda right: right[:1], "is only the first of what was expected."),
    (lambda right: right[:-1], "lacks the last one; the others are right."),
    (lambda right: right[1:], "lacks the first one; the others are right."),
]

# What was expected, made of what came.
UNFINISHED = [
    (lambda came: came.mean(), "is right but for its last step: its mean was expected."),
    (lambda came: came.sum(), "is right but for its last step: its sum was expected."),
    (lambda came: came.mean(-1), "is right but for its last step: its mean along the last dimension was expected."),
    (lambda came: came.sum(-1), "is right but for its last step: its sum along the last dimension was expected."),
    (lambda came: came[:-1], "has one too many at its end; those before it are right."),
    (lambda came: came[1:], "has one too many at its beginning; those after it are right."),
]


def relation(inputs, got, expected):
    """What turns the expected results into those that came, as a sentence; "" where nothing simple does.

    `inputs` are the cases as dicts from a name to a value, `got` and `expected` the results of each, of which the
    first part that differs is looked at.
    """
    place = next((found for found in map(_first_difference, got, expected) if found is not None), None)
    if place is None:
        return ""
    came, right = list(_parts(got, place)), list(_parts(expected, place))
    if any(part is None for part in came + right) or any(map(_other_numbers, came, right)):
        return ""
    came, right = ([part.double() for part in parts] for parts in (came, right))
    found = (
        _an_input(inputs, came)
        or _opposite(came, right)
        or _first_that_holds(MADE, came, right)
        or _first_that_holds(UNFINISHED, right, came)
        or _multiple(inputs, came, right)
        or _offset(came, right)
        or _elsewhere(came, right)
    )
    return f"{_named(place)} {found}" if found else ""


def _named(place):
    """How a part is called: item 1 of 'losses' of the result."""
    names = [repr(step) if isinstance(step, str) else f"item {step}" for step in reversed(place)]
    return " of ".join([*names, "the result"])


def _first_difference(got, expected, place=()):
    """The place of the first part that differs, as a tuple of keys and numbers; None where all are equal."""
    if isinstance(expected, dict) and isinstance(got, dict) and got.keys() == expected.keys():
        steps = expected.keys()
    elif (
        isinstance(expected, (list, tuple))
        and isinstance(got, (list, tuple))
        and len(got) == len(expected)
        and _table(expected) is None  # a list of numbers is looked at as a whole
    ):
        steps = range(len(expected))
    else:
        return place if difference(got, expected, NEAR) else None
    found = (_first_difference(got[step], expected[step], (*place, step)) for step in steps)
    return next((deeper for deeper in found if deeper is not None), None)


def _parts(values, place):
    """That part of every value as a tensor; None where there is no such part or it holds no numbers."""
    for value in values:
        try:
            for step in place:
                value = value[step]
            yield _table(value)
        except (TypeError, KeyError, IndexError):
            yield None


def _table(value):
    import torch

    try:
        table = value.detach() if isinstance(value, torch.Tensor) else torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):  # text, None, rows of different lengths
        return None
    return None if table.is_complex() else table


def _other_numbers(came, right):
    """Whether one is a tensor of integers and the other of floats, which is a fault of its own."""
    return came.is_floating_point() != right.is_floating_point()


def _near(one, other):
    import torch

    return one.shape == other.shape and torch.allclose(one, other, rtol=NEAR, atol=1e-7, equal_nan=True)


def _first_that_holds(relations, made, source):
    """The sentence of the first relation that makes `made` of `source` on every input, with more than one number."""
    if sum(table.numel() for table in source) < 2:
        return ""
    for turn, sentence in relations:
        try:
            if all(_near(*pair) for pair in zip(made, map(turn, source), strict=True)):
                return sentence
        except (RuntimeError, IndexError):  # it fits no table of this shape
            continue
    return ""


def _an_input(inputs, came):
    for name in inputs[0]:
        tables = [_table(case.get(name)) for case in inputs]
        if any(table is None for table in tables):
            continue
        if all(_near(*pair) for pair in zip(came, (table.double() for table in tables), strict=True)) and any(
            table.numel() > 1 for table in tables
        ):
            return f"is the input `{name}` as it came."
    return ""


def _opposite(came, right):
    binary = all(((table == 0) | (table == 1)).all() for table in came + right)
    if binary and all(_near(one, 1 - other) for one, other in zip(came, right, strict=True)):
        return "is exactly the opposite of what was expected."
    return ""


def _multiple(inputs, came, right):
    used = [index for index, table in enumerate(right) if table.any()]
    factors = [_factor(came[index], right[index]) for index in used]
    if not factors or None in factors or 0 in factors or sum(right[index].numel() for index in used) < 2:
        return ""
    if _all_near(factors, [factors[0]] * len(factors)):
        return f"is {_simple(factors[0])} times what was expected, on every input."
    for what, counts, more, less in _counts([inputs[index] for index in used]):
        if _all_near(factors, counts):
            return f"is {counts[0]} times what was expected, and {what} is {counts[0]}: {more}"
        if all(counts) and _all_near(factors, [1 / count for count in counts]):
            return f"is 1/{counts[0]} of what was expected, and {what} is {counts[0]}: {less}"
    return ""


def _factor(came, right):
    """The one number that `right` was multiplied by; None where there is none."""
    if came.shape != right.shape or not (came.isfinite().all() and right.isfinite().all()):
        return None
    largest = right.abs().argmax()
    factor = (came.flatten()[largest] / right.flatten()[largest]).item()
    return factor if _near(came, right * factor) else None


def _all_near(numbers, others):
    return all(math.isclose(*pair, rel_tol=NEAR) for pair in zip(numbers, others, strict=True))


MEAN = "a sum in place of a mean?", "a mean in place of a sum?"
FACTOR = "one factor too many, or a division forgotten?", "a factor forgotten, or one division too many?"


def _counts(cases):
    """What can be counted in the inputs: what it is, the count in each case, and what a multiple and a part mean."""
    import torch

    for name in cases[0]:
        values = [case[name] for case in cases]
        if all(isinstance(value, torch.Tensor) and value.ndim for value in values):
            yield f"the number of elements of `{name}`", [value.numel() for value in values], *MEAN
            yield f"the length of `{name}`", [len(value) for value in values], *MEAN
            yield f"the last dimension of `{name}`", [value.shape[-1] for value in values], *MEAN
        elif all(isinstance(value, (list, tuple, str)) for value in values):
            yield f"the length of `{name}`", [len(value) for value in values], *MEAN
        elif all(type(value) in (int, float) for value in values):
            yield f"`{name}`", values, *FACTOR


def _offset(came, right):
    if any(one.shape != other.shape for one, other in zip(came, right, strict=True)):
        return ""
    offsets = [number for one, other in zip(came, right, strict=True) for number in (one - other).flatten().tolist()]
    if len(offsets) < 2 or not all(map(math.isfinite, offsets)) or not _all_near(offsets, offsets[:1] * len(offsets)):
        return ""
    return f"is too {'large' if offsets[0] > 0 else 'small'} by {_simple(abs(offsets[0]))}, on every input."


def _elsewhere(came, right):
    """Right numbers in wrong places, or a part of the places right."""
    pairs = list(zip(came, right, strict=True))
    if any(one.shape != other.shape or not one.ndim for one, other in pairs):
        return ""
    many = any(len(table.unique()) > 2 for table in right)
    if many and all(_near(one.flatten().sort().values, other.flatten().sort().values) for one, other in pairs):
        return "has the right numbers in the wrong places."
    if any(len(one) < 2 for one in came):
        return ""
    if all(_near(one[0], other[0]) and not _near(one[1:], other[1:]) for one, other in pairs):
        return "is right at its beginning (row or place 0) and wrong after it."
    if all(_near(one[-1], other[-1]) and not _near(one[:-1], other[:-1]) for one, other in pairs):
        return "is right at its end (the last row or place) and wrong before it."
    return ""


def _simple(number):
    """A number as people would say it: 2, 1/3, 0.693."""
    for bottom in range(1, 13):
        top = round(number * bottom)
        if top and math.isclose(top / bottom, number, rel_tol=NEAR):
            return f"{top}" if bottom == 1 else f"{top}/{bottom}"
    return f"{number:.4g}"
