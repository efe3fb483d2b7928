"""The exercise `cosine_neighbours` of lesson 02."""

import math

import numpy as np
import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The numbers of the `count` rows of `vectors` (N, D) that are most similar to row `index` by cosine "
    "similarity, the most similar first, without row `index` itself."
)
def cosine_neighbours(vectors, index, count):
    directions = vectors / vectors.norm(dim=1, keepdim=True)
    similarity = directions @ directions[index]
    similarity[index] = -math.inf
    return similarity.topk(count).indices


@cosine_neighbours.run
def neighbours_as_list(answer, vectors, index, count):
    """The numbers of the rows as a list, also where they come as one tensor, an array, or a list of tensors."""
    rows = answer(vectors, index, count)
    if isinstance(rows, (torch.Tensor, np.ndarray)) and rows.ndim == 1:
        return rows.tolist()
    if isinstance(rows, (list, tuple)):
        return [row.item() if isinstance(row, torch.Tensor) and row.numel() == 1 else row for row in rows]
    return rows


@cosine_neighbours.judge
def neighbours_by_loop(vectors, index, count):
    def cosine(row):
        products = [sum(a * b for a, b in zip(vectors[i].tolist(), vectors[j].tolist(), strict=True)) for i, j in row]
        return products[0] / math.sqrt(products[1] * products[2])

    similarity = {row: cosine([(row, index), (row, row), (index, index)]) for row in range(len(vectors))}
    del similarity[index]
    return sorted(similarity, key=similarity.get, reverse=True)[:count]


@cosine_neighbours.right
def neighbours_by_torch(vectors, index, count):
    similarity = torch.nn.functional.cosine_similarity(vectors, vectors[index : index + 1])
    order = similarity.argsort(descending=True)
    return order[order != index][:count]


@cosine_neighbours.right
def neighbours_without_query_norm(vectors, index, count):
    similarity = (vectors @ vectors[index]) / vectors.norm(dim=1)
    others = [row for row in range(len(vectors)) if row != index]
    return sorted(others, key=lambda row: -similarity[row])[:count]


@cosine_neighbours.right
def neighbours_by_distance(vectors, index, count):
    directions = torch.nn.functional.normalize(vectors, dim=1)
    distances = (directions - directions[index]).norm(dim=1)
    distances[index] = math.inf
    return distances.topk(count, largest=False).indices.tolist()


def _nearest(score, itself=-math.inf):
    """The rows with the highest `score(vectors, vectors[index])`, where row `index` itself counts as `itself`."""

    def answer(vectors, index, count):
        scores = score(vectors, vectors[index])
        if itself is not None:
            scores[index] = itself
        return scores.argsort(descending=True, stable=True)[:count]

    return answer


def _cosine(vectors, query):
    return vectors @ query / vectors.norm(dim=1)


def _similarities(part):
    """The answer that returns this part of what topk gives for the similarities."""

    def answer(vectors, index, count):
        similarity = _cosine(vectors, vectors[index]) / vectors[index].norm()
        similarity[index] = -math.inf
        return part(similarity.topk(count))

    return answer


@cosine_neighbours.mistake(
    "You leave out the first of the order. Another row with the same direction may stand first, and then "
    "row `index` stays in. Set its own similarity to -inf."
)
def without_the_first(vectors, index, count):
    return _nearest(_cosine, itself=None)(vectors, index, count + 1)[1:]


@cosine_neighbours.mistake(
    "You cut row `index` out before you sort, so every row behind it has a number that is too small by one."
)
def row_cut_out(vectors, index, count):
    others = torch.cat([vectors[:index], vectors[index + 1 :]])
    return _cosine(others, vectors[index]).topk(count).indices


@cosine_neighbours.mistake(
    "The rows are right, but `vectors` is changed: /= works in place. Write vectors / vectors.norm(...)."
)
def normalised_in_place(vectors, index, count):
    vectors /= vectors.norm(dim=1, keepdim=True)
    return cosine_neighbours(vectors, index, count)


@cosine_neighbours.cases
def cases():
    return [
        (torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.2, 3.0], [-1.0, 0.1]]), 0, 3),
        (torch.tensor([[0.0, 1.0], [1.0, 1.0], [9.0, 3.0], [-4.0, -3.9], [1.0, 1.2]]), 1, 3),
        (torch.tensor([[2.0, 4.0, 6.0], [1.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.9, 2.0, 3.0], [0.0, 1.0, 1.0]]), 2, 2),
        (torch.randn(12, 4) * torch.rand(12, 1) * 5, 7, 5),
        (torch.randn(9, 3) + torch.tensor([3.0, 0.0, 0.0]), 3, 8),
    ]


cosine_neighbours.mistake(
    "You compare dot products, and long vectors win those. Divide each row by its own length: "
    "vectors.norm(dim=1, keepdim=True).",
    TODO_38=_nearest(lambda vectors, query: vectors @ query),
)


cosine_neighbours.mistake(
    "You compare distances (Euclid). Cosine similarity compares directions: [2, 4] is as similar to [1, 2] as can be.",
    TODO_39=_nearest(lambda vectors, query: -(vectors - query).norm(dim=1)),
)


cosine_neighbours.mistake(
    "Row `index` is its own nearest neighbour. Leave it out: set its similarity to -inf.",
    TODO_40=_nearest(_cosine, itself=None),
)


cosine_neighbours.mistake(
    "You give row `index` the similarity 0, but a row at more than a right angle has less. Set it to -math.inf.",
    TODO_41=_nearest(_cosine, itself=0.0),
)


cosine_neighbours.mistake(
    "Your order begins with the least similar row: argsort and sort put the smallest first. "
    "Use descending=True, or topk.",
    TODO_42=_nearest(lambda vectors, query: -_cosine(vectors, query), itself=math.inf),
)


cosine_neighbours.mistake(
    "You take the absolute value. A vector in the opposite direction is the least similar, not the most.",
    TODO_43=_nearest(lambda vectors, query: _cosine(vectors, query).abs()),
)


cosine_neighbours.mistake(
    "You divide by the lengths of the columns (dim=0). Each row is a vector: dim=1.",
    TODO_44=lambda vectors, index, count: _nearest(lambda v, q: v @ q)(vectors / vectors.norm(dim=0), index, count),
)


cosine_neighbours.mistake(
    "Sizes that do not fit: norm(dim=1) has the shape (N,), and dividing (N, D) by it needs (N, 1). Write "
    "norm(dim=1, keepdim=True).",
    TODO_45=lambda vectors, index, count: vectors / vectors.norm(dim=1),
)


cosine_neighbours.mistake(
    "You return the similarities. Return the numbers of the rows: topk(...).indices.",
    TODO_46=_similarities(lambda top: top.values),
)


cosine_neighbours.mistake(
    "topk gives two tensors, the values and their indices. Return the second: topk(count).indices.",
    TODO_47=_similarities(lambda top: top),
)


cosine_neighbours.hints(
    "Cosine similarity is the dot product of vectors that have length 1. So make every row that long first.",
    "directions = vectors / vectors.norm(dim=1, keepdim=True); then directions @ directions[index].",
    "similarity[index] = -math.inf, and then similarity.topk(count).indices.",
)
