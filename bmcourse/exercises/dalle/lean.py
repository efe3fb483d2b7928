"""How far the bright pixels of an image lean to the right (lesson 17)."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How far the bright pixels of an image (height, width) lean to the right, in pixels for each pixel up: "
    "minus the covariance of row and column over the variance of the row, pixels weighing as much as they are bright. "
    "Rows count downward, both from the centre of mass. One number.",
    untried={
        "image": {
            "one in its first dimension": "one row has no slant",
            "a gradient is wanted": "an image is measured, and not learned",
        }
    },
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
        (torch.rand(4, 7).double().T,),
        (7 * torch.rand(3, 6),),
        (torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]),),  # upright
    ]


@lean.run
def number(answer, image):
    """The plain number, so that answers with and without .item() count as alike."""
    result = answer(image)
    return result.item() if torch.is_tensor(result) and result.numel() == 1 and result.ndim == 0 else result


@lean.judge
def by_loop(image):
    points = [(r, c, b) for r, row in enumerate(image.tolist()) for c, b in enumerate(row)]
    total = sum(b for _, _, b in points)
    row, column = sum(r * b for r, _, b in points) / total, sum(c * b for _, c, b in points) / total
    covariance = sum(b * (r - row) * (c - column) for r, c, b in points)
    return -covariance / sum(b * (r - row) ** 2 for r, _, b in points)


@lean.right
def by_cov(image):
    places = image.nonzero().T
    table = torch.cov(places, aweights=image[tuple(places)].double())
    return (-table[0, 1] / table[0, 0]).float()


@lean.right
def by_moments(image):
    height, width = image.shape
    p, r, c = image.double() / image.sum(), torch.arange(height).double(), torch.arange(width).double()
    of_rows, of_columns = p.sum(1), p.sum(0)
    mean_row, mean_column = of_rows @ r, of_columns @ c
    return (mean_row * mean_column - r @ p @ c) / (of_rows @ r**2 - mean_row**2)


@lean.right
def by_fit(image):
    rows, columns = image.nonzero().T.to(image.dtype)
    root = image[image != 0].sqrt()
    line = torch.linalg.lstsq(torch.stack([rows * root, root], dim=1), (columns * root)[:, None]).solution
    return -line[0, 0]


@lean.right
def by_rows(image):
    """The middle of each row, and the line through these, of rows that weigh as much as they are bright."""
    mass, up = image.sum(dim=1), -torch.arange(len(image)).to(image.dtype)
    middle = image @ torch.arange(image.shape[1]).to(image.dtype) / mass.clamp(min=1e-12)
    up = up - (mass * up).sum() / mass.sum()
    return ((mass * up * middle).sum() / (mass * up * up).sum()).item()


def leaning(formula, weight=lambda image: image / image.sum(), centre=None):
    """A wrong slant: `formula` of weights, rows and columns, from the centre of mass or from `centre(w, r, c)`."""

    def answer(image):
        w = weight(image)
        rows, columns = torch.meshgrid(*(torch.arange(float(size)) for size in image.shape), indexing="ij")
        row, column = centre(w, rows, columns) if centre else ((w * rows).sum(), (w * columns).sum())
        return formula(w, rows - row, columns - column)

    return answer


def slope(w, r, c):
    return -(w * r * c).sum() / (w * r * r).sum()


def sizes(w, r, c):
    """The middle of the page."""
    return r.mean(), c.mean()


def share(bright):
    """Weights from what `bright(image)` gives."""
    return lambda image: bright(image) / bright(image).sum()


lean.mistake(
    "The sign is wrong: rows count downward. A digit that leans to the right has its upper, smaller rows at the larger "
    "columns.",
    sign=leaning(lambda w, r, c: -slope(w, r, c)),
)
lean.mistake(
    "You count from the corner. Subtract the mean row and the mean column, weighted by brightness, first.",
    from_corner=leaning(slope, centre=lambda w, r, c: (0, 0)),
)
lean.mistake(
    "You count from the corner, and the sign is wrong: subtract the mean row and column first; and rows count "
    "downward.",
    from_corner_and_sign=leaning(lambda w, r, c: -slope(w, r, c), centre=lambda w, r, c: (0, 0)),
)
lean.mistake(
    "The rows are not counted from the centre of mass: subtract their mean as well, weighted by brightness.",
    rows_not_centred=leaning(slope, centre=lambda w, r, c: (0, (w * c).sum())),
)
lean.mistake(
    "You count from the middle of the page. A digit may stand elsewhere: take its centre of mass, the mean row and "
    "column weighted by brightness.",
    from_middle_of_page=leaning(slope, centre=sizes),
)
lean.mistake(
    "You count from half the height and width, which is not even the middle pixel. Take the centre of mass, the mean "
    "row and column weighted by brightness.",
    from_half_the_size=leaning(slope, centre=lambda w, r, c: (len(w) / 2, w.shape[1] / 2)),
)
lean.mistake(
    "You count from the middle of the bright pixels, each weighing alike. Weigh rows and columns by brightness.",
    from_middle_of_bright=leaning(slope, centre=lambda w, r, c: (r[w > 0].mean(), c[w > 0].mean())),
)
lean.mistake(
    "You count from the brightest pixel. Take the centre of mass, the mean row and column weighted by brightness.",
    from_brightest=leaning(slope, centre=lambda w, r, c: (r.flatten()[w.argmax()], c.flatten()[w.argmax()])),
)
lean.mistake(
    "Mean row and mean column are exchanged: subtract the mean row from the rows.",
    means_exchanged=leaning(slope, centre=lambda w, r, c: ((w * c).sum(), (w * r).sum())),
)
lean.mistake(
    "You divide by the variance of the column: are rows and columns exchanged? Asked is how many columns for one row: "
    "divide by the row's.",
    by_column_variance=leaning(lambda w, r, c: -(w * r * c).sum() / (w * c * c).sum()),
)
lean.mistake(
    "Rows and columns are exchanged, and the sign is wrong: the covariance over the variance of the row, with a minus.",
    by_column_variance_and_sign=leaning(lambda w, r, c: (w * r * c).sum() / (w * c * c).sum()),
)
lean.mistake(
    "That is the correlation, from -1 to 1. It tells how thin the stroke is, too. Divide by the variance of the row "
    "alone.",
    correlation=leaning(lambda w, r, c: -(w * r * c).sum() / ((w * r * r).sum() * (w * c * c).sum()).sqrt()),
)
lean.mistake(
    "That is the covariance: a tall digit would lean more than a small one. Divide by the variance of the row.",
    covariance=leaning(lambda w, r, c: -(w * r * c).sum()),
)
lean.mistake(
    "You divide by the standard deviation of the row: leave out the root.",
    by_deviation=leaning(lambda w, r, c: -(w * r * c).sum() / (w * r * r).sum().sqrt()),
)
lean.mistake(
    "You divide by both variances. Divide by that of the row alone.",
    by_both_variances=leaning(lambda w, r, c: -(w * r * c).sum() / ((w * r * r).sum() * (w * c * c).sum())),
)
lean.mistake(
    "You divide by the sum of both variances. Divide by that of the row alone.",
    by_sum_of_variances=leaning(lambda w, r, c: -(w * r * c).sum() / (w * (r * r + c * c)).sum()),
)
lean.mistake(
    "Your variance has no weights: pixels weigh as much as they are bright there as well.",
    variance_without_weights=leaning(lambda w, r, c: -(w * r * c).sum() / (r * r).mean()),
)
lean.mistake(
    "Your variance is a sum without weights. Multiply by the brightness before you add.",
    variance_a_sum=leaning(lambda w, r, c: -(w * r * c).sum() / (r * r).sum()),
)
lean.mistake(
    "Your covariance is a mean and your variance a sum, or the other way round, so that the number of pixels comes in. "
    "Take both alike.",
    mean_over_sum=leaning(lambda w, r, c: -(w * r * c).mean() / (w * r * r).sum()),
)
lean.mistake(
    "The squares are missing: you divide by the sum of absolute distances of the rows. The variance has squares.",
    no_squares=leaning(lambda w, r, c: -(w * r * c).sum() / (w * r.abs()).sum()),
)
lean.mistake(
    "You weigh every pixel alike that is not black. Weigh it by its brightness.",
    unweighted=leaning(slope, share(lambda image: (image > 0).float())),
)
lean.mistake(
    "You weigh every pixel alike that is brighter than one half. Weigh it by its brightness.",
    above_a_half=leaning(slope, share(lambda image: (image > 0.5).float())),
)
lean.mistake(
    "You weigh every pixel alike that is brighter than the mean. Weigh it by its brightness.",
    above_the_mean=leaning(slope, share(lambda image: (image > image.mean()).float())),
)
lean.mistake(
    "You weigh all pixels alike, black ones too: no image leans then. Weigh them by their brightness.",
    all_alike=leaning(slope, share(torch.ones_like)),
)
lean.mistake(
    "You weigh pixels by the square of their brightness: the weights come in twice. Once is enough.",
    weights_squared=leaning(slope, share(torch.square)),
)
lean.mistake(
    "You weigh dark pixels instead of bright ones: 1 - brightness.",
    dark_pixels=leaning(slope, share(lambda image: 1 - image)),
)
lean.mistake(
    "You weigh by a softmax of the brightness, and black pixels weigh as well. Divide by the sum.",
    softmax=leaning(slope, lambda image: image.flatten().softmax(0).view(image.shape)),
)
lean.mistake(
    "The brightness does not add up to 1, and so what you subtract is no mean. Divide by image.sum() first.",
    not_divided_by_sum=leaning(slope, lambda image: image),
)
lean.mistake(
    "You divide the brightness by its maximum, and so what you subtract is no mean. Divide by image.sum().",
    divided_by_max=leaning(slope, lambda image: image / image.max()),
)
lean.mistake(
    "You divide the brightness by its mean, and so what you subtract is no mean. Divide by image.sum().",
    divided_by_mean=leaning(slope, lambda image: image / image.mean()),
)
lean.mistake(
    "You divide the brightness by the number of pixels, and so what you subtract is no mean. Divide by image.sum().",
    divided_by_count=leaning(slope, lambda image: image / image.numel()),
)
lean.mistake(
    "You return an angle in degrees. Asked is the slope: pixels to the right for each pixel up.",
    angle=leaning(lambda w, r, c: slope(w, r, c).atan().rad2deg()),
)
lean.mistake(
    "You return an angle in radians. Asked is the slope: pixels to the right for each pixel up.",
    radians=leaning(lambda w, r, c: slope(w, r, c).atan()),
)
lean.mistake(
    "The lean has lost its sign. One to the left is negative: leave out abs().",
    without_sign=leaning(lambda w, r, c: slope(w, r, c).abs()),
)
lean.mistake(
    "That is 1 by the slope: pixels up for each pixel to the right.",
    upside_down=leaning(lambda w, r, c: 1 / slope(w, r, c)),
)
lean.mistake(
    "That is the lean over the whole height. Asked is it for each pixel up.",
    over_the_height=lambda image: lean(image) * len(image),
)
lean.mistake(
    "The minus comes twice, or the lean is doubled: it is one covariance over one variance.",
    doubled=lambda image: 2 * lean(image),
)
lean.mistake(
    "You round the lean. Return it as it is.",
    rounded=lambda image: lean(image).round(),
)
lean.mistake(
    "Rows and columns are counted from 0 to 1 here, and not in pixels: that changes the lean of an image that is not "
    "square.",
    from_0_to_1=lambda image: lean(image) * (len(image) - 1) / (image.shape[1] - 1),
)
lean.mistake(
    "You return one number for each row. One for the whole image was asked: .sum() without a dim.",
    one_a_row=leaning(lambda w, r, c: -(w * r * c).sum(1) / (w * r * r).sum(1)),
)
lean.mistake(
    "You return one number for each column. One for the whole image was asked: .sum() without a dim.",
    one_a_column=leaning(lambda w, r, c: -(w * r * c).sum(0) / (w * r * r).sum(0)),
)

lean.hints(
    "weight = image / image.sum() makes the brightness sum to 1; then a mean is (weight * x).sum().",
    "torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing='ij'): rows and columns.",
    "Subtract the means, then -(weight * rows * columns).sum() / (weight * rows**2).sum().",
)
