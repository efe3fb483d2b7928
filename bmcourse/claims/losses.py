"""What lesson 05 says of losses, measured: straight lines, digits and a pocket language model, a few seconds a seed."""

import copy
import functools

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.tokenizer import CharacterTokenizer

RATES = (0.003, 0.01, 0.03)  # each loss may choose its own of these, so that no loss loses by a rate that suits another


def descend(model, loss_of, x, y, steps, lr=0.01, seed=0):
    """Train `model` with Adam on batches of 64 out of x, y."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        i = torch.randint(len(x), (64,), generator=generator)
        loss = loss_of(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# ---------------------------------------------------------------- numbers: straight lines


def fitted(loss_of, x, y, steps=400):
    """The straight line with the least `loss_of` on x, y (N, 1): Adam on all of them, its rate falling to zero."""
    line = nn.Linear(1, 1)
    nn.init.zeros_(line.weight)
    nn.init.zeros_(line.bias)
    optimizer = torch.optim.Adam(line.parameters())
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / steps)
        loss = loss_of(line(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return line


@claim(
    "If one target in ten is wrong by 10, the line fitted with MSE is several times further from the true line than "
    "the worse of the lines fitted with MAE and with Huber's loss.",
    unit="times as far",
    at_least=3.0,
)
def outliers_pull_mse_away(seed):
    generator = torch.Generator().manual_seed(seed)
    x = 4 * torch.rand(100, 1, generator=generator) - 2
    y = 2 * x + 1 + 0.5 * torch.randn(100, 1, generator=generator)
    y[:10] += 10
    true_x = torch.linspace(-2, 2, 200)[:, None]
    mse, mae, huber = (
        (fitted(loss_of, x, y)(true_x) - (2 * true_x + 1)).square().mean().sqrt().item()
        for loss_of in (F.mse_loss, F.l1_loss, F.huber_loss)
    )
    return mse / max(mae, huber)


@claim(
    "Without outliers and with Gaussian noise, MAE's answer (the median) scatters more than MSE's (the mean). Theory "
    "says pi/2 = 1.57 times as much for large samples.",
    unit="times the variance",
    at_least=1.3,
)
def mae_wastes_clean_data(seed):
    samples = torch.randn(2000, 51, generator=torch.Generator().manual_seed(seed))
    return (samples.median(dim=1).values.var() / samples.mean(dim=1).var()).item()


@claim(
    "If a few values are very large, a line fitted with MAE underestimates the total. MSE comes closer.",
    unit="% of the total missing",
    at_least=10.0,
)
def mae_underestimates_a_skewed_total(seed):
    """What MAE's total lacks; 0 where MSE's came no closer."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(2000, 1, generator=generator)
    y = (1 + 2 * x) * torch.exp(0.8 * torch.randn(2000, 1, generator=generator))
    mse, mae = (
        1 - fitted(loss_of, x[:1000], y[:1000])(x[1000:]).sum().item() / y[1000:].sum().item()
        for loss_of in (F.mse_loss, F.l1_loss)
    )
    return 100 * mae if abs(mse) < abs(mae) else 0.0


# ---------------------------------------------------------------- classes: digits


@functools.cache
def digits():
    """Training images (N, 64) and labels, validation images and labels."""
    d = data.digits()
    return d.train_images.flatten(1), d.train_labels, d.validation_images.flatten(1), d.validation_labels


def network(seed, hidden=32, outputs=10):
    """64 pixels in, one score for each class out."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def accuracy(model):
    """The share of validation digits named rightly, in percent."""
    _, _, x, y = digits()
    with torch.no_grad():
        return 100 * (model(x).argmax(1) == y).float().mean().item()


def mse_of_probabilities(logits, targets):
    return F.mse_loss(logits.softmax(1), F.one_hot(targets, 10).float())


def softmax_twice(logits, targets):
    return F.cross_entropy(logits.softmax(1), targets)


def accuracy_after(seed, loss_of, lr=0.01):
    model = network(seed)
    descend(model, loss_of, *digits()[:2], steps=300, lr=lr, seed=seed)
    return accuracy(model)


@claim(
    "A classifier must be trained with cross-entropy, because with MSE on its probabilities it is less accurate. (300 "
    "steps on digits, each loss at the best of three learning rates.)",
    unit="points of accuracy lost",
    opposite="points of accuracy gained",
    at_least=1.0,
    belief=True,
)
def mse_spoils_a_classifier(seed):
    best = [max(accuracy_after(seed, loss, lr) for lr in RATES) for loss in (F.cross_entropy, mse_of_probabilities)]
    return best[0] - best[1]


@claim(
    "A network that is sure and wrong learns the truth faster with cross-entropy than with MSE on its probabilities. "
    "(100 steps, each loss at the best of three learning rates.)",
    unit="points of accuracy ahead",
    at_least=20.0,
)
def cross_entropy_corrects_the_sure_and_wrong(seed):
    x, y, *_ = digits()
    wrong = network(seed)
    descend(wrong, F.cross_entropy, x, (y + 1) % 10, steps=600, seed=seed)  # every digit by the name of the next

    def corrected(loss_of, lr):
        model = copy.deepcopy(wrong)
        descend(model, loss_of, x, y, steps=100, lr=lr, seed=seed)
        return accuracy(model)

    by_entropy, by_mse = (max(corrected(f, lr) for lr in RATES) for f in (F.cross_entropy, mse_of_probabilities))
    return by_entropy - by_mse


@claim(
    "A softmax before F.cross_entropy, which contains one already, costs a digits network accuracy. (300 steps, each "
    "at the best of three learning rates.)",
    unit="points of accuracy lost",
    opposite="points of accuracy gained",
    at_least=1.0,
    belief=True,
)
def softmax_twice_costs_accuracy(seed):
    best = [max(accuracy_after(seed, loss_of, lr) for lr in RATES) for loss_of in (F.cross_entropy, softmax_twice)]
    return best[0] - best[1]


@claim(
    "At Adam's usual rate, 0.001, a softmax before F.cross_entropy costs many points of accuracy. (300 steps.)",
    unit="points of accuracy lost",
    at_least=3.0,
)
def softmax_twice_learns_slowly(seed):
    return accuracy_after(seed, F.cross_entropy, lr=0.001) - accuracy_after(seed, softmax_twice, lr=0.001)


PROPERTIES = torch.tensor([[d % 2 == 0, d > 4, d in (0, 6, 8, 9), d in (2, 3, 5, 7)] for d in range(10)]).float()


def softmax_over_labels(logits, targets):
    return F.cross_entropy(logits, targets / targets.sum(1, keepdim=True).clamp(min=1))


@claim(
    "Four yes-or-no questions about a digit (even? above 4? a loop? prime?) are answered better with four binary "
    "cross-entropies than with one softmax over all four, even at the softmax's best threshold. (Each at the best of "
    "three learning rates.)",
    unit="points more digits with all four right",
    at_least=2.0,
)
def several_labels_need_binary_losses(seed):
    x, y, test_x, test_y = digits()
    with_sigmoid = F.binary_cross_entropy_with_logits, torch.sigmoid, [0.5]
    with_softmax = softmax_over_labels, functools.partial(F.softmax, dim=1), [t / 20 for t in range(1, 20)]

    def share_right(loss_of, probabilities, thresholds, lr):
        model = network(seed, hidden=64, outputs=4)
        descend(model, loss_of, x, PROPERTIES[y], steps=400, lr=lr, seed=seed)
        p = probabilities(model(test_x))
        return 100 * max(((p > t) == PROPERTIES[test_y]).all(1).float().mean().item() for t in thresholds)

    best = [max(share_right(*way, lr) for lr in RATES) for way in (with_sigmoid, with_softmax)]
    return best[0] - best[1]


def recalls_with_few_eights(seed, weighted):
    """The percentage of 8s, and of the other digits, named rightly after training with a tenth of the 8s."""
    x, y, test_x, test_y = digits()
    kept = (y != 8) | (torch.rand(len(y), generator=torch.Generator().manual_seed(seed)) < 0.1)
    weight = kept.sum() / (10 * torch.bincount(y[kept])) if weighted else None
    model = network(seed)
    descend(model, functools.partial(F.cross_entropy, weight=weight), x[kept], y[kept], steps=300, seed=seed)
    right = (model(test_x).argmax(1) == test_y).float()
    return 100 * torch.stack([right[test_y == 8].mean(), right[test_y != 8].mean()])


@claim(
    "If nine in ten of the 8s are missing from the training digits, class weights find many more of the 8s and cost "
    "less than two points on the other digits.",
    unit="points of recall gained",
    at_least=10.0,
)
def class_weights_find_the_rare_class(seed):
    """The mean over three draws of the 8s that stay; 0 where the other digits lost two points."""
    draws = range(3 * seed, 3 * seed + 3)
    gains = [recalls_with_few_eights(s, weighted=True) - recalls_with_few_eights(s, weighted=False) for s in draws]
    eights, others = torch.stack(gains).mean(0)
    return eights.item() if others > -2 else 0.0


# ---------------------------------------------------------------- how sure: label smoothing


def calibration_error(logits, targets, bins=10):
    """How far the stated certainty is from the share that is right, in points, over `bins` bins of certainty.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, section 2.
    """
    certainty, named = logits.softmax(1).max(1)
    gap = certainty - (named == targets).float()
    which = (certainty * bins).long().clamp(max=bins - 1)
    return 100 * torch.zeros(bins).index_add(0, which, gap).abs().sum().item() / len(targets)


def gained_by_smoothing(seed, x, y, steps):
    """The points of calibration error that label smoothing of 0.1 takes away."""
    errors = []
    for epsilon in (0.0, 0.1):
        model = network(seed, hidden=64)
        descend(model, functools.partial(F.cross_entropy, label_smoothing=epsilon), x, y, steps, seed=seed)
        errors.append(calibration_error(model(digits()[2]), digits()[3]))
    return errors[0] - errors[1]


@claim(
    "Label smoothing makes a model's probabilities more honest. (Digits, all labels right.)",
    unit="points less calibration error",
    opposite="points more calibration error",
    belief=True,
)
def smoothing_makes_honest(seed):
    x, y, *_ = digits()
    return gained_by_smoothing(seed, x, y, steps=600)


@claim(
    "When a model has memorised 300 digits of which three labels in ten are random, label smoothing removes much of "
    "its calibration error.",
    unit="points less calibration error",
    at_least=3.0,
)
def smoothing_calms_the_overconfident(seed):
    x, y, *_ = digits()
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(y), generator=generator)[:300]
    drawn = torch.randint(10, (300,), generator=generator)
    labels = torch.where(torch.rand(300, generator=generator) < 0.3, drawn, y[some])
    return gained_by_smoothing(seed, x[some], labels, steps=1500)


# ---------------------------------------------------------------- words: padding

LONGEST = 48


@functools.cache
def padded_lines():
    """Short lines of the documentation as tokens (N, 48), filled up with the padding token; training, validation."""
    text = data.python_docs()
    tokenizer = CharacterTokenizer(text.train)
    padding = tokenizer.vocabulary_size
    parts = []
    for part in (text.train, text.validation):
        lines = [" ".join(line.split()) for line in part.split("\n")]
        tokens = [tokenizer.encode(line, errors="replace") for line in lines if 4 <= len(line) <= LONGEST]
        parts.append(torch.tensor([line + [padding] * (LONGEST - len(line)) for line in tokens]))
    return *parts, padding


@claim(
    "Without ignore_index, the reported perplexity is several times too low, because it counts the padding, which is "
    "easy. The true perplexity becomes worse.",
    unit="times too low",
    at_least=2.0,
)
def counted_padding_flatters(seed):
    """True over reported perplexity; 0 where the true one is no worse than that of a model trained rightly."""
    train, validation, padding = padded_lines()
    inputs, targets = validation[:, :-1], validation[:, 1:]
    true = []
    for ignored in (-100, padding):
        torch.manual_seed(seed)
        model = GPT(GPTConfig(padding + 1, context=LONGEST, layers=1, heads=2, channels=32))
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        for _ in range(200):
            batch = train[torch.randint(len(train), (16,), generator=generator)]
            loss = F.cross_entropy(model(batch[:, :-1]).transpose(1, 2), batch[:, 1:], ignore_index=ignored)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            logits = model(inputs).transpose(1, 2)  # (B, V, T)
        true.append(F.cross_entropy(logits, targets, ignore_index=padding).exp().item())
        if ignored == -100:
            reported = F.cross_entropy(logits, targets).exp().item()
    return true[0] / reported if true[0] > true[1] else 0.0


# ---------------------------------------------------------------- pairs


@functools.cache
def sorted_by_contrast(seed):
    """Accuracy of the nearest of 200 named digits: in a network before and after InfoNCE, in 16 components, in pixels.

    InfoNCE sees 1,438 digits without their names: two copies of each, with noise of 0.3 a pixel.
    """
    torch.manual_seed(seed)
    digits = data.digits(seed=seed)
    train, test = digits.train_images.flatten(1), digits.validation_images.flatten(1)
    network = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16))

    def accuracy(see):
        with torch.no_grad():
            named, new = (F.normalize(see(images), dim=1) for images in (train[:200], test))
        nearest = (new @ named.T).argmax(dim=1)
        return (digits.train_labels[nearest] == digits.validation_labels).float().mean().item()

    before, generator = accuracy(network), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(400):
        chosen = train[torch.randint(len(train), (128,), generator=generator)]
        first, second = (network(chosen + 0.3 * torch.randn(chosen.shape, generator=generator)) for _ in range(2))
        similar = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T / 0.1
        loss = F.cross_entropy(similar, torch.arange(128))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    middle = train.mean(dim=0)
    components = torch.linalg.svd(train - middle, full_matrices=False).Vh[:16].T
    return before, accuracy(network), accuracy(lambda images: (images - middle) @ components), accuracy(lambda x: x)


@claim(
    "InfoNCE sorts digits without their names: the nearest of 200 named digits has the right name more often than in "
    "the untrained network.",
    unit="points of accuracy ahead",
    at_least=3.0,
)
def contrast_sorts_digits(seed):
    before, after, *_ = sorted_by_contrast(seed)
    return 100 * (after - before)


@claim(
    "16 numbers learned with InfoNCE find the right name more often than 16 principal components, and than the pixels.",
    unit="points of accuracy ahead of the better one",
    opposite="points of accuracy behind the better one",
    belief=True,
)
def contrast_beats_pixels(seed):
    _, learned, components, pixels = sorted_by_contrast(seed)
    return 100 * (learned - max(components, pixels))
