"""Torch computes with one thread however the course is started, unless the user chose another number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("code", "variable", "threads"),
    [
        ("import torch, bmcourse", None, 1),
        ("import bmcourse, torch", None, 1),
        ("import torch; torch.set_num_threads(37); import bmcourse", None, 37),
        ("import bmcourse, torch; torch.set_num_threads(2)", None, 2),
        ("import torch, bmcourse", "2", 2),
        ("import bmcourse, torch", "2", 2),
    ],
)
def test_one_thread_unless_the_user_chose(code, variable, threads):
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    env |= {"OMP_NUM_THREADS": variable} if variable else {}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(torch.get_num_threads())"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) == threads
