"""How the course's widgets stand in a page: their size, their names, and how a display refers to them."""

import html
import io
import re

import ipywidgets as widgets
from PIL import Image

from bmcourse import plots


def widget_view(widget):
    """The part of a display's data, {mime type: value}, by which a page finds `widget`."""
    reference = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": reference}


def scaled(pixels, least=None):
    """The CSS width of what is `pixels` wide in a window of 1280 × 720 and grows with it; in a small one, `least`."""
    return f"max({least or pixels:g}px, min({pixels / 12.8:.4g}vw, {pixels / 7.2:.4g}vh))"


LETTERS = scaled(15)  # the size of words that are no picture


def wide(pixels):
    """The layout of a picture as wide as `scaled` says, where the window has room for it and its controls.

    In a window that is zoomed to twice its size the picture takes half of the height.
    """
    fit = {"max_height": "max(50vh, min(64vh, 100vh - 280px))", "object_fit": "contain", "object_position": "left top"}
    return {"width": scaled(pixels), "max_width": "100%", **fit}


def grow(*controls):
    """Let the widths of controls, given in pixels, grow with the window as `scaled` says."""
    for control in controls:
        style = control.style
        for look, name in ((control.layout, "width"), (style, "button_width"), (style, "description_width")):
            if pixels := re.fullmatch(r"([\d.]+)px", getattr(look, name, None) or ""):
                setattr(look, name, scaled(float(pixels[1])))


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
