"""A text as switches, one for each word, so that every method that takes parts away works on texts too."""

import itertools

import torch


def word_places(text, words=str.split):
    """Where each word of the text begins and ends, a list of (begin, end). A repeated word has several places.

    `words` cuts a text into a list of words: for Chinese, where no space does it, pass a segmenter, or `list` for
    single characters. Raises ValueError for a text without words, and for words that are not in the text, in its order.

    >>> word_places("not bad")
    [(0, 3), (4, 7)]
    """
    places, end = [], 0
    for word in words(text):
        begin = text.find(word, end)
        if begin < 0 or not word:
            raise ValueError(
                f"The word {word!r} does not come in the text after its first {end} characters. `words` must give "
                f"pieces of the text as they stand there, in their order: without lower(), without stems."
            )
        end = begin + len(word)
        places.append((begin, end))
    if not places:
        raise ValueError(f"The text {text!r} has no words to explain. Pass a text with at least one.")
    return places


def text_model(model, text, places):
    """A model of switches (N, G), one for each place: it asks `model`, texts in and outputs (N, K) out, about the text
    without the words whose switch is 0.

    Explain it at `torch.ones(1, len(places))` with the baseline 0, in which no word is there.
    """
    cuts = list(itertools.pairwise([0, *itertools.chain(*places), len(text)]))
    gaps, words = [text[a:b] for a, b in cuts[::2]], [text[a:b] for a, b in cuts[1::2]]

    def without(switches):
        kept = (word if on else "" for word, on in zip(words, switches, strict=True))
        return "".join(itertools.chain(*zip(gaps, kept, strict=False), gaps[-1:]))

    return lambda switches: torch.as_tensor(model([without(row) for row in (switches > 0.5).tolist()]))
