"""Explanations inside the training: right answers for the right reasons, and for few of them.

The penalty is on the gradient of the model's answer to its input, so training it takes the gradient of a gradient.
"""

import torch
import torch.nn.functional as F


def right_reasons_loss(model, inputs, targets, forbidden, strength):
    """Cross-entropy, and `strength` times the squared gradient where it must not be: a number with its graph.

    The gradient is that of the sum of all classes' log-probabilities to the inputs (B, ...). `forbidden` is True, or 1,
    where the answer must not look, (B, ...) or the shape of one input; the squares are summed over an input's places
    and averaged over the batch. Raises ValueError when `forbidden` does not fit, or `strength` is negative.
    Source: Ross, Hughes and Doshi-Velez, "Right for the Right Reasons", 2017, equation 1, without its weight decay.
    """
    check_forbidden(forbidden, inputs)
    check_strength(strength)
    logits, inputs = watched(model, inputs)
    gradient = gradient_with_graph(logits.log_softmax(dim=1).sum(), inputs)
    penalty = (gradient * forbidden).square().flatten(1).sum(dim=1).mean()
    return F.cross_entropy(logits, targets) + strength * penalty


def few_reasons_loss(model, inputs, targets, strength):
    """Cross-entropy, and `strength` times the share of features that carry the explanation: a number with its graph.

    The explanation is the gradient of the target's log-probability to the inputs (B, ...); see used_share.
    Raises ValueError when `strength` is negative.
    """
    check_strength(strength)
    logits, inputs = watched(model, inputs)
    chosen = logits.log_softmax(dim=1).gather(1, targets[:, None]).sum()
    gradient = gradient_with_graph(chosen, inputs)
    return F.cross_entropy(logits, targets) + strength * used_share(gradient).mean()


def used_share(attributions):
    """The share of features that carry each explanation (B, ...): 1 when all weigh the same, 1 / N for one alone.

    It does not change when all attributions grow together: a penalty on their size would only make them small.
    Source: the squared ratio of both norms in Hoyer, "Non-negative Matrix Factorization with Sparseness Constraints",
    2004, section 3.1, divided by N.
    """
    sizes = attributions.flatten(1).abs()
    smallest = torch.finfo(sizes.dtype).tiny  # for an explanation of zeros
    return sizes.sum(dim=1).square() / (sizes.shape[1] * sizes.square().sum(dim=1)).clamp(min=smallest)


def watched(model, inputs):
    """The model's logits, and the inputs they have a gradient to."""
    inputs = inputs.detach().requires_grad_()
    return model(inputs), inputs


def gradient_with_graph(output, inputs):
    """The gradient of `output` to the inputs, itself a part of the graph: a loss may be made of it."""
    return torch.autograd.grad(output, inputs, create_graph=True)[0]


# ---------------------------------------------------------------- what may come in


def check_forbidden(forbidden, inputs):
    if forbidden.shape not in (inputs.shape, inputs.shape[1:]):
        raise ValueError(
            f"forbidden is {tuple(forbidden.shape)}; {tuple(inputs.shape)} was expected, or {tuple(inputs.shape[1:])} "
            f"for the same places in all inputs."
        )


def check_strength(strength):
    if not strength >= 0:
        raise ValueError(f"strength is {strength}; expected 0, for no penalty, or more.")
