"""Few labels against scikit-learn, loops written out, and examples worked by hand."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.semi_supervised import LabelSpreading
from torch import nn

from bmcourse import data
from bmcourse.few_labels import (
    confirmation,
    few,
    fit,
    fixmatch,
    fixmatch_loss,
    hide_words,
    label_spreading,
    masked_loss,
    neighbour_graph,
    pretrain,
    pseudo_labels,
    rbf_graph,
    surer_than,
)
from bmcourse.models.mlp import MLP
from bmcourse.models.sentences import PADDING, UNKNOWN, SentenceClassifier
from tests.twins import randn

LABELS = torch.tensor([0, 1, 2] * 20)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(*sizes, seed=0):
    torch.manual_seed(seed)
    return MLP(sizes)


def clouds(count=200, seed=0):
    """Points of two well-separated clouds, and which one each is from."""
    labels = torch.arange(count) % 2
    return randn(count, 2, seed=seed) + 6 * labels[:, None] - 3, labels


# ---------------------------------------------------------------- the choice


@pytest.mark.parametrize("count", [3, 12, 60])
def test_the_choice_has_as_many_of_each_class_and_none_twice(count):
    rows = few(LABELS, count, 3, seeded())
    assert LABELS[rows].bincount().tolist() == [count // 3] * 3
    assert len(set(rows.tolist())) == count


def test_the_choice_follows_the_generator_and_grows():
    small, large = (few(LABELS, count, 3, seeded(5)) for count in (6, 30))
    assert torch.equal(small, few(LABELS, 6, 3, seeded(5)))
    assert set(small.tolist()) < set(large.tolist())
    assert set(small.tolist()) != set(few(LABELS, 6, 3, seeded(6)).tolist())


@pytest.mark.parametrize("count", [0, 2, 10])
def test_labels_that_cannot_be_shared_evenly(count):
    with pytest.raises(ValueError, match=f"{count} labels cannot be shared evenly among 3 classes. Ask for a multiple"):
        few(LABELS, count, 3, seeded())


def test_a_class_with_too_few_examples():
    with pytest.raises(ValueError, match="Class 2 has 20 examples, and 21 are asked for. Ask for fewer labels"):
        few(torch.cat([LABELS, torch.tensor([0, 1])]), 63, 3, seeded())


# ---------------------------------------------------------------- training


def shifted(x, generator):
    return x + torch.rand(len(x), 1, generator=generator)


@pytest.mark.parametrize("augment", [None, shifted])
def test_fitting_equals_a_loop_written_by_hand(augment):
    model, (inputs, labels) = network(2, 4, 2), clouds(20)
    twin = copy.deepcopy(model)
    losses = fit(model, inputs, labels, seeded(3), steps=5, lr=0.01, batch_size=8, augment=augment)
    generator, optimizer = seeded(3), torch.optim.Adam(twin.parameters(), lr=0.01)
    for loss in losses:
        rows = torch.randint(20, (8,), generator=generator)
        batch = inputs[rows] + torch.rand(8, 1, generator=generator) if augment else inputs[rows]
        expected = F.cross_entropy(twin(batch), labels[rows])
        assert loss == pytest.approx(expected.item(), rel=1e-5)
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()
    assert len(losses) == 5


# ---------------------------------------------------------------- pseudo-labels


def test_what_is_sure_enough_by_hand():
    logits = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.3, 0.7], [0.05, 0.95]]).log()
    for threshold, expected in [(0.0, [0, 1, 2, 3]), (0.6, [0, 2, 3]), (0.89, [0, 3]), (0.99, [])]:
        rows, guesses = surer_than(nn.Identity(), logits, threshold)
        assert rows.tolist() == expected
        assert guesses.tolist() == [[0, 0, 1, 1][row] for row in expected]


def test_the_model_is_asked_without_dropout_and_put_back():
    model = nn.Sequential(nn.Dropout(0.9), nn.Identity())
    assert surer_than(model, torch.tensor([[9.0, 0.0]]).expand(50, 2), 0.99)[0].tolist() == list(range(50))
    assert model.training


def test_pseudo_labels_are_training_labelling_and_training_anew():
    model, (inputs, labels) = network(2, 8, 2), clouds()
    twin, untrained = copy.deepcopy(model), copy.deepcopy(model)
    known, unlabelled = [0, 1], inputs[2:]
    settings = {"steps": 20, "lr": 0.02, "batch_size": 4}
    history = pseudo_labels(
        model, inputs[known], labels[known], unlabelled, seeded(1), threshold=0.8, rounds=2, **settings
    )
    generator = seeded(1)
    fit(twin, inputs[known], labels[known], generator, **settings)
    for rows, guesses in history:
        surest, expected = twin(unlabelled).softmax(1).max(1)
        assert rows.tolist() == [i for i in range(198) if surest[i] >= 0.8] and len(rows)
        assert torch.equal(guesses, expected[rows])
        twin = copy.deepcopy(untrained)
        together = torch.cat([inputs[known], unlabelled[rows]]), torch.cat([labels[known], guesses])
        fit(twin, *together, generator, **settings)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


def test_nothing_sure_leaves_the_labels_alone():
    model, (inputs, labels) = network(2, 2), clouds(20)
    ((rows, guesses),) = pseudo_labels(
        model, inputs[:4], labels[:4] * 0, inputs[4:], seeded(), threshold=1.0, steps=1, lr=1e-9
    )
    assert len(rows) == len(guesses) == 0


def test_one_label_of_each_cloud_names_all_points():
    model, (inputs, labels) = network(2, 8, 2), clouds()
    pseudo_labels(model, inputs[:2], labels[:2], inputs[2:], seeded(), threshold=0.9, lr=0.02)
    assert (model(inputs).argmax(1) == labels).float().mean() > 0.98


def test_confirmation_by_hand():
    says = torch.eye(3)[[0, 1, 2, 2, 1]]  # the model answers 0 1 2 2 1
    truth = torch.tensor([0, 0, 0, 1, 1])
    rows, guesses = torch.tensor([0, 1, 2, 3]), torch.tensor([0, 1, 1, 2])
    assert confirmation(nn.Identity(), says, rows, guesses, truth) == pytest.approx((3 / 4, 2 / 3))


def test_confirmation_of_nothing_wrong_and_of_nothing():
    says, truth, none = torch.eye(2), torch.tensor([0, 1]), torch.tensor([], dtype=torch.long)
    assert confirmation(nn.Identity(), says, torch.arange(2), truth, truth) == (0.0, 0.0)
    assert confirmation(nn.Identity(), says, none, none, truth) == (0.0, 0.0)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_probability(threshold):
    for call in (
        lambda: surer_than(nn.Identity(), randn(2, 2), threshold),
        lambda: fixmatch_loss(randn(2, 2), randn(2, 2), threshold),
    ):
        with pytest.raises(ValueError, match=r"threshold is .*; it is a probability, from 0 to 1. 0.95 is usual"):
            call()


# ---------------------------------------------------------------- FixMatch


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.8, 1.0])
def test_the_loss_equals_a_loop(threshold):
    weak, strong = randn(12, 3) * 2, randn(12, 3, seed=1)
    total = 0.0
    for w, s in zip(weak, strong, strict=True):
        surest, guess = w.softmax(0).max(0)
        if surest >= threshold:
            total -= s.log_softmax(0)[guess].item()
    assert fixmatch_loss(weak, strong, threshold).item() == pytest.approx(total / 12, rel=1e-5)


def test_the_loss_by_hand():
    weak = torch.tensor([[0.96, 0.04], [0.9, 0.1]]).log()  # only the first is sure of its class 0
    strong = torch.tensor([[0.5, 0.5], [0.001, 0.999]]).log()
    assert fixmatch_loss(weak, strong).item() == pytest.approx(0.6931 / 2, abs=1e-4)


def test_what_the_model_says_of_the_weak_input_gets_no_gradient():
    weak, strong = (5 * randn(6, 3)).requires_grad_(), randn(6, 3, seed=1).requires_grad_()
    fixmatch_loss(weak, strong, 0.9).backward()
    sure = weak.softmax(1).amax(1) >= 0.9
    assert weak.grad is None
    assert 0 < sure.sum() < 6 and torch.equal(strong.grad.abs().sum(1) > 0, sure)


def test_augmentations_that_change_the_number_of_inputs():
    with pytest.raises(
        ValueError, match=r"weak logits are \(4, 2\), the strong ones \(3, 2\); expected the same shape"
    ):
        fixmatch_loss(randn(4, 2), randn(3, 2))


def test_fixmatch_equals_a_loop_written_by_hand():
    model, (inputs, labels) = network(2, 8, 2), clouds(40)
    twin = copy.deepcopy(model)
    known, unlabelled = inputs[:4], inputs[4:]
    settings = {"steps": 4, "lr": 0.01, "batch_size": 3, "ratio": 2, "threshold": 0.6, "weight": 0.5}
    weak, strong = shifted, lambda x, generator: x + torch.randn(x.shape, generator=generator)
    losses = fixmatch(model, known, labels[:4], unlabelled, weak, strong, seeded(2), **settings)
    generator, optimizer = seeded(2), torch.optim.Adam(twin.parameters(), lr=0.01)
    for loss in losses:
        some, new = (torch.randint(n, (size,), generator=generator) for n, size in [(4, 3), (36, 6)])
        x = known[some] + torch.rand(3, 1, generator=generator)
        expected = F.cross_entropy(twin(x), labels[some])
        surest, guesses = twin(unlabelled[new] + torch.rand(6, 1, generator=generator)).softmax(1).max(1)
        logits = twin(unlabelled[new] + torch.randn(6, 2, generator=generator))
        kept = torch.where(surest >= 0.6, guesses, -100)
        expected = expected + 0.5 * F.cross_entropy(logits, kept, reduction="sum") / 6
        assert loss == pytest.approx(expected.item(), rel=1e-5)
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()


def test_fixmatch_names_the_clouds():
    model, (inputs, labels) = network(2, 8, 2), clouds()
    small = lambda x, generator: x + 0.5 * torch.randn(x.shape, generator=generator)  # noqa: E731
    losses = fixmatch(model, inputs[:2], labels[:2], inputs[2:], small, small, seeded(), steps=200, lr=0.02)
    assert len(losses) == 200 and (model(inputs).argmax(1) == labels).float().mean() > 0.98


# ---------------------------------------------------------------- label spreading


def digits_to_spread(count=300):
    """Images (N, 64), and three labels of each digit, else -1."""
    digits = data.digits()
    truth, labels = digits.train_labels[:count], torch.full((count,), -1)
    rows = few(truth, 30, 10, seeded())
    labels[rows] = truth[rows]
    return digits.train_images[:count].flatten(1).double(), labels


def spread_by_sklearn(images, labels, alpha, **settings):
    model = LabelSpreading(alpha=alpha, max_iter=5000, tol=1e-12, **settings).fit(images.numpy(), labels.numpy())
    return torch.from_numpy(model.label_distributions_)


@pytest.mark.parametrize("alpha", [0.2, 0.9])
@pytest.mark.parametrize("gamma", [0.3, 20.0])
def test_spreading_equals_sklearns_with_rbf(alpha, gamma):
    images, labels = digits_to_spread()
    images = images / images.norm(dim=1, keepdim=True)
    expected = spread_by_sklearn(images, labels, alpha, kernel="rbf", gamma=gamma)
    torch.testing.assert_close(label_spreading(rbf_graph(images, gamma), labels, 10, alpha), expected)


@pytest.mark.parametrize("alpha", [0.2, 0.9])
def test_spreading_equals_sklearns_with_neighbours_both_ways(alpha):
    images, labels = digits_to_spread()
    graph = neighbour_graph(images, 7).double()
    expected = spread_by_sklearn(images, labels, alpha, kernel=lambda a, b: graph.numpy())
    torch.testing.assert_close(label_spreading(graph, labels, 10, alpha), expected)


def test_neighbours_are_sklearns_made_symmetric():
    from sklearn.neighbors import kneighbors_graph

    points = randn(80, 3)
    one_way = kneighbors_graph(points.numpy(), 7).toarray()  # without the point itself
    assert np.array_equal(neighbour_graph(points, 7).numpy(), np.maximum(one_way, one_way.T))


def test_the_closed_form_is_where_the_steps_end():
    graph, labels, alpha = randn(6, 6).abs(), torch.tensor([0, 1, -1, -1, -1, -1]), 0.8
    graph = (graph + graph.T).fill_diagonal_(0)
    own, beliefs = torch.zeros(6, 2), torch.zeros(6, 2)
    own[0, 0] = own[1, 1] = 1
    for _ in range(200):
        after = (1 - alpha) * own
        for i in range(6):
            for j in range(6):
                after[i] += alpha * graph[i, j] / (graph[i].sum() * graph[j].sum()).sqrt() * beliefs[j]
        beliefs = after
    expected = beliefs / beliefs.sum(1, keepdim=True)
    torch.testing.assert_close(label_spreading(graph, labels, 2, alpha), expected, atol=1e-5, rtol=1e-5)


def test_a_chain_of_three_by_hand():
    graph = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])  # 0 - ? - 1
    beliefs = label_spreading(graph, torch.tensor([0, -1, 1]), 2, alpha=0.5)
    # by hand: own (1, 0), (0, 0), (0, 1), flow 1 / √2 between neighbours; beliefs ∝ (7, 1), (1, 1), (1, 7)
    torch.testing.assert_close(beliefs, torch.tensor([[7, 1], [4, 4], [1, 7]]) / 8)


def test_what_no_label_reaches_gets_nothing():
    graph = torch.zeros(5, 5)
    graph[0, 1] = graph[1, 0] = graph[2, 3] = graph[3, 2] = 1.0  # and the last stands alone
    beliefs = label_spreading(graph, torch.tensor([1, -1, -1, -1, -1]), 2)
    assert beliefs.tolist() == [[0, 1], [0, 1], [0, 0], [0, 0], [0, 0]]


def test_labels_reach_a_whole_ring_that_no_line_divides():
    angle = torch.arange(100) / 100 * 2 * torch.pi
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    points, truth = torch.cat([circle, 3 * circle]), torch.arange(200) // 100
    labels = torch.full((200,), -1)
    labels[0], labels[150] = 0, 1
    assert torch.equal(label_spreading(neighbour_graph(points, 2), labels, 2).argmax(1), truth)


def test_a_graph_by_hand():
    points = torch.tensor([[0.0], [1.0], [3.0]])
    near, far = torch.tensor([-1.0, -4.0]).exp().tolist()
    expected = torch.tensor([[0, near, far**2.25], [near, 0, far], [far**2.25, far, 0]])
    torch.testing.assert_close(rbf_graph(points, gamma=1.0), expected)
    assert neighbour_graph(points, 1).tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert neighbour_graph(randn(5, 8, 8), 4).tolist() == (1 - torch.eye(5)).tolist()


@pytest.mark.parametrize("gamma", [0, -1.0, float("nan")])
def test_a_gamma_that_is_not_above_0(gamma):
    with pytest.raises(ValueError, match=r"gamma is .*; it must be above 0. The larger it is, the fewer"):
        rbf_graph(randn(3, 2), gamma)


@pytest.mark.parametrize("neighbours", [0, 3])
def test_a_number_of_neighbours_that_there_are_not(neighbours):
    with pytest.raises(ValueError, match=f"neighbours is {neighbours}, and there are 3 inputs; it must be 1 to 2"):
        neighbour_graph(randn(3, 2), neighbours)


GRAPH = 1 - torch.eye(3)


@pytest.mark.parametrize(
    ("graph", "labels", "message"),
    [
        (GRAPH[:2], [0, -1, 1], r"The graph is \(2, 3\) and there are 3 labels; it must be \(3, 3\)"),
        (GRAPH, [0, -1], r"The graph is \(3, 3\) and there are 2 labels; it must be \(2, 2\). Give inputs without"),
        (GRAPH, [0, -1, 2], "2 is no class: labels must be 0 to 1, or -1 where there is none"),
        (GRAPH, [0, -2, 1], "-2 is no class"),
        (GRAPH, [-1, -1, -1], "Every label is -1, so there is nothing to spread. Give at least one"),
    ],
)
def test_what_cannot_be_spread(graph, labels, message):
    with pytest.raises(ValueError, match=message):
        label_spreading(graph, torch.tensor(labels), 2)


@pytest.mark.parametrize("alpha", [0, 1, -0.5, float("nan")])
def test_a_share_of_the_neighbours_outside_0_to_1(alpha):
    with pytest.raises(ValueError, match=r"alpha is .*; it is the neighbours' share of what a point believes"):
        label_spreading(GRAPH, torch.tensor([0, -1, 1]), 2, alpha)


# ---------------------------------------------------------------- masked pre-training


def sentences(count=300, seed=0):
    """Sentences of the words 2 to 9 in which each word stands twice, side by side: 4 4 7 7 2 2."""
    return torch.randint(2, 10, (count, 3), generator=seeded(seed)).repeat_interleave(2, dim=1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SentenceClassifier(vocabulary_size=10, classes=2, channels=16, heads=2)


def test_words_are_hidden_and_nothing_else():
    tokens = torch.tensor([[5, UNKNOWN, 7, PADDING], [2, 3, 4, 6]]).repeat(500, 1)
    before = tokens.clone()
    hidden, places = hide_words(tokens, 0.3, seeded())
    assert torch.equal(tokens, before)
    assert (hidden[places] == UNKNOWN).all() and torch.equal(hidden[~places], tokens[~places])
    assert not places[tokens <= UNKNOWN].any()
    assert places[tokens > UNKNOWN].float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(places, hide_words(tokens, 0.3, seeded())[1])
    assert hide_words(tokens, 1.0, seeded())[1].equal(tokens > UNKNOWN)


def test_the_masked_loss_equals_a_loop(model):
    tokens = F.pad(sentences(6), [0, 2], value=PADDING)
    hidden, places = hide_words(tokens, 0.4, seeded(4))
    total = 0.0
    for sentence, original, place in zip(hidden, tokens, places, strict=True):
        words = sentence[:6]  # alone, without padding
        vectors = model.encoder(model.ask(model.embedding(words[None])))[0, 1:]
        for t in range(6):
            if place[t]:
                scores = torch.stack([vectors[t] @ model.embedding.weight[word] for word in range(2, 10)])
                total -= scores.log_softmax(0)[original[t] - 2].item()
    loss = masked_loss(model, tokens, 0.4, seeded(4))
    assert places.sum() > 5 and loss.item() == pytest.approx(total / places.sum().item(), rel=1e-5)


def test_no_word_hidden_costs_nothing(model):
    loss = masked_loss(model, torch.tensor([[UNKNOWN, PADDING]]), 0.5, seeded())
    loss.backward()
    assert loss.item() == 0 and not any(p.grad.any() for p in model.parameters() if p.grad is not None)


def test_pre_training_finds_a_hidden_word_in_its_twin(model):
    losses = pretrain(model, sentences(), seeded(), share=0.2, steps=400, lr=0.01)
    assert len(losses) == 400
    assert sum(losses[:10]) / 10 > 1.9  # about log 8, a guess
    assert sum(losses[-10:]) / 10 < 1.0
    assert not model.embedding.weight[PADDING].any()


def test_pre_training_repeats_itself(model):
    twin = copy.deepcopy(model)
    assert pretrain(model, sentences(), seeded(1), steps=3) == pretrain(twin, sentences(), seeded(1), steps=3)


def test_a_pre_trained_model_is_fitted_as_any_other(model):
    tokens = sentences()
    labels = (tokens[:, 0] > 5).long()
    pretrain(model, tokens, seeded(), steps=20)
    fit(model, tokens, labels, seeded(), lr=0.01, steps=100)
    assert (model(tokens).argmax(1) == labels).float().mean() > 0.95


def test_sentences_are_inputs_as_any_others(model):
    tokens = sentences()
    labels = (tokens == 9).any(1).long()
    start = copy.deepcopy(model.state_dict())
    ((rows, guesses),) = pseudo_labels(model, tokens[:60], labels[:60], tokens[60:], seeded(), lr=0.01, steps=60)
    assert len(rows) > 100 and confirmation(model, tokens[60:], rows, guesses, labels[60:])[0] < 0.1
    model.load_state_dict(start)
    fixmatch(
        model,
        tokens[:60],
        labels[:60],
        tokens[60:],
        weak=lambda words, generator: words,
        strong=lambda words, generator: hide_words(words, 0.2, generator)[0],
        generator=seeded(),
        lr=0.01,
        steps=60,
    )
    assert (model(tokens[60:]).argmax(1) == labels[60:]).float().mean() > 0.9


@pytest.mark.parametrize("share", [0, 1.5, float("nan")])
def test_a_share_of_words_outside_0_to_1(share):
    with pytest.raises(ValueError, match=r"share is .*; it is the share of words to hide, above 0 and at most 1"):
        hide_words(sentences(2), share, seeded())


def test_sentences_without_a_known_word(model):
    with pytest.raises(ValueError, match="No word of the sentences is known, so none can be hidden. Pass number_words"):
        pretrain(model, torch.tensor([[UNKNOWN, PADDING]]), seeded())
