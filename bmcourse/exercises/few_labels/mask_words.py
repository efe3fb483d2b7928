"""The exercise `mask_words` of lesson 13: text becomes its own label (Devlin et al. 2018, section 3.1)."""

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Masked pre-training asks for hidden words, so any text is its own label. tokens (B, T) are word numbers, "
    "filled up with `padding`; draws (B, T) are numbers from 0 to 1. A word is hidden where its draw is below `rate`; "
    "padding is never hidden. Return inputs, the tokens with `mask` for each hidden word, and targets: the hidden "
    "words at their places, -100 everywhere else, which F.cross_entropy skips. Devlin et al. 2018, section 3.1."
)
def mask_words(tokens, draws, rate, mask, padding):
    hidden = (draws < rate) & (tokens != padding)
    inputs = tokens.masked_fill(hidden, mask)
    targets = tokens.masked_fill(~hidden, -100)
    return inputs, targets


@mask_words.cases
def cases():
    rare = uncommon(torch.tensor([[0.1, 0.9, 0.2], [0.3, 0.8, 0.7]]))[0].detach()
    return [
        (torch.tensor([[5, 6, 7, 0]]), torch.tensor([[0.1, 0.8, 0.3, 0.2]]), 0.3, 1, 0),
        (torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([[0.9, 0.05, 0.5], [0.1, 0.6, 0.0]]), 0.15, 1, 0),
        (torch.randint(2, 30, (3, 8)), torch.rand(3, 8), 0.5, 1, 0),
        (
            torch.tensor([[0, 4, 9, 9], [0, 0, 0, 9]]),
            torch.tensor([[0.1, 0.2, 0.1, 0.3], [0.1, 0.9, 0.1, 0.8]]),
            0.5,
            3,
            9,
        ),
        (torch.tensor([[4, 5]]), torch.tensor([[0.4, 0.7]]), 0.0, 1, 0),
        (torch.tensor([[3, 1, 6], [1, 2, 7]]), rare, 1.0, 0, 7),
    ]


TWO = "Return two tensors of the shape of the tokens: `return inputs, targets`."


@mask_words.run
def two_tensors(answer, tokens, draws, rate, mask, padding):
    result = answer(tokens, draws, rate, mask, padding)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake(TWO)
    return list(result)


@mask_words.right
def by_loops(tokens, draws, rate, mask, padding):
    inputs, targets = tokens.clone(), torch.full_like(tokens, -100)
    for b in range(tokens.shape[0]):
        for t in range(tokens.shape[1]):
            if tokens[b, t] != padding and draws[b, t] < rate:
                targets[b, t] = tokens[b, t]
                inputs[b, t] = mask
    return inputs, targets


@mask_words.right
def by_where(tokens, draws, rate, mask, padding):
    stays = torch.logical_or(draws >= rate, tokens == padding)
    return torch.where(stays, tokens, mask), torch.where(stays, -100, tokens)


@mask_words.right
def by_places(tokens, draws, rate, mask, padding):
    rows, columns = ((draws < rate) * (tokens - padding).abs()).nonzero(as_tuple=True)
    inputs, targets = tokens.clone(), tokens * 0 - 100
    targets[rows, columns] = inputs[rows, columns]
    inputs[rows, columns] = mask
    return inputs, targets


@mask_words.right
def by_arithmetic(tokens, draws, rate, mask, padding):
    hidden = (draws.lt(rate) & tokens.ne(padding)).long()
    return tokens + hidden * (mask - tokens), tokens * hidden - 100 * (1 - hidden)


@mask_words.right
def by_lists(tokens, draws, rate, mask, padding):
    inputs, targets = [], []
    for words, numbers in zip(tokens.tolist(), draws, strict=True):
        hidden = [word != padding and bool(number < rate) for word, number in zip(words, numbers, strict=True)]
        inputs.append([mask if gone else word for word, gone in zip(words, hidden, strict=True)])
        targets.append([word if gone else -100 for word, gone in zip(words, hidden, strict=True)])
    return torch.tensor(inputs), torch.tensor(targets)


def hiding(make):
    """A wrong answer: `make(tokens, hidden, mask, padding)`, where `hidden` is right."""

    def answer(tokens, draws, rate, mask, padding):
        return make(tokens, (draws < rate) & (tokens != padding), mask, padding)

    return answer


def hidden_where(hidden):
    """The answer that hides where `hidden(tokens, draws, rate, padding)`, and does the rest right."""

    def answer(tokens, draws, rate, mask, padding):
        gone = hidden(tokens, draws, rate, padding)
        return tokens.masked_fill(gone, mask), tokens.masked_fill(~gone, -100)

    return answer


def targets_are(make):
    """The right inputs, and as targets `make(tokens, hidden, mask, padding)`."""
    return hiding(
        lambda tokens, hidden, mask, padding: (
            tokens.masked_fill(hidden, mask),
            make(tokens, hidden, mask, padding),
        )
    )


def inputs_are(make):
    """The right targets, and as inputs `make(tokens, hidden, mask, padding)`."""
    return hiding(
        lambda tokens, hidden, mask, padding: (
            make(tokens, hidden, mask, padding),
            tokens.masked_fill(~hidden, -100),
        )
    )


# Which words are hidden.
mask_words.mistake(
    "You hide padding too: the model would earn its points by guessing nothing behind every short sentence. "
    "Add & (tokens != padding).",
    padding_hidden=hidden_where(lambda tokens, draws, rate, padding: draws < rate),
)
mask_words.mistake(
    "You hide the padding and no word. It is & (tokens != padding).",
    only_padding_hidden=hidden_where(lambda tokens, draws, rate, padding: (draws < rate) & (tokens == padding)),
)
mask_words.mistake(
    "You hide every padding. Where the padding is nothing is hidden: both must hold, & and not |.",
    either=hidden_where(lambda tokens, draws, rate, padding: (draws < rate) | (tokens == padding)),
)
mask_words.mistake(
    "You hide every word: one of the two is enough for you. Both must hold: (draws < rate) & (tokens != padding).",
    one_is_enough=hidden_where(lambda tokens, draws, rate, padding: (draws < rate) | (tokens != padding)),
)
mask_words.mistake(
    "You hide every word, whatever its draw. Only those whose draw is below the rate: (draws < rate).",
    all_hidden=hidden_where(lambda tokens, draws, rate, padding: tokens != padding),
)
mask_words.mistake(
    "You take 0 for the padding. Here it is `padding`, which may be another number, and 0 a word.",
    padding_is_0=hidden_where(lambda tokens, draws, rate, padding: (draws < rate) & (tokens != 0)),
)
mask_words.mistake(
    "You take every number above the padding's for a word. A word may have a smaller number: tokens != padding.",
    words_above_the_padding=hidden_where(lambda tokens, draws, rate, padding: (draws < rate) & (tokens > padding)),
)
mask_words.mistake(
    "You hide where the draw is at least the rate. Below it: with a rate of 0.15 about 15 % are hidden.",
    at_least_the_rate=hidden_where(lambda tokens, draws, rate, padding: (draws >= rate) & (tokens != padding)),
)
mask_words.mistake(
    "You hide where the draw is above the rate. Below it: with a rate of 0.15 about 15 % are hidden.",
    above_the_rate=hidden_where(lambda tokens, draws, rate, padding: (draws > rate) & (tokens != padding)),
)
mask_words.mistake(
    "A word whose draw equals the rate is not hidden: below means <.",
    equal_hidden=hidden_where(lambda tokens, draws, rate, padding: (draws <= rate) & (tokens != padding)),
)
mask_words.mistake(
    "You hide where the draw is above 1 - rate. Below the rate is asked.",
    above_the_rest=hidden_where(lambda tokens, draws, rate, padding: (draws > 1 - rate) & (tokens != padding)),
)
mask_words.mistake(
    "Your rate is always 0.15, as in BERT. It comes as an argument.",
    always_15=hidden_where(lambda tokens, draws, rate, padding: (draws < 0.15) & (tokens != padding)),
)
mask_words.mistake(
    "Nothing is hidden in your answer. Hidden is where draws < rate and tokens != padding.",
    nothing_hidden=hidden_where(lambda tokens, draws, rate, padding: torch.zeros_like(tokens, dtype=torch.bool)),
)
mask_words.mistake(
    "You hide the first words of each row, as many as the rate says. The draws say which.",
    first_words=hidden_where(
        lambda tokens, draws, rate, padding: (
            (torch.arange(tokens.shape[1]) < rate * tokens.shape[1]) & (tokens != padding)
        )
    ),
)
mask_words.mistake(
    "You draw numbers of your own. They come as `draws`.",
    own_draws=hidden_where(
        lambda tokens, draws, rate, padding: (torch.rand(tokens.shape) < rate) & (tokens != padding)
    ),
)
mask_words.mistake(
    "You hide in the first row as in all others: one row of draws is used for all. Each word has its own.",
    first_row_for_all=hidden_where(lambda tokens, draws, rate, padding: (draws[:1] < rate) & (tokens != padding)),
)

# The targets.
mask_words.mistake(
    "Every word is a target. The words that are not hidden stand in the input, so the model learns to copy: "
    "-100 there.",
    all_are_targets=targets_are(lambda tokens, hidden, mask, padding: tokens),
)
mask_words.mistake(
    "Only padding is -100. The words that are not hidden stand in the input, so the model learns to copy: "
    "-100 there too.",
    all_words_are_targets=targets_are(
        lambda tokens, hidden, mask, padding: tokens.masked_fill(tokens == padding, -100)
    ),
)
mask_words.mistake(
    "The targets are the mask itself: you took them from the inputs, where the words are already hidden. Take "
    "them from `tokens`.",
    targets_too_late=targets_are(
        lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, mask).masked_fill(~hidden, -100)
    ),
)
mask_words.mistake(
    "Where nothing is hidden, your targets are padding, which counts as an answer. F.cross_entropy skips -100.",
    padding_elsewhere=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(~hidden, padding)),
)
mask_words.mistake(
    "Where nothing is hidden, your targets are the mask, which counts as an answer. F.cross_entropy skips -100.",
    mask_elsewhere=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(~hidden, mask)),
)
mask_words.mistake(
    "Where nothing is hidden, your targets are -1. The number that F.cross_entropy skips is -100.",
    minus_1=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(~hidden, -1)),
)
mask_words.mistake(
    "Where nothing is hidden, your targets are 0, which is a word. The number that F.cross_entropy skips is -100.",
    zero_elsewhere=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(~hidden, 0)),
)
mask_words.mistake(
    "Where nothing is hidden, your targets are 100. The number that F.cross_entropy skips is -100, minus 100.",
    plus_100=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(~hidden, 100)),
)
mask_words.mistake(
    "Your targets are turned round: -100 at the hidden words, and the seen ones are asked for. Fill where not "
    "hidden: ~hidden.",
    seen_are_targets=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, -100)),
)
mask_words.mistake(
    "Your targets ask for the words that are not hidden, without padding. Asked are the hidden ones.",
    seen_words_are_targets=targets_are(
        lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden | (tokens == padding), -100)
    ),
)
mask_words.mistake(
    "All your targets are -100, so nothing is asked for. At the hidden places stand the words: fill where not hidden, "
    "~hidden.",
    nothing_asked=targets_are(lambda tokens, hidden, mask, padding: torch.full_like(tokens, -100)),
)
mask_words.mistake(
    "Your targets are a list of the hidden words, without their places. They have the shape of the tokens, "
    "with -100 elsewhere.",
    hidden_words_alone=targets_are(lambda tokens, hidden, mask, padding: tokens[hidden]),
)
mask_words.mistake(
    "Your targets are True and False. At the hidden places stand the words, -100 elsewhere.",
    targets_are_places=targets_are(lambda tokens, hidden, mask, padding: hidden),
)
mask_words.mistake(
    "Your targets are floats, and F.cross_entropy wants whole numbers. torch.full_like(tokens, -100) has the tokens' "
    "type.",
    targets_are_floats=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(~hidden, -100).float()),
)
mask_words.mistake(
    "Your targets are the next words, as in a GPT. Here the target stands at the place of its word.",
    shifted=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(~hidden, -100).roll(-1, 1)),
)

# The inputs.
mask_words.mistake(
    "The words are still in the inputs: the model can read the answer. Put `mask` there.",
    still_in_the_inputs=inputs_are(lambda tokens, hidden, mask, padding: tokens),
)
mask_words.mistake(
    "You put padding in place of the hidden words. The model attends to no padding, so it could not see that a "
    "word is missing there: use `mask`.",
    padding_for_mask=inputs_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, padding)),
)
mask_words.mistake(
    "You put 0 in place of the hidden words. Use `mask`.",
    zero_for_mask=inputs_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, 0)),
)
mask_words.mistake(
    "You put 1 in place of the hidden words. Use `mask`.",
    one_for_mask=inputs_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, 1)),
)
mask_words.mistake(
    "You put -100 into the inputs, and no embedding has such a row. Hidden words become `mask` there.",
    minus_100_in_the_inputs=inputs_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, -100)),
)
mask_words.mistake(
    "Your inputs are turned round: the seen words become `mask`, and the hidden ones stay. Fill where hidden.",
    seen_are_masked=inputs_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(~hidden, mask)),
)
mask_words.mistake(
    "All places of your inputs are `mask`. Only the hidden words are.",
    all_masked=inputs_are(lambda tokens, hidden, mask, padding: torch.full_like(tokens, mask)),
)
mask_words.mistake(
    "Your inputs have lost the hidden words and with them the shape. Put `mask` in their places.",
    seen_words_alone=inputs_are(lambda tokens, hidden, mask, padding: tokens[~hidden]),
)
mask_words.mistake(
    "You return the targets first. Asked are the inputs, then the targets.",
    targets_first=lambda *case: mask_words(*case)[::-1],
)
mask_words.mistake(
    "Inputs and targets are one and the same tensor: `targets = inputs` gives it a second name. Make two: masked_fill "
    "makes a copy, and so does clone().",
    one_tensor=targets_are(lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, mask)),
)
mask_words.mistake(TWO, inputs_alone=lambda *case: mask_words(*case)[0])


@mask_words.mistake(
    "The result is right, but the tokens that came in are changed, and in the next epoch more are hidden. "
    "masked_fill makes a copy, tokens[hidden] = ... does not."
)
def in_place(tokens, draws, rate, mask, padding):
    inputs, targets = mask_words(tokens, draws, rate, mask, padding)
    return tokens.copy_(inputs), targets


@mask_words.mistake(
    "The targets are the mask itself, and the tokens that came in are changed: tokens[hidden] = mask comes before you "
    "take the targets. Work on copies: tokens.masked_fill(...)."
)
def in_place_and_too_late(tokens, draws, rate, mask, padding):
    hidden = (draws < rate) & (tokens != padding)
    tokens[hidden] = mask
    return tokens, tokens.masked_fill(~hidden, -100)


@mask_words.mistake(
    "`inputs = tokens` is a second name for the same tensor, so that you write -100 where you have just written "
    "`mask`. Work on copies: tokens.clone()."
)
def all_in_one(tokens, draws, rate, mask, padding):
    hidden = (draws < rate) & (tokens != padding)
    tokens[hidden] = mask
    tokens[~hidden] = -100
    return tokens, tokens


mask_words.hints(
    "First one tensor of True and False (B, T): where the draw is below the rate and there is a word.",
    "hidden = (draws < rate) & (tokens != padding). The brackets are needed.",
    "inputs = tokens.masked_fill(hidden, mask); targets = tokens.masked_fill(~hidden, -100).",
)
