"""Choosing tokens, the cache, streams, batches, stop sequences, beams and calibration, against slow loops."""

import itertools
import math

import pytest
import torch
from torch import nn

from bmcourse import inference
from bmcourse.inference import (
    KeyValueCache,
    beam_search,
    cache_bytes,
    cached_logits,
    calibration,
    fit_temperature,
    generate,
    perplexity_of,
    process_logits,
    sample,
    speculative_step,
    stream,
    stream_batch,
    until,
    with_min_p,
    with_repetition_penalty,
    with_temperature,
    with_top_k,
    with_top_p,
)
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.tokenizer import BytePairTokenizer, CharacterTokenizer, WordTokenizer

GONE = -math.inf
FIVE = torch.tensor([0.4, 0.1, 0.05, 0.25, 0.2]).log()  # whose softmax is these five probabilities
PROMPT = torch.tensor([3, 1, 4, 1, 5])


def make(vocabulary=11, context=8, layers=2, heads=2, channels=8, dropout=0.0, spread=8.0):
    """A small GPT whose predictions differ: with the usual weights of 0.02 all tokens would be about as likely."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary, context, layers, heads, channels, dropout)).eval()
    for parameter in model.parameters():
        parameter.data *= spread if parameter.ndim == 2 else 1
    return model


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_logits(*shape, seed=0):
    return 3 * torch.randn(shape, generator=seeded(seed))


def kept(logits):
    return (logits > GONE).nonzero()[:, 0].tolist()


# ---------------------------------------------------------------- choosing a token


def test_temperature_divides():
    logits = some_logits(3, 7)
    for temperature in (0.1, 1, 2.5):
        torch.testing.assert_close(with_temperature(logits, temperature), logits / temperature)


def test_temperature_zero_leaves_the_first_of_the_likeliest():
    assert kept(with_temperature(torch.tensor([1.0, 3.0, 3.0]), 0)) == [1]
    rows = with_temperature(torch.tensor([[1.0, 2.0], [5.0, -1.0]]), 0.0).softmax(dim=-1)
    assert rows.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("k", [1, 2, 6, 7, 100])
def test_top_k_against_sorting(k):
    logits = some_logits(7)
    largest = sorted(logits.tolist(), reverse=True)[:k]
    assert with_top_k(logits, k).tolist() == [x if x in largest else GONE for x in logits.tolist()]


def test_top_k_keeps_what_equals_the_last_one_that_stays():
    assert kept(with_top_k(torch.tensor([1.0, 2.0, 0.0, 1.0]), 2)) == [0, 1, 3]


@pytest.mark.parametrize("p, stay", [(0.3, [0]), (0.5, [0, 3]), (0.7, [0, 3, 4]), (0.99, [0, 1, 2, 3, 4]), (1e-9, [0])])
def test_top_p_by_hand(p, stay):
    assert kept(with_top_p(FIVE, p)) == stay


def top_p_loop(logits, p):
    """Token by token, the likeliest first, until they have p together."""
    probabilities = logits.softmax(dim=-1).tolist()
    stay, total = set(), 0.0
    for token in sorted(range(len(probabilities)), key=lambda token: -probabilities[token]):
        if total < p:
            stay.add(token)
        total += probabilities[token]
    return torch.tensor([x if token in stay else GONE for token, x in enumerate(logits.tolist())])


def test_top_p_against_a_loop():
    for seed, p in itertools.product(range(20), (0.1, 0.5, 0.9, 0.999)):
        logits = some_logits(30, seed=seed)
        torch.testing.assert_close(with_top_p(logits, p), top_p_loop(logits, p))


def test_shares_of_one():
    logits = some_logits(4, 1000)
    assert torch.equal(with_top_p(logits, 1), logits)
    assert torch.equal(with_min_p(logits, 1.0), with_top_k(logits, 1))


@pytest.mark.parametrize("p, stay", [(0.1, [0, 1, 2, 3, 4]), (0.2, [0, 1, 3, 4]), (0.55, [0, 3]), (0.9, [0])])
def test_min_p_by_hand(p, stay):
    assert kept(with_min_p(FIVE, p)) == stay


def test_repetition_penalty_by_hand():
    logits = torch.tensor([2.0, -2.0, 0.0, 3.0])
    penalised = with_repetition_penalty(logits, torch.tensor([0, 1, 1, 2, 0]), 2.0)  # once, however often it came
    assert penalised.tolist() == [1.0, -4.0, 0.0, 3.0]
    assert logits.tolist() == [2.0, -2.0, 0.0, 3.0]


def test_every_filter_treats_each_row_as_if_alone():
    logits, tokens = some_logits(4, 9), torch.randint(9, (4, 3), generator=seeded())
    for change in (
        lambda logits, tokens: with_temperature(logits, 0.5),
        lambda logits, tokens: with_temperature(logits, 0),
        lambda logits, tokens: with_top_k(logits, 3),
        lambda logits, tokens: with_top_p(logits, 0.6),
        lambda logits, tokens: with_min_p(logits, 0.2),
        lambda logits, tokens: with_repetition_penalty(logits, tokens, 1.5),
    ):
        alone = torch.stack([change(*row) for row in zip(logits, tokens, strict=True)])
        torch.testing.assert_close(change(logits, tokens), alone)


def test_process_logits_goes_in_the_order_of_transformers():
    """Here every other order of two that follow each other gives another result."""
    tokens, settings = torch.tensor([0, 3]), {"repetition_penalty": 1.5, "temperature": 2.0, "top_k": 4, "top_p": 0.7}
    logits = torch.tensor([4.0, 3.0, 2.5, 3.5, -1.0, 2.0])
    by_hand = torch.tensor([4 / 1.5, 3.0, 2.5, 3.5 / 1.5, -1.0, 2.0]) / 2  # 0.27, 0.32, 0.25, 0.16 of the largest four
    assert kept(process_logits(logits, tokens, **settings)) == [0, 1, 2]
    torch.testing.assert_close(process_logits(logits, tokens, **settings)[:3], by_hand[:3])
    assert kept(process_logits(logits, tokens, **settings, min_p=0.83)) == [0, 1]
    assert process_logits(logits, tokens) is logits


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"temperature": -0.1}, "temperature must be 0 or above; -0.1 came"),
        ({"temperature": math.nan}, "temperature must be 0 or above; nan"),
        ({"temperature": math.inf}, "temperature must be 0 or above; inf"),
        ({"top_k": 0}, "top_k is how many tokens stay, 1 or more; 0 came"),
        ({"top_p": 0}, "top_p is a share of the probability, above 0 and at most 1; 0 came"),
        ({"top_p": 1.01}, "top_p is a share .* 1.01 came"),
        ({"top_p": math.nan}, "top_p is a share .* nan came"),
        ({"min_p": -1}, "min_p is a share .* -1 came"),
        ({"repetition_penalty": 0}, "repetition_penalty must be above 0; 0 came"),
        ({"repetition_penalty": math.inf}, "repetition_penalty must be above 0; inf came"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        process_logits(FIVE, PROMPT[:1], **settings)
    with pytest.raises(ValueError, match=message):
        next(stream(make(), PROMPT, 1, **settings))


def test_sampling_follows_the_probabilities():
    drawn = sample(FIVE.expand(20_000, 5), seeded())[:, 0].bincount(minlength=5) / 20_000
    torch.testing.assert_close(drawn, FIVE.exp(), atol=0.015, rtol=0)
    assert set(sample(with_top_k(FIVE, 2).expand(1000, 5), seeded())[:, 0].tolist()) == {0, 3}


def test_sampling_without_a_generator_takes_the_likeliest():
    assert sample(FIVE).tolist() == [0]
    assert sample(some_logits(3, 5)).tolist() == some_logits(3, 5).argmax(dim=1, keepdim=True).tolist()


# ---------------------------------------------------------------- the cache


@pytest.mark.parametrize("layers, heads, channels, B", [(1, 1, 4, 1), (2, 4, 16, 3), (3, 2, 32, 2)])
@pytest.mark.parametrize("parts", [[8], [1] * 8, [5, 1, 2], [1, 7]])
def test_cached_equals_uncached(layers, heads, channels, B, parts):
    model = make(layers=layers, heads=heads, channels=channels)
    tokens = torch.randint(11, (B, 8), generator=seeded())
    cache = KeyValueCache(model.config, B)
    cache.memory.fill_(math.nan)  # what is not written is not read
    cached = torch.cat([cached_logits(model, part, cache) for part in tokens.split(parts, dim=1)], dim=1)
    torch.testing.assert_close(cached, model(tokens), atol=1e-5, rtol=0)
    assert cache.length == 8 and not cached.requires_grad


def test_the_cache_equals_the_model_in_double_precision_too():
    model = make().double()
    cache = KeyValueCache.for_model(model)
    assert cache.memory.dtype == torch.float64
    torch.testing.assert_close(cached_logits(model, PROMPT[None], cache), model(PROMPT[None]), atol=1e-12, rtol=0)


def test_the_cache_has_no_dropout():
    model = make(dropout=0.5)
    wanted = model(PROMPT[None])
    model.train()
    torch.testing.assert_close(cached_logits(model, PROMPT[None], KeyValueCache(model.config)), wanted)


@pytest.mark.parametrize("dtype, size", [(torch.float32, 4), (torch.bfloat16, 2), (torch.float64, 8)])
def test_the_memory_formula_is_what_is_allocated(dtype, size):
    config = GPTConfig(11, context=40, layers=3, heads=4, channels=20)
    cache = KeyValueCache(config, batch_size=5, dtype=dtype)
    assert cache.memory.shape == (3, 2, 5, 4, 40, 5)
    assert cache.nbytes == cache.memory.untyped_storage().nbytes() == cache_bytes(config, 5, size)
    assert cache_bytes(config, 5, size) == sum(size for _ in range(3 * 2 * 5 * 40 * 20))


def test_the_memory_of_gpt_3_by_hand():
    gpt3 = GPTConfig(50257, context=2048, layers=96, heads=96, channels=12288)
    assert cache_bytes(gpt3, 1, 2) == 9_663_676_416  # 4.7 MB for each token


def test_nothing_more_is_reserved_while_the_cache_fills(monkeypatch):
    made = []

    def full_of_nan(shape, empty=torch.empty, **kind):
        made.append(empty(shape, **kind).fill_(math.nan))
        return made[-1]

    monkeypatch.setattr(torch, "empty", full_of_nan)
    model = make(context=30)
    made.clear()
    list(stream(model, PROMPT, 20))
    assert [tensor.nbytes for tensor in made] == [cache_bytes(model.config)]
    written = ~made[0].isnan()
    assert written[:, :, :, :, :24].all() and not written[:, :, :, :, 24:].any()  # nobody reads the last of the 25


def test_a_full_cache():
    model = make()
    cache = KeyValueCache(model.config)
    cached_logits(model, PROMPT[None], cache)
    with pytest.raises(ValueError, match="room for 8 tokens .*; it holds 5, and 4 more came. Begin a new cache"):
        cached_logits(model, PROMPT[None, :4], cache)
    assert cached_logits(model, PROMPT[None, :3], cache).shape == (1, 3, 11)
    with pytest.raises(ValueError, match="it holds 8, and 1 more"):
        cached_logits(model, PROMPT[None, :1], cache)


def test_a_cache_for_another_number_of_texts():
    with pytest.raises(ValueError, match="1 texts came, and the cache is for 3. Make it with batch_size=1"):
        cached_logits(make(), PROMPT[None], KeyValueCache(make().config, 3))


def test_positions_and_mask_by_hand():
    positions, mask = inference.positions_and_mask(1, torch.zeros(2, 2), padding=torch.tensor([2, 0]))
    assert positions.tolist() == [[0, 0], [1, 2]]
    assert mask.long().tolist() == [[[[0, 1, 0], [0, 0, 1]]], [[[1, 1, 0], [1, 1, 1]]]]


# ---------------------------------------------------------------- streams


def greedy_loop(model, tokens, count):
    tokens = tokens.tolist()
    for _ in range(count):
        window = torch.tensor([tokens[-model.config.context :]])
        tokens.append(int(model(window)[0, -1].argmax()))
    return tokens[-count:]


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("prompt", [PROMPT, PROMPT[:1], torch.arange(8), torch.arange(11)])
def test_greedy_streams_go_on_behind_the_context(cache, prompt):
    """5 tokens and 20 more in a context of 8; and prompts that fill it, or are longer."""
    model = make()
    wanted = greedy_loop(model, prompt, 20)
    assert len(set(wanted)) > 2
    assert list(stream(model, prompt, 20, cache=cache)) == wanted
    assert list(stream(model, prompt.tolist(), 20, cache=cache)) == wanted


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.7, "top_k": 5}, {"top_p": 0.9, "repetition_penalty": 1.3}])
def test_with_and_without_cache_the_same_tokens_are_drawn(settings):
    model = make().double()
    with_cache, without = (list(stream(model, PROMPT, 30, seeded(), cache, **settings)) for cache in (True, False))
    assert with_cache == without
    assert with_cache == list(stream(model, PROMPT, 30, seeded(), **settings))
    assert with_cache != list(stream(model, PROMPT, 30, seeded(1), **settings))


def test_temperature_zero_is_greedy():
    assert list(stream(make(), PROMPT, 20, seeded(), temperature=0)) == list(stream(make(), PROMPT, 20))


@pytest.fixture
def reads(monkeypatch):
    """How many tokens the model has read in each step: ("new", n) with the cache, ("all", n) without."""
    log, forward = [], GPT.forward

    def with_cache(model, tokens, *rest, read=inference.read):
        log.append(("new", tokens.shape[1]))
        return read(model, tokens, *rest)

    def without(model, tokens):
        log.append(("all", tokens.shape[1]))
        return forward(model, tokens)

    monkeypatch.setattr(inference, "read", with_cache)
    monkeypatch.setattr(GPT, "forward", without)
    return log


def test_every_token_is_read_once_until_the_context_is_full(reads):
    list(stream(make(), PROMPT, 6))
    assert reads == [("new", 5), ("new", 1), ("new", 1), ("new", 1), ("all", 8), ("all", 8)]


def test_a_batch_reads_every_token_once_until_the_context_is_full(reads):
    list(stream_batch(make(), PROMPTS[:3], 6))
    assert reads == [("new", 5), ("new", 1), ("new", 1), ("new", 1), ("new", 8), ("new", 8)]


def test_a_stream_computes_only_what_is_asked_for(reads):
    tokens = stream(make(), PROMPT, 10**9)
    assert iter(tokens) is tokens and reads == []
    assert len([next(tokens), next(tokens)]) == 2
    assert reads == [("new", 5), ("new", 1)]


def test_plain_functions_compute_what_the_modules_do():
    model, parts = make(layers=3), inference.as_functions(make(layers=3))
    one, two = (cached_logits(m, PROMPT[None], KeyValueCache(model.config)) for m in (model, parts))
    assert torch.equal(one, two)
    assert not [part for part in vars(parts).values() if isinstance(part, nn.Module)]


@pytest.mark.parametrize("training", [True, False])
def test_a_stream_given_up_leaves_mode_and_gradients_as_they_were(training):
    model = make(dropout=0.5).train(training)
    tokens = stream(model, PROMPT, 10)
    next(tokens)
    assert torch.is_grad_enabled() and not model.training
    tokens.close()
    assert model.training is training


def test_a_stream_has_no_dropout():
    model = make(dropout=0.5)
    assert list(stream(model.train(), PROMPT, 20, cache=False)) == greedy_loop(model.eval(), PROMPT, 20)


def test_generate_draws_what_a_plain_loop_draws():
    """The same bits as before it was built on stream: lesson 08 shows its text."""
    model, tokens, generator = make(), PROMPT, seeded(5)
    for _ in range(30):
        probabilities = torch.softmax(model(tokens[None, -8:])[0, -1] / 0.8, dim=-1)
        tokens = torch.cat([tokens, torch.multinomial(probabilities, 1, generator=generator)])
    assert torch.equal(generate(model, PROMPT, 30, seeded(5), temperature=0.8), tokens)


def test_generate_nothing():
    assert torch.equal(generate(make(), PROMPT, 0, seeded()), PROMPT)


@pytest.mark.parametrize(
    "prompt, message",
    [
        ([], "The prompt is empty"),
        (torch.tensor([]), "The prompt is empty"),
        (torch.zeros(1, 3, dtype=torch.long), r"\(1, 3\) of torch.int64 came. For several prompts there is stream_b"),
        ([0.5], r"whole numbers; \(1,\) of torch.float32 came"),
        ([1, 11], "tokens from 1 to 11; the model knows 0 to 10. Encode it with the tokenizer"),
        ([-1], "tokens from -1 to -1; the model knows 0 to 10"),
    ],
)
def test_bad_prompts(prompt, message):
    for tokens in (
        stream(make(), prompt, 1),
        stream_batch(make(), [PROMPT, prompt], 1),
        beam_search(make(), prompt, 1, 2),
    ):
        with pytest.raises(ValueError, match=message):
            next(tokens)


class Doubled(nn.Linear):
    """A layer that is a Linear and computes something else, as those with fewer bits do."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_layers_of_another_kind_compute_what_they_compute():
    model = make()
    plain = list(stream(model, PROMPT, 20))
    model.blocks[1].mlp[2] = Doubled(32, 8)
    model.blocks[0].attention.output = nn.Sequential(model.blocks[0].attention.output, nn.Tanh())
    wanted = greedy_loop(model, PROMPT, 20)
    assert list(stream(model, PROMPT, 20)) == list(stream(model, PROMPT, 20, cache=False)) == wanted != plain


# ---------------------------------------------------------------- batches

PROMPTS = [PROMPT, PROMPT[:1], torch.tensor([7, 7, 2]), torch.arange(11)]  # the last is longer than the context


def columns(rows):
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("prompts", [PROMPTS, PROMPTS[:3], PROMPTS[1:2]])
@pytest.mark.parametrize("settings", [{}, {"temperature": 1.5, "top_p": 0.8, "repetition_penalty": 1.4}])
def test_in_a_batch_each_prompt_gets_what_it_gets_alone(prompts, settings):
    model = make().double()
    together = stream_batch(model, prompts, 20, [seeded(i) for i in range(len(prompts))], **settings)
    alone = [list(stream(model, prompt, 20, seeded(i), **settings)) for i, prompt in enumerate(prompts)]
    assert columns(together) == alone
    assert columns(stream_batch(model, prompts, 20)) == [greedy_loop(model, prompt, 20) for prompt in prompts]


def test_logits_behind_padding_equal_those_without():
    model = make()
    texts, padding = inference.pad_left(PROMPTS[:3])
    assert texts.tolist() == [[3, 1, 4, 1, 5], [3, 3, 3, 3, 3], [7, 7, 7, 7, 2]] and padding.tolist() == [0, 4, 2]
    cache = KeyValueCache(model.config, 3)
    first = cached_logits(model, texts, cache, padding)
    second = cached_logits(model, torch.tensor([[1], [2], [3]]), cache, padding)
    for row, prompt in enumerate(PROMPTS[:3]):
        wanted = model(torch.cat([prompt, torch.tensor([row + 1])])[None])[0]
        came = torch.cat([first[row, padding[row] :], second[row]])
        torch.testing.assert_close(came, wanted, atol=1e-5, rtol=0)


def test_batches_that_cannot_be():
    with pytest.raises(ValueError, match="no prompts; give a list with at least one"):
        next(stream_batch(make(), [], 1))
    with pytest.raises(ValueError, match="shorter than argument 1"):
        next(stream_batch(make(), PROMPTS, 1, [seeded()]))


# ---------------------------------------------------------------- text and where it ends

LETTERS = CharacterTokenizer("abcdefgh \n")


def pieces(text, stop=(), tokenizer=LETTERS):
    return list(until(tokenizer.encode(text), tokenizer, stop))


@pytest.mark.parametrize(
    "text, stop, wanted",
    [
        ("abc", (), ["a", "b", "c"]),
        ("abcabc", "c", ["a", "b"]),
        ("abcdef", "cd", ["a", "b"]),
        ("acacd", "cd", ["a", "ca"]),
        ("abc", "cd", ["a", "b", "c"]),
        ("ccd", "cd", ["c"]),
        ("aabaabaac", "aabaac", ["aab"]),
        ("abcdef", ["f", "cde", "d"], ["a", "b", "c"]),
        ("abcd", ["abcd"], []),
        ("", "a", []),
    ],
)
def test_until_by_hand(text, stop, wanted):
    assert pieces(text, stop) == wanted


def cut_loop(text, stops):
    """Letter by letter, until the text ends with a stop sequence; of two that end together, the longer one."""
    for end in range(len(text) + 1):
        ended = [len(stop) for stop in stops if text[:end].endswith(stop)]
        if ended:
            return text[: end - max(ended)]
    return text


def test_until_against_the_whole_text():
    """However the text is cut into tokens, the same comes out."""
    whole, small = BytePairTokenizer.train("abab aabb bbab é你好 abba 你", 275), BytePairTokenizer()
    letters = "ab é你好"
    for seed in range(300):
        numbers = torch.randint(len(letters), (20,), generator=seeded(seed)).tolist()
        text = "".join(letters[i] for i in numbers)
        stops = [text[8:10], text[9:14], "bab", "never"]
        for tokenizer in (whole, small):
            assert "".join(pieces(text, stops, tokenizer)) == cut_loop(text, stops)
            assert "".join(pieces(text, "never", tokenizer)) == text


def test_half_characters_are_held_back():
    tokenizer = BytePairTokenizer()  # one token a byte: three for each of these
    assert pieces("a你好", (), tokenizer) == ["a", "你", "好"]
    assert pieces("你好", "好", tokenizer) == ["你"]
    assert list(until([97, 0xE4, 0xBD], tokenizer)) == ["a", "\ufffd"]  # the text ends in the middle of one
    assert list(until([0xE4, 97], tokenizer)) == ["\ufffda"]
    assert list(until([97, 0xFF, 98], tokenizer, "b")) == ["a", "\ufffd"]


def test_words_keep_the_spaces_between_them():
    assert pieces("to be or not", "not", WordTokenizer("to be or not")) == ["to", " be", " or", " "]


def test_nothing_is_asked_of_the_model_behind_the_stop():
    tokens = iter(LETTERS.encode("abcdef"))
    assert "".join(until(tokens, LETTERS, "bc")) == "a"
    assert LETTERS.decode(tokens) == "def"


def test_text_of_a_model_up_to_a_stop():
    model = make().train()
    text = LETTERS.decode(stream(model, PROMPT, 20))
    assert "".join(until(stream(model, PROMPT, 20), LETTERS, text[7:9])) == text[: text.find(text[7:9])]
    assert model.training


def test_an_empty_stop_sequence():
    with pytest.raises(ValueError, match="A stop sequence is empty"):
        pieces("abc", ["a", ""])


# ---------------------------------------------------------------- beam search


def log_probability(model, text, prompt):
    """Of what follows the prompt (T,) in a text: a sum over its tokens."""
    steps = model(text[None, :-1])[0].log_softmax(dim=-1)
    return sum(steps[t - 1, text[t]].item() for t in range(len(prompt), len(text)))


def all_texts(vocabulary, count, end):
    """All texts of `count` tokens, and the shorter ones with `end` as their last and only there."""
    for length in range(1, count + 1):
        for text in itertools.product(range(vocabulary), repeat=length):
            if end not in text[:-1] and (length == count or text[-1] == end):
                yield torch.tensor(text)


def last(iterator):
    return list(iterator)[-1]


def test_one_beam_is_greedy():
    model = make()
    texts = list(beam_search(model, PROMPT, 12, beams=1))
    assert last(texts).tolist() == PROMPT.tolist() + greedy_loop(model, PROMPT, 12)
    assert [len(text) for text in texts] == list(range(6, 18))


@pytest.mark.parametrize("end, length_penalty", [(None, 0.6), (2, 0.0), (2, 0.6), (2, 3.0)])
def test_beams_for_every_text_find_the_best_there_is(end, length_penalty):
    model, prompt = make(vocabulary=4, spread=10.0), PROMPT[1:2]

    def score(text):
        text, length = torch.cat([prompt, text]), len(text)
        return log_probability(model, text, prompt) / ((5 + length) / 6) ** length_penalty

    best = max(all_texts(4, 4, end), key=score)
    found = last(beam_search(model, prompt, 4, 4**4, end, length_penalty))
    assert found.tolist() == [*prompt.tolist(), *best.tolist()]


def test_a_high_length_penalty_favours_longer_texts():
    lengths = [len(last(beam_search(make(vocabulary=4, spread=10.0), PROMPT[1:2], 4, 99, 2, a))) for a in (0.0, 3.0)]
    assert lengths[0] < lengths[1]


def test_more_beams_find_a_likelier_text_than_greedy():
    model = make(context=20)
    greedy, wide = (last(beam_search(model, PROMPT, 10, beams)) for beams in (1, 20))
    assert log_probability(model, wide, PROMPT) > log_probability(model, greedy, PROMPT) + 0.1


def test_beam_search_ends_when_all_beams_have():
    model = make()
    nn.init.zeros_(model.head.weight)
    model.norm.bias.data.fill_(1.0)
    model.head.weight.data[2] = 10.0  # 2 is all it says
    assert [text.tolist() for text in beam_search(model, PROMPT[:1], 9, 1, end=2)] == [[3, 2]]


def test_no_beams():
    with pytest.raises(ValueError, match="beams is how many texts are kept, 1 or more; 0 came"):
        next(beam_search(make(), PROMPT, 3, 0))


# ---------------------------------------------------------------- how good, and how sure


def test_the_perplexity_of_guessing_evenly_is_the_vocabulary():
    model = make()
    nn.init.zeros_(model.head.weight)
    assert perplexity_of(model, torch.arange(50) % 11, 8) == pytest.approx(11)


def test_perplexity_against_a_loop():
    model, ids = make(), torch.randint(11, (25,), generator=seeded())
    logs = [-log_probability(model, ids[i : i + t + 1], ids[i : i + t]) for i in (0, 8, 16) for t in range(1, 9)]
    assert perplexity_of(model, ids, 8) == pytest.approx(math.exp(sum(logs) / 24), rel=1e-4)


def test_calibration_by_hand():
    """Two answers with confidence 0.9 of which one is right, and two with 0.6, both right."""
    probabilities = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.4, 0.6]])
    error, bins = calibration(probabilities, torch.tensor([0, 0, 0, 1]), bins=4)
    assert error == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
    assert [count for count, _, _ in bins] == [2, 2]
    assert [value for row in bins for value in row[1:]] == pytest.approx([0.6, 1.0, 0.9, 0.5])


def test_calibration_of_one_who_knows_how_sure_to_be():
    confidence = 0.5 + 0.5 * torch.rand(20_000, generator=seeded())
    labels = torch.rand(20_000, generator=seeded(1)) > confidence
    error, bins = calibration(torch.stack([confidence, 1 - confidence], dim=1), labels.long())
    assert error < 0.02 and sum(count for count, _, _ in bins) == 20_000 and len(bins) == 5


def test_bins_have_their_upper_edge():
    error, bins = calibration(torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([0, 1]), bins=2)
    assert bins == [(1, 0.5, 0.0), (1, 1.0, 1.0)] and error == 0.25


@pytest.mark.parametrize("answers, labels", [(2, 3), (0, 0)])
def test_answers_and_labels_that_do_not_fit(answers, labels):
    with pytest.raises(ValueError, match=f"{answers} answers and {labels} labels came"):
        calibration(torch.full((answers, 2), 0.5), torch.zeros(labels))


# ---------------------------------------------------------------- several tokens a pass


def test_speculative_tokens_are_drawn_as_from_the_model():
    """The first new token has the model's probabilities, though a draft of other probabilities proposed it."""
    wanted, draft = FIVE.softmax(0), torch.tensor([0.1, 0.5, 0.2, 0.1, 0.1])
    generator, seen = seeded(), torch.zeros(5)
    for _ in range(4000):
        step = speculative_step(lambda x: FIVE.expand(*x.shape, 5), lambda tokens: draft, PROMPT, 2, generator)
        assert torch.equal(step[:5], PROMPT) and 6 <= len(step) <= 8
        seen[step[5]] += 1
    assert (seen / 4000 - wanted).abs().max() < 0.025  # three standard deviations


def test_a_draft_as_good_as_the_model_is_always_accepted():
    model = make(context=16)
    step = speculative_step(model, lambda tokens: model(tokens[None])[0, -1].softmax(0), PROMPT, 4, seeded())
    assert len(step) == len(PROMPT) + 5


def test_a_draft_that_proposes_the_impossible_is_refused():
    only_first, only_last = torch.eye(5)[0], torch.eye(5)[4]
    step = speculative_step(
        lambda x: only_last.log().expand(*x.shape, 5), lambda tokens: only_first, PROMPT, 3, seeded()
    )
    assert step.tolist() == [*PROMPT.tolist(), 4]


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 4.0])
def test_temperature_scaling_finds_the_factor_that_spoiled_the_logits(factor):
    logits = some_logits(20_000, 5)
    labels = torch.multinomial(logits.softmax(dim=-1), 1, generator=seeded(1))[:, 0]
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.04)
