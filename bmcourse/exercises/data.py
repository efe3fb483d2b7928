"""Exercises of lesson 02: byte pairs learned, merged and decoded; batches; splits that do not leak; near neighbours."""

import hashlib
import math
import random
from collections import Counter
from itertools import pairwise

import numpy as np
import torch

from bmcourse.exercises.core import Exercise, Mistake, Wrong

# ---------------------------------------------------------------- most_frequent_pair


def most_frequent_pair(words):
    counts = {}
    for ids in words:
        for pair in zip(ids[:-1], ids[1:], strict=True):
            counts[pair] = counts.get(pair, 0) + 1
    return min(counts, key=lambda pair: (-counts[pair], pair))


def _counted(words):
    return Counter(pair for ids in words for pair in pairwise(ids))


def _pair_by_sorting(words):
    return sorted(_counted(words).items(), key=lambda item: (-item[1], item[0]))[0][0]


def _pair_by_two_steps(words):
    counts = _counted(words)
    most = max(counts.values())
    return min(pair for pair, count in counts.items() if count == most)


def _pair_in_sorted_order(words):
    pairs = [(ids[i], ids[i + 1]) for ids in words for i in range(len(ids) - 1)]
    return max(sorted(set(pairs)), key=pairs.count)


def _without_overlaps(words):
    """Counts as merging would: a token is in one pair only."""
    counts = Counter()
    for ids in words:
        i = 0
        while i < len(ids) - 1:
            pair = ids[i], ids[i + 1]
            counts[pair] += 1
            i += 2 if pair[0] == pair[1] else 1
    return min(counts, key=lambda pair: (-counts[pair], pair))


MOST_FREQUENT_PAIR = Exercise(
    reference=most_frequent_pair,
    prompt="The pair of neighbours that occurs most often in `words`, lists of token ids. Of pairs equally frequent it "
    "is the smaller one. No pair reaches from one word into the next. Pairs may overlap: (7, 7) occurs twice in "
    "[7, 7, 7].",
    cases=lambda: [
        ([[1, 2, 3], [1, 2]],),
        ([[4, 5], [2, 7], [2, 3], [9, 1]],),
        ([[3, 1], [2, 4], [5, 1], [2, 3], [4, 1], [2, 4]],),
        ([[1, 2]] * 3 + [[3, 4, 9], [8, 3, 4]],),
        ([[5, 6, 5, 6, 5, 6], [1, 2], [1, 2, 3], [0], []],),
        ([[7, 7, 7, 7], [1, 2], [1, 2]],),
        ([[2, 1], [2, 1], [1, 2], [1, 2], [4, 3], [4, 3], [4, 3]],),
        (torch.randint(5, (8, 9)).tolist(),),
    ],
    right=[_pair_by_sorting, _pair_by_two_steps, _pair_in_sorted_order],
    wrong=[
        Wrong(
            lambda words: max(_counted(words).items(), key=lambda item: (item[1], item[0]))[0],
            "Of equally frequent pairs you take the larger one. Take the smaller, so that every computer learns the "
            "same merges: min(counts, key=lambda pair: (-counts[pair], pair)).",
        ),
        Wrong(
            lambda words: max(_counted(words), key=_counted(words).get),
            "Of equally frequent pairs you take the one that came first (max and most_common do that). Take the "
            "smaller one: sort by (-count, pair).",
        ),
        Wrong(
            lambda words: most_frequent_pair([[token for ids in words for token in ids]]),
            "You joined the words to one list, so the end of a word makes a pair with the start of the next. Count in "
            "each word by itself.",
        ),
        Wrong(
            lambda words: most_frequent_pair(list(map(list, dict.fromkeys(map(tuple, words))))),
            "You count words that occur again only once. A frequent word must count as often as it occurs.",
        ),
        Wrong(
            lambda words: most_frequent_pair([pair for ids in words for pair in set(pairwise(ids))]),
            "A pair that occurs three times in one word counts only once for you. Count every occurrence.",
        ),
        Wrong(
            _without_overlaps,
            "In [7, 7, 7] you count (7, 7) once. Here every two neighbours count: it occurs twice.",
        ),
        Wrong(
            lambda words: [(ids[i], ids[i + 1]) for ids in words for i in range(len(ids))][0],
            "The last token of a word has no neighbour: ids[i + 1] does not exist there. Let i run over "
            "range(len(ids) - 1).",
        ),
        Wrong(
            lambda words: max(_counted(words)),
            "max(counts) compares the pairs themselves and finds the largest. Compare their counts: use `key`.",
        ),
        Wrong(
            lambda words: min(_counted(words).items(), key=lambda item: item[::-1])[0],
            "You take the rarest pair. Merging the most frequent one saves most tokens: use -counts[pair] in `key`.",
        ),
        Wrong(
            lambda words: _counted(words).most_common(1)[0],
            "most_common(1)[0] is the pair and its count. Return the pair alone, and of equally frequent pairs the "
            "smaller one, not the first.",
        ),
    ],
    hints=[
        "Two parts: first count every pair of neighbours, word by word; then choose.",
        "A dict from pairs to counts. In one word, the neighbours are ids[i] and ids[i + 1].",
        "min(counts, key=lambda pair: (-counts[pair], pair)): the highest count first, then the smaller pair.",
    ],
)

# ---------------------------------------------------------------- merge_pair


def merge_pair(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def _merge_onto_a_stack(ids, pair, new):
    merged, open_end = [], False  # whether the last token of `merged` may still go into a pair
    for token in ids:
        if open_end and (merged[-1], token) == pair:
            merged[-1], open_end = new, False
        else:
            merged.append(token)
            open_end = True
    return merged


def _merge_by_recursion(ids, pair, new):
    if len(ids) < 2:
        return list(ids)
    if (ids[0], ids[1]) == pair:
        return [new, *_merge_by_recursion(ids[2:], pair, new)]
    return [ids[0], *_merge_by_recursion(ids[1:], pair, new)]


def _merge_a_copy(ids, pair, new):
    ids, i = ids.copy(), 0
    while i + 1 < len(ids):
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            ids[i : i + 2] = [new]
        i += 1
    return ids


def _keeps_the_second(ids, pair, new):
    return [new if tuple(ids[i : i + 2]) == pair else ids[i] for i in range(len(ids))]


def _loses_the_last(ids, pair, new):
    merged, i = [], 0
    while i < len(ids) - 1:
        found = (ids[i], ids[i + 1]) == pair
        merged.append(new if found else ids[i])
        i += 2 if found else 1
    return merged


def _looks_behind_the_end(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        found = (ids[i], ids[i + 1]) == pair
        merged.append(new if found else ids[i])
        i += 2 if found else 1
    return merged


def _while_it_shrinks(ids, pair, new):
    ids = ids.copy()
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new]
    return ids


def _first_only(ids, pair, new):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new, *ids[i + 2 :]]
    return list(ids)


def _overlapping(ids, pair, new):
    """Marks every place where the pair starts, and leaves out what follows a mark, overlaps included."""
    starts = [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair]
    return [new if i in starts else token for i, token in enumerate(ids) if i in starts or i - 1 not in starts]


def _in_digits(ids, pair, new):
    text = " ".join(map(str, ids)).replace(" ".join(map(str, pair)), str(new))
    return [int(number) for number in text.split()]


def _in_place(ids, pair, new):
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new]
        i += 1
    return ids


MERGE_PAIR = Exercise(
    reference=merge_pair,
    prompt="A new list: `ids` with the token `new` wherever the two tokens of `pair`, a tuple, stand side by side. "
    "From the left, without overlaps: [1, 1, 1] with the pair (1, 1) becomes [new, 1].",
    cases=lambda: [
        ([5, 6, 7], (5, 6), 256),
        ([1, 1, 1], (1, 1), 256),
        ([3, 5, 6, 5, 6], (5, 6), 256),
        ([6, 5, 8, 6, 6, 5], (5, 6), 257),
        ([15, 6, 2, 5, 60], (5, 6), 258),
        ([1, 1, 1, 1, 2, 1, 1], (1, 1), 300),
        ([], (5, 6), 256),
        ([5], (5, 6), 256),
        (torch.randint(3, (40,)).tolist(), (1, 2), 256),
    ],
    right=[_merge_onto_a_stack, _merge_by_recursion, _merge_a_copy],
    wrong=[
        Wrong(
            lambda ids, pair, new: list(ids),
            "You never merge. Is a list compared with a tuple? [5, 6] == (5, 6) is False: write "
            "tuple(ids[i : i + 2]) == pair.",
        ),
        Wrong(
            _keeps_the_second,
            "The second token of the pair stays behind the new one. It is used up: go on two places further.",
        ),
        Wrong(
            _loses_the_last,
            "The last token is lost when it is in no pair. Let the loop run to the end: while i < len(ids).",
        ),
        Wrong(
            _looks_behind_the_end,
            "The last token has no neighbour: ids[i + 1] does not exist there. ids[i : i + 2] is safe: it is just "
            "shorter at the end.",
        ),
        Wrong(
            lambda ids, pair, new: merge_pair(ids[::-1], pair[::-1], new)[::-1],
            "You merge from the right. In [1, 1, 1] that leaves the wrong 1: begin at the left.",
        ),
        Wrong(
            _while_it_shrinks,
            "The list gets shorter while `for` still counts to its old length. Use `while i < len(ids)`, and build a "
            "new list.",
        ),
        Wrong(_first_only, "You merge the first place only. Go on to the end: the pair may come again."),
        Wrong(
            _overlapping,
            "Your pairs overlap: in [1, 1, 1] the middle 1 belongs to two of them. Once merged, a token is used up.",
        ),
        Wrong(
            lambda ids, pair, new: merge_pair(merge_pair(ids, pair, new), pair[::-1], new),
            "You merge (6, 5) as well as (5, 6). The order matters: only pair[0] followed by pair[1] counts.",
        ),
        Wrong(
            lambda ids, pair, new: [new if token in pair else token for token in ids],
            "You replace each of the two tokens wherever it stands. They count only side by side, and together become "
            "one token.",
        ),
        Wrong(
            _in_digits,
            "You search in a text of digits: there '5 6' is also found in '15 6' and '5 60'. Compare the numbers.",
        ),
        Wrong(
            _in_place,
            "The result is right, but `ids` itself is changed: ids[i : i + 2] = ... works in place. Build a new list.",
        ),
    ],
    hints=[
        "Go through the list with an index: at each place, is this token and the next one the pair?",
        "If so, append `new` and go on by 2. Otherwise append ids[i] and go on by 1.",
        "Use `while i < len(ids)`, and tuple(ids[i : i + 2]) == pair, which is safe at the end.",
    ],
)

# ---------------------------------------------------------------- decode_bytes


def decode_bytes(ids, merges):
    pieces = [bytes([byte]) for byte in range(256)]
    for first, second in merges:
        pieces.append(pieces[first] + pieces[second])
    return b"".join(pieces[i] for i in ids).decode("utf-8", errors="replace")


def _decode_by_recursion(ids, merges):
    def bytes_of(i):
        return bytes([i]) if i < 256 else b"".join(map(bytes_of, merges[i - 256]))

    return b"".join(map(bytes_of, ids)).decode(errors="replace")


def _decode_by_undoing(ids, merges):
    for token in reversed(range(256, 256 + len(merges))):
        ids = [part for i in ids for part in (merges[token - 256] if i == token else (i,))]
    return str(bytes(ids), "utf-8", "replace")


def _decode_with_a_stack(ids, merges):
    found, waiting = bytearray(), list(reversed(ids))
    while waiting:
        i = waiting.pop()
        if i < 256:
            found.append(i)
        else:
            waiting += reversed(merges[i - 256])
    return found.decode("utf8", "replace")


def _bytes_of(ids, merges):
    undone = []
    for i in ids:
        undone += _bytes_of(merges[i - 256], merges) if i > 255 else [i]
    return undone


DECODE_BYTES = Exercise(
    reference=decode_bytes,
    prompt="The text of a list of tokens. A token below 256 is a byte; token 256 + i stands for the pair of tokens "
    "merges[i]. The bytes are UTF-8; bytes that are none become \ufffd (errors='replace').",
    cases=lambda: [
        ([104, 105], []),
        ([256, 33], [(104, 105)]),
        ([257, 32, 256], [(97, 98), (256, 99)]),
        ([256, 173, 33], [(228, 184)]),
        ([195, 169, 0, 255], []),
        ([259, 257], [(230, 168), (229, 158), (257, 139), (256, 161)]),
        ([255, 258, 206, 177, 240, 159], [(65, 66), (256, 67), (257, 68)]),
        (torch.randint(97, 123, (12,)).tolist() + [256], [(228, 189)]),
    ],
    right=[_decode_by_recursion, _decode_by_undoing, _decode_with_a_stack],
    wrong=[
        Wrong(
            lambda ids, merges: "".join(bytes(_bytes_of([i], merges)).decode(errors="replace") for i in ids),
            "You decode each token by itself. A character of several bytes may be spread over several tokens: join "
            "all bytes first, then decode once.",
        ),
        Wrong(
            lambda ids, merges: "".join(map(chr, _bytes_of(ids, merges))),
            "chr() and latin-1 make one character of every byte. In UTF-8, é has two bytes and 中 three: bytes(...) "
            "and then .decode('utf-8').",
        ),
        Wrong(
            lambda ids, merges: bytes(_bytes_of(ids, merges)).decode("utf-8"),
            "A model may write bytes that are no UTF-8, and then your decoder stops with an error. Write "
            ".decode('utf-8', errors='replace').",
        ),
        Wrong(
            lambda ids, merges: bytes(_bytes_of(ids, merges)).decode("utf-8", errors="ignore"),
            "You drop the bytes that are no UTF-8, so nobody sees that something was there. Write errors='replace'.",
        ),
        Wrong(
            lambda ids, merges: bytes(_bytes_of(ids, merges)),
            "You return bytes. .decode('utf-8', errors='replace') makes them a text.",
        ),
        Wrong(
            lambda ids, merges: decode_bytes(ids, [pair[::-1] for pair in merges]),
            "The two halves of a token are exchanged: first the bytes of pair[0], then those of pair[1].",
        ),
        Wrong(
            lambda ids, merges: bytes(b for i in ids for b in (merges[i - 256] if i > 255 else (i,))).decode(
                errors="replace"
            ),
            "A pair may hold merged tokens again, and yours stay closed. Undo the last merge first, or build the "
            "bytes of token after token, in the order of `merges`.",
        ),
        Wrong(
            lambda ids, merges: bytes(i for i in ids if i < 256).decode(errors="replace"),
            "You leave the merged tokens out. Token 256 + i stands for the two tokens of merges[i].",
        ),
        Wrong(
            lambda ids, merges: bytes(ids).decode(errors="replace"),
            "bytes() takes numbers below 256. First replace each token from 256 on by the bytes it stands for.",
        ),
    ],
    hints=[
        "Make a list of the bytes of every token: the first 256 are bytes([0]), bytes([1]), ...",
        "Then one more for each merge: the bytes of its first token + the bytes of its second.",
        "Join the bytes of all ids with b''.join(...), and only then .decode('utf-8', errors='replace').",
    ],
)

# ---------------------------------------------------------------- pad_batch


def pad_batch(sequences, padding):
    T = max(len(ids) for ids in sequences)
    batch = torch.tensor([ids + [padding] * (T - len(ids)) for ids in sequences])
    mask = torch.tensor([[t < len(ids) for t in range(T)] for ids in sequences])
    return batch, mask


def _padded_by_torch(sequences, padding):
    tensors = [torch.tensor(ids) for ids in sequences]
    batch = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=padding)
    ones = [torch.ones(len(ids), dtype=torch.bool) for ids in sequences]
    return batch, torch.nn.utils.rnn.pad_sequence(ones, batch_first=True)


def _pad_by_lengths(sequences, padding):
    lengths = torch.tensor([len(ids) for ids in sequences])
    batch = torch.full((len(sequences), int(lengths.max())), padding)
    for row, ids in zip(batch, sequences, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    return batch, torch.arange(batch.shape[1]) < lengths[:, None]


def _pad_by_mask(sequences, padding):
    longest = max(map(len, sequences))
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in sequences]).bool()
    batch = torch.full(mask.shape, padding)
    batch[mask] = torch.tensor([token for ids in sequences for token in ids])
    return batch, mask


def _pad_growing(sequences, padding):
    batch, mask = [], []
    for ids in sequences:
        missing = max(map(len, sequences)) - len(ids)
        batch.append(torch.cat([torch.tensor(ids), torch.full((missing,), padding)]))
        mask.append(torch.cat([torch.ones(len(ids)), torch.zeros(missing)]) == 1)
    return torch.stack(batch), torch.stack(mask)


def _then(change):
    """The right batch and mask, changed."""
    return lambda sequences, padding: change(*pad_batch(sequences, padding))


def _pad_left(sequences, padding):
    batch, mask = pad_batch([ids[::-1] for ids in sequences], padding)
    return batch.flip(1), mask.flip(1)


def _pad_in_place(sequences, padding):
    mask = pad_batch(sequences, padding)[1]
    for ids in sequences:
        ids += [padding] * (mask.shape[1] - len(ids))
    return torch.tensor(sequences), mask


def _truncate(sequences, padding):
    shortest = min(map(len, sequences))
    return pad_batch([ids[:shortest] for ids in sequences], padding)


PAD_BATCH = Exercise(
    reference=pad_batch,
    prompt="Lists of token ids as one batch: ids (B, T), integers, T the longest length, filled up on the right with "
    "`padding`; and a mask (B, T), True where there is a token. A token may have the same id as the padding.",
    cases=lambda: [
        ([[5, 6, 7], [8]], 0),
        ([[4, 9], [3, 1, 2]], -1),
        ([[1, 0, 2], [0, 0, 3, 4], [5]], 0),
        ([[7, 8], [9, 7]], 7),
        ([torch.randint(20, (n,)).tolist() for n in (4, 2, 7, 1)], 19),
    ],
    judge=_padded_by_torch,
    right=[_pad_by_lengths, _pad_by_mask, _pad_growing],
    wrong=[
        Wrong(
            _pad_left,
            "You fill up on the left. Some models want that when they write text; here the tokens begin at position 0.",
        ),
        Wrong(
            _then(lambda batch, mask: (batch, ~mask)),
            "Your mask is inverted: here it is True where a token is. (The key_padding_mask of torch's attention is "
            "the other way round.)",
        ),
        Wrong(
            lambda sequences, padding: (pad_batch(sequences, padding)[0], pad_batch(sequences, padding)[0] != padding),
            "You find the padding by its value. A real token may have the same id, and your mask hides it. Make the "
            "mask from the lengths.",
        ),
        Wrong(
            _truncate,
            "You cut all sequences to the shortest, so tokens are lost. Fill up to the longest: max, not min.",
        ),
        Wrong(
            lambda sequences, padding: (pad_batch(sequences, 0)[0], pad_batch(sequences, 0)[1]),
            "You fill up with 0. Use the argument `padding`.",
        ),
        Wrong(
            _then(lambda batch, mask: (batch.float(), mask)),
            "Your ids are floats (torch.zeros makes floats), and an embedding cannot look those up. Give "
            "dtype=torch.long.",
        ),
        Wrong(
            lambda sequences, padding: tuple(part.float() for part in pad_batch(sequences, 0)),
            "torch.zeros makes floats, and fills up with 0. torch.full((B, T), padding) makes integers and fills up "
            "with `padding`; the mask needs dtype=torch.bool.",
        ),
        Wrong(
            _then(lambda batch, mask: (batch, mask.long())),
            "Your mask holds the numbers 0 and 1. Used as an index they mean row 0 and row 1: make them True and False "
            "with .bool().",
        ),
        Wrong(
            _then(lambda batch, mask: (batch.T, mask.T)),
            "Batch and time are exchanged: yours is (T, B). That is pad_sequence's default: set batch_first=True.",
        ),
    ],
    hints=[
        "T is the longest length. How many paddings does each sequence need?",
        "ids + [padding] * (T - len(ids)) is one row; torch.tensor makes a table of all rows.",
        "The mask comes from the lengths and not from the ids: position t is a token where t < len(ids).",
    ],
)

# ---------------------------------------------------------------- split_without_leaks

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


def split_without_leaks(documents, share, seed):
    different = sorted(set(documents))
    order = torch.randperm(len(different), generator=torch.Generator().manual_seed(seed))
    held_out = {different[i] for i in order[: round(share * len(different))]}
    train = [document for document in documents if document not in held_out]
    validation = [document for document in documents if document in held_out]
    return train, validation


class _Document(str):
    """A text whose hash changes with `process`, as the hash of every text does when Python starts again."""

    process = 0

    def __hash__(self):
        return hash((_Document.process, str.__hash__(self)))


def _seed_everything(luck):
    random.seed(luck)
    np.random.seed(luck)
    torch.default_generator.manual_seed(luck)


def _draw_from_everything():
    return random.random(), np.random.rand(), torch.rand(()).item()


def _split_in(process, luck, answer, documents, share, seed):
    """The two parts, as in a process of that number and with that global seed; and whether they drew from it."""
    _Document.process = process
    documents = list(map(_Document, documents))
    given = list(documents)
    _seed_everything(luck)
    untouched = _draw_from_everything()
    _seed_everything(luck)
    parts = answer(documents, share, seed)
    if not isinstance(parts, (tuple, list)) or len(parts) != 2 or isinstance(parts[0], str):
        raise Mistake(SPLIT_FAULTS["not two lists"])
    if documents != given:
        raise Mistake(SPLIT_FAULTS["in place"])
    return [str(d) for d in parts[0]], [str(d) for d in parts[1]], _draw_from_everything() != untouched


def _fault_of_parts(documents, share, train, validation):
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


def _fault_of_chance(split, seed, many):
    """The name of what is wrong with how a split is drawn; None where nothing is. `split(process, luck, seed)`."""
    _, validation, touched = split(1, 1, seed)
    if set(split(2, 1, seed)[1]) != set(validation):
        return "order of a set"
    if set(split(1, 2, seed)[1]) != set(validation):
        return "not repeatable"
    if many and set(split(1, 1, seed + 1)[1]) == set(validation):
        return "seed not used"
    return "global seed" if touched else None


def _split_and_look(answer, documents, share, seed):
    """What is wrong with an answer's split is raised as a Mistake; the random states are left as they were."""
    python, numpy = random.getstate(), np.random.get_state()

    def split(process, luck, seed):
        return _split_in(process, luck, answer, documents, share, seed)

    try:
        fault = _fault_of_parts(documents, share, *split(1, 1, seed)[:2])
        fault = fault or _fault_of_chance(split, seed, many=len(set(documents)) >= 100)
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
    if fault:
        raise Mistake(SPLIT_FAULTS[fault])
    return "no leak, nothing lost, the same split every time"


def _split_by_sample(documents, share, seed):
    different = sorted(set(documents))
    held_out = random.Random(seed).sample(different, int(share * len(different)))
    return [d for d in documents if d not in held_out], [d for d in documents if d in held_out]


def _split_by_fingerprint(documents, share, seed):
    parts = [], []
    for document in documents:
        fingerprint = hashlib.sha256(f"{seed} {document}".encode()).digest()
        parts[fingerprint[0] < share * 256].append(document)
    return parts


def _split_in_first_order(documents, share, seed):
    different = list(dict.fromkeys(documents))
    chosen = np.random.default_rng(seed).permutation(len(different)) < share * len(different)
    held_out = dict(zip(different, chosen, strict=True))
    return tuple([d for d in documents if held_out[d] == side] for side in (False, True))


def _cut(documents, share):
    count = round(share * len(documents))
    return documents[count:], documents[:count]


def _parted(order):
    """The split that holds out the first of the different documents, which `order(documents, seed)` puts in order."""

    def answer(documents, share, seed):
        held_out = set(_cut(order(documents, seed), share)[1])
        return [d for d in documents if d not in held_out], [d for d in documents if d in held_out]

    return answer


def _shuffled(documents, seed):
    return random.Random(seed).sample(documents, len(documents))


def _shuffled_globally(documents, seed):
    torch.manual_seed(seed)
    return [documents[i] for i in torch.randperm(len(documents))]


def _split_in_place(documents, share, seed):
    documents.sort()
    return split_without_leaks(documents, share, seed)


def _counting_copies(documents, share, seed):
    return split_without_leaks(documents, share * len(documents) / len(set(documents)), seed)


def _loses_one(documents, share, seed):
    train, validation = split_without_leaks(documents, share, seed)
    return [document for document in train if document != train[0]], validation


def _of_the_whole_text(documents, share, seed):
    text = " ".join(documents)
    return [text[int(share * len(text)) :]], [text[: int(share * len(text))]]


def _documents(different, count):
    return [f"document {number}" for number in torch.randint(different, (count,)).tolist()]


SPLIT_WITHOUT_LEAKS = Exercise(
    reference=split_without_leaks,
    prompt="Two lists, train and validation, shuffled by `seed`. Each document is in one of them, as often as in "
    "`documents`; equal documents are on the same side. Validation gets about `share` of the different documents.",
    cases=lambda: [
        (["a", "b", "a", "c", "b", "a"], 0.34, 0),
        (_documents(200, 500), 0.2, 7),
    ],
    run=_split_and_look,
    right=[_split_by_sample, _split_by_fingerprint, _split_in_first_order],
    wrong=[
        Wrong(lambda documents, share, seed: _cut(_shuffled(documents, seed), share), SPLIT_FAULTS["leak"]),
        Wrong(_of_the_whole_text, SPLIT_FAULTS["not a document"]),
        Wrong(
            lambda documents, share, seed: split_without_leaks(sorted(set(documents)), share, seed),
            SPLIT_FAULTS["copies"],
        ),
        Wrong(_loses_one, SPLIT_FAULTS["lost"]),
        Wrong(
            lambda documents, share, seed: split_without_leaks(documents, share, seed)[::-1], SPLIT_FAULTS["exchanged"]
        ),
        Wrong(_counting_copies, SPLIT_FAULTS["share"]),
        Wrong(
            lambda documents, share, seed: split_without_leaks(documents, share, seed)[0],
            SPLIT_FAULTS["not two lists"],
        ),
        Wrong(
            _parted(lambda documents, seed: _shuffled(list(set(documents)), seed)),
            SPLIT_FAULTS["order of a set"],
        ),
        Wrong(
            _parted(lambda documents, seed: random.sample(sorted(set(documents)), len(set(documents)))),
            SPLIT_FAULTS["not repeatable"],
        ),
        Wrong(_parted(lambda documents, seed: sorted(set(documents))), SPLIT_FAULTS["seed not used"]),
        Wrong(
            _parted(lambda documents, seed: _shuffled_globally(sorted(set(documents)), seed)),
            SPLIT_FAULTS["global seed"],
        ),
        Wrong(_split_in_place, SPLIT_FAULTS["in place"]),
    ],
    hints=[
        "Do not split the list of documents: split the list of different documents, then sort every copy to its side.",
        "sorted(set(documents)) has each document once, in an order that is the same on every computer.",
        "torch.randperm(n, generator=torch.Generator().manual_seed(seed)) is an order; hold out the first "
        "round(share * n) of it.",
    ],
)

# ---------------------------------------------------------------- cosine_neighbours


def cosine_neighbours(vectors, index, count):
    directions = vectors / vectors.norm(dim=1, keepdim=True)
    similarity = directions @ directions[index]
    similarity[index] = -math.inf
    return similarity.topk(count).indices


def _neighbours_as_list(answer, vectors, index, count):
    """The numbers of the rows as a list, also where they come as one tensor, an array, or a list of tensors."""
    rows = answer(vectors, index, count)
    if isinstance(rows, (torch.Tensor, np.ndarray)) and rows.ndim == 1:
        return rows.tolist()
    if isinstance(rows, (list, tuple)):
        return [row.item() if isinstance(row, torch.Tensor) and row.numel() == 1 else row for row in rows]
    return rows


def _neighbours_by_loop(vectors, index, count):
    def cosine(row):
        products = [sum(a * b for a, b in zip(vectors[i].tolist(), vectors[j].tolist(), strict=True)) for i, j in row]
        return products[0] / math.sqrt(products[1] * products[2])

    similarity = {row: cosine([(row, index), (row, row), (index, index)]) for row in range(len(vectors))}
    del similarity[index]
    return sorted(similarity, key=similarity.get, reverse=True)[:count]


def _neighbours_by_torch(vectors, index, count):
    similarity = torch.nn.functional.cosine_similarity(vectors, vectors[index : index + 1])
    order = similarity.argsort(descending=True)
    return order[order != index][:count]


def _neighbours_without_query_norm(vectors, index, count):
    similarity = (vectors @ vectors[index]) / vectors.norm(dim=1)
    others = [row for row in range(len(vectors)) if row != index]
    return sorted(others, key=lambda row: -similarity[row])[:count]


def _neighbours_by_distance(vectors, index, count):
    directions = torch.nn.functional.normalize(vectors, dim=1)
    distances = (directions - directions[index]).norm(dim=1)
    distances[index] = math.inf
    return distances.topk(count, largest=False).indices.tolist()


def _nearest(score, itself=-math.inf):
    """The rows with the highest `score(vectors, vectors[index])`, where row `index` itself counts as `itself`."""

    def answer(vectors, index, count):
        scores = score(vectors, vectors[index])
        if itself is not None:
            scores[index] = itself
        return scores.argsort(descending=True, stable=True)[:count]

    return answer


def _cosine(vectors, query):
    return vectors @ query / vectors.norm(dim=1)


def _similarities(part):
    """The answer that returns this part of what topk gives for the similarities."""

    def answer(vectors, index, count):
        similarity = _cosine(vectors, vectors[index]) / vectors[index].norm()
        similarity[index] = -math.inf
        return part(similarity.topk(count))

    return answer


def _without_the_first(vectors, index, count):
    return _nearest(_cosine, itself=None)(vectors, index, count + 1)[1:]


def _row_cut_out(vectors, index, count):
    others = torch.cat([vectors[:index], vectors[index + 1 :]])
    return _cosine(others, vectors[index]).topk(count).indices


def _normalised_in_place(vectors, index, count):
    vectors /= vectors.norm(dim=1, keepdim=True)
    return cosine_neighbours(vectors, index, count)


COSINE_NEIGHBOURS = Exercise(
    reference=cosine_neighbours,
    prompt="The numbers of the `count` rows of `vectors` (N, D) that are most similar to row `index` by cosine "
    "similarity, the most similar first, without row `index` itself.",
    cases=lambda: [
        (torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.2, 3.0], [-1.0, 0.1]]), 0, 3),
        (torch.tensor([[0.0, 1.0], [1.0, 1.0], [9.0, 3.0], [-4.0, -3.9], [1.0, 1.2]]), 1, 3),
        (torch.tensor([[2.0, 4.0, 6.0], [1.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.9, 2.0, 3.0], [0.0, 1.0, 1.0]]), 2, 2),
        (torch.randn(12, 4) * torch.rand(12, 1) * 5, 7, 5),
        (torch.randn(9, 3) + torch.tensor([3.0, 0.0, 0.0]), 3, 8),
    ],
    run=_neighbours_as_list,
    judge=_neighbours_by_loop,
    right=[_neighbours_by_torch, _neighbours_without_query_norm, _neighbours_by_distance],
    wrong=[
        Wrong(
            _nearest(lambda vectors, query: vectors @ query),
            "You compare dot products, and long vectors win those. Divide each row by its own length: "
            "vectors.norm(dim=1, keepdim=True).",
        ),
        Wrong(
            _nearest(lambda vectors, query: -(vectors - query).norm(dim=1)),
            "You compare distances (Euclid). Cosine similarity compares directions: [2, 4] is as similar to [1, 2] as "
            "can be.",
        ),
        Wrong(
            _nearest(_cosine, itself=None),
            "Row `index` is its own nearest neighbour. Leave it out: set its similarity to -inf.",
        ),
        Wrong(
            _nearest(_cosine, itself=0.0),
            "You give row `index` the similarity 0, but a row at more than a right angle has less. Set it to "
            "-math.inf.",
        ),
        Wrong(
            _without_the_first,
            "You leave out the first of the order. Another row with the same direction may stand first, and then "
            "row `index` stays in. Set its own similarity to -inf.",
        ),
        Wrong(
            _nearest(lambda vectors, query: -_cosine(vectors, query), itself=math.inf),
            "Your order begins with the least similar row: argsort and sort put the smallest first. "
            "Use descending=True, or topk.",
        ),
        Wrong(
            _nearest(lambda vectors, query: _cosine(vectors, query).abs()),
            "You take the absolute value. A vector in the opposite direction is the least similar, not the most.",
        ),
        Wrong(
            lambda vectors, index, count: _nearest(lambda v, q: v @ q)(vectors / vectors.norm(dim=0), index, count),
            "You divide by the lengths of the columns (dim=0). Each row is a vector: dim=1.",
        ),
        Wrong(
            lambda vectors, index, count: vectors / vectors.norm(dim=1),
            "Sizes that do not fit: norm(dim=1) has the shape (N,), and dividing (N, D) by it needs (N, 1). Write "
            "norm(dim=1, keepdim=True).",
        ),
        Wrong(
            _row_cut_out,
            "You cut row `index` out before you sort, so every row behind it has a number that is too small by one.",
        ),
        Wrong(
            _similarities(lambda top: top.values),
            "You return the similarities. Return the numbers of the rows: topk(...).indices.",
        ),
        Wrong(
            _similarities(lambda top: top),
            "topk gives two tensors, the values and their indices. Return the second: topk(count).indices.",
        ),
        Wrong(
            _normalised_in_place,
            "The rows are right, but `vectors` is changed: /= works in place. Write vectors / vectors.norm(...).",
        ),
    ],
    hints=[
        "Cosine similarity is the dot product of vectors that have length 1. So make every row that long first.",
        "directions = vectors / vectors.norm(dim=1, keepdim=True); then directions @ directions[index].",
        "similarity[index] = -math.inf, and then similarity.topk(count).indices.",
    ],
)
