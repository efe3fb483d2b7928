"""The exercise `linear_backward`: the three gradients of a linear layer, where the shapes say nearly everything."""

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

NO_FIT = (
    "Two of your tables do not fit: in a product @ the sizes that meet must be equal. upstream is (B, O), x is (B, I), "
    "weight is (O, I). A .T may be missing, or one too many."
)
FREE = {"a gradient is wanted": "the result is three gradients; no second ones are asked for"}


@exercise(
    prompt="The backward pass of a linear layer y = x @ weight.T + bias, with x (B, I), weight (O, I), bias (O,). "
    "`upstream` (B, O) is the gradient for y. Returns three gradients: for x, for weight and for bias, each in "
    "the shape of what it belongs to.",
    built=("backward", "grad", "vjp", "jacobian", "jacrev", "linear_backward"),
    untried={"x": FREE, "weight": FREE, "upstream": FREE},
)
def linear_backward(x, weight, upstream):
    return upstream @ weight, upstream.T @ x, upstream.sum(dim=0)


@linear_backward.cases
def cases():
    """By hand; three different sizes; a batch of one; one output; equal sizes, where no shape warns; float64."""
    return [
        (
            torch.tensor([[1.0, 2.0]]),
            torch.tensor([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]),
            torch.tensor([[1.0, 0.0, -1.0]]),
        ),
        (torch.randn(4, 3), torch.randn(2, 3), torch.randn(4, 2)),
        (torch.randn(5, 2), torch.randn(1, 2), torch.ones(5, 1)),
        (torch.randn(3, 3), torch.randn(3, 3), torch.randn(3, 3)),
        tuple(
            table.detach()
            for table in uncommon(
                torch.tensor([[0.0, 1.0], [1.0, 2.0], [3.0, -1.0]]),
                torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.5, 2.0], [0.0, 3.0]]),
                torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.5, 0.5, 0.0, 3.0]]),
            )
        ),
    ]


@linear_backward.run
def named(answer, x, weight, upstream):
    try:
        given = answer(x, weight, upstream)
    except RuntimeError as error:
        raise Mistake(NO_FIT) if "shapes cannot be multiplied" in str(error) else error from None
    if given is None:
        return None
    if not isinstance(given, tuple | list) or len(given) != 3:
        raise Mistake("Return three gradients: for x, for weight, for bias. Put commas between them.")
    return dict(zip(("for x", "for weight", "for bias"), given, strict=True))


@linear_backward.judge
def by_autograd(x, weight, upstream):
    leaves = [table.detach().clone().requires_grad_() for table in (x, weight, torch.zeros_like(upstream[0]))]
    y = torch.nn.functional.linear(*leaves)
    return dict(zip(("for x", "for weight", "for bias"), torch.autograd.grad(y, leaves, upstream), strict=True))


@linear_backward.right
def by_einsum(x, weight, upstream):
    by_x = torch.einsum("bo,oi->bi", upstream, weight)
    return by_x, torch.einsum("bo,bi->oi", upstream, x), torch.einsum("bo->o", upstream)


@linear_backward.right
def example_by_example(x, weight, upstream):
    by_weight = sum(torch.outer(u, row) for u, row in zip(upstream, x, strict=True))
    by_x = torch.stack([weight.T @ u for u in upstream])
    return by_x, by_weight, sum(upstream.unbind())


@linear_backward.right
def transposed_twice(x, weight, upstream):
    ones = torch.ones(len(x), dtype=x.dtype)
    return (weight.T @ upstream.T).T, (x.T @ upstream).T, ones @ upstream


linear_backward.mistake(
    "The gradient for weight is transposed: it came as (I, O), and weight is (O, I). Write upstream.T @ x.",
    weight_transposed=linear_backward.changed("upstream.T @ x", "x.T @ upstream"),
)
linear_backward.mistake(
    "The gradient for x goes back through the weights as they are: (B, O) @ (O, I). You transposed them, as in the "
    "forward pass.",
    weight_transposed_for_x=linear_backward.changed("upstream @ weight", "upstream @ weight.T"),
)
linear_backward.mistake(
    "The gradient for x is transposed: x is (B, I).",
    x_transposed=linear_backward.changed("upstream @ weight", "weight.T @ upstream.T"),
)
linear_backward.mistake(
    "You took the mean over the batch for the bias. The same bias was added to every example, so its gradients add up: "
    ".sum(dim=0). If the loss is a mean, upstream has that in it.",
    mean_for_bias=linear_backward.changed(".sum(dim=0)", ".mean(dim=0)"),
)
linear_backward.mistake(
    "You divide the gradient for weight by the batch size. If the loss is a mean, upstream has that in it already.",
    mean_for_weight=linear_backward.changed("upstream.T @ x", "upstream.T @ x / len(x)"),
)
linear_backward.mistake(
    "You sum over the outputs. The bias has one number for each output: sum over the batch, dim=0.",
    summed_over_outputs=linear_backward.changed("dim=0", "dim=1"),
)
linear_backward.mistake(
    "The gradient for bias is one number with you. The bias is (O,): sum over the batch only, dim=0.",
    one_number_for_bias=linear_backward.changed("sum(dim=0)", "sum()"),
)
linear_backward.mistake(
    "The gradient for bias has a row for each example, (B, O). The same bias was used for all of them: sum over the "
    "batch, dim=0.",
    bias_not_summed=linear_backward.changed("upstream.sum(dim=0)", "upstream"),
)
linear_backward.mistake(
    "The gradient for bias came as (1, O), and the bias is (O,): leave keepdim out.",
    bias_keeps_dimension=linear_backward.changed("dim=0", "dim=0, keepdim=True"),
)
linear_backward.mistake(
    "Your gradient for bias is 1 everywhere: that is the local slope. Multiply by what comes from above, and sum.",
    ones_for_bias=linear_backward.changed("upstream.sum(dim=0)", "torch.ones_like(upstream[0])"),
)
linear_backward.mistake(
    "For x you returned the weights summed, without upstream. The chain rule multiplies: upstream @ weight.",
    no_upstream_for_x=linear_backward.changed("upstream @ weight", "weight.sum(dim=0).expand(len(x), -1)"),
)
linear_backward.mistake(
    "For weight you left upstream out. Each input is multiplied by the gradient of each output: upstream.T @ x.",
    no_upstream_for_weight=linear_backward.changed("upstream.T @ x", "x.sum(dim=0).expand(len(weight), -1)"),
)
linear_backward.mistake(
    "The three are in another order: first for x, then for weight, then for bias.",
    weight_first=linear_backward.changed("upstream @ weight, upstream.T @ x", "upstream.T @ x, upstream @ weight"),
)
linear_backward.mistake(
    "x and weight are exchanged: the one for x goes through the weights, the one for weight through x.",
    bias_first=linear_backward.changed(
        "return upstream @ weight, upstream.T @ x, upstream.sum(dim=0)",
        "return upstream.sum(dim=0), upstream @ weight, upstream.T @ x",
    ),
)
linear_backward.mistake(
    "That is the forward pass. Backward, upstream goes through the weights to x: upstream @ weight.",
    forward_pass=linear_backward.changed("upstream @ weight", "x @ weight.T"),
)
linear_backward.mistake(
    "All three have the wrong sign. The gradient points to where the loss grows; the step against it comes later.",
    wrong_sign=lambda x, weight, upstream: tuple(-g for g in linear_backward(x, weight, upstream)),
)

linear_backward.mistake(
    "You take means over the batch, for weight and for bias. Their contributions add up. If the loss is a mean, "
    "upstream has that in it already.",
    means=linear_backward.changed("upstream.T @ x", "upstream.T @ x / len(x)", ".sum(dim=0)", ".mean(dim=0)"),
)
linear_backward.mistake(
    "Two products are transposed: for x it is upstream @ weight, for weight upstream.T @ x.",
    both_transposed=linear_backward.changed(
        "upstream @ weight", "upstream @ weight.T", "upstream.T @ x", "x.T @ upstream"
    ),
)


linear_backward.hints(
    "Write the shapes down: upstream (B, O), x (B, I), weight (O, I). Only one product of two of them gives (B, I).",
    "For weight it is (O, I): sum over the batch, so B must stand in the middle of the product: (O, B) @ (B, I).",
    "The bias was added to each of the B examples: its gradients add up over them.",
)
