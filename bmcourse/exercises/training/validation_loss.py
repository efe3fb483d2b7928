"""The exercise `validation_loss` of lesson 06."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The mean squared error of a model as a plain number, measured: no dropout, no gradients. "
    "Afterwards the model is in training mode again."
)
def validation_loss(model, x, y):
    model.eval()
    with torch.no_grad():
        loss = F.mse_loss(model(x), y).item()
    model.train()
    return loss


@validation_loss.run
def measure_with_dropout(answer, x, y):
    """The loss an answer gives for a model with dropout, and what state it leaves the model in."""
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
    torch.nn.init.ones_(model[1].weight)
    torch.nn.init.zeros_(model[1].bias)
    seen = []
    model.register_forward_hook(lambda module, inputs, output: seen.append(output.requires_grad))
    loss = answer(model.train(), x, y)
    return {"loss": loss, "gradients recorded": any(seen), "back in training mode": model.training}


@validation_loss.right
@torch.no_grad()
def validation_with_decorator(model, x, y):
    model.eval()
    loss = F.mse_loss(model(x), y)
    model.train()
    return loss.item()


@validation_loss.right
def validation_with_inference_mode(model, x, y):
    was_training = model.training
    model.train(False)
    with torch.inference_mode():
        loss = ((model(x) - y) ** 2).mean().item()
    model.train(was_training)
    return loss


@validation_loss.right
def validation_with_finally(model, x, y):
    try:
        with torch.no_grad():
            return float(F.mse_loss(model.eval()(x), y))
    finally:
        model.train()


@validation_loss.mistake("Dropout is still on: no_grad() switches off gradients, not dropout. Call model.eval() first.")
def no_eval(model, x, y):
    with torch.no_grad():
        return F.mse_loss(model(x), y).item()


@validation_loss.mistake(
    "The model stays in eval mode, so the training that follows runs without dropout. Call "
    "model.train() before you return."
)
def stays_in_eval(model, x, y):
    model.eval()
    with torch.no_grad():
        return F.mse_loss(model(x), y).item()


@validation_loss.mistake(
    "The number is right, but autograd records every operation for a backward() that "
    "never comes: memory and time for nothing. Compute inside `with torch.no_grad():`."
)
def records_gradients(model, x, y):
    model.eval()
    loss = F.mse_loss(model(x), y).item()
    model.train()
    return loss


@validation_loss.mistake(
    "Dropout is still on, and autograd records every operation. Call model.eval() first, and "
    "compute inside torch.no_grad()."
)
def nothing_done(model, x, y):
    return F.mse_loss(model(x), y).item()


@validation_loss.mistake(
    "model.eval() comes after the measurement, so dropout was on while you measured, "
    "and then stays off in training. First eval(), then measure, then train()."
)
def no_grad_is_not_eval(model, x, y):
    with torch.no_grad():
        loss = F.mse_loss(model(x), y).item()
    model.eval()
    return loss


@validation_loss.cases
def cases():
    return [(torch.ones(1, 4), torch.zeros(1, 1)), (torch.randn(64, 4), torch.randn(64, 1))]


validation_loss.hints(
    "Two switches: one for dropout (a method of the model), one for gradients (a context of torch).",
    "model.eval() ... with torch.no_grad(): ... model.train()",
    "Keep the loss in a variable, call model.train(), then return it.",
)
