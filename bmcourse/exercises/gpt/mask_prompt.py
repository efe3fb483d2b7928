"""The exercise `mask_prompt` of lesson 12."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.gpt.shared import IGNORED


@exercise(
    prompt="One example for fine-tuning, from two lists of tokens. Return two tensors of the same length: the inputs, "
    "all tokens of prompt + answer but the last; and the targets, where targets[t] is the token that follows inputs[t] "
    "if that token belongs to the answer, and -100 if it belongs to the prompt. (F.cross_entropy leaves out -100.)"
)
def mask_prompt(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    targets = tokens[1:].clone()
    targets[: len(prompt) - 1] = IGNORED
    return tokens[:-1], targets


@mask_prompt.judge
def mask_by_hand(prompt, answer):
    together = [*prompt, *answer]
    inputs, targets = [], []
    for place in range(len(together) - 1):
        inputs.append(together[place])
        targets.append(together[place + 1] if place + 1 >= len(prompt) else -100)
    return torch.tensor(inputs), torch.tensor(targets)


@mask_prompt.right
def mask_lists(prompt, answer):
    return torch.tensor((prompt + answer)[:-1]), torch.tensor([-100] * (len(prompt) - 1) + answer)


@mask_prompt.right
def mask_full(prompt, answer):
    tokens = torch.tensor([*prompt, *answer])
    targets = torch.full((len(tokens) - 1,), -100)
    targets[len(prompt) - 1 :] = torch.tensor(answer)
    return tokens[:-1], targets


@mask_prompt.right
def mask_where(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    places = torch.arange(1, len(tokens))
    return tokens[:-1], torch.where(places >= len(prompt), tokens[1:], torch.tensor(-100))


def masked_to(count, value=IGNORED):
    """A wrong answer: the first `count(prompt)` targets are `value`."""

    def wrong(prompt, answer):
        tokens = torch.tensor(prompt + answer)
        targets = tokens[1:].clone()
        targets[: count(prompt)] = value
        return tokens[:-1], targets

    return wrong


@mask_prompt.mistake(
    "The targets are not shifted: each token is to foretell itself. targets[t] is the token *after* inputs[t]."
)
def no_shift(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    targets = tokens.clone()
    targets[: len(prompt)] = IGNORED
    return tokens, targets


@mask_prompt.mistake("The inputs have one token more than the targets. Nothing follows the last token: leave it out.")
def no_shift_of_inputs(prompt, answer):
    return torch.tensor(prompt + answer), mask_prompt(prompt, answer)[1]


@mask_prompt.mistake("You hide the prompt in the inputs too. The model must read it; only its targets do not count.")
def masked_inputs(prompt, answer):
    inputs, targets = mask_prompt(prompt, answer)
    inputs = inputs.clone()
    inputs[: len(prompt) - 1] = IGNORED
    return inputs, targets


@mask_prompt.mistake(
    "You hide the answer and keep the prompt. It is the prompt that the model need not learn to write."
)
def masked_answer(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    targets = tokens[1:].clone()
    targets[len(prompt) - 1 :] = IGNORED
    return tokens[:-1], targets


@mask_prompt.cases
def cases():
    return [
        ([5, 6, 7], [8, 9]),
        ([1], [2]),
        ([4, 4], [4, 4, 4]),
        (list(range(10, 20)), [3]),
    ]


mask_prompt.mistake(
    "One target too many is hidden: the answer's first token. The prompt's *last* token is an input whose "
    "target is already the answer: len(prompt) - 1 targets go.",
    TODO_12=masked_to(len),
)


mask_prompt.mistake(
    "One target too few is hidden: the model still learns the prompt's last token.",
    TODO_13=masked_to(lambda prompt: max(0, len(prompt) - 2)),
)


mask_prompt.mistake(
    "No target is hidden, so the model learns to write prompts too. Put -100 where the next token is the prompt's.",
    TODO_14=masked_to(lambda prompt: 0),
)


mask_prompt.mistake(
    "You hide targets with 0, and 0 is a token like others: the model would learn to say it. Use -100.",
    TODO_15=masked_to(lambda prompt: len(prompt) - 1, 0),
)


mask_prompt.mistake(
    "You hide targets with -1. F.cross_entropy leaves out -100, and -1 is an error.",
    TODO_16=masked_to(lambda prompt: len(prompt) - 1, -1),
)


mask_prompt.mistake(
    "You give the prompt as the input and the answer as the target. A GPT writes token by token: while it "
    "foretells the answer's second token, it reads the first.",
    TODO_17=lambda prompt, answer: (torch.tensor(prompt), torch.tensor(answer)),
)


mask_prompt.hints(
    "Put both lists together. Inputs are all but the last, targets are all but the first: tokens[:-1], tokens[1:].",
    "How many targets belong to the prompt? All prompt tokens but the first are targets: len(prompt) - 1.",
    "targets = tokens[1:].clone(), then targets[: len(prompt) - 1] = -100.",
)
