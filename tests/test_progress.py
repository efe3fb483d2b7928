"""The progress file: damaged, unwritable, shared."""

import json
import os
import stat
import subprocess
import sys

import pytest

from bmcourse import exercises
from bmcourse.exercises import core, progress
from tests.toys import TOYS, mse


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    """The toy exercises are the course's, and the progress is nobody's."""
    monkeypatch.setattr(core, "exercises", lambda: iter(TOYS))
    monkeypatch.setenv("BMCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "_unsaved", None)


@pytest.mark.parametrize("content", ["{", "[]", '{"exercises": {"mse": 3}, "predictions": {}}', b"\xff\xfe"])
def test_a_damaged_progress_file_is_set_aside(content, capsys):
    progress.path().write_bytes(content if isinstance(content, bytes) else content.encode())
    progress.attempt("mse", True)
    progress.attempt("mse", True)
    said = "Your progress file was damaged: it is kept as progress.broken.json, and a new one begins.\n"
    assert capsys.readouterr().out == said
    assert json.loads(progress.path().read_text())["exercises"]["mse"]["attempts"] == 2
    assert progress.path().with_name("progress.broken.json").exists()


def test_a_place_that_cannot_be_written_is_said_once(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BMCOURSE_PROGRESS", str(tmp_path / "file" / "progress.json"))
    for stage in ("hint 1 of 3", "hint 2 of 3"):
        exercises.hint(mse)
        said = capsys.readouterr().out
        assert stage in said
        assert ("Your progress cannot be saved here (Not a directory)." in said) == (stage == "hint 1 of 3")


def test_every_damaged_file_is_kept():
    for content in ("{1", "{2", "{3"):
        progress.path().write_text(content)
        progress.attempt("mse", True)
    kept = [progress.path().with_name(f"progress.broken{number}.json").read_text() for number in ("", ".2", ".3")]
    assert kept == ["{1", "{2", "{3"]


def test_a_damaged_file_that_cannot_be_set_aside_is_not_overwritten(monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    progress.path().write_text("{")
    monkeypatch.setattr(os, "replace", refuse)
    progress.attempt("mse", True)
    progress.attempt("mse", True)
    assert progress.path().read_text() == "{" and progress._load()["exercises"]["mse"]["attempts"] == 2
    assert capsys.readouterr().out.count("Your progress cannot be saved here (Permission denied).") == 1


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda place: os.symlink(os.devnull, place)])
def test_what_is_no_file_is_left_as_it_is(make, capsys):
    make(progress.path())
    before = os.lstat(progress.path())
    progress.attempt("mse", True)
    exercises.hint(mse)
    assert stat.S_IFMT(os.lstat(progress.path()).st_mode) == stat.S_IFMT(before.st_mode)
    assert os.listdir(progress.path().parent) == ["progress.json"]
    assert capsys.readouterr().out.count("Your progress cannot be saved here (Not a regular file).") == 1


def test_notebooks_that_write_at_once_lose_nothing():
    script = (
        "import sys\nfrom bmcourse.exercises import progress\nfor number in range(50):\n"
        "    progress.attempt(sys.argv[1], False); progress.attempt('both', False)"
    )
    both = [subprocess.Popen([sys.executable, "-c", script, name]) for name in ("one", "two")]
    assert [process.wait() for process in both] == [0, 0]
    record = json.loads(progress.path().read_text())["exercises"]
    assert {name: entry["attempts"] for name, entry in record.items()} == {"one": 50, "two": 50, "both": 100}


def test_without_a_lock_the_lesson_goes_on(monkeypatch):
    def refuse(file):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(progress, "_lock", refuse)
    progress.attempt("mse", True)
    assert json.loads(progress.path().read_text())["exercises"]["mse"]["passed"]


def test_a_class_begins_again_with_one_call_and_nothing_is_lost(capsys):
    progress.attempt("mse", True)
    progress.keep_prediction("Up?", "fall")
    before = progress.path().read_text()
    exercises.begin_again()
    opened = "Every prediction and exercise is open again. Restart the kernel of each notebook that is open.\n"
    assert capsys.readouterr().out == f"{opened}What was done before is kept in progress.before.json.\n"
    assert progress.prediction("Up?") is None and not progress.path().exists()
    assert progress.path().with_name("progress.before.json").read_text() == before
    exercises.begin_again()
    assert capsys.readouterr().out == opened
