"""The course's look, and its static figures: arrays in, a matplotlib Figure out, shown with alt text.

Every figure is a `Figure` of our own, never pyplot's: nothing is drawn twice, and nothing is left open.
"""

import io

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/): colour-blind readers tell them apart. Their yellow is too
# pale for lines.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK = "#CC79A7", "#56B4E9", "#000000"
COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK)

GREY = "#555555"  # what is no curve: marks, baselines

INCH, SHARP = 100, 2  # pixels of a page for an inch of a figure, and pixels drawn for each of them on a screen
matplotlib.rcParams["font.size"] = 10.5  # points: 14.6 pixels, for the last row of a lecture room


def figure(width=6.4, height=3.2, columns=1, rows=1, **subplots):
    """A white figure of `width` × `height` inches and its axes: one `Axes`, or an array of them for a grid."""
    fig = Figure(figsize=(width, height), dpi=SHARP * INCH, layout="constrained", facecolor="white")
    FigureCanvasAgg(fig)
    axes = fig.subplots(rows, columns, **subplots)
    for ax in fig.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.3)
        ax.set_prop_cycle(color=COLORS)
    return fig, axes


def show(fig, alt):
    """Display `fig` in the notebook as a PNG whose alt text is the one sentence `alt`."""
    from IPython.display import display

    if not alt.strip():
        raise ValueError("show() needs one sentence of alt text that says what the figure shows; it was empty.")
    display(Picture(fig, alt))


class Picture:
    """A figure as Jupyter shows it: PNG with alt text, and the same sentence where there is no picture.

    A page is told its width in pixels, and by `scale` that this is for a window of 1280 × 720, and grows with it.
    """

    def __init__(self, fig, alt):
        self.fig, self.alt = fig, alt

    def __repr__(self):
        return self.alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        width = round(INCH * self.fig.get_figwidth())
        bundle = {"image/png": png(self.fig), "text/plain": self.alt}
        return bundle, {"image/png": {"alt": self.alt, "width": width, "scale": width}}


def png(fig):
    """The figure as PNG bytes: the same figure always gives the same bytes (no date, no version).

    Its 256 colours differ from those drawn by less than anyone sees, and take a third of the room.
    """
    drawn, kept = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=SHARP * INCH)
    colours = Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours.save(kept, "PNG")
    return kept.getvalue()


def curves(lines, title="", xlabel="step", ylabel="loss (nats)", top=None, baselines=None):
    """One line for each of `lines`, {name: values or (x, values)}; values without x are counted from 1.

    `top` is the upper end of the y axis, for when one explosion would flatten everything else. `baselines`, {name:
    value}, are what simple methods reach, such as guessing: see `draw_baselines`.
    """
    fig, ax = figure()
    for name, line in lines.items():
        x, values = line if isinstance(line, tuple) else (range(1, len(line) + 1), line)
        ax.plot(x, values, label=name, lw=1.2, marker="o" if len(values) < 40 else None, ms=3)
    baselines = baselines or {}
    highest = max([ax.get_ylim()[1], *(1.05 * level for level in baselines.values())])
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, ylim=(0, highest if top is None else top))
    draw_baselines(ax, baselines)
    ax.legend(frameon=False)
    return fig


def draw_baselines(ax, baselines):
    """A dashed line across `ax` for each of `baselines`, {name: value}, named to the right of `ax`, the names apart.

    Returns what was drawn. The y axis must have its ends already; what lies beyond them is left out.
    """
    drawn, free = [], 0
    for name, value in sorted(baselines.items(), key=lambda item: item[1]):
        height = (ax.transScale + ax.transLimits).transform((1, value))[1]
        if 0 <= height <= 1:
            free = max(height, free)
            drawn.append(ax.axhline(value, color=GREY, ls=(0, (5, 3)), lw=1, zorder=1.5))
            drawn.append(ax.text(1.01, free, name, transform=ax.transAxes, va="center", color=GREY))
            free += 0.08  # a line of letters, as a share of the height
    return drawn


def paths(function, walks, title="", margin=0.15):
    """Contours of `function`, points (..., 2) to heights (...), and on them `walks`, {name: points (steps, 2)}."""
    import torch

    fig, ax = figure(6.4, 3.4)
    points = torch.cat(list(walks.values()))
    low, high = points.amin(0), points.amax(0)
    low, high = low - margin * (high - low), high + margin * (high - low)
    grid = torch.cartesian_prod(torch.linspace(low[0], high[0], 100), torch.linspace(low[1], high[1], 100))
    x, y, heights = (part.reshape(100, 100) for part in (*grid.T, function(grid)))
    lowest, highest = heights.min(), heights.max()
    levels = lowest + (highest - lowest) * torch.linspace(0.08, 0.95, 12) ** 2  # closer together near the bottom
    ax.contour(x, y, heights, levels=levels, colors="#bbbbbb", linewidths=0.8)
    for name, walk in walks.items():
        ax.plot(*walk.T, label=name, marker="o", ms=3, lw=1.2)
    ax.set(title=title, xlabel="w₁", ylabel="w₂")
    ax.grid(visible=False)
    ax.legend(frameon=False)
    return fig


def nudges(paths, start="w", end="L"):
    """How a nudge of 1 at `start` grows along `paths`, {name of the value between: its two slopes}, and adds up."""
    fig, ax = figure(6.4, 3)
    rise(ax, 0, 0, 1, BLACK, f"{start}: 1")
    total, one = 0, len(paths) == 1
    for number, (name, (first, second)) in enumerate(paths.items()):
        middle, last, colour = 1 + 0.35 * number, 2.3 + 0.35 * number, COLORS[number]
        rise(ax, middle, 0, first, colour, f"{name}: {first:g}")
        rise(ax, last, total, first * second, colour, f"{end}: {first * second:g}" if one else f"{first * second:+g}")
        total += first * second
        lead(ax, (0, 1), (middle, first), colour, f"× {first:g}")
        lead(ax, (middle, first), (last, total), colour, f"× {second:g}")
    if not one:
        rise(ax, 3.3, 0, total, BLACK, f"{end}: {total:g}")
    ax.set(xlim=(-0.4, 3.7), xticks=[], ylabel="how far it moves", ylim=(0, 1.12 * ax.get_ylim()[1]))
    return fig


def rise(ax, x, start, height, colour, words):
    """An arrow at `x` from `start`, `height` up or down, with words at its end."""
    ax.annotate("", (x, start + height), (x, start), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 3})
    ax.plot(x, start + height, alpha=0)  # for the limits of the axes
    look = {"ha": "right", "va": "bottom" if height > 0 else "top", "color": colour}
    ax.text(x - 0.05, start + height, words.replace("-", "−"), **look)


def lead(ax, start, end, colour, words):
    """A dotted line from one place to another, with words in its middle."""
    ax.plot(*zip(start, end, strict=True), ":", color=colour)
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    look = {"ha": "center", "va": "center", "bbox": {"fc": "white", "ec": "none", "pad": 1}}
    ax.text(*middle, words.replace("-", "−"), color=colour, **look)


def measured(words, value, below=None, above=None):
    """Print a number with what it should be: ``validation loss ≈ 2.14 (below 2.3)``, or ``(NOT below 2.3)``.

    What stands after ≈ differs from machine to machine; the tests compare the words and whether the bound is kept.
    Raises ValueError without a bound.
    """
    bounds = {"below": below, "above": above}
    kept = {"below": below is None or value < below, "above": above is None or value > above}
    said = [f"{'' if kept[side] else 'NOT '}{side} {bound:g}" for side, bound in bounds.items() if bound is not None]
    if not said:
        raise ValueError(f"measured() compares {words!r} with a bound: give below=, above= or both.")
    print(f"{words} ≈ {value:.3g} ({' and '.join(said)})")


def smooth(values, window=20):
    """The mean over the last `window` values at every place: the trend under the noise."""
    import numpy as np

    total = np.cumsum(np.asarray(values, dtype=float))
    before = np.concatenate([np.zeros(min(window, len(total))), total[:-window]])
    return (total - before) / np.minimum(np.arange(1, len(total) + 1), window)
