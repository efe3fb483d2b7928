"""How many parameters a convolution has."""

import math

from torch import nn

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How many parameters nn.Conv2d(channels_in, channels_out, kernel_size) has, by a formula: square kernels of "
    "kernel_size x kernel_size over all channels that come in, one for each channel that goes out, and its bias.",
)
def count_convolution(channels_in, channels_out, kernel_size):
    return channels_out * (channels_in * kernel_size**2 + 1)


@count_convolution.cases
def cases():
    return [(1, 16, 3), (16, 32, 3), (3, 64, 7), (5, 1, 4), (1, 1, 1), (64, 10, 1), (6, 6, 5)]


@count_convolution.judge
def counted_by_torch(channels_in, channels_out, kernel_size):
    """The sizes of the parameters of torch's layer, added up."""
    layer = nn.Conv2d(channels_in, channels_out, kernel_size, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


count_convolution.right(counted_by_torch)


@count_convolution.right
def weights_and_biases(channels_in, channels_out, kernel_size):
    return channels_in * channels_out * kernel_size * kernel_size + channels_out


@count_convolution.right
def kernel_by_kernel(channels_in, channels_out, kernel_size):
    total = 0
    for _ in range(channels_out):
        total += 1
        for _ in range(channels_in):
            total += kernel_size**2
    return total


@count_convolution.right
def by_a_product(channels_in, channels_out, kernel_size):
    return math.prod((channels_out, channels_in, kernel_size, kernel_size)) + channels_out


count_convolution.mistake(
    "You forget the biases: one number for each channel that goes out.", no_bias=count_convolution.changed(" + 1", "")
)
count_convolution.mistake(
    "You count a single bias. There is one for each channel that goes out.",
    one_bias=lambda i, o, k: i * o * k * k + 1,
)
count_convolution.mistake(
    "You count a bias for each channel that comes in. The biases belong to the channels that go out.",
    bias_of_the_inputs=lambda i, o, k: i * o * k * k + i,
)
count_convolution.mistake(
    "You count a bias for each pair of channels. A channel that goes out has one, however many come in.",
    bias_for_each_pair=lambda i, o, k: i * o * (k * k + 1),
)
count_convolution.mistake(
    "A kernel is a square: kernel_size * kernel_size weights for each channel that comes in. You count one side.",
    kernel_not_squared=count_convolution.changed("kernel_size**2", "kernel_size"),
)
count_convolution.mistake(
    "You take 2 * kernel_size. A square has kernel_size ** 2 weights.",
    kernel_doubled=count_convolution.changed("kernel_size**2", "2 * kernel_size"),
)
count_convolution.mistake(
    "You take kernel_size ** 3. A kernel has two dimensions, and a depth of channels_in.",
    kernel_cubed=count_convolution.changed("kernel_size**2", "kernel_size**3"),
)
count_convolution.mistake(
    "You forget the channels that come in. Each kernel reaches through all of them.",
    inputs_forgotten=lambda i, o, k: o * (k * k + 1),
)
count_convolution.mistake(
    "You count one kernel. There is one for each channel that goes out.",
    outputs_forgotten=lambda i, o, k: i * k * k + 1,
)
count_convolution.mistake(
    "You add the channels. Each that goes out has a kernel over each that comes in: multiply.",
    channels_added=lambda i, o, k: (i + o) * k * k + o,
)
count_convolution.mistake(
    "That is a fully connected layer between the channels. A kernel has kernel_size ** 2 places as well.",
    no_kernel=lambda i, o, k: o * (i + 1),
)
count_convolution.mistake("You count only the biases.", only_biases=lambda i, o, k: o)
count_convolution.mistake(
    "You count the biases twice: one for each channel that goes out.",
    biases_twice=count_convolution.changed("+ 1", "+ 2"),
)
count_convolution.mistake(
    "You multiply by the bias instead of adding it: channels_out * (channels_in * kernel_size ** 2 + 1).",
    biases_multiplied=lambda i, o, k: o * i * k * k * o,
)


count_convolution.hints(
    "How many numbers does one kernel have, if one channel comes in? And if three come in?",
    "One kernel has channels_in * kernel_size ** 2 weights and one bias.",
    "There are channels_out of them: channels_out * (channels_in * kernel_size ** 2 + 1).",
)
