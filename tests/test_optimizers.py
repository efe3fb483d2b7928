"""The optimizers against torch's own, step by step; state, groups, hooks, schedulers; the message of every error."""

import copy
import math
import pickle
import re

import pytest
import torch
from torch import nn

from bmcourse import live, optimizers, training
from bmcourse.models.gpt import GPT, GPTConfig

SHAPES = [(3,), (4, 5), (5, 4), (2, 3, 4), (), (0,)]
MATRICES = [(4, 4), (7, 3), (3, 7), (1, 5)]

# Every setting takes an unusual value somewhere: an eps as large as the gradients shows where it is added.
PAIRS = {
    "SGD": (optimizers.SGD, torch.optim.SGD, [{"lr": 0.1}, {"lr": 2.0}]),
    "Momentum": (
        optimizers.Momentum,
        torch.optim.SGD,
        [{"lr": 0.1, "momentum": 0.9}, {"lr": 0.3, "momentum": 0.5}, {"lr": 0.1, "momentum": 0}],
    ),
    "Nesterov": (
        optimizers.Nesterov,
        lambda params, **settings: torch.optim.SGD(params, **settings, nesterov=True),
        [{"lr": 0.1, "momentum": 0.9}, {"lr": 0.3, "momentum": 0.5}],
    ),
    "RMSProp": (
        optimizers.RMSProp,
        torch.optim.RMSprop,
        [{"lr": 0.01}, {"lr": 0.1, "alpha": 0.5, "eps": 0.3}, {"lr": 0.1, "alpha": 0.0}],
    ),
    "Adam": (
        optimizers.Adam,
        torch.optim.Adam,
        [{}, {"lr": 0.1, "betas": (0.5, 0.9)}, {"lr": 0.1, "eps": 0.3}, {"lr": 0.1, "betas": (0.0, 0.99)}],
    ),
    "AdamW": (
        optimizers.AdamW,
        torch.optim.AdamW,
        [{}, {"lr": 0.1, "weight_decay": 0.5}, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.3, "weight_decay": 0.0}],
    ),
    "Muon": (
        optimizers.Muon,
        torch.optim.Muon,
        [{}, {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.5}, {"lr": 0.02, "weight_decay": 0.0}],
    ),
}
CASES = [(name, settings) for name, (_, _, several) in PAIRS.items() for settings in several]
EACH = pytest.mark.parametrize("name", PAIRS)


def made(name, **settings):
    """The named optimizer of the course over fresh parameters, with settings that move them."""
    parameters = fresh(MATRICES if name == "Muon" else SHAPES)
    return PAIRS[name][0](parameters, **({"lr": 0.05} | settings)), parameters


def fresh(shapes, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


def walk(optimizer, parameters, steps, seed=1):
    """Take steps, each with gradients of its own, some of them tiny."""
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for parameter in parameters:
            scale = 10.0 ** -(step % 4)
            parameter.grad = scale * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        optimizer.step()


def assert_same(ours, others, **tolerance):
    for mine, theirs in zip(ours, others, strict=True):
        torch.testing.assert_close(mine, theirs, **({"rtol": 0, "atol": 0} | tolerance))


# ----------------------------------------------------------------------------------------------------------- torch


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_each_equals_torchs(name, settings, dtype):
    ours, theirs, _ = PAIRS[name]
    shapes = MATRICES if name == "Muon" else SHAPES
    mine, torchs = fresh(shapes, dtype), fresh(shapes, dtype)
    needed = settings if "lr" in settings or name in ("Adam", "AdamW", "Muon") else {"lr": 0.1}
    walk(ours(mine, **needed), mine, 25)
    walk(theirs(torchs, **needed), torchs, 25)
    assert_same(mine, torchs, rtol=1e-6, atol=1e-6)


@EACH
def test_groups_have_settings_of_their_own_and_one_may_come_later(name):
    results = []
    for make in PAIRS[name][:2]:
        first, second, late, last = parameters = fresh(MATRICES)
        groups = [{"params": [first]}, {"params": second, "lr": 0.5}]
        optimizer = make(groups, lr=0.01, **({"momentum": 0.9} if name in ("Momentum", "Nesterov") else {}))
        walk(optimizer, [first, second], 3)
        optimizer.add_param_group({"params": [late, last], "lr": 0.1})
        walk(optimizer, parameters, 3)
        results.append(parameters)
    assert_same(*results, rtol=1e-6, atol=1e-6)


@EACH
def test_schedulers_of_torch_steer_it(name):
    optimizer, parameters = made(name, lr=0.0)
    reference = nn.Parameter(torch.zeros(1))
    peer = torch.optim.SGD([reference], lr=1.0)
    optimizer.param_groups[0]["lr"] = 1.0
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(each, T_max=5) for each in (optimizer, peer)]
    for _ in range(5):
        walk(optimizer, parameters, 1)
        peer.step()
        for schedule in schedules:
            schedule.step()
        assert optimizer.param_groups[0]["lr"] == peer.param_groups[0]["lr"]


def test_a_live_run_steers_it():
    optimizer, parameters = made("SGD", lr=123.0)
    before = [parameter.detach().clone() for parameter in parameters]
    live.Run(steps=1, lr=0.01).steer(optimizer, scale=0.5)
    walk(optimizer, parameters, 1)
    expected = [value - 0.005 * parameter.grad for value, parameter in zip(before, parameters, strict=True)]
    assert_same(parameters, expected, rtol=1e-6, atol=1e-7)


# Not from our RMSProp to torch's: that one also counts steps, which its formula does not use.
WAYS = [(name, way) for name in PAIRS for way in ("to torch", "from torch") if (name, way) != ("RMSProp", "to torch")]


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_the_state_continues_in_torchs_optimizer_and_torchs_in_ours(name, way):
    ours, theirs, (settings, *_) = PAIRS[name]
    settings = {"lr": 0.05} | settings
    first, second = (ours, theirs) if way == "to torch" else (theirs, ours)
    parameters = fresh(MATRICES, torch.float64)
    walk(before := first(parameters, **settings), parameters, 4)
    moved = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    after = second(moved, **settings)
    groups = after.state_dict()["param_groups"]
    after.load_state_dict(copy.deepcopy({"state": before.state_dict()["state"], "param_groups": groups}))
    walk(before, parameters, 4, seed=2)
    walk(after, moved, 4, seed=2)
    assert_same(parameters, moved, rtol=1e-12, atol=1e-12)


# ----------------------------------------------------------------------------------------------- torch's interface


def in_memory(optimizer, parameters, name, folder):
    again, moved = made(name)
    for parameter, value in zip(moved, parameters, strict=True):
        parameter.data.copy_(value)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return again, moved


def through_a_file(optimizer, parameters, name, folder):
    torch.save({"state": optimizer.state_dict(), "values": [p.detach() for p in parameters]}, folder / "state.pt")
    again, moved = made(name)
    saved = torch.load(folder / "state.pt", weights_only=True)
    for parameter, value in zip(moved, saved["values"], strict=True):
        parameter.data.copy_(value)
    again.load_state_dict(saved["state"])
    return again, moved


def deep_copied(optimizer, parameters, name, folder):
    return copy.deepcopy((optimizer, parameters))


def pickled(optimizer, parameters, name, folder):
    return pickle.loads(pickle.dumps((optimizer, parameters)))


@pytest.mark.parametrize("carry", [in_memory, through_a_file, deep_copied, pickled])
@EACH
def test_it_goes_on_bit_for_bit_from_its_state(name, carry, tmp_path):
    settings = {"dtype": torch.float32} if name == "Muon" and carry in (deep_copied, pickled) else {}
    optimizer, parameters = made(name, **settings)
    walk(optimizer, parameters, 5)
    again, moved = carry(optimizer, parameters, name, tmp_path)
    walk(optimizer, parameters, 5, seed=2)
    still = [value.detach().clone() for value in moved]
    walk(again, moved, 5, seed=2)
    assert_same(parameters, moved)
    assert not torch.equal(still[0], moved[0])


@EACH
def test_a_checkpoint_of_the_course_keeps_it_bit_for_bit(name, tmp_path):
    ends = []
    for interrupted in (False, True):
        model, optimizer, generator = small_training(name)
        train(model, optimizer, generator, 2)
        if interrupted:
            training.save_checkpoint(tmp_path / "run.safetensors", model, optimizer, 2, generator)
            model, optimizer, generator = small_training(name)
            assert training.load_checkpoint(tmp_path / "run.safetensors", model, optimizer, generator) == 2
        train(model, optimizer, generator, 2)
        ends.append([parameter.detach() for parameter in model.parameters()])
    assert_same(*ends)


def small_training(name):
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary_size=7, context=6, layers=1, heads=2, channels=8))
    parameters = [p for p in model.parameters() if p.ndim == 2 or name != "Muon"]
    return model, PAIRS[name][0](parameters, lr=0.01), torch.Generator().manual_seed(0)


def train(model, optimizer, generator, steps):
    for _ in range(steps):
        tokens = torch.randint(7, (4, 7), generator=generator)
        loss = nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@EACH
def test_gradients_stay_as_they_are_and_parameters_without_one_too(name):
    optimizer, (first, *others) = made(name)
    for parameter in others:
        parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    before = [parameter.grad.clone() for parameter in others]
    held = [parameter.grad for parameter in others]
    value = first.detach().clone()
    for _ in range(3):
        optimizer.step()
    assert_same(held, before)
    assert all(parameter.grad is gradient for parameter, gradient in zip(others, held, strict=True))
    assert torch.equal(first, value) and first not in optimizer.state
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in others)


@EACH
def test_the_same_gradients_give_the_same_bits(name):
    ends = []
    for _ in range(2):
        optimizer, parameters = made(name)
        walk(optimizer, parameters, 5)
        ends.append(parameters)
    assert_same(*ends)


@EACH
def test_a_closure_is_called_with_gradients_on_and_its_loss_returned(name):
    optimizer, parameters = made(name)

    def closure():
        optimizer.zero_grad()
        loss = sum((parameter**2).sum() for parameter in parameters)
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(20)]
    assert losses[-1] < losses[0]
    assert optimizer.step() is None


@EACH
def test_a_rate_of_0_moves_nothing_but_remembers(name):
    optimizer, parameters = made(name, lr=0)
    before = [parameter.detach().clone() for parameter in parameters]
    walk(optimizer, parameters, 2)
    assert_same(parameters, before)
    assert name == "SGD" or optimizer.state[parameters[0]]


def test_hooks_are_called():
    optimizer, parameters = made("SGD")
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    walk(optimizer, parameters, 1)
    assert calls == ["before", "after"]


# ------------------------------------------------------------------------------------------------ formulas by hand


def test_gradient_descent_on_a_parabola():
    path = optimizers.gradient_descent(lambda w: 2 * w, torch.tensor([1.0, -2.0]), lr=0.25, steps=3)
    assert torch.equal(path, torch.tensor([[1.0, -2.0], [0.5, -1.0], [0.25, -0.5], [0.125, -0.25]]))
    assert optimizers.gradient_descent(torch.ones_like, torch.zeros(4), lr=1, steps=0).shape == (1, 4)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_descent_converges_below_2_over_the_largest_curvature_and_not_above(seed):
    basis = torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    hessian = basis @ basis.T + torch.eye(5)
    limit = 2 / torch.linalg.eigvalsh(hessian)[-1].item()
    start = torch.ones(5, dtype=torch.float64)
    below, above = (
        optimizers.gradient_descent(lambda w: hessian @ w, start, lr=share * limit, steps=3000)[-1].norm().item()
        for share in (0.99, 1.01)
    )
    assert below < 1e-6 and above > 1e6


def test_one_step_of_each_worked_by_hand():
    moves = {
        "SGD": 0.5,  # lr g, with lr 0.25 and g = 2
        "Momentum": 0.5,
        "Nesterov": 0.25 * (2 + 0.9 * 2),
        "RMSProp": 0.25 * 2 / math.sqrt(0.01 * 4),
        "Adam": 0.25,  # the first step is lr times the sign of g
        "AdamW": 0.25 + 0.25 * 0.01 * 8,
    }
    for name, move in moves.items():
        parameter = nn.Parameter(torch.tensor([8.0], dtype=torch.float64))
        parameter.grad = torch.tensor([2.0], dtype=torch.float64)
        PAIRS[name][0]([parameter], lr=0.25).step()
        assert parameter.item() == pytest.approx(8 - move, rel=1e-7), name


@pytest.mark.parametrize("settings", PAIRS["Adam"][2], ids=str)
def test_the_readable_adam_equals_torchs_and_changes_nothing_it_is_given(settings):
    (theirs,) = fresh([(4, 5)])
    optimizer = torch.optim.Adam([theirs], **settings)
    mine, state = theirs.detach().clone(), {}
    for seed in range(25):
        walk(optimizer, [theirs], 1, seed)
        given = copy.deepcopy((mine, theirs.grad, state))
        new, after = optimizers.adam_step_readable(mine, theirs.grad, state, **settings)
        assert_same([mine, theirs.grad, *state.values()], [*given[:2], *given[2].values()])
        mine, state = new, after
    torch.testing.assert_close(mine, theirs.detach(), rtol=1e-5, atol=1e-6)
    own = optimizer.state[theirs]
    assert_same([state["exp_avg"], state["exp_avg_sq"]], [own["exp_avg"], own["exp_avg_sq"]], rtol=1e-5, atol=1e-6)
    assert state["step"] == own["step"] == 25


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (128, 32), (32, 128), (1, 5), (5, 1)], ids=str)
def test_orthogonalize_keeps_the_directions_and_brings_singular_values_near_1(shape, dtype):
    matrix = 100 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = optimizers.orthogonalize(matrix, dtype=dtype)
    assert result.shape == shape and result.dtype == torch.float32
    U, _, Vh = torch.linalg.svd(matrix, full_matrices=False)
    core = U.T @ result @ Vh.T  # diagonal when the directions are kept
    assert core.diag().min() > 0.66 and core.diag().max() < 1.22
    torch.testing.assert_close(core, core.diag().diag(), rtol=0, atol=0.05 if dtype == torch.bfloat16 else 1e-5)
    assert torch.nn.functional.cosine_similarity(result.flatten(), (U @ Vh).flatten(), dim=0) > 0.97


def test_each_step_of_orthogonalize_maps_the_singular_values_alone():
    matrix = torch.diag(torch.tensor([0.6, 0.8], dtype=torch.float64))  # its norm is 1
    once = optimizers.orthogonalize(matrix, steps=1, dtype=torch.float64)
    expected = [3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5 for s in (0.6, 0.8)]
    torch.testing.assert_close(once, torch.diag(torch.tensor(expected, dtype=torch.float64)))
    assert torch.equal(optimizers.orthogonalize(matrix, steps=0, dtype=torch.float64), matrix)


def test_muon_in_float32_is_muon_in_bfloat16_but_for_rounding():
    coarse, fine = fresh(MATRICES), fresh(MATRICES)
    start = torch.cat([parameter.detach().flatten() for parameter in fine])
    walk(optimizers.Muon(coarse, lr=0.1), coarse, 5)
    walk(optimizers.Muon(fine, lr=0.1, dtype=torch.float32), fine, 5)
    moves = [torch.cat([parameter.detach().flatten() for parameter in each]) - start for each in (coarse, fine)]
    assert torch.nn.functional.cosine_similarity(*moves, dim=0) > 0.999
    assert not torch.equal(*moves)


def test_muon_with_gradients_of_0_only_decays():
    (parameter,) = fresh([(3, 2)])
    parameter.grad = torch.zeros(3, 2)
    expected = parameter.detach() * (1 - 0.1 * 0.5)
    optimizers.Muon([parameter], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(parameter.detach(), expected)


# ---------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("lr", [0, -0.1, math.nan, math.inf])
def test_gradient_descent_needs_a_rate_above_0(lr):
    with pytest.raises(ValueError, match=rf"^lr must be above 0 and finite; it was {lr}\. At 0 nothing moves"):
        optimizers.gradient_descent(torch.ones_like, torch.zeros(2), lr, 3)


BELOW_1, FINITE = "0 or more and below 1", "0 or more and finite"
SETTINGS = [
    ("lr", [-0.1, math.nan, math.inf, "0.1", None, torch.tensor(0.1)], f"a number {FINITE}", "0.1 for SGD and 0.001"),
    ("momentum", [-0.1, 1, 1.5, math.nan], f"a number {BELOW_1}", "0.9"),
    ("alpha", [-0.1, 1.0, math.nan], f"a number {BELOW_1}", "0.99"),
    (
        "betas",
        [(0.9, 1.0), (-0.1, 0.9), (0.9, math.nan), (0.9,), (0.9, 0.99, 0.999), 0.9, ("a", "b")],
        f"two numbers, each {BELOW_1}",
        r"\(0.9, 0.999\)",
    ),
    ("eps", [-1e-8, math.nan, math.inf], f"a number {FINITE}", "1e-8"),
    ("weight_decay", [-0.1, math.nan, math.inf], f"a number {FINITE}", "0.01 and 0.1; 0 switches it off"),
]
TAKES = {name: PAIRS[name][0](fresh([(2, 2)]), lr=0.1).defaults for name in PAIRS}


@pytest.mark.parametrize(
    ("name", "setting", "value", "wanted", "usual"),
    [
        (name, setting, value, wanted, usual)
        for setting, values, wanted, usual in SETTINGS
        for value in values
        for name in PAIRS
        if setting in TAKES[name]
    ],
    ids=str,
)
def test_a_setting_out_of_its_range_is_refused(name, setting, value, wanted, usual):
    message = rf"^{setting} must be {wanted}; it was {re.escape(repr(value))}\. (The u|U)sual values? (is|are) {usual}"
    with pytest.raises(ValueError, match=message):
        made(name, **{setting: value})
    optimizer, _ = made(name)
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": fresh([(2, 2)]), setting: value})
    assert len(optimizer.param_groups) == 1


NUMBERS = [(math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "infinite")]


@pytest.mark.parametrize(("number", "found"), NUMBERS)
@EACH
def test_a_gradient_that_is_not_finite_changes_nothing(name, number, found):
    optimizer, parameters = made(name)
    walk(optimizer, parameters, 2)
    walk(optimizer, parameters, 0)
    parameters[2].grad.view(-1)[3] = number
    before = copy.deepcopy(([p.detach() for p in parameters], optimizer.state_dict()["state"]))
    shape = re.escape(str(tuple(parameters[2].shape)))
    message = (
        rf"^The gradient of parameter 2 \(counted from 0, shape {shape}\) has {found} numbers in it, so this step "
        "changed nothing. Lower the learning rate, clip the gradients, or look for a log of 0 or a division by 0"
    )
    with pytest.raises(ValueError, match=message):
        optimizer.step()
    assert_same([p.detach() for p in parameters], before[0])
    for index, state in optimizer.state_dict()["state"].items():
        assert_same(state.values(), before[1][index].values())


def test_infinities_of_both_signs_do_not_cancel_and_the_first_group_is_counted():
    first, second = fresh([(2,), (2,)])
    first.grad, second.grad = torch.zeros(2), torch.tensor([math.inf, -math.inf])
    with pytest.raises(ValueError, match=r"parameter 1 \(counted from 0, shape \(2,\)\) has infinite"):
        optimizers.SGD([{"params": [first]}, {"params": [second]}], lr=0.1).step()


def test_large_gradients_are_finite_even_when_their_sum_is_not():
    (parameter,) = fresh([(4,)])
    parameter.grad = torch.full((4,), 3e38)
    optimizers.SGD([parameter], lr=1e-38).step()
    torch.testing.assert_close(parameter.detach(), fresh([(4,)])[0].detach() - 3)


def test_sparse_and_complex_gradients_are_refused():
    message = "dense real gradients; one was sparse or complex. Make the embedding with sparse=False"
    embedding = nn.Embedding(5, 2, sparse=True)
    embedding(torch.tensor([1, 2])).sum().backward()
    number = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    number.grad = torch.ones_like(number)
    for parameter in (embedding.weight, number):
        before = parameter.detach().clone()
        with pytest.raises(ValueError, match=message):
            optimizers.SGD([parameter], lr=0.1).step()
        assert torch.equal(parameter, before)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), ()], ids=str)
def test_muon_takes_matrices_only(shape):
    message = (
        rf"^Muon is for matrices, parameters of 2 dimensions; it got one of shape {re.escape(str(shape))}\. "
        "Give Muon the matrices of the blocks, and give the other parameters to AdamW"
    )
    with pytest.raises(ValueError, match=message):
        optimizers.Muon(fresh([(2, 2), shape]))
    optimizer, _ = made("Muon")
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": fresh([(2, 2), shape])})
    assert len(optimizer.param_groups) == 1


def test_orthogonalize_takes_a_matrix():
    with pytest.raises(ValueError, match=r"^orthogonalize takes a matrix \(m, n\); \(3,\) came\. Reshape"):
        optimizers.orthogonalize(torch.ones(3))


def test_an_optimizer_of_your_own_needs_an_update():
    class Mine(optimizers.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

    (parameter,) = fresh([(2,)])
    parameter.grad = torch.ones(2)
    with pytest.raises(NotImplementedError, match=r"^Mine has no update\(parameter, gradient, state, group\)\. Write"):
        Mine([parameter]).step()
