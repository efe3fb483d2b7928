"""The exercise `largest_stable_lr` of lesson 07: where gradient descent on a bowl stops converging."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

COMPLEX = (
    "torch.linalg.eigvals is for any matrix, and gives complex numbers, which have no order. A symmetric matrix has "
    "real eigenvalues: torch.linalg.eigvalsh."
)


@exercise(
    prompt="The learning rate above which gradient descent diverges on the bowl x @ hessian @ x / 2. `hessian` (n, n) "
    "is symmetric and positive definite. Returns one number.",
    tolerance=1e-4,
    untried={"hessian": {"a gradient is wanted": "a plain number is a right answer, and has no graph"}},
)
def largest_stable_lr(hessian):
    return 2 / torch.linalg.eigvalsh(hessian).max()


@largest_stable_lr.cases
def cases():
    """Two directions; a turned valley; three random bowls, one of them steep; one direction; four, not contiguous."""
    factors = [torch.randn(3, 3), torch.randn(4, 4), 5 * torch.randn(2, 2)]
    apart = torch.stack([2 * torch.eye(4, dtype=torch.float64) + 0.5] * 2, dim=-1)
    return [
        (torch.tensor([[1.0, 0.0], [0.0, 10.0]]),),
        (torch.tensor([[3.0, 1.0], [1.0, 3.0]]),),
        *((factor @ factor.T + 0.5 * torch.eye(len(factor)),) for factor in factors),
        (torch.tensor([[0.25]]),),
        (torch.tensor([[1.0, 0.0], [0.0, 1.02]]),),
        (apart[..., 0],),
    ]


@largest_stable_lr.run
def without_complex_numbers(answer, hessian):
    try:
        return answer(hessian)
    except RuntimeError as error:
        raise Mistake(COMPLEX) if "complex" in str(error).lower() else error from None


@largest_stable_lr.judge
def by_singular_value(hessian):
    return (2 / torch.linalg.matrix_norm(hessian, ord=2)).item()


@largest_stable_lr.right
def by_the_inverse(hessian):
    return 2 * torch.linalg.eigvalsh(hessian.inverse())[0]


@largest_stable_lr.right
def by_power_iteration(hessian):
    direction = torch.ones(len(hessian), dtype=hessian.dtype)
    for _ in range(200):
        direction = hessian @ direction
        direction = direction / direction.norm()
    return (2 / (direction @ hessian @ direction)).item()


@largest_stable_lr.right
def by_general_eigenvalues(hessian):
    return 2 / max(value.real for value in torch.linalg.eigvals(hessian).tolist())


@largest_stable_lr.right
def by_bisection(hessian):
    """Below the limit every eigenvalue of 1 - lr * hessian is within -1 and 1."""
    low, high = 0.0, 2 / hessian.diagonal().min().item()
    for _ in range(40):
        middle = (low + high) / 2
        factors = torch.linalg.eigvalsh(torch.eye(len(hessian), dtype=hessian.dtype) - middle * hessian)
        low, high = (middle, high) if factors.abs().max() < 1 else (low, middle)
    return low


changed = largest_stable_lr.changed
LARGEST = "torch.linalg.eigvalsh(hessian).max()"

largest_stable_lr.mistake(
    "At 1 / the largest eigenvalue the steepest direction reaches its bottom in one step. Twice as far it "
    "lands on the other side at the same height: the limit is 2 / the largest eigenvalue.",
    one_over=changed("2 /", "1 /"),
)
largest_stable_lr.mistake(
    "You return 4 / the largest eigenvalue, twice the limit: the curvature of x @ H @ x / 2 is H itself, not H / 2.",
    four_over=changed("2 /", "4 /"),
)
largest_stable_lr.mistake(
    "You took the smallest eigenvalue, the flattest direction. The steepest one jumps out first: take the largest.",
    smallest=changed(".max()", ".min()"),
)
largest_stable_lr.mistake(
    "You took 1 / the smallest eigenvalue: the flattest direction, and half the limit. It is 2 / the largest.",
    one_over_smallest=changed("2 /", "1 /", ".max()", ".min()"),
)
largest_stable_lr.mistake(
    "You divide by the trace, which is the sum of all eigenvalues. That rate is safe but smaller than need be: "
    "only the largest counts.",
    trace=changed(LARGEST, "torch.trace(hessian)"),
)
largest_stable_lr.mistake(
    "You divide by the largest entry, which stands on the diagonal: the sharpest curve along an axis. The "
    "sharpest of all may lie between the axes: take the largest eigenvalue.",
    largest_entry=changed(LARGEST, "hessian.max()"),
)
largest_stable_lr.mistake(
    "You divide by the smallest entry of the diagonal. Take the largest eigenvalue: the steepest direction decides.",
    smallest_of_diagonal=changed(LARGEST, "hessian.diagonal().min()"),
)
largest_stable_lr.mistake(
    "You divide by the sum of all entries. Take the largest eigenvalue: the steepest direction decides.",
    sum_of_entries=changed(LARGEST, "hessian.sum()"),
)
largest_stable_lr.mistake(
    "You divide by the mean of all entries. Take the largest eigenvalue: the steepest direction decides.",
    mean_of_entries=changed(LARGEST, "hessian.mean()"),
)
largest_stable_lr.mistake(
    "You divide by the Frobenius norm, the root of the sum of all squares. Take the largest eigenvalue: "
    "torch.linalg.norm(hessian, 2), or eigvalsh(hessian).max().",
    frobenius=changed(LARGEST, "hessian.norm()"),
)
largest_stable_lr.mistake(
    "You divide by the largest row sum. It is never below the largest eigenvalue, so that rate is safe, but "
    "smaller than need be.",
    row_sum=changed(LARGEST, "hessian.abs().sum(dim=1).max()"),
)
largest_stable_lr.mistake(
    "You divide by the norm of the longest row. Take the largest eigenvalue: the steepest direction decides.",
    longest_row=changed(LARGEST, "hessian.norm(dim=1).max()"),
)
largest_stable_lr.mistake(
    "Your fraction is upside down: steeper bowls need smaller steps. It is 2 / the largest eigenvalue.",
    upside_down=changed(f"2 / {LARGEST}", f"{LARGEST} / 2"),
)
largest_stable_lr.mistake(
    "You multiply: twice the largest eigenvalue. Steeper bowls need smaller steps: 2 / the largest eigenvalue.",
    multiplied=changed("2 /", "2 *"),
)
largest_stable_lr.mistake(
    "You return the largest eigenvalue itself. Steeper bowls need smaller steps: 2 / the largest eigenvalue.",
    eigenvalue_itself=changed("2 / ", ""),
)
largest_stable_lr.mistake(
    "2 / (smallest + largest eigenvalue) is the learning rate that converges fastest. The question is where it "
    "stops converging: 2 / the largest eigenvalue.",
    fastest=changed(".max()", "[[0, -1]].sum()"),
)
largest_stable_lr.mistake(
    "You return the condition number, largest / smallest eigenvalue: it says how slow the descent is at best. The "
    "limit is 2 / the largest.",
    condition_number=changed(f"2 / {LARGEST}", "torch.linalg.cond(hessian)"),
)
largest_stable_lr.mistake(
    "You divide by the mean of the eigenvalues. One direction that diverges is enough: take the largest.",
    mean_eigenvalue=changed(".max()", ".mean()"),
)
largest_stable_lr.mistake(
    "You divide by the median of the eigenvalues. One direction that diverges is enough: take the largest.",
    median_eigenvalue=changed(".max()", ".median()"),
)
largest_stable_lr.mistake(
    "You divide by the determinant, the product of all eigenvalues. Take the largest one.",
    determinant=changed(LARGEST, "torch.linalg.det(hessian)"),
)
largest_stable_lr.mistake(
    "You took the root of the largest eigenvalue. The curvature is the eigenvalue itself.",
    root=changed(".max()", ".max().sqrt()"),
)
largest_stable_lr.mistake(
    "You took the square of the largest eigenvalue. The curvature is the eigenvalue itself.",
    square=changed(".max()", ".max() ** 2"),
)
largest_stable_lr.mistake(
    "You divide by the number of dimensions as well. It is 2 / the largest eigenvalue, in any number of dimensions.",
    divided_by_n=changed("2 /", "2 / len(hessian) /"),
)
largest_stable_lr.mistake(
    "You return n / the largest eigenvalue. It is 2 / the largest, in any number of dimensions.",
    n_over=changed("2 /", "len(hessian) /"),
)
largest_stable_lr.mistake(
    "You return a limit for each direction. The whole descent is stable only below the smallest of them.",
    one_each=changed(".max()", ""),
)
largest_stable_lr.mistake(
    "You return 2 / each entry. The limit is one number: 2 / the largest eigenvalue.",
    entries=changed(LARGEST, "hessian"),
)
largest_stable_lr.mistake(
    "You return 2 / each number of the diagonal. The limit is one number: 2 / the largest eigenvalue.",
    diagonal=changed(LARGEST, "hessian.diagonal()"),
)
largest_stable_lr.mistake(
    "You return the inverse of the matrix: that is Newton's step. Gradient descent has one rate for all directions: "
    "2 / the largest eigenvalue.",
    inverse=changed(f"2 / {LARGEST}", "hessian.inverse()"),
)
largest_stable_lr.mistake(
    "Your rate is below 0. The eigenvalues of a bowl are positive: 2 / the largest.", negative=changed("2 /", "-2 /")
)


largest_stable_lr.mistake(COMPLEX, complex_numbers=changed("eigvalsh", "eigvals"))
largest_stable_lr.mistake(
    "You took the largest number of the eigenvectors. torch.linalg.eigh gives eigenvalues first, then eigenvectors.",
    eigenvectors=changed("eigvalsh(hessian)", "eigh(hessian)[1]"),
)


largest_stable_lr.hints(
    "Try one dimension first: x - lr * h * x = (1 - lr * h) * x. For which lr is the factor below -1?",
    "In n dimensions every eigenvalue of the Hessian is such an h. Which one reaches the limit first?",
    "torch.linalg.eigvalsh(hessian) gives the eigenvalues of a symmetric matrix.",
)
