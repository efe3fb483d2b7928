"""Exercises of lesson 05: steps downhill, from gradient descent to AdamW and Muon, and how to compare them fairly."""

import contextlib
import itertools
import math

import torch
from torch.optim.sgd import sgd

from bmcourse.exercises.compare import snapshot
from bmcourse.exercises.core import Exercise, Mistake, Wrong

# The judges call torch's functions: to build a torch.optim.SGD imports torch's compiler, which takes a check seconds.


def _torch_sgd(parameters, gradients, velocities, lr, momentum=0.0):
    settings = {"nesterov": False, "weight_decay": 0.0, "dampening": 0.0, "maximize": False, "foreach": False}
    parameters = [p.data for p in parameters]
    sgd(parameters, gradients, velocities, lr=lr, momentum=momentum, **settings)


# ---------------------------------------------------------------- descend


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


def _descend_by_torch(gradient, start, lr, steps):
    x, path = start.clone(), [start]
    for _ in range(steps):
        _torch_sgd([x], [gradient(x)], [None], lr)
        path.append(x.clone())
    return torch.stack(path)


def _descend_into_a_table(gradient, start, lr, steps):
    path = torch.empty(steps + 1, len(start))
    path[0] = start
    for step in range(steps):
        path[step + 1] = path[step] - lr * gradient(path[step])
    return path


def _descend_by_recursion(gradient, start, lr, steps):
    if steps == 0:
        return start[None]
    return torch.cat([start[None], _descend_by_recursion(gradient, start - lr * gradient(start), lr, steps - 1)])


def _descend_by_accumulate(gradient, start, lr, steps):
    points = itertools.accumulate(range(steps), lambda x, _: x.sub(gradient(x), alpha=lr), initial=start)
    return torch.stack(list(points))


def _walk(advance):
    """The answer that goes from x to `advance(x, gradient, lr, start, step)`, with steps counted from 0."""

    def answer(gradient, start, lr, steps):
        path = [start]
        for step in range(steps):
            path.append(advance(path[-1], gradient, lr, start, step))
        return torch.stack(path)

    return answer


def _without_start(gradient, start, lr, steps):
    path, x = [torch.empty(0, len(start))], start
    for _ in range(steps):
        x = x - lr * gradient(x)
        path.append(x[None])
    return torch.cat(path)


def _start_changed(gradient, start, lr, steps):
    x, path = start, [start.clone()]
    for _ in range(steps):
        x -= lr * gradient(x)
        path.append(x.clone())
    return torch.stack(path)


def _same_tensor_in_every_row(gradient, start, lr, steps):
    x = start.clone()
    path = [x]
    for _ in range(steps):
        x -= lr * gradient(x)
        path.append(x)
    return torch.stack(path)


def _start_in_every_row(gradient, start, lr, steps):
    x, path = start, [start]
    for _ in range(steps):
        x -= lr * gradient(x)
        path.append(x)
    return torch.stack(path)


DESCEND = Exercise(
    reference=descend,
    prompt="The path of gradient descent: all points from `start` (n,) on, as rows of a tensor (steps + 1, n). "
    "`gradient` is a function: it takes a point (n,) and gives the gradient there (n,). `start` must stay as it is.",
    cases=lambda: [
        (two_x, torch.tensor([1.0]), 0.1, 3),
        (x_and_ten_y, torch.tensor([4.0, 1.0]), 0.15, 6),
        (x_cubed, torch.tensor([1.0, -0.5, 0.3]), 0.2, 4),
        (two_x, torch.tensor([3.0, -1.0]), 0.1, 0),
    ],
    judge=_descend_by_torch,
    right=[_descend_into_a_table, _descend_by_recursion, _descend_by_accumulate],
    wrong=[
        Wrong(
            _walk(lambda x, gradient, lr, *_: x + lr * gradient(x)),
            "You go uphill: the gradient points to where the function grows. Subtract it.",
        ),
        Wrong(
            _walk(lambda x, gradient, *_: x - gradient(x)),
            "The learning rate is missing: a step is lr times the gradient.",
        ),
        Wrong(
            _walk(lambda x, gradient, lr, start, _: x - lr * gradient(start)),
            "Every step uses the gradient at the start, so your path is a straight line. Ask for the gradient at the "
            "point where you are now: gradient(x).",
        ),
        Wrong(
            _walk(lambda x, gradient, lr, start, _: start - lr * gradient(x)),
            "Every step sets out from the start again. Subtract from the point where you are now.",
        ),
        Wrong(
            _walk(lambda x, gradient, lr, _, step: x - lr / (step + 1) * gradient(x)),
            "You divide the learning rate by the number of the step. Here it stays the same in every step.",
        ),
        Wrong(
            _walk(lambda x, gradient, lr, *_: x - lr * gradient(x) / gradient(x).norm()),
            "You divide the gradient by its norm, so all your steps are equally long. In gradient descent the steps "
            "get shorter by themselves where the ground gets flat.",
        ),
        Wrong(
            _without_start,
            "The start is missing: it is the first row. After `steps` steps the path has steps + 1 points.",
        ),
        Wrong(
            lambda gradient, start, lr, steps: _descend_by_torch(gradient, start, lr, max(0, steps - 1)),
            "You stop one step too early. The start is point 0; make `steps` steps after it: range(steps).",
        ),
        Wrong(
            lambda gradient, start, lr, steps: _descend_by_torch(gradient, start, lr, steps + 1),
            "You make one step too many. steps + 1 points need only `steps` steps: range(steps).",
        ),
        Wrong(
            lambda *case: _descend_by_torch(*case)[-1],
            "You return only the end. Keep every point in a list and return torch.stack(list).",
        ),
        Wrong(
            lambda *case: list(_descend_by_torch(*case)),
            "You return a list of points. torch.stack(list) makes one tensor of them, a row for each point.",
        ),
        Wrong(
            lambda *case: _descend_by_torch(*case).T,
            "Your points are columns. Each point is a row: torch.stack(list), whose first dimension is the step.",
        ),
        Wrong(
            lambda *case: _descend_by_torch(*case).flatten(),
            "torch.cat puts all numbers in one line. torch.stack makes a row of each point.",
        ),
        Wrong(
            _start_changed,
            "The path is right, but `start` has moved: `x = start` is no copy, and `x -= ...` then changes both. Write "
            "x = x - ..., which makes a new tensor.",
        ),
        Wrong(
            _same_tensor_in_every_row,
            "All your rows are the end point: `x -= ...` changes the one tensor that every place of your list holds. "
            "Write x = x - ..., which makes a new tensor in each step.",
        ),
        Wrong(
            _start_in_every_row,
            "All your rows are the end point, and `start` itself has moved there too: `x = start` is no copy, and `x "
            "-= ...` changes the one tensor in all places of your list. Write x = x - ...",
        ),
    ],
    hints=[
        "Keep a list with the start in it. In each step, the last point of the list tells you the next one.",
        "The next point is x - lr * gradient(x). `x -= ...` would change the tensors already in your list.",
        "At the end: return torch.stack(path).",
    ],
)

# ---------------------------------------------------------------- what the steps have in common

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


def _each(rule):
    """The answer that applies `rule(p, gradient, state, lr, ...)` to every parameter."""

    @torch.no_grad()
    def answer(parameters, states, lr, *settings):
        for p, state in zip(parameters, states, strict=True):
            rule(p, p.grad, state, lr, *settings)

    return answer


# ---------------------------------------------------------------- sgd_step


def sgd_step(parameters, lr):
    with torch.no_grad():
        for p in parameters:
            if p.grad is not None:
                p -= lr * p.grad


def _one_step(answer, values, gradients, lr):
    """What one step makes of parameters with these gradients, and whether the list still holds the same objects."""
    parameters = learnable(values)
    for p, gradient in zip(parameters, gradients, strict=True):
        p.grad = None if gradient is None else gradient.clone()
    given = list(parameters)
    with explained(UNUSED if any(gradient is None for gradient in gradients) else None):
        answer(given, lr)
    same = len(given) == len(parameters) and all(map(lambda one, other: one is other, given, parameters))
    return {
        "the same parameters": same,
        "parameters": snapshot(parameters),
        "gradients": snapshot([p.grad for p in parameters]),
    }


def _sgd_by_torch(parameters, lr):
    used = [p for p in parameters if p.grad is not None]
    _torch_sgd(used, [p.grad for p in used], [None] * len(used), lr)


def _sgd_on_data(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p.data = p.data - lr * p.grad


@torch.no_grad()
def _sgd_by_copy(parameters, lr):
    used = [p for p in parameters if p.grad is not None]
    for p in used:
        p.copy_(p - lr * p.grad)


def _sgd_with_continue(parameters, lr):
    for index in range(len(parameters)):
        if parameters[index].grad is None:
            continue
        parameters[index].data.add_(parameters[index].grad, alpha=-lr)


def _used(rule):
    """The answer that applies `rule(p, lr)` to every parameter with a gradient."""

    @torch.no_grad()
    def answer(parameters, lr):
        for p in parameters:
            if p.grad is not None:
                rule(p, lr)

    return answer


def _sgd_in_the_graph(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p -= lr * p.grad


def _sgd_into_the_list(parameters, lr):
    for index, p in enumerate(parameters):
        if p.grad is not None:
            parameters[index] = p - lr * p.grad


def _sgd_then_zero(p, lr):
    p -= lr * p.grad
    p.grad.zero_()


def _sgd_then_none(p, lr):
    p -= lr * p.grad
    p.grad = None


def _sgd_scales_gradients(p, lr):
    p.grad *= lr
    p -= p.grad


def _sgd_switches_learning_off(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p.requires_grad_(False)
            p -= lr * p.grad


@torch.no_grad()
def _sgd_without_if(parameters, lr):
    for p in parameters:
        p -= lr * p.grad


@torch.no_grad()
def _sgd_first_only(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p -= lr * p.grad
        return


@torch.no_grad()
def _sgd_until_none(parameters, lr):
    for p in parameters:
        if p.grad is None:
            return
        p -= lr * p.grad


@torch.no_grad()
def _sgd_average(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p -= lr * p.grad / len(parameters)


SGD_STEP = Exercise(
    reference=sgd_step,
    prompt="One step of SGD. `parameters` is a list of torch.nn.Parameter; each moves against its own p.grad. Change "
    "the parameters in place: the model holds these very objects. Leave the gradients as they are, and leave a "
    "parameter alone whose grad is None. Returns nothing.",
    cases=lambda: [
        ([torch.tensor([1.0, 2.0])], [torch.tensor([0.5, -1.0])], 0.1),
        ([torch.randn(3), torch.randn(2, 3)], [torch.randn(3), torch.randn(2, 3)], 0.5),
        ([torch.ones(2), torch.ones(2), torch.ones(1)], [torch.randn(2), None, torch.ones(1)], 0.1),
    ],
    run=_one_step,
    inputs_unchanged=False,
    judge=lambda *case: _one_step(_sgd_by_torch, *case),
    right=[_sgd_on_data, _sgd_by_copy, _sgd_with_continue],
    wrong=[
        Wrong(
            _used(lambda p, lr: p.add_(lr * p.grad)),
            "The sign is wrong: the gradient points to where the loss grows. Subtract it.",
        ),
        Wrong(_used(lambda p, lr: p.sub_(p.grad)), "The learning rate is missing: a step is lr times the gradient."),
        Wrong(_sgd_in_the_graph, IN_GRAPH),
        Wrong(
            lambda parameters, lr: [p - lr * p.grad for p in parameters if p.grad is not None],
            "No parameter moved. `p = p - lr * p.grad` makes a new tensor and calls it p; the model still holds the "
            "old one. Change the parameter itself: `p -= lr * p.grad`, under torch.no_grad().",
        ),
        Wrong(
            lambda parameters, lr: [p - lr * p.grad for p in parameters],
            "No parameter moved. `p - lr * p.grad` is a new tensor; the model holds the old one. Change the parameter "
            "itself, `p -= lr * p.grad`, under torch.no_grad(), and skip it where p.grad is None.",
        ),
        Wrong(
            _sgd_switches_learning_off,
            "requires_grad_(False) avoids torch's error, but from now on these parameters get no gradients: the next "
            "step has nothing to go by. Put the step under `with torch.no_grad():`.",
        ),
        Wrong(
            _sgd_into_the_list,
            "You put new tensors into the list. The model still holds the old parameters, and those did not move. "
            "Change them in place: `p -= lr * p.grad`, under torch.no_grad().",
        ),
        Wrong(
            _used(_sgd_then_zero),
            "The step is right, but it also sets the gradients to zero. Keep the two apart: somebody may want to look "
            "at a gradient after the step. zero_grad() is a function of its own.",
        ),
        Wrong(
            _used(_sgd_then_none),
            "The step is right, but it also throws the gradients away (p.grad = None). Keep the two apart: somebody "
            "may want to look at a gradient after the step.",
        ),
        Wrong(
            _used(_sgd_scales_gradients),
            "The step is right, but the gradients are changed: `p.grad *= lr` works in place. Write lr * p.grad, which "
            "makes a new tensor.",
        ),
        Wrong(
            _used(lambda p, lr: p.sub_(lr * p.grad / p.grad.norm())),
            "You divide each gradient by its norm. Then a step is as long on flat ground as on steep ground. SGD takes "
            "the gradient as it is.",
        ),
        Wrong(
            _used(lambda p, lr: p.sub_(lr * p.grad.sign())),
            "You use only the sign of the gradient, so every number moves by lr. SGD takes the gradient as it is.",
        ),
        Wrong(
            _used(lambda p, lr: p.sub_(lr * p.grad.mean())),
            "You take the mean of a gradient, so all numbers of a parameter move alike. Each number has its own slope: "
            "take p.grad as it is.",
        ),
        Wrong(
            _sgd_average,
            "You divide by the number of parameters. The loss is already a mean over examples; over parameters there "
            "is nothing to average.",
        ),
        Wrong(_sgd_without_if, UNUSED),
        Wrong(
            _sgd_first_only,
            "Only the first parameter moves. Is there a `return` inside the loop?",
        ),
        Wrong(
            _sgd_until_none,
            "Your loop ends at the first parameter without a gradient, and those after it never move. Skip that one "
            "parameter only.",
        ),
    ],
    hints=[
        "Loop over the parameters. What does each have that tells it where to go?",
        "Two things around the update: skip p where p.grad is None, and do it all under torch.no_grad().",
        "p -= lr * p.grad changes the parameter in place; p = p - lr * p.grad does not.",
    ],
)

# ---------------------------------------------------------------- momentum_step


def momentum_step(parameters, velocities, lr, momentum):
    with torch.no_grad():
        for p, v in zip(parameters, velocities, strict=True):
            v.mul_(momentum).add_(p.grad)
            p -= lr * v


def _momentum_steps(answer, values, velocities, gradients, lrs, momentum):
    """What an answer does to parameters and velocities in some steps, each with its own gradients and learning rate.

    The tensors of p.grad stay the same and get new numbers, as with zero_grad(set_to_none=False): who keeps one, errs.
    """
    parameters, velocities, seen = learnable(values), list(snapshot(velocities)), {}
    for p in parameters:
        p.grad = torch.zeros_like(p)
    for step, (now, lr) in enumerate(zip(gradients, lrs, strict=True), 1):
        for p, gradient in zip(parameters, now, strict=True):
            p.grad.copy_(gradient)
        with explained():
            answer(parameters, velocities, lr, momentum)
        seen[f"velocities after step {step}"] = snapshot(velocities)
        seen[f"parameters after step {step}"] = snapshot(parameters)
        seen[f"gradients after step {step}"] = snapshot([p.grad for p in parameters])
    return seen


def _momentum_cases():
    """One number; two parameters of one shape with a changing learning rate; two shapes."""
    alike, pair = [(3,), (3,)], [(3,), (2, 2)]
    return [
        ([torch.tensor([1.0])], [torch.tensor([3.0])], [[torch.tensor([2.0])]], [0.1], 0.5),
        (random_tensors(alike), _zeros(alike), [random_tensors(alike) for _ in range(4)], [0.1, 0.1, 0.5, 0.2], 0.9),
        (random_tensors(pair), random_tensors(pair), [random_tensors(pair) for _ in range(3)], [0.3, 0.1, 0.1], 0.8),
    ]


def random_tensors(shapes):
    return [torch.randn(shape) for shape in shapes]


def _zeros(shapes):
    return [torch.zeros(shape) for shape in shapes]


def _momentum_by_torch(parameters, velocities, lr, momentum):
    _torch_sgd(parameters, [p.grad for p in parameters], velocities, lr, momentum)


def _momentum_into_the_list(parameters, velocities, lr, momentum):
    for index, p in enumerate(parameters):
        velocities[index] = momentum * velocities[index] + p.grad
        p.data -= lr * velocities[index]


@torch.no_grad()
def _momentum_by_copy(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.copy_(v * momentum + p.grad)
        p.copy_(p - v * lr)


def _momentum_in_two_loops(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v *= momentum
        v += p.grad
    for p, v in zip(parameters, velocities, strict=True):
        p.data.sub_(v, alpha=lr)


def _moves(step, velocity=lambda v, g, lr, momentum: momentum * v + g):
    """The answer that sets v to `velocity(v, g, lr, momentum)` and then takes `step(v, g, lr, momentum)` from p."""

    def rule(p, g, v, *settings):
        v.copy_(velocity(v, g, *settings))
        p -= step(v, g, *settings)

    return _each(rule)


def _by_velocity(v, g, lr, momentum):
    return lr * v


def _ahead(v, g, lr, momentum):
    return lr * (g + momentum * v)


def _loses_velocity(step):
    """The answer that takes the right `step`, but keeps no velocity."""

    def rule(p, g, v, lr, momentum):
        v = momentum * v + g
        p -= step(v, g, lr, momentum)

    return _each(rule)


def _step_before_velocity(p, g, v, lr, momentum):
    p -= lr * v
    v.mul_(momentum).add_(g)


def _momentum_on_the_parameter(p, g, v, lr, momentum):
    p.mul_(momentum).sub_(lr * g)


def _step_in_the_graph(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(p.grad)
        p -= lr * v


@torch.no_grad()
def _one_velocity(parameters, velocities, lr, momentum):
    for p in parameters:
        velocities[0].mul_(momentum).add_(p.grad)
        p -= lr * velocities[0]


@torch.no_grad()
def _every_velocity_for_every_parameter(parameters, velocities, lr, momentum):
    for p in parameters:
        for v in velocities:
            v.mul_(momentum).add_(p.grad)
            p -= lr * v


NOT_KEPT = (
    "Your velocities never change: `v = momentum * v + p.grad` makes a new tensor, which is lost at the end of the "
    "step. Change the tensor in the list: v.mul_(momentum).add_(p.grad)."
)

MOMENTUM_STEP = Exercise(
    reference=momentum_step,
    prompt="One step of SGD with momentum, as torch defines it: velocity = momentum * velocity + gradient, then the "
    "parameter moves by -lr * velocity. `velocities` holds one for each parameter. Update both lists in place, and "
    "leave the gradients, p.grad, as they are.",
    cases=_momentum_cases,
    run=_momentum_steps,
    inputs_unchanged=False,
    judge=lambda *case: _momentum_steps(_momentum_by_torch, *case),
    right=[_momentum_into_the_list, _momentum_by_copy, _momentum_in_two_loops],
    wrong=[
        Wrong(_step_in_the_graph, IN_GRAPH),
        Wrong(
            _moves(_by_velocity, lambda v, g, lr, momentum: momentum * v + (1 - momentum) * g),
            "You weigh the gradient with (1 - momentum): that is a moving average, as in Adam. torch's momentum adds "
            "the whole gradient, so a steady slope makes steps up to 1 / (1 - momentum) times as long.",
        ),
        Wrong(
            _moves(_by_velocity, lambda v, g, *_: g),
            "Your velocity is just the last gradient: nothing of the earlier ones is left. Add the gradient to "
            "momentum * velocity.",
        ),
        Wrong(_loses_velocity(_by_velocity), NOT_KEPT),
        Wrong(
            _moves(lambda *_: 0.0),
            "Your velocities are right, but no parameter moves: `p = p - lr * v` makes a new tensor. Change the "
            "parameter itself: p -= lr * v.",
        ),
        Wrong(
            lambda parameters, velocities, lr, momentum: None,
            "Neither the velocities nor the parameters changed. `v = ...` and `p = ...` give a name to a new tensor; "
            "the lists still hold the old ones. Use v.mul_(...), v.add_(...) and p -= ...",
        ),
        Wrong(
            _moves(lambda v, *_: -v, lambda v, g, lr, momentum: momentum * v - lr * g),
            "Your velocity holds the learning rate: v = momentum * v - lr * g, then p += v. Many papers write it so. "
            "torch keeps lr outside: v = momentum * v + g, then p -= lr * v. With a constant lr both give the same "
            "path. When lr changes between steps, they differ: yours remembers the old lr.",
        ),
        Wrong(
            _moves(lambda v, *_: v, lambda v, g, lr, momentum: momentum * v + lr * g),
            "Your velocity holds the learning rate: v = momentum * v + lr * g. torch keeps it outside: v = momentum * "
            "v + g, then p -= lr * v. With a constant lr both give the same path. When lr changes between steps, they "
            "differ: yours remembers the old lr.",
        ),
        Wrong(
            _moves(lambda v, g, lr, _: -lr * v, lambda v, g, lr, momentum: momentum * v - g),
            "Your velocity points downhill (v = momentum * v - g). torch's points uphill, like the gradient: v = "
            "momentum * v + g, and the minus comes in the step, p -= lr * v.",
        ),
        Wrong(
            _moves(lambda v, g, lr, _: -lr * v),
            "The velocities are right, but you add them, which leads uphill. Subtract: p -= lr * v.",
        ),
        Wrong(
            _each(_step_before_velocity),
            "The parameter moves by the old velocity: the gradient of now counts only in the next step. First update "
            "the velocity, then the parameter.",
        ),
        Wrong(
            _each(_momentum_on_the_parameter),
            "You multiply the parameter by the momentum, so it shrinks in every step. The momentum belongs to the "
            "velocity.",
        ),
        Wrong(
            _moves(_by_velocity, lambda v, g, *_: v + g),
            "Your velocity forgets nothing: it is the sum of all gradients. Multiply it by the momentum before you add "
            "the new gradient.",
        ),
        Wrong(
            _moves(_by_velocity, lambda v, g, lr, momentum: momentum * (v + g)),
            "You multiply by the momentum after adding the gradient, so the new gradient shrinks too. Only the old "
            "velocity is multiplied.",
        ),
        Wrong(
            _moves(lambda v, g, lr, _: lr * g),
            "The velocities are right, but the parameter moves by the gradient. It should move by lr * v.",
        ),
        Wrong(
            _moves(_ahead),
            "That is Nesterov's step: p -= lr * (g + momentum * v). Plain momentum moves by the velocity: p -= lr * v.",
        ),
        Wrong(
            _moves(_by_velocity, lambda v, g, lr, momentum: g.add_(v, alpha=momentum)),
            "The result is right, but p.grad is changed: `g = p.grad` is no copy, and `g += ...` changes both. Change "
            "the velocity: v.mul_(momentum).add_(p.grad).",
        ),
        Wrong(
            _one_velocity,
            "All your parameters share one velocity. Each has its own: go through both lists with zip.",
        ),
        Wrong(
            _every_velocity_for_every_parameter,
            "Two loops, one inside the other, pair every parameter with every velocity. One loop pairs each with its "
            "own: for p, v in zip(parameters, velocities).",
        ),
    ],
    hints=[
        "Two lines for each parameter: one for its velocity, one for itself. Go through both lists with zip.",
        "`v = ...` makes a new tensor and loses the old one. v.mul_(momentum) changes v itself.",
        "v.mul_(momentum).add_(p.grad), then p -= lr * v, all under torch.no_grad().",
    ],
)

# ---------------------------------------------------------------- largest_stable_lr


def largest_stable_lr(hessian):
    return 2 / torch.linalg.eigvalsh(hessian).max()


def _by_singular_value(hessian):
    return 2.0 / torch.linalg.matrix_norm(hessian, ord=2)


def _by_the_inverse(hessian):
    return 2 * torch.linalg.eigvalsh(hessian.inverse())[0]


def _by_power_iteration(hessian):
    direction = torch.ones(len(hessian))
    for _ in range(200):
        direction = hessian @ direction
        direction = direction / direction.norm()
    return (2 / (direction @ hessian @ direction)).item()


def _by_general_eigenvalues(hessian):
    return 2 / max(value.real for value in torch.linalg.eigvals(hessian).tolist())


def _bowls():
    """Two directions; a turned valley; three random bowls, one of them steep."""
    factors = [torch.randn(3, 3), torch.randn(4, 4), 5 * torch.randn(2, 2)]
    return [
        (torch.tensor([[1.0, 0.0], [0.0, 10.0]]),),
        (torch.tensor([[3.0, 1.0], [1.0, 3.0]]),),
        *((factor @ factor.T + 0.5 * torch.eye(len(factor)),) for factor in factors),
    ]


def _two_over(number):
    return lambda hessian: 2 / number(hessian)


LARGEST_STABLE_LR = Exercise(
    reference=largest_stable_lr,
    prompt="The learning rate above which gradient descent diverges on the bowl x @ hessian @ x / 2. `hessian` (n, n) "
    "is symmetric and positive definite. Returns one number.",
    cases=_bowls,
    judge=lambda hessian: _by_singular_value(hessian).item(),
    right=[_by_power_iteration, _by_general_eigenvalues, _by_the_inverse],
    wrong=[
        Wrong(
            lambda hessian: 1 / torch.linalg.eigvalsh(hessian).max(),
            "At 1 / the largest eigenvalue the steepest direction reaches its bottom in one step. Twice as far it "
            "lands on the other side at the same height: the limit is 2 / the largest eigenvalue.",
        ),
        Wrong(
            _two_over(lambda hessian: torch.linalg.eigvalsh(hessian).min()),
            "You took the smallest eigenvalue, the flattest direction. The steepest one jumps out first: take the "
            "largest.",
        ),
        Wrong(
            _two_over(torch.trace),
            "You divide by the trace, which is the sum of all eigenvalues. That rate is safe but smaller than need be: "
            "only the largest counts.",
        ),
        Wrong(
            _two_over(torch.max),
            "You divide by the largest entry, which stands on the diagonal: the sharpest curve along an axis. The "
            "sharpest of all may lie between the axes: take the largest eigenvalue.",
        ),
        Wrong(
            _two_over(lambda hessian: hessian.diagonal().min()),
            "You divide by the smallest entry of the diagonal. Take the largest eigenvalue: the steepest direction "
            "decides.",
        ),
        Wrong(
            _two_over(torch.linalg.norm),
            "You divide by the Frobenius norm, the root of the sum of all squares. Take the largest eigenvalue: "
            "torch.linalg.norm(hessian, 2), or eigvalsh(hessian).max().",
        ),
        Wrong(
            _two_over(lambda hessian: torch.linalg.matrix_norm(hessian, ord=math.inf)),
            "You divide by the largest row sum. It is never below the largest eigenvalue, so that rate is safe, but "
            "smaller than need be.",
        ),
        Wrong(
            lambda hessian: torch.linalg.eigvalsh(hessian).max() / 2,
            "Your fraction is upside down: steeper bowls need smaller steps. It is 2 / the largest eigenvalue.",
        ),
        Wrong(
            lambda hessian: torch.linalg.eigvalsh(hessian).max(),
            "You return the largest eigenvalue itself. Steeper bowls need smaller steps: 2 / the largest eigenvalue.",
        ),
        Wrong(
            lambda hessian: 2 / torch.linalg.eigvalsh(hessian)[[0, -1]].sum(),
            "2 / (smallest + largest eigenvalue) is the learning rate that converges fastest. The question is where it "
            "stops converging: 2 / the largest eigenvalue.",
        ),
        Wrong(
            _two_over(lambda hessian: torch.linalg.eigvalsh(hessian).mean()),
            "You took the mean of the eigenvalues. One direction that diverges is enough: take the largest.",
        ),
        Wrong(
            _two_over(torch.linalg.det),
            "You divide by the determinant, the product of all eigenvalues. Take the largest one.",
        ),
        Wrong(
            lambda hessian: 2 / torch.linalg.eigvalsh(hessian).max().sqrt(),
            "You took the root of the largest eigenvalue. The curvature is the eigenvalue itself.",
        ),
        Wrong(
            _two_over(torch.linalg.eigvalsh),
            "You return a limit for each direction. The whole descent is stable only below the smallest of them.",
        ),
    ],
    hints=[
        "Try one dimension first: x - lr * h * x = (1 - lr * h) * x. For which lr is the factor below -1?",
        "In n dimensions every eigenvalue of the Hessian is such an h. Which one reaches the limit first?",
        "torch.linalg.eigvalsh(hessian) gives the eigenvalues of a symmetric matrix.",
    ],
)

# ---------------------------------------------------------------- orthogonal


def orthogonal(matrix, steps):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = matrix.T if len(matrix) > matrix.shape[1] else matrix
    X = X / X.norm()
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if len(matrix) > matrix.shape[1] else X


def _orthogonal_by_singular_values(matrix, steps):
    """What the iteration does is done to the singular values alone; in float64."""
    U, values, V = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.square().sum().sqrt()
    for _ in range(steps):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (U * values @ V).float()


def _checked_precision(answer, matrix, steps):
    result = answer(matrix, steps)
    if isinstance(result, torch.Tensor) and result.dtype == torch.bfloat16:
        raise Mistake(
            "Your result is bfloat16, as in Muon itself, which saves time on a GPU and keeps about three digits. Stay "
            "with the type of `matrix` here."
        )
    return result


def _newton_schulz(start=None, polynomial=None):
    """The iteration X ← polynomial(X, X Xᵀ), not transposed for tall matrices, from `start(matrix)`."""
    start = start or (lambda matrix: matrix / matrix.norm())
    polynomial = polynomial or (lambda X, A: 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X)

    def answer(matrix, steps):
        X = start(matrix)
        for _ in range(steps):
            X = polynomial(X, X @ X.T)
        return X

    return answer


def _orthogonal_from_the_right(matrix, steps):
    X = matrix / matrix.square().sum().sqrt()
    for _ in range(steps):
        B = X.T @ X
        X = X @ (3.4445 * torch.eye(len(B)) - 4.7750 * B + 2.0315 * B @ B)
    return X


def _orthogonal_by_horner(matrix, steps):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = matrix.div(torch.linalg.matrix_norm(matrix) + 1e-7)
    for _ in range(steps):
        squared = torch.mm(X, X.mT)
        X = torch.addmm(X, squared, torch.addmm(X, squared, X, beta=b, alpha=c), beta=a, alpha=1)
    return X


def _always_five_steps(matrix, steps):
    return orthogonal(matrix, 5)


def _returns_in_the_loop(matrix, steps):
    return orthogonal(matrix, min(steps, 1))


def _not_turned_back(matrix, steps):
    return orthogonal(matrix.T if len(matrix) > matrix.shape[1] else matrix, steps)


def _turned(matrix, steps):
    return orthogonal(matrix, steps).T


def _in_place(matrix, steps):
    matrix /= matrix.norm()
    return orthogonal(matrix, steps)


def _exact(matrix, steps):
    U, _, V = torch.linalg.svd(matrix, full_matrices=False)
    return U @ V


def _halved_precision(matrix, steps):
    return orthogonal(matrix, steps).bfloat16()


ORTHOGONAL = Exercise(
    reference=orthogonal,
    prompt="All singular values of `matrix` (m, n) brought near 1. Start with X = matrix / its Frobenius norm. Then "
    "`steps` times: A = X Xᵀ, and X = a X + (b A + c A A) X, with a = 3.4445, b = -4.7750, c = 2.0315. A tall matrix "
    "may be turned meanwhile. Returns X (m, n).",
    cases=lambda: [
        (torch.tensor([[3.0, 0.0], [0.0, 4.0]]), 1),
        (torch.randn(3, 3), 2),
        (torch.randn(2, 4), 3),
        (torch.randn(5, 2), 2),
        (torch.randn(3, 2), 0),
    ],
    run=_checked_precision,
    judge=_orthogonal_by_singular_values,
    tolerance=1e-4,
    right=[_newton_schulz(), _orthogonal_from_the_right, _orthogonal_by_horner],
    wrong=[
        Wrong(
            _newton_schulz(start=lambda matrix: matrix),
            "You did not divide by the norm first. The iteration holds for singular values up to about 1; larger ones "
            "explode.",
        ),
        Wrong(
            _newton_schulz(start=lambda matrix: matrix / matrix.norm(dim=1, keepdim=True)),
            "You divide each row by its own norm. That changes the directions of the matrix. Use one norm for the "
            "whole matrix.",
        ),
        Wrong(
            _newton_schulz(start=lambda matrix: matrix / matrix.abs().max()),
            "You divide by the largest entry. Singular values may still be above 1. Use the Frobenius norm: "
            "matrix.norm().",
        ),
        Wrong(
            _newton_schulz(start=lambda matrix: matrix / matrix.square().sum()),
            "You divide by the squared norm. The Frobenius norm is the root of the sum of all squares: matrix.norm().",
        ),
        Wrong(
            _newton_schulz(start=lambda matrix: matrix / torch.linalg.matrix_norm(matrix, ord=2)),
            "You divide by the largest singular value. That would be a good start, but finding it costs much. Here it "
            "is the Frobenius norm: matrix.norm().",
        ),
        Wrong(
            _newton_schulz(
                polynomial=lambda X, A: (
                    3.4445 * X / X.norm()
                    + (-4.7750 * A / X.norm() ** 2 + 2.0315 * A @ A / X.norm() ** 4) @ X / X.norm()
                )
            ),
            "You divide by the norm in every step, so the singular values can never all reach 1. Divide once, before "
            "the loop.",
        ),
        Wrong(
            _newton_schulz(polynomial=lambda X, A: 3.4445 * X + (-4.7750 * A + 2.0315 * A * A) @ X),
            "You squared A number by number (A * A or A**2). A matrix times itself is A @ A.",
        ),
        Wrong(
            _newton_schulz(polynomial=lambda X, A: 3.4445 * X - 4.7750 * X**3 + 2.0315 * X**5),
            "You took powers of the numbers in X. What must come near 1 are the singular values: use matrix products, "
            "A = X @ X.T.",
        ),
        Wrong(
            _newton_schulz(polynomial=lambda X, A: 3.4445 * X + X @ (-4.7750 * A + 2.0315 * A @ A)),
            "You multiply by X on the wrong side. A = X @ X.T is (m, m), so it stands to the left: (b * A + c * A @ A) "
            "@ X.",
        ),
        Wrong(
            _newton_schulz(
                polynomial=lambda X, A: 3.4445 * X + (-4.7750 * (X.T @ X) + 2.0315 * (X.T @ X) @ (X.T @ X)) @ X
            ),
            "Your A is X.T @ X, (n, n), which stands to the right of X. To the left of X belongs A = X @ X.T, (m, m).",
        ),
        Wrong(
            _newton_schulz(polynomial=lambda X, A: 3.4445 * X - 4.7750 * A @ X),
            "The last term is missing: c * A @ A @ X. Without it the singular values do not stay near 1.",
        ),
        Wrong(
            _newton_schulz(polynomial=lambda X, A: 3.4445 * X + (-4.7750 * A + 2.0315 * A) @ X),
            "Your last term has one A too few: it is c * A @ A.",
        ),
        Wrong(
            _newton_schulz(polynomial=lambda X, A: 3.4445 * X + (4.7750 * A + 2.0315 * A @ A) @ X),
            "b has lost its minus: b = -4.7750. Without it nothing holds the singular values back.",
        ),
        Wrong(
            _newton_schulz(polynomial=lambda X, A: 1.5 * X - 0.5 * A @ X),
            "That is the classical Newton-Schulz iteration, 1.5 X - 0.5 X Xᵀ X. It goes to exactly 1, but slowly: "
            "small singular values grow by half in a step. Muon's three coefficients grow them 3.4 times.",
        ),
        Wrong(
            _exact,
            "You return U Vᵀ of the singular value decomposition: all singular values exactly 1. That is what the "
            "iteration approximates with matrix products alone, which are much cheaper on a GPU. Write the iteration.",
        ),
        Wrong(
            _not_turned_back,
            "You transposed the tall matrix and did not turn the result back. Return X.T for it.",
        ),
        Wrong(_turned, "Your result is transposed. It has the shape of `matrix`."),
        Wrong(_always_five_steps, "You do not use `steps`: Muon does five, but here the caller says how many."),
        Wrong(_returns_in_the_loop, "You do one step at most. Is the `return` inside the loop?"),
        Wrong(
            _in_place,
            "The result is right, but `matrix` is changed: `X /= X.norm()` works in place, and in Muon that would be "
            "the momentum. Write X = X / X.norm().",
        ),
        Wrong(
            _halved_precision,
            "Your result is bfloat16, as in Muon itself, which saves time on a GPU and keeps about three digits. Stay "
            "with the type of `matrix` here.",
        ),
    ],
    hints=[
        "First X = matrix / matrix.norm(): then no singular value is above 1.",
        "In the loop A = X @ X.T. All products are matrix products, @; only a, b and c multiply with *.",
        "X = a * X + (b * A + c * A @ A) @ X",
    ],
)

# ---------------------------------------------------------------- fair_winner


def fair_winner(results):
    best = {}
    for name, losses_at in results.items():
        means = [sum(losses) / len(losses) for losses in losses_at.values()]
        best[name] = min((mean for mean in means if not math.isnan(mean)), default=math.inf)
    return min(best, key=best.get)


def _winner_by_tensor(results):
    def best(name):
        means = torch.tensor([torch.tensor(losses).mean() for losses in results[name].values()])
        return means.nan_to_num(math.inf).min()

    return min(results, key=best)


def _winner_of_all_pairs(results):
    pairs = [
        (sum(losses) / len(losses), name)
        for name, losses_at in results.items()
        for losses in losses_at.values()
        if not any(math.isnan(loss) for loss in losses)
    ]
    return sorted(pairs)[0][1]


def _winner_with_a_loop(results):
    winner, lowest = None, math.inf
    for name in results:
        for losses in results[name].values():
            mean = math.fsum(losses) / len(losses)
            if mean < lowest:  # False for NaN
                winner, lowest = name, mean
    return winner


def _mean(losses):
    """The mean of the losses, infinite where one is NaN."""
    mean = sum(losses) / len(losses)
    return math.inf if math.isnan(mean) else mean


def _finite(losses):
    return [loss for loss in losses if not math.isnan(loss)]


def _least(score):
    """The answer that takes the optimizer with the least `score(its losses by learning rate)`."""
    return lambda results: min(results, key=lambda name: score(results[name]))


def _least_at_best(score):
    """The answer that takes the optimizer with the least `score(losses of one rate)` at any rate."""
    return _least(lambda losses_at: min(map(score, losses_at.values())))


def _counting(score):
    """The score of one rate that is infinite where a seed diverged."""
    return lambda losses: math.inf if len(_finite(losses)) < len(losses) else score(losses)


def _without_diverged(losses_at):
    """The best mean of an optimizer, infinite where any of its runs diverged."""
    means = list(map(_mean, losses_at.values()))
    return max(means) if math.inf in means else min(means)


def _mean_over_rates(losses_at):
    means = _finite(sum(losses) / len(losses) for losses in losses_at.values())
    return sum(means) / len(means) if means else math.inf


def _at_first_rate(results):
    return _least(lambda losses_at: _mean(next(iter(losses_at.values()))))(results)


def _at_one_rate(results):
    """Compares at the rate that is best for all optimizers together."""
    rates = next(iter(results.values()))
    shared = min(rates, key=lambda lr: sum(_mean(losses_at[lr]) for losses_at in results.values()))
    return _least(lambda losses_at: _mean(losses_at[shared]))(results)


def _at_the_rate_of_the_first(results):
    """Compares at the rate that is best for the first optimizer."""
    first = next(iter(results.values()))
    tuned = min(first, key=lambda lr: _mean(first[lr]))
    return _least(lambda losses_at: _mean(losses_at[tuned]))(results)


def _by_number_of_rates(results):
    """The optimizer that is ahead at most of the rates."""
    rates = next(iter(results.values()))
    ahead = [_least(lambda losses_at, lr=lr: _mean(losses_at[lr]))(results) for lr in rates]
    return max(results, key=ahead.count)


def _drops_diverged_rates(results):
    for losses_at in results.values():
        for lr in [lr for lr, losses in losses_at.items() if _finite(losses) != losses]:
            del losses_at[lr]
    return fair_winner(results)


def _rate_of_the_winner(results):
    losses_at = results[fair_winner(results)]
    return min(losses_at, key=lambda lr: _mean(losses_at[lr]))


def _loss_of_the_winner(results):
    return min(_mean(losses) for losses in results[fair_winner(results)].values())


def _some_races():
    """Small tables; in each of them another way to compare goes wrong."""
    nan = float("nan")  # as from .item(): not the object math.nan, which `in` would find

    def table(**rows):
        return ({name: dict(zip((0.01, 0.1, 1.0), losses, strict=True)) for name, losses in rows.items()},)

    return [
        table(
            Adam=[[1.2, 1.3], [2.0, 2.2], [3.0, 3.1]],
            SGD=[[2.5, 2.6], [1.7, 1.9], [0.9, 1.1]],
        ),
        table(
            Muon=[[nan, 0.9], [nan, nan], [1.2, nan]],
            SGD=[[2.1, 2.0], [1.4, nan], [nan, nan]],
            Adam=[[1.9, 1.7], [0.4, nan], [nan, nan]],
        ),
        table(
            SGD=[[0.7, 1.4], [1.1, 1.0], [2.3, 2.2]],
            Muon=[[2.0, 2.0], [0.9, 0.9], [3.0, 2.9]],
            Adam=[[2.0, 2.0], [nan, 0.6], [2.4, 2.9]],
        ),
        table(
            Muon=[[1.1, nan, 1.1], [1.5, 1.6, 1.7], [3.0, 3.0, 2.9]],
            Adam=[[1.6, 1.6], [2.6, 2.5], [1.3, nan]],
            SGD=[[nan, 2.6], [1.6, 0.8], [3.3, 3.3]],
        ),
        table(
            Muon=[[1.0, 1.0], [2.4, 2.5], [2.5, 2.5]],
            SGD=[[3.0, 3.1], [2.1, 1.9], [3.0, 2.9]],
            Adam=[[2.6, 2.5, 2.6], [nan, 1.4, 1.3], [0.7, 0.8, 0.8]],
        ),
    ]


FAIR_WINNER = Exercise(
    reference=fair_winner,
    prompt="The name of the optimizer with the lowest mean loss at its own best rate. `results` is like {'SGD': "
    "{0.1: [2.3, 2.4], 1.0: [1.9, nan]}, 'Adam': ...}: the loss of each seed, NaN where it diverged. A rate at which "
    "any seed diverged does not count.",
    cases=_some_races,
    right=[_winner_by_tensor, _winner_of_all_pairs, _winner_with_a_loop],
    wrong=[
        Wrong(
            _at_first_rate,
            "You compare all optimizers at the first learning rate. It may suit one and not the other: take each at "
            "its own best.",
        ),
        Wrong(
            _at_one_rate,
            "You compare all optimizers at one learning rate, the best for all together. The optimizers need "
            "different ones: take each at its own best.",
        ),
        Wrong(
            _at_the_rate_of_the_first,
            "You tune the learning rate for the first optimizer and give it to all others. So new optimizers beat old "
            "ones in many papers, and the other way round. Take each at its own best.",
        ),
        Wrong(
            _by_number_of_rates,
            "You count the learning rates at which an optimizer is ahead. Nobody trains at all of them: compare each "
            "at its own best.",
        ),
        Wrong(
            _least_at_best(lambda losses: min(_finite(losses), default=math.inf)),
            "You compare the single best runs. That rewards the luckiest seed, even where others diverged. Take the "
            "mean over the seeds first.",
        ),
        Wrong(
            _least_at_best(lambda losses: _mean(_finite(losses) or [math.inf])),
            "You leave out the runs that diverged and average the rest. Those are the survivors: a rate that killed "
            "the others looks good. Where any seed diverged, the learning rate does not count.",
        ),
        Wrong(
            _least_at_best(lambda losses: sum(losses) / len(losses)),
            "NaN confuses min(): every comparison with NaN is False, so the answer depends on the order. Leave the "
            "rates with a NaN out (math.isnan) before you take the minimum.",
        ),
        Wrong(
            _least_at_best(lambda losses: sum(_finite(losses)) / len(losses)),
            "You count a diverged run as a loss of 0, and that is the best loss there is. Where any seed diverged, "
            "the learning rate does not count.",
        ),
        Wrong(
            _least(_without_diverged),
            "You throw an optimizer out as soon as one of its runs diverged. Only that learning rate does not count: "
            "its others do.",
        ),
        Wrong(
            _least(_mean_over_rates),
            "You average over the learning rates. Nobody trains at a bad one when there is a good one: take each "
            "optimizer at its best.",
        ),
        Wrong(
            _least(lambda losses_at: min(_finite(sum(losses) / len(losses) for losses in losses_at.values()))),
            "min() found nothing: there is an optimizer that diverged at every learning rate. It cannot win: "
            "min(..., default=math.inf).",
        ),
        Wrong(_least_at_best(_counting(max)), "You compare the worst seeds. Here the mean over the seeds counts."),
        Wrong(
            _least_at_best(_counting(sum)),
            "You compare sums over the seeds, and not all have as many seeds. Take the mean.",
        ),
        Wrong(
            lambda results: min(results, key=lambda name: min(min(losses) for losses in results[name].values())),
            "You compare the luckiest seeds, and min() of numbers with a NaN among them depends on their order. Drop "
            "the rates at which a seed diverged, then take the mean over the seeds.",
        ),
        Wrong(
            _least_at_best(_counting(min)),
            "You compare the luckiest seeds. Take the mean over the seeds of each learning rate.",
        ),
        Wrong(
            _least_at_best(_counting(lambda losses: sorted(losses)[len(losses) // 2])),
            "You compare the middle seeds (the median). Here the mean over the seeds counts.",
        ),
        Wrong(
            lambda results: max(results, key=lambda name: min(map(_mean, results[name].values()))),
            "You took the highest loss. A loss is better when it is lower.",
        ),
        Wrong(_rate_of_the_winner, "You return the learning rate of the winner. Return the optimizer's name."),
        Wrong(_loss_of_the_winner, "You return the loss of the winner. Return the optimizer's name."),
        Wrong(
            _drops_diverged_rates,
            "The winner is right, but you deleted learning rates from `results`. Skip them instead: whoever gave you "
            "the table still needs it.",
        ),
    ],
    hints=[
        "Two questions, one after the other: how good is each optimizer at its best rate, and which of them is best?",
        "For each optimizer: the mean of every rate, without those that are NaN (math.isnan); then the smallest.",
        "min(best, key=best.get) gives the key of a dict whose value is the smallest.",
    ],
)
