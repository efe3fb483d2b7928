"""A BERT: every token reads all the others, on both sides, and says what word could stand at its place.

A sentence is [CLS], its words, [SEP], and [PAD] to the length of the longest. Each token is a number; `vocabulary[i]`
is what token i is called, and the first five are always SPECIAL.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models.attention import causal_mask
from bmcourse.models.sentences import number_words
from bmcourse.models.transformer import TransformerEncoder, TransformerEncoderLayer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIAL))


@dataclass(frozen=True)
class BERTConfig:
    """The shape of a BERT. `context` is the longest sentence it reads, in tokens, [CLS] and [SEP] among them.

    With `causal` a token sees only itself and what stands on its left: as many parameters, half of the view.
    """

    vocabulary_size: int
    context: int = 32
    layers: int = 2
    heads: int = 4
    channels: int = 64
    dropout: float = 0.0
    causal: bool = False


class BERT(nn.Module):
    """Tokens (B, T) in, logits (B, T, V) out: `logits[b, t]` scores every word for place t. Nobody attends to [PAD].

    `read` gives the vectors (B, T, C) that any head may stand on, and `guess` turns such vectors into logits: it
    compares them with the embeddings of all words, so the two share one matrix (tied weights, 权重共享).
    Raises ValueError for a sentence longer than the context.
    Source: Devlin et al., "BERT", 2018, section 3. Two things are newer, because a minute of training gets nowhere
    without them: the normalisation stands first (pre-norm), and each head learns how much it likes every distance
    (Raffel et al., "T5", 2020, section 2.1) where BERT adds a learned vector to each place. Half of the heads start
    out fond of one neighbour.
    """

    def __init__(self, config):
        super().__init__()
        C, self.config = config.channels, config
        self.embedding = nn.Embedding(config.vocabulary_size, C)
        layer = TransformerEncoderLayer(C, config.heads, 4 * C, config.dropout, "gelu", norm_first=True)
        self.encoder = TransformerEncoder(layer, config.layers, norm=nn.LayerNorm(C))
        for weight in self.encoder.parameters():
            if weight.ndim == 2:
                nn.init.xavier_uniform_(weight)  # its own for each layer
        self.liking = nn.Parameter(liking_of_neighbours(config))
        self.transform = nn.Sequential(nn.Linear(C, C), nn.GELU(), nn.LayerNorm(C))
        self.bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, tokens):
        return self.guess(self.read(tokens))

    def read(self, tokens):
        """What the encoder makes of the tokens (B, T): (B, T, C)."""
        return self.encoder(self.embedding(tokens), self.mask(tokens), tokens == PAD)

    def mask(self, tokens):
        """What is added to the scores of every head, (B · H, T, T): its liking of the distance, -inf for the future."""
        (B, T), context = tokens.shape, self.config.context
        if context < T:
            raise ValueError(
                f"The sentence has {T} tokens; this BERT reads at most {context} (config.context), [CLS] and [SEP] "
                f"among them. Pass a shorter one."
            )
        places = torch.arange(T, device=tokens.device)
        mask = self.liking[:, places - places[:, None] + context - 1]  # (H, T, T)
        if self.config.causal:
            mask = mask.masked_fill(causal_mask(T, tokens.device), -torch.inf)
        return mask.repeat(B, 1, 1)

    def guess(self, vectors):
        """The logits (..., V) of vectors (..., C)."""
        return F.linear(self.transform(vectors), self.embedding.weight, self.bias)


def liking_of_neighbours(config, slope=2.0):
    """How a head likes a key so many places behind or before its query: (H, 2 · context - 1), at the start.

    The first half of the heads like the places -1, 1, -2, 2, ... best, those of a causal model -1, -2, ...; each place
    further costs `slope`. The other half like all places equally: [CLS] needs to see the whole sentence.
    """
    heads = torch.arange(config.heads)
    best = -1 - heads if config.causal else (heads // 2 + 1) * (2 * (heads % 2) - 1)
    distances = torch.arange(1 - config.context, config.context)
    liking = -slope * (distances - best[:, None]).abs().float()
    return liking.where(heads[:, None] < config.heads / 2, 0.0)


class BERTClassifier(nn.Module):
    """Tokens (B, T) in, a score for each class (B, classes) out: one linear layer on what stands at [CLS].

    The BERT is trained along: fine-tuning (微调).
    Source: Devlin et al., "BERT", 2018, section 4.1.
    """

    def __init__(self, bert, classes):
        super().__init__()
        self.bert, self.head = bert, nn.Linear(bert.config.channels, classes)

    def forward(self, tokens):
        return self.head(self.bert.read(tokens)[:, 0])


# ---------------------------------------------------------------- sentences as tokens


def read_sentences(texts, vocabulary):
    """Sentences as tokens (B, T): [CLS], the words, [SEP], and [PAD] behind those that are shorter than the longest.

    A word that the vocabulary lacks is [UNK]. Raises ValueError for a text without words.
    """
    tokens = F.pad(number_words(texts, vocabulary[2:]), [1, 1])
    tokens[:, 0] = CLS
    tokens[torch.arange(len(tokens)), (tokens != PAD).sum(dim=1)] = SEP
    return tokens
