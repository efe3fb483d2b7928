"""Pre-training (预训练) without labels, and what it is good for: fill-in accuracy, fine-tuning, frozen probes.

`tokens` (N, T) are sentences as models.bert.read_sentences gives them; `labels` (N,) say what each of them is about.

`python -m bmcourse recipes bert` trains the BERT in data/ again: about eight minutes on one core.
"""

import ast
import copy
import functools
import pathlib
import platform
import re
import sysconfig
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass

import torch
from torch import nn

from bmcourse import data
from bmcourse.few_labels import fit
from bmcourse.inference import evaluating
from bmcourse.losses import IGNORED, cross_entropy
from bmcourse.models.bert import BERT, MASK, PAD, SPECIAL, BERTClassifier, BERTConfig, read_sentences
from bmcourse.models.sentences import split_words
from bmcourse.recipes import FOLDER, progress, read_model, write_model
from bmcourse.training import minimise_with_muon

FEWEST, MOST = 4, 30  # words of a sentence
SHAPE = {"context": MOST + 2, "layers": 3, "heads": 4, "channels": 96, "dropout": 0.0}
RECIPE = {
    "seed": 0,
    "vocabulary_size": 4096,
    "steps": 4800,
    "batch_size": 64,
    "share": 0.4,
    "muon_lr": 0.015,
    "adamw_lr": 1e-2,
    "momentum": 0.9,
    "warmup": 50,
    "largest_gradient": 1.0,
}


# ---------------------------------------------------------------- sentences to pre-train on


@dataclass(frozen=True)
class Corpus:
    """Sentences without labels, as their words in small letters: `train` to learn from, `validation` never seen."""

    train: list
    validation: list


@functools.cache
def corpus(whole_library=False):
    """The sentences of Python's documentation and of data.docstrings(), each once: about 5,000, and 350 that validate.

    With `whole_library` also those of all docstrings of the standard library: 20,000. What validates in python_docs()
    validates here, and no sentence that validates in docstrings() is learned from.
    """
    docs, labelled = data.python_docs(), data.docstrings()
    texts = [docs.train, *labelled.train_texts, *(library_docstrings() if whole_library else [])]
    validation = sentences_in([docs.validation])
    held_out = {*validation, *(" ".join(split_words(text)) for text in labelled.validation_texts)}
    return Corpus([sentence for sentence in sentences_in(texts) if sentence not in held_out], validation)


def sentences_in(texts):
    """The sentences of 4 to 30 words in some texts, each once and sorted: their words with a space between each two."""
    found = set()
    for text in texts:
        for paragraph in data.paragraphs(text):
            for sentence in re.split(r"(?<=[.!?:]) ", paragraph):
                words = split_words(sentence)
                if FEWEST <= len(words) <= MOST:
                    found.add(" ".join(words))
    return sorted(found)


def library_docstrings():
    """Every docstring of the standard library, tests and installed packages apart; its files are read, never run."""
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.rglob("*.py")):
        if not {"test", "tests", "site-packages", "lib2to3"} & set(path.parts):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    yield ast.get_docstring(node) or ""


def vocabulary_of(sentences, size):
    """What each token is called: the five of SPECIAL, then the most frequent words that occur more than once."""
    counts = Counter(word for sentence in sentences for word in split_words(sentence))
    words = sorted((word for word in counts if counts[word] > 1), key=lambda word: (-counts[word], word))
    return [*SPECIAL, *words[: size - len(SPECIAL)]]


# ---------------------------------------------------------------- masked language modelling


def mask_tokens(tokens, vocabulary_size, generator, share=0.15, masked=0.8, random=0.1):
    """Choose a share of the words, hide them, and ask for them: inputs (B, T) and targets (B, T).

    Of the chosen words `masked` become [MASK], `random` become any other word, and the rest stay as they are. The
    target is the word itself where it was chosen, and IGNORED elsewhere. Special tokens and [UNK] are never chosen.
    Raises ValueError unless 0 < share <= 1, and for shares of the kinds that come to more than 1.
    Source: Devlin et al., "BERT", 2018, section 3.1.
    """
    check_shares(share, masked, random)
    lot, kind = torch.rand(2, *tokens.shape, generator=generator)
    chosen = (lot < share) & (tokens > MASK)
    others = torch.randint(MASK + 1, vocabulary_size, tokens.shape, generator=generator)
    inputs = torch.where(chosen & (kind < masked + random), others, tokens)
    inputs = torch.where(chosen & (kind < masked), MASK, inputs)
    return inputs, torch.where(chosen, tokens, IGNORED)


def check_shares(share, masked, random):
    if not 0 < share <= 1:
        raise ValueError(
            f"share is {share}; it is the share of words to ask for, above 0 and at most 1. 0.15 is usual."
        )
    if masked < 0 or random < 0 or masked + random > 1 + 1e-9:
        raise ValueError(
            f"Of the chosen words {masked:g} become [MASK] and {random:g} other words; both are shares, and together "
            f"at most 1. BERT takes 0.8 and 0.1."
        )


def masked_lm_loss(model, inputs, targets):
    """Cross-entropy of the words that are asked for, in nats a word; 0 where nothing is asked.

    Only the vectors at those places go through the head: six of seven places need no logits.
    """
    asked = targets != IGNORED
    logits = model.guess(model.read(inputs)[asked])  # (words asked for, V)
    return cross_entropy(logits, targets[asked], reduction="sum") / max(1, len(logits))


def batches(tokens, batch_size, generator):
    """Batches without end, of sentences about as long as each other, cut where the longest of them ends.

    Shuffled, each sentence once before any comes twice. In a batch of any lengths half of the work would be padding.
    """
    lengths = (tokens != PAD).sum(dim=1)
    while True:
        for rows in torch.randperm(len(tokens), generator=generator).split(16 * batch_size):
            groups = rows[lengths[rows].argsort(stable=True)].split(batch_size)
            for number in torch.randperm(len(groups), generator=generator).tolist():
                yield tokens[groups[number], : lengths[groups[number]].max()]


def pretrain_bert(
    model,
    tokens,
    generator,
    steps=300,
    batch_size=64,
    share=0.15,
    masked=0.8,
    random=0.1,
    muon_lr=0.015,
    adamw_lr=1e-2,
    momentum=0.85,
    warmup=50,
    largest_gradient=1.0,
    report=lambda step, loss: None,
):
    """Train a BERT to fill in what `mask_tokens` hides, anew at each visit; `report(step, loss)` after each step.

    Muon moves the matrices of the encoder and AdamW all else.
    """
    matrices = [p for p in model.encoder.parameters() if p.ndim == 2]
    supply = batches(tokens, batch_size, generator)

    def loss():
        hidden = mask_tokens(next(supply), model.config.vocabulary_size, generator, share, masked, random)
        return masked_lm_loss(model, *hidden)

    minimise_with_muon(model, matrices, loss, steps, muon_lr, adamw_lr, warmup, largest_gradient, report, momentum)


# ---------------------------------------------------------------- what it has learned


@torch.no_grad()
def fill_in_accuracy(model, tokens, batch_size=256):
    """The share of known words that the model guesses rightly, in percent: each is hidden in turn, and no other."""
    rows, places = (tokens > MASK).nonzero().T
    lengths, right = (tokens != PAD).sum(dim=1), 0
    order = lengths[rows].argsort(stable=True)
    with evaluating(model):
        for some in order.split(batch_size):
            row, place, number = rows[some], places[some], torch.arange(len(some))
            inputs = tokens[row, : lengths[row].max()]
            words, inputs[number, place] = inputs[number, place], MASK
            guesses = model.guess(model.read(inputs)[number, place]).argmax(dim=-1)
            right += (guesses == words).sum().item()
    return 100 * right / len(rows)


class NeighbourCounts:
    """What there is to beat: the word that stood most often between the same two neighbours, in `tokens` (N, T).

    Where no such pair was seen it is the most frequent word behind the same left neighbour, else that of all.
    """

    def __init__(self, tokens):
        counts = defaultdict(Counter)
        for left, word, right in neighbours(tokens):
            for key in ((left, right), (left, None), (None, None)):
                counts[key][word] += 1
        self.best = {key: counter.most_common(1)[0][0] for key, counter in counts.items()}

    def accuracy(self, tokens, view="both"):
        """The share of known words guessed rightly, in percent; `view` is "both" neighbours, "left" or "none"."""
        keys = {"both": 0, "left": 1, "none": 2}[view]
        right = count = 0
        for left, word, behind in neighbours(tokens):
            tried = ((left, behind), (left, None), (None, None))[keys:]
            right += word == next(self.best[key] for key in tried if key in self.best)
            count += 1
        return 100 * right / count


def neighbours(tokens):
    """Every known word of the sentences (N, T) as (left neighbour, word, right neighbour)."""
    for row in tokens.tolist():
        yield from (three for three in zip(row, row[1:], row[2:], strict=False) if three[1] > MASK)


# ---------------------------------------------------------------- what it is good for


def fine_tune(bert, tokens, labels, classes, generator, steps=100, lr=5e-4, batch_size=32):
    """A classifier on a copy of `bert`, all of it trained on labelled sentences, in eval mode; `bert` stays as it is.

    Raises ValueError for a label that is no class.
    Source: Devlin et al., "BERT", 2018, sections 3.2 and 4.1.
    """
    for label in labels[(labels < 0) | (labels >= classes)][:1].tolist():
        raise ValueError(f"{label} is no class: labels must be 0 to {classes - 1}.")
    model = BERTClassifier(copy.deepcopy(bert), classes).train()
    nn.init.zeros_(model.head.weight)  # before it has learned anything it finds all classes equally likely
    nn.init.zeros_(model.head.bias)
    fit(model, tokens, labels, generator, steps, lr, batch_size)
    return model.eval()


@torch.no_grad()
def class_accuracy(model, tokens, labels):
    """The share of sentences that a classifier puts into their class, in percent."""
    with evaluating(model):
        return 100 * (model(tokens).argmax(dim=-1) == labels).float().mean().item()


@torch.no_grad()
def layer_features(model, tokens, pool):
    """A vector for each sentence from every layer of a frozen BERT, (layers + 1, N, C); the first is the embedding's.

    `pool(vectors, tokens)` makes one vector of all those of a sentence: `mean_of_words` or `at_cls`.
    """
    with evaluating(model):
        x, mask = model.embedding(tokens), model.mask(tokens)
        features = [pool(x, tokens)]
        for layer in model.encoder.layers:
            x = layer(x, mask, tokens == PAD)
            features.append(pool(x, tokens))
    return torch.stack(features)


def mean_of_words(vectors, tokens):
    """The mean of the vectors (B, T, C) at words: (B, C)."""
    words = (tokens > MASK).unsqueeze(-1).to(vectors)
    return (vectors * words).sum(dim=1) / words.sum(dim=1).clamp(min=1)


def at_cls(vectors, tokens):
    """The vectors (B, T, C) at [CLS]: (B, C)."""
    return vectors[:, 0]


def probe(features, labels, new_features, new_labels):
    """How well a straight line separates the classes in frozen features (N, C): accuracy on new ones, in percent.

    The line is scikit-learn's logistic regression on standardised features: a linear probe (线性探针).
    Source: Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    line = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    return 100 * line.fit(features.numpy(), labels.numpy()).score(new_features.numpy(), new_labels.numpy())


# ---------------------------------------------------------------- the BERT in data/


def load_bert(folder=FOLDER):
    """The course's BERT, ready to answer (in eval mode), and its vocabulary.

    Raises FileNotFoundError and ValueError as recipes.read_model does.
    """

    def make(about, weights):
        vocabulary, config = about["vocabulary"], BERTConfig(**about["shape"])
        if len(vocabulary) != config.vocabulary_size:
            raise ValueError(f"{len(vocabulary)} words, but a model of {config.vocabulary_size}")
        with torch.random.fork_rng():  # the random weights are overwritten: nobody's random numbers may change by them
            model = BERT(config)
        model.load_state_dict(weights)
        return model.eval(), vocabulary

    return read_model("bert", "BERT", folder, make)


def train_bert(sentences, shape, recipe, report):
    """A new BERT of `shape` (BERTConfig's fields) trained on sentences by `recipe`, and its vocabulary."""
    vocabulary = vocabulary_of(sentences, recipe["vocabulary_size"])
    torch.manual_seed(recipe["seed"])
    model = BERT(BERTConfig(len(vocabulary), **shape))
    settings = {name: value for name, value in recipe.items() if name not in ("seed", "vocabulary_size")}
    generator = torch.Generator().manual_seed(recipe["seed"])
    pretrain_bert(model, read_sentences(sentences, vocabulary), generator, report=report, **settings)
    return model.eval(), vocabulary


def save_bert(model, vocabulary, text, recipe, folder):
    """Write the BERT, and beside it all that was needed to make it and what it reaches on `text`, which it returns."""

    def describe():
        return {
            "made_by": "python -m bmcourse recipes bert",
            "text": f"sentences of the documentation and the library of Python {platform.python_version()}",
            "shape": asdict(model.config),
            "recipe": recipe,
            "fill_in_accuracy": fill_in_accuracy(model, read_sentences(text.validation, vocabulary)),
            "vocabulary": vocabulary,
        }

    return write_model("bert", model, describe, folder)["fill_in_accuracy"]


def make_bert():
    """Train the course's BERT and put it in data/; print how far it is."""
    torch.set_num_threads(1)
    text = corpus(whole_library=True)
    model, vocabulary = train_bert(text.train, SHAPE, RECIPE, progress(RECIPE["steps"]))
    accuracy = save_bert(model, vocabulary, text, RECIPE, FOLDER)
    print(f"In data/bert.safetensors now. It fills in {accuracy:.1f} % of the words of sentences it has not read.")
