"""The exercise `deletion_steps` of lesson 09."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.explain.shared import classifier, linear, plain


@exercise(
    prompt="The deletion curve, a test of an explanation. Of an image (H, W) with P = H * W pixels, set one pixel "
    "after the other to the number `baseline`, the one with the highest score first; pixels that are gone stay gone. "
    "Returns the probability (softmax) of `target` after 0, 1, ..., P pixels, (P + 1,). model takes a batch (B, H, W) "
    "and gives (B, K) before softmax. Scores have signs, and no two are equal."
)
def deletion_steps(model, image, scores, target, baseline):
    order = scores.flatten().argsort(descending=True)
    images = image.flatten().repeat(len(order) + 1, 1)
    for step in range(1, len(order) + 1):
        images[step, order[:step]] = baseline
    with torch.no_grad():
        return model(images.view(-1, *image.shape)).softmax(dim=1)[:, target]


@deletion_steps.run
def without_graph_of_steps(answer, model, image, scores, target, baseline):
    return plain(answer(model, image, scores, target, baseline))


@deletion_steps.judge
@torch.no_grad()
def deletion_pixel_by_pixel(model, image, scores, target, baseline):
    left, scores = image.clone(), scores.flatten().tolist()
    probabilities = [model(left[None]).softmax(dim=1)[0, target]]
    for pixel in sorted(range(len(scores)), key=lambda pixel: -scores[pixel]):
        left.view(-1)[pixel] = baseline
        probabilities.append(model(left[None]).softmax(dim=1)[0, target])
    return torch.stack(probabilities)


@deletion_steps.right
def deletion_by_ranks(model, image, scores, target, baseline):
    ranks = (-scores).flatten().argsort().argsort().view(scores.shape)
    steps = torch.arange(scores.numel() + 1)[:, None, None]
    images = torch.where(ranks < steps, torch.tensor(baseline), image)
    return F.softmax(model(images), -1)[:, target]


@deletion_steps.right
def deletion_by_thresholds(model, image, scores, target, baseline):
    limits = torch.cat([torch.tensor([math.inf]), scores.flatten().sort(descending=True).values])
    images = torch.stack([image.masked_fill(scores >= limit, baseline) for limit in limits])
    return model(images).log_softmax(dim=1).exp()[:, target]


@deletion_steps.right
def deletion_by_triangle(model, image, scores, target, baseline):
    count = scores.numel()
    places = torch.argsort(-scores.reshape(-1))
    there = torch.ones(count + 1, count).triu()
    there[:, places] = there.clone()
    flat = there * image.reshape(1, -1) + (1 - there) * baseline
    return torch.softmax(model(flat.reshape(-1, *image.shape)), dim=1)[..., target]


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
        ranks = key(scores).flatten().argsort().argsort().view(scores.shape)
        steps = torch.arange(first, scores.numel() + 1)[:, None, None]
        return read(model(fill(image, gone(ranks, steps), baseline)), target)

    return answer


@deletion_steps.mistake(
    "The curve is right, but your code empties the image that it was given. Work on a copy: image.clone()."
)
@torch.no_grad()
def deletion_in_the_image(model, image, scores, target, baseline):
    curve = deletion_steps(model, image, scores, target, baseline)
    image.fill_(baseline)
    return curve


@deletion_steps.mistake(
    "You compare the result of argsort with the step. argsort gives places and not ranks: its first entry says "
    "where the highest score is. Set the image at order[:step], or call argsort twice."
)
@torch.no_grad()
def places_for_ranks(model, image, scores, target, baseline):
    places = scores.flatten().argsort(descending=True).view(scores.shape)
    steps = torch.arange(scores.numel() + 1)[:, None, None]
    return _probability(model(image.masked_fill(places < steps, baseline)), target)


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
    ]


deletion_steps.mistake(
    "The pixel with the lowest score goes first. A curve that falls late then looks like a bad explanation. "
    "argsort(descending=True).",
    TODO_97=deleting(lambda scores: scores),
)


deletion_steps.mistake(
    "You sort by absolute values. A pixel with a strongly negative score speaks against the target: without it "
    "the curve rises. Sort by the scores as they are.",
    TODO_98=deleting(lambda scores: -scores.abs()),
)


deletion_steps.mistake(
    "You take the pixels in the order in which they lie, row by row, and never look at the scores.",
    TODO_99=deleting(lambda scores: torch.arange(scores.numel())),
)


deletion_steps.mistake(
    "You take one pixel away and put it back. Pixels that are gone stay gone: at step k, the first k are away.",
    TODO_100=deleting(gone=lambda ranks, steps: ranks == steps - 1),
)


deletion_steps.mistake(
    "You begin with an empty image and bring pixels in: that is the insertion curve.",
    TODO_101=deleting(gone=lambda ranks, steps: ranks >= steps),
)


deletion_steps.mistake(
    "The first number is missing: the probability for the whole image, after 0 pixels. There are P + 1.",
    TODO_102=deleting(first=1),
)


deletion_steps.mistake(
    "The last number is missing: the probability when all pixels are gone. There are P + 1.",
    TODO_103=lambda *case: deletion_steps(*case)[:-1],
)


deletion_steps.mistake(
    "You return the outputs before softmax. Asked is the probability: .softmax(dim=1).",
    TODO_104=deleting(read=lambda outputs, target: outputs[:, target]),
)


deletion_steps.mistake(
    "softmax(dim=0) runs over the steps. The probabilities of one image are a row: dim=1.",
    TODO_105=deleting(read=lambda outputs, target: outputs.softmax(dim=0)[:, target]),
)


deletion_steps.mistake(
    "You follow the largest probability, and another class may take over on the way. Follow `target`.",
    TODO_106=deleting(read=lambda outputs, target: outputs.softmax(dim=1).max(dim=1).values),
)


deletion_steps.mistake(
    "You return the probabilities of all classes. Asked is that of `target`: [:, target].",
    TODO_107=deleting(read=lambda outputs, target: outputs.softmax(dim=1)),
)


deletion_steps.mistake(
    "You return how far the probability has fallen. Asked is the probability itself.",
    TODO_108=lambda *case: deletion_steps(*case)[0] - deletion_steps(*case),
)


deletion_steps.mistake(
    "You return the mean, which is about the area under the curve. Asked is the curve: P + 1 numbers.",
    TODO_109=lambda *case: deletion_steps(*case).mean(),
)


deletion_steps.mistake(
    "You set the pixels to 0. What stands for nothing is `baseline`.",
    TODO_110=deleting(fill=lambda image, gone, baseline: image.masked_fill(gone, 0.0)),
)


deletion_steps.hints(
    "In which order do the pixels go? scores.flatten().argsort(descending=True) gives their places.",
    "One image for each step, P + 1 in all: image.flatten().repeat(P + 1, 1). In image k, the places order[:k] are "
    "`baseline`.",
    "model(images.view(-1, *image.shape)).softmax(dim=1)[:, target]",
)
