"""How soon a small GPT reaches the loss that nanoGPT's set-up for a processor ends with: `bench speedrun [text.txt]`.

The 1× is written here plainly, as nanoGPT does it: 4 blocks of 128, 2,000 steps. The target is the mean of what three
seeds of it reach on all windows of unread text that do not overlap. Each contestant uses one or two threads, whichever
is faster for it, and all take turns, seed by seed. Time is that of training alone; for n-grams it is all they do.
"""

import math
import os
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.ngrams import NGrams
from bmcourse.speedrun import free_shape, nanogpt, same_shape, train_fast
from bmcourse.tokenizer import CharacterTokenizer
from bmcourse.training import evaluate
from tests.bench import turns

SEEDS, CONTEXT, STEPS = 3, 64, 2000
WANTED = "same shape 4.5 times and free shape 20 times as soon or sooner, plain step no slower than nanoGPT's"


def main(path=None):
    text = data.text_file(path) if path else data.python_docs()
    tokenizer = CharacterTokenizer(text.train)
    parts = (torch.tensor(tokenizer.encode(part, errors="replace")) for part in (text.train, text.validation))
    train_ids, unread = parts
    V, threads = tokenizer.vocabulary_size, torch.get_num_threads()
    print(f"{turns.machine()} {text.name}: {len(train_ids):,} characters, {len(unread):,} unread. Wanted: {WANTED}.")
    contestants = {
        "nanoGPT's set-up, 4 x 128": (STEPS, lambda seed, steps: train_nanogpt(train_ids, V, seed, steps)),
        "the same shape, fast": fast(same_shape(V), train_ids),
        "free shape, fast": fast(free_shape(V), train_ids),
    }
    print_steps(train_ids, V)
    race(contestants, train_ids, unread, V)
    torch.set_num_threads(threads)


def fast(config_and_recipe, ids):
    """Number of steps, and a function that trains for so many of them, or for fewer to time the first ones."""
    config, recipe = config_and_recipe

    def work(seed, steps):
        def stop(step, model, loss):
            if step == steps < recipe.steps:
                raise StopIteration

        try:
            return train_fast(config, recipe, ids, seed, stop)
        except StopIteration:
            return None

    return recipe.steps, work


def race(contestants, train_ids, unread, V):
    """Print how long each takes, the loss it ends with, and how many times sooner than the first it is there."""
    threads = {name: best_threads(work) for name, (_, work) in contestants.items()}
    seconds, losses = ({name: [] for name in contestants} for _ in range(2))
    for seed in range(SEEDS):
        for name, (steps, work) in contestants.items():
            turns.progress(f"seed {seed + 1} of {SEEDS}: {name}")
            torch.set_num_threads(threads[name])
            start = time.perf_counter()
            model = work(seed, steps)
            seconds[name].append(time.perf_counter() - start)
            losses[name].append(evaluate(model, unread, CONTEXT))
    start = time.perf_counter()
    counted = NGrams(train_ids, V).losses(unread, CONTEXT).mean().item()
    seconds["n-grams of order 5"], losses["n-grams of order 5"] = [time.perf_counter() - start], [counted]
    target = statistics.mean(next(iter(losses.values())))
    first = statistics.mean(next(iter(seconds.values())))
    print(f"\nTime to a loss of {target:.3f}       threads  seconds   speed   losses")
    for name, column in seconds.items():
        taken, reached = statistics.mean(column), statistics.mean(losses[name])
        verdict = "" if reached <= target + 1e-9 else "   target NOT reached"
        all_losses = " ".join(f"{loss:.3f}" for loss in losses[name])
        print(f"  {name:<28}  {threads.get(name, 1):>3}  {taken:>9.2f}  {first / taken:>6.1f}   {all_losses}{verdict}")


def best_threads(work, steps=15):
    """1 or 2, whichever makes the first steps of `work` faster."""
    taken = {}
    for threads in (1, min(2, os.cpu_count())):
        torch.set_num_threads(threads)
        work(0, 3)
        taken[threads] = turns.seconds(lambda: work(0, steps))
    return min(taken, key=taken.get)


def print_steps(ids, V, steps=10):
    """Print how long a step of nanoGPT's set-up takes in its code and in ours, in one thread."""
    torch.set_num_threads(1)
    _, ours = fast(nanogpt(V), ids)
    runs = {"nanoGPT's code": lambda: train_nanogpt(ids, V, 0, steps), "ours": lambda: ours(0, steps)}
    seconds = turns.take_turns({name: lambda run=run: turns.seconds(run) for name, run in runs.items()}, 20, 7)
    theirs = seconds["nanoGPT's code"]
    for name, column in seconds.items():
        low, middle, high = statistics.quantiles(a / b for a, b in zip(theirs, column, strict=True))
        ms = 1000 * statistics.median(column) / steps
        print(f"A step in {name:<16} {ms:>7.1f} ms, speed {middle:.2f} ({low:.2f} to {high:.2f})", flush=True)


# ---------------------------------------------------------------- the 1×


class NanoBlock(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(channels, bias=False), nn.LayerNorm(channels, bias=False)
        self.query_key_value = nn.Linear(channels, 3 * channels, bias=False)
        self.attention_output = nn.Linear(channels, channels, bias=False)
        self.mlp_input = nn.Linear(channels, 4 * channels, bias=False)
        self.mlp_output = nn.Linear(4 * channels, channels, bias=False)

    def forward(self, x):
        B, T, C = x.shape
        parts = self.query_key_value(self.norm1(x)).split(C, dim=2)
        query, key, value = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.attention_output(mixed.transpose(1, 2).contiguous().view(B, T, C))
        return x + self.mlp_output(F.gelu(self.mlp_input(self.norm2(x))))


class NanoGPT(nn.Module):
    """nanoGPT's model without dropout and biases."""

    def __init__(self, vocabulary_size, context=CONTEXT, layers=4, heads=4, channels=128):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary_size, channels), nn.Embedding(context, channels)
        self.blocks = nn.Sequential(*(NanoBlock(channels, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(channels, bias=False)
        self.head = nn.Linear(channels, vocabulary_size, bias=False)
        self.head.weight = self.tokens.weight
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * layers) if "output" in name else 0.02)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def train_nanogpt(ids, vocabulary_size, seed, steps):
    """The first `steps` of nanoGPT's 2,000; returns the model."""
    torch.manual_seed(seed)
    model = NanoGPT(vocabulary_size)
    matrices, vectors = ([p for p in model.parameters() if (p.ndim == 2) is wanted] for wanted in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    for step in range(steps):
        half_cosine = 0.5 * (1 + math.cos(math.pi * (step - 100) / (STEPS - 100)))
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (step + 1) / 101 if step < 100 else 1e-4 + half_cosine * (1e-3 - 1e-4)
        starts = torch.randint(len(ids) - CONTEXT, (12,))
        x, y = (torch.stack([ids[i + shift : i + shift + CONTEXT] for i in starts]) for shift in (0, 1))
        loss = F.cross_entropy(model(x).view(-1, vocabulary_size), y.view(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return model
