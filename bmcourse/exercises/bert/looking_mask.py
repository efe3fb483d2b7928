"""Who may look at whom: padding, and the future of a causal model (lesson 16)."""

import torch

from bmcourse.exercises.bert.sentences import SENTENCES, sentences
from bmcourse.exercises.core import exercise


@exercise(
    prompt="Who may look at whom. From tokens (B, T) make a mask (B, T, T) of True and False: True at [b, t, s] where "
    "place t of sentence b may NOT look at place s. Nobody looks at [PAD], token 0. With `causal` nobody looks at a "
    "later place either; without it, both sides are open."
)
def looking_mask(tokens, causal):
    B, T = tokens.shape
    hidden = (tokens == 0)[:, None, :].expand(B, T, T)
    if causal:
        hidden = hidden | torch.ones(T, T, dtype=torch.bool).triu(diagonal=1)
    return hidden


@looking_mask.cases
def cases():
    padded_before = torch.tensor([[0, 0, 2, 5], [2, 0, 9, 3], [0, 0, 0, 0]])
    return [
        (torch.tensor([[2, 5, 3, 0]]), False),
        (torch.tensor(SENTENCES), False),
        (torch.tensor([[2, 5, 3, 0]]), True),
        (torch.tensor(SENTENCES), True),
        (sentences(4, 6), True),
        (padded_before, False),
        (padded_before, True),
        (torch.tensor([[5, 5, 1], [4, 2, 3], [7, 9, 9]]), True),
        (torch.tensor([[7], [0]]), True),
        (sentences(5, 5).T, False),
    ]


@looking_mask.right
def by_a_loop(tokens, causal):
    B, T = tokens.shape
    mask = torch.zeros(B, T, T, dtype=torch.bool)
    for b in range(B):
        for key in range(T):
            for query in range(T):
                mask[b, query, key] = bool(tokens[b, key] == 0) or (causal and key > query)
    return mask


@looking_mask.right
def by_places(tokens, causal):
    places = torch.arange(tokens.shape[1])
    future = (places > places[:, None]) & bool(causal)
    return tokens.eq(0).unsqueeze(1) | future.unsqueeze(0)


@looking_mask.right
def by_not(tokens, causal):
    may = (tokens != 0)[:, None].repeat(1, tokens.shape[1], 1)
    return ~(may.tril() if causal else may)


@looking_mask.right
def by_scores(tokens, causal):
    T = tokens.shape[1]
    scores = torch.zeros(len(tokens), T, T).masked_fill((tokens == 0).unsqueeze(-2), -torch.inf)
    if causal:
        scores = scores + torch.full((T, T), -torch.inf).triu(1)
    return scores == -torch.inf


@looking_mask.right
def by_a_product(tokens, causal):
    B, T = tokens.shape
    open_to_all = torch.ones(T, T).tril() if causal else torch.ones(T, T)
    return torch.einsum("ts,bs->bts", open_to_all, tokens.ne(0).float()) < 0.5


def looking(pad=lambda tokens: (tokens == 0)[:, None], future=lambda T: torch.ones(T, T).triu(1).bool()):
    """A wrong mask: other padding (broadcast to B, T, T), or another future (T, T)."""

    def answer(tokens, causal):
        B, T = tokens.shape
        mask = pad(tokens).expand(B, T, T)
        return mask | future(T) if causal else mask.clone()

    return answer


def then(change):
    """A wrong answer: `change(mask)` of the right one."""
    return lambda tokens, causal: change(looking_mask(tokens, causal))


def with_the_diagonal(value):
    """The right mask, with `value` wherever a place looks at itself."""

    def answer(tokens, causal):
        mask = looking_mask(tokens, causal).clone()
        mask.diagonal(dim1=1, dim2=2).fill_(value)
        return mask

    return answer


# The padding.


looking_mask.mistake(
    "You forbid [PAD] to look. What counts is that nobody looks *at* it: the padding must run along the last "
    "axis, the places that are looked at.",
    pad_may_not_look=looking(pad=lambda tokens: (tokens == 0)[:, :, None]),
)


looking_mask.mistake(
    "You forbid [PAD] to look as well. Whole rows of True leave softmax nothing, and it gives NaN: forbid only to look "
    "*at* [PAD].",
    pad_may_not_look_either=looking(pad=lambda tokens: (tokens == 0)[:, None] | (tokens == 0)[:, :, None]),
)


looking_mask.mistake(
    "You forbid [PAD] to look at [PAD], and nothing else. Nobody looks at [PAD]: the columns count, whoever looks.",
    only_pad_may_not_look_at_pad=looking(pad=lambda tokens: (tokens == 0)[:, None] & (tokens == 0)[:, :, None]),
)


looking_mask.mistake(
    "Words may not look at [PAD], but with you [PAD] may look at it: nobody looks at [PAD], not even [PAD].",
    pad_may_look_at_pad=looking(pad=lambda tokens: (tokens == 0)[:, None] & (tokens != 0)[:, :, None]),
)


looking_mask.mistake(
    "You forbid only the looks between a word and [PAD], in both directions. Nobody looks at [PAD], whoever looks.",
    between_words_and_pad=looking(pad=lambda tokens: (tokens == 0)[:, None] != (tokens == 0)[:, :, None]),
)


looking_mask.mistake(
    "You let a place look at itself even where it holds [PAD]. Nobody looks at [PAD], token 0, not even [PAD] itself.",
    itself_always_open=with_the_diagonal(False),
)


looking_mask.mistake(
    "[PAD] can be seen: a short sentence would change when a longer one stands beside it in the batch.",
    pad_forgotten=looking(pad=lambda tokens: (tokens == 0)[:, None] & False),
)


looking_mask.mistake(
    "With `causal` you forget the padding. Both count: join the two masks with |.",
    pad_forgotten_when_causal=lambda tokens, causal: (
        looking_mask(torch.ones_like(tokens), True) if causal else looking_mask(tokens, False)
    ),
)


looking_mask.mistake(
    "You hide all special tokens. Only [PAD], token 0, is hidden; [CLS], [SEP] and [MASK] are read.",
    special_tokens_hidden=looking(pad=lambda tokens: (tokens < 5)[:, None]),
)


looking_mask.mistake(
    "You hide token 1, too. It is [UNK], a word that the vocabulary lacks: only [PAD], token 0, is hidden.",
    unknown_words_hidden=looking(pad=lambda tokens: (tokens <= 1)[:, None]),
)


looking_mask.mistake(
    "You hide token 1, [UNK], and not [PAD], which is token 0.",
    one_taken_for_pad=looking(pad=lambda tokens: (tokens == 1)[:, None]),
)


looking_mask.mistake(
    "You hide token 4, [MASK], and not [PAD], which is token 0. The model must read [MASK]: there it is asked.",
    mask_token_hidden=looking(pad=lambda tokens: (tokens == 4)[:, None]),
)


looking_mask.mistake(
    "You hide what comes behind [SEP], token 3. Padding is known by its number, token 0, wherever it stands.",
    behind_sep_hidden=looking(pad=lambda tokens: ((tokens == 3).cumsum(1) - (tokens == 3).long() > 0)[:, None]),
)


looking_mask.mistake(
    "You count the words and hide the last places, as if [PAD] stood at the end always. Some pad before the words: "
    "look where token 0 is, tokens == 0.",
    pad_always_at_the_end=looking(
        pad=lambda tokens: (torch.arange(tokens.shape[1]) >= (tokens != 0).sum(1, keepdim=True))[:, None]
    ),
)


looking_mask.mistake(
    "You hide all that comes after the first [PAD]. It may stand anywhere: look where token 0 is, tokens == 0.",
    all_after_the_first_pad=looking(pad=lambda tokens: ((tokens == 0).cumsum(1) > 0)[:, None]),
)


looking_mask.mistake(
    "The words are hidden, and [PAD] can be seen: tokens == 0, not tokens != 0, is what nobody looks at.",
    words_hidden=looking(pad=lambda tokens: (tokens != 0)[:, None]),
)


looking_mask.mistake(
    "You use the padding of the first sentence for all. Each sentence has its own.",
    padding_of_the_first=looking(pad=lambda tokens: (tokens[:1] == 0)[:, None]),
)


looking_mask.mistake(
    "You hide a place wherever any sentence of the batch has [PAD] there. Each sentence has its own padding.",
    padding_of_any=looking(pad=lambda tokens: (tokens == 0).any(0)),
)


looking_mask.mistake(
    "You hide a place only where all sentences of the batch have [PAD] there. Each sentence has its own padding.",
    padding_of_all=looking(pad=lambda tokens: (tokens == 0).all(0)),
)


# The future.


looking_mask.mistake(
    "With causal=True a place must not see later ones: above the diagonal everything is True.",
    causal_ignored=lambda tokens, causal: looking_mask(tokens, False),
)


looking_mask.mistake(
    "You forbid the future always. Without `causal` a BERT sees both sides.",
    always_causal=lambda tokens, causal: looking_mask(tokens, True),
)


looking_mask.mistake(
    "`causal` is turned round: you forbid the future where it is False.",
    causal_turned_round=lambda tokens, causal: looking_mask(tokens, not causal),
)


looking_mask.mistake(
    "On the diagonal you forbid a place to look at itself. Begin one above it: triu(diagonal=1).",
    itself_forbidden=looking(future=lambda T: torch.ones(T, T).triu(0).bool()),
)


looking_mask.mistake(
    "You forbid a place to look at itself, with `causal` and without. It may: only [PAD] and the future are hidden.",
    itself_always_forbidden=with_the_diagonal(True),
)


looking_mask.mistake(
    "Your future begins two places later, so the next word can be seen. Begin one above the diagonal: "
    "triu(diagonal=1).",
    next_one_seen=looking(future=lambda T: torch.ones(T, T).triu(2).bool()),
)


looking_mask.mistake(
    "You forbid only the next place, and those after it are open. Everything above the diagonal is the future: triu.",
    only_the_next_forbidden=looking(future=lambda T: torch.ones(T, T).triu(1).tril(1).bool()),
)


looking_mask.mistake(
    "You forbid the past and leave the future open. Rows look, columns are looked at: forbid above the diagonal.",
    past_forbidden=looking(future=lambda T: torch.ones(T, T).tril(-1).bool()),
)


looking_mask.mistake(
    "tril with the diagonal is where a place MAY look. Forbidden is what is above: triu(diagonal=1).",
    allowed_triangle=looking(future=lambda T: torch.ones(T, T).tril().bool()),
)


looking_mask.mistake(
    "You forbid every other place, past and future. With `causal` the past stays open: triu(diagonal=1).",
    all_others_forbidden=looking(future=lambda T: ~torch.eye(T).bool()),
)


looking_mask.mistake(
    "With `causal` you hide everything: torch.ones alone is no triangle. Keep what is above the diagonal, "
    "triu(diagonal=1).",
    everything_forbidden=looking(future=lambda T: torch.ones(T, T).bool()),
)


looking_mask.mistake(
    "triu(-1) forbids a place itself and the one before it, too. Begin one above the diagonal: triu(diagonal=1).",
    diagonal_minus_one=looking(future=lambda T: torch.ones(T, T).triu(-1).bool()),
)


looking_mask.mistake(
    "tril(diagonal=1) is the past, the place itself and the next one. The future is triu(diagonal=1).",
    tril_for_triu=looking(future=lambda T: torch.ones(T, T).tril(1).bool()),
)


looking_mask.mistake(
    "With `causal` you return (T, T), the future alone. Each sentence has its padding as well: (B, T, T).",
    future_as_it_is=lambda tokens, causal: (
        looking_mask(torch.ones_like(tokens), True)[0] if causal else looking_mask(tokens, False)
    ),
)


looking_mask.mistake(
    "| does not join truths with floats. Make the future of True and False: torch.ones(T, T, dtype=torch.bool).",
    floats_joined=lambda tokens, causal: (
        looking_mask(tokens, False) | torch.ones(tokens.shape[1], tokens.shape[1]).triu(1)
        if causal
        else looking_mask(tokens, False)
    ),
)


looking_mask.mistake(
    "+ makes numbers of True and False. Join two masks of True and False with |.",
    added=lambda tokens, causal: (
        looking_mask(tokens, False) + torch.ones(tokens.shape[1], tokens.shape[1]).triu(1)
        if causal
        else looking_mask(tokens, False)
    ),
)


looking_mask.mistake(
    "You hide the future from words only. With `causal` no place looks at a later one, [PAD] no more than others.",
    pad_sees_the_future=lambda tokens, causal: (
        looking_mask(tokens, False) | (looking_mask(tokens, causal) & (tokens != 0)[:, :, None])
    ),
)


looking_mask.mistake(
    "You return (B, T): which places are hidden from anyone. Asked is (B, T, T), a row for every place that looks.",
    one_row_for_all=then(lambda mask: mask.any(dim=1)),
)


# How the two are joined, and what is returned.


looking_mask.mistake(
    "You join padding and future with & (and): hidden is then only a [PAD] that also comes later. Either is a reason: "
    "join with | (or).",
    joined_with_and=lambda tokens, causal: (
        looking_mask(tokens, False) & torch.ones(tokens.shape[1], tokens.shape[1]).triu(1).bool()
        if causal
        else looking_mask(tokens, False)
    ),
)


looking_mask.mistake(
    "You join padding and future with ^ or !=: where both are reasons, the place can be seen again. Join with | (or).",
    joined_with_xor=lambda tokens, causal: (
        looking_mask(tokens, False) ^ torch.ones(tokens.shape[1], tokens.shape[1]).triu(1).bool()
        if causal
        else looking_mask(tokens, False)
    ),
)


looking_mask.mistake(
    "True and False are turned round: here True means may NOT look, as in the course's attention.",
    may_for_may_not=then(lambda mask: ~mask),
)


looking_mask.mistake(
    "True stands for may look at the words, and above the diagonal for may not: the two halves speak different "
    "languages. True means may NOT look, everywhere.",
    halves_differ=lambda tokens, causal: (
        (tokens != 0)[:, None] & torch.ones(tokens.shape[1], tokens.shape[1]).triu(1).bool()
        if causal
        else (tokens != 0)[:, None].expand(-1, tokens.shape[1], -1)
    ),
)


looking_mask.mistake(
    "Rows and columns are exchanged: [b, t, s] is place t that looks at place s. The padding runs along the last axis.",
    transposed=then(lambda mask: mask.transpose(1, 2)),
)


looking_mask.mistake(
    "That is a mask of numbers. Return True and False (dtype bool): 1.0 would be *added* to the scores.",
    floats=then(lambda mask: mask.float()),
)


looking_mask.mistake(
    "That is a mask of whole numbers, 0 and 1. Return True and False (dtype bool).",
    whole_numbers=then(lambda mask: mask.long()),
)


looking_mask.mistake(
    "That is a mask of numbers to add to the scores, 0 and -inf. Return True and False (dtype bool).",
    to_be_added=then(lambda mask: torch.zeros(mask.shape).masked_fill(mask, -torch.inf)),
)


looking_mask.mistake(
    "That is 1 where a place may look, as other libraries' masks have it. Return True (dtype bool) where it may NOT.",
    ones_where_it_may=then(lambda mask: (~mask).float()),
)


looking_mask.mistake(
    "That is 1 where a place may look, as other libraries' masks have it, in whole numbers. Return True (dtype bool) "
    "where it may NOT.",
    whole_ones_where_it_may=then(lambda mask: (~mask).long()),
)


looking_mask.mistake(
    "You return the mask of one sentence. Each sentence has its own padding: (B, T, T).",
    one_sentence=then(lambda mask: mask[0]),
)


looking_mask.mistake(
    "Without `causal` you return (B, 1, T), the padding alone. Asked is (B, T, T): .expand(B, T, T).",
    not_expanded=lambda tokens, causal: looking_mask(tokens, True) if causal else (tokens == 0)[:, None],
)


looking_mask.mistake(
    "Without `causal` you return (B, T), the padding alone. Asked is (B, T, T): a row for every place that looks.",
    padding_as_it_is=lambda tokens, causal: looking_mask(tokens, True) if causal else tokens == 0,
)


looking_mask.mistake(
    "You join (B, T) with (T, T) directly, so sentence and place are mixed up. The padding must be (B, 1, T) first: "
    "[:, None, :].",
    joined_without_none=lambda tokens, causal: (
        (tokens == 0) | torch.ones(tokens.shape[1], tokens.shape[1]).triu(1).bool() if causal else tokens == 0
    ),
)


looking_mask.mistake(
    "Your mask has a dimension for the heads, (B, 1, T, T). Asked is (B, T, T).",
    with_a_dimension_for_heads=then(lambda mask: mask[:, None]),
)


looking_mask.mistake(
    "expand() only seems to copy: all rows are one and the same memory, and |= cannot write there. Use "
    "hidden = hidden | future, or repeat().",
    written_into_an_expanded=lambda tokens, causal: (
        looking_mask(tokens, False).__ior__(looking_mask(tokens, True)) if causal else looking_mask(tokens, False)
    ),
)


looking_mask.mistake(
    "squeeze() takes away every dimension of size 1, also that of a batch of one sentence. Leave it out.",
    squeezed=then(lambda mask: mask.squeeze()),
)


looking_mask.hints(
    "tokens == 0 is (B, T). It must become (B, 1, T), so that it is the same for every place that looks.",
    "The future is torch.ones(T, T, dtype=torch.bool).triu(diagonal=1); | joins two masks.",
    "hidden = (tokens == 0)[:, None, :].expand(B, T, T), and with causal: hidden | the future.",
)
