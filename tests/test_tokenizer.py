"""The character tokenizer: a round trip for every text, and errors that name the character."""

import pytest
import torch

from bmcourse.tokenizer import CharacterTokenizer


@pytest.mark.parametrize("text", ["hello", "大模型 and emoji 🙂\n\ttabs", "\x00\x7f"])
def test_round_trip(text):
    tokenizer = CharacterTokenizer(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(torch.tensor(tokenizer.encode(text))) == text


def test_tokens_are_counted_in_the_order_of_the_characters():
    tokenizer = CharacterTokenizer("hello")
    assert tokenizer.vocabulary_size == 5  # e h l o, and the unknown one
    assert tokenizer.encode("hole") == [2, 4, 3, 1]


def test_an_unseen_character_is_named():
    tokenizer = CharacterTokenizer("abc")
    with pytest.raises(ValueError, match="never seen 'x' 'é'.*errors='replace'"):
        tokenizer.encode("axbé")
    assert tokenizer.encode("axbé", errors="replace") == [1, 0, 2, 0]
    assert tokenizer.decode([1, 0]) == "a\ufffd"


def test_the_unknown_character_itself_is_token_0():
    assert CharacterTokenizer("a\ufffd").encode("\ufffda") == [0, 1]


@pytest.mark.parametrize("token", [-1, 4])
def test_a_token_outside_the_vocabulary(token):
    with pytest.raises(ValueError, match=f"Token {token} is outside the vocabulary.*0 to 3"):
        CharacterTokenizer("abc").decode([1, token])


def test_an_empty_text():
    with pytest.raises(ValueError, match="is empty"):
        CharacterTokenizer("")
