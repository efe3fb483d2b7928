"""How many threads torch computes with: one, however the course is started, unless the user chose.

Threads that share a small matrix wait for each other at every operation. As soon as a browser, a second notebook or
anything else needs a core, all of them wait for the one that lost it: then 100 steps of a small GPT take 7 to 40 s with
two threads on two cores, and 1.5 s with one. One thread is never bad for models of this size.
"""

# Any Python must be able to read this file (see __main__.py).
import os
import sys

CHOICE = "OMP_NUM_THREADS"


def choose():
    """Let torch use one thread, now or once it is imported; a number that the user set stays."""
    if CHOICE in os.environ:
        return
    torch = sys.modules.get("torch")
    if torch is None:
        os.environ[CHOICE] = "1"
    elif torch.get_num_threads() in defaults():
        torch.set_num_threads(1)


def defaults():
    """The numbers torch may have chosen by itself: one for each core this process may use, or for each real core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {os.cpu_count(), cores, cores // 2}
