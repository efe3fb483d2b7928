"""What a helper would ask for first: what this machine has, what works on it, and how to fix what does not."""

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import bmcourse
from bmcourse.course import setup

# Parts of the file names of fonts that have Chinese, on Linux, macOS and Windows.
CHINESE_FONTS = ("cjk", "notosanssc", "sourcehan", "wqy", "droidsansfallback", "uming", "ukai")
CHINESE_FONTS += ("pingfang", "heiti", "hiraginosansgb", "songti", "msyh", "simhei", "simsun")
WIDGETS = "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"


class Row(NamedTuple):
    """One line of the report; what is not `needed` is good to have, and fails nobody."""

    ok: bool
    text: str
    fix: str = ""
    needed: bool = True

    def __str__(self):
        mark = "✓" if self.ok else "✗" if self.needed else "!"
        return f"{mark} {self.text}" + ("" if self.ok else f"\n    → {self.fix}")


def main(arguments):
    parser = argparse.ArgumentParser(prog=f"{setup.AGAIN} doctor", description="Check this machine.")
    parser.add_argument("--short", action="store_true", help="only what takes no time, and only what is wrong")
    short = parser.parse_args(arguments).short
    rows = report(short)
    wrong = [row for row in rows if not row.ok]
    for row in wrong if short else rows:
        print(row)
    if short and not wrong:
        print(f"✓ Nothing is missing ({setup.AGAIN} doctor tells more)")
    return int(any(row.needed for row in wrong))


def report(short=False):
    """The rows of the report; without .venv those that need nothing but Python, in `short` those that cost nothing."""
    checks = [python, system, course, disk, packages, processor, memory, gpu, kernel, widgets, fonts, browser]
    if not setup.inside():
        checks = [python, system, course, disk, no_environment, browser]
    elif short:
        checks = [disk, packages, memory, widgets]
    return [row for check in checks for row in attempt(check)]


def attempt(check):
    """The rows of one check; a check that raises is itself a finding."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return check()
    except Exception as error:
        return [Row(False, f"{check.__name__}: {type(error).__name__}: {error}", reinstall())]


def reinstall():
    words = [setup.python(), "-m", "pip", "install", "--force-reinstall", "-r", setup.ROOT / "requirements.txt"]
    return f"install the packages again: {setup.quoted([str(word) for word in words])}"


# -------------------------------------------------------------------------------------------- what every Python knows


def python():
    return [Row(True, f"Python {platform.python_version()} at {sys.executable}")]


def system():
    return [Row(True, f"{platform.platform()}")]


def course():
    return [Row(True, f"bmcourse {bmcourse.__version__} at {setup.ROOT}")]


def disk():
    free = setup.free_gb(setup.ROOT)
    return [Row(free >= 1, f"{free:.0f} GB of disk space free", "free at least 1 GB: checkpoints and caches need it")]


def no_environment():
    return [Row(False, "the environment (.venv) is not set up, or not complete", f"run: {setup.AGAIN} lab")]


def browser():
    found = setup.find_browser()
    text = f"browser for the tests: {found}" if found else "no Chromium or Chrome; only the browser tests need one"
    return [Row(bool(found), text, setup.browser_advice(), needed=False)]


# ----------------------------------------------------------------------------------------- what only .venv can tell


def packages():
    """One row when everything is as pinned, else a row for each package that is not."""
    lines = (setup.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    found = {name: installed(name) for name in pins}
    wrong = [name for name in pins if found[name].partition("+")[0] != pins[name]]  # 2.13.0+cpu is torch 2.13.0
    if wrong:
        return [Row(False, f"{name} is {found[name]}, pinned is {pins[name]}", reinstall()) for name in wrong]
    return [Row(True, "packages as pinned: " + ", ".join(f"{name} {found[name]}" for name in pins))]


def installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def processor():
    import torch

    cores, threads = setup.cores(), torch.get_num_threads()
    fix = "unset OMP_NUM_THREADS, and the course takes one: training stalls when the browser finds no free core"
    return [Row(threads < cores or cores == 1, f"{cores} cores, torch uses {threads}", fix, needed=False)]


def memory():
    import psutil

    memory = psutil.virtual_memory()
    text = f"{memory.total / 1e9:.0f} GB of memory, {memory.available / 1e9:.1f} GB available"
    return [Row(memory.available > 2e9, text, "close other programs: the lessons need 2 GB", needed=False)]


def gpu():
    import torch

    if torch.cuda.is_available():
        return [Row(True, f"GPU: {torch.cuda.get_device_name(0)} (CUDA {torch.version.cuda})")]
    if torch.backends.mps.is_available():
        return [Row(True, "GPU: Apple (MPS)")]
    return [Row(True, "no GPU: everything runs on the CPU")]


def kernel():
    """Starts a real kernel and lets it add."""
    from jupyter_client.manager import start_new_kernel

    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    manager, client = start_new_kernel(startup_timeout=60, kernel_name="python3", **silent)
    try:
        reply = client.execute("", user_expressions={"sum": "1 + 1"}, reply=True, timeout=30)
        answer = reply["content"]["user_expressions"]["sum"]["data"]["text/plain"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return [Row(answer == "2", f"a notebook kernel starts, and 1 + 1 gives {answer}", reinstall())]


def widgets():
    import ipywidgets

    text = f"widgets: ipywidgets {ipywidgets.__version__} and JupyterLab's widget manager"
    return [Row((Path(sys.prefix) / WIDGETS).is_file(), text, reinstall())]


def fonts():
    from matplotlib import font_manager

    from bmcourse import plots

    fig, axes = plots.figure()
    axes.set_title("font")
    rows = [Row(len(plots.png(fig)) > 1000, "figures and their fonts", reinstall())]
    names = [os.path.basename(path).lower().replace(" ", "") for path in font_manager.findSystemFonts()]
    chinese = any(part in name for name in names for part in CHINESE_FONTS)
    fix = "sudo apt install fonts-noto-cjk (the pages show boxes for Chinese without one)"
    return [*rows, Row(chinese, "a Chinese font" if chinese else "no Chinese font", fix, needed=False)]
