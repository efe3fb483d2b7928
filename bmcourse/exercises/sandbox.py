"""Run a function in a child process, so that an endless loop, a giant allocation or a crash costs that call only.

On Linux the child is a fork: it starts in milliseconds and sees everything the notebook has. Where a fork is not safe
(Windows, macOS, and any machine with an accelerator: autograd's device threads do not survive a fork) it is a fresh
Python that gets the function by cloudpickle. The answer comes back as JSON: nothing a student made is unpickled here.
"""

import builtins
import contextlib
import ctypes
import faulthandler
import gc
import io
import json
import linecache
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from dataclasses import dataclass

MEMORY = 2 * 2**30  # bytes a child may take on top of what it starts with; Linux alone keeps to it
PRINTED = 2_000  # characters of the child's prints that come back
ANSWER = 1_000_000  # bytes of JSON that come back at most
START = 120  # seconds in which a fresh Python must have imported torch, on the slowest machine


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    `how` is "returned", "raised", "timeout", "died" or "unsent" (it could not be copied to a fresh Python); `value` is
    the JSON value, the traceback, the seconds allowed, the exit code or the reason; `printed` is what was printed.
    """

    how: str
    value: object
    printed: str = ""


def call(function, *arguments, seconds=10.0, fork=None):
    """Return how `function(*arguments)` ended in a child process that is killed after `seconds`.

    The function's value must fit into JSON. `fork` chooses the kind of child; by default the machine decides.
    """
    context = multiprocessing.get_context("fork" if (_can_fork() if fork is None else fork) else "spawn")
    forked = context.get_start_method() == "fork"
    try:
        job = (function, arguments) if forked else _pickled(function, arguments)
    except Exception as error:  # a student's object may fail to be pickled in any way
        return Ended("unsent", str(error))
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(job, sender))
    try:
        with warnings.catch_warnings():  # Python 3.12 warns of any fork beside threads; the child uses none of them
            warnings.simplefilter("ignore", DeprecationWarning)
            child.start()
        sender.close()
        return _listen(receiver, child, seconds)
    finally:  # also when the student interrupts the kernel while it waits
        _kill(child)
        receiver.close()
        sender.close()


def _can_fork():
    import torch

    return sys.platform == "linux" and not torch.accelerator.is_available()


def _pickled(function, arguments):
    """The job as bytes, with the source lines of notebook cells, which a fresh Python could not look up."""
    import cloudpickle

    cells = {name: entry for name, entry in linecache.cache.items() if len(entry) == 4 and entry[1] is None}
    return cloudpickle.dumps((function, arguments, cells))


def _unpickled(job):
    import cloudpickle

    function, arguments, cells = cloudpickle.loads(job)
    linecache.cache.update(cells)
    return function, arguments


def _listen(receiver, child, seconds):
    """Collect the child's messages until it has answered, died, or used up its time."""
    printed, deadline = "", time.monotonic() + START
    try:
        while receiver.poll(max(0.0, deadline - time.monotonic())):
            kind, text = json.loads(receiver.recv_bytes(ANSWER))
            if kind == "ready":
                deadline = time.monotonic() + seconds
            elif kind == "printed":
                printed += text
            else:
                return Ended(kind, text, printed)
    except (EOFError, OSError):  # the pipe closed, or the answer was too long
        child.join(1)
        return Ended("died", child.exitcode, printed)
    return Ended("timeout", seconds, printed)


def _kill(child):
    """End the child and whatever it started, and reap it."""
    if child.pid is None:  # interrupted before it started
        return
    child.kill()
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.join()
    child.close()


def _serve(job, sender):
    """The child: limit it, run the job, send the answer, and leave without any clean-up that belongs to the parent."""
    import torch

    torch.set_num_threads(1)  # first of all: a fork lacks the parent's other threads, and matmul would wait for them
    faulthandler.disable()  # a crash is told in the verdict
    logging.disable()  # the kernel logs it when a fork tries to display something
    gc.freeze()  # what the parent left to be collected is not the child's to clean up
    _detach()
    sys.stdout = sys.stderr = Printed(sender)
    builtins.input = _no_input
    try:
        function, arguments = _unpickled(job) if isinstance(job, bytes) else job
        _send(sender, "ready", "")
        with _limited_memory():
            answer = function(*arguments)
        _send(sender, "returned", answer)
    except BaseException:
        _send(sender, "raised", traceback.format_exc()[-4_000:])
    os._exit(0)


def _detach():
    """Own process group, no terminal, no notebook output; never outlive the kernel (a fork holds its ports open)."""
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    if hasattr(os, "setsid"):
        os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
    else:
        threading.Thread(target=_follow_the_parent, daemon=True).start()


def _follow_the_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


@contextlib.contextmanager
def _limited_memory():
    """Allow `MEMORY` bytes more than the process has now (Linux)."""
    if sys.platform != "linux":
        yield
        return
    import resource

    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class Printed(io.TextIOBase):
    """A stream that sends its first `PRINTED` characters to the parent at once and drops the rest."""

    def __init__(self, sender):
        self.sender, self.room = sender, PRINTED

    def write(self, text):
        if self.room > 0:
            _send(self.sender, "printed", text[: self.room])
            self.room -= len(text)
        return len(text)


def _send(sender, kind, value):
    sender.send_bytes(json.dumps([kind, value]).encode())


def _no_input(prompt=""):
    raise RuntimeError("input() has nobody to ask while an answer is checked: take the value as an argument instead.")
