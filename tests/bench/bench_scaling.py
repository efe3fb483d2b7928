"""What saving memory costs in time: a training step in parts, in bf16, with recomputation, and by two processes.

All run in one thread and take turns, since a machine is never equally busy twice; a ratio is the median of the turns'.
The two processes are timed as a whole, start included, beside one process that makes the same steps.
"""

import copy
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from functools import partial

import torch

from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.train import backward_in_parts, recomputed
from tests.bench import turns

SECONDS, TURNS = 20, 7
TARGETS = "8 parts 1.3 times the time or less, recomputation 1.4 times or less; bf16 only where the processor has it"
RUN = "--steps 300 --batch-size 32 --context 64 --layers 2 --channels 64 --save-every 300"


def main():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print(f"{turns.machine()} Wanted: {TARGETS}.")
    steps()
    torch.set_num_threads(threads)
    processes()


def steps():
    """Forward and backward of 32 texts, by a GPT of eight blocks."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary_size=100, context=64, layers=8, heads=4, channels=64)).to(turns.DEVICE)
    x, y = torch.randint(100, (2, 32, 64), device=turns.DEVICE)
    again = copy.deepcopy(model)
    for block in again.blocks:
        block.forward = recomputed(block.forward)
    ways = {
        "as it is": partial(backward_in_parts, model, x, y),
        "in 8 parts": partial(backward_in_parts, model, x, y, 8),
        "bf16": partial(backward_in_parts, model, x, y, 1, True),
        "recomputed": partial(backward_in_parts, again, x, y),
    }
    for way in ways.values():
        way()  # the first time is never like the others
    measured = turns.take_turns({name: partial(turns.seconds, way) for name, way in ways.items()}, SECONDS, TURNS)
    whole = measured["as it is"]
    print(f"\nA training step, 8 blocks of 64, 32 x 64 tokens      ms    time   middle half of {len(whole)} turns")
    for name, column in measured.items():
        low, middle, high = statistics.quantiles(one / other for one, other in zip(column, whole, strict=True))
        print(f"  {name:<46}  {1000 * statistics.median(column):>6.0f}  {middle:>6.2f}   {low:.2f} to {high:.2f}")


def processes():
    """300 steps by one process and by two, each of them with one thread."""
    two = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    with tempfile.TemporaryDirectory() as folder:
        taken = {name: turns.seconds(partial(train, folder, name, how)) for name, how in (("one", []), ("two", two))}
    print(
        f"\n300 steps of 32 x 64 tokens, the start included: one process {taken['one']:.0f} s, two {taken['two']:.0f} s"
    )


def train(folder, name, launcher):
    command = [sys.executable, *launcher, "-m", "bmcourse.train", *RUN.split(), "--checkpoint", f"{folder}/{name}"]
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    subprocess.run(command, env=environment, check=True, capture_output=True)
