"""The models that come with the course: how they are read and written; and the recipe (配方) of the GPT.

`python -m bmcourse recipes` trains the GPT again: about six minutes on one core.
"""

import json
import math
import pathlib
import platform
import time
from dataclasses import asdict

import torch
import torch.nn.functional as F

from bmcourse import data
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.tokenizer import BytePairTokenizer
from bmcourse.training import evaluate, minimise_with_muon

FOLDER = pathlib.Path(__file__).parents[1] / "data"
SHAPE = {"context": 128, "layers": 4, "heads": 4, "channels": 128, "dropout": 0.1}
RECIPE = {
    "seed": 0,
    "vocabulary_size": 1024,
    "steps": 1200,
    "batch_size": 8,
    "muon_lr": 0.02,
    "adamw_lr": 2e-3,
    "warmup": 100,
    "largest_gradient": 1.0,
}


def read_model(name, title, folder, make):
    """What `make(about, weights)` makes of a model's two files: its JSON, and its weights by name, in 32 bits.

    Reading the files executes nothing. Raises FileNotFoundError when one is missing, and ValueError when they are
    damaged or do not belong together: when `make` cannot use them.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        about = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        weights = load((folder / f"{name}.safetensors").read_bytes())
        return make(about, {key: weight.float() for key, weight in weights.items()})
    except FileNotFoundError as error:
        problem, kind = f"There is no {pathlib.Path(error.filename).name!r}", FileNotFoundError
    except (SafetensorError, RuntimeError, LookupError, TypeError, ValueError, AssertionError) as error:
        problem, kind = f"{name}.json and {name}.safetensors are damaged, or not of one model ({error})", ValueError
    advice = f"Put back both files of the course's {title}, or train it: python -m bmcourse recipes {name}"
    raise kind(f"{problem}. {advice}")


def write_model(name, model, describe, folder):
    """Write a model's weights in 16 bits, and beside them what `describe()` says of the model that the file holds."""
    from safetensors.torch import save_file

    weights = {key: weight.half() for key, weight in model.state_dict().items()}
    model.load_state_dict(weights)  # measured is what the file holds
    about = describe()
    save_file(weights, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    return about


def progress(steps):
    """A report(step, loss) that prints, every hundred steps, how far a training is and how many minutes are left."""
    start = time.monotonic()

    def report(step, loss):
        if step % 100 == 0:
            left = (time.monotonic() - start) / step * (steps - step) / 60
            print(f"step {step} of {steps}: training loss {loss:.2f}, {left:.1f} minutes left", flush=True)

    return report


# ---------------------------------------------------------------- the GPT


def load_gpt(folder=FOLDER):
    """The course's GPT, ready to answer (in eval mode), and its tokenizer.

    Raises FileNotFoundError and ValueError as read_model does.
    """

    def make(about, weights):
        with torch.device("meta"):  # no memory, and no random numbers: the weights come from the file
            model = GPT(GPTConfig(**about["shape"]))
        model.load_state_dict(weights, assign=True)
        tokenizer = BytePairTokenizer(list(map(tuple, about["merges"])))
        if tokenizer.vocabulary_size != model.config.vocabulary_size:
            raise ValueError(f"{tokenizer.vocabulary_size} tokens, but a model of {model.config.vocabulary_size}")
        return model.eval(), tokenizer

    return read_model("gpt", "GPT", folder, make)


def train_gpt(text, shape, recipe, report):
    """A new GPT of `shape` (GPTConfig's fields) trained on `text` by `recipe`, in eval mode, and its tokenizer.

    Muon moves the matrices of the blocks and AdamW all else; `report(step, model, loss)` after each step.
    """
    tokenizer = BytePairTokenizer.train(text.train, recipe["vocabulary_size"])
    ids = torch.tensor(tokenizer.encode(text.train))
    torch.manual_seed(recipe["seed"])
    generator = torch.Generator().manual_seed(recipe["seed"])
    model = GPT(GPTConfig(tokenizer.vocabulary_size, **shape))
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    settings = {name: recipe[name] for name in ("steps", "muon_lr", "adamw_lr", "warmup", "largest_gradient")}

    def loss():
        x, y = data.get_batch(ids, recipe["batch_size"], model.config.context, generator)
        return F.cross_entropy(model(x).flatten(0, 1), y.flatten())

    minimise_with_muon(model, matrices, loss, **settings, report=lambda step, loss: report(step, model, loss))
    return model.eval(), tokenizer


def measure(model, tokenizer, text):
    """How well the model predicts a text it has not read: nats a token, and bits a character.

    Bits a character compare models whose tokens differ in length.
    """
    ids = torch.tensor(tokenizer.encode(text))
    loss = evaluate(model, ids, model.config.context)
    return {"nats_a_token": loss, "bits_a_character": loss * len(ids) / len(text) / math.log(2)}


def save_gpt(model, tokenizer, text, recipe, folder):
    """Write the GPT, and beside it all that was needed to make it and what it reaches on `text`."""

    def describe():
        return {
            "made_by": "python -m bmcourse recipes",
            "text": f"{text.name} of Python {platform.python_version()}",
            "shape": asdict(model.config),
            "recipe": recipe,
            "train": measure(model, tokenizer, text.train),
            "validation": measure(model, tokenizer, text.validation),
            "merges": tokenizer.merges,
        }

    write_model("gpt", model, describe, folder)


def make_gpt():
    """Train the course's GPT and put it in data/; print how far it is."""
    torch.set_num_threads(1)  # on all cores a run this small is slower as soon as anything else works
    text, report = data.python_docs(), progress(RECIPE["steps"])
    model, tokenizer = train_gpt(text, SHAPE, RECIPE, lambda step, model, loss: report(step, loss))
    save_gpt(model, tokenizer, text, RECIPE, FOLDER)
    print("In data/gpt.safetensors now. On text it has not read:", measure(model, tokenizer, text.validation))


def main(argv):
    """Train again a model of data/, by its name, the GPT without one. Returns an exit status."""
    from bmcourse import pretraining, recipes_dalle

    recipes = {"gpt": make_gpt, "bert": pretraining.make_bert, "dalle": recipes_dalle.make_dalle}
    name = argv[0] if argv else "gpt"
    if name not in recipes:
        print(f"There is no recipe {name!r}. The recipes are: {', '.join(recipes)}.")
        return 2
    recipes[name]()
    return 0
