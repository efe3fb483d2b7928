"""Words in a picture: those that move as outlines, those beside points, and the signs for what a font does not have.

matplotlib's own words take a millisecond or more each to draw.
"""

import functools

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Bbox, IdentityTransform

from bmcourse import plots

DOT = 6  # half of the room that a point takes, in the pixels that are drawn
CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "SimHei")


class Letters:
    """Words of one look, all in one artist: `size` in points; `align` is 0, 0.5 or 1 for left, centre or right."""

    def __init__(self, fig, size, weight="normal", align=0.5, color="black"):
        self.scale, self.weight, self.align = size * fig.dpi / 72 / 100, weight, align
        self.artist = fig.add_artist(PathPatch(Path([(0, 0)]), color=color, linewidth=0, transform=IdentityTransform()))

    def write(self, placed):
        """Take the words, as pairs (words, (x, y)), with the places in pixels and half the height of a digit at y."""
        self.artist.set_path(outlines(placed, self.scale, self.weight, self.align))


def outlines(placed, scale, weight, align):
    """One path of all words; their letters are outlines 100 pixels high, times `scale`."""
    vertices, codes = [np.empty((0, 2))], [np.empty(0, Path.code_type)]
    for words, (x, y) in placed:
        letters = [letter(character, weight) for character in words]
        starts = np.cumsum([0, *(width for _, width in letters)])
        corner = np.array([x - align * scale * starts[-1], y - 36 * scale])  # a digit is 73 high
        for (outline, _), start in zip(letters, starts, strict=False):  # the last one is the end
            vertices.append(scale * (outline.vertices + (start, 0)) + corner)
            codes.append(outline.codes)
    return Path(np.concatenate(vertices), np.concatenate(codes))


@functools.cache
def letter(character, weight):
    """The outline of one character, 100 pixels high, and how far behind it the next one begins."""
    font = FontProperties(family=list(font_names()), weight=weight)
    bar, both = (TextPath((0, 0), words, size=100, prop=font) for words in ("|", f"{character}|"))
    size = len(both.codes) - len(bar.codes)  # of the character: alone, a space has no path
    return Path(both.vertices[:size], both.codes[:size]), both.get_extents().x1 - bar.get_extents().x1


def label_points(ax, labelled):
    """Write a word beside each point, none over another: [(word, (x, y), colour)], at most some fifty of them.

    A line joins a word that does not stand right beside its point and the point. Call it when all else is drawn.
    """
    ax.figure.draw_without_rendering()  # the axes get their place
    dots = ax.transData.transform([place for _, place, _ in labelled])
    taken = [Bbox.from_bounds(x - DOT, y - DOT, 2 * DOT, 2 * DOT) for x, y in dots]
    for (word, place, color), dot in zip(labelled, dots, strict=True):
        dark = np.multiply(to_rgb(color), 0.7)  # orange words on white cannot be read from the last row
        look = {"color": dark, "ha": "center", "va": "center", "textcoords": "offset points"}
        note = ax.annotate(word, place, (0, 0), **look)
        for offset in places_around(words_box(note)):
            note.xyann = offset
            box = words_box(note)
            if ax.bbox.contains(*box.min) and ax.bbox.contains(*box.max) and not any(map(box.overlaps, taken)):
                break
        taken.append(box)
        line = np.array([dot, np.clip(dot, box.min, box.max)])  # from the point to the nearest edge of the word
        if np.linalg.norm(line[1] - line[0]) > 3 * DOT:  # a shorter one reads as a minus sign
            ax.plot(*ax.transData.inverted().transform(line).T, color=color, lw=0.8, scalex=False, scaley=False)


def words_box(note):
    """Where the words of an annotation stand, in pixels."""
    note.update_positions(note.figure.canvas.get_renderer())
    return note.get_window_extent()


def places_around(box):
    """Offsets in points at which words of this size stand around their point, the nearest first."""
    width, height = (0.5 * size * 72 / plots.SHARP / plots.INCH for size in box.size)
    for reach in range(4, 90, 5):
        for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
            yield (width + reach) * np.cos(angle), (height + reach) * np.sin(angle)


@functools.cache
def font_names():
    """matplotlib's own font, and one with Chinese characters if this machine has one."""
    return "DejaVu Sans", *[name for name in CHINESE if name in fontManager.get_font_names()][:1]


def drawable(name, fonts):
    """The name with `\\u....` for each character that none of the fonts has; `$` is no formula.

    >>> drawable("a大", ["DejaVu Sans"])
    'a\\\\u5927'
    """
    known = [get_font(findfont(FontProperties(family=font))) for font in fonts]
    return "".join(c if any(font.get_char_index(ord(c)) for font in known) else ascii(c)[1:-1] for c in name).replace(
        "$", r"\$"
    )
