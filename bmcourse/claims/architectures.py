"""What lesson 03 says of architectures, measured: all classifiers have about 6,000 parameters and train in seconds.

Each architecture has a learning rate that suited it on other seeds.
"""

import functools

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.models.classifiers import digit_classifier, recall_classifier, remember
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
    "A CNN that has only seen centred digits reads more of the shifted ones than an MLP does, because one kernel "
    "serves every place. (Shifts of up to two pixels in a black frame, equally many parameters. Both lose much "
    "accuracy.)",
    unit="points of accuracy ahead",
    at_least=5.0,
)
def cnn_knows_more_of_shifted_digits(seed):
    return shifted_right("CNN", seed) - shifted_right("MLP", seed)


@claim(
    "With global pooling, and no weight for any single place, a CNN reads the shifted digits far better, with half "
    "the parameters.",
    unit="points of accuracy ahead of the CNN with a weight for every place",
    at_least=20.0,
)
def global_pooling_reads_shifted_digits(seed):
    return shifted_right("anywhere", seed) - shifted_right("CNN", seed)


@claim(
    "If all pixels are shuffled in the same way in every image, a CNN loses more accuracy than an MLP, because it is "
    "built for neighbours and the MLP knows none.",
    unit="points more than the MLP",
)
def shuffled_pixels_cost_the_cnn(seed):
    cnn, mlp = (digits_right(name, seed) - digits_right(name, seed, shuffled) for name in ("CNN", "MLP"))
    return cnn - mlp


@claim(
    "A CNN learns more from 100 training digits than a Transformer of the same size.",
    unit="points of accuracy ahead",
    at_least=5.0,
)
def few_digits_are_enough_for_a_cnn(seed):
    return digits_right("CNN", seed, count=100) - digits_right("Transformer", seed, count=100)


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
    "A plain RNN learns to recall a token over 4 steps, but far less well over 64 steps in the same training.",
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
    "An LSTM whose forget gate starts open learns to recall over 32 steps. One whose gate starts half open does not, "
    "in the same training.",
    unit="points of accuracy ahead",
    at_least=50.0,
)
def gates_must_start_open(seed):
    return recalled("LSTM", 32, seed, open_gate=True) - recalled("LSTM", 32, seed)


# ---------------------------------------------------------------- receptive field


@claim(
    "Eight convolutions of 3 × 3 see a square of 17 × 17 pixels, as the formula says. But most of what changes the "
    "output is in the middle, 9 × 9 pixels, a quarter of the square. (Random weights, with ReLU between the layers.)",
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
