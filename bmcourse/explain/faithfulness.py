"""How to judge an explanation: take away what it calls important, destroy the model, compare it with another one.

An explanation is faithful (忠实) when it says what the model does, which is not whether it pleases the eye.
"""

import copy

import torch

from bmcourse.explain.core import call, check_baseline, check_groups, check_model, masked_outputs

# ---------------------------------------------------------------- deletion and insertion


def deletion_curve(model, inputs, attributions, target=None, baseline=0.0, groups=None, steps=None):
    """The probability of the target while groups are taken away, the most important first: (B, steps + 1), area (B,).

    `model` gives logits; `attributions` (B, G), or the inputs' shape where each feature is a group, say how important
    each is. The curve goes from the whole input to the baseline; `steps` None takes one group at a time. The area is
    the curve's mean height: small where the explanation is good. Equal attributions go in their order.
    Raises ValueError for attributions that do not fit or are not finite, steps out of range, and as check_model does.
    Source: Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", 2018.
    """
    return _curve(model, inputs, attributions, target, baseline, groups, steps, inserting=False)


def insertion_curve(model, inputs, attributions, target=None, baseline=0.0, groups=None, steps=None):
    """The same the other way: from the baseline to the whole input. The area is large where the explanation is good."""
    return _curve(model, inputs, attributions, target, baseline, groups, steps, inserting=True)


def _curve(model, inputs, attributions, target, baseline, groups, steps, inserting):
    target, baseline = check_model(model, inputs, target), check_baseline(baseline, inputs)
    groups, G = check_groups(groups, inputs)
    order = check_attributions(attributions, inputs, G).argsort(dim=1, descending=True, stable=True)
    places = order.argsort(dim=1)[:, None]  # (B, 1, G): the most important group has place 0
    chosen = places < groups_at_each_step(G, steps).to(places)[:, None]  # (B, steps + 1, G)
    present = chosen if inserting else ~chosen
    curve = masked_outputs(as_probabilities(model), inputs, target, present, groups, baseline)
    return curve, (curve[:, 1:] + curve[:, :-1]).mean(dim=1) / 2


def groups_at_each_step(G, steps=None):
    """How many of G groups have changed after each step: steps + 1 numbers from 0 to G, evenly spread."""
    steps = G if steps is None else steps
    if not 1 <= steps <= G:
        raise ValueError(f"There are {G} groups and {steps} steps; expected 1 to {G} steps, or None for {G}.")
    return torch.linspace(0, G, steps + 1).round()


def as_probabilities(model):
    """The model with a softmax behind its logits (B, K); one output alone stays as it is."""

    def probabilities(inputs):
        outputs = call(model, inputs)
        return outputs.softmax(dim=1) if outputs.shape[1] > 1 else outputs

    return probabilities


# ---------------------------------------------------------------- the sanity check


def randomise_layers(model, seed=0):
    """Copies of `model`, destroyed layer by layer from the top: yields (name of the layer, copy), the whole model last.

    Each copy has all layers above that one destroyed too: their weights are drawn anew from a normal distribution with
    the weights' own mean and spread. An explanation that does not change explains no model.
    Source: Adebayo et al., "Sanity Checks for Saliency Maps", 2018 (cascading randomisation).
    """
    generator = torch.Generator().manual_seed(seed)
    broken = copy.deepcopy(model)
    layers = [(name, module) for name, module in broken.named_modules() if list(module.parameters(recurse=False))]
    for name, layer in reversed(layers):
        for weight in layer.parameters(recurse=False):
            draw_anew(weight, generator)
        yield name, copy.deepcopy(broken)


@torch.no_grad()
def draw_anew(weight, generator):
    """Overwrite a weight with normal noise of the same mean and standard deviation."""
    noise = torch.randn(weight.shape, generator=generator).to(weight)
    weight.copy_(weight.mean() + weight.std(correction=0) * noise)


# ---------------------------------------------------------------- agreement


def rank_agreement(a, b):
    """Spearman's rank correlation (秩相关) of two explanations (B, ...) of the same inputs: (B,), from -1 to 1.

    Equal values share their mean rank; an explanation that is the same everywhere ranks nothing and gets 0.
    Raises ValueError for two shapes, or fewer than two features.
    """
    a, b = (ranks(x) for x in check_pair(a, b))
    a, b = (x - x.mean(dim=1, keepdim=True) for x in (a, b))
    spread = a.norm(dim=1) * b.norm(dim=1)
    return (a * b).sum(dim=1) / spread.where(spread > 0, 1.0)


def ranks(x):
    """The rank of each value in its row of x (B, N), from 0; equal values share their mean rank."""
    ordered = x.sort(dim=1).values
    below, up_to = (torch.searchsorted(ordered, x.contiguous(), right=right) for right in (False, True))
    return (below + up_to - 1) / 2


def top_overlap(a, b, k):
    """The share of the k most important features of `a` that are among those of `b`: (B,), for (B, ...) of each.

    Raises ValueError for two shapes, and for k out of range.
    """
    a, b = check_pair(a, b)
    if not 1 <= k <= a.shape[1]:
        raise ValueError(f"k is {k}; there are {a.shape[1]} features, so 1 to {a.shape[1]} was expected.")
    a, b = (x.topk(k, dim=1).indices for x in (a, b))
    return (a[:, :, None] == b[:, None]).any(dim=2).float().mean(dim=1)


# ---------------------------------------------------------------- what may come in


def check_attributions(attributions, inputs, G):
    """The attributions as (B, G)."""
    B = len(inputs)
    if attributions.shape not in ((B, G), inputs.shape) or attributions.numel() != B * G:
        raise ValueError(
            f"The attributions are {tuple(attributions.shape)}; ({B}, {G}) was expected, one for each of {G} groups of "
            f"{B} inputs, or {tuple(inputs.shape)} without groups. Sum them over each group first."
        )
    if not attributions.isfinite().all():
        raise ValueError(
            "Some attributions are not finite numbers, so they have no order. Look for what made them NaN."
        )
    return attributions.reshape(B, G)


def check_pair(a, b):
    """Two explanations as (B, N) each."""
    if a.shape != b.shape or a.ndim < 2 or a[0].numel() < 2:
        raise ValueError(
            f"The explanations are {tuple(a.shape)} and {tuple(b.shape)}; both must be (B, ...) of the same shape, "
            f"with two features or more. For one input alone pass a[None] and b[None]."
        )
    return a.flatten(1), b.flatten(1)
