"""Word vectors: one-hot, the table, the pairs and the loss held equal to torch or a loop; what training finds."""

import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from torch import nn

from bmcourse.models.embeddings import (
    Embedding,
    frequent_words,
    nearest,
    negative_sampling_loss,
    one_hot,
    project_2d,
    skip_gram_pairs,
    train_word_vectors,
)
from tests.twins import assert_twins, randn

# ---------------------------------------------------------------- words


def test_frequent_words_come_first_and_leave_out_the_rest():
    words, ids = frequent_words("to be, or not to be: to __see__ The THE the the!", least=2)
    assert words == ["to", "be", "the"]
    assert [words[i] for i in ids] == ["to", "be", "to", "be", "to", "the", "the"]


@pytest.mark.parametrize("text, most", [("to be or not to be", 2), ("", 0), ("!?", 0)])
def test_frequent_words_of_a_text_without_any(text, most):
    with pytest.raises(ValueError, match=f"No word occurs 3 times; the most frequent one occurs {most} times. Use a"):
        frequent_words(text, least=3)


# ---------------------------------------------------------------- one-hot and the table


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,)])
def test_one_hot_equals_torchs(shape):
    ids = torch.randint(7, shape, generator=torch.Generator().manual_seed(0))
    ours = one_hot(ids, 7)
    assert ours.dtype == torch.float32
    assert torch.equal(ours, F.one_hot(ids, 7).float())


def test_a_one_hot_row_times_a_table_is_a_row_of_the_table():
    ids, table = torch.tensor([[3, 0], [3, 6]]), randn(7, 4)
    assert torch.equal(one_hot(ids, 7) @ table, table[ids])


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,)])
def test_embedding_equals_torchs_and_so_does_its_gradient(shape):
    ids = torch.randint(7, shape, generator=torch.Generator().manual_seed(0))
    ours, torchs = Embedding(7, 4), nn.Embedding(7, 4)
    torchs.load_state_dict(ours.state_dict())
    assert_twins(ours, torchs, call=lambda table: [table(ids)])


def test_embedding_starts_as_torchs_does():
    torch.manual_seed(0)
    ours = Embedding(7, 4)
    torch.manual_seed(0)
    assert torch.equal(ours.weight, nn.Embedding(7, 4).weight)


@pytest.mark.parametrize("bad", [-1, 7])
@pytest.mark.parametrize(
    "use", [lambda ids: one_hot(ids, 7), lambda ids: Embedding(7, 4)(ids), lambda ids: train_word_vectors(ids, 7)]
)
def test_ids_outside_the_vocabulary(use, bad):
    message = rf"Word {bad} is outside the vocabulary, which runs from 0 to 6\. Give the numbers of words of this"
    with pytest.raises(ValueError, match=message):
        use(torch.tensor([0, 6, bad, 2]))


# ---------------------------------------------------------------- pairs


def pairs_by_loop(ids, window):
    return [
        (ids[centre], ids[context])
        for centre in range(len(ids))
        for context in range(len(ids))
        if context != centre and abs(context - centre) <= window
    ]


@pytest.mark.parametrize("length, window", [(2, 1), (9, 1), (9, 3), (9, 8)])
def test_skip_gram_pairs_are_those_of_a_loop(length, window):
    ids = torch.randint(5, (length,), generator=torch.Generator().manual_seed(length))
    pairs = skip_gram_pairs(ids, window)
    assert pairs.shape == (len(pairs), 2) and pairs.dtype == ids.dtype
    assert sorted(map(tuple, pairs.tolist())) == sorted(pairs_by_loop(ids.tolist(), window))


def test_the_pairs_of_the_docstring():
    assert skip_gram_pairs(torch.tensor([7, 8, 9]), 1).tolist() == [[7, 8], [8, 9], [8, 7], [9, 8]]


@pytest.mark.parametrize("window", [0, -1, 4, 5])
def test_a_window_that_does_not_fit(window):
    message = f"The window is {window}; it is the number of words seen on each side, at least 1 and less than the 4 wo"
    for use in (skip_gram_pairs, lambda ids, window: train_word_vectors(ids, 9, window=window)):
        with pytest.raises(ValueError, match=message):
            use(torch.arange(4), window)


# ---------------------------------------------------------------- training


def test_the_loss_is_the_papers_formula():
    centre, context, noise = randn(3, 4), randn(3, 4, seed=1), randn(5, 4, seed=2)

    def log_sigmoid(a, b):
        return math.log(1 / (1 + math.exp(-sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True)))))

    total = 0.0
    for a, b in zip(centre, context, strict=True):
        total -= log_sigmoid(a, b) + 2 * sum(log_sigmoid(-a, word) for word in noise) / 5
    assert negative_sampling_loss(centre, context, noise, negatives=2).item() == pytest.approx(total / 3, rel=1e-5)


def planted_text(sentences=3000):
    """Ids of sentences on one of 20 topics t: the word 3t + 2, then one of the twins 3t and 3t + 1, then 3t + 2 again.

    Twins have the same contexts, and never stand in one sentence.
    """
    generator = torch.Generator().manual_seed(0)
    topic = 3 * torch.randint(20, (sentences,), generator=generator)
    twin = topic + torch.randint(2, (sentences,), generator=generator)
    return torch.stack([topic + 2, twin, topic + 2], dim=1).flatten()


@pytest.mark.parametrize("seed", [0, 1])
def test_words_that_share_their_contexts_become_neighbours(seed):
    vectors = train_word_vectors(planted_text(), 60, channels=16, window=1, steps=150, batch_size=512, seed=seed)
    for word in range(0, 60, 3):
        assert nearest(vectors, word, 1).tolist() == [word + 1] and nearest(vectors, word + 1, 1).tolist() == [word]
        assert F.cosine_similarity(vectors[word], vectors[word + 1], dim=0) > 0.8


def test_training_is_decided_by_its_seed_alone():
    ids = planted_text(50)
    first = train_word_vectors(ids, 60, channels=8, steps=5, seed=3)
    torch.rand(1)  # torch's global random state has no say
    assert torch.equal(train_word_vectors(ids, 60, channels=8, steps=5, seed=3), first)
    assert not torch.allclose(train_word_vectors(ids, 60, channels=8, steps=5, seed=4), first, atol=1e-3)
    assert first.shape == (60, 8) and not first.requires_grad


def test_vectors_start_small_and_all_different():
    vectors = train_word_vectors(planted_text(50), 60, channels=8, steps=0)
    assert 0.05 < vectors.abs().max() <= 0.5 / 8 and len(vectors.unique(dim=0)) == 60


def test_training_takes_no_random_numbers_of_torch():
    before = torch.get_rng_state()
    train_word_vectors(planted_text(50), 60, channels=8, steps=2)
    assert torch.equal(torch.get_rng_state(), before)


# ---------------------------------------------------------------- neighbours and the map


@pytest.mark.parametrize("index", [0, 4, 29])
def test_nearest_equals_torchs_cosine_similarity(index):
    vectors = randn(30, 5) * randn(30, 1, seed=1).exp()
    similarity = [F.cosine_similarity(vectors[index], row, dim=0).item() for row in vectors]
    others = [row for row in range(30) if row != index]
    assert nearest(vectors, index, 29).tolist() == sorted(others, key=lambda row: -similarity[row])
    assert nearest(vectors, index, 3).tolist() == nearest(vectors, index, 29).tolist()[:3]


def test_nearest_leaves_out_the_row_itself_and_not_its_twin():
    vectors = torch.tensor([[1.0, 2.0], [2.0, 4.0], [-1.0, 0.0]])
    assert nearest(vectors, 0, 2).tolist() == [1, 2] and nearest(vectors, 1, 2).tolist() == [0, 2]


@pytest.mark.parametrize("index, count", [(-1, 2), (4, 2), (0, 0), (0, 4)])
def test_nearest_out_of_range(index, count):
    message = f"Asked for the {count} nearest rows to row {index}; there are 4 rows. Give an index from 0 to 3 and a c"
    with pytest.raises(ValueError, match=message):
        nearest(randn(4, 2), index, count)


@pytest.mark.parametrize("shape", [(40, 6), (3, 2), (4, 9)])
def test_project_2d_equals_sklearns_pca_up_to_the_sign(shape):
    vectors = randn(*shape) * torch.linspace(3, 1, shape[1]) + 5
    ours, theirs = project_2d(vectors), torch.tensor(PCA(2, svd_solver="full").fit_transform(vectors.numpy()))
    signs = (ours * theirs).sum(0).sign()
    torch.testing.assert_close(ours, theirs * signs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_the_map_is_not_mirrored_by_chance(seed):
    vectors = randn(40, 3, seed=seed) * torch.tensor([1.0, 9.0, 3.0])
    x, y = project_2d(vectors).T
    assert x @ vectors[:, 1] > 0 and y @ vectors[:, 2] > 0


@pytest.mark.parametrize("shape", [(2, 5), (5, 1)])
def test_too_little_for_a_map(shape):
    message = rf"A map needs at least 3 vectors of at least 2 channels; \({shape[0]}, {shape[1]}\) came. Give \(N, C\)"
    with pytest.raises(ValueError, match=message):
        project_2d(randn(*shape))
