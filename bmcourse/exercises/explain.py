"""Exercises of lesson 09: gradients, paths, patches, Shapley values, LIME's fit, and whether an explanation is true."""

import math
import warnings
from itertools import combinations, pairwise, permutations

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import Exercise, Mistake, Wrong

# ---------------------------------------------------------------- what several have in common


def _plain(value):
    """The value without a graph, so that answers with and without no_grad count as alike."""
    return value.detach().clone() if torch.is_tensor(value) else value


def _classifier(features, outputs):
    """A small smooth network from (B, ...) with `features` numbers each to (B, outputs)."""
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, outputs))


def _linear(weight):
    """A network that is one matrix, so that its answers can be had by hand."""
    layer = nn.Linear(len(weight[0]), len(weight), bias=False)
    layer.weight.data = torch.tensor(weight)
    return nn.Sequential(nn.Flatten(), layer)


# ---------------------------------------------------------------- gradient_of_target


def gradient_of_target(model, x, targets):
    x = x.clone().requires_grad_()
    outputs = model(x)
    chosen = outputs[torch.arange(len(x)), targets]
    return torch.autograd.grad(chosen.sum(), x)[0]


ADDED_UP = (
    "The first call is right, and the second call with the same x is not: .grad adds up, and you read what both calls "
    "left in it. torch.autograd.grad(..., x) gives the gradient itself and writes nothing."
)
LEFT_BEHIND = (
    "The gradient is right, but backward() also filled the .grad of the model's parameters. The next training step "
    "would add that to its own. torch.autograd.grad(..., x) leaves them alone."
)


def _asked_twice(answer, model, x, targets):
    """The gradient of the first of two calls; where it is right, the calls must leave no trace."""
    first = _plain(answer(model, x, targets))
    touched = any(parameter.grad is not None for parameter in model.parameters())
    again = _plain(answer(model, x, targets))
    right = gradient_of_target(model, x, targets)
    if not difference(first, right, 1e-5):
        if difference(again, right, 1e-5):
            raise Mistake(ADDED_UP)
        if touched:
            raise Mistake(LEFT_BEHIND)
    return first


def _rows_of_the_jacobian(model, x, targets):
    def of_one(row, target):
        return torch.autograd.functional.jacobian(lambda one: model(one[None])[0], row)[target]

    return torch.stack([of_one(row.detach(), target) for row, target in zip(x, targets.tolist(), strict=True)])


def _gradient_one_by_one(model, x, targets):
    rows = []
    for row, target in zip(x.detach(), targets, strict=True):
        row = row.clone().requires_grad_()
        rows.append(torch.autograd.grad(model(row[None])[0, target], row)[0])
    return torch.stack(rows)


def _gradient_from_one_hot(model, x, targets):
    x = x.detach().clone().requires_grad_(True)
    outputs = model(x)
    (gradient,) = torch.autograd.grad(outputs, x, grad_outputs=F.one_hot(targets, outputs.shape[1]).float())
    return gradient


def _gradient_by_gather(model, x, targets):
    inputs = x.detach().requires_grad_()
    total = model(inputs).gather(1, targets[:, None]).sum()
    return torch.autograd.grad(outputs=total, inputs=[inputs])[0]


def _gradient_of(choose):
    """A wrong gradient: that of `choose(outputs, targets)`, a number."""

    def answer(model, x, targets):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(choose(model(x), targets), x)[0]

    return answer


def _chosen(outputs, targets):
    return outputs[torch.arange(len(outputs)), targets]


def _changed_gradient(change):
    """A wrong answer: `change(gradient, x)` of the right gradient."""
    return lambda model, x, targets: change(gradient_of_target(model, x, targets), x)


def _gradient_by_backward(model, x, targets):
    x = x.clone().requires_grad_()
    _chosen(model(x), targets).sum().backward()
    return x.grad


def _gradient_that_adds_up(model, x, targets):
    x.requires_grad_()
    _chosen(model(x), targets).sum().backward()
    return x.grad


def _without_requires_grad(model, x, targets):
    return torch.autograd.grad(_chosen(model(x), targets).sum(), x)[0]


def _as_a_tuple(model, x, targets):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(_chosen(model(x), targets).sum(), x)


GRADIENT_OF_TARGET = Exercise(
    reference=gradient_of_target,
    prompt="How each input would move its own chosen output: the gradient of outputs[i, targets[i]] to x[i], for all "
    "i, of the shape of x. model(x) gives outputs (B, K), one row for each input; targets (B,) are integers. x and the "
    "model stay as they were, the parameters' .grad too.",
    cases=lambda: [
        (_linear([[1.0, 2.0], [3.0, -4.0], [0.5, 0.0]]), torch.tensor([[1.0, 1.0]]), torch.tensor([1])),
        (_classifier(5, 3), torch.randn(4, 5), torch.tensor([2, 0, 1, 2])),
        (_classifier(12, 4), torch.randn(3, 1, 3, 4), torch.tensor([3, 3, 0])),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)),
            torch.randn(2, 1, 5, 5),
            torch.tensor([0, 2]),
        ),
    ],
    run=_asked_twice,
    judge=_rows_of_the_jacobian,
    right=[_gradient_one_by_one, _gradient_from_one_hot, _gradient_by_gather],
    wrong=[
        Wrong(
            _gradient_of(F.cross_entropy),
            "That is the gradient of the loss, as in training. It points where the target becomes less likely, it is "
            "divided by the batch size, and it nearly vanishes where the model is sure. Take the output itself.",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: F.cross_entropy(outputs, targets, reduction="sum")),
            "That is the gradient of the summed loss. It points where the target becomes less likely, and it nearly "
            "vanishes where the model is sure. Take the output itself.",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: _chosen(outputs.softmax(dim=1), targets).sum()),
            "That is the gradient of the probability. Where the model is sure, softmax is flat, and the gradient "
            "nearly 0, whatever the model looked at. Take the output before softmax.",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: _chosen(outputs.log_softmax(dim=1), targets).sum()),
            "That is the gradient of the log-probability, in which the other outputs have a part. Take the target's "
            "output alone.",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: outputs.sum()),
            "You add up all outputs, so the answer is the same whatever the target is. Choose one output of each row.",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: outputs.max(dim=1).values.sum()),
            "You explain the largest output, the model's own answer. The question was about `targets`.",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: outputs[:, targets].sum()),
            "outputs[:, targets] picks, from every row, the targets of the whole batch. A row has one target of its "
            "own: outputs[torch.arange(len(x)), targets].",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: outputs[:, targets[0]].sum()),
            "You take the first input's target for all inputs. outputs[torch.arange(len(x)), targets] takes each its "
            "own.",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: outputs[targets[0]].sum()),
            "outputs[target] is a row: all outputs of another input. The output is the second index: "
            "outputs[torch.arange(len(x)), targets].",
        ),
        Wrong(
            _gradient_of(lambda outputs, targets: _chosen(outputs, targets).mean()),
            "Your gradients are divided by the batch size: an input's explanation would depend on how many others come "
            "along. Take the sum of the chosen outputs, not the mean.",
        ),
        Wrong(
            _gradient_of(_chosen),
            "torch wants one number to go back from, and you gave it one for each input. Their sum will do: an input "
            "moves its own output only.",
        ),
        Wrong(
            _changed_gradient(lambda gradient, x: gradient.abs()),
            "You return absolute values, which is how pictures show a gradient. Its sign says whether more of the "
            "feature would raise or lower the output: keep it.",
        ),
        Wrong(
            _changed_gradient(lambda gradient, x: gradient * x),
            "That is gradient times input, another explanation. Return the gradient.",
        ),
        Wrong(
            _changed_gradient(lambda gradient, x: -gradient),
            "Your sign is turned round. Nothing goes down here: it is the plain gradient of the output.",
        ),
        Wrong(
            _changed_gradient(lambda gradient, x: gradient.mean(dim=0)),
            "You average over the batch. Every input has an explanation of its own.",
        ),
        Wrong(_gradient_by_backward, LEFT_BEHIND),
        Wrong(_gradient_that_adds_up, ADDED_UP),
        Wrong(
            _without_requires_grad,
            "torch keeps no record for x: inputs are data, and by default only parameters have gradients. Make a copy "
            "that does: x = x.clone().requires_grad_().",
        ),
        Wrong(
            _as_a_tuple,
            "torch.autograd.grad gives a tuple, one gradient for each thing you asked about. You asked about one: [0].",
        ),
    ],
    hints=[
        "Let torch record what happens to a copy of x: x = x.clone().requires_grad_(). Then run the model.",
        "outputs[torch.arange(len(x)), targets] is the chosen output of each row, (B,). Their sum is one number.",
        "torch.autograd.grad(chosen.sum(), x)[0] is the gradient. It writes into no .grad.",
    ],
)

# ---------------------------------------------------------------- integrate_path


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


def _paths():
    return [
        (first_times_second, torch.tensor([2.0, 3.0]), torch.tensor([0.0, 0.0]), 1),
        (sum_of_cubes, torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, -1.0]), 4),
        (nn.Sequential(_classifier(5, 1), nn.Flatten(0)), 2 * torch.randn(5), torch.randn(5), 7),
        (nn.Sequential(_classifier(12, 1), nn.Flatten(0)), 3 * torch.randn(3, 4), torch.zeros(3, 4), 10),
    ]


def _without_graph(answer, model, x, baseline, steps):
    return _plain(answer(model, x, baseline, steps))


def _path_step_by_step(model, x, baseline, steps):
    total = torch.zeros_like(x)
    for step in range(steps):
        point = baseline + (step + 0.5) / steps * (x - baseline)
        total += torch.autograd.functional.jacobian(lambda one: model(one[None])[0], point)
    return total * (x - baseline) / steps


def _path_by_lerp(model, x, baseline, steps):
    points = [torch.lerp(baseline, x, (2 * step + 1) / (2 * steps)) for step in range(steps)]
    points = torch.stack(points).requires_grad_(True)
    model(points).sum().backward()
    return (points.grad * (x - baseline)).sum(dim=0) / steps


def _path_by_linspace(model, x, baseline, steps):
    ends = torch.linspace(0.0, 1.0, steps + 1)
    middles = (ends[1:] + ends[:-1]) / 2
    points = torch.stack([(1 - middle) * baseline + middle * x for middle in middles])
    points.requires_grad_()
    return torch.autograd.grad(model(points).mean(), points)[0].sum(0) * (x - baseline)


def _path_by_einsum(model, x, baseline, steps):
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


INTEGRATE_PATH = Exercise(
    reference=integrate_path,
    prompt="Integrated gradients for one input x: walk from `baseline` to x on the straight line, in `steps` equal "
    "pieces. Take the gradient in the middle of each piece, average over the pieces, and multiply by how far each "
    "feature moved. baseline and the result have the shape of x. model takes a batch (S, ...) and gives one output "
    "for each, (S,).",
    cases=_paths,
    run=_without_graph,
    judge=_path_step_by_step,
    right=[_path_by_lerp, _path_by_linspace, _path_by_einsum],
    wrong=[
        Wrong(
            _along(lambda steps: torch.arange(steps) / steps),
            "You take the gradient where each piece begins: the baseline counts, x itself never does. The middle of a "
            "piece is at (k + 0.5) / steps, and its error is far smaller.",
        ),
        Wrong(
            _along(lambda steps: (torch.arange(steps) + 1) / steps),
            "You take the gradient where each piece ends: x counts, the baseline never does. The middle of a piece is "
            "at (k + 0.5) / steps, and its error is far smaller.",
        ),
        Wrong(
            _along(lambda steps: torch.linspace(0, 1, steps)),
            "linspace(0, 1, steps) puts points on both ends, so the ends count as much as a whole piece. The middles "
            "of the pieces are at (k + 0.5) / steps.",
        ),
        Wrong(
            _along(lambda steps: torch.linspace(0, 1, steps + 1)),
            "linspace(0, 1, steps + 1) gives the borders of the pieces, one more than there are pieces. The middles "
            "are at (k + 0.5) / steps.",
        ),
        Wrong(
            _along(lambda steps: torch.tensor([0.5])),
            "You look at the middle of the whole path only. With `steps` pieces there are `steps` middles: "
            "(k + 0.5) / steps.",
        ),
        Wrong(
            _along(lambda steps: _middles(50)),
            "Your number of pieces is fixed. It is the argument `steps`.",
        ),
        Wrong(
            _along(lambda steps: torch.tensor([1.0])),
            "That is the gradient at x alone, times the way. Where the output has stopped rising, that gradient is 0 "
            "and explains nothing. Take gradients along the whole path.",
        ),
        Wrong(
            _along(lambda steps: torch.tensor([1.0]), lambda x, baseline, gradients, points: x * gradients[0]),
            "That is gradient times input, at x alone. Walk from the baseline to x, and average the gradients on the "
            "way.",
        ),
        Wrong(
            _along(
                start=torch.zeros_like,
                way=lambda x, baseline: x,
                combine=lambda x, b, gradients, p: x * gradients.mean(0),
            ),
            "You forgot the baseline: your path begins at 0. It begins at `baseline`, and the way is x - baseline.",
        ),
        Wrong(
            _along(way=lambda x, baseline: x),
            "Your points are baseline + share * x, so the path ends at baseline + x, beyond the input. The way is "
            "x - baseline.",
        ),
        Wrong(
            _along(start=torch.zeros_like, way=lambda x, baseline: x),
            "Your points are share * x, so the path begins at 0. It begins at the baseline: baseline + share * "
            "(x - baseline).",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, points: gradients.mean(dim=0)),
            "You return the mean gradient. It says how strongly the output answers to a feature; multiply by how far "
            "the feature moved, x - baseline, and the results add up to the change of the output.",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, points: x * gradients.mean(dim=0)),
            "You multiply by x. The feature moved by x - baseline; only from a baseline of 0 is that the same.",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, points: (x - baseline) * gradients.sum(dim=0)),
            "You add the gradients up, so ten times the steps give ten times the result. Each piece is 1 / steps of "
            "the way: take the mean.",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, p: (x - baseline) * gradients.mean(dim=0) / len(gradients)),
            "You divide by the steps twice. The mean has done it already.",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, points: (baseline - x) * gradients.mean(dim=0)),
            "Your sign is turned round: the way leads from the baseline to x, so it is x - baseline.",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, points: (points * gradients).mean(dim=0)),
            "You multiply each gradient by the point where it was taken. All are multiplied by the same: the way "
            "x - baseline.",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, points: (x - baseline) * gradients.abs().mean(dim=0)),
            "You average absolute gradients. Where the output rises and falls again on the way, the two must cancel: "
            "leave out abs().",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, points: ((x - baseline) * gradients.mean(dim=0)).abs()),
            "You return absolute values. The sign says whether the feature raised or lowered the output, and without "
            "it the parts do not add up to the change.",
        ),
        Wrong(
            _along(combine=lambda x, baseline, gradients, points: ((x - baseline) * gradients.mean(dim=0)).sum()),
            "You return the sum. That is the change of the output; the explanation says which feature has which part "
            "of it.",
        ),
    ],
    hints=[
        "The middles of the pieces are at the shares (k + 0.5) / steps of the way, k = 0, 1, ..., steps - 1.",
        "All points are one batch: baseline + shares * (x - baseline), with shares of the shape (steps, 1, ..., 1).",
        "As in gradient_of_target, one backward pass gives all gradients; then (x - baseline) * gradients.mean(dim=0).",
    ],
)

# ---------------------------------------------------------------- occlude_patches


def occlude_patches(model, image, size, target, baseline):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    covered = image.repeat(rows * columns, 1, 1)
    for number in range(rows * columns):
        row, column = number // columns * size, number % columns * size
        covered[number, row : row + size, column : column + size] = baseline
    with torch.no_grad():
        drops = model(image[None])[0, target] - model(covered)[:, target]
    return drops.view(rows, columns)


def _without_graph_of_image(answer, model, image, size, target, baseline):
    return _plain(answer(model, image, size, target, baseline))


@torch.no_grad()
def _drops_patch_by_patch(model, image, size, target, baseline):
    drops = torch.zeros(image.shape[0] // size, image.shape[1] // size)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            covered = image.clone()
            covered[row * size : (row + 1) * size, column * size : (column + 1) * size] = baseline
            drops[row, column] = model(image[None])[0, target] - model(covered[None])[0, target]
    return drops


@torch.no_grad()
def _drops_by_kron(model, image, size, target, baseline):
    grid = torch.Size(side // size for side in image.shape)
    patches = torch.eye(grid.numel()).view(-1, *grid)
    masks = torch.stack([torch.kron(patch, torch.ones(size, size)) for patch in patches]).bool()
    outputs = model(torch.cat([image[None], torch.where(masks, torch.tensor(baseline), image)]))[:, target]
    return (outputs[0] - outputs[1:]).reshape(grid)


def _drops_by_groups(model, image, size, target, baseline):
    rows = torch.arange(image.shape[0])[:, None] // size
    columns = torch.arange(image.shape[1])[None] // size
    across = image.shape[1] // size
    groups = rows * across + columns
    count = int(groups.max()) + 1
    covered = image.masked_fill(groups == torch.arange(count)[:, None, None], baseline)
    return (model(image[None]) - model(covered))[:, target].reshape(-1, across)


def _drops_with_a_list(model, image, size, target, baseline):
    whole, found = model(image.unsqueeze(0))[0, target].item(), []
    for top in range(0, image.shape[0], size):
        found.append([])
        for left in range(0, image.shape[1], size):
            mask = torch.ones_like(image)
            mask[top : top + size, left : left + size] = 0
            found[-1].append(whole - model((image * mask + baseline * (1 - mask))[None])[0, target].item())
    return torch.tensor(found)


def _read(outputs, target):
    return outputs[:, target]


def _covering(cover=None, read=_read, result=lambda whole, outputs: whole - outputs):
    """A wrong map: `cover(image, patch, baseline)` gives the image with `patch`, a mask, covered."""
    cover = cover or (lambda image, patch, baseline: image.masked_fill(patch, baseline))

    @torch.no_grad()
    def answer(model, image, size, target, baseline):
        grid = [side // size for side in image.shape]
        patches = torch.eye(grid[0] * grid[1]).view(-1, *grid).bool()
        masks = patches.repeat_interleave(size, 1).repeat_interleave(size, 2)
        covered = torch.stack([cover(image, mask, baseline) for mask in masks])
        drops = result(read(model(image[None]), target), read(model(covered), target))
        return drops.view(grid)

    return answer


@torch.no_grad()
def _never_put_back(model, image, size, target, baseline):
    covered, whole = image.clone(), model(image[None])[0, target]
    drops = torch.zeros(image.shape[0] // size, image.shape[1] // size)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            covered[row * size : (row + 1) * size, column * size : (column + 1) * size] = baseline
            drops[row, column] = whole - model(covered[None])[0, target]
    return drops


@torch.no_grad()
def _covers_the_image_itself(model, image, size, target, baseline):
    drops = occlude_patches(model, image, size, target, baseline)
    image.fill_(baseline)
    return drops


def _top_left_pixel(image, patch, baseline):
    first = patch.flatten().int().argmax()
    covered = image.flatten().clone()
    covered[first] = baseline
    return covered.view(image.shape)


@torch.no_grad()
def _sliding(model, image, size, target, baseline):
    grid = [side - size + 1 for side in image.shape]
    covered = image.repeat(grid[0] * grid[1], 1, 1)
    for number in range(len(covered)):
        row, column = divmod(number, grid[1])
        covered[number, row : row + size, column : column + size] = baseline
    return (model(image[None])[0, target] - model(covered)[:, target]).view(grid)


@torch.no_grad()
def _from_the_blank(model, image, size, target, baseline):
    blank = model(torch.full_like(image, baseline)[None])[0, target]
    return model(image[None])[0, target] - blank - occlude_patches(model, image, size, target, baseline)


OCCLUDE_PATCHES = Exercise(
    reference=occlude_patches,
    prompt="Occlusion: by how much the output `target` drops when one square of `size` x `size` pixels is set to the "
    "number `baseline`, for every square of the grid, one at a time. image is (H, W), and `size` divides both. "
    "model takes a batch of images (B, H, W) and gives (B, K). Returns (H / size, W / size): drop = output of the "
    "whole image minus output of the covered one.",
    cases=lambda: [
        (_linear([[1.0, 0.0, 0.0, -2.0], [5.0, 1.0, 1.0, 1.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, 0, 0.0),
        (_classifier(24, 3), torch.randn(4, 6), 2, 2, 0.5),
        (_classifier(36, 4), torch.randn(6, 6), 3, 0, -1.0),
        (_classifier(18, 2), torch.rand(6, 3), 3, 1, 0.0),
    ],
    run=_without_graph_of_image,
    judge=_drops_patch_by_patch,
    right=[_drops_by_kron, _drops_by_groups, _drops_with_a_list],
    wrong=[
        Wrong(
            _covering(result=lambda whole, outputs: outputs - whole),
            "Your sign is turned round: an important square would get a negative number. Drop = whole minus covered.",
        ),
        Wrong(
            _covering(result=lambda whole, outputs: outputs),
            "You return the output of the covered image, which is small where a square matters. The drop is the "
            "whole image's output minus that.",
        ),
        Wrong(
            _covering(result=lambda whole, outputs: (whole - outputs).abs()),
            "You return absolute values. A square that speaks against the target has a negative drop: the output rises "
            "when it goes.",
        ),
        Wrong(
            _covering(result=lambda whole, outputs: (whole - outputs) / whole),
            "You divide by the output, as if it were a share. Outputs may be near 0 or negative: return the "
            "plain drop.",
        ),
        Wrong(
            _covering(lambda image, patch, baseline: image.masked_fill(patch, 0.0)),
            "You set the square to 0. What stands for nothing is `baseline`: on digits 0 is the paper, on photographs "
            "it is black.",
        ),
        Wrong(
            _covering(lambda image, patch, baseline: image.masked_fill(patch, image.mean())),
            "You set the square to the mean of the image. That is a choice people make; here it is `baseline`.",
        ),
        Wrong(
            _covering(lambda image, patch, baseline: image + baseline * patch),
            "You add the baseline to the square. Put it in its place: covered[...] = baseline.",
        ),
        Wrong(
            _covering(lambda image, patch, baseline: image * torch.where(patch, baseline, 1.0)),
            "You multiply the square by the baseline. Put it in its place: covered[...] = baseline.",
        ),
        Wrong(
            _covering(lambda image, patch, baseline: image.masked_fill(~patch, baseline)),
            "You cover everything but the square. That asks what the square says alone. Cover the square, and leave "
            "the rest.",
        ),
        Wrong(
            _covering(_top_left_pixel),
            "You cover one pixel of each square. It is image[row : row + size, column : column + size].",
        ),
        Wrong(
            _never_put_back,
            "You never put a square back, so the last drop is that of an empty image. Begin each time from a fresh "
            "copy: image.clone().",
        ),
        Wrong(
            _covers_the_image_itself,
            "The drops are right, but your code covers the image that it was given. Whoever called you has lost it: "
            "work on a copy, image.clone().",
        ),
        Wrong(
            _covering(read=lambda outputs, target: outputs.softmax(dim=1)[:, target]),
            "That is the drop of the probability. Where the model is sure, several squares must go before it moves. "
            "Use the output as it comes.",
        ),
        Wrong(
            _covering(read=lambda outputs, target: outputs.max(dim=1).values),
            "You follow the largest output, and that may become another one when a square is covered. Follow `target`.",
        ),
        Wrong(
            _sliding,
            "Your square moves by one pixel. The squares of a grid do not overlap: move by `size`.",
        ),
        Wrong(
            lambda *case: occlude_patches(*case).repeat_interleave(case[2], 0).repeat_interleave(case[2], 1),
            "Your map has the shape of the image. Return one number for each square: (H / size, W / size).",
        ),
        Wrong(
            lambda *case: occlude_patches(*case).flatten(),
            "Your drops stand in one row. Give them the shape of the grid: .view(H // size, W // size).",
        ),
        Wrong(
            lambda *case: occlude_patches(*case) / case[2] ** 2,
            "You divide by the number of pixels. A square counts as a whole.",
        ),
        Wrong(
            _from_the_blank,
            "You subtract from the drop of the empty image. The drop of one square is measured from the whole image: "
            "whole minus covered.",
        ),
    ],
    hints=[
        "One image for each square, each a copy in which that square is `baseline`; all together are one batch.",
        "image.repeat(count, 1, 1) makes the copies. Square number n is in row n // columns, column n % columns.",
        "model(image[None])[0, target] - model(covered)[:, target], then .view(rows, columns).",
    ],
)

# ---------------------------------------------------------------- shapley_by_orders


def shapley_by_orders(value, players):
    shares = [0.0] * players
    for order in permutations(range(players)):
        for place, player in enumerate(order):
            shares[player] += value(frozenset(order[: place + 1])) - value(frozenset(order[:place]))
    return [share / math.factorial(players) for share in shares]


NO_TEAM = "value() takes a team and not a player: frozenset({player}) is a team of one."


def _play(answer, game, players):
    """What it answers for a game whose values are kept by the players' digits: {"": 0, "0": 10, "1": 20, "01": 50}."""

    def value(team):
        if isinstance(team, int):
            raise Mistake(NO_TEAM)
        return game["".join(map(str, sorted(set(team))))]

    shares = answer(value, players)
    return shares.tolist() if torch.is_tensor(shares) else shares


def _teams(players):
    return ["".join(map(str, team)) for size in range(players + 1) for team in combinations(range(players), size)]


def _shapley_by_teams(game, players):
    """The other way to write it: a weighted mean over the teams that a player can join."""
    shares = []
    for player in range(players):
        share = 0.0
        for team in _teams(players):
            if str(player) not in team:
                orders = math.factorial(len(team)) * math.factorial(players - len(team) - 1)
                joined = "".join(sorted(team + str(player)))
                share += orders / math.factorial(players) * (game[joined] - game[team])
        shares.append(share)
    return shares


def _shapley_by_sizes(value, players):
    shares = []
    for player in range(players):
        others = [other for other in range(players) if other != player]
        of_sizes = []
        for size in range(players):
            gains = [value({player, *team}) - value(set(team)) for team in combinations(others, size)]
            of_sizes.append(sum(gains) / len(gains))
        shares.append(sum(of_sizes) / players)
    return shares


def _shapley_with_pairs(value, players):
    orders = list(permutations(range(players)))
    shares = torch.zeros(players, dtype=torch.float64)
    for order in orders:
        worth = [value(order[:count]) for count in range(players + 1)]
        for player, (before, after) in zip(order, pairwise(worth), strict=True):
            shares[player] += after - before
    return shares / len(orders)


def _shapley_by_recursion(value, players):
    def shares_of(team):
        """Shapley values of the game that only `team` plays: the last of an order may be any of them."""
        shares = dict.fromkeys(team, 0.0)
        for last in team:
            shares[last] += (value(team) - value(team - {last})) / len(team)
            for player, share in shares_of(team - {last}).items():
                shares[player] += share / len(team)
        return shares

    shares = shares_of(frozenset(range(players)))
    return [shares[player] for player in range(players)]


def _over_orders(
    gain=lambda value, before, player: value({*before, player}) - value(set(before)), orders=None, divide=None
):
    """Wrong shares: `gain(value, those before, player)`, over `orders(players)`, divided by `divide(players)`."""
    orders = orders or (lambda players: permutations(range(players)))

    def answer(value, players):
        shares, count = [0.0] * players, 0
        for order in orders(players):
            count += 1
            for place, player in enumerate(order):
                shares[player] += gain(value, order[:place], player)
        return [share / (divide(players) if divide else count) for share in shares]

    return answer


def _turns(players):
    return [tuple((first + step) % players for step in range(players)) for first in range(players)]


def _leave_one_out(value, players):
    everybody = set(range(players))
    return [value(everybody) - value(everybody - {player}) for player in range(players)]


def _alone(value, players):
    return [value({player}) - value(set()) for player in range(players)]


def _alone_and_last(value, players):
    return [(one + last) / 2 for one, last in zip(_alone(value, players), _leave_one_out(value, players), strict=True)]


def _scaled_to_the_total(value, players):
    gains, total = _leave_one_out(value, players), value(set(range(players))) - value(set())
    return [gain / sum(gains) * total for gain in gains]


def _gains(value, players, player):
    others = [other for other in range(players) if other != player]
    return {
        team: value({*team, player}) - value(set(team))
        for size in range(players)
        for team in combinations(others, size)
    }


def _over_teams(weigh):
    """Wrong shares: each gain of a player who joins a team, weighed by `weigh(size, players)`."""

    def answer(value, players):
        every = [_gains(value, players, player) for player in range(players)]
        return [sum(weigh(len(team), players) * gain for team, gain in gains.items()) for gains in every]

    return answer


def _teams_with_the_player(value, players):
    teams = [set(team) for size in range(players + 1) for team in combinations(range(players), size)]
    shares = []
    for player in range(players):
        own = [value(team) for team in teams if player in team]
        shares.append(sum(own) / len(own))
    return shares


def _by_place(value, players):
    shares = [0.0] * players
    for order in permutations(range(players)):
        for place in range(players):
            shares[place] += value(set(order[: place + 1])) - value(set(order[:place]))
    return [share / math.factorial(players) for share in shares]


def _equal_shares(value, players):
    return [(value(set(range(players))) - value(set())) / players] * players


def _game(players):
    return {team: round(torch.randn(()).item() * 10, 1) for team in _teams(players)}


SHAPLEY_BY_ORDERS = Exercise(
    reference=shapley_by_orders,
    prompt="Shapley values: the players 0 to players - 1 come into the room one after the other, in every possible "
    "order. Each is credited with what the team's value rises when this player comes. A player's share is the mean "
    "over all orders. value(team) gives a number for a frozenset of players; the empty one has a value too, not always "
    "0. Returns a list, player 0 first.",
    cases=lambda: [
        ({"": 0.0, "0": 10.0, "1": 20.0, "01": 50.0}, 2),
        ({"": 1.0, "0": 4.0}, 1),
        ({"": 0.0, "0": 0.0, "1": 0.0, "2": 0.0, "01": 0.0, "02": 12.0, "12": 12.0, "012": 12.0}, 3),
        (_game(3), 3),
        (_game(4), 4),
    ],
    run=_play,
    judge=_shapley_by_teams,
    right=[_shapley_by_sizes, _shapley_with_pairs, _shapley_by_recursion],
    wrong=[
        Wrong(
            _leave_one_out,
            "You take each player out of the full team. Two who can stand in for each other then both get 0. Let them "
            "come in every order.",
        ),
        Wrong(
            _alone,
            "You take each player alone. What they do together belongs to nobody then. Let them come in every order.",
        ),
        Wrong(
            _alone_and_last,
            "You average two places, first and last. With three players or more there are places between: go over "
            "every order.",
        ),
        Wrong(
            _scaled_to_the_total,
            "You take each player out of the full team and stretch the result to the total. The sum is right and the "
            "shares are not: go over every order.",
        ),
        Wrong(
            _over_teams(lambda size, players: 1 / 2 ** (players - 1)),
            "You average over the teams a player can join, all counted alike: these are Banzhaf's values, and they do "
            "not add up to the total. Small and large teams stand in more orders than middling ones: average over "
            "orders.",
        ),
        Wrong(
            _over_teams(lambda size, players: 1.0),
            "You add up the gains over all teams. Go over orders instead, and divide by their number.",
        ),
        Wrong(
            _over_teams(lambda size, players: 1 / math.comb(players - 1, size)),
            "The gains are averaged within each size of team, and then added up over the sizes. Divide by the number "
            "of sizes, which is `players`, too.",
        ),
        Wrong(
            _over_teams(lambda size, players: math.factorial(size) * math.factorial(players - size)),
            "Two things are wrong with your weights: after the team and the player, players - size - 1 are left, and "
            "all is to be divided by the number of orders, players!.",
        ),
        Wrong(
            _over_teams(
                lambda size, players: math.factorial(size) * math.factorial(players - size) / math.factorial(players)
            ),
            "After the team and the player, players - size - 1 are left to come, and not players - size. With orders "
            "you need no such weight.",
        ),
        Wrong(
            _over_orders(lambda value, before, player: value({*before, player})),
            "You credit the player with the whole value of the team. Subtract its value before the player came.",
        ),
        Wrong(
            _over_orders(
                lambda value, before, player: value({*before, player}) - (value(set(before)) if before else 0)
            ),
            "The first player of an order is credited with the value of the empty team too. Subtract "
            "value(frozenset()) there: for a model, it is the output for the baseline.",
        ),
        Wrong(
            _over_orders(lambda value, before, player: value(set(before)) - value({*before, player})),
            "Your sign is turned round: value with the player minus value without.",
        ),
        Wrong(
            _over_orders(orders=lambda players: [range(players)]),
            "You try one order only, 0, 1, 2, ... Who comes late gets what is left. itertools.permutations gives all.",
        ),
        Wrong(
            _over_orders(orders=lambda players: [range(players), range(players)[::-1]]),
            "You try two orders, forward and backward. itertools.permutations gives all.",
        ),
        Wrong(
            _over_orders(orders=_turns),
            "You turn one order round in a circle, which gives `players` orders. There are players! of them: "
            "itertools.permutations.",
        ),
        Wrong(
            _over_orders(divide=lambda players: 1),
            "You forgot to divide by the number of orders: math.factorial(players).",
        ),
        Wrong(
            _over_orders(divide=lambda players: players),
            "You divide by the number of players. It is a mean over orders: math.factorial(players).",
        ),
        Wrong(
            _teams_with_the_player,
            "You average the values of all teams that have the player. What counts is the difference the player makes.",
        ),
        Wrong(
            _by_place,
            "You credit the place in the order and not the player who stands there: shares[order[place]].",
        ),
        Wrong(lambda value, players: [value(player) for player in range(players)], NO_TEAM),
        Wrong(
            _equal_shares,
            "You share out equally. The sum is right, but who does nothing gets as much as who does all.",
        ),
    ],
    hints=[
        "itertools.permutations(range(players)) gives every order. Who is in the room before a player comes?",
        "In an order, the player at `place` finds the team frozenset(order[:place]).",
        "Add value(team with the player) - value(team) to that player's share, and divide by math.factorial(players).",
    ],
)

# ---------------------------------------------------------------- kernel_weight


def kernel_weight(size, players):
    if size in (0, players):
        return math.inf
    return (players - 1) / (math.comb(players, size) * size * (players - size))


def _as_tensor(answer, size, players):
    """The weight as a tensor, since infinity is compared as such there."""
    weight = answer(size, players)
    return torch.as_tensor(weight).double() if isinstance(weight, (int, float, torch.Tensor)) else weight


def _kernel_by_factorials(size, players):
    f = math.factorial
    return (
        math.inf if size * (players - size) == 0 else (players - 1) * f(size - 1) * f(players - size - 1) / f(players)
    )


def _kernel_by_beta(size, players):
    if not 0 < size < players:
        return float("inf")
    return (players - 1) / players * math.gamma(size) * math.gamma(players - size) / math.gamma(players)


def _kernel_by_table(size, players):
    others = torch.arange(1, players, dtype=torch.float64)
    of_sizes = [math.inf, *((players - 1) / (others * (players - others))).tolist(), math.inf]
    return of_sizes[size] / math.comb(players, size)


def _kernel_by_product(size, players):
    try:
        weight = (players - 1) / (size * (players - size))
    except ZeroDivisionError:
        return math.inf
    for number in range(size):
        weight *= (number + 1) / (players - number)
    return weight


def _inner(weight, ends=math.inf):
    """A wrong weight: `weight(size, players)`, and `ends` where nobody or everybody is there."""
    return lambda size, players: weight(size, players) if 0 < size < players else ends


KERNEL_WEIGHT = Exercise(
    reference=kernel_weight,
    prompt="KernelSHAP fits a line to the values of teams; how much does one team of `size` players count, of "
    "`players` in all? (players - 1) / (C * size * (players - size)), where C is the number of teams of this size. The "
    "empty team and the full one must be met exactly: their weight is infinite, math.inf. Lundberg & Lee 2017, theorem "
    "2.",
    cases=lambda: [(1, 4), (2, 4), (3, 10), (5, 10), (9, 10), (1, 2), (2, 3), (0, 6), (6, 6)],
    run=_as_tensor,
    judge=lambda *case: _as_tensor(_kernel_by_factorials, *case),
    tolerance=1e-6,
    right=[_kernel_by_beta, _kernel_by_product, _kernel_by_table],
    wrong=[
        Wrong(
            _inner(lambda size, players: (players - 1) / (size * (players - size))),
            "You forgot the number of teams of this size. That is the weight of all of them together; one team gets "
            "its part of it. Divide by math.comb(players, size) too.",
        ),
        Wrong(
            _inner(lambda size, players: (players - 1) / math.comb(players, size)),
            "You forgot size * (players - size). It is what makes the smallest and the largest teams count most.",
        ),
        Wrong(
            _inner(lambda size, players: 1 / (math.comb(players, size) * size * (players - size))),
            "You forgot players - 1. The fit would be the same, since every weight is smaller by one factor; but it is "
            "not the weight of the formula.",
        ),
        Wrong(
            _inner(lambda size, players: players / (math.comb(players, size) * size * (players - size))),
            "On top stands players - 1, not players.",
        ),
        Wrong(
            _inner(lambda size, players: (players - 1) / math.comb(players, size) * size * (players - size)),
            "Python goes from left to right: a / b * c is (a / b) * c. Put the whole denominator in brackets.",
        ),
        Wrong(
            _inner(lambda size, players: (players - 1) / (math.comb(players - 1, size) * size * (players - size))),
            "You count the teams that one player can join. C is the number of teams of this size among all: "
            "math.comb(players, size).",
        ),
        Wrong(
            _inner(lambda size, players: (players - 1) / (math.perm(players, size) * size * (players - size))),
            "math.perm counts orders. A team has no order: math.comb(players, size).",
        ),
        Wrong(
            _inner(lambda size, players: (players - 1) / (math.factorial(size) * size * (players - size))),
            "The number of teams is not size!. It is players! / (size! (players - size)!): math.comb(players, size).",
        ),
        Wrong(
            lambda size, players: (
                math.factorial(size) * math.factorial(max(players - size - 1, 0)) / math.factorial(players)
            ),
            "That is the weight of a player's gain in the Shapley value's own formula. KernelSHAP weighs the teams of "
            "a fit, and it needs the other one.",
        ),
        Wrong(
            _inner(lambda size, players: (players - 1) // (math.comb(players, size) * size * (players - size))),
            "// divides without a remainder, and so gives 0 nearly everywhere. Use /.",
        ),
        Wrong(
            lambda size, players: (players - 1) / (math.comb(players, size) * size * (players - size)),
            "For the empty team and the full one you divide by 0. Return math.inf for these two first.",
        ),
        Wrong(
            _inner(kernel_weight, ends=0.0),
            "You give the empty team and the full one no weight. These two must be met exactly, so that the shares add "
            "up to the total: their weight is infinite.",
        ),
        Wrong(
            _inner(kernel_weight, ends=1.0),
            "You give the empty team and the full one the weight 1. These two must be met exactly: their weight is "
            "infinite, math.inf.",
        ),
        Wrong(
            _inner(kernel_weight, ends=1e6),
            "A large number for infinity is what a program may use in the fit. Here return math.inf.",
        ),
        Wrong(
            lambda size, players: kernel_weight(size, players) if size < players else 0.0,
            "The full team must be met exactly too, as the empty one: its weight is infinite.",
        ),
    ],
    hints=[
        "Two teams are special. Deal with them first: if size in (0, players).",
        "math.comb(players, size) is the number of teams of this size.",
        "(players - 1) / (math.comb(players, size) * size * (players - size)), with the whole denominator in brackets.",
    ],
)

# ---------------------------------------------------------------- fit_nearby


def fit_nearby(x, samples, outputs, width):
    squared_distances = ((samples - x) ** 2).sum(dim=1)
    weights = torch.exp(-squared_distances / width**2)
    design = torch.cat([torch.ones(len(samples), 1), samples], dim=1)
    root = weights.sqrt()[:, None]
    return torch.linalg.lstsq(root * design, root[:, 0] * outputs).solution[1:]


def _around(x, samples, width):
    samples = x + torch.randn(samples, len(x))
    outputs = 2 + torch.sin(2 * samples[:, 0]) + samples[:, 1] ** 2 + samples.sum(dim=1)
    return x, samples, outputs, width


def _with_parts_taken_away(parts, samples):
    """Samples of words or patches: 1 is there, 0 is gone; x has them all."""
    samples = (torch.rand(samples, parts) < 0.5).float()
    outputs = torch.sigmoid(samples @ torch.randn(parts) + 3 * samples[:, 0] * samples[:, 1])
    return torch.ones(parts), samples, outputs, 0.75 * parts**0.5


def _fit_by_centring(x, samples, outputs, width):
    """In double precision: with weighted means taken away, no intercept is needed."""
    x, samples, outputs = x.double(), samples.double(), outputs.double()
    weights = torch.exp(-((samples - x).norm(dim=1) ** 2) / width**2)
    shares = (weights / weights.sum())[:, None]
    samples, outputs = samples - (shares * samples).sum(dim=0), outputs - (shares[:, 0] * outputs).sum()
    return torch.linalg.solve(samples.T @ (shares * samples), samples.T @ (shares[:, 0] * outputs)).float()


def _fit_by_normal_equations(x, samples, outputs, width):
    weights = torch.diag(torch.exp(-((torch.cdist(samples, x[None])[:, 0] / width) ** 2)))
    design = F.pad(samples, (1, 0), value=1.0)
    return (torch.linalg.inv(design.T @ weights @ design) @ design.T @ weights @ outputs)[1:]


def _fit_around_x(x, samples, outputs, width):
    moved = samples - x
    root = torch.exp(-moved.square().sum(1) / (2 * width**2)).unsqueeze(1)
    design = torch.hstack([moved, torch.ones_like(root)])
    return (torch.linalg.pinv(root * design) @ (root.squeeze(1) * outputs))[:-1]


def _fit_by_qr(x, samples, outputs, width):
    weights = torch.stack([torch.exp(-(torch.dist(sample, x) ** 2) / width**2) for sample in samples])
    design = torch.column_stack([torch.ones(len(samples)), samples])
    q, r = torch.linalg.qr(design * weights.sqrt()[:, None])
    return torch.linalg.solve_triangular(r, q.T @ (outputs * weights.sqrt())[:, None], upper=True)[1:, 0]


def _near(squared_distances, width):
    return torch.exp(-squared_distances / width**2)


def _fitted(
    weigh=_near, design=lambda samples: F.pad(samples, (1, 0), value=1.0), outputs_too=True, result=lambda w: w[1:]
):
    """A wrong fit: samples weighed by `weigh(squared distances, width)`, a part `result` of the solution."""

    def answer(x, samples, outputs, width):
        root = weigh(((samples - x) ** 2).sum(dim=1), width).sqrt()
        return result(_solved(root[:, None] * design(samples), root * outputs if outputs_too else outputs))

    return answer


def _solved(matrix, vector):
    return torch.linalg.lstsq(matrix, vector).solution


def _with_distances(distances):
    """A wrong fit: the samples are weighed by `distances(samples, x)`, which stand for the squared distances."""

    def answer(x, samples, outputs, width):
        root = _near(distances(samples, x), width).sqrt()
        return _solved(root[:, None] * F.pad(samples, (1, 0), value=1.0), root * outputs)[1:]

    return answer


def _one_by_one(x, samples, outputs, width):
    return torch.cat([fit_nearby(x[f : f + 1], samples[:, f : f + 1], outputs, width) for f in range(len(x))])


def _times_x(x, samples, outputs, width):
    return x * fit_nearby(x, samples, outputs, width)


def _standardised(x, samples, outputs, width):
    return samples.std(dim=0) * fit_nearby(x, samples, outputs, width)


FIT_NEARBY = Exercise(
    reference=fit_nearby,
    prompt="The heart of LIME. A model was asked about `samples` (S, F) around the input x (F,), and gave `outputs` "
    "(S,). A sample at the distance d from x (Euclidean) gets the weight exp(-d² / width²). Fit a linear function with "
    "an intercept to the outputs, so that the weighted sum of squared errors is smallest. Returns its slopes (F,), "
    "without the intercept.",
    cases=lambda: [
        (
            torch.tensor([0.0, 0.0]),
            torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]),
            torch.tensor([3.0, -2.0, 0.0, 1.0]),
            1.0,
        ),
        _around(torch.randn(3), 30, 1.5),
        _around(torch.randn(2) + 2, 40, 0.8),
        _with_parts_taken_away(5, 60),
    ],
    judge=_fit_by_centring,
    tolerance=2e-4,
    right=[_fit_by_normal_equations, _fit_around_x, _fit_by_qr],
    wrong=[
        Wrong(
            _fitted(design=lambda samples: samples, result=lambda w: w),
            "Your line must pass through 0: the intercept is missing. The slopes then have to explain the output's "
            "level as well. Give the samples a column of ones.",
        ),
        Wrong(
            _fitted(lambda squares, width: torch.ones_like(squares)),
            "All samples count alike. LIME asks about the neighbourhood of x: weigh them by exp(-d² / width²).",
        ),
        Wrong(
            _fitted(lambda squares, width: torch.ones_like(squares), lambda samples: samples, result=lambda w: w),
            "Two things are missing: the weights exp(-d² / width²), and the intercept, which is a column of ones.",
        ),
        Wrong(
            _fitted(lambda squares, width: _near(squares, width) ** 2),
            "Your weights are squared. In least squares, a row multiplied by w counts w² times: multiply the rows by "
            "the roots of the weights.",
        ),
        Wrong(
            _fitted(lambda squares, width: _near(squares, width).sqrt()),
            "Your weights are exp(-d² / (2 width²)), the roots of those asked. It is how statistics writes a normal "
            "distribution, and also what the lime library does; here it is exp(-d² / width²).",
        ),
        Wrong(
            _fitted(lambda squares, width: torch.exp(-squares / width)),
            "The width is not squared: with it, the weight would depend on the unit in which the distance is measured. "
            "exp(-d² / width²).",
        ),
        Wrong(
            _fitted(lambda squares, width: torch.exp(-squares.sqrt() / width)),
            "You take the distance as it is. It is squared, and so is the width: exp(-(d / width)²).",
        ),
        Wrong(
            _fitted(lambda squares, width: torch.exp(-squares)),
            "You forgot the width. It says how far the neighbourhood reaches: exp(-d² / width²).",
        ),
        Wrong(
            _fitted(lambda squares, width: torch.exp(squares / width**2)),
            "The minus is missing, so the farthest samples count most.",
        ),
        Wrong(
            _fitted(lambda squares, width: torch.softmax(squares, dim=0)),
            "softmax of the distances gives the farthest samples the greatest weights. exp(-d² / width²).",
        ),
        Wrong(
            _fitted(outputs_too=False),
            "You weigh the samples and not the outputs. A row of the fit is both: multiply both sides by the root.",
        ),
        Wrong(
            _with_distances(lambda samples, x: ((samples - x) ** 2).mean(dim=1)),
            "You average over the features. The squared distance is their sum.",
        ),
        Wrong(
            _with_distances(lambda samples, x: (samples - x).abs().sum(dim=1) ** 2),
            "You add up absolute differences. The Euclidean distance squares them first: (samples - x) ** 2.",
        ),
        Wrong(
            _with_distances(lambda samples, x: (samples**2).sum(dim=1)),
            "You measure the distance from 0. Measure it from x: samples - x.",
        ),
        Wrong(
            _with_distances(lambda samples, x: ((samples - samples.mean(dim=0)) ** 2).sum(dim=1)),
            "You measure the distance from the mean of the samples. Measure it from x, which is what is explained.",
        ),
        Wrong(
            _fitted(result=lambda w: w),
            "The first of your numbers is the intercept. Return the slopes alone, one for each feature: [1:].",
        ),
        Wrong(
            _fitted(result=lambda w: w[:-1]),
            "You return the intercept and leave out the last slope. The column of ones came first: [1:].",
        ),
        Wrong(
            _one_by_one,
            "You fit one feature at a time. Where features move together, each then gets the others' effect too. One "
            "fit for all.",
        ),
        Wrong(
            _times_x,
            "You multiply the slopes by x. That makes an effect of a slope, and is a good idea when LIME is compared "
            "with Shapley values; here return the slopes.",
        ),
        Wrong(
            _standardised,
            "You multiply the slopes by the spread of the features. Return the slopes as they are.",
        ),
    ],
    hints=[
        "The squared distance of every sample is ((samples - x) ** 2).sum(dim=1).",
        "A column of ones beside the samples gives the intercept. torch.linalg.lstsq(A, b).solution makes "
        "(A w - b)² smallest.",
        "To give a row the weight w, multiply it by w.sqrt(), in A and in b alike.",
    ],
)

# ---------------------------------------------------------------- deletion_steps


def deletion_steps(model, image, scores, target, baseline):
    order = scores.flatten().argsort(descending=True)
    images = image.flatten().repeat(len(order) + 1, 1)
    for step in range(1, len(order) + 1):
        images[step, order[:step]] = baseline
    with torch.no_grad():
        return model(images.view(-1, *image.shape)).softmax(dim=1)[:, target]


def _without_graph_of_steps(answer, model, image, scores, target, baseline):
    return _plain(answer(model, image, scores, target, baseline))


@torch.no_grad()
def _deletion_pixel_by_pixel(model, image, scores, target, baseline):
    left, scores = image.clone(), scores.flatten().tolist()
    probabilities = [model(left[None]).softmax(dim=1)[0, target]]
    for pixel in sorted(range(len(scores)), key=lambda pixel: -scores[pixel]):
        left.view(-1)[pixel] = baseline
        probabilities.append(model(left[None]).softmax(dim=1)[0, target])
    return torch.stack(probabilities)


def _deletion_by_ranks(model, image, scores, target, baseline):
    ranks = (-scores).flatten().argsort().argsort().view(scores.shape)
    steps = torch.arange(scores.numel() + 1)[:, None, None]
    images = torch.where(ranks < steps, torch.tensor(baseline), image)
    return F.softmax(model(images), -1)[:, target]


def _deletion_by_thresholds(model, image, scores, target, baseline):
    limits = torch.cat([torch.tensor([math.inf]), scores.flatten().sort(descending=True).values])
    images = torch.stack([image.masked_fill(scores >= limit, baseline) for limit in limits])
    return model(images).log_softmax(dim=1).exp()[:, target]


def _deletion_by_triangle(model, image, scores, target, baseline):
    count = scores.numel()
    places = torch.argsort(-scores.reshape(-1))
    there = torch.ones(count + 1, count).triu()
    there[:, places] = there.clone()
    flat = there * image.reshape(1, -1) + (1 - there) * baseline
    return torch.softmax(model(flat.reshape(-1, *image.shape)), dim=1)[..., target]


def _probability(outputs, target):
    return outputs.softmax(dim=1)[:, target]


def _deleting(
    key=lambda scores: -scores,
    gone=lambda ranks, steps: ranks < steps,
    first=0,
    read=_probability,
    fill=lambda image, gone, baseline: image.masked_fill(gone, baseline),
):
    """A wrong curve: pixels stand in the order of `key(scores)`; `gone(ranks, steps)` says which are away at a step."""

    @torch.no_grad()
    def answer(model, image, scores, target, baseline):
        ranks = key(scores).flatten().argsort().argsort().view(scores.shape)
        steps = torch.arange(first, scores.numel() + 1)[:, None, None]
        return read(model(fill(image, gone(ranks, steps), baseline)), target)

    return answer


@torch.no_grad()
def _deletion_in_the_image(model, image, scores, target, baseline):
    curve = deletion_steps(model, image, scores, target, baseline)
    image.fill_(baseline)
    return curve


@torch.no_grad()
def _places_for_ranks(model, image, scores, target, baseline):
    places = scores.flatten().argsort(descending=True).view(scores.shape)
    steps = torch.arange(scores.numel() + 1)[:, None, None]
    return _probability(model(image.masked_fill(places < steps, baseline)), target)


DELETION_STEPS = Exercise(
    reference=deletion_steps,
    prompt="The deletion curve, a test of an explanation. Of an image (H, W) with P = H * W pixels, set one pixel "
    "after the other to the number `baseline`, the one with the highest score first; pixels that are gone stay gone. "
    "Returns the probability (softmax) of `target` after 0, 1, ..., P pixels, (P + 1,). model takes a batch (B, H, W) "
    "and gives (B, K) before softmax. Scores have signs, and no two are equal.",
    cases=lambda: [
        (
            _linear([[1.0, 2.0, -1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]),
            torch.ones(2, 2),
            torch.tensor([[1.0, 2.0], [-1.0, 0.0]]),
            0,
            0.0,
        ),
        (_classifier(12, 3), torch.randn(3, 4), torch.randn(3, 4), 2, 0.5),
        (_classifier(25, 4), torch.randn(5, 5), torch.randn(5, 5), 0, -1.0),
    ],
    run=_without_graph_of_steps,
    judge=_deletion_pixel_by_pixel,
    right=[_deletion_by_ranks, _deletion_by_thresholds, _deletion_by_triangle],
    wrong=[
        Wrong(
            _deleting(lambda scores: scores),
            "The pixel with the lowest score goes first. A curve that falls late then looks like a bad explanation. "
            "argsort(descending=True).",
        ),
        Wrong(
            _deleting(lambda scores: -scores.abs()),
            "You sort by absolute values. A pixel with a strongly negative score speaks against the target: without it "
            "the curve rises. Sort by the scores as they are.",
        ),
        Wrong(
            _deleting(lambda scores: torch.arange(scores.numel())),
            "You take the pixels in the order in which they lie, row by row, and never look at the scores.",
        ),
        Wrong(
            _deleting(gone=lambda ranks, steps: ranks == steps - 1),
            "You take one pixel away and put it back. Pixels that are gone stay gone: at step k, the first k are away.",
        ),
        Wrong(
            _deleting(gone=lambda ranks, steps: ranks >= steps),
            "You begin with an empty image and bring pixels in: that is the insertion curve.",
        ),
        Wrong(
            _deleting(first=1),
            "The first number is missing: the probability for the whole image, after 0 pixels. There are P + 1.",
        ),
        Wrong(
            lambda *case: deletion_steps(*case)[:-1],
            "The last number is missing: the probability when all pixels are gone. There are P + 1.",
        ),
        Wrong(
            _deleting(read=lambda outputs, target: outputs[:, target]),
            "You return the outputs before softmax. Asked is the probability: .softmax(dim=1).",
        ),
        Wrong(
            _deleting(read=lambda outputs, target: outputs.softmax(dim=0)[:, target]),
            "softmax(dim=0) runs over the steps. The probabilities of one image are a row: dim=1.",
        ),
        Wrong(
            _deleting(read=lambda outputs, target: outputs.softmax(dim=1).max(dim=1).values),
            "You follow the largest probability, and another class may take over on the way. Follow `target`.",
        ),
        Wrong(
            _deleting(read=lambda outputs, target: outputs.softmax(dim=1)),
            "You return the probabilities of all classes. Asked is that of `target`: [:, target].",
        ),
        Wrong(
            lambda *case: deletion_steps(*case)[0] - deletion_steps(*case),
            "You return how far the probability has fallen. Asked is the probability itself.",
        ),
        Wrong(
            lambda *case: deletion_steps(*case).mean(),
            "You return the mean, which is about the area under the curve. Asked is the curve: P + 1 numbers.",
        ),
        Wrong(
            _deleting(fill=lambda image, gone, baseline: image.masked_fill(gone, 0.0)),
            "You set the pixels to 0. What stands for nothing is `baseline`.",
        ),
        Wrong(
            _places_for_ranks,
            "You compare the result of argsort with the step. argsort gives places and not ranks: its first entry says "
            "where the highest score is. Set the image at order[:step], or call argsort twice.",
        ),
        Wrong(
            _deletion_in_the_image,
            "The curve is right, but your code empties the image that it was given. Work on a copy: image.clone().",
        ),
    ],
    hints=[
        "In which order do the pixels go? scores.flatten().argsort(descending=True) gives their places.",
        "One image for each step, P + 1 in all: image.flatten().repeat(P + 1, 1). In image k, the places order[:k] are "
        "`baseline`.",
        "model(images.view(-1, *image.shape)).softmax(dim=1)[:, target]",
    ],
)

# ---------------------------------------------------------------- penalise_forbidden


def penalise_forbidden(model, x, forbidden):
    x = x.clone().requires_grad_()
    log_probabilities = model(x).log_softmax(dim=1)
    gradient = torch.autograd.grad(log_probabilities.sum(), x, create_graph=True)[0]
    return (gradient * forbidden).square().sum(dim=1).mean()


NO_GRAPH = (
    "The number is right, but training cannot make it smaller: it has no graph that leads to the parameters. Ask for "
    "one: torch.autograd.grad(..., create_graph=True), and use no detach(), item() or .data."
)
GRADS_TOO = (
    "The penalty is right, but backward() also filled the .grad of the model's parameters, and the training step would "
    "add that to its own. torch.autograd.grad(..., x, create_graph=True) leaves them alone."
)


def _penalty_and_gradients(answer, model, x, forbidden):
    """The penalty and what it tells every parameter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's about backward(create_graph=True), which has its own verdict here
        penalty = answer(model, x, forbidden)
    right = not difference(_plain(penalty), penalise_forbidden(model, x, forbidden).item(), 1e-4)
    trainable = torch.is_tensor(penalty) and penalty.requires_grad
    if right and not trainable:
        raise Mistake(NO_GRAPH)
    if right and any(parameter.grad is not None for parameter in model.parameters()):
        raise Mistake(GRADS_TOO)
    if not trainable or penalty.numel() != 1:
        return {"penalty": _plain(penalty), "gradients": None}
    return {"penalty": _plain(penalty), "gradients": _to_parameters(penalty.sum(), model)}


def _penalty_by_jacobians(model, x, forbidden):
    """The same with torch's jacobian, input by input."""

    def log_probabilities(row):
        return model(row[None]).log_softmax(dim=1).sum()

    penalty = 0.0
    for row, away in zip(x, forbidden, strict=True):
        gradient = torch.autograd.functional.jacobian(log_probabilities, row, create_graph=True)
        penalty = penalty + (gradient[away] ** 2).sum() / len(x)
    return {"penalty": penalty.detach(), "gradients": _to_parameters(penalty, model)}


def _to_parameters(penalty, model):
    return list(torch.autograd.grad(penalty, list(model.parameters()), allow_unused=True, materialize_grads=True))


def _penalty_row_by_row(model, x, forbidden):
    total = torch.zeros(())
    for row, away in zip(x, forbidden, strict=True):
        row = row.detach().clone().requires_grad_(True)
        score = F.log_softmax(model(row[None]), dim=-1).sum()
        (gradient,) = torch.autograd.grad(score, row, create_graph=True)
        total = total + gradient[away].pow(2).sum()
    return total / len(x)


def _penalty_by_masked_fill(model, x, forbidden):
    x = x.detach().requires_grad_()
    outputs = model(x)
    scores = outputs.sum(dim=1) - outputs.shape[1] * outputs.logsumexp(dim=1)
    gradient = torch.autograd.grad(scores, x, torch.ones(len(x)), create_graph=True)[0]
    return torch.linalg.vector_norm(gradient.masked_fill(~forbidden, 0.0)) ** 2 / len(x)


def _penalty_by_products(model, x, forbidden):
    inputs = x.detach().clone().requires_grad_()
    total = model(inputs).softmax(dim=1).log().sum()
    (gradient,) = torch.autograd.grad(total, [inputs], retain_graph=True, create_graph=True)
    return torch.einsum("bf,bf,bf->b", gradient, gradient, forbidden.float()).mean()


def _penalty(score=lambda outputs: outputs.log_softmax(dim=1).sum(), sum_up=None, graph=True):
    """A wrong penalty: the gradient of `score(outputs)`, made a number by `sum_up(gradient, forbidden)`."""
    sum_up = sum_up or (lambda gradient, forbidden: (gradient * forbidden).square().sum(dim=1).mean())

    def answer(model, x, forbidden):
        x = x.clone().requires_grad_()
        return sum_up(torch.autograd.grad(score(model(x)), x, create_graph=graph)[0], forbidden)

    return answer


def _penalty_by_backward(model, x, forbidden):
    x = x.clone().requires_grad_()
    model(x).log_softmax(dim=1).sum().backward(create_graph=True)
    return (x.grad * forbidden).square().sum(dim=1).mean()


def _penalty_on_covered_inputs(model, x, forbidden):
    return penalise_forbidden(model, x * ~forbidden, forbidden)


def _weights_instead(model, x, forbidden):
    return sum(parameter.square().sum() for parameter in model.parameters())


def _inputs_instead(model, x, forbidden):
    return (x * forbidden).square().sum(dim=1).mean()


PENALISE_FORBIDDEN = Exercise(
    reference=penalise_forbidden,
    prompt="Right for the right reasons: a penalty for a model that looks where it must not. Take the sum of all "
    "log-probabilities (log_softmax of the outputs) of all inputs; its gradient to x (B, F); keep it where `forbidden` "
    "(B, F) is True; return the sum of its squares for each input, averaged over the batch: one number. Training will "
    "call backward() on it, so it must have a graph to the parameters; their .grad stays as it was. Ross, Hughes & "
    "Doshi-Velez 2017.",
    cases=lambda: [
        (_linear([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[False, True]])),
        (_classifier(4, 3), torch.randn(5, 4), torch.rand(5, 4) < 0.4),
        (_classifier(6, 2), torch.randn(3, 6), torch.tensor([[True, True, False, False, False, False]] * 3)),
        (nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 4)), torch.randn(6, 5), torch.rand(6, 5) < 0.5),
    ],
    run=_penalty_and_gradients,
    judge=_penalty_by_jacobians,
    tolerance=1e-4,
    right=[_penalty_row_by_row, _penalty_by_masked_fill, _penalty_by_products],
    wrong=[
        Wrong(_penalty(graph=False), NO_GRAPH),
        Wrong(_penalty_by_backward, GRADS_TOO),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: (gradient * ~forbidden).square().sum(dim=1).mean()),
            "You penalise the allowed places: the model would learn to look at the forbidden ones only. True means "
            "forbidden.",
        ),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: gradient.square().sum(dim=1).mean()),
            "You penalise the gradient everywhere, so the model must become flat. Keep it where `forbidden` is True.",
        ),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).abs().sum(dim=1).mean()),
            "You add up absolute values. Asked are squares, which press hardest on the largest.",
        ),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).sum(dim=1).mean()),
            "You add up the gradient with its sign: plus and minus cancel, and a large negative sum looks like a small "
            "penalty. Square first.",
        ),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).sum(dim=1).square().mean()),
            "You add up first and square then, so plus and minus cancel. Square each, then add up.",
        ),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).norm(dim=1).mean()),
            "That is the root of the sum of squares. Leave the root out: its own gradient breaks down at 0, where "
            "training wants to arrive.",
        ),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).square().mean()),
            "You take the mean over the places too, so an input with more pixels is punished less. Add up an input's "
            "squares; the mean is over the batch.",
        ),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: gradient[forbidden].square().mean()),
            "You take the mean over the forbidden places: few or many of them would weigh the same. Add up an input's "
            "squares; the mean is over the batch.",
        ),
        Wrong(
            _penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).square().sum()),
            "You add up over the batch as well, so twice the batch is twice the penalty, while the loss beside it is a "
            "mean. Take the mean over the batch.",
        ),
        Wrong(
            _penalty(lambda outputs: outputs.log_softmax(dim=1).mean()),
            "You take the mean of the log-probabilities: the penalty shrinks with the square of their number. Asked is "
            "their sum.",
        ),
        Wrong(
            _penalty(lambda outputs: outputs.sum()),
            "You take the outputs before softmax. Asked are log-probabilities: .log_softmax(dim=1).",
        ),
        Wrong(
            _penalty(lambda outputs: outputs.softmax(dim=1).sum()),
            "You add up probabilities. They add up to 1 whatever the model looks at, so their gradient is always 0: "
            "take log-probabilities.",
        ),
        Wrong(
            _penalty(lambda outputs: outputs.log_softmax(dim=0).sum()),
            "log_softmax(dim=0) runs over the batch. The probabilities of one input are a row: dim=1.",
        ),
        Wrong(
            _penalty(lambda outputs: outputs.log_softmax(dim=1).max(dim=1).values.sum()),
            "You take the likeliest class only. A forbidden place may speak for any other: add up all classes.",
        ),
        Wrong(
            _penalty_on_covered_inputs,
            "You set the forbidden places to 0 before the model sees them. It was asked about inputs that it will "
            "never meet: give it x, and mask the gradient.",
        ),
        Wrong(
            _weights_instead,
            "That is weight decay: it knows nothing of places. Take the gradient to x.",
        ),
        Wrong(
            _inputs_instead,
            "You penalise the input itself, and no training can change it. Take the gradient to x.",
        ),
    ],
    hints=[
        "As in gradient_of_target: a copy of x that records, the model, a sum, torch.autograd.grad.",
        "model(x).log_softmax(dim=1).sum() is what you go back from. create_graph=True lets training go back through "
        "the gradient itself.",
        "(gradient * forbidden).square().sum(dim=1).mean()",
    ],
)

# ---------------------------------------------------------------- compare_ranks


def compare_ranks(a, b):
    ranks = []
    for scores in (a, b):
        below = (scores[:, None] > scores).sum(dim=1)
        equal = (scores[:, None] == scores).sum(dim=1)
        ranks.append(below + (equal + 1) / 2)
    return torch.corrcoef(torch.stack(ranks))[0, 1]


def _one_number(answer, a, b):
    agreement = _plain(answer(a, b))
    return float(agreement) if torch.is_tensor(agreement) and agreement.ndim == 0 else agreement


def _agreement_by_counting(a, b):
    def centred_ranks(values):
        twice = [sum((v > w) - (v < w) for w in values) for v in values]  # twice the rank, less the mean rank
        return [rank / 2 for rank in twice]

    a, b = centred_ranks(a.tolist()), centred_ranks(b.tolist())
    return sum(p * q for p, q in zip(a, b, strict=True)) / math.sqrt(sum(p * p for p in a) * sum(q * q for q in b))


def _agreement_by_signs(a, b):
    a, b = ((x[:, None] - x).sign().sum(dim=1).double() for x in (a, b))
    return F.cosine_similarity(a, b, dim=0)


def _mean_ranks(values):
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(dim=0)
    return (last - (counts - 1) / 2)[place]


def _agreement_by_unique(a, b):
    a, b = _mean_ranks(a), _mean_ranks(b)
    a, b = a - a.mean(), b - b.mean()
    return (a @ b / (a.norm() * b.norm())).item()


def _agreement_with_a_list(a, b):
    def ranks(values):
        ordered = sorted(values)
        return [ordered.index(v) + (ordered.count(v) - 1) / 2 for v in values]

    both = torch.tensor([ranks(a.tolist()), ranks(b.tolist())])
    both = (both - both.mean(dim=1, keepdim=True)) / both.std(dim=1, keepdim=True)
    return both.prod(dim=0).sum() / (len(a) - 1)


def _correlated(rank, rank_of_b=None):
    """A wrong agreement: the correlation of `rank(a)` and `rank(b)`."""
    rank_of_b = rank_of_b or rank
    return lambda a, b: torch.corrcoef(torch.stack([rank(a).float(), rank_of_b(b).float()]))[0, 1]


def _places(values):
    return values.argsort(stable=True)


def _ranks_one_by_one(values):
    return values.argsort(stable=True).argsort()


def _by_differences(a, b):
    n = len(a)
    return 1 - 6 * ((_mean_ranks(a) - _mean_ranks(b)) ** 2).sum() / (n * (n**2 - 1))


def _kendall(a, b):
    signs = ((a[:, None] - a) * (b[:, None] - b)).sign()
    return signs.sum() / (len(a) * (len(a) - 1))


def _of_mean_ranks(compare):
    return lambda a, b: compare(_mean_ranks(a), _mean_ranks(b))


COMPARE_RANKS = Exercise(
    reference=compare_ranks,
    prompt="Do two explanations rank the features alike? Spearman's correlation of a and b, (n,) scores each: replace "
    "each score by its rank, where equal scores share the mean of their ranks, then take Pearson's correlation of the "
    "ranks. One number from -1 to 1. In neither are all scores equal.",
    cases=lambda: [
        (torch.tensor([0.1, 0.2, 0.9]), torch.tensor([10.0, 30.0, 20.0])),
        (torch.tensor([0.0, 5.0, 0.0, 2.0, 0.0]), torch.tensor([1.0, 4.0, 2.0, 2.0, 0.0])),
        (torch.randn(9), torch.randn(9).exp()),
        (torch.randn(12).relu(), torch.randn(12).round()),
        (torch.arange(6.0), -torch.arange(6.0).exp()),
    ],
    run=_one_number,
    judge=_agreement_by_counting,
    right=[_agreement_by_signs, _agreement_by_unique, _agreement_with_a_list],
    wrong=[
        Wrong(
            _correlated(lambda values: values),
            "That is Pearson's correlation of the scores. One huge score decides it, and two methods have different "
            "units: replace the scores by their ranks first.",
        ),
        Wrong(
            _correlated(_places),
            "argsort gives places and not ranks: its first entry says where the smallest score is. argsort of argsort "
            "gives ranks, and equal scores must then share the mean of theirs.",
        ),
        Wrong(
            _correlated(_ranks_one_by_one),
            "Equal scores get different ranks, by the order in which they lie. Many features have the score 0, so that "
            "matters: equal scores share the mean of their ranks.",
        ),
        Wrong(
            _correlated(lambda values: (values[:, None] > values).sum(dim=1)),
            "Equal scores all get the lowest of their ranks. They share the mean: half of the other equal ones count "
            "as below.",
        ),
        Wrong(
            _correlated(lambda values: (values[:, None] >= values).sum(dim=1)),
            "Equal scores all get the highest of their ranks. They share the mean: half of the other equal ones count "
            "as below.",
        ),
        Wrong(
            _correlated(lambda values: values.unique(return_inverse=True)[1]),
            "You number the different scores, so ten equal ones take up one rank and not ten. Equal scores share the "
            "mean of the ranks that they take up.",
        ),
        Wrong(
            _by_differences,
            "1 - 6 Σd² / (n (n² - 1)) holds only where no scores are equal. Take Pearson's correlation of the ranks.",
        ),
        Wrong(
            _kendall,
            "That is Kendall's tau: it counts pairs that stand in the same order. Spearman's correlates the ranks.",
        ),
        Wrong(
            _of_mean_ranks(lambda a, b: F.cosine_similarity(a, b, dim=0)),
            "You forgot to subtract the mean rank. All ranks are positive, so even opposite orders seem to agree.",
        ),
        Wrong(
            lambda a, b: (a.argsort() == b.argsort()).float().mean().item(),
            "You count the places that are the same. Two features that change places would cost as much as the first "
            "and the last.",
        ),
        Wrong(
            lambda a, b: compare_ranks(a.abs(), b.abs()),
            "You compare absolute values. A feature that speaks for and one that speaks against the target then look "
            "alike: rank the scores as they are.",
        ),
        Wrong(
            _of_mean_ranks(lambda a, b: ((a - a.mean()) * (b - b.mean())).mean()),
            "That is the covariance of the ranks, which grows with n. Divide by both standard deviations.",
        ),
        Wrong(
            _of_mean_ranks(lambda a, b: ((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std())),
            "std() divides by n - 1 and mean() by n, so even equal orders give less than 1. Use the same for both: "
            "std(correction=0).",
        ),
        Wrong(
            lambda a, b: compare_ranks(a, -b),
            "Your sign is turned round: one ranking runs upward and the other downward.",
        ),
        Wrong(
            lambda a, b: compare_ranks(a, b) ** 2,
            "You square it. Then opposite orders look like equal ones.",
        ),
        Wrong(
            lambda a, b: torch.corrcoef(torch.stack([_mean_ranks(a), _mean_ranks(b)])),
            "torch.corrcoef gives the whole matrix. The correlation of the two is its [0, 1].",
        ),
    ],
    hints=[
        "The rank of a score is how many are below it. Where several are equal, each gets the mean of their ranks.",
        "(scores[:, None] > scores).sum(dim=1) counts how many are below each one; == counts those that are equal, "
        "itself included. The mean rank is below + (equal + 1) / 2.",
        "torch.corrcoef(torch.stack([ranks of a, ranks of b]))[0, 1]",
    ],
)
