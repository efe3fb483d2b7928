"""Every lesson as a student leaves it: solved, run from top to bottom in JupyterLab, legible, every control moved.

Then every cell is run once more: whatever a reader has done since, it does what its text says. These tests take the
longest of all. Two classes are two scopes, so two workers share them.
"""

import pytest

from bmcourse.course.notebooks import read, write
from tests.browser import legible
from tests.browser.sweep import sweep
from tests.notebooks.lessons import PATHS, code_cells, solved, tagged


class SolvedLessons:
    def test_the_solved_lesson_runs_and_every_control_works(self, path, server, open_notebook):
        lesson = solved(read(path))
        for cell in code_cells(lesson):
            cell.outputs = []
        write(server.folder / path.name, lesson)
        notebook = open_notebook(path.name)
        run_all(notebook, lesson)
        assert legible.faults(notebook) == []
        assert sweep(notebook)[1] == []
        run_all(notebook, lesson)


def run_all(notebook, lesson):
    """Run every cell; no error, and every answer is right."""
    notebook.run_all()
    notebook.wait_done(600_000)
    assert notebook.problems() == []
    checks = [output.data["text/plain"] for cell in tagged(notebook.saved(), "check") for output in cell.outputs]
    assert len(checks) == len(tagged(lesson, "check"))
    assert [verdict for verdict in checks if not verdict.startswith("✓")] == []


@pytest.mark.parametrize("path", PATHS[::2], ids=lambda path: path.stem)
class TestEvenLessons(SolvedLessons):
    """00, 02, 04, ..."""


@pytest.mark.parametrize("path", PATHS[1::2], ids=lambda path: path.stem)
class TestOddLessons(SolvedLessons):
    """01, 03, 05, ..."""
