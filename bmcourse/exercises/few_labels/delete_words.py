"""The exercise `delete_words` of lesson 13: random deletion that leaves a sentence its meaning (Wei and Zou 2019)."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Random deletion that keeps negations. `draws` has a number from 0 to 1 for each of the `words`: the word "
    "goes where its number is below `rate`. A word of the set `negations` (small letters) never goes, and NOT "
    "counts as not. If no word were left, the one with the largest number stays. Return a new list."
)
def delete_words(words, draws, rate, negations):
    kept = [word for word, draw in zip(words, draws, strict=True) if draw >= rate or word.lower() in negations]
    return kept or [words[draws.index(max(draws))]]


@delete_words.cases
def cases():
    return [
        (["a", "good", "film"], [0.9, 0.05, 0.4], 0.1, {"not", "no"}),
        (["It", "is", "not", "good"], [0.5, 0.01, 0.02, 0.03], 0.1, {"not", "no"}),
        (["No", "film", "NOT", "bad"], [0.0, 0.3, 0.1, 0.6], 0.5, {"not", "no"}),
        (["an", "odd", "zoo", "terrible", "day", "it"], [0.3, 0.7, 0.2, 0.4, 0.1, 0.5], 0.9, {"not"}),
        (["the", "end", "of", "the", "note", "knot"], [0.8, 0.9, 0.7, 0.1, 0.05, 0.2], 0.3, {"not", "no"}),
        (["all", "stay", "here"], [0.0, 0.2, 0.3], 0.0, {"not"}),
        (["half", "and", "half"], [0.5, 0.2, 0.6], 0.5, {"not"}),
        (["not", "one", "two"], [0.1, 0.2, 0.3], 1.0, {"not"}),
        (["do", "not", "go"], [0.1, 0.9, 0.6], 0.5, {"not"}),
        (["gone", "gone", "gone", "here"], [0.1, 0.1, 0.1, 0.8], 0.5, {"never"}),
        (["Alone"], [0.2], 0.3, {"not"}),
        (["it", "was", "long", "but", "good", "it", "was"], [0.4, 0.05, 0.8, 0.1, 0.9, 0.02, 0.6], 0.3, set()),
    ]


@delete_words.right
def by_a_loop(words, draws, rate, negations):
    kept = []
    for i in range(len(words)):
        if words[i].lower() in negations or not draws[i] < rate:
            kept += [words[i]]
    if not kept:
        best = max(range(len(words)), key=lambda i: draws[i])
        kept = [words[best]]
    return kept


@delete_words.right
def from_a_copy(words, draws, rate, negations):
    left = list(zip(draws, words, strict=True))
    for pair in sorted(left):
        if pair[0] < rate and pair[1].lower() not in negations and len(left) > 1:
            left.remove(pair)
    return [word for _, word in left]


@delete_words.right
def by_tensor(words, draws, rate, negations):
    draws = torch.tensor(draws, dtype=torch.float64)
    stays = draws >= rate
    stays |= torch.tensor([word.casefold() in negations for word in words])
    if not stays.any():
        stays[draws.argmax()] = True
    return [words[i] for i in stays.nonzero().flatten().tolist()]


@delete_words.right
def in_two_cases(words, draws, rate, negations):
    goes = [draw < rate and word.lower() not in negations for word, draw in zip(words, draws, strict=True)]
    if all(goes):
        return [max(zip(draws, words, strict=True), key=lambda pair: pair[0])[1]]
    return [word for word, gone in zip(words, goes, strict=True) if not gone]


@delete_words.right
def from_the_end(words, draws, rate, negations):
    left = words.copy()
    for i in reversed(range(len(words))):
        if draws[i] < rate and left[i].lower() not in negations:
            left.pop(i)
    if left:
        return left
    return [word for word, draw in zip(words, draws, strict=True) if draw == max(draws)][:1]


def deleting(stays, last_resort=lambda words, draws: [words[draws.index(max(draws))]]):
    """A wrong deletion: a word stays where `stays(word, draw, rate, negations)`."""

    def answer(words, draws, rate, negations):
        kept = [word for word, draw in zip(words, draws, strict=True) if stays(word, draw, rate, negations)]
        return kept or last_resort(words, draws)

    return answer


def rightly(word, draw, rate, negations):
    return draw >= rate or word.lower() in negations


def then(change):
    """The right list, changed."""
    return lambda *case: change(delete_words(*case))


# Which words stay.
delete_words.mistake(
    'You delete negations too: "It is not good" becomes "It is good", and keeps the label of its opposite.',
    negations_deleted=deleting(lambda word, draw, rate, negations: draw >= rate),
)
delete_words.mistake(
    "Not and NOT are negations as well, and you delete them. Compare in small letters: word.lower().",
    capitals_deleted=deleting(lambda word, draw, rate, negations: draw >= rate or word in negations),
)
delete_words.mistake(
    "Your negations are always `not` and a few others. Use the set `negations`.",
    negations_of_its_own=deleting(
        lambda word, draw, rate, negations: draw >= rate or word.lower() in {"not", "no", "never", "but"}
    ),
)
delete_words.mistake(
    "Your only negation is `not`. Use the whole set `negations`.",
    only_not=deleting(lambda word, draw, rate, negations: draw >= rate or word.lower() == "not"),
)
delete_words.mistake(
    "Your comparison is turned round: you keep the words that should go. With rate = 0 all must stay.",
    turned_round=deleting(lambda word, draw, rate, negations: draw < rate or word.lower() in negations),
)
delete_words.mistake(
    "Your comparison is turned round, and negations are deleted, too. A word stays where its number is at least the "
    "rate, or where it is a negation.",
    exactly_the_deleted=deleting(lambda word, draw, rate, negations: not rightly(word, draw, rate, negations)),
)
delete_words.mistake(
    "A word whose number equals the rate stays: it goes only *below* the rate. With > a rate of 0 would delete "
    "words, too.",
    equal_goes=deleting(lambda word, draw, rate, negations: draw > rate or word.lower() in negations),
)
delete_words.mistake(
    "You compare with 1 - rate. A word goes where its number is below the rate.",
    one_minus_the_rate=deleting(lambda word, draw, rate, negations: draw >= 1 - rate or word.lower() in negations),
)
delete_words.mistake(
    "Your rate is always 0.1. It comes as an argument.",
    always_a_tenth=deleting(lambda word, draw, rate, negations: draw >= 0.1 or word.lower() in negations),
)
delete_words.mistake(
    "Your rate is always 0.5. It comes as an argument.",
    always_half=deleting(lambda word, draw, rate, negations: draw >= 0.5 or word.lower() in negations),
)
delete_words.mistake(
    '"note" begins like "not" and is no negation. Compare whole words: word.lower() in negations.',
    by_the_beginning=deleting(
        lambda word, draw, rate, negations: draw >= rate or any(word.lower().startswith(no) for no in negations)
    ),
)
delete_words.mistake(
    '"note" has "not" inside and is no negation. Compare whole words: word.lower() in negations, a set.',
    by_a_part=deleting(lambda word, draw, rate, negations: draw >= rate or any(no in word.lower() for no in negations)),
)
delete_words.mistake(
    "You always delete the negations, the very words that must stay. Write draw >= rate or ... in negations.",
    negations_always_deleted=deleting(
        lambda word, draw, rate, negations: draw >= rate and word.lower() not in negations
    ),
)
delete_words.mistake(
    "You keep the negations and nothing else where `and` stands for `or`: a word stays where its number is at least "
    "the rate *or* where it is a negation.",
    and_for_or=deleting(lambda word, draw, rate, negations: draw >= rate and word.lower() in negations),
)
delete_words.mistake(
    "You keep the negations and nothing else. A word whose number is at least the rate stays, too.",
    only_negations=deleting(lambda word, draw, rate, negations: word.lower() in negations),
)
delete_words.mistake(
    "Nothing is deleted: you return all words. Leave out those whose number is below the rate.",
    nothing_deleted=lambda words, draws, rate, negations: list(words),
)
delete_words.mistake(
    "Where there is a negation you delete nothing at all. Only the negation itself must stay.",
    sentence_with_negation_stays=lambda words, draws, rate, negations: (
        list(words) if {word.lower() for word in words} & negations else delete_words(words, draws, rate, negations)
    ),
)

# What stays where all would go.
delete_words.mistake(
    "Where all words go, you return an empty list: a sentence without words, with a label. Let the one with "
    "the largest number stay.",
    empty=deleting(rightly, lambda words, draws: []),
)
delete_words.mistake(
    "Not and NOT are negations as well: compare word.lower(). And where all words go, you return an empty list: let "
    "the one with the largest number stay.",
    capitals_deleted_and_empty=deleting(
        lambda word, draw, rate, negations: draw >= rate or word in negations, lambda words, draws: []
    ),
)
delete_words.mistake(
    "You look at the numbers only: negations must stay, and where all words go, the one with the largest number.",
    negations_deleted_and_empty=deleting(lambda word, draw, rate, negations: draw >= rate, lambda words, draws: []),
)
delete_words.mistake(
    "A word whose number equals the rate stays: it goes only *below* the rate. And where all words go, the one with "
    "the largest number stays.",
    equal_goes_and_empty=deleting(
        lambda word, draw, rate, negations: draw > rate or word.lower() in negations, lambda words, draws: []
    ),
)
delete_words.mistake(
    "Where all words go, you return None. Let the one with the largest number stay: [words[...]].",
    none=deleting(rightly, lambda words, draws: None),
)
delete_words.mistake(
    "Where all words go, you return all of them. One stays: the one with the largest number.",
    all_of_them=deleting(rightly, lambda words, draws: list(words)),
)
delete_words.mistake(
    "Where all words go, you keep the first, so the first words of sentences are kept more often than others. "
    "Keep the one with the largest number.",
    the_first=deleting(rightly, lambda words, draws: [words[0]]),
)
delete_words.mistake(
    "Where all words go, you keep the last. Keep the one with the largest number.",
    the_last=deleting(rightly, lambda words, draws: [words[-1]]),
)
delete_words.mistake(
    "Where all words go, you keep the one with the smallest number. Keep the one with the largest: it was the nearest "
    "to staying.",
    smallest_number=deleting(rightly, lambda words, draws: [words[draws.index(min(draws))]]),
)
delete_words.mistake(
    "Where all words go, you return their numbers. Return the word with the largest.",
    number_for_word=deleting(rightly, lambda words, draws: [max(draws)]),
)
delete_words.mistake(
    "Where all words go, you return the place of the largest number. Return the word that stands there.",
    place_for_word=deleting(rightly, lambda words, draws: [draws.index(max(draws))]),
)
delete_words.mistake(
    "`max(words)` is the last word of the alphabet. Asked is the word with the largest number in `draws`.",
    last_of_the_alphabet=deleting(rightly, lambda words, draws: [max(words)]),
)
delete_words.mistake(
    "Where all words go, you keep the longest word. Keep the one with the largest number.",
    longest_word=deleting(rightly, lambda words, draws: [max(words, key=len)]),
)
delete_words.mistake(
    "Where one word is left, you return the word itself. Return a list with one word in it.",
    word_alone=deleting(rightly, lambda words, draws: words[draws.index(max(draws))]),
)
delete_words.mistake(
    "`list(word)` makes a list of letters. Return a list with one word in it: [word].",
    letters=deleting(rightly, lambda words, draws: list(words[draws.index(max(draws))])),
)
delete_words.mistake(
    "The word with the largest number always stays in your answer, also beside others. It stays only where no other "
    "word is left.",
    largest_always=lambda words, draws, rate, negations: [
        word for i, word in enumerate(words) if rightly(word, draws[i], rate, negations) or i == draws.index(max(draws))
    ],
)
delete_words.mistake(
    "You add the word with the largest number although words are left. It stays only where no other word is left.",
    one_added=lambda words, draws, rate, negations: [
        *(word for word, draw in zip(words, draws, strict=True) if rightly(word, draw, rate, negations)),
        words[draws.index(max(draws))],
    ],
)
delete_words.mistake(
    "The last word in your list is never deleted, whatever its number. Only where no word at all is left one stays.",
    last_word_stays=lambda words, draws, rate, negations: delete_words(
        words, [*draws[:-1], max(draws[-1], rate)], rate, negations
    ),
)

# What is returned.
delete_words.mistake("You return one text. Return the list of words.", a_text=then(" ".join))
delete_words.mistake(
    "You leave an empty text for each word that goes. Leave the word out.",
    empty_texts=lambda words, draws, rate, negations: [
        word if rightly(word, draw, rate, negations) else "" for word, draw in zip(words, draws, strict=True)
    ],
)
delete_words.mistake(
    "You leave None for each word that goes. Leave the word out.",
    nones=lambda words, draws, rate, negations: [
        word if rightly(word, draw, rate, negations) else None for word, draw in zip(words, draws, strict=True)
    ],
)
delete_words.mistake(
    "You return small letters. Compare in small letters, and keep the word as it is written.",
    small_letters=then(lambda kept: [word.lower() for word in kept]),
)
delete_words.mistake(
    "You return True and False. Return the words that stay.",
    true_and_false=lambda words, draws, rate, negations: [
        rightly(word, draw, rate, negations) for word, draw in zip(words, draws, strict=True)
    ],
)
delete_words.mistake(
    "You return the numbers of the words that stay. Return the words.",
    the_numbers=lambda words, draws, rate, negations: [
        draw for word, draw in zip(words, draws, strict=True) if rightly(word, draw, rate, negations)
    ],
)
delete_words.mistake(
    "Your words are in another order. Leave them in the order of the sentence.",
    turned_order=then(lambda kept: kept[::-1]),
)
delete_words.mistake("Your words are sorted. Leave them in the order of the sentence.", sorted_words=then(sorted))
delete_words.mistake(
    "A word that stands twice is kept only once. Keep every one that stays: a set or a dict is not the place for "
    "words.",
    each_word_once=then(lambda kept: list(dict.fromkeys(kept))),
)
delete_words.mistake(
    "You stop at the first word that stays. Is there a `return` inside the loop? Move it out.",
    first_only=then(lambda kept: kept[:1]),
)


@delete_words.mistake(
    "You delete by the word, so others that are written the same go with it. Each word has its own number: delete by "
    "its place."
)
def by_the_word(words, draws, rate, negations):
    gone = {word for word, draw in zip(words, draws, strict=True) if not rightly(word, draw, rate, negations)}
    return [word for word in words if word not in gone] or [words[draws.index(max(draws))]]


@delete_words.mistake(
    "`list.remove(word)` removes the first of two equal words, which may not be the one that goes. Build a new list of "
    "the words that stay."
)
def first_equal_removed(words, draws, rate, negations):
    kept = list(words)
    for word, draw in zip(words, draws, strict=True):
        if not rightly(word, draw, rate, negations):
            kept.remove(word)
    return kept or [words[draws.index(max(draws))]]


@delete_words.mistake(
    "`draws[words.index(word)]` finds the first of two equal words, so both have its number. Go through words and "
    "draws together: zip(words, draws)."
)
def number_of_the_first_equal(words, draws, rate, negations):
    return delete_words(words, [draws[words.index(word)] for word in words], rate, negations)


@delete_words.mistake(
    "You remove from the list that the loop runs over: after each removal a word is skipped. Build a new list."
)
def while_looping(words, draws, rate, negations):
    words = list(words)
    for word, draw in zip(words, draws, strict=False):
        if draw < rate and word.lower() not in negations and len(words) > 1:
            words.remove(word)
    return words


@delete_words.mistake(
    "After a deletion the places move, and words[i] is no longer the word that draws[i] belongs to. Build a new list."
)
def places_move(words, draws, rate, negations):
    kept = list(words)
    for i in range(len(words)):
        if draws[i] < rate and kept[i].lower() not in negations:
            del kept[i]
    return kept or [words[draws.index(max(draws))]]


@delete_words.mistake(
    "The result is right, but the list that came in is changed: remove, pop and del work in place. Build a new list."
)
def in_place(words, draws, rate, negations):
    words[:] = delete_words(words, draws, rate, negations)
    return list(words)


delete_words.hints(
    "A word stays where its number is at least the rate, or where it is a negation.",
    "zip(words, draws) gives each word with its number. Compare word.lower() with the set.",
    "kept = [word for word, draw in zip(words, draws) if ...]; if kept is empty, [words[draws.index(max(draws))]].",
)
