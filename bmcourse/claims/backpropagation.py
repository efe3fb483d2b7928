"""What lesson 06 says of gradients, measured: the best nudge, and which deep networks train. Each at its best rate."""

import functools

import torch
import torch.nn.functional as F

from bmcourse import data
from bmcourse.backpropagation import DeepMLP, sizes_by_depth
from bmcourse.claims.core import claim

RATES = (3e-4, 1e-3, 3e-3, 1e-2)
STEPS = 200
KAIMING, DEFAULT = 2**0.5, 3**-0.5  # what ReLU needs, and the scale of torch.nn.Linear
SCALES = (0.1, 1.0, 10.0)


# ---------------------------------------------------------------- nudges

NUDGES = tuple(10.0**-power for power in range(1, 13))
NUDGED = 20  # weights of the network


def nudge_errors(seed, dtype=torch.float64, one_sided=False):
    """{nudge: error of the slopes by finite differences, relative to autograd's} for weights of a small network."""
    torch.manual_seed(seed)
    model = DeepMLP(2).to(dtype)
    images, labels = digits()[0][:100].to(dtype), digits()[1][:100]
    weights = model.layers[0].weight
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), labels), weights)
    places = gradient.abs().flatten().topk(NUDGED).indices  # pixels that are never lit move nothing

    def loss_at(place, nudge):
        with torch.no_grad():
            kept = weights.view(-1)[place].clone()
            weights.view(-1)[place] += nudge
            loss = F.cross_entropy(model(images), labels)
            weights.view(-1)[place] = kept
        return loss

    def slope(place, nudge):
        if one_sided:
            return (loss_at(place, nudge) - loss_at(place, 0)) / nudge
        return (loss_at(place, nudge) - loss_at(place, -nudge)) / (2 * nudge)

    right = gradient.flatten()[places].double()
    errors = {}
    for nudge in NUDGES:
        slopes = torch.stack([slope(place, nudge) for place in places]).double()
        errors[nudge] = ((slopes - right).norm() / right.norm()).item()
    return errors


@claim(
    "The best nudge is neither large nor tiny: in float64, with 0.01 and with 0.00000000001 the error is more than "
    "a hundred times that of the best nudge.",
    unit="times the error of the best nudge",
    at_least=100.0,
    table=lambda seed: list(nudge_errors(seed).values()),
)
def nudges_err_at_both_ends(seed):
    errors = nudge_errors(seed)
    return min(errors[NUDGES[1]], errors[NUDGES[10]]) / min(errors.values())


@claim(
    "Two nudges beat one: the slope from a nudge up and a nudge down is more than ten times as exact as the slope "
    "from one nudge up, each with its own best nudge.",
    unit="times the error",
    at_least=10.0,
    table=lambda seed: list(nudge_errors(seed, one_sided=True).values()),
)
def two_sides_beat_one(seed):
    return min(nudge_errors(seed, one_sided=True).values()) / min(nudge_errors(seed).values())


# ---------------------------------------------------------------- deep networks


@functools.cache
def digits():
    """Images (1438, 64), their labels, and the same for those held back (359)."""
    d = data.digits()
    return d.train_images.flatten(1), d.train_labels, d.validation_images.flatten(1), d.validation_labels


@functools.cache
def accuracy(seed, lr, **settings):
    """Per cent of new digits named right by a DeepMLP of these settings after Adam's STEPS steps at `lr`."""
    images, labels, new_images, new_labels = digits()
    torch.manual_seed(seed)
    model, generator = DeepMLP(**settings), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for _ in range(STEPS):
        i = torch.randint(len(images), (64,), generator=generator)
        loss = F.cross_entropy(model(images[i]), labels[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return 100 * (model(new_images).argmax(1) == new_labels).float().mean().item()


def best(seed, **settings):
    """The accuracy at the best of four learning rates, chosen in favour of every network alike."""
    return max(accuracy(seed, lr, **settings) for lr in RATES)


def shrinkage(seed, **settings):
    """How many times the slope for the last hidden layer's output is that for the first one's, before training."""
    torch.manual_seed(seed)
    images, labels, *_ = digits()
    _, slopes = sizes_by_depth(DeepMLP(**settings), images[:256], labels[:256])
    return slopes[-1] / slopes[0]


@claim(
    "Small factors multiply: with half of Xavier's scale the slopes shrink more than a thousand times as much on "
    "their way back through 20 layers as with Xavier's.",
    unit="times as much",
    at_least=1000.0,
)
def small_weights_make_slopes_vanish(seed):
    return shrinkage(seed, depth=20, scale=0.5) / shrinkage(seed, depth=20, scale=1.0)


@claim(
    "The scale of the first weights decides whether 20 layers of tanh train: with Xavier's they do, with 0.3 times "
    "or 4 times that scale they do not. (200 steps of Adam, each at its own best of four learning rates.)",
    unit="points more accurate than the better of the two",
    at_least=20.0,
)
def xavier_trains_twenty_layers(seed):
    others = max(best(seed, depth=20, scale=scale) for scale in (0.3, 4.0))
    return best(seed, depth=20, scale=1.0) - others


@claim(
    "Twenty layers of ReLU train with Kaiming's weights, and hardly at all with the smaller scale that torch's own "
    "layers begin with. (200 steps of Adam, each at its own best of four learning rates.)",
    unit="points more accurate",
    at_least=20.0,
)
def kaiming_trains_what_the_default_does_not(seed):
    relu = {"depth": 20, "activation": torch.relu}
    return best(seed, scale=KAIMING, **relu) - best(seed, scale=DEFAULT, **relu)


@claim(
    "Residual connections rescue depth: 30 layers with them are more accurate than 30 without, both with Xavier's "
    "weights. (200 steps of Adam, each at its own best of four learning rates.)",
    unit="points more accurate",
    at_least=5.0,
    opposite="points less accurate",
)
def residuals_rescue_thirty_layers(seed):
    return best(seed, depth=30, residual=True) - best(seed, depth=30)


@claim(
    "With residual connections 30 layers come within 3 points of 3 plain layers: depth does no harm any more, and "
    "on this easy task it does no good. (200 steps of Adam, each at its own best of four learning rates.)",
    unit="points more accurate than 3 layers",
    at_least=-3.0,
    opposite="points less accurate than 3 layers",
)
def thirty_layers_are_as_good_as_three(seed):
    return best(seed, depth=30, residual=True) - best(seed, depth=3)


@claim(
    "Normalisation frees the choice of the first weights: 10 layers of tanh train with 0.1, 1 and 10 times Xavier's"
    " scale; without it, the worst of the three does not. (200 steps of Adam, each at its own best of four learning"
    " rates.)",
    unit="points more accurate at the worst scale",
    at_least=20.0,
)
def normalisation_frees_the_scale(seed):
    with_it, without = (
        min(best(seed, depth=10, scale=scale, normed=normed) for scale in SCALES) for normed in (True, False)
    )
    return with_it - without
