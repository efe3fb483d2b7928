"""The course's GPT trained by one process or by many, each on its own rows of every batch: data-parallel (数据并行).

    python -m bmcourse.train --data my_text.txt --steps 500
    python -m torch.distributed.run --nproc-per-node 2 -m bmcourse.train --data my_text.txt --steps 500

Every process draws the same batch and works on its share of the rows; then all average their gradients (all-reduce) and
make the same step. So any number of processes trains the same model, but for rounding. Each has the whole model (DDP),
or with --fsdp only its share of weights, gradients and optimizer, and borrows a block's weights while it needs them.
The processes talk through NCCL where there are GPUs, and through gloo where there are none. One process alone takes a
GPU, Apple's too (MPS), where there is one. --samples lets the model write a little at each checkpoint: hear it learn.
Sources: Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", 2020; Zhao et al.,
"PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel", 2023.
"""

import argparse
import contextlib
import os
import pathlib
import signal
import sys
import time
from types import SimpleNamespace

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from bmcourse import data
from bmcourse.inference import generate
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.tokenizer import CharacterTokenizer
from bmcourse.training import evaluate, load_checkpoint, save_checkpoint, warmup_cosine

NUMBERS = {
    "steps": (500, "steps of the optimizer"),
    "batch-size": (32, "texts in a batch, over all processes"),
    "accumulate": (1, "parts that each process makes of its rows, one after the other: less memory"),
    "context": (64, "tokens in a text"),
    "layers": (2, "blocks"),
    "heads": (4, "heads of each block"),
    "channels": (64, "numbers that stand for a token"),
    "save-every": (100, "steps between checkpoints"),
}


def main(argv=None):
    """Train as the arguments say. Returns 0, or 1 after a sentence about what is wrong."""
    try:
        run(parser().parse_args(argv), join())
        return 0
    except (ValueError, OSError) as error:
        if isinstance(error, ConnectionError) or os.environ.get("RANK", "0") == "0":
            print(error, file=sys.stderr, flush=True)
        return 1
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def parser():
    flags = argparse.ArgumentParser("python -m bmcourse.train", description="Train a GPT on a text, data-parallel.")
    flags.add_argument("--data", help="a text file in UTF-8; without it, Python's own documentation")
    for name, (default, phrase) in NUMBERS.items():
        flags.add_argument(f"--{name}", type=int, default=default, help=f"{phrase} ({default})")
    flags.add_argument("--lr", type=float, default=3e-3, help="the peak learning rate of AdamW (0.003)")
    flags.add_argument("--seed", type=int, default=0, help="of the first weights and of the batches (0)")
    flags.add_argument("--checkpoint", default="checkpoint.safetensors", help="file (checkpoint.safetensors)")
    flags.add_argument("--resume", action="store_true", help="go on from the checkpoint, with the flags of then")
    flags.add_argument("--samples", type=int, default=0, help="characters to write at each checkpoint (0)")
    flags.add_argument("--bf16", action="store_true", help="matrix products in bf16, weights in fp32")
    flags.add_argument("--compile", action="store_true", help="torch.compile: pays on a GPU, for large models")
    flags.add_argument("--recompute", action="store_true", help="activation checkpointing: keep blocks' inputs only")
    flags.add_argument("--fsdp", action="store_true", help="share out weights, gradients and optimizer (FSDP2)")
    return flags


def join():
    """Meet the other processes that torch.distributed.run started, if it did; returns this process's device.

    A CUDA GPU of its own where the machine has GPUs; else, for a process alone, Apple's (MPS); else the processor.
    """
    local, gpus = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if gpus and local >= gpus:
        raise ValueError(f"Process {local} has no GPU: this machine has {gpus}. Use --nproc-per-node {gpus}.")
    if gpus:
        torch.cuda.set_device(local)
    else:
        torch.set_num_threads(1)  # more processes use more cores; threads that wait for each other only cost
    if "RANK" in os.environ:
        signal.signal(signal.SIGTERM, _told_to_end)
        dist.init_process_group("nccl" if gpus else "gloo")
    if gpus:
        return torch.device("cuda", local)
    alone = "RANK" not in os.environ  # gloo shares tensors of the processor only
    return torch.device("mps" if alone and torch.backends.mps.is_available() else "cpu")


def _told_to_end(*_):
    raise RuntimeError("told to end, as another process ended")


def run(settings, device):
    """The whole run. Raises ValueError for settings that do not fit, and ConnectionError when a process is lost."""
    rank, processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    text = data.text_file(settings.data) if settings.data else data.python_docs()
    check(settings, processes, text)
    tokenizer = CharacterTokenizer(text.train)
    ids = torch.tensor(tokenizer.encode(text.train))
    unread = torch.tensor(tokenizer.encode(text.validation, errors="replace"), device=device)
    generator = torch.Generator().manual_seed(settings.seed)
    gpt, model, optimizer, first = start(settings, tokenizer.vocabulary_size, generator, device)
    began, step, saved = time.monotonic(), first, first
    try:
        for step in range(first + 1, settings.steps + 1):
            x, y = data.get_batch(ids, settings.batch_size, settings.context, generator)
            own = (rows.chunk(processes)[rank].to(device) for rows in (x, y))
            loss = one_step(settings, model, optimizer, step, *own)
            if step % max(1, settings.steps // 20) == 0 and rank == 0:
                left = (time.monotonic() - began) / (step - first) * (settings.steps - step) / 60
                print(f"step {step} of {settings.steps}: loss {loss:.3f}, {left:.1f} minutes left", flush=True)
            if step % settings.save_every == 0 or step == settings.steps:
                save(settings.checkpoint, gpt, optimizer, step, generator, rank)
                saved = step
                if settings.samples:
                    sample = tokenizer.decode(written(gpt, unread[:16], settings.samples, settings.seed))
                    if rank == 0:
                        print(f"--- after step {step} it writes:\n{sample}\n---", flush=True)
    except RuntimeError as error:
        if processes == 1:
            raise
        reason = str(error).partition("\n")[0]
        advice = f"Start the same command with --resume: {settings.checkpoint!r} is of step {saved}."
        raise ConnectionError(
            f"Process {rank} of {processes} stopped in step {step}: another one was lost, or this one failed "
            f"({reason}). {advice if saved else 'There is no checkpoint yet.'}"
        ) from error
    loss = evaluate(gpt, unread, settings.context)
    if rank == 0:
        print(f"{loss:.3f} nats a token on text it has not read; {settings.checkpoint!r} is of step {step}", flush=True)


def check(settings, processes, text):
    for name in NUMBERS:
        if (value := getattr(settings, name.replace("-", "_"))) < 1:
            raise ValueError(f"--{name} is {value}; 1 or more was expected.")
    if settings.samples < 0:
        raise ValueError(f"--samples is {settings.samples}; 0 characters or more were expected.")
    parts = processes * settings.accumulate
    if settings.batch_size % parts:
        raise ValueError(
            f"A batch of {settings.batch_size} texts does not divide by {processes} process(es), {settings.accumulate} "
            f"part(s) each: not every text would weigh the same. Make --batch-size a multiple of {parts}."
        )
    if len(text.validation) <= settings.context:
        raise ValueError(f"{text.name!r} leaves {len(text.validation)} characters to validate; make --context smaller.")
    if settings.fsdp and not dist.is_initialized():
        raise ValueError("--fsdp shares the model among processes: start them with python -m torch.distributed.run.")
    if pathlib.Path(settings.checkpoint).exists() and not settings.resume:
        raise ValueError(
            f"{settings.checkpoint!r} is there: go on from it with --resume, or name another --checkpoint."
        )


def start(settings, vocabulary_size, generator, device):
    """The GPT, the same as the processes share it, its optimizer, and the step they have reached."""
    torch.manual_seed(settings.seed)  # the same first weights in every process
    shape = (settings.context, settings.layers, settings.heads, settings.channels)
    gpt = model = GPT(GPTConfig(vocabulary_size, *shape)).to(device)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=settings.lr)
    step = load_checkpoint(settings.checkpoint, gpt, optimizer, generator) if settings.resume else 0
    if settings.recompute:
        for block in gpt.blocks:
            block.forward = recomputed(block.forward)
    if settings.compile:
        model = torch.compile(gpt)  # `gpt` has the same weights: the checkpoints and the samples are made of it
    if settings.fsdp:
        optimizer = share_out(gpt, optimizer)
    elif dist.is_initialized():
        model = DistributedDataParallel(model)
    return gpt, model, optimizer, step


def recomputed(forward):
    """`forward` that keeps its input alone, and is computed once more for the backward pass (Chen et al., 2016)."""
    return lambda x: checkpoint(forward, x, use_reentrant=False)


def share_out(gpt, optimizer):
    """Leave each process its share of every tensor of the model and the optimizer; returns the shares' optimizer."""
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import distribute_tensor

    whole = list(gpt.parameters())
    mesh = dist.init_device_mesh(whole[0].device.type, (dist.get_world_size(),))
    for part in (*gpt.blocks, gpt):
        fully_shard(part, mesh=mesh)
    shares = torch.optim.AdamW(gpt.parameters(), lr=optimizer.param_groups[0]["lr"])
    for old, new in zip(whole, gpt.parameters(), strict=True):
        state = optimizer.state[old].items()
        shares.state[new] = {k: distribute_tensor(v, mesh, new.placements) if v.ndim else v for k, v in state}
    return shares


def one_step(settings, model, optimizer, step, x, y):
    """One step on this process's rows x, y (B, T); returns the mean loss of all processes."""
    optimizer.zero_grad()
    loss = backward_in_parts(model, x, y, settings.accumulate, settings.bf16)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    share = warmup_cosine(step, settings.steps, warmup=settings.steps // 10)
    optimizer.param_groups[0]["lr"] = settings.lr * share
    optimizer.step()
    if dist.is_initialized():
        dist.all_reduce(loss)
        loss /= dist.get_world_size()
    return loss


def backward_in_parts(model, x, y, parts=1, bf16=False):
    """Leave in the model the gradient of the mean loss on x, y (B, T), made in `parts`; returns that loss.

    The gradients of all processes are averaged once, with the last part.
    """
    total = 0.0
    for number, (part_x, part_y) in enumerate(zip(x.chunk(parts), y.chunk(parts), strict=True), start=1):
        with averaging(model, number == parts):
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
                loss = F.cross_entropy(model(part_x).flatten(0, 1), part_y.flatten()) / parts
            loss.backward()
        total += loss.detach()
    return total


def averaging(model, wanted):
    if hasattr(model, "set_requires_gradient_sync"):  # FSDP2 is switched, DDP has a context
        model.set_requires_gradient_sync(wanted)
    alone = isinstance(model, DistributedDataParallel) and not wanted
    return model.no_sync() if alone else contextlib.nullcontext()


def written(gpt, prompt, count, seed):
    """The prompt and `count` tokens that the model writes after it; its dice are its own, so that training's stay."""
    return generate(gpt, prompt, count, torch.Generator(prompt.device).manual_seed(seed))


def save(path, gpt, optimizer, step, generator, rank):
    """Every process gives its share of every tensor, and the first one writes the checkpoint."""

    def whole(state):
        if isinstance(state, dict):
            return {name: whole(value) for name, value in state.items()}
        return state.full_tensor() if hasattr(state, "full_tensor") else state

    states = [whole(thing.state_dict()) for thing in (gpt, optimizer)]
    if rank == 0:
        save_checkpoint(path, *(SimpleNamespace(state_dict=lambda s=s: s) for s in states), step, generator)


if __name__ == "__main__":
    sys.exit(main())
