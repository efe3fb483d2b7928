"""The exercise `penalise_forbidden` of lesson 09."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.networks import classifier, linear
from bmcourse.exercises.explain.results import plain
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Right for the right reasons: a penalty for a model that looks where it must not. Take the sum of all "
    "log-probabilities (log_softmax of the outputs) of all inputs; its gradient to x (B, F); keep it where `forbidden` "
    "(B, F) is True; return the sum of its squares for each input, averaged over the batch: one number. Training will "
    "call backward() on it, so it must have a graph to the parameters; their .grad stays as it was. Ross, Hughes & "
    "Doshi-Velez 2017.",
    tolerance=1e-4,
)
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


@penalise_forbidden.run
def penalty_and_gradients(answer, model, x, forbidden):
    """The penalty and what it tells every parameter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's about backward(create_graph=True), which has its own verdict here
        penalty = answer(model, x, forbidden)
    right = not difference(plain(penalty), penalise_forbidden(model, x, forbidden).item(), 1e-4)
    trainable = torch.is_tensor(penalty) and penalty.requires_grad
    if right and not trainable:
        raise Mistake(NO_GRAPH)
    if right and any(parameter.grad is not None for parameter in model.parameters()):
        raise Mistake(GRADS_TOO)
    if not trainable or penalty.numel() != 1:
        return {"penalty": plain(penalty), "gradients": None}
    return {"penalty": plain(penalty), "gradients": to_parameters(penalty.sum(), model)}


@penalise_forbidden.judge
def penalty_by_jacobians(model, x, forbidden):
    """The same with torch's jacobian, input by input."""

    def log_probabilities(row):
        return model(row[None]).log_softmax(dim=1).sum()

    penalty = 0.0
    for row, away in zip(x, forbidden, strict=True):
        gradient = torch.autograd.functional.jacobian(log_probabilities, row, create_graph=True)
        penalty = penalty + (gradient[away] ** 2).sum() / len(x)
    return {"penalty": penalty.detach(), "gradients": to_parameters(penalty, model)}


def to_parameters(penalty, model):
    return list(torch.autograd.grad(penalty, list(model.parameters()), allow_unused=True, materialize_grads=True))


@penalise_forbidden.right
def penalty_row_by_row(model, x, forbidden):
    total = torch.zeros(())
    for row, away in zip(x, forbidden, strict=True):
        row = row.detach().clone().requires_grad_(True)
        score = F.log_softmax(model(row[None]), dim=-1).sum()
        (gradient,) = torch.autograd.grad(score, row, create_graph=True)
        total = total + gradient[away].pow(2).sum()
    return total / len(x)


@penalise_forbidden.right
def penalty_by_masked_fill(model, x, forbidden):
    x = x.detach().requires_grad_()
    outputs = model(x)
    scores = outputs.sum(dim=1) - outputs.shape[1] * outputs.logsumexp(dim=1)
    gradient = torch.autograd.grad(scores, x, torch.ones(len(x)), create_graph=True)[0]
    return torch.linalg.vector_norm(gradient.masked_fill(~forbidden, 0.0)) ** 2 / len(x)


@penalise_forbidden.right
def penalty_by_products(model, x, forbidden):
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


@penalise_forbidden.mistake(GRADS_TOO)
def penalty_by_backward(model, x, forbidden):
    x = x.clone().requires_grad_()
    model(x).log_softmax(dim=1).sum().backward(create_graph=True)
    return (x.grad * forbidden).square().sum(dim=1).mean()


@penalise_forbidden.mistake(
    "You set the forbidden places to 0 before the model sees them. It was asked about inputs that it will "
    "never meet: give it x, and mask the gradient."
)
def penalty_on_covered_inputs(model, x, forbidden):
    return penalise_forbidden(model, x * ~forbidden, forbidden)


@penalise_forbidden.mistake("That is weight decay: it knows nothing of places. Take the gradient to x.")
def weights_instead(model, x, forbidden):
    return sum(parameter.square().sum() for parameter in model.parameters())


@penalise_forbidden.mistake("You penalise the input itself, and no training can change it. Take the gradient to x.")
def inputs_instead(model, x, forbidden):
    return (x * forbidden).square().sum(dim=1).mean()


@penalise_forbidden.cases
def cases():
    return [
        (linear([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[False, True]])),
        (classifier(4, 3), torch.randn(5, 4), torch.rand(5, 4) < 0.4),
        (classifier(6, 2), torch.randn(3, 6), torch.tensor([[True, True, False, False, False, False]] * 3)),
        (nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 4)), torch.randn(6, 5), torch.rand(6, 5) < 0.5),
    ]


penalise_forbidden.mistake(NO_GRAPH, TODO_111=_penalty(graph=False))


penalise_forbidden.mistake(
    "You penalise the allowed places: the model would learn to look at the forbidden ones only. True means forbidden.",
    TODO_112=_penalty(sum_up=lambda gradient, forbidden: (gradient * ~forbidden).square().sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You penalise the gradient everywhere, so the model must become flat. Keep it where `forbidden` is True.",
    TODO_113=_penalty(sum_up=lambda gradient, forbidden: gradient.square().sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You add up absolute values. Asked are squares, which press hardest on the largest.",
    TODO_114=_penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).abs().sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You add up the gradient with its sign: plus and minus cancel, and a large negative sum looks like a small "
    "penalty. Square first.",
    TODO_115=_penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You add up first and square then, so plus and minus cancel. Square each, then add up.",
    TODO_116=_penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).sum(dim=1).square().mean()),
)


penalise_forbidden.mistake(
    "That is the root of the sum of squares. Leave the root out: its own gradient breaks down at 0, where "
    "training wants to arrive.",
    TODO_117=_penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).norm(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You take the mean over the places too, so an input with more pixels is punished less. Add up an input's "
    "squares; the mean is over the batch.",
    TODO_118=_penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).square().mean()),
)


penalise_forbidden.mistake(
    "You take the mean over the forbidden places: few or many of them would weigh the same. Add up an input's "
    "squares; the mean is over the batch.",
    TODO_119=_penalty(sum_up=lambda gradient, forbidden: gradient[forbidden].square().mean()),
)


penalise_forbidden.mistake(
    "You add up over the batch as well, so twice the batch is twice the penalty, while the loss beside it is a "
    "mean. Take the mean over the batch.",
    TODO_120=_penalty(sum_up=lambda gradient, forbidden: (gradient * forbidden).square().sum()),
)


penalise_forbidden.mistake(
    "You take the mean of the log-probabilities: the penalty shrinks with the square of their number. Asked is "
    "their sum.",
    TODO_121=_penalty(lambda outputs: outputs.log_softmax(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You take the outputs before softmax. Asked are log-probabilities: .log_softmax(dim=1).",
    TODO_122=_penalty(lambda outputs: outputs.sum()),
)


penalise_forbidden.mistake(
    "You add up probabilities. They add up to 1 whatever the model looks at, so their gradient is always 0: "
    "take log-probabilities.",
    TODO_123=_penalty(lambda outputs: outputs.softmax(dim=1).sum()),
)


penalise_forbidden.mistake(
    "log_softmax(dim=0) runs over the batch. The probabilities of one input are a row: dim=1.",
    TODO_124=_penalty(lambda outputs: outputs.log_softmax(dim=0).sum()),
)


penalise_forbidden.mistake(
    "You take the likeliest class only. A forbidden place may speak for any other: add up all classes.",
    TODO_125=_penalty(lambda outputs: outputs.log_softmax(dim=1).max(dim=1).values.sum()),
)


penalise_forbidden.hints(
    "As in gradient_of_target: a copy of x that records, the model, a sum, torch.autograd.grad.",
    "model(x).log_softmax(dim=1).sum() is what you go back from. create_graph=True lets training go back through "
    "the gradient itself.",
    "(gradient * forbidden).square().sum(dim=1).mean()",
)
