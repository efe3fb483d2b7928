"""The explorer of a graph: its slopes are torch's, each step shows what is known then, every control works."""

import numpy as np
import pytest
import torch

from bmcourse.live import backpropagation as lesson
from bmcourse.live.backpropagation import GRAPHS, INPUTS, GraphPicture, computed, number, slopes_so_far
from tests import explorers

START = {"w": 0.5, "x": 2.0, "b": -0.6, "y": -0.5}
FORMULAS = {
    "one neuron": lambda w, x, b, y: (torch.tanh(w * x + b) - y) ** 2,
    "w used twice": lambda w, x, b, y: (w * x + torch.tanh(w) - y) ** 2,
    "tanh of tanh": lambda w, x, b, y: w.mul(x).tanh().tanh().tanh() - y,
}


@pytest.fixture
def shown(monkeypatch):
    return explorers.taken(monkeypatch, lesson, lesson.graph)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("seed", range(5))
def test_values_and_slopes_are_torchs(graph, seed):
    inputs = dict(zip(INPUTS, np.random.default_rng(seed).uniform(-2, 2, 4).tolist(), strict=True))
    tensors = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in inputs.items()}
    FORMULAS[graph](**tensors).backward()
    values = computed(GRAPHS[graph][0], inputs)
    assert values["L"].data == pytest.approx(FORMULAS[graph](**tensors).item())
    slopes = slopes_so_far(values, 5)
    for name in INPUTS:
        slope = tensors[name].grad
        assert slopes.get(name, 0) == pytest.approx(0 if slope is None else slope.item(), abs=1e-12)


def words(box):
    return [text.get_text() for text in (box.formula, box.value, box.slope)]


@pytest.mark.parametrize("graph", GRAPHS)
def test_each_step_fills_in_one_more_box(graph):
    picture, (formulas, places) = GraphPicture(), GRAPHS[graph]
    assert set(places) == {*formulas} | {name for name in INPUTS if name in places}
    filled, slopes = [], []
    for step in range(lesson.LAST + 1):
        picture.draw(graph, step, **START)
        filled.append(sum(bool(words(box)[1]) for box in picture.boxes.values()))
        slopes.append({name for name, box in picture.boxes.items() if words(box)[2]})
    known = len(places) - 5
    assert filled == [known + min(step, 5) for step in range(lesson.LAST + 1)]
    assert slopes[:6] == [set()] * 6 and slopes[6] == {"L"} and slopes[-1] == set(places)
    assert all(before <= after for before, after in zip(slopes, slopes[1:], strict=False))


def test_a_second_contribution_is_called_more():
    picture = GraphPicture()
    picture.draw("w used twice", 10, **START)
    assert "w gets 0.786 × 3.92 = 3.09" in picture.words.get_text() and "more" not in picture.words.get_text()
    picture.draw("w used twice", 11, **START)
    assert "w gets 2 × 3.92 = 7.85 more" in picture.words.get_text()
    assert words(picture.boxes["w"]) == ["w", "0.5", "slope 10.9"]


def test_steps_in_words():
    picture, said = GraphPicture(), []
    for step in (0, 2, 6, 7):
        picture.draw("one neuron", step, **START)
        said.append(picture.words.get_text())
    assert said == [
        "The inputs are known. Move the step: forward, one box at a time.",
        "Forward: s = p + b = 0.4",
        "Backward begins at L: its own slope is 1.",
        "Backward: L passes on.  d gets 1.76 × 1 = 1.76",
    ]


def test_numbers_are_written_with_a_true_minus_and_no_minus_zero():
    assert [number(value) for value in (-1.5, -0.0, 0.12345, 12.0)] == ["−1.5", "0", "0.123", "12"]
    assert number(0.856, 2) == "0.86"


def test_another_graph_leaves_nothing_of_the_one_before():
    picture, fresh = GraphPicture(), GraphPicture()
    picture.draw("tanh of tanh", 11, **START)
    assert picture.draw("one neuron", 7, **START) == fresh.draw("one neuron", 7, **START)


def test_words_stay_inside_the_picture_and_their_boxes():
    picture = GraphPicture()
    for graph in GRAPHS:
        for value in (-3.0, 0.1, 3.0):
            picture.draw(graph, lesson.LAST, **dict.fromkeys(INPUTS, value))
            whole, renderer = picture.fig.bbox, picture.fig.canvas.get_renderer()
            assert picture.words.get_window_extent(renderer).x1 < whole.x1
            for box in picture.boxes.values():
                frame = box.frame.get_window_extent(renderer)
                for text in (box.formula, box.value, box.slope):
                    extent = text.get_window_extent(renderer)
                    assert frame.x0 - 2 <= extent.x0 and extent.x1 <= frame.x1 + 2, text.get_text()


def test_every_control_works_to_its_ends(shown):
    draw, alt, controls = shown
    explorers.assert_every_control_changes_the_picture(draw, controls)
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)
