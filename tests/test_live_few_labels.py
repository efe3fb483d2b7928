"""The explorers of few labels: what is marked is what changed, and the numbers are the models'."""

import html
import re

import ipywidgets as widgets
import pytest
import torch

from bmcourse import live
from bmcourse.augment import METHODS, augment_data, split_pieces
from bmcourse.live import data
from bmcourse.live import few_labels as explorer
from bmcourse.live.few_labels import ThresholdPicture, changes, draw_variants, verdict
from bmcourse.models.classifiers import digit_classifier
from tests import explorers
from tests.explorers import written

TEXTS = [
    explorer.SENTENCE,
    "这部电影不难看，演员很棒。",
    "The model is great, 但是速度不够快。",
    "a <script>alert(1)</script> &lt; '\" film",
    " \n\t",
    "",
    "大",
]
ALL = ["eda", *METHODS, "back_translation"]


# ---------------------------------------------------------------- a sentence, changed


def variants(page):
    """What stands in each row of a page: [[(element, piece)]]."""
    rows = re.findall(r"<li .*?>(.*?)</li>", page, re.S)
    return [
        [(kind, html.unescape(piece)) for kind, piece in re.findall(r"<(\w+) style=.*?>(.*?)</\1>", row, re.S)]
        for row in rows
    ]


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("text", TEXTS)
def test_each_row_is_the_sentence_before_and_after(text, method):
    plain, page = draw_variants(None, None, text, method, 0.5, 3, "film, ")
    for number, row in enumerate(variants(page), start=3):
        after = augment_data(text, method, seed=number, rate=0.5, protected=["film"])
        assert "".join(piece for kind, piece in row if kind in ("span", "del")) == text
        assert "".join(piece for kind, piece in row if kind != "del") == after
        assert f"\n{number}: {after}" in plain
    assert len(variants(page)) == explorer.VARIANTS and "<script" not in page


def test_the_pieces_come_from_the_splitter_that_is_given():
    _, page = draw_variants(lambda word: ["X"], list, "大电影好", "synonyms", 1.0, 0, "")
    assert [kind for kind, _ in variants(page)[0]] == ["del"] * 4 + ["ins"] * 4


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ("a b c", "a c", "same a, same  , gone b, gone  , same c"),
        ("a b", "a b", "same a, same  , same b"),
        ("a b", "b a", "moved b, same  , gone b, moved a"),
        ("", "a", "new a"),
    ],
)
def test_what_became_of_each_piece(before, after, expected):
    found = changes(split_pieces(before), split_pieces(after))
    joined = ", ".join(f"{what} {piece}" for what, piece in found)
    if before == "a b" and after == "b a":  # either word may count as the one that moved
        assert {what for what, piece in found if not piece.isspace()} <= {"same", "gone", "moved"}
    else:
        assert joined == expected


@pytest.fixture
def sentence_box(monkeypatch):
    """live.augment as its reader has it: its field, its controls by their labels, and what is shown below."""
    shown = []
    monkeypatch.setattr(data, "display", lambda bundle, raw: shown.append(bundle))
    assert live.augment() is None
    box = widgets.widget._instances[shown[0]["application/vnd.jupyter.widget-view+json"]["model_id"]]
    field, row, view = box.children
    assert view.value in shown[0]["text/html"] and explorer.SENTENCE in shown[0]["text/plain"]
    return field, {control.description: control for control in row.children}, view


def test_every_control_of_the_sentence_goes_to_its_ends(sentence_box):
    field, controls, view = sentence_box
    for name in ("method", "rate", "seed"):
        start, pages = controls[name].value, set()
        for value in explorers.ends(controls[name]):
            controls[name].value = value
            pages.add(view.value)
        assert len(pages) == len(explorers.ends(controls[name])), name
        controls[name].value = start
    first = view.value
    controls["protected"].value = "film,, find , very"
    assert view.value != first and "<del" in first
    field.value = ""
    assert all(row == [] for row in variants(view.value))


def test_back_translation_has_no_rate(sentence_box):
    _, controls, view = sentence_box
    for method, seen in (("back_translation", "hidden"), ("swap", "visible")):
        controls["method"].value = method
        assert controls["rate"].layout.visibility == seen
        before, controls["rate"].value = view.value, 1 - controls["rate"].value
        assert (view.value == before) is (seen == "hidden")


def test_an_old_word_and_its_new_one_stand_apart():
    page = explorer.marked([("gone", "easy"), ("new", "simple"), ("same", " "), ("new", "more")])
    assert re.sub("<.*?>", "", page) == f"easy{explorer.NARROW}simple more"


# ---------------------------------------------------------------- the threshold

GENERATOR = torch.Generator().manual_seed(0)
IMAGES, LABELS = torch.rand(60, 8, 8, generator=GENERATOR), torch.arange(60) % 10


def models():
    """Two models with large weights, so that they are sure of some images and not of others."""
    made = {}
    with torch.random.fork_rng():
        for count in (10, 200):
            torch.manual_seed(count)
            made[count] = digit_classifier("MLP").eval()
            with torch.no_grad():
                for parameter in made[count].parameters():
                    parameter *= 3
    return made


MODELS = models()


@torch.no_grad()
def sure_and_wrong(count, threshold):
    """By a loop: how many images get a label, and (said, is) of the wrong ones, the surest first."""
    labelled, wrong = 0, []
    for image, label in zip(IMAGES, LABELS.tolist(), strict=True):
        p = MODELS[count](image[None]).softmax(1)[0]
        if p.max() >= threshold:
            labelled += 1
            wrong += [(p.max().item(), f"{p.argmax()} / {label}")] * (p.argmax().item() != label)
    return labelled, [words for _, words in sorted(wrong, reverse=True)]


@pytest.mark.parametrize("count", [10, 200])
@pytest.mark.parametrize("threshold", [0.0, 0.35, 0.6, 1.0])
def test_what_is_counted_and_shown_is_what_a_loop_finds(count, threshold):
    picture = ThresholdPicture(MODELS, IMAGES, LABELS)
    signs, words = written(picture.signs), written(picture.words)
    picture.draw(threshold, count)
    labelled, wrong = sure_and_wrong(count, threshold)
    shown = explorer.COLUMNS * explorer.ROWS
    assert [sign for sign, _ in signs] == wrong[:shown]
    assert words[0][0] == verdict(60, labelled, len(wrong))
    heights = [[bar.get_height() for bar in bars] for bars in (picture.good, picture.bad)]
    assert sum(heights[1]) == len(wrong) and sum(map(sum, heights)) == labelled


def test_the_curves_say_the_same():
    picture = ThresholdPicture(MODELS, IMAGES, LABELS)
    picture.draw(0.5, 10)
    labelled, wrong = sure_and_wrong(10, 0.5)
    at = list(picture.coverage.get_xdata()).index(0.5)
    assert picture.coverage.get_ydata()[at] == pytest.approx(100 * labelled / 60)
    assert picture.accuracy.get_ydata()[at] == pytest.approx(100 * (labelled - len(wrong)) / labelled)


def test_the_threshold_changes_the_picture_and_goes_to_its_ends(monkeypatch):
    draw, alt, controls = explorers.taken(monkeypatch, explorer, lambda: live.threshold(MODELS, IMAGES, LABELS))
    explorers.assert_every_control_changes_the_picture(draw, controls)
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)


@pytest.mark.parametrize(
    "images, labels",
    [(IMAGES.flatten(1), LABELS), (IMAGES, LABELS[:3]), (IMAGES[:0], LABELS[:0]), (torch.zeros(2, 9, 9), LABELS[:2])],
)
def test_images_and_labels_that_do_not_belong_together(images, labels):
    with pytest.raises(ValueError, match=r"The images are .* and the labels .*; \(N, 8, 8\) and \(N,\) were expected"):
        live.threshold(MODELS, images, labels)


def test_no_model():
    with pytest.raises(ValueError, match="There is no model. Pass {10: a model"):
        live.threshold({}, IMAGES, LABELS)
