"""The exercise `swap_words` of lesson 10."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Random swap, with the chance taken out. `words` is a list; `swaps` is a list of pairs of places (i, j). Do "
    "the swaps one after the other: the words at the places i and j, as they are then, change places. Return a new "
    "list; `words` stays as it was. Wei and Zou 2019."
)
def swap_words(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i], swapped[j] = swapped[j], swapped[i]
    return swapped


@swap_words.right
def swap_by_new_lists(words, swaps):
    for i, j in swaps:
        words = [words[j] if k == i else words[i] if k == j else word for k, word in enumerate(words)]
    return list(words)


@swap_words.right
def swap_the_places(words, swaps):
    places = torch.arange(len(words))
    for i, j in swaps:
        places[[i, j]] = places[[j, i]]
    return [words[place] for place in places]


@swap_words.right
def swap_with_a_third(words, swaps):
    words = words[:]
    for pair in swaps:
        aside = words[pair[0]]
        words[pair[0]] = words[pair[1]]
        words[pair[1]] = aside
    return words


@swap_words.mistake(
    "The words are right, but you changed the list that came in: the sentence you wanted to keep is gone. "
    "Begin with a copy, list(words)."
)
def swap_the_same_list(words, swaps):
    for i, j in swaps:
        words[i], words[j] = words[j], words[i]
    return words


@swap_words.mistake(
    "`swapped = words` is a second name for the same list, not a copy, and you return a text. Begin with "
    "list(words) and return a list."
)
def swap_under_another_name(words, swaps):
    swapped = words
    for i, j in swaps:
        swapped[i], swapped[j] = swapped[j], swapped[i]
    return " ".join(swapped)


@swap_words.mistake(
    "After words[i] = words[j] the old words[i] is lost, so one word stands there twice. Write it in one line: "
    "words[i], words[j] = words[j], words[i]."
)
def swap_in_two_lines(words, swaps):
    words = list(words)
    for i, j in swaps:
        words[i] = words[j]
        words[j] = words[i]
    return words


@swap_words.mistake(
    "You take every word from its old place. After the first swap another word may stand there: take both from "
    "the new list."
)
def swap_from_the_original(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i], swapped[j] = words[j], words[i]
    return swapped


@swap_words.mistake("You stop after the first pair. The `return` stands inside the loop: move it out.")
def swap_first_only(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i], swapped[j] = swapped[j], swapped[i]
        return swapped
    return swapped


@swap_words.mistake("You copy the word at j to i, and nothing to j: a word is lost. A swap writes both places.")
def swap_one_way(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i] = words[j]
    return swapped


@swap_words.mistake(
    "pop and insert move one word and shift all those between. A swap leaves the others where they are."
)
def move_the_word(words, swaps):
    moved = list(words)
    for i, j in swaps:
        moved.insert(j, moved.pop(i))
    return moved


@swap_words.cases
def cases():
    return [
        (["good", "old", "film"], [(0, 2)]),
        (["a", "b", "c", "d"], [(0, 1), (1, 2), (3, 0)]),
        (["one", "two", "three"], []),
        (["a", "b", "c"], [(1, 1), (2, 0), (0, 2)]),
        (["the", "cat", "and", "the", "dog"], [(1, 4), (4, 2), (0, 3)]),
    ]


swap_words.mistake(
    "You return one text. Return the list of words; joining them comes later.",
    TODO_1=lambda words, swaps: " ".join(swap_words(words, swaps)),
)


swap_words.mistake(
    "You do the swaps from last to first. Their order matters when they share a place.",
    TODO_2=lambda words, swaps: swap_words(words, swaps[::-1]),
)


swap_words.mistake(
    "You count places from 1. Python counts from 0.",
    TODO_3=lambda words, swaps: swap_words(words, [(i - 1, j - 1) for i, j in swaps]),
)


swap_words.mistake(
    "Nothing is swapped: you return a copy of the words as they came.", TODO_4=lambda words, swaps: list(words)
)


swap_words.hints(
    "Begin with a copy: swapped = list(words).",
    "Python swaps in one line: swapped[i], swapped[j] = swapped[j], swapped[i].",
    "for i, j in swaps: ... and `return swapped` behind the loop.",
)
