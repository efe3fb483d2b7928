"""An explorer for the lesson on BERT: hide a word, and see what models would put there and where they look."""

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.collections import PolyCollection
from matplotlib.transforms import IdentityTransform

from bmcourse import plots
from bmcourse.explain.attention import encoder_attention
from bmcourse.inference import evaluating
from bmcourse.live.data import line, text_field
from bmcourse.live.explorer import Stage, explore
from bmcourse.live.letters import Letters, drawable, font_names, letter
from bmcourse.models.bert import MASK, PAD, SPECIAL, UNK, read_sentences
from bmcourse.models.sentences import split_words

SENTENCE, HIDDEN = "Return True if the object is a string, otherwise False.", 2
GUESSES = 6
LEFT, RIGHT, TOP, ROW, GAP = 20, 880, 354, 34, 18  # of the sentence, in pixels of the page
LONGEST, SHORT = 18, 9  # letters of a word, and where so many words stand that four lines must do
SIZE = 14  # of its letters, in points
SCALES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # where the axis of the bars may end


def fill_in(models, vocabulary, text=SENTENCE, hide=HIDDEN):
    """Type a sentence, hide one of its words, and see the likeliest words for the gap, and where each head looks.

    `models` are one or two BERTs with the same vocabulary and as many layers and heads, {name: model}. At first the
    word number `hide` of `text` is hidden. Words beyond the context are left out.
    Raises ValueError for models of another vocabulary, and for none or three.
    """
    check_models(models, vocabulary)
    picture = Picture(models, vocabulary)
    shape = next(iter(models.values())).config
    field, place = text_field(text), widgets.IntSlider(hide, min=1, description="hide word", layout={"width": "420px"})

    def fit_place(_=None):
        place.max = max(1, len(split_words(field.value)[: shape.context - 2]))

    fit_place()
    field.observe(fit_place, names="value")
    explore(
        picture.draw,
        "A sentence with one word hidden, each word as dark as the chosen head looks at it from the gap; below it the "
        "likeliest words for the gap as bars, the likeliest first.",
        write=picture.write,
        text=field,
        place=place,
        layer=widgets.IntSlider(0, min=0, max=shape.layers - 1, description="layer", layout={"width": "230px"}),
        head=widgets.IntSlider(0, min=0, max=shape.heads - 1, description="head", layout={"width": "230px"}),
        whose=widgets.Dropdown(options=list(models), description="attention of", layout={"width": "260px"}),
    )


def check_models(models, vocabulary):
    if not 1 <= len(models) <= 2:
        raise ValueError(f"{len(models)} models came; live.fill_in compares one or two. Pass {{name: model}}.")
    for name, model in models.items():
        if model.config.vocabulary_size != len(vocabulary):
            raise ValueError(
                f"The model {name!r} knows {model.config.vocabulary_size} tokens, the vocabulary has "
                f"{len(vocabulary)}. Pass the vocabulary that it was trained with."
            )


# ------------------------------------------------------------------------------------------------ what is computed


def hidden_sentence(text, place, vocabulary, context):
    """The words of a text, as many as fit, and its tokens (1, T) with [MASK] for the word `place`, which counts from 1.

    Behind the end it is the last word. No words and no tokens for a text without words.
    """
    words = split_words(text)[: context - 2]
    if not words:
        return [], None, 0
    place = min(place, len(words))
    tokens = read_sentences([" ".join(words)], vocabulary)
    tokens[0, place] = MASK
    return words, tokens, place


@torch.no_grad()
def probabilities_at(model, tokens, place):
    """The probability (V,) of every word for one place of tokens (1, T); special tokens are never guessed."""
    with evaluating(model):
        logits = model.guess(model.read(tokens)[0, place])
    logits[: len(SPECIAL)] = -torch.inf
    return logits.softmax(dim=-1)


@torch.no_grad()
def looks_from(model, tokens, place, layer, head):
    """How much a head takes of every token (T,), seen from one place."""
    with evaluating(model):
        weights = encoder_attention(model.encoder, model.embedding(tokens), tokens == PAD, model.mask(tokens))
    return weights[layer, 0, head, place]


# -------------------------------------------------------------------------------------------------------- the picture


class Picture:
    """The sentence with its gap, and bars of the guesses of each model."""

    def __init__(self, models, vocabulary):
        self.models, self.vocabulary, self.fonts = models, vocabulary, list(font_names())
        self.context = next(iter(models.values())).config.context
        grid = {"left": 0.14, "right": 0.93, "bottom": 0.08, "top": 0.46, "wspace": 0.5}
        fig, axes = plots.figure(9, 3.8, columns=len(models), gridspec_kw=grid)
        self.axes = np.atleast_1d(axes)
        self.bars = [ax.barh(range(GUESSES), [0] * GUESSES, color=plots.BLUE, height=0.6) for ax in self.axes]
        for ax, name in zip(self.axes, models, strict=True):
            ax.set(ylim=(GUESSES - 0.4, -0.6), yticks=[])
            ax.set_title(name, size=13)
        self.boxes = PolyCollection([], edgecolors=plots.RED, transform=IdentityTransform())
        fig.add_artist(self.boxes)
        self.words, self.names = Letters(fig, SIZE, align=0), Letters(fig, 12, align=1)
        self.numbers = Letters(fig, 11, align=0)
        self.stage = Stage(fig)

    def draw(self, text, place, layer, head, whose):
        """PNG bytes of the picture for this sentence and gap."""
        self.hidden, tokens, place = hidden_sentence(text, place, self.vocabulary, self.context)
        self.place, self.chances = place, []
        if not self.hidden:
            self.write_sentence(["(type a sentence)"], torch.zeros(1), None)
            self.write_guesses([[]] * len(self.models))
            return self.frame()
        looks = looks_from(self.models[whose], tokens, place, layer, head)
        self.write_sentence(self.shown(tokens[0].tolist()), looks, place)
        self.chances = [probabilities_at(model, tokens, place) for model in self.models.values()]
        self.write_guesses([self.likeliest(chances) for chances in self.chances])
        return self.frame()

    def shown(self, tokens):
        """What stands in the boxes: a word that the models do not know as it was typed, and long words cut."""
        typed = ["", *self.hidden, ""]
        names = [typed[at] if token == UNK else self.vocabulary[token] for at, token in enumerate(tokens)]
        longest = LONGEST if len(names) <= 20 else SHORT
        return [name if len(name) <= longest else f"{name[:longest]}…" for name in names]

    def frame(self):
        bars = [bar for container in self.bars for bar in container]
        moving = [self.boxes, *bars, self.words.artist, self.names.artist, self.numbers.artist]
        return self.stage.frame(moving, scene=self.axes[0].get_xlim())

    def likeliest(self, chances):
        """The likeliest words with their probabilities: [(word, probability)], GUESSES of them."""
        values, tokens = chances.topk(min(GUESSES, len(self.vocabulary) - len(SPECIAL)))
        return [(self.vocabulary[token], value) for value, token in zip(values.tolist(), tokens.tolist(), strict=True)]

    def write_sentence(self, words, looks, place):
        """The words in lines, each in a box as dark as its look (T,), with a frame around the gap."""
        words = [drawable(word, self.fonts) for word in words]
        placed, corners, x, y = [], [], LEFT, TOP
        for word in words:
            width = self.words.scale / plots.SHARP * sum(letter(character, "normal")[1] for character in word)
            if x + width > RIGHT and x > LEFT:
                x, y = LEFT, y - ROW
            placed.append((word, (x, y)))
            corners.append([(x - 6, y - 14), (x + width + 6, y - 14), (x + width + 6, y + 14), (x - 6, y + 14)])
            x += width + GAP
        down = max(0, (y - TOP) + 3 * ROW) / 2  # there is room for four lines: fewer stand in the middle of it
        self.words.write([(word, plots.SHARP * np.subtract(place, (0, down))) for word, place in placed])
        self.boxes.set_verts(plots.SHARP * (np.array(corners) - (0, down)))
        shades = looks.sqrt().clamp(0, 1).numpy() * 0.75  # the root: small looks are to be seen, too
        self.boxes.set_facecolor([(0.0, 0.45, 0.7, shade) for shade in shades])
        self.boxes.set_linewidths([2.5 if number == place else 0 for number in range(len(words))])

    def write_guesses(self, guesses):
        """A bar, a word and a percentage for each guess of each model; all on one axis, which the longest bar fits."""
        longest = max((chance for rows in guesses for _, chance in rows), default=1.0)
        end = next(scale for scale in SCALES if longest <= scale)
        for ax in self.axes:
            ax.set_xlim(0, end)
            ax.set_xticks([0, end / 2, end], ["0", f"{50 * end:g}%", f"{100 * end:g}%"])
        names, numbers = [], []
        for ax, bars, rows in zip(self.axes, self.bars, guesses, strict=True):
            for row, bar in enumerate(bars):
                word, chance = rows[row] if row < len(rows) else ("", 0.0)
                bar.set_width(chance)
                x, y = ax.transData.transform((0, row))
                names.append((drawable(word, self.fonts), (x - 8 * plots.SHARP, y)))
                beside = ax.transData.transform((chance, row))[0] + 6 * plots.SHARP
                numbers.append((percent(chance) if word else "", (beside, y)))
        self.names.write(names)
        self.numbers.write(numbers)

    def write(self, **_):
        """Which word is hidden, and how likely each model finds it."""
        if not self.hidden:
            return line("Type a sentence of one word or more.")
        word = self.hidden[self.place - 1]
        if word not in self.vocabulary:
            return line(f"Hidden: “{word}”, a word that the models do not know, so they cannot guess it.")
        token = self.vocabulary.index(word)
        said = [
            f"{name}: {percent(chances[token].item())}, guess number {1 + int((chances > chances[token]).sum())}"
            for name, chances in zip(self.models, self.chances, strict=True)
        ]
        return line(f"Hidden: “{word}”. {'; '.join(said)}.")


def percent(chance):
    """A probability in per cent, with two digits that mean something."""
    return f"{chance:.0%}" if chance >= 0.0995 else f"{chance:.1%}"
