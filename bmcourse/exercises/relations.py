"""The simplest relation between what came and what was expected: a factor, a sign, a root, transposed, the first row.

A relation is told only where it holds for every input on which there is something to see.
"""

import math

from bmcourse.exercises.compare import difference

NEAR = 1e-4  # relative


def relation(inputs, got, expected):
    """What turns the expected results into those that came, as a sentence; "" where nothing simple does.

    `inputs` are the cases as dicts from a name to a value, `got` and `expected` the results of each, of which the
    first part that differs is looked at.
    """
    place = next(filter(None, map(_first_difference, got, expected)), None)
    if place is None:
        return ""
    triples = [
        (case, came, right)
        for case, came, right in zip(inputs, _parts(got, place), _parts(expected, place), strict=True)
        if came is not None and right is not None
    ]
    where = _named(place)
    for find in (_is_an_input, _other_shape, _opposite, _scaled, _moved, _transformed, _reordered, _first_only):
        if sentence := find(triples):
            return sentence.format(where=where)
    return ""


def _named(place):
    """How a part is called: `item 1 of 'losses' of the result`."""
    names = [repr(step) if isinstance(step, str) else f"item {step}" for step in reversed(place)]
    return " of ".join([*names, "the result"])


def _first_difference(got, expected, place=()):
    """The place of the first part that differs: a tuple of keys and numbers; None where all are equal."""
    if isinstance(expected, dict) and isinstance(got, dict) and got.keys() == expected.keys():
        steps = expected.keys()
    elif isinstance(expected, (list, tuple)) and isinstance(got, (list, tuple)) and len(got) == len(expected):
        steps = range(len(expected))
        if _table(expected) is not None:  # a list of numbers is looked at as a whole
            return place if difference(got, expected, NEAR) else None
    else:
        return place if difference(got, expected, NEAR) else None
    return next(filter(None, (_first_difference(got[step], expected[step], (*place, step)) for step in steps)), None)


def _parts(values, place):
    """That part of every value as a tensor of float64; None where there is no such part or it holds no numbers."""
    for value in values:
        try:
            for step in place:
                value = value[step]
            yield _table(value)
        except (TypeError, KeyError, IndexError):
            yield None


def _table(value):
    import numpy as np
    import torch

    if isinstance(value, (str, dict, type(None))):
        return None
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biuf":
        return None
    try:
        table = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        return None
    return None if table.is_complex() else table.double()


def _near(one, other):
    import torch

    return one.shape == other.shape and torch.allclose(one, other, rtol=NEAR, atol=1e-7, equal_nan=True)


def _hold(triples, turned):
    """Whether `turned(right)` is what came in all triples, and is another thing than what is right in one of them."""
    try:
        pairs = [(came, turned(right)) for _, came, right in triples]
    except (RuntimeError, IndexError, ValueError):
        return False
    return (
        bool(pairs)
        and all(_near(came, made) for came, made in pairs)
        and sum(right.numel() for _, _, right in triples) > 1
        and any(len(set(right.flatten().tolist())) > 1 or right.numel() == 1 for _, _, right in triples)
    )


def _is_an_input(triples):
    for name in triples[0][0] if triples else ():
        tables = [_table(case.get(name)) for case, _, _ in triples]
        same = all(
            table is not None and _near(came, table) for table, (_, came, _) in zip(tables, triples, strict=True)
        )
        if same and any(table.numel() > 1 for table in tables):
            return f"{{where}} is the input `{name}` as it came."
    return ""


def _other_shape(triples):
    if all(came.shape == right.shape for _, came, right in triples):
        return ""
    relations = [
        (lambda right: right.transpose(-2, -1), "{where} is right but transposed: rows and columns are exchanged."),
        (
            lambda right: right.unsqueeze(0),
            "{where} has the right numbers, and one dimension of size 1 too many, the first.",
        ),
        (
            lambda right: right.unsqueeze(-1),
            "{where} has the right numbers, and one dimension of size 1 too many, the last.",
        ),
        (
            lambda right: right.unsqueeze(1),
            "{where} has the right numbers, and one dimension of size 1 too many, dim 1.",
        ),
        (
            lambda right: right.squeeze(),
            "{where} has the right numbers, but dimensions of size 1 are lost: see keepdim and squeeze.",
        ),
        (
            lambda right: right.mean(),
            "{where} is one number, the mean of those that were expected: the last mean is one too many.",
        ),
        (
            lambda right: right.sum(),
            "{where} is one number, the sum of those that were expected: the last sum is one too many.",
        ),
        (lambda right: right.flatten(), "{where} has the right numbers in one long row: its shape is lost."),
        (lambda right: right[0], "{where} is right for the first one only, and lacks the rest."),
        (lambda right: right[:1], "{where} is right for the first one only, and lacks the rest."),
        (lambda right: right[:-1], "{where} lacks the last one; the others are right."),
        (lambda right: right[1:], "{where} lacks the first one; the others are right."),
    ]
    for turned, sentence in relations:
        if _hold(triples, turned):
            return sentence
    reduced = [
        (lambda came: came.mean(), "{where} is right before its last step: its mean is what was expected."),
        (lambda came: came.sum(), "{where} is right before its last step: its sum is what was expected."),
        (
            lambda came: came.mean(-1),
            "{where} is right before its last step: its mean along the last dimension was expected.",
        ),
        (
            lambda came: came.sum(-1),
            "{where} is right before its last step: its sum along the last dimension was expected.",
        ),
        (lambda came: came[:-1], "{where} has one too many at its end; those before it are right."),
        (lambda came: came[1:], "{where} has one too many at its beginning; those after it are right."),
    ]
    backwards = [(case, right, came) for case, came, right in triples]
    for turned, sentence in reduced:
        if _hold(backwards, turned):
            return sentence
    return ""


def _opposite(triples):
    binary = all(set(table.flatten().tolist()) <= {0.0, 1.0} for _, *pair in triples for table in pair)
    if binary and _hold(triples, lambda right: 1 - right):
        return "{where} is exactly the opposite of what was expected."
    if _hold(triples, lambda right: -right) and any(right.any() for _, _, right in triples):
        return "{where} has the wrong sign, everywhere."
    return ""


def _scaled(triples):
    factors = [_factor(came, right) for _, came, right in triples if came.shape == right.shape and right.any()]
    if not factors or len(factors) < len([right for _, _, right in triples if right.any()]) or None in factors:
        return ""
    if sum(right.numel() for _, _, right in triples) < 2:
        return ""
    if all(math.isclose(factor, factors[0], rel_tol=NEAR) for factor in factors):
        if factors[0] == 0 or math.isclose(factors[0], 1, rel_tol=NEAR):
            return ""
        return f"{{where}} is {_simple(factors[0])} times what was expected, on every input."
    cases = [case for case, _, right in triples if right.any()]
    for what, count in _counts(cases):
        for power, words in ((1, "times too large, where that is"), (-1, "times too small, where that is")):
            if all(math.isclose(factor, n**power, rel_tol=NEAR) for factor, n in zip(factors, count, strict=True)):
                first = count[0]
                kind = "a sum in place of a mean?" if power == 1 else "divided once too often?"
                return f"{{where}} is {first} {words} {what}: {kind}"
    return ""


def _factor(came, right):
    """The one number that `right` was multiplied by; None where there is none."""
    used = right.abs() > 1e-9
    if not used.any() or not came.isfinite().all() or not right.isfinite().all():
        return None
    factor = (came[used] / right[used]).median().item()
    return factor if _near(came, right * factor) else None


def _counts(cases):
    """What can be counted in the inputs: names, and the count in each case."""
    import torch

    tensors = [name for name, value in cases[0].items() if isinstance(value, torch.Tensor) and value.ndim]
    for name in tensors:
        if all(isinstance(case[name], torch.Tensor) and case[name].ndim for case in cases):
            yield f"the number of elements of `{name}`", [case[name].numel() for case in cases]
            yield f"the length of `{name}`", [len(case[name]) for case in cases]
            yield f"the size of the last dimension of `{name}`", [case[name].shape[-1] for case in cases]
    for name, value in cases[0].items():
        if isinstance(value, (list, tuple, str)):
            yield f"the length of `{name}`", [len(case[name]) for case in cases]
        elif type(value) in (int, float):
            yield f"`{name}`", [case[name] for case in cases]


def _moved(triples):
    if any(
        came.shape != right.shape or not came.isfinite().all() or not right.isfinite().all()
        for _, came, right in triples
    ):
        return ""
    offsets = [(came - right).flatten() for _, came, right in triples]
    all_offsets = [number for offset in offsets for number in offset.tolist()]
    if len(all_offsets) < 2 or abs(all_offsets[0]) < 1e-6:
        return ""
    size = max(max((right.abs().max().item() for _, _, right in triples if right.numel()), default=0), 1)
    if max(all_offsets) - min(all_offsets) > NEAR * size * 0.1:
        return ""
    word = "larger" if all_offsets[0] > 0 else "smaller"
    return f"{{where}} is {word} than expected by {_simple(abs(all_offsets[0]))}, on every input."


def _transformed(triples):
    relations = [
        (lambda right: 1 - right, "{where} is 1 minus what was expected, on every input."),
        (lambda right: 1 / right, "{where} is 1 divided by what was expected, on every input."),
        (lambda right: right**2, "{where} is the square of what was expected, on every input."),
        (lambda right: right.sqrt(), "{where} is the root of what was expected, on every input."),
        (
            lambda right: right.exp(),
            "{where} is exp() of what was expected, on every input: a logarithm is missing, or exp() is too many.",
        ),
        (
            lambda right: right.log(),
            "{where} is the logarithm of what was expected, on every input: exp() is missing, or log() is too many.",
        ),
        (lambda right: right.abs(), "{where} has lost its signs: it is the absolute value of what was expected."),
        (lambda right: right.round(), "{where} is rounded; the numbers behind the point were expected too."),
        (lambda right: right.floor(), "{where} is rounded down; the numbers behind the point were expected too."),
    ]
    finite = [triple for triple in triples if triple[2].isfinite().all()]
    return next((sentence for turned, sentence in relations if _hold(finite, turned)), "")


def _reordered(triples):
    if any(came.shape != right.shape or not came.ndim for _, came, right in triples):
        return ""
    relations = [
        (lambda right: right.flip(0), "{where} has its order reversed: the last comes first."),
        (lambda right: right.flip(-1), "{where} has each row reversed: the last comes first."),
        (lambda right: right.roll(1, 0), "{where} is shifted by one: each stands where the one after it should."),
        (lambda right: right.roll(-1, 0), "{where} is shifted by one: each stands where the one before it should."),
        (
            lambda right: right.roll(1, -1),
            "{where} is shifted by one along the last dimension: each stands where the one after it should.",
        ),
        (
            lambda right: right.roll(-1, -1),
            "{where} is shifted by one along the last dimension: each stands where the one before it should.",
        ),
        (lambda right: right.transpose(-2, -1), "{where} is right but transposed: rows and columns are exchanged."),
    ]
    for turned, sentence in relations:
        if _hold(triples, turned):
            return sentence
    many = any(len(set(right.flatten().tolist())) > 2 for _, _, right in triples)
    if many and all(_near(came.flatten().sort().values, right.flatten().sort().values) for _, came, right in triples):
        return "{where} has the right numbers in the wrong places."
    return ""


def _first_only(triples):
    if any(came.shape != right.shape or not came.ndim or len(came) < 2 for _, came, right in triples):
        return ""
    if all(_near(came[0], right[0]) and not _near(came[1:], right[1:]) for _, came, right in triples):
        return "{where} is right in its first row or place and wrong after it."
    if all(_near(came[-1], right[-1]) and not _near(came[:-1], right[:-1]) for _, came, right in triples):
        return "{where} is right in its last row or place and wrong before it."
    return ""


def _simple(number):
    """A number as people would say it: 2, 1/3, 0.693."""
    for bottom in range(1, 13):
        top = round(number * bottom)
        if top and math.isclose(top / bottom, number, rel_tol=NEAR):
            return f"{top}" if bottom == 1 else f"{top}/{bottom}"
    return f"{number:.4g}"
