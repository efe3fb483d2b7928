"""Losses that constrain explanations, against formulas worked out by hand, and what they do to a shortcut."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.explain.core import gradient_of
from bmcourse.explain.right_reasons import few_reasons_loss, right_reasons_loss, used_share
from bmcourse.models.classifiers import digit_classifier


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 5, generator=generator), torch.randint(3, (6,), generator=generator)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))


FORBIDDEN = torch.tensor([True, True, False, False, False])


def penalty_of_a_linear_model(weight, x, forbidden):
    """By hand: the gradient of Σ_k log p_k is Σ_k w_k - K Σ_k p_k w_k."""
    probabilities = (x @ weight.T).softmax(1)
    gradient = weight.sum(0) - len(weight) * probabilities @ weight
    return (gradient * forbidden).square().sum(1).mean()


def test_the_penalty_of_a_linear_model_by_hand(batch):
    x, y = batch
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(3), requires_grad=True)
    loss = right_reasons_loss(lambda x: x @ weight.T, x, y, FORBIDDEN, strength=2.0)
    expected = F.cross_entropy(x @ weight.T, y) + 2 * penalty_of_a_linear_model(weight, x, FORBIDDEN)
    torch.testing.assert_close(loss, expected)
    (ours,), (theirs,) = (torch.autograd.grad(value, weight) for value in (loss, expected))
    torch.testing.assert_close(ours, theirs)


def test_the_weights_gradient_agrees_with_finite_differences(batch, model):
    x, y = batch[0].double(), batch[1]
    model = model.double()

    def loss_with(weight):
        parameters = dict(model.named_parameters()) | {"0.weight": weight}
        return right_reasons_loss(lambda x: torch.func.functional_call(model, parameters, (x,)), x, y, FORBIDDEN, 1.5)

    assert torch.autograd.gradcheck(loss_with, (model[0].weight.detach().clone().requires_grad_(),))


@pytest.mark.parametrize("forbidden", [torch.zeros(5, dtype=torch.bool), torch.zeros(6, 5)])
def test_nothing_forbidden_costs_nothing(batch, model, forbidden):
    x, y = batch
    torch.testing.assert_close(right_reasons_loss(model, x, y, forbidden, 9.0), F.cross_entropy(model(x), y))


def test_inputs_and_their_gradients_stay_as_they_are(batch, model):
    x, y = batch
    before = x.clone()
    for loss in (right_reasons_loss(model, x, y, FORBIDDEN, 1.0), few_reasons_loss(model, x, y, 1.0)):
        loss.backward()
    assert torch.equal(x, before) and not x.requires_grad and x.grad is None


def test_forbidden_places_that_do_not_fit(batch, model):
    with pytest.raises(ValueError, match=r"forbidden is \(4,\); \(6, 5\) was expected, or \(5,\)"):
        right_reasons_loss(model, *batch, FORBIDDEN[:4], 1.0)


@pytest.mark.parametrize("strength", [-1, float("nan")])
def test_a_strength_below_zero(batch, model, strength):
    for loss in (
        lambda s: right_reasons_loss(model, *batch, FORBIDDEN, s),
        lambda s: few_reasons_loss(model, *batch, s),
    ):
        with pytest.raises(ValueError, match="strength is .*expected 0"):
            loss(strength)


# ---------------------------------------------------------------- few reasons


def test_the_used_share_by_hand():
    share = used_share(torch.tensor([[1.0, -1, 1, -1], [0, 0, 3, 0], [1, 1, 0, 0], [0, 0, 0, 0]]))
    assert share.tolist() == [1, 0.25, 0.5, 0]


def test_the_used_share_does_not_see_the_size():
    x = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(used_share(7 * x), used_share(x))


def test_few_reasons_are_counted_on_the_targets_log_probability(batch, model):
    x, y = batch
    gradient = gradient_of(lambda x: model.eval()(x).log_softmax(1), x, y)
    expected = F.cross_entropy(model(x), y) + 3 * used_share(gradient).mean()
    torch.testing.assert_close(few_reasons_loss(model, x, y, 3.0), expected)


# ---------------------------------------------------------------- the planted shortcut


def trained(loss_of, steps=150):
    torch.manual_seed(0)
    model, generator = digit_classifier("MLP"), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        loss = loss_of(model, torch.randint(1000, (32,), generator=generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def right(model, images, labels):
    return (model(images).argmax(1) == labels).float().mean().item()


def test_the_right_reasons_bring_back_what_the_decoy_took():
    digits, generator = data.digits(), torch.Generator().manual_seed(0)
    labels = digits.train_labels
    images, place = data.decoy(digits.train_images, labels, generator)
    fooled = trained(lambda model, i: F.cross_entropy(model(images[i]), labels[i]))
    told = trained(lambda model, i: right_reasons_loss(model, images[i], labels[i], place[i], 0.1))
    anything = torch.randint(10, digits.validation_labels.shape, generator=generator)
    test_images, test_place = data.decoy(digits.validation_images, anything, generator)
    assert (
        right(told, test_images, digits.validation_labels) > right(fooled, test_images, digits.validation_labels) + 0.03
    )
    gradients = [gradient_of(model, test_images, digits.validation_labels).abs() for model in (told, fooled)]
    assert gradients[0][test_place].mean() < 0.2 * gradients[1][test_place].mean()


def test_few_reasons_need_fewer_pixels():
    digits = data.digits()
    images, labels = digits.train_images, digits.train_labels
    plain = trained(lambda model, i: F.cross_entropy(model(images[i]), labels[i]))
    sparse = trained(lambda model, i: few_reasons_loss(model, images[i], labels[i], 3.0))
    shares = [
        used_share(gradient_of(model, digits.validation_images, digits.validation_labels)).mean()
        for model in (sparse, plain)
    ]
    assert shares[0] < 0.8 * shares[1]
    assert right(sparse, digits.validation_images, digits.validation_labels) > 0.8
