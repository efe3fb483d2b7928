"""The exercise `accumulate`: many small batches make the gradient of a big one."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="A batch is too big for the memory, so it comes in pieces: `batches`, a list of (x, y). Leave in p.grad of"
    " every parameter of `model` the gradient of the mean squared error over all pieces together, as one big "
    "batch would give it. Call backward() once for each piece; the pieces may differ in size. What .grad held "
    "before must not count. Changes no parameter, returns nothing.",
    untried={"batches": {"the same item twice": "two equal pieces tell nothing that unequal ones do not"}},
)
def accumulate(model, batches):
    model.zero_grad()
    total = sum(y.numel() for _, y in batches)
    for x, y in batches:
        loss = ((model(x) - y) ** 2).sum() / total
        loss.backward()


ONE_WALK = (
    "You add up the losses and call backward() once at the end. Until then the values of all pieces are kept, as for "
    "one big batch. Call backward() for each piece, inside the loop."
)


@accumulate.cases
def cases():
    def piece(size):
        return torch.randn(size, 2), torch.randn(size, 1)

    return [
        ([piece(4)], 0.0),
        ([piece(3), piece(3)], 0.0),
        ([piece(5), piece(1), piece(2)], 0.0),
        ([piece(2), piece(2)], 7.0),
        ([piece(1), piece(6)], -3.0),
    ]


@accumulate.run
def what_is_left(answer, batches, before):
    """The gradients after it, and the parameters; `before` stands in every .grad when it begins."""
    model, seen = _model(), []
    for p in model.parameters():
        p.grad = torch.full_like(p, before)
    model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    values = [p.detach().clone() for p in model.parameters()]
    walks = []
    model.weight.register_post_accumulate_grad_hook(lambda _: walks.append(1))
    answer(model, batches)
    if 1 < len(batches) == len(seen) and len(walks) == 1:
        raise Mistake(ONE_WALK)
    if len(batches) > 1 and seen and max(seen) > max(len(x) for x, _ in batches):
        raise Mistake(
            "You join the pieces to one big batch, for which the memory is too small: one backward() a piece."
        )
    if not all(torch.equal(p, value) for p, value in zip(model.parameters(), values, strict=True)):
        raise Mistake("You change the parameters. Only the gradients are asked for: no step here.")
    return {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


def _model():
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.5, -1.0]]))
        model.bias.fill_(0.25)
    return model


@accumulate.judge
def by_one_big_batch(batches, before):
    model = _model()
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    loss = torch.nn.functional.mse_loss(model(x), y)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return dict(zip(("weight", "bias"), gradients, strict=True))


@accumulate.right
def weighted_means(model, batches):
    for p in model.parameters():
        p.grad = None
    count = sum(len(y) for _, y in batches)
    for x, y in batches:
        (torch.nn.functional.mse_loss(model(x), y) * len(y) / count).backward()


@accumulate.right
def divided_at_the_end(model, batches):
    model.zero_grad(set_to_none=True)
    for x, y in batches:
        (model(x) - y).square().sum().backward()
    for p in model.parameters():
        p.grad /= sum(y.numel() for _, y in batches)


@accumulate.right
def added_by_hand(model, batches):
    parameters, total = list(model.parameters()), sum(y.numel() for _, y in batches)
    sums = [torch.zeros_like(p) for p in parameters]
    for x, y in batches:
        pieces = torch.autograd.grad(((model(x) - y) ** 2).sum(), parameters)
        sums = [one + piece for one, piece in zip(sums, pieces, strict=True)]
    for p, one in zip(parameters, sums, strict=True):
        p.grad = one / total


accumulate.mistake(
    "zero_grad() stands inside the loop, so only the last piece is left. Call it once, before the loop.",
    zeroed_in_the_loop=accumulate.changed("        loss = (", "        model.zero_grad()\n        loss = ("),
)
accumulate.mistake(
    "Without zero_grad() the new gradients are added to those that were there before. Call it once, before the loop.",
    never_zeroed=accumulate.changed("    model.zero_grad()\n", ""),
)
accumulate.mistake(
    "You add the means of the pieces: two pieces give about twice the gradient. Divide by the number of all examples.",
    means_added=accumulate.changed(".sum() / total", ".mean()"),
)
accumulate.mistake(
    "You take the mean of the pieces' means. When the pieces differ in size, an example in a small piece then counts "
    "more. Add the sums, and divide by the number of all examples.",
    mean_of_means=accumulate.changed(".sum() / total", ".mean() / len(batches)"),
)
accumulate.mistake(
    "You add up the sums, and never divide: the mean over all examples is asked for.",
    sums_added=accumulate.changed(" / total", ""),
)
accumulate.mistake(
    "You divide the sums by the number of pieces. Divide by the number of all examples.",
    divided_by_pieces=accumulate.changed("/ total", "/ len(batches)"),
)
accumulate.mistake(
    "The square is missing: the mean squared error is asked for.",
    no_square=accumulate.changed("** 2", "** 1"),
)
accumulate.mistake(
    "zero_grad() at the end wipes out all that you have added up. Call it before the loop.",
    zeroed_at_the_end=lambda model, batches: (accumulate(model, batches), model.zero_grad())[1],
)
accumulate.mistake(
    "Only the first piece has come through: does `return` stand inside the loop?",
    first_piece=accumulate.changed("in batches:\n        loss", "in batches[:1]:\n        loss"),
)
accumulate.mistake(
    "The gradients of before are still there, and the pieces' means are added: zero_grad() once before the loop, and "
    "divide by the number of all examples.",
    never_zeroed_and_means=accumulate.changed("    model.zero_grad()\n", "", ".sum() / total", ".mean()"),
)

accumulate.mistake(
    "zero_grad() stands inside the loop, so only the mean of the last piece is left. Call it once, before the loop, "
    "and divide by the number of all examples.",
    zeroed_in_the_loop_and_means=accumulate.changed(
        "        loss = (", "        model.zero_grad()\n        loss = (", ".sum() / total", ".mean()"
    ),
)


@accumulate.mistake(ONE_WALK)
def one_walk(model, batches):
    model.zero_grad()
    loss = sum(((model(x) - y) ** 2).sum() for x, y in batches)
    (loss / sum(len(y) for _, y in batches)).backward()


@accumulate.mistake(
    "You change the parameters. Only the gradients are asked for: no step here.",
)
def with_a_step(model, batches):
    accumulate(model, batches)
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad


accumulate.hints(
    "backward() adds to .grad. What must happen once, before the first piece?",
    "The mean over all pieces is the sum over all of them, divided by how many numbers they have together.",
    "For each piece: ((model(x) - y) ** 2).sum() / total, and backward().",
)
