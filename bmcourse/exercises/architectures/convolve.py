"""The exercise `convolve` of lesson 03."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Slide `kernel` (h, w) over `image` (H, W): at each place where it fits, the sum of the products. As "
    "F.conv2d does it, without flipping the kernel and without padding."
)
def convolve(image, kernel):
    h, w = kernel.shape
    rows, columns = image.shape[0] - h + 1, image.shape[1] - w + 1
    result = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            result[i, j] = (image[i : i + h, j : j + w] * kernel).sum()
    return result


@convolve.judge
def _conv2d(image, kernel, **settings):
    return F.conv2d(image[None, None], kernel[None, None], **settings)[0, 0]


@convolve.right
def convolve_by_windows(image, kernel):
    windows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
    return (windows * kernel).sum(dim=(-2, -1))


@convolve.right
def convolve_by_shifts(image, kernel):
    h, w = kernel.shape
    rows, columns = len(image) - h + 1, len(image[0]) - w + 1
    return sum(kernel[a, b] * image[a : a + rows, b : b + columns] for a in range(h) for b in range(w))


@convolve.right
def convolve_by_a_product(image, kernel):
    columns = F.unfold(image[None, None], kernel.shape)[0]
    return (kernel.flatten() @ columns).view(image.shape[0] - kernel.shape[0] + 1, -1)


def each_window(function, less=1):
    """A wrong convolution: `function(window, kernel)` at each place."""

    def answer(image, kernel):
        h, w = kernel.shape
        rows, columns = image.shape[0] - h + less, image.shape[1] - w + less
        windows = [[image[i : i + h, j : j + w] for j in range(columns)] for i in range(rows)]
        return torch.tensor([[function(window, kernel) for window in row] for row in windows])

    return answer


def bordered(image, h, w):
    return F.pad(image, ((w - 1) // 2, w // 2, (h - 1) // 2, h // 2))


@convolve.mistake("You take the height of the kernel for its width too. It need not be square: h, w = kernel.shape.")
def one_size_for_both(image, kernel):
    k = kernel.shape[0]
    rows, columns = image.shape[0] - k + 1, image.shape[1] - k + 1
    return torch.tensor([[(image[i : i + k, j : j + k] * kernel).sum() for j in range(columns)] for i in range(rows)])


@convolve.cases
def cases():
    return [
        (torch.arange(9.0).view(3, 3), torch.tensor([[1.0, 0.0], [0.0, 2.0]])),
        (torch.randn(4, 4), torch.randn(2, 2)),
        (torch.randn(5, 7), torch.randn(3, 2)),
        (torch.randn(3, 2), torch.randn(3, 2)),
        (torch.randn(2, 3), torch.tensor([[2.0]])),
    ]


convolve.mistake(
    "You flip the kernel: that is the convolution of mathematics. What deep learning calls convolution does not flip.",
    TODO_1=lambda image, kernel: _conv2d(image, kernel.flip(0, 1)),
)


convolve.mistake(
    "Your result is one row and one column too small. A kernel of 2 fits into 3 at two places: H - h + 1.",
    TODO_2=each_window(lambda window, kernel: (window * kernel).sum(), less=0),
)


convolve.mistake(
    "Your result is as large as the image: you added a border of zeros. Here the kernel stays inside.",
    TODO_3=lambda image, kernel: _conv2d(bordered(image, *kernel.shape), kernel),
)


convolve.mistake(
    "You take matrix products, @. Multiply number by number, *, and add all up.",
    TODO_4=each_window(lambda window, kernel: (window @ kernel).sum()),
)


convolve.mistake(
    "Only the last product is left: each overwrites the one before. Write += and not =.",
    TODO_5=each_window(lambda window, kernel: window[-1, -1] * kernel[-1, -1]),
)


convolve.mistake(
    "You step by the size of the kernel, as pooling does. Step by 1: the windows overlap.",
    TODO_6=lambda image, kernel: _conv2d(image, kernel, stride=kernel.shape),
)


convolve.hints(
    "At how many places does a kernel of height 2 fit into an image of height 3? And h into H?",
    "Two loops over the places. The window at (i, j) is image[i : i + h, j : j + w].",
    "result[i, j] = (window * kernel).sum(), in a result of the shape (H - h + 1, W - w + 1).",
)
