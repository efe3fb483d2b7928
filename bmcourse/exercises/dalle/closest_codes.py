"""For each vector the number of the nearest code (lesson 14)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="For each of the vectors (N, C) the number of the nearest code of the codebook (K, C): a tensor (N,) of "
    "whole numbers. Nearest is the smallest Euclidean distance."
)
def closest_codes(vectors, codebook):
    distances = ((vectors[:, None] - codebook[None]) ** 2).sum(dim=2)
    return distances.argmin(dim=1)


@closest_codes.cases
def cases():
    return [
        (torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.tensor([[8.0, 8.0], [1.0, 0.0]])),
        (torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 0.0], [2.0, 2.0]])),  # 3 against 2.83; 3 against 4 in L1
        (torch.randn(7, 3), torch.randn(5, 3)),
        (torch.randn(20, 4), 3 * torch.randn(9, 4)),
    ]


@closest_codes.judge
def by_loop(vectors, codebook):
    answer = []
    for vector in vectors.tolist():
        squares = [sum((a - b) ** 2 for a, b in zip(vector, code, strict=True)) for code in codebook.tolist()]
        answer.append(squares.index(min(squares)))
    return torch.tensor(answer)


@closest_codes.right
def by_cdist(vectors, codebook):
    return torch.cdist(vectors, codebook).min(dim=1).indices


@closest_codes.right
def by_products(vectors, codebook):
    return (vectors @ codebook.T - codebook.square().sum(dim=1) / 2).argmax(dim=1)


@closest_codes.right
def by_norm(vectors, codebook):
    return torch.stack([torch.linalg.norm(codebook - vector, dim=1).argmin() for vector in vectors])


closest_codes.mistake(
    "You take the code that is furthest away. The nearest has the smallest distance: argmin.",
    furthest=lambda vectors, codebook: torch.cdist(vectors, codebook).argmax(dim=1),
)

closest_codes.mistake(
    "You take the code with the largest product. A long code then wins everywhere. Take the smallest distance: "
    "the squares of the differences, added.",
    largest_product=lambda vectors, codebook: (vectors @ codebook.T).argmax(dim=1),
)

closest_codes.mistake(
    "You compare directions (cosine) and not places. Two patches of the same shape, one dark, one bright, "
    "would be the same. Use the distance.",
    cosine=lambda vectors, codebook: F.cosine_similarity(vectors[:, None], codebook[None], dim=2).argmax(dim=1),
)

closest_codes.mistake(
    "You find the nearest vector of each code. Asked is the nearest code of each vector: reduce the other "
    "dimension, dim=1.",
    nearest_vector=lambda vectors, codebook: torch.cdist(vectors, codebook).argmin(dim=0),
)

closest_codes.mistake(
    "You add absolute differences. The Euclidean distance adds their squares.",
    absolute_differences=lambda vectors, codebook: (vectors[:, None] - codebook[None]).abs().sum(dim=2).argmin(dim=1),
)

closest_codes.mistake(
    "You add first and square then: a difference of +1 and one of -1 cancel. Square each difference first.",
    added_before_squared=lambda vectors, codebook: (
        (vectors[:, None] - codebook[None]).sum(dim=2).square().argmin(dim=1)
    ),
)

closest_codes.mistake(
    "You return the codes themselves. Return their numbers: these are the tokens.",
    codes_not_numbers=lambda vectors, codebook: codebook[torch.cdist(vectors, codebook).argmin(dim=1)],
)

closest_codes.mistake(
    "You compare the first vector with the first code, the second with the second, and so on. Every vector has "
    "to meet every code: vectors[:, None] - codebook.",
    pairwise=lambda vectors, codebook: (vectors - codebook).square().sum(dim=1).argmin(),
)

closest_codes.mistake(
    "You return how far the nearest code is. Return which one it is: argmin, not min.",
    distance_not_number=lambda vectors, codebook: torch.cdist(vectors, codebook).min(dim=1).values,
)

closest_codes.hints(
    "Compare every vector with every code: vectors[:, None] - codebook[None] is (N, K, C).",
    "Square it and add over the last dimension: (N, K), a distance for each pair.",
    "distances.argmin(dim=1).",
)
