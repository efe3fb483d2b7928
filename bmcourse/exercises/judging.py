"""Judge one answer by what it did: compare with what is right, and find the sentence that helps.

The answer runs in a process of its own, which sends back as data what came of every case. It is judged here, in the
notebook's process, where the reference and the known wrong answers run: whatever an answer does to its own process, and
whatever it sends, a wrong value stays wrong.
"""

import html
import inspect
import traceback
import weakref
from dataclasses import dataclass

from bmcourse.exercises import sandbox
from bmcourse.exercises.compare import apart, clipped, detached, difference, short, snapshot
from bmcourse.exercises.outcomes import (
    Outcome,
    fresh_cases,
    input_names,
    muted,
    outcomes,
    parameters,
    same_surroundings,
    seed,
    tried_twice,
    unpacked_outcome,
)
from bmcourse.exercises.relations import relation
from bmcourse.exercises.traces import gradients

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
    """The verdict on `answer`, which runs in a child process."""
    ended = sandbox.call(tried_twice, exercise, answer, seconds=exercise.seconds, fork=fork)
    verdict = _judged(exercise, ended, answer) if ended.how in ("returned", "raised") else _unfinished(exercise, ended)
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
    elif ended.how == "raised":
        reason = clipped(str(ended.value).strip().rpartition("\n")[2], 300)
        message = f"Your code left Python in a state in which the check cannot go on ({reason})."
    elif ended.how in ("garbled", "returned"):  # returned, but not by the check
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


def assess(exercise, answer):
    """The verdict on `answer`, which runs in this process; random states and torch's modes stay as they were."""
    return _judged(exercise, sandbox.Ended("returned", tried_twice(exercise, answer, caught=Exception)), answer)


def _judged(exercise, ended, answer):
    """The verdict on what came of every case; raises `RuntimeError` where the exercise itself fails."""
    with same_surroundings(), muted():
        try:
            expected = _expected(exercise)
            tries = _read(ended.value, len(expected)) if ended.how == "returned" else None
            return _verdict(exercise, *tries, expected, answer) if tries else _unfinished(exercise, ended)
        except Exception as error:
            reason = traceback.format_exc()[-4_000:]
            message = f"The exercise {exercise.name} itself is broken, your answer is not:\n{reason}"
            raise RuntimeError(message) from error


def _read(data, count):
    """The outcomes of both tries of `count` cases; None where the check's own code did not send this."""
    try:
        first, again = ([unpacked_outcome(outcome) for outcome in outcomes] for outcomes in data)
    except Exception:
        return None
    return (first, again) if len(first) == len(again) == count else None


def _verdict(exercise, first, again, expected, answer):
    if all(outcome.raised and outcome.raised.unwritten for outcome in first) and _untouched(answer):
        message = "not attempted yet. Replace `raise NotImplementedError` with your answer and run this again."
        return Verdict(OPEN, exercise.name, message)
    faults = [_fault(exercise, *pair) for pair in zip(first, expected, strict=True)]
    if not any(faults) and (left := _left_behind(exercise, first)):
        faults = left
    if not any(faults):
        return _right_once(exercise, first, again, answer)
    number = _most_telling(first, faults)
    message = (
        _known(exercise, first, expected) or _seen(exercise, first, expected, number) or _general(first, faults, number)
    )
    rows = _rows(exercise, number, first[number], expected[number])
    return Verdict(FAILED, exercise.name, message, rows)


def _most_telling(first, faults):
    """The number of the case to show: the first in which `run` itself knows what is wrong, or else that is wrong."""
    wrong = [number for number, fault in enumerate(faults) if fault]
    return next((n for n in wrong if first[n].raised and first[n].raised.mistake), wrong[0])


def _general(first, faults, number):
    """The sentence on one case, and on how many inputs the answer is right."""
    right, told = faults.count(""), first[number].raised and first[number].raised.mistake
    count = f" (Right on {right} of {len(faults)} inputs.)" if right and len(faults) > 2 and not told else ""
    return faults[number][0].upper() + faults[number][1:] + count


def _untouched(answer):
    """Whether nothing but `raise NotImplementedError` stands in a function, or in every method of a class."""
    methods = [value for value in vars(answer).values() if inspect.isfunction(value)]
    functions = methods if isinstance(answer, type) else [inspect.unwrap(answer)]
    codes = [function.__code__ for function in functions if hasattr(function, "__code__")]
    return all(set(code.co_names) <= {"NotImplementedError"} for code in codes)


def _known(exercise, first, expected):
    """The message of the catalogued wrong answer that does the same; "" where none does.

    Gradients and what is left behind count, unless a wrong value alone tells enough.
    """
    for known in exercise.mistakes:
        if _alike(exercise, first, known, _same):
            return known.message
    wrong = any(_wrong_value(exercise, *pair) for pair in zip(first, expected, strict=True))
    if wrong and not all(outcome.raised for outcome in first):
        for known in exercise.mistakes:
            if _alike(exercise, first, known, _same_value):
                return known.message
    return ""


def _wrong_value(exercise, outcome, right):
    return bool(outcome.raised or difference(detached(outcome.value), detached(right.value), exercise.tolerance))


def _seen(exercise, first, expected, number):
    """What can be said of a wrong answer that nobody has catalogued; "" where that is nothing."""
    came = first[number]
    if came.nothing and not came.raised and came.value is not None and not _gives_nothing(exercise):
        return "Your code gave back None. Is the `return` missing?"
    if not any(outcome.raised for outcome in first):
        named = [dict(zip(input_names(exercise, case), case, strict=True)) for case in fresh_cases(exercise)]
        found = relation(named, [outcome.value for outcome in first], [outcome.value for outcome in expected])
        return found[:1].upper() + found[1:]
    return ""


def _gives_nothing(exercise):
    return any(outcome.nothing for outcome in outcomes(exercise, exercise.reference))


def _right_once(exercise, first, again, answer):
    """The verdict on an answer that was right once: it must do the same again, whatever random and numpy.random do.

    And it must be built, where the exercise is to build what a library has.
    """
    for index, (one, other) in enumerate(zip(first, again, strict=True)):
        if not _same(one, other, exercise.tolerance):
            message = (
                "Not the same twice: called again with the same input, your code gave something else. Draw random "
                "numbers from torch or from the generator you are given, and keep nothing from one call to the next."
            )
            return Verdict(FAILED, exercise.name, message, _rows(exercise, index, other, one))
    if used := called(answer) & set(exercise.built):
        message = (
            f"Right, and a library did it for you: {', '.join(sorted(used))}. The point here is to see what is inside. "
            "Build it from simpler operations, and hold yours against the library's."
        )
        return Verdict(FAILED, exercise.name, message)
    count = f"on all {len(first)} inputs" if len(first) > 1 else "on the one input"
    return Verdict(PASSED, exercise.name, f"right {count}.")


def called(answer):
    """The names that the code of an answer uses, its inner functions and base classes included."""
    bases = answer.__mro__ if isinstance(answer, type) else ()
    functions = [value for base in bases[:1] for value in vars(base).values()] or [answer]
    codes = [inspect.unwrap(function).__code__ for function in functions if hasattr(function, "__code__")]
    names = {base.__name__ for base in bases[1:]}
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [constant for constant in code.co_consts if inspect.iscode(constant)]
    return names


def _expected(exercise):
    """What comes of every case where the answer is right: by the oracle, or else by the reference.

    An oracle that gives plain numbers leaves the gradients to the reference.
    """
    if exercise.oracle is None:
        done = list(outcomes(exercise, exercise.reference))
        broken = next((outcome.raised.text for outcome in done if outcome.raised), None)
        assert broken is None, f"the reference raised {broken}"
        return done
    done, fresh = [], None
    for index, case in enumerate(fresh_cases(exercise)):
        seed(1)
        result = exercise.oracle(*case)
        inputs = dict(zip(input_names(exercise, case), case, strict=True))
        flow = gradients(result, inputs)
        if _wants_a_gradient(case) and not any(gradient is not None for gradient in flow.values()):
            fresh = fresh or list(outcomes(exercise, exercise.reference))
            flow = fresh[index].gradients
        done.append(Outcome(snapshot(result), gradients=flow))
    return done


def _wants_a_gradient(case):
    import torch

    return any(isinstance(value, torch.Tensor) and value.requires_grad for value in case)


def _alike(exercise, tried, known, alike):
    """Whether a catalogued wrong answer behaves as the student's does on every case; most differ on the first."""
    return all(alike(*pair, exercise.tolerance) for pair in zip(tried, _outcomes_of(exercise, known), strict=True))


_tried = weakref.WeakKeyDictionary()  # for each exercise and known answer its outcomes so far, and how to get the rest


def _outcomes_of(exercise, known):
    """What a catalogued answer does, case by case; what was once tried is remembered."""
    done, rest = _tried.setdefault(exercise, {}).setdefault(known.name, ([], outcomes(exercise, known.answer)))
    yield from done
    for outcome in rest:
        done.append(outcome)
        yield outcome


def _same(one, other, tolerance):
    return (
        _same_error(one, other)
        and _equal(one.value, other.value, tolerance)
        and one.left == other.left
        and not _gradient_fault(one.gradients, other.gradients, tolerance)
        and not _gradient_fault(other.gradients, one.gradients, tolerance)
    )


def _same_value(one, other, tolerance):
    """Equal numbers, and errors of one type: what the text of an error says depends on how a line is written."""
    types = [outcome.raised and outcome.raised.text.partition(":")[0] for outcome in (one, other)]
    return types[0] == types[1] and _equal(detached(one.value), detached(other.value), tolerance)


def _same_error(one, other):
    return (one.raised and one.raised.text) == (other.raised and other.raised.text)


def _equal(one, other, tolerance):
    """Equal seen from either side, so that a lost gradient counts."""
    return not difference(one, other, tolerance) and not difference(other, one, tolerance)


def _fault(exercise, outcome, expected):
    """What is wrong with one outcome, as a sentence; "" where nothing is."""
    if outcome.raised:
        return _fault_of_error(exercise, outcome.raised)
    sentence = difference(outcome.value, expected.value, exercise.tolerance)
    return sentence or _gradient_fault(outcome.gradients, expected.gradients, exercise.tolerance)


def _gradient_fault(came, expected, tolerance):
    """What is wrong with the gradients that a right result gives to the inputs; "" where nothing is."""
    import torch

    if isinstance(came, str):
        return "" if isinstance(expected, str) else f"the result is right, but backward() fails: {came}"
    if isinstance(expected, str) or not expected:
        return ""
    for name, right in expected.items():
        mine = came.get(name) if came else None
        if right is None and (mine is None or not mine.any()):
            continue
        if mine is None and right.any():
            return (
                f"the result is right, but no gradient reaches `{name}`, so nothing can learn from it. `.detach()`, "
                "`.item()`, `torch.tensor(...)` or `no_grad` cuts it off on the way."
            )
        if right is None:
            return f"the result is right, but a gradient reaches `{name}`, where none should. `.detach()` stops it."
        mine = torch.zeros_like(right) if mine is None else mine
        if sentence := difference(mine, right, 10 * tolerance, f"its gradient with respect to `{name}`"):
            return f"the result is right, but {sentence}"
    return ""


LEFT = {
    "value": "your code changed its input {where} in place. `x = x - 1` makes a new tensor; `x -= 1`, `x[0] = 1` and "
    "methods such as `x.add_(1)` change the old one.",
    "grad": "your code left a gradient behind, in `.grad` of {where}. torch.autograd.grad(y, x) leaves none.",
    "requires_grad": "your code left {where} with another requires_grad than before. `.detach()` makes a tensor of its "
    "own, which may be changed.",
    "training": "your code left {where}, or a part of it, in another mode than before. Remember `model.training` "
    "before model.eval(), and set it back with model.train(was_training).",
    "settings": "your code left {where} with other settings than before, for instance another p of Dropout. Let "
    "model.eval() switch it off.",
    "hooks": "your code left a hook in {where}. Call .remove() on what register_forward_hook gave you.",
    "grad mode": "your code left torch's gradients switched on or off for all code that follows. Write `with "
    "torch.no_grad():`, which ends by itself.",
}


def _left_behind(exercise, first):
    """For each outcome a sentence on what it left changed that the reference does not; None where it left nothing."""
    if not any(outcome.left for outcome in first):
        return None
    allowed = [set(outcome.left) for outcome in outcomes(exercise, exercise.reference)]
    return [_left_sentence(set(outcome.left) - may) for outcome, may in zip(first, allowed, strict=True)]


def _left_sentence(left):
    if not left:
        return ""
    what = next(kind for kind in LEFT if any(kind == changed for changed, _ in left))
    names = sorted(where for changed, where in left if changed == what)
    return f"the result is right, but {LEFT[what].format(where=' and '.join(names))}"


def _fault_of_error(exercise, raised):
    if raised.mistake:
        return raised.text
    if raised.memory:
        return f"your code asked for more memory than a check allows ({sandbox.MEMORY / 2**30:g} GB)."
    if raised.unwritten:
        return f"one part is still to be written: {raised.line or 'raise NotImplementedError'}"
    if raised.called:
        wanted, came = parameters(exercise.reference), raised.called
        return f"wrong arguments. Expected {exercise.name}({wanted}), what came is {exercise.name}({came})."
    if not raised.line:
        return "the check could not use what your code gave it."
    return f"your code raised an error in {raised.line}"


def _rows(exercise, index, outcome, expected):
    """The lines under a verdict: the first input that fails, what came, what was expected."""
    if outcome.raised and outcome.raised.mistake:
        return []
    case = fresh_cases(exercise)[index]
    pairs = zip(input_names(exercise, case), case, strict=True)
    yours = outcome.raised.text if outcome.raised else short(outcome.value)
    rows = [
        ("input", "\n".join(f"{name} = {short(value)}" for name, value in pairs)),
        ("yours", yours),
        ("expected", short(expected.value)),
        ("", "" if outcome.raised else apart(outcome.value, expected.value, exercise.tolerance)),
    ]
    return [(label, clipped(text, 600)) for label, text in rows if text]
