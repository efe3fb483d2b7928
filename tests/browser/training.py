"""A student's session with a live run, for every kernel and front end: moves, pause, stop, interrupt, going on."""

from tests.browser.peek import until
from tests.browser.sweep import OUTPUT

CELLS = [
    """\
import time
import ipykernel
import torch
from bmcourse import live
from tests.browser.peek import report

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
x, used, done = torch.ones(8, 4), [], []
run = live.Run(steps=100_000, lr=3e-3)  # between two notches of the slider
report("NAME.json", lambda: {"step": run.step, "done": len(done), "used": used, "schedule": run.schedule})
print("ipykernel", ipykernel.__version__)""",
    """\
for step in run:
    loss = 0.01 * model(x).square().mean()  # so flat that no learning rate diverges
    optimizer.zero_grad(); loss.backward()
    run.steer(optimizer)
    optimizer.step()
    run.log(train=loss)
    done.append(step)
    if not used or used[-1][1] != optimizer.param_groups[0]["lr"]:
        used.append((step, optimizer.param_groups[0]["lr"]))
    time.sleep(0.002)""",
    """\
print("consecutive steps:", done == list(range(1, len(done) + 1)))
print("all logged:", len(run.history["train"][1]) == len(done))""",
]
HANDLE = f"{OUTPUT} .noUi-handle"
PICTURE = ".jp-RenderedImage img"


class Training:
    """The notebook above, open, with what a student does in it."""

    def __init__(self, open_notebook, name, **where):
        self.notebook = open_notebook(f"{name}.ipynb", [cell.replace("NAME", name) for cell in CELLS], **where)
        self.page, self.reported = self.notebook.page, self.notebook.path.with_suffix(".json")
        self.notebook.run_cell(0)
        self.notebook.wait_done()

    def go(self):
        """Run the loop's cell, for the first time or again, and wait until it trains."""
        done = self.until(lambda state: True, "the kernel's first report")["done"]
        self.notebook.run_cell(1)
        self.until(lambda state: state["done"] > done + 20, "training to go on")
        self.page.wait_for_selector(HANDLE)

    def until(self, condition, what):
        return until(self.reported, condition, what)

    def until_lr_is_as_shown(self):
        """Wait until the optimizer uses what is written beside the page's slider, and return that."""
        shown = float(self.page.inner_text(f"{OUTPUT} .widget-slider .widget-readout"))
        self.until(lambda state: float(f"{state['used'][-1][1]:.1e}") == shown, f"learning rate {shown}")
        return shown

    def drag(self, fraction):
        """Drag the slider's handle with the mouse to a fraction of the slider's length."""
        handle = self.page.locator(HANDLE).bounding_box()
        track = self.page.locator(f"{OUTPUT} .noUi-target").bounding_box()
        height = handle["y"] + handle["height"] / 2
        self.page.mouse.move(handle["x"] + handle["width"] / 2, height)
        self.page.mouse.down()
        self.page.mouse.move(track["x"] + track["width"] * fraction, height, steps=8)
        self.page.mouse.up()

    def press(self, key):
        self.page.locator(HANDLE).press(key)

    def click(self, label):
        self.page.click(f"{OUTPUT} button:has-text('{label}')")

    def interrupt(self):
        self.notebook.command("notebook:interrupt-kernel")

    def end_with(self, act):
        """Do what ends the loop; then the picture stands where the controls were."""
        act()
        self.notebook.wait_done()
        self.page.wait_for_selector(PICTURE)
        assert self.page.locator(HANDLE).count() == 0


def session(open_notebook, name, **where):
    """A whole session: every control in mid-run, stop, interrupt, going on. Returns the saved notebook."""
    training = Training(open_notebook, name, **where)
    training.go()
    training.page.wait_for_selector(f"{OUTPUT} img[src^='blob:']")
    assert training.until(lambda state: state["done"] > 200, "more steps")["schedule"] == []  # nothing was moved
    training.drag(0.9)
    assert training.until_lr_is_as_shown() > 0.05
    training.press("Home")
    assert training.until_lr_is_as_shown() == 1e-5
    pause_and_resume(training)
    training.end_with(lambda: training.click("Stop"))
    check_picture(training)
    training.go()
    training.end_with(training.interrupt)
    training.go()
    training.end_with(training.interrupt)
    check_what_is_left(training)
    return training.notebook.saved()


def pause_and_resume(training):
    training.click("Pause")
    paused = training.until(lambda state: state["schedule"][-1][1:] == ["pause", True], "the pause")
    training.press("End")  # heard in a pause too, and used when it ends
    training.page.wait_for_timeout(300)
    assert training.until(lambda state: True, "a report")["done"] == paused["done"]
    training.click("Go on")
    assert training.until_lr_is_as_shown() == 1.0


def check_picture(training):
    """The saved notebook holds a picture with alt text and a line of text, and no widget."""
    saved = training.notebook.saved()
    (display,) = [output for output in saved.cells[1].outputs if output.output_type == "display_data"]
    assert set(display.data) == {"image/png", "text/plain"}
    assert "learning rate was moved" in display.metadata["image/png"]["alt"]
    assert "widgets" not in saved.metadata


def check_what_is_left(training):
    """No step is half done, all of them are logged, and the schedule tells what the optimizer used."""
    training.notebook.run_cell(2)
    training.notebook.wait_done()
    assert training.notebook.saved().cells[2].outputs[0].text == "consecutive steps: True\nall logged: True\n"
    state = training.until(lambda state: True, "a report")
    moves = {step + 1: value for step, control, value in state["schedule"] if control == "lr"}  # the last before a step
    used = [(1, 3e-3), *moves.items()]
    assert [tuple(pair) for pair in state["used"]] == used
    others = [(control, value) for _, control, value in state["schedule"] if control != "lr"]
    assert others == [("pause", True), ("pause", False), ("stop", True)]
    problems = [problem.partition(" after step")[0] for problem in training.notebook.problems()]
    assert problems == ["KeyboardInterrupt: Interrupted"] * 2
