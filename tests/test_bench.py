"""`python -m bmcourse bench`: names, order, and what it says to a name it does not know. Nothing is measured here."""

import pytest

from bmcourse.course import bench


@pytest.fixture
def benchmarks(tmp_path, monkeypatch):
    """Two benchmarks that only say their names, where bench looks for them."""
    package = tmp_path / "stand_in"
    package.mkdir()
    for name in ("late", "early"):
        (package / f"bench_{name}.py").write_text(f"def main():\n    print('table of {name}')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(bench, "FOLDER", package)
    monkeypatch.setattr(bench, "PACKAGE", "stand_in")


def test_all_are_run_in_order(benchmarks, capsys):
    assert bench.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Benchmark 1 of 2: early", "table of early", "Benchmark 2 of 2: late", "table of late",
    ]  # fmt: skip


def test_one_is_run_by_name(benchmarks, capsys):
    assert bench.main(["late"]) == 0
    assert capsys.readouterr().out == "Benchmark 1 of 1: late\ntable of late\n"


def test_an_unknown_name_gets_the_list(benchmarks, capsys):
    assert bench.main(["late", "soon"]) == 2
    assert capsys.readouterr().out == "There is no benchmark called soon. There are: early, late.\n"


def test_a_file_goes_to_those_that_take_a_text(benchmarks, tmp_path, capsys):
    (tmp_path / "stand_in" / "bench_reader.py").write_text("def main(path=None):\n    print('reads', path)\n")
    text = str(tmp_path / "text.txt")
    assert bench.main(["reader", "late"]) == 0
    assert bench.main(["reader", text, "late"]) == 2  # there is no such file yet
    (tmp_path / "text.txt").write_text("a text")
    assert bench.main(["reader", text, "late"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Benchmark 1 of 2: reader", "reads None", "Benchmark 2 of 2: late", "table of late",
        f"There is no benchmark called {text}. There are: early, late, reader.",
        "Benchmark 1 of 2: reader", f"reads {text}", "Benchmark 2 of 2: late", "table of late",
    ]  # fmt: skip
