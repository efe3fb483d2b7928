"""How far one output of a stack of convolutions sees."""

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


@receptive_field.cases
def cases():
    return [
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(3, 2), (3, 1)],),
        ([(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)],),
        ([(7, 2), (3, 2), (5, 3), (3, 1), (1, 1)],),
        ([(4, 3), (5, 1)],),
    ]


@receptive_field.judge
def reach_of_gradient(layers):
    """From the first to the last input that one output depends on, seen in a gradient."""
    x = torch.ones(1, 1, 400, requires_grad=True)
    y = x
    for kernel, stride in layers:
        y = F.conv1d(y, torch.ones(1, 1, kernel), stride=stride)
    y[0, 0, 0].backward()
    return int(x.grad[0, 0].nonzero().max()) + 1


receptive_field.right(reach_of_gradient)


@receptive_field.right
def from_behind(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


@receptive_field.right
def by_products(layers):
    strides = [stride for _, stride in layers]
    return 1 + sum((kernel - 1) * math.prod(strides[:i]) for i, (kernel, _) in enumerate(layers))


@receptive_field.right
def by_recursion(layers):
    if not layers:
        return 1
    kernel, stride = layers[0]
    return (by_recursion(layers[1:]) - 1) * stride + kernel


@receptive_field.right
def last_input_of_the_first_output(layers):
    last = 0
    for kernel, stride in layers[::-1]:
        last = last * stride + kernel - 1
    return last + 1


def forwards(step, start=1, result=lambda field, jump: field):
    """A wrong receptive field: `step(field, jump, kernel, stride)` gives the next field and jump."""

    def answer(layers):
        field, jump = start, 1
        for kernel, stride in layers:
            field, jump = step(field, jump, kernel, stride)
        return result(field, jump)

    return answer


def backwards(step, start=1):
    """A wrong receptive field: `step(field, kernel, stride)` gives the next field, the last layer first."""

    def answer(layers):
        field = start
        for kernel, stride in reversed(layers):
            field = step(field, kernel, stride)
        return field

    return answer


receptive_field.mistake(
    "You add the kernel sizes. A second kernel of 3 sees neighbours that overlap: it adds 2 and not 3.",
    sum_of_kernels=lambda layers: sum(kernel for kernel, _ in layers),
)
receptive_field.mistake(
    "You add the kernel sizes to 1. Each layer adds kernel - 1 neighbours, and behind strides they are further apart.",
    one_and_sum_of_kernels=lambda layers: 1 + sum(kernel for kernel, _ in layers),
)
receptive_field.mistake(
    "You ignore the strides. Behind a layer with stride 2, one step to the side is two steps in the input.",
    strides_ignored=receptive_field.changed("jump *= stride", "jump = 1"),
)
receptive_field.mistake(
    "You ignore the strides, and you begin with 0. Without any layer an output is one input: begin with 1.",
    strides_ignored_from_zero=receptive_field.changed("jump *= stride", "jump = 1", "= 1, 1", "= 0, 1"),
)
receptive_field.mistake(
    "You multiply the kernel sizes. Each layer adds (kernel - 1) steps, and only strides multiply.",
    product_of_kernels=lambda layers: math.prod(kernel for kernel, _ in layers),
)
receptive_field.mistake(
    "You count a layer's own stride for its own kernel. Its stride widens the layers behind it: multiply "
    "after you have added.",
    own_stride_counted=forwards(lambda field, jump, k, s: (field + (k - 1) * jump * s, jump * s)),
)
receptive_field.mistake(
    "You multiply each kernel by its own stride alone. The strides of all layers before it widen it, its own does not.",
    own_stride_alone=forwards(lambda field, jump, k, s: (field + (k - 1) * s, 1)),
)
receptive_field.mistake(
    "You count only the stride of the layer before. All strides before it multiply: jump *= stride.",
    stride_before_alone=receptive_field.changed("jump *= stride", "jump = stride"),
)
receptive_field.mistake(
    "You multiply all layers by all strides. A stride widens only the layers behind it.",
    all_strides_for_all=lambda layers: 1 + sum(k - 1 for k, _ in layers) * math.prod(s for _, s in layers),
)
receptive_field.mistake(
    "You begin with 0. Without any layer an output is one input: begin with 1.",
    from_zero=receptive_field.changed("= 1, 1", "= 0, 1"),
)
receptive_field.mistake(
    "You begin with the first kernel and then add that layer once more. Begin with 1, or go on with the second.",
    first_kernel_twice=lambda layers: receptive_field(layers) + layers[0][0] - 1,
)
receptive_field.mistake(
    "Each layer adds kernel - 1 neighbours and not kernel: one of them was already there.",
    kernel_not_less_one=receptive_field.changed("(kernel - 1)", "kernel"),
)
receptive_field.mistake(
    "Each layer adds kernel - 1 neighbours and not kernel, and without any layer an output is one input: begin with 1.",
    kernel_not_less_one_from_zero=receptive_field.changed("(kernel - 1)", "kernel", "= 1, 1", "= 0, 1"),
)
receptive_field.mistake(
    "Each layer adds kernel - 1 neighbours, and not kernel + 1.",
    kernel_and_one=receptive_field.changed("kernel - 1", "kernel + 1"),
)
receptive_field.mistake(
    "The brackets are missing: kernel - 1 * jump is kernel - jump. Write (kernel - 1) * jump.",
    brackets_missing=receptive_field.changed("(kernel - 1) * jump", "kernel - 1 * jump"),
)
receptive_field.mistake(
    "You count twice as many neighbours: kernel - 1 are those on both sides together.",
    both_sides_twice=receptive_field.changed("(kernel - 1) * jump", "2 * (kernel - 1) * jump"),
)
receptive_field.mistake(
    "You take half a kernel, kernel // 2, on both sides. An even kernel is not the same on both: add kernel - 1.",
    half_a_kernel_on_both_sides=receptive_field.changed("(kernel - 1)", "2 * (kernel // 2)"),
)
receptive_field.mistake(
    "You count the neighbours on one side only: kernel // 2. All that an output sees is asked for: kernel - 1 more.",
    one_side=receptive_field.changed("(kernel - 1)", "(kernel // 2)"),
)
receptive_field.mistake(
    "You go through the layers in the wrong direction. field += (kernel - 1) * jump begins with the first layer, and "
    "field = (field - 1) * stride + kernel with the last.",
    last_layer_first=lambda layers: receptive_field(layers[::-1]),
)
receptive_field.mistake(
    "Strides multiply and do not add: behind two strides of 2, one step to the side is four inputs.",
    strides_added=receptive_field.changed("jump *= stride", "jump += stride"),
)
receptive_field.mistake(
    "You add the strides less 1. They multiply: behind two strides of 2, one step to the side is four inputs.",
    strides_less_one_added=receptive_field.changed("jump *= stride", "jump += stride - 1"),
)
receptive_field.mistake(
    "You take every stride as 2. It stands in the pair: jump *= stride.",
    strides_of_two=receptive_field.changed("jump *= stride", "jump *= 2"),
)
receptive_field.mistake(
    "Backwards, a layer makes (field - 1) * stride + kernel. Yours is field * stride + kernel - 1: of `field` outputs "
    "only field - 1 steps lie between.",
    backwards_without_less_one=backwards(lambda field, k, s: field * s + k - 1),
)
receptive_field.mistake(
    "Backwards, a layer makes (field - 1) * stride + kernel. Yours is field * stride + kernel.",
    backwards_with_a_kernel_more=backwards(lambda field, k, s: field * s + k),
)
receptive_field.mistake(
    "You multiply the whole field by the stride and add kernel - stride, but from 0. Begin with one output: field = 1.",
    backwards_from_zero=backwards(lambda field, k, s: (field - 1) * s + k, start=0),
)
receptive_field.mistake(
    "You multiply after adding: (field + kernel - 1) * stride. Each layer adds (kernel - 1) jumps of those before it.",
    field_times_stride=forwards(lambda field, jump, k, s: ((field + k - 1) * s, jump)),
)
receptive_field.mistake(
    "You multiply the field by the stride. The stride widens later steps only: field += (kernel - 1) * jump.",
    field_times_stride_first=forwards(lambda field, jump, k, s: (field * s + k - 1, jump)),
)
receptive_field.mistake(
    "You divide by the stride: that is the size of an output. One step to the side becomes longer: multiply.",
    divided_by_stride=receptive_field.changed("jump *= stride", "jump /= stride"),
)
receptive_field.mistake(
    "You read the pairs as (stride, kernel size). They are (kernel size, stride).",
    pair_swapped=receptive_field.changed("kernel, stride in", "stride, kernel in"),
)
receptive_field.mistake(
    "You count inputs in two dimensions. Along one dimension it is the root of that.",
    both_dimensions=receptive_field.changed("return field", "return field**2"),
)
receptive_field.mistake(
    "You stop after the first layer: the return stands inside the loop.",
    stops_after_the_first=lambda layers: layers[0][0],
)
receptive_field.mistake(
    "Only the last layer is left: each overwrites the one before. Write field += ...",
    last_layer_only=receptive_field.changed("field +=", "field = 1 +"),
)
receptive_field.mistake(
    "The last layer is left out. Go through all of them.", last_left_out=lambda layers: receptive_field(layers[:-1])
)
receptive_field.mistake(
    "The first layer is left out. Go through all of them.", first_left_out=lambda layers: receptive_field(layers[1:])
)
receptive_field.mistake(
    "That is the largest kernel. Layers add up: two of 3 see 5.",
    largest_kernel=lambda layers: max(kernel for kernel, _ in layers),
)
receptive_field.mistake(
    "You return the jump, the product of the strides. Return the field.",
    jump_returned=receptive_field.changed("return field", "return jump"),
)
receptive_field.mistake(
    "You return two numbers. Return the field alone.",
    both_returned=receptive_field.changed("return field", "return field, jump"),
)
receptive_field.mistake(
    "You return the field behind every layer. Return the last one.",
    all_fields=lambda layers: [receptive_field(layers[: n + 1]) for n in range(len(layers))],
)
receptive_field.mistake(
    "Your number is one too large. Without any layer an output is one input: begin with 1.",
    one_too_many=receptive_field.changed("return field", "return field + 1"),
)
receptive_field.mistake(
    "The number is right, but the caller's list is empty now: pop() takes the layers away. Loop over reversed(layers).",
    layers_popped=lambda layers: (receptive_field(layers), layers.clear())[0],
)
receptive_field.mistake(
    "You multiply kernel sizes and strides. Each layer adds (kernel - 1) * jump, and only strides multiply.",
    kernels_and_strides_multiplied=lambda layers: math.prod(kernel * stride for kernel, stride in layers),
)
receptive_field.mistake(
    "You add kernel size times stride. Each layer adds (kernel - 1) * jump, where jump are the strides before it.",
    sum_of_kernels_and_strides=lambda layers: sum(kernel * stride for kernel, stride in layers),
)
receptive_field.mistake(
    "Backwards, a layer makes (field - 1) * stride + kernel. Your kernel is one too small.",
    backwards_kernel_less_one=backwards(lambda field, k, s: (field - 1) * s + k - 1),
)
receptive_field.mistake(
    "Backwards, a layer makes (field - 1) * stride + kernel. Yours is (field + kernel - 1) * stride.",
    backwards_stride_last=backwards(lambda field, k, s: (field + k - 1) * s),
)
receptive_field.mistake(
    "You add kernel * stride - 1. Each layer adds (kernel - 1) * jump, where jump are the strides before "
    "it multiplied.",
    kernel_times_own_stride=backwards(lambda field, k, s: (field - 1) + k * s),
)
receptive_field.mistake(
    "You begin with the first kernel, and each layer behind takes its own stride. It takes the strides of all layers "
    "before it, of the first one too.",
    first_kernel_then_own_strides=lambda layers: layers[0][0] + sum((k - 1) * s for k, s in layers[1:]),
)
receptive_field.mistake(
    "You begin with the first kernel and forget the first stride: all layers behind it are widened by it.",
    first_stride_forgotten=lambda layers: receptive_field([(layers[0][0], 1), *layers[1:]]),
)
receptive_field.mistake(
    "Neighbouring windows overlap by a whole jump less: each layer adds (kernel - 1) * jump, and you begin with 1.",
    overlap_less_one=forwards(lambda field, jump, k, s: (field + k * jump - (jump - 1), jump * s), start=0),
)
receptive_field.mistake(
    "You count outputs of a layer: (n - kernel) / stride + 1. Asked is how many inputs one output sees.",
    size_of_the_output=forwards(lambda field, jump, k, s: ((field - k) // s + 1, jump)),
)


receptive_field.hints(
    "Draw two layers of kernel 3 as a triangle: one output, three below it, how many inputs below those?",
    "Keep two numbers: how wide the field is, and how many inputs one step to the side means (the jump).",
    "Each layer: field += (kernel - 1) * jump, and then jump *= stride.",
)
