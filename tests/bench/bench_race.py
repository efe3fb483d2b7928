"""The race of the optimizers in JupyterLab in a real browser: how soon the picture follows a slider.

On each surface every slider is moved with the arrow keys, at uneven times. The latency is from the key that went down
to the new picture in the page; beside it is the kernel's processor time, to compute the paths and to draw.
"""

import json
import os
import random
import statistics
import sys

from bmcourse.course import setup
from bmcourse.live.surfaces import SURFACES
from tests.bench.bench_live import NOTE, progress
from tests.browser import lab, sweep

PRESSES = 10
# Each slider in the order of the page, and the keys that move it away on one surface and back on the next: no value is
# in the cache. One small step of a β can leave every pixel as it is: then no picture comes.
SLIDERS = {
    "learning rate": ("ArrowLeft", "ArrowRight"),
    "momentum": ("ArrowLeft", "ArrowRight"),
    "β₁": ("PageDown", "PageUp"),
    "β₂": ("PageDown", "PageUp"),
    "start x": ("ArrowRight", "ArrowLeft"),
    "start y": ("ArrowLeft", "ArrowRight"),
}

RACE = """\
import json, time
from bmcourse import live
from bmcourse.live import optimizers

computing, drawing = [0.0], []

def timed(function, note):
    def call(*args, **values):
        start = time.thread_time()
        result = function(*args, **values)
        note(time.thread_time() - start)
        return result
    return call

def note_path(seconds):
    computing[-1] += seconds

def note_frame(seconds):
    drawing.append(seconds - computing[-1])
    computing.append(0.0)

optimizers.path = timed(optimizers.path, note_path)
optimizers.Track.draw = timed(optimizers.Track.draw, note_frame)
live.race()"""

FORGET = "computing[:], drawing[:] = [0.0], []"  # what no move of ours drew
SAVE = """\
with open("race.json", "w") as file:
    json.dump([computing[:-1], drawing], file)"""

# A choice from the menu counts like a key that went down.
NOTE_MENU = """() => document.addEventListener('change', event => {
    if (event.target.tagName === 'SELECT') window.keys.push(performance.timeOrigin + event.timeStamp)
}, true)"""


def main():
    executable = setup.find_browser() or sys.exit(f"This needs Chromium or Chrome. {setup.browser_advice()}")
    random.seed(0)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before. Wanted: sliders 100 ms or less in 95 of 100.")
    with lab.jupyter() as server, lab.chromium(executable) as context:
        path = server.folder / "race.ipynb"
        lab.write_notebook(path, [RACE, FORGET, SAVE])
        notebook = lab.open_notebook(lab.open_lab(context, server), path)
        moved = move_everything(notebook)
        latencies = [frame - key for key, frame in zip(*notebook.page.evaluate("() => [keys, frames]"), strict=True)]
        kernel = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        notebook.close()
    moves = list(zip(moved, latencies, *kernel, strict=True))
    print(f"load {os.getloadavg()[0]:.1f} after. Paths and drawn: the kernel's processor time, medians.")
    print("moved           moves   key to picture: median      p95   paths    drawn")
    for name in SLIDERS:
        print(row(name, [move for move in moves if move[0] == name]))
    print(row("all sliders", [move for move in moves if move[0] != "surface"]))
    print(row("surface", [move for move in moves if move[0] == "surface"]))


def move_everything(notebook):
    """Move each slider on each surface; the name of what was moved, for each picture that came."""
    notebook.run_cell(0)
    notebook.wait_done()
    page, menu = notebook.page, notebook.page.locator(f"{sweep.OUTPUT} select")
    page.locator(f"{sweep.OUTPUT} .noUi-handle").nth(len(SLIDERS) - 1).wait_for()
    page.wait_for_timeout(1000)  # a slider that appears rounds its value, and says so
    notebook.wait_answered()
    notebook.run_cell(1)
    notebook.wait_done()
    page.evaluate(NOTE)
    page.evaluate(NOTE_MENU)
    moved = []
    for number, surface in enumerate(SURFACES):
        progress(f"surface {number + 1} of {len(SURFACES)}: {surface}")
        if number:
            moved.append("surface")
            menu.select_option(surface)
            wait_for_picture(page, len(moved))
        for handle, (name, keys) in enumerate(SLIDERS.items()):
            for _ in range(PRESSES):
                moved.append(name)
                page.locator(f"{sweep.OUTPUT} .noUi-handle").nth(handle).press(keys[number % 2])
                wait_for_picture(page, len(moved))
    notebook.run_cell(2)
    notebook.wait_done()
    if problems := notebook.problems():
        raise RuntimeError(f"The benchmark's notebook did not run: {problems[0]}")
    return moved


def wait_for_picture(page, count):
    """Wait for the last of `count` pictures, and then as long as a hand may rest."""
    page.wait_for_function("count => window.frames.length === count", arg=count, polling=20)
    page.wait_for_timeout(random.uniform(100, 300))


def row(name, moves):
    _, latencies, paths, drawn = zip(*moves, strict=True)
    latency = statistics.quantiles(latencies, n=20, method="inclusive")
    paths, drawn = (1000 * statistics.median(seconds) for seconds in (paths, drawn))
    return (
        f"{name:<14} {len(moves):>6}   {latency[9]:>19.0f} ms   {latency[18]:>4.0f} ms"
        f"   {paths:>2.0f} ms   {drawn:>3.0f} ms"
    )
