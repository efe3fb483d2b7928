"""Live widgets for the notebooks: `Run`, a training loop that is watched and steered, and the explorers."""

import importlib

from bmcourse.live.run import Run as Run

EXPLORERS = {
    "tokens": "data",
    "merges": "data",
    "outlier": "losses",
    "logits": "losses",
    "loss_surface": "losses",
    "graph": "backpropagation",
    "race": "optimizers",
    "attention": "heads",
    "convolution": "architectures",
    "counter": "transformer",
    "timeline": "concepts",
    "ledger": "concepts",
    "next_token": "inference",
    "sparsity": "pruning",
    "levels": "quantization",
    "occlude": "explanations",
    "nearby": "explanations",
    "convergence": "explanations",
    "shades": "explanations",
    "copying": "gpt",
    "augment": "few_labels",
    "threshold": "few_labels",
    "chinchilla": "scaling",
    "bill": "scaling",
    "paint": "dalle",
    "fill_in": "bert",
}


def __getattr__(name):
    """Load an explorer when it is first asked for: a script with a `Run` needs no widgets."""
    if name not in EXPLORERS:
        raise AttributeError(f"bmcourse.live has no {name}. It has Run, {', '.join(EXPLORERS)}.")
    return getattr(importlib.import_module(f"bmcourse.live.{EXPLORERS[name]}"), name)


def __dir__():
    return ["Run", *EXPLORERS]
