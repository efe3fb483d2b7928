"""The explorer of pruning: its numbers are a pruned copy's, its zeros stay when it trains, the model is unchanged."""

import copy
import re
import time

import numpy as np
import pytest
import torch

from bmcourse import live
from bmcourse.data import digits, get_batch
from bmcourse.live import pruning as explorer
from bmcourse.live.pruning import Desk, answer_times, quality, zipped_bytes
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.mlp import MLP
from bmcourse.pruning import prunable_weights, prune_model
from bmcourse.quantization import file_bytes, model_bytes
from tests import explorers


def trained_on_digits():
    """A small model of digits after a few steps, and its pairs for training and validation."""
    source = digits()
    pairs = (
        (source.train_images.flatten(1), source.train_labels),
        (source.validation_images.flatten(1), source.validation_labels),
    )
    torch.manual_seed(0)
    model = MLP([64, 40, 10])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(pairs[0][0]), pairs[0][1]).backward()
        optimizer.step()
    return model, *pairs


def small_gpt():
    """An untrained GPT with dropout, and windows of random tokens."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(20, context=16, layers=2, heads=2, channels=16, dropout=0.5))
    with torch.no_grad():
        model.head.weight *= 20  # an untrained model finds all tokens about equally likely
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(20, (500,), generator=generator)
    return model, get_batch(ids, 40, 16, generator), get_batch(ids, 4, 16, generator)


CASES = {"digits": trained_on_digits, "gpt": small_gpt}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]()


@pytest.fixture
def desk(case):
    return Desk(*case, steps=10, lr=1e-2, batch_size=16, place=None)


def weights(model):
    return list(prunable_weights(model).values())


# ---------------------------------------------------------------------------------------------------- what is measured


@pytest.mark.parametrize("method", explorer.LOOKS)
@pytest.mark.parametrize("sparsity", [0.0, 0.42, 0.98])
def test_what_is_shown_is_the_model_that_prune_model_makes(desk, sparsity, method):
    desk.draw(sparsity, method)
    expected = prune_model(desk.model, sparsity, method, generator=torch.Generator().manual_seed(0))
    for shown, weight in zip(weights(desk.shown), weights(expected), strict=True):
        assert torch.equal(shown, weight)
    inputs, targets = desk.validation
    logits = expected.eval()(inputs)
    if targets.ndim == 1:
        assert desk.now == pytest.approx(100 * (logits.argmax(-1) == targets).float().mean().item())
    else:
        assert desk.now == pytest.approx(torch.nn.CrossEntropyLoss()(logits.transpose(1, 2), targets).item(), rel=1e-5)


def test_the_curves_are_what_the_mark_shows_at_their_places(desk):
    for line, method in zip(desk.picture.left.lines[1:], explorer.LOOKS, strict=False):
        for rate, value in zip(*line.get_data(), strict=True):
            desk.draw(rate, method)
            assert [*desk.picture.here.get_xdata(), *desk.picture.here.get_ydata()] == [rate, value]


def test_the_mask_that_is_shown_is_the_mask_of_the_first_layer(desk):
    for sparsity in (0.0, 0.5, 0.98):
        desk.draw(sparsity, "layer")
        shown = desk.picture.mask.get_array()
        first = weights(desk.shown)[0].detach()[: explorer.SIDE, : explorer.SIDE].numpy()
        assert np.array_equal(np.ma.getmaskarray(shown), first == 0)
        assert np.array_equal(shown[first != 0], first[first != 0])
        assert desk.picture.mask.cmap.get_bad()[3] == 0  # nothing is drawn there, and the axes are white


def test_the_smallest_weight_is_not_white():
    assert all(min(explorer.WEIGHTS(place)[:3]) < 0.8 for place in (0.4999, 0.5001))


def test_the_histogram_is_that_of_the_weights_that_are_left(desk):
    desk.draw(0.6, "global")
    values = torch.cat([weight.detach().flatten() for weight in weights(desk.shown)]).numpy()
    assert np.array_equal(desk.picture.kept.get_data()[0], np.histogram(values[values != 0], desk.picture.edges)[0])
    cut = np.abs(values[values != 0]).min()
    inside = (desk.picture.edges[1:] < cut) & (desk.picture.edges[:-1] > -cut)
    assert inside.any() and not desk.picture.kept.get_data()[0][inside].any()


def test_the_words_have_the_counts_and_the_sizes(desk):
    desk.draw(0.75, "global")
    words = desk.write(0.75, "global")
    count = sum(weight.numel() for weight in weights(desk.model))
    left = count - round(0.75 * count)
    assert f"<b>{left:,}</b> of {count:,} weights" in words and "not fine-tuned" in words
    zipped = file_bytes(desk.shown, compressed=True) / 1000
    assert f"disk: {model_bytes(desk.model) / 1000:,.0f} kB, zipped about <b>{zipped:,.0f} kB</b>" in words
    unit = "%" if desk.is_classifier() else "nats a token"
    assert len(re.findall(rf"\d {unit}", words)) == 2 and len(re.findall(r"[\d.]+ ms", words)) == 2


def test_the_size_of_a_large_file_is_estimated_from_its_rows():
    torch.manual_seed(0)
    model = MLP([300, 400, 400, 10])
    for rate in (0.0, 0.5, 0.9):
        pruned = prune_model(model, rate)
        assert zipped_bytes(pruned) == pytest.approx(file_bytes(pruned, compressed=True), rel=0.15)


def test_a_model_that_does_more_takes_longer():
    small, large = MLP([64, 8, 10]), MLP([64, 3000, 3000, 10])
    seconds = answer_times(large, small, torch.randn(3, 64))
    assert seconds[0] > seconds[1] > 0


def test_what_disturbs_some_answers_does_not_count():
    model, asked = MLP([64, 8, 10]), []

    def disturb(*_):
        asked.append(1)
        time.sleep(0.1 if len(asked) < 6 else 0)

    other = copy.deepcopy(model)
    other.register_forward_hook(disturb)
    assert max(answer_times(model, other, torch.randn(3, 64), seconds=1.0)) < 0.05


@pytest.mark.parametrize(
    "seconds, words",
    [(7.31e-5, "0.073 ms"), (0.0042, "4.2 ms"), (0.0996, "100 ms"), (1.31, "1,300 ms"), (60, "60,000 ms")],
)
def test_times_are_written_without_powers_of_ten(seconds, words):
    assert explorer.milliseconds(seconds) == words


# ---------------------------------------------------------------------------------------------------------- fine-tuning


def test_fine_tuning_keeps_the_zeros_and_leaves_a_star(desk):
    before = quality(desk.pruned(0.8, "global"), *desk.validation)
    zeros = [weight == 0 for weight in weights(desk.pruned(0.8, "global"))]
    desk.fine_tune(0.8, "global")
    picture = desk.draw(0.8, "global")
    star = desk.picture.left.lines[-1]
    assert [*star.get_xdata(), *star.get_ydata()] == [0.8, desk.now] and desk.now != before
    for weight, zero in zip(weights(desk.shown), zeros, strict=True):
        assert (weight[zero] == 0).all() and (weight[~zero] != 0).any()
    assert "Fine-tuned for 10 of 10 steps" in desk.write(0.8, "global")
    desk.draw(0.5, "layer")
    words = desk.write(0.5, "layer")
    assert "not fine-tuned" in words and "Fine-tuned for" not in words
    assert desk.draw(0.8, "global") == picture  # it is still there


def test_fine_tuning_brings_digits_back_and_goes_on_when_pressed_again():
    desk = Desk(*trained_on_digits(), steps=100, lr=1e-2, batch_size=32, place=None)
    before = desk.measured(0.9, "global")
    desk.fine_tune(0.9, "global")
    first = desk.tuned[0.9, "global"]
    desk.draw(0.9, "global")
    assert desk.now > before + 10
    desk.fine_tune(0.9, "global")
    again = desk.tuned[0.9, "global"]
    assert again is not first and not torch.equal(weights(again)[0], weights(first)[0])
    assert torch.equal(weights(again)[0] == 0, weights(first)[0] == 0)


def test_neither_the_model_nor_the_notebooks_random_numbers_are_changed(case):
    model, *_ = case
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    training, dice = model.training, torch.get_rng_state()
    desk = Desk(*case, steps=5, lr=1e-2, batch_size=16, place=None)
    for method in explorer.LOOKS:
        desk.draw(0.9, method)
        desk.write(0.9, method)
        desk.fine_tune(0.9, method)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert model.training == training and torch.equal(torch.get_rng_state(), dice)
    assert all(parameter.grad is None for parameter in desk.copy.parameters())


def test_a_run_that_diverges_is_thrown_away_and_says_so():
    model, train, validation = trained_on_digits()
    desk = Desk(model, (train[0] * float("nan"), train[1]), validation, 10, 1e-2, 16, None)
    desk.fine_tune(0.5, "global")
    note = desk.notes[0.5, "global"]
    assert desk.tuned == {} and "train" in note and "step" in note
    desk.draw(0.5, "global")
    assert note in desk.write(0.5, "global")


# --------------------------------------------------------------------------------------------------------- as displayed


def test_every_control_changes_the_picture_and_goes_to_its_ends(case, monkeypatch):
    draw, alt, controls = explorers.taken(monkeypatch, explorer, lambda: live.sparsity(*case))
    explorers.assert_every_control_changes_the_picture(draw, controls)
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)
    assert not re.search(r"\d", alt)


@pytest.fixture
def box(case, monkeypatch):
    """The explorer as its reader has it, made twice: what is saved does not depend on the times that are measured."""
    bundles = []
    monkeypatch.setattr(live.explorer, "display", lambda bundle, **options: bundles.append(bundle))
    for _ in range(2):
        live.sparsity(*case, steps=5, lr=1e-2, batch_size=16)
    assert bundles[0]["image/png"] == bundles[1]["image/png"] and bundles[0]["text/plain"] == bundles[1]["text/plain"]
    return explorers.widgets.widget._instances[bundles[1]["application/vnd.jupyter.widget-view+json"]["model_id"]]


def test_the_button_trains(box):
    _, buttons, picture, words, *_ = box.children
    before = picture.value
    buttons.children[0].click()
    assert "Fine-tuned for 5 of 5 steps" in words.value and picture.value != before


def test_an_error_while_it_trains_is_shown_and_not_swallowed(box, monkeypatch, caplog):
    runs = []
    monkeypatch.setattr(explorer, "Run", lambda *numbers, **place: runs.append(live.Run(*numbers)) or runs[0])
    monkeypatch.setattr(live.Run, "steer", lambda *_: 1 / 0)
    _, buttons, _, words, *_ = box.children
    buttons.children[0].click()
    assert words.value.startswith("ZeroDivisionError") and "Exception in callback" in caplog.text  # by ipywidgets
    assert runs[0].ended == "left" and runs[0].step == 1


@pytest.mark.parametrize(
    "train, validation, message",
    [
        ((torch.zeros(3, 64),), None, r"train is 1 things of length \[3\].*Pass \(inputs, targets\)"),
        (None, (torch.zeros(3, 64), torch.zeros(2)), r"validation is 2 things of length \[3, 2\]"),
        ((torch.zeros(0, 64), torch.zeros(0)), None, r"train is 2 things of length \[0, 0\]"),
    ],
)
def test_data_that_do_not_belong_together_are_refused(train, validation, message):
    model, *pairs = trained_on_digits()
    with pytest.raises(ValueError, match=message):
        live.sparsity(model, train or pairs[0], validation or pairs[1])


def test_a_model_with_nothing_to_prune_is_refused():
    with pytest.raises(ValueError, match="nothing to prune"):
        live.sparsity(torch.nn.LayerNorm(4), (torch.zeros(2, 4), torch.zeros(2)), (torch.zeros(2, 4), torch.zeros(2)))
