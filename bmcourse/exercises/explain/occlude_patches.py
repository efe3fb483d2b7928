"""The exercise `occlude_patches` of lesson 09."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.networks import classifier, linear
from bmcourse.exercises.explain.results import plain


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


@occlude_patches.run
def without_graph_of_image(answer, model, image, size, target, baseline):
    return plain(answer(model, image, size, target, baseline))


@occlude_patches.judge
@torch.no_grad()
def drops_patch_by_patch(model, image, size, target, baseline):
    drops = torch.zeros(image.shape[0] // size, image.shape[1] // size)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            covered = image.clone()
            covered[row * size : (row + 1) * size, column * size : (column + 1) * size] = baseline
            drops[row, column] = model(image[None])[0, target] - model(covered[None])[0, target]
    return drops


@occlude_patches.right
@torch.no_grad()
def drops_by_kron(model, image, size, target, baseline):
    grid = torch.Size(side // size for side in image.shape)
    patches = torch.eye(grid.numel()).view(-1, *grid)
    masks = torch.stack([torch.kron(patch, torch.ones(size, size)) for patch in patches]).bool()
    outputs = model(torch.cat([image[None], torch.where(masks, torch.tensor(baseline), image)]))[:, target]
    return (outputs[0] - outputs[1:]).reshape(grid)


@occlude_patches.right
def drops_by_groups(model, image, size, target, baseline):
    rows = torch.arange(image.shape[0])[:, None] // size
    columns = torch.arange(image.shape[1])[None] // size
    across = image.shape[1] // size
    groups = rows * across + columns
    count = int(groups.max()) + 1
    covered = image.masked_fill(groups == torch.arange(count)[:, None, None], baseline)
    return (model(image[None]) - model(covered))[:, target].reshape(-1, across)


@occlude_patches.right
def drops_with_a_list(model, image, size, target, baseline):
    whole, found = model(image.unsqueeze(0))[0, target].item(), []
    for top in range(0, image.shape[0], size):
        found.append([])
        for left in range(0, image.shape[1], size):
            mask = torch.ones_like(image)
            mask[top : top + size, left : left + size] = 0
            found[-1].append(whole - model((image * mask + baseline * (1 - mask))[None])[0, target].item())
    return torch.tensor(found)


def _read(outputs, target):
    return outputs[:, target]


def covering(cover=None, read=_read, result=lambda whole, outputs: whole - outputs):
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


@occlude_patches.mistake(
    "You never put a square back, so the last drop is that of an empty image. Begin each time from a fresh "
    "copy: image.clone()."
)
@torch.no_grad()
def never_put_back(model, image, size, target, baseline):
    covered, whole = image.clone(), model(image[None])[0, target]
    drops = torch.zeros(image.shape[0] // size, image.shape[1] // size)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            covered[row * size : (row + 1) * size, column * size : (column + 1) * size] = baseline
            drops[row, column] = whole - model(covered[None])[0, target]
    return drops


@occlude_patches.mistake(
    "The drops are right, but your code covers the image that it was given. Whoever called you has lost it: "
    "work on a copy, image.clone()."
)
@torch.no_grad()
def covers_the_image_itself(model, image, size, target, baseline):
    drops = occlude_patches(model, image, size, target, baseline)
    image.fill_(baseline)
    return drops


def top_left_pixel(image, patch, baseline):
    first = patch.flatten().int().argmax()
    covered = image.flatten().clone()
    covered[first] = baseline
    return covered.view(image.shape)


@occlude_patches.mistake("Your square moves by one pixel. The squares of a grid do not overlap: move by `size`.")
@torch.no_grad()
def sliding(model, image, size, target, baseline):
    grid = [side - size + 1 for side in image.shape]
    covered = image.repeat(grid[0] * grid[1], 1, 1)
    for number in range(len(covered)):
        row, column = divmod(number, grid[1])
        covered[number, row : row + size, column : column + size] = baseline
    return (model(image[None])[0, target] - model(covered)[:, target]).view(grid)


@occlude_patches.mistake(
    "You subtract from the drop of the empty image. The drop of one square is measured from the whole image: "
    "whole minus covered."
)
@torch.no_grad()
def from_the_blank(model, image, size, target, baseline):
    blank = model(torch.full_like(image, baseline)[None])[0, target]
    return model(image[None])[0, target] - blank - occlude_patches(model, image, size, target, baseline)


@occlude_patches.cases
def cases():
    return [
        (linear([[1.0, 0.0, 0.0, -2.0], [5.0, 1.0, 1.0, 1.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, 0, 0.0),
        (classifier(24, 3), torch.randn(4, 6), 2, 2, 0.5),
        (classifier(36, 4), torch.randn(6, 6), 3, 0, -1.0),
        (classifier(18, 2), torch.rand(6, 3), 3, 1, 0.0),
    ]


occlude_patches.mistake(
    "Your sign is turned round: an important square would get a negative number. Drop = whole minus covered.",
    TODO_36=covering(result=lambda whole, outputs: outputs - whole),
)


occlude_patches.mistake(
    "You return the output of the covered image, which is small where a square matters. The drop is the "
    "whole image's output minus that.",
    TODO_37=covering(result=lambda whole, outputs: outputs),
)


occlude_patches.mistake(
    "You return absolute values. A square that speaks against the target has a negative drop: the output rises "
    "when it goes.",
    TODO_38=covering(result=lambda whole, outputs: (whole - outputs).abs()),
)


occlude_patches.mistake(
    "You divide by the output, as if it were a share. Outputs may be near 0 or negative: return the plain drop.",
    TODO_39=covering(result=lambda whole, outputs: (whole - outputs) / whole),
)


occlude_patches.mistake(
    "You set the square to 0. What stands for nothing is `baseline`: on digits 0 is the paper, on photographs "
    "it is black.",
    TODO_40=covering(lambda image, patch, baseline: image.masked_fill(patch, 0.0)),
)


occlude_patches.mistake(
    "You set the square to the mean of the image. That is a choice people make; here it is `baseline`.",
    TODO_41=covering(lambda image, patch, baseline: image.masked_fill(patch, image.mean())),
)


occlude_patches.mistake(
    "You add the baseline to the square. Put it in its place: covered[...] = baseline.",
    TODO_42=covering(lambda image, patch, baseline: image + baseline * patch),
)


occlude_patches.mistake(
    "You multiply the square by the baseline. Put it in its place: covered[...] = baseline.",
    TODO_43=covering(lambda image, patch, baseline: image * torch.where(patch, baseline, 1.0)),
)


occlude_patches.mistake(
    "You cover everything but the square. That asks what the square says alone. Cover the square, and leave the rest.",
    TODO_44=covering(lambda image, patch, baseline: image.masked_fill(~patch, baseline)),
)


occlude_patches.mistake(
    "You cover one pixel of each square. It is image[row : row + size, column : column + size].",
    TODO_45=covering(top_left_pixel),
)


occlude_patches.mistake(
    "That is the drop of the probability. Where the model is sure, several squares must go before it moves. "
    "Use the output as it comes.",
    TODO_46=covering(read=lambda outputs, target: outputs.softmax(dim=1)[:, target]),
)


occlude_patches.mistake(
    "You follow the largest output, and that may become another one when a square is covered. Follow `target`.",
    TODO_47=covering(read=lambda outputs, target: outputs.max(dim=1).values),
)


occlude_patches.mistake(
    "Your map has the shape of the image. Return one number for each square: (H / size, W / size).",
    TODO_48=lambda *case: occlude_patches(*case).repeat_interleave(case[2], 0).repeat_interleave(case[2], 1),
)


occlude_patches.mistake(
    "Your drops stand in one row. Give them the shape of the grid: .view(H // size, W // size).",
    TODO_49=lambda *case: occlude_patches(*case).flatten(),
)


occlude_patches.mistake(
    "You divide by the number of pixels. A square counts as a whole.",
    TODO_50=lambda *case: occlude_patches(*case) / case[2] ** 2,
)


occlude_patches.hints(
    "One image for each square, each a copy in which that square is `baseline`; all together are one batch.",
    "image.repeat(count, 1, 1) makes the copies. Square number n is in row n // columns, column n % columns.",
    "model(image[None])[0, target] - model(covered)[:, target], then .view(rows, columns).",
)
