"""The exercise `keep_top_p` of lesson 07."""

import math

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.inference.keep_top_k import keep_top_k
from bmcourse.exercises.inference.shared import GONE


@exercise(
    prompt="Top-p, or nucleus sampling: the likeliest tokens stay, just as many as are needed to have the probability "
    "p together. All others become minus infinity. logits (V,) in, (V,) out, every logit in its place."
)
def keep_top_p(logits, p):
    probabilities, order = logits.softmax(dim=-1).sort(descending=True)
    before = probabilities.cumsum(dim=-1) - probabilities
    kept = order[before < p]
    return torch.full_like(logits, -math.inf).scatter(0, kept, logits[kept])


@keep_top_p.judge
def top_p_by_hand(logits, p):
    """Token by token, the likeliest first, until they have p together."""
    probabilities = [math.exp(score) for score in logits.double().log_softmax(dim=-1).tolist()]
    kept, total = [], 0.0
    for token in sorted(range(len(logits)), key=lambda token: -probabilities[token]):
        if total < p:
            kept.append(token)
        total += probabilities[token]
    return torch.tensor([score if token in kept else GONE for token, score in enumerate(logits.tolist())])


@keep_top_p.right
def top_p_by_tail(logits, p):
    probabilities, order = torch.sort(torch.softmax(logits, -1))
    tail = probabilities.cumsum(0) <= 1 - p
    return logits.masked_fill(torch.zeros_like(tail).scatter(0, order, tail), -math.inf)


@keep_top_p.right
def top_p_shifted(logits, p):
    values, order = logits.sort(descending=True)
    gone = values.softmax(dim=-1).cumsum(dim=-1) >= p
    gone = torch.cat([torch.tensor([False]), gone[:-1]])
    kept = torch.empty_like(logits)
    kept[order] = values.masked_fill(gone, float("-inf"))
    return kept


@keep_top_p.right
def top_p_by_limit(logits, p):
    probabilities = logits.softmax(dim=-1)
    largest = probabilities.sort(descending=True).values
    count = int((largest.cumsum(dim=-1) < p).sum()) + 1
    return torch.where(probabilities >= largest[count - 1], logits, -math.inf)


def _nucleus(keep, start=lambda logits: logits.softmax(dim=-1), descending=True, back=None, other=GONE):
    """A wrong top-p: `keep(sorted probabilities, p)` says what stays, in their order, and `back` puts it in place."""

    def answer(logits, p):
        probabilities, order = start(logits).sort(descending=descending)
        kept = keep(probabilities, p)
        kept = torch.zeros_like(kept).scatter(0, order, kept) if back is None else back(kept, order)
        return logits.masked_fill(~kept, other)

    return answer


def _before(probabilities, p):
    return probabilities.cumsum(dim=-1) - probabilities < p


def inside(probabilities, p):
    return probabilities.cumsum(dim=-1) <= p


def inside_or_first(probabilities, p):
    return inside(probabilities, p) | (torch.arange(len(probabilities)) == 0)


def one_more(probabilities, p):
    kept = _before(probabilities, p)
    return kept | (torch.arange(len(kept)) == kept.sum())


@keep_top_p.mistake(
    "You add up the probabilities in the order of the vocabulary. Sort them first, the largest in front."
)
def not_sorted(logits, p):
    return logits.masked_fill(~_before(logits.softmax(dim=-1), p), GONE)


@keep_top_p.mistake(
    "Your result is still sorted, so each logit belongs to another token. Put them back in their places."
)
def stays_sorted(logits, p):
    values = logits.sort(descending=True).values
    return values.masked_fill(~_before(values.softmax(dim=-1), p), GONE)


@keep_top_p.cases
def cases():
    return [
        (torch.tensor([0.25, 0.1, 0.4, 0.05, 0.2]).log(), 0.5),
        (torch.tensor([0.25, 0.1, 0.4, 0.05, 0.2]).log(), 0.3),
        (torch.tensor([0.1, 0.05, 0.4, 0.25, 0.2]).log() + 3, 0.9),
        (torch.randn(12) * 2 + 1, 0.6),
        (torch.randn(30) * 3 - 2, 0.97),
    ]


keep_top_p.mistake(
    "The token that crosses p is missing. With 0.4 and 0.25 and p = 0.5 both must stay: 0.4 alone is too "
    "little. And where the first has more than p, nothing is left. Ask whether those before it have less "
    "than p.",
    TODO_21=_nucleus(inside),
)


keep_top_p.mistake(
    "The token that crosses p is missing; only the likeliest you always keep. With 0.4 and 0.25 and p = 0.5 "
    "both must stay. Ask whether those before it have less than p.",
    TODO_22=_nucleus(inside_or_first),
)


keep_top_p.mistake(
    "One too many stays. Those kept must have p together, and without the last of them less than p.",
    TODO_23=_nucleus(one_more),
)


keep_top_p.mistake(
    "You sort, decide, and forget to sort back: what you remove are the tokens that stand at those places "
    "now. Use `order` to find whose decision it is.",
    TODO_24=_nucleus(_before, back=lambda kept, order: kept),
)


keep_top_p.mistake(
    "You sort back the wrong way. kept[order] reads at `order`; you need to write there: "
    "result[order] = kept, or scatter.",
    TODO_25=_nucleus(_before, back=lambda kept, order: kept[order]),
)


keep_top_p.mistake(
    "You add up logits. p is a probability: softmax first.", TODO_26=_nucleus(_before, start=lambda logits: logits)
)


keep_top_p.mistake(
    "You begin with the unlikeliest. sort() puts the smallest first: use descending=True.",
    TODO_27=_nucleus(_before, descending=False),
)


keep_top_p.mistake(
    "You compare each probability with p. It is their sum, from the likeliest on, that must reach p.",
    TODO_28=lambda logits, p: logits.masked_fill(logits.softmax(dim=-1) < p, GONE),
)


keep_top_p.mistake(
    "You set the others to 0. A logit of 0 still has a probability, since exp(0) is 1. Use -inf.",
    TODO_29=_nucleus(_before, other=0.0),
)


keep_top_p.mistake(
    "You return probabilities. Return the logits, with -inf for what is removed.",
    TODO_30=lambda logits, p: keep_top_p(logits, p).softmax(dim=-1),
)


keep_top_p.mistake(
    "You keep a share p of the tokens. p is a share of the probability: often a few tokens have most of it.",
    TODO_31=lambda logits, p: keep_top_k(logits, max(1, round(p * len(logits)))),
)


keep_top_p.hints(
    "Three steps: sort the probabilities, the largest first; decide who stays; put the decision back in place.",
    "A token stays if those before it, without itself, have less than p together. cumsum() - probabilities.",
    "kept = order[before < p] are the tokens that stay. All others get -inf.",
)
