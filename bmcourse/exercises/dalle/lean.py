"""How far the bright pixels of an image lean to the right (lesson 14)."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How far the bright pixels of an image (height, width) lean to the right, in pixels for each pixel up: "
    "minus the covariance of row and column over the variance of the row, pixels weighing as much as they are bright. "
    "Rows count downward, both from the centre of mass. One number."
)
def lean(image):
    weight = image / image.sum()
    rows, columns = torch.meshgrid(*(torch.arange(float(size)) for size in image.shape), indexing="ij")
    rows = rows - (weight * rows).sum()
    columns = columns - (weight * columns).sum()
    return -(weight * rows * columns).sum() / (weight * rows**2).sum()


@lean.cases
def cases():
    return [
        (torch.eye(4).flip(1),),
        (torch.eye(5)[:, :4],),
        (torch.tensor([[0.0, 0.0, 0.9, 0.1], [0.0, 0.5, 0.0, 0.0], [0.0, 1.0, 0.2, 0.0]]),),
        (torch.rand(8, 8),),
    ]


@lean.judge
def by_loop(image):
    points = [(r, c, b) for r, row in enumerate(image.tolist()) for c, b in enumerate(row)]
    total = sum(b for _, _, b in points)
    row, column = sum(r * b for r, _, b in points) / total, sum(c * b for _, c, b in points) / total
    covariance = sum(b * (r - row) * (c - column) for r, c, b in points)
    return torch.tensor(-covariance / sum(b * (r - row) ** 2 for r, _, b in points))


@lean.right
def by_cov(image):
    places = image.nonzero().T
    table = torch.cov(places, aweights=image[tuple(places)].double())
    return (-table[0, 1] / table[0, 0]).float()


@lean.right
def by_moments(image):
    height, width = image.shape
    p, r, c = image / image.sum(), torch.arange(float(height)), torch.arange(float(width))
    of_rows, of_columns = p.sum(1), p.sum(0)
    mean_row, mean_column = of_rows @ r, of_columns @ c
    return (mean_row * mean_column - r @ p @ c) / (of_rows @ r**2 - mean_row**2)


@lean.right
def by_fit(image):
    rows, columns = image.nonzero().T.float()
    root = image[image != 0].sqrt()
    line = torch.linalg.lstsq(torch.stack([rows * root, root], dim=1), (columns * root)[:, None]).solution
    return -line[0, 0]


def leaning(formula, weight=lambda image: image / image.sum(), centred=True):
    """A wrong slant: `formula` of the weights, the rows and the columns, from the middle of the mass or not."""

    def answer(image):
        w = weight(image)
        rows, columns = torch.meshgrid(*(torch.arange(float(size)) for size in image.shape), indexing="ij")
        if centred is True:
            rows, columns = rows - (w * rows).sum(), columns - (w * columns).sum()
        elif centred == "page":
            rows, columns = rows - rows.mean(), columns - columns.mean()
        return formula(w, rows, columns)

    return answer


def _slope(w, r, c):
    return -(w * r * c).sum() / (w * r * r).sum()


lean.mistake(
    "The sign is wrong: rows count downward. A digit that leans to the right has its upper, smaller rows at "
    "the larger columns.",
    sign=leaning(lambda w, r, c: -_slope(w, r, c)),
)

lean.mistake(
    "You count from the corner. Subtract the mean row and the mean column, weighted by brightness, first.",
    from_corner=leaning(_slope, centred=False),
)

lean.mistake(
    "You count from the middle of the page. A digit may stand elsewhere: take its centre of mass, the mean row "
    "and column weighted by brightness.",
    from_middle_of_page=leaning(_slope, centred="page"),
)

lean.mistake(
    "You divide by the variance of the column. Asked is how many columns for one row: divide by the row's.",
    by_column_variance=leaning(lambda w, r, c: -(w * r * c).sum() / (w * c * c).sum()),
)

lean.mistake(
    "That is the correlation, from -1 to 1. It tells how thin the stroke is, too. Divide by the variance of "
    "the row alone.",
    correlation=leaning(lambda w, r, c: -(w * r * c).sum() / ((w * r * r).sum() * (w * c * c).sum()).sqrt()),
)

lean.mistake(
    "That is the covariance: a tall digit would lean more than a small one. Divide by the variance of the row.",
    covariance=leaning(lambda w, r, c: -(w * r * c).sum()),
)

lean.mistake(
    "You weigh every pixel alike that is not black. Weigh it by its brightness.",
    unweighted=leaning(_slope, lambda image: (image > 0).float() / (image > 0).sum()),
)

lean.mistake(
    "You return an angle. Asked is the slope: pixels to the right for each pixel up.",
    angle=leaning(lambda w, r, c: _slope(w, r, c).atan().rad2deg()),
)

lean.hints(
    "weight = image / image.sum() makes the brightness sum to 1; then a mean is (weight * x).sum().",
    "torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing='ij'): rows and columns.",
    "Subtract the means, then -(weight * rows * columns).sum() / (weight * rows**2).sum().",
)
