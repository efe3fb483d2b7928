"""Slide a kernel over an image without padding: at each place the sum of the products."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="Slide `kernel` (h, w) over `image` (H, W): at each place where it fits, the sum of the products. As "
    "F.conv2d does it, without flipping the kernel and without padding.",
    built=("conv2d", "Conv2d", "convolution", "correlate2d", "convolve2d"),
)
def convolve(image, kernel):
    h, w = kernel.shape
    rows, columns = image.shape[0] - h + 1, image.shape[1] - w + 1
    result = image.new_zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            result[i, j] = (image[i : i + h, j : j + w] * kernel).sum()
    return result


@convolve.cases
def cases():
    return [
        (torch.arange(9.0).view(3, 3), torch.tensor([[1.0, 0.0], [0.0, 2.0]])),
        (torch.randn(4, 4), torch.randn(2, 2)),
        (torch.randn(5, 7), torch.randn(3, 2)),
        (torch.randn(3, 2), torch.randn(3, 2)),
        (torch.randn(2, 3), torch.tensor([[2.0]])),
        uncommon(torch.tensor([[1.0, 1.0, 0.0, 2.5, -1.0, 1.0]]), torch.tensor([[0.5, 3.0, -1.0]])),
    ]


@convolve.judge
def by_torch(image, kernel, **settings):
    return F.conv2d(image[None, None], kernel[None, None], **settings)[0, 0]


@convolve.right
def by_windows(image, kernel):
    windows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
    return (windows * kernel).sum(dim=(-2, -1))


@convolve.right
def by_shifts(image, kernel):
    h, w = kernel.shape
    rows, columns = len(image) - h + 1, len(image[0]) - w + 1
    return sum(kernel[a, b] * image[a : a + rows, b : b + columns] for a in range(h) for b in range(w))


@convolve.right
def by_a_product(image, kernel):
    columns = F.unfold(image[None, None], kernel.shape)[0]
    return (kernel.flatten() @ columns).view(image.shape[0] - kernel.shape[0] + 1, -1)


@convolve.right
def by_four_loops(image, kernel):
    (H, W), (h, w) = image.shape, kernel.shape
    result = torch.zeros(H - h + 1, W - w + 1)
    for i in range(H - h + 1):
        for j in range(W - w + 1):
            for a in range(h):
                for b in range(w):
                    result[i, j] += image[i + a, j + b] * kernel[a, b]
    return result


def at_each_place(function):
    """A wrong convolution: `function(window, kernel)` at each place."""

    def answer(image, kernel):
        h, w = kernel.shape
        rows, columns = image.shape[0] - h + 1, image.shape[1] - w + 1
        result = image.new_zeros(rows, columns)
        for i in range(rows):
            for j in range(columns):
                result[i, j] = function(image[i : i + h, j : j + w], kernel)
        return result

    return answer


def after(change):
    """The right result, changed by `change(result, kernel)`."""
    return lambda image, kernel: change(by_torch(image, kernel), kernel)


def bordered(before, behind, mode="constant"):
    """A convolution of the image with a border: `before(size)` and `behind(size)` wide, for kernels of that size."""

    def answer(image, kernel):
        h, w = kernel.shape
        border = (before(w), behind(w), before(h), behind(h))
        return by_torch(F.pad(image[None, None], border, mode=mode)[0, 0], kernel)

    return answer


convolve.mistake(
    "You flip the kernel: that is the convolution of mathematics. What deep learning calls convolution does not flip.",
    flipped=lambda image, kernel: by_torch(image, kernel.flip(0, 1)),
)
convolve.mistake(
    "You turn the kernel upside down. Take it as it is: kernel[0] meets the first row of the window.",
    flipped_upside_down=lambda image, kernel: by_torch(image, kernel.flip(0)),
)
convolve.mistake(
    "You mirror the kernel, left to right. Take it as it is: kernel[:, 0] meets the first column of the window.",
    flipped_sideways=lambda image, kernel: by_torch(image, kernel.flip(1)),
)
convolve.mistake(
    "You transpose the kernel. Its rows meet the rows of the image: leave it as it is.",
    kernel_transposed=lambda image, kernel: by_torch(image, kernel.T),
)
convolve.mistake(
    "You multiply each window by the transposed kernel. Number meets number at the same place: window * kernel.",
    kernel_transposed_in_the_window=at_each_place(lambda window, kernel: (window * kernel.T).sum()),
)
convolve.mistake(
    "Your result is transposed. Place (i, j) has its window at row i and column j of the image.",
    result_transposed=after(lambda result, kernel: result.T),
)
convolve.mistake(
    "Your window at (i, j) begins at row j and column i. It begins at row i and column j: image[i : i + h, j : j + w].",
    row_and_column_swapped=convolve.changed("i : i + h, j : j + w", "j : j + h, i : i + w"),
)
convolve.mistake(
    "Your result has its two sizes exchanged: rows come from the height, H - h + 1, columns from the width.",
    sizes_swapped=convolve.changed("new_zeros(rows, columns)", "new_zeros(columns, rows)"),
)
convolve.mistake(
    "kernel.shape is (height, width), in this order: h, w = kernel.shape.",
    kernel_sizes_swapped=convolve.changed("h, w = kernel.shape", "w, h = kernel.shape"),
)
convolve.mistake(
    "You take the height of the kernel for its width too. It need not be square: h, w = kernel.shape.",
    height_for_both=convolve.changed("h, w = kernel.shape", "h = w = kernel.shape[0]"),
)
convolve.mistake(
    "You take the width of the kernel for its height too. It need not be square: h, w = kernel.shape.",
    width_for_both=convolve.changed("h, w = kernel.shape", "h = w = kernel.shape[1]"),
)
convolve.mistake(
    "You take the image's height for its width too. It need not be square: H, W = image.shape.",
    square_image=convolve.changed("image.shape[1]", "image.shape[0]"),
)


@convolve.mistake(
    "Your loops over the kernel run as if it were square. It has h rows and w columns: range(h), range(w)."
)
def square_kernel_in_shifts(image, kernel):
    h = kernel.shape[0]
    rows, columns = image.shape[0] - h + 1, image.shape[1] - h + 1
    return sum(kernel[a, b] * image[a : a + rows, b : b + columns] for a in range(h) for b in range(h))


convolve.mistake(
    "Your result is one row and one column too small. A kernel of 2 fits into 3 at two places: H - h + 1.",
    one_too_small=convolve.changed("h + 1, image", "h, image", "w + 1", "w"),
)
convolve.mistake(
    "Your result is one row and one column too large: in the last ones the kernel sticks out. It fits at H - h + 1 "
    "places.",
    one_too_large=convolve.changed("h + 1, image", "h + 2, image", "w + 1", "w + 2"),
)
convolve.mistake(
    "Your result is as large as the image, and what is behind the last place stays 0. Make it (H - h + 1, W - w + 1).",
    zeros_behind=after(lambda result, kernel: F.pad(result, (0, kernel.shape[1] - 1, 0, kernel.shape[0] - 1))),
)
convolve.mistake(
    "Your result is as large as the image: you added a border of zeros. Here the kernel stays inside.",
    border_of_zeros=bordered(lambda size: (size - 1) // 2, lambda size: size // 2),
)
convolve.mistake(
    "You added a border of half a kernel on every side. Here the kernel stays inside the image: no padding.",
    border_of_half_a_kernel=bordered(lambda size: size // 2, lambda size: size // 2),
)
convolve.mistake(
    "You added a border of 1 on every side. Here the kernel stays inside the image: no padding.",
    border_of_one=bordered(lambda size: 1, lambda size: 1),
)
convolve.mistake(
    "You let the kernel stick out as far as it touches the image. Take only the places where all of it fits.",
    full_border=bordered(lambda size: size - 1, lambda size: size - 1),
)
convolve.mistake(
    "Your windows are cut off at the bottom and on the right, where no image is. Stop where the kernel still fits.",
    border_behind=bordered(lambda size: 0, lambda size: size - 1),
)
convolve.mistake(
    "You take matrix products, @. Multiply number by number, *, and add all up.",
    matrix_product=at_each_place(lambda window, kernel: (window @ kernel).sum()),
)
convolve.mistake(
    "Only the last product is left: each overwrites the one before. Write += and not =.",
    last_product_only=at_each_place(lambda window, kernel: window[-1, -1] * kernel[-1, -1]),
)
convolve.mistake(
    "Only the first product of each window is there. Add up those of all its places.",
    first_product_only=at_each_place(lambda window, kernel: window[0, 0] * kernel[0, 0]),
)
convolve.mistake(
    "The last row and column of the kernel take no part. range(h) ends with h - 1 already: not range(h - 1).",
    kernel_cut_short=at_each_place(lambda window, kernel: (window * kernel)[:-1, :-1].sum()),
)
convolve.mistake(
    "The first row and column of the kernel take no part. Count from 0: range(h) and range(w).",
    kernel_from_one=at_each_place(lambda window, kernel: (window * kernel)[1:, 1:].sum()),
)
convolve.mistake(
    "Only the diagonal of each window counts: your row and column run together. Let one run inside the other.",
    diagonal_only=at_each_place(lambda window, kernel: (window * kernel).diagonal().sum()),
)
convolve.mistake(
    "Only the last row of the kernel is left: the sum begins anew in each row. Set it to 0 once for each place.",
    last_row_only=at_each_place(lambda window, kernel: (window * kernel)[-1].sum()),
)
convolve.mistake(
    "You step by the size of the kernel, as pooling does. Step by 1: the windows overlap.",
    steps_of_a_kernel=lambda image, kernel: by_torch(image, kernel, stride=kernel.shape),
)
convolve.mistake(
    "You step by 2. Step by 1: the kernel goes to every place where it fits.",
    steps_of_two=lambda image, kernel: by_torch(image, kernel, stride=2),
)
convolve.mistake(
    "Your windows shrink as you go: a slice has a start and an end, image[i : i + h, j : j + w].",
    slices_to_the_size=convolve.changed("i : i + h, j : j + w", "i:h, j:w"),
)
convolve.mistake(
    "Your window always starts at the corner. At place (i, j) it is image[i : i + h, j : j + w].",
    window_stays=convolve.changed("i : i + h, j : j + w", ":h, :w"),
)
convolve.mistake(
    "You take the mean of the products. A convolution is their sum.",
    mean_not_sum=at_each_place(lambda window, kernel: (window * kernel).mean()),
)
convolve.mistake(
    "You divide by the sum of the kernel. That blurs keeping the brightness; a convolution is the plain sum.",
    divided_by_the_kernel=after(lambda result, kernel: result / kernel.sum()),
)
convolve.mistake(
    "You divide by the height of the kernel. A convolution is the plain sum.",
    divided_by_the_height=after(lambda result, kernel: result / kernel.shape[0]),
)
convolve.mistake(
    "You take the largest product, as max pooling does. A convolution is the sum of all.",
    largest_not_sum=at_each_place(lambda window, kernel: (window * kernel).max()),
)
convolve.mistake(
    "The kernel plays no part: that is the sum of each window. Multiply by the kernel first.",
    kernel_unused=at_each_place(lambda window, kernel: window.sum()),
)
convolve.mistake(
    "You add the kernel to the window. Multiply: window * kernel.",
    added_not_multiplied=at_each_place(lambda window, kernel: (window + kernel).sum()),
)
convolve.mistake(
    "You multiply two sums. Multiply number by number first, and then add up.",
    sums_multiplied=at_each_place(lambda window, kernel: window.sum() * kernel.sum()),
)
convolve.mistake(
    "That is the squared distance of kernel and window. A convolution is the sum of their products.",
    squared_distance=at_each_place(lambda window, kernel: ((window - kernel) ** 2).sum()),
)
convolve.mistake(
    "You set negative sums to 0: that is a ReLU, the layer behind. Leave them as they are.",
    with_a_relu=after(lambda result, kernel: result.relu()),
)
convolve.mistake(
    "You take absolute values. The sums keep their signs.", signs_lost=after(lambda result, kernel: result.abs())
)
convolve.mistake(
    "The dimensions for batch and channel are still there, (1, 1, ...). Take them away: result[0, 0].",
    batch_and_channel_left=after(lambda result, kernel: result[None, None]),
)
convolve.mistake(
    "One dimension of size 1 is left in front. The result is a table like the image: result[0].",
    channel_left=after(lambda result, kernel: result[None]),
)
convolve.mistake(
    "squeeze() takes away every dimension of size 1, the result's own too where only one place is left. Take the two "
    "in front: result[0, 0].",
    squeezed=after(lambda result, kernel: result.squeeze()),
)
convolve.mistake(
    "Your sums are in one long row. Give them the shape (H - h + 1, W - w + 1).",
    one_long_row=after(lambda result, kernel: result.flatten()),
)
convolve.mistake(
    "You return lists of tensors. Return one tensor: fill torch.zeros(rows, columns).",
    lists_of_tensors=after(lambda result, kernel: [list(row) for row in result]),
)
convolve.mistake(
    "You return lists of numbers. Return one tensor: fill torch.zeros(rows, columns).",
    lists_of_numbers=after(lambda result, kernel: result.tolist()),
)
convolve.mistake(
    "Your result holds whole numbers, and what is behind the point is lost. Fill a tensor of floats: torch.zeros.",
    whole_numbers=convolve.changed("image.new_zeros(rows, columns)", "torch.zeros(rows, columns, dtype=torch.int64)"),
)
convolve.mistake(
    "The sums are right, but their graph is cut, so a kernel could not be learned. Leave out .item(), float(), "
    ".detach(), torch.tensor(...) and no_grad.",
    graph_cut=after(lambda result, kernel: result.detach()),
)
convolve.mistake(
    "`*=` changes the image itself, and the windows overlap. Make a new tensor: image[...] * kernel.",
    image_changed=convolve.changed(
        "result[i, j] = (image[i : i + h, j : j + w] * kernel).sum()",
        "window = image[i : i + h, j : j + w]; window *= kernel; result[i, j] = window.sum()",
    ),
)
convolve.mistake(
    "You add up one dimension only, so a whole row is left. Add up all products of a window: .sum().",
    sum_of_columns=convolve.changed(".sum()", ".sum(dim=0)"),
)
convolve.mistake(
    "You add up the last dimension only, so a whole column is left. Add up all products of a window: .sum().",
    sum_of_rows=convolve.changed(".sum()", ".sum(dim=-1)"),
)
convolve.mistake(
    "The sum is missing: number times number gives a table as large as the kernel. Write (window * kernel).sum().",
    no_sum=convolve.changed(".sum()", ""),
)
convolve.mistake(
    "Your loops run over every place of the image. They end where the kernel still fits: H - h + 1 and W "
    "- w + 1 places.",
    every_place_of_the_image=convolve.changed("[0] - h + 1", "[0]", "[1] - w + 1", "[1]"),
)
convolve.mistake(
    "Your loops end one place early, and the last row and column stay 0. range(n) ends with n - 1 already.",
    last_places_empty=convolve.changed(
        "in range(rows)", "in range(rows - 1)", "in range(columns)", "in range(columns - 1)"
    ),
)
convolve.mistake(
    "Your loops begin with 1, and the first row and column stay 0. Begin with 0.",
    first_places_empty=convolve.changed(
        "in range(rows)", "in range(1, rows)", "in range(columns)", "in range(1, columns)"
    ),
)
convolve.mistake(
    "Your window is one larger than the kernel. A slice leaves out its end: image[i : i + h] has h rows.",
    window_one_too_large=convolve.changed("i + h, j : j + w", "i + h + 1, j : j + w + 1"),
)
convolve.mistake(
    "Your window is one smaller than the kernel. A slice leaves out its end: image[i : i + h] has h rows.",
    window_one_too_small=convolve.changed("i + h, j : j + w", "i + h - 1, j : j + w - 1"),
)
convolve.mistake(
    "Your windows begin one row and one column late. The first is image[0 : h, 0 : w].",
    window_one_late=convolve.changed("i : i + h, j : j + w", "i + 1 : i + h + 1, j + 1 : j + w + 1"),
)
convolve.mistake(
    "Your sum goes on from one place to the next. Set it to 0 at each place.",
    sum_not_begun_anew=after(lambda result, kernel: result.flatten().cumsum(0).view_as(result)),
)
convolve.mistake(
    "Your sum goes on along each row. Set it to 0 at each place.",
    sum_not_begun_anew_in_a_row=after(lambda result, kernel: result.cumsum(1)),
)
convolve.mistake(
    "The whole image is multiplied by the kernel at once. The kernel goes over it: a window at each place.",
    whole_image_times_kernel=lambda image, kernel: (image * kernel).sum(),
)
convolve.mistake(
    "You give back the first column only. There are (H - h + 1) times (W - w + 1) places.",
    first_column_only=after(lambda result, kernel: result[:, 0]),
)
convolve.mistake(
    "You give back one number, the sum of all places. Keep them apart, in a table.",
    all_places_added=after(lambda result, kernel: result.sum()),
)


@convolve.mistake("i - a goes backwards: that flips the kernel, and runs out of the image. Write image[i + a, j + b].")
def backwards_in_the_image(image, kernel):
    h, w = kernel.shape
    rows, columns = image.shape[0] - h + 1, image.shape[1] - w + 1
    result = image.new_zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            for a in range(h):
                for b in range(w):
                    result[i, j] += image[i - a, j - b] * kernel[a, b]
    return result


@convolve.mistake(
    "You multiply one number of the image by the whole kernel. Each number of the kernel meets its own: "
    "image[i + a, j + b]."
)
def one_number_times_the_kernel(image, kernel):
    h, w = kernel.shape
    rows, columns = image.shape[0] - h + 1, image.shape[1] - w + 1
    result = image.new_zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            result[i, j] = image[i, j] * kernel.sum()
    return result


convolve.hints(
    "At how many places does a kernel of height 2 fit into an image of height 3? And h into H?",
    "Two loops over the places. The window at (i, j) is image[i : i + h, j : j + w].",
    "result[i, j] = (window * kernel).sum(), in a result of the shape (H - h + 1, W - w + 1).",
)
