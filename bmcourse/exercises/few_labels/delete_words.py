"""The exercise `delete_words` of lesson 10."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Random deletion that keeps the meaning. `draws` has a number from 0 to 1 for each of the `words`: the word "
    "goes where its number is below `rate`. A word of the set `negations` (small letters) never goes, and NOT "
    "counts as not. If no word were left, the one with the largest number stays. Return a new list."
)
def delete_words(words, draws, rate, negations):
    kept = [word for word, draw in zip(words, draws, strict=True) if draw >= rate or word.lower() in negations]
    return kept or [words[draws.index(max(draws))]]


@delete_words.right
def delete_by_a_loop(words, draws, rate, negations):
    kept = []
    for i in range(len(words)):
        if words[i].lower() in negations or not draws[i] < rate:
            kept += [words[i]]
    if not kept:
        best = max(range(len(words)), key=lambda i: draws[i])
        kept = [words[best]]
    return kept


@delete_words.right
def delete_from_a_copy(words, draws, rate, negations):
    left = list(zip(draws, words, strict=True))
    for pair in sorted(left):
        if pair[0] < rate and pair[1].lower() not in negations and len(left) > 1:
            left.remove(pair)
    return [word for _, word in left]


@delete_words.right
def delete_by_tensor(words, draws, rate, negations):
    draws = torch.tensor(draws, dtype=torch.float64)
    stays = draws >= rate
    stays |= torch.tensor([word.casefold() in negations for word in words])
    if not stays.any():
        stays[draws.argmax()] = True
    return [words[i] for i in stays.nonzero().flatten().tolist()]


@delete_words.mistake(
    "You remove from the list that the loop runs over: after each removal a word is skipped. Build a new list."
)
def delete_while_looping(words, draws, rate, negations):
    words = list(words)
    for word, draw in zip(words, draws, strict=False):
        if draw < rate and word.lower() not in negations and len(words) > 1:
            words.remove(word)
    return words


def deleting(stays, last_resort=lambda words, draws: [words[draws.index(max(draws))]]):
    """A wrong deletion: a word stays where `stays(word, draw, rate, negations)`."""

    def answer(words, draws, rate, negations):
        kept = [word for word, draw in zip(words, draws, strict=True) if stays(word, draw, rate, negations)]
        return kept or last_resort(words, draws)

    return answer


def _stays(word, draw, rate, negations):
    return draw >= rate or word.lower() in negations


@delete_words.cases
def cases():
    return [
        (["a", "good", "film"], [0.9, 0.05, 0.4], 0.1, {"not", "no"}),
        (["It", "is", "not", "good"], [0.5, 0.01, 0.02, 0.03], 0.1, {"not", "no"}),
        (["No", "film", "NOT", "bad"], [0.0, 0.3, 0.1, 0.6], 0.5, {"not", "no"}),
        (["one", "two", "three"], [0.2, 0.1, 0.7], 0.9, {"not"}),
        (["the", "end", "of", "the", "note"], [0.8, 0.9, 0.7, 0.1, 0.05], 0.3, {"not", "no"}),
        (["all", "stay", "here"], [0.0, 0.2, 0.3], 0.0, {"not"}),
        (["half", "and", "half"], [0.5, 0.2, 0.6], 0.5, {"not"}),
        (["not", "one", "two"], [0.1, 0.2, 0.3], 1.0, {"not"}),
        (["do", "not", "go"], [0.1, 0.9, 0.6], 0.5, {"not"}),
        (["gone", "gone", "gone", "here"], [0.1, 0.1, 0.1, 0.8], 0.5, {"never"}),
    ]


delete_words.mistake(
    'You delete negations too: "It is not good" becomes "It is good", and keeps the label of its opposite.',
    TODO_5=deleting(lambda word, draw, rate, negations: draw >= rate),
)


delete_words.mistake(
    "Not and NOT are negations as well, and you delete them. Compare in small letters: word.lower().",
    TODO_6=deleting(lambda word, draw, rate, negations: draw >= rate or word in negations),
)


delete_words.mistake(
    "Where all words go, you return an empty list: a sentence without words, with a label. Let the one with "
    "the largest number stay.",
    TODO_7=deleting(_stays, lambda words, draws: []),
)


delete_words.mistake(
    "Where all words go, you return all of them. One stays: the one with the largest number.",
    TODO_8=deleting(_stays, lambda words, draws: list(words)),
)


delete_words.mistake(
    "Where all words go, you keep the first, so the first words of sentences are kept more often than others. "
    "Keep the one with the largest number.",
    TODO_9=deleting(_stays, lambda words, draws: [words[0]]),
)


delete_words.mistake(
    "max(words) is the last word of the alphabet. Asked is the word with the largest number in `draws`.",
    TODO_10=deleting(_stays, lambda words, draws: [max(words)]),
)


delete_words.mistake(
    "Where one word is left, you return the word itself. Return a list with one word in it.",
    TODO_11=deleting(_stays, lambda words, draws: words[draws.index(max(draws))]),
)


delete_words.mistake(
    "Your comparison is turned round: you keep the words that should go. With rate = 0 all must stay.",
    TODO_12=deleting(lambda word, draw, rate, negations: draw < rate or word.lower() in negations),
)


delete_words.mistake(
    "A word whose number equals the rate stays: it goes only *below* the rate. With > a rate of 0 would delete "
    "words, too.",
    TODO_13=deleting(lambda word, draw, rate, negations: draw > rate or word.lower() in negations),
)


delete_words.mistake(
    '"note" begins like "not" and is no negation. Compare whole words: word.lower() in negations.',
    TODO_14=deleting(lambda word, draw, rate, negations: _stays(word, draw, rate, ()) or word.lower()[:3] in negations),
)


delete_words.mistake(
    "You always delete the negations, the very words that must stay. Write draw >= rate or ... in negations.",
    TODO_15=deleting(lambda word, draw, rate, negations: draw >= rate and word.lower() not in negations),
)


delete_words.mistake(
    "You return one text. Return the list of words.",
    TODO_16=lambda words, draws, rate, negations: " ".join(delete_words(words, draws, rate, negations)),
)


delete_words.mistake(
    "You leave an empty text for each word that goes. Leave the word out.",
    TODO_17=lambda words, draws, rate, negations: [
        word if _stays(word, draw, rate, negations) else "" for word, draw in zip(words, draws, strict=True)
    ],
)


delete_words.mistake(
    "You return small letters. Compare in small letters, and keep the word as it is written.",
    TODO_18=lambda words, draws, rate, negations: [w.lower() for w in delete_words(words, draws, rate, negations)],
)


delete_words.hints(
    "A word stays where its number is at least the rate, or where it is a negation.",
    "zip(words, draws) gives each word with its number. Compare word.lower() with the set.",
    "kept = [word for word, draw in zip(words, draws) if ...]; if kept is empty, [words[draws.index(max(draws))]].",
)
