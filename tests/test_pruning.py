"""Pruning, held equal to torch.nn.utils.prune, to Torch-Pruning, to slow loops and to worked examples."""

import copy
import io
import math

import pytest
import torch
import torch.nn.functional as F
import torch_pruning
from torch import nn
from torch.nn.utils import prune

from bmcourse import optimizers, pruning
from bmcourse.models import cnn, mlp
from bmcourse.models.attention import MultiHeadAttention
from bmcourse.models.cnn import CNN
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.mlp import MLP
from bmcourse.models.transformer import TransformerEncoderLayer
from bmcourse.pruning import PrunedParameter, prune_model, sparsity_report
from tests.twins import randn

ZEROING = ["global", "layer", "random", "wanda", "sparsegpt"]


def make(kind):
    """A model of each kind, and inputs for it."""
    torch.manual_seed(0)
    tokens = torch.randint(11, (6, 8), generator=torch.Generator().manual_seed(0))
    if kind == "MLP":
        return MLP([64, 30, 20, 10]), randn(50, 64)
    if kind == "CNN":
        return CNN(channels=4), randn(20, 8, 8)
    if kind == "GPT":
        return GPT(GPTConfig(vocabulary_size=11, context=8, layers=2, heads=4, channels=16)), tokens
    if kind == "Sequential":
        convolutions = [nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()]
        return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(72, 12), nn.GELU(), nn.Linear(12, 3)), randn(
            5, 1, 8, 8
        )
    return nn.Sequential(TransformerEncoderLayer(16, 4, 32, dropout=0.0)), randn(5, 7, 16)


def size(model):
    return sum(parameter.numel() for parameter in model.parameters())


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


# ---------------------------------------------------------------- masks


def test_a_worked_example():
    weight = torch.tensor([[0.1, -3.0, 0.5], [-0.2, 2.0, -1.0]])
    assert pruning.magnitude_mask(weight, 0.5).tolist() == [[False, True, False], [False, True, True]]


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.29, 0.5, 0.9, 0.999])
def test_one_layers_mask_equals_torchs(rate):
    layer = nn.Linear(20, 15)
    expected = prune.l1_unstructured(copy.deepcopy(layer), "weight", rate).weight_mask.bool()
    assert torch.equal(pruning.magnitude_mask(layer.weight, rate), expected)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_global_pruning_equals_torchs(rate):
    model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Flatten(), nn.Linear(216, 12), nn.LayerNorm(12), nn.Linear(12, 3))
    ours, theirs = prune_model(model, rate), copy.deepcopy(model)
    chosen = [(theirs[i], "weight") for i in (0, 2, 4)]
    prune.global_unstructured(chosen, prune.L1Unstructured, amount=rate)
    for module, name in chosen:
        prune.remove(module, name)
    expected = theirs.state_dict()
    torch.testing.assert_close(ours.state_dict(), {name: expected[name] for name in ours.state_dict()}, atol=0, rtol=0)


@pytest.mark.parametrize("count,rate,zeros", [(17, 0.4, 7), (100, 0.29, 29), (10, 0.2, 2), (1, 0.2, 0), (3, 0.99, 3)])
@pytest.mark.parametrize("method", ["global", "layer", "random"])
def test_counts_are_exact_though_all_weights_are_equal(count, rate, zeros, method):
    layer = nn.Linear(count, 1)
    nn.init.ones_(layer.weight)
    assert sparsity_report(prune_model(layer, rate, method)).zeros == zeros


def test_random_masks_of_the_seed_that_made_the_weights_take_no_side():
    torch.manual_seed(7)
    weight = nn.Linear(100, 100).weight
    [mask] = pruning.random_masks([weight], 0.5, torch.Generator().manual_seed(7))
    assert 0.4 < (weight[mask] > 0).float().mean() < 0.6


def test_random_masks_go_by_lot():
    weights = [randn(40, 50), randn(30, seed=1)]
    masks = pruning.random_masks(weights, 0.3, torch.Generator().manual_seed(7))
    again = pruning.random_masks(weights, 0.3, torch.Generator().manual_seed(7))
    assert all(map(torch.equal, masks, again)) and sum(int((~mask).sum()) for mask in masks) == 609
    assert 0.2 < (~masks[0][weights[0].abs() > 1]).float().mean() < 0.4, "large weights go as often as small ones"


def test_two_of_four():
    weight = torch.tensor([[1.0, -4.0, 3.0, 2.0, 0.0, 0.0, 0.0, 1.0]])
    assert pruning.two_of_four_mask(weight)[0, :4].tolist() == [False, True, True, False]
    assert pruning.two_of_four_mask(weight)[0, 4:].sum() == 2
    pruned = prune_model(make("CNN")[0], 0.5, "2:4")
    first, second, head = sparsity_report(pruned).rows
    assert first.zeros == 0, "its rows are 9 long"
    assert second.sparsity == head.sparsity == 0.5
    assert (pruned.conv2.weight.flatten(1).unflatten(1, (-1, 4)) != 0).sum(dim=2).eq(2).all()


def test_the_gradual_rate_is_the_papers():
    rates = [pruning.gradual_rate(step, 10, 110, 0.9, 0.1) for step in range(0, 121, 10)]
    assert rates[:2] == [pytest.approx(0.1)] * 2 and rates[-2:] == [pytest.approx(0.9)] * 2
    assert rates[6] == pytest.approx(0.9 - 0.8 * 0.5**3), "halfway an eighth of the way is left"
    assert rates == sorted(rates)


# ---------------------------------------------------------------- the promises of prune_model


@pytest.mark.parametrize("kind", ["MLP", "CNN", "GPT", "Sequential"])
@pytest.mark.parametrize("method", pruning.METHODS)
def test_the_original_is_untouched_and_the_copy_runs(kind, method):
    model, inputs = make(kind)
    before, mode = copy.deepcopy(model.state_dict()), model.eval().training
    pruned = prune_model(model, 0.5, method, inputs=inputs)
    torch.testing.assert_close(model.state_dict(), before, atol=0, rtol=0)
    assert not any(isinstance(parameter, PrunedParameter) for parameter in model.parameters())
    assert model.training == pruned.training == mode
    assert pruned(inputs).shape == model(inputs).shape
    assert not {id(p) for p in model.parameters()} & {id(p) for p in pruned.parameters()}


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.37, 0.9])
@pytest.mark.parametrize("method", ["global", "random", "sparsegpt"])
def test_the_rate_is_reached_exactly(rate, method):
    model, inputs = make("GPT")
    report = sparsity_report(prune_model(model, rate, method, inputs=inputs))
    rows = [row.weights for row in report.rows]
    expected = sum(round(rate * n) for n in rows) if method == "sparsegpt" else round(rate * sum(rows))
    assert report.zeros == expected


@pytest.mark.parametrize("kind", ["MLP", "CNN", "GPT"])
@pytest.mark.parametrize("method", [*ZEROING, "2:4", "structured"])
def test_pruning_twice_is_pruning_once(kind, method):
    model, inputs = make(kind)
    rate = 0.5 if method == "2:4" else 0.3
    once = prune_model(model, rate, method, inputs=inputs)
    twice = prune_model(once, rate, method, inputs=inputs)
    assert same(once, twice)


@pytest.mark.parametrize("method", ZEROING)
def test_more_can_be_pruned_later_and_less_brings_nothing_back(method):
    model, inputs = make("MLP")
    half = prune_model(model, 0.5, method, inputs=inputs)
    more = prune_model(half, 0.8, method, inputs=inputs)
    assert sparsity_report(more).sparsity == pytest.approx(0.8, abs=0.01)
    assert all((b == 0)[a == 0].all() for a, b in zip(half.parameters(), more.parameters(), strict=True))
    less = prune_model(half, 0.2, method, inputs=inputs)
    assert sparsity_report(train(less, torch.optim.SGD(less.parameters(), lr=0.1), inputs)).sparsity == pytest.approx(
        0.5, abs=0.01
    )


def test_biases_norms_and_embeddings_stay():
    model, _ = make("GPT")
    pruned = prune_model(model, 0.9)
    assert set(pruning.prunable_weights(model)) == {"head.weight"} | {
        f"blocks.{i}.{layer}.weight"
        for i in (0, 1)
        for layer in ("attention.query_key_value", "attention.output", "mlp.0", "mlp.2")
    }
    for name, parameter in pruned.named_parameters():
        assert isinstance(parameter, PrunedParameter) == (name in pruning.prunable_weights(model))
        if "embedding" in name or "norm" in name:
            assert parameter.count_nonzero() == model.get_parameter(name).count_nonzero()


@pytest.mark.parametrize(
    "module",
    [
        *(mlp.Linear(4, 4), nn.Linear(4, 4), cnn.Conv2d(4, 4, 2), nn.Conv1d(4, 4, 2), nn.ConvTranspose2d(4, 4, 2)),
        *(MultiHeadAttention(4, 2), nn.MultiheadAttention(4, 2), nn.MultiheadAttention(4, 2, kdim=8, vdim=4)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_every_layer_with_a_linear_weight_is_pruned(module):
    pruned = prune_model(module, 0.5)
    for name, parameter in pruned.named_parameters():
        if name.endswith("weight"):
            assert isinstance(parameter, PrunedParameter)
        else:
            assert torch.equal(parameter, module.get_parameter(name))
    assert sparsity_report(pruned).sparsity == 0.5


def tied():
    model = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5))
    model[2].weight = model[0].weight
    return model


@pytest.mark.parametrize("method", ZEROING)
def test_tied_weights_stay_tied_and_count_once(method):
    pruned = prune_model(tied(), 0.4, method, inputs=randn(30, 5))
    for model in (pruned, copy.deepcopy(pruned), prune_model(pruned, 0.6, method, inputs=randn(30, 5))):
        assert model[0].weight is model[2].weight
        assert len(list(model.parameters())) == 3
    report = sparsity_report(pruned)
    assert [row.name for row in report.rows] == ["0.weight"]
    assert (report.weights, report.zeros) == (25, 10)


def test_a_weight_tied_to_an_embedding_is_an_embedding():
    model, _ = make("GPT")
    model.head.weight = model.token_embedding.weight
    pruned = prune_model(model, 0.9)
    assert pruned.head.weight is pruned.token_embedding.weight
    assert torch.equal(pruned.head.weight, model.head.weight)


# ---------------------------------------------------------------- zeros that stay


def train(model, optimizer, inputs, steps=5):
    for _ in range(steps):
        optimizer.step(lambda: backward(model, inputs))
    return model


def backward(model, inputs):
    model.zero_grad()
    loss = (model(inputs) - 1).pow(2).mean()
    loss.backward()
    return loss


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "fused AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "foreach AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01),
    "Rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.01),
    "our Momentum": lambda p: optimizers.Momentum(p, lr=0.1),
    "our AdamW": lambda p: optimizers.AdamW(p, lr=0.01),
    "our Muon": lambda p: optimizers.Muon([q for q in p if q.ndim == 2], lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("prepare", [lambda model: model, copy.deepcopy], ids=["pruned", "copied"])
def test_zeros_stay_zeros_under_any_optimizer(name, prepare):
    model, inputs = make("MLP")
    model = prepare(prune_model(model, 0.7))
    before = copy.deepcopy(model)
    train(model, OPTIMIZERS[name](list(model.parameters())), inputs)
    for old, new in zip(before.parameters(), model.parameters(), strict=True):
        assert ((new == 0) == (old == 0)).all() and (old.ndim == 1 or not torch.equal(old, new))


def test_pruning_leaves_one_kind_of_zero():
    model, _ = make("MLP")
    for weight in prune_model(model, 0.7).parameters():
        assert not weight[weight == 0].signbit().any(), "-0 and 0 mixed compress worse"


def test_another_dtype_keeps_the_zeros():
    model, inputs = make("MLP")
    model = prune_model(model, 0.5).double()
    zeros = sparsity_report(model).zeros
    assert sparsity_report(train(model, torch.optim.Adam(model.parameters()), inputs.double())).zeros == zeros == 1360
    model.bfloat16()
    assert sparsity_report(train(model, torch.optim.SGD(model.parameters(), 0.1), inputs.bfloat16())).zeros >= zeros


def test_stale_momentum_of_before_the_pruning_changes_no_zero():
    model, inputs = make("MLP")
    old = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train(model, old, inputs)
    pruned = prune_model(model, 0.7)
    new = torch.optim.SGD(pruned.parameters(), lr=0.1, momentum=0.9)
    new.load_state_dict(old.state_dict())
    zeros = sparsity_report(pruned).zeros
    assert sparsity_report(train(pruned, new, inputs)).zeros == zeros


def test_training_equals_torchs_masked_training():
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    ours, theirs, inputs = prune_model(model, 0.5, "layer"), copy.deepcopy(model), randn(9, 6)
    for layer in (theirs[0], theirs[2]):
        prune.l1_unstructured(layer, "weight", 0.5)
    train(ours, torch.optim.AdamW(ours.parameters(), lr=0.01), inputs, 20)
    train(theirs, torch.optim.AdamW(theirs.parameters(), lr=0.01), inputs, 20)
    for i in (0, 2):
        torch.testing.assert_close(ours[i].weight.detach(), theirs[i].weight_orig * theirs[i].weight_mask)


def test_it_saves_and_loads_into_a_plain_model(tmp_path):
    model, inputs = make("GPT")
    pruned = prune_model(model, 0.6)
    assert list(pruned.state_dict()) == list(model.state_dict())
    assert all(type(tensor) is torch.Tensor for tensor in pruned.state_dict().values())
    torch.save(pruned.state_dict(), tmp_path / "model.pt")
    plain, _ = make("GPT")
    plain.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert torch.equal(plain(inputs), pruned(inputs))
    assert sparsity_report(plain) == sparsity_report(pruned)
    assert same(prune_model(plain, 0.6), pruned), "pruning at the same rate finds the mask again"


def test_a_whole_model_can_be_pickled():
    model, inputs = make("MLP")
    file = io.BytesIO()
    torch.save(prune_model(model, 0.6), file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    zeros = sparsity_report(again).zeros
    assert sparsity_report(train(again, torch.optim.Adam(again.parameters()), inputs)).zeros == zeros == 0.6 * 2720


def test_a_frozen_weight_stays_frozen():
    model, inputs = make("MLP")
    model.layers[0].weight.requires_grad_(False)
    pruned = copy.deepcopy(prune_model(model, 0.5))
    assert [layer.weight.requires_grad for layer in pruned.layers] == [False, True, True]


def test_gradual_pruning_keeps_the_optimizers_parameters():
    model, inputs = make("MLP")
    model = prune_model(model, 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    known = [id(parameter) for parameter in model.parameters()]
    for step in range(5):
        weights = pruning.prunable_weights(model)
        masks = pruning.global_masks(list(weights.values()), pruning.gradual_rate(step, 0, 4, 0.9))
        pruning.apply_masks(model, dict(zip(weights, masks, strict=True)))
        train(model, optimizer, inputs, 2)
    assert [id(parameter) for parameter in model.parameters()] == known
    assert sparsity_report(model).zeros == round(0.9 * 2720)


def test_the_winning_tickets_mask_on_the_first_weights():
    model, _ = make("MLP")
    masks = {name: weight != 0 for name, weight in pruning.prunable_weights(prune_model(model, 0.8)).items()}
    ticket, _ = make("MLP")
    pruning.apply_masks(ticket, masks)
    assert same(ticket, prune_model(model, 0.8))


# ---------------------------------------------------------------- the report


def test_the_report():
    layer = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        layer[0].weight.copy_(torch.tensor([[0.0, 1, 2, 3], [4, 0, 0, 5]]))
        layer[2].weight.fill_(1.0)
    report = sparsity_report(layer)
    assert [(row.name, row.shape, row.weights, row.zeros, row.sparsity) for row in report.rows] == [
        ("0.weight", (2, 4), 8, 3, 0.375),
        ("2.weight", (1, 2), 2, 0, 0.0),
    ]
    assert (report.weights, report.zeros, report.sparsity) == (10, 3, 0.3)
    assert str(report).splitlines() == [
        "layer         weights        zeros  sparsity",
        "0.weight            8            3     37.5%",
        "2.weight            2            0      0.0%",
        "all                10            3     30.0%",
    ]


# ---------------------------------------------------------------- Wanda and SparseGPT


def test_the_inputs_of_a_layer():
    model, inputs = make("MLP")
    expected = F.relu(model.layers[0](inputs))
    torch.testing.assert_close(pruning.layer_inputs(model, model.layers[1], inputs), expected)
    gpt, tokens = make("GPT")
    assert pruning.layer_inputs(gpt, gpt.blocks[0].mlp[2], tokens).shape == (48, 64)
    assert not gpt.head._forward_pre_hooks


@pytest.mark.parametrize("conv", [nn.Conv2d(2, 3, 3, stride=2, padding=1), cnn.Conv2d(2, 3, 3, stride=2, padding=1)])
def test_the_inputs_of_a_convolution_are_its_windows(conv):
    images = randn(4, 2, 8, 8)
    rows = pruning.layer_inputs(nn.Sequential(conv), conv, images)
    output = (rows @ conv.weight.flatten(1).T + conv.bias).view(4, 4, 4, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(output, conv(images))


def test_wanda_is_a_loop_over_the_rows():
    weight, inputs = randn(5, 8), randn(20, 8, seed=1) * torch.arange(8)
    mask = pruning.wanda_mask(weight, inputs, 0.5)
    for row, kept in zip(weight, mask, strict=True):
        scores = [abs(w.item()) * math.sqrt(sum(x.item() ** 2 for x in inputs[:, i])) for i, w in enumerate(row)]
        largest = sorted(range(8), key=scores.__getitem__)[4:]
        assert sorted(largest) == kept.nonzero().flatten().tolist()


def test_wanda_with_equal_inputs_is_magnitude_in_each_row():
    weight = randn(5, 10)
    rows = [pruning.magnitude_mask(row, 0.3) for row in weight]
    assert torch.equal(pruning.wanda_mask(weight, torch.ones(7, 10), 0.3), torch.stack(rows))


def slow_sparsegpt(weight, inputs, rate, block, damping=0.01):
    """The same by its definition: a Hessian inverted anew for every column."""
    weight = weight.double().clone()
    hessian = inputs.double().T @ inputs.double() / len(inputs)
    hessian += (damping * hessian.diagonal().mean() + 1e-8) * torch.eye(len(hessian))
    rows, columns = weight.shape
    for j in range(columns):
        if j % block == 0:
            inverses = [torch.linalg.inv(hessian[i:, i:])[0, 0] for i in range(j, min(j + block, columns))]
            scores = weight[:, j : j + block] ** 2 / torch.stack(inverses)
            count = round(rate * rows * min(j + block, columns)) - round(rate * rows * j)
            cut = scores.flatten().sort().values[count - 1]
        inverse = torch.linalg.inv(hessian[j:, j:])
        for r in range(rows):
            if scores[r, j % block] <= cut:
                weight[r, j:] -= weight[r, j] / inverse[0, 0] * inverse[0]
                weight[r, j] = 0
    return weight.to(torch.float32)


@pytest.mark.parametrize("block", [4, 5, 100])
def test_sparsegpt_equals_the_slow_loop(block):
    weight, inputs = randn(6, 12), randn(40, 12, seed=1) @ randn(12, 12, seed=2)
    ours = pruning.sparsegpt_update(weight, inputs, 0.5, block)
    torch.testing.assert_close(ours, slow_sparsegpt(weight, inputs, 0.5, block), atol=1e-4, rtol=1e-4)


def test_sparsegpt_makes_up_for_its_zeros():
    weight, inputs = randn(20, 30), randn(200, 10, seed=1) @ randn(10, 30, seed=2) + randn(200, 30, seed=3)
    updated = pruning.sparsegpt_update(weight, inputs, 0.5)

    def error(other):
        return (inputs @ (other - weight).T).pow(2).mean()

    same_mask = error(weight * (updated != 0))
    by_size, by_wanda = (
        weight * f for f in (pruning.magnitude_mask(weight, 0.5), pruning.wanda_mask(weight, inputs, 0.5))
    )
    assert error(updated) < 0.5 * min(same_mask, error(by_size), error(by_wanda))
    assert (updated == 0).sum() == 300


@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_inputs_that_are_always_zero_are_no_trouble(method):
    model, inputs = make("MLP")
    inputs[:, ::2] = 0
    pruned = prune_model(model, 0.4, method, inputs=inputs)
    assert pruned.layers[0].weight[:, 1::2].count_nonzero() >= 890, "the weights of dead inputs go first"
    assert all(parameter.isfinite().all() for parameter in pruned.parameters())
    zero = prune_model(model, 0.4, method, inputs=0 * inputs)
    assert all(parameter.isfinite().all() for parameter in zero.parameters())


# ---------------------------------------------------------------- structured


@pytest.mark.parametrize("kind", ["MLP", "CNN", "GPT", "Sequential", "encoder"])
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_structured_removes_a_rate_of_the_parameters(kind, rate):
    model, inputs = make(kind)
    pruned = prune_model(model, rate, "structured")
    whole = copy.deepcopy(model)
    pruning._free_heads(whole)
    units = pruning.find_units(whole)
    largest = max(sum(getattr(part[0], part[1]).numel() for part in unit.parts) / unit.count for unit in units)
    assert 0 <= size(model) - size(pruned) - rate * size(model) <= largest
    assert pruned(inputs).shape == model(inputs).shape
    if kind != "GPT":
        train(pruned, torch.optim.Adam(pruned.parameters()), inputs)
    again = copy.deepcopy(pruned)
    again.load_state_dict(pruned.state_dict())
    assert torch.equal(again(inputs), pruned(inputs))


@pytest.mark.parametrize("kind", ["MLP", "CNN", "GPT", "Sequential", "encoder"])
def test_what_is_left_computes_what_it_did(kind):
    """Cut out is the same as set to zero: the removed units' outgoing weights are zeroed in the dense model."""
    model, inputs = make(kind)
    model.eval()
    dense = copy.deepcopy(model)
    pruning._free_heads(model), pruning._free_heads(dense)
    generator = torch.Generator().manual_seed(1)
    for small, large in zip(pruning.find_units(model), pruning.find_units(dense), strict=True):
        kept = torch.randperm(small.count, generator=generator)[: small.count // 2 + 1].sort().values.tolist()
        gone = sorted(set(range(small.count)) - set(kept))
        module, name, dim, repeats = next(part for part in large.parts if part[2] == 1)
        weight = getattr(module, name)
        weight.data.index_fill_(dim, large.index(weight.shape[dim], repeats, gone), 0.0)
        pruning.keep_units(small, kept)
    torch.testing.assert_close(model(inputs), dense(inputs))
    assert size(model) < 0.8 * size(dense)


def test_the_smallest_channels_go_as_in_torch_pruning():
    """One layer's ranking and, of what is left, every weight; Torch-Pruning finds the dependencies by tracing."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(32, 5))
    theirs, inputs = copy.deepcopy(model), randn(2, 1, 8, 8)
    graph = torch_pruning.DependencyGraph().build_dependency(theirs, example_inputs=inputs)
    ours = prune_model(model, 0.5, "structured")
    gone = 8 - ours[0].out_channels
    group = graph.get_pruning_group(theirs[0], torch_pruning.prune_conv_out_channels, idxs=list(range(8)))
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2, group_reduction="sum", normalizer=None)(group)
    lowest = importance.argsort()[:gone].tolist()
    graph.get_pruning_group(theirs[0], torch_pruning.prune_conv_out_channels, idxs=lowest).prune()
    assert 0 < gone < 8 and str(ours) == str(theirs)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours(inputs), theirs(inputs))


def test_every_layer_cut_as_torch_pruning_cuts_it():
    model, inputs = make("Sequential")
    theirs = copy.deepcopy(model)
    graph = torch_pruning.DependencyGraph().build_dependency(theirs, example_inputs=inputs)
    cut = {0: torch_pruning.prune_conv_out_channels, 3: torch_pruning.prune_conv_out_channels}
    cut |= {6: torch_pruning.prune_linear_out_channels}
    for units, (layer, function) in zip(pruning.find_units(model), cut.items(), strict=True):
        pruning.keep_units(units, [0, 2, 3])
        gone = [i for i in range(units.count) if i not in (0, 2, 3)]
        graph.get_pruning_group(theirs[layer], function, idxs=gone).prune()
    assert str(model) == str(theirs)
    torch.testing.assert_close(model.state_dict(), theirs.state_dict())


def test_a_cut_out_heads_weights_are_gone():
    model, tokens = make("GPT")
    pruned = prune_model(model, 0.45, "structured")
    for block in pruned.blocks:
        heads = block.attention.nhead
        assert block.attention.query_key_value.weight.shape == (3 * heads * 4, 16)
        assert block.attention.output.weight.shape == (16, heads * 4)
    assert sum(block.attention.nhead for block in pruned.blocks) < 8
    logits = pruned(tokens)
    F.cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward()
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 11
    assert torch.equal(pruned(changed)[:, :-1], logits[:, :-1]), "and still nothing comes from the future"


def test_torchs_own_transformer_layer_loses_neurons():
    layer, x = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True), randn(2, 3, 8)
    pruned = prune_model(layer, 0.3, "structured")
    assert pruned.linear1.out_features == pruned.linear2.in_features < 32
    assert pruned(x).shape == pruned.eval()(x).shape == x.shape


def test_zeros_stay_where_units_are_cut_out():
    model, inputs = make("MLP")
    small = prune_model(prune_model(model, 0.5), 0.4, "structured")
    zeros = sparsity_report(small).zeros
    assert zeros > 0 and sparsity_report(train(small, torch.optim.Adam(small.parameters()), inputs)).zeros == zeros


def test_structured_pruning_with_layers_it_may_not_cut():
    torch.manual_seed(0)
    mixed = [nn.Linear(6, 8), nn.Softmax(1), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)]
    pruned = prune_model(nn.Sequential(*mixed), 0.2, "structured")
    assert (pruned[0].out_features, pruned[2].in_features) == (8, 8) and pruned[2].out_features < 8
    wide = nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(), nn.Linear(8, 4))  # the Linear reads the width, not channels
    assert pruning.find_units(wide) == []
    pooled = nn.Sequential(nn.Linear(8, 8), nn.MaxPool2d(2), nn.Linear(4, 4))  # pooling mixes what the Linear gives
    assert pruning.find_units(pooled) == []
    rows = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Flatten(2), nn.Linear(16, 4))  # the Linear reads the pixels
    assert pruning.find_units(rows) == []
    grouped = nn.Sequential(nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1, groups=2), nn.Conv2d(4, 2, 1))
    assert pruning.find_units(grouped) == []


# ---------------------------------------------------------------- what may come in


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, math.nan, math.inf, True, False, "0.2", None])
def test_a_rate_that_is_none(rate):
    with pytest.raises(ValueError, match=r"pruning_rate is .*; it is the share .* from 0 to below 1, such as 0.2"):
        prune_model(nn.Linear(2, 2), rate)
    with pytest.raises(ValueError, match="pruning_rate is"):
        pruning.magnitude_mask(torch.ones(3), rate)


@pytest.mark.parametrize("model", [nn.ReLU(), nn.LayerNorm(3), nn.Embedding(3, 3), nn.Sequential()])
def test_nothing_to_prune(model):
    for function in (prune_model, sparsity_report):
        with pytest.raises(ValueError, match=f"{type(model).__name__} has nothing to prune: expected a weight of"):
            function(model)


def test_no_model():
    with pytest.raises(ValueError, match="model is a dict; expected a torch.nn.Module. Pass the model itself"):
        prune_model({})


def test_other_requests_that_make_no_sense():
    model, inputs = make("MLP")
    with pytest.raises(ValueError, match="no method 'l1'. Choose one of global, layer, random, 2:4, structured"):
        prune_model(model, 0.2, "l1")
    with pytest.raises(ValueError, match="method='wanda' looks at what each layer reads, and inputs is None. Pass"):
        prune_model(model, 0.2, "wanda")
    with pytest.raises(ValueError, match="2:4 removes two of every four weights, and pruning_rate is 0.2. Pass"):
        prune_model(model, 0.2, "2:4")
    with pytest.raises(ValueError, match="Linear has nothing to prune by 2:4: expected a weight whose rows are a mul"):
        prune_model(nn.Linear(3, 2), 0.5, "2:4")
    with pytest.raises(ValueError, match="pruning_rate is 0.99, but .* only 0.9.* of the parameters are gone"):
        prune_model(model, 0.99, "structured")


@pytest.mark.parametrize("model", [nn.Linear(3, 2), tied(), nn.MultiheadAttention(4, 2)])
def test_an_architecture_without_units(model):
    with pytest.raises(ValueError, match="has no neurons, channels or heads .* Use method='global'"):
        prune_model(model, 0.2, "structured")


def test_pieces_that_do_not_fit():
    with pytest.raises(ValueError, match="begin is 5 and end 5; both are steps, and the first must come before the"):
        pruning.gradual_rate(1, 5, 5, 0.5)
    with pytest.raises(ValueError, match=r"The mask is \(2,\) and the weight \(3, 2\); make them equal"):
        pruning.apply_masks(nn.Linear(2, 3), {"weight": torch.ones(2, dtype=torch.bool)})
    with pytest.raises(ValueError, match=r"The mask is \(2,\) and the weight \(3, 2\); make them equal"):
        pruning.apply_masks(prune_model(nn.Linear(2, 3)), {"weight": torch.ones(2, dtype=torch.bool)})
    for function in (pruning.wanda_mask, pruning.sparsegpt_update):
        with pytest.raises(
            ValueError, match=r"The weight is \(3, 2\) and its inputs \(5, 3\); expected \(out, in\) and"
        ):
            function(torch.ones(3, 2), torch.ones(5, 3), 0.5)


def test_layers_that_no_input_reaches():
    unused = MLP([2, 3, 1])
    unused.more = nn.Linear(4, 5)
    with pytest.raises(
        ValueError, match=r"never calls its Linear\(5, 4\) on these inputs, .* Prune by method='global'"
    ):
        prune_model(unused, 0.2, "wanda", inputs=randn(1, 2))
    with pytest.raises(ValueError, match="MultiHeadAttention cannot be pruned or quantized by its inputs"):
        prune_model(make("encoder")[0], 0.2, "wanda", inputs=randn(5, 7, 16))
    grouped = nn.Conv2d(2, 2, 1, groups=2)
    with pytest.raises(ValueError, match="Conv2d cannot be pruned or quantized by its inputs; Linear and Conv2d"):
        prune_model(grouped, 0.2, "wanda", inputs=randn(1, 2, 3, 3))
