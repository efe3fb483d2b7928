"""Figures: the same bytes every time, alt text always, and honest smoothing."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from bmcourse import plots


def test_the_same_figure_gives_the_same_bytes():
    one, two = (plots.png(plots.curves({"a": [3, 2, 1], "b": ([1, 3], [2, 2])}, "Title")) for _ in range(2))
    assert one == two and one.startswith(b"\x89PNG")
    assert b"Software" not in one and b"tIME" not in one


def test_a_line_without_x_counts_from_1():
    fig = plots.curves({"a": [3, 2, 1], "b": ([10, 20], [2, 2])}, top=5)
    first, second = fig.axes[0].lines
    assert list(first.get_xdata()) == [1, 2, 3] and list(second.get_xdata()) == [10, 20]
    assert fig.axes[0].get_ylim() == (0, 5)


def test_baselines_lie_within_the_picture_and_their_names_apart():
    fig = plots.curves({"a": [3, 2, 1]}, baselines={"guessing": 4.17, "frequencies": 3.25, "counting": 3.2})
    fig.draw_without_rendering()
    (ax,) = fig.axes
    assert [line.get_ydata()[0] for line in ax.lines[1:]] == [3.2, 3.25, 4.17]
    names = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == ["counting", "frequencies", "guessing"]
    assert all(above.y0 > below.y1 for below, above in zip(names, names[1:], strict=False))
    assert all(name.x0 > ax.bbox.x1 and name.x1 < fig.bbox.x1 for name in names) and ax.get_ylim()[1] > 4.17


def test_a_baseline_beyond_the_picture_is_left_out():
    assert len(plots.curves({"a": [3, 2, 1]}, top=4, baselines={"guessing": 4.17}).axes[0].lines) == 1


def test_paths_stand_inside_the_picture_on_the_functions_own_contours():
    walks = {"a": torch.tensor([[-2.0, 0.5], [1.0, -0.1]]), "b": torch.tensor([[0.0, 0.0], [0.0, 3.0]])}
    (ax,) = plots.paths(lambda points: points.square().sum(-1), walks, "Title").axes
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), walks["b"])
    assert ax.get_xlim()[0] < -2 and ax.get_xlim()[1] > 1 and ax.get_ylim()[0] < -0.1 and ax.get_ylim()[1] > 3
    contours = ax.collections[0]
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        np.testing.assert_allclose((path.vertices**2).sum(1), level, rtol=0.01)


def test_smoothing_is_the_mean_of_the_last_values():
    values = np.random.default_rng(0).normal(size=50)
    for window in (1, 7, 100):
        slow = [values[max(0, i - window + 1) : i + 1].mean() for i in range(50)]
        np.testing.assert_allclose(plots.smooth(values, window), slow)


def test_a_picture_carries_its_alt_text():
    picture = plots.Picture(plots.curves({"a": [1, 2]}), "A line that rises.")
    data, metadata = picture._repr_mimebundle_()
    assert data["text/plain"] == "A line that rises." == metadata["image/png"]["alt"]


def test_a_picture_has_two_pixels_for_each_of_its_width_in_a_page():
    data, metadata = plots.Picture(plots.figure(5, 2)[0], "Empty axes.")._repr_mimebundle_()
    assert Image.open(io.BytesIO(data["image/png"])).size == (1000, 400)
    assert metadata["image/png"]["width"] == metadata["image/png"]["scale"] == 500


def test_few_colours_look_as_all_do():
    fig, ax = plots.figure()
    ax.imshow(np.arange(200).reshape(10, 20))
    ax.plot([0, 19], [0, 9], color=plots.RED, lw=5)
    drawn, kept = io.BytesIO(), io.BytesIO(plots.png(fig))
    fig.savefig(drawn, format="png")
    all_colours, few = (np.asarray(Image.open(file).convert("RGB")).astype(int) for file in (drawn, kept))
    assert (few[all_colours.min(-1) == 255] == 255).all()
    assert np.abs(few - all_colours).mean() < 0.5


def test_no_picture_without_alt_text():
    with pytest.raises(ValueError, match="one sentence of alt text"):
        plots.show(plots.curves({"a": [1, 2]}), " ")


@pytest.mark.parametrize(
    ("value", "bounds", "said"),
    [
        (2.1437, {"below": 2.3}, "loss ≈ 2.14 (below 2.3)"),
        (2.31, {"below": 2.3}, "loss ≈ 2.31 (NOT below 2.3)"),
        (0.5, {"above": 0.4, "below": 0.6}, "loss ≈ 0.5 (below 0.6 and above 0.4)"),
        (float("nan"), {"below": 1}, "loss ≈ nan (NOT below 1)"),
    ],
)
def test_a_measured_number_stands_beside_its_bound(value, bounds, said, capsys):
    plots.measured("loss", value, **bounds)
    assert capsys.readouterr().out == f"{said}\n"


def test_a_measured_number_needs_a_bound():
    with pytest.raises(ValueError, match="give below=, above= or both"):
        plots.measured("loss", 1.0)


def words_in(fig):
    return [text.get_text() for text in fig.axes[0].texts if text.get_text()]


def test_a_nudge_grows_along_one_path():
    assert words_in(plots.nudges({"u": (2, 3)})) == ["w: 1", "u: 2", "L: 6", "× 2", "× 3"]


def test_nudges_of_two_paths_add_up():
    words = words_in(plots.nudges({"u": (2, 3), "v": (3, -1)}, start="a", end="z"))
    assert words[0] == "a: 1" and words[-1] == "z: 3"
    assert {"+6", "−3", "× −1"} <= set(words)
