"""Datasets: what is in them, that nothing leaks, and the errors for files that cannot be used."""

import codecs
import csv
import re

import pytest
import torch

from bmcourse import data
from bmcourse.recipes import load_gpt


@pytest.fixture(scope="module")
def docs():
    return data.python_docs()


def test_the_documentation_is_about_460_000_characters(docs):
    assert 400_000 < len(docs.train) + len(docs.validation) < 600_000


def test_about_a_tenth_validates(docs):
    assert 0.07 < len(docs.validation) / (len(docs.train) + len(docs.validation)) < 0.16


def test_no_paragraph_is_in_both_parts(docs):
    train, validation = ({p for p in data.paragraphs(part) if len(p) >= 60} for part in (docs.train, docs.validation))
    assert len(train) > 500 and len(validation) > 50
    assert not train & validation


def test_topics_that_quote_each_other_stay_together():
    quote = "A paragraph that is long enough to count, because it has more than sixty characters."
    topics = {"a": quote, "b": f"First.\n\n{quote}", "c": "Something else.", "d": f"{quote}\n\nLast."}
    groups = data._groups_sharing_paragraphs(topics)
    assert sorted(map(sorted, groups)) == [["a", "b", "d"], ["c"]]


def test_the_split_is_the_same_every_time(docs):
    assert data.python_docs() == docs


LINES = "".join(f"Line {i} of a text that is long enough.\n" for i in range(100))


@pytest.mark.parametrize("prefix", [b"", codecs.BOM_UTF8])
def test_a_text_file_with_or_without_byte_order_mark(tmp_path, prefix):
    path = tmp_path / "mine.txt"
    path.write_bytes(prefix + LINES.encode())
    text = data.text_file(path)
    assert text.train + text.validation == LINES
    assert text.train.endswith("\n") and 0.85 < len(text.train) / len(LINES) < 0.95


def test_windows_line_ends_become_plain(tmp_path):
    (tmp_path / "w.txt").write_bytes(LINES.replace("\n", "\r\n").encode())
    text = data.text_file(tmp_path / "w.txt")
    assert text.train + text.validation == LINES


def test_a_text_without_line_ends_is_split_too(tmp_path):
    (tmp_path / "one_line.txt").write_text("大模型" * 1000, encoding="utf-8")
    assert len(data.text_file(tmp_path / "one_line.txt").validation) == 300


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "has 0 characters.*at least 1000.*longer text"),
        (b"short", "has 5 characters"),
        (b" \n" * 5000, "has 0 characters"),
        (b"PK\0\0" * 500, "binary file.*zero bytes.*UTF-8 is expected"),
        (codecs.BOM_UTF16_LE + "abc".encode("utf-16-le"), "UTF-16; UTF-8 is expected. Save it as UTF-8"),
        ("大".encode("gbk") * 600, "not UTF-8: byte 0 is 0xb4. Save it as UTF-8"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, message):
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        data.text_file(tmp_path / "bad.txt")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*Give the path"):
        data.text_file(tmp_path / "none.txt")


def test_targets_are_the_inputs_one_token_later():
    ids = torch.arange(50)
    x, y = data.get_batch(ids, 8, 5, torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (8, 5)
    assert torch.equal(y, x + 1)


def test_every_window_can_be_drawn_and_none_runs_over_the_end():
    ids = torch.arange(6)
    x, y = data.get_batch(ids, 500, 4, torch.Generator().manual_seed(0))
    assert set(x[:, 0].tolist()) == {0, 1} and y.max() == 5


def test_a_text_shorter_than_a_window():
    with pytest.raises(ValueError, match="at least 6 tokens; there are 5"):
        data.get_batch(torch.arange(5), 2, 5, torch.Generator())


def test_digits():
    digits = data.digits()
    assert digits.train_images.shape == (1438, 8, 8) and digits.validation_images.shape == (359, 8, 8)
    assert digits.train_images.min() == 0 and digits.train_images.max() == 1
    assert set(digits.validation_labels.tolist()) == set(range(10))
    assert not torch.equal(data.digits(seed=1).train_labels, digits.train_labels)


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_digits_need_a_share_between_0_and_1(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        data.digits(validation=share)


IMAGE = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@pytest.mark.parametrize(
    "down, right, expected",
    [
        (0, 0, [[1, 2, 3], [4, 5, 6]]),
        (1, 0, [[0, 0, 0], [1, 2, 3]]),
        (-1, 0, [[4, 5, 6], [0, 0, 0]]),
        (0, 2, [[0, 0, 1], [0, 0, 4]]),
        (0, -1, [[2, 3, 0], [5, 6, 0]]),
        (1, -2, [[0, 0, 0], [3, 0, 0]]),
    ],
)
def test_a_shift_moves_every_image_and_black_comes_in(down, right, expected):
    shifted = data.shift(torch.stack([IMAGE, 10 * IMAGE]), down, right)
    expected = torch.tensor(expected).float()
    assert torch.equal(shifted, torch.stack([expected, 10 * expected]))
    assert torch.equal(IMAGE, torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))


@pytest.mark.parametrize("down, right", [(2, 0), (-2, 0), (0, 3), (0, -3)])
def test_a_shift_that_leaves_nothing(down, right):
    with pytest.raises(ValueError, match=f"{down} down and {right} right leaves nothing of an image of 2 × 3"):
        data.shift(IMAGE, down, right)


@pytest.mark.parametrize("distance", [1, 4, 64])
def test_recall_asks_for_the_first_token(distance):
    tokens, labels = data.recall(2000, distance, torch.Generator().manual_seed(0), symbols=5)
    assert tokens.shape == (2000, distance + 1) and labels.shape == (2000,)
    assert torch.equal(tokens[:, 0], labels)
    assert set(labels.tolist()) == set(range(5))
    assert set(tokens[:, 1:-1].flatten().tolist()) == (set(range(5, 10)) if distance > 1 else set())
    assert set(tokens[:, -1].tolist()) == {10}


def test_recall_is_decided_by_its_generator():
    one, same = (data.recall(8, 5, torch.Generator().manual_seed(3))[0] for _ in range(2))
    assert torch.equal(one, same)
    assert not torch.equal(one, data.recall(8, 5, torch.Generator().manual_seed(4))[0])


def test_instructions_have_the_answer_that_their_task_asks_for():
    pairs = data.instructions(300, torch.Generator().manual_seed(0))
    seen = set()
    for prompt, answer in pairs:
        task, *letters, equals = prompt.split(" ")
        right = {"copy": letters, "reverse": letters[::-1], "sort": sorted(letters), "last": letters[-1:]}[task]
        assert equals == "=" and answer == f" {' '.join(right)}\n" and 2 <= len(letters) <= 4
        seen |= {task, len(letters), *letters}
    assert seen == {"copy", "reverse", "sort", "last", 2, 3, 4, *data.LETTERS}


def test_instructions_are_decided_by_their_generator_and_each_letter_is_one_token():
    one, same = (data.instructions(8, torch.Generator().manual_seed(3)) for _ in range(2))
    assert one == same != data.instructions(8, torch.Generator().manual_seed(4))
    _, tokenizer = load_gpt()
    assert all(len(tokenizer.encode(f" {letter}")) == 1 for letter in data.LETTERS)


def test_recall_over_no_distance():
    with pytest.raises(ValueError, match="stands 0 steps behind the symbol; it must be 1 or more"):
        data.recall(1, 0, torch.Generator())


# Published models.


@pytest.fixture(scope="module")
def models():
    return {model.name: model for model in data.published_models()}


FIGURES = ("parameters", "active_parameters", "training_tokens", "training_flops", "context")


def test_the_models_reach_from_1998_to_today_in_every_kind(models):
    assert len(models) == len(data.published_models()) >= 40  # no name twice
    years = [model.year for model in models.values()]
    assert years == sorted(years) and years[0] == 1998 and years[-1] >= 2026
    for modality in ("language", "image", "multimodal"):
        assert {model.open for model in models.values() if model.modality == modality} == {True, False}
    assert {model.modality for model in models.values()} == {"language", "image", "multimodal"}


def test_every_cell_of_the_table_is_read():
    with data.MODELS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["open"] for row in rows} == {"yes", "no"}
    for row, model in zip(sorted(rows, key=lambda row: int(row["year"])), data.published_models(), strict=True):
        assert all(text == text.strip() for text in row.values())
        for figure in FIGURES:
            value = getattr(model, figure)
            assert (value is None) if row[figure] == "" else (type(value) is float and value == float(row[figure]))


@pytest.mark.parametrize(
    "figure, least, most",
    [
        ("parameters", 1e4, 1e13),
        ("active_parameters", 1e9, 1e12),
        ("training_tokens", 1e9, 1e14),
        ("training_flops", 1e17, 1e27),
        ("context", 512, 1e7),
    ],
)
def test_figures_are_in_the_range_of_what_exists(models, figure, least, most):
    values = [getattr(model, figure) for model in models.values() if getattr(model, figure) is not None]
    assert len(values) >= 10 and all(least <= value <= most for value in values)


def test_no_figure_is_without_a_source(models):
    words = ("parameters", "active parameters", "tokens", "FLOPs", "context")
    for model in models.values():
        assert re.search(r"\(https://\S+\.\S+\)", model.source), model.name
        known = [figure for figure in FIGURES if getattr(model, figure) is not None]
        assert known, model.name
        missing = [
            figure for figure, word in zip(FIGURES, words, strict=True) if figure in known and word not in model.source
        ]
        assert not missing, (model.name, missing)


def test_active_parameters_are_fewer_than_all(models):
    mixtures = [model for model in models.values() if model.active_parameters]
    assert mixtures and all(model.active_parameters < model.parameters for model in mixtures)


def test_training_flops_are_near_6_n_d(models):
    # T5 is an encoder and a decoder: each token goes through one of them, half of the parameters. Gopher's figure is
    # the budget that Chinchilla got too; 6 N D is 12 % below it for Gopher and 2 % above for Chinchilla.
    special = {"T5-11B": 2.0, "Gopher": 0.875}
    known = [m for m in models.values() if m.parameters and m.training_tokens and m.training_flops]
    assert len(known) >= 8
    for model in known:
        ratio = 6 * (model.active_parameters or model.parameters) * model.training_tokens / model.training_flops
        assert ratio == pytest.approx(special.get(model.name, 1), rel=0.05), model.name


def test_what_is_not_published_is_none(models):
    assert models["GPT-4"].parameters is None and models["GPT-4"].training_flops is None
    assert models["GPT-3"].parameters == 175e9 and models["GPT-3"].active_parameters is None


# Decoys.


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_decoy_is_a_square_in_a_corner_whose_grey_tells_the_label(size):
    images, labels = torch.rand(200, 8, 9), torch.arange(200) % 10
    shown, place = data.decoy(images, labels, torch.Generator().manual_seed(0), size=size)
    assert place.shape == images.shape and place.dtype == torch.bool
    assert (place.flatten(1).sum(1) == size**2).all()
    corners = [place[:, y, x] for y in (0, 7) for x in (0, 8)]
    assert (torch.stack(corners).sum(0) == 1).all() and all(corner.sum() > 20 for corner in corners)
    assert torch.equal(shown[~place], images[~place])
    grey = shown[place].view(200, size**2)
    torch.testing.assert_close(grey, (1 - labels / 10)[:, None].expand(-1, size**2))


def test_a_decoy_is_decided_by_its_generator():
    images, labels = torch.zeros(50, 8, 8), torch.zeros(50, dtype=torch.long)
    one, same, other = (data.decoy(images, labels, torch.Generator().manual_seed(s))[1] for s in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert images.max() == 0


@pytest.mark.parametrize("size", [0, 5])
def test_a_decoy_that_has_no_corner(size):
    with pytest.raises(ValueError, match=f"square of {size} × {size} .* 8 × 9 pixels; its side may be 1 to 4"):
        data.decoy(torch.zeros(1, 8, 9), torch.zeros(1), torch.Generator(), size=size)


# Docstrings. Their number and texts differ between Python versions.


@pytest.fixture(scope="module")
def sentences():
    return data.docstrings()


def test_there_are_thousands_of_sentences_of_five_kinds(sentences):
    train, validation = len(sentences.train_texts), len(sentences.validation_texts)
    assert 2_000 < train + validation < 6_000 and validation == (train + validation) // 5
    assert sentences.kinds == ("concurrency", "files", "internet", "numbers", "text")
    for texts, labels in (
        (sentences.train_texts, sentences.train_labels),
        (sentences.validation_texts, sentences.validation_labels),
    ):
        shares = labels.bincount(minlength=5) / len(labels)
        assert len(texts) == len(labels) and shares.min() > 0.1 and shares.max() < 0.35


def test_sentences_are_one_line_of_a_fair_length_and_none_comes_twice(sentences):
    texts = sentences.train_texts + sentences.validation_texts
    assert len(set(texts)) == len(texts)
    assert all(4 <= len(text.split()) <= 30 and "\n" not in text for text in texts)


def test_sentences_have_the_kind_of_their_module(sentences):
    import calendar
    import tarfile

    texts = sentences.train_texts + sentences.validation_texts
    kind_of = dict(zip(texts, torch.cat([sentences.train_labels, sentences.validation_labels]).tolist(), strict=True))
    for documented, kind in ((tarfile.TarInfo.__doc__, "files"), (calendar.isleap.__doc__, "numbers")):
        first = " ".join(documented.split()).split(". ")[0]
        found = [text for text in texts if first.startswith(text.rstrip("."))]
        assert found and {sentences.kinds[kind_of[text]] for text in found} == {kind}


def test_the_seed_shuffles_the_same_sentences(sentences):
    other = data.docstrings(seed=1)
    assert other.train_texts != sentences.train_texts
    assert sorted(other.train_texts + other.validation_texts) == sorted(
        sentences.train_texts + sentences.validation_texts
    )


def test_first_sentences_are_read_from_every_level_and_nothing_is_run():
    source = (
        '"""A module\n  of ours. More."""\n1 / 0\nclass A:\n  """Too short."""\n  def f(self):\n    """Is it a method?'
        ' Yes."""\n    "not a docstring of anything"\nasync def g():\n  """Three words only:\n\n  x"""\n'
        f'def h():\n  """{"long " * 31}"""\n'
    )
    assert sorted(data._first_sentences(source)) == ["A module of ours.", "Is it a method?"]


def test_a_python_without_its_source(monkeypatch):
    monkeypatch.setattr(data, "_module_files", lambda modules: [])
    monkeypatch.setattr(data, "_kinds_of_sentences", data._kinds_of_sentences.__wrapped__)  # nothing kept
    with pytest.raises(FileNotFoundError, match="without the source code of its library. Install it"):
        data.docstrings()
