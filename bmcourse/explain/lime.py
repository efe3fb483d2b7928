"""LIME: explain one prediction by a simple linear model that was fitted to the big one's answers nearby.

Source: Ribeiro, Singh and Guestrin, "'Why Should I Trust You?' Explaining the Predictions of Any Classifier", 2016,
section 3. The kernels, their widths and the ridge's strength are those of the authors' package `lime`.
"""

import math

import torch

from bmcourse.explain.core import check_baseline, check_groups, check_model, masked_outputs, outputs_for
from bmcourse.explain.shapley import check_background

STRENGTHS = {"ridge": 1.0, "lasso": 0.01}


def lime(
    model,
    inputs,
    target=None,
    baseline=0.0,
    groups=None,
    samples=1000,
    kernel_width=0.25,
    penalty="ridge",
    strength=None,
    seed=0,
):
    """The slopes (B, G) of a linear model of "is this group present?": for patches of an image, or words of a text.

    Each sample keeps every group by the toss of a coin; one keeps all. Samples near the input count more: distance is
    1 - the cosine between the switches and all ones, and `kernel_width` says what is near. All inputs share the
    samples. `penalty` is "ridge", or "lasso" for few slopes that are not 0; `strength` is scikit-learn's alpha, None
    for 1 (ridge) or 0.01 (lasso). A text's words go through words.text_model. Raises ValueError for samples that are no
    more than G, a width or a strength that is not positive, an unknown penalty, and what core.check_model,
    check_groups and check_baseline refuse.
    """
    target = check_model(model, inputs, target)
    groups, G = check_groups(groups, inputs)
    check_samples(samples, G, kernel_width)
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(samples, G, generator=generator) < 0.5
    present[0] = True
    outputs = masked_outputs(
        model, inputs, target, present[None].to(inputs.device), groups, check_baseline(baseline, inputs)
    )
    distance = 1 - present.double().mean(dim=1).sqrt()
    return fit_slopes(present, outputs, nearness(distance, kernel_width), penalty, strength)


def lime_tabular(
    model,
    inputs,
    background,
    target=None,
    samples=1000,
    kernel_width=None,
    penalty="ridge",
    strength=None,
    seed=0,
):
    """The slopes (B, F) around each input (B, F) of a table, in output per standard deviation of each feature.

    Samples are the input plus normal noise with the standard deviations of the background (M, F); one is the input
    itself. Samples near the input count more: the distance is that of the standardised features, `kernel_width` None is
    0.75 √F. All inputs share the noise. A slope is no contribution: times (x - mean) / standard deviation it can be
    compared with a Shapley value. A feature that never varies in the background has the slope 0. `penalty`, `strength`
    and what is raised: as in lime, and ValueError for a background that does not fit.
    The package does the same with discretize_continuous=False, sample_around_instance=True, feature_selection="none".
    """
    target = check_model(model, inputs, target)
    deviation = check_background(background, inputs).std(dim=0, correction=0)
    B, F = len(inputs), deviation.numel()
    kernel_width = 0.75 * math.sqrt(F) if kernel_width is None else kernel_width
    check_samples(samples, F, kernel_width)
    noise = torch.randn(samples, *deviation.shape, generator=torch.Generator().manual_seed(seed)).to(inputs)
    noise[0] = 0
    nearby = (inputs[:, None] + noise * deviation).flatten(0, 1)
    outputs = outputs_for(model, nearby, target.repeat_interleave(samples)).view(B, samples)
    noise = noise.flatten(1)
    weights = nearness(noise.double().norm(dim=1), kernel_width)
    return fit_slopes(noise * (deviation.flatten() > 0), outputs, weights, penalty, strength)


def nearness(distance, kernel_width):
    """The weight of a sample at a distance: 1 at the input itself, less and less further away."""
    return (-(distance**2) / (2 * kernel_width**2)).exp()


def fit_slopes(features, outputs, weights, penalty="ridge", strength=None):
    """The slopes (B, F) of penalised weighted regressions of outputs (B, S) on the same features (S, F)."""
    if penalty not in STRENGTHS:
        raise ValueError(f"There is no penalty {penalty!r}; choose one of {', '.join(STRENGTHS)}.")
    strength = STRENGTHS[penalty] if strength is None else strength
    if not strength > 0:
        raise ValueError(f"strength is {strength}; expected more than 0, such as {STRENGTHS[penalty]}.")
    fit = weighted_ridge if penalty == "ridge" else weighted_lasso
    return fit(features.double(), outputs.double(), weights.to(outputs.device), strength).float()


def weighted_ridge(features, outputs, weights, strength):
    """Ridge regression with an intercept that is not penalised, for all outputs in one solve."""
    centred = features.to(outputs.device) - (weights @ features.to(outputs.device)) / weights.sum()
    weighted = centred * weights[:, None]
    squares = weighted.T @ centred
    squares.diagonal().add_(strength)
    return torch.linalg.solve(squares, weighted.T @ outputs.T).T


def weighted_lasso(features, outputs, weights, strength):
    """The lasso with an intercept, by scikit-learn: one output after another, from the same products of features."""
    from sklearn.linear_model import Lasso

    model = Lasso(strength, precompute=True)
    model.fit(features.cpu().numpy(), outputs.T.cpu().numpy(), sample_weight=weights.cpu().numpy())
    return torch.as_tensor(model.coef_, device=outputs.device).view(len(outputs), -1)


def check_samples(samples, G, kernel_width):
    if samples <= G:
        raise ValueError(f"samples is {samples}; expected more than {G}, the number of slopes that are fitted to them.")
    if not kernel_width > 0:
        raise ValueError(f"kernel_width is {kernel_width}; expected more than 0.")
