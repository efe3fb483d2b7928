"""The exercise `induction_score` of lesson 15: how much a head looks for what came next the last time.

Source: Olsson and others, "In-context Learning and Induction Heads", 2022, where it is called prefix matching.
"""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How much a head looks for what came next the last time. `weights` (T, T) are the attention weights of one "
    "head: weights[t, s] is how much token t takes of token s <= t. `tokens` is a tensor (T,). For every t whose token "
    "stands somewhere before t, add up the weights on all places s <= t whose token before, tokens[s - 1], equals "
    "tokens[t]. Return the mean over those t. (Olsson and others, 2022, call it prefix matching.)",
    untried={
        "weights": {
            "one in its first dimension": "one token alone never stood there before",
            "a gradient is wanted": "a plain number is a right answer, and has no graph",
        },
        "tokens": {"one in its first dimension": "one token alone never stood there before"},
    },
)
def induction_score(weights, tokens):
    T = len(tokens)
    totals = []
    for t in range(T):
        places = [s for s in range(1, t + 1) if tokens[s - 1] == tokens[t]]
        if places:
            totals.append(sum(weights[t, s] for s in places))
    return sum(totals) / len(totals)


@induction_score.cases
def cases():
    """Four tokens; two random texts; weights that are 0; one token again and again; float64.

    In each, more than one t counts, none of them the last alone.
    """
    small = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.1, 0.7, 0.2, 0], [0.1, 0.2, 0.4, 0.3]])
    apart = torch.stack([random_weights(7).double()] * 2, dim=-1)[..., 0]
    return [
        (small, torch.tensor([3, 8, 3, 8])),
        (random_weights(8), torch.randint(3, (8,))),
        (random_weights(9), torch.arange(9) % 4),
        (torch.eye(5), torch.tensor([2, 2, 1, 2, 1])),
        (random_weights(4), torch.zeros(4, dtype=torch.int64)),
        (apart, torch.tensor([5, 0, 1, 0, 5, 2, 6])),
    ]


def random_weights(T):
    """Random attention weights, each row of which looks back only and adds up to 1."""
    return torch.randn(T, T).masked_fill(torch.ones(T, T).triu(1) > 0, -torch.inf).softmax(1)


@induction_score.run
def as_number(answer, weights, tokens):
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
def by_table(weights, tokens):
    same = tokens[:, None] == tokens[None, :]
    after = torch.cat([torch.zeros(len(tokens), 1, dtype=torch.bool), same[:, :-1]], dim=1).tril()
    seen = after.any(dim=1)
    return (weights * after).sum(dim=1)[seen].mean()


@induction_score.right
def with_where(weights, tokens):
    return torch.stack(
        [
            weights[t, torch.where(tokens[:t] == tokens[t])[0] + 1].sum()
            for t in range(len(tokens))
            if tokens[t] in tokens[:t]
        ]
    ).mean()


@induction_score.right
def with_dict(weights, tokens):
    after, total, count = {}, 0.0, 0
    for t, token in enumerate(tokens.tolist()):
        if token in after:
            total, count = total + weights[t, after[token]].sum().item(), count + 1
        after[token] = [*after.get(token, []), t + 1]
    return total / count


@induction_score.right
def pair_by_pair(weights, tokens):
    s, t = torch.triu_indices(len(tokens), len(tokens), 1)
    s, t = s[tokens[s] == tokens[t]], t[tokens[s] == tokens[t]]
    return weights[t, s + 1].sum() / len(t.unique())


changed = induction_score.changed
PLACES = "[s for s in range(1, t + 1) if tokens[s - 1] == tokens[t]]"
TOTAL = "sum(weights[t, s] for s in places)"
MEAN = "sum(totals) / len(totals)"

# Which places.
induction_score.mistake(
    "You look at the places of the same token. The head is to copy what came *after* it: one place further.",
    same_token=changed(PLACES, "[s for s in range(t) if tokens[s] == tokens[t]]"),
)
induction_score.mistake(
    "You look at the places of the same token, and begin at place 1. The head is to copy what came after it.",
    same_token_from_one=changed(PLACES, "[s for s in range(1, t) if tokens[s] == tokens[t]]"),
)
induction_score.mistake(
    "You look at the places of the same token, t itself among them. The head is to copy what came after it: "
    "tokens[s - 1] == tokens[t].",
    same_token_and_itself=changed(PLACES, "[s for s in range(t + 1) if tokens[s] == tokens[t]]"),
)
induction_score.mistake(
    "You look at the places of the same token, t itself among them, and begin at place 1. The head is to copy what "
    "came after it: tokens[s - 1] == tokens[t].",
    same_token_and_itself_from_one=changed("tokens[s - 1] ==", "tokens[s] =="),
)
induction_score.mistake(
    "You look at what came *before* the same token. The head should predict what comes next: one place after.",
    before_the_token=changed(PLACES, "[s - 1 for s in range(1, t) if tokens[s] == tokens[t]]"),
)
induction_score.mistake(
    "You look two places behind the same token. What followed it is one place behind.",
    two_places_behind=changed(PLACES, "[s + 2 for s in range(t - 1) if tokens[s] == tokens[t]]"),
)
induction_score.mistake(
    "You leave out s = t. Where the token just before is the same, place t itself is what came after it: s <= t.",
    t_itself_left_out=changed("range(1, t + 1)", "range(1, t)"),
)
induction_score.mistake(
    "You begin at s = 2. Place 1 counts too: its token before is tokens[0].",
    begins_at_two=changed("range(1,", "range(2,"),
)
induction_score.mistake(
    "You begin at s = 0, and tokens[-1] is the last token of the text, not one before. Begin at s = 1.",
    begins_at_zero=changed("range(1,", "range("),
)
induction_score.mistake(
    "`torch.roll` brings the last token to the front: it seems to stand before the first. Begin at s = 1. (The t are "
    "right.)",
    rolled=changed("if places:", "if places:\n            places += [0] * (tokens[-1] == tokens[t])"),
)
induction_score.mistake(
    "You look at all places, those after t too. Nothing after t can have been seen: s <= t.",
    looks_ahead=changed("range(1, t + 1)", "range(1, T)"),
)
induction_score.mistake(
    "You compare tokens[s + 1] with tokens[t]: that is what comes *before* the same token. It is tokens[s - 1].",
    plus_for_minus=changed(PLACES, "[s for s in range(t) if tokens[s + 1] == tokens[t]]"),
)
induction_score.mistake(
    "You compare tokens[s - 1] with tokens[t - 1]: that asks whether the tokens before are the same. Compare it with "
    "tokens[t].",
    both_before=changed("== tokens[t]]", "== tokens[t - 1]]"),
)
induction_score.mistake(
    "You compare tokens[s] with tokens[t - 1]. The token before s, tokens[s - 1], is to equal tokens[t].",
    wrong_one_before=changed(PLACES, "[s for s in range(t) if t and tokens[s] == tokens[t - 1]]"),
)
induction_score.mistake(
    "You count only the last time the token stood there. Add up over all of them: a head may look at any.",
    last_time_only=changed(TOTAL, "weights[t, places[-1]]"),
)
induction_score.mistake(
    "You count only the first time the token stood there. Add up over all of them: a head may look at any.",
    first_time_only=changed(TOTAL, "weights[t, places[0]]"),
)
induction_score.mistake(
    "You take the largest of the weights on those places. Add them up.",
    largest_weight=changed(TOTAL, "max(weights[t, places])"),
)
induction_score.mistake(
    "You take the mean over the places of one t. Add them up; the mean comes last, over the t.",
    mean_of_places=changed(TOTAL, "weights[t, places].mean()"),
)
induction_score.mistake(
    "You take the mean over all pairs of places. Add up over the places of one t; then the mean over the t.",
    mean_over_pairs=changed(
        "totals.append(sum(weights[t, s] for s in places))", "totals += [weights[t, s] for s in places]"
    ),
)
induction_score.mistake(
    "Rows and columns are changed round. weights[t, s]: t looks, s is looked at.",
    changed_round=changed("weights[t, s]", "weights[s, t]"),
)
induction_score.mistake(
    "You add up the whole row, and a row adds up to 1. Only the places that follow the same token count.",
    whole_row=changed(TOTAL, "weights[t].sum()"),
)
induction_score.mistake(
    "You ask whether the largest weight stands on such a place. Add up the weights there.",
    largest_is_there=changed(TOTAL, "float(int(weights[t].argmax()) in places)"),
)
induction_score.mistake(
    "You count the places. Add up the weights on them: weights[t, s].", places_counted=changed(TOTAL, "len(places)")
)
induction_score.mistake(
    "You divide each sum by the weight of all places before t. The weights are taken as they are.",
    weighted_anew=changed(TOTAL, "sum(weights[t, s] for s in places) / weights[t, 1 : t + 1].sum()"),
)

# Which t, and what kind of mean.
induction_score.mistake(
    "You divide by all T tokens. Those that never stood there before have nothing to look for: leave them out.",
    divided_by_T=changed("len(totals)", "T"),
)
induction_score.mistake(
    "You divide by T - 1. Only those t count whose token stood there before.",
    divided_by_T_less_one=changed("len(totals)", "(T - 1)"),
)
induction_score.mistake(
    "You divide by the number of different tokens. Divide by the number of t whose token stood there before.",
    divided_by_kinds=changed("len(totals)", "len(tokens.unique())"),
)
induction_score.mistake(
    "You divide by T twice, as .mean() of the whole table does. It is the mean over the t whose token stood there "
    "before.",
    divided_by_table=changed("len(totals)", "T**2"),
)
induction_score.mistake(
    "You add up over the tokens. Return the mean, a number between 0 and 1.", summed=changed(" / len(totals)", "")
)
induction_score.mistake(
    "You return one number for each t. Return their mean.", one_for_each=changed(MEAN, "torch.stack(totals)")
)
induction_score.mistake(
    "You return a list, one number for each t. Return their mean.",
    list_of_totals=changed(MEAN, "[float(x) for x in totals]"),
)
induction_score.mistake(
    "Only those t count for you that have some weight there. A head that looks elsewhere has a score of 0 there, and "
    "that belongs to the mean.",
    zeros_left_out=changed("len(totals)", "len([total for total in totals if total > 0])"),
)
induction_score.mistake(
    "You leave out the last token. Every t whose token stood before it counts.",
    last_left_out=changed("for t in range(T)", "for t in range(T - 1)"),
)
induction_score.mistake(
    "Only the last t counts for you. Is the `append` outside the loop, or overwritten in each round?",
    last_t_only=changed(MEAN, "totals[-1]"),
)
induction_score.mistake(
    "Only the first t counts for you. Is the `return` inside the loop?", first_t_only=changed(MEAN, "totals[0]")
)
induction_score.mistake(
    "You take the largest of the sums. Return their mean.", largest_total=changed(MEAN, "max(totals)")
)
induction_score.mistake(
    "You take the median of the sums. Return their mean.", median=changed(MEAN, "torch.stack(totals).median()")
)
induction_score.mistake(
    "The last token in the text of each kind counts only. Every t whose token stood before it counts.",
    one_t_of_each_token=changed("if places:", "if places and tokens[t] not in tokens[t + 1 :]:"),
)
induction_score.mistake(
    "Only the second time of each token counts for you. Every t whose token stood before it counts, a third time too.",
    second_time_only=changed("if places:", "if len(places) == 1:"),
)
induction_score.mistake(
    "0 is a token like others. `if token` leaves it out.",
    token_zero_left_out=changed("if places:", "if places and tokens[t]:"),
)
induction_score.mistake(
    "Your score is always 0: the token was never found again. Two tensors with the same number are different keys of a "
    "set or dict; use the numbers, tokens.tolist().",
    never_found=lambda weights, tokens: 0.0,
)
induction_score.mistake(
    "You measure how much each token looks at the one just before: that is the other head, the one that "
    "prepares this one's work.",
    previous_token=lambda weights, tokens: weights.diagonal(-1).mean(),
)
induction_score.mistake(
    "You measure how much each token looks at itself: the diagonal. Take the places that follow the same token.",
    itself=lambda weights, tokens: weights.diagonal().mean(),
)
induction_score.mistake(
    "You take the mean of all weights. Only the places that follow the same token count.",
    mean_of_all=lambda weights, tokens: weights.mean(),
)


induction_score.mistake(
    "You leave out s = t, though the t is counted in the mean. Where the token just before is the same, place t itself "
    "is what came after it: s <= t.",
    t_itself_left_out_of_the_sum=changed("for s in places)", "for s in places if s < t)"),
)


induction_score.hints(
    "Two loops: over t, and over the places s <= t. Which s count? Those with tokens[s - 1] == tokens[t].",
    "places = [s for s in range(1, t + 1) if tokens[s - 1] == tokens[t]]",
    "If places is not empty, keep sum(weights[t, s] for s in places). At the end the mean of what was kept.",
)
