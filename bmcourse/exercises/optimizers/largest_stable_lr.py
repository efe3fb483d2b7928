"""The exercise `largest_stable_lr` of lesson 05."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The learning rate above which gradient descent diverges on the bowl x @ hessian @ x / 2. `hessian` (n, n) "
    "is symmetric and positive definite. Returns one number."
)
def largest_stable_lr(hessian):
    return 2 / torch.linalg.eigvalsh(hessian).max()


def by_singular_value(hessian):
    return 2.0 / torch.linalg.matrix_norm(hessian, ord=2)


@largest_stable_lr.right
def by_the_inverse(hessian):
    return 2 * torch.linalg.eigvalsh(hessian.inverse())[0]


@largest_stable_lr.right
def by_power_iteration(hessian):
    direction = torch.ones(len(hessian))
    for _ in range(200):
        direction = hessian @ direction
        direction = direction / direction.norm()
    return (2 / (direction @ hessian @ direction)).item()


@largest_stable_lr.right
def by_general_eigenvalues(hessian):
    return 2 / max(value.real for value in torch.linalg.eigvals(hessian).tolist())


@largest_stable_lr.cases
def _bowls():
    """Two directions; a turned valley; three random bowls, one of them steep."""
    factors = [torch.randn(3, 3), torch.randn(4, 4), 5 * torch.randn(2, 2)]
    return [
        (torch.tensor([[1.0, 0.0], [0.0, 10.0]]),),
        (torch.tensor([[3.0, 1.0], [1.0, 3.0]]),),
        *((factor @ factor.T + 0.5 * torch.eye(len(factor)),) for factor in factors),
    ]


def two_over(number):
    return lambda hessian: 2 / number(hessian)


@largest_stable_lr.judge
def expected(hessian):
    return by_singular_value(hessian).item()


largest_stable_lr.mistake(
    "At 1 / the largest eigenvalue the steepest direction reaches its bottom in one step. Twice as far it "
    "lands on the other side at the same height: the limit is 2 / the largest eigenvalue.",
    TODO_39=lambda hessian: 1 / torch.linalg.eigvalsh(hessian).max(),
)


largest_stable_lr.mistake(
    "You took the smallest eigenvalue, the flattest direction. The steepest one jumps out first: take the largest.",
    TODO_40=two_over(lambda hessian: torch.linalg.eigvalsh(hessian).min()),
)


largest_stable_lr.mistake(
    "You divide by the trace, which is the sum of all eigenvalues. That rate is safe but smaller than need be: "
    "only the largest counts.",
    TODO_41=two_over(torch.trace),
)


largest_stable_lr.mistake(
    "You divide by the largest entry, which stands on the diagonal: the sharpest curve along an axis. The "
    "sharpest of all may lie between the axes: take the largest eigenvalue.",
    TODO_42=two_over(torch.max),
)


largest_stable_lr.mistake(
    "You divide by the smallest entry of the diagonal. Take the largest eigenvalue: the steepest direction decides.",
    TODO_43=two_over(lambda hessian: hessian.diagonal().min()),
)


largest_stable_lr.mistake(
    "You divide by the Frobenius norm, the root of the sum of all squares. Take the largest eigenvalue: "
    "torch.linalg.norm(hessian, 2), or eigvalsh(hessian).max().",
    TODO_44=two_over(torch.linalg.norm),
)


largest_stable_lr.mistake(
    "You divide by the largest row sum. It is never below the largest eigenvalue, so that rate is safe, but "
    "smaller than need be.",
    TODO_45=two_over(lambda hessian: torch.linalg.matrix_norm(hessian, ord=math.inf)),
)


largest_stable_lr.mistake(
    "Your fraction is upside down: steeper bowls need smaller steps. It is 2 / the largest eigenvalue.",
    TODO_46=lambda hessian: torch.linalg.eigvalsh(hessian).max() / 2,
)


largest_stable_lr.mistake(
    "You return the largest eigenvalue itself. Steeper bowls need smaller steps: 2 / the largest eigenvalue.",
    TODO_47=lambda hessian: torch.linalg.eigvalsh(hessian).max(),
)


largest_stable_lr.mistake(
    "2 / (smallest + largest eigenvalue) is the learning rate that converges fastest. The question is where it "
    "stops converging: 2 / the largest eigenvalue.",
    TODO_48=lambda hessian: 2 / torch.linalg.eigvalsh(hessian)[[0, -1]].sum(),
)


largest_stable_lr.mistake(
    "You took the mean of the eigenvalues. One direction that diverges is enough: take the largest.",
    TODO_49=two_over(lambda hessian: torch.linalg.eigvalsh(hessian).mean()),
)


largest_stable_lr.mistake(
    "You divide by the determinant, the product of all eigenvalues. Take the largest one.",
    TODO_50=two_over(torch.linalg.det),
)


largest_stable_lr.mistake(
    "You took the root of the largest eigenvalue. The curvature is the eigenvalue itself.",
    TODO_51=lambda hessian: 2 / torch.linalg.eigvalsh(hessian).max().sqrt(),
)


largest_stable_lr.mistake(
    "You return a limit for each direction. The whole descent is stable only below the smallest of them.",
    TODO_52=two_over(torch.linalg.eigvalsh),
)


largest_stable_lr.hints(
    "Try one dimension first: x - lr * h * x = (1 - lr * h) * x. For which lr is the factor below -1?",
    "In n dimensions every eigenvalue of the Hessian is such an h. Which one reaches the limit first?",
    "torch.linalg.eigvalsh(hessian) gives the eigenvalues of a symmetric matrix.",
)
