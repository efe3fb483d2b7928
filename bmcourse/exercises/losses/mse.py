"""The exercise `mse`: the mean squared error."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="The mean squared error of two tensors of the same shape, one number over all their elements. It keeps its "
    "gradient.",
    built=("mse_loss", "MSELoss"),
    untried={"targets": {"a gradient is wanted": "targets are data: no weights have made them"}},
)
def mse(predictions, targets):
    return ((predictions - targets) ** 2).mean()


@mse.cases
def cases():
    predictions, targets = uncommon(torch.tensor([[[0.0, 2.0, 2.0], [5.0, -1.0, 0.0]]]), torch.zeros(1, 2, 3))
    return [
        (torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 2.0, 2.0])),
        (torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)),
        (torch.randn(5, 1, requires_grad=True), torch.randn(5, 1)),
        (torch.tensor([3000.5, 2999.75, 3001.5]), torch.full((3,), 3000.0)),
        (predictions, targets.detach()),
    ]


@mse.judge
def expected(predictions, targets):
    return F.mse_loss(predictions, targets)


@mse.right
def by_counting(predictions, targets):
    return torch.sum(torch.square(targets - predictions)) / predictions.numel()


@mse.right
def by_a_product(predictions, targets):
    error = (predictions - targets).flatten()
    return error @ error / len(error)


@mse.right
def by_a_loop(predictions, targets):
    pairs = zip(predictions.flatten(), targets.flatten(), strict=True)
    return sum((p - t) ** 2 for p, t in pairs) / targets.numel()


@mse.right
def by_absolute_values(predictions, targets):
    return torch.mean(abs(torch.sub(predictions, targets)).pow(2))


@mse.right
def by_the_norm(predictions, targets):
    return torch.dist(predictions, targets, p=2).square().div(targets.numel())


MEAN, SQUARE, ERROR = ".mean()", "** 2", "(predictions - targets)"

mse.mistake(
    "You took the sum, not the mean: twice as many examples give twice the loss. Use .mean().",
    sum_not_mean=mse.changed(MEAN, ".sum()"),
)
mse.mistake(
    "You took the absolute error (MAE). Square the differences instead.",
    absolute_error=mse.changed(f"({ERROR} {SQUARE})", f"{ERROR}.abs()"),
)
mse.mistake(
    "You took the root at the end: that is the RMSE. The mean squared error has no root.",
    root_at_the_end=mse.changed(MEAN, ".mean().sqrt()"),
)
mse.mistake(
    "You squared the mean. First square, then take the mean: otherwise errors of +1 and -1 cancel.",
    mean_before_square=lambda p, t: (p - t).mean() ** 2,
)
mse.mistake(
    "You squared the mean absolute error. First square each error, then take the mean.",
    square_of_the_absolute_error=lambda p, t: (p - t).abs().mean() ** 2,
)
mse.mistake(
    "You squared twice: the mean squared error is squared again. Leave the last ** 2 out.",
    squared_again=mse.changed(MEAN, ".mean() ** 2"),
)
mse.mistake(
    "Your power is too high: a square has the exponent 2.",
    third_power=mse.changed(SQUARE, "** 3"),
)
mse.mistake(
    "You took the fourth power. A square has the exponent 2.",
    fourth_power=mse.changed(SQUARE, "** 4"),
)
mse.mistake("You doubled the errors. To square is `** 2`, not `* 2`.", doubled=mse.changed(SQUARE, "* 2"))
mse.mistake("In Python ^ is no power, but a game with bits. Write ** 2.", xor=mse.changed(SQUARE, "^ 2"))
mse.mistake(
    "The square is missing, so errors above and below cancel: a bad model can reach zero.",
    no_square=lambda p, t: (p - t).mean(),
)
mse.mistake(
    "The square is missing, and the error has the wrong sign. Square it: (predictions - targets) ** 2.",
    no_square_from_the_other_side=lambda p, t: (t - p).mean(),
)
mse.mistake(
    "Neither square nor mean: you added the errors up. Square each, then take the mean.",
    sum_of_errors=lambda p, t: (p - t).sum(),
)
mse.mistake(
    "You subtracted the squares. Square the difference: (predictions - targets) ** 2.",
    difference_of_squares=lambda p, t: (p**2 - t**2).mean(),
)
mse.mistake(
    "You squared the targets only: brackets are missing. Write (predictions - targets) ** 2.",
    brackets_missing=lambda p, t: (p - t**2).mean(),
)
mse.mistake(
    "You added predictions and targets. The error is their difference.",
    added=lambda p, t: ((p + t) ** 2).mean(),
)
mse.mistake(
    "You halved it. Some books do, for a tidier gradient; torch and this exercise do not.",
    halved=mse.changed(MEAN, ".mean() / 2"),
)
mse.mistake(
    "You took half of the sum. Take the mean: .mean(), and no half.", half_of_the_sum=mse.changed(MEAN, ".sum() / 2")
)
mse.mistake("It is twice too large: leave out the factor 2.", twice=mse.changed(MEAN, ".mean() * 2"))
mse.mistake("The sign is wrong: a squared error is never negative.", minus=mse.changed("return ", "return -"))
mse.mistake(
    "Right squares, one for each element, but a loss is one number: take their mean.", no_mean=mse.changed(MEAN, "")
)
mse.mistake(
    "Your mean runs along the last dimension only, so a table leaves one loss for each row. Leave `dim` out.",
    mean_of_rows=mse.changed(MEAN, ".mean(dim=-1)"),
)
mse.mistake(
    "Your mean runs down the columns only, so a table leaves one loss for each column. Leave `dim` out.",
    mean_of_columns=mse.changed(MEAN, ".mean(dim=0)"),
)
mse.mistake(
    "Your mean runs along dimension 1, which a plain row of numbers does not have. Leave `dim` out.",
    mean_along_dimension_one=mse.changed(MEAN, ".mean(dim=1)"),
)
mse.mistake(
    "len() counts the rows only. Divide by the number of all elements, numel(), or use .mean().",
    divided_by_rows=mse.changed(MEAN, ".sum() / len(predictions)"),
)
mse.mistake(
    "You divide by the size of the last dimension only. Divide by the number of all elements, numel(), or use .mean().",
    divided_by_columns=mse.changed(MEAN, ".sum() / predictions.shape[-1]"),
)
mse.mistake(
    "You take the mean and then divide by the number of rows again. The mean is enough.",
    divided_twice=mse.changed(MEAN, ".mean() / len(predictions)"),
)
mse.mistake(
    "You take the mean and then divide by the number of elements again. The mean is enough.",
    divided_twice_by_all=mse.changed(MEAN, ".mean() / predictions.numel()"),
)
mse.mistake(
    "You divide by n - 1, as one does for a variance. A mean divides by n, the number of elements.",
    divided_by_one_less=mse.changed(MEAN, ".sum() / (predictions.numel() - 1)"),
)
mse.mistake(
    "You divide by n + 1. A mean divides by n, the number of elements.",
    divided_by_one_more=mse.changed(MEAN, ".sum() / (predictions.numel() + 1)"),
)
mse.mistake(
    "You took the variance of the errors (by n - 1), which does not see an error that all share. Take the mean of the "
    "squares.",
    variance=lambda p, t: (p - t).var(),
)
mse.mistake(
    "You took the variance of the errors, which does not see an error that all share. Take the mean of the squares.",
    variance_by_n=lambda p, t: (p - t).var(unbiased=False),
)
mse.mistake(
    "You took the standard deviation of the errors. Take the mean of their squares.",
    standard_deviation=lambda p, t: (p - t).std(),
)
mse.mistake(
    "You took the median of the squares. Take their mean.", median=lambda p, t: ((p - t) ** 2).flatten().median()
)
mse.mistake("You took the largest square. Take the mean of all of them.", largest=mse.changed(MEAN, ".max()"))
mse.mistake(
    "You took the first element only: your `return` may stand inside the loop. The mean runs over all.",
    first_only=mse.changed(MEAN, ".flatten()[0]"),
)
mse.mistake(
    "Your shapes broadcast, (n, 1) against (1, n): every prediction meets every target. Compare each with its own.",
    every_pair=lambda p, t: ((p.reshape(-1, 1) - t.reshape(1, -1)) ** 2).mean(),
)
mse.mistake(
    "The norm is the root of the sum of the squares. You need their mean, and no root.",
    norm=lambda p, t: (p - t).norm(),
)
mse.mistake(
    "You divided the norm by the number of elements. The norm has a root; you need the mean of the squares without it.",
    norm_divided=lambda p, t: (p - t).norm() / p.numel(),
)
mse.mistake(
    "That is Huber's loss (smooth L1), straight beyond an error of 1. Square every error.",
    huber_loss=lambda p, t: F.smooth_l1_loss(p, t),
)
mse.mistake(
    "You divided the errors by the targets. Here the plain error counts: predictions - targets.",
    relative=lambda p, t: (((p - t) / t) ** 2).mean(),
)
mse.mistake(
    "You multiplied predictions and targets. The error is their difference.", multiplied=lambda p, t: (p * t).mean()
)
mse.mistake(
    "The number is right, but a plain number has no gradient, and nothing can learn from it. Return the tensor: no "
    ".item(), no float().",
    plain_number=mse.changed(MEAN, ".mean().item()"),
)
mse.mistake(
    "The number is right, but its gradient is cut off, and nothing can learn from it. Leave out .detach(), .data, "
    "torch.tensor(...) and no_grad().",
    detached=mse.changed(MEAN, ".mean().detach()"),
)
mse.mistake(
    "You made a new tensor of the number and asked it for a gradient, but no way leads back to the predictions. Return "
    "the mean itself.",
    new_tensor=lambda p, t: torch.tensor(((p - t) ** 2).mean().item(), requires_grad=True),
)
mse.mistake(
    "You return a tensor with one element, shape (1,). A loss is one number, shape (): leave out keepdim, view or [ ].",
    shape_of_one=mse.changed(MEAN, ".mean().view(1)"),
)
mse.mistake(
    "You return a list of plain numbers made by a loop. Take their mean, as a tensor that keeps its gradient.",
    list_of_squares=lambda p, t: ((p - t) ** 2).flatten().tolist(),
)
mse.mistake(
    "numpy() refuses a tensor that wants a gradient, and would lose it. Stay with tensors.",
    through_numpy=lambda p, t: torch.tensor(((p.numpy() - t.numpy()) ** 2).mean()),
)
mse.mistake(
    "Multiplied out, p² - 2pt + t², the large numbers cancel and take the digits with them: it is wrong for values far "
    "from 0. Subtract first, then square.",
    multiplied_out=lambda p, t: (p**2 - 2 * p * t + t**2).mean(),
)


@mse.mistake(
    "You change the predictions themselves (-=), and autograd does not allow that. Make a new tensor: predictions - "
    "targets."
)
def in_place(predictions, targets):
    predictions -= targets
    return (predictions**2).mean()


mse.hints(
    "Read the name backwards: first the error, then square it, then the mean.",
    "The error is predictions - targets; ** 2 squares each element.",
    ".mean() without arguments is over all elements.",
)
