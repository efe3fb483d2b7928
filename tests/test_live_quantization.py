"""The explorer of levels: its scale is absmax's, its share is the model's, and its controls reach their ends."""

import pytest
import torch

from bmcourse import live
from bmcourse.live import quantization
from bmcourse.live.quantization import OWN, SHARED, LevelsPicture
from bmcourse.models.mlp import MLP
from bmcourse.quantization import dequantize, quantize
from tests import explorers


@pytest.fixture
def reader():
    torch.manual_seed(0)
    return MLP([6, 8, 5, 4]), torch.rand(30, 6), torch.randint(4, (30,))


@pytest.mark.parametrize("scale, per_channel", [(SHARED, False), (OWN, True)])
def test_what_is_written_is_what_rounding_does(reader, scale, per_channel):
    picture, (model, images, labels) = LevelsPicture(*reader), reader
    assert picture.draw(4, 10, scale).startswith(b"\x89PNG")
    weight = model.layers[1].weight.detach().clone()
    weight[0, 0] = 10 * weight.abs().max()
    levels, steps = quantize(weight, 4, per_channel)
    step = steps.flatten()[-1 if not per_channel else 1].item()
    words = picture.words.get_text()
    assert words.startswith(f"scale of this row {step:.3g} ")
    assert f"{(levels[1] == 0).float().mean():.0%} of it become 0" in words
    model.layers[1].weight.data = dequantize(levels, steps)
    assert f"{(model(images).argmax(1) == labels).float().mean():.1%} of the digits" in words
    assert len(picture.lines.get_segments()) == 15


def test_controls(reader, monkeypatch):
    draw, alt, controls = explorers.taken(monkeypatch, quantization, lambda: live.levels(*reader))
    start = {name: control.value for name, control in controls.items()} | {"outlier": 5}
    for name, control in controls.items():
        pictures = [draw(**start | {name: value}) for value in explorers.ends(control)]
        assert len(set(pictures)) == len(pictures), name
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)


def test_another_depth_is_refused():
    with pytest.raises(ValueError, match="The model has 2 layers; live.levels rounds the middle one of three"):
        live.levels(MLP([3, 4, 2]), torch.rand(2, 3), torch.zeros(2))
