"""Augmentation: what must stay stays, the same seed gives the same sentence, and images turn as torch's do."""

import doctest
import json
import os
import random
import re
import subprocess
import sys

import pytest
import torch

from bmcourse import augment, data
from bmcourse.augment import (
    MEANINGS,
    METHODS,
    NEGATION,
    augment_data,
    back_translate,
    known_synonyms,
    learned_synonyms,
    noisy,
    phrase_translators,
    random_deletion,
    random_insertion,
    random_swap,
    rotate,
    rotated,
    shifted,
    side_by_side,
    split_pieces,
    synonym_replacement,
)

ALL = (*METHODS, "eda", "back_translation")
SENTENCES = [
    "The film is not easy to find, because of a big error.",
    "  I don't want to buy 3 computers -- never!\nReally, I can’t (yet).",
    "Without help, nobody can compute non-blocking results in 3.14 seconds.",
    "这部电影很简单,我不想要购买电脑。",
    "我用 PyTorch 训练模型,电影简单;没有 bug 就好,例如 3.14。",
    "\tReturn a new list ;  each item at most once…",
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def negates(text):
    return re.search(NEGATION, text, re.IGNORECASE) is not None


def is_word(piece):
    return any(map(str.isalpha, piece))


# ---------------------------------------------------------------- the four operations


class Chosen(random.Random):
    """Draws what the test says: `places` one after the other for every choice of a place, `draws` for random()."""

    def __init__(self, places=(), draws=()):
        super().__init__(0)
        self.places, self.draws = iter(places), iter(draws)

    def sample(self, population, k):
        return [population[next(self.places)] for _ in range(k)]

    def randrange(self, stop):
        return next(self.places)

    def random(self):
        return next(self.draws)

    def choice(self, options):
        return options[next(self.places)]


def test_synonym_replacement_by_hand():
    words = ["a", "big", "old", "film"]
    synonyms = {"big": ["large", "huge"], "film": ["movie"]}
    rng = Chosen(places=[1, 0, 0, 1])  # the second known word, then the first; its first synonym, its second
    assert synonym_replacement(words, 2, lambda word: synonyms.get(word, []), rng) == ["a", "huge", "old", "movie"]
    assert words == ["a", "big", "old", "film"]


def test_of_more_synonyms_than_there_are_all_are_replaced():
    synonyms = {"big": ["large"], "film": ["movie"]}
    replaced = synonym_replacement(["big", "old", "film"], 3, lambda word: synonyms.get(word, []), random.Random(0))
    assert replaced == ["large", "old", "movie"]


def test_random_insertion_by_hand():
    words = ["a", "big", "film"]
    synonyms = {"big": ["large"], "film": ["movie"]}
    rng = Chosen(places=[2, 0, 2, 1])  # in front of the third the first synonym; there again, the second
    inserted = random_insertion(words, 2, lambda word: synonyms.get(word, []), rng)
    assert inserted == ["a", "big", "movie large film"]
    assert words == ["a", "big", "film"]
    assert random_insertion(words, 2, lambda word: [], random.Random(0)) == words


def test_random_swap_by_hand():
    words = ["a", "b", "c", "d"]
    assert random_swap(words, 2, Chosen(places=[0, 3, 3, 1])) == ["d", "a", "c", "b"]
    assert words == ["a", "b", "c", "d"]


def test_random_deletion_by_hand():
    words = ["a", "b", "c", "d"]
    assert random_deletion(words, 0.5, Chosen(places=[1], draws=[0.2, 0.9, 0.5])) == ["", "b", "c", "d"]
    assert random_deletion(words, 1.0, Chosen(places=[2], draws=[0.2, 0.9, 0.5])) == ["", "", "c", ""]
    assert random_deletion(words, 0.0, random.Random(0)) == words


# ---------------------------------------------------------------- what stays


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_negations_numbers_and_punctuation_stay(sentence, method):
    def fixed(text):
        pieces = [piece for piece in split_pieces(text) if not piece.isspace()]
        return [piece.lower() for piece in pieces if negates(piece) or not is_word(piece)]

    changed = {augment_data(sentence, method, seed=seed, rate=0.4) for seed in range(10)}
    assert {tuple(fixed(text)) for text in changed} == {tuple(fixed(sentence))}
    assert changed != {sentence}


@pytest.mark.parametrize("method", ["synonyms", "swap"])
@pytest.mark.parametrize("sentence", SENTENCES)
def test_spaces_stay(sentence, method):
    single = re.sub(r"\b(a few|a lot of|lots of|set up|give back|data set|present)\b", "x", sentence)
    assert single == sentence  # no synonym of several words below
    result = augment_data(sentence, method, seed=3, rate=0.5, synonyms=lambda word: [word[::-1]])
    assert re.findall(r"\s+", result) == re.findall(r"\s+", sentence)
    assert result != sentence


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("protected", [["film", "error"], {"The film", "ERROR"}])
def test_protected_words_stay_where_they_are(method, protected):
    sentence = "The film is easy to find, Film by film, because of a big error."
    for seed in range(20):
        words = re.findall(r"\w+", augment_data(sentence, method, seed=seed, rate=0.5, protected=protected).lower())
        assert words.count("film") == (3 if "film" in protected else words.count("film"))
        assert "error" in words and "mistake" not in words
        assert "film" in words


def test_a_protected_phrase_of_several_pieces():
    for seed in range(20):
        result = augment_data("big data set, small data, set.", "swap", seed=seed, rate=1.0, protected=["data set"])
        assert " data set, " in result
    assert augment_data("大模型很大", "swap", split=list, protected=["大模型"], rate=0.5) == "大模型大很"


@pytest.mark.parametrize("method", ALL)
def test_no_way_to_cut_a_text_tears_a_negation_or_a_protected_word(method):
    for seed in range(20):
        result = augment_data(
            "我 do not 不喜欢PyTorch和GPT大模型",
            method,
            seed=seed,
            split=list,
            rate=1.0,
            protected=["PyTorch", "大模型"],
        )
        assert "not" in result and "不" in result and "PyTorch" in result and "大模型" in result


def test_protected_phrases_may_overlap_and_have_signs():
    for seed in range(20):
        result = augment_data(
            "data set up (C++) small art, start",
            "swap",
            seed=seed,
            rate=1.0,
            protected=["data set", "set up", "c++", "art"],
        )
        assert result in ("data set up (C++) small art, start", "data set up (C++) start art, small")


def test_a_synonym_that_negates_or_is_protected_is_not_taken():
    synonyms = {"always": ["never", "not ever"], "works": ["doesn't"], "here": ["HOME"]}.get
    for method in ("synonyms", "insert"):
        sentence = "It always works here"
        assert (
            augment_data(sentence, method, rate=1.0, protected=["home"], synonyms=lambda w: synonyms(w, [])) == sentence
        )


@pytest.mark.parametrize(
    "word, expected",
    [
        *((word, True) for word in ["not", "No", "NEVER", "don't", "can’t", "cannot", "without", "non-empty", "nor"]),
        *((word, True) for word in ["不", "没有", "无", "别"]),
        *((word, False) for word in ["note", "know", "nothings", "north", "noble", "tent", "电影", "another"]),
    ],
)
def test_what_counts_as_a_negation(word, expected):
    assert negates(word) == expected


def test_deleting_leaves_no_double_spaces():
    sentence = "(One two, three) four: five six seven."
    results = {augment_data(sentence, "delete", seed=seed, rate=0.6) for seed in range(60)}
    assert len(results) > 30
    for result in results:
        assert "  " not in result and " ," not in result and " ." not in result and "( " not in result
        assert result == result.strip() and is_word(result)
    assert augment_data("one two three", "delete", rate=1.0) in ("one", "two", "three")


# ---------------------------------------------------------------- the sentences that are hard


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "sentence", ["", " ", "film", "Film!", "12 345", "3.14", "?!…", "not", "not film", "don't no", "\n"]
)
def test_a_sentence_with_nothing_to_change_comes_back(sentence, method):
    for seed in range(5):
        assert augment_data(sentence, method, seed=seed, rate=1.0) == sentence


@pytest.mark.parametrize("method", ALL)
def test_long_and_strange_sentences_end(method):
    assert isinstance(augment_data("film " * 5_000, method, rate=1.0), str)
    assert isinstance(augment_data("\0\ud800 é\u0301 🙂🙂 \u200d film film", method, rate=1.0), str)


@pytest.mark.parametrize("sentence, kind", [(None, "NoneType"), (3, "int"), (["a b"], "list"), (b"a b", "bytes")])
def test_what_is_no_sentence(sentence, kind):
    with pytest.raises(ValueError, match=f"A sentence is text; .* came, of the type {kind}. Pass one sentence, and"):
        augment_data(sentence)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (
            {"method": "magic"},
            """The method 'magic' is unknown. Choose "eda", "back_translation" or one of synonyms, """,
        ),
        ({"seed": None}, "The seed is None; it must be an integer, so that the same words come again."),
        ({"seed": 0.5}, "The seed is 0.5; it must be an integer"),
        ({"rate": 1.5}, "The rate is 1.5; it is a share of the words, from 0 to 1."),
        ({"rate": -0.1}, "The rate is -0.1; it is a share"),
        ({"rate": float("nan")}, "The rate is nan; it is a share"),
        ({"protected": "film"}, "protected is 'film'; it must be a list of words, none of them empty."),
        ({"protected": [""]}, "protected is ['']; it must be a list"),
        ({"protected": [3]}, "protected is [3]; it must be a list"),
        (
            {"split": str.split},
            "The pieces of `split` do not make the sentence again: 'a film' became 'afilm'. Use one",
        ),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        augment_data("a film", **wrong)


# ---------------------------------------------------------------- seeds


def test_the_seed_decides_whatever_the_hash_seed():
    code = (
        "import json, sys; from bmcourse.augment import augment_data; sentences, methods = json.load(sys.stdin);"
        "print(json.dumps([augment_data(s, m, seed=7, rate=0.4, protected={'list', 'bug', 'once'})"
        " for s in sentences for m in methods]))"
    )
    ours = [augment_data(s, m, seed=7, rate=0.4, protected={"list", "bug", "once"}) for s in SENTENCES for m in ALL]
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        input=json.dumps([SENTENCES, ALL]),
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ours


def test_sentences_of_one_seed_lose_different_places():
    sentences = [f"{letter} b c d e f g h i j" for letter in "klmnopqrst"]
    left = {augment_data(sentence, "delete", seed=0, rate=0.3)[1:] for sentence in sentences}
    assert len(left) > 5


def test_no_global_state_is_touched():
    before, torchs = random.getstate(), torch.get_rng_state()
    for method in ALL:
        augment_data(SENTENCES[0], method)
    assert random.getstate() == before and torch.equal(torch.get_rng_state(), torchs)


def test_eda_is_one_of_the_four():
    for sentence in SENTENCES[:2]:
        results = {augment_data(sentence, "eda", seed=seed) for seed in range(40)}
        assert len(results) > 10


def test_the_rate_counts_words():
    sentence = " ".join(f"w{'abcdefghij'[i]}" for i in range(10))
    for rate, count in [(0.0, 0), (0.01, 1), (0.1, 1), (0.25, 3), (1.0, 10)]:
        result = augment_data(sentence, "synonyms", rate=rate, synonyms=lambda word: [word.upper()])
        assert sum(word.isupper() for word in result.split()) == count
        longer = augment_data(sentence, "insert", rate=rate, synonyms=lambda word: [word.upper()])
        assert len(longer.split()) == 10 + count


# ---------------------------------------------------------------- other languages, other pieces


def test_pieces_make_the_text_again():
    for text in [*SENTENCES, "", "naïve café №5 \0 x_y"]:
        assert "".join(split_pieces(text)) == text


def test_a_segmenter_may_come_from_outside_and_its_list_is_left_alone():
    pieces = ["我", "喜欢", "电影", "和", "猫"]
    result = augment_data("我喜欢电影和猫", "swap", split=lambda text: pieces if len(text) > 4 else [text], rate=0.2)
    assert pieces == ["我", "喜欢", "电影", "和", "猫"]
    assert result != "我喜欢电影和猫" and sorted(result) == sorted("我喜欢电影和猫")
    assert "喜欢" in result and "电影" in result
    assert sorted(augment_data("我喜欢猫", "swap", split=list)) == sorted("我喜欢猫")


def test_a_space_stands_between_words_but_not_between_chinese():
    assert side_by_side("big", "film") == "big film"
    assert side_by_side("大型", "电影") == "大型电影" and side_by_side("大型", "film") == "大型film"
    assert " " not in augment_data("这部电影很简单", "insert", rate=1.0)


# ---------------------------------------------------------------- synonyms


def test_the_table_has_each_phrase_once_and_no_negation():
    phrases = [phrase for meaning in MEANINGS for side in meaning for phrase in side]
    assert len(phrases) == len(set(phrases)) and len(MEANINGS) >= 80
    for english, chinese in MEANINGS:
        assert len(english) >= 2 and len(chinese) >= 2
        assert all(phrase.isascii() and phrase == phrase.lower().strip() for phrase in english)
        assert not any(map(str.isascii, "".join(chinese)))
    assert not [phrase for phrase in phrases if negates(phrase)]


def test_known_synonyms_keep_the_capital():
    assert known_synonyms("film") == ["movie"] and known_synonyms("Film") == ["Movie"]
    assert known_synonyms("sometimes") == ["occasionally", "now and then"]
    assert known_synonyms("电影") == ["影片"] and known_synonyms("xyzzy") == []


def test_learned_synonyms_are_the_nearest_words():
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.2], [0.3, 1.0]])
    near = learned_synonyms(["left", "cat", "right", "dog"], vectors, count=1)
    assert near("left") == ["right"] and near("dog") == ["cat"] and near("mouse") == []
    assert augment_data("the left dog", "synonyms", rate=1.0, synonyms=near) == "the right cat"


# ---------------------------------------------------------------- back-translation


def test_the_phrase_table_goes_there_and_back():
    there, back = phrase_translators("film", random.Random(0))
    chinese = there("The film is easy; a filmmaker's non-film, in order to find it.")
    assert re.fullmatch(
        r"The (电影|影片) is (简单|容易); a filmmaker's non-film, (为了|以便) (查找|寻找) it\.", chinese
    )
    letters = "ſad fılm İtem"  # which IGNORECASE takes for s and i
    assert there(letters) == letters
    assert re.fullmatch(r"The (film|movie) .* (in order to|so as to) (find|locate) it\.", back(chinese))


def test_back_translation_of_chinese_comes_back_without_spaces():
    results = {augment_data("这部电影很简单,用 film 和 3 A电影", "back_translation", seed=seed) for seed in range(20)}
    assert len(results) > 3
    for result in results:
        assert re.fullmatch("这部(电影|影片)很(简单|容易),用 film 和 3 A(电影|影片)", result)


def test_a_real_translator_can_be_plugged_in():
    calls = []

    def there(text):
        calls.append(text)
        return "un film simple"

    assert back_translate("A simple film", there, lambda text: f"the {text[3:7]}") == "The film"
    assert augment_data("A simple film", "back_translation", translators=(there, str.upper)) == "UN FILM SIMPLE"
    assert calls == ["A simple film", "A simple film"]


@pytest.mark.parametrize("back", ["I like it", "I do not not like it", "I never like it", ""])
def test_a_translation_that_turns_the_meaning_is_not_taken(back):
    sentence = "I do not like it"
    assert augment_data(sentence, "back_translation", translators=(str, lambda text: back)) == sentence


def test_a_translation_that_loses_a_protected_word_is_not_taken():
    translators = str, lambda text: text.replace("Turing", "touring")
    assert augment_data("Alan Turing lived", "back_translation", translators=translators) == "Alan touring lived"
    kept = augment_data("Alan Turing lived", "back_translation", translators=translators, protected=["turing"])
    assert kept == "Alan Turing lived"


def test_with_all_phrases_protected_nothing_is_translated(monkeypatch):
    monkeypatch.setattr(augment, "MEANINGS", MEANINGS[:2])
    protected = [phrase for meaning in MEANINGS[:2] for side in meaning for phrase in side]
    for sentence in ("A big film is easy", "这部大型电影很简单"):
        assert augment_data(sentence, "back_translation", protected=protected) == sentence


@pytest.mark.parametrize("name", ["there", "back"])
def test_a_translator_that_gives_no_text(name):
    translators = {"there": str, "back": str, name: lambda text: None}
    with pytest.raises(ValueError, match=f"The translator `{name}` made a NoneType of 'a film'; it must give text."):
        back_translate("a film", **translators)


# ---------------------------------------------------------------- images


def test_rotation_equals_torchs_by_quarters():
    images = torch.rand(4, 8, 8, generator=generator())
    turned = rotate(images, torch.tensor([0.0, 90.0, 180.0, -90.0]))
    expected = torch.stack(
        [torch.rot90(image, quarters) for image, quarters in zip(images, [0, 1, 2, -1], strict=True)]
    )
    torch.testing.assert_close(turned, expected, atol=1e-5, rtol=0)


def test_rotated_images_turn_by_different_angles_up_to_the_most():
    images = torch.zeros(200, 9, 9)
    images[:, 4, 8] = 1.0  # a dot on the right, 4 pixels from the centre
    turned = rotated(images, generator(), most=30.0)
    rows = (turned.sum(dim=2) * torch.arange(9.0)).sum(dim=1) / turned.sum(dim=(1, 2))  # its mean height
    assert rows.min() > 4 - 4 * 0.5 - 0.5 and rows.max() < 4 + 4 * 0.5 + 0.5  # sin 30° is a half
    assert rows.min() < 3 and rows.max() > 5
    assert torch.equal(rotated(images, generator(), most=0.0), rotate(images, torch.zeros(200)))


def test_shifted_images_are_the_shifts_of_data():
    images = torch.rand(60, 8, 8, generator=generator())
    moved = shifted(images, generator(1), most=2)
    moves = set()
    for image, result in zip(images, moved, strict=True):
        found = [(d, r) for d in range(-2, 3) for r in range(-2, 3) if torch.equal(data.shift(image, d, r), result)]
        assert len(found) == 1
        moves.update(found)
    assert len(moves) > 15
    with pytest.raises(ValueError, match="leaves nothing of an image of 8 × 8"):
        shifted(images, generator(), most=8)


def test_noise_has_its_deviation_and_stays_between_0_and_1():
    noise = noisy(torch.full((100, 8, 8), 0.5), generator(), deviation=0.1) - 0.5
    assert abs(noise.std() - 0.1) < 0.005 and abs(noise.mean()) < 0.005
    loud = noisy(torch.rand(10, 8, 8), generator(), deviation=2.0)
    assert loud.min() == 0 and loud.max() == 1


@pytest.mark.parametrize("change", [shifted, rotated, noisy])
def test_images_in_images_out(change):
    images = torch.rand(5, 8, 8, generator=generator())
    untouched = images.clone()
    changed = change(images, generator(1))
    assert changed.shape == images.shape and changed.dtype == images.dtype
    assert torch.equal(images, untouched) and not torch.equal(changed, images)
    assert torch.equal(changed, change(images, generator(1))) and not torch.equal(changed, change(images, generator(2)))


def test_the_examples_of_the_docstrings():
    results = doctest.testmod(augment)
    assert results.attempted >= 2 and not results.failed
