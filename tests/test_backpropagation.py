"""The engine against torch on random graphs, its order, its branches, and what deep networks do to slopes."""

import ast
import pathlib
import random

import pytest
import torch
import torch.nn.functional as F

from bmcourse import backpropagation
from bmcourse.backpropagation import DeepMLP, Value, as_value, sizes_by_depth, topological_order
from bmcourse.claims.core import without_docstrings
from bmcourse.exercises.core import find


def grown(leaves, seed):
    """A random expression of the leaves, Values or tensors, in which values are used again and again."""
    chance, pool = random.Random(seed), list(leaves)
    for _ in range(25):
        a, b = chance.choice(pool), chance.choice(pool)
        ways = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: (a * b).tanh(), lambda a, b: a * 0.7 + 2]
        ways += [lambda a, b: a.tanh() * b.tanh(), lambda a, b: (a - 0.1).relu(), lambda a, b: 0.5 * a.tanh() ** 2]
        pool.append(chance.choice(ways)(a, b))
    return sum(value.tanh() for value in pool)


@pytest.mark.parametrize("seed", range(30))
def test_slopes_are_torchs_on_random_graphs(seed):
    numbers = [random.Random(seed).uniform(-2, 2) for _ in range(4)]
    values = [Value(number) for number in numbers]
    tensors = [torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in numbers]
    ours, theirs = grown(values, seed), grown(tensors, seed)
    ours.backward()
    theirs.backward()
    assert ours.data == pytest.approx(theirs.item(), rel=1e-13)
    for value, tensor in zip(values, tensors, strict=True):
        assert value.grad == pytest.approx(tensor.grad.item(), rel=1e-11, abs=1e-13)


def test_a_branch_adds_up():
    x = Value(3.0)
    (x * x + x).backward()
    assert x.grad == 7


@pytest.mark.parametrize("way", [lambda x: 2 + x, lambda x: x + 2, lambda x: 2 * x - 3, lambda x: x - 1])
def test_plain_numbers_stand_on_either_side(way):
    x = Value(4.0)
    result = way(x)
    result.backward()
    assert (result.data, x.grad) == (way(4.0), way(1.0) - way(0.0))


def test_leaves_add_up_over_passes_and_what_was_computed_does_not():
    x = Value(2.0)
    inner = x * 3
    result = inner**2
    result.backward()
    result.backward()
    assert (x.grad, inner.grad, result.grad) == (72, 12, 1)


def test_a_leaf_alone_has_the_slope_one():
    x = Value(5.0)
    x.backward()
    assert x.grad == 1


def test_relu_has_no_slope_below_zero_nor_at_it():
    for number, slope in ((-1.0, 0), (0.0, 0), (2.0, 1)):
        x = Value(number)
        x.relu().backward()
        assert x.grad == slope


def test_each_value_stands_once_and_after_its_inputs():
    x = Value(1.0)
    a = x * x
    result = a + a * x
    order = topological_order(result)
    places = {value: place for place, value in enumerate(order)}
    assert len(order) == len(places) == 4 and order[-1] is result
    assert all(places[source] < places[value] for value in order for source, _ in value.inputs)


def test_a_value_stays_and_shows_itself():
    x = Value(1.5)
    assert as_value(x) is x and as_value(2).data == 2.0
    assert repr(x) == "Value(1.5, grad=0)"


@pytest.mark.parametrize("name", ["topological_order", "backpropagate"])
def test_the_engine_and_the_exercise_are_one(name):
    """The lesson builds its engine of the exercises' functions, and the package has the same."""
    source = ast.parse(pathlib.Path(backpropagation.__file__).read_text(encoding="utf-8"))
    (ours,) = [node for node in source.body if getattr(node, "name", "") == name]
    theirs = ast.parse(find(name).solution).body[0]
    assert ast.dump(without_docstrings(ours)) == ast.dump(without_docstrings(theirs))


# ---------------------------------------------------------------- deep networks


def batch(size=16):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(size, 64, generator=generator), torch.randint(10, (size,), generator=generator)


@pytest.mark.parametrize("settings", [{}, {"normed": True}, {"residual": True}, {"activation": torch.relu}])
def test_slopes_by_depth_are_those_of_a_nudge(settings):
    torch.manual_seed(0)
    model, (x, y) = DeepMLP(3, **settings).double(), batch()
    x = x.double()
    values, slopes = sizes_by_depth(model, x, y)
    assert len(values) == len(slopes) == 3
    assert all(p.grad is None for p in model.parameters())
    last = model.hidden(x)[-1].detach().requires_grad_()
    F.cross_entropy(model.head(last), y).backward()
    assert slopes[-1] == pytest.approx(last.grad.square().mean().sqrt().item())
    assert values[-1] == pytest.approx(last.square().mean().sqrt().item())


def test_a_residual_layer_adds_what_it_makes():
    torch.manual_seed(0)
    model, (x, _) = DeepMLP(2, residual=True), batch()
    first, second = model.hidden(x)
    torch.testing.assert_close(second, first + model.layers[1](first).tanh())


def test_the_scale_is_that_of_the_weights():
    torch.manual_seed(0)
    model = DeepMLP(4, scale=3.0)
    for layer in model.layers:
        assert layer.weight.std().item() == pytest.approx(3 / layer.in_features**0.5, rel=0.1)
        assert not layer.bias.any()


def test_normalisation_takes_the_scale_out():
    torch.manual_seed(0)
    small, (x, _) = DeepMLP(3, normed=True, scale=0.5), batch()
    torch.manual_seed(0)
    large = DeepMLP(3, normed=True, scale=5.0)
    torch.testing.assert_close(small.hidden(x)[-1], large.hidden(x)[-1], atol=1e-2, rtol=1e-2)
