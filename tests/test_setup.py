"""The environment: made once, trusted only when whole, and every failure said in one sentence with the next step."""

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
import venv
from collections import namedtuple
from pathlib import Path

import pytest

from bmcourse import __main__ as command
from bmcourse.course import setup

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with small requirements, whose Pythons are real and whose pip only writes down what it is asked."""
    root = tmp_path / "a checkout"
    for name, text in {
        "requirements.txt": "numpy==2\n",
        "tests/requirements.txt": "pytest==9\n",
        "tests/kernels.txt": "# others\nipykernel==7.3.0\nipykernel==6.30.1\n",
        "bmcourse/__init__.py": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(setup, "ROOT", root)
    return root


@pytest.fixture
def commands(checkout, monkeypatch):
    """What was run to set up, as one line each."""
    lines = []

    def run(words, quiet=False):
        lines.append(" ".join(str(word) for word in words))
        if "venv" in words:
            venv.create(words[-1], clear=True, with_pip=False, symlinks=True)

    monkeypatch.setattr(setup, "run", run)
    return lines


def failing(error):
    def fail(*arguments):
        raise error

    return fail


def test_a_fresh_checkout_is_set_up_once(checkout, commands):
    assert not setup.ready()
    assert setup.prepare() is True
    assert setup.ready() and not setup.ready(tests=True)
    assert ["-m venv" in line for line in commands] == [True, False]
    assert commands[1].startswith(str(setup.python())) and f"-r {checkout / 'requirements.txt'}" in commands[1]
    assert "tests" not in commands[1]

    commands.clear()
    assert setup.prepare() is False
    assert commands == []


def test_the_tests_add_their_packages_and_their_kernels(checkout, commands):
    setup.prepare()
    commands.clear()
    setup.prepare(tests=True)
    assert setup.ready() and setup.ready(tests=True)
    assert not any("-m venv" in line for line in commands)
    assert "tests/requirements.txt" in commands[0]
    assert [line.split()[-1] for line in commands[1:]] == ["ipykernel==7.3.0", "ipykernel==6.30.1"]
    assert all("--no-deps --target" in line for line in commands[1:])
    assert setup.kernels()["6.30.1"] == checkout / ".venv/kernels/ipykernel-6.30.1"

    commands.clear()
    assert setup.prepare() is False and setup.prepare(tests=True) is False
    assert commands == []


def test_changed_requirements_are_installed_into_the_same_environment(checkout, commands):
    setup.prepare(tests=True)
    (checkout / "requirements.txt").write_text("numpy==3\n")
    commands.clear()
    assert setup.prepare() is True
    assert not any("-m venv" in line for line in commands)
    assert "tests/requirements.txt" in commands[0], "what the tests need is kept in step"
    assert setup.ready(tests=True)


@pytest.mark.parametrize("changed", [False, True], ids=["a first installation", "an update"])
def test_an_interrupted_installation_is_repaired(checkout, commands, monkeypatch, changed):
    if changed:
        setup.prepare()
        (checkout / "requirements.txt").write_text("numpy==3\n")
    with monkeypatch.context() as patch, pytest.raises(setup.SetupError, match=r"half made\. Start the same command"):
        patch.setattr(setup, "pip", failing(KeyboardInterrupt))
        setup.prepare()
    assert not setup.ready()
    commands.clear()
    setup.prepare()
    assert ["-m venv --clear" in line for line in commands] == [True, False]
    assert setup.ready()


def test_a_copied_checkout_does_not_trust_the_environment_in_it(checkout, commands, monkeypatch, tmp_path):
    setup.prepare()
    shutil.copytree(checkout, tmp_path / "copy", symlinks=True)
    monkeypatch.setattr(setup, "ROOT", tmp_path / "copy")
    assert setup.read_stamp() == {}
    commands.clear()
    setup.prepare()
    assert "-m venv --clear" in commands[0] and setup.ready()


def remove_python():
    setup.python().unlink()


def replace_python_by_one_that_fails():
    setup.python().unlink()
    setup.python().symlink_to(shutil.which("false"))


def be_of_another_version():
    stamp = json.loads(setup.stamp_file().read_text())
    setup.stamp_file().write_text(json.dumps({**stamp, "python": "3.10"}))


def cut_the_stamp():
    setup.stamp_file().write_text(setup.stamp_file().read_text()[:20])


DAMAGES = [remove_python, replace_python_by_one_that_fails, be_of_another_version, cut_the_stamp]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_environment_is_made_again(checkout, commands, damage):
    setup.prepare()
    damage()
    assert not setup.ready()
    commands.clear()
    assert setup.prepare() is True
    assert "-m venv --clear" in commands[0] and setup.ready()


def test_bmcourse_can_be_imported_from_anywhere_also_after_a_move(checkout, commands, tmp_path):
    setup.prepare()
    where = [setup.python(), "-c", "import bmcourse; print(bmcourse.__file__)"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(where, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).samefile(checkout / "bmcourse/__init__.py")

    checkout.rename(tmp_path / "moved")
    where[0] = tmp_path / "moved/.venv/bin/python"
    found = subprocess.run(where, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).samefile(tmp_path / "moved/bmcourse/__init__.py")


def test_jupyterlab_is_told_not_to_ask_about_news(checkout, commands):
    setup.prepare()
    settings = json.loads((checkout / ".venv/share/jupyter/lab/settings/overrides.json").read_text())
    notification = settings["@jupyterlab/apputils-extension:notification"]
    assert notification == {"fetchNews": "false", "checkForUpdates": False}


# ------------------------------------------------------------------------------------------------------- what fails


def test_too_little_disk_space_is_said_before_anything_is_downloaded(checkout, commands, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(9e9, 8e9, 1.04e9))
    with pytest.raises(setup.SetupError, match=r"needs 3\.0 GB of disk space and 1\.0 GB are free\. Free some"):
        setup.prepare()
    assert commands == [] and not setup.ready()


def test_a_python_without_venv(checkout, commands, monkeypatch):
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)
    with pytest.raises(setup.SetupError, match=r"venv and ensurepip are missing.*sudo apt install python3\.\d+-venv"):
        setup.prepare()
    assert commands == []


def test_a_folder_that_cannot_be_written(checkout, commands, monkeypatch):
    monkeypatch.setattr(setup, "install", failing(PermissionError(13, "Permission denied")))
    with pytest.raises(setup.SetupError, match=r"\.venv cannot be written\. Close the JupyterLab"):
        setup.prepare()


UNREACHABLE = """WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(': Failed'
WARNING: Retrying (Retry(total=3)) after connection broken by 'NewConnectionError(': Failed'
ERROR: Could not find a version that satisfies the requirement numpy==2 (from versions: none)
ERROR: No matching distribution found for numpy==2
"""
TOO_NEW = "ERROR: Ignored these\nERROR: No matching distribution found for torch==2.13.0\n\n[notice] A new pip\n"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (UNREACHABLE, "no connection to the package index. Check the network (and HTTPS_PROXY"),
        ("pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.", "no connection to the package index"),
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "The disk is full: "),
        ("OSError: [Errno 122] Disk quota exceeded: '/home'", "pip unpacks (the variable TMPDIR names another folder)"),
        ("OSError: [WinError 112] Es steht nicht genug Speicherplatz zur Verfügung", "python3 -m pip cache purge"),
        ("The virtual environment was not created because ensurepip is not available.", "sudo apt install python3."),
        ("PermissionError: [WinError 5] Access is denied: 'torch_cpu.dll'", "Close the JupyterLab that uses it"),
        (TOO_NEW, "There is no torch==2.13.0 for Python 3."),
        ("odd\n", "failed:\n  odd\nStart the same command again to repair it. To see more, run: pip 'a b'"),
    ],
)
def test_what_went_wrong_is_said_in_one_sentence_with_the_next_step(said, sentence):
    assert sentence in setup.explain(said, ["pip", "a b"])


def script(said, status=1):
    text = f"import sys; sys.stderr.write({said!r}); print('progress'); sys.exit({status})"
    return [sys.executable, "-c", text]


def test_the_errors_of_pip_become_one_sentence_and_its_progress_stays_in_view(capfd):
    with pytest.raises(setup.SetupError, match="no connection to the package index"):
        setup.run(script(UNREACHABLE))
    out, err = capfd.readouterr()
    assert out.count("The network does not answer; trying again for a while.") == 1
    assert "progress" in out
    assert err == ""


def test_a_quiet_step_shows_nothing_but_its_failure(capfd):
    setup.run(script("WARNING: all is well", status=0), quiet=True)
    with pytest.raises(setup.SetupError, match="something odd"):
        setup.run(script("something odd"), quiet=True)
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------------------ environment


def test_a_kernel_need_not_compile_torch_anew(checkout, monkeypatch):
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "/somewhere")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    assert setup.environment()["PYTHONPYCACHEPREFIX"] == "/somewhere"
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    variables = setup.environment()
    assert "PYTHONDONTWRITEBYTECODE" not in variables
    assert variables["PYTHONPYCACHEPREFIX"] == str(checkout / ".venv/pycache")


def test_programs_of_the_environment_come_first(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "/somewhere")
    path = setup.environment()["PATH"]
    assert path == os.pathsep.join([str(setup.python().parent), "/somewhere"])
    monkeypatch.setenv("PATH", path)
    assert setup.environment()["PATH"] == path


def test_the_paths_of_windows(checkout, monkeypatch):
    assert setup.python() == checkout / ".venv/bin/python"
    monkeypatch.setattr(setup, "WINDOWS", True)
    assert setup.python() == checkout / ".venv/Scripts/python.exe"
    assert setup.quoted(["C:\\a b\\python.exe", "-m", "pip"]) == '"C:\\a b\\python.exe" -m pip'


# -------------------------------------------------------------------------------------------------------------- lab


def test_another_port_when_the_first_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        port = setup.free_port(wanted)
        assert port > wanted
        assert capsys.readouterr().out == f"Port {wanted} is taken; using {port}.\n"
    assert setup.free_port(wanted) == wanted
    assert capsys.readouterr().out == ""


def test_no_port_at_all(monkeypatch):
    monkeypatch.setattr(socket, "create_server", failing(PermissionError))
    with pytest.raises(setup.SetupError, match=r"No port from 80 on is free.*lab --port 9000"):
        setup.free_port(80)


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_an_impossible_port(port, capsys):
    with pytest.raises(SystemExit):
        setup.lab([f"--port={port}"])
    assert f"--port takes a number from 1 to 65535, not {port}" in capsys.readouterr().err


def test_the_first_lesson_is_the_lowest_number(checkout):
    assert setup.address(8888, "secret") == "http://127.0.0.1:8888/lab?token=secret"
    (checkout / "notebooks").mkdir()
    for name in ("10_scaling.ipynb", "08_training.ipynb", "scratch.ipynb"):
        (checkout / "notebooks" / name).touch()
    assert setup.address(8888, "x").startswith("http://127.0.0.1:8888/lab/tree/notebooks/08_training.ipynb?token=")
    assert setup.jupyterlab(8888, no_browser=False)[-1] == str(checkout / "notebooks/08_training.ipynb")


def test_jupyterlab_listens_to_this_machine_only_and_shows_no_token(monkeypatch):
    arguments = setup.jupyterlab(8899, no_browser=True)
    assert {"--ServerApp.ip=127.0.0.1", "--ServerApp.port=8899", "--no-browser"} <= set(arguments)
    assert "--no-browser" not in setup.jupyterlab(8899, no_browser=False)
    assert "token" not in " ".join(arguments)
    for user, allowed in [(0, True), (1000, False)]:
        monkeypatch.setattr(os, "geteuid", lambda user=user: user, raising=False)
        assert ("--allow-root" in setup.jupyterlab(8899, no_browser=True)) is allowed


def test_a_server_that_ends_before_it_answers():
    with subprocess.Popen([sys.executable, "-c", ""]) as server, socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
        closed.close()
        assert setup.answers(server, port) is False


# ------------------------------------------------------------------------------------------------------------- test


def test_the_tests_are_one_pytest_over_tests_and_notebooks(checkout, monkeypatch, capsys):
    started = []
    monkeypatch.setattr(setup, "prepare", lambda tests: started.append(tests))
    progress = []

    def start(arguments, BMCOURSE_PROGRESS):
        started.append(" ".join(arguments))
        progress.append(BMCOURSE_PROGRESS)

    monkeypatch.setattr(setup, "start", start)
    monkeypatch.setattr(setup, "finish", lambda process: 5)
    monkeypatch.setattr(setup, "find_browser", lambda: None)
    fixed = "-m pytest -n 3 --dist loadscope --no-loadscope-reorder --nbval --nbval-cell-timeout=120"
    assert setup.test([]) == 5, "pytest's own status"
    assert started == [True, f"{fixed} {checkout / 'notebooks'} {checkout / 'tests'}"]
    assert str(checkout) not in progress[0], "the student's own progress is left alone"
    assert "The browser tests need Chromium or Chrome, and there is none. Get one with: " in capsys.readouterr().out
    setup.test(["-x", "tests/test_data.py"])
    assert started[-1] == f"{fixed} -x tests/test_data.py"


def test_the_longest_tests_come_first():
    paths = [
        "notebooks/00_start_here.ipynb",
        *(f"tests/{name}" for name in ("browser", "test_bench.py", "test_commands.py")),
    ]
    command = [sys.executable, "-m", "pytest", "--nbval", "--collect-only", "-q", "-p", "no:cacheprovider", *paths]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    printed = subprocess.run(command, cwd=setup.ROOT, env=variables, capture_output=True, text=True, check=True).stdout
    scopes = list(dict.fromkeys(line.rsplit("::", 1)[0] for line in printed.splitlines() if "::" in line))
    lessons = "tests/browser/test_notebooks.py::Test"
    assert scopes[:3] == [f"{lessons}EvenLessons", f"{lessons}OddLessons", "tests/test_commands.py"]
    assert scopes[-2:] == ["notebooks/00_start_here.ipynb", "tests/test_bench.py"]


def test_a_browser_is_found_on_the_path_or_where_its_installer_puts_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(setup, "BROWSER_PLACES", ("~/Applications/Chrome",))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert setup.find_browser() is None
    (tmp_path / "Applications").mkdir()
    for place in ("Applications/Chrome", "google-chrome", "chromium"):
        (tmp_path / place).touch(mode=0o755)
        assert setup.find_browser() == str(tmp_path / place)


@pytest.mark.parametrize(
    ("windows", "platform", "advice"),
    [(False, "linux", "apt install chromium"), (False, "darwin", "brew install"), (True, "win32", "winget install")],
)
def test_every_system_has_a_way_to_a_browser(windows, platform, advice, monkeypatch):
    monkeypatch.setattr(setup, "WINDOWS", windows)
    monkeypatch.setattr(setup.sys, "platform", platform)
    sentence = setup.browser_advice()
    monkeypatch.undo()
    assert advice in sentence


# -------------------------------------------------------------------------------------------------- python -m bmcourse


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_has_one_phrase_for_each_command(arguments, capsys):
    assert command.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["lab", "test", "doctor", "notebooks", "claims", "recipes", "bench"]
    assert all(len(line.split()) > 4 for line in lines)


def test_an_unknown_command(capsys):
    assert command.main(["labs"]) == 2
    assert capsys.readouterr().err.startswith("bmcourse has no command 'labs'; its commands are: lab, test, doctor")


def test_an_old_python_gets_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    assert command.main(["lab"]) == 1
    monkeypatch.undo()
    sentence = "bmcourse needs Python 3.11 or newer, and this is Python 3.9. Install a newer one"
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.parametrize("name", ["__init__.py", "threads.py", "__main__.py"])
def test_an_old_python_can_read_as_far_as_the_version_check(name):
    tree = ast.parse((ROOT / "bmcourse" / name).read_text(encoding="utf-8"), feature_version=(3, 6))
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert {ast.unparse(node) for node in imports} <= {"import os", "import sys", "from bmcourse import threads"}


@pytest.mark.parametrize("name", ["notebooks", "claims", "recipes", "bench"])
def test_a_command_without_an_environment_says_what_to_run_first(checkout, name, capsys):
    assert command.main([name]) == 1
    assert capsys.readouterr().err.startswith("The environment is not set up, or not complete. Run this first: python")


def test_another_python_hands_the_command_to_the_environment(checkout, commands, monkeypatch):
    setup.prepare()
    started = []
    monkeypatch.setattr(setup, "start", started.append)
    monkeypatch.setattr(setup, "finish", lambda process: 3)
    assert command.main(["notebooks", "06"]) == 3
    assert command.main(["doctor"]) == 3
    assert started == [["-m", "bmcourse", "notebooks", "06"], ["-m", "bmcourse", "doctor"]]


# ----------------------------------------------------------------------------------------------------------- .ci/run

STUBS = {
    "python3": """#!/bin/bash
case "$2" in
    *find_browser*) exit $NO_BROWSER ;;
    *ensurepip*) exit 0 ;;
    *) echo "python3 $* CI=$CI" ;;
esac
""",
    "apt-get": '#!/bin/bash\necho "apt-get $*"\n',
    "id": "#!/bin/bash\necho 0\n",
}


@pytest.mark.parametrize("missing", [1, 0], ids=["no browser", "a browser"])
def test_ci_installs_a_browser_where_there_is_none_and_calls_the_command_of_the_readme(tmp_path, missing):
    for name, text in STUBS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NO_BROWSER": str(missing)}
    done = subprocess.run(
        ["bash", ROOT / ".ci/run"], env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "python3 -m bmcourse test CI=true"
    wanted = ["apt-get update", "apt-get install -y --no-install-recommends chromium"] if missing else []
    assert lines[:-1] == wanted
