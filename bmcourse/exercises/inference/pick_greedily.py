"""The exercise `pick_greedily` of lesson 07."""

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


@pick_greedily.run
def with_small_model(answer, scores, tokens, count):
    """Give the answer a model that reads the whole text: every token adds its row of `scores` (V, V) to the logits."""

    def model(tokens):
        if tokens.ndim != 2:
            raise ValueError(f"the model takes tokens of the shape (B, T); {tuple(tokens.shape)} came")
        return scores[tokens].cumsum(dim=1)  # (B, T, V)

    return answer(model, tokens, count)


@pick_greedily.judge
def greedy_by_hand(scores, tokens, count):
    tokens = tokens.tolist()
    for _ in range(count):
        logits = [sum(column) for column in zip(*(scores[token].tolist() for token in tokens), strict=True)]
        tokens.append(logits.index(max(logits)))
    return torch.tensor(tokens)


@pick_greedily.right
def pick_by_max(model, tokens, count):
    for _ in range(count):
        likeliest = model(tokens.unsqueeze(0))[:, -1].max(dim=-1).indices
        tokens = torch.hstack([tokens, likeliest])
    return tokens


@pick_greedily.right
def pick_into_a_list(model, tokens, count):
    text = tokens.tolist()
    while len(text) < len(tokens) + count:
        probabilities = torch.softmax(model(torch.tensor([text])), dim=-1)
        text.append(int(probabilities[0, len(text) - 1].topk(1).indices))
    return torch.tensor(text)


@pick_greedily.right
def pick_by_recursion(model, tokens, count):
    if count == 0:
        return tokens
    last = torch.argsort(model(tokens[None])[0, -1])[-1:]
    return pick_by_recursion(model, torch.cat([tokens, last]), count - 1)


def picks(choose, read=lambda tokens: tokens):
    """A wrong greedy loop: `choose(logits (T, V))` gives the new token of what is read, as (1,)."""

    def answer(model, tokens, count):
        for _ in range(count):
            tokens = torch.cat([tokens, choose(model(read(tokens)[None])[0])])
        return tokens

    return answer


@pick_greedily.mistake(
    "Every new token comes from the prompt alone, so all are the same. Put a token behind the text, then let "
    "the model read the longer text."
)
def all_from_the_prompt(model, tokens, count):
    likeliest = model(tokens[None])[0, -1].argmax()
    return torch.cat([tokens, likeliest.expand(count)])


@pick_greedily.mistake("You add one token only. Is the `return` inside the loop?")
def picks_once(model, tokens, count):
    return pick_greedily(model, tokens, min(count, 1))


@pick_greedily.cases
def cases():
    return [
        (torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.5, -1.0], [0.0, 4.0, 1.0]]), torch.tensor([0]), 1),
        (torch.randn(5, 5), torch.tensor([3, 1]), 6),
        (torch.randn(9, 9), torch.tensor([2, 7, 1, 8]), 12),
        (torch.randn(9, 9) - 5, torch.tensor([4, 4, 6]), 4),
        (torch.randn(4, 4), torch.tensor([1, 2, 3]), 0),
    ]


pick_greedily.mistake(
    "You read the logits of the first position. What follows the whole text is scored at the last: [0, -1].",
    TODO_1=picks(lambda logits: logits[0].argmax()[None]),
)


pick_greedily.mistake(
    "The model reads only the last token and forgets the text before it. Give it all tokens.",
    TODO_2=picks(lambda logits: logits[-1].argmax()[None], read=lambda tokens: tokens[-1:]),
)


pick_greedily.mistake(
    "You put the likeliest tokens of all positions behind the text. Only the last position says what comes "
    "next: logits[0, -1].",
    TODO_3=picks(lambda logits: logits.argmax(dim=-1)),
)


pick_greedily.mistake(
    "You take the unlikeliest token. A higher score means likelier: argmax.",
    TODO_4=picks(lambda logits: logits[-1].argmin()[None]),
)


pick_greedily.mistake(
    "You draw the token at random. Greedy always takes the likeliest: argmax.",
    TODO_5=picks(lambda logits: logits[-1].softmax(dim=-1).multinomial(1)),
)


pick_greedily.mistake(
    "You put the score itself behind the text. The token is its place among the scores: argmax, not max.",
    TODO_6=picks(lambda logits: logits[-1].max()[None]),
)


pick_greedily.mistake(
    "You take the largest score of all positions. Only those of the last one are about the next token.",
    TODO_7=picks(lambda logits: logits.argmax()[None] % logits.shape[-1]),
)


pick_greedily.mistake(
    "You return the new tokens only. Return the whole text, the prompt first.",
    TODO_8=lambda model, tokens, count: pick_greedily(model, tokens, count)[len(tokens) :],
)


pick_greedily.mistake(
    "Your text is one token too short. range(count) runs `count` times, range(1, count) once less.",
    TODO_9=lambda model, tokens, count: pick_greedily(model, tokens, count - 1),
)


pick_greedily.hints(
    "A loop that runs `count` times. In it: ask the model, choose, put the choice behind the text.",
    "model(tokens[None]) has the shape (1, T, V). The scores of the next token are its [0, -1].",
    "tokens = torch.cat([tokens, logits.argmax()[None]])",
)
