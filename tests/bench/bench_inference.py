"""Generation: with the cache and without, one prompt and many, and beside transformers' generate if it is installed.

Everything is greedy, and all take turns, since a machine is never equally busy twice; times are medians of the turns,
a ratio is the median of the turns' ratios. Nobody is timed before both have written the same tokens.
transformers is none of the course's requirements: `pip install transformers` into the course's environment adds it.
"""

import importlib.util
import statistics
from functools import partial

import torch

from bmcourse.inference import KeyValueCache, as_functions, last_logits, stream, stream_batch
from bmcourse.models.gpt import GPT, GPTConfig
from tests.bench import turns

SECONDS, TURNS = 5, 5  # a comparison takes turns for so long, and at least so often
SMALL = GPTConfig(vocabulary_size=1024, context=512, layers=4, heads=4, channels=128)
GPT2 = GPTConfig(vocabulary_size=50257, context=1024, layers=12, heads=12, channels=768)
LENGTHS, BATCHES = (32, 64, 128, 256, 512), (1, 2, 4, 8, 16, 32)
TARGETS = {"4 layers, 128 channels": (SMALL, 128, 3.0), "12 layers, 768 channels": (GPT2, 32, 1.1)}


def main():
    print(turns.machine())
    model = make(SMALL)
    print("\n4 layers, 128 channels: one more token behind a text, in ms")
    print("text   with cache   without   ratio", flush=True)
    for length in LENGTHS:
        print(row_of_length(model, length), flush=True)
    print("\nthe same, 64 tokens behind a prompt of 16\nprompts   ms a step   tokens a second", flush=True)
    for batch_size in BATCHES:
        print(row_of_batch(model, batch_size), flush=True)
    if importlib.util.find_spec("transformers") is None:
        print("\ntransformers is not installed: no comparison with its generate.")
        return
    print("\nbeside transformers' generate, 64 tokens of prompt, ms          theirs     ours   ratio   middle half")
    for name, (config, count, target) in TARGETS.items():
        for row in rows_beside_transformers(make(config), count):
            print(f"  {name}, {row}", flush=True)
        print(f"  {'':<25}wanted per token: {target:.1f}", flush=True)


def make(config):
    torch.manual_seed(0)
    return GPT(config).eval().to(turns.DEVICE)


def some_tokens(config, *shape):
    return torch.randint(config.vocabulary_size, shape, generator=torch.Generator().manual_seed(0)).to(turns.DEVICE)


@torch.no_grad()
def row_of_length(model, length):
    """The token behind `length` - 1 others, whose keys and values are in the cache, or are computed again."""
    tokens, cache = some_tokens(model.config, 1, length), KeyValueCache.for_model(model)
    parts = as_functions(model)  # as in `stream`
    last_logits(parts, tokens[:, :-1], cache)

    def with_cache():
        cache.length = length - 1
        return last_logits(parts, tokens[:, -1:], cache)[0].argmax()

    contestants = [with_cache, lambda: model(tokens)[0, -1].argmax()]
    assert len({int(contestant()) for contestant in contestants}) == 1
    times = take_turns(*(partial(turns.seconds, contestant) for contestant in contestants))
    ours, theirs = (1000 * middle(column) for column in times)
    return f"{length:>4}   {ours:>10.2f}   {theirs:>7.2f}   {ratio(*times)[1]:>5.1f}"


def row_of_batch(model, batch_size):
    prompts = list(some_tokens(model.config, batch_size, 16))
    steps = middle(take_turns(partial(turns.seconds, lambda: list(stream_batch(model, prompts, 64))))[0]) / 64
    return f"{batch_size:>7}   {1000 * steps:>9.2f}   {batch_size / steps:>15,.0f}"


def rows_beside_transformers(model, count):
    """Time to the first token, and for each one after it."""
    theirs, prompt = as_gpt2(model), some_tokens(model.config, 64)
    settings = {"do_sample": False, "pad_token_id": 0, "attention_mask": torch.ones_like(prompt)[None]}

    def written(count):
        return theirs.generate(prompt[None], max_new_tokens=count, min_new_tokens=count, **settings)[0, 64:].tolist()

    def streamed(count):
        return list(stream(model, prompt, count))

    assert streamed(count) == written(count)
    first, whole = (
        take_turns(*(partial(turns.seconds, partial(write, n)) for write in (written, streamed))) for n in (1, count)
    )
    starts = [middle(times) for times in first]
    rest = [[(time - start) / (count - 1) for time in times] for times, start in zip(whole, starts, strict=True)]
    yield row("first token", *first)
    yield row(f"each of {count - 1} more", *rest)


def as_gpt2(model):
    """The same weights in transformers' GPT-2, whose linear layers keep them the other way round."""
    import transformers

    config, own = model.config, model.state_dict()
    shape = {"vocab_size": config.vocabulary_size, "n_positions": config.context, "n_embd": config.channels}
    shape |= {"n_layer": config.layers, "n_head": config.heads, "activation_function": "gelu"}
    other = {"tie_word_embeddings": False, "bos_token_id": None, "eos_token_id": None}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**shape, **other))
    names = {"wte": "token_embedding", "wpe": "position_embedding", "ln_f": "norm"}
    for i in range(config.layers):
        parts = {"ln_1": "attention_norm", "attn.c_attn": "attention.query_key_value", "ln_2": "mlp_norm"}
        parts |= {"attn.c_proj": "attention.output", "mlp.c_fc": "mlp.0", "mlp.c_proj": "mlp.2"}
        names |= {f"h.{i}.{name}": f"blocks.{i}.{part}" for name, part in parts.items()}
    state = {"lm_head.weight": own["head.weight"]}
    for name, part in names.items():
        for kind in ("weight", "bias"):
            if f"{part}.{kind}" in own:
                tensor = own[f"{part}.{kind}"]
                state[f"transformer.{name}.{kind}"] = tensor.T if tensor.ndim == 2 and ".c_" in name else tensor
    theirs.load_state_dict(state)
    return theirs.eval().to(turns.DEVICE)


def take_turns(*contestants):
    """The seconds of all turns, for each contestant."""
    for contestant in contestants:
        contestant()  # the first time is never like the others
    return list(turns.take_turns(dict(enumerate(contestants)), SECONDS, TURNS).values())


def middle(times):
    return statistics.median(times)


def ratio(ours, theirs):
    """Quartiles of how many times as long they take."""
    return statistics.quantiles(b / a for a, b in zip(ours, theirs, strict=True))


def row(name, theirs, ours):
    low, median, high = ratio(ours, theirs)
    times = "".join(f"{1000 * middle(times):>9.2f}" for times in (theirs, ours))
    return f"{name:<34}{times}   {median:>5.2f}   {low:.2f} to {high:.2f}"
