"""The exercise `attend_with_cache` of lesson 07."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.inference.shared import GONE


@exercise(
    prompt="Attention of one new token with a cache: query, key and value (H, D) of the token, and the caches `keys` "
    "and `values` (H, S, D) with room for S tokens, of which `length` are filled, the others zero. Write key and value "
    "into the next free place, in the caches themselves. Return what the query takes of all tokens so far, (H, D)."
)
def attend_with_cache(query, key, value, keys, values, length):
    keys[:, length], values[:, length] = key, value
    keys, values = keys[:, : length + 1], values[:, : length + 1]
    scores = (keys @ query[..., None])[..., 0] / math.sqrt(query.shape[-1])
    return (scores.softmax(dim=-1)[:, None] @ values)[:, 0]


@attend_with_cache.run
def with_empty_room(answer, query, key, value, keys, values, length):
    """What an answer returns, and what it leaves in the caches."""
    keys, values = keys.clone(), values.clone()
    mixed = answer(query.clone(), key.clone(), value.clone(), keys, values, length)
    return {"result": mixed, "keys": keys, "values": values}


@attend_with_cache.judge
def attention_by_hand(query, key, value, keys, values, length):
    """Head by head and token by token, with the old keys and values and the new ones in plain lists."""
    mixed = []
    for h in range(len(query)):
        old_and_new = [*zip(keys[h, :length], values[h, :length], strict=True), (key[h], value[h])]
        weights = [math.exp(float(k @ query[h]) / math.sqrt(query.shape[1])) for k, _ in old_and_new]
        mixed.append(sum(w * v for w, (_, v) in zip(weights, old_and_new, strict=True)) / sum(weights))
    keys, values = keys.clone(), values.clone()
    keys[:, length], values[:, length] = key, value
    return {"result": torch.stack(mixed), "keys": keys, "values": values}


@attend_with_cache.right
def attend_with_torch(query, key, value, keys, values, length):
    keys[:, length].copy_(key)
    values[:, length].copy_(value)
    end = length + 1
    return F.scaled_dot_product_attention(query[:, None], keys[:, :end], values[:, :end]).squeeze(1)


@attend_with_cache.right
def attend_with_mask(query, key, value, keys, values, length):
    keys[:, length] = key
    values[:, length] = value
    scores = torch.einsum("hd,hsd->hs", query, keys) / query.shape[1] ** 0.5
    empty = torch.arange(keys.shape[1]) > length
    return torch.einsum("hs,hsd->hd", scores.masked_fill(empty, GONE).softmax(dim=1), values)


@attend_with_cache.right
def attend_head_by_head(query, key, value, keys, values, length):
    mixed = []
    for h in range(query.shape[0]):
        keys[h, length] = key[h]
        values[h, length] = value[h]
        weights = torch.softmax(keys[h, : length + 1] @ query[h] / math.sqrt(len(query[h])), dim=0)
        mixed.append(weights @ values[h, : length + 1])
    return torch.stack(mixed)


def _attends(
    write=lambda length, size: length, end=lambda length, size: length + 1, scale=True, swapped=False, mix=None, dim=-1
):
    """A wrong cached attention: it writes to the slot `write`, and attends to the slots before `end`."""

    def answer(query, key, value, keys, values, length):
        size, D = keys.shape[1:]
        slot = write(length, size)
        keys[:, slot], values[:, slot] = (value, key) if swapped else (key, value)
        seen = slice(0, end(length, size))
        scores = (keys[:, seen] @ query[..., None])[..., 0] / (math.sqrt(D) if scale else 1)
        return (scores.softmax(dim=dim)[:, None] @ (keys if mix == "keys" else values)[:, seen])[:, 0]

    return answer


@attend_with_cache.mistake(
    "The result is right, but the caches are as before, so the next token will not find this one. Write into "
    "them: keys[:, length] = key."
)
def not_kept(query, key, value, keys, values, length):
    return attend_with_cache(query, key, value, keys.clone(), values.clone(), length)


def attention_case(H, D, size, length):
    keys, values = (F.pad(torch.randn(H, length, D), (0, 0, 0, size - length)) for _ in range(2))
    return (*torch.randn(3, H, D).unbind(), keys, values, length)


@attend_with_cache.cases
def cases():
    return [
        attention_case(1, 2, 4, 1),
        attention_case(2, 3, 5, 0),
        attention_case(4, 8, 16, 9),
        attention_case(2, 4, 6, 5),
    ]


attend_with_cache.mistake(
    "You attend to the empty places too. Their keys are zero, so each gets a score of 0, and exp(0) is 1: they "
    "take a share. Use the first length + 1 only.",
    TODO_69=_attends(end=lambda length, size: size),
)


attend_with_cache.mistake(
    "The new token does not see itself. It is in the cache now too: attend to length + 1 tokens.",
    TODO_70=_attends(end=lambda length, size: length),
)


attend_with_cache.mistake(
    "You write over the last token. With `length` tokens at 0 to length - 1, the next free place is `length`.",
    TODO_71=_attends(write=lambda length, size: length - 1),
)


attend_with_cache.mistake(
    "You write to the last place of the cache. The next free place is `length`.",
    TODO_72=_attends(write=lambda length, size: -1),
)


attend_with_cache.mistake(
    "The scores are not divided by the square root of D, the size of a head.", TODO_73=_attends(scale=False)
)


attend_with_cache.mistake(
    "Key and value are exchanged: you write the value among the keys.", TODO_74=_attends(swapped=True)
)


attend_with_cache.mistake(
    "You return a mean of the keys. The keys only decide how much; what is taken are the values.",
    TODO_75=_attends(mix="keys"),
)


attend_with_cache.mistake(
    "Your softmax runs over the heads. In each head the weights of the tokens sum to 1: dim=-1.",
    TODO_76=_attends(dim=0),
)


attend_with_cache.hints(
    "Two things: write key and value to the place `length` of their caches; then attention as you know it.",
    "Take keys[:, : length + 1] and values[:, : length + 1] only. What would a key of zeros do in a softmax?",
    "F.scaled_dot_product_attention(query[:, None], keys, values)[:, 0] does the rest.",
)
