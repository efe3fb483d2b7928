"""The exercise `lora_forward` of lesson 15: a frozen linear layer and a correction of low rank.

Source: Hu and others, "LoRA: Low-Rank Adaptation of Large Language Models", 2021, section 4.1.
"""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

SHAPES = (
    "The shapes do not fit. x (..., n) has its numbers in the last dimension, so the matrices stand to its right, "
    "transposed: x @ weight.T is (..., m), x @ A.T is (..., r), and that @ B.T is (..., m)."
)


@exercise(
    prompt="A linear layer with LoRA: y = W x + (alpha / r) B A x. `x` is (..., n), `weight` W is (m, n) and frozen, "
    "`A` is (r, n), `B` is (m, r). Return (..., m). There is no bias. Hu and others 2021, section 4.1.",
    tolerance=1e-4,
    untried={"weight": {"a gradient is wanted": "it is frozen: whether a gradient would reach it is left open"}},
)
def lora_forward(x, weight, A, B, alpha):
    r = len(A)
    return x @ weight.T + alpha / r * (x @ A.T @ B.T)


@lora_forward.cases
def cases():
    """One row; five; a new LoRA, whose B is 0; an alpha below r; everything uncommon; one vector alone; a square."""
    x, A, B = uncommon(torch.randn(3, 2, 4), torch.randn(3, 4), torch.randn(5, 3))
    weight = uncommon(torch.randn(5, 4))[0].detach()
    learning = [torch.randn(shape).requires_grad_() for shape in ((2, 3, 6), (2, 6), (5, 2))]
    return [
        (torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, 1.0]]), 4.0),
        (torch.randn(5, 4), torch.randn(3, 4), torch.randn(2, 4), torch.randn(3, 2), 16.0),
        (torch.randn(2, 3, 6), torch.randn(6, 6), torch.randn(1, 6), torch.zeros(6, 1), 8.0),
        (learning[0], torch.randn(5, 6), *learning[1:], 1.0),
        (x, weight, A, B, 6),
        (torch.randn(2), torch.randn(4, 2), torch.randn(3, 2), torch.randn(4, 3), 2.0),
        (torch.randn(4, 4).tril(), torch.randn(4, 4), torch.randn(4, 4), torch.randn(4, 4), 2.0),
    ]


@lora_forward.run
def shapes_in_words(answer, x, weight, A, B, alpha):
    try:
        return answer(x, weight, A, B, alpha)
    except RuntimeError as error:
        fits = not any(part in str(error) for part in ("cannot be multiplied", "size of tensor", "size mismatch"))
        raise error if fits else Mistake(SHAPES) from None


@lora_forward.judge
def by_rows(x, weight, A, B, alpha):
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        small = torch.stack([(a * row).sum() for a in A])  # r numbers
        change = torch.stack([(b * small).sum() for b in B]) * alpha / A.shape[0]
        rows.append(torch.stack([(w * row).sum() for w in weight]) + change)
    return torch.stack(rows).view(*x.shape[:-1], len(weight))


@lora_forward.right
def merged_first(x, weight, A, B, alpha):
    return F.linear(x, weight + (alpha / A.shape[0]) * (B @ A))


@lora_forward.right
def with_linear(x, weight, A, B, alpha):
    return F.linear(x, weight) + F.linear(F.linear(x, A), B) * (alpha / B.shape[1])


@lora_forward.right
def with_einsum(x, weight, A, B, alpha):
    plain = torch.einsum("...i,oi->...o", x, weight)
    return plain + torch.einsum("...i,ri,or->...o", x, A, B).mul(alpha).div(len(A))


@lora_forward.right
def as_columns(x, weight, A, B, alpha):
    columns = x.reshape(-1, x.shape[-1]).T
    y = weight.detach() @ columns + alpha * (B @ (A @ columns)) / A.size(0)
    return y.T.reshape(*x.shape[:-1], -1)


@lora_forward.right
def rank_by_rank(x, weight, A, B, alpha):
    y = x @ weight.mT
    for a, b in zip(A, B.T, strict=True):
        y = y + alpha / len(A) * (x @ a)[..., None] * b
    return y


changed = lora_forward.changed
CORRECTION = "alpha / r * (x @ A.T @ B.T)"

# The factor.
lora_forward.mistake(
    "The correction is multiplied by alpha, and not divided by the rank r = len(A).",
    not_divided_by_r=changed("alpha / r", "alpha"),
)
lora_forward.mistake(
    "`alpha` is missing: the correction counts alpha / r.", alpha_missing=changed("alpha / r", "1 / r")
)
lora_forward.mistake(
    "The factor alpha / r before the correction is missing.", factor_missing=changed("alpha / r *", "")
)
lora_forward.mistake(
    "You divide by n, the number of inputs. The rank r is the short side of A: A.shape[0].",
    divided_by_inputs=changed("len(A)", "A.shape[1]"),
)
lora_forward.mistake(
    "You divide by m, the number of outputs. The rank r is the short side of B: B.shape[1].",
    divided_by_outputs=changed("len(A)", "len(B)"),
)
lora_forward.mistake(
    "You divide by the number of rows of x. The rank r is the short side of A: A.shape[0].",
    divided_by_rows=changed("len(A)", "len(x)"),
)
lora_forward.mistake(
    "You divide by all numbers in A. The rank r is how many rows it has: A.shape[0].",
    divided_by_elements=changed("len(A)", "A.numel()"),
)
lora_forward.mistake("You multiply by r / alpha. It is alpha / r.", upside_down=changed("alpha / r", "r / alpha"))
lora_forward.mistake(
    "You multiply by alpha and by r. Divide by r: alpha / r.", times_r=changed("alpha / r", "alpha * r")
)
lora_forward.mistake(
    "You divide by alpha and by r. Only r divides: alpha / r.", one_over_both=changed("alpha / r", "1 / (alpha * r)")
)
lora_forward.mistake(
    "You divide by the root of r. That is another variant (rsLoRA); here the factor is alpha / r.",
    root_of_r=changed("alpha / r", "alpha / r**0.5"),
)
lora_forward.mistake(
    "You divide by r squared. The factor is alpha / r.", r_squared=changed("alpha / r", "alpha / r**2")
)
lora_forward.mistake(
    "`//` divides whole numbers: an alpha below r gives 0. Write alpha / r.",
    whole_number=changed("alpha / r", "alpha // r"),
)
lora_forward.mistake(
    "The factor is rounded to a whole number: a small one becomes 0. Write alpha / r.",
    rounded=changed("alpha / r", "round(alpha / r)"),
)
lora_forward.mistake(
    "Your rank is always 8. It is what A and B are made with: r = A.shape[0].", always_eight=changed("len(A)", "8")
)
lora_forward.mistake(
    "Your rank is always 4. It is what A and B are made with: r = A.shape[0].", always_four=changed("len(A)", "4")
)
lora_forward.mistake(
    "The factor counts twice: once for A and once for B. It stands before B A once.",
    factor_twice=changed("alpha / r", "(alpha / r) ** 2"),
)
lora_forward.mistake(
    "The factor alpha / r stands before both parts. It belongs to the correction only.",
    factor_before_both=changed(
        "x @ weight.T + alpha / r * (x @ A.T @ B.T)", "alpha / r * (x @ weight.T + x @ A.T @ B.T)"
    ),
)
lora_forward.mistake(
    "The factor alpha / r stands before W x. It belongs to the correction.",
    factor_before_the_weight=changed("x @ weight.T + alpha / r *", "alpha / r * (x @ weight.T) +"),
)
lora_forward.mistake(
    "`alpha` mixes the two parts, (1 - alpha) of one and alpha of the other. LoRA adds: W x + (alpha / r) B A x.",
    mixed=changed("x @ weight.T + alpha / r", "(1 - alpha) * (x @ weight.T) + alpha"),
)

# The two parts.
lora_forward.mistake(
    "W x is missing: LoRA corrects what the frozen layer says, it does not take its place.",
    weight_missing=changed("x @ weight.T + ", ""),
)
lora_forward.mistake(
    "The correction is missing: add (alpha / r) B A x.", correction_missing=changed(f" + {CORRECTION}", "")
)
lora_forward.mistake("The correction is subtracted. Add it.", correction_subtracted=changed("+ alpha", "- alpha"))
lora_forward.mistake("W x and the correction are multiplied. Add them.", parts_multiplied=changed("+ alpha", "* alpha"))
lora_forward.mistake(
    "There is a ReLU between A and B. LoRA has none: only so can B A be added to W when the training is over.",
    relu_between=changed("(x @ A.T @ B.T)", "(torch.relu(x @ A.T) @ B.T)"),
)
lora_forward.mistake(
    "There is a ReLU behind W x + B A x. The layer is linear.",
    relu_at_the_end=changed(
        "return x @ weight.T + alpha / r * (x @ A.T @ B.T)", f"return torch.relu(x @ weight.T + {CORRECTION})"
    ),
)
lora_forward.mistake(
    "There is a ReLU behind B A x. LoRA is linear: only so can B A be added to W when the training is over.",
    relu_behind=changed("(x @ A.T @ B.T)", "torch.relu(x @ A.T @ B.T)"),
)
lora_forward.mistake(
    "A softmax stands between A and B. LoRA is linear: only so can B A be added to W when the training is over.",
    softmax_between=changed("(x @ A.T @ B.T)", "((x @ A.T).softmax(-1) @ B.T)"),
)
lora_forward.mistake(
    "W is used without its transpose, which only a square one allows. W x for rows is x @ W.T.",
    weight_not_transposed=changed("weight.T", "(weight if len(weight) == weight.shape[1] else weight.T)"),
)
lora_forward.mistake(
    "`x` has its numbers in the last dimension, and B A is (m, n): multiply by its transpose, x @ (B @ A).T.",
    product_not_transposed=changed("(x @ A.T @ B.T)", "(x @ (B @ A))"),
)
lora_forward.mistake(
    "`x` has its numbers in the last dimension: W x for rows is x @ W.T, and B A x is x @ A.T @ B.T.",
    nothing_transposed=changed("weight.T", "weight", "A.T @ B.T", "A @ B"),
)
lora_forward.mistake(
    "A and B are exchanged. A comes first, x @ A.T is (..., r); B makes (..., m) of it. And B @ A is (m, n) like W, "
    "A @ B is not.",
    exchanged=changed("A.T @ B.T", "B.T @ A.T"),
)
lora_forward.mistake(
    "B A is multiplied by alpha / r, and then W by it: the two are to be added, W + (alpha / r) B A.",
    weight_multiplied=changed("x @ weight.T + alpha / r * (x @ A.T @ B.T)", "x @ (weight * (alpha / r * (B @ A))).T"),
)

# Shape, gradients, what is left.
lora_forward.mistake(
    "The leading dimensions are lost: you made one row after the other of them. x may be (..., n), so x @ weight.T "
    "needs no reshape; or put them back at the end.",
    flattened=changed("r = len(A)", "r = len(A); x = x.reshape(-1, x.shape[-1])"),
)
lora_forward.mistake(
    "You take the mean over the rows. Each row has a result of its own.",
    mean_over_rows=changed("return ", "return (", "B.T)", "B.T)).mean(dim=0)"),
)
lora_forward.mistake(
    "You add up all outputs. The result is (..., m).", summed=changed("return ", "return (", "B.T)", "B.T)).sum()")
)
lora_forward.mistake(
    "The last dimension comes first: return (..., m).",
    transposed=changed("return ", "return (", "B.T)", "B.T)).movedim(-1, 0)"),
)
lora_forward.mistake(
    "The result is right, but A and B get no gradient: .detach(), .data or no_grad cut them off, and they are all that "
    "LoRA trains. Only the weight is frozen.",
    lora_detached=changed("A.T @ B.T", "A.T.detach() @ B.T.detach()"),
)
lora_forward.mistake(
    "The result is right, but A gets no gradient: .detach() or .data cuts it off. A and B are what LoRA trains; only "
    "the weight is frozen.",
    A_detached=changed("A.T", "A.T.detach()"),
)
lora_forward.mistake(
    "The result is right, but B gets no gradient: .detach() or .data cuts it off. A and B are what LoRA trains; only "
    "the weight is frozen.",
    B_detached=changed("B.T", "B.T.detach()"),
)
lora_forward.mistake(
    "The result is right, but x gets no gradient from the correction: the layers before this one learn from it too. "
    "Detach nothing but the weight.",
    x_detached_in_the_correction=changed("(x @ A.T", "(x.detach() @ A.T"),
)
lora_forward.mistake(
    "The result is right, but x gets no gradient from W x. The weight is frozen, and the gradient still passes through "
    "it: no torch.no_grad() around it.",
    x_detached_in_the_weight=changed("x @ weight.T", "x.detach() @ weight.T"),
)
lora_forward.mistake(
    "The result is right, but x gets no gradient: the layers before this one cannot learn. Detach nothing but the "
    "weight.",
    x_detached=changed("x @ weight.T", "x.detach() @ weight.T", "(x @ A.T", "(x.detach() @ A.T"),
)
lora_forward.mistake(
    "The result is right, but it has no graph at all: nothing can be trained through it. Leave out no_grad() and "
    "detach().",
    no_graph=changed("return ", "return (", "B.T)", "B.T)).detach()"),
)


@lora_forward.mistake(
    "The result is right, but you changed the frozen weight itself: the next call adds the correction again. "
    "weight + ... makes a new tensor; `weight += ...` changes the old one."
)
def weight_changed(x, weight, A, B, alpha):
    weight += alpha / len(A) * (B @ A)
    return x @ weight.T


@lora_forward.mistake(
    "The result is right, but you changed the numbers of the frozen weight (weight.data): the next call adds the "
    "correction again, and A and B get no gradient. Write x @ weight.T + the correction."
)
def weight_data_changed(x, weight, A, B, alpha):
    weight.data += alpha / len(A) * (B @ A).detach()
    return x @ weight.T


lora_forward.mistake(SHAPES, matrix_to_the_left=changed("x @ weight.T", "weight @ x", "(x @ A.T @ B.T)", "(B @ A @ x)"))
lora_forward.mistake(
    "r is the smaller side of A for you. It is how many rows A has, even where x has fewer numbers: A.shape[0].",
    smaller_side=changed("len(A)", "min(A.shape)"),
)


lora_forward.hints(
    "x has its numbers in the last dimension, so W x for all rows at once is x @ weight.T.",
    "First A: x @ A.T is (..., r). Then B: @ B.T makes (..., m) of it. r is len(A).",
    "x @ weight.T + alpha / len(A) * (x @ A.T @ B.T)",
)
