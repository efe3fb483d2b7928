"""Training by many processes: two real ones agree with one, a run resumes to the same bits, a lost worker is told."""

import contextlib
import multiprocessing
import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys
import time
import warnings

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from bmcourse import data, train
from bmcourse.scaling import bytes_kept

TINY = shlex.split("--steps 20 --batch-size 8 --context 8 --layers 2 --heads 2 --channels 8 --save-every 4")

forks = pytest.mark.skipif(
    sys.platform != "linux" or torch.cuda.is_available(),
    reason="forks neither survive accelerators nor exist elsewhere",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to work in, with a text of two kinds of lines, and torch's number of threads put back."""
    monkeypatch.chdir(tmp_path)
    lines = (f"{n} times {n % 7} makes {n * (n % 7)}, said the {'cat' if n % 3 else 'dog'}." for n in range(200))
    (tmp_path / "text.txt").write_text("\n".join(lines))
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def run(checkpoint, *flags):
    """Train in this process; returns main's status."""
    return train.main([*TINY, "--data", "text.txt", "--checkpoint", checkpoint, *flags])


def as_two(function, *arguments, seconds=120):
    """The exit codes of two processes that run `function`, as torch.distributed.run would have started them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_as_one, args=(rank, port, function, arguments)) for rank in range(2)]
    with warnings.catch_warnings(action="ignore"):  # Python 3.12 warns of forks beside threads; the children use none
        for child in children:
            child.start()
    for child in children:
        child.join(seconds)
        child.kill()
        child.join()
    return [child.exitcode for child in children]


def _as_one(rank, port, function, arguments):
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os._exit(function(*arguments))


def same(one, other):
    """Whether two checkpoints hold the same bits."""
    one, other = load_file(one), load_file(other)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def furthest(one, other):
    """The largest difference between the weights of two checkpoints."""
    one, other = load_file(one), load_file(other)
    return max((one[name] - other[name]).abs().max() for name in one if name.startswith("model."))


# Two processes and one.


def gradients(path, *flags):
    """Write the gradients of the first batch of a run; with two processes each works on its half."""
    device = train.join()
    flags = [*TINY, "--data", "text.txt", "--checkpoint", "none", *flags]
    settings = train.parser().parse_args(flags)
    generator = torch.Generator().manual_seed(0)
    gpt, model, _, _ = train.start(settings, 50, generator, device)
    ids = torch.randint(50, (500,), generator=generator)
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    x, y = (rows.chunk(processes)[rank].to(device) for rows in data.get_batch(ids, 8, 8, generator))
    train.backward_in_parts(model, x, y, settings.accumulate)
    whole = {name: p.grad.full_tensor() if settings.fsdp else p.grad for name, p in gpt.named_parameters()}
    if rank == 0:
        save_file(whole, path)
    return 0


@forks
@pytest.mark.parametrize("flags", [[], ["--accumulate", "2", "--recompute"], ["--fsdp", "--accumulate", "2"]], ids=str)
def test_two_processes_have_the_gradients_of_one(flags):
    import torch.distributed.fsdp  # here, so that the two need not

    gradients("one")
    assert as_two(gradients, "two", *flags) == [0, 0]
    one, two = load_file("one"), load_file("two")
    assert one.keys() == two.keys()
    assert max(gradient.abs().max() for gradient in one.values()) > 0.01
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=1e-5, rtol=0)


@forks
def test_a_run_shared_out_is_the_run_of_one_and_resumes(folder):
    import torch.distributed.fsdp  # noqa: F401

    assert run("one") == 0
    assert as_two(run, "two", "--fsdp", "--recompute") == [0, 0]
    assert furthest("one", "two") < 1e-3
    interrupted_at(14, "half")
    assert as_two(run, "half", "--fsdp", "--resume") == [0, 0]
    assert furthest("one", "half") < 1e-3


@forks
def test_a_killed_worker_ends_the_job_and_its_checkpoint_resumes_to_the_same_bits():
    longer = ["--steps", "120", "--save-every", "10"]  # it must not end before it is killed
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "bmcourse.train"]
    job = subprocess.Popen(
        [*launcher, *TINY, *longer, "--data", "text.txt", "--checkpoint", "killed"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        _wait(lambda: os.path.exists("killed") or job.poll() is not None)
        workers = psutil.Process(job.pid).children()
        next(worker for worker in workers if worker.environ().get("RANK") == "1").kill()
        said = job.communicate(timeout=120)[1]
    finally:
        job.kill()
    assert job.returncode == 1
    assert "Process 0 of 2 stopped in step" in said
    assert "Start the same command with --resume: 'killed' is of step" in said
    assert "Signal 9 (SIGKILL) received" in said  # the launcher's own words about process 1
    assert not psutil.pid_exists(workers[0].pid)
    assert as_two(run, "killed", *longer, "--resume") == [0, 0]
    assert as_two(run, "straight", *longer) == [0, 0]
    assert same("killed", "straight")


def _wait(condition):
    """Wait until it is true; an assertion after two minutes."""
    for _ in range(12_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("nothing came in two minutes")


# One process.


def interrupted_at(step, checkpoint, *flags):
    """A run that a person interrupts in that step."""
    with pytest.MonkeyPatch.context() as patch:
        real = train.one_step

        def one_step(settings, model, optimizer, number, *batch):
            if number == step:
                raise KeyboardInterrupt
            return real(settings, model, optimizer, number, *batch)

        patch.setattr(train, "one_step", one_step)
        with pytest.raises(KeyboardInterrupt):
            run(checkpoint, *flags)


def test_it_learns_and_says_how_long_it_will_take(capsys):
    assert run("one", "--steps", "60", "--lr", "0.01") == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("step 3 of 60: loss 3.") and first.endswith(" minutes left")
    assert last.endswith("nats a token on text it has not read; 'one' is of step 60") and float(last[:5]) < 3


@pytest.mark.parametrize("flags", [[], ["--accumulate", "4", "--bf16", "--recompute"]], ids=str)
def test_a_checkpoint_resumes_to_the_same_bits(flags):
    run("straight", *flags)
    interrupted_at(14, "halted", *flags)
    assert not same("straight", "halted")
    assert run("halted", "--resume", *flags) == 0
    assert same("straight", "halted")
    assert sorted(os.listdir()) == ["halted", "straight", "text.txt"]  # and nothing that is half written


def test_what_must_not_change_the_result_does_not():
    run("plain")
    run("recomputed", "--recompute")
    run("in parts", "--accumulate", "4")
    run("bf16", "--bf16")
    assert same("plain", "recomputed")
    assert furthest("plain", "in parts") < 1e-3
    assert 0 < furthest("plain", "bf16") < 0.05


def kept(*flags):
    """The bytes that a forward pass keeps for the backward pass, weights aside."""
    settings = train.parser().parse_args([*TINY, *flags])
    gpt = train.start(settings, 50, None, torch.device("cpu"))[0]
    return bytes_kept(gpt, lambda: gpt(torch.zeros(8, 8, dtype=torch.long)).sum())


def test_recomputing_keeps_less_for_the_backward_pass():
    assert kept("--layers", "8", "--recompute") < kept("--layers", "8") / 4


# What a person may ask for.


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--data", "no.txt"], "There is no file 'no.txt'. Give the path of a text file"),
        (["--batch-size", "9", "--accumulate", "2"], "A batch of 9 texts does not divide by 1 process(es), 2 part(s)"),
        (["--steps", "0"], "--steps is 0; 1 or more was expected."),
        (["--save-every", "-1"], "--save-every is -1; 1 or more was expected."),
        (["--samples", "-1"], "--samples is -1; 0 characters or more were expected."),
        (["--heads", "3"], "8 channels cannot be shared evenly by 3 heads"),
        (["--context", "5000"], "characters to validate; make --context smaller."),
        (["--fsdp"], "--fsdp shares the model among processes: start them with python -m torch.distributed.run."),
        (["--resume"], "There is no checkpoint 'new'. Train first"),
    ],
)
def test_what_cannot_be_done_is_said(flags, message, capsys):
    assert run("new", *flags) == 1
    assert message in capsys.readouterr().err
    assert not os.path.exists("new")


def test_a_checkpoint_is_never_written_over_and_never_of_another_shape(capsys):
    run("one")
    before = pathlib.Path("one").read_bytes()
    for flags, message in (
        ([], "'one' is there: go on from it with --resume, or name another --checkpoint."),
        (["--resume", "--channels", "16"], "'one' is of another model:"),
        (["--resume", "--layers", "3"], "'one' is of another model:"),
    ):
        assert run("one", *flags) == 1
        assert message in capsys.readouterr().err
    assert pathlib.Path("one").read_bytes() == before


def _error_of_rank(path):
    with open(f"{path}{os.environ['RANK']}", "w") as file, contextlib.redirect_stderr(file):
        return run("new", "--batch-size", "7")


@forks
def test_an_error_of_all_is_said_once():
    assert as_two(_error_of_rank, "said") == [1, 1]
    said = [pathlib.Path(f"said{rank}").read_text() for rank in range(2)]
    assert "A batch of 7 texts does not divide by 2 process(es), 1 part(s) each" in said[0]
    assert said[1] == ""


def test_more_processes_than_gpus(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert run("new") == 1
    assert "Process 1 has no GPU: this machine has 1. Use --nproc-per-node 1." in capsys.readouterr().err


# What it writes, and where it runs.


def test_samples_are_written_at_each_checkpoint_and_change_no_bit(capsys):
    run("silent")
    silent = capsys.readouterr().out
    assert run("one", "--samples", "30") == 0
    said = capsys.readouterr().out
    assert same("silent", "one")
    samples = re.findall(r"--- after step (\d+) it writes:\n(.*?)\n---\n", said, re.S)
    assert [int(step) for step, _ in samples] == [4, 8, 12, 16, 20]
    prompt = data.text_file("text.txt").validation[:16]
    assert all(text.startswith(prompt) and len(text) == 46 for _, text in samples)
    assert "it writes" not in silent


@forks
def test_two_processes_write_one_sample(folder):
    import torch.distributed.fsdp  # noqa: F401

    assert as_two(_told_to, "said", "--fsdp", "--samples", "20") == [0, 0]
    said = [pathlib.Path(f"said{rank}").read_text() for rank in range(2)]
    assert said[0].count("it writes") == 5
    assert said[1] == ""


def _told_to(path, *flags):
    with open(f"{path}{os.environ['RANK']}", "w") as file, contextlib.redirect_stdout(file):
        return run("shared", *flags)


@pytest.mark.parametrize(
    "gpus, apple, started_by_launcher, expected",
    [(2, True, False, "cuda:0"), (0, True, False, "mps"), (0, False, False, "cpu"), (0, True, True, "cpu")],
)
def test_the_device_is_the_best_there_is(gpus, apple, started_by_launcher, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)
    if started_by_launcher:
        monkeypatch.setenv("RANK", "0")
        monkeypatch.setattr(train.dist, "init_process_group", lambda backend: None)
        monkeypatch.setattr(train.signal, "signal", lambda *_: None)
    assert str(train.join()) == expected


def test_compile_compiles_the_model_and_the_checkpoint_is_the_plain_ones(monkeypatch):
    compiled = []

    def stand_in(gpt):
        compiled.append(gpt)
        return Compiled(gpt)

    monkeypatch.setattr(torch, "compile", stand_in)
    run("plain")
    assert not compiled
    run("compiled", "--compile")
    assert len(compiled) == 1 and same("plain", "compiled")


class Compiled(torch.nn.Module):
    """What torch.compile returns: a module with the model inside it, and so other names for the weights."""

    def __init__(self, gpt):
        super().__init__()
        self.inside = gpt

    def forward(self, x):
        return self.inside(x)
