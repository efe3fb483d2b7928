"""The exercise `masked_softmax` of lesson 03."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Softmax along the last dimension over the places that are `allowed` (True and False, same shape). The "
    "others get weight 0, and so does a row in which nothing is allowed. No NaN, not in the gradient either."
)
def masked_softmax(scores, allowed):
    lowest = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~allowed, lowest).softmax(dim=-1)
    return weights.masked_fill(~allowed, 0.0)


@masked_softmax.run
def value_and_gradient(answer, scores, allowed):
    """The weights, and the gradient that comes back to the scores from them."""
    leaf = scores.clone().requires_grad_()
    given = leaf * 1  # what came from a layer: a student may not change it, but gets no error for a leaf
    weights = answer(given, allowed)
    if not torch.equal(given, scores):
        raise Mistake("You changed `scores` itself: masked_fill_ and scores[...] = work in place. Write masked_fill.")
    if not isinstance(weights, torch.Tensor) or weights.shape != scores.shape or weights.isnan().any():
        return {"weights": weights, "gradient": None}
    if weights.requires_grad:
        (weights * torch.arange(1.0, scores.shape[-1] + 1)).sum().backward()
    return {"weights": weights, "gradient": leaf.grad}


def softmax_of_the_allowed(scores, allowed):
    """Every row by itself: softmax over the places that are allowed, zeros elsewhere."""
    rows = []
    for row, may in zip(scores.reshape(-1, scores.shape[-1]), allowed.reshape(-1, scores.shape[-1]), strict=True):
        rows.append(torch.zeros(len(row)).index_put((may,), row[may].softmax(dim=0)))
    return torch.stack(rows).view(scores.shape)


@masked_softmax.right
def masked_by_where(scores, allowed):
    nothing = ~allowed.any(dim=-1, keepdim=True)
    weights = torch.where(allowed | nothing, scores, -torch.inf).softmax(dim=-1)
    return torch.where(nothing, 0.0, weights)


@masked_softmax.right
def masked_by_a_product(scores, allowed):
    return F.softmax(scores.masked_fill(allowed.logical_not(), -1e9), dim=-1) * allowed


@masked_softmax.right
def masked_without_nan(scores, allowed):
    weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
    return weights.nan_to_num(0.0)  # right: masked_fill lets no gradient through where it filled


def _filled(value, dim=-1, then=lambda weights, allowed: weights):
    """A wrong masked softmax: softmax with `value` in the forbidden places, and something done to the weights."""
    return lambda scores, allowed: then(scores.masked_fill(~allowed, value).softmax(dim=dim), allowed)


def shared_out(weights, allowed, small=0.0):
    kept = weights * allowed
    return kept / (kept.sum(dim=-1, keepdim=True) + small)


@masked_softmax.mistake(
    "weights[~allowed] = 0 overwrites numbers that softmax needs for its gradient, so backward() fails. Write "
    "weights.masked_fill(~allowed, 0.0)."
)
def set_in_place(scores, allowed):
    weights = scores.masked_fill(~allowed, -1e9).softmax(dim=-1)
    weights[~allowed] = 0.0
    return weights


def masked_case(*shape):
    allowed = torch.rand(shape) < 0.6
    allowed[..., 0, :] = False
    return 3 * torch.randn(shape), allowed


@masked_softmax.cases
def cases():
    return [
        (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True, True, False])),
        (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[True, True], [False, False]])),
        (torch.tensor([[0.0, 1.0, 100.0], [-300.0, -301.0, 5.0]]), torch.tensor([[True, True, False]] * 2)),
        masked_case(4, 6),
        masked_case(2, 3, 5),
    ]


@masked_softmax.judge
def expected(scores, allowed):
    return value_and_gradient(softmax_of_the_allowed, scores, allowed)


masked_softmax.mistake(
    "You mask after the softmax, so the weights left no longer add up to 1. Mask the scores before it.",
    TODO_50=lambda scores, allowed: scores.softmax(dim=-1) * allowed,
)


masked_softmax.mistake(
    "You mask after the softmax and divide by what is left. That may be 0: a row with nothing allowed gives "
    "NaN. Mask the scores before the softmax.",
    TODO_51=lambda scores, allowed: shared_out(scores.softmax(dim=-1), allowed),
)


masked_softmax.mistake(
    "You mask after the softmax and share out what is left. Where a forbidden score is far above the others, "
    "nothing is left of them. Mask the scores before the softmax.",
    TODO_52=lambda scores, allowed: shared_out(scores.softmax(dim=-1), allowed, small=1e-9),
)


masked_softmax.mistake(
    "You set forbidden scores to 0, but exp(0) is 1: they still get weight. Set them to a very low number.",
    TODO_53=_filled(0.0),
)


masked_softmax.mistake(
    "A row in which nothing is allowed gets equal weights for all: its scores are all equally low. Set the "
    "forbidden weights to 0 after the softmax.",
    TODO_54=_filled(-1e9),
)


masked_softmax.mistake(
    "-100 is not low enough: the allowed scores may be lower still. Take the lowest number there is, "
    "torch.finfo(scores.dtype).min.",
    TODO_55=_filled(-100.0, then=torch.mul),
)


masked_softmax.mistake(
    "A row in which nothing is allowed is all -inf, and its softmax NaN: 0 / 0. Fill with a low finite number, "
    "and set the forbidden weights to 0 after the softmax.",
    TODO_56=_filled(-math.inf),
)


masked_softmax.mistake(
    "The weights are right, but the gradient is NaN: nan_to_num hides a NaN on the way forward only. Let none "
    "arise: fill with a low finite number, and add no -inf.",
    TODO_57=lambda scores, allowed: (scores + allowed.log()).softmax(dim=-1).nan_to_num(0.0),
)


masked_softmax.mistake(
    "You fill the allowed places with a low number: allowed is True where a position may look. Use ~allowed.",
    TODO_58=lambda scores, allowed: _filled(-math.inf)(scores, ~allowed),
)


masked_softmax.mistake(
    "Your softmax runs along the first dimension. The weights of a row must add up to 1: dim=-1.",
    TODO_59=_filled(-1e9, dim=0, then=torch.mul),
)


masked_softmax.mistake(
    "exp of a large score is inf, and inf / inf is NaN. softmax itself subtracts the largest score first: use it.",
    TODO_60=lambda scores, allowed: shared_out(scores.exp(), allowed, small=1e-30),
)


masked_softmax.mistake(
    "You changed `scores` itself: masked_fill_ and scores[...] = work in place. Write masked_fill.",
    TODO_61=lambda scores, allowed: scores.masked_fill_(~allowed, -1e9).softmax(dim=-1) * allowed,
)


masked_softmax.hints(
    "Before the softmax, give every forbidden score a value so low that its exp is 0.",
    "With -inf, a row in which nothing is allowed is NaN. torch.finfo(scores.dtype).min is low and finite.",
    "Such a row then has equal weights. Set all forbidden weights to 0 after the softmax, with masked_fill.",
)
