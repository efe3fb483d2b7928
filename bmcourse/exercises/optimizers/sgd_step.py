"""The exercise `sgd_step` of lesson 07: one step of stochastic gradient descent."""

import torch

from bmcourse.exercises.compare import snapshot
from bmcourse.exercises.core import exercise
from bmcourse.exercises.optimizers.steps import IN_GRAPH, LEFT_OFF, TRUTH, UNUSED, explained, learnable, torch_sgd


@exercise(
    prompt="One step of SGD. `parameters` is a list of torch.nn.Parameter; each moves against its own p.grad. Change "
    "the parameters in place: the model holds these very objects. Leave the gradients as they are, and leave a "
    "parameter alone whose grad is None. Returns nothing.",
    built=("SGD", "sgd"),
)
def sgd_step(parameters, lr):
    with torch.no_grad():
        for p in parameters:
            if p.grad is not None:
                p -= lr * p.grad


@sgd_step.cases
def cases():
    """One parameter; two shapes, with one number alone; two that are equal, one unused between them; steep and flat."""
    same, steep = torch.tensor([0.5, 2.0]), torch.tensor([[30.0, -4.0], [0.0, 0.0]], dtype=torch.float64)
    return [
        ([torch.tensor([1.0, 2.0])], [torch.tensor([0.5, -0.5])], 0.1),
        ([torch.randn(3), torch.randn(2, 3), torch.randn(())], [0.3 * torch.randn(s) for s in ((3,), (2, 3), ())], 0.5),
        ([torch.ones(2), torch.ones(2), torch.ones(2), torch.ones(1)], [same, None, same, torch.ones(1)], 0.1),
        ([torch.zeros(2), torch.randn(2, 2).double().T], [torch.zeros(2), steep], 2.0),
    ]


@sgd_step.run
def one_step(answer, values, gradients, lr):
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


def by_torch(parameters, lr):
    used = [p for p in parameters if p.grad is not None]
    torch_sgd(used, [p.grad for p in used], [None] * len(used), lr)


@sgd_step.judge
def expected(*case):
    return one_step(by_torch, *case)


@sgd_step.right
def on_data(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p.data = p.data - lr * p.grad


@sgd_step.right
@torch.no_grad()
def by_copy(parameters, lr):
    used = [p for p in parameters if p.grad is not None]
    for p in used:
        p.copy_(p - lr * p.grad)


@sgd_step.right
def with_continue(parameters, lr):
    for index in range(len(parameters)):
        if parameters[index].grad is None:
            continue
        parameters[index].data.add_(parameters[index].grad, alpha=-lr)


@sgd_step.right
def number_by_number(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            moved = [number - lr * slope for number, slope in zip(p.flatten(), p.grad.flatten(), strict=True)]
            p.data.copy_(torch.stack(moved).view(p.shape))


sgd_step.mistake(
    "The sign is wrong: the gradient points to where the loss grows. Subtract it.",
    uphill=sgd_step.changed("-=", "+="),
)
sgd_step.mistake(
    "The learning rate is missing: a step is lr times the gradient.",
    no_learning_rate=sgd_step.changed("lr * p.grad", "p.grad"),
)
sgd_step.mistake(
    "The sign is wrong and the learning rate is missing: subtract lr times the gradient.",
    uphill_without_rate=sgd_step.changed("-= lr * p.grad", "+= p.grad"),
)
sgd_step.mistake(
    "You divide the gradient by the learning rate, so a small rate makes long steps. Multiply.",
    divided_by_rate=sgd_step.changed("lr * p.grad", "p.grad / lr"),
)
sgd_step.mistake(
    "The parameter becomes the step itself, and what it was is lost. Subtract the step from it: `p -= lr * p.grad`.",
    only_the_step=sgd_step.changed("p -= lr * p.grad", "p.copy_(-lr * p.grad)"),
)
sgd_step.mistake(
    "The parameter becomes lr times its gradient, and what it was is lost. Subtract that from it: `p -= lr * p.grad`.",
    parameter_is_the_gradient=sgd_step.changed("p -= lr * p.grad", "p.copy_(lr * p.grad)"),
)
sgd_step.mistake(
    "You multiply the parameter by 1 - lr * gradient, so it moves in proportion to its own size, and 0 never moves. "
    "Subtract lr * p.grad.",
    multiplied=sgd_step.changed("p -= lr * p.grad", "p *= 1 - lr * p.grad"),
)
sgd_step.mistake(
    "Every parameter moves by twice its step. Is the update made twice?",
    moved_twice=sgd_step.changed("lr * p.grad", "2 * lr * p.grad"),
)
sgd_step.mistake(
    "No parameter moved. `p - lr * p.grad` is a new tensor, and `p = ...` only gives it a name; the model still holds "
    "the old one. Change the parameter itself: `p -= lr * p.grad`, under torch.no_grad().",
    rebound=sgd_step.changed("p -= lr * p.grad", "p = p - lr * p.grad"),
)
sgd_step.mistake(
    "No parameter moved: `p - lr * p.grad` is a new tensor, and the model holds the old one. Change the parameter "
    "itself, `p -= lr * p.grad`, under torch.no_grad(), and skip it where p.grad is None.",
    rebound_without_if=lambda parameters, lr: [p - lr * p.grad for p in parameters],
)


@sgd_step.mistake(
    "You put new tensors into the list. The model still holds the old parameters, and those did not move. "
    "Change them in place: `p -= lr * p.grad`, under torch.no_grad()."
)
def new_in_the_list(parameters, lr):
    for index, p in enumerate(parameters):
        if p.grad is not None:
            parameters[index] = p - lr * p.grad


@sgd_step.mistake(
    "The parameters moved, but you took those without a gradient out of the list. The list is the caller's: skip them."
)
def unused_thrown_out(parameters, lr):
    parameters[:] = [p for p in parameters if p.grad is not None]
    by_torch(parameters, lr)


@sgd_step.mistake(IN_GRAPH)
def in_the_graph(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p -= lr * p.grad


@sgd_step.mistake(LEFT_OFF)
def gradients_left_off(parameters, lr):
    torch.set_grad_enabled(False)
    by_torch(parameters, lr)


@sgd_step.mistake(
    "`requires_grad_(False)` and detach_() avoid torch's error, but from now on these parameters get no gradients: the "
    "next step has nothing to go by. Put the step under `with torch.no_grad():`."
)
def learning_switched_off(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p.requires_grad_(False)
            p -= lr * p.grad


@sgd_step.mistake(
    "`requires_grad_(False)` avoids torch's error, but from now on no parameter gets a gradient: the next step has "
    "nothing to go by. Put the step under `with torch.no_grad():`."
)
def all_learning_switched_off(parameters, lr):
    by_torch(parameters, lr)
    for p in parameters:
        p.requires_grad_(False)


@sgd_step.mistake(UNUSED)
@torch.no_grad()
def without_if(parameters, lr):
    for p in parameters:
        p -= lr * p.grad


sgd_step.mistake(TRUTH, truth_of_a_tensor=sgd_step.changed("p.grad is not None", "p.grad"))


@sgd_step.mistake(
    "The step is right, but a parameter without a gradient has one of zeros now. None says that it had no part in the "
    "loss; other code asks for that. Leave it alone."
)
def none_becomes_zeros(parameters, lr):
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    by_torch(parameters, lr)


@sgd_step.mistake("Only the first parameter moves. Is there a `return` or `break` inside the loop?")
def first_only(parameters, lr):
    by_torch(parameters[:1], lr)


@sgd_step.mistake("Only the last parameter moves. Is the update outside the loop? Indent it.")
def last_only(parameters, lr):
    by_torch(parameters[-1:], lr)


@sgd_step.mistake("The last parameter never moves: does your loop end one too early?")
def last_left_out(parameters, lr):
    by_torch(parameters[:-1], lr)


@sgd_step.mistake("The first parameter never moves: counting starts at 0.")
def first_left_out(parameters, lr):
    by_torch(parameters[1:], lr)


@sgd_step.mistake(
    "Your loop ends at the first parameter without a gradient, and those after it never move. Skip that one "
    "parameter only: continue, not break or return."
)
@torch.no_grad()
def until_none(parameters, lr):
    for p in parameters:
        if p.grad is None:
            return
        p -= lr * p.grad


def with_gradients(change):
    """The right step with p.grad replaced by `change(p.grad, all gradients)` while it lasts."""

    @torch.no_grad()
    def answer(parameters, lr):
        gradients = [p.grad for p in parameters if p.grad is not None]
        for p in parameters:
            if p.grad is not None:
                p -= lr * change(p.grad, gradients)

    return answer


sgd_step.mistake(
    "You divide by the number of parameters. The loss is already a mean over examples; over parameters there "
    "is nothing to average.",
    divided_by_their_number=sgd_step.changed("lr * p.grad", "lr * p.grad / len(parameters)"),
)
sgd_step.mistake(
    "You divide each gradient by its number of elements. The loss is already a mean over examples; take p.grad as it "
    "is.",
    divided_by_elements=with_gradients(lambda g, _: g / g.numel()),
)
sgd_step.mistake(
    "You divide each gradient by its norm. Then a step is as long on flat ground as on steep ground. SGD takes "
    "the gradient as it is.",
    normalized=with_gradients(lambda g, _: g / g.norm()),
)
sgd_step.mistake(
    "You divide each gradient by its norm (and something tiny). Then a step is as long on flat ground as on steep "
    "ground. SGD takes the gradient as it is.",
    normalized_safely=with_gradients(lambda g, _: g / (g.norm() + 1e-8)),
)
sgd_step.mistake(
    "You use only the sign of the gradient, so every number moves by lr. SGD takes the gradient as it is.",
    sign_only=with_gradients(lambda g, _: g.sign()),
)
sgd_step.mistake(
    "You lost the gradient's sign: with its absolute value every number goes down, wherever the loss falls.",
    sign_lost=with_gradients(lambda g, _: g.abs()),
)
sgd_step.mistake(
    "You square the gradient. That has lost its sign, and its size; SGD takes the gradient as it is.",
    squared=with_gradients(lambda g, _: g**2),
)
sgd_step.mistake(
    "You take the mean of a gradient, so all numbers of a parameter move alike. Each number has its own slope: "
    "take p.grad as it is.",
    mean_of_a_gradient=with_gradients(lambda g, _: g.mean()),
)
sgd_step.mistake(
    "You take the sum of a gradient, so all numbers of a parameter move alike. Each number has its own slope: "
    "take p.grad as it is.",
    sum_of_a_gradient=with_gradients(lambda g, _: g.sum()),
)
sgd_step.mistake(
    "You clip each number of the gradient to between -1 and 1. That is a trick for training that explodes; plain SGD "
    "takes the gradient as it is.",
    clipped=with_gradients(lambda g, _: g.clamp(-1, 1)),
)
sgd_step.mistake(
    "You shorten each gradient to a norm of 1 at most. That is a trick for training that explodes; plain SGD takes the "
    "gradient as it is.",
    norm_clipped=with_gradients(lambda g, _: g / g.norm().clamp(min=1)),
)
sgd_step.mistake(
    "You clip the norm of all gradients together to 1. That is a trick for training that explodes; plain SGD takes the "
    "gradients as they are.",
    total_norm_clipped=with_gradients(lambda g, all_: g / sum(x.square().sum() for x in all_).sqrt().clamp(min=1)),
)


def afterwards(change):
    """The right step, after which every gradient goes through `change(p)`."""

    def answer(parameters, lr):
        by_torch(parameters, lr)
        for p in parameters:
            if p.grad is not None:
                change(p, lr)

    return answer


sgd_step.mistake(
    "The step is right, but it also sets the gradients to zero. Keep the two apart: somebody may want to look "
    "at a gradient after the step. zero_grad() is a function of its own.",
    gradients_zeroed=afterwards(lambda p, lr: p.grad.zero_()),
)
sgd_step.mistake(
    "The step is right, but it also throws the gradients away (p.grad = None). Keep the two apart: somebody "
    "may want to look at a gradient after the step.",
    gradients_thrown_away=afterwards(lambda p, lr: setattr(p, "grad", None)),
)
sgd_step.mistake(
    "The step is right, but the gradients are changed: `p.grad *= lr` works in place. Write lr * p.grad, which "
    "makes a new tensor.",
    gradients_scaled=afterwards(lambda p, lr: p.grad.mul_(lr)),
)
sgd_step.mistake(
    "The step is right, but the gradients are changed: mul_(-lr) and neg_() work in place. Write lr * p.grad, which "
    "makes a new tensor.",
    gradients_scaled_and_turned=afterwards(lambda p, lr: p.grad.mul_(-lr)),
)


@sgd_step.mistake(
    "You clear the gradients before the step, so there is nothing to go by and nothing moves. Clearing them is not the "
    "step's work at all."
)
def cleared_first(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p.grad.zero_()


sgd_step.hints(
    "Loop over the parameters. What does each have that tells it where to go?",
    "Two things around the update: skip p where p.grad is None, and do it all under torch.no_grad().",
    "p -= lr * p.grad changes the parameter in place; p = p - lr * p.grad does not.",
)
