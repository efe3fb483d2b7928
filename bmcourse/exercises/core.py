"""What a lesson's author writes (`exercise`) and what a student calls (`check`, `hint`, `reveal`, `from_me` ...).

One exercise is one file, `bmcourse/exercises/<topic>/<exercise>.py`, read from top to bottom:

    @exercise(prompt="The mean squared error of two tensors of the same shape.")
    def mse(predictions, targets):
        return ((predictions - targets) ** 2).mean()

    @mse.cases
    def cases():
        return [(torch.tensor([1.0, 2.0]), torch.zeros(2)), ...]

    @mse.right
    def by_a_product(predictions, targets):
        ...

    @mse.mistake("You took the sum, not the mean: twice as many examples give twice the loss. Use .mean().")
    def sum_not_mean(predictions, targets):
        return ((predictions - targets) ** 2).sum()

    mse.hints("The error is predictions - targets.", ...)
"""

import ast
import difflib
import importlib
import inspect
import linecache
import math
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bmcourse.exercises import progress
from bmcourse.exercises.compare import short
from bmcourse.exercises.judging import OPEN, PASSED, sandboxed


@dataclass(frozen=True)
class Known:
    """A wrong answer that people really give: its name says what is wrong with it, its message what to do."""

    name: str
    message: str
    answer: Callable


def exercise(**settings):
    """Make an `Exercise` of the function or class below, which is the reference; its name is the exercise's name."""
    return lambda reference: Exercise(reference=reference, **settings)


@dataclass(kw_only=True, eq=False)
class Exercise:
    """One exercise: the right answer, the inputs it is tried on, and what is known about wrong ones.

    `prompt` says what is asked, by default the reference's docstring. `tolerance` is absolute below 1 and relative
    above. `seconds` of computing are allowed.
    `built` names what must not be called, as it is what the exercise has people build: ("mse_loss", "MSELoss").
    `untried` excuses, with a reason, what no case tries: {"logits": {"a zero": "..."}} (see checklists).
    """

    reference: Callable
    prompt: str = ""
    tolerance: float = 1e-5
    seconds: float = 10.0
    built: tuple = ()
    untried: dict = field(default_factory=dict)
    inputs: Callable | None = None
    runner: Callable | None = None
    oracle: Callable | None = None
    rights: list = field(default_factory=list)
    mistakes: list = field(default_factory=list)
    advice: tuple = ()

    def __post_init__(self):
        self.prompt = self.prompt or inspect.getdoc(self.reference)

    def __call__(self, *arguments, **named):
        """What the reference makes of these arguments."""
        return self.reference(*arguments, **named)

    def cases(self, make):
        """`make()` makes a fresh list of argument tuples, the simplest one first; torch is seeded before it is called.

        Where a tensor among them wants a gradient, the gradient that an answer gives it is compared as well.
        """
        self.inputs = make
        return make

    def run(self, function):
        """`function(answer, *case)` makes a comparable result of an answer; without it the answer gets the case.

        It may raise `Mistake("...")` where it knows what to tell the student.
        """
        self.runner = function
        return function

    def judge(self, function):
        """`function(*case)` gives the expected result independently of the reference; without it that one is run."""
        self.oracle = function
        return function

    def right(self, answer):
        """Another right answer, written differently."""
        self.rights.append(answer)
        return answer

    def mistake(self, message, **named):
        """A wrong answer and what to tell those who give it: the function below, or `its_name=answer`."""

        def known(answer, name=None):
            self.mistakes.append(Known(name or answer.__name__, message, answer))
            return answer

        for name, answer in named.items():
            known(answer, name)
        return known

    def hints(self, *texts):
        """What helps, in stages: from a push to nearly the answer."""
        self.advice = texts

    def changed(self, *texts):
        """The reference with each `old` replaced by its `new`: `mse.changed(".mean()", ".sum()")`."""
        source = self.solution
        for old, new in zip(texts[::2], texts[1::2], strict=True):
            assert old in source, f"{old!r} is not in {self.name}"
            source = source.replace(old, new)
        names = {}
        exec(compile(source, f"<{self.name}, changed>", "exec"), self._globals(), names)
        return names[self.name]

    def _globals(self):
        return vars(sys.modules[self.reference.__module__])

    @property
    def name(self):
        """The exercise's name, which is the name the student's function or class must have."""
        return self.reference.__name__

    @property
    def lesson(self):
        """The lesson in which the exercise stands, as in "lesson 03": its own file says so, or that of its topic."""
        module = sys.modules[self.reference.__module__]
        return re.search(r"lesson \d\d", module.__doc__ + sys.modules[module.__package__].__doc__.lower())[0]

    @property
    def solution(self):
        """The source of the reference."""
        source = textwrap.dedent(inspect.getsource(self.reference)).strip()
        return "\n".join(source.splitlines()[ast.parse(source).body[0].lineno - 1 :])

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
    if verdict.mark == PASSED:
        _passed[exercise.name] = answer
        progress.attempt(exercise.name, True, _source(answer))
    elif verdict.mark != OPEN:
        progress.attempt(exercise.name, False)
    show_bundle({"text/plain": verdict.text(), "text/html": verdict.html()})


def from_me(answer):
    """The student's own answer where it has passed its check, in this notebook or another, and else the course's.

    `answer` is the function or class, or its name. A line says whose it is.
    """
    exercise = find(_name_of(answer, or_text=True))
    mine = _passed.get(exercise.name) or _kept(exercise)
    whose = "your answer" if mine else f"the course's answer, until yours passes ({exercise.lesson})"
    print(f"{exercise.name}: {whose}")
    return mine or exercise.reference


_passed = {}  # the answers that have passed in this notebook


def _source(answer):
    """The text of an answer, which another notebook can use; "" where there is none."""
    try:
        return textwrap.dedent(inspect.getsource(answer))
    except (OSError, TypeError):
        return ""


def _kept(exercise):
    """The answer that passed in another notebook, if it passes here as well, with nothing around it but torch."""
    source = progress.answer(exercise.name)
    if not source:
        return None
    names = dict(_usual_names())
    file = f"<your {exercise.name}>"
    try:
        exec(compile(source, file, "exec"), names)
    except Exception:  # it needs something that only its own notebook has
        return None
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    mine = names.get(exercise.name)
    return mine if mine and sandboxed(exercise, mine).mark == PASSED else None


def _usual_names():
    """What the set-up cells of the lessons import, by the names they give it."""
    import numpy
    import torch

    return {"math": math, "np": numpy, "torch": torch, "F": torch.nn.functional, "nn": torch.nn}


def hint(exercise):
    """Show the next hint for `exercise`, given by its name or as the function itself."""
    exercise = find(_name_of(exercise, or_text=True))
    name, count = exercise.name, len(exercise.advice)
    number = progress.next_hint(name, count)
    first = number if number <= count else 1  # after the last one, all of them again
    lines = [f"hint {n} of {count} for {name}: {exercise.advice[n - 1]}" for n in range(first, min(number, count) + 1)]
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
    if found := _read(name):
        return found
    near = difflib.get_close_matches(name, [exercise.name for exercise in exercises()])
    advice = f"Did you mean {' or '.join(near)}?" if near else "The name must be the one in the exercise's stub."
    if made_in:
        advice = f"It was made in {made_in}(): if that is a decorator, take it away, or let it use functools.wraps."
    raise ValueError(f"There is no exercise called {name}. {advice}")


def exercises():
    """Every exercise of the course, topic by topic."""
    for file in sorted(Path(__file__).parent.glob("*/*.py")):
        module = importlib.import_module(f"bmcourse.exercises.{file.parent.name}.{file.stem}")
        yield from (value for value in vars(module).values() if _lives_in(file, value))


def _lives_in(file, value):
    return isinstance(value, Exercise) and file_name(value.name) == file.stem


def _read(name):
    """The exercise called `name`, of which only its own file is imported; None where there is no such file."""
    for file in Path(__file__).parent.glob(f"*/{file_name(name)}.py"):
        module = importlib.import_module(f"bmcourse.exercises.{file.parent.name}.{file.stem}")
        found = getattr(module, name, None)
        return found if isinstance(found, Exercise) else None
    return None


def file_name(name):
    """The name of an exercise's file: `MyAdamW` lives in my_adamw.py."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


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
