"""The exercise `count_gpt` of lesson 01."""

import math

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The parameters of a GPT with C channels. A row of C for each token of the vocabulary, and one for each "
    "position of the context; the blocks, with 12 C² + 13 C each; the last norm, with 2 C; the head, C x vocabulary, "
    "a table of its own without bias."
)
def count_gpt(layers, channels, vocabulary, context):
    embeddings = vocabulary * channels + context * channels
    blocks = layers * (12 * channels**2 + 13 * channels)
    norm = 2 * channels
    head = channels * vocabulary
    return embeddings + blocks + norm + head


@count_gpt.judge
def gpt_by_shapes(layers, channels, vocabulary, context):
    C = channels  # each tensor's shape: modules of this size take gigabytes, and on "meta" seconds to import
    attention = [(3 * C, C), (3 * C,), (C, C), (C,)]
    feed_forward = [(4 * C, C), (4 * C,), (C, 4 * C), (C,)]
    norm = [(C,), (C,)]
    block = [*attention, *feed_forward, *norm, *norm]
    return sum(map(math.prod, [(vocabulary, C), (context, C), *block * layers, *norm, (vocabulary, C)]))


@count_gpt.right
def gpt_in_one_line(L, C, V, T):
    return C * (2 * V + T + L * (12 * C + 13) + 2)


@count_gpt.right
def gpt_by_parts(layers, channels, vocabulary, context):
    parts = {"tokens": vocabulary, "positions": context, "norm": 2, "head": vocabulary}
    parts["blocks"] = layers * (13 + 12 * channels)
    return channels * sum(parts.values())


@count_gpt.right
def gpt_by_layers(layers, channels, vocabulary, context):
    total = 2 * channels * vocabulary + channels * context + channels + channels
    for _ in range(layers):
        total += 4 * channels * (channels + 1) + 8 * channels**2 + 5 * channels + 4 * channels
    return total


@count_gpt.cases
def cases():
    return [
        (1, 2, 3, 4),
        (2, 64, 100, 64),
        (12, 768, 50_257, 1024),
        (96, 12_288, 50_257, 2048),
        (0, 3, 5, 7),
    ]


count_gpt.mistake(
    "One table of C x vocabulary is missing. The tokens need one to come in, the head one to score the next "
    "token. (Some models use one table for both; here they are two.)",
    TODO_21=lambda L, C, V, T: count_gpt(L, C, V, T) - C * V,
)


count_gpt.mistake(
    "Your head has a bias for each token. Here it has none.", TODO_22=lambda L, C, V, T: count_gpt(L, C, V, T) + V
)


count_gpt.mistake(
    "The positions are missing: a row of C for each place in the context.",
    TODO_23=lambda L, C, V, T: count_gpt(L, C, V, T) - C * T,
)


count_gpt.mistake(
    "The last norm is missing: C scales and C shifts.", TODO_24=lambda L, C, V, T: count_gpt(L, C, V, T) - 2 * C
)


count_gpt.mistake(
    "A norm has a scale and a shift for each channel: 2 C.", TODO_25=lambda L, C, V, T: count_gpt(L, C, V, T) - C
)


count_gpt.mistake(
    "You count one block. There are `layers` of them, each with weights of its own.",
    TODO_26=lambda L, C, V, T: count_gpt(1, C, V, T),
)


count_gpt.mistake(
    "A block has 12 C² + 13 C parameters. Your 13 C (biases and norms) are missing.",
    TODO_27=lambda L, C, V, T: count_gpt(L, C, V, T) - 13 * L * C,
)


count_gpt.mistake(
    "12 C² is 12 * C * C, or 12 * C**2. You count 12 C.",
    TODO_28=lambda L, C, V, T: count_gpt(L, C, V, T) - 12 * L * C * C + 12 * L * C,
)


count_gpt.mistake(
    "12 C² squares C alone: 12 * C**2. You square 12 C.",
    TODO_29=lambda L, C, V, T: count_gpt(L, C, V, T) - 12 * L * C * C + L * (12 * C) ** 2,
)


count_gpt.mistake(
    "In Python ^ is no power: it compares bits. Write C**2.",
    TODO_30=lambda L, C, V, T: count_gpt(L, C, V, T) - 12 * L * C * C + L * (12 * C ^ 2),
)


count_gpt.mistake(
    "You count the blocks only. Add the tables of tokens and positions, the last norm and the head.",
    TODO_31=lambda L, C, V, T: L * (12 * C**2 + 13 * C),
)


count_gpt.mistake(
    "12 L C² is the rule of thumb for large models. Here every part counts: biases and norms of the blocks, "
    "tokens, positions, the last norm, the head.",
    TODO_32=lambda L, C, V, T: 12 * L * C**2,
)


count_gpt.mistake(
    "You count a row for each token at each place. Tokens and positions have two tables, which are added.",
    TODO_33=lambda L, C, V, T: count_gpt(L, C, V, T) - C * T + C * T * V,
)


count_gpt.hints(
    "Five parts: tokens, positions, blocks, norm, head. Write a line for each, then add them up.",
    "A table with n rows of C numbers has n * C parameters.",
    "For the blocks: layers * (12 * channels**2 + 13 * channels).",
)
