"""The exercise `looking_mask` of lesson 13."""

import torch

from bmcourse.exercises.bert.shared import SENTENCES, plain, sentences
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


@looking_mask.right
def looking_by_a_loop(tokens, causal):
    B, T = tokens.shape
    mask = torch.zeros(B, T, T, dtype=torch.bool)
    for b in range(B):
        for key in range(T):
            for query in range(T):
                mask[b, query, key] = bool(tokens[b, key] == 0) or (causal and key > query)
    return mask


@looking_mask.right
def looking_by_places(tokens, causal):
    places = torch.arange(tokens.shape[1])
    future = (places > places[:, None]) & bool(causal)
    return tokens.eq(0).unsqueeze(1) | future.unsqueeze(0)


@looking_mask.right
def looking_by_not(tokens, causal):
    may = (tokens != 0)[:, None].repeat(1, tokens.shape[1], 1)
    return ~(may.tril() if causal else may)


def looking(pad=lambda tokens: (tokens == 0)[:, None], future=lambda T: torch.ones(T, T).triu(1).bool()):
    """A wrong mask: other padding (broadcast to B, T, T), or another future (T, T)."""

    def answer(tokens, causal):
        B, T = tokens.shape
        mask = pad(tokens).expand(B, T, T)
        return mask | future(T) if causal else mask.clone()

    return answer


@looking_mask.cases
def cases():
    return [
        (torch.tensor([[2, 5, 3, 0]]), False),
        (torch.tensor(SENTENCES), False),
        (torch.tensor([[2, 5, 3, 0]]), True),
        (torch.tensor(SENTENCES), True),
        (sentences(4, 6), True),
    ]


@looking_mask.run
def tried(answer, *case):
    return plain(answer(*case))


looking_mask.mistake(
    "You forbid [PAD] to look. What counts is that nobody looks *at* it: the padding must run along the last "
    "axis, the places that are looked at.",
    TODO_17=looking(pad=lambda tokens: (tokens == 0)[:, :, None]),
)


looking_mask.mistake(
    "True and False are turned round: here True means may NOT look, as in the course's attention.",
    TODO_18=lambda tokens, causal: ~looking_mask(tokens, causal),
)


looking_mask.mistake(
    "With causal=True a place must not see later ones: above the diagonal everything is True.",
    TODO_19=lambda tokens, causal: looking_mask(tokens, False),
)


looking_mask.mistake(
    "You forbid the future always. Without `causal` a BERT sees both sides.",
    TODO_20=lambda tokens, causal: looking_mask(tokens, True),
)


looking_mask.mistake(
    "On the diagonal you forbid a place to look at itself. Begin one above it: triu(diagonal=1).",
    TODO_21=looking(future=lambda T: torch.ones(T, T).triu(0).bool()),
)


looking_mask.mistake(
    "You forbid the past and leave the future open. Rows look, columns are looked at: forbid above the diagonal.",
    TODO_22=looking(future=lambda T: torch.ones(T, T).tril(-1).bool()),
)


looking_mask.mistake(
    "[PAD] can be seen: a short sentence would change when a longer one stands beside it in the batch.",
    TODO_23=looking(pad=lambda tokens: (tokens == 0)[:, None] & False),
)


looking_mask.mistake(
    "You hide all special tokens. Only [PAD], token 0, is hidden; [CLS], [SEP] and [MASK] are read.",
    TODO_24=looking(pad=lambda tokens: (tokens < 5)[:, None]),
)


looking_mask.mistake(
    "That is a mask of numbers. Return True and False (dtype bool): 1.0 would be *added* to the scores.",
    TODO_25=lambda tokens, causal: looking_mask(tokens, causal).float(),
)


looking_mask.mistake(
    "You return the mask of one sentence. Each sentence has its own padding: (B, T, T).",
    TODO_26=lambda tokens, causal: looking_mask(tokens, causal)[0],
)


looking_mask.hints(
    "tokens == 0 is (B, T). It must become (B, 1, T), so that it is the same for every place that looks.",
    "The future is torch.ones(T, T, dtype=torch.bool).triu(diagonal=1); | joins two masks.",
    "hidden = (tokens == 0)[:, None, :].expand(B, T, T), and with causal: hidden | the future.",
)
