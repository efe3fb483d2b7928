"""The exercise `size_of_cache` of lesson 07."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The bytes of a key-value cache for `batch_size` texts of `context` tokens: every layer keeps a key and a "
    "value for every token, and each of them has `head_size` numbers in every one of `heads` heads."
)
def size_of_cache(layers, heads, head_size, context, batch_size, bytes_per_value):
    numbers_per_token = 2 * layers * heads * head_size
    return batch_size * context * numbers_per_token * bytes_per_value


@size_of_cache.judge
def reserved(layers, heads, head_size, context, batch_size, bytes_per_value):
    """What torch would reserve, layer by layer: a tensor of keys and one of values, on a device without memory."""
    dtype = {1: torch.int8, 2: torch.bfloat16, 4: torch.float32, 8: torch.float64}[bytes_per_value]
    shape = batch_size, heads, context, head_size
    return sum(torch.empty(shape, dtype=dtype, device="meta").nbytes for _ in range(layers) for _ in ("key", "value"))


@size_of_cache.right
def size_by_product(layers, heads, head_size, context, batch_size, bytes_per_value):
    return math.prod([layers, heads, head_size, context, batch_size, bytes_per_value, 2])


@size_of_cache.right
def size_by_sum(layers, heads, head_size, context, batch_size, bytes_per_value):
    channels = heads * head_size
    keys = sum(channels * context * bytes_per_value for _ in range(layers))
    return (keys + keys) * batch_size


@size_of_cache.right
def size_by_elements(layers, heads, head_size, context, batch_size, bytes_per_value):
    cache = torch.empty(layers, 2, batch_size, heads, context, head_size, device="meta")
    return cache.numel() * bytes_per_value


def sized(change):
    """A wrong size: the right one, times `change` of the sizes by their names."""

    def answer(layers, heads, head_size, context, batch_size, bytes_per_value):
        sizes = {
            "layers": layers, "heads": heads, "head_size": head_size, "context": context,
            "batch_size": batch_size, "bytes_per_value": bytes_per_value,
        }  # fmt: skip
        return 2 * math.prod(sizes.values()) * change(sizes)

    return answer


def _without(name):
    return sized(lambda sizes: 1 / sizes[name])


@size_of_cache.cases
def cases():
    return [
        (1, 1, 4, 3, 1, 4),
        (4, 4, 32, 128, 1, 4),
        (12, 6, 64, 1024, 5, 2),
        (96, 96, 128, 2048, 1, 2),
        (3, 7, 10, 11, 6, 1),
    ]


size_of_cache.mistake(
    "The factor 2 is missing: a key and a value are kept for every token.", TODO_57=sized(lambda sizes: 1 / 2)
)


size_of_cache.mistake(
    "You count the queries too. A query is used once, when its token is read, and is not kept: 2, not 3.",
    TODO_58=sized(lambda sizes: 3 / 2),
)


size_of_cache.mistake("You count one layer. Every layer has keys and values of its own.", TODO_59=_without("layers"))


size_of_cache.mistake(
    "You count one head. A key has `head_size` numbers in every one of `heads` heads.", TODO_60=_without("heads")
)


size_of_cache.mistake(
    "`head_size` is missing: a key of one head is that many numbers, not one.", TODO_61=_without("head_size")
)


size_of_cache.mistake(
    "You count one token. The keys and values of all `context` tokens are kept.", TODO_62=_without("context")
)


size_of_cache.mistake(
    "You count one text. Each of the `batch_size` texts has a cache of its own.", TODO_63=_without("batch_size")
)


size_of_cache.mistake(
    "You count the numbers. Each of them takes `bytes_per_value` bytes.", TODO_64=_without("bytes_per_value")
)


size_of_cache.mistake("That is the number of bits: a byte has 8. Bytes are asked for.", TODO_65=sized(lambda sizes: 8))


size_of_cache.mistake(
    "You count the attention scores, context times context. They are used at once and not kept; what is kept "
    "is a key and a value for each token.",
    TODO_66=sized(lambda sizes: sizes["context"] / sizes["head_size"] / 2),
)


size_of_cache.mistake(
    "That is in megabytes. Return bytes: do not divide by 2**20.", TODO_67=sized(lambda sizes: 1 / 2**20)
)


size_of_cache.mistake(
    "You count the heads twice. `head_size` is the size of one head: heads * head_size numbers a key.",
    TODO_68=sized(lambda sizes: sizes["heads"]),
)


size_of_cache.hints(
    "One token, one layer, one head: how many numbers are kept? Keys and values.",
    "Then times the heads, the layers, the tokens and the texts. At the end numbers become bytes.",
    "2 * layers * heads * head_size * context * batch_size * bytes_per_value",
)
