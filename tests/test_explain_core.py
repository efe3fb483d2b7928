"""What all explanations share: against slow loops, in chunks as without, and every error message."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bmcourse.explain import core
from tests.twins import randn

ROOT = Path(__file__).parents[1]


def network(*sizes, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(*sizes[:2]), nn.Tanh(), nn.Linear(*sizes[1:])).eval()


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(core, "CHUNK", 30)  # a few rows of 12 features a pass


def test_importing_the_package_loads_nothing():
    code = "import sys, bmcourse.explain; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ---------------------------------------------------------------- the output and its gradient


def test_the_target_is_the_likeliest_output_unless_it_is_given():
    model, inputs = network(12, 5, 4), randn(6, 3, 4)
    assert core.check_model(model, inputs).equal(model(inputs).argmax(dim=1))
    assert core.check_model(model, inputs, 2).tolist() == [2] * 6
    assert core.check_model(model, inputs, [0, 1, 2, 3, 0, 1]).tolist() == [0, 1, 2, 3, 0, 1]
    assert core.check_model(model, inputs, torch.tensor([3] * 6, dtype=torch.int32)).dtype == torch.int64


def test_a_model_with_one_output_a_row():
    inputs = randn(6, 4)
    target = core.check_model(lambda x: x.sum(dim=1), inputs)
    assert target.tolist() == [0] * 6
    torch.testing.assert_close(core.outputs_for(lambda x: x.sum(dim=1), inputs, target), inputs.sum(dim=1))


def test_outputs_and_gradients_are_those_of_a_loop(small_chunks):
    model, inputs, target = network(12, 5, 4), randn(7, 3, 4), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    outputs, gradients = [], []
    for x, t in zip(inputs, target, strict=True):
        x = x.clone().requires_grad_()
        output = model(x[None])[0, t]
        outputs.append(output.detach())
        gradients.append(torch.autograd.grad(output, x)[0])
    torch.testing.assert_close(core.outputs_for(model, inputs, target), torch.stack(outputs))
    torch.testing.assert_close(core.gradient_of(model, inputs, target), torch.stack(gradients))


def test_nothing_of_the_callers_changes():
    model, inputs, target = network(12, 5, 4), randn(7, 12), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    model(inputs).sum().backward()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    with torch.no_grad():
        gradient = core.gradient_of(model, inputs, target)
    assert not inputs.requires_grad and inputs.grad is None
    assert not gradient.requires_grad and not core.outputs_for(model, inputs, target).requires_grad
    assert all(old.equal(parameter.grad) for old, parameter in zip(before, model.parameters(), strict=True))


def test_float64_stays_float64():
    model, inputs = network(12, 5, 4).double(), randn(7, 12).double()
    target = core.check_model(model, inputs)
    assert core.outputs_for(model, inputs, target).dtype == torch.float64
    assert core.gradient_of(model, inputs, target).dtype == torch.float64


def test_a_pass_never_has_more_rows_than_fit(small_chunks):
    sizes = []

    def model(x):
        sizes.append(len(x))
        return x.sum(dim=1)

    inputs, zeros = randn(7, 12), torch.zeros(7, dtype=torch.long)
    core.outputs_for(model, inputs, zeros)
    core.gradient_of(model, inputs, zeros)
    core.masked_outputs(model, inputs, zeros, torch.ones(1, 3, 12, dtype=torch.bool), torch.arange(12), torch.tensor(0))
    assert max(sizes) == 2 and sum(sizes) == 7 + 7 + 21
    assert core.rows_at_once(randn(1, 99)) == 1


def test_what_a_model_ignores_has_gradient_zero():
    model = nn.Linear(1, 2).eval()
    assert core.gradient_of(lambda x: model(x[:, :1] * 0 + 1), randn(3, 4), torch.zeros(3).long()).eq(0).all()


# ---------------------------------------------------------------- parts taken away


@pytest.mark.parametrize("baseline", [0.0, torch.arange(12.0).view(3, 4)], ids=["number", "tensor"])
def test_masked_inputs_are_those_of_a_loop(small_chunks, baseline):
    model, inputs = network(12, 5, 4), randn(5, 3, 4)
    groups = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2]])
    present = randn(5, 6, 3) > 0
    masked = inputs[:, None].repeat(1, 6, 1, 1)
    for b, s, row, column in torch.ones(5, 6, 3, 4).nonzero().tolist():
        if not present[b, s, groups[row, column]]:
            masked[b, s, row, column] = core.check_baseline(baseline, inputs)[row, column]
    groups, G = core.check_groups(groups, inputs)
    baseline = core.check_baseline(baseline, inputs)
    assert G == 3 and core.mask_inputs(inputs, present, groups, baseline).equal(masked)
    target = torch.tensor([0, 1, 2, 3, 0])
    expected = model(masked.flatten(0, 1)).gather(1, target.repeat_interleave(6)[:, None]).view(5, 6)
    torch.testing.assert_close(core.masked_outputs(model, inputs, target, present, groups, baseline), expected)


def test_a_mask_for_all_inputs_is_one_for_each():
    model, inputs, present = network(12, 5, 4), randn(5, 12), randn(1, 6, 12) > 0
    rest = torch.zeros(5, dtype=torch.long), present, torch.arange(12), torch.tensor(0.0)
    once = core.masked_outputs(model, inputs, *rest)
    each = core.masked_outputs(model, inputs, rest[0], present.repeat(5, 1, 1), *rest[2:])
    assert once.shape == (5, 6) and once.equal(each)


def test_token_ids_are_masked_by_a_token():
    tokens = torch.tensor([[3, 4, 5]])
    groups, _ = core.check_groups(None, tokens)
    present = torch.tensor([[[True, False, True]]])
    assert core.mask_inputs(tokens, present, groups, core.check_baseline(9, tokens)).tolist() == [[[3, 9, 5]]]


def test_groups_without_an_argument_are_the_features():
    groups, G = core.check_groups(None, randn(2, 3, 4))
    assert G == 12 and groups.equal(torch.arange(12).view(3, 4))


def test_groups_of_pixels_hold_for_every_channel():
    groups, G = core.check_groups(core.patches(4, 4, 2), randn(2, 3, 4, 4))
    assert G == 4 and groups.shape == (3, 4, 4) and groups[0].equal(groups[2])


def test_patches_are_cut_off_at_the_edges():
    assert core.patches(3, 5, 2).tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert core.patches(8, 8, 8).unique().tolist() == [0]
    assert core.patches(8, 8, 1).equal(torch.arange(64).view(8, 8))


# ---------------------------------------------------------------- what may not come in


@pytest.mark.parametrize("inner", [False, True], ids=["all", "one layer"])
def test_training_mode_is_refused(inner):
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).eval()
    (model[1] if inner else model).train()
    with pytest.raises(ValueError, match=r"training mode: dropout would make its explanation random.*model\.eval\(\)"):
        core.check_model(model, randn(2, 3))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((randn(2, 3), randn(2, 3)), r"inputs is a tuple; expected one tensor .* several inputs is not supported"),
        (randn(3), r"inputs is \(3,\); expected a batch .* inputs\[None\]"),
        (torch.zeros(0, 3), r"inputs is \(0, 3\); .*not empty"),
        (torch.zeros(2, 0), r"inputs is \(2, 0\); .*not empty"),
    ],
)
def test_what_is_no_batch_is_refused(inputs, message):
    for check in (core.check_model, core.check_gradient):
        with pytest.raises(ValueError, match=message):
            check(nn.Linear(3, 2).eval(), inputs)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (2, "target goes from 2 to 2; the model's outputs are 0 to 1"),
        ([0, 5, 1, 1], "target goes from 0 to 5"),
        (-1, "target goes from -1 to -1"),
        ([0, 1], r"target is \(2,\) of torch\.int64; expected a whole number, or 4 of them"),
        ([[0], [1], [0], [1]], r"target is \(4, 1\)"),
        (1.0, r"target is \(\) of torch\.float32"),
        (True, r"target is \(\) of torch\.bool"),
    ],
)
def test_a_target_that_is_none_is_refused(target, message):
    with pytest.raises(ValueError, match=message):
        core.check_model(nn.Linear(3, 2).eval(), randn(4, 3), target)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda x: x.numpy(), r"The model gave a ndarray; expected a tensor .*torch\.as_tensor"),
        (lambda x: x[:, :, None], r"The outputs are \(4, 3, 1\) for 4 inputs; expected \(B, K\)"),
        (lambda x: x[:2], r"The outputs are \(2, 3\) for 4 inputs"),
        (lambda x: x.sum(), r"The outputs are \(\) for 4 inputs"),
        (lambda x: x[:, :0], r"The outputs are \(4, 0\) for 4 inputs"),
        (lambda x: (x * 0).log(), r"12 of the model's 12 outputs are not finite numbers.* NaN in the inputs"),
    ],
)
def test_outputs_that_cannot_be_explained_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        core.check_model(model, randn(4, 3))


def test_outputs_that_are_not_finite_further_on_are_found():
    with pytest.raises(ValueError, match="1 of the model's 4 outputs are not finite"):
        core.outputs_for(lambda x: 1 / x, torch.tensor([[1.0], [2.0], [0.0], [3.0]]), torch.zeros(4).long())


def test_token_ids_have_no_gradient():
    tokens = torch.tensor([[1, 2]])
    for check in (core.check_gradient, core.gradient_of):
        with pytest.raises(ValueError, match=r"inputs is of torch\.int64, which has no gradient.*embeddings"):
            check(lambda x: x, tokens, torch.tensor([0]))


def test_a_model_that_leaves_torch_has_no_gradient():
    with pytest.raises(ValueError, match="no gradient to its inputs: something inside it leaves torch"):
        core.gradient_of(lambda x: x.detach() * 2, randn(2, 3), torch.tensor([0, 0]))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (torch.zeros(3).long(), r"groups is \(3,\) of torch\.int64; expected whole numbers .* one input, \(2, 4\)"),
        (torch.zeros(5, 2, 4).long(), r"groups is \(5, 2, 4\)"),
        (torch.zeros(2, 4), r"of torch\.float32; expected whole numbers"),
        (torch.zeros(2, 4).bool(), r"of torch\.bool; expected whole numbers"),
        (torch.tensor([0, 1, 3, 3]), r"without a gap, and these are \[0, 1, 3\].*return_inverse"),
        (torch.tensor([1, 1, 2, 2]), r"these are \[1, 2\]"),
        (torch.tensor([-1, 0, 1, 1]), r"these are \[-1, 0, 1\]"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        core.check_groups(groups, randn(5, 2, 4))


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (torch.zeros(3), r"baseline is \(3,\); expected a number, or the shape of one input, \(2, 4\)"),
        (torch.zeros(5, 2, 4), r"baseline is \(5, 2, 4\)"),
        (float("nan"), "baseline has values that are not finite"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(baseline, message):
    with pytest.raises(ValueError, match=message):
        core.check_baseline(baseline, randn(5, 2, 4))


def test_a_patch_has_a_size():
    with pytest.raises(ValueError, match="The patches are 0 pixels wide; expected 1 or more"):
        core.patches(8, 8, 0)
