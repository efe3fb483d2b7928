"""The exercise `split_without_leaks` of lesson 02: held-out documents of which training has seen no copy."""

import hashlib
import random
from collections import Counter

import numpy as np
import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

FAULTS = {
    "not two lists": "Return two lists: the documents to train on, and those to validate on.",
    "three parts": "You return three parts. Return two lists: train and validation.",
    "places": "Your parts hold numbers. Return the documents themselves, not their places.",
    "true and false": "Your parts hold True and False. Return the documents themselves.",
    "sets": "Your parts are sets or dicts, which have each document once. Return lists, with every copy.",
    "tensors": "Your parts are no lists. Return two lists of documents.",
    "in place": "You changed `documents` itself: shuffle, sort and pop work in place. Work on a new list.",
    "pieces": "Your parts hold something that is no document of the list. Split between documents and never "
    "inside one: half a document for training tells much about the other half.",
    "rewritten": "Your parts hold documents in another form: small letters, or without spaces at their ends. Return "
    "them as they are.",
    "leak": "The same document is in both parts: the model is tested on what it has learned by heart. Split the "
    "different documents, and let every copy follow its twin.",
    "all twice": "Everything you validate on is in training as well. Train on what is not held out.",
    "lost": "Some documents are in neither part. What is not held out for validation belongs to training.",
    "no copies": "Every document is in your parts just once. To drop copies may be wise, but it is another step: here "
    "every copy stays, on one side with its twin.",
    "copies": "Some documents are not in your parts as often as in `documents`. Every copy stays, on one side with its "
    "twin, and none is added.",
    "minus 0": "With a share of 0 you hold out everything: x[-0:] is x[0:], the whole list. Count from the front: "
    "x[:n] and x[n:].",
    "nothing held out": "You hold out nothing. Validation gets about `share` of the different documents.",
    "exchanged": "The parts are exchanged, or `share` is the training's. Return train, validation; `share` is the "
    "validation's part.",
    "always a fifth": "You hold out a fifth, whatever `share` is. Use the argument.",
    "always a tenth": "You hold out a tenth, whatever `share` is. Use the argument.",
    "always a half": "You hold out one half, whatever `share` is. Use the argument.",
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


def some(different, count):
    return [f"Document {number} " for number in torch.randint(different, (count,)).tolist()]


@split_without_leaks.cases
def cases():
    return [
        (["a", "b", "a", "c", "b", "a"], 0.34, 0),
        (some(120, 320), 0.35, 7),
        (some(20, 40), 0.0, 1),
        (["one", "one"], 1.0, 2),
        (["alone"], 0.5, 3),
    ]


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


def in_process(process, luck, answer, documents, share, seed):
    """The two parts, as in a process of that number and with that global seed; and whether they drew from it."""
    Document.process = process
    documents = list(map(Document, documents))
    given = list(documents)
    seed_everything(luck)
    untouched = draw_from_everything()
    seed_everything(luck)
    parts = answer(documents, share, seed)
    touched = draw_from_everything() != untouched
    if documents != given:
        raise Mistake(FAULTS["in place"])
    if fault := fault_of_form(parts):
        raise Mistake(FAULTS[fault])
    return [str(d) for d in parts[0]], [str(d) for d in parts[1]], touched


def fault_of_form(parts):
    """The name of what is wrong with the kinds of what came; None where nothing is."""
    if not isinstance(parts, (tuple, list)) or isinstance(parts[0] if parts else "", str):
        return "not two lists"
    if len(parts) != 2:
        return "three parts" if len(parts) == 3 else "not two lists"
    if any(isinstance(part, (set, frozenset, dict)) for part in parts):
        return "sets"
    items = [item for part in parts if hasattr(part, "__iter__") for item in part]
    if any(isinstance(item, (bool, np.bool_)) for item in items):
        return "true and false"
    if any(isinstance(item, (int, np.integer, torch.Tensor)) for item in items):
        return "places"
    if not all(isinstance(part, (list, tuple, np.ndarray)) for part in parts):
        return "tensors"
    return None


def fault_of_parts(documents, share, train, validation):
    """The name of what is wrong with one split; None where nothing is."""
    want, got = Counter(documents), Counter(train + validation)
    if not got.keys() <= want.keys():
        alike = {document.strip().lower() for document in documents}
        return "rewritten" if {document.strip().lower() for document in got} <= alike else "pieces"
    if set(train) & set(validation):
        return "all twice" if set(validation) <= set(train) and Counter(train) == want else "leak"
    if share == 0 and set(validation) == set(documents):
        return "minus 0"
    if got != want:
        once = got.keys() == want.keys() and set(got.values()) == {1}
        return "no copies" if once else "copies" if got.keys() == want.keys() else "lost"
    return fault_of_size(share, len(set(validation)), len(want))


def fault_of_size(share, held_out, different):
    part = held_out / different
    if different < 100 or abs(part - share) < 0.1:  # a few documents may fall as they like
        return None
    names = {0: "nothing held out", 0.1: "always a tenth", 0.2: "always a fifth", 0.5: "always a half"}
    near = (name for size, name in names.items() if abs(part - size) < 0.01)
    return "exchanged" if abs(part - (1 - share)) < 0.1 else next(near, "share")


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
        return in_process(process, luck, answer, documents, share, seed)

    try:
        fault = fault_of_parts(documents, share, *split(1, 1, seed)[:2])
        fault = fault or fault_of_chance(split, seed, many=len(set(documents)) >= 100 and 0 < share < 1)
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
    if fault:
        raise Mistake(FAULTS[fault])
    return "no leak, nothing lost, the same split every time"


@split_without_leaks.right
def by_sample(documents, share, seed):
    different = sorted(set(documents))
    held_out = random.Random(seed).sample(different, int(share * len(different)))
    return [d for d in documents if d not in held_out], [d for d in documents if d in held_out]


@split_without_leaks.right
def by_fingerprint(documents, share, seed):
    parts = [], []
    for document in documents:
        fingerprint = hashlib.sha256(f"{seed} {document}".encode()).digest()
        parts[fingerprint[0] < share * 256].append(document)
    return parts


@split_without_leaks.right
def in_first_order(documents, share, seed):
    different = list(dict.fromkeys(documents))
    chosen = np.random.default_rng(seed).permutation(len(different)) < share * len(different)
    held_out = dict(zip(different, chosen, strict=True))
    return tuple([d for d in documents if held_out[d] == side] for side in (False, True))


@split_without_leaks.right
def group_by_group(documents, share, seed):
    groups = [[document] * count for document, count in sorted(Counter(documents).items())]
    random.Random(seed).shuffle(groups)
    count = int(share * len(groups))
    return [sum(part, []) for part in (groups[count:], groups[:count])]


@split_without_leaks.right
def shuffled_too(documents, share, seed):
    generator = torch.Generator().manual_seed(seed)
    shuffled = [documents[i] for i in torch.randperm(len(documents), generator=generator).tolist()]
    held_out = set(list(dict.fromkeys(shuffled))[: round(share * len(set(documents)))])
    return [d for d in shuffled if d not in held_out], [d for d in shuffled if d in held_out]


def cut(documents, share):
    count = round(share * len(documents))
    return documents[count:], documents[:count]


def shuffled(documents, seed):
    return random.Random(seed).sample(documents, len(documents))


def parted(order, cut=cut):
    """The split that holds out the first of the different documents, which `order(documents, seed)` puts in order."""

    def answer(documents, share, seed):
        held_out = set(cut(order(documents, seed), share)[1])
        return [d for d in documents if d not in held_out], [d for d in documents if d in held_out]

    return answer


def then(change):
    """The right parts, changed by `change(train, validation)`."""
    return lambda documents, share, seed: change(*split_without_leaks(documents, share, seed))


def always(share):
    return lambda documents, _, seed: split_without_leaks(documents, share, seed)


def shuffled_globally(documents, seed):
    torch.manual_seed(seed)
    return [documents[i] for i in torch.randperm(len(documents))]


def cut_from_the_end(documents, share):
    count = round(share * len(documents))
    return documents[:-count], documents[-count:]


@split_without_leaks.mistake(FAULTS["in place"])
def sorted_in_place(documents, share, seed):
    documents.sort()
    return split_without_leaks(documents, share, seed)


@split_without_leaks.mistake(FAULTS["share"])
def copies_counted(documents, share, seed):
    return split_without_leaks(documents, min(1, share * len(documents) / len(set(documents))), seed)


@split_without_leaks.mistake(FAULTS["lost"])
def one_lost(documents, share, seed):
    train, validation = split_without_leaks(documents, share, seed)
    return [document for document in train if document != train[0]], validation


@split_without_leaks.mistake(FAULTS["pieces"])
def of_the_whole_text(documents, share, seed):
    text = " ".join(documents)
    return [text[int(share * len(text)) :]], [text[: int(share * len(text))]]


@split_without_leaks.mistake(FAULTS["places"])
def places(documents, share, seed):
    return cut(torch.randperm(len(documents), generator=torch.Generator().manual_seed(seed)).tolist(), share)


@split_without_leaks.mistake(FAULTS["true and false"])
def true_and_false(documents, share, seed):
    validation = set(split_without_leaks(documents, share, seed)[1])
    return [d not in validation for d in documents], [d in validation for d in documents]


for message, name, answer in [
    ("leak", "copies_on_both_sides", lambda documents, share, seed: cut(shuffled(documents, seed), share)),
    ("all twice", "validation_in_training", lambda *case: (list(case[0]), split_without_leaks(*case)[1])),
    ("no copies", "copies_dropped", lambda documents, *rest: split_without_leaks(sorted(set(documents)), *rest)),
    ("copies", "copies_doubled", then(lambda train, validation: (train * 2, validation))),
    ("exchanged", "parts_exchanged", then(lambda train, validation: (validation, train))),
    ("not two lists", "training_alone", then(lambda train, validation: train)),
    ("three parts", "test_part_too", then(lambda train, validation: (train, validation, []))),
    ("sets", "two_sets", then(lambda train, validation: (set(train), set(validation)))),
    ("rewritten", "small_letters", then(lambda *parts: [[d.strip().lower() for d in part] for part in parts])),
    (
        "minus 0",
        "cut_from_the_end",
        parted(lambda documents, seed: shuffled(sorted(set(documents)), seed), cut_from_the_end),
    ),
    ("nothing held out", "nothing_held_out", lambda documents, *_: (list(documents), [])),
    ("always a tenth", "always_a_tenth", always(0.1)),
    ("always a fifth", "always_a_fifth", always(0.2)),
    ("always a half", "always_a_half", always(0.5)),
    ("order of a set", "order_of_a_set", parted(lambda documents, seed: shuffled(list(set(documents)), seed))),
    (
        "not repeatable",
        "unseeded",
        parted(lambda documents, _: random.sample(sorted(set(documents)), len(set(documents)))),
    ),
    ("seed not used", "seed_not_used", parted(lambda documents, seed: sorted(set(documents)))),
    ("global seed", "global_seed", parted(lambda documents, seed: shuffled_globally(sorted(set(documents)), seed))),
]:
    split_without_leaks.mistake(FAULTS[message], **{name: answer})


split_without_leaks.hints(
    "Do not split the list of documents: split the list of different documents, then sort every copy to its side.",
    "sorted(set(documents)) has each document once, in an order that is the same on every computer.",
    "torch.randperm(n, generator=torch.Generator().manual_seed(seed)) is an order; hold out the first "
    "round(share * n) of it.",
)
