"""The fast recipe: how a small GPT reaches a given loss soonest on a processor, one ingredient after the other.

The 1× is nanoGPT's set-up for a processor. Source: Karpathy, "nanoGPT", README, 2023.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from bmcourse.data import get_batch
from bmcourse.models.fast_gpt import FastGPT, FastGPTConfig
from bmcourse.optimizers import Muon


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; as it stands here, nanoGPT's way. The embeddings have a learning rate of their own.

    The learning rates climb for `warmup` steps. With `cosine` they then fall along half a cosine to a tenth; without,
    they stay until `decay` of the steps is left, and fall in a straight line to 0. `largest` is the gradient's largest
    norm (0: any). A `muon_lr` above 0 gives the blocks' matrices to Muon, with `momentum`.
    """

    steps: int = 2000
    batch_size: int = 12
    lr: float = 1e-3
    embedding_lr: float = 1e-3
    betas: tuple = (0.9, 0.99)
    weight_decay: float = 0.1
    largest: float = 1.0
    warmup: int = 100
    cosine: bool = True
    decay: float = 1.0
    muon_lr: float = 0.0
    momentum: float = 0.95
    eps: float = 1e-8  # smaller where gradients are: rare n-grams' rows


def nanogpt(vocabulary_size):
    """nanoGPT's model for a processor, and its recipe: 4 blocks of 128 channels, 2,000 steps of 12 × 64 characters."""
    off = {"rotary": False, "norm": "weighted", "activation": "gelu", "zero_outputs": False, "zero_head": False}
    return FastGPTConfig(vocabulary_size, **off), Recipe()


def fast_recipe(steps, **more):
    """What both fast recipes share: large learning rates at once, then to 0; nothing that holds a short run back."""
    return Recipe(steps, betas=(0.8, 0.95), weight_decay=0.0, largest=0.0, warmup=5, cosine=False, decay=0.5, **more)


def same_shape(vocabulary_size):
    """nanoGPT's shape, 4 blocks of 128 channels and no n-gram input, with the ingredients that pay there.

    Muon's own work is that of half a step, however large the batch: larger batches and fewer steps pay with it.
    """
    muon = {"muon_lr": 0.015, "momentum": 0.8}  # of 200 steps, a momentum of 0.95 would average over a tenth
    recipe = fast_recipe(200, batch_size=16, lr=1e-2, embedding_lr=2e-2, **muon)
    return FastGPTConfig(vocabulary_size, qk_norm=True, shift=True), recipe


def free_shape(vocabulary_size):
    """The shape that gets there soonest: one block, fed with n-grams of one, two and three characters."""
    ingredients = {"qk_norm": True, "shift": True, "previous": 1, "trigrams": 16_381}
    recipe = fast_recipe(300, lr=3e-3, embedding_lr=1e-2, eps=1e-10)
    return FastGPTConfig(vocabulary_size, layers=1, heads=3, channels=96, **ingredients), recipe


# ---------------------------------------------------------------- training


def train_fast(config, recipe, ids, seed=0, report=None):
    """A FastGPT of `config` trained on `ids` (T,) by `recipe`; `report(step, model, loss)` comes after every step."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = FastGPT(config)
    optimizers = make_optimizers(model, recipe)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    peaks = [group["lr"] for group in groups]
    for step in range(1, recipe.steps + 1):
        x, y = get_batch(ids, recipe.batch_size, config.context, generator)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        if recipe.largest:
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.largest)
        for group, peak in zip(groups, peaks, strict=True):
            group["lr"] = peak * share_of_lr(recipe, step)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
        if report:
            report(step, model, loss)
    return model


def share_of_lr(recipe, step):
    """The share of its learning rates that a recipe uses at `step`, counted from 1."""
    if step <= recipe.warmup:
        return step / recipe.warmup
    if recipe.cosine:
        progress = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
        return 0.1 + 0.45 * (1 + math.cos(math.pi * progress))
    return min(1.0, (recipe.steps - step + 1) / (recipe.decay * recipe.steps))


def make_optimizers(model, recipe):
    """A recipe's optimizers: AdamW for all, or Muon for the blocks' matrices and AdamW for all else.

    It is torch's AdamW: `fused` makes the whole step in one call, and at this size calls cost more than sums.
    """
    blocks = [p for p in model.blocks.parameters() if p.ndim == 2]
    head = [model.head.weight] if model.config.zero_head else []
    vectors = [p for p in model.parameters() if p.ndim == 1]
    embeddings = [p for p in model.parameters() if all(p is not other for other in blocks + head + vectors)]
    groups = [
        {"params": embeddings, "lr": recipe.embedding_lr},
        {"params": vectors, "lr": recipe.lr, "weight_decay": 0.0},
        {"params": head + ([] if recipe.muon_lr else blocks), "lr": recipe.lr},
    ]
    groups = [group for group in groups if group["params"]]
    optimizers = [torch.optim.AdamW(groups, recipe.lr, recipe.betas, recipe.eps, recipe.weight_decay, fused=True)]
    if recipe.muon_lr:
        settings = recipe.muon_lr, recipe.momentum, recipe.weight_decay
        optimizers.append(Muon(blocks, *settings, dtype=torch.float32))
    return optimizers


# ---------------------------------------------------------------- the ingredients


def ingredients(config, recipe):
    """(name, config, recipe) of each stage from `config` and `recipe` on, every one with one ingredient more."""
    yield "nanoGPT's way", config, recipe
    for name, changes in INGREDIENTS:
        shape = {field: value for field, value in changes.items() if hasattr(config, field)}
        config = replace(config, **shape)
        recipe = replace(recipe, **{field: changes[field] for field in changes.keys() - shape.keys()})
        yield name, config, recipe


INGREDIENTS = (
    ("rotary positions", {"rotary": True}),
    ("norms without weights", {"norm": "plain"}),
    ("ReLU squared", {"activation": "relu2"}),
    ("outputs start at 0", {"zero_outputs": True}),
    ("a head of its own, from 0", {"zero_head": True}),
    ("no clipping, no weight decay", {"largest": 0.0, "weight_decay": 0.0}),
    ("larger learning rates, betas (0.8, 0.95)", {"lr": 3e-3, "embedding_lr": 1e-2, "betas": (0.8, 0.95)}),
    ("five steps of warm-up, then constant, then to 0", {"warmup": 5, "cosine": False, "decay": 0.5}),
    ("QK-norm", {"qk_norm": True}),
    ("attention reads the position before, too", {"shift": True}),
    ("Muon for the blocks' matrices", {"muon_lr": 0.015, "momentum": 0.8}),
    ("an n-gram input: the character before", {"previous": 1}),
    ("and three characters at once", {"trigrams": 4093}),
)
