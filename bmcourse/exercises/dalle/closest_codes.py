"""For each vector the number of the nearest code (lesson 17)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


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
        uncommon(torch.randn(4, 2), torch.randn(3, 2)),
        (torch.randn(3, 4), torch.zeros(1, 4)),
        (torch.tensor([[4e4], [-3e5], [2e5], [7.0]]), torch.tensor([[0.0], [1e5], [-2e5]])),
        # far from 0, where |v|² - 2vc + |c|² is lost in rounding
        (
            1e5 + torch.tensor([[0.0, 1.0], [2.0, 5.0], [6.0, 1.0]]),
            1e5 + torch.tensor([[7.0, 0.0], [1.0, 4.0], [1.0, 0.0]]),
        ),
    ]


MEET = (
    "Every vector has to meet every code, and there are not as many of one as of the other. vectors[:, None] - "
    "codebook[None] has the shape (N, K, C)."
)


@closest_codes.run
def numbers(answer, vectors, codebook):
    try:
        return answer(vectors, codebook)
    except RuntimeError as error:
        raise Mistake(MEET) if "must match the size" in str(error) else error from None


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
    """Seen from the middle of the codes, so that the squares stay small."""
    middle = codebook.double().mean(dim=0)
    v, c = vectors.double() - middle, codebook.double() - middle
    return (v @ c.T - c.square().sum(dim=1) / 2).argmax(dim=1)


@closest_codes.right
def by_norm(vectors, codebook):
    return torch.stack([torch.linalg.norm(codebook - vector, dim=1).argmin() for vector in vectors])


@closest_codes.right
def by_searching(vectors, codebook):
    found = torch.zeros(len(vectors), dtype=torch.long)
    for n, vector in enumerate(vectors):
        best = float("inf")
        for k, code in enumerate(codebook):
            distance = (vector - code).square().sum().item()
            if distance < best:
                best, found[n] = distance, k
    return found


@closest_codes.right
def by_columns(vectors, codebook):
    squares = sum((v[:, None] - c) ** 2 for v, c in zip(vectors.unbind(1), codebook.unbind(1), strict=True))
    return squares.sort(dim=1).indices[:, 0]


def smallest(score):
    """A wrong choice: the code with the smallest `score(differences)`, of differences (N, K, C)."""
    return lambda vectors, codebook: score(vectors[:, None] - codebook[None]).argmin(dim=1)


def expanded(product=-2.0, of_code=1.0):
    """A wrong choice by |v|² + product * vc + of_code * |c|²."""

    def answer(vectors, codebook):
        squares = vectors.square().sum(1, keepdim=True) + of_code * codebook.square().sum(1)
        return (squares + product * (vectors @ codebook.T)).argmin(dim=1)

    return answer


def searching(start, size=lambda difference: difference.norm(), reset=True, fresh=False):
    """A wrong search, from the distance `start` on."""

    def answer(vectors, codebook):
        found, best, number = [], start, 0
        for vector in vectors:
            if reset:
                best, number = start, 0
            elif fresh:
                number = 0
            for k, code in enumerate(codebook):
                if (distance := size(vector - code).item()) < best:
                    best, number = distance, k
            found.append(number)
        return torch.tensor(found)

    return answer


def back(change):
    """A wrong answer made of right numbers."""
    return lambda vectors, codebook: change(closest_codes(vectors, codebook), vectors, codebook)


def squares(vectors, codebook):
    return (vectors[:, None] - codebook[None]).square().sum(dim=2)


closest_codes.mistake(
    "You take the code that is furthest away. The nearest has the smallest distance: argmin.",
    furthest=lambda vectors, codebook: squares(vectors, codebook).argmax(dim=1),
)
closest_codes.mistake(
    "You take the code with the largest product: perhaps |c|² is missing from |v|² - 2vc + |c|². A long code then wins "
    "everywhere. Take the smallest distance: the squares of the differences, added.",
    largest_product=lambda vectors, codebook: (vectors @ codebook.T).argmax(dim=1),
)
closest_codes.mistake(
    "You take the code with the smallest product, which points away from the vector. Take the smallest distance: the "
    "squares of the differences, added.",
    smallest_product=lambda vectors, codebook: (vectors @ codebook.T).argmin(dim=1),
)
closest_codes.mistake(
    "You compare directions (cosine) and not places. Two patches of the same shape, one dark, one bright, would be the "
    "same. Use the distance.",
    cosine=lambda vectors, codebook: F.cosine_similarity(vectors[:, None], codebook[None], dim=2).argmax(dim=1),
)
closest_codes.mistake(
    "You compare directions (cosine), and take the smallest similarity: the code that points furthest away. Use the "
    "distance.",
    smallest_cosine=lambda vectors, codebook: F.cosine_similarity(vectors[:, None], codebook[None], dim=2).argmin(1),
)
closest_codes.mistake(
    "You find the nearest vector of each code. Asked is the nearest code of each vector: reduce the other dimension, "
    "dim=1.",
    nearest_vector=lambda vectors, codebook: squares(vectors, codebook).argmin(dim=0),
)
closest_codes.mistake(
    "Without a dim, argmin looks at all pairs at once and gives one number. Each vector has its own nearest code: "
    "dim=1.",
    one_for_all=lambda vectors, codebook: squares(vectors, codebook).argmin(),
)
closest_codes.mistake(
    "You add absolute differences. The Euclidean distance adds their squares.",
    absolute_differences=smallest(lambda d: d.abs().sum(dim=2)),
)
closest_codes.mistake(
    "You look at the largest single difference. The Euclidean distance adds the squares of all.",
    largest_difference=smallest(lambda d: d.abs().amax(dim=2)),
)
closest_codes.mistake(
    "You look at the smallest single difference. The Euclidean distance adds the squares of all.",
    smallest_difference=smallest(lambda d: d.abs().amin(dim=2)),
)
closest_codes.mistake(
    "You add first and square then, or take the absolute value of the sum: a difference of +1 and one of -1 cancel. "
    "Square each difference first.",
    added_before_squared=smallest(lambda d: d.sum(dim=2).square()),
)
closest_codes.mistake(
    "You add the differences as they are, vector minus code: negative ones count as near. Square each of them first.",
    not_squared=smallest(lambda d: d.sum(dim=2)),
)
closest_codes.mistake(
    "You add the differences as they are, code minus vector: negative ones count as near. Square each of them first.",
    not_squared_reversed=smallest(lambda d: -d.sum(dim=2)),
)
closest_codes.mistake(
    "You add third powers, and those keep the sign of the difference. Square each difference.",
    cubed=smallest(lambda d: (d**3).sum(dim=2)),
)
closest_codes.mistake(
    "You add fourth powers: the square is squared again before the sum. Square each difference once.",
    squared_twice=smallest(lambda d: (d**4).sum(dim=2)),
)
closest_codes.mistake(
    "You add the roots of the differences. The Euclidean distance adds squares; a root may come after the sum.",
    roots=smallest(lambda d: d.abs().sqrt().sum(dim=2)),
)
closest_codes.mistake(
    "You compare the first number of vector and code only. All C numbers count: add over the last dimension.",
    first_number_only=smallest(lambda d: d[:, :, 0].square()),
)
closest_codes.mistake(
    "You compare the last number of vector and code only: is a sum overwritten in the loop? Add over all C numbers.",
    last_number_only=smallest(lambda d: d[:, :, -1].square()),
)
closest_codes.mistake(
    "You leave out the last of the C numbers. Add over all of them.",
    last_number_left_out=smallest(lambda d: d[:, :, :-1].square().sum(dim=2)),
)
closest_codes.mistake(
    "You compare only how long vector and code are. Two of the same length may point anywhere: subtract first, and "
    "take the length of the difference.",
    lengths=lambda vectors, codebook: (vectors.norm(dim=1)[:, None] - codebook.norm(dim=1)).abs().argmin(dim=1),
)
closest_codes.mistake(
    "You take the shortest code, whatever the vector is. Subtract the vector from it first.",
    shortest_code=lambda vectors, codebook: codebook.norm(dim=1).argmin().expand(len(vectors)),
)
closest_codes.mistake(
    "You add the vector and the code. The distance is the length of their difference.",
    added=lambda vectors, codebook: squares(vectors, -codebook).argmin(dim=1),
)
closest_codes.mistake(
    "You cut the differences to whole numbers. All that stands behind the point counts.",
    whole_differences=smallest(lambda d: d.long().square().sum(dim=2)),
)
closest_codes.mistake(
    "|v|² - 2vc + |c|² is the squared distance, but far from 0 it is the small difference of huge numbers, and float32 "
    "rounds it away. Subtract first, and square then.",
    expanded=expanded(),
)
closest_codes.mistake(
    "The factor 2 is missing: the squared distance is |v|² - 2vc + |c|². Simpler: subtract, and square the difference.",
    factor_forgotten=expanded(product=-1.0),
)
closest_codes.mistake(
    "You return the codes themselves. Return their numbers: these are the tokens.",
    codes_not_numbers=back(lambda found, vectors, codebook: codebook[found]),
)
closest_codes.mistake(
    "You return the vectors themselves, or as many numbers for each. Return one number for each vector: that of its "
    "code.",
    vectors_back=back(lambda found, vectors, codebook: vectors),
)
closest_codes.mistake(MEET, pairwise=lambda vectors, codebook: (vectors - codebook).square().sum(dim=1).argmin())
closest_codes.mistake(
    "You return how far the nearest code is. Return which one it is: argmin, not min.",
    distance_not_number=lambda vectors, codebook: squares(vectors, codebook).sqrt().amin(dim=1),
)
closest_codes.mistake(
    "You return the square of how far the nearest code is. Return which one it is: argmin, not min.",
    square_not_number=lambda vectors, codebook: squares(vectors, codebook).amin(dim=1),
)
closest_codes.mistake(
    "You return the distances of all pairs. Take the place of the smallest in each row: .argmin(dim=1).",
    all_distances=lambda vectors, codebook: squares(vectors, codebook).sqrt(),
)
closest_codes.mistake(
    "You return the squared distances of all pairs. Take the place of the smallest in each row: .argmin(dim=1).",
    all_squares=squares,
)
closest_codes.mistake(
    "You return all codes in the order of their distance. Take the first of each row, or argmin(dim=1).",
    whole_order=lambda vectors, codebook: squares(vectors, codebook).argsort(dim=1),
)
closest_codes.mistake(
    "The second nearest code comes back. A vector is no code: the first of the order is the nearest, place 0.",
    second_nearest=lambda vectors, codebook: squares(vectors, codebook).argsort(dim=1)[:, 1 % len(codebook)],
)
closest_codes.mistake(
    "You return a row of zeros with a one for each vector. Return the number: the place of the one.",
    one_hot=back(lambda found, vectors, codebook: F.one_hot(found, len(codebook))),
)
closest_codes.mistake(
    "Your shape is (N, 1). Leave out keepdim: (N,) was asked.",
    dimension_kept=back(lambda found, vectors, codebook: found[:, None]),
)
closest_codes.mistake(
    "Your numbers are floats. They are to choose rows of the codebook, and so they must be whole: torch.long.",
    floats=back(lambda found, vectors, codebook: found.float()),
)
closest_codes.mistake(
    "You return a list. Make a tensor of it: torch.tensor(numbers).",
    list_back=back(lambda found, vectors, codebook: found.tolist()),
)
closest_codes.mistake(
    "You count the codes from 1. The first one has the number 0.",
    from_one=back(lambda found, vectors, codebook: found + 1),
)
closest_codes.mistake(
    "The answer for the first vector is all that comes back. Is the `return` inside of the loop?",
    first_vector_only=back(lambda found, vectors, codebook: found[:1]),
)
closest_codes.mistake(
    "All vectors get the code of the last one, or the first: the loop fills the whole answer. Set answer[n].",
    last_for_all=back(lambda found, vectors, codebook: found[-1].expand(len(found))),
)
closest_codes.mistake(
    "Your search leaves out the last code. range(len(codebook)) goes to the end.",
    last_code_left_out=lambda vectors, codebook: closest_codes(vectors, codebook[: max(1, len(codebook) - 1)]),
)
closest_codes.mistake(
    "Your search begins with a distance that is too small: vectors further away than that stay at code 0. Begin with "
    'float("inf").',
    search_from_10=searching(10.0),
)
closest_codes.mistake(
    "Your search begins with a squared distance that is too small: vectors further away stay at code 0. Begin with "
    'float("inf").',
    search_from_a_square_of_10=searching(10.0, lambda difference: difference.square().sum()),
)
closest_codes.mistake(
    'Your search begins with a distance of 1: vectors further away than that stay at code 0. Begin with float("inf").',
    search_from_1=searching(1.0),
)
closest_codes.mistake(
    "The best distance is not reset for the next vector: one that is further away than the last stays at code 0. Set "
    "it to infinity inside of the loop over the vectors.",
    not_reset=searching(float("inf"), reset=False, fresh=True),
)
closest_codes.mistake(
    "Neither the best distance nor its number is reset for the next vector: one that is further away gets the code of "
    "the last. Set both inside of the loop over the vectors.",
    nothing_reset=searching(float("inf"), reset=False),
)
closest_codes.mistake(
    "You add over the codes, dim 1 of the differences (N, K, C). Add over the last dimension, the C numbers, and take "
    "the smallest over the codes then.",
    added_over_codes=lambda vectors, codebook: (vectors[:, None] - codebook[None]).square().sum(dim=1).argmin(dim=1),
)
closest_codes.mistake(
    "You add over the vectors, dim 0 of the differences (N, K, C). Add over the last dimension, the C numbers.",
    added_over_vectors=lambda vectors, codebook: (vectors[:, None] - codebook[None]).square().sum(dim=0).argmin(dim=1),
)
closest_codes.mistake(
    "With a single vector your answer has no dimension left: squeeze() without a dim takes all of size 1. Use "
    "squeeze(1).",
    squeezed=back(lambda found, vectors, codebook: found.squeeze()),
)
closest_codes.mistake(
    "You sort the numbers of the codes, or return each once. Each vector has its own, in the order of the vectors.",
    each_once=back(lambda found, vectors, codebook: found.unique()),
)

closest_codes.hints(
    "Compare every vector with every code: vectors[:, None] - codebook[None] is (N, K, C).",
    "Square it and add over the last dimension: (N, K), a distance for each pair.",
    "distances.argmin(dim=1).",
)
