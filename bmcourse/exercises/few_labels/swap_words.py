"""The exercise `swap_words` of lesson 13: one way to change a sentence and keep its label (Wei and Zou 2019)."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Random swap, with given places. `words` is a list; `swaps` is a list of pairs of places (i, j). Do "
    "the swaps one after the other: the words at the places i and j, as they are then, change places. Return a new "
    "list; `words` stays as it was. Wei and Zou 2019."
)
def swap_words(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i], swapped[j] = swapped[j], swapped[i]
    return swapped


@swap_words.cases
def cases():
    return [
        (["good", "old", "film"], [(0, 2)]),
        (["a", "b", "c", "d"], [(0, 1), (1, 2), (3, 0)]),
        (["one", "two", "three"], []),
        (["a", "b", "c"], [(1, 1), (2, 0), (0, 2)]),
        (["the", "cat", "and", "the", "dog"], [(1, 4), (4, 2), (0, 3)]),
        (["so", "bad", "so", "very", "bad"], [(2, 3), (4, 0), (2, 1)]),
        (["a", "b", "c", "d"], [(0, 1), (2, 0), (0, 1), (1, 0)]),
        (["alone"], [(0, 0)]),
    ]


@swap_words.run
def a_list_of_its_own(answer, words, swaps):
    before = list(words)
    swapped = answer(words, swaps)
    if swapped is words and words == before and not swaps:
        raise Mistake(
            "Where there is nothing to swap you return `words` itself, and who changes one then changes the other. "
            "Begin with a copy, list(words)."
        )
    return swapped


@swap_words.right
def by_new_lists(words, swaps):
    for i, j in swaps:
        words = [words[j] if k == i else words[i] if k == j else word for k, word in enumerate(words)]
    return list(words)


@swap_words.right
def by_the_places(words, swaps):
    places = torch.arange(len(words))
    for i, j in swaps:
        places[[i, j]] = places[[j, i]]
    return [words[place] for place in places]


@swap_words.right
def with_a_third(words, swaps):
    words = words[:]
    for pair in swaps:
        aside = words[pair[0]]
        words[pair[0]] = words[pair[1]]
        words[pair[1]] = aside
    return words


@swap_words.right
def by_recursion(words, swaps):
    if not swaps:
        return words.copy()
    *earlier, (i, j) = swaps
    words = by_recursion(words, earlier)
    words[i], words[j] = words[j], words[i]
    return words


@swap_words.right
def with_a_dict(words, swaps):
    stands = dict(enumerate(words))
    for i, j in swaps:
        stands.update({i: stands[j], j: stands[i]})
    return [stands[k] for k in range(len(words))]


def each(step):
    """The answer that does `step(swapped, i, j)` for each pair, in a copy."""

    def answer(words, swaps):
        swapped = list(words)
        for i, j in swaps:
            step(swapped, i, j)
        return swapped

    return answer


def swap(swapped, i, j):
    swapped[i], swapped[j] = swapped[j], swapped[i]


def stretch_turned(swapped, i, j):
    i, j = min(i, j), max(i, j)
    swapped[i : j + 1] = swapped[i : j + 1][::-1]


def found_by_word(swapped, i, j):
    swap(swapped, swapped.index(swapped[i]), swapped.index(swapped[j]))


def second_from_the_first(swapped, i, j):
    swapped[i] = swapped[j]
    swapped[j] = swapped[i]


def first_from_the_second(swapped, i, j):
    swapped[j] = swapped[i]
    swapped[i] = swapped[j]


swap_words.mistake(
    "After words[i] = words[j] the old words[i] is lost, so one word stands there twice. Write it in one line: "
    "words[i], words[j] = words[j], words[i].",
    in_two_lines=each(second_from_the_first),
)
swap_words.mistake(
    "After words[j] = words[i] the old words[j] is lost, so one word stands there twice. Write it in one line: "
    "words[i], words[j] = words[j], words[i].",
    in_two_lines_from_j=each(first_from_the_second),
)
swap_words.mistake(
    "You look for the places by the words, and `index` finds the first of two equal words. The places are given: use "
    "i and j.",
    by_the_word=each(found_by_word),
)
swap_words.mistake(
    "You turn the whole stretch from i to j around. Only the words at i and j change places.",
    stretch=each(stretch_turned),
)
swap_words.mistake(
    "`pop` and `insert` move one word and shift all those between. A swap leaves the others where they are.",
    moved=each(lambda swapped, i, j: swapped.insert(j, swapped.pop(i))),
)
swap_words.mistake(
    "You move the word at j to i, and all between shift. A swap leaves the others where they are.",
    moved_to_i=each(lambda swapped, i, j: swapped.insert(i, swapped.pop(j))),
)
swap_words.mistake(
    "You skip the pairs with i above j. Every pair is to be swapped, whichever place comes first.",
    upwards_only=each(lambda swapped, i, j: swap(swapped, i, j) if i < j else None),
)
swap_words.mistake(
    "You skip the pairs with i below j. Every pair is to be swapped, whichever place comes first.",
    downwards_only=each(lambda swapped, i, j: swap(swapped, i, j) if i > j else None),
)
swap_words.mistake(
    "You leave out pairs with place 0. It is a place like any other.",
    place_0_left_out=each(lambda swapped, i, j: swap(swapped, i, j) if i and j else None),
)
swap_words.mistake(
    "You swap i with its neighbour, whatever j is. Swap the words at i and j.",
    with_the_next=each(lambda swapped, i, j: swap(swapped, i, min(i + 1, len(swapped) - 1))),
)
swap_words.mistake(
    "You count places from 1. Python counts from 0.",
    counted_from_1=each(lambda swapped, i, j: swap(swapped, i - 1, j - 1)),
)
swap_words.mistake(
    "You count places from the end.", counted_from_the_end=each(lambda swapped, i, j: swap(swapped, -i - 1, -j - 1))
)
swap_words.mistake(
    "Nothing is swapped: you return a copy of the words as they came. Is the swap made in another list, or done twice?",
    nothing=lambda words, swaps: list(words),
)
swap_words.mistake(
    "You do the swaps from last to first, or you follow the words: after a swap, i and j are the places as they are "
    "then, whatever stands there. Begin with the first pair.",
    from_the_last=lambda words, swaps: swap_words(words, swaps[::-1]),
)
swap_words.mistake(
    "You do the swaps in another order: sorted. Their order matters when they share a place.",
    sorted_swaps=lambda words, swaps: swap_words(words, sorted(swaps)),
)
swap_words.mistake(
    "You do a pair that comes twice only once. Do every swap: twice the same one brings the words back.",
    each_pair_once=lambda words, swaps: swap_words(words, list(dict.fromkeys(swaps))),
)
swap_words.mistake(
    "You take (0, 1) and (1, 0) for the same swap and do it only once. Do every swap, also where it undoes another.",
    each_pair_once_either_way=lambda words, swaps: swap_words(
        words, list({frozenset(pair): pair for pair in reversed(swaps)}.values())[::-1]
    ),
)
swap_words.mistake(
    "You do only the last swap: you begin with the old words again each time. Make the copy before the loop.",
    last_only=lambda words, swaps: swap_words(words, swaps[-1:]),
)
swap_words.mistake("You leave the first swap out.", first_left_out=lambda words, swaps: swap_words(words, swaps[1:]))
swap_words.mistake("You leave the last swap out.", last_left_out=lambda words, swaps: swap_words(words, swaps[:-1]))
swap_words.mistake(
    "You stop after the first pair, and where there are no pairs you return None. The `return` stands inside the loop: "
    "move it out.",
    first_or_none=lambda words, swaps: swap_words(words, swaps[:1]) if swaps else None,
)
swap_words.mistake(
    "You return one text. Return the list of words; joining them comes later.",
    a_text=lambda words, swaps: " ".join(swap_words(words, swaps)),
)
swap_words.mistake(
    "You return one text without spaces. Return the list of words.",
    a_text_without_spaces=lambda words, swaps: "".join(swap_words(words, swaps)),
)
swap_words.mistake(
    "You return a list for each swap. Return one list: the words after all of them.",
    list_of_lists=lambda words, swaps: [swap_words(words, swaps[: n + 1]) for n in range(len(swaps))],
)
swap_words.mistake(
    "You return the places. Return the words that stand there.",
    places=lambda words, swaps: swap_words(range(len(words)), swaps),
)
swap_words.mistake(
    "You return the words in another order altogether, turned round. Swap only the words at i and j.",
    turned_round=lambda words, swaps: words[::-1],
)
swap_words.mistake(
    "Equal words are lost: a set or a dict has each only once. Work with a list of all words.",
    equal_words_lost=lambda words, swaps: list(dict.fromkeys(swap_words(words, swaps))),
)


@swap_words.mistake(
    "The words are right, but you changed the list that came in: the sentence you wanted to keep is gone. "
    "Begin with a copy, list(words)."
)
def the_same_list(words, swaps):
    for i, j in swaps:
        words[i], words[j] = words[j], words[i]
    return words


@swap_words.mistake(
    "`swapped = words` is a second name for the same list, not a copy, and you return a text. Begin with "
    "list(words) and return a list."
)
def under_another_name(words, swaps):
    swapped = words
    for i, j in swaps:
        swapped[i], swapped[j] = swapped[j], swapped[i]
    return " ".join(swapped)


@swap_words.mistake(
    "You swap in the list that came in, and return a copy of it. First copy, then swap in the copy: swapped = "
    "list(words)."
)
def copied_too_late(words, swaps):
    for i, j in swaps:
        words[i], words[j] = words[j], words[i]
    return list(words)


@swap_words.mistake(
    "You swap in the list that came in, and return nothing. Begin with a copy, list(words), and return it."
)
def in_place_without_return(words, swaps):
    for i, j in swaps:
        words[i], words[j] = words[j], words[i]


@swap_words.mistake(
    "Where there is nothing to swap you return `words` itself, and who changes one then changes the other. "
    "Begin with a copy, list(words)."
)
def itself_without_swaps(words, swaps):
    return swap_words(words, swaps) if swaps else words


@swap_words.mistake(
    "You take every word from its old place. After the first swap another word may stand there: take both from "
    "the new list."
)
def from_the_original(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i], swapped[j] = words[j], words[i]
    return swapped


@swap_words.mistake("You stop after the first pair. The `return` stands inside the loop: move it out.")
def first_only(words, swaps):
    return swap_words(words, swaps[:1])


@swap_words.mistake("You copy the old word at j to i, and nothing to j: a word is lost. A swap writes both places.")
def one_way(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i] = words[j]
    return swapped


@swap_words.mistake(
    "Every place moves only once in your answer. A place may come in several swaps: do them all, one after the other."
)
def each_place_once(words, swaps):
    swapped, used = list(words), set()
    for i, j in swaps:
        if used.isdisjoint((i, j)):
            swap(swapped, i, j)
        used |= {i, j}
    return swapped


@swap_words.mistake(
    "You collect the words of the swaps and nothing else. Begin with a copy of all words: swapped = list(words)."
)
def only_the_swapped(words, swaps):
    return [words[place] for i, j in swaps for place in (j, i)]


swap_words.hints(
    "Begin with a copy: swapped = list(words).",
    "Python swaps in one line: swapped[i], swapped[j] = swapped[j], swapped[i].",
    "for i, j in swaps: ... and `return swapped` after the loop.",
)
