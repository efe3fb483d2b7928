"""What the steps of an optimizer are tried with: torch's own step, parameters to move, and torch's errors in words."""

import contextlib

import torch
from torch.optim.sgd import sgd

from bmcourse.exercises.outcomes import Mistake

IN_GRAPH = (
    'torch says "a leaf Variable that requires grad is being used in an in-place operation". It keeps a record of all '
    "that happens to a parameter, for backward(). A change in place would make that record false. The step is not part "
    "of the model: put it under `with torch.no_grad():`."
)

UNUSED = (
    "A parameter that had no part in the loss has the gradient None, and nothing can be computed with None. Leave such "
    "a parameter as it is: `if p.grad is not None:`."
)

SHAPES = (
    "The shape of one parameter met the shape of another. Each parameter has its own gradient and its own state: use "
    "what belongs to the same place in each list (zip helps)."
)

TRUTH = (
    "`if p.grad:` asks whether a tensor is true, and torch cannot say that of several numbers. Ask whether there is a "
    "gradient at all: `if p.grad is not None:`."
)

LEFT_OFF = (
    "The step is right, but it leaves gradients switched off for the rest of the program: the next backward() fails. "
    "torch.set_grad_enabled(False) stays; `with torch.no_grad():` ends by itself."
)


@contextlib.contextmanager
def explained(none=None):
    """Turn the errors that a step is known for into words; `none` says why a gradient may be None here."""
    try:
        yield
    except (AttributeError, TypeError) as error:
        raise Mistake(none) if none and "NoneType" in str(error) else error from None
    except RuntimeError as error:
        words = {"leaf Variable": IN_GRAPH, "size of tensor": SHAPES, "broadcast": SHAPES, "Boolean value": TRUTH}
        known = next((words[part] for part in words if part in str(error)), None)
        raise Mistake(known) if known else error from None
    finally:
        on = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
    if not on:
        raise Mistake(LEFT_OFF)


def torch_sgd(parameters, gradients, velocities, lr, momentum=0.0):
    """One step of torch's own SGD."""
    settings = {"nesterov": False, "weight_decay": 0.0, "dampening": 0.0, "maximize": False, "foreach": False}
    parameters = [p.data for p in parameters]
    sgd(parameters, gradients, velocities, lr=lr, momentum=momentum, **settings)


def learnable(values):
    """A parameter of each value."""
    return [torch.nn.Parameter(value.clone()) for value in values]


def random_tensors(shapes):
    """A tensor of random numbers for each shape."""
    return [torch.randn(shape) for shape in shapes]
