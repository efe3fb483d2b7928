"""The exercise `hidden_word_loss` of lesson 13."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The loss of masked language modelling. `logits` are (B, T, V), `targets` (B, T): a word's number where it "
    "is asked for, and -100 elsewhere. Return the mean cross-entropy of the words that are asked for, over all "
    "sentences together, in nats, as a tensor that keeps its graph."
)
def hidden_word_loss(logits, targets):
    asked = targets != -100
    return F.cross_entropy(logits[asked], targets[asked])


@hidden_word_loss.right
def loss_by_ignore_index(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


@hidden_word_loss.right
def loss_by_log_softmax(logits, targets):
    asked = targets >= 0
    chosen = logits.log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return -(chosen * asked).sum() / asked.sum()


@hidden_word_loss.right
def loss_by_a_loop(logits, targets):
    losses = [
        torch.logsumexp(logits[b, t], dim=0) - logits[b, t, targets[b, t]]
        for b, t in (targets != -100).nonzero().tolist()
    ]
    return torch.stack(losses).mean()


@hidden_word_loss.mistake(
    "You ask at every place, with token 0 where nothing is asked. Then the model is mostly paid for guessing "
    "[PAD]. Leave out the places where the target is -100."
)
def loss_of_all(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.clamp(min=0).flatten())


@hidden_word_loss.mistake(
    "The sum is right, and you divide it by all places. Divide by the number of words that are asked for, or "
    "the loss falls when you ask for less."
)
def loss_over_all_places(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum") / targets.numel()


@hidden_word_loss.mistake(
    "You take the mean of each sentence, and then the mean of these: a word in a sentence with few gaps counts "
    "more. Put all words together first."
)
def loss_of_sentences(logits, targets):
    return torch.stack([hidden_word_loss(x[None], y[None]) for x, y in zip(logits, targets, strict=True)]).mean()


@hidden_word_loss.mistake(
    "You compare place t with target t + 1. That is a GPT's loss, which foretells the next token; a BERT "
    "answers at the place itself."
)
def loss_shifted(logits, targets):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten())


@hidden_word_loss.cases
def cases():
    return [
        (torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], requires_grad=True), torch.tensor([[-100, 1]])),
        (
            torch.randn(2, 4, 6, requires_grad=True),
            torch.tensor([[-100, 3, -100, -100], [-100, 0, 5, 2]]),
        ),
        (torch.randn(3, 5, 7, requires_grad=True), torch.tensor([[-100, 1, 2, -100, -100]] * 3)),
    ]


hidden_word_loss.mistake(
    "That is the sum over the words. Take the mean.",
    TODO_13=lambda logits, targets: hidden_word_loss(logits, targets) * (targets != -100).sum(),
)


hidden_word_loss.mistake(
    "You give probabilities to F.cross_entropy, which does the softmax itself. Give it the logits.",
    TODO_14=lambda logits, targets: hidden_word_loss(logits.softmax(dim=-1), targets),
)


hidden_word_loss.mistake(
    "The sign is wrong: that is the mean log-probability. The loss is its negative.",
    TODO_15=lambda logits, targets: -hidden_word_loss(logits, targets),
)


hidden_word_loss.mistake(
    "The number is right, but the graph is gone: nothing can be learned from it. Leave out detach().",
    TODO_16=lambda logits, targets: hidden_word_loss(logits, targets).detach(),
)


hidden_word_loss.hints(
    "asked = targets != -100 is a mask (B, T). What is logits[asked]?",
    "logits[asked] is (words asked for, V), and targets[asked] has one number for each.",
    "F.cross_entropy(logits[asked], targets[asked]) is the mean over these words.",
)
