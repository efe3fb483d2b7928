"""A DALL-E in miniature: an image becomes a few tokens, and a GPT that has read a caption writes such tokens.

First the codebook (码本): by k-means on patches, then learned together with an encoder and a decoder (VQ-VAE). Then one
GPT over words and codes, as over one language.
Sources: van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning", 2017 (VQ-VAE); Ramesh et al.,
"Zero-Shot Text-to-Image Generation", 2021 (DALL-E).

Sizes: N images of 8 × 8, T = 16 tokens an image, K codes, C channels of a code, B captions of W = 6 words.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models.cnn import check_images
from bmcourse.models.gpt import GPT, GPTConfig

SIDE, PATCH = 8, 2  # pixels: of an image, and of the square that one token stands for
TOKENS = (SIDE // PATCH) ** 2

# ---------------------------------------------------------------- a codebook by k-means


def to_patches(images):
    """Images (N, 8, 8) as their squares of 2 × 2 pixels, row by row: (N, 16, 4). Raises ValueError for other sizes."""
    check_images(images)
    N, cells = len(images), SIDE // PATCH
    squares = images.view(N, cells, PATCH, cells, PATCH).transpose(2, 3)  # (N, 4, 4, 2, 2)
    return squares.reshape(N, TOKENS, PATCH * PATCH)


def from_patches(patches):
    """The images (N, 8, 8) whose squares are `patches` (N, 16, 4): to_patches, undone."""
    N, cells = len(patches), SIDE // PATCH
    return patches.view(N, cells, cells, PATCH, PATCH).transpose(2, 3).reshape(N, SIDE, SIDE)


def nearest_codes(vectors, codebook):
    """For each of vectors (..., C) the number of the code of codebook (K, C) that is nearest to it: (...)."""
    return torch.cdist(vectors.flatten(0, -2), codebook).argmin(dim=1).view(vectors.shape[:-1])


def k_means(vectors, count, generator, rounds=20):
    """A codebook (count, C) for vectors (N, C): each code is the mean of the vectors that are nearest to it.

    A code that no vector is nearest to stays where it is. Raises ValueError for fewer different vectors than codes.
    Source: Lloyd, "Least Squares Quantization in PCM", 1957 (published 1982).
    """
    different = vectors.unique(dim=0)
    if len(different) < count:
        raise ValueError(f"{count} codes need as many different vectors; {len(different)} came. Ask for fewer.")
    codebook = different[torch.randperm(len(different), generator=generator)[:count]].clone()
    for _ in range(rounds):
        nearest = nearest_codes(vectors, codebook)
        for code in nearest.unique():
            codebook[code] = vectors[nearest == code].mean(dim=0)
    return codebook


# ---------------------------------------------------------------- a codebook that is learned: the VQ-VAE


def straight_through(vectors, quantized):
    """The value of `quantized`, and the gradient of `vectors`: as if nothing had been rounded (直通估计).

    Source: Bengio, Léonard and Courville, "Estimating or Propagating Gradients Through Stochastic Neurons", 2013.
    """
    return vectors + (quantized - vectors).detach()


class VQVAE(nn.Module):
    """An autoencoder (自编码器) with a codebook in its middle: images (N, 8, 8) ↔ codes (N, 16).

    In forward: the image again (N, 8, 8), and how far the encoder's vectors lie from their codes, as two losses in one.
    """

    def __init__(self, codes=64, code_channels=8, hidden=64):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, hidden, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, kernel_size=PATCH, stride=PATCH),
            nn.ReLU(),
            nn.Conv2d(hidden, code_channels, kernel_size=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(code_channels, hidden, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(hidden, hidden, kernel_size=PATCH, stride=PATCH),
            nn.ReLU(),
            nn.Conv2d(hidden, 1, kernel_size=3, padding=1),
        )
        self.codebook = nn.Parameter(torch.randn(codes, code_channels))

    def vectors(self, images):
        """What the encoder makes of images: (N, 16, C)."""
        check_images(images)
        return self.encoder(images[:, None]).flatten(2).transpose(1, 2)

    def picture(self, vectors):
        """What the decoder makes of vectors (N, 16, C): images (N, 8, 8)."""
        N, T, C = vectors.shape
        grid = vectors.transpose(1, 2).reshape(N, C, SIDE // PATCH, SIDE // PATCH)
        return self.decoder(grid)[:, 0]

    @torch.no_grad()
    def encode(self, images):
        """Images (N, 8, 8) as codes (N, 16)."""
        return nearest_codes(self.vectors(images), self.codebook)

    @torch.no_grad()
    def decode(self, codes):
        """Codes (N, 16) as images (N, 8, 8), brightness 0 to 1."""
        return self.picture(self.codebook[codes]).clamp(0, 1)

    def forward(self, images, commitment=0.25):
        vectors = self.vectors(images)
        quantized = self.codebook[nearest_codes(vectors, self.codebook)]
        codes_move = F.mse_loss(quantized, vectors.detach())
        encoder_commits = F.mse_loss(vectors, quantized.detach())
        image = self.picture(straight_through(vectors, quantized))
        return image, codes_move + commitment * encoder_commits


# ---------------------------------------------------------------- captions

THICKNESSES = "thin", "medium", "thick"
DIGITS = "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"
SLANTS = "tilted left", "standing upright", "tilted right"
NOTHING = "<nothing>"  # stands for every word of a caption that is not given
WORDS = (NOTHING, "a", *THICKNESSES, *DIGITS, ",", "tilted", "standing", "left", "upright", "right")
CAPTION = 6  # words


def caption(digit, thickness, slant):
    """The caption of a digit 0 to 9 whose thickness and slant are 0, 1 or 2.

    >>> caption(7, 2, 0)
    'a thick seven, tilted left'
    """
    return f"a {THICKNESSES[thickness]} {DIGITS[digit]}, {SLANTS[slant]}"


def encode_caption(text):
    """The numbers (6,) of a caption's words. Raises ValueError for words the model has not learned, or a wrong number.

    >>> encode_caption("a thick seven, tilted left").tolist()
    [1, 4, 12, 15, 16, 18]
    """
    words = text.lower().replace(",", " , ").split()
    unknown = [word for word in words if word not in WORDS]
    if unknown or len(words) != CAPTION:
        problem = f"the word {unknown[0]!r}" if unknown else f"{len(words)} words (the comma is one)"
        raise ValueError(
            f"The caption {text!r} has {problem}; expected are {CAPTION} as in 'a thick seven, tilted left'. "
            f"The words are: {' '.join(WORDS[1:])}."
        )
    return torch.tensor([WORDS.index(word) for word in words])


# ---------------------------------------------------------------- one GPT over words and codes


@dataclass(frozen=True)
class DALLEConfig:
    """The shape of a DALL-E: of its VQ-VAE, and of its GPT."""

    codes: int = 64
    code_channels: int = 8
    hidden: int = 64
    layers: int = 3
    heads: int = 4
    channels: int = 96
    dropout: float = 0.1


class DALLE(nn.Module):
    """Captions (B, 6) and the codes so far (B, T) in, logits (B, T + 1, K) of the codes out.

    `logits[b, t]` scores code t, from the caption and the codes before it. The GPT has one vocabulary: words, and
    behind them codes.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.vqvae = VQVAE(config.codes, config.code_channels, config.hidden)
        self.gpt = GPT(
            GPTConfig(
                vocabulary_size=len(WORDS) + config.codes,
                context=CAPTION + TOKENS,
                layers=config.layers,
                heads=config.heads,
                channels=config.channels,
                dropout=config.dropout,
            )
        )

    def forward(self, captions, codes):
        tokens = torch.cat([captions, codes + len(WORDS)], dim=1)  # (B, 6 + T)
        return self.gpt(tokens)[:, CAPTION - 1 :, len(WORDS) :]
