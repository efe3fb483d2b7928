"""Few labels (少量标签) and many examples without one: what the examples without a label are worth.

Everywhere `inputs` (N, ...) have `labels` (N,), and `unlabelled` (M, ...) have none. An augmentation (数据增强) is a
function of a batch and a generator that gives the batch back, changed at random: its labels must still be right.
"""

import copy

import torch
from torch import nn

from bmcourse.distillation import answers_of
from bmcourse.losses import cross_entropy
from bmcourse.models.sentences import PADDING, UNKNOWN
from bmcourse.training import minimise


def few(labels, count, classes, generator):
    """The rows of `count` examples drawn from `labels` (N,), as many of each class.

    With a generator of the same seed, a larger choice contains the smaller one.
    Raises ValueError when `count` cannot be shared evenly, and when a class has too few examples.
    """
    each, rest = divmod(count, classes)
    if rest or each < 1:
        raise ValueError(
            f"{count} labels cannot be shared evenly among {classes} classes. Ask for a multiple of {classes}."
        )
    order = torch.randperm(len(labels), generator=generator)
    of_class = [order[labels[order] == number] for number in range(classes)]
    for number, rows in enumerate(of_class):
        if len(rows) < each:
            raise ValueError(
                f"Class {number} has {len(rows)} examples, and {each} are asked for. Ask for fewer labels."
            )
    return torch.cat([rows[:each] for rows in of_class])


# ---------------------------------------------------------------- training on labels alone


def draw(inputs, count, generator):
    """`count` random rows, some perhaps twice: of a few examples, too, a batch of any size can be drawn."""
    return torch.randint(len(inputs), (count,), generator=generator)


def fit(model, inputs, labels, generator, steps=300, lr=3e-3, batch_size=32, augment=None):
    """Train `model` on labelled examples, each batch augmented anew; returns the loss of every step."""

    def loss():
        rows = draw(inputs, batch_size, generator)
        batch = augment(inputs[rows], generator) if augment else inputs[rows]
        return cross_entropy(model(batch), labels[rows])

    return minimise(model, loss, steps, lr)


# ---------------------------------------------------------------- pseudo-labels


def surer_than(model, inputs, threshold):
    """The rows of `inputs` where the model's likeliest class has at least the probability `threshold`, and that class.

    Raises ValueError for a threshold outside [0, 1].
    """
    check_threshold(threshold)
    surest, guesses = answers_of(model, inputs).softmax(dim=-1).max(dim=-1)
    rows = (surest >= threshold).nonzero().flatten()
    return rows, guesses[rows]


def pseudo_labels(model, inputs, labels, unlabelled, generator, threshold=0.9, rounds=1, **fit_settings):
    """Train, take what the model is sure of for labels (pseudo-labels, 伪标签), and train again on these, too.

    Every round starts from the weights that the model came with, and labels all of `unlabelled` anew. Returns each
    round's rows of `unlabelled` and the classes they got. `fit_settings` are those of `fit`.
    Sources: Lee, "Pseudo-Label", 2013, section 2, there at every step and without a threshold; starting anew is from
    Cascante-Bonilla et al., "Curriculum Labeling", 2020.
    """
    fresh = copy.deepcopy(model.state_dict())
    fit(model, inputs, labels, generator, **fit_settings)
    history = []
    for _ in range(rounds):
        rows, guesses = surer_than(model, unlabelled, threshold)
        model.load_state_dict(fresh)
        everything = torch.cat([inputs, unlabelled[rows]]), torch.cat([labels, guesses])
        fit(model, *everything, generator, **fit_settings)
        history.append((rows, guesses))
    return history


def confirmation(model, unlabelled, rows, guesses, truth):
    """(wrong, repeated): the share of pseudo-labels that are wrong, and of the wrong ones what `model` says again.

    A model that was trained on its own mistakes repeats them: confirmation bias (确认偏差). Ask a model that was not,
    too: it may make the same ones. `truth` (M,) are the labels of `unlabelled`, which only an experiment knows. No
    pseudo-labels, or no wrong ones, count as 0.
    Source: Arazo et al., "Pseudo-Labeling and Confirmation Bias in Deep Semi-Supervised Learning", 2019.
    """
    wrong = guesses != truth[rows]
    again = answers_of(model, unlabelled[rows]).argmax(dim=-1) == guesses
    return (wrong.sum() / max(1, len(rows))).item(), ((wrong & again).sum() / max(1, wrong.sum())).item()


# ---------------------------------------------------------------- FixMatch


def fixmatch_loss(weak_logits, strong_logits, threshold=0.95):
    """Cross-entropy of the strongly changed inputs with what the model says of the weakly changed ones, logits (N, C).

    Only where it is sure: the others cost 0 and count in the mean. What it says gets no gradient.
    Raises ValueError for shapes that differ and a threshold outside [0, 1].
    Source: Sohn et al., "FixMatch", 2020, equation 4.
    """
    check_threshold(threshold)
    if weak_logits.shape != strong_logits.shape:
        raise ValueError(
            f"The weak logits are {tuple(weak_logits.shape)}, the strong ones {tuple(strong_logits.shape)}; expected "
            f"the same shape: both augmentations must give as many inputs as came."
        )
    surest, guesses = weak_logits.detach().softmax(dim=-1).max(dim=-1)
    return (cross_entropy(strong_logits, guesses, reduction="none") * (surest >= threshold)).mean()


def fixmatch(
    model,
    inputs,
    labels,
    unlabelled,
    weak,
    strong,
    generator,
    steps=300,
    lr=3e-3,
    batch_size=32,
    ratio=3,
    threshold=0.95,
    weight=1.0,
):
    """Train on labels, and to say of a strongly changed input what it surely says of it weakly changed.

    `weak` and `strong` are augmentations. At each step there are `ratio` times as many inputs without labels, and
    `weight` is their part of the loss; returns the loss of every step.
    Source: Sohn et al., "FixMatch", 2020, section 2.2.
    """

    def loss():
        known, new = draw(inputs, batch_size, generator), draw(unlabelled, ratio * batch_size, generator)
        labelled = cross_entropy(model(weak(inputs[known], generator)), labels[known])
        weak_logits = model(weak(unlabelled[new], generator))
        strong_logits = model(strong(unlabelled[new], generator))
        return labelled + weight * fixmatch_loss(weak_logits, strong_logits, threshold)

    return minimise(model, loss, steps, lr)


def check_threshold(threshold):
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}; it is a probability, from 0 to 1. 0.95 is usual.")


# ---------------------------------------------------------------- label spreading


def rbf_graph(inputs, gamma):
    """How near each two inputs are, (N, N): exp(-gamma · squared distance), and 0 to itself; symmetric.

    Raises ValueError unless gamma is above 0.
    """
    if not gamma > 0:
        raise ValueError(f"gamma is {gamma}; it must be above 0. The larger it is, the fewer inputs count as near.")
    return torch.exp(-gamma * distances(inputs) ** 2).fill_diagonal_(0)


def neighbour_graph(inputs, neighbours):
    """1 for each two inputs of which one is among the other's nearest `neighbours`, else 0: (N, N), symmetric.

    Raises ValueError unless 1 <= neighbours < N.
    """
    if not 1 <= neighbours < len(inputs):
        raise ValueError(
            f"neighbours is {neighbours}, and there are {len(inputs)} inputs; it must be 1 to {len(inputs) - 1}."
        )
    nearest = distances(inputs).fill_diagonal_(torch.inf).topk(neighbours, largest=False).indices
    graph = torch.zeros(len(inputs), len(inputs)).scatter(1, nearest, 1.0)
    return torch.maximum(graph, graph.T)


def distances(inputs):
    return torch.cdist(inputs.flatten(1), inputs.flatten(1))


def label_spreading(graph, labels, classes, alpha=0.9):
    """Labels flow along a graph (N, N) to all its points (标签传播): the probability of each class, (N, classes).

    `labels` (N,) are -1 where there is none. A point takes `alpha` of what it believes from its neighbours and the rest
    from its own label; here is where that ends, without the steps in between. A point that no label reaches gets 0s.
    Raises ValueError for a graph or labels of another shape, a label that is no class, and alpha outside (0, 1).
    Source: Zhou et al., "Learning with Local and Global Consistency", 2003, section 2.
    """
    check_spreading(graph, labels, classes, alpha)
    degree = graph.sum(dim=0).clamp(min=torch.finfo(graph.dtype).tiny).sqrt()
    flow = graph / degree / degree[:, None]
    own = (labels[:, None] == torch.arange(classes)).to(graph.dtype)
    beliefs = torch.linalg.solve(torch.eye(len(graph), dtype=graph.dtype) - alpha * flow, own)
    total = beliefs.sum(dim=1, keepdim=True)
    return torch.where(total > 0, beliefs / total, 0)


def check_spreading(graph, labels, classes, alpha):
    if graph.shape != (len(labels), len(labels)):
        raise ValueError(
            f"The graph is {tuple(graph.shape)} and there are {len(labels)} labels; it must be "
            f"{(len(labels), len(labels))}. Give inputs without a label the label -1."
        )
    for label in labels[(labels < -1) | (labels >= classes)][:1].tolist():
        raise ValueError(f"{label} is no class: labels must be 0 to {classes - 1}, or -1 where there is none.")
    if not (labels >= 0).any():
        raise ValueError("Every label is -1, so there is nothing to spread. Give at least one input its label.")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it is the neighbours' share of what a point believes, between 0 and 1.")


# ---------------------------------------------------------------- masked pre-training


def hide_words(tokens, share, generator):
    """The tokens (B, T) with each known word made unknown with the chance `share`, and the places where it was.

    Raises ValueError unless 0 < share <= 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; it is the share of words to hide, above 0 and at most 1. 0.15 is usual.")
    places = (torch.rand(tokens.shape, generator=generator) < share) & (tokens > UNKNOWN)
    return torch.where(places, UNKNOWN, tokens), places


def masked_loss(model, tokens, share, generator):
    """Cross-entropy of the words that were hidden in sentences (B, T), as a SentenceClassifier's encoder guesses them.

    The vector at a hidden word's place is compared with the vectors of all known words. 0 where no word was hidden.
    Source: Devlin et al., "BERT", 2018, section 3.1, there with a token [MASK] of its own.
    """
    hidden, places = hide_words(tokens, share, generator)
    padding = nn.functional.pad(tokens == PADDING, [1, 0])  # the question is none
    read = model.encoder(model.ask(model.embedding(hidden)), src_key_padding_mask=padding)[:, 1:]
    scores = read[places] @ model.embedding.weight[UNKNOWN + 1 :].T  # (hidden words, known words)
    return cross_entropy(scores, tokens[places] - (UNKNOWN + 1), reduction="sum") / max(1, len(scores))


def pretrain(model, tokens, generator, share=0.15, steps=1000, lr=3e-3, batch_size=64):
    """Masked pre-training (掩码预训练) of a SentenceClassifier on sentences (N, T) without labels; then `fit` it.

    Returns the loss of every step. Raises ValueError when the sentences have no word that the model knows.
    """
    if not (tokens > UNKNOWN).any():
        raise ValueError("No word of the sentences is known, so none can be hidden. Pass number_words their own words.")
    return minimise(
        model, lambda: masked_loss(model, tokens[draw(tokens, batch_size, generator)], share, generator), steps, lr
    )
