"""The gradient of each input's own output to that input (lesson 12)."""

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.compare import difference
from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.networks import classifier, linear
from bmcourse.exercises.explain.results import plain
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="How each input would move its own chosen output: the gradient of outputs[i, targets[i]] to x[i], for all "
    "i, of the shape of x. model(x) gives outputs (B, K), one row for each input; targets (B,) are integers. x and the "
    "model stay as they were, the parameters' .grad too."
)
def gradient_of_target(model, x, targets):
    x = x.clone().requires_grad_()
    outputs = model(x)
    chosen = outputs[torch.arange(len(x)), targets]
    return torch.autograd.grad(chosen.sum(), x)[0]


def in_training():
    """A model that is partly frozen and partly in evaluation mode, with gradients that a training step has left."""
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6).eval(), nn.Tanh(), nn.Linear(6, 3)).double()
    model[0].requires_grad_(False)
    for parameter in model[3].parameters():
        parameter.grad = torch.ones_like(parameter)
    return model


def watched_input():
    (x,) = uncommon(torch.tensor([[0.5, 0.0, -1.0, 2.0], [1.0, 1.0, 0.0, -0.5]]))
    x.grad = torch.ones_like(x)
    return x


@gradient_of_target.cases
def cases():
    return [
        (linear([[1.0, 2.0], [3.0, -4.0], [0.5, 0.0]]), torch.tensor([[1.0, 1.0]]), torch.tensor([1])),
        (classifier(5, 3), torch.randn(4, 5), torch.tensor([2, 0, 1, 2])),
        (classifier(12, 4), torch.randn(3, 1, 3, 4), torch.tensor([3, 3, 0])),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)),
            torch.randn(2, 1, 5, 5),
            torch.tensor([0, 2]),
        ),
        (in_training(), watched_input(), torch.tensor([2, 0])),
    ]


ADDED_UP = (
    "The first call is right, and the second call with the same x is not: .grad adds up, and you read what both calls "
    "left in it. torch.autograd.grad(..., x) gives the gradient itself and writes nothing."
)


LEFT_BEHIND = (
    "The gradient is right, but backward() also filled the .grad of the model's parameters. The next training step "
    "would add that to its own. torch.autograd.grad(..., x) leaves them alone."
)


WIPED = (
    "The gradient is right, but zero_grad() also wiped out what stood in the .grad of the parameters before you were "
    "called. torch.autograd.grad(..., x) never touches it."
)


NO_GRADIENT = (
    "Your code ran backward() and gave back None. Either the `return` is missing, or you read .grad of a tensor that "
    "keeps none: only a tensor of its own, x.detach().clone().requires_grad_(), does. Better still, "
    "torch.autograd.grad(..., x)[0]."
)


@gradient_of_target.run
def asked_twice(answer, model, x, targets):
    """The gradient of the first of two calls; where it is right, the calls must leave no trace."""
    before = left_in(model)
    first = plain(answer(model, x, targets))
    after = left_in(model)
    if first is None and difference(after, before, 0.0):
        raise Mistake(NO_GRADIENT)
    again = plain(answer(model, x, targets))
    right = gradient_of_target(model, x, targets)
    if difference(first, right, 1e-5):
        return first
    if difference(again, right, 1e-5):
        raise Mistake(ADDED_UP)
    if any(was is not None and (now is None or not now.any()) for was, now in zip(before, after, strict=True)):
        raise Mistake(WIPED)
    if difference(after, before, 0.0):
        raise Mistake(LEFT_BEHIND)
    return first


def left_in(model):
    return [plain(parameter.grad) for parameter in model.parameters()]


@gradient_of_target.judge
def rows_of_the_jacobian(model, x, targets):
    def of_one(row, target):
        return torch.autograd.functional.jacobian(lambda one: model(one[None])[0], row)[target]

    return torch.stack([of_one(row.detach(), target) for row, target in zip(x, targets.tolist(), strict=True)])


@gradient_of_target.right
def one_by_one(model, x, targets):
    rows = []
    for row, target in zip(x.detach(), targets, strict=True):
        row = row.clone().requires_grad_()
        rows.append(torch.autograd.grad(model(row[None])[0, target], row)[0])
    return torch.stack(rows)


@gradient_of_target.right
def from_one_hot(model, x, targets):
    x = x.detach().clone().requires_grad_(True)
    outputs = model(x)
    (gradient,) = torch.autograd.grad(outputs, x, grad_outputs=F.one_hot(targets, outputs.shape[1]).to(outputs))
    return gradient


@gradient_of_target.right
def by_gather(model, x, targets):
    inputs = x.detach().requires_grad_()
    total = model(inputs).gather(1, targets[:, None]).sum()
    return torch.autograd.grad(outputs=total, inputs=[inputs])[0]


@gradient_of_target.right
def by_vmap(model, x, targets):
    def chosen(row, target):
        return model(row[None])[0].gather(0, target[None])[0]

    return torch.func.vmap(torch.func.grad(chosen))(x.detach(), targets)


@gradient_of_target.right
def by_backward_to_x_alone(model, x, targets):
    x = x.detach().clone().requires_grad_()
    model(x)[range(len(x)), targets.tolist()].sum().backward(inputs=[x])
    return x.grad


def of(choose):
    """A wrong gradient: that of `choose(outputs, targets)`, a number."""

    def answer(model, x, targets):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(choose(model(x), targets), x)[0]

    return answer


def _chosen(outputs, targets):
    return outputs[torch.arange(len(outputs)), targets]


def then(change):
    """A wrong answer: `change(gradient, x)` of the right gradient."""
    return lambda model, x, targets: change(gradient_of_target(model, x, targets), x)


@gradient_of_target.mistake(LEFT_BEHIND)
def backward_fills_the_parameters(model, x, targets):
    x = x.detach().clone().requires_grad_()
    _chosen(model(x), targets).sum().backward()
    return x.grad


@gradient_of_target.mistake(ADDED_UP)
def grad_of_x_adds_up(model, x, targets):
    x.requires_grad_()
    _chosen(model(x), targets).sum().backward()
    return x.grad


@gradient_of_target.mistake(WIPED)
def zero_grad_wipes_what_was_there(model, x, targets):
    gradient = backward_fills_the_parameters(model, x, targets)
    model.zero_grad()
    return gradient


@gradient_of_target.mistake(NO_GRADIENT)
def nothing_after_backward(model, x, targets):
    _chosen(model(x), targets).sum().backward()


@gradient_of_target.mistake(
    "The gradient is right, but x now wants gradients for good: whatever is computed with it later keeps a graph. Ask "
    "a copy: x = x.clone().requires_grad_()."
)
def requires_grad_left_on(model, x, targets):
    x.requires_grad_()
    return torch.autograd.grad(_chosen(model(x), targets).sum(), x)[0]


@gradient_of_target.mistake(
    "The gradient is right, but you switch requires_grad off in x afterwards, also where it was on before you came. "
    "Work on a copy, x.clone().requires_grad_(), and x needs no tidying."
)
def requires_grad_switched_off(model, x, targets):
    gradient = requires_grad_left_on(model, x, targets)
    x.requires_grad_(False)
    return gradient


@gradient_of_target.mistake(
    "The gradient is right, but afterwards all parameters are trainable, also those that were frozen before. "
    "torch.autograd.grad(..., x) does not touch the parameters, so none need be frozen."
)
def frozen_ones_made_trainable(model, x, targets):
    gradient = gradient_of_target(model, x, targets)
    model.requires_grad_(True)
    return gradient


@gradient_of_target.mistake(
    "The gradient is right, but you leave the model frozen: it can learn no more. torch.autograd.grad(..., x) does not "
    "touch the parameters, so none need be frozen."
)
def left_frozen(model, x, targets):
    model.requires_grad_(False)
    return gradient_of_target(model, x, targets)


@gradient_of_target.mistake(
    "The gradient is right, but the model is now in evaluation mode, and its training would go on without Dropout. "
    "Leave the mode to those who call you."
)
def left_in_eval(model, x, targets):
    model.eval()
    return gradient_of_target(model, x, targets)


@gradient_of_target.mistake(
    "The gradient is right, but model.train(was_training) puts every part into the same mode, also one that was kept "
    "in evaluation mode, as a frozen BatchNorm is. Leave the mode to those who call you."
)
def every_part_in_one_mode(model, x, targets):
    was_training = model.training
    gradient = left_in_eval(model, x, targets)
    model.train(was_training)
    return gradient


gradient_of_target.mistake(
    "torch keeps no record for x: inputs are data, and by default only parameters have gradients. Make a copy "
    "that does: x = x.clone().requires_grad_().",
    no_requires_grad=gradient_of_target.changed(".requires_grad_()", ""),
)


gradient_of_target.mistake(
    "A detached tensor keeps no record of what happens to it. Ask for it: x.detach().requires_grad_().",
    detached_and_not_asked=gradient_of_target.changed(".clone().requires_grad_()", ".detach()"),
)


gradient_of_target.mistake(
    "The model read one tensor, and you ask for the gradient to another one, which has no part in the outputs. Give "
    "the copy that has requires_grad to the model.",
    model_read_another_tensor=gradient_of_target.changed("model(x)", "model(x.detach())"),
)


gradient_of_target.mistake(
    "What you go back from has no graph: no_grad, detach(), item() or argmax has cut it off. Only the result needs "
    "none: "
    "keep the outputs as they are, with gradients switched on.",
    under_no_grad=torch.no_grad()(gradient_of_target.reference),
)


gradient_of_target.mistake(
    "torch.autograd.grad gives a tuple, one gradient for each thing you asked about. You asked about one: [0].",
    the_whole_tuple=gradient_of_target.changed(", x)[0]", ", x)"),
)


gradient_of_target.mistake(
    "That is the gradient to the model's first weights, which training needs. Ask for the gradient to the input x.",
    to_the_weights=gradient_of_target.changed(", x)[0]", ", next(model.parameters()), allow_unused=True)[0]"),
)


gradient_of_target.mistake(
    "That is the gradient of the loss, as in training. It points where the target becomes less likely, it is "
    "divided by the batch size, and it nearly vanishes where the model is sure. Take the output itself.",
    of_the_mean_loss=of(F.cross_entropy),
)


gradient_of_target.mistake(
    "That is the gradient of the summed loss. It points where the target becomes less likely, and it nearly "
    "vanishes where the model is sure. Take the output itself.",
    of_the_summed_loss=of(lambda outputs, targets: F.cross_entropy(outputs, targets, reduction="sum")),
)


gradient_of_target.mistake(
    "F.nll_loss picks the targets' outputs, but it takes minus their mean. Take the plain sum of the chosen outputs.",
    of_the_nll_loss=of(F.nll_loss),
)


gradient_of_target.mistake(
    "That is the gradient of the probability. Where the model is sure, softmax is flat, and the gradient "
    "nearly 0, whatever the model looked at. Take the output before softmax.",
    of_the_probability=of(lambda outputs, targets: _chosen(outputs.softmax(dim=1), targets).sum()),
)


gradient_of_target.mistake(
    "You squash the outputs with sigmoid, and where they are large that is flat. Take the output as it comes.",
    of_the_sigmoid=of(lambda outputs, targets: _chosen(outputs.sigmoid(), targets).sum()),
)


gradient_of_target.mistake(
    "That is the gradient of the log-probability, in which the other outputs have a part. Take the target's "
    "output alone.",
    of_the_log_probability=of(lambda outputs, targets: _chosen(outputs.log_softmax(dim=1), targets).sum()),
)


gradient_of_target.mistake(
    "You subtract the largest of the other outputs. That margin is another question; take the target's output alone.",
    of_the_margin=of(
        lambda outputs, targets: (
            _chosen(outputs, targets)
            - outputs.masked_fill(F.one_hot(targets, outputs.shape[1]).bool(), -torch.inf).amax(dim=1)
        ).sum()
    ),
)


gradient_of_target.mistake(
    "You add up all outputs, so the answer is the same whatever the target is. Choose one output of each row.",
    of_all_outputs=of(lambda outputs, targets: outputs.sum()),
)


gradient_of_target.mistake(
    "You explain the mean of all outputs, so the answer is the same whatever the target is. Choose one output of "
    "each row.",
    of_the_mean_output=of(lambda outputs, targets: outputs.mean()),
)


gradient_of_target.mistake(
    "You explain the largest output, the model's own answer. The question was about `targets`.",
    of_the_largest_output=of(lambda outputs, targets: outputs.max(dim=1).values.sum()),
)


gradient_of_target.mistake(
    "You explain the one largest output of the whole batch: the other inputs get 0. Each input has a target of its "
    "own: outputs[torch.arange(len(x)), targets].",
    of_the_largest_of_all=of(lambda outputs, targets: outputs.max()),
)


gradient_of_target.mistake(
    "outputs[:, targets] picks, from every row, the targets of the whole batch. A row has one target of its "
    "own: outputs[torch.arange(len(x)), targets].",
    everybodys_targets=of(lambda outputs, targets: outputs[:, targets].sum()),
)


gradient_of_target.mistake(
    "You take the first input's target for all inputs. outputs[torch.arange(len(x)), targets] takes each its own.",
    first_target_for_all=of(lambda outputs, targets: outputs[:, targets[0]].sum()),
)


gradient_of_target.mistake(
    "outputs[target] is a row: all outputs of another input. The output is the second index: "
    "outputs[torch.arange(len(x)), targets].",
    first_target_as_row=of(lambda outputs, targets: outputs[targets[0]].sum()),
)


gradient_of_target.mistake(
    "outputs[targets] takes whole rows, as if the targets numbered the inputs. The rows are 0, 1, 2, ... and the "
    "targets come second: outputs[torch.arange(len(x)), targets].",
    targets_as_rows=of(lambda outputs, targets: outputs[targets].sum()),
)


gradient_of_target.mistake(
    "Row and column have changed places. The first index is the input, the second its target: "
    "outputs[torch.arange(len(x)), targets].",
    indices_swapped=of(lambda outputs, targets: outputs[targets, torch.arange(len(outputs))].sum()),
)


gradient_of_target.mistake(
    "gather wants indices with as many dimensions as the outputs have: outputs.gather(1, targets[:, None]).",
    gather_of_a_vector=of(lambda outputs, targets: outputs.gather(1, targets).sum()),
)


gradient_of_target.mistake(
    "You take the output before the target's. The outputs are numbered from 0, and so are the targets.",
    one_output_too_early=gradient_of_target.changed("targets]", "targets - 1]"),
)


gradient_of_target.mistake(
    "Only the first input is explained; the others get 0. Add up the chosen outputs of all inputs.",
    first_input_only=gradient_of_target.changed("chosen.sum()", "chosen[0]"),
)


gradient_of_target.mistake(
    "Only the last input is explained; the others get 0. Add up the chosen outputs of all inputs.",
    last_input_only=gradient_of_target.changed("chosen.sum()", "chosen[-1]"),
)


gradient_of_target.mistake(
    "Your gradients are divided by the batch size: an input's explanation would depend on how many others come "
    "along. Take the sum of the chosen outputs, not the mean.",
    mean_not_sum=gradient_of_target.changed("chosen.sum()", "chosen.mean()"),
)


gradient_of_target.mistake(
    "torch wants one number to go back from, and you gave it one for each input. Their sum will do: an input "
    "moves its own output only.",
    not_summed=gradient_of_target.changed("chosen.sum()", "chosen"),
)


gradient_of_target.mistake(
    "You square the chosen outputs first. Their gradient is then multiplied by twice the output: leave it out.",
    of_the_square=gradient_of_target.changed("chosen.sum()", "chosen.square().sum()"),
)


gradient_of_target.mistake(
    "Those are the chosen outputs. How would the input move them? Return their gradient to x.",
    the_outputs_themselves=lambda model, x, targets: _chosen(model(x), targets),
)


gradient_of_target.mistake(
    "You asked at another place: an input of zeros. Take the gradient at x itself.",
    at_zero=gradient_of_target.changed("x.clone()", "torch.zeros_like(x)"),
)


gradient_of_target.mistake(
    "You return absolute values, which is how pictures show a gradient. Its sign says whether more of the "
    "feature would raise or lower the output: keep it.",
    sign_lost=then(lambda gradient, x: gradient.abs()),
)


gradient_of_target.mistake(
    "You return squares. The sign says whether more of the feature would raise or lower the output: keep the gradient.",
    squared=then(lambda gradient, x: gradient.square()),
)


gradient_of_target.mistake(
    "You keep what is positive only. A negative gradient says that more of the feature lowers the output: keep it.",
    negative_ones_dropped=then(lambda gradient, x: gradient.relu()),
)


gradient_of_target.mistake(
    "That is gradient times input, another explanation. Return the gradient.",
    times_input=then(lambda gradient, x: gradient * x),
)


gradient_of_target.mistake(
    "Your sign is turned round. Nothing goes down here: it is the plain gradient of the output.",
    sign_turned=then(lambda gradient, x: -gradient),
)


gradient_of_target.mistake(
    "You return the sign of the gradient, a step of an attack. How strongly each feature counts is lost: return the "
    "gradient.",
    sign_only=then(lambda gradient, x: gradient.sign()),
)


gradient_of_target.mistake(
    "You divide by the largest absolute value, which is for pictures. Return the gradient as it is.",
    scaled_for_a_picture=then(lambda gradient, x: gradient / gradient.abs().max()),
)


gradient_of_target.mistake(
    "That is minus the gradient of the loss: it is divided by the batch size, and the other outputs have a part in it. "
    "Take the target's output alone.",
    minus_the_loss=of(lambda outputs, targets: -F.cross_entropy(outputs, targets)),
)


gradient_of_target.mistake(
    "You subtract the mean of the outputs. Take the target's output alone.",
    of_the_output_above_the_mean=of(lambda outputs, targets: (_chosen(outputs, targets) - outputs.mean(1)).sum()),
)


gradient_of_target.mistake(
    "You subtract all the other outputs. Take the target's output alone.",
    of_the_output_less_the_others=of(lambda outputs, targets: 2 * _chosen(outputs, targets).sum() - outputs.sum()),
)


@gradient_of_target.mistake(
    "You go back several times through one run of the model, and torch has freed its graph after the first. Go back "
    "once, "
    "from the sum of the chosen outputs."
)
def graph_used_twice(model, x, targets):
    x = x.clone().requires_grad_()
    chosen = _chosen(model(x), targets)
    return torch.stack([torch.autograd.grad(one, x)[0][row] for row, one in enumerate(chosen)])


gradient_of_target.mistake(
    "That is the length of each gradient, one number for an input. Return the gradient, of the shape of x.",
    lengths=then(lambda gradient, x: gradient.flatten(1).norm(dim=1)),
)


gradient_of_target.mistake(
    "You take the largest absolute value over the channels, as for a picture. Return the gradient, of the shape of x.",
    largest_of_channels=then(lambda gradient, x: gradient.abs().amax(dim=1)),
)


gradient_of_target.mistake(
    "You average over dim=1. Return the gradient, of the shape of x.",
    averaged_over_features=then(lambda gradient, x: gradient.mean(dim=1)),
)


gradient_of_target.mistake(
    "You add up over dim=1. Return the gradient, of the shape of x.",
    added_up_over_features=then(lambda gradient, x: gradient.sum(dim=1)),
)


gradient_of_target.mistake(
    "You divide each gradient by its length. Return the gradient as it is.",
    length_one=then(lambda gradient, x: gradient / gradient.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))),
)


gradient_of_target.mistake(
    "You average over the batch. Every input has an explanation of its own.",
    batch_averaged=then(lambda gradient, x: gradient.mean(dim=0)),
)


gradient_of_target.mistake(
    "You add up over the batch. Every input has an explanation of its own.",
    batch_added_up=then(lambda gradient, x: gradient.sum(dim=0)),
)


gradient_of_target.mistake(
    "That is the gradient of the first input only, as if `return` stood inside the loop. Collect all of them.",
    returned_in_the_loop=then(lambda gradient, x: gradient[0]),
)


gradient_of_target.hints(
    "Let torch record what happens to a copy of x: x = x.clone().requires_grad_(). Then run the model.",
    "outputs[torch.arange(len(x)), targets] is the chosen output of each row, (B,). Their sum is one number.",
    "torch.autograd.grad(chosen.sum(), x)[0] is the gradient. It writes into no .grad.",
)
