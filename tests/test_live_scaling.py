"""The explorers of scaling: what they draw and write is what scaling.py computes."""

import re

import numpy as np
import pytest
from scipy import optimize

from bmcourse import data, live, scaling
from bmcourse.live import scaling as explorer
from bmcourse.live.scaling import CHIPS, LAWS, PLANS, BillPicture, LawPicture
from tests import explorers

HOFFMANN, BESIROGLU = LAWS
H100, TPU = "NVIDIA H100 SXM", "Google TPU v5p"
START = {"parameters": int(175e9), "ratio": 2, "chips": 1024, "utilisation": 0.4, "chip": H100}


def plain(words):
    return re.sub("<[^>]*>", "", words)


# --------------------------------------------------------------------------------------------------- Chinchilla's law


@pytest.fixture(scope="module")
def law():
    return LawPicture(data.published_models())


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("budget", [18, 23.5, 27])
def test_the_ring_is_at_the_lowest_point_of_the_curve(law, name, budget):
    law.draw(budget, name, H100)
    sizes, losses = law.curve.get_data()
    [ring], [lowest] = law.best.get_data()
    assert lowest == pytest.approx(losses.min(), abs=1e-3) and lowest <= losses.min()
    found = optimize.minimize_scalar(
        lambda log: LAWS[name].loss(np.exp(log), 10.0**budget / 6 / np.exp(log)), bounds=(10, 40), method="bounded"
    )
    assert ring == pytest.approx(np.exp(found.x), rel=1e-3)
    [flops], [ratio] = law.here.get_data()
    assert flops == pytest.approx(10.0**budget) and ratio == pytest.approx(flops / 6 / ring**2)


def test_the_grey_curves_are_those_of_the_whole_powers_of_ten(law):
    law.draw(20, HOFFMANN, H100)
    assert np.allclose(law.others[2].get_ydata(), law.curve.get_ydata())
    assert law.floor.get_ydata() == [1.69, 1.69]
    lowest = [line.get_ydata().min() for line in law.others]
    assert np.allclose(law.optima.get_ydata(), lowest, atol=2e-3)


def test_a_models_place_is_what_was_published():
    places = {model.name: explorer.place(model) for model in data.published_models()}
    assert places["Chinchilla"] == (5.76e23, 20)
    assert places["DeepSeek-V3"][1] == pytest.approx(14.8e12 / 37e9)  # the active parameters
    assert places["BERT-large"] is None is places["ViT-22B"]  # before 2020; images


def test_the_price_is_that_of_the_lesson():
    words = plain(explorer.price(23.5, BESIROGLU, H100))
    size, tokens = scaling.compute_optimal(10**23.5, scaling.REPLICATION)
    assert f"{size / 1e9:.1f} billion parameters and {tokens / 1e9:.0f} billion tokens" in words
    assert f"{scaling.REPLICATION.loss(size, tokens):.3f} nats" in words and "of which 1.82 are" in words
    assert "220,000 hours of NVIDIA H100 SXM at 40% of its peak; 890,000 dollars of rent" in words
    assert CHIPS[H100].source in words
    assert "no price is known" in explorer.price(23.5, BESIROGLU, TPU)


@pytest.mark.parametrize(
    "value, words", [(20.31, "20"), (0.234, "0.23"), (9.96, "10"), (876.0, "880"), (1.65e6, "1.6 million")]
)
def test_two_digits(value, words):
    assert explorer.short(value) == words


# ---------------------------------------------------------------------------------------------------------- the bill


@pytest.fixture(scope="module")
def bill():
    return BillPicture()


@pytest.mark.parametrize("plan", PLANS)
def test_the_ring_is_on_its_chips_line(bill, plan):
    bill.draw(**START | PLANS[plan])
    [chips], [days] = bill.here.get_data()
    counts, line = bill.lines[H100].get_data()
    assert chips == PLANS[plan]["chips"]
    assert days * chips == pytest.approx(line[0] * counts[0])
    size = PLANS[plan]["parameters"]
    flops = scaling.training_flops(size, PLANS[plan]["ratio"] * size)
    assert days == pytest.approx(scaling.training_seconds(flops, CHIPS[H100], chips, 0.4) / 86_400)


def test_too_few_chips_do_not_hold_it(bill):
    assert explorer.least_chips(175e9, CHIPS[H100]) == 35  # 16 bytes each: 2,800 GB
    bill.draw(**START)
    assert bill.small.get_x() + bill.small.get_width() == 35 and bill.words.get_visible()
    bill.draw(**START | PLANS["my own, on eight chips"])
    assert not bill.words.get_visible()
    assert "that fits on 1,024 chips." in plain(explorer.invoice(**START))
    assert "that does not fit on 32 chips: 35 are needed" in plain(explorer.invoice(**START | {"chips": 32}))


def test_the_invoice_of_gpt_3():
    words = plain(explorer.invoice(**START | {"chip": "NVIDIA A100 80 GB SXM"}))
    assert words.startswith("350 billion tokens, 3.68 × 1023 FLOPs: 33 days on 1,024 chips, 2.3 million dollars.")
    assert "take 2.80 TB" in words
    assert "no price is known" in explorer.invoice(**START | {"chip": TPU})


def test_rings_at_the_ends_are_whole(law, bill):
    assert not any(ring.get_clip_on() for ring in (law.best, law.here, bill.here))


def test_one_chip_is_no_chips():
    words = plain(explorer.invoice(**START | {"chips": 1, "parameters": int(1e9)}))
    assert "on 1 chip," in words and "fits on 1 chip." in words and "1 chips" not in words


@pytest.mark.parametrize(
    "days, words",
    [(33.2, "33 days"), (0.44, "11 hours"), (1 / 24, "60 minutes"), (5e-8, "0.0043 seconds"), (1e6, "2,700 years")],
)
def test_durations_are_said_as_a_reader_says_them(days, words):
    assert explorer.duration(days) == words


def test_a_time_beyond_the_axis_stands_at_its_end_with_its_number(bill):
    bill.draw(**START | {"parameters": int(1e8), "ratio": 1, "chips": 65_536})
    assert bill.here.get_ydata()[0] == explorer.SHORTEST and bill.days.get_text().endswith("seconds")
    bill.draw(**START | {"parameters": int(1e12), "ratio": 1000, "chips": 1})
    assert bill.here.get_ydata()[0] == explorer.LONGEST and bill.days.get_text().endswith("480,000 years")


@pytest.mark.parametrize("name", LAWS)
def test_the_names_of_budgets_stand_at_their_curves_and_apart(law, name):
    law.draw(23.5, name, H100)
    boxes = np.array([sign.get_window_extent().extents for sign in law.signs.values()])
    left, bottom, right, top = boxes.T
    apart = (left[:, None] >= right) | (left >= right[:, None]) | (bottom[:, None] >= top) | (bottom >= top[:, None])
    assert (apart | np.eye(len(boxes), dtype=bool)).all()
    for power, sign in law.signs.items():
        x, y = sign.get_position()
        x = min(x, explorer.SIZES[-1])  # or right of the curve
        assert y == pytest.approx(LAWS[name].loss(x, 10.0**power / 6 / x), abs=0.05)


# ------------------------------------------------------------------------------------------------------ as displayed


def test_numbers_beside_the_sliders_are_short(monkeypatch):
    for shown in (live.chinchilla, live.bill):
        _, _, controls = explorers.taken(monkeypatch, explorer, shown)
        for control in controls.values():
            if hasattr(control, "readout") and hasattr(control, "options"):
                assert max(len(words) for words, _ in control.options) <= len("100 million")


@pytest.mark.parametrize("name", ["chinchilla", "bill"])
def test_every_control_changes_the_picture_and_goes_to_its_ends(name, monkeypatch):
    draw, alt, controls = explorers.taken(monkeypatch, explorer, getattr(live, name))
    explorers.assert_every_control_changes_the_picture(draw, controls)
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(
        alt, {name: control for name, control in controls.items() if control.description}
    )
    write = {"chinchilla": explorer.price, "bill": explorer.invoice}[name]
    for at in (0, -1):
        assert write(**{name: explorers.ends(control)[at] for name, control in controls.items()}).startswith("<div")
