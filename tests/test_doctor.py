"""The doctor: every row is ✓, or says what is wrong and how to fix it."""

import pytest

from bmcourse.course import doctor, setup


def test_this_machine_has_all_that_is_necessary():
    rows = doctor.report()
    text = "\n".join(map(str, rows))
    assert not [row for row in rows if row.needed and not row.ok], text
    assert text.startswith("✓ Python 3.")
    for part in ("bmcourse 0.", "disk space", "torch 2.", "cores", "memory", "GPU", "gives 2", "widgets", "fonts"):
        assert part in text
    assert all(row.ok or row.fix for row in rows)


def test_the_short_check_is_one_line_when_all_is_well(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "report", lambda short: [doctor.Row(True, "fine")])
    assert doctor.main(["--short"]) == 0
    assert capsys.readouterr().out.startswith("✓ Nothing is missing (python")


def test_the_short_check_prints_only_what_is_wrong(monkeypatch, capsys):
    rows = [doctor.Row(True, "fine"), doctor.Row(False, "no font", "install one", needed=False)]
    monkeypatch.setattr(doctor, "report", lambda short: rows)
    assert doctor.main(["--short"]) == 0, "what is not needed fails nobody"
    assert capsys.readouterr().out == "! no font\n    → install one\n"
    rows.append(doctor.Row(False, "no kernel", "install it"))
    assert doctor.main([]) == 1
    assert capsys.readouterr().out == "✓ fine\n! no font\n    → install one\n✗ no kernel\n    → install it\n"


def test_the_short_check_starts_no_kernel_and_loads_no_torch(monkeypatch):
    for name in ("kernel", "processor", "gpu", "fonts"):
        monkeypatch.setattr(doctor, name, lambda: pytest.fail("too slow for every start"))
    assert all(row.ok for row in doctor.report(short=True) if row.needed)


def test_without_an_environment_the_rest_is_still_told(monkeypatch, capsys):
    monkeypatch.setattr(setup, "inside", lambda: False)
    assert doctor.main([]) == 1
    out = capsys.readouterr().out
    assert "✓ Python 3." in out
    assert f"✗ the environment (.venv) is not set up, or not complete\n    → run: {setup.AGAIN} lab" in out


def test_a_package_that_is_not_as_pinned(tmp_path, monkeypatch):
    lines = ["# numpy==1", "numpy==0.1", "pillow", "no-such-package==1.0", f"pytest=={pytest.__version__}"]
    (tmp_path / "requirements.txt").write_text("\n".join(lines))
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    numpy, absent = doctor.packages()
    assert numpy.text.startswith("numpy is 2.") and numpy.text.endswith(", pinned is 0.1")
    assert absent.text == "no-such-package is not installed, pinned is 1.0"
    assert "-m pip install --force-reinstall -r" in numpy.fix


def test_a_build_of_the_pinned_version_is_the_pinned_version(monkeypatch):
    versions = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda name: versions(name).partition("+")[0] + "+cpu")
    (row,) = doctor.packages()
    assert row.ok and "torch 2." in row.text


def test_a_check_that_raises_is_a_finding(monkeypatch):
    def widgets():
        raise ImportError("libgomp.so.1: cannot open shared object file")

    (row,) = doctor.attempt(widgets)
    assert not row.ok and row.needed
    assert row.text == "widgets: ImportError: libgomp.so.1: cannot open shared object file"
    assert row.fix.startswith("install the packages again: ")


def test_too_many_threads_are_a_warning(monkeypatch):
    import torch

    monkeypatch.setattr(setup, "cores", lambda: 4)
    for threads, ok in [(4, False), (3, True)]:
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        (row,) = doctor.processor()
        assert row.ok is ok and not row.needed
    assert row.fix.startswith("unset OMP_NUM_THREADS")
    monkeypatch.setattr(setup, "cores", lambda: 1)
    assert doctor.processor()[0].ok, "one core has no other to leave free"


def test_a_full_disk_and_a_missing_browser(monkeypatch):
    monkeypatch.setattr(setup, "free_gb", lambda folder: 0.2)
    monkeypatch.setattr(setup, "find_browser", lambda: None)
    (disk,), (browser,) = doctor.disk(), doctor.browser()
    assert not disk.ok and disk.needed and "at least 1 GB" in disk.fix
    assert not browser.ok and not browser.needed and browser.fix == setup.browser_advice()


@pytest.mark.parametrize(
    ("name", "found"), [("NotoSansCJK-Regular.ttc", True), ("Hiragino Sans GB.ttc", True), ("Arial.ttf", False)]
)
def test_a_chinese_font_is_good_to_have(name, found, monkeypatch):
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: ["/fonts/" + name])
    figures, chinese = doctor.fonts()
    assert figures.ok
    assert chinese.ok is found and not chinese.needed
