"""The exercise `integrate_path` of lesson 09."""

import torch
from torch import nn

from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.shared import classifier, plain


@exercise(
    prompt="Integrated gradients for one input x: walk from `baseline` to x on the straight line, in `steps` equal "
    "pieces. Take the gradient in the middle of each piece, average over the pieces, and multiply by how far each "
    "feature moved. baseline and the result have the shape of x. model takes a batch (S, ...) and gives one output "
    "for each, (S,)."
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
    return [
        (first_times_second, torch.tensor([2.0, 3.0]), torch.tensor([0.0, 0.0]), 1),
        (sum_of_cubes, torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, -1.0]), 4),
        (nn.Sequential(classifier(5, 1), nn.Flatten(0)), 2 * torch.randn(5), torch.randn(5), 7),
        (nn.Sequential(classifier(12, 1), nn.Flatten(0)), 3 * torch.randn(3, 4), torch.zeros(3, 4), 10),
    ]


@integrate_path.run
def without_graph(answer, model, x, baseline, steps):
    return plain(answer(model, x, baseline, steps))


@integrate_path.judge
def path_step_by_step(model, x, baseline, steps):
    total = torch.zeros_like(x)
    for step in range(steps):
        point = baseline + (step + 0.5) / steps * (x - baseline)
        total += torch.autograd.functional.jacobian(lambda one: model(one[None])[0], point)
    return total * (x - baseline) / steps


@integrate_path.right
def path_by_lerp(model, x, baseline, steps):
    points = [torch.lerp(baseline, x, (2 * step + 1) / (2 * steps)) for step in range(steps)]
    points = torch.stack(points).requires_grad_(True)
    model(points).sum().backward()
    return (points.grad * (x - baseline)).sum(dim=0) / steps


@integrate_path.right
def path_by_linspace(model, x, baseline, steps):
    ends = torch.linspace(0.0, 1.0, steps + 1)
    middles = (ends[1:] + ends[:-1]) / 2
    points = torch.stack([(1 - middle) * baseline + middle * x for middle in middles])
    points.requires_grad_()
    return torch.autograd.grad(model(points).mean(), points)[0].sum(0) * (x - baseline)


@integrate_path.right
def path_by_einsum(model, x, baseline, steps):
    way = x - baseline
    shares = torch.arange(1, 2 * steps, 2) / (2 * steps)
    points = baseline + torch.einsum("s,...->s...", shares, way)
    points.requires_grad_()
    (gradients,) = torch.autograd.grad(model(points), points, torch.full((steps,), 1 / steps))
    return torch.einsum("s...,...->...", gradients, way)


def _way(x, baseline, gradients, points):
    return (x - baseline) * gradients.mean(dim=0)


def _middles(steps):
    return (torch.arange(steps) + 0.5) / steps


def _along(shares=_middles, combine=_way, start=lambda baseline: baseline, way=lambda x, baseline: x - baseline):
    """A wrong integral: gradients at `start + share * way`, made one by `combine(x, baseline, gradients, points)`."""

    def answer(model, x, baseline, steps):
        parts = shares(steps).view(-1, *[1] * x.ndim)
        points = (start(baseline) + parts * way(x, baseline)).requires_grad_()
        gradients = torch.autograd.grad(model(points).sum(), points)[0]
        return combine(x, baseline, gradients, points.detach())

    return answer


integrate_path.mistake(
    "You take the gradient where each piece begins: the baseline counts, x itself never does. The middle of a "
    "piece is at (k + 0.5) / steps, and its error is far smaller.",
    TODO_16=_along(lambda steps: torch.arange(steps) / steps),
)


integrate_path.mistake(
    "You take the gradient where each piece ends: x counts, the baseline never does. The middle of a piece is "
    "at (k + 0.5) / steps, and its error is far smaller.",
    TODO_17=_along(lambda steps: (torch.arange(steps) + 1) / steps),
)


integrate_path.mistake(
    "linspace(0, 1, steps) puts points on both ends, so the ends count as much as a whole piece. The middles "
    "of the pieces are at (k + 0.5) / steps.",
    TODO_18=_along(lambda steps: torch.linspace(0, 1, steps)),
)


integrate_path.mistake(
    "linspace(0, 1, steps + 1) gives the borders of the pieces, one more than there are pieces. The middles "
    "are at (k + 0.5) / steps.",
    TODO_19=_along(lambda steps: torch.linspace(0, 1, steps + 1)),
)


integrate_path.mistake(
    "You look at the middle of the whole path only. With `steps` pieces there are `steps` middles: (k + 0.5) / steps.",
    TODO_20=_along(lambda steps: torch.tensor([0.5])),
)


integrate_path.mistake(
    "Your number of pieces is fixed. It is the argument `steps`.", TODO_21=_along(lambda steps: _middles(50))
)


integrate_path.mistake(
    "That is the gradient at x alone, times the way. Where the output has stopped rising, that gradient is 0 "
    "and explains nothing. Take gradients along the whole path.",
    TODO_22=_along(lambda steps: torch.tensor([1.0])),
)


integrate_path.mistake(
    "That is gradient times input, at x alone. Walk from the baseline to x, and average the gradients on the way.",
    TODO_23=_along(lambda steps: torch.tensor([1.0]), lambda x, baseline, gradients, points: x * gradients[0]),
)


integrate_path.mistake(
    "You forgot the baseline: your path begins at 0. It begins at `baseline`, and the way is x - baseline.",
    TODO_24=_along(
        start=torch.zeros_like,
        way=lambda x, baseline: x,
        combine=lambda x, b, gradients, p: x * gradients.mean(0),
    ),
)


integrate_path.mistake(
    "Your points are baseline + share * x, so the path ends at baseline + x, beyond the input. The way is "
    "x - baseline.",
    TODO_25=_along(way=lambda x, baseline: x),
)


integrate_path.mistake(
    "Your points are share * x, so the path begins at 0. It begins at the baseline: baseline + share * (x - baseline).",
    TODO_26=_along(start=torch.zeros_like, way=lambda x, baseline: x),
)


integrate_path.mistake(
    "You return the mean gradient. It says how strongly the output answers to a feature; multiply by how far "
    "the feature moved, x - baseline, and the results add up to the change of the output.",
    TODO_27=_along(combine=lambda x, baseline, gradients, points: gradients.mean(dim=0)),
)


integrate_path.mistake(
    "You multiply by x. The feature moved by x - baseline; only from a baseline of 0 is that the same.",
    TODO_28=_along(combine=lambda x, baseline, gradients, points: x * gradients.mean(dim=0)),
)


integrate_path.mistake(
    "You add the gradients up, so ten times the steps give ten times the result. Each piece is 1 / steps of "
    "the way: take the mean.",
    TODO_29=_along(combine=lambda x, baseline, gradients, points: (x - baseline) * gradients.sum(dim=0)),
)


integrate_path.mistake(
    "You divide by the steps twice. The mean has done it already.",
    TODO_30=_along(combine=lambda x, baseline, gradients, p: (x - baseline) * gradients.mean(dim=0) / len(gradients)),
)


integrate_path.mistake(
    "Your sign is turned round: the way leads from the baseline to x, so it is x - baseline.",
    TODO_31=_along(combine=lambda x, baseline, gradients, points: (baseline - x) * gradients.mean(dim=0)),
)


integrate_path.mistake(
    "You multiply each gradient by the point where it was taken. All are multiplied by the same: the way x - baseline.",
    TODO_32=_along(combine=lambda x, baseline, gradients, points: (points * gradients).mean(dim=0)),
)


integrate_path.mistake(
    "You average absolute gradients. Where the output rises and falls again on the way, the two must cancel: "
    "leave out abs().",
    TODO_33=_along(combine=lambda x, baseline, gradients, points: (x - baseline) * gradients.abs().mean(dim=0)),
)


integrate_path.mistake(
    "You return absolute values. The sign says whether the feature raised or lowered the output, and without "
    "it the parts do not add up to the change.",
    TODO_34=_along(combine=lambda x, baseline, gradients, points: ((x - baseline) * gradients.mean(dim=0)).abs()),
)


integrate_path.mistake(
    "You return the sum. That is the change of the output; the explanation says which feature has which part of it.",
    TODO_35=_along(combine=lambda x, baseline, gradients, points: ((x - baseline) * gradients.mean(dim=0)).sum()),
)


integrate_path.hints(
    "The middles of the pieces are at the shares (k + 0.5) / steps of the way, k = 0, 1, ..., steps - 1.",
    "All points are one batch: baseline + shares * (x - baseline), with shares of the shape (steps, 1, ..., 1).",
    "As in gradient_of_target, one backward pass gives all gradients; then (x - baseline) * gradients.mean(dim=0).",
)
