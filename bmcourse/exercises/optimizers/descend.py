"""The exercise `descend` of lesson 07: the path of plain gradient descent."""

import itertools

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The path of gradient descent: all points from `start` (n,) on, as rows of a tensor (steps + 1, n). "
    "`gradient` is a function: it takes a point (n,) and gives the gradient there (n,). `start` must stay as it is.",
    untried={"start": {"a gradient is wanted": "whether the path keeps its graph is left open"}},
)
def descend(gradient, start, lr, steps):
    path = [start]
    for _ in range(steps):
        path.append(path[-1] - lr * gradient(path[-1]))
    return torch.stack(path)


def two_x(x):
    return 2 * x


def x_and_ten_y(x):
    return torch.tensor([1.0, 10.0]) * x


def x_cubed(x):
    return x**3


def itself(x):
    """The gradient of x² / 2, which is the point itself, the very tensor."""
    return x


def turned_valley(w):
    return torch.stack([2 * w[0] + w[1], w[0] + 3 * w[1]])


@descend.cases
def cases():
    return [
        (two_x, torch.tensor([1.0]), 0.1, 3),
        (x_and_ten_y, torch.tensor([4.0, 1.0]), 0.15, 6),
        (x_cubed, torch.tensor([1.0, -0.5, 0.3]), 0.2, 4),
        (two_x, torch.tensor([3.0, -1.0]), 0.1, 0),
        (itself, torch.tensor([2.0, 0.0, 2.0, -60.0], dtype=torch.float64), 0.5, 2),
        (turned_valley, torch.tensor([1.0, 2.0]), 0.1, 3),
        (two_x, torch.tensor([1e-5, 0.0]), 0.1, 4),  # nearly flat, and yet every step is a row
    ]


@descend.run
def also_of_no_points(answer, gradient, start, lr, steps):
    """A path without any point may be of any shape, or an error of torch.stack."""
    try:
        path = answer(gradient, start, lr, steps)
    except RuntimeError as error:
        if "non-empty TensorList" not in str(error):
            raise
        return torch.empty(0, len(start))
    return torch.empty(0, len(start)) if torch.is_tensor(path) and not path.numel() else path


@descend.judge
def in_plain_numbers(gradient, start, lr, steps):
    rows = [start.tolist()]
    for _ in range(steps):
        slopes = gradient(torch.tensor(rows[-1], dtype=start.dtype)).tolist()
        rows.append([x - lr * slope for x, slope in zip(rows[-1], slopes, strict=True)])
    return torch.tensor(rows, dtype=start.dtype)


@descend.right
def into_a_table(gradient, start, lr, steps):
    path = torch.empty(steps + 1, len(start), dtype=start.dtype)
    path[0] = start
    for step in range(steps):
        path[step + 1] = path[step] - lr * gradient(path[step])
    return path


@descend.right
def by_recursion(gradient, start, lr, steps):
    if steps == 0:
        return start[None]
    return torch.cat([start[None], by_recursion(gradient, start - lr * gradient(start), lr, steps - 1)])


@descend.right
def by_accumulate(gradient, start, lr, steps):
    points = itertools.accumulate(range(steps), lambda x, _: x.sub(gradient(x), alpha=lr), initial=start)
    return torch.stack(list(points))


@descend.right
def on_a_copy(gradient, start, lr, steps):
    x = start.detach().clone()
    path = [x.clone()]
    while len(path) <= steps:
        x -= lr * gradient(x)
        path.append(x.clone())
    return torch.stack(path)


changed = descend.changed
MOVE = "path[-1] - lr * gradient(path[-1])"


descend.mistake(
    "You go uphill: the gradient points to where the function grows. Subtract it.",
    uphill=changed("path[-1] - lr", "path[-1] + lr"),
)
descend.mistake(
    "The learning rate is missing: a step is lr times the gradient.",
    no_learning_rate=changed("lr * gradient", "gradient"),
)
descend.mistake(
    "You divide the gradient by the learning rate, so a small rate makes long steps. Multiply.",
    divided_by_rate=changed("lr * gradient(path[-1])", "gradient(path[-1]) / lr"),
)
descend.mistake(
    "Every step uses the gradient at the start, so your path is a straight line. Ask for the gradient at the "
    "point where you are now: gradient(x).",
    gradient_of_the_start=changed("gradient(path[-1])", "gradient(start)"),
)
descend.mistake(
    "Every step sets out from the start again. Subtract from the point where you are now.",
    always_from_the_start=changed("path[-1] - lr", "start - lr"),
)
descend.mistake(
    "Every step goes from the start by the gradient at the start, so all your points after it are one. Go on from the "
    "point where you are now.",
    one_step_again_and_again=changed(MOVE, "start - lr * gradient(start)"),
)
descend.mistake(
    "Your points are the steps themselves, lr times the gradient, turned round. The next point is the last one minus "
    "that.",
    only_the_step=changed(MOVE, "-lr * gradient(path[-1])"),
)
descend.mistake(
    "Your points are lr times the gradient. The next point is the last one minus that.",
    step_for_point=changed(MOVE, "lr * gradient(path[-1])"),
)
descend.mistake(
    "You multiply the point by 1 - lr * gradient. Subtract: x - lr * gradient(x).",
    multiplied=changed(MOVE, "path[-1] * (1 - lr * gradient(path[-1]))"),
)
descend.mistake(
    "You subtract lr times the point, not times its gradient. gradient is a function: call it, gradient(x).",
    point_for_gradient=changed("lr * gradient(path[-1])", "lr * path[-1]"),
)
descend.mistake(
    "Your gradient is one step old: it is taken at the point before. Ask for it at the point you are at.",
    stale_gradient=changed("gradient(path[-1])", "gradient(path[max(0, len(path) - 2)])"),
)
descend.mistake(
    "You divide the learning rate by the number of the step. Here it stays the same in every step.",
    shrinking_rate=changed("lr * gradient", "lr / len(path) * gradient"),
)
descend.mistake(
    "Your learning rate grows with the number of the step. Here it stays the same in every step.",
    growing_rate=changed("lr * gradient", "lr * len(path) * gradient"),
)
descend.mistake(
    "You multiply the learning rate by itself in every step. Here it stays the same.",
    rate_to_a_power=changed("lr * gradient", "lr ** len(path) * gradient"),
)
descend.mistake(
    "You divide the gradient by its norm, so all your steps are equally long. In gradient descent the steps "
    "get shorter by themselves where the ground gets flat.",
    normalized=changed("lr * gradient(path[-1])", "lr * gradient(path[-1]) / gradient(path[-1]).norm()"),
)
descend.mistake(
    "You use only the sign of the gradient, so every number moves by lr. Take the gradient as it is.",
    sign_only=changed("lr * gradient(path[-1])", "lr * gradient(path[-1]).sign()"),
)
descend.mistake(
    "You clip the gradient to between -1 and 1. Take it as it is.",
    clipped=changed("lr * gradient(path[-1])", "lr * gradient(path[-1]).clamp(-1, 1)"),
)
descend.mistake(
    "You take the mean of the gradient, so all numbers move alike. Each direction has its own slope.",
    mean_of_the_gradient=changed("gradient(path[-1])", "gradient(path[-1]).mean()"),
)
descend.mistake(
    "You take the sum of the gradient, so all numbers move alike. Each direction has its own slope.",
    sum_of_the_gradient=changed("gradient(path[-1])", "gradient(path[-1]).sum()"),
)
descend.mistake(
    "You take the absolute value of the gradient, so every number only goes down, even where the minimum is above it.",
    sign_lost=changed("gradient(path[-1])", "gradient(path[-1]).abs()"),
)
descend.mistake(
    "You divide by the number of coordinates. The gradient is taken as it is.",
    divided_by_n=changed("lr * gradient(path[-1])", "lr * gradient(path[-1]) / len(start)"),
)
descend.mistake(
    "Each of your steps is twice as long. Is the gradient subtracted twice, or multiplied by 2?",
    twice=changed("lr * gradient", "2 * lr * gradient"),
)
descend.mistake(
    "You stop one step too early. The start is point 0; make `steps` steps after it: range(steps).",
    one_step_too_few=changed("range(steps)", "range(steps - 1)"),
)
descend.mistake(
    "You make one step too many. steps + 1 points need only `steps` steps: range(steps).",
    one_step_too_many=changed("range(steps)", "range(steps + 1)"),
)
descend.mistake(
    "You make one step only. Is the `return` inside the loop?",
    one_step_only=changed("range(steps)", "range(min(steps, 1))"),
)
descend.mistake(
    "You return only the end. Keep every point in a list and return torch.stack(list).",
    only_the_end=changed("torch.stack(path)", "path[-1]"),
)
descend.mistake(
    "You return a list of points. torch.stack(list) makes one tensor of them, a row for each point.",
    list_of_points=changed("torch.stack(path)", "path"),
)
descend.mistake(
    "Your points are columns. Each point is a row: torch.stack(list), whose first dimension is the step.",
    points_as_columns=changed("torch.stack(path)", "torch.stack(path, dim=1)"),
)
descend.mistake(
    "`torch.cat` puts all numbers in one line. torch.stack makes a row of each point.",
    one_line=changed("torch.stack", "torch.cat"),
)
descend.mistake(
    "Your path runs backwards: the start must be its first row.", backwards=changed("stack(path)", "stack(path[::-1])")
)
descend.mistake(
    "You return the gradients on the way. Return the points.",
    gradients_of_the_path=changed("stack(path)", "stack([gradient(x) for x in path])"),
)
descend.mistake(
    "The start stands in your path twice, and the end is missing. Take the step first, then keep the new point.",
    start_twice=changed("torch.stack(path)", "torch.stack([start, *path[:-1]])"),
)
descend.mistake(
    "The start stands in your path twice. It is the first row; in the loop take the step first, then keep the point.",
    one_row_too_many=changed("torch.stack(path)", "torch.stack([start, *path])"),
)


@descend.mistake("The start is missing: it is the first row. After `steps` steps the path has steps + 1 points.")
def without_start(gradient, start, lr, steps):
    path = descend(gradient, start, lr, steps)
    return path[1:]


@descend.mistake(
    "The end is missing. After `steps` steps the path has steps + 1 points: keep the point after the last step too."
)
def without_end(gradient, start, lr, steps):
    return descend(gradient, start, lr, steps)[:-1]


@descend.mistake(
    "The path is right, but `start` has moved: `x = start` is no copy, and `x -= ...` then changes both. Write "
    "x = x - ..., which makes a new tensor."
)
def start_changed(gradient, start, lr, steps):
    x, path = start, [start.clone()]
    for _ in range(steps):
        x -= lr * gradient(x)
        path.append(x.clone())
    return torch.stack(path)


@descend.mistake(
    "You changed what gradient(x) gave you, in place. It may be a tensor that others use, here even the point itself. "
    "Write lr * gradient(x), which makes a new tensor."
)
def gradient_changed(gradient, start, lr, steps):
    path = [start.clone()]
    for _ in range(steps):
        x = path[-1].clone()
        g = gradient(x)
        g *= lr
        path.append(x - g)
    return torch.stack(path)


@descend.mistake(
    "All your rows are the end point: `x -= ...` changes the one tensor that every place of your list holds. "
    "Write x = x - ..., which makes a new tensor in each step."
)
def same_tensor_in_every_row(gradient, start, lr, steps):
    x = start.clone()
    path = [x]
    for _ in range(steps):
        x -= lr * gradient(x)
        path.append(x)
    return torch.stack(path)


@descend.mistake(
    "All your rows are the end point, and `start` itself has moved there too: `x = start` is no copy, and `x "
    "-= ...` changes the one tensor in all places of your list. Write x = x - ..."
)
def start_in_every_row(gradient, start, lr, steps):
    x, path = start, [start]
    for _ in range(steps):
        x -= lr * gradient(x)
        path.append(x)
    return torch.stack(path)


@descend.mistake("Your point never moves: x - lr * gradient(x) is a new tensor. Keep it: x = x - lr * gradient(x).")
def never_moves(gradient, start, lr, steps):
    return start.repeat(steps + 1, 1)


@descend.mistake("Your first row is still 0: put the start there, path[0] = start.")
def first_row_zero(gradient, start, lr, steps):
    path = descend(gradient, start, lr, steps).clone()
    path[0] = 0
    return path


@descend.mistake(
    "The start is missing, and your last row is still 0: the point after step i belongs into row i + 1, and the start "
    "into row 0."
)
def one_row_up(gradient, start, lr, steps):
    path = descend(gradient, start, lr, steps)
    return torch.cat([path[1:], torch.zeros_like(path[:1])])


@descend.mistake("Your last row is still 0: the point after the last step belongs there.")
def last_row_zero(gradient, start, lr, steps):
    path = descend(gradient, start, lr, steps).clone()
    path[-1] = 0
    return path


descend.hints(
    "Keep a list with the start in it. In each step, the last point of the list tells you the next one.",
    "The next point is x - lr * gradient(x). `x -= ...` would change the tensors already in your list.",
    "At the end: return torch.stack(path).",
)
