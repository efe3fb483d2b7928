"""What lesson 16 says of BERT, measured: small models pre-trained on Python's documentation, and the one in data/."""

import functools

import torch

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.few_labels import few
from bmcourse.models.bert import BERT, BERTConfig, read_sentences
from bmcourse.pretraining import (
    NeighbourCounts,
    at_cls,
    class_accuracy,
    corpus,
    fill_in_accuracy,
    fine_tune,
    layer_features,
    load_bert,
    mean_of_words,
    pretrain_bert,
    probe,
    vocabulary_of,
)

VOCABULARY, STEPS, SHARE = 2048, 300, 0.4
LABELS, CLASSES, LR, TUNING = (50, 200, 1000), 5, 2e-3, 60


# ---------------------------------------------------------------- pre-training


@functools.cache
def sentences():
    """The vocabulary, the sentences to learn from and those that validate, as tokens."""
    text = corpus()
    vocabulary = vocabulary_of(text.train, VOCABULARY)
    return vocabulary, read_sentences(text.train, vocabulary), read_sentences(text.validation, vocabulary)


@functools.cache
def fill_in(seed, causal=False, share=SHARE, masked=0.8, random=0.1):
    """The fill-in accuracy of a small BERT pre-trained so, in percent of the words of new sentences."""
    vocabulary, train, validation = sentences()
    torch.manual_seed(seed)
    model = BERT(BERTConfig(len(vocabulary), causal=causal))
    generator = torch.Generator().manual_seed(seed)
    pretrain_bert(model, train, generator, steps=STEPS, share=share, masked=masked, random=random)
    return fill_in_accuracy(model, validation)


@functools.cache
def counted(view):
    """The fill-in accuracy of counting, which is the same for every seed: with a view of "both", "left" or "none"."""
    _, train, validation = sentences()
    return NeighbourCounts(train).accuracy(validation, view)


def accuracies(seed):
    """Fill-in accuracies: the most frequent word, the left neighbour and both counted, a causal model, a BERT."""
    models = [fill_in(seed, causal) for causal in (True, False)]
    return [round(percent, 1) for percent in [*map(counted, ("none", "left", "both")), *models]]


@claim(
    "A BERT that sees both sides fills in more words than a model of equal size that sees the left side only.",
    unit="points of fill-in accuracy ahead",
    at_least=1.0,
    table=accuracies,
)
def both_sides_fill_in_more_than_one(seed):
    return fill_in(seed) - fill_in(seed, causal=True)


@claim(
    "A neural network fills in more words than counting which word stood most often between the same two neighbours. "
    "(Here: 300 steps on 5,000 sentences.)",
    unit="points more words filled in",
    opposite="points fewer words filled in",
    belief=True,
)
def a_small_bert_beats_counting(seed):
    return fill_in(seed) - counted("both")


@claim(
    "Of the chosen words 80 % should become [MASK], 10 % any word and 10 % stay: that is better than [MASK] for all.",
    unit="points of fill-in accuracy ahead",
    belief=True,
)
def eighty_ten_ten_beats_all_masked(seed):
    return fill_in(seed) - fill_in(seed, masked=1.0, random=0.0)


def by_share(seed):
    """Fill-in accuracies with 15 % and 40 % of the words asked for."""
    return [round(fill_in(seed, share=share), 1) for share in (0.15, SHARE)]


@claim(
    "15 % is the right share of words to hide: to hide 40 % spoils too much of the sentence. (Wettig et al., 2022, "
    "found that 40 % is better for large models.)",
    unit="points more words filled in with 15 %",
    opposite="points fewer words filled in with 15 %",
    belief=True,
    table=by_share,
)
def fifteen_percent_is_the_right_share(seed):
    return fill_in(seed, share=0.15) - fill_in(seed)


# ---------------------------------------------------------------- few labels


@functools.cache
def labelled():
    """The course's BERT, and data.docstrings() in its tokens: train, their labels, validation, their labels."""
    bert, vocabulary = load_bert()
    split = data.docstrings()
    longest = bert.config.context
    train, new = (
        read_sentences(texts, vocabulary)[:, :longest] for texts in (split.train_texts, split.validation_texts)
    )
    return bert, train, split.train_labels, new, split.validation_labels


def chosen(seed, count):
    """The rows of so many labelled sentences; with the same seed a larger choice contains the smaller one."""
    return few(labelled()[2], count, CLASSES, torch.Generator().manual_seed(seed))


@functools.cache
def tuned(seed, count, pretrained):
    """The accuracy on new sentences after fine-tuning on `count` labels, from the course's BERT or from scratch."""
    bert, train, labels, new, new_labels = labelled()
    rows = chosen(seed, count)
    torch.manual_seed(seed)
    model = bert if pretrained else BERT(bert.config)
    generator = torch.Generator().manual_seed(seed)
    classifier = fine_tune(model, train[rows], labels[rows], CLASSES, generator, TUNING, LR)
    return class_accuracy(classifier, new, new_labels)


@functools.cache
def word_counts(seed, count):
    """The accuracy of the baseline without a network: TF-IDF of the words, and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    split, rows = data.docstrings(), chosen(seed, count)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=2000))
    model.fit([split.train_texts[row] for row in rows.tolist()], split.train_labels[rows])
    return 100 * model.score(split.validation_texts, split.validation_labels)


def by_labels(seed):
    """Accuracies with 50, 200 and 1,000 labels: fine-tuned, from scratch, TF-IDF and logistic regression."""
    ways = (lambda n: tuned(seed, n, True)), (lambda n: tuned(seed, n, False)), (lambda n: word_counts(seed, n))
    return [[round(way(count), 1) for count in LABELS] for way in ways]


@claim(
    "With 200 labels a fine-tuned BERT names more kinds of sentences than the same network trained from scratch.",
    unit="points of accuracy ahead",
    belief=True,
    table=by_labels,
)
def fine_tuning_beats_training_from_scratch(seed):
    return tuned(seed, 200, True) - tuned(seed, 200, False)


@claim(
    "With few labels a pre-trained network beats counting words. (Here: 200 labels, TF-IDF and logistic regression.)",
    unit="points of accuracy ahead",
    belief=True,
)
def a_fine_tuned_bert_beats_word_counts(seed):
    return tuned(seed, 200, True) - word_counts(seed, 200)


# ---------------------------------------------------------------- frozen probes


@functools.cache
def probes(seed, count=1000):
    """The accuracy of a probe on every layer, for the mean of the words and for [CLS]: two rows, embedding first."""
    bert, train, labels, new, new_labels = labelled()
    rows, accuracies = chosen(seed, count), []
    for pool in (mean_of_words, at_cls):
        pairs = zip(layer_features(bert, train[rows], pool), layer_features(bert, new, pool), strict=True)
        accuracies.append([round(probe(old, labels[rows], fresh, new_labels), 1) for old, fresh in pairs])
    return accuracies


@claim(
    "The last layer of a pre-trained model holds the best features. (Frozen probes, 1,000 labels, mean of the words; "
    "the last layer against the best of the others.)",
    unit="points more accurate",
    opposite="points less accurate",
    belief=True,
    table=probes,
)
def the_last_layer_is_the_best(seed):
    words = probes(seed)[0]
    return words[-1] - max(words[:-1])


@claim(
    "As long as a BERT is frozen, the mean of its words says more about a sentence than what stands at [CLS], which "
    "pre-training has never asked for anything. (Last layer, 1,000 labels.)",
    unit="points of accuracy ahead",
    belief=True,
)
def frozen_cls_knows_less_than_the_words(seed):
    words, cls = probes(seed)
    return words[-1] - cls[-1]
