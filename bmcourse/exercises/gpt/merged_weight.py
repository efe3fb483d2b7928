"""The exercise `merged_weight` of lesson 15: LoRA added into the weight it corrects, once the training is over."""

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

SHAPES = (
    "The shapes do not fit. weight is (m, n), B is (m, r) and A is (r, n): B @ A is (m, n), and is added to weight."
)
LEFT_OPEN = {"a gradient is wanted": "the training is over: whether the new weight has a graph is left open"}


@exercise(
    prompt="The training is over, and LoRA shall cost nothing any more: return one weight (m, n), a new tensor, with "
    "which a plain linear layer does the same as W x + (alpha / r) B A x. `weight` W is (m, n), `A` is (r, n), `B` is "
    "(m, r).",
    tolerance=1e-4,
    untried={"weight": LEFT_OPEN, "A": LEFT_OPEN, "B": LEFT_OPEN},
)
def merged_weight(weight, A, B, alpha):
    return weight + alpha / len(A) * (B @ A)


@merged_weight.cases
def cases():
    """Small numbers; three sizes; an alpha below r; a B of 0; one output and rank 1, uncommon; a square of one size."""
    one = [torch.tensor([[0.0, 2.0, 2.0]]), torch.tensor([[0.0, 1.0, 1.0]]), torch.tensor([[3.0]])]
    rough = uncommon(torch.randn(2, 3), torch.randn(4, 3), torch.randn(2, 4))
    return [
        (torch.zeros(2, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [1.0]]), 2.0),
        (torch.randn(3, 4), torch.randn(2, 4), torch.randn(3, 2), 16.0),
        (torch.randn(5, 5), torch.randn(3, 5), torch.randn(5, 3), 1.0),
        (torch.randn(4, 4), torch.randn(2, 4), torch.zeros(4, 2), 8.0),
        (*one, 1.0),
        (*(part.detach() for part in rough), 6),
        (*(torch.randn(3, 3) for _ in range(3)), 2.0),
    ]


@merged_weight.run
def in_a_tensor_of_its_own(answer, weight, A, B, alpha):
    try:
        merged = answer(weight, A, B, alpha)
    except RuntimeError as error:
        fits = not any(part in str(error) for part in ("cannot be multiplied", "size of tensor", "size mismatch"))
        raise error if fits else Mistake(SHAPES) from None
    if torch.is_tensor(merged) and merged.data_ptr() == weight.data_ptr() and not B.any():
        raise Mistake("Where B is 0 you return the weight itself. Make a new tensor: weight + ...")
    return merged


@merged_weight.judge
def by_columns(weight, A, B, alpha):
    """Column i is what the layer with LoRA makes of the i-th unit vector."""
    columns = []
    for i in range(weight.shape[1]):
        small = A[:, i]
        columns.append(weight[:, i] + alpha / A.shape[0] * (B * small).sum(dim=1))
    return torch.stack(columns, dim=1)


@merged_weight.right
def by_outer_products(weight, A, B, alpha):
    merged = weight.clone()
    for a, b in zip(A, B.T, strict=True):
        merged += alpha / len(A) * torch.outer(b, a)
    return merged


@merged_weight.right
def with_addmm(weight, A, B, alpha):
    return torch.addmm(weight, B, A, alpha=alpha / B.shape[1])


@merged_weight.right
def of_the_identity(weight, A, B, alpha):
    unit = torch.eye(A.shape[1], dtype=A.dtype)
    return (unit @ weight.T + alpha / len(A) * (unit @ A.T @ B.T)).T


@merged_weight.right
def with_einsum(weight, A, B, alpha):
    with torch.no_grad():
        return weight.add(torch.einsum("mr,rn->mn", B, A), alpha=alpha / A.size(0))


changed = merged_weight.changed
ALL = "weight + alpha / len(A) * (B @ A)"

# The factor.
merged_weight.mistake("The factor alpha / r is missing.", factor_missing=changed("alpha / len(A) *", ""))
merged_weight.mistake("You do not divide by the rank r = len(A).", not_divided_by_r=changed(" / len(A)", ""))
merged_weight.mistake("`alpha` is missing: the factor is alpha / r.", alpha_missing=changed("alpha /", "1 /"))
merged_weight.mistake(
    "You multiply by r / alpha. It is alpha / r.", upside_down=changed("alpha / len(A)", "len(A) / alpha")
)
merged_weight.mistake(
    "You multiply by alpha and by r. Divide by r: alpha / r.", times_r=changed("/ len(A)", "* len(A)")
)
merged_weight.mistake(
    "You divide by n, the number of inputs. The rank r is the short side of A: A.shape[0].",
    divided_by_inputs=changed("len(A)", "A.shape[1]"),
)
merged_weight.mistake(
    "You divide by m, the number of outputs. The rank r is the short side of B: B.shape[1].",
    divided_by_outputs=changed("len(A)", "len(B)"),
)
merged_weight.mistake(
    "You divide by all numbers in A. The rank r is how many rows it has: A.shape[0].",
    divided_by_elements=changed("len(A)", "A.numel()"),
)
merged_weight.mistake(
    "You divide by the root of r. That is another variant (rsLoRA); here the factor is alpha / r.",
    root_of_r=changed("len(A)", "len(A) ** 0.5"),
)
merged_weight.mistake("You divide by r squared. The factor is alpha / r.", r_squared=changed("len(A)", "len(A) ** 2"))
merged_weight.mistake(
    "The factor counts twice: once for A and once for B. It stands before B A once.",
    factor_twice=changed("alpha / len(A)", "(alpha / len(A)) ** 2"),
)
merged_weight.mistake(
    "`//` is whole-number division: an alpha below r gives 0. Write alpha / r.",
    whole_number=changed("alpha /", "alpha //"),
)
merged_weight.mistake(
    "The factor is rounded to a whole number: a small one is lost. Write alpha / r.",
    rounded=changed("alpha / len(A)", "round(alpha / len(A))"),
)
merged_weight.mistake(
    "Your rank is always 8. It is what A and B are made with: r = A.shape[0].", always_eight=changed("len(A)", "8")
)
merged_weight.mistake(
    "Your rank is always 4. It is what A and B are made with: r = A.shape[0].", always_four=changed("len(A)", "4")
)
merged_weight.mistake(
    "The factor stands before the weight too. It belongs to B A only.",
    factor_before_both=changed(ALL, "alpha / len(A) * (weight + B @ A)"),
)
merged_weight.mistake(
    "The factor stands before the weight. It belongs to B A.",
    factor_before_the_weight=changed(ALL, "alpha / len(A) * weight + B @ A"),
)
merged_weight.mistake(
    "`alpha` mixes the two, (1 - alpha) of one and alpha of the other. LoRA adds to W: W + (alpha / r) B A.",
    mixed=changed(ALL, "(1 - alpha) * weight + alpha * (B @ A)"),
)

# The two parts.
merged_weight.mistake("That is the correction alone. Add it to the weight.", weight_missing=changed("weight +", ""))
merged_weight.mistake(
    "That is the weight as it was. Add the correction, (alpha / r) B A.",
    correction_missing=changed(ALL, "weight.clone()"),
)
merged_weight.mistake(
    "The correction is subtracted: that takes LoRA away from a weight it was merged into.",
    subtracted=changed("weight +", "weight -"),
)
merged_weight.mistake(
    "The weight is multiplied by the correction. Add them: W x + c B A x = (W + c B A) x.",
    multiplied=changed("weight +", "weight *"),
)
merged_weight.mistake(
    "You multiply the weight by the identity plus B A. The correction does not pass through W: W + (alpha / r) B A.",
    through_the_weight=changed("(B @ A)", "(weight @ B @ A if weight.shape[1] == len(B) else B @ A)"),
)
merged_weight.mistake(
    "The correction is added twice. Once is what the layer did.", twice=changed("alpha /", "2 * alpha /")
)
merged_weight.mistake(
    "B comes first: B @ A is (m, n), like the weight; A @ B is (r, r) or does not fit at all. And the factor alpha / r "
    "is missing.",
    A_first_without_factor=changed("alpha / len(A) * (B @ A)", "A @ B"),
)
merged_weight.mistake(
    "B comes first: B @ A is (m, n), like the weight. A @ B has another shape.", A_first=changed("B @ A", "A @ B")
)
merged_weight.mistake(
    "A.T @ B.T is (n, m), the transpose. B @ A is (m, n).", transposed_correction=changed("B @ A", "A.T @ B.T")
)
merged_weight.mistake(
    "B * A multiplies number by number. A matrix product is meant: B @ A.", number_by_number=changed("B @ A", "B * A")
)
merged_weight.mistake("You add A and B. A matrix product is meant: B @ A.", added=changed("B @ A", "B + A"))
merged_weight.mistake("There is a ReLU on B A. LoRA is linear.", relu=changed("(B @ A)", "torch.relu(B @ A)"))
merged_weight.mistake(
    "There is a ReLU on A. LoRA is linear: B @ A.", relu_on_A=changed("(B @ A)", "(B @ torch.relu(A))")
)
merged_weight.mistake(
    "Your result is transposed: the weight of a linear layer is (m, n).", transposed=changed(ALL, f"({ALL}).T")
)
merged_weight.mistake(
    "You return weight and correction apart. One weight is asked for, their sum.",
    both_apart=changed(ALL, "weight, alpha / len(A) * (B @ A)"),
)
merged_weight.mistake(
    "You return a layer. Asked for is its weight, a tensor (m, n).",
    layer=changed(ALL, "torch.nn.Linear(weight.shape[1], len(weight), bias=False)"),
)
merged_weight.mistake(
    "You return a function of x. Asked for is one weight, a tensor (m, n).",
    function=changed(ALL, f"lambda x: x @ ({ALL}).T"),
)


@merged_weight.mistake(
    "The weight is right, but you changed the one that came in: the model you began with is gone. Make a new tensor."
)
def in_place(weight, A, B, alpha):
    weight += alpha / len(A) * (B @ A)
    return weight.clone()


@merged_weight.mistake(
    "The weight is right, but it is the tensor that came in, changed: the model you began with is gone. weight + ... "
    "makes a new one; `weight += ...` and weight.add_(...) change the old one."
)
def the_same_tensor(weight, A, B, alpha):
    weight += alpha / len(A) * (B @ A)
    return weight


merged_weight.mistake(SHAPES, weight_transposed=changed("weight +", "weight.T +", "B @ A", "A.T @ B.T @ A"))


merged_weight.hints(
    "W x + c B A x = (W + c B A) x. So what is the one weight?",
    "B @ A is (m, n), the shape of the weight. r is len(A).",
    "weight + alpha / len(A) * (B @ A)",
)
