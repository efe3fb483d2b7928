"""Sentences of token numbers, padded to one length, as the exercises of lesson 16 read them."""

import torch

# Tokens are those of the lesson: 0 [PAD], 1 [UNK], 2 [CLS], 3 [SEP], 4 [MASK], and words from 5.
SENTENCES = [[2, 5, 6, 7, 3, 0, 0], [2, 8, 9, 5, 1, 6, 3]]


def sentences(rows, T, shortest=3):
    """Random sentences (rows, T) of different lengths, the first as long as all."""
    tokens = torch.randint(5, 40, (rows, T))
    tokens[:, 0] = 2
    for row, words in enumerate([T - 2, *torch.randint(shortest - 2, T - 2, (rows - 1,)).tolist()]):
        tokens[row, words + 1], tokens[row, words + 2 :] = 3, 0
    return tokens
