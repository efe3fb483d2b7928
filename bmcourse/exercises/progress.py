"""What a student has done, as plain JSON in `progress.json` beside the README (or where BMCOURSE_PROGRESS says).

Several notebooks may write at once: each locks a file beside it while it reads, changes and writes the record.
"""

import contextlib
import errno
import itertools
import json
import os
import time
from pathlib import Path

import bmcourse

_unsaved = None  # the record of this session, once it could not be written


def attempt(name, passed, source=""):
    """Count one attempt at the exercise `name`; once passed it stays passed, and `source`, the answer, is kept."""
    with _updated() as record:
        entry = _exercise(record, name)
        entry["attempts"] += 1
        entry["passed"] = entry["passed"] or passed
        if source:
            entry["answer"] = source


def answer(name):
    """The text of the answer that passed last, "" where there is none."""
    with _locked():
        entry = _load()["exercises"].get(name, {})
    return entry["answer"] if entry.get("passed") and isinstance(entry.get("answer"), str) else ""


def next_hint(name, hints):
    """Count one more hint of the `hints` that exercise `name` has; return its number, or `hints + 1` after the last."""
    with _updated() as record:
        entry = _exercise(record, name)
        number = entry["hints"] + 1
        entry["hints"] = min(number, hints)
    return min(number, hints + 1)


def prediction(question):
    """The option chosen earlier for `question`, or None."""
    with _locked():
        return _load()["predictions"].get(question)


def keep_prediction(question, option):
    """Keep the option that was locked for `question`."""
    with _updated() as record:
        record["predictions"][question] = option


def begin_again():
    """Set the whole record aside and begin a new one; returns the name of the file that keeps it, "" where none was."""
    global _unsaved
    _unsaved = None
    with _locked():
        return _set_aside("before") if path().is_file() else ""


def path():
    """Where the progress is kept."""
    return Path(os.environ.get("BMCOURSE_PROGRESS") or Path(bmcourse.__file__).parent.parent / "progress.json")


def _exercise(record, name):
    return record["exercises"].setdefault(name, {"passed": False, "attempts": 0, "hints": 0})


@contextlib.contextmanager
def _updated():
    """The record, to be changed, and then saved; nobody else changes it meanwhile."""
    with _locked():
        record = _load()
        yield record
        _save(record)


@contextlib.contextmanager
def _locked():
    """Keep others from the record; where no lock can be had, go on without one."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            if _may_be_replaced():
                _lock(stack.enter_context(path().with_name(f"{path().name}.lock").open("a")))
        yield


def _lock(file, tries=100):
    """Lock an open file until it is closed; raises `OSError` where that is not possible, or not within seconds."""
    for number in range(tries):
        try:
            _lock_now(file)
            break
        except (BlockingIOError, PermissionError):  # someone else has it
            if number == tries - 1:
                raise
            time.sleep(0.05)


def _lock_now(file):
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _may_be_replaced():
    """Whether the place is free or a regular file: a device or a folder would be gone, and not only for the course."""
    return path().is_file() or not path().exists()


def _load():
    """The record on disk; a damaged one is set aside and a new one begun."""
    if _unsaved is not None:
        return _unsaved
    try:
        if not path().is_file():
            return _empty()
        record = json.loads(path().read_text(encoding="utf-8"))
        if _sound(record):
            return record
    except (ValueError, RecursionError):  # no JSON, or no UTF-8
        pass
    except OSError:  # where it cannot be read, it cannot be written either, and _save says so
        return _empty()
    if kept := _set_aside("broken"):
        print(f"Your progress file was damaged: it is kept as {kept}, and a new one begins.")
    return _empty() if _unsaved is None else _unsaved


def _empty():
    return {"exercises": {}, "predictions": {}}


def _sound(record):
    """Whether a file's content is a record: its keys, and the type of every value."""
    if not isinstance(record, dict) or not all(isinstance(record.get(key), dict) for key in _empty()):
        return False
    entry = {"passed": bool, "attempts": int, "hints": int}
    exercises, predictions = record["exercises"].values(), record["predictions"].values()
    return all(isinstance(option, str) for option in predictions) and all(
        isinstance(exercise, dict) and all(isinstance(exercise.get(key), kind) for key, kind in entry.items())
        for exercise in exercises
    )


def _set_aside(why):
    """Rename the file, and never onto one that was set aside before; returns its new name, "" where that failed."""
    numbers = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
    places = (path().with_name(f"{path().stem}.{why}{number}.json") for number in numbers)
    place = next(place for place in places if not place.exists())
    try:
        os.replace(path(), place)
    except OSError as error:
        _give_up(_empty(), error)
        return ""
    return place.name


def _save(record):
    """Write the record atomically; say once when it cannot be written, and keep it in memory from then on."""
    if _unsaved is not None:
        return
    new = path().with_name(f"{path().name}.{os.getpid()}.new")
    try:
        if not _may_be_replaced():
            raise OSError(errno.EINVAL, "Not a regular file")
        new.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        os.replace(new, path())
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        _give_up(record, error)


def _give_up(record, error):
    global _unsaved
    _unsaved = record
    print(f"Your progress cannot be saved here ({error.strerror}). The lesson goes on without it.")
