"""What lesson 04 says of Transformers, measured: against other architectures, over distance, in memory and time."""

import time

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.claims.architectures import as_they_are, digit_reader, digits, digits_right, recalled
from bmcourse.claims.core import claim
from bmcourse.claims.training import documentation, pocket_gpt, validation_loss
from bmcourse.models.attention import MultiHeadAttention, fused_attention, scaled_attention
from bmcourse.models.classifiers import ARCHITECTURES, recall_classifier
from bmcourse.training import train


@claim(
    "A Transformer looks back 64 steps at once. After 100 batches it recalls almost every token.",
    unit="% recalled",
    at_least=90.0,
)
def attention_reaches_any_distance(seed):
    return recalled("Transformer", 64, seed, steps=100)


@claim(
    "The Transformer is the best architecture for everything. (Digits, against the best of the five others.)",
    unit="points more accurate",
    opposite="points less accurate",
    belief=True,
)
def transformers_win_everything(seed):
    return digits_right("Transformer", seed) - max(digits_right(n, seed) for n in ARCHITECTURES if n != "Transformer")


@claim(
    "Without positions, a Transformer cannot know in which order it has read the rows of a digit before the last one, "
    "and this costs accuracy.",
    unit="points of accuracy lost",
    at_least=2.0,
)
def transformers_need_positions(seed):
    """The points lost; 0 where the order of the rows changed an answer of the model without positions."""
    images, bag = digits().validation_images, digit_reader("Transformer", seed, as_they_are, positions=False)
    order = [*torch.randperm(7, generator=torch.Generator().manual_seed(seed)).tolist(), 7]
    with torch.no_grad():
        same = torch.allclose(bag(images[:, order]), bag(images), atol=1e-4)
    lost = digits_right("Transformer", seed) - digits_right("Transformer", seed, positions=False)
    return lost if same else 0.0


# ---------------------------------------------------------------- time and memory


def kept_bytes(attend, T, D=32):
    """How many bytes `attend` keeps for the backward pass, with T queries, keys and values of D numbers."""
    kept = {}

    def note(tensor):
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    inputs = torch.randn(3, 1, 1, T, D, generator=torch.Generator().manual_seed(T), requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = attend(*inputs)  # lives as long as we count, so that no address is used twice
    assert output.requires_grad
    return sum(kept.values())


@claim(
    "For twice the text, attention that keeps its T × T weights needs almost four times the memory. The fused "
    "attention, which does not keep them, needs twice as much. (From 512 tokens up, a longer text for each seed.)",
    unit="times the memory, weights kept",
    at_least=3.5,
)
def kept_weights_grow_with_the_square(seed):
    """The growth of the attention that keeps its weights; 0 where the fused one grew by more than a tenth over 2."""
    T = 512 + 128 * seed
    kept, fused = (kept_bytes(attend, 2 * T) / kept_bytes(attend, T) for attend in (scaled_attention, fused_attention))
    return kept if fused < 2.2 else 0.0


def seconds(model, T, tries):
    """The shortest of some times that `model` takes to read a text of T tokens and to compute its gradients."""
    tokens, labels = data.recall(1, T - 1, torch.Generator().manual_seed(0))
    times = []
    for _ in range(tries):
        begin = time.perf_counter()
        F.cross_entropy(model(tokens), labels).backward()
        times.append(time.perf_counter() - begin)
    return min(times)


@claim(
    "A Transformer trains faster on a text of 256 tokens than a GRU of the same size, because it reads all tokens at "
    "once and the GRU reads one after another.",
    unit="times as fast",
    at_least=5.0,
)
def transformers_do_not_wait(seed):
    torch.manual_seed(seed)
    gru, transformer = (seconds(recall_classifier(name), 256, tries=5) for name in ("GRU", "Transformer"))
    return gru / transformer


@claim(
    "When a text becomes four times as long, 2,048 tokens instead of 512, the time of a GRU grows in proportion, and "
    "that of a Transformer with the square.",
    unit="times the GRU's growth",
    at_least=2.0,
)
def attention_time_grows_with_the_square(seed):
    torch.manual_seed(seed)
    models = recall_classifier("Transformer"), recall_classifier("GRU")
    transformer, gru = (seconds(model, 2048, tries=3) / seconds(model, 512, tries=3) for model in models)
    return transformer / gru


# ---------------------------------------------------------------- the parts of a GPT


class LooksAhead(nn.Module):
    """Attention in which every token sees all others, those to come too."""

    def __init__(self, channels, heads):
        super().__init__()
        self.attention = MultiHeadAttention(channels, heads)

    def forward(self, x):
        return self.attention(x, x, x)[0]


def read_by_a_gpt(seed, lr, masked=True, positions=True):
    """A GPT of one block after 300 steps on the documentation, with its loss in training over the last 20 steps."""
    model = pocket_gpt(seed)
    if not masked:
        model.blocks[0].attention = LooksAhead(32, heads=2)
    if not positions:
        nn.init.zeros_(model.position_embedding.weight).requires_grad_(False)
    losses = train(model, documentation()[0], 300, lr, seed=seed)
    return model, sum(losses[-20:]) / 20


def loss_of_the_last(model):
    """The loss, in nats, on the character after each window of 32: nothing behind the window can be seen."""
    windows = documentation()[1][: 33 * 400].view(-1, 33)
    with torch.no_grad():
        return F.cross_entropy(model(windows[:, :-1])[:, -1], windows[:, -1]).item()


@claim(
    "Without the causal mask, a GPT's training loss falls far below that of a masked GPT, but it predicts a character "
    "that it really cannot see worse than the masked GPT does.",
    unit="nats worse",
    opposite="nats better",
    at_least=0.3,
)
def peeking_fools_the_loss(seed):
    """0 where the training loss is not at least half a nat lower than the masked GPT's."""
    (masked, honest), (peeking, fooled) = (read_by_a_gpt(seed, 3e-3, masked=masked) for masked in (True, False))
    return loss_of_the_last(peeking) - loss_of_the_last(masked) if fooled < honest - 0.5 else 0.0


@claim(
    "A GPT learns more with position embeddings than without. (300 steps, each at the best of three learning rates.)",
    unit="nats less validation loss",
    opposite="nats more validation loss",
    at_least=0.02,
)
def a_gpt_needs_positions(seed):
    best = [
        min(validation_loss(read_by_a_gpt(seed, lr, positions=positions)[0]) for lr in (3e-3, 1e-2, 2e-2))
        for positions in (True, False)
    ]
    return best[1] - best[0]
