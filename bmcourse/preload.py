"""Load early what torch loads late: its first optimizer imports torch._dynamo, 2,000 modules and seconds of computing.

A notebook does so while the student reads. A process forked afterwards has it; one forked before would load it itself.
"""

import contextlib
import importlib
import sys
import threading

LATE = "torch._dynamo"
DELAY = 5  # seconds of reading: the cells that a student, or a Run All, runs at once are not slowed
loading = threading.Lock()  # a fork amid another thread's import would leave the child the import's locks
_timer = None


def start():
    """Begin to load in the background, in a while; a second call does nothing."""
    global _timer
    if _timer is None:
        _timer = threading.Timer(DELAY, _load)
        _timer.daemon = True
        _timer.start()


def now():
    """Load it now, where nobody reads meanwhile; a notebook that has begun, or will in a while, is left to that."""
    if _timer is None:
        _load()


def done():
    """Whether all is loaded, by this module or by an optimizer."""
    return LATE in sys.modules


def _load():
    with loading, contextlib.suppress(Exception):  # what cannot be loaded is told by whoever needs it
        importlib.import_module(LATE)
