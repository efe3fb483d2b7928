"""The gradient of a large batch, of which the model sees only a part at a time."""

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


@accumulate_gradients.cases
def cases():
    strided = torch.randn(6, 3, dtype=torch.float64).T.contiguous().T
    outputs = torch.tensor([[0.0, 1.0], [0.0, 1.0], [2.0, -1.0]] * 2, dtype=torch.float64).T.contiguous().T
    return [
        (2, torch.zeros(3), torch.eye(2).repeat(2, 1), torch.tensor([[1.0], [2.0], [3.0], [4.0]])),
        (3, torch.randn(5), torch.randn(12, 4), torch.randn(12, 1)),
        (1, torch.randn(3), torch.randn(1, 2), torch.randn(1, 1)),
        (5, torch.randn(3), torch.randn(5, 2), torch.randn(5, 1)),
        (2, torch.randn(8, dtype=torch.float64), strided, outputs),
    ]


class Watched(torch.nn.Linear):
    """A linear layer that keeps how many rows it saw at once."""

    def forward(self, x):
        self.most = max(getattr(self, "most", 0), len(x))
        return super().forward(x)


def model_with(weights, x, y):
    model = torch.nn.Sequential(Watched(x.shape[1], y.shape[1]).to(x.dtype))
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    return model


@accumulate_gradients.run
def gradients_left(answer, parts, weights, x, y):
    """The gradients that the answer leaves where old ones were before, and the most rows the model saw at once."""
    model = model_with(weights, x, y)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parts > 1 else None  # a fresh model has none
    answer(model, x, y, parts)
    if not torch.equal(torch.nn.utils.parameters_to_vector(model.parameters()), weights):
        raise Mistake("The weights changed. Only the gradient is asked for: the step comes after all parts, elsewhere.")
    left = [parameter.grad for parameter in model.parameters()]
    if any(gradient is None for gradient in left):
        raise Mistake(
            "There is no gradient at the end. Call loss.backward() for each part, and clear nothing after it."
        )
    return {"gradients": left, "most rows at once": getattr(model[0], "most", 0)}


@accumulate_gradients.judge
def gradients_of_all(parts, weights, x, y):
    """What autograd gives for the whole batch."""
    model = model_with(weights, x, y)
    gradients = torch.autograd.grad(((model(x) - y) ** 2).mean(), list(model.parameters()))
    return {"gradients": list(gradients), "most rows at once": len(x) // parts}


@accumulate_gradients.right
def weighted_by_rows(model, x, y, parts):
    model.zero_grad()
    for rows in torch.arange(len(x)).tensor_split(parts):
        (F.mse_loss(model(x[rows]), y[rows]) * len(rows) / len(x)).backward()


@accumulate_gradients.right
def of_sums(model, x, y, parts):
    for parameter in model.parameters():
        parameter.grad = None
    each = len(x) // parts
    for start in range(0, len(x), each):
        ((model(x[start : start + each]) - y[start : start + each]) ** 2).sum().div(y.numel()).backward()


@accumulate_gradients.right
def divided_at_the_end(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.split(len(x) // parts), y.split(len(x) // parts), strict=True):
        F.mse_loss(model(part_x), part_y).backward()
    for parameter in model.parameters():
        parameter.grad /= parts


@accumulate_gradients.right
def by_autograd(model, x, y, parts):
    parameters = list(model.parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        found = torch.autograd.grad(F.mse_loss(model(part_x), part_y), parameters)
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad += gradient / parts


@accumulate_gradients.right
def losses_added_first(model, x, y, parts):
    model.zero_grad()
    losses = [F.mse_loss(model(x[n::parts]), y[n::parts]) for n in range(parts)]
    torch.stack(losses).mean().backward()


def with_loss(loss, zero=True, each=False, only=slice(None), after=None):
    """A wrong accumulation: `loss(prediction, part_y, parts, x)` of each part, and gradients cleared elsewhere."""

    def answer(model, x, y, parts):
        if zero:
            model.zero_grad()
        for part_x, part_y in list(zip(x.chunk(parts), y.chunk(parts), strict=True))[only]:
            if each:
                model.zero_grad()
            loss(model(part_x), part_y, parts, x).backward()
        if after:
            for parameter in model.parameters():
                after(parameter, parts, x)

    return answer


def mean_of_parts(prediction, y, parts, x):
    return F.mse_loss(prediction, y) / parts


def mean(prediction, y, parts, x):
    return F.mse_loss(prediction, y)


def divide(by):
    def after(parameter, parts, x):
        parameter.grad /= by(parts, x)

    return after


accumulate_gradients.mistake(
    "The gradients are `parts` times too large: backward() adds them up, and the sum of the parts' means is no "
    "mean. Divide each loss by `parts`.",
    sum_of_means=with_loss(mean),
)
accumulate_gradients.mistake(
    "Only the last part is left. Call zero_grad() before the loop: in it, it throws away what was added up. "
    "And call backward() in the loop, once for each part.",
    cleared_in_the_loop=with_loss(mean_of_parts, each=True),
)
accumulate_gradients.mistake(
    "Only the last part is left, and with its whole weight: each overwrites the one before. Clear once, before the "
    "loop, add up, and divide each loss by `parts`.",
    last_part_undivided=with_loss(mean, each=True),
)
accumulate_gradients.mistake(
    "The gradients that were there before are still in the sum. Call model.zero_grad() before the loop.",
    old_gradients_kept=with_loss(mean_of_parts, zero=False),
)
accumulate_gradients.mistake(
    "The gradients that were there before are still in the sum, and it is not divided by `parts`. Call "
    "model.zero_grad() before the loop.",
    old_gradients_kept_and_sum=with_loss(mean, zero=False),
)
accumulate_gradients.mistake(
    "The gradients that were there before are still in what you divide. Call model.zero_grad() before the loop.",
    old_gradients_divided=with_loss(mean, zero=False, after=divide(lambda parts, x: parts)),
)
accumulate_gradients.mistake(
    "All gradients are 0 at the end: zero_grad() stands behind backward(). Clear before the first part.",
    cleared_at_the_end=with_loss(mean, after=lambda parameter, parts, x: parameter.grad.zero_()),
)
accumulate_gradients.mistake(
    "F.mse_loss is a mean over the part's rows already. Divide by the number of parts, not of rows.",
    divided_by_rows=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / len(x)),
)
accumulate_gradients.mistake(
    "You divide by the rows of a part. F.mse_loss is a mean over them already: divide by the number of parts.",
    divided_by_rows_of_a_part=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / len(y)),
)
accumulate_gradients.mistake(
    "You divide by `parts` twice. Once is enough: either each loss, or the gradients at the end.",
    divided_twice=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / parts**2),
)
accumulate_gradients.mistake(
    "You divide by 2, whatever `parts` is.", divided_by_two=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / 2)
)
accumulate_gradients.mistake(
    "You divide by 4, whatever `parts` is.", divided_by_four=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / 4)
)
accumulate_gradients.mistake(
    "You multiply by `parts`. Divide: the mean over all rows is the mean of the parts' means.",
    multiplied=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) * parts),
)
accumulate_gradients.mistake(
    "Your loss is a sum over rows and outputs, and nothing divides it. Take the mean, and divide it by `parts`.",
    sum_undivided=with_loss(lambda p, y, parts, x: F.mse_loss(p, y, reduction="sum")),
)
accumulate_gradients.mistake(
    "Your loss is the sum over a part, divided by `parts`. The sum needs the number of all numbers in y; the mean of a "
    "part goes with `parts`.",
    sum_by_parts=with_loss(lambda p, y, parts, x: F.mse_loss(p, y, reduction="sum") / parts),
)
accumulate_gradients.mistake(
    "Right for one output only: the mean runs over rows and outputs. Divide the sum by y.numel(), not by len(x).",
    sum_by_rows=with_loss(lambda p, y, parts, x: F.mse_loss(p, y, reduction="sum") / len(x)),
)
accumulate_gradients.mistake(
    "You add up the outputs and take the mean over the rows only. The mean runs over rows and outputs: .mean().",
    sum_of_outputs=with_loss(lambda p, y, parts, x: ((p - y) ** 2).sum() / len(y)),
)
accumulate_gradients.mistake(
    "You take half of the squared error. Here it is the plain mean of squares.",
    half=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / parts / 2),
)
accumulate_gradients.mistake(
    "You take the absolute error. Here it is squared: F.mse_loss.",
    absolute_error=with_loss(lambda p, y, parts, x: F.l1_loss(p, y) / parts),
)
accumulate_gradients.mistake(
    "You take the root of the squared error. The mean of the parts' roots is not the root of the mean: leave it out.",
    root=with_loss(lambda p, y, parts, x: F.mse_loss(p, y).sqrt() / parts),
)
accumulate_gradients.mistake(
    "Your error is not squared, so errors up and down cancel. Take F.mse_loss.",
    not_squared=with_loss(lambda p, y, parts, x: (p - y).mean() / parts),
)
accumulate_gradients.mistake(
    "Your gradients have the wrong sign. backward() gives that of the loss; the minus comes with the step.",
    negative=with_loss(lambda p, y, parts, x: -F.mse_loss(p, y) / parts),
)
accumulate_gradients.mistake(
    "Only the first part is used. Go through all of them.", first_part_only=with_loss(mean_of_parts, only=slice(1))
)
accumulate_gradients.mistake(
    "The last part is left out. Go through all of them: range(parts) ends with parts - 1 already.",
    last_part_left_out=with_loss(mean_of_parts, only=slice(-1)),
)
accumulate_gradients.mistake(
    "The first part is left out. Go through all of them, from 0.",
    first_part_left_out=with_loss(mean_of_parts, only=slice(1, None)),
)


@accumulate_gradients.mistake(
    "You divide after each part, so the first ones are divided again and again. Divide each loss, or once at the end."
)
def divided_in_the_loop(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        F.mse_loss(model(part_x), part_y).backward()
        for parameter in model.parameters():
            parameter.grad /= parts


@accumulate_gradients.mistake(
    "The model saw the whole batch at once: the memory has no room for that. Give it one part after the other."
)
def whole_batch(model, x, y, parts):
    model.zero_grad()
    F.mse_loss(model(x), y).backward()


@accumulate_gradients.mistake(
    "You show the model one row at a time. The gradient is right, but `parts` says how many parts there are."
)
def row_by_row(model, x, y, parts):
    model.zero_grad()
    for row, target in zip(x.split(1), y.split(1), strict=True):
        (F.mse_loss(model(row), target) / len(x)).backward()


@accumulate_gradients.mistake(
    "split(parts) makes parts of that many rows. There are `parts` of them: chunk(parts), or split(len(x) // parts)."
)
def parts_as_rows(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.split(parts), y.split(parts), strict=True):
        (F.mse_loss(model(part_x), part_y) / parts).backward()


@accumulate_gradients.mistake(
    "split(parts) makes parts of that many rows, whose number you divide by. There are to be `parts` parts: "
    "chunk(parts)."
)
def parts_as_rows_all_divided(model, x, y, parts):
    model.zero_grad()
    pairs = list(zip(x.split(parts), y.split(parts), strict=True))
    for part_x, part_y in pairs:
        (F.mse_loss(model(part_x), part_y) / len(pairs)).backward()


@accumulate_gradients.mistake("You go through single rows x[0], x[1], ..., and only the first `parts` of them.")
def first_rows_only(model, x, y, parts):
    model.zero_grad()
    for n in range(parts):
        (F.mse_loss(model(x[n : n + 1]), y[n : n + 1]) / parts).backward()


@accumulate_gradients.mistake("Your part of x meets all of y. Cut y in the same way: y.chunk(parts).")
def y_not_cut(model, x, y, parts):
    model.zero_grad()
    for part_x in x.chunk(parts):
        (((model(part_x) - y) ** 2).mean() / parts).backward()


@accumulate_gradients.mistake("Every part of x meets the first part of y. Take both from the same rows: zip.")
def first_part_of_y(model, x, y, parts):
    model.zero_grad()
    for part_x in x.chunk(parts):
        (((model(part_x) - y.chunk(parts)[0]) ** 2).mean() / parts).backward()


@accumulate_gradients.mistake("Prediction and target have lost their rows: y has the shape (rows, outputs), keep it.")
def target_flattened(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        (((model(part_x) - part_y.flatten()) ** 2).mean() / parts).backward()


@accumulate_gradients.mistake(
    "There is no gradient at the end. Call loss.backward() for each part, and clear nothing after it."
)
def no_backward(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        F.mse_loss(model(part_x), part_y)


@accumulate_gradients.mistake("You take the loss out of its graph, with .item(), .detach() or no_grad: no way back.")
def no_graph(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        (F.mse_loss(model(part_x).detach(), part_y) / parts).backward()


@accumulate_gradients.mistake(
    "The weights changed. Only the gradient is asked for: the step comes after all parts, elsewhere."
)
def steps(model, x, y, parts):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        (F.mse_loss(model(part_x), part_y) / parts).backward()
        optimizer.step()


@accumulate_gradients.mistake("The gradient is right, but the model is left in evaluation mode. Leave its mode alone.")
def evaluation_mode(model, x, y, parts):
    model.eval()
    accumulate_gradients(model, x, y, parts)


@accumulate_gradients.mistake(
    "Your parts overlap: they start at rows 0, 1, 2, ... Part n starts at row n * len(x) // parts."
)
def overlapping_parts(model, x, y, parts):
    model.zero_grad()
    each = len(x) // parts
    for n in range(parts):
        (F.mse_loss(model(x[n : n + each]), y[n : n + each]) / parts).backward()


@accumulate_gradients.mistake(
    "Your loss grows from part to part, and each backward() goes through the earlier parts again. Let each part go "
    "back by itself, or call backward() once at the end."
)
def growing_loss(model, x, y, parts):
    model.zero_grad()
    loss = 0
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        loss = loss + F.mse_loss(model(part_x), part_y) / parts
        loss.backward(retain_graph=True)


@accumulate_gradients.mistake(
    "Your loss grows from part to part, and backward() cannot go through the earlier parts again. Let "
    "each part go back "
    "by itself, or call backward() once at the end."
)
def growing_loss_without_graph(model, x, y, parts):
    model.zero_grad()
    loss = 0
    for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
        loss = loss + F.mse_loss(model(part_x), part_y) / parts
        loss.backward()


@accumulate_gradients.mistake("Every round takes the first part again. Go on to the next one: part n of x and y.")
def first_part_again(model, x, y, parts):
    model.zero_grad()
    for _ in range(parts):
        (F.mse_loss(model(x.chunk(parts)[0]), y.chunk(parts)[0]) / parts).backward()


@accumulate_gradients.mistake(
    "The parts of y are taken in another order than those of x. Take both from the same rows."
)
def y_in_another_order(model, x, y, parts):
    model.zero_grad()
    for part_x, part_y in zip(x.chunk(parts), reversed(y.chunk(parts)), strict=True):
        (F.mse_loss(model(part_x), part_y) / parts).backward()


accumulate_gradients.mistake(
    "The old gradients are still in the sum, and you divide by rows: F.mse_loss is a mean over the "
    "part's rows already. "
    "Call model.zero_grad() before the loop, and divide by `parts`.",
    old_gradients_kept_and_rows=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / len(y), zero=False),
)
accumulate_gradients.mistake(
    "The old gradients are still in the sum, and so are sums in place of means. Call model.zero_grad() "
    "before the loop, "
    "and divide the sum by y.numel().",
    old_gradients_kept_and_sums=with_loss(lambda p, y, parts, x: F.mse_loss(p, y, reduction="sum"), zero=False),
)
accumulate_gradients.mistake(
    "You divide by parts - 1. There are `parts` parts.",
    divided_by_one_less=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / max(parts - 1, 1)),
)
accumulate_gradients.mistake(
    "You divide by parts + 1. There are `parts` parts.",
    divided_by_one_more=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / (parts + 1)),
)
accumulate_gradients.mistake(
    "You divide by the root of `parts`. The mean of the parts' means divides by `parts`.",
    divided_by_the_root=with_loss(lambda p, y, parts, x: F.mse_loss(p, y) / parts**0.5),
)
accumulate_gradients.mistake(
    "You divide the gradients at the end by the number of rows. F.mse_loss is a mean over the part's rows already: "
    "divide by `parts`, and clear the old gradients first.",
    old_gradients_kept_divided_by_rows=with_loss(mean, zero=False, after=divide(lambda parts, x: len(x))),
)


accumulate_gradients.hints(
    "x.chunk(parts) and y.chunk(parts) give the parts; zip goes through both.",
    "backward() adds to the gradients that are there. So zero_grad() stands before the loop, not in it.",
    "The mean over all rows is the mean of the parts' means: divide each part's loss by `parts`.",
)
