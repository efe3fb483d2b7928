"""One round of k-means, which moves each code to the mean of its vectors (lesson 17)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.dalle.closest_codes import by_loop as closest_by_loop
from bmcourse.exercises.dalle.closest_codes import closest_codes


@exercise(
    prompt="One round of k-means. First find the nearest code of each of the vectors (N, C); then move each code of "
    "the codebook (K, C) to the mean of the vectors that are nearest to it. A code to which no vector is nearest stays "
    "where it is. Return the new codebook; the old one stays as it was.",
    untried={
        "vectors": {"a gradient is wanted": "k-means moves the codes without one"},
        "codebook": {"a gradient is wanted": "k-means moves the codes without one"},
    },
)
def move_codes(vectors, codebook):
    nearest = torch.cdist(vectors, codebook).argmin(dim=1)
    moved = codebook.clone()
    for code in range(len(codebook)):
        if (nearest == code).any():
            moved[code] = vectors[nearest == code].mean(dim=0)
    return moved


@move_codes.cases
def cases():
    odd = uncommon(
        torch.tensor([[0.0, 1.0], [4.0, 4.0], [5.0, 4.0]]), torch.tensor([[1.0, 0.0], [4.0, 5.0], [9.0, 9.0]])
    )
    return [
        (torch.tensor([[0.0], [1.0], [8.0]]), torch.tensor([[2.0], [7.0]])),
        (torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.5, 1.0]]), torch.tensor([[1.0, 1.0], [50.0, 50.0]])),
        (torch.tensor([[0.0], [1.0], [5.0], [20.0]]), torch.tensor([[4.0], [6.0]])),
        (torch.randn(30, 4), torch.randn(6, 4)),
        tuple(tensor.detach() for tensor in odd),
        (torch.tensor([[3.0, -1.0]]), torch.tensor([[70.0, 0.0], [-1.0, -2.0], [0.0, 60.0]])),
        (torch.randn(3, 2), torch.tensor([[5.0, 6.0]])),
        (torch.randn(4, 3), 100 + torch.randn(2, 3)),
    ]


@move_codes.judge
def by_lists(vectors, codebook):
    nearest, moved = closest_by_loop(vectors, codebook).tolist(), codebook.tolist()
    for code in set(nearest):
        own = [vector for vector, number in zip(vectors.tolist(), nearest, strict=True) if number == code]
        moved[code] = [sum(column) / len(own) for column in zip(*own, strict=True)]
    return torch.tensor(moved, dtype=codebook.dtype)


@move_codes.right
def by_one_hot(vectors, codebook):
    belongs = F.one_hot(closest_codes(vectors, codebook), len(codebook)).to(vectors.dtype)
    count = belongs.sum(dim=0)[:, None]
    return torch.where(count > 0, belongs.T @ vectors / count.clamp(min=1), codebook)


@move_codes.right
def by_index_add(vectors, codebook):
    nearest = closest_codes(vectors, codebook)
    total = torch.zeros_like(codebook).index_add_(0, nearest, vectors)
    count = nearest.bincount(minlength=len(codebook))[:, None]
    return torch.where(count == 0, codebook, total / count)


@move_codes.right
def by_unique(vectors, codebook):
    nearest = closest_codes(vectors, codebook)
    moved = codebook.clone()
    for code in nearest.unique().tolist():
        moved[code] = vectors[nearest == code].sum(dim=0) / (nearest == code).sum()
    return moved


@move_codes.right
def by_running_mean(vectors, codebook):
    moved, count = codebook.clone(), [0] * len(codebook)
    for vector, code in zip(vectors, closest_codes(vectors, codebook).tolist(), strict=True):
        count[code] += 1
        moved[code] = vector if count[code] == 1 else moved[code] + (vector - moved[code]) / count[code]
    return moved


@move_codes.right
def by_reduce(vectors, codebook):
    places = closest_codes(vectors, codebook)[:, None].expand_as(vectors)
    return codebook.clone().scatter_reduce(0, places, vectors, "mean", include_self=False)


def moving(new, nearest=closest_codes):
    """A wrong round: code k moves to new(its vectors, code k)."""

    def answer(vectors, codebook):
        numbers = nearest(vectors, codebook)
        return torch.stack([new(vectors[numbers == k], code) for k, code in enumerate(codebook)])

    return answer


def to(new):
    """A wrong round: code k moves to new(its vectors, code k), if it has vectors."""
    return moving(lambda own, code: new(own, code) if len(own) else code)


def chosen(nearest):
    """A wrong round: right but for the choice of the code for each vector."""
    return moving(lambda own, code: own.mean(dim=0) if len(own) else code, nearest)


def empty(new):
    """A wrong round: a code without vectors moves to new(code, all vectors)."""
    return lambda vectors, codebook: moving(lambda own, code: own.mean(dim=0) if len(own) else new(code, vectors))(
        vectors, codebook
    )


def back(change):
    """A wrong answer made of the right codes."""
    return lambda vectors, codebook: change(move_codes(vectors, codebook), vectors, codebook)


move_codes.mistake(
    "The codes are right, but you changed the codebook that came in. Begin with codebook.clone().",
    in_place=lambda vectors, codebook: codebook.copy_(move_codes(vectors, codebook)),
)


@move_codes.mistake(
    "You look for the nearest codes again after each code has moved. In one round all vectors choose first, and then "
    "all codes move."
)
def one_after_the_other(vectors, codebook):
    moved = codebook.clone()
    for code in range(len(moved)):
        own = closest_codes(vectors, moved) == code
        if own.any():
            moved[code] = vectors[own].mean(dim=0)
    return moved


@move_codes.mistake(
    "You take a mean of codes that are left out of the sum: a running mean that begins with the code itself. The code "
    "is no vector: begin anew."
)
def code_counts_too(vectors, codebook):
    return to(lambda own, code: (own.sum(dim=0) + code) / (len(own) + 1))(vectors, codebook)


move_codes.mistake(
    "A code without vectors becomes NaN: the mean of nothing. Leave it where it is.",
    nan_without_vectors=moving(lambda own, code: own.mean(dim=0)),
)
move_codes.mistake(
    "A code without vectors moves to 0. Leave it where it is.",
    zero_without_vectors=empty(lambda code, vectors: torch.zeros_like(code)),
)
move_codes.mistake(
    "A code without vectors moves to the mean of all vectors. Leave it where it is.",
    mean_without_vectors=empty(lambda code, vectors: vectors.mean(dim=0)),
)
move_codes.mistake(
    "A code without vectors moves to a vector. Some do that to win it back; here it stays where it is.",
    vector_without_vectors=empty(lambda code, vectors: vectors[0]),
)
move_codes.mistake(
    "A code without vectors is missing from your codebook, and all numbers after it are shifted. Leave it where it is.",
    removed_without_vectors=lambda vectors, codebook: move_codes(vectors, codebook)[
        closest_codes(vectors, codebook).unique()
    ],
)
move_codes.mistake(
    "A code with a single vector stays where it is. It moves to that vector: the mean of one.",
    single_vector_left_out=to(lambda own, code: own.mean(dim=0) if len(own) > 1 else code),
)
move_codes.mistake(
    "You move a code to the sum of its vectors. It should lie in their middle: the mean.",
    sum_not_mean=to(lambda own, code: own.sum(dim=0)),
)
move_codes.mistake(
    "You divide by the number of all vectors. Divide by the number of those that are nearest to the code.",
    divided_by_all=lambda vectors, codebook: to(lambda own, code: own.sum(dim=0) / len(vectors))(vectors, codebook),
)
move_codes.mistake(
    "You divide by the number of codes. Divide by the number of vectors that are nearest to the code.",
    divided_by_codes=lambda vectors, codebook: to(lambda own, code: own.sum(dim=0) / len(codebook))(vectors, codebook),
)
move_codes.mistake(
    "You divide by one more than the number of vectors. Divide by their number: a code without vectors needs an `if`.",
    divided_by_one_more=to(lambda own, code: own.sum(dim=0) / (len(own) + 1)),
)
move_codes.mistake(
    "You take one mean over everything. Each of the C numbers has its own mean: mean(dim=0).",
    one_mean=to(lambda own, code: own.mean().expand(len(code))),
)
move_codes.mistake(
    "You take the median. k-means takes the mean, which makes the squared error smallest.",
    median=to(lambda own, code: own.median(dim=0).values),
)
move_codes.mistake(
    "You take the middle between the smallest and the largest number. k-means takes the mean.",
    middle_of_extremes=to(lambda own, code: (own.amin(dim=0) + own.amax(dim=0)) / 2),
)
move_codes.mistake(
    "You go half of the way. In k-means a code moves all the way to the mean.",
    half_way=to(lambda own, code: (own.mean(dim=0) + code) / 2),
)
move_codes.mistake(
    "You go a tenth of the way, as a moving average does. In k-means a code moves all the way to the mean.",
    tenth_of_the_way=to(lambda own, code: 0.9 * code + 0.1 * own.mean(dim=0)),
)
move_codes.mistake(
    "You go a hundredth of the way, as a moving average does. In k-means a code moves all the way to the mean.",
    hundredth_of_the_way=to(lambda own, code: 0.99 * code + 0.01 * own.mean(dim=0)),
)
move_codes.mistake(
    "You add the mean to the old code. The mean is the new place: set it.",
    added=to(lambda own, code: code + own.mean(dim=0)),
)
move_codes.mistake(
    "You give the way from the code to the mean. The mean is the new place.",
    way_only=to(lambda own, code: own.mean(dim=0) - code),
)
move_codes.mistake(
    "A code moves to the first of its vectors. Take the mean of all of them.",
    first_vector=to(lambda own, code: own[0]),
)
move_codes.mistake(
    "A code moves to the last of its vectors: each overwrites the one before. Collect them, and take the mean.",
    last_vector=to(lambda own, code: own[-1]),
)
move_codes.mistake(
    "A code moves to the one of its vectors that is nearest to it. Take the mean of all of them.",
    nearest_vector=to(lambda own, code: own[(own - code).norm(dim=1).argmin()]),
)
move_codes.mistake(
    "You round the mean, or divide whole numbers. Keep what stands behind the point.",
    rounded=to(lambda own, code: own.mean(dim=0).round()),
)
move_codes.mistake(
    "Each code moves to the mean of all vectors. Its own are those that are nearest to it: nearest == code.",
    mean_of_all=lambda vectors, codebook: vectors.mean(dim=0).expand(codebook.shape),
)
move_codes.mistake(
    "A code moves to the mean of the vectors that are not its own. nearest == code, not !=.",
    others=lambda vectors, codebook: torch.stack(
        [
            vectors[n != k].mean(dim=0) if (n != k).any() else code
            for n in [closest_codes(vectors, codebook)]
            for k, code in enumerate(codebook)
        ]
    ),
)
move_codes.mistake(
    "Each vector chooses the code that is furthest away. argmin of the distances.",
    furthest=chosen(lambda vectors, codebook: torch.cdist(vectors, codebook).argmax(dim=1)),
)
move_codes.mistake(
    "Each vector chooses the code with the largest product, not the nearest one. Take the smallest distance.",
    largest_product=chosen(lambda vectors, codebook: (vectors @ codebook.T).argmax(dim=1)),
)
move_codes.mistake(
    "Each vector chooses by the sum of absolute differences. Nearest is by the Euclidean distance, with squares.",
    absolute_distance=chosen(lambda vectors, codebook: torch.cdist(vectors, codebook, p=1).argmin(dim=1)),
)
move_codes.mistake(
    "Your argmin runs over the vectors: each code takes its nearest vector. Each vector chooses a code, dim=1.",
    wrong_dim=lambda vectors, codebook: vectors[torch.cdist(vectors, codebook).argmin(dim=0)],
)
move_codes.mistake(
    "Only the first code moves: is the `return` inside of the loop?",
    first_code_only=back(lambda moved, vectors, codebook: torch.cat([moved[:1], codebook[1:]])),
)
move_codes.mistake(
    "The last code never moves. range(len(codebook)) goes to the end.",
    last_code_stays=back(lambda moved, vectors, codebook: torch.cat([moved[:-1], codebook[-1:]])),
)
move_codes.mistake(
    "The first code never moves: the numbers begin at 0.",
    first_code_stays=back(lambda moved, vectors, codebook: torch.cat([codebook[:1], moved[1:]])),
)
move_codes.mistake(
    "Two rounds. One was asked: find the nearest codes once, and move once.",
    two_rounds=back(lambda moved, vectors, codebook: move_codes(vectors, moved)),
)
move_codes.mistake(
    "You return for each vector its new code, (N, C). Return the codebook, (K, C).",
    codes_of_vectors=back(lambda moved, vectors, codebook: moved[closest_codes(vectors, codebook)]),
)
move_codes.mistake(
    "You return the number of the nearest code of each vector. Go on: move the codes and return them.",
    numbers_of_codes=closest_codes,
)
move_codes.mistake(
    "The old codebook comes back: nothing has moved. Return the new one.",
    nothing_moved=lambda vectors, codebook: codebook,
)
move_codes.mistake(
    "You return the numbers as well. The new codebook alone was asked.",
    two_things=back(lambda moved, vectors, codebook: (moved, closest_codes(vectors, codebook))),
)
move_codes.mistake(
    "You return a list. Make a tensor of it: torch.stack(codes).",
    list_back=back(lambda moved, vectors, codebook: list(moved)),
)

move_codes.hints(
    "nearest = torch.cdist(vectors, codebook).argmin(dim=1) says where each vector belongs.",
    "vectors[nearest == code] are the vectors of one code; their mean(dim=0) is its new place.",
    "Begin with moved = codebook.clone(), and change only the codes for which (nearest == code).any().",
)
