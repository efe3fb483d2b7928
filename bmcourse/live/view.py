"""How the course's widgets stand in a page: their size, their names, and how a display refers to them."""

import html
import io

import ipywidgets as widgets
from PIL import Image

from bmcourse import plots


def widget_view(widget):
    """The part of a display's data, {mime type: value}, by which a page finds `widget`."""
    reference = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": reference}


def scaled(pixels):
    """The CSS width of what is `pixels` wide in a window of 1280 × 720, and grows with the window."""
    return f"max({pixels:g}px, min({pixels / 12.8:.4g}vw, {pixels / 7.2:.4g}vh))"


def wide(pixels):
    """The layout of a picture that is as wide as `scaled` says, and never wider than its cell."""
    return {"width": scaled(pixels), "max_width": "100%"}


def picture(png, zoom=1.0):
    """The widget of a picture drawn sharp: as wide as its figure, times `zoom`."""
    return widgets.Image(value=png, format="png", layout=wide(page_width(png, zoom)))


def page_width(png, zoom=1.0):
    """How wide a picture drawn sharp is on a page, in pixels."""
    return round(zoom * Image.open(io.BytesIO(png)).width / plots.SHARP)


def described(alt, *parts):
    """A box of `parts` with a name for its picture, which is heard and not seen."""
    words = widgets.HTML(f'<span class="bmcourse-alt">{html.escape(alt)}</span>', layout={"display": "none"})
    return widgets.VBox([*parts, words]).add_class("bmcourse")


def picture_metadata(png, alt, zoom=1.0):
    """What a page is told of a picture drawn sharp that is shown without its widget: `scale` as in `scaled`."""
    width = page_width(png, zoom)
    return {"image/png": {"alt": alt, "width": width, "scale": width}}
