"""The attention viewer in a real page: the mouse, the keys and the heads choose what is shown, also with no kernel."""

import pytest
import torch

CELL = """\
import torch
from bmcourse import live
weights = torch.tensor(WEIGHTS)
live.attention(weights, ["The", " cat", "大", "."])"""


@pytest.fixture(scope="module")
def weights():
    """Two layers, three heads, four tokens, and each weight a whole number of per cent."""
    scores = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return (100 * (2 * scores).softmax(-1)).round() / 100


@pytest.fixture
def viewer(open_notebook, weights):
    notebook = open_notebook("attention.ipynb", [CELL.replace("WEIGHTS", str(weights.tolist()))])
    notebook.run_all()
    notebook.wait_done()
    notebook.page.wait_for_selector(".box")
    return notebook


def shown(page):
    """The per cent in the boxes, by their darkness: 0 is white, and the root of the weight is how blue."""
    texts = page.locator(".box").evaluate_all("all => all.map(box => getComputedStyle(box).getPropertyValue('--p'))")
    colors = page.locator(".box").evaluate_all("all => all.map(box => getComputedStyle(box).backgroundColor)")
    assert len(set(colors)) == len(set(texts)) > 1  # as many shades as numbers
    return [int(text) for text in texts]


def test_what_is_shown_follows_the_mouse_the_keys_and_the_head(viewer, weights):
    page, percent = viewer.page, (100 * weights).round().int().tolist()
    boxes = page.locator(".box")
    assert shown(page) == percent[0][0][3]  # the last token is chosen from the start
    for number in range(4):
        boxes.nth(number).hover()
        assert shown(page) == percent[0][0][number]
        page.locator(".map i").nth(number).hover()  # and so the rows of the heat map
        assert shown(page) == percent[0][0][number]
    boxes.nth(1).click()
    page.mouse.move(1, 1)
    assert shown(page) == percent[0][0][1]
    page.keyboard.press("ArrowRight")
    assert shown(page) == percent[0][0][2]
    for layer, head in ((0, 2), (1, 2), (1, 0)):
        for group, number in enumerate((layer, head)):
            page.locator(".widget-toggle-buttons").nth(group).locator("button").nth(number).click()
            viewer.wait_answered()
        assert shown(page) == percent[layer][head][2]  # of the same token
    page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown() }")
    boxes.nth(0).hover()
    assert shown(page) == percent[1][0][0]
    assert viewer.problems() == []
