"""The exercise `momentum_step` of lesson 07: one step of SGD with momentum, in torch's form."""

import torch

from bmcourse.exercises.compare import snapshot
from bmcourse.exercises.core import exercise
from bmcourse.exercises.optimizers.steps import IN_GRAPH, LEFT_OFF, explained, learnable, random_tensors, torch_sgd


@exercise(
    prompt="One step of SGD with momentum, as torch defines it: velocity = momentum * velocity + gradient, then the "
    "parameter moves by -lr * velocity. `velocities` holds one for each parameter. Update both lists in place, and "
    "leave the gradients, p.grad, as they are.",
    built=("SGD", "sgd"),
    untried={"momentum": {"0": "torch then leaves the velocity alone, and by the text it is the gradient"}},
)
def momentum_step(parameters, velocities, lr, momentum):
    with torch.no_grad():
        for p, v in zip(parameters, velocities, strict=True):
            v.mul_(momentum).add_(p.grad)
            p -= lr * v


@momentum_step.cases
def cases():
    """One number; two of one shape and a changing rate; two shapes; equal ones that never forget."""
    alike, pair = [(3,), (3,)], [(3,), (2, 2)]
    zeros, slopes = [torch.zeros(3), torch.zeros(3)], [[torch.tensor([2.0, 0.0, -1.0])] * 2] * 2
    return [
        ([torch.tensor([1.0])], [torch.tensor([3.0])], [[torch.tensor([2.0])]], [0.1], 0.5),
        (random_tensors(alike), zeros, [random_tensors(alike) for _ in range(4)], [0.1, 0.1, 0.5, 0.2], 0.9),
        (random_tensors(pair), random_tensors(pair), [random_tensors(pair) for _ in range(3)], [0.3, 0.1, 0.1], 0.8),
        ([torch.ones(3), torch.ones(3)], zeros, slopes, [0.5, 0.5], 1.0),
    ]


@momentum_step.run
def some_steps(answer, values, velocities, gradients, lrs, momentum):
    """What an answer does to parameters and velocities in some steps, each with its own gradients and learning rate.

    The tensors of p.grad stay the same and get new numbers, as with zero_grad(set_to_none=False): who keeps one, errs.
    """
    parameters, velocities, seen = learnable(values), list(snapshot(velocities)), {}
    for p in parameters:
        p.grad = torch.zeros_like(p)
    for step, (now, lr) in enumerate(zip(gradients, lrs, strict=True), 1):
        for p, gradient in zip(parameters, now, strict=True):
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
            p.grad.copy_(gradient)
        with explained():
            answer(list(parameters), velocities, lr, momentum)
        seen[f"velocities after step {step}"] = snapshot(velocities)
        seen[f"parameters after step {step}"] = snapshot(parameters)
        seen[f"gradients after step {step}"] = snapshot([p.grad for p in parameters])
    return seen


def by_torch(parameters, velocities, lr, momentum):
    torch_sgd(parameters, [p.grad for p in parameters], velocities, lr, momentum)


@momentum_step.judge
def expected(*case):
    return some_steps(by_torch, *case)


@momentum_step.right
def into_the_list(parameters, velocities, lr, momentum):
    for index, p in enumerate(parameters):
        velocities[index] = momentum * velocities[index] + p.grad
        p.data -= lr * velocities[index]


@momentum_step.right
@torch.no_grad()
def by_copy(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.copy_(v * momentum + p.grad)
        p.copy_(p - v * lr)


@momentum_step.right
def in_two_loops(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v *= momentum
        v += p.grad
    for p, v in zip(parameters, velocities, strict=True):
        p.data.sub_(v, alpha=lr)


@momentum_step.right
def the_whole_list_anew(parameters, velocities, lr, momentum):
    velocities[:] = [torch.add(p.grad, v, alpha=momentum) for p, v in zip(parameters, velocities, strict=True)]
    for p, v in zip(parameters, velocities, strict=True):
        p.data = torch.sub(p.data, v, alpha=lr)


def velocity_is(velocity):
    """The answer whose velocity becomes `velocity(v, g, momentum, lr)`."""

    @torch.no_grad()
    def answer(parameters, velocities, lr, momentum):
        for p, v in zip(parameters, velocities, strict=True):
            v.copy_(velocity(v, p.grad, momentum, lr))
            p -= lr * v

    return answer


def moves_by(move):
    """The answer with the right velocity that takes `move(v, g, momentum, lr)` from the parameter."""

    @torch.no_grad()
    def answer(parameters, velocities, lr, momentum):
        for p, v in zip(parameters, velocities, strict=True):
            v.mul_(momentum).add_(p.grad)
            p -= move(v, p.grad, momentum, lr)

    return answer


momentum_step.mistake(
    "You weigh the gradient with (1 - momentum): that is a moving average, as in Adam. torch's momentum adds "
    "the whole gradient, so a steady slope makes steps up to 1 / (1 - momentum) times as long.",
    moving_average=velocity_is(lambda v, g, mu, lr: mu * v + (1 - mu) * g),
)
momentum_step.mistake(
    "Your weights are exchanged, and add up to 1: (1 - momentum) * velocity + momentum * gradient. torch takes "
    "momentum * velocity + gradient.",
    turned_moving_average=velocity_is(lambda v, g, mu, lr: (1 - mu) * v + mu * g),
)
momentum_step.mistake(
    "You multiply the velocity by 1 - momentum. A momentum of 0.9 keeps 0.9 of it: momentum * velocity + gradient.",
    keeps_the_rest=velocity_is(lambda v, g, mu, lr: (1 - mu) * v + g),
)
momentum_step.mistake(
    "You multiply the gradient by the momentum, and the velocity forgets nothing. It is the old velocity that is "
    "multiplied.",
    momentum_on_the_gradient=velocity_is(lambda v, g, mu, lr: v + mu * g),
)
momentum_step.mistake(
    "Your velocity is just the last gradient: nothing of the earlier ones is left. Add the gradient to "
    "momentum * velocity.",
    nothing_kept=velocity_is(lambda v, g, mu, lr: g),
)
momentum_step.mistake(
    "Your velocity forgets nothing: it is the sum of all gradients. Multiply it by the momentum before you add "
    "the new gradient.",
    nothing_forgotten=velocity_is(lambda v, g, mu, lr: v + g),
)
momentum_step.mistake(
    "You multiply by the momentum after adding the gradient, so the new gradient shrinks too. Only the old "
    "velocity is multiplied.",
    gradient_shrinks_too=velocity_is(lambda v, g, mu, lr: mu * (v + g)),
)
momentum_step.mistake(
    "Your momentum is always 0.9. It comes as an argument.",
    always_nine_tenths=velocity_is(lambda v, g, *_: 0.9 * v + g),
)
momentum_step.mistake(
    "Your velocity takes the square of the gradient, as RMSProp's memory does. Momentum adds the gradient itself.",
    squared=velocity_is(lambda v, g, mu, lr: mu * v + g**2),
)
momentum_step.mistake(
    "You divide the gradient by its norm. Momentum adds it as it is.",
    normalized=velocity_is(lambda v, g, mu, lr: mu * v + g / g.norm()),
)
momentum_step.mistake(
    "Your velocity holds the learning rate, and then you multiply by it again. It stands in one place: v = momentum * "
    "v + g, then p -= lr * v.",
    rate_twice=velocity_is(lambda v, g, mu, lr: mu * v + lr * g),
)
momentum_step.mistake(
    "Your velocity points downhill, and the step turns it round: uphill. v = momentum * v + g, then p -= lr * v.",
    minus_twice=velocity_is(lambda v, g, mu, lr: mu * v - g),
)


def another_velocity(velocity, move):
    """The answer whose velocity becomes `velocity(v, g, momentum, lr)`, of which `move(v, lr)` is taken away."""

    @torch.no_grad()
    def answer(parameters, velocities, lr, momentum):
        for p, v in zip(parameters, velocities, strict=True):
            v.copy_(velocity(v, p.grad, momentum, lr))
            p -= move(v, lr)

    return answer


momentum_step.mistake(
    "Your velocity holds the learning rate: v = momentum * v - lr * g, then p += v. Many papers write it so. "
    "torch keeps lr outside: v = momentum * v + g, then p -= lr * v. With a constant lr both give the same "
    "path. When lr changes between steps, they differ: yours remembers the old lr.",
    rate_inside_downhill=another_velocity(lambda v, g, mu, lr: mu * v - lr * g, lambda v, lr: -v),
)
momentum_step.mistake(
    "Your velocity holds the learning rate: v = momentum * v + lr * g. torch keeps it outside: v = momentum * "
    "v + g, then p -= lr * v. With a constant lr both give the same path. When lr changes between steps, they "
    "differ: yours remembers the old lr.",
    rate_inside=another_velocity(lambda v, g, mu, lr: mu * v + lr * g, lambda v, lr: v),
)
momentum_step.mistake(
    "Your velocity points downhill (v = momentum * v - g). torch's points uphill, like the gradient: v = "
    "momentum * v + g, and the minus comes in the step, p -= lr * v.",
    velocity_downhill=another_velocity(lambda v, g, mu, lr: mu * v - g, lambda v, lr: -lr * v),
)
momentum_step.mistake(
    "The velocities are right, but you add them, which leads uphill. Subtract: p -= lr * v.",
    uphill=moves_by(lambda v, g, mu, lr: -lr * v),
)
momentum_step.mistake(
    "The velocities are right, but the parameter moves by the whole velocity: lr is missing. p -= lr * v.",
    no_learning_rate=moves_by(lambda v, g, mu, lr: v),
)
momentum_step.mistake(
    "The velocities are right, but the parameter moves by the gradient. It should move by lr * v.",
    moves_by_the_gradient=moves_by(lambda v, g, mu, lr: lr * g),
)
momentum_step.mistake(
    "The velocities are right, but the parameter moves by velocity plus gradient. The gradient is in the velocity "
    "already: p -= lr * v.",
    gradient_twice=moves_by(lambda v, g, mu, lr: lr * (v + g)),
)
momentum_step.mistake(
    "The velocities are right, but the step is multiplied by the momentum once more. p -= lr * v.",
    momentum_twice=moves_by(lambda v, g, mu, lr: lr * mu * v),
)
momentum_step.mistake(
    "The velocities are right, but the step is multiplied by 1 - momentum, as an average would be. p -= lr * v.",
    step_averaged=moves_by(lambda v, g, mu, lr: lr * (1 - mu) * v),
)
momentum_step.mistake(
    "That is Nesterov's step: p -= lr * (g + momentum * v). Plain momentum moves by the velocity: p -= lr * v.",
    nesterov=moves_by(lambda v, g, mu, lr: lr * (g + mu * v)),
)
momentum_step.mistake(
    "Your velocities are right, but no parameter moves: `p - lr * v` is a new tensor, whatever name or list you put it "
    "in. Change the parameter itself: p -= lr * v.",
    parameter_rebound=moves_by(lambda v, g, mu, lr: 0.0),
)


def per_parameter(rule):
    """The answer that does `rule(p, g, v, momentum, lr)` with every parameter."""

    @torch.no_grad()
    def answer(parameters, velocities, lr, momentum):
        for p, v in zip(parameters, velocities, strict=True):
            rule(p, p.grad, v, momentum, lr)

    return answer


momentum_step.mistake(
    "The parameter becomes the step itself, and what it was is lost. Subtract: p -= lr * v.",
    only_the_step=per_parameter(lambda p, g, v, mu, lr: p.copy_(-lr * v.mul_(mu).add_(g))),
)
momentum_step.mistake(
    "You multiply the parameter by the momentum, so it shrinks in every step. The momentum belongs to the velocity.",
    momentum_on_the_parameter=per_parameter(lambda p, g, v, mu, lr: p.mul_(mu).sub_(lr * g)),
)
momentum_step.mistake(
    "Plain SGD: the velocities are not used at all. First v.mul_(momentum).add_(p.grad), then p -= lr * v.",
    plain_sgd=per_parameter(lambda p, g, v, mu, lr: p.sub_(lr * g)),
)
momentum_step.mistake(
    "The parameter moves by the old velocity: the gradient of now counts only in the next step. First update "
    "the velocity, then the parameter.",
    step_before_velocity=per_parameter(lambda p, g, v, mu, lr: (p.sub_(lr * v), v.mul_(mu).add_(g))),
)
momentum_step.mistake(
    "Your velocities never change: `v = momentum * v + p.grad` makes a new tensor, which is lost at the end of the "
    "step. Change the tensor in the list: v.mul_(momentum).add_(p.grad).",
    velocity_rebound=per_parameter(lambda p, g, v, mu, lr: p.sub_(lr * (mu * v + g))),
)
momentum_step.mistake(
    "Your velocities never change, and the parameters move by the old ones. Methods without _ at their end, such as "
    "v.mul(...), make new tensors: v.mul_(momentum).add_(p.grad).",
    methods_without_underscore=per_parameter(lambda p, g, v, mu, lr: p.sub_(lr * v)),
)
momentum_step.mistake(
    "Your velocities lose their gradients: they are multiplied by the momentum and nothing is added. v.add(...) makes "
    "a new tensor; v.add_(p.grad) changes v.",
    add_without_underscore=per_parameter(lambda p, g, v, mu, lr: p.sub_(lr * v.mul_(mu))),
)
momentum_step.mistake(
    "Your velocities grow by the gradient and are never multiplied by the momentum: v.mul(...) makes a new tensor. The "
    "step is right only once: v.mul_(momentum).add_(p.grad).",
    mul_without_underscore=per_parameter(lambda p, g, v, mu, lr: (p.sub_(lr * (mu * v + g)), v.add_(g))),
)
momentum_step.mistake(
    "The result is right, but p.grad is changed: `g = p.grad` is no copy, and `g += ...` changes both. Change "
    "the velocity: v.mul_(momentum).add_(p.grad).",
    gradient_changed=per_parameter(lambda p, g, v, mu, lr: p.sub_(lr * v.copy_(g.add_(v, alpha=mu)))),
)
momentum_step.mistake(
    "The step is right, but it also sets the gradients to zero. Keep the two apart: zero_grad() is a function of its "
    "own, and somebody may want to look at a gradient after the step.",
    gradients_zeroed=per_parameter(lambda p, g, v, mu, lr: (p.sub_(lr * v.mul_(mu).add_(g)), g.zero_())),
)
momentum_step.mistake(
    "The step is right, but it also throws the gradients away (p.grad = None). Keep the two apart: somebody may want "
    "to look at a gradient after the step.",
    gradients_thrown_away=per_parameter(
        lambda p, g, v, mu, lr: (p.sub_(lr * v.mul_(mu).add_(g)), setattr(p, "grad", None))
    ),
)


@momentum_step.mistake(
    "Neither the velocities nor the parameters changed. `v = ...` and `p = ...` give a name to a new tensor; "
    "the lists still hold the old ones. Use v.mul_(...), v.add_(...) and p -= ..."
)
def nothing_changed(parameters, velocities, lr, momentum):
    pass


@momentum_step.mistake(IN_GRAPH)
def in_the_graph(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(p.grad)
        p -= lr * v


@momentum_step.mistake(LEFT_OFF)
def gradients_left_off(parameters, velocities, lr, momentum):
    torch.set_grad_enabled(False)
    by_torch(parameters, velocities, lr, momentum)


@momentum_step.mistake(
    "`requires_grad_(False)` and detach_() avoid torch's error, but from now on these parameters get no gradients: the "
    "next step has nothing to go by. Put the step under `with torch.no_grad():`."
)
def learning_switched_off(parameters, velocities, lr, momentum):
    by_torch(parameters, velocities, lr, momentum)
    for p in parameters:
        p.requires_grad_(False)


@momentum_step.mistake(
    "In the first step your velocity *is* the tensor p.grad, not a copy. What backward() writes there next is in your "
    "velocity too. Copy its numbers: v.mul_(momentum).add_(p.grad), or p.grad.clone()."
)
def gradient_kept_at_first(parameters, velocities, lr, momentum):
    for i, p in enumerate(parameters):
        velocities[i] = velocities[i] * momentum + p.grad if velocities[i].any() else p.grad
        p.data -= lr * velocities[i]


@momentum_step.mistake(
    "In the first step your velocity *is* the tensor p.grad, not a copy, and from then on v.mul_() and v.add_() change "
    "the gradient too. Copy its numbers: v.mul_(momentum).add_(p.grad), or p.grad.clone()."
)
def gradient_kept_and_changed(parameters, velocities, lr, momentum):
    for i, p in enumerate(parameters):
        if velocities[i].any():
            velocities[i].mul_(momentum).add_(p.grad)
        else:
            velocities[i] = p.grad
        p.data -= lr * velocities[i]


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


@momentum_step.mistake("Only the first parameter moves. Is there a `return` or `break` inside the loop?")
def first_only(parameters, velocities, lr, momentum):
    by_torch(parameters[:1], velocities[:1], lr, momentum)


@momentum_step.mistake(
    "All velocities are right, but only the last parameter moves. Is `p -= lr * v` outside the loop? Indent it."
)
def last_moves_only(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(p.grad)
    parameters[-1].data -= lr * velocities[-1]


momentum_step.hints(
    "Two lines for each parameter: one for its velocity, one for itself. Go through both lists with zip.",
    "`v = ...` makes a new tensor and loses the old one. v.mul_(momentum) changes v itself.",
    "v.mul_(momentum).add_(p.grad), then p -= lr * v, all under torch.no_grad().",
)
