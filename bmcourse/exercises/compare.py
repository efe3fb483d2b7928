"""Compare two results, say in one sentence what differs, and write values short enough to read.

A result is a number, True or False, text, None, a tensor, a NumPy array, or a list, tuple or dict of these.
"""

import numbers
import re
from dataclasses import dataclass

SHOWN = 12  # elements of a tensor or items of a list that are written out


@dataclass(frozen=True)
class Foreign:
    """What an answer gave back that is no result: what it is, as in "the result is ...", and how it is shown."""

    kind: str
    text: str


def difference(got, expected, tolerance, where="the result"):
    """What is wrong with `got`, as a sentence about `where`; "" where it equals `expected` within `tolerance`.

    Types, shapes and kinds of number first, values last. A list equals a tuple, and a tensor that holds one number and
    no graph passes for that number. Raises `TypeError` where `expected` is no result that can be compared.
    """
    return _difference(snapshot(got), expected, tolerance, where)


def snapshot(value):
    """A copy of a result that later steps cannot change; a tensor keeps `requires_grad`.

    What was made of a class derived from int, str, list, torch.Tensor and so on is copied as the plain thing it is: it
    compares with others as that, and not by methods of its own.
    """
    import numpy as np
    import torch

    kind = type(value)
    if issubclass(kind, torch.Tensor):
        with torch._C.DisableTorchFunctionSubclass():
            dense = value.detach() if value.layout is torch.strided else value.detach().to_dense()
            return dense.as_subclass(torch.Tensor).clone().requires_grad_(value.requires_grad)
    if issubclass(kind, np.ndarray):
        return np.array(value, subok=False)
    if issubclass(kind, (list, tuple)):
        base = list if issubclass(kind, list) else tuple
        return base(snapshot(item) for item in base.__iter__(value))
    if issubclass(kind, dict):
        return {key: snapshot(item) for key, item in dict.items(value)}
    for base in (str, int, float, complex):
        if issubclass(kind, base) and kind not in (base, bool) and not issubclass(kind, np.generic):
            return base.__str__(value) if base is str else base.__add__(value, base())
    return value


def detached(value):
    """The result without its graph, and what holds one number as that number."""
    if isinstance(value, dict):
        return {key: detached(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(detached, value))
    return _one_number(value.detach()) if hasattr(value, "detach") else value


def _difference(got, expected, tolerance, where):
    if isinstance(expected, Foreign):  # two wrong answers are compared
        return "" if isinstance(got, Foreign) and got.kind == expected.kind else f"{where} is wrong."
    kind = _kind(expected)
    if kind == "":
        raise TypeError(f"An exercise cannot compare a {type(expected).__name__}: let `run` return numbers or tensors.")
    if kind in ("a number", "True or False"):
        got = _one_number(got)
    if _kind(got) != kind:
        return _wrong_kind(got, kind, where)
    if kind in ("a tensor", "a NumPy array"):
        return _compare_tensors(got, expected, tolerance, where)
    if kind == "a number":
        return "" if _close(got, expected, tolerance) else f"{where} is wrong."
    if kind == "a list or tuple":
        return _compare_items(got, expected, tolerance, where)
    if kind == "a dict":
        return _compare_dicts(got, expected, tolerance, where)
    return "" if got == expected else f"{where} is wrong."


def _kind(value):
    import numpy as np
    import torch

    if value is None:
        return "None"
    kinds = {
        "True or False": (bool, np.bool_),
        "a number": numbers.Number,
        "text": str,
        "a tensor": torch.Tensor,
        "a NumPy array": np.ndarray,
        "a list or tuple": (list, tuple),
        "a dict": dict,
    }
    return next((name for name, types in kinds.items() if issubclass(type(value), types)), "")  # it may lie of itself


def _one_number(value):
    """The plain number in a tensor or array that holds just one and no graph; anything else as it is."""
    if _kind(value) not in ("a tensor", "a NumPy array") or getattr(value, "requires_grad", False):
        return value
    return value.item() if tuple(value.shape) == () else value


def _wrong_kind(got, kind, where):
    if got is None:
        return f"{where} is None, but {kind} was expected. Is the `return` missing?"
    came = _kind(got) or (got.kind if isinstance(got, Foreign) else f"of the type {type(got).__name__}")
    advice = {
        ("a number", "a tensor"): " `.item()` and `float()` make a plain number of a tensor: leave them out.",
        ("a tensor", "a number"): " `.item()` makes a plain number of a tensor with one element.",
    }
    return f"{where} is {came}, but {kind} was expected.{advice.get((came, kind), '')}"


def _close(got, expected, tolerance):
    """Equal within `tolerance`, absolute below 1 and relative above; NaN equals NaN."""
    if got != got or expected != expected:
        return got != got and expected != expected
    return got == expected or abs(got - expected) <= tolerance * max(1.0, abs(expected)) < float("inf")


def _compare_tensors(got, expected, tolerance, where):
    import torch

    if tuple(got.shape) != tuple(expected.shape):
        return f"{where} has the shape {tuple(got.shape)}, but {tuple(expected.shape)} was expected."
    graph_lost = getattr(expected, "requires_grad", False) and not got.requires_grad
    got, expected = torch.as_tensor(got).detach(), torch.as_tensor(expected).detach()
    if _family(got) != _family(expected):
        return f"{where} holds {_family(got)}, but {_family(expected)} were expected."
    if not (got.is_floating_point() or got.is_complex()):
        wrong = got != expected
    else:
        got = got.to(expected.dtype)
        new_nan = got.isnan() & ~expected.isnan()
        if new_nan.any():
            return f"{where} is NaN (not a number){_share(new_nan)}."
        wrong = ~torch.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if graph_lost:
        return f"{where} has lost its gradient: `.detach()`, `.item()`, `torch.tensor(...)` or `no_grad` cut it off."
    return f"{where} is wrong{_share(wrong)}{_distance(got, expected)}." if wrong.any() else ""


def _family(tensor):
    import torch

    if tensor.dtype == torch.bool:
        return "True and False"
    return "complex numbers" if tensor.is_complex() else "floats" if tensor.is_floating_point() else "integers"


def _share(wrong):
    return f" in {int(wrong.sum())} of {wrong.numel()} places" if wrong.numel() > 1 else ""


def _distance(got, expected):
    """How far apart two float tensors are, for the case that both are written alike."""
    if not got.is_floating_point():
        return ""
    furthest = (got - expected).abs().nan_to_num(0.0, 0.0).max().item()
    return f", by up to {furthest:.2g}" if furthest else ""


def _compare_items(got, expected, tolerance, where):
    if len(got) != len(expected):
        return f"{where} has {len(got)} items, but {len(expected)} were expected."
    sentences = (
        _difference(*pair, tolerance, f"item {index} of {where}")
        for index, pair in enumerate(zip(got, expected, strict=True))
    )
    return next(filter(None, sentences), "")


def _compare_dicts(got, expected, tolerance, where):
    if got.keys() != expected.keys():
        return f"{where} has the keys {short(list(got))}, but {short(list(expected))} were expected."
    sentences = (_difference(got[key], expected[key], tolerance, f"{key!r} of {where}") for key in expected)
    return next(filter(None, sentences), "")


def apart(got, expected, tolerance):
    """Where two results of one shape that are written alike first differ, with all digits; "" where one sees it."""
    kinds = {_kind(got), _kind(expected)}
    if isinstance(expected, dict) and isinstance(got, dict) and got.keys() == expected.keys():
        found = (apart(got[key], expected[key], tolerance) for key in expected)
        return next(filter(None, found), "")
    if kinds == {"a list or tuple"} and len(got) == len(expected):
        return next(filter(None, (apart(*pair, tolerance) for pair in zip(got, expected, strict=True))), "")
    if not difference(got, expected, tolerance) or short(got) != short(expected):
        return ""
    if kinds == {"a number"}:
        return f"{got!r} came, {expected!r} was expected"
    if len(kinds) == 1 and kinds <= {"a tensor", "a NumPy array"} and tuple(got.shape) == tuple(expected.shape):
        return _first_place(got, expected, tolerance)
    return ""


def _first_place(got, expected, tolerance):
    import torch

    got, expected = torch.as_tensor(got).detach().double(), torch.as_tensor(expected).detach().double()
    wrong = ~torch.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not wrong.any():
        return ""
    place = wrong.nonzero()[0].tolist()
    return f"first at {place}: {got[tuple(place)].item():.7g} came, {expected[tuple(place)].item():.7g} was expected"


def short(value):
    """The value in one line: a few numbers of a tensor, no addresses."""
    kind = _kind(value)
    if kind in ("a tensor", "a NumPy array"):
        return _short_tensor(value, "tensor" if kind == "a tensor" else "array")
    if kind == "a list or tuple":
        brackets = ("[", "]") if isinstance(value, list) else ("(", ",)") if len(value) == 1 else ("(", ")")
        return _listed([short(item) for item in value[:SHOWN]], len(value), *brackets)
    if kind == "a dict":
        pairs = [f"{key!r}: {short(item)}" for key, item in list(value.items())[:SHOWN]]
        return _listed(pairs, len(value), "{", "}")
    if isinstance(value, Foreign):
        return value.text
    if isinstance(value, float):
        return f"{value:.6g}"
    if callable(value):  # a model, a function, a class
        return getattr(value, "__name__", type(value).__name__)
    try:
        return clipped(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value)), 200)
    except Exception:  # an object of the student's own may fail to be written
        return type(value).__name__


def clipped(text, length):
    """The first `length` characters of the text, with … for the rest."""
    return text if len(text) <= length else f"{text[:length]}…"


def _short_tensor(tensor, name):
    """Small ones with their nesting, big ones as shape and first numbers."""
    if getattr(tensor, "is_meta", False):
        return f"tensor of shape {tuple(tensor.shape)} without values"
    size = tensor.numel() if name == "tensor" else tensor.size
    if size <= SHOWN:
        return f"{name}({_nested(tensor.tolist())})"
    first = tensor.reshape(-1)[:4].tolist()
    return f"{name} of shape {tuple(tensor.shape)}: {', '.join(map(_number, first))}, …"


def _nested(value):
    if isinstance(value, list):
        return f"[{', '.join(_nested(item) for item in value)}]"
    return _number(value)


def _number(value):
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}".rstrip("0") if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"


def _listed(items, count, opening, closing):
    return opening + ", ".join(items + ["…"] * (count > len(items))) + closing
