"""What several exercises of lesson 04 have in common."""

import torch

from bmcourse.exercises.outcomes import Mistake


def with_gradient(loss_function, logits, targets):
    """A loss and its gradient with respect to the logits, None where there is none."""
    logits = logits.clone().requires_grad_()
    loss = loss_function(logits, targets)
    whole = torch.is_tensor(loss) and loss.ndim == 0 and loss.requires_grad
    gradient = torch.autograd.grad(loss, logits, allow_unused=True)[0] if whole else None
    return {"loss": loss, "gradient": gradient}


CAPPED = (
    "Your loss is capped: here it should be {expected:.0f}, and it stops at {came:.3g}. An eps inside the log, or a "
    "clamp, hides the overflow and does not cure it: the gradient vanishes where the model is most wrong. Subtract "
    "instead of dividing: log(a / b) = log a - log b."
)


def refuse_a_cap(loss, expected):
    if torch.is_tensor(loss) and loss.ndim == 0 and expected > 300 and 0 < loss < expected / 2:
        raise Mistake(CAPPED.format(expected=expected, came=loss.item()))


def picked(values, targets):
    return values[torch.arange(len(targets)), targets]
