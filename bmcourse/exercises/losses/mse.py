"""The exercise `mse` of lesson 04."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The mean squared error of two tensors of the same shape, one number over all their elements. It keeps its "
    "gradient."
)
def mse(predictions, targets):
    return ((predictions - targets) ** 2).mean()


@mse.right
def mse_by_counting(predictions, targets):
    return torch.sum(torch.square(targets - predictions)) / predictions.numel()


@mse.right
def mse_by_a_product(predictions, targets):
    error = (predictions - targets).flatten()
    return error @ error / len(error)


@mse.right
def mse_by_a_loop(predictions, targets):
    pairs = zip(predictions.flatten(), targets.flatten(), strict=True)
    return sum((p - t) ** 2 for p, t in pairs) / targets.numel()


@mse.cases
def cases():
    return [
        (torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 2.0, 2.0])),
        (torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)),
        (torch.randn(5, 1, requires_grad=True), torch.randn(5, 1)),
    ]


@mse.judge
def expected(predictions, targets):
    return F.mse_loss(predictions, targets)


mse.mistake(
    "You took the sum, not the mean: twice as many examples give twice the loss. Use .mean().",
    TODO_1=lambda p, t: ((p - t) ** 2).sum(),
)


mse.mistake(
    "You took the absolute error (MAE). Square the differences instead.", TODO_2=lambda p, t: (p - t).abs().mean()
)


mse.mistake(
    "You took the root at the end: that is the RMSE. The mean squared error has no root.",
    TODO_3=lambda p, t: ((p - t) ** 2).mean().sqrt(),
)


mse.mistake(
    "You squared the mean. First square, then take the mean: otherwise errors of +1 and -1 cancel.",
    TODO_4=lambda p, t: (p - t).mean() ** 2,
)


mse.mistake(
    "The square is missing, so errors above and below cancel: a bad model can reach zero.",
    TODO_5=lambda p, t: (p - t).mean(),
)


mse.mistake(
    "You subtracted the squares. Square the difference: (predictions - targets) ** 2.",
    TODO_6=lambda p, t: (p**2 - t**2).mean(),
)


mse.mistake(
    "You halved it. Some books do, for a tidier gradient; torch and this exercise do not.",
    TODO_7=lambda p, t: ((p - t) ** 2).mean() / 2,
)


mse.mistake(
    "Right squares, one for each element, but a loss is one number: take their mean.", TODO_8=lambda p, t: (p - t) ** 2
)


mse.mistake(
    "Your mean runs along the last dimension only, so a table leaves one loss for each row. Leave `dim` out.",
    TODO_9=lambda p, t: ((p - t) ** 2).mean(dim=-1),
)


mse.mistake(
    "Your mean runs down the columns only, so a table leaves one loss for each column. Leave `dim` out.",
    TODO_10=lambda p, t: ((p - t) ** 2).mean(dim=0),
)


mse.mistake(
    "len() counts the rows only. Divide by the number of all elements, numel(), or use .mean().",
    TODO_11=lambda p, t: ((p - t) ** 2).sum() / len(p),
)


mse.mistake(
    "Your shapes broadcast, (n, 1) against (1, n): every prediction meets every target. Compare each with its own.",
    TODO_12=lambda p, t: ((p.reshape(-1, 1) - t.reshape(1, -1)) ** 2).mean(),
)


mse.mistake(
    "The norm is the root of the sum of the squares. You need their mean, and no root.",
    TODO_13=lambda p, t: (p - t).norm(),
)


mse.mistake(
    "The number is right, but a plain number has no gradient, and nothing can learn from it. Return the "
    "tensor: no .item(), no float().",
    TODO_14=lambda p, t: ((p - t) ** 2).mean().item(),
)


mse.mistake(
    "The number is right, but its gradient is cut off, and nothing can learn from it. Leave out .detach() and "
    "no_grad().",
    TODO_15=lambda p, t: ((p - t) ** 2).mean().detach(),
)


mse.hints(
    "Read the name backwards: first the error, then square it, then the mean.",
    "The error is predictions - targets; ** 2 squares each element.",
    ".mean() without arguments is over all elements.",
)
