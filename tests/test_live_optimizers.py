"""The race: true surfaces, the paths of torch's own optimizers, nothing computed twice, a picture for every state."""

import re
from itertools import combinations

import numpy as np
import pytest
import torch

from bmcourse.course.notebooks import FOLDER, read
from bmcourse.live import optimizers
from bmcourse.live.surfaces import EDGE, SURFACES
from tests import explorers

LR = 0.06
NAMES = list(optimizers.LOOKS)
BOWL = optimizers.stage(*NAMES)


@pytest.fixture(scope="module")
def track():
    return optimizers.Track()


@pytest.fixture
def shown(monkeypatch):
    """The race as its reader has it: draw(), the alt text, and the controls by their names."""
    return explorers.taken(monkeypatch, optimizers, optimizers.race)


def test_the_ring_of_the_start_is_whole_at_the_edge(track):
    assert not track.start.get_clip_on()


def by_formula(surface, point):
    """The loss at `point` by the formula that students read, as a tensor with a gradient."""
    powers = surface.formula.translate(str.maketrans({"−": "-", "·": "*", "²": "**2", "⁴": "**4"}))
    return eval(re.sub(r"\*\*(\d)", r"**\1.0", powers), {"exp": torch.exp, "x": point[0], "y": point[1]})


def paths(surface, **settings):
    """{name: points} of all racers."""
    values = BOWL | settings
    entered = optimizers.racers(NAMES, values["momentum"], values["beta1"], values["beta2"])
    start = values["x"], values["y"]
    found = [optimizers.path(*racer, surface, values["noise"], values["lr"], start) for racer in entered]
    return dict(zip(NAMES, found, strict=True))


def table(track):
    """{name: its words} as they stand beside the picture."""
    rows = sorted(track.racers.items(), key=lambda item: -item[1].name.get_position()[1])
    return {name: racer.words.get_text() for name, racer in rows if racer.name.get_visible()}


def left(track):
    """{name: the step at which it left} as written."""
    return {name: int(words.split()[-1]) for name, words in table(track).items() if "left" in words}


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
    parameter = torch.nn.Parameter(torch.tensor([[BOWL["x"], BOWL["y"]]]))
    optimizer, points = make([parameter]), []
    for random in noise * np.random.default_rng(0).standard_normal((steps, 2)):
        points.append(parameter[0].tolist())
        optimizer.zero_grad()
        by_formula(surface, parameter[0]).backward()
        parameter.grad += torch.tensor(random)
        optimizer.step()
    return np.array(points)


PEERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=LR),
    "Momentum": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, nesterov=True),
    "RMSProp": lambda p: torch.optim.RMSprop(p, lr=LR, alpha=0.99),
    "Adam": lambda p: torch.optim.Adam(p, lr=LR, betas=(0.9, 0.99)),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=LR, betas=(0.9, 0.99), weight_decay=0.5),
}


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", PEERS)
def test_a_path_is_that_of_torchs_own_optimizer(name, surface, noise):
    steps = 40 if noise == 0 else 20  # with noise, float32 and float64 part after a while
    expected = by_torch(PEERS[name], SURFACES[surface], noise, steps)
    assert paths(surface, noise=noise)[name][:steps] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("noise", [0, 2])
def test_a_step_of_muon_has_the_length_that_newton_schulz_gives_to_every_vector(noise):
    length = 1.0
    for _ in range(5):
        length = 3.4445 * length - 4.7750 * length**3 + 2.0315 * length**5
    steps = np.diff(paths("Rosenbrock", noise=noise)["Muon"], axis=0)
    assert np.hypot(*steps.T) == pytest.approx(np.full(optimizers.STEPS, LR * length), rel=0.05)  # 8 bits
    downhill = -np.array(SURFACES["Rosenbrock"].gradient(BOWL["x"], BOWL["y"]))
    if not noise:
        assert steps[0] / np.hypot(*steps[0]) == pytest.approx(downhill / np.hypot(*downhill), abs=0.02)


def test_sgd_without_noise_is_gradient_descent():
    def gradient(point):
        return torch.tensor(SURFACES["round bowl"].gradient(*point.tolist()))

    expected = optimizers.optimizers.gradient_descent(gradient, torch.tensor([-1.5, 1.4]), LR, optimizers.STEPS)
    assert paths("round bowl")["SGD"] == pytest.approx(expected.numpy(), abs=1e-5)
    assert np.abs(paths("round bowl", noise=2)["SGD"] - expected.numpy()).max() > 0.1


def test_update_alone_walks_as_step_does():
    for optimizer, settings in optimizers.racers(NAMES, 0.9, 0.9, 0.99):
        parameter = torch.nn.Parameter(torch.tensor([[-1.5, 1.4]]))
        stepper, points = optimizer([parameter], lr=LR, **dict(settings)), []
        for _ in range(20):
            points.append(parameter[0].tolist())
            parameter.grad = torch.tensor([SURFACES["saddle"].gradient(*points[-1])])
            stepper.step()
        walked = optimizers.path(optimizer, settings, "saddle", 0, LR, (-1.5, 1.4))
        assert walked[:20].tolist() == points


def test_in_the_same_step_all_get_the_same_noise():
    first = {name: points[1] - points[0] for name, points in paths("round bowl", noise=2).items()}
    assert first["Momentum"] == pytest.approx(first["SGD"])
    assert first["Nesterov"] == pytest.approx(1.9 * first["SGD"])


@pytest.mark.parametrize(
    ("control", "value", "computed"),
    [("momentum", 0.8, 3), ("beta1", 0.8, 2), ("beta2", 0.9, 3), ("lr", 0.01, 7), ("x", 0.5, 7), ("noise", 2, 7)]
    + [("step", 7, 0), ("Adam", False, 0)],
)
def test_a_move_computes_only_what_depends_on_it(track, control, value, computed):
    optimizers.path.cache_clear()
    track.draw(**BOWL)
    assert optimizers.path.cache_info().misses == 7
    track.draw(**BOWL | {control: value})
    assert optimizers.path.cache_info().misses == 7 + computed
    track.draw(**BOWL)
    assert optimizers.path.cache_info().misses == 7 + computed


def test_a_racer_that_is_not_ticked_is_not_computed(track):
    optimizers.path.cache_clear()
    track.draw(**optimizers.stage("Adam"))
    assert optimizers.path.cache_info().misses == 1


# ------------------------------------------------------------------------------------------- who leaves the picture


def test_a_path_leaves_when_it_does_not_come_back_or_goes_far():
    inside, near, far = [0.0, 0.0], [0.0, 2.5], [9.0, 0.0]

    def step(*points):
        return optimizers.left_at(np.array([*points, *[points[-1]] * (optimizers.STEPS + 1 - len(points))]))

    assert step(inside) is None
    assert step(inside, inside, near, inside) is None
    assert step(inside, inside, near, inside, near) == 4
    assert step(inside, near, near, far, inside, inside) == 1
    assert step(inside, far, [np.nan, np.nan]) == 1


def test_a_path_that_left_ends_at_the_edge_on_its_way_out():
    points = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 6.0]])
    assert optimizers.until_edge(points).tolist() == [[0, 0], [1, 1], [1, 2]]
    points = np.array([[0.0, 0.0], [-1.0, 1.0], [-9.0, 9.0]])
    assert optimizers.until_edge(points)[-1].tolist() == [-2, 2]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("lr", [0.1, 0.2, 1.0])
def test_nothing_is_drawn_after_a_path_has_left(track, surface, lr):
    track.draw(**BOWL | {"surface": surface, "lr": lr})
    written, found = left(track), paths(surface, lr=lr)
    for name, points in found.items():
        x, y = track.racers[name].walk.get_data()
        if name in written:
            assert len(x) == written[name] + 1 and max(abs(x[-1]), abs(y[-1])) == pytest.approx(EDGE)
            assert np.abs(points[written[name]]).max() > EDGE
            assert len(track.racers[name].curve.get_xdata()) == written[name] + 1
            assert len(track.racers[name].out.get_xdata()) == 1
        else:
            assert len(x) == optimizers.STEPS + 1 and len(track.racers[name].out.get_xdata()) == 0


def test_before_a_path_leaves_the_table_says_its_loss(track):
    slow = BOWL | {"lr": 0.12}
    track.draw(**slow | {"step": 1})
    assert "SGD" not in left(track)
    track.draw(**slow | {"step": 2})
    assert left(track)["SGD"] == 2


LIMITS = {"SGD": 2 / 20, "Momentum": 2 * 1.9 / 20, "Nesterov": 2 * 1.9 / (20 * 2.8)}


@pytest.mark.parametrize("name", LIMITS)
def test_the_bowl_throws_out_whoever_is_above_the_limit_of_theory(track, name):
    """For momentum 2 (1 + μ) / λ, for Nesterov's 2 (1 + μ) / (λ (1 + 2 μ)), where λ is the steepest direction, 20."""
    for lr in optimizers.RATES:
        if lr != LIMITS[name]:
            track.draw(**BOWL | {"lr": lr})
            assert (name in left(track)) == (lr > LIMITS[name]), lr


# -------------------------------------------------------------------------------------------------------- picture


def test_the_table_has_a_row_for_each_racer_that_is_ticked_with_its_loss_at_the_step(track):
    for names in (NAMES, ["Adam"], ["SGD", "Muon"], []):
        track.draw(**optimizers.stage(*names, step=7))
        written = table(track)
        assert list(written) == names
        for name, words in written.items():
            x, y = paths("elongated bowl")[name][7]
            assert float(words) == pytest.approx(SURFACES["elongated bowl"].function(x, y), rel=0.06)


@pytest.mark.parametrize("loss", [123.4, 14.2, 1.1, 0.1, 0.0023, 1.04e-5, 9.9e-6, 0.0])
def test_a_loss_is_written_plainly_with_two_digits(loss):
    words = optimizers.short(loss)
    assert words == "under 0.00001" if loss < 1e-5 else float(words) == pytest.approx(loss, rel=0.05)
    assert "e" not in words.removeprefix("under") and not words.endswith(".")


def test_the_step_shows_so_much_of_the_path(track):
    for step in (0, 1, 10, 37, optimizers.STEPS):
        track.draw(**BOWL | {"step": step})
        for racer in track.racers.values():
            assert len(racer.walk.get_xdata()) == len(racer.curve.get_xdata()) == step + 1
            assert racer.walk.get_markevery()[-1] == step  # where it stands


def test_the_same_values_give_the_same_bytes(track):
    first = track.draw(**BOWL)
    track.draw(**BOWL | {"surface": "saddle", "lr": 0.5})
    assert track.draw(**BOWL) == first == optimizers.Track().draw(**BOWL)


@pytest.mark.parametrize("lr", [0.06, 0.12, 1.0])
@pytest.mark.parametrize("surface", SURFACES)
def test_no_words_lie_over_others_or_are_cut(track, surface, lr):
    for step in (0, 37, optimizers.STEPS):
        track.draw(**BOWL | {"surface": surface, "lr": lr, "step": step})
        axes = track.ground, track.losses
        words = [text for ax in axes for text in (*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels())]
        words += [text for ax in axes for text in (ax.xaxis.label, ax.yaxis.label, ax.title, ax._left_title)]
        words = [text for text in (*words, *track.fig.texts) if text.get_text() and text.get_visible()]
        boxes = [text.get_window_extent() for text in words]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        width, height = track.fig.bbox.size
        assert all(0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height for box in boxes)


def test_all_racers_look_different():
    assert len(set(optimizers.LOOKS.values())) == len(NAMES)
    assert all(len(set(look)) == len(NAMES) for look in zip(*optimizers.LOOKS.values(), strict=True))


# -------------------------------------------------------------------------------------------------------- controls


def test_every_control_changes_the_picture(shown):
    """From a state in which all of them matter: all racers on the way, with noise."""
    draw, _, controls = shown
    state = optimizers.stage(*NAMES, step=20, noise=1, lr=0.02) | {"play": 0}
    assert state.keys() == controls.keys()
    first = draw(**state)
    for name in controls.keys() - {"play"}:
        for end in explorers.ends(controls[name]):
            assert end == state[name] or draw(**state | {name: end}) != first, name


def test_all_controls_at_their_ends_together(shown):
    draw, _, controls = shown
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)


def test_labels_are_words_and_the_alt_text_is_a_sentence(shown):
    _, alt, controls = shown
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)


@pytest.mark.parametrize("question", optimizers.QUESTIONS)
def test_a_question_sets_values_that_its_controls_can_reach(shown, question):
    draw, _, controls = shown
    values = optimizers.QUESTIONS[question]
    assert values.keys() == controls.keys() - {"play"}
    for name, value in values.items():
        control = controls[name]
        control.value = value
        assert control.value == value, name
        if hasattr(control, "step"):
            places = (value - control.min) / control.step
            assert places == pytest.approx(round(places)), name
    assert draw(**{name: control.value for name, control in controls.items()}) == optimizers.Track().draw(**values)


# ------------------------------------------------------------------------------------------------- the lesson's answers

ANSWERS = [
    ("1 the limit", {"lr": 0.12}, {"SGD": "✕ left at step 2"}),
    ("1 the limit", {"lr": 0.07}, {"Nesterov": "✕ left at step 1"}),
    ("2 one rate for all", {}, {"Momentum": "0.011", "SGD": "0.15", "Adam": "2.7"}),
    ("2 one rate for all", {"lr": 0.09}, {"SGD": "0.000090"}),
    ("2 one rate for all", {"lr": 0.12}, {"Momentum": "0.0034"}),
    ("2 one rate for all", {"lr": 0.04}, {"Adam": "0.0049"}),
    ("4 bent valley", {}, {"Momentum": "0.0017", "SGD": "0.22", "Adam": "0.23"}),
    ("4 bent valley", {"momentum": 0}, {"Momentum": "0.22"}),
    ("4 bent valley", {"beta1": 0, "beta2": 0.8}, {"Adam": "0.12"}),
    ("5 ridge", {}, dict.fromkeys(NAMES, "1.0")),
    ("5 ridge", {"x": -0.9}, {"RMSProp": "under 0.00001", "Nesterov": "0.00015", "Momentum": "0.013", "Adam": "0.66"}),
    ("5 ridge", {"x": -0.9}, {"SGD": "0.77", "Muon": "0.79", "AdamW": "0.89"}),
    ("6 noise", {}, {"SGD": "0.033", "Adam": "0.20", "Momentum": "✕ left at step 45"}),
    ("6 noise", {"momentum": 0.99}, {"Momentum": "✕ left at step 6"}),
    ("6 noise", {"lr": 0.006}, {"Momentum": "0.085"}),
    ("7 plateau", {}, {"SGD": "0.99", "Adam": "0.034"}),
    ("7 plateau", {"step": 7}, {"RMSProp": "under 0.00001"}),
]


@pytest.mark.parametrize(("question", "moved", "said"), ANSWERS)
def test_the_answers_of_the_lesson_are_what_the_race_shows(track, question, moved, said):
    lesson = read(FOLDER / "07_optimizers.ipynb")
    [text] = [cell.source for cell in lesson.cells if cell.source.startswith("## The race")]
    answer = text.split(f"<summary>Answer {question[0]}: ")[1].split("</details>")[0]
    track.draw(**optimizers.QUESTIONS[question] | moved)
    written = table(track)
    for name, words in said.items():
        assert written[name] == words
        assert re.search(rf"\b{words.removeprefix('under ').removeprefix('✕ left at ')}\b", answer) or "left" in words
