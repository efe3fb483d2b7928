"""The exercise `keep_top_k` of lesson 07."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.inference.shared import GONE


@exercise(
    prompt="Top-k: the k largest logits stay as they are, where they are, and all others become minus infinity. "
    "logits (V,) in, (V,) out."
)
def keep_top_k(logits, k):
    smallest = logits.topk(k).values[-1]
    return logits.masked_fill(logits < smallest, -math.inf)


@keep_top_k.judge
def top_k_by_sorting(logits, k):
    largest = sorted(logits.tolist(), reverse=True)[:k]
    return torch.tensor([score if score in largest else GONE for score in logits.tolist()])


@keep_top_k.right
def top_k_by_scatter(logits, k):
    values, places = torch.topk(logits, k)
    return torch.full_like(logits, -math.inf).scatter(0, places, values)


@keep_top_k.right
def top_k_by_where(logits, k):
    limit = torch.sort(logits, descending=True).values[k - 1]
    return torch.where(logits >= limit, logits, torch.tensor(float("-inf")))


@keep_top_k.right
def top_k_by_index(logits, k):
    kept = logits.clone()
    kept[logits.argsort(descending=True)[k:]] = float("-inf")
    return kept


def only_these(logits, places, other=GONE):
    """The logits with `other` everywhere but at `places`."""
    return torch.full_like(logits, other).scatter(0, places, logits[places])


@keep_top_k.cases
def cases():
    return [
        (torch.tensor([1.0, 3.0, 0.5, 2.0]), 2),
        (torch.tensor([-1.0, -4.0, -2.5, -0.5, -3.0]), 3),
        (torch.randn(12), 1),
        (torch.randn(7), 7),
        (torch.randn(30) * 4, 11),
    ]


keep_top_k.mistake(
    "You keep the k smallest. A higher logit means likelier: keep the largest.",
    TODO_10=lambda logits, k: only_these(logits, logits.topk(k, largest=False).indices),
)


keep_top_k.mistake(
    "You set the others to 0. A logit of 0 still has a probability, since exp(0) is 1. Use -inf: exp(-inf) is 0.",
    TODO_11=lambda logits, k: only_these(logits, logits.topk(k).indices, other=0.0),
)


keep_top_k.mistake(
    "You use -1e9 for minus infinity. It works until logits are added or scaled; -inf always works: "
    "float('-inf') or -math.inf.",
    TODO_12=lambda logits, k: only_these(logits, logits.topk(k).indices, other=-1e9),
)


keep_top_k.mistake(
    "One too few stays: the k-th largest goes too. Remove what is smaller than it: < and not <=.",
    TODO_13=lambda logits, k: only_these(logits, logits.topk(k - 1).indices),
)


keep_top_k.mistake(
    "One too many stays. In a list sorted from the largest, the k-th stands at k - 1, since counting begins with 0.",
    TODO_14=lambda logits, k: only_these(logits, logits.topk(min(k + 1, len(logits))).indices),
)


keep_top_k.mistake(
    "You return the k values alone: which tokens are they? Keep the shape (V,), with -inf at the others.",
    TODO_15=lambda logits, k: logits.topk(k).values,
)


keep_top_k.mistake(
    "You return the places of the k largest. Return the logits, (V,), with -inf everywhere else.",
    TODO_16=lambda logits, k: logits.topk(k).indices,
)


keep_top_k.mistake(
    "Your values are sorted, so each now belongs to another token. Every logit must stay in its place.",
    TODO_17=lambda logits, k: F.pad(logits.topk(k).values, (0, len(logits) - k), value=GONE),
)


keep_top_k.mistake(
    "You removed the k largest and kept the others. It is the other way round.",
    TODO_18=lambda logits, k: logits.scatter(0, logits.topk(k).indices, GONE),
)


keep_top_k.mistake(
    "You return probabilities. Return logits: temperature and softmax come later.",
    TODO_19=lambda logits, k: keep_top_k(logits, k).softmax(dim=-1),
)


keep_top_k.mistake(
    "You compare the logits with k itself. k counts tokens: compare with the k-th largest logit.",
    TODO_20=lambda logits, k: logits.masked_fill(logits < k, GONE),
)


keep_top_k.hints(
    "Find the k-th largest logit. All that is smaller goes.",
    "logits.topk(k).values is sorted, the largest first. Which is the k-th?",
    "logits.masked_fill(logits < smallest, -math.inf), with smallest = logits.topk(k).values[-1].",
)
