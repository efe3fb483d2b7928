"""The contest of architectures: as many parameters for all, what they read, and the gate that starts open."""

import pytest
import torch
from torch import nn

from bmcourse import data
from bmcourse.models.classifiers import (
    ARCHITECTURES,
    RNNClassifier,
    TransformerClassifier,
    digit_classifier,
    recall_classifier,
    recurrent_cell,
    remember,
)
from bmcourse.models.rnn import GRUCell, LSTMCell, RNNCell

READERS = ("RNN", "LSTM", "GRU", "Transformer")


def size(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("build, names", [(digit_classifier, ARCHITECTURES), (recall_classifier, READERS)])
def test_all_have_as_many_parameters(build, names):
    sizes = [size(build(name)) for name in names]
    assert max(sizes) < 1.05 * min(sizes) and min(sizes) > 5_800


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_digit_gets_ten_scores_and_every_pixel_counts(name):
    torch.manual_seed(0)
    images = torch.rand(3, 8, 8, requires_grad=True)
    scores = digit_classifier(name)(images)
    assert scores.shape == (3, 10)
    scores.square().sum().backward()
    assert images.grad.sum(0).count_nonzero() == 64


@pytest.mark.parametrize("name", READERS)
def test_a_sequence_of_any_length_gets_a_score_for_each_symbol(name):
    model = recall_classifier(name, symbols=5)
    for distance in (1, 7):
        tokens, _ = data.recall(4, distance, torch.Generator().manual_seed(0), symbols=5)
        assert model(tokens).shape == (4, 5)


@pytest.mark.parametrize("name", READERS)
def test_the_first_token_reaches_the_answer(name):
    model = recall_classifier(name)
    tokens = torch.tensor([[0, 9, 10, 11, 16], [1, 9, 10, 11, 16]])
    first, second = model(tokens)
    assert not torch.allclose(first, second, atol=1e-6)


def test_an_rnn_classifier_is_torchs_rnn_and_a_linear_layer():
    ours = RNNClassifier(nn.Identity(), RNNCell(3, 4), classes=2)
    theirs = nn.RNN(3, 4, batch_first=True)
    theirs.load_state_dict({f"{name}_l0": value for name, value in ours.rnn.cell.state_dict().items()})
    x = torch.randn(5, 6, 3)
    last = theirs(x)[1][0]
    torch.testing.assert_close(ours(x), last @ ours.head.weight.T + ours.head.bias)


def test_without_positions_the_order_of_the_other_steps_does_not_count():
    torch.manual_seed(0)
    images, order = torch.rand(4, 8, 8), [3, 0, 6, 1, 5, 2, 4, 7]
    bag = digit_classifier("Transformer", positions=False)
    torch.testing.assert_close(bag(images[:, order]), bag(images))
    reader = digit_classifier("Transformer")
    assert not torch.allclose(reader(images[:, order]), reader(images), atol=1e-3)


def test_positions_are_added_in_double_precision_too():
    model = TransformerClassifier(nn.Identity(), 8, heads=2, feedforward=16, classes=3).double()
    assert model(torch.randn(2, 5, 8, dtype=torch.float64)).dtype == torch.float64


def test_an_open_gate_still_has_a_third_of_the_memory_after_those_steps():
    lstm, gru = LSTMCell(2, 3), GRUCell(2, 3)
    for cell in (lstm, gru):
        for parameter in cell.parameters():
            nn.init.zeros_(parameter)
        remember(cell, 64)
    x, hidden, memory = torch.zeros(1, 2), torch.ones(1, 3), torch.ones(1, 3)
    state = hidden, memory
    for _ in range(64):
        hidden, state = gru(x, hidden), lstm(x, state)
    for kept in (hidden, state[1]):
        torch.testing.assert_close(kept, torch.full((1, 3), (64 / 65) ** 64))
    assert 1 / 3 < (64 / 65) ** 64 < 0.4


def test_a_plain_cell_has_no_gate():
    with pytest.raises(ValueError, match="RNNCell has no gate to open. Pass an LSTMCell or a GRUCell"):
        remember(RNNCell(2, 3), 64)


@pytest.mark.parametrize("build", [digit_classifier, recall_classifier, lambda name: recurrent_cell(name, 8)])
def test_an_unknown_architecture(build):
    with pytest.raises(ValueError, match="There is no architecture 'Mamba'.*'RNN', 'LSTM', 'GRU'"):
        build("Mamba")
