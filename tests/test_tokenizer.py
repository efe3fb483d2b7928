"""Tokenizers: a round trip for every text, the tokens that `tokenizers` and tiktoken give, and errors that help."""

import doctest
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken
import tokenizers
import torch

from bmcourse import data, tokenizer
from bmcourse.tokenizer import BytePairTokenizer, CharacterTokenizer, WordTokenizer, split_words

TEXTS = [
    "", " ", "   ", "\n", "\r\n\r\n", "a\r\n  b\t \tc   ", " \n x", "Hello, world!  It's 2026; we'll see: they'd've.",
    "'tis 'S 'LL ''s", "x=3.14159e-10 + 1_000_000", "大模型，从零开始。《红楼梦》“你好”——二〇二六年", "ＡＢＣ１２３ｶﾞ",
    "🙂👍🏽👩\u200d👩\u200d👧🇨🇳❤\ufe0f1\ufe0f\u20e3", "e\u0301 cafe\u0301 n\u0303", "नमस्ते दुनिया", "สวัสดีชาวโลก",
    "مرحبا بالعالم", "שלום", "Здравствуйте, мир", "가나다", "\x00\x01\x1c\x1f\x7f\x80\x85\xa0\xad",
    "\u200b\u200d\u2028\u2029\u3000\ufeff\ufffd\uffff", "\U00020000\U000e0001\U0010ffff",
    "a" * 500, "ab" * 300, "-" * 99, " " * 100 + "x",
]  # fmt: skip
SPECIAL = ["<|end|>", "<|end|><|start|>", "<|start|>", "结束"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")  # or it warns when a later test forks


@pytest.fixture(scope="module")
def text():
    return data.python_docs().train


@pytest.fixture(scope="module")
def trained(text):
    return BytePairTokenizer.train(text, 256 + 1024 + len(SPECIAL), SPECIAL)


@pytest.fixture(scope="module")
def hugging_face(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    trained.save(path)
    return tokenizers.Tokenizer.from_file(str(path))


@pytest.fixture(scope="module")
def openai(trained):
    ordinary = {token: i for i, token in enumerate(trained.tokens[: -len(SPECIAL)])}
    return tiktoken.Encoding(
        "ours", pat_str=tokenizer.PATTERN, mergeable_ranks=ordinary, special_tokens=trained.special_tokens
    )


def random_texts(count, seed=0):
    """Texts of characters from every plane, among them many from the edges of the word pattern's blocks."""
    generator = random.Random(seed)
    edges = [
        chr(ord(edge) + step) for edge in tokenizer.LETTERS if edge != "-" for step in (-1, 0, 1) if edge < "\U0010ffff"
    ]
    alphabets = [range(128), range(0x300), range(0x3000, 0xA000), range(0xD800), range(0xE000, 0x110000)]
    for _ in range(count):
        alphabet = generator.choice([list("ab c"), edges, *alphabets])
        characters = (generator.choice([generator.choice(alphabet), "a", " ", "\n", "7", "."]) for _ in range(20))
        yield "".join(c if isinstance(c, str) else chr(c) for c in characters)


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


def test_words_that_were_never_seen_are_lost():
    words = WordTokenizer("你好, world!\n")
    assert words.words == ["<unknown>", "!", ",", "world", "你好"]
    assert words.encode("world ,  worlds!") == [3, 2, 0, 1]
    assert words.decode(torch.tensor([3, 2, 0, 1])) == "world , <unknown> !"
    assert words.vocabulary_size == 5


def test_a_word_tokenizer_needs_words_and_its_own_tokens():
    with pytest.raises(ValueError, match=re.escape(r"there are none in ' \n'")):
        WordTokenizer(" \n")
    with pytest.raises(ValueError, match=r"Token 2 \(at place 1\) is outside.*0 to 1"):
        WordTokenizer("a").decode([1, 2])


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(tokenizer).failed == 0 < doctest.testmod(tokenizer).attempted


def test_where_words_are_cut():
    words = [
        "大模型",
        "，",
        "二〇二六年",
        "。",
        " cafe\u0301",
        "２６",
        " 26",
        "🙂👍🏽",
        " …",
        "नमस्ते",
        "\n ",
        " x",
        "\xa0",
        "É",
    ]
    assert split_words("".join(words)) == words


@pytest.mark.parametrize("sample", TEXTS)
def test_the_tokens_of_tokenizers_and_tiktoken(sample, trained, hugging_face, openai):
    ids = trained.encode(sample)
    assert ids == hugging_face.encode(sample).ids == openai.encode_ordinary(sample)
    assert trained.decode(ids) == trained.decode(torch.tensor(ids)) == sample == hugging_face.decode(ids)


def test_the_tokens_of_tokenizers_and_tiktoken_for_random_texts(trained, hugging_face, openai):
    cuts = hugging_face.pre_tokenizer
    for text in random_texts(1000):
        ids = trained.encode(text)
        assert trained.decode(ids) == text == "".join(split_words(text))
        assert ids == hugging_face.encode(text).ids == openai.encode_ordinary(text), ascii(text)
        assert [text[slice(*place)] for _, place in cuts.pre_tokenize_str(text)] == split_words(text), ascii(text)


def test_the_tokens_of_tokenizers_and_tiktoken_for_a_long_word(trained, hugging_face, openai, text):
    word = re.sub(r"[^a-z]", "", text)[:50_000]
    assert trained.encode(word) == hugging_face.encode(word).ids == openai.encode_ordinary(word)


def test_the_merges_of_tokenizers(text, trained):
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    cut = tokenizers.pre_tokenizers.Split(tokenizers.Regex(tokenizer.PATTERN), "isolated")
    as_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([cut, as_bytes])
    in_order = [tokenizer._name(bytes([byte])) for byte in range(256)]  # what comes first breaks ties
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=1280, special_tokens=in_order, show_progress=False)
    theirs.train_from_iterator([text], trainer)
    model = json.loads(theirs.to_str())["model"]
    ids = model["vocab"]
    assert [(ids[first], ids[second]) for first, second in model["merges"]] == trained.merges
    assert len(trained.merges) == 1024


def test_the_bytes_have_the_names_that_tokenizers_knows():
    assert sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()) == sorted(tokenizer._BYTE_CHARACTERS)


@pytest.mark.parametrize("alphabet", ["a", "ab", "ab ", "abc .1", "大模型🙂 "])
def test_fast_and_naive_learn_the_same(alphabet):
    generator = random.Random(alphabet)
    for length in (1, 2, 3, 7, 30, 300):
        text = "".join(generator.choices(alphabet, k=length))
        fast = BytePairTokenizer.train(text, 256 + 60)
        assert fast.merges == tokenizer.train_bpe_naive(text, 60)
        other = "".join(generator.choices(alphabet, k=length))
        for count in range(0, len(fast.merges) + 1, 20):
            first = BytePairTokenizer(fast.merges[:count])
            assert first.encode(other) == tokenizer.encode_bpe_naive(other, fast.merges[:count])


def test_of_equally_frequent_pairs_the_smaller_is_merged():
    assert BytePairTokenizer.train("dc ba", 257).merges == tokenizer.train_bpe_naive("dc ba", 1) == [(32, 98)]


def test_it_stops_when_no_pair_is_left():
    small = BytePairTokenizer.train("abc abc", 1000, ["<|end|>"])
    assert small.vocabulary_size == 256 + 3 + 1
    assert small.tokens[256:] == [b"ab", b"abc", b" abc", b"<|end|>"]


def test_words_that_are_forgotten_are_encoded_again(trained, monkeypatch):
    monkeypatch.setattr(tokenizer, "MOST_KNOWN_WORDS", 2)
    small = BytePairTokenizer(trained.merges)
    assert small.encode("one two three one two three") == trained.encode("one two three one two three")
    assert len(small._known_words) <= 2


def test_the_seed_of_pythons_hashes_changes_nothing():
    train = "learned = BytePairTokenizer.train('she sells sea shells', 290, ['<b>', '<a>'])"
    code = f"from bmcourse.tokenizer import *; {train}; print(learned.merges, learned.special_tokens)"
    command = [sys.executable, "-c", code]
    learned = [
        subprocess.check_output(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, cwd=Path(tokenizer.__file__).parents[1]
        )
        for seed in "12"
    ]
    assert learned[0] == learned[1] != b""


def test_special_tokens_are_text_unless_they_are_allowed(trained, hugging_face, openai):
    text = "one<|end|><|start|> two结束了\n<|end|>\n  <|end|>"
    end, both, start, finish = trained.special_tokens.values()
    assert [start, finish] == [trained.vocabulary_size - 2, trained.vocabulary_size - 1]
    allowed = trained.encode(text, allow_special=True)
    assert [token for token in allowed if token >= end] == [both, finish, end, end]
    assert allowed == hugging_face.encode(text).ids
    plain = trained.encode(text)
    assert max(plain) < end and plain == openai.encode_ordinary(text)
    hugging_face.encode_special_tokens = True
    assert plain == hugging_face.encode(text).ids
    hugging_face.encode_special_tokens = False
    assert trained.decode(allowed) == trained.decode(plain) == text


def test_special_tokens_are_those_of_tiktoken(trained, openai):
    text = "<|end|>It's<|end|>  结束"
    assert trained.encode(text, allow_special=True) == openai.encode(text, allowed_special="all")


def test_special_tokens_in_the_text_are_not_learned():
    learned = BytePairTokenizer.train("low<|end|>low<|end|>", 300, ["<|end|>"])
    assert learned.tokens[256:] == [b"lo", b"low", b"<|end|>"]


def test_bytes_that_are_no_utf_8_are_shown_as_such(trained, hugging_face, openai):
    generator = random.Random(0)
    assert trained.decode(list("é".encode()[:1]) + [97]) == "\ufffda"
    for _ in range(200):
        ids = [generator.randrange(trained.vocabulary_size - len(SPECIAL)) for _ in range(6)]
        assert trained.decode(ids) == hugging_face.decode(ids) == openai.decode(ids)


def test_save_and_load(trained, hugging_face, tmp_path):
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    trained.save(ours)
    hugging_face.save(str(theirs))
    for path in (ours, theirs):
        again = BytePairTokenizer.load(path)
        assert (again.merges, again.tokens, again.special_tokens) == (
            trained.merges,
            trained.tokens,
            trained.special_tokens,
        )
        assert again.encode("It's 大模型<|end|>", allow_special=True) == trained.encode(
            "It's 大模型<|end|>", allow_special=True
        )


def changed(**changes):
    return json.dumps({**BytePairTokenizer([(97, 98)], ["<|end|>"])._as_json(), **changes})


def test_the_file_that_the_next_test_changes_can_be_loaded(tmp_path):
    (tmp_path / "tokenizer.json").write_text(changed())
    assert BytePairTokenizer.load(tmp_path / "tokenizer.json").merges == [(97, 98)]


@pytest.mark.parametrize(
    "content",
    ["", "hello", "[]", "{}", "null", "{\"model\": {\"vocab\": [], \"merges\": []}}", changed(pre_tokenizer=None),
     changed(model={"vocab": {"a": 97, "b": 98}, "merges": [["a", "b"]]}), changed(normalizer={"type": "NFC"}),
     changed(model={"vocab": {}, "merges": ["a b"]}), changed(added_tokens=[{"id": 257, "content": 3}])],
)  # fmt: skip
def test_a_file_of_another_kind(content, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="'tokenizer.json' is not a file that BytePairTokenizer.save wrote.*train"):
        BytePairTokenizer.load(path)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(ValueError, match="'picture.png' is not a file"):
        BytePairTokenizer.load(tmp_path / "picture.png")
    with pytest.raises(FileNotFoundError, match="missing.json"):
        BytePairTokenizer.load(tmp_path / "missing.json")


@pytest.mark.parametrize("use", [BytePairTokenizer().encode, lambda text: BytePairTokenizer.train(text, 300)])
def test_a_lone_surrogate(use):
    with pytest.raises(ValueError, match=r"Character 3 of the text is '\\ud83d', a lone surrogate.*errors='ignore'"):
        use("ab \ud83d c")


def test_a_text_and_a_vocabulary_that_cannot_be_trained():
    with pytest.raises(ValueError, match="the text that came is empty"):
        BytePairTokenizer.train("", 300)
    with pytest.raises(ValueError, match="A vocabulary of 257 is too small: 256 bytes and 2 special tokens need 258"):
        BytePairTokenizer.train("text", 257, ["<a>", "<b>"])
    assert BytePairTokenizer.train("text", 258, ["<a>", "<b>"]).merges == []


@pytest.mark.parametrize(
    ("special_tokens", "message"),
    [
        (["<a>", ""], "The special token '' is empty"),
        (["<a>", "<b>", "<a>"], "The special token '<a>' is empty, comes twice"),
        (["a"], "The special token 'a' .* is what a file writes for another token.*'<|end|>'"),
        ("<a>", r"special_tokens is a list of texts; '<a>' came. Write \['<a>'\]"),
        (["\udc00"], "lone surrogate"),
    ],
)
def test_special_tokens_that_cannot_be_told_apart(special_tokens, message):
    for use in (BytePairTokenizer.train, BytePairTokenizer):
        with pytest.raises(ValueError, match=message):
            use(*["text", 300] * (use == BytePairTokenizer.train), special_tokens=special_tokens)


def test_a_special_token_that_is_also_learned():
    with pytest.raises(ValueError, match="'ab' is empty, comes twice, or is what a file writes for another"):
        BytePairTokenizer([(97, 98)], ["ab"])


@pytest.mark.parametrize("token", [-1, 257])
def test_a_byte_pair_token_outside_the_vocabulary(token):
    with pytest.raises(ValueError, match=rf"Token {token} \(at place 1\) is outside the vocabulary.*0 to 256"):
        BytePairTokenizer([(97, 98)]).decode([97, token])


def test_merges_that_were_not_learned_together():
    with pytest.raises(ValueError, match=r"Merge 1 is \(97, 257\), but the tokens before it run from 0 to 256"):
        BytePairTokenizer([(97, 98), (97, 257)])
    with pytest.raises(ValueError, match="Two merges make b'abc'"):
        BytePairTokenizer([(97, 98), (98, 99), (256, 99), (97, 257)])
