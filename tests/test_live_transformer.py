"""The explorer of a GPT's shape: its counts are the model's own, and its controls reach their ends."""

import ipywidgets as widgets
import pytest

from bmcourse import live
from bmcourse.live import transformer
from bmcourse.live.transformer import CounterPicture
from bmcourse.models.gpt import GPTConfig
from bmcourse.scaling import flops_by_part, parameters_by_part
from tests import explorers
from tests.explorers import written

EXPLORERS = {"counter": live.counter}


def test_what_is_written_is_what_was_counted():
    picture = CounterPicture()
    words, numbers = written(picture.words), written(picture.numbers)
    assert picture.draw(12, 768, 12, 50257, 1024).startswith(b"\x89PNG")
    config = GPTConfig(vocabulary_size=50257, context=1024, layers=12, heads=12, channels=768)
    total, forward = (sum(count(config).values()) for count in (parameters_by_part, flops_by_part))
    assert [text for text, _ in words] == [
        f"{total:,} parameters; 64 channels a head, feed-forward width 3,072",
        f"one sequence of 1,024 tokens: {forward / 1e9:.3g} GFLOPs forward, {3 * forward / 1e9:.3g} GFLOPs in training",
    ]
    assert [text for text, _ in numbers[2:5]] == ["28.3 M (17 %)", "0", "56.7 M (35 %)"]
    for ax in (picture.left, picture.right):
        assert sum(bar.get_width() for bar in picture.bars[ax]) == pytest.approx(1)


def test_small_shares_and_large_numbers_can_be_read():
    shares = [transformer.percent(share) for share in (0, 0.009, 0.01, 0.5, 1)]
    assert shares == ["< 1 %", "< 1 %", "1 %", "50 %", "100 %"]
    assert [transformer.unit(10**power) for power in (0, 3, 6, 9, 12, 15, 18)] == ["1", *(f"1 {u}" for u in "kMGTPE")]
    assert transformer.unit(999.4) == "999" and transformer.unit(999.6) == "1 k"


def test_every_shape_on_the_sliders_is_a_gpt():
    for channels in transformer.CHANNELS:
        assert all(channels % heads == 0 for heads in transformer.HEADS)


# ---------------------------------------------------------------------------------------------------------- explorers


@pytest.fixture(params=EXPLORERS)
def shown(request, monkeypatch):
    """An explorer as its reader has it: draw(), the alt text, and the controls by their names."""
    return explorers.taken(monkeypatch, transformer, EXPLORERS[request.param])


def test_every_control_changes_the_picture_and_draws_to_its_ends(shown):
    draw, _, controls = shown
    explorers.assert_every_control_changes_the_picture(draw, controls)


def test_all_controls_at_their_ends_together(shown):
    draw, _, controls = shown
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)


def test_labels_are_words_and_the_alt_text_is_a_sentence(shown):
    _, alt, controls = shown
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)


def test_a_reader_gets_the_picture_the_alt_text_and_no_error(monkeypatch):
    bundles = []
    monkeypatch.setattr(live.explorer, "display", lambda bundle, **options: bundles.append(bundle))
    for explorer in EXPLORERS.values():
        explorer()
    for bundle in bundles:
        box = widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
        row, picture, problem, _ = box.children
        assert picture.value == bundle["image/png"] and problem.value == ""
        slider = next(control for control in row.children if isinstance(control, widgets.IntSlider))
        slider.value = slider.max
        assert picture.value != bundle["image/png"] and problem.value == ""
