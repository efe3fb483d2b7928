"""The exercise `mask_words` of lesson 10."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.few_labels.shared import plain
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


@mask_words.run
def inputs_and_targets(answer, tokens, draws, rate, mask, padding):
    result = answer(tokens, draws, rate, mask, padding)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Return two tensors of the shape of the tokens: `return inputs, targets`.")
    return [plain(part) for part in result]


@mask_words.right
def hide_by_loops(tokens, draws, rate, mask, padding):
    inputs, targets = tokens.clone(), torch.full_like(tokens, -100)
    for b in range(tokens.shape[0]):
        for t in range(tokens.shape[1]):
            if tokens[b, t] != padding and draws[b, t] < rate:
                targets[b, t] = tokens[b, t]
                inputs[b, t] = mask
    return inputs, targets


@mask_words.right
def hide_by_where(tokens, draws, rate, mask, padding):
    stays = torch.logical_or(draws >= rate, tokens == padding)
    return torch.where(stays, tokens, mask), torch.where(stays, -100, tokens)


@mask_words.right
def hide_by_places(tokens, draws, rate, mask, padding):
    rows, columns = ((draws < rate) * (tokens - padding).abs()).nonzero(as_tuple=True)
    inputs, targets = tokens.clone(), tokens * 0 - 100
    targets[rows, columns] = inputs[rows, columns]
    inputs[rows, columns] = mask
    return inputs, targets


def hiding(make):
    """A wrong answer: `make(tokens, hidden, mask, padding)`, where `hidden` is right."""

    def answer(tokens, draws, rate, mask, padding):
        return make(tokens, (draws < rate) & (tokens != padding), mask, padding)

    return answer


@mask_words.mistake(
    "The result is right, but the tokens that came in are changed, and in the next epoch more are hidden. "
    "masked_fill makes a copy, tokens[hidden] = ... does not."
)
def hide_in_place(tokens, draws, rate, mask, padding):
    hidden = (draws < rate) & (tokens != padding)
    targets = tokens.masked_fill(~hidden, -100)
    tokens[hidden] = mask
    return tokens, targets


def targets_too_late(tokens, hidden, mask, padding):
    inputs = tokens.masked_fill(hidden, mask)
    return inputs, inputs.masked_fill(~hidden, -100)


@mask_words.cases
def cases():
    return [
        (torch.tensor([[5, 6, 7, 0]]), torch.tensor([[0.1, 0.8, 0.3, 0.2]]), 0.3, 1, 0),
        (torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([[0.9, 0.05, 0.5], [0.1, 0.6, 0.0]]), 0.15, 1, 0),
        (torch.randint(2, 30, (3, 8)), torch.rand(3, 8), 0.5, 1, 0),
        (
            torch.tensor([[0, 4, 9, 9], [0, 0, 0, 9]]),
            torch.tensor([[0.1, 0.2, 0.1, 0.3], [0.1, 0.9, 0.1, 0.4]]),
            0.5,
            3,
            9,
        ),
        (torch.tensor([[4, 5]]), torch.tensor([[0.4, 0.7]]), 0.0, 1, 0),
    ]


mask_words.mistake(
    "Return two tensors of the shape of the tokens: `return inputs, targets`.",
    TODO_32=hiding(lambda tokens, hidden, mask, padding: tokens.masked_fill(hidden, mask)),
)


mask_words.mistake(
    "You hide padding too: the model would earn its points by guessing nothing behind every short sentence. "
    "Add & (tokens != padding).",
    TODO_33=lambda tokens, draws, rate, mask, padding: hide_by_where(tokens, draws, rate, mask, tokens + 1),
)


mask_words.mistake(
    "You take 0 for the padding. Here it is `padding`, which may be another number, and 0 a word.",
    TODO_34=lambda tokens, draws, rate, mask, padding: hide_by_where(tokens, draws, rate, mask, 0),
)


mask_words.mistake(
    "Every word is a target. The words that are not hidden stand in the input, so the model learns to copy: "
    "-100 there.",
    TODO_35=hiding(lambda tokens, hidden, mask, padding: (tokens.masked_fill(hidden, mask), tokens)),
)


mask_words.mistake(
    "Only padding is -100. The words that are not hidden stand in the input, so the model learns to copy: "
    "-100 there too.",
    TODO_36=hiding(
        lambda tokens, hidden, mask, padding: (
            tokens.masked_fill(hidden, mask),
            tokens.masked_fill(tokens == padding, -100),
        )
    ),
)


mask_words.mistake(
    "The words are still in the inputs: the model can read the answer. Put `mask` there.",
    TODO_37=hiding(lambda tokens, hidden, mask, padding: (tokens, tokens.masked_fill(~hidden, -100))),
)


mask_words.mistake(
    "The targets are the mask itself: you took them from the inputs, where the words are already hidden. Take "
    "them from `tokens`.",
    TODO_38=hiding(targets_too_late),
)


mask_words.mistake(
    "Where nothing is hidden, your targets are padding, which counts as an answer. F.cross_entropy skips -100.",
    TODO_39=hiding(
        lambda tokens, hidden, mask, padding: (
            tokens.masked_fill(hidden, mask),
            tokens.masked_fill(~hidden, padding),
        )
    ),
)


mask_words.mistake(
    "Where nothing is hidden, your targets are -1. The number that F.cross_entropy skips is -100.",
    TODO_40=hiding(
        lambda tokens, hidden, mask, padding: (
            tokens.masked_fill(hidden, mask),
            tokens.masked_fill(~hidden, -1),
        )
    ),
)


mask_words.mistake(
    "Your targets are turned round: -100 at the hidden words, and the seen ones are asked for. Fill where not "
    "hidden: ~hidden.",
    TODO_41=hiding(
        lambda tokens, hidden, mask, padding: (
            tokens.masked_fill(hidden, mask),
            tokens.masked_fill(hidden, -100),
        )
    ),
)


mask_words.mistake(
    "You hide where the draw is above the rate. Below it: with a rate of 0.15 about 15 % are hidden.",
    TODO_42=lambda tokens, draws, rate, mask, padding: mask_words(tokens, -draws, -rate, mask, padding),
)


mask_words.mistake(
    "A word whose draw equals the rate is not hidden: below means <.",
    TODO_43=lambda tokens, draws, rate, mask, padding: mask_words(tokens, draws, rate + 1e-6, mask, padding),
)


mask_words.mistake(
    "You put padding in place of the hidden words. The model attends to no padding, so it could not see that a "
    "word is missing there: use `mask`.",
    TODO_44=hiding(
        lambda tokens, hidden, mask, padding: (
            tokens.masked_fill(hidden, padding),
            tokens.masked_fill(~hidden, -100),
        )
    ),
)


mask_words.mistake(
    "Your targets are a list of the hidden words, without their places. They have the shape of the tokens, "
    "with -100 elsewhere.",
    TODO_45=hiding(lambda tokens, hidden, mask, padding: (tokens.masked_fill(hidden, mask), tokens[hidden])),
)


mask_words.mistake(
    "You return the targets first. Asked are the inputs, then the targets.",
    TODO_46=hiding(
        lambda tokens, hidden, mask, padding: (
            tokens.masked_fill(~hidden, -100),
            tokens.masked_fill(hidden, mask),
        )
    ),
)


mask_words.hints(
    "First one tensor of True and False (B, T): where the draw is below the rate and there is a word.",
    "hidden = (draws < rate) & (tokens != padding). The brackets are needed.",
    "inputs = tokens.masked_fill(hidden, mask); targets = tokens.masked_fill(~hidden, -100).",
)
