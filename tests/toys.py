"""Toy exercises for the tests of the machinery: a plain function, a training step that changes a model, a class."""

import os
import time

import numpy as np
import torch

from bmcourse.exercises.core import Exercise, Known


def mse(prediction, target):
    return ((prediction - target) ** 2).mean()


def summed(prediction, target):
    return ((prediction - target) ** 2).sum()


def swapped_shapes(prediction, target):
    return prediction @ target[None]


def detached(prediction, target):
    return ((prediction - target) ** 2).mean().detach()


def in_place(prediction, target):
    prediction.data -= target
    return (prediction**2).mean()


def right_power(prediction, target):
    return torch.pow(prediction - target, 2).mean()


def right_division(prediction, target):
    return ((prediction - target) ** 2).sum() / prediction.numel()


def right_torch(prediction, target):
    return torch.nn.functional.mse_loss(prediction, target)


def slow_mse(prediction, target):
    pairs = list(zip(prediction.tolist(), target.tolist(), strict=True))
    return torch.tensor(sum((p - t) ** 2 for p, t in pairs) / len(pairs), requires_grad=prediction.requires_grad)


MSE = Exercise(
    reference=mse,
    prompt="Mean squared error of two tensors of the same shape.",
    inputs=lambda: [
        (torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3)),
        (torch.randn(5, requires_grad=True), torch.randn(5)),
    ],
    oracle=slow_mse,
    mistakes=[
        Known("summed", "You took the sum, not the mean.", summed),
        Known("swapped_shapes", "That is a matrix product.", swapped_shapes),
        Known("detached", "The loss must keep its graph.", detached),
        Known("in_place", "You changed the prediction itself.", in_place),
    ],
    rights=[right_power, right_division, right_torch],
    advice=("Look at the differences first.", "Square them.", "Use .mean()."),
    seconds=20,
)


def sgd_step(model, x, y, lr):
    """Do one step of gradient descent on the squared error of `model`; return the loss before the step."""
    loss = ((model(x) - y) ** 2).mean()
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= lr * parameter.grad
    return loss.item()


def no_zero_grad(model, x, y, lr):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= lr * parameter.grad
    return loss.item()


def no_step(model, x, y, lr):
    return ((model(x) - y) ** 2).mean().item()


def right_optimizer(model, x, y, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    loss = torch.nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()  # a tensor that holds one number and no graph passes for a number


def right_autograd(model, x, y, lr):
    loss = ((model(x) - y) ** 2).mean()
    for parameter, gradient in zip(model.parameters(), torch.autograd.grad(loss, model.parameters()), strict=True):
        parameter.data -= lr * gradient
    return loss.item()


def right_add(model, x, y, lr):
    for parameter in model.parameters():
        parameter.grad = None
    loss = (y - model(x)).square().mean()
    loss.backward()
    for parameter in model.parameters():
        parameter.data.add_(parameter.grad, alpha=-lr)
    return float(loss.detach())


def two_steps(step, model, x, y, lr):
    losses = [step(model, x, y, lr), step(model, x, y, lr)]
    return losses, [parameter.detach() for parameter in model.parameters()]


STEP = Exercise(
    reference=sgd_step,
    prompt="One step of gradient descent.",
    inputs=lambda: [(torch.nn.Linear(2, 1), torch.randn(4, 2), torch.randn(4, 1), 0.1)],
    runner=two_steps,
    mistakes=[
        Known("no_zero_grad", "Gradients add up.", no_zero_grad),
        Known("no_step", "The parameters did not move.", no_step),
    ],
    rights=[right_optimizer, right_autograd, right_add],
    advice=("Five lines.",),
)


class Scale(torch.nn.Module):
    """Multiply by a learned number, which starts at `start`."""

    def __init__(self, start=1.0):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(start))

    def forward(self, x):
        """Return x times the factor."""
        return x * self.factor


SCALE = Exercise(
    reference=Scale,
    prompt="A layer with one parameter.",
    inputs=lambda: [(2.0, torch.randn(3))],
    runner=lambda layer, start, x: (layer(start)(x), len(list(layer(start).parameters()))),
)

TOYS = [MSE, STEP, SCALE]


def answer(source, name="mse"):
    """The function that a student's cell with this text defines."""
    names = {"torch": torch, "np": np, "os": os, "time": time}
    source = source if source.startswith(("def", "class", "@")) else f"def {name}(prediction, target):\n    {source}"
    exec(compile(source, "cell.py", "exec"), names)
    return names[name]
