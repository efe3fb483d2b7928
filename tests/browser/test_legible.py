"""The look at a page's legibility sees what it should: each fault planted here, and none in what the course shows."""

from tests.browser import legible

PLANTED = """\
import ipywidgets as widgets
from IPython.display import HTML, display
from bmcourse.live import view

display(HTML('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">'))
display(HTML('<select><option>without a label</option></select>'))
tall = widgets.HTML("a tall box", layout={"height": "2000px"})
cut = widgets.Button(description="a label too long for its button", layout={"width": "60px"})
short = widgets.IntSlider(description="short", layout={"width": "150px"})
display(view.described("A box of faults.", tall, cut, short))
"""

SOUND = """\
from bmcourse import live, plots
from bmcourse.exercises import predict

live.outlier()
plots.show(plots.curves({"a": [3, 2, 1]}), "A line that falls to one.")
fall = predict("Does it fall?", ["yes", "no"])
fall.answer("yes", plots.Picture(plots.curves({"a": [3, 2, 1]}), "A line that falls from three to one."))
"""


def faults(open_notebook, name, cell):
    notebook = open_notebook(name, [cell])
    notebook.run_all()
    notebook.wait_done()
    notebook.page.wait_for_timeout(500)
    return legible.faults(notebook)


def test_planted_faults_are_found(open_notebook):
    found = "\n".join(faults(open_notebook, "faults.ipynb", PLANTED))
    for fault in ("pixels high", "cut: a label too long", "a track of", "no alt text", "select-name:"):
        assert fault in found, found


def test_the_courses_own_output_has_none(open_notebook):
    assert faults(open_notebook, "sound.ipynb", SOUND) == []


def test_arrow_keys_stay_with_the_control(open_notebook):
    """In radio buttons and rows of buttons they choose; they do not go to another cell."""
    cells = ["from bmcourse.exercises import predict\nfall = predict('Does it fall?', ['yes', 'no'])"]
    cells.append(
        "from bmcourse.live import heads\nfrom IPython.display import display\ndisplay(heads.choice('layer', 3, 0))"
    )
    notebook = open_notebook("keys.ipynb", cells)
    notebook.run_all()
    notebook.wait_done()
    active = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    radio, buttons = ".jp-OutputArea-output input[type=radio]", ".jp-OutputArea-output .widget-toggle-button"
    notebook.page.wait_for_timeout(500)
    for control, chosen in ((radio, "input:checked"), (buttons, ".mod-active")):
        notebook.page.locator(control).first.click()
        before = notebook.page.evaluate(active)
        notebook.page.keyboard.press("ArrowDown")
        notebook.wait_answered()
        assert notebook.page.evaluate(active) == before
        assert notebook.page.locator(control).nth(1).evaluate(f"e => e.matches('{chosen}')")
