"""The exercise `clip_by_norm` of lesson 06."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="A list of gradients, shortened together so that the norm of all of them is at most `largest`. Gradients "
    "that are short enough stay as they are."
)
def clip_by_norm(gradients, largest):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    scale = torch.clamp(largest / norm, max=1.0)
    return [g * scale for g in gradients]


@clip_by_norm.right
def clip_with_if(gradients, largest):
    norm = math.sqrt(sum(float(g.pow(2).sum()) for g in gradients))
    return [g * (largest / norm) for g in gradients] if norm > largest else list(gradients)


@clip_by_norm.right
def clip_flat(gradients, largest):
    flat = torch.cat([g.flatten() for g in gradients])
    flat = flat / max(1.0, float(flat.norm()) / largest)
    return [part.view_as(g) for part, g in zip(flat.split([g.numel() for g in gradients]), gradients, strict=True)]


@clip_by_norm.right
def clip_norm_of_norms(gradients, largest):
    norm = torch.stack([torch.linalg.vector_norm(g) for g in gradients]).norm()
    return [g / max(norm / largest, torch.tensor(1.0)) for g in gradients]


@clip_by_norm.mistake(
    "You clip each tensor by its own norm. That turns the step: the long ones shrink, "
    "the short ones do not. Use one norm over all tensors and one scale for all."
)
def clip_each_alone(gradients, largest):
    return [g * torch.clamp(largest / g.norm(), max=1.0) for g in gradients]


@clip_by_norm.mistake(
    "You clip every number by itself (that is clip_grad_value_). The direction changes. "
    "Scale all of them by the same factor."
)
def clip_values(gradients, largest):
    return [g.clamp(-largest, largest) for g in gradients]


@clip_by_norm.mistake(
    "You scale small gradients up. When the norm is already below `largest`, return them "
    "unchanged: the factor is at most 1."
)
def always_scale(gradients, largest):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    return [g * largest / norm for g in gradients]


@clip_by_norm.mistake("You divide by the squared norm. The norm is the square root of the sum of squares.")
def forgot_root(gradients, largest):
    squared = sum((g**2).sum() for g in gradients)
    return [g * torch.clamp(largest / squared, max=1.0) for g in gradients]


@clip_by_norm.mistake(
    "Your factor is upside down: long gradients stay and short ones shrink. It is largest / norm, at most 1."
)
def scale_upside_down(gradients, largest):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    return [g * torch.clamp(norm / largest, max=1.0) for g in gradients]


@clip_by_norm.mistake("You added the norms of the tensors. Add their squares, and take the root once at the end.")
def sum_of_norms(gradients, largest):
    norm = sum(g.norm() for g in gradients)
    return [g * torch.clamp(largest / norm, max=1.0) for g in gradients]


@clip_by_norm.cases
def cases():
    return [
        ([torch.tensor([3.0]), torch.tensor([4.0])], 1.0),
        ([torch.tensor([0.3]), torch.tensor([0.4])], 1.0),
        ([torch.randn(4, 3), torch.randn(5)], 2.0),
        ([torch.randn(2, 2) * 9, torch.randn(3) / 9], 1.5),
    ]


clip_by_norm.hints(
    "Think of all gradients as one long vector. What is its length?",
    "norm = root of the sum of all squares, over all tensors.",
    "Multiply every tensor by the same factor: the smaller of 1 and largest / norm.",
)
