"""The fast recipe: schedules, who optimizes what, one ingredient more a stage, and that it learns."""

from dataclasses import asdict, replace

import pytest
import torch

from bmcourse import speedrun
from bmcourse.models.fast_gpt import FastGPT, FastGPTConfig
from bmcourse.speedrun import Recipe, ingredients, make_optimizers, nanogpt, share_of_lr, train_fast

SMALL = FastGPTConfig(vocabulary_size=7, context=8, layers=1, heads=2, channels=16)
QUICK = Recipe(steps=80, lr=1e-2, embedding_lr=3e-2, largest=0.0, warmup=5, cosine=False, decay=0.5)


def test_nanogpts_own_code_and_ours_are_one_model():
    from tests.bench.bench_speedrun import NanoGPT

    theirs = NanoGPT(7, context=8, layers=2, heads=2, channels=16)
    ours = FastGPT(replace(nanogpt(7)[0], context=8, layers=2, heads=2, channels=16))
    names = {"tokens.": "token_embedding.", "norm1": "attention_norm", "norm2": "mlp_norm"}
    weights = {}
    for name, weight in theirs.state_dict().items():
        for old, new in names.items():
            name = name.replace(old, new)
        weights[name] = weight + torch.randn_like(weight)
    weights["head.weight"] = weights["token_embedding.weight"]  # tied
    ours.load_state_dict(weights)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), weights.values(), strict=True)))
    x = counting(16).view(2, 8)
    torch.testing.assert_close(ours(x), theirs(x))


def counting(count=500):
    """0 1 2 ... 6 0 1 2 ...: a text without surprises."""
    return torch.arange(count) % 7


def test_nanogpts_schedule():
    _, recipe = nanogpt(65)
    assert [share_of_lr(recipe, step) for step in (1, 50, 100)] == [0.01, 0.5, 1.0]
    assert share_of_lr(recipe, 1050) == pytest.approx(0.55)  # halfway down from 1e-3 to 1e-4
    assert share_of_lr(recipe, 2000) == pytest.approx(0.1)


def test_constant_then_a_straight_line_to_zero():
    recipe = Recipe(steps=100, warmup=5, cosine=False, decay=0.5)
    shares = [share_of_lr(recipe, step) for step in range(1, 101)]
    assert shares[:5] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert shares[5:51] == [1.0] * 46
    assert shares[51:] == pytest.approx([s / 50 for s in range(49, 0, -1)])


def learning_rates(config, recipe):
    """The optimizer and the learning rate of every parameter, by its name."""
    model = FastGPT(config)
    groups = [(type(o).__name__, group) for o in make_optimizers(model, recipe) for group in o.param_groups]
    found = {}
    for name, parameter in model.named_parameters():
        (own,) = [(kind, g["lr"], g["weight_decay"]) for kind, g in groups if any(parameter is p for p in g["params"])]
        found[name] = own
    return found


def test_each_parameter_has_one_optimizer_and_its_own_learning_rate():
    recipe = Recipe(lr=1.0, embedding_lr=2.0)
    plain = learning_rates(replace(SMALL, zero_head=False, norm="weighted", rotary=False), recipe)
    assert plain["token_embedding.weight"] == plain["positions.weight"] == ("AdamW", 2.0, 0.1)
    assert plain["norm.weight"] == plain["blocks.0.mlp_norm.weight"] == ("AdamW", 1.0, 0.0)
    assert plain["blocks.0.query_key_value.weight"] == ("AdamW", 1.0, 0.1)
    muon = learning_rates(replace(SMALL, previous=1), replace(recipe, muon_lr=3.0))
    assert muon["blocks.0.mlp_input.weight"] == ("Muon", 3.0, 0.1)
    assert muon["head.weight"] == ("AdamW", 1.0, 0.1)
    assert muon["previous_embeddings.0.weight"] == ("AdamW", 2.0, 0.1)


@pytest.mark.parametrize("muon_lr", [0.0, 0.02])
def test_it_learns_to_count(muon_lr):
    losses = []
    report = lambda step, model, loss: losses.append((step, loss.item()))  # noqa: E731
    model = train_fast(SMALL, replace(QUICK, muon_lr=muon_lr), counting(), report=report)
    steps, values = zip(*losses, strict=True)
    assert steps == tuple(range(1, 81))
    assert values[0] == pytest.approx(torch.tensor(7.0).log().item())  # a head of 0 gives all seven the same chance
    assert values[-1] < 0.1
    assert model(counting(8)[None]).argmax(-1).tolist() == [[1, 2, 3, 4, 5, 6, 0, 1]]


def test_a_seed_gives_the_same_bits_and_another_one_others():
    first, again, other = (
        train_fast(SMALL, replace(QUICK, steps=3), counting(), seed).head.weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_clipping_bounds_the_gradient(monkeypatch):
    bounds = []
    real = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda p, largest: bounds.append(largest) or real(p, largest)
    )
    train_fast(SMALL, replace(QUICK, steps=2), counting())
    assert bounds == []
    train_fast(SMALL, replace(QUICK, steps=2, largest=0.5), counting())
    assert bounds == [0.5, 0.5]


def test_each_stage_has_one_ingredient_more():
    stages = list(ingredients(*nanogpt(7)))
    names = [name for name, _, _ in stages]
    assert len(set(names)) == len(names) == len(speedrun.INGREDIENTS) + 1
    for (_, *before), (name, *after), (expected, changes) in zip(
        stages, stages[1:], speedrun.INGREDIENTS, strict=False
    ):
        old, new = ({**asdict(config), **asdict(recipe)} for config, recipe in (before, after))
        assert name == expected and new == {**old, **changes} != old


def test_a_stage_keeps_what_it_was_given():
    recipe = Recipe(steps=3, batch_size=2)
    assert all(r.steps == 3 and r.batch_size == 2 and c.channels == 16 for _, c, r in ingredients(SMALL, recipe))
