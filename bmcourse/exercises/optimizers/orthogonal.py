"""The exercise `orthogonal` of lesson 07: Muon's iteration, which brings singular values near 1.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024 (Newton-Schulz iteration).
"""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="All singular values of `matrix` (m, n) brought near 1. Start with X = matrix / its Frobenius norm. Then "
    "`steps` times: A = X Xᵀ, and X = a X + (b A + c A A) X, with a = 3.4445, b = -4.7750, c = 2.0315. A tall matrix "
    "may be turned meanwhile. Returns X (m, n).",
    tolerance=1e-4,
    untried={"matrix": {"a gradient is wanted": "Muon calls it without gradients, and keeping the graph is left open"}},
    built=("orthogonalize", "zeropower_via_newtonschulz5", "_zeropower_via_newtonschulz", "Muon"),
)
def orthogonal(matrix, steps):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = matrix.T if len(matrix) > matrix.shape[1] else matrix
    X = X / X.norm()
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if len(matrix) > matrix.shape[1] else X


@orthogonal.cases
def cases():
    """Two by two; square; wide; tall; no step; one row of float64; not contiguous, with a norm below 1."""
    apart = torch.stack([0.01 * torch.randn(3, 4)] * 2, dim=-1)[..., 0]
    return [
        (torch.tensor([[3.0, 0.0], [0.0, 4.0]]), 1),
        (torch.randn(3, 3), 2),
        (torch.randn(2, 4), 3),
        (torch.randn(5, 2), 2),
        (torch.randn(3, 2), 0),
        (torch.tensor([[2.0, 0.0, 2.0]], dtype=torch.float64), 5),
        (apart, 1),
    ]


@orthogonal.judge
def by_singular_values(matrix, steps):
    """What the iteration does is done to the singular values alone; in float64."""
    U, values, V = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.square().sum().sqrt()
    for _ in range(steps):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (U * values @ V).to(matrix.dtype)


HALVED = (
    "Your result is bfloat16, as in Muon itself, which saves time on a GPU and keeps about three digits. Stay "
    "with the type of `matrix` here."
)


@orthogonal.run
def checked_precision(answer, matrix, steps):
    result = answer(matrix, steps)
    if isinstance(result, torch.Tensor) and result.dtype == torch.bfloat16:
        raise Mistake(HALVED)
    return result


@orthogonal.right
def never_turned(matrix, steps):
    X = matrix / matrix.norm()
    for _ in range(steps):
        A = X @ X.T
        X = 3.4445 * X - 4.7750 * (A @ X) + 2.0315 * (A @ (A @ X))
    return X


@orthogonal.right
def from_the_right(matrix, steps):
    X = matrix / matrix.square().sum().sqrt()
    for _ in range(steps):
        B = X.T @ X
        X = X @ (3.4445 * torch.eye(len(B), dtype=B.dtype) - 4.7750 * B + 2.0315 * B @ B)
    return X


@orthogonal.right
def by_horner(matrix, steps):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = matrix.div(torch.linalg.matrix_norm(matrix) + 1e-7)
    for _ in range(steps):
        squared = torch.mm(X, X.mT)
        X = torch.addmm(X, squared, torch.addmm(X, squared, X, beta=b, alpha=c), beta=a, alpha=1)
    return X


changed = orthogonal.changed
TURN, TURN_BACK = "matrix.T if len(matrix) > matrix.shape[1] else matrix", "X.T if len(matrix) > matrix.shape[1] else X"
UNTURNED = TURN, "matrix", TURN_BACK, "X"
POLYNOMIAL = "(b * A + c * A @ A) @ X"

# The norm.
orthogonal.mistake(
    "You did not divide by the norm first. The iteration holds for singular values up to about 1; larger ones explode.",
    no_norm=changed("X = X / X.norm()", ""),
)
orthogonal.mistake(
    "You divide each row by its own norm. That changes the directions of the matrix. Use one norm for the "
    "whole matrix.",
    norm_of_each_row=changed("X.norm()", "X.norm(dim=1, keepdim=True)", *UNTURNED),
)
orthogonal.mistake(
    "You divide each column by its own norm. That changes the directions of the matrix. Use one norm for the "
    "whole matrix.",
    norm_of_each_column=changed("X.norm()", "X.norm(dim=0, keepdim=True)", *UNTURNED),
)
orthogonal.mistake(
    "You divide by the largest entry. Singular values may still be above 1. Use the Frobenius norm: matrix.norm().",
    largest_entry=changed("X.norm()", "X.abs().max()"),
)
orthogonal.mistake(
    "You divide by the squared norm. The Frobenius norm is the root of the sum of all squares: matrix.norm().",
    norm_squared=changed("X.norm()", "X.square().sum()"),
)
orthogonal.mistake(
    "You divide by the sum of the absolute values. The Frobenius norm is the root of the sum of all squares: "
    "matrix.norm().",
    sum_of_absolutes=changed("X.norm()", "X.abs().sum()"),
)
orthogonal.mistake(
    "You divide by the root of the mean of the squares. The Frobenius norm is the root of their sum: matrix.norm().",
    root_of_the_mean=changed("X.norm()", "X.square().mean().sqrt()"),
)
orthogonal.mistake(
    "You divide by the largest singular value. That would be a good start, but finding it costs much. Here it "
    "is the Frobenius norm: matrix.norm().",
    largest_singular_value=changed("X.norm()", "torch.linalg.matrix_norm(X, ord=2)"),
)
orthogonal.mistake(
    "You divide only where the norm is above 1. Small matrices are divided too, or many more steps are needed.",
    only_large_ones=changed("X.norm()", "X.norm().clamp(min=1)"),
)
orthogonal.mistake(
    "You divide by the norm in every step, so the singular values can never all reach 1. Divide once, before the loop.",
    norm_in_every_step=changed("A = X @ X.T", "X = X / X.norm(); A = X @ X.T"),
)
orthogonal.mistake(
    "You divide by the norm after every step, so the singular values can never all reach 1. Divide once, before the "
    "loop.",
    norm_after_every_step=changed(POLYNOMIAL, f"{POLYNOMIAL}; X = X / X.norm()"),
)
orthogonal.mistake(
    "You multiply by the norm at the end. The norm is taken away for good: all singular values are to be near 1.",
    norm_put_back=changed("return", "X = X * matrix.norm(); return"),
)

# The polynomial.
orthogonal.mistake(
    "You squared A number by number (A * A or A**2). A matrix times itself is A @ A.",
    squared_number_by_number=changed("c * A @ A", "c * A * A"),
)
orthogonal.mistake(
    "You took powers of the numbers in X. What must come near 1 are the singular values: use matrix products, "
    "A = X @ X.T.",
    powers_of_numbers=changed(POLYNOMIAL, "b * X**3 + c * X**5"),
)
orthogonal.mistake(
    "You multiply by X on the wrong side. A = X @ X.T is (m, m), so it stands to the left: (b * A + c * A @ A) @ X.",
    from_the_wrong_side=changed(POLYNOMIAL, "X @ (b * A + c * A @ A)"),
)
orthogonal.mistake(
    "Your A is X.T @ X, (n, n), which stands to the right of X. To the left of X belongs A = X @ X.T, (m, m).",
    A_of_the_other_side=changed("A = X @ X.T", "A = X.T @ X"),
)
orthogonal.mistake(
    "Your A is X.T @ X, (n, n). To the left of X belongs A = X @ X.T, (m, m).",
    A_of_the_other_side_unturned=changed("A = X @ X.T", "A = X.T @ X", *UNTURNED),
)
orthogonal.mistake(
    "Your A is X @ X without the transpose: only a square X allows that, and its singular values are not squared. "
    "A = X @ X.T.",
    transpose_forgotten=changed("X @ X.T", "X @ X"),
)
orthogonal.mistake(
    "Your A is computed once, before the loop. It belongs to the X of now: compute it in every step.",
    A_computed_once=changed("for _", "A = X @ X.T\n    for _", "A = X @ X.T\n        ", ""),
)
orthogonal.mistake(
    "The last term is missing: c * A @ A @ X. Without it the singular values do not stay near 1.",
    no_last_term=changed(" + c * A @ A", ""),
)
orthogonal.mistake(
    "The middle term is missing: b * A @ X. It is what holds the singular values back.",
    no_middle_term=changed("b * A + ", ""),
)
orthogonal.mistake(
    "The first term is missing: a * X. Without it small singular values vanish.", no_first_term=changed("a * X + ", "")
)
orthogonal.mistake(
    "Your first term is X, and a is missing: a * X. It is a = 3.4445 that makes small singular values grow.",
    a_missing=changed("a * X", "X"),
)
orthogonal.mistake("Your last term has one A too few: it is c * A @ A.", one_A_too_few=changed("c * A @ A", "c * A"))
orthogonal.mistake(
    "Your last term has one A too many: it is c * A @ A.", one_A_too_many=changed("c * A @ A", "c * A @ A @ A")
)
orthogonal.mistake(
    "The factor X after the brackets is missing: (b * A + c * A @ A) @ X.",
    X_missing=changed(POLYNOMIAL, "(b * A + c * A @ A)"),
)
orthogonal.mistake(
    "The brackets are missing: b * A must be multiplied by X too. (b * A + c * A @ A) @ X.",
    brackets_missing=changed(POLYNOMIAL, "b * A + c * A @ A @ X"),
)
orthogonal.mistake(
    "The product before X is taken number by number (*). It is a matrix product: (b * A + c * A @ A) @ X.",
    last_product_by_numbers=changed(") @ X", ") * X"),
)
orthogonal.mistake(
    "`b` and c are exchanged: b = -4.7750 stands before A, c = 2.0315 before A A.",
    b_and_c_exchanged=changed("a, b, c =", "a, c, b ="),
)
orthogonal.mistake(
    "`b` has lost its minus: b = -4.7750. Without it nothing holds the singular values back.",
    minus_lost=changed("-4.7750", "4.7750"),
)
orthogonal.mistake(
    "`c` has the wrong sign: c = 2.0315 is positive, b alone is negative.", c_negative=changed("2.0315", "-2.0315")
)
orthogonal.mistake(
    "That is the classical Newton-Schulz iteration, 1.5 X - 0.5 X Xᵀ X. It goes to exactly 1, but slowly: "
    "small singular values grow by half in a step. Muon's three coefficients grow them 3.4 times.",
    classical=changed("a, b, c = 3.4445, -4.7750, 2.0315", "a, b, c = 1.5, -0.5, 0.0"),
)
orthogonal.mistake(
    "Those are the coefficients 15/8, -10/8 and 3/8 of the classical iteration of fifth order. Muon's grow small "
    "singular values faster: a = 3.4445, b = -4.7750, c = 2.0315.",
    classical_of_fifth_order=changed("3.4445, -4.7750, 2.0315", "15 / 8, -10 / 8, 3 / 8"),
)
orthogonal.mistake(
    "Each step adds to X what it should put in its place: X = a X + ..., not X += a X + ...",
    added_to_X=changed("X = a * X", "X = X + a * X"),
)

# Steps, shape and type.
orthogonal.mistake(
    "You do not use `steps`: Muon does five, but here the caller says how many.",
    always_five_steps=changed("range(steps)", "range(5)"),
)
orthogonal.mistake(
    "You do one step at most. Is the `return` inside the loop?",
    return_in_the_loop=changed("range(steps)", "range(min(steps, 1))"),
)
orthogonal.mistake(
    "You do one step too few: range(steps) makes `steps` steps.",
    one_step_too_few=changed("range(steps)", "range(steps - 1)"),
)
orthogonal.mistake(
    "You do one step too many: range(steps) makes `steps` steps.",
    one_step_too_many=changed("range(steps)", "range(steps + 1)"),
)
orthogonal.mistake(
    "You transposed the tall matrix and did not turn the result back. Return X.T for it.",
    not_turned_back=changed(TURN_BACK, "X"),
)
orthogonal.mistake(
    "Your result is transposed. It has the shape of `matrix`.",
    transposed=changed(TURN_BACK, "X if len(matrix) > matrix.shape[1] else X.T"),
)
orthogonal.mistake(
    "You scale a tall result by the root of m / n, as Muon does with what it gets from here. Asked for is X alone.",
    scaled_at_the_end=changed("return", "X = X * max(1, len(matrix) / matrix.shape[1]) ** 0.5; return"),
)
orthogonal.mistake(
    "You return A, not X.", A_for_X=lambda matrix, steps: (X := orthogonal(matrix, max(0, steps - 1))) @ X.T
)
orthogonal.mistake(HALVED, halved_precision=lambda matrix, steps: orthogonal(matrix, steps).bfloat16())
orthogonal.mistake(
    "Your result was rounded to bfloat16 on the way, as in Muon itself, and three digits are right. Stay with the "
    "type of `matrix`.",
    halved_on_the_way=changed(
        "X = X / X.norm()", "X = (X / X.norm()).bfloat16()", "return", "X = X.to(matrix.dtype); return"
    ),
)


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


@orthogonal.mistake("You make one step whatever `steps` is: the loop is missing.")
def no_loop(matrix, steps):
    return orthogonal(matrix, 1)


@orthogonal.mistake(
    "You return Q of the QR decomposition. Its columns are orthogonal, but its directions are not those of the matrix. "
    "Write the iteration."
)
def by_qr(matrix, steps):
    return torch.linalg.qr(matrix)[0]


orthogonal.hints(
    "First X = matrix / matrix.norm(): then no singular value is above 1.",
    "In the loop A = X @ X.T. All products are matrix products, @; only a, b and c multiply with *.",
    "X = a * X + (b * A + c * A @ A) @ X",
)
