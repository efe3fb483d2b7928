"""The exercise `next_token_pairs` of lesson 06."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Inputs and targets of one text: the target of every token is the token after it. ids (T,), both (T - 1,)."
)
def next_token_pairs(ids):
    return ids[:-1], ids[1:]


@next_token_pairs.right
def shift_by_range(ids):
    positions = torch.arange(len(ids) - 1)
    return ids[positions], ids[positions + 1]


@next_token_pairs.right
def shift_by_stack(ids):
    pairs = ids.unfold(0, 2, 1)
    return pairs[:, 0], pairs[:, 1]


@next_token_pairs.right
def shift_by_narrow(ids):
    return ids.narrow(0, 0, len(ids) - 1), ids.narrow(0, 1, len(ids) - 1)


@next_token_pairs.cases
def cases():
    return [(torch.tensor([5, 6, 7, 8]),), (torch.randint(50, (12,)),), (torch.tensor([3, 9]),)]


next_token_pairs.mistake(
    "Your targets are the inputs themselves. The model then learns to copy what it "
    "sees: the loss falls to zero and nothing is predicted. Shift the targets by "
    "one.",
    TODO_1=lambda ids: (ids, ids),
)


next_token_pairs.mistake(
    "You cut both ends equally, so the targets are the inputs themselves. Take ids[1:] as the targets.",
    TODO_2=lambda ids: (ids[:-1], ids[:-1]),
)


next_token_pairs.mistake(
    "You shifted the wrong way: your model would predict the token before. Inputs are ids[:-1], targets are ids[1:].",
    TODO_3=lambda ids: (ids[1:], ids[:-1]),
)


next_token_pairs.mistake(
    "roll() wraps around: the target of the last token is the first token "
    "of the text. The last token has no target: leave it out of the "
    "inputs.",
    TODO_4=lambda ids: (ids, ids.roll(-1)),
)


next_token_pairs.mistake(
    "The inputs are one longer than the targets. The last token has no target: leave it out of the inputs.",
    TODO_5=lambda ids: (ids, ids[1:]),
)


next_token_pairs.mistake(
    "You shifted by two: your model would skip a token every time.", TODO_6=lambda ids: (ids[:-2], ids[2:])
)


next_token_pairs.hints(
    "Write four tokens on paper, and under each the token that follows it. Which has none?",
    "The last token has nothing after it, so the inputs are ids[:-1].",
    "return ids[:-1], ids[1:]",
)
