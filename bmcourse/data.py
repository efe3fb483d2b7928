"""Datasets that are on every machine: nothing here is downloaded, and no text from elsewhere is kept in the project."""

import ast
import codecs
import csv
import functools
import pathlib
import re
import sysconfig
import zlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F

SHORTEST_TEXT = 1_000  # characters: below this a tenth for validation holds no sentence


@dataclass(frozen=True)
class Text:
    """A text in two parts: `train` to learn from and `validation`, which the model never trains on."""

    name: str
    train: str
    validation: str


def python_docs():
    """The English of Python's own documentation that every CPython carries: about 460,000 characters.

    The split is by topic. Some topics quote each other, so topics that share a paragraph stay on the same side: no
    paragraph of 60 or more characters is in both parts. The text differs a little between Python versions.

    Source: the standard library's `pydoc_data.topics`, the text behind `help("for")`.
    """
    from pydoc_data.topics import topics

    held_out = _validation_topics(topics)
    train = [topics[name] for name in sorted(topics) if name not in held_out]
    validation = [topics[name] for name in sorted(held_out)]
    return Text("Python documentation", "\n\n".join(train), "\n\n".join(validation))


def _validation_topics(topics, share=0.1):
    """The names of whole groups of topics, in an order that only their names decide, until `share` is reached."""
    total = sum(map(len, topics.values()))
    chosen, size = set(), 0
    for group in sorted(_groups_sharing_paragraphs(topics), key=lambda group: zlib.crc32(min(group).encode())):
        length = sum(len(topics[name]) for name in group)
        if size < share * total and length < share * total:
            chosen |= group
            size += length
    return chosen


def _groups_sharing_paragraphs(topics, shortest=60):
    """Sets of topics, such that two topics with a paragraph in common are in the same set."""
    group_of, first_with = {}, {}
    for name in sorted(topics):
        group_of[name] = {name}
        for paragraph in paragraphs(topics[name]):
            other = first_with.setdefault(paragraph, name)
            if len(paragraph) >= shortest and group_of[other] is not group_of[name]:
                group_of[name] |= group_of[other]
                for member in group_of[name]:
                    group_of[member] = group_of[name]
    return list({id(group): group for group in group_of.values()}.values())


def paragraphs(text):
    """The paragraphs of `text`, each on one line: what is compared to see whether two texts overlap."""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def text_file(path):
    """Your own text, UTF-8 with or without a byte order mark: the first nine tenths train, the last validates.

    Raises FileNotFoundError when there is no such file, and ValueError when it is empty, binary, not UTF-8, or shorter
    than 1,000 characters.
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}. Give the path of a text file, such as 'my_text.txt'.")
    text = _decode(path.read_bytes(), path.name)
    if len(text.strip()) < SHORTEST_TEXT:
        raise ValueError(
            f"{path.name!r} has {len(text.strip())} characters; training and validation need at least "
            f"{SHORTEST_TEXT}. Give a longer text."
        )
    at = text.find("\n", int(0.9 * len(text))) + 1  # cut behind a whole line where there is one
    at = at if 0 < at <= 0.95 * len(text) else int(0.9 * len(text))
    return Text(path.name, text[:at], text[at:])


def _decode(raw, name):
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{name!r} is UTF-16; UTF-8 is expected. Save it as UTF-8 in your editor and try again.")
    if b"\0" in raw:
        raise ValueError(f"{name!r} is a binary file (it has zero bytes); a plain text file in UTF-8 is expected.")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name!r} is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}. "
            f"Save it as UTF-8 in your editor and try again."
        ) from None


def get_batch(ids, batch_size, context, generator):
    """`batch_size` windows from random places of `ids` (T,), and the same windows one token later.

    Returns inputs (B, context) and targets (B, context), where `targets[b, t]` is the token that follows
    `inputs[b, t]`. Raises ValueError when `ids` is too short for one window.
    """
    if len(ids) <= context:
        raise ValueError(
            f"A window of {context} tokens and its target need at least {context + 1} tokens; "
            f"there are {len(ids)}. Use a longer text or a smaller context."
        )
    starts = torch.randint(len(ids) - context, (batch_size, 1), generator=generator)
    windows = ids[starts + torch.arange(context + 1)]  # (B, context + 1)
    return windows[:, :-1], windows[:, 1:]


@dataclass(frozen=True)
class Digits:
    """Handwritten digits: images (N, 8, 8) with brightness 0 to 1, labels (N,) from 0 to 9."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    validation_images: torch.Tensor
    validation_labels: torch.Tensor


def digits(validation=0.2, seed=0):
    """The 1,797 handwritten digits that come with scikit-learn, shuffled by `seed` and split.

    Raises ValueError unless 0 < validation < 1. Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten
    Digits", UCI Machine Learning Repository, 1998; its test set, as `sklearn.datasets.load_digits` ships it.
    """
    from sklearn.datasets import load_digits

    if not 0 < validation < 1:
        raise ValueError(f"validation is the share of the digits to hold out, between 0 and 1; {validation} came.")
    source = load_digits()
    order = torch.randperm(len(source.target), generator=torch.Generator().manual_seed(seed))
    images = torch.tensor(source.images, dtype=torch.float32)[order] / 16
    labels = torch.tensor(source.target)[order]
    count = round(validation * len(labels))
    return Digits(images[count:], labels[count:], images[:count], labels[:count])


def shift(images, down, right):
    """The images (..., height, width), each moved by whole pixels; what comes in from the edge is 0, black.

    A negative number moves up or left. Raises ValueError when nothing of the image would be left.
    """
    height, width = images.shape[-2:]
    if abs(down) >= height or abs(right) >= width:
        raise ValueError(
            f"A shift by {down} down and {right} right leaves nothing of an image of {height} × {width}. "
            f"Shift by less than its height and width."
        )
    return F.pad(images, [right, -right, down, -down])  # a negative padding cuts off


def decoy(images, labels, generator, size=2, classes=10):
    """Images (N, height, width) with a grey square in one corner each, whose grey tells the label, and its place.

    The corner is drawn at random; the grey is 1 - label / classes. So a model can name the label without a look at the
    digit. With labels drawn at random, the square is still there and tells nothing. The place is a mask of the images'
    shape, True in the square. Raises ValueError when the square does not fit twice into the image.
    Source: the decoy digits of Ross, Hughes and Doshi-Velez, "Right for the Right Reasons", 2017.
    """
    count, height, width = images.shape
    if not 1 <= size <= min(height, width) // 2:
        raise ValueError(
            f"A square of {size} × {size} was to be in one of four corners of {height} × {width} pixels; "
            f"its side may be 1 to {min(height, width) // 2}."
        )
    bottom, right = torch.randint(2, (2, count, 1), generator=generator).bool()
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = torch.where(bottom, rows >= height - size, rows < size)  # (N, height)
    in_columns = torch.where(right, columns >= width - size, columns < size)
    place = in_rows[:, :, None] & in_columns[:, None]
    grey = 1 - labels[:, None, None] / classes
    return torch.where(place, grey, images), place


def recall(count, distance, generator, symbols=8):
    """Sequences that ask for their first token: tokens (count, distance + 1) and labels (count,), the answers.

    The first token is one of `symbols`; then comes noise from as many other tokens; the last token, 2 · symbols, is the
    question, and stands `distance` steps behind the first. So there are 2 · symbols + 1 tokens.
    Raises ValueError for a distance below 1.
    """
    if distance < 1:
        raise ValueError(f"The question stands {distance} steps behind the symbol; it must be 1 or more.")
    labels = torch.randint(symbols, (count,), generator=generator)
    noise = torch.randint(symbols, 2 * symbols, (count, distance - 1), generator=generator)
    question = torch.full((count, 1), 2 * symbols)
    return torch.cat([labels[:, None], noise, question], dim=1), labels


LETTERS = "abcdefghilmnoprstvwxy"  # those that are one token each, with a space before, for the course's GPT
TASKS = {
    "copy": lambda letters: letters,
    "reverse": lambda letters: letters[::-1],
    "sort": sorted,
    "last": lambda letters: letters[-1:],
}


def instructions(count, generator):
    """`count` tasks whose answers can be checked, as pairs of texts: a prompt and its one right answer.

    >>> instructions(1, torch.Generator().manual_seed(0))
    [('copy r l =', ' r l\\n')]
    """
    pairs = []
    for _ in range(count):
        task = list(TASKS)[torch.randint(len(TASKS), (), generator=generator)]
        length = torch.randint(2, 5, (), generator=generator).item()
        letters = [LETTERS[i] for i in torch.randint(len(LETTERS), (length,), generator=generator)]
        pairs.append((f"{task} {' '.join(letters)} =", f" {' '.join(TASKS[task](letters))}\n"))
    return pairs


# Modules of the standard library by what they are for; which of them there are depends on the version of Python.
DOCUMENTED_MODULES = {
    "concurrency": "asyncio concurrent multiprocessing queue sched selectors subprocess threading",
    "files": "_pyio bz2 dbm filecmp fileinput fnmatch genericpath glob gzip lzma mimetypes ntpath os pathlib pickle "
    "posixpath shelve shutil stat tarfile tempfile zipfile zipimport",
    "internet": "ftplib http imaplib ipaddress poplib smtplib socket socketserver ssl urllib uuid webbrowser wsgiref "
    "xmlrpc",
    "numbers": "_pydatetime _pydecimal _strptime calendar datetime fractions heapq numbers operator random statistics",
    "text": "codecs configparser csv difflib email json mailbox string textwrap xml",
}


@dataclass(frozen=True)
class Sentences:
    """Sentences, and for each the number of its kind: `kinds[labels[i]]` is what the i-th is about."""

    kinds: tuple
    train_texts: list
    train_labels: torch.Tensor
    validation_texts: list
    validation_labels: torch.Tensor


def docstrings(seed=0):
    """What Python's own modules say of themselves: about 3,000 sentences of 4 to 30 words, of five kinds of modules.

    They are the first sentences of the modules', classes' and functions' docstrings, each once, shuffled by `seed`; a
    fifth validates. A sentence of two kinds is left out. The texts differ a little between Python versions.
    Raises FileNotFoundError when this Python came without its source code.

    Source: the standard library; its files are read, and never run.
    """
    kind_of = _kinds_of_sentences()
    if not kind_of:
        raise FileNotFoundError("This Python came without the source code of its library. Install it from python.org.")
    sentences = sorted(kind_of)
    order = torch.randperm(len(sentences), generator=torch.Generator().manual_seed(seed)).tolist()
    texts = [sentences[i] for i in order]
    labels = torch.tensor([kind_of[text] for text in texts])
    count = len(texts) // 5
    return Sentences(tuple(DOCUMENTED_MODULES), texts[count:], labels[count:], texts[:count], labels[:count])


@functools.cache
def _kinds_of_sentences():
    """The number of its kind for every sentence that stands in one kind only."""
    kinds_of = {}
    for kind, modules in enumerate(DOCUMENTED_MODULES.values()):
        for path in _module_files(modules.split()):
            for sentence in _first_sentences(path.read_bytes()):
                kinds_of.setdefault(sentence, set()).add(kind)
    return {sentence: kinds.pop() for sentence, kinds in kinds_of.items() if len(kinds) == 1}


def _module_files(modules):
    """The source files of modules and packages of the standard library, tests apart."""
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    for module in modules:
        paths = [library / f"{module}.py", *sorted((library / module).rglob("*.py"))]
        yield from (path for path in paths if path.is_file() and "test" not in path.parts)


def _first_sentences(source):
    """The first sentence of every docstring in a Python file, on one line, if it has 4 to 30 words."""
    todo = [ast.parse(source)]
    for node in todo:  # which grows meanwhile
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            todo += node.body
            first = paragraphs(ast.get_docstring(node) or "")[0]
            sentence = re.split(r"(?<=[.!?:]) ", first)[0]
            if 4 <= len(sentence.split()) <= 30:
                yield sentence


MODELS = pathlib.Path(__file__).parents[1] / "data" / "models.csv"


@dataclass(frozen=True)
class PublishedModel:
    """A published model and its size; a figure that nobody published is None.

    `modality` is what it reads and writes: "language", "image", or "multimodal" for more than one kind. `open`: its
    makers give the weights away, some only on request. `active_parameters` is how many parameters of a mixture of
    experts (混合专家) work on one token. `context` is in tokens. `source` says where each figure stands.
    """

    name: str
    year: int
    organisation: str
    modality: str
    open: bool
    parameters: float | None
    active_parameters: float | None
    training_tokens: float | None
    training_flops: float | None
    context: float | None
    source: str


def published_models():
    """The models of data/models.csv, from LeNet-5 (1998) to today, the oldest first."""
    with MODELS.open(encoding="utf-8", newline="") as file:
        models = [_published_model(**row) for row in csv.DictReader(file)]
    return sorted(models, key=lambda model: model.year)


def _published_model(name, year, organisation, modality, open, source, **figures):
    figures = {figure: float(value) if value else None for figure, value in figures.items()}
    return PublishedModel(name, int(year), organisation, modality, open == "yes", source=source, **figures)
