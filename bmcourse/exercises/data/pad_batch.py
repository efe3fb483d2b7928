"""The exercise `pad_batch` of lesson 02."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Lists of token ids as one batch: ids (B, T), integers, T the longest length, filled up on the right with "
    "`padding`; and a mask (B, T), True where there is a token. A token may have the same id as the padding."
)
def pad_batch(sequences, padding):
    T = max(len(ids) for ids in sequences)
    batch = torch.tensor([ids + [padding] * (T - len(ids)) for ids in sequences])
    mask = torch.tensor([[t < len(ids) for t in range(T)] for ids in sequences])
    return batch, mask


@pad_batch.judge
def padded_by_torch(sequences, padding):
    tensors = [torch.tensor(ids) for ids in sequences]
    batch = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=padding)
    ones = [torch.ones(len(ids), dtype=torch.bool) for ids in sequences]
    return batch, torch.nn.utils.rnn.pad_sequence(ones, batch_first=True)


@pad_batch.right
def pad_by_lengths(sequences, padding):
    lengths = torch.tensor([len(ids) for ids in sequences])
    batch = torch.full((len(sequences), int(lengths.max())), padding)
    for row, ids in zip(batch, sequences, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    return batch, torch.arange(batch.shape[1]) < lengths[:, None]


@pad_batch.right
def pad_by_mask(sequences, padding):
    longest = max(map(len, sequences))
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in sequences]).bool()
    batch = torch.full(mask.shape, padding)
    batch[mask] = torch.tensor([token for ids in sequences for token in ids])
    return batch, mask


@pad_batch.right
def pad_growing(sequences, padding):
    batch, mask = [], []
    for ids in sequences:
        missing = max(map(len, sequences)) - len(ids)
        batch.append(torch.cat([torch.tensor(ids), torch.full((missing,), padding)]))
        mask.append(torch.cat([torch.ones(len(ids)), torch.zeros(missing)]) == 1)
    return torch.stack(batch), torch.stack(mask)


def then(change):
    """The right batch and mask, changed."""
    return lambda sequences, padding: change(*pad_batch(sequences, padding))


@pad_batch.mistake(
    "You fill up on the left. Some models want that when they write text; here the tokens begin at position 0."
)
def pad_left(sequences, padding):
    batch, mask = pad_batch([ids[::-1] for ids in sequences], padding)
    return batch.flip(1), mask.flip(1)


def pad_in_place(sequences, padding):
    mask = pad_batch(sequences, padding)[1]
    for ids in sequences:
        ids += [padding] * (mask.shape[1] - len(ids))
    return torch.tensor(sequences), mask


@pad_batch.mistake("You cut all sequences to the shortest, so tokens are lost. Fill up to the longest: max, not min.")
def truncate(sequences, padding):
    shortest = min(map(len, sequences))
    return pad_batch([ids[:shortest] for ids in sequences], padding)


@pad_batch.cases
def cases():
    return [
        ([[5, 6, 7], [8]], 0),
        ([[4, 9], [3, 1, 2]], -1),
        ([[1, 0, 2], [0, 0, 3, 4], [5]], 0),
        ([[7, 8], [9, 7]], 7),
        ([torch.randint(20, (n,)).tolist() for n in (4, 2, 7, 1)], 19),
    ]


pad_batch.mistake(
    "Your mask is inverted: here it is True where a token is. (The key_padding_mask of torch's attention is "
    "the other way round.)",
    TODO_23=then(lambda batch, mask: (batch, ~mask)),
)


pad_batch.mistake(
    "You find the padding by its value. A real token may have the same id, and your mask hides it. Make the "
    "mask from the lengths.",
    TODO_24=lambda sequences, padding: (pad_batch(sequences, padding)[0], pad_batch(sequences, padding)[0] != padding),
)


pad_batch.mistake(
    "You fill up with 0. Use the argument `padding`.",
    TODO_25=lambda sequences, padding: (pad_batch(sequences, 0)[0], pad_batch(sequences, 0)[1]),
)


pad_batch.mistake(
    "Your ids are floats (torch.zeros makes floats), and an embedding cannot look those up. Give dtype=torch.long.",
    TODO_26=then(lambda batch, mask: (batch.float(), mask)),
)


pad_batch.mistake(
    "torch.zeros makes floats, and fills up with 0. torch.full((B, T), padding) makes integers and fills up "
    "with `padding`; the mask needs dtype=torch.bool.",
    TODO_27=lambda sequences, padding: tuple(part.float() for part in pad_batch(sequences, 0)),
)


pad_batch.mistake(
    "Your mask holds the numbers 0 and 1. Used as an index they mean row 0 and row 1: make them True and False "
    "with .bool().",
    TODO_28=then(lambda batch, mask: (batch, mask.long())),
)


pad_batch.mistake(
    "Batch and time are exchanged: yours is (T, B). That is pad_sequence's default: set batch_first=True.",
    TODO_29=then(lambda batch, mask: (batch.T, mask.T)),
)


pad_batch.hints(
    "T is the longest length. How many paddings does each sequence need?",
    "ids + [padding] * (T - len(ids)) is one row; torch.tensor makes a table of all rows.",
    "The mask comes from the lengths and not from the ids: position t is a token where t < len(ids).",
)
