"""Results as plain data (JSON) and back: nothing of the classes and methods that a student wrote travels with them."""

import base64
import math
import numbers

from bmcourse.exercises.compare import Foreign, short, snapshot


def packed(value):
    """The result as JSON; what is no result is only named and shown."""
    return _packed(snapshot(value))


def _packed(value):
    import numpy as np
    import torch

    kind = type(value)
    if value is None or kind in (bool, float, str):
        return ["plain", value]
    if kind is int:
        return ["int", hex(value)]  # of any length, which a decimal number is not
    if kind is complex:
        return ["complex", [value.real, value.imag]]
    if kind in (list, tuple):
        return [kind.__name__, [_packed(item) for item in value]]
    if kind is dict:
        return ["dict", [[packed(key), _packed(item)] for key, item in value.items()]]
    if kind is torch.Tensor:
        return _packed_tensor(value)
    if kind is np.ndarray and not value.dtype.hasobject:
        return ["array", [value.dtype.str, value.shape, base64.b64encode(value.tobytes()).decode()]]
    if issubclass(kind, (np.bool_, numbers.Number)):
        return _packed(_python_number(value))
    if kind is not Foreign:
        value = Foreign(f"of the type {kind.__name__}", _shown(value))
    return ["foreign", [value.kind, value.text]]


def _shown(value):
    try:
        return short(value)
    except Exception:  # it looks like a result and is none
        return type(value).__name__


def _python_number(value):
    """A number of NumPy's, a fraction or the like as one of Python's own."""
    import numpy as np

    if isinstance(value, (np.bool_, numbers.Integral)):
        return bool(value) if isinstance(value, np.bool_) else int(value)
    return float(value) if not isinstance(value, numbers.Complex) or isinstance(value, numbers.Real) else complex(value)


def _packed_tensor(tensor):
    import torch

    if tensor.is_meta:
        return [
            "foreign",
            ["a tensor on the device meta, which has no values", f"tensor of shape {tuple(tensor.shape)}"],
        ]
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().flatten().clone(memory_format=torch.contiguous_format)
    data = base64.b64encode(flat.view(torch.uint8).numpy().tobytes()).decode()
    return ["tensor", [str(tensor.dtype).removeprefix("torch."), list(tensor.shape), data, tensor.requires_grad]]


def unpacked(data):
    """The result that `packed` made this data of; raises an error of some kind where it did not."""
    kind, value = data
    return _READERS[kind](value)


def _unpacked_plain(value):
    assert value is None or type(value) in (bool, float, str)
    return value


def _unpacked_tensor(value):
    import torch

    dtype, shape, text, requires_grad = value
    data, dtype = bytearray(base64.b64decode(text)), getattr(torch, dtype)
    assert len(data) == math.prod(shape) * dtype.itemsize
    flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return flat.reshape(shape).requires_grad_(requires_grad)


def _unpacked_array(value):
    import numpy as np

    dtype, shape, text = value
    return np.frombuffer(bytearray(base64.b64decode(text)), dtype).reshape(shape)


_READERS = {
    "plain": _unpacked_plain,
    "int": lambda value: int(value, 16),
    "complex": lambda value: complex(*value),
    "list": lambda value: [unpacked(item) for item in value],
    "tuple": lambda value: tuple(unpacked(item) for item in value),
    "dict": lambda value: {unpacked(key): unpacked(item) for key, item in value},
    "tensor": _unpacked_tensor,
    "array": _unpacked_array,
    "foreign": lambda value: Foreign(*map(str, value)),
}
