"""The exercise `mask_like_bert` of lesson 13."""

import torch

from bmcourse.exercises.bert.shared import plain, sentences
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="BERT's masking, with the chance taken out. All four are (B, T). Where `chosen` is True, a word of `tokens` "
    "is asked for. What the model reads there depends on its number in `kinds`, 0 to 1: below 0.8 it is [MASK], token "
    "4; from 0.8 to below 0.9 the token of `others`; from 0.9 on the word itself. Return inputs and targets: a target "
    "is the word of `tokens` where it was chosen, and -100 elsewhere. `tokens` stays as it was."
)
def mask_like_bert(tokens, chosen, kinds, others):
    inputs = torch.where(chosen & (kinds < 0.9), others, tokens)
    inputs = torch.where(chosen & (kinds < 0.8), 4, inputs)
    targets = torch.where(chosen, tokens, -100)
    return inputs, targets


@mask_like_bert.run
def two_tensors(answer, *case):
    result = answer(*case)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Return two tensors, `return inputs, targets`: what the model reads, and what it is asked for.")
    return [plain(part) for part in result]


@mask_like_bert.right
def mask_by_assignment(tokens, chosen, kinds, others):
    inputs, targets = tokens.clone(), torch.full_like(tokens, -100)
    hidden, swapped = chosen & (kinds < 0.8), chosen & (kinds >= 0.8) & (kinds < 0.9)
    inputs[hidden] = 4
    inputs[swapped] = others[swapped]
    targets[chosen] = tokens[chosen]
    return inputs, targets


@mask_like_bert.right
def mask_by_a_loop(tokens, chosen, kinds, others):
    inputs, targets = tokens.tolist(), [[-100] * tokens.shape[1] for _ in tokens]
    for b, t in chosen.nonzero().tolist():
        targets[b][t] = inputs[b][t]
        if kinds[b, t] < 0.8:
            inputs[b][t] = 4
        elif kinds[b, t] < 0.9:
            inputs[b][t] = others[b, t].item()
    return torch.tensor(inputs), torch.tensor(targets)


@mask_like_bert.right
def mask_by_fill(tokens, chosen, kinds, others):
    hidden = tokens.masked_fill(chosen & (kinds < 0.8), 4)
    keep = ~chosen | (kinds < 0.8) | ~(kinds < 0.9)
    return hidden * keep + others * ~keep, tokens.masked_fill(~chosen, -100)


def _masking(hidden=0.8, swapped=0.9, mask=4, targets=None):
    """A wrong masking: with other limits, another token for [MASK], or other targets."""

    def answer(tokens, chosen, kinds, others):
        inputs = torch.where(chosen & (kinds < swapped), others, tokens)
        inputs = torch.where(chosen & (kinds < hidden), mask, inputs)
        right = torch.where(chosen, tokens, -100)
        return inputs, right if targets is None else targets(tokens, inputs, chosen, kinds)

    return answer


@mask_like_bert.mistake(
    "The answer is right, but you changed `tokens` itself: the next epoch would read the masks. Begin with a "
    "copy, or use torch.where."
)
def mask_in_place(tokens, chosen, kinds, others):
    targets = torch.where(chosen, tokens, -100)
    tokens[chosen & (kinds < 0.9)] = others[chosen & (kinds < 0.9)]
    tokens[chosen & (kinds < 0.8)] = 4
    return tokens, targets


@mask_like_bert.cases
def cases():
    return [
        (
            torch.tensor([[2, 5, 6, 7, 3]]),
            torch.tensor([[False, True, True, True, False]]),
            torch.tensor([[0.1, 0.5, 0.85, 0.95, 0.1]]),
            torch.tensor([[9, 9, 9, 9, 9]]),
        ),
        (sentences(3, 8), torch.rand(3, 8) < 0.5, torch.rand(3, 8), torch.randint(40, 60, (3, 8))),
        (
            torch.tensor([[2, 5, 6, 3]]),
            torch.tensor([[False, True, True, False]]),
            torch.tensor([[0.0, 0.8, 0.9, 0.0]]),
            torch.tensor([[8, 8, 8, 8]]),
        ),
        (sentences(6, 12), torch.rand(6, 12) < 0.4, torch.rand(6, 12), torch.randint(40, 60, (6, 12))),
    ]


mask_like_bert.mistake(
    "You write [MASK] at every chosen place. That is 100 / 0 / 0; BERT hides 80, swaps 10 and keeps 10 of 100.",
    TODO_1=_masking(hidden=1.1),
)


mask_like_bert.mistake(
    "You swap the words from 0.9 on, too. They stay as they are: the model cannot trust a word merely because "
    "it is no [MASK].",
    TODO_2=_masking(swapped=1.1),
)


mask_like_bert.mistake(
    "You never swap a word for that of `others`: those with a number from 0.8 to below 0.9.",
    TODO_3=_masking(swapped=0.8),
)


mask_like_bert.mistake(
    "You change words that were not chosen. `kinds` counts only where `chosen` is True.",
    TODO_4=lambda tokens, chosen, kinds, others: (
        mask_like_bert(tokens, torch.ones_like(chosen), kinds, others)[0],
        mask_like_bert(tokens, chosen, kinds, others)[1],
    ),
)


mask_like_bert.mistake(
    "Your targets are what the model reads, [MASK] among them. The target is the word that stood there.",
    TODO_5=_masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, inputs, -100)),
)


mask_like_bert.mistake(
    "Your targets ask for every word. Elsewhere than at chosen places the target is -100, so that it costs nothing.",
    TODO_6=_masking(targets=lambda tokens, inputs, chosen, kinds: tokens),
)


mask_like_bert.mistake(
    "You ask only for the words behind [MASK]. Those that were swapped or kept are asked for as well: all that "
    "were chosen.",
    TODO_7=_masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen & (kinds < 0.8), tokens, -100)),
)


mask_like_bert.mistake(
    "You ask only for words that look different now. A chosen word that was kept is asked for, too.",
    TODO_8=_masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(inputs != tokens, tokens, -100)),
)


mask_like_bert.mistake(
    "Elsewhere your target is 0, which is a token: [PAD]. The sign for 'not asked' is -100.",
    TODO_9=_masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, tokens, 0)),
)


mask_like_bert.mistake(
    "You write 0 at a hidden place: that is [PAD], and nobody looks at it. [MASK] is 4.", TODO_10=_masking(mask=0)
)


mask_like_bert.mistake(
    "Inputs and targets have changed places. Return inputs first.", TODO_11=lambda *case: mask_like_bert(*case)[::-1]
)


mask_like_bert.mistake(
    "Return two tensors, `return inputs, targets`: what the model reads, and what it is asked for.",
    TODO_12=lambda *case: mask_like_bert(*case)[0],
)


mask_like_bert.hints(
    "Three kinds of chosen places: kinds < 0.8, 0.8 <= kinds < 0.9, and the rest, which stay.",
    "torch.where(condition, this, that) makes a new tensor. & joins two conditions; put each in parentheses.",
    "First write `others` where chosen & (kinds < 0.9), then 4 where chosen & (kinds < 0.8). Targets: "
    "torch.where(chosen, tokens, -100).",
)
