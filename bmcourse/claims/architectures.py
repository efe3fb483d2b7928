"""What lesson 03 says of architectures, measured: all classifiers have about 6,000 parameters and train in seconds.

Each architecture has a learning rate that suited it on other seeds.
"""

import functools
import time

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.models.attention import fused_attention, scaled_attention
from bmcourse.models.classifiers import ARCHITECTURES, digit_classifier, recall_classifier, remember
from bmcourse.models.cnn import Conv2d, receptive_field
from bmcourse.models.mlp import MLP, Linear

STEPS, BATCH = 300, 32
RATES = (("MLP", 0.01), ("CNN", 0.01), ("RNN", 0.003), ("LSTM", 0.01), ("GRU", 0.01), ("Transformer", 0.003))
FRAMED_RATE = RECALL_RATE = 0.01


def fit(model, draw, lr, steps=STEPS):
    """Train `model` with Adam; `draw()` gives the inputs and labels of a step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        x, y = draw()
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


@torch.no_grad()
def accuracy(model, x, y):
    """The share of x that `model` names rightly, in percent."""
    return 100 * (model(x).argmax(1) == y).float().mean().item()


# ---------------------------------------------------------------- digits

digits = functools.cache(data.digits)


def as_they_are(images):
    return images


def shuffled(images):
    """The pixels of every image in another order, the same one for all."""
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    return images.flatten(1)[:, order].view(-1, 8, 8)


@functools.cache
def digit_reader(name, seed, see, count=None, positions=True):
    """A trained classifier of digits: of all the training digits or the first `count`, each as `see` shows it."""
    torch.manual_seed(seed)
    model, generator = digit_classifier(name, positions), torch.Generator().manual_seed(seed)
    images, labels = see(digits().train_images[:count]), digits().train_labels[:count]

    def draw():
        picked = torch.randint(len(labels), (BATCH,), generator=generator)
        return images[picked], labels[picked]

    return fit(model, draw, dict(RATES)[name])


def digits_right(name, seed, see=as_they_are, **how):
    """The accuracy of that classifier on the validation digits, which `see` shows it too."""
    return accuracy(digit_reader(name, seed, see, **how), see(digits().validation_images), digits().validation_labels)


def framed(images):
    """8 × 8 pixels in the middle of 16 × 16: moved by two, nothing of them is cut off, and no kernel meets the edge."""
    return F.pad(images, [4] * 4)


def framed_network(name):
    """A classifier of framed digits: an MLP or a CNN of about 10,000 parameters, or "anywhere", of about 5,000."""
    if name == "MLP":
        return nn.Sequential(nn.Flatten(), MLP([256, 40, 10]))
    first, second = Conv2d(1, 16, kernel_size=3, padding=1), Conv2d(16, 32, kernel_size=3, padding=1)
    pool, end = nn.Identity(), (nn.AdaptiveMaxPool2d(1), nn.Flatten(), Linear(32, 10))
    if name == "CNN":
        pool, end = nn.MaxPool2d(2), (nn.Flatten(), Linear(32 * 4 * 4, 10))
    return nn.Sequential(nn.Unflatten(1, (1, 16)), first, nn.ReLU(), pool, second, nn.ReLU(), pool, *end)


@functools.cache
def shifted_right(name, seed):
    """The accuracy on validation digits moved by up to two pixels each way, for a model that saw only centred ones."""
    torch.manual_seed(seed)
    model, generator = framed_network(name), torch.Generator().manual_seed(seed)
    images, labels = framed(digits().train_images), digits().train_labels

    def draw():
        picked = torch.randint(len(labels), (BATCH,), generator=generator)
        return images[picked], labels[picked]

    fit(model, draw, FRAMED_RATE)
    moves = [(down, right) for down in range(-2, 3) for right in range(-2, 3) if (down, right) != (0, 0)]
    moved = (data.shift(framed(digits().validation_images), *move) for move in moves)
    return sum(accuracy(model, images, digits().validation_labels) for images in moved) / len(moves)


@claim(
    "A CNN that has only seen centred digits reads more of the shifted ones than an MLP does: one kernel serves every "
    "place. (By up to two pixels within a black frame, as many parameters; both lose much of their accuracy.)",
    unit="points of accuracy ahead",
    at_least=5.0,
)
def cnn_knows_more_of_shifted_digits(seed):
    return shifted_right("CNN", seed) - shifted_right("MLP", seed)


@claim(
    "With global pooling, and no weight for any single place, a CNN reads the shifted digits far better still, with "
    "half the parameters.",
    unit="points of accuracy ahead of the CNN with a weight for every place",
    at_least=20.0,
)
def global_pooling_reads_shifted_digits(seed):
    return shifted_right("anywhere", seed) - shifted_right("CNN", seed)


@claim(
    "Shuffling all pixels, in the same way for every image, costs a CNN more accuracy than an MLP: the CNN is built "
    "for neighbours, the MLP knows none.",
    unit="points more than the MLP",
)
def shuffled_pixels_cost_the_cnn(seed):
    cnn, mlp = (digits_right(name, seed) - digits_right(name, seed, shuffled) for name in ("CNN", "MLP"))
    return cnn - mlp


@claim(
    "From 100 training digits a CNN learns more than a Transformer of the same size.",
    unit="points of accuracy ahead",
    at_least=5.0,
)
def few_digits_are_enough_for_a_cnn(seed):
    return digits_right("CNN", seed, count=100) - digits_right("Transformer", seed, count=100)


@claim(
    "The Transformer is the best architecture for everything. (Digits, against the best of the five others.)",
    unit="points more accurate",
    opposite="points less accurate",
    belief=True,
)
def transformers_win_everything(seed):
    return digits_right("Transformer", seed) - max(digits_right(n, seed) for n in ARCHITECTURES if n != "Transformer")


@claim(
    "Without positions a Transformer cannot tell in which order the rows of a digit stand before the last one, and "
    "this costs accuracy.",
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


# ---------------------------------------------------------------- recall


@functools.cache
def recalled(name, distance, seed, open_gate=False, steps=STEPS):
    """The accuracy on sequences never seen, of a reader trained to recall over `distance`; 12.5 % is guessing."""
    torch.manual_seed(seed)
    model, generator = recall_classifier(name), torch.Generator().manual_seed(seed)
    if open_gate:
        remember(model.rnn.cell, distance)
    fit(model, lambda: data.recall(BATCH, distance, generator), RECALL_RATE, steps)
    return accuracy(model, *data.recall(1000, distance, generator))


@claim(
    "A plain RNN learns to recall a token over 4 steps, and in the same training far less well over 64.",
    unit="points of accuracy less",
    at_least=20.0,
)
def plain_rnns_forget(seed):
    return recalled("RNN", 4, seed) - recalled("RNN", 64, seed)


@claim(
    "An LSTM remembers longer than a plain RNN. (Both as torch starts them; recall over 32 steps, 300 batches.)",
    unit="points more recalled",
    opposite="points less recalled",
    belief=True,
)
def lstms_remember_longer(seed):
    return recalled("LSTM", 32, seed) - recalled("RNN", 32, seed)


@claim(
    "An LSTM whose forget gate starts open learns to recall over 32 steps; one whose gate starts half open does not, "
    "in the same training.",
    unit="points of accuracy ahead",
    at_least=50.0,
)
def gates_must_start_open(seed):
    return recalled("LSTM", 32, seed, open_gate=True) - recalled("LSTM", 32, seed)


@claim(
    "A Transformer looks back 64 steps at once: after 100 batches it recalls almost every token.",
    unit="% recalled",
    at_least=90.0,
)
def attention_reaches_any_distance(seed):
    return recalled("Transformer", 64, seed, steps=100)


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
    "Twice the text, almost four times the memory: attention that keeps its T × T weights. The fused one, which does "
    "not, needs twice as much. (From 512 tokens up, a longer text for each seed.)",
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
    "A Transformer trains on a text of 256 tokens faster than a GRU of the same size: it reads all of them at once, "
    "the GRU one after another.",
    unit="times as fast",
    at_least=5.0,
)
def transformers_do_not_wait(seed):
    torch.manual_seed(seed)
    gru, transformer = (seconds(recall_classifier(name), 256, tries=5) for name in ("GRU", "Transformer"))
    return gru / transformer


@claim(
    "A text four times as long, 2,048 tokens for 512: the time of a GRU grows in proportion, that of a Transformer "
    "with the square.",
    unit="times the GRU's growth",
    at_least=2.0,
)
def attention_time_grows_with_the_square(seed):
    torch.manual_seed(seed)
    models = recall_classifier("Transformer"), recall_classifier("GRU")
    transformer, gru = (seconds(model, 2048, tries=3) / seconds(model, 512, tries=3) for model in models)
    return transformer / gru


# ---------------------------------------------------------------- receptive field


@claim(
    "Eight convolutions of 3 × 3 see a square of 17 × 17 pixels, as the formula says, but most of what changes the "
    "output lies in its middle, 9 × 9, a quarter of the square. (Random weights, ReLU between.)",
    unit="% of the squared gradient",
    at_least=60.0,
)
def receptive_fields_see_the_middle(seed):
    """The share in the middle; 0 where the gradient does not reach just as far as the formula says.

    Source: Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", 2016.
    """
    torch.manual_seed(seed)
    size = receptive_field([(3, 1)] * 8)
    images = torch.rand(32, 1, size + 4, size + 4, requires_grad=True)
    layers = [Conv2d(1 if i == 0 else 8, 8, kernel_size=3) for i in range(8)]
    x = images
    for layer in layers:
        x = F.relu(layer(x))
    x[:, :, 2, 2].sum().backward()
    strength = images.grad.square().sum((0, 1))
    seen = strength[2:-2, 2:-2]
    reaches = seen.count_nonzero() == size**2 == strength.count_nonzero()
    return 100 * (seen[4:-4, 4:-4].sum() / seen.sum()).item() if reaches else 0.0
