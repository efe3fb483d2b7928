"""The exercise `gradient_of_target` of lesson 09."""

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.shared import classifier, linear, plain
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="How each input would move its own chosen output: the gradient of outputs[i, targets[i]] to x[i], for all "
    "i, of the shape of x. model(x) gives outputs (B, K), one row for each input; targets (B,) are integers. x and the "
    "model stay as they were, the parameters' .grad too."
)
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


@gradient_of_target.run
def asked_twice(answer, model, x, targets):
    """The gradient of the first of two calls; where it is right, the calls must leave no trace."""
    first = plain(answer(model, x, targets))
    touched = any(parameter.grad is not None for parameter in model.parameters())
    again = plain(answer(model, x, targets))
    right = gradient_of_target(model, x, targets)
    if not difference(first, right, 1e-5):
        if difference(again, right, 1e-5):
            raise Mistake(ADDED_UP)
        if touched:
            raise Mistake(LEFT_BEHIND)
    return first


@gradient_of_target.judge
def rows_of_the_jacobian(model, x, targets):
    def of_one(row, target):
        return torch.autograd.functional.jacobian(lambda one: model(one[None])[0], row)[target]

    return torch.stack([of_one(row.detach(), target) for row, target in zip(x, targets.tolist(), strict=True)])


@gradient_of_target.right
def gradient_one_by_one(model, x, targets):
    rows = []
    for row, target in zip(x.detach(), targets, strict=True):
        row = row.clone().requires_grad_()
        rows.append(torch.autograd.grad(model(row[None])[0, target], row)[0])
    return torch.stack(rows)


@gradient_of_target.right
def gradient_from_one_hot(model, x, targets):
    x = x.detach().clone().requires_grad_(True)
    outputs = model(x)
    (gradient,) = torch.autograd.grad(outputs, x, grad_outputs=F.one_hot(targets, outputs.shape[1]).float())
    return gradient


@gradient_of_target.right
def gradient_by_gather(model, x, targets):
    inputs = x.detach().requires_grad_()
    total = model(inputs).gather(1, targets[:, None]).sum()
    return torch.autograd.grad(outputs=total, inputs=[inputs])[0]


def gradient_of(choose):
    """A wrong gradient: that of `choose(outputs, targets)`, a number."""

    def answer(model, x, targets):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(choose(model(x), targets), x)[0]

    return answer


def _chosen(outputs, targets):
    return outputs[torch.arange(len(outputs)), targets]


def changed_gradient(change):
    """A wrong answer: `change(gradient, x)` of the right gradient."""
    return lambda model, x, targets: change(gradient_of_target(model, x, targets), x)


@gradient_of_target.mistake(LEFT_BEHIND)
def gradient_by_backward(model, x, targets):
    x = x.clone().requires_grad_()
    _chosen(model(x), targets).sum().backward()
    return x.grad


@gradient_of_target.mistake(ADDED_UP)
def gradient_that_adds_up(model, x, targets):
    x.requires_grad_()
    _chosen(model(x), targets).sum().backward()
    return x.grad


@gradient_of_target.mistake(
    "torch keeps no record for x: inputs are data, and by default only parameters have gradients. Make a copy "
    "that does: x = x.clone().requires_grad_()."
)
def without_requires_grad(model, x, targets):
    return torch.autograd.grad(_chosen(model(x), targets).sum(), x)[0]


@gradient_of_target.mistake(
    "torch.autograd.grad gives a tuple, one gradient for each thing you asked about. You asked about one: [0]."
)
def as_a_tuple(model, x, targets):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(_chosen(model(x), targets).sum(), x)


@gradient_of_target.cases
def cases():
    return [
        (linear([[1.0, 2.0], [3.0, -4.0], [0.5, 0.0]]), torch.tensor([[1.0, 1.0]]), torch.tensor([1])),
        (classifier(5, 3), torch.randn(4, 5), torch.tensor([2, 0, 1, 2])),
        (classifier(12, 4), torch.randn(3, 1, 3, 4), torch.tensor([3, 3, 0])),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)),
            torch.randn(2, 1, 5, 5),
            torch.tensor([0, 2]),
        ),
    ]


gradient_of_target.mistake(
    "That is the gradient of the loss, as in training. It points where the target becomes less likely, it is "
    "divided by the batch size, and it nearly vanishes where the model is sure. Take the output itself.",
    TODO_1=gradient_of(F.cross_entropy),
)


gradient_of_target.mistake(
    "That is the gradient of the summed loss. It points where the target becomes less likely, and it nearly "
    "vanishes where the model is sure. Take the output itself.",
    TODO_2=gradient_of(lambda outputs, targets: F.cross_entropy(outputs, targets, reduction="sum")),
)


gradient_of_target.mistake(
    "That is the gradient of the probability. Where the model is sure, softmax is flat, and the gradient "
    "nearly 0, whatever the model looked at. Take the output before softmax.",
    TODO_3=gradient_of(lambda outputs, targets: _chosen(outputs.softmax(dim=1), targets).sum()),
)


gradient_of_target.mistake(
    "That is the gradient of the log-probability, in which the other outputs have a part. Take the target's "
    "output alone.",
    TODO_4=gradient_of(lambda outputs, targets: _chosen(outputs.log_softmax(dim=1), targets).sum()),
)


gradient_of_target.mistake(
    "You add up all outputs, so the answer is the same whatever the target is. Choose one output of each row.",
    TODO_5=gradient_of(lambda outputs, targets: outputs.sum()),
)


gradient_of_target.mistake(
    "You explain the largest output, the model's own answer. The question was about `targets`.",
    TODO_6=gradient_of(lambda outputs, targets: outputs.max(dim=1).values.sum()),
)


gradient_of_target.mistake(
    "outputs[:, targets] picks, from every row, the targets of the whole batch. A row has one target of its "
    "own: outputs[torch.arange(len(x)), targets].",
    TODO_7=gradient_of(lambda outputs, targets: outputs[:, targets].sum()),
)


gradient_of_target.mistake(
    "You take the first input's target for all inputs. outputs[torch.arange(len(x)), targets] takes each its own.",
    TODO_8=gradient_of(lambda outputs, targets: outputs[:, targets[0]].sum()),
)


gradient_of_target.mistake(
    "outputs[target] is a row: all outputs of another input. The output is the second index: "
    "outputs[torch.arange(len(x)), targets].",
    TODO_9=gradient_of(lambda outputs, targets: outputs[targets[0]].sum()),
)


gradient_of_target.mistake(
    "Your gradients are divided by the batch size: an input's explanation would depend on how many others come "
    "along. Take the sum of the chosen outputs, not the mean.",
    TODO_10=gradient_of(lambda outputs, targets: _chosen(outputs, targets).mean()),
)


gradient_of_target.mistake(
    "torch wants one number to go back from, and you gave it one for each input. Their sum will do: an input "
    "moves its own output only.",
    TODO_11=gradient_of(_chosen),
)


gradient_of_target.mistake(
    "You return absolute values, which is how pictures show a gradient. Its sign says whether more of the "
    "feature would raise or lower the output: keep it.",
    TODO_12=changed_gradient(lambda gradient, x: gradient.abs()),
)


gradient_of_target.mistake(
    "That is gradient times input, another explanation. Return the gradient.",
    TODO_13=changed_gradient(lambda gradient, x: gradient * x),
)


gradient_of_target.mistake(
    "Your sign is turned round. Nothing goes down here: it is the plain gradient of the output.",
    TODO_14=changed_gradient(lambda gradient, x: -gradient),
)


gradient_of_target.mistake(
    "You average over the batch. Every input has an explanation of its own.",
    TODO_15=changed_gradient(lambda gradient, x: gradient.mean(dim=0)),
)


gradient_of_target.hints(
    "Let torch record what happens to a copy of x: x = x.clone().requires_grad_(). Then run the model.",
    "outputs[torch.arange(len(x)), targets] is the chosen output of each row, (B,). Their sum is one number.",
    "torch.autograd.grad(chosen.sum(), x)[0] is the gradient. It writes into no .grad.",
)
