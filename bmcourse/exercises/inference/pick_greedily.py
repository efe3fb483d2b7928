"""The exercise `pick_greedily`: greedy decoding, the likeliest token again and again."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Greedy decoding: `count` times, the likeliest next token is put behind `tokens` (T,). Returns all tokens, "
    "(T + count,). model(x) takes x (B, T) and gives logits (B, T, V); those at position t score the token after it."
)
def pick_greedily(model, tokens, count):
    for _ in range(count):
        logits = model(tokens[None])[0, -1]
        tokens = torch.cat([tokens, logits.argmax()[None]])
    return tokens


@pick_greedily.cases
def cases():
    return [
        (torch.tensor([[0.0, 1.0, 2.5], [3.0, 0.5, -1.0], [0.0, 4.0, 1.0]]), torch.tensor([0]), 1),
        (torch.randn(5, 5), torch.tensor([3, 1]), 6),
        (torch.randn(9, 9), torch.tensor([2, 7, 1, 8]), 12),
        (torch.randn(9, 9) - 5, torch.tensor([4, 4, 6]), 4),
        (torch.randn(4, 4), torch.tensor([1, 2, 3]), 0),
        (torch.randn(6, 6) * 100, torch.tensor([0, 0, 5, 0]), 2),
        (torch.tensor([[100.0, 200.0], [200.0, 150.0]]), torch.tensor([0]), 2),
        (torch.randn(7, 7) - torch.arange(7), torch.tensor([6, 5]), 8),
    ]


@pick_greedily.run
def with_small_model(answer, scores, tokens, count):
    """Give the answer a model that reads the whole text: every token adds its row of `scores` (V, V) to the logits."""

    def model(tokens):
        if tokens.ndim != 2:
            raise ValueError(f"the model takes tokens of the shape (B, T); {tuple(tokens.shape)} came")
        return scores[tokens].cumsum(dim=1)  # (B, T, V)

    return answer(model, tokens, count)


@pick_greedily.judge
def by_hand(scores, tokens, count):
    tokens = tokens.tolist()
    for _ in range(count):
        logits = [sum(column) for column in zip(*(scores[token].tolist() for token in tokens), strict=True)]
        tokens.append(logits.index(max(logits)))
    return torch.tensor(tokens)


@pick_greedily.right
def by_max(model, tokens, count):
    for _ in range(count):
        likeliest = model(tokens.unsqueeze(0))[:, -1].max(dim=-1).indices
        tokens = torch.hstack([tokens, likeliest])
    return tokens


@pick_greedily.right
def into_a_list(model, tokens, count):
    text = tokens.tolist()
    while len(text) < len(tokens) + count:
        probabilities = torch.softmax(model(torch.tensor([text])), dim=-1)
        text.append(int(probabilities[0, len(text) - 1].topk(1).indices))
    return torch.tensor(text)


@pick_greedily.right
def by_recursion(model, tokens, count):
    if count == 0:
        return tokens
    last = torch.argsort(model(tokens[None])[0, -1])[-1:]
    return by_recursion(model, torch.cat([tokens, last]), count - 1)


@pick_greedily.right
def into_a_row_of_zeros(model, tokens, count):
    text = torch.cat([tokens, tokens.new_zeros(count)])
    for end in range(len(tokens), len(text)):
        text[end] = model(text[None, :end])[0, -1].argmax()
    return text


def picks(choose, read=lambda tokens: tokens, put=lambda tokens, new: torch.cat([tokens, new])):
    """A wrong greedy loop: `choose(logits (T, V))` gives the new token of what is read, as (1,)."""

    def answer(model, tokens, count):
        for _ in range(count):
            tokens = put(tokens, choose(model(read(tokens)[None])[0]))
        return tokens

    return answer


def likeliest(logits):
    return logits[-1].argmax()[None]


def after(change):
    """A wrong text: the right one, changed; `change(text, T)`."""
    return lambda model, tokens, count: change(pick_greedily(model, tokens, count), len(tokens))


def times(number):
    """A wrong text: one with `number(count, T)` new tokens."""
    return lambda model, tokens, count: pick_greedily(model, tokens, number(count, len(tokens)))


# Which scores, and which token of them.

pick_greedily.mistake(
    "You read the logits of the first position. What follows the whole text is scored at the last: [0, -1].",
    first_position=picks(lambda logits: logits[0].argmax()[None]),
)
pick_greedily.mistake(
    "You read the logits of the position before the last, and there is none for a text of one token. What follows the "
    "whole text is scored at the last: [0, -1].",
    position_before_the_last=picks(lambda logits: logits[-2].argmax()[None]),
)
pick_greedily.mistake(
    "You put the likeliest tokens of all positions behind the text. Only the last position says what comes "
    "next: logits[0, -1].",
    all_positions=picks(lambda logits: logits.argmax(dim=-1)),
)
pick_greedily.mistake(
    "You take the largest score of all positions. Only those of the last one are about the next token.",
    largest_of_all_positions=picks(lambda logits: logits.argmax()[None] % logits.shape[-1]),
)
pick_greedily.mistake(
    "argmax() without dim looks at all positions and tokens in one long row, and its number is no token. Take the last "
    "position first: logits[0, -1].argmax().",
    place_in_all_logits=picks(lambda logits: logits.argmax()[None]),
)
pick_greedily.mistake(
    "You take the mean of all positions. Only the last one is about the next token: logits[0, -1].",
    mean_of_positions=picks(lambda logits: logits.mean(dim=0).argmax()[None]),
)
pick_greedily.mistake(
    "Your argmax runs over the positions. It must run over the vocabulary: the last dimension.",
    argmax_over_positions=picks(lambda logits: logits.argmax(dim=0)),
)
pick_greedily.mistake(
    "Your argmax runs over the positions, and you take the one for the last token of the vocabulary. It must run over "
    "the vocabulary, at the last position.",
    argmax_over_positions_at_the_last=picks(lambda logits: logits.argmax(dim=0)[-1:]),
)
pick_greedily.mistake(
    "Your softmax runs over the positions. It must run over the vocabulary, dim=-1 (and may be left out).",
    softmax_over_positions=picks(lambda logits: logits.softmax(dim=0)[-1].argmax()[None]),
)
pick_greedily.mistake(
    "You take the unlikeliest token. A higher score means likelier: argmax.",
    unlikeliest=picks(lambda logits: logits[-1].argmin()[None]),
)
pick_greedily.mistake(
    "You take the token in the second place. argsort() and topk() count from 0, and topk puts the largest first.",
    second_best=picks(lambda logits: logits[-1].topk(2).indices[-1:]),
)
pick_greedily.mistake(
    "You take the token with the largest absolute score. A negative score means unlikely: leave abs() out.",
    absolute=picks(lambda logits: logits[-1].abs().argmax()[None]),
)
pick_greedily.mistake(
    "You draw the token at random. Greedy always takes the likeliest: argmax.",
    drawn=picks(lambda logits: logits[-1].softmax(dim=-1).multinomial(1)),
)
pick_greedily.mistake(
    "You put the score itself behind the text. The token is its place among the scores: argmax, not max.",
    score_itself=picks(lambda logits: logits[-1].max()[None]),
)
pick_greedily.mistake(
    "You put the score itself behind the text, as a whole number. The token is its place among the scores: argmax, not "
    "max.",
    score_as_a_number=picks(lambda logits: logits[-1].max()[None].long()),
)
pick_greedily.mistake(
    "You put all scores behind the text. The token is the place of the largest: argmax.",
    all_scores=picks(lambda logits: logits[-1]),
)
pick_greedily.mistake(
    "You put all tokens behind the text, from the likeliest to the unlikeliest. One at a time: the first of them.",
    all_tokens_sorted=picks(lambda logits: logits[-1].argsort(descending=True)),
)
pick_greedily.mistake(
    "argsort() puts the smallest first, so its first is the unlikeliest, and you put all behind the text. Take argmax.",
    all_tokens_ascending=picks(lambda logits: logits[-1].argsort()),
)
pick_greedily.mistake(
    "You add 1 to the token. Counting begins with 0: argmax gives the token as it is.",
    one_added=picks(lambda logits: logits[-1].argmax()[None] + 1),
)
pick_greedily.mistake(
    "Token 0 is never chosen. It is a token like any other.",
    never_token_zero=picks(lambda logits: logits[-1, 1:].argmax()[None] + 1),
)

# What the model reads.

pick_greedily.mistake(
    "The model reads only the last token and forgets the text before it. Give it all tokens.",
    last_token_only=picks(likeliest, read=lambda tokens: tokens[-1:]),
)
pick_greedily.mistake(
    "The model reads only the last two tokens. Give it all of them.",
    last_two_only=picks(likeliest, read=lambda tokens: tokens[-2:]),
)
pick_greedily.mistake(
    "The last token is not read: tokens[:-1] leaves it out. Give the model all of them.",
    last_not_read=picks(likeliest, read=lambda tokens: tokens[:-1]),
)
pick_greedily.mistake(
    "The model takes a batch of texts, (B, T), and got one text, (T,). tokens[None] makes a batch of one.",
    no_batch=lambda model, tokens, count: torch.cat(
        [tokens, *(model(tokens)[-1].argmax()[None] for _ in range(count))]
    ),
)


@pick_greedily.mistake(
    "Every new token comes from the prompt alone, so all are the same. Put a token behind the text, then let "
    "the model read the longer text."
)
def all_from_the_prompt(model, tokens, count):
    likeliest = model(tokens[None])[0, -1].argmax()
    return torch.cat([tokens, likeliest.expand(count)])


@pick_greedily.mistake(
    "You take the `count` likeliest tokens after the prompt. After each new token the model must read again."
)
def likeliest_few(model, tokens, count):
    return torch.cat([tokens, model(tokens[None])[0, -1].topk(count).indices])


@pick_greedily.mistake(
    "The model reads the prompt once and then only what it wrote itself. Give it all tokens, the prompt first."
)
def own_tokens_only(model, tokens, count):
    new = tokens[:0]
    for number in range(count):
        new = torch.cat([new, model((new if number else tokens)[None])[0, -1].argmax()[None]])
    return torch.cat([tokens, new])


@pick_greedily.mistake(
    "The model reads zeros at the places that are not written yet, and you read behind them. Give it the text up to "
    "where it is written, text[:end]."
)
def zeros_read(model, tokens, count):
    text = torch.cat([tokens, tokens.new_zeros(count)])
    for end in range(len(tokens), len(text)):
        text[end] = model(text[None])[0, -1].argmax()
    return text


@pick_greedily.mistake(
    "The model reads only as many tokens as the prompt has, and forgets the oldest. Give it all: the text grows."
)
def window_of_the_prompt(model, tokens, count):
    size = len(tokens)
    for _ in range(count):
        tokens = torch.cat([tokens, likeliest(model(tokens[-size:][None])[0])])
    return tokens


@pick_greedily.mistake(
    "The text is (1, T) and your new token is (1,): torch.cat needs the same number of dimensions. Make it (1, 1), "
    "with [:, None] or keepdim=True."
)
def cat_of_a_row_and_a_token(model, tokens, count):
    text = tokens[None]
    for _ in range(count):
        text = torch.cat([text, model(text)[:, -1].argmax(dim=-1)], dim=1)
    return text[0]


# How many.

pick_greedily.mistake(
    "You add one token only. Is the `return` inside the loop?", one_token=times(lambda count, T: min(count, 1))
)
pick_greedily.mistake(
    "You add one token, even where none is asked for. Repeat it `count` times: range(count).",
    always_one=times(lambda count, T: 1),
)
pick_greedily.mistake(
    "Your text is one token too short. range(count) runs `count` times, range(1, count) once less.",
    one_too_short=times(lambda count, T: count - 1),
)
pick_greedily.mistake(
    "Your text is one token too long. range(count) runs `count` times, range(count + 1) once more.",
    one_too_long=times(lambda count, T: count + 1),
)
pick_greedily.mistake(
    "Your text has `count` tokens together with the prompt. `count` new ones are asked for: T + count.",
    count_together=times(lambda count, T: max(count - T, 0)),
)
pick_greedily.mistake(
    "You add as many tokens as the prompt has. `count` says how many: range(count).",
    as_many_as_prompt=times(lambda c, T: T),
)
pick_greedily.mistake(
    "Nothing is added. Put the new token behind the text, and keep the result: tokens = torch.cat([tokens, ...]).",
    nothing_added=times(lambda count, T: 0),
)
pick_greedily.mistake(
    "You stop at token 0. Here no token ends the text: `count` new ones are asked for.",
    stops_at_zero=lambda model, tokens, count: stopped(model, tokens, count, lambda text, new: new == 0),
)
pick_greedily.mistake(
    "You stop where a token comes again. A text may repeat itself: `count` new ones are asked for.",
    stops_at_a_repeat=lambda model, tokens, count: stopped(model, tokens, count, lambda text, new: new in text),
)


def stopped(model, tokens, count, ends):
    for _ in range(count):
        new = model(tokens[None])[0, -1].argmax()
        if ends(tokens, new):
            break
        tokens = torch.cat([tokens, new[None]])
    return tokens


@pick_greedily.mistake(
    "You choose only tokens that did not come yet. Greedy takes the likeliest, even if it came before."
)
def no_repeats(model, tokens, count):
    for _ in range(count):
        logits = model(tokens[None])[0, -1].clone()
        logits[tokens] = -torch.inf
        tokens = torch.cat([tokens, logits.argmax()[None]])
    return tokens


# Where they are put, and what comes back.

pick_greedily.mistake(
    "You put the new token in front of the text. It comes behind: torch.cat([tokens, new]).",
    in_front=picks(likeliest, put=lambda tokens, new: torch.cat([new, tokens])),
)
pick_greedily.mistake(
    "The new token takes the place of the last one. Put it behind: torch.cat([tokens, new]).",
    last_replaced=picks(likeliest, put=lambda tokens, new: torch.cat([tokens[:-1], new])),
)
pick_greedily.mistake(
    "The first token is dropped for each new one. Keep all: the text grows.",
    first_dropped=picks(likeliest, put=lambda tokens, new: torch.cat([tokens[1:], new])),
)
pick_greedily.mistake(
    "Each new token comes in twice. Put it behind the text once.",
    twice=picks(likeliest, put=lambda tokens, new: torch.cat([tokens, new, new])),
)
pick_greedily.mistake(
    "You return the new tokens only. Return the whole text, the prompt first.", new_only=after(lambda text, T: text[T:])
)
pick_greedily.mistake(
    "You return the last token only. Return the whole text, the prompt first.",
    last_only=after(lambda text, T: text[-1]),
)
pick_greedily.mistake(
    "You return the prompt twice, and then the new tokens. Once is enough.",
    prompt_twice=after(lambda text, T: torch.cat([text[:T], text])),
)
pick_greedily.mistake(
    "You return a batch of one text, (1, T + count). Return the text, (T + count,): [0].",
    batch_of_one=after(lambda text, T: text[None]),
)
pick_greedily.mistake(
    "You return a list. Return a tensor: torch.tensor(...).", in_a_list=after(lambda text, T: text.tolist())
)
pick_greedily.mistake(
    "Your tokens are floats. They are whole numbers: dtype=torch.long.", floats=after(lambda text, T: text.float())
)
pick_greedily.mistake(
    "You return the tokens sorted. Leave them in their order.", sorted=after(lambda text, T: text.sort().values)
)
pick_greedily.mistake(
    "Your new token is a float, and so all become floats, which are no tokens. Leave .float() out, and say "
    "dtype=torch.long where you make a tensor.",
    new_token_a_float=picks(lambda logits: likeliest(logits).float()),
)
pick_greedily.mistake(
    "A tensor has no append(). torch.cat([tokens, new]) makes a longer one, and `new` needs a dimension: [None].",
    append=picks(likeliest, put=lambda tokens, new: tokens.append(new)),
)
pick_greedily.mistake(
    "torch.cat joins tensors with a dimension, and a single number has none. Give it one: argmax()[None].",
    cat_of_a_number=picks(lambda logits: logits[-1].argmax(), put=lambda tokens, new: torch.cat([tokens, new])),
)
pick_greedily.mistake(
    "torch.cat joins tensors, and .item() made a plain number. Leave it out: argmax()[None].",
    cat_of_an_item=picks(lambda logits: logits[-1].argmax().item(), put=lambda tokens, new: torch.cat([tokens, new])),
)


pick_greedily.hints(
    "A loop that runs `count` times. In it: ask the model, choose, put the choice behind the text.",
    "model(tokens[None]) has the shape (1, T, V). The scores of the next token are its [0, -1].",
    "tokens = torch.cat([tokens, logits.argmax()[None]])",
)
