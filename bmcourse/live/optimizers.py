"""The race: every optimizer of the course from the same point over the same surface, under the student's sliders."""

import functools

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.markers import MarkerStyle
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D, IdentityTransform

from bmcourse import optimizers, plots
from bmcourse.live.explorer import Stage, explore
from bmcourse.live.surfaces import EDGE, SURFACES

STEPS, MARK, DECAY, FAR = 50, 10, 0.5, 1000.0
SAME = "SGD (the same)"  # on a surface without noise

# How each racer looks, and where it stands in the legend. AdamW has Adam's colour, dashed: there are only seven colours
# that everybody tells apart.
LOOKS = {
    "gradient descent": (plots.BLACK, "-", "o", 0),
    SAME: (plots.SKY, "-", "s", 0),
    "Momentum (μ)": (plots.ORANGE, "-", "^", 192),
    "Nesterov (μ)": (plots.RED, "-", "v", 192),
    "RMSProp (β₂)": (plots.PURPLE, "-", "D", 374),
    "Adam (β₁, β₂)": (plots.BLUE, "-", "P", 374),
    f"AdamW (β₁, β₂, decay {DECAY:g})": (plots.BLUE, "--", "X", 546),
    "Muon (μ)": (plots.GREEN, "-", "*", 546),
}
SIZES = {"P": 9, "X": 9, "*": 9}  # of the markers that look small; the others are 6.5
SHADES = [str(1 - (1 - 0x55 / 255) * (level // 2) / 15) for level in range(13)]  # greys of the screen's palette


def race():
    """Show eight optimizers on one surface, all from one point and with one learning rate.

    On the noisy bowl all but gradient descent get a noisy gradient, like a mini-batch's: in each step the same.
    Each listens to the controls beside its name; RMSProp's α is β₂, for it is the same thing.
    """
    narrow, wide = {"layout": {"width": "198px"}}, {"layout": {"width": "299px"}}
    beta = {"min": 0.0, "max": 0.999, "step": 0.001, "readout_format": ".3f"} | narrow
    start = {"min": -EDGE, "max": EDGE, "step": 0.05} | narrow
    explore(
        Track().draw,
        "The paths of eight optimizers from one start over the contours of an elongated bowl, and the loss of each "
        "against the step: Momentum and Nesterov swing to both sides, Adam walks straight to the minimum.",
        surface=widgets.Dropdown(options=list(SURFACES), description="surface", **narrow),
        lr=widgets.FloatLogSlider(
            10**-1.22, min=-3, max=0, step=0.02, description="learning rate", readout_format=".2g", **wide
        ),
        momentum=widgets.FloatSlider(0.9, min=0.0, max=0.99, step=0.01, description="momentum μ", **wide),
        beta1=widgets.FloatSlider(0.9, description="β₁", **beta),
        beta2=widgets.FloatSlider(0.99, description="β₂", **beta),
        x=widgets.FloatSlider(-1.5, description="start x", **start),
        y=widgets.FloatSlider(1.4, description="start y", **start),
    )


def racers(noise, momentum, beta1, beta2):
    """[(class, its settings, its noise)] in the order of `LOOKS`; none is given what it does not depend on."""
    mu, adam = ("momentum", momentum), ("betas", (beta1, beta2))
    return [
        (optimizers.SGD, (), 0),
        (optimizers.SGD, (), noise),
        (optimizers.Momentum, (mu,), noise),
        (optimizers.Nesterov, (mu,), noise),
        (optimizers.RMSProp, (("alpha", beta2),), noise),
        (optimizers.Adam, (adam,), noise),
        (optimizers.AdamW, (adam, ("weight_decay", DECAY)), noise),
        (optimizers.Muon, (mu, ("weight_decay", 0.0)), noise),
    ]


@functools.lru_cache(maxsize=1000)
def path(optimizer, settings, noise, surface, lr, start):
    """The points (STEPS + 1, 2) where `optimizer` stands; NaN after the first with a coordinate over 1000.

    It calls the optimizer's `update`, all of `step` but the bookkeeping and the checks, which take longer than that.
    """
    gradient_at = SURFACES[surface].gradient
    noise = (noise * np.random.default_rng(0).standard_normal((STEPS + 1, 2))).tolist()
    points = [[np.nan, np.nan]] * (STEPS + 1)
    with torch.inference_mode():
        parameter = torch.tensor([start], dtype=torch.float32)  # a matrix of one row, since Muon wants one
        gradient, state, stepper = torch.zeros(1, 2), {}, optimizer([parameter], lr=lr, **dict(settings))
        numbers, group = gradient.numpy()[0], stepper.param_groups[0]
        for step, (noise_x, noise_y) in enumerate(noise):
            points[step] = x, y = parameter.tolist()[0]
            if not max(abs(x), abs(y)) <= FAR:
                break
            across, up = gradient_at(x, y)
            numbers[:] = across + noise_x, up + noise_y
            stepper.update(parameter, gradient, state, group)
    return np.array(points)


class Track:
    """The picture of the race: a legend, under it the surface with the paths, and beside that the losses."""

    def __init__(self):
        self.fig, (self.ground, self.losses) = plots.figure(8.1, 4.5, columns=2)
        self.stage, self.contours, self.names = Stage(self.fig), [], {}
        self.ground.set_position([0.075, 0.1, 0.4, 0.4 * 8.1 / 4.5])
        self.ground.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xlabel="x   (○ start, ☆ minimum)")
        self.ground.set_ylabel("y", labelpad=-3)
        self.losses.set_position([0.565, 0.1, 0.42, 0.4 * 8.1 / 4.5])
        self.losses.set(yscale="log", xlim=(0, 1.02 * STEPS), ylim=(1e-4, 1e2), ylabel="loss")
        legend = self.fig.add_axes([0.01, 0.88, 0.98, 0.12], xlim=(0, 794), ylim=(1.5, -0.5))
        legend.set_axis_off()
        self.notes = [self._enter(legend, number % 2, *racer) for number, racer in enumerate(LOOKS.items())]
        self.tracks, self.curves = Lines(self.ground), Lines(self.losses)
        (self.goals,) = self.ground.plot([], [], "*", color=plots.BLACK, markerfacecolor="none", markersize=16)
        (self.start,) = self.ground.plot([], [], "o", color=plots.BLACK, markerfacecolor="white", markersize=9)
        self.verdict = word(self.fig, "?", 10, plots.BLACK, *self.ground.transAxes.transform((0, 1.03)))

    def _enter(self, legend, row, name, look):
        """Write one racer into the legend: its look, its name, and a word for when it diverged, which is returned."""
        color, line, marker, left = look
        look = {"color": color, "linestyle": line, "marker": marker, "markersize": SIZES.get(marker, 6.5)}
        look |= {"linewidth": 1.5, "markeredgecolor": "white", "markeredgewidth": 0.6, "markevery": [1]}
        legend.plot([left, left + 13, left + 26], [row] * 3, **look)
        self.names[name] = named = legend.text(left + 31, row, name, va="center_baseline", size=8.5)
        right, middle = named.get_window_extent().x1, legend.transData.transform((0, row))[1]
        return word(self.fig, "diverged", 8, plots.RED, right + 5, middle - 4)

    def draw(self, surface, lr, momentum, beta1, beta2, x, y):
        """PNG bytes of the race on the surface of that name, started at (x, y)."""
        if surface not in self.stage.backgrounds:
            self._new_ground(surface)
        known = SURFACES[surface]
        paths = [path(*racer, surface, lr, (x, y)) for racer in racers(known.noise, momentum, beta1, beta2)]
        for points, note in zip(paths, self.notes, strict=True):
            note.set_visible(diverged(known, points))
        points = np.stack(paths)  # (racers, STEPS + 1, 2)
        losses = known.function(*points.T).T
        self.tracks.show(points)
        self.curves.show(np.stack(np.broadcast_arrays(np.arange(STEPS + 1), losses), axis=-1))
        self.start.set_data([x], [y])
        self.goals.set_data(*zip(*known.minima, strict=True))
        self.verdict.set_path(outline(f"gradient descent {outcome(known, paths[0])}", 10))
        lines = [*self.tracks.artists, *self.curves.artists]
        return self.stage.frame([*lines, *self.notes, self.start, self.goals, self.verdict], surface)

    def _new_ground(self, name):
        """Make the contours and the words of a surface that was not drawn before."""
        for artist in self.contours:
            artist.remove()
        surface, side = SURFACES[name], np.linspace(-EDGE, EDGE, 201)
        heights = surface.function(side, side[:, None])
        levels = np.geomspace(0.004, 0.98, 12) * heights.max()
        self.contours = [
            self.ground.contourf(side, side, heights, [0, *levels, np.inf], colors=SHADES, zorder=0),
            self.ground.contour(side, side, heights, levels, colors="#a0a0a0", linewidths=0.6, zorder=0.5),
        ]
        self.losses.set_title(f"loss = {surface.formula}", loc="left", size=10)
        noise = f"; noise of the gradients {surface.noise}" if surface.noise else ""
        self.losses.set_xlabel(f"step   (a mark every {MARK}{noise})")
        self.names[SAME].set_text("SGD" if surface.noise else SAME)


class Lines:
    """A line for each racer, with its marks: two artists, drawn in half the time of eight lines with markers."""

    def __init__(self, ax):
        colors, styles, markers, _ = zip(*reversed(LOOKS.values()), strict=True)  # the first is drawn last, on top
        shapes = [MarkerStyle(marker) for marker in markers]
        shapes = [shape.get_path().transformed(shape.get_transform()) for shape in shapes]
        sizes = [SIZES.get(marker, 6.5) ** 2 for marker in markers]
        lines = LineCollection([], colors=colors, linestyles=styles, linewidths=1.5)
        white = {"edgecolors": "white", "linewidths": 0.6, "offset_transform": ax.transData}
        marks = PathCollection(shapes, sizes, facecolors=colors, transform=IdentityTransform(), **white)
        self.artists = [ax.add_collection(artist, autolim=False) for artist in (lines, marks)]

    def show(self, points):
        """Take the points (racers, STEPS + 1, 2)."""
        lines, marks = self.artists
        lines.set_segments(points[::-1])
        marked = np.nan_to_num(points[::-1, MARK::MARK], nan=FAR)  # outside the picture
        marks.set_offsets(marked.swapaxes(0, 1).reshape(-1, 2))


def word(fig, words, size, color, x, y):
    """Words of `size` points at the pixel (x, y), as outlines: drawn as text they would take 15 times as long."""
    place = Affine2D().translate(x, y)
    return fig.add_artist(PathPatch(outline(words, size), color=color, linewidth=0, transform=place))


@functools.cache
def outline(words, size):
    return TextPath((0, 0), words, size=size * 100 / 72)  # the figure has 100 dots an inch, as all of the course


def outcome(surface, points):
    """Whether the path without noise `converges`, to a hundredth of its first loss, or `diverges`, or neither yet."""
    if diverged(surface, points):
        return "diverges"
    first, last = surface.function(*points[[0, -1]].T)
    return "converges" if last <= 0.01 * first else "has not converged yet"


def diverged(surface, points):
    """Whether the path ends outside the picture, and higher than it began."""
    first, last = surface.function(*points[[0, -1]].T)
    return not np.abs(points[-1]).max() <= EDGE and not last <= first
