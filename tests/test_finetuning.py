"""Fine-tuning: the masked loss beside torch's, LoRA beside the model it is made of, DPO by hand; every error."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.finetuning import (
    IGNORED,
    LoRALinear,
    add_lora,
    answer_batch,
    answer_log_probability,
    answer_loss,
    answers,
    dpo_loss,
    fine_tune,
    merge_lora,
    prefer,
    trainable_parameters,
)
from bmcourse.models.gpt import GPT, GPTConfig
from tests.twins import randn

PAIRS = [([1, 2, 3], [4, 5]), ([6], [7]), ([8, 9], [1, 2, 3, 4])]
END = 0


@pytest.fixture
def gpt():
    torch.manual_seed(0)
    model = GPT(GPTConfig(11, context=8, layers=2, heads=2, channels=8)).eval()
    for p in model.parameters():
        nn.init.normal_(p, std=0.5)  # larger than a fresh GPT's, so that every weight matters
    return model


def moved(model, lora):
    """The LoRA model with B no longer zero."""
    generator = torch.Generator().manual_seed(1)
    for module in lora.modules():
        if isinstance(module, LoRALinear):
            module.B.data = torch.randn(module.B.shape, generator=generator)
    return lora


# ---------------------------------------------------------------- the answers only


def test_a_batch_has_targets_where_an_answer_is():
    inputs, targets = answer_batch(PAIRS, context=8)
    assert inputs.tolist() == [[1, 2, 3, 4, 0], [6, 0, 0, 0, 0], [8, 9, 1, 2, 3]]
    none = IGNORED
    assert targets.tolist() == [[none, none, 4, 5, none], [7, none, none, none, none], [none, 1, 2, 3, 4]]


def test_the_loss_is_that_of_each_answer_token_by_hand(gpt):
    inputs, targets = answer_batch(PAIRS, 8)
    terms = []
    for prompt, answer in PAIRS:
        for place, token in enumerate(answer):
            logits = gpt(torch.tensor([[*prompt, *answer[:place]]]))[0, -1]
            terms.append(-logits.log_softmax(0)[token])
    torch.testing.assert_close(answer_loss(gpt(inputs), targets), torch.stack(terms).mean())


def test_the_loss_and_its_gradient_equal_torchs():
    logits, (_, targets) = randn(3, 5, 11).requires_grad_(), answer_batch(PAIRS, 8)
    ours, torchs = answer_loss(logits, targets), F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(ours, torchs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (ours, torchs)))


def test_the_probability_of_an_answer_is_the_product_of_its_tokens(gpt):
    inputs, targets = answer_batch(PAIRS, 8)
    for row, (prompt, answer) in enumerate(PAIRS):
        probability = 1.0
        for place, token in enumerate(answer):
            probability *= gpt(torch.tensor([[*prompt, *answer[:place]]]))[0, -1].softmax(0)[token].item()
        got = answer_log_probability(gpt(inputs), targets)[row].item()
        assert got == pytest.approx(math.log(probability), rel=1e-5)


@pytest.mark.parametrize(
    "pairs, message",
    [
        ([([], [1])], r"The prompt of pair 0 is empty; both need at least one token"),
        ([([1], [2]), ([1], [])], r"The answer of pair 1 is empty"),
        ([([1] * 5, [2] * 5)], r"Pair 0 has 5 \+ 5 tokens; .* may have 9 together .*shorten its prompt"),
    ],
)
def test_pairs_that_cannot_be_learned_are_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        answer_batch(pairs, context=8)


def test_a_pair_may_fill_the_context_and_one_more(gpt):
    inputs, targets = answer_batch([([1] * 5, [2] * 4)], context=8)
    assert inputs.shape == targets.shape == gpt(inputs).shape[:2] == (1, 8)


def test_fine_tuning_teaches_answers_and_the_model_gives_them(gpt):
    pairs = [([token], [10 - token, token, END]) for token in range(1, 10)]
    assert answers(gpt, [p for p, _ in pairs], END, 4) != [a for _, a in pairs]
    losses = fine_tune(gpt, pairs, steps=150, lr=1e-2, batch_size=9)
    assert losses[-1] < 0.1 < losses[0]
    assert answers(gpt, [p for p, _ in pairs], END, 4) == [a for _, a in pairs]


def test_fine_tuning_is_the_same_for_the_same_seed(gpt):
    other = copy.deepcopy(gpt)
    assert fine_tune(gpt, PAIRS, 3, 1e-2, seed=5) == fine_tune(other, PAIRS, 3, 1e-2, seed=5)
    assert all(torch.equal(*pair) for pair in zip(gpt.parameters(), other.parameters(), strict=True))


def test_answers_are_cut_off_and_drawn_by_their_seed(gpt):
    prompts = [[1, 2], [3]]
    assert all(len(answer) == 5 or answer[-1] == END for answer in answers(gpt, prompts, END, 5))
    draws = [answers(gpt, prompts * 5, END, 5, seed=seed) for seed in (0, 0, 100)]
    assert draws[0] == draws[1] != draws[2]
    assert len({tuple(answer) for answer in draws[0][::2]}) > 1  # the same prompt, drawn differently


# ---------------------------------------------------------------- LoRA


def test_lora_starts_exactly_as_the_model(gpt):
    inputs, _ = answer_batch(PAIRS, 8)
    assert torch.equal(add_lora(gpt, 2)(inputs), gpt(inputs))


def test_the_correction_is_alpha_over_r_times_b_a():
    layer = LoRALinear(nn.Linear(5, 3), rank=2, alpha=6.0)
    layer.B.data = randn(3, 2)
    x = randn(4, 7, 5)
    expected = x @ (layer.linear.weight + 6 / 2 * layer.B @ layer.A).T + layer.linear.bias
    torch.testing.assert_close(layer(x), expected)


def test_merged_equals_unmerged_and_is_plain_again(gpt):
    inputs, _ = answer_batch(PAIRS, 8)
    lora = moved(gpt, add_lora(gpt, 2))
    merged = merge_lora(lora)
    assert not torch.allclose(lora(inputs), gpt(inputs))
    torch.testing.assert_close(merged(inputs), lora(inputs))
    assert merged.state_dict().keys() == gpt.state_dict().keys()
    assert trainable_parameters(merged) == trainable_parameters(gpt)
    assert any(isinstance(module, LoRALinear) for module in lora.modules())  # merging made a copy


def test_gradients_go_into_a_and_b_only(gpt):
    inputs, targets = answer_batch(PAIRS, 8)
    lora = moved(gpt, add_lora(gpt, 2))
    answer_loss(lora(inputs), targets).backward()
    with_gradient = {name.rpartition(".")[2] for name, p in lora.named_parameters() if p.grad is not None}
    assert with_gradient == {"A", "B"}
    assert all(p.grad is None and p.requires_grad for p in gpt.parameters())


def test_fine_tuning_leaves_the_frozen_weights_and_the_model_as_they_were(gpt):
    before = {name: tensor.clone() for name, tensor in gpt.state_dict().items()}
    lora = add_lora(gpt, 2)
    losses = fine_tune(lora, PAIRS, 60, 3e-2)
    assert losses[-1] < losses[0] / 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in gpt.state_dict().items())
    frozen = {name.replace("linear.", ""): p for name, p in lora.named_parameters() if not p.requires_grad}
    assert all(torch.equal(tensor, before[name]) for name, tensor in frozen.items()) and len(frozen) == len(before)


def test_the_numbers_that_learn_are_counted(gpt):
    sides = [(8, 24), (8, 8), (8, 32), (32, 8)]  # query, key, value; output; the two of the MLP
    assert trainable_parameters(add_lora(gpt, 3)) == 2 * sum(3 * (n + m) for n, m in sides)


@pytest.mark.parametrize("rank", [0, 9, -1])
def test_a_rank_that_does_not_fit_is_refused(gpt, rank):
    with pytest.raises(ValueError, match=rf"rank is {rank}; for a weight of \(24, 8\) it may be 1 to 8"):
        add_lora(gpt, rank)


def test_lora_twice_and_merging_nothing_are_refused(gpt):
    with pytest.raises(ValueError, match="has LoRA already. Merge it first"):
        add_lora(add_lora(gpt, 2), 2)
    with pytest.raises(ValueError, match="no LoRA in this model to merge. Add it first"):
        merge_lora(gpt)


# ---------------------------------------------------------------- preferences


def test_dpo_by_hand():
    # margins: (-1 + 2) - (-4 + 3) = 2, and (-3 + 3) - (-1 + 1) = 0
    loss = dpo_loss(*map(torch.tensor, ([-1.0, -3.0], [-4.0, -1.0], [-2.0, -3.0], [-3.0, -1.0])), beta=0.5)
    expected = (-math.log(1 / (1 + math.exp(-1.0))) + math.log(2)) / 2
    assert loss.item() == pytest.approx(expected)


def test_dpo_starts_at_log_2_and_its_gradient_is_equation_7s():
    chosen, rejected = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    loss = dpo_loss(chosen, rejected, torch.zeros(1), torch.zeros(1), beta=0.3)
    assert loss.item() == pytest.approx(math.log(2))
    gradients = torch.autograd.grad(loss, [chosen, rejected])
    assert [g.item() for g in gradients] == pytest.approx([-0.15, 0.15])  # beta · σ(-margin), margin 0


def test_dpo_prefers_what_is_preferred_and_needs_no_huge_numbers(gpt):
    preferences = [([1, 2], [3, END], [4, 5, END]), ([6], [7, END], [8, END])]
    before = copy.deepcopy(gpt)
    losses = prefer(gpt, preferences, steps=30, lr=1e-2, beta=0.5)
    assert losses[0] == pytest.approx(math.log(2), rel=1e-5) and losses[-1] < 0.3
    for prompt, good, bad in preferences:
        inputs, targets = answer_batch([(prompt, good), (prompt, bad)], 8)
        new, old = (answer_log_probability(model(inputs), targets) for model in (gpt, before))
        assert new[0] - new[1] > old[0] - old[1] + 1
    extreme = torch.tensor([1e4])
    assert dpo_loss(-extreme, extreme, extreme, -extreme, 1.0).item() == pytest.approx(4e4)


def test_no_preferences_are_refused(gpt):
    with pytest.raises(ValueError, match="no preferences to learn from"):
        prefer(gpt, [], 1, 1e-3)
