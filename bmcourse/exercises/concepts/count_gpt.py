"""The exercise `count_gpt`: the parameters of a GPT, from its sizes."""

import math
from itertools import combinations

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


@count_gpt.cases
def cases():
    return [
        (1, 2, 3, 4),
        (2, 64, 100, 64),
        (12, 768, 50_257, 1024),
        (96, 12_288, 50_257, 2048),
        (0, 3, 5, 7),
        (3, 1, 1, 1),
    ]


@count_gpt.judge
def by_shapes(layers, channels, vocabulary, context):
    C = channels  # each tensor's shape: modules of this size take gigabytes, and on "meta" seconds to import
    attention = [(3 * C, C), (3 * C,), (C, C), (C,)]
    feed_forward = [(4 * C, C), (4 * C,), (C, 4 * C), (C,)]
    norm = [(C,), (C,)]
    block = [*attention, *feed_forward, *norm, *norm]
    return sum(map(math.prod, [(vocabulary, C), (context, C), *block * layers, *norm, (vocabulary, C)]))


@count_gpt.right
def in_one_line(L, C, V, T):
    return C * (2 * V + T + L * (12 * C + 13) + 2)


@count_gpt.right
def by_parts(layers, channels, vocabulary, context):
    parts = {"tokens": vocabulary, "positions": context, "norm": 2, "head": vocabulary}
    parts["blocks"] = layers * (13 + 12 * channels)
    return channels * sum(parts.values())


@count_gpt.right
def by_layers(layers, channels, vocabulary, context):
    total = 2 * channels * vocabulary + channels * context + channels + channels
    for _ in range(layers):
        total += 4 * channels * (channels + 1) + 8 * channels**2 + 5 * channels + 4 * channels
    return total


@count_gpt.right
def by_tables(L, C, V, T):
    tables = [(V, C), (T, C), (2, C), (C, V)] + [(12 * C + 13, C)] * L
    return sum(rows * columns for rows, columns in tables)


PARTS = {
    "tokens": lambda L, C, V, T: V * C,
    "positions": lambda L, C, V, T: T * C,
    "blocks": lambda L, C, V, T: L * (12 * C**2 + 13 * C),
    "norm": lambda L, C, V, T: 2 * C,
    "head": lambda L, C, V, T: C * V,
}


def with_parts(**parts):
    """A wrong count: one with other parts."""
    return lambda L, C, V, T: sum(part(L, C, V, T) for part in {**PARTS, **parts}.values())


def nothing(L, C, V, T):
    return 0


def in_a_block(count):
    """A wrong count: `count(C)` parameters in each block."""
    return with_parts(blocks=lambda L, C, V, T: L * count(C))


count_gpt.mistake(
    "One table of C x vocabulary is missing. The tokens need one to come in, the head one to score the next "
    "token. (Some models use one table for both; here they are two.)",
    one_table=with_parts(head=nothing),
)
count_gpt.mistake(
    "You count one table of C x vocabulary too many. There are two: the tokens' and the head's.",
    three_tables=with_parts(head=lambda L, C, V, T: 2 * C * V),
)
count_gpt.mistake(
    "Your head has a bias for each token. Here it has none.",
    head_with_bias=with_parts(head=lambda L, C, V, T: C * V + V),
)
count_gpt.mistake(
    "Your head has a bias for each channel. Here it has none.",
    head_with_bias_of_channels=with_parts(head=lambda L, C, V, T: C * V + C),
)
count_gpt.mistake(
    "Your head is C + vocabulary. It is a table: C x vocabulary.", head_added=with_parts(head=lambda L, C, V, T: C + V)
)
count_gpt.mistake(
    "You have two tables with a row for each position and one for the tokens. It is the other way round: the tokens "
    "have two, one to come in and one in the head.",
    head_of_positions=with_parts(head=lambda L, C, V, T: C * T),
)
count_gpt.mistake(
    "Your head has a row for each position. It is used at all of them alike: C x vocabulary.",
    head_at_each_position=with_parts(head=lambda L, C, V, T: C * V * T),
)
count_gpt.mistake(
    "The positions are missing: a row of C for each place in the context.", no_positions=with_parts(positions=nothing)
)
count_gpt.mistake(
    "You count one number for each position. It is a row of C: context * C.",
    one_number_a_position=with_parts(positions=lambda L, C, V, T: T),
)
count_gpt.mistake(
    "You count one number for each token. It is a row of C. Set brackets: (vocabulary + context) * C.",
    one_number_a_token=with_parts(tokens=lambda L, C, V, T: V),
)
count_gpt.mistake(
    "You count one number for each token and each position. It is a row of C for each: (vocabulary + context) * C.",
    one_number_each=with_parts(tokens=lambda L, C, V, T: V, positions=lambda L, C, V, T: T),
)
count_gpt.mistake(
    "You count a row of C for one position only. Each place in the context has its own: context * C.",
    one_position=with_parts(positions=lambda L, C, V, T: C),
)
count_gpt.mistake(
    "You count positions with every position: context squared. It is a row of C for each: context * C.",
    positions_squared=with_parts(positions=lambda L, C, V, T: T * T),
)
count_gpt.mistake(
    "Every block of yours has positions of its own. They are added once, before the first.",
    positions_in_each_block=with_parts(positions=lambda L, C, V, T: L * T * C),
)
count_gpt.mistake(
    "You count the positions twice. There is one table of them.",
    positions_twice=with_parts(positions=lambda L, C, V, T: 2 * T * C),
)
count_gpt.mistake("The last norm is missing: C scales and C shifts.", no_norm=with_parts(norm=nothing))
count_gpt.mistake(
    "A norm has a scale and a shift for each channel: 2 C.", half_a_norm=with_parts(norm=lambda L, C, V, T: C)
)
count_gpt.mistake(
    "You count two last norms. There is one, with 2 C; those in the blocks are in 13 C.",
    two_norms=with_parts(norm=lambda L, C, V, T: 4 * C),
)
count_gpt.mistake(
    "The last norm has 2 C parameters. You count 2: one scale and one shift.",
    norm_of_two=with_parts(norm=lambda L, C, V, T: 2),
)
count_gpt.mistake("The last norm has 2 C parameters, not C².", norm_squared=with_parts(norm=lambda L, C, V, T: C**2))
count_gpt.mistake(
    "The last norm has 2 C parameters, not 2 C².", norm_twice_squared=with_parts(norm=lambda L, C, V, T: 2 * C**2)
)
count_gpt.mistake(
    "You count a last norm for each block. There is one, after all of them; those in the blocks are in 13 C.",
    norm_in_each_block=with_parts(norm=lambda L, C, V, T: 2 * C * L),
)
count_gpt.mistake(
    "You count one block. There are `layers` of them, each with weights of its own.",
    one_block=lambda L, C, V, T: count_gpt(1, C, V, T),
)
count_gpt.mistake("You count one block too many.", one_block_too_many=lambda L, C, V, T: count_gpt(L + 1, C, V, T))
count_gpt.mistake(
    "You count one block too few. There are `layers` of them.",
    one_block_too_few=lambda L, C, V, T: count_gpt(L - 1, C, V, T),
)
count_gpt.mistake(
    "You square the layers. There are `layers` blocks.", layers_squared=lambda L, C, V, T: count_gpt(L * L, C, V, T)
)
count_gpt.mistake(
    "You always count 12 blocks, as the small GPT-2 has. Use `layers`.",
    always_12_blocks=lambda L, C, V, T: count_gpt(12, C, V, T),
)
count_gpt.mistake(
    "Your channels are 768, as in the small GPT-2. Use `channels`.",
    always_768=lambda L, C, V, T: count_gpt(L, 768, V, T),
)
count_gpt.mistake(
    "Your vocabulary is 50 257, as in GPT-2. Use `vocabulary`.",
    always_50257=lambda L, C, V, T: count_gpt(L, C, 50_257, T),
)
count_gpt.mistake(
    "Your context is 1024, as in GPT-2. Use `context`.", always_1024=lambda L, C, V, T: count_gpt(L, C, V, 1024)
)
count_gpt.mistake(
    "The 13 C of biases and norms are counted for one block only. Set brackets: layers * (12 * C**2 + 13 * C).",
    brackets_of_the_blocks=with_parts(blocks=lambda L, C, V, T: L * 12 * C**2 + 13 * C),
)
count_gpt.mistake(
    "You multiply all by the number of layers. Only the blocks are there several times.",
    all_times_layers=lambda L, C, V, T: L * count_gpt(1, C, V, T),
)
count_gpt.mistake(
    "A block has 12 C² + 13 C parameters. Your 13 C (biases and norms) are missing.",
    no_13=in_a_block(lambda C: 12 * C**2),
)
count_gpt.mistake("A block has 12 C² + 13 C parameters. Your 12 C² are missing.", no_12=in_a_block(lambda C: 13 * C))
count_gpt.mistake(
    "12 C² is 12 * C * C, or 12 * C**2. You count 12 C.", not_squared=in_a_block(lambda C: 12 * C + 13 * C)
)
count_gpt.mistake("Only the first C is squared: 12 C² + 13 C, not 13 C².", both_squared=in_a_block(lambda C: 25 * C**2))
count_gpt.mistake(
    "12 C² squares C alone: 12 * C**2. You square 12 C.", twelve_squared=in_a_block(lambda C: (12 * C) ** 2 + 13 * C)
)
count_gpt.mistake(
    "C² is C * C. You count 2 C: ** is the power, and * multiplies.",
    twice_not_squared=in_a_block(lambda C: 24 * C + 13 * C),
)
count_gpt.mistake(
    "12 C² squares C: C**2. You take 2 to the power of C.",
    power_reversed=in_a_block(lambda C: 12 * 2 ** min(C, 3000) + 13 * C),
)
count_gpt.mistake("12 C² is a square. You take the third power.", cubed=in_a_block(lambda C: 12 * C**3 + 13 * C))
count_gpt.mistake(
    "In Python ^ is no power: it compares bits. Write C**2.", bits_compared=in_a_block(lambda C: (12 * C ^ 2) + 13 * C)
)
count_gpt.mistake(
    "In Python ^ is no power: it compares bits, and comes after * and +. Write C**2.",
    bits_compared_last=in_a_block(lambda C: 12 * C ^ 2 + 13 * C),
)
count_gpt.mistake(
    "In Python ^ is no power: it compares bits. C^2 in brackets does so too: write C**2.",
    bits_compared_in_brackets=in_a_block(lambda C: 12 * (C ^ 2) + 13 * C),
)
count_gpt.mistake(
    "A block has 12 C² + 13 C. You count 13 in place of 13 C.", only_13=in_a_block(lambda C: 12 * C**2 + 13)
)
count_gpt.mistake("12 and 13 are exchanged: 12 C² + 13 C.", exchanged=in_a_block(lambda C: 13 * C**2 + 12 * C))
count_gpt.mistake(
    "A block has 12 C² + 13 C. You subtract the 13 C.", subtracted=in_a_block(lambda C: 12 * C**2 - 13 * C)
)
count_gpt.mistake(
    "A block has 12 C² + 13 C. You multiply the two.", multiplied=in_a_block(lambda C: 12 * C**2 * 13 * C)
)
for wrong in (9, 10, 11, 12):
    count_gpt.mistake(
        f"A block has 12 C² + 13 C, not {wrong} C: biases of 3 C, C, 4 C and C, and two norms with 2 C each.",
        **{f"{wrong}_and_not_13": in_a_block(lambda C, wrong=wrong: 12 * C**2 + wrong * C)},
    )
for wrong in (4, 8, 6):
    count_gpt.mistake(
        f"A block has 12 C² + 13 C, not {wrong} C²: 4 C² of attention, 8 C² of the two layers after it.",
        **{f"{wrong}_and_not_12": in_a_block(lambda C, wrong=wrong: wrong * C**2 + 13 * C)},
    )
count_gpt.mistake(
    "Layers and channels are exchanged in your count.",
    layers_and_channels_exchanged=lambda L, C, V, T: count_gpt(C, L, V, T),
)
count_gpt.mistake(
    "12 L C² is the rule of thumb for large models. Here every part counts: biases and norms of the blocks, "
    "tokens, positions, the last norm, the head.",
    rule_of_thumb=lambda L, C, V, T: 12 * L * C**2,
)
count_gpt.mistake(
    "The positions, the last norm and the 13 C of the blocks are missing. Small parts count too.",
    large_parts_only=with_parts(positions=nothing, norm=nothing, blocks=lambda L, C, V, T: L * 12 * C**2),
)
count_gpt.mistake(
    "You count a row for each token at each place. Tokens and positions have two tables, which are added.",
    token_at_each_place=with_parts(positions=lambda L, C, V, T: C * T * V),
)
count_gpt.mistake(
    "You count a row for each pair of a token and a position. There are two tables: vocabulary * C + context * C.",
    tokens_times_positions=with_parts(positions=nothing, tokens=lambda L, C, V, T: C * T * V),
)
for one, other in combinations([name for name in PARTS if name != "head"], 2):
    first = "one of the two tables of the vocabulary" if one == "tokens" else one
    count_gpt.mistake(
        f"Two parts are missing: {first} and {other}. There are five: tokens, positions, blocks, norm, head.",
        **{f"no_{one}_and_no_{other}": with_parts(**{one: nothing, other: nothing})},
    )
count_gpt.mistake("The blocks are missing: layers * (12 C² + 13 C).", no_blocks=with_parts(blocks=nothing))
count_gpt.mistake(
    "Both tables of the vocabulary are missing: the tokens' and the head's, C x vocabulary each.",
    no_vocabulary=with_parts(tokens=nothing, head=nothing),
)
for name, part in PARTS.items():
    if name != "head":
        words = {"blocks": "the blocks", "norm": "the last norm"}.get(name, f"one table: {name}")
        count_gpt.mistake(
            f"You count {words} only. Add the others: tokens, positions, blocks, norm and head are five parts.",
            **{f"only_{name}": part},
        )
count_gpt.mistake(
    "Those are bytes in fp32. Count the parameters: do not multiply by 4.", bytes=lambda *sizes: 4 * count_gpt(*sizes)
)
count_gpt.mistake(
    "You count in millions. Return the number of parameters.", millions=lambda *sizes: count_gpt(*sizes) / 1e6
)
count_gpt.mistake(
    "You count in billions. Return the number of parameters.", billions=lambda *sizes: count_gpt(*sizes) / 1e9
)
count_gpt.mistake(
    "You return the parts. Add them up.", list_of_parts=lambda *sizes: [part(*sizes) for part in PARTS.values()]
)
count_gpt.mistake(
    "You multiply the parts. Add them up.",
    parts_multiplied=lambda *sizes: math.prod(part(*sizes) for part in PARTS.values()),
)


count_gpt.hints(
    "Five parts: tokens, positions, blocks, norm, head. Write a line for each, then add them up.",
    "A table with n rows of C numbers has n * C parameters.",
    "For the blocks: layers * (12 * channels**2 + 13 * channels).",
)
