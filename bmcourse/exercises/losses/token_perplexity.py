"""The exercise `token_perplexity` of lesson 04."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The perplexity per token of a batch of sentences: logits (B, T, V), targets (B, T). Short sentences are "
    "filled up with the token `padding`, and such targets do not count."
)
def token_perplexity(logits, targets, padding):
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=padding)
    return losses.exp()


@token_perplexity.judge
def slow_perplexity(logits, targets, padding):
    """Token by token, in plain numbers."""
    total, count = 0.0, 0
    for scores, target in zip(logits.flatten(0, 1).tolist(), targets.flatten().tolist(), strict=True):
        if target != padding:
            total += math.log(sum(math.exp(score) for score in scores)) - scores[target]
            count += 1
    return math.exp(total / count)


@token_perplexity.right
def perplexity_by_a_mask(logits, targets, padding):
    kept = targets != padding
    return torch.exp(F.cross_entropy(logits[kept], targets[kept]))


@token_perplexity.right
def perplexity_by_weights(logits, targets, padding):
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    mask = (targets != padding).float()
    return ((losses * mask).sum() / mask.sum()).exp()


@token_perplexity.right
def perplexity_by_probabilities(logits, targets, padding):
    p = logits.softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)[targets != padding]
    return 1 / math.exp(p.log().mean().item())


def token_losses(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def sentence_means(logits, targets, padding):
    mask = targets != padding
    return (token_losses(logits, targets) * mask).sum(1) / mask.sum(1)


@token_perplexity.cases
def some_sentences():
    def sentences(lengths, V, padding):
        T = max(lengths)
        targets = torch.randint(V, (len(lengths), T))
        targets[targets == padding] = (padding + 1) % V
        for row, length in zip(targets, lengths, strict=True):
            row[length:] = padding
        return torch.randn(len(lengths), T, V), targets, padding

    return [
        (torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), torch.tensor([[1, 0]]), 0),
        sentences([2, 5], 4, 0),
        sentences([6, 1, 3], 5, 2),
        sentences([3, 3], 7, 6),
    ]


token_perplexity.mistake(
    "You averaged the perplexities of the sentences. Then a sentence of one token weighs as much as one of a "
    "hundred. Take the mean over all tokens, and exp once at the end.",
    TODO_91=lambda logits, targets, padding: sentence_means(logits, targets, padding).exp().mean(),
)


token_perplexity.mistake(
    "You averaged the losses of the sentences, so the tokens of short sentences weigh more. Take one mean over "
    "all tokens.",
    TODO_92=lambda logits, targets, padding: sentence_means(logits, targets, padding).mean().exp(),
)


token_perplexity.mistake(
    "You counted the padding. It is no text: leave out the targets that equal `padding`.",
    TODO_93=lambda logits, targets, padding: token_losses(logits, targets).mean().exp(),
)


token_perplexity.mistake(
    "You set the loss of the padding to zero, but still divide by all places, so the perplexity comes out too "
    "low. Divide by the number of tokens that count.",
    TODO_94=lambda logits, targets, padding: (token_losses(logits, targets) * (targets != padding)).mean().exp(),
)


token_perplexity.mistake(
    "You took exp of the sum, which grows with the length of the text. Take exp of the mean over the tokens.",
    TODO_95=lambda logits, targets, padding: (token_losses(logits, targets) * (targets != padding)).sum().exp(),
)


token_perplexity.mistake(
    "You took exp of the sum over all places, padding too. Take exp of the mean over the tokens that count.",
    TODO_96=lambda logits, targets, padding: token_losses(logits, targets).sum().exp(),
)


token_perplexity.mistake(
    "2 ** loss is for a loss in bits. Cross-entropy is in nats here: use exp.",
    TODO_97=lambda logits, targets, padding: 2 ** token_losses(logits, targets)[targets != padding].mean(),
)


token_perplexity.mistake(
    "That is the mean cross-entropy. The perplexity is exp of it.",
    TODO_98=lambda logits, targets, padding: token_losses(logits, targets)[targets != padding].mean(),
)


token_perplexity.mistake(
    "The sign is wrong: you have the geometric mean of the probabilities. The perplexity is one divided by that.",
    TODO_99=lambda logits, targets, padding: (-token_losses(logits, targets)[targets != padding].mean()).exp(),
)


token_perplexity.mistake(
    "You took exp of every token's loss, and then the mean: one surprising token rules everything. First the "
    "mean, then exp.",
    TODO_100=lambda logits, targets, padding: token_losses(logits, targets)[targets != padding].exp().mean(),
)


token_perplexity.mistake(
    "One number for each token came. Take the mean of the losses first, then exp.",
    TODO_101=lambda logits, targets, padding: token_losses(logits, targets)[targets != padding].exp(),
)


token_perplexity.mistake(
    "You took 0 for the padding. Its number is the argument `padding`.",
    TODO_102=lambda logits, targets, padding: token_losses(logits, targets)[targets != 0].mean().exp(),
)


token_perplexity.mistake(
    "reshape or view to (B, V, T) mixes up the numbers of different tokens. To exchange two dimensions, use "
    "transpose(1, 2); or flatten B and T together.",
    TODO_103=lambda logits, targets, padding: F.cross_entropy(
        logits.reshape(logits.shape[0], logits.shape[2], logits.shape[1]), targets, ignore_index=padding
    ).exp(),
)


token_perplexity.mistake(
    "F.cross_entropy wants the classes in the second dimension, and yours are the last. Flatten B and T "
    "together, or use logits.transpose(1, 2).",
    TODO_104=lambda logits, targets, padding: F.cross_entropy(logits, targets, ignore_index=padding).exp(),
)


token_perplexity.mistake(
    "You averaged the probabilities. Perplexity averages their logs: exp of the mean of -log p.",
    TODO_105=lambda logits, targets, padding: 1 / (-token_losses(logits, targets)[targets != padding]).exp().mean(),
)


token_perplexity.mistake(
    "You divide after exp. Divide the sum of the losses first, then take exp of the mean.",
    TODO_106=lambda logits, targets, padding: (
        token_losses(logits, targets)[targets != padding].sum().exp() / (targets != padding).sum()
    ),
)


token_perplexity.mistake(
    "You applied the softmax twice: F.cross_entropy has it inside. Give it the logits.",
    TODO_107=lambda logits, targets, padding: F.cross_entropy(
        logits.flatten(0, 1).softmax(-1), targets.flatten(), ignore_index=padding
    ).exp(),
)


token_perplexity.hints(
    "Perplexity is exp of the mean cross-entropy. The mean over what?",
    "Put all tokens of all sentences into one row: logits (B * T, V) and targets (B * T).",
    "F.cross_entropy has an argument that leaves targets out, ignore_index; its mean then counts the others only.",
)
