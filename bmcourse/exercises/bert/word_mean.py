"""The mean of a layer's vectors at words, as the features of a probe (lesson 16)."""

import torch

from bmcourse.exercises.bert.sentences import SENTENCES, sentences
from bmcourse.exercises.core import exercise


@exercise(
    prompt="Features for a probe. `vectors` (B, T, C) come out of some layer of a frozen BERT that has read `tokens` "
    "(B, T). Return the mean of the vectors at words, (B, C), for every sentence. Tokens 0 to 4 are no words: [PAD], "
    "[UNK], [CLS], [SEP], [MASK]. Every sentence has one word or more.",
    untried={"vectors": {"a gradient is wanted": "the BERT is frozen, with or without a graph"}},
)
def word_mean(vectors, tokens):
    words = (tokens > 4).unsqueeze(-1).float()
    return (vectors * words).sum(dim=1) / words.sum(dim=1)


@word_mean.cases
def cases():
    odd = torch.tensor([[[0.0, -9.0, 2.0], [2.0, 0.0, 2.0]], [[4.0, -1.0, 0.0], [8.0, -1.0, 0.0]]]).double()
    return [
        (torch.tensor([[[9.0, 9.0], [1.0, 2.0], [3.0, 4.0], [7.0, 7.0]]]), torch.tensor([[2, 5, 6, 3]])),
        (torch.randn(2, 7, 3), torch.tensor(SENTENCES)),
        (torch.randn(4, 9, 5), sentences(4, 9, shortest=4)),
        (torch.randn(1, 6, 2), torch.tensor([[2, 4, 5, 4, 3, 0]])),
        (odd.mT, torch.tensor([[0, 7, 7], [5, 1, 9]])),
        (torch.randn(3, 3, 3), torch.tensor([[5, 6, 7], [0, 0, 5], [1, 30, 31]])),
    ]


@word_mean.run
def without_graph(answer, vectors, tokens):
    means = answer(vectors, tokens)
    return means.detach() if torch.is_tensor(means) else means


@word_mean.right
def by_a_loop(vectors, tokens):
    return torch.stack([row[these > 4].mean(dim=0) for row, these in zip(vectors, tokens, strict=True)])


@word_mean.right
def by_a_product(vectors, tokens):
    shares = (tokens >= 5).to(vectors.dtype)
    shares = shares / shares.sum(dim=1, keepdim=True)
    return (shares[:, None] @ vectors)[:, 0]


@word_mean.right
def by_nan(vectors, tokens):
    return vectors.masked_fill((tokens <= 4)[..., None], torch.nan).nanmean(dim=1)


@word_mean.right
def by_softmax(vectors, tokens):
    weights = torch.zeros(tokens.shape).masked_fill(tokens < 5, -torch.inf).softmax(dim=1)
    return torch.einsum("bt,btc->bc", weights.to(vectors), vectors)


@word_mean.right
def by_index_add(vectors, tokens):
    sentence, _ = (tokens > 4).nonzero(as_tuple=True)
    sums = torch.zeros_like(vectors[:, 0]).index_add(0, sentence, vectors[tokens > 4])
    return sums / sentence.bincount()[:, None]


def over(which):
    """A wrong mean: over other tokens, those where `which(tokens)` is True."""

    def answer(vectors, tokens):
        chosen = which(tokens).unsqueeze(-1).float()
        return (vectors * chosen).sum(dim=1) / chosen.sum(dim=1)

    return answer


def summed(vectors, tokens):
    return (vectors * (tokens > 4)[..., None]).sum(dim=1)


def summed_over(count):
    """A wrong mean: the right sum, divided by `count(vectors, tokens)`."""
    return lambda vectors, tokens: summed(vectors, tokens) / count(vectors, tokens)


def then(change):
    """A wrong answer: `change(means)` of the right ones."""
    return lambda *case: change(word_mean(*case))


# Which tokens are words.


word_mean.mistake(
    "You take the mean of all places. A short sentence is mostly [PAD], and would look like any other short one.",
    all_places=over(lambda tokens: tokens >= 0),
)


word_mean.mistake(
    "You leave out [PAD] only. [CLS], [SEP], [UNK] and [MASK] are no words either: words are from 5 on.",
    only_pad_left_out=over(lambda tokens: tokens != 0),
)


word_mean.mistake(
    "[MASK] is token 4 and no word. Words are tokens > 4.", mask_token_counted=over(lambda tokens: tokens >= 4)
)


word_mean.mistake(
    "Token 5 is a word, the first one. Words are tokens > 4, or tokens >= 5.",
    first_word_left_out=over(lambda tokens: tokens > 5),
)


word_mean.mistake(
    "You count [SEP] and [MASK] as words. Words are tokens > 4.", from_sep_on=over(lambda tokens: tokens >= 3)
)


word_mean.mistake(
    "You leave out [PAD] and [UNK], and count [CLS], [SEP] and [MASK] as words. Words are tokens > 4.",
    special_ones_counted=over(lambda tokens: tokens > 1),
)


word_mean.mistake(
    "[UNK], token 1, counts as a word with you. Tokens 0 to 4 are no words: tokens > 4.",
    unknown_counted=over(lambda tokens: (tokens > 4) | (tokens == 1)),
)


word_mean.mistake(
    "You leave out [PAD], [CLS] and [SEP]. [UNK] and [MASK] are no words either: tokens > 4.",
    unknown_and_mask_counted=over(lambda tokens: (tokens != 0) & (tokens != 2) & (tokens != 3)),
)


word_mean.mistake(
    "You take the mean of all that are no words. Turn it round: tokens > 4.",
    words_left_out=over(lambda tokens: tokens < 5),
)


word_mean.mistake(
    "You leave out the first and the last place, as if only [CLS] and [SEP] stood there. Look at the tokens: tokens > "
    "4.",
    without_both_ends=lambda vectors, tokens: vectors[:, 1:-1].mean(dim=1),
)


word_mean.mistake(
    "You leave out the first place only. Look at the tokens: words are tokens > 4.",
    without_cls=lambda vectors, tokens: vectors[:, 1:].mean(dim=1),
)


word_mean.mistake(
    "You cut every sentence after as many places as it has words, from the first place on. Words are where tokens > 4.",
    first_places=lambda vectors, tokens: over(
        lambda _: torch.arange(tokens.shape[1]) < (tokens > 4).sum(1, keepdim=True)
    )(vectors, tokens),
)


word_mean.mistake(
    "You use the words' places of the first sentence for all. Each sentence has its own.",
    places_of_the_first=over(lambda tokens: (tokens[:1] > 4).expand(tokens.shape)),
)


word_mean.mistake(
    "A word that comes twice counts once with you. Take the mean over all places that hold a word.",
    each_word_once=over(lambda tokens: (tokens > 4) & ~((tokens[:, :, None] == tokens[:, None]).tril(-1)).any(-1)),
)


word_mean.mistake(
    "You leave out vectors that are 0 in places, or count the numbers that are not 0. Words are known by their tokens: "
    "divide by how many there are.",
    zeros_not_counted=summed_over(
        lambda vectors, tokens: ((vectors != 0) & (tokens > 4)[..., None]).sum(dim=1).clamp(min=1)
    ),
)


# What the sum is divided by.


word_mean.mistake(
    "That is the sum: a long sentence has a long vector. Divide by the number of words.", sum_not_mean=summed
)


word_mean.mistake(
    "The sum is right, and you divide it by T. Divide by the number of words in each sentence.",
    divided_by_length=summed_over(lambda vectors, tokens: tokens.shape[1]),
)


word_mean.mistake(
    "The sum is right, and you divide it by the number of all tokens but [PAD]. Divide by the number of words.",
    divided_by_tokens=summed_over(lambda vectors, tokens: (tokens != 0).sum(1, keepdim=True)),
)


word_mean.mistake(
    "You divide every sentence by the mean number of words. Divide each by its own.",
    divided_by_mean_number=summed_over(lambda vectors, tokens: (tokens > 4).sum(dim=1).float().mean()),
)


word_mean.mistake(
    "You divide every sentence by the number of words in the whole batch. Divide each by its own.",
    divided_by_all_words=summed_over(lambda vectors, tokens: (tokens > 4).sum()),
)


word_mean.mistake(
    "You divide every sentence by the largest number of words. Divide each by its own.",
    divided_by_largest_number=summed_over(lambda vectors, tokens: (tokens > 4).sum(dim=1).max()),
)


word_mean.mistake(
    "You divide by one word too many. The number of words is (tokens > 4).sum(dim=1): add nothing.",
    divided_by_one_more=summed_over(lambda vectors, tokens: (tokens > 4).sum(1, keepdim=True) + 1),
)


word_mean.mistake(
    "You divide by one word too few. That is for a standard deviation; a mean divides by the number of words.",
    divided_by_one_less=summed_over(lambda vectors, tokens: (tokens > 4).sum(1, keepdim=True) - 1),
)


word_mean.mistake(
    "You divide by the root of the number of words. Divide by the number.",
    divided_by_root=summed_over(lambda vectors, tokens: (tokens > 4).sum(1, keepdim=True).sqrt()),
)


word_mean.mistake(
    "You divide by the number of channels. Divide by the number of words.",
    divided_by_channels=summed_over(lambda vectors, tokens: vectors.shape[-1]),
)


word_mean.mistake(
    "The numbers of words are (B,), and divide the channels instead of the sentences, or do not fit. Make them (B, 1): "
    "sum(dim=1, keepdim=True).",
    numbers_not_a_column=summed_over(lambda vectors, tokens: (tokens > 4).sum(dim=1)),
)


word_mean.mistake(
    "// rounds down. Use /.", whole_division=word_mean.changed("sum(dim=1) / words", "sum(dim=1) // words")
)


word_mean.mistake(
    "You take the mean of all places and divide by the number of words. That divides twice: sum first.",
    divided_twice=lambda vectors, tokens: (
        (vectors * (tokens > 4)[..., None]).mean(dim=1) / (tokens > 4).sum(1, keepdim=True)
    ),
)


word_mean.mistake(
    "You add up all places and divide by the number of words. The others must be 0 in the sum: vectors * words.",
    all_places_over_words=lambda vectors, tokens: vectors.sum(dim=1) / (tokens > 4).sum(1, keepdim=True),
)


# What is averaged.


word_mean.mistake(
    "You take one mean over all sentences together. Each sentence has its own.",
    one_mean_for_all=lambda vectors, tokens: vectors[tokens > 4].mean(dim=0, keepdim=True).expand(len(vectors), -1),
)


word_mean.mistake(
    "vectors[tokens > 4] puts the words of all sentences in one list, and its mean is one vector. Each sentence has "
    "its own.",
    one_vector=lambda vectors, tokens: vectors[tokens > 4].mean(dim=0),
)


word_mean.mistake(
    "vectors[tokens > 4] is (words, C): the sentences are gone, and you return all words. Take the mean of each "
    "sentence.",
    all_words=lambda vectors, tokens: vectors[tokens > 4],
)


word_mean.mistake(
    "You average over the sentences. dim=1 is the time, over which a sentence's mean runs.",
    over_the_batch=lambda vectors, tokens: (
        (vectors * (tokens > 4)[..., None]).sum(dim=0) / (tokens > 4).sum(0)[:, None]
    ),
)


word_mean.mistake(
    "You average over the channels as well, and one number is left for each sentence. Keep C: sum over dim=1 only.",
    over_the_channels=then(lambda means: means.mean(dim=1)),
)


word_mean.mistake(
    "Your result keeps a dimension of size 1, (B, 1, C). Asked is (B, C): sum(dim=1) without keepdim.",
    dimension_kept=then(lambda means: means[:, None]),
)


word_mean.mistake(
    "squeeze() takes away every dimension of size 1, also that of a batch of one sentence. Leave it out.",
    squeezed=then(lambda means: means.squeeze()),
)


word_mean.mistake(
    "The mask is (B, T) and the vectors are (B, T, C): give the mask a last dimension, (tokens > 4)[..., None].",
    mask_without_channels=lambda vectors, tokens: (
        (vectors * (tokens > 4)).sum(dim=1) / (tokens > 4).sum(1, keepdim=True)
    ),
)


word_mean.mistake(
    "That is the vector at [CLS]. Pre-training has never asked it for anything: take the words.",
    cls_instead=lambda vectors, tokens: vectors[:, 0],
)


word_mean.mistake(
    "That is the largest number of each channel, max pooling. Asked is the mean.",
    largest=lambda vectors, tokens: vectors.masked_fill((tokens <= 4)[..., None], -torch.inf).amax(dim=1),
)


word_mean.mistake(
    "You fill the other places with 0 and take the largest number. Asked is the mean.",
    largest_with_zeros=lambda vectors, tokens: (vectors * (tokens > 4)[..., None]).amax(dim=1),
)


word_mean.mistake(
    "That is the median. Asked is the mean.",
    median=lambda vectors, tokens: torch.stack(
        [row[these > 4].median(dim=0).values for row, these in zip(vectors, tokens, strict=True)]
    ),
)


word_mean.mistake(
    "You take the first word of each sentence. Asked is the mean of all.",
    first_word=lambda vectors, tokens: torch.stack(
        [row[these > 4][0] for row, these in zip(vectors, tokens, strict=True)]
    ),
)


word_mean.mistake(
    "You multiply by the tokens' numbers. They are names: only whether a token is a word counts, tokens > 4.",
    weighed_by_number=over(lambda tokens: tokens * (tokens > 4)),
)


word_mean.mistake(
    "You divide each mean by its length. Return it as it is.",
    normalised=then(lambda means: means / means.norm(dim=1, keepdim=True)),
)


word_mean.mistake(
    "The mean is right, and you set all other places of `vectors` to 0 in place. Make a new tensor: vectors * words.",
    vectors_overwritten=lambda vectors, tokens: (
        word_mean(vectors, tokens) + 0 * vectors.masked_fill_((tokens <= 4)[..., None], 0.0).sum()
    ),
)


word_mean.hints(
    "words = tokens > 4 is (B, T); with unsqueeze(-1) it is (B, T, 1) and broadcasts to the vectors.",
    "vectors * words makes all other places 0. Sum over dim=1.",
    "Divide by words.sum(dim=1), which is (B, 1): the number of words of each sentence.",
)
