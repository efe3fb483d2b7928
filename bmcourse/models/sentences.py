"""A classifier of sentences: words become numbers, a question is put in front, and attention gathers its answer."""

import re

import torch
from torch import nn

from bmcourse.models.positions import sinusoidal_positions
from bmcourse.models.transformer import TransformerEncoder, TransformerEncoderLayer

PADDING, UNKNOWN = 0, 1  # what fills up a short sentence, and every word that the model does not know


def split_words(text):
    """The words of a text in small letters, without punctuation.

    >>> split_words("Return the file's name.")
    ['return', 'the', 'file', 's', 'name']
    """
    return re.findall(r"\w+", text.lower())


def number_words(texts, words, split=split_words):
    """Sentences as the numbers of their words (B, T): `words[i]` is i + 2; 0 fills up at the end, 1 is any other word.

    `split` cuts a text into words; where no spaces stand between them, as in Chinese, pass another one: `list` takes
    every character for a word. Raises ValueError for a text without words.
    """
    number_of = {word: number for number, word in enumerate(words, UNKNOWN + 1)}
    rows = []
    for text in texts:
        if not (split_text := split(text)):
            raise ValueError(f"The text {text!r} has no words. Pass at least one, or another `split`.")
        rows.append(torch.tensor([number_of.get(word, UNKNOWN) for word in split_text]))
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)


class SentenceClassifier(nn.Module):
    """Word numbers (B, T), as number_words makes them, in; a score for each class (B, classes) out.

    A learned vector, the question, stands in front of the words; what it has gathered behind the encoder is the answer.
    Sentences are filled up with 0, and nobody attends to that. For explanations with a gradient, `read` takes the
    words' vectors (B, T, C), `embedding(tokens)`; its encoder's attention is explain.attention.encoder_attention.
    Source: the question is the token [CLS] of Devlin et al., "BERT", 2018, section 3.
    """

    def __init__(self, vocabulary_size, classes, channels=32, heads=4):
        super().__init__()
        layer = TransformerEncoderLayer(channels, heads, 2 * channels, dropout=0.0, norm_first=True)
        self.embedding = nn.Embedding(vocabulary_size, channels, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight[UNKNOWN:], std=0.1)  # 10 points more than with a deviation of 1
        self.question = nn.Parameter(torch.zeros(channels))
        self.encoder, self.head = TransformerEncoder(layer, num_layers=1), nn.Linear(channels, classes)

    def forward(self, tokens):
        return self.read(self.embedding(tokens), tokens == PADDING)

    def read(self, vectors, padding=None):
        """The scores from the words' vectors (B, T, C); `padding` (B, T) is True where there is no word."""
        if padding is not None:
            padding = nn.functional.pad(padding, [1, 0])  # the question is none
        return self.head(self.encoder(self.ask(vectors), src_key_padding_mask=padding)[:, 0])

    def ask(self, vectors):
        """What the encoder reads: the question and the words' vectors with their positions, (B, 1 + T, C)."""
        x = torch.cat([self.question.expand(len(vectors), 1, -1), vectors], dim=1)
        return x + sinusoidal_positions(*x.shape[1:]).to(x)
