"""The clinic of lesson 08: eight training loops, each with one fault, known by its curves alone.

Every patient runs the same loop on the same text. What is written under its name is all that differs from `healthy`.
"""

import functools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from bmcourse import data, plots, training
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.tokenizer import CharacterTokenizer

STEPS, BATCH, CONTEXT, EVERY = 120, 16, 32, 10
TEXT, DROPOUT = 4_000, 0.1  # characters: so few that a healthy run shows a gap between its two losses


def step(model, optimizer, x, y):
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def draw(ids, generator):
    return data.get_batch(ids, BATCH, CONTEXT, generator)


def optimizer_of(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-2)


def split(ids, validation_ids):
    return ids, validation_ids


def measure(model, validation_ids):
    return training.evaluate(model, validation_ids, CONTEXT)


# ---------------------------------------------------------------- the faults


def step_without_zero_grad(model, optimizer, x, y):
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    loss.backward()  # optimizer.zero_grad() is missing: every gradient is added to all earlier ones
    optimizer.step()
    return loss.item()


def step_on_a_detached_loss(model, optimizer, x, y):
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    loss = torch.tensor(loss.item(), requires_grad=True)  # a new number: no path leads back to the weights
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def step_without_shift(model, optimizer, x, y):
    return step(model, optimizer, x, x)  # the target is the input itself, not the token after it


def step_with_softmax_twice(model, optimizer, x, y):
    probabilities = model(x).softmax(dim=-1)
    loss = F.cross_entropy(probabilities.flatten(0, 1), y.flatten())  # cross_entropy takes logits and softmaxes again
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def draw_the_same_batch(ids, generator):
    return draw(ids, generator.manual_seed(0))  # seeded inside the loop: every step sees the same windows


def split_that_leaks(ids, validation_ids):
    return ids, ids[: len(validation_ids)]  # the "validation" text is a part of the training text


def measure_without_eval(model, validation_ids):
    windows = validation_ids[: len(validation_ids) // CONTEXT * CONTEXT].view(-1, CONTEXT)
    with torch.no_grad():  # model.eval() is missing: dropout goes on knocking out numbers while we measure
        return F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten()).item()


def optimizer_with_a_huge_rate(model):
    return torch.optim.AdamW(model.parameters(), lr=0.3)


@functools.cache
def tokens(text):
    """Training tokens, some validation tokens, and the size of the vocabulary of a Text."""
    tokenizer = CharacterTokenizer(text.train)
    parts = (tokenizer.encode(part, errors="replace") for part in (text.train[:TEXT], text.validation[:2_000]))
    return *map(torch.tensor, parts), tokenizer.vocabulary_size


@dataclass(frozen=True)
class Patient:
    """One loop: its fault, and the parts of the loop that differ from a healthy one."""

    fault: str
    step: callable = step
    draw: callable = draw
    optimizer_of: callable = optimizer_of
    split: callable = split
    measure: callable = measure

    def run(self, text, seed=0):
        """Train on a Text.

        Returns the training loss of every step, the validation loss of every tenth step, the last of them measured once
        more with the same weights, and the norm of the last gradient.
        """
        ids, validation_ids, vocabulary_size = tokens(text)
        ids, validation_ids = self.split(ids, validation_ids)
        torch.manual_seed(seed)
        model = GPT(GPTConfig(vocabulary_size, CONTEXT, layers=1, heads=2, channels=32, dropout=DROPOUT))
        optimizer, generator = self.optimizer_of(model), torch.Generator().manual_seed(seed)
        losses, validation = [], []
        for number in range(1, STEPS + 1):
            losses.append(self.step(model, optimizer, *self.draw(ids, generator)))
            if number % EVERY == 0:
                validation.append(self.measure(model, validation_ids))
        gradients = [p.grad.norm() for p in model.parameters() if p.grad is not None]
        norm = torch.stack(gradients).norm().item() if gradients else 0.0
        return losses, validation, self.measure(model, validation_ids), norm


def ward(text):
    """Run the healthy loop and all patients on a Text, and draw their curves side by side; returns the Figure.

    Dashed in each: the loss of guessing, and of the frequencies of single characters.
    """
    ids, validation_ids, vocabulary_size = tokens(text)
    counts = torch.bincount(ids, minlength=vocabulary_size) + 1.0
    frequencies = -(counts / counts.sum()).log()[validation_ids].mean().item()
    fig, axes = plots.figure(10.6, 5.7, columns=3, rows=3, sharex=True, sharey=True)
    for ax, (letter, patient) in zip(axes.flat, {"healthy": HEALTHY, **PATIENTS}.items(), strict=True):
        losses, validation, again, norm = patient.run(text)
        ax.plot(range(1, STEPS + 1), losses, lw=1, label="training")
        ax.plot(range(EVERY, STEPS + 1, EVERY), validation, "o-", ms=3, lw=1, label="validation")
        for level in (math.log(vocabulary_size), frequencies):
            ax.axhline(level, color=plots.GREY, ls=(0, (5, 3)), lw=1)
        ax.set(ylim=(0, 6))
        ax.set_title(letter, loc="left", size=11, weight="bold")
        ax.set_title(f"twice {validation[-1]:.3f}, {again:.3f} · gradient {norm:.2g}", loc="right", size=10.5)
    axes[0, 0].legend(frameon=False, loc="lower left")
    return fig


HEALTHY = Patient("healthy")
PATIENTS = {
    "A": Patient("softmax twice", step=step_with_softmax_twice),
    "B": Patient("same batch", draw=draw_the_same_batch),
    "C": Patient("targets not shifted", step=step_without_shift),
    "D": Patient("eval mode forgotten", measure=measure_without_eval),
    "E": Patient("loss detached", step=step_on_a_detached_loss),
    "F": Patient("gradients not zeroed", step=step_without_zero_grad),
    "G": Patient("validation leaks", split=split_that_leaks),
    "H": Patient("learning rate too big", optimizer_of=optimizer_with_a_huge_rate),
}
