"""Grad-CAM (梯度加权类激活映射): where a convolution found what speaks for the output."""

import torch
import torch.nn.functional as F

from bmcourse.explain.core import call, check_differentiable, check_gradient, choose, in_chunks


def grad_cam(model, layer, inputs, target=None, size=None):
    """A map (B, H, W) of where `layer`, a module of the model with outputs (B, C, H, W), saw evidence for the output.

    Each channel counts by the mean of its gradient, and where it is active: what the ReLU behind the layer cuts off is
    no evidence. What speaks against the output is cut off at 0. With `size` (height, width) the map is stretched to it.
    Raises ValueError for a layer that the model does not use exactly once, or whose outputs are no images, and for what
    core.check_gradient does not take.
    Source: Selvaraju et al., "Grad-CAM", 2017, section 3.
    """
    target = check_gradient(model, inputs, target)
    maps = torch.cat([_map(model, layer, x, t) for x, t in zip(*in_chunks(inputs, target), strict=True)])
    return maps if size is None else F.interpolate(maps[:, None], size, mode="bilinear")[:, 0]


def _map(model, layer, inputs, target):
    seen = []

    def keep(module, arguments, output):
        seen.append(output)
        return output.clone()  # an in-place ReLU behind the layer must not overwrite what is kept

    hook = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            total = choose(call(model, inputs.detach().requires_grad_()), target).sum()
    finally:
        hook.remove()
    check_seen(layer, seen)
    check_differentiable(total)
    (gradient,) = torch.autograd.grad(total, seen, materialize_grads=True)
    weights = gradient.mean(dim=(2, 3), keepdim=True)  # (B, C, 1, 1)
    return (weights * seen[0].detach().relu()).sum(dim=1).relu()


def check_seen(layer, seen):
    name = type(layer).__name__
    if len(seen) != 1:
        raise ValueError(
            f"The model used this {name} {len(seen)} times; expected a layer it uses once. Pass the module itself, "
            f"such as model.conv2."
        )
    if seen[0].ndim != 4:
        raise ValueError(
            f"This {name} gives {tuple(seen[0].shape)}; expected images (B, C, H, W). Pass a convolution, the last one "
            f"as a rule."
        )
