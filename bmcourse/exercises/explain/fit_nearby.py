"""The exercise `fit_nearby` of lesson 09."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The heart of LIME. A model was asked about `samples` (S, F) around the input x (F,), and gave `outputs` "
    "(S,). A sample at the distance d from x (Euclidean) gets the weight exp(-d² / width²). Fit a linear function with "
    "an intercept to the outputs, so that the weighted sum of squared errors is smallest. Returns its slopes (F,), "
    "without the intercept.",
    tolerance=2e-4,
)
def fit_nearby(x, samples, outputs, width):
    squared_distances = ((samples - x) ** 2).sum(dim=1)
    weights = torch.exp(-squared_distances / width**2)
    design = torch.cat([torch.ones(len(samples), 1), samples], dim=1)
    root = weights.sqrt()[:, None]
    return torch.linalg.lstsq(root * design, root[:, 0] * outputs).solution[1:]


def _around(x, samples, width):
    samples = x + torch.randn(samples, len(x))
    outputs = 2 + torch.sin(2 * samples[:, 0]) + samples[:, 1] ** 2 + samples.sum(dim=1)
    return x, samples, outputs, width


def with_parts_taken_away(parts, samples):
    """Samples of words or patches: 1 is there, 0 is gone; x has them all."""
    samples = (torch.rand(samples, parts) < 0.5).float()
    outputs = torch.sigmoid(samples @ torch.randn(parts) + 3 * samples[:, 0] * samples[:, 1])
    return torch.ones(parts), samples, outputs, 0.75 * parts**0.5


@fit_nearby.judge
def fit_by_centring(x, samples, outputs, width):
    """In double precision: with weighted means taken away, no intercept is needed."""
    x, samples, outputs = x.double(), samples.double(), outputs.double()
    weights = torch.exp(-((samples - x).norm(dim=1) ** 2) / width**2)
    shares = (weights / weights.sum())[:, None]
    samples, outputs = samples - (shares * samples).sum(dim=0), outputs - (shares[:, 0] * outputs).sum()
    return torch.linalg.solve(samples.T @ (shares * samples), samples.T @ (shares[:, 0] * outputs)).float()


@fit_nearby.right
def fit_by_normal_equations(x, samples, outputs, width):
    weights = torch.diag(torch.exp(-((torch.cdist(samples, x[None])[:, 0] / width) ** 2)))
    design = F.pad(samples, (1, 0), value=1.0)
    return (torch.linalg.inv(design.T @ weights @ design) @ design.T @ weights @ outputs)[1:]


@fit_nearby.right
def fit_around_x(x, samples, outputs, width):
    moved = samples - x
    root = torch.exp(-moved.square().sum(1) / (2 * width**2)).unsqueeze(1)
    design = torch.hstack([moved, torch.ones_like(root)])
    return (torch.linalg.pinv(root * design) @ (root.squeeze(1) * outputs))[:-1]


@fit_nearby.right
def fit_by_qr(x, samples, outputs, width):
    weights = torch.stack([torch.exp(-(torch.dist(sample, x) ** 2) / width**2) for sample in samples])
    design = torch.column_stack([torch.ones(len(samples)), samples])
    q, r = torch.linalg.qr(design * weights.sqrt()[:, None])
    return torch.linalg.solve_triangular(r, q.T @ (outputs * weights.sqrt())[:, None], upper=True)[1:, 0]


def near(squared_distances, width):
    return torch.exp(-squared_distances / width**2)


def fitted(
    weigh=near, design=lambda samples: F.pad(samples, (1, 0), value=1.0), outputs_too=True, result=lambda w: w[1:]
):
    """A wrong fit: samples weighed by `weigh(squared distances, width)`, a part `result` of the solution."""

    def answer(x, samples, outputs, width):
        root = weigh(((samples - x) ** 2).sum(dim=1), width).sqrt()
        return result(solved(root[:, None] * design(samples), root * outputs if outputs_too else outputs))

    return answer


def solved(matrix, vector):
    return torch.linalg.lstsq(matrix, vector).solution


def with_distances(distances):
    """A wrong fit: the samples are weighed by `distances(samples, x)`, which stand for the squared distances."""

    def answer(x, samples, outputs, width):
        root = near(distances(samples, x), width).sqrt()
        return solved(root[:, None] * F.pad(samples, (1, 0), value=1.0), root * outputs)[1:]

    return answer


@fit_nearby.mistake(
    "You fit one feature at a time. Where features move together, each then gets the others' effect too. One "
    "fit for all."
)
def one_by_one(x, samples, outputs, width):
    return torch.cat([fit_nearby(x[f : f + 1], samples[:, f : f + 1], outputs, width) for f in range(len(x))])


@fit_nearby.mistake(
    "You multiply the slopes by x. That makes an effect of a slope, and is a good idea when LIME is compared "
    "with Shapley values; here return the slopes."
)
def times_x(x, samples, outputs, width):
    return x * fit_nearby(x, samples, outputs, width)


@fit_nearby.mistake("You multiply the slopes by the spread of the features. Return the slopes as they are.")
def standardised(x, samples, outputs, width):
    return samples.std(dim=0) * fit_nearby(x, samples, outputs, width)


@fit_nearby.cases
def cases():
    return [
        (
            torch.tensor([0.0, 0.0]),
            torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]),
            torch.tensor([3.0, -2.0, 0.0, 1.0]),
            1.0,
        ),
        _around(torch.randn(3), 30, 1.5),
        _around(torch.randn(2) + 2, 40, 0.8),
        with_parts_taken_away(5, 60),
    ]


fit_nearby.mistake(
    "Your line must pass through 0: the intercept is missing. The slopes then have to explain the output's "
    "level as well. Give the samples a column of ones.",
    TODO_80=fitted(design=lambda samples: samples, result=lambda w: w),
)


fit_nearby.mistake(
    "All samples count alike. LIME asks about the neighbourhood of x: weigh them by exp(-d² / width²).",
    TODO_81=fitted(lambda squares, width: torch.ones_like(squares)),
)


fit_nearby.mistake(
    "Two things are missing: the weights exp(-d² / width²), and the intercept, which is a column of ones.",
    TODO_82=fitted(lambda squares, width: torch.ones_like(squares), lambda samples: samples, result=lambda w: w),
)


fit_nearby.mistake(
    "Your weights are squared. In least squares, a row multiplied by w counts w² times: multiply the rows by "
    "the roots of the weights.",
    TODO_83=fitted(lambda squares, width: near(squares, width) ** 2),
)


fit_nearby.mistake(
    "Your weights are exp(-d² / (2 width²)), the roots of those asked. It is how statistics writes a normal "
    "distribution, and also what the lime library does; here it is exp(-d² / width²).",
    TODO_84=fitted(lambda squares, width: near(squares, width).sqrt()),
)


fit_nearby.mistake(
    "The width is not squared: with it, the weight would depend on the unit in which the distance is measured. "
    "exp(-d² / width²).",
    TODO_85=fitted(lambda squares, width: torch.exp(-squares / width)),
)


fit_nearby.mistake(
    "You take the distance as it is. It is squared, and so is the width: exp(-(d / width)²).",
    TODO_86=fitted(lambda squares, width: torch.exp(-squares.sqrt() / width)),
)


fit_nearby.mistake(
    "You forgot the width. It says how far the neighbourhood reaches: exp(-d² / width²).",
    TODO_87=fitted(lambda squares, width: torch.exp(-squares)),
)


fit_nearby.mistake(
    "The minus is missing, so the farthest samples count most.",
    TODO_88=fitted(lambda squares, width: torch.exp(squares / width**2)),
)


fit_nearby.mistake(
    "softmax of the distances gives the farthest samples the greatest weights. exp(-d² / width²).",
    TODO_89=fitted(lambda squares, width: torch.softmax(squares, dim=0)),
)


fit_nearby.mistake(
    "You weigh the samples and not the outputs. A row of the fit is both: multiply both sides by the root.",
    TODO_90=fitted(outputs_too=False),
)


fit_nearby.mistake(
    "You average over the features. The squared distance is their sum.",
    TODO_91=with_distances(lambda samples, x: ((samples - x) ** 2).mean(dim=1)),
)


fit_nearby.mistake(
    "You add up absolute differences. The Euclidean distance squares them first: (samples - x) ** 2.",
    TODO_92=with_distances(lambda samples, x: (samples - x).abs().sum(dim=1) ** 2),
)


fit_nearby.mistake(
    "You measure the distance from 0. Measure it from x: samples - x.",
    TODO_93=with_distances(lambda samples, x: (samples**2).sum(dim=1)),
)


fit_nearby.mistake(
    "You measure the distance from the mean of the samples. Measure it from x, which is what is explained.",
    TODO_94=with_distances(lambda samples, x: ((samples - samples.mean(dim=0)) ** 2).sum(dim=1)),
)


fit_nearby.mistake(
    "The first of your numbers is the intercept. Return the slopes alone, one for each feature: [1:].",
    TODO_95=fitted(result=lambda w: w),
)


fit_nearby.mistake(
    "You return the intercept and leave out the last slope. The column of ones came first: [1:].",
    TODO_96=fitted(result=lambda w: w[:-1]),
)


fit_nearby.hints(
    "The squared distance of every sample is ((samples - x) ** 2).sum(dim=1).",
    "A column of ones beside the samples gives the intercept. torch.linalg.lstsq(A, b).solution makes "
    "(A w - b)² smallest.",
    "To give a row the weight w, multiply it by w.sqrt(), in A and in b alike.",
)
