"""The exercise `orthogonal` of lesson 05."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="All singular values of `matrix` (m, n) brought near 1. Start with X = matrix / its Frobenius norm. Then "
    "`steps` times: A = X Xᵀ, and X = a X + (b A + c A A) X, with a = 3.4445, b = -4.7750, c = 2.0315. A tall matrix "
    "may be turned meanwhile. Returns X (m, n).",
    tolerance=1e-4,
)
def orthogonal(matrix, steps):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = matrix.T if len(matrix) > matrix.shape[1] else matrix
    X = X / X.norm()
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if len(matrix) > matrix.shape[1] else X


@orthogonal.judge
def orthogonal_by_singular_values(matrix, steps):
    """What the iteration does is done to the singular values alone; in float64."""
    U, values, V = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.square().sum().sqrt()
    for _ in range(steps):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (U * values @ V).float()


@orthogonal.run
def checked_precision(answer, matrix, steps):
    result = answer(matrix, steps)
    if isinstance(result, torch.Tensor) and result.dtype == torch.bfloat16:
        raise Mistake(
            "Your result is bfloat16, as in Muon itself, which saves time on a GPU and keeps about three digits. Stay "
            "with the type of `matrix` here."
        )
    return result


def newton_schulz(start=None, polynomial=None):
    """The iteration X ← polynomial(X, X Xᵀ), not transposed for tall matrices, from `start(matrix)`."""
    start = start or (lambda matrix: matrix / matrix.norm())
    polynomial = polynomial or (lambda X, A: 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X)

    def answer(matrix, steps):
        X = start(matrix)
        for _ in range(steps):
            X = polynomial(X, X @ X.T)
        return X

    return answer


@orthogonal.right
def orthogonal_from_the_right(matrix, steps):
    X = matrix / matrix.square().sum().sqrt()
    for _ in range(steps):
        B = X.T @ X
        X = X @ (3.4445 * torch.eye(len(B)) - 4.7750 * B + 2.0315 * B @ B)
    return X


@orthogonal.right
def orthogonal_by_horner(matrix, steps):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = matrix.div(torch.linalg.matrix_norm(matrix) + 1e-7)
    for _ in range(steps):
        squared = torch.mm(X, X.mT)
        X = torch.addmm(X, squared, torch.addmm(X, squared, X, beta=b, alpha=c), beta=a, alpha=1)
    return X


@orthogonal.mistake("You do not use `steps`: Muon does five, but here the caller says how many.")
def always_five_steps(matrix, steps):
    return orthogonal(matrix, 5)


@orthogonal.mistake("You do one step at most. Is the `return` inside the loop?")
def returns_in_the_loop(matrix, steps):
    return orthogonal(matrix, min(steps, 1))


@orthogonal.mistake("You transposed the tall matrix and did not turn the result back. Return X.T for it.")
def not_turned_back(matrix, steps):
    return orthogonal(matrix.T if len(matrix) > matrix.shape[1] else matrix, steps)


@orthogonal.mistake("Your result is transposed. It has the shape of `matrix`.")
def _turned(matrix, steps):
    return orthogonal(matrix, steps).T


@orthogonal.mistake(
    "The result is right, but `matrix` is changed: `X /= X.norm()` works in place, and in Muon that would be "
    "the momentum. Write X = X / X.norm()."
)
def in_place(matrix, steps):
    matrix /= matrix.norm()
    return orthogonal(matrix, steps)


@orthogonal.mistake(
    "You return U Vᵀ of the singular value decomposition: all singular values exactly 1. That is what the "
    "iteration approximates with matrix products alone, which are much cheaper on a GPU. Write the iteration."
)
def exact(matrix, steps):
    U, _, V = torch.linalg.svd(matrix, full_matrices=False)
    return U @ V


@orthogonal.mistake(
    "Your result is bfloat16, as in Muon itself, which saves time on a GPU and keeps about three digits. Stay "
    "with the type of `matrix` here."
)
def halved_precision(matrix, steps):
    return orthogonal(matrix, steps).bfloat16()


@orthogonal.cases
def cases():
    return [
        (torch.tensor([[3.0, 0.0], [0.0, 4.0]]), 1),
        (torch.randn(3, 3), 2),
        (torch.randn(2, 4), 3),
        (torch.randn(5, 2), 2),
        (torch.randn(3, 2), 0),
    ]


orthogonal.right(newton_schulz())


orthogonal.mistake(
    "You did not divide by the norm first. The iteration holds for singular values up to about 1; larger ones explode.",
    TODO_53=newton_schulz(start=lambda matrix: matrix),
)


orthogonal.mistake(
    "You divide each row by its own norm. That changes the directions of the matrix. Use one norm for the "
    "whole matrix.",
    TODO_54=newton_schulz(start=lambda matrix: matrix / matrix.norm(dim=1, keepdim=True)),
)


orthogonal.mistake(
    "You divide by the largest entry. Singular values may still be above 1. Use the Frobenius norm: matrix.norm().",
    TODO_55=newton_schulz(start=lambda matrix: matrix / matrix.abs().max()),
)


orthogonal.mistake(
    "You divide by the squared norm. The Frobenius norm is the root of the sum of all squares: matrix.norm().",
    TODO_56=newton_schulz(start=lambda matrix: matrix / matrix.square().sum()),
)


orthogonal.mistake(
    "You divide by the largest singular value. That would be a good start, but finding it costs much. Here it "
    "is the Frobenius norm: matrix.norm().",
    TODO_57=newton_schulz(start=lambda matrix: matrix / torch.linalg.matrix_norm(matrix, ord=2)),
)


orthogonal.mistake(
    "You divide by the norm in every step, so the singular values can never all reach 1. Divide once, before the loop.",
    TODO_58=newton_schulz(
        polynomial=lambda X, A: (
            3.4445 * X / X.norm() + (-4.7750 * A / X.norm() ** 2 + 2.0315 * A @ A / X.norm() ** 4) @ X / X.norm()
        )
    ),
)


orthogonal.mistake(
    "You squared A number by number (A * A or A**2). A matrix times itself is A @ A.",
    TODO_59=newton_schulz(polynomial=lambda X, A: 3.4445 * X + (-4.7750 * A + 2.0315 * A * A) @ X),
)


orthogonal.mistake(
    "You took powers of the numbers in X. What must come near 1 are the singular values: use matrix products, "
    "A = X @ X.T.",
    TODO_60=newton_schulz(polynomial=lambda X, A: 3.4445 * X - 4.7750 * X**3 + 2.0315 * X**5),
)


orthogonal.mistake(
    "You multiply by X on the wrong side. A = X @ X.T is (m, m), so it stands to the left: (b * A + c * A @ A) @ X.",
    TODO_61=newton_schulz(polynomial=lambda X, A: 3.4445 * X + X @ (-4.7750 * A + 2.0315 * A @ A)),
)


orthogonal.mistake(
    "Your A is X.T @ X, (n, n), which stands to the right of X. To the left of X belongs A = X @ X.T, (m, m).",
    TODO_62=newton_schulz(
        polynomial=lambda X, A: 3.4445 * X + (-4.7750 * (X.T @ X) + 2.0315 * (X.T @ X) @ (X.T @ X)) @ X
    ),
)


orthogonal.mistake(
    "The last term is missing: c * A @ A @ X. Without it the singular values do not stay near 1.",
    TODO_63=newton_schulz(polynomial=lambda X, A: 3.4445 * X - 4.7750 * A @ X),
)


orthogonal.mistake(
    "Your last term has one A too few: it is c * A @ A.",
    TODO_64=newton_schulz(polynomial=lambda X, A: 3.4445 * X + (-4.7750 * A + 2.0315 * A) @ X),
)


orthogonal.mistake(
    "b has lost its minus: b = -4.7750. Without it nothing holds the singular values back.",
    TODO_65=newton_schulz(polynomial=lambda X, A: 3.4445 * X + (4.7750 * A + 2.0315 * A @ A) @ X),
)


orthogonal.mistake(
    "That is the classical Newton-Schulz iteration, 1.5 X - 0.5 X Xᵀ X. It goes to exactly 1, but slowly: "
    "small singular values grow by half in a step. Muon's three coefficients grow them 3.4 times.",
    TODO_66=newton_schulz(polynomial=lambda X, A: 1.5 * X - 0.5 * A @ X),
)


orthogonal.hints(
    "First X = matrix / matrix.norm(): then no singular value is above 1.",
    "In the loop A = X @ X.T. All products are matrix products, @; only a, b and c multiply with *.",
    "X = a * X + (b * A + c * A @ A) @ X",
)
