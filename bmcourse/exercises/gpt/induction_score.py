"""The exercise `induction_score` of lesson 12."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How much a head looks for what came next the last time. `weights` (T, T) are the attention weights of one "
    "head: weights[t, s] is how much token t takes of token s <= t. `tokens` is a tensor (T,). For every t whose token "
    "stands somewhere before t, add up the weights on all places s <= t whose token before, tokens[s - 1], equals "
    "tokens[t]. Return the mean over those t. (Olsson and others, 2022, call it prefix matching.)"
)
def induction_score(weights, tokens):
    T = len(tokens)
    totals = []
    for t in range(T):
        places = [s for s in range(1, t + 1) if tokens[s - 1] == tokens[t]]
        if places:
            totals.append(sum(weights[t, s] for s in places))
    return sum(totals) / len(totals)


@induction_score.run
def _number(answer, weights, tokens):
    """The score as a float, whether a tensor or a number came."""
    score = answer(weights, tokens)
    return float(score) if isinstance(score, int | float) or (torch.is_tensor(score) and not score.ndim) else score


@induction_score.judge
def score_by_hand(weights, tokens):
    rows, ids = weights.tolist(), [int(token) for token in tokens]
    scores = {}
    for t, now in enumerate(ids):
        for s in range(t):
            if ids[s] == now:  # it stood here before, so place s + 1 has what followed
                scores[t] = scores.get(t, 0.0) + rows[t][s + 1]
    return sum(scores.values()) / len(scores)


@induction_score.right
def score_table(weights, tokens):
    same = tokens[:, None] == tokens[None, :]
    after = torch.cat([torch.zeros(len(tokens), 1, dtype=torch.bool), same[:, :-1]], dim=1).tril()
    seen = after.any(dim=1)
    return (weights * after).sum(dim=1)[seen].mean()


@induction_score.right
def score_with_where(weights, tokens):
    return torch.stack(
        [
            weights[t, torch.where(tokens[:t] == tokens[t])[0] + 1].sum()
            for t in range(len(tokens))
            if tokens[t] in tokens[:t]
        ]
    ).mean()


@induction_score.right
def score_with_dict(weights, tokens):
    after, total, count = {}, 0.0, 0
    for t, token in enumerate(tokens.tolist()):
        if token in after:
            total, count = total + weights[t, after[token]].sum().item(), count + 1
        after[token] = [*after.get(token, []), t + 1]
    return total / count


def _scores(weights, tokens, shift=1, start=0):
    """For each token that stood there before: the weight on the places `shift` behind it."""
    scores = []
    for t in range(len(tokens)):
        places = [s + shift for s in range(start, t) if tokens[s] == tokens[t]]
        if places:
            scores.append(weights[t, places].sum())
    return torch.stack(scores)


@induction_score.mistake(
    "You count only the last time the token stood there. Add up over all of them: a head may look at any."
)
def last_time_only(weights, tokens):
    scores = []
    for t in range(len(tokens)):
        places = [s + 1 for s in range(t) if tokens[s] == tokens[t]]
        if places:
            scores.append(weights[t, places[-1]])
    return torch.stack(scores).mean()


@induction_score.mistake(
    "You take the mean over all pairs of places. Add up over the places of one t; then the mean over the t."
)
def mean_over_places(weights, tokens):
    pairs = [weights[t, s + 1] for t in range(len(tokens)) for s in range(t) if tokens[s] == tokens[t]]
    return torch.stack(pairs).mean()


@induction_score.cases
def cases():
    return [
        (torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.1, 0.7, 0.2]]), torch.tensor([3, 8, 3])),
        (torch.randn(8, 8).masked_fill(torch.ones(8, 8).triu(1) > 0, -math.inf).softmax(1), torch.randint(3, (8,))),
        (torch.randn(9, 9).masked_fill(torch.ones(9, 9).triu(1) > 0, -math.inf).softmax(1), torch.arange(9) % 4),
        (torch.eye(5), torch.tensor([2, 2, 1, 2, 1])),
    ]


induction_score.mistake(
    "You look at the places of the same token. The head is to copy what came *after* it: one place further.",
    TODO_5=lambda weights, tokens: _scores(weights, tokens, shift=0).mean(),
)


induction_score.mistake(
    "You look at the places of the same token, and begin at place 1. The head is to copy what came after it.",
    TODO_6=lambda weights, tokens: _scores(weights, tokens, shift=0, start=1).mean(),
)


induction_score.mistake(
    "You divide by all T tokens. Those that never stood there before have nothing to look for: leave them out.",
    TODO_7=lambda weights, tokens: _scores(weights, tokens).sum() / len(tokens),
)


induction_score.mistake(
    "You add up over the tokens. Return the mean, a number between 0 and 1.",
    TODO_8=lambda weights, tokens: _scores(weights, tokens).sum(),
)


induction_score.mistake(
    "You measure how much each token looks at the one just before: that is the other head, the one that "
    "prepares this one's work.",
    TODO_9=lambda weights, tokens: weights.diagonal(-1).mean(),
)


induction_score.mistake(
    "Rows and columns are changed round. weights[t, s]: t looks, s is looked at.",
    TODO_10=lambda weights, tokens: score_by_hand(weights.T, tokens),
)


induction_score.mistake(
    "You look at what came *before* the same token. The head is to foretell what comes next: one place after.",
    TODO_11=lambda weights, tokens: _scores(weights, tokens, shift=-1, start=1).mean(),
)


induction_score.hints(
    "Two loops: over t, and over the places s <= t. Which s count? Those with tokens[s - 1] == tokens[t].",
    "places = [s for s in range(1, t + 1) if tokens[s - 1] == tokens[t]]",
    "If places is not empty, keep sum(weights[t, s] for s in places). At the end the mean of what was kept.",
)
