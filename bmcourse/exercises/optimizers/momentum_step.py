"""The exercise `momentum_step` of lesson 05."""

import torch

from bmcourse.exercises.compare import snapshot
from bmcourse.exercises.core import exercise
from bmcourse.exercises.optimizers.shared import IN_GRAPH, each, explained, learnable, random_tensors, torch_sgd


@exercise(
    prompt="One step of SGD with momentum, as torch defines it: velocity = momentum * velocity + gradient, then the "
    "parameter moves by -lr * velocity. `velocities` holds one for each parameter. Update both lists in place, and "
    "leave the gradients, p.grad, as they are."
)
def momentum_step(parameters, velocities, lr, momentum):
    with torch.no_grad():
        for p, v in zip(parameters, velocities, strict=True):
            v.mul_(momentum).add_(p.grad)
            p -= lr * v


@momentum_step.run
def momentum_steps(answer, values, velocities, gradients, lrs, momentum):
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


@momentum_step.cases
def momentum_cases():
    """One number; two parameters of one shape with a changing learning rate; two shapes."""
    alike, pair = [(3,), (3,)], [(3,), (2, 2)]
    return [
        ([torch.tensor([1.0])], [torch.tensor([3.0])], [[torch.tensor([2.0])]], [0.1], 0.5),
        (random_tensors(alike), _zeros(alike), [random_tensors(alike) for _ in range(4)], [0.1, 0.1, 0.5, 0.2], 0.9),
        (random_tensors(pair), random_tensors(pair), [random_tensors(pair) for _ in range(3)], [0.3, 0.1, 0.1], 0.8),
    ]


def _zeros(shapes):
    return [torch.zeros(shape) for shape in shapes]


def momentum_by_torch(parameters, velocities, lr, momentum):
    torch_sgd(parameters, [p.grad for p in parameters], velocities, lr, momentum)


@momentum_step.right
def momentum_into_the_list(parameters, velocities, lr, momentum):
    for index, p in enumerate(parameters):
        velocities[index] = momentum * velocities[index] + p.grad
        p.data -= lr * velocities[index]


@momentum_step.right
@torch.no_grad()
def momentum_by_copy(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.copy_(v * momentum + p.grad)
        p.copy_(p - v * lr)


@momentum_step.right
def momentum_in_two_loops(parameters, velocities, lr, momentum):
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

    return each(rule)


def by_velocity(v, g, lr, momentum):
    return lr * v


def ahead(v, g, lr, momentum):
    return lr * (g + momentum * v)


def loses_velocity(step):
    """The answer that takes the right `step`, but keeps no velocity."""

    def rule(p, g, v, lr, momentum):
        v = momentum * v + g
        p -= step(v, g, lr, momentum)

    return each(rule)


def step_before_velocity(p, g, v, lr, momentum):
    p -= lr * v
    v.mul_(momentum).add_(g)


def momentum_on_the_parameter(p, g, v, lr, momentum):
    p.mul_(momentum).sub_(lr * g)


@momentum_step.mistake(IN_GRAPH)
def step_in_the_graph(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(p.grad)
        p -= lr * v


@momentum_step.mistake("All your parameters share one velocity. Each has its own: go through both lists with zip.")
@torch.no_grad()
def one_velocity(parameters, velocities, lr, momentum):
    for p in parameters:
        velocities[0].mul_(momentum).add_(p.grad)
        p -= lr * velocities[0]


@momentum_step.mistake(
    "Two loops, one inside the other, pair every parameter with every velocity. One loop pairs each with its "
    "own: for p, v in zip(parameters, velocities)."
)
@torch.no_grad()
def every_velocity_for_every_parameter(parameters, velocities, lr, momentum):
    for p in parameters:
        for v in velocities:
            v.mul_(momentum).add_(p.grad)
            p -= lr * v


NOT_KEPT = (
    "Your velocities never change: `v = momentum * v + p.grad` makes a new tensor, which is lost at the end of the "
    "step. Change the tensor in the list: v.mul_(momentum).add_(p.grad)."
)


@momentum_step.judge
def expected(*case):
    return momentum_steps(momentum_by_torch, *case)


momentum_step.mistake(
    "You weigh the gradient with (1 - momentum): that is a moving average, as in Adam. torch's momentum adds "
    "the whole gradient, so a steady slope makes steps up to 1 / (1 - momentum) times as long.",
    TODO_23=_moves(by_velocity, lambda v, g, lr, momentum: momentum * v + (1 - momentum) * g),
)


momentum_step.mistake(
    "Your velocity is just the last gradient: nothing of the earlier ones is left. Add the gradient to "
    "momentum * velocity.",
    TODO_24=_moves(by_velocity, lambda v, g, *_: g),
)


momentum_step.mistake(NOT_KEPT, TODO_25=loses_velocity(by_velocity))


momentum_step.mistake(
    "Your velocities are right, but no parameter moves: `p = p - lr * v` makes a new tensor. Change the "
    "parameter itself: p -= lr * v.",
    TODO_26=_moves(lambda *_: 0.0),
)


momentum_step.mistake(
    "Neither the velocities nor the parameters changed. `v = ...` and `p = ...` give a name to a new tensor; "
    "the lists still hold the old ones. Use v.mul_(...), v.add_(...) and p -= ...",
    TODO_27=lambda parameters, velocities, lr, momentum: None,
)


momentum_step.mistake(
    "Your velocity holds the learning rate: v = momentum * v - lr * g, then p += v. Many papers write it so. "
    "torch keeps lr outside: v = momentum * v + g, then p -= lr * v. With a constant lr both give the same "
    "path. When lr changes between steps, they differ: yours remembers the old lr.",
    TODO_28=_moves(lambda v, *_: -v, lambda v, g, lr, momentum: momentum * v - lr * g),
)


momentum_step.mistake(
    "Your velocity holds the learning rate: v = momentum * v + lr * g. torch keeps it outside: v = momentum * "
    "v + g, then p -= lr * v. With a constant lr both give the same path. When lr changes between steps, they "
    "differ: yours remembers the old lr.",
    TODO_29=_moves(lambda v, *_: v, lambda v, g, lr, momentum: momentum * v + lr * g),
)


momentum_step.mistake(
    "Your velocity points downhill (v = momentum * v - g). torch's points uphill, like the gradient: v = "
    "momentum * v + g, and the minus comes in the step, p -= lr * v.",
    TODO_30=_moves(lambda v, g, lr, _: -lr * v, lambda v, g, lr, momentum: momentum * v - g),
)


momentum_step.mistake(
    "The velocities are right, but you add them, which leads uphill. Subtract: p -= lr * v.",
    TODO_31=_moves(lambda v, g, lr, _: -lr * v),
)


momentum_step.mistake(
    "The parameter moves by the old velocity: the gradient of now counts only in the next step. First update "
    "the velocity, then the parameter.",
    TODO_32=each(step_before_velocity),
)


momentum_step.mistake(
    "You multiply the parameter by the momentum, so it shrinks in every step. The momentum belongs to the velocity.",
    TODO_33=each(momentum_on_the_parameter),
)


momentum_step.mistake(
    "Your velocity forgets nothing: it is the sum of all gradients. Multiply it by the momentum before you add "
    "the new gradient.",
    TODO_34=_moves(by_velocity, lambda v, g, *_: v + g),
)


momentum_step.mistake(
    "You multiply by the momentum after adding the gradient, so the new gradient shrinks too. Only the old "
    "velocity is multiplied.",
    TODO_35=_moves(by_velocity, lambda v, g, lr, momentum: momentum * (v + g)),
)


momentum_step.mistake(
    "The velocities are right, but the parameter moves by the gradient. It should move by lr * v.",
    TODO_36=_moves(lambda v, g, lr, _: lr * g),
)


momentum_step.mistake(
    "That is Nesterov's step: p -= lr * (g + momentum * v). Plain momentum moves by the velocity: p -= lr * v.",
    TODO_37=_moves(ahead),
)


momentum_step.mistake(
    "The result is right, but p.grad is changed: `g = p.grad` is no copy, and `g += ...` changes both. Change "
    "the velocity: v.mul_(momentum).add_(p.grad).",
    TODO_38=_moves(by_velocity, lambda v, g, lr, momentum: g.add_(v, alpha=momentum)),
)


momentum_step.hints(
    "Two lines for each parameter: one for its velocity, one for itself. Go through both lists with zip.",
    "`v = ...` makes a new tensor and loses the old one. v.mul_(momentum) changes v itself.",
    "v.mul_(momentum).add_(p.grad), then p -= lr * v, all under torch.no_grad().",
)
