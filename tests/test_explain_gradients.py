"""Explanations from gradients, held equal to captum, to closed forms and to finite differences."""

import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the library's own, while it is imported
    from captum import attr

from bmcourse.explain import core
from bmcourse.explain.grad_cam import grad_cam
from bmcourse.explain.integrated_gradients import integrated_gradients
from bmcourse.explain.saliency import gradient_times_input, guided_backprop, saliency, smooth_grad
from bmcourse.models.cnn import CNN, max_pool2d
from bmcourse.models.mlp import MLP
from tests.twins import randn

METHODS = {
    "saliency": saliency,
    "gradient_times_input": gradient_times_input,
    "smooth_grad": smooth_grad,
    "guided_backprop": guided_backprop,
    "integrated_gradients": lambda *arguments: integrated_gradients(*arguments)[0],
    "grad_cam": lambda model, *arguments: grad_cam(model, model[1], *arguments),
}
EXACT = [name for name in METHODS if name != "smooth_grad"]  # whose noise is drawn anew for each row
TARGET = torch.tensor([0, 1, 2, 0, 1])


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(core, "CHUNK", 200)  # three digits a pass


def convolutions(inplace=False):
    """From (B, 8, 8) to three outputs."""
    torch.manual_seed(0)
    front = [nn.Unflatten(1, (1, 8)), nn.Conv2d(1, 6, 3), nn.ReLU(inplace), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3)]
    return nn.Sequential(*front, nn.ReLU(inplace), nn.Flatten(), nn.Linear(8, 3, bias=False)).eval()


def smooth():
    """From (B, 4) to three outputs, with slopes that change everywhere."""
    torch.manual_seed(0)
    return MLP([4, 9, 3], "tanh").eval()


def of_captum(explainer, inputs, **arguments):
    """What captum gives, without the warnings about itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return explainer.attribute(inputs.clone().requires_grad_(), **arguments)


def linear():
    torch.manual_seed(0)
    return nn.Linear(4, 3).eval(), randn(5, 4), TARGET


# ---------------------------------------------------------------- captum on the same inputs


def test_saliency_is_captums():
    model, inputs = convolutions(), randn(5, 8, 8)
    torch.testing.assert_close(saliency(model, inputs, TARGET), of_captum(attr.Saliency(model), inputs, target=TARGET))


def test_gradient_times_input_is_captums():
    model, inputs = convolutions(), randn(5, 8, 8)
    theirs = of_captum(attr.InputXGradient(model), inputs, target=TARGET)
    torch.testing.assert_close(gradient_times_input(model, inputs, TARGET), theirs.detach())


def test_guided_backprop_is_captums():
    model, inputs = convolutions(), randn(5, 8, 8)
    theirs = of_captum(attr.GuidedBackprop(model), inputs, target=TARGET)
    torch.testing.assert_close(guided_backprop(model, inputs, TARGET), theirs)
    assert not torch.allclose(theirs.abs(), saliency(model, inputs, TARGET))


@pytest.mark.parametrize("baseline", [0.0, 0.7, randn(8, 8, seed=3)], ids=["0", "number", "tensor"])
def test_integrated_gradients_are_captums(baseline, small_chunks):
    model, inputs = convolutions().double(), randn(5, 8, 8).double()
    ours, error = integrated_gradients(model, inputs, TARGET, baseline=baseline, steps=20)
    theirs = attr.IntegratedGradients(model)
    baseline = torch.as_tensor(baseline).double().expand(1, 8, 8)
    how = {"n_steps": 20, "method": "riemann_middle", "return_convergence_delta": True}
    attributions, delta = of_captum(theirs, inputs, baselines=baseline, target=TARGET, **how)
    torch.testing.assert_close(ours, attributions.detach(), atol=1e-7, rtol=1e-6)  # captum's steps are in float32
    torch.testing.assert_close(error, delta.detach(), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("number", [2, 5])  # what the ReLU behind each convolution lets through
def test_grad_cam_is_captums(number, small_chunks):
    model, inputs = convolutions(), randn(5, 8, 8)
    explainer = attr.LayerGradCam(model, model[number])
    theirs = of_captum(explainer, inputs, target=TARGET, relu_attributions=True)
    ours = grad_cam(model, model[number], inputs, TARGET)
    torch.testing.assert_close(ours, theirs[:, 0].detach())
    assert ours.max() > 0
    stretched = attr.LayerAttribution.interpolate(theirs, (8, 8), "bilinear")[:, 0].detach()
    torch.testing.assert_close(grad_cam(model, model[number], inputs, TARGET, size=(8, 8)), stretched)


def test_smooth_grad_is_captums_within_the_noise():
    model, inputs = smooth(), randn(5, 4).sigmoid()
    inputs[:, 0], inputs[:, 1] = 0.0, 1.0  # captum knows one standard deviation for all: each range is 1
    ours = smooth_grad(model, inputs, TARGET, samples=4000, noise=0.5)
    torch.manual_seed(0)
    noisy = attr.NoiseTunnel(attr.Saliency(model))
    theirs = of_captum(noisy, inputs, target=TARGET, nt_samples=4000, stdevs=0.5, nt_type="smoothgrad", abs=False)
    torch.testing.assert_close(ours, theirs, atol=0.01, rtol=0)


# ---------------------------------------------------------------- closed forms and finite differences


def test_of_a_linear_model_all_is_known():
    model, inputs, target = linear()
    weights = model.weight.detach()[target]
    torch.testing.assert_close(saliency(model, inputs, target), weights.abs())
    torch.testing.assert_close(gradient_times_input(model, inputs, target), weights * inputs)
    torch.testing.assert_close(smooth_grad(model, inputs, target, samples=3), weights)
    attributions, error = integrated_gradients(model, inputs, target, baseline=0.5, steps=1)
    torch.testing.assert_close(attributions, weights * (inputs - 0.5))
    torch.testing.assert_close(error, torch.zeros(5), atol=1e-6, rtol=0)


def test_the_gradient_is_the_slope():
    model, inputs = smooth().double(), randn(5, 4).double()
    slopes = torch.empty_like(inputs)
    for feature in range(4):
        moved = 1e-5 * F.one_hot(torch.tensor(feature), 4)
        change = model(inputs + moved) - model(inputs - moved)
        slopes[:, feature] = change.gather(1, TARGET[:, None])[:, 0].detach() / 2e-5
    torch.testing.assert_close(saliency(model, inputs, TARGET), slopes.abs(), atol=1e-8, rtol=1e-6)


def test_noise_flattens_a_wave_as_it_should():
    inputs = torch.tensor([[0.0, 1.0, 0.3]])
    gradient = smooth_grad(lambda x: x.sin().sum(dim=1), inputs, samples=20_000, noise=0.5)
    expected = inputs.cos() * math.exp(-(0.5**2) / 2)  # the mean of cos(x + noise)
    torch.testing.assert_close(gradient, expected, atol=0.01, rtol=0)


def test_integrated_gradients_of_a_square_and_a_product():
    inputs = torch.tensor([[3.0, 2.0]])
    attributions, error = integrated_gradients(lambda x: x[:, 0] ** 2 + x[:, 0] * x[:, 1], inputs, steps=1)
    assert attributions.tolist() == [[9 + 3, 3]] and error.tolist() == [0]  # the product is shared equally


def test_the_middle_of_one_step_is_not_enough_for_a_cube():
    attributions, error = integrated_gradients(lambda x: x[:, 0] ** 3, torch.tensor([[2.0]]), steps=1)
    assert attributions.tolist() == [[6]] and error.tolist() == [-2]  # 3 · 1² · 2 of 8


def test_more_steps_complete_more():
    model, inputs = smooth().double(), 3 * randn(5, 4).double()
    errors = [integrated_gradients(model, inputs, TARGET, steps=steps)[1].abs().max() for steps in (4, 16, 64)]
    assert errors[0] > 8 * errors[1] > 64 * errors[2]  # of a smooth model the error is 1/16 each time


def test_a_saturated_feature_has_no_gradient_but_is_integrated():
    inputs = torch.tensor([[5.0]])
    assert saliency(lambda x: x.clamp(max=1), inputs).tolist() == [[0]]
    torch.testing.assert_close(integrated_gradients(lambda x: x.clamp(max=1), inputs, steps=100)[0], torch.ones(1, 1))


def test_guided_backprop_by_hand():
    def model(x):
        return (F.relu(x) * torch.tensor([2.0, -3.0, 4.0])).sum(dim=1)

    inputs = torch.tensor([[1.0, 1.0, -1.0]])
    assert core.gradient_of(model, inputs, torch.tensor([0])).tolist() == [[2, -3, 0]]
    assert guided_backprop(model, inputs).tolist() == [[2, 0, 0]]


@pytest.mark.parametrize(
    "relu", [nn.ReLU(), nn.ReLU(inplace=True), F.relu, torch.relu, torch.Tensor.relu, lambda x: F.relu(input=x)]
)
def test_guided_backprop_finds_every_way_to_write_a_relu(relu):
    weights = randn(4, 6), randn(6, 3)
    inputs = randn(5, 4)
    plain = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 3, bias=False)).eval()
    plain[0].weight.data, plain[2].weight.data = (weight.T.contiguous() for weight in weights)
    theirs = of_captum(attr.GuidedBackprop(plain), inputs, target=TARGET)
    ours = guided_backprop(lambda x: relu(x @ weights[0]) @ weights[1], inputs, TARGET)
    torch.testing.assert_close(ours, theirs)


def test_guided_backprop_leaves_the_relus_as_they_were():
    inputs = randn(5, 8, 8)
    model = convolutions()
    before = core.gradient_of(model, inputs, TARGET)
    guided_backprop(model, inputs, TARGET)
    assert core.gradient_of(model, inputs, TARGET).equal(before)


def test_grad_cam_by_hand():
    layer = nn.Identity()
    inputs = torch.tensor([[[[1.0, -2.0]], [[3.0, 5.0]]]])  # two channels of 1 × 2

    def model(x):
        x = layer(x)
        return 2 * x[:, 0].sum(dim=(1, 2)) - x[:, 1].sum(dim=(1, 2)) * 0.5

    assert grad_cam(model, layer, inputs).tolist() == [[[0.5, 0.0]]]  # 2 · 1 − ½ · 3 and 2 · −2 − ½ · 5


def test_a_channel_that_the_relu_silences_is_no_evidence():
    layer = nn.Identity()
    inputs = torch.tensor([[[[1.0, 2.0]], [[3.0, -5.0]]]])

    def model(x):
        x = layer(x).relu()
        return 2 * x[:, 0].sum(dim=(1, 2)) - x[:, 1].sum(dim=(1, 2)) * 0.5

    assert grad_cam(model, layer, inputs).tolist() == [[[1.25, 4.0]]]  # 2 · 1 − ¼ · 3, and 2 · 2 without + ¼ · 5


def test_grad_cam_sees_the_layer_before_an_in_place_relu():
    inputs = randn(5, 8, 8)
    plain, inplace = convolutions(), convolutions(inplace=True)
    torch.testing.assert_close(grad_cam(inplace, inplace[4], inputs), grad_cam(plain, plain[4], inputs))


def test_grad_cam_works_with_frozen_parameters_and_leaves_no_hook():
    model, inputs = convolutions(), randn(5, 8, 8)
    expected = grad_cam(model, model[4], inputs, TARGET)
    model.requires_grad_(False)
    torch.testing.assert_close(grad_cam(model, model[4], inputs, TARGET), expected)
    assert not model[4]._forward_hooks


def test_the_courses_own_networks():
    torch.manual_seed(0)
    model, inputs = CNN(channels=4).eval(), randn(5, 8, 8)
    with torch.no_grad():
        seen = model.conv2(max_pool2d(F.relu(model.conv1(inputs[:, None])), 2))
    seen.requires_grad_()
    answers = model.head(max_pool2d(F.relu(seen), 2).flatten(1))[:, 3]
    weights = torch.autograd.grad(answers.sum(), seen)[0].mean((2, 3), keepdim=True)
    by_hand = F.relu((weights * F.relu(seen)).sum(1)).detach()
    torch.testing.assert_close(grad_cam(model, model.conv2, inputs, 3), by_hand)
    assert guided_backprop(model, inputs, 3).shape == (5, 8, 8)


# ---------------------------------------------------------------- randomness


def test_smooth_grad_repeats_itself_by_its_seed():
    model, inputs = convolutions(), randn(5, 8, 8)
    state = torch.get_rng_state()
    assert smooth_grad(model, inputs, seed=1).equal(smooth_grad(model, inputs, seed=1))
    assert not smooth_grad(model, inputs, seed=1).equal(smooth_grad(model, inputs, seed=2))
    assert torch.get_rng_state().equal(state)


def test_without_noise_smooth_grad_is_the_gradient():
    model, inputs = convolutions(), randn(5, 8, 8)
    smooth = smooth_grad(model, inputs, TARGET, samples=2, noise=0.0)
    torch.testing.assert_close(smooth, core.gradient_of(model, inputs, TARGET))


def test_the_noise_goes_with_each_inputs_range(small_chunks):
    seen = []

    def model(x):
        if x.requires_grad:
            seen.append(x.detach().clone())
        return x.sum(dim=(1, 2))

    inputs = torch.stack([torch.eye(8), 100 * torch.eye(8)])
    smooth_grad(model, inputs, samples=200, noise=0.1)
    spread = (torch.cat(seen).view(2, 200, 8, 8) - inputs[:, None]).std(dim=(1, 2, 3))
    torch.testing.assert_close(spread, torch.tensor([0.1, 10.0]), atol=0, rtol=0.05)


# ---------------------------------------------------------------- all of them alike


def test_the_shape_and_the_type_are_the_inputs(method):
    inputs = randn(5, 8, 8).double()
    result = method(convolutions().double(), inputs, TARGET)
    assert result.dtype == torch.float64 and not result.requires_grad and len(result) == 5
    assert result.shape == inputs.shape or method is METHODS["grad_cam"]


@pytest.mark.parametrize("method", EXACT, indirect=True)
def test_in_chunks_as_without(method, monkeypatch):
    whole = method(convolutions(), randn(5, 8, 8), TARGET)
    monkeypatch.setattr(core, "CHUNK", 200)
    torch.testing.assert_close(method(convolutions(), randn(5, 8, 8), TARGET), whole)


def test_without_a_target_the_likeliest_is_explained(method):
    model, inputs = convolutions(), randn(5, 8, 8)
    likeliest = model(inputs).argmax(dim=1)
    assert len(likeliest.unique()) > 1
    assert method(model, inputs).equal(method(model, inputs, likeliest))


@pytest.mark.parametrize("method", EXACT, indirect=True)
def test_an_input_is_explained_alone_as_in_a_batch(method):
    model, inputs = convolutions(), randn(5, 8, 8)
    torch.testing.assert_close(method(model, inputs[2:3], 1)[0], method(model, inputs, 1)[2])


def test_gradients_of_parameters_stay_as_they_are(method):
    model, inputs = convolutions(), randn(5, 8, 8)
    method(model, inputs)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not inputs.requires_grad


def test_all_say_what_is_wrong(method):
    model, inputs = convolutions(), randn(5, 8, 8)
    with pytest.raises(ValueError, match="target goes from 3 to 3; the model's outputs are 0 to 2"):
        method(model, inputs, 3)
    with pytest.raises(ValueError, match="training mode"):
        method(convolutions().train(), inputs)
    with pytest.raises(ValueError, match="15 of the model's 15 outputs are not finite"):
        method(model, inputs * float("nan"))
    with pytest.raises(ValueError, match=r"several inputs is not supported"):
        method(model, (inputs, inputs))
    with pytest.raises(ValueError, match=r"torch\.int64, which has no gradient"):
        method(model, torch.ones(5, 8, 8, dtype=torch.long))


@pytest.mark.parametrize("arguments", [{"samples": 0}, {"noise": -0.1}, {"noise": float("inf")}])
def test_smooth_grad_needs_samples_and_noise(arguments):
    with pytest.raises(ValueError, match="expected 1 sample or more, and noise as a share"):
        smooth_grad(*linear(), **arguments)


def test_integrated_gradients_need_a_step_and_a_baseline_that_fits():
    with pytest.raises(ValueError, match="steps is 0; expected 1 or more points"):
        integrated_gradients(*linear(), steps=0)
    with pytest.raises(ValueError, match=r"baseline is \(3,\); expected a number, or the shape of one input, \(4,\)"):
        integrated_gradients(*linear(), baseline=torch.zeros(3))


def test_guided_backprop_needs_a_relu():
    with pytest.raises(ValueError, match="The model has no ReLU"):
        guided_backprop(*linear())


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv2d(1, 1, 1), "The model used this Conv2d 0 times; expected a layer it uses once"),
        (nn.Linear(3, 3), "The model used this Linear 2 times"),
    ],
)
def test_grad_cam_needs_a_layer_that_is_used_once(layer, message):
    model = (lambda x: layer(layer(x))) if isinstance(layer, nn.Linear) else (lambda x: x)
    with pytest.raises(ValueError, match=message):
        grad_cam(model, layer, randn(2, 3))


def test_grad_cam_needs_a_layer_of_images():
    model = convolutions()
    with pytest.raises(ValueError, match=r"This Linear gives \(5, 3\); expected images \(B, C, H, W\)"):
        grad_cam(model, model[-1], randn(5, 8, 8))
