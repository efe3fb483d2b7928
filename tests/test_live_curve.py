"""The curve of a live run: nothing lost, nothing flattened, in the colours of the course."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from bmcourse import plots
from bmcourse.live import points
from bmcourse.live.curve import HEAD, Curve


def falling(steps, noise=0.1):
    x = np.arange(1, steps + 1)
    return x, 1.5 + 3 * np.exp(-5 * x / steps) + np.random.default_rng(0).normal(0, noise, steps)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def words(drawn):
    """All texts in the axes, and where they are."""
    return {text.get_text(): text.get_position()[0] for text in drawn.ax.texts}


def shows(png, color, near=30):
    """How many pixels have this colour, nearly."""
    return (np.abs(pixels(png) - np.rint(255 * np.array(to_rgb(color)))).sum(-1) < near).sum()


@pytest.mark.parametrize("length", [1, 2, 399, 400, 601, 100_003])
def test_decimation_keeps_spikes_order_and_both_ends(length):
    x = np.arange(length)
    y = np.random.default_rng(length).normal(size=length)
    for spike in (0, length // 3, length - 1):
        y[spike] = 100 + spike
    fewer_x, fewer_y = points.decimate(x, y, 200)
    assert len(fewer_x) <= 600
    assert (np.diff(fewer_x) > 0).all()
    assert np.array_equal(fewer_y, y[fewer_x])
    assert set(fewer_y) >= {y[0], y[length // 3], y[-1], y.min(), y.max()}


def test_average_is_the_mean_of_the_last_values():
    x, y = np.arange(100) * 10, np.random.default_rng(0).normal(size=100)
    for start in (0, 2, 60):
        at, means = points.average(x, y, window=4, start=start, places=20)
        assert (at[0], at[-1], len(at)) == (10 * start, 990, 21)
        for place, mean in zip(at // 10, means, strict=True):
            assert mean == pytest.approx(y[max(place - 3, 0) : place + 1].mean())


@pytest.mark.parametrize(
    ("values", "log", "low", "high"),
    [
        ([4.6, 3.0, 1.5], False, 0, 5),
        ([4.6, 3.0], False, 2.5, 5),
        ([2.1, 2.0, 1.9], False, 1.76, 2.2),
        ([100, 1, 0.003], True, 0.001, 100),
        ([4.6] * 10 + [2.0] * 100 + [1e6] * 20, False, 0, 5),
        ([4.6] * 10 + [2.0] * 100 + [9.0], False, 0, 9),
        ([-100.0, -1.0], False, -100, 0),
        ([0.0], False, 0, 1e-13),
        ([7.0], False, 5.6, 7),
        ([], False, 0, 1),
    ],
)
def test_limits_read_well(values, log, low, high):
    found = points.limits([np.array(values, float)] if values else [])
    assert found[0] is log
    assert found[1:] == pytest.approx((low, high))


def test_limits_hold_all_values_that_did_not_explode():
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = rng.normal(rng.normal(0, 10), 10 ** rng.uniform(-3, 3), 50)
        _, low, high = points.limits([values])
        usual = max(np.median(np.abs(values)), np.abs(values[:10]).max())
        assert low <= values.min() and values[values <= 3 * usual].max() <= high


@pytest.mark.parametrize(("value", "nice"), [(0.0021, 0.005), (1, 1), (7, 10), (150, 200)])
def test_nice_numbers(value, nice):
    assert points.nice(value) == pytest.approx(nice)


@pytest.mark.parametrize(
    ("scale", "numbers"),
    [
        ((False, 0, 5), [0, 1, 2, 3, 4, 5]),
        ((False, 1.76, 2.2), [1.8, 1.9, 2.0, 2.1, 2.2]),
        ((True, 1, 100), [1, 2, 5, 10, 20, 50, 100]),
        ((True, 0.001, 200), [0.001, 0.01, 0.1, 1, 10, 100]),
    ],
)
def test_ticks(scale, numbers):
    assert points.ticks(*scale) == pytest.approx(numbers)


def test_every_curve_has_its_own_colour_and_a_name():
    x, y = falling(600)
    history = {name: (x, y + number) for number, name in enumerate("abcdef")}
    for png in (Curve(600).frame(history, []), Curve(600).still(history, [])):
        for color in plots.COLORS[:6]:
            assert shows(png, color) > 50
    drawn = Curve(600)
    drawn.frame(history, [])
    assert [text.get_text() for text in drawn.ax.get_legend().get_texts()] == list("abcdef")


def test_frame_after_frame_gives_the_picture_that_is_drawn_at_once():
    """What is drawn over the old background must not leave anything of the frame before."""
    x, y = falling(600)
    moves = [(100, "lr", 0.01), (300, "pause", True), (300, "pause", False), (500, "code", 0.001)]
    slow = Curve(600)
    for step in (1, 50, 120, 290, 450, 600):
        history = {"train": (x[:step], y[:step]), "val": (x[:step:50], y[:step:50])}
        last = slow.frame(history, [move for move in moves if move[0] <= step])
    last = slow.frame(history, moves)  # a label comes with the frame after its mark
    at_once = Curve(600)
    at_once.frame(history, moves)
    different = np.abs(pixels(last) - pixels(at_once.frame(history, moves))).sum(-1) > 100
    assert different.mean() < 0.01, "the lines have joints, and nothing else differs"


def test_a_still_is_the_same_every_time_and_after_frames():
    history = {"train": falling(600)}
    first = Curve(600).still(history, [])
    Curve(600).frame(history, [])
    assert Curve(600).still(history, []) == first


def test_words_above_the_still_move_nothing_below_them():
    history = {"train": falling(600)}
    plain, headed = (pixels(Curve(600).still(history, [], words)) for words in ("", "step 600 of 600"))
    head = len(headed) - len(plain)
    assert head == round(HEAD * plots.SHARP * plots.INCH)
    assert np.abs(headed[head:] - plain).mean() < 0.5 and (headed[:head] < 200).any()


def test_baselines_are_in_the_picture_before_the_first_step_and_above_every_curve():
    drawn = Curve(600, baselines={"guessing": 4.17, "frequencies": 3.25})
    for history in ({}, {"train": falling(600)}):
        drawn.frame(history, [])
        low, high = drawn.ax.get_ylim()
        assert low < 3.25 < 4.17 < high
        names = [text for text in drawn.ax.texts if text.get_text() in ("guessing", "frequencies")]
        boxes = [text.get_window_extent() for text in names]
        assert len(boxes) == 2 and all(drawn.ax.bbox.x1 < box.x0 and box.x1 < drawn.fig.bbox.x1 for box in boxes)


def test_a_frame_is_the_still_in_few_colours():
    history, moves = {"train": falling(600), "val": falling(10)}, [(100, "lr", 0.01), (400, "stop", True)]
    drawn = Curve(600)
    drawn.frame(history, moves)
    frame, still = drawn.frame(history, moves), Curve(600).still(history, moves)
    assert Image.open(io.BytesIO(frame)).mode == "P"
    assert np.abs(pixels(frame) - pixels(still)).mean() < 3


def test_noise_is_pale_under_its_average_and_few_values_have_markers():
    drawn = Curve(600)
    x, y = falling(600)
    drawn.frame({"train": (x, y), "val": (x[::50], y[::50])}, [])
    train, val = drawn.lines["train"], drawn.lines["val"]
    assert np.ptp(np.diff(train.strong.get_ydata())) < np.ptp(np.diff(train.pale.get_ydata())) / 2
    assert (train.strong.get_marker(), val.strong.get_marker(), len(val.pale.get_xdata())) == ("", "o", 0)
    assert np.array_equal(val.strong.get_ydata(), y[::50])


def test_an_explosion_is_told_and_flattens_nothing():
    x, y = falling(300)
    y[-20:] = np.geomspace(5, 1e6, 20)
    drawn = Curve(600)
    drawn.frame({"train": (x, y)}, [])
    assert drawn.ax.get_ylim()[1] < 20
    assert "↑ 1.0e+06" in words(drawn)


def test_an_explosion_in_a_curve_of_few_values_flattens_nothing_either():
    x, y = falling(300)
    validation = np.array([50, 100, 300]), np.array([3.0, 2.7, 500.0])
    drawn = Curve(600)
    drawn.still({"train": (x, y), "validation": validation}, [])
    assert drawn.ax.get_ylim()[1] < 20


def test_the_axis_is_named_for_what_the_curve_shows():
    assert Curve(600, "share of errors").ax.get_ylabel() == "share of errors"


def test_values_that_are_not_finite_leave_the_rest_as_it_is():
    x, y = falling(300)
    broken = np.append(y, [np.nan, np.inf, -np.inf])
    history = {"train": (np.arange(1, 304), broken), "val": (np.array([1]), np.array([np.nan]))}
    assert Curve(600).still(history, []) == Curve(600).still({"train": (x, y)}, [])


@pytest.mark.parametrize("steps", [1, 600])
def test_nothing_and_one_value_can_be_drawn(steps):
    assert Curve(steps).frame({}, []).startswith(b"\x89PNG")
    one = Curve(steps).still({"train": (np.array([1]), np.array([2.5]))}, [])
    assert shows(one, plots.COLORS[0]) > 10, "a single value is a dot, and not nothing"


def test_marks_say_what_was_moved_and_a_drag_is_one_mark():
    drag = [(100 + step, "lr", 0.01 + step / 1000) for step in range(10)]
    moves = [*drag, (200, "code", 1e-4), (300, "pause", True), (300, "pause", False), (300, "stop", True)]
    assert points.merged(moves, width=18) == [
        (109, "lr 0.019"),
        (200, "lr 0.0001"),
        (300, "pause"),
        (300, "stop"),
    ]
    drawn = Curve(600)
    drawn.still({"train": falling(600)}, moves)
    labels = {"lr 0.019": 109, "lr 0.0001": 200, "pause": 300, "stop": 300}
    assert {label: words(drawn)[label] for label in labels} == labels


def test_a_label_comes_once_its_mark_stands_still():
    drawn, history = Curve(600), {"train": falling(600)}
    for moves in ([(100, "lr", 0.1)], [(100, "lr", 0.1), (105, "lr", 0.2)]):
        drawn.frame(history, moves)
        assert not [word for word in words(drawn) if word.startswith("lr")]
    drawn.frame(history, moves)
    assert words(drawn)["lr 0.2"] == 105


def test_a_long_drag_is_more_than_one_mark():
    moves = [(step, "lr", step / 1000) for step in range(1, 100)]
    assert [step for step, _ in points.merged(moves, width=30)] == [30, 60, 90, 99]
