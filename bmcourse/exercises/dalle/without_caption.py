"""Captions of which some are wiped out, for classifier-free guidance (lesson 17)."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Wipe out some captions (B, W): where the number in `draws` (B,), from 0 to 1, is below `rate`, all words "
    "of the caption become 0, which stands for <nothing>. The others stay. Return a new tensor of whole numbers."
)
def without_caption(captions, draws, rate):
    return torch.where((draws < rate)[:, None], 0, captions)


@without_caption.cases
def cases():
    return [
        (torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([0.05, 0.5]), 0.1),
        (torch.randint(1, 20, (6, 6)), torch.tensor([0.0, 0.3, 0.25, 0.9, 0.2, 0.1]), 0.25),
        (torch.randint(1, 20, (3, 3)), torch.tensor([0.0, 0.4, 0.9]), 0.0),
        (
            torch.tensor([[7, 0, 7, 0, 2], [0, 3, 3, 1, 1], [5, 5, 0, 0, 0]]),
            torch.tensor([0.6, 0.6, 0.1]).double(),
            0.5,
        ),
        (torch.tensor([[4, 9, 0, 9]]), torch.tensor([0.999]), 1.0),
        (torch.randint(1, 20, (2, 5)).T, torch.tensor([0.9, 0.1, 0.7, 0.5, 0.2]), 0.6),
    ]


DIMENSION = (
    "`draws < rate` has B answers, one a caption, and captions has W words in each row. [:, None] makes them (B, 1): "
    "one for all words of a row."
)


@without_caption.run
def explained(answer, captions, draws, rate):
    try:
        return answer(captions, draws, rate)
    except (RuntimeError, IndexError) as error:
        known = any(words in str(error) for words in ("must match the size", "shape of the mask"))
        raise Mistake(DIMENSION) if known else error from None


@without_caption.judge
def by_loop(captions, draws, rate):
    rows = zip(captions.tolist(), draws.tolist(), strict=True)
    return torch.tensor([[0] * len(row) if draw < rate else row for row, draw in rows])


@without_caption.right
def by_product(captions, draws, rate):
    return captions * (draws >= rate).long().unsqueeze(1)


@without_caption.right
def by_copy(captions, draws, rate):
    kept = captions.clone()
    kept[draws < rate] = 0
    return kept


@without_caption.right
def by_fill(captions, draws, rate):
    return captions.masked_fill(~(draws >= rate)[:, None], 0)


@without_caption.right
def row_by_row(captions, draws, rate):
    rows = [torch.zeros_like(row) if draw < rate else row for row, draw in zip(captions, draws, strict=True)]
    return torch.stack(rows)


@without_caption.right
def by_places(captions, draws, rate):
    return captions.index_fill(0, torch.lt(draws, rate).nonzero().squeeze(1), 0)


def wiped(gone, new=lambda captions: 0):
    """A wrong answer: where `gone(captions, draws, rate)` is true stands `new(captions)`."""
    return lambda captions, draws, rate: torch.where(gone(captions, draws, rate), new(captions), captions)


def rows(gone):
    return wiped(lambda captions, draws, rate: gone(draws, rate)[:, None])


def other(new):
    """A wrong answer: another word than 0."""
    return wiped(lambda captions, draws, rate: (draws < rate)[:, None], new)


def words(chosen):
    """A wrong answer: only the words at the places that `chosen(numbers, W)` gives go."""

    def gone(captions, draws, rate):
        numbers = torch.arange(captions.shape[1])
        return (draws < rate)[:, None] & chosen(numbers, captions.shape[1])

    return wiped(gone)


def back(change):
    """A wrong answer made of the right captions."""
    return lambda captions, draws, rate: change(without_caption(captions, draws, rate), captions, draws, rate)


without_caption.mistake(
    "The result is right, but you changed the captions that came in: in the next epoch they are gone for ever. Begin "
    "with captions.clone().",
    in_place=lambda captions, draws, rate: captions.masked_fill_((draws < rate)[:, None], 0),
)
without_caption.mistake(
    "You wipe out the first word only: the rest still says which digit it is. All words of a caption go.",
    first_word_only=words(lambda numbers, count: numbers == 0),
)
without_caption.mistake(
    "You wipe out the last word only: the rest still says which digit it is. All words of a caption go.",
    last_word_only=words(lambda numbers, count: numbers == count - 1),
)
without_caption.mistake(
    "The first word stays. All words of a caption go.",
    first_word_stays=words(lambda numbers, count: numbers > 0),
)
without_caption.mistake(
    "The last word stays. All words of a caption go.",
    last_word_stays=words(lambda numbers, count: numbers < count - 1),
)
without_caption.mistake(
    "You wipe out the wrong ones: with a rate of 0.1, nine of ten captions would go. Those below the rate go.",
    wrong_side=rows(lambda draws, rate: draws >= rate),
)
without_caption.mistake(
    "You wipe out those above the rate, and keep what equals it: with a rate of 0.1, nine of ten captions would go. "
    "Those below the rate go.",
    above=rows(lambda draws, rate: draws > rate),
)
without_caption.mistake(
    "You also wipe out where the number equals the rate. With a rate of 0 nothing may go: use <.",
    or_equal=rows(lambda draws, rate: draws <= rate),
)
without_caption.mistake(
    "You wipe out where the number equals the rate, and nowhere else. Those below go: <.",
    equal_only=rows(lambda draws, rate: draws == rate),
)
without_caption.mistake(
    "You compare with 1 - rate: those above it go. As many go, but other ones: where the number is below `rate`.",
    from_above=rows(lambda draws, rate: draws > 1 - rate),
)
without_caption.mistake(
    "You compare with 1 - rate: that is the share that stays. Below `rate` they go.",
    rate_kept=rows(lambda draws, rate: draws < 1 - rate),
)
without_caption.mistake(
    "You take exactly the share `rate` of the captions, those with the smallest numbers. Each caption is judged alone: "
    "draws < rate.",
    exact_share=rows(lambda draws, rate: draws.argsort().argsort() < round(rate * len(draws))),
)
without_caption.mistake(
    "You wipe out the first captions of the batch, a share `rate` of them. `draws` says which ones go.",
    first_captions=rows(lambda draws, rate: torch.arange(len(draws)) < rate * len(draws)),
)
without_caption.mistake(
    "The rate is written down as 0.1. Use `rate`.",
    always_a_tenth=rows(lambda draws, rate: draws < 0.1),
)
without_caption.mistake(
    "The rate is written down as 0.5. Use `rate`.",
    always_a_half=rows(lambda draws, rate: draws < 0.5),
)
without_caption.mistake(
    "One number below the rate, and all captions go. Each caption has its own: (draws < rate)[:, None].",
    any_wipes_all=rows(lambda draws, rate: (draws < rate).any().expand(len(draws))),
)
without_caption.mistake(
    "The first number decides for all captions. Each caption has its own: (draws < rate)[:, None].",
    first_draw_for_all=rows(lambda draws, rate: (draws[0] < rate).expand(len(draws))),
)
without_caption.mistake(
    "You draw numbers of your own. Use `draws`: then whoever calls knows which captions go.",
    own_draws=rows(lambda draws, rate: torch.rand(len(draws)) < rate),
)
without_caption.mistake(
    "You draw a number for each word, and single words go. All words of a caption go together, by `draws`.",
    draws_for_words=wiped(lambda captions, draws, rate: torch.rand(captions.shape) < rate),
)
without_caption.mistake(
    "You remove whole rows: then captions and images no longer belong together. Set the words to 0.",
    rows_removed=lambda captions, draws, rate: captions[draws >= rate],
)
without_caption.mistake(
    "You return the rows that go, and only those. Set their words to 0, and return all rows.",
    rows_that_go=lambda captions, draws, rate: captions[draws < rate],
)
without_caption.mistake(DIMENSION, over_the_words=wiped(lambda captions, draws, rate: draws < rate))
without_caption.mistake(
    "Words are numbers in a list, not strengths: nothing may be scaled as in dropout, and they stay whole.",
    scaled=lambda captions, draws, rate: captions * (draws >= rate)[:, None] / (1 - rate),
)
without_caption.mistake(
    "You fill in a word of the caption. Word 0, <nothing>, stands for a caption that is not given.",
    other_word=other(lambda captions: captions.mode().values[:, None]),
)
without_caption.mistake(
    "You fill in -1. <nothing> is word 0; there is no word -1.",
    minus_one=other(lambda captions: -1),
)
without_caption.mistake(
    "You fill in 1. <nothing> is word 0.",
    one=other(lambda captions: 1),
)
without_caption.mistake(
    "You fill in -100, which loss functions ignore. The words are read here, and <nothing> is word 0.",
    minus_100=other(lambda captions: -100),
)
without_caption.mistake(
    "Nothing is wiped out: the model would never learn to write without a caption.",
    nothing_wiped=lambda captions, draws, rate: captions,
)
without_caption.mistake(
    "All captions are wiped out. Those whose number is not below the rate stay.",
    everything_wiped=lambda captions, draws, rate: torch.zeros_like(captions),
)
without_caption.mistake(
    "The captions that go are right, but the others lose their words as well: you return 0 and 1, the mask. Put it on "
    "the captions.",
    mask_back=back(lambda kept, captions, draws, rate: (draws >= rate)[:, None].expand(captions.shape).long()),
)
without_caption.mistake(
    "You return which captions go, True and False. Put that on the captions.",
    which_go=back(lambda kept, captions, draws, rate: draws < rate),
)
without_caption.mistake(
    "Right, but as floats. Words choose rows of an embedding: they must be whole numbers. Multiply by a mask of whole "
    "numbers, (draws >= rate).long().",
    floats=back(lambda kept, captions, draws, rate: kept.float()),
)
without_caption.mistake(
    "Only the first caption that goes is wiped out. Is the `return` inside of the loop?",
    first_only=rows(lambda draws, rate: (draws < rate) & ((draws < rate).cumsum(0) == 1)),
)
without_caption.mistake(
    "The last caption is never wiped out. The loop goes to the end: range(len(captions)).",
    last_never=rows(lambda draws, rate: (draws < rate) & (torch.arange(len(draws)) < len(draws) - 1)),
)
without_caption.mistake(
    "You return a list. Make a tensor of it: torch.stack(rows).",
    list_back=back(lambda kept, captions, draws, rate: kept.tolist()),
)
without_caption.mistake(
    "You return two things. The captions alone were asked.",
    two_things=back(lambda kept, captions, draws, rate: (kept, draws < rate)),
)

without_caption.hints(
    "draws < rate says which rows go: (B,). With [:, None] it is (B, 1) and holds for every word of a row.",
    "torch.where(condition, 0, captions), or captions * (draws >= rate)[:, None].",
)
