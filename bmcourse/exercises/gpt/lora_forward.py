"""The exercise `lora_forward` of lesson 12."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="A linear layer with LoRA: y = W x + (alpha / r) B A x. `x` is (..., n), `weight` W is (m, n) and frozen, "
    "`A` is (r, n), `B` is (m, r). Return (..., m). There is no bias. Hu and others 2021, section 4.1.",
    tolerance=1e-4,
)
def lora_forward(x, weight, A, B, alpha):
    r = len(A)
    return x @ weight.T + alpha / r * (x @ A.T @ B.T)


@lora_forward.judge
def lora_by_rows(x, weight, A, B, alpha):
    rows = []
    for row in x.flatten(0, -2):
        small = torch.stack([(a * row).sum() for a in A])  # r numbers
        change = torch.stack([(b * small).sum() for b in B]) * alpha / A.shape[0]
        rows.append(torch.stack([(w * row).sum() for w in weight]) + change)
    return torch.stack(rows).view(*x.shape[:-1], len(weight))


@lora_forward.right
def lora_merged_first(x, weight, A, B, alpha):
    return F.linear(x, weight + (alpha / A.shape[0]) * (B @ A))


@lora_forward.right
def lora_with_linear(x, weight, A, B, alpha):
    return F.linear(x, weight) + F.linear(F.linear(x, A), B) * (alpha / B.shape[1])


@lora_forward.right
def lora_einsum(x, weight, A, B, alpha):
    plain = torch.einsum("...i,oi->...o", x, weight)
    return plain + torch.einsum("...i,ri,or->...o", x, A, B).mul(alpha).div(len(A))


def lora_with_scale(scale):
    return lambda x, weight, A, B, alpha: x @ weight.T + scale(alpha, A, B) * (x @ A.T @ B.T)


@lora_forward.cases
def cases():
    return [
        (torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, 1.0]]), 4.0),
        (torch.randn(5, 4), torch.randn(3, 4), torch.randn(2, 4), torch.randn(3, 2), 16.0),
        (torch.randn(2, 3, 6), torch.randn(6, 6), torch.randn(1, 6), torch.zeros(6, 1), 8.0),
        (torch.randn(2, 3, 6), torch.randn(5, 6), torch.randn(3, 6), torch.randn(5, 3), 1.0),
    ]


lora_forward.mistake(
    "The correction is multiplied by alpha, and not divided by the rank r = len(A).",
    TODO_18=lora_with_scale(lambda alpha, A, B: alpha),
)


lora_forward.mistake(
    "alpha is missing: the correction counts alpha / r.", TODO_19=lora_with_scale(lambda alpha, A, B: 1 / len(A))
)


lora_forward.mistake(
    "The factor alpha / r before the correction is missing.", TODO_20=lora_with_scale(lambda alpha, A, B: 1)
)


lora_forward.mistake(
    "You divide by n, the number of inputs. The rank r is the short side of A: A.shape[0].",
    TODO_21=lora_with_scale(lambda alpha, A, B: alpha / A.shape[1]),
)


lora_forward.mistake(
    "You divide by m, the number of outputs. The rank r is the short side of B: B.shape[1].",
    TODO_22=lora_with_scale(lambda alpha, A, B: alpha / len(B)),
)


lora_forward.mistake(
    "You multiply by r / alpha. It is alpha / r.", TODO_23=lora_with_scale(lambda alpha, A, B: len(A) / alpha)
)


lora_forward.mistake(
    "W x is missing: LoRA corrects what the frozen layer says, it does not take its place.",
    TODO_24=lambda x, weight, A, B, alpha: alpha / len(A) * (x @ A.T @ B.T),
)


lora_forward.mistake(
    "The factor alpha / r stands before both parts. It belongs to the correction only.",
    TODO_25=lambda x, weight, A, B, alpha: alpha / len(A) * (x @ weight.T + x @ A.T @ B.T),
)


lora_forward.mistake(
    "The correction is missing: add (alpha / r) B A x.", TODO_26=lambda x, weight, A, B, alpha: x @ weight.T
)


lora_forward.mistake(
    "The correction is subtracted. Add it.",
    TODO_27=lambda x, weight, A, B, alpha: x @ weight.T - alpha / len(A) * (x @ A.T @ B.T),
)


lora_forward.mistake(
    "There is a ReLU between A and B. LoRA has none: only so can B A be added to W when the training is over.",
    TODO_28=lambda x, weight, A, B, alpha: x @ weight.T + alpha / len(A) * torch.relu(x @ A.T) @ B.T,
)


lora_forward.hints(
    "x has its numbers in the last dimension, so W x for all rows at once is x @ weight.T.",
    "First A: x @ A.T is (..., r). Then B: @ B.T makes (..., m) of it. r is len(A).",
    "x @ weight.T + alpha / len(A) * (x @ A.T @ B.T)",
)
