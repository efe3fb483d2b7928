"""The exercise `size_of_cache`: the bytes of a key-value cache."""

import math
from itertools import combinations, permutations

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The bytes of a key-value cache for `batch_size` texts of `context` tokens: every layer keeps a key and a "
    "value for every token, and each of them has `head_size` numbers in every one of `heads` heads."
)
def size_of_cache(layers, heads, head_size, context, batch_size, bytes_per_value):
    numbers_per_token = 2 * layers * heads * head_size
    return batch_size * context * numbers_per_token * bytes_per_value


@size_of_cache.cases
def cases():
    return [
        (1, 1, 4, 3, 1, 4),
        (4, 4, 32, 128, 1, 4),
        (12, 6, 64, 1024, 5, 2),
        (96, 96, 128, 2048, 1, 2),
        (3, 7, 10, 11, 6, 1),
    ]


@size_of_cache.judge
def reserved(layers, heads, head_size, context, batch_size, bytes_per_value):
    """What torch would reserve, layer by layer: a tensor of keys and one of values, on a device without memory."""
    dtype = {1: torch.int8, 2: torch.bfloat16, 4: torch.float32, 8: torch.float64}[bytes_per_value]
    shape = batch_size, heads, context, head_size
    return sum(torch.empty(shape, dtype=dtype, device="meta").nbytes for _ in range(layers) for _ in ("key", "value"))


@size_of_cache.right
def by_a_product(layers, heads, head_size, context, batch_size, bytes_per_value):
    return math.prod([layers, heads, head_size, context, batch_size, bytes_per_value, 2])


@size_of_cache.right
def by_a_sum(layers, heads, head_size, context, batch_size, bytes_per_value):
    channels = heads * head_size
    keys = sum(channels * context * bytes_per_value for _ in range(layers))
    return (keys + keys) * batch_size


@size_of_cache.right
def by_elements(layers, heads, head_size, context, batch_size, bytes_per_value):
    cache = torch.empty(layers, 2, batch_size, heads, context, head_size, device="meta")
    return cache.numel() * bytes_per_value


@size_of_cache.right
def in_bits(layers, heads, head_size, context, batch_size, bytes_per_value):
    bits = bytes_per_value * 8
    per_token = (layers << 1) * head_size * heads * bits
    return per_token * (batch_size * context) // 8


NAMES = ("layers", "heads", "head_size", "context", "batch_size", "bytes_per_value")
MISSING = {
    "layers": "You count one layer. Every layer has keys and values of its own.",
    "heads": "You count one head. A key has `head_size` numbers in every one of `heads` heads.",
    "head_size": "`head_size` is missing: a key of one head is that many numbers, not one.",
    "context": "You count one token. The keys and values of all `context` tokens are kept.",
    "batch_size": "You count one text. Each of the `batch_size` texts has a cache of its own.",
    "bytes_per_value": "You count the numbers. Each of them takes `bytes_per_value` bytes.",
}


def times(factor=1, **powers):
    """A wrong size: the right one times `factor`, and times powers of some sizes."""
    return sized(lambda sizes: factor * math.prod(float(sizes[name]) ** power for name, power in powers.items()))


def sized(change):
    """A wrong size: the right one times `change(the sizes by name)`."""

    def answer(layers, heads, head_size, context, batch_size, bytes_per_value):
        sizes = dict(zip(NAMES, (layers, heads, head_size, context, batch_size, bytes_per_value), strict=True))
        return 2 * math.prod(sizes.values()) * change(sizes)

    return answer


def after(change):
    """A wrong size: the right one, changed."""
    return lambda *sizes: change(size_of_cache(*sizes))


def added(count):
    """A wrong size: `count` of the sizes by name."""
    return lambda *sizes: count(**dict(zip(NAMES, sizes, strict=True)))


size_of_cache.mistake("The factor 2 is missing: a key and a value are kept for every token.", two_missing=times(1 / 2))
size_of_cache.mistake(
    "You count the queries too. A query is used once, when its token is read, and is not kept: 2, not 3.",
    queries_counted=times(3 / 2),
)
size_of_cache.mistake("The factor 2 comes in twice. Each token has one key and one value.", two_twice=times(2))
size_of_cache.mistake(
    "The factor 2 comes in three times. Each token has one key and one value.", two_three_times=times(4)
)
size_of_cache.mistake("You divide by 2. A key and a value are kept: multiply.", divided_by_two=times(1 / 4))
for name, message in MISSING.items():
    size_of_cache.mistake(message, **{f"{name}_missing": times(**{name: -1})})
    size_of_cache.mistake(
        f"Two things are missing: `{name}`, and the factor 2 for a key and a value.",
        **{f"two_and_{name}_missing": times(1 / 2, **{name: -1})},
    )
    size_of_cache.mistake(f"`{name}` comes in twice: multiply by it once.", **{f"{name}_squared": times(**{name: 1})})
    size_of_cache.mistake(
        f"You square `{name}`, and the factor 2 is missing. A key and a value: multiply by 2, take no power.",
        **{f"{name}_squared_and_two_missing": times(1 / 2, **{name: 1})},
    )
    size_of_cache.mistake(
        f"You divide by `{name}`. The cache grows with it: multiply.", **{f"{name}_divided": times(**{name: -2})}
    )
for one, other in combinations(NAMES, 2):
    size_of_cache.mistake(
        f"Two things are missing: `{one}` and `{other}`. The cache grows with each of the six.",
        **{f"{one}_and_{other}_missing": times(**{one: -1, other: -1})},
    )
for one, other in permutations(NAMES, 2):
    size_of_cache.mistake(
        f"`{one}` comes in twice and `{other}` is missing.",
        **{f"{one}_for_{other}": times(**{one: 1, other: -1})},
    )
for count in (2, 4, 8):
    size_of_cache.mistake(
        f"You take {count} bytes for a number, whatever is given. Use `bytes_per_value`.",
        **{f"always_{count}_bytes": times(count, bytes_per_value=-1)},
    )
size_of_cache.mistake(
    "You square heads * head_size, as a matrix of weights has them. A key is one row of heads * head_size numbers.",
    channels_squared=times(heads=1, head_size=1),
)
size_of_cache.mistake(
    "You square heads * head_size, and the factor 2 is missing. A key is one row of heads * head_size numbers.",
    channels_squared_and_two_missing=times(1 / 2, heads=1, head_size=1),
)
size_of_cache.mistake(
    "You divide `head_size` by `heads`. It is the size of one head already: multiply.",
    head_size_shared=sized(lambda sizes: sizes["head_size"] // sizes["heads"] / (sizes["head_size"] * sizes["heads"])),
)
size_of_cache.mistake(
    "The value of a token has one number in each head in your count. It is as long as the key: `head_size`.",
    value_of_one_number=sized(lambda sizes: (sizes["head_size"] + 1) / (2 * sizes["head_size"])),
)
size_of_cache.mistake(
    "You count the attention scores, context times context. They are used at once and not kept; what is kept "
    "is a key and a value for each token.",
    scores_counted=times(1 / 2, context=1, head_size=-1),
)
size_of_cache.mistake(
    "You count the attention scores too, context times context. They are used at once and not kept.",
    scores_counted_too=sized(lambda sizes: 1 + sizes["context"] / sizes["head_size"] / 2),
)
size_of_cache.mistake(
    "Each token sees those before it, and you count a key and a value for each such pair. They are kept once for each "
    "token.",
    pairs_counted=sized(lambda sizes: (sizes["context"] + 1) / 2),
)
size_of_cache.mistake(
    "You count one token too few: `context` tokens are kept.",
    one_token_less=sized(lambda sizes: (sizes["context"] - 1) / sizes["context"]),
)
size_of_cache.mistake(
    "You count one token too many: `context` tokens are kept.",
    one_token_more=sized(lambda sizes: (sizes["context"] + 1) / sizes["context"]),
)
size_of_cache.mistake(
    "You count the parameters of the layers, and not what they keep of the tokens.",
    parameters=added(
        lambda layers, heads, head_size, bytes_per_value, **_: 12 * layers * (heads * head_size) ** 2 * bytes_per_value
    ),
)
size_of_cache.mistake(
    "`heads` and `head_size` are added. Each head has `head_size` numbers: multiply.",
    heads_and_head_size_added=sized(lambda s: (s["heads"] + s["head_size"]) / (s["heads"] * s["head_size"])),
)
size_of_cache.mistake(
    "`context` and `batch_size` are added. Each text has `context` tokens: multiply.",
    context_and_batch_added=sized(lambda s: (s["context"] + s["batch_size"]) / (s["context"] * s["batch_size"])),
)
size_of_cache.mistake("All sizes are added. Multiply them.", all_added=lambda *sizes: 2 * sum(sizes))
size_of_cache.mistake(
    "All sizes are added, and the factor 2 is missing. Multiply them, and by 2.",
    all_added_once=lambda *sizes: sum(sizes),
)
size_of_cache.mistake(
    "`layers` and `heads` are added. Every layer has all heads: multiply.",
    layers_and_heads_added=sized(lambda s: (s["layers"] + s["heads"]) / (s["layers"] * s["heads"])),
)
size_of_cache.mistake(
    "`bytes_per_value` is added. Each number takes so many bytes: multiply.",
    bytes_added=added(lambda bytes_per_value, **others: 2 * math.prod(others.values()) + bytes_per_value),
)
size_of_cache.mistake(
    "2 is added, not multiplied. There is a key and a value: twice as many numbers.",
    two_added=lambda *sizes: 2 + math.prod(sizes),
)
size_of_cache.mistake(
    "You take the whole product squared: ** is a power. Multiply by 2: *.",
    product_squared=lambda *sizes: math.prod(sizes) ** 2,
)
size_of_cache.mistake("That is the number of bits: a byte has 8. Bytes are asked for.", bits=times(8))
size_of_cache.mistake("You divide by 8. `bytes_per_value` is in bytes already.", divided_by_eight=times(1 / 8))
for words, divisor in (("kilobytes", 1000), ("megabytes", 10**6), ("gigabytes", 10**9)):
    size_of_cache.mistake(
        f"That is in {words}. Return bytes: do not divide by {divisor}.",
        **{words: times(1 / divisor)},
    )
for words, divisor in (("kilobytes", 1000), ("megabytes", 10**6), ("gigabytes", 10**9)):
    size_of_cache.mistake(
        f"That is in {words}, and the factor 2 for a key and a value is missing. Return bytes.",
        **{f"{words}_and_two_missing": times(1 / 2 / divisor)},
    )
for power, words in ((10, "kibibytes"), (20, "mebibytes"), (30, "gibibytes")):
    size_of_cache.mistake(
        f"That is in {words}. Return bytes: do not divide by 2**{power} (1024 is 2**10).",
        **{words: times(1 / 2**power)},
    )
size_of_cache.mistake("You return text. Return the number of bytes.", as_text=after(lambda size: f"{size} bytes"))
size_of_cache.mistake(
    "You return the bytes of keys and of values as two numbers. Add them up.",
    keys_and_values_apart=after(lambda size: (size // 2, size // 2)),
)


size_of_cache.hints(
    "One token, one layer, one head: how many numbers are kept? Keys and values.",
    "Then times the heads, the layers, the tokens and the texts. At the end numbers become bytes.",
    "2 * layers * heads * head_size * context * batch_size * bytes_per_value",
)
