"""What several exercises of lesson 05 have in common."""

import contextlib

import torch
from torch.optim.sgd import sgd

from bmcourse.exercises.outcomes import Mistake


def torch_sgd(parameters, gradients, velocities, lr, momentum=0.0):
    settings = {"nesterov": False, "weight_decay": 0.0, "dampening": 0.0, "maximize": False, "foreach": False}
    parameters = [p.data for p in parameters]
    sgd(parameters, gradients, velocities, lr=lr, momentum=momentum, **settings)


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


@contextlib.contextmanager
def explained(none=None):
    """Turn the errors that a step is known for into words; `none` says why a gradient may be None here."""
    try:
        yield
    except (AttributeError, TypeError) as error:
        raise Mistake(none) if none and "NoneType" in str(error) else error from None
    except RuntimeError as error:
        text = str(error)
        if "leaf Variable" in text:
            raise Mistake(IN_GRAPH) from None
        raise Mistake(SHAPES) if "size of tensor" in text or "broadcast" in text else error from None


def learnable(values):
    return [torch.nn.Parameter(value.clone()) for value in values]


def each(rule):
    """The answer that applies `rule(p, gradient, state, lr, ...)` to every parameter."""

    @torch.no_grad()
    def answer(parameters, states, lr, *settings):
        for p, state in zip(parameters, states, strict=True):
            rule(p, p.grad, state, lr, *settings)

    return answer


def random_tensors(shapes):
    return [torch.randn(shape) for shape in shapes]
