"""The exercise `penalise_repeats`: tokens that came before get a lower score."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The repetition penalty: every token that is in `tokens` (T,) gets a lower score in `logits` (V,), once, "
    "however often it came. A positive score is divided by `penalty`, a negative one multiplied. penalty is above 1.",
    untried={"logits": {"a gradient is wanted": "nobody learns from a token that is drawn"}},
)
def penalise_repeats(logits, tokens, penalty):
    scores = logits[tokens]
    lowered = torch.where(scores > 0, scores / penalty, scores * penalty)
    return logits.scatter(0, tokens, lowered)


@penalise_repeats.cases
def cases():
    return [
        (torch.tensor([2.0, -2.0, 1.0, 3.0]), torch.tensor([0, 1]), 2.0),
        (torch.tensor([4.0, 1.5, -1.0, 0.5, -3.0]), torch.tensor([4, 0, 0, 2, 0]), 1.5),
        (torch.randn(20) * 3, torch.randint(20, (15,)), 1.2),
        (torch.randn(6), torch.arange(6), 1.3),
        (torch.tensor([0.0, 0.4, -0.4, 5.0, 5.0], dtype=torch.float64), torch.tensor([2, 0, 3, 1, 2]), 1.25),
        (torch.tensor([-0.5, 2.5]), torch.tensor([1]), 3),
        (torch.tensor([1.5]), torch.tensor([0]), 1.1),
        (torch.tensor([1.0, -2.0, 3.0]), torch.tensor([], dtype=torch.long), 1.5),
        (torch.tensor([1000.0, -1000.0, 999.0]), torch.tensor([0, 1, 1]), 1.5),
    ]


@penalise_repeats.judge
def by_hand(logits, tokens, penalty):
    came = set(tokens.tolist())
    scores = [
        (x / penalty if x > 0 else x * penalty) if token in came else x for token, x in enumerate(logits.tolist())
    ]
    return torch.tensor(scores, dtype=logits.dtype)


@penalise_repeats.right
def in_a_loop(logits, tokens, penalty):
    logits = logits.clone()
    for token in set(tokens.tolist()):
        if logits[token] < 0:
            logits[token] *= penalty
        else:
            logits[token] /= penalty
    return logits


@penalise_repeats.right
def by_a_mask(logits, tokens, penalty):
    came = torch.isin(torch.arange(len(logits)), tokens)
    factor = torch.where(logits < 0, float(penalty), 1 / penalty)
    return torch.where(came, logits * factor, logits)


@penalise_repeats.right
def by_powers(logits, tokens, penalty):
    came = torch.zeros_like(logits).index_fill(0, tokens, 1.0)
    return logits * penalty ** (-came * logits.sign())


@penalise_repeats.right
def by_the_smaller(logits, tokens, penalty):
    lowered = logits.clone()
    lowered[tokens] = torch.minimum(logits / penalty, logits * penalty)[tokens]
    return lowered


def lowered(scores, penalty):
    return torch.where(scores > 0, scores / penalty, scores * penalty)


def penalty_of(change, tokens=lambda tokens: tokens, after=lambda result: result):
    """A wrong penalty: `change(scores, penalty)` at the tokens that `tokens` chooses among those that came."""

    def answer(logits, came, penalty):
        places = tokens(came)
        return after(logits.scatter(0, places, change(logits[places], penalty).to(logits.dtype)))

    return answer


def at(tokens):
    return penalty_of(lowered, tokens)


def after(change):
    """A wrong penalty: the right result, changed."""
    return penalty_of(lowered, after=change)


# Which way the score goes.

for name, message, change in (
    ("always_divided", "You divide negative scores too. -2 divided by 2 is -1, which is higher: the token comes more "
     "often. Multiply where the score is negative.", lambda scores, penalty: scores / penalty),
    ("always_multiplied", "You multiply positive scores too, which raises them. Divide where the score is positive.",
     lambda scores, penalty: scores * penalty),
    ("wrong_way_round", "It is the wrong way round: your repeated tokens get likelier. Divide positive scores, "
     "multiply negative ones.", lambda scores, penalty: lowered(scores, 1 / penalty)),
    ("subtracted", "You subtract the penalty. Here it divides: a score of 2 with penalty 2 becomes 1, and not 0.",
     lambda scores, penalty: scores - penalty),
    ("added", "You add the penalty, which raises the score. Divide positive scores, multiply negative ones.",
     lambda scores, penalty: scores + penalty),
    ("subtracted_or_added", "You subtract the penalty from positive scores and add it to negative ones. Divide the "
     "positive ones, multiply the negative ones.", lambda scores, penalty: torch.where(
         scores > 0, scores - penalty, scores + penalty)),
    ("negative_as_they_were", "Negative scores stay as they were. Multiply them: -2 with penalty 2 becomes -4.",
     lambda scores, penalty: torch.where(scores > 0, scores / penalty, scores)),
    ("positive_as_they_were", "Positive scores stay as they were. Divide them: 2 with penalty 2 becomes 1.",
     lambda scores, penalty: torch.where(scores > 0, scores, scores * penalty)),
    ("positive_subtracted", "You subtract the penalty from positive scores. Divide them by it.",
     lambda scores, penalty: torch.where(scores > 0, scores - penalty, scores * penalty)),
    ("negative_subtracted", "You subtract the penalty from negative scores. Multiply them by it.",
     lambda scores, penalty: torch.where(scores > 0, scores / penalty, scores - penalty)),
    ("sign_lost", "Negative scores become positive. Multiply them by `penalty`, and not by -penalty or abs().",
     lambda scores, penalty: torch.where(scores > 0, scores / penalty, -scores * penalty)),
    ("absolute", "You divide the absolute value. A negative score is multiplied, and stays negative.",
     lambda scores, penalty: scores.abs() / penalty),
    ("limit_at_one", "You compare the scores with 1. Positive and negative are meant: compare with 0.",
     lambda scores, penalty: torch.where(scores > 1, scores / penalty, scores * penalty)),
    ("limit_at_the_penalty", "You compare the scores with the penalty. Positive or negative is meant: compare with 0.",
     lambda scores, penalty: torch.where(scores > penalty, scores / penalty, scores * penalty)),
    ("limit_at_a_half", "You compare the scores with 0.5. They are logits: compare with 0.",
     lambda scores, penalty: torch.where(scores > 0.5, scores / penalty, scores * penalty)),
    ("one_sign_for_all", "You ask once whether all scores are positive. Ask for each: torch.where.",
     lambda scores, penalty: scores / penalty if (scores > 0).all() else scores * penalty),
    ("share_subtracted", "You subtract a share of the score. Divide positive scores by the penalty, multiply negative "
     "ones.", lambda scores, penalty: scores - scores.abs() / penalty),
    ("excess_subtracted", "You subtract (penalty - 1) times the score. That is right for negative scores only: divide "
     "positive ones by the penalty.", lambda scores, penalty: scores - scores.abs() * (penalty - 1)),
    ("squared", "The penalty comes in squared. Divide or multiply once.",
     lambda scores, penalty: lowered(scores, penalty**2)),
    ("root", "You take the root of the penalty. Divide or multiply by the penalty itself.",
     lambda scores, penalty: lowered(scores, penalty**0.5)),
    ("always_1_2", "Your penalty is 1.2, whatever is given. Use the argument.",
     lambda scores, penalty: lowered(scores, 1.2)),
    ("always_2", "Your penalty is 2, whatever is given. Use the argument.", lambda scores, penalty: lowered(scores, 2)),
    ("forbidden", "You forbid every token that came. A penalty only lowers the score: a text needs its spaces again.",
     lambda scores, penalty: torch.full_like(scores, -torch.inf)),
    ("zero", "You set the scores of repeated tokens to 0, which may even be higher. Divide or multiply.",
     lambda scores, penalty: torch.zeros_like(scores)),
    ("minus_penalty", "Repeated tokens get -penalty as their score. Lower the score they have: divide or multiply.",
     lambda scores, penalty: torch.full_like(scores, -penalty)),
    ("logarithm_subtracted", "You subtract the logarithm of the penalty. Divide or multiply the score itself.",
     lambda scores, penalty: scores - torch.tensor(penalty).log()),
    ("exponential", "You divide by exp(penalty). Divide or multiply by the penalty itself.",
     lambda scores, penalty: lowered(scores, torch.tensor(penalty).exp())),
    ("floor_division", "You divide with //, which throws away what is behind the point. Divide with /.",
     lambda scores, penalty: torch.where(scores > 0, scores // penalty, scores * penalty)),
    ("one_minus", "You multiply positive scores by 1 - penalty, or negative ones. Divide and multiply by penalty.",
     lambda scores, penalty: torch.where(scores > 0, scores * (1 - penalty), scores * penalty)),
    ("nothing_changed", "Nothing has changed. Write the lowered scores back: result[tokens] = lowered.",
     lambda scores, penalty: scores),
):  # fmt: skip
    penalise_repeats.mistake(message, **{name: penalty_of(change)})

# Which tokens, and how often.


def for_each_time(change):
    """A wrong penalty: `change` for each time that a token came."""

    def answer(logits, tokens, penalty):
        logits = logits.clone()
        for token in tokens:
            logits[token] = change(logits[token], penalty)
        return logits

    return answer


penalise_repeats.mistake(
    "A token that came three times is penalised three times. Once is enough: go through set(tokens.tolist()).",
    once_for_each_time=for_each_time(lowered),
)
penalise_repeats.mistake(
    "A token that came three times is penalised three times, and negative scores are divided too. Once is enough, and "
    "multiply where the score is negative.",
    divided_for_each_time=for_each_time(lambda score, penalty: score / penalty),
)
penalise_repeats.mistake(
    "You subtract the penalty, and for each time that the token came. Divide or multiply by it, once.",
    subtracted_for_each_time=for_each_time(lambda score, penalty: score - penalty),
)
penalise_repeats.mistake(
    "The more often a token came, the more it is penalised. Once, however often it came.",
    by_its_count=lambda logits, tokens, penalty: counted(logits, tokens, penalty, lambda count: penalty * count),
)
penalise_repeats.mistake(
    "You penalise the whole vocabulary. Only the tokens that came before get a lower score.",
    whole_vocabulary=lambda logits, tokens, penalty: lowered(logits, penalty),
)
penalise_repeats.mistake(
    "You divide the scores of the whole vocabulary. Only the tokens that came before get a lower score, and negative "
    "ones are multiplied.",
    whole_vocabulary_divided=lambda logits, tokens, penalty: logits / penalty,
)
penalise_repeats.mistake(
    "You penalise the tokens that did not come. Change those in `tokens`.",
    others_penalised=lambda logits, tokens, penalty: torch.where(
        torch.isin(torch.arange(len(logits)), tokens), logits, lowered(logits, penalty)
    ),
)
penalise_repeats.mistake(
    "Only the last token is penalised. Every token of the text so far counts.", last_token=at(lambda came: came[-1:])
)
penalise_repeats.mistake(
    "Only the first token is penalised. Every token of the text so far counts. Is the `return` inside the loop?",
    first_token=at(lambda came: came[:1]),
)
penalise_repeats.mistake(
    "The last token is left out. Every token of the text so far counts.", last_left_out=at(lambda came: came[:-1])
)
penalise_repeats.mistake(
    "The first token is left out. Every token of the text so far counts.", first_left_out=at(lambda came: came[1:])
)
penalise_repeats.mistake(
    "Only tokens that came twice or more are penalised. Once is enough to be repeated next time.",
    only_repeated=at(lambda came: came[(came[:, None] == came).sum(1) > 1]),
)
penalise_repeats.mistake(
    "Only tokens that came just once are penalised. Those that came more often count too, once.",
    only_single=at(lambda came: came[(came[:, None] == came).sum(1) == 1]),
)
penalise_repeats.mistake(
    "Token 0 is never penalised. 0 is a token like any other.", token_zero_left_out=at(lambda came: came[came != 0])
)
penalise_repeats.mistake(
    "You penalise the first T tokens of the vocabulary. The numbers in `tokens` say which: logits[tokens].",
    places_for_tokens=at(lambda came: torch.arange(len(came.unique()))),
)
penalise_repeats.mistake(
    "You penalise token i for each place i of the text. The numbers in `tokens` say which: logits[tokens[i]].",
    places_of_the_text=lambda logits, tokens, penalty: torch.where(
        torch.arange(len(logits)) < len(tokens), lowered(logits, penalty), logits
    ),
)

penalise_repeats.mistake(
    "The tokens that did not come are changed too: your `else` multiplies them. Positive or negative is asked of those "
    "that came; the others stay as they are.",
    others_multiplied=lambda logits, tokens, penalty: torch.where(
        torch.isin(torch.arange(len(logits)), tokens), logits / penalty, logits * penalty
    ),
)
penalise_repeats.mistake(
    "A token is penalised only when it comes again. Every token that is in `tokens` gets a lower score, once.",
    only_when_it_comes_again=lambda logits, tokens, penalty: from_the_second_time(logits, tokens, penalty),
)

# What comes back.

penalise_repeats.mistake(
    "You return the scores of the repeated tokens only. Return all logits, (V,).",
    repeated_only=lambda logits, tokens, penalty: lowered(logits[tokens], penalty),
)
penalise_repeats.mistake(
    "You return the scores of the tokens that came, each once. Return all logits, (V,).",
    different_ones_only=lambda logits, tokens, penalty: lowered(logits[tokens.unique()], penalty),
)
penalise_repeats.mistake(
    "The others are 0. They keep their scores: begin with logits.clone(), not with zeros.",
    others_are_zero=lambda logits, tokens, penalty: torch.zeros_like(logits).scatter(
        0, tokens, lowered(logits[tokens], penalty)
    ),
)
penalise_repeats.mistake(
    "You return what is lost, not what is left: subtract it from the logits.",
    difference_only=lambda logits, tokens, penalty: logits - penalise_repeats(logits, tokens, penalty),
)
penalise_repeats.mistake(
    "You add the lowered scores to the old ones. Replace them: result[tokens] = lowered.",
    added_to_the_old=lambda logits, tokens, penalty: logits.scatter(
        0, tokens, logits[tokens] + lowered(logits[tokens], penalty)
    ),
)
penalise_repeats.mistake(
    "You add the lowered scores to the old ones, for each time a token came: scatter_add. Replace them, with scatter.",
    added_for_each_time=lambda logits, tokens, penalty: logits.scatter_add(0, tokens, lowered(logits[tokens], penalty)),
)
penalise_repeats.mistake(
    "You penalise probabilities. They are never negative, and need to sum to 1: change the logits.",
    probabilities=lambda logits, tokens, penalty: penalise_repeats(logits.softmax(dim=-1), tokens, penalty),
)
penalise_repeats.mistake(
    "You return probabilities. Return the logits: softmax comes later.",
    softmax_at_the_end=after(lambda result: result.softmax(dim=-1)),
)
penalise_repeats.mistake(
    "You change logarithms of probabilities. Change the logits as they are.",
    log_probabilities=lambda logits, tokens, penalty: penalise_repeats(logits.log_softmax(dim=-1), tokens, penalty),
)
penalise_repeats.mistake(
    "You return the likeliest token. Return all logits, (V,).", likeliest_token=after(lambda result: result.argmax())
)
penalise_repeats.mistake(
    "Your result is rounded to whole numbers. Keep the type of the logits.", rounded=after(torch.round)
)
penalise_repeats.mistake("You return a list. Return a tensor.", in_a_list=after(torch.Tensor.tolist))


def from_the_second_time(logits, tokens, penalty):
    logits, seen = logits.clone(), set()
    for token in tokens.tolist():
        if token in seen:
            logits[token] = lowered(logits[token], penalty)
        seen.add(token)
    return logits


def counted(logits, tokens, penalty, total):
    count = torch.bincount(tokens, minlength=len(logits))
    return torch.where(count > 0, lowered(logits, total(count)), logits)


penalise_repeats.mistake(
    "The penalty grows with each time that a token came. Once, however often it came.",
    grows_with_its_count=lambda logits, tokens, penalty: counted(
        logits, tokens, penalty, lambda count: 1 + (penalty - 1) * count
    ),
)


@penalise_repeats.mistake(
    "The result is right, but the logits you were given are changed too: logits[tokens] = ... writes into them. Begin "
    "with logits = logits.clone()."
)
def in_place(logits, tokens, penalty):
    logits[tokens] = lowered(logits[tokens], penalty)
    return logits


@penalise_repeats.mistake(
    "A token that came three times is penalised three times, and the logits you were given are changed. Go through "
    "set(tokens.tolist()), and begin with logits = logits.clone()."
)
def in_place_for_each_time(logits, tokens, penalty):
    for token in tokens:
        logits[token] = lowered(logits[token], penalty)
    return logits


penalise_repeats.hints(
    "What happens to -2 when you divide it by 2? Is it likelier afterwards, or less likely?",
    "The scores of the tokens so far are logits[tokens]. torch.where chooses between two results.",
    "lowered = torch.where(scores > 0, scores / penalty, scores * penalty); then write them back into a copy.",
)
