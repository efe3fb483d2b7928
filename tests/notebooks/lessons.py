"""The lessons as the tests see them: their files, their cells by tag, and their solved variant."""

import ast

from bmcourse.course.notebooks import FOLDER
from bmcourse.exercises.core import find

PATHS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
LESSONS = [path for path in PATHS if not path.name.startswith("00_")]  # 00 says how the course works: no lesson's size


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", ()))


def tagged(notebook, tag):
    return [cell for cell in code_cells(notebook) if tag in tags(cell)]


def defined_name(source):
    """The name of the function or class that a cell defines first."""
    return next(node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef))


def solved(notebook):
    """The notebook with every exercise's stub replaced by its reference answer, in place."""
    for cell in tagged(notebook, "exercise"):
        cell.source = find(defined_name(cell.source)).solution
    return notebook
