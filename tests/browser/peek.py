"""Look into a kernel while a cell runs there: a thread writes what a function says to a file, and the test reads it."""

import json
import os
import threading
import time
from pathlib import Path


def report(path, look):
    """In the kernel: from now on write `look()` to the file at `path` as JSON, thirty times a second."""
    path = Path(path)
    new = path.with_name(f".{path.name}")  # hidden: a visible file that vanishes is a listed folder's 404

    def write():
        while True:
            new.write_text(json.dumps(look()), encoding="utf-8")
            os.replace(new, path)
            time.sleep(1 / 30)

    threading.Thread(target=write, daemon=True).start()


def until(path, condition, what, seconds=90):
    """In the test: wait until what the kernel reported fulfils `condition`, and return it."""
    deadline = time.monotonic() + seconds
    state = None
    while time.monotonic() < deadline:
        if path.exists():
            state = json.loads(path.read_text(encoding="utf-8"))
            if condition(state):
                return state
        time.sleep(0.03)
    raise AssertionError(f"Waited {seconds} s for {what}. The kernel's last report: {state}")
