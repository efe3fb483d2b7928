"""Losses that stop growing where the model is most wrong."""

import torch

from bmcourse.exercises.outcomes import Mistake

CAPPED = (
    "Your loss is capped: here it should be {expected:.0f}, and it stops at {came:.3g}. An eps inside the log, or a "
    "clamp, hides the overflow and does not cure it: the gradient vanishes where the model is most wrong. Subtract "
    "instead of dividing: log(a / b) = log a - log b."
)


def refuse_a_cap(loss, expected):
    """Raise `Mistake` for a loss that is right in small and far too small where it should be hundreds."""
    if torch.is_tensor(loss) and loss.ndim == 0 and expected > 300 and 0 < loss < expected / 2:
        raise Mistake(CAPPED.format(expected=expected, came=loss.item()))
