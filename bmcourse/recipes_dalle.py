"""The DALL-E that comes with the course: how it is read, and the recipe (配方) it was trained by.

`python -m bmcourse recipes dalle` trains it again: about five minutes on one core.
"""

from dataclasses import asdict

import torch

from bmcourse import data
from bmcourse.models.cnn import CNN
from bmcourse.models.dalle import DALLE, DALLEConfig
from bmcourse.recipes import FOLDER, progress, read_model, write_model
from bmcourse.text_to_image import (
    chance,
    score,
    seen_digits,
    start_codebook,
    terciles,
    train_dalle,
    train_judge,
    train_vqvae,
)

SHAPE = {"codes": 64, "code_channels": 8, "hidden": 48, "layers": 3, "heads": 4, "channels": 64, "dropout": 0.05}
RECIPE = {"seed": 0, "copies": 15, "vqvae_steps": 1200, "steps": 2500, "lr": 3e-3, "batch_size": 64, "dropped": 0.1}


def load_dalle(folder=FOLDER):
    """The course's DALL-E and the judge of its images, both in eval mode.

    Raises FileNotFoundError and ValueError as recipes.read_model does.
    """

    def make(about, weights):
        with torch.device("meta"):  # no memory, and no random numbers: the weights come from the file
            both = torch.nn.ModuleDict({"model": DALLE(DALLEConfig(**about["shape"])), "judge": CNN()})
        both.load_state_dict(weights, assign=True)
        return both["model"].eval(), both["judge"].eval()

    return read_model("dalle", "DALL-E", folder, make)


def follow_recipe(digits, shape, recipe, report):
    """A new DALL-E of `shape` (DALLEConfig's fields) trained by `recipe`, and a judge: both in eval mode.

    `report(step, loss)` after each step of the GPT.
    """
    torch.manual_seed(recipe["seed"])
    generator = torch.Generator().manual_seed(recipe["seed"])
    images, labels = digits.train_images, digits.train_labels
    judge, model = train_judge(images, labels, generator), DALLE(DALLEConfig(**shape))
    seen = seen_digits(images, labels, terciles(images, labels), recipe["copies"], generator)
    start_codebook(model.vqvae, seen.images, generator)
    train_vqvae(model.vqvae, seen.images, generator, recipe["vqvae_steps"])
    settings = {name: recipe[name] for name in ("steps", "lr", "batch_size", "dropped")}
    train_dalle(model, seen, generator, **settings, report=report)
    return model, judge


def measure(model, judge, digits):
    """How often images for held-out captions are right, real digits as a control, and how well the judge judges."""
    limits = terciles(digits.train_images, digits.train_labels)
    with torch.no_grad():
        named = judge(digits.validation_images).argmax(dim=1)
    return {
        "held_out": score(model, judge, limits, torch.Generator().manual_seed(0)),
        "real_digits": chance(digits.validation_images, digits.validation_labels, judge, limits),
        "judge_accuracy": (named == digits.validation_labels).float().mean().item(),
    }


def save(model, judge, digits, recipe, folder):
    """Write the DALL-E and its judge, and beside them all that was needed to make them and what they reach."""

    def describe():
        return {
            "made_by": "python -m bmcourse recipes dalle",
            "shape": asdict(model.config),
            "recipe": recipe,
            "measured": measure(model, judge, digits),
        }

    both = torch.nn.ModuleDict({"model": model, "judge": judge})
    return write_model("dalle", both, describe, folder)["measured"]


def make_dalle():
    """Train the course's DALL-E and put it in data/; print how far it is."""
    torch.set_num_threads(1)  # on all cores a run this small is slower as soon as anything else works
    digits, report = data.digits(), progress(RECIPE["steps"])
    print("First the judge and the VQ-VAE.", flush=True)
    model, judge = follow_recipe(digits, SHAPE, RECIPE, report)
    print("In data/dalle.safetensors now:", save(model, judge, digits, RECIPE, FOLDER))
