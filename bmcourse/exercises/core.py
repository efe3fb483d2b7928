"""What a lesson's author writes (`Exercise`, `Wrong`) and what a student calls (`check`, `hint`, `reveal`, `predict`).

An exercise is a variable at the top level of `bmcourse/exercises/<topic>.py`; its reference's name is its name.
"""

import ast
import difflib
import importlib
import inspect
import pkgutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from bmcourse.exercises import progress
from bmcourse.exercises.compare import short
from bmcourse.exercises.judging import OPEN, PASSED, sandboxed
from bmcourse.exercises.outcomes import Mistake  # noqa: F401  (for the lessons)


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that people really give, and what to tell them."""

    answer: Callable
    message: str


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise: the right answer, the inputs it is tried on, and what is known about wrong ones.

    `cases()` makes a fresh list of argument tuples, the simplest one first; torch is seeded before it is called.
    `run(answer, *case)` makes a comparable result of an answer; without it the answer is called with the case. It may
    raise `Mistake("...")` where it knows what to tell the student.
    `judge(*case)` gives the expected result independently of the reference; without it the reference is run.
    """

    reference: Callable
    prompt: str
    cases: Callable
    wrong: tuple | list = ()
    right: tuple | list = ()
    hints: tuple | list = ()
    run: Callable | None = None
    judge: Callable | None = None
    tolerance: float = 1e-5
    inputs_unchanged: bool = True
    seconds: float = 10.0

    @property
    def name(self):
        """The exercise's name, which is the name the student's function or class must have."""
        return self.reference.__name__

    @property
    def solution(self):
        """The source of the reference."""
        return textwrap.dedent(inspect.getsource(self.reference)).strip()

    @property
    def stub(self):
        """The text of the cell the student starts from: the reference with every body left to be written."""
        lines = self.solution.splitlines()
        definition = ast.parse(self.solution).body[0]
        parts = definition.body if isinstance(definition, ast.ClassDef) else [definition]
        for function in reversed([part for part in parts if isinstance(part, ast.FunctionDef)]):
            empty = " " * (function.col_offset + 4) + "raise NotImplementedError"
            lines[_header_end(function, lines) : function.end_lineno] = [*_docstring(function, lines), empty]
        if ast.get_docstring(definition) is None:
            end = _header_end(definition, lines)
            lines[end:end] = _as_docstring(self.prompt)
        return "\n".join(lines)


def _docstring(definition, lines):
    """The lines of the definition's docstring, as they are."""
    if ast.get_docstring(definition) is None:
        return []
    return lines[definition.body[0].lineno - 1 : definition.body[0].end_lineno]


def _header_end(definition, lines):
    """The number of lines up to the colon that ends the `def` or `class` line."""
    after = range(definition.lineno, definition.end_lineno + 1)
    return next(number for number in after if lines[number - 1].split("#")[0].rstrip().endswith(":"))


def _as_docstring(prompt):
    wrapped = textwrap.wrap(prompt, 90)
    if len(wrapped) == 1:
        return [f'    """{prompt}"""']
    return [f'    """{wrapped[0]}', *(f"    {line}" for line in wrapped[1:]), '    """']


def check(answer):
    """Judge `answer`, the student's function or class, and show the verdict.

    Raises `ValueError` when no exercise has its name.
    """
    exercise = find(_name_of(answer), made_in=answer.__qualname__.rpartition(".<locals>.")[0])
    verdict = sandboxed(exercise, answer)
    if verdict.mark != OPEN:
        progress.attempt(exercise.name, verdict.mark == PASSED)
    show_bundle({"text/plain": verdict.text(), "text/html": verdict.html()})


def hint(exercise):
    """Show the next hint for `exercise`, given by its name or as the function itself."""
    exercise = find(_name_of(exercise, or_text=True))
    name, count = exercise.name, len(exercise.hints)
    number = progress.next_hint(name, count)
    first = number if number <= count else 1  # after the last one, all of them again
    lines = [f"hint {n} of {count} for {name}: {exercise.hints[n - 1]}" for n in range(first, min(number, count) + 1)]
    if number >= count:
        lines.append(f"There are no more hints. reveal({name}) shows an answer.")
    print("\n".join(lines))


def reveal(exercise):
    """Show an answer to `exercise`, given by its name or as the function itself."""
    source = find(_name_of(exercise, or_text=True)).solution
    show_bundle({"text/plain": source, "text/markdown": f"```python\n{source}\n```"})


def predict(question, options):
    """Ask the student to choose among `options` before a run; return the prediction, whose `answer()` the run calls.

    A choice is kept: asked again, the question shows it, locked. Raises `ValueError` for fewer than two options.
    """
    from bmcourse.live.prediction import Prediction

    prediction = Prediction(
        question,
        options,
        chosen=progress.prediction(question),
        on_lock=lambda option: progress.keep_prediction(question, option),
    )
    prediction.show()
    return prediction


def begin_again():
    """Open every prediction and every exercise again, for a new class; what was done before is kept in a file."""
    kept = progress.begin_again()
    print("Every prediction and exercise is open again. Restart the kernel of each notebook that is open.")
    if kept:
        print(f"What was done before is kept in {kept}.")


def find(name, made_in=""):
    """The exercise called `name`; raises `ValueError` with the names that are near when there is none.

    `made_in` is the function in whose body an answer of that name was defined, as a decorator does it.
    """
    names = []
    for exercise in exercises():
        if exercise.name == name:
            return exercise
        names.append(exercise.name)
    near = difflib.get_close_matches(name, names)
    advice = f"Did you mean {' or '.join(near)}?" if near else "The name must be the one in the exercise's stub."
    if made_in:
        advice = f"It was made in {made_in}(): if that is a decorator, take it away, or let it use functools.wraps."
    raise ValueError(f"There is no exercise called {name}. {advice}")


def exercises():
    """Every exercise of the course, lesson file by lesson file; a file is imported when its turn comes."""
    package = importlib.import_module("bmcourse.exercises")
    for module in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        lesson = importlib.import_module(f"bmcourse.exercises.{module}")
        yield from (value for value in vars(lesson).values() if isinstance(value, Exercise))


def _name_of(answer, or_text=False):
    if or_text and isinstance(answer, str):
        return answer
    name = getattr(answer, "__name__", None)
    if (inspect.isroutine(answer) or isinstance(answer, type)) and isinstance(name, str) and name != "<lambda>":
        return name
    raise ValueError(f"Give the function or class itself, as in check(mse). What came is {_came(answer)}.")


def _came(answer):
    if isinstance(answer, str):
        return f"text: {short(answer)}"
    if getattr(answer, "__name__", "") == "<lambda>":
        return "a lambda, which has no name: write it with def"
    return f"not a function: {type(answer).__name__}"


def show_bundle(bundle):
    """Display in a notebook, print the plain text elsewhere."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(bundle["text/plain"])
    else:
        ipython.display.display(bundle, raw=True)
