"""Integrated gradients of one input, along the straight line from a baseline (lesson 12)."""

import torch
from torch import nn

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.networks import classifier
from bmcourse.exercises.explain.results import without_graph

NO_GRADIENT = {"a gradient is wanted": "inputs are data; the usual .grad of points on a path from them must exist"}


@exercise(
    prompt="Integrated gradients for one input x: walk from `baseline` to x on the straight line, in `steps` equal "
    "pieces. Take the gradient in the middle of each piece, average over the pieces, and multiply by how far each "
    "feature moved. baseline and the result have the shape of x. model takes a batch (S, ...) and gives one output "
    "for each, (S,).",
    untried={"x": NO_GRADIENT, "baseline": NO_GRADIENT},
)
def integrate_path(model, x, baseline, steps):
    shares = (torch.arange(steps) + 0.5) / steps
    shares = shares.view(-1, *[1] * x.ndim)
    points = (baseline + shares * (x - baseline)).requires_grad_()
    gradients = torch.autograd.grad(model(points).sum(), points)[0]
    return (x - baseline) * gradients.mean(dim=0)


def first_times_second(x):
    return x[:, 0] * x[:, 1]


def sum_of_cubes(x):
    return (x**3).flatten(1).sum(dim=1)


@integrate_path.cases
def paths():
    x, baseline = uncommon(torch.tensor([[1.0, 0.0, -2.0, 1.0]]), torch.tensor([[1.0, -1.0, 0.5, 0.0]]))
    return [
        (first_times_second, torch.tensor([2.0, 3.0]), torch.tensor([0.0, 1.0]), 2),
        (sum_of_cubes, torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, -1.0]), 4),
        (nn.Sequential(classifier(5, 1), nn.Flatten(0)), 2 * torch.randn(5), torch.randn(5), 7),
        (nn.Sequential(classifier(12, 1), nn.Flatten(0)), 3 * torch.randn(3, 4), torch.zeros(3, 4), 10),
        (nn.Sequential(classifier(4, 1), nn.Flatten(0)).double(), x.detach(), baseline.detach(), 1),
    ]


integrate_path.run(without_graph)


@integrate_path.judge
def step_by_step(model, x, baseline, steps):
    total = torch.zeros_like(x)
    for step in range(steps):
        point = baseline + (step + 0.5) / steps * (x - baseline)
        total += torch.autograd.functional.jacobian(lambda one: model(one[None])[0], point)
    return total * (x - baseline) / steps


@integrate_path.right
def by_lerp(model, x, baseline, steps):
    points = [torch.lerp(baseline, x, (2 * step + 1) / (2 * steps)) for step in range(steps)]
    points = torch.stack(points).requires_grad_(True)
    model(points).sum().backward()
    return (points.grad * (x - baseline)).sum(dim=0) / steps


@integrate_path.right
def by_linspace(model, x, baseline, steps):
    ends = torch.linspace(0.0, 1.0, steps + 1)
    middles = (ends[1:] + ends[:-1]) / 2
    points = torch.stack([(1 - middle) * baseline + middle * x for middle in middles])
    points.requires_grad_()
    return torch.autograd.grad(model(points).mean(), points)[0].sum(0) * (x - baseline)


@integrate_path.right
def by_einsum(model, x, baseline, steps):
    way = x - baseline
    shares = torch.arange(1, 2 * steps, 2).to(x) / (2 * steps)
    points = baseline + torch.einsum("s,...->s...", shares, way)
    points.requires_grad_()
    (gradients,) = torch.autograd.grad(model(points), points, torch.full((steps,), 1 / steps).to(x))
    return torch.einsum("s...,...->...", gradients, way)


@integrate_path.right
def one_point_after_the_other(model, x, baseline, steps):
    piece, total = (x - baseline) / steps, 0
    for step in range(steps):
        point = (baseline + (step + 0.5) * piece)[None].detach().requires_grad_()
        total = total + torch.autograd.grad(model(point)[0], point)[0][0]
    return piece * total


@integrate_path.right
def by_vmap(model, x, baseline, steps):
    def gradient_at(share):
        return torch.func.grad(lambda point: model(point[None])[0])(baseline + share * (x - baseline))

    return (x - baseline) * torch.func.vmap(gradient_at)((torch.arange(steps).to(x) + 0.5) / steps).mean(0)


def _way(x, baseline, gradients, points):
    return (x - baseline) * gradients.mean(dim=0)


def _middles(steps):
    return (torch.arange(steps) + 0.5) / steps


def along(shares=_middles, combine=_way, start=lambda x, baseline: baseline, way=lambda x, baseline: x - baseline):
    """A wrong integral: gradients at `start + share * way`, made one by `combine(x, baseline, gradients, points)`."""

    def answer(model, x, baseline, steps):
        parts = shares(steps).view(-1, *[1] * x.ndim)
        points = (start(x, baseline) + parts * way(x, baseline)).requires_grad_()
        gradients = torch.autograd.grad(model(points).sum(), points)[0]
        return combine(x, baseline, gradients, points.detach())

    return answer


def zero(x, baseline):
    return torch.zeros_like(x)


# The places where the gradient is taken.


integrate_path.mistake(
    "You take the gradient where each piece begins: the baseline counts, x itself never does. The middle of a "
    "piece is at (k + 0.5) / steps, and its error is far smaller.",
    beginnings=along(lambda steps: torch.arange(steps) / steps),
)


integrate_path.mistake(
    "You take the gradient where each piece ends: x counts, the baseline never does. The middle of a piece is "
    "at (k + 0.5) / steps, and its error is far smaller.",
    ends_of_pieces=along(lambda steps: (torch.arange(steps) + 1) / steps),
)


integrate_path.mistake(
    "linspace(0, 1, steps) puts points on both ends, so the ends count as much as a whole piece. The middles "
    "of the pieces are at (k + 0.5) / steps.",
    linspace_of_steps=along(lambda steps: torch.linspace(0, 1, steps)),
)


integrate_path.mistake(
    "k / (steps - 1) puts points on both ends, and with one step it divides by 0. The middles of the pieces are at "
    "(k + 0.5) / steps.",
    divided_by_steps_less_one=along(lambda steps: torch.arange(steps) / (steps - 1)),
)


integrate_path.mistake(
    "(k + 0.5) / (steps - 1) leads beyond x, and with one step it divides by 0. There are `steps` pieces: "
    "(k + 0.5) / steps.",
    middles_of_too_few=along(lambda steps: (torch.arange(steps) + 0.5) / (steps - 1)),
)


integrate_path.mistake(
    "linspace(0, 1, steps + 1) gives the borders of the pieces, one more than there are pieces. The middles "
    "are at (k + 0.5) / steps.",
    borders=along(lambda steps: torch.linspace(0, 1, steps + 1)),
)


integrate_path.mistake(
    "(k + 1) / (steps + 1) leaves both ends free, but these are no middles: with four steps the first is at 1/5 and "
    "not at 1/8. Take (k + 0.5) / steps.",
    inner_points=along(lambda steps: (torch.arange(steps) + 1) / (steps + 1)),
)


integrate_path.mistake(
    "You average over steps + 1 pieces of the length 1 / (steps + 1). There are `steps` pieces: (k + 0.5) / steps.",
    one_piece_more=along(lambda steps: _middles(steps + 1)),
)


integrate_path.mistake(
    "Your first point lies half a piece before the baseline. With k = 0, 1, ... the middles are at (k + 0.5) / steps.",
    half_a_piece_too_early=along(lambda steps: (torch.arange(steps) - 0.5) / steps),
)


integrate_path.mistake(
    "Your k begins at 1: the first piece is missing, and the last point lies beyond x. With k = 1, 2, ... the middles "
    "are at (k - 0.5) / steps.",
    counted_from_one=along(lambda steps: (torch.arange(steps) + 1.5) / steps),
)


integrate_path.mistake(
    "Division comes before addition: k + 0.5 / steps leads far beyond x. Put brackets round k + 0.5.",
    brackets_forgotten=along(lambda steps: torch.arange(steps) + 0.5 / steps),
)


integrate_path.mistake(
    "k / steps + 0.5 begins in the middle of the way and leads beyond x. Half a piece is 0.5 / steps: (k + 0.5) / "
    "steps.",
    half_the_way=along(lambda steps: torch.arange(steps) / steps + 0.5),
)


integrate_path.mistake(
    "Your shares are not divided by `steps`: they lead far beyond x. The last share must be below 1.",
    shares_not_divided=along(lambda steps: torch.arange(steps) + 0.5),
)


integrate_path.mistake(
    "You look at the middle of the whole path only. With `steps` pieces there are `steps` middles: (k + 0.5) / steps.",
    one_middle=along(lambda steps: torch.tensor([0.5])),
)


integrate_path.mistake(
    "You look at the two ends of the path only. With `steps` pieces there are `steps` middles: (k + 0.5) / steps.",
    both_ends_only=along(lambda steps: torch.tensor([0.0, 1.0])),
)


integrate_path.mistake(
    "Your number of pieces is fixed. It is the argument `steps`.", fixed_number=along(lambda steps: _middles(50))
)


integrate_path.mistake(
    "Your points are random, and the result changes with the luck. The middles are fixed: (k + 0.5) / steps.",
    random_places=along(lambda steps: torch.rand(steps)),
)


integrate_path.mistake(
    "That is the gradient at x alone, times the way. Where the output has stopped rising, that gradient is 0 "
    "and explains nothing. Take gradients along the whole path.",
    at_x_alone=along(lambda steps: torch.tensor([1.0])),
)


integrate_path.mistake(
    "That is the gradient at x alone. Walk from the baseline to x, average the gradients on the way, and multiply by "
    "x - baseline.",
    plain_gradient=along(lambda steps: torch.tensor([1.0]), lambda x, baseline, gradients, points: gradients[0]),
)


integrate_path.mistake(
    "That is the gradient at the baseline alone, times the way. Take gradients along the whole path, at the shares "
    "(k + 0.5) / steps; k // steps would be 0 for every piece.",
    at_the_baseline_alone=along(lambda steps: torch.tensor([0.0])),
)


integrate_path.mistake(
    "That is gradient times input, at x alone. Walk from the baseline to x, and average the gradients on the way.",
    gradient_times_input=along(lambda steps: torch.tensor([1.0]), lambda x, b, gradients, points: x * gradients[0]),
)


integrate_path.mistake(
    "You forgot the baseline: your path begins at 0. It begins at `baseline`, and the way is x - baseline.",
    baseline_forgotten=along(
        start=zero, way=lambda x, baseline: x, combine=lambda x, b, gradients, p: x * gradients.mean(0)
    ),
)


integrate_path.mistake(
    "Your points are baseline + share * x, so the path ends at baseline + x, beyond the input. The way is "
    "x - baseline.",
    way_of_x=along(way=lambda x, baseline: x),
)


integrate_path.mistake(
    "Your points are share * x, so the path begins at 0. It begins at the baseline: baseline + share * (x - baseline).",
    path_from_zero=along(start=zero, way=lambda x, baseline: x),
)


integrate_path.mistake(
    "Your points are share * (x - baseline), so the path begins at 0. It begins at the baseline: "
    "baseline + share * (x - baseline).",
    start_forgotten=along(start=zero),
)


integrate_path.mistake(
    "Your path begins at x and leads away from the baseline. The points are baseline + share * (x - baseline).",
    from_x_onward=along(start=lambda x, baseline: x),
)


integrate_path.mistake(
    "Your path leads from the baseline away from x: the way is x - baseline, not baseline - x.",
    wrong_direction=along(way=lambda x, baseline: baseline - x),
)


# What becomes of the gradients.


def looped(first=0, last=0, divide=lambda steps: steps, keep_adding=True):
    """A wrong loop over the pieces first, ..., steps - 1 + last."""

    def answer(model, x, baseline, steps):
        total = torch.zeros_like(x)
        for step in range(first, steps + last):
            point = (baseline + (step + 0.5) / steps * (x - baseline))[None].requires_grad_()
            gradient = torch.autograd.grad(model(point).sum(), point)[0][0]
            total = total + gradient if keep_adding else gradient
        return (x - baseline) * total / divide(steps)

    return answer


integrate_path.mistake(
    "Each piece overwrites the gradient of the one before, so only the last counts. Add them up, and divide by steps.",
    overwritten=looped(divide=lambda steps: 1, keep_adding=False),
)


integrate_path.mistake(
    "Only the last piece's gradient is left, and you divide it by steps. Add up: total = total + gradient.",
    overwritten_and_divided=looped(keep_adding=False),
)


integrate_path.mistake(
    "Your loop leaves out the last piece. range(steps) runs from 0 to steps - 1, and there are `steps` pieces.",
    last_piece_missing=looped(last=-1),
)


integrate_path.mistake(
    "Your loop leaves out the first piece, k = 0. With (k + 0.5) / steps, k runs over range(steps).",
    first_piece_missing=looped(first=1),
)


integrate_path.mistake(
    "Your loop goes one piece beyond x. range(steps) runs from 0 to steps - 1: that is all.",
    one_piece_beyond=looped(last=1),
)


integrate_path.mistake(
    "You average over steps + 1 points, the last of which lies beyond x. range(steps) runs from 0 to steps - 1.",
    mean_with_one_beyond=looped(last=1, divide=lambda steps: steps + 1),
)


integrate_path.mistake(
    "You divide by steps + 1. There are `steps` pieces, and as many gradients.",
    divided_by_one_more=looped(divide=lambda steps: steps + 1),
)


integrate_path.mistake(
    "You return the mean gradient. It says how strongly the output answers to a feature; multiply by how far "
    "the feature moved, x - baseline, and the results add up to the change of the output.",
    way_forgotten=along(combine=lambda x, baseline, gradients, points: gradients.mean(dim=0)),
)


integrate_path.mistake(
    "You return the sum of the gradients. Take their mean, and multiply by how far each feature moved, x - baseline.",
    summed_and_way_forgotten=along(combine=lambda x, baseline, gradients, points: gradients.sum(dim=0)),
)


integrate_path.mistake(
    "You multiply by x. The feature moved by x - baseline; only from a baseline of 0 is that the same.",
    times_x=along(combine=lambda x, baseline, gradients, points: x * gradients.mean(dim=0)),
)


integrate_path.mistake(
    "You multiply by the baseline. Multiply by how far each feature moved: x - baseline.",
    times_baseline=along(combine=lambda x, baseline, gradients, points: baseline * gradients.mean(dim=0)),
)


integrate_path.mistake(
    "You add the gradients up, so ten times the steps give ten times the result. Each piece is 1 / steps of "
    "the way: take the mean.",
    sum_not_mean=integrate_path.changed("gradients.mean(dim=0)", "gradients.sum(dim=0)"),
)


integrate_path.mistake(
    "You divide by the steps twice. The mean has done it already.",
    divided_twice=integrate_path.changed("gradients.mean(dim=0)", "gradients.mean(dim=0) / steps"),
)


integrate_path.mistake(
    "Your mean runs over all numbers, features too. Each feature has a mean gradient of its own: mean(dim=0).",
    one_mean_for_all=integrate_path.changed("gradients.mean(dim=0)", "gradients.mean()"),
)


integrate_path.mistake(
    "Your sum runs over all numbers, features too. Each feature has a mean gradient of its own: mean(dim=0).",
    one_sum_for_all=integrate_path.changed("gradients.mean(dim=0)", "gradients.sum()"),
)


integrate_path.mistake(
    "mean(dim=-1) runs over the features. The pieces are the first dimension: mean(dim=0).",
    mean_over_features=integrate_path.changed("gradients.mean(dim=0)", "gradients.mean(dim=-1)"),
)


integrate_path.mistake(
    "You take the largest gradient on the way. Take the mean, or the results do not add up to the change of the "
    "output.",
    largest_gradient=integrate_path.changed("gradients.mean(dim=0)", "gradients.amax(dim=0)"),
)


integrate_path.mistake(
    "You forgot the mean: that is a row for each piece. Average over the pieces, mean(dim=0).",
    one_for_each_piece=integrate_path.changed("gradients.mean(dim=0)", "gradients"),
)


@integrate_path.mistake(
    "You average the gradients at both borders of each piece, the rule of trapezoids. Take the gradient in the middle "
    "of "
    "the piece: (k + 0.5) / steps."
)
def trapezoids(model, x, baseline, steps):
    ends = torch.arange(steps + 1).view(-1, *[1] * x.ndim) / steps
    points = (baseline + ends * (x - baseline)).requires_grad_()
    gradients = torch.autograd.grad(model(points).sum(), points)[0]
    return (x - baseline) * (gradients[1:] + gradients[:-1]).mean(dim=0) / 2


integrate_path.mistake(
    "linspace(0, 1, steps) has steps - 1 gaps, and so many middles. There are `steps` pieces: (k + 0.5) / steps.",
    middles_of_linspace=along(lambda steps: (torch.linspace(0, 1, steps)[1:] + torch.linspace(0, 1, steps)[:-1]) / 2),
)


@integrate_path.mistake(
    "You average the outputs on the way. Average their gradients to the points, torch.autograd.grad(..., points)."
)
def outputs_averaged(model, x, baseline, steps):
    points = baseline + _middles(steps).view(-1, *[1] * x.ndim) * (x - baseline)
    return (x - baseline) * model(points).mean()


@integrate_path.mistake(
    "You multiply the way by the change of the output. Each feature has a gradient of its own: average them on the way."
)
def change_times_way(model, x, baseline, steps):
    return (x - baseline) * (model(x[None]) - model(baseline[None]))


integrate_path.mistake(
    "Only the first piece counts, divided by the steps: the `return` stands inside the loop.",
    returned_in_the_loop=along(
        combine=lambda x, baseline, gradients, points: (x - baseline) * gradients[0] / len(gradients),
    ),
)


integrate_path.mistake(
    "Only the first piece counts. Average the gradients of all pieces: mean(dim=0).",
    first_piece_only=along(combine=lambda x, baseline, gradients, points: (x - baseline) * gradients[0]),
)


integrate_path.mistake(
    "You multiply by the square of the way. Multiply by the way, x - baseline, once.",
    way_squared=along(combine=lambda x, baseline, gradients, points: (x - baseline) ** 2 * gradients.mean(dim=0)),
)


integrate_path.mistake(
    "Your sign is turned round: the way leads from the baseline to x, so it is x - baseline.",
    sign_turned=along(combine=lambda x, baseline, gradients, points: (baseline - x) * gradients.mean(dim=0)),
)


integrate_path.mistake(
    "You multiply each gradient by the point where it was taken. All are multiplied by the same: the way x - baseline.",
    times_the_points=along(combine=lambda x, baseline, gradients, points: (points * gradients).mean(dim=0)),
)


integrate_path.mistake(
    "You average absolute gradients. Where the output rises and falls again on the way, the two must cancel: "
    "leave out abs().",
    absolute_gradients=along(combine=lambda x, b, gradients, points: (x - b) * gradients.abs().mean(dim=0)),
)


integrate_path.mistake(
    "You average squared gradients. Their sign is lost, and with it the sum: leave the square out.",
    squared_gradients=along(combine=lambda x, b, gradients, points: (x - b) * gradients.square().mean(dim=0)),
)


integrate_path.mistake(
    "You return absolute values. The sign says whether the feature raised or lowered the output, and without "
    "it the parts do not add up to the change.",
    absolute_result=along(combine=lambda *of: _way(*of).abs()),
)


integrate_path.mistake(
    "You take the way without its sign. A feature that went down moved by a negative number: x - baseline.",
    absolute_way=along(combine=lambda x, baseline, gradients, points: (x - baseline).abs() * gradients.mean(dim=0)),
)


integrate_path.mistake(
    "You return the sum. That is the change of the output; the explanation says which feature has which part of it.",
    summed_over_features=along(combine=lambda *of: _way(*of).sum()),
)


integrate_path.mistake(
    "Each gradient is multiplied by its share of the way only: you ask for the gradient to x, or you multiply by the "
    "point "
    "less the baseline. Every gradient, to its point, counts in full: their mean times x - baseline.",
    gradient_to_x=along(
        combine=lambda x, b, gradients, points: (
            (x - b) * (gradients * _middles(len(points)).view(-1, *[1] * x.ndim)).mean(dim=0)
        )
    ),
)


integrate_path.mistake(
    "Each gradient is multiplied by its share of the way only, and they are added up: you ask for the gradient to x, "
    "or "
    "multiply by the point less the baseline. Ask for those to the points, and take their mean, times x - baseline.",
    gradient_to_x_not_averaged=along(
        combine=lambda x, b, gradients, points: (
            (x - b) * (gradients * _middles(len(points)).view(-1, *[1] * x.ndim)).sum(dim=0)
        )
    ),
)


@integrate_path.mistake(
    "You stretch the result so that it adds up to the change of the output. With few steps it does not quite: return "
    "the average of the gradients times the way as it is."
)
def stretched(model, x, baseline, steps):
    parts = integrate_path(model, x, baseline, steps)
    return parts * (model(x[None]) - model(baseline[None])).detach() / parts.sum()


# Answers that raise an error.


integrate_path.mistake(
    "Your shares have the shape (steps, 1), which fits a vector x and not an image: one more 1 for each dimension of "
    "x, shares.view(-1, *[1] * x.ndim).",
    shares_for_vectors_only=integrate_path.changed("*[1] * x.ndim", "1"),
)


integrate_path.mistake(
    "Your shares have the shape (steps,), and are multiplied with the features instead of making a batch. Give them "
    "ones: shares.view(-1, *[1] * x.ndim).",
    shares_without_dimensions=integrate_path.changed("shares = shares.view(-1, *[1] * x.ndim)", "pass"),
)


integrate_path.mistake(
    "model takes a batch, also of one point: model(point[None]), with the first dimension for the batch.",
    batch_dimension_forgotten=lambda model, x, baseline, steps: sum(
        torch.autograd.functional.jacobian(
            lambda point: model(point).sum(), baseline + (step + 0.5) / steps * (x - baseline)
        )
        for step in range(steps)
    ),
)


integrate_path.mistake(
    "torch keeps no record for the points. Ask for it before the model reads them: points.requires_grad_().",
    no_requires_grad=integrate_path.changed(".requires_grad_()", ""),
)


integrate_path.mistake(
    "torch wants one number to go back from, and you gave it one for each point. Their sum will do.",
    not_summed=integrate_path.changed("model(points).sum()", "model(points)"),
)


integrate_path.mistake(
    "torch.autograd.grad gives a tuple, one gradient for each thing you asked about. You asked about one: [0].",
    the_whole_tuple=integrate_path.changed("points)[0]", "points)"),
)


integrate_path.hints(
    "The middles of the pieces are at the shares (k + 0.5) / steps of the way, k = 0, 1, ..., steps - 1.",
    "All points are one batch: baseline + shares * (x - baseline), with shares of the shape (steps, 1, ..., 1).",
    "As in gradient_of_target, one backward pass gives all gradients; then (x - baseline) * gradients.mean(dim=0).",
)
