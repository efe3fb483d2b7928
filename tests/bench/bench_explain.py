"""Explanations of 32 digits beside the libraries people use, with equal numbers of model evaluations.

All run in one thread and take turns, since a machine is never equally busy twice; a ratio is the median of the turns'.
Where only time is compared, the networks have random weights, since it does not depend on them. The error of a sampled
explanation is its root mean square distance to the exact values; LIME's is to the mean of 20 runs of ours.
"""

import statistics
import warnings

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.explain.integrated_gradients import integrated_gradients
from bmcourse.explain.lime import lime_tabular
from bmcourse.explain.shapley import kernel_shap, shapley_exact, shapley_sampling
from bmcourse.models.cnn import CNN
from bmcourse.models.mlp import MLP
from tests.bench import turns

SECONDS, TURNS = 10, 7
SAMPLES, PAIRS, TARGET = 2000, 10, 3
TARGETS = (
    "integrated gradients 4 times as fast as captum's or more, KernelSHAP 25 times and permutations 10 times as fast "
    "as shap's, LIME 30 times as lime's, exact values of 12 features in 200 ms"
)


def main():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print(f"{turns.machine()} Wanted: {TARGETS}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own
        gradient_rows()
        for features in (12, 64):
            model, digits, background = trained(features)
            shapley_rows(model, digits, background)
            lime_rows(model, digits, background)
    torch.set_num_threads(threads)


def networks():
    """From digits (B, 8, 8) to ten outputs: for the first two the explanation costs more than the network."""
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU()]
    return {
        "MLP 64-64-10": nn.Sequential(nn.Flatten(), MLP([64, 64, 10])).eval(),
        "torch's convolutions, 8 and 16 channels": nn.Sequential(
            nn.Unflatten(1, (1, 8)), *convolutions, nn.Flatten(), nn.Linear(16, 10)
        ).eval(),
        "the course's CNN, 8 and 16 channels": CNN(channels=8).eval(),
    }


def gradient_rows(steps=32):
    """Integrated gradients with the same points, the middles of the steps, and the error of completeness."""
    from captum.attr import IntegratedGradients

    inputs = data.digits().validation_images[:32]
    print_head(f"Integrated gradients, {steps} steps", "captum")
    for name, model in networks().items():
        target = model(inputs).argmax(dim=1)

        def ours(model=model, target=target):
            return integrated_gradients(model, inputs, target, steps=steps)

        def theirs(model=model, target=target):
            how = {"n_steps": steps, "method": "riemann_middle", "return_convergence_delta": True}
            return IntegratedGradients(model).attribute(inputs, target=target, **how)

        torch.testing.assert_close(ours()[0], theirs()[0].detach(), atol=1e-5, rtol=1e-4)
        print_row(name, ours, theirs)


class Counted:
    """A model's probabilities, and how many inputs it was asked about."""

    def __init__(self, model):
        self.model, self.count = model, 0

    @torch.no_grad()
    def __call__(self, x):
        self.count += len(x)
        return self.model(x).softmax(dim=1)

    def numpy(self, x):
        """The explained output alone, for libraries that know no torch."""
        return self(torch.as_tensor(x, dtype=torch.float32))[:, TARGET].numpy()


def trained(features):
    """An MLP trained on digits of 12 or 64 features, 32 digits to explain, and 200 that are the background."""
    torch.manual_seed(0)
    digits, size = data.digits(), (8, 8) if features == 64 else (4, 3)
    images = F.adaptive_avg_pool2d(digits.train_images[:, None], size).flatten(1)
    model = MLP([features, 80, 10])
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(model(images), digits.train_labels).backward()
        optimizer.step()
    explained = F.adaptive_avg_pool2d(digits.validation_images[:32, None], size).flatten(1)
    return Counted(model.eval()), explained, images[:200]


def shapley_rows(model, digits, background):
    """KernelSHAP and permutations beside shap's; what is absent is as in the mean digit."""
    import shap

    G, x, mean = digits.shape[1], digits.numpy(), background.mean(dim=0, keepdim=True)
    print_head(f"Shapley values of {G} features", "shap")
    if G == 12:
        exact = shapley_exact(model, digits, TARGET, background=mean)
        explainer = shap.explainers.ExactExplainer(model.numpy, shap.maskers.Independent(mean.numpy()))
        print_row(
            "exact",
            lambda: shapley_exact(model, digits, TARGET, background=mean),
            lambda: explainer(x, silent=True).values,
        )
    else:
        exact, _ = shapley_sampling(model, digits, TARGET, background=mean, permutations=2000, seed=1)
    kernel = shap.KernelExplainer(model.numpy, mean.numpy(), seed=0)
    print_pair(
        f"KernelSHAP, {SAMPLES} samples",
        lambda: kernel_shap(model, digits, TARGET, background=mean, samples=SAMPLES),
        lambda: kernel.shap_values(x, nsamples=SAMPLES, l1_reg=False, silent=True),
        (model, exact),
    )
    permutation = shap.explainers.PermutationExplainer(model.numpy, shap.maskers.Independent(mean.numpy()), seed=0)
    print_pair(
        f"{PAIRS} permutations and their reverse",
        lambda: shapley_sampling(model, digits, TARGET, background=mean, permutations=2 * PAIRS)[0],
        lambda: permutation(x, max_evals=PAIRS * (2 * G + 1), silent=True).values,
        (model, exact),
    )


def lime_rows(model, digits, background):
    """LIME beside lime_tabular that draws around the input and leaves the features as they are.

    A pixel that never varies stays as it is with us and is given noise of size 1 there, which makes its error larger.
    """
    from lime.lime_tabular import LimeTabularExplainer

    G = digits.shape[1]
    plain = {"discretize_continuous": False, "sample_around_instance": True, "feature_selection": "none"}
    explainer = LimeTabularExplainer(background.numpy(), mode="regression", random_state=0, **plain)

    def theirs():
        given = {"predict_fn": model.numpy, "num_features": G, "num_samples": SAMPLES}
        found = [explainer.explain_instance(row, **given).local_exp[1] for row in digits.numpy()]
        return [[slope for _, slope in sorted(pairs)] for pairs in found]

    def ours(seed=0):
        return lime_tabular(model, digits, background, TARGET, samples=SAMPLES, seed=seed)

    print_head(f"LIME, {G} features", "lime")
    settled = torch.stack([ours(seed) for seed in range(1, 21)]).mean(dim=0)
    print_pair(f"{SAMPLES} samples", ours, theirs, (model, settled))


def print_pair(name, ours, theirs, judge):
    """print_row, and behind it how many inputs both asked the model about, and their errors."""
    model, exact = judge
    said = []
    for explain in (ours, theirs):
        model.count = 0
        error = (torch.as_tensor(explain()) - exact).square().mean().sqrt()
        said.append(f"{model.count:,} inputs, error {error:.5f}")
    print_row(name, ours, theirs)
    print(f"    {said[0]}; theirs {said[1]}", flush=True)


def print_head(title, library):
    print(f"\n{title:<48}   ours ms   {library:>10} ms   times as fast   middle half", flush=True)


def print_row(name, ours, theirs):
    """The milliseconds of both, and how often ours is done while theirs is done once."""
    ours(), theirs()  # the first time is never like the others
    measures = {"ours": lambda: turns.seconds(ours), "theirs": lambda: turns.seconds(theirs)}
    seconds = turns.take_turns(measures, SECONDS, TURNS)
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["theirs"], strict=True)]
    low, middle, high = statistics.quantiles(ratios)
    mine, peers = (1000 * statistics.median(column) for column in seconds.values())
    print(f"  {name:<46}   {mine:>7.1f}   {peers:>13.1f}   {middle:>13.1f}   {low:.1f} to {high:.1f}", flush=True)
