"""The GPT that comes with the course: how it is read, and the recipe (配方) it was trained by.

`python -m bmcourse recipes` trains it again: about six minutes on one core.
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
from bmcourse.optimizers import AdamW, Muon
from bmcourse.tokenizer import BytePairTokenizer
from bmcourse.training import clip_gradients, evaluate, warmup_cosine

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


def load_gpt(folder=FOLDER):
    """The course's GPT, ready to answer (in eval mode), and its tokenizer. Reading the files executes nothing.

    Raises FileNotFoundError when a file is missing, and ValueError when they are damaged or do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        about = json.loads((folder / "gpt.json").read_text(encoding="utf-8"))
        weights = load((folder / "gpt.safetensors").read_bytes())
        with torch.device("meta"):  # no memory, and no random numbers: the weights come from the file
            model = GPT(GPTConfig(**about["shape"]))
        model.load_state_dict({name: weight.float() for name, weight in weights.items()}, assign=True)
        tokenizer = BytePairTokenizer(list(map(tuple, about["merges"])))
        if tokenizer.vocabulary_size != model.config.vocabulary_size:
            raise ValueError(f"{tokenizer.vocabulary_size} tokens, but a model of {model.config.vocabulary_size}")
        return model.eval(), tokenizer
    except FileNotFoundError as error:
        problem, kind = f"There is no {pathlib.Path(error.filename).name!r}", FileNotFoundError
    except (SafetensorError, RuntimeError, LookupError, TypeError, ValueError) as error:
        problem, kind = f"gpt.json and gpt.safetensors are damaged, or not of one model ({error})", ValueError
    raise kind(f"{problem}. Put back both files of the course's GPT, or train it: python -m bmcourse recipes")


def train_gpt(text, shape, recipe, report):
    """A new GPT of `shape` (GPTConfig's fields) trained on `text` by `recipe`, in eval mode, and its tokenizer.

    As in lesson 05, Muon moves the matrices of the blocks and AdamW all else; `report(step, model, loss)` after each.
    """
    tokenizer = BytePairTokenizer.train(text.train, recipe["vocabulary_size"])
    ids = torch.tensor(tokenizer.encode(text.train))
    torch.manual_seed(recipe["seed"])
    generator = torch.Generator().manual_seed(recipe["seed"])
    model = GPT(GPTConfig(tokenizer.vocabulary_size, **shape))
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not m for m in matrices)]
    optimizers = {
        "muon_lr": Muon(matrices, recipe["muon_lr"], dtype=torch.float32),
        "adamw_lr": AdamW(others, recipe["adamw_lr"]),
    }
    for step in range(1, recipe["steps"] + 1):
        x, y = data.get_batch(ids, recipe["batch_size"], model.config.context, generator)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        model.zero_grad()
        loss.backward()
        clip_gradients(model.parameters(), recipe["largest_gradient"])
        for name, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = recipe[name] * warmup_cosine(step, recipe["steps"], recipe["warmup"])
            optimizer.step()
        report(step, model, loss.item())
    return model.eval(), tokenizer


def measure(model, tokenizer, text):
    """How well the model foretells a text it has not read: nats a token, and bits a character.

    Bits a character compare models whose tokens differ in length.
    """
    ids = torch.tensor(tokenizer.encode(text))
    loss = evaluate(model, ids, model.config.context)
    return {"nats_a_token": loss, "bits_a_character": loss * len(ids) / len(text) / math.log(2)}


def save_gpt(model, tokenizer, text, recipe, folder):
    """Write the weights in 16 bits, and beside them all that was needed to make them and what they reach."""
    from safetensors.torch import save_file

    weights = {name: weight.half() for name, weight in model.state_dict().items()}
    model.load_state_dict(weights)  # measured is what the file holds
    about = {
        "made_by": "python -m bmcourse recipes",
        "text": f"{text.name} of Python {platform.python_version()}",
        "shape": asdict(model.config),
        "recipe": recipe,
        "train": measure(model, tokenizer, text.train),
        "validation": measure(model, tokenizer, text.validation),
        "merges": tokenizer.merges,
    }
    save_file(weights, folder / "gpt.safetensors")
    (folder / "gpt.json").write_text(json.dumps(about) + "\n", encoding="utf-8")


def make_gpt():
    """Train the course's GPT and put it in data/; print how far it is."""
    torch.set_num_threads(1)  # on all cores a run this small is slower as soon as anything else works
    text, start = data.python_docs(), time.monotonic()

    def report(step, model, loss):
        if step % 100 == 0:
            left = (time.monotonic() - start) / step * (RECIPE["steps"] - step) / 60
            print(f"step {step} of {RECIPE['steps']}: training loss {loss:.2f}, {left:.1f} minutes left", flush=True)

    model, tokenizer = train_gpt(text, SHAPE, RECIPE, report)
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
