"""Load early what torch loads late: its first optimizer imports torch._dynamo, 2,000 modules and seconds of computing.

A notebook does so while the student reads. A process forked afterwards has it; one forked before would load it itself.
"""

import contextlib
import importlib
import threading

_thread = None


def start():
    """Begin to load in the background; a second call does nothing."""
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_load, name="preload", daemon=True)
        _thread.start()


def wait():
    """Return when all is loaded; load it now if nobody began. A fork amid an import would leave the child its locks."""
    if _thread is not None:
        _thread.join()
    _load()


def _load():
    with contextlib.suppress(Exception):  # what cannot be loaded is told by whoever needs it
        importlib.import_module("torch._dynamo")
