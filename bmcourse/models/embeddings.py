"""Word vectors (词向量): from a number that says nothing to a vector in which words that are used alike lie close.

The vectors are learned from the words that stand around a word, as in word2vec: skip-gram with negative sampling.

Sources: T. Mikolov et al., "Efficient Estimation of Word Representations in Vector Space", 2013 (skip-gram); T. Mikolov
et al., "Distributed Representations of Words and Phrases and their Compositionality", 2013, section 2.2 (negative
sampling); both are called word2vec.
"""

import re
from collections import Counter

import torch
import torch.nn.functional as F
from torch import nn


def frequent_words(text, least=10):
    """The words that occur at least `least` times, most frequent first, and the text as their numbers: ids (T,).

    Punctuation and rarer words are left out, so that their neighbours stand side by side. `The` is not `the`.
    Raises ValueError when no word is as frequent.
    """
    all_words = re.findall(r"\w+", text)
    counts = Counter(all_words)
    words = [word for word, count in counts.most_common() if count >= least]
    if not words:
        raise ValueError(
            f"No word occurs {least} times; the most frequent one occurs {max(counts.values(), default=0)} times. "
            f"Use a longer text or a smaller `least`."
        )
    number_of = {word: number for number, word in enumerate(words)}
    return words, torch.tensor([number_of[word] for word in all_words if word in number_of])


def one_hot(ids, size):
    """A row of `size` numbers for every id: 1 at the place of the id, 0 elsewhere. ids (...) -> (..., size), float.

    Raises ValueError for an id outside 0 ... size - 1.
    """
    check_ids(ids, size)
    return (ids[..., None] == torch.arange(size, device=ids.device)).float()


class Embedding(nn.Module):
    """A table with one vector for each word of the vocabulary; ids (...) in, their rows (..., C) out.

    The rows start as torch.nn.Embedding's do, normal with standard deviation 1, and are learned like any weight.
    Raises ValueError for an id outside the vocabulary.
    """

    def __init__(self, vocabulary_size, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocabulary_size, channels))

    def forward(self, ids):
        check_ids(ids, len(self.weight))
        return self.weight[ids]


def check_ids(ids, size):
    """Raise ValueError for an id outside a vocabulary of `size` words."""
    outside = ids[(ids < 0) | (ids >= size)]
    if len(outside):
        raise ValueError(
            f"Word {outside[0].item()} is outside the vocabulary, which runs from 0 to {size - 1}. "
            f"Give the numbers of words of this vocabulary, or a bigger size."
        )


def skip_gram_pairs(ids, window):
    """Every word with each word at most `window` places away: ids (T,) -> (N, 2), the centre and its context.

    >>> skip_gram_pairs(torch.tensor([7, 8, 9]), 1).tolist()
    [[7, 8], [8, 9], [8, 7], [9, 8]]

    Raises ValueError unless the text has more words than the window, and the window at least one.
    Source: Mikolov et al., "Efficient Estimation of Word Representations in Vector Space", 2013, section 3.2.
    """
    if not 1 <= window < len(ids):
        raise ValueError(
            f"The window is {window}; it is the number of words seen on each side, at least 1 and less than the "
            f"{len(ids)} words of the text."
        )
    ahead = [torch.stack([ids[:-distance], ids[distance:]], dim=1) for distance in range(1, window + 1)]
    pairs = torch.cat(ahead)
    return torch.cat([pairs, pairs.flip(1)])  # the word behind sees the word in front, too


def negative_sampling_loss(centre, context, noise, negatives=5):
    """How badly the centres (B, C) tell their contexts (B, C) from noise words (K, C): the mean over the batch.

    -log σ(centre · context) - negatives · E[log σ(-centre · noise)]; the expected value is the mean over the K noise
    words, which the whole batch shares. Source: Mikolov et al., "Distributed Representations of Words and Phrases and
    their Compositionality", 2013, equation 4.
    """
    true_scores = (centre * context).sum(dim=1)  # (B,)
    noise_scores = centre @ noise.T  # (B, K)
    return -F.logsigmoid(true_scores).mean() - negatives * F.logsigmoid(-noise_scores).mean()


def train_word_vectors(ids, vocabulary_size, channels=64, window=2, steps=800, batch_size=2048, lr=0.01, seed=0):
    """word2vec: a vector for each word of a text, ids (T,) -> (V, C), from which its neighbours can be guessed.

    Every word has two vectors, one as a centre and one as a context; the first are returned. Noise words, 64 a step,
    are drawn in proportion to their frequency to the power of 3/4, as in the paper. `seed` chooses the first vectors,
    the batches and the noise. Raises ValueError for an id outside the vocabulary, or a window that does not fit.
    Source: Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality", 2013, 2.2.
    """
    check_ids(ids, vocabulary_size)
    generator = torch.Generator().manual_seed(seed)
    pairs = skip_gram_pairs(ids, window)
    noise_weights = torch.bincount(ids, minlength=vocabulary_size) ** 0.75
    centres = nn.Parameter((torch.rand(vocabulary_size, channels, generator=generator) - 0.5) / channels)
    contexts = nn.Parameter(torch.zeros(vocabulary_size, channels))
    optimizer = torch.optim.Adam([centres, contexts], lr=lr)
    for _ in range(steps):
        centre, context = pairs[torch.randint(len(pairs), (batch_size,), generator=generator)].T
        noise = torch.multinomial(noise_weights, 64, replacement=True, generator=generator)
        loss = negative_sampling_loss(centres[centre], contexts[context], contexts[noise])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return centres.detach()


def nearest(vectors, index, count):
    """The numbers of the `count` rows of vectors (V, C) most similar to row `index` by cosine, most similar first.

    The row itself is left out. Raises ValueError for an index outside the rows, or when there are no `count` others.
    """
    V = len(vectors)
    if not 0 <= index < V or not 1 <= count < V:
        raise ValueError(
            f"Asked for the {count} nearest rows to row {index}; there are {V} rows. "
            f"Give an index from 0 to {V - 1} and a count from 1 to {V - 1}."
        )
    similarity = F.cosine_similarity(vectors, vectors[index : index + 1])
    similarity[index] = -torch.inf
    return similarity.topk(count).indices


def project_2d(vectors):
    """The two directions in which vectors (N, C) differ most, as coordinates (N, 2): principal component analysis.

    The larger entries of each direction point to the positive side, so that the map is not mirrored by chance.
    Raises ValueError for fewer than three vectors or fewer than two channels.
    Source: K. Pearson, "On lines and planes of closest fit to systems of points in space", 1901.
    """
    if len(vectors) < 3 or vectors.shape[1] < 2:
        raise ValueError(
            f"A map needs at least 3 vectors of at least 2 channels; {tuple(vectors.shape)} came. Give (N, C)."
        )
    centred = vectors - vectors.mean(dim=0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:2]  # (2, C)
    largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
    return centred @ (directions * largest.sign()).T
