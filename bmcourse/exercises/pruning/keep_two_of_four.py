"""The mask that keeps two of each four neighbours in a row (lesson 08)."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.pruning.masks import FLOATS, INVERTED, NOT_A_MASK, SIGNED, settled, sorted_where_equal
from bmcourse.exercises.pruning.smallest_mask import smallest_mask


@exercise(
    prompt="The 2:4 pattern that some GPUs compute at double speed. `weight` is (out, in) as in nn.Linear, in a "
    "multiple of 4. Cut each row into fours of neighbours, 0 to 3, 4 to 7, ...: in each, the two weights of the "
    "largest absolute value stay. Returns the mask, True where a weight stays; among equal ones the choice is free."
)
def keep_two_of_four(weight):
    fours = weight.abs().reshape(-1, 4)
    mask = torch.zeros(fours.shape, dtype=torch.bool)
    mask.scatter_(1, fours.topk(2).indices, True)
    return mask.view(weight.shape)


def equal_neighbours():
    return torch.tensor(
        [
            [1.0, 1.0, -1.0, 1.0, 2.0, 0.5, 0.5, 0.5],
            [3.0, -3.0, 2.5, 2.5, 4.0, 6.0, 7.0, 8.0],
            [5.0, 5.0, 5.0, 5.0, 9.0, 9.0, 0.1, 0.1],
            [7.0, 7.0, -7.0, 0.2, 0.3, 0.4, 0.6, -0.6],
        ]
    )


@keep_two_of_four.cases
def cases():
    return [
        (torch.tensor([[0.1, -0.9, 0.5, 0.2], [0.4, 0.3, -0.1, -0.6], [0.5, 0.6, 0.7, 0.8], [-0.8, 0.7, 0.2, -0.3]]),),
        (torch.randn(4, 8),),
        (torch.randn(8, 16),),
        (equal_neighbours(),),
    ]


@keep_two_of_four.run
def settled_in_fours(answer, weight):
    """The mask of an answer, settled among equal weights of the same four."""
    before, mask = weight.clone(), answer(weight)
    if not (torch.is_tensor(mask) and mask.numel() == weight.numel()):
        return mask
    settled(mask, before)  # for what it says to weights in place of a mask
    fours = zip(mask.reshape(-1, 4), before.abs().reshape(-1, 4), strict=True)
    return torch.stack([sorted_where_equal(*four) for four in fours]).view(mask.shape)


def by_loop(weight):
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    for row, numbers in enumerate(weight.tolist()):
        for start in range(0, len(numbers), 4):
            order = sorted(range(start, start + 4), key=lambda place: abs(numbers[place]))
            mask[row, order[2:]] = True
    return mask


@keep_two_of_four.judge
def expected(weight):
    return settled_in_fours(by_loop, weight)


@keep_two_of_four.right
def by_rank(weight):
    ranks = weight.square().unflatten(1, (-1, 4)).argsort(dim=2).argsort(dim=2)
    return (ranks > 1).flatten(1)


@keep_two_of_four.right
def by_chunks(weight):
    blocks = []
    for block in weight.split(4, dim=1):
        smallest = block.abs().topk(2, dim=1, largest=False).indices
        blocks.append(torch.ones(block.shape).bool().scatter(1, smallest, False))
    return torch.hstack(blocks)


@keep_two_of_four.right
def by_cells(weight):
    mask = torch.ones(weight.shape, dtype=torch.bool)
    for row in range(weight.shape[0]):
        for start in range(0, weight.shape[1], 4):
            gone = weight[row, start : start + 4].abs().argsort()[:2]
            mask[row, start + gone] = False
    return mask


keep_two_of_four.mistake(
    "You cut the columns into fours, along the outputs. The hardware skips inputs: the fours are neighbours in "
    "a row, along the input dimension.",
    columns=lambda weight: keep_two_of_four(weight.T).T,
)


def in_fours(choose, cut=lambda weight: weight.reshape(-1, 4), join=lambda mask, weight: mask.view(weight.shape)):
    """A wrong mask: `cut` makes fours of the weight, (N, 4), `choose` gives their mask, and `join` puts it back."""
    return lambda weight: join(choose(cut(weight)), weight)


def two_largest(fours):
    return fours.abs().argsort(dim=1, stable=True).argsort(dim=1) > 1


keep_two_of_four.mistake(
    "Your fours are no neighbours: reshape(4, -1) puts numbers together that lie far apart. reshape(-1, 4) "
    "makes a row of each four.",
    not_neighbours=in_fours(
        two_largest, lambda weight: weight.reshape(4, -1).T, lambda mask, w: mask.T.reshape(w.shape)
    ),
)

keep_two_of_four.mistake(
    "You keep the largest half of all weights. A four may then keep three or none, and the hardware cannot "
    "use that: in each four two stay.",
    half_of_all=lambda weight: smallest_mask(weight, 0.5),
)

keep_two_of_four.mistake(
    "You keep the largest half of each row. A four may then keep three or none, and the hardware cannot use "
    "that: in each four two stay.",
    half_of_row=lambda weight: torch.stack([smallest_mask(row, 0.5) for row in weight]),
)

keep_two_of_four.mistake(SIGNED, signed=in_fours(lambda fours: fours.argsort(dim=1, stable=True).argsort(dim=1) > 1))

keep_two_of_four.mistake(INVERTED, inverted=in_fours(lambda fours: ~two_largest(fours)))


def _pattern(*kept):
    return lambda fours: torch.tensor([place in kept for place in range(4)]).expand(fours.shape)


keep_two_of_four.mistake(
    "The first two of each four stay, whatever their size. The two of the largest absolute value stay.",
    first_two=in_fours(_pattern(0, 1)),
)

keep_two_of_four.mistake(
    "Every other weight stays, whatever its size. The two of the largest absolute value stay.",
    every_other=in_fours(_pattern(0, 2)),
)

keep_two_of_four.mistake(
    "With equal weights more than two of a four stay: `>=` a threshold keeps them all, and the hardware has "
    "room for two. Take the places of two: topk(2).indices.",
    ties_stay=in_fours(lambda fours: fours.abs() >= fours.abs().sort(dim=1).values[:, 2:3]),
)

keep_two_of_four.mistake(
    "With equal weights fewer than two of a four stay: `>` a threshold removes them all. Take the places of "
    "two: topk(2).indices.",
    ties_go=in_fours(lambda fours: fours.abs() > fours.abs().sort(dim=1).values[:, 1:2]),
)

keep_two_of_four.mistake(
    "You compare with the mean of each four. One large weight lifts the mean, and then it stays alone. Two "
    "stay, always: topk(2).",
    above_mean=in_fours(lambda fours: fours.abs() > fours.abs().mean(dim=1, keepdim=True)),
)

keep_two_of_four.mistake(
    "Only the largest of each four stays. Two stay: topk(2), not max.",
    largest_only=in_fours(lambda fours: fours.abs() == fours.abs().amax(dim=1, keepdim=True)),
)

keep_two_of_four.mistake(
    "Only the smallest of each four goes. Two go and two stay.",
    smallest_only_goes=in_fours(lambda fours: fours.abs() != fours.abs().amin(dim=1, keepdim=True)),
)

keep_two_of_four.mistake(NOT_A_MASK, weights_not_mask=lambda weight: weight * keep_two_of_four(weight))

keep_two_of_four.mistake(FLOATS, floats=lambda weight: keep_two_of_four(weight).float())

keep_two_of_four.mistake(
    "Your mask still lies in fours. Give it the shape of the weight: .view(weight.shape).",
    still_in_fours=lambda weight: keep_two_of_four(weight).view(-1, 4),
)

keep_two_of_four.hints(
    "Which shape puts four neighbours of a row into a row of their own?",
    "weight.abs().reshape(-1, 4).topk(2).indices are the places of the two that stay, in each four.",
    "mask.scatter_(1, places, True) sets them in a mask of zeros of the same shape; then .view(weight.shape).",
)
