"""A trained model answers: choosing the next token, streaming text, the key-value cache, and how sure the model is.

Sizes: B texts, T tokens, V tokens in the vocabulary, C channels, H heads, D channels in each head.
"""

import contextlib
import math
from functools import partial
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models.attention import CausalSelfAttention
from bmcourse.models.gpt import GPT
from bmcourse.models.transformer import Block
from bmcourse.training import evaluate

# ---------------------------------------------------------------- from scores to the scores one draws from


def with_temperature(logits, temperature):
    """Logits (..., V) divided by the temperature: below 1 likely tokens get likelier, above 1 all get more alike.

    0 is the limit: only the likeliest token stays. Raises ValueError for a negative temperature.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(
            f"temperature must be 0 or above; {temperature} came. 0 always takes the likeliest token, 1 draws from "
            f"the model's own probabilities."
        )
    if temperature == 0:
        likeliest = logits.argmax(dim=-1, keepdim=True)
        return torch.full_like(logits, -math.inf).scatter(-1, likeliest, 0.0)
    return logits / temperature


def with_top_k(logits, k):
    """Logits (..., V) with -inf for all but the k largest; what equals the k-th largest stays too.

    Raises ValueError for k below 1. Source: Fan et al., "Hierarchical Neural Story Generation", 2018.
    """
    if k < 1:
        raise ValueError(f"top_k is how many tokens stay, 1 or more; {k} came. Use 1 for always the likeliest.")
    smallest = logits.topk(min(k, logits.shape[-1])).values[..., -1:]
    return logits.masked_fill(logits < smallest, -math.inf)


def with_top_p(logits, p):
    """Logits (..., V) with -inf for the tail: the unlikeliest tokens, which have at most 1 - p together.

    What stays is the smallest set of likely tokens that has p or more, and always the likeliest.
    Raises ValueError unless 0 < p <= 1.
    Source: Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section 3.1 (nucleus sampling).
    """
    check_share("top_p", p)
    probabilities, order = logits.softmax(dim=-1).sort(dim=-1)  # the unlikeliest first
    tail = probabilities.cumsum(dim=-1) <= 1 - p
    tail[..., -1] = False
    return logits.masked_fill(tail.scatter(-1, order, tail), -math.inf)


def with_min_p(logits, p):
    """Logits (..., V) with -inf for tokens that are less than p times as likely as the likeliest one.

    Raises ValueError unless 0 < p <= 1.
    Source: Nguyen et al., "Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs", 2024.
    """
    check_share("min_p", p)
    probabilities = logits.softmax(dim=-1)
    likeliest = probabilities.amax(dim=-1, keepdim=True)
    return logits.masked_fill(probabilities < p * likeliest, -math.inf)


def with_repetition_penalty(logits, tokens, penalty):
    """Logits (..., V) with lower scores for the tokens (..., T) that came before: above 1 they come less often.

    A positive score is divided by the penalty. A negative one is multiplied: dividing would raise it.
    Raises ValueError unless penalty > 0.
    Source: Keskar et al., "CTRL: A Conditional Transformer Language Model for Controllable Generation", 2019,
    section 4.1, which divides all; as in the library transformers, negative scores are multiplied.
    """
    if not 0 < penalty < math.inf:
        raise ValueError(f"repetition_penalty must be above 0; {penalty} came. 1 changes nothing, 1.2 is common.")
    scores = logits.gather(-1, tokens)
    return logits.scatter(-1, tokens, torch.where(scores < 0, scores * penalty, scores / penalty))


def check_share(name, p):
    if not 0 < p <= 1:
        raise ValueError(f"{name} is a share of the probability, above 0 and at most 1; {p} came. 1 is the largest.")


def process_logits(logits, tokens, temperature=1.0, top_k=None, top_p=None, min_p=None, repetition_penalty=1.0):
    """Logits (..., V) of what follows `tokens` (..., T), changed by all that is set, in the order of transformers."""
    if repetition_penalty != 1:
        logits = with_repetition_penalty(logits, tokens, repetition_penalty)
    if temperature != 1:
        logits = with_temperature(logits, temperature)
    if top_k is not None:
        logits = with_top_k(logits, top_k)
    if top_p is not None:
        logits = with_top_p(logits, top_p)
    if min_p is not None:
        logits = with_min_p(logits, min_p)
    return logits


def sample(logits, generator=None):
    """One token for logits (..., V), as (..., 1): drawn by `generator`, or the likeliest if there is none (greedy)."""
    if generator is None:
        return logits.argmax(dim=-1, keepdim=True)
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)


# ---------------------------------------------------------------- the key-value cache


def cache_bytes(config, batch_size=1, bytes_per_value=4):
    """Bytes of a full cache: a key and a value of C numbers for every layer and every token of the context."""
    return 2 * config.layers * batch_size * config.context * config.channels * bytes_per_value


class KeyValueCache:
    """Room for the keys and values of `batch_size` texts as long as the context, reserved once.

    `memory` is (layers, 2, B, H, context, D). `length` counts the tokens that have been read; what stands behind them
    means nothing.
    Source: Pope et al., "Efficiently Scaling Transformer Inference", 2022.
    """

    def __init__(self, config, batch_size=1, dtype=torch.float32, device=None):
        shape = config.layers, 2, batch_size, config.heads, config.context, config.channels // config.heads
        self.memory = torch.empty(shape, dtype=dtype, device=device)
        self.length = 0

    @classmethod
    def for_model(cls, model, batch_size=1):
        """A cache of the kind of numbers that `model` computes with, on its device."""
        weight = model.token_embedding.weight
        return cls(model.config, batch_size, weight.dtype, weight.device)

    @property
    def nbytes(self):
        return self.memory.nbytes

    def append(self, layer, new):
        """Keep keys and values `new` (2, B, H, T, D) of new tokens; returns those of all so far, (2, B, H, S, D)."""
        end = self.length + new.shape[3]
        self.memory[layer, :, :, :, self.length : end] = new
        return self.memory[layer, :, :, :, :end]


@torch.no_grad()
def cached_logits(model, tokens, cache, padding=None):
    """Logits (B, T, V) of new `tokens` (B, T), which follow those in the cache; these are not read again.

    `padding` (B,) counts the tokens at the left end of each text that are none: nobody attends to them.
    Dropout is always off. Raises ValueError when the cache is too full, or made for another number of texts.
    """
    return model.head(model.norm(read(model, tokens, cache, padding)))


def read(model, tokens, cache, padding=None):
    """What the blocks make of new `tokens` (B, T): (B, T, C), with their keys and values added to the cache."""
    check_room(tokens, cache)
    positions, mask = positions_and_mask(cache.length, tokens, padding)
    x = model.token_embedding(tokens) + model.position_embedding(positions)  # (B, T, C)
    for layer, block in enumerate(model.blocks):
        x = x + cached_attention(block.attention, block.attention_norm(x), cache, layer, mask)
        x = x + block.mlp(block.mlp_norm(x))
    cache.length += tokens.shape[1]
    return x


def cached_attention(attention, x, cache, layer, mask=None):
    """What `attention(x)` gives for new tokens x (B, T, C), with keys and values of the older ones from the cache."""
    B, T, C = x.shape
    H, D = attention.heads, C // attention.heads
    new = attention.query_key_value(x).view(B, T, 3, H, D).permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
    keys, values = cache.append(layer, new[1:])  # each (B, H, S, D)
    mixed = F.scaled_dot_product_attention(new[0], keys, values, attn_mask=mask)
    return attention.output(mixed.transpose(1, 2).reshape(B, T, C))


def positions_and_mask(start, tokens, padding=None):
    """Positions (B or 1, T) of new `tokens` (B, T) behind `start` older ones, and the mask (B or 1, 1, T, S).

    The mask is True where a token may attend, and None where all may attend to all. A text's positions count from its
    first token that is no padding. A token of padding attends to itself: a softmax over nothing would be NaN.
    """
    T = tokens.shape[1]
    slots = torch.arange(start + T, device=tokens.device)  # S of them
    own = slots[None, start:]
    if padding is None:
        return own, (slots <= own[..., None])[:, None] if T > 1 else None
    first = torch.minimum(padding[:, None], own)
    mask = (first[..., None] <= slots) & (slots <= own[..., None])
    return own - first, mask[:, None]


def check_room(tokens, cache):
    B, T = tokens.shape
    batch_size, context = cache.memory.shape[2], cache.memory.shape[4]
    if batch_size != B:
        raise ValueError(f"{B} texts came, and the cache is for {batch_size}. Make it with batch_size={B}.")
    if cache.length + T > context:
        raise ValueError(
            f"The cache has room for {context} tokens (config.context); it holds {cache.length}, and {T} more came. "
            f"Begin a new cache with the last tokens of the text: they get new positions, so the old one is of no use."
        )


def as_functions(module):
    """A GPT, or a part of it, with plain functions in place of torch's layers, which have the same weights.

    To call a small nn.Module takes longer than what it computes: with these, `read` takes about two thirds of the time.
    A layer of another kind stays as it is.
    """
    kind = type(module)
    if kind is nn.Linear:
        return partial(F.linear, weight=module.weight, bias=module.bias)
    if kind is nn.Embedding:
        return partial(F.embedding, weight=module.weight)
    if kind is nn.LayerNorm:
        shape, eps = module.normalized_shape, module.eps
        return partial(F.layer_norm, normalized_shape=shape, weight=module.weight, bias=module.bias, eps=eps)
    if kind is nn.Sequential:
        return Chain(map(as_functions, module))
    if isinstance(module, GPT | Block | CausalSelfAttention):  # what `read` looks into
        return SimpleNamespace(**vars(module) | {name: as_functions(part) for name, part in module.named_children()})
    return module


class Chain(list):
    """Functions, each of which takes what the one before it gave: nn.Sequential among functions."""

    def __call__(self, x):
        for function in self:
            x = function(x)
        return x


# ---------------------------------------------------------------- text, token by token


@torch.inference_mode()
def stream(model, tokens, count, generator=None, cache=True, **settings):
    """`count` tokens that follow the given ones (T,), one after the other, as ints; `settings` are process_logits'.

    Without a generator it is greedy. The model reads the last `config.context` tokens, in eval mode. Once there are
    more, each token moves by one position at every step: with learned positions all keys and values change, so the
    cache is of no use any more, and the window is read anew for every token.
    Raises ValueError for an empty prompt, and as process_logits does.
    """
    tokens, context = check_prompt(model, tokens), model.config.context
    parts, cache = as_functions(model), KeyValueCache.for_model(model) if cache else None
    with evaluating(model):
        for _ in range(count):
            if cache and len(tokens) <= context:
                logits = last_logits(parts, tokens[None, cache.length :], cache)[0]
            else:
                logits = model(tokens[None, -context:])[0, -1]
            token = sample(process_logits(logits, tokens, **settings), generator)
            yield token.item()
            tokens = torch.cat([tokens, token])


def last_logits(model, tokens, cache, padding=None):
    """Logits (B, V) of what follows the last of the new `tokens` (B, T): nobody asks about the others."""
    return model.head(model.norm(read(model, tokens, cache, padding)[:, -1]))


def generate(model, tokens, count, generator, temperature=1.0):
    """`count` tokens after the given ones: tokens (T,) in, (T + count,) out, each drawn from the model's probabilities.

    It reads the whole text for every token: see `stream`, which it is a list of, for more to set and a cache.
    """
    new = list(stream(model, tokens, count, generator, cache=False, temperature=temperature))
    return torch.cat([tokens, tokens.new_tensor(new)])


@torch.inference_mode()
def stream_batch(model, prompts, count, generators=None, **settings):
    """What `stream` gives for each of the prompts, side by side: a list of B ints a step.

    `generators` has one for each prompt, so that each gets what it gets alone; `settings` are process_logits'.
    Raises ValueError for no prompts, and as `stream` does.
    """
    texts, padding = pad_left([check_prompt(model, tokens) for tokens in prompts])
    cache, parts, context = KeyValueCache.for_model(model, len(texts)), as_functions(model), model.config.context
    for _ in range(count):
        outside = max(0, texts.shape[1] - context)
        if outside:  # every position changes, so the window is read anew
            cache.length = 0
        new = texts[:, outside + cache.length :]
        logits = last_logits(parts, new, cache, (padding - outside).clamp(min=0))
        logits = process_logits(logits, texts, **settings)
        drawn = [sample(*pair) for pair in zip(logits, generators or [None] * len(texts), strict=True)]
        yield torch.cat(drawn).tolist()
        texts = torch.cat([texts, torch.stack(drawn)], dim=1)


def pad_left(prompts):
    """Prompts, each (T,), as one tensor (B, longest T), and how many tokens of padding each row begins with, (B,).

    A row is padded with its own first token: a repetition penalty then finds nothing new in it.
    """
    if len(prompts) == 0:
        raise ValueError("There are no prompts; give a list with at least one.")
    longest = max(len(tokens) for tokens in prompts)
    rows = [torch.cat([tokens[:1].expand(longest - len(tokens)), tokens]) for tokens in prompts]
    return torch.stack(rows), torch.tensor([longest - len(tokens) for tokens in prompts], device=rows[0].device)


def until(tokens, tokenizer, stop=()):
    """The text of a stream of tokens, in pieces as soon as they are sure, up to the first `stop` that is complete.

    Held back is what may still change: bytes of half a character, and the beginning of a stop sequence, which may lie
    across several tokens. `stop` is a text or a list of texts. Raises ValueError for an empty one.
    """
    stops = [stop] if isinstance(stop, str) else list(stop)
    if "" in stops:
        raise ValueError("A stop sequence is empty, which would stop before the first token. Leave it out.")
    ids, shown = [], 0
    for token in tokens:
        ids.append(token)
        text = tokenizer.decode(ids).rstrip("\ufffd")  # what half a character is decoded to
        found = [(place + len(s), place) for s in stops if (place := text.find(s, shown)) >= 0]
        sure = min(found)[1] if found else len(text) - begun(text, stops)
        if sure > shown:
            yield text[shown:sure]
            shown = sure
        if found:
            return
    if rest := tokenizer.decode(ids)[shown:]:
        yield rest


def begun(text, stops):
    """How many characters at the end of the text may be the beginning of a stop sequence."""
    return max((n for s in stops for n in range(1, len(s)) if text.endswith(s[:n])), default=0)


@contextlib.contextmanager
def evaluating(model):
    """The model in eval mode inside a `with`, and afterwards in the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def check_prompt(model, tokens):
    """Tokens (T,) as a tensor on the model's device. Raises ValueError for what the model cannot go on from."""
    tokens = torch.as_tensor(tokens, device=model.token_embedding.weight.device)
    V = model.config.vocabulary_size
    if tokens.numel() == 0:
        raise ValueError("The prompt is empty; the model needs at least one token to go on from.")
    if tokens.ndim != 1 or tokens.is_floating_point():
        raise ValueError(
            f"A prompt is a list or a tensor (T,) of whole numbers; {tuple(tokens.shape)} of {tokens.dtype} came. "
            f"For several prompts there is stream_batch."
        )
    if not 0 <= tokens.min() <= tokens.max() < V:
        raise ValueError(
            f"The prompt has tokens from {tokens.min()} to {tokens.max()}; the model knows 0 to {V - 1}. "
            f"Encode it with the tokenizer that the model was trained with."
        )
    return tokens


# ---------------------------------------------------------------- beam search


@torch.no_grad()
def beam_search(model, tokens, count, beams, end=None, length_penalty=0.6):
    """The best text (T + t,) so far after each of `count` steps, of the `beams` texts that are kept at every step.

    Best is the largest log-probability, divided by length_normaliser: each token makes a text less likely, and short
    ones would win. A text is finished at the token `end`. Raises ValueError for fewer than one beam.
    Source: Graves, "Sequence Transduction with Recurrent Neural Networks", 2012, section 2.5.
    """
    if beams < 1:
        raise ValueError(f"beams is how many texts are kept, 1 or more; {beams} came. 1 is greedy search.")
    texts = check_prompt(model, tokens)[None]  # (n, T), the best first
    scores, lengths, finished = (texts.new_zeros(1, dtype=d) for d in (torch.float32, torch.int64, torch.bool))
    T, context = texts.shape[1], model.config.context
    with evaluating(model):
        for _ in range(count):
            steps = model(texts[:, -context:])[:, -1].float().log_softmax(dim=-1)  # (n, V)
            totals = scores[:, None] + stay_at_end(steps, finished, end)
            lengths = lengths + ~finished
            row, token = best_places(totals / length_normaliser(lengths, length_penalty)[:, None], beams)
            texts = torch.cat([texts[row], token[:, None]], dim=1)
            scores, lengths, finished = totals[row, token], lengths[row], finished[row]
            if end is not None:
                finished = finished | (token == end)
            yield texts[0, : T + lengths[0]]
            if finished.all():
                return


def stay_at_end(steps, finished, end):
    """Log-probabilities (n, V) in which a finished text can only be followed by `end` again, which costs nothing."""
    steps[finished] = -math.inf
    if end is not None:
        steps[finished, end] = 0.0
    return steps


def best_places(ranking, beams):
    """Rows and columns of the `beams` largest numbers in a table (n, V), the largest first."""
    best = ranking.flatten().topk(min(beams, ranking.numel())).indices
    return best // ranking.shape[1], best % ranking.shape[1]


def length_normaliser(lengths, length_penalty):
    """What log-probabilities of texts of different lengths are divided by: 1 for one token, more for longer texts.

    `length_penalty` is alpha: 0 divides by 1 always. Source: Wu et al., "Google's Neural Machine Translation System",
    2016, section 7, equation 14.
    """
    return ((5 + lengths) / 6) ** length_penalty


# ---------------------------------------------------------------- several tokens a pass


@torch.inference_mode()
def speculative_step(model, draft, tokens, ahead, generator):
    """`tokens` (T,) with 1 to `ahead` + 1 new ones behind them, drawn as from the model, which reads only once.

    `draft(tokens)` gives the probabilities (V,) of a cheaper model for the next token. It proposes `ahead` tokens. The
    model accepts each with the probability min(1, p / q), and draws the first one it refuses again, from what the
    draft gave too little. `model` is in eval mode, and its context has room for the text and the proposals.
    Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", 2023, algorithm 1.
    """
    T, proposed, drafts = len(tokens), tokens, []
    for _ in range(ahead):
        drafts.append(draft(proposed))
        proposed = torch.cat([proposed, torch.multinomial(drafts[-1], 1, generator=generator)])
    probabilities = model(proposed[None])[0, T - 1 :].softmax(dim=-1)  # (ahead + 1, V)
    for place, (p, q) in enumerate(zip(probabilities, drafts, strict=False), T):
        token = proposed[place]
        if torch.rand((), generator=generator) >= p[token] / q[token]:
            again = torch.multinomial((p - q).clamp(min=0), 1, generator=generator)
            return torch.cat([proposed[:place], again])
    return torch.cat([proposed, torch.multinomial(probabilities[-1], 1, generator=generator)])


# ---------------------------------------------------------------- how good, and how sure


def perplexity_of(model, ids, context):
    """exp of the mean cross-entropy of `model` on all of `ids` (T,): V for a model that guesses evenly, 1 at best.

    The model is as unsure as one that has to choose evenly among so many tokens.
    """
    return math.exp(evaluate(model, ids, context))


def calibration(probabilities, labels, bins=10):
    """Whether answers given with 80 % confidence are right in 80 % of cases: probabilities (N, V), labels (N,).

    Returns the expected calibration error, and (count, mean confidence, accuracy) for every bin that is not empty.
    The bins are of equal width. Raises ValueError when there are no answers, or another number of labels.
    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, section 2.
    """
    if len(probabilities) != len(labels) or len(labels) == 0:
        raise ValueError(f"{len(probabilities)} answers and {len(labels)} labels came; give one label for each answer.")
    confidence, answers = probabilities.max(dim=-1)
    right = (answers == labels).float()
    number = (confidence * bins).ceil() - 1  # of the bin: each has its upper edge
    groups = [number == i for i in range(bins)]
    table = [(int(g.sum()), confidence[g].mean().item(), right[g].mean().item()) for g in groups if g.any()]
    error = sum(count * abs(accuracy - mean) for count, mean, accuracy in table) / len(labels)
    return error, table


def fit_temperature(logits, labels):
    """The temperature at which logits (N, V) give `labels` (N,) the smallest cross-entropy: from 0.25 to 8, to 1 %.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2 (temperature scaling).
    """
    temperatures = torch.logspace(-2, 3, 501, base=2).tolist()
    return min(temperatures, key=lambda t: F.cross_entropy(logits / t, labels).item())
