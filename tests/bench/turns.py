"""What the benchmarks of torch code share: the machine they are on, a clock, and the taking of turns."""

import os
import sys
import time

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def machine():
    """The machine in words."""
    threads = f"{torch.get_num_threads()} thread(s), OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    return f"torch {torch.__version__} on {DEVICE}, {os.cpu_count()} cores, {threads}{load}."


def seconds(work):
    """Seconds that `work()` takes, to the end of what it gave a GPU to do."""
    wait()
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start


def wait():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def take_turns(contestants, least_seconds, least_turns):
    """{name: what it measured in each turn} of functions that measure something, for so long and at least so often."""
    measured, start, turn = {name: [] for name in contestants}, time.perf_counter(), 0
    while turn < least_turns or time.perf_counter() - start < least_seconds:
        turn += 1
        progress(f"turn {turn}, {time.perf_counter() - start:.0f} of about {least_seconds} s")
        for name, measure in contestants.items():
            measured[name].append(measure())
    return measured


def progress(text):
    if sys.stdout.isatty():
        print(f"  {text}", end="\r", flush=True)
