"""Byte-pair encoding beside `tokenizers` and tiktoken (both Rust) and the naive version: training, and cold encoding.

Nobody is timed before all have learned the same merges and given the same tokens. Then they take turns, since a machine
is never equally busy twice; the figures are medians. The naive version does a part of the work, which the table names.
"""

import json
import os
import statistics
import time
from functools import partial

import tiktoken
import tokenizers

from bmcourse import data, tokenizer
from bmcourse.tokenizer import BytePairTokenizer

TURNS, MERGES, NAIVE_MERGES, NAIVE_CHARACTERS = 9, 1024, 3, 2_000
TARGETS = "training 1.5 times the time of tokenizers or less, cold encoding 2 MB/s or more"


def main():
    text = data.python_docs()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, medians of {TURNS} turns. Wanted: {TARGETS}.")
    print_training(text.train)
    merges = BytePairTokenizer.train(text.train, 256 + MERGES).merges
    print_encoding("the text it was trained on", text.train, merges)
    print_encoding("a text it has never seen", text.validation, merges)


def print_training(text):
    check_merges(text)
    naive = f"naive, {NAIVE_MERGES} merges only"
    trainers = {
        "ours": lambda text: BytePairTokenizer.train(text, 256 + MERGES),
        "tokenizers": train_rust,
        "tokenizers, one thread": train_rust_in_one_thread,
        naive: lambda text: tokenizer.train_bpe_naive(text, NAIVE_MERGES),
    }
    seconds = in_turns({name: lambda train=train: train for name, train in trainers.items()}, text)
    title = f"Training {MERGES} merges on {len(text.encode()):,} bytes"
    print(f"\n{title:<45} seconds   processor   ms a merge   of tokenizers")
    rust = seconds["tokenizers"][0] / MERGES
    for name, (wall, processor) in seconds.items():
        each = wall / (NAIVE_MERGES if name == naive else MERGES)
        print(f"  {name:<43} {wall:>7.3f}   {processor:>9.3f}   {1000 * each:>10.3f}   {each / rust:>13.2f}")


def print_encoding(title, text, merges):
    """Every turn begins with tokenizers that have encoded nothing yet."""
    check_tokens(text, merges)
    naive = f"naive, {NAIVE_CHARACTERS:,} characters only"
    encoders = {name: partial(fresh, merges) for name, fresh in ENCODERS.items()}
    encoders[naive] = lambda: lambda text: tokenizer.encode_bpe_naive(text[:NAIVE_CHARACTERS], merges)
    print(f"\nCold encoding of {title:<27}   seconds   processor         MB/s   of processor")
    for name, (wall, processor) in in_turns(encoders, text).items():
        size = len((text[:NAIVE_CHARACTERS] if name == naive else text).encode()) / 1e6
        print(f"  {name:<43} {wall:>7.3f}   {processor:>9.3f}   {size / wall:>10.3f}   {size / processor:>12.2f}")


def in_turns(contestants, text):
    """{name: median seconds on the clock and of processor time} for functions of the text, made anew for each turn."""
    seconds = {name: [] for name in contestants}
    for _ in range(TURNS):
        for name, get_ready in contestants.items():
            work = get_ready()
            wall, processor = time.perf_counter(), time.process_time()
            work(text)
            seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {name: [statistics.median(column) for column in zip(*turns, strict=True)] for name, turns in seconds.items()}


def train_rust(text):
    """Train `tokenizers` on our words and bytes; the order of the bytes decides between equally frequent pairs."""
    rust = tokenizers.Tokenizer(tokenizers.models.BPE())
    cut = tokenizers.pre_tokenizers.Split(tokenizers.Regex(tokenizer.PATTERN), "isolated")
    as_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    rust.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([cut, as_bytes])
    in_order = [tokenizer._name(bytes([byte])) for byte in range(256)]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=256 + MERGES, special_tokens=in_order, show_progress=False)
    rust.train_from_iterator([text], trainer)
    return rust


def train_rust_in_one_thread(text):
    before = os.environ.get("TOKENIZERS_PARALLELISM", "true")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    train_rust(text)
    os.environ["TOKENIZERS_PARALLELISM"] = before


def fresh_rust(merges):
    return tokenizers.Tokenizer.from_str(json.dumps(BytePairTokenizer(merges)._as_json())).encode


def fresh_tiktoken(merges):
    ranks = {token: i for i, token in enumerate(BytePairTokenizer(merges).tokens)}
    encoding = tiktoken.Encoding("ours", pat_str=tokenizer.PATTERN, mergeable_ranks=ranks, special_tokens={})
    return encoding.encode_ordinary


ENCODERS = {
    "ours": lambda merges: BytePairTokenizer(merges).encode,
    "tokenizers": fresh_rust,
    "tiktoken": fresh_tiktoken,
}


def check_merges(text):
    model = json.loads(train_rust(text).to_str())["model"]
    theirs = [(model["vocab"][first], model["vocab"][second]) for first, second in model["merges"]]
    ours = BytePairTokenizer.train(text, 256 + MERGES).merges
    if ours != theirs or ours[:NAIVE_MERGES] != tokenizer.train_bpe_naive(text, NAIVE_MERGES):
        raise RuntimeError("The merges differ, so the times cannot be compared.")


def check_tokens(text, merges):
    ours, rust, openai = (fresh(merges)(text) for fresh in ENCODERS.values())
    begin = text[:NAIVE_CHARACTERS]
    if not ours == rust.ids == openai or ENCODERS["ours"](merges)(begin) != tokenizer.encode_bpe_naive(begin, merges):
        raise RuntimeError("The tokens differ, so the times cannot be compared.")
