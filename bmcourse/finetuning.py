"""Fine-tuning (微调) a GPT: on the answers only, with few new numbers (LoRA), and by preference (DPO).

A pair is a prompt and an answer, each a list of tokens. Sizes: B pairs, T tokens, V tokens in the vocabulary, rank r.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.inference import stream_batch
from bmcourse.losses import IGNORED
from bmcourse.training import minimise

# ---------------------------------------------------------------- the answers only


def answer_batch(pairs, context):
    """Pairs as inputs (B, T) and targets (B, T): `targets[b, t]` is the token that follows `inputs[b, t]`.

    Targets are IGNORED within the prompt, which the model need not foretell, and in the padding on the right.
    Raises ValueError for an empty prompt or answer, and for a pair that is longer than `context` + 1 tokens.
    """
    check_pairs(pairs, context)
    T = max(len(prompt) + len(answer) for prompt, answer in pairs) - 1
    inputs = torch.zeros(len(pairs), T, dtype=torch.long)
    targets = torch.full((len(pairs), T), IGNORED)
    for row, (prompt, answer) in enumerate(pairs):
        tokens = torch.tensor([*prompt, *answer])
        inputs[row, : len(tokens) - 1] = tokens[:-1]
        targets[row, len(prompt) - 1 : len(tokens) - 1] = tokens[len(prompt) :]
    return inputs, targets


def answer_loss(logits, targets):
    """The mean cross-entropy of logits (B, T, V) over those targets (B, T) that are not IGNORED, in nats a token."""
    counts = targets != IGNORED
    return F.cross_entropy(logits[counts], targets[counts])


def answer_log_probability(logits, targets):
    """The log-probability of each whole answer, (B,): the sum over all targets (B, T) that are not IGNORED."""
    counts = targets != IGNORED
    log_probabilities = logits.log_softmax(dim=-1)  # (B, T, V)
    chosen = log_probabilities.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return (chosen * counts).sum(dim=1)


def fine_tune(model, pairs, steps, lr, batch_size=32, seed=0):
    """Train `model` itself on the answers of `pairs`, in eval mode, with Adam; returns the loss of every step.

    Only parameters that require a gradient move. `seed` chooses the batches.
    """
    generator = torch.Generator().manual_seed(seed)

    def loss():
        rows = torch.randint(len(pairs), (batch_size,), generator=generator)
        inputs, targets = answer_batch([pairs[row] for row in rows], model.config.context)
        return answer_loss(model(inputs), targets)

    return minimise(model, loss, steps, lr)


def answers(model, prompts, end, longest, seed=None):
    """What the model answers to each prompt: a list of lists of tokens, up to the token `end`, which is included.

    It answers with the likeliest tokens, or draws them from its probabilities if there is a `seed`. An answer without
    `end` is cut off after `longest` tokens.
    """
    generators = None if seed is None else [torch.Generator().manual_seed(seed + row) for row in range(len(prompts))]
    columns = list(stream_batch(model, prompts, longest, generators))
    rows = [list(row) for row in zip(*columns, strict=True)]
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def check_pairs(pairs, context):
    for row, (prompt, answer) in enumerate(pairs):
        if len(prompt) == 0 or len(answer) == 0:
            empty = "prompt" if len(prompt) == 0 else "answer"
            raise ValueError(f"The {empty} of pair {row} is empty; both need at least one token.")
        if len(prompt) + len(answer) > context + 1:
            raise ValueError(
                f"Pair {row} has {len(prompt)} + {len(answer)} tokens; a prompt and its answer may have {context + 1} "
                f"together (the model's context, and one to foretell). Leave it out, or shorten its prompt."
            )


# ---------------------------------------------------------------- LoRA


class LoRALinear(nn.Module):
    """A frozen nn.Linear plus a correction of rank r: x (..., in) → W x + b + (alpha / r) · B A x, (..., out).

    A (r, in) starts at random and B (out, r) at zero, so at first it is the layer it was made of.
    Raises ValueError unless 1 <= rank <= the smaller side of W.
    Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, section 4.1.
    """

    def __init__(self, linear, rank, alpha):
        super().__init__()
        check_rank(rank, linear.weight.shape)
        self.linear = linear.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(rank, linear.in_features) / math.sqrt(linear.in_features))
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        return self.linear(x) + self.scale * (x @ self.A.T @ self.B.T)

    def merged(self):
        """One nn.Linear that does the same: its weight is W + (alpha / r) · B A."""
        merged = copy.deepcopy(self.linear)
        merged.weight += self.scale * (self.B @ self.A).detach()
        return merged


def add_lora(model, rank, alpha=16.0):
    """A copy of a GPT in which nothing learns but a new LoRALinear in place of each nn.Linear of its blocks.

    Raises ValueError for a model that has LoRA already, or no blocks.
    """
    if any(isinstance(module, LoRALinear) for module in model.modules()):
        raise ValueError("This model has LoRA already. Merge it first: merge_lora(model).")
    model = copy.deepcopy(model).requires_grad_(False)
    replace_modules(model.blocks, nn.Linear, lambda linear: LoRALinear(linear, rank, alpha))
    return model


def merge_lora(model):
    """A copy of the model with plain nn.Linear layers again, which does the same and has nothing left to carry along.

    Raises ValueError for a model without LoRA.
    """
    if not any(isinstance(module, LoRALinear) for module in model.modules()):
        raise ValueError("There is no LoRA in this model to merge. Add it first: add_lora(model, rank).")
    model = copy.deepcopy(model)
    replace_modules(model, LoRALinear, LoRALinear.merged)
    return model.requires_grad_(True)


def replace_modules(module, kind, new):
    """Put new(part) in place of every part of that kind, however deep inside `module`."""
    for name, part in module.named_children():
        if type(part) is kind:
            setattr(module, name, new(part))
        else:
            replace_modules(part, kind, new)


def trainable_parameters(model):
    """How many numbers of the model learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def check_rank(rank, shape):
    if not 1 <= rank <= min(shape):
        raise ValueError(
            f"rank is {rank}; for a weight of {tuple(shape)} it may be 1 to {min(shape)}. Commonly it is 4 to 16."
        )


# ---------------------------------------------------------------- preferences


def dpo_loss(chosen, rejected, reference_chosen, reference_rejected, beta):
    """-log σ(beta · margin), the mean over B pairs of answers to one prompt, of which one is preferred.

    All are log-probabilities (B,) of whole answers, by the model that learns and by the frozen reference. The margin is
    by how much the model, more than the reference, prefers the chosen answer to the rejected one.
    Source: Rafailov et al., "Direct Preference Optimization", 2023, equation 7.
    """
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -F.logsigmoid(beta * margin).mean()


def prefer(model, preferences, steps, lr, beta=0.1, batch_size=32, seed=0):
    """Train `model` itself by DPO on `preferences`, (prompt, chosen, rejected) each, in eval mode, with Adam.

    The reference is the model as it comes. Returns the loss of every step; `seed` chooses the batches.
    Raises ValueError when there are no preferences.
    """
    if len(preferences) == 0:
        raise ValueError("There are no preferences to learn from: where all answers are right, or all wrong, none is.")
    reference = copy.deepcopy(model).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)

    def loss():
        rows = torch.randint(len(preferences), (batch_size,), generator=generator)
        some = [preferences[row] for row in rows]
        pairs = [(prompt, good) for prompt, good, _ in some] + [(prompt, bad) for prompt, _, bad in some]
        inputs, targets = answer_batch(pairs, model.config.context)
        ours = answer_log_probability(model(inputs), targets).chunk(2)
        with torch.no_grad():
            theirs = answer_log_probability(reference(inputs), targets).chunk(2)
        return dpo_loss(*ours, *theirs, beta)

    return minimise(model, loss, steps, lr)
