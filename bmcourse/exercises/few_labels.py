"""Exercises of lesson 10: words changed and hidden, labels guessed, spread along neighbours, and held to themselves."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Mistake, Wrong


def _plain(value):
    """The value without a graph, so that answers with and without no_grad count as alike."""
    return value.detach().clone() if torch.is_tensor(value) else value


# ---------------------------------------------------------------- swap_words


def swap_words(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i], swapped[j] = swapped[j], swapped[i]
    return swapped


def _swap_by_new_lists(words, swaps):
    for i, j in swaps:
        words = [words[j] if k == i else words[i] if k == j else word for k, word in enumerate(words)]
    return list(words)


def _swap_the_places(words, swaps):
    places = torch.arange(len(words))
    for i, j in swaps:
        places[[i, j]] = places[[j, i]]
    return [words[place] for place in places]


def _swap_with_a_third(words, swaps):
    words = words[:]
    for pair in swaps:
        aside = words[pair[0]]
        words[pair[0]] = words[pair[1]]
        words[pair[1]] = aside
    return words


def _swap_the_same_list(words, swaps):
    for i, j in swaps:
        words[i], words[j] = words[j], words[i]
    return words


def _swap_under_another_name(words, swaps):
    swapped = words
    for i, j in swaps:
        swapped[i], swapped[j] = swapped[j], swapped[i]
    return " ".join(swapped)


def _swap_in_two_lines(words, swaps):
    words = list(words)
    for i, j in swaps:
        words[i] = words[j]
        words[j] = words[i]
    return words


def _swap_from_the_original(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i], swapped[j] = words[j], words[i]
    return swapped


def _swap_first_only(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i], swapped[j] = swapped[j], swapped[i]
        return swapped
    return swapped


def _swap_one_way(words, swaps):
    swapped = list(words)
    for i, j in swaps:
        swapped[i] = words[j]
    return swapped


def _move_the_word(words, swaps):
    moved = list(words)
    for i, j in swaps:
        moved.insert(j, moved.pop(i))
    return moved


SWAP_WORDS = Exercise(
    reference=swap_words,
    prompt="Random swap, with the chance taken out. `words` is a list; `swaps` is a list of pairs of places (i, j). Do "
    "the swaps one after the other: the words at the places i and j, as they are then, change places. Return a new "
    "list; `words` stays as it was. Wei and Zou 2019.",
    cases=lambda: [
        (["good", "old", "film"], [(0, 2)]),
        (["a", "b", "c", "d"], [(0, 1), (1, 2), (3, 0)]),
        (["one", "two", "three"], []),
        (["a", "b", "c"], [(1, 1), (2, 0), (0, 2)]),
        (["the", "cat", "and", "the", "dog"], [(1, 4), (4, 2), (0, 3)]),
    ],
    right=[_swap_by_new_lists, _swap_the_places, _swap_with_a_third],
    wrong=[
        Wrong(
            _swap_the_same_list,
            "The words are right, but you changed the list that came in: the sentence you wanted to keep is gone. "
            "Begin with a copy, list(words).",
        ),
        Wrong(
            lambda words, swaps: " ".join(swap_words(words, swaps)),
            "You return one text. Return the list of words; joining them comes later.",
        ),
        Wrong(
            _swap_under_another_name,
            "`swapped = words` is a second name for the same list, not a copy, and you return a text. Begin with "
            "list(words) and return a list.",
        ),
        Wrong(
            _swap_in_two_lines,
            "After words[i] = words[j] the old words[i] is lost, so one word stands there twice. Write it in one line: "
            "words[i], words[j] = words[j], words[i].",
        ),
        Wrong(
            _swap_from_the_original,
            "You take every word from its old place. After the first swap another word may stand there: take both from "
            "the new list.",
        ),
        Wrong(_swap_first_only, "You stop after the first pair. The `return` stands inside the loop: move it out."),
        Wrong(
            _swap_one_way,
            "You copy the word at j to i, and nothing to j: a word is lost. A swap writes both places.",
        ),
        Wrong(
            _move_the_word,
            "pop and insert move one word and shift all those between. A swap leaves the others where they are.",
        ),
        Wrong(
            lambda words, swaps: swap_words(words, swaps[::-1]),
            "You do the swaps from last to first. Their order matters when they share a place.",
        ),
        Wrong(
            lambda words, swaps: swap_words(words, [(i - 1, j - 1) for i, j in swaps]),
            "You count places from 1. Python counts from 0.",
        ),
        Wrong(lambda words, swaps: list(words), "Nothing is swapped: you return a copy of the words as they came."),
    ],
    hints=[
        "Begin with a copy: swapped = list(words).",
        "Python swaps in one line: swapped[i], swapped[j] = swapped[j], swapped[i].",
        "for i, j in swaps: ... and `return swapped` behind the loop.",
    ],
)

# ---------------------------------------------------------------- delete_words


def delete_words(words, draws, rate, negations):
    kept = [word for word, draw in zip(words, draws, strict=True) if draw >= rate or word.lower() in negations]
    return kept or [words[draws.index(max(draws))]]


def _delete_by_a_loop(words, draws, rate, negations):
    kept = []
    for i in range(len(words)):
        if words[i].lower() in negations or not draws[i] < rate:
            kept += [words[i]]
    if not kept:
        best = max(range(len(words)), key=lambda i: draws[i])
        kept = [words[best]]
    return kept


def _delete_from_a_copy(words, draws, rate, negations):
    left = list(zip(draws, words, strict=True))
    for pair in sorted(left):
        if pair[0] < rate and pair[1].lower() not in negations and len(left) > 1:
            left.remove(pair)
    return [word for _, word in left]


def _delete_by_tensor(words, draws, rate, negations):
    draws = torch.tensor(draws, dtype=torch.float64)
    stays = draws >= rate
    stays |= torch.tensor([word.casefold() in negations for word in words])
    if not stays.any():
        stays[draws.argmax()] = True
    return [words[i] for i in stays.nonzero().flatten().tolist()]


def _delete_while_looping(words, draws, rate, negations):
    words = list(words)
    for word, draw in zip(words, draws, strict=False):
        if draw < rate and word.lower() not in negations and len(words) > 1:
            words.remove(word)
    return words


def _deleting(stays, last_resort=lambda words, draws: [words[draws.index(max(draws))]]):
    """A wrong deletion: a word stays where `stays(word, draw, rate, negations)`."""

    def answer(words, draws, rate, negations):
        kept = [word for word, draw in zip(words, draws, strict=True) if stays(word, draw, rate, negations)]
        return kept or last_resort(words, draws)

    return answer


def _stays(word, draw, rate, negations):
    return draw >= rate or word.lower() in negations


DELETE_WORDS = Exercise(
    reference=delete_words,
    prompt="Random deletion that keeps the meaning. `draws` has a number from 0 to 1 for each of the `words`: the word "
    "goes where its number is below `rate`. A word of the set `negations` (small letters) never goes, and NOT "
    "counts as not. If no word were left, the one with the largest number stays. Return a new list.",
    cases=lambda: [
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
    ],
    right=[_delete_by_a_loop, _delete_from_a_copy, _delete_by_tensor],
    wrong=[
        Wrong(
            _deleting(lambda word, draw, rate, negations: draw >= rate),
            'You delete negations too: "It is not good" becomes "It is good", and keeps the label of its opposite.',
        ),
        Wrong(
            _deleting(lambda word, draw, rate, negations: draw >= rate or word in negations),
            "Not and NOT are negations as well, and you delete them. Compare in small letters: word.lower().",
        ),
        Wrong(
            _deleting(_stays, lambda words, draws: []),
            "Where all words go, you return an empty list: a sentence without words, with a label. Let the one with "
            "the largest number stay.",
        ),
        Wrong(
            _deleting(_stays, lambda words, draws: list(words)),
            "Where all words go, you return all of them. One stays: the one with the largest number.",
        ),
        Wrong(
            _deleting(_stays, lambda words, draws: [words[0]]),
            "Where all words go, you keep the first, so the first words of sentences are kept more often than others. "
            "Keep the one with the largest number.",
        ),
        Wrong(
            _deleting(_stays, lambda words, draws: [max(words)]),
            "max(words) is the last word of the alphabet. Asked is the word with the largest number in `draws`.",
        ),
        Wrong(
            _deleting(_stays, lambda words, draws: words[draws.index(max(draws))]),
            "Where one word is left, you return the word itself. Return a list with one word in it.",
        ),
        Wrong(
            _deleting(lambda word, draw, rate, negations: draw < rate or word.lower() in negations),
            "Your comparison is turned round: you keep the words that should go. With rate = 0 all must stay.",
        ),
        Wrong(
            _deleting(lambda word, draw, rate, negations: draw > rate or word.lower() in negations),
            "A word whose number equals the rate stays: it goes only *below* the rate. With > a rate of 0 would delete "
            "words, too.",
        ),
        Wrong(
            _deleting(
                lambda word, draw, rate, negations: _stays(word, draw, rate, ()) or word.lower()[:3] in negations
            ),
            '"note" begins like "not" and is no negation. Compare whole words: word.lower() in negations.',
        ),
        Wrong(
            _deleting(lambda word, draw, rate, negations: draw >= rate and word.lower() not in negations),
            "You always delete the negations, the very words that must stay. Write draw >= rate or ... in negations.",
        ),
        Wrong(
            _delete_while_looping,
            "You remove from the list that the loop runs over: after each removal a word is skipped. Build a new list.",
        ),
        Wrong(
            lambda words, draws, rate, negations: " ".join(delete_words(words, draws, rate, negations)),
            "You return one text. Return the list of words.",
        ),
        Wrong(
            lambda words, draws, rate, negations: [
                word if _stays(word, draw, rate, negations) else "" for word, draw in zip(words, draws, strict=True)
            ],
            "You leave an empty text for each word that goes. Leave the word out.",
        ),
        Wrong(
            lambda words, draws, rate, negations: [w.lower() for w in delete_words(words, draws, rate, negations)],
            "You return small letters. Compare in small letters, and keep the word as it is written.",
        ),
    ],
    hints=[
        "A word stays where its number is at least the rate, or where it is a negation.",
        "zip(words, draws) gives each word with its number. Compare word.lower() with the set.",
        "kept = [word for word, draw in zip(words, draws) if ...]; if kept is empty, [words[draws.index(max(draws))]].",
    ],
)

# ---------------------------------------------------------------- confident_labels


def confident_labels(logits, threshold):
    confidence, labels = logits.softmax(dim=1).max(dim=1)
    places = (confidence >= threshold).nonzero().flatten()
    return places, labels[places]


def _two_tensors(answer, logits, threshold):
    result = answer(logits, threshold)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake(
            "Return two tensors, `return places, labels`: labels alone do not say which inputs they belong to."
        )
    return [_plain(part) for part in result]


def _confident_by_a_loop(logits, threshold):
    places, labels = [], []
    for i, row in enumerate(logits.exp() / logits.exp().sum(dim=1, keepdim=True)):
        if row.max() >= threshold:
            places.append(i)
            labels.append(row.argmax().item())
    return torch.tensor(places, dtype=torch.long), torch.tensor(labels, dtype=torch.long)


def _confident_by_where(logits, threshold):
    probabilities = F.softmax(logits.detach(), dim=-1)
    (places,) = torch.where(probabilities.amax(dim=1) >= threshold)
    return places, probabilities.argmax(dim=1)[places]


def _confident_by_mask(logits, threshold):
    log_probabilities = torch.log_softmax(logits, dim=1)
    sure = log_probabilities.max(dim=1)[0].exp() >= threshold
    return torch.arange(len(logits))[sure], logits.argmax(dim=1)[sure]


def _confident(score, compare=torch.ge):
    """Wrong pseudo-labels: the sure ones are those whose largest `score(logits)` passes `compare(score, threshold)`."""

    def answer(logits, threshold):
        places = compare(score(logits).max(dim=1).values, threshold).nonzero().flatten()
        return places, logits.argmax(dim=1)[places]

    return answer


def _all_places(logits, threshold):
    rows, columns = (logits.softmax(dim=1) >= threshold).nonzero().T
    return rows, columns


CONFIDENT_LABELS = Exercise(
    reference=confident_labels,
    prompt="Pseudo-labels: the labels that a model gives where it is sure. From logits (M, K) of M inputs without "
    "labels, take the probabilities. Return two tensors of integers: the places of those inputs whose largest "
    "probability is at least `threshold`, in order, and the likeliest class of each of them. Lee 2013.",
    cases=lambda: [
        (torch.tensor([[4.0, 0.0, 0.0], [0.1, 0.0, 0.2], [0.0, 0.0, 5.0]]), 0.9),
        (2 * torch.randn(8, 4), 0.6),
        (3 * torch.randn(10, 5) - 4, 0.8),
        (torch.zeros(3, 4), 0.5),
        (torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 0.5),
        (torch.tensor([[2.0, 2.0, 1.0], [1.0, 3.0, 3.0], [0.0, 4.0, 1.0]]), 0.4),
    ],
    run=_two_tensors,
    right=[_confident_by_a_loop, _confident_by_where, _confident_by_mask],
    wrong=[
        Wrong(
            lambda logits, threshold: logits.argmax(dim=1),
            "Return two tensors, `return places, labels`: labels alone do not say which inputs they belong to.",
        ),
        Wrong(
            _confident(lambda logits: logits),
            "You compare logits with the threshold. They are no probabilities and may be any number: softmax(dim=1) "
            "first.",
        ),
        Wrong(
            _confident(lambda logits: logits.softmax(dim=0)),
            "softmax(dim=0) runs over the inputs. The classes of one input are a row: dim=1.",
        ),
        Wrong(
            _confident(lambda logits: logits.sigmoid()),
            "The sigmoid looks at each class alone, so two classes can both be near 1. The classes exclude each other: "
            "softmax.",
        ),
        Wrong(
            _confident(lambda logits: logits.log_softmax(dim=1)),
            "Log-probabilities are never above 0, so none reaches the threshold. Use softmax, or .exp().",
        ),
        Wrong(
            _confident(lambda logits: logits.softmax(dim=1), torch.gt),
            "A probability that equals the threshold counts too: at least means >=.",
        ),
        Wrong(
            _confident(lambda logits: logits.softmax(dim=1), torch.lt),
            "You keep the inputs of which the model is unsure. Those are the ones that a person should label.",
        ),
        Wrong(
            lambda logits, threshold: (torch.arange(len(logits)), logits.argmax(dim=1)),
            "You take every input, the threshold changes nothing: the model would learn all of its own mistakes.",
        ),
        Wrong(
            lambda logits, threshold: (confident_labels(logits, threshold)[0], logits.argmax(dim=1)),
            "You return the classes of all inputs beside the places of some. Choose them as well: labels[places].",
        ),
        Wrong(
            lambda logits, threshold: (
                logits.softmax(dim=1).amax(dim=1) >= threshold,
                confident_labels(logits, threshold)[1],
            ),
            "Your places are True and False. Asked are numbers: .nonzero().flatten() makes them.",
        ),
        Wrong(
            lambda logits, threshold: (
                confident_labels(logits, threshold)[0][:, None],
                confident_labels(logits, threshold)[1],
            ),
            "nonzero() gives a column, (n, 1). Flatten it, or labels[places] becomes a column too.",
        ),
        Wrong(
            lambda logits, threshold: confident_labels(logits, threshold)[::-1],
            "You return the labels first. Asked are the places, then the labels.",
        ),
        Wrong(
            lambda logits, threshold: (
                confident_labels(logits, threshold)[0],
                logits.softmax(dim=1).amax(dim=1)[confident_labels(logits, threshold)[0]],
            ),
            "You return the probabilities. A label is the number of the likeliest class: max(dim=1) gives both, "
            "argmax(dim=1) the class.",
        ),
        Wrong(
            _all_places,
            "You compare every class with the threshold: below one half an input may get two labels. Compare the "
            "largest probability of each input only.",
        ),
    ],
    hints=[
        "softmax(dim=1) makes probabilities of each row; its max(dim=1) gives the largest and its place together.",
        "confidence, labels = logits.softmax(dim=1).max(dim=1)",
        "places = (confidence >= threshold).nonzero().flatten(); then labels[places].",
    ],
)

# ---------------------------------------------------------------- mask_words


def mask_words(tokens, draws, rate, mask, padding):
    hidden = (draws < rate) & (tokens != padding)
    inputs = tokens.masked_fill(hidden, mask)
    targets = tokens.masked_fill(~hidden, -100)
    return inputs, targets


def _inputs_and_targets(answer, tokens, draws, rate, mask, padding):
    result = answer(tokens, draws, rate, mask, padding)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Return two tensors of the shape of the tokens: `return inputs, targets`.")
    return [_plain(part) for part in result]


def _hide_by_loops(tokens, draws, rate, mask, padding):
    inputs, targets = tokens.clone(), torch.full_like(tokens, -100)
    for b in range(tokens.shape[0]):
        for t in range(tokens.shape[1]):
            if tokens[b, t] != padding and draws[b, t] < rate:
                targets[b, t] = tokens[b, t]
                inputs[b, t] = mask
    return inputs, targets


def _hide_by_where(tokens, draws, rate, mask, padding):
    stays = torch.logical_or(draws >= rate, tokens == padding)
    return torch.where(stays, tokens, mask), torch.where(stays, -100, tokens)


def _hide_by_places(tokens, draws, rate, mask, padding):
    rows, columns = ((draws < rate) * (tokens - padding).abs()).nonzero(as_tuple=True)
    inputs, targets = tokens.clone(), tokens * 0 - 100
    targets[rows, columns] = inputs[rows, columns]
    inputs[rows, columns] = mask
    return inputs, targets


def _hiding(make):
    """A wrong answer: `make(tokens, hidden, mask, padding)`, where `hidden` is right."""

    def answer(tokens, draws, rate, mask, padding):
        return make(tokens, (draws < rate) & (tokens != padding), mask, padding)

    return answer


def _hide_in_place(tokens, draws, rate, mask, padding):
    hidden = (draws < rate) & (tokens != padding)
    targets = tokens.masked_fill(~hidden, -100)
    tokens[hidden] = mask
    return tokens, targets


def _targets_too_late(tokens, hidden, mask, padding):
    inputs = tokens.masked_fill(hidden, mask)
    return inputs, inputs.masked_fill(~hidden, -100)


MASK_WORDS = Exercise(
    reference=mask_words,
    prompt="Masked pre-training asks for hidden words, so any text is its own label. tokens (B, T) are word numbers, "
    "filled up with `padding`; draws (B, T) are numbers from 0 to 1. A word is hidden where its draw is below `rate`; "
    "padding is never hidden. Return inputs, the tokens with `mask` for each hidden word, and targets: the hidden "
    "words at their places, -100 everywhere else, which F.cross_entropy skips. Devlin et al. 2018, section 3.1.",
    cases=lambda: [
        (torch.tensor([[5, 6, 7, 0]]), torch.tensor([[0.1, 0.8, 0.3, 0.2]]), 0.3, 1, 0),
        (torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([[0.9, 0.05, 0.5], [0.1, 0.6, 0.0]]), 0.15, 1, 0),
        (torch.randint(2, 30, (3, 8)), torch.rand(3, 8), 0.5, 1, 0),
        (
            torch.tensor([[0, 4, 9, 9], [0, 0, 0, 9]]),
            torch.tensor([[0.1, 0.2, 0.1, 0.3], [0.1, 0.9, 0.1, 0.4]]),
            0.5,
            3,
            9,
        ),
        (torch.tensor([[4, 5]]), torch.tensor([[0.4, 0.7]]), 0.0, 1, 0),
    ],
    run=_inputs_and_targets,
    right=[_hide_by_loops, _hide_by_where, _hide_by_places],
    wrong=[
        Wrong(
            _hiding(lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, mask)),
            "Return two tensors of the shape of the tokens: `return inputs, targets`.",
        ),
        Wrong(
            lambda tokens, draws, rate, mask, padding: _hide_by_where(tokens, draws, rate, mask, tokens + 1),
            "You hide padding too: the model would earn its points by guessing nothing behind every short sentence. "
            "Add & (tokens != padding).",
        ),
        Wrong(
            lambda tokens, draws, rate, mask, padding: _hide_by_where(tokens, draws, rate, mask, 0),
            "You take 0 for the padding. Here it is `padding`, which may be another number, and 0 a word.",
        ),
        Wrong(
            _hiding(lambda tokens, hidden, mask, padding: (tokens.masked_fill(hidden, mask), tokens)),
            "Every word is a target. The words that are not hidden stand in the input, so the model learns to copy: "
            "-100 there.",
        ),
        Wrong(
            _hiding(
                lambda tokens, hidden, mask, padding: (
                    tokens.masked_fill(hidden, mask),
                    tokens.masked_fill(tokens == padding, -100),
                )
            ),
            "Only padding is -100. The words that are not hidden stand in the input, so the model learns to copy: "
            "-100 there too.",
        ),
        Wrong(
            _hiding(lambda tokens, hidden, mask, padding: (tokens, tokens.masked_fill(~hidden, -100))),
            "The words are still in the inputs: the model can read the answer. Put `mask` there.",
        ),
        Wrong(
            _hiding(_targets_too_late),
            "The targets are the mask itself: you took them from the inputs, where the words are already hidden. Take "
            "them from `tokens`.",
        ),
        Wrong(
            _hiding(
                lambda tokens, hidden, mask, padding: (
                    tokens.masked_fill(hidden, mask),
                    tokens.masked_fill(~hidden, padding),
                )
            ),
            "Where nothing is hidden, your targets are padding, which counts as an answer. F.cross_entropy skips -100.",
        ),
        Wrong(
            _hiding(
                lambda tokens, hidden, mask, padding: (
                    tokens.masked_fill(hidden, mask),
                    tokens.masked_fill(~hidden, -1),
                )
            ),
            "Where nothing is hidden, your targets are -1. The number that F.cross_entropy skips is -100.",
        ),
        Wrong(
            _hiding(
                lambda tokens, hidden, mask, padding: (
                    tokens.masked_fill(hidden, mask),
                    tokens.masked_fill(hidden, -100),
                )
            ),
            "Your targets are turned round: -100 at the hidden words, and the seen ones are asked for. Fill where not "
            "hidden: ~hidden.",
        ),
        Wrong(
            lambda tokens, draws, rate, mask, padding: mask_words(tokens, -draws, -rate, mask, padding),
            "You hide where the draw is above the rate. Below it: with a rate of 0.15 about 15 % are hidden.",
        ),
        Wrong(
            lambda tokens, draws, rate, mask, padding: mask_words(tokens, draws, rate + 1e-6, mask, padding),
            "A word whose draw equals the rate is not hidden: below means <.",
        ),
        Wrong(
            _hiding(
                lambda tokens, hidden, mask, padding: (
                    tokens.masked_fill(hidden, padding),
                    tokens.masked_fill(~hidden, -100),
                )
            ),
            "You put padding in place of the hidden words. The model attends to no padding, so it could not see that a "
            "word is missing there: use `mask`.",
        ),
        Wrong(
            _hiding(lambda tokens, hidden, mask, padding: (tokens.masked_fill(hidden, mask), tokens[hidden])),
            "Your targets are a list of the hidden words, without their places. They have the shape of the tokens, "
            "with -100 elsewhere.",
        ),
        Wrong(
            _hiding(
                lambda tokens, hidden, mask, padding: (
                    tokens.masked_fill(~hidden, -100),
                    tokens.masked_fill(hidden, mask),
                )
            ),
            "You return the targets first. Asked are the inputs, then the targets.",
        ),
        Wrong(
            _hide_in_place,
            "The result is right, but the tokens that came in are changed, and in the next epoch more are hidden. "
            "masked_fill makes a copy, tokens[hidden] = ... does not.",
        ),
    ],
    hints=[
        "First one tensor of True and False (B, T): where the draw is below the rate and there is a word.",
        "hidden = (draws < rate) & (tokens != padding). The brackets are needed.",
        "inputs = tokens.masked_fill(hidden, mask); targets = tokens.masked_fill(~hidden, -100).",
    ],
)

# ---------------------------------------------------------------- spread_step


def spread_step(weights, scores, known, alpha):
    degrees = weights.sum(dim=1)
    S = weights / (degrees[:, None] * degrees).sqrt()
    return alpha * S @ scores + (1 - alpha) * known


def _neighbourhood(n, classes):
    """Weights of `n` inputs, scores of a step in between, and the known labels of the first half."""
    weights = torch.rand(n, n)
    known = torch.zeros(n, classes)
    known[torch.arange(n // 2), torch.arange(n // 2) % classes] = 1.0
    return (weights + weights.T).fill_diagonal_(0.0), torch.rand(n, classes), known


def _spread_slowly(weights, scores, known, alpha):
    n, classes = scores.shape
    degrees = [sum(row) for row in weights.tolist()]
    result = torch.zeros(n, classes)
    for i in range(n):
        for k in range(classes):
            heard = sum(weights[i, j] * scores[j, k] / (degrees[i] * degrees[j]) ** 0.5 for j in range(n))
            result[i, k] = alpha * heard + (1 - alpha) * known[i, k]
    return result


def _spread_by_diagonals(weights, scores, known, alpha):
    D = torch.diag(weights.sum(dim=0) ** -0.5)
    return (D @ weights @ D) @ scores * alpha + known * (1 - alpha)


def _spread_from_the_side(weights, scores, known, alpha):
    roots = weights.sum(dim=1, keepdim=True).sqrt()
    return torch.lerp(known, weights @ (scores / roots) / roots, alpha)


def _spread_by_einsum(weights, scores, known, alpha):
    r = weights.sum(1).rsqrt()
    return torch.einsum("i,ij,j,jk->ik", r, weights, r, scores).mul(alpha).add(known, alpha=1 - alpha)


def _spread_through(normalise):
    """A wrong step: right but for the matrix, `normalise(weights)`."""
    return lambda weights, scores, known, alpha: alpha * normalise(weights) @ scores + (1 - alpha) * known


def _clamped(weights, scores, known, alpha):
    spread = spread_step(weights, scores, known, alpha)
    return torch.where(known.sum(dim=1, keepdim=True) > 0, known, spread)


SPREAD_STEP = Exercise(
    reference=spread_step,
    prompt="One step of label spreading. weights (N, N) say how near two inputs are; they are symmetric, with 0 on the "
    "diagonal. Let d be the sum of each row; S[i, j] = weights[i, j] / sqrt(d[i] d[j]). known (N, K) has a 1 for the "
    "class of each labelled input, and rows of 0 for the others. Return alpha * S @ scores + (1 - alpha) * known: what "
    "the neighbours say, and what was said at the start. Zhou et al. 2003, section 2.",
    cases=lambda: [
        (
            torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 3.0], [0.0, 3.0, 0.0]]),
            torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
            torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
            0.5,
        ),
        (*_neighbourhood(6, 3), 0.9),
        (*_neighbourhood(8, 2), 0.2),
        (*_neighbourhood(5, 4), 0.99),
    ],
    judge=_spread_slowly,
    right=[_spread_by_diagonals, _spread_from_the_side, _spread_by_einsum],
    wrong=[
        Wrong(
            _spread_through(lambda weights: weights),
            "You use the weights as they are. Inputs with many neighbours then shout down the others, and the scores "
            "grow at every step: divide by sqrt(d[i] d[j]).",
        ),
        Wrong(
            _spread_through(lambda weights: weights / weights.sum(dim=1, keepdim=True)),
            "You divide each row by its sum: the mean of the neighbours, another method. Here every weight is divided "
            "by sqrt(d[i] d[j]), and S stays symmetric.",
        ),
        Wrong(
            _spread_through(lambda weights: weights / weights.sum(dim=0)),
            "You divide by the sum of the columns only. Every weight is divided by sqrt(d[i] d[j]).",
        ),
        Wrong(
            _spread_through(lambda weights: weights / (weights.sum(dim=1)[:, None] * weights.sum(dim=1))),
            "The root is missing: you divide by d[i] d[j], and the labels fade away.",
        ),
        Wrong(
            _spread_through(lambda weights: weights / weights.sum(dim=1).sqrt()),
            "You divide by sqrt(d[j]) only: d broadcasts along one side. Both are needed: d[:, None] * d.",
        ),
        Wrong(
            _spread_through(lambda weights: weights / weights.sum()),
            "You divide by the sum of all weights. Each weight has the degrees of its own two inputs.",
        ),
        Wrong(
            _spread_through(lambda weights: weights.softmax(dim=1)),
            "softmax gives weight to inputs that are no neighbours at all: exp(0) is 1. Divide by sqrt(d[i] d[j]).",
        ),
        Wrong(
            lambda weights, scores, known, alpha: spread_step(weights, scores, known, 1 - alpha),
            "alpha and 1 - alpha are changed round. alpha is the share of the neighbours.",
        ),
        Wrong(
            lambda weights, scores, known, alpha: spread_step(weights, scores, scores, alpha),
            "You mix with the scores of the last step. The labels that are known must come in at every step, or they "
            "fade away.",
        ),
        Wrong(
            lambda weights, scores, known, alpha: spread_step(weights, known, known, alpha),
            "You spread the known labels again and again, so they never come further than one neighbour. Spread the "
            "scores.",
        ),
        Wrong(
            lambda weights, scores, known, alpha: alpha * spread_step(weights, scores, known, 1.0) + known,
            "The known labels come in whole. Their share is 1 - alpha.",
        ),
        Wrong(
            lambda weights, scores, known, alpha: spread_step(weights, scores, known, 1.0),
            "The known labels are missing: alpha and `known` have no part in your answer.",
        ),
        Wrong(
            lambda weights, scores, known, alpha: spread_step(weights, scores, known, 0.5) * 2 * alpha,
            "You multiply both parts by alpha. The known labels have the share 1 - alpha.",
        ),
        Wrong(
            _clamped,
            "You put the known labels back as they were: that is label propagation, its hard sister. Here they too are "
            "mixed with what their neighbours say, so a wrong label can be outvoted.",
        ),
        Wrong(
            lambda weights, scores, known, alpha: spread_step(weights, scores, known, alpha).argmax(dim=1),
            "You return classes. The scores themselves are spread in the next step; classes come at the very end.",
        ),
        Wrong(
            lambda weights, scores, known, alpha: F.normalize(spread_step(weights, scores, known, alpha), p=1, dim=1),
            "You make each row add up to 1. Then an input far from all labels speaks as loudly as a labelled one.",
        ),
    ],
    hints=[
        "d = weights.sum(dim=1), (N,). d[:, None] * d is the table (N, N) of all products d[i] d[j].",
        "S = weights / (d[:, None] * d).sqrt()",
        "alpha * S @ scores + (1 - alpha) * known",
    ],
)

# ---------------------------------------------------------------- consistency_loss


def consistency_loss(weak_logits, strong_logits, threshold):
    confidence, labels = weak_logits.detach().softmax(dim=1).max(dim=1)
    losses = F.cross_entropy(strong_logits, labels, reduction="none")
    return (losses * (confidence >= threshold)).mean()


def _loss_and_gradients(answer, weak_logits, strong_logits, threshold):
    """The loss, and its gradients to both: that to the weak ones must be 0 or None."""
    weak, strong = (logits.clone().requires_grad_() for logits in (weak_logits, strong_logits))
    loss = answer(weak, strong, threshold)
    if not torch.is_tensor(loss) or loss.ndim or not loss.requires_grad:
        return loss
    gradients = torch.autograd.grad(loss, [strong, weak], allow_unused=True)
    return [loss.detach(), *(torch.zeros_like(weak) if gradient is None else gradient for gradient in gradients)]


def _loss_by_hand(weak_logits, strong_logits, threshold):
    """The loss and its gradients, input by input, from the formula."""
    B = len(weak_logits)
    loss, gradient = torch.zeros(()), torch.zeros_like(strong_logits)
    for i, (weak, strong) in enumerate(zip(weak_logits.softmax(dim=1), strong_logits.softmax(dim=1), strict=True)):
        if weak.max() >= threshold:
            label = weak.argmax()
            loss -= strong[label].log() / B
            gradient[i] = strong / B
            gradient[i, label] -= 1 / B
    return [loss, gradient, torch.zeros_like(weak_logits)]


def _consistency_by_rows(weak_logits, strong_logits, threshold):
    total = strong_logits.sum() * 0
    for weak, strong in zip(weak_logits.detach(), strong_logits, strict=True):
        if weak.softmax(dim=0).max() >= threshold:
            total = total - strong.log_softmax(dim=0)[weak.argmax()]
    return total / len(weak_logits)


def _consistency_by_index(weak_logits, strong_logits, threshold):
    with torch.no_grad():
        sure = weak_logits.softmax(dim=1).amax(dim=1) >= threshold
    labels = weak_logits.argmax(dim=1)
    return F.cross_entropy(strong_logits[sure], labels[sure], reduction="sum") / len(sure)


def _consistency_by_ignoring(weak_logits, strong_logits, threshold):
    confidence, labels = F.softmax(weak_logits, dim=-1).max(dim=-1)
    labels = labels.masked_fill(confidence < threshold, -100)
    return F.cross_entropy(strong_logits, labels, reduction="sum") / labels.numel()


def _consistency_by_gather(weak_logits, strong_logits, threshold):
    probabilities = weak_logits.softmax(dim=1).detach()
    best = probabilities.argmax(dim=1, keepdim=True)
    sure = probabilities.gather(1, best) >= threshold
    return -(strong_logits.log_softmax(dim=1).gather(1, best) * sure.float()).mean()


def _consistent(losses, sure=lambda weak, threshold: weak.softmax(dim=1).amax(dim=1) >= threshold):
    """A wrong loss: `losses(weak, strong)` of each input where `sure(weak, threshold)`, its mean over the batch."""
    return lambda weak, strong, threshold: (losses(weak, strong) * sure(weak, threshold)).mean()


def _strong_against_weak(weak, strong):
    return F.cross_entropy(strong, weak.argmax(dim=1), reduction="none")


def _mean_over_the_sure(weak, strong, threshold):
    sure = weak.softmax(dim=1).amax(dim=1) >= threshold
    return (_strong_against_weak(weak, strong) * sure).sum() / sure.sum().clamp(min=1)


def _mean_of_chosen(weak, strong, threshold):
    sure = weak.softmax(dim=1).amax(dim=1) >= threshold
    return F.cross_entropy(strong[sure], weak.argmax(dim=1)[sure])


CONSISTENCY_LOSS = Exercise(
    reference=consistency_loss,
    prompt="FixMatch's loss for inputs without labels. The model saw each input twice: changed a little, weak_logits "
    "(B, K), and changed a lot, strong_logits (B, K). Where its largest probability for the weak one is at least "
    "`threshold`, the likeliest class is the label, and the strong one pays its cross-entropy; all others pay 0. "
    "Return the mean over all B. No gradient flows into the weak logits. Sohn et al. 2020, equation 4.",
    cases=lambda: [
        (torch.tensor([[3.0, 0.0], [0.2, 0.0]]), torch.tensor([[1.0, 0.0], [5.0, 0.0]]), 0.9),
        (3 * torch.randn(6, 4), torch.randn(6, 4), 0.7),
        (2 * torch.randn(8, 3) - 3, 2 * torch.randn(8, 3), 0.6),
        (torch.zeros(3, 4), torch.randn(3, 4), 0.5),
        (torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[1.0, -1.0], [0.0, 0.0]]), 0.5),
    ],
    run=_loss_and_gradients,
    judge=_loss_by_hand,
    right=[_consistency_by_rows, _consistency_by_index, _consistency_by_ignoring, _consistency_by_gather],
    wrong=[
        Wrong(
            _mean_over_the_sure,
            "You divide by the number of sure inputs. Divide by B: as long as the model is sure of few, the loss must "
            "be small.",
        ),
        Wrong(
            _mean_of_chosen,
            "You take the mean over the sure inputs, and where there are none it is NaN (not a number). Take the mean "
            "over all B, the others pay 0.",
        ),
        Wrong(
            lambda weak, strong, threshold: consistency_loss(weak, strong, threshold) * len(weak),
            "You add up over the batch. Take the mean over all B.",
        ),
        Wrong(
            lambda weak, strong, threshold: consistency_loss(weak, strong, 0.0),
            "All inputs pay. Below the threshold the label is a guess: those pay 0.",
        ),
        Wrong(
            _consistent(_strong_against_weak, lambda weak, threshold: weak.softmax(dim=1).amax(dim=1) > threshold),
            "A probability that equals the threshold counts too: at least means >=.",
        ),
        Wrong(
            _consistent(_strong_against_weak, lambda weak, threshold: weak.softmax(dim=1).amax(dim=1) < threshold),
            "The unsure inputs pay, and the sure ones do not. Your comparison is turned round.",
        ),
        Wrong(
            _consistent(_strong_against_weak, lambda weak, threshold: weak.amax(dim=1) >= threshold),
            "You compare logits with the threshold. Make probabilities first: softmax(dim=1).",
        ),
        Wrong(
            _consistent(_strong_against_weak, lambda weak, threshold: weak.softmax(dim=0).amax(dim=1) >= threshold),
            "softmax(dim=0) runs over the batch. The classes of one input are a row: dim=1.",
        ),
        Wrong(
            lambda weak, strong, threshold: consistency_loss(strong, weak, threshold),
            "Weak and strong are changed round. The picture changed a little gives the label, the one changed a lot "
            "learns it.",
        ),
        Wrong(
            lambda weak, strong, threshold: consistency_loss(weak, weak, threshold),
            "The weak logits pay for their own labels: that is pseudo-labelling, and the strong ones have no part.",
        ),
        Wrong(
            lambda weak, strong, threshold: (
                F.cross_entropy(strong, strong.argmax(dim=1), reduction="none")
                * (weak.softmax(dim=1).amax(dim=1) >= threshold)
            ).mean(),
            "The strong logits are their own labels, so the model can never be wrong. The label is the weak ones' "
            "likeliest class.",
        ),
        Wrong(
            lambda weak, strong, threshold: (
                _strong_against_weak(weak, strong) * (strong.softmax(dim=1).amax(dim=1) >= threshold)
            ).mean(),
            "You ask how sure the strong logits are. The input changed a little says whether the label can be trusted.",
        ),
        Wrong(
            _consistent(lambda weak, strong: F.cross_entropy(strong, weak.softmax(dim=1), reduction="none")),
            "Your labels are the weak probabilities, and a gradient flows into them. Take the likeliest class, a hard "
            "label.",
        ),
        Wrong(
            _consistent(lambda weak, strong: F.cross_entropy(strong, weak.detach().softmax(dim=1), reduction="none")),
            "Your labels are the weak probabilities. FixMatch takes the likeliest class, a hard label: argmax.",
        ),
        Wrong(
            _consistent(lambda weak, strong: ((weak.softmax(dim=1) - strong.softmax(dim=1)) ** 2).sum(dim=1)),
            "You measure how far the two probabilities are apart, as older methods do. FixMatch: the cross-entropy of "
            "the strong logits with the weak ones' likeliest class.",
        ),
        Wrong(
            lambda weak, strong, threshold: (
                _strong_against_weak(weak, strong) * weak.softmax(dim=1).amax(dim=1).clamp(min=threshold)
            ).mean(),
            "You weigh the losses with the confidence, and its gradient flows into the weak logits. Each input pays "
            "whole or not at all: confidence >= threshold.",
        ),
        Wrong(
            lambda weak, strong, threshold: (
                F.cross_entropy(strong.softmax(dim=1), weak.argmax(dim=1), reduction="none")
                * (weak.softmax(dim=1).amax(dim=1) >= threshold)
            ).mean(),
            "F.cross_entropy takes logits and does the softmax itself. You did it twice: give it strong_logits.",
        ),
        Wrong(
            lambda weak, strong, threshold: (
                F.cross_entropy(strong, weak.argmax(dim=1))
                * (weak.softmax(dim=1).amax(dim=1) >= threshold).float().mean()
            ),
            "F.cross_entropy already took the mean, of sure and unsure inputs alike. reduction='none' gives one loss "
            "for each input: multiply, then take the mean.",
        ),
        Wrong(
            lambda weak, strong, threshold: (
                _strong_against_weak(weak, strong) * (weak.softmax(dim=1).amax(dim=1) >= threshold)
            ),
            "You return a loss for each input. Training wants one number: their mean.",
        ),
        Wrong(
            lambda weak, strong, threshold: consistency_loss(weak, strong, threshold).item(),
            "`.item()` makes a plain number, and training cannot go back through it. Return the tensor.",
        ),
    ],
    hints=[
        "Three parts: labels and confidence from the weak logits; a loss for each strong input; keep the sure ones.",
        "confidence, labels = weak_logits.detach().softmax(dim=1).max(dim=1)",
        "F.cross_entropy(strong_logits, labels, reduction='none') gives (B,). Multiply by (confidence >= threshold), "
        "then .mean().",
    ],
)
