"""The exercise `train_step`: one training step with the mean squared error."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.compare import difference, short
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(prompt="One training step with the mean squared error. Returns the loss as a plain number.")
def train_step(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@train_step.cases
def cases():
    odd = uncommon(torch.randn(8), torch.tensor([[0.0, 2.0, 2.0]]), torch.tensor([[0.0, 0.0]]))
    return [
        (torch.zeros(4), torch.eye(3), torch.tensor([[1.0], [0.0], [2.0]])),
        (torch.randn(8), torch.randn(5, 3), 3 * torch.randn(5, 2)),
        tuple(tensor.detach() for tensor in odd),
    ]


@train_step.run
def three_steps(answer, weights, x, y):
    """What comes of three steps of SGD with momentum; raises `Mistake` where the order tells what is wrong."""
    events, gradient, result = _trained(answer, weights, x, y)
    _, right, expected = _trained(train_step.reference, weights, x, y)
    changed = not torch.equal(result["weights"], weights)
    if difference(result["weights"], expected["weights"], 1e-5):
        told = _told_by_gradient(gradient, right)
        losses = f"Your losses are {short(result['losses'])}, those of right steps {short(expected['losses'])}."
        raise Mistake(_told(events, len(x), changed) or f"{told} {losses}")
    return result


def _trained(answer, weights, x, y):
    """What happens in the first call, the gradient of its step, and what comes of three."""
    model = torch.nn.Linear(3, y.shape[1])
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    events, gradients = [], []

    def before_step(_, arguments, named):
        events.append(_step(model, [*arguments, *named]))
        gradients.append([p.grad.clone().flatten() for p in model.parameters() if p.grad is not None])

    model.register_forward_pre_hook(lambda _, inputs: events.append(len(inputs[0])))
    model.bias.register_hook(lambda gradient: events.append("backward"))
    optimizer.register_step_pre_hook(before_step)
    losses = [answer(model, optimizer, x, y)]
    first = list(events)
    losses += [answer(model, optimizer, x, y), answer(model, optimizer, x, y)]
    weights = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    gradient = torch.cat(gradients[0]) if gradients and gradients[0] else None
    return first, gradient, {"losses": losses, "weights": weights}


def _step(model, arguments):
    """A step with a closure comes before the backward() that it calls."""
    if len(arguments) > 1:
        return "step with a closure"
    return "step" if any(p.grad is not None and p.grad.any() for p in model.parameters()) else "empty step"


NOTHING = "Neither loss.backward() nor optimizer.step() was called, so no weight changes. Call them, in this order."
NO_BACKWARD = (
    "No gradient reaches the weights: loss.backward() is missing. It needs its brackets, and the loss itself, not a "
    "new tensor made of its number. Call it before optimizer.step()."
)
NO_STEP = "The weights never change: optimizer.step() is missing. It needs its brackets."
BY_HAND = (
    "The weights change, but the optimizer you were given never makes a step. It has its own rule (here a momentum): "
    "call optimizer.step()."
)
STEP_FIRST = (
    "optimizer.step() comes before loss.backward(): there is no gradient yet to go by. First backward(), then step()."
)
ZEROED = (
    "You set the gradients to zero after loss.backward() and before optimizer.step(): the step then has nothing to go "
    "by. Call zero_grad() before backward()."
)
ROW_BY_ROW = (
    "You make a step for each row or part of the batch. One step: the loss of the whole batch, then one step()."
)
SEVERAL = "Your function makes several steps in one call. One call is one step: call optimizer.step() once."


def _told(events, count, changed):
    """What the events of a call prove; "" where that is nothing."""
    steps = [event for event in events if "step" in str(event)]
    sizes = [event for event in events if type(event) is int]
    if not steps:
        return NOTHING if "backward" not in events and not changed else BY_HAND if changed else NO_STEP
    if "backward" not in events:
        return NO_BACKWARD
    if len(steps) > 1:
        return ROW_BY_ROW if max(sizes) < count else SEVERAL
    if steps == ["step with a closure"]:
        return ""
    if events.index(steps[0]) < events.index("backward"):
        return STEP_FIRST
    return ZEROED if steps == ["empty step"] else ""


def _told_by_gradient(gradient, right):
    """What the gradient of the first step tells where backward() and step() come in order."""
    if gradient is None or gradient.shape != right.shape:
        return (
            "The weights are not those of three right steps. Are the gradients zeroed, computed and used, all of them?"
        )
    if not difference(gradient, right, 1e-5):
        return (
            "The gradient of your first step is right, but the weights after several are not: either you change "
            "weights, gradients or the optimizer beside that, or not all gradients are zeroed before the next step."
        )
    factor = (gradient @ right / (right @ right)).item()
    if not difference(gradient, factor * right, 1e-4):
        return (
            f"Your gradient is {factor:.3g} times the right one. Call backward() once, on the mean of the squared "
            "errors over all elements: F.mse_loss(model(x), y)."
        )
    return (
        "The order is right, but the gradient that your step uses is not that of F.mse_loss(model(x), y), over the "
        "whole batch and nothing more."
    )


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


@train_step.right
def with_a_closure(model, optimizer, x, y):
    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    return optimizer.step(closure).item()


@train_step.right
def by_autograd_grad(model, optimizer, x, y):
    parameters = list(model.parameters())
    loss = (model(x) - y).square().sum() / y.numel()
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.tolist()


@train_step.right
def row_by_row_in_one_step(model, optimizer, x, y):
    optimizer.zero_grad(set_to_none=False)
    losses = [F.mse_loss(model(row), target) / len(x) for row, target in zip(x, y, strict=True)]
    for loss in losses:
        loss.backward()
    optimizer.step()
    return sum(loss.item() for loss in losses)


LOSS = "F.mse_loss(model(x), y)"
ZERO, BACKWARD, STEP = "    optimizer.zero_grad()\n", "    loss.backward()\n", "    optimizer.step()\n"
RETURN = "return loss.item()"


def in_order(*lines):
    """The reference with these lines in place of its zero_grad, backward and step."""
    return train_step.changed(ZERO + BACKWARD + STEP, "".join(lines))


train_step.mistake(NOTHING, only_the_loss=in_order())
train_step.mistake(NO_BACKWARD, no_backward=in_order(ZERO, STEP))
train_step.mistake(NO_STEP, no_step=in_order(ZERO, BACKWARD))
train_step.mistake(STEP_FIRST, step_first=in_order(ZERO, STEP, BACKWARD))
train_step.mistake(ZEROED, zero_grad_between=in_order(BACKWARD, ZERO, STEP))
train_step.mistake(SEVERAL, two_steps=in_order(ZERO, BACKWARD, STEP, STEP))

train_step.mistake(
    "The gradients are never set back to zero, so every step adds the new gradient to all the old ones. Call "
    "optimizer.zero_grad() before loss.backward().",
    no_zero_grad=in_order(BACKWARD, STEP),
)


@train_step.mistake(BY_HAND)
def weights_changed_by_hand(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= optimizer.param_groups[0]["lr"] * parameter.grad
    return loss.item()


@train_step.mistake(ROW_BY_ROW)
def step_for_every_row(model, optimizer, x, y):
    total = 0.0
    for row, target in zip(x, y, strict=True):
        loss = F.mse_loss(model(row[None]), target[None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(x)


@train_step.mistake(
    "backward() runs for every row without a division by their number, so the gradients add up to those of a sum. "
    "Take the mean over the whole batch first."
)
def gradients_of_rows_added(model, optimizer, x, y):
    optimizer.zero_grad()
    losses = [F.mse_loss(model(row), target) for row, target in zip(x, y, strict=True)]
    for loss in losses:
        loss.backward()
    optimizer.step()
    return sum(loss.item() for loss in losses) / len(x)


train_step.mistake(
    "You called backward() twice, and gradients add up: each is twice too large. Call it once.",
    backward_twice=in_order(ZERO, BACKWARD.replace("()", "(retain_graph=True)"), BACKWARD, STEP),
)
train_step.mistake(
    "You called backward() twice. The first call frees the graph; once is enough.",
    second_backward_without_a_graph=in_order(ZERO, BACKWARD, BACKWARD, STEP),
)
train_step.mistake(
    "The loss has no graph when backward() is called: no_grad or detach() cut it off. In training the model runs "
    "with gradients; leave them out.",
    graph_cut_off=train_step.changed(LOSS, "F.mse_loss(model(x).detach(), y)"),
)
train_step.mistake(
    "loss.item() is a plain number, and a number has no backward(). Keep the tensor for backward(), and take .item() "
    "of it in the return.",
    backward_of_a_number=train_step.changed(LOSS, LOSS + ".item()"),
)
train_step.mistake(
    "Before the first backward() every .grad is None, so it cannot be zeroed. optimizer.zero_grad() knows that.",
    zeroed_by_hand=train_step.changed("optimizer.zero_grad()", "[p.grad.zero_() for p in model.parameters()]"),
)
for norm in (0.1, 0.5, 1.0):
    clipped = f"    torch.nn.utils.clip_grad_norm_(model.parameters(), {norm})\n"
    train_step.mistake(
        f"You clip the gradients to the norm {norm}. That is another step than the one asked for: leave it out here.",
        **{f"clipped_at_{norm}": in_order(ZERO, BACKWARD, clipped, STEP)},
    )
train_step.mistake(
    "You took the sum of the squared errors, not their mean: loss and gradients are too big by the number of targets.",
    sum_of_squares=train_step.changed(LOSS, "((model(x) - y) ** 2).sum()"),
)
train_step.mistake(
    "You divide the sum of squares by the number of rows. The mean runs over all elements of y: divide by y.numel().",
    mean_over_rows_only=train_step.changed(LOSS, "((model(x) - y) ** 2).sum() / len(x)"),
)
train_step.mistake(
    "You divide the mean by the number of rows once more. The mean is already taken.",
    mean_divided_again=train_step.changed(LOSS, LOSS + " / len(x)"),
)
train_step.mistake(
    "You took half of the mean squared error. Some books do; here it is the mean itself.",
    half_of_it=train_step.changed(LOSS, LOSS + " / 2"),
)
train_step.mistake(
    "You took the root: that is the RMSE, and its gradient is another one. Leave the root out.",
    root_taken=train_step.changed(LOSS, LOSS + ".sqrt()"),
)
train_step.mistake(
    "You return the root of the loss. The step is right; return the mean squared error itself.",
    root_returned=train_step.changed(RETURN, "return loss.item() ** 0.5"),
)
train_step.mistake(
    "You took the mean absolute error. Square the differences: F.mse_loss.",
    absolute_errors=train_step.changed(LOSS, "F.l1_loss(model(x), y)"),
)
train_step.mistake(
    "You took Huber's loss (smooth L1). It grows in a straight line far from the target; take F.mse_loss.",
    huber_loss=train_step.changed(LOSS, "F.smooth_l1_loss(model(x), y)"),
)
train_step.mistake(
    "You took the cross-entropy, which is for classes. Here the target is a number: F.mse_loss.",
    cross_entropy=train_step.changed(LOSS, "F.cross_entropy(model(x), y)"),
)
train_step.mistake(
    "You squared the mean error. Square each error first, then take the mean: otherwise +1 and -1 cancel.",
    mean_before_square=train_step.changed(LOSS, "(model(x) - y).mean() ** 2"),
)
train_step.mistake(
    "The square is missing: errors above and below cancel, and the loss can fall without end.",
    no_square=train_step.changed(LOSS, "(model(x) - y).mean()"),
)
train_step.mistake(
    "The sign of the loss is wrong: your step climbs. A step lowers the loss.",
    climbing=train_step.changed(LOSS, "-" + LOSS),
)
train_step.mistake(
    "backward() got minus the loss, so your step climbs. Call backward() on the loss.",
    backward_of_minus_the_loss=train_step.changed("loss.backward()", "(-loss).backward()"),
)
train_step.mistake(
    "You used the first row only. The loss is the mean over the whole batch.",
    first_row_only=train_step.changed(LOSS, "F.mse_loss(model(x[:1]), y[:1])"),
)
train_step.mistake(
    "You compare x and y, and the model is not asked at all. Its answer is model(x).",
    model_not_asked=train_step.changed(LOSS, "((x - y) ** 2).mean()"),
)
train_step.mistake(
    "x and y are exchanged: the model takes x, and y is what it should answer.",
    x_and_y_exchanged=train_step.changed(LOSS, "F.mse_loss(model(y), x)"),
)
train_step.mistake(
    "The loss comes back as a tensor that still holds the whole graph. In a long run that fills the memory. Return "
    "loss.item().",
    loss_as_tensor=train_step.changed(RETURN, "return loss"),
)
train_step.mistake(
    "The weights are right, but you return an integer: int() cuts off what stands behind the point. Use loss.item().",
    loss_cut_to_an_integer=train_step.changed(RETURN, "return int(loss)"),
)
for digits in range(1, 5):
    train_step.mistake(
        f"The weights are right, but you round the loss to {digits} digits. Return it with all it has: loss.item().",
        **{f"loss_rounded_to_{digits}_digits": train_step.changed(RETURN, f"return round(loss.item(), {digits})")},
    )
train_step.mistake(
    "You computed the loss again after the step. Return the loss that made the gradients: it is already there and "
    "costs nothing.",
    loss_after_step=train_step.changed(RETURN, f"return {LOSS}.item()"),
)
train_step.mistake(
    "The weights are right, but you return the loss times the number of rows. Return the mean: loss.item().",
    loss_times_rows=train_step.changed(RETURN, "return loss.item() * len(x)"),
)
train_step.mistake(
    "The weights are right, but you return the loss divided by the number of rows. It is a mean already: loss.item().",
    loss_over_rows=train_step.changed(RETURN, "return loss.item() / len(x)"),
)
train_step.mistake(
    "You return the loss as text. Return the number: loss.item().",
    loss_as_text=train_step.changed(RETURN, "return str(loss.item())"),
)
train_step.mistake(
    "Right, but you return more than the loss. Return one plain number: loss.item().",
    loss_and_model=train_step.changed(RETURN, "return loss.item(), model(x).detach()"),
)
train_step.mistake(
    "backward() got the sum of the squared errors, and you return their mean. The step needs the gradient of the mean.",
    sum_backward=train_step.changed("loss.backward()", "(loss * y.numel()).backward()"),
)
train_step.mistake(
    "The step is right, but you return the sum of the squared errors. Return the mean: loss.item().",
    sum_returned=train_step.changed(RETURN, "return loss.item() * y.numel()"),
)
train_step.mistake(
    "reduction='none' leaves one number for each element, and backward() needs a single one: take the mean.",
    no_mean=train_step.changed(LOSS, "F.mse_loss(model(x), y, reduction='none')"),
)
train_step.mistake(
    "The step is right, but you return what the model says. Return the loss: loss.item().",
    answer_returned=train_step.changed(LOSS, LOSS + "\n    answer = model(x)", RETURN, "return answer"),
)
train_step.mistake(
    "The step is right, but you return what the model says. Return the loss: loss.item(). (And without a graph.)",
    detached_answer_returned=train_step.changed(
        LOSS, LOSS + "\n    answer = model(x).detach()", RETURN, "return answer"
    ),
)
train_step.mistake(
    "numpy() refuses a loss that has a graph. Return loss.item().",
    numpy_returned=train_step.changed(RETURN, "return loss.numpy()"),
)
train_step.mistake(
    "You leave the model in eval mode: dropout stays off in the training that follows. A training step needs no "
    "eval().",
    left_in_eval_mode=train_step.changed(LOSS, LOSS + "\n    model.eval()"),
)
train_step.mistake(
    "You add a share of the weights to the gradients, as weight decay does. That is another step than the one asked "
    "for.",
    weight_decay=in_order(
        ZERO, BACKWARD, "    [p.grad.add_(p.detach(), alpha=0.01) for p in model.parameters()]\n", STEP
    ),
)
train_step.mistake(
    "Not all gradients are zeroed: those of some parameters pile up. optimizer.zero_grad() reaches all.",
    some_zeroed=train_step.changed("optimizer.zero_grad()", "model.weight.grad = None"),
)
train_step.mistake(
    "You compare the model itself with y, and a model is no tensor. Its answer is model(x).",
    model_for_its_answer=train_step.changed(LOSS, "F.mse_loss(model, y)"),
)


train_step.hints(
    "Four things happen in a step: the loss, zero gradients, backward, step.",
    "optimizer.zero_grad() must come before loss.backward(), and optimizer.step() after it.",
    "loss = F.mse_loss(model(x), y), then optimizer.zero_grad(), loss.backward(), optimizer.step(); "
    "return loss.item().",
)
