"""The exercise `next_token_pairs`: the inputs and targets of a text, shifted by one."""

import itertools

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Inputs and targets of one text: the target of every token is the token after it. ids (T,), both (T - 1,).",
    untried={"ids": {"one in its first dimension": "a text of one token holds no pair"}},
)
def next_token_pairs(ids):
    return ids[:-1], ids[1:]


@next_token_pairs.cases
def cases():
    return [
        (torch.tensor([5, 6, 7, 8]),),
        (torch.randint(50, (12,)),),
        (torch.tensor([3, 9]),),
        (torch.tensor([0, 4, 0, 0, 7, 4, 1]),),
        (torch.stack([torch.arange(20, 9, -1), torch.zeros(11, dtype=torch.long)], 1)[:, 0],),
    ]


@next_token_pairs.right
def shift_by_range(ids):
    positions = torch.arange(len(ids) - 1)
    return ids[positions], ids[positions + 1]


@next_token_pairs.right
def shift_by_narrow(ids):
    return ids.narrow(0, 0, len(ids) - 1), ids.narrow(0, 1, len(ids) - 1)


@next_token_pairs.right
def shift_by_split(ids):
    return ids.split([len(ids) - 1, 1])[0], ids.tensor_split([1])[1]


@next_token_pairs.right
def shift_by_windows(ids):
    pairs = ids.unfold(0, 2, 1)
    return pairs[:, 0], pairs[:, 1]


@next_token_pairs.right
def shift_by_roll(ids):
    return ids[: len(ids) - 1].clone(), ids.roll(-1)[:-1]


@next_token_pairs.right
def shift_by_a_loop(ids):
    inputs, targets = ids.new_empty(len(ids) - 1), ids.new_empty(len(ids) - 1)
    for i in range(len(ids) - 1):
        inputs[i], targets[i] = ids[i], ids[i + 1]
    return inputs, targets


next_token_pairs.mistake(
    "Your targets are the inputs themselves. The model then learns to copy what it sees: the loss falls to zero and "
    "nothing is predicted. Shift the targets by one.",
    not_shifted=lambda ids: (ids, ids),
)
next_token_pairs.mistake(
    "You cut both ends equally, so the targets are the inputs themselves. Take ids[1:] as the targets.",
    both_without_the_last=lambda ids: (ids[:-1], ids[:-1]),
)
next_token_pairs.mistake(
    "Both of yours begin with the second token, so the targets are the inputs themselves. The inputs are ids[:-1].",
    both_without_the_first=lambda ids: (ids[1:], ids[1:]),
)
next_token_pairs.mistake(
    "You shifted the wrong way: your model would predict the token before. Inputs are ids[:-1], targets are ids[1:].",
    exchanged=lambda ids: (ids[1:], ids[:-1]),
)
next_token_pairs.mistake(
    "roll() wraps around: the target of the last token is the first token of the text. The last token has no target: "
    "leave it out of the inputs, and of the targets what came round.",
    rolled=lambda ids: (ids, ids.roll(-1)),
)
next_token_pairs.mistake(
    "roll(1) shifts the wrong way and wraps around: the target of a token is the one before it. Take ids[1:].",
    rolled_the_wrong_way=lambda ids: (ids, ids.roll(1)),
)
next_token_pairs.mistake(
    "roll(1) shifts the wrong way: the target of a token is the one before it. Take ids[1:] as the targets.",
    rolled_the_wrong_way_and_cut=lambda ids: (ids[:-1], ids.roll(1)[:-1]),
)
next_token_pairs.mistake(
    "The inputs are one longer than the targets. The last token has no target: leave it out of the inputs.",
    inputs_too_long=lambda ids: (ids, ids[1:]),
)
next_token_pairs.mistake(
    "The targets are one longer than the inputs, and begin with the first token, which nothing comes before. Take "
    "ids[1:].",
    targets_too_long=lambda ids: (ids[:-1], ids),
)
next_token_pairs.mistake(
    "Your inputs are the whole text and your targets lack the last token: each target is its own input. Inputs are "
    "ids[:-1], targets are ids[1:].",
    wrong_ends=lambda ids: (ids, ids[:-1]),
)
next_token_pairs.mistake(
    "Your inputs lack the first token, and your targets are the whole text. It is the other way round: ids[:-1] and "
    "ids[1:].",
    whole_text_as_targets=lambda ids: (ids[1:], ids),
)
next_token_pairs.mistake(
    "You shifted by two: your model would skip a token every time. The target is the very next token.",
    shifted_by_two=lambda ids: (ids[:-2], ids[2:]),
)
next_token_pairs.mistake(
    "Your targets are shifted by two, your inputs are ids[:-1]: the lengths differ. The targets are ids[1:].",
    targets_from_the_third=lambda ids: (ids[:-1], ids[2:]),
)
next_token_pairs.mistake(
    "Your inputs lack the last two tokens. Only the very last one has no target: ids[:-1].",
    inputs_without_the_last_two=lambda ids: (ids[:-2], ids[1:]),
)
next_token_pairs.mistake(
    "The last pair is lost: the last token of the text is nobody's target. Inputs are ids[:-1], targets are ids[1:].",
    last_pair_lost=lambda ids: (ids[:-2], ids[1:-1]),
)
next_token_pairs.mistake(
    "ids[1:-1] lacks the last token too, so the lengths differ. The targets are ids[1:].",
    targets_cut_at_both_ends=lambda ids: (ids[:-1], ids[1:-1]),
)
next_token_pairs.mistake(
    "The first pair is lost: the first token of the text has a target too. Inputs are ids[:-1], targets are ids[1:].",
    first_pair_lost=lambda ids: (ids[1:-1], ids[2:]),
)
next_token_pairs.mistake(
    "Your targets are one token: the last of the text. Every token has the one after it as its target: ids[1:].",
    only_the_last_target=lambda ids: (ids[:-1], ids[-1]),
)
next_token_pairs.mistake(
    "Your targets are one token in a row of length 1, the last of the text. Every token has a target: ids[1:].",
    only_the_last_target_in_a_row=lambda ids: (ids[:-1], ids[-1:]),
)
next_token_pairs.mistake(
    "You cut the text in two halves. Inputs and targets are the same text, shifted by one.",
    two_halves=lambda ids: (ids[: len(ids) // 2], ids[len(ids) // 2 :]),
)
next_token_pairs.mistake(
    "Your pairs do not overlap: every second token is an input only, the others are targets only. Every token but the "
    "last is an input.",
    every_second_token=lambda ids: (ids[:-1:2], ids[1::2]),
)
next_token_pairs.mistake(
    "You take every second token: ids[::2] and ids[1::2]. Every token but the last is an input, every one but the "
    "first a target.",
    even_and_odd=lambda ids: (ids[::2], ids[1::2]),
)
next_token_pairs.mistake(
    "You added 1 to the tokens. The next token is the one at the next position, not the next number: ids[1:].",
    number_plus_one=lambda ids: (ids[:-1], ids[:-1] + 1),
)
next_token_pairs.mistake(
    "You added 1 to every token. The next token is the one at the next position, not the next number. Inputs are "
    "ids[:-1], targets are ids[1:].",
    number_plus_one_of_all=lambda ids: (ids, ids + 1),
)
next_token_pairs.mistake(
    "You gave back positions, not the tokens that stand there: ids[:-1] and ids[1:].",
    positions=lambda ids: (torch.arange(len(ids) - 1), torch.arange(1, len(ids))),
)
next_token_pairs.mistake(
    "You gave back Python lists. A model wants tensors: slices of ids are tensors already, so leave out tolist().",
    lists=lambda ids: (ids.tolist()[:-1], ids.tolist()[1:]),
)
next_token_pairs.mistake(
    "You gave back a list of pairs. Return two tensors: all the inputs, all the targets.",
    list_of_pairs=lambda ids: list(itertools.pairwise(ids)),
)
next_token_pairs.mistake(
    "You gave back a list of pairs of plain numbers. Return two tensors: all the inputs, all the targets.",
    list_of_pairs_of_numbers=lambda ids: list(itertools.pairwise(ids.tolist())),
)
next_token_pairs.mistake(
    "Your pairs stand in one tensor, a row for each: (T - 1, 2). Return two tensors of shape (T - 1,).",
    rows_of_pairs=lambda ids: torch.stack([ids[:-1], ids[1:]], dim=1),
)
next_token_pairs.mistake(
    "You put both into one tensor (2, T - 1). Return the two tensors themselves: return inputs, targets.",
    stacked=lambda ids: torch.stack([ids[:-1], ids[1:]]),
)
next_token_pairs.mistake(
    "You put both into one long tensor. Return two: return inputs, targets.",
    joined=lambda ids: torch.cat([ids[:-1], ids[1:]]),
)
next_token_pairs.mistake(
    "You returned a dictionary. Return two tensors: return inputs, targets.",
    dictionary=lambda ids: {"inputs": ids[:-1], "targets": ids[1:]},
)
next_token_pairs.mistake(
    "You returned the inputs only. Return both: return inputs, targets.", inputs_only=lambda ids: ids[:-1]
)
next_token_pairs.mistake(
    "You returned the targets only. Return both: return inputs, targets.", targets_only=lambda ids: ids[1:]
)
next_token_pairs.mistake(
    "Your tokens have become floats. A token is an index into a table: leave it an integer.",
    floats=lambda ids: (ids[:-1].float(), ids[1:].float()),
)
next_token_pairs.mistake(
    "Your inputs and targets have a dimension of size 1 too many, in front. They are (T - 1,).",
    as_a_batch=lambda ids: (ids[None, :-1], ids[None, 1:]),
)
next_token_pairs.mistake(
    "Your inputs and targets have a dimension of size 1 too many, at the end. They are (T - 1,).",
    as_columns=lambda ids: (ids[:-1, None], ids[1:, None]),
)
next_token_pairs.mistake(
    "You cut the text to eight tokens. Take all of it, however long it is.",
    cut_to_eight=lambda ids: (ids[:8][:-1], ids[:8][1:]),
)
next_token_pairs.mistake(
    "You filled up the targets with 0 at the end. The last token has no target: leave it out of the inputs.",
    filled_up_with_zero=lambda ids: (ids, torch.cat([ids[1:], ids.new_zeros(1)])),
)
next_token_pairs.mistake(
    "You filled up the targets with -100 at the end. Losses pass over it, but here both are (T - 1,): leave the last "
    "token out of the inputs.",
    filled_up_with_minus_100=lambda ids: (ids, torch.cat([ids[1:], ids.new_full((1,), -100)])),
)
next_token_pairs.mistake(
    "You filled up the targets with the last token again. The last token has no target: leave it out of the inputs.",
    last_token_again=lambda ids: (ids, torch.cat([ids[1:], ids[-1:]])),
)
next_token_pairs.mistake(
    "Your targets are the text from its end: [::-1] or flip turns it round. The target is the token after: ids[1:].",
    turned_round=lambda ids: (ids[:-1], ids.flip(0)[:-1]),
)
next_token_pairs.mistake(
    "You sort the tokens. Their order is the text: leave it as it is.",
    sorted_first=lambda ids: (ids.sort().values[:-1], ids.sort().values[1:]),
)
next_token_pairs.mistake(
    "You drop tokens that come again. Every place of the text counts, not every token once.",
    repeats_dropped=lambda ids: (
        torch.tensor(list(dict.fromkeys(ids.tolist())))[:-1],
        torch.tensor(list(dict.fromkeys(ids.tolist())))[1:],
    ),
)
next_token_pairs.mistake(
    "You drop the token 0, as if it were padding. Here 0 is a token like any other.",
    zeros_dropped=lambda ids: (ids[ids != 0][:-1], ids[ids != 0][1:]),
)


@next_token_pairs.mistake(
    "You look for a token by its value and so find the first place where it stands. Go by position: the target of "
    "place i is ids[i + 1]."
)
def place_by_value(ids):
    tokens = ids.tolist()
    return ids[:-1], torch.tensor([tokens[tokens.index(token) + 1] for token in tokens[:-1]], dtype=torch.long)


next_token_pairs.mistake(
    "You gave back lists of tensors with one token each. Put them together: torch.stack(inputs), or slice ids[:-1] and "
    "ids[1:].",
    lists_of_tensors=lambda ids: (list(ids[:-1]), list(ids[1:])),
)
next_token_pairs.mistake(
    "You gave back NumPy arrays. A model wants tensors: leave out numpy().",
    arrays=lambda ids: (ids.numpy()[:-1], ids.numpy()[1:]),
)
next_token_pairs.mistake(
    "You gave back the first pair only: your `return` may stand inside a loop. All the inputs and all the targets: "
    "ids[:-1], ids[1:].",
    first_pair=lambda ids: (ids[0], ids[1]),
)
next_token_pairs.mistake(
    "You gave back the last pair only. All the inputs and all the targets: ids[:-1], ids[1:].",
    last_pair=lambda ids: (ids[-2], ids[-1]),
)
next_token_pairs.mistake(
    "Your loop goes one too far: the last token has none after it. Let it run over range(len(ids) - 1).",
    loop_too_far=lambda ids: (ids, torch.stack([ids[i + 1] for i in range(len(ids))])),
)
next_token_pairs.mistake(
    "The pairs are right, but from the end to the beginning. Leave the text in its order.",
    both_reversed=lambda ids: (ids.flip(0)[1:], ids.flip(0)[:-1]),
)
next_token_pairs.mistake(
    "Each of your inputs is all of the text before its target. One token for each target is enough: ids[:-1].",
    whole_contexts=lambda ids: ([ids[:i] for i in range(1, len(ids))], ids[1:]),
)
next_token_pairs.mistake(
    "You filled up the targets with -1 at the end. The last token has no target: leave it out of the inputs.",
    filled_up_with_minus_one=lambda ids: (ids, torch.cat([ids[1:], ids.new_full((1,), -1)])),
)
next_token_pairs.mistake(
    "You put a 0 before the inputs, as a beginning of the text. Nobody asked for one: inputs are ids[:-1], targets are "
    "ids[1:].",
    zero_before_the_text=lambda ids: (torch.cat([ids.new_zeros(1), ids[:-1]]), ids),
)
next_token_pairs.mistake(
    "You gave back the whole text once. Return two tensors: ids[:-1], ids[1:].",
    text_itself=lambda ids: ids,
)
next_token_pairs.mistake(
    "You gave back the pairs twice nested, or with a third part. Return two tensors: ids[:-1], ids[1:].",
    third_part=lambda ids: (ids[:-1], ids[1:], len(ids) - 1),
)
next_token_pairs.mistake(
    "Your inputs lack the first token and your targets the first two: the lengths differ. Inputs are ids[:-1], targets "
    "ids[1:].",
    shifted_off=lambda ids: (ids[1:], ids[2:]),
)
next_token_pairs.mistake(
    "You subtract 1 from the tokens. The target is the token at the next position: ids[1:].",
    number_minus_one=lambda ids: (ids[:-1], ids[:-1] - 1),
)
next_token_pairs.mistake(
    "You gave back the differences between neighbours. The target is the next token itself: ids[1:].",
    differences=lambda ids: (ids[:-1], ids[1:] - ids[:-1]),
)


next_token_pairs.hints(
    "Write four tokens on paper, and under each the token that follows it. Which has none?",
    "The last token has nothing after it, so the inputs are ids[:-1].",
    "return ids[:-1], ids[1:]",
)
