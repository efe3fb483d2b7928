"""One step of training after which the pruned weights are zero again (lesson 10)."""

import contextlib

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
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
    odd = [tensor.detach() for tensor in uncommon(torch.tensor([[0.0, 0.5, 0.5]]), torch.tensor([[0.0, 0.0]]))]
    return [
        ("SGD", ("0.0.weight", "1.weight"), torch.randn(6, 3), torch.randn(6, 2)),
        ("AdamW", ("0.0.weight", "1.weight"), torch.randn(5, 3), torch.randn(5, 2)),
        ("AdamW", ("1.weight", "0.0.bias", "0.0.weight"), *odd),
        ("SGD", ("1.weight",), torch.randn(4, 3), torch.randn(4, 2)),
    ]


OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.05, weight_decay=0.1),
}


def pruned(optimizer, names, x, y):
    """A small network, just pruned, its optimizer, which remembers the training before, and the masks."""
    model = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), nn.Linear(4, 2)).to(x.dtype)
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    masks = {name: smallest_mask(model.get_parameter(name).detach(), 0.5) for name in names}
    first = model.get_parameter(names[0])
    first.data[tuple(masks[names[0]].nonzero()[0])] = 0.0  # this one stays, and happens to be zero
    model[1].bias.data[0] = 0.0  # as this one, which has no mask
    for name, mask in masks.items():
        model.get_parameter(name).data.mul_(mask)
    return model, optimizer, masks


IN_GRAPH = (
    "You change a parameter in place where torch keeps a record of all that happens to it, for backward(). That is no "
    "part of the model: put it under `with torch.no_grad():`."
)
OTHER_SHAPE = (
    "The shape of a mask met the shape of another parameter. Masks and parameters are not in the same order, and "
    "biases may have no mask: go by the name, model.get_parameter(name)."
)
ASSIGNED = (
    "A weight of a layer can only be an nn.Parameter; and the optimizer would not know a new one. Change the old one "
    "in place: p.mul_(mask), under torch.no_grad()."
)
NO_GRAPH = (
    "There is no graph for backward(). The forward pass must run with gradients: only the masking belongs under "
    "torch.no_grad()."
)
NO_MASK = (
    "You look for a mask of every parameter, and some have none. Go over the masks, masks.items(), or ask `if name in "
    "masks`."
)
TENSOR = "The loss comes back as a tensor. A plain number was asked: return loss.item()."
GRAPH = (
    "The loss comes back as a tensor that still holds the whole graph. In a long run that fills the memory. Return "
    "loss.item()."
)


@contextlib.contextmanager
def explained():
    """Turn the errors that this step is known for into words."""
    known = {
        "leaf Variable": IN_GRAPH,
        "broadcast shape": OTHER_SHAPE,
        "must match the size": OTHER_SHAPE,
        "shape of the mask": OTHER_SHAPE,
        "cannot assign": ASSIGNED,
        "does not require grad": NO_GRAPH,
    }
    try:
        yield
    except KeyError as error:
        raise Mistake(NO_MASK) if "weight" in str(error) or "bias" in str(error) else error from None
    except (RuntimeError, TypeError, IndexError) as error:
        told = next((told for words, told in known.items() if words in str(error)), None)
        raise Mistake(told) if told else error from None


@step_with_mask.run
def fine_tune(answer, optimizer, pruned_weights, x, y):
    """What three steps of fine-tuning make of a pruned network whose optimizer remembers the time before."""
    model, optimizer, masks = pruned(optimizer, pruned_weights, x, y)
    with explained():
        losses = [answer(model, optimizer, masks, x, y) for _ in range(3)]
    if any(map(torch.is_tensor, losses)):
        raise Mistake(GRAPH if any(torch.is_tensor(loss) and loss.requires_grad for loss in losses) else TENSOR)
    return described(losses, {name: parameter.detach() for name, parameter in model.named_parameters()}, masks)


def described(losses, after, masks):
    zeros = {f"{name} is 0 where it was pruned": bool((after[name][~mask] == 0).all()) for name, mask in masks.items()}
    return {**zeros, "the losses of three steps": losses, **after}


@step_with_mask.judge
def by_torch(optimizer, pruned_weights, x, y):
    """The same with torch.nn.utils.prune, which multiplies by the mask in the forward pass."""
    model, optimizer, masks = pruned(optimizer, pruned_weights, x, y)
    for name, mask in masks.items():
        layer, _, kind = name.rpartition(".")
        prune.custom_from_mask(model.get_submodule(layer), kind, mask)
    losses = []
    for _ in range(3):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    after = {name.removesuffix("_orig"): parameter.detach() for name, parameter in model.named_parameters()}
    for name, mask in masks.items():
        after[name] = after[name] * mask
    names = ["0.0.weight", "0.0.bias", "1.weight", "1.bias"]
    return described(losses, {name: after[name] for name in names}, masks)


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


@step_with_mask.right
def by_the_state(model, optimizer, masks, x, y):
    parameters = list(model.parameters())
    error = y - model(x)
    loss = error.square().sum() / error.numel()
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    state = model.state_dict()
    model.load_state_dict(
        {name: torch.where(masks[name], state[name], 0) if name in masks else state[name] for name in state}
    )
    return loss.tolist()


@step_with_mask.right
def by_the_memory(model, optimizer, masks, x, y):
    """Nothing moves where gradient and memory are 0."""
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    for name, mask in masks.items():
        parameter = model.get_parameter(name)
        parameter.grad *= mask
        for kept in optimizer.state[parameter].values():
            if torch.is_tensor(kept) and kept.shape == mask.shape:
                kept *= mask
    optimizer.step()
    return loss.item()


def fine_tuning(before=None, behind_backward=None, behind_step=None):
    """A wrong step: at three moments it may do something to each pruned parameter, its mask and its memory."""

    def each(change, model, optimizer, masks):
        with torch.no_grad():
            for name, mask in masks.items() if change else ():
                parameter = model.get_parameter(name)
                change(parameter, mask, optimizer.state[parameter])

    def answer(model, optimizer, masks, x, y):
        each(before, model, optimizer, masks)
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        each(behind_backward, model, optimizer, masks)
        optimizer.step()
        each(behind_step, model, optimizer, masks)
        return loss.item()

    return answer


def mask_gradient(parameter, mask, memory):
    parameter.grad.mul_(mask)


def mask_weight(parameter, mask, memory):
    parameter.mul_(mask)


def mask_memory(*kinds):
    """Mask the gradient and these parts of what the optimizer remembers."""

    def change(parameter, mask, memory):
        parameter.grad.mul_(mask)
        for kind in kinds:
            if memory.get(kind) is not None:
                memory[kind].mul_(mask)

    return change


def smallest_again(parameter, mask, memory):
    parameter.mul_(smallest_mask(parameter, 1 - mask.float().mean().item()))


def only(choose):
    """A wrong step: of the masks, those that `choose(names, model)` gives are applied."""

    def answer(model, optimizer, masks, x, y):
        chosen = {name: masks[name] for name in choose(list(masks), model)}
        return step_with_mask(model, optimizer, chosen, x, y)

    return answer


def by_type(names, model):
    return [name for name in names if name.endswith("weight")]


step = step_with_mask.changed

step_with_mask.mistake(
    "The weights that were pruned grow back: after one step the model is dense again. Multiply them by their mask "
    "after the step, in place: p.mul_(mask). `p = p * mask` makes a new tensor, and the model holds the old one.",
    no_mask=fine_tuning(),
)
step_with_mask.mistake(
    "You mask the gradients, and still the zeros grow back: the optimizer keeps a momentum from before the pruning and "
    "moves every weight by it, also where the gradient is 0. Multiply the weights by their masks, after the step.",
    gradient_masked_only=fine_tuning(behind_backward=mask_gradient),
)
step_with_mask.mistake(
    "You mask the gradients and SGD's momentum, but Adam's memory has other names, exp_avg and exp_avg_sq. Whatever "
    "the optimizer remembers: multiply the weights by their masks, after the step.",
    only_memory_of_sgd=fine_tuning(behind_backward=mask_memory("momentum_buffer")),
)
step_with_mask.mistake(
    "You mask the gradients and Adam's memory, but SGD's has another name, momentum_buffer. Whatever the optimizer "
    "remembers: multiply the weights by their masks, after the step.",
    only_memory_of_adam=fine_tuning(behind_backward=mask_memory("exp_avg", "exp_avg_sq")),
)
step_with_mask.mistake(
    "You apply the masks before the step, and the step writes into the zeros again: what you save at the end is dense. "
    "Apply them after optimizer.step().",
    before_the_step=fine_tuning(before=mask_weight),
)
step_with_mask.mistake(
    "You apply the masks between backward() and step(), and the step writes into the zeros again. Apply them after "
    "optimizer.step().",
    between=fine_tuning(behind_backward=mask_weight),
)
step_with_mask.mistake(
    "You mask weights and gradients before the step, and the optimizer's momentum still moves the zeros. Apply the "
    "masks after optimizer.step().",
    weight_and_gradient_before=fine_tuning(before=mask_weight, behind_backward=mask_gradient),
)
step_with_mask.mistake(
    "After the step you choose the smallest weights anew, so a pruned one may come back and another one go. Some "
    "methods do that; here `masks` stay as they are.",
    chosen_anew=fine_tuning(behind_step=smallest_again),
)
step_with_mask.mistake(
    "You set the weights to 0 that stay. A mask is True where a weight stays: multiply by it as it is.",
    inverted=fine_tuning(behind_step=lambda parameter, mask, memory: parameter.mul_(~mask)),
)
step_with_mask.mistake(
    "You add where you should multiply: p + mask is not 0 where the mask is False. p.mul_(mask).",
    added=fine_tuning(behind_step=lambda parameter, mask, memory: parameter.add_(mask)),
)
step_with_mask.mistake(
    "You write the mask itself into the weight, so that all weights that stay are 1. Multiply the weight by it: "
    "p.mul_(mask).",
    mask_for_weight=fine_tuning(behind_step=lambda parameter, mask, memory: parameter.copy_(mask)),
)
step_with_mask.mistake(
    "The zeros stay, but optimizer.zero_grad() is missing: every step adds its gradient to all the old ones.",
    no_zero_grad=step("    optimizer.zero_grad()\n", ""),
)
step_with_mask.mistake(
    "You call optimizer.zero_grad() last, so the first step still adds what another one left in .grad. Call it before "
    "backward().",
    zero_grad_last=step("    optimizer.zero_grad()\n", "", "    return", "    optimizer.zero_grad()\n    return"),
)
step_with_mask.mistake(
    "The model learns nothing: its weights stay as they are. Is optimizer.step() called, and are there gradients when "
    "it is? The order is zero_grad(), backward(), step().",
    no_step=step("    optimizer.step()\n", ""),
)
step_with_mask.mistake(
    "The gradients are 0 when the step comes, and the optimizer moves on by what it remembers alone. The order is "
    "zero_grad(), backward(), step().",
    gradients_of_zero=step(
        "    optimizer.zero_grad()\n",
        "",
        "    optimizer.step()",
        "    optimizer.zero_grad(False)\n    optimizer.step()",
    ),
)
step_with_mask.mistake(
    "The step is taken before backward(), with the gradients of the step before. The order is zero_grad(), backward(), "
    "step().",
    step_before_backward=step(
        "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n",
        "    optimizer.step()\n    optimizer.zero_grad()\n    loss.backward()\n",
    ),
)
step_with_mask.mistake(
    "You take two steps. One was asked: optimizer.step() once.",
    two_steps=step("    optimizer.step()", "    optimizer.step()\n    optimizer.step()"),
)
step_with_mask.mistake(
    "The zeros stay, but you move the weights by hand, by lr times the gradient. The optimizer does more than that: "
    "call optimizer.step().",
    by_hand=step(
        "    optimizer.step()\n    with",
        "    with",
        "        for name",
        "        for group in optimizer.param_groups:\n"
        "            for p in group['params']:\n"
        "                p -= group['lr'] * p.grad\n"
        "        for name",
    ),
)
step_with_mask.mistake(
    "The zeros stay, but you throw away what the optimizer remembers, in every step: without its momentum it learns "
    "more slowly. Leave it alone, and mask the weights after the step.",
    forget_everything=step("    optimizer.step()", "    optimizer.state.clear()\n    optimizer.step()"),
)
step_with_mask.mistake(
    "The zeros stay, but you forget all that the optimizer remembers after each step, and the next one begins anew. "
    "Leave it alone.",
    forget_after_the_step=step("    optimizer.step()", "    optimizer.step()\n    optimizer.state.clear()"),
)
step_with_mask.mistake(
    "You return the loss after the step: you let the model answer again. Return the one that backward() was called on.",
    loss_after=step("    return loss.item()", "    return F.mse_loss(model(x), y).item()"),
)
step_with_mask.mistake(
    "You train with the sum of the squared errors: the step gets larger with every example. Take the mean.",
    sum_not_mean=step("mse_loss(model(x), y)", "mse_loss(model(x), y, reduction='sum')"),
)
step_with_mask.mistake(
    "You take the sum over the outputs before the mean. The mean squared error is the mean over all numbers.",
    sum_over_outputs=step("F.mse_loss(model(x), y)", "((model(x) - y) ** 2).sum(dim=1).mean()"),
)
step_with_mask.mistake(
    "The step is right, but the loss you return is multiplied by the number of examples. Return the mean as it is.",
    times_batch=step("loss.item()", "loss.item() * len(x)"),
)
step_with_mask.mistake(
    "The step is right, but the loss you return is divided by the number of examples: F.mse_loss is a mean already.",
    divided_again=step("loss.item()", "loss.item() / len(x)"),
)
step_with_mask.mistake(
    "The step is right, but the loss you return is a root. The mean squared error was asked.",
    root=step("loss.item()", "loss.item() ** 0.5"),
)
step_with_mask.mistake(
    "The step is right, but the loss you return is rounded. Return loss.item().",
    rounded=step("loss.item()", "round(loss.item(), 4)"),
)
step_with_mask.mistake(
    "You train with half of the squared error. The mean squared error has no factor 1/2.",
    half=step("F.mse_loss(model(x), y)", "0.5 * F.mse_loss(model(x), y)"),
)
step_with_mask.mistake(
    "You train with absolute errors. The mean squared error was asked: F.mse_loss.",
    absolute=step("mse_loss", "l1_loss"),
)
step_with_mask.mistake(
    "You train with the root of the mean squared error. Leave out the root: the gradient changes with it.",
    trained_with_root=step("F.mse_loss(model(x), y)", "F.mse_loss(model(x), y).sqrt()"),
)
step_with_mask.mistake(
    "You clip the gradients. That helps some trainings, but it is not part of this step.",
    clipped=step("    optimizer.step()", "    nn.utils.clip_grad_norm_(model.parameters(), 0.1)\n    optimizer.step()"),
)
step_with_mask.mistake(
    "You take the places that are not 0 for the mask. A weight that stays may be 0 at this moment, and yours can then "
    "never learn again. Use `masks`.",
    zeros_for_the_mask=lambda model, optimizer, masks, x, y: step_with_mask(
        model, optimizer, {name: model.get_parameter(name) != 0 for name in masks}, x, y
    ),
)
step_with_mask.mistake(
    "Every parameter keeps its zeros, also one that has no mask. Use the names in `masks`.",
    zeros_of_all=lambda model, optimizer, masks, x, y: step_with_mask(
        model, optimizer, {name: p.detach() != 0 for name, p in model.named_parameters()} | masks, x, y
    ),
)
step_with_mask.mistake(
    "Only the first mask is applied. Is the `return` inside of the loop, one indentation too far?",
    first_only=only(lambda names, model: names[:1]),
)
step_with_mask.mistake(
    "Only the last mask is applied. The multiplication has to stand inside of the loop over the masks.",
    last_only=only(lambda names, model: names[-1:]),
)
step_with_mask.mistake(
    "You apply masks to weights only. `masks` may name a bias as well: apply every mask in it.",
    weights_only=only(by_type),
)
step_with_mask.mistake(
    "You apply masks to the model's own layers only, and not to those inside of its blocks. The names go to the "
    "bottom: model.get_parameter(name).",
    own_layers_only=only(lambda names, model: [name for name in names if name.count(".") < 2]),
)


@step_with_mask.mistake(IN_GRAPH)
def in_the_graph(model, optimizer, masks, x, y):
    loss = fine_tuning()(model, optimizer, masks, x, y)
    for name, mask in masks.items():
        parameter = model.get_parameter(name)
        parameter *= mask
    return loss


@step_with_mask.mistake(OTHER_SHAPE)
@torch.no_grad()
def masks_in_order(model, optimizer, masks, x, y):
    with torch.enable_grad():
        loss = fine_tuning()(model, optimizer, masks, x, y)
    for parameter, mask in zip(model.parameters(), masks.values(), strict=False):
        parameter *= mask
    return loss


@step_with_mask.mistake(
    "You pair the masks with the parameters one after the other, and leave out those that do not fit. "
    "model.parameters() has the biases in between, which have no mask. Go by the name: model.get_parameter(name)."
)
@torch.no_grad()
def in_order_where_they_fit(model, optimizer, masks, x, y):
    with torch.enable_grad():
        loss = fine_tuning()(model, optimizer, masks, x, y)
    for parameter, mask in zip(model.parameters(), masks.values(), strict=False):
        if parameter.shape == mask.shape:
            parameter *= mask
    return loss


@step_with_mask.mistake(
    "You pair the masks with the matrices of the model, one after the other. A layer may have no mask, and they may "
    "come in another order. Go by the name: model.get_parameter(name)."
)
@torch.no_grad()
def in_order_of_matrices(model, optimizer, masks, x, y):
    with torch.enable_grad():
        loss = fine_tuning()(model, optimizer, masks, x, y)
    for parameter, mask in zip([p for p in model.parameters() if p.ndim > 1], masks.values(), strict=False):
        if parameter.shape == mask.shape:
            parameter *= mask
    return loss


@step_with_mask.mistake(
    "You put new parameters into the model. The optimizer still moves the old ones, so from the second step on these "
    "weights learn nothing. Change them in place: p.mul_(mask), under torch.no_grad()."
)
def new_parameters(model, optimizer, masks, x, y):
    loss = fine_tuning()(model, optimizer, masks, x, y)
    for name, mask in masks.items():
        layer, _, kind = name.rpartition(".")
        setattr(model.get_submodule(layer), kind, nn.Parameter(model.get_parameter(name) * mask))
    return loss


@step_with_mask.mistake(ASSIGNED)
def tensors_for_parameters(model, optimizer, masks, x, y):
    loss = fine_tuning()(model, optimizer, masks, x, y)
    for name, mask in masks.items():
        layer, _, kind = name.rpartition(".")
        setattr(model.get_submodule(layer), kind, model.get_parameter(name) * mask)
    return loss


step_with_mask.mistake(NO_GRAPH, no_graph=torch.no_grad()(lambda *arguments: step_with_mask(*arguments)))
step_with_mask.mistake(GRAPH, graph_returned=step("loss.item()", "loss"))
step_with_mask.mistake(TENSOR, tensor_returned=step("loss.item()", "loss.detach()"))
step_with_mask.mistake(
    NO_MASK,
    every_parameter=lambda model, optimizer, masks, x, y: step_with_mask(
        model, optimizer, {name: masks[name] for name, _ in model.named_parameters()}, x, y
    ),
)
step_with_mask.mistake(
    "You train with the cross-entropy. The mean squared error was asked: F.mse_loss.",
    cross_entropy=step("mse_loss", "cross_entropy"),
)
step_with_mask.mistake(
    "You train with a loss between squared and absolute errors (Huber, smooth L1). The mean squared error was asked: "
    "F.mse_loss.",
    smooth=step("mse_loss", "smooth_l1_loss"),
)

step_with_mask.hints(
    "Write the usual training step first: loss, zero_grad, backward, step. What may the last one do to a zero?",
    "Masked gradients are not enough: a momentum moves a weight with gradient 0. So mask the weights, and last.",
    "with torch.no_grad(): for name, mask in masks.items(): model.get_parameter(name).mul_(mask)",
)
