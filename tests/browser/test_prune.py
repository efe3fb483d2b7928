"""The explorer of pruning in a real page: a slider prunes, a button trains, and the run hears its own controls."""

import re

CELL = """\
import torch
from bmcourse import live
from bmcourse.data import digits
from bmcourse.models.mlp import MLP

source = digits()
pair = source.train_images.flatten(1), source.train_labels
torch.manual_seed(0)
live.sparsity(MLP([64, 40, 10]), pair, pair, steps=1000)"""
OUTPUT = ".jp-OutputArea-output"
SPARSITY, RATE = f"{OUTPUT} .noUi-handle >> nth=0", f"{OUTPUT} .noUi-handle >> nth=1"


def test_the_slider_prunes_and_a_run_that_a_button_starts_is_steered(open_notebook):
    notebook = open_notebook("prune.ipynb", [CELL])
    notebook.run_all()
    notebook.wait_done()
    page = notebook.page
    page.wait_for_selector("text=/1,480 of 2,960 weights are left/")

    page.press(SPARSITY, "End")
    page.wait_for_selector("text=/ 59 of 2,960 weights are left/")
    notebook.wait_answered()
    before = page.locator(f"{OUTPUT} img").first.get_attribute("src")

    page.click("button:has-text('fine-tune')")
    page.wait_for_selector("text=/step [1-9].* lr 0.001$/")
    page.press(RATE, "End")  # the kernel is busy with the button, and the run hears the slider
    page.wait_for_selector("text=/step [1-9].* lr 1$/")
    page.press(RATE, "Home")
    page.wait_for_selector("text=/step [1-9].* lr 1e-05$/")
    page.click("button:has-text('Stop')")
    words = page.wait_for_selector("text=/Fine-tuned for .* of 1000 steps/").inner_text()
    notebook.wait_answered()
    assert int(re.search(r"Fine-tuned for (\d+)", words)[1]) < 1000
    assert "59 of 2,960 weights are left" in words  # the zeros are there still
    assert page.locator(f"{OUTPUT} img").first.get_attribute("src") != before
    assert page.locator(f"{OUTPUT} img").count() == 2  # the second is the run's curve, without its controls
    assert page.locator(f"{OUTPUT} .noUi-handle").count() == 1

    assert notebook.problems() == []
    [output] = notebook.saved().cells[0].outputs
    assert "image/png" in output.data and not re.search(r"\d", output.data["text/plain"])
