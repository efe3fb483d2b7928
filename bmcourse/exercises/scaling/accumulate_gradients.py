"""The exercise `accumulate_gradients` of lesson 11."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Leave in the model's parameters the gradient of the mean squared error over all rows of x and y, but show "
    "the model only one of `parts` equal parts at a time. Gradients of before must not count. Returns nothing."
)
def accumulate_gradients(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        loss = F.mse_loss(model(part_x), part_y) / parts
        loss.backward()


@accumulate_gradients.run
def gradients_left(answer, parts, weights, x, y):
    """The gradients that the answer leaves, where old ones were before, and the most rows the model saw at once."""
    model = torch.nn.Linear(x.shape[1], 1)
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    seen = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    answer(model, x, y, parts)
    left = [parameter.grad for parameter in model.parameters()]
    if any(gradient is None for gradient in left):
        raise Mistake("There is no gradient at the end. Call loss.backward() for each part.")
    weights = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    return {"gradients": left, "most rows at once": max(seen, default=0), "weights": weights}


@accumulate_gradients.judge
def gradients_of_all(parts, weights, x, y):
    """What autograd gives for the whole batch."""
    model = torch.nn.Linear(x.shape[1], 1)
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    gradients = torch.autograd.grad(((model(x) - y) ** 2).mean(), list(model.parameters()))
    return {"gradients": list(gradients), "most rows at once": len(x) // parts, "weights": weights}


@accumulate_gradients.right
def accumulate_weighted_by_rows(model, x, y, parts):
    model.zero_grad()
    for rows in torch.arange(len(x)).tensor_split(parts):
        (F.mse_loss(model(x[rows]), y[rows]) * len(rows) / len(x)).backward()


@accumulate_gradients.right
def accumulate_sums(model, x, y, parts):
    for parameter in model.parameters():
        parameter.grad = None
    each = len(x) // parts
    for start in range(0, len(x), each):
        ((model(x[start : start + each]) - y[start : start + each]) ** 2).sum().div(len(x)).backward()


@accumulate_gradients.right
def accumulate_then_divide(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.split(len(x) // parts), y.split(len(x) // parts), strict=True):
        F.mse_loss(model(part_x), part_y).backward()
    for parameter in model.parameters():
        parameter.grad /= parts


def accumulate_with(model, x, y, parts, before=True, each=False, divide_by=None, only=None):
    """The answer, changed in one place."""
    if before:
        model.zero_grad()
    pairs = list(zip(x.chunk(parts), y.chunk(parts), strict=True))
    for part_x, part_y in pairs[:only]:
        if each:
            model.zero_grad()
        (F.mse_loss(model(part_x), part_y) / (divide_by or parts)).backward()


@accumulate_gradients.mistake(
    "The gradient is right, but the model saw the whole batch at once: the memory has no room for that."
)
def whole_batch(model, x, y, parts):
    model.zero_grad()
    F.mse_loss(model(x), y).backward()


@accumulate_gradients.mistake("There is no gradient at the end. Call loss.backward() for each part.")
def no_backward(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        F.mse_loss(model(part_x), part_y)


@accumulate_gradients.mistake("The weights changed between the parts. The step comes after all of them, and not here.")
def steps_between(model, x, y, parts):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        (F.mse_loss(model(part_x), part_y) / parts).backward()
        optimizer.step()


@accumulate_gradients.cases
def cases():
    return [
        (2, torch.zeros(3), torch.eye(2).repeat(2, 1), torch.tensor([[1.0], [2.0], [3.0], [4.0]])),
        (3, torch.randn(5), torch.randn(12, 4), torch.randn(12, 1)),
        (1, torch.randn(3), torch.randn(4, 2), torch.randn(4, 1)),
    ]


accumulate_gradients.mistake(
    "The gradients are `parts` times too large: backward() adds them up, and the sum of the parts' means is no "
    "mean. Divide each loss by `parts`.",
    TODO_40=lambda *given: accumulate_with(*given, divide_by=1),
)


accumulate_gradients.mistake(
    "Only the last part is left. Call zero_grad() before the loop: in it, it throws away what was added up. "
    "And call backward() in the loop, once for each part.",
    TODO_41=lambda *given: accumulate_with(*given, each=True),
)


accumulate_gradients.mistake(
    "The gradients that were there before are still in the sum. Call model.zero_grad() before the loop.",
    TODO_42=lambda *given: accumulate_with(*given, before=False),
)


accumulate_gradients.mistake(
    "F.mse_loss is a mean over the part's rows already. Divide by the number of parts, not of rows.",
    TODO_43=lambda model, x, y, parts: accumulate_with(model, x, y, parts, divide_by=len(x)),
)


accumulate_gradients.mistake(
    "You divide by `parts` twice. Once is enough: either each loss, or the gradients at the end.",
    TODO_44=lambda model, x, y, parts: accumulate_with(model, x, y, parts, divide_by=parts**2),
)


accumulate_gradients.mistake(
    "Only the first part is used. Go through all of them.", TODO_45=lambda *given: accumulate_with(*given, only=1)
)


accumulate_gradients.hints(
    "x.chunk(parts) and y.chunk(parts) give the parts; zip goes through both.",
    "backward() adds to the gradients that are there. So zero_grad() stands before the loop, not in it.",
    "The mean over all rows is the mean of the parts' means: divide each part's loss by `parts`.",
)
