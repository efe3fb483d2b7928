"""BERT's masking: of the chosen words, some are hidden, some swapped and some kept (lesson 16)."""

import torch

from bmcourse.exercises.bert.sentences import sentences
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

UNDECIDED = {"a gradient is wanted": "whole numbers come out, and no gradient passes through a comparison"}


@exercise(
    prompt="BERT's masking, with the chance taken out. All four are (B, T). Where `chosen` is True, a word of `tokens` "
    "is asked for. What the model reads there depends on its number in `kinds`, 0 to 1: below 0.8 it is [MASK], token "
    "4; from 0.8 to below 0.9 the token of `others`; from 0.9 on the word itself. Return inputs and targets: a target "
    "is the word of `tokens` where it was chosen, and -100 elsewhere. `tokens` stays as it was.",
    untried={"kinds": UNDECIDED},
)
def mask_like_bert(tokens, chosen, kinds, others):
    inputs = torch.where(chosen & (kinds < 0.9), others, tokens)
    inputs = torch.where(chosen & (kinds < 0.8), 4, inputs)
    targets = torch.where(chosen, tokens, -100)
    return inputs, targets


def every_kind():
    """Tokens that look special, chosen all the same, with numbers on the limits; columns lie apart."""
    tokens = torch.tensor([[0, 4, 7, 7, 0], [3, 0, 5, 1, 9], [2, 8, 8, 6, 3]])
    chosen = torch.tensor([[True] * 5, [True, True, False, True, False], [False] * 5])
    kinds = [[0.0, 0.95, 0.8, 0.9, 1.0], [0.85, 0.85, 0.8, 0.0, 0.3], [0.0, 0.8, 0.9, 1.0, 0.5]]
    kinds = torch.tensor(kinds, dtype=torch.float64)  # where 0.9 is the 0.9 that Python compares with
    others = torch.tensor([[11, 12, 7, 14, 15], [0, 12, 13, 14, 15], [4, 4, 4, 4, 4]])
    return tokens.T, chosen.T, kinds.T, others.T


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
            torch.tensor([[0.0, 0.8, 0.9, 0.0]], dtype=torch.float64),
            torch.tensor([[8, 8, 8, 8]]),
        ),
        (sentences(6, 12), torch.rand(6, 12) < 0.4, torch.rand(6, 12), torch.randint(40, 60, (6, 12))),
        every_kind(),
        (sentences(2, 6), torch.zeros(2, 6).bool(), torch.rand(2, 6), torch.full((2, 6), 30)),
    ]


@mask_like_bert.run
def two_tensors(answer, *case):
    result = answer(*case)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake(TWO)
    return list(result)


TWO = "Return two tensors, `return inputs, targets`: what the model reads, and what it is asked for."


@mask_like_bert.right
def by_assignment(tokens, chosen, kinds, others):
    inputs, targets = tokens.clone(), torch.full_like(tokens, -100)
    hidden, swapped = chosen & (kinds < 0.8), chosen & (kinds >= 0.8) & (kinds < 0.9)
    inputs[hidden] = 4
    inputs[swapped] = others[swapped]
    targets[chosen] = tokens[chosen]
    return inputs, targets


@mask_like_bert.right
def by_a_loop(tokens, chosen, kinds, others):
    inputs, targets = tokens.tolist(), [[-100] * tokens.shape[1] for _ in tokens]
    for b, t in chosen.nonzero().tolist():
        targets[b][t] = inputs[b][t]
        if kinds[b, t] < 0.8:
            inputs[b][t] = 4
        elif kinds[b, t] < 0.9:
            inputs[b][t] = others[b, t].item()
    return torch.tensor(inputs), torch.tensor(targets)


@mask_like_bert.right
def by_filling(tokens, chosen, kinds, others):
    hidden = tokens.masked_fill(chosen & (kinds < 0.8), 4)
    keep = ~chosen | (kinds < 0.8) | ~(kinds < 0.9)
    return hidden * keep + others * ~keep, tokens.masked_fill(~chosen, -100)


@mask_like_bert.right
def by_the_number_of_the_kind(tokens, chosen, kinds, others):
    kind = (kinds >= 0.8).long() + (kinds >= 0.9).long()
    kind[~chosen] = 2
    readings = torch.stack([torch.full_like(tokens, 4), others, tokens])
    return readings.gather(0, kind[None])[0], (tokens + 100) * chosen - 100


def masking(hidden=0.8, swapped=0.9, mask=4, targets=None):
    """A wrong masking: with other limits, another token for [MASK], or other targets."""

    def answer(tokens, chosen, kinds, others):
        inputs = torch.where(chosen & (kinds < swapped), others, tokens)
        inputs = torch.where(chosen & (kinds < hidden), mask, inputs)
        right = torch.where(chosen, tokens, -100)
        return inputs, right if targets is None else targets(tokens, inputs, chosen, kinds)

    return answer


def reading(inputs):
    """A wrong masking: `inputs(tokens, chosen, kinds, others)`, with the right targets."""
    return lambda tokens, chosen, kinds, others: (
        inputs(tokens, chosen, kinds, others),
        torch.where(chosen, tokens, -100),
    )


@mask_like_bert.mistake(
    "The answer is right, but you changed `tokens` itself: the next epoch would read the masks. Begin with a "
    "copy, or use torch.where."
)
def in_tokens_itself(tokens, chosen, kinds, others):
    inputs, targets = mask_like_bert(tokens, chosen, kinds, others)
    tokens[:] = inputs
    return tokens, targets


@mask_like_bert.mistake(
    "You changed `tokens` itself, and took the targets from it when the masks stood there already. Begin with a copy, "
    "inputs = tokens.clone()."
)
def in_tokens_before_the_targets(tokens, chosen, kinds, others):
    inputs, _ = mask_like_bert(tokens, chosen, kinds, others)
    tokens[:] = inputs
    return tokens, torch.where(chosen, tokens, -100)


@mask_like_bert.mistake(
    "Inputs and targets are one tensor: `targets = inputs` makes no copy, and -100 lands in the inputs. Begin both "
    "with "
    "tokens.clone()."
)
def one_tensor_for_both(tokens, chosen, kinds, others):
    inputs, _ = mask_like_bert(tokens, chosen, kinds, others)
    return inputs.masked_fill(~chosen, -100), inputs.masked_fill(~chosen, -100)


# Who is hidden, swapped and kept.


mask_like_bert.mistake(
    "You write [MASK] at every chosen place. That is 100 / 0 / 0; BERT hides 80, swaps 10 and keeps 10 of 100.",
    all_hidden=masking(hidden=1.1),
)


mask_like_bert.mistake(
    "You hide the words up to 0.9. [MASK] stands where the number is below 0.8; from 0.8 to below 0.9 stands `others`.",
    hidden_to_nine=masking(hidden=0.9),
)


mask_like_bert.mistake(
    "You swap the words from 0.9 on, too. They stay as they are: the model cannot trust a word merely because "
    "it is no [MASK].",
    kept_ones_swapped=masking(swapped=1.1),
)


mask_like_bert.mistake(
    "You never swap a word for that of `others`: those with a number from 0.8 to below 0.9.",
    none_swapped=masking(swapped=0.8),
)


mask_like_bert.mistake(
    "You never write [MASK]: where the number is below 0.8 stands token 4.",
    none_hidden=reading(
        lambda tokens, chosen, kinds, others: torch.where(chosen & (kinds >= 0.8) & (kinds < 0.9), others, tokens)
    ),
)


mask_like_bert.mistake(
    "Your second step writes over the first: below 0.9 includes below 0.8, so no [MASK] is left. Write `others` first, "
    "or ask for 0.8 <= kinds as well.",
    masks_written_over=masking(hidden=0.0),
)


mask_like_bert.mistake(
    "You hide at exactly 0.8, too. There stands the token of `others`: kinds < 0.8 is hidden, not kinds <= 0.8.",
    hidden_at_the_limit=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds <= 0.8), 4, torch.where(chosen & (kinds < 0.9), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "You swap at exactly 0.9, too. There the word stays: kinds < 0.9, not kinds <= 0.9.",
    swapped_at_the_limit=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds < 0.8), 4, torch.where(chosen & (kinds <= 0.9), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "Both limits belong to the upper part: kinds < 0.8 and kinds < 0.9, not <=.",
    both_limits_wrong=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds <= 0.8), 4, torch.where(chosen & (kinds <= 0.9), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "At exactly 0.8 your word stays. There stands the token of `others`: 0.8 <= kinds, not 0.8 < kinds.",
    kept_at_the_limit=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds < 0.8), 4, torch.where(chosen & (kinds > 0.8) & (kinds < 0.9), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "At exactly 0.8 your word stays, and at exactly 0.9 it is swapped. From 0.8 on it is swapped, from 0.9 on it "
    "stays: "
    "(kinds >= 0.8) & (kinds < 0.9).",
    limits_at_the_wrong_end=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds < 0.8), 4, torch.where(chosen & (kinds > 0.8) & (kinds <= 0.9), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "You have swapping and keeping the wrong way round: from 0.8 to below 0.9 stands `others`, from 0.9 on the word "
    "itself.",
    swapped_and_kept_exchanged=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds < 0.8), 4, torch.where(chosen & (kinds >= 0.9), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "You have hiding and swapping the wrong way round: below 0.8 stands [MASK], from 0.8 to below 0.9 `others`.",
    hidden_and_swapped_exchanged=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds < 0.8), others, torch.where(chosen & (kinds < 0.9), 4, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "The comparisons are turned round: [MASK] stands where the number is *below* 0.8.",
    hidden_above=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds >= 0.2), 4, torch.where(chosen & (kinds >= 0.1), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "You hide from 0.8 on. [MASK] stands where the number is *below* 0.8.",
    hidden_from_eight_on=reading(lambda tokens, chosen, kinds, others: torch.where(chosen & (kinds >= 0.8), 4, tokens)),
)


mask_like_bert.mistake(
    "You keep below 0.1 and swap below 0.2, as if the parts came in another order. Below 0.8 is hidden, then comes "
    "swapping, and keeping last.",
    other_order=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds >= 0.2), 4, torch.where(chosen & (kinds < 0.1), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "You swap below 0.1 only, as if the second part were counted from 0 again. It goes from 0.8 to below 0.9.",
    tenth_from_zero=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds < 0.1), others, torch.where(chosen & (kinds < 0.8), 4, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "You hide below 0.15. That is the share of words that BERT chooses, and `chosen` has done it: [MASK] stands below "
    "0.8.",
    fifteen_percent=masking(hidden=0.15),
)


mask_like_bert.mistake(
    "You change words that were not chosen. `kinds` counts only where `chosen` is True.",
    not_only_the_chosen=reading(
        lambda tokens, chosen, *rest: mask_like_bert(tokens, torch.ones_like(chosen), *rest)[0]
    ),
)


mask_like_bert.mistake(
    "You hide chosen words only, and swap words that were not chosen. `kinds` counts only where `chosen` is True.",
    swapped_everywhere=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & (kinds < 0.8), 4, torch.where((kinds >= 0.8) & (kinds < 0.9), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "You swap chosen words only, and hide words that were not chosen. `kinds` counts only where `chosen` is True.",
    hidden_everywhere=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            kinds < 0.8, 4, torch.where(chosen & (kinds < 0.9), others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "`chosen` is turned round in the inputs: you change the words that were not chosen.",
    chosen_turned_round=reading(lambda tokens, chosen, *rest: mask_like_bert(tokens, ~chosen, *rest)[0]),
)


mask_like_bert.mistake(
    "Python's `and` wants one truth for the whole tensor. Place by place it is &, with brackets: "
    "chosen & (kinds < 0.8).",
    and_for_tensors=reading(lambda tokens, chosen, kinds, others: torch.where(chosen and (kinds < 0.8), 4, tokens)),
)


mask_like_bert.mistake(
    "& binds tighter than <. Put brackets: chosen & (kinds < 0.8).",
    brackets_forgotten=reading(lambda tokens, chosen, kinds, others: torch.where(chosen & kinds < 0.8, 4, tokens)),
)


mask_like_bert.mistake(
    "The places with token 0 were left alone. Where `chosen` is True, every token is asked for: look at `chosen` only.",
    token_zero_left_alone=lambda tokens, chosen, kinds, others: mask_like_bert(
        tokens, chosen & (tokens != 0), kinds, others
    ),
)


mask_like_bert.mistake(
    "The special tokens were left alone. Where `chosen` is True, every token is asked for: look at `chosen` only.",
    special_tokens_left_alone=lambda tokens, chosen, kinds, others: mask_like_bert(
        tokens, chosen & (tokens > 4), kinds, others
    ),
)


mask_like_bert.mistake(
    "Where a word was not chosen, your inputs hold 0, as if nothing stood there. The model reads all other words as "
    "they "
    "are: begin with tokens.clone().",
    zeros_elsewhere=reading(lambda *case: mask_like_bert(*case)[0] * case[1]),
)


mask_like_bert.mistake(
    "Where a word was not chosen, your inputs hold -100. That is for the targets; the model reads all other words as "
    "they "
    "are.",
    sign_elsewhere=reading(lambda *case: mask_like_bert(*case)[0].masked_fill(~case[1], -100)),
)


def only_at(places):
    """A wrong masking: only places where `places(tokens)` is True can be chosen."""
    return lambda tokens, chosen, *rest: mask_like_bert(tokens, chosen & places(tokens), *rest)


mask_like_bert.mistake(
    "Only the first sentence is masked. Go over all of them.",
    first_sentence_only=only_at(lambda tokens: (torch.arange(len(tokens)) == 0)[:, None]),
)


mask_like_bert.mistake(
    "The first place of each sentence was left alone. Where `chosen` is True, every place counts: look at `chosen` "
    "only.",
    first_place_left_alone=only_at(lambda tokens: torch.arange(tokens.shape[1]) > 0),
)


mask_like_bert.mistake(
    "The first and the last place of each sentence were left alone. Where `chosen` is True, every place counts.",
    both_ends_left_alone=only_at(
        lambda tokens: (torch.arange(tokens.shape[1]) > 0) & (torch.arange(tokens.shape[1]) < tokens.shape[1] - 1)
    ),
)


mask_like_bert.mistake(
    "Words from 0.9 on are gone: you write [MASK] there. They stay as they are.",
    kept_ones_hidden=reading(
        lambda tokens, chosen, kinds, others: torch.where(
            chosen & ((kinds < 0.8) | (kinds >= 0.9)), 4, torch.where(chosen, others, tokens)
        )
    ),
)


mask_like_bert.mistake(
    "All chosen words are swapped, and none hidden. Below 0.8 stands [MASK], token 4.",
    all_swapped=reading(lambda tokens, chosen, kinds, others: torch.where(chosen, others, tokens)),
)


mask_like_bert.mistake(
    "Your inputs are `tokens` as they were. What the model reads at chosen places depends on `kinds`.",
    nothing_masked=reading(lambda tokens, *rest: tokens.clone()),
)


# What is written.


mask_like_bert.mistake(
    "You write 0 at a hidden place: that is [PAD], and nobody looks at it. [MASK] is 4.", pad_for_mask=masking(mask=0)
)


mask_like_bert.mistake("You write 3 at a hidden place: that is [SEP]. [MASK] is 4.", sep_for_mask=masking(mask=3))


mask_like_bert.mistake("You write 1 at a hidden place: that is [UNK]. [MASK] is 4.", unknown_for_mask=masking(mask=1))


mask_like_bert.mistake(
    "You write 103 at a hidden place, which is [MASK] in BERT's own vocabulary. In ours it is 4.",
    berts_own_mask=masking(mask=103),
)


mask_like_bert.mistake(
    "You write -100 into the inputs. That is the sign for 'not asked' in the targets; a hidden word is [MASK], 4.",
    sign_for_mask=masking(mask=-100),
)


def rolled_others(tokens, chosen, kinds, others):
    swapped = chosen & (kinds >= 0.8) & (kinds < 0.9)
    inputs = torch.where(chosen & (kinds < 0.8), 4, tokens)
    inputs[swapped] = others.flatten()[: int(swapped.sum())]
    return inputs


mask_like_bert.mistake(
    "You write the first words of `others`, one after the other. Each place has its own: others[swapped].",
    others_from_the_beginning=reading(rolled_others),
)


mask_like_bert.mistake(
    "inputs[swapped] = others does not fit: there are fewer places than words in `others`. Take those of the same "
    "places: others[swapped].",
    all_others_at_once=lambda tokens, chosen, kinds, others: tokens.clone().index_put_(
        (chosen & (kinds >= 0.8) & (kinds < 0.9),), others
    ),
)


mask_like_bert.mistake(
    "You write one word of `others` at all swapped places. Each place has its own: others[swapped].",
    first_other_for_all=lambda tokens, chosen, kinds, others: mask_like_bert(
        tokens, chosen, kinds, torch.full_like(others, others[0, 0].item())
    ),
)


# The targets.


mask_like_bert.mistake(
    "Your targets are what the model reads, [MASK] among them. The target is the word that stood there.",
    targets_from_the_inputs=masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, inputs, -100)),
)


mask_like_bert.mistake(
    "Your targets ask for every word. Elsewhere than at chosen places the target is -100, so that it costs nothing.",
    every_word_asked=masking(targets=lambda tokens, inputs, chosen, kinds: tokens),
)


mask_like_bert.mistake(
    "Your targets are the words of `others`. The target is the word of `tokens` that stood there.",
    others_for_targets=lambda tokens, chosen, kinds, others: (
        mask_like_bert(tokens, chosen, kinds, others)[0],
        torch.where(chosen, others, -100),
    ),
)


mask_like_bert.mistake(
    "Where a word was swapped, your target is that of `others`. The target is the word of `tokens` that stood there.",
    swapped_words_for_targets=masking(
        targets=lambda tokens, inputs, chosen, kinds: torch.where(
            chosen, torch.where(kinds < 0.8, tokens, inputs), -100
        )
    ),
)


mask_like_bert.mistake(
    "You ask only for the words behind [MASK]. Those that were swapped or kept are asked for as well: all that "
    "were chosen.",
    only_hidden_asked=masking(
        targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen & (kinds < 0.8), tokens, -100)
    ),
)


mask_like_bert.mistake(
    "You ask only for words that were hidden or swapped. A chosen word that was kept is asked for, too.",
    kept_ones_not_asked=masking(
        targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen & (kinds < 0.9), tokens, -100)
    ),
)


mask_like_bert.mistake(
    "You ask only for words that look different now. A chosen word that was kept is asked for, too.",
    only_changed_ones_asked=masking(
        targets=lambda tokens, inputs, chosen, kinds: torch.where(inputs != tokens, tokens, -100)
    ),
)


mask_like_bert.mistake(
    "You ask where the inputs hold token 4. Swapped and kept words are asked for as well: all that were chosen.",
    asked_where_mask_stands=masking(
        targets=lambda tokens, inputs, chosen, kinds: torch.where(inputs == 4, tokens, -100)
    ),
)


mask_like_bert.mistake(
    "Your targets are turned round: -100 stands where a word was chosen. It stands elsewhere.",
    targets_turned_round=masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, -100, tokens)),
)


mask_like_bert.mistake(
    "Elsewhere your target is 0, which is a token: [PAD]. The sign for 'not asked' is -100.",
    zero_elsewhere=masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, tokens, 0)),
)


mask_like_bert.mistake(
    "Elsewhere your target is -1. The sign for 'not asked' is -100, which F.cross_entropy leaves out.",
    minus_one_elsewhere=masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, tokens, -1)),
)


mask_like_bert.mistake(
    "Elsewhere your target is 100. The sign for 'not asked' is -100, with a minus.",
    plus_100_elsewhere=masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, tokens, 100)),
)


mask_like_bert.mistake(
    "A product with `chosen` makes 0 of what was not chosen, and you take every 0 for that. Token 0 can be chosen, "
    "too: torch.where(chosen, tokens, -100).",
    chosen_zeros_not_asked=masking(
        targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen & (tokens != 0), tokens, -100)
    ),
)


mask_like_bert.mistake(
    "Your targets are those words alone that were chosen, in one row. Targets are (B, T), with -100 elsewhere.",
    targets_in_one_row=masking(targets=lambda tokens, inputs, chosen, kinds: tokens[chosen]),
)


mask_like_bert.mistake(
    "Your targets are the mask itself. The target is the word of `tokens` where it was chosen, and -100 elsewhere.",
    mask_for_targets=masking(targets=lambda tokens, inputs, chosen, kinds: chosen),
)


mask_like_bert.mistake(
    "Your targets are floats. They number classes, and F.cross_entropy wants whole numbers: torch.where(chosen, "
    "tokens, -100) keeps them.",
    targets_as_floats=masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, tokens, -100.0)),
)


mask_like_bert.mistake(
    "Inputs and targets have changed places. Return inputs first.",
    changed_places=lambda *case: mask_like_bert(*case)[::-1],
)


mask_like_bert.mistake(TWO, inputs_alone=lambda *case: mask_like_bert(*case)[0])


mask_like_bert.hints(
    "Three kinds of chosen places: kinds < 0.8, 0.8 <= kinds < 0.9, and the rest, which stay.",
    "torch.where(condition, this, that) makes a new tensor. & joins two conditions; put each in parentheses.",
    "First write `others` where chosen & (kinds < 0.9), then 4 where chosen & (kinds < 0.8). Targets: "
    "torch.where(chosen, tokens, -100).",
)
