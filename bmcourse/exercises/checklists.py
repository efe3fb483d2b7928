"""What the cases of an exercise must not forget, for each kind of argument: ties, zeros, a batch of one, both ends.

Most wrong answers that a check lets through are right on the inputs that come to mind, and fail on one of these.
"""

from bmcourse.exercises.outcomes import fresh_cases, parameter_names, seed
from bmcourse.exercises.traces import received


def _floats(values):
    return {
        "float64": any(str(value.dtype) == "torch.float64" for value in values),
        "not contiguous": any(not value.is_contiguous() for value in values) or all(v.ndim < 2 for v in values),
        "one in its first dimension": any(value.ndim and len(value) == 1 for value in values),
        "a zero": any((value == 0).any() for value in values),
        "the same number twice": any(value.numel() > value.unique().numel() for value in values),
        "a gradient is wanted": any(value.requires_grad for value in values),
    }


def _integers(values):
    return {
        "one in its first dimension": any(value.ndim and len(value) == 1 for value in values),
        "a zero": any((value == 0).any() for value in values),
        "the same number twice": any(value.numel() > value.unique().numel() for value in values),
    }


def _lists(values):
    return {
        "one item": any(len(value) == 1 for value in values),
        "the same item twice": any(
            repr(item) in map(repr, value[:i]) for value in values for i, item in enumerate(value)
        ),
    }


def _shares(values):
    return {"0": any(value == 0 for value in values), "1": any(value == 1 for value in values)}


def uncommon(*arguments):
    """The same arguments as some people bring them: float64, not contiguous, wanting a gradient."""
    import torch

    def turned(value):
        if not isinstance(value, torch.Tensor):
            return value
        value = value.detach().double() if value.is_floating_point() else value
        apart = torch.stack([value.movedim(0, -1)] * 2, -1)[..., 0].movedim(-1, 0) if value.ndim else value
        return apart.requires_grad_(value.is_floating_point())

    return tuple(map(turned, arguments))


def forgotten(exercise):
    """What no case of an exercise tries, as pairs of an argument and what is missing, but for what it excuses.

    An excuse is an entry of `untried`: `{"logits": {"a zero": "why that needs no case"}}`.
    """
    calls = []
    for case in fresh_cases(exercise):
        seed(1)
        calls += received(exercise, case)
    missing = []
    for name in parameter_names(exercise.reference):
        with_it = [call for call in calls if name in call]
        items = _checklist(name, [call[name] for call in with_it])
        if not any(_carries_a_gradient(exercise.reference, call, name) for call in with_it[:5]):
            items.pop("a gradient is wanted", None)
        excused = exercise.untried.get(name, {})
        missing += [(name, item) for item, tried in items.items() if not tried and item not in excused]
    return missing


def _checklist(name, values):
    """The checklist for the kind that all these values of one argument have; none for a mixture."""
    import torch

    kinds = {type(value) for value in values}
    if kinds == {torch.Tensor} and all(value.is_floating_point() for value in values):
        return _floats(values)
    if kinds == {torch.Tensor} and all(value.dtype == torch.int64 for value in values):
        return _integers(values)
    if kinds and kinds <= {list, tuple}:
        return _lists(values)
    if kinds and kinds <= {float, int} and float in kinds and name != "lr" and all(0 <= value <= 1 for value in values):
        return _shares(values)
    return {}


def _carries_a_gradient(reference, call, name):
    """Whether a gradient reaches this argument from what a function gives back."""
    import torch

    value = call[name]
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or isinstance(reference, type):
        return False
    try:
        result = reference(**{**call, name: value.detach().clone().requires_grad_()})
    except Exception:  # the reference changes it in place, or needs the state that the case has made
        return False
    return isinstance(result, torch.Tensor) and result.requires_grad
