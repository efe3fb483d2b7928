"""The sandbox: whatever student code does costs that check only, and is told for what it is."""

import dataclasses
import os
import subprocess
import sys
import threading
import time

import cloudpickle
import psutil
import pytest
import torch

from bmcourse.exercises import sandbox
from bmcourse.exercises.judging import FAILED, PASSED, sandboxed
from tests.toys import MSE, answer, mse

QUICK = dataclasses.replace(MSE, seconds=1.0)
ENDLESS = "Your code took more than 1 s of computing. Is there a loop that never ends?"
GARBLED = (
    "Your code wrote into the connection that brings its results to the check, or closed it. Write to files and close "
    "files only where your code has opened them."
)


@pytest.fixture
def no_child_left():
    """Fails a test that leaves a process, or a zombie, that was not there before it."""
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.parametrize(
    "source, message",
    [
        ("while True: pass", ENDLESS),
        ("os.system('while true; do true; done')", ENDLESS),
        ("os.fork() and os._exit(0) or time.sleep(100)", "Your code ended the whole Python process."),
        ("time.sleep(100)", "Your code was stopped after 2 s, in which it computed for 0.0 s only. Does it sleep"),
        (
            "def mse(p, t):\n    while True:\n        try:\n            time.sleep(9)\n        except: pass",
            "Your code was stopped after 2 s",
        ),
        ("return torch.zeros(10**9)", "Your code asked for more memory than a check allows (2 GB)."),
        ("return bytearray(4 * 10**9)", "Your code asked for more memory than a check allows (2 GB)."),
        ("os._exit(0)", "Your code ended the whole Python process. Leave out exit() and os._exit(): use `return`."),
        ("os._exit(3)", "Your code ended the whole Python process."),
        ("os.kill(os.getpid(), 11)", "Your code crashed the Python process (signal 11)."),
        # The answer may come before the end that its own deed brings it.
        ("os.kill(os.getppid(), 9)", ("Your code crashed the Python process (signal 9).", "The result is None")),
        ("os.kill(0, 15)", "Your code crashed the Python process (signal 15)."),
        ("os.closerange(3, 200); time.sleep(100)", GARBLED),
        ("input('?')", "Your code raised an error in line 2"),
    ],
)
def test_what_ends_the_child_is_told_and_leaves_no_process(source, message, no_child_left, monkeypatch):
    if "stopped" in message:  # a loop on a busy machine needs the patience
        monkeypatch.setattr(sandbox, "PATIENCE", 2)
    verdict = sandboxed(QUICK if "stopped" in message or message == ENDLESS else MSE, answer(source))
    assert verdict.mark == FAILED and verdict.message.startswith(message)


def leaves_a_process_of_its_own(end):
    """The text of an answer that starts a process in its own session, tells its number, and then does `end`."""
    start = "subprocess.Popen(['sleep', '100'], start_new_session=True, close_fds=False)"
    return f"import subprocess; print({start}.pid, flush=True)\n    {end}"


@pytest.mark.parametrize("end", ["return target", "os._exit(0)", "os.kill(os.getpid(), 11)", "while True: pass"])
def test_no_process_outlives_the_check(end):
    verdict = sandboxed(QUICK, answer(leaves_a_process_of_its_own(end)))
    assert verdict.mark == FAILED
    assert not any(_alive(int(pid)) for pid in dict(verdict.rows)["printed"].split())


@pytest.mark.parametrize(
    "written",
    [b"{", b"{}\n", b"garbage\n", b"[" * 10**5 + b"\n", b'["ready", ""]\n', b"x" * (sandbox.ANSWER + 1), b"\xff\n"],
    ids=["half a message", "no pair", "no JSON", "deep", "ready again", "endless", "no text"],
)
def test_what_is_no_message_hangs_and_raises_nothing(written, no_child_left):
    def write(prediction, target):
        os.write(sys.stdout.sender.fileno(), written)
        while True:
            pass

    before = time.monotonic()
    assert sandboxed(QUICK, write).message == (ENDLESS if written == b"{" else GARBLED)
    assert time.monotonic() - before < 60


def test_a_right_answer_passes_on_a_busy_machine():
    script = (
        "import subprocess, sys\nfrom bmcourse.exercises import core, judging\n"
        "busy = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(2)]\n"
        "for name in ('train_step', 'memory_to_train', 'accumulate_gradients', 'step_with_mask', 'MyAdamW'):\n"
        "    exercise = core.find(name)\n"
        "    print(judging.sandboxed(exercise, exercise.reference).text())\n"
        "for process in busy: process.kill()"
    )
    said = subprocess.check_output([sys.executable, "-c", script], text=True).splitlines()
    assert len(said) == 5 and all(line.startswith(PASSED) for line in said), said


def test_a_matmul_works_in_a_fork_after_torch_has_used_two_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.randn(600, 600) @ torch.randn(600, 600)
        big = torch.ones(600, 600)
        exercise = dataclasses.replace(MSE, runner=lambda f, *case: (big @ big).sum(), oracle=None)
        assert sandboxed(exercise, mse).mark == PASSED
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_prints_are_shown_shortened_and_endless_ones_cost_nothing():
    rows = dict(sandboxed(MSE, answer("print('loss', 2); return ((prediction - target) ** 2).mean()")).rows)
    assert rows["printed"] == "loss 2\nloss 2"
    endless = dict(sandboxed(QUICK, answer("while True: print('round and round')")).rows)
    assert endless["printed"] == "\n".join(["round and round"] * 10)


def test_what_writes_below_python_is_not_seen(capfd):
    assert sandboxed(MSE, answer("os.system('echo loud'); return ((prediction - target) ** 2).mean()")).mark == PASSED
    assert capfd.readouterr() == ("", "")


def test_the_parent_is_untouched():
    torch.manual_seed(3)
    state, modules = torch.get_rng_state(), set(os.environ)
    sandboxed(MSE, answer("os.environ['BROKEN'] = '1'; torch.manual_seed(1); torch.set_grad_enabled(False)"))
    assert torch.equal(state, torch.get_rng_state()) and modules == set(os.environ) and torch.is_grad_enabled()


def test_an_interrupt_while_waiting_kills_the_child(no_child_left):
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), 2))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        sandboxed(MSE, answer("while True: pass"))
    timer.join()


def test_a_killed_parent_takes_its_child_along(tmp_path):
    script = (
        "import os, time\nfrom bmcourse.exercises import sandbox\n"
        f"def endless():\n    open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n    while True: pass\n"
        "sandbox.call(endless, seconds=100)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    pid = _eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    assert _eventually(lambda: not _alive(int(pid)))


def _eventually(condition):
    """The condition's value once it is true; gives up after a minute."""
    for _ in range(1200):
        if value := condition():
            return value
        time.sleep(0.05)
    return condition()


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_broken_exercise_is_not_the_students_fault():
    broken = dataclasses.replace(MSE, inputs=lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="(?s)The exercise mse itself is broken.*ZeroDivisionError"):
        sandboxed(broken, mse)


def test_an_answer_too_long_for_the_pipe_is_an_ended_call():
    assert sandbox.call(lambda: "x" * (sandbox.ANSWER + 1)).how == "garbled"


@pytest.fixture
def by_value():
    """A fresh Python cannot import this file, as it cannot import a notebook."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_a_fresh_python_judges_as_a_fork_does(by_value):
    exercise = dataclasses.replace(MSE, seconds=20)
    student = answer("print(1); return targte")
    assert sandboxed(exercise, student, fork=False) == sandboxed(exercise, student, fork=True)


def test_a_fresh_python_is_stopped_too_and_what_cannot_travel_is_told(by_value):
    assert sandboxed(QUICK, answer("while True: pass"), fork=False).message == ENDLESS
    lock = threading.Lock()
    verdict = sandboxed(QUICK, lambda prediction, target: lock, fork=False)
    assert "cannot be copied to the process that checks it (cannot pickle '_thread.lock'" in verdict.message
