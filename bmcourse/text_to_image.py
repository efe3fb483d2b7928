"""Text to image (文生图): captions measured from real digits, a DALL-E trained on some, and its score on all others.

Of every digit a caption says the thickness, by how much ink (墨量) there is, and the slant (倾斜). Both can be measured
again in an image that the model made. Some combinations of digit, thickness and slant are held out: no image of them is
ever trained on.

Sizes: N images, B captions of W = 6 words, T = 16 codes an image, K codes in the codebook.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from bmcourse.augment import rotated
from bmcourse.inference import KeyValueCache, cached_logits, evaluating, sample, with_temperature
from bmcourse.models.cnn import CNN
from bmcourse.models.dalle import CAPTION, TOKENS, WORDS, caption, encode_caption, k_means
from bmcourse.training import clip_gradients, warmup_cosine

CLASSES = 10
COMBINATIONS = [(digit, thickness, slant) for digit in range(CLASSES) for thickness in range(3) for slant in range(3)]
# Two of the nine of each digit; over all digits every thickness and every slant is among them about as often.
HELD_OUT = [(d, (d + 1 + k) % 3, (d // 3 + 1 + 2 * k) % 3) for d in range(CLASSES) for k in range(2)]

# ---------------------------------------------------------------- what a caption says, measured


def ink(images):
    """The sum of the brightness of each image (N, height, width): (N,), in pixels that are fully on."""
    return images.flatten(1).sum(dim=1)


def thickness(images):
    """How thick the strokes are: the ink of each image (N, height, width) in units of its brightest pixel, (N,).

    A dimmer image is no thinner. 0 for an empty image.
    """
    return ink(images) / images.flatten(1).amax(dim=1).clamp(min=1e-6)


def slant(images):
    """How far each image (N, height, width) leans to the right, in pixels for each pixel up: (N,).

    It is minus the covariance (协方差) of column and row over the variance of the row, every pixel weighing as much as
    it is bright: the slope of the line that best tells the column from the row. 0 for an empty image.
    """
    height, width = images.shape[1:]
    weight = images / ink(images).clamp(min=1e-6)[:, None, None]
    rows, columns = torch.arange(float(height))[:, None], torch.arange(float(width))
    rows = rows - (weight * rows).sum(dim=(1, 2), keepdim=True)  # from the centre of mass, (N, height, 1)
    columns = columns - (weight * columns).sum(dim=(1, 2), keepdim=True)  # (N, 1, width)
    covariance, variance = (weight * rows * columns).sum(dim=(1, 2)), (weight * rows**2).sum(dim=(1, 2))
    return -covariance / variance.clamp(min=1e-6)


def terciles(images, labels):
    """The limits (2, 10, 2) of thin, medium and thick, and of left, upright and right, for each digit of its own.

    A third of the images of a digit lies below its first limit, and a third above its second.
    """
    parts = torch.tensor([1 / 3, 2 / 3])
    return torch.stack(
        [
            torch.stack([measure(images[labels == digit]).quantile(parts) for digit in range(CLASSES)])
            for measure in (thickness, slant)
        ]
    )


def describe(images, labels, limits):
    """What is true of each image: (N, 3), its digit as `labels` say, its thickness and its slant, each 0, 1 or 2."""
    thick, lean = (
        (measure(images)[:, None] > limit[labels]).sum(dim=1)
        for measure, limit in zip((thickness, slant), limits, strict=True)
    )
    return torch.stack([labels, thick, lean], dim=1)


def held_out(truths):
    """Whether each of the truths (N, 3) is a combination that is held out: (N,)."""
    table = torch.zeros(CLASSES, 3, 3, dtype=torch.bool)
    table[tuple(torch.tensor(HELD_OUT).T)] = True
    return table[tuple(truths.T)]


def encode_captions(truths):
    """The words (N, 6) of the caption of each of `truths` (N, 3)."""
    every = torch.stack([encode_caption(caption(*combination)) for combination in COMBINATIONS])
    return every.view(CLASSES, 3, 3, CAPTION)[tuple(torch.as_tensor(truths).T)]


# ---------------------------------------------------------------- what is trained on


@dataclass(frozen=True)
class Captioned:
    """Images (N, 8, 8) and what is true of each (N, 3); `captions` says it in words (N, 6)."""

    images: torch.Tensor
    truths: torch.Tensor
    captions: torch.Tensor


def turned(images, generator, degrees=20.0, strength=0.5):
    """Images (N, 8, 8) turned by up to so many degrees, and made lighter or heavier: brightness to a power."""
    power = (strength * (2 * torch.rand(len(images), 1, 1, generator=generator) - 1)).exp()
    return rotated(images, generator, degrees).clamp(0, 1) ** power


def seen_digits(images, labels, limits, copies, generator):
    """The digits that may be trained on and `copies` of each, turned, with captions measured after the turn.

    Neither a held-out digit is in it, nor a copy of one, nor a copy that became one.
    """
    seen = ~held_out(describe(images, labels, limits))
    images, labels = images[seen], labels[seen].repeat(copies + 1)
    images = torch.cat([images, *(turned(images, generator) for _ in range(copies))])
    truths = describe(images, labels, limits)
    seen = ~held_out(truths)
    return Captioned(images[seen], truths[seen], encode_captions(truths[seen]))


# ---------------------------------------------------------------- training


def fit(parameters, loss, steps, lr, warmup=1, report=lambda step, loss: None):
    """Train the parameters with AdamW on what `loss()` gives, a new number at each step; returns them all.

    `report(step, loss)` comes after every step.
    """
    parameters = list(parameters)
    optimizer = torch.optim.AdamW(parameters, lr=lr)
    losses = []
    for step in range(1, steps + 1):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        clip_gradients(parameters, 1.0)
        optimizer.param_groups[0]["lr"] = lr * warmup_cosine(step, steps, warmup, floor=0.0)
        optimizer.step()
        losses.append(value.item())
        report(step, losses[-1])
    return losses


def train_judge(images, labels, generator, steps=500, lr=1e-2):
    """A CNN that names digits: the judge. It is trained on all real digits, turned; no model that it judges sees it."""
    judge = CNN()

    def loss():
        rows = torch.randint(len(images), (64,), generator=generator)
        return F.cross_entropy(judge(turned(images[rows], generator)), labels[rows])

    fit(judge.parameters(), loss, steps, lr)
    return judge.eval()


@torch.no_grad()
def start_codebook(vqvae, images, generator):
    """Put the codes where the encoder's vectors are, by k-means: a code far from all of them would never be used."""
    vqvae.codebook.copy_(k_means(vqvae.vectors(images[:1000]).flatten(0, 1), len(vqvae.codebook), generator))


def vqvae_loss(vqvae, images):
    """The mean squared error of the images that come back, and how far the vectors lie from their codes."""
    again, distance = vqvae(images)
    return F.mse_loss(again, images) + distance


def train_vqvae(vqvae, images, generator, steps, lr=5e-3, batch_size=64):
    """Train `vqvae` on images (N, 8, 8), best after start_codebook; returns the loss of every step."""

    def loss():
        return vqvae_loss(vqvae, images[torch.randint(len(images), (batch_size,), generator=generator)])

    return fit(vqvae.parameters(), loss, steps, lr)


def drop_captions(captions, rate, generator):
    """Captions (B, 6), of which the share `rate` is wiped out: all its words are <nothing>.

    So the model also learns to write an image without a caption, which guidance needs.
    """
    keep = torch.rand(len(captions), 1, generator=generator) >= rate
    return captions * keep  # <nothing> is word 0


def image_loss(model, captions, codes):
    """The cross-entropy of the codes (B, 16) after their captions (B, 6), in nats a code; words are not predicted."""
    logits = model(captions, codes[:, :-1])  # (B, 16, K)
    return F.cross_entropy(logits.flatten(0, 1), codes.flatten())


def train_dalle(model, seen, generator, steps, lr=2e-3, batch_size=64, dropped=0.1, report=lambda step, loss: None):
    """Train the GPT of `model` on `seen`, whose images its VQ-VAE, trained before, turns into codes.

    Returns the loss of every step, and leaves the model in eval mode.
    """
    codes = model.vqvae.encode(seen.images)

    def loss():
        rows = torch.randint(len(codes), (batch_size,), generator=generator)
        return image_loss(model, drop_captions(seen.captions[rows], dropped, generator), codes[rows])

    losses = fit(model.train().gpt.parameters(), loss, steps, lr, warmup=min(100, steps), report=report)
    model.eval()
    return losses


# ---------------------------------------------------------------- writing images


def guide(conditional, unconditional, guidance):
    """Classifier-free guidance (无分类器引导): `guidance` times the way from the logits without caption to those with.

    0 ignores the caption, 1 is the model as it is, more exaggerates what the caption changes.
    Source: Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022, equation 6, where guidance is 1 + w.
    """
    return unconditional + guidance * (conditional - unconditional)


@torch.no_grad()
def stream_codes(model, captions, generator, guidance=3.0, temperature=1.0):
    """Write an image for each of captions (B, 6): yields the next code of all of them, (B,), 16 times.

    The model reads each text twice, with its caption and without. `guidance` is a number, or a function that is asked
    before every code. Raises ValueError for captions of another shape.
    """
    check_captions(captions)
    tokens = torch.cat([captions, torch.zeros_like(captions)])  # (2 B, 6)
    cache = KeyValueCache.for_model(model.gpt, len(tokens))
    with evaluating(model):
        for _ in range(TOKENS):
            logits = cached_logits(model.gpt, tokens, cache)[:, -1, len(WORDS) :]  # (2 B, K)
            scale = guidance() if callable(guidance) else guidance
            logits = with_temperature(guide(*logits.chunk(2), scale), temperature)
            codes = sample(logits, generator)  # (B, 1)
            yield codes[:, 0]
            tokens = torch.cat([codes, codes]) + len(WORDS)


def draw_images(model, captions, generator, guidance=3.0, temperature=1.0):
    """An image (B, 8, 8) for each of captions (B, 6)."""
    codes = list(stream_codes(model, captions, generator, guidance, temperature))
    return model.vqvae.decode(torch.stack(codes, dim=1))


def check_captions(captions):
    if captions.ndim != 2 or captions.shape[1] != CAPTION:
        raise ValueError(
            f"The captions are {tuple(captions.shape)}; expected is (B, {CAPTION}), a row of words each: "
            f"encode_caption('a thick seven, tilted left')[None] is one."
        )


# ---------------------------------------------------------------- the score


def rate(images, wanted, judge, limits):
    """What is right of each image (N, 8, 8) made for `wanted` (N, 3): (N, 3) of digit, thickness and slant.

    The judge says which digit it is. Thickness and slant are measured, by the limits of the digit that was wanted.
    """
    with torch.no_grad():
        digits = judge(images).argmax(dim=1)
    measured = describe(images, wanted[:, 0], limits)
    return torch.cat([(digits == wanted[:, 0])[:, None], measured[:, 1:] == wanted[:, 1:]], dim=1)


def score(model, judge, limits, generator, combinations=HELD_OUT, each=20, guidance=3.0):
    """What is right in `each` images for each of `combinations`, as shares: see shares()."""
    wanted = torch.tensor(combinations).repeat_interleave(each, dim=0)
    images = draw_images(model, encode_captions(wanted), generator, guidance)
    return shares(rate(images, wanted, judge, limits))


def shares(right):
    """Of what rate() gives, (N, 3): how many images have digit, thickness, slant, both of these, all three right."""
    columns = {"digit": right[:, 0], "thickness": right[:, 1], "slant": right[:, 2]}
    columns |= {"both": right[:, 1:].all(dim=1), "all": right.all(dim=1)}
    return {name: column.float().mean().item() for name, column in columns.items()}


def chance(images, labels, judge, limits, combinations=HELD_OUT):
    """The control: the same score for real images of the right digit, whatever their thickness and slant."""
    right = []
    for combination in combinations:
        of_digit = images[labels == combination[0]]
        wanted = torch.tensor([combination]).expand(len(of_digit), 3)
        right.append(shares(rate(of_digit, wanted, judge, limits)))
    return {name: sum(row[name] for row in right) / len(right) for name in right[0]}


def variety(images):
    """How different images (N, 8, 8) for the same caption are: the standard deviation of a pixel, on average."""
    return images.std(dim=0).mean().item()
