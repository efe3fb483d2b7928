"""One step of training after which the pruned weights are zero again (lesson 08)."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from bmcourse.exercises.core import exercise
from bmcourse.exercises.optimizers.shared import IN_GRAPH
from bmcourse.exercises.outcomes import Mistake
from bmcourse.exercises.pruning.smallest_mask import smallest_mask


@exercise(
    prompt="One step of fine-tuning a pruned model with the mean squared error. `masks` has a mask for each pruned "
    "weight, by its name in model.named_parameters(): True where a weight stays. After the step the others must be 0 "
    "again, whatever the optimizer remembers from the time before. Returns the loss as a plain number.",
    seconds=20,
)
def step_with_mask(model, optimizer, masks, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for name, mask in masks.items():
            model.get_parameter(name).mul_(mask)
    return loss.item()


@step_with_mask.cases
def cases():
    return [
        ("SGD", torch.randn(6, 3), torch.randn(6, 1)),
        ("AdamW", torch.randn(6, 3), torch.randn(6, 1)),
    ]


OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.05, weight_decay=0.1),
}


def trained(optimizer, x, y):
    """A small network and its optimizer after five steps of training, and masks for its two weights."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(5):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    masks = {"0.weight": smallest_mask(model[0].weight, 0.5), "2.weight": smallest_mask(model[2].weight, 0.5)}
    first = masks["0.weight"].nonzero()[0]
    model[0].weight.data[tuple(first)] = 0.0  # this one stays, and happens to be zero
    return model, optimizer, masks


@step_with_mask.run
def fine_tune(answer, optimizer, x, y):
    """What three steps of fine-tuning make of a pruned network whose optimizer remembers the time before."""
    model, optimizer, masks = trained(optimizer, x, y)
    for name, mask in masks.items():
        model.get_parameter(name).data.mul_(mask)
    try:
        losses = [answer(model, optimizer, masks, x, y) for _ in range(3)]
    except RuntimeError as error:
        raise Mistake(IN_GRAPH) if "leaf Variable" in str(error) else error from None
    zeros = [bool((model.get_parameter(name)[~mask] == 0).all()) for name, mask in masks.items()]
    after = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return {"zeros stay": zeros, "losses": losses, **after}


@step_with_mask.judge
def fine_tune_by_torch(optimizer, x, y):
    """The same with torch.nn.utils.prune, which multiplies by the mask in the forward pass."""
    model, optimizer, masks = trained(optimizer, x, y)
    layers = [model[0], model[2]]
    for layer, mask in zip(layers, masks.values(), strict=True):
        prune.custom_from_mask(layer, "weight", mask)
    losses = []
    for _ in range(3):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    after = {}
    for number, layer in zip((0, 2), layers, strict=True):
        after[f"{number}.weight"] = (layer.weight_orig * layer.weight_mask).detach()
        after[f"{number}.bias"] = layer.bias.detach()
    return {"zeros stay": [True, True], "losses": losses, **after}


@step_with_mask.right
def on_data(model, optimizer, masks, x, y):
    optimizer.zero_grad()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    for name, parameter in model.named_parameters():
        if name in masks:
            parameter.data = parameter.data * masks[name]
    return float(loss.detach())


@step_with_mask.right
def zeros_set(model, optimizer, masks, x, y):
    model.zero_grad()
    loss = nn.MSELoss()(model(x), y)
    loss.backward()
    optimizer.step()
    parameters = dict(model.named_parameters())
    for name in masks:
        parameters[name].data[~masks[name]] = 0
    return loss.item()


@step_with_mask.right
@torch.no_grad()
def by_fill(model, optimizer, masks, x, y):
    with torch.enable_grad():
        loss = F.mse_loss(model(x), y)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    for name, mask in masks.items():
        model.get_parameter(name).masked_fill_(mask.logical_not(), 0.0)
    return loss.item()


def fine_tuning(before=None, behind_backward=None, behind_step=None, zero=True, back=torch.Tensor.item):
    """A wrong step: at three moments it may do something to each pruned parameter and its mask."""

    def each(change, model, masks):
        with torch.no_grad():
            for name, mask in masks.items() if change else ():
                change(model.get_parameter(name), mask)

    def answer(model, optimizer, masks, x, y):
        each(before, model, masks)
        loss = F.mse_loss(model(x), y)
        if zero:
            optimizer.zero_grad()
        loss.backward()
        each(behind_backward, model, masks)
        optimizer.step()
        each(behind_step, model, masks)
        return back(loss)

    return answer


@step_with_mask.mistake(IN_GRAPH)
def in_the_graph(model, optimizer, masks, x, y):
    loss = fine_tuning()(model, optimizer, masks, x, y)
    for name, mask in masks.items():
        parameter = model.get_parameter(name)
        parameter *= mask
    return loss


def mask_gradient(parameter, mask):
    parameter.grad.mul_(mask)


@step_with_mask.mistake(
    "The zeros stay, but you throw away what the optimizer remembers of the weights that stay, in every step: "
    "without its momentum it learns more slowly. Leave it alone, and mask the weights after the step."
)
def forget_everything(model, optimizer, masks, x, y):
    optimizer.state.clear()
    return fine_tuning(None, mask_gradient)(model, optimizer, masks, x, y)


@step_with_mask.mistake(
    "You take the places that are not 0 for the mask. A weight that stays may be 0 at this moment, and yours "
    "can then never learn again. Use `masks`."
)
def zeros_for_the_mask(model, optimizer, masks, x, y):
    masks = {name: model.get_parameter(name) != 0 for name in masks}
    return step_with_mask(model, optimizer, masks, x, y)


@step_with_mask.mistake(
    "You pair the masks with the parameters one after the other. model.parameters() has the biases in between, "
    "which have no mask. Go by the name: model.get_parameter(name)."
)
@torch.no_grad()
def masks_in_order(model, optimizer, masks, x, y):
    with torch.enable_grad():
        loss = fine_tuning()(model, optimizer, masks, x, y)
    for parameter, mask in zip(model.parameters(), masks.values(), strict=False):
        parameter *= mask
    return loss


@step_with_mask.mistake(
    "You put new parameters into the model. The optimizer still moves the old ones, so from the second step on "
    "these weights learn nothing. Change them in place: p.mul_(mask), under torch.no_grad()."
)
def new_parameters(model, optimizer, masks, x, y):
    loss = fine_tuning()(model, optimizer, masks, x, y)
    for name, mask in masks.items():
        layer = model.get_submodule(name.removesuffix(".weight"))
        layer.weight = nn.Parameter(layer.weight * mask)
    return loss


step_with_mask.mistake(
    "The weights that were pruned grow back: after one step the model is dense again. Multiply them by their "
    "mask after the step, in place: `p *= mask` or p.mul_(mask). `p = p * mask` makes a new tensor, and the "
    "model holds the old one.",
    no_mask=fine_tuning(),
)

step_with_mask.mistake(
    "You mask the gradients, and still the zeros grow back: the optimizer keeps a momentum from before the "
    "pruning and moves every weight by it, also where the gradient is 0. Multiply the weights by their masks, "
    "after the step.",
    gradient_masked_only=fine_tuning(behind_backward=mask_gradient),
)


def mask_weight(parameter, mask):
    parameter.mul_(mask)


step_with_mask.mistake(
    "You apply the masks before the step, and the step writes into the zeros again: what you save at the end "
    "is dense. Apply them after optimizer.step().",
    before_the_step=fine_tuning(before=mask_weight),
)

step_with_mask.mistake(
    "You apply the masks between backward() and step(), and the step writes into the zeros again. Apply them "
    "after optimizer.step().",
    between=fine_tuning(behind_backward=mask_weight),
)


def smallest_again(parameter, mask):
    parameter.mul_(smallest_mask(parameter, 1 - mask.float().mean().item()))


step_with_mask.mistake(
    "After the step you choose the smallest weights anew, so a pruned one may come back and another one go. "
    "Some methods do that; here `masks` stay as they are.",
    chosen_anew=fine_tuning(behind_step=smallest_again),
)

step_with_mask.mistake(
    "You set the weights to 0 that stay. A mask is True where a weight stays: multiply by it as it is.",
    inverted=fine_tuning(behind_step=lambda parameter, mask: parameter.mul_(~mask)),
)

step_with_mask.mistake(
    "The zeros stay, but optimizer.zero_grad() is missing: every step adds its gradient to all the old ones.",
    no_zero_grad=fine_tuning(behind_step=mask_weight, zero=False),
)

step_with_mask.mistake(
    "The loss comes back as a tensor that still holds the whole graph. In a long run that fills the memory. "
    "Return loss.item().",
    graph_returned=fine_tuning(behind_step=mask_weight, back=lambda loss: loss),
)

step_with_mask.hints(
    "Write the usual training step first: loss, zero_grad, backward, step. What may the last one do to a zero?",
    "Masked gradients are not enough: a momentum moves a weight with gradient 0. So mask the weights, and last.",
    "with torch.no_grad(): for name, mask in masks.items(): model.get_parameter(name).mul_(mask)",
)
