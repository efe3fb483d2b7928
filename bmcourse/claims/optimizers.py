"""What lesson 07 says of optimizers, measured as a fair race is run.

Every optimizer gets the same number of learning rates, each twice the one before, on seeds kept for tuning. Its best
rate must not lie at the edge of its grid. Then it is judged on other seeds.
"""

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data, optimizers
from bmcourse.claims.core import claim
from bmcourse.claims.training import documentation, pocket_gpt, validation_loss

TRIES = 7  # learning rates for each optimizer
LOWEST_LR = (("Momentum", 0.01), ("AdamW", 0.001), ("Muon", 0.004))
TUNING_SEEDS = (100, 101)
TEXT_STEPS, TEXT_EVERY = 600, 25
DIGITS_STEPS = 300


# ---------------------------------------------------------------- one run


class UncorrectedAdamW(optimizers.AdamW):
    """AdamW without bias correction: its averages start at 0 and are used as they are."""

    def update(self, parameter, gradient, state, group):
        if not state:
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        beta1, beta2 = group["betas"]
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(mean, square.sqrt().add_(group["eps"]), value=-group["lr"])


def optimizers_for(model, name, lr):
    """The optimizers of `model`: one, or two for Muon, which leaves embeddings, head and vectors to AdamW at its rate.

    Muon computes in float32: a processor without bfloat16 units is slow in bfloat16.
    """
    if name != "Muon":
        kinds = {"Momentum": optimizers.Momentum, "AdamW": optimizers.AdamW, "UncorrectedAdamW": UncorrectedAdamW}
        return [kinds[name](model.parameters(), lr)]
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if not any(p is matrix for matrix in matrices)]
    return [optimizers.Muon(matrices, lr, dtype=torch.float32), optimizers.AdamW(others, lr)]


def race(model, name, lr, batch_loss, validate, steps, every):
    """Train `model`; returns its validation loss after each `every` steps, infinite when the run diverges."""
    chosen = optimizers_for(model, name, lr)
    curve = []
    for step in range(1, steps + 1):
        loss = batch_loss(model)
        model.zero_grad()
        loss.backward()
        try:
            for optimizer in chosen:
                optimizer.step()
        except ValueError:  # the gradient is not finite any more
            return [math.inf] * (steps // every)
        if step % every == 0:
            curve.append(validate(model))
    return curve


@functools.cache
def text_run(name, lr, seed, steps=TEXT_STEPS):
    """A pocket GPT on the documentation: the trained model and its validation loss every 25 steps."""
    model = pocket_gpt(seed)
    generator = torch.Generator().manual_seed(seed)

    def batch_loss(model):
        x, y = data.get_batch(documentation()[0], 16, model.config.context, generator)
        return F.cross_entropy(model(x).flatten(0, 1), y.flatten())

    return model, race(model, name, lr, batch_loss, validation_loss, steps, TEXT_EVERY)


@functools.cache
def digits_run(name, lr, seed, batch_size=32, steps=DIGITS_STEPS, every=DIGITS_STEPS):
    """A network with one hidden layer on the handwritten digits: the trained model and its validation loss."""
    model, digits = digits_network(seed), digits_data()
    generator = torch.Generator().manual_seed(seed)

    def batch_loss(model):
        picked = torch.randint(len(digits.train_labels), (batch_size,), generator=generator)
        return F.cross_entropy(model(digits.train_images[picked]), digits.train_labels[picked])

    @torch.no_grad()
    def validate(model):
        return F.cross_entropy(model(digits.validation_images), digits.validation_labels).item()

    return model, race(model, name, lr, batch_loss, validate, steps, every)


digits_data = functools.cache(data.digits)


def digits_network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


@torch.no_grad()
def accuracy(model):
    """Per cent of the validation digits that `model` names right."""
    right = model(digits_data().validation_images).argmax(1) == digits_data().validation_labels
    return 100 * right.float().mean().item()


# ---------------------------------------------------------------- tuning


def best_of_grid(name, score):
    """The learning rate of the grid of `name` with the lowest `score(lr, seed)`, summed over the tuning seeds."""
    rates = [dict(LOWEST_LR)[name] * 2**k for k in range(TRIES)]
    scores = [sum(score(lr, seed) for seed in TUNING_SEEDS) for lr in rates]
    best = scores.index(min(scores))
    assert 0 < best < TRIES - 1, f"{name}: {rates[best]} is at the edge of the grid, so widen the grid"
    return rates[best]


def best_lr(run, name):
    """The learning rate at which `run` ends with the lowest validation loss."""
    return best_of_grid(name, lambda lr, seed: run(name, lr, seed)[1][-1])


def tuned(run, name, seed):
    """The model and the losses of a run with a fresh seed at the tuned learning rate."""
    assert seed not in TUNING_SEEDS
    return run(name, best_lr(run, name), seed)


def steps_to(goal, curve, every):
    """The first step at which the loss was seen to be at or below `goal`; infinite when it never was."""
    return next((every * (k + 1) for k, loss in enumerate(curve) if loss <= goal), math.inf)


# ---------------------------------------------------------------- claims


@claim(
    "On text, AdamW reaches the loss that SGD with momentum has at the end in fewer steps, each at its own best rate.",
    unit="times fewer steps",
    at_least=1.2,
)
def adam_needs_fewer_steps_on_text(seed):
    goal = tuned(text_run, "Momentum", seed)[1][-1]
    return TEXT_STEPS / steps_to(goal, tuned(text_run, "AdamW", seed)[1], TEXT_EVERY)


@claim(
    "On text, Muon reaches the loss that AdamW has at the end in fewer steps, each at its own best rate.",
    unit="times fewer steps",
    at_least=1.3,
)
def muon_needs_fewer_steps_than_adam_on_text(seed):
    goal = tuned(text_run, "AdamW", seed)[1][-1]
    return TEXT_STEPS / steps_to(goal, tuned(text_run, "Muon", seed)[1], TEXT_EVERY)


@claim(
    "On digits Adam is not better: SGD with momentum comes within one point of AdamW's accuracy, or is above it.",
    unit="points more accurate with momentum",
    opposite="points less accurate with momentum",
    at_least=-1.0,
)
def adam_is_no_better_on_digits(seed):
    """The mean of three pairs of runs: one pair is decided by twenty digits or so."""
    runs = range(3 * seed, 3 * seed + 3)
    gains = [
        accuracy(tuned(digits_run, "Momentum", run)[0]) - accuracy(tuned(digits_run, "AdamW", run)[0]) for run in runs
    ]
    return sum(gains) / len(gains)


@claim(
    "If only one of two optimizers is tuned and the other keeps its usual rate, either of them can win on digits.",
    unit="nats lost by the untuned one",
    at_least=0.1,
)
def the_tuned_one_wins(seed):
    """The closer of the two races. The usual rates are 0.01 for SGD with momentum and 0.001 for AdamW."""
    momentum, adam = (tuned(digits_run, name, seed)[1][-1] for name in ("Momentum", "AdamW"))
    untuned_momentum = digits_run("Momentum", 0.01, seed)[1][-1]
    untuned_adam = digits_run("AdamW", 0.001, seed)[1][-1]
    return min(untuned_adam - momentum, untuned_momentum - adam)


@claim(
    "Adam needs no tuning: on text, AdamW at its usual 0.001 beats SGD with momentum at the best of seven rates.",
    unit="nats better",
    opposite="nats worse",
    belief=True,
)
def adam_needs_less_tuning_on_text(seed):
    return tuned(text_run, "Momentum", seed)[1][-1] - text_run("AdamW", 0.001, seed)[1][-1]


@claim(
    "Adam is less sensitive to the learning rate: one eight times too small costs AdamW less than it costs momentum.",
    unit="nats less lost than by momentum",
    opposite="nats more lost than by momentum",
    belief=True,
)
def adam_forgives_a_small_learning_rate(seed):
    losses = {}
    for name in ("Momentum", "AdamW"):
        at_an_eighth = text_run(name, best_lr(text_run, name) / 8, seed)
        losses[name] = at_an_eighth[1][-1] - tuned(text_run, name, seed)[1][-1]
    return losses["Momentum"] - losses["AdamW"]


@torch.no_grad()
def loss_of_each_character(model):
    """The cross-entropy of every character of some validation text, and the characters: two tensors (N,)."""
    windows = documentation()[1][: 33 * 600].view(600, 33)
    targets = windows[:, 1:].flatten()
    return F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), targets, reduction="none"), targets


@claim(
    "Adam wins on text because it learns rare characters: most of its lead comes from the rarest fifth of the text.",
    unit="of AdamW's lead on momentum",
    at_least=0.5,
    belief=True,
)
def rare_characters_make_adams_lead(seed):
    """For words and momentum see Kunstner et al., "Heavy-Tailed Class Imbalance and Why Adam Outperforms", 2024."""
    counts = torch.bincount(documentation()[0], minlength=documentation()[2])
    rarest_first = counts.argsort()
    rare = rarest_first[counts[rarest_first].cumsum(0) <= 0.2 * counts.sum()]
    momentum, targets = loss_of_each_character(tuned(text_run, "Momentum", seed)[0])
    lead = momentum - loss_of_each_character(tuned(text_run, "AdamW", seed)[0])[0]
    return (lead[torch.isin(targets, rare)].sum() / lead.sum()).item()


@claim(
    "At AdamW's best learning rate the bias correction matters: without it the first steps are much too large.",
    unit="nats lost without it by step 300",
    at_least=0.1,
)
def bias_correction_pays(seed):
    lr = best_lr(text_run, "AdamW")
    corrected = text_run("AdamW", lr, seed)[1][300 // TEXT_EVERY - 1]
    return text_run("UncorrectedAdamW", lr, seed, steps=300)[1][-1] - corrected


def gradient_of(model, picked):
    """The gradient of the loss on the `picked` digits, as one vector."""
    loss = F.cross_entropy(model(digits_data().train_images[picked]), digits_data().train_labels[picked])
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, model.parameters())])


@claim(
    "The noise of the gradient falls with one over the square root of the batch size: batches of 128 have a quarter "
    "of the noise of batches of 8.",
    unit="times less noise",
    at_least=3.5,
)
def noise_falls_with_the_root_of_the_batch(seed):
    model, count = digits_network(seed), len(digits_data().train_labels)
    generator = torch.Generator().manual_seed(seed)
    exact = gradient_of(model, torch.arange(count))
    noise = {}
    for batch_size in (8, 128):
        batches = torch.randint(count, (300, batch_size), generator=generator)
        errors = [(gradient_of(model, picked) - exact).norm() ** 2 for picked in batches]
        noise[batch_size] = torch.stack(errors).mean().sqrt()
    return (noise[8] / noise[128]).item()


def steps_with_batches_of(batch_size, lr, seed):
    """Steps that momentum needs to a validation loss of 0.25 on the digits."""
    return steps_to(0.25, digits_run("Momentum", lr, seed, batch_size, 200, every=2)[1], every=2)


@claim(
    "Bigger batches help less and less: batches of 256 reach the same loss as batches of 16 in fewer steps, but read "
    "more than twice as many images.",
    unit="times as many images",
    at_least=2.0,
)
def big_batches_read_more_images(seed):
    images = []
    for batch_size in (256, 16):
        lr = best_of_grid("Momentum", functools.partial(steps_with_batches_of, batch_size))
        images.append(batch_size * steps_with_batches_of(batch_size, lr, seed))
    return images[0] / images[1]


def sharpness(loss, parameters, iterations=50):
    """The largest eigenvalue of the loss's Hessian, by power iteration with Hessian-vector products."""
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, create_graph=True)])
    direction = torch.randn(len(gradient), generator=torch.Generator().manual_seed(0))
    for _ in range(iterations):
        direction = direction / direction.norm()
        products = torch.autograd.grad(gradient @ direction, parameters, retain_graph=True)
        product = torch.cat([p.flatten() for p in products])  # the Hessian times the direction
        eigenvalue, direction = direction @ product, product
    return eigenvalue.item()


def sharpness_after_descent(lr, seed, steps=1500):
    """The sharpness at which plain gradient descent on all the digits ends, with the squared error as the loss."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 10))
    parameters, digits = list(model.parameters()), digits_data()
    wanted = F.one_hot(digits.train_labels, 10).float()
    optimizer = optimizers.SGD(parameters, lr)
    for _ in range(steps):
        loss = ((model(digits.train_images) - wanted) ** 2).sum(1).mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return sharpness(((model(digits.train_images) - wanted) ** 2).sum(1).mean() / 2, parameters)


@claim(
    "Gradient descent ends at the edge of stability: the sharpness of the loss is then near 2 / lr, for two learning "
    "rates.",
    unit="of 2 / lr, the lower of the two",
    at_least=0.85,
)
def descent_ends_at_the_edge_of_stability(seed):
    """The lower of two ratios, or 0 where the higher one is above 1.2: then it is not near.

    Source: Cohen et al., "Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability", 2021.
    """
    reached = [sharpness_after_descent(lr, seed) * lr / 2 for lr in (0.1, 0.2)]
    return min(reached) if max(reached) <= 1.2 else 0.0
