"""The loss curve of a live run as a PNG: cheap enough to be drawn several times a second beside the training."""

import functools
import io
import math
import zlib

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from bmcourse import plots
from bmcourse.live.points import average, decimate, finite, limits, merged, ticks

INCHES = 6.4, 3.2
HEAD = (
    0.27  # inches above a run's last picture, as high as the controls that stood there: the curves stay in their place
)
GREY, GRID = plots.GREY, {"color": "#b0b0b0", "alpha": 0.3, "linewidth": 0.8, "zorder": 1}


class Curve:
    """The picture of a run of `steps` steps; `shows`, in words, is what its curves show, beside `baselines`.

    A frame adds what was logged since the last to the sheet they share. Only when an axis, a label or the legend
    changes, which is seldom, is a new sheet begun: words are slow to draw.
    """

    def __init__(self, steps, shows="loss", baselines=None):
        self.fig, self.ax = plots.figure(*INCHES)
        self.fig.set_layout_engine("none")  # a fixed place for the axes, so that the picture does not jump
        self.ax.set_position([0.12, 0.16, 0.72 if baselines else 0.85, 0.74])  # their names stand at the right
        self.ax.set(xlabel="step", xlim=(0, steps))
        self.ax.set_ylabel(shows, labelpad=34)
        self.ax.grid(visible=False, axis="y")
        self.baselines = baselines or {}
        self.steps, self.lines, self.scale, self.marks, self.written = steps, {}, None, [], []
        self.empty, self.sheet, self.labelled = None, None, []

    def frame(self, history, moves):
        """PNG bytes for the screen, in few colours, of {name: (steps, values)} and the moves (step, control, value)."""
        before = self.marks
        curves = self._fit(history, moves)
        if self.marks == before:  # a mark is written once it stands still: not while the slider is dragged
            self.labelled = self.marks
        sheet = self.scale, self.largest, self.labelled, [line.look for line in self.lines.values()]
        new = sheet != self.sheet
        if new:
            self.sheet = sheet
            self._new_sheet()
        left = self._draw_lines(curves)
        picture = few_colours(self.fig.canvas, 0 if new else left)
        if new:
            self.picture = picture
        else:
            self.picture.paste(picture, (left, 0))
        file = io.BytesIO()
        self.picture.save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
        return file.getvalue()

    def still(self, history, moves, words=""):
        """The same picture in full quality, for after the run, with `words` where the controls were."""
        for name, curve in self._fit(history, moves).items():
            self.lines[name].set_data(*curve, start=0, buckets=1000)
        self._write(self.marks)
        if words:
            self._write_above(words)
        return plots.png(self.fig)

    def _write_above(self, words):
        """Make the picture higher by a line of words; all else stays as large as it was."""
        (width, height), (left, bottom, wide, high) = INCHES, self.ax.get_position().bounds
        share = height / (height + HEAD)
        self.fig.set_size_inches(width, height + HEAD)
        self.ax.set_position([left, bottom * share, wide, high * share])
        self.fig.text(left, (1 + share) / 2, words, va="center", color=GREY)

    def _fit(self, history, moves):
        """Fit the y axis, the looks of the lines and the marks. Returns the curves without what is not finite."""
        curves = {name: finite(*curve) for name, curve in history.items()}
        curves = {name: curve for name, curve in curves.items() if len(curve[0])}
        for name, curve in curves.items():
            if name not in self.lines:
                self.lines[name] = Line(self.ax, name, plots.COLORS[len(self.lines) % len(plots.COLORS)])
            self.lines[name].fit(*curve, self.steps)
        values = [decimate(*curve, 100)[1] for curve in curves.values()]
        scale = log, low, high = limits(values + [np.array([level]) for level in self.baselines.values()])
        largest = max((part.max() for part in values), default=0)
        self.largest = f"↑ {largest:.1e}" if largest > high else ""  # an explosion leaves the picture at its top
        if scale != self.scale:
            self.scale = scale
            self.ax.set(yscale="log" if log else "linear", ylim=(low, high))
            self.ax.tick_params(axis="y", which="both", left=False, labelleft=False)  # `_write` is four times as fast
        self.marks = merged(moves, self.steps * 0.03)
        return curves

    def _new_sheet(self):
        """Draw the axes and all words, and no line."""
        canvas = self.fig.canvas
        with matplotlib.rc_context({"text.hinting": "no_hinting"}):  # hinted text takes twice the time
            if self.empty is None:
                canvas.draw()
                self.empty = canvas.copy_from_bbox(self.fig.bbox)
            canvas.restore_region(self.empty)
            self._write(self.labelled)
            for artist in self.written:
                artist.draw(canvas.get_renderer())
        for line in self.lines.values():
            line.drawn = 0

    def _draw_lines(self, curves):
        """Draw what is new in each curve; returns the column of pixels where the new begins."""
        left, width = [], self.fig.canvas.get_width_height()[0]
        for name, (steps, values) in curves.items():
            line = self.lines[name]
            if line.drawn < len(steps):
                start = max(line.drawn - 1, 0)
                line.set_data(steps, values, start, buckets=100)
                line.draw(self.fig.canvas.get_renderer())
                line.drawn = len(steps)
                left.append(int(self.ax.transData.transform((steps[start], 0))[0]) - 8 * plots.SHARP)
        return max(min(left, default=width - 1), 0)

    def _write(self, marks):
        """Make all words anew, and what goes with them: the y axis, the marks of the controls, the legend."""
        for artist in self.written:
            artist.remove()
        ax, grey, places = self.ax, {"color": GREY, "ha": "right", "va": "top"}, ticks(*self.scale)
        across, up = ax.get_xaxis_transform(), ax.get_yaxis_transform()  # one axis in data, the other from 0 to 1
        self.written = [
            *ax.plot(*reversed(bars(places)), transform=up, **GRID),
            *ax.plot(*bars([step for step, _ in marks]), ":", color=GREY, linewidth=1, transform=across),
            *(ax.text(-0.01, tick, f"{tick:g}", ha="right", va="center", transform=up) for tick in places),
            *(ax.text(step, 0.98, label, rotation=90, size=8.5, transform=across, **grey) for step, label in marks),
            ax.text(0.995, 0.97, self.largest, transform=ax.transAxes, **grey),
            *plots.draw_baselines(ax, self.baselines),
        ]
        if self.lines:
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4, "frameon": False, "borderaxespad": 0.2}
            self.written.append(ax.legend(handles=[line.strong for line in self.lines.values()], **above))


class Line:
    """One curve: pale raw values under a strong average; a line of few values is strong itself and has markers."""

    def __init__(self, ax, name, color):
        (self.pale,) = ax.plot([], [], color=color, linewidth=0.8, alpha=0.4, solid_joinstyle="bevel")
        (self.strong,) = ax.plot([], [], color=color, linewidth=1.8, markersize=4, label=name)
        self.drawn = 0  # values that are on the sheet

    def fit(self, steps, values, total):
        """Choose the look for as many values as there will be after `total` steps."""
        self.expected = len(steps) if len(steps) < 2 else total * (len(steps) - 1) / (steps[-1] - steps[0])
        window = round(self.expected / 80)
        self.window = window if window >= 4 and len(values) > window else 1
        self.look = "o" if self.expected <= 100 else "", self.window > 1
        self.strong.set_marker(self.look[0])

    def set_data(self, steps, values, start, buckets):
        """Take the values from `start` on, as so many buckets as they would be of all."""
        buckets = math.ceil(buckets * (len(steps) - start) / self.expected)
        raw = decimate(steps[start:], values[start:], buckets)
        self.pale.set_data(*(raw if self.window > 1 else ([], [])))
        self.strong.set_data(*(average(steps, values, self.window, start, 2 * buckets) if self.window > 1 else raw))

    def draw(self, renderer):
        self.pale.draw(renderer)
        self.strong.draw(renderer)


def bars(places):
    """Lines from 0 to 1 at each of `places`, as the coordinates of one line with gaps."""
    return [p for place in places for p in (place, place, math.nan)], [0, 1, math.nan] * len(places)


@functools.cache
def palette():
    """Every colour of the course in 16 strengths on white: what lines and text drawn with smooth edges consist of."""
    shades = [np.outer(np.linspace(0, 1, 16), np.array(to_rgb(color)) - 1) + 1 for color in (*plots.COLORS, GREY)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.rint(255 * np.concatenate(shades)).astype(np.uint8).tobytes())
    return image


def few_colours(canvas, left):
    """The canvas from the column `left` on, with one byte a pixel."""
    size = canvas.get_width_height()
    picture = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1).crop((left, 0, *size))
    return picture.convert("RGB").quantize(palette=palette(), dither=Image.Dither.NONE)
