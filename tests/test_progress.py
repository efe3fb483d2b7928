"""The progress file: damaged, unwritable, shared."""

import json

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
