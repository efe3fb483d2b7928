"""The loss curve of a live run as a PNG: cheap enough to be drawn several times a second beside the training."""

import functools
import io
import math

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from PIL import Image

from bmcourse import plots

GREY = "#555555"
LABELS = {"lr": "lr {:.2g}", "code": "lr {:.2g}", "pause": "pause", "stop": "stop"}


class Curve:
    """The picture of a run of `steps` steps: until an axis or the legend changes, only its lines are drawn again."""

    def __init__(self, steps):
        self.steps, self.lines, self.scale, self.background = steps, {}, None, None
        self.fig, self.ax = plots.figure(6.4, 3.2)
        self.fig.set_layout_engine("none")  # a fixed place for the axes, so that the picture does not jump
        self.ax.set_position([0.11, 0.15, 0.86, 0.75])
        self.ax.set(xlabel="step", ylabel="loss", xlim=(0, steps))
        across = self.ax.get_xaxis_transform()  # x in steps, y in heights of the axes
        (self.marks,) = self.ax.plot([], [], ":", color=GREY, linewidth=1, transform=across)
        self.above = self.ax.text(0.995, 0.97, "", ha="right", va="top", color=GREY, transform=self.ax.transAxes)
        self.notes = []

    def frame(self, history, moves):
        """PNG bytes for the screen, in few colours, of {name: (steps, values)} and the moves (step, control, value)."""
        changed = self._place(history, moves, buckets=200)
        # Text is slow to draw: of the notes only the last one can still change.
        moving = [*(line for pair in self.lines.values() for line in pair), self.marks, self.above, *self.notes[-1:]]
        if changed:
            for artist in self.ax.get_children():
                artist.set_animated(artist in moving)
            self.fig.canvas.draw()
            self.background = self.fig.canvas.copy_from_bbox(self.fig.bbox)
        self.fig.canvas.restore_region(self.background)
        for artist in moving:
            self.ax.draw_artist(artist)
        return few_colours(self.fig.canvas)

    def still(self, history, moves):
        """The same picture in full quality, for the saved notebook."""
        self._place(history, moves, buckets=1000)
        for artist in self.ax.get_children():
            artist.set_animated(False)
        return plots.png(self.fig)

    def _place(self, history, moves, buckets):
        """Put the data where they belong, and say whether anything changed that `frame` does not draw each time."""
        curves = {name: finite(*curve) for name, curve in history.items()}
        points = {name: decimate(*curve, buckets) for name, curve in curves.items() if len(curve[0])}
        new_looks = [self._set_lines(name, curves[name], points[name]) for name in points]
        if any(new_looks):
            self.ax.legend(
                handles=[strong for _, strong in self.lines.values()],
                loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, borderaxespad=0.2,
            )  # fmt: skip
        new_marks = self._set_marks(moves)
        new_limits = self._set_limits([values for _, values in points.values()])
        return any(new_looks) or new_marks or new_limits or self.background is None

    def _set_lines(self, name, curve, points):
        """Pale raw values under a strong average; few values are a strong line with markers. True for a new look."""
        if name not in self.lines:
            color = plots.COLORS[len(self.lines) % len(plots.COLORS)]
            (pale,) = self.ax.plot([], [], color=color, linewidth=0.8, alpha=0.4)
            (strong,) = self.ax.plot([], [], color=color, linewidth=1.8, marker="x", markersize=4, label=name)
            self.lines[name] = pale, strong
        pale, strong = self.lines[name]
        steps, values = curve
        expected = len(steps) if len(steps) < 2 else self.steps * (len(steps) - 1) / (steps[-1] - steps[0])
        window = round(expected / 60)
        noisy = window >= 4 and len(values) > 2 * window
        pale.set_data(*(points if noisy else ([], [])))
        strong.set_data(*(average(steps, values, window) if noisy else points))
        marker = "o" if expected <= 100 else ""
        new_look = strong.get_marker() != marker
        strong.set_marker(marker)
        return new_look

    def _set_limits(self, curves):
        """Fit the y axis; True when it changed. What exploded leaves the picture at its top, and is told in words."""
        scale = log, low, high = limits(curves)
        largest = max((values.max() for values in curves), default=0)
        self.above.set_text(f"↑ {largest:.1e}" if largest > high else "")
        if scale == self.scale:
            return False
        self.scale = scale
        self.ax.set_yscale("log" if log else "linear")
        self.ax.set_ylim(low, high)
        subs = (1, 2, 5) if high < 1000 * low else (1,)
        self.ax.yaxis.set_major_locator(LogLocator(subs=subs) if log else MaxNLocator(5, steps=(1, 2, 5, 10)))
        self.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        self.ax.minorticks_off()
        return True

    def _set_marks(self, moves):
        marks = merged(moves, self.steps * 0.03)
        self.marks.set_data([x for step, _ in marks for x in (step, step, math.nan)], [0, 1, math.nan] * len(marks))
        new = marks[len(self.notes) :]
        for note, (step, label) in zip(self.notes, marks, strict=False):
            note.set(x=step, text=label)
        for step, label in new:
            place = {"rotation": 90, "ha": "right", "va": "top", "transform": self.ax.get_xaxis_transform()}
            self.notes.append(self.ax.text(step, 0.98, label, fontsize=8, color=GREY, **place))
        return bool(new)


def merged(moves, width):
    """Marks [(step, label)]; a drag of the slider, many moves within `width` steps, is one mark with its last value."""
    marks, start, last = [], -math.inf, None
    for step, control, value in moves:
        if control == "pause" and not value:
            continue  # the end of a pause is at the same step as its begin
        if step - start < width and LABELS[control] == last:
            marks.pop()
        else:
            start, last = step, LABELS[control]
        marks.append((step, last.format(value)))
    return marks


def finite(steps, values):
    known = np.isfinite(values)
    return (steps, values) if known.all() else (steps[known], values[known])


def decimate(x, y, buckets):
    """At most 3 · `buckets` points of a curve: the smallest and the largest of each bucket, so no spike is lost."""
    size = len(x) // buckets
    if size < 3:
        return x, y
    whole = len(x) // size * size
    rows = y[:whole].reshape(-1, size)
    ends = np.sort(np.stack([rows.argmin(1), rows.argmax(1)], 1), 1) + np.arange(0, whole, size)[:, None]
    keep = np.append(ends.ravel(), np.arange(whole, len(x)))
    return x[keep], y[keep]


def average(x, y, window):
    """A moving average of `window` values on each side, at 150 places and at both ends."""
    at = np.unique(np.linspace(0, len(y) - 1, 150).astype(int))
    sums = np.append(0.0, np.cumsum(y))
    first, last = np.maximum(at - window, 0), np.minimum(at + window + 1, len(y))
    return x[at], (sums[last] - sums[first]) / (last - first)


def limits(curves):
    """(log?, low, high) of the y axis: logarithmic if positive values span a factor of 20; explosions do not count."""
    if not curves:
        return False, 0.0, 1.0
    values = np.concatenate(curves)
    usual = max(np.median(np.abs(values)), *(np.abs(curve[:10]).max() for curve in curves))
    low, high = values.min(), values[values <= 3 * usual].max()
    if low > 0 and high > 20 * low:
        return True, nice(low, up=False), nice(high)
    step = nice(max((high - low) / 4, abs(high) / 10, 1e-12))
    return False, math.floor(low / step) * step, max(math.ceil(high / step), math.floor(low / step) + 1) * step


def nice(value, up=True):
    """The nearest of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … that is not below `value` (not above it with ``up=False``)."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = [power * factor for factor in (1, 2, 5, 10)]
    return min(s for s in steps if s >= value) if up else max(s for s in steps if s <= value)


@functools.cache
def palette():
    """Every colour of the course in 16 strengths on white: what lines and text drawn with smooth edges consist of."""
    shades = [np.outer(np.linspace(0, 1, 16), np.array(to_rgb(color)) - 1) + 1 for color in (*plots.COLORS, GREY)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.rint(255 * np.concatenate(shades)).astype(np.uint8).tobytes())
    return image


def few_colours(canvas):
    """The canvas as a small PNG, encoded in 2 ms: one byte a pixel."""
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    file = io.BytesIO()
    picture.convert("RGB").quantize(palette=palette(), dither=Image.Dither.NONE).save(file, "PNG", compress_level=1)
    return file.getvalue()
