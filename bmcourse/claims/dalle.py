"""What lesson 17 says of text to image, measured: a DALL-E smaller than the course's, trained anew for each seed."""

import functools

import torch
import torch.nn.functional as F

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.models.dalle import (
    DALLE,
    VQVAE,
    DALLEConfig,
    from_patches,
    k_means,
    nearest_codes,
    to_patches,
)
from bmcourse.text_to_image import (
    COMBINATIONS,
    HELD_OUT,
    chance,
    describe,
    draw_images,
    encode_captions,
    rate,
    score,
    seen_digits,
    shares,
    start_codebook,
    terciles,
    train_dalle,
    train_judge,
    train_vqvae,
    variety,
)

CODES, CHANNELS, HIDDEN, LAYERS, WIDTH = 64, 8, 32, 2, 64
COPIES, VQVAE_STEPS, STEPS = 8, 400, 450
SCALES = (0, 1, 2, 3, 5, 8)  # of guidance


def dice(seed):
    """A generator of this seed; torch's own random numbers begin there too."""
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


@functools.cache
def world(seed):
    """The digits split by `seed`, the limits of their captions, and what may be trained on."""
    digits = data.digits(seed=seed)
    limits = terciles(digits.train_images, digits.train_labels)
    return digits, limits, seen_digits(digits.train_images, digits.train_labels, limits, COPIES, dice(seed))


@functools.cache
def judge_of(seed):
    digits, _, _ = world(seed)
    return train_judge(digits.train_images, digits.train_labels, dice(seed))


@functools.cache
def trained(seed, hidden=HIDDEN, vqvae_steps=VQVAE_STEPS):
    """A DALL-E that has seen everything but the held-out combinations."""
    generator = dice(seed)
    _, _, seen = world(seed)
    model = DALLE(DALLEConfig(CODES, CHANNELS, hidden, LAYERS, heads=4, channels=WIDTH, dropout=0.0))
    start_codebook(model.vqvae, seen.images, generator)
    train_vqvae(model.vqvae, seen.images, generator, vqvae_steps)
    train_dalle(model, seen, generator, STEPS)
    return model


def trained_on_better_codes(seed):
    """The same GPT, on a VQ-VAE that is wider and was trained three times as long."""
    return trained(seed, 3 * HIDDEN // 2, 3 * VQVAE_STEPS)


@functools.cache
def trained_larger(seed):
    """A GPT with twice the blocks, trained three times as long, on the codes of `trained`."""
    _, _, seen = world(seed)
    model = DALLE(DALLEConfig(CODES, CHANNELS, HIDDEN, 2 * LAYERS, heads=4, channels=WIDTH, dropout=0.0))
    model.vqvae = trained(seed).vqvae
    train_dalle(model, seen, dice(seed), 3 * STEPS)
    return model


def kept(vqvae, seed):
    """How many new digits have their thickness and slant after they were turned into codes and back, in percent."""
    digits, limits, _ = world(seed)
    new = digits.validation_images
    wanted = describe(new, digits.validation_labels, limits)
    return 100 * shares(rate(vqvae.decode(vqvae.encode(new)), wanted, judge_of(seed), limits))["both"]


@functools.cache
def obeyed(make, seed):
    """How many images for all 90 captions have thickness and slant right, in percent, of the model `make(seed)`."""
    _, limits, _ = world(seed)
    return 100 * score(make(seed), judge_of(seed), limits, dice(seed), COMBINATIONS, guidance=3)["both"]


@functools.cache
def scored(seed, guidance):
    _, limits, _ = world(seed)
    return score(trained(seed), judge_of(seed), limits, dice(seed), guidance=guidance)


@claim(
    "Captions never seen: of the images for held-out combinations of digit, thickness and slant, more than 85 % show "
    "the right digit. (Guidance 3; a judge trained on real digits.)",
    unit="% with the right digit",
    at_least=85.0,
)
def unseen_captions_show_the_right_digit(seed):
    return 100 * scored(seed, 3)["digit"]


@claim(
    "Thickness and slant of captions never seen are both right far more often than in real images of that digit taken "
    "by chance. (Guidance 3.)",
    unit="points above chance",
    at_least=20.0,
)
def unseen_captions_set_both_attributes(seed):
    digits, limits, _ = world(seed)
    control = chance(digits.validation_images, digits.validation_labels, judge_of(seed), limits)
    return 100 * (scored(seed, 3)["both"] - control["both"])


@functools.cache
def many_of_one(seed, guidance):
    """How different images for the same caption are, on average over the held-out captions."""
    generator, model = dice(seed), trained(seed)
    captions = encode_captions(HELD_OUT)
    images = [draw_images(model, words.expand(20, -1), generator, guidance) for words in captions]
    return sum(map(variety, images)) / len(images)


def guidance_table(seed):
    """At SCALES, in percent: the right digit, both attributes right; and the variety, of 1,000."""
    rows = [scored(seed, scale) for scale in SCALES]
    variety_of_1000 = [round(1000 * many_of_one(seed, scale)) for scale in SCALES]
    return [[round(100 * row[name], 1) for row in rows] for name in ("digit", "both")] + [variety_of_1000]


@claim(
    "Guidance makes the model obey: at 3 all that the caption says (digit, thickness and slant) is right more often "
    "than at 1, the model as it was trained.",
    unit="points more of the images",
    at_least=5.0,
    table=guidance_table,
)
def guidance_obeys(seed):
    return 100 * (scored(seed, 3)["all"] - scored(seed, 1)["all"])


@claim(
    "Guidance costs variety: images for one caption differ less from each other at 5 than at 1.",
    unit="% less spread of a pixel",
    at_least=10.0,
)
def guidance_costs_variety(seed):
    return 100 * (1 - many_of_one(seed, 5) / many_of_one(seed, 1))


@claim(
    "More guidance, more obedience: at 8 all that the caption says is right more often than at 3.",
    unit="points more of the images",
    opposite="points fewer of the images",
    belief=True,
)
def ever_more_guidance_obeys_more(seed):
    return 100 * (scored(seed, 8)["all"] - scored(seed, 3)["all"])


@claim(
    "The codec loses attributes: of real digits that are only turned into codes and back, a large part loses its "
    "thickness or its slant on the way.",
    unit="% of new digits lose one of both",
    at_least=15.0,
)
def the_codec_loses_attributes(seed):
    return 100 - kept(trained(seed).vqvae, seed)


def limit_table(seed):
    """For the codes of trained, then for better ones, in percent: kept; obeyed. And obeyed by the larger GPT."""
    models = trained, trained_on_better_codes
    return [
        [round(kept(make(seed).vqvae, seed), 1) for make in models],
        [round(obeyed(make, seed), 1) for make in models],
        [round(obeyed(trained_larger, seed), 1)],
    ]


@claim(
    "The codec is the limit: with better codes, from which real digits come back truer, at least 5 points more of the "
    "images have thickness and slant right. (The same GPT, guidance 3, all 90 captions.)",
    unit="points more of the images",
    opposite="points fewer of the images",
    at_least=5.0,
    table=limit_table,
    belief=True,
)
def the_codec_is_the_limit(seed):
    return obeyed(trained_on_better_codes, seed) - obeyed(trained, seed)


@claim(
    "A larger GPT that trains longer gets thickness and slant right in more images, with the very same codes. (Twice "
    "the blocks, three times the steps, guidance 3, all 90 captions.)",
    unit="points more of the images",
    opposite="points fewer of the images",
)
def a_larger_gpt_obeys_more(seed):
    return obeyed(trained_larger, seed) - obeyed(trained, seed)


@claim(
    "Captions never seen are drawn worse than captions that were trained on. (Thickness and slant both right, guidance "
    "3.)",
    unit="points fewer of the images",
    opposite="points more of the images",
    at_least=2.0,
    belief=True,
)
def unseen_captions_are_drawn_worse(seed):
    _, limits, _ = world(seed)
    seen = [combination for combination in COMBINATIONS if combination not in HELD_OUT]
    shown = score(trained(seed), judge_of(seed), limits, dice(seed), seen, guidance=3)
    return 100 * (shown["both"] - scored(seed, 3)["both"])


@claim(
    "It is the caption that does it: at guidance 0, where the caption is not read, the digit is right by chance only.",
    unit="points between guidance 3 and 0",
    at_least=60.0,
)
def without_the_caption_it_is_chance(seed):
    return 100 * (scored(seed, 3)["digit"] - scored(seed, 0)["digit"])


@claim(
    "A codebook learned with an encoder and a decoder beats k-means on patches with as many codes. (The squared error "
    "of new digits, 64 codes, 400 steps of training.)",
    unit="% less error",
    opposite="% more error",
    at_least=0.0,
    belief=True,
)
def learned_codes_beat_k_means(seed):
    digits, _, seen = world(seed)
    new, patches = digits.validation_images, to_patches(seen.images[:2000]).flatten(0, 1)
    codebook = k_means(patches, CODES, dice(seed))
    by_k_means = from_patches(codebook[nearest_codes(to_patches(new), codebook)])
    vqvae = trained(seed).vqvae
    learned = vqvae.decode(vqvae.encode(new))
    return 100 * (1 - F.mse_loss(learned, new) / F.mse_loss(by_k_means, new)).item()


@claim(
    "A codebook that starts at random collapses: after training, far fewer of its codes are used than of one that "
    "started by k-means.",
    unit="codes more in use, of 64",
    at_least=16.0,
)
def random_codebooks_collapse(seed):
    _, _, seen = world(seed)
    generator = dice(seed)
    vqvae = VQVAE(CODES, CHANNELS, HIDDEN)
    train_vqvae(vqvae, seen.images, generator, VQVAE_STEPS)
    used = [len(some.encode(seen.images).unique()) for some in (trained(seed).vqvae, vqvae)]
    return used[0] - used[1]
