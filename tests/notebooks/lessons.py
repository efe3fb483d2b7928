"""The lessons as the tests see them: their files, their cells by tag, and their solved variant."""

import ast
import builtins
import re
import symtable

from bmcourse.course.notebooks import FOLDER
from bmcourse.exercises.core import find

PATHS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
DEEPER = "· deeper (选读)"  # how a heading says that the core path does not need what stands under it
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


def sections(notebook):
    """The code cells under each heading ##, one list a section; the first is the set-up."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found[-1].append(cell)
        elif any(line.startswith("## ") for line in cell.source.splitlines()):
            found.append([])
    return found


def under_deeper_headings(notebook):
    """The cells from a heading that ends with DEEPER to the next heading of its own or a higher level."""
    found, level = [], 0  # the level of the heading that we are under, 0 for none that goes deeper
    for cell in notebook.cells:
        lines = cell.source.splitlines() if cell.cell_type == "markdown" else []
        headings = [line for line in lines if re.match("#+ ", line)]
        assert not any(line.endswith(DEEPER) for line in headings[1:]), f"one cell for what goes deeper:\n{cell.source}"
        for line in headings:
            depth = len(line) - len(line.lstrip("#"))
            if line.endswith(DEEPER):
                level = depth
            elif level and depth <= level:
                level = 0
        if level:
            found.append(cell)
    return found


def minutes(cells):
    """How long some cells take to read and run: 200 words or 20 lines of code a minute, and 15 s for each code cell."""
    words = sum(len(re.findall(r"\w[\w'’-]*", cell.source)) for cell in cells if cell.cell_type == "markdown")
    code = [cell for cell in cells if cell.cell_type == "code" and not tags(cell) & {"check", "exercise"}]
    return words / 200 + sum(len(cell.source.splitlines()) for cell in code) / 20 + len(code) / 4


def names(source):
    """The global names that a cell reads, and those that it binds."""
    table = symtable.symtable(source, "cell", "exec")
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    return _read(table) - set(dir(builtins)), bound


def _read(table):
    here = (s for s in table.get_symbols() if s.is_referenced() and (table.get_type() == "module" or s.is_global()))
    return {s.get_name() for s in here}.union(*map(_read, table.get_children()))
