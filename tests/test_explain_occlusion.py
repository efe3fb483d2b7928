"""Occlusion, held equal to a loop and to captum; texts as switches."""

import pytest
import torch
from torch import nn

from bmcourse.explain.core import patches
from bmcourse.explain.occlusion import occlusion
from bmcourse.explain.words import text_model, word_places
from bmcourse.models.cnn import CNN
from tests.twins import randn


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CNN(channels=4).eval()


GROUPS = patches(8, 8, 3)


@pytest.mark.parametrize("baseline", [0.0, 0.7, randn(8, 8, seed=2)], ids=["zero", "number", "image"])
@pytest.mark.parametrize("groups", [None, GROUPS], ids=["pixels", "patches"])
def test_it_equals_a_slow_loop(model, baseline, groups):
    images, target = randn(3, 8, 8), torch.tensor([1, 9, 4])
    numbers = torch.arange(64).view(8, 8) if groups is None else groups
    expected = torch.zeros(3, int(numbers.max()) + 1)
    for i, image in enumerate(images):
        for g in range(expected.shape[1]):
            covered = torch.where(numbers == g, torch.as_tensor(baseline), image)
            expected[i, g] = (model(image[None]) - model(covered[None]))[0, target[i]]
    torch.testing.assert_close(occlusion(model, images, target, baseline, groups), expected, atol=1e-5, rtol=1e-5)


def test_it_equals_captum(model):
    from captum.attr import FeatureAblation

    images, target = randn(5, 8, 8), torch.tensor([0, 1, 2, 3, 4])
    with torch.no_grad():
        theirs = FeatureAblation(model).attribute(images, 0.5, target, feature_mask=GROUPS[None])
    ours = occlusion(model, images, target, 0.5, GROUPS)
    torch.testing.assert_close(ours[:, GROUPS.flatten()].view(5, 8, 8), theirs, atol=1e-5, rtol=1e-5)


def test_of_a_linear_model_it_is_weight_times_input():
    model, x = nn.Linear(6, 1).eval(), randn(4, 6)
    torch.testing.assert_close(occlusion(model, x, 0), x * model.weight.detach())


def test_without_a_target_it_explains_the_likeliest(model):
    images = randn(4, 8, 8)
    assert torch.equal(occlusion(model, images), occlusion(model, images, model(images).argmax(dim=1)))


def test_it_takes_token_ids():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 3)).eval()
    tokens = torch.tensor([[1, 2, 3, 4, 5]])
    expected = model(tokens)[0, 2] - model(torch.tensor([[1, 8, 3, 4, 5]]))[0, 2]
    torch.testing.assert_close(occlusion(model, tokens, 2, baseline=8)[0, 1], expected.detach())


@pytest.mark.parametrize(
    "change,message",
    [
        ({"groups": torch.zeros(8, 9, dtype=torch.long)}, "expected whole numbers in the shape of one input"),
        ({"baseline": torch.zeros(9)}, "expected a number, or the shape of one input"),
        ({"target": 10}, "outputs are 0 to 9"),
        ({"inputs": torch.full((1, 8, 8), torch.nan)}, "not finite"),
    ],
)
def test_errors(model, change, message):
    with pytest.raises(ValueError, match=message):
        occlusion(**{"model": model, "inputs": randn(2, 8, 8), **change})


def test_a_model_in_training_mode_is_refused(model):
    with pytest.raises(ValueError, match="training mode"):
        occlusion(model.train(), randn(2, 8, 8))


# ---------------------------------------------------------------- texts


def count_words(texts):
    """Two outputs for each text: how often "good" comes in it, and how long it is."""
    return torch.tensor([[text.count("good"), len(text)] for text in texts], dtype=torch.float32)


def test_words_are_switches():
    text = "a good film,  so good"
    places = word_places(text)
    assert [text[a:b] for a, b in places] == ["a", "good", "film,", "so", "good"]
    seen = []
    model = text_model(lambda texts: count_words(seen.extend(texts) or texts), text, places)
    drops = occlusion(model, torch.ones(1, 5), target=0)
    assert drops.tolist() == [[0, 1, 0, 0, 1]]
    assert text in seen and "a  film,  so good" in seen and "a good film,  so " in seen


def test_chinese_is_cut_by_what_is_passed():
    text = "这部电影不好。"
    assert word_places(text, list) == [(i, i + 1) for i in range(7)]
    places = word_places(text, lambda text: ["这部", "电影", "不好"])
    model = text_model(lambda texts: torch.tensor([[float("不好" in text)] for text in texts]), text, places)
    assert occlusion(model, torch.ones(1, 3)).tolist() == [[0, 0, 1]]


def test_a_text_without_words_is_refused():
    for text in ("", "  \n"):
        with pytest.raises(ValueError, match="has no words to explain"):
            word_places(text)


@pytest.mark.parametrize("words", [lambda text: text.lower().split(), lambda text: ["film", "Good"], lambda text: [""]])
def test_words_that_are_not_in_the_text_are_refused(words):
    with pytest.raises(ValueError, match="does not come in the text after its first"):
        word_places("Good film", words)
