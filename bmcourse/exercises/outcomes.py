"""What an answer does with every case of its exercise, as data. It runs beside a student's code, judging nothing."""

import contextlib
import inspect
import io
import random
import traceback
import warnings
from dataclasses import dataclass

from bmcourse.exercises.compare import clipped
from bmcourse.exercises.packing import packed, unpacked
from bmcourse.exercises.traces import gradients, watched


class Mistake(Exception):
    """Raised by an exercise's `run` that itself knows what is wrong with an answer: its text is the whole verdict."""


@dataclass(frozen=True)
class Raised:
    """An exception as text, with the last line of the student's code that it came through.

    `unwritten`: a bare NotImplementedError. `called`: the answer's parameters, where it was called with other ones.
    """

    text: str
    line: str = ""
    unwritten: bool = False
    called: str = ""
    memory: bool = False
    mistake: bool = False


@dataclass(frozen=True)
class Outcome:
    """What an answer did with one case: a value or an exception, and what it left behind.

    `gradients`: what the result gives each input that wants a gradient, by its name; or text, the error on that way.
    `left`: pairs of what is no longer as it was and where, as in ("training", "model"). `nothing`: it gave back None.
    """

    value: object = None
    raised: Raised | None = None
    gradients: object = ()
    left: tuple = ()
    nothing: bool = False

    def packed(self):
        """The outcome as JSON."""
        left = list(map(list, self.left))
        return [packed(self.value), self.raised and vars(self.raised), packed(self.gradients), left, self.nothing]


def unpacked_outcome(data):
    """The outcome that `Outcome.packed` made this data of; raises an error of some kind where it did not."""
    value, raised, gradients, left, nothing = data
    if raised:
        raised = Raised(**raised)
        assert all(type(part) is type(vars(Raised(""))[name]) for name, part in vars(raised).items())
    left = tuple((str(what), str(where)) for what, where in left)
    return Outcome(unpacked(value), raised, unpacked(gradients), left, bool(nothing))


def tried_twice(exercise, answer, caught=BaseException):
    """What `answer` does with every case, and what it does when all is done again with other luck, as JSON.

    What it prints is shown the first time only.
    """
    with same_surroundings(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = [outcome.packed() for outcome in outcomes(exercise, answer, 1, caught)]
        with muted():
            return [first, [outcome.packed() for outcome in outcomes(exercise, answer, 2, caught)]]


def outcomes(exercise, answer, luck=1, caught=Exception):
    """What `answer` does with one case after the other, each time from the same random state.

    `caught` is the kind of exception that is the answer's; a student's own may be of any.
    """
    for case in fresh_cases(exercise):
        seed(1, luck)
        yield _outcome(exercise, answer, case, caught)


def _outcome(exercise, answer, case, caught):
    call, seen = watched(answer, parameter_names(exercise.reference))
    try:
        result = exercise.runner(call, *case) if exercise.runner else call(*case)
        value = unpacked(packed(result))
        inputs = dict(zip(input_names(exercise, case), case, strict=True))
        return Outcome(value, None, unpacked(packed(gradients(result, inputs))), tuple(seen.left), seen.nothing)
    except (caught, SystemExit) as error:
        return Outcome(raised=_raised(error, exercise, answer))


def fresh_cases(exercise):
    """The exercise's cases, the same ones every time."""
    seed(0)
    return list(exercise.inputs())


def seed(number, luck=1):
    """What torch.manual_seed does on the CPU; that one takes a hundred times as long: it keeps a stack trace.

    `luck` seeds what no exercise draws from: Python's and numpy's own generators.
    """
    import numpy as np
    import torch

    torch.default_generator.manual_seed(number)
    random.seed(luck)
    np.random.seed(luck)


@contextlib.contextmanager
def same_surroundings():
    """Whatever a notebook has set, answers are judged with gradients, in float32, on the CPU; then all is as it was."""
    import numpy as np
    import torch

    with contextlib.ExitStack() as after:
        after.callback(random.setstate, random.getstate())
        after.callback(np.random.set_state, np.random.get_state())
        after.enter_context(torch.random.fork_rng(devices=[]))
        after.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        if mode := torch.get_deterministic_debug_mode():  # to set it, even to what it is, loads half of torch
            after.callback(torch.set_deterministic_debug_mode, mode)
            torch.set_deterministic_debug_mode("default")
        after.enter_context(torch.inference_mode(False))
        after.enter_context(torch.enable_grad())
        after.enter_context(torch.autocast("cpu", enabled=False))
        after.enter_context(torch.autograd.set_detect_anomaly(False))
        if torch.get_default_device().type != "cpu":
            after.enter_context(torch.device("cpu"))
        yield


@contextlib.contextmanager
def muted():
    """Nothing printed, no warning shown."""
    nowhere = Nowhere()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Nowhere(io.TextIOBase):
    """A stream that drops what is written."""

    def write(self, text):
        return len(text)


def input_names(exercise, case):
    """A name for each argument of a case: the parameters of `run` after the answer, or those of the reference.

    A `run` that hands on `*case` as it is has the reference's.
    """
    names = parameter_names(exercise.reference)
    if exercise.runner:
        _, *own = inspect.signature(exercise.runner).parameters.values()
        if all(parameter.kind is not inspect.Parameter.VAR_POSITIONAL for parameter in own):
            names = [parameter.name for parameter in own]
    return [*names, *(f"argument {number + 1}" for number in range(len(names), len(case)))][: len(case)]


def parameter_names(function):
    """The names of a function's parameters."""
    return list(inspect.signature(function).parameters)


def parameters(function):
    """The parameters of a function as they are written, without types and defaults."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # built-in functions have none
        return "?"
    empty = inspect.Parameter.empty
    plain = inspect.Signature([parameter.replace(annotation=empty, default=empty) for parameter in parameters])
    return str(plain)[1:-1]


def _raised(error, exercise, answer):
    """The exception as plain text."""
    file = _file_of(answer)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = f"line {frames[-1].lineno}: {frames[-1].line}".rstrip(": ") if frames else ""
    if isinstance(error, Mistake):
        return Raised(str(error), mistake=True)
    text = type(error).__name__
    with contextlib.suppress(Exception):  # an exception of the student's own may fail to say what it is
        text = f"{text}: {error}".removesuffix(": ")
    came = parameters(answer) if isinstance(error, TypeError) and not frames else ""
    return Raised(
        clipped(text, 300),
        line,
        unwritten=type(error) is NotImplementedError and not error.args,
        called=came if came != parameters(exercise.reference) else "",
        memory=isinstance(error, MemoryError) or "can't allocate memory" in text,
    )


def _file_of(answer):
    """The file (or notebook cell) that a function or a class comes from; None for built-in ones."""
    functions = vars(answer).values() if isinstance(answer, type) else [inspect.unwrap(answer)]
    return next((f.__code__.co_filename for f in functions if hasattr(f, "__code__")), None)
