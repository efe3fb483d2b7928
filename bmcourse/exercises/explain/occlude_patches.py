"""Occlusion: what an image loses when one square of it is covered (lesson 12)."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.networks import classifier, linear
from bmcourse.exercises.explain.results import without_graph


@exercise(
    prompt="Occlusion: by how much the output `target` drops when one square of `size` x `size` pixels is set to the "
    "number `baseline`, for every square of the grid, one at a time. image is (H, W), and `size` divides both. "
    "model takes a batch of images (B, H, W) and gives (B, K). Returns (H / size, W / size): drop = output of the "
    "whole image minus output of the covered one."
)
def occlude_patches(model, image, size, target, baseline):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    covered = image.repeat(rows * columns, 1, 1)
    for number in range(rows * columns):
        row, column = number // columns * size, number % columns * size
        covered[number, row : row + size, column : column + size] = baseline
    with torch.no_grad():
        drops = model(image[None])[0, target] - model(covered)[:, target]
    return drops.view(rows, columns)


@occlude_patches.cases
def cases():
    lying_in_columns = torch.tensor([[0.0, 2.0, -1.0, 2.0], [1.0, 0.0, 0.0, 3.0]]).double().T
    return [
        (linear([[1.0, 0.0, 0.0, -2.0], [5.0, 1.0, 1.0, 1.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, 0, 0.0),
        (classifier(24, 3), torch.randn(4, 6), 2, 2, 0.5),
        (classifier(36, 4), torch.randn(6, 6), 3, 0, -1.0),
        (classifier(18, 2), torch.rand(6, 3), 3, 1, 0.0),
        (classifier(8, 3).double(), lying_in_columns, 2, 1, 2),
        (classifier(3, 2), torch.tensor([[1.0, 0.0, 1.0]]), 1, 0, 0.25),
    ]


occlude_patches.run(without_graph)


@occlude_patches.judge
@torch.no_grad()
def patch_by_patch(model, image, size, target, baseline):
    drops = torch.zeros(image.shape[0] // size, image.shape[1] // size).to(image)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            covered = image.clone()
            covered[row * size : (row + 1) * size, column * size : (column + 1) * size] = baseline
            drops[row, column] = model(image[None])[0, target] - model(covered[None])[0, target]
    return drops


@occlude_patches.right
@torch.no_grad()
def by_kron(model, image, size, target, baseline):
    grid = torch.Size(side // size for side in image.shape)
    patches = torch.eye(grid.numel()).view(-1, *grid)
    masks = torch.stack([torch.kron(patch, torch.ones(size, size)) for patch in patches]).bool()
    outputs = model(torch.cat([image[None], torch.where(masks, torch.tensor(baseline), image)]))[:, target]
    return (outputs[0] - outputs[1:]).reshape(grid)


@occlude_patches.right
def by_groups(model, image, size, target, baseline):
    rows = torch.arange(image.shape[0])[:, None] // size
    columns = torch.arange(image.shape[1])[None] // size
    across = image.shape[1] // size
    groups = rows * across + columns
    count = int(groups.max()) + 1
    covered = image.masked_fill(groups == torch.arange(count)[:, None, None], baseline)
    return (model(image[None]) - model(covered))[:, target].reshape(-1, across)


@occlude_patches.right
def with_a_list(model, image, size, target, baseline):
    whole, found = model(image.unsqueeze(0))[0, target].item(), []
    for top in range(0, image.shape[0], size):
        found.append([])
        for left in range(0, image.shape[1], size):
            mask = torch.ones_like(image)
            mask[top : top + size, left : left + size] = 0
            found[-1].append(whole - model((image * mask + baseline * (1 - mask))[None])[0, target].item())
    return torch.tensor(found)


@occlude_patches.right
@torch.no_grad()
def cover_and_put_back(model, image, size, target, baseline):
    image = image.clone()
    whole, drops = model(image[None])[0, target], []
    for square in [square for rows in image.split(size, 0) for square in rows.split(size, 1)]:
        kept = square.clone()
        square.fill_(baseline)
        drops.append(whole - model(image[None])[0, target])
        square.copy_(kept)
    return torch.stack(drops).view(-1, image.shape[1] // size)


def of_target(outputs, target):
    return outputs[:, target]


def covering(cover=None, read=of_target, result=lambda whole, outputs: whole - outputs):
    """A wrong map: `cover(image, patch, baseline)` gives the image with `patch`, a mask, covered."""
    cover = cover or (lambda image, patch, baseline: image.masked_fill(patch, baseline))

    @torch.no_grad()
    def answer(model, image, size, target, baseline):
        grid = [side // size for side in image.shape]
        patches = torch.eye(grid[0] * grid[1]).view(-1, *grid).bool()
        masks = patches.repeat_interleave(size, 1).repeat_interleave(size, 2)
        covered = torch.stack([cover(image, mask, baseline) for mask in masks])
        drops = result(read(model(image[None]), target), read(model(covered), target))
        return drops.view(grid)

    return answer


def squares(corner=lambda row, column, size: (row * size, column * size), side=lambda size: size, put_back=True):
    """A wrong map: the square of a row and a column of the grid has another corner or another side."""

    @torch.no_grad()
    def answer(model, image, size, target, baseline):
        whole, covered = model(image[None])[0, target], image.clone()
        drops = torch.zeros(image.shape[0] // size, image.shape[1] // size)
        for row in range(drops.shape[0]):
            for column in range(drops.shape[1]):
                top, left = corner(row, column, size)
                covered = image.clone() if put_back else covered
                covered[top : top + side(size), left : left + side(size)] = baseline
                drops[row, column] = whole - model(covered[None])[0, target]
        return drops

    return answer


def then(change):
    """A wrong answer: `change(drops)` of the right ones."""
    return lambda *case: change(occlude_patches(*case))


# The image that was given.


@occlude_patches.mistake(
    "The drops are right, but your code covers the image that it was given. Whoever called you has lost it: "
    "work on a copy, image.clone()."
)
def image_itself_covered(model, image, size, target, baseline):
    drops = occlude_patches(model, image, size, target, baseline)
    image.fill_(baseline)
    return drops


occlude_patches.mistake(
    "You never put a square back, so the last drop is that of an empty image. Begin each time from a fresh "
    "copy: image.clone().",
    never_put_back=squares(put_back=False),
)


@occlude_patches.mistake(
    "You cover the image that you were given, and measure the whole one from it when squares are covered already. "
    "Begin "
    "each time from a fresh copy: image.clone()."
)
@torch.no_grad()
def whole_image_measured_late(model, image, size, target, baseline):
    drops = torch.zeros(image.shape[0] // size, image.shape[1] // size)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            whole = model(image[None])[0, target]
            image[row * size : (row + 1) * size, column * size : (column + 1) * size] = baseline
            drops[row, column] = whole - model(image[None])[0, target]
    return drops


@occlude_patches.mistake(
    "repeat() copies, but expand() does not: all images are one and the same memory, and all squares are covered in "
    "each. Use image.repeat(count, 1, 1)."
)
@torch.no_grad()
def all_covered_in_each(model, image, size, target, baseline):
    blank = model(torch.full_like(image, baseline)[None])[0, target]
    drop = model(image[None])[0, target] - blank
    return drop.expand(image.shape[0] // size, image.shape[1] // size)


# Which pixels are covered.


occlude_patches.mistake(
    "Your squares begin at the numbers of the grid and overlap. The square of row r and column c begins at "
    "r * size, c * size.",
    corners_not_multiplied=squares(corner=lambda row, column, size: (row, column)),
)


occlude_patches.mistake(
    "Row and column of the grid are exchanged: rows go downward, and are the first index of the image.",
    row_and_column_exchanged=squares(corner=lambda row, column, size: (column * size, row * size)),
)


occlude_patches.mistake(
    "Your squares are one pixel too small. A slice ends before its end: row : row + size has `size` pixels.",
    one_pixel_too_small=squares(side=lambda size: size - 1),
)


occlude_patches.mistake(
    "Your squares are one pixel too large. A slice ends before its end: row : row + size has `size` pixels.",
    one_pixel_too_large=squares(side=lambda size: size + 1),
)


occlude_patches.mistake(
    "You cover one pixel of each square. It is image[row : row + size, column : column + size].",
    one_pixel_of_each=squares(side=lambda size: 1),
)


occlude_patches.mistake(
    "You begin with the second square in each direction. The first begins at pixel 0.",
    counted_from_one=squares(corner=lambda row, column, size: ((row + 1) * size, (column + 1) * size)),
)


@occlude_patches.mistake(
    "Square n of the grid is in row n // columns and column n % columns, where columns is how many stand beside each "
    "other. You divide by the number of rows."
)
@torch.no_grad()
def divided_by_rows(model, image, size, target, baseline):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    covered = image.repeat(rows * columns, 1, 1)
    for number in range(rows * columns):
        row, column = number // rows * size, number % rows * size
        covered[number, row : row + size, column : column + size] = baseline
    return (model(image[None])[0, target] - model(covered)[:, target]).view(rows, columns)


occlude_patches.mistake(
    "You cover strips: all rows of pixels of a square's row, from edge to edge. A square ends at both sides: "
    "image[row : row + size, column : column + size].",
    whole_rows=covering(lambda image, patch, baseline: image.masked_fill(patch.any(1, keepdim=True), baseline)),
)


occlude_patches.mistake(
    "You cover strips: all columns of pixels of a square's column, from edge to edge. A square ends above and below: "
    "image[row : row + size, column : column + size].",
    whole_columns=covering(lambda image, patch, baseline: image.masked_fill(patch.any(0, keepdim=True), baseline)),
)


occlude_patches.mistake(
    "You cover everything but the square. That asks what the square says alone. Cover the square, and leave the rest.",
    all_but_the_square=covering(lambda image, patch, baseline: image.masked_fill(~patch, baseline)),
)


occlude_patches.mistake(
    "You cover nothing: your images are all whole, and every drop is 0. Write into the copies: "
    "covered[number, row : row + size, column : column + size] = baseline.",
    nothing_covered=covering(lambda image, patch, baseline: image),
)


@occlude_patches.mistake("Your square moves by one pixel. The squares of a grid do not overlap: move by `size`.")
@torch.no_grad()
def sliding(model, image, size, target, baseline):
    grid = [side - size + 1 for side in image.shape]
    covered = image.repeat(grid[0] * grid[1], 1, 1)
    for number in range(len(covered)):
        row, column = divmod(number, grid[1])
        covered[number, row : row + size, column : column + size] = baseline
    return (model(image[None])[0, target] - model(covered)[:, target]).view(grid)


occlude_patches.mistake(
    "You cover every pixel by itself, as if `size` were 1. Cover squares of size x size pixels.",
    pixel_by_pixel=lambda model, image, size, target, baseline: occlude_patches(model, image, 1, target, baseline),
)


# What they are set to.


occlude_patches.mistake(
    "You set the square to 0. What stands for nothing is `baseline`: on digits 0 is the paper, on photographs "
    "it is black.",
    set_to_zero=covering(lambda image, patch, baseline: image.masked_fill(patch, 0.0)),
)


occlude_patches.mistake(
    "You set the square to the mean of the image. That is a choice people make; here it is `baseline`.",
    set_to_the_mean=covering(lambda image, patch, baseline: torch.where(patch, image.mean(), image)),
)


occlude_patches.mistake(
    "You set the square to its own mean. That is a choice people make; here it is `baseline`.",
    set_to_its_own_mean=covering(lambda image, patch, baseline: torch.where(patch, image[patch].mean(), image)),
)


occlude_patches.mistake(
    "You add the baseline to the square. Put it in its place: covered[...] = baseline.",
    added=covering(lambda image, patch, baseline: image + baseline * patch),
)


occlude_patches.mistake(
    "You subtract the baseline from the square. Put it in its place: covered[...] = baseline.",
    subtracted=covering(lambda image, patch, baseline: image - baseline * patch),
)


occlude_patches.mistake(
    "You multiply the square by the baseline. Put it in its place: covered[...] = baseline.",
    multiplied=covering(lambda image, patch, baseline: torch.where(patch, image * baseline, image)),
)


# What is read.


occlude_patches.mistake(
    "That is the drop of the probability. Where the model is sure, several squares must go before it moves. "
    "Use the output as it comes.",
    of_the_probability=covering(read=lambda outputs, target: outputs.softmax(dim=1)[:, target]),
)


occlude_patches.mistake(
    "That is the drop of the log-probability, in which the other outputs have a part. Use the output as it comes.",
    of_the_log_probability=covering(read=lambda outputs, target: outputs.log_softmax(dim=1)[:, target]),
)


occlude_patches.mistake(
    "You take sigmoid of the outputs. Use the output as it comes.",
    of_the_sigmoid=covering(read=lambda outputs, target: outputs[:, target].sigmoid()),
)


occlude_patches.mistake(
    "You follow the largest output, and that may become another one when a square is covered. Follow `target`.",
    largest_output=covering(read=lambda outputs, target: outputs.max(dim=1).values),
)


@occlude_patches.mistake("You follow the output that is the largest for the whole image. Follow `target`.")
def first_guess_followed(model, image, size, target, baseline):
    return occlude_patches(model, image, size, int(model(image[None]).argmax()), baseline)


occlude_patches.mistake(
    "You add up all outputs. Follow `target` alone: [:, target].",
    all_outputs_added=covering(read=lambda outputs, target: outputs.sum(dim=1)),
)


occlude_patches.mistake(
    "You always read output 0. Follow `target`: [:, target].",
    output_zero=covering(read=lambda outputs, target: outputs[:, 0]),
)


@occlude_patches.mistake("You return the drops of all outputs. Follow `target` alone: [:, target].")
@torch.no_grad()
def every_output(model, image, size, target, baseline):
    of_each = range(model(image[None]).shape[1])
    return torch.stack([occlude_patches(model, image, size, output, baseline) for output in of_each], dim=-1)


@occlude_patches.mistake("model takes a batch, also of one image: model(image[None]), which is (1, H, W).")
def batch_dimension_forgotten(model, image, size, target, baseline):
    return model(image)[target]


# What is made of them.


@occlude_patches.mistake(
    "You subtract from the drop of the empty image. The drop of one square is measured from the whole image: "
    "whole minus covered."
)
@torch.no_grad()
def from_the_blank(model, image, size, target, baseline):
    blank = model(torch.full_like(image, baseline)[None])[0, target]
    return model(image[None])[0, target] - blank - occlude_patches(model, image, size, target, baseline)


@occlude_patches.mistake(
    "You measure from the empty image. The drop of one square is the whole image's output minus the covered one's."
)
@torch.no_grad()
def minus_the_blank(model, image, size, target, baseline):
    blank = model(torch.full_like(image, baseline)[None])[0, target]
    return blank - model(image[None])[0, target] + occlude_patches(model, image, size, target, baseline)


occlude_patches.mistake(
    "Your sign is turned round: an important square would get a negative number. Drop = whole minus covered.",
    sign_turned=covering(result=lambda whole, outputs: outputs - whole),
)


occlude_patches.mistake(
    "You return the output of the covered image, which is small where a square matters. The drop is the "
    "whole image's output minus that.",
    not_subtracted=covering(result=lambda whole, outputs: outputs),
)


occlude_patches.mistake(
    "You return absolute values. A square that speaks against the target has a negative drop: the output rises "
    "when it goes.",
    absolute=covering(result=lambda whole, outputs: (whole - outputs).abs()),
)


occlude_patches.mistake(
    "You return squared drops. A square that speaks against the target has a negative drop: keep the sign.",
    squared=covering(result=lambda whole, outputs: (whole - outputs) ** 2),
)


occlude_patches.mistake(
    "You set negative drops to 0. They say that a square speaks against the target: keep them.",
    negative_ones_dropped=covering(result=lambda whole, outputs: (whole - outputs).clamp(min=0)),
)


occlude_patches.mistake(
    "You divide by the output, as if it were a share. Outputs may be near 0 or negative: return the plain drop.",
    as_a_share=covering(result=lambda whole, outputs: (whole - outputs) / whole),
)


occlude_patches.mistake(
    "That is the covered image's output divided by the whole one's. The drop is a difference: whole minus covered.",
    ratio=covering(result=lambda whole, outputs: outputs / whole),
)


occlude_patches.mistake(
    "You divide by the largest drop, which is for pictures. Return the drops as they are.",
    scaled_for_a_picture=then(lambda drops: drops / drops.abs().max()),
)


occlude_patches.mistake(
    "Your map has the shape of the image. Return one number for each square: (H / size, W / size).",
    shape_of_the_image=lambda *case: occlude_patches(*case).repeat_interleave(case[2], 0).repeat_interleave(case[2], 1),
)


occlude_patches.mistake(
    "Your drops stand in one row. Give them the shape of the grid: .view(H // size, W // size).",
    one_row=then(lambda drops: drops.flatten()),
)


occlude_patches.mistake(
    "Your map is transposed, (W / size, H / size). Rows come first.", transposed=then(lambda drops: drops.T)
)


occlude_patches.mistake(
    "The drops stand in the right order, and you give them the shape (W / size, H / size). Rows come first: "
    ".view(H // size, W // size).",
    sides_exchanged=then(lambda drops: drops.reshape(drops.shape[1], drops.shape[0])),
)


occlude_patches.mistake(
    "You divide by the number of pixels. A square counts as a whole.",
    divided_by_pixels=lambda *case: occlude_patches(*case) / case[2] ** 2,
)


occlude_patches.mistake(
    "You return the mean of the drops. Return one number for each square: (H / size, W / size).",
    mean_of_drops=then(lambda drops: drops.mean()),
)


occlude_patches.mistake(
    "You return the largest drop. Return one number for each square: (H / size, W / size).",
    largest_drop=then(lambda drops: drops.max()),
)


occlude_patches.hints(
    "One image for each square, each a copy in which that square is `baseline`; all together are one batch.",
    "image.repeat(count, 1, 1) makes the copies. Square number n is in row n // columns, column n % columns.",
    "model(image[None])[0, target] - model(covered)[:, target], then .view(rows, columns).",
)
