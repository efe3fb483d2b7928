"""The exercise `validation_loss`: a loss measured without dropout and gradients, the model left in training mode."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


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


@validation_loss.cases
def cases():
    odd = uncommon(torch.tensor([[1.0, 0.0, 1.0, 3.0]]), torch.tensor([[0.0, 0.0]]))
    return [
        (torch.ones(1, 4), torch.zeros(1, 1)),
        (torch.randn(70, 4), torch.randn(70, 2)),
        (torch.randn(9, 4), 2 + torch.randn(9, 1)),
        tuple(tensor.detach() for tensor in odd),
    ]


@validation_loss.run
def measure_with_dropout(answer, x, y):
    """The loss that an answer gives for a model with dropout; raises `Mistake` where a switch was wrong."""
    top, deep = torch.nn.Dropout(0.5), torch.nn.Dropout(0.5)
    linear = torch.nn.Linear(4, y.shape[1], dtype=x.dtype)
    torch.nn.init.constant_(linear.weight, 0.7)
    torch.nn.init.zeros_(linear.bias)
    model = torch.nn.Sequential(top, torch.nn.Sequential(deep, torch.nn.Identity()), linear)
    on, recorded = set(), []

    def look(module, inputs, output):
        if module is linear:
            recorded.append(output.requires_grad)
        elif module.training and module.p:
            on.add(module)

    for module in (top, deep, linear):
        module.register_forward_hook(look)
    loss = answer(model.train(), x, y)
    if told := _told(on, any(recorded), [module.training for module in model.modules()]):
        raise Mistake(told)
    return loss


SOME_ON = (
    "Some dropout is still on: you switched off only the modules at the top, and one stands deeper. model.eval() "
    "reaches every one."
)
NOTHING_DONE = (
    "Dropout is still on, and autograd records every operation. Call model.eval() first, and compute inside "
    "torch.no_grad()."
)
LATE = (
    "model.eval() comes after the measurement, or train() before it, so dropout was on while you measured, and then "
    "stays off in training. First eval(), then measure, then train()."
)
DROPOUT_ON = (
    "Dropout is still on: no_grad() switches off gradients, not dropout. Call model.eval() first, with its brackets."
)
TWO_SWITCHES = (
    "Dropout is off, but two things are missing: autograd records every operation (compute inside torch.no_grad()), "
    "and the model stays in eval mode (call model.train() before you return)."
)
RECORDED = (
    "Autograd records every operation, which costs memory and time and is of no use in a measurement. Compute inside "
    "`with torch.no_grad():`; .item() and .detach() come too late."
)
STAYS = (
    "The model stays in eval mode, so the training that follows runs without dropout. Call model.train() before you "
    "return."
)
CHILDREN_STAY = (
    "The model says it is in training mode, but its parts are still in eval mode. Do not set model.training yourself: "
    "model.train() reaches every part."
)


def _told(on, recorded, modes):
    """What is wrong with the switches; "" where all are right."""
    if on:
        return SOME_ON if len(on) == 1 else NOTHING_DONE if recorded else DROPOUT_ON if all(modes) else LATE
    if recorded:
        return RECORDED if all(modes) else TWO_SWITCHES
    return "" if all(modes) else CHILDREN_STAY if modes[0] else STAYS


@validation_loss.right
@torch.no_grad()
def with_a_decorator(model, x, y):
    model.eval()
    loss = F.mse_loss(model(x), y)
    model.train()
    return loss.item()


@validation_loss.right
def with_inference_mode(model, x, y):
    was_training = model.training
    model.train(False)
    with torch.inference_mode():
        loss = ((model(x) - y) ** 2).mean().item()
    model.train(was_training)
    return loss


@validation_loss.right
def with_finally(model, x, y):
    try:
        with torch.no_grad():
            return float(F.mse_loss(model.eval()(x), y))
    finally:
        model.train()


@validation_loss.right
def with_grad_switched_off_and_on(model, x, y):
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    model = model.eval()
    errors = model.forward(x) - y
    torch.set_grad_enabled(before)
    model.train(True)
    return (errors.square().sum() / errors.numel()).tolist()


@validation_loss.right
def row_by_row(model, x, y):
    modes = {module: module.training for module in model.modules()}
    for module in modes:
        module.training = False
    with torch.no_grad():
        total = sum(F.mse_loss(model(row), target).item() for row, target in zip(x, y, strict=True))
    for module, mode in modes.items():
        module.training = mode
    return total / len(x)


def with_loss(text):
    """The reference with another loss."""
    return validation_loss.changed("F.mse_loss(model(x), y)", text)


def in_order(*lines):
    """Lines inside no_grad, the loss among them as `loss = ...`."""
    body = "".join(f"    {line}\n" for line in ("with torch.no_grad():", *(f"    {line}" for line in lines)))
    text = validation_loss.solution
    return validation_loss.changed(text[text.index("    model.eval()") : text.index("    return")], body)


LOSS = "loss = F.mse_loss(model(x), y).item()"

validation_loss.mistake(DROPOUT_ON, no_eval=in_order(LOSS))
validation_loss.mistake(STAYS, stays_in_eval=in_order("model.eval()", LOSS))
validation_loss.mistake(LATE, eval_after_measuring=in_order(LOSS, "model.eval()"))
validation_loss.mistake(CHILDREN_STAY, only_the_top_is_back=in_order("model.eval()", LOSS, "model.training = True"))
validation_loss.mistake(RECORDED, records_gradients=validation_loss.changed("torch.no_grad()", "torch.enable_grad()"))
validation_loss.mistake(NOTHING_DONE, nothing_done=lambda model, x, y: F.mse_loss(model(x), y).item())
validation_loss.mistake(TWO_SWITCHES, only_eval=lambda model, x, y: F.mse_loss(model.eval()(x), y).item())
validation_loss.mistake(
    SOME_ON,
    only_the_children=in_order(
        "[m.eval() for m in model.children() if isinstance(m, torch.nn.Dropout)]", LOSS, "model.train()"
    ),
)

validation_loss.mistake(
    "You set the p of the dropouts to 0 and leave it there: the training that follows runs without dropout. "
    "model.eval() switches it off, model.train() on again.",
    dropouts_set_to_zero=in_order(
        "for m in model.modules():", "    m.p = 0.0 if isinstance(m, torch.nn.Dropout) else 1", LOSS, "model.train()"
    ),
)
validation_loss.mistake(
    "You freeze the weights with requires_grad_(False) and never thaw them: nothing will learn any more. Compute "
    "inside `with torch.no_grad():`, which ends by itself.",
    frozen=in_order("model.eval().requires_grad_(False)", LOSS, "model.train()"),
)
validation_loss.mistake(
    "You switch gradients off for good: set_grad_enabled(False) outlives your function, and no training step can "
    "follow. `with torch.no_grad():` ends by itself.",
    gradients_off_for_good=validation_loss.changed("with torch.no_grad():\n    ", "torch.set_grad_enabled(False)\n"),
)
validation_loss.mistake(
    "You took the sum of the squared errors. A mean does not grow with the data: leave out reduction='sum'.",
    sum_of_squares=with_loss("F.mse_loss(model(x), y, reduction='sum')"),
)
validation_loss.mistake(
    "You summed over the outputs of each row and averaged over the rows only. The mean runs over all elements of y.",
    mean_over_rows_only=with_loss("((model(x) - y) ** 2).sum(-1).mean()"),
)
validation_loss.mistake(
    "You divide the mean by the number of rows once more. The mean is already taken.",
    mean_divided_again=with_loss("(F.mse_loss(model(x), y) / len(x))"),
)
validation_loss.mistake(
    "You multiply the mean by the number of rows. That is for adding up batches, and at the end it must be divided "
    "again.",
    mean_times_rows=with_loss("(F.mse_loss(model(x), y) * len(x))"),
)
validation_loss.mistake(
    "You took the root: that is the RMSE. The mean squared error has no root.",
    root_taken=with_loss("F.mse_loss(model(x), y).sqrt()"),
)
validation_loss.mistake(
    "You took half of the mean squared error. Some books do; here it is the mean itself.",
    half_of_it=with_loss("(F.mse_loss(model(x), y) / 2)"),
)
validation_loss.mistake(
    "You took the mean absolute error. Square the differences: F.mse_loss.",
    absolute_errors=with_loss("F.l1_loss(model(x), y)"),
)
validation_loss.mistake(
    "You took Huber's loss (smooth L1). Take F.mse_loss.", huber_loss=with_loss("F.smooth_l1_loss(model(x), y)")
)
validation_loss.mistake(
    "You took the cross-entropy, which is for classes. Here the target is a number: F.mse_loss.",
    cross_entropy=with_loss("F.cross_entropy(model(x), y)"),
)
validation_loss.mistake(
    "You squared the mean error. Square each error first, then take the mean: otherwise +1 and -1 cancel.",
    mean_before_square=with_loss("((model(x) - y).mean() ** 2)"),
)
validation_loss.mistake(
    "The square is missing: errors above and below cancel.", no_square=with_loss("(model(x) - y).mean()")
)
validation_loss.mistake(
    "The sign is wrong: a squared error is never negative.", minus=with_loss("-F.mse_loss(model(x), y)")
)
validation_loss.mistake(
    "You took the mean of what the model says. The loss compares it with y.", mean_answer=with_loss("model(x).mean()")
)
validation_loss.mistake(
    "You measure the first row only. The mean runs over all rows.",
    first_row_only=with_loss("F.mse_loss(model(x[:1]), y[:1])"),
)
validation_loss.mistake(
    "You measure the first output only. The mean runs over all elements of y.",
    first_output_only=with_loss("F.mse_loss(model(x)[:, 0], y[:, 0])"),
)
validation_loss.mistake(
    "squeeze() takes a dimension from what the model says, so it broadcasts: every answer meets every target. "
    "Leave the shapes alike.",
    squeezed=with_loss("((model(x).squeeze() - y) ** 2).mean()"),
)
validation_loss.mistake(
    "x and y are exchanged: the model takes x, and y is what it should answer.",
    x_and_y_exchanged=with_loss("F.mse_loss(model(y), x)"),
)
validation_loss.mistake(
    "You compare x and y, and the model is not asked at all. Its answer is model(x).",
    model_not_asked=with_loss("((x - y) ** 2).mean()"),
)
validation_loss.mistake(
    "You return an integer: int() cuts off what stands behind the point. Use .item().",
    loss_cut_to_an_integer=validation_loss.changed("return loss", "return int(loss)"),
)
validation_loss.mistake(
    "You return the loss as text. Return the number.",
    loss_as_text=validation_loss.changed("return loss", "return str(loss)"),
)
validation_loss.mistake(
    "You return the loss in a list. Return the number itself.",
    loss_in_a_list=validation_loss.changed("return loss", "return [loss]"),
)
for digits in range(1, 5):
    validation_loss.mistake(
        f"You round the loss to {digits} digits. Return it with all it has.",
        **{f"rounded_to_{digits}_digits": validation_loss.changed("return loss", f"return round(loss, {digits})")},
    )


def means_of_batches(size):
    return lambda model, x, y: (
        sum(validation_loss(model, *batch) for batch in zip(x.split(size), y.split(size), strict=True))
        / len(x.split(size))
    )


for size in (4, 8, 16, 32, 64):
    validation_loss.mistake(
        f"You averaged the means of batches of {size}. The last batch is smaller, so its rows count more. Measure all "
        "rows at once, or weigh each mean by its number of rows.",
        **{f"means_of_batches_of_{size}": means_of_batches(size)},
    )
validation_loss.mistake(
    "You took the root of the sum of the squared errors. Take their mean, and no root.",
    root_of_the_sum=with_loss("((model(x) - y) ** 2).sum().sqrt()"),
)
validation_loss.mistake(
    "One number for each row came. Take the mean over all elements.",
    one_for_each_row=validation_loss.changed(
        "F.mse_loss(model(x), y).item()", "((model(x) - y) ** 2).mean(1).tolist()"
    ),
)
validation_loss.mistake(
    "One number for each row came, in a tensor. Take the mean over all elements.",
    tensor_of_rows=validation_loss.changed("F.mse_loss(model(x), y).item()", "((model(x) - y) ** 2).mean(1)"),
)
validation_loss.mistake(
    "The squared errors came as they are, one for each element. Take their mean.",
    no_mean=validation_loss.changed("F.mse_loss(model(x), y).item()", "(model(x) - y) ** 2"),
)
validation_loss.mistake(
    "You measure the last row only: in your loop each loss overwrites the one before. Add them up, and divide.",
    last_row_only=with_loss("F.mse_loss(model(x[-1:]), y[-1:])"),
)
validation_loss.mistake(
    "You return what the model says. The loss compares it with y.",
    answer_returned=validation_loss.changed("F.mse_loss(model(x), y).item()", "model(x)"),
)
validation_loss.mistake(
    "You took the median of the squared errors. Take their mean.", median=with_loss("((model(x) - y) ** 2).median()")
)
validation_loss.mistake(
    "You took the variance of the errors, which does not see an error that all share. Take the mean of their squares.",
    variance=with_loss("(model(x) - y).var(unbiased=False)"),
)
validation_loss.mistake(
    "That is the R² or another score. Return the mean squared error itself.",
    score=with_loss("(1 - F.mse_loss(model(x), y) / y.var(unbiased=False))"),
)
validation_loss.mistake(
    "The measurement is right, but nothing comes back: `return` is missing, or it has nothing behind it.",
    no_return=validation_loss.changed("return loss", "return None"),
)


validation_loss.hints(
    "Two switches: one for dropout (a method of the model), one for gradients (a context of torch).",
    "model.eval() ... with torch.no_grad(): ... model.train()",
    "Keep the loss in a variable, call model.train(), then return it.",
)
