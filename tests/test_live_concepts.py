"""The explorers of concepts: figures are those of the table and the formulas, and names do not cover each other."""

import html
import re

import ipywidgets as widgets
import numpy as np
import psutil
import pytest

from bmcourse import data, live, scaling
from bmcourse.live import concepts, explorer
from bmcourse.live.concepts import FIGURES, JOBS, PARTS, SHAPES, LedgerPicture, TimelinePicture
from bmcourse.models.gpt import GPTConfig

EXPLORERS = {"timeline": live.timeline, "ledger": live.ledger}
GPT3 = SHAPES["GPT-3"] | {"batch": 1, "job": "answer in bf16", "machine": False}


def numbers(words):
    """{bytes} of a text such as "31.5 GB"."""
    value, unit = words.split()
    return float(value.replace(",", "")) * {"MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]


# -------------------------------------------------------------------------------------------------------- the timeline


@pytest.fixture(scope="module")
def models():
    return data.published_models()


@pytest.fixture(scope="module")
def timeline(models):
    return TimelinePicture(models)


def drawn_points(picture):
    """The points on display as {(x, y)}, and how each kind looks: {(marker, colour, filled)}."""
    lines = [artist for artist in picture.drawn if hasattr(artist, "get_marker")]
    points = {tuple(point) for line in lines for point in line.get_xydata().tolist()}
    filled = [line.get_markerfacecolor() != "white" for line in lines]
    return points, {(line.get_marker(), line.get_color(), fill) for line, fill in zip(lines, filled, strict=True)}


@pytest.mark.parametrize("y", FIGURES)
def test_every_known_figure_is_a_point_in_its_year_and_no_unknown_one_is(models, y):
    picture = TimelinePicture(models)
    picture.draw(y, "GPT-3")
    known = [m for m in models if getattr(m, FIGURES[y]) is not None]
    points, kinds = drawn_points(picture)
    assert len(points) == len(known)
    assert sorted((round(x), value) for x, value in points) == sorted((m.year, getattr(m, FIGURES[y])) for m in known)
    assert len(kinds) == 6 and len({(marker, color) for marker, color, _ in kinds}) == 3
    low, high = picture.ax.get_ylim()
    assert all(low < value < high for _, value in points)


@pytest.mark.parametrize("y", FIGURES)
def test_names_and_their_lines_cover_no_name_no_point_and_no_frame(models, y):
    picture = TimelinePicture(models)
    picture.draw(y, "GPT-3")
    texts = [artist for artist in picture.drawn if hasattr(artist, "get_text")]
    boxes = np.array([super(type(text), text).get_window_extent().extents for text in texts])
    assert len(boxes) >= 10
    left, bottom, right, top = boxes.T
    apart = (left[:, None] >= right) | (left >= right[:, None]) | (bottom[:, None] >= top) | (bottom >= top[:, None])
    assert (apart | np.eye(len(boxes), dtype=bool)).all()
    frame = picture.ax.get_window_extent()
    assert left.min() > frame.x0 and right.max() < frame.x1 and bottom.min() > frame.y0 and top.max() < frame.y1
    places = picture.ax.transData.transform(list(picture.points(y).values()))
    assert not within(places, boxes).any()
    for text, own in zip(texts, boxes, strict=True):
        if text.arrow_patch:
            ends = picture.ax.transData.transform(text.xy), (own[:2] + own[2:]) / 2
            thread = np.linspace(*ends, 100)
            covered = within(thread, boxes[(boxes != own).any(1)])
            assert not covered.any(), text.get_text()


def within(places, boxes):
    """Whether each place lies in each box, (places, boxes)."""
    return ((boxes[:, :2] < places[:, None]) & (places[:, None] < boxes[:, 2:])).all(-1)


def test_models_of_one_year_stand_side_by_side_in_their_year(models):
    places = concepts.spread_years(models)
    assert (np.abs(places - [m.year for m in models]) < 0.5).all()
    assert len(set(places)) == len(models)


def test_the_axis_of_years_goes_forward_and_back():
    years = np.linspace(1990, 2030, 100)
    assert (np.diff(concepts.squeeze(years)) > 0).all()
    np.testing.assert_allclose(concepts.stretch(concepts.squeeze(years)), years)


def test_the_ring_is_around_the_model_or_nowhere(models, timeline):
    timeline.draw("parameters", "BERT-large")
    [(x, y)] = timeline.ring.get_xydata()
    assert round(x) == 2018 and y == 340e6 and "BERT-large" in timeline.name.get_text()
    timeline.draw("tokens of context", "LeNet-5")
    assert len(timeline.ring.get_xydata()) == 0 and "LeNet-5" in timeline.name.get_text()


def test_the_picture_depends_on_the_choice_and_not_on_those_before(models, timeline):
    for y in [*FIGURES, *FIGURES]:
        timeline.draw(y, "GPT-2")
    assert timeline.draw("parameters", "GPT-3") == TimelinePicture(models).draw("parameters", "GPT-3")
    assert timeline.draw("parameters", "GPT-3") != timeline.draw("parameters", "GPT-2")


def test_the_line_names_the_model_its_figures_its_source_and_what_is_not_drawn(models):
    line = concepts.description(models, "training FLOPs", "GPT-3")
    words = re.sub("<[^>]*>", "", line)
    assert words.startswith(
        "GPT-3 (OpenAI, 2020, language, closed): 175 billion parameters, 3.14 × 1023 training FLOPs, "
        "300 billion training tokens, 2,048 tokens of context."
    )
    assert '<a href="https://arxiv.org/abs/2005.14165"' in line and "table 2.1" in line
    missing = sum(m.training_flops is None for m in models)
    assert f"{len(models) - missing} of {len(models)} models are drawn; for the other {missing} " in words


def test_every_model_has_a_line_with_its_whole_source(models):
    for model in models:
        line = concepts.description(models, "parameters", model.name)
        words = html.unescape(re.sub("<[^>]*>", "", line))
        assert model.source in words and model.organisation in words and str(model.year) in words
        assert re.findall(r'href="([^"]*)"', line) == re.findall(r"https://[^\s);]+", model.source)


@pytest.mark.parametrize(
    "value, words",
    [(60e3, "60,000"), (340e6, "340 million"), (1.571e12, "1.57 trillion"), (3.14e23, "3.14 × 10<sup>23</sup>")],
)
def test_numbers_are_said_as_a_reader_says_them(value, words):
    assert concepts.number(value) == words


# ---------------------------------------------------------------------------------------------------------- the ledger


@pytest.fixture(scope="module")
def ledger():
    return LedgerPicture(machine=25e9)


def rows(picture):
    """{row: (where its bar begins, how long it is, what is written beside it)}, in shares of the axis."""
    lengths = [(bar.get_x(), bar.get_width()) for bar in picture.bars]
    words = [words.get_text() for words in picture.words]
    return {name: (*bar, word) for name, bar, word in zip(picture.rows, lengths, words, strict=True)}


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("shape", SHAPES)
def test_bars_are_as_long_as_their_bytes_and_lie_one_behind_the_other(ledger, shape, job):
    sizes = SHAPES[shape]
    ledger.draw(**sizes, batch=4, job=job, machine=False)
    channels = sizes["channels"]
    config = GPTConfig(sizes["vocabulary"], sizes["context"], sizes["layers"], channels // 64, channels)
    verb, precision = job.split(" in ")
    if verb == "train":
        parts = scaling.training_memory(config, 4, precision)
    else:
        parts = scaling.inference_memory(config, 4, precision, "fp32" if precision == "fp32" else "bf16")
    total, shown, start = sum(parts.values()), rows(ledger), 0
    end = total / shown["total"][1]
    assert total < end <= 2.7 * total
    for name in PARTS:
        assert shown[name][:2] == pytest.approx((start, parts.get(name, 0) / end))
        start += shown[name][1]
        if name in parts:
            assert numbers(shown[name][2]) == pytest.approx(parts[name], rel=0.01, abs=0.051e6)
        else:
            assert shown[name][2] == "–"
    assert start == pytest.approx(shown["total"][1]) and shown["total"][0] == 0
    for name, memory in concepts.DEVICES.items():
        assert shown[name][:2] == pytest.approx((0, memory / end))
    assert numbers(ledger.ticks[-1].get_text()) == pytest.approx(end)
    assert float(ledger.ticks[2].get_text().replace(",", "")) == pytest.approx(
        0.4 * float(ledger.ticks[-1].get_text().split()[0].replace(",", ""))
    )


def test_a_bar_that_goes_on_beyond_the_picture_has_an_arrow(ledger):
    ledger.draw(**SHAPES["GPT-2"], batch=1, job="train in fp32", machine=False)
    [row] = ledger.beyond.get_ydata()
    assert ledger.rows[row] == "GPU, 80 GB" and ledger.ticks[-1].get_text() == "50 GB"
    ledger.draw(**SHAPES["pocket GPT"], batch=1, job="train in fp32", machine=True)
    assert len(ledger.beyond.get_ydata()) == 5
    ledger.draw(**GPT3)
    assert len(ledger.beyond.get_ydata()) == 0


def test_signs_tell_what_fits(ledger):
    def fitting():
        return [name for name, (*_, words) in rows(ledger).items() if "fits" in words]

    ledger.draw(**GPT3 | {"layers": 12, "channels": 768, "context": 1024})
    assert fitting() == list(ledger.devices)
    ledger.draw(**GPT3)
    assert fitting() == []
    ledger.draw(**SHAPES["GPT-2"], batch=1, job="train in bf16", machine=True)  # 26 GB of weights, and activations
    assert fitting() == ["GPU, 80 GB"]


def test_no_words_of_the_ledger_leave_the_picture():
    ledger = LedgerPicture(machine=1.08e12)  # the longest name
    ledger.draw(**GPT3 | {"machine": True})
    width, height = ledger.stage.fig.bbox.size
    labels = [label for label in ledger.bars[0].axes.get_yticklabels() if label.get_text()]
    for text in [*ledger.words, *ledger.ticks, ledger.own, *labels]:
        left, bottom, right, top = text.get_window_extent().extents
        assert left >= 0 and bottom >= 0 and right <= width and top <= height, text.get_text()


def test_the_sentence_says_where_it_fits_and_how_many_gpus_it_needs():
    words = re.sub("<[^>]*>", "", concepts.verdict(**GPT3))
    assert "to answer in bf16: 360 GB. It fits into none of these; 5 GPUs of 80 GB hold it." in words
    assert words.startswith("175 billion parameters")
    assert "machine" not in words
    small = concepts.verdict(**GPT3 | SHAPES["pocket GPT"] | {"machine": True})
    assert "It fits into: phone, 8 GB; laptop, 16 GB; GPU, 24 GB; GPU, 80 GB." in small
    assert f"This machine has {concepts.size(psutil.virtual_memory().total)}: enough." in small


def test_gpt3s_weights_are_its_published_size_in_two_bytes_each():
    _, parts = concepts.memory_of(**{name: GPT3[name] for name in GPT3 if name != "machine"})
    assert parts["weights"] == pytest.approx(2 * 175e9, rel=0.01)


def test_this_machines_line_is_drawn_only_when_asked_for(ledger):
    with_line, without = (ledger.draw(**GPT3 | {"machine": machine}) for machine in (True, False))
    assert with_line != without == LedgerPicture(machine=3e9).draw(**GPT3)


# ---------------------------------------------------------------------------------------------------------- explorers


@pytest.fixture(params=EXPLORERS)
def shown(request, monkeypatch):
    """An explorer as its reader has it: what is saved, the presets, the controls, the picture and the words."""
    bundles = []
    monkeypatch.setattr(explorer, "display", lambda bundle, **options: bundles.append(bundle))
    assert EXPLORERS[request.param]() is None
    [bundle] = bundles
    box = widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
    *rows, picture, words, _ = box.children  # the last is the picture in words
    presets = rows[0].children if len(rows) == 2 else ()
    return bundle, presets, rows[-1].children, picture, words


def ends(control):
    """The values a reader can push a control to."""
    if isinstance(control, widgets.IntSlider):
        return [control.min, control.max]
    if isinstance(control, widgets.Checkbox):
        return [False, True]
    values = [option[1] if isinstance(option, tuple) else option for option in control.options]
    return values if len(values) < 10 else [values[0], values[-1]]


def test_every_control_changes_the_picture_and_goes_to_its_ends(shown):
    _, _, controls, picture, words = shown
    for control in controls:
        before, pictures = control.value, []
        for value in ends(control):
            control.value = value
            pictures.append(picture.value)
        assert len(set(pictures)) == len(pictures), control.description
        control.value = before
    assert "cannot be drawn" not in words.value


def test_all_controls_at_their_ends_together(shown):
    _, _, controls, picture, words = shown
    for at in (0, -1):
        for control in controls:
            control.value = ends(control)[at]
        assert bytes(picture.value).startswith(b"\x89PNG") and "cannot be drawn" not in words.value


def test_labels_are_words_and_the_saved_text_is_a_sentence(shown):
    bundle, _, controls, _, _ = shown
    assert re.fullmatch(r"[A-Z][^.]{60,}\.", bundle["text/plain"])
    labels = [control.description for control in controls if not isinstance(control, widgets.ToggleButtons)]
    assert all(labels) and len(set(labels)) == len(labels)


def test_a_preset_sets_its_sliders_and_draws_once(monkeypatch):
    bundles, drawn = [], []
    monkeypatch.setattr(explorer, "display", lambda bundle, **options: bundles.append(bundle))
    draw = LedgerPicture.draw
    monkeypatch.setattr(LedgerPicture, "draw", lambda self, **values: drawn.append(values) or draw(self, **values))
    live.ledger()
    box = widgets.widget._instances[bundles[0]["application/vnd.jupyter.widget-view+json"]["model_id"]]
    presets, _, picture, words, _ = box.children
    for button in presets.children:
        before = picture.value
        drawn.clear()
        button.click()
        [values] = drawn
        assert values.items() >= SHAPES[button.description].items()
        if button.description != "GPT-2":  # the shape it starts with
            assert picture.value != before
    assert "175 billion" in words.value


def test_the_saved_picture_says_nothing_of_this_machine_and_the_page_does(monkeypatch):
    bundles = []
    monkeypatch.setattr(explorer, "display", lambda bundle, **options: bundles.append(bundle))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("memory", (), {"total": 123e9}))
    live.ledger()
    monkeypatch.undo()
    monkeypatch.setattr(explorer, "display", lambda bundle, **options: bundles.append(bundle))
    live.ledger()
    assert bundles[0]["image/png"] == bundles[1]["image/png"]
    box = widgets.widget._instances[bundles[0]["application/vnd.jupyter.widget-view+json"]["model_id"]]
    *_, picture, words, _ = box.children
    assert picture.value != bundles[0]["image/png"] and "123 GB" in words.value
