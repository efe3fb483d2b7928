"""Captions of which some are wiped out, for classifier-free guidance (lesson 14)."""

import torch

from bmcourse.exercises.core import exercise


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
    ]


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


@without_caption.mistake(
    "The result is right, but you changed the captions that came in: in the next epoch they are gone for ever."
)
def in_place(captions, draws, rate):
    captions[draws < rate] = 0
    return captions


@without_caption.mistake(
    "You wipe out the first word only: the rest still says which digit it is. All words of a caption go."
)
def first_word_only(captions, draws, rate):
    kept = captions.clone()
    kept[draws < rate, 0] = 0
    return kept


without_caption.mistake(
    "You wipe out the wrong ones: with a rate of 0.1, nine of ten captions would go. Those below the rate go.",
    wrong_side=lambda captions, draws, rate: torch.where((draws >= rate)[:, None], 0, captions),
)

without_caption.mistake(
    "You also wipe out where the number equals the rate. With a rate of 0 nothing may go: use <.",
    or_equal=lambda captions, draws, rate: torch.where((draws <= rate)[:, None], 0, captions),
)

without_caption.mistake(
    "You remove whole rows: then captions and images no longer belong together. Set the words to 0.",
    rows_removed=lambda captions, draws, rate: captions[draws >= rate],
)

without_caption.mistake(
    "`draws < rate` has B answers, one a caption, and torch takes them for the W words. [:, None] makes them "
    "(B, 1): one for all words of a row.",
    over_the_words=lambda captions, draws, rate: torch.where(draws < rate, 0, captions),
)

without_caption.mistake(
    "Words are numbers in a list, not strengths: nothing may be scaled as in dropout, and they stay whole.",
    scaled=lambda captions, draws, rate: captions * (draws >= rate)[:, None] / (1 - rate),
)

without_caption.mistake(
    "You fill in another word. Word 0, <nothing>, stands for a caption that is not given.",
    other_word=lambda captions, draws, rate: torch.where(
        (draws < rate)[:, None], captions.mode().values[:, None], captions
    ),
)

without_caption.mistake(
    "Nothing is wiped out: the model would never learn to write without a caption.",
    nothing_wiped=lambda captions, draws, rate: captions,
)

without_caption.hints(
    "draws < rate says which rows go: (B,). With [:, None] it is (B, 1) and holds for every word of a row.",
    "torch.where(condition, 0, captions), or captions * (draws >= rate)[:, None].",
)
