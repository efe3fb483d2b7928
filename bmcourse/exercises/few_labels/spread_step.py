"""The exercise `spread_step` of lesson 13: labels spread to near inputs (Zhou et al. 2003, section 2)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise

NOTHING_FLOWS = "nothing is trained through this: nobody needs its gradient"


@exercise(
    prompt="One step of label spreading. weights (N, N) say how near two inputs are; they are symmetric, with 0 on the "
    "diagonal. Let d be the sum of each row; S[i, j] = weights[i, j] / sqrt(d[i] d[j]), and 0 where d[i] or d[j] is 0: "
    "an input without neighbours hears nothing. known (N, K) has a 1 for the class of each labelled input, and rows of "
    "0 for the others. Return alpha * S @ scores + (1 - alpha) * known: what the neighbours say, and what was said at "
    "the start. Zhou et al. 2003, section 2.",
    untried={name: {"a gradient is wanted": NOTHING_FLOWS} for name in ("weights", "scores", "known")},
)
def spread_step(weights, scores, known, alpha):
    d = weights.sum(dim=1)
    roots = torch.where(d > 0, d, 1.0).sqrt()
    S = weights / roots[:, None] / roots
    return alpha * S @ scores + (1 - alpha) * known


def neighbourhood(n, classes):
    """Weights of `n` inputs, scores of a step in between, and the known labels of the first half."""
    weights = torch.rand(n, n)
    known = torch.zeros(n, classes)
    known[torch.arange(n // 2), torch.arange(n // 2) % classes] = 1.0
    return (weights + weights.T).fill_diagonal_(0.0), torch.rand(n, classes), known


def cut_off(weights, *inputs):
    """The same, where some are no neighbours, and the first and the last have none at all."""
    weights = weights * (weights > 0.6)
    for lonely in (0, -1):
        weights[lonely] = weights[:, lonely] = 0.0
    return weights, *inputs


@spread_step.cases
def cases():
    weights, scores, known = neighbourhood(5, 4)
    return [
        (
            torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 3.0], [0.0, 3.0, 0.0]]),
            torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
            torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
            0.5,
        ),
        (*neighbourhood(6, 3), 0.9),
        (*cut_off(*neighbourhood(8, 2)), 0.2),
        (*(part.detach() for part in uncommon(1e-6 * weights, scores, known)), 0.99),
        (*neighbourhood(4, 3), 0.0),
        (*neighbourhood(7, 2), 1.0),
        (torch.zeros(1, 1), torch.tensor([[0.3, 0.5]]), torch.tensor([[0.0, 1.0]]), 0.4),
    ]


@spread_step.judge
def slowly(weights, scores, known, alpha):
    n, classes = scores.shape
    weights, scores, known = weights.tolist(), scores.tolist(), known.tolist()
    d = list(map(sum, weights))
    S = [[weights[i][j] / (d[i] * d[j]) ** 0.5 if d[i] * d[j] > 0 else 0.0 for j in range(n)] for i in range(n)]
    rows = [
        [alpha * sum(S[i][j] * scores[j][k] for j in range(n)) + (1 - alpha) * known[i][k] for k in range(classes)]
        for i in range(n)
    ]
    return torch.tensor(rows)


@spread_step.right
def by_diagonals(weights, scores, known, alpha):
    D = torch.diag(weights.sum(dim=0).pow(-0.5).nan_to_num(posinf=0.0))
    return (D @ weights @ D) @ scores * alpha + known * (1 - alpha)


@spread_step.right
def from_the_side(weights, scores, known, alpha):
    roots = weights.sum(dim=1, keepdim=True).clamp(min=1e-12).sqrt()
    return torch.lerp(known, weights @ (scores / roots) / roots, alpha)


@spread_step.right
def by_einsum(weights, scores, known, alpha):
    r = weights.sum(1).rsqrt()
    r[r.isinf()] = 0
    return torch.einsum("i,ij,j,jk->ik", r, weights, r, scores).mul(alpha).add(known, alpha=1 - alpha)


@spread_step.right
def repaired_afterwards(weights, scores, known, alpha):
    d = weights.sum(dim=-1)
    S = torch.nan_to_num(weights / torch.sqrt(torch.outer(d, d)))
    return alpha * (S @ scores) + (1 - alpha) * known


@spread_step.right
@torch.no_grad()
def row_by_row(weights, scores, known, alpha):
    d, result = weights.sum(1), (1 - alpha) * known
    for i, j in weights.nonzero().tolist():
        result[i] += alpha * weights[i, j] / (d[i] * d[j]).sqrt() * scores[j]
    return result


def through(S, mend=True):
    """A wrong step: right but for the matrix, `S(weights)`, which is 0 where that is NaN if `mend`."""

    def answer(weights, scores, known, alpha):
        matrix = S(weights)
        return alpha * (matrix.nan_to_num(0.0) if mend else matrix) @ scores + (1 - alpha) * known

    return answer


AND_NAN = "And where an input has no neighbours 0/0 is NaN (not a number): S is 0 there."


def divided(message, **named):
    """A mistake in what the weights are divided by, made with care for inputs without neighbours and without it."""
    for name, S in named.items():
        spread_step.mistake(message, **{name: through(S)})
        spread_step.mistake(f"{message} {AND_NAN}", **{f"{name}_and_nan": through(S, mend=False)})


def d_of(weights):
    return weights.sum(dim=1)


divided(
    "You divide each row by its sum: the mean of the neighbours, another method. Here every weight is divided "
    "by sqrt(d[i] d[j]), and S stays symmetric.",
    row_means=lambda w: w / d_of(w)[:, None],
)
divided(
    "You divide by the sum of the columns only. Every weight is divided by sqrt(d[i] d[j]).",
    column_sums=lambda w: w / d_of(w),
)
divided(
    "The root is missing: you divide by d[i] d[j], and the labels fade away.",
    root_forgotten=lambda w: w / (d_of(w)[:, None] * d_of(w)),
)
divided(
    "You take the root twice. sqrt(d[i] d[j]) is sqrt(d[i]) times sqrt(d[j]), one root each.",
    root_twice=lambda w: w / (d_of(w)[:, None] * d_of(w)).sqrt().sqrt(),
)
divided(
    "You divide by sqrt(d[j]) only: d broadcasts along one side. Both are needed: d[:, None] * d.",
    root_of_d_j=lambda w: w / d_of(w).sqrt(),
)
divided(
    "You divide by sqrt(d[i]) only. Both are needed: d[:, None] * d.", root_of_d_i=lambda w: w / d_of(w)[:, None].sqrt()
)
divided(
    "The two degrees are added under the root. They are multiplied: d[:, None] * d.",
    degrees_added=lambda w: w / (d_of(w)[:, None] + d_of(w)).sqrt(),
)
divided(
    "You add the two roots. Multiply them: sqrt(d[i]) * sqrt(d[j]).",
    roots_added=lambda w: w / (d_of(w)[:, None].sqrt() + d_of(w).sqrt()),
)
divided(
    "You divide by the mean of the two degrees. Divide by the root of their product, d[:, None] * d.",
    mean_of_degrees=lambda w: w / (d_of(w)[:, None] + d_of(w)) * 2,
)
divided(
    "You take each degree of its own row twice: sqrt(d[i] d[i]) is d[i]. One of them is the other input's: d[:, None] "
    "gives a column, d a row.",
    squared_degrees=lambda w: w / d_of(w)[:, None] ** 2,
)
divided(
    "`d` is the number of neighbours for you. It is the sum of their weights: weights.sum(dim=1).",
    neighbours_counted=lambda w: w / ((w > 0).sum(1)[:, None] * (w > 0).sum(1)).sqrt(),
)
divided(
    "`d` is the mean of each row for you, so S is N times too large. It is the sum: weights.sum(dim=1).",
    mean_not_sum=lambda w: w / (w.mean(1)[:, None] * w.mean(1)).sqrt(),
)
divided(
    "`d` is the largest weight of each row for you. It is the sum: weights.sum(dim=1).",
    largest_not_sum=lambda w: w / (w.amax(1)[:, None] * w.amax(1)).sqrt(),
)
divided(
    "You divide by the lengths of the rows (norm). d is the sum of each row.",
    norms=lambda w: w / (w.norm(dim=1)[:, None] * w.norm(dim=1)).sqrt(),
)
divided(
    "You divide each row by its length (norm). Divide every weight by sqrt(d[i] d[j]), d the sum of each row.",
    rows_of_length_1=lambda w: w / w.norm(dim=1, keepdim=True),
)
divided(
    "You divide by the sum of all weights. Each weight has the degrees of its own two inputs.",
    sum_of_all=lambda w: w / w.sum(),
)
divided(
    "You divide by the largest weight of all. Each weight has the degrees of its own two inputs.",
    largest_of_all=lambda w: w / w.max(),
)
spread_step.mistake(
    "You add 1 to each degree, as if everyone were its own neighbour. d is the sum of each row.",
    neighbour_of_itself=through(lambda w: w / ((d_of(w) + 1)[:, None] * (d_of(w) + 1)).sqrt()),
)
spread_step.mistake(
    "You set degrees below 1 to 1. Only a degree of 0 needs care: where the weights are small, the degrees are, too.",
    at_least_1=through(lambda w: w / (d_of(w).clamp(min=1)[:, None] * d_of(w).clamp(min=1)).sqrt()),
)
EPSILON = (
    "The number you add, so that nothing is divided by 0, is not small beside small weights: here all are about "
    "0.000001. Set S to 0 where d is 0, and leave the other degrees as they are."
)
spread_step.mistake(
    EPSILON, epsilon_to_the_degrees=through(lambda w: w / ((d_of(w) + 1e-8)[:, None] * (d_of(w) + 1e-8)).sqrt())
)
spread_step.mistake(
    f"{EPSILON} (You added it under the root.)",
    epsilon_under_the_root=through(lambda w: w / (d_of(w)[:, None] * d_of(w) + 1e-8).sqrt()),
)
spread_step.mistake(
    f"{EPSILON} (You added it to the root.)",
    epsilon_to_the_root=through(lambda w: w / ((d_of(w)[:, None] * d_of(w)).sqrt() + 1e-8)),
)
spread_step.mistake(
    "Where an input has no neighbours its d is 0, and 0/0 (or 0 times infinity) is NaN (not a number), which spreads "
    "to all. Set S to 0 there: divide by 1 where d is 0.",
    nan_without_neighbours=through(lambda w: w / (d_of(w)[:, None] * d_of(w)).sqrt(), mend=False),
)
spread_step.mistake(
    "You use the weights as they are. Inputs with many neighbours then shout down the others, and the scores "
    "grow at every step: divide by sqrt(d[i] d[j]).",
    weights_as_they_are=through(lambda w: w),
)
spread_step.mistake(
    "You multiply by the root of the degrees. Divide by it.",
    multiplied=through(lambda w: w * (d_of(w)[:, None] * d_of(w)).sqrt()),
)
spread_step.mistake(
    "`softmax` gives weight to inputs that are no neighbours at all: exp(0) is 1. Divide by sqrt(d[i] d[j]).",
    softmax=through(lambda w: w.softmax(dim=1)),
)


def unmended_S(weights):
    return weights / (d_of(weights)[:, None] * d_of(weights)).sqrt()


def step(S, scores, known, alpha):
    return alpha * S @ scores + (1 - alpha) * known


def mixed(mix, S_of=lambda weights: unmended_S(weights).nan_to_num(0.0)):
    """The answer `mix(S, scores, known, alpha)`, where S is right."""
    return lambda weights, scores, known, alpha: mix(S_of(weights), scores, known, alpha)


def mixing(message, **named):
    """A mistake in what is done with S, made with care for inputs without neighbours and without it."""
    for name, mix in named.items():
        spread_step.mistake(message, **{name: mixed(mix)})
        spread_step.mistake(f"{message} {AND_NAN}", **{f"{name}_and_nan": mixed(mix, unmended_S)})


mixing(
    "You add what an input itself says (S plus ones on the diagonal). It hears its neighbours only.",
    itself_too=lambda S, scores, known, alpha: alpha * (S @ scores + scores) + (1 - alpha) * known,
)
mixing(
    "You subtract what the neighbours say: 1 - S is the graph's Laplacian. Take S.",
    laplacian=lambda S, scores, known, alpha: alpha * (scores - S @ scores) + (1 - alpha) * known,
)
mixing(
    "`alpha` and 1 - alpha are changed round. alpha is the share of the neighbours.",
    shares_changed_round=lambda S, scores, known, alpha: (1 - alpha) * S @ scores + alpha * known,
)
mixing(
    "You mix with the scores of the last step. The labels that are known must come in at every step, or they "
    "fade away.",
    scores_not_known=lambda S, scores, known, alpha: alpha * S @ scores + (1 - alpha) * scores,
)
mixing(
    "You spread the known labels again and again, so they never come further than one neighbour. Spread the scores.",
    known_not_scores=lambda S, scores, known, alpha: alpha * S @ known + (1 - alpha) * known,
)
mixing(
    "`scores` and `known` are changed round. The scores are spread, the known labels come in as they are.",
    inputs_changed_round=lambda S, scores, known, alpha: alpha * S @ known + (1 - alpha) * scores,
)
mixing(
    "You spread the mixture: S reaches the known labels as well. First S @ scores, then mix.",
    mixture_spread=lambda S, scores, known, alpha: S @ (alpha * scores + (1 - alpha) * known),
)
spread_step.mistake(
    "You return the mixture without spreading it. The neighbours speak through S @ scores.",
    not_spread=mixed(lambda S, scores, known, alpha: alpha * scores + (1 - alpha) * known),
)
mixing(
    "The known labels come in whole. Their share is 1 - alpha.",
    known_whole=lambda S, scores, known, alpha: alpha * S @ scores + known,
)
mixing(
    "The neighbours come in whole. Their share is alpha.",
    neighbours_whole=lambda S, scores, known, alpha: S @ scores + (1 - alpha) * known,
)
mixing(
    "You add the two parts whole, without alpha. The shares are alpha and 1 - alpha.",
    both_whole=lambda S, scores, known, alpha: S @ scores + known,
)
mixing(
    "The known labels are missing: alpha and `known` have no part in your answer.",
    only_neighbours=lambda S, scores, known, alpha: S @ scores,
)
mixing(
    "The known labels are missing. Add (1 - alpha) * known.",
    known_missing=lambda S, scores, known, alpha: alpha * S @ scores,
)
spread_step.mistake(
    "The neighbours are missing. Add alpha * S @ scores.",
    neighbours_missing=mixed(lambda S, scores, known, alpha: (1 - alpha) * known),
)
spread_step.mistake(
    "You return `known` as it came.", known_as_it_came=mixed(lambda S, scores, known, alpha: known.clone())
)
mixing(
    "You multiply both parts by alpha. The known labels have the share 1 - alpha.",
    alpha_twice=lambda S, scores, known, alpha: alpha * (S @ scores + known),
)
mixing(
    "You multiply the known labels by alpha once more: a bracket is in the wrong place. alpha * (S @ scores) + "
    "(1 - alpha) * known.",
    bracket=lambda S, scores, known, alpha: alpha * (S @ scores + (1 - alpha) * known),
)
mixing(
    "The known labels are subtracted. Add them: (1 - alpha) * known.",
    known_subtracted=lambda S, scores, known, alpha: alpha * S @ scores - (1 - alpha) * known,
)
mixing(
    "The share of the known labels is 1 + alpha in your answer. It is 1 - alpha.",
    one_plus_alpha=lambda S, scores, known, alpha: alpha * S @ scores + (1 + alpha) * known,
)
mixing(
    "Your alpha is always 0.99, as in the paper. It comes as an argument.",
    always_99=lambda S, scores, known, alpha: 0.99 * S @ scores + 0.01 * known,
)
mixing(
    "Your alpha is always 0.9. It comes as an argument.",
    always_9=lambda S, scores, known, alpha: 0.9 * S @ scores + 0.1 * known,
)
mixing(
    "Your alpha is always 0.5. It comes as an argument.",
    always_half=lambda S, scores, known, alpha: 0.5 * S @ scores + 0.5 * known,
)
mixing(
    "`*` multiplies element by element, and the sizes do not fit. S @ scores adds up what the neighbours say.",
    elementwise=lambda S, scores, known, alpha: alpha * S * scores + (1 - alpha) * known,
)
mixing(
    "You spread twice. One step is asked for.",
    two_steps=lambda S, *mixture: step(S, step(S, *mixture), *mixture[1:]),
)
mixing(
    "You go on to the end of all steps: (1 - alpha) (1 - alpha S)^-1 known. One step from `scores` is asked for.",
    to_the_end=lambda S, scores, known, alpha: (
        (1 - alpha) * torch.linalg.solve(torch.eye(len(S), dtype=S.dtype) - min(alpha, 0.999999) * S, known)
    ),
)
mixing(
    "You return classes. The scores themselves are spread in the next step; classes come at the very end.",
    classes=lambda *mixture: step(*mixture).argmax(dim=1),
)
mixing(
    "You make each row add up to 1. Then an input far from all labels speaks as loudly as a labelled one.",
    rows_add_up_to_1=lambda *mixture: F.normalize(step(*mixture), p=1, dim=1),
)
mixing(
    "You make probabilities of the rows (softmax). Return the scores as they are.",
    softmax_of_rows=lambda *mixture: step(*mixture).softmax(dim=1),
)
mixing(
    "You return the matrix S. Return alpha * S @ scores + (1 - alpha) * known.",
    only_S=lambda S, scores, known, alpha: S,
)
mixing(
    "You put the known labels back as they were: that is label propagation, its hard sister. Here they too are "
    "mixed with what their neighbours say, so a wrong label can be outvoted.",
    clamped=lambda S, scores, known, alpha: torch.where(
        known.sum(dim=1, keepdim=True) > 0, known, step(S, scores, known, alpha)
    ),
)
mixing(
    "You mix only the rows of labelled inputs; the others hear their neighbours whole. Every row is alpha * S @ scores "
    "+ (1 - alpha) * known.",
    mixed_where_labelled=lambda S, scores, known, alpha: torch.where(
        known.sum(dim=1, keepdim=True) > 0, alpha * S @ scores + (1 - alpha) * known, S @ scores
    ),
)


def lonely(make):
    """The right answer, but `make(scores, known, alpha)` in the rows of inputs without neighbours."""

    def answer(weights, scores, known, alpha):
        right = spread_step(weights, scores, known, alpha)
        return torch.where(weights.sum(dim=1, keepdim=True) > 0, right, make(scores, known, alpha))

    return answer


spread_step.mistake(
    "An input without neighbours loses its known label in your answer. It hears nothing, but (1 - alpha) * known "
    "stays.",
    lonely_silent=lonely(lambda scores, known, alpha: torch.zeros_like(known)),
)
spread_step.mistake(
    "An input without neighbours keeps its old scores in your answer. It hears nothing: (1 - alpha) * known.",
    lonely_keeps_scores=lonely(lambda scores, known, alpha: scores),
)
spread_step.mistake(
    "An input without neighbours hears itself in your answer. It hears nothing: (1 - alpha) * known.",
    lonely_hears_itself=lonely(lambda scores, known, alpha: alpha * scores + (1 - alpha) * known),
)
spread_step.mistake(
    "An input without neighbours gets its known label whole in your answer. Its share is 1 - alpha here as well.",
    lonely_known_whole=lonely(lambda scores, known, alpha: known),
)


def row_after_row(S, scores, known, alpha):
    result = scores.clone()
    for i in range(len(S)):
        result[i] = alpha * S[i] @ result + (1 - alpha) * known[i]
    return result


mixing(
    "Your loop writes into the scores it still reads: later rows hear the new scores of earlier ones. Write into a new "
    "tensor.",
    row_after_row=row_after_row,
)


@spread_step.mistake("The result is right, but `scores` is changed: you write into it. Make a new tensor.")
def into_the_scores(weights, scores, known, alpha):
    return scores.copy_(spread_step(weights, scores, known, alpha))


@spread_step.mistake("The result is right, but `known` is changed: `*=` and `+=` work in place. Make a new tensor.")
def into_known(weights, scores, known, alpha):
    return known.copy_(spread_step(weights, scores, known, alpha))


@spread_step.mistake(
    "The result is right, but `weights` is changed: `/=` works in place, and the next step divides again. Make a new S."
)
def into_the_weights(weights, scores, known, alpha):
    result = spread_step(weights, scores, known, alpha)
    weights.copy_(unmended_S(weights).nan_to_num(0.0))
    return result


spread_step.hints(
    "d = weights.sum(dim=1), (N,). d[:, None] * d is the table (N, N) of all products d[i] d[j].",
    "S = weights / sqrt(d[i] d[j]): where d is 0, divide by 1 in its place, torch.where(d > 0, d, 1.0).",
    "roots = torch.where(d > 0, d, 1.0).sqrt(); S = weights / roots[:, None] / roots; then alpha * S @ scores + "
    "(1 - alpha) * known.",
)
