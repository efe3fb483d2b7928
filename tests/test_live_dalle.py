"""The painter: what it shows is what the model draws, and it writes token by token under a slider."""

import asyncio
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from bmcourse import data, live, plots
from bmcourse.live import dalle as explorer
from bmcourse.live.dalle import ACROSS, GREY, SCALE, Desk, mosaic, png
from bmcourse.recipes_dalle import load_dalle
from bmcourse.text_to_image import HELD_OUT, draw_images, encode_captions
from tests import explorers

START = {"digit": 7, "thickness": 2, "slant": 0, "guidance": 3.0, "luck": 0}


@pytest.fixture(scope="module")
def case():
    return *load_dalle(), data.digits()


@pytest.fixture
def desk(case):
    return Desk(*case)


def pixels(picture):
    """The picture's RGB values, one for each pixel of the digits."""
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))[::SCALE, ::SCALE]


def test_the_picture_has_the_images_that_the_model_draws(desk):
    page = pixels(desk.draw(**START))
    captions = encode_captions([(7, 2, 0)]).expand(16, 6)
    images = draw_images(desk.model, captions, torch.Generator().manual_seed(0), 3.0)
    for number, image in enumerate(images):
        top, left = 11 * (number // ACROSS) + 1, 11 * (number % ACROSS) + 1
        shown = page[top : top + 8, left : left + 8, 0]
        assert np.abs(shown / 255 - image.numpy()).max() < 0.005


def test_frames_and_words_say_what_is_right(desk):
    page = pixels(desk.draw(**START))
    words = desk.write(**START)
    assert "Frames: blue, all three right; orange, something wrong; grey, real digits." in words
    right = desk.right.all(dim=1)
    corners = [tuple(page[11 * (n // ACROSS), 11 * (n % ACROSS)]) for n in range(16)]
    blue = tuple(int(plots.BLUE[i : i + 2], 16) for i in (1, 3, 5))
    assert [corner == blue for corner in corners] == right.tolist()
    assert f"all three {int(right.sum())}.<" in words and "“a thick seven, tilted left”" in words


def test_it_says_whether_the_caption_was_trained_on(desk):
    for digit, thickness, slant in ((7, 2, 0), (0, 0, 0)):
        choice = START | {"digit": digit, "thickness": thickness, "slant": slant}
        desk.draw(**choice)
        assert ("(never in training)" in desk.write(**choice)) is ((digit, thickness, slant) in HELD_OUT)


def test_token_by_token_it_writes_the_same_images(desk, monkeypatch):
    monkeypatch.setattr(explorer, "PAUSE", 0)
    frames = []

    async def write():
        desk.draw(**START)
        assert desk.slow.layout.display == "none"  # grey squares are nothing to look at
        desk.start(**START)
        assert desk.slow.layout.display is None
        while desk.codes.shape[1] < 16:
            frames.append(desk.slow.value)
            await asyncio.sleep(0)

    asyncio.run(write())
    captions = encode_captions([(7, 2, 0)]).expand(16, 6)
    images = draw_images(desk.model, captions, torch.Generator().manual_seed(0), 3.0)
    assert np.array_equal(pixels(desk.slow.value), mosaic(images, [GREY] * 16))
    assert len(set(frames)) > 10


def test_the_guidance_acts_while_it_writes(desk, monkeypatch):
    async def write(later):
        desk.draw(**START)
        desk.start(**START)
        desk.draw(**START | {"guidance": later})
        desk.stop()
        for _ in range(15):
            desk.codes = torch.cat([desk.codes, next(desk.stream)[:, None]], dim=1)
        return desk.codes

    same, other = asyncio.run(write(3.0)), asyncio.run(write(0.0))
    assert torch.equal(same[:, 0], other[:, 0]) and not torch.equal(same, other)


def test_what_is_not_yet_written_is_grey(desk):
    assert (pixels(desk.half_written())[1:9, 1:9] == int(0.45 * 255)).all()
    desk.codes = torch.zeros(16, 2, dtype=torch.long)
    cell = pixels(desk.half_written())[1:9, 1:9, 0] == int(0.45 * 255)
    assert cell[2:].all() and cell[:2, 4:].all() and not cell[:2, :4].all()


def test_a_mosaic_has_a_row_for_every_eight():
    assert mosaic(torch.rand(9, 8, 8), [GREY] * 9).shape == (22, 88, 3)
    assert png(mosaic(torch.rand(1, 8, 8), [GREY])).startswith(b"\x89PNG")


def test_every_control_changes_the_picture_and_goes_to_its_ends(case, monkeypatch):
    draw, alt, controls = explorers.taken(monkeypatch, explorer, lambda: live.paint(*case))
    explorers.assert_every_control_changes_the_picture(draw, controls)
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)
    assert not re.search(r"\d", alt)


def test_it_begins_with_a_caption_of_training_and_images_of_both_kinds(case, desk, monkeypatch):
    _, _, controls = explorers.taken(monkeypatch, explorer, lambda: live.paint(*case))
    start = {name: control.value for name, control in controls.items()}
    assert (start["digit"], start["thickness"], start["slant"]) not in HELD_OUT  # a prediction asks about those
    desk.draw(**start)
    assert 4 <= desk.right.all(dim=1).sum() <= 12
