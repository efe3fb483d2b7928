"""The exercise `most_frequent_pair` of lesson 02."""

from collections import Counter
from itertools import pairwise

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


def counted(words):
    return Counter(pair for ids in words for pair in pairwise(ids))


@most_frequent_pair.right
def pair_by_sorting(words):
    return sorted(counted(words).items(), key=lambda item: (-item[1], item[0]))[0][0]


@most_frequent_pair.right
def pair_by_two_steps(words):
    counts = counted(words)
    most = max(counts.values())
    return min(pair for pair, count in counts.items() if count == most)


@most_frequent_pair.right
def pair_in_sorted_order(words):
    pairs = [(ids[i], ids[i + 1]) for ids in words for i in range(len(ids) - 1)]
    return max(sorted(set(pairs)), key=pairs.count)


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
        (torch.randint(5, (8, 9)).tolist(),),
    ]


most_frequent_pair.mistake(
    "Of equally frequent pairs you take the larger one. Take the smaller, so that every computer learns the "
    "same merges: min(counts, key=lambda pair: (-counts[pair], pair)).",
    TODO_1=lambda words: max(counted(words).items(), key=lambda item: (item[1], item[0]))[0],
)


most_frequent_pair.mistake(
    "Of equally frequent pairs you take the one that came first (max and most_common do that). Take the "
    "smaller one: sort by (-count, pair).",
    TODO_2=lambda words: max(counted(words), key=counted(words).get),
)


most_frequent_pair.mistake(
    "You joined the words to one list, so the end of a word makes a pair with the start of the next. Count in "
    "each word by itself.",
    TODO_3=lambda words: most_frequent_pair([[token for ids in words for token in ids]]),
)


most_frequent_pair.mistake(
    "You count words that occur again only once. A frequent word must count as often as it occurs.",
    TODO_4=lambda words: most_frequent_pair(list(map(list, dict.fromkeys(map(tuple, words))))),
)


most_frequent_pair.mistake(
    "A pair that occurs three times in one word counts only once for you. Count every occurrence.",
    TODO_5=lambda words: most_frequent_pair([pair for ids in words for pair in set(pairwise(ids))]),
)


most_frequent_pair.mistake(
    "The last token of a word has no neighbour: ids[i + 1] does not exist there. Let i run over range(len(ids) - 1).",
    TODO_6=lambda words: [(ids[i], ids[i + 1]) for ids in words for i in range(len(ids))][0],
)


most_frequent_pair.mistake(
    "max(counts) compares the pairs themselves and finds the largest. Compare their counts: use `key`.",
    TODO_7=lambda words: max(counted(words)),
)


most_frequent_pair.mistake(
    "You take the rarest pair. Merging the most frequent one saves most tokens: use -counts[pair] in `key`.",
    TODO_8=lambda words: min(counted(words).items(), key=lambda item: item[::-1])[0],
)


most_frequent_pair.mistake(
    "most_common(1)[0] is the pair and its count. Return the pair alone, and of equally frequent pairs the "
    "smaller one, not the first.",
    TODO_9=lambda words: counted(words).most_common(1)[0],
)


most_frequent_pair.hints(
    "Two parts: first count every pair of neighbours, word by word; then choose.",
    "A dict from pairs to counts. In one word, the neighbours are ids[i] and ids[i + 1].",
    "min(counts, key=lambda pair: (-counts[pair], pair)): the highest count first, then the smaller pair.",
)
