"""The exercise `train_step` of lesson 06."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(prompt="One training step with the mean squared error. Returns the loss as a plain number.")
def train_step(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@train_step.run
def train_twenty_steps(answer, weights, x, y):
    """What three steps of SGD with momentum do to a small network, and in which order things happen in the first."""
    model = torch.nn.Linear(3, 1)
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    order = []
    model.bias.register_hook(lambda gradient: order.append("backward"))
    optimizer.register_step_pre_hook(lambda *_: order.append("step"))
    first = answer(model, optimizer, x, y)
    order = list(order)
    losses = [first, answer(model, optimizer, x, y), answer(model, optimizer, x, y)]
    weights = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    return {"type of loss": type(first).__name__, "losses": losses, "weights": weights, "order": " → ".join(order)}


@train_step.right
def zero_grad_first(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


@train_step.right
def zero_grad_last(model, optimizer, x, y):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


@train_step.right
def gradients_set_to_none(model, optimizer, x, y):
    for parameter in model.parameters():
        parameter.grad = None
    loss = torch.nn.MSELoss()(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach().item()


@train_step.mistake(
    "The gradients are never set back to zero, so every step adds the new gradient to all the "
    "old ones. Call optimizer.zero_grad() before loss.backward()."
)
def no_zero_grad(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


@train_step.mistake(
    "You set the gradients to zero after loss.backward() and before optimizer.step(): "
    "the step then has nothing to go by. Call zero_grad() before backward()."
)
def zero_grad_between(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@train_step.mistake("The weights never change: optimizer.step() is missing.")
def no_step(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@train_step.mistake(
    "optimizer.step() comes before loss.backward(): each step has no gradient to go by. First backward(), then step()."
)
def step_first(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
    return loss.item()


@train_step.mistake(
    "You took the sum of the squared errors, not their mean: loss and gradients are too big by the number of targets."
)
def sum_of_squares(model, optimizer, x, y):
    loss = ((model(x) - y) ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@train_step.mistake(
    "The loss comes back as a tensor that still holds the whole graph. In a long run that "
    "fills the memory. Return loss.item()."
)
def loss_as_tensor(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


@train_step.mistake(
    "You computed the loss again after the step. Return the loss that made the "
    "gradients: it is already there and costs nothing."
)
def loss_after_step(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return F.mse_loss(model(x), y).item()


@train_step.cases
def cases():
    return [
        (torch.zeros(4), torch.eye(3), torch.ones(3, 1)),
        (torch.randn(4), torch.randn(8, 3), torch.randn(8, 1)),
    ]


train_step.hints(
    "Four things happen in a step: the loss, zero gradients, backward, step.",
    "optimizer.zero_grad() must come before loss.backward(), and optimizer.step() after it.",
    "loss = F.mse_loss(model(x), y), then optimizer.zero_grad(), loss.backward(), optimizer.step(); "
    "return loss.item().",
)
