"""The straight-through estimator of Bengio, Léonard and Courville 2013 (lesson 17)."""

import torch

from bmcourse.exercises.checklists import uncommon
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
    odd = uncommon(torch.tensor([[0.0, 0.0, -3.5]]), torch.tensor([[0.5, 0.0, -4.0]]), torch.tensor([[1.0, -1.0, 3.0]]))
    return [
        (torch.tensor([0.2, 0.9]), torch.tensor([0.0, 1.0]), torch.ones(2)),
        (torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 4)),
        tuple(tensor.detach() for tensor in odd),
        (torch.randn(3, 2).T, torch.randint(3, (3, 2)).float().T, torch.randn(2, 3)),
    ]


VECTORS_WRITTEN = "You wrote into `vectors`. They are the encoder's own answer: leave them, and make a new tensor."
QUANTIZED_WRITTEN = "You wrote into `quantized`. Leave it as it is, and make a new tensor."
LEAF = (
    "You write into an input in place, which torch forbids where a gradient is wanted. Make a new tensor: a + b, not a "
    "+= b."
)
BACKWARD = (
    "The backward() of your own function fails. It must give back one gradient for each input of forward(): that of "
    "the vectors, and None for `quantized`."
)


@pass_gradient.run
def value_and_gradients(answer, vectors, quantized, weights):
    """The result, and the gradients of a weighted sum of it with respect to both inputs."""
    inputs = [tensor.clone().requires_grad_() for tensor in (vectors, quantized)]
    try:
        result = answer(*inputs)
    except RuntimeError as error:
        raise Mistake(LEAF) if "leaf Variable" in str(error) else error from None
    if not torch.is_tensor(result) or result.shape != vectors.shape:
        raise Mistake(f"Return one tensor of the shape of the vectors, {tuple(vectors.shape)}.")
    if not torch.equal(inputs[0], vectors):
        raise Mistake(VECTORS_WRITTEN)
    if not torch.equal(inputs[1], quantized):
        raise Mistake(QUANTIZED_WRITTEN)
    gradients = [torch.zeros_like(vectors)] * 2
    if result.requires_grad:
        try:
            found = torch.autograd.grad((weights * result).sum(), inputs, allow_unused=True)
        except RuntimeError:
            raise Mistake(BACKWARD) from None
        gradients = [zero if g is None else g for g, zero in zip(found, gradients, strict=True)]
    value, (of_vectors, of_quantized) = result.detach(), gradients
    return {"value": value, "gradient of vectors": of_vectors, "gradient of quantized": of_quantized}


@pass_gradient.judge
def expected(vectors, quantized, weights):
    return {"value": quantized, "gradient of vectors": weights, "gradient of quantized": torch.zeros_like(weights)}


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


@pass_gradient.right
def by_data(vectors, quantized):
    new = vectors.clone()
    new.data = quantized.data.clone()
    return new


@pass_gradient.right
def by_zero(vectors, quantized):
    """A zero that carries the gradient."""
    return torch.add(quantized.data, vectors - vectors.data)


def through(way, value=lambda vectors, quantized: quantized):
    """A wrong answer with this value, and the gradient of `way(vectors, quantized)`."""

    def answer(vectors, quantized):
        path = way(vectors, quantized)
        return path + (value(vectors, quantized) - path).detach()

    return answer


def straight(value):
    """A wrong answer with another value, and the right gradient."""
    return through(lambda vectors, quantized: vectors, value)


class OneGradient(Straight):
    @staticmethod
    def backward(ctx, gradient):
        return gradient


pass_gradient.mistake(
    "The value is right, but the whole gradient goes to `quantized`, and none reaches the vectors: the encoder before "
    "them would never learn.",
    quantized_itself=lambda vectors, quantized: quantized,
)
pass_gradient.mistake(
    "The gradient is right, but nothing is quantized: the decoder would see vectors that no code stands for.",
    vectors_themselves=lambda vectors, quantized: vectors,
)
pass_gradient.mistake(
    "No gradient reaches anything: you cut the graph, or add the vectors and take them away again with their gradient. "
    "Detach the whole difference and nothing else: vectors + (quantized - vectors).detach().",
    all_detached=lambda vectors, quantized: quantized.detach(),
)
pass_gradient.mistake(
    "You give the vectors, and without a gradient. The value is that of `quantized`, and the gradient reaches "
    "`vectors`.",
    vectors_detached=lambda vectors, quantized: vectors.detach(),
)
pass_gradient.mistake(
    "You exchanged the two: the value is that of the vectors, and the gradient goes to `quantized`.",
    exchanged=lambda vectors, quantized: quantized + (vectors - quantized).detach(),
)
pass_gradient.mistake(
    "The value is the sum of both. Take the vectors' value away again, without their gradient: (quantized - "
    "vectors).detach().",
    sum_of_both=lambda vectors, quantized: vectors + quantized.detach(),
)
pass_gradient.mistake(
    "You add both, with both gradients. Take the vectors' value away again: vectors + (quantized - vectors).detach().",
    plain_sum=lambda vectors, quantized: vectors + quantized,
)
pass_gradient.mistake(
    "You add the vectors without their gradient: the value is the sum, and the gradient goes to `quantized`. It is the "
    "other way round.",
    sum_of_detached=lambda vectors, quantized: vectors.detach() + quantized,
)
pass_gradient.mistake(
    "`quantized` gets a gradient as well. Detach the whole difference: (quantized - vectors).detach().",
    both_gradients=lambda vectors, quantized: vectors + quantized - vectors.detach(),
)
pass_gradient.mistake(
    "The gradient comes to the vectors with a minus, and to `quantized` too: you detach the start and not the "
    "difference. vectors + (quantized - vectors).detach().",
    start_detached=lambda vectors, quantized: vectors.detach() + (quantized - vectors),
)
pass_gradient.mistake(
    "The gradient comes to the vectors with a minus: - vectors + vectors.detach(). The sign belongs to the detached "
    "part.",
    gradient_negated=through(lambda vectors, quantized: -vectors),
)
pass_gradient.mistake(
    "A sign is wrong: you add the way from the code to the vector, and come out beyond the vector. (quantized - "
    "vectors).detach().",
    way_reversed=straight(lambda vectors, quantized: 2 * vectors - quantized),
)
pass_gradient.mistake(
    "You return the difference alone, without a gradient. Add it to `vectors`.",
    difference_only=lambda vectors, quantized: (quantized - vectors).detach(),
)
pass_gradient.mistake(
    "You return the difference alone. Detach it, and add it to `vectors`.",
    difference_with_graph=lambda vectors, quantized: quantized - vectors,
)
pass_gradient.mistake(
    "You subtract the code from the vector and return that. Begin at `vectors`, and add (quantized - "
    "vectors).detach().",
    difference_reversed=lambda vectors, quantized: vectors - quantized,
)
pass_gradient.mistake(
    "You subtract the code from the vector. Begin at `vectors`, and add (quantized - vectors).detach().",
    code_subtracted=lambda vectors, quantized: vectors - quantized.detach(),
)
pass_gradient.mistake(
    "You take the middle of both: the value is not that of a code, and the gradient is halved.",
    middle=lambda vectors, quantized: (vectors + quantized) / 2,
)
pass_gradient.mistake(
    "The gradient is halved, and one half goes to `quantized`: the value is right, but the gradient has to go to "
    "`vectors` unchanged.",
    shared_gradient=through(lambda vectors, quantized: (vectors + quantized) / 2),
)
pass_gradient.mistake(
    "The gradient is halved on its way. It has to reach the vectors unchanged.",
    halved_gradient=through(lambda vectors, quantized: vectors / 2),
)
pass_gradient.mistake(
    "The gradient comes twice. It has to reach the vectors unchanged.",
    doubled_gradient=through(lambda vectors, quantized: 2 * vectors),
)
pass_gradient.mistake(
    "You multiply by (quantized / vectors): the value is right where no vector is 0, but the gradient is multiplied as "
    "well. Add a detached difference.",
    multiplied=lambda vectors, quantized: vectors * (quantized / vectors).detach(),
)
pass_gradient.mistake(
    "The gradient is cut off where a vector lies outside of -1 to 1 (a clipped estimator). Here it passes everywhere, "
    "unchanged.",
    clipped=through(lambda vectors, quantized: vectors.clamp(-1, 1)),
)
pass_gradient.mistake(
    "The gradient is cut off where a vector lies outside of 0 to 1 (a clipped estimator). Here it passes everywhere, "
    "unchanged.",
    clipped_at_0=through(lambda vectors, quantized: vectors.clamp(0, 1)),
)
pass_gradient.mistake(
    "The gradient passes only where the vector is positive. Here it passes everywhere, unchanged.",
    positive_only=through(lambda vectors, quantized: vectors.relu()),
)
pass_gradient.mistake(
    "The gradient goes through tanh. Here it passes unchanged, as if nothing had been rounded.",
    through_tanh=through(lambda vectors, quantized: vectors.tanh()),
)
pass_gradient.mistake(
    "The gradient goes through a sigmoid. Here it passes unchanged, as if nothing had been rounded.",
    through_sigmoid=through(lambda vectors, quantized: vectors.sigmoid()),
)
pass_gradient.mistake(
    "You round the vectors yourself. The value has to be that of `quantized`, whatever it is.",
    rounded=straight(lambda vectors, quantized: vectors.round()),
)
pass_gradient.mistake(
    "You round the vectors, and round() has no gradient. The value has to be that of `quantized`: vectors + "
    "(quantized - vectors).detach().",
    rounded_without_gradient=lambda vectors, quantized: vectors.round(),
)
pass_gradient.mistake(
    "The gradient is right, but the value is 0: you take away all that you add.",
    nothing_left=lambda vectors, quantized: vectors - vectors.detach(),
)
pass_gradient.mistake(
    "You return the loss that pulls vectors and codes together, one number for each place. The estimator changes the "
    "gradient only: its value is that of `quantized`.",
    squared_distance=lambda vectors, quantized: (vectors - quantized.detach()) ** 2,
)
pass_gradient.mistake(
    VECTORS_WRITTEN,
    overwritten=lambda vectors, quantized: vectors if setattr(vectors, "data", quantized.data) is None else None,
)
pass_gradient.mistake(
    QUANTIZED_WRITTEN,
    quantized_overwritten=lambda vectors, quantized: quantized.data.add_(1) - 1 + vectors - vectors.detach(),
)
pass_gradient.mistake(LEAF, in_place=lambda vectors, quantized: vectors.add_((quantized - vectors).detach()))
pass_gradient.mistake(BACKWARD, one_gradient=lambda vectors, quantized: OneGradient.apply(vectors, quantized))

pass_gradient.hints(
    "x.detach() has the value of x and no gradient.",
    "Write the result as vectors plus something that has no gradient. What must be added to get the value right?",
    "vectors + (quantized - vectors).detach().",
)
