"""`python -m bmcourse notebooks`: what it takes out, what it keeps, and that a second run changes no byte."""

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from bmcourse.course import notebooks


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    return tmp_path


def save(path, *sources):
    cells = [new_markdown_cell("# Title"), *map(new_code_cell, sources)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(new_notebook(cells=cells), path)


def test_a_second_run_changes_no_byte(folder, capsys):
    save(folder / "01_one.ipynb", "import bmcourse; 6 * 7", "import ipywidgets; ipywidgets.IntSlider()")
    assert notebooks.main(["01"]) == 0
    first = (folder / "01_one.ipynb").read_bytes()
    assert notebooks.main([]) == 0
    assert (folder / "01_one.ipynb").read_bytes() == first
    assert capsys.readouterr().out.splitlines()[-1].endswith("not one byte changed")
    executed = notebooks.read(folder / "01_one.ipynb")
    assert [cell.get("execution_count") for cell in executed.cells] == [None, 1, 2]
    assert executed.cells[1].outputs[0].data["text/plain"] == "42"
    assert set(executed.cells[2].outputs[0].data) == {"text/plain"}
    assert "widgets" not in executed.metadata


def test_what_differs_between_runs_is_taken_out():
    cell = new_code_cell(
        "1", execution_count=7, metadata={"tags": ["check"], "execution": {"iopub.execute_input": "t"}}
    )
    notebook = new_notebook(cells=[cell], metadata={"widgets": {}, "language_info": {"name": "python", "version": "3"}})
    plain = notebooks.normalised(notebook)
    assert plain.cells[0].execution_count == 1 and plain.cells[0].metadata == {"tags": ["check"]}
    assert plain.metadata == {"kernelspec": notebooks.KERNEL, "language_info": {"name": "python"}}


def test_prints_that_follow_each_other_are_one_output_and_pictures_stay_between_them():
    texts = [new_output("stream", name="stdout", text=text) for text in ("a", "b\n", "c\n")]
    picture = new_output("display_data", data={"text/plain": "picture"})
    warning = new_output("stream", name="stderr", text="!")
    cell = new_code_cell("1", outputs=[*texts[:2], picture, texts[2], warning])
    outputs = notebooks.normalised(new_notebook(cells=[cell])).cells[0].outputs
    assert [output.get("text", "picture") for output in outputs] == ["ab\n", "picture", "c\n", "!"]


def test_a_failing_cell_writes_nothing(folder):
    save(folder / "01_bad.ipynb", "1 / 0")
    before = (folder / "01_bad.ipynb").read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.main([])
    assert (folder / "01_bad.ipynb").read_bytes() == before


def test_a_name_that_no_notebook_has(folder, capsys):
    save(folder / "01_one.ipynb", "1")
    assert notebooks.main(["99"]) == 2
    assert "No notebook's name starts with 99" in capsys.readouterr().out
