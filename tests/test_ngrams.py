"""Counting n-grams: a hand-worked answer, a slow loop, probabilities that sum to one, the windows of evaluate."""

from collections import Counter

import pytest
import torch

from bmcourse.ngrams import DISCOUNT, NGrams
from bmcourse.training import evaluate


def random_ids(count, V, seed=0):
    """Tokens that repeat each other a lot, so that all orders find something."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(2, (count,), generator=generator) + (torch.rand(count, generator=generator) < 0.1)
    return steps.cumsum(0) % V


def test_worked_by_hand():
    # The text 0 1 0 1 0 2. Pairs: 01 twice, 10 twice, 02 once. Different tokens before: two before 0? only 1: one;
    # before 1: one; before 2: one. So p_1 is (1 - d) / 3 + d / 3 = 1/3 each: three kinds, three pairs.
    model = NGrams(torch.tensor([0, 1, 0, 1, 0, 2]), 3, order=2)
    torch.testing.assert_close(model.next_probabilities(torch.tensor([])), torch.full((3,), 1 / 3).double())
    after_0 = [0.0, 2 - DISCOUNT, 1 - DISCOUNT]  # 0 stands three times, before two different tokens
    expected = torch.tensor(after_0).double() / 3 + DISCOUNT * 2 / 3 / 3
    torch.testing.assert_close(model.next_probabilities(torch.tensor([0])), expected)
    # After a 2 nothing was ever seen: what follows nothing in particular.
    torch.testing.assert_close(model.next_probabilities(torch.tensor([2])), torch.full((3,), 1 / 3).double())


def slow(ids, V, order, context, token):
    """The formula, by dictionaries and recursion."""
    grams = Counter(tuple(ids[i : i + order]) for i in range(len(ids) - order + 1))
    tables = {order: grams}
    for n in range(order - 1, 0, -1):
        tables[n] = Counter(gram[1:] for gram in tables[n + 1])

    def probability(history):
        lower = probability(history[1:]) if history else 1 / V
        counts = {gram[-1]: c for gram, c in tables[len(history) + 1].items() if gram[:-1] == history}
        if not counts:
            return lower
        discounted = max(counts.get(token, 0) - DISCOUNT, 0)
        return (discounted + DISCOUNT * len(counts) * lower) / sum(counts.values())

    return probability(tuple(context[max(0, len(context) - order + 1) :]))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_equal_to_a_slow_loop_and_sums_to_one(order):
    ids = random_ids(300, 5)
    model = NGrams(ids, 5, order)
    for context in ([], [3], [0, 1], [4, 4, 4, 4, 4], ids[:6].tolist(), ids[50:53].tolist()):
        p = model.next_probabilities(torch.tensor(context, dtype=torch.long))
        assert p.sum().item() == pytest.approx(1)
        assert p.min() > 0
        expected = [slow(ids.tolist(), 5, order, context, token) for token in range(5)]
        assert p.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("order, context", [(1, 4), (3, 1), (3, 8), (5, 16)])
def test_losses_are_of_evaluates_windows(order, context):
    train, unread = random_ids(300, 5), random_ids(101, 5, seed=1)
    model = NGrams(train, 5, order)

    class AsModel(torch.nn.Module):
        def forward(self, tokens):
            rows = [[model.next_probabilities(row[: t + 1]) for t in range(len(row))] for row in tokens]
            return torch.stack([torch.stack(row) for row in rows]).log()

    losses = model.losses(unread, context)
    assert losses.shape == (100 // context, context)
    assert losses.mean().item() == pytest.approx(evaluate(AsModel(), unread, context))


def test_more_context_is_better_on_a_text_with_long_rules():
    train, unread = random_ids(5000, 7), random_ids(1001, 7, seed=1)
    unigram, pair = (NGrams(train, 7, order).losses(unread, 50).mean() for order in (1, 2))
    assert pair < unigram / 2 < torch.tensor(7.0).log() / 2 + 0.01


@pytest.mark.parametrize("order, V", [(0, 5), (11, 5), (10, 100)])
def test_an_order_that_does_not_fit(order, V):
    with pytest.raises(ValueError, match=f"order is {order}; it must be 1 or more, at most the text's 10 tokens"):
        NGrams(torch.zeros(10, dtype=torch.long), V, order)
