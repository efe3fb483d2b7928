"""The two commands of the README in a clean copy of the checkout: a real .venv, a real JupyterLab, real tests."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 1200  # seconds until a command that hangs is ended

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent to a process group")


def clean_environment():
    """This process's variables without pytest's own and without its place for compiled files."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "PYTHONPYCACHE"))
    }


def index_answers(folder):
    options = ["--no-deps", "--no-cache-dir", "--retries=0", "--timeout=15", "--dest", folder]
    download = [sys.executable, "-m", "pip", "download", *options, "iniconfig"]
    return subprocess.run(download, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """What git has of this checkout and would add to it, in a folder of its own; removed with its .venv at the end."""
    folder = tmp_path_factory.mktemp("commands")
    if os.environ.get("CI") != "true" and not index_answers(folder / "download"):
        pytest.skip("the package index cannot be reached, and a fresh environment needs it")
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / "bmcourse" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "bmcourse" / name)
    yield folder / "bmcourse"
    shutil.rmtree(folder)


class Command:
    """`python3 -m bmcourse ...` of a Python that has nothing installed, in a process group as a terminal makes it."""

    def __init__(self, folder, *arguments):
        words = [sys._base_executable, "-m", "bmcourse", *arguments]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(
            words, cwd=folder, env=clean_environment(), text=True, start_new_session=True, **streams
        )
        self.output = ""

    def __enter__(self):
        self.watchdog = threading.Timer(PATIENCE, self.signal, [signal.SIGKILL])
        self.watchdog.start()
        return self

    def __exit__(self, *error):
        self.watchdog.cancel()
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def read_until(self, pattern):
        """The match of `pattern` in the output so far."""
        for line in self.process.stdout:
            self.output += line
            if found := re.search(pattern, line):
                return found
        pytest.fail(f"the command ended before it printed {pattern!r}:\n{self.output}")

    def end(self):
        """Read all that is left and return the exit status."""
        self.output += self.process.stdout.read()
        return self.process.wait()


def status(base, token=None):
    """JupyterLab's answer on /api/status: the HTTP status, and what it says."""
    request = urllib.request.Request(f"{base}/api/status", headers={"Authorization": f"token {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}


def check_that_lab_answers(lab):
    """It answers with the token it prints and refuses without; it listens on loopback only; Ctrl-C ends it."""
    base, page, token = lab.read_until(r"(http://127\.0\.0\.1:\d+)(/lab\S*)\?token=(\w{32,})").groups()
    assert status(base, token)[0] == 200
    assert "started" in status(base, token)[1]
    assert status(base)[0] == 403
    assert status(base, "0" * len(token))[0] == 403
    lessons = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    assert page == (f"/lab/tree/notebooks/{lessons[0]}" if lessons else "/lab")

    programs = psutil.Process(lab.process.pid).children(recursive=True)
    listening = {c.laddr.ip for p in programs for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}

    lab.signal(signal.SIGINT)
    assert lab.end() == 0, lab.output
    assert "Traceback" not in lab.output
    assert not any(program.is_running() for program in programs)


def test_lab_sets_up_everything_and_opens(copy):
    with Command(copy, "lab", "--no-browser") as lab:
        check_that_lab_answers(lab)
    assert "Successfully installed" in lab.output, "pip's own progress is in view"
    assert "✓ a notebook kernel starts, and 1 + 1 gives 2" in lab.output
    assert "✗" not in lab.output


def test_lab_started_again_installs_nothing(copy):
    (pip,) = copy.glob(".venv/lib/python3.*/site-packages/pip")
    pip.rename(pip.with_name("pip_away"))  # whoever calls it now fails
    try:
        with Command(copy, "lab", "--no-browser") as lab:
            check_that_lab_answers(lab)
    finally:
        pip.with_name("pip_away").rename(pip)
    assert lab.output.startswith(("✓ Nothing is missing", "! "))


def test_test_adds_what_tests_need_and_ends_with_the_summary_of_pytest(copy):
    with Command(copy, "test", "tests/test_setup.py") as tests:
        assert tests.end() == 0, tests.output
    assert re.fullmatch(r"=+ \d+ passed.* in .*=+", tests.output.splitlines()[-1]), tests.output
    kernels = sorted(path.name for path in (copy / ".venv/kernels").iterdir())
    assert kernels == ["ipykernel-6.30.1", "ipykernel-7.3.0"]
