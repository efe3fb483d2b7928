"""What an answer leaves behind beside its result: gradients that flow through it, and whatever it changed on its way.

A training loop meets all of this, and no comparison of results shows it: a loss whose graph is cut, a model left in
evaluation mode, a Dropout whose p was set to 0, a gradient that the next backward() adds to, gradients switched off.
"""

import functools
import inspect
from dataclasses import dataclass, field

from bmcourse.exercises.compare import difference

WATCHED = 20  # calls of an answer in one case that are watched; a loop may make thousands


@dataclass
class Seen:
    """What calls of an answer have changed, as pairs of what and where, and whether one of them gave back None."""

    left: dict = field(default_factory=dict)
    nothing: bool = False
    calls: int = 0


def watched(answer, names):
    """`answer`, and a `Seen` that fills up as it is called with arguments of these names. A class is not watched."""
    seen = Seen()
    if isinstance(answer, type):
        return answer, seen

    @functools.wraps(answer)
    def call(*arguments, **named):
        seen.calls += 1
        if seen.calls > WATCHED:
            return answer(*arguments, **named)
        places = {**dict(zip(names, arguments, strict=False)), **named}
        before = _everything(places)
        try:
            result = answer(*arguments, **named)
        finally:
            seen.left.update(dict.fromkeys(_changes(before, _everything(places))))
            _gradients_on(before)
        seen.nothing |= result is None
        return result

    return call, seen


def received(exercise, case):
    """The arguments of each call of the reference that one case leads to, by name."""
    calls, names = [], list(inspect.signature(exercise.reference).parameters)

    @functools.wraps(exercise.reference)
    def call(*arguments, **named):
        calls.append({**dict(zip(names, arguments, strict=False)), **named})
        return exercise.reference(*arguments, **named)

    exercise.runner(call, *case) if exercise.runner else call(*case)
    return calls


def gradients(result, inputs):
    """What a fixed mixture of all numbers in `result` gives each tensor among `inputs` that wants a gradient, by name.

    None where nothing reaches it; {} where no input wants one or the result has no graph. Text where the way back
    fails.
    """
    import torch

    with torch._C.DisableTorchFunctionSubclass():  # a tensor of a student's own class is taken as the tensor it is
        leaves = {where: tensor for where, tensor in _tensors(inputs) if tensor.requires_grad and tensor.is_leaf}
        results = [t for _, t in _tensors({"": result}) if t.requires_grad and t.is_floating_point()]
        if not leaves or not results:
            return {}
        try:
            mixture = sum((tensor.double() * _weights(tensor)).sum() for tensor in results)
            found = torch.autograd.grad(mixture, list(leaves.values()), allow_unused=True)
        except RuntimeError as error:
            return str(error).partition("\n")[0]
    return dict(zip(leaves, found, strict=True))


def _weights(tensor):
    """Different for every element, so that no two errors cancel."""
    import torch

    return (1 + torch.arange(tensor.numel(), dtype=torch.float64).cos() / 2).reshape(tensor.shape)


def _everything(places):
    """All that an answer should leave as it was, by what and where."""
    import torch

    state = {("grad mode", ""): torch.is_grad_enabled()}
    for name, value in places.items():
        _add(state, name, value)
    return state


def _add(state, where, value):
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        _add_tensor(state, where, value)
    elif isinstance(value, torch.nn.Module):
        for name, module in value.named_modules():
            place = f"{where}.{name}".strip(".")
            state["training", place] = module.training
            state["settings", place] = module.extra_repr()
            state["hooks", place] = len(module._forward_hooks) + len(module._forward_pre_hooks)
        for name, tensor in [*value.named_parameters(), *value.named_buffers()]:
            state["value", f"{where}.{name}"] = tensor.detach().clone()
            state["requires_grad", f"{where}.{name}"] = tensor.requires_grad
    elif isinstance(value, np.ndarray):
        state["value", where] = value.copy()
    elif isinstance(value, (list, tuple)):
        state["value", where] = len(value)
        for number, item in enumerate(value):
            _add(state, f"{where}[{number}]", item)
    elif isinstance(value, dict):
        state["value", where] = tuple(map(str, value))
        for key, item in value.items():
            _add(state, f"{where}[{key!r}]", item)
    elif isinstance(value, (int, float, str, bool)):
        state["value", where] = value


def _add_tensor(state, where, tensor):
    state["value", where] = tensor.detach().clone()
    if tensor.is_leaf:
        state["requires_grad", where] = tensor.requires_grad
        state["grad", where] = None if tensor.grad is None else tensor.grad.detach().clone()


def _changes(before, after):
    """The pairs of what and where that are not as they were."""
    for key in {**before, **after}:
        try:
            changed = key not in before or key not in after or difference(after[key], before[key], 0.0)
        except TypeError:
            continue
        if changed:
            yield key[0], key[1].partition("[")[0].partition(".")[0]


def _gradients_on(before):
    import torch

    torch.set_grad_enabled(before["grad mode", ""])


def _tensors(value, where=""):
    """Every tensor in a result or among inputs, with its place; a model's are its parameters."""
    import torch

    if issubclass(type(value), torch.Tensor):
        yield where, value
    elif issubclass(type(value), torch.nn.Module):
        yield from ((f"{where}.{name}", parameter) for name, parameter in value.named_parameters())
    elif issubclass(type(value), (list, tuple)):
        for number, item in enumerate(value):
            yield from _tensors(item, f"{where}[{number}]")
    elif issubclass(type(value), dict):
        for key, item in value.items():
            yield from _tensors(item, f"{where}[{key!r}]" if where else str(key))
