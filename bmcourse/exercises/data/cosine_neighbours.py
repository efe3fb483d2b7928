"""The exercise `cosine_neighbours` of lesson 02: the vectors that point in nearly the same direction."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="The numbers of the `count` rows of `vectors` (N, D) that are most similar to row `index` by cosine "
    "similarity, the most similar first, without row `index` itself.",
    untried={"vectors": {"one in its first dimension": "a single row has no neighbours"}},
)
def cosine_neighbours(vectors, index, count):
    directions = vectors / vectors.norm(dim=1, keepdim=True)
    similarity = directions @ directions[index]
    similarity[index] = -math.inf
    return similarity.topk(count).indices


@cosine_neighbours.cases
def cases():
    fan = torch.tensor([0.0, 0.7, 0.04, 0.9, 0.02, 3.0, 0.06])  # angles, some of them very near each other
    fan = torch.stack([fan.cos(), fan.sin(), torch.full((7,), 0.3)], 1)
    lengths = torch.tensor([[3.0], [1.0], [5.0], [2.0], [0.1], [1.0], [4.0]])
    scattered = uncommon(torch.randn(12, 4) * torch.rand(12, 1) * 5)[0].detach()
    return [
        (torch.tensor([[1.0, 0.0, 0.2], [2.0, 1.0, 0.0], [0.2, 3.0, 0.1], [-1.0, 0.1, 0.5]]), 0, 3),
        (torch.tensor([[0.0, 1.0, 1.0], [1.0, 1.0, 0.3], [9.0, 3.0, 1.0], [-4.0, -3.9, -1.0], [1.0, 1.2, 0.2]]), 1, 3),
        (torch.tensor([[2.0, 4.0, 6.0], [1.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.9, 2.0, 3.0], [0.0, 1.0, 1.5]]), 2, 2),
        (fan * lengths, 6, 6),
        (scattered, 7, 5),
        (torch.randn(9, 3) + torch.tensor([3.0, 0.0, 0.0]), 3, 8),
        (torch.randn(6, 5) - 2, 5, 1),
    ]


@cosine_neighbours.run
def as_list(answer, vectors, index, count):
    """The numbers of the rows as a list, also where they come as one tensor, an array, or a list of tensors."""
    rows = answer(vectors, index, count)
    if isinstance(rows, (torch.Tensor, np.ndarray)) and rows.ndim == 1:
        return rows.tolist()
    if isinstance(rows, (list, tuple)):
        return [row.item() if isinstance(row, torch.Tensor) and row.numel() == 1 else row for row in rows]
    return rows


@cosine_neighbours.judge
def by_loop(vectors, index, count):
    def cosine(row):
        products = [sum(a * b for a, b in zip(vectors[i].tolist(), vectors[j].tolist(), strict=True)) for i, j in row]
        return products[0] / math.sqrt(products[1] * products[2])

    similarity = {row: cosine([(row, index), (row, row), (index, index)]) for row in range(len(vectors))}
    del similarity[index]
    return sorted(similarity, key=similarity.get, reverse=True)[:count]


@cosine_neighbours.right
def by_torch(vectors, index, count):
    similarity = F.cosine_similarity(vectors, vectors[index : index + 1])
    order = similarity.argsort(descending=True)
    return order[order != index][:count]


@cosine_neighbours.right
def without_the_querys_norm(vectors, index, count):
    similarity = (vectors @ vectors[index]) / vectors.norm(dim=1)
    others = [row for row in range(len(vectors)) if row != index]
    return sorted(others, key=lambda row: -similarity[row])[:count]


@cosine_neighbours.right
def by_distance_of_directions(vectors, index, count):
    directions = F.normalize(vectors.double(), dim=1)
    distances = (directions - directions[index]).norm(dim=1)
    distances[index] = math.inf
    return distances.topk(count, largest=False).indices.tolist()


@cosine_neighbours.right
def by_numpy(vectors, index, count):
    array = vectors.numpy()
    similarity = array @ array[index] / np.linalg.norm(array, axis=1)
    order = np.argsort(-similarity)
    return [int(row) for row in order if row != index][:count]


@cosine_neighbours.right
def of_the_others(vectors, index, count):
    others = torch.tensor([row for row in range(len(vectors)) if row != index])
    similarity = torch.einsum("nd,d->n", vectors[others], vectors[index]) / vectors[others].square().sum(1).sqrt()
    return others[similarity.argsort(descending=True)[:count]]


def nearest(score, itself=-math.inf):
    """The rows with the highest `score(vectors, vectors[index])`, where row `index` itself counts as `itself`."""

    def answer(vectors, index, count):
        scores = score(vectors, vectors[index])
        if itself is not None:
            scores[index] = itself
        return scores.argsort(descending=True, stable=True)[:count]

    return answer


def cosine(vectors, query):
    return vectors @ query / vectors.norm(dim=1) / query.norm()


def in_order(part):
    """The answer that returns `part(order, index, count)` of all rows, `index` among them, in order of similarity."""

    def answer(vectors, index, count):
        similarity = cosine(vectors, vectors[index])
        similarity[index] = 2  # first of all, whatever else points there
        return part(similarity.argsort(descending=True, stable=True), index, count)

    return answer


def similarities(part):
    """The answer that returns this part of what topk gives for the similarities."""

    def answer(vectors, index, count):
        similarity = cosine(vectors, vectors[index])
        similarity[index] = -math.inf
        return part(similarity.topk(count))

    return answer


cosine_neighbours.mistake(
    "You compare dot products, and long vectors win those. Divide each row by its own length: "
    "vectors.norm(dim=1, keepdim=True).",
    dot_products=nearest(lambda vectors, query: vectors @ query),
)
cosine_neighbours.mistake(
    "You compare dot products, and row `index` may be its own neighbour. Divide each row by its own length, and set "
    "the similarity of row `index` to -inf.",
    dot_products_with_itself=nearest(lambda vectors, query: vectors @ query, itself=None),
)
cosine_neighbours.mistake(
    "You compare distances (Euclid). Cosine similarity compares directions: [2, 4] is as similar to [1, 2] as can be.",
    distances=nearest(lambda vectors, query: -(vectors - query).norm(dim=1)),
)
cosine_neighbours.mistake(
    "You compare sums of absolute differences. Cosine similarity compares directions: [2, 4] is as similar to [1, 2] "
    "as can be.",
    city_block=nearest(lambda vectors, query: -(vectors - query).abs().sum(dim=1)),
)
cosine_neighbours.mistake(
    "You take the vectors that are farthest away. Cosine similarity compares directions, and the most similar comes "
    "first.",
    farthest=nearest(lambda vectors, query: (vectors - query).norm(dim=1)),
)
cosine_neighbours.mistake(
    "Row `index` is its own nearest neighbour. Leave it out: set its similarity to -inf.",
    itself_stays=in_order(lambda order, index, count: order[:count]),
)
cosine_neighbours.mistake(
    "Row `index` is its own nearest neighbour, and you return one row more than `count` to make up for it. Leave it "
    "out: set its similarity to -inf.",
    one_more_with_itself=in_order(lambda order, index, count: order[: count + 1]),
)
cosine_neighbours.mistake(
    "You drop row `index` after you have taken `count` rows, so one is missing. First leave it out, then take `count`.",
    dropped_after_the_cut=in_order(lambda order, index, count: order[1:count]),
)
cosine_neighbours.mistake(
    "You leave out the nearest neighbour as well as row `index`. Once its similarity is -inf it does not come first "
    "any more.",
    left_out_twice=in_order(lambda order, index, count: order[2 : count + 2]),
)
cosine_neighbours.mistake(
    "You return all other rows. Only the first `count` of them are asked for.",
    all_others=in_order(lambda order, index, count: order[1:]),
)
cosine_neighbours.mistake(
    "You return all rows, row `index` too. Set its similarity to -inf and return the first `count`.",
    all_rows=in_order(lambda order, index, count: order),
)
cosine_neighbours.mistake(
    "You return the nearest row only. `count` of them are asked for.",
    only_the_nearest=in_order(lambda order, index, count: order[1:2]),
)
cosine_neighbours.mistake(
    "You return a number, the nearest row. `count` of them are asked for: topk(count).indices.",
    argmax=in_order(lambda order, index, count: order[1]),
)
cosine_neighbours.mistake(
    "Your rows are the right ones, but the least similar of them comes first. Turn the order round.",
    turned_round=in_order(lambda order, index, count: order[1 : count + 1].flip(0)),
)
cosine_neighbours.mistake(
    "Your rows are the right ones, but in order of their numbers. The most similar comes first.",
    in_order_of_numbers=in_order(lambda order, index, count: order[1 : count + 1].sort().values),
)
cosine_neighbours.mistake(
    "You return the rank of each row. argsort gives the rows in order, and doing it twice gives the ranks.",
    ranks=in_order(lambda order, index, count: order.argsort()[:count]),
)
cosine_neighbours.mistake(
    "Your numbers are too large by one. Rows are counted from 0.",
    counted_from_1=in_order(lambda order, index, count: order[1 : count + 1] + 1),
)
cosine_neighbours.mistake(
    "You give row `index` the similarity 0, but a row at more than a right angle has less. Set it to -math.inf.",
    itself_zero=nearest(cosine, itself=0.0),
)
cosine_neighbours.mistake(
    "Your order begins with the least similar row: argsort and sort put the smallest first. "
    "Use descending=True, or topk.",
    least_similar=nearest(lambda vectors, query: -cosine(vectors, query)),
)
cosine_neighbours.mistake(
    "Your order begins with row `index` itself and then the least similar: argsort puts the smallest first, and that "
    "is -inf. Use descending=True.",
    ascending_with_itself=nearest(lambda vectors, query: -cosine(vectors, query), itself=math.inf),
)
cosine_neighbours.mistake(
    "You take the absolute value (or the square). A vector in the opposite direction is the least similar, not the "
    "most.",
    absolute=nearest(lambda vectors, query: cosine(vectors, query).abs()),
)
cosine_neighbours.mistake(
    "You divide by the lengths of the columns (dim=0). Each row is a vector: dim=1.",
    columns=lambda vectors, index, count: nearest(lambda v, q: v @ q)(vectors / vectors.norm(dim=0), index, count),
)
cosine_neighbours.mistake(
    "You compare along dim=0, the columns. Each row is a vector: dim=1.",
    cosine_of_columns=lambda vectors, index, count: (
        F.cosine_similarity(vectors, vectors[index : index + 1], dim=0).topk(count).indices
    ),
)
cosine_neighbours.mistake(
    "You divide by the sum of each row's absolute values. A vector's length is the root of the sum of its squares: "
    "norm().",
    sum_of_absolute_values=nearest(lambda vectors, query: vectors @ query / vectors.abs().sum(dim=1)),
)
cosine_neighbours.mistake(
    "You divide by the sum of each row, which is not its length. The length is the root of the sum of its squares: "
    "norm().",
    sum_of_the_row=nearest(lambda vectors, query: vectors @ query / vectors.sum(dim=1)),
)
cosine_neighbours.mistake(
    "You divide by the largest absolute value of each row. A vector's length is the root of the sum of its squares: "
    "norm().",
    largest_value=nearest(lambda vectors, query: vectors @ query / vectors.abs().amax(dim=1)),
)
cosine_neighbours.mistake(
    "You divide by the square of the length, so short vectors win: the root is missing.",
    root_forgotten=nearest(lambda vectors, query: vectors @ query / vectors.square().sum(dim=1)),
)
cosine_neighbours.mistake(
    "You divide by the root of the length, so long vectors still win. norm() has the root in it already.",
    root_twice=nearest(lambda vectors, query: vectors @ query / vectors.norm(dim=1).sqrt()),
)
cosine_neighbours.mistake(
    "You multiply by the lengths. Divide by them: the length must not count.",
    multiplied=nearest(lambda vectors, query: vectors @ query * vectors.norm(dim=1)),
)
cosine_neighbours.mistake(
    "You compare the lengths of the vectors. The cosine compares their directions: the dot product divided by both "
    "lengths.",
    only_lengths=nearest(lambda vectors, query: vectors.norm(dim=1)),
)
cosine_neighbours.mistake(
    "You take each row's mean away first: that is the correlation. The cosine takes the vectors as they are.",
    correlation=nearest(
        lambda vectors, query: cosine(vectors - vectors.mean(dim=1, keepdim=True), query - query.mean())
    ),
)
cosine_neighbours.mistake(
    "You take the mean of all vectors away first. The cosine takes the vectors as they are.",
    centred=nearest(lambda vectors, query: cosine(vectors - vectors.mean(dim=0), query - vectors.mean(dim=0))),
)
cosine_neighbours.mistake(
    "You make probabilities of the vectors first (softmax). The cosine takes them as they are.",
    softmax_first=nearest(lambda vectors, query: cosine(vectors.softmax(dim=1), query.softmax(dim=0))),
)
cosine_neighbours.mistake(
    "You round the similarities to two digits before you sort, and near ones become equal. Sort them as they are.",
    rounded=nearest(lambda vectors, query: cosine(vectors, query).mul(100).round()),
)
cosine_neighbours.mistake(
    "You compare with row 0, whatever the index. Take vectors[index].",
    row_0=lambda vectors, index, count: cosine_neighbours(vectors, 0, count),
)
cosine_neighbours.mistake(
    "Sizes that do not fit: norm(dim=1) has the shape (N,), and dividing (N, D) by it needs (N, 1). Write "
    "norm(dim=1, keepdim=True).",
    keepdim_forgotten=lambda vectors, index, count: vectors / vectors.norm(dim=1),
)
cosine_neighbours.mistake(
    "You return the similarities. Return the numbers of the rows: topk(...).indices.",
    values=similarities(lambda top: top.values),
)
cosine_neighbours.mistake(
    "`topk` gives two tensors, the values and their indices. Return the second: topk(count).indices.",
    values_and_indices=similarities(lambda top: top),
)
cosine_neighbours.mistake(
    "You return pairs of a number and a similarity. Return the numbers alone.",
    pairs=similarities(lambda top: list(zip(top.indices.tolist(), top.values.tolist(), strict=True))),
)
cosine_neighbours.mistake(
    "You return the vectors. Asked are the numbers of their rows: topk(...).indices.",
    the_vectors=lambda vectors, index, count: vectors[cosine_neighbours(vectors, index, count)],
)
cosine_neighbours.mistake(
    "You return the similarity of every row. Return the numbers of the `count` most similar: topk(count).indices.",
    all_similarities=lambda vectors, index, count: cosine(vectors, vectors[index]),
)


@cosine_neighbours.mistake(
    "You leave out the first of the order. Another row with the same direction may stand first, and then "
    "row `index` stays in. Set its own similarity to -inf."
)
def without_the_first(vectors, index, count):
    return nearest(cosine, itself=None)(vectors, index, count + 1)[1:]


@cosine_neighbours.mistake(
    "You leave out every row that points where row `index` does. Those are its nearest neighbours: leave out only the "
    "row with that number."
)
def twins_left_out(vectors, index, count):
    order = nearest(cosine)(vectors, index, len(vectors))
    return order[cosine(vectors, vectors[index])[order] < 1 - 1e-6][:count]


@cosine_neighbours.mistake(
    "You cut row `index` out before you sort, so every row behind it has a number that is too small by one."
)
def row_cut_out(vectors, index, count):
    others = torch.cat([vectors[:index], vectors[index + 1 :]])
    return cosine(others, vectors[index]).topk(count).indices


@cosine_neighbours.mistake(
    "The rows are right, but `vectors` is changed: /= works in place, and so does vectors[index] = ... Write vectors / "
    "vectors.norm(...), and set the similarity of row `index`, not the row."
)
def normalised_in_place(vectors, index, count):
    vectors /= vectors.norm(dim=1, keepdim=True)
    return cosine_neighbours(vectors, index, count)


cosine_neighbours.hints(
    "Cosine similarity is the dot product of vectors that have length 1. So make every row that long first.",
    "directions = vectors / vectors.norm(dim=1, keepdim=True); then directions @ directions[index].",
    "similarity[index] = -math.inf, and then similarity.topk(count).indices.",
)
