"""The sweep itself: it moves every kind of control to its ends, and a callback that raises does not stay hidden."""

import json

from tests.browser.sweep import sweep

CONTROLS = """\
import ipywidgets
from IPython.display import display

moves = []
controls = [
    ipywidgets.IntSlider(description="slider", min=0, max=7, value=3),
    ipywidgets.FloatLogSlider(description="log", min=-5, max=0, value=1e-3),
    ipywidgets.Dropdown(description="dropdown", options=["a", "b", "c"], value="b"),
    ipywidgets.RadioButtons(description="radio", options=["a", "b"], value="a"),
    ipywidgets.ToggleButtons(description="choice", options=["a", "b"], value="a"),
    ipywidgets.ToggleButton(description="toggle"),
    ipywidgets.Checkbox(description="check"),
    ipywidgets.BoundedIntText(description="number", min=1, max=9, value=4),
    ipywidgets.Button(description="press"),
]
for control in controls[:-1]:
    control.observe(lambda change: moves.append((change["owner"].description, change["new"])), "value")
controls[-1].on_click(lambda button: moves.append((button.description, True)))
display(ipywidgets.VBox(controls))
"""


PLANTED = """\
import ipywidgets

slider = ipywidgets.IntSlider(description="planted", max=7)

def only_fine_below_its_maximum(change):
    if change["new"] == slider.max:
        raise ZeroDivisionError("planted at the maximum")

slider.observe(only_fine_below_its_maximum, "value")
slider
"""


def test_every_control_reaches_its_ends_and_comes_back(open_notebook):
    notebook = open_notebook("controls.ipynb", [CONTROLS, "import json\nprint(json.dumps(moves))"])
    notebook.run_cell(0)
    notebook.wait_done()
    _, problems = sweep(notebook)
    notebook.run_cell(1)
    notebook.wait_done()
    moves = json.loads(notebook.saved().cells[1].outputs[0].text)
    values = {name: [value for moved, value in moves if moved == name] for name, _ in moves}
    assert problems == []
    assert (values["slider"], values["log"]) == ([0, 7, 0, 3], [1e-5, 1, 1e-5, 1e-3])
    assert values["dropdown"] == ["a", "b", "c", "b"]
    assert values["radio"] == values["choice"] == ["b", "a"]
    assert values["toggle"] == values["check"] == [True, False]
    assert values["number"] == [1, 9, 4]
    assert values["press"] == [True]


def test_a_broken_callback_is_reported(open_notebook):
    notebook = open_notebook("planted.ipynb", [PLANTED])
    notebook.run_all()
    notebook.wait_done()
    _, problems = sweep(notebook)
    assert problems == ["planted 0, End: ZeroDivisionError: planted at the maximum"]
