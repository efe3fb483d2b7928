"""The exercise `attention` of lesson 03."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Scaled dot-product attention of query, key and value, each (B, T, D); the result is (B, T, D). Every "
    "position looks at all positions, and the scores are divided by the root of D."
)
def attention(query, key, value):
    scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
    return scores.softmax(dim=-1) @ value


@attention.right
def attention_by_einsum(query, key, value):
    scores = torch.einsum("btd,bsd->bts", query, key) * query.shape[2] ** -0.5
    return torch.einsum("bts,bsd->btd", torch.softmax(scores, dim=2), value)


@attention.right
def attention_by_loop(query, key, value):
    rows = []
    for q, k, v in zip(query, key, value, strict=True):
        weights = [(k @ one / len(one) ** 0.5).exp() for one in q]
        rows.append(torch.stack([w @ v / w.sum() for w in weights]))
    return torch.stack(rows)


@attention.right
def attention_scaled_before(query, key, value):
    scores = torch.bmm(query / query.size(-1) ** 0.5, key.mT)
    return torch.bmm(F.softmax(scores, -1), value)


def attend(scores=lambda q, k: q @ k.mT, scale=lambda q: math.sqrt(q.shape[2]), weights=None, mix=torch.matmul):
    """A wrong attention: one with a changed part."""

    def answer(query, key, value):
        scaled = scores(query, key) / scale(query)
        return mix(weights(scaled) if weights else scaled.softmax(dim=-1), value)

    return answer


@attention.cases
def cases():
    return [
        (torch.eye(2)[None] * 2, torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [0.0, 10.0]]])),
        tuple(torch.randn(2, 5, 3) for _ in range(3)),
        tuple(torch.randn(3, 4, 4) for _ in range(3)),
        tuple(torch.randn(1, 1, 6) for _ in range(3)),
    ]


attention.judge(F.scaled_dot_product_attention)


attention.mistake(
    "The scores are not scaled. With a large D they get large, and softmax gives almost all to one position. "
    "Divide by the root of D.",
    TODO_29=attend(scale=lambda q: 1),
)


attention.mistake("You divide by D. Divide by its root: math.sqrt(D).", TODO_30=attend(scale=lambda q: q.shape[2]))


attention.mistake(
    "You divide by the root of T. A score is a sum of D products, so it is the root of D.",
    TODO_31=attend(scale=lambda q: math.sqrt(q.shape[1])),
)


attention.mistake(
    "You scale after the softmax: the weights then no longer add up to 1. Scale the scores before it.",
    TODO_32=lambda q, k, v: (q @ k.mT).softmax(dim=-1) / math.sqrt(q.shape[2]) @ v,
)


attention.mistake(
    "Your softmax runs over the queries. The weights of one query must add up to 1 over the keys: dim=-1.",
    TODO_33=attend(weights=lambda s: s.softmax(dim=1)),
)


attention.mistake(
    "`key` is not transposed. Each query meets each key: query @ key.transpose(1, 2), (B, T, T).",
    TODO_34=attend(scores=lambda q, k: q @ k),
)


attention.mistake(
    "key.T turns all three dimensions around. Exchange the last two only: key.transpose(1, 2).",
    TODO_35=attend(scores=lambda q, k: q @ k.permute(2, 1, 0)),
)


attention.mistake(
    "view and reshape do not transpose: they read the same numbers in other rows. key.transpose(1, 2) does.",
    TODO_36=attend(scores=lambda q, k: q @ k.reshape(len(k), k.shape[2], k.shape[1])),
)


attention.mistake(
    "Query and key are exchanged. Row t of the scores belongs to query t: query @ key.transpose(1, 2).",
    TODO_37=attend(scores=lambda q, k: k @ q.mT),
)


attention.mistake(
    "The softmax is missing: the weights of one query must add up to 1.", TODO_38=attend(weights=lambda s: s)
)


attention.mistake(
    "`value` stands on the wrong side: weights (B, T, T) @ value (B, T, D).",
    TODO_39=attend(mix=lambda weights, value: value @ weights),
)


attention.mistake(
    "You return the weights. Mix the values: weights @ value.", TODO_40=attend(mix=lambda weights, value: weights)
)


attention.mistake(
    "Your positions do not look at those behind them: that is causal attention. Here all look at all.",
    TODO_41=lambda query, key, value: F.scaled_dot_product_attention(query, key, value, is_causal=True),
)


attention.hints(
    "Three steps: a score for every query with every key, softmax, and a mix of the values.",
    "scores = query @ key.transpose(1, 2), which is (B, T, T), divided by math.sqrt(D).",
    "scores.softmax(dim=-1) @ value",
)
