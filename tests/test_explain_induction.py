"""Induction: scores beside slow loops, a silent head beside one whose output is taken away, a head built by hand."""

import pytest
import torch
from torch import nn

from bmcourse.explain.attention import gpt_attention
from bmcourse.explain.induction import (
    copying_losses,
    head_scores,
    prefix_matching,
    previous_token,
    repeated_tokens,
    start_with_waves,
    without_heads,
)
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.positions import sinusoidal_positions

TEXT = torch.tensor([3, 1, 4, 1, 5, 3, 1])


@pytest.fixture
def gpt():
    torch.manual_seed(0)
    model = GPT(GPTConfig(11, context=16, layers=2, heads=2, channels=8)).eval()
    for p in model.parameters():
        nn.init.normal_(p, std=0.5)
    return model


def test_texts_begin_again_after_their_period():
    texts, periods = repeated_tokens(50, 24, 7, torch.Generator().manual_seed(0))
    assert texts.shape == (50, 24) and periods.shape == (50, 1)
    assert periods.min() == 6 and periods.max() == 12 and texts.min() == 0 and texts.max() == 6
    for text, period in zip(texts, periods[:, 0], strict=True):
        assert torch.equal(text[period:], text[:-period])
    again, _ = repeated_tokens(50, 24, 7, torch.Generator().manual_seed(0))
    assert torch.equal(texts, again)


def test_waves_are_the_papers_and_tokens_are_as_large():
    model = GPT(GPTConfig(100, context=16, layers=1, heads=2, channels=64))
    start_with_waves(model)
    assert torch.equal(model.position_embedding.weight, sinusoidal_positions(16, 64))
    sizes = [embedding.weight.std().item() for embedding in (model.position_embedding, model.token_embedding)]
    assert sizes == pytest.approx([0.6, 0.6], abs=0.1)
    assert all(p.requires_grad for p in model.parameters())


def test_prefix_matching_equals_a_loop(gpt):
    weights = gpt_attention(gpt, TEXT)
    for layer in range(2):
        for head in range(2):
            rows = []
            for t in range(len(TEXT)):
                places = [s + 1 for s in range(t) if TEXT[s] == TEXT[t]]
                if places:
                    rows.append(weights[layer, head, t, places].sum())
            torch.testing.assert_close(prefix_matching(weights, TEXT)[layer, head], torch.stack(rows).mean())


def test_a_perfect_head_scores_one_and_one_that_looks_elsewhere_zero():
    perfect, wrong = torch.eye(7), torch.eye(7)
    perfect[[3, 5, 6]] = torch.eye(7)[[2, 1, 4]]  # places behind the last time 1, 3 and 1 stood there
    wrong[[3, 5, 6]] = torch.eye(7)[[1, 0, 3]]  # the places of the same tokens themselves
    assert prefix_matching(torch.stack([perfect, wrong])[None], TEXT).tolist() == [[1.0, 0.0]]


def test_a_token_right_behind_itself_is_matched():
    assert prefix_matching(torch.eye(2)[None, None], torch.tensor([5, 5])).item() == 1.0


def test_previous_token_is_the_weight_just_left_of_the_diagonal():
    weights = torch.zeros(1, 1, 4, 4)
    weights[0, 0, [1, 2, 3], [0, 1, 2]] = torch.tensor([0.5, 0.3, 0.7])
    assert previous_token(weights).item() == pytest.approx(0.5)


def test_head_scores_are_means_over_texts(gpt):
    texts, _ = repeated_tokens(3, 12, 11, torch.Generator().manual_seed(0))
    matching, previous = head_scores(gpt, texts)
    one_by_one = [gpt_attention(gpt, text) for text in texts]
    torch.testing.assert_close(previous, sum(map(previous_token, one_by_one)) / 3)
    torch.testing.assert_close(matching, sum(map(prefix_matching, one_by_one, texts)) / 3)


def test_without_a_repeat_there_is_nothing_to_match():
    with pytest.raises(ValueError, match="No token of this text comes twice.*Repeat a part"):
        prefix_matching(torch.eye(3)[None, None], torch.arange(3))


# ---------------------------------------------------------------- heads switched off


def test_a_silent_head_adds_nothing_and_the_others_are_as_before(gpt):
    x, attention = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0)), gpt.blocks[1].attention
    whole, bias = attention(x), attention.output.bias
    alone = (without_heads(gpt, [(1, other)]).blocks[1].attention for other in (1, 0))
    parts = [attend(x) - bias for attend in alone]  # what each head adds by itself
    torch.testing.assert_close(parts[0] + parts[1] + bias, whole)
    none = without_heads(gpt, [(1, 0), (1, 1)])
    torch.testing.assert_close(none.blocks[1].attention(x), bias.expand(1, 5, 8))
    assert torch.equal(none.blocks[0].attention(x), gpt.blocks[0].attention(x))


def test_the_model_itself_stays_as_it_is(gpt):
    before = gpt(TEXT[None])
    assert not torch.allclose(without_heads(gpt, [(0, 1)])(TEXT[None]), before)
    assert torch.equal(gpt(TEXT[None]), before) and torch.equal(without_heads(gpt, [])(TEXT[None]), before)


@pytest.mark.parametrize("place", [(2, 0), (0, 2), (-1, 0), (0, -1)])
def test_a_head_that_is_not_there_is_refused(gpt, place):
    layer, head = place
    with pytest.raises(ValueError, match=rf"no layer {layer}, head {head}: layers go from 0 to 1, heads from 0 to 1"):
        without_heads(gpt, [place])


# ---------------------------------------------------------------- the loss at what can be copied


def test_copying_losses_equal_a_loop(gpt):
    texts, periods = repeated_tokens(4, 12, 11, torch.Generator().manual_seed(0))
    copied, others = [], []
    for text, period in zip(texts, periods[:, 0].tolist(), strict=True):
        log_probabilities = gpt(text[None])[0].log_softmax(-1)
        for place in range(1, 12):
            loss = -log_probabilities[place - 1, text[place]].item()
            (copied if place > period else others).append(loss)
    expected = sum(copied) / len(copied), sum(others) / len(others)
    assert copying_losses(gpt, texts, periods) == pytest.approx(expected, rel=1e-5)
