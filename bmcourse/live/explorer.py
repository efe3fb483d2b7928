"""An explorer: controls over a picture that is drawn anew at every move, and a static picture in the saved notebook."""

import io
import threading
import zlib

import ipywidgets as widgets
import matplotlib
from IPython.display import display

from bmcourse.live import view
from bmcourse.live.curve import few_colours

WIDE = {"layout": {"width": "290px"}}  # of a slider whose label is two or three words


class Stage:
    """A figure of which only what moves is drawn at a move: axes, words and background are kept from before."""

    def __init__(self, fig):
        fig.set_layout_engine("none")  # the axes stay in their place, and finding one takes longer than drawing
        self.fig, self.backgrounds = fig, {}

    def frame(self, moving, scene=None):
        """PNG bytes of the figure with the artists `moving` on top.

        All the rest is drawn once for each `scene`, any value that says what is in it: another one after a change of
        the axes, a title or a surface.
        """
        with matplotlib.rc_context({"text.hinting": "no_hinting"}):  # hinted text takes twice the time
            self._draw(moving, scene)
        file = io.BytesIO()
        few_colours(self.fig.canvas, 0).save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
        return file.getvalue()

    def _draw(self, moving, scene):
        canvas = self.fig.canvas
        if scene not in self.backgrounds:
            for artist in moving:
                artist.set_animated(True)  # not part of the background
            canvas.draw()
            self.backgrounds[scene] = canvas.copy_from_bbox(self.fig.bbox)
        canvas.restore_region(self.backgrounds[scene])
        for artist in moving:
            artist.draw(canvas.get_renderer())


def explore(draw, alt, write=None, presets=None, acts=None, below=None, **controls):
    """Show the picture that `draw(**values)` returns as PNG bytes under `controls`, {name: an ipywidgets control}.

    `write(**values)` returns a line of HTML for below the picture. `presets`, {words: {name: value}}, are buttons that
    set several controls; `acts`, {words: function}, are buttons that call function(**values) before the picture is
    drawn anew. `below` is a widget for below all the rest.

    The saved notebook keeps the first picture, with `alt`, one sentence, as its text. An error in `draw` is shown under
    the picture, which stays as it was, and raised, so that no test misses it.
    """
    one_at_a_time = threading.RLock()  # JupyterLab has two controls that move at once answered by two threads

    def values():
        return {name: control.value for name, control in controls.items()}

    def redraw(_=None, act=lambda **values: None):
        with one_at_a_time:
            now = values()
            try:
                act(**now)
                picture.value = draw(**now)
                words.value = write(**now) if write else ""
            except Exception as error:
                words.value = f"{type(error).__name__}: this picture cannot be drawn. Move a control back."
                raise

    def press(preset):
        for name, value in preset.items():
            controls[name].unobserve(redraw, names="value")
            controls[name].value = value
            controls[name].observe(redraw, names="value")
        redraw()  # once for all of them

    first = values()
    picture, words = view.picture(draw(**first)), widgets.HTML(write(**first) if write else "")
    for control in controls.values():
        control.style.description_width = control.style.description_width or "initial"  # all of it, not ten letters
        view.grow(control)
        control.observe(redraw, names="value")
    buttons = row_of_buttons(presets, press), row_of_buttons(acts, lambda act: redraw(act=act))
    rows = buttons[0], controls.values(), buttons[1]
    rows = [widgets.HBox(list(row), layout={"flex_flow": "row wrap"}) for row in rows if row]
    box = view.described(alt, *rows, picture, words, *([below] if below else []))
    bundle = {"text/plain": alt, "image/png": bytes(picture.value), **view.widget_view(box)}
    display(bundle, raw=True, metadata=view.picture_metadata(picture.value, alt))


def row_of_buttons(meanings, press):
    """A button for each of {words: meaning}; a click on it calls press(meaning)."""
    buttons = [widgets.Button(description=words, layout={"width": "auto"}) for words in meanings or ()]
    for button in buttons:
        button.on_click(lambda pressed: press(meanings[pressed.description]))
    return buttons


def number_slider(description, numbers, value, **look):
    """A slider over numbers that are far from evenly spaced."""
    options = [(f"{number:,}", number) for number in numbers]
    return widgets.SelectionSlider(options=options, value=value, description=description, **look)
