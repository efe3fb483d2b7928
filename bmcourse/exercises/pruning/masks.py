"""What is said of masks in lesson 10, and masks in which equal weights no longer differ."""

import contextlib

import torch

from bmcourse.exercises.outcomes import Mistake

NOT_A_MASK = (
    "You return the weights with zeros in them, and so nobody can tell a weight that was removed from one that is 0 by "
    "chance. Return the mask, True where a weight stays."
)

FLOATS = (
    "Your mask holds the floats 0 and 1. As a factor it works; but ~mask raises an error, and weight[mask] does not "
    "pick the weights that stay. Make it True and False."
)

INTEGERS = (
    "Your mask holds the integers 0 and 1. weight[mask] would then take rows 0 and 1 of the weight, and ~mask is -1 "
    "and -2. Make it True and False: .bool()."
)

INVERTED = "Your mask is inverted: True where a weight goes. weight * mask would keep what you want to remove."

SIGNED = (
    "You sort by the signed value, so strong negative weights go first. -0.9 does more in a sum than 0.1: sort by "
    "weight.abs()."
)

LARGEST = "You remove the largest weights, and with them most of what the layer has learned. The smallest go."

WRITTEN = (
    "You write into the weight itself, which wants a gradient, and torch forbids that outside of torch.no_grad(). The "
    "weight has to stay as it is anyway: make a new tensor for the mask."
)

VIEW = (
    ".view() raises an error where the numbers do not lie one after the other in memory, as in a transposed weight. "
    ".reshape() and .flatten() copy them then."
)


@contextlib.contextmanager
def explained():
    """Turn the errors that a mask is known for into words."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if "leaf Variable" in text:
            raise Mistake(WRITTEN) from None
        raise Mistake(VIEW) if "view size is not compatible" in text else error from None


def settled(mask, weight):
    """The mask with the removed ones first among weights of equal size, so that any choice among these counts."""
    if not (torch.is_tensor(mask) and mask.numel() == weight.numel()):
        return mask
    if mask.is_floating_point() and torch.equal(mask.flatten(), weight.flatten() * (mask.flatten() != 0)):
        raise Mistake(NOT_A_MASK)
    return sorted_where_equal(mask.flatten(), weight.abs().flatten()).view(mask.shape)


def sorted_where_equal(rows, sizes):
    """Each row with its values in order among places of equal size."""
    by_value = rows.argsort(dim=-1, stable=True)
    by_size = sizes.gather(-1, by_value).argsort(dim=-1, stable=True)
    values = rows.gather(-1, by_value).gather(-1, by_size)
    return rows.scatter(-1, sizes.argsort(dim=-1, stable=True), values)
