"""The exercise `merged_weight` of lesson 12."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The training is over, and LoRA shall cost nothing any more: return one weight (m, n), a new tensor, with "
    "which a plain linear layer does the same as W x + (alpha / r) B A x. `weight` W is (m, n), `A` is (r, n), `B` is "
    "(m, r).",
    tolerance=1e-4,
)
def merged_weight(weight, A, B, alpha):
    return weight + alpha / len(A) * (B @ A)


@merged_weight.judge
def merged_by_columns(weight, A, B, alpha):
    """Column i is what the layer with LoRA makes of the i-th unit vector."""
    columns = []
    for i in range(weight.shape[1]):
        small = A[:, i]
        columns.append(weight[:, i] + alpha / A.shape[0] * (B * small).sum(dim=1))
    return torch.stack(columns, dim=1)


@merged_weight.right
def merged_by_outer_products(weight, A, B, alpha):
    merged = weight.clone()
    for a, b in zip(A, B.T, strict=True):
        merged += alpha / len(A) * torch.outer(b, a)
    return merged


@merged_weight.right
def merged_with_addmm(weight, A, B, alpha):
    return torch.addmm(weight, B, A, alpha=alpha / B.shape[1])


@merged_weight.right
def merged_of_the_identity(weight, A, B, alpha):
    unit = torch.eye(A.shape[1])
    return (unit @ weight.T + alpha / len(A) * (unit @ A.T @ B.T)).T


@merged_weight.mistake(
    "The weight is right, but you changed the one that came in: the model you began with is gone. Make a new tensor."
)
def merged_in_place(weight, A, B, alpha):
    weight += alpha / len(A) * (B @ A)
    return weight


@merged_weight.cases
def cases():
    return [
        (torch.zeros(2, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [1.0]]), 2.0),
        (torch.randn(3, 4), torch.randn(2, 4), torch.randn(3, 2), 16.0),
        (torch.randn(5, 5), torch.randn(3, 5), torch.randn(5, 3), 1.0),
        (torch.randn(4, 4), torch.randn(2, 4), torch.zeros(4, 2), 8.0),
    ]


merged_weight.mistake("The factor alpha / r is missing.", TODO_29=lambda weight, A, B, alpha: weight + B @ A)


merged_weight.mistake(
    "You do not divide by the rank r = len(A).", TODO_30=lambda weight, A, B, alpha: weight + alpha * (B @ A)
)


merged_weight.mistake(
    "alpha is missing: the factor is alpha / r.", TODO_31=lambda weight, A, B, alpha: weight + B @ A / len(A)
)


merged_weight.mistake(
    "That is the correction alone. Add it to the weight.", TODO_32=lambda weight, A, B, alpha: alpha / len(A) * (B @ A)
)


merged_weight.mistake(
    "The correction is subtracted: that takes LoRA away from a weight it was merged into.",
    TODO_33=lambda weight, A, B, alpha: weight - alpha / len(A) * (B @ A),
)


merged_weight.mistake(
    "B comes first: B @ A is (m, n), like the weight; A @ B is (r, r) or does not fit at all.",
    TODO_34=lambda weight, A, B, alpha: weight + A @ B,
)


merged_weight.mistake(
    "B comes first: B @ A is (m, n), like the weight. A @ B has another shape.",
    TODO_35=lambda weight, A, B, alpha: weight + alpha / len(A) * (A @ B),
)


merged_weight.mistake(
    "A.T @ B.T is (n, m), the transpose. B @ A is (m, n).",
    TODO_36=lambda weight, A, B, alpha: weight + alpha / len(A) * (A.T @ B.T),
)


merged_weight.mistake(
    "The factor stands before the weight too. It belongs to B A only.",
    TODO_37=lambda weight, A, B, alpha: alpha / len(A) * (weight + B @ A),
)


merged_weight.hints(
    "W x + c B A x = (W + c B A) x. So what is the one weight?",
    "B @ A is (m, n), the shape of the weight. r is len(A).",
    "weight + alpha / len(A) * (B @ A)",
)
