"""Attention and the encoder layer beside torch.nn's, of the same weights: forward and backward, in training mode.

Nobody is timed before both have given the same output. Then they take turns, since a machine is never equally busy
twice; the ratio is the median of the turns' ratios. With need_weights both take a path that keeps the weights to show.
"""

import statistics
from functools import partial

import torch
from torch import nn

from bmcourse.models.attention import MultiHeadAttention, causal_mask
from bmcourse.models.transformer import TransformerEncoderLayer
from tests.bench import turns

SECONDS, TURNS = 5, 7  # a comparison takes turns for so long, and at least so often
SHAPES = {
    "16 texts of 64 tokens, 128 channels, 4 heads": (16, 64, 128, 4),
    "4 texts of 256 tokens, 256 channels, 8 heads": (4, 256, 256, 8),
}
TARGETS = "attention 1.1 times torch's time or less, the encoder layer 1.15 times"


def main():
    print(f"{turns.machine()} Wanted: {TARGETS}.")
    for shape, (B, T, C, H) in SHAPES.items():
        print(f"\n{shape:<46}  torch ms   ours ms   ratio   middle half of turns   turns", flush=True)
        x = torch.randn(B, T, C, generator=torch.Generator().manual_seed(0)).to(turns.DEVICE).requires_grad_()
        for name, ours, theirs, run in [*attention_cases(x, H), *layer_cases(x, H)]:
            theirs.load_state_dict(ours.state_dict())
            check(run, ours, theirs)
            print(row(name, take_turns(run, ours, theirs)), flush=True)


def masks(x):
    """{name: (attn_mask, key_padding_mask)}; the padding is the second half of every other text."""
    B, T, _ = x.shape
    padding = torch.zeros(B, T, dtype=torch.bool, device=x.device)
    padding[::2, T // 2 :] = True
    return {"no mask": (None, None), "causal": (causal_mask(T, x.device), None), "padding": (None, padding)}


def attention_cases(x, nhead):
    """Name, our module, torch's, and a function that runs one of them."""
    ours = MultiHeadAttention(x.shape[-1], nhead).to(turns.DEVICE)
    theirs = nn.MultiheadAttention(x.shape[-1], nhead, batch_first=True).to(turns.DEVICE)
    for name, (attn_mask, padding) in masks(x).items():
        given = {"attn_mask": attn_mask, "key_padding_mask": padding, "need_weights": False}
        yield f"attention, {name}", ours, theirs, lambda mha, given=given: mha(x, x, x, **given)[0]
    yield "attention, need_weights", ours, theirs, lambda mha: mha(x, x, x, need_weights=True)[0]


def layer_cases(x, nhead):
    """The same for the encoder layer, with the usual dropout and without."""
    C = x.shape[-1]
    for dropout in (0.0, 0.1):
        ours = TransformerEncoderLayer(C, nhead, 4 * C, dropout).to(turns.DEVICE)
        theirs = nn.TransformerEncoderLayer(C, nhead, 4 * C, dropout, batch_first=True).to(turns.DEVICE)
        for name, given in masks(x).items():
            yield f"encoder layer, {name}, dropout {dropout}", ours, theirs, lambda layer, given=given: layer(x, *given)


def check(run, *modules):
    outputs = [run(module.eval()) for module in modules]  # nothing is dropped
    torch.testing.assert_close(*outputs, atol=1e-4, rtol=1e-4)


def take_turns(run, *modules):
    """One pair of seconds a turn, for our module and for torch's."""
    passes = {module: partial(pass_seconds, run, module.train()) for module in modules}
    for measure in passes.values():
        measure()  # the first time is never like the others
    return list(zip(*turns.take_turns(passes, SECONDS, TURNS).values(), strict=True))


def pass_seconds(run, module):
    """Seconds of one forward and one backward pass."""
    module.zero_grad()
    return turns.seconds(lambda: run(module).sum().backward())


def row(name, pairs):
    ours, theirs = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    low, ratio, high = statistics.quantiles(mine / torchs for mine, torchs in pairs)
    return f"  {name:<44}  {theirs:>8.2f}  {ours:>8.2f}  {ratio:>6.2f}   {low:>12.2f} to {high:<7.2f} {len(pairs):>5}"
