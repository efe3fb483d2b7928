"""The explorer of BERT: bars are the model's probabilities, shades are a head's attention, every control works."""

import html
import re

import pytest
import torch

from bmcourse import live
from bmcourse.explain.attention import encoder_attention
from bmcourse.live import bert as explorer
from bmcourse.live.bert import GUESSES, Picture, hidden_sentence, looks_from, probabilities_at
from bmcourse.models.bert import BERT, MASK, PAD, SPECIAL, BERTConfig, read_sentences
from tests import explorers
from tests.explorers import written

VOCABULARY = [*SPECIAL, "the", "cat", "dog", "sat", "on", "mat", "a", "x1", "大模型", "return", "name", "of", "file"]
TEXT = "The cat sat on the <b>zebra</b> 大模型"


def bert(causal=False):
    torch.manual_seed(causal)
    model = BERT(BERTConfig(len(VOCABULARY), 12, 2, 2, 8, dropout=0.5, causal=causal))
    with torch.no_grad():
        model.embedding.weight *= 10  # an untrained model finds all words about equally likely
    return model


with torch.random.fork_rng():
    MODELS = {"both sides": bert(), "left side only": bert(causal=True)}


@pytest.fixture
def handed(monkeypatch):
    return explorers.taken(monkeypatch, explorer, lambda: live.fill_in(MODELS, VOCABULARY, TEXT))


def test_every_control_changes_the_picture(handed):
    draw, _, controls = handed
    explorers.assert_every_control_changes_the_picture(draw, controls | {"text": TypedText()})


class TypedText:
    """A text field, whose ends are two texts."""

    value, options = TEXT, [TEXT, "A dog sat."]


def test_all_controls_go_to_their_ends_together(handed):
    draw, _, controls = handed
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls | {"text": TypedText()})


def test_the_alt_text_is_a_sentence_and_labels_are_words(handed):
    _, alt, controls = handed
    assert re.fullmatch(r"[A-Z][^.\d]{60,}\.", alt)
    assert all(control.description for control in controls.values())


def test_a_sentence_with_a_gap():
    words, tokens, place = hidden_sentence("The cat sat!", 2, VOCABULARY, 12)
    assert words == ["the", "cat", "sat"] and place == 2
    expected = read_sentences(["the cat sat"], VOCABULARY)
    expected[0, 2] = MASK
    assert torch.equal(tokens, expected)
    assert hidden_sentence("the cat", 9, VOCABULARY, 12)[2] == 2
    assert len(hidden_sentence("the " * 50, 9, VOCABULARY, 12)[0]) == 10


@pytest.mark.parametrize("model", MODELS.values())
def test_the_bars_are_the_models_probabilities(model):
    picture = Picture({"one": model}, VOCABULARY)
    names, numbers = written(picture.names), written(picture.numbers)
    picture.draw(TEXT, 3, 1, 1, "one")
    _, tokens, _ = hidden_sentence(TEXT, 3, VOCABULARY, 12)
    assert model.training  # dropout was off while it was asked, and is on again
    model.eval()
    logits = model(tokens)[0, 3]
    model.train()
    expected = logits[len(SPECIAL) :].softmax(dim=-1)
    values, order = expected.topk(GUESSES)
    assert [bar.get_width() for bar in picture.bars[0]] == pytest.approx(values.tolist(), abs=1e-5)
    assert [words for words, _ in names] == [
        explorer.drawable(VOCABULARY[len(SPECIAL) + number], picture.fonts) for number in order.tolist()
    ]
    assert [words for words, _ in numbers] == [explorer.percent(value) for value in values.tolist()]


@pytest.mark.parametrize("chance, words", [(0.725, "72%"), (0.0996, "10%"), (0.0743, "7.4%"), (0.0004, "0.0%")])
def test_small_chances_have_a_digit_more(chance, words):
    assert explorer.percent(chance) == words


@pytest.mark.parametrize("text", [TEXT, "the", "", "mat " * 9])
def test_the_longest_bar_fills_half_of_the_axis_or_more(text):
    picture = Picture(MODELS, VOCABULARY)
    picture.draw(text, 1, 1, 1, "both sides")
    ends = {ax.get_xlim()[1] for ax in picture.axes}
    longest = max(bar.get_width() for bars in picture.bars for bar in bars)
    assert len(ends) == 1 and (longest <= ends.pop() <= 2.5 * longest if text else ends == {1})


def test_only_words_of_the_sentence_can_be_hidden(handed):
    _, _, controls = handed
    field, place = controls["text"], controls["place"]
    assert (place.min, place.value, place.max) == (1, explorer.HIDDEN, 9)
    for text, words in (("the cat", 2), ("", 1), ("a " * 99, 10), ("大 模 型", 3)):
        field.value = text
        assert place.max == words and place.value <= words


def test_layers_and_heads_count_from_0(handed):
    _, _, controls = handed
    shape = next(iter(MODELS.values())).config
    ends = [(controls[name].min, controls[name].max) for name in ("layer", "head")]
    assert ends == [(0, shape.layers - 1), (0, shape.heads - 1)]


def test_a_sentence_as_long_as_the_context_stays_above_the_bars():
    model = BERT(BERTConfig(len(VOCABULARY), 32, 1, 1, 8))
    picture = Picture({"one": model}, VOCABULARY)
    picture.draw("internationalization " * 40, 1, 0, 0, "one")
    title = picture.axes[0].title.get_window_extent()
    assert picture.words.artist.get_path().get_extents().y0 > title.y1


def test_the_shades_are_a_heads_attention():
    model = MODELS["both sides"]
    _, tokens, place = hidden_sentence("the cat sat on the mat", 2, VOCABULARY, 12)
    with torch.no_grad():
        saved, model.liking.data = model.liking.data, torch.zeros_like(model.liking)
        expected = encoder_attention(model.eval().encoder, model.embedding(tokens), tokens == PAD)
        for layer, head in [(0, 0), (1, 1)]:
            looks = looks_from(model, tokens, place, layer, head)
            torch.testing.assert_close(looks, expected[layer, 0, head, place])
        model.liking.data = saved
    model.train()
    causal = looks_from(MODELS["left side only"], tokens, place, 1, 0)
    assert causal[: place + 1].sum() == pytest.approx(1) and not causal[place + 1 :].any()


def test_what_stands_below_the_picture():
    picture = Picture(MODELS, VOCABULARY)
    picture.draw("the cat sat", 2, 1, 1, "both sides")
    words = html.unescape(picture.write())
    chances = probabilities_at(MODELS["both sides"], hidden_sentence("the cat sat", 2, VOCABULARY, 12)[1], 2)
    rank = 1 + sorted(chances.tolist(), reverse=True).index(chances[6].item())
    chance = explorer.percent(chances[6].item())
    assert f"Hidden: “cat”. both sides: {chance}, guess number {rank}; left side only: " in words
    picture.draw("a zebra sat", 2, 1, 1, "both sides")
    assert "“zebra”, a word that the models do not know" in html.unescape(picture.write())


@pytest.mark.parametrize("text", ["", " \n", "?!", "🙂"])
def test_a_text_without_words_says_what_to_do(text):
    picture = Picture(MODELS, VOCABULARY)
    assert picture.draw(text, 3, 1, 1, "both sides").startswith(b"\x89PNG")
    assert "Type a sentence" in picture.write()


def test_what_is_typed_is_shown_and_never_run():
    picture = Picture(MODELS, VOCABULARY)
    words = written(picture.words)
    picture.draw("<b>bold</b> $x$ 大模型 " + "w" * 300, 1, 1, 1, "both sides")
    assert all("<" not in word for word, _ in words)


def test_models_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="'both sides' knows 18 tokens, the vocabulary has 17. Pass the vocabulary"):
        live.fill_in(MODELS, VOCABULARY[:-1])
    for models in ({}, MODELS | {"third": MODELS["both sides"]}):
        with pytest.raises(ValueError, match=f"{len(models)} models came; live.fill_in compares one or two"):
            live.fill_in(models, VOCABULARY)
