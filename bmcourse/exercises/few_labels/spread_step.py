"""The exercise `spread_step` of lesson 10."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="One step of label spreading. weights (N, N) say how near two inputs are; they are symmetric, with 0 on the "
    "diagonal. Let d be the sum of each row; S[i, j] = weights[i, j] / sqrt(d[i] d[j]). known (N, K) has a 1 for the "
    "class of each labelled input, and rows of 0 for the others. Return alpha * S @ scores + (1 - alpha) * known: what "
    "the neighbours say, and what was said at the start. Zhou et al. 2003, section 2."
)
def spread_step(weights, scores, known, alpha):
    degrees = weights.sum(dim=1)
    S = weights / (degrees[:, None] * degrees).sqrt()
    return alpha * S @ scores + (1 - alpha) * known


def neighbourhood(n, classes):
    """Weights of `n` inputs, scores of a step in between, and the known labels of the first half."""
    weights = torch.rand(n, n)
    known = torch.zeros(n, classes)
    known[torch.arange(n // 2), torch.arange(n // 2) % classes] = 1.0
    return (weights + weights.T).fill_diagonal_(0.0), torch.rand(n, classes), known


@spread_step.judge
def spread_slowly(weights, scores, known, alpha):
    n, classes = scores.shape
    degrees = [sum(row) for row in weights.tolist()]
    result = torch.zeros(n, classes)
    for i in range(n):
        for k in range(classes):
            heard = sum(weights[i, j] * scores[j, k] / (degrees[i] * degrees[j]) ** 0.5 for j in range(n))
            result[i, k] = alpha * heard + (1 - alpha) * known[i, k]
    return result


@spread_step.right
def spread_by_diagonals(weights, scores, known, alpha):
    D = torch.diag(weights.sum(dim=0) ** -0.5)
    return (D @ weights @ D) @ scores * alpha + known * (1 - alpha)


@spread_step.right
def spread_from_the_side(weights, scores, known, alpha):
    roots = weights.sum(dim=1, keepdim=True).sqrt()
    return torch.lerp(known, weights @ (scores / roots) / roots, alpha)


@spread_step.right
def spread_by_einsum(weights, scores, known, alpha):
    r = weights.sum(1).rsqrt()
    return torch.einsum("i,ij,j,jk->ik", r, weights, r, scores).mul(alpha).add(known, alpha=1 - alpha)


def spread_through(normalise):
    """A wrong step: right but for the matrix, `normalise(weights)`."""
    return lambda weights, scores, known, alpha: alpha * normalise(weights) @ scores + (1 - alpha) * known


@spread_step.mistake(
    "You put the known labels back as they were: that is label propagation, its hard sister. Here they too are "
    "mixed with what their neighbours say, so a wrong label can be outvoted."
)
def clamped(weights, scores, known, alpha):
    spread = spread_step(weights, scores, known, alpha)
    return torch.where(known.sum(dim=1, keepdim=True) > 0, known, spread)


@spread_step.cases
def cases():
    return [
        (
            torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 3.0], [0.0, 3.0, 0.0]]),
            torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
            torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
            0.5,
        ),
        (*neighbourhood(6, 3), 0.9),
        (*neighbourhood(8, 2), 0.2),
        (*neighbourhood(5, 4), 0.99),
    ]


spread_step.mistake(
    "You use the weights as they are. Inputs with many neighbours then shout down the others, and the scores "
    "grow at every step: divide by sqrt(d[i] d[j]).",
    TODO_47=spread_through(lambda weights: weights),
)


spread_step.mistake(
    "You divide each row by its sum: the mean of the neighbours, another method. Here every weight is divided "
    "by sqrt(d[i] d[j]), and S stays symmetric.",
    TODO_48=spread_through(lambda weights: weights / weights.sum(dim=1, keepdim=True)),
)


spread_step.mistake(
    "You divide by the sum of the columns only. Every weight is divided by sqrt(d[i] d[j]).",
    TODO_49=spread_through(lambda weights: weights / weights.sum(dim=0)),
)


spread_step.mistake(
    "The root is missing: you divide by d[i] d[j], and the labels fade away.",
    TODO_50=spread_through(lambda weights: weights / (weights.sum(dim=1)[:, None] * weights.sum(dim=1))),
)


spread_step.mistake(
    "You divide by sqrt(d[j]) only: d broadcasts along one side. Both are needed: d[:, None] * d.",
    TODO_51=spread_through(lambda weights: weights / weights.sum(dim=1).sqrt()),
)


spread_step.mistake(
    "You divide by the sum of all weights. Each weight has the degrees of its own two inputs.",
    TODO_52=spread_through(lambda weights: weights / weights.sum()),
)


spread_step.mistake(
    "softmax gives weight to inputs that are no neighbours at all: exp(0) is 1. Divide by sqrt(d[i] d[j]).",
    TODO_53=spread_through(lambda weights: weights.softmax(dim=1)),
)


spread_step.mistake(
    "alpha and 1 - alpha are changed round. alpha is the share of the neighbours.",
    TODO_54=lambda weights, scores, known, alpha: spread_step(weights, scores, known, 1 - alpha),
)


spread_step.mistake(
    "You mix with the scores of the last step. The labels that are known must come in at every step, or they "
    "fade away.",
    TODO_55=lambda weights, scores, known, alpha: spread_step(weights, scores, scores, alpha),
)


spread_step.mistake(
    "You spread the known labels again and again, so they never come further than one neighbour. Spread the scores.",
    TODO_56=lambda weights, scores, known, alpha: spread_step(weights, known, known, alpha),
)


spread_step.mistake(
    "The known labels come in whole. Their share is 1 - alpha.",
    TODO_57=lambda weights, scores, known, alpha: alpha * spread_step(weights, scores, known, 1.0) + known,
)


spread_step.mistake(
    "The known labels are missing: alpha and `known` have no part in your answer.",
    TODO_58=lambda weights, scores, known, alpha: spread_step(weights, scores, known, 1.0),
)


spread_step.mistake(
    "You multiply both parts by alpha. The known labels have the share 1 - alpha.",
    TODO_59=lambda weights, scores, known, alpha: spread_step(weights, scores, known, 0.5) * 2 * alpha,
)


spread_step.mistake(
    "You return classes. The scores themselves are spread in the next step; classes come at the very end.",
    TODO_60=lambda weights, scores, known, alpha: spread_step(weights, scores, known, alpha).argmax(dim=1),
)


spread_step.mistake(
    "You make each row add up to 1. Then an input far from all labels speaks as loudly as a labelled one.",
    TODO_61=lambda weights, scores, known, alpha: F.normalize(spread_step(weights, scores, known, alpha), p=1, dim=1),
)


spread_step.hints(
    "d = weights.sum(dim=1), (N,). d[:, None] * d is the table (N, N) of all products d[i] d[j].",
    "S = weights / (d[:, None] * d).sqrt()",
    "alpha * S @ scores + (1 - alpha) * known",
)
