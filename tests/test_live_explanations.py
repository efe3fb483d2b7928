"""The explorers of explanations: what is drawn is what explain/ computes, and every control works to its ends."""

import itertools
import re
from functools import partial

import ipywidgets as widgets
import pytest
import torch
from matplotlib.colors import to_rgb

from bmcourse import live, plots
from bmcourse.explain.attention import encoder_attention
from bmcourse.explain.integrated_gradients import integrated_gradients
from bmcourse.explain.lime import lime
from bmcourse.explain.occlusion import occlusion
from bmcourse.explain.saliency import gradient_times_input
from bmcourse.explain.shapley import kernel_shap, shapley_exact, shapley_sampling
from bmcourse.live import explanations
from bmcourse.live.explanations import NAMES, SQUARES, TWELVE, ConvergencePicture, CoverPicture, Digits, NearbyPicture
from bmcourse.models.classifiers import digit_classifier
from bmcourse.models.sentences import UNKNOWN, SentenceClassifier, number_words, split_words
from tests import explorers
from tests.explorers import written

GENERATOR = torch.Generator().manual_seed(0)
IMAGES, LABELS = torch.rand(5, 8, 8, generator=GENERATOR), torch.arange(5)
WORDS, KINDS = ["close", "file", "not", "open", "the", "good", "bad"], ("files", "films", "food")
TEXT = "Do not close the file; open the window."
CHINESE, CHARACTERS = "这部电影不好看", list("不好看电影")


def decided(model, times=4):
    """The model with larger weights, so that its probabilities are not all alike."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= times
    return model.eval()


with torch.random.fork_rng():
    torch.manual_seed(0)
    MODEL = decided(digit_classifier("MLP"))
    READER, CHINESE_READER = (
        decided(SentenceClassifier(len(known) + 2, len(KINDS), channels=8, heads=2), times=2)
        for known in (WORDS, CHARACTERS)
    )

EXPLORERS = {
    "occlude": lambda: live.occlude(MODEL, IMAGES, LABELS),
    "nearby": lambda: live.nearby(MODEL, IMAGES, LABELS),
    "convergence": lambda: live.convergence(MODEL, IMAGES, LABELS),
    "shades": lambda: live.shades(READER, WORDS, KINDS, TEXT),
}


@torch.no_grad()
def probabilities(images):
    return MODEL(images).softmax(-1)


def widths(bars):
    return torch.tensor([bar.get_width() for bar in bars])


def drawn(board):
    """The scores (8, 8) that a board shows as colours."""
    return torch.tensor(board.shades.get_array())


def percentages(value):
    return f"{100 * value:.0f} %"


# ------------------------------------------------------------------------------------------------------------ patches


def test_names_tell_the_column_and_the_row():
    assert NAMES[:5] == ["A1", "B1", "C1", "D1", "A2"] and NAMES[-1] == "D4" and len(set(NAMES)) == 16
    assert explanations.names_of(TWELVE)[:4] == ["A1", "B1", "C1", "A2"] and explanations.names_of(TWELVE)[-1] == "C4"


def test_the_twelve_patches_are_boxes_of_four_to_six_pixels():
    assert TWELVE.flatten().bincount().tolist() == [6, 4, 6] * 4
    for group in range(12):
        rows, columns = (group == TWELVE).nonzero().T
        assert (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1) == (group == TWELVE).sum()


def test_a_patch_without_a_score_is_white():
    picture = NearbyPicture(Digits(MODEL, IMAGES, LABELS))
    picture.heat.show(IMAGES[0], torch.zeros(16))
    assert picture.heat.shades.to_rgba(picture.heat.shades.get_array()).min() > 0.98


def test_names_stand_at_their_patches():
    picture = CoverPicture(Digits(MODEL, IMAGES, LABELS))
    places = picture.middle.figure.axes[2].transData.inverted().transform(picture.heat.centres)
    for name, (x, y) in zip(NAMES, places, strict=True):
        assert NAMES[SQUARES[round(y), round(x)]] == name


# ---------------------------------------------------------------------------------------------------------- the cover


def covered_by_hand(image, names, grey):
    image = image.clone()
    for name in names:
        column, row = 2 * "ABCD".index(name[0]), 2 * int(name[1]) - 2
        image[row : row + 2, column : column + 2] = grey
    return image


@pytest.mark.parametrize("names", [(), ("A1",), ("B2", "C2", "D4"), tuple(NAMES)])
@pytest.mark.parametrize("grey", [0.0, 0.7])
def test_the_model_is_asked_about_the_covered_digit(names, grey):
    picture = CoverPicture(Digits(MODEL, IMAGES, LABELS))
    words = written(picture.words)
    picture.draw(2, grey, **{name: name in names for name in NAMES})
    image = covered_by_hand(IMAGES[2], names, grey)
    before, after = probabilities(torch.stack([IMAGES[2], image]))
    torch.testing.assert_close(torch.tensor(picture.seen.get_array().data), image)
    torch.testing.assert_close(widths(picture.before), before, atol=1e-5, rtol=0)
    torch.testing.assert_close(widths(picture.after), after, atol=1e-5, rtol=0)
    assert [name for name, frame in zip(NAMES, picture.frames, strict=True) if frame.get_visible()] == [
        name for name in NAMES if name in names
    ]
    said = f"a 2; the model says {before.argmax()}, {percentages(before.max())}"
    then = f"; as it is covered now, {after.argmax()}, {percentages(after.max())}"
    assert [text for text, _ in words] == [said + then * bool(names)]


def test_the_drops_are_those_of_each_patch_covered_alone():
    picture = CoverPicture(Digits(MODEL, IMAGES, LABELS))
    numbers = written(picture.numbers)
    picture.draw(1, 0.5, **dict.fromkeys(NAMES, True))
    before = probabilities(IMAGES[1:2])[0]
    alone = torch.stack([covered_by_hand(IMAGES[1], [name], 0.5) for name in NAMES])
    drops = before.max() - probabilities(alone)[:, before.argmax()]
    torch.testing.assert_close(drawn(picture.heat).float(), drops[SQUARES], atol=1e-5, rtol=0)
    shown = torch.tensor([float(text.replace("−", "-")) for text, _ in numbers])
    torch.testing.assert_close(shown, 100 * drops, atol=0.51, rtol=0)
    assert explanations.points(-0.126) == "−13" and explanations.points(-0.001) == "0"


def test_the_buttons_lie_as_the_patches_do_and_the_first_one_pressed_costs_most(monkeypatch):
    _, _, controls = explorers.taken(monkeypatch, explanations, EXPLORERS["occlude"])
    buttons = [name for name, control in controls.items() if isinstance(control, widgets.ToggleButton)]
    assert buttons == list(controls)[:16] == NAMES
    assert [name for name in NAMES if "100%" in controls[name].layout.margin] == ["D1", "D2", "D3", "D4"]
    drops = occlusion(probabilities, IMAGES[:1], groups=SQUARES)[0]
    assert [name for name in NAMES if controls[name].value] == [NAMES[drops.argmax()]]


# ------------------------------------------------------------------------------------------------------ LIME's samples


@pytest.mark.parametrize(("samples", "width", "seed"), [(20, 0.25, 0), (200, 1, 7)])
def test_the_slopes_and_their_order_are_limes(samples, width, seed):
    picture = NearbyPicture(Digits(MODEL, IMAGES, LABELS))
    names, words = written(picture.names), written(picture.words)
    picture.draw(3, samples, width, seed)
    slopes = [
        lime(probabilities, IMAGES[3:4], groups=SQUARES, samples=samples, kernel_width=width, seed=one)[0]
        for one in range(10)
    ]
    torch.testing.assert_close(drawn(picture.heat).float(), slopes[seed][SQUARES])
    orders = [sorted(range(16), key=lambda patch: -abs(one[patch])) for one in slopes]
    firsts = [[NAMES[patch] for patch in order[:5]] for order in orders]
    assert [text for text, _ in names] == [*itertools.chain(*firsts), *firsts[seed]]
    chosen = orders[seed][:5]
    torch.testing.assert_close(widths(picture.bars), slopes[seed][chosen])
    dots, rows = (torch.as_tensor(values) for values in picture.ticks.get_data())
    torch.testing.assert_close(dots.view(5, 10), torch.stack(slopes)[:, chosen].T)
    assert rows.view(5, 10).tolist() == [[row] * 10 for row in range(5)]
    shared = [len(set(one) & set(other)) for one, other in itertools.combinations(firsts, 2)]
    assert f"share {sum(shared) / len(shared):.1f} of their 5" in words[0][0]
    having = [[sum(name in other for other in firsts) for name in first] for first in firsts]
    assert picture.cells.get_array().T.tolist() == having
    assert picture.column.get_x() + 0.5 == seed


@pytest.mark.parametrize("width", [0.05, 0.25, 1])
def test_the_axis_of_the_slopes_is_no_longer_than_they_need(width):
    picture = NearbyPicture(Digits(MODEL, IMAGES, LABELS))
    for image in range(len(IMAGES)):
        picture.draw(image, 50, width, 0)
        longest = max(abs(x) for x in picture.ticks.get_xdata().tolist())
        low, high = picture.middle.get_xlim()
        assert low == -high and high / 3 < longest <= high or high == explanations.ENDS[0]


@pytest.mark.parametrize("width", [0.05, 0.25, 1])
def test_the_numbers_of_that_axis_stand_apart(width):
    picture = NearbyPicture(Digits(MODEL, IMAGES, LABELS))
    picture.draw(0, 50, width, 0)
    boxes = [label.get_window_extent() for label in picture.middle.get_xticklabels()]
    assert all(one.x1 + 10 < other.x0 for one, other in itertools.pairwise(boxes))


def test_more_samples_make_seeds_agree():
    picture = NearbyPicture(Digits(MODEL, IMAGES, LABELS))
    few, many = (picture.slopes(0, samples, 0.25).std(dim=0).mean() for samples in (20, 2000))
    assert many < few / 4


# ---------------------------------------------------------------------------------------------------- Shapley's orders


@pytest.mark.parametrize("permutations", [4, 128])
def test_estimates_errors_and_exact_values_are_shapleys(permutations):
    picture = ConvergencePicture(Digits(MODEL, IMAGES, LABELS))
    words = written(picture.words)
    picture.draw(4, permutations, seed=3)
    exact = shapley_exact(probabilities, IMAGES[4:], groups=TWELVE)[0]
    sample = partial(shapley_sampling, probabilities, IMAGES[4:], groups=TWELVE, seed=3)
    values, errors = (one[0] for one in sample(permutations=permutations))
    torch.testing.assert_close(widths(picture.bars), exact)
    torch.testing.assert_close(drawn(picture.heat).float(), values[TWELVE])
    torch.testing.assert_close(torch.as_tensor(picture.dots.get_xdata()), values)
    for row, ((low, y), (high, same)) in enumerate(picture.errors.get_segments()):
        assert y == same == row
        assert [low, high] == pytest.approx([(values[row] + sign * errors[row]).item() for sign in (-2, 2)], abs=1e-6)
    wrong = (values - exact).abs().mean().item()
    at = list(picture.actual.get_xdata()).index(permutations)
    assert (picture.here.get_xdata()[0], picture.here.get_ydata()[0].item()) == pytest.approx((permutations, wrong))
    assert picture.actual.get_ydata()[at].item() == pytest.approx(wrong)
    assert picture.expected.get_ydata()[at].item() == pytest.approx(errors.mean().item())
    assert f"{permutations} orders: at most {permutations * 11 + 2:,} model evaluations; exact: 4,096." in words[0][0]


# -------------------------------------------------------------------------------------------------------- shaded words


def shades_picture(model=READER, words=WORDS, split=split_words):
    return explanations.ShadesPicture(model, words, KINDS, split)


def by_hand(model, tokens, target):
    """The scores of all methods, called as lesson 12 calls them."""

    def answer(tokens):
        return model(tokens).softmax(-1)

    def read(vectors):
        return model.read(vectors).softmax(-1)

    vectors, absent = model.embedding(tokens).detach(), model.embedding.weight[UNKNOWN].detach()
    return [
        occlusion(answer, tokens, target, UNKNOWN)[0],
        lime(answer, tokens, target, UNKNOWN, samples=300)[0],
        kernel_shap(answer, tokens, target, UNKNOWN, samples=300)[0],
        gradient_times_input(read, vectors, target)[0].sum(-1),
        integrated_gradients(read, vectors, target, absent, 16)[0][0].sum(-1),
        encoder_attention(model.encoder, model.ask(vectors))[0, 0, :, 0, 1:].mean(0),
    ]


@pytest.mark.parametrize("kind", [-1, 0, 2])
@pytest.mark.parametrize("text", [TEXT, "file", "not good"])
def test_every_word_has_the_shade_of_its_score(text, kind):
    picture = shades_picture()
    picture.draw(text, kind)
    tokens = number_words([text], WORDS)
    target = READER(tokens).argmax().item() if kind < 0 else kind
    shades = torch.tensor(picture.boxes.get_facecolor())[:, :3].view(6, -1, 3)
    for row, scores in enumerate(by_hand(READER, tokens, target)):
        strength = 2 / 3 * (scores / scores.abs().max())[:, None]  # the strongest word is two thirds of the full colour
        full = torch.where(strength > 0, torch.tensor(to_rgb(plots.BLUE)), torch.tensor(to_rgb(plots.RED)))
        expected = 1 - strength.abs() * (1 - full)
        torch.testing.assert_close(shades[row].float(), expected, atol=0.01, rtol=0)


def test_unknown_words_are_grey_and_cost_nothing():
    picture = shades_picture()
    picture.draw(TEXT, -1)
    words = split_words(TEXT)
    grey = [color[0] > 0.2 for color in picture.letters.get_facecolor()]
    assert grey == [word not in WORDS for word in words]
    occluded = explanations.scores_by_method(READER, number_words([TEXT], WORDS), 0)["occlusion"]
    assert [score == 0 for score in occluded.tolist()] == grey


def boxes_of(picture):
    return [path.get_extents() for path in picture.boxes.get_paths()]


@pytest.mark.parametrize("count", [1, 5, 12, 30])
def test_no_word_covers_another_or_leaves_the_picture(count):
    picture = shades_picture()
    picture.draw(" ".join(itertools.islice(itertools.cycle(["not", "window", "the"]), count)), -1)
    boxes = boxes_of(picture)
    assert len(boxes) == 6 * count
    for box in boxes:
        assert 190 < box.x0 < box.x1 < 900 and 20 < box.y0 < box.y1 < 400
    for one, other in itertools.combinations(boxes, 2):
        apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
        assert apart


def test_the_words_stand_in_their_boxes_in_the_order_of_the_text():
    picture = shades_picture()
    picture.draw("the file the file", -1)
    boxes, offsets, outlines = boxes_of(picture), picture.letters.get_offsets(), picture.letters.get_paths()
    assert len(outlines) == 4 and outlines[0] is outlines[2] is not outlines[1]
    for number, (box, offset) in enumerate(zip(boxes, offsets, strict=True)):
        word = outlines[number % 4].get_extents().translated(*offset)
        assert box.x0 < word.x0 and word.x1 < box.x1 and box.y0 < word.y0 and word.y1 < box.y1


def test_chinese_is_cut_into_characters_by_another_split():
    picture = shades_picture(CHINESE_READER, CHARACTERS, split=list)
    assert picture.draw(CHINESE, -1).startswith(b"\x89PNG") and not picture.problem
    assert len(boxes_of(picture)) == 6 * len(CHINESE)
    tokens = number_words([CHINESE], CHARACTERS, list)
    scores = explanations.scores_by_method(CHINESE_READER, tokens, 0)["occlusion"]
    assert [score == 0 for score in scores.tolist()] == [character not in CHARACTERS for character in CHINESE]


def test_a_space_is_a_word_of_that_split_and_can_be_seen():
    picture = shades_picture(CHINESE_READER, CHARACTERS, split=list)
    picture.draw("不 好\n$", -1)
    outlines = picture.letters.get_paths()
    assert len(outlines) == 5 and min(len(outline.vertices) for outline in outlines) > 4


def test_a_text_of_many_short_words_has_samples_enough():
    picture = shades_picture(CHINESE_READER, list("abcde"), split=list)  # letters: every machine has a font for them
    assert picture.draw("abcde" * 16, -1) and len(boxes_of(picture)) == 6 * 80


def test_characters_without_a_font_are_written_as_numbers(monkeypatch):
    monkeypatch.setattr(explanations, "font_names", lambda: ("DejaVu Sans",))
    assert shades_picture(CHINESE_READER, CHARACTERS, split=list).draw(CHINESE, -1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The text '' has no words."),
        (" .,! ", "has no words."),
        ("word " * 80, "80 words, more than the picture has room for. Type a shorter one."),
        ("w" * 200, "1 words, more than the picture has room for."),
    ],
)
def test_a_text_that_cannot_be_shown_leaves_the_picture_and_says_why(text, words):
    picture = shades_picture()
    with pytest.raises(ValueError, match=re.escape(words)):
        picture.draw(text, -1)
    first = picture.draw(TEXT, -1)
    assert picture.draw(text, -1) == first
    said = picture.write(text, -1).replace("&#x27;", "'")
    assert words in said
    assert picture.draw("not good", -1) != first and words not in picture.write("not good", -1)


def test_what_the_model_says_is_in_the_picture(monkeypatch):
    said, outline = [], explanations.outline
    monkeypatch.setattr(explanations, "outline", lambda text, *look: (said.append(text), outline(text, *look))[1])
    shades_picture().draw(TEXT, 1)
    p = READER(number_words([TEXT], WORDS)).softmax(-1)[0].tolist()
    order = sorted(range(3), key=lambda kind: -p[kind])
    title = ", ".join(f"{KINDS[kind]} {explanations.percent(p[kind])}" for kind in order)
    assert f"The model says: {title}" in said
    assert any(words.startswith("Explained: films. Blue: for it, orange: against,") for words in said)


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", ["occlude", "nearby", "convergence"])
def test_other_shapes_and_a_training_model_are_refused(name):
    explorer = getattr(live, name)
    for images, labels in ((IMAGES[:, None], LABELS), (IMAGES, LABELS[:2]), (IMAGES[:0], LABELS[:0])):
        with pytest.raises(ValueError, match=r"The images are .* expected, such as images\[:20\] and labels\[:20\]"):
            explorer(MODEL, images, labels)
    with pytest.raises(ValueError, match="training mode"):
        explorer(digit_classifier("MLP"), IMAGES, LABELS)


def test_words_and_kinds_of_another_model_are_refused():
    with pytest.raises(
        ValueError, match="The model knows 7 words and 3 kinds; 6 words and 3 kinds came. Pass the lists"
    ):
        live.shades(READER, WORDS[1:], KINDS)
    with pytest.raises(ValueError, match="7 words and 2 kinds came"):
        live.shades(READER, WORDS, KINDS[1:])
    with pytest.raises(ValueError, match="training mode"):
        live.shades(SentenceClassifier(9, 3, channels=8), WORDS, KINDS)


# ----------------------------------------------------------------------------------------------------------- explorers


@pytest.fixture(params=EXPLORERS)
def shown(request, monkeypatch):
    """An explorer as its reader has it: draw(), the alt text, and the controls by their names."""
    return explorers.taken(monkeypatch, explanations, EXPLORERS[request.param])


def test_every_control_changes_the_picture_and_draws_to_its_ends(shown):
    draw, _, controls = shown
    controls.pop("write", None)
    if text := controls.pop("text", None):
        draw = partial(draw, text.value)
    explorers.assert_every_control_changes_the_picture(draw, controls)


def test_all_controls_at_their_ends_together(shown):
    draw, _, controls = shown
    controls.pop("write", None)
    if text := controls.pop("text", None):
        draw = partial(draw, text.value)
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)


def test_labels_are_words_and_the_alt_text_is_a_sentence(shown):
    _, alt, controls = shown
    controls.pop("write", None)
    controls.pop("text", None)  # what is typed needs no label: it fills the line
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)


def test_a_reader_gets_the_picture_the_alt_text_and_no_error(monkeypatch):
    bundles = []
    monkeypatch.setattr(live.explorer, "display", lambda bundle, **options: bundles.append(bundle))
    for explorer in EXPLORERS.values():
        explorer()
    for bundle in bundles:
        box = widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
        row, picture, problem, _ = box.children
        assert picture.value == bundle["image/png"] and "Error" not in problem.value
        control = row.children[0]
        control.value = not control.value if isinstance(control.value, bool) else getattr(control, "max", "good")
        assert picture.value != bundle["image/png"] and "Error" not in problem.value
