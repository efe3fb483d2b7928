"""Shapley values, held equal to all orders by brute force, to closed forms, to captum and to shap."""

import itertools
import math
import warnings

import pytest
import torch
from torch import nn

from bmcourse.explain.core import patches
from bmcourse.explain.shapley import (
    all_coalitions,
    kernel_shap,
    linear_shapley,
    paired_coalitions,
    shapley_exact,
    shapley_sampling,
    subsets,
)
from bmcourse.models.cnn import CNN
from bmcourse.models.mlp import MLP
from tests.twins import randn

METHODS = {
    "exact": shapley_exact,
    "sampling": lambda *args, **kwargs: shapley_sampling(*args, **kwargs)[0],
    "kernel": kernel_shap,
}


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


def network(features, outputs=3):
    torch.manual_seed(0)
    return MLP([features, 20, outputs], "tanh").eval()


def by_all_orders(wins, G):
    """The definition: the mean contribution over all G! orders of the players; wins takes a set."""
    values = torch.zeros(G, dtype=torch.float64)
    for order in itertools.permutations(range(G)):
        for i, player in enumerate(order):
            values[player] += wins(order[: i + 1]) - wins(order[:i])
    return values / math.factorial(G)


# ---------------------------------------------------------------- what they are


def test_a_worked_example():
    model = lambda x: 2 * x[:, 0] + 6 * x[:, 1] * x[:, 2]  # noqa: E731
    torch.testing.assert_close(shapley_exact(model, torch.ones(1, 3)), torch.tensor([[2.0, 3.0, 3.0]]))


@pytest.mark.parametrize("background", [None, randn(4, 5, seed=3)], ids=["baseline", "background"])
def test_exact_equals_all_orders(background):
    model, x, baseline, target = network(5), randn(3, 5), randn(5, seed=1), [2, 0, 1]
    absent = baseline[None] if background is None else background
    values = shapley_exact(model, x, torch.tensor(target), baseline, background=background)
    for row, t, ours in zip(x, target, values, strict=True):

        def wins(players, row=row, t=t):
            mixed = absent.clone()
            mixed[:, list(players)] = row[list(players)]
            return model(mixed)[:, t].mean().item()

        torch.testing.assert_close(ours.double(), by_all_orders(wins, 5), atol=1e-5, rtol=1e-5)


def test_they_add_up_to_the_output_less_the_output_of_nothing(method):
    model, x, background = network(7), randn(6, 7), randn(9, 7, seed=1)
    output = model(x)[:, 1].detach()
    torch.testing.assert_close(method(model, x, 1).sum(dim=1), output - model(torch.zeros(7))[1].detach())
    values = method(model, x, 1, background=background)
    torch.testing.assert_close(values.sum(dim=1), output - model(background)[:, 1].mean().detach())


def test_a_feature_without_influence_has_the_value_zero(method):
    model = lambda x: (x[:, :1] * x[:, 1:2] + x[:, 3:4]).sin()  # noqa: E731
    values = method(model, randn(5, 4))
    torch.testing.assert_close(values[:, 2], torch.zeros(5), atol=1e-6, rtol=0)


def test_features_that_do_the_same_have_the_same_value():
    model, x = lambda x: (x[:, 0] + x[:, 1]).tanh() * x[:, 2], randn(5, 3)  # noqa: E731
    x[:, 1] = x[:, 0]
    for method in (shapley_exact, kernel_shap):
        values = method(model, x)
        torch.testing.assert_close(values[:, 0], values[:, 1])


def test_of_a_linear_model_all_methods_are_the_closed_form(method):
    model, x, background = nn.Linear(9, 2).eval(), randn(5, 9), randn(20, 9, seed=1)
    expected = linear_shapley(model.weight[1].detach(), x, background.mean(dim=0))
    torch.testing.assert_close(method(model, x, 1, background=background), expected, atol=1e-5, rtol=1e-5)


def test_groups_come_and_go_together(method):
    groups, x = torch.tensor([0, 0, 1, 1, 1, 2]), randn(4, 6)
    weight = torch.arange(1.0, 7.0)
    expected = torch.stack([(weight * x)[:, groups == g].sum(dim=1) for g in range(3)], dim=1)
    torch.testing.assert_close(method(lambda x: x @ weight, x, groups=groups), expected, atol=1e-5, rtol=1e-5)


def test_one_group_gets_everything(method):
    model, x = network(3), randn(4, 3)
    expected = (model(x) - model(torch.zeros(3)))[:, :1].detach()
    torch.testing.assert_close(method(model, x, 0, groups=torch.zeros(3, dtype=torch.long)), expected)


def test_images_in_patches(method):
    torch.manual_seed(0)
    model, images = CNN(channels=4).eval(), randn(3, 8, 8)
    values = method(model, images, groups=patches(8, 8, 4))
    torch.testing.assert_close(values, shapley_exact(model, images, groups=patches(8, 8, 4)), atol=0.05, rtol=0)


def test_groups_that_are_always_as_if_absent_do_not_play(method):
    model, x = network(30), torch.zeros(4, 30)
    x[:, 10:16] = randn(4, 6)
    values = method(model, x, 1)
    assert (values[:, :10] == 0).all() and (values[:, 16:] == 0).all() and (values[:, 10:16] != 0).all()
    torch.testing.assert_close(values.sum(dim=1), (model(x) - model(0 * x))[:, 1].detach())


def test_an_input_that_is_the_baseline_has_no_values(method):
    assert not method(network(20), torch.full((2, 20), 0.3), baseline=0.3).any()


# ---------------------------------------------------------------- by lot


def test_standard_errors_are_true():
    model, x = network(8), randn(16, 8)
    exact = shapley_exact(model, x, 0)
    off = []
    for seed in range(20):
        values, errors = shapley_sampling(model, x, 0, permutations=200, seed=seed)
        off.append((values - exact) / errors)
    assert 0.9 < torch.stack(off).square().mean().sqrt() < 1.1


def test_four_times_the_orders_half_the_error():
    model, x = network(8), randn(32, 8)
    exact = shapley_exact(model, x, 0)
    few, many = (
        torch.stack([shapley_sampling(model, x, 0, permutations=p, seed=s)[0] - exact for s in range(10)]).std()
        for p in (10, 40)
    )
    assert 0.4 < many / few < 0.6


def test_a_seed_gives_the_same_again():
    model, x = network(20), randn(2, 20)
    for method in (METHODS["sampling"], kernel_shap):
        assert torch.equal(method(model, x, seed=1), method(model, x, seed=1))
        assert not torch.equal(method(model, x, seed=1), method(model, x, seed=2))


def test_kernel_shap_with_all_coalitions_is_exact():
    model, x = network(9), randn(4, 9)
    torch.testing.assert_close(kernel_shap(model, x, samples=510), shapley_exact(model, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("G", [3, 8, 11, 16, 40])
def test_kernel_shap_comes_near_with_samples(G):
    model, x = network(G), randn(4, G)
    exact = shapley_exact(model, x) if G <= 12 else shapley_sampling(model, x, permutations=2000)[0]
    least, more = (kernel_shap(model, x, samples=s) - exact for s in (4 * G, 64 * G))
    assert more.abs().max() < 0.05
    assert more.square().mean() <= least.square().mean()


@pytest.mark.parametrize("G,samples", [(2, 8), (3, 12), (4, 16), (7, 28), (12, 48), (12, 2000), (30, 2048), (65, 300)])
def test_coalitions_come_in_pairs_and_weigh_what_their_size_weighs(G, samples):
    coalitions, weights = paired_coalitions(G, samples, torch.Generator().manual_seed(0))
    rows = {tuple(row) for row in coalitions.tolist()}
    assert len(rows) == len(coalitions) <= samples
    assert {tuple(not on for on in row) for row in rows} == rows
    for s in range(1, G):
        weight = weights[coalitions.sum(dim=1) == s].sum().item()
        assert weight == pytest.approx(1 / (s * (G - s)), rel=1e-5)
    assert len(rows) >= min(2**G - 2, 0.9 * samples)


@pytest.mark.parametrize(
    "G,size,count,there", [(6, 2, 99, 15), (6, 3, 99, 10), (6, 2, 4, 4), (30, 4, 50, 50), (30, 15, 9, 9)]
)
def test_subsets_are_different_and_of_one_size(G, size, count, there):
    chosen = subsets(G, size, count, torch.Generator().manual_seed(0))
    assert len(chosen) == len(chosen.unique(dim=0)) == there
    assert (chosen.sum(dim=1) == size).all()


def test_all_coalitions():
    assert all_coalitions(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]


# ---------------------------------------------------------------- linear models


def expected_output(weights, mean, covariance, x, players):
    """E[x @ weights | the players' features] of a normal distribution, by the textbook's formula."""
    S, rest = list(players), [i for i in range(len(x)) if i not in players]
    filled = x.clone()
    if S:
        filled[rest] = mean[rest] + covariance[rest][:, S] @ covariance[S][:, S].inverse() @ (x - mean)[S]
    else:
        filled = mean
    return (filled @ weights).item()


def test_conditional_values_equal_all_orders():
    root = randn(4, 4).double()
    weights, mean, covariance, x = randn(4, seed=1), randn(4, seed=2), root @ root.T, randn(2, 4, seed=3)
    ours = linear_shapley(weights, x, mean, covariance)
    for row, values in zip(x, ours, strict=True):
        parts = weights.double(), mean.double(), covariance, row.double()
        expected = by_all_orders(lambda players, parts=parts: expected_output(*parts, players), 4)
        torch.testing.assert_close(values.double(), expected, atol=1e-5, rtol=1e-5)


def test_conditional_values_share_between_two_copies():
    weights, x = torch.tensor([2.0, 0.0]), torch.tensor([[3.0, 3.0]])
    mean, copies = torch.zeros(2), torch.ones(2, 2)
    assert linear_shapley(weights, x, mean).tolist() == [[6, 0]]
    torch.testing.assert_close(linear_shapley(weights, x, mean, copies), torch.tensor([[3.0, 3.0]]))


def test_without_correlation_both_are_the_same():
    weights, x, mean = randn(6, seed=1), randn(3, 6), randn(6, seed=2)
    conditional = linear_shapley(weights, x, mean, torch.arange(1.0, 7.0).diag())
    torch.testing.assert_close(conditional, linear_shapley(weights, x, mean), atol=1e-5, rtol=1e-5)


# ---------------------------------------------------------------- beside the libraries


def test_exact_equals_captum():
    from captum.attr import ShapleyValues

    torch.manual_seed(0)
    model, images, groups, target = CNN(channels=4).eval(), randn(2, 8, 8), patches(8, 8, 4), torch.tensor([3, 7])
    with torch.no_grad():
        theirs = ShapleyValues(model).attribute(images, 0.3, target, feature_mask=groups[None])
    ours = shapley_exact(model, images, target, 0.3, groups)
    torch.testing.assert_close(ours[:, groups.flatten()].view(2, 8, 8), theirs, atol=1e-5, rtol=1e-5)


def test_captums_samplers_agree():
    from captum.attr import KernelShap, ShapleyValueSampling

    model, x = network(5), randn(2, 5)
    exact = shapley_exact(model, x, 1)
    torch.manual_seed(0)
    with torch.no_grad():
        sampled = ShapleyValueSampling(model).attribute(x, 0, 1, n_samples=300, perturbations_per_eval=8)
        kernel = KernelShap(model)
        fitted = torch.cat(
            [kernel.attribute(row, 0, 1, n_samples=500, perturbations_per_eval=50) for row in x.split(1)]
        )
    torch.testing.assert_close(sampled, exact, atol=0.06, rtol=0)
    torch.testing.assert_close(fitted, exact, atol=0.06, rtol=0)


@pytest.fixture(scope="module")
def shap():
    import numba

    numba.config.DISABLE_JIT = True  # to compile takes longer than these tests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies, while it is imported
        import shap

    return shap


def as_numpy(model, target):
    def call(x):
        with torch.no_grad():
            return model(torch.as_tensor(x, dtype=torch.float32))[:, target].numpy()

    return call


def test_exact_equals_shap(shap):
    model, x, background = network(8), randn(4, 8), randn(10, 8, seed=1)
    explainer = shap.explainers.ExactExplainer(as_numpy(model, 2), shap.maskers.Independent(background.numpy()))
    theirs = torch.tensor(explainer(x.numpy()).values)
    torch.testing.assert_close(shapley_exact(model, x, 2, background=background).double(), theirs, atol=1e-5, rtol=1e-5)


def test_kernel_shap_equals_shaps_with_all_coalitions(shap):
    model, x, background = network(8), randn(4, 8), randn(3, 8, seed=1)
    explainer = shap.KernelExplainer(as_numpy(model, 2), background.numpy(), seed=0)
    theirs = torch.tensor(explainer.shap_values(x.numpy(), nsamples=254, l1_reg=False, silent=True))
    ours = kernel_shap(model, x, 2, background=background, samples=254)
    torch.testing.assert_close(ours.double(), theirs, atol=1e-5, rtol=1e-5)


def test_kernel_shap_is_no_further_off_than_shaps_with_few_samples(shap):
    model, x = network(12), randn(12, 12)
    exact, ours, theirs = shapley_exact(model, x, 2), 0, 0
    for seed in range(3):
        explainer = shap.KernelExplainer(as_numpy(model, 2), torch.zeros(1, 12).numpy(), seed=seed)
        values = torch.tensor(explainer.shap_values(x.numpy(), nsamples=500, l1_reg=False, silent=True))
        theirs += (values - exact).square().mean()
        ours += (kernel_shap(model, x, 2, samples=500, seed=seed) - exact).square().mean()
    assert ours < theirs


def test_sampling_is_as_near_as_shaps_with_as_many_outputs(shap):
    model, x = network(10), randn(20, 10)
    explainer = shap.explainers.PermutationExplainer(
        as_numpy(model, 2), shap.maskers.Independent(torch.zeros(1, 10).numpy()), seed=0
    )
    theirs = torch.tensor(explainer(x.numpy(), max_evals=20 * 21, silent=True).values)
    exact, (ours, errors) = shapley_exact(model, x, 2), shapley_sampling(model, x, 2, permutations=40)
    assert (ours - exact).square().mean() < 1.5 * (theirs - exact).square().mean()
    assert ((ours - theirs).abs() < 6 * errors.clamp_min(1e-4)).all()


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "background,message",
    [
        (torch.zeros(4, 6), "background's inputs are (6,) and those to explain (5,); both must have the same features"),
        (torch.zeros(5), "The background is (5,); expected a tensor (M, ...) of M inputs, here (M, 5)."),
        (torch.zeros(0, 5), "The background is (0, 5); expected a tensor"),
        ([[0.0] * 5], "The background is (); expected a tensor"),
        (torch.full((2, 5), torch.nan), "The background has values that are not finite"),
    ],
)
def test_a_background_that_does_not_fit_is_refused(method, background, message):
    with pytest.raises(ValueError) as error:
        method(network(5), randn(2, 5), background=background)
    assert message in str(error.value)


def test_too_many_groups_for_exact_values_are_refused():
    with pytest.raises(ValueError, match="There are 13 groups, which makes 2\\^13 coalitions"):
        shapley_exact(network(13), randn(2, 13))
    with pytest.raises(ValueError, match="There are 13 groups"):
        linear_shapley(randn(13), randn(2, 13), randn(13), torch.eye(13))


@pytest.mark.parametrize("permutations", [0, 2, 7])
def test_too_few_or_odd_permutations_are_refused(permutations):
    with pytest.raises(ValueError, match=f"permutations is {permutations}; expected an even number, 4 or more"):
        shapley_sampling(network(5), randn(2, 5), permutations=permutations)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="samples is 31; expected 32 or more for 8 groups"):
        kernel_shap(network(8), randn(2, 8), samples=31)
    with pytest.raises(ValueError, match="samples is 5; expected 6 or more for 3 groups"):
        kernel_shap(network(3), randn(2, 3), samples=5)


@pytest.mark.parametrize("shapes", [(4, 5, 5, None), (5, 5, 4, None), (5, 5, 5, (5, 4))])
def test_linear_parts_that_do_not_fit_are_refused(shapes):
    w, x, m, c = shapes
    with pytest.raises(ValueError, match="do not fit; expected \\(F,\\) each, and a covariance \\(F, F\\)"):
        linear_shapley(randn(w), randn(2, x), randn(m), None if c is None else randn(*c))


def test_what_the_model_may_not_do(method):
    with pytest.raises(ValueError, match="training mode"):
        method(network(5).train(), randn(2, 5))
    with pytest.raises(ValueError, match="outputs are 0 to 2"):
        method(network(5), randn(2, 5), 3)
    with pytest.raises(ValueError, match="not finite"):
        method(lambda x: 1 / x.abs().sum(dim=1), randn(2, 5))  # finite at the inputs, not where nothing is present
    with pytest.raises(ValueError, match="expected whole numbers in the shape of one input"):
        method(network(5), randn(2, 5), groups=torch.zeros(4, dtype=torch.long))
