"""The exercise `keep_top_p`: nucleus sampling keeps the likeliest tokens that have the probability p together."""

import math

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.inference.keep_top_k import only_these


@exercise(
    prompt="Top-p, or nucleus sampling: the likeliest tokens stay, just as many as are needed to have the probability "
    "p together. All others become minus infinity. logits (V,) in, (V,) out, every logit in its place.",
    tolerance=1e-9,
    untried={
        "logits": {"a gradient is wanted": "nobody learns from a token that is drawn"},
        "p": {"0": "the text leaves open whether one token stays or none"},
    },
)
def keep_top_p(logits, p):
    probabilities, order = logits.softmax(dim=-1).sort(descending=True)
    before = probabilities.cumsum(dim=-1) - probabilities
    kept = order[before < p]
    return torch.full_like(logits, -math.inf).scatter(0, kept, logits[kept])


@keep_top_p.cases
def cases():
    return [
        (torch.tensor([0.25, 0.1, 0.4, 0.05, 0.2]).log(), 0.5),
        (torch.tensor([0.25, 0.1, 0.4, 0.05, 0.2]).log(), 0.3),
        (torch.tensor([0.1, 0.05, 0.4, 0.25, 0.2]).log() + 3, 0.9),
        (torch.randn(12) * 2 + 1, 0.6),
        (torch.randn(30) * 3 - 2, 0.97),
        (torch.zeros(4), 0.5),
        (torch.tensor([3.0, -math.inf, 3.0]), 1.0),
        (torch.tensor([-1000.0, 998.0, 1000.0, 999.0]), 0.9),
        (torch.tensor([0.3, 0.1, 2.3, -0.7], dtype=torch.float64), 0.85),
        (torch.tensor([-0.7]), 0.2),
    ]


@keep_top_p.run
def with_ties_in_order(answer, logits, p):
    """Which of several equal logits stay is open: let it be the first ones."""
    result = answer(logits, p)
    if not isinstance(result, torch.Tensor) or result.shape != logits.shape:
        return result
    result = result.clone()
    for score in logits.unique():
        places = (logits == score).nonzero()[:, 0]
        result[places] = result[places].sort(descending=True).values
    return result


@keep_top_p.judge
def by_hand(logits, p):
    """Token by token, the likeliest first, until they have p together."""
    weights = [math.exp(score - logits.max().item()) for score in logits.tolist()]
    probabilities = [weight / sum(weights) for weight in weights]
    kept, total = [], 0.0
    for token in sorted(range(len(logits)), key=lambda token: -probabilities[token]):
        if total < p:
            kept.append(token)
        total += probabilities[token]
    scores = [score if token in kept else -math.inf for token, score in enumerate(logits.tolist())]
    return torch.tensor(scores, dtype=logits.dtype)


@keep_top_p.right
def by_the_tail(logits, p):
    probabilities, order = torch.sort(torch.softmax(logits, -1))
    tail = probabilities.cumsum(0) <= 1 - p
    return logits.masked_fill(torch.zeros_like(tail).scatter(0, order, tail), -math.inf)


@keep_top_p.right
def shifted(logits, p):
    values, order = logits.sort(descending=True)
    gone = values.softmax(dim=-1).cumsum(dim=-1) >= p
    gone = torch.cat([torch.tensor([False]), gone[:-1]])
    kept = torch.empty_like(logits)
    kept[order] = values.masked_fill(gone, float("-inf"))
    return kept


@keep_top_p.right
def by_counting(logits, p):
    probabilities, order = logits.softmax(dim=-1).sort(descending=True)
    count = int((probabilities.cumsum(dim=-1) < p).sum()) + 1
    kept = torch.full_like(logits, float("-inf"))
    kept[order[:count]] = logits[order[:count]]
    return kept


@keep_top_p.right
def in_a_loop(logits, p):
    probabilities = torch.exp(logits - logits.logsumexp(dim=0))
    kept, total = logits.new_full(logits.shape, -math.inf), 0.0
    kept[logits.argmax()] = logits.max()
    for token in probabilities.argsort(descending=True).tolist():
        if total >= p:
            break
        kept[token] = logits[token]
        total += probabilities[token].item()
    return kept


def before(probabilities, p):
    """What stays, among sorted probabilities."""
    return probabilities.cumsum(dim=-1) - probabilities < p


def inside(probabilities, p):
    return probabilities.cumsum(dim=-1) <= p


def strictly_inside(probabilities, p):
    return probabilities.cumsum(dim=-1) < p


def first_or(keep):
    """What `keep` says, and the likeliest always."""
    return lambda probabilities, p: keep(probabilities, p) | (torch.arange(len(probabilities)) == 0)


def one_more(keep):
    """What `keep` says, and the one after it."""

    def more(probabilities, p):
        kept = keep(probabilities, p)
        return kept | (torch.arange(len(kept)) == kept.sum())

    return more


def nucleus(keep=before, start=lambda logits: logits.softmax(dim=-1), descending=True, back=None, other=-math.inf):
    """A wrong top-p: `keep(sorted probabilities, p)` says what stays, in their order, and `back` puts it in place."""

    def answer(logits, p):
        probabilities, order = start(logits).sort(descending=descending)
        kept = keep(probabilities, p)
        kept = torch.zeros_like(kept).scatter(0, order, kept) if back is None else back(kept, order)
        return logits.masked_fill(~kept, other)

    return answer


def after(change):
    """A wrong top-p: the right result, changed."""
    return lambda logits, p: change(keep_top_p(logits, p))


def counted(count):
    """A wrong top-p: one that keeps `count(logits, p)` tokens."""
    return lambda logits, p: only_these(logits, logits.topk(min(max(1, count(logits, p)), len(logits))).indices)


def naive(logits):
    return logits.exp() / logits.exp().sum()


def with_p(change):
    """A wrong top-p: the right one, of a changed p."""
    return lambda logits, p: keep_top_p(logits, change(p))


# Where it ends.

keep_top_p.mistake(
    "The token that crosses p is missing. With 0.4 and 0.25 and p = 0.5 both must stay: 0.4 alone is too "
    "little. And where the first has more than p, nothing is left. Ask whether those before it have less "
    "than p.",
    crossing_one_missing=nucleus(inside),
)
keep_top_p.mistake(
    "The token that reaches p is missing, even where it reaches it exactly. Ask whether those before it have less than "
    "p, without itself: cumsum() - probabilities < p.",
    reaching_one_missing=nucleus(strictly_inside),
)
keep_top_p.mistake(
    "The token that crosses p is missing; only the likeliest you always keep. With 0.4 and 0.25 and p = 0.5 "
    "both must stay. Ask whether those before it have less than p.",
    crossing_one_missing_but_the_first=nucleus(first_or(inside)),
)
keep_top_p.mistake(
    "The token that reaches p is missing; only the likeliest you always keep. With 0.4 and 0.25 and p = 0.5 both must "
    "stay. Ask whether those before it have less than p.",
    reaching_one_missing_but_the_first=nucleus(first_or(strictly_inside)),
)
keep_top_p.mistake(
    "One too many stays. Those kept must have p together, and without the last of them less than p.",
    one_too_many=nucleus(one_more(before)),
)
keep_top_p.mistake(
    "One too many stays where those before it have exactly p: they are enough. Compare with < and not <= (or, to "
    "remove, with >= and not >).",
    one_too_many_at_p=nucleus(lambda probabilities, p: probabilities.cumsum(dim=-1) - probabilities <= p),
)
keep_top_p.mistake(
    "All tokens of one probability stay together, more than are needed. With four of 0.25 and p = 0.5 two are enough: "
    "decide by places, order[:count], and not by a smallest probability.",
    all_equal_ones=lambda logits, p: logits.masked_fill(
        logits < keep_top_p(logits, p)[keep_top_p(logits, p) > -math.inf].min(), -math.inf
    ),
)
keep_top_p.mistake(
    "Two too many stay. Those before a token, without itself, must have less than p.",
    two_too_many=nucleus(one_more(one_more(before))),
)
keep_top_p.mistake(
    "You keep at least two. One is enough where it has p alone.",
    at_least_two=nucleus(lambda probabilities, p: before(probabilities, p) | (torch.arange(len(probabilities)) < 2)),
)
keep_top_p.mistake(
    "You keep until 1 - p is reached. It is p: a larger p keeps more tokens.", until_one_minus_p=with_p(lambda p: 1 - p)
)
keep_top_p.mistake("Your p is 0.9, whatever is given. Use the argument.", always_nine_tenths=with_p(lambda p: 0.9))
keep_top_p.mistake("Your p is 0.95, whatever is given. Use the argument.", always_95_percent=with_p(lambda p: 0.95))
keep_top_p.mistake("Your p is 0.5, whatever is given. Use the argument.", always_one_half=with_p(lambda p: 0.5))

keep_top_p.mistake(
    "You shift the decision the wrong way: the token before the one that crosses p goes too. It must go to the one "
    "after it: gone[1:] = gone[:-1].clone(), and gone[0] = False.",
    shifted_the_wrong_way=nucleus(lambda probabilities, p: shifted_back(probabilities.cumsum(dim=-1) <= p)),
)
keep_top_p.mistake(
    "You shift the decision the wrong way: the tokens up to the one that reaches p lose their last. It must go to the "
    "one after it: gone[1:] = gone[:-1].clone(), and gone[0] = False.",
    shifted_the_wrong_way_at_p=nucleus(lambda probabilities, p: shifted_back(probabilities.cumsum(dim=-1) < p)),
)
keep_top_p.mistake(
    "Where the likeliest has p alone, it goes. After the shift by one, say gone[0] = False: the first always stays.",
    first_forgotten_in_the_shift=nucleus(lambda probabilities, p: shifted_on(probabilities.cumsum(dim=-1) < p)),
)
keep_top_p.mistake(
    "Where the likeliest has p alone, it goes, and one too many stays where those before it have exactly p. After the "
    "shift by one, say gone[0] = False, and compare with >=.",
    first_forgotten_in_the_shift_at_p=nucleus(lambda probabilities, p: shifted_on(probabilities.cumsum(dim=-1) <= p)),
)
keep_top_p.mistake(
    "The token at your limit goes, and all of its probability. Keep it: >= and not > (or decide by places, "
    "order[:count]).",
    limit_removed=lambda logits, p: logits.masked_fill(
        logits.softmax(dim=-1) <= logits.softmax(dim=-1)[keep_top_p(logits, p) > -math.inf].min(), -math.inf
    ),
)

# What is added up, and in which order.

keep_top_p.mistake(
    "You add up the probabilities in the order of the vocabulary. Sort them first, the largest in front.",
    not_sorted=lambda logits, p: logits.masked_fill(~before(logits.softmax(dim=-1), p), -math.inf),
)
keep_top_p.mistake(
    "You add up the probabilities in the order of the vocabulary, and the token that crosses p is missing. Sort them "
    "first, the largest in front.",
    not_sorted_and_crossing_one_missing=lambda logits, p: logits.masked_fill(
        ~inside(logits.softmax(dim=-1), p), -math.inf
    ),
)
keep_top_p.mistake(
    "You begin with the unlikeliest. sort() puts the smallest first: use descending=True.",
    unlikeliest_first=nucleus(descending=False),
)
keep_top_p.mistake(
    "You begin with the unlikeliest, and the token that crosses p is missing. sort() puts the smallest first: use "
    "descending=True.",
    unlikeliest_first_and_crossing_one_missing=nucleus(inside, descending=False),
)
keep_top_p.mistake(
    "You add up logits. p is a probability: softmax first.", logits_added=nucleus(start=lambda logits: logits)
)
keep_top_p.mistake(
    "You add up logits, and the token that crosses p is missing. p is a probability: softmax first.",
    logits_added_and_crossing_one_missing=nucleus(inside, start=lambda logits: logits),
)
keep_top_p.mistake(
    "You take sigmoid for softmax. The probabilities of all tokens sum to 1: softmax.",
    sigmoid=nucleus(start=torch.sigmoid),
)
keep_top_p.mistake(
    "Your exp(logits) is infinite for logits such as 1000, and infinite / infinite is NaN. softmax() subtracts the "
    "largest logit first.",
    unstable_softmax=nucleus(start=naive),
)
keep_top_p.mistake(
    "Your exp(logits) is infinite for logits such as 1000, and NaN comes after it, so that a loop stops at once. "
    "softmax() subtracts the largest logit first.",
    unstable_softmax_in_a_loop=lambda logits, p: loop(logits, naive(logits), p),
)
keep_top_p.mistake(
    "Your exp(logits) is infinite for logits such as 1000, and the sums after it are NaN. softmax() subtracts the "
    "largest logit first.",
    unstable_softmax_kept=lambda logits, p: logits.masked_fill(unstable_gone(logits, p), -math.inf),
)
keep_top_p.mistake(
    "You add up exp(logits), which do not sum to 1. Divide by their sum, or use softmax.",
    exponentials=nucleus(start=torch.exp),
)
keep_top_p.mistake(
    "softmax is applied twice. Once makes probabilities of logits.",
    softmax_twice=nucleus(start=lambda logits: logits.softmax(dim=-1).softmax(dim=-1)),
)
keep_top_p.mistake(
    "You multiply the probabilities: cumprod. Add them up: cumsum.",
    multiplied=nucleus(lambda probabilities, p: probabilities.cumprod(dim=-1) / probabilities < p),
)
# Back to their places.

keep_top_p.mistake(
    "Your result is still sorted, so each logit belongs to another token. Put them back in their places.",
    still_sorted=lambda logits, p: keep_top_p(logits, p).sort(descending=True).values,
)
keep_top_p.mistake(
    "You sort, decide, and forget to sort back: what you remove are the tokens that stand at those places "
    "now. Use `order` to find whose decision it is.",
    decision_still_sorted=nucleus(back=lambda kept, order: kept),
)
keep_top_p.mistake(
    "You sort, decide, and forget to sort back, and the token that crosses p is missing. Use `order` to find whose "
    "decision it is.",
    decision_still_sorted_and_crossing_one_missing=nucleus(inside, back=lambda kept, order: kept),
)
keep_top_p.mistake(
    "You sort back the wrong way. kept[order] reads at `order`; you need to write there: "
    "result[order] = kept, or scatter.",
    sorted_back_the_wrong_way=nucleus(back=lambda kept, order: kept[order]),
)
keep_top_p.mistake(
    "You put the sorted logits back the wrong way. values[order] reads at `order`; you need to write there: "
    "result[order] = values, or values[order.argsort()].",
    logits_back_the_wrong_way=lambda logits, p: (
        keep_top_p(logits, p).sort(descending=True).values[logits.argsort(descending=True)]
    ),
)
keep_top_p.mistake(
    "You return the logits that stay, without the others: which tokens are they? Keep the shape (V,).",
    kept_alone=after(lambda result: result[result > -math.inf]),
)
keep_top_p.mistake(
    "You return the logits that stay, sorted, without the others: which tokens are they? Keep the shape (V,).",
    kept_alone_sorted=after(lambda result: result[result > -math.inf].sort(descending=True).values),
)
keep_top_p.mistake(
    "You return the numbers of the tokens that stay. Return logits, (V,), with -inf for the others.",
    tokens_alone=lambda logits, p: logits.argsort(descending=True)[: int((keep_top_p(logits, p) > -math.inf).sum())],
)
keep_top_p.mistake(
    "You return True and False. Use them: logits.masked_fill(...), or torch.where.",
    mask_alone=after(lambda result: result > -math.inf),
)
keep_top_p.mistake(
    "You keep what should go, and remove what should stay.",
    reversed=lambda logits, p: logits.masked_fill(keep_top_p(logits, p) > -math.inf, -math.inf),
)

# What is in the result.

keep_top_p.mistake(
    "You set the others to 0. A logit of 0 still has a probability, since exp(0) is 1. Use -inf.",
    zero=nucleus(other=0.0),
)
for number, text in (
    (-1e9, "-1e9"), (-1e10, "-1e10"), (-1e4, "-1e4"), (-1e5, "-1e5"), (-1e6, "-1e6"), (-1e8, "-1e8"), (-100.0, "-100"),
    (-1000.0, "-1000"), (-999.0, "-999"),
):  # fmt: skip
    keep_top_p.mistake(
        f"You use {text} for minus infinity. It works until logits are added or scaled; -inf always works: "
        "float('-inf') or -math.inf.",
        **{f"minus_{abs(number):g}".replace("+", ""): nucleus(other=number)},
    )
keep_top_p.mistake(
    "You set the others to plus infinity. It must be minus infinity.", plus_infinity=nucleus(other=math.inf)
)
keep_top_p.mistake(
    "You return probabilities. Return the logits, with -inf for what is removed.",
    probabilities=after(lambda result: result.softmax(dim=-1)),
)
keep_top_p.mistake(
    "You keep probabilities, with -inf for the others. Keep the logits.",
    probabilities_kept=lambda logits, p: logits.softmax(dim=-1).masked_fill(
        keep_top_p(logits, p) == -math.inf, -math.inf
    ),
)
keep_top_p.mistake(
    "You return probabilities, with 0 for the others. Return the logits, with -inf for the others.",
    probabilities_and_zeros=lambda logits, p: logits.softmax(dim=-1).masked_fill(
        keep_top_p(logits, p) == -math.inf, 0.0
    ),
)
keep_top_p.mistake(
    "You return logarithms of probabilities. Return the logits as they came.",
    log_probabilities=after(lambda result: result.log_softmax(dim=-1)),
)
keep_top_p.mistake(
    "You return logarithms of the probabilities among all tokens. Return the logits as they came.",
    log_probabilities_kept=lambda logits, p: logits.log_softmax(dim=-1).masked_fill(
        keep_top_p(logits, p) == -math.inf, -math.inf
    ),
)
keep_top_p.mistake(
    "The logits that stay are 1. They keep their values.",
    ones=after(lambda result: torch.where(result > -math.inf, 1.0, result)),
)
keep_top_p.mistake(
    "0 times infinity is NaN. Choose with masked_fill or torch.where; do not multiply a mask with -inf.",
    zero_times_infinity=after(lambda result: result * (result > -math.inf) + (result == -math.inf) * -math.inf),
)
keep_top_p.mistake(
    "Float64 logits come back with the digits of float32: torch.full, torch.zeros and torch.tensor make float32. Use "
    "torch.full_like(logits, ...), or say dtype=logits.dtype.",
    digits_lost=after(lambda result: result.float()),
)
keep_top_p.mistake("You return a list. Return a tensor.", in_a_list=after(torch.Tensor.tolist))

# Another rule.

keep_top_p.mistake(
    "You compare each probability with p. It is their sum, from the likeliest on, that must reach p.",
    each_compared=lambda logits, p: logits.masked_fill(logits.softmax(dim=-1) < p, -math.inf),
)
keep_top_p.mistake(
    "You keep each token that has less than p alone. It is their sum, from the likeliest on, that must reach p.",
    each_below_p=lambda logits, p: logits.masked_fill(logits.softmax(dim=-1) > p, -math.inf),
)
keep_top_p.mistake(
    "You compare the logits with p. p is a probability, of the likeliest tokens together.",
    logits_compared=lambda logits, p: logits.masked_fill(logits < p, -math.inf),
)
keep_top_p.mistake(
    "That is min-p: you compare with p times the largest probability. The sum of the likeliest must reach p.",
    min_p=lambda logits, p: logits.masked_fill(logits.softmax(dim=-1) < p * logits.softmax(dim=-1).max(), -math.inf),
)
keep_top_p.mistake(
    "You compare with 1 - p. It is the sum of the likeliest that must reach p.",
    each_compared_with_the_rest=lambda logits, p: logits.masked_fill(logits.softmax(dim=-1) < 1 - p, -math.inf),
)
for word, count in (
    ("rounded", lambda logits, p: round(p * len(logits))),
    ("rounded up", lambda logits, p: math.ceil(p * len(logits))),
    ("rounded down", lambda logits, p: int(p * len(logits))),
):
    keep_top_p.mistake(
        f"You keep a share p of the tokens ({word}). p is a share of the probability: few tokens may have most of it.",
        **{f"share_of_tokens_{word.replace(' ', '_')}": counted(count)},
    )
keep_top_p.mistake(
    "You keep the likeliest token only. As many stay as have p together. (p is a share already: do not divide by 100. "
    "And what you add up must sum to 1: softmax.)",
    likeliest_only=counted(lambda logits, p: 1),
)
keep_top_p.mistake(
    "You remove nothing. Only the likeliest stay, as many as have p together. (Logarithms of probabilities are "
    "negative: their sum never reaches p.)",
    all_stay=lambda logits, p: logits.clone(),
)
keep_top_p.mistake(
    "Nothing stays. The likeliest must keep their logits.", nothing_stays=lambda logits, p: logits - math.inf
)


def shifted_back(kept):
    return torch.cat([kept[1:], kept[-1:]])


def shifted_on(kept):
    return torch.cat([kept[:1], kept[:-1]])


def loop(logits, probabilities, p):
    kept, total = torch.full_like(logits, -math.inf), 0.0
    for token in probabilities.argsort(descending=True).tolist():
        if not total < p:
            break
        kept[token] = logits[token]
        total += probabilities[token].item()
    return kept


def unstable_gone(logits, p):
    probabilities, order = naive(logits).sort(descending=True)
    gone = probabilities.cumsum(dim=-1) - probabilities >= p
    return torch.zeros_like(gone).scatter(0, order, gone)


@keep_top_p.mistake(
    "The result is right, but the logits you were given are changed too. Work on a copy: logits.clone(), or "
    "masked_fill without _ at its end."
)
def in_place(logits, p):
    probabilities, order = logits.softmax(dim=-1).sort(descending=True)
    logits[order[~before(probabilities, p)]] = -math.inf
    return logits


keep_top_p.hints(
    "Three steps: sort the probabilities, the largest first; decide who stays; put the decision back in place.",
    "A token stays if those before it, without itself, have less than p together. cumsum() - probabilities.",
    "kept = order[before < p] are the tokens that stay. All others get -inf.",
)
