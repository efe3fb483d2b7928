"""What pruning buys: a GPT's forward pass with zeros, sparse matrices and fewer units, and what the zeros cost.

All run in one thread and take turns, since a machine is never equally busy twice; a ratio is the median of the turns'.
The GPT has random weights, since the time does not depend on them: 12 blocks of 768 channels, 128 tokens.
"""

import copy
import statistics
from functools import partial

import torch
import torch.nn.functional as F

from bmcourse.claims.pruning import as_csr
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.mlp import MLP
from bmcourse.pruning import prunable_weights, prune_model
from bmcourse.quantization import quantize_dynamic
from tests.bench import turns

SECONDS, TURNS = 30, 7
TARGETS = "structured by half 1.7 and int8 2.4 times as fast or more, the mask 5 % of a training step or less"


def main():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print(f"{turns.machine()} Wanted: {TARGETS}.")
    with torch.no_grad():
        forward()
    training()
    torch.set_num_threads(threads)


def forward():
    """The forward pass of the GPT: dense first, then pruned in each way."""
    torch.manual_seed(0)
    dense = GPT(GPTConfig(vocabulary_size=1024, context=128, layers=12, heads=12, channels=768)).eval()
    tokens = torch.randint(1024, (1, 128))
    models = {"dense": dense, "structured, half of the parameters": prune_model(dense, 0.5, "structured")}
    for rate in (0.5, 0.9):
        models[f"zeros, {rate:.0%}"] = zeros = pruned_by_lot(dense, rate)
        models[f"CSR, {rate:.0%}"] = as_csr(zeros)
        torch.testing.assert_close(models[f"CSR, {rate:.0%}"](tokens), zeros(tokens), atol=1e-4, rtol=1e-4)
    models["zeros, 2:4"] = prune_model(dense, 0.5, "2:4")
    models["int8 times int8"] = quantize_dynamic(dense)
    print_table("A forward pass of 128 tokens, 12 blocks of 768", models, lambda model: model(tokens))


def pruned_by_lot(model, rate):
    """The model with zeros at random places: with random weights no worse than any other choice, and at once."""
    pruned = copy.deepcopy(model)
    for weight in prunable_weights(pruned).values():
        weight.mul_(torch.rand_like(weight) >= rate)
    return pruned


def training():
    """A training step with masks beside one without. The masks are of 0 %, since Adam itself is slower over zeros."""
    torch.manual_seed(0)
    gpt = GPT(GPTConfig(vocabulary_size=1024, context=128, layers=4, heads=4, channels=128))
    tokens, labels = torch.randint(1024, (8, 128)), torch.randint(10, (64,))
    cases = {
        "MLP 64-300-100-10, 64 digits, Adam": (MLP([64, 300, 100, 10]), torch.randn(64, 64), labels, torch.optim.Adam),
        "MLP 64-300-100-10, 64 digits, SGD": (MLP([64, 300, 100, 10]), torch.randn(64, 64), labels, torch.optim.SGD),
        "GPT of 4 blocks of 128, 8 x 128 tokens, AdamW": (gpt, tokens, tokens.flatten(), torch.optim.AdamW),
    }
    for title, (model, x, y, kind) in cases.items():
        models = {"plain": copy.deepcopy(model), "mask": prune_model(model, 0.0)}
        # so low a rate that both go on computing the same: learned by heart, their gradients would underflow, slowly
        runs = {name: (model, kind(model.parameters(), 1e-6)) for name, model in models.items()}
        print_table(title, runs, lambda run, x=x, y=y: train_step(*run, x, y))


def train_step(model, optimizer, x, y):
    loss = F.cross_entropy(model(x).flatten(0, -2), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def print_table(title, contestants, work):
    """The milliseconds of `work` on each contestant, and how often it is done while the first does it once."""
    for contestant in contestants.values():
        work(contestant)  # the first time is never like the others
    measures = {name: partial(turns.seconds, partial(work, contestant)) for name, contestant in contestants.items()}
    seconds = turns.take_turns(measures, SECONDS, TURNS)
    first = next(iter(seconds.values()))
    print(f"\n{title:<48}        ms   speed   middle half of {len(first)} turns", flush=True)
    for name, column in seconds.items():
        low, middle, high = statistics.quantiles(a / b for a, b in zip(first, column, strict=True))
        ms = 1000 * statistics.median(column)
        print(f"  {name:<46}  {ms:>8.2f}   {middle:>5.2f}   {low:>10.2f} to {high:.2f}", flush=True)
