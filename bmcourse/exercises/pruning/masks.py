"""What is said of masks in lesson 08, and masks in which equal weights no longer differ."""

import torch
from torch import nn

from bmcourse.exercises.outcomes import Mistake

NOT_A_MASK = (
    "You return the weights with zeros in them, and so nobody can tell a weight that was removed from one that is 0 by "
    "chance. Return the mask, True where a weight stays."
)


FLOATS = (
    "Your mask holds the floats 0 and 1. As a factor it works; but ~mask raises an error, and weight[mask] does not "
    "pick the weights that stay. Make it True and False."
)


INVERTED = "Your mask is inverted: True where a weight goes. weight * mask would keep what you want to remove."


SIGNED = (
    "You sort by the signed value, so strong negative weights go first. -0.9 does more in a sum than 0.1: sort by "
    "weight.abs()."
)


LARGEST = "You remove the largest weights, and with them most of what the layer has learned. The smallest go."


def settled(mask, weight):
    """The mask with the removed ones first among weights of equal size, so that any choice among these counts."""
    if not (torch.is_tensor(mask) and mask.numel() == weight.numel()):
        return mask
    if mask.is_floating_point() and torch.equal(mask.flatten(), weight.flatten() * (mask.flatten() != 0)):
        raise Mistake(NOT_A_MASK)
    return sorted_where_equal(mask.flatten(), weight.abs().flatten()).view(mask.shape)


def sorted_where_equal(row, sizes):
    row = row.clone()
    for size in sizes.unique():
        row[sizes == size] = row[sizes == size].sort().values
    return row


def as_number(value):
    """The plain number in a tensor of no dimension, so that answers with and without .item() count as alike."""
    return value.item() if torch.is_tensor(value) and value.ndim == 0 else value


class Weights(nn.Module):
    """A layer with nothing but a weight, which torch.nn.utils.prune can prune."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())


def largest_to_go(sizes, rate):
    return sizes.sort().values[round(rate * len(sizes)) - 1]
