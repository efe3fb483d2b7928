"""Scaled dot-product attention (Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1)."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="Scaled dot-product attention of query, key and value, each (B, T, D); the result is (B, T, D). Every "
    "position looks at all positions, and the scores are divided by the root of D.",
    built=("scaled_dot_product_attention", "MultiheadAttention", "multi_head_attention_forward"),
)
def attention(query, key, value):
    scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
    return scores.softmax(dim=-1) @ value


@attention.cases
def cases():
    return [
        (torch.eye(2)[None] * 2, torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [0.0, 10.0]]])),
        tuple(torch.randn(2, 5, 3) for _ in range(3)),
        tuple(torch.randn(3, 4, 4) for _ in range(3)),
        tuple(torch.randn(1, 1, 6) for _ in range(3)),
        uncommon(*(torch.randn(2, 3, 5) for _ in range(3))),
        (
            torch.tensor([[[30.0, 20.0], [20.0, 30.0]]]),
            torch.tensor([[[30.0, 20.0], [20.0, 31.0]]]),
            torch.randn(1, 2, 2),
        ),
        (torch.tensor([[[300.0, 0.0], [0.0, 1.0]]]), torch.tensor([[[1.0, 2.0], [2.0, 1.0]]]), torch.randn(1, 2, 2)),
    ]


attention.judge(F.scaled_dot_product_attention)


@attention.right
def by_einsum(query, key, value):
    scores = torch.einsum("btd,bsd->bts", query, key) * query.shape[2] ** -0.5
    return torch.einsum("bts,bsd->btd", torch.softmax(scores, dim=2), value)


@attention.right
def by_loop(query, key, value):
    rows = []
    for q, k, v in zip(query, key, value, strict=True):
        weights = [(k @ one / len(one) ** 0.5).softmax(dim=0) for one in q]
        rows.append(torch.stack([w @ v for w in weights]))
    return torch.stack(rows)


@attention.right
def scaled_before(query, key, value):
    scores = torch.bmm(query / query.size(-1) ** 0.5, key.mT)
    return torch.bmm(F.softmax(scores, -1), value)


@attention.right
def by_exponentials(query, key, value):
    scores = (query[:, :, None] * key[:, None]).sum(dim=-1) / math.sqrt(query.shape[-1])
    weights = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    return (weights[..., None] * value[:, None]).sum(dim=2) / weights.sum(dim=-1, keepdim=True)


@attention.right
def each_side_scaled(query, key, value):
    root = query.size(-1) ** 0.25
    scores = (query / root) @ (key / root).permute(0, 2, 1)
    return (scores - scores.logsumexp(dim=-1, keepdim=True)).exp() @ value


def changed(weights, mix=torch.matmul):
    """A wrong attention: `weights(scores)` in place of the softmax, or another `mix` of weights and value."""
    return lambda query, key, value: mix(weights(query @ key.mT / math.sqrt(query.shape[-1])), value)


def softmaxed(scores, mix=torch.matmul):
    """A wrong attention: `scores(query, key)` before the softmax."""
    return lambda query, key, value: mix(scores(query, key).softmax(dim=-1), value)


def mixed(mix):
    """A wrong attention: `mix(weights, query, key, value)` in place of weights @ value."""
    return lambda query, key, value: mix(
        (query @ key.mT / math.sqrt(query.shape[-1])).softmax(dim=-1), query, key, value
    )


attention.mistake(
    "The scores are not scaled. With a large D they get large, and softmax gives almost all to one position. "
    "Divide by the root of D.",
    not_scaled=softmaxed(lambda q, k: q @ k.mT),
)
attention.mistake(
    "You divide by D. Divide by its root: math.sqrt(D).", divided_by_d=softmaxed(lambda q, k: q @ k.mT / q.shape[-1])
)
attention.mistake(
    "You divide by the root of T. A score is a sum of D products, so it is the root of D.",
    root_of_t=softmaxed(lambda q, k: q @ k.mT / math.sqrt(q.shape[1])),
)
attention.mistake(
    "You divide by the root of B, the batch. A score is a sum of D products, so it is the root of D, query.shape[-1].",
    root_of_b=softmaxed(lambda q, k: q @ k.mT / math.sqrt(len(q))),
)
attention.mistake(
    "You multiply by the root of D. Divide by it: the scores are to become smaller.",
    multiplied_by_the_root=softmaxed(lambda q, k: q @ k.mT * math.sqrt(q.shape[-1])),
)
attention.mistake(
    "Your root is a whole number: what is behind the point is cut off. Take math.sqrt, not isqrt or int.",
    root_cut_off=softmaxed(lambda q, k: q @ k.mT / math.isqrt(q.shape[-1])),
)
attention.mistake(
    "You divide by 8, the root of 64, as in the paper. Here D may be another: take it from query.shape[-1].",
    root_of_64=softmaxed(lambda q, k: q @ k.mT / 8),
)
attention.mistake(
    "You divide by the square of D. Divide by its root: D ** 0.5.",
    divided_by_the_square=softmaxed(lambda q, k: q @ k.mT / q.shape[-1] ** 2),
)
attention.mistake(
    "You scale after the softmax: the weights then no longer add up to 1. Scale the scores before it.",
    scaled_after_the_softmax=softmaxed(
        lambda q, k: q @ k.mT, mix=lambda weights, value: weights / math.sqrt(value.shape[-1]) @ value
    ),
)
attention.mistake(
    "You scale once more after the softmax: the weights then no longer add up to 1. Once, before it, is enough.",
    scaled_before_and_after=changed(
        lambda s: s.softmax(-1), mix=lambda weights, value: weights / math.sqrt(value.shape[-1]) @ value
    ),
)
attention.mistake(
    "Your softmax runs over the queries. The weights of one query must add up to 1 over the keys: dim=-1.",
    softmax_over_queries=changed(lambda s: s.softmax(dim=1)),
)
attention.mistake(
    "Your softmax runs over the batch: the examples would compete. It runs over the keys: dim=-1.",
    softmax_over_batch=changed(lambda s: s.softmax(dim=0)),
)
attention.mistake(
    "Your softmax runs over the whole table of scores. Each query has weights of its own, which add up to 1: dim=-1.",
    softmax_over_all=changed(lambda s: s.flatten(1).softmax(dim=-1).view_as(s)),
)
attention.mistake(
    "`key` is not transposed. Each query meets each key: query @ key.transpose(1, 2), (B, T, T).",
    key_not_transposed=softmaxed(lambda q, k: q @ k / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "key.T turns all three dimensions around. Exchange the last two only: key.transpose(1, 2).",
    all_dimensions_turned=softmaxed(lambda q, k: q @ k.permute(2, 1, 0) / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "You exchange batch and time of the key. Exchange its last two dimensions: key.transpose(1, 2).",
    batch_and_time_exchanged=softmaxed(lambda q, k: q @ k.transpose(0, 1) / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "view and reshape do not transpose: they read the same numbers in other rows. key.transpose(1, 2) does.",
    key_reshaped=softmaxed(lambda q, k: q @ k.reshape(len(k), k.shape[2], k.shape[1]) / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "You transpose the query and not the key, so channels meet channels: query @ key.transpose(1, 2), (B, T, T).",
    query_transposed=softmaxed(lambda q, k: q.mT @ k / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "Query and key are exchanged. Row t of the scores belongs to query t: query @ key.transpose(1, 2).",
    query_and_key_exchanged=softmaxed(lambda q, k: k @ q.mT / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "You compare the queries with themselves. The scores are query @ key.transpose(1, 2).",
    key_unused=softmaxed(lambda q, k: q @ q.mT / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "You compare the keys with themselves. The scores are query @ key.transpose(1, 2).",
    query_unused=softmaxed(lambda q, k: k @ k.mT / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "You compare each query with the key at its own place only, number by number. Each query meets every key: @.",
    own_key_only=lambda query, key, value: (query * key / math.sqrt(query.shape[-1])).softmax(dim=-1) * value,
)
attention.mistake(
    "Your scores have the wrong sign: the key that is least like the query wins.",
    sign_turned=softmaxed(lambda q, k: -(q @ k.mT) / math.sqrt(q.shape[-1])),
)
attention.mistake(
    "You compare directions (cosine). Here the scores are plain products, divided by the root of D.",
    cosines=softmaxed(lambda q, k: F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT),
)
attention.mistake("The softmax is missing: the weights of one query must add up to 1.", no_softmax=changed(lambda s: s))
attention.mistake(
    "You divide the scores by their sum, which may be 0 or below. Softmax makes weights of them.",
    divided_by_the_sum=changed(lambda s: s / s.sum(dim=-1, keepdim=True)),
)
attention.mistake(
    "You take a sigmoid of the scores: the weights of one query then do not add up to 1. Take a softmax.",
    sigmoid=changed(torch.sigmoid),
)
attention.mistake(
    "You take log_softmax: those are logarithms of weights, and negative. Take softmax.",
    log_softmax=changed(lambda s: s.log_softmax(dim=-1)),
)
attention.mistake(
    "You apply exp and do not divide by its sum: the weights of one query must add up to 1.",
    not_normalised=changed(torch.exp),
)
attention.mistake(
    "exp of a large score is inf, and inf / inf is NaN. softmax subtracts the largest score first: use it.",
    exp_overflows=changed(lambda s: s.exp() / s.exp().sum(dim=-1, keepdim=True)),
)
attention.mistake(
    "You clamp the scores, so large ones become alike. softmax needs no help: it subtracts the largest itself.",
    clamped=changed(lambda s: s.clamp(-50, 50).softmax(dim=-1)),
)
attention.mistake(
    "Each query takes the one value whose key is nearest. Attention mixes all: softmax, not argmax.",
    argmax=changed(lambda s: F.one_hot(s.argmax(dim=-1), s.shape[-1]).to(s.dtype)),
)
attention.mistake(
    "You take the softmax twice: weights of weights are nearly all alike. Once is enough.",
    softmax_twice=changed(lambda s: s.softmax(dim=-1).softmax(dim=-1)),
)
attention.mistake(
    "`value` stands on the wrong side: weights (B, T, T) @ value (B, T, D).",
    value_on_the_left=mixed(lambda w, q, k, v: v @ w),
)
attention.mistake(
    "You multiply by the transposed weights: each value is then shared out by the queries' columns. weights @ value.",
    weights_transposed=mixed(lambda w, q, k, v: w.mT @ v),
)
attention.mistake(
    "You multiply weights and values number by number. Each query gets a mix of all values: weights @ value.",
    elementwise_mix=mixed(lambda w, q, k, v: w * v),
)
attention.mistake(
    "You mix the keys. The keys only decide how much; what is mixed are the values.",
    keys_mixed=mixed(lambda w, q, k, v: w @ k),
)
attention.mistake(
    "You mix the queries. What is mixed are the values: weights @ value.", queries_mixed=mixed(lambda w, q, k, v: w @ q)
)
attention.mistake("You return the weights. Mix the values: weights @ value.", weights_only=mixed(lambda w, q, k, v: w))
attention.mistake(
    "You return the scores. Two steps are left: a softmax, and the mix of the values.",
    scores_only=lambda query, key, value: query @ key.mT / math.sqrt(query.shape[-1]),
)
attention.mistake(
    "You return two things, the result and the weights. Only the result is asked for.",
    weights_returned_too=mixed(lambda w, q, k, v: (w @ v, w)),
)
attention.mistake(
    "Your result is transposed, (B, D, T). It is (B, T, D), a row for each position.",
    result_transposed=mixed(lambda w, q, k, v: (w @ v).mT),
)
attention.mistake(
    "You add the query to the result. That is the residual connection around attention, not a part of it.",
    query_added=mixed(lambda w, q, k, v: w @ v + q),
)
attention.mistake(
    "You take the mean over the positions. Each of them keeps a result of its own, (B, T, D).",
    mean_of_positions=mixed(lambda w, q, k, v: (w @ v).mean(dim=1)),
)
attention.mistake(
    "Your positions do not look at those behind them: that is causal attention. Here all look at all.",
    causal=lambda query, key, value: F.scaled_dot_product_attention(query, key, value, is_causal=True),
)
attention.mistake(
    "Your causal mask sets scores to 0, and 0 still gets weight. Here there is no mask at all: all look at all.",
    zeroed_scores=changed(lambda s: s.tril().softmax(dim=-1)),
)
attention.mistake(
    "Dropout changes the weights by chance. Here there is none: all weights count.",
    dropout=mixed(lambda w, q, k, v: F.dropout(w, 0.1) @ v),
)
attention.mistake(
    "The result is right, but the weights have lost their graph: query and key get no gradient and cannot learn.",
    weights_without_graph=mixed(lambda w, q, k, v: w.detach() @ v),
)
attention.mistake(
    "The result is right, but it has lost its graph: nothing can learn. Leave out no_grad, .detach() and .data.",
    graph_cut=mixed(lambda w, q, k, v: (w @ v).detach()),
)


@attention.mistake("`query /= ...` changes the caller's tensor. Make a new one: query / math.sqrt(D).")
def query_scaled_in_place(query, key, value):
    query /= math.sqrt(query.shape[-1])
    return (query @ key.mT).softmax(dim=-1) @ value


attention.mistake(
    "sum(dim=-1) without keepdim=True: the sums of the rows then divide the columns. Keep the dimension.",
    sum_without_keepdim=changed(lambda s: s.exp() / s.exp().sum(dim=-1)),
)
attention.mistake(
    "Only the first example of the batch comes back, with no dimension for the batch. Transpose the last "
    "two dimensions "
    "of key, and @ does the whole batch.",
    first_example_only=mixed(lambda w, q, k, v: (w @ v)[0]),
)
attention.mistake(
    "You multiply by D. Divide by its root: math.sqrt(D).",
    multiplied_by_d=softmaxed(lambda q, k: q @ k.mT * q.shape[-1]),
)
attention.mistake(
    "You divide by T. A score is a sum of D products: divide by the root of D.",
    divided_by_t=softmaxed(lambda q, k: q @ k.mT / q.shape[1]),
)
attention.mistake(
    "You divide by the root of the number of elements. A score is a sum of D products: divide by the root of D.",
    root_of_elements=softmaxed(lambda q, k: q @ k.mT / math.sqrt(q.numel())),
)
attention.mistake(
    "You divide by the root of 2 D. It is the root of D.",
    root_of_2d=softmaxed(lambda q, k: q @ k.mT / math.sqrt(2 * q.shape[-1])),
)
attention.mistake(
    "The softmax runs over the queries, and the scores are not scaled. dim=-1, and divide by the root of D.",
    softmax_over_queries_not_scaled=lambda query, key, value: (query @ key.mT).softmax(dim=1) @ value,
)
attention.mistake(
    "You add a dimension. The result is (B, T, D), like the query.",
    dimension_added=mixed(lambda w, q, k, v: (w @ v)[:, None]),
)
attention.mistake(
    "You divide by sums over the batch. The weights of a query add up to 1 over the keys: sum(dim=-1, keepdim=True).",
    sums_over_batch=changed(lambda s: s.exp() / s.exp().sum(dim=0)),
)


attention.hints(
    "Three steps: a score for every query with every key, softmax, and a mix of the values.",
    "scores = query @ key.transpose(1, 2), which is (B, T, T), divided by math.sqrt(D).",
    "scores.softmax(dim=-1) @ value",
)
