"""The recurrent cells and the loop over time, held equal to torch.nn with the same weights."""

import pytest
import torch
from torch import nn

from bmcourse.models.rnn import RNN, GRUCell, LSTMCell, RNNCell
from tests.twins import assert_twins, randn

CELLS = {RNNCell: nn.RNNCell, LSTMCell: nn.LSTMCell, GRUCell: nn.GRUCell}
NETWORKS = {RNNCell: nn.RNN, LSTMCell: nn.LSTM, GRUCell: nn.GRU}


def flat(state):
    """A state as a list of tensors; torch's networks have one more size, of layers, in front."""
    return [part.reshape(-1, part.shape[-1]) for part in (state if isinstance(state, tuple) else (state,))]


def a_state(ours, seed=1):
    hidden, cell = randn(2, 4, seed=seed), randn(2, 4, seed=seed + 1)
    return (hidden, cell) if ours is LSTMCell else hidden


@pytest.mark.parametrize("ours", CELLS)
def test_a_cell_equals_torchs(ours):
    cell, torchs = ours(3, 4), CELLS[ours](3, 4)
    torchs.load_state_dict(cell.state_dict())
    assert_twins(cell, torchs, randn(2, 3), call=lambda cell, x: flat(cell(x)))
    if ours is LSTMCell:
        inputs, call = [randn(2, 3), *a_state(ours)], lambda cell, x, hidden, memory: flat(cell(x, (hidden, memory)))
    else:
        inputs, call = [randn(2, 3), a_state(ours)], lambda cell, x, hidden: flat(cell(x, hidden))
    assert_twins(cell, torchs, *inputs, call=call)


@pytest.mark.parametrize("ours", CELLS)
def test_weights_load_both_ways_and_start_as_torchs_do(ours):
    torch.manual_seed(0)
    cell = ours(3, 4)
    torch.manual_seed(0)
    torchs = CELLS[ours](3, 4)
    torch.testing.assert_close(cell.state_dict(), torchs.state_dict(), atol=1e-7, rtol=0)
    other = CELLS[ours](3, 4)
    cell.load_state_dict(other.state_dict())
    x = randn(2, 3)
    torch.testing.assert_close(flat(cell(x)), flat(other(x)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("ours", CELLS)
def test_a_network_equals_torchs_over_time(ours):
    rnn, torchs = RNN(ours(3, 4)), NETWORKS[ours](3, 4, batch_first=True)
    torchs.load_state_dict({f"{name}_l0": value for name, value in rnn.cell.state_dict().items()})

    def call(network, x):
        outputs, state = network(x)
        return [outputs, *flat(state)]

    assert_twins(rnn, torchs, randn(2, 6, 3), call=call)


@pytest.mark.parametrize("ours", CELLS)
def test_a_text_read_in_pieces_is_the_text_read_at_once(ours):
    rnn, x = RNN(ours(3, 4)), randn(2, 6, 3)
    whole, last = rnn(x, a_state(ours))
    begin, state = rnn(x[:, :2], a_state(ours))
    end, state = rnn(x[:, 2:], state)
    torch.testing.assert_close(torch.cat([begin, end], dim=1), whole)
    torch.testing.assert_close(flat(state), flat(last))


@pytest.mark.parametrize("ours", CELLS)
def test_nothing_comes_from_the_future(ours):
    rnn, x = RNN(ours(3, 4)), randn(2, 6, 3)
    changed = x.clone()
    changed[:, 3] += 1
    before, after = rnn(x)[0], rnn(changed)[0]
    assert torch.equal(before[:, :3], after[:, :3]) and not torch.allclose(before[:, 3:], after[:, 3:])


def test_an_open_forget_gate_keeps_the_memory():
    cell = LSTMCell(3, 4)
    with torch.no_grad():
        cell.bias_ih[:4], cell.bias_ih[4:8] = -50.0, 50.0  # nothing written, nothing forgotten
    (hidden, memory), x = a_state(LSTMCell), randn(2, 3)
    for _ in range(100):
        hidden, memory = cell(x, (hidden, memory))
    torch.testing.assert_close(memory, a_state(LSTMCell)[1])


def test_a_closed_update_gate_keeps_the_state():
    cell = GRUCell(3, 4)
    with torch.no_grad():
        cell.bias_ih[4:8] = 50.0
    torch.testing.assert_close(cell(randn(2, 3), a_state(GRUCell)), a_state(GRUCell))


def test_states_and_inputs_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"state is \(3, 4\); for an input of \(2, 3\) it must be \(2, 4\)"):
        GRUCell(3, 4)(torch.zeros(2, 3), torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"state is \(4,\).* an LSTM takes two of them, \(hidden, cell\)"):
        LSTMCell(3, 4)(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"state is \(1, 4\); for an input of \(2, 3\) it must be \(2, 4\)"):
        LSTMCell(3, 4)(torch.zeros(2, 3), (torch.zeros(2, 4), torch.zeros(1, 4)))
    with pytest.raises(ValueError, match=r"The input is \(2, 5\); its last size must be 3"):
        RNNCell(3, 4)(torch.zeros(2, 5))
    for shape in ((6, 3), (2, 0, 3)):
        with pytest.raises(ValueError, match=r"expected \(B, T, input_size\): texts first, and at least one step"):
            RNN(RNNCell(3, 4))(torch.zeros(shape))
