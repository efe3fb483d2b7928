"""Exercises of lesson 12: counting with back-off, a head that copies, answers only, LoRA, preferences."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Mistake, Wrong

IGNORED = -100

# ---------------------------------------------------------------- count_followers


def count_followers(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        ending = context[len(context) - length :]
        counts = {}
        for i in range(length, len(text)):
            if text[i - length : i] == ending:
                counts[text[i]] = counts.get(text[i], 0) + 1
        if counts:
            return counts
    return {}


def _as_plain_dict(answer, *case):
    """The counts as a plain dict: a Counter is one too."""
    counts = answer(*case)
    return dict(sorted(counts.items())) if isinstance(counts, dict) else counts


def _count_by_hand(text, context, order):
    """Every place of the text, for every length of the ending, the longest first."""
    for length in sorted({min(n, len(context)) for n in range(order + 1)}, reverse=True):
        ending = list(context)[len(context) - length :]
        found = [text[i + length] for i in range(len(text) - length) if list(text[i : i + length]) == ending]
        if found:
            return {character: found.count(character) for character in sorted(set(found))}
    return {}


def _count_with_counter(text, context, order):
    from collections import Counter

    for length in reversed(range(min(order, len(context)) + 1)):
        ending = context[-length:] if length else ""
        counts = Counter(text[i] for i in range(length, len(text)) if text[:i].endswith(ending))
        if counts:
            return counts
    return Counter()


def _count_by_recursion(text, context, order):
    ending = context[max(0, len(context) - order) :] if order else ""
    counts = {}
    for start in range(len(text) - len(ending)):
        if text.startswith(ending, start):
            follower = text[start + len(ending)]
            counts[follower] = counts.get(follower, 0) + 1
    return counts if counts or not ending else _count_by_recursion(text, ending, len(ending) - 1)


def _count_with_find(text, context, order):
    length = min(order, len(context))
    while length > 0:
        ending, counts, start = context[-length:], {}, -1
        while (start := text.find(ending, start + 1)) >= 0:
            if start + length < len(text):
                counts[text[start + length]] = counts.get(text[start + length], 0) + 1
        if counts:
            return counts
        length -= 1
    return {character: text.count(character) for character in text}


def _followers_of(text, ending):
    counts = {}
    for i in range(len(ending), len(text)):
        if text[i - len(ending) : i] == ending:
            counts[text[i]] = counts.get(text[i], 0) + 1
    return counts


def _ending(context, length):
    return context[len(context) - length :] if length else ""


def _no_back_off(text, context, order):
    return _followers_of(text, _ending(context, min(order, len(context))))


def _straight_to_nothing(text, context, order):
    return _no_back_off(text, context, order) or _followers_of(text, "")


def _not_to_nothing(text, context, order):
    for length in range(min(order, len(context)), 0, -1):
        if counts := _followers_of(text, _ending(context, length)):
            return counts
    return {}


def _minus_zero(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        if counts := _followers_of(text, context[-length:]):  # context[-0:] is all of it
            return counts
    return {}


def _add_all_orders(text, context, order):
    total = {}
    for length in range(min(order, len(context)), -1, -1):
        for character, count in _followers_of(text, _ending(context, length)).items():
            total[character] = total.get(character, 0) + count
    return total


def _shortest_first(text, context, order):
    for length in range(min(order, len(context)) + 1):
        if counts := _followers_of(text, _ending(context, length)):
            return counts
    return {}


def _without_overlaps(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        ending, counts, start = _ending(context, length), {}, 0
        while (start := text.find(ending, start)) >= 0 and start + length < len(text):
            counts[text[start + length]] = counts.get(text[start + length], 0) + 1
            start += max(1, length)
        if counts:
            return counts
    return {}


def _dropping_the_last(text, context, order):
    start = len(context) - min(order, len(context))
    for end in range(len(context), start - 1, -1):
        if counts := _followers_of(text, context[start:end]):
            return counts
    return {}


COUNT_FOLLOWERS = Exercise(
    reference=count_followers,
    prompt="A language model without a network. Count which characters follow, anywhere in `text`, the last `order` "
    "characters of `context`. Return {character: count}. If nothing follows them in the text, back off: try the last "
    "order - 1 characters, and so on; the last 0 characters are followed by every character of the text. A context "
    "shorter than `order` is taken whole.",
    cases=lambda: [
        ("the cat the hat", "th", 2),
        ("the cat sat on the mat", "at", 2),
        ("the cat sat", "qat", 3),
        ("abababa", "xab", 3),
        ("aaaa", "aa", 2),
        ("abc", "zzz", 2),
        ("hello", "hello", 5),
        ("to be or not to be", "", 4),
        ("to be or not to be", "o", 3),
        ("to be or not to be", "or not to", 3),
        ("abcabd", "ab", 0),
    ],
    run=_as_plain_dict,
    judge=_count_by_hand,
    right=[_count_with_counter, _count_by_recursion, _count_with_find],
    wrong=[
        Wrong(
            _no_back_off,
            "Where the whole ending was never seen you return nothing. Back off: drop its first character and count "
            "again.",
        ),
        Wrong(
            _straight_to_nothing,
            "You back off from the whole ending to no ending at all. Drop one character at a time: the last order - 1 "
            "still say a lot.",
        ),
        Wrong(
            _not_to_nothing,
            "You stop at one character. Where even the last one was never seen, every character of the text counts.",
        ),
        Wrong(
            _minus_zero,
            "For length 0 you take context[-0:], which is the whole context: -0 is 0. Write "
            "context[len(context) - length:].",
        ),
        Wrong(
            _add_all_orders,
            "You add up the counts of all lengths. Back-off takes the longest ending that was seen, and only that.",
        ),
        Wrong(_shortest_first, "You begin with the shortest ending, and that is always found. Begin with the longest."),
        Wrong(
            _without_overlaps,
            "You go on behind the ending that was found, so endings that overlap are lost: in 'aaaa' the ending 'aa' "
            "is followed twice by 'a'. Go on by one character.",
        ),
        Wrong(
            _dropping_the_last,
            "You back off by dropping the last character, the nearest one, which says most. Drop the first.",
        ),
        Wrong(
            lambda text, context, order: (
                {c: n / sum(counts.values()) for c, n in counts.items()}
                if (counts := count_followers(text, context, order))
                else {}
            ),
            "You return probabilities. Asked for are the counts.",
        ),
        Wrong(
            lambda text, context, order: set(count_followers(text, context, order)),
            "You return which characters follow, but not how often.",
        ),
        Wrong(
            lambda text, context, order: max(counts := count_followers(text, context, order), key=counts.get),
            "You return the character that follows most often. Return all of them, with their counts.",
        ),
        Wrong(
            lambda text, context, order: count_followers(text, context[:order], order),
            "You take the first `order` characters of the context. What comes next depends on the last ones.",
        ),
    ],
    hints=[
        "Write the counting for one ending first. Then a loop over lengths: order, order - 1, ..., 0.",
        "The ending of some length is context[len(context) - length:]. It stands before place i when "
        "text[i - length : i] == ending.",
        "counts[text[i]] = counts.get(text[i], 0) + 1. Return as soon as counts is not empty.",
    ],
)

# ---------------------------------------------------------------- induction_score


def induction_score(weights, tokens):
    T = len(tokens)
    totals = []
    for t in range(T):
        places = [s for s in range(1, t + 1) if tokens[s - 1] == tokens[t]]
        if places:
            totals.append(sum(weights[t, s] for s in places))
    return sum(totals) / len(totals)


def _number(answer, weights, tokens):
    """The score as a float, whether a tensor or a number came."""
    score = answer(weights, tokens)
    return float(score) if isinstance(score, int | float) or (torch.is_tensor(score) and not score.ndim) else score


def _score_by_hand(weights, tokens):
    rows, ids = weights.tolist(), [int(token) for token in tokens]
    scores = {}
    for t, now in enumerate(ids):
        for s in range(t):
            if ids[s] == now:  # it stood here before, so place s + 1 has what followed
                scores[t] = scores.get(t, 0.0) + rows[t][s + 1]
    return sum(scores.values()) / len(scores)


def _score_table(weights, tokens):
    same = tokens[:, None] == tokens[None, :]
    after = torch.cat([torch.zeros(len(tokens), 1, dtype=torch.bool), same[:, :-1]], dim=1).tril()
    seen = after.any(dim=1)
    return (weights * after).sum(dim=1)[seen].mean()


def _score_with_where(weights, tokens):
    return torch.stack(
        [
            weights[t, torch.where(tokens[:t] == tokens[t])[0] + 1].sum()
            for t in range(len(tokens))
            if tokens[t] in tokens[:t]
        ]
    ).mean()


def _score_with_dict(weights, tokens):
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


def _last_time_only(weights, tokens):
    scores = []
    for t in range(len(tokens)):
        places = [s + 1 for s in range(t) if tokens[s] == tokens[t]]
        if places:
            scores.append(weights[t, places[-1]])
    return torch.stack(scores).mean()


def _mean_over_places(weights, tokens):
    pairs = [weights[t, s + 1] for t in range(len(tokens)) for s in range(t) if tokens[s] == tokens[t]]
    return torch.stack(pairs).mean()


INDUCTION_SCORE = Exercise(
    reference=induction_score,
    prompt="How much a head looks for what came next the last time. `weights` (T, T) are the attention weights of one "
    "head: weights[t, s] is how much token t takes of token s <= t. `tokens` is a tensor (T,). For every t whose token "
    "stands somewhere before t, add up the weights on all places s <= t whose token before, tokens[s - 1], equals "
    "tokens[t]. Return the mean over those t. (Olsson and others, 2022, call it prefix matching.)",
    cases=lambda: [
        (torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.1, 0.7, 0.2]]), torch.tensor([3, 8, 3])),
        (torch.randn(8, 8).masked_fill(torch.ones(8, 8).triu(1) > 0, -math.inf).softmax(1), torch.randint(3, (8,))),
        (torch.randn(9, 9).masked_fill(torch.ones(9, 9).triu(1) > 0, -math.inf).softmax(1), torch.arange(9) % 4),
        (torch.eye(5), torch.tensor([2, 2, 1, 2, 1])),
    ],
    run=_number,
    judge=_score_by_hand,
    right=[_score_table, _score_with_where, _score_with_dict],
    wrong=[
        Wrong(
            lambda weights, tokens: _scores(weights, tokens, shift=0).mean(),
            "You look at the places of the same token. The head is to copy what came *after* it: one place further.",
        ),
        Wrong(
            lambda weights, tokens: _scores(weights, tokens, shift=0, start=1).mean(),
            "You look at the places of the same token, and begin at place 1. The head is to copy what came after it.",
        ),
        Wrong(
            _last_time_only,
            "You count only the last time the token stood there. Add up over all of them: a head may look at any.",
        ),
        Wrong(
            _mean_over_places,
            "You take the mean over all pairs of places. Add up over the places of one t; then the mean over the t.",
        ),
        Wrong(
            lambda weights, tokens: _scores(weights, tokens).sum() / len(tokens),
            "You divide by all T tokens. Those that never stood there before have nothing to look for: leave them out.",
        ),
        Wrong(
            lambda weights, tokens: _scores(weights, tokens).sum(),
            "You add up over the tokens. Return the mean, a number between 0 and 1.",
        ),
        Wrong(
            lambda weights, tokens: weights.diagonal(-1).mean(),
            "You measure how much each token looks at the one just before: that is the other head, the one that "
            "prepares this one's work.",
        ),
        Wrong(
            lambda weights, tokens: _score_by_hand(weights.T, tokens),
            "Rows and columns are changed round. weights[t, s]: t looks, s is looked at.",
        ),
        Wrong(
            lambda weights, tokens: _scores(weights, tokens, shift=-1, start=1).mean(),
            "You look at what came *before* the same token. The head is to foretell what comes next: one place after.",
        ),
    ],
    hints=[
        "Two loops: over t, and over the places s <= t. Which s count? Those with tokens[s - 1] == tokens[t].",
        "places = [s for s in range(1, t + 1) if tokens[s - 1] == tokens[t]]",
        "If places is not empty, keep sum(weights[t, s] for s in places). At the end the mean of what was kept.",
    ],
)

# ---------------------------------------------------------------- mask_prompt


def mask_prompt(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    targets = tokens[1:].clone()
    targets[: len(prompt) - 1] = IGNORED
    return tokens[:-1], targets


def _mask_by_hand(prompt, answer):
    together = [*prompt, *answer]
    inputs, targets = [], []
    for place in range(len(together) - 1):
        inputs.append(together[place])
        targets.append(together[place + 1] if place + 1 >= len(prompt) else -100)
    return torch.tensor(inputs), torch.tensor(targets)


def _mask_lists(prompt, answer):
    return torch.tensor((prompt + answer)[:-1]), torch.tensor([-100] * (len(prompt) - 1) + answer)


def _mask_full(prompt, answer):
    tokens = torch.tensor([*prompt, *answer])
    targets = torch.full((len(tokens) - 1,), -100)
    targets[len(prompt) - 1 :] = torch.tensor(answer)
    return tokens[:-1], targets


def _mask_where(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    places = torch.arange(1, len(tokens))
    return tokens[:-1], torch.where(places >= len(prompt), tokens[1:], torch.tensor(-100))


def _masked_to(count, value=IGNORED):
    """A wrong answer: the first `count(prompt)` targets are `value`."""

    def wrong(prompt, answer):
        tokens = torch.tensor(prompt + answer)
        targets = tokens[1:].clone()
        targets[: count(prompt)] = value
        return tokens[:-1], targets

    return wrong


def _no_shift(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    targets = tokens.clone()
    targets[: len(prompt)] = IGNORED
    return tokens, targets


def _no_shift_of_inputs(prompt, answer):
    return torch.tensor(prompt + answer), mask_prompt(prompt, answer)[1]


def _masked_inputs(prompt, answer):
    inputs, targets = mask_prompt(prompt, answer)
    inputs = inputs.clone()
    inputs[: len(prompt) - 1] = IGNORED
    return inputs, targets


def _masked_answer(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    targets = tokens[1:].clone()
    targets[len(prompt) - 1 :] = IGNORED
    return tokens[:-1], targets


MASK_PROMPT = Exercise(
    reference=mask_prompt,
    prompt="One example for fine-tuning, from two lists of tokens. Return two tensors of the same length: the inputs, "
    "all tokens of prompt + answer but the last; and the targets, where targets[t] is the token that follows inputs[t] "
    "if that token belongs to the answer, and -100 if it belongs to the prompt. (F.cross_entropy leaves out -100.)",
    cases=lambda: [
        ([5, 6, 7], [8, 9]),
        ([1], [2]),
        ([4, 4], [4, 4, 4]),
        (list(range(10, 20)), [3]),
    ],
    judge=_mask_by_hand,
    right=[_mask_lists, _mask_full, _mask_where],
    wrong=[
        Wrong(
            _masked_to(len),
            "One target too many is hidden: the answer's first token. The prompt's *last* token is an input whose "
            "target is already the answer: len(prompt) - 1 targets go.",
        ),
        Wrong(
            _masked_to(lambda prompt: max(0, len(prompt) - 2)),
            "One target too few is hidden: the model still learns the prompt's last token.",
        ),
        Wrong(
            _masked_to(lambda prompt: 0),
            "No target is hidden, so the model learns to write prompts too. Put -100 where the next token is the "
            "prompt's.",
        ),
        Wrong(
            _masked_to(lambda prompt: len(prompt) - 1, 0),
            "You hide targets with 0, and 0 is a token like others: the model would learn to say it. Use -100.",
        ),
        Wrong(
            _masked_to(lambda prompt: len(prompt) - 1, -1),
            "You hide targets with -1. F.cross_entropy leaves out -100, and -1 is an error.",
        ),
        Wrong(
            _no_shift,
            "The targets are not shifted: each token is to foretell itself. targets[t] is the token *after* inputs[t].",
        ),
        Wrong(
            _no_shift_of_inputs,
            "The inputs have one token more than the targets. Nothing follows the last token: leave it out.",
        ),
        Wrong(
            _masked_inputs,
            "You hide the prompt in the inputs too. The model must read it; only its targets do not count.",
        ),
        Wrong(
            _masked_answer,
            "You hide the answer and keep the prompt. It is the prompt that the model need not learn to write.",
        ),
        Wrong(
            lambda prompt, answer: (torch.tensor(prompt), torch.tensor(answer)),
            "You give the prompt as the input and the answer as the target. A GPT writes token by token: while it "
            "foretells the answer's second token, it reads the first.",
        ),
    ],
    hints=[
        "Put both lists together. Inputs are all but the last, targets are all but the first: tokens[:-1], tokens[1:].",
        "How many targets belong to the prompt? All prompt tokens but the first are targets: len(prompt) - 1.",
        "targets = tokens[1:].clone(), then targets[: len(prompt) - 1] = -100.",
    ],
)

# ---------------------------------------------------------------- lora_forward


def lora_forward(x, weight, A, B, alpha):
    r = len(A)
    return x @ weight.T + alpha / r * (x @ A.T @ B.T)


def _lora_by_rows(x, weight, A, B, alpha):
    rows = []
    for row in x.flatten(0, -2):
        small = torch.stack([(a * row).sum() for a in A])  # r numbers
        change = torch.stack([(b * small).sum() for b in B]) * alpha / A.shape[0]
        rows.append(torch.stack([(w * row).sum() for w in weight]) + change)
    return torch.stack(rows).view(*x.shape[:-1], len(weight))


def _lora_merged_first(x, weight, A, B, alpha):
    return F.linear(x, weight + (alpha / A.shape[0]) * (B @ A))


def _lora_with_linear(x, weight, A, B, alpha):
    return F.linear(x, weight) + F.linear(F.linear(x, A), B) * (alpha / B.shape[1])


def _lora_einsum(x, weight, A, B, alpha):
    plain = torch.einsum("...i,oi->...o", x, weight)
    return plain + torch.einsum("...i,ri,or->...o", x, A, B).mul(alpha).div(len(A))


def _lora_with_scale(scale):
    return lambda x, weight, A, B, alpha: x @ weight.T + scale(alpha, A, B) * (x @ A.T @ B.T)


LORA_FORWARD = Exercise(
    reference=lora_forward,
    prompt="A linear layer with LoRA: y = W x + (alpha / r) B A x. `x` is (..., n), `weight` W is (m, n) and frozen, "
    "`A` is (r, n), `B` is (m, r). Return (..., m). There is no bias. Hu and others 2021, section 4.1.",
    cases=lambda: [
        (torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, 1.0]]), 4.0),
        (torch.randn(5, 4), torch.randn(3, 4), torch.randn(2, 4), torch.randn(3, 2), 16.0),
        (torch.randn(2, 3, 6), torch.randn(6, 6), torch.randn(1, 6), torch.zeros(6, 1), 8.0),
        (torch.randn(2, 3, 6), torch.randn(5, 6), torch.randn(3, 6), torch.randn(5, 3), 1.0),
    ],
    judge=_lora_by_rows,
    tolerance=1e-4,
    right=[_lora_merged_first, _lora_with_linear, _lora_einsum],
    wrong=[
        Wrong(
            _lora_with_scale(lambda alpha, A, B: alpha),
            "The correction is multiplied by alpha, and not divided by the rank r = len(A).",
        ),
        Wrong(
            _lora_with_scale(lambda alpha, A, B: 1 / len(A)),
            "alpha is missing: the correction counts alpha / r.",
        ),
        Wrong(_lora_with_scale(lambda alpha, A, B: 1), "The factor alpha / r before the correction is missing."),
        Wrong(
            _lora_with_scale(lambda alpha, A, B: alpha / A.shape[1]),
            "You divide by n, the number of inputs. The rank r is the short side of A: A.shape[0].",
        ),
        Wrong(
            _lora_with_scale(lambda alpha, A, B: alpha / len(B)),
            "You divide by m, the number of outputs. The rank r is the short side of B: B.shape[1].",
        ),
        Wrong(
            _lora_with_scale(lambda alpha, A, B: len(A) / alpha),
            "You multiply by r / alpha. It is alpha / r.",
        ),
        Wrong(
            lambda x, weight, A, B, alpha: alpha / len(A) * (x @ A.T @ B.T),
            "W x is missing: LoRA corrects what the frozen layer says, it does not take its place.",
        ),
        Wrong(
            lambda x, weight, A, B, alpha: alpha / len(A) * (x @ weight.T + x @ A.T @ B.T),
            "The factor alpha / r stands before both parts. It belongs to the correction only.",
        ),
        Wrong(
            lambda x, weight, A, B, alpha: x @ weight.T,
            "The correction is missing: add (alpha / r) B A x.",
        ),
        Wrong(
            lambda x, weight, A, B, alpha: x @ weight.T - alpha / len(A) * (x @ A.T @ B.T),
            "The correction is subtracted. Add it.",
        ),
        Wrong(
            lambda x, weight, A, B, alpha: x @ weight.T + alpha / len(A) * torch.relu(x @ A.T) @ B.T,
            "There is a ReLU between A and B. LoRA has none: only so can B A be added to W when the training is over.",
        ),
    ],
    hints=[
        "x has its numbers in the last dimension, so W x for all rows at once is x @ weight.T.",
        "First A: x @ A.T is (..., r). Then B: @ B.T makes (..., m) of it. r is len(A).",
        "x @ weight.T + alpha / len(A) * (x @ A.T @ B.T)",
    ],
)

# ---------------------------------------------------------------- merged_weight


def merged_weight(weight, A, B, alpha):
    return weight + alpha / len(A) * (B @ A)


def _merged_by_columns(weight, A, B, alpha):
    """Column i is what the layer with LoRA makes of the i-th unit vector."""
    columns = []
    for i in range(weight.shape[1]):
        small = A[:, i]
        columns.append(weight[:, i] + alpha / A.shape[0] * (B * small).sum(dim=1))
    return torch.stack(columns, dim=1)


def _merged_by_outer_products(weight, A, B, alpha):
    merged = weight.clone()
    for a, b in zip(A, B.T, strict=True):
        merged += alpha / len(A) * torch.outer(b, a)
    return merged


def _merged_with_addmm(weight, A, B, alpha):
    return torch.addmm(weight, B, A, alpha=alpha / B.shape[1])


def _merged_of_the_identity(weight, A, B, alpha):
    unit = torch.eye(A.shape[1])
    return (unit @ weight.T + alpha / len(A) * (unit @ A.T @ B.T)).T


def _merged_in_place(weight, A, B, alpha):
    weight += alpha / len(A) * (B @ A)
    return weight


MERGED_WEIGHT = Exercise(
    reference=merged_weight,
    prompt="The training is over, and LoRA shall cost nothing any more: return one weight (m, n), a new tensor, with "
    "which a plain linear layer does the same as W x + (alpha / r) B A x. `weight` W is (m, n), `A` is (r, n), `B` is "
    "(m, r).",
    cases=lambda: [
        (torch.zeros(2, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [1.0]]), 2.0),
        (torch.randn(3, 4), torch.randn(2, 4), torch.randn(3, 2), 16.0),
        (torch.randn(5, 5), torch.randn(3, 5), torch.randn(5, 3), 1.0),
        (torch.randn(4, 4), torch.randn(2, 4), torch.zeros(4, 2), 8.0),
    ],
    judge=_merged_by_columns,
    tolerance=1e-4,
    right=[_merged_by_outer_products, _merged_with_addmm, _merged_of_the_identity],
    wrong=[
        Wrong(
            _merged_in_place,
            "The weight is right, but you changed the one that came in: the model you began with is gone. Make a new "
            "tensor.",
        ),
        Wrong(lambda weight, A, B, alpha: weight + B @ A, "The factor alpha / r is missing."),
        Wrong(lambda weight, A, B, alpha: weight + alpha * (B @ A), "You do not divide by the rank r = len(A)."),
        Wrong(lambda weight, A, B, alpha: weight + B @ A / len(A), "alpha is missing: the factor is alpha / r."),
        Wrong(
            lambda weight, A, B, alpha: alpha / len(A) * (B @ A),
            "That is the correction alone. Add it to the weight.",
        ),
        Wrong(
            lambda weight, A, B, alpha: weight - alpha / len(A) * (B @ A),
            "The correction is subtracted: that takes LoRA away from a weight it was merged into.",
        ),
        Wrong(
            lambda weight, A, B, alpha: weight + A @ B,
            "B comes first: B @ A is (m, n), like the weight; A @ B is (r, r) or does not fit at all.",
        ),
        Wrong(
            lambda weight, A, B, alpha: weight + alpha / len(A) * (A @ B),
            "B comes first: B @ A is (m, n), like the weight. A @ B has another shape.",
        ),
        Wrong(
            lambda weight, A, B, alpha: weight + alpha / len(A) * (A.T @ B.T),
            "A.T @ B.T is (n, m), the transpose. B @ A is (m, n).",
        ),
        Wrong(
            lambda weight, A, B, alpha: alpha / len(A) * (weight + B @ A),
            "The factor stands before the weight too. It belongs to B A only.",
        ),
    ],
    hints=[
        "W x + c B A x = (W + c B A) x. So what is the one weight?",
        "B @ A is (m, n), the shape of the weight. r is len(A).",
        "weight + alpha / len(A) * (B @ A)",
    ],
)

# ---------------------------------------------------------------- preference_loss


def preference_loss(chosen, rejected, reference_chosen, reference_rejected, beta):
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -F.logsigmoid(beta * margin).mean()


def _preference_by_hand(chosen, rejected, reference_chosen, reference_rejected, beta):
    """Pair by pair in Python's own numbers, by the two ratios of probabilities; and the gradients to the first two."""
    total, up, down = 0.0, [], []
    columns = (chosen.tolist(), rejected.tolist(), reference_chosen.tolist(), reference_rejected.tolist())
    for good, bad, old_good, old_bad in zip(*columns, strict=True):
        z = beta * (good - old_good - bad + old_bad)
        total += math.log1p(math.exp(-z)) if z > 0 else -z + math.log1p(math.exp(z))
        pull = beta / (1 + math.exp(z)) if z < 700 else 0.0
        up.append(-pull / len(chosen))
        down.append(pull / len(chosen))
    return [torch.tensor(total / len(chosen)), torch.tensor(up), torch.tensor(down)]


def _loss_and_pull(answer, chosen, rejected, reference_chosen, reference_rejected, beta):
    """The loss, and its gradients to the two log-probabilities that learn."""
    good, bad = (numbers.clone().requires_grad_() for numbers in (chosen, rejected))
    loss = answer(good, bad, reference_chosen, reference_rejected, beta)
    if not torch.is_tensor(loss):
        return loss
    if not loss.requires_grad:
        raise Mistake("Your loss has no gradient: training cannot go back through it. Leave out .item() and .detach().")
    if loss.ndim:
        return loss.detach()
    gradients = torch.autograd.grad(loss, [good, bad], allow_unused=True)
    return [loss.detach(), *(torch.zeros_like(good) if g is None else g for g in gradients)]


def _preference_softplus(chosen, rejected, reference_chosen, reference_rejected, beta):
    return F.softplus(beta * (rejected - reference_rejected - chosen + reference_chosen)).mean()


def _preference_cross_entropy(chosen, rejected, reference_chosen, reference_rejected, beta):
    rewards = beta * torch.stack([chosen - reference_chosen, rejected - reference_rejected], dim=1)
    return F.cross_entropy(rewards, torch.zeros(len(chosen), dtype=torch.long))


def _preference_with_logits(chosen, rejected, reference_chosen, reference_rejected, beta):
    ours, theirs = chosen - rejected, reference_chosen - reference_rejected
    return F.binary_cross_entropy_with_logits(beta * (ours - theirs), torch.ones_like(ours))


def _preference_logaddexp(chosen, rejected, reference_chosen, reference_rejected, beta):
    good, bad = beta * (chosen - reference_chosen), beta * (rejected - reference_rejected)
    return (torch.logaddexp(good, bad) - good).mean()


def _of_margin(loss):
    """A wrong answer: loss(beta, ours, theirs), where these are how much each model prefers the chosen answers."""
    return lambda chosen, rejected, old_chosen, old_rejected, beta: loss(
        beta, chosen - rejected, old_chosen - old_rejected
    )


PREFERENCE_LOSS = Exercise(
    reference=preference_loss,
    prompt="The loss of DPO. All four are log-probabilities (B,) of whole answers: the chosen and the rejected, by "
    "the model that learns, and by the frozen reference. The margin of a pair is (chosen - reference_chosen) - "
    "(rejected - reference_rejected). Return the mean over the pairs of -log(sigmoid(beta * margin)); it must stay "
    "finite for margins of thousands. Rafailov and others 2023, equation 7.",
    cases=lambda: [
        (torch.tensor([-1.0]), torch.tensor([-3.0]), torch.tensor([-2.0]), torch.tensor([-2.5]), 0.5),
        (*(-5 * torch.rand(6) for _ in range(4)), 0.1),
        (*(-20 * torch.rand(3) for _ in range(4)), 1.0),
        (torch.tensor([-2000.0, -1.0]), torch.tensor([-1.0, -2.0]), torch.zeros(2), torch.zeros(2), 1.0),
    ],
    run=_loss_and_pull,
    judge=_preference_by_hand,
    tolerance=1e-4,
    right=[_preference_softplus, _preference_cross_entropy, _preference_with_logits, _preference_logaddexp],
    wrong=[
        Wrong(
            _of_margin(lambda beta, ours, theirs: -torch.sigmoid(beta * (ours - theirs)).log().mean()),
            "Right for small margins. For large negative ones sigmoid is 0 and its logarithm infinite: "
            "F.logsigmoid does both in one, and stays finite.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * ours).mean()),
            "The reference is missing. What counts is how much *more* than the reference the model prefers the answer.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: F.logsigmoid(beta * (ours - theirs)).mean()),
            "The minus is missing: so the model would learn the rejected answers.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -F.logsigmoid(-beta * (ours - theirs)).mean()),
            "Chosen and rejected are changed round: so the model would learn the rejected answers.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * (ours + theirs)).mean()),
            "The reference's preference is added. Subtract it: (chosen - reference_chosen) - "
            "(rejected - reference_rejected).",
        ),
        Wrong(_of_margin(lambda beta, ours, theirs: -F.logsigmoid(ours - theirs).mean()), "beta is missing."),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -beta * F.logsigmoid(ours - theirs).mean()),
            "beta stands outside. It belongs inside the sigmoid, before the margin.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -F.logsigmoid((ours - theirs) / beta).mean()),
            "You divide by beta. Multiply: a small beta lets the model move far from the reference.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -beta * (ours - theirs).mean()),
            "The sigmoid is missing: so a pair that is long learned would pull as hard as a new one, without end.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -torch.sigmoid(beta * (ours - theirs)).mean()),
            "The logarithm is missing: it is -log of the sigmoid.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * (ours - theirs)).sum()),
            "You add up over the pairs. Take the mean, so that the step does not grow with the batch.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * (ours - theirs))),
            "You return one loss a pair. Return their mean, one number.",
        ),
        Wrong(
            _of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * (ours - theirs).mean())),
            "You take the mean of the margins first, and then the sigmoid. Each pair has a loss of its own; the mean "
            "comes last.",
        ),
        Wrong(
            lambda chosen, rejected, old_chosen, old_rejected, beta: (
                -F.logsigmoid(beta * (chosen.exp() / old_chosen.exp() - rejected.exp() / old_rejected.exp())).mean()
            ),
            "You take exp first. The margin is made of the log-probabilities as they are.",
        ),
        Wrong(
            lambda *case: preference_loss(*case).item(),
            "`.item()` makes a plain number, and training cannot go back through it. Return the tensor.",
        ),
    ],
    hints=[
        "Write the margin in one line; the formula is in the question.",
        "-log(sigmoid(z)) is -F.logsigmoid(z), which stays finite.",
        "-F.logsigmoid(beta * margin).mean()",
    ],
)
