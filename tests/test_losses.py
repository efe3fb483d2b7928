"""Every loss and gradient against torch, torch.distributions and finite differences; extreme logits; every message."""

import math
import pathlib

import pytest
import torch
import torch.nn.functional as F
from torch import distributions

from bmcourse import losses

INF = float("inf")
REDUCTIONS = ("mean", "sum", "none")
EXTREME = [-1000.0, -120.0, -90.0, -20.0, -1e-3, 0.0, 1e-3, 20.0, 90.0, 120.0, 1000.0]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def close(ours, torchs, tolerance=1e-6):
    """Equal shapes and values, NaN where torch has NaN."""
    assert ours.shape == torchs.shape
    assert torch.allclose(ours, torchs, rtol=tolerance, atol=tolerance, equal_nan=True), (ours, torchs)


def same(ours, torchs, *inputs, tolerance=1e-6):
    """Equal values, and equal gradients with respect to the inputs."""
    close(ours, torchs, tolerance)
    if inputs:
        gradients = (torch.autograd.grad(loss.sum(), inputs) for loss in (ours, torchs))
        for pair in zip(*gradients, strict=True):
            close(*pair, tolerance)


def floats(*shape, dtype=torch.float64):
    return (3 * torch.randn(shape, dtype=dtype)).requires_grad_()


# Values and gradients equal torch's.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (6,), (4, 3), (2, 3, 2)])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_regression_losses(name, shape, reduction, dtype):
    predictions, targets = floats(*shape, dtype=dtype), floats(*shape, dtype=dtype)
    for settings in [{}, {"delta": 0.3}, {"delta": 4.0}] if name == "huber_loss" else [{}]:
        pair = (getattr(module, name)(predictions, targets, reduction=reduction, **settings) for module in (losses, F))
        same(*pair, predictions, targets)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_regression_losses_at_an_error_of_zero_delta_and_infinity(name):
    predictions = torch.tensor([0.0, 1.0, -1.0, INF, -INF], requires_grad=True)
    same(*(getattr(module, name)(predictions, torch.zeros(5), reduction="none") for module in (losses, F)), predictions)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 2.0, 0.0]), torch.tensor(3.0), torch.rand(4, 3)])
def test_binary_cross_entropies(weight, reduction):
    logits, targets = floats(4, 3), torch.rand(4, 3, dtype=torch.float64).round(decimals=1)
    settings = {"weight": weight, "reduction": reduction}
    probabilities = logits.sigmoid().detach().requires_grad_()
    same(*(m.binary_cross_entropy(probabilities, targets, **settings) for m in (losses, F)), probabilities)
    for pos_weight in (None, torch.tensor([0.5, 1.0, 9.0]), torch.tensor(4.0)):
        settings["pos_weight"] = pos_weight
        same(*(m.binary_cross_entropy_with_logits(logits, targets, **settings) for m in (losses, F)), logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("ignore_index", [-100, 2])
@pytest.mark.parametrize("shape", [(5,), (7, 5), (4, 5, 3), (2, 5, 3, 2)])
def test_cross_entropy(shape, ignore_index, label_smoothing, weighted, dtype):
    logits = floats(*shape, dtype=dtype)
    targets = torch.randint(5, shape[:1] + shape[2:]) if len(shape) > 1 else torch.tensor(1)
    targets.view(-1)[1:2], targets.view(-1)[:1] = ignore_index, 4  # one is ignored for sure and one counts
    settings = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
    settings["weight"] = torch.tensor([0.5, 2.0, 1.0, 0.0, 3.0], dtype=dtype) if weighted else None
    for reduction in REDUCTIONS:
        same(*(m.cross_entropy(logits, targets, reduction=reduction, **settings) for m in (losses, F)), logits)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_softmax_and_its_logs(name, dim):
    logits = floats(4, 5, 3)
    weights = torch.rand(4, 5, 3)  # the sum of a softmax has no gradient, so weigh its places
    ours, torchs = (getattr(module, name)(logits, dim) for module in (losses, torch))
    weights = weights if name != "logsumexp" else weights.sum(dim)
    same(weights * ours, weights * torchs, logits)


@pytest.mark.filterwarnings("ignore:reduction:UserWarning")  # torch would rather have "batchmean"
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
def test_kl_div(log_target, reduction):
    log_p, log_q = floats(4, 5).log_softmax(1), floats(4, 5).log_softmax(1)
    targets = log_q if log_target else log_q.exp().detach().index_fill(1, torch.tensor([2]), 0.0)
    same(*(m.kl_div(log_p, targets, reduction=reduction, log_target=log_target) for m in (losses, F)), log_p)


@pytest.mark.parametrize("shape", [(8, 5), (4, 5, 6)])
def test_perplexity_is_the_exponential_of_the_mean_over_all_tokens(shape):
    logits, targets = floats(*shape), torch.randint(5, shape[:1] + shape[2:])
    targets.view(-1)[::3] = 0
    same(
        losses.perplexity(logits, targets, ignore_index=0),
        F.cross_entropy(logits, targets, ignore_index=0).exp(),
        logits,
    )


# Gradients by hand.

BY_HAND = {
    "mse_gradient": F.mse_loss,
    "l1_gradient": F.l1_loss,
    "huber_gradient": F.huber_loss,
    "binary_cross_entropy_gradient": F.binary_cross_entropy_with_logits,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_gradients_by_hand(name):
    for shape in ((6,), (4, 3)):
        inputs, targets = floats(*shape), torch.rand(shape, dtype=torch.float64)
        expected = torch.autograd.grad(BY_HAND[name](inputs, targets), inputs)[0]
        close(getattr(losses, name)(inputs.detach(), targets), expected)


@pytest.mark.parametrize("delta", [0.2, 5.0])
def test_the_huber_gradient_knows_delta(delta):
    predictions, targets = floats(20), torch.zeros(20, dtype=torch.float64)
    expected = torch.autograd.grad(F.huber_loss(predictions, targets, delta=delta), predictions)[0]
    close(losses.huber_gradient(predictions.detach(), targets, delta), expected)


@pytest.mark.parametrize("shape", [(5,), (7, 5), (4, 5, 3)])
def test_the_cross_entropy_gradient_by_hand(shape):
    logits = floats(*shape)
    targets = torch.randint(5, shape[:1] + shape[2:]) if len(shape) > 1 else torch.tensor(3)
    expected = torch.autograd.grad(F.cross_entropy(logits, targets), logits)[0]
    close(losses.cross_entropy_gradient(logits.detach(), targets), expected)


def test_gradients_agree_with_finite_differences():
    targets, classes = torch.rand(4, 3, dtype=torch.float64), torch.tensor([0, 2, 1, 1])
    checked = {
        "mse_loss": targets,
        "l1_loss": targets,
        "huber_loss": targets,
        "binary_cross_entropy_with_logits": targets,
        "cross_entropy": classes,
        "cross_entropy_naive": classes,
        "perplexity": classes,
    }
    for name, goal in checked.items():
        assert torch.autograd.gradcheck(lambda x, name=name, goal=goal: getattr(losses, name)(x, goal), floats(4, 3))
    probabilities = torch.rand(4, 3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: losses.binary_cross_entropy(p, targets), probabilities)
    assert torch.autograd.gradcheck(lambda p: losses.kl_div(p.log(), targets), probabilities)


# Every loss is a negative log-likelihood, but for a constant and a factor.


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_likelihoods_behind_mse_and_mae(scale):
    predictions, targets = floats(50), floats(50)
    gaussian = -distributions.Normal(predictions, scale).log_prob(targets)
    laplace = -distributions.Laplace(predictions, scale).log_prob(targets)
    squares, absolutes = (f(predictions, targets, "none") for f in (losses.mse_loss, losses.l1_loss))
    same(squares / (2 * scale**2) + math.log(scale * math.sqrt(2 * math.pi)), gaussian)
    same(absolutes / scale + math.log(2 * scale), laplace)


def test_the_likelihoods_behind_the_cross_entropies():
    logits, targets = floats(20), torch.randint(2, (20,)).double()
    bernoulli = -distributions.Bernoulli(logits=logits).log_prob(targets)
    same(losses.binary_cross_entropy_with_logits(logits, targets, reduction="none"), bernoulli)
    same(losses.binary_cross_entropy(logits.sigmoid(), targets, reduction="none"), bernoulli)
    logits, classes = floats(20, 4), torch.randint(4, (20,))
    categorical = -distributions.Categorical(logits=logits).log_prob(classes)
    same(losses.cross_entropy(logits, classes, reduction="none"), categorical)
    same(losses.cross_entropy_naive(logits, classes), categorical.mean())


def test_the_likelihood_behind_huber():
    errors = torch.linspace(-6, 6, 41, dtype=torch.float64)
    values = losses.huber_loss(errors, torch.zeros_like(errors), "none", delta=1.5)
    core, tails = errors.abs() <= 1.5, errors.abs() >= 1.5
    gaussian = -distributions.Normal(0.0, 1.0).log_prob(errors)
    laplace = -distributions.Laplace(0.0, 1 / 1.5).log_prob(errors)
    for part, likelihood in ((core, gaussian), (tails, laplace)):
        constant = (values - likelihood)[part]
        same(constant, constant[:1].expand_as(constant))


def test_kl_is_torchs_divergence():
    log_p, log_q = floats(6, 5).log_softmax(1), floats(6, 5).log_softmax(1)
    expected = distributions.kl_divergence(*(distributions.Categorical(logits=log) for log in (log_q, log_p)))
    same(losses.kl_div(log_p, log_q.exp(), "none").sum(1), expected)


# Extreme logits.


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_binary_cross_entropy_of_extreme_logits(target, dtype):
    logits = torch.tensor(EXTREME, dtype=dtype, requires_grad=True)
    targets = torch.full_like(logits, target)
    same(*(m.binary_cross_entropy_with_logits(logits, targets, reduction="none") for m in (losses, F)), logits)


def test_binary_cross_entropy_of_infinite_logits():
    logits = torch.tensor([INF, -INF], requires_grad=True)
    right, wrong = (losses.softplus(x) for x in (-logits.abs(), logits.abs()))
    assert (right == 0).all() and (wrong == INF).all()
    assert torch.equal(torch.autograd.grad(losses.softplus(logits).sum(), logits)[0], torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_binary_cross_entropy_of_saturated_probabilities(dtype):
    tiny = [0.0, 1e-45, 1e-44, 1e-43, 1e-40, 1e-38, 1e-30, 1e-20, 1e-7, 0.5, 1 - 1e-6, 1.0]
    for target in (0.0, 0.3, 1.0):
        probabilities = torch.tensor(tiny, dtype=dtype, requires_grad=True)
        targets = torch.full_like(probabilities, target)
        ours, torchs = (m.binary_cross_entropy(probabilities, targets, reduction="none") for m in (losses, F))
        same(ours, torchs)
        gradients = [torch.autograd.grad(loss.sum(), probabilities)[0] for loss in (ours, torchs)]
        assert gradients[0].isfinite().all()
        close(*(g[-4:-1] for g in gradients), 1e-5)
        logits = torch.tensor(EXTREME, dtype=dtype, requires_grad=True)
        loss = losses.binary_cross_entropy(logits.sigmoid(), targets[:1].expand_as(logits))
        assert torch.autograd.grad(loss, logits)[0].isfinite().all()


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "row",
    [[1000, 0, -1000], [-1000, -1000, -1000.5], [1e38, 0, -1e38], [1000, 1000.25, 999], [-INF, 0, 1], [5, -INF, 3]],
)
def test_cross_entropy_of_extreme_and_masked_logits(row, dtype, label_smoothing):
    for target in range(3):
        logits = torch.tensor([row, [0.0, 1.0, 2.0]], dtype=dtype, requires_grad=True)
        settings = {"reduction": "none", "label_smoothing": label_smoothing}
        same(*(m.cross_entropy(logits, torch.tensor([target, 1]), **settings) for m in (losses, F)), logits)


def test_weight_zero_on_a_masked_class_as_in_torch():
    logits = torch.tensor([[1.0, 0.0, -INF]], requires_grad=True)
    for smoothing in (0.0, 0.1):
        settings = {"weight": torch.tensor([1.0, 2.0, 0.0]), "label_smoothing": smoothing}
        same(*(m.cross_entropy(logits, torch.tensor([1]), **settings) for m in (losses, F)), logits)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_infinite_rows_as_in_torch(name):
    rows = [[-INF, -INF], [INF, 0.0], [INF, INF], [INF, -INF], [1000.0, 0.0], [5.0, -INF], [-1000.0, -1000.0]]
    logits = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    same(*(getattr(module, name)(logits, -1) for module in (losses, torch)), logits)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    logits, targets = torch.tensor([[20.0, -20.0, 3.0], [0.0, 19.5, 20.0]], dtype=dtype), torch.tensor([1, 2])
    same(*(m.cross_entropy(logits, targets) for m in (losses, F)), tolerance=1e-2)
    binary = torch.tensor([0.0, 1.0, 1.0], dtype=dtype).expand(2, 3)
    same(*(m.binary_cross_entropy_with_logits(logits, binary) for m in (losses, F)), tolerance=1e-2)
    assert losses.cross_entropy_naive(logits.half(), targets).isnan()  # exp(20) is beyond float16


def test_the_naive_cross_entropy_overflows_where_the_stable_one_does_not():
    targets = torch.tensor([0])
    assert losses.cross_entropy_naive(torch.tensor([[88.0, 0.0]]), targets) == 0
    assert losses.cross_entropy_naive(torch.tensor([[89.0, 0.0]]), targets).isnan()
    assert losses.cross_entropy_naive(torch.tensor([[1000.0, 0.0]]), targets).isnan()
    assert losses.cross_entropy_naive(torch.tensor([[-1000.0, 0.0]]), targets).isinf()
    assert losses.cross_entropy(torch.tensor([[1000.0, 0.0], [-1000.0, 0.0]]), torch.tensor([1, 0])) == 1000


# Properties.


def test_softmax_ignores_a_constant():
    logits = floats(4, 5)
    same(losses.softmax(logits + 700), losses.softmax(logits))
    same(losses.softmax(logits).sum(-1), torch.ones(4, dtype=torch.float64))
    same(losses.logsumexp(logits + 700), losses.logsumexp(logits) + 700)


def test_kl_is_positive_and_zero_for_equal_distributions():
    log_p, log_q = floats(100, 6).log_softmax(1), floats(100, 6).log_softmax(1)
    assert (losses.kl_div(log_p, log_q.exp(), "none").sum(1) > 0).all()
    assert losses.kl_div(log_p, log_p.exp(), "sum").abs() < 1e-12
    assert losses.kl_div(log_p, log_p, "sum", log_target=True) == 0


@pytest.mark.parametrize("vocabulary", [2, 100])
def test_perplexity_of_a_guess_is_the_vocabulary_and_of_certainty_one(vocabulary):
    targets = torch.randint(vocabulary, (30,))
    assert losses.perplexity(torch.zeros(30, vocabulary), targets).item() == pytest.approx(vocabulary, rel=1e-5)
    assert losses.perplexity(1000 * F.one_hot(targets, vocabulary).float(), targets) == 1


def test_the_limits_of_huber():
    predictions, targets = floats(50), floats(50)
    same(losses.huber_loss(predictions, targets, delta=1e3), losses.mse_loss(predictions, targets) / 2)
    steep = losses.huber_loss(predictions, targets, delta=1e-9) / 1e-9
    same(steep, losses.l1_loss(predictions, targets))


def test_two_classes_are_the_binary_case():
    logits, targets = floats(20), torch.randint(2, (20,))
    pairs = torch.stack([torch.zeros_like(logits), logits], 1)
    binary = losses.binary_cross_entropy_with_logits(logits, targets.double())
    same(binary, losses.cross_entropy(pairs, targets), logits)


@pytest.mark.parametrize("name", ["cross_entropy", "mse_loss", "binary_cross_entropy_with_logits"])
def test_nan_is_passed_on(name):
    targets = torch.tensor([0, 1]) if name == "cross_entropy" else torch.zeros(2, 2)
    assert getattr(losses, name)(torch.tensor([[math.nan, 0.0], [0.0, 1.0]]), targets).isnan()


def test_ignored_targets_only():
    logits, targets = floats(2, 3), torch.tensor([-100, -100])
    for reduction in ("sum", "none"):
        same(*(m.cross_entropy(logits, targets, reduction=reduction) for m in (losses, F)), logits)


# Messages.

ZEROS, ROWS, CLASSES = torch.zeros(3), torch.zeros(2, 3), torch.tensor([0, 2])


@pytest.mark.parametrize(
    "name, arguments, settings, message",
    [
        (
            "mse_loss",
            (torch.zeros(3, 1), ZEROS),
            {},
            r"shape \(3, 1\) and targets \(3,\).*targets.view_as\(predictions\)",
        ),
        ("l1_loss", (ZEROS, torch.zeros(2)), {}, r"shape \(3,\) and targets \(2,\); .* Make the shapes equal"),
        ("mse_loss", (ZEROS, ZEROS.long()), {}, r"targets must hold floats; .*torch.int64. Write targets.float\(\)"),
        ("huber_loss", (ZEROS.int(), ZEROS), {}, r"predictions must hold floats; .*int32. Write predictions.float\(\)"),
        ("mse_loss", ([1.0], ZEROS), {}, r"predictions must be a tensor; what came is a list. Write torch.tensor"),
        ("mse_loss", (ZEROS, ZEROS), {"reduction": "avg"}, "reduction is 'avg'. Choose 'mean', 'sum' or 'none'"),
        ("cross_entropy", (ROWS, CLASSES), {"reduction": "batchmean"}, "reduction is 'batchmean'. Choose"),
        ("huber_loss", (ZEROS, ZEROS), {"delta": 0.0}, "delta is 0.0; it must be above 0"),
        ("huber_gradient", (ZEROS, ZEROS), {"delta": math.nan}, "delta is nan; it must be above 0"),
        ("binary_cross_entropy", (ZEROS + 1.5, ZEROS), {}, "probabilities must be between 0 and 1; 1.5 came.*logits"),
        (
            "binary_cross_entropy",
            (ZEROS, ZEROS - 1),
            {},
            "targets must be between 0 and 1; -1 came. Classes are 0 and 1",
        ),
        ("binary_cross_entropy_with_logits", (ZEROS, ZEROS + 2), {}, "targets must be between 0 and 1; 2 came"),
        (
            "binary_cross_entropy_with_logits",
            (ROWS, ROWS),
            {"pos_weight": torch.ones(2)},
            r"weight has .*\(2,\).*\(2, 3\)",
        ),
        (
            "binary_cross_entropy",
            (ZEROS, ZEROS),
            {"weight": torch.ones(2, 3)},
            r"A weight has the shape \(2, 3\).*\(3,\)",
        ),
        ("binary_cross_entropy_gradient", (ZEROS, ROWS), {}, r"shape \(3,\) and targets \(2, 3\)"),
        (
            "cross_entropy",
            (ROWS, torch.tensor([0, 3])),
            {},
            "A target is 3, but the 3 classes are numbered 0 to 2.*ignore",
        ),
        ("cross_entropy", (ROWS, torch.tensor([0, -1])), {}, "A target is -1, but the 3 classes"),
        ("cross_entropy_gradient", (ROWS, torch.tensor([0, -100])), {}, "A target is -100, but the 3 classes"),
        (
            "cross_entropy",
            (ROWS, CLASSES.float()),
            {},
            r"class numbers, torch.long; torch.float32 came. Write targets.lo",
        ),
        ("cross_entropy", (ROWS, CLASSES.int()), {}, r"class numbers, torch.long; torch.int32 came"),
        ("cross_entropy", (ROWS, [0, 2]), {}, "targets must be a tensor; what came is a list"),
        ("cross_entropy", (ROWS.long(), CLASSES), {}, r"logits must hold floats; .*int64. Write logits.float\(\)"),
        (
            "cross_entropy",
            (ROWS, ROWS),
            {},
            r"\(2, 3\), so targets must be \(2,\); \(2, 3\) came. .*targets.argmax\(1\)",
        ),
        (
            "cross_entropy",
            (ROWS, CLASSES[:, None]),
            {},
            r"targets must be \(2,\); \(2, 1\) came. Write targets.view\(\(2,\)",
        ),
        (
            "cross_entropy",
            (torch.zeros(2, 4, 3), torch.zeros(2, 4).long()),
            {},
            r"\(2, 4\) came.*logits.flatten\(0, -2\)",
        ),
        (
            "cross_entropy",
            (ROWS, torch.zeros(5).long()),
            {},
            r"\(5,\) came. Classes are the only dimension of logits, or",
        ),
        (
            "cross_entropy",
            (torch.tensor(1.0), torch.tensor(0)),
            {},
            r"no dimension for the classes: their shape is \(\)",
        ),
        (
            "cross_entropy",
            (ROWS, CLASSES),
            {"weight": torch.ones(2)},
            r"weight has the shape \(2,\). Give.*class: \(3,\)",
        ),
        (
            "cross_entropy",
            (ROWS, CLASSES),
            {"label_smoothing": 1.1},
            "label_smoothing is 1.1. It is a share: choose 0 to 1",
        ),
        (
            "cross_entropy",
            (ROWS, CLASSES * 0 - 100),
            {},
            r"Every target is ignore_index \(-100\).*Leave such a batch out",
        ),
        ("perplexity", (ROWS, CLASSES * 0), {"ignore_index": 0}, r"Every target is ignore_index \(0\)"),
        (
            "cross_entropy_naive",
            (ZEROS, torch.tensor(0)),
            {},
            r"logits must be \(N, C\); \(3,\) came. cross_entropy takes",
        ),
        ("kl_div", (ZEROS + 0.2, ZEROS + 0.2), {}, r"log_probabilities must be logs.*at most 0; 0.2 came.*log_softmax"),
        (
            "kl_div",
            (ZEROS - 1, ZEROS - 1),
            {},
            "targets must be between 0 and 1; -1 came. If they are logs, say log_target",
        ),
        ("kl_div", (ZEROS - 1, ZEROS + 0.2), {"log_target": True}, "targets must be logs of probabilities.*0.2 came"),
    ],
)
def test_messages(name, arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        getattr(losses, name)(*arguments, **settings)


N, C = 4, 3
LONG = torch.zeros(N, dtype=torch.long)
TORCH_SAYS = [
    ("expected target dtype to be Long … but got Float", torch.zeros(N, C), LONG.float()),
    ("Target 10 is out of bounds", torch.zeros(N, 10), LONG + 10),
    ("Expected target size [4, 7], got [4, 5]", torch.zeros(N, 5, 7), torch.zeros(N, 5, dtype=torch.long)),
    ("0D or 1D target tensor expected, multi-target not supported", torch.zeros(N, C), LONG[:, None]),
    (
        "Expected floating point type for target with class probabilities, got Long",
        torch.zeros(N, C),
        F.one_hot(LONG, C),
    ),
]


@pytest.mark.parametrize(("message", "logits", "targets"), TORCH_SAYS)
def test_the_lesson_names_the_cause_of_what_torch_says(message, logits, targets):
    with pytest.raises((RuntimeError, IndexError)) as caught:
        F.cross_entropy(logits, targets)
    assert all(part in str(caught.value) for part in message.split(" … "))
    lesson = pathlib.Path(__file__).parents[1] / "notebooks" / "05_losses.ipynb"
    assert message in lesson.read_text()
