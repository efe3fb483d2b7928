"""The deletion curve of an explanation: the target's probability as one pixel after the other goes (lesson 12)."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.networks import classifier, linear
from bmcourse.exercises.explain.results import without_graph


@exercise(
    prompt="The deletion curve, a test of an explanation. Of an image (H, W) with P = H * W pixels, set one pixel "
    "after the other to the number `baseline`, the one with the highest score first; pixels that are gone stay gone. "
    "Returns the probability (softmax) of `target` after 0, 1, ..., P pixels, (P + 1,). model takes a batch (B, H, W) "
    "and gives (B, K) before softmax. Scores have signs, and no two are equal.",
    untried={"scores": {"the same number twice": "the prompt excludes equal scores: their order would be open"}},
)
def deletion_steps(model, image, scores, target, baseline):
    order = scores.flatten().argsort(descending=True)
    images = image.flatten().repeat(len(order) + 1, 1)
    for step in range(1, len(order) + 1):
        images[step, order[:step]] = baseline
    with torch.no_grad():
        return model(images.view(-1, *image.shape)).softmax(dim=1)[:, target]


def odd_image():
    """Doubles that lie column by column, and a baseline that is a whole number."""
    image = torch.tensor([[0.0, 2.0, 0.5], [2.0, -1.0, 1.0]]).double().T
    scores = torch.tensor([[0.0, 0.2, 4.0], [-3.0, -0.1, 1.0]]).double().T
    return classifier(6, 3).double(), image, scores, 1, 2


@deletion_steps.cases
def cases():
    return [
        (
            linear([[1.0, 2.0, -1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]),
            torch.ones(2, 2),
            torch.tensor([[1.0, 2.0], [-1.0, 0.0]]),
            0,
            0.0,
        ),
        (classifier(12, 3), torch.randn(3, 4), torch.randn(3, 4), 2, 0.5),
        (classifier(25, 4), torch.randn(5, 5), torch.randn(5, 5), 0, -1.0),
        odd_image(),
        (
            linear([[900.0, 0.5], [899.0, 0.0]]).double(),
            torch.ones(1, 2).double(),
            torch.tensor([[0.5, -2.0]]).double(),
            0,
            2.0,
        ),
    ]


deletion_steps.run(without_graph)


@deletion_steps.judge
@torch.no_grad()
def pixel_by_pixel(model, image, scores, target, baseline):
    left, scores = image.clone(memory_format=torch.contiguous_format), scores.flatten().tolist()
    probabilities = [model(left[None]).softmax(dim=1)[0, target]]
    for pixel in sorted(range(len(scores)), key=lambda pixel: -scores[pixel]):
        left.view(-1)[pixel] = baseline
        probabilities.append(model(left[None]).softmax(dim=1)[0, target])
    return torch.stack(probabilities)


@deletion_steps.right
def by_ranks(model, image, scores, target, baseline):
    ranks = (-scores).flatten().argsort().argsort().view(scores.shape)
    steps = torch.arange(scores.numel() + 1)[:, None, None]
    images = torch.where(ranks < steps, torch.tensor(baseline), image)
    return F.softmax(model(images), -1)[:, target]


@deletion_steps.right
def by_thresholds(model, image, scores, target, baseline):
    limits = torch.cat([torch.tensor([math.inf]), scores.flatten().sort(descending=True).values])
    images = torch.stack([image.masked_fill(scores >= limit, baseline) for limit in limits])
    return model(images).log_softmax(dim=1).exp()[:, target]


@deletion_steps.right
def by_a_triangle(model, image, scores, target, baseline):
    count = scores.numel()
    places = torch.argsort(-scores.reshape(-1))
    there = torch.ones(count + 1, count).triu()
    there[:, places] = there.clone()
    flat = there * image.reshape(1, -1) + (1 - there) * baseline
    return torch.softmax(model(flat.reshape(-1, *image.shape)), dim=1)[..., target]


@deletion_steps.right
def by_rows_and_columns(model, image, scores, target, baseline):
    H, W = image.shape
    left, curve = image.clone(), []
    for pixel in [-1, *scores.flatten().sort(descending=True).indices.tolist()]:
        if pixel >= 0:
            left[pixel // W, pixel % W] = baseline
        outputs = model(left[None])[0]
        curve.append((outputs[target] - outputs.logsumexp(0)).exp().item())
    return torch.tensor(curve)


@deletion_steps.right
def by_looking_for_the_highest(model, image, scores, target, baseline):
    scores, left = scores.clone(), image.clone()
    images = [left.clone()]
    while scores.max() > -math.inf:
        highest = scores == scores.max()
        left[highest], scores[highest] = baseline, -math.inf
        images.append(left.clone())
    return F.softmax(model(torch.stack(images)), dim=1)[:, target]


def _probability(outputs, target):
    return outputs.softmax(dim=1)[:, target]


def deleting(
    key=lambda scores: -scores,
    gone=lambda ranks, steps: ranks < steps,
    first=0,
    read=_probability,
    fill=lambda image, gone, baseline: image.masked_fill(gone, baseline),
):
    """A wrong curve: pixels stand in the order of `key(scores)`; `gone(ranks, steps)` says which are away at a step."""

    @torch.no_grad()
    def answer(model, image, scores, target, baseline):
        ranks = key(scores).flatten().argsort(stable=True).argsort().view(scores.shape)
        steps = torch.arange(first, scores.numel() + 1)[:, None, None]
        return read(model(fill(image, gone(ranks, steps), baseline)), target)

    return answer


def in_images(images):
    """A wrong curve: that of `images(image, the places in their order, baseline)`, a list."""

    @torch.no_grad()
    def answer(model, image, scores, target, baseline):
        order = scores.flatten().argsort(descending=True).tolist()
        return _probability(model(torch.stack(images(image, order, baseline)).view(-1, *image.shape)), target)

    return answer


def then(change):
    """A wrong answer: `change(curve)` of the right one."""
    return lambda *case: change(deletion_steps(*case))


# What becomes of the image and the scores.


@deletion_steps.mistake(
    "The curve is right, but your code empties the image that it was given. Work on a copy: image.clone()."
)
def in_the_image_itself(model, image, scores, target, baseline):
    curve = deletion_steps(model, image, scores, target, baseline)
    image.fill_(baseline)
    return curve


@deletion_steps.mistake(
    "The curve is right, but flatten() and reshape() give a view where they can: you empty the image that you were "
    "given. Copy it first: image.clone().flatten()."
)
def in_a_view_of_the_image(model, image, scores, target, baseline):
    curve = deletion_steps(model, image, scores, target, baseline)
    image.flatten().fill_(baseline)
    return curve


@deletion_steps.mistake(
    "The curve is right, but you cross out the scores that you were given. Work on a copy, scores.clone(), or sort "
    "them."
)
def scores_crossed_out(model, image, scores, target, baseline):
    curve = deletion_steps(model, image, scores, target, baseline)
    scores.fill_(-math.inf)
    return curve


@deletion_steps.mistake(
    "view() fails where a tensor does not lie in one piece, as a transposed image. flatten() and reshape() copy it "
    "then."
)
def view_of_another_layout(model, image, scores, target, baseline):
    image.view(-1)
    return deletion_steps(model, image, scores, target, baseline)


@in_images
def all_the_same_tensor(image, order, baseline):
    return [torch.full_like(image, baseline)] * (len(order) + 1)


deletion_steps.mistake(
    "All your images are empty. A list that gets the same tensor again and again holds one tensor, which ends up "
    "empty: append a copy each time, .clone().",
    same_tensor_appended=all_the_same_tensor,
)


@deletion_steps.mistake(
    "You begin with an image that has lost a pixel already. The first number is of the whole image."
)
def whole_image_lost(model, image, scores, target, baseline):
    curve = deletion_steps(model, image, scores, target, baseline)
    return torch.cat([curve[1:2], curve[1:]])


# The order.


@deletion_steps.mistake(
    "You compare the result of argsort with the step. argsort gives places and not ranks: its first entry says "
    "where the highest score is. Set the image at order[:step], or call argsort twice."
)
@torch.no_grad()
def places_for_ranks(model, image, scores, target, baseline):
    places = scores.flatten().argsort(descending=True).view(scores.shape)
    steps = torch.arange(scores.numel() + 1)[:, None, None]
    return _probability(model(image.masked_fill(places < steps, baseline)), target)


@deletion_steps.mistake(
    "You compare the ranks from below with the step, as if argsort().argsort() of the scores counted from the highest. "
    "It counts from the lowest: negate the scores, or argsort(descending=True)."
)
@torch.no_grad()
def ranks_as_places(model, image, scores, target, baseline):
    order = scores.flatten().argsort().argsort()
    images = image.flatten().repeat(len(order) + 1, 1)
    for step in range(1, len(order) + 1):
        images[step, order[:step]] = baseline
    return _probability(model(images.view(-1, *image.shape)), target)


def in_the_order(order):
    """A wrong curve: the pixels go in the order of `order(scores)`, flat places."""

    @torch.no_grad()
    def answer(model, image, scores, target, baseline):
        images = image.flatten().repeat(scores.numel() + 1, 1)
        for step, place in enumerate(order(scores).tolist()):
            images[step + 1 :, place] = baseline
        return _probability(model(images.view(-1, *image.shape)), target)

    return answer


deletion_steps.mistake(
    "The pixel with the lowest score goes first. A curve that falls late then looks like a bad explanation. "
    "argsort(descending=True).",
    lowest_first=deleting(lambda scores: scores),
)


deletion_steps.mistake(
    "You sort by absolute values. A pixel with a strongly negative score speaks against the target: without it "
    "the curve rises. Sort by the scores as they are.",
    by_absolute_scores=deleting(lambda scores: -scores.abs()),
)


deletion_steps.mistake(
    "You sort by absolute values, the smallest first. Sort by the scores as they are, the highest first.",
    by_smallest_absolute_scores=deleting(lambda scores: scores.abs()),
)


deletion_steps.mistake(
    "You take the pixels in the order in which they lie, row by row, and never look at the scores.",
    row_by_row=deleting(lambda scores: torch.arange(scores.numel())),
)


deletion_steps.mistake(
    "You take the pixels in the order in which they lie, from the last to the first, and never look at the scores.",
    from_the_last_pixel=deleting(lambda scores: -torch.arange(scores.numel())),
)


deletion_steps.mistake(
    "You sort by the image: the brightest pixel goes first. Sort by `scores`.",
    by_brightness=lambda model, image, scores, target, baseline: in_the_order(
        lambda _: image.flatten().argsort(descending=True, stable=True)
    )(model, image, scores, target, baseline),
)


deletion_steps.mistake(
    "argsort sorts each row by itself, so your places are columns of the first row. Flatten the scores first.",
    sorted_in_rows=in_the_order(lambda scores: scores.argsort(descending=True).flatten()),
)


deletion_steps.mistake(
    "argsort(dim=0) sorts each column by itself. Flatten the scores first: the highest of all goes first.",
    sorted_in_columns=in_the_order(lambda scores: scores.argsort(dim=0, descending=True).flatten()),
)


deletion_steps.mistake(
    "You look for the highest score in each row, so a whole column of pixels goes in turn. Flatten the scores first: "
    "the highest of all goes first.",
    row_after_row_by_turns=in_the_order(
        lambda scores: (
            scores.argsort(dim=1, descending=True) + torch.arange(len(scores))[:, None] * scores.shape[1]
        ).T.flatten()
    ),
)


deletion_steps.mistake(
    "You go row by row, and by the scores within each row only. Flatten the scores first: the highest of all goes "
    "first.",
    within_each_row=in_the_order(
        lambda scores: (
            scores.argsort(dim=1, descending=True) + torch.arange(len(scores))[:, None] * scores.shape[1]
        ).flatten()
    ),
)


deletion_steps.mistake(
    "You number the pixels column by column and set them row by row. Flatten scores and image alike.",
    transposed=in_the_order(lambda scores: scores.T.flatten().argsort(descending=True)),
)


@deletion_steps.mistake(
    "Pixel p of a flat image lies in row p // W and column p % W, where W is the number of columns, image.shape[1]. "
    "You divide by the number of rows."
)
def divided_by_the_height(model, image, scores, target, baseline):
    left, images = image.clone(), [image.clone()]
    for pixel in scores.flatten().argsort(descending=True).tolist():
        left[pixel // len(image), pixel % len(image)] = baseline
        images.append(left.clone())
    return _probability(model(torch.stack(images)), target)


@deletion_steps.mistake("Row and column are exchanged: p // W is the row and comes first, p % W is the column.")
def row_and_column_exchanged(model, image, scores, target, baseline):
    left, images = image.clone(), [image.clone()]
    for pixel in scores.flatten().argsort(descending=True).tolist():
        left[pixel % image.shape[1], pixel // image.shape[1]] = baseline
        images.append(left.clone())
    return _probability(model(torch.stack(images)), target)


@deletion_steps.mistake("image[p] is a whole row, and p counts pixels. Flatten the copy first, or use [p // W, p % W].")
def rows_for_pixels(model, image, scores, target, baseline):
    left, images = image.clone(), [image.clone()]
    for pixel in scores.flatten().argsort(descending=True):
        left[pixel] = baseline
        images.append(left.clone())
    return _probability(model(torch.stack(images)), target)


# Who is gone at a step.


deletion_steps.mistake(
    "You take one pixel away and put it back. Pixels that are gone stay gone: at step k, the first k are away.",
    put_back=deleting(gone=lambda ranks, steps: ranks == steps - 1),
)


deletion_steps.mistake(
    "You begin with an empty image and bring pixels in: that is the insertion curve.",
    insertion=deleting(gone=lambda ranks, steps: ranks >= steps),
)


deletion_steps.mistake(
    "You begin with an empty image and bring the lowest scores in first: the curve is turned round. Begin with the "
    "whole image, and the highest score goes first.",
    turned_round=then(lambda curve: curve.flip(0)),
)


deletion_steps.mistake(
    "At every step one pixel too many is gone: after 0 pixels the image is whole. order[:step], not order[:step + 1].",
    one_too_many_gone=deleting(gone=lambda ranks, steps: ranks <= steps),
)


deletion_steps.mistake(
    "At every step one pixel too few is gone, so the last one never goes. At step k, the first k are away.",
    one_too_few_gone=deleting(gone=lambda ranks, steps: ranks < steps - 1),
)


deletion_steps.mistake(
    "The pixel with the highest score never goes. At step k, the first k are away, the highest among them.",
    highest_never_goes=deleting(gone=lambda ranks, steps: (ranks < steps) & (ranks > 0)),
)


deletion_steps.mistake(
    "Only the pixel with the highest score ever goes: you look for it anew each time and find the same one.",
    always_the_same_pixel=deleting(gone=lambda ranks, steps: (ranks == 0) & (steps > 0)),
)


deletion_steps.mistake(
    "You never take away a pixel: your images are all whole. Write into the copies, images[step, order[:step]] = "
    "baseline.",
    nothing_goes=deleting(gone=lambda ranks, steps: (ranks < 0) & (steps > 0)),
)


@deletion_steps.mistake(
    "You keep pixels with negative scores, or a score of 0. All P pixels go, those that speak against the target last."
)
def positive_ones_only(model, image, scores, target, baseline):
    count = int((scores > 0).sum())
    curve = deletion_steps(model, image, scores, target, baseline)
    return torch.where(torch.arange(len(curve)) <= count, curve, curve[count])


@deletion_steps.mistake(
    "Your curve ends where the positive scores end. All P pixels go, those that speak against the target last: P + 1 "
    "numbers."
)
def ends_with_the_positive_ones(model, image, scores, target, baseline):
    return deletion_steps(model, image, scores, target, baseline)[: int((scores > 0).sum()) + 1]


deletion_steps.mistake(
    "The first number is missing: the probability for the whole image, after 0 pixels. There are P + 1.",
    first_missing=deleting(first=1),
)


deletion_steps.mistake(
    "The last number is missing: the probability when all pixels are gone. There are P + 1.",
    last_missing=then(lambda curve: curve[:-1]),
)


# What they are set to.


deletion_steps.mistake(
    "You set the pixels to 0. What stands for nothing is `baseline`.",
    set_to_zero=deleting(fill=lambda image, gone, baseline: image.masked_fill(gone, 0.0)),
)


deletion_steps.mistake(
    "You set the pixels to the mean of the image. Here it is `baseline`.",
    set_to_the_mean=deleting(fill=lambda image, gone, baseline: torch.where(gone, image.mean(), image)),
)


deletion_steps.mistake(
    "You subtract the baseline from the pixels. Put it in their place.",
    subtracted=deleting(fill=lambda image, gone, baseline: image - gone * baseline),
)


deletion_steps.mistake(
    "You add the baseline to the pixels. Put it in their place.",
    added=deleting(fill=lambda image, gone, baseline: image + gone * baseline),
)


deletion_steps.mistake(
    "You multiply the pixels by the baseline. Put it in their place.",
    multiplied=deleting(fill=lambda image, gone, baseline: torch.where(gone, image * baseline, image)),
)


# What is read.


deletion_steps.mistake(
    "You return the outputs before softmax. Asked is the probability: .softmax(dim=1).",
    no_softmax=deleting(read=lambda outputs, target: outputs[:, target]),
)


deletion_steps.mistake(
    "softmax(dim=0) runs over the steps. The probabilities of one image are a row: dim=1.",
    softmax_over_steps=deleting(read=lambda outputs, target: outputs.softmax(dim=0)[:, target]),
)


deletion_steps.mistake(
    "Your softmax overflows: exp of a large output is infinite, and inf / inf is NaN. outputs.softmax(dim=1) subtracts "
    "the largest output first.",
    unstable_softmax=deleting(read=lambda outputs, target: outputs.exp()[:, target] / outputs.exp().sum(dim=1)),
)


deletion_steps.mistake(
    "Your softmax is of all outputs of all images together. The probabilities of one image are a row: dim=1.",
    softmax_of_everything=deleting(
        read=lambda outputs, target: outputs.flatten().softmax(dim=0).view(outputs.shape)[:, target]
    ),
)


deletion_steps.mistake(
    "sigmoid looks at one output alone. Asked is the probability among all classes: .softmax(dim=1).",
    sigmoid=deleting(read=lambda outputs, target: outputs[:, target].sigmoid()),
)


deletion_steps.mistake(
    "You return log-probabilities. Asked is the probability: .softmax(dim=1).",
    log_probability=deleting(read=lambda outputs, target: outputs.log_softmax(dim=1)[:, target]),
)


deletion_steps.mistake(
    "You take softmax twice, and it flattens the probabilities. Once will do.",
    softmax_twice=deleting(read=lambda outputs, target: outputs.softmax(dim=1).softmax(dim=1)[:, target]),
)


deletion_steps.mistake(
    "You follow the largest probability, and another class may take over on the way. Follow `target`.",
    largest_probability=deleting(read=lambda outputs, target: outputs.softmax(dim=1).max(dim=1).values),
)


deletion_steps.mistake(
    "You follow the class that is the likeliest for the whole image. Follow `target`.",
    first_guess_followed=deleting(read=lambda outputs, target: outputs.softmax(dim=1)[:, outputs[0].argmax()]),
)


deletion_steps.mistake(
    "You return the probabilities of all classes. Asked is that of `target`: [:, target].",
    all_classes=deleting(read=lambda outputs, target: outputs.softmax(dim=1)),
)


deletion_steps.mistake(
    "[target] takes a row: all classes of one image. The class is the second index: [:, target].",
    target_as_row=deleting(read=lambda outputs, target: outputs.softmax(dim=1)[target]),
)


deletion_steps.mistake(
    "You return whether `target` is still the likeliest. Asked is its probability.",
    right_or_wrong=deleting(read=lambda outputs, target: (outputs.argmax(dim=1) == target).float()),
)


deletion_steps.mistake(
    "You return the class that is the likeliest at each step. Asked is the probability of `target`.",
    classes=deleting(read=lambda outputs, target: outputs.argmax(dim=1)),
)


deletion_steps.mistake(
    "You return 1 minus the probability. Asked is the probability of `target`, which falls.",
    of_the_others=then(lambda curve: 1 - curve),
)


deletion_steps.mistake(
    "You return how far the probability has fallen. Asked is the probability itself.",
    the_drop=then(lambda curve: curve[0] - curve),
)


deletion_steps.mistake(
    "You return how far the probability has risen from the first. Asked is the probability itself.",
    the_rise=then(lambda curve: curve - curve[0]),
)


deletion_steps.mistake(
    "You divide by the probability of the whole image, so the curve begins at 1. Asked is the probability itself.",
    share_of_the_first=then(lambda curve: curve / curve[0]),
)


deletion_steps.mistake(
    "You stretch the curve from 1 down to 0. Asked is the probability itself.",
    stretched=then(lambda curve: (curve - curve[-1]) / (curve[0] - curve[-1])),
)


deletion_steps.mistake(
    "You subtract the probability of the empty image. Asked is the probability itself.",
    above_the_last=then(lambda curve: curve - curve[-1]),
)


deletion_steps.mistake(
    "Your curve never rises: you keep the lowest probability so far. It rises where a pixel goes that speaks against "
    "the target.",
    never_rises=then(lambda curve: curve.cummin(0).values),
)


deletion_steps.mistake(
    "You sort the curve. It rises where a pixel goes that speaks against the target: leave it as it comes.",
    sorted_curve=then(lambda curve: curve.sort(descending=True).values),
)


deletion_steps.mistake(
    "That is the cross-entropy, minus the logarithm of the probability. Asked is the probability itself.",
    the_loss=then(lambda curve: -curve.log()),
)


deletion_steps.mistake(
    "You return what each pixel costs, the differences between steps. Asked is the probability at each step.",
    differences=then(lambda curve: curve.diff()),
)


deletion_steps.mistake(
    "You return the mean, which is about the area under the curve. Asked is the curve: P + 1 numbers.",
    mean_of_the_curve=then(lambda curve: curve.mean()),
)


deletion_steps.mistake(
    "You return the area under the curve. Asked is the curve: P + 1 numbers.",
    area=then(lambda curve: torch.trapezoid(curve) / (len(curve) - 1)),
)


deletion_steps.mistake(
    "You return the last probability only. Asked is the curve: P + 1 numbers.",
    last_only=then(lambda curve: curve[-1]),
)


deletion_steps.mistake(
    "You return a list. Make it a tensor: torch.stack of tensors, torch.tensor of numbers.",
    a_list=then(lambda curve: curve.tolist()),
)


@deletion_steps.mistake("model takes a batch, also of one image: model(image[None]), which is (1, H, W).")
def batch_dimension_forgotten(model, image, scores, target, baseline):
    return model(image).softmax(dim=-1)[..., target]


deletion_steps.hints(
    "In which order do the pixels go? scores.flatten().argsort(descending=True) gives their places.",
    "One image for each step, P + 1 in all: image.flatten().repeat(P + 1, 1). In image k, the places order[:k] are "
    "`baseline`.",
    "model(images.view(-1, *image.shape)).softmax(dim=1)[:, target]",
)
