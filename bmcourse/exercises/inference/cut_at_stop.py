"""The exercise `cut_at_stop`: the text of a stream of tokens ends where the first stop sequence begins."""

import re

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The text of a stream up to the first stop sequence. `pieces` are the texts of its tokens, in order, and "
    "`stops` are the stop sequences; one may lie across several pieces. Without any, the whole text.",
    untried={"stops": {"the same item twice": "it changes nothing"}},
)
def cut_at_stop(pieces, stops):
    text = "".join(pieces)
    places = [text.find(stop) for stop in stops if stop in text]
    return text[: min(places, default=len(text))]


@cut_at_stop.cases
def cases():
    return [
        (["ab", "cd", "ef"], ["e"]),
        (["ab", "cd", "ef"], ["de"]),
        (["Hello", "\n", "You: "], ["\nYou", "x"]),
        (["one", " two", ".", " three."], ["three", "."]),
        (["x", "ab", "c"], ["b", "a", "c"]),
        (["a", "b", "c"], ["d", "cb"]),
        (["a", "b"], []),
        (["stop", "now"], ["stop"]),
        (["aa", "ba", "ab", "a"], ["ab"]),
        (["1", "<", "|", "end", "|", ">", "2"], ["<|end|>"]),
        (["Stop it ", "and ", "stop", "."], ["STOP", "stop"]),
        (["to the ", "en", "d"], ["end"]),
        (["so 5 ", "* 5 = ", "25?"], ["**", "* "]),
        ([" a  ", " ", "b \n"], ["c"]),
        (["ab.c"], ["."]),
        (["a-b", "--c"], ["-", "--"]),
        ([], ["a"]),
    ]


@cut_at_stop.judge
def by_hand(pieces, stops):
    """At every place of the text, the question whether one of the stop sequences stands there."""
    text = [letter for piece in pieces for letter in piece]
    for place in range(len(text)):
        if any(text[place : place + len(stop)] == list(stop) for stop in stops):
            return "".join(text[:place])
    return "".join(text)


@cut_at_stop.right
def by_splitting(pieces, stops):
    text = "".join(pieces)
    for stop in stops:
        text = text.split(stop)[0]
    return text


@cut_at_stop.right
def by_a_pattern(pieces, stops):
    return re.split("|".join(map(re.escape, stops)), "".join(pieces))[0] if stops else "".join(pieces)


@cut_at_stop.right
def by_places(pieces, stops):
    text = "".join(pieces)
    for place in range(len(text)):
        if text.startswith(tuple(stops), place):
            return text[:place]
    return text


@cut_at_stop.right
def by_partition(pieces, stops):
    text = "".join(pieces)
    return min((text.partition(stop)[0] for stop in stops), key=len, default=text)


def cut(places, default=len):
    """A wrong cut: at `places(text, stop sequences in the text)`."""

    def answer(pieces, stops):
        text = "".join(pieces)
        found = [stop for stop in stops if stop in text]
        return text[: places(text, found) if found else default(text)]

    return answer


def first(text, found):
    return min(map(text.find, found))


def after(change):
    """A wrong cut: the right text, changed."""
    return lambda pieces, stops: change(cut_at_stop(pieces, stops))


def prepared(pieces=lambda pieces: pieces, stops=lambda stops: stops):
    """A wrong cut: the right one of changed arguments."""
    return lambda some, ends: cut_at_stop(pieces(some), stops(ends))


def while_reading(seen, stopped, ended=lambda text, piece: text + piece):
    """A wrong cut: piece by piece; where a stop is in `seen(text, piece)`, `stopped(text, piece, stops in it)`."""

    def answer(pieces, stops):
        text = ""
        for piece in pieces:
            if found := [stop for stop in stops if stop in seen(text, piece)]:
                return stopped(text, piece, found)
            text = ended(text, piece)
        return text

    return answer


# The pieces.

cut_at_stop.mistake(
    "You look into each piece by itself. A stop sequence may begin in one token and end in the next: look "
    "into the joined text.",
    piece_by_piece=while_reading(
        lambda text, piece: piece, lambda text, piece, found: text + piece[: min(map(piece.find, found))]
    ),
)
cut_at_stop.mistake(
    "You look into each piece by itself, and cut at the stop sequence that comes first in the list. Look into the "
    "joined text, and cut where the first begins.",
    piece_by_piece_in_the_order_of_the_list=while_reading(
        lambda text, piece: piece, lambda text, piece, found: text + piece[: piece.find(found[0])]
    ),
)
cut_at_stop.mistake(
    "You look into each piece by itself, and drop all of the piece in which a stop sequence is. It may lie across "
    "several pieces, or begin in the middle of one: join the pieces first.",
    piece_by_piece_whole=while_reading(lambda text, piece: piece, lambda text, piece, found: text),
)
cut_at_stop.mistake(
    "You look into each piece by itself, and keep the piece in which a stop sequence is. It may lie across several "
    "pieces, and the text ends before it: join the pieces first.",
    piece_by_piece_kept=while_reading(lambda text, piece: piece, lambda text, piece, found: text + piece),
)
cut_at_stop.mistake(
    "You drop the whole piece in which the stop sequence ends. Cut where it begins: that may be in the middle "
    "of a piece, or one piece earlier.",
    whole_pieces=while_reading(lambda text, piece: text + piece, lambda text, piece, found: text),
)
cut_at_stop.mistake(
    "You return all that was read when a stop sequence is complete. Cut where it begins.",
    all_that_was_read=while_reading(lambda text, piece: text + piece, lambda text, piece, found: text + piece),
)
cut_at_stop.mistake(
    "You ask whether the text ends with a stop sequence after each piece. It may end in the middle of a piece: look "
    "for it anywhere in the text.",
    at_the_end_of_a_piece=lambda pieces, stops: at_the_end(pieces, stops, lambda text, stop: text.removesuffix(stop)),
)
cut_at_stop.mistake(
    "You ask whether the text ends with a stop sequence after each piece, and leave it there. It may end in the middle "
    "of a piece, and the text ends before it.",
    at_the_end_of_a_piece_and_kept=lambda pieces, stops: at_the_end(pieces, stops, lambda text, stop: text),
)


def at_the_end(pieces, stops, stopped):
    text = ""
    for piece in pieces:
        text += piece
        for stop in stops:
            if text.endswith(stop):
                return stopped(text, stop)
    return text


@cut_at_stop.mistake("You drop the whole piece in which the stop sequence begins. Cut inside it: text[:place].")
def piece_where_it_begins(pieces, stops):
    text, end = "", len(cut_at_stop(pieces, stops))
    for piece in pieces:
        if len(text + piece) > end:
            break
        text += piece
    return text


@cut_at_stop.mistake("You keep the whole piece in which the stop sequence begins. Cut inside it: text[:place].")
def piece_where_it_begins_kept(pieces, stops):
    text, end = "", len(cut_at_stop(pieces, stops))
    for piece in pieces:
        if len(text) >= end:
            break
        text += piece
    return text


@cut_at_stop.mistake(
    "You look at two neighbouring pieces at a time. A stop sequence may lie across three and more: join all of them."
)
def two_at_a_time(pieces, stops):
    done, last = "", ""
    for piece in pieces:
        pair = last + piece
        if found := [stop for stop in stops if stop in pair]:
            return done + pair[: first(pair, found)]
        done, last = done + last, piece
    return done + last


cut_at_stop.mistake(
    "You compare whole pieces with the stop sequences. A stop sequence may be a part of a piece, or lie "
    "across several: join the pieces first.",
    piece_is_a_stop=lambda pieces, stops: "".join(
        pieces[: next((i for i, piece in enumerate(pieces) if piece in stops), len(pieces))]
    ),
)
cut_at_stop.mistake(
    "You leave out the pieces that are stop sequences, and go on. The text ends at the first.",
    stops_left_out=lambda pieces, stops: "".join(piece for piece in pieces if piece not in stops),
)
cut_at_stop.mistake(
    "You count pieces where letters are meant: the place in the text is no number of pieces.",
    cut_the_list=lambda pieces, stops: "".join(pieces[: len(cut_at_stop(pieces, stops))]),
)
cut_at_stop.mistake(
    "You take the length of the stop sequence from the end of what was read. It may end in the middle of a piece: cut "
    "where it begins, text[: text.find(stop)].",
    length_from_the_end=while_reading(
        lambda text, piece: text + piece, lambda text, piece, found: (text + piece)[: -len(found[0])]
    ),
)
cut_at_stop.mistake(
    "Where a piece brings two stop sequences, you cut at the one that comes first in the list. Cut at the one that "
    "comes first in the text.",
    reading_in_the_order_of_the_list=while_reading(
        lambda text, piece: text + piece, lambda text, piece, found: (text + piece).split(found[0])[0]
    ),
)

# Which stop sequence, and where.

cut_at_stop.mistake(
    "You cut at the stop sequence that comes first in the list. Cut at the one that comes first in the text.",
    first_in_the_list=cut(lambda text, found: text.find(found[0])),
)
cut_at_stop.mistake(
    "You cut at the stop sequence that comes last in the list. Cut at the one that comes first in the text.",
    last_in_the_list=cut(lambda text, found: text.find(found[-1])),
)
cut_at_stop.mistake(
    "You look for the first of the stop sequences only. Each of them ends the text. If there is a loop, is its "
    "`return` inside?",
    first_stop_only=lambda pieces, stops: "".join(pieces).split(stops[0])[0] if stops else "".join(pieces),
)
cut_at_stop.mistake(
    "You look for the first of the stop sequences only, and without any there is an error. Each of them ends the text.",
    first_stop_or_error=lambda pieces, stops: "".join(pieces).split(stops[0])[0],
)
cut_at_stop.mistake(
    "You look for the last of the stop sequences only. Each of them ends the text: shorten the same text in every "
    "round.",
    last_stop_only=lambda pieces, stops: "".join(pieces).split(stops[-1])[0] if stops else "".join(pieces),
)
cut_at_stop.mistake(
    "You ask for all stop sequences to be there. One is enough: any, not all.",
    all_needed=lambda pieces, stops: cut_at_stop(pieces, stops if all(s in "".join(pieces) for s in stops) else []),
)
cut_at_stop.mistake(
    "You cut at the last of the stop sequences. The first in the text ends it.",
    last_of_the_stops=cut(lambda text, found: max(map(text.find, found))),
)
cut_at_stop.mistake(
    "You cut where a stop sequence occurs last: rfind. It ends the text where it occurs first.",
    last_occurrence=cut(lambda text, found: min(map(text.rfind, found))),
)
cut_at_stop.mistake(
    "You cut each stop sequence where it occurs last: rsplit, rpartition or rfind. It ends the text where it occurs "
    "first: split(stop)[0].",
    last_occurrence_of_each=lambda pieces, stops: split_all(
        "".join(pieces), stops, lambda t, stop: t.rsplit(stop, 1)[0]
    ),
)
cut_at_stop.mistake(
    "You return what comes after the last stop sequence. It is the text before the first: split(stop)[0].",
    after_the_last=lambda pieces, stops: split_all("".join(pieces), stops, lambda t, stop: t.split(stop)[-1]),
)
cut_at_stop.mistake(
    "You return the text after the stop sequence: split(stop)[1]. It is the text before it, [0].",
    second_part=lambda pieces, stops: split_all("".join(pieces), stops, lambda t, stop: t.split(stop)[1]),
)
cut_at_stop.mistake(
    "split() takes one text, and `stops` is a list of them. Go through it: for stop in stops.",
    list_given_to_split=lambda pieces, stops: "".join(pieces).split(stops)[0],
)
cut_at_stop.mistake(
    "find() takes one text, and `stops` is a list of them. Go through it: for stop in stops.",
    list_given_to_find=lambda pieces, stops: "".join(pieces)[: "".join(pieces).find(stops)],
)
cut_at_stop.mistake(
    "`stops in text` asks for one text, and `stops` is a list of them. Go through it: for stop in stops.",
    list_in_text=lambda pieces, stops: "".join(pieces) if stops in "".join(pieces) else "",
)
cut_at_stop.mistake(
    "`pieces` is a list, which has no find() and no split(). Join it first: ''.join(pieces).",
    pieces_not_joined_for_find=lambda pieces, stops: pieces.find(stops[0]),
)
cut_at_stop.mistake(
    "`pieces` is a list, which has no split(). Join it first: ''.join(pieces).",
    pieces_not_joined_for_split=lambda pieces, stops: pieces.split(stops[0]),
)
cut_at_stop.mistake(
    "You cut at the longest stop sequence. Cut at the one that comes first in the text.",
    longest_stop=cut(lambda text, found: text.find(max(found, key=len))),
)
cut_at_stop.mistake(
    "The stop sequence is still there. The text ends before it.",
    stop_still_there=cut(lambda text, found: min(text.find(stop) + len(stop) for stop in found)),
)
cut_at_stop.mistake(
    "One letter of the stop sequence is still there. text[:place] ends before `place`: do not add 1.",
    one_letter_more=cut(lambda text, found: first(text, found) + 1),
)
cut_at_stop.mistake(
    "One letter too few. text[:place] ends before `place`: do not subtract 1.",
    one_letter_less=cut(lambda text, found: max(first(text, found) - 1, 0)),
)
cut_at_stop.mistake(
    "One letter too few, and where the stop sequence begins the text, text[:-1] leaves nearly all. text[:place] ends "
    "before `place`: do not subtract 1.",
    one_letter_less_or_minus_one=cut(lambda text, found: first(text, found) - 1),
)
cut_at_stop.mistake(
    "You return what comes after the stop sequence. The text ends before it.",
    text_after=lambda pieces, stops: (
        "".join(pieces)[len(cut_at_stop(pieces, stops)) :]
        if any(stop in "".join(pieces) for stop in stops)
        else "".join(pieces)
    ),
)
cut_at_stop.mistake(
    "You take the stop sequences out of the text, and leave what comes after them. The text ends at the first.",
    taken_out=lambda pieces, stops: without("".join(pieces), stops),
)
cut_at_stop.mistake(
    "You cut at single letters of the stop sequences. All of a stop sequence must stand there.",
    letters_of_the_stops=prepared(stops=lambda stops: [letter for stop in stops for letter in stop]),
)
cut_at_stop.mistake(
    "You join the stop sequences into one. Each of them ends the text by itself.",
    stops_joined=prepared(stops=lambda stops: ["".join(stops)] if stops else []),
)
cut_at_stop.mistake(
    "You look for the stop sequences at the end of the text only. One in the middle ends it too.",
    end_of_the_text_only=lambda pieces, stops: stripped("".join(pieces), stops),
)
cut_at_stop.mistake(
    "strip() takes single letters from both ends of the text. Look for the whole stop sequence: find().",
    letters_stripped=lambda pieces, stops: letters_stripped("".join(pieces), stops),
)


def split_all(text, stops, part):
    for stop in stops:
        if stop in text:
            text = part(text, stop)
    return text


def without(text, stops):
    for stop in stops:
        text = text.replace(stop, "")
    return text


def stripped(text, stops):
    for stop in stops:
        text = text.removesuffix(stop)
    return text


def letters_stripped(text, stops):
    for stop in stops:
        text = text.strip(stop)
    return text


# find(), index(), min() and patterns.

cut_at_stop.mistake(
    "find() gives -1 for a stop sequence that is not there, and text[:-1] loses the last letter. Take only "
    "those that are in the text.",
    not_found_is_minus_one=lambda pieces, stops: "".join(pieces)[
        : min(["".join(pieces).find(stop) for stop in stops], default=len("".join(pieces)))
    ],
)
cut_at_stop.mistake(
    "find() gives -1 for a stop sequence that is not there, and text[:-1] loses the last letter; and without any stop "
    "sequences min() has nothing to choose from. Take only those in the text, and min(..., default=len(text)).",
    not_found_is_minus_one_or_error=lambda pieces, stops: "".join(pieces)[
        : min("".join(pieces).find(stop) for stop in stops)
    ],
)
cut_at_stop.mistake(
    "find() gives -1 for a stop sequence that is not there, and you cut there all the same: text[:-1] loses the last "
    "letter, once for each. Ask first whether it is in the text.",
    cut_at_minus_one=lambda pieces, stops: each_cut("".join(pieces), stops),
)
cut_at_stop.mistake(
    "A stop sequence at the very beginning is missed: find() gives 0 for it, and -1 for none. Compare with >= 0, or "
    "!= -1.",
    beginning_missed=lambda pieces, stops: at_positive("".join(pieces), stops),
)
cut_at_stop.mistake(
    "Where no stop sequence is found, min() has nothing to choose from and raises an error. Return the whole text "
    "then: min(..., default=len(text)).",
    min_of_nothing=cut(first, default=lambda text: min(())),
)
cut_at_stop.mistake(
    "index() raises an error for a stop sequence that is not there. find() gives -1; or ask first whether it is in the "
    "text.",
    index_of_what_is_not_there=lambda pieces, stops: "".join(pieces)[
        : min(["".join(pieces).index(stop) for stop in stops], default=len("".join(pieces)))
    ],
)
cut_at_stop.mistake(
    "A stop sequence is no pattern: `.`, `*`, `|` and `?` mean other things there. Use re.escape(stop), or find().",
    not_escaped=lambda pieces, stops: by_search(pieces, stops, str),
)
cut_at_stop.mistake(
    "Without stop sequences there is nothing left: your pattern or your search finds the empty text at once. Return "
    "the whole text then.",
    nothing_without_stops=lambda pieces, stops: cut_at_stop(pieces, stops) if stops else "",
)
cut_at_stop.mistake(
    "Without a stop sequence nothing is left. Then the whole text is the answer.",
    nothing_left=cut(first, default=lambda text: 0),
)
cut_at_stop.mistake(
    "Without a stop sequence the last letter is lost: text[:-1]. Then the whole text is the answer.",
    last_letter_lost=cut(first, default=lambda text: -1),
)
cut_at_stop.mistake(
    "Where no stop sequence is in the text, you return None. Is there a `return` for that case?",
    none_without_a_stop=lambda pieces, stops: (
        cut_at_stop(pieces, stops) if any(stop in "".join(pieces) for stop in stops) else None
    ),
)
cut_at_stop.mistake(
    "You never stop: cut the text where a stop sequence begins.", never_stops=lambda pieces, stops: "".join(pieces)
)
cut_at_stop.mistake(
    "You return nothing but an empty text. Return what comes before the stop sequence.", empty=lambda p, s: ""
)
cut_at_stop.mistake(
    "You return the first piece only. Join all pieces up to the stop sequence.",
    first_piece_only=lambda pieces, stops: cut_at_stop(pieces[:1], stops),
)
cut_at_stop.mistake(
    "The last piece is missing. All that comes before a stop sequence belongs to the text.",
    last_piece_missing=lambda pieces, stops: cut_at_stop(pieces[:-1], stops),
)


def each_cut(text, stops):
    for stop in stops:
        text = text[: text.find(stop)]
    return text


def at_positive(text, stops):
    return text[: min([place for place in map(text.find, stops) if place > 0], default=len(text))]


def by_search(pieces, stops, escape):
    found = re.search("|".join(map(escape, stops)), "".join(pieces)) if stops else None
    return "".join(pieces)[: found.start()] if found else "".join(pieces)


# The text.

cut_at_stop.mistake(
    'You do not tell capital letters from small ones. "Stop" is not the stop sequence "stop".',
    capitals_ignored=lambda pieces, stops: "".join(pieces)[
        : len(cut_at_stop([piece.lower() for piece in pieces], [stop.lower() for stop in stops]))
    ],
)
cut_at_stop.mistake(
    "You change capital letters into small ones. The text stays as it is.",
    in_small_letters=prepared(
        lambda pieces: [piece.lower() for piece in pieces], lambda stops: [s.lower() for s in stops]
    ),
)
cut_at_stop.mistake(
    "You take spaces and line ends from the ends of the text. They belong to it.", stripped_text=after(str.strip)
)
cut_at_stop.mistake(
    "You take spaces and line ends from the end of the text. They belong to it.", stripped_at_its_end=after(str.rstrip)
)
cut_at_stop.mistake(
    'You strip the stop sequences. A line end or a space belongs to them: "\\nYou" is not "You".',
    stripped_stops=prepared(stops=lambda stops: [stop.strip() for stop in stops]),
)
cut_at_stop.mistake(
    "You strip the pieces. Their spaces and line ends belong to the text.",
    stripped_pieces=prepared(lambda pieces: [piece.strip() for piece in pieces]),
)
cut_at_stop.mistake(
    "You join the pieces with spaces. The tokens have their own: ''.join(pieces).",
    joined_with_spaces=prepared(lambda pieces: [" ".join(pieces)]),
)
cut_at_stop.mistake(
    "You join the pieces with line ends. The tokens have their own: ''.join(pieces).",
    joined_with_line_ends=prepared(lambda pieces: ["\n".join(pieces)]),
)
cut_at_stop.mistake(
    "You join the pieces in the wrong order: put each behind the text, text + piece.",
    reversed_pieces=prepared(lambda pieces: pieces[::-1]),
)
cut_at_stop.mistake("You return a list of letters. Return one text: ''.join(...).", list_of_letters=after(list))
cut_at_stop.mistake(
    "You return a list with one text. Return the text itself.", text_in_a_list=after(lambda text: [text])
)
cut_at_stop.mistake("You return the place. Return the text before it: text[:place].", place_only=after(len))
cut_at_stop.mistake(
    "You return the text before each stop sequence. Return the shortest of them.",
    one_text_a_stop=lambda pieces, stops: ["".join(pieces).split(stop)[0] for stop in stops],
)
cut_at_stop.mistake(
    "You return pieces. Return one text: ''.join(...).",
    pieces_not_joined=lambda pieces, stops: pieces[: len(cut_at_stop(pieces, stops))],
)


cut_at_stop.hints(
    "Join the pieces first; then it does not matter any more where one ends.",
    "text.find(stop) says where a stop sequence begins. What does it say when there is none?",
    "places = [text.find(stop) for stop in stops if stop in text]; cut at the smallest, if there is one.",
)
