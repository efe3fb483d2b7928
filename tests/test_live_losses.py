"""The explorers of losses: fits are the best there are, numbers are torch's, and every control works to its ends."""

import re

import ipywidgets as widgets
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import linprog

from bmcourse import live
from bmcourse.live import losses
from bmcourse.live.losses import LogitsPicture, OutlierPicture, SurfacePicture
from tests import explorers

TORCH = {"MSE": F.mse_loss, "MAE": F.l1_loss, "Huber": F.huber_loss}  # its delta is 1 too
EXPLORERS = {"outlier": live.outlier, "logits": live.logits, "loss_surface": live.loss_surface}


def numbers(text):
    """All numbers in what a picture says."""
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", re.sub("− ?", "-", text))]


def data_sets():
    """Points to fit: random ones, some with equal x, and the explorer's own with the outlier in many places."""
    for seed in range(20):
        generator = np.random.default_rng(seed)
        x = generator.normal(size=12) if seed % 2 else generator.integers(0, 5, 12).astype(float)
        yield x, generator.standard_cauchy(12)
    x, y = losses.points()
    for at in np.linspace(-1, 3, 8):
        for height in (-6, -1.3, at + 1, 4, 10):
            yield np.append(x, at), np.append(y, height)


# ---------------------------------------------------------------------------------------------------------------- fits


def test_the_mse_line_is_polyfits():
    for x, y in data_sets():
        np.testing.assert_allclose(losses.fit("MSE", x, y, delta=1), np.polyfit(x, y, 1), atol=1e-9)


def lowest_mae(x, y):
    """The smallest sum of absolute errors, as a linear program in (w, b, errors)."""
    inputs, each = np.stack([x, np.ones_like(x)], 1), np.eye(len(x))
    limits = np.block([[inputs, -each], [-inputs, -each]])
    free = [(None, None)] * 2 + [(0, None)] * len(x)
    return linprog([0, 0, *np.ones(len(x))], limits, np.concatenate([y, -y]), bounds=free).fun


def test_no_line_has_a_smaller_absolute_error_than_the_mae_line():
    for x, y in data_sets():
        w, b = losses.fit("MAE", x, y, delta=1)
        assert np.abs(y - w * x - b).sum() == pytest.approx(lowest_mae(x, y), rel=1e-6)


@pytest.mark.parametrize("delta", [0.1, 1, 2, 10])
def test_at_the_huber_line_the_slope_of_the_loss_is_zero(delta):
    for x, y in data_sets():
        line = torch.tensor(losses.fit("Huber", x, y, delta), requires_grad=True)
        x, y = torch.tensor(x), torch.tensor(y)
        F.huber_loss(line[0] * x + line[1], y, delta=delta, reduction="sum").backward()
        assert line.grad.abs().max() < 1e-6  # the loss is convex: no slope means the lowest point


def test_the_huber_line_is_the_mse_line_for_a_large_delta():
    for x, y in data_sets():
        np.testing.assert_allclose(losses.huber_fit(x, y, delta=1e6), losses.mse_fit(x, y), atol=1e-9)


@pytest.mark.parametrize("name", TORCH)
def test_the_pull_is_the_slope_of_torchs_loss(name):
    residuals = torch.linspace(-11, 11, 40).double()
    predictions = torch.zeros_like(residuals, requires_grad=True)
    TORCH[name](predictions, residuals, reduction="sum").backward()
    np.testing.assert_allclose(losses.pull(name, residuals.numpy(), delta=1.0), -predictions.grad)


@pytest.mark.parametrize("name", TORCH)
def test_the_loss_of_lines_is_torchs_on_a_grid_and_for_one(name):
    x, y = (torch.tensor(values) for values in losses.points())
    w, b = torch.meshgrid(torch.linspace(-3, 5, 4), torch.linspace(-4, 4, 5), indexing="xy")
    values = losses.loss_of_lines(name, w, b, x, y)
    for row in range(5):
        for column in range(4):
            expected = TORCH[name](w[row, column] * x + b[row, column], y)
            torch.testing.assert_close(values[row, column], expected)
            torch.testing.assert_close(losses.loss_of_lines(name, w[row, column], b[row, column], x, y), expected)


def test_numbers_are_written_with_a_true_minus_and_no_minus_zero():
    assert [losses.signed(value, 2) for value in (1.234, -1.234, 0.0, -0.001)] == ["+1.23", "−1.23", "+0.00", "+0.00"]
    assert losses.equation(-1.5, -0.25) == "y = −1.50 x − 0.25"
    assert losses.equation(2.0, -0.001) == "y = 2.00 x + 0.00"


# -------------------------------------------------------------------------------------------------- what is on display


def test_the_outliers_lines_and_numbers_are_those_of_the_fits():
    picture = OutlierPicture()
    picture.draw(x=2.5, y=-5.0, delta=2.0)
    x, y = (np.append(values, new) for values, new in zip(losses.points(), (2.5, -5), strict=True))
    for name, (line, _, here, words, number) in picture.rows.items():
        w, b = losses.fit(name, x, y, delta=2.0)
        assert numbers(words.get_text()) == pytest.approx([w, b], abs=0.005)
        np.testing.assert_allclose(line.get_ydata(), w * np.array(line.get_xdata()) + b)
        residual = -5 - 2.5 * w - b
        pull = {"MSE": 2 * residual, "MAE": -1, "Huber": -2}[name]
        assert (*here.get_xdata(), *here.get_ydata()) == pytest.approx((residual, pull))
        assert numbers(number.get_text()) == pytest.approx([pull], abs=0.05)


def test_the_further_the_outlier_the_more_mse_tilts_and_mae_does_not():
    picture = OutlierPicture()

    def slopes(y):
        picture.draw(x=2.5, y=y, delta=1.0)
        return {name: numbers(row[3].get_text())[0] for name, row in picture.rows.items()}

    near, far = slopes(y=-1.0), slopes(y=-6.0)
    assert near["MSE"] - far["MSE"] > 0.2
    assert near["MAE"] == far["MAE"] and near["Huber"] == far["Huber"]


def draw_logits(picture, values, right, shift=0.0):
    picture.draw(right=right, shift=shift, **dict(zip(losses.CLASSES, values, strict=True)))
    tables = picture.logits, picture.probabilities, picture.gradients
    written = [[numbers(text.get_text())[0] for text in table.numbers] for table in tables]
    drawn = [[bar.get_width() for bar in table.bars] for table in tables]
    return written, drawn


@pytest.mark.parametrize("values", [(1.0, 4.0, 0.0, -2.0, 2.0), (-10.0, 10.0, 10.0, 10.0, 10.0), (0.0,) * 5])
@pytest.mark.parametrize("right", losses.CLASSES)
def test_probabilities_loss_and_gradient_are_torchs(values, right):
    picture = LogitsPicture()
    written, drawn = draw_logits(picture, values, right, shift=1.5)
    logits = (torch.tensor(values) + 1.5).requires_grad_()
    target = torch.tensor(losses.CLASSES.index(right))
    loss, p = F.cross_entropy(logits, target), logits.softmax(0)
    loss.backward()
    for shown, expected in zip(drawn, (logits, p, logits.grad), strict=True):
        assert shown == pytest.approx(expected.tolist(), abs=1e-6)
    assert written[0][:5] == logits.tolist()
    assert written[1] == pytest.approx([*p.tolist(), 1], abs=6e-4)
    assert written[2] == pytest.approx([*logits.grad.tolist(), 0], abs=6e-4)
    assert picture.words.get_text().startswith(f"loss = −ln p({right}) = −ln ")
    shown = numbers(picture.words.get_text())
    assert shown == pytest.approx([p[target].item(), loss.item()], rel=0.005, abs=0.005)
    assert (*picture.here.get_xdata(), *picture.here.get_ydata()) == pytest.approx((logits[target].item(), loss.item()))
    for table in (picture.logits, picture.probabilities, picture.gradients):
        assert table.band.get_y() + table.band.get_height() / 2 == target.item()


def test_the_curve_is_the_loss_as_the_right_logit_alone_moves():
    picture = LogitsPicture()
    draw_logits(picture, (1.0, 4.0, 0.0, -2.0, 2.0), "owl")
    for z, loss in zip(*picture.curve.get_data(), strict=True):
        expected = F.cross_entropy(torch.tensor([1.0, 4.0, 0.0, z, 2.0]), torch.tensor(3))
        assert loss == pytest.approx(expected.item(), abs=1e-5)


def test_adding_to_all_logits_moves_the_logits_and_nothing_else():
    picture = LogitsPicture()
    values = (1.0, 4.0, 0.0, -2.0, 2.0)
    (before, *rest), _ = draw_logits(picture, values, "cat")
    words = picture.words.get_text()
    (after, *others), _ = draw_logits(picture, values, "cat", shift=-4.5)
    assert after[:5] == [value - 4.5 for value in before[:5]]
    assert others == rest and picture.words.get_text() == words


def test_confident_and_wrong_costs_what_the_logits_differ_by():
    picture, losses_shown = LogitsPicture(), []
    for low in (-4.0, -7.0, -10.0):
        (*_, gradient), _ = draw_logits(picture, (low, 10.0, -10.0, -10.0, -10.0), "cat")
        losses_shown.append(numbers(picture.words.get_text())[-1])
        assert gradient == [-1, 1, 0, 0, 0, 0]
    assert np.diff(losses_shown) == pytest.approx([3, 3], abs=0.011)
    (*_, gradient), _ = draw_logits(picture, (10.0, -10.0, -10.0, -10.0, -10.0), "cat")
    assert gradient == [0] * 6 and numbers(picture.words.get_text()) == [1, 0]


@pytest.mark.parametrize("outlier", [False, True])
@pytest.mark.parametrize("name", TORCH)
def test_the_surfaces_numbers_arrow_and_star_are_right(name, outlier):
    picture = SurfacePicture()
    picture.draw(w=-1.0, b=2.5, loss=name, outlier=outlier)
    x, y = losses.points()
    if outlier:
        x, y = np.append(x, 2.5), np.append(y, -5)
    here = torch.tensor([-1.0, 2.5], dtype=torch.double, requires_grad=True)
    loss = TORCH[name](here[0] * torch.tensor(x) + here[1], torch.tensor(y))
    loss.backward()
    best = losses.fit(name, x, y, delta=1.0)
    lowest = TORCH[name](torch.tensor(best[0] * x + best[1]), torch.tensor(y))
    assert numbers(picture.words.get_text()) == pytest.approx([-1, 2.5, loss.item(), lowest.item()], abs=6e-4)
    rate = numbers(picture.right.get_title())[0]
    assert [*picture.arrow.U, *picture.arrow.V] == pytest.approx((rate * here.grad).tolist())
    assert picture.arrow.get_offsets().tolist() == [[-1, 2.5]] == [list(map(float, picture.here.get_xydata()[0]))]
    star = picture.right.lines[-1] if picture.right.lines[-1] is not picture.here else picture.right.lines[-2]
    assert star.get_xydata()[0] == pytest.approx(best)
    assert len(picture.gaps.get_segments()) == len(x)


def test_the_arrow_points_downhill():
    picture = SurfacePicture()
    for name in TORCH:
        for w, b in ((-3.0, -4.0), (5.0, 4.0), (0.0, 2.0)):
            picture.draw(w=w, b=b, loss=name, outlier=True)
            here, arrow = torch.tensor([w, b]), torch.tensor([picture.arrow.U[0], picture.arrow.V[0]])
            before, after = (
                losses.loss_of_lines(name, *line, picture.x, picture.y) for line in (here, here + 0.1 * arrow)
            )
            assert after < before


def test_the_outlier_moves_the_lowest_point_of_mse_and_hardly_that_of_mae():
    x, y = losses.points()
    moves = {}
    for name in TORCH:
        lines = losses.fit(name, x, y, delta=1.0), losses.fit(name, np.append(x, 2.5), np.append(y, -5), delta=1.0)
        moves[name] = np.linalg.norm(np.subtract(*lines))
    assert moves["MSE"] > 0.4 and moves["MSE"] > 5 * moves["MAE"] and moves["MSE"] > 3 * moves["Huber"]


# ---------------------------------------------------------------------------------------------------------- explorers


@pytest.fixture(params=EXPLORERS)
def shown(request, monkeypatch):
    """An explorer as its reader has it: draw(), the alt text, and the controls by their names."""
    return explorers.taken(monkeypatch, losses, EXPLORERS[request.param])


def test_every_control_changes_the_picture_and_draws_to_its_ends(shown):
    draw, _, controls = shown
    explorers.assert_every_control_changes_the_picture(draw, controls)


def test_all_controls_at_their_ends_together(shown):
    draw, _, controls = shown
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)


def test_labels_are_words_and_the_alt_text_is_a_sentence(shown):
    _, alt, controls = shown
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)


def test_every_slider_starts_on_one_of_its_steps(shown):
    for control in shown[2].values():
        if isinstance(control, widgets.FloatSlider):
            for place in (control.value, control.max):
                steps = (place - control.min) / control.step
                assert steps == pytest.approx(round(steps)), control.description


def test_a_reader_gets_the_picture_the_alt_text_and_no_error(monkeypatch):
    bundles = []
    monkeypatch.setattr(live.explorer, "display", lambda bundle, **options: bundles.append(bundle))
    for explorer in EXPLORERS.values():
        explorer()
    for bundle in bundles:
        box = widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
        row, picture, problem, _ = box.children
        assert picture.value == bundle["image/png"] and problem.value == ""
        slider = row.children[0]
        slider.value = slider.max
        assert picture.value != bundle["image/png"] and problem.value == ""
