"""Softmax over the places that are allowed, without NaN on the way forward or back."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
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


@masked_softmax.cases
def cases():
    def drawn(*shape):
        allowed = torch.rand(shape) < 0.6
        allowed[..., 0, :] = False
        return 3 * torch.randn(shape), allowed

    turned, allowed = drawn(2, 3, 5)
    tied = torch.tensor([[1000.0, 1000.0, -1000.0, 0.0]]), torch.tensor([[True, True, False, True]])
    return [
        (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True, True, False])),
        (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[True, True], [False, False]])),
        (
            torch.tensor([[0.0, 1.0, 100.0], [-300.0, -301.0, 5.0], [-3e4, -30001.0, 5.0]]),
            torch.tensor([[True, True, False]] * 3),
        ),
        drawn(4, 6),
        (turned.mT.contiguous().mT, allowed),
        uncommon(*tied),
    ]


@masked_softmax.run
def value_and_gradient(answer, scores, allowed):
    """The weights, and the gradient that comes back to the scores from them."""
    leaf = scores.detach().clone().requires_grad_()
    given = leaf * 1  # what came from a layer: a student may not change it, but gets no error for a leaf
    weights = answer(given, allowed)
    plain = scores.detach().clone()
    answer(plain, allowed)
    if not (torch.equal(given, scores) and torch.equal(plain, scores)):
        raise Mistake("You changed `scores` itself: masked_fill_ and scores[...] = work in place. Write masked_fill.")
    if not isinstance(weights, torch.Tensor) or weights.shape != scores.shape or weights.isnan().any():
        return {"weights": weights, "gradient": None}
    if weights.requires_grad:
        (weights * torch.arange(1.0, scores.shape[-1] + 1)).sum().backward()
    return {"weights": weights, "gradient": leaf.grad}


def row_by_row(scores, allowed):
    """Every row by itself: softmax over the places that are allowed, zeros elsewhere."""
    rows = []
    for row, may in zip(scores.reshape(-1, scores.shape[-1]), allowed.reshape(-1, scores.shape[-1]), strict=True):
        rows.append(row.new_zeros(len(row)).index_put((may,), row[may].softmax(dim=0)))
    return torch.stack(rows).view(scores.shape)


@masked_softmax.judge
def expected(scores, allowed):
    return value_and_gradient(row_by_row, scores, allowed)


masked_softmax.right(row_by_row)


@masked_softmax.right
def by_where(scores, allowed):
    nothing = ~allowed.any(dim=-1, keepdim=True)
    weights = torch.where(allowed | nothing, scores, -torch.inf).softmax(dim=-1)
    return torch.where(nothing, 0.0, weights)


@masked_softmax.right
def by_a_product(scores, allowed):
    return F.softmax(scores.masked_fill(allowed.logical_not(), -1e9), dim=-1) * allowed


@masked_softmax.right
def without_nan(scores, allowed):
    weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
    return weights.nan_to_num(0.0)  # right: masked_fill lets no gradient through where it filled


@masked_softmax.right
def by_exponentials(scores, allowed):
    filled = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    parts = (filled - filled.amax(dim=-1, keepdim=True)).exp() * allowed
    return parts / parts.sum(dim=-1, keepdim=True).clamp_min(1e-30)


def filled(value, dim=-1, then=lambda weights, allowed: weights):
    """A wrong masked softmax: softmax with `value` in the forbidden places, and something done to the weights."""
    return lambda scores, allowed: then(scores.masked_fill(~allowed, value).softmax(dim=dim), allowed)


def after(change):
    """The right weights, changed by `change(weights, allowed)`."""
    return lambda scores, allowed: change(masked_softmax(scores, allowed), allowed)


def shared_out(weights, allowed, small=0.0):
    kept = weights * allowed
    return kept / (kept.sum(dim=-1, keepdim=True) + small)


masked_softmax.mistake(
    "You mask after the softmax, so the weights left no longer add up to 1. Mask the scores before it.",
    masked_after=lambda scores, allowed: scores.softmax(dim=-1) * allowed,
)
masked_softmax.mistake(
    "You mask after the softmax and divide by what is left. That may be 0: a row with nothing allowed gives "
    "NaN. Mask the scores before the softmax.",
    shared_out_by_zero=lambda scores, allowed: shared_out(scores.softmax(dim=-1), allowed),
)
masked_softmax.mistake(
    "You mask after the softmax and share out what is left. Where a forbidden score is far above the others, "
    "nothing is left of them. Mask the scores before the softmax.",
    shared_out_after=lambda scores, allowed: shared_out(scores.softmax(dim=-1), allowed, small=1e-9),
)
masked_softmax.mistake(
    "The mask plays no part: forbidden places get weight too. Give their scores a very low number before the softmax.",
    mask_unused=lambda scores, allowed: scores.softmax(dim=-1),
)
masked_softmax.mistake(
    "You set forbidden scores to 0, but exp(0) is 1: they still get weight. Set them to a very low number.",
    filled_with_zero=filled(0.0),
)
masked_softmax.mistake(
    "You set forbidden scores to 0 before the softmax and weights to 0 after it. exp(0) is 1: they take their share "
    "before they go. Set the scores to a very low number.",
    filled_with_zero_then_zeroed=filled(0.0, then=torch.mul),
)
masked_softmax.mistake(
    "-1 is not low: forbidden places still get weight. Take the lowest number, torch.finfo(scores.dtype).min.",
    filled_with_minus_one=filled(-1.0),
)
masked_softmax.mistake(
    "You fill with the largest number in place of the lowest, so forbidden places win. Mind the minus sign.",
    filled_with_a_high_number=filled(1e9),
)
masked_softmax.mistake(
    "The lowest of the scores is not low enough: exp of it is still something. Take torch.finfo(scores.dtype).min.",
    filled_with_the_lowest_score=lambda scores, allowed: (
        torch.where(allowed, scores, scores.min()).softmax(-1) * allowed
    ),
)
masked_softmax.mistake(
    "A row in which nothing is allowed gets equal weights for all: its scores are all equally low. Set the "
    "forbidden weights to 0 after the softmax.",
    empty_rows_uniform=filled(-1e9),
)
masked_softmax.mistake(
    "You add a large negative number. A row in which nothing is allowed then gets weights all the same, and a gradient "
    "too. Set the forbidden weights to 0 after the softmax.",
    added_not_filled=lambda scores, allowed: (scores + ~allowed * -1e9).softmax(dim=-1),
)
masked_softmax.mistake(
    "-100 is not low enough: the allowed scores may be lower still. Take the lowest number there is, "
    "torch.finfo(scores.dtype).min.",
    filled_with_minus_100=filled(-100.0, then=torch.mul),
)
masked_softmax.mistake(
    "-100 is not low enough where allowed scores are lower, and a row in which nothing is allowed gets weights. Fill "
    "with torch.finfo(scores.dtype).min, and set the forbidden weights to 0 after the softmax.",
    filled_with_minus_100_only=filled(-100.0),
)
masked_softmax.mistake(
    "A row in which nothing is allowed is all -inf, and its softmax NaN: 0 / 0. Fill with a low finite number, "
    "and set the forbidden weights to 0 after the softmax.",
    filled_with_inf=filled(-math.inf),
)
masked_softmax.mistake(
    "You multiply -inf by 0, and that is NaN, everywhere. Fill: scores.masked_fill(~allowed, ...).",
    zero_times_inf=lambda scores, allowed: (scores + ~allowed * -math.inf).softmax(dim=-1),
)
masked_softmax.mistake(
    "The weights are right, but the gradient is NaN: nan_to_num hides a NaN on the way forward only. Let none "
    "arise: fill with a low finite number, and add no -inf.",
    nan_hidden=lambda scores, allowed: (scores + allowed.log()).softmax(dim=-1).nan_to_num(0.0),
)


@masked_softmax.mistake(
    "where() hides the 0 / 0 of a row in which nothing is allowed on the way forward only: the gradient is NaN. Fill "
    "the scores with a low number, and let softmax divide."
)
def division_hidden(scores, allowed):
    parts = (scores - scores.amax(dim=-1, keepdim=True)).exp() * allowed
    return torch.where(allowed, parts / parts.sum(dim=-1, keepdim=True), 0.0)


masked_softmax.mistake(
    "You fill the allowed places with a low number: allowed is True where a position may look. Use ~allowed.",
    mask_turned=lambda scores, allowed: filled(-math.inf)(scores, ~allowed),
)
masked_softmax.mistake(
    "You fill the allowed places with a low number, so the forbidden ones get the weight. Use ~allowed.",
    mask_turned_finite=lambda scores, allowed: filled(-1e9)(scores, ~allowed),
)
masked_softmax.mistake(
    "Everything is the wrong way round: the forbidden places get the weights, and the allowed 0. Use ~allowed.",
    mask_turned_and_zeroed=lambda scores, allowed: masked_softmax(scores, ~allowed),
)
masked_softmax.mistake(
    "The low number goes to the allowed places, and the forbidden ones are set to 0: nothing is left. The low number "
    "belongs to ~allowed.",
    low_where_allowed=lambda scores, allowed: (scores - allowed * 1e30).softmax(dim=-1) * allowed,
)
masked_softmax.mistake(
    "Your softmax runs along the first dimension. The weights of a row must add up to 1: dim=-1.",
    first_dimension=filled(-1e9, dim=0, then=torch.mul),
)
masked_softmax.mistake(
    "Your softmax runs over the whole tensor. Each row has weights of its own, which add up to 1: dim=-1.",
    whole_tensor=lambda scores, allowed: (
        scores.masked_fill(~allowed, -1e9).flatten().softmax(dim=0).view_as(scores) * allowed
    ),
)
masked_softmax.mistake(
    "exp of a large score is inf, and inf / inf is NaN. softmax itself subtracts the largest score first: use it.",
    exp_overflows=lambda scores, allowed: shared_out(scores.exp(), allowed, small=1e-30),
)
masked_softmax.mistake(
    "exp of a large score is inf, also where it is allowed: inf / inf is NaN. Subtract the largest allowed score "
    "first, as softmax does.",
    exp_of_allowed_overflows=lambda scores, allowed: F.normalize(scores.exp().masked_fill(~allowed, 0.0), p=1, dim=-1),
)
masked_softmax.mistake(
    "You divide the scores by their sum. Weights come from exp(score): take softmax.",
    without_exp=lambda scores, allowed: shared_out(scores, allowed, small=1e-9),
)
masked_softmax.mistake(
    "You take a sigmoid: the weights of a row then do not add up to 1. Take softmax.",
    sigmoid=lambda scores, allowed: scores.sigmoid() * allowed,
)
masked_softmax.mistake(
    "You take log_softmax: those are logarithms of weights. Take softmax.",
    log_softmax=lambda scores, allowed: scores.masked_fill(~allowed, -1e9).log_softmax(dim=-1),
)
masked_softmax.mistake(
    "You take log_softmax: those are logarithms of weights, and negative. Take softmax, and then set those to 0.",
    log_softmax_zeroed=lambda scores, allowed: (
        scores.masked_fill(~allowed, -1e9).log_softmax(dim=-1).masked_fill(~allowed, 0.0)
    ),
)
masked_softmax.mistake(
    "You return the masked scores. The softmax is missing.",
    scores_only=lambda scores, allowed: scores.masked_fill(~allowed, torch.finfo(scores.dtype).min),
)
masked_softmax.mistake(
    "You return the masked scores, with -inf where it is forbidden. The softmax is missing, and -inf makes NaN of a "
    "row in which nothing is allowed.",
    scores_with_inf=lambda scores, allowed: scores.masked_fill(~allowed, -math.inf),
)
masked_softmax.mistake(
    "Where one row has nothing allowed, you set all rows to 0. Look at each row by itself: any(dim=-1, keepdim=True).",
    one_empty_row_empties_all=after(lambda weights, allowed: weights * allowed.any(dim=-1).all()),
)
masked_softmax.mistake(
    "Rows in which nothing is allowed are gone from your result. They stay, with weights of 0.",
    empty_rows_dropped=after(lambda weights, allowed: weights[allowed.any(dim=-1)]),
)
masked_softmax.mistake(
    "You return the weights of the allowed places in one long row. The shape stays that of `scores`, with 0 elsewhere.",
    allowed_only=after(lambda weights, allowed: weights[allowed]),
)
masked_softmax.mistake(
    "You pick the allowed scores of all rows, scores[allowed], and take one softmax of them. Each row has its own.",
    picked_together=lambda scores, allowed: scores[allowed].softmax(dim=0),
)
masked_softmax.mistake(
    "A row in which nothing is allowed gets all its weight on the first place. Its weights are all 0.",
    first_place_of_empty_rows=after(
        lambda weights, allowed: torch.where(allowed.any(-1, keepdim=True), weights, torch.eye(weights.shape[-1])[0])
    ),
)
masked_softmax.mistake(
    "The weights are right, but their graph is cut: the scores get no gradient. Leave out no_grad, .detach(), "
    ".data and torch.tensor(...).",
    graph_cut=after(lambda weights, allowed: weights.detach()),
)


@masked_softmax.mistake(
    "weights[~allowed] = 0 overwrites numbers that softmax needs for its gradient, so backward() fails. Write "
    "weights.masked_fill(~allowed, 0.0)."
)
def set_in_place(scores, allowed):
    weights = scores.masked_fill(~allowed, -1e9).softmax(dim=-1)
    weights[~allowed] = 0.0
    return weights


masked_softmax.mistake(
    "You changed `scores` itself: masked_fill_ and scores[...] = work in place. Write masked_fill.",
    scores_changed=lambda scores, allowed: scores.masked_fill_(~allowed, -1e9).softmax(dim=-1) * allowed,
)
masked_softmax.mistake(
    "-10000 is not low enough: the allowed scores may be lower still. Take the lowest number there is, "
    "torch.finfo(scores.dtype).min.",
    filled_with_minus_10000=filled(-1e4, then=torch.mul),
)
masked_softmax.mistake(
    "-10000 is not low enough where allowed scores are lower, and a row in which nothing is allowed gets weights. Fill "
    "with torch.finfo(scores.dtype).min, and set the forbidden weights to 0 after the softmax.",
    filled_with_minus_10000_only=filled(-1e4),
)
masked_softmax.mistake(
    "You divide exp by its sum, which is 0 in a row in which nothing is allowed, and inf for large scores. Fill with a "
    "low number and take softmax, then set the forbidden weights to 0.",
    exp_by_its_sum=lambda scores, allowed: shared_out(scores.exp(), allowed),
)
masked_softmax.mistake(
    "The low number goes to the allowed places, so after the softmax nothing is left for them. It belongs to ~allowed.",
    filled_where_allowed=lambda scores, allowed: scores.masked_fill(allowed, -1e9).softmax(dim=-1) * allowed,
)
masked_softmax.mistake(
    "1 - allowed does not work for True and False. ~allowed is the opposite.",
    one_minus_allowed=lambda scores, allowed: (scores + (1 - allowed) * -1e9).softmax(dim=-1),
)
masked_softmax.mistake(
    "dim=1 is not always the last dimension: scores may have one dimension, or three. Write dim=-1.",
    dimension_one=filled(-1e9, dim=1, then=torch.mul),
)
masked_softmax.mistake(
    "The weights of a row in which nothing is allowed are 0, and not 1. nan_to_num(0.0) would do it.",
    nan_made_one=lambda scores, allowed: filled(-math.inf)(scores, allowed).nan_to_num(1.0),
)
masked_softmax.mistake(
    "You weigh the scores: the weights are multiplied by them. Return the weights.",
    times_scores=lambda scores, allowed: masked_softmax(scores, allowed) * scores,
)
masked_softmax.mistake(
    "You return the scores with 0 at the forbidden places. The softmax is missing.",
    scores_zeroed=lambda scores, allowed: scores * allowed,
)
masked_softmax.mistake(
    "All allowed places get the same weight. It depends on their scores: softmax.",
    equal_weights=lambda scores, allowed: (scores * 0).masked_fill(~allowed, -1e9).softmax(dim=-1) * allowed,
)
masked_softmax.mistake(
    "You take softmax twice: weights of weights are nearly all alike. Once is enough.",
    softmax_twice=lambda scores, allowed: (
        scores.softmax(dim=-1).masked_fill(~allowed, -1e9).softmax(dim=-1).masked_fill(~allowed, 0.0)
    ),
)


masked_softmax.hints(
    "Before the softmax, give every forbidden score a value so low that its exp is 0.",
    "With -inf, a row in which nothing is allowed is NaN. torch.finfo(scores.dtype).min is low and finite.",
    "Such a row then has equal weights. Set all forbidden weights to 0 after the softmax, with masked_fill.",
)
