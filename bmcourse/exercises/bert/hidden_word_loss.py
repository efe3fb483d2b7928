"""The loss of masked language modelling, of the hidden words alone (lesson 16)."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="The loss of masked language modelling. `logits` are (B, T, V), `targets` (B, T): a word's number where it "
    "is asked for, and -100 elsewhere. Return the mean cross-entropy of the words that are asked for, over all "
    "sentences together, in nats, as a tensor that keeps its graph."
)
def hidden_word_loss(logits, targets):
    asked = targets != -100
    return F.cross_entropy(logits[asked], targets[asked])


@hidden_word_loss.cases
def cases():
    sure = torch.tensor([[[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0], [1000.0, 1.0, 1.0]]], requires_grad=True)
    odd, _ = uncommon(torch.randn(2, 3, 4), torch.zeros(1))
    return [
        (torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], requires_grad=True), torch.tensor([[-100, 1]])),
        (
            torch.randn(2, 4, 6, requires_grad=True),
            torch.tensor([[-100, 3, -100, -100], [-100, 0, 5, 2]]),
        ),
        (torch.randn(3, 5, 7, requires_grad=True), torch.tensor([[-100, 1, 2, -100, -100]] * 3)),
        (sure, torch.tensor([[1, -100, 0]])),
        (odd, torch.tensor([[-100, -100, -100], [0, 3, 0]])),
        (torch.randn(3, 3, 3, requires_grad=True), torch.tensor([[0, 1, -100], [2, -100, 1], [-100, 0, 2]]).T),
    ]


@hidden_word_loss.right
def by_ignore_index(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


@hidden_word_loss.right
def by_classes_in_the_middle(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-100)


@hidden_word_loss.right
def by_log_softmax(logits, targets):
    asked = targets >= 0
    chosen = logits.log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return -(chosen * asked).sum() / asked.sum()


@hidden_word_loss.right
def by_a_loop(logits, targets):
    losses = [
        torch.logsumexp(logits[b, t], dim=0) - logits[b, t, targets[b, t]]
        for b, t in (targets != -100).nonzero().tolist()
    ]
    return torch.stack(losses).mean()


@hidden_word_loss.right
def by_no_reduction(logits, targets):
    losses = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), reduction="none")
    return losses.sum() / (targets != -100).sum()


def of_words(loss):
    """A wrong loss: `loss(logits (n, V), targets (n,))` of the words asked for."""
    return lambda logits, targets: loss(logits[targets != -100], targets[targets != -100])


def _log_probabilities(logits, targets):
    return logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]


def _summed(logits, targets):
    return F.cross_entropy(logits[targets != -100], targets[targets != -100], reduction="sum")


def _by_sentence(reduce):
    """Wrong losses of each sentence that asks for a word; `reduce(losses)` makes them one."""

    def answer(logits, targets):
        pairs = zip(logits, targets, strict=True)
        return reduce(torch.stack([hidden_word_loss(x[None], y[None]) for x, y in pairs if (y != -100).any()]))

    return answer


# What counts.


hidden_word_loss.mistake(
    "You ask at every place, with token 0 where nothing is asked. Then the model is mostly paid for guessing "
    "[PAD]. Leave out the places where the target is -100.",
    zero_asked_elsewhere=lambda logits, targets: F.cross_entropy(logits.flatten(0, 1), targets.clamp(min=0).flatten()),
)


hidden_word_loss.mistake(
    "You leave out token 0 as if it were the sign for 'not asked'. That sign is -100, and 0 can be asked for like "
    "any other: targets != -100.",
    token_zero_left_out=lambda logits, targets: F.cross_entropy(logits[targets > 0], targets[targets > 0]),
)


hidden_word_loss.mistake(
    "You leave out token 0 in the sum, and count it in the mean. The sign for 'not asked' is -100 alone; 0 can be "
    "asked for like any other.",
    token_zero_costs_nothing=of_words(
        lambda logits, targets: F.cross_entropy(logits, targets, ignore_index=0, reduction="sum") / len(targets)
    ),
)


hidden_word_loss.mistake(
    "ignore_index=0, or -1, says that another number means 'not asked', and -100 is then no class. -100 is the default "
    "of F.cross_entropy: give no ignore_index at all.",
    other_ignore_index=lambda logits, targets: F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0),
)


hidden_word_loss.mistake(
    "-100 is no index: gather cannot fetch it. Take the places that are asked for first, logits[asked] and "
    "targets[asked].",
    gathered_with_minus_100=lambda logits, targets: -logits.log_softmax(-1).gather(-1, targets[..., None]).mean(),
)


hidden_word_loss.mistake(
    "You compare place t with target t + 1. That is a GPT's loss, which predicts the next token; a BERT "
    "answers at the place itself.",
    shifted=lambda logits, targets: F.cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten()),
)


hidden_word_loss.mistake(
    "You leave out the first place of every sentence. Where a word is asked for there, it counts, too.",
    first_place_left_out=lambda logits, targets: F.cross_entropy(logits[:, 1:].flatten(0, 1), targets[:, 1:].flatten()),
)


hidden_word_loss.mistake(
    "You look at the first word of the batch only. Take the mean over all that are asked for.",
    first_word_only=of_words(lambda logits, targets: F.cross_entropy(logits[:1], targets[:1])),
)


hidden_word_loss.mistake(
    "You look at the last word of the batch only. Take the mean over all that are asked for.",
    last_word_only=of_words(lambda logits, targets: F.cross_entropy(logits[-1:], targets[-1:])),
)


hidden_word_loss.mistake(
    "You look at the last sentence only: each overwrites the loss of the one before. Put all words together.",
    last_sentence_only=lambda logits, targets: hidden_word_loss(logits[-1:], targets[-1:]),
)


# What it is divided by.


hidden_word_loss.mistake(
    "The sum is right, and you divide it by all places. Divide by the number of words that are asked for, or "
    "the loss falls when you ask for less.",
    over_all_places=lambda logits, targets: _summed(logits, targets) / targets.numel(),
)


hidden_word_loss.mistake(
    "That is the sum over the words. Take the mean.",
    sum_not_mean=_summed,
)


hidden_word_loss.mistake(
    "You take the mean of each sentence, and then the mean of these: a word in a sentence with few gaps counts "
    "more. Put all words together first.",
    mean_of_sentences=_by_sentence(torch.mean),
)


hidden_word_loss.mistake(
    "A sentence without a gap has no mean: 0 / 0 is NaN. Put the words of all sentences together first.",
    mean_of_sentences_with_nan=lambda logits, targets: torch.stack(
        [hidden_word_loss(x[None], y[None]) for x, y in zip(logits, targets, strict=True)]
    ).mean(),
)


hidden_word_loss.mistake(
    "You take the mean of each sentence, and then their sum. Put all words together first, and take one mean.",
    sum_of_sentences=_by_sentence(torch.sum),
)


hidden_word_loss.mistake(
    "You divide by the number of sentences. Divide by the number of words that are asked for.",
    over_sentences=lambda logits, targets: _summed(logits, targets) / len(logits),
)


hidden_word_loss.mistake(
    "You divide by the length T of a sentence. Divide by the number of words that are asked for.",
    over_length=lambda logits, targets: _summed(logits, targets) / targets.shape[1],
)


hidden_word_loss.mistake(
    "You divide by the number of classes V. Divide by the number of words that are asked for.",
    over_classes=lambda logits, targets: _summed(logits, targets) / logits.shape[-1],
)


hidden_word_loss.mistake(
    "You divide by the number of words twice. The mean has done it already.",
    divided_twice=of_words(lambda logits, targets: F.cross_entropy(logits, targets) / len(targets)),
)


hidden_word_loss.mistake(
    "Your mean runs over the classes too: the loss is V times too small. A word has one loss, that of its own class.",
    mean_over_classes=of_words(lambda logits, targets: F.cross_entropy(logits, targets) / logits.shape[1]),
)


hidden_word_loss.mistake(
    "That is one loss for each word. Return their mean.",
    not_reduced=of_words(lambda logits, targets: F.cross_entropy(logits, targets, reduction="none")),
)


hidden_word_loss.mistake(
    "That is one loss for each place, with 0 where nothing is asked. Return the mean over the words asked for.",
    not_reduced_with_zeros=lambda logits, targets: F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="none"
    ),
)


hidden_word_loss.mistake(
    "That is one loss for each place as (B, T), with 0 where nothing is asked. Return the mean over the words asked "
    "for.",
    not_reduced_table=lambda logits, targets: F.cross_entropy(logits.transpose(1, 2), targets, reduction="none"),
)


# What is taken of each word.


hidden_word_loss.mistake(
    "You give probabilities to F.cross_entropy, which does the softmax itself. Give it the logits.",
    softmax_twice=of_words(lambda logits, targets: F.cross_entropy(logits.softmax(dim=-1), targets)),
)


hidden_word_loss.mistake(
    "The sign is wrong: that is the mean log-probability. The loss is its negative.",
    sign_wrong=of_words(lambda logits, targets: -F.cross_entropy(logits, targets)),
)


hidden_word_loss.mistake(
    "F.nll_loss expects log-probabilities, and you gave it logits. F.cross_entropy does both steps.",
    nll_of_logits=of_words(F.nll_loss),
)


hidden_word_loss.mistake(
    "F.nll_loss expects log-probabilities, and you gave it probabilities: take log_softmax.",
    nll_of_probabilities=of_words(lambda logits, targets: F.nll_loss(logits.softmax(-1), targets)),
)


hidden_word_loss.mistake(
    "That is the mean probability of the right words. The loss is the mean of minus its logarithm.",
    mean_probability=of_words(lambda logits, targets: _log_probabilities(logits, targets).exp().mean()),
)


hidden_word_loss.mistake(
    "You take 1 minus the probability. Cross-entropy is minus its logarithm.",
    one_minus_probability=of_words(lambda logits, targets: 1 - _log_probabilities(logits, targets).exp().mean()),
)


hidden_word_loss.mistake(
    "You take the mean of the probabilities first and the logarithm then. The logarithm is of each word's probability.",
    logarithm_of_the_mean=of_words(lambda logits, targets: -_log_probabilities(logits, targets).exp().mean().log()),
)


hidden_word_loss.mistake(
    "That is in bits: you took log2, or divided by log 2. Nats are natural logarithms.",
    in_bits=of_words(lambda logits, targets: F.cross_entropy(logits, targets) / math.log(2)),
)


hidden_word_loss.mistake(
    "That is the perplexity, exp of the loss. Return the loss itself, in nats.",
    perplexity=of_words(lambda logits, targets: F.cross_entropy(logits, targets).exp()),
)


hidden_word_loss.mistake(
    "You take softmax over the places of a sentence. The probabilities run over the words: dim=-1.",
    softmax_over_time=lambda logits, targets: (
        -logits.log_softmax(1)[targets != -100].gather(1, targets[targets != -100][:, None]).mean()
    ),
)


hidden_word_loss.mistake(
    "You take softmax over the sentences. The probabilities run over the words: dim=-1.",
    softmax_over_batch=lambda logits, targets: (
        -logits.log_softmax(0)[targets != -100].gather(1, targets[targets != -100][:, None]).mean()
    ),
)


hidden_word_loss.mistake(
    "You take softmax over the words that are asked for, from one gap to the other. The probabilities run over the "
    "vocabulary: dim=-1.",
    softmax_over_gaps=of_words(lambda logits, targets: -logits.log_softmax(0).gather(1, targets[:, None]).mean()),
)


hidden_word_loss.mistake(
    "Your logsumexp runs over all words asked for at once. Each row has its own: logsumexp(dim=-1).",
    logsumexp_of_everything=of_words(
        lambda logits, targets: logits.logsumexp((0, 1)) - logits.gather(1, targets[:, None]).mean()
    ),
)


hidden_word_loss.mistake(
    "You take the logarithm of softmax. A probability that rounds to 0 has the logarithm -inf: log_softmax, or "
    "F.cross_entropy, gets it right.",
    log_of_softmax=of_words(lambda logits, targets: -logits.softmax(-1).gather(1, targets[:, None]).log().mean()),
)


hidden_word_loss.mistake(
    "exp of a large logit is infinite. Subtract the largest logit of the row first, or let logsumexp, log_softmax or "
    "F.cross_entropy do it.",
    exp_overflows=of_words(
        lambda logits, targets: (logits.exp().sum(1).log() - logits.gather(1, targets[:, None])[:, 0]).mean()
    ),
)


hidden_word_loss.mistake(
    "A probability made with exp of a large logit is inf / inf, NaN. log_softmax, or F.cross_entropy, gets it right.",
    softmax_by_hand=of_words(
        lambda logits, targets: -(logits.exp() / logits.exp().sum(1, True)).gather(1, targets[:, None]).log().mean()
    ),
)


hidden_word_loss.mistake(
    "A small number under the logarithm hides -inf, and changes the loss and its gradient. log_softmax, or "
    "F.cross_entropy, needs none.",
    small_number_added=of_words(
        lambda logits, targets: -(logits.softmax(-1).gather(1, targets[:, None]) + 1e-9).log().mean()
    ),
)


hidden_word_loss.mistake(
    "That is the squared error of the probabilities. Cross-entropy is minus the logarithm of the right one's.",
    squared_error=of_words(
        lambda logits, targets: (logits.softmax(-1) - F.one_hot(targets, logits.shape[1])).square().sum(1).mean()
    ),
)


hidden_word_loss.mistake(
    "You treat every word of the vocabulary as a question of its own, yes or no. One word is right: softmax over "
    "all of them, F.cross_entropy.",
    binary=of_words(
        lambda logits, targets: F.binary_cross_entropy_with_logits(
            logits, F.one_hot(targets, logits.shape[1]).to(logits)
        )
    ),
)


hidden_word_loss.mistake(
    "That is the share of wrong first guesses, which has no gradient. Take the cross-entropy.",
    error_rate=of_words(lambda logits, targets: (logits.argmax(-1) != targets).float().mean()),
)


hidden_word_loss.mistake(
    "You average minus the log-probabilities of all words of the vocabulary. Only the right word's counts: "
    "gather(1, targets[asked][:, None]).",
    all_words_averaged=of_words(lambda logits, targets: -logits.log_softmax(-1).mean()),
)


hidden_word_loss.mistake(
    "[:, targets] takes from every row the words of all gaps. Each row has its own word: [range, targets], or gather.",
    everybodys_words=of_words(lambda logits, targets: -logits.log_softmax(-1)[:, targets].mean()),
)


hidden_word_loss.mistake(
    "You take the model's first guess for the right word. The right word is in `targets`.",
    own_guess=of_words(lambda logits, targets: F.cross_entropy(logits, logits.argmax(-1))),
)


hidden_word_loss.mistake(
    "That is the mean entropy of the model's guesses, and the right words play no part. Take minus the log-probability "
    "of each right word.",
    entropy=of_words(
        lambda logits, targets: -(logits.softmax(-1) * logits.log_softmax(-1)).nan_to_num(0.0).sum(-1).mean()
    ),
)


hidden_word_loss.mistake(
    "Label smoothing gives a part of the credit to all other words. Leave it out.",
    label_smoothing=of_words(lambda logits, targets: F.cross_entropy(logits, targets, label_smoothing=0.1)),
)


hidden_word_loss.mistake(
    "You took decimal logarithms. Nats are natural ones.",
    decimal_logarithms=of_words(lambda logits, targets: F.cross_entropy(logits, targets) / math.log(10)),
)


hidden_word_loss.mistake(
    "You ask where nothing is asked: targets == -100 is turned round. A word is asked for where targets != -100.",
    asked_turned_round=lambda logits, targets: F.cross_entropy(logits[targets == -100], targets[targets == -100]),
)


hidden_word_loss.mistake(
    "You compare place t + 1 with target t. A BERT answers at the place itself.",
    shifted_backward=lambda logits, targets: F.cross_entropy(logits[:, 1:].flatten(0, 1), targets[:, :-1].flatten()),
)


hidden_word_loss.mistake(
    "Token 0 counts in the sum, and you divide by the number of others. The sign for 'not asked' is -100 alone: "
    "divide by "
    "(targets != -100).sum().",
    zero_not_counted_below=lambda logits, targets: _summed(logits, targets) / (targets > 0).sum(),
)


hidden_word_loss.mistake(
    "A new tensor with requires_grad has no graph to the logits, so nothing can be learned from it. Return what "
    "F.cross_entropy gave you.",
    new_tensor=lambda logits, targets: hidden_word_loss(logits, targets).detach().requires_grad_(),
)


hidden_word_loss.mistake(
    "You choose the words that are the right ones' numbers, not the places: the targets index the vocabulary. Take "
    "logits[asked] first.",
    targets_as_places=lambda logits, targets: F.cross_entropy(logits[:, targets[targets >= 0]].flatten(0, 1), targets),
)


# Shapes, types and the graph.


hidden_word_loss.mistake(
    "The number is right, but the graph is gone: nothing can be learned from it. Leave out detach().",
    graph_cut=lambda logits, targets: hidden_word_loss(logits, targets).detach(),
)


hidden_word_loss.mistake(
    ".item() makes a plain number, and nothing can be learned from it. Return the tensor.",
    plain_number=lambda logits, targets: hidden_word_loss(logits, targets).item(),
)


hidden_word_loss.mistake(
    "view() fails where a tensor does not lie in one piece, as one that was transposed. reshape() and flatten() copy "
    "it then.",
    view_of_another_layout=lambda logits, targets: F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1)),
)


hidden_word_loss.mistake(
    "F.cross_entropy takes the second dimension for the classes, and yours is the time. Flatten both, or "
    "logits.transpose(1, 2).",
    classes_not_second=lambda logits, targets: F.cross_entropy(logits, targets),
)


hidden_word_loss.mistake(
    "reshape(-1, T) or a transpose in the wrong place mixes the rows: the classes must stay the last dimension, "
    "logits.reshape(-1, V).",
    rows_mixed=lambda logits, targets: F.cross_entropy(
        logits.transpose(1, 2).reshape(-1, logits.shape[-1]), targets.reshape(-1)
    ),
)


hidden_word_loss.mistake(
    "You flatten the logits only. Targets must be one row, too: targets.flatten().",
    targets_not_flattened=lambda logits, targets: F.cross_entropy(logits.flatten(0, 1), targets),
)


hidden_word_loss.mistake(
    "You choose the places in the logits only. Choose the same in the targets: targets[asked].",
    targets_not_chosen=lambda logits, targets: F.cross_entropy(logits[targets != -100], targets.flatten()),
)


hidden_word_loss.mistake(
    "The arguments of F.cross_entropy have changed places: the logits come first.",
    arguments_swapped=of_words(lambda logits, targets: F.cross_entropy(targets, logits)),
)


hidden_word_loss.mistake(
    "You write 0 into the targets. Whoever called you needs them again: leave out the places by a mask, asked = "
    "targets != -100.",
    targets_overwritten=lambda logits, targets: (
        hidden_word_loss(logits, targets.clone()) + 0 * targets.clamp_(min=0).sum()
    ),
)


hidden_word_loss.hints(
    "asked = targets != -100 is a mask (B, T). What is logits[asked]?",
    "logits[asked] is (words asked for, V), and targets[asked] has one number for each.",
    "F.cross_entropy(logits[asked], targets[asked]) is the mean over these words.",
)
