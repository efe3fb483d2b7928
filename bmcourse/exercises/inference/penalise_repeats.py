"""The exercise `penalise_repeats` of lesson 07."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.inference.shared import GONE


@exercise(
    prompt="The repetition penalty: every token that is in `tokens` (T,) gets a lower score in `logits` (V,), once, "
    "however often it came. A positive score is divided by `penalty`, a negative one multiplied. penalty is above 1."
)
def penalise_repeats(logits, tokens, penalty):
    scores = logits[tokens]
    lowered = torch.where(scores > 0, scores / penalty, scores * penalty)
    return logits.scatter(0, tokens, lowered)


@penalise_repeats.judge
def penalise_by_hand(logits, tokens, penalty):
    came = set(tokens.tolist())
    scores = enumerate(logits.tolist())
    return torch.tensor([(x / penalty if x > 0 else x * penalty) if token in came else x for token, x in scores])


@penalise_repeats.right
def penalise_in_a_loop(logits, tokens, penalty):
    logits = logits.clone()
    for token in set(tokens.tolist()):
        if logits[token] < 0:
            logits[token] *= penalty
        else:
            logits[token] /= penalty
    return logits


@penalise_repeats.right
def penalise_by_mask(logits, tokens, penalty):
    came = torch.isin(torch.arange(len(logits)), tokens)
    factor = torch.where(logits < 0, penalty, 1 / penalty)
    return torch.where(came, logits * factor, logits)


@penalise_repeats.right
def penalise_by_powers(logits, tokens, penalty):
    came = torch.zeros_like(logits).index_fill(0, tokens, 1.0)
    return logits * penalty ** (-came * logits.sign())


def changed_at(tokens, change):
    """A wrong penalty: `change(scores, penalty)` at the tokens that `tokens` chooses among those that came."""

    def answer(logits, came, penalty):
        places = tokens(came)
        return logits.scatter(0, places, change(logits[places], penalty))

    return answer


def _lowered(scores, penalty):
    return torch.where(scores > 0, scores / penalty, scores * penalty)


@penalise_repeats.mistake(
    "A token that came three times is penalised three times. Once is enough: go through set(tokens.tolist())."
)
def once_for_each_time(logits, tokens, penalty):
    logits = logits.clone()
    for token in tokens:
        logits[token] = _lowered(logits[token], penalty)
    return logits


@penalise_repeats.cases
def cases():
    return [
        (torch.tensor([2.0, -2.0, 1.0, 3.0]), torch.tensor([0, 1]), 2.0),
        (torch.tensor([4.0, 1.5, -1.0, 0.5, -3.0]), torch.tensor([4, 0, 0, 2, 0]), 1.5),
        (torch.randn(20) * 3, torch.randint(20, (15,)), 1.2),
        (torch.randn(6), torch.arange(6), 1.3),
    ]


penalise_repeats.mistake(
    "You divide negative scores too. -2 divided by 2 is -1, which is higher: the token comes more often. "
    "Multiply where the score is negative.",
    TODO_32=changed_at(lambda came: came, lambda scores, penalty: scores / penalty),
)


penalise_repeats.mistake(
    "You multiply positive scores too, which raises them. Divide where the score is positive.",
    TODO_33=changed_at(lambda came: came, lambda scores, penalty: scores * penalty),
)


penalise_repeats.mistake(
    "It is the wrong way round: your repeated tokens get likelier. Divide positive scores, multiply negative ones.",
    TODO_34=changed_at(lambda came: came, lambda scores, penalty: _lowered(scores, 1 / penalty)),
)


penalise_repeats.mistake(
    "You subtract the penalty. Here it divides: a score of 2 with penalty 2 becomes 1, and not 0.",
    TODO_35=changed_at(lambda came: came, lambda scores, penalty: scores - penalty),
)


penalise_repeats.mistake(
    "You penalise the whole vocabulary. Only the tokens that came before get a lower score.",
    TODO_36=lambda logits, tokens, penalty: _lowered(logits, penalty),
)


penalise_repeats.mistake(
    "Only the last token is penalised. Every token of the text so far counts.",
    TODO_37=changed_at(lambda came: came[-1:], _lowered),
)


penalise_repeats.mistake(
    "You forbid every token that came. A penalty only lowers the score: a text needs its spaces again.",
    TODO_38=changed_at(lambda came: came, lambda scores, penalty: torch.full_like(scores, GONE)),
)


penalise_repeats.mistake(
    "You return the scores of the repeated tokens only. Return all logits, (V,).",
    TODO_39=lambda logits, tokens, penalty: _lowered(logits[tokens], penalty),
)


penalise_repeats.mistake(
    "You penalise probabilities. They are never negative, and need to sum to 1: change the logits.",
    TODO_40=lambda logits, tokens, penalty: penalise_repeats(logits.softmax(dim=-1), tokens, penalty),
)


penalise_repeats.mistake(
    "You penalise the tokens that did not come. Change those in `tokens`.",
    TODO_41=lambda logits, tokens, penalty: penalise_others(logits, tokens, penalty),
)


penalise_repeats.hints(
    "What happens to -2 when you divide it by 2? Is it likelier afterwards, or less likely?",
    "The scores of the tokens so far are logits[tokens]. torch.where chooses between two results.",
    "lowered = torch.where(scores > 0, scores / penalty, scores * penalty); then write them back into a copy.",
)


def penalise_others(logits, tokens, penalty):
    came = torch.isin(torch.arange(len(logits)), tokens)
    return torch.where(came, logits, _lowered(logits, penalty))
