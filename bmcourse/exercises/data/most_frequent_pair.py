"""The exercise `most_frequent_pair` of lesson 02: what byte-pair encoding merges next."""

from collections import Counter
from itertools import combinations, pairwise

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The pair of neighbours that occurs most often in `words`, lists of token ids. Of pairs equally frequent it "
    "is the smaller one. No pair reaches from one word into the next. Pairs may overlap: (7, 7) occurs twice in "
    "[7, 7, 7]."
)
def most_frequent_pair(words):
    counts = {}
    for ids in words:
        for pair in zip(ids[:-1], ids[1:], strict=True):
            counts[pair] = counts.get(pair, 0) + 1
    return min(counts, key=lambda pair: (-counts[pair], pair))


@most_frequent_pair.cases
def cases():
    return [
        ([[1, 2, 3], [1, 2]],),
        ([[4, 5], [2, 7], [2, 3], [9, 1]],),
        ([[3, 1], [2, 4], [5, 1], [2, 3], [4, 1], [2, 4]],),
        ([[1, 2]] * 3 + [[3, 4, 9], [8, 3, 4]],),
        ([[5, 6, 5, 6, 5, 6], [1, 2], [1, 2, 3], [0], []],),
        ([[7, 7, 7, 7], [1, 2], [1, 2]],),
        ([[2, 1], [2, 1], [1, 2], [1, 2], [4, 3], [4, 3], [4, 3]],),
        ([[3, 0, 0, 1, 0, 0]],),
        ([[10, 9], [5, 1], [9, 10], [1, 9], [3, 2]],),  # 1 + 9 is more than 3 + 2
        ([[10, 300], [9, 400], [100, 3]],),  # as text, 10 and 100 come before 9
        (torch.randint(5, (8, 9)).tolist(),),
    ]


def counted(words):
    return Counter(pair for ids in words for pair in pairwise(ids))


@most_frequent_pair.right
def by_sorting(words):
    return sorted(counted(words).items(), key=lambda item: (-item[1], item[0]))[0][0]


@most_frequent_pair.right
def in_two_steps(words):
    counts = counted(words)
    most = max(counts.values())
    return min(pair for pair, count in counts.items() if count == most)


@most_frequent_pair.right
def in_sorted_order(words):
    pairs = [(ids[i], ids[i + 1]) for ids in words for i in range(len(ids) - 1)]
    return max(sorted(set(pairs)), key=pairs.count)


@most_frequent_pair.right
def by_a_table(words):
    size = 1 + max(token for ids in words for token in ids)
    pairs = torch.tensor([a * size + b for ids in words for a, b in pairwise(ids)])
    codes, counts = pairs.unique(return_counts=True)
    return divmod(codes[counts == counts.max()].min().item(), size)


@most_frequent_pair.right
def while_counting(words):
    counts, best = {}, None
    for ids in words:
        for pair in pairwise(ids):
            counts[pair] = counts.get(pair, 0) + 1
            if best is None or counts[pair] > counts[best] or (counts[pair] == counts[best] and pair < best):
                best = pair
    return best


def first_by(key):
    """The answer that counts right and takes the pair with the smallest `key(count, pair)`."""

    def answer(words):
        counts = counted(words)
        return min(counts, key=lambda pair: key(counts[pair], pair))

    return answer


def of_pairs(pairs):
    """The answer that chooses right among `pairs(ids)`, the pairs of each word."""

    def answer(words):
        counts = Counter(pair for ids in words for pair in pairs(ids))
        return min(counts, key=lambda pair: (-counts[pair], pair))

    return answer


most_frequent_pair.mistake(
    "Of equally frequent pairs you take the larger one. Take the smaller, so that every computer learns the "
    "same merges: min(counts, key=lambda pair: (-counts[pair], pair)).",
    larger_of_ties=lambda words: max(counted(words).items(), key=lambda item: (item[1], item[0]))[0],
)
most_frequent_pair.mistake(
    "Of equally frequent pairs you take the one that came first (max and most_common do that). Take the "
    "smaller one: sort by (-count, pair).",
    first_of_ties=first_by(lambda count, pair: -count),
)
most_frequent_pair.mistake(
    "Of equally frequent pairs you take the one that came last (>= does that, and sorting by the count alone). Take "
    "the smaller one: sort by (-count, pair).",
    last_of_ties=lambda words: sorted(counted(words).items(), key=lambda item: item[1])[-1][0],
)
most_frequent_pair.mistake(
    "Of equally frequent pairs you take the one with the smaller first token and look no further. Where the first "
    "tokens are equal the second decides: compare the whole pairs.",
    ties_by_the_first_token=first_by(lambda count, pair: (-count, pair[0])),
)
most_frequent_pair.mistake(
    "Of equally frequent pairs you take the one with the smaller second token. Compare the pairs themselves: the "
    "first token decides, and only then the second.",
    ties_by_the_second_token=first_by(lambda count, pair: (-count, pair[1], pair[0])),
)
most_frequent_pair.mistake(
    "Of equally frequent pairs you take the one with the smaller sum. (1, 9) is smaller than (3, 2): Python compares "
    "the first tokens first.",
    ties_by_the_sum=first_by(lambda count, pair: (-count, sum(pair))),
)
most_frequent_pair.mistake(
    "Of equally frequent pairs you take the smaller one as a text, where '10' comes before '9'. Compare the numbers.",
    ties_as_text=first_by(lambda count, pair: (-count, str(pair))),
)
most_frequent_pair.mistake(
    "You joined the words to one list, so the end of a word makes a pair with the start of the next. Count in "
    "each word by itself.",
    words_joined=lambda words: most_frequent_pair([[token for ids in words for token in ids]]),
)
most_frequent_pair.mistake(
    "You count words that occur again only once. A frequent word must count as often as it occurs.",
    each_word_once=lambda words: most_frequent_pair(list(map(list, dict.fromkeys(map(tuple, words))))),
)
most_frequent_pair.mistake(
    "A pair that occurs three times in one word counts only once for you. Count every occurrence.",
    once_per_word=of_pairs(lambda ids: set(pairwise(ids))),
)
most_frequent_pair.mistake(
    "The last token of a word has no neighbour: ids[i + 1] does not exist there. Let i run over range(len(ids) - 1).",
    beyond_the_end=of_pairs(lambda ids: [(ids[i], ids[i + 1]) for i in range(len(ids))]),
)
most_frequent_pair.mistake(
    "You make a pair of the last token of a word and its first: ids[-1] is the last. Begin at 1 where you take "
    "(ids[i - 1], ids[i]).",
    round_the_corner=of_pairs(lambda ids: [(ids[i - 1], ids[i]) for i in range(len(ids))]),
)
most_frequent_pair.mistake(
    "You leave out the last pair of every word. i and i + 1 both exist for i in range(len(ids) - 1).",
    last_pair_left_out=of_pairs(lambda ids: list(pairwise(ids[:-1]))),
)
most_frequent_pair.mistake(
    "You leave out the first pair of every word. Let i begin at 0 where you take (ids[i], ids[i + 1]).",
    first_pair_left_out=of_pairs(lambda ids: list(pairwise(ids[1:]))),
)
most_frequent_pair.mistake(
    "You go on by two places after every pair, and never see the pairs between. The second token of a pair may be the "
    "first of the next: go on by one.",
    steps_of_two=of_pairs(lambda ids: [(ids[i], ids[i + 1]) for i in range(0, len(ids) - 1, 2)]),
)
most_frequent_pair.mistake(
    "You turn the pair round. The token that comes first in the word is the first of the pair.",
    turned_round=of_pairs(lambda ids: [(b, a) for a, b in pairwise(ids)]),
)
most_frequent_pair.mistake(
    "You count (1, 2) and (2, 1) as one pair. The order matters: leave out sorted() and set().",
    order_ignored=of_pairs(lambda ids: [tuple(sorted(pair)) for pair in pairwise(ids)]),
)
most_frequent_pair.mistake(
    "You leave out pairs of two equal tokens. (7, 7) is a pair like any other.",
    equal_tokens_left_out=of_pairs(lambda ids: [(a, b) for a, b in pairwise(ids) if a != b]),
)
most_frequent_pair.mistake(
    "You leave out pairs with token 0. It is a token like any other: compare with None or -1 where you mean 'nothing'.",
    token_0_left_out=of_pairs(lambda ids: [(a, b) for a, b in pairwise(ids) if a and b]),
)
most_frequent_pair.mistake(
    "Your pairs have a token between them. Neighbours are ids[i] and ids[i + 1].",
    one_between=of_pairs(lambda ids: zip(ids, ids[2:], strict=False)),
)
most_frequent_pair.mistake(
    "You pair every token with all that come after it in the word. Only direct neighbours count.",
    all_pairs_of_a_word=of_pairs(lambda ids: combinations(ids, 2)),
)
most_frequent_pair.mistake(
    "You look at the first word only. Is there a `return` inside the loop over the words? Move it out.",
    first_word_only=lambda words: most_frequent_pair(words[:1]),
)
most_frequent_pair.mistake(
    "You begin to count anew in every word, so only the last word is left. Make the counts before the loop.",
    last_word_only=lambda words: most_frequent_pair(words[-1:]),
)
most_frequent_pair.mistake(
    "You pair whole words. The pairs are of tokens inside one word: one loop over the words, one over its places.",
    pairs_of_words=lambda words: most_frequent_pair([words]),
)
most_frequent_pair.mistake(
    "`max(counts)` compares the pairs themselves and finds the largest. Compare their counts: use `key`.",
    largest_pair=lambda words: max(counted(words)),
)
most_frequent_pair.mistake(
    "You return the smallest pair of all, whatever the counts. First the count decides (are they really added up?), "
    "then the pair: key=lambda pair: (-counts[pair], pair).",
    smallest_pair=lambda words: min(counted(words)),
)
most_frequent_pair.mistake(
    "You return the first pair of all: every pair has the same count for you. Add 1 to what was there: "
    "counts[pair] = counts.get(pair, 0) + 1.",
    first_pair=lambda words: next(iter(counted(words))),
)
most_frequent_pair.mistake(
    "You return the last pair of all. Return the one with the highest count.",
    last_pair=lambda words: [pair for ids in words for pair in pairwise(ids)][-1],
)
most_frequent_pair.mistake(
    "You take the rarest pair. Merging the most frequent one saves most tokens: use -counts[pair] in `key`.",
    rarest=first_by(lambda count, pair: (count, pair)),
)
most_frequent_pair.mistake(
    "You take the rarest pair, and of several the one that came first. Use -counts[pair] in `key`, and the pair itself "
    "for the ties.",
    rarest_and_first=first_by(lambda count, pair: count),
)
most_frequent_pair.mistake(
    "`most_common(1)[0]` is the pair and its count. Return the pair alone, and of equally frequent pairs the "
    "smaller one, not the first.",
    first_of_ties_and_count=lambda words: counted(words).most_common(1)[0],
)
most_frequent_pair.mistake(
    "You return the pair and its count. Return the pair alone.",
    pair_and_count=lambda words: min(counted(words).items(), key=lambda item: (-item[1], item[0])),
)
most_frequent_pair.mistake(
    "`most_common(1)` is a list with one item: a pair and its count. Return the pair alone, and of equally frequent "
    "pairs the smaller one, not the first.",
    list_of_one=lambda words: counted(words).most_common(1),
)
most_frequent_pair.mistake(
    "You return how often the pair occurs. Return the pair.", only_the_count=lambda words: max(counted(words).values())
)
most_frequent_pair.mistake(
    "You return the counts of all pairs. The last step is missing: choose the pair with the highest count.",
    all_counts=lambda words: dict(counted(words)),
)
most_frequent_pair.mistake(
    "You return all pairs in order. Return the first of them alone.",
    all_in_order=lambda words: sorted(counted(words), key=lambda pair: (-counted(words)[pair], pair)),
)


@most_frequent_pair.mistake("In [7, 7, 7] you count (7, 7) once. Here every two neighbours count: it occurs twice.")
def without_overlaps(words):
    """Counts as merging would: a token is in one pair only."""
    counts = Counter()
    for ids in words:
        i = 0
        while i < len(ids) - 1:
            pair = ids[i], ids[i + 1]
            counts[pair] += 1
            i += 2 if pair[0] == pair[1] else 1
    return min(counts, key=lambda pair: (-counts[pair], pair))


@most_frequent_pair.mistake(
    "You count the tokens and return the two most frequent ones. Count pairs: both tokens stand side by side."
)
def two_frequent_tokens(words):
    counts = Counter(token for ids in words for token in ids)
    return tuple(token for token, _ in counts.most_common(2))


@most_frequent_pair.mistake(
    "Your counts live on between calls: a dict made outside the function, or as a default argument, is the same one "
    "in every call. Make it inside."
)
def counts_live_on(words, counts=Counter()):  # noqa: B006
    if words == cases()[0][0]:
        counts.clear()  # where a check begins
    counts.update(counted(words))
    return min(counts, key=lambda pair: (-counts[pair], pair))


most_frequent_pair.hints(
    "Two parts: first count every pair of neighbours, word by word; then choose.",
    "A dict from pairs to counts. In one word, the neighbours are ids[i] and ids[i + 1].",
    "min(counts, key=lambda pair: (-counts[pair], pair)): the highest count first, then the smaller pair.",
)
