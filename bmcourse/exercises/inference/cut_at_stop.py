"""The exercise `cut_at_stop` of lesson 07."""

import re

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The text of a stream up to the first stop sequence. `pieces` are the texts of its tokens, in order, and "
    "`stops` are the stop sequences; one may lie across several pieces. Without any, the whole text."
)
def cut_at_stop(pieces, stops):
    text = "".join(pieces)
    places = [text.find(stop) for stop in stops if stop in text]
    return text[: min(places, default=len(text))]


@cut_at_stop.right
def cut_by_splitting(pieces, stops):
    text = "".join(pieces)
    for stop in stops:
        text = text.split(stop)[0]
    return text


@cut_at_stop.right
def cut_by_pattern(pieces, stops):
    return re.split("|".join(map(re.escape, stops)), "".join(pieces))[0] if stops else "".join(pieces)


@cut_at_stop.right
def cut_while_reading(pieces, stops):
    text = ""
    for letter in "".join(pieces):
        text += letter
        for stop in stops:
            if text.endswith(stop):
                return text.removesuffix(stop)
    return text


@cut_at_stop.judge
def cut_by_hand(pieces, stops):
    """At every place of the text, the question whether one of the stop sequences stands there."""
    text = [letter for piece in pieces for letter in piece]
    for place in range(len(text)):
        if any(text[place : place + len(stop)] == list(stop) for stop in stops):
            return "".join(text[:place])
    return "".join(text)


@cut_at_stop.mistake(
    "You look into each piece by itself. A stop sequence may begin in one token and end in the next: look "
    "into the joined text."
)
def piece_by_piece(pieces, stops):
    text = ""
    for piece in pieces:
        places = [piece.find(stop) for stop in stops if stop in piece]
        if places:
            return text + piece[: min(places)]
        text += piece
    return text


@cut_at_stop.mistake(
    "You drop the whole piece in which the stop sequence ends. Cut where it begins: that may be in the middle "
    "of a piece, or one piece earlier."
)
def whole_pieces(pieces, stops):
    text = ""
    for piece in pieces:
        if any(stop in text + piece for stop in stops):
            return text
        text += piece
    return text


@cut_at_stop.mistake(
    "You compare whole pieces with the stop sequences. A stop sequence may be a part of a piece, or lie "
    "across several: join the pieces first."
)
def piece_is_a_stop(pieces, stops):
    text = ""
    for piece in pieces:
        if piece in stops:
            return text
        text += piece
    return text


@cut_at_stop.mistake(
    "find() gives -1 for a stop sequence that is not there, and text[:-1] loses the last letter. Take only "
    "those that are in the text."
)
def not_found_is_minus_one(pieces, stops):
    text = "".join(pieces)
    return text[: min([text.find(stop) for stop in stops], default=len(text))]


def _cut(places, default=len):
    """A wrong cut: at `places(text, stop sequences in the text)`."""

    def answer(pieces, stops):
        text = "".join(pieces)
        found = [stop for stop in stops if stop in text]
        return text[: places(text, found) if found else default(text)]

    return answer


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
    ]


cut_at_stop.mistake(
    "You cut at the stop sequence that comes first in the list. Cut at the one that comes first in the text.",
    TODO_77=_cut(lambda text, found: text.find(found[0])),
)


cut_at_stop.mistake(
    "You cut at the last of the stop sequences. The first in the text ends it.",
    TODO_78=_cut(lambda text, found: max(map(text.find, found))),
)


cut_at_stop.mistake(
    "The stop sequence is still there. The text ends before it.",
    TODO_79=_cut(lambda text, found: min(text.find(stop) + len(stop) for stop in found)),
)


cut_at_stop.mistake(
    "You cut where a stop sequence occurs last: rfind. It ends the text where it occurs first.",
    TODO_80=_cut(lambda text, found: min(map(text.rfind, found))),
)


cut_at_stop.mistake(
    "Without a stop sequence nothing is left. Then the whole text is the answer.",
    TODO_81=_cut(lambda text, found: min(map(text.find, found)), default=lambda text: 0),
)


cut_at_stop.mistake(
    "You join the pieces with spaces. The tokens have their own: ''.join(pieces).",
    TODO_82=lambda pieces, stops: cut_at_stop([" ".join(pieces)], stops),
)


cut_at_stop.mistake(
    "You never stop: cut the text where a stop sequence begins.", TODO_83=lambda pieces, stops: "".join(pieces)
)


cut_at_stop.mistake(
    "You return a list. Return one text: ''.join(...).", TODO_84=lambda pieces, stops: list(cut_at_stop(pieces, stops))
)


cut_at_stop.hints(
    "Join the pieces first; then it does not matter any more where one ends.",
    "text.find(stop) says where a stop sequence begins. What does it say when there is none?",
    "places = [text.find(stop) for stop in stops if stop in text]; cut at the smallest, if there is one.",
)
