"""The exercise `word_mean` of lesson 13."""

import torch

from bmcourse.exercises.bert.shared import SENTENCES, plain, sentences
from bmcourse.exercises.core import exercise


@exercise(
    prompt="Features for a probe. `vectors` (B, T, C) come out of some layer of a frozen BERT that has read `tokens` "
    "(B, T). Return the mean of the vectors at words, (B, C), for every sentence. Tokens 0 to 4 are no words: [PAD], "
    "[UNK], [CLS], [SEP], [MASK]. Every sentence has one word or more."
)
def word_mean(vectors, tokens):
    words = (tokens > 4).unsqueeze(-1).float()
    return (vectors * words).sum(dim=1) / words.sum(dim=1)


@word_mean.right
def mean_by_a_loop(vectors, tokens):
    return torch.stack([row[these > 4].mean(dim=0) for row, these in zip(vectors, tokens, strict=True)])


@word_mean.right
def mean_by_product(vectors, tokens):
    shares = (tokens >= 5).to(vectors.dtype)
    shares = shares / shares.sum(dim=1, keepdim=True)
    return (shares[:, None] @ vectors)[:, 0]


@word_mean.right
def mean_by_nan(vectors, tokens):
    return vectors.masked_fill((tokens <= 4)[..., None], torch.nan).nanmean(dim=1)


def mean_over(which):
    """A wrong mean: over other tokens."""

    def answer(vectors, tokens):
        chosen = which(tokens).unsqueeze(-1).float()
        return (vectors * chosen).sum(dim=1) / chosen.sum(dim=1)

    return answer


@word_mean.cases
def cases():
    return [
        (torch.tensor([[[9.0, 9.0], [1.0, 2.0], [3.0, 4.0], [7.0, 7.0]]]), torch.tensor([[2, 5, 6, 3]])),
        (torch.randn(2, 7, 3), torch.tensor(SENTENCES)),
        (torch.randn(4, 9, 5), sentences(4, 9, shortest=4)),
        (torch.randn(1, 6, 2), torch.tensor([[2, 4, 5, 4, 3, 0]])),
    ]


@word_mean.run
def tried(answer, *case):
    return plain(answer(*case))


word_mean.mistake(
    "You take the mean of all places. A short sentence is mostly [PAD], and would look like any other short one.",
    TODO_43=lambda vectors, tokens: vectors.mean(dim=1),
)


word_mean.mistake(
    "You leave out [PAD] only. [CLS], [SEP], [UNK] and [MASK] are no words either: words are from 5 on.",
    TODO_44=mean_over(lambda tokens: tokens != 0),
)


word_mean.mistake("[MASK] is token 4 and no word. Words are tokens > 4.", TODO_45=mean_over(lambda tokens: tokens >= 4))


word_mean.mistake(
    "That is the sum: a long sentence has a long vector. Divide by the number of words.",
    TODO_46=lambda vectors, tokens: (vectors * (tokens > 4)[..., None]).sum(dim=1),
)


word_mean.mistake(
    "The sum is right, and you divide it by T. Divide by the number of words in each sentence.",
    TODO_47=lambda vectors, tokens: (vectors * (tokens > 4)[..., None]).mean(dim=1),
)


word_mean.mistake(
    "You take one mean over all sentences together. Each sentence has its own.",
    TODO_48=lambda vectors, tokens: vectors[tokens > 4].mean(dim=0, keepdim=True).expand(len(vectors), -1),
)


word_mean.mistake(
    "That is the vector at [CLS]. Pre-training has never asked it for anything: take the words.",
    TODO_49=lambda vectors, tokens: vectors[:, 0],
)


word_mean.mistake(
    "You divide every sentence by the mean number of words. Divide each by its own.",
    TODO_50=lambda vectors, tokens: (
        (vectors * (tokens > 4)[..., None]).sum(dim=1) / (tokens > 4).sum(dim=1).float().mean()
    ),
)


word_mean.mistake(
    "That is the largest number of each channel, max pooling. Asked is the mean.",
    TODO_51=lambda vectors, tokens: vectors.masked_fill((tokens <= 4)[..., None], -torch.inf).amax(dim=1),
)


word_mean.hints(
    "words = tokens > 4 is (B, T); with unsqueeze(-1) it is (B, T, 1) and broadcasts to the vectors.",
    "vectors * words makes all other places 0. Sum over dim=1.",
    "Divide by words.sum(dim=1), which is (B, 1): the number of words of each sentence.",
)
