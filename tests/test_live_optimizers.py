"""The race: true surfaces, the paths of torch's own optimizers, nothing computed twice, a picture for every state."""

import io
import re

import numpy as np
import pytest
import torch
from matplotlib.transforms import Affine2D
from PIL import Image

from bmcourse.live import explorer, optimizers, race
from bmcourse.live.surfaces import EDGE, SURFACES

LR = 10**-1.22  # where the slider stands, about 0.06
START = {"lr": LR, "momentum": 0.9, "beta1": 0.9, "beta2": 0.99, "x": -1.5, "y": 1.4}
ENDS = {"lr": (1e-3, 1), "momentum": (0, 0.99), "beta1": (0, 0.999), "beta2": (0, 0.999), "x": (-2, 2), "y": (-2, 2)}
BOWL = {"surface": "elongated bowl"} | START
NAMES = list(optimizers.LOOKS)


@pytest.fixture(scope="module")
def track():
    return optimizers.Track()


def by_formula(surface, point):
    """The loss at `point` by the formula that students read, as a tensor with a gradient."""
    powers = surface.formula.translate(str.maketrans({"−": "-", "·": "*", "²": "**2", "⁴": "**4"}))
    return eval(re.sub(r"\*\*(\d)", r"**\1.0", powers), {"exp": torch.exp, "x": point[0], "y": point[1]})


def paths(surface, **settings):
    """{name: points} of all racers."""
    values = START | settings
    entered = optimizers.racers(SURFACES[surface].noise, values["momentum"], values["beta1"], values["beta2"])
    found = [optimizers.path(*racer, surface, values["lr"], (values["x"], values["y"])) for racer in entered]
    return dict(zip(NAMES, found, strict=True))


def shown_as_diverged(track):
    return {name for name, note in zip(NAMES, track.notes, strict=True) if note.get_visible()}


# ------------------------------------------------------------------------------------------------------- surfaces


@pytest.mark.parametrize("name", SURFACES)
def test_the_formula_the_function_and_the_gradient_are_one(name):
    surface = SURFACES[name]
    for x, y in np.random.default_rng(0).uniform(-EDGE, EDGE, (20, 2)).tolist():
        point = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
        loss = by_formula(surface, point)
        loss.backward()
        assert surface.function(x, y) == pytest.approx(loss.item(), abs=1e-12)
        assert surface.gradient(x, y) == pytest.approx(point.grad.tolist(), abs=1e-12)
        across = surface.function(x + 1e-6, y) - surface.function(x - 1e-6, y)
        up = surface.function(x, y + 1e-6) - surface.function(x, y - 1e-6)
        assert surface.gradient(x, y) == pytest.approx((across / 2e-6, up / 2e-6), abs=1e-6)


@pytest.mark.parametrize("name", SURFACES)
def test_the_minima_are_in_the_picture_and_nothing_lies_below(name):
    surface, side = SURFACES[name], np.linspace(-3, 3, 301)
    assert surface.function(side, side[:, None]).min() >= -1e-12
    for x, y in surface.minima:
        assert max(abs(x), abs(y)) < EDGE
        assert surface.function(x, y) == pytest.approx(0, abs=1e-12)
        assert surface.gradient(x, y) == pytest.approx((0, 0), abs=1e-12)


# ---------------------------------------------------------------------------------------------------------- paths


def by_torch(make, surface, noise, steps):
    """The path of torch's own optimizer, with the gradient that torch finds."""
    parameter = torch.nn.Parameter(torch.tensor([[START["x"], START["y"]]]))
    optimizer, points = make([parameter]), []
    for random in noise * np.random.default_rng(0).standard_normal((steps, 2)):
        points.append(parameter[0].tolist())
        optimizer.zero_grad()
        by_formula(surface, parameter[0]).backward()
        parameter.grad += torch.tensor(random)
        optimizer.step()
    return np.array(points)


PEERS = {
    "SGD (the same)": lambda p: torch.optim.SGD(p, lr=LR),
    "Momentum (μ)": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9),
    "Nesterov (μ)": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, nesterov=True),
    "RMSProp (β₂)": lambda p: torch.optim.RMSprop(p, lr=LR, alpha=0.99),
    "Adam (β₁, β₂)": lambda p: torch.optim.Adam(p, lr=LR, betas=(0.9, 0.99)),
    "AdamW (β₁, β₂, decay 0.5)": lambda p: torch.optim.AdamW(p, lr=LR, betas=(0.9, 0.99), weight_decay=0.5),
}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", PEERS)
def test_a_path_is_that_of_torchs_own_optimizer(name, surface):
    expected = by_torch(PEERS[name], SURFACES[surface], SURFACES[surface].noise, steps=40)
    assert paths(surface)[name][:40] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("surface", ["Rosenbrock", "noisy bowl"])
def test_a_step_of_muon_has_the_length_that_newton_schulz_gives_to_every_vector(surface):
    length = 1.0
    for _ in range(5):
        length = 3.4445 * length - 4.7750 * length**3 + 2.0315 * length**5
    steps = np.diff(paths(surface)["Muon (μ)"], axis=0)
    assert np.hypot(*steps.T) == pytest.approx(np.full(optimizers.STEPS, LR * length), rel=0.05)  # 8 bits
    downhill = -np.array(SURFACES["Rosenbrock"].gradient(START["x"], START["y"]))
    if surface == "Rosenbrock":
        assert steps[0] / np.hypot(*steps[0]) == pytest.approx(downhill / np.hypot(*downhill), abs=0.02)


def test_the_first_racer_is_gradient_descent_without_noise():
    surface = SURFACES["noisy bowl"]

    def gradient(point):
        return torch.tensor(surface.gradient(*point.tolist()))

    expected = optimizers.optimizers.gradient_descent(gradient, torch.tensor([-1.5, 1.4]), LR, optimizers.STEPS)
    found = paths("noisy bowl")
    assert found["gradient descent"] == pytest.approx(expected.numpy(), abs=1e-5)
    assert np.abs(found["SGD (the same)"] - found["gradient descent"]).max() > 0.1


def test_update_alone_walks_as_step_does():
    for optimizer, settings, _ in optimizers.racers(0, 0.9, 0.9, 0.99):
        parameter = torch.nn.Parameter(torch.tensor([[-1.5, 1.4]]))
        stepper, points = optimizer([parameter], lr=LR, **dict(settings)), []
        for _ in range(20):
            points.append(parameter[0].tolist())
            parameter.grad = torch.tensor([SURFACES["saddle"].gradient(*points[-1])])
            stepper.step()
        walked = optimizers.path(optimizer, settings, 0, "saddle", LR, (-1.5, 1.4))
        assert walked[:20].tolist() == points


def test_in_the_same_step_all_get_the_same_noise():
    first = {name: points[1] - points[0] for name, points in paths("noisy bowl").items()}
    assert first["Momentum (μ)"] == pytest.approx(first["SGD (the same)"])
    assert first["Nesterov (μ)"] == pytest.approx(1.9 * first["SGD (the same)"])


@pytest.mark.parametrize(
    ("control", "value", "computed"),
    [("momentum", 0.8, 3), ("beta1", 0.8, 2), ("beta2", 0.9, 3), ("lr", 0.01, 7), ("x", 0.5, 7), ("y", 0.5, 7)],
)
def test_a_move_computes_only_what_depends_on_it(track, control, value, computed):
    """Seven of eight at most: without noise SGD is gradient descent."""
    optimizers.path.cache_clear()
    track.draw(**BOWL)
    assert optimizers.path.cache_info().misses == 7
    track.draw(**BOWL | {control: value})
    assert optimizers.path.cache_info().misses == 7 + computed
    track.draw(**BOWL)
    assert optimizers.path.cache_info().misses == 7 + computed


# -------------------------------------------------------------------------------------------------------- picture


def test_who_diverges_is_named_and_the_others_are_not(track):
    track.draw(**BOWL)
    assert shown_as_diverged(track) == set()
    track.draw(**BOWL | {"lr": 0.2})
    assert shown_as_diverged(track) == set(NAMES[:4])


@pytest.mark.parametrize(("lr", "said"), [(0.099, "has not converged yet"), (0.101, "diverges"), (LR, "converges")])
def test_what_gradient_descent_does_is_said_and_turns_at_two_over_the_steepness(lr, said):
    found = paths("elongated bowl", lr=lr, y=1.9)["gradient descent"]
    assert optimizers.outcome(SURFACES["elongated bowl"], found) == said


def test_a_path_that_left_for_good_has_no_points_there():
    found = paths("Rosenbrock", lr=1.0, x=2.0, y=-2.0)["gradient descent"]
    assert np.isnan(found[-1]).all() and np.isfinite(found[0]).all()
    assert optimizers.outcome(SURFACES["Rosenbrock"], found) == "diverges"


def test_a_start_in_the_minimum_converges_and_one_on_the_ridge_of_the_saddle_does_not():
    """Without noise nothing pushes gradient descent off the ridge: it stops in the saddle point."""
    assert optimizers.outcome(SURFACES["elongated bowl"], paths("elongated bowl", x=0, y=0)[NAMES[0]]) == "converges"
    stuck = paths("saddle", x=-1, y=1)[NAMES[0]]
    assert optimizers.outcome(SURFACES["saddle"], stuck) == "has not converged yet"
    assert stuck[-1] == pytest.approx((0, 0), abs=0.05)


@pytest.mark.parametrize("surface", SURFACES)
def test_every_control_can_go_to_its_ends(track, surface):
    moved = [{control: end} for control, ends in ENDS.items() for end in ends]
    moved += [{control: ends[side] for control, ends in ENDS.items()} for side in (0, 1)]
    pictures = {track.draw(**{"surface": surface} | START | values) for values in moved}
    assert len(pictures) == len(moved), "every move shows"


def test_the_same_values_give_the_same_bytes(track):
    first = track.draw(**BOWL)
    track.draw(**BOWL | {"surface": "saddle", "lr": 0.5})
    assert track.draw(**BOWL) == first == optimizers.Track().draw(**BOWL)


def test_nothing_but_paths_and_words_moves_when_a_slider_does(track):
    """The axes keep their place and their scale: pixels left of both axes, and under them, stay."""
    before, after = (
        np.asarray(Image.open(io.BytesIO(track.draw(**BOWL | {"lr": lr}))).convert("RGB")) for lr in (LR, 1.0)
    )
    assert (before[420:] == after[420:]).all() and (before[80:, :55] == after[80:, :55]).all()
    assert (before != after).any()


def test_marks_are_small_and_stand_on_the_lines(track):
    track.draw(**BOWL)
    for lines in (track.tracks, track.curves):
        line, marks = lines.artists
        points = np.stack(line.get_segments())[:, optimizers.MARK :: optimizers.MARK]
        np.testing.assert_allclose(marks.get_offsets(), points.swapaxes(0, 1).reshape(-1, 2))
        biggest = [path.transformed(transform).get_extents().size.max() for path, transform in shapes(marks)]
        assert min(biggest) > 5 and max(biggest) < 16  # pixels


def shapes(marks):
    """The path of each kind of mark, and how it is brought to the screen."""
    sizes = [Affine2D(matrix) + marks.get_transform() for matrix in marks.get_transforms()]
    return zip(marks.get_paths(), sizes, strict=True)


@pytest.mark.parametrize("surface", SURFACES)
def test_words_fit_beside_each_other(track, surface):
    """In a row of the legend the word `diverged` ends before the next racer's line begins, and in the figure."""
    track.draw(**{"surface": surface} | START)
    width, _ = track.fig.canvas.get_width_height()
    for number, (name, note) in enumerate(zip(NAMES, track.notes, strict=True)):
        left, right = note.get_window_extent().x0, note.get_window_extent().x1
        assert track.names[name].get_window_extent().x1 < left
        following = optimizers.LOOKS[NAMES[number + 2]][3] + 0.01 * width if number < 6 else width
        assert right < following
    title = track.losses.title.get_window_extent()
    assert track.verdict.get_window_extent().x1 < track.losses.get_window_extent().x0 and title.x1 < width


def test_all_racers_look_different():
    looks = [(color, line) for color, line, _, _ in optimizers.LOOKS.values()]
    assert len(set(looks)) == len({marker for _, _, marker, _ in optimizers.LOOKS.values()}) == len(NAMES)


def test_race_shows_the_picture_and_its_controls(monkeypatch):
    shown, boxes = [], []
    monkeypatch.setattr(explorer, "display", lambda bundle, **kwargs: shown.append((bundle, kwargs)))
    monkeypatch.setattr(explorer.widgets, "VBox", lambda parts: boxes.append(parts) or box(parts))
    box = explorer.widgets.Box
    assert race() is None
    [(bundle, kwargs)] = shown
    row, picture, problem = boxes[0]
    assert bundle["image/png"] == picture.value == optimizers.Track().draw(**BOWL)
    assert kwargs["metadata"]["image/png"]["alt"] == bundle["text/plain"]
    for control in row.children:
        before = picture.value
        control.value = "saddle" if control.description == "surface" else control.max
        assert picture.value != before and not problem.value
