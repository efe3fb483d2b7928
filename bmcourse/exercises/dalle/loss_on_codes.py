"""The mean cross-entropy of the codes that follow a caption (lesson 14)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The loss of a DALL-E. `tokens` (B, T) are captions of `words` words each, followed by codes; `logits` "
    "(B, T, V) are the GPT's: those at place t score the token at place t + 1. Return the mean cross-entropy of the "
    "codes alone, in nats; the words are read, and not predicted."
)
def loss_on_codes(logits, tokens, words):
    return F.cross_entropy(logits[:, words - 1 : -1].flatten(0, 1), tokens[:, words:].flatten())


@loss_on_codes.cases
def cases():
    return [
        (torch.randn(1, 3, 4), torch.tensor([[0, 1, 3]]), 1),
        (torch.randn(2, 7, 5), torch.randint(5, (2, 7)), 3),
        (2 * torch.randn(3, 6, 8), torch.randint(8, (3, 6)), 2),
    ]


@loss_on_codes.judge
def by_loop(logits, tokens, words):
    losses = []
    for b in range(len(tokens)):
        for t in range(words, tokens.shape[1]):
            scores = logits[b, t - 1].double()
            losses.append(torch.logsumexp(scores, dim=0) - scores[tokens[b, t]])
    return (sum(losses) / len(losses)).float()


@loss_on_codes.right
def by_gather(logits, tokens, words):
    probabilities = logits.softmax(dim=-1)[:, words - 1 : tokens.shape[1] - 1]
    return -probabilities.gather(2, tokens[:, words:, None]).log().mean()


@loss_on_codes.right
def by_transpose(logits, tokens, words):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2)[:, :, words - 1 :], tokens[:, words:])


@loss_on_codes.right
def by_ignoring(logits, tokens, words):
    targets = tokens[:, 1:].clone()
    targets[:, : words - 1] = -100
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())


loss_on_codes.mistake(
    "Nothing is shifted: the logits at place t score the token at place t + 1. Begin one place earlier, at the "
    "last word.",
    not_shifted=lambda logits, tokens, words: F.cross_entropy(
        logits[:, words:].flatten(0, 1), tokens[:, words:].flatten()
    ),
)

loss_on_codes.mistake(
    "You also predict the words of the caption. The model spends itself on guessing captions: leave them out.",
    words_too=lambda logits, tokens, words: F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()),
)

loss_on_codes.mistake(
    "The first code is missing: nobody would learn how an image begins. The last word's logits score it.",
    first_code_missing=lambda logits, tokens, words: F.cross_entropy(
        logits[:, words:-1].flatten(0, 1), tokens[:, words + 1 :].flatten()
    ),
)

loss_on_codes.mistake(
    "You shift the wrong way: the logits after a token are compared with the token before.",
    shifted_back=lambda logits, tokens, words: F.cross_entropy(
        logits[:, words + 1 :].flatten(0, 1), tokens[:, words:-1].flatten()
    ),
)

loss_on_codes.mistake(
    "You took the sum and not the mean: the loss would grow with the batch.",
    sum_not_mean=lambda logits, tokens, words: F.cross_entropy(
        logits[:, words - 1 : -1].flatten(0, 1), tokens[:, words:].flatten(), reduction="sum"
    ),
)

loss_on_codes.mistake(
    "You add up the codes of an image. Take the mean over the codes of all images.",
    sum_over_codes=lambda logits, tokens, words: loss_on_codes(logits, tokens, words) * (tokens.shape[1] - words),
)

loss_on_codes.mistake(
    "cross_entropy wants the scores of the tokens in the second dimension. Make one long list of all places "
    "first: .flatten(0, 1) for the logits, .flatten() for the tokens.",
    classes_not_second=lambda logits, tokens, words: F.cross_entropy(logits[:, words - 1 : -1], tokens[:, words:]),
)

loss_on_codes.mistake(
    "You divide by all T tokens. Divide by the number of codes: the words have no loss.",
    divided_by_all=lambda logits, tokens, words: (
        loss_on_codes(logits, tokens, words) * (tokens.shape[1] - words) / tokens.shape[1]
    ),
)

loss_on_codes.mistake(
    "You pass probabilities to cross_entropy, which makes the softmax itself. Pass the logits.",
    probabilities=lambda logits, tokens, words: F.cross_entropy(
        logits[:, words - 1 : -1].softmax(dim=-1).flatten(0, 1), tokens[:, words:].flatten()
    ),
)

loss_on_codes.hints(
    "The codes are tokens[:, words:]. Which places of the logits score them?",
    "One place earlier: from the last word, words - 1, to the last but one code.",
    "F.cross_entropy(logits[:, words - 1 : -1].flatten(0, 1), tokens[:, words:].flatten()).",
)
