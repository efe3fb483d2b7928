"""Evaluation, schedule, clipping and checkpoints, against torch and slow loops; every error a checkpoint can meet."""

import json
import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from bmcourse import training
from bmcourse.data import get_batch
from bmcourse.models.gpt import GPT, GPTConfig

IDS = torch.randint(7, (200,), generator=torch.Generator().manual_seed(0))


def make(seed=0, dropout=0.0, channels=8):
    torch.manual_seed(seed)
    model = GPT(GPTConfig(vocabulary_size=7, context=6, layers=1, heads=2, channels=channels, dropout=dropout))
    return model, torch.optim.AdamW(model.parameters(), lr=1e-2), torch.Generator().manual_seed(seed)


def steps(model, optimizer, generator, count):
    for _ in range(count):
        x, y = get_batch(IDS, 4, 6, generator)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_evaluate_is_the_mean_over_all_whole_windows():
    model = make()[0]
    losses = [
        F.cross_entropy(model(IDS[None, start : start + 6])[0], IDS[start + 1 : start + 7]).item()
        for start in range(0, len(IDS) - 6, 6)
    ]
    for batch_size in (1, 7, 64):
        assert training.evaluate(model, IDS, 6, batch_size) == pytest.approx(sum(losses) / len(losses), abs=1e-5)


def test_evaluate_switches_dropout_off_and_puts_the_mode_back():
    model = make(dropout=0.5)[0]
    assert training.evaluate(model, IDS, 6) == training.evaluate(model, IDS, 6)
    assert model.training
    training.evaluate(model.eval(), IDS, 6)
    assert not model.training


def test_the_schedule_equals_torchs():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=9)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90, eta_min=0.1)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], milestones=[9])
    for step in range(1, 101):
        assert training.warmup_cosine(step, 100, 10) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-6)
        optimizer.step()
        both.step()


def test_the_ends_of_the_schedule():
    assert training.warmup_cosine(10, 100, 10) == 1
    assert training.warmup_cosine(100, 100, 10, floor=0.2) == pytest.approx(0.2)
    assert training.warmup_cosine(1, 100, 0) == pytest.approx(1, abs=1e-3)
    assert training.warmup_cosine(5, 5, 5) == 1


@pytest.mark.parametrize("largest", [0.1, 1.0, 100.0])
def test_clipping_equals_torchs(largest):
    ours, torchs = (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)) for _ in range(2))
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 10
    for model in (ours, torchs):
        model(x).pow(2).mean().backward()
    norm = training.clip_gradients(ours.parameters(), largest)
    torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(torchs.parameters(), largest))
    for a, b in zip(ours.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_train_is_the_plain_loop():
    ours, plain = make(), make()
    training.train(ours[0], IDS, 5, lr=1e-2, batch_size=4)
    steps(*plain, 5)
    for a, b in zip(ours[0].parameters(), plain[0].parameters(), strict=True):
        assert torch.equal(a, b)


def test_train_uses_schedule_and_clipping():
    still, held = make()[0], make()[0]
    training.train(still, IDS, 3, lr=1e-2, schedule=lambda step: 0.0)
    training.train(held, IDS, 3, lr=1e-2, largest=1e-12)
    start = make()[0].head.weight
    assert torch.equal(still.head.weight, start)
    assert (held.head.weight - start).abs().max() < 1e-3


def test_a_checkpoint_resumes_bit_for_bit(tmp_path):
    straight = make(dropout=0.0)
    steps(*straight, 10)
    first = make()
    steps(*first, 4)
    training.save_checkpoint(tmp_path / "new" / "run.safetensors", first[0], first[1], 4, first[2])
    second = make(seed=99)
    assert training.load_checkpoint(tmp_path / "new" / "run.safetensors", *second) == 4
    steps(*second, 6)
    for a, b in zip(straight[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(straight[2].get_state(), second[2].get_state())


def test_dropouts_random_state_is_resumed_too(tmp_path):
    straight = make(dropout=0.5)
    steps(*straight, 8)
    first = make(dropout=0.5)
    steps(*first, 4)
    training.save_checkpoint(tmp_path / "run.safetensors", first[0], first[1], 4, first[2])
    second = make(seed=99, dropout=0.5)
    training.load_checkpoint(tmp_path / "run.safetensors", *second)
    steps(*second, 4)
    for a, b in zip(straight[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.RMSprop])
def test_other_optimizers_can_be_saved(tmp_path, kind):
    one, two = make(), make(seed=5)
    optimizers = [kind(m[0].parameters(), lr=0.01, momentum=0.9) for m in (one, two)]
    steps(one[0], optimizers[0], one[2], 3)
    training.save_checkpoint(tmp_path / "c", one[0], optimizers[0], 3, one[2])
    training.load_checkpoint(tmp_path / "c", two[0], optimizers[1], two[2])
    steps(one[0], optimizers[0], one[2], 3)
    steps(two[0], optimizers[1], two[2], 3)
    assert torch.equal(one[0].head.weight, two[0].head.weight)


@pytest.fixture
def saved(tmp_path):
    run = make()
    steps(*run, 2)
    training.save_checkpoint(tmp_path / "run.safetensors", run[0], run[1], 2, run[2])
    return tmp_path / "run.safetensors"


def test_writing_leaves_one_file_only(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["run.safetensors"]


def test_a_crash_while_writing_keeps_the_old_checkpoint(saved, monkeypatch):
    old = saved.read_bytes()

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(training.os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        training.save_checkpoint(saved, *make()[:2], 3, make()[2])
    assert saved.read_bytes() == old


def test_a_checkpoint_cut_short(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a whole checkpoint.*cut short"):
        training.load_checkpoint(saved, *make())


def test_a_pickle_is_refused_and_never_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was executed",))

    (tmp_path / "run.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        training.load_checkpoint(tmp_path / "run.safetensors", *make())


def test_safetensors_of_somebody_else(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        training.load_checkpoint(tmp_path / "other.safetensors", *make())


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint 'none'. Train first"):
        training.load_checkpoint(tmp_path / "none", *make())


def test_another_shape_changes_nothing(saved):
    model, optimizer, generator = make(channels=16)
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=r"of another model: .* is \(.*8.*\) there and \(.*16.*\) here"):
        training.load_checkpoint(saved, model, optimizer, generator)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_another_number_of_layers(saved):
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary_size=7, context=6, layers=2, heads=2, channels=8))
    with pytest.raises(ValueError, match=r"is nothing there and \("):
        training.load_checkpoint(saved, model, torch.optim.AdamW(model.parameters()), torch.Generator())


def test_another_optimizer_changes_nothing(saved):
    model, _, generator = make(seed=3)
    before = model.head.weight.clone()
    optimizer = torch.optim.SGD([{"params": [p]} for p in model.parameters()], lr=0.1)
    with pytest.raises(ValueError, match="another optimizer"):
        training.load_checkpoint(saved, model, optimizer, generator)
    assert torch.equal(model.head.weight, before)


def test_the_file_is_plain_safetensors_and_json(saved):
    assert "model.head.weight" in load_file(saved)
    size = int.from_bytes(saved.read_bytes()[:8], "little")
    header = json.loads(saved.read_bytes()[8 : 8 + size])
    assert json.loads(header["__metadata__"]["bmcourse"])["step"] == 2


def test_log_of_the_vocabulary_is_where_an_untrained_model_starts():
    assert training.evaluate(make()[0], IDS, 6) == pytest.approx(math.log(7), abs=0.05)
