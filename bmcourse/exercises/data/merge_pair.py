"""The exercise `merge_pair` of lesson 02."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="A new list: `ids` with the token `new` wherever the two tokens of `pair`, a tuple, stand side by side. "
    "From the left, without overlaps: [1, 1, 1] with the pair (1, 1) becomes [new, 1]."
)
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


@merge_pair.right
def merge_onto_a_stack(ids, pair, new):
    merged, open_end = [], False  # whether the last token of `merged` may still go into a pair
    for token in ids:
        if open_end and (merged[-1], token) == pair:
            merged[-1], open_end = new, False
        else:
            merged.append(token)
            open_end = True
    return merged


@merge_pair.right
def merge_by_recursion(ids, pair, new):
    if len(ids) < 2:
        return list(ids)
    if (ids[0], ids[1]) == pair:
        return [new, *merge_by_recursion(ids[2:], pair, new)]
    return [ids[0], *merge_by_recursion(ids[1:], pair, new)]


@merge_pair.right
def merge_a_copy(ids, pair, new):
    ids, i = ids.copy(), 0
    while i + 1 < len(ids):
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            ids[i : i + 2] = [new]
        i += 1
    return ids


@merge_pair.mistake("The second token of the pair stays behind the new one. It is used up: go on two places further.")
def keeps_the_second(ids, pair, new):
    return [new if tuple(ids[i : i + 2]) == pair else ids[i] for i in range(len(ids))]


@merge_pair.mistake("The last token is lost when it is in no pair. Let the loop run to the end: while i < len(ids).")
def loses_the_last(ids, pair, new):
    merged, i = [], 0
    while i < len(ids) - 1:
        found = (ids[i], ids[i + 1]) == pair
        merged.append(new if found else ids[i])
        i += 2 if found else 1
    return merged


@merge_pair.mistake(
    "The last token has no neighbour: ids[i + 1] does not exist there. ids[i : i + 2] is safe: it is just "
    "shorter at the end."
)
def looks_behind_the_end(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        found = (ids[i], ids[i + 1]) == pair
        merged.append(new if found else ids[i])
        i += 2 if found else 1
    return merged


@merge_pair.mistake(
    "The list gets shorter while `for` still counts to its old length. Use `while i < len(ids)`, and build a new list."
)
def while_it_shrinks(ids, pair, new):
    ids = ids.copy()
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new]
    return ids


@merge_pair.mistake("You merge the first place only. Go on to the end: the pair may come again.")
def first_only(ids, pair, new):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new, *ids[i + 2 :]]
    return list(ids)


@merge_pair.mistake(
    "Your pairs overlap: in [1, 1, 1] the middle 1 belongs to two of them. Once merged, a token is used up."
)
def overlapping(ids, pair, new):
    """Marks every place where the pair starts, and leaves out what follows a mark, overlaps included."""
    starts = [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair]
    return [new if i in starts else token for i, token in enumerate(ids) if i in starts or i - 1 not in starts]


@merge_pair.mistake(
    "You search in a text of digits: there '5 6' is also found in '15 6' and '5 60'. Compare the numbers."
)
def in_digits(ids, pair, new):
    text = " ".join(map(str, ids)).replace(" ".join(map(str, pair)), str(new))
    return [int(number) for number in text.split()]


@merge_pair.mistake(
    "The result is right, but `ids` itself is changed: ids[i : i + 2] = ... works in place. Build a new list."
)
def in_place(ids, pair, new):
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new]
        i += 1
    return ids


@merge_pair.cases
def cases():
    return [
        ([5, 6, 7], (5, 6), 256),
        ([1, 1, 1], (1, 1), 256),
        ([3, 5, 6, 5, 6], (5, 6), 256),
        ([6, 5, 8, 6, 6, 5], (5, 6), 257),
        ([15, 6, 2, 5, 60], (5, 6), 258),
        ([1, 1, 1, 1, 2, 1, 1], (1, 1), 300),
        ([], (5, 6), 256),
        ([5], (5, 6), 256),
        (torch.randint(3, (40,)).tolist(), (1, 2), 256),
    ]


merge_pair.mistake(
    "You never merge. Is a list compared with a tuple? [5, 6] == (5, 6) is False: write tuple(ids[i : i + 2]) == pair.",
    TODO_10=lambda ids, pair, new: list(ids),
)


merge_pair.mistake(
    "You merge from the right. In [1, 1, 1] that leaves the wrong 1: begin at the left.",
    TODO_11=lambda ids, pair, new: merge_pair(ids[::-1], pair[::-1], new)[::-1],
)


merge_pair.mistake(
    "You merge (6, 5) as well as (5, 6). The order matters: only pair[0] followed by pair[1] counts.",
    TODO_12=lambda ids, pair, new: merge_pair(merge_pair(ids, pair, new), pair[::-1], new),
)


merge_pair.mistake(
    "You replace each of the two tokens wherever it stands. They count only side by side, and together become "
    "one token.",
    TODO_13=lambda ids, pair, new: [new if token in pair else token for token in ids],
)


merge_pair.hints(
    "Go through the list with an index: at each place, is this token and the next one the pair?",
    "If so, append `new` and go on by 2. Otherwise append ids[i] and go on by 1.",
    "Use `while i < len(ids)`, and tuple(ids[i : i + 2]) == pair, which is safe at the end.",
)
