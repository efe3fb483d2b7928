"""What lesson 01 says of big and small models, measured: four sizes of GPT on four lengths of text, and more."""

import functools
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.claims.training import documentation
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.training import evaluate, warmup_cosine

CHANNELS = (8, 16, 32, 64)  # the four sizes: 3,700, 10,400, 33,000 and 115,000 parameters
CHARACTERS = (2_000, 10_000, 50_000, 400_000)  # the four lengths of text
RATES = (2e-2, 2e-2, 5e-3, 2.5e-3)  # the best of each size on other seeds and the longest text, by factors of two
STEPS, WARMUP, EVERY = 400, 40, 40


def small_gpt(channels, seed):
    """One of the four GPTs, untrained: two blocks that read 32 characters."""
    torch.manual_seed(seed)
    return GPT(GPTConfig(documentation()[2], context=32, layers=2, heads=2, channels=channels))


def pieces(ids, characters):
    """`characters` of a text, from sixteen places all over it: little text of many topics."""
    return torch.cat([part[: characters // 16] for part in ids.chunk(16)])


@functools.cache
def validation_losses(channels, characters, seed):
    """The validation loss of a GPT after every 40 of 400 steps on so many `characters` of the documentation."""
    text, validation = (pieces(ids, n) for ids, n in zip(documentation(), (characters, 6_416), strict=False))
    model, generator = small_gpt(channels, seed), torch.Generator().manual_seed(seed)
    rate, losses = RATES[CHANNELS.index(channels)], []
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    for step in range(1, STEPS + 1):
        x, y = data.get_batch(text, 16, 32, generator)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = rate * warmup_cosine(step, STEPS, WARMUP)
        optimizer.step()
        if step % EVERY == 0:
            losses.append(evaluate(model, validation, 32))
    return losses


def stopped_early(channels, characters, seed):
    """The lowest validation loss of the run: what early stopping (早停) would have kept."""
    return min(validation_losses(channels, characters, seed))


def at_the_end(channels, characters, seed):
    return validation_losses(channels, characters, seed)[-1]


def grid(seed):
    """All sixteen runs, [stopped early, at the end]: in each a row for a size and a column for a length of text."""
    return [[[round(run(c, n, seed), 3) for n in CHARACTERS] for c in CHANNELS] for run in (stopped_early, at_the_end)]


@claim(
    "On the whole text, the biggest of our four models ends lower than the smallest.",
    unit="nats less",
    at_least=0.1,
    table=grid,
)
def big_wins_on_much_text(seed):
    _, ends = grid(seed)
    return ends[0][-1] - ends[-1][-1]


@claim(
    "Trained equally long on only 2,000 characters, the biggest ends higher than the smallest.",
    unit="nats more",
    at_least=0.2,
)
def big_loses_on_little_text(seed):
    return at_the_end(64, 2_000, seed) - at_the_end(8, 2_000, seed)


@claim(
    "On 2,000 characters the biggest model ends far above its own best moment, which early stopping would have kept.",
    unit="nats less",
    at_least=0.2,
)
def stopping_early_saves_the_big(seed):
    return at_the_end(64, 2_000, seed) - stopped_early(64, 2_000, seed)


@claim(
    "More text helps the big model more: from 2,000 to 400,000 characters it gains more than the small one.",
    unit="nats more gained",
    at_least=0.05,
)
def more_text_helps_the_big_more(seed):
    gains = [stopped_early(c, 2_000, seed) - stopped_early(c, 400_000, seed) for c in (8, 64)]
    return gains[1] - gains[0]


@claim(
    "A big model does with less text: with 10,000 characters the biggest beats the smallest with 400,000.",
    unit="nats less",
    at_least=0.05,
)
def big_does_with_less_text(seed):
    return stopped_early(8, 400_000, seed) - stopped_early(64, 10_000, seed)


@claim(
    "A big model reaches high performance on hardly any data: with 2,000 characters the biggest beats the "
    "smallest with 400,000.",
    unit="nats better",
    opposite="nats worse",
    belief=True,
)
def big_with_hardly_any_text_beats_small(seed):
    return stopped_early(8, 400_000, seed) - stopped_early(64, 2_000, seed)


@claim("A step of training takes more than twice the time of answering alone.", unit="times as long", at_least=2.0)
def training_costs_more_than_inference(seed):
    """The median of thirty steps, each timed beside an answer to the same windows."""
    model, generator = small_gpt(64, seed), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters())
    ratios = []
    for _ in range(30):
        x, y = data.get_batch(documentation()[0], 64, 32, generator)
        start = time.process_time()
        with torch.inference_mode():
            model(x)
        answered = time.process_time()
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ratios.append((time.process_time() - answered) / (answered - start))
    return statistics.median(ratios)


@claim(
    "Take away the eight pixels that an explanation names: more answers change than without eight lit pixels "
    "drawn at random.",
    unit="points more answers change",
    at_least=10.0,
)
def the_named_pixels_matter(seed):
    """The explanation is gradient × input for the digit the model sees, on images it was not trained on."""
    torch.manual_seed(seed)
    digits = data.digits(seed=seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        loss = F.cross_entropy(model(digits.train_images), digits.train_labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images = digits.validation_images.flatten(1).requires_grad_()
    score, answers = model(images).max(dim=1)
    importance = images * torch.autograd.grad(score.sum(), images)[0]
    luck = torch.rand(images.shape) * (images > 0)

    def changed(ranking):
        without = images.scatter(1, ranking.topk(8).indices, 0.0)
        return (model(without).argmax(dim=1) != answers).float().mean().item()

    return 100 * (changed(importance) - changed(luck))
