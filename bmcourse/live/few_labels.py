"""Explorers for the lesson on few labels: a sentence augmented as you type, and the threshold of pseudo-labels."""

import difflib
import html
from functools import partial

import ipywidgets as widgets
import numpy as np

from bmcourse import plots
from bmcourse.augment import METHODS, augment_data, split_pieces
from bmcourse.few_labels import answers_of
from bmcourse.live.architectures import on_page
from bmcourse.live.curve import GREY
from bmcourse.live.data import show, text_field
from bmcourse.live.explorer import WIDE, Stage, explore
from bmcourse.live.letters import Letters
from bmcourse.live.view import scaled

# ------------------------------------------------------------------------------------------------- a sentence, changed

SENTENCE = "The film is not easy to find, but it is very good."
NARROW = "\u2005"  # space: a quarter of a letter
VARIANTS = 4  # sentences shown at a time, with as many seeds in a row
LOOKS = {  # how a piece is told apart: the element says it too, where a page takes the colours away
    "same": ("span", ""),
    "gone": ("del", f"background: {plots.RED}33; text-decoration-color: {plots.RED}"),
    "new": ("ins", f"background: {plots.BLUE}33; text-decoration: none; border-bottom: 3px solid {plots.BLUE}"),
    "moved": ("em", f"background: {plots.ORANGE}44; border-bottom: 3px dotted {plots.ORANGE}"),
}


def augment(text=SENTENCE, synonyms=None, split=None):
    """Type a sentence, choose a method, a rate and a seed, and see what changed: what went, what is new, what moved.

    `synonyms` and `split` are augment_data's.
    """
    field = text_field(text)
    look = WIDE | {"style": {"description_width": "initial"}}
    protected = widgets.Text("", description="protected", placeholder="words, with commas", **look)
    method = widgets.Dropdown(options=["eda", *METHODS, "back_translation"], description="method", **look)
    rate = widgets.FloatSlider(0.3, min=0, max=1, step=0.1, description="rate", readout_format=".1f", **look)
    seed = widgets.IntSlider(0, min=0, max=50, description="seed", **look)
    method.observe(lambda change: hide(rate, change.new == "back_translation"), names="value")  # it asks for no rate
    draw = partial(draw_variants, synonyms, split)
    controls = field, method, rate, seed, protected
    row = widgets.HBox([method, rate, seed, protected], layout={"flex_flow": "row wrap"})
    show(draw, lambda: draw(*[control.value for control in controls]), [field, row], *controls)


def hide(control, hidden):
    control.layout.visibility = "hidden" if hidden else "visible"


def draw_variants(synonyms, split, text, method, rate, seed, protected):
    """The sentence and what augment_data makes of it with each of some seeds, as (plain text, HTML)."""
    settings = {
        "rate": rate,
        "protected": [word.strip() for word in protected.split(",") if word.strip()],
        "synonyms": synonyms,
        "split": split,
    }
    seeds = range(seed, seed + VARIANTS)
    variants = [augment_data(text, method, seed=number, **settings) for number in seeds]
    cut = split or split_pieces
    rows = "".join(
        f'<li value="{number}">{marked(changes(list(cut(text)), list(cut(variant))))}</li>'
        for number, variant in zip(seeds, variants, strict=True)
    )
    legend = marked([("gone", "gone"), ("same", " · "), ("new", "new"), ("same", " · "), ("moved", "moved")])
    page = f"<ol>{rows}</ol>{legend}; the numbers are the seeds"
    page = f'<div style="font-size: {scaled(16)}; line-height: 1.9">{page}</div>'
    return "\n".join([text, *(f"{number}: {variant}" for number, variant in zip(seeds, variants, strict=True))]), page


def changes(before, after):
    """What became of the pieces `before` on the way to those `after`: [(what, piece)], in reading order.

    >>> changes(["a", "b", "c"], ["a", "c", "d"])
    [('same', 'a'), ('gone', 'b'), ('same', 'c'), ('new', 'd')]
    """
    found = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            found += [("same", piece) for piece in before[i:j]]
        else:
            found += [("gone", piece) for piece in before[i:j]] + [("new", piece) for piece in after[k:m]]
    moved = {p for w, p in found if w == "gone"} & {p for w, p in found if w == "new" and not p.isspace()}
    return [("moved" if what == "new" and piece in moved else what, piece) for what, piece in found]


def marked(pieces):
    """Pieces as HTML, each in the look of what became of it; an old word and its new one stand a little apart."""
    page, before = "", "same"
    for what, piece in pieces:
        element, style = LOOKS[what]
        page += NARROW if before == "gone" and what in ("new", "moved") else ""
        page += f'<{element} style="{style}">{html.escape(piece)}</{element}>'
        before = what
    return page


# --------------------------------------------------------------------------------------------------- the threshold

COLUMNS, ROWS = 5, 3  # of the wrong ones that are shown
CELL = 12  # pixels of a digit and the space around it
GRID = np.linspace(0, 1, 101)


def threshold(models, images, labels):
    """Move the threshold of pseudo-labels: how many digits get one, how many of these are wrong, and which.

    `models` are {how many labels a model has seen: the model}. None has seen the `images` (N, 8, 8); their true
    `labels` (N,) only an experiment knows. Raises ValueError for no model and for other shapes.
    """
    check_models(models, images, labels)
    explore(
        ThresholdPicture(models, images, labels).draw,
        "Left, the share of digits that get a pseudo-label, and of these the share that is right, at each threshold; "
        "in the middle, how many of each digit get one; right, wrong ones, the surest first.",
        threshold=widgets.FloatSlider(
            0.9, min=0, max=1, step=0.01, description="threshold", readout_format=".2f", layout={"width": "420px"}
        ),
        count=widgets.ToggleButtons(
            options=list(models),
            description="labels",
            layout={"display": "flex", "width": "max-content"},
            style={"button_width": "70px", "description_width": "52px"},
        ),
    )


def check_models(models, images, labels):
    if not models:
        raise ValueError("There is no model. Pass {10: a model trained on 10 labels, 50: one trained on 50}.")
    if images.ndim != 3 or images.shape[1:] != (8, 8) or len(images) == 0 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"The images are {tuple(images.shape)} and the labels {tuple(labels.shape)}; (N, 8, 8) and (N,) were "
            f"expected: the digits that no model has seen, and what they are."
        )


class Guesses:
    """What one model says of all images: its guesses, how sure it is of each, and which are right."""

    def __init__(self, model, images, labels):
        sure, self.guess = answers_of(model, images).softmax(dim=-1).max(dim=-1)
        self.sure, self.right = sure.numpy(), (self.guess == labels).numpy()
        labelled = np.array([(self.sure >= limit).sum() for limit in GRID])
        rights = np.array([(self.right & (self.sure >= limit)).sum() for limit in GRID])
        self.share = 100 * labelled / len(images)
        self.accuracy = np.where(labelled > 0, 100 * rights / np.maximum(labelled, 1), np.nan)

    def wrong(self, limit):
        """The places of the wrong guesses that pass the threshold, the surest first."""
        return [i for i in np.argsort(-self.sure, kind="stable") if self.sure[i] >= limit and not self.right[i]]


class ThresholdPicture:
    """Shares at every threshold, labels by digit, and the wrong ones as images."""

    def __init__(self, models, images, labels):
        self.images, self.labels = images.numpy(), labels.numpy()
        self.guesses = {count: Guesses(model, images, labels) for count, model in models.items()}
        fig, (self.left, self.middle, self.right) = plots.figure(9.4, 3.7, columns=3)
        self.stage = Stage(fig)
        self.prepare_shares(self.left)
        self.prepare_bars(self.middle)
        self.right.set_position([0.665, 0.13, 0.325, 0.75])
        self.right.set(xlim=(0, COLUMNS * CELL), ylim=(ROWS * (CELL + 3), 0), xticks=[], yticks=[])
        self.right.set_title("wrong ones, the surest first: said / is", size=12)
        self.right.grid(visible=False)
        self.right.spines[:].set(visible=False)
        extent = (0, COLUMNS * CELL, ROWS * (CELL + 3), 0)
        self.sheet = self.right.imshow(empty_sheet(), cmap="gray_r", vmin=0, vmax=1, extent=extent, aspect="auto")
        self.signs, self.words = Letters(fig, 11), Letters(fig, 13, align=0)
        lines = [self.coverage, self.accuracy, self.mark]
        self.moving = [*lines, *self.good, *self.bad, self.sheet, self.signs.artist, self.words.artist]

    def prepare_shares(self, ax):
        ax.set_position([0.06, 0.24, 0.26, 0.64])
        ax.set(xlim=(0, 1), ylim=(0, 104), xlabel="threshold")
        ax.set_title("percent", size=12)
        (self.coverage,) = ax.plot([], [], color=plots.BLUE, lw=2, label="get a label")
        (self.accuracy,) = ax.plot([], [], color=plots.GREEN, lw=2, ls="--", label="of these, right")
        (self.mark,) = ax.plot([], [], color=plots.ORANGE, lw=2)
        ax.legend(frameon=False, loc="lower left")

    def prepare_bars(self, ax):
        kinds = range(10)
        ax.set_position([0.375, 0.24, 0.26, 0.64])
        ax.set(xticks=kinds, xlabel="what the model says", xlim=(-0.6, 9.6))
        ax.set_title("pseudo-labels of each digit", size=12)
        counts = np.bincount(self.labels, minlength=10)
        ax.bar(kinds, counts, fill=False, edgecolor=GREY, lw=1, width=0.8, label="there are")
        self.good = ax.bar(kinds, 0, color=plots.BLUE, width=0.8, label="right")
        self.bad = ax.bar(kinds, 0, color=plots.RED, width=0.8, label="wrong")
        most = max(np.bincount(each.guess, minlength=10).max() for each in self.guesses.values())
        ax.set_ylim(0, 1.25 * max(most, counts.max()))
        ax.legend(frameon=False, loc="upper center", ncols=3, handlelength=1, columnspacing=0.8, handletextpad=0.4)
        ax.grid(visible=False, axis="x")

    def draw(self, threshold, count):
        """PNG bytes for one threshold and the model that has seen so many labels."""
        model, limit = self.guesses[count], threshold - 1e-9  # the slider's steps are no exact numbers
        self.coverage.set_data(GRID, model.share)
        self.accuracy.set_data(GRID, model.accuracy)
        self.mark.set_data([threshold, threshold], [0, 104])
        taken = model.sure >= limit
        good = np.bincount(model.guess[taken & model.right], minlength=10)
        bad = np.bincount(model.guess[taken & ~model.right], minlength=10)
        for low, high, one, other in zip(self.good, self.bad, good.tolist(), bad.tolist(), strict=True):
            low.set_height(one)
            high.set(y=one, height=other)
        self._show_wrong(model, model.wrong(limit)[: COLUMNS * ROWS])
        self.words.write([(verdict(len(taken), taken.sum(), bad.sum()), on_page(20, 16))])
        return self.stage.frame(self.moving)

    def _show_wrong(self, model, places):
        sheet, signs = empty_sheet(), []
        for number, i in enumerate(places):
            row, column = divmod(number, COLUMNS)
            top, left = row * (CELL + 3) + 2, column * CELL + 2
            sheet[top : top + 8, left : left + 8] = self.images[i]
            x, y = self.right.transData.transform((left + 4, top + 10.5))
            signs.append((f"{model.guess[i]} / {self.labels[i]}", (x, y)))
        self.sheet.set_data(sheet)
        self.signs.write(signs)


def empty_sheet():
    return np.zeros((ROWS * (CELL + 3), COLUMNS * CELL))


def verdict(total, labelled, wrong):
    """What the threshold comes to, in a sentence.

    >>> verdict(1000, 200, 5)
    '200 of 1,000 digits get a label; 5 of these are wrong, 2.5 %.'
    """
    share = f", {100 * wrong / labelled:.2g} %" if labelled else ""
    return f"{labelled:,} of {total:,} digits get a label; {wrong} of these are wrong{share}."
