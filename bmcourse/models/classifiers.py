"""The architectures in a fair contest: every one a classifier of the same inputs, all with as many parameters.

A reader of sequences takes in one step after another, and answers by what it knows at the last one. A digit is read as
eight steps, its rows from top to bottom.
"""

import math

import torch
from torch import nn

from bmcourse.models.cnn import CNN
from bmcourse.models.mlp import MLP, Linear
from bmcourse.models.positions import sinusoidal_positions
from bmcourse.models.rnn import RNN, GRUCell, LSTMCell, RNNCell
from bmcourse.models.transformer import TransformerEncoder, TransformerEncoderLayer

ARCHITECTURES = ("MLP", "CNN", "RNN", "LSTM", "GRU", "Transformer")


class RNNClassifier(nn.Module):
    """Any recurrent cell as a classifier: a score for each class (B, classes) from its last hidden state.

    `embedding` turns the input, tokens (B, T) or rows (B, T, pixels), into (B, T, C).
    """

    def __init__(self, embedding, cell, classes):
        super().__init__()
        self.embedding, self.rnn, self.head = embedding, RNN(cell), Linear(cell.hidden_size, classes)

    def forward(self, x):
        hidden, _ = self.rnn(self.embedding(x))
        return self.head(hidden[:, -1])


class TransformerClassifier(nn.Module):
    """One encoder layer as a classifier: a score for each class (B, classes) from what the last step has gathered.

    `embedding` is as in RNNClassifier. Without `positions` the model cannot know in which order its inputs stand.
    """

    def __init__(self, embedding, channels, heads, feedforward, classes, positions=True):
        super().__init__()
        layer = TransformerEncoderLayer(channels, heads, feedforward, dropout=0.0, norm_first=True)
        self.embedding, self.encoder = embedding, TransformerEncoder(layer, num_layers=1)
        self.head, self.positions = Linear(channels, classes), positions

    def forward(self, x):
        x = self.embedding(x)
        if self.positions:
            x = x + sinusoidal_positions(*x.shape[1:]).to(x)
        return self.head(self.encoder(x)[:, -1])


def digit_classifier(name, positions=True):
    """A classifier of digits (B, 8, 8) of one of the ARCHITECTURES, with about 6,000 parameters.

    `positions` is for the Transformer alone. Raises ValueError for another name.
    """
    if name == "MLP":
        return nn.Sequential(nn.Flatten(), MLP([64, 80, 10]))
    if name == "CNN":
        return CNN(channels=16)
    if name == "Transformer":
        return TransformerClassifier(Linear(8, 24), 24, heads=4, feedforward=64, classes=10, positions=positions)
    return RNNClassifier(nn.Identity(), recurrent_cell(name, input_size=8), classes=10)


def recall_classifier(name, symbols=8):
    """A reader for the tokens (B, T) of data.recall, "RNN", "LSTM", "GRU" or "Transformer": about 6,000 parameters.

    Raises ValueError for another name.
    """
    if name == "Transformer":
        embedding = nn.Embedding(2 * symbols + 1, 24)
        return TransformerClassifier(embedding, 24, heads=4, feedforward=64, classes=symbols)
    return RNNClassifier(nn.Embedding(2 * symbols + 1, 8), recurrent_cell(name, input_size=8), classes=symbols)


def recurrent_cell(name, input_size):
    """The cell of that name, its hidden size chosen so that all three have as many parameters."""
    if name == "RNN":
        return RNNCell(input_size, 68)
    if name == "LSTM":
        return LSTMCell(input_size, 33)
    if name == "GRU":
        return GRUCell(input_size, 39)
    raise ValueError(
        f"There is no architecture {name!r} for this task; its names are in ARCHITECTURES: {ARCHITECTURES}."
    )


def remember(cell, steps):
    """Open the gate that keeps the memory, an LSTM's forget or a GRU's update gate, before the training begins.

    Near 0, where it starts, a sigmoid keeps half at every step: after 20 of them, a millionth. At log(steps) it keeps
    steps / (steps + 1): more than a third is left after `steps` of them. Raises ValueError for a cell without gates.
    Source: Tallec and Ollivier, "Can Recurrent Neural Networks Warp Time?", 2018, section 2, with one time for all.
    """
    if not isinstance(cell, LSTMCell | GRUCell):
        raise ValueError(f"{type(cell).__name__} has no gate to open. Pass an LSTMCell or a GRUCell.")
    with torch.no_grad():
        cell.bias_ih[cell.hidden_size : 2 * cell.hidden_size] += math.log(steps)
