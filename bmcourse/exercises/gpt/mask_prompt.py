"""The exercise `mask_prompt` of lesson 15: one example for fine-tuning, in which only the answer is learned."""

import torch

from bmcourse.exercises.core import exercise

IGNORED = -100  # F.cross_entropy leaves such targets out


@exercise(
    prompt="One example for fine-tuning, from two lists of tokens. Return two tensors of the same length: the inputs, "
    "all tokens of prompt + answer but the last; and the targets, where targets[t] is the token that follows inputs[t] "
    "if that token belongs to the answer, and -100 if it belongs to the prompt. (F.cross_entropy leaves out -100.)"
)
def mask_prompt(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    targets = tokens[1:].clone()
    targets[: len(prompt) - 1] = -100
    return tokens[:-1], targets


@mask_prompt.cases
def cases():
    """Small; a prompt of one token; the same token in both; a long prompt, and one token to answer; zeros."""
    return [
        ([5, 6, 7], [8, 9]),
        ([1], [2, 3]),
        ([4, 4], [4, 4, 4]),
        (list(range(10, 20)), [3]),
        ([0, 7], [0, 6, 0, 7, 5]),
    ]


@mask_prompt.judge
def by_hand(prompt, answer):
    together = [*prompt, *answer]
    inputs, targets = [], []
    for place in range(len(together) - 1):
        inputs.append(together[place])
        targets.append(together[place + 1] if place + 1 >= len(prompt) else -100)
    return torch.tensor(inputs), torch.tensor(targets)


@mask_prompt.right
def as_lists(prompt, answer):
    return torch.tensor((prompt + answer)[:-1]), torch.tensor([-100] * (len(prompt) - 1) + answer)


@mask_prompt.right
def into_a_full_one(prompt, answer):
    tokens = torch.tensor([*prompt, *answer])
    targets = torch.full((len(tokens) - 1,), -100)
    targets[len(prompt) - 1 :] = torch.tensor(answer)
    return tokens[:-1], targets


@mask_prompt.right
def with_where(prompt, answer):
    tokens = torch.tensor(prompt + answer)
    places = torch.arange(1, len(tokens))
    return tokens[:-1], torch.where(places >= len(prompt), tokens[1:], torch.tensor(-100))


@mask_prompt.right
def masked_before_the_shift(prompt, answer):
    tokens, labels = torch.tensor(prompt + answer), torch.tensor(prompt + answer)
    labels[: len(prompt)] = -100
    return tokens[:-1], labels[1:]


def hidden(count, value=IGNORED):
    """A wrong answer: the first `count(prompt)` targets are `value`."""

    def wrong(prompt, answer):
        tokens = torch.tensor(prompt + answer)
        targets = tokens[1:].clone()
        targets[: count(prompt)] = value
        return tokens[:-1], targets

    return wrong


changed = mask_prompt.changed
HIDE = "targets[: len(prompt) - 1] = -100"

# How many targets are hidden, which, and with what.
mask_prompt.mistake(
    "One target too many is hidden: the answer's first token. The prompt's *last* token is an input whose "
    "target is already the answer: len(prompt) - 1 targets go.",
    one_too_many=hidden(len),
)
mask_prompt.mistake(
    "Two targets too many are hidden. All prompt tokens but the first are targets: len(prompt) - 1 go.",
    two_too_many=hidden(lambda prompt: len(prompt) + 1),
)
mask_prompt.mistake(
    "One target too few is hidden: the model still learns the prompt's last token.",
    one_too_few=hidden(lambda prompt: max(0, len(prompt) - 2)),
)
mask_prompt.mistake(
    "`targets[: len(prompt) - 2]` hides one target too few, and with a prompt of one token -1 counts from the end. "
    "len(prompt) - 1 targets go.",
    one_too_few_from_the_end=hidden(lambda prompt: len(prompt) - 2),
)
mask_prompt.mistake(
    "No target is hidden, so the model learns to write prompts too. Put -100 where the next token is the prompt's.",
    nothing_hidden=changed(HIDE, ""),
)
mask_prompt.mistake(
    "Only one target is hidden, the prompt's last. All that belong to the prompt go: a slice, targets[: ...].",
    only_one_hidden=changed(HIDE, "if len(prompt) > 1: targets[len(prompt) - 2] = -100"),
)
mask_prompt.mistake(
    "All targets are hidden: nothing is left to learn. Those of the answer stay.",
    all_hidden=changed(HIDE, "targets[:] = -100"),
)
mask_prompt.mistake(
    "You hide the answer and keep the prompt. It is the prompt that the model need not learn to write.",
    answer_hidden=changed("targets[: len(prompt) - 1]", "targets[len(prompt) - 1 :]"),
)
mask_prompt.mistake(
    "You hide as many targets as the answer has. It is the prompt that goes: len(prompt) - 1 targets.",
    length_of_the_answer=changed("[: len(prompt) - 1]", "[: len(answer) - 1]"),
)
mask_prompt.mistake(
    "You hide the last targets, not the first: the prompt stands at the beginning.",
    last_ones_hidden=changed("[: len(prompt) - 1]", "[len(targets) - len(prompt) + 1 :]"),
)
mask_prompt.mistake(
    "You hide every target that stands somewhere in the prompt. The answer may use the same tokens: hide by place.",
    hidden_by_token=changed(HIDE, "targets[torch.isin(targets, torch.tensor(prompt))] = -100"),
)
mask_prompt.mistake(
    "You hide targets with 0, and 0 is a token like others: the model would learn to say it. Use -100.",
    hidden_with_zero=hidden(lambda prompt: len(prompt) - 1, 0),
)
mask_prompt.mistake(
    "You hide targets with -1. F.cross_entropy leaves out -100, and -1 is an error.",
    hidden_with_minus_one=hidden(lambda prompt: len(prompt) - 1, -1),
)
mask_prompt.mistake(
    "You hide targets with 100, which is a token like others. Use -100.",
    hidden_with_a_hundred=hidden(lambda prompt: len(prompt) - 1, 100),
)
mask_prompt.mistake(
    "You add -100 to the targets of the prompt. Put it in their place.",
    added=changed("= -100", "+= -100"),
)

# The shift.
mask_prompt.mistake(
    "The targets are not shifted: each token would predict itself. targets[t] is the token *after* inputs[t].",
    no_shift=lambda prompt, answer: (torch.tensor(prompt + answer), torch.tensor([IGNORED] * len(prompt) + answer)),
)
mask_prompt.mistake(
    "The targets are not shifted, though the last token is left out: each token would predict itself. targets[t] is "
    "the token *after* inputs[t].",
    no_shift_cut=lambda prompt, answer: (
        torch.tensor(prompt + answer)[:-1],
        torch.tensor([IGNORED] * len(prompt) + answer)[:-1],
    ),
)
mask_prompt.mistake(
    "The targets are not shifted: targets[t] is inputs[t] itself. Take tokens[1:].",
    no_shift_one_hidden_less=changed("tokens[1:]", "tokens[:-1]"),
)
mask_prompt.mistake(
    "Inputs and targets are exchanged: the inputs lack the last token, the targets the first.",
    exchanged=changed("tokens[:-1], targets", "targets, tokens[:-1]"),
)
mask_prompt.mistake(
    "The shift goes the wrong way: your inputs lack the first token, your targets the last. Each target is the token "
    "*after* its input.",
    shifted_the_wrong_way=changed("tokens[1:]", "tokens[:-1]", "return tokens[:-1]", "return tokens[1:]"),
)
mask_prompt.mistake(
    "The inputs have one token more than the targets. Nothing follows the last token: leave it out.",
    inputs_not_cut=changed("tokens[:-1], targets", "tokens, targets"),
)
mask_prompt.mistake(
    "Your targets have one more than the inputs: the first token is no target, as nothing comes before it.",
    targets_not_cut=lambda prompt, answer: (
        torch.tensor(prompt + answer)[:-1],
        torch.tensor([IGNORED] * len(prompt) + answer),
    ),
)
mask_prompt.mistake(
    "You keep all tokens as inputs, and fill the last target up with -100. Nothing follows the last token: leave it "
    "out of the inputs.",
    filled_up=changed("tokens[:-1], targets", "tokens, torch.cat([targets, torch.tensor([-100])])"),
)
mask_prompt.mistake(
    "`torch.roll` brings the first token to the end: nothing follows the last one. Leave it out of the inputs.",
    rolled=changed("tokens[1:].clone()", "tokens.roll(-1)", "tokens[:-1], targets", "tokens, targets"),
)
mask_prompt.mistake(
    "Your targets are shifted by two. targets[t] is the token just after inputs[t].",
    shifted_by_two=lambda prompt, answer: (
        torch.tensor(prompt + answer)[:-2],
        torch.tensor([IGNORED] * len(prompt) + answer)[2:],
    ),
)

# What is in the inputs and the targets.
mask_prompt.mistake(
    "You hide the prompt in the inputs too. The model must read it; only its targets do not count.",
    inputs_hidden=changed("return", "tokens[: len(prompt) - 1] = -100; return"),
)
mask_prompt.mistake(
    "You hide the whole prompt in the inputs too. The model must read it; only its targets do not count.",
    all_of_the_prompt_hidden=changed("return", "tokens[: len(prompt)] = -100; return"),
)
mask_prompt.mistake(
    "You give the prompt as the input and the answer as the target. A GPT writes token by token: while it "
    "predicts the answer's second token, it reads the first.",
    prompt_to_answer=lambda prompt, answer: (torch.tensor(prompt), torch.tensor(answer)),
)
mask_prompt.mistake(
    "Your targets are the answer alone. They are as many as the inputs, with -100 for those of the prompt.",
    answer_alone=changed("tokens[:-1], targets", "tokens[:-1], torch.tensor(answer)"),
)
mask_prompt.mistake(
    "Your inputs are the prompt alone. While it predicts the answer's second token, a GPT reads the first: all tokens "
    "but the last.",
    inputs_are_the_prompt=changed("tokens[:-1], targets", "torch.tensor(prompt), targets"),
)
mask_prompt.mistake(
    "The answer comes first in your tokens. It follows the prompt: prompt + answer.",
    answer_first=changed("prompt + answer", "answer + prompt"),
)
mask_prompt.mistake(
    "The last token of the answer is missing among the targets: it is what the model must learn to end with.",
    last_target_lost=changed("return tokens[:-1], targets", "return tokens[:-2], targets[:-1]"),
)
mask_prompt.mistake(
    "You return lists. F.cross_entropy wants tensors: torch.tensor(list).",
    lists=changed("tokens[:-1], targets", "tokens[:-1].tolist(), targets.tolist()"),
)
mask_prompt.mistake(
    "Your tokens are floats: torch.Tensor(...) makes floats of everything. torch.tensor(list) keeps whole numbers.",
    floats=changed("torch.tensor(prompt + answer)", "torch.Tensor(prompt + answer)"),
)
mask_prompt.mistake(
    "Both have a first dimension of 1, as for a batch. Asked for is one example: (length,).",
    batch_of_one=changed("tokens[:-1], targets", "tokens[None, :-1], targets[None]"),
)
mask_prompt.mistake(
    "You return the targets alone. Return inputs and targets.", targets_alone=changed("tokens[:-1], targets", "targets")
)
mask_prompt.mistake(
    "Your targets are True and False, or 1 and 0: which places count. Put the tokens there, and -100 for the others.",
    mask_for_targets=changed("tokens[:-1], targets", "tokens[:-1], targets != -100"),
)


@mask_prompt.mistake(
    "The result is right, but the list `prompt` has grown: `+=` and extend() change the list that came in. prompt + "
    "answer makes a new one."
)
def prompt_changed(prompt, answer):
    count = len(prompt)
    prompt += answer
    return mask_prompt(prompt[:count], answer)


mask_prompt.mistake(
    "Your inputs have -100 in them: tokens[1:] is a view, no copy, and what you write into the targets is in the "
    "inputs too. Take tokens[1:].clone().",
    shared=changed(".clone()", ""),
)
mask_prompt.mistake(
    "Your inputs have -100 in them: tokens[1:] is a view, no copy, and what you write into the targets is in the "
    "inputs too. Take tokens[1:].clone(). And one target too many is hidden: len(prompt) - 1 go.",
    shared_and_one_too_many=changed(".clone()", "", "len(prompt) - 1", "len(prompt)"),
)
mask_prompt.mistake(
    "Your targets are floats, and F.cross_entropy wants whole numbers: -100 in the place of -100.0, and torch.tensor "
    "of integers.",
    float_targets=changed("tokens[:-1], targets", "tokens[:-1], targets.float()"),
)


mask_prompt.hints(
    "Put both lists together. Inputs are all but the last, targets are all but the first: tokens[:-1], tokens[1:].",
    "How many targets belong to the prompt? All prompt tokens but the first are targets: len(prompt) - 1.",
    "targets = tokens[1:].clone(), then targets[: len(prompt) - 1] = -100.",
)
