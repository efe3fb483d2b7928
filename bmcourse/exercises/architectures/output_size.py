"""How many places a kernel fits into."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How many outputs a convolution gives along one dimension: `size` inputs, with `padding` zeros at each end, "
    "a kernel of `kernel`, which moves by `stride` each time. It never sticks out at the end.",
)
def output_size(size, kernel, stride, padding):
    return (size + 2 * padding - kernel) // stride + 1


@output_size.cases
def cases():
    return [
        (8, 3, 1, 0),
        (8, 3, 1, 1),
        (8, 2, 2, 0),
        (9, 2, 2, 0),
        (28, 5, 1, 2),
        (224, 7, 2, 3),
        (3, 3, 1, 0),
        (10, 3, 4, 0),
        (5, 1, 3, 1),
        (6, 4, 3, 1),
    ]


@output_size.judge
def counted_by_torch(size, kernel, stride, padding):
    """As many as torch's convolution gives."""
    return F.conv1d(torch.ones(1, 1, size), torch.ones(1, 1, kernel), stride=stride, padding=padding).shape[-1]


output_size.right(counted_by_torch)


@output_size.right
def start_by_start(size, kernel, stride, padding):
    count, start = 0, -padding
    while start + kernel <= size + padding:
        count, start = count + 1, start + stride
    return count


@output_size.right
def by_floor(size, kernel, stride, padding):
    return 1 + math.floor((size - kernel + 2 * padding) / stride)


@output_size.right
def length_of_a_range(size, kernel, stride, padding):
    return len(range(0, size + 2 * padding - kernel + 1, stride))


output_size.mistake(
    "You forget the first place: the kernel already stands somewhere before it moves. Add 1.",
    first_place_forgotten=output_size.changed(" + 1", ""),
)
output_size.mistake(
    "Padding stands at both ends: add 2 * padding.", padding_once=output_size.changed("2 * padding", "padding")
)
output_size.mistake(
    "You ignore the padding: add 2 * padding to the size.", no_padding=output_size.changed("2 * ", "0 * ")
)
output_size.mistake(
    "You subtract the padding. It makes the input longer: add 2 * padding.",
    padding_subtracted=output_size.changed("+ 2 *", "- 2 *"),
)
output_size.mistake(
    "You ignore the stride. With a stride of 2 the kernel stands at every second place only.",
    stride_ignored=output_size.changed("// stride", "// 1"),
)
output_size.mistake(
    "You round up. A kernel that would stick out at the end gives no output: round down with //.",
    rounded_up=lambda size, kernel, stride, padding: -((kernel - size - 2 * padding) // stride) + 1,
)
output_size.mistake(
    "You divide with /, which gives a fraction of a place. Round down with //.",
    not_rounded=output_size.changed("// stride", "/ stride"),
)
output_size.mistake(
    "You add 1 before you divide. Count the steps first, (size + 2 * padding - kernel) // stride, and then add 1.",
    one_before_dividing=lambda size, kernel, stride, padding: (size + 2 * padding - kernel + 1) // stride,
)
output_size.mistake(
    "You divide the size by the stride and forget the kernel: it needs room. Subtract kernel before you divide.",
    kernel_forgotten=lambda size, kernel, stride, padding: (size + 2 * padding) // stride,
)
output_size.mistake(
    "You forget the kernel: it needs room. Subtract kernel before you divide.",
    kernel_forgotten_and_one=output_size.changed(" - kernel", ""),
)
output_size.mistake(
    "You subtract kernel - 1 and then add 1 as well. Only one of the two is right.",
    one_twice=output_size.changed("- kernel", "- kernel + 1"),
)
output_size.mistake(
    "You subtract half a kernel. A whole kernel has to fit: subtract kernel.",
    half_a_kernel=output_size.changed("- kernel", "- kernel // 2"),
)
output_size.mistake(
    "You add the kernel. It has to fit inside: subtract it.", kernel_added=output_size.changed("- kernel", "+ kernel")
)
output_size.mistake(
    "You multiply by the stride. A larger stride gives fewer outputs: divide.",
    stride_multiplied=output_size.changed("// stride", "* stride"),
)
output_size.mistake(
    "The brackets are missing: only the kernel is divided. Write (size + 2 * padding - kernel) // stride + 1.",
    brackets_missing=lambda size, kernel, stride, padding: size + 2 * padding - kernel // stride + 1,
)
output_size.mistake(
    "You give the size with its padding. Asked is how many outputs the convolution gives.",
    padded_size=lambda size, kernel, stride, padding: size + 2 * padding,
)
output_size.mistake(
    "You count kernels that do not overlap. The kernel moves by `stride`, not by its own width.",
    moved_by_the_kernel=lambda size, kernel, stride, padding: (size + 2 * padding) // kernel,
)
output_size.mistake(
    "You count outputs in two dimensions. Along one dimension the number is not squared.",
    both_dimensions=lambda size, kernel, stride, padding: output_size(size, kernel, stride, padding) ** 2,
)
output_size.mistake(
    "Your number is one too large: (size + 2 * padding - kernel) // stride + 1 already counts the first place.",
    one_too_many=output_size.changed("+ 1", "+ 2"),
)
output_size.mistake(
    "That is how many places are lost. Asked is how many are left.",
    places_lost=lambda size, kernel, stride, padding: size - output_size(size, kernel, stride, padding),
)


output_size.hints(
    "Put a window of 3 on 8 pixels and move it by one. Where does it stand last?",
    "The padded input has size + 2 * padding numbers. The kernel can move size + 2 * padding - kernel places to the "
    "right, in steps of `stride`.",
    "Steps, rounded down, and one for the first place: (size + 2 * padding - kernel) // stride + 1.",
)
