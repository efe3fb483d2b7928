"""Recurrent networks (循环神经网络), simplest first: the plain cell, LSTM, GRU, and the loop that runs one over time.

A cell takes what comes in now and its state, and gives the new state. Its parameters have torch's names and order, so
state_dicts load both ways from torch.nn.RNNCell, LSTMCell and GRUCell.
"""

import math

import torch
from torch import nn

from bmcourse.models.mlp import linear


def cell_parameters(input_size, hidden_size, gates):
    """weight_ih, weight_hh, bias_ih, bias_hh for `gates` gates one below the other, uniform within ±1/√hidden_size."""
    bound, rows = 1 / math.sqrt(hidden_size), gates * hidden_size
    shapes = (rows, input_size), (rows, hidden_size), (rows,), (rows,)
    return [nn.Parameter(torch.empty(shape).uniform_(-bound, bound)) for shape in shapes]


class RNNCell(nn.Module):
    """The new state is tanh(input-to-hidden x + hidden-to-hidden h): x (B, input_size), h (B, hidden_size).

    Source: Elman, "Finding Structure in Time", 1990.
    """

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = cell_parameters(input_size, hidden_size, gates=1)

    def forward(self, x, hidden=None):
        hidden = checked_state(hidden, x, self.hidden_size)
        return torch.tanh(linear(x, self.weight_ih, self.bias_ih) + linear(hidden, self.weight_hh, self.bias_hh))


class LSTMCell(nn.Module):
    """A memory, `cell`, that changes only by what the gates let through: x (B, input_size), state (hidden, cell).

    The input gate says what is written, the forget gate what is kept, the output gate what is shown.
    Sources: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; the forget gate: Gers, Schmidhuber and Cummins,
    "Learning to Forget: Continual Prediction with LSTM", 2000.
    """

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = cell_parameters(input_size, hidden_size, gates=4)

    def forward(self, x, state=None):
        hidden, cell = (None, None) if state is None else state
        hidden = checked_state(hidden, x, self.hidden_size)
        cell = checked_state(cell, x, self.hidden_size)
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(hidden, self.weight_hh, self.bias_hh)
        input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=-1)
        cell = forget_gate.sigmoid() * cell + input_gate.sigmoid() * candidate.tanh()
        return output_gate.sigmoid() * cell.tanh(), cell


class GRUCell(nn.Module):
    """Two gates and no extra memory: the new state lies between the old one and a candidate. x (B, input_size).

    As in torch the reset gate acts behind the hidden-to-hidden product; in the paper it acts before it.
    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation",
    2014, section 2.3.
    """

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = cell_parameters(input_size, hidden_size, gates=3)

    def forward(self, x, hidden=None):
        hidden = checked_state(hidden, x, self.hidden_size)
        reset_x, update_x, candidate_x = linear(x, self.weight_ih, self.bias_ih).chunk(3, dim=-1)
        reset_h, update_h, candidate_h = linear(hidden, self.weight_hh, self.bias_hh).chunk(3, dim=-1)
        reset, update = torch.sigmoid(reset_x + reset_h), torch.sigmoid(update_x + update_h)
        candidate = torch.tanh(candidate_x + reset * candidate_h)
        return update * hidden + (1 - update) * candidate


class RNN(nn.Module):
    """Any cell, run over time: from x (B, T, input_size) every hidden state (B, T, hidden_size), and the last state.

    To read a text in pieces, pass the last state of one as `state` to the next; for an LSTM it is (hidden, cell).
    Raises ValueError unless x has three sizes and at least one step.
    """

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x, state=None):
        check_sequence(x)
        outputs = []
        for x_t in x.unbind(dim=1):
            state = self.cell(x_t, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs, dim=1), state


def checked_state(state, x, hidden_size):
    """The state, or zeros if there is none yet. Raises ValueError unless it is (B, hidden_size)."""
    expected = (*x.shape[:-1], hidden_size)
    if state is None:
        return x.new_zeros(expected)
    if state.shape != expected:
        raise ValueError(
            f"The state is {tuple(state.shape)}; for an input of {tuple(x.shape)} it must be {expected}. "
            f"Leave it out to begin with zeros; an LSTM takes two of them, (hidden, cell)."
        )
    return state


def check_sequence(x):
    if x.ndim != 3 or x.shape[1] == 0:
        raise ValueError(
            f"The input is {tuple(x.shape)}; expected (B, T, input_size): texts first, and at least one step. "
            f"For one text alone pass x[None]."
        )
