"""What lesson 14 says of size, measured: what it costs by count, and what it buys, in a sweep of tiny GPTs."""

import functools
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.claims.training import documentation
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.scaling import (
    best_size,
    bytes_kept,
    exact_training_flops,
    fit_power_law,
    gpt_parameters,
    training_flops,
)
from bmcourse.train import backward_in_parts, recomputed
from bmcourse.training import evaluate, warmup_cosine

# The sweep: the budgets in FLOPs, and for each of them four sizes in channels, around the best.
BUDGETS = (1e9, 3e9, 1e10, 3e10)
SIZES = ((6, 8, 12, 16), (8, 12, 16, 24), (10, 16, 24, 32), (16, 24, 32, 48))
CONTEXT, BATCH = 16, 16
TINY = "--steps 1 --batch-size 8 --context 16 --layers 1 --heads 2 --channels 16 --lr 0.001"


# ---------------------------------------------------------------- the rule and the count


def shapes(seed, low, high, count=20):
    """GPTs drawn by `seed`, from millions to hundreds of billions of parameters, with `low` to `high` C of context."""
    draw = random.Random(seed)
    for _ in range(count):
        channels = 128 * round(2 ** draw.uniform(2, 7))
        context = max(1, round(channels * draw.uniform(low, high)))
        yield GPTConfig(50_257, context, layers=draw.randint(24, 100), heads=channels // 64, channels=channels)


def rule_over_count(config):
    """6 N D, with one table for both ends as in GPT-3, over every matrix product."""
    tokens = config.context
    return training_flops(gpt_parameters(config, tied=True), tokens) / exact_training_flops(config, tokens)


@claim(
    "Where the context is no longer than the channels are many, 6 N D is within 15 % of every matrix product counted. "
    "(20 GPTs of 24 blocks or more, 512 to 16,384 channels.)",
    unit="points below 15 %, the worst of 20",
)
def the_rule_holds_for_short_contexts(seed):
    return min(15 - 100 * abs(1 - rule_over_count(config)) for config in shapes(seed, 0.05, 1))


# ---------------------------------------------------------------- the sweep


def characters():
    """The characters of the documentation as numbers: to train on, and 20,000 to validate; and how many there are."""
    train, unread, V = documentation()
    return train, unread[:20_001], V


@functools.cache
def sweep_loss(flops, channels, seed):
    """The loss in nats a character of a one-block GPT after `flops`, all of its learning rate's schedule included."""
    train, unread, V = characters()
    config = GPTConfig(V, CONTEXT, layers=1, heads=1, channels=channels)
    steps = round(flops / exact_training_flops(config, BATCH * CONTEXT))
    torch.manual_seed(seed)
    model, generator = GPT(config), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)  # all weights in one call: they are few
    for step in range(1, steps + 1):
        x, y = data.get_batch(train, BATCH, CONTEXT, generator)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = 0.16 / channels * warmup_cosine(step, steps, steps // 10)
        optimizer.step()
    return evaluate(model, unread, CONTEXT)


def losses_of(budget, seed):
    """The losses of the models of one budget, by its place in BUDGETS."""
    return [sweep_loss(BUDGETS[budget], channels, seed) for channels in SIZES[budget]]


def parameters_of(budget):
    return [gpt_parameters(GPTConfig(characters()[2], CONTEXT, layers=1, channels=c)) for c in SIZES[budget]]


def sweep(seed):
    """For each budget two rows: the parameters of its models, and their losses."""
    return [
        [parameters_of(budget), [round(loss, 4) for loss in losses_of(budget, seed)]] for budget in range(len(BUDGETS))
    ]


def best_sizes(seed):
    return [best_size(parameters_of(budget), losses_of(budget, seed)) for budget in range(len(BUDGETS))]


@claim(
    "The best size grows with the budget: over four budgets from 1e9 to 3e10 FLOPs its exponent is above 0.3. "
    "(One-block GPTs of characters, exact FLOPs, all parameters counted.)",
    unit="is the exponent",
    at_least=0.3,
    table=sweep,
)
def the_best_size_grows_with_the_budget(seed):
    return fit_power_law(BUDGETS, best_sizes(seed)).exponent


@claim(
    "At every budget the best of four sizes lies in the middle: the smallest and the largest model both lose to one "
    "between them.",
    unit="nats that the better end is behind",
)
def too_small_and_too_large_both_lose(seed):
    every = [losses_of(budget, seed) for budget in range(len(BUDGETS))]
    return min(min(losses[0], losses[-1]) - min(losses[1:-1]) for losses in every)


@claim(
    "A power law tells what comes next: fitted to the best losses at 1e9, 3e9 and 1e10 FLOPs, it gives the one at 3e10 "
    "within 3 %.",
    unit="points below 3 %",
    opposite="points above 3 %",
    belief=True,
)
def three_budgets_tell_the_next(seed):
    best = [min(losses_of(budget, seed)) for budget in range(len(BUDGETS))]
    return 3 - 100 * abs(fit_power_law(BUDGETS[:-1], best[:-1])(BUDGETS[-1]) / best[-1] - 1)


# ---------------------------------------------------------------- memory


def deep(rows=32):
    """A GPT of eight blocks, and a batch x, y (rows, T) of random tokens."""
    config = GPTConfig(100, context=64, layers=8, heads=4, channels=64)
    return GPT(config), *torch.randint(100, (2, rows, config.context))


def recompute(model):
    for block in model.blocks:
        block.forward = recomputed(block.forward)
    return model


def kept(model, x, y, bf16=False):
    """The bytes that the forward pass keeps for the backward pass."""

    def forward():
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return F.cross_entropy(model(x).flatten(0, 1), y.flatten())

    return bytes_kept(model, forward)


def gradients(model, x, y, parts=1):
    model.zero_grad()
    backward_in_parts(model, x, y, parts)
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def step_flops(change=lambda model: model):
    """The FLOPs of a training step of the deep GPT, changed so; on the meta device all of attention is counted."""
    with torch.device("meta"):
        model, x, _ = deep(rows=1)
    with FlopCounterMode(display=False) as counter:
        change(model)(x).sum().backward()
    return counter.get_total_flops()


@claim(
    "Eight parts in place of one batch: an eighth of the bytes are kept for the backward pass, and the gradients are "
    "the same within 0.00001.",
    unit="times fewer bytes",
    at_least=7.9,
)
def accumulation_saves_memory_and_changes_nothing(seed):
    """How many times fewer bytes; 0 where the gradients differ."""
    torch.manual_seed(seed)
    model, x, y = deep()
    same = torch.allclose(gradients(model, x, y), gradients(model, x, y, parts=8), rtol=0, atol=1e-5)
    return kept(model, x, y) / kept(model, x[:4], y[:4]) if same else 0.0


@claim(
    "Recomputing the blocks keeps several times fewer bytes, for at most a third more operations and the same "
    "gradients.",
    unit="times fewer bytes",
    at_least=4.0,
)
def recomputing_trades_a_third_more_work_for_memory(seed):
    """How many times fewer bytes; 0 where the gradients differ or the work is more than 4/3."""
    torch.manual_seed(seed)
    model, x, y = deep()
    bytes_before, gradients_before = kept(model, x, y), gradients(model, x, y)
    recompute(model)
    same = torch.equal(gradients_before, gradients(model, x, y))
    return bytes_before / kept(model, x, y) if same and step_flops(recompute) <= 4 / 3 * step_flops() else 0.0


@claim(
    "bf16 halves the memory of the activations. (Autocast: the weights stay in fp32.)",
    unit="times fewer bytes",
    at_least=2.0,
    belief=True,
)
def bf16_halves_the_activations(seed):
    torch.manual_seed(seed)
    model, x, y = deep()
    return kept(model, x, y) / kept(model, x, y, bf16=True)


# ---------------------------------------------------------------- two processes


def first_gradients(path, seed, *launcher):
    """The gradients of the first batch: after one step Adam's first average is a tenth of them."""
    from safetensors.torch import load_file

    command = [sys.executable, *launcher, "-m", "bmcourse.train", *TINY.split(), "--seed", str(seed)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*command, "--checkpoint", str(path)], env=environment, check=True, capture_output=True)
    return {name: tensor / 0.1 for name, tensor in load_file(path).items() if name.endswith(".exp_avg")}


@claim(
    "Two processes, each with half of the batch, have the gradients of one. (python -m torch.distributed.run, DDP, "
    "gloo.)",
    unit="decimals that agree, in every gradient",
    at_least=5.0,
)
def two_processes_have_the_gradients_of_one(seed):
    two = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    with tempfile.TemporaryDirectory() as folder:
        one, other = (
            first_gradients(pathlib.Path(folder, str(number)), seed, *launcher)
            for number, launcher in enumerate([(), two])
        )
    furthest = max((one[name] - other[name]).abs().max().item() for name in one)
    return -math.log10(max(furthest, 1e-12))
