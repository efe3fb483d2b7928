"""Every notebook keeps the course's pattern: its form, its tags, its stubs, its definitions and its claims."""

import ast
import copy
import importlib
import inspect
import pkgutil
import re
import statistics
import textwrap

import nbformat
import pytest

import bmcourse
from bmcourse.claims import core as claims
from bmcourse.course.notebooks import normalised, read
from bmcourse.exercises.core import find
from tests.notebooks.lessons import (
    LESSONS,
    PATHS,
    code_cells,
    defined_name,
    minutes,
    names,
    sections,
    solved,
    tagged,
    tags,
    under_deeper_headings,
)

KNOWN_TAGS = {"exercise", "check", "defines", "deeper", "nbval-ignore-output"}
OUT_OF_USE = ("anew", "foretells?", "foretold", "by lot", "dearer", "bears? it out", "learns? by heart", "wherefrom", "thereof")
FORBIDDEN = {
    "pyplot": "pyplot keeps figures open and prints addresses: use bmcourse.plots",
    "clear_output": "nbval cannot compare what clear_output leaves",
    "import time": "a time never comes out the same again",
}


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def notebook(request):
    return read(request.param)


def test_there_are_lessons():
    assert LESSONS


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_enough_of_everything(path):
    lesson = read(path)
    core = [cell for cell in code_cells(lesson) if not tags(cell) & {"check", "deeper"}]  # a check is nothing to read
    assert 20 <= len(core) <= 45
    assert len(tagged(lesson, "exercise")) >= 5 and tagged(lesson, "defines")
    assert len(pictures(lesson)) >= 3 and len(claims_shown(lesson)) >= 4


def pictures(notebook):
    return [o for cell in code_cells(notebook) for o in cell.outputs if "image/png" in o.get("data", {})]


def claims_shown(notebook):
    calls = re.findall(r"claims\.show\((.*?)\)", "\n".join(cell.source for cell in code_cells(notebook)), re.S)
    return re.findall(r'"(\w+)"', " ".join(calls))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_times_at_the_top_are_true(path):
    lesson = read(path)
    core = [cell for cell in lesson.cells if "deeper" not in tags(cell)]
    true = round(minutes(core)), round(minutes(lesson.cells)), 8 * len(tagged(lesson, "exercise"))
    told = re.search(
        r"^\*\*Time\*\*: (\d+) minutes for the core path, (\d+) for the whole lesson, and about (\d+) more for the "
        r"exercises\.$",
        lesson.cells[0].source,
        re.M,
    )
    assert told and all(abs(int(a) - b) <= 2 for a, b in zip(told.groups(), true, strict=True)), f"it takes {true}"
    assert true[0] <= 45


def test_numbers_are_told_as_numbers(notebook):
    """A line that ends in True or False is for what is yes or no, and rare."""
    texts = [output.get("text", "") + output.get("data", {}).get("text/plain", "") for cell in code_cells(notebook)
             for output in cell.outputs]
    told = re.findall(r"^.*\b(?:True|False)$", "\n".join(texts), re.M)
    assert len(told) <= 6, f"say how many, with plots.measured: {told}"


def test_no_word_is_out_of_use(notebook):
    prose = "\n".join(cell.source for cell in notebook.cells)
    assert not re.findall(rf"\b(?:{'|'.join(OUT_OF_USE)})\b", prose)


def test_prose_stands_before_code(notebook):
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        assert cell.cell_type == "markdown" or before.cell_type == "markdown", f"no prose before:\n{cell.source}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_set_up_says_how_to_begin_further_down(path):
    text = next(cell.source for cell in read(path).cells if "## Set-up" in cell.source)
    assert "choose *Run → Run All Above Selected Cell*." in text


def test_cells_are_short(notebook):
    lengths = sorted(len(cell.source.splitlines()) for cell in code_cells(notebook))
    assert statistics.median(lengths) <= 6
    assert lengths[-2] <= 25 and lengths[-1] <= 40
    wide = [line for cell in code_cells(notebook) for line in cell.source.splitlines() if len(line) > 100]
    assert not wide, "too wide for the page"


def test_it_is_stored_executed_and_normalised(notebook):
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    assert nbformat.writes(normalised(copy.deepcopy(notebook))) == nbformat.writes(notebook)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_every_picture_has_alt_text(notebook):
    assert all(len(picture.metadata["image/png"]["alt"]) > 20 for picture in pictures(notebook))


def test_nothing_that_cannot_be_compared(notebook):
    for cell in code_cells(notebook):
        assert tags(cell) <= KNOWN_TAGS
        assert not [why for word, why in FORBIDDEN.items() if word in cell.source]
        texts = [output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
        assert not re.search(r"0x[0-9a-f]{6,}|/home/|/tmp/", "".join(texts))
    assert len(tagged(notebook, "nbval-ignore-output")) <= 4


def test_stubs_are_the_exercises_own(notebook):
    exercises = tagged(notebook, "exercise")
    names = [defined_name(cell.source) for cell in exercises]
    assert [cell.source for cell in exercises] == [find(name).stub for name in names]
    assert [cell.source for cell in tagged(notebook, "check")] == [f"check({name})" for name in names]


def test_definitions_are_the_packages_own(notebook):
    for cell in tagged(notebook, "defines"):
        theirs, ours = packages_own(defined_name(cell.source)), ast.parse(cell.source)
        assert ast.dump(claims.without_docstrings(ours)) == ast.dump(claims.without_docstrings(theirs))


def packages_own(name):
    """The syntax tree of the one function or class of that name in the package."""
    homes = (bmcourse, *(importlib.import_module(f"bmcourse.{name}") for name in ("models", "explain")))
    modules = [
        m.name for home in homes for m in pkgutil.iter_modules(home.__path__, f"{home.__name__}.") if not m.ispkg
    ]
    found = set()
    for module in map(importlib.import_module, sorted(set(modules) - {"bmcourse.__main__"})):
        thing = vars(module).get(name)
        if getattr(thing, "__module__", None) == module.__name__:
            found.add(thing)
    assert len(found) == 1, f"{name} is defined {len(found)} times in the package"
    return ast.parse(textwrap.dedent(inspect.getsource(found.pop())))


def test_claims_shown_are_claims_measured(notebook):
    shown = claims_shown(notebook)
    assert len(set(shown)) == len(shown)
    assert set(shown) <= set(claims.find_all())


def test_nothing_gives_the_answer_to_a_prediction_away(notebook):
    answering = [cell for cell in code_cells(notebook) if re.search(r"^\w+\.answer\(", cell.source, re.M)]
    for cell in answering:
        assert not re.search(r"print\(|plots\.show\(|claims\.show\(|live\.", cell.source), "hand it to answer()"
        (output,) = cell.outputs
        assert output.data["text/html"].startswith("<details><summary>")
    assert len(answering) == sum(cell.source.count("= predict(") for cell in code_cells(notebook))
    for cell, below in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell in answering:
            assert below.source.startswith(("<details><summary>", "#")), f"fold what explains it:\n{below.source}"
            (answer,) = re.findall(r"Result: (.*)\.$", cell.outputs[0].data["text/plain"])
            prose = re.sub(r"<details>.*?</details>", "", below.source, flags=re.DOTALL)
            assert not re.search(rf"\b{re.escape(answer)}\b", prose, re.IGNORECASE), f"fold {answer!r}:\n{prose}"


def test_a_name_means_one_thing(notebook):
    """A cell run again finds what its section made: no name of two sections is read where it was not bound first."""
    bound = [set().union(*(names(cell.source)[1] for cell in cells)) for cells in sections(notebook)]
    shared = {name for one in bound for name in one if sum(name in other for other in bound) > 1}
    for cells in sections(notebook):
        so_far = set()
        for cell in cells:
            reads, binds = names(cell.source)
            assert not (reads & shared) - so_far - binds, f"bound by other sections, too:\n{cell.source}"
            so_far |= binds


def test_what_goes_deeper_is_marked_and_can_be_left_out(notebook):
    """Every cell under a heading that ends with DEEPER has the tag, no other has it, and no other needs its names."""
    marked = under_deeper_headings(notebook)
    assert [cell.source for cell in notebook.cells if "deeper" in tags(cell)] == [cell.source for cell in marked]
    core = [names(cell.source) for cell in code_cells(notebook) if cell not in marked]
    deeper = set().union(*(names(cell.source)[1] for cell in marked if cell.cell_type == "code"))
    missing = deeper - set().union(*(bound for _, bound in core))
    assert not [used for used, _ in core if used & missing], "the core path needs what goes deeper"


def test_terms_are_given_in_chinese(notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert len(re.findall(r"[\u4e00-\u9fff]{2,}", prose)) >= 10


def test_the_solved_variant_has_no_stub_left(notebook):
    stub = re.compile(r"raise NotImplementedError$", re.M)  # bare: with a message it is somebody's abstract method
    assert any(stub.search(cell.source) for cell in code_cells(notebook))
    assert not any(stub.search(cell.source) for cell in code_cells(solved(notebook)))


def test_every_claim_of_the_course_is_shown_in_a_lesson():
    shown = {name for path in PATHS for name in claims_shown(read(path))}
    assert set(claims.find_all()) == shown
