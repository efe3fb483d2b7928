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
from matplotlib.transforms import IdentityTransform

from bmcourse.live.curve import GREY

DOT = 10  # points: as wide as a dot is
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


def write_names(ax, points, names, others=(), colors=None):
    """Write `names`, the first first, near their points where they cover nothing; one that finds no room is left out.

    `points` is {name: (x, y)} of all dots, `others` are more places, (x, y), to leave free. `colors` is {name: colour}
    of names that are not black. Returns the artists. Call it when the axes have their place.
    """
    inch = 72 / ax.figure.dpi  # all is measured in points, so that it is the same however sharp the figure is
    dots = {name: ax.transData.transform(point) * inch for name, point in points.items()}
    taken = [box_at(x, y, DOT, DOT) for x, y in dots.values()]
    taken += [box_at(*(ax.transData.transform(place) * inch), 3, 3) for place in others]
    written, renderer, frame = [], ax.figure.canvas.get_renderer(), ax.get_window_extent().extents * inch
    line = {"arrowstyle": "-", "color": GREY, "lw": 0.7, "shrinkA": 0, "shrinkB": DOT / 2}
    look = {"textcoords": "offset points", "ha": "center", "va": "center", "size": 10.5}
    for name in names:
        text = ax.text(0, 0, name, size=look["size"])
        extent = text.get_window_extent(renderer)
        width, height = extent.width * inch, extent.height * inch
        text.remove()
        for place, far in nearby(width, height):
            box, thread = box_at(*(dots[name] + place), width + 4, height + 1), along(dots[name], place) if far else []
            if inside(box, frame) and not any(touch(one, other) for one in [box, *thread] for other in taken):
                taken += [box, *thread]
                # Orange words on white cannot be read from the last row.
                color = np.multiply(to_rgb((colors or {}).get(name, "black")), 0.7)
                arrow = line if far else None
                written.append(ax.annotate(name, points[name], place, color=color, arrowprops=arrow, **look))
                break
    return written


def box_at(x, y, width, height):
    """A box around (x, y), as (left, bottom, right, top)."""
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def nearby(width, height):
    """Where the middle of a name may lie from its point, the best places first, and whether that needs a line."""
    for gap in (5, 12, 22, 32):  # the first leaves room for the ring
        across, up = DOT / 2 + gap + width / 2, DOT / 2 + gap + height / 2
        yield from ((place, gap > 5) for place in ((across, 0), (-across, 0), (0, up), (0, -up)))
        corners = [(part * side * across, end * up) for part in (0.5, 1) for end in (1, -1) for side in (1, -1)]
        yield from ((corner, True) for corner in corners)


def along(dot, place):
    """Small boxes along the line from a dot to a name, the part on the dot itself left out."""
    length = np.hypot(*place)
    return [box_at(*(dot + np.multiply(place, part)), 2, 2) for part in np.arange(DOT, length, 2) / length]


def inside(box, frame):
    """Whether a box lies in the frame, both as (left, bottom, right, top)."""
    return frame[0] < box[0] and box[2] < frame[2] and frame[1] < box[1] and box[3] < frame[3]


def touch(one, other):
    """Whether two boxes have a place in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


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
