"""The live training run: an ordinary `for` loop in a cell, with its curve, a learning-rate slider, pause and stop."""

import collections
import contextlib
import math
import signal
import sys
import threading
import time
from array import array

from bmcourse.live.checks import (
    checked_baselines,
    checked_lr,
    checked_number,
    checked_range,
    checked_schedule,
    checked_seconds,
    checked_steps,
)
from bmcourse.live.divergence import Watch

LISTEN = 0.005  # seconds between two looks at the controls


class Run:
    """A training run of `steps` steps: ``for step in run`` counts 1, 2, …, hears the controls and draws the curve.

        run = live.Run(steps=600, lr=3e-3)
        for step in run:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad(); loss.backward()
            run.steer(optimizer)
            optimizer.step()
            run.log(train=loss)

    After a stop or an interrupt the same loop goes on where it was left. `lr_range` are the two ends of the slider, and
    `shows` is what the curves show. While somebody watches, all the steps take `seconds` at least, so that there is
    time to steer. When nobody does, or other cells wait for this one, as after a Run All, they take what they need.
    `baselines`, {name: value}, are drawn as dashed lines: what simple methods reach, such as guessing.

    `run.schedule` is every move of a control as (step, control, value), made after that step; "code" is a learning rate
    set by the loop's own lines. A new run with this `schedule` makes the same moves and gives the same bits.
    `place`, a box of ipywidgets, shows the run in it: for a loop that a button starts, in no cell of its own.
    `run.ended` tells why the loop ended: "finished", "stopped", "interrupted", "diverged", or "left" (break or error).
    """

    def __init__(
        self,
        steps,
        lr=3e-3,
        lr_range=(1e-5, 1.0),
        schedule=(),
        place=None,
        shows="loss",
        seconds=15.0,
        baselines=None,
    ):
        self.steps, self.lr_range = checked_steps(steps), checked_range(lr_range)
        self._lr = self._first_lr = self._lr_used = checked_lr(lr, self.lr_range)
        self._replay = collections.deque(checked_schedule(schedule, self.lr_range))
        self.step, self.schedule, self.ended = 0, [], None
        self._curves, self._waiting, self._logged = {}, [], set()
        self._watch, self._diverged = Watch(), ""
        self._place, self._panel, self._open, self._in_body, self._interrupted = place, None, False, False, False
        self._steered = 0  # the step whose steer() was the last to hear the slider
        self.baselines = checked_baselines({} if baselines is None else baselines)
        self.shows, self.seconds, self._made_in = shows, checked_seconds(seconds), this_cell()
        if notebook_shell():
            from bmcourse.live import panel  # noqa: F401  (its imports take seconds: here, not in the loop)

    def __repr__(self):
        return f"live.Run(steps={self.steps}, lr={self._first_lr:g})"

    def __iter__(self):
        if self._open:
            raise RuntimeError("This run's loop is already going. For a loop inside it make another live.Run(...).")
        if self.step >= checked_steps(self.steps):
            self._show_again()
            print(
                f"This run has done its {self.steps} steps. To go on, set {self._name()}.steps += 300 and run this "
                "cell again; to start afresh, make a new model and a new run."
            )
            return
        with contextlib.ExitStack() as self._closing:
            self._begin()
            while self._goes_on():
                self.step += 1
                self._logged.clear()
                self._in_body = True
                yield self.step
                self._in_body = False
        if self._interrupted:
            raise KeyboardInterrupt(f"Interrupted after {self._where()}")
        if self.ended == "stopped":
            print(f"Stopped after {self._where()}")
        elif self.ended == "diverged":
            print(self._diverged)

    @property
    def lr(self):
        """The learning rate now: what the slider or a line of code said last. In the loop, read it after `steer`."""
        return self._lr

    @lr.setter
    def lr(self, value):
        if checked_lr(value, self.lr_range) != self._lr:
            self._record("code" if self._in_body else "lr", float(value))

    def steer(self, optimizer, scale=1.0):
        """Write the learning rate × `scale` (a schedule's factor) into every parameter group of a torch optimizer."""
        if not hasattr(optimizer, "param_groups"):
            raise ValueError(
                "run.steer() takes a torch optimizer, such as torch.optim.AdamW(model.parameters()); "
                f"it got a {type(optimizer).__name__}."
            )
        if not 0 <= scale < math.inf:
            raise ValueError(
                "scale multiplies the learning rate: it must be 0 or more and finite; "
                f"at step {self.step} it was {scale!r}. If a schedule gave it, that must be made for all steps of the "
                f"run: {self._name()}.steps is {self.steps}."
            )
        self._hear_within_step()
        self._lr_used = self._lr * scale
        for group in optimizer.param_groups:
            group["lr"] = self._lr_used

    def log(self, **values):
        """Add one number per name to the curves at this step: floats, or tensors of no dimension."""
        for name, value in values.items():
            if name in self._logged:
                raise ValueError(
                    f"run.log() got {name} twice in step {self.step}. "
                    "Log it once a step, or give the second another name."
                )
            number = checked_number(name, value)
            self._logged.add(name)
            if isinstance(number, float) and not self._waiting:
                self._add(name, self.step, number)
            else:
                self._waiting.append((name, self.step, number))
        # Reading a number from a GPU makes the loop wait for it: that is done only every ten steps.
        if self._waiting and self.step % 10 == 0:
            self._settle()

    @property
    def history(self):
        """What was logged: {name: (steps, values)}, two numpy arrays each."""
        import numpy as np

        self._settle()
        return {name: (np.array(steps), np.array(values)) for name, (steps, values) in self._curves.items()}

    @property
    def frames(self):
        """How many pictures the last loop drew while it ran."""
        return self._panel.frames if self._panel else 0

    @property
    def drawing_seconds(self):
        """The processor time that went into drawing while the last loop ran."""
        return self._panel.seconds if self._panel else 0.0

    def png(self):
        """The picture of the run so far, as bytes: what the notebook keeps."""
        from bmcourse.live.curve import Curve

        history = self.history
        last = (f"{name} {values[-1]:.3g}" for name, (_, values) in history.items())
        words = " · ".join([f"step {self.step} of {self.steps}", *last])
        return Curve(self.steps, self.shows, self.baselines).still(history, self.schedule, words)

    def describe(self):
        """The picture in words, for those who do not see it."""
        words = [f"{self.shows.capitalize()} curves of a live run after {self.step} of {self.steps} steps."]
        for name, (steps, values) in self.history.items():
            words.append(f"{name}: {values[0]:.3g} at step {steps[0]}, {values[-1]:.3g} at step {steps[-1]}.")
        words += [f"Dashed: {name} reaches {value:.3g}." for name, value in self.baselines.items()]
        moves = sum(control in ("lr", "code") for _, control, _ in self.schedule)
        return " ".join(words + [f"The learning rate was moved {moves} times."] * bool(moves))

    def _name(self):
        """The name that the notebook or the script gave this run."""
        names = (name for name, value in vars(sys.modules["__main__"]).items() if value is self)
        return next((name for name in names if not name.startswith("_")), "run")  # _ and _12 are IPython's outputs

    def _show_again(self):
        """The cell of a finished run was executed again, and the page has dropped its picture."""
        if notebook_shell() and self._curves and not self._place:
            from IPython.display import display

            from bmcourse.live.panel import still

            still(self, display)

    def _begin(self):
        self.ended, self._open, self._interrupted = None, True, False
        self._own_cell = self._made_in is not None and self._made_in == this_cell()
        self._diverged, self._next_listen = "", 0.0
        self._closing.callback(self._end)
        self._closing.enter_context(self._interrupts_wait())
        shell = notebook_shell()
        if shell:
            from bmcourse.live.panel import Panel

            self._panel = self._panel or Panel(self, self._place)
            self._closing.enter_context(self._panel.shown(self, shell))
            shell.events.register("post_run_cell", self._after_cell)

    def _goes_on(self):
        """Between two steps: make the moves of a replay, hear the controls, draw. False when the loop ends here."""
        while self._replay and self._replay[0][0] <= self.step and not self.ended:
            _, control, value = self._replay.popleft()
            if control != "code":  # the loop's own lines make that move again
                self._record(control, value)
        if self._panel and not self.ended and time.perf_counter() >= self._next_listen:
            self._listen()
        if self._panel and 0 < self.step < self.steps:
            self._take_time()
        if self.step >= self.steps:
            self._settle()
            self.ended = self.ended or "finished"
        if self._diverged:
            self.ended = "diverged"
        if self._interrupted:
            self.ended = "interrupted"
        return self._open and not self.ended

    def _take_time(self):
        """Wait until as large a part of `seconds` is over as of the steps: a loop of a second cannot be steered."""
        while (
            not (self.ended or self._interrupted) and self._panel.ahead(self) and self._panel.watched(notebook_shell())
        ):
            time.sleep(LISTEN)
            self._listen()

    def _listen(self):
        self._hear()
        if self._panel.pause.value:
            begin = time.perf_counter()
            self._record("pause", True)
            self._panel.show_pause(True)
            while self._panel.pause.value and not (self._panel.stop_clicked or self._interrupted):
                self._panel.draw_if_due(self)
                time.sleep(0.03)
                self._hear()
            self._record("pause", False)
            self._panel.show_pause(False)
            self._panel.begin += time.perf_counter() - begin
        if self._panel.stop_clicked:
            self._record("stop", True)
        self._panel.draw_if_due(self)
        self._next_listen = time.perf_counter() + LISTEN

    def _hear(self, after_step=None):
        """Record a slider that was moved since the last look, as moved after `after_step` (default: the last step)."""
        lr = self._panel.listen()
        if lr is not None:
            self._record("lr", lr, after_step)

    def _hear_within_step(self):
        """Let a slider act on the step that is under way, as if moved before it: once a step, and before code does."""
        too_late = self._steered == self.step or (self.schedule and self.schedule[-1][0] == self.step)
        self._steered = self.step
        if self._panel and self._in_body and not too_late and time.perf_counter() >= self._next_listen:
            self._hear(self.step - 1)

    def _record(self, control, value, after_step=None):
        self.schedule.append((self.step if after_step is None else after_step, control, value))
        if control in ("lr", "code"):
            self._lr = value
        elif control == "stop":
            self.ended = "stopped"

    def _settle(self):
        waiting, self._waiting = self._waiting, []
        for name, step, number in waiting:
            self._add(name, step, float(number))

    def _add(self, name, step, value):
        if name not in self._curves:
            self._curves[name] = array("q"), array("d")
        steps, values = self._curves[name]
        steps.append(step)
        values.append(value)
        self._diverged = self._diverged or self._watch.see(name, step, value, self._lr_used)

    def _end(self):
        self._open = self._in_body = False
        self.ended = self.ended or ("interrupted" if self._interrupted else "left")

    def _after_cell(self, result):
        """A net under the loop: close what the cell left open, and after an error say how to go on."""
        notebook_shell().events.unregister("post_run_cell", self._after_cell)
        self._closing.close()
        if self.ended == "left" and result.error_in_exec:
            print(f"The run stands at {self._where()}")

    def _where(self):
        if self.step == self.steps:
            return f"step {self.step} of {self.steps}."
        go_on = f"Run this cell again to go on with step {self.step + 1}."
        if self._own_cell:
            go_on = "This cell makes a new run each time; a run made in a cell of its own can go on."
        return f"step {self.step} of {self.steps}. {go_on}"

    @contextlib.contextmanager
    def _interrupts_wait(self):
        """The first interrupt waits for the end of the step, so that no step stays half done; the second does not."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(*_):
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def this_cell():
    """The number of the cell that is being executed in a notebook's kernel, or None."""
    shell = notebook_shell()
    return shell and shell.execution_count


def notebook_shell():
    """IPython's shell if this runs in a notebook's kernel; None in a script or a terminal."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None
