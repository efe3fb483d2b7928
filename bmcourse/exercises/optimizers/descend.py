"""The exercise `descend` of lesson 05."""

import itertools

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.optimizers.shared import torch_sgd


@exercise(
    prompt="The path of gradient descent: all points from `start` (n,) on, as rows of a tensor (steps + 1, n). "
    "`gradient` is a function: it takes a point (n,) and gives the gradient there (n,). `start` must stay as it is."
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


@descend.judge
def descend_by_torch(gradient, start, lr, steps):
    x, path = start.clone(), [start]
    for _ in range(steps):
        torch_sgd([x], [gradient(x)], [None], lr)
        path.append(x.clone())
    return torch.stack(path)


@descend.right
def descend_into_a_table(gradient, start, lr, steps):
    path = torch.empty(steps + 1, len(start))
    path[0] = start
    for step in range(steps):
        path[step + 1] = path[step] - lr * gradient(path[step])
    return path


@descend.right
def descend_by_recursion(gradient, start, lr, steps):
    if steps == 0:
        return start[None]
    return torch.cat([start[None], descend_by_recursion(gradient, start - lr * gradient(start), lr, steps - 1)])


@descend.right
def descend_by_accumulate(gradient, start, lr, steps):
    points = itertools.accumulate(range(steps), lambda x, _: x.sub(gradient(x), alpha=lr), initial=start)
    return torch.stack(list(points))


def walk(advance):
    """The answer that goes from x to `advance(x, gradient, lr, start, step)`, with steps counted from 0."""

    def answer(gradient, start, lr, steps):
        path = [start]
        for step in range(steps):
            path.append(advance(path[-1], gradient, lr, start, step))
        return torch.stack(path)

    return answer


@descend.mistake("The start is missing: it is the first row. After `steps` steps the path has steps + 1 points.")
def without_start(gradient, start, lr, steps):
    path, x = [torch.empty(0, len(start))], start
    for _ in range(steps):
        x = x - lr * gradient(x)
        path.append(x[None])
    return torch.cat(path)


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


@descend.cases
def cases():
    return [
        (two_x, torch.tensor([1.0]), 0.1, 3),
        (x_and_ten_y, torch.tensor([4.0, 1.0]), 0.15, 6),
        (x_cubed, torch.tensor([1.0, -0.5, 0.3]), 0.2, 4),
        (two_x, torch.tensor([3.0, -1.0]), 0.1, 0),
    ]


descend.mistake(
    "You go uphill: the gradient points to where the function grows. Subtract it.",
    TODO_1=walk(lambda x, gradient, lr, *_: x + lr * gradient(x)),
)


descend.mistake(
    "The learning rate is missing: a step is lr times the gradient.",
    TODO_2=walk(lambda x, gradient, *_: x - gradient(x)),
)


descend.mistake(
    "Every step uses the gradient at the start, so your path is a straight line. Ask for the gradient at the "
    "point where you are now: gradient(x).",
    TODO_3=walk(lambda x, gradient, lr, start, _: x - lr * gradient(start)),
)


descend.mistake(
    "Every step sets out from the start again. Subtract from the point where you are now.",
    TODO_4=walk(lambda x, gradient, lr, start, _: start - lr * gradient(x)),
)


descend.mistake(
    "You divide the learning rate by the number of the step. Here it stays the same in every step.",
    TODO_5=walk(lambda x, gradient, lr, _, step: x - lr / (step + 1) * gradient(x)),
)


descend.mistake(
    "You divide the gradient by its norm, so all your steps are equally long. In gradient descent the steps "
    "get shorter by themselves where the ground gets flat.",
    TODO_6=walk(lambda x, gradient, lr, *_: x - lr * gradient(x) / gradient(x).norm()),
)


descend.mistake(
    "You stop one step too early. The start is point 0; make `steps` steps after it: range(steps).",
    TODO_7=lambda gradient, start, lr, steps: descend_by_torch(gradient, start, lr, max(0, steps - 1)),
)


descend.mistake(
    "You make one step too many. steps + 1 points need only `steps` steps: range(steps).",
    TODO_8=lambda gradient, start, lr, steps: descend_by_torch(gradient, start, lr, steps + 1),
)


descend.mistake(
    "You return only the end. Keep every point in a list and return torch.stack(list).",
    TODO_9=lambda *case: descend_by_torch(*case)[-1],
)


descend.mistake(
    "You return a list of points. torch.stack(list) makes one tensor of them, a row for each point.",
    TODO_10=lambda *case: list(descend_by_torch(*case)),
)


descend.mistake(
    "Your points are columns. Each point is a row: torch.stack(list), whose first dimension is the step.",
    TODO_11=lambda *case: descend_by_torch(*case).T,
)


descend.mistake(
    "torch.cat puts all numbers in one line. torch.stack makes a row of each point.",
    TODO_12=lambda *case: descend_by_torch(*case).flatten(),
)


descend.hints(
    "Keep a list with the start in it. In each step, the last point of the list tells you the next one.",
    "The next point is x - lr * gradient(x). `x -= ...` would change the tensors already in your list.",
    "At the end: return torch.stack(path).",
)
