"""The exercise `merge_pair` of lesson 02: put one new token in place of a pair, as byte-pair encoding does."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="A new list: `ids` with the token `new` wherever the two tokens of `pair`, a tuple, stand side by side. "
    "From the left, without overlaps: [1, 1, 1] with the pair (1, 1) becomes [new, 1].",
    untried={"pair": {"one item": "a pair has two"}},
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


@merge_pair.cases
def cases():
    return [
        ([5, 6, 7], (5, 6), 256),
        ([1, 1, 1], (1, 1), 256),
        ([3, 5, 6, 5, 6], (5, 6), 256),
        ([6, 5, 8, 6, 6, 5], (5, 6), 257),
        ([15, 6, 2, 5, 60], (5, 6), 258),
        ([1, 1, 1, 1, 2, 1, 1], (1, 1), 300),
        ([5, 7, 4, 7, 5, 6, 7, 8], (5, 6), 256),  # 4 + 7 is 5 + 6
        ([0, 0, 5, 0, 256, 0], (256, 0), 257),
        ([], (5, 6), 256),
        ([5], (5, 6), 256),
        (torch.randint(3, (40,)).tolist(), (1, 2), 256),
    ]


@merge_pair.run
def a_list_of_its_own(answer, ids, pair, new):
    before = list(ids)
    merged = answer(ids, pair, new)
    if merged is ids and ids == before:
        raise Mistake(
            "Where there is nothing to merge you return `ids` itself, and who changes one then changes the other. "
            "Build a new list, or return list(ids)."
        )
    return merged


@merge_pair.right
def onto_a_stack(ids, pair, new):
    merged, open_end = [], False  # whether the last token of `merged` may still go into a pair
    for token in ids:
        if open_end and (merged[-1], token) == pair:
            merged[-1], open_end = new, False
        else:
            merged.append(token)
            open_end = True
    return merged


@merge_pair.right
def by_recursion(ids, pair, new):
    if len(ids) < 2:
        return list(ids)
    if (ids[0], ids[1]) == pair:
        return [new, *by_recursion(ids[2:], pair, new)]
    return [ids[0], *by_recursion(ids[1:], pair, new)]


@merge_pair.right
def in_a_copy(ids, pair, new):
    ids, i = ids.copy(), 0
    while i + 1 < len(ids):
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            ids[i : i + 2] = [new]
        i += 1
    return ids


@merge_pair.right
def as_characters(ids, pair, new):
    return list(map(ord, "".join(map(chr, ids)).replace("".join(map(chr, pair)), chr(new))))


@merge_pair.right
def with_a_flag(ids, pair, new):
    merged, used = [], False
    for token, following in zip(ids, [*ids[1:], None], strict=False):
        if used:
            used = False
            continue
        used = (token, following) == pair
        merged.append(new if used else token)
    return merged


def where(is_pair, put=lambda new, a, b: [new]):
    """The answer that goes from the left and puts `put(new, a, b)` where `is_pair(a, b, pair)`."""

    def answer(ids, pair, new):
        merged, i = [], 0
        while i < len(ids):
            if i + 1 < len(ids) and is_pair(ids[i], ids[i + 1], pair):
                merged += put(new, ids[i], ids[i + 1])
                i += 2
            else:
                merged.append(ids[i])
                i += 1
        return merged

    return answer


def found(a, b, pair):
    return (a, b) == pair


merge_pair.mistake(
    "You never merge. Is a list compared with a tuple? [5, 6] == (5, 6) is False: write tuple(ids[i : i + 2]) == pair.",
    never=lambda ids, pair, new: list(ids),
)
merge_pair.mistake(
    "You merge from the right. In [1, 1, 1] that leaves the wrong 1: begin at the left.",
    from_the_right=lambda ids, pair, new: merge_pair(ids[::-1], pair[::-1], new)[::-1],
)
merge_pair.mistake(
    "You merge (6, 5) as well as (5, 6). The order matters: only pair[0] followed by pair[1] counts.",
    either_order=where(lambda a, b, pair: {a, b} == set(pair)),
)
merge_pair.mistake(
    "You merge the pair turned round: pair[0] is the left one of the two, pair[1] the right one.",
    turned_round=where(lambda a, b, pair: (b, a) == pair),
)
merge_pair.mistake(
    "You look at the first token of the pair only. The next one must be pair[1].",
    first_token_only=where(lambda a, b, pair: a == pair[0]),
)
merge_pair.mistake(
    "You look at the second token of the pair only. The one before it must be pair[0].",
    second_token_only=where(lambda a, b, pair: b == pair[1]),
)
merge_pair.mistake(
    "You merge where one of the two tokens fits. Both must: `and`, not `or`.",
    one_of_them_is_enough=where(lambda a, b, pair: a == pair[0] or b == pair[1]),
)
merge_pair.mistake(
    "You merge any two neighbours that both belong to the pair: (5, 5) too where the pair is (5, 6). Compare in order: "
    "(ids[i], ids[i + 1]) == pair.",
    both_somewhere_in_it=where(lambda a, b, pair: a in pair and b in pair),
)
merge_pair.mistake(
    "You compare the sum of the two tokens: 4 + 7 is also 5 + 6. Compare the tokens.",
    by_the_sum=where(lambda a, b, pair: a + b == sum(pair)),
)
merge_pair.mistake(
    "You never merge a pair of two equal tokens. (1, 1) is a pair like any other.",
    equal_tokens_left_out=where(lambda a, b, pair: a != b and (a, b) == pair),
)
merge_pair.mistake(
    "You put `new` in each of the two places. One new token stands for both.",
    twice=where(found, lambda new, a, b: [new, new]),
)
merge_pair.mistake(
    "The first token of the pair stays before the new one. `new` stands in place of both.",
    keeps_the_first=where(found, lambda new, a, b: [a, new]),
)
merge_pair.mistake(
    "`new` comes behind the pair, and the pair stays. It stands in place of both.",
    keeps_both=where(found, lambda new, a, b: [a, b, new]),
)
merge_pair.mistake(
    "The pair is gone, but `new` is not there. Append it.", drops_the_pair=where(found, lambda new, a, b: [])
)
merge_pair.mistake(
    "You put a list into the list: [[256], 7]. Append the token itself.",
    nested=where(found, lambda new, a, b: [[new]]),
)
merge_pair.mistake(
    "You put the pair in as a tuple. Put the token `new` there.", tuples=where(found, lambda new, a, b: [(a, b)])
)
merge_pair.mistake(
    "Your new token is always 256. Use the argument `new`.", always_256=where(found, lambda new, a, b: [256])
)
merge_pair.mistake(
    "You replace each of the two tokens wherever it stands. They count only side by side, and together become "
    "one token.",
    each_token=lambda ids, pair, new: [new if token in pair else token for token in ids],
)
merge_pair.mistake(
    "All other tokens are lost. Where the pair is not, append ids[i].",
    others_lost=lambda ids, pair, new: [new] * merge_pair(ids, pair, None).count(None),
)
merge_pair.mistake(
    "You return a tensor. The tokens of a text are a list here.",
    a_tensor=lambda ids, pair, new: torch.tensor(merge_pair(ids, pair, new)),
)
merge_pair.mistake(
    "You return a text. Return a list of numbers.", a_text=lambda ids, pair, new: str(merge_pair(ids, pair, new))
)


@merge_pair.mistake(
    "The second token of the pair stays behind the new one. It is used up: go on two places further. (In a `for` loop "
    "`i += 2` has no effect: use `while`.)"
)
def keeps_the_second(ids, pair, new):
    return [new if tuple(ids[i : i + 2]) == pair else ids[i] for i in range(len(ids))]


@merge_pair.mistake(
    "The second token of the pair stays behind the new one, and the last token of all is lost. In a `for` loop `i += "
    "2` has no effect: use `while i < len(ids)`."
)
def keeps_the_second_loses_the_last(ids, pair, new):
    return [new if tuple(ids[i : i + 2]) == pair else ids[i] for i in range(len(ids) - 1)]


@merge_pair.mistake("`new` is put between the two, and both stay. It stands in place of both.")
def put_between(ids, pair, new):
    merged = []
    for i, token in enumerate(ids):
        merged += [token, new] if tuple(ids[i : i + 2]) == pair else [token]
    return merged


@merge_pair.mistake("You go on by two places even where nothing was merged, and lose tokens. There, go on by one.")
def steps_of_two(ids, pair, new):
    return [new if tuple(ids[i : i + 2]) == pair else ids[i] for i in range(0, len(ids), 2)]


@merge_pair.mistake(
    "You cut the list into twos and look at these only. The pair may begin at any place: where it is not, go on by one."
)
def in_twos(ids, pair, new):
    twos = [ids[i : i + 2] for i in range(0, len(ids), 2)]
    return [token for two in twos for token in ([new] if tuple(two) == pair else two)]


@merge_pair.mistake("You lose the token after each pair: you go on by three places. The pair has two.")
def steps_of_three(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        merged.append(new if tuple(ids[i : i + 2]) == pair else ids[i])
        i += 3 if tuple(ids[i : i + 2]) == pair else 1
    return merged


def up_to_the_last(ids, pair, new, rest):
    """Goes on while there is a next token; then `rest(i)` gives what is appended."""
    merged, i = [], 0
    while i < len(ids) - 1:
        hit = (ids[i], ids[i + 1]) == pair
        merged.append(new if hit else ids[i])
        i += 2 if hit else 1
    return merged + rest(i)


merge_pair.mistake(
    "The last token is lost when it is in no pair. Let the loop run to the end: while i < len(ids).",
    loses_the_last=lambda ids, pair, new: up_to_the_last(ids, pair, new, lambda i: []),
)
merge_pair.mistake(
    "You always append the last token, also where it is in a pair and used up. Append it only where i has not gone "
    "past it.",
    last_always_appended=lambda ids, pair, new: up_to_the_last(ids, pair, new, lambda i: ids[-1:]),
)


@merge_pair.mistake(
    "You always append the last token, also where it is in a pair and used up; and an empty list has none. Let the "
    "loop run to the end: while i < len(ids)."
)
def last_of_none(ids, pair, new):
    return up_to_the_last(ids, pair, new, lambda i: [ids[-1]])


@merge_pair.mistake(
    "The last token has no neighbour: ids[i + 1] does not exist there. ids[i : i + 2] is safe: it is just "
    "shorter at the end."
)
def behind_the_end(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        hit = (ids[i], ids[i + 1]) == pair
        merged.append(new if hit else ids[i])
        i += 2 if hit else 1
    return merged


@merge_pair.mistake(
    "The last token has no neighbour, and you fail where it is pair[0]: ids[i + 1] does not exist there. "
    "ids[i : i + 2] is safe: it is just shorter at the end."
)
def behind_the_end_now_and_then(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        hit = ids[i] == pair[0] and ids[i + 1] == pair[1]
        merged.append(new if hit else ids[i])
        i += 2 if hit else 1
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


@merge_pair.mistake(
    "The list gets shorter while `for` still counts to its old length, and `ids` itself is changed. Use `while i < "
    "len(ids)`, and build a new list."
)
def while_the_input_shrinks(ids, pair, new):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            ids[i] = new
            del ids[i + 1]
    return ids


@merge_pair.mistake("You merge the first place only. Go on to the end: the pair may come again.")
def first_place_only(ids, pair, new):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new, *ids[i + 2 :]]
    return list(ids)


@merge_pair.mistake(
    "You stop at the first pair: what comes behind it is lost. Is there a `return` or `break` inside the loop?"
)
def stops_at_the_first(ids, pair, new):
    merged = merge_pair(ids, pair, new)
    return merged[: merged.index(new) + 1] if new in merged else merged


@merge_pair.mistake(
    "Your pairs overlap: in [1, 1, 1] the middle 1 belongs to two of them. Once merged, a token is used up."
)
def overlapping(ids, pair, new):
    """Marks every place where the pair starts, and leaves out what follows a mark, overlaps included."""
    starts = [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair]
    return [new if i in starts else token for i, token in enumerate(ids) if i in starts or i - 1 not in starts]


@merge_pair.mistake(
    "Your pairs overlap: in [1, 1, 1] both ends take the 1 in the middle, and one token is left. Leave out the next "
    "place only where a pair was really merged."
)
def used_up_twice(ids, pair, new):
    used = {i + d for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair for d in (0, 1)}
    return [new if i in used else token for i, token in enumerate(ids) if i not in used or i - 1 not in used]


@merge_pair.mistake(
    "You search in a text of digits: there '5 6' is also found in '15 6' and '5 60'. Compare the numbers."
)
def in_digits(ids, pair, new):
    text = " ".join(map(str, ids)).replace(" ".join(map(str, pair)), str(new))
    return [int(number) for number in text.split()]


@merge_pair.mistake(
    "`bytes()` holds numbers below 256 only, and merged tokens are larger: after the first merge your code fails. Go "
    "through the list of numbers."
)
def as_bytes(ids, pair, new):
    first, *others = bytes(ids).split(bytes(pair))
    return [*first, *(token for part in others for token in (new, *part))]


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


@merge_pair.mistake(
    "You return right numbers, but pop() and del have emptied `ids` itself on the way. Go through it with an index."
)
def eaten_up(ids, pair, new):
    merged = merge_pair(ids, pair, new)
    ids.clear()
    return merged


@merge_pair.mistake(
    "Where there is nothing to merge you return `ids` itself, and who changes one then changes the other. Build "
    "a new list, or return list(ids)."
)
def itself(ids, pair, new):
    merged = merge_pair(ids, pair, new)
    return ids if merged == ids else merged


merge_pair.hints(
    "Go through the list with an index: at each place, is this token and the next one the pair?",
    "If so, append `new` and go on by 2. Otherwise append ids[i] and go on by 1.",
    "Use `while i < len(ids)`, and tuple(ids[i : i + 2]) == pair, which is safe at the end.",
)
