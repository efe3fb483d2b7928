"""The exercise `split_without_leaks` of lesson 02."""

import hashlib
import random
from collections import Counter

import numpy as np
import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

SPLIT_FAULTS = {
    "not two lists": "Return two lists: the documents to train on, and those to validate on.",
    "in place": "You changed `documents` itself: shuffle, sort and pop work in place. Work on a new list.",
    "not a document": "Your parts hold something that is no document of the list. Split between documents and never "
    "inside one: half a document for training tells much about the other half.",
    "leak": "The same document is in both parts: the model is tested on what it has learned by heart. Split the "
    "different documents, and let every copy follow its twin.",
    "lost": "Some documents are in neither part. What is not held out for validation belongs to training.",
    "copies": "Some documents are not in your parts as often as in `documents`. To drop copies may be wise, but it is "
    "another step: here every copy stays, on one side with its twin.",
    "exchanged": "The parts are exchanged, or `share` is the training's. Return train, validation; `share` is the "
    "validation's part.",
    "share": "The validation part has the wrong size. It must hold about `share` of the different documents: count "
    "those, not the copies.",
    "order of a set": "Your split is another one when Python starts again: hash() of a text, and with it the order of "
    "a set, changes from process to process. sorted(set(documents)) always has the same order.",
    "not repeatable": "The same seed gives another split the second time. Draw from a generator of your own: "
    "torch.Generator().manual_seed(seed).",
    "seed not used": "Another seed gives the same split. Shuffle the documents by `seed` before you cut.",
    "global seed": "The split is right, but you set or use the global random state, and all else that draws from it "
    "changes too. Use a generator of your own: torch.Generator().manual_seed(seed).",
}


@exercise(
    prompt="Two lists, train and validation, shuffled by `seed`. Each document is in one of them, as often as in "
    "`documents`; equal documents are on the same side. Validation gets about `share` of the different documents."
)
def split_without_leaks(documents, share, seed):
    different = sorted(set(documents))
    order = torch.randperm(len(different), generator=torch.Generator().manual_seed(seed))
    held_out = {different[i] for i in order[: round(share * len(different))]}
    train = [document for document in documents if document not in held_out]
    validation = [document for document in documents if document in held_out]
    return train, validation


class Document(str):
    """A text whose hash changes with `process`, as the hash of every text does when Python starts again."""

    process = 0

    def __hash__(self):
        return hash((Document.process, str.__hash__(self)))


def seed_everything(luck):
    random.seed(luck)
    np.random.seed(luck)
    torch.default_generator.manual_seed(luck)


def draw_from_everything():
    return random.random(), np.random.rand(), torch.rand(()).item()


def split_in(process, luck, answer, documents, share, seed):
    """The two parts, as in a process of that number and with that global seed; and whether they drew from it."""
    Document.process = process
    documents = list(map(Document, documents))
    given = list(documents)
    seed_everything(luck)
    untouched = draw_from_everything()
    seed_everything(luck)
    parts = answer(documents, share, seed)
    if not isinstance(parts, (tuple, list)) or len(parts) != 2 or isinstance(parts[0], str):
        raise Mistake(SPLIT_FAULTS["not two lists"])
    if documents != given:
        raise Mistake(SPLIT_FAULTS["in place"])
    return [str(d) for d in parts[0]], [str(d) for d in parts[1]], draw_from_everything() != untouched


def fault_of_parts(documents, share, train, validation):
    """The name of what is wrong with one split; None where nothing is."""
    want, got = Counter(documents), Counter(train + validation)
    if not got.keys() <= want.keys():
        return "not a document"
    if set(train) & set(validation):
        return "leak"
    if got != want:
        return "copies" if got.keys() == want.keys() else "lost"
    part = len(set(validation)) / len(want)
    if len(want) < 100 or abs(part - share) < 0.1:  # a few documents may fall as they like
        return None
    return "exchanged" if abs(part - (1 - share)) < 0.1 else "share"


def fault_of_chance(split, seed, many):
    """The name of what is wrong with how a split is drawn; None where nothing is. `split(process, luck, seed)`."""
    _, validation, touched = split(1, 1, seed)
    if set(split(2, 1, seed)[1]) != set(validation):
        return "order of a set"
    if set(split(1, 2, seed)[1]) != set(validation):
        return "not repeatable"
    if many and set(split(1, 1, seed + 1)[1]) == set(validation):
        return "seed not used"
    return "global seed" if touched else None


@split_without_leaks.run
def split_and_look(answer, documents, share, seed):
    """What is wrong with an answer's split is raised as a Mistake; the random states are left as they were."""
    python, numpy = random.getstate(), np.random.get_state()

    def split(process, luck, seed):
        return split_in(process, luck, answer, documents, share, seed)

    try:
        fault = fault_of_parts(documents, share, *split(1, 1, seed)[:2])
        fault = fault or fault_of_chance(split, seed, many=len(set(documents)) >= 100)
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
    if fault:
        raise Mistake(SPLIT_FAULTS[fault])
    return "no leak, nothing lost, the same split every time"


@split_without_leaks.right
def split_by_sample(documents, share, seed):
    different = sorted(set(documents))
    held_out = random.Random(seed).sample(different, int(share * len(different)))
    return [d for d in documents if d not in held_out], [d for d in documents if d in held_out]


@split_without_leaks.right
def split_by_fingerprint(documents, share, seed):
    parts = [], []
    for document in documents:
        fingerprint = hashlib.sha256(f"{seed} {document}".encode()).digest()
        parts[fingerprint[0] < share * 256].append(document)
    return parts


@split_without_leaks.right
def split_in_first_order(documents, share, seed):
    different = list(dict.fromkeys(documents))
    chosen = np.random.default_rng(seed).permutation(len(different)) < share * len(different)
    held_out = dict(zip(different, chosen, strict=True))
    return tuple([d for d in documents if held_out[d] == side] for side in (False, True))


def _cut(documents, share):
    count = round(share * len(documents))
    return documents[count:], documents[:count]


def parted(order):
    """The split that holds out the first of the different documents, which `order(documents, seed)` puts in order."""

    def answer(documents, share, seed):
        held_out = set(_cut(order(documents, seed), share)[1])
        return [d for d in documents if d not in held_out], [d for d in documents if d in held_out]

    return answer


def _shuffled(documents, seed):
    return random.Random(seed).sample(documents, len(documents))


def shuffled_globally(documents, seed):
    torch.manual_seed(seed)
    return [documents[i] for i in torch.randperm(len(documents))]


@split_without_leaks.mistake(SPLIT_FAULTS["in place"])
def split_in_place(documents, share, seed):
    documents.sort()
    return split_without_leaks(documents, share, seed)


@split_without_leaks.mistake(SPLIT_FAULTS["share"])
def counting_copies(documents, share, seed):
    return split_without_leaks(documents, share * len(documents) / len(set(documents)), seed)


@split_without_leaks.mistake(SPLIT_FAULTS["lost"])
def loses_one(documents, share, seed):
    train, validation = split_without_leaks(documents, share, seed)
    return [document for document in train if document != train[0]], validation


@split_without_leaks.mistake(SPLIT_FAULTS["not a document"])
def of_the_whole_text(documents, share, seed):
    text = " ".join(documents)
    return [text[int(share * len(text)) :]], [text[: int(share * len(text))]]


def _documents(different, count):
    return [f"document {number}" for number in torch.randint(different, (count,)).tolist()]


@split_without_leaks.cases
def cases():
    return [
        (["a", "b", "a", "c", "b", "a"], 0.34, 0),
        (_documents(200, 500), 0.2, 7),
    ]


split_without_leaks.mistake(
    SPLIT_FAULTS["leak"], TODO_30=lambda documents, share, seed: _cut(_shuffled(documents, seed), share)
)


split_without_leaks.mistake(
    SPLIT_FAULTS["copies"],
    TODO_31=lambda documents, share, seed: split_without_leaks(sorted(set(documents)), share, seed),
)


split_without_leaks.mistake(
    SPLIT_FAULTS["exchanged"], TODO_32=lambda documents, share, seed: split_without_leaks(documents, share, seed)[::-1]
)


split_without_leaks.mistake(
    SPLIT_FAULTS["not two lists"], TODO_33=lambda documents, share, seed: split_without_leaks(documents, share, seed)[0]
)


split_without_leaks.mistake(
    SPLIT_FAULTS["order of a set"], TODO_34=parted(lambda documents, seed: _shuffled(list(set(documents)), seed))
)


split_without_leaks.mistake(
    SPLIT_FAULTS["not repeatable"],
    TODO_35=parted(lambda documents, seed: random.sample(sorted(set(documents)), len(set(documents)))),
)


split_without_leaks.mistake(
    SPLIT_FAULTS["seed not used"], TODO_36=parted(lambda documents, seed: sorted(set(documents)))
)


split_without_leaks.mistake(
    SPLIT_FAULTS["global seed"], TODO_37=parted(lambda documents, seed: shuffled_globally(sorted(set(documents)), seed))
)


split_without_leaks.hints(
    "Do not split the list of documents: split the list of different documents, then sort every copy to its side.",
    "sorted(set(documents)) has each document once, in an order that is the same on every computer.",
    "torch.randperm(n, generator=torch.Generator().manual_seed(seed)) is an order; hold out the first "
    "round(share * n) of it.",
)
