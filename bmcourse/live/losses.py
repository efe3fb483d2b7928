"""Explorers for the lesson on losses: an outlier to drag, logits to move, and a loss surface to stand on."""

from functools import partial

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap

from bmcourse import plots
from bmcourse.live.curve import GREY
from bmcourse.live.explorer import Stage, explore
from bmcourse.losses import (
    cross_entropy,
    cross_entropy_gradient,
    huber_gradient,
    huber_loss,
    l1_gradient,
    l1_loss,
    mse_gradient,
    mse_loss,
    softmax,
)

LOOKS = {"MSE": (plots.RED, "-", "s"), "MAE": (plots.BLUE, "--", "^"), "Huber": (plots.GREEN, "-.", "o")}
CLASSES = ("cat", "dog", "fox", "owl", "bee")
SIZE = 12  # points: read from the back of a classroom


# ------------------------------------------------------------------------------------- data, and fits of y = w x + b


def points():
    """15 points near the line y = x + 1, the same every time: x and y, both (15,)."""
    x = np.linspace(-1, 3, 15)
    return x, x + 1 + np.random.default_rng(4).normal(0, 0.3, 15)


def mse_fit(x, y):
    """The line (w, b) with the smallest mean squared error, in closed form."""
    w = ((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum()
    return w, y.mean() - w * x.mean()


def mae_fit(x, y):
    """The line (w, b) with the smallest mean absolute error: the best of all lines through two of the points.

    One of the best lines always passes through two (Bloomfield and Steiger, Least Absolute Deviations, 1983).
    """
    i, j = np.triu_indices(len(x), 1)
    i, j = i[x[i] != x[j]], j[x[i] != x[j]]
    w = (y[j] - y[i]) / (x[j] - x[i])
    b = y[i] - w * x[i]
    best = np.abs(y - w[:, None] * x - b[:, None]).sum(1).argmin()
    return w[best], b[best]


def huber_fit(x, y, delta):
    """The line (w, b) with the smallest Huber loss: least squares, weighted anew until the line stands still.

    A residual r beyond delta weighs delta / |r| (Holland and Welsch, Robust regression using iteratively reweighted
    least-squares, 1977).
    """
    inputs, line, before = np.stack([x, np.ones_like(x)], 1), np.array(mse_fit(x, y)), np.inf
    while np.abs(line - before).max() > 1e-9:
        before, weights = line, delta / np.maximum(np.abs(y - inputs @ line), delta)
        line = np.linalg.solve(inputs.T * weights @ inputs, inputs.T * weights @ y)
    return tuple(line)


def fit(name, x, y, delta):
    """The best line (w, b) by the loss of that name."""
    return {"MSE": mse_fit, "MAE": mae_fit, "Huber": partial(huber_fit, delta=delta)}[name](x, y)


def loss_and_gradient(name, delta):
    """The course's two functions of the loss of that name."""
    huber = partial(huber_loss, delta=delta), partial(huber_gradient, delta=delta)
    return {"MSE": (mse_loss, mse_gradient), "MAE": (l1_loss, l1_gradient), "Huber": huber}[name]


def loss_of_lines(name, w, b, x, y):
    """The mean loss of each line y = w x + b on the points x and y (n,); w and b are tensors of one shape."""
    predictions = w[..., None] * x + b[..., None]
    function, _ = loss_and_gradient(name, delta=1.0)
    return function(predictions, y.expand_as(predictions), reduction="none").mean(-1)


def pull(name, residuals, delta):
    """How hard points with these residuals (n,) pull the line up: minus the slope of the loss, without the mean."""
    residuals = torch.as_tensor(residuals)
    _, gradient = loss_and_gradient(name, delta)
    return -len(residuals) * gradient(torch.zeros_like(residuals), residuals).numpy()


def signed(value, digits):
    """The number with its sign: a true minus, and none before zero."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def equation(w, b):
    """The line as a student writes it."""
    sign, size = signed(b, 2)[0], signed(b, 2)[1:]
    return f"y = {signed(w, 2).lstrip('+')} x {sign} {size}"


# ------------------------------------------------------------------------------------------------------- the outlier


class OutlierPicture:
    """15 points, an outlier, the line that each loss fits to all of them, and how hard the outlier pulls on it."""

    residuals = np.linspace(-11, 11, 221)

    def __init__(self):
        grid = {"left": 0.065, "right": 0.985, "bottom": 0.125, "top": 0.7, "wspace": 0.14}
        fig, (left, right) = plots.figure(9, 4.6, columns=2, gridspec_kw=grid)
        self.inputs, self.targets = points()
        left.plot(self.inputs, self.targets, "o", color=GREY, ms=7)
        left.set(title="Each loss has its own best line", xlabel="x", ylabel="y")
        left.set(xlim=(-1.2, 3.2), ylim=(-7, 11), yticks=[-5, 0, 5, 10])
        right.axhline(0, color=GREY, lw=1)
        right.set(title="How the outlier pulls: + up, − down", xlabel="residual: outlier − line")
        right.set(xlim=(-11, 11), ylim=(-22, 22), xticks=[-10, -5, 0, 5, 10], yticks=[-20, -10, 0, 10, 20])
        enlarge(left, right, pad=66)
        self.rows = {name: self._row(left, right, name, 1.25 - 0.09 * place) for place, name in enumerate(LOOKS)}
        (self.outlier,) = left.plot([], [], "*", color=plots.ORANGE, mec="black", ms=24)
        self.moving = [artist for row in self.rows.values() for artist in row] + [self.outlier]
        self.stage = Stage(fig)

    def _row(self, left, right, name, height):
        """What moves with one loss: its line and equation, its pull at all residuals, at the outlier's, as a number."""
        color, dashes, marker = LOOKS[name]
        look = {"color": color, "linestyle": dashes, "lw": 2.5}
        texts = []
        for ax in (left, right):
            ax.plot([0, 0.08], [height, height], **look, transform=ax.transAxes, clip_on=False)
            ax.text(0.1, height, name, size=SIZE, va="center", color=color, weight="bold", transform=ax.transAxes)
            texts.append(ax.text(0.28, height, "", size=SIZE, va="center", transform=ax.transAxes))
        (line,), (curve,) = left.plot([], [], **look), right.plot([], [], **look)
        (here,) = right.plot([], [], marker, color=color, mec="black", ms=11)
        return line, curve, here, *texts

    def draw(self, x, y, delta):
        """PNG bytes with the outlier at (x, y)."""
        self.outlier.set_data([x], [y])
        all_x, all_y = np.append(self.inputs, x), np.append(self.targets, y)
        for name, (line, curve, here, words, number) in self.rows.items():
            w, b = fit(name, all_x, all_y, delta)
            line.set_data([-1.2, 3.2], [b - 1.2 * w, b + 3.2 * w])
            words.set_text(equation(w, b))
            curve.set_data(self.residuals, pull(name, self.residuals, delta))
            residual = y - w * x - b
            strength = pull(name, [residual], delta).item()
            here.set_data([residual], [strength])
            number.set_text(signed(strength, 1))
        return self.stage.frame(self.moving)


def enlarge(*axes, pad=8):
    """Make all words of the axes large, with the title `pad` points above them."""
    for ax in axes:
        ax.xaxis.label.set_size(SIZE)
        ax.yaxis.label.set_size(SIZE)
        ax.set_title(ax.get_title(), size=SIZE + 1, pad=pad, y=1)
        ax.tick_params(labelsize=SIZE - 1)


def slider(description, value, low, high, step, width="330px"):
    """A slider with its name, on a track long enough for the mouse to reach every step; three of them make a row."""
    look = {"layout": {"width": width}, "style": {"description_width": "initial"}}
    return widgets.FloatSlider(value, min=low, max=high, step=step, description=description, **look)


def buttons(description, options):
    """One button for each option, one of them pressed."""
    look = {"layout": {"display": "flex", "width": "max-content"}, "style": {"button_width": "72px"}}
    return widgets.ToggleButtons(options=options, description=f"{description}\u00a0", **look)  # a space before them


def outlier():
    """Drag one outlier, and see what the lines of MSE, MAE and Huber loss do."""
    explore(
        OutlierPicture().draw,
        "An outlier far below 15 points on a line: the MSE line tilts towards it, the MAE and Huber lines hardly do.",
        x=slider("outlier's x", 2.5, -1, 3, 0.1),
        y=slider("outlier's y", -5, -6, 10, 0.25),
        delta=slider("Huber delta", 2, 0.1, 10, 0.1),
    )


# -------------------------------------------------------------------------------------------------------- the logits


class BarTable:
    """One number for each class, as a bar and in figures; the last row is their sum, the right class has a band."""

    def __init__(self, ax, title, low, high, digits):
        width, rows = high - low, range(len(CLASSES) + 1)
        ax.set(title=title, xlim=(low, high + 0.6 * width), xticks=[low, (low + high) / 2, high])
        ax.set(ylim=(len(CLASSES) + 0.6, -0.6), yticks=rows, yticklabels=[])
        ax.tick_params(axis="y", length=0)
        ax.grid(visible=False, axis="y")
        ax.axhline(len(CLASSES) - 0.5, color=GREY, lw=1)
        self.signed, self.digits = low < 0, digits
        self.band = ax.axhspan(-0.5, 0.5, color=plots.ORANGE, alpha=0.25, lw=0)
        self.bars = ax.barh(rows[:-1], 0, height=0.6)
        place = {"size": SIZE, "ha": "right", "va": "center"}
        self.numbers = [ax.text(high + 0.58 * width, row, "", **place) for row in rows]
        self.moving = [self.band, *self.bars, *self.numbers]

    def show(self, values, right, total):
        """Take one value for each class, the number of the right class, and whether to write the sum."""
        for value, bar in zip(values, self.bars, strict=True):
            bar.set_width(value)
            bar.set_facecolor(plots.RED if value < 0 else plots.BLUE)
        self.band.set_y(right - 0.5)
        for value, number in zip([*values, sum(values)], self.numbers, strict=True):
            number.set_text(signed(value, self.digits) if self.signed else f"{value:.{self.digits}f}")
        self.numbers[-1].set_visible(total)


class LogitsPicture:
    """Five logits, their softmax, the gradient of the cross-entropy, and the loss along the right class's logit."""

    moved = torch.linspace(-15, 15, 121)

    def __init__(self):
        grid = {"left": 0.05, "right": 0.98, "bottom": 0.145, "top": 0.8, "wspace": 0.2}
        fig, (left, middle, right, loss) = plots.figure(9, 4, columns=4, gridspec_kw=grid)
        self.logits = BarTable(left, "logit", -15, 15, digits=1)
        self.probabilities = BarTable(middle, "probability", 0, 1, digits=3)
        self.gradients = BarTable(right, "gradient", -1, 1, digits=3)
        left.set_yticklabels([*CLASSES, "sum"])
        middle.set_xlabel("softmax of the logits")
        right.set_xlabel("probability − one-hot")
        loss.set(title="loss (nats)", xlabel="logit of the right class", xlim=(-15, 15), ylim=(0, 24))
        (self.curve,) = loss.plot([], [], color=plots.BLACK, lw=2.5)
        (self.here,) = loss.plot([], [], "o", color=plots.ORANGE, mec="black", ms=12, clip_on=False)
        self.words = fig.text(0.05, 0.94, "", size=SIZE + 4, va="center")
        enlarge(left, middle, right, loss)
        tables = self.logits, self.probabilities, self.gradients
        self.moving = [*(artist for table in tables for artist in table.moving), self.curve, self.here, self.words]
        self.stage = Stage(fig)

    def draw(self, right, shift, **logits):
        """PNG bytes for these logits, each moved by `shift`, where the class `right` is the right one."""
        z, number = torch.tensor([logits[name] + shift for name in CLASSES]), CLASSES.index(right)
        target = torch.tensor(number)
        p, loss = softmax(z), cross_entropy(z, target).item()
        self.logits.show(z.tolist(), number, total=False)
        self.probabilities.show(p.tolist(), number, total=True)
        self.gradients.show(cross_entropy_gradient(z, target).tolist(), number, total=True)
        many = z.repeat(len(self.moved), 1)
        many[:, number] = self.moved
        along = cross_entropy(many, target.expand(len(many)), reduction="none")
        self.curve.set_data(self.moved.numpy(), along.numpy())
        self.here.set_data([z[number].item()], [loss])
        self.words.set_text(f"loss = −ln p({right}) = −ln {p[number]:.3g} = {loss:.2f} nats")
        return self.stage.frame(self.moving)


def logits():
    """Drag logits, and see the softmax, the cross-entropy and its gradient."""
    start = {"cat": 1, "dog": 4, "fox": 0, "owl": -2, "bee": 2}
    explore(
        LogitsPicture().draw,
        "Five logits, their probabilities and gradients as bars: the right class, cat, has little probability, so its "
        "gradient is nearly minus one and the loss is high.",
        **{name: slider(name, value, -10, 10, 0.5, "260px") for name, value in start.items()},
        shift=slider("add to all", 0, -5, 5, 0.5, "260px"),
        right=buttons("right class", CLASSES),
    )


# -------------------------------------------------------------------------------------------------- the loss surface


class SurfacePicture:
    """Points and a line y = w x + b; the loss of every line, and where this one stands on it."""

    w, b = torch.meshgrid(torch.linspace(-3, 5, 65), torch.linspace(-4, 4, 65), indexing="xy")
    rates = {"MSE": 0.2, "MAE": 1.0, "Huber": 0.5}  # how many gradients long the arrow is: it should be seen

    def __init__(self):
        grid = {"left": 0.065, "right": 0.985, "bottom": 0.125, "top": 0.83, "wspace": 0.14, "width_ratios": [1.4, 1]}
        fig, (self.left, self.right) = plots.figure(9, 4.6, columns=2, gridspec_kw=grid)
        self.left.set(xlim=(-1.2, 3.2), ylim=(-7, 9), xticks=range(-1, 4), yticks=[-5, 0, 5], xlabel="x", ylabel="y")
        self.right.set(xlim=(-3, 5), ylim=(-4, 4), xticks=[-2, 0, 2, 4], yticks=[-4, -2, 0, 2, 4])
        self.right.set(xlabel="w", ylabel="b", aspect="equal")
        self.right.apply_aspect()  # before the first rings are labelled: the labels go where there is room
        self.right.grid(visible=False)
        self.gaps = self.left.vlines([], [], [], color=plots.RED, lw=1.5)
        (self.line,) = self.left.plot([], [], color=plots.BLUE, lw=3)
        look = {"angles": "xy", "scale_units": "xy", "scale": 1, "color": plots.RED, "width": 0.014}
        self.arrow = self.right.quiver([0], [0], [0], [0], **look)
        (self.here,) = self.right.plot([], [], "o", color=plots.ORANGE, mec="black", ms=11, clip_on=False)
        self.words = fig.text(0.065, 0.945, "", size=SIZE + 4, va="center")
        self.moving = [self.gaps, self.line, self.here, self.arrow, self.words]
        self.stage, self.scene, self.drawn = Stage(fig), None, []

    def draw(self, w, b, loss, outlier):
        """PNG bytes with the line y = w x + b, and its place on the surface of this loss of all points."""
        if self.scene != (loss, outlier):
            self.scene = loss, outlier
            self._new_scene(loss, outlier)
        predictions = w * self.x + b
        _, gradient = loss_and_gradient(loss, delta=1.0)
        slopes = -self.rates[loss] * gradient(predictions, self.y)
        self.gaps.set_segments([[(x, y), (x, line)] for x, y, line in zip(self.x, self.y, predictions, strict=True)])
        self.line.set_data([-1.2, 3.2], [b - 1.2 * w, b + 3.2 * w])
        self.here.set_data([w], [b])
        self.arrow.set_offsets([w, b])
        self.arrow.set_UVC([(slopes * self.x).sum()], [slopes.sum()])
        value = loss_of_lines(loss, torch.tensor(w), torch.tensor(b), self.x, self.y)
        self.words.set_text(f"{equation(w, b)}:   {loss} {value:.3f}   (☆ best line: {self.lowest:.3f})")
        return self.stage.frame(self.moving, self.scene)

    def _new_scene(self, loss, outlier):
        """Draw the points, the loss of all lines and the best of them."""
        for artist in self.drawn:
            artist.remove()
        x, y = points()
        self.drawn = self.left.plot(x, y, "o", color=GREY, ms=7)
        if outlier:
            x, y = np.append(x, 2.5), np.append(y, -5)
            self.drawn += self.left.plot(2.5, -5, "*", color=plots.ORANGE, mec="black", ms=24)
        self.x, self.y = torch.tensor(x), torch.tensor(y)
        w, b = fit(loss, x, y, delta=1.0)
        self.drawn += self.right.plot(w, b, "*", color="white", mec="black", ms=20)
        self.lowest = loss_of_lines(loss, torch.tensor(w), torch.tensor(b), self.x, self.y)
        self._contours(loss_of_lines(loss, self.w, self.b, self.x, self.y))
        self.left.set_title("The points and your line")
        self.right.set_title(f"{loss}, arrow = −{self.rates[loss]:g} × gradient")
        enlarge(self.left, self.right)

    def _contours(self, values):
        """Draw the surface: the higher, the darker; the rings are closer together near the lowest point."""
        levels = self.lowest + (values.max() - self.lowest) * torch.linspace(0, 1, 13) ** 2
        shades = LinearSegmentedColormap.from_list("", ["white", plots.BLUE])
        area = self.right.contourf(self.w, self.b, values, levels, cmap=shades, zorder=0)
        rings = self.right.contour(self.w, self.b, values, levels[1:], colors=GREY, linewidths=0.8, zorder=0)
        self.right.clabel(rings, levels[3:9:2], fmt="%.1f", fontsize=SIZE - 1)
        self.drawn += [area, rings]


def loss_surface():
    """Move a line through points, and see where it stands on the surface of the loss; Huber's delta is 1."""
    explore(
        SurfacePicture().draw,
        "Left, points and a line that misses them; right, the loss of every line as a valley, with the place of this "
        "line, an arrow downhill and the lowest point.",
        w=slider("w", -1, -3, 5, 0.1),
        b=slider("b", 2.5, -4, 4, 0.1),
        loss=buttons("loss", list(LOOKS)),
        outlier=widgets.Checkbox(False, description="with an outlier", indent=False, layout={"width": "max-content"}),
    )
