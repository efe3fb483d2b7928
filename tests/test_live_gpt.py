"""The explorer of copying: what is drawn is what the model does, with and without its heads; odd texts are told."""

import pytest
import torch

from bmcourse import live
from bmcourse.explain.attention import gpt_attention
from bmcourse.explain.induction import without_heads
from bmcourse.live import gpt as explorer
from bmcourse.live.gpt import CopyingPicture
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.tokenizer import CharacterTokenizer
from tests import explorers

TEXTS = ["abcdefgabc", "hgfedhg"]
TOKENIZER = CharacterTokenizer("abcdefgh")
HEADS = [(0, 0), (0, 1), (1, 0), (1, 1)]
ON = {f"head_{layer}_{head}": True for layer, head in HEADS}


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = GPT(GPTConfig(TOKENIZER.vocabulary_size, context=12, layers=2, heads=2, channels=8)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return model


@pytest.fixture
def picture(model):
    return CopyingPicture(model, TOKENIZER, HEADS)


def test_what_is_drawn_is_what_the_model_does(picture, model):
    picture.draw(TEXTS[0], 8, **ON)
    tokens = torch.tensor(TOKENIZER.encode(TEXTS[0]))
    weights = gpt_attention(model, tokens[:8])[:, :, -1].flatten(0, 1)
    shown = torch.tensor(picture.weights.get_array())
    torch.testing.assert_close(shown[:, :8], weights.double())
    assert (shown[:, 8:] == 0).all()
    best = model(tokens[None, :8])[0, -1].softmax(0).topk(explorer.SHOWN)
    assert [bar.get_width() for bar in picture.rows] == pytest.approx(best.values.tolist())
    assert "".join(words.get_text() for words in picture.names) == TOKENIZER.decode(best.indices).replace("\ufffd", "·")
    assert "".join(words.get_text() for words in picture.letters) == TEXTS[0]


def test_what_the_tokenizer_has_not_learned_is_shown_as_typed_and_told(picture, monkeypatch):
    picture.draw("ab 大b大\u200d", 4, **ON)
    assert [letter.get_text() for letter in picture.letters[:7]] == ["a", "b", "·", "大", "b", "大", "□"]
    assert "It has not learned · 大 □: it reads · there." in picture.write("ab 大b大\u200d", 4, **ON)
    assert "learned" not in picture.write(TEXTS[0], 4, **ON)
    monkeypatch.setattr(explorer, "font_names", lambda: ("DejaVu Sans",))
    assert [explorer.as_typed(character) for character in "大$a"] == ["□", r"\$", "a"]


def test_a_head_that_is_off_adds_nothing_and_is_marked(picture, model):
    off = ON | {"head_0_1": False, "head_1_0": False}
    picture.draw(TEXTS[0], 8, **off)
    silent, tokens = without_heads(model, [(0, 1), (1, 0)]), TOKENIZER.encode(TEXTS[0])
    probability = silent(torch.tensor([tokens[:8]]))[0, -1].softmax(0)[tokens[8]].item()
    assert f"Next comes b; the model gives it {100 * probability:.0f} %.<" in picture.write(TEXTS[0], 8, **off)
    assert [words.get_text() for words in picture.off] == ["", "off", "off", ""]


def test_the_token_that_comes_next_is_red(picture):
    for read in range(1, 10):
        picture.draw(TEXTS[0], read, **ON)
        red = [name.get_text() for name, bar in zip(picture.names, picture.rows, strict=True) if bar.get_fc()[0] > 0.8]
        shown = [name.get_text() for name in picture.names]
        assert red == [letter for letter in shown if letter == TEXTS[0][read]]


@pytest.mark.parametrize("text", ["", "a", "aaaa", "a 大🙂z", "abcdefgh" * 5])
@pytest.mark.parametrize("read", [1, 5, 12])
def test_what_is_typed_is_read_as_far_as_it_can_be(picture, text, read):
    assert picture.draw(text, read, **ON).startswith(b"\x89PNG")
    assert picture.write(text, read, **ON).split(">")[1].startswith(("Next comes", "It has read the whole text."))


def test_every_control_changes_the_picture_and_goes_to_its_ends(model, monkeypatch):
    draw, alt, controls = explorers.taken(monkeypatch, explorer, lambda: live.copying(model, TOKENIZER, TEXTS))
    assert list(controls) == ["text", "read", *ON]
    controls["text"].options = tuple(controls["text"].options)
    explorers.assert_every_control_changes_the_picture(draw, controls)
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)


def test_the_model_stays_as_it_is(picture, model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    picture.draw(TEXTS[0], 8, **dict.fromkeys(ON, False))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("text", ["a", "abcdefgh" * 2])
def test_texts_to_choose_from_must_fit(model, text):
    with pytest.raises(ValueError, match=rf"reads texts of 2 to 12 tokens .*'{text}' has {len(text)}. Shorten it"):
        live.copying(model, TOKENIZER, [TEXTS[0], text])
