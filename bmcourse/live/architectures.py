"""The explorer for the lesson on architectures: a convolution, step by step."""

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from bmcourse import plots
from bmcourse.live.curve import GREY
from bmcourse.live.explorer import Stage, explore
from bmcourse.live.letters import Letters
from bmcourse.models.cnn import windows

SIGNS = LinearSegmentedColormap.from_list("", [plots.RED, "white", plots.BLUE])

# --------------------------------------------------------------------------------------------------- the convolution

KERNELS = {
    "vertical edges": torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
    "horizontal edges": torch.tensor([[-1.0, -1, -1], [0, 0, 0], [1, 1, 1]]),
    "all edges": torch.tensor([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "blur": torch.full((3, 3), 1 / 9),
    "sharpen": torch.tensor([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
}


def convolution(image, kernels=None):
    """Step a window across an image (8, 8): the nine products, their sum, and the output, (6, 6), that they fill.

    `kernels`, {name: (3, 3)}, come first in the menu, before the five that everybody knows.
    Raises ValueError for another shape of the image or of a kernel.
    """
    kernels = (kernels or {}) | KERNELS
    check_sizes(image, kernels)
    place = widgets.IntSlider(20, min=0, max=35, description="place", layout={"width": "380px"})
    play = widgets.Play(value=20, min=0, max=35, interval=600, show_repeat=False)
    widgets.jslink((play, "value"), (place, "value"))
    explore(
        ConvolutionPicture(image, kernels).draw,
        "A digit as 8 × 8 numbers with a window of 3 × 3; the nine products of its pixels and the kernel's weights; "
        "and the output of 6 × 6 sums, filled in up to that window.",
        kernel=widgets.Dropdown(options=list(kernels), description="kernel", layout={"width": "220px"}),
        place=place,
        play=play,
    )


def check_sizes(image, kernels):
    if image.shape != (8, 8):
        raise ValueError(f"The image is {tuple(image.shape)}; live.convolution shows one of (8, 8), such as images[0].")
    for name, kernel in kernels.items():
        if kernel.shape != (3, 3):
            raise ValueError(
                f"The kernel '{name}' is {tuple(kernel.shape)}; (3, 3) was expected. "
                f"Of the weights (out, C, 3, 3) of a layer take one, such as weight[0, 0]."
            )


class ConvolutionPicture:
    """The image with its window, the nine products in large, and the output up to there."""

    def __init__(self, image, kernels):
        self.image, self.kernels = image.detach().float(), {name: k.detach().float() for name, k in kernels.items()}
        self.fig, (left, self.middle, self.right) = plots.figure(9, 3.7, columns=3)
        self.stage = Stage(self.fig)
        lay_out(left, "image: 8 × 8 pixels", 8, left=8, width=330)
        lay_out(self.middle, "pixel × weight = product", 3, left=350, width=234)
        lay_out(self.right, "output: 6 × 6 sums", 6, left=602, width=290)
        black, white = Letters(self.fig, 10.5), Letters(self.fig, 10.5, color="white")
        show_numbers(left, self.image, "gray_r", 0, 1.6, black, white)
        look = {"fill": False, "edgecolor": plots.ORANGE, "linewidth": 4, "clip_on": False}
        self.window = left.add_patch(Rectangle((0, 0), 3, 3, **look))
        self.here = self.right.add_patch(Rectangle((0, 0), 1, 1, **look))
        self.covers = [self.right.add_patch(Rectangle((0, 0), 0, 0, color="0.93", linewidth=0)) for _ in range(2)]
        self.shades = self.middle.imshow(np.zeros((3, 3)), cmap=SIGNS)
        self.factors, self.products = Letters(self.fig, 11), Letters(self.fig, 15, "bold")
        self.sums = Letters(self.fig, 10.5)
        edges = [*self.middle.spines.values(), *self.right.spines.values()]  # over what covers them
        words = [self.factors.artist, self.products.artist]
        self.moving = [*self.covers, self.shades, *edges, *words, self.window, self.here]
        self.cells = None

    def draw(self, kernel, place, play=0):
        """PNG bytes with the window at `place`, counted row by row; `play` moves the slider of the place."""
        row, column = divmod(place, 6)
        pixels = windows(self.image, (3, 3), stride=1)  # (6, 6, 3, 3)
        products = pixels * self.kernels[kernel]
        if kernel not in self.stage.backgrounds:
            self._new_output(products.sum((-2, -1)))
        self.shades.set_clim(*scale(products))
        self._show_products(pixels[row, column], self.kernels[kernel], products[row, column])
        self.window.set_xy((column - 0.5, row - 0.5))
        self.here.set_xy((column - 0.5, row - 0.5))
        for cover, bounds in zip(self.covers, ((column + 0.5, row - 0.5, 6, 1), (-0.5, row + 0.5, 6, 6)), strict=True):
            cover.set_bounds(*bounds)
        return self.stage.frame(self.moving, kernel)

    def _show_products(self, pixels, weights, products):
        """Fill the nine cells with pixel, weight and, in bold, their product; below them, the sum."""
        self.shades.set_data(products.numpy())
        factors, results = [], [(f"sum = {short(products.sum())} →", on_page(467, 55))]
        for (row, column), product in np.ndenumerate(products.numpy()):
            x, y = 389 + 78 * column, 299 - 78 * row  # the middle of the cell
            factors.append((short(pixels[row, column]), on_page(x, y + 23)))
            factors.append((f"× {short(weights[row, column])}", on_page(x, y + 4)))
            results.append((short(product), on_page(x, y - 21)))
        self.factors.write(factors)
        self.products.write(results)

    def _new_output(self, sums):
        """Draw the whole output of a kernel that was not chosen before; covers hide what is still to come."""
        if self.cells:
            self.cells.remove()
        self.cells = show_numbers(self.right, sums, SIGNS, *scale(sums), self.sums, self.sums)


def on_page(x, y):
    """A place in a figure, in pixels of the page from its lower left corner, as Letters take it."""
    return plots.SHARP * x, plots.SHARP * y


def lay_out(ax, title, size, left, width):
    """Make the axes a square of size × size cells, `width` pixels wide, in a figure of 900 × 370."""
    ax.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xticks=[], yticks=[])
    ax.set_position([left / 900, (338 - width) / 370, width / 900, width / 370])
    ax.set_title(title, size=12)
    ax.grid(visible=False)
    ax.spines[:].set(visible=True, color=GREY)


def scale(values):
    """Limits for the colours of SIGNS: 0 is white, and the largest value is not too dark for black words."""
    largest = 1.5 * values.abs().max().item()
    return -largest, largest


def show_numbers(ax, values, cmap, low, high, black, white):
    """Fill cells with the colours of `values` and write those, with the letters `white` where it is dark."""
    cells = ax.imshow(values.numpy(), cmap=cmap, vmin=low, vmax=high, zorder=0)
    placed = {black: [], white: []}
    for (row, column), value in np.ndenumerate(values.numpy()):
        letters = white if sum(cells.to_rgba(value)[:3]) < 1.5 else black
        placed[letters].append((short(value), ax.transData.transform((column, row))))
    for letters, words in placed.items():
        letters.write(words)
    return cells


def short(value):
    """A number with at most two decimals, and a true minus.

    >>> short(-0.25), short(2.0), short(1 / 3)
    ('−0.25', '2', '0.33')
    """
    return f"{round(float(value), 2) + 0.0:g}".replace("-", "−")
