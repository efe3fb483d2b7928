"""Integrated gradients (积分梯度): gradients collected on the way from a baseline to the input."""

import torch

from bmcourse.explain.core import check_baseline, check_gradient, gradient_of, in_chunks, outputs_for


def integrated_gradients(model, inputs, target=None, baseline=0.0, steps=32):
    """What each feature adds on the straight way from the baseline to the input, and the error of completeness.

    Completeness (完备性): the attributions add up to the output at the input minus the output at the baseline. Returns
    the attributions (B, ...) and how far each sum is above that difference, (B,); more steps bring it towards 0.
    Gradients are taken in the middle of `steps` equal steps. Raises ValueError for less than one step and for what
    core.check_gradient and core.check_baseline do not take.
    Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017, sections 3 and 5.
    """
    check_steps(steps)
    target = check_gradient(model, inputs, target)
    baseline = check_baseline(baseline, inputs)
    way = inputs - baseline
    middles = (torch.arange(steps, dtype=inputs.dtype, device=inputs.device) + 0.5) / steps
    means = []
    for w, t in zip(*in_chunks(way, target, copies=steps), strict=True):
        points = baseline + torch.einsum("s,b...->bs...", middles, w)  # (B, steps, ...)
        gradient = gradient_of(model, points.flatten(0, 1), t.repeat_interleave(steps))
        means.append(gradient.view(points.shape).mean(dim=1))
    attributions = way * torch.cat(means)
    ends = outputs_for(model, torch.cat([inputs, baseline.expand_as(inputs)]), target.repeat(2))
    at_input, at_baseline = ends.chunk(2)
    return attributions, attributions.flatten(1).sum(dim=1) - (at_input - at_baseline)


def check_steps(steps):
    if steps < 1:
        raise ValueError(f"steps is {steps}; expected 1 or more points between the baseline and the input, such as 32.")
