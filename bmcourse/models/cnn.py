"""The convolutional network (CNN, 卷积网络), simplest first: a kernel moved over an image by hand, then all at once.

What the field calls convolution slides the kernel without flipping it (mathematics: cross-correlation). Images are
(B, C, height, width).
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models.mlp import Linear


def convolve_loop(image, kernel):
    """At every place the sum of image × kernel: image (height, width), kernel (h, w). Slow.

    >>> convolve_loop(torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[-1.0, 1.0]]))
    tensor([[1., 2.]])
    """
    height, width = image.shape
    h, w = kernel.shape
    output = torch.zeros(height - h + 1, width - w + 1)
    for row in range(height - h + 1):
        for column in range(width - w + 1):
            output[row, column] = (image[row : row + h, column : column + w] * kernel).sum()
    return output


def windows(x, size, stride):
    """Every window of `size` (h, w), `stride` pixels apart: from (..., height, width) to (..., rows, columns, h, w).

    A view: no pixel is copied. Raises ValueError when the window is larger than the image.
    """
    check_window(x, size, stride)
    return x.unfold(-2, size[0], stride).unfold(-2, size[1], stride)


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """All windows times all kernels at once: x (B, C, height, width), weight (out, C, h, w) → (B, out, rows, columns).

    `padding` adds that many zeros on every side. Raises ValueError when the channels of x and weight differ.
    Source: Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing",
    2006.
    """
    check_channels(x, weight)
    patches = windows(F.pad(x, [padding] * 4), weight.shape[2:], stride)  # (B, C, rows, columns, h, w)
    output = torch.einsum("bcyxhw,ochw->boyx", patches, weight)
    return output if bias is None else output + bias[:, None, None]


def max_pool2d(x, size):
    """The largest value of every size × size square, side by side: a smaller image that says whether, less where."""
    return windows(x, (size, size), stride=size).flatten(-2).max(dim=-1).values


class Conv2d(nn.Module):
    """`out_channels` square kernels that are learned, the same ones at every place of the image."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        bound = 1 / math.sqrt(in_channels * kernel_size**2)
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))
        self.stride, self.padding = stride, padding

    def forward(self, x):
        return conv2d(x, self.weight, self.bias, self.stride, self.padding)


class CNN(nn.Module):
    """Images (B, 8, 8) in, a score for each class (B, classes) out: twice convolution, ReLU and pooling, then a layer.

    Raises ValueError for images of another size.
    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998.
    """

    def __init__(self, channels=16, classes=10):
        super().__init__()
        self.conv1 = Conv2d(1, channels, kernel_size=3, padding=1)
        self.conv2 = Conv2d(channels, 2 * channels, kernel_size=3, padding=1)
        self.head = Linear(2 * channels * 2 * 2, classes)

    def forward(self, images):
        check_images(images)
        x = images[:, None]  # (B, 1, 8, 8): one channel, brightness
        x = max_pool2d(F.relu(self.conv1(x)), 2)  # (B, channels, 4, 4)
        x = max_pool2d(F.relu(self.conv2(x)), 2)  # (B, 2 channels, 2, 2)
        return self.head(x.flatten(1))


def receptive_field(layers):
    """How many pixels, in a row, one output depends on; `layers` are (kernel_size, stride), convolutions and pooling.

    Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019.

    >>> receptive_field([(3, 1), (2, 2), (3, 1), (2, 2)])
    10
    """
    field, step = 1, 1  # in pixels of the image; `step` is what lies between two neighbours of the layer
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step
        step *= stride
    return field


def check_window(x, size, stride):
    if stride < 1:
        raise ValueError(f"stride is {stride}; the window must move by 1 pixel or more.")
    if x.shape[-2] < size[0] or x.shape[-1] < size[1]:
        raise ValueError(
            f"A window of {size[0]} × {size[1]} does not fit into an image of {x.shape[-2]} × {x.shape[-1]}. "
            f"Take a smaller one, or add padding."
        )


def check_channels(x, weight):
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"The images are {tuple(x.shape)} and the kernels {tuple(weight.shape)}; expected (B, C, height, width) "
            f"and (out, C, h, w) with the same C. Grey images (B, height, width) need images[:, None]."
        )


def check_images(images):
    if images.ndim != 3 or images.shape[1:] != (8, 8):
        raise ValueError(f"The images are {tuple(images.shape)}; this network reads (B, 8, 8), one brightness a pixel.")
