"""Explorers: what moves is drawn anew, the rest stays where it is, and no error is swallowed."""

import io
import threading
import time

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from bmcourse import plots
from bmcourse.live import explorer, view
from bmcourse.live.explorer import Stage, explore


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


class Dial:
    """The smallest picture: one line that moves, in axes that stay."""

    def __init__(self):
        self.fig, self.ax = plots.figure(4, 3)
        self.ax.set(xlim=(0, 1), ylim=(0, 1))
        (self.line,) = self.ax.plot([], [], color=plots.RED, lw=5)
        self.stage = Stage(self.fig)

    def draw(self, height, title=""):
        self.line.set_data([0.2, 0.8], [height, height])
        self.ax.set_title(title)
        return self.stage.frame([self.line], title)


def test_a_frame_depends_on_the_values_and_not_on_the_frames_before():
    one, other = Dial(), Dial()
    for height in (0.2, 0.9, 0.5):
        one.draw(height)
    assert one.draw(0.7) == other.draw(0.7) != other.draw(0.3)


def test_only_what_moves_is_drawn_at_a_move(monkeypatch):
    dial, drawn = Dial(), []
    draw = dial.fig.canvas.draw
    monkeypatch.setattr(dial.fig.canvas, "draw", lambda: drawn.append("all") or draw())
    for height in (0.1, 0.5, 0.9):
        dial.draw(height)
    assert drawn == ["all"]
    dial.draw(0.9, "another scene")
    assert drawn == ["all", "all"]


def test_the_line_moves_and_the_axes_do_not():
    dial = Dial()
    low, high = pixels(dial.draw(0.25)), pixels(dial.draw(0.75))
    rows = np.flatnonzero((low != high).any((1, 2)))
    places = dial.ax.transData.transform([(0, 0.75), (0, 0.25)])[:, 1]
    near = np.abs((len(low) - rows)[:, None] - places).min(1)
    assert len(rows) and near.max() <= 5 * plots.SHARP  # nothing changes but where the line is or was


def test_a_new_scene_is_the_picture_that_a_new_stage_would_draw():
    one, other = Dial(), Dial()
    one.draw(0.5, "first")
    assert one.draw(0.5, "second") == other.draw(0.5, "second")
    assert one.draw(0.5, "first") == Dial().draw(0.5, "first")


@pytest.fixture
def show(monkeypatch):
    """Show an explorer; returns what was displayed, its metadata, the picture, and the problem written below it."""

    def show_one(draw, alt="A line that lies low.", **controls):
        shown = []
        monkeypatch.setattr(explorer, "display", lambda *bundle, **options: shown.append((*bundle, options)))
        assert explore(draw, alt, **controls) is None
        [(bundle, options)] = shown
        view = bundle["application/vnd.jupyter.widget-view+json"]
        row, picture, problem, name = widgets.widget._instances[view["model_id"]].children
        assert name.value == f'<span class="bmcourse-alt">{alt}</span>' and name.layout.display == "none"
        assert list(row.children) == list(controls.values())
        assert options["raw"] and bundle.keys() >= {"text/plain", "image/png"}
        return bundle, options["metadata"], picture, problem

    return show_one


def test_a_saved_notebook_keeps_the_first_picture_and_its_alt_text(show):
    bundle, metadata, picture, problem = show(Dial().draw, height=widgets.FloatSlider(0.25, min=0, max=1))
    assert bundle["image/png"] == picture.value == Dial().draw(0.25)
    assert bundle["text/plain"] == metadata["image/png"]["alt"] == "A line that lies low."
    assert metadata["image/png"]["width"] == 400 and picture.layout.width == "max(400px, min(31.25vw, 55.56vh))"
    assert problem.value == ""


def test_every_move_draws_the_picture_of_the_new_values(show):
    controls = {"height": widgets.FloatSlider(0.25, min=0, max=1), "title": widgets.Dropdown(options=["one", "two"])}
    *_, picture, _ = show(Dial().draw, **controls)
    controls["height"].value = 0.75
    assert picture.value == Dial().draw(0.75, "one")
    controls["title"].value = "two"
    assert picture.value == Dial().draw(0.75, "two")


def test_an_error_is_shown_and_raised_and_the_picture_stays(show):
    def draw(height):
        if height > 0.5:
            raise ZeroDivisionError("above the middle")
        return Dial().draw(height)

    height = widgets.FloatSlider(0.25, min=0, max=1)
    *_, picture, problem = show(draw, height=height)
    before = picture.value
    with pytest.raises(ZeroDivisionError, match="above the middle"):
        height.value = 0.75
    assert picture.value == before
    assert problem.value == "ZeroDivisionError: this picture cannot be drawn. Move a control back."
    height.value = 0.3
    assert picture.value == Dial().draw(0.3) and problem.value == ""


def test_moves_that_come_in_two_threads_are_drawn_one_after_the_other(show):
    """JupyterLab has two controls that move at once, as Play and its slider do, answered in two threads."""
    at_work, most = [], []

    def draw(one, two):
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.05)
        at_work.pop()
        return Dial().draw((one + two) / 2)

    controls = {"one": widgets.FloatSlider(0, max=1), "two": widgets.FloatSlider(0, max=1)}
    *_, picture, _ = show(draw, **controls)
    threads = [threading.Thread(target=setattr, args=(control, "value", 1.0)) for control in controls.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and picture.value == Dial().draw(1.0)


def test_a_first_picture_that_cannot_be_drawn_is_an_error_at_once():
    with pytest.raises(ZeroDivisionError):
        explore(lambda height: 1 / height, "Nothing.", height=widgets.FloatSlider(0))


def test_a_label_is_written_in_full_unless_the_control_says_how_wide(show):
    free, own = widgets.FloatSlider(0.2), widgets.Checkbox(style={"description_width": "50px"})
    show(lambda free, own: Dial().draw(free), free=free, own=own)
    assert (free.style.description_width, own.style.description_width) == ("initial", view.scaled(50))


def test_controls_grow_with_the_window(show):
    control = widgets.FloatSlider(0.2, layout={"width": "290px"})
    show(lambda level: Dial().draw(level), level=control)
    assert control.layout.width == view.scaled(290) == "max(290px, min(22.66vw, 40.28vh))"
