"""The exercise `decode_bytes` of lesson 02: from tokens back to text."""

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
        ([32, 257, 256, 257, 10], [(72, 105), (72, 105), (33, 33)]),
        ([65], [(66, 67)]),
        ([], [(97, 98)]),
        (torch.randint(97, 123, (12,)).tolist() + [256], [(228, 189)]),
    ]


@decode_bytes.right
def by_recursion(ids, merges):
    def bytes_of(i):
        return bytes([i]) if i < 256 else b"".join(map(bytes_of, merges[i - 256]))

    return b"".join(map(bytes_of, ids)).decode(errors="replace")


@decode_bytes.right
def by_undoing(ids, merges):
    for token in reversed(range(256, 256 + len(merges))):
        ids = [part for i in ids for part in (merges[token - 256] if i == token else (i,))]
    return str(bytes(ids), "utf-8", "replace")


@decode_bytes.right
def with_a_stack(ids, merges):
    found, waiting = bytearray(), list(reversed(ids))
    while waiting:
        i = waiting.pop()
        if i < 256:
            found.append(i)
        else:
            waiting += reversed(merges[i - 256])
    return found.decode("utf8", "replace")


@decode_bytes.right
def growing_texts(ids, merges):
    table = {byte: [byte] for byte in range(256)}
    for number, (first, second) in enumerate(merges, start=256):
        table[number] = table[first] + table[second]
    return bytes(sum((table[i] for i in ids), [])).decode("utf-8", "replace")


@decode_bytes.right
def until_none_is_left(ids, merges):
    ids = list(ids)
    while any(i > 255 for i in ids):
        ids = [part for i in ids for part in ([i] if i <= 255 else merges[i - 256])]
    return bytearray(ids).decode(encoding="utf-8", errors="replace")


def bytes_of(ids, merges):
    undone = []
    for i in ids:
        undone += bytes_of(merges[i - 256], merges) if i > 255 else [i]
    return bytes(undone)


def then(decode):
    """The answer that gets the right bytes and does `decode(data)`."""
    return lambda ids, merges: decode(bytes_of(ids, merges))


def undone(one):
    """The answer that decodes right what `one(i, merges)` makes of each token from 256 on."""

    def answer(ids, merges):
        data = b"".join(bytes(one(i, merges)) if i > 255 else bytes([i]) for i in ids)
        return data.decode(errors="replace")

    return answer


# From bytes to text.
decode_bytes.mistake(
    "You decode each token by itself. A character of several bytes may be spread over several tokens: join "
    "all bytes first, then decode once.",
    token_by_token=lambda ids, merges: "".join(bytes_of([i], merges).decode(errors="replace") for i in ids),
)
decode_bytes.mistake(
    "You decode each token by itself, and a token that is a part of a character stops you with an error. Join all "
    "bytes first, then decode once with errors='replace'.",
    token_by_token_strictly=lambda ids, merges: "".join(bytes_of([i], merges).decode() for i in ids),
)
decode_bytes.mistake(
    "You decode each byte by itself, or as ASCII. A character may have several bytes: join all bytes first, then "
    "decode once, as UTF-8.",
    byte_by_byte=then(lambda data: "".join(bytes([byte]).decode(errors="replace") for byte in data)),
)
decode_bytes.mistake(
    "`chr()` and latin-1 make one character of every byte. In UTF-8, é has two bytes and 中 three: bytes(...) "
    "and then .decode('utf-8').",
    latin_1=then(lambda data: data.decode("latin-1")),
)
decode_bytes.mistake(
    "ASCII has no bytes from 128 on, and you drop them: é and 中 are lost. Decode as UTF-8, with errors='replace'.",
    ascii_only=then(lambda data: data.decode("ascii", errors="ignore")),
)
decode_bytes.mistake(
    "You decode as UTF-16, with two bytes for each character. The bytes are UTF-8.",
    utf_16=then(lambda data: data.decode("utf-16-le", errors="replace")),
)
decode_bytes.mistake(
    "A model may write bytes that are no UTF-8, and then your decoder stops with an error. Write "
    ".decode('utf-8', errors='replace').",
    strict=then(lambda data: data.decode("utf-8")),
)
decode_bytes.mistake(
    "You drop the bytes that are no UTF-8, so nobody sees that something was there. Write errors='replace'.",
    ignored=then(lambda data: data.decode("utf-8", errors="ignore")),
)
decode_bytes.mistake(
    "You write bytes that are no UTF-8 as \\xff. They become \ufffd: errors='replace'.",
    backslashes=then(lambda data: data.decode("utf-8", errors="backslashreplace")),
)
decode_bytes.mistake(
    "You write ? for bytes that are no UTF-8. They become \ufffd: errors='replace'.",
    question_marks=then(lambda data: data.decode(errors="replace").replace("\ufffd", "?")),
)
decode_bytes.mistake(
    "Bytes that are no UTF-8 become half characters, which nothing can print: errors='surrogateescape'. Write "
    "errors='replace'.",
    surrogates=then(lambda data: data.decode("utf-8", errors="surrogateescape")),
)
decode_bytes.mistake(
    "Where something is no UTF-8 you give up the whole text. Only the wrong bytes become \ufffd: errors='replace'.",
    all_or_nothing=then(lambda data: "" if "\ufffd" in data.decode(errors="replace") else data.decode()),
)
decode_bytes.mistake(
    "You return bytes. .decode('utf-8', errors='replace') makes them a text.", bytes_returned=then(lambda data: data)
)
decode_bytes.mistake(
    "You return a list of bytes. bytes(...) and .decode('utf-8', errors='replace') make it a text.",
    list_of_bytes=then(list),
)
decode_bytes.mistake(
    "You return a list of characters. Join them: ''.join(...).",
    list_of_characters=then(lambda data: list(data.decode(errors="replace"))),
)
decode_bytes.mistake(
    "`str()` of bytes writes them as Python does: \"b'hi'\". Use .decode('utf-8', errors='replace').",
    written_as_python=then(str),
)
decode_bytes.mistake(
    "You return the numbers as a text. Each is a byte: bytes(...) and then .decode('utf-8', errors='replace').",
    numbers_as_text=then(lambda data: "".join(map(str, data))),
)
decode_bytes.mistake(
    "You put a space between the tokens. Spaces are bytes of their own: join with nothing between.",
    spaces_between=lambda ids, merges: b" ".join(bytes_of([i], merges) for i in ids).decode(errors="replace"),
)
decode_bytes.mistake(
    "You take away spaces and line ends at the ends of the text. They are bytes like others: leave out strip().",
    stripped=then(lambda data: data.decode(errors="replace").strip()),
)
decode_bytes.mistake(
    "Byte 0 is lost. It is a byte like any other: compare with None where you mean 'nothing'.",
    byte_0_lost=then(lambda data: data.replace(b"\0", b"").decode(errors="replace")),
)
decode_bytes.mistake(
    "The text stands backwards. Undo the merges from the last to the first, but leave the tokens in their order.",
    backwards=then(lambda data: data[::-1].decode(errors="replace")),
)

# From tokens to bytes.
decode_bytes.mistake(
    "The two halves of a token are exchanged: first the bytes of pair[0], then those of pair[1].",
    halves_exchanged=lambda ids, merges: decode_bytes(ids, [pair[::-1] for pair in merges]),
)
decode_bytes.mistake(
    "A pair may hold merged tokens again, and yours stay closed. Undo the last merge first, or build the "
    "bytes of token after token, in the order of `merges`.",
    one_level_only=undone(lambda i, merges: merges[i - 256]),
)
decode_bytes.mistake(
    "A pair may hold merged tokens again, and you leave those out. Undo the last merge first, or build the bytes of "
    "token after token, in the order of `merges`.",
    inner_tokens_left_out=undone(lambda i, merges: [part for part in merges[i - 256] if part < 256]),
)
decode_bytes.mistake(
    "A pair may hold pairs that hold merged tokens again: you go two levels deep. Go on until none is left.",
    two_levels_only=undone(
        lambda i, merges: [deep for part in merges[i - 256] for deep in (merges[part - 256] if part > 255 else (part,))]
    ),
)
decode_bytes.mistake(
    "`chr()` makes one character of every number: é has two bytes, 中 three, and a pair may hold merged tokens again. "
    "Build the bytes of every token, join them, and decode once.",
    chr_of_one_level=lambda ids, merges: "".join(
        chr(part) for i in ids for part in (merges[i - 256] if i > 255 else (i,))
    ),
)
decode_bytes.mistake(
    "You leave the merged tokens out. Token 256 + i stands for the two tokens of merges[i].",
    merged_left_out=undone(lambda i, merges: []),
)
decode_bytes.mistake(
    "`bytes()` takes numbers below 256. First replace each token from 256 on by the bytes it stands for.",
    not_undone=lambda ids, merges: bytes(ids).decode(errors="replace"),
)
decode_bytes.mistake(
    "`chr()` makes some character of a merged token. Token 256 + i stands for the two tokens of merges[i].",
    chr_of_tokens=lambda ids, merges: "".join(map(chr, ids)),
)
decode_bytes.mistake(
    "You take a merged token modulo 256. Token 256 + i stands for the two tokens of merges[i].",
    modulo=undone(lambda i, merges: [i % 256]),
)
decode_bytes.mistake(
    "You keep the first half of a merged token only. It stands for both tokens of its pair.",
    first_half=undone(lambda i, merges: bytes_of(merges[i - 256][:1], merges)),
)
decode_bytes.mistake(
    "You keep the second half of a merged token only. It stands for both tokens of its pair.",
    second_half=undone(lambda i, merges: bytes_of(merges[i - 256][1:], merges)),
)
decode_bytes.mistake(
    "You look for token i at merges[i], and there is none. The first 256 tokens are bytes: merges[i - 256].",
    merges_of_i=undone(lambda i, merges: merges[i]),
)
decode_bytes.mistake(
    "You take the pair after the right one: token 256 is merges[0], so merges[i - 256].",
    one_too_far=undone(lambda i, merges: merges[i - 255]),
)
decode_bytes.mistake(
    "You take the pair before the right one: token 256 is merges[0], so merges[i - 256].",
    one_too_early=undone(lambda i, merges: bytes_of(merges[i - 257], merges)),
)
decode_bytes.mistake(
    "Token 255 is a byte for itself, and you take it for a merged one: merged tokens are >= 256, or > 255.",
    byte_255_merged=lambda ids, merges: b"".join(
        bytes([i]) if i < 255 else bytes_of(merges[i - 256], merges) for i in ids
    ).decode(errors="replace"),
)
decode_bytes.mistake(
    "Token 256 is the first merged one, and you take it for a byte: merged tokens are >= 256.",
    token_256_a_byte=lambda ids, merges: b"".join(
        bytes([i]) if i <= 256 else bytes_of(merges[i - 256], merges) for i in ids
    ).decode(errors="replace"),
)


@decode_bytes.mistake(
    "The text is right, but `ids` itself is changed: ids[i : i + 1] = ..., pop and insert work in place. Make a new "
    "list."
)
def in_place(ids, merges):
    ids[:] = bytes_of(ids, merges)
    return bytes(ids).decode(errors="replace")


@decode_bytes.mistake(
    "The text is right, but `merges` is changed: pop() and reverse() work in place. Use reversed(merges), or an index."
)
def merges_changed(ids, merges):
    text = decode_bytes(ids, merges)
    merges.clear()
    return text


decode_bytes.hints(
    "Make a list of the bytes of every token: the first 256 are bytes([0]), bytes([1]), ...",
    "Then one more for each merge: the bytes of its first token + the bytes of its second.",
    "Join the bytes of all ids with b''.join(...), and only then .decode('utf-8', errors='replace').",
)
