"""The exercise `pad_batch` of lesson 02: sequences of different lengths as one tensor, and which places are real."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Lists of token ids as one batch: ids (B, T), integers, T the longest length, filled up on the right with "
    "`padding`; and a mask (B, T), True where there is a token. A token may have the same id as the padding.",
)
def pad_batch(sequences, padding):
    T = max(len(ids) for ids in sequences)
    batch = torch.tensor([ids + [padding] * (T - len(ids)) for ids in sequences])
    mask = torch.tensor([[t < len(ids) for t in range(T)] for ids in sequences])
    return batch, mask


@pad_batch.cases
def cases():
    return [
        ([[5, 6, 7], [8]], 0),
        ([[4, 9], [3, 1, 2]], -1),
        ([[1, 0, 2], [0, 0, 3, 4], [5]], 0),
        ([[7, 8], [9, 7]], 7),
        ([[3, 1, 4]], 0),
        ([[6], [], [2, 5], [6]], 9),
        ([torch.randint(20, (n,)).tolist() for n in (4, 2, 7, 1)], 19),
    ]


@pad_batch.judge
def by_torch(sequences, padding):
    tensors = [torch.tensor(ids, dtype=torch.long) for ids in sequences]
    batch = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=padding)
    ones = [torch.ones(len(ids), dtype=torch.bool) for ids in sequences]
    return batch, torch.nn.utils.rnn.pad_sequence(ones, batch_first=True)


@pad_batch.right
def by_lengths(sequences, padding):
    lengths = torch.tensor([len(ids) for ids in sequences])
    batch = torch.full((len(sequences), int(lengths.max())), padding)
    for row, ids in zip(batch, sequences, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    return batch, torch.arange(batch.shape[1]) < lengths[:, None]


@pad_batch.right
def by_mask(sequences, padding):
    longest = max(map(len, sequences))
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in sequences]).bool()
    batch = torch.full(mask.shape, padding)
    batch[mask] = torch.tensor([token for ids in sequences for token in ids])
    return batch, mask


@pad_batch.right
def row_by_row(sequences, padding):
    batch, mask = [], []
    for ids in sequences:
        missing = max(map(len, sequences)) - len(ids)
        batch.append(torch.cat([torch.tensor(ids, dtype=torch.long), torch.full((missing,), padding)]))
        mask.append(torch.cat([torch.ones(len(ids)), torch.zeros(missing)]) == 1)
    return torch.stack(batch), torch.stack(mask)


@pad_batch.right
def place_by_place(sequences, padding):
    longest = len(max(sequences, key=len))
    batch = torch.empty(len(sequences), longest, dtype=torch.int64)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for b, ids in enumerate(sequences):
        for t in range(longest):
            mask[b, t] = t < len(ids)
            batch[b, t] = ids[t] if t < len(ids) else padding
    return batch, mask


@pad_batch.right
def with_copies(sequences, padding):
    rows = [list(ids) for ids in sequences]
    real = [[True] * len(ids) for ids in sequences]
    while len(set(map(len, rows))) > 1:
        for row, marks in zip(rows, real, strict=True):
            if len(row) < max(map(len, rows)):
                row.append(padding)
                marks.append(False)
    return torch.LongTensor(rows), torch.BoolTensor(real)


def then(change):
    """The right batch and mask, changed."""
    return lambda sequences, padding: change(*pad_batch(sequences, padding))


def masked(mask):
    """The right batch, with `mask(places, lengths)` of places (1, T) and lengths (B, 1)."""

    def answer(sequences, padding):
        batch = pad_batch(sequences, padding)[0]
        lengths = torch.tensor([[len(ids)] for ids in sequences])
        return batch, mask(torch.arange(batch.shape[1])[None], lengths)

    return answer


def longest_is(length):
    """The answer whose T is `length(sequences)`; what is longer is cut."""

    def answer(sequences, padding):
        T = length(sequences)
        batch = [(ids + [padding] * T)[:T] for ids in sequences]
        return torch.tensor(batch), torch.tensor([[t < len(ids) for t in range(T)] for ids in sequences])

    return answer


def filled_with(fill):
    """The answer that fills up with `fill(ids, missing)`, made for each sequence; the mask is right."""

    def answer(sequences, padding):
        T = max(map(len, sequences))
        batch = torch.tensor([ids + fill(ids, T - len(ids)) for ids in sequences])
        return batch, pad_batch(sequences, padding)[1]

    return answer


pad_batch.mistake(
    "Your mask is inverted: here it is True where a token is. (The key_padding_mask of torch's attention is "
    "the other way round.)",
    inverted=then(lambda batch, mask: (batch, ~mask)),
)
pad_batch.mistake(
    "You find the padding by its value. A real token may have the same id, and your mask hides it. Make the "
    "mask from the lengths.",
    by_value=lambda sequences, padding: (pad_batch(sequences, padding)[0], pad_batch(sequences, padding)[0] != padding),
)
pad_batch.mistake(
    "You find the padding by its value and mark it. The mask is True where there is a token, and a real token may have "
    "the same id as the padding: t < len(ids).",
    by_value_inverted=lambda sequences, padding: (
        pad_batch(sequences, padding)[0],
        pad_batch(sequences, padding)[0] == padding,
    ),
)
pad_batch.mistake(
    "Your mask is True where the id is not 0. A token may be 0, and the padding another number. Make the mask from the "
    "lengths.",
    not_0=then(lambda batch, mask: (batch, batch != 0)),
)
pad_batch.mistake(
    "Your mask is True where the id is above 0. 0 is a token like any other. Make the mask from the lengths.",
    above_0=then(lambda batch, mask: (batch, batch > 0)),
)
pad_batch.mistake(
    "Your mask reaches one place too far. Places count from 0: a token is where t < len(ids), not <=.",
    one_too_far=masked(lambda t, length: t <= length),
)
pad_batch.mistake(
    "Your mask is one place too short: the last token of each sequence is hidden. A token is where t < len(ids).",
    one_too_short=masked(lambda t, length: t < length - 1),
)
pad_batch.mistake(
    "Your mask leaves out place 0. A token is where t < len(ids), t from 0.",
    counted_from_1=masked(lambda t, length: (t > 0) & (t <= length)),
)
pad_batch.mistake(
    "Your mask is True everywhere. It must be False where you filled up. (Are its rows one and the same list? "
    "[[False] * T] * B has one row B times, and what is written into it is in all: [[False] * T for _ in sequences].)",
    all_true=masked(lambda t, length: (t < length) | True),
)
pad_batch.mistake(
    "Your mask is False everywhere. It must be True where there is a token.",
    all_false=masked(lambda t, length: (t < length) & False),
)
pad_batch.mistake(
    "You return the lengths. The mask has the shape of the batch, True where t < length.",
    lengths=masked(lambda t, length: length[:, 0]),
)
pad_batch.mistake(
    "Your mask is right for the first sequence only, and the same in all rows. Each has its own length.",
    first_row_for_all=masked(lambda t, length: (t < length[0]).expand(len(length), -1)),
)
pad_batch.mistake(
    "Your mask has one row. Compare with lengths[:, None], so that each sequence has its own.",
    one_row=masked(lambda t, length: (t < length.max())[0]),
)
pad_batch.mistake(
    "Your mask holds the numbers 0 and 1. Used as an index they mean row 0 and row 1: make them True and False "
    "with .bool().",
    mask_of_numbers=then(lambda batch, mask: (batch, mask.long())),
)
pad_batch.mistake(
    "Your mask holds the floats 0 and 1. Make them True and False with .bool().",
    mask_of_floats=then(lambda batch, mask: (batch, mask.float())),
)
pad_batch.mistake(
    "Your mask holds 0 and -inf, which is added to attention scores. Here it is True where there is a token.",
    mask_to_add=then(lambda batch, mask: (batch, torch.zeros(mask.shape).masked_fill(~mask, float("-inf")))),
)
pad_batch.mistake(
    "You fill up with 0. Use the argument `padding`.",
    always_0=lambda sequences, padding: (pad_batch(sequences, 0)[0], pad_batch(sequences, 0)[1]),
)
pad_batch.mistake(
    "You fill up with the last token again and again. Use the argument `padding`.",
    last_repeated=filled_with(lambda ids, missing: ids[-1:] * missing),
)
pad_batch.mistake(
    "You begin the sequence again where it ends. Fill up with `padding`.",
    begun_again=filled_with(lambda ids, missing: (ids * 10)[:missing] if ids else [0] * missing),
)
pad_batch.mistake(
    "Your ids are floats (torch.zeros makes floats), and an embedding cannot look those up. Give dtype=torch.long.",
    floats=then(lambda batch, mask: (batch.float(), mask)),
)
pad_batch.mistake(
    "`torch.zeros` makes floats, and fills up with 0. torch.full((B, T), padding) makes integers and fills up "
    "with `padding`.",
    floats_filled_with_0=lambda sequences, padding: (pad_batch(sequences, 0)[0].float(), pad_batch(sequences, 0)[1]),
)
pad_batch.mistake(
    "`torch.zeros` makes floats, and fills up with 0. torch.full((B, T), padding) makes integers and fills up "
    "with `padding`; the mask needs dtype=torch.bool.",
    two_of_floats=lambda sequences, padding: tuple(part.float() for part in pad_batch(sequences, 0)),
)
pad_batch.mistake(
    "Ids and mask are floats: torch.zeros, ones and empty make those. The ids need dtype=torch.long, the mask "
    "dtype=torch.bool.",
    both_floats=then(lambda batch, mask: (batch.float(), mask.float())),
)
pad_batch.mistake(
    "Batch and time are exchanged: yours is (T, B). That is pad_sequence's default: set batch_first=True.",
    transposed=then(lambda batch, mask: (batch.T, mask.T)),
)
pad_batch.mistake(
    "Your mask is (T, B). It has the shape of the ids, (B, T).",
    mask_transposed=then(lambda batch, mask: (batch, mask.T)),
)
pad_batch.mistake(
    "You return the mask first. Asked are the ids, then the mask.", mask_first=then(lambda batch, mask: (mask, batch))
)
pad_batch.mistake(
    "You return the ids alone. Return two things: `return batch, mask`.", ids_alone=then(lambda batch, mask: batch)
)
pad_batch.mistake(
    "You return the mask alone. Return two things: `return batch, mask`.", mask_alone=then(lambda batch, mask: mask)
)
pad_batch.mistake(
    "You return a dict. Return two tensors: `return batch, mask`.",
    a_dict=then(lambda batch, mask: {"ids": batch, "mask": mask}),
)
pad_batch.mistake(
    "You return two lists of lists. Make tensors of them: torch.tensor(rows).",
    lists=then(lambda batch, mask: (batch.tolist(), mask.tolist())),
)
pad_batch.mistake(
    "Your ids are a list of lists. Make a tensor of it: torch.tensor(rows).",
    list_and_mask=then(lambda batch, mask: (batch.tolist(), mask)),
)
pad_batch.mistake(
    "Your mask is a list of lists. Make a tensor of it: torch.tensor(rows).",
    ids_and_list=then(lambda batch, mask: (batch, mask.tolist())),
)
pad_batch.mistake(
    "You cut all sequences to the shortest, so tokens are lost. Fill up to the longest: max, not min.",
    shortest=lambda sequences, padding: pad_batch([ids[: min(map(len, sequences))] for ids in sequences], padding),
)
pad_batch.mistake(
    "The first sequence sets the length, and longer ones are cut. T is the longest of all.",
    length_of_the_first=longest_is(lambda sequences: len(sequences[0])),
)
pad_batch.mistake(
    "The last sequence sets the length, and longer ones are cut. T is the longest of all.",
    length_of_the_last=longest_is(lambda sequences: len(sequences[-1])),
)
pad_batch.mistake(
    "`max(sequences)` is the list that comes last in order, not the longest. Write max(len(ids) for ids in sequences), "
    "or max(sequences, key=len).",
    max_of_lists=longest_is(lambda sequences: len(max(sequences))),
)
pad_batch.mistake(
    "Your T is one too large: every row ends with padding. T is the longest length.",
    one_column_too_many=longest_is(lambda sequences: max(map(len, sequences)) + 1),
)
pad_batch.mistake(
    "Your T is one too small, and the end of the longest sequence is lost. T is the longest length.",
    one_column_too_few=longest_is(lambda sequences: max(map(len, sequences)) - 1),
)
pad_batch.mistake("Your T is the number of sequences. T is the longest length.", as_many_as_sequences=longest_is(len))
pad_batch.mistake(
    "Your T is the number of all tokens. T is the longest length.",
    all_tokens=longest_is(lambda sequences: sum(map(len, sequences))),
)
pad_batch.mistake(
    "Rows of different lengths make no tensor. Fill each up to the longest first.",
    not_filled_up=lambda sequences, padding: torch.tensor(sequences),
)
pad_batch.mistake(
    "You put one padding behind every shorter sequence. It needs T - len(ids) of them: [padding] * (T - len(ids)).",
    one_padding=lambda sequences, padding: torch.tensor(
        [ids + [padding] * (len(ids) < max(map(len, sequences))) for ids in sequences]
    ),
)
pad_batch.mistake(
    "Your rows are sorted by length. Row b is sequence b: leave them in their order.",
    sorted_by_length=lambda sequences, padding: pad_batch(sorted(sequences, key=len, reverse=True), padding),
)
pad_batch.mistake(
    "Your tokens stand in another order: sorted. Leave each sequence as it is.",
    tokens_sorted=lambda sequences, padding: pad_batch(list(map(sorted, sequences)), padding),
)
pad_batch.mistake(
    "You leave out empty sequences. Row b is sequence b, even where nothing is in it.",
    empty_left_out=lambda sequences, padding: pad_batch([ids for ids in sequences if ids], padding),
)
pad_batch.mistake(
    "You leave out sequences that came before. Row b is sequence b, equal or not.",
    equal_left_out=lambda sequences, padding: pad_batch(list(map(list, dict.fromkeys(map(tuple, sequences)))), padding),
)
pad_batch.mistake(
    "An empty sequence turns your ids into floats: torch.tensor([]) holds floats. Give dtype=torch.long.",
    floats_where_one_is_empty=lambda sequences, padding: (
        pad_batch(sequences, padding)[0].to(torch.long if all(sequences) else torch.float),
        pad_batch(sequences, padding)[1],
    ),
)


@pad_batch.mistake(
    "You fill up on the left. Some models want that when they write text; here the tokens begin at position 0."
)
def on_the_left(sequences, padding):
    batch, mask = pad_batch([ids[::-1] for ids in sequences], padding)
    return batch.flip(1), mask.flip(1)


@pad_batch.mistake("You fill up the ids on the left, but your mask is for the right. Here the tokens begin at 0.")
def only_ids_on_the_left(sequences, padding):
    return on_the_left(sequences, padding)[0], pad_batch(sequences, padding)[1]


@pad_batch.mistake("The ids are right, but your mask begins on the right end of each row. The tokens begin at 0.")
def only_mask_on_the_left(sequences, padding):
    return pad_batch(sequences, padding)[0], on_the_left(sequences, padding)[1]


@pad_batch.mistake(
    "The result is right, but the lists that came in are filled up too: append and += change them. ids + [padding] * "
    "n makes a new list."
)
def filled_up_in_place(sequences, padding):
    mask = pad_batch(sequences, padding)[1]
    for ids in sequences:
        ids += [padding] * (mask.shape[1] - len(ids))
    return torch.tensor(sequences), mask


@pad_batch.mistake(
    "You fill up the lists first and make the mask afterwards: by then all are equally long, and it is True "
    "everywhere. And the lists that came in are changed: ids + [padding] * n makes a new one."
)
def mask_made_too_late(sequences, padding):
    T = max(map(len, sequences))
    for ids in sequences:
        ids += [padding] * (T - len(ids))
    return torch.tensor(sequences), torch.tensor([[t < len(ids) for t in range(T)] for ids in sequences])


@pad_batch.mistake("You return the first row only. Is there a `return` inside the loop? Move it out.")
def first_row_only(sequences, padding):
    batch, mask = pad_batch(sequences, padding)
    return batch[:1], mask[:1]


pad_batch.hints(
    "T is the longest length. How many paddings does each sequence need?",
    "ids + [padding] * (T - len(ids)) is one row; torch.tensor makes a table of all rows.",
    "The mask comes from the lengths and not from the ids: position t is a token where t < len(ids).",
)
