"""What a live run shows in the notebook: the controls, the curve and a status line, and at the end a picture alone."""

import contextlib
import html
import math
import statistics
import time
from collections import deque

import ipywidgets as widgets
from IPython.display import display

from bmcourse import plots
from bmcourse.live import view
from bmcourse.live.curve import INCHES, Curve
from bmcourse.live.messages import Inbox

BUDGET = 0.029  # of the time goes into drawing, averaged over five frames: a new axis costs as much as several
NOTCH = 0.02  # of the slider, in powers of ten
PAUSE = 0.21  # seconds between two frames, at least; each costs the browser more than the kernel
ZOOM = 1.25  # of the curve on the page
PAUSE_BUTTON, GO_ON_BUTTON = {"description": "Pause", "icon": "pause"}, {"description": "Go on", "icon": "play"}
PATIENCE = 3.0  # seconds in which a page shows the panel, if there is a page


class Panel:
    """The widgets of one run. The page writes the controls, the loop the picture: both on one widget lose updates."""

    def __init__(self, run, place=None):
        low, high = (math.log10(end) for end in run.lr_range)
        self.slider = widgets.FloatLogSlider(
            run.lr, min=low, max=high, step=NOTCH, description="learning rate", readout_format=".1e",
            style={"description_width": "initial"}, layout={"width": "380px"},
        )  # fmt: skip
        self.pause = widgets.ToggleButton(**PAUSE_BUTTON, layout={"width": "90px"})
        self.stop = widgets.Button(description="Stop", icon="stop", layout={"width": "90px"})
        self.stop.on_click(lambda _: setattr(self, "stop_clicked", True))
        self.picture = widgets.Image(format="png", layout=view.wide(ZOOM * plots.INCH * INCHES[0]))
        self.status = widgets.HTML()
        self.controls = widgets.HBox([self.pause, self.stop, self.slider])
        view.grow(self.pause, self.stop, self.slider)
        self.box = view.described(
            f"Curves of a live run of {run.steps} steps: {run.shows} against the step, with the last values below.",
            *(self.controls, self.picture, self.status),
        )
        self.box._view_count = 0  # from now on the page counts the views of the box; without a page it stays 0
        self.place, self.lr, self.lr_range, self.heard = place, run.lr, run.lr_range, self.slider.value
        self.frames, self.seconds = 0, 0.0  # drawn while the loop ran

    @contextlib.contextmanager
    def shown(self, run, shell):
        """Show the panel while the loop goes on, and at the end the picture of `run` where it was."""
        self.pause.value, self.stop_clicked = False, False
        self.begin, self.first_step = time.perf_counter(), run.step
        self.curve, self.costs = Curve(run.steps, run.shows, run.baselines), deque(maxlen=5)
        heard = [self.slider, self.pause, self.stop, self.controls, self.picture, self.status, self.box]
        self.inbox = Inbox(shell.kernel, heard)
        self.draw(run)  # the first frame is slow: before the loop
        self.costs.extend([0.0] * 5)
        self.next_frame, self.frames, self.seconds = 0.0, 0, 0.0
        with no_flushing(shell):
            leave = self.show_below_cell(run) if self.place is None else self.show_in_place(run)
            try:
                yield
            finally:
                self.inbox.put_back()
                leave()

    def show_below_cell(self, run):
        """Display the panel; returns what puts the picture there instead."""
        text = repr(run)  # the same before and after: files keep the last, and nbval compares it with the first
        handle = display({"text/plain": text, **view.widget_view(self.box)}, raw=True, display_id=True)
        return lambda: still(run, handle.update)

    def show_in_place(self, run):
        """Put the panel into the box `place`; returns what puts the picture there instead."""
        self.place.children = [self.box]

        def leave():
            self.place.children = [view.described(run.describe(), view.picture(run.png(), ZOOM))]

        return leave

    def watched(self, shell):
        """Whether somebody looks, or will in a moment: a page is there, and no other cell waits for this one."""
        if self.inbox.cells_wait or self.inbox.problem:
            return False
        asks = getattr(shell.kernel, "_allow_stdin", True)  # whether the cell came from where a person can answer
        return self.box._view_count > 0 or (asks and time.perf_counter() < self.begin + PATIENCE)

    def ahead(self, run):
        """Whether the loop has done a larger part of its steps than is over of the time it takes when watched."""
        return time.perf_counter() < self.begin + (run.step - self.first_step) / run.steps * run.seconds

    def show_pause(self, paused):
        """Let the button say what a click on it does."""
        for name, value in (GO_ON_BUTTON if paused else PAUSE_BUTTON).items():
            setattr(self.pause, name, value)

    def listen(self):
        """Hear the page: the learning rate if the slider was moved since the last time, else None."""
        self.inbox.deliver()
        if abs(math.log10(self.slider.value / self.heard)) < NOTCH / 2:  # the page itself rounds it to whole notches
            return None
        self.heard = self.slider.value
        self.lr = min(max(self.heard, self.lr_range[0]), self.lr_range[1])  # log and back again may be off by a bit
        return self.lr

    def draw_if_due(self, run):
        """Draw if somebody looks and the budget allows."""
        if self.box._view_count and time.perf_counter() >= self.next_frame:
            self.draw(run)

    def draw(self, run):
        """Draw the curve, write the status, and put off the next frame by what this one cost."""
        start = time.thread_time()  # processor time: a frame is not dearer because other programs interrupt it
        if run.lr != self.lr:  # moved by a line of code: the slider follows
            self.lr = self.slider.value = run.lr
            self.heard = self.slider.value
        history = run.history
        self.picture.value = self.curve.frame(history, run.schedule)
        self.status.value = html.escape(" · ".join(self._status(run, history)))
        cost = time.thread_time() - start
        self.frames, self.seconds = self.frames + 1, self.seconds + cost
        self.costs.append(cost)
        self.next_frame = time.perf_counter() + max(PAUSE, statistics.fmean(self.costs) / BUDGET)

    def _status(self, run, history):
        yield f"{'paused after ' if self.pause.value else ''}step {run.step} of {run.steps}"
        done = run.step - self.first_step
        if done and not self.pause.value:
            yield f"{duration((run.steps - run.step) * (time.perf_counter() - self.begin) / done)} left"
        yield from (f"{name} {values[-1]:.3g}" for name, (_, values) in history.items())
        yield f"lr {run.lr:.2g}"
        if self.inbox.problem:
            yield self.inbox.problem


def still(run, show):
    """Show the picture of `run` by `show`, which is IPython's display or the update of what it displayed."""
    png = run.png()
    show(
        {"text/plain": repr(run), "image/png": png}, raw=True, metadata=view.picture_metadata(png, run.describe(), ZOOM)
    )


def duration(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


@contextlib.contextmanager
def no_flushing(shell):
    """Keep pyplot's hook still: after a widget's message it would show and close a figure that the loop still draws."""
    hooks = [hook for hook in shell.events.callbacks["post_execute"] if hook.__name__ == "flush_figures"]
    for hook in hooks:
        shell.events.unregister("post_execute", hook)
    try:
        yield
    finally:
        for hook in hooks:
            shell.events.register("post_execute", hook)
