"""The mask that keeps two of each four neighbours in a row (lesson 10)."""

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.pruning.masks import (
    FLOATS,
    INTEGERS,
    NOT_A_MASK,
    SIGNED,
    VIEW,
    WRITTEN,
    explained,
    settled,
    sorted_where_equal,
)
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


@keep_two_of_four.cases
def cases():
    return [
        (torch.tensor([[0.1, -0.9, 0.5, 0.2], [0.4, 0.3, -0.1, -0.6], [0.5, 0.6, 0.7, 0.8], [-0.8, 0.7, 0.2, -0.3]]),),
        (torch.randn(4, 8),),
        (torch.randn(8, 16),),
        (equal_neighbours(),),
        (torch.randn(12, 3).double().T.requires_grad_(),),
        uncommon(torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, -0.3, 0.0, 0.0, 1e-6, 2e-6, -3e-6, 50.0]])),
        (torch.randn(2, 12),),
        (torch.randn(5, 4) - 2,),
    ]


def equal_neighbours():
    return torch.tensor(
        [
            [1.0, 1.0, -1.0, 1.0, 2.0, 0.5, 0.5, 0.5],
            [3.0, -3.0, 2.5, 2.5, 4.0, 6.0, 7.0, 8.0],
            [5.0, 5.0, 5.0, 5.0, 9.0, 9.0, 0.1, 0.1],
            [7.0, 7.0, -7.0, 0.2, 0.3, 0.4, 0.6, -0.6],
        ]
    )


@keep_two_of_four.run
def settled_in_fours(answer, weight):
    """The mask of an answer, settled among equal weights of the same four."""
    before = weight.detach().clone()
    with explained():
        mask = answer(weight)
    if not (torch.is_tensor(mask) and mask.numel() == weight.numel()):
        return mask
    settled(mask, before)  # for what it says to weights in place of a mask
    return sorted_where_equal(mask.reshape(-1, 4), before.abs().reshape(-1, 4)).view(mask.shape)


@keep_two_of_four.judge
def expected(weight):
    return settled_in_fours(by_lists, weight)


def by_lists(weight):
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    for row, numbers in enumerate(weight.tolist()):
        for start in range(0, len(numbers), 4):
            order = sorted(range(start, start + 4), key=lambda place: abs(numbers[place]))
            mask[row, order[2:]] = True
    return mask


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


@keep_two_of_four.right
def by_counting(weight):
    """A weight stays if fewer than two of its four come before it: larger ones, and equal ones to its left."""
    fours = weight.abs().reshape(-1, 4)
    one, other = fours[:, :, None], fours[:, None, :]
    left = torch.ones(4, 4, dtype=torch.bool).tril(-1)
    return (((other > one) | ((other == one) & left)).sum(dim=2) < 2).reshape(weight.shape)


@keep_two_of_four.right
def by_windows(weight):
    places = weight.abs().unfold(1, 4, 4).topk(2, dim=2).indices
    return torch.nn.functional.one_hot(places, 4).sum(dim=2).bool().flatten(1)


def in_fours(choose, cut=lambda weight: weight.reshape(-1, 4), join=lambda mask, weight: mask.view(weight.shape)):
    """A wrong mask: `cut` makes fours of the weight, (N, 4), `choose` gives their mask, and `join` puts it back."""
    return lambda weight: join(choose(cut(weight)), weight)


def largest(count, rows):
    """A mask of the `count` largest of each row."""
    return rows.abs().argsort(dim=1, stable=True).argsort(dim=1) >= rows.shape[1] - count


def two_largest(fours):
    return largest(2, fours)


def places(*kept):
    return in_fours(lambda fours: torch.tensor([place in kept for place in range(4)]).expand(fours.shape))


def in_groups(count, size):
    """A wrong mask: the `count` largest of each `size` neighbours stay; of fewer at the end of a row, just as many."""
    return lambda weight: torch.hstack([largest(count, block) for block in weight.split(size, dim=1)])


def first_fours(stop, rest=False):
    """A wrong mask: a loop over the fours of each row, which ends before column `stop(number of columns)`."""

    def answer(weight):
        mask = torch.full(weight.shape, rest)
        for start in range(0, stop(weight.shape[1]), 4):
            mask[:, start : start + 4] = two_largest(weight[:, start : start + 4])
        return mask

    return answer


def by_fours(per_four):
    """A wrong mask: the places of the two, (N, 2), counted in each four, are used by `per_four(places, weight)`."""
    return lambda weight: per_four(weight.abs().reshape(-1, 4).topk(2).indices, weight)


def in_the_wrong_row(found, weight):
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    for row, pair in enumerate(found.view(len(weight), -1)):
        mask[row, pair] = True
    return mask


def sliding(step):
    """A wrong mask: the two largest of four in a window that moves on by `step`."""

    def answer(weight):
        mask = torch.zeros(weight.shape, dtype=torch.bool)
        for start in range(0, weight.shape[1] - 3, step):
            mask[:, start : start + 4] |= two_largest(weight[:, start : start + 4])
        return mask

    return answer


def scattered(found, weight):
    return torch.zeros(weight.numel() // 4, 4, dtype=torch.bool).scatter(0, found, True).view(weight.shape)


def lost(start):
    """A wrong mask: written through a reshape, which is a copy where the weight is transposed."""

    def answer(weight):
        mask = torch.full_like(weight, start, dtype=torch.bool)
        order = weight.abs().reshape(-1, 4).argsort(dim=1, stable=True)
        mask.reshape(-1, 4).scatter_(1, order[:, :2] if start else order[:, 2:], not start)
        return mask

    return answer


def threshold(place, compare, sizes=torch.abs):
    """A wrong mask: each weight is compared with the one at `place` in the sorted four."""
    return in_fours(lambda fours: compare(sizes(fours), fours.abs().sort(dim=1).values[:, place : place + 1]))


keep_two_of_four.mistake(
    "You cut the columns into fours, along the outputs. The hardware skips inputs: the fours are neighbours in a row, "
    "along the input dimension.",
    columns=lambda weight: keep_two_of_four(weight.T).T,
)
keep_two_of_four.mistake(
    "You cut the columns into fours: reshape(4, -1) and then along the first dimension makes fours of numbers that lie "
    "far apart. reshape(-1, 4) makes a row of each four.",
    not_neighbours=in_fours(
        two_largest, lambda weight: weight.reshape(4, -1).T, lambda mask, w: mask.T.reshape(w.shape)
    ),
)
keep_two_of_four.mistake(
    "In each row your fours lie apart: view(out, 4, in / 4) puts every in / 4-th weight together. Neighbours are "
    "view(out, in / 4, 4).",
    apart_in_a_row=in_fours(
        two_largest,
        lambda weight: weight.reshape(len(weight), 4, -1).transpose(1, 2).reshape(-1, 4),
        lambda mask, w: mask.view(len(w), -1, 4).transpose(1, 2).reshape(w.shape),
    ),
)
keep_two_of_four.mistake(
    "You keep the largest half of all weights. A four may then keep three or none, and the hardware cannot use that: "
    "in each four two stay.",
    half_of_all=lambda weight: smallest_mask(weight, 0.5),
)
keep_two_of_four.mistake(
    "You keep the largest half of each row. A four may then keep three or none, and the hardware cannot use that: in "
    "each four two stay.",
    half_of_row=lambda weight: largest(weight.shape[1] // 2, weight),
)
keep_two_of_four.mistake(
    "You keep two in each row. A row is cut into fours first, and two stay in each of them.",
    two_of_row=lambda weight: two_largest(weight),
)
keep_two_of_four.mistake(
    "You keep the same places in all fours or rows, those that are strongest on the whole. Each four of each row has "
    "its own two.",
    same_for_all_rows=in_fours(lambda fours: two_largest(fours.abs().sum(dim=0, keepdim=True)).expand(fours.shape)),
)
keep_two_of_four.mistake(SIGNED, signed=in_fours(lambda fours: two_largest(fours - fours.min())))
keep_two_of_four.mistake(
    "You keep the two smallest of the signed values, which are the strong negative ones. The largest absolute values "
    "stay: weight.abs().",
    signed_smallest=in_fours(lambda fours: two_largest(fours.max() - fours)),
)
keep_two_of_four.mistake(
    "Your mask is the wrong way round: False for the two largest and True for the two smallest. The largest stay, and "
    "True is what stays.",
    smallest_stay=in_fours(lambda fours: ~two_largest(fours)),
)
keep_two_of_four.mistake(
    "The first two of each four stay, whatever their size. The two of the largest absolute value stay.",
    first_two=places(0, 1),
)
keep_two_of_four.mistake(
    "The last two of each four stay, whatever their size. The two of the largest absolute value stay.",
    last_two=places(2, 3),
)
keep_two_of_four.mistake(
    "Every other weight stays, whatever its size. The two of the largest absolute value stay.",
    every_other=places(0, 2),
)
keep_two_of_four.mistake(
    "The first and the last of each four stay, whatever their size. The two of the largest absolute value stay.",
    both_ends=places(0, 3),
)
keep_two_of_four.mistake(
    "With equal weights more than two of a four stay: `>=` a threshold keeps them all, and the hardware has room for "
    "two. Take the places of two: topk(2).indices.",
    ties_stay=threshold(2, torch.ge),
)
keep_two_of_four.mistake(
    "With equal weights fewer than two of a four stay: `>` a threshold removes them all. Take the places of two: "
    "topk(2).indices.",
    ties_go=threshold(1, torch.gt),
)
keep_two_of_four.mistake(
    "Only one of each four stays: `>` leaves out the second largest itself. Take the places of two: topk(2).indices.",
    above_the_second=threshold(2, torch.gt),
)
keep_two_of_four.mistake(
    "Three of each four stay: with `>=` the third largest, which is your threshold, stays too. Take the places of two: "
    "topk(2).indices.",
    from_the_third=threshold(1, torch.ge),
)
keep_two_of_four.mistake(
    "Your threshold comes from the absolute values, and then you compare the signed weights with it: negative ones all "
    "go. Compare weight.abs(), or better, take the places: topk(2).indices.",
    signed_compared=threshold(2, torch.ge, lambda fours: fours),
)
keep_two_of_four.mistake(
    "Your threshold comes from the absolute values, and then you compare the signed weights with `>`: negative ones "
    "all go. Compare weight.abs(), or better, take the places: topk(2).indices.",
    signed_above=threshold(1, torch.gt, lambda fours: fours),
)
keep_two_of_four.mistake(
    "You compare with the mean of each four. One large weight lifts the mean, and then it stays alone. Two stay, "
    "always: topk(2).",
    above_mean=in_fours(lambda fours: fours.abs() > fours.abs().mean(dim=1, keepdim=True)),
)
keep_two_of_four.mistake(
    "You compare with the mean of each four, and keep what equals it. One large weight lifts the mean, and then it "
    "stays alone. Two stay, always: topk(2).",
    from_the_mean=in_fours(lambda fours: fours.abs() >= fours.abs().mean(dim=1, keepdim=True)),
)
keep_two_of_four.mistake(
    "You compare with the mean of the whole weight. In each four two stay, strong or weak: topk(2).",
    above_mean_of_all=lambda weight: weight.abs() > weight.abs().mean(),
)
keep_two_of_four.mistake(
    "You compare with the median of the whole weight. In each four two stay, strong or weak: topk(2).",
    above_median_of_all=lambda weight: weight.abs() > weight.abs().median(),
)
keep_two_of_four.mistake(
    "Only the largest of each four stays. Two stay: topk(2), not max.",
    largest_only=in_fours(lambda fours: largest(1, fours)),
)
keep_two_of_four.mistake(
    "Only the largest of each four stays, and with it all that equal it. Two stay: topk(2), not max.",
    equal_to_largest=in_fours(lambda fours: fours.abs() == fours.abs().amax(dim=1, keepdim=True)),
)
keep_two_of_four.mistake(
    "Only the smallest of each four goes. Two go and two stay.",
    smallest_goes=in_fours(lambda fours: largest(3, fours)),
)
keep_two_of_four.mistake(
    "All that equal the smallest of each four go. Two go and two stay: topk(2).",
    equal_to_smallest=in_fours(lambda fours: fours.abs() != fours.abs().amin(dim=1, keepdim=True)),
)
keep_two_of_four.mistake(
    "The second and third largest of each four stay. The first is [0] of an order from large to small: take two from "
    "there.",
    second_and_third=in_fours(lambda fours: largest(3, fours) & ~largest(1, fours)),
)
keep_two_of_four.mistake(
    "The largest of each four and the smallest stay. The two largest stay.",
    both_extremes=in_fours(lambda fours: largest(1, fours) | ~largest(3, fours)),
)
keep_two_of_four.mistake(
    "You keep the largest and the smallest of the signed values. Sort by weight.abs(): both of the strongest may have "
    "the same sign.",
    signed_extremes=in_fours(lambda fours: (r := fours.argsort(dim=1, stable=True).argsort(dim=1)).eq(0) | r.eq(3)),
)
keep_two_of_four.mistake(
    "You keep one of each pair of neighbours. That always leaves two of four, but both of the strongest may be in one "
    "pair: choose among all four.",
    one_of_two=in_groups(1, 2),
)
keep_two_of_four.mistake(
    "You cut the row into eights, and keep four of each: that leaves fours with three or one. Cut it into fours.",
    four_of_eight=in_groups(4, 8),
)
keep_two_of_four.mistake(
    "You cut the row into eights, and keep two of each. Cut it into fours.",
    two_of_eight=in_groups(2, 8),
)
keep_two_of_four.mistake(
    "The loop stops before the last four of each row, and its mask stays False. range(0, weight.shape[1], 4) goes to "
    "the end.",
    last_four_left_out=first_fours(lambda columns: columns - 4),
)
keep_two_of_four.mistake(
    "The loop stops before the last four of each row, and its mask stays True. range(0, weight.shape[1], 4) goes to "
    "the end.",
    last_four_stays=first_fours(lambda columns: columns - 4, rest=True),
)
keep_two_of_four.mistake(
    "Only the first four of each row are done; the rest stays False. Go on to the end of the row.",
    first_four_only=first_fours(lambda columns: 4),
)
keep_two_of_four.mistake(
    "Only the first four of each row are done; the rest stays True. Go on to the end of the row.",
    first_four_only_rest_true=first_fours(lambda columns: 4, rest=True),
)
keep_two_of_four.mistake(
    "The loop ends at the number of rows, len(weight). It runs over the columns: weight.shape[1].",
    loop_over_rows=lambda weight: first_fours(lambda columns: min(len(weight), columns))(weight),
)
keep_two_of_four.mistake(
    "What topk gives are places within the four, 0 to 3, and you use them as places in the whole row. Add where the "
    "four begins, or set them in a mask of the shape (-1, 4).",
    start_forgotten=by_fours(in_the_wrong_row),
)
keep_two_of_four.mistake(
    "Only the first row is done. Go over all of them: reshape(-1, 4) makes a row of every four of every row.",
    first_row_only=lambda weight: keep_two_of_four(weight) & (torch.arange(len(weight)) == 0)[:, None],
)
keep_two_of_four.mistake(
    "Right, but where the weight is transposed your mask stays False: reshape gives a copy there, and what you write "
    "into it is lost. Make the mask in fours, and give it the shape of the weight at the end.",
    written_into_a_copy=lost(False),
)
keep_two_of_four.mistake(
    "Right, but where the weight is transposed your mask stays True: reshape gives a copy there, and what you write "
    "into it is lost. Make the mask in fours, and give it the shape of the weight at the end.",
    removed_in_a_copy=lost(True),
)
keep_two_of_four.mistake(
    VIEW, view_of_the_weight=lambda weight: keep_two_of_four(weight.view(-1, 4)).view(weight.shape)
)
keep_two_of_four.mistake(
    "A weight of 0 never stays in your mask. Two of each four stay, also of four zeros: the hardware counts on two.",
    zeros_go=lambda weight: keep_two_of_four(weight) & (weight != 0),
)
keep_two_of_four.mistake(
    "You return places and no mask. Set them in a mask of zeros: mask.scatter_(1, places, True).",
    places_back=by_fours(lambda found, weight: found),
)
keep_two_of_four.mistake(
    "You return the two weights of each four. That is how the hardware stores them; here the mask was asked.",
    weights_back=by_fours(lambda found, weight: weight.reshape(-1, 4).gather(1, found)),
)
keep_two_of_four.mistake(
    "You return the sizes of the two of each four, topk(2).values. Use their places, .indices, and make a mask.",
    sizes_back=lambda weight: weight.abs().reshape(-1, 4).topk(2).values,
)
keep_two_of_four.mistake(
    "The mask is right, but you also set the weights to 0. The original is then lost, and nobody can compare the "
    "pruned model with it.",
    zeros_in_place=lambda weight: (mask := keep_two_of_four(weight), weight.data.mul_(mask))[0],
)
keep_two_of_four.mistake(WRITTEN, zeros_in_the_graph=lambda weight: weight.mul_(keep_two_of_four(weight)))
keep_two_of_four.mistake(NOT_A_MASK, weights_not_masks=lambda weight: weight * keep_two_of_four(weight))
keep_two_of_four.mistake(FLOATS, floats=lambda weight: keep_two_of_four(weight).float())
keep_two_of_four.mistake(INTEGERS, integers=lambda weight: keep_two_of_four(weight).int())
keep_two_of_four.mistake(
    "Your mask still lies in fours. Give it the shape of the weight: .view(weight.shape).",
    still_in_fours=lambda weight: keep_two_of_four(weight).view(-1, 4),
)
keep_two_of_four.mistake(
    "Your mask is (out, in / 4, 4). Give it the shape of the weight: .view(weight.shape).",
    three_dimensions=lambda weight: keep_two_of_four(weight).view(len(weight), -1, 4),
)
keep_two_of_four.mistake(
    "Your mask is one long row. Give it the shape of the weight: .view(weight.shape).",
    one_long_row=lambda weight: keep_two_of_four(weight).flatten(),
)
keep_two_of_four.mistake(
    "You compare the result of argsort with 2. argsort gives places and not ranks: its first entry says where the "
    "smallest weight is. Set the mask at the last two of these places, or call argsort twice.",
    places_for_ranks=in_fours(lambda fours: fours.abs().argsort(dim=1) >= 2),
)
keep_two_of_four.mistake(
    "You compare the result of argsort, from large to small, with 2. argsort gives places and not ranks. Set the mask "
    "at the first two of these places, or call argsort twice.",
    places_for_descending_ranks=in_fours(lambda fours: fours.abs().argsort(dim=1, descending=True) < 2),
)
keep_two_of_four.mistake(
    "Your fours overlap: the loop goes on by one place and not by four, and more than two of a four may stay. range(0, "
    "columns, 4).",
    overlapping=sliding(1),
)
keep_two_of_four.mistake(
    "Your fours overlap: the loop goes on by two places and not by four. range(0, columns, 4).",
    half_overlapping=sliding(2),
)
keep_two_of_four.mistake(
    "The places come from the rows, and you set them along the columns: scatter_(1, places, True), with the dim of "
    "topk.",
    scattered_down=lambda weight: scattered(weight.abs().reshape(-1, 4).topk(2, dim=1).indices, weight),
)
keep_two_of_four.mistake(
    "After reshape(-1, 4) you take the two largest of each column, dim 0. Each four is a row: topk(2, dim=1).",
    largest_down=lambda weight: scattered(weight.abs().reshape(-1, 4).topk(2, dim=0).indices, weight),
)

keep_two_of_four.hints(
    "Which shape puts four neighbours of a row into a row of their own?",
    "weight.abs().reshape(-1, 4).topk(2).indices are the places of the two that stay, in each four.",
    "mask.scatter_(1, places, True) sets them in a mask of zeros of the same shape; then .view(weight.shape).",
)
