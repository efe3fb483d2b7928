"""README's picture: the lesson 08_training in JupyterLab while it trains, its slider moved twice on the way.

python -m tests.browser.picture
"""

import io

import nbformat
from PIL import Image

from bmcourse.course import setup
from tests.browser import lab
from tests.browser.sweep import OUTPUT

LESSON, PICTURE = setup.ROOT / "notebooks" / "08_training.ipynb", setup.ROOT / "data" / "08_training.png"
HANDLE = f"{OUTPUT} .noUi-handle"
# The loop's cell: its code and what it shows, in view as a whole.
CELL = ".jp-CodeCell:has(.noUi-handle)"
AFTER = """([output, step]) => [...document.querySelectorAll(output)].some(
    shown => Number(/step (\\d+) of/.exec(shown.innerText)?.[1]) >= step)"""


def main():
    with lab.jupyter() as server, lab.chromium(setup.find_browser(), width=900, height=1000) as context:
        path = server.folder / LESSON.name
        write_to_first_loop(path)
        notebook = lab.open_notebook(lab.open_lab(context, server), path)
        notebook.command("application:toggle-left-area")
        notebook.run_all()
        save(train_and_steer(notebook.page))
        notebook.close()
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


def write_to_first_loop(path):
    """The lesson up to its first live loop, without outputs."""
    lesson = nbformat.read(LESSON, 4)
    loop = next(index for index, cell in enumerate(lesson.cells) if " in run:" in cell.source)
    lesson.cells = lesson.cells[: loop + 1]
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(lesson, path)


def train_and_steer(page):
    """PNG bytes of the loop's cell at step 350, after the slider went up eight times as high and back."""
    page.wait_for_selector(HANDLE, timeout=300_000)
    page.locator(CELL).scroll_into_view_if_needed()
    for step, moves in ((150, ["PageUp"] * 9), (200, ["PageDown"] * 9), (350, [])):
        page.wait_for_function(AFTER, arg=[OUTPUT, step], timeout=300_000)
        for key in moves:
            page.locator(HANDLE).press(key)
    return page.locator(CELL).screenshot()


def save(png):
    """Write the picture in few colours: a third of the bytes, and no eye sees it."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
