"""Judge one answer: run it on every case, compare with what is right, and find the sentence that helps."""

import contextlib
import html
import inspect
import io
import random
import traceback
from dataclasses import asdict, dataclass

from bmcourse.exercises import sandbox
from bmcourse.exercises.compare import clipped, comparable, difference, short, snapshot, unchanged

PASSED, FAILED, OPEN = "✓", "✗", "○"


@dataclass(frozen=True)
class Verdict:
    """The judgment of one answer: a mark, a sentence, and labelled lines that show where it went wrong."""

    mark: str
    name: str
    message: str
    rows: tuple | list = ()

    def text(self):
        """The verdict as plain text."""
        rows = [f"  {label:<9} {line}" for label, line in self._labelled()]
        return "\n".join([f"{self.mark} {self.name}: {self.message}", *rows])

    def html(self):
        """The verdict with a colour at its edge; ink and paper stay the theme's own."""
        from bmcourse.plots import BLUE, GREEN, RED

        colour = {PASSED: GREEN, FAILED: RED, OPEN: BLUE}[self.mark]
        rows = "\n".join(f"{label:<9} {line}" for label, line in self._labelled())
        table = f'<pre style="margin:4px 0 0;white-space:pre-wrap">{html.escape(rows)}</pre>' if rows else ""
        head = f"<b>{self.mark} {html.escape(self.name)}</b>: {html.escape(self.message)}"
        return f'<div style="border-left:5px solid {colour};padding:2px 0 2px 10px">{head}{table}</div>'

    def _labelled(self):
        """The rows line by line, the label on the first line of each."""
        for label, content in self.rows:
            for number, line in enumerate(content.splitlines()):
                yield ("" if number else label), line


def sandboxed(exercise, answer, fork=None):
    """The verdict on `answer`, judged in a child process."""
    ended = sandbox.call(_assess_to_dict, exercise, answer, seconds=exercise.seconds, fork=fork)
    if ended.how == "raised":
        raise RuntimeError(f"The exercise {exercise.name} itself is broken, your answer is not:\n{ended.value}")
    verdict = Verdict(**ended.value) if ended.how == "returned" else _unfinished(exercise, ended)
    if verdict.mark == OPEN or not ended.printed.strip():
        return verdict
    printed = clipped("\n".join(ended.printed.strip().splitlines()[:10]), 500)
    return Verdict(verdict.mark, verdict.name, verdict.message, [*verdict.rows, ("printed", printed)])


def _unfinished(exercise, ended):
    if ended.how == "unsent":
        message = (
            f"Your code uses something that cannot be copied to the process that checks it ({ended.value}). "
            "Let it use its arguments only."
        )
    elif ended.how == "computed":
        message = f"Your code took more than {ended.value:g} s of computing. Is there a loop that never ends?"
    elif ended.how == "waited":
        taken, computed = ended.value
        message = (
            f"Your code was stopped after {taken:.0f} s, in which it computed for {computed:.1f} s only. Does it "
            "sleep, or wait for something that does not come? If your computer is busy with other work, try again "
            "later."
        )
    elif ended.how == "garbled":
        message = (
            "Your code wrote into the connection that brings its results to the check, or closed it. Write to files "
            "and close files only where your code has opened them."
        )
    elif ended.value >= 0:
        message = "Your code ended the whole Python process. Leave out exit() and os._exit(): use `return`."
    else:
        message = (
            f"Your code crashed the Python process (signal {-ended.value}). The usual causes are endless memory and "
            "native code that got a wrong index. Your notebook is unharmed."
        )
    return Verdict(FAILED, exercise.name, message)


def _assess_to_dict(exercise, answer):
    return asdict(assess(exercise, answer))


def assess(exercise, answer):
    """The verdict on `answer`, judged in this process; random states, grad mode and default type stay as they were."""
    with _same_surroundings():
        outcomes = list(_outcomes(exercise, answer))
        unwritten = [outcome.raised for outcome in outcomes if outcome.raised and outcome.raised.unwritten]
        if len(unwritten) == len(outcomes):
            message = "not attempted yet. Replace `raise NotImplementedError` with your answer and run this again."
            return Verdict(OPEN, exercise.name, message)
        expected = _expected(exercise)
        faults = [_fault(exercise, answer, *pair) for pair in zip(outcomes, expected, strict=True)]
        if not any(faults):
            return _passed_twice(exercise, answer, outcomes)
        known = next((wrong.message for wrong in exercise.wrong if _alike(exercise, outcomes, wrong.answer)), None)
        first = next(index for index, fault in enumerate(faults) if fault)
        rows = _rows(exercise, first, outcomes[first], expected[first])
        return Verdict(FAILED, exercise.name, known or faults[first][0].upper() + faults[first][1:], rows)


@contextlib.contextmanager
def _same_surroundings():
    """Whatever a notebook has set, answers are judged with gradients and in float32; afterwards all is as it was."""
    import numpy as np
    import torch

    states, dtype = (random.getstate(), np.random.get_state()), torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        random.setstate(states[0])
        np.random.set_state(states[1])


def _passed_twice(exercise, answer, outcomes):
    """The verdict on an answer that was right once: it must do the same again, whatever random and numpy.random do."""
    with contextlib.redirect_stdout(io.StringIO()):  # what it prints was shown the first time
        again = list(_outcomes(exercise, answer, luck=2))
    for index, (one, other) in enumerate(zip(outcomes, again, strict=True)):
        if not _same(one, other, exercise.tolerance):
            message = (
                "not the same twice: called again with the same input, your code gave something else. Draw random "
                "numbers from torch or from the generator you are given, and keep nothing from one call to the next."
            )
            rows = _rows(exercise, index, other, one.value)
            return Verdict(FAILED, exercise.name, f"{message[0].upper()}{message[1:]}", rows)
    count = f"on all {len(outcomes)} inputs" if len(outcomes) > 1 else "on the one input"
    return Verdict(PASSED, exercise.name, f"right {count}.")


class Mistake(Exception):
    """Raised by an exercise's `run` that itself knows what is wrong with an answer: its text is the whole verdict."""


@dataclass(frozen=True)
class Raised:
    """An exception, kept without its frames, which would keep the student's data alive."""

    text: str
    line: str = ""
    unwritten: bool = False
    arguments: bool = False
    memory: bool = False
    mistake: bool = False


@dataclass(frozen=True)
class Outcome:
    """What an answer did with one case: a value or an exception, and the inputs it changed."""

    value: object = None
    raised: Raised | None = None
    changed: tuple = ()


def _seed(number, luck=1):
    """What torch.manual_seed does on the CPU; that one takes a hundred times as long: it keeps a stack trace.

    `luck` seeds what no exercise draws from: Python's and numpy's own generators.
    """
    import numpy as np
    import torch

    torch.default_generator.manual_seed(number)
    random.seed(luck)
    np.random.seed(luck)


def _fresh_cases(exercise):
    _seed(0)
    return list(exercise.cases())


def _outcomes(exercise, answer, luck=1):
    """What `answer` does with one case after the other, each time from the same random state."""
    for case, untouched in zip(_fresh_cases(exercise), _fresh_cases(exercise), strict=True):
        _seed(1, luck)
        yield _outcome(exercise, answer, case, untouched)


def _outcome(exercise, answer, case, untouched):
    try:
        value = snapshot(exercise.run(answer, *case) if exercise.run else answer(*case))
        return Outcome(value, changed=_changed(exercise, case, untouched) if exercise.inputs_unchanged else ())
    except BaseException as error:  # an answer may raise anything
        return Outcome(raised=_raised(error, answer))


def _expected(exercise):
    """The right result of every case."""
    if exercise.judge is None:
        outcomes = list(_outcomes(exercise, exercise.reference))
        broken = next((outcome.raised.text for outcome in outcomes if outcome.raised), None)
        assert broken is None, f"the reference raised {broken}"
        return [outcome.value for outcome in outcomes]
    results = []
    for case in _fresh_cases(exercise):
        _seed(1)
        results.append(snapshot(exercise.judge(*case)))
    return results


def _changed(exercise, case, untouched):
    names = _input_names(exercise, case)
    return tuple(name for name, *pair in zip(names, case, untouched, strict=True) if not unchanged(*pair))


def _alike(exercise, outcomes, wrong):
    """Whether a catalogued wrong answer behaves as the student's does on every case; most differ on the first."""
    return all(_same(*pair, exercise.tolerance) for pair in zip(outcomes, _outcomes(exercise, wrong), strict=True))


def _same(one, other, tolerance):
    return (
        one.changed == other.changed
        and (one.raised and one.raised.text) == (other.raised and other.raised.text)
        and _equal(one.value, other.value, tolerance)
    )


def _equal(one, other, tolerance):
    """Equal seen from either side, so that a lost gradient counts."""
    try:
        return not difference(one, other, tolerance) and not difference(other, one, tolerance)
    except Exception:  # of what cannot be compared, models and functions are alike, tensors without values are not
        return type(one) is type(other) and not comparable(one)


def _fault(exercise, answer, outcome, expected):
    """What is wrong with one outcome, as a sentence; "" where nothing is."""
    if outcome.raised:
        return _fault_of_error(exercise, answer, outcome.raised)
    try:
        sentence = difference(outcome.value, expected, exercise.tolerance)
    except Exception as error:  # of tensors without values, sparse ones, and whatever else there is
        if not comparable(expected):
            raise
        return f"the result cannot be compared with what was expected ({type(error).__name__})."
    if not sentence and outcome.changed:
        return (
            f"the result is right, but your code changed its input {' and '.join(outcome.changed)} in place. "
            "`x = x - 1` makes a new tensor; `x -= 1`, `x[0] = 1` and methods such as `x.add_(1)` change the old one."
        )
    return sentence


def _fault_of_error(exercise, answer, raised):
    if raised.mistake:
        return raised.text
    if raised.memory:
        return f"your code asked for more memory than a check allows ({sandbox.MEMORY / 2**30:g} GB)."
    if raised.unwritten:
        return f"one part is still to be written: {raised.line or 'raise NotImplementedError'}"
    if raised.arguments and _parameters(answer) != _parameters(exercise.reference):
        wanted, came = _parameters(exercise.reference), _parameters(answer)
        return f"wrong arguments. Expected {exercise.name}({wanted}), what came is {exercise.name}({came})."
    if not raised.line:
        return "the check could not use what your code gave it."
    return f"your code raised an error in {raised.line}"


def _rows(exercise, index, outcome, expected):
    """The lines under a verdict: the first input that fails, what came, what was expected."""
    if outcome.raised and outcome.raised.mistake:
        return []
    case = _fresh_cases(exercise)[index]
    pairs = zip(_input_names(exercise, case), case, strict=True)
    yours = outcome.raised.text if outcome.raised else short(outcome.value)
    rows = [
        ("input", "\n".join(f"{name} = {short(value)}" for name, value in pairs)),
        ("yours", yours),
        ("expected", short(expected)),
    ]
    return [(label, clipped(text, 600)) for label, text in rows if text]


def _input_names(exercise, case):
    """A name for each argument of a case: the parameters of `run` after the answer, or those of the reference.

    A `run` that hands on `*case` as it is has the reference's.
    """
    names = list(inspect.signature(exercise.reference).parameters)
    if exercise.run:
        _, *own = inspect.signature(exercise.run).parameters.values()
        if all(parameter.kind is not inspect.Parameter.VAR_POSITIONAL for parameter in own):
            names = [parameter.name for parameter in own]
    return [*names, *(f"argument {number + 1}" for number in range(len(names), len(case)))][: len(case)]


def _parameters(function):
    """The parameters of a function as they are written, without types and defaults."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # built-in functions have none
        return "?"
    empty = inspect.Parameter.empty
    plain = inspect.Signature([parameter.replace(annotation=empty, default=empty) for parameter in parameters])
    return str(plain)[1:-1]


def _raised(error, answer):
    """The exception as plain text, with the last line of the student's code that it came through."""
    file = _file_of(answer)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = f"line {frames[-1].lineno}: {frames[-1].line}".rstrip(": ") if frames else ""
    if isinstance(error, Mistake):
        return Raised(str(error), mistake=True)
    text = type(error).__name__
    with contextlib.suppress(Exception):  # an exception of the student's own may fail to say what it is
        text = f"{text}: {error}".removesuffix(": ")
    return Raised(
        clipped(text, 300),
        line,
        unwritten=type(error) is NotImplementedError and not error.args,
        arguments=isinstance(error, TypeError) and not frames,
        memory=isinstance(error, MemoryError) or "can't allocate memory" in text,
    )


def _file_of(answer):
    """The file (or notebook cell) that a function or a class comes from; None for built-in ones."""
    functions = vars(answer).values() if isinstance(answer, type) else [inspect.unwrap(answer)]
    return next((f.__code__.co_filename for f in functions if hasattr(f, "__code__")), None)
