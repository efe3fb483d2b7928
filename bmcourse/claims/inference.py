"""What lesson 09 says of answering, measured: how text is chosen, what a cache saves, and how sure a model may be."""

import functools
import time
import timeit

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.claims.training import documentation, pocket_gpt
from bmcourse.inference import (
    KeyValueCache,
    beam_search,
    cached_logits,
    calibration,
    fit_temperature,
    stream,
    stream_batch,
)
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.ngrams import NGrams
from bmcourse.tokenizer import CharacterTokenizer
from bmcourse.training import train

PROMPTS, NEW = 8, 200  # texts a model writes for each seed, and the characters of each
TEMPERATURES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
CUTS = ({"top_p": 0.8}, {"top_k": 5}, {"min_p": 0.1})
LENGTHS, BATCHES = (16, 32, 64, 128, 256, 512), (1, 2, 4, 8, 16, 32)  # tokens so far, and texts at once


@functools.cache
def writer(seed, characters=None):
    """A pocket GPT trained on the first `characters` of the documentation."""
    model = pocket_gpt(seed)
    train(model, documentation()[0][:characters], 400, 5e-3, seed=seed)
    return model


def prompts(seed):
    """Pieces of the validation text, of 16 characters each."""
    ids = documentation()[1]
    starts = torch.randint(len(ids) - 16, (PROMPTS,), generator=torch.Generator().manual_seed(seed))
    return [ids[start : start + 16] for start in starts]


def written(seed, greedy=False, **settings):
    """What the pocket GPT writes after each prompt: a list of texts."""
    generators = None if greedy else [torch.Generator().manual_seed(i) for i in range(PROMPTS)]
    steps = stream_batch(writer(seed), prompts(seed), NEW, generators, **settings)
    tokenizer = CharacterTokenizer(data.python_docs().train)
    return [tokenizer.decode(list(ids)) for ids in zip(*steps, strict=True)]


def repeated(texts, n=8):
    """The share of pieces of n characters that the same text had before, in per cent."""
    shares = []
    for text in texts:
        pieces = [text[i : i + n] for i in range(len(text) - n + 1)]
        shares.append(1 - len(set(pieces)) / len(pieces))
    return 100 * sum(shares) / len(shares)


def real_words(texts):
    """The share of words that also stand in the documentation, in per cent."""
    known = set(data.python_docs().train.split())
    words = [word for text in texts for word in text.split()[1:-1]]  # the first and the last may be cut
    return 100 * sum(word in known for word in words) / max(1, len(words))


def seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start


@claim(
    "A model that always takes the likeliest character repeats itself; a model that samples hardly does.",
    unit="points more repeated",
    at_least=20.0,
)
def greedy_repeats_itself(seed):
    return repeated(written(seed, greedy=True)) - repeated(written(seed))


@claim("More of the words are real at temperature 0.5 than at 1.2.", unit="points more real words", at_least=5.0)
def low_temperature_writes_real_words(seed):
    return real_words(written(seed, temperature=0.5)) - real_words(written(seed, temperature=1.2))


@claim("A text repeats itself more at temperature 0.5 than at 1.2.", unit="points more repeated")
def low_temperature_repeats_more(seed):
    return repeated(written(seed, temperature=0.5)) - repeated(written(seed, temperature=1.2))


@functools.cache
def trade_offs(seed):
    """Repeated pieces and real words, in per cent: at TEMPERATURES, with CUTS, greedy, real text, letters by lot."""
    train, validation, _ = documentation()
    generator, tokenizer = torch.Generator().manual_seed(seed), CharacterTokenizer(data.python_docs().train)
    starts = torch.randint(len(validation) - NEW, (PROMPTS,), generator=generator)
    real = [validation[start : start + NEW] for start in starts]
    lots = train[torch.randint(len(train), (PROMPTS, NEW), generator=generator)]
    settings = [{"temperature": t} for t in TEMPERATURES] + [*CUTS, {"greedy": True}]
    texts = [written(seed, **setting) for setting in settings]
    texts += [[tokenizer.decode(ids.tolist()) for ids in rows] for rows in (real, lots)]
    return [[round(repeated(text), 1), round(real_words(text), 1)] for text in texts]


def less_repeated(seed, cut):
    """Points that number `cut` of CUTS repeats less than the temperature with as many real words, interpolated."""
    rows = trade_offs(seed)
    repeats, words = zip(*sorted(rows[: len(TEMPERATURES)], key=lambda row: row[1]), strict=True)
    own_repeats, own_words = rows[len(TEMPERATURES) + cut]
    return float(np.interp(own_words, words, repeats)) - own_repeats


@claim(
    "Top-p 0.8 beats a lower temperature: with as many real words it repeats itself less.",
    unit="points less repeated",
    opposite="points more repeated",
    belief=True,
    table=trade_offs,
)
def top_p_beats_a_lower_temperature(seed):
    return less_repeated(seed, 0)


@claim(
    "Top-k 5 beats a lower temperature: with as many real words it repeats itself less.",
    unit="points less repeated",
    opposite="points more repeated",
    belief=True,
)
def top_k_beats_a_lower_temperature(seed):
    return less_repeated(seed, 1)


def log_probability(model, text):
    """The log-probability in nats of all tokens of `text` (T,) behind the first 16."""
    with torch.inference_mode():
        return -F.cross_entropy(model(text[None, :-1])[0, 15:], text[16:], reduction="sum").item()


@claim(
    "Beam search with 8 beams finds likelier text than greedy search, and than the likeliest of 8 drawn texts.",
    unit="nats likelier over 16 characters, the smaller of the leads",
)
def beams_find_likelier_text(seed):
    model, leads = writer(seed), []
    for prompt in prompts(seed):
        greedy, beams = (log_probability(model, list(beam_search(model, prompt, 16, n))[-1]) for n in (1, 8))
        steps = stream_batch(model, [prompt] * 8, 16, [torch.Generator().manual_seed(i) for i in range(8)])
        drawn = max(log_probability(model, torch.cat([prompt, text])) for text in torch.tensor(list(steps)).T)
        leads.append((beams - greedy, beams - drawn))
    return min(np.mean(leads, axis=0).tolist())


def untrained(seed):
    """A GPT to take the time of, which does not depend on what it knows."""
    torch.manual_seed(seed)
    return GPT(GPTConfig(256, context=512, layers=4, heads=4, channels=128)).eval()


def token_milliseconds(model, length, batch_size=1, cached=True, rounds=10):
    """How long one more token takes behind each text of `length` tokens, the shortest of `rounds` times."""
    texts = torch.zeros(batch_size, length, dtype=torch.long)
    cache = KeyValueCache.for_model(model, batch_size)
    cache.memory.normal_()

    def step():
        cache.length = length - 1
        return cached_logits(model, texts[:, -1:], cache) if cached else model(texts)

    with torch.inference_mode():
        return 1000 * min(timeit.repeat(step, number=1, repeat=rounds))


def latencies(seed):
    """Milliseconds for one more token: texts of LENGTHS read anew, the same with the cache, and a step of BATCHES."""
    model = untrained(seed)
    again = [token_milliseconds(model, length, cached=False) for length in LENGTHS]
    with_cache = [token_milliseconds(model, length) for length in LENGTHS]
    batches = [token_milliseconds(model, 128, batch_size) for batch_size in BATCHES]
    return [[round(milliseconds, 3) for milliseconds in row] for row in (again, with_cache, batches)]


@claim(
    "With the key-value cache, a GPT writes 200 tokens at least twice as fast as without.",
    unit="times as fast",
    at_least=2.0,
    table=latencies,
)
def the_cache_saves_time(seed):
    torch.manual_seed(seed)
    model = GPT(GPTConfig(documentation()[2], context=256, layers=2, heads=4, channels=64))
    prompt = documentation()[1][:50]
    without, with_cache = (seconds(lambda c=c: list(stream(model, prompt, 200, cache=c))) for c in (False, True))
    return without / with_cache


@claim("Sixteen prompts in one batch take less than half the time they take one after another.", "times as fast", 2.0)
def a_batch_saves_time(seed):
    torch.manual_seed(seed)
    model = GPT(GPTConfig(documentation()[2], context=128, layers=2, heads=4, channels=64))
    texts = list(documentation()[1][: 16 * 20].view(16, 20))
    alone = seconds(lambda: [list(stream(model, text, 50)) for text in texts])
    return alone / seconds(lambda: list(stream_batch(model, texts, 50)))


@claim(
    "A model that has memorised 2,000 characters is surer than it is right, far more than one trained on all the text.",
    unit="points of calibration error more",
    at_least=10.0,
)
def overfitting_makes_too_sure(seed):
    windows = documentation()[1][: 33 * 200].view(-1, 33)
    errors = []
    for model in (writer(seed, 2_000), writer(seed)):
        with torch.inference_mode():
            probabilities = model(windows[:, :-1]).softmax(dim=-1)
        errors.append(calibration(probabilities.flatten(0, 1), windows[:, 1:].flatten())[0])
    return 100 * (errors[0] - errors[1])


@claim(
    "In inference_mode eight texts of 128 tokens are answered in less time than with gradients.",
    unit="times as fast",
    at_least=1.0,
)
def inference_mode_saves_time(seed):
    model, texts = untrained(seed), torch.zeros(8, 128, dtype=torch.long)

    def answer(mode):
        with mode():
            model(texts)

    modes = torch.enable_grad, torch.inference_mode
    rounds = [[seconds(lambda mode=mode: answer(mode)) for mode in modes] for _ in range(10)]
    with_gradients, without = map(min, zip(*rounds, strict=True))
    return with_gradients / without


@functools.cache
def reader(seed):
    """A classifier of digits with dropout, trained on images whose mean is 0, and the digits."""
    torch.manual_seed(seed)
    digits = data.digits(seed=seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        loss = F.cross_entropy(model(digits.train_images - digits.train_images.mean()), digits.train_labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, digits


def accuracy(model, images, labels):
    with torch.inference_mode():
        return (model(images).argmax(dim=1) == labels).float().mean().item()


@claim("Without model.eval() a classifier with dropout gives more wrong answers.", unit="points of accuracy lost")
def forgotten_eval_answers_wrong(seed):
    model, digits = reader(seed)
    torch.manual_seed(seed)
    images, labels = digits.validation_images - digits.train_images.mean(), digits.validation_labels
    return 100 * (accuracy(model.eval(), images, labels) - accuracy(model.train(), images, labels))


@claim(
    "Images prepared differently than in training, here with dark and bright swapped, get many more wrong answers.",
    unit="points of accuracy lost",
    at_least=20.0,
)
def other_preprocessing_answers_wrong(seed):
    model, digits = reader(seed)
    mean, images, labels = digits.train_images.mean(), digits.validation_images, digits.validation_labels
    return 100 * (accuracy(model.eval(), images - mean, labels) - accuracy(model, 1 - images - mean, labels))


@claim(
    "A GPT reads a prompt of 128 tokens in one pass faster than token by token.",
    unit="times as fast",
    at_least=2.0,
)
def a_prompt_is_read_at_once(seed):
    model, tokens = untrained(seed), torch.zeros(1, 128, dtype=torch.long)

    def read_in(parts):
        cache = KeyValueCache.for_model(model)
        for part in tokens.chunk(parts, dim=1):
            cached_logits(model, part, cache)

    one_by_one, at_once = (min(seconds(lambda n=n: read_in(n)) for _ in range(5)) for n in (128, 1))
    return one_by_one / at_once


@claim(
    "In speculative decoding a GPT accepts more guesses from a draft that counts trigrams than from plain frequencies.",
    unit="points more guesses accepted",
    at_least=10.0,
)
def trigrams_guess_better(seed):
    ids, validation, vocabulary_size = documentation()
    model, windows = writer(seed), validation[: 33 * 40].view(-1, 33)[:, :32]
    with torch.inference_mode():
        of_model = model(windows).softmax(dim=-1)  # (40, 32, V)
    shares = []
    for order in (3, 1):
        draft = NGrams(ids, vocabulary_size, order).next_probabilities
        guesses = torch.stack([draft(window[: t + 1]) for window in windows for t in range(8, 32)])
        shares.append(torch.minimum(of_model[:, 8:].flatten(0, 1), guesses).sum(dim=-1).mean().item())
    return 100 * (shares[0] - shares[1])


@claim(
    "One temperature, chosen on other text, takes away most of the overconfidence of a model that memorised 2,000 "
    "characters.",
    unit="points of calibration error less",
    at_least=15.0,
)
def one_temperature_calibrates(seed):
    windows, model = documentation()[1][: 33 * 200].view(-1, 33), writer(seed, 2_000)
    with torch.inference_mode():
        logits = model(windows[:, :-1])
    (logits, others), (labels, other_labels) = logits.chunk(2), windows[:, 1:].chunk(2)
    logits, labels = logits.flatten(0, 1), labels.flatten()
    temperature = fit_temperature(others.flatten(0, 1), other_labels.flatten())
    errors = [calibration((logits / t).softmax(dim=-1), labels)[0] for t in (1, temperature)]
    return 100 * (errors[0] - errors[1])
