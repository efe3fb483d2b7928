"""What stands around the training loop: evaluation, the learning rate's schedule, clipping, checkpoints."""

import json
import math
import os
import pathlib

import torch
import torch.nn.functional as F

from bmcourse.data import get_batch
from bmcourse.optimizers import AdamW, Muon


@torch.no_grad()
def evaluate(model, ids, context, batch_size=64):
    """Mean cross-entropy of `model` on all of `ids` (T,), in nats a token, over windows that do not overlap.

    Dropout is off meanwhile, and the model is put back in the mode it was in.
    """
    windows = (len(ids) - 1) // context
    inputs = ids[: windows * context].view(windows, context)
    targets = ids[1 : windows * context + 1].view(windows, context)
    was_training = model.training
    model.eval()
    total = 0.0
    for x, y in zip(inputs.split(batch_size), targets.split(batch_size), strict=True):
        total += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
    model.train(was_training)
    return total / targets.numel()


def warmup_cosine(step, steps, warmup, floor=0.1):
    """The share of the peak learning rate to use at `step` of `steps`: a straight climb, then half a cosine down.

    Reaches 1 at step `warmup` and `floor` at the last step. Steps count from 1.
    Source: Loshchilov and Hutter, "SGDR", 2017, section 3, with the warm-up of Goyal et al., 2017, section 2.2.
    """
    if step < warmup:
        return step / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2


def clip_gradients(parameters, largest):
    """Shorten all gradients together so that their norm is at most `largest`; returns the norm they had.

    Source: Pascanu et al., "On the difficulty of training recurrent neural networks", 2013, section 3.2.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    if norm > largest:
        for g in gradients:
            g.mul_(largest / norm)
    return norm


def train(model, ids, steps, lr, batch_size=16, seed=0, schedule=None, largest=None):
    """The whole loop in one call, with AdamW: trains `model` on `ids` (T,) and returns the loss of every step.

    `seed` chooses the batches, `schedule(step)` scales the learning rate, `largest` clips the gradients' norm.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    losses = []
    for step in range(1, steps + 1):
        x, y = get_batch(ids, batch_size, model.config.context, generator)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        if largest:
            clip_gradients(model.parameters(), largest)
        if schedule:
            optimizer.param_groups[0]["lr"] = lr * schedule(step)
        optimizer.step()
        losses.append(loss.item())
    return losses


def minimise(model, loss, steps, lr):
    """Train `model` with Adam on what `loss()` gives, a new number at each step; returns them all."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


def minimise_with_muon(
    model, matrices, loss, steps, muon_lr, adamw_lr, warmup, largest_gradient, report, momentum=0.95
):
    """Train `model` on what `loss()` gives: as in lesson 07, Muon moves `matrices` and AdamW all else.

    `matrices` are parameters of the model; `report(step, loss)` comes after every step. Where there are few steps,
    Muon does better with less momentum.
    """
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    muon = Muon(matrices, muon_lr, momentum, dtype=torch.float32)
    optimizers = [(muon, muon_lr), (AdamW(others, adamw_lr), adamw_lr)]
    for step in range(1, steps + 1):
        value = loss()
        model.zero_grad()
        value.backward()
        clip_gradients(model.parameters(), largest_gradient)
        for optimizer, lr in optimizers:
            optimizer.param_groups[0]["lr"] = lr * warmup_cosine(step, steps, warmup)
            optimizer.step()
        report(step, value.item())


def save_checkpoint(path, model, optimizer, step, generator):
    """Write all that a run needs to go on bit for bit, `generator` and torch's own random state (dropout) included.

    It is one safetensors file with JSON in its header: reading it executes nothing.
    Written beside `path` first and moved there when it is whole, so a crash leaves the old checkpoint as it was.
    """
    from safetensors.torch import save_file

    state = optimizer.state_dict()
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    plain = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if torch.is_tensor(value):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                plain[f"{index}.{name}"] = value
    tensors |= {"random.batches": generator.get_state(), "random.torch": torch.get_rng_state()}
    tensors |= {f"random.cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    header = {"step": step, "groups": state["param_groups"], "plain": plain}
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}  # tied ones too
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    save_file(tensors, unfinished, metadata={"bmcourse": json.dumps(header)})
    os.replace(unfinished, path)


def load_checkpoint(path, model, optimizer, generator):
    """Put a checkpoint back into `model`, `optimizer` and `generator`; returns the step it was made after.

    Nothing is changed unless all of it fits. Raises FileNotFoundError, or ValueError for a file that is cut short, is
    no checkpoint of the course (a pickle is refused, never executed), or was made with another shape of model.
    """
    tensors, header = _read_checkpoint(pathlib.Path(path))
    weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    _check_shapes(path, weights, model.state_dict())
    state = {}
    for name, value in header["plain"].items():
        index, field = name.split(".", 1)
        state.setdefault(int(index), {})[field] = value
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".", 2)
            state.setdefault(int(index), {})[field] = tensor
    try:
        optimizer.load_state_dict({"state": state, "param_groups": header["groups"]})
    except ValueError as error:
        raise ValueError(
            f"{pathlib.Path(path).name!r} was saved with another optimizer ({error}). Make the optimizer as it was."
        ) from None
    model.load_state_dict(weights)
    generator.set_state(tensors["random.batches"])
    torch.set_rng_state(tensors["random.torch"])
    for device in range(torch.cuda.device_count()):
        if f"random.cuda.{device}" in tensors:
            torch.cuda.set_rng_state(tensors[f"random.cuda.{device}"], device)
    return header["step"]


def _read_checkpoint(path):
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint {path.name!r}. Train first, or check the path.")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["bmcourse"])
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path.name!r} is not a whole checkpoint of this course ({error}). It may be cut short, or "
            f"another kind of file; nothing of it was loaded. Use an earlier checkpoint."
        ) from None


def _check_shapes(path, weights, expected):
    for name in sorted(weights.keys() | expected.keys()):
        came, wanted = (tuple(d[name].shape) if name in d else "nothing" for d in (weights, expected))
        if came != wanted:
            raise ValueError(
                f"{pathlib.Path(path).name!r} is of another model: {name} is {came} there and {wanted} "
                f"here. Make the model with the shape it was saved with."
            )
