"""Datasets that are on every machine: nothing here is downloaded, and no text from elsewhere is kept in the project."""

import codecs
import csv
import pathlib
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


MODELS = pathlib.Path(__file__).parents[1] / "data" / "models.csv"


@dataclass(frozen=True)
class PublishedModel:
    """A published model and its size; a figure that nobody published is None.

    `modality` is what it reads and writes: "language", "image", or "multimodal" for more than one kind. `open`: its
    makers give the weights away, some only on request. `active_parameters` is how many parameters of a mixture of
    experts (专家混合) work on one token. `context` is in tokens. `source` says where each figure stands.
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
