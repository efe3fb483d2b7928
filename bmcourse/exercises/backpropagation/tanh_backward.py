"""The exercise `tanh_backward`: through a bend, with nothing but what came out of it."""

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="The gradient for x, where y = tanh(x), of any shape. You get `y`, not x, and `upstream`, the gradient for "
    "y. The slope of tanh is 1 - tanh(x)².",
    built=("backward", "grad", "vjp", "tanh_backward"),
)
def tanh_backward(y, upstream):
    return (1 - y**2) * upstream


@tanh_backward.cases
def cases():
    return [
        (torch.tensor([0.0, 0.5, -0.5]), torch.tensor([1.0, 1.0, 1.0])),
        (torch.tensor([[0.9, -0.2, 0.0], [0.9, 1.0, -1.0]]), torch.tensor([[2.0, 3.0, -1.0], [0.0, 5.0, 7.0]])),
        (torch.rand(1, 4), torch.randn(1, 4)),
        uncommon(torch.tensor([[0.1, 0.3], [-0.7, 0.1]]), torch.tensor([[1.0, 0.0], [2.0, 1.0]])),
    ]


@tanh_backward.right
def as_a_product(y, upstream):
    return (1 - y) * (1 + y) * upstream


@tanh_backward.right
def taken_off(y, upstream):
    return upstream - upstream * y * y


@tanh_backward.right
def by_multiplication(y, upstream):
    slope = torch.ones_like(y) - torch.square(y)
    return torch.mul(upstream, slope)


LOCAL = "(1 - y**2) * upstream"

tanh_backward.mistake(
    "That is the local slope alone. The chain rule multiplies it by what comes from above: upstream.",
    local_only=tanh_backward.changed(" * upstream", ""),
)
tanh_backward.mistake(
    "You pass the upstream gradient through as it is. Multiply it by the local slope, 1 - y².",
    passed_through=tanh_backward.changed(LOCAL, "upstream * 1"),
)
tanh_backward.mistake(
    "You take tanh once more. y is tanh(x) already: the slope is 1 - y**2.",
    tanh_twice=tanh_backward.changed("y**2", "y.tanh()**2"),
)
tanh_backward.mistake(
    "The square is missing: the slope of tanh is 1 - y².", no_square=tanh_backward.changed("y**2", "y")
)
tanh_backward.mistake(
    "y * (1 - y) is the slope of the sigmoid. That of tanh is 1 - y².",
    sigmoid=tanh_backward.changed("(1 - y**2)", "y * (1 - y)"),
)
tanh_backward.mistake(
    "You square the difference: (1 - y)². The slope is 1 minus the square: 1 - y**2.",
    squared_difference=tanh_backward.changed("(1 - y**2)", "(1 - y)**2"),
)
tanh_backward.mistake(
    "The sign is wrong: the slope of tanh is never negative, it is 1 - y².",
    wrong_sign=tanh_backward.changed("(1 - y**2)", "(y**2 - 1)"),
)
tanh_backward.mistake(
    "It should be 1 minus the square, not plus: far out tanh gets flat.",
    plus=tanh_backward.changed("1 - y**2", "1 + y**2"),
)
tanh_backward.mistake(
    "You multiply by y: that passes the value on, not the change. Multiply by the local slope, 1 - y².",
    times_y=tanh_backward.changed("(1 - y**2)", "y"),
)
tanh_backward.mistake(
    "Brackets are missing: 1 - y**2 * upstream multiplies first. Write (1 - y**2) * upstream.",
    brackets_missing=tanh_backward.changed(LOCAL, "1 - y**2 * upstream"),
)
tanh_backward.mistake(
    "You add local and upstream slope. The chain rule multiplies them.", added=tanh_backward.changed("* up", "+ up")
)
tanh_backward.mistake(
    "You divide by the local slope. The chain rule multiplies: dL/dx = dL/dy · dy/dx.",
    divided=tanh_backward.changed(LOCAL, "upstream / (1 - y**2)"),
)
tanh_backward.mistake(
    "That is ReLU's backward pass. tanh bends everywhere: multiply by 1 - y².",
    relu=tanh_backward.changed("(1 - y**2)", "(y > 0)"),
)
tanh_backward.mistake(
    "You added everything up. The gradient for x has the shape of x: one slope for each number.",
    summed=tanh_backward.changed(LOCAL, "((1 - y**2) * upstream).sum()"),
)

tanh_backward.mistake(
    "@ is a matrix product. Each number has a slope of its own here: multiply number by number, with *.",
    matrix_product=lambda y, upstream: upstream @ (1 - y**2),
)


tanh_backward.hints(
    "Two factors: the slope of tanh at this place, and the gradient that comes from above.",
    "tanh(x) is y. So 1 - tanh(x)² needs no x.",
)
