"""Explanations from one gradient (梯度): how the output changes when a feature changes a little, simplest first.

All take inputs (B, ...) of floating point numbers and give one number for each feature, (B, ...). They raise ValueError
for what core.check_gradient does not take.
"""

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from bmcourse.explain.core import check_gradient, gradient_of, in_chunks

RELUS = {F.relu, torch.relu, torch.Tensor.relu}


def saliency(model, inputs, target=None):
    """The size of the gradient, without its sign.

    Source: Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2014, section 3.
    """
    return gradient_of(model, inputs, check_gradient(model, inputs, target)).abs()


def gradient_times_input(model, inputs, target=None):
    """The gradient times the feature: for a linear model, what the feature adds to the output.

    Source: Shrikumar et al., "Not Just a Black Box", 2016, section 2.
    """
    return gradient_of(model, inputs, check_gradient(model, inputs, target)) * inputs


def smooth_grad(model, inputs, target=None, samples=32, noise=0.15, seed=0):
    """SmoothGrad: the mean gradient over noisy copies of an input, with its sign.

    The noise is normal; its standard deviation is `noise` times the range of the input, largest minus smallest value.
    Raises ValueError for fewer than one sample or noise that is negative or not finite.
    Source: Smilkov et al., "SmoothGrad: Removing Noise by Adding Noise", 2017, section 3.
    """
    check_samples(samples, noise)
    target = check_gradient(model, inputs, target)
    generator = torch.Generator().manual_seed(seed)
    means = []
    for x, t in zip(*in_chunks(inputs, target, copies=samples), strict=True):
        rows = x.flatten(1)
        spread = noise * (rows.amax(dim=1) - rows.amin(dim=1)).view(-1, *[1] * (x.ndim - 1))
        lots = torch.randn(len(x), samples, *x.shape[1:], generator=generator, dtype=x.dtype).to(x.device)
        noisy = (x[:, None] + spread[:, None] * lots).flatten(0, 1)  # (B * samples, ...)
        gradient = gradient_of(model, noisy, t.repeat_interleave(samples))
        means.append(gradient.view(lots.shape).mean(dim=1))
    return torch.cat(means)


def guided_backprop(model, inputs, target=None):
    """The gradient, but each ReLU lets only positive gradients back: sharp pictures that say little of the model.

    A ReLU may be an nn.ReLU, F.relu, torch.relu or x.relu(), none of them in place by an underscore; other activations
    keep their gradient. Raises ValueError for a model without such a ReLU.
    Sources: Springenberg et al., "Striving for Simplicity", 2015, section 3.4; the caution: Adebayo et al., "Sanity
    Checks for Saliency Maps", 2018.
    """
    target = check_gradient(model, inputs, target)
    with GuidedReLUs() as relus:
        gradient = gradient_of(model, inputs, target)
    if not relus.seen:
        raise ValueError(
            "The model has no ReLU, and guided backprop is about nothing else. Use saliency, or a model with nn.ReLU, "
            "F.relu or torch.relu."
        )
    return gradient


class GuidedReLUs(TorchFunctionMode):
    """Inside a `with`, every ReLU has the guided gradient; `seen` says whether there was one."""

    seen = False

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function not in RELUS:
            return function(*args, **kwargs)
        self.seen = True
        return GuidedReLU.apply(args[0] if args else kwargs["input"])


class GuidedReLU(torch.autograd.Function):
    """A ReLU that gives back a gradient only where it is positive."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x > 0)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        (active,) = ctx.saved_tensors
        return gradient.clamp(min=0) * active


def check_samples(samples, noise):
    if samples < 1 or not 0 <= noise < float("inf"):
        raise ValueError(
            f"samples is {samples} and noise {noise}; expected 1 sample or more, and noise as a share of the input's "
            f"range, such as 0.15."
        )
