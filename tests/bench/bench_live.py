"""The live run in JupyterLab in a real browser: how soon a slider acts, and what the display costs the training.

Two sizes of step, one notebook training and two at once, the browser on the same cores. The bare loop and the live loop
take turns in the same kernel, with the same page open, since a machine is never equally busy twice. Drawing is measured
as a share of the kernel's processor time.
"""

import contextlib
import json
import os
import random
import statistics
import sys

from bmcourse.course import setup
from tests.browser import lab, sweep

TURNS, SECONDS, PRESSES = 2, 10, 20
TARGETS = "150 ms or less in 95 of 100, drawing 3 % or less, 10 % slower or less, 4 frames a second or more"

SETUP = """\
import json, time
import torch
from torch.nn import functional as F
from bmcourse import live

width = 16 if MILLISECONDS < 1 else 512
model = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)

def batch(rows):
    return torch.randn(rows, 64), torch.randn(rows, 1)

def step_seconds(rows, steps=20):
    x, y = batch(rows)
    start = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad(); F.mse_loss(model(x), y).backward(); optimizer.step()
    return (time.perf_counter() - start) / steps

def save(name, **measured):
    with open(f"{name}.json", "w") as file:
        json.dump(measured, file)

step_seconds(64)
rows = 64
while MILLISECONDS > 1 and (now := step_seconds(rows)) < 0.8 * MILLISECONDS / 1000:
    rows = int(rows * min(8, MILLISECONDS / 1000 / now))
x, y = batch(rows)
steps = int(SECONDS / step_seconds(rows, 100 if rows == 64 else 20))"""

BARE = """\
losses = []
start = time.perf_counter()
for step in range(1, steps + 1):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad(); loss.backward()
    optimizer.step()
    losses.append(loss.item())
save("NAME", seconds=(time.perf_counter() - start) / steps)"""

LIVE = """\
run = live.Run(steps=steps, lr=1e-5, seconds=0)
used, changed = None, []
start, processor = time.perf_counter(), time.process_time()
for step in run:
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad(); loss.backward()
    run.steer(optimizer)
    optimizer.step()
    if used != (used := optimizer.param_groups[0]["lr"]):
        changed.append((time.time(), used))
    run.log(train=loss)
seconds = time.perf_counter() - start
drawing = run.drawing_seconds / (time.process_time() - processor)
save("NAME", seconds=seconds / steps, drawing=drawing, changed=changed)"""


# What the page notes: when each key went down, and when each picture of a run was decoded.
NOTE = """() => {
    window.keys = []; window.frames = []
    const now = event => performance.timeOrigin + event.timeStamp
    document.addEventListener('keydown', event => window.keys.push(now(event)), true)
    document.addEventListener('load', event => {
        if (event.target.src?.startsWith('blob:')) window.frames.push(now(event))
    }, true)
}"""


def main():
    executable = setup.find_browser() or sys.exit(f"This needs Chromium or Chrome. {setup.browser_advice()}")
    random.seed(0)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before. Wanted: {TARGETS}.")
    print("bare step   notebooks   slider to step: median     p95   drawing   slower than bare loop   frames/s")
    with lab.jupyter() as server, lab.chromium(executable) as context:
        for milliseconds in (0.3, 50):
            for count in (1, 2):
                print(row(count, measure(server, context, milliseconds, count)), flush=True)


def measure(server, context, milliseconds, count):
    """Bare and live loop in turns in `count` notebooks at once, then the live loop with its slider moved."""
    found = {"latency": [], "step": [], "slower": [], "drawing": [], "frames": []}
    with contextlib.ExitStack() as stack:
        notebooks = [open_one(stack, server, context, f"bench{number}", milliseconds) for number in range(count)]
        run_together(notebooks, 0)
        for turn in range(1, TURNS + 1):
            progress(f"{milliseconds} ms a step, {count} at once, turn {turn} of {TURNS}")
            bare = run_together(notebooks, 1)
            live = run_together(notebooks, 2)
            found["step"] += [1000 * result["seconds"] for result in bare]
            found["slower"] += [b["seconds"] / a["seconds"] - 1 for a, b in zip(bare, live, strict=True)]
            found["drawing"] += [result["drawing"] for result in live]
            found["frames"] += [frames_a_second(notebook) for notebook in notebooks]
            steered = run_together(notebooks, 2, during=move_sliders)
            found["latency"] += [delay for pair in zip(notebooks, steered, strict=True) for delay in latencies(*pair)]
    return found


def open_one(stack, server, context, name, milliseconds):
    cells = [SETUP.replace("MILLISECONDS", str(milliseconds)).replace("SECONDS", str(SECONDS)), BARE, LIVE]
    path = server.folder / f"{name}.ipynb"
    lab.write_notebook(path, [cell.replace("NAME", name) for cell in cells])
    notebook = lab.open_notebook(lab.open_lab(context, server), path)
    stack.callback(notebook.page.close)
    stack.callback(notebook.close)
    notebook.page.evaluate(NOTE)
    return notebook


def run_together(notebooks, cell, during=lambda notebooks: None):
    """Run one cell in every notebook at the same time and do something meanwhile; what each of them saved."""
    for notebook in notebooks:
        notebook.page.evaluate("() => { window.keys = []; window.frames = [] }")
        notebook.run_cell(cell)
    during(notebooks)
    for notebook in notebooks:
        notebook.wait_done()
        if problems := notebook.problems():
            raise RuntimeError(f"The benchmark's notebook did not run: {problems[0]}")
    results = [notebook.path.with_suffix(".json") for notebook in notebooks]
    return [json.loads(path.read_text(encoding="utf-8")) for path in results if path.exists()]


def move_sliders(notebooks):
    """Step each notebook's slider up in turn, at uneven times, while all of them train."""
    handles = [notebook.page.locator(f"{sweep.OUTPUT} .noUi-handle") for notebook in notebooks]
    for handle in handles:
        handle.wait_for()
    handles[0].page.wait_for_timeout(500)  # nobody reaches for a slider sooner after it appears
    for handle in handles * PRESSES:
        handle.press("ArrowRight")
        handle.page.wait_for_timeout(random.uniform(100, 300) / len(handles))


def latencies(notebook, result):
    """Seconds from each key that went down to the end of the first optimizer step with that value or a later one."""
    changed = result["changed"][1:]  # the first is the value the run began with
    keys = [milliseconds / 1000 for milliseconds in notebook.page.evaluate("() => window.keys")]
    pressed = [(time, 1e-5 * 10 ** (0.02 * number)) for number, time in enumerate(keys, 1)]
    return [next(when for when, lr in changed if lr > wanted * 0.99) - time for time, wanted in pressed]


def frames_a_second(notebook):
    """Pictures that the page decoded, from the first to the last."""
    first, *_, last = times = notebook.page.evaluate("() => window.frames")
    return 1000 * (len(times) - 1) / (last - first)


def row(count, found):
    latency = statistics.quantiles(found["latency"], n=20)
    step, slower, drawing, frames = (statistics.median(found[name]) for name in ("step", "slower", "drawing", "frames"))
    return (
        f"{step:>6.2f} ms   {count:^9}   {1000 * latency[9]:>22.0f} ms {1000 * latency[18]:>4.0f} ms"
        f"   {drawing:>7.1%}   {slower:>21.1%}   {frames:>8.1f}"
    )


def progress(text):
    print(f"  {text}", end="\r" if sys.stdout.isatty() else "\n", flush=True)
