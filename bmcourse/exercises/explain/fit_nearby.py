"""The weighted linear fit at the heart of LIME (lesson 12)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.results import without_graph

NO_GRADIENT = {"a gradient is wanted": "LIME explains a model that is trained; nothing learns through the fit"}
ONE_SAMPLE = {"one in its first dimension": "one sample leaves a line open"}


@exercise(
    prompt="The heart of LIME. A model was asked about `samples` (S, F) around the input x (F,), and gave `outputs` "
    "(S,). A sample at the distance d from x (Euclidean) gets the weight exp(-d² / width²). Fit a linear function with "
    "an intercept to the outputs, so that the weighted sum of squared errors is smallest. Returns its slopes (F,), "
    "without the intercept.",
    tolerance=2e-4,
    untried={"x": NO_GRADIENT, "samples": NO_GRADIENT | ONE_SAMPLE, "outputs": NO_GRADIENT | ONE_SAMPLE},
)
def fit_nearby(x, samples, outputs, width):
    squared_distances = ((samples - x) ** 2).sum(dim=1)
    weights = torch.exp(-squared_distances / width**2)
    design = torch.cat([torch.ones(len(samples), 1), samples], dim=1)
    root = weights.sqrt()[:, None]
    return torch.linalg.lstsq(root * design, root[:, 0] * outputs).solution[1:]


def around(x, samples, width):
    samples = x + torch.randn(samples, len(x))
    outputs = 2 + torch.sin(2 * samples[:, 0]) + samples[:, 1] ** 2 + samples.sum(dim=1)
    return x, samples, outputs, width


def with_parts_taken_away(parts, samples):
    """Samples of words or patches: 1 is there, 0 is gone; x has them all."""
    samples = (torch.rand(samples, parts) < 0.5).float()
    outputs = torch.sigmoid(samples @ torch.randn(parts) + 3 * samples[:, 0] * samples[:, 1])
    return torch.ones(parts), samples, outputs, 0.75 * parts**0.5


@fit_nearby.cases
def cases():
    one_feature = (
        torch.tensor([[3.0, 5.0, 3.0, 4.5, 2.0]]).double().T,
        torch.tensor([1.0, 0.0, 2.0, 2.0, -3.0]).double(),
    )
    _, apart, heights, _ = around(torch.tensor([8.0, -9.0]).double(), 20, 2)
    return [
        (
            torch.tensor([0.0, 0.0]),
            torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]),
            torch.tensor([3.0, -2.0, 0.0, 1.0]),
            1.0,
        ),
        around(torch.randn(3), 30, 1.5),
        around(torch.randn(2) + 2, 40, 0.8),
        with_parts_taken_away(5, 60),
        (torch.tensor([4.0]).double(), *one_feature, 2),
        (torch.tensor([8.0, -9.0]).double(), apart.T.contiguous().T, heights, 2.0),
    ]


fit_nearby.run(without_graph)


@fit_nearby.judge
def by_centring(x, samples, outputs, width):
    """In double precision: with weighted means taken away, no intercept is needed."""
    x, samples, outputs = x.double(), samples.double(), outputs.double()
    weights = torch.exp(-((samples - x).norm(dim=1) ** 2) / width**2)
    shares = (weights / weights.sum())[:, None]
    samples, outputs = samples - (shares * samples).sum(dim=0), outputs - (shares[:, 0] * outputs).sum()
    return torch.linalg.solve(samples.T @ (shares * samples), samples.T @ (shares[:, 0] * outputs)).float()


@fit_nearby.right
def by_normal_equations(x, samples, outputs, width):
    weights = torch.diag(torch.exp(-((torch.cdist(samples, x[None])[:, 0] / width) ** 2)))
    design = F.pad(samples, (1, 0), value=1.0)
    return (torch.linalg.inv(design.T @ weights @ design) @ design.T @ weights @ outputs)[1:]


@fit_nearby.right
def around_x(x, samples, outputs, width):
    moved = samples - x
    root = torch.exp(-moved.square().sum(1) / (2 * width**2)).unsqueeze(1)
    design = torch.hstack([moved, torch.ones_like(root)])
    return (torch.linalg.pinv(root * design) @ (root.squeeze(1) * outputs))[:-1]


@fit_nearby.right
def by_qr(x, samples, outputs, width):
    weights = torch.stack([torch.exp(-(torch.dist(sample, x) ** 2) / width**2) for sample in samples])
    design = torch.column_stack([torch.ones(len(samples)), samples])
    q, r = torch.linalg.qr(design * weights.sqrt()[:, None])
    return torch.linalg.solve_triangular(r, q.T @ (outputs * weights.sqrt())[:, None], upper=True)[1:, 0]


@fit_nearby.right
def with_numpy(x, samples, outputs, width):
    import numpy as np

    x, samples, outputs = x.double().numpy(), samples.double().numpy(), outputs.double().numpy()
    weights = np.exp(-(np.linalg.norm(samples - x, axis=1) ** 2) / width**2)
    design = np.c_[np.ones(len(samples)), samples]
    solution = np.linalg.solve(design.T * weights @ design, design.T * weights @ outputs)
    return torch.tensor(solution[1:], dtype=torch.float32)


def near(squared_distances, width):
    return torch.exp(-squared_distances / width**2)


def ones_first(samples):
    return F.pad(samples, (1, 0), value=1.0)


def solved(matrix, vector):
    return torch.linalg.lstsq(matrix, vector).solution


def fitted(weigh=near, design=ones_first, outputs_too=True, result=lambda w: w[1:]):
    """A wrong fit: samples weighed by `weigh(squared distances, width)`, a part `result` of the solution."""

    def answer(x, samples, outputs, width):
        root = weigh(((samples - x) ** 2).sum(dim=1), width).sqrt()
        return result(solved(root[:, None] * design(samples), root * outputs if outputs_too else outputs))

    return answer


def with_distances(distances):
    """A wrong fit: the samples are weighed by `distances(samples, x)`, which stand for the squared distances."""

    def answer(x, samples, outputs, width):
        root = near(distances(samples, x), width).sqrt()
        return solved(root[:, None] * ones_first(samples), root * outputs)[1:]

    return answer


# The intercept.


fit_nearby.mistake(
    "Your line must pass through 0: the intercept is missing. The slopes then have to explain the output's "
    "level as well. Give the samples a column of ones.",
    no_intercept=fitted(design=lambda samples: samples, result=lambda w: w),
)


@fit_nearby.mistake(
    "Your line must pass through 0 at x: with samples - x, too, an intercept is needed, the model's level there. Give "
    "the samples a column of ones."
)
def no_intercept_around_x(x, samples, outputs, width):
    root = near(((samples - x) ** 2).sum(dim=1), width).sqrt()
    return solved(root[:, None] * (samples - x), root * outputs)


@fit_nearby.mistake(
    "You subtract plain means in place of an intercept. In a weighted fit they must be weighted means; a column of "
    "ones "
    "is easier."
)
def plain_means_taken_away(x, samples, outputs, width):
    root = near(((samples - x) ** 2).sum(dim=1), width).sqrt()
    return solved(root[:, None] * (samples - samples.mean(0)), root * (outputs - outputs.mean()))


@fit_nearby.mistake(
    "The column of ones comes after the weighting, so its rows are not weighed. Add it to the samples first."
)
def ones_not_weighed(x, samples, outputs, width):
    root = near(((samples - x) ** 2).sum(dim=1), width).sqrt()
    return solved(ones_first(root[:, None] * samples), root * outputs)[1:]


fit_nearby.mistake(
    "The first of your numbers is the intercept. Return the slopes alone, one for each feature: [1:].",
    intercept_returned=fitted(result=lambda w: w),
)


fit_nearby.mistake(
    "The last of your numbers is the intercept. Return the slopes alone, one for each feature: [:-1].",
    intercept_returned_last=fitted(result=lambda w: torch.cat([w[1:], w[:1]])),
)


fit_nearby.mistake(
    "You return the intercept and leave out the last slope. The column of ones came first: [1:].",
    last_left_out=fitted(result=lambda w: w[:-1]),
)


fit_nearby.mistake(
    "You leave out the first slope and return the intercept. The column of ones came last: [:-1].",
    first_left_out=fitted(result=lambda w: torch.cat([w[2:], w[:1]])),
)


fit_nearby.mistake(
    "You return the intercept alone. Return the slopes, one for each feature.",
    intercept_alone=fitted(result=lambda w: w[0]),
)


# The weights.


fit_nearby.mistake(
    "All samples count alike. LIME asks about the neighbourhood of x: weigh them by exp(-d² / width²).",
    not_weighed=fitted(lambda squares, width: torch.ones_like(squares)),
)


fit_nearby.mistake(
    "Two things are missing: the weights exp(-d² / width²), and the intercept, which is a column of ones.",
    no_weights_no_intercept=fitted(
        lambda squares, width: torch.ones_like(squares), lambda samples: samples, result=lambda w: w
    ),
)


fit_nearby.mistake(
    "Your weights are squared. In least squares, a row multiplied by w counts w² times: multiply the rows by "
    "the roots of the weights.",
    root_forgotten=fitted(lambda squares, width: near(squares, width) ** 2),
)


fit_nearby.mistake(
    "Two things: a row multiplied by w counts w² times, so multiply by the roots of the weights; and the intercept, a "
    "column of ones, is missing.",
    root_and_intercept_forgotten=fitted(
        lambda squares, width: near(squares, width) ** 2, lambda samples: samples, result=lambda w: w
    ),
)


fit_nearby.mistake(
    "Your weights are exp(-d² / (2 width²)), the roots of those asked. It is how statistics writes a normal "
    "distribution, and also what the lime library does; here it is exp(-d² / width²).",
    two_in_the_denominator=fitted(lambda squares, width: near(squares, width).sqrt()),
)


fit_nearby.mistake(
    "You take the root of the weights twice. Once will do: rows times weights.sqrt().",
    root_twice=fitted(lambda squares, width: near(squares, width) ** 0.25),
)


fit_nearby.mistake(
    "The width is not squared: with it, the weight would depend on the unit in which the distance is measured. "
    "exp(-d² / width²).",
    width_not_squared=fitted(lambda squares, width: torch.exp(-squares / width)),
)


fit_nearby.mistake(
    "You take the distance as it is. It is squared, and so is the width: exp(-(d / width)²).",
    distance_and_width_not_squared=fitted(lambda squares, width: torch.exp(-squares.sqrt() / width)),
)


fit_nearby.mistake(
    "You square the width and not the distance: exp(-d² / width²).",
    distance_not_squared=fitted(lambda squares, width: torch.exp(-squares.sqrt() / width**2)),
)


fit_nearby.mistake(
    "You square the distance twice. ((samples - x) ** 2).sum(dim=1) is d² already.",
    distance_squared_twice=fitted(lambda squares, width: torch.exp(-(squares**2) / width**2)),
)


fit_nearby.mistake(
    "You forgot the width. It says how far the neighbourhood reaches: exp(-d² / width²).",
    width_forgotten=fitted(lambda squares, width: torch.exp(-squares)),
)


fit_nearby.mistake(
    "You multiply by width² where you should divide: a larger width reaches farther. exp(-d² / width²).",
    multiplied_by_width=fitted(lambda squares, width: torch.exp(-squares * width**2)),
)


fit_nearby.mistake(
    "The minus is missing, so the farthest samples count most.",
    minus_missing=fitted(lambda squares, width: torch.exp(squares / width**2)),
)


fit_nearby.mistake(
    "softmax of the distances gives the farthest samples the greatest weights. exp(-d² / width²).",
    softmax_of_distances=fitted(lambda squares, width: torch.softmax(squares, dim=0)),
)


fit_nearby.mistake(
    "Your weights are the distances over the width themselves: the farthest samples count most. exp(-d² / width²).",
    distances_as_weights=fitted(lambda squares, width: squares / width**2),
)


fit_nearby.mistake(
    "Your weights are 1 / (1 + d² / width²), another kernel. Here it is exp(-d² / width²).",
    another_kernel=fitted(lambda squares, width: 1 / (1 + squares / width**2)),
)


fit_nearby.mistake(
    "Samples within the width count alike, and those beyond not at all. Here the weight falls smoothly: "
    "exp(-d² / width²).",
    all_within_the_width=fitted(lambda squares, width: (squares <= width**2).to(squares)),
)


fit_nearby.mistake(
    "You weigh by 1 minus the weight, so the farthest samples count most.",
    one_minus_the_weight=fitted(lambda squares, width: 1 - near(squares, width)),
)


fit_nearby.mistake(
    "You weigh the samples and not the outputs. A row of the fit is both: multiply both sides by the root.",
    outputs_not_weighed=fitted(outputs_too=False),
)


@fit_nearby.mistake(
    "You weigh the outputs and not the samples. A row of the fit is both: multiply both sides by the root."
)
def samples_not_weighed(x, samples, outputs, width):
    root = near(((samples - x) ** 2).sum(dim=1), width).sqrt()
    return solved(ones_first(samples), root * outputs)[1:]


@fit_nearby.mistake(
    "You multiply the samples by the root of the weights and the outputs by the weights. Both sides get the root."
)
def outputs_weighed_twice(x, samples, outputs, width):
    weights = near(((samples - x) ** 2).sum(dim=1), width)
    return solved(weights.sqrt()[:, None] * ones_first(samples), weights * outputs)[1:]


@fit_nearby.mistake("You multiply the samples by the weights and the outputs by their root. Both sides get the root.")
def samples_weighed_twice(x, samples, outputs, width):
    weights = near(((samples - x) ** 2).sum(dim=1), width)
    return solved(weights[:, None] * ones_first(samples), weights.sqrt() * outputs)[1:]


@fit_nearby.mistake("The weights are missing on the right of the normal equations: (Xᵀ W X)⁻¹ Xᵀ W y.")
def weights_on_the_left_only(x, samples, outputs, width):
    design, weights = ones_first(samples), near(((samples - x) ** 2).sum(dim=1), width)
    return torch.linalg.solve(design.T @ (weights[:, None] * design), design.T @ outputs)[1:]


@fit_nearby.mistake("The weights are missing on the left of the normal equations: (Xᵀ W X)⁻¹ Xᵀ W y.")
def weights_on_the_right_only(x, samples, outputs, width):
    design, weights = ones_first(samples), near(((samples - x) ** 2).sum(dim=1), width)
    return torch.linalg.solve(design.T @ design, design.T @ (weights * outputs))[1:]


# The distances.


fit_nearby.mistake(
    "You average over the features. The squared distance is their sum.",
    mean_over_features=with_distances(lambda samples, x: ((samples - x) ** 2).mean(dim=1)),
)


fit_nearby.mistake(
    "You add up absolute differences. The Euclidean distance squares them first: (samples - x) ** 2.",
    absolute_differences=with_distances(lambda samples, x: (samples - x).abs().sum(dim=1) ** 2),
)


fit_nearby.mistake(
    "You take the largest difference of a feature. The Euclidean distance adds up the squares of all.",
    largest_difference=with_distances(lambda samples, x: (samples - x).abs().amax(dim=1) ** 2),
)


fit_nearby.mistake(
    "You add up the differences and square then, so plus and minus cancel. Square each first.",
    added_before_squared=with_distances(lambda samples, x: (samples - x).sum(dim=1) ** 2),
)


fit_nearby.mistake(
    "You measure the distance from 0. Measure it from x: samples - x.",
    distance_from_zero=with_distances(lambda samples, x: (samples**2).sum(dim=1)),
)


fit_nearby.mistake(
    "You measure the distance from the mean of the samples. Measure it from x, which is what is explained.",
    distance_from_the_mean=with_distances(lambda samples, x: ((samples - samples.mean(dim=0)) ** 2).sum(dim=1)),
)


fit_nearby.mistake(
    "You measure the distance from the first sample. Measure it from x.",
    distance_from_the_first=with_distances(lambda samples, x: ((samples - samples[0]) ** 2).sum(dim=1)),
)


fit_nearby.mistake(
    "Your distance is the angle between sample and x, by cosine similarity. Here it is Euclidean: samples - x.",
    cosine=with_distances(lambda samples, x: (1 - F.cosine_similarity(samples, x[None], dim=1)) ** 2),
)


fit_nearby.mistake(
    "You sum over the samples, dim=0: a number for each feature. A distance is for each sample: dim=1.",
    sum_over_samples=with_distances(lambda samples, x: ((samples - x) ** 2).sum(dim=0)),
)


# The slopes.


@fit_nearby.mistake(
    "You fit one feature at a time. Where features move together, each then gets the others' effect too. One "
    "fit for all."
)
def one_by_one(x, samples, outputs, width):
    return torch.cat([fit_nearby(x[f : f + 1], samples[:, f : f + 1], outputs, width) for f in range(len(x))])


@fit_nearby.mistake("You shrink the slopes: ridge regression with a penalty of 1. Least squares has none.")
def ridge(x, samples, outputs, width):
    design, weights = ones_first(samples), near(((samples - x) ** 2).sum(dim=1), width)
    left = design.T @ (weights[:, None] * design) + torch.eye(design.shape[1])
    return torch.linalg.solve(left, design.T @ (weights * outputs))[1:]


fit_nearby.mistake(
    "You multiply the slopes by x. That makes an effect of a slope, and is a good idea when LIME is compared "
    "with Shapley values; here return the slopes.",
    times_x=lambda x, *rest: x * fit_nearby(x, *rest),
)


fit_nearby.mistake(
    "You multiply the slopes by the spread of the features. Return the slopes as they are.",
    standardised=lambda x, samples, *rest: samples.std(dim=0) * fit_nearby(x, samples, *rest),
)


fit_nearby.mistake(
    "You return absolute values. A slope's sign says whether the feature raises or lowers the output: keep it.",
    absolute_slopes=lambda *case: fit_nearby(*case).abs(),
)


fit_nearby.mistake(
    "You divide the slopes by the sum of their absolute values. Return them as they are.",
    shares=lambda *case: fit_nearby(*case) / fit_nearby(*case).abs().sum(),
)


fit_nearby.mistake(
    "Your result is a column, (F, 1). Asked is (F,): [:, 0].", a_column=lambda *case: fit_nearby(*case)[:, None]
)


fit_nearby.mistake(
    "lstsq gives several things, of which the fit is .solution.",
    solution_forgotten=fit_nearby.changed(".solution[1:]", "[1:]"),
)


fit_nearby.hints(
    "The squared distance of every sample is ((samples - x) ** 2).sum(dim=1).",
    "A column of ones beside the samples gives the intercept. torch.linalg.lstsq(A, b).solution makes "
    "(A w - b)² smallest.",
    "To give a row the weight w, multiply it by w.sqrt(), in A and in b alike.",
)
