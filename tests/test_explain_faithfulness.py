"""How explanations are judged: curves against a slow loop, destroyed layers, and ranks against scipy."""

import pytest
import torch
from scipy import stats
from torch import nn

from bmcourse.explain.core import patches
from bmcourse.explain.faithfulness import (
    deletion_curve,
    insertion_curve,
    randomise_layers,
    rank_agreement,
    top_overlap,
)
from bmcourse.models.cnn import CNN
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.sentences import PADDING, SentenceClassifier


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


@pytest.fixture
def inputs():
    return torch.randn(4, 3, 4, generator=torch.Generator().manual_seed(1))


def slow_curve(model, x, scores, target, baseline, groups, inserting):
    """One input, one group at a time."""
    x, absent = x.clone(), torch.full_like(x, baseline)
    now, after = (absent, x) if inserting else (x, absent)
    heights = [model(now[None]).softmax(1)[0, target].item()]
    for group in sorted(range(len(scores)), key=lambda g: -scores[g].item()):
        now = torch.where(groups == group, after, now)
        heights.append(model(now[None]).softmax(1)[0, target].item())
    return torch.tensor(heights)


@pytest.mark.parametrize("curve_of, inserting", [(deletion_curve, False), (insertion_curve, True)])
@pytest.mark.parametrize("groups", [None, patches(3, 4, 2)])
def test_curves_agree_with_a_slow_loop(model, inputs, curve_of, inserting, groups):
    G = 12 if groups is None else 4
    scores = torch.randn(4, G, generator=torch.Generator().manual_seed(2))
    target = torch.tensor([0, 1, 2, 1])
    curve, area = curve_of(model, inputs, scores, target, baseline=0.3, groups=groups)
    assert curve.shape == (4, G + 1) and area.shape == (4,)
    places = torch.arange(12).view(3, 4) if groups is None else groups
    for b in range(4):
        expected = slow_curve(model, inputs[b], scores[b], target[b], 0.3, places, inserting)
        torch.testing.assert_close(curve[b], expected)
        assert area[b].item() == pytest.approx(torch.trapezoid(expected).item() / G, abs=1e-6)


def test_fewer_steps_are_points_of_the_whole_curve(model, inputs):
    scores = inputs.abs()
    whole, _ = deletion_curve(model, inputs, scores)
    some, _ = deletion_curve(model, inputs, scores, steps=4)
    torch.testing.assert_close(some, whole[:, ::3])


def test_an_insertion_ends_where_the_deletion_began(model, inputs):
    deleted, inserted = (curve(model, inputs, inputs.abs(), 1)[0] for curve in (deletion_curve, insertion_curve))
    torch.testing.assert_close(inserted[:, -1], deleted[:, 0])
    torch.testing.assert_close(inserted[:, 0], deleted[:, -1])


def test_the_right_order_has_the_smaller_area():
    weights = torch.tensor([4.0, 3.0, 2.0, 1.0])

    def model(x):
        return torch.stack([x @ weights, torch.zeros(len(x))], dim=1)

    x = torch.ones(1, 4)
    right, wrong = weights[None], weights.flip(0)[None]
    assert deletion_curve(model, x, right, 0)[1] < deletion_curve(model, x, wrong, 0)[1]
    assert insertion_curve(model, x, right, 0)[1] > insertion_curve(model, x, wrong, 0)[1]


def test_one_output_is_taken_as_it_is():
    curve, area = deletion_curve(lambda x: x.sum(1), torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[3.0, 2.0, 1.0]]))
    assert curve.tolist() == [[6, 3, 1, 0]] and area.item() == pytest.approx(7 / 3)


def test_equal_attributions_go_in_their_order():
    curve, _ = deletion_curve(lambda x: x.sum(1), torch.tensor([[3.0, 2.0, 1.0]]), torch.zeros(1, 3))
    assert curve.tolist() == [[6, 3, 1, 0]]


def test_words_are_deleted_by_their_numbers():
    torch.manual_seed(0)
    model = SentenceClassifier(vocabulary_size=9, classes=3, channels=8, heads=2).eval()
    tokens, scores = torch.tensor([[5, 6, 7], [8, 5, 0]]), torch.tensor([[2.0, 3.0, 1.0], [1.0, 2.0, 0.0]])
    curve, _ = deletion_curve(model, tokens, scores, 1, baseline=PADDING)
    left = torch.tensor([[5, 6, 7], [5, 0, 7], [0, 0, 7], [0, 0, 0]])
    torch.testing.assert_close(curve[0], model(left).softmax(1)[:, 1])
    torch.testing.assert_close(curve[1, 2], curve[1, 3])  # padding is nothing to delete


@pytest.mark.parametrize(
    "scores, more, message",
    [
        (torch.zeros(4, 5), {}, r"attributions are \(4, 5\); \(4, 12\) was expected"),
        (torch.zeros(4, 3, 4), {"groups": patches(3, 4, 2)}, r"\(4, 4\) was expected.*Sum them over each group"),
        (torch.full((4, 12), torch.nan), {}, "not finite numbers"),
        (torch.zeros(4, 12), {"steps": 13}, "12 groups and 13 steps; expected 1 to 12"),
        (torch.zeros(4, 12), {"steps": 0}, "12 groups and 0 steps"),
        (torch.zeros(4, 12), {"target": 3}, "the model's outputs are 0 to 2"),
        (torch.zeros(4, 12), {"baseline": torch.zeros(5)}, "baseline is"),
    ],
)
def test_curves_that_cannot_be_made(model, inputs, scores, more, message):
    with pytest.raises(ValueError, match=message):
        deletion_curve(model, inputs, scores, **more)


def test_a_model_in_training_mode(model, inputs):
    with pytest.raises(ValueError, match="training mode"):
        insertion_curve(model.train(), inputs, inputs)


# ---------------------------------------------------------------- the sanity check


def test_layers_are_destroyed_from_the_top():
    torch.manual_seed(0)
    model = CNN(channels=4)
    kept = {name: p.clone() for name, p in model.named_parameters()}
    names, changed = [], []
    for name, broken in randomise_layers(model):
        names.append(name)
        changed.append({n for n, p in broken.named_parameters() if not torch.equal(p, kept[n])})
    assert names == ["head", "conv2", "conv1"]
    assert changed[0] == {"head.weight", "head.bias"}
    assert changed[1] == changed[0] | {"conv2.weight", "conv2.bias"} and changed[2] == set(kept)
    assert all(torch.equal(p, kept[n]) for n, p in model.named_parameters())


def test_destroyed_weights_keep_their_mean_and_spread():
    model = nn.Linear(300, 300)
    nn.init.normal_(model.weight, mean=2.0, std=0.5)
    ((_, broken),) = randomise_layers(model)
    assert broken.weight.mean().item() == pytest.approx(2.0, abs=0.02)
    assert broken.weight.std().item() == pytest.approx(0.5, abs=0.02)
    both = torch.stack([model.weight.detach().flatten(), broken.weight.detach().flatten()])
    assert abs(both.corrcoef()[0, 1].item()) < 0.02


def test_the_seed_decides_what_is_drawn(model):
    one, same, other = (list(randomise_layers(model, seed))[-1][1][3].weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_a_gpt_is_destroyed_down_to_its_embeddings():
    names = [name for name, _ in randomise_layers(GPT(GPTConfig(5, context=4, layers=2, heads=1, channels=4)))]
    assert names[0] == "head" and names[-1] == "token_embedding"
    assert names.index("blocks.1.mlp.0") < names.index("blocks.0.mlp.2")


# ---------------------------------------------------------------- agreement


@pytest.mark.parametrize("digits", [6, 0])  # 0: many ties
def test_rank_agreement_is_spearmans(digits):
    a, b = torch.randn(2, 5, 2, 20, generator=torch.Generator().manual_seed(0)).round(decimals=digits)
    expected = [stats.spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(a, b, strict=True)]
    torch.testing.assert_close(rank_agreement(a, b), torch.tensor(expected).float())


def test_rank_agreement_at_its_ends():
    a = torch.tensor([[1.0, 2.0, 30.0]])
    assert rank_agreement(a, a**3).item() == pytest.approx(1)
    assert rank_agreement(a, -a).item() == pytest.approx(-1)
    assert rank_agreement(a, torch.zeros(1, 3)).item() == 0


def test_top_overlap_by_hand():
    a = torch.tensor([[5.0, 4, 3, 2, 1], [5, 4, 3, 2, 1]])
    b = torch.tensor([[1.0, 4, 5, 2, 3], [5, 4, 3, 1, 2]])
    assert top_overlap(a, b, 1).tolist() == [0, 1]
    assert top_overlap(a, b, 2).tolist() == [0.5, 1]
    assert top_overlap(a, b, 3).tolist() == pytest.approx([2 / 3, 1])
    assert top_overlap(a, b, 5).tolist() == [1, 1]


@pytest.mark.parametrize("k", [0, 6])
def test_top_overlap_of_too_many_or_none(k):
    with pytest.raises(ValueError, match=f"k is {k}; there are 5 features"):
        top_overlap(torch.zeros(1, 5), torch.zeros(1, 5), k)


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((3,), (3,)), ((2, 1), (2, 1))])
def test_explanations_that_cannot_be_compared(shapes):
    a, b = (torch.zeros(shape) for shape in shapes)
    for compare in (rank_agreement, lambda a, b: top_overlap(a, b, 1)):
        with pytest.raises(ValueError, match="same shape, with two features or more"):
            compare(a, b)
