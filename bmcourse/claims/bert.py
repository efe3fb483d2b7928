"""What lesson 16 says of BERT, measured: small models pre-trained on Python's documentation, and the one in data/."""

import functools

import torch
import torch.nn.functional as F

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.few_labels import few
from bmcourse.losses import IGNORED
from bmcourse.models.bert import BERT, MASK, PAD, BERTConfig, read_sentences
from bmcourse.ngrams import NGrams
from bmcourse.pretraining import (
    NeighbourCounts,
    at_cls,
    class_accuracy,
    corpus,
    fill_in_accuracy,
    fine_tune,
    layer_features,
    load_bert,
    mask_tokens,
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
    "A BERT that sees both sides fills in more words than a model of equal size that sees only the left side.",
    unit="points of fill-in accuracy ahead",
    at_least=1.0,
    table=accuracies,
)
def both_sides_fill_in_more_than_one(seed):
    return fill_in(seed) - fill_in(seed, causal=True)


@claim(
    "A neural network fills in more words than counting which word was most often between the same two neighbours. "
    "(Here: 300 steps on 5,000 sentences.)",
    unit="points more words filled in",
    opposite="points fewer words filled in",
    belief=True,
)
def a_small_bert_beats_counting(seed):
    return fill_in(seed) - counted("both")


@claim(
    "80 % [MASK], 10 % another word and 10 % unchanged is better than [MASK] for all chosen words.",
    unit="points of fill-in accuracy ahead",
    belief=True,
)
def eighty_ten_ten_beats_all_masked(seed):
    return fill_in(seed) - fill_in(seed, masked=1.0, random=0.0)


def by_share(seed):
    """Fill-in accuracies with 15 % and 40 % of the words asked for."""
    return [round(fill_in(seed, share=share), 1) for share in (0.15, SHARE)]


@claim(
    "15 % is the right share of words to hide, because hiding 40 % spoils too much of the sentence. (Wettig et al., "
    "2022, found that 40 % is better for large models.)",
    unit="points more words filled in with 15 %",
    opposite="points fewer words filled in with 15 %",
    belief=True,
    table=by_share,
)
def fifteen_percent_is_the_right_share(seed):
    return fill_in(seed, share=0.15) - fill_in(seed)


@functools.cache
def repaired(seed, masked, random):
    """What a small BERT pre-trained so says where no gap is, in percent: right at a wrong word, and at a right one."""
    vocabulary, train, validation = sentences()
    torch.manual_seed(seed)
    model, generator = BERT(BERTConfig(len(vocabulary))), torch.Generator().manual_seed(seed)
    pretrain_bert(model, train, generator, steps=STEPS, share=SHARE, masked=masked, random=random)
    wrong, targets = mask_tokens(validation, len(vocabulary), torch.Generator().manual_seed(0), 0.15, 0.0, 1.0)
    with torch.no_grad():
        guesses = model.eval()(wrong).argmax(dim=-1)
    replaced, kept = targets != IGNORED, (targets == IGNORED) & (validation > MASK)
    return [100 * (guesses == validation)[places].float().mean().item() for places in (replaced, kept)]


def without_gaps(seed):
    """A row for 80/10/10 and one for [MASK] alone: percent right at wrong words, and at right ones."""
    return [[round(percent, 1) for percent in repaired(seed, *how)] for how in ((0.8, 0.1), (1.0, 0.0))]


@claim(
    "Where a wrong word stands and no gap, a BERT trained with 80/10/10 names the right word more often than one "
    "trained with [MASK] alone.",
    unit="points more wrong words put right",
    opposite="points fewer wrong words put right",
    belief=True,
    table=without_gaps,
)
def eighty_ten_ten_repairs_words(seed):
    return repaired(seed, 0.8, 0.1)[0] - repaired(seed, 1.0, 0.0)[0]


@claim(
    "Where a right word stands and no gap, a BERT trained with 80/10/10 names that word far more often than one "
    "trained with [MASK] alone.",
    unit="points more words left as they are",
    at_least=5.0,
)
def eighty_ten_ten_reads_words(seed):
    return repaired(seed, 0.8, 0.1)[1] - repaired(seed, 1.0, 0.0)[1]


# ---------------------------------------------------------------- find the wrong word


@functools.cache
def spoiled(seed, count=300):
    """Sentences never read in which one word is replaced by another of the same text, and the place of that word."""
    _, vocabulary = load_bert()
    tokens = read_sentences(corpus(whole_library=True).validation, vocabulary)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(tokens), generator=generator)[:count]
    tokens, words = tokens[rows].clone(), tokens[tokens > MASK]
    known = (tokens > MASK).float()
    tokens, known = tokens[known.sum(1) >= 3], known[known.sum(1) >= 3]
    places = torch.multinomial(known, 1, generator=generator)
    others = words[torch.randint(len(words), places.shape, generator=generator)]
    same = others == tokens.gather(1, places)
    return tokens.scatter(1, places, torch.where(same, (others + 1).clamp(max=len(vocabulary) - 1), others)), places[
        :, 0
    ]


def found_by_bert(seed):
    """Percent of wrong words found: each word is hidden in turn, and the least likely one is called wrong."""
    bert, _ = load_bert()
    tokens, places = spoiled(seed)
    score = torch.full(tokens.shape, float("inf"))
    for place in range(1, tokens.shape[1] - 1):
        rows = (tokens[:, place] > MASK).nonzero()[:, 0]
        if len(rows):
            hidden = tokens[rows].clone()
            hidden[:, place] = MASK
            with torch.no_grad():
                guesses = bert.guess(bert.read(hidden)[:, place]).log_softmax(dim=-1)
            score[rows, place] = guesses.gather(1, tokens[rows, place, None])[:, 0]
    return 100 * (score.argmin(dim=1) == places).float().mean().item()


@functools.cache
def counts_of_the_library(order):
    """N-grams counted in what the course's BERT has read."""
    _, vocabulary = load_bert()
    tokens = read_sentences(corpus(whole_library=True).train, vocabulary)
    return NGrams(tokens[tokens != PAD], len(vocabulary), order)


def found_by_counting(seed, order):
    """Percent of wrong words found by n-grams: the word which, with those behind it, makes the least likely n-grams."""
    (tokens, places), counts = spoiled(seed), counts_of_the_library(order)
    T, losses = tokens.shape[1], torch.zeros(tokens.shape, dtype=torch.double)
    for t in range(1, T):
        losses[:, t] = -counts.probabilities(tokens[:, max(0, t + 1 - order) : t], tokens[:, t]).log()
    losses = losses.masked_fill(tokens == PAD, 0.0)
    blame = sum(F.pad(losses, (0, order))[:, k : k + T] for k in range(order))
    return 100 * (blame.masked_fill(tokens <= MASK, -1.0).argmax(dim=1) == places).float().mean().item()


def wrong_words_found(seed):
    """Percent of wrong words found: by chance, by bigrams, by trigrams, by the course's BERT."""
    tokens, _ = spoiled(seed)
    chance = 100 * (1 / (tokens > MASK).sum(1)).mean().item()
    ways = [chance, *(found_by_counting(seed, order) for order in (2, 3)), found_by_bert(seed)]
    return [round(percent, 1) for percent in ways]


@claim(
    "The course's BERT finds the wrong word of a sentence more often than bigrams or trigrams that were counted in "
    "the same text.",
    unit="points more wrong words found than by the better of the two",
    at_least=5.0,
    table=wrong_words_found,
)
def bert_finds_the_wrong_word(seed):
    return found_by_bert(seed) - max(found_by_counting(seed, order) for order in (2, 3))


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
    "With 200 labels, a fine-tuned BERT names more sentences correctly than the same network trained from scratch.",
    unit="points of accuracy ahead",
    belief=True,
    table=by_labels,
)
def fine_tuning_beats_training_from_scratch(seed):
    return tuned(seed, 200, True) - tuned(seed, 200, False)


@claim(
    "With few labels, a pre-trained network beats counting words. (Here: 200 labels, TF-IDF and logistic regression.)",
    unit="points of accuracy ahead",
    belief=True,
)
def a_fine_tuned_bert_beats_word_counts(seed):
    return tuned(seed, 200, True) - word_counts(seed, 200)


@claim(
    "With 1,000 labels counting words is ahead of a fine-tuned BERT. (400 steps at 0.0005, the best of 60 and 400 "
    "steps at two rates on two other draws.)",
    unit="points that counting is ahead",
    opposite="points that the BERT is ahead",
    at_least=1.0,
    belief=True,
)
def counting_is_ahead_with_many_labels(seed):
    bert, train, labels, new, new_labels = labelled()
    rows = chosen(seed, 1000)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    classifier = fine_tune(bert, train[rows], labels[rows], CLASSES, generator, steps=400, lr=5e-4)
    return word_counts(seed, 1000) - class_accuracy(classifier, new, new_labels)


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
    "The last layer of a pre-trained model has the best features. (Frozen probes, 1,000 labels, mean of the words; "
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
    "As long as a BERT is frozen, the mean of its words says more about a sentence than the vector at [CLS], which "
    "pre-training never asks for anything. (Last layer, 1,000 labels.)",
    unit="points of accuracy ahead",
    belief=True,
)
def frozen_cls_knows_less_than_the_words(seed):
    words, cls = probes(seed)
    return words[-1] - cls[-1]
