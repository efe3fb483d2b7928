"""The course's environment: makes .venv, trusts it only when it is whole, and starts JupyterLab or the tests in it.

Before .venv there is only the standard library, so this file imports nothing else.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

ROOT = Path(__file__).resolve().parents[2]
WINDOWS, LINUX = sys.platform == "win32", sys.platform.startswith("linux")
AGAIN = f"{'python' if WINDOWS else 'python3'} -m bmcourse"
REQUIREMENTS = ("requirements.txt",)
TEST_REQUIREMENTS = ("tests/requirements.txt", "tests/kernels.txt")
LABEXTENSIONS = Path(__file__).with_name("labextensions")  # the course's own part of JupyterLab's page
LEAST_GB = 3.0  # .venv with the CPU build of torch and the tests' packages is 2.0 GB
SIZES = (
    "about 3 GB to download and 7 GB on disk with PyTorch's GPU libraries (README.md names a smaller build)"
    if LINUX
    else "about 0.6 GB to download and 2.3 GB on disk"
)
PYTEST = ("-n", "3", "--dist", "loadscope", "--no-loadscope-reorder", "--nbval", "--nbval-cell-timeout=120")
# Three workers keep two cores busy, for tests also wait: for servers, pages and programs.


class SetupError(Exception):
    """What went wrong in one sentence, and the next step."""


def say(sentence):
    print(sentence, flush=True)


# ------------------------------------------------------------------------------------------------------------ .venv


def venv():
    return ROOT / ".venv"


def python():
    """The path of .venv's own Python."""
    return venv() / ("Scripts/python.exe" if WINDOWS else "bin/python")


def inside():
    """Whether this very process runs in .venv."""
    return Path(sys.prefix).resolve() == venv().resolve()


def ready(tests=False):
    """Whether .venv is whole and holds what the requirements (and with `tests` the tests' requirements) say now."""
    stamp = read_stamp()
    return bool(stamp) and stamp["tests"] >= tests and stamp["requirements"] == digest(stamp["tests"])


def prepare(tests=False):
    """Make .venv hold the requirements, with `tests` the tests' too; False when it does so already."""
    try:
        if ready(tests):
            return False
        stamp = read_stamp()
        stamp_file().unlink(missing_ok=True)  # from here on, until the stamp is back, .venv is half made
        if not stamp:
            create()
        install(tests or stamp.get("tests", False))
        return True
    except OSError as error:
        raise SetupError(explain(f"{error}")) from None
    except KeyboardInterrupt:
        raise SetupError("Stopped: .venv is half made. Start the same command again and it is repaired.") from None


def stamp_file():
    return venv() / "bmcourse.json"


def read_stamp():
    """What .venv was made of; {} when it is missing, half made, copied from elsewhere, or its Python is gone."""
    try:
        stamp = json.loads(stamp_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if (stamp["root"], stamp["python"]) == (str(ROOT), venv_version()) else {}


def write_stamp(tests):
    """Written last and in one piece: an environment without it was interrupted."""
    stamp = {"root": str(ROOT), "python": venv_version(), "tests": tests, "requirements": digest(tests)}
    draft = stamp_file().with_suffix(".draft")
    draft.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    draft.replace(stamp_file())


def venv_version():
    """What .venv's Python says it is, like "3.11"; None when it does not run."""
    question = "import sys; print(sys.version_info[0], sys.version_info[1], sep='.')"
    try:
        answer = subprocess.run([python(), "-S", "-c", question], capture_output=True, text=True)
    except OSError:
        return None
    return answer.stdout.strip() or None


def digest(tests):
    names = REQUIREMENTS + TEST_REQUIREMENTS * tests
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in names)).hexdigest()


# ---------------------------------------------------------------------------------------------------------- install


def create():
    """A new empty .venv in the place of whatever is there."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise SetupError(no_venv())
    say(f"Making {venv()}")
    shutil.rmtree(venv(), ignore_errors=True)
    free = free_gb(ROOT)
    if free < LEAST_GB:
        raise SetupError(f"The course needs {LEAST_GB} GB of disk space and {free:.1f} GB are free. {MAKE_ROOM}")
    maker = getattr(sys, "_base_executable", sys.executable)  # not the Python of the .venv that is being replaced
    run([maker, "-m", "venv", "--clear", venv()], quiet=True)
    say(f"Next come JupyterLab, PyTorch and what they need: {SIZES}; {free:.0f} GB are free.")
    say("This takes a few minutes, and only once.")
    settle()


def free_gb(folder):
    return shutil.disk_usage(folder).free / 1e9


def settle():
    """`import bmcourse` works in every program that uses .venv, and JupyterLab asks nobody about its news."""
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(venv()), "platbase": str(venv())}))
    (site / "bmcourse.pth").write_text(os.path.relpath(ROOT, site) + "\n", encoding="utf-8")
    settings = venv() / "share/jupyter/lab/settings"
    settings.mkdir(parents=True, exist_ok=True)
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    (settings / "overrides.json").write_text(json.dumps(quiet), encoding="utf-8")


def install(tests):
    """Install the requirements, with `tests` the tests' and their kernels, and stamp .venv as whole."""
    files = ["-r", ROOT / "requirements.txt"]
    if tests:
        files += ["-r", ROOT / "tests/requirements.txt"]
    pip(*files)
    if tests:
        shutil.rmtree(venv() / "kernels", ignore_errors=True)
        for version, folder in kernels().items():
            pip("--no-deps", "--target", folder, f"ipykernel=={version}")
    write_stamp(tests)


def kernels():
    """The folder of each other ipykernel of tests/kernels.txt: put first on PYTHONPATH it replaces the pinned one."""
    lines = (ROOT / "tests/kernels.txt").read_text(encoding="utf-8").splitlines()
    versions = [line.partition("==")[2] for line in lines if line.startswith("ipykernel==")]
    return {version: venv() / "kernels" / f"ipykernel-{version}" for version in versions}


def pip(*arguments):
    # Compiling every module takes longer than all the rest; Python compiles the few that are used when they are.
    run([python(), "-m", "pip", "install", "--no-compile", "--disable-pip-version-check", *arguments])


def run(command, quiet=False):
    """Run one step of the installation with its progress in view; raises SetupError with what its errors mean."""
    command = [str(word) for word in command]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {"stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, errors="replace", **streams) as process:
        said = ""
        try:
            for line in process.stdout or process.stderr:
                if "Retrying" in line and "Retrying" not in said:
                    say("The network does not answer; trying again for a while.")
                said += line
        except KeyboardInterrupt:
            process.terminate()
            raise
    if process.returncode:
        raise SetupError(explain(said, command))


# ---------------------------------------------------------------------------------------- what went wrong, in words


def explain(output, command=()):
    """One sentence for what a failing `command` printed, and the next step."""
    for signs, sentence in CAUSES.items():
        if any(sign in output for sign in signs):
            return sentence()
    if NO_BUILD in output:
        return no_build(output.rpartition(NO_BUILD)[2].split()[0])
    last = "\n  ".join(output.strip().splitlines()[-3:])
    step = f" To see more, run: {quoted(command)}" if command else ""
    return f"Setting up .venv failed:\n  {last}\nStart the same command again to repair it.{step}"


def no_room():
    free, temporary = free_gb(ROOT), gettempdir()
    return (
        f"The disk is full: {free:.1f} GB are free for .venv, and {free_gb(temporary):.1f} GB in {temporary}, where "
        f"pip unpacks (the variable TMPDIR names another folder). {MAKE_ROOM}"
    )


def no_network():
    return (
        "The packages could not be downloaded: there is no connection to the package index. Check the network "
        "(and HTTPS_PROXY, if you need a proxy), then start the same command again."
    )


def no_venv():
    debian = f"sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    return (
        f"This Python cannot make environments: its modules venv and ensurepip are missing. On Debian and Ubuntu run: "
        f"{debian} (elsewhere install Python from https://www.python.org/downloads), then start the same command again."
    )


def no_right():
    return (
        f"{venv()} cannot be written. Close the JupyterLab that uses it and check that the folder is yours, "
        f"then start the same command again."
    )


def no_build(package):
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return (
        f"There is no {package} for Python {version} on {sysconfig.get_platform()}. Use a 64-bit Python from 3.11 to "
        f"3.14 on Linux, Windows, or a Mac with an Apple chip."
    )


MAKE_ROOM = "Free some (pip's downloads: python3 -m pip cache purge), then start the same command again."
NO_BUILD = "No matching distribution found for "
CAUSES = {
    ("[Errno 28]", "No space left on device", "[WinError 112]", "[Errno 122]", "Disk quota exceeded"): no_room,
    ("Retrying (", "Connection broken", "Connection aborted", "Read timed out", "urllib3.exceptions"): no_network,
    ("ensurepip is not available", "No module named ensurepip"): no_venv,
    ("[Errno 13]", "[Errno 30]", "[WinError 5]", "[WinError 32]"): no_right,
}


def quoted(command):
    return subprocess.list2cmdline(command) if WINDOWS else shlex.join(command)


# ------------------------------------------------------------------------------------------- programs inside .venv


def environment():
    """The variables for kernels and programs in .venv: .venv first on PATH.

    Where PYTHONDONTWRITEBYTECODE is set, every kernel would compile torch anew, for five seconds and more: .venv keeps
    what is compiled, and nothing is written elsewhere.
    """
    variables = dict(os.environ)
    if variables.pop("PYTHONDONTWRITEBYTECODE", None):
        variables["PYTHONPYCACHEPREFIX"] = str(venv() / "pycache")
    if not variables.get("PATH", "").startswith(str(python().parent)):
        variables["PATH"] = os.pathsep.join([str(python().parent), variables.get("PATH", "")])
    return variables


def cores():
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_inside(command, arguments):
    """Run `python -m bmcourse COMMAND` with .venv's Python and return its exit status."""
    if not ready():
        raise SetupError(f"The environment is not set up, or not complete. Run this first: {AGAIN} lab")
    return finish(start(["-m", "bmcourse", command, *arguments]))


def start(arguments, **variables):
    """Start .venv's Python; a SIGTERM to this process ends it too."""
    process = subprocess.Popen([python(), *arguments], env=environment() | variables)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process


def finish(process):
    """Wait for the program to end; Ctrl-C reaches it too, so it ends in its own way."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


# -------------------------------------------------------------------------------------------------------------- lab


def lab(arguments):
    """Open JupyterLab on the first lesson, reachable from this machine only and with a token."""
    parser = argparse.ArgumentParser(prog=f"{AGAIN} lab", description="Open JupyterLab on the first lesson.")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    parser.add_argument("--port", type=int, default=8888, help="the port to listen on (default 8888)")
    options = parser.parse_args(arguments)
    if not 0 < options.port < 65536:
        parser.error(f"--port takes a number from 1 to 65535, not {options.port}")
    finish(start(["-m", "bmcourse", "doctor"] if prepare() else ["-m", "bmcourse", "doctor", "--short"]))
    port, token = free_port(options.port), secrets.token_hex(24)
    # The token goes by the environment: other users of this machine can read a command line.
    server = start(jupyterlab(port, options.no_browser), JUPYTER_TOKEN=token)
    try:
        if answers(server, port):
            say(f"JupyterLab is open at {address(port, token)}\nCtrl-C here stops it.")
    except KeyboardInterrupt:
        pass  # the server got it as well
    return finish(server)


def free_port(wanted):
    """`wanted`, or the next port that nothing listens on."""
    for port in range(wanted, min(wanted + 100, 65536)):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port != wanted:
            say(f"Port {wanted} is taken; using {port}.")
        return port
    raise SetupError(f"No port from {wanted} on is free. Give another one, for example: {AGAIN} lab --port 9000")


def first_lesson():
    """The notebook with the lowest number; None when there is none."""
    return min((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"), default=None)


def jupyterlab(port, no_browser):
    """The arguments for .venv's Python that open JupyterLab on the first lesson."""
    settings = {"root_dir": ROOT, "ip": "127.0.0.1", "port": port, "port_retries": 0}
    arguments = ["-m", "jupyterlab", "-y", "--JupyterApp.log_level=WARN"]
    arguments += [f"--ServerApp.{name}={value}" for name, value in settings.items()]
    arguments.append(f"--LabApp.extra_labextensions_path={LABEXTENSIONS}")
    if no_browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    lesson = first_lesson()
    return [*arguments, str(lesson)] if lesson else arguments


def address(port, token):
    lesson = first_lesson()
    page = f"/lab/tree/{lesson.relative_to(ROOT).as_posix()}" if lesson else "/lab"
    return f"http://127.0.0.1:{port}{page}?token={token}"


def answers(server, port):
    """Wait until the server answers on `port`: True, or False when it ended instead."""
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


# ------------------------------------------------------------------------------------------------------------- test

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"%PROGRAMFILES%\Google\Chrome\Application\chrome.exe",
    r"%PROGRAMFILES(X86)%\Google\Chrome\Application\chrome.exe",
    r"%LOCALAPPDATA%\Google\Chrome\Application\chrome.exe",
)


def test(arguments):
    """Run pytest on the tests and the notebooks, or on what `arguments` say, and return its exit status."""
    prepare(tests=True)
    if not find_browser():
        say(f"The browser tests need Chromium or Chrome, and there is none. {browser_advice()}")
    paths = arguments or [str(ROOT / folder) for folder in ("notebooks", "tests")]
    with TemporaryDirectory() as folder:  # the tests leave the student's own progress alone
        return finish(start(["-m", "pytest", *PYTEST, *paths], BMCOURSE_PROGRESS=os.path.join(folder, "progress.json")))


def find_browser():
    """The path of a Chromium or Chrome on this machine as a string, or None."""
    on_path = (shutil.which(name) for name in BROWSERS)
    in_place = (os.path.expandvars(os.path.expanduser(place)) for place in BROWSER_PLACES)
    return next(filter(None, on_path), None) or next(filter(os.path.isfile, in_place), None)


def browser_advice():
    """How to get a browser on this kind of machine, as one sentence."""
    if WINDOWS:
        return "Get one with: winget install Google.Chrome"
    if sys.platform == "darwin":
        return "Get one with: brew install --cask google-chrome"
    return "Get one with: sudo apt install chromium (on Fedora: sudo dnf install chromium)"
