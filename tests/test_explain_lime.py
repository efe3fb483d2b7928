"""LIME, held equal to scikit-learn, to captum and to the package lime on the same samples."""

import pytest
import torch
from sklearn.linear_model import Lasso, Ridge
from torch import nn

from bmcourse.explain.core import patches
from bmcourse.explain.lime import fit_slopes, lime, lime_tabular, nearness
from bmcourse.explain.words import text_model, word_places
from bmcourse.models.cnn import CNN
from bmcourse.models.mlp import MLP
from tests.twins import randn


def network(features, outputs=3):
    torch.manual_seed(0)
    return MLP([features, 20, outputs], "tanh").eval()


def recorded(model, seen):
    """The model, and every input that it is asked about goes to the list `seen`."""
    return lambda x: seen.append(x) or model(x)


# ---------------------------------------------------------------- the regression


@pytest.mark.parametrize("penalty,strength", [("ridge", 1.0), ("ridge", 30.0), ("lasso", 0.01), ("lasso", 0.1)])
def test_slopes_equal_scikit_learns(penalty, strength):
    features, weights = randn(60, 7), torch.rand(60, generator=torch.Generator().manual_seed(1)).double()
    outputs = randn(4, 7, seed=2) @ features.T + 0.1 * randn(4, 60, seed=3) + 5
    ours = fit_slopes(features, outputs, weights, penalty, strength)
    for y, slopes in zip(outputs, ours, strict=True):
        theirs = {"ridge": Ridge, "lasso": Lasso}[penalty](strength)
        theirs.fit(features.double().numpy(), y.double().numpy(), sample_weight=weights.numpy())
        torch.testing.assert_close(slopes.double(), torch.tensor(theirs.coef_), atol=1e-4, rtol=1e-4)


def test_nearness():
    assert nearness(torch.tensor([0.0, 2.0]), 2.0).tolist() == pytest.approx([1, 0.6065307])


def test_the_lasso_leaves_few_slopes():
    x = torch.ones(2, 20)
    model = lambda x: 3 * x[:, 4] - 2 * x[:, 9] + 0.02 * x.sum(dim=1)  # noqa: E731
    slopes = lime(model, x, penalty="lasso", strength=0.05)
    assert [row.nonzero().flatten().tolist() for row in slopes] == [[4, 9], [4, 9]]
    assert (lime(model, x) != 0).all()


# ---------------------------------------------------------------- groups present or absent


def test_of_a_linear_model_they_are_the_contributions():
    model, x = nn.Linear(8, 2).eval(), randn(5, 8)
    expected = x * model.weight[1].detach()
    torch.testing.assert_close(lime(model, x, 1, strength=1e-6), expected, atol=1e-4, rtol=1e-4)


def test_groups_come_and_go_together():
    groups, x, weight = torch.tensor([0, 0, 1, 1, 1, 2]), randn(4, 6), torch.arange(1.0, 7.0)
    expected = torch.stack([(weight * x)[:, groups == g].sum(dim=1) for g in range(3)], dim=1)
    ours = lime(lambda x: x @ weight, x, groups=groups, strength=1e-6)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


def test_it_equals_captum_on_the_same_samples():
    from captum._utils.models.linear_model import SkLearnRidge
    from captum.attr import Lime
    from captum.attr._core.lime import get_exp_kernel_similarity_function

    model, x, seen = network(6), torch.ones(1, 6), []
    ours = lime(recorded(model, seen), x, 2, samples=80, kernel_width=0.4)
    samples = iter(torch.cat(seen)[1:].split(1))  # after the input itself, which is looked at first
    captum = Lime(
        model,
        SkLearnRidge(alpha=1.0),
        get_exp_kernel_similarity_function("cosine", 0.4),
        lambda original, **_: next(samples).long(),
    )
    theirs = captum.attribute(x, 0, 2, n_samples=80)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_it_equals_the_package_lime_on_the_same_samples():
    from lime.lime_base import LimeBase
    from sklearn.metrics import pairwise_distances

    torch.manual_seed(0)
    model, images, groups, seen = CNN(channels=4).eval(), torch.ones(1, 8, 8), patches(8, 8, 2), []
    ours = lime(recorded(model, seen), images, 3, groups=groups, samples=200)
    masked = torch.cat(seen)[1:]
    switches = masked[:, ::2, ::2].flatten(1).double().numpy()
    base = LimeBase(lambda distance: nearness(torch.as_tensor(distance), 0.25).numpy())
    distances = pairwise_distances(switches, switches[:1], metric="cosine").ravel()
    outputs = model(masked).detach().double().numpy()
    _, slopes, _, _ = base.explain_instance_with_data(switches, outputs, distances, 3, 16, feature_selection="none")
    theirs = torch.tensor([slope for _, slope in sorted(slopes)])
    torch.testing.assert_close(ours[0].double(), theirs, atol=1e-4, rtol=1e-4)


def test_words_of_a_text():
    text = "not a bad film at all, not bad"
    places = word_places(text)

    def classifier(texts):
        return torch.tensor([[0.0, 4.0 * ("bad" in t) - t.count("not")] for t in texts])

    slopes = lime(text_model(classifier, text, places), torch.ones(1, len(places)), 1)[0]
    assert slopes.topk(2).indices.sort().values.tolist() == [2, 7]  # each "bad"
    assert slopes.topk(2, largest=False).indices.sort().values.tolist() == [0, 6]  # each "not"


# ---------------------------------------------------------------- tables


def test_of_a_linear_model_they_are_the_slopes_per_standard_deviation():
    model, x, background = nn.Linear(5, 2).eval(), randn(4, 5), randn(50, 5, seed=1) * torch.arange(1.0, 6.0)
    expected = (model.weight[1].detach() * background.std(dim=0, correction=0)).expand(4, 5)
    torch.testing.assert_close(lime_tabular(model, x, background, 1, strength=1e-6), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kernel_width", [None, 0.8])
def test_it_equals_lime_tabular_on_the_same_samples(kernel_width):
    import numpy
    from lime.lime_tabular import LimeTabularExplainer

    model, x, background, seen = network(6), randn(3, 6), randn(40, 6, seed=1) * 2 + 1, []
    ours = lime_tabular(recorded(model, seen), x, background, 2, samples=100, kernel_width=kernel_width)
    samples = torch.cat(seen)[3:].view(3, 100, 6)

    class Recorded(numpy.random.RandomState):
        def normal(self, *_):
            return ((samples[0] - x[0]) / background.std(dim=0, correction=0)).double().numpy().ravel()

    explainer = LimeTabularExplainer(
        background.numpy(),
        mode="regression",
        kernel_width=kernel_width,
        feature_selection="none",
        discretize_continuous=False,
        sample_around_instance=True,
        random_state=Recorded(),
    )
    call = lambda x: model(torch.as_tensor(x, dtype=torch.float32))[:, 2].detach().numpy()  # noqa: E731
    for row, slopes in zip(x, ours, strict=True):
        theirs = explainer.explain_instance(row.numpy(), call, num_features=6, num_samples=100).local_exp[1]
        torch.testing.assert_close(slopes.double(), torch.tensor([s for _, s in sorted(theirs)]), atol=1e-3, rtol=1e-3)


def test_a_feature_that_never_varies_has_no_slope():
    background = randn(30, 5, seed=1)
    background[:, 3] = 2.0
    slopes = lime_tabular(network(5), randn(4, 5), background)
    assert (slopes[:, 3] == 0).all() and (slopes[:, [0, 1, 2, 4]] != 0).all()


@pytest.mark.parametrize("method", [lime, lambda *args, **kw: lime_tabular(args[0], args[1], args[1], *args[2:], **kw)])
def test_a_batch_and_a_seed(method):
    model, x = network(5), randn(6, 5)
    target = model(x).argmax(dim=1)
    whole = method(model, x, seed=3)
    torch.testing.assert_close(method(model, x, target, seed=3), whole)
    assert not torch.equal(method(model, x, seed=4), whole)


def test_more_samples_settle():
    model, x = network(10), randn(8, 10)

    def spread(samples):
        return torch.stack([lime(model, x, 0, samples=samples, seed=seed) for seed in range(5)]).std(dim=0).mean()

    assert spread(2000) < 0.5 * spread(100)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "change,message",
    [
        ({"samples": 5}, "samples is 5; expected more than 5, the number of slopes"),
        ({"kernel_width": 0}, "kernel_width is 0; expected more than 0"),
        ({"kernel_width": float("nan")}, "kernel_width is nan; expected more than 0"),
        ({"penalty": "l1"}, "There is no penalty 'l1'; choose one of ridge, lasso."),
        ({"strength": 0}, "strength is 0; expected more than 0, such as 1.0."),
        ({"target": 3}, "outputs are 0 to 2"),
        ({"model": network(5).train()}, "training mode"),
        ({"model": lambda x: x.sum(dim=1).log()}, "not finite"),
    ],
)
def test_errors(change, message):
    arguments = {"model": network(5), "inputs": torch.full((2, 5), 0.1), **change}
    for method in (lime, lambda **kwargs: lime_tabular(background=randn(20, 5), **kwargs)):
        with pytest.raises(ValueError) as error:
            method(**arguments)
        assert message in str(error.value)


def test_a_background_or_groups_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="both must have the same features"):
        lime_tabular(network(5), randn(2, 5), randn(9, 4))
    with pytest.raises(ValueError, match="expected whole numbers in the shape of one input"):
        lime(network(5), randn(2, 5), groups=torch.zeros(4, dtype=torch.long))
