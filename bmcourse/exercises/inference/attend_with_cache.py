"""The exercise `attend_with_cache`: one new token attends to all tokens so far, whose keys and values are kept."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise

GRADIENT = {"a gradient is wanted": "a cache is for writing a text, where nobody learns"}


@exercise(
    prompt="Attention of one new token with a cache: query, key and value (H, D) of the token, and the caches `keys` "
    "and `values` (H, S, D) with room for S tokens, of which `length` are filled, the others zero. Write key and value "
    "into the next free place, in the caches themselves. Return what the query takes of all tokens so far, (H, D).",
    untried={"query": GRADIENT, "key": GRADIENT, "value": GRADIENT},
)
def attend_with_cache(query, key, value, keys, values, length):
    keys[:, length], values[:, length] = key, value
    keys, values = keys[:, : length + 1], values[:, : length + 1]
    scores = (keys @ query[..., None])[..., 0] / math.sqrt(query.shape[-1])
    return (scores.softmax(dim=-1)[:, None] @ values)[:, 0]


def attention_case(H, D, size, length, scale=1.0):
    keys, values = (F.pad(scale * torch.randn(H, length, D), (0, 0, 0, size - length)) for _ in range(2))
    return (*(scale * torch.randn(3, H, D)).unbind(), keys, values, length)


def not_contiguous(query, key, value, keys, values, length):
    """In float64, and laid out as some caches are: (S, H, D), of which one sees (H, S, D)."""
    turned = [x.double().mT.contiguous().mT for x in (query, key, value)]
    return (*turned, *(x.double().transpose(0, 1).contiguous().transpose(0, 1) for x in (keys, values)), length)


@attend_with_cache.cases
def cases():
    plain = torch.tensor([[1.0, 0.0, 1.0, 2.0]])
    return [
        attention_case(1, 2, 4, 1),
        attention_case(2, 3, 5, 0),
        attention_case(4, 8, 16, 9),
        attention_case(2, 4, 6, 5),
        attention_case(3, 2, 6, 4, scale=30.0),
        not_contiguous(*attention_case(3, 5, 7, 2)),
        (plain, plain.clone(), plain.clone(), torch.zeros(1, 3, 4), F.pad(-plain[None], (0, 0, 0, 2)), 1),
        (plain, plain.clone(), plain.clone(), F.pad(plain[None], (0, 0, 0, 2)), F.pad(-plain[None], (0, 0, 0, 2)), 1),
    ]


@attend_with_cache.run
def with_empty_room(answer, query, key, value, keys, values, length):
    """What an answer returns, and what it leaves in the caches."""
    keys, values = keys.clone(), values.clone()
    mixed = answer(query, key, value, keys, values, length)
    return {"result": mixed, "keys": keys, "values": values}


@attend_with_cache.judge
def by_hand(query, key, value, keys, values, length):
    """Head by head and token by token, with the old keys and values and the new ones in plain lists."""
    mixed = []
    for h in range(len(query)):
        old_and_new = [*zip(keys[h, :length], values[h, :length], strict=True), (key[h], value[h])]
        scores = [float(k.double() @ query[h].double()) / math.sqrt(query.shape[1]) for k, _ in old_and_new]
        weights = [math.exp(score - max(scores)) for score in scores]
        mixed.append(sum(w * v for w, (_, v) in zip(weights, old_and_new, strict=True)) / sum(weights))
    keys, values = keys.clone(), values.clone()
    keys[:, length], values[:, length] = key, value
    return {"result": torch.stack(mixed), "keys": keys, "values": values}


@attend_with_cache.right
def with_torch(query, key, value, keys, values, length):
    keys[:, length].copy_(key)
    values[:, length].copy_(value)
    end = length + 1
    return F.scaled_dot_product_attention(query[:, None], keys[:, :end], values[:, :end]).squeeze(1)


@attend_with_cache.right
def with_a_mask(query, key, value, keys, values, length):
    keys[:, length] = key
    values[:, length] = value
    scores = torch.einsum("hd,hsd->hs", query, keys) / query.shape[1] ** 0.5
    empty = torch.arange(keys.shape[1]) > length
    return torch.einsum("hs,hsd->hd", scores.masked_fill(empty, -math.inf).softmax(dim=1), values)


@attend_with_cache.right
def head_by_head(query, key, value, keys, values, length):
    mixed = []
    for h in range(query.shape[0]):
        keys[h, length] = key[h]
        values[h, length] = value[h]
        weights = torch.softmax(keys[h, : length + 1] @ query[h] / math.sqrt(len(query[h])), dim=0)
        mixed.append(weights @ values[h, : length + 1])
    return torch.stack(mixed)


@attend_with_cache.right
def by_products_and_sums(query, key, value, keys, values, length):
    for cache, new in ((keys, key), (values, value)):
        cache.narrow(1, length, 1).copy_(new.unsqueeze(1))
    scores = (query.unsqueeze(1) * keys[:, : length + 1]).sum(dim=2) * query.size(1) ** -0.5
    weights = (scores - scores.logsumexp(dim=1, keepdim=True)).exp()
    return (weights.unsqueeze(2) * values[:, : length + 1]).sum(dim=1)


def softmax(scores):
    return scores.softmax(dim=-1)


def attends(
    write=lambda length: length,
    seen=lambda length: slice(0, length + 1),
    divisor=lambda H, D, length: math.sqrt(D),
    weights=softmax,
    scores="hd,hsd->hs",
    mix="hs,hsd->hd",
    new=lambda key, value: (key, value),
    take=lambda keys, values: (keys, values),
    query_is=lambda query, key, value: query,
    kept=True,
    last=lambda result: result,
):
    """A wrong attention: one with another part."""

    def answer(query, key, value, keys, values, length):
        if not kept:
            keys, values = keys.clone(), values.clone()
        for cache, vector in zip((keys, values), new(key, value), strict=True):
            if vector is not None:
                cache[:, write(length)] = vector
        H, D = query.shape
        compared, mixed = take(keys[:, seen(length)], values[:, seen(length)])
        found = torch.einsum(scores, query_is(query, key, value), compared) / divisor(H, D, length)
        return last(torch.einsum(mix, weights(found), mixed))

    return answer


# The caches.

attend_with_cache.mistake(
    "The result is right, but the caches are as before, so the next token will not find this one. Write into "
    "them: keys[:, length] = key. (torch.cat and clone() make new tensors.)",
    not_kept=attends(kept=False),
)
attend_with_cache.mistake(
    "Two things: the caches are as before, as torch.cat and clone() make new tensors; and you attend to the empty "
    "places too. Write keys[:, length] = key, and use the first length + 1 only.",
    not_kept_and_empty_places=attends(kept=False, seen=lambda length: slice(None)),
)
attend_with_cache.mistake(
    "Two things: the caches are as before, so write keys[:, length] = key into them; and the scores are not divided by "
    "the square root of D.",
    not_kept_and_not_scaled=attends(kept=False, divisor=lambda H, D, length: 1),
)
attend_with_cache.mistake(
    "Neither key nor value is written, and the new token does not see itself: keys[:, length] = key.",
    neither_written=attends(new=lambda key, value: (None, None), seen=lambda length: slice(0, length)),
)
attend_with_cache.mistake(
    "Neither key nor value is written, so that the new token finds zeros in its own place: keys[:, length] = key.",
    neither_written_but_seen=attends(new=lambda key, value: (None, None)),
)
attend_with_cache.mistake(
    "The value is not written. Both caches grow: values[:, length] = value.",
    value_not_written=attends(new=lambda key, value: (key, None)),
)
attend_with_cache.mistake(
    "The key is not written. Both caches grow: keys[:, length] = key.",
    key_not_written=attends(new=lambda key, value: (None, value)),
)
attend_with_cache.mistake(
    "You write over the last token. With `length` tokens at 0 to length - 1, the next free place is `length`.",
    one_place_before=attends(write=lambda length: length - 1),
)
attend_with_cache.mistake(
    "You write over the last token and attend to `length` places. With `length` tokens at 0 to length - 1, the next "
    "free place is `length`, and there are length + 1 tokens then.",
    one_place_before_and_one_less=attends(write=lambda length: length - 1, seen=lambda length: slice(0, length)),
)
attend_with_cache.mistake(
    "You write one place too far, which leaves a gap. With `length` tokens at 0 to length - 1, the next free place is "
    "`length`.",
    one_place_after=attends(write=lambda length: length + 1),
)
attend_with_cache.mistake(
    "You write one place too far and attend up to it. With `length` tokens at 0 to length - 1, the next free place is "
    "`length`.",
    one_place_after_and_seen=attends(write=lambda length: length + 1, seen=lambda length: slice(0, length + 2)),
)
attend_with_cache.mistake(
    "You write to the last place of the cache. The next free place is `length`.",
    last_place=attends(write=lambda length: -1),
)
attend_with_cache.mistake(
    "You write to the last place of the cache, and attend to all of it. The next free place is `length`.",
    last_place_and_all_seen=attends(write=lambda length: -1, seen=lambda length: slice(None)),
)
attend_with_cache.mistake(
    "You write over the first token. The next free place is `length`.", first_place=attends(write=lambda length: 0)
)


@attend_with_cache.mistake(
    "You fill all the empty places with the new key and value. Write to one place: keys[:, length]."
)
def all_empty_places_filled(query, key, value, keys, values, length):
    keys[:, length:], values[:, length:] = key[:, None], value[:, None]
    return attend_with_cache(query, key, value, keys, values, length)


@attend_with_cache.mistake(
    "The first dimension of a cache is the heads: keys[length] is a head, not a place. Write keys[:, length] = key."
)
def place_for_head(query, key, value, keys, values, length):
    keys[length] = key
    values[length] = value


attend_with_cache.mistake(
    "Key and value are exchanged: you write the value among the keys.",
    exchanged=attends(new=lambda key, value: (value, key)),
)
attend_with_cache.mistake(
    "You write the key into both caches. The second gets the value.",
    key_twice=attends(new=lambda key, value: (key, key)),
)
attend_with_cache.mistake(
    "You write the value into both caches. The first gets the key.",
    value_twice=attends(new=lambda key, value: (value, value)),
)

# Which tokens are seen.

attend_with_cache.mistake(
    "You attend to the empty places too. Their keys are zero, so each gets a score of 0, and exp(0) is 1: they "
    "take a share. Use the first length + 1 only.",
    empty_places=attends(seen=lambda length: slice(None)),
)
attend_with_cache.mistake(
    "You attend to the empty places too, and the scores are not divided by the square root of D.",
    empty_places_and_not_scaled=attends(seen=lambda length: slice(None), divisor=lambda H, D, length: 1),
)
attend_with_cache.mistake(
    "The new token does not see itself. It is in the cache now too: attend to length + 1 tokens.",
    itself_not_seen=attends(seen=lambda length: slice(0, length)),
)
attend_with_cache.mistake(
    "You attend to one place too many, which is empty: to the first length + 1 only.",
    one_empty_place=attends(seen=lambda length: slice(0, length + 2)),
)
attend_with_cache.mistake(
    "The new token sees itself only, so it takes its own value. It asks all tokens so far: keys[:, : length + 1].",
    itself_only=attends(seen=lambda length: slice(length, length + 1)),
)
attend_with_cache.mistake(
    "You attend to the empty places, and to the new token: keys[:, length:]. Those so far are keys[:, : length + 1].",
    empty_places_only=attends(seen=lambda length: slice(length, None)),
)
attend_with_cache.mistake(
    "You cut off the last place of the cache. What is seen depends on `length`: keys[:, : length + 1].",
    all_but_the_last_place=attends(seen=lambda length: slice(0, -1)),
)

attend_with_cache.mistake(
    "The query sees the first token only, as is_causal=True makes it: it is the last token, and sees all so far. Leave "
    "is_causal out.",
    first_only=attends(seen=lambda length: slice(0, 1)),
)


@attend_with_cache.mistake(
    "The new token does not see itself, and for the first token nothing is left: NaN. Mask from length + 1 on."
)
def itself_masked(query, key, value, keys, values, length):
    attend_with_cache(query, key, value, keys, values, length)
    scores = torch.einsum("hd,hsd->hs", query, keys) / math.sqrt(query.shape[-1])
    scores[:, length:] = -math.inf
    return torch.einsum("hs,hsd->hd", scores.softmax(dim=-1), values)


@attend_with_cache.mistake(
    "Two things: torch.cat makes new tensors, so the caches are as before; and it puts the new token behind the empty "
    "places, which take a share. Write keys[:, length] = key, and use the first length + 1 only."
)
def put_behind_the_empty_places(query, key, value, keys, values, length):
    keys, values = (torch.cat([cache, new[:, None]], dim=1) for cache, new in ((keys, key), (values, value)))
    return F.scaled_dot_product_attention(query[:, None], keys, values)[:, 0]


@attend_with_cache.mistake(
    "scaled_dot_product_attention got a query of the shape (H, D), and takes H for a number of tokens. Give it one "
    "token for each head: query[:, None], and take [:, 0] of the result."
)
def heads_for_tokens(query, key, value, keys, values, length):
    attend_with_cache(query, key, value, keys, values, length)
    return F.scaled_dot_product_attention(query, keys[:, : length + 1], values[:, : length + 1])


# The scores.

for name, message, divisor in (
    ("not_scaled", "The scores are not divided by the square root of D, the size of a head.", lambda H, D, length: 1),
    ("by_D", "You divide the scores by D. Divide by its square root.", lambda H, D, length: D),
    ("times_root_of_D", "You multiply the scores by the square root of D. Divide by it.", lambda H, D, length: D**-0.5),
    ("times_D", "You multiply the scores by D. Divide by its square root.", lambda H, D, length: 1 / D),
    ("by_root_of_H", "You divide by the square root of H, the number of heads. Divide by that of D, the last size of "
     "query.", lambda H, D, length: H**0.5),
    ("by_H", "You divide by H, the number of heads. Divide by the square root of D, the last size of query.",
     lambda H, D, length: H),
    ("by_root_of_all_channels", "You divide by the square root of H * D, all channels. Each head has D of them: the "
     "square root of D.", lambda H, D, length: (H * D) ** 0.5),
    ("by_root_of_tokens", "You divide by the square root of the number of tokens. Divide by that of D, the size of a "
     "head.", lambda H, D, length: (length + 1) ** 0.5),
    ("by_tokens", "You divide by the number of tokens. Divide by the square root of D, the size of a head.",
     lambda H, D, length: length + 1),
    ("always_by_8", "You divide by 8, the square root of 64. Here the heads have D channels: use its square root.",
     lambda H, D, length: 8),
    ("by_D_squared", "You divide by D squared. Divide by its square root.", lambda H, D, length: D**2),
):  # fmt: skip
    attend_with_cache.mistake(message, **{name: attends(divisor=divisor)})
attend_with_cache.mistake(
    "You compare the query with the values. Compare it with the keys, and take the values.",
    compared_with_values=attends(take=lambda keys, values: (values, values)),
)
attend_with_cache.mistake(
    "You return a mean of the keys. The keys only decide how much; what is taken are the values.",
    keys_taken=attends(take=lambda keys, values: (keys, keys)),
)
attend_with_cache.mistake(
    "Keys and values are exchanged: compare the query with the keys, and take the values.",
    roles_exchanged=attends(take=lambda keys, values: (values, keys)),
)
attend_with_cache.mistake(
    "The key asks in place of the query. Compare `query` with all keys.",
    key_asks=attends(query_is=lambda query, key, value: key),
)
attend_with_cache.mistake(
    "The value asks in place of the query. Compare `query` with all keys.",
    value_asks=attends(query_is=lambda query, key, value: value),
)
attend_with_cache.mistake(
    "Every query meets the keys of all heads, added up. Each head compares with its own keys: hd,hsd->hs.",
    keys_of_all_heads=attends(scores="hd,gsd->hs"),
)
attend_with_cache.mistake(
    "The queries of all heads are added up. Each head has its own: hd,hsd->hs.",
    queries_of_all_heads=attends(scores="gd,hsd->hs"),
)
attend_with_cache.mistake(
    "All heads share their scores. Each head has weights of its own: do not sum over H.",
    scores_of_all_heads=attends(scores="gd,gsd->s", mix="s,hsd->hd"),
)
attend_with_cache.mistake(
    "All heads share their scores, divided by the square root of all channels, as one large head would have them. Each "
    "head has weights of its own.",
    one_large_head=attends(scores="gd,gsd->s", mix="s,hsd->hd", divisor=lambda H, D, length: (H * D) ** 0.5),
)
attend_with_cache.mistake(
    "The values of all heads are added up. Each head takes its own values: hs,hsd->hd.",
    values_of_all_heads=attends(mix="hs,gsd->hd"),
)

# The weights.

for name, message, weights in (
    ("softmax_over_heads", "Your softmax runs over the heads. In each head the weights of the tokens sum to 1: dim=-1.",
     lambda scores: scores.softmax(dim=0)),
    ("softmax_over_all", "Your softmax runs over heads and tokens together. In each head the weights sum to 1: dim=-1.",
     lambda scores: scores.flatten().softmax(dim=0).reshape(scores.shape)),
    ("no_softmax", "The softmax is missing: the scores themselves are no weights. They must sum to 1 in each head.",
     lambda scores: scores),
    ("exp_only", "You take exp() of the scores, and do not divide by its sum. The weights must sum to 1: softmax.",
     torch.exp),
    ("sigmoid", "You take sigmoid for softmax. The weights must sum to 1 in each head.", torch.sigmoid),
    ("log_softmax", "You take log_softmax for softmax. The weights are probabilities, not their logarithms.",
     lambda scores: scores.log_softmax(dim=-1)),
    ("relu", "You take relu for softmax. The weights must sum to 1 in each head.", torch.relu),
    ("divided_by_the_sum", "You divide the scores by their sum. They may be negative: softmax takes exp() first.",
     lambda scores: scores / scores.sum(dim=-1, keepdim=True)),
    ("unstable", "exp() of a score such as 600 is infinite, and infinite / infinite is NaN. softmax() subtracts the "
     "largest score first.", lambda scores: scores.exp() / scores.exp().sum(dim=-1, keepdim=True)),
    ("uniform", "All tokens get the same weight. The softmax of the scores says how much each gets.",
     lambda scores: torch.ones_like(scores) / scores.shape[-1]),
    ("hardest", "You take the value of the nearest key only. Each token gets a share: softmax, not argmax.",
     lambda scores: F.one_hot(scores.argmax(dim=-1), scores.shape[-1]).to(scores.dtype)),
    ("sign", "You subtract the scores: the nearest keys get least. Leave the minus out.",
     lambda s: (-s).softmax(dim=-1)),
    ("softmax_twice", "softmax is applied twice. Once makes weights of scores.",
     lambda scores: scores.softmax(dim=-1).softmax(dim=-1)),
):  # fmt: skip
    attend_with_cache.mistake(message, **{name: attends(weights=weights)})


@attend_with_cache.mistake(
    "You divide by the square root of D after the softmax. Divide the scores, before it: after it the weights sum to 1."
)
def divided_after_softmax(query, key, value, keys, values, length):
    whole = attends(divisor=lambda H, D, length: 1)(query, key, value, keys, values, length)
    return whole / math.sqrt(query.shape[-1])


attend_with_cache.mistake(
    "You add up over the heads, and not over the tokens: (S, D) comes out. Add up over dim 1, the tokens.",
    added_over_heads=attends(mix="hs,hsd->sd"),
)
attend_with_cache.mistake(
    "You weigh the values and do not add them up: (H, S, D) comes out. Add up over dim 1, the tokens.",
    not_added_up=attends(mix="hs,hsd->hsd"),
)
attend_with_cache.mistake(
    "You take the mean over the tokens after weighing. The weights sum to 1 already: take the sum.",
    mean_of_weighed=attends(weights=lambda scores: scores.softmax(dim=-1) / scores.shape[-1]),
)

# What comes back.

for name, message, last in (
    ("middle_one", "The result is right, with one dimension too many: (H, 1, D). Take [:, 0], or squeeze(1).",
     lambda result: result[:, None]),
    ("first_one", "The result is right, with one dimension too many: (1, H, D). Take [0].",
     lambda result: result[None]),
    ("last_one", "The result is right, with one dimension too many: (H, D, 1). Take [..., 0], or squeeze(-1).",
     lambda result: result[..., None]),
    ("flat", "The heads are put behind each other, (H * D,). Here they stay apart: (H, D).",
     lambda result: result.flatten()),
    ("transposed", "The result is transposed: (D, H). Return (H, D).", lambda result: result.T),
    ("mean_of_heads", "You take the mean over the heads. Return them all, (H, D).", lambda result: result.mean(dim=0)),
    ("sum_of_heads", "You add up the heads. Return them all, (H, D).", lambda result: result.sum(dim=0)),
):  # fmt: skip
    attend_with_cache.mistake(message, **{name: attends(last=last)})


@attend_with_cache.mistake(
    "You return the caches too. Return only what the query takes, (H, D): the caches are changed in place."
)
def caches_returned_too(query, key, value, keys, values, length):
    return attend_with_cache(query, key, value, keys, values, length), keys, values


@attend_with_cache.mistake("You return the weights, (H, length + 1). Take the values with them: weights @ values.")
def weights_returned(query, key, value, keys, values, length):
    attend_with_cache(query, key, value, keys, values, length)
    return (torch.einsum("hd,hsd->hs", query, keys[:, : length + 1]) / math.sqrt(query.shape[-1])).softmax(dim=-1)


@attend_with_cache.mistake(
    "You return the scores, (H, length + 1). Make weights of them with softmax, and take the values."
)
def scores_returned(query, key, value, keys, values, length):
    attend_with_cache(query, key, value, keys, values, length)
    return torch.einsum("hd,hsd->hs", query, keys[:, : length + 1]) / math.sqrt(query.shape[-1])


@attend_with_cache.mistake(
    "You add the query to what it takes. A block of a transformer does so later; here return what is taken."
)
def query_added(query, key, value, keys, values, length):
    return query + attend_with_cache(query, key, value, keys, values, length)


@attend_with_cache.mistake(
    "The result is right, but `query` is divided in place: the one who gave it has another one now. Write query / ..., "
    "not query /= ..."
)
def query_changed(query, key, value, keys, values, length):
    query /= math.sqrt(query.shape[-1])
    return attends(divisor=lambda H, D, length: 1)(query, key, value, keys, values, length)


attend_with_cache.hints(
    "Two things: write key and value to the place `length` of their caches; then attention as you know it.",
    "Take keys[:, : length + 1] and values[:, : length + 1] only. What would a key of zeros do in a softmax?",
    "F.scaled_dot_product_attention(query[:, None], keys, values)[:, 0] does the rest.",
)
