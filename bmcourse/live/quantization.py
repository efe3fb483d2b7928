"""The explorer for the lesson on quantization: the levels of a row, and who pays for an outlier in another row."""

import ipywidgets as widgets
import torch
import torch.nn.functional as F

from bmcourse import plots
from bmcourse.live.explorer import Stage, explore
from bmcourse.quantization import largest_level

SHARED, OWN = "one for all rows", "one for each row"


def levels(model, images, labels):
    """Round the middle layer of an MLP of three layers to few bits, with an outlier in its first row.

    Shown are the weights of its second row, the levels they may have, and how many of `images` (N, C) with `labels`
    (N,) the model still reads. Raises ValueError for a model of another depth.
    """
    if len(model.layers) != 3:
        raise ValueError(f"The model has {len(model.layers)} layers; live.levels rounds the middle one of three.")
    explore(
        LevelsPicture(model, images, labels).draw,
        "A histogram of the weights of one row, with a vertical line for each level that a rounded weight can have; "
        "above it the scale, the share of weights that become 0 and the share of digits read right.",
        bits=_buttons([8, 4, 2], 4, "bits"),
        outlier=widgets.IntSlider(
            1, min=1, max=20, description="outlier, times the largest", layout={"width": "420px"}
        ),
        scale=_buttons([SHARED, OWN], SHARED, "scale"),
    )


def _buttons(options, value, description):
    look = {"layout": {"display": "flex", "width": "max-content"}, "style": {"button_width": "max-content"}}
    return widgets.ToggleButtons(options=options, value=value, description=f"{description}\u00a0", **look)


class LevelsPicture:
    """The second row's weights as a histogram, the levels as lines, and what the rounding costs in words."""

    def __init__(self, model, images, labels):
        self.model, self.images, self.labels = model, images, labels
        self.weight = model.layers[1].weight.detach()
        fig, ax = plots.figure(9, 3.6)
        ax.set_position([0.07, 0.17, 0.9, 0.65])
        row = self.weight[1].numpy()
        ax.hist(row, bins=61, color=plots.SKY)
        self.reach = 1.15 * abs(row).max()
        ax.set(
            xlim=(-self.reach, self.reach), xlabel="weights of the second row; vertical lines: their levels", yticks=[]
        )
        self.height = ax.get_ylim()[1]
        self.lines = ax.vlines([], 0, self.height, color=plots.RED, lw=1.2)
        self.words = fig.text(0.07, 0.88, "", size=13)
        self.stage = Stage(fig)

    def draw(self, bits, outlier, scale):
        """PNG bytes of the row and its levels, after the outlier was put into the first row."""
        largest, weight = largest_level(bits), self.weight.clone()
        weight[0, 0] = outlier * weight.abs().max()
        sizes = weight.abs().amax(dim=1, keepdim=True) if scale == OWN else weight.abs().max().expand(len(weight), 1)
        steps = sizes / largest
        rounded = (weight / steps).round() * steps
        step = steps[1].item()
        self.lines.set_segments([[(k * step, 0), (k * step, self.height)] for k in range(-largest, largest + 1)])
        zeros, right = (rounded[1] == 0).float().mean(), self.share_read(rounded)
        self.words.set_text(
            f"scale of this row {step:.3g}     {zeros:.0%} of it become 0     {right:.1%} of the digits read right"
        )
        return self.stage.frame([self.lines, self.words])

    @torch.no_grad()
    def share_read(self, middle):
        """The share of images read right with `middle` as the weight of the middle layer."""
        first, second, last = self.model.layers
        hidden = F.relu(F.linear(F.relu(first(self.images)), middle, second.bias))
        return (last(hidden).argmax(dim=1) == self.labels).float().mean().item()
