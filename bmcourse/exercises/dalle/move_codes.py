"""One round of k-means, which moves each code to the mean of its vectors (lesson 14)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.dalle.closest_codes import by_loop as closest_by_loop
from bmcourse.exercises.dalle.closest_codes import closest_codes


@exercise(
    prompt="One round of k-means. First find the nearest code of each of the vectors (N, C); then move each code of "
    "the codebook (K, C) to the mean of the vectors that are nearest to it. A code to which no vector is nearest stays "
    "where it is. Return the new codebook; the old one stays as it was."
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
    return [
        (torch.tensor([[0.0], [1.0], [8.0]]), torch.tensor([[2.0], [7.0]])),
        (torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.5, 1.0]]), torch.tensor([[1.0, 1.0], [50.0, 50.0]])),
        (torch.tensor([[0.0], [1.0], [5.0], [20.0]]), torch.tensor([[4.0], [6.0]])),
        (torch.randn(30, 4), torch.randn(6, 4)),
    ]


@move_codes.judge
def by_lists(vectors, codebook):
    nearest, moved = closest_by_loop(vectors, codebook).tolist(), codebook.tolist()
    for code in set(nearest):
        own = [vector for vector, number in zip(vectors.tolist(), nearest, strict=True) if number == code]
        moved[code] = [sum(column) / len(own) for column in zip(*own, strict=True)]
    return torch.tensor(moved)


@move_codes.right
def by_one_hot(vectors, codebook):
    belongs = F.one_hot(closest_codes(vectors, codebook), len(codebook)).float()
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


@move_codes.mistake("The codes are right, but you changed the codebook that came in. Begin with codebook.clone().")
def in_place(vectors, codebook):
    codebook[:] = move_codes(vectors, codebook)
    return codebook


@move_codes.mistake(
    "You look for the nearest codes again after each code has moved. In one round all vectors choose first, "
    "and then all codes move."
)
def one_after_the_other(vectors, codebook):
    moved = codebook.clone()
    for code in range(len(moved)):
        own = closest_codes(vectors, moved) == code
        if own.any():
            moved[code] = vectors[own].mean(dim=0)
    return moved


def moving(new):
    """A wrong round: code k moves to new(its vectors, code k)."""

    def answer(vectors, codebook):
        nearest = closest_codes(vectors, codebook)
        return torch.stack([new(vectors[nearest == k], code) for k, code in enumerate(codebook)])

    return answer


move_codes.mistake(
    "A code without vectors becomes NaN: the mean of nothing. Leave it where it is.",
    nan_without_vectors=moving(lambda own, code: own.mean(dim=0)),
)

move_codes.mistake(
    "A code without vectors moves to 0. Leave it where it is.",
    zero_without_vectors=moving(lambda own, code: own.sum(dim=0) / max(1, len(own))),
)

move_codes.mistake(
    "You move a code to the sum of its vectors. It should lie in their middle: the mean.",
    sum_not_mean=moving(lambda own, code: own.sum(dim=0) if len(own) else code),
)

move_codes.mistake(
    "You take one mean over everything. Each of the C numbers has its own mean: mean(dim=0).",
    one_mean=moving(lambda own, code: own.mean().expand(len(code)) if len(own) else code),
)

move_codes.mistake(
    "You take the median. k-means takes the mean, which makes the squared error smallest.",
    median=moving(lambda own, code: own.median(dim=0).values if len(own) else code),
)

move_codes.mistake(
    "You go half of the way. In k-means a code moves all the way to the mean.",
    half_way=moving(lambda own, code: (own.mean(dim=0) + code) / 2 if len(own) else code),
)

move_codes.mistake(
    "You return the number of the nearest code of each vector. Go on: move the codes and return them.",
    numbers_of_codes=closest_codes,
)

move_codes.hints(
    "nearest = torch.cdist(vectors, codebook).argmin(dim=1) says where each vector belongs.",
    "vectors[nearest == code] are the vectors of one code; their mean(dim=0) is its new place.",
    "Begin with moved = codebook.clone(), and change only the codes for which (nearest == code).any().",
)
