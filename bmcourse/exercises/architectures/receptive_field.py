"""The exercise `receptive_field` of lesson 03."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How many neighbouring inputs one output sees, along one dimension, through a stack of convolutions. "
    "`layers` are pairs (kernel size, stride), the first layer first; a kernel of 2 with stride 2 may be a pooling."
)
def receptive_field(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


@receptive_field.judge
def reach_of_gradient(layers):
    """From the first to the last input that one output depends on, seen in a gradient."""
    x = torch.ones(1, 1, 400, requires_grad=True)
    y = x
    for kernel, stride in layers:
        y = F.conv1d(y, torch.ones(1, 1, kernel), stride=stride)
    y[0, 0, 0].backward()
    return int(x.grad[0, 0].nonzero().max()) + 1


@receptive_field.right
def field_from_behind(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


@receptive_field.right
def field_by_products(layers):
    strides = [stride for _, stride in layers]
    return 1 + sum((kernel - 1) * math.prod(strides[:i]) for i, (kernel, _) in enumerate(layers))


@receptive_field.right
def field_by_recursion(layers):
    if not layers:
        return 1
    kernel, stride = layers[0]
    return (field_by_recursion(layers[1:]) - 1) * stride + kernel


def _field(grow, step=lambda jump, stride: jump * stride, start=1, stride_first=False):
    """A wrong receptive field: each layer adds `grow(kernel, jump)`, and `step` makes the next jump."""

    def answer(layers):
        field, jump = start, 1
        for kernel, stride in layers:
            jump = step(jump, stride) if stride_first else jump
            field += grow(kernel, jump)
            jump = jump if stride_first else step(jump, stride)
        return field

    return answer


@receptive_field.cases
def cases():
    return [
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(3, 2), (3, 1)],),
        ([(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)],),
        ([(7, 2), (3, 2), (5, 3), (3, 1), (1, 1)],),
    ]


receptive_field.mistake(
    "You add the kernel sizes. A second kernel of 3 sees neighbours that overlap: it adds 2 and not 3.",
    TODO_7=lambda layers: sum(kernel for kernel, _ in layers),
)


receptive_field.mistake(
    "You ignore the strides. Behind a layer with stride 2, one step to the side is two steps in the input.",
    TODO_8=_field(lambda kernel, jump: kernel - 1),
)


receptive_field.mistake(
    "You multiply the kernel sizes. Each layer adds (kernel - 1) steps, and only strides multiply.",
    TODO_9=lambda layers: math.prod(kernel for kernel, _ in layers),
)


receptive_field.mistake(
    "You count a layer's own stride for its own kernel. Its stride widens the layers behind it: multiply "
    "after you have added.",
    TODO_10=_field(lambda kernel, jump: (kernel - 1) * jump, stride_first=True),
)


receptive_field.mistake(
    "You count only the stride of the layer before. All strides before it multiply: jump *= stride.",
    TODO_11=_field(lambda kernel, jump: (kernel - 1) * jump, step=lambda jump, stride: stride),
)


receptive_field.mistake(
    "You begin with 0. Without any layer an output is one input: begin with 1.",
    TODO_12=_field(lambda kernel, jump: (kernel - 1) * jump, start=0),
)


receptive_field.mistake(
    "Each layer adds kernel - 1 neighbours and not kernel: one of them was already there.",
    TODO_13=_field(lambda kernel, jump: kernel * jump),
)


receptive_field.mistake(
    "You go through the layers from the last to the first. A stride widens what comes behind it: with this "
    "formula, begin with the first.",
    TODO_14=lambda layers: receptive_field(layers[::-1]),
)


receptive_field.hints(
    "Draw two layers of kernel 3 as a triangle: one output, three below it, how many inputs below those?",
    "Keep two numbers: how wide the field is, and how many inputs one step to the side means (the jump).",
    "Each layer: field += (kernel - 1) * jump, and then jump *= stride.",
)
