"""What lesson 15 says of the fast recipe and of counting, measured in loss after as many steps, not in seconds."""

import functools
from dataclasses import replace

import torch
import torch.nn.functional as F

from bmcourse.claims.core import claim
from bmcourse.claims.training import documentation
from bmcourse.ngrams import NGrams
from bmcourse.speedrun import free_shape, ingredients, nanogpt, train_fast
from bmcourse.training import evaluate

UNREAD = 20_001  # characters of the validation text that the claims look at
STEPS = 300
BEST_LR = 3e-3  # of nanoGPT's recipe, of 0.001, 0.003, 0.01, 0.02 and 0.04 on other seeds


@functools.cache
def losses_by_ingredient(seed):
    """The validation loss of a small GPT after 300 steps: in nanoGPT's way, and with one ingredient more each time."""
    ids, unread, vocabulary_size = documentation()
    config, recipe = nanogpt(vocabulary_size)
    config = replace(config, context=32, layers=2, heads=2, channels=32)
    recipe = replace(recipe, steps=STEPS, batch_size=16, warmup=STEPS // 20)  # nanoGPT's share of the steps
    recipe = replace(recipe, lr=BEST_LR, embedding_lr=BEST_LR)
    stages = ingredients(config, recipe)
    return [evaluate(train_fast(c, r, ids, seed), unread[:UNREAD], c.context) for _, c, r in stages]


@claim(
    "After equally many steps, a small GPT with all the ingredients has a loss far below one trained nanoGPT's way at "
    "the learning rate that suits it best.",
    unit="nats a character less",
    at_least=0.5,
    table=losses_by_ingredient,
)
def ingredients_add_up(seed):
    losses = losses_by_ingredient(seed)
    return losses[0] - losses[-1]


@functools.cache
def trained_and_counted(seed):
    """A GPT of free shape, and its losses and those of n-grams of order 5 on unread text, (windows, context) each."""
    ids, unread, vocabulary_size = documentation()
    config, recipe = free_shape(vocabulary_size)
    model = train_fast(config, recipe, ids, seed)
    counted = NGrams(ids, vocabulary_size).losses(unread[:UNREAD], config.context)
    return model, losses_of(model, unread[:UNREAD], config.context), counted


@torch.no_grad()
def losses_of(model, ids, context):
    """The loss of every target, (windows, context), over the windows that `evaluate` reads."""
    windows = (len(ids) - 1) // context
    x, y = (ids[shift : shift + windows * context].view(windows, context) for shift in (0, 1))
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="none").view(windows, context)


@claim("Counting n-grams of order 5 predicts new text better than the fast GPT.", unit="nats less", at_least=0.05)
def counting_beats_a_small_gpt(seed):
    _, trained, counted = trained_and_counted(seed)
    return (trained.mean() - counted.mean()).item()


@claim(
    "The GPT knows what counting does not: the mean of both probabilities beats counting alone.",
    unit="nats less",
    at_least=0.01,
)
def a_gpt_knows_what_counting_does_not(seed):
    _, trained, counted = trained_and_counted(seed)
    both = -(((-trained).exp() + (-counted).exp()) / 2).log()
    return (counted.mean() - both.mean()).item()


@claim(
    "The GPT reads further back than four characters: cut down to them, it predicts the same characters worse.",
    unit="nats more",
    at_least=0.03,
)
def a_gpt_reads_further_back(seed):
    """For counting of order 5 this difference is 0."""
    model, trained, _ = trained_and_counted(seed)
    unread = documentation()[1][: UNREAD // 4]
    short = unread[:-1].unfold(0, 4, 1)  # every four characters, and the one after them
    with torch.no_grad():
        cut = F.cross_entropy(model(short)[:, -1], unread[4:], reduction="none")
    windows = len(cut) // 64  # target t of window w is character 64 w + t + 1, that is cut[64 w + t - 3]
    back = [[cut[64 * w + t - 3] for t in range(32, 64)] for w in range(windows)]
    return (torch.tensor(back).mean() - trained[:windows, 32:].mean()).item()
