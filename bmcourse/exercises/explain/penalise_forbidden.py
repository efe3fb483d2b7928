"""A penalty for a model that looks where it must not (lesson 12): Ross, Hughes & Doshi-Velez 2017."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.exercises.checklists import uncommon
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
    untried={"x": {"a gradient is wanted": "the penalty is for the parameters; inputs are data"}},
)
def penalise_forbidden(model, x, forbidden):
    x = x.clone().requires_grad_()
    log_probabilities = model(x).log_softmax(dim=1)
    gradient = torch.autograd.grad(log_probabilities.sum(), x, create_graph=True)[0]
    return (gradient * forbidden).square().sum(dim=1).mean()


def in_training():
    """A model with gradients that a step has left, and a batch of one in another layout."""
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    (x,) = uncommon(torch.tensor([[0.5, 0.0, -1.0, 0.5]]))
    return model, x.detach(), torch.tensor([[True, False, True, True]])


@penalise_forbidden.cases
def cases():
    sure = linear([[90.0, -40.0, 0.0], [0.0, 80.0, 1.0]])
    return [
        (linear([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[False, True]])),
        (classifier(4, 3), torch.randn(3, 4), torch.tensor([[True, False, True, False], [False] * 4, [True] * 4])),
        (nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 4)), torch.randn(4, 5), torch.rand(4, 5) < 0.5),
        in_training(),
        (sure, torch.tensor([[2.0, 0.0, 1.0], [0.0, 2.0, 0.0]]), torch.tensor([[True] * 3, [False] * 3])),
        (classifier(3, 3), torch.randn(2, 3), torch.zeros(2, 3).bool()),
    ]


NO_GRAPH = (
    "The number is right, but training cannot make it smaller: it has no graph that leads to the parameters. Ask for "
    "one: torch.autograd.grad(..., create_graph=True), and use no detach(), item() or .data."
)


GRADS_TOO = (
    "The penalty is right, but backward() also filled the .grad of the model's parameters, and the training step would "
    "add that to its own. torch.autograd.grad(..., x, create_graph=True) leaves them alone."
)


WIPED = (
    "The penalty is right, but zero_grad() also wiped out what stood in the .grad of the parameters before you were "
    "called. torch.autograd.grad(..., x, create_graph=True) never touches it."
)


@penalise_forbidden.run
def penalty_and_gradients(answer, model, x, forbidden):
    """The penalty and what it tells every parameter."""
    before = left_in(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's about backward(create_graph=True), which has its own verdict here
        penalty = answer(model, x, forbidden)
    after = left_in(model)
    expected = penalise_forbidden(model, x, forbidden)
    right = not difference(plain(penalty), expected.item(), 1e-4)
    trainable = torch.is_tensor(penalty) and penalty.requires_grad
    if right and not trainable:
        raise Mistake(NO_GRAPH)
    if right and any(
        was is not None and (now is None or not now.any()) for was, now in zip(before, after, strict=True)
    ):
        raise Mistake(WIPED)
    if right and difference(after, before, 0.0):
        raise Mistake(GRADS_TOO)
    if not trainable or penalty.numel() != 1:
        return {"penalty": plain(penalty), "gradients": None}
    return {"penalty": plain(penalty), "gradients": to_parameters(penalty.sum(), model)}


def left_in(model):
    return [plain(parameter.grad) for parameter in model.parameters()]


@penalise_forbidden.judge
def by_jacobians(model, x, forbidden):
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
def row_by_row(model, x, forbidden):
    total = torch.zeros(())
    for row, away in zip(x, forbidden, strict=True):
        row = row.detach().clone().requires_grad_(True)
        score = F.log_softmax(model(row[None]), dim=-1).sum()
        (gradient,) = torch.autograd.grad(score, row, create_graph=True)
        total = total + gradient[away].pow(2).sum()
    return total / len(x)


@penalise_forbidden.right
def by_masked_fill(model, x, forbidden):
    x = x.detach().requires_grad_()
    outputs = model(x)
    scores = outputs.sum(dim=1) - outputs.shape[1] * outputs.logsumexp(dim=1)
    gradient = torch.autograd.grad(scores, x, torch.ones_like(scores), create_graph=True)[0]
    return gradient.masked_fill(~forbidden, 0.0).pow(2).sum() / len(x)


@penalise_forbidden.right
def by_einsum(model, x, forbidden):
    inputs = x.detach().clone().requires_grad_()
    total = F.log_softmax(model(inputs), -1).sum()
    (gradient,) = torch.autograd.grad(total, [inputs], retain_graph=True, create_graph=True)
    return torch.einsum("bf,bf,bf->b", gradient, gradient, forbidden.to(x)).mean()


@penalise_forbidden.right
def by_vmap(model, x, forbidden):
    def score(row):
        return model(row[None]).log_softmax(dim=1).sum()

    gradients = torch.func.vmap(torch.func.grad(score))(x)
    return gradients[forbidden].square().sum() / x.shape[0]


def of(score=lambda outputs: outputs.log_softmax(dim=1).sum(), graph=True):
    """A wrong penalty: of the gradient of `score(outputs)`."""

    def answer(model, x, forbidden):
        x = x.clone().requires_grad_()
        gradient = torch.autograd.grad(score(model(x)), x, create_graph=graph)[0]
        return (gradient * forbidden).square().sum(dim=1).mean()

    return answer


def summing(sum_up):
    """A wrong penalty: `sum_up(gradient, forbidden)` of the right gradient."""

    def answer(model, x, forbidden):
        x = x.clone().requires_grad_()
        score = model(x).log_softmax(dim=1).sum()
        return sum_up(torch.autograd.grad(score, x, create_graph=True)[0], forbidden)

    return answer


# The graph, and what stays behind.


penalise_forbidden.mistake(NO_GRAPH, graph_forgotten=penalise_forbidden.changed(", create_graph=True", ""))


@penalise_forbidden.mistake(GRADS_TOO)
def backward_fills_the_parameters(model, x, forbidden):
    x = x.clone().requires_grad_()
    model(x).log_softmax(dim=1).sum().backward(create_graph=True)
    return (x.grad * forbidden).square().sum(dim=1).mean()


@penalise_forbidden.mistake(WIPED)
def zero_grad_wipes_what_was_there(model, x, forbidden):
    penalty = backward_fills_the_parameters(model, x, forbidden)
    model.zero_grad()
    return penalty


@penalise_forbidden.mistake(
    "The penalty is right, but x now wants gradients for good. Ask a copy: x = x.clone().requires_grad_()."
)
def requires_grad_left_on(model, x, forbidden):
    x.requires_grad_()
    gradient = torch.autograd.grad(model(x).log_softmax(dim=1).sum(), x, create_graph=True)[0]
    return (gradient * forbidden).square().sum(dim=1).mean()


penalise_forbidden.mistake(
    "The number is right, but of the graph only a part is left: a factor was detached, so the penalty's gradient is "
    "half "
    "of what it should be. Square the gradient itself.",
    half_the_graph=summing(lambda g, forbidden: (g * g.detach() * forbidden).sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "torch keeps no record for x: inputs are data. Make a copy that does: x = x.clone().requires_grad_().",
    no_requires_grad=penalise_forbidden.changed(".requires_grad_()", ""),
)


penalise_forbidden.mistake(
    "What you go back from has no graph: no_grad, detach() or item() has cut it off. Then no way leads back, to x or "
    "to "
    "the parameters.",
    under_no_grad=torch.no_grad()(penalise_forbidden.reference),
)


penalise_forbidden.mistake(
    "torch.autograd.grad gives a tuple, one gradient for each thing you asked about. You asked about one: [0].",
    the_whole_tuple=penalise_forbidden.changed("create_graph=True)[0]", "create_graph=True)"),
)


penalise_forbidden.mistake(
    "torch wants one number to go back from. Add up the log-probabilities: .sum().",
    not_summed=penalise_forbidden.changed("log_probabilities.sum()", "log_probabilities"),
)


# Whose gradient.


@penalise_forbidden.mistake(
    "You set the forbidden places to 0 before the model sees them. It was asked about inputs that it will "
    "never meet: give it x, and mask the gradient."
)
def inputs_covered(model, x, forbidden):
    return penalise_forbidden(model, x * ~forbidden, forbidden)


@penalise_forbidden.mistake("You show the model the forbidden places alone. Give it x as it is, and mask the gradient.")
def forbidden_places_alone(model, x, forbidden):
    return penalise_forbidden(model, x * forbidden, forbidden)


@penalise_forbidden.mistake("That is weight decay: it knows nothing of places. Take the gradient to x.")
def weights_instead(model, x, forbidden):
    return sum(parameter.square().sum() for parameter in model.parameters())


@penalise_forbidden.mistake("You penalise the input itself, and no training can change it. Take the gradient to x.")
def inputs_instead(model, x, forbidden):
    return (x * forbidden).square().sum(dim=1).mean()


@penalise_forbidden.mistake("That is gradient times input. Square the gradient alone.")
def times_input(model, x, forbidden):
    inputs = x.clone().requires_grad_()
    score = model(inputs).log_softmax(dim=1).sum()
    gradient = torch.autograd.grad(score, inputs, create_graph=True)[0]
    return (x * gradient * forbidden).square().sum(dim=1).mean()


penalise_forbidden.mistake(
    "You take the mean of the log-probabilities: the penalty shrinks with the square of their number. Asked is "
    "their sum.",
    mean_of_log_probabilities=of(lambda outputs: outputs.log_softmax(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You add up an input's log-probabilities and take the mean over the batch before you go back: the penalty shrinks "
    "with the square of the batch. Take the sum of all.",
    mean_over_the_batch_too_early=of(lambda outputs: outputs.log_softmax(dim=1).sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You average over the classes: the penalty shrinks with the square of their number. Take the sum of all "
    "log-probabilities.",
    mean_over_classes=of(lambda outputs: outputs.log_softmax(dim=1).mean(dim=1).sum()),
)


penalise_forbidden.mistake(
    "You take the outputs before softmax. Asked are log-probabilities: .log_softmax(dim=1).",
    outputs_before_softmax=of(lambda outputs: outputs.sum()),
)


penalise_forbidden.mistake(
    "You add up probabilities. They add up to 1 whatever the model looks at, so their gradient is always 0: "
    "take log-probabilities.",
    probabilities=of(lambda outputs: outputs.softmax(dim=1).sum()),
)


penalise_forbidden.mistake(
    "You take log_softmax of probabilities: softmax twice. Give it the outputs.",
    softmax_twice=of(lambda outputs: outputs.softmax(dim=1).log_softmax(dim=1).sum()),
)


penalise_forbidden.mistake(
    "You take the logarithm of softmax. Where the model is sure, a probability rounds to 0, and all becomes infinite "
    "or "
    "NaN: log_softmax.",
    log_of_softmax=of(lambda outputs: outputs.softmax(dim=1).log().sum()),
)


penalise_forbidden.mistake(
    "A small number under the logarithm changes the gradient where the model is sure. log_softmax needs none.",
    small_number_added=of(lambda outputs: (outputs.softmax(dim=1) + 1e-8).log().sum()),
)


penalise_forbidden.mistake(
    "log_softmax(dim=0) runs over the batch. The probabilities of one input are a row: dim=1.",
    softmax_over_batch=of(lambda outputs: outputs.log_softmax(dim=0).sum()),
)


penalise_forbidden.mistake(
    "You take the likeliest class only. A forbidden place may speak for any other: add up all classes.",
    likeliest_class=of(lambda outputs: outputs.log_softmax(dim=1).max(dim=1).values.sum()),
)


penalise_forbidden.mistake(
    "You take class 0 only. A forbidden place may speak for any other: add up all classes.",
    class_zero=of(lambda outputs: outputs.log_softmax(dim=1)[:, 0].sum()),
)


penalise_forbidden.mistake(
    "You take the largest output. Asked are log-probabilities of all classes: .log_softmax(dim=1).sum().",
    largest_output=of(lambda outputs: outputs.max(dim=1).values.sum()),
)


penalise_forbidden.mistake(
    "That is the gradient of the entropy. Take the sum of the log-probabilities, each counted alike.",
    entropy=of(lambda outputs: (outputs.softmax(dim=1) * outputs.log_softmax(dim=1)).sum()),
)


penalise_forbidden.mistake(
    "That is the gradient of the loss for the model's own answers. Take the sum of all log-probabilities.",
    loss_of_own_answers=of(lambda outputs: F.cross_entropy(outputs, outputs.argmax(dim=1))),
)


penalise_forbidden.mistake(
    "You square the log-probabilities first. Only the gradient is squared.",
    squared_log_probabilities=of(lambda outputs: outputs.log_softmax(dim=1).square().sum()),
)


# How it is made one number.


penalise_forbidden.mistake(
    "`forbidden` is turned round: you penalise the model for looking where it may. Keep the gradient where it is True.",
    allowed_places=summing(lambda g, forbidden: (g * ~forbidden).square().sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You penalise the gradient everywhere, so the model must become flat. Keep it where `forbidden` is True.",
    every_place=summing(lambda g, forbidden: g.square().sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You add up absolute values. Asked are squares, which press hardest on the largest.",
    absolute_values=summing(lambda g, forbidden: (g * forbidden).abs().sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You add up the gradient with its sign: plus and minus cancel, and a large negative sum looks like a small "
    "penalty. Square first.",
    not_squared=summing(lambda g, forbidden: (g * forbidden).sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You add up first and square then, so plus and minus cancel. Square each, then add up.",
    added_before_squared=summing(lambda g, forbidden: (g * forbidden).sum(dim=1).square().mean()),
)


penalise_forbidden.mistake(
    "That is the root of the sum of squares. Leave the root out: its own gradient breaks down at 0, where "
    "training wants to arrive.",
    root_taken=summing(lambda g, forbidden: (g * forbidden).norm(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You square twice: the penalty is the sum of squares, not their squares.",
    squared_twice=summing(lambda g, forbidden: (g * forbidden).pow(4).sum(dim=1).mean()),
)


penalise_forbidden.mistake(
    "You take half of the sum of squares. That is customary for weights; here leave the half out.",
    half=summing(lambda g, forbidden: (g * forbidden).square().sum(dim=1).mean() / 2),
)


penalise_forbidden.mistake(
    "You take the mean over the places too, so an input with more pixels is punished less. Add up an input's "
    "squares; the mean is over the batch.",
    mean_over_places=summing(lambda g, forbidden: (g * forbidden).square().mean()),
)


penalise_forbidden.mistake(
    "You take the mean over the forbidden places: few or many of them would weigh the same, and without one it is NaN. "
    "Add up an input's squares; the mean is over the batch.",
    mean_over_forbidden_places=summing(lambda g, forbidden: g[forbidden].square().mean()),
)


penalise_forbidden.mistake(
    "You divide by the number of forbidden places: few or many of them would weigh the same. Add up an input's "
    "squares; "
    "the mean is over the batch.",
    divided_by_forbidden_places=summing(
        lambda g, forbidden: (g * forbidden).square().sum() / forbidden.sum().clamp(min=1)
    ),
)


penalise_forbidden.mistake(
    "You divide each input's sum by its number of forbidden places. Add up an input's squares, and take the mean over "
    "the batch only.",
    mean_of_each_input=summing(
        lambda g, forbidden: ((g * forbidden).square().sum(dim=1) / forbidden.sum(dim=1).clamp(min=1)).mean()
    ),
)


penalise_forbidden.mistake(
    "You add up over the batch as well, so twice the batch is twice the penalty, while the loss beside it is a "
    "mean. Take the mean over the batch.",
    summed_over_batch=summing(lambda g, forbidden: (g * forbidden).square().sum()),
)


penalise_forbidden.mistake(
    "You divide by the number of features. The mean is over the batch: divide by len(x).",
    divided_by_features=summing(lambda g, forbidden: (g * forbidden).square().sum() / g.shape[1]),
)


penalise_forbidden.mistake(
    "That is one number for each input. Return the mean over the batch.",
    one_for_each_input=summing(lambda g, forbidden: (g * forbidden).square().sum(dim=1)),
)


penalise_forbidden.mistake(
    "That is the masked gradient. Return the sum of its squares for each input, averaged over the batch.",
    gradient_returned=summing(lambda g, forbidden: g * forbidden),
)


penalise_forbidden.mistake(
    "You return the largest square. Return their sum for each input, averaged over the batch.",
    largest_square=summing(lambda g, forbidden: (g * forbidden).square().max()),
)


penalise_forbidden.mistake(
    "The sign is turned round: training would make the model look where it must not.",
    sign_turned=summing(lambda g, forbidden: -(g * forbidden).square().sum(dim=1).mean()),
)


penalise_forbidden.hints(
    "As in gradient_of_target: a copy of x that records, the model, a sum, torch.autograd.grad.",
    "model(x).log_softmax(dim=1).sum() is what you go back from. create_graph=True lets training go back through "
    "the gradient itself.",
    "(gradient * forbidden).square().sum(dim=1).mean()",
)
