"""The MLP and its parts, held equal to torch and to a slow loop."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models.mlp import MLP, Linear, linear, linear_loop, perceptron
from tests.twins import assert_twins, randn

TORCHS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def test_a_perceptron_can_be_and_and_or():
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    weight = torch.ones(2)
    assert perceptron(x, weight, -1.5).tolist() == [0, 0, 0, 1]
    assert perceptron(x, weight, -0.5).tolist() == [0, 1, 1, 1]
    assert perceptron(x, weight, -1.0).tolist() == [0, 0, 0, 1], "exactly 0 does not fire"


def test_linear_equals_the_loop_and_torch():
    x, weight, bias = randn(3, 5), randn(4, 5, seed=1), randn(4, seed=2)
    torch.testing.assert_close(linear(x, weight, bias), F.linear(x, weight, bias), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(linear(x[0], weight, bias), linear_loop(x[0], weight, bias), atol=1e-5, rtol=1e-5)


def test_a_linear_layer_starts_as_torchs_does():
    torch.manual_seed(0)
    ours = Linear(7, 5)
    torch.manual_seed(0)
    theirs = nn.Linear(7, 5)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), atol=1e-7, rtol=0)


@pytest.mark.parametrize("activation", TORCHS)
def test_an_mlp_equals_torch(activation):
    ours = MLP([6, 8, 5, 3], activation)
    layers = [nn.Linear(6, 8), TORCHS[activation](), nn.Linear(8, 5), TORCHS[activation](), nn.Linear(5, 3)]
    for layer, mine in zip(layers[::2], ours.layers, strict=True):
        layer.load_state_dict(mine.state_dict())
    assert_twins(ours, nn.Sequential(*layers), randn(2, 4, 6))


def test_the_activation_may_be_a_function_and_the_last_layer_has_none():
    one, two = MLP([3, 2], torch.sin), MLP([3, 4, 2], torch.sin)
    x = randn(5, 3)
    assert torch.equal(one(x), one.layers[0](x))
    assert torch.equal(two(x), two.layers[1](two.layers[0](x).sin()))


def test_without_activation_two_layers_are_one():
    mlp = MLP([3, 8, 2], lambda x: x)
    (w1, b1), (w2, b2) = ((layer.weight, layer.bias) for layer in mlp.layers)
    x = randn(5, 3)
    torch.testing.assert_close(mlp(x), linear(x, w2 @ w1, w2 @ b1 + b2), atol=1e-5, rtol=1e-5)


def test_the_number_of_parameters_is_the_formulas():
    assert sum(p.numel() for p in MLP([64, 32, 10]).parameters()) == 64 * 32 + 32 + 32 * 10 + 10


def test_inputs_of_the_wrong_size():
    with pytest.raises(ValueError, match=r"The input is \(2, 8, 8\); its last size must be 64.*x.flatten\(1\)"):
        MLP([64, 10])(torch.zeros(2, 8, 8))
    with pytest.raises(ValueError, match=r"The input is \(\); its last size must be 64"):
        MLP([64, 10])(torch.tensor(1.0))


def test_an_unknown_activation():
    with pytest.raises(ValueError, match="no activation 'swish'. Choose one of relu, gelu, tanh, sigmoid, or pass a"):
        MLP([2, 2], "swish")


@pytest.mark.parametrize("sizes", [[64], [], [64, 0, 10]])
def test_sizes_that_make_no_network(sizes):
    with pytest.raises(ValueError, match=r"sizes is \[.*\]; expected the number of features .* such as \[64, 32, 10\]"):
        MLP(sizes)
