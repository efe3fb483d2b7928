"""The exercise `sgd_step` of lesson 05."""

import torch

from bmcourse.exercises.compare import snapshot
from bmcourse.exercises.core import exercise
from bmcourse.exercises.optimizers.shared import IN_GRAPH, UNUSED, explained, learnable, torch_sgd


@exercise(
    prompt="One step of SGD. `parameters` is a list of torch.nn.Parameter; each moves against its own p.grad. Change "
    "the parameters in place: the model holds these very objects. Leave the gradients as they are, and leave a "
    "parameter alone whose grad is None. Returns nothing."
)
def sgd_step(parameters, lr):
    with torch.no_grad():
        for p in parameters:
            if p.grad is not None:
                p -= lr * p.grad


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


def sgd_by_torch(parameters, lr):
    used = [p for p in parameters if p.grad is not None]
    torch_sgd(used, [p.grad for p in used], [None] * len(used), lr)


@sgd_step.right
def sgd_on_data(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p.data = p.data - lr * p.grad


@sgd_step.right
@torch.no_grad()
def sgd_by_copy(parameters, lr):
    used = [p for p in parameters if p.grad is not None]
    for p in used:
        p.copy_(p - lr * p.grad)


@sgd_step.right
def sgd_with_continue(parameters, lr):
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


@sgd_step.mistake(IN_GRAPH)
def sgd_in_the_graph(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p -= lr * p.grad


@sgd_step.mistake(
    "You put new tensors into the list. The model still holds the old parameters, and those did not move. "
    "Change them in place: `p -= lr * p.grad`, under torch.no_grad()."
)
def sgd_into_the_list(parameters, lr):
    for index, p in enumerate(parameters):
        if p.grad is not None:
            parameters[index] = p - lr * p.grad


def sgd_then_zero(p, lr):
    p -= lr * p.grad
    p.grad.zero_()


def sgd_then_none(p, lr):
    p -= lr * p.grad
    p.grad = None


def sgd_scales_gradients(p, lr):
    p.grad *= lr
    p -= p.grad


@sgd_step.mistake(
    "requires_grad_(False) avoids torch's error, but from now on these parameters get no gradients: the next "
    "step has nothing to go by. Put the step under `with torch.no_grad():`."
)
def sgd_switches_learning_off(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p.requires_grad_(False)
            p -= lr * p.grad


@sgd_step.mistake(UNUSED)
@torch.no_grad()
def sgd_without_if(parameters, lr):
    for p in parameters:
        p -= lr * p.grad


@sgd_step.mistake("Only the first parameter moves. Is there a `return` inside the loop?")
@torch.no_grad()
def sgd_first_only(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p -= lr * p.grad
        return


@sgd_step.mistake(
    "Your loop ends at the first parameter without a gradient, and those after it never move. Skip that one "
    "parameter only."
)
@torch.no_grad()
def sgd_until_none(parameters, lr):
    for p in parameters:
        if p.grad is None:
            return
        p -= lr * p.grad


@sgd_step.mistake(
    "You divide by the number of parameters. The loss is already a mean over examples; over parameters there "
    "is nothing to average."
)
@torch.no_grad()
def sgd_average(parameters, lr):
    for p in parameters:
        if p.grad is not None:
            p -= lr * p.grad / len(parameters)


@sgd_step.cases
def cases():
    return [
        ([torch.tensor([1.0, 2.0])], [torch.tensor([0.5, -1.0])], 0.1),
        ([torch.randn(3), torch.randn(2, 3)], [torch.randn(3), torch.randn(2, 3)], 0.5),
        ([torch.ones(2), torch.ones(2), torch.ones(1)], [torch.randn(2), None, torch.ones(1)], 0.1),
    ]


@sgd_step.judge
def expected(*case):
    return one_step(sgd_by_torch, *case)


sgd_step.mistake(
    "The sign is wrong: the gradient points to where the loss grows. Subtract it.",
    TODO_13=_used(lambda p, lr: p.add_(lr * p.grad)),
)


sgd_step.mistake(
    "The learning rate is missing: a step is lr times the gradient.", TODO_14=_used(lambda p, lr: p.sub_(p.grad))
)


sgd_step.mistake(
    "No parameter moved. `p = p - lr * p.grad` makes a new tensor and calls it p; the model still holds the "
    "old one. Change the parameter itself: `p -= lr * p.grad`, under torch.no_grad().",
    TODO_15=lambda parameters, lr: [p - lr * p.grad for p in parameters if p.grad is not None],
)


sgd_step.mistake(
    "No parameter moved. `p - lr * p.grad` is a new tensor; the model holds the old one. Change the parameter "
    "itself, `p -= lr * p.grad`, under torch.no_grad(), and skip it where p.grad is None.",
    TODO_16=lambda parameters, lr: [p - lr * p.grad for p in parameters],
)


sgd_step.mistake(
    "The step is right, but it also sets the gradients to zero. Keep the two apart: somebody may want to look "
    "at a gradient after the step. zero_grad() is a function of its own.",
    TODO_17=_used(sgd_then_zero),
)


sgd_step.mistake(
    "The step is right, but it also throws the gradients away (p.grad = None). Keep the two apart: somebody "
    "may want to look at a gradient after the step.",
    TODO_18=_used(sgd_then_none),
)


sgd_step.mistake(
    "The step is right, but the gradients are changed: `p.grad *= lr` works in place. Write lr * p.grad, which "
    "makes a new tensor.",
    TODO_19=_used(sgd_scales_gradients),
)


sgd_step.mistake(
    "You divide each gradient by its norm. Then a step is as long on flat ground as on steep ground. SGD takes "
    "the gradient as it is.",
    TODO_20=_used(lambda p, lr: p.sub_(lr * p.grad / p.grad.norm())),
)


sgd_step.mistake(
    "You use only the sign of the gradient, so every number moves by lr. SGD takes the gradient as it is.",
    TODO_21=_used(lambda p, lr: p.sub_(lr * p.grad.sign())),
)


sgd_step.mistake(
    "You take the mean of a gradient, so all numbers of a parameter move alike. Each number has its own slope: "
    "take p.grad as it is.",
    TODO_22=_used(lambda p, lr: p.sub_(lr * p.grad.mean())),
)


sgd_step.hints(
    "Loop over the parameters. What does each have that tells it where to go?",
    "Two things around the update: skip p where p.grad is None, and do it all under torch.no_grad().",
    "p -= lr * p.grad changes the parameter in place; p = p - lr * p.grad does not.",
)
