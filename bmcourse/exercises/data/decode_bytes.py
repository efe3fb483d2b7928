"""The exercise `decode_bytes` of lesson 02."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The text of a list of tokens. A token below 256 is a byte; token 256 + i stands for the pair of tokens "
    "merges[i]. The bytes are UTF-8; bytes that are none become \ufffd (errors='replace')."
)
def decode_bytes(ids, merges):
    pieces = [bytes([byte]) for byte in range(256)]
    for first, second in merges:
        pieces.append(pieces[first] + pieces[second])
    return b"".join(pieces[i] for i in ids).decode("utf-8", errors="replace")


@decode_bytes.right
def decode_by_recursion(ids, merges):
    def bytes_of(i):
        return bytes([i]) if i < 256 else b"".join(map(bytes_of, merges[i - 256]))

    return b"".join(map(bytes_of, ids)).decode(errors="replace")


@decode_bytes.right
def decode_by_undoing(ids, merges):
    for token in reversed(range(256, 256 + len(merges))):
        ids = [part for i in ids for part in (merges[token - 256] if i == token else (i,))]
    return str(bytes(ids), "utf-8", "replace")


@decode_bytes.right
def decode_with_a_stack(ids, merges):
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


@decode_bytes.cases
def cases():
    return [
        ([104, 105], []),
        ([256, 33], [(104, 105)]),
        ([257, 32, 256], [(97, 98), (256, 99)]),
        ([256, 173, 33], [(228, 184)]),
        ([195, 169, 0, 255], []),
        ([259, 257], [(230, 168), (229, 158), (257, 139), (256, 161)]),
        ([255, 258, 206, 177, 240, 159], [(65, 66), (256, 67), (257, 68)]),
        (torch.randint(97, 123, (12,)).tolist() + [256], [(228, 189)]),
    ]


decode_bytes.mistake(
    "You decode each token by itself. A character of several bytes may be spread over several tokens: join "
    "all bytes first, then decode once.",
    TODO_14=lambda ids, merges: "".join(bytes(_bytes_of([i], merges)).decode(errors="replace") for i in ids),
)


decode_bytes.mistake(
    "chr() and latin-1 make one character of every byte. In UTF-8, é has two bytes and 中 three: bytes(...) "
    "and then .decode('utf-8').",
    TODO_15=lambda ids, merges: "".join(map(chr, _bytes_of(ids, merges))),
)


decode_bytes.mistake(
    "A model may write bytes that are no UTF-8, and then your decoder stops with an error. Write "
    ".decode('utf-8', errors='replace').",
    TODO_16=lambda ids, merges: bytes(_bytes_of(ids, merges)).decode("utf-8"),
)


decode_bytes.mistake(
    "You drop the bytes that are no UTF-8, so nobody sees that something was there. Write errors='replace'.",
    TODO_17=lambda ids, merges: bytes(_bytes_of(ids, merges)).decode("utf-8", errors="ignore"),
)


decode_bytes.mistake(
    "You return bytes. .decode('utf-8', errors='replace') makes them a text.",
    TODO_18=lambda ids, merges: bytes(_bytes_of(ids, merges)),
)


decode_bytes.mistake(
    "The two halves of a token are exchanged: first the bytes of pair[0], then those of pair[1].",
    TODO_19=lambda ids, merges: decode_bytes(ids, [pair[::-1] for pair in merges]),
)


decode_bytes.mistake(
    "A pair may hold merged tokens again, and yours stay closed. Undo the last merge first, or build the "
    "bytes of token after token, in the order of `merges`.",
    TODO_20=lambda ids, merges: bytes(b for i in ids for b in (merges[i - 256] if i > 255 else (i,))).decode(
        errors="replace"
    ),
)


decode_bytes.mistake(
    "You leave the merged tokens out. Token 256 + i stands for the two tokens of merges[i].",
    TODO_21=lambda ids, merges: bytes(i for i in ids if i < 256).decode(errors="replace"),
)


decode_bytes.mistake(
    "bytes() takes numbers below 256. First replace each token from 256 on by the bytes it stands for.",
    TODO_22=lambda ids, merges: bytes(ids).decode(errors="replace"),
)


decode_bytes.hints(
    "Make a list of the bytes of every token: the first 256 are bytes([0]), bytes([1]), ...",
    "Then one more for each merge: the bytes of its first token + the bytes of its second.",
    "Join the bytes of all ids with b''.join(...), and only then .decode('utf-8', errors='replace').",
)
