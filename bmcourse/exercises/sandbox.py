"""Run a function in a child process, so that an endless loop, a giant allocation or a crash costs that call only.

On Linux the child is a fork: it starts in milliseconds and sees everything the notebook has. Where a fork is not safe
(Windows, macOS, and any machine with an accelerator: autograd's device threads do not survive a fork) it is a fresh
Python that gets the function by cloudpickle. The answer comes back as lines of JSON: nothing a student made is
unpickled here, and a line that is not JSON or not expected ends the call.

On Linux a process stands between the notebook and the child, which has the child for its only one: whatever the child
starts falls to it and ends with the child.

What is limited is the time the child computes, which a busy machine does not lengthen, and, far wider, the time it
takes.
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

from bmcourse import preload

MEMORY = 2 * 2**30  # bytes a child may take on top of what it starts with; Linux alone keeps to it
PRINTED = 2_000  # characters of the child's prints that come back
ANSWER = 16_000_000  # bytes of JSON that come back at most
START = 120  # seconds in which a fresh Python must have imported torch, on the slowest machine
PATIENCE = 10  # how many times its seconds of computing a child may take, for others compute as well
LOOK = 0.1  # seconds between two looks at the clocks


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    `how` is "returned", "raised", "computed" or "waited" (too long), "died", "garbled" (what came was no message) or
    "unsent" (it could not be copied to a fresh Python); `value` is the JSON value, the traceback, the seconds allowed,
    the seconds taken and computed, the exit code, None or the reason; `printed` is what was printed.
    """

    how: str
    value: object
    printed: str = ""


def call(function, *arguments, seconds=10.0, fork=None):
    """Return how `function(*arguments)` ended in a child process that is killed after `seconds` of computing.

    The function's value must fit into JSON. `fork` chooses the kind of child; by default the machine decides.
    """
    context = multiprocessing.get_context("fork" if (_can_fork() if fork is None else fork) else "spawn")
    forked = context.get_start_method() == "fork"
    if forked:
        preload.now()
    try:
        job = (function, arguments) if forked else _pickled(function, arguments)
    except Exception as error:  # a student's object may fail to be pickled in any way
        return Ended("unsent", str(error))
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(job, sender))
    ended = None
    try:
        with preload.loading, warnings.catch_warnings():
            # Python 3.12 warns of any fork beside threads; the child uses none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child.start()
        sender.close()
        ended = _listen(receiver, child, seconds)
        return ended
    finally:  # also when the student interrupts the kernel while it waits
        _end(child, leaving=ended is not None and ended.how in ("returned", "raised", "died"))
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
    printed, heard, clock = "", bytearray(), Clock(child.pid)
    while not (ended := clock.ran_out()):
        if not receiver.poll(LOOK):
            continue
        some = _read(receiver)
        if not some:  # the pipe closed
            child.join(5)
            return Ended("garbled" if child.exitcode is None else "died", child.exitcode, printed)
        heard += some
        if len(heard) > ANSWER:
            return Ended("garbled", None, printed)
        while b"\n" in heard:
            line, _, heard = heard.partition(b"\n")
            kind, value = _message(line)
            if kind == "ready" and clock.seconds is None:
                clock.begin(seconds)
            elif kind == "printed":
                printed = (printed + str(value))[:PRINTED]
            elif kind in ("returned", "raised"):
                return Ended(kind, value, printed)
            else:
                return Ended("garbled", None, printed)
    return Ended(*ended, printed)


def _read(receiver):
    """What there is in the pipe, without waiting for the rest of it; b"" once it is closed."""
    try:
        return receiver.recv_bytes(ANSWER) if os.name == "nt" else os.read(receiver.fileno(), 2**20)
    except (EOFError, OSError):
        return b""


def _message(line):
    """The kind and the value in a line; a kind that nobody knows where it is no message."""
    try:
        kind, value = json.loads(line)
        return kind, value
    except (ValueError, TypeError, RecursionError):
        return "", None


class Clock:
    """How long a process and all it started have computed and have existed since it was ready."""

    def __init__(self, pid):
        self.pid, self.seconds, self.computed = pid, None, 0.0
        self.since = self.looked = time.monotonic()

    def begin(self, seconds):
        """From now on it may compute `seconds`, and what its first optimizer needs where that loads half of torch.

        A fork has this loaded where the notebook has; a fresh Python needs about twice what it took to get ready.
        """
        self.computed = _computed(self.pid)
        first = 0 if preload.done() else seconds
        self.seconds, self.allowed, self.since = seconds, seconds + first + 2 * self.computed, time.monotonic()

    def ran_out(self):
        """The `how` and the `value` of a call whose time is over; None while it has some left."""
        now = time.monotonic()
        if now - self.looked < LOOK:
            return None
        self.looked, taken = now, now - self.since
        if self.seconds is None:
            return ("waited", [taken, 0.0]) if taken > START else None
        computed = _computed(self.pid) - self.computed
        if computed > self.allowed:
            return "computed", self.seconds
        return ("waited", [taken, computed]) if taken > PATIENCE * self.allowed else None


def _computed(pid):
    """Seconds of processor time that a process and all it started have used."""
    import psutil

    total = 0.0
    with contextlib.suppress(psutil.Error):
        child = psutil.Process(pid)
        for process in [child, *child.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])  # of the process and of those it has waited for
    return total


def _end(child, leaving):
    """End the child and whatever it started, and reap it; give it time to go by itself where it is `leaving`."""
    if child.pid is None:  # interrupted before it started
        return
    if leaving:
        child.join(1)
    if child.is_alive():
        _end_all_below(child.pid)
        if sys.platform == "linux":
            child.join(1)  # the one that stands between reaps them
        child.kill()
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.join()
    child.close()


def _end_all_below(pid):
    """Kill all that the process `pid` started, and all that these started."""
    import psutil

    ended = set()
    with contextlib.suppress(psutil.Error):
        while left := set(psutil.Process(pid).children(recursive=True)) - ended:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            ended |= left


def _serve(job, sender):
    """The child: limit it, run the job, send the answer, and leave without any clean-up that belongs to the parent."""
    _detach()
    if sys.platform == "linux":
        _stand_between(sender)
    try:
        import torch

        torch.set_num_threads(1)  # first of all: a fork lacks the parent's other threads, and matmul waits for them
        faulthandler.disable()  # a crash is told in the verdict
        logging.disable()  # the kernel logs it when a fork tries to display something
        gc.freeze()  # what the parent left to be collected is not the child's to clean up
        sys.stdout = sys.stderr = Printed(sender)
        builtins.input = _no_input
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
        _end_with_the_parent()
    else:
        threading.Thread(target=_follow_the_parent, daemon=True).start()


def _end_with_the_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


def _stand_between(sender):
    """Fork once more and go on in the new child; here, wait for its end, end all it leaves behind, and end as it did.

    A child that kills its parent kills this process and not the notebook.
    """
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: who loses its parent becomes a child of this process
    pid = os.fork()
    if pid == 0:
        _end_with_the_parent()
        return
    sender.close()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, os.WNOHANG)  # raises where there are none
            _end_all_below(os.getpid())
            os.waitpid(-1, 0)
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


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
    line = json.dumps([kind, value]).encode() + b"\n"
    if os.name == "nt":
        sender.send_bytes(line)
        return
    while line:
        line = line[os.write(sender.fileno(), line) :]


def _no_input(prompt=""):
    raise RuntimeError("input() has nobody to ask while an answer is checked: take the value as an argument instead.")
