"""The straight-through estimator of Bengio, Léonard and Courville 2013 (lesson 14)."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The straight-through estimator. Return a tensor with the value of `quantized`, through which the gradient "
    "reaches `vectors` unchanged, as if nothing had been rounded; `quantized` gets no gradient through it. Bengio, "
    "Leonard and Courville 2013."
)
def pass_gradient(vectors, quantized):
    return vectors + (quantized - vectors).detach()


@pass_gradient.cases
def cases():
    return [
        (torch.tensor([0.2, 0.9]), torch.tensor([0.0, 1.0]), torch.ones(2)),
        (torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 4)),
    ]


@pass_gradient.run
def value_and_gradients(answer, vectors, quantized, weights):
    """The result, and the gradients of a weighted sum of it with respect to both inputs."""
    inputs = [tensor.clone().requires_grad_() for tensor in (vectors, quantized)]
    result = answer(*inputs)
    if not torch.is_tensor(result) or result.shape != vectors.shape:
        raise Mistake(f"Return one tensor of the shape of the vectors, {tuple(vectors.shape)}.")
    if not torch.equal(inputs[0], vectors):
        raise Mistake("You wrote into `vectors`. They are the encoder's own answer: leave them, and make a new tensor.")
    gradients = [torch.zeros_like(vectors)] * 2
    if result.requires_grad:
        found = torch.autograd.grad((weights * result).sum(), inputs, allow_unused=True)
        gradients = [zero if g is None else g for g, zero in zip(found, gradients, strict=True)]
    return [result.detach(), *gradients]


@pass_gradient.judge
def expected(vectors, quantized, weights):
    return [quantized, weights, torch.zeros_like(weights)]


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vectors, quantized):
        return quantized.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


@pass_gradient.right
def by_function(vectors, quantized):
    return Straight.apply(vectors, quantized)


@pass_gradient.right
def by_difference(vectors, quantized):
    return quantized.detach() + vectors - vectors.detach()


@pass_gradient.right
def by_no_grad(vectors, quantized):
    with torch.no_grad():
        step = quantized - vectors
    return vectors + step


@pass_gradient.mistake(
    "You wrote into `vectors`. They are the encoder's own answer: leave them, and make a new tensor."
)
def overwritten(vectors, quantized):
    vectors.data = quantized.data
    return vectors


pass_gradient.mistake(
    "The value is right, but the whole gradient goes to `quantized`, and none reaches the vectors: the encoder "
    "before them would never learn.",
    quantized_itself=lambda vectors, quantized: quantized,
)

pass_gradient.mistake(
    "The gradient is right, but nothing is quantized: the decoder would see vectors that no code stands for.",
    vectors_themselves=lambda vectors, quantized: vectors,
)

pass_gradient.mistake(
    "You cut the graph: no gradient reaches anything. Add `vectors` in such a way that its value cancels.",
    all_detached=lambda vectors, quantized: quantized.detach(),
)

pass_gradient.mistake(
    "You exchanged the two: the value is that of the vectors, and the gradient goes to `quantized`.",
    exchanged=lambda vectors, quantized: quantized + (vectors - quantized).detach(),
)

pass_gradient.mistake(
    "The value is the sum of both. Take the vectors' value away again, without their gradient: "
    "(quantized - vectors).detach().",
    sum_of_both=lambda vectors, quantized: vectors + quantized.detach(),
)

pass_gradient.mistake(
    "`quantized` gets a gradient as well. Detach the whole difference: (quantized - vectors).detach().",
    both_gradients=lambda vectors, quantized: vectors + quantized - vectors.detach(),
)

pass_gradient.mistake(
    "You take the middle of both: the value is not that of a code, and the gradient is halved.",
    middle=lambda vectors, quantized: (vectors + quantized) / 2,
)

pass_gradient.hints(
    "x.detach() has the value of x and no gradient.",
    "Write the result as vectors plus something that has no gradient. What must be added to get the value right?",
    "vectors + (quantized - vectors).detach().",
)
