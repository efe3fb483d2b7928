"""Judge one answer by what it did: compare with what is right, and find the sentence that helps.

The answer runs in a process of its own, which sends back as data what came of every case. It is judged here, in the
notebook's process, where the reference and the known wrong answers run: whatever an answer does to its own process, and
whatever it sends, a wrong value stays wrong.
"""

import html
import traceback
from dataclasses import dataclass

from bmcourse.exercises import sandbox
from bmcourse.exercises.compare import clipped, difference, short, snapshot
from bmcourse.exercises.outcomes import (
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
    verdict = _judged(exercise, ended) if ended.how in ("returned", "raised") else _unfinished(exercise, ended)
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
    return _judged(exercise, sandbox.Ended("returned", tried_twice(exercise, answer, caught=Exception)))


def _judged(exercise, ended):
    """The verdict on what came of every case; raises `RuntimeError` where the exercise itself fails."""
    with same_surroundings(), muted():
        try:
            expected = _expected(exercise)
            tries = _read(ended.value, len(expected)) if ended.how == "returned" else None
            return _verdict(exercise, *tries, expected) if tries else _unfinished(exercise, ended)
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


def _verdict(exercise, first, again, expected):
    if all(outcome.raised and outcome.raised.unwritten for outcome in first):
        message = "not attempted yet. Replace `raise NotImplementedError` with your answer and run this again."
        return Verdict(OPEN, exercise.name, message)
    faults = [_fault(exercise, *pair) for pair in zip(first, expected, strict=True)]
    if not any(faults):
        return _right_once(exercise, first, again)
    known = next((wrong.message for wrong in exercise.wrong if _alike(exercise, first, wrong.answer)), None)
    number = next(index for index, fault in enumerate(faults) if fault)
    rows = _rows(exercise, number, first[number], expected[number])
    return Verdict(FAILED, exercise.name, known or faults[number][0].upper() + faults[number][1:], rows)


def _right_once(exercise, first, again):
    """The verdict on an answer that was right once: it must do the same again, whatever random and numpy.random do."""
    for index, (one, other) in enumerate(zip(first, again, strict=True)):
        if not _same(one, other, exercise.tolerance):
            message = (
                "Not the same twice: called again with the same input, your code gave something else. Draw random "
                "numbers from torch or from the generator you are given, and keep nothing from one call to the next."
            )
            return Verdict(FAILED, exercise.name, message, _rows(exercise, index, other, one.value))
    count = f"on all {len(first)} inputs" if len(first) > 1 else "on the one input"
    return Verdict(PASSED, exercise.name, f"right {count}.")


def _expected(exercise):
    """The right result of every case."""
    if exercise.judge is None:
        done = list(outcomes(exercise, exercise.reference))
        broken = next((outcome.raised.text for outcome in done if outcome.raised), None)
        assert broken is None, f"the reference raised {broken}"
        return [outcome.value for outcome in done]
    results = []
    for case in fresh_cases(exercise):
        seed(1)
        results.append(snapshot(exercise.judge(*case)))
    return results


def _alike(exercise, tried, wrong):
    """Whether a catalogued wrong answer behaves as the student's does on every case; most differ on the first."""
    return all(_same(*pair, exercise.tolerance) for pair in zip(tried, outcomes(exercise, wrong), strict=True))


def _same(one, other, tolerance):
    return (
        one.changed == other.changed
        and (one.raised and one.raised.text) == (other.raised and other.raised.text)
        and _equal(one.value, other.value, tolerance)
    )


def _equal(one, other, tolerance):
    """Equal seen from either side, so that a lost gradient counts."""
    return not difference(one, other, tolerance) and not difference(other, one, tolerance)


def _fault(exercise, outcome, expected):
    """What is wrong with one outcome, as a sentence; "" where nothing is."""
    if outcome.raised:
        return _fault_of_error(exercise, outcome.raised)
    sentence = difference(outcome.value, expected, exercise.tolerance)
    if not sentence and outcome.changed:
        return (
            f"the result is right, but your code changed its input {' and '.join(outcome.changed)} in place. "
            "`x = x - 1` makes a new tensor; `x -= 1`, `x[0] = 1` and methods such as `x.add_(1)` change the old one."
        )
    return sentence


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
        ("expected", short(expected)),
    ]
    return [(label, clipped(text, 600)) for label, text in rows if text]
