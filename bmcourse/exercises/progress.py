"""What a student has done, as plain JSON in `progress.json` beside the README (or where BMCOURSE_PROGRESS says)."""

import contextlib
import json
import os
from pathlib import Path

import bmcourse

_unsaved = None  # the record of this session, once it could not be written


def attempt(name, passed):
    """Count one attempt at the exercise `name`; once passed it stays passed."""
    record = _load()
    entry = _exercise(record, name)
    entry["attempts"] += 1
    entry["passed"] = entry["passed"] or passed
    _save(record)


def next_hint(name, hints):
    """Count one more hint of the `hints` that exercise `name` has; return its number, or `hints + 1` after the last."""
    record = _load()
    entry = _exercise(record, name)
    number = entry["hints"] + 1
    if number <= hints:
        entry["hints"] = number
        _save(record)
    return min(number, hints + 1)


def prediction(question):
    """The option chosen earlier for `question`, or None."""
    return _load()["predictions"].get(question)


def keep_prediction(question, option):
    """Keep the option that was locked for `question`."""
    record = _load()
    record["predictions"][question] = option
    _save(record)


def path():
    """Where the progress is kept."""
    return Path(os.environ.get("BMCOURSE_PROGRESS") or Path(bmcourse.__file__).parent.parent / "progress.json")


def _exercise(record, name):
    return record["exercises"].setdefault(name, {"passed": False, "attempts": 0, "hints": 0})


def _load():
    """The record on disk; a damaged one is set aside and a new one begun."""
    if _unsaved is not None:
        return _unsaved
    try:
        record = json.loads(path().read_text(encoding="utf-8"))
        if _sound(record):
            return record
    except ValueError:  # no JSON, or no UTF-8
        pass
    except OSError:  # none yet; where it cannot be read, it cannot be written either, and _save says so
        return _empty()
    _set_aside()
    return _empty()


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


def _set_aside():
    broken = path().with_name(f"{path().stem}.broken.json")
    try:
        os.replace(path(), broken)
    except OSError:
        return
    print(f"Your progress file was damaged: it is kept as {broken.name}, and a new one begins.")


def _save(record):
    """Write the record atomically; say once when it cannot be written, and keep it in memory from then on."""
    global _unsaved
    if _unsaved is not None:
        return
    new = path().with_name(f"{path().name}.{os.getpid()}.new")
    try:
        new.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        os.replace(new, path())
    except OSError as error:
        _unsaved = record
        with contextlib.suppress(OSError):
            new.unlink()
        print(f"Your progress cannot be saved here ({error.strerror}). The lesson goes on without it.")
