"""Explorers for the lesson on explainability: a digit to cover, LIME's samples, Shapley's orders, and shaded words."""

from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from bmcourse import plots
from bmcourse.explain.attention import encoder_attention
from bmcourse.explain.core import check_evaluating, mask_inputs, patches
from bmcourse.explain.faithfulness import top_overlap
from bmcourse.explain.integrated_gradients import integrated_gradients
from bmcourse.explain.lime import lime
from bmcourse.explain.occlusion import occlusion
from bmcourse.explain.saliency import gradient_times_input
from bmcourse.explain.shapley import kernel_shap, shapley_exact, shapley_sampling
from bmcourse.live.architectures import SIGNS, lay_out, on_page
from bmcourse.live.curve import GREY
from bmcourse.live.data import line, text_field
from bmcourse.live.explorer import WIDE, Stage, explore, number_slider
from bmcourse.live.heads import token_names
from bmcourse.live.letters import Letters, drawable, font_names
from bmcourse.live.transformer import percent
from bmcourse.live.view import scaled
from bmcourse.models.sentences import UNKNOWN, number_words, split_words

PALE = "#c4d8e6"

# ----------------------------------------------------------------------------------------------- digits in patches

SQUARES = patches(8, 8, 2)  # 4 × 4 patches of 2 × 2 pixels
TWELVE = 3 * (torch.arange(8) // 2)[:, None] + torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])  # 4 × 3: exact values are quick


def names_of(groups):
    """The patches' names, as those of a chess board's squares: letters for the columns, numbers for the rows."""
    columns = len(groups[0].unique())
    return [f"{'ABCD'[number % columns]}{number // columns + 1}" for number in range(groups.max() + 1)]


NAMES = names_of(SQUARES)


class Digits:
    """Images (N, 8, 8) with their labels, and a model that gives each class its probability."""

    def __init__(self, model, images, labels):
        check_evaluating(model)
        if images.ndim != 3 or images.shape[1:] != (8, 8) or len(images) == 0 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"The images are {tuple(images.shape)} and the labels {tuple(labels.shape)}; (N, 8, 8) and (N,) were "
                f"expected, such as images[:20] and labels[:20]."
            )
        self.images, self.labels = images, labels
        self.model = lambda x: model(x).softmax(dim=-1)

    def chooser(self):
        return widgets.IntSlider(0, min=0, max=len(self.images) - 1, description="image", **WIDE)

    def __getitem__(self, number):
        """One image as a batch (1, 8, 8), the model's probabilities for it (K,), and a line of words about them."""
        image = self.images[number : number + 1]
        with torch.no_grad():
            p = self.model(image)[0]
        return image, p, f"a {self.labels[number]}; the model says {p.argmax()}, {percent(p.max())}"


def lay_out_board(ax, title, groups, left):
    """Make the axes a square of 8 × 8 pixels with the names of its patches; returns where their centres are, (G, 2).

    The figure has 900 × 370 pixels.
    """
    lay_out(ax, title, 8, left, width=270)
    names, columns = names_of(groups), len(groups[0].unique())
    places = [[x.float().mean().item() for x in (groups == group).nonzero().T] for group in range(len(names))]
    ax.set_xticks([x for _, x in places[:columns]], [name[0] for name in names[:columns]], size=12)
    ax.set_yticks([y for y, _ in places[::columns]], [name[1] for name in names[::columns]], size=12)
    ax.tick_params(length=0)
    for cut, rule in ((groups[0].diff(), ax.axvline), (groups[:, 0].diff(), ax.axhline)):
        for place in cut.nonzero().flatten().tolist():
            rule(place + 0.5, color=GREY, lw=0.8)
    return ax.transData.transform([(x, y) for y, x in places])


class Board:
    """The scores of an image's patches as colours, and the image as dots."""

    def __init__(self, ax, title, groups, left):
        self.groups, self.centres = groups, lay_out_board(ax, title, groups, left)
        self.shades = ax.imshow(np.zeros((8, 8)), cmap=SIGNS, zorder=0)
        self.ink = ax.scatter(*np.indices((8, 8))[::-1], color="black", linewidth=0)
        self.moving = [self.shades, self.ink]

    def show(self, image, scores):
        """Take an image (8, 8), shown as larger and smaller dots, and the scores of its patches (G,)."""
        self.ink.set_sizes(100 * image.flatten().numpy())
        self.shades.set_data(scores[self.groups].numpy())
        limit = 1.5 * scores.abs().max().item() or 1.0  # black words can be read on the strongest colour
        self.shades.set_clim(-limit, limit)


def points(value):
    """A share in percentage points, with a true minus.

    >>> points(-0.126), points(-0.001)
    ('−13', '0')
    """
    return f"{round(100 * float(value)) + 0}".replace("-", "−")


# ------------------------------------------------------------------------------------------------------- the cover


def occlude(model, images, labels):
    """Cover patches of a digit by a click each, and see what the model says then; the cover's grey is a choice.

    `model` gives logits (N, K) for images (N, 8, 8). Raises ValueError for other shapes, and in training mode.
    """
    digits = Digits(model, images, labels)
    picture = CoverPicture(digits)
    worst = NAMES[picture.drops(0, cover=0.0).argmax()]
    explore(
        picture.draw,
        "A digit with one patch covered; the probability of each class before and after that, as bars; and a map of "
        "how much the answer's probability drops when each of the 16 patches is covered alone.",
        **{name: switch(name, name == worst) for name in NAMES},
        image=digits.chooser(),
        cover=widgets.FloatSlider(
            0.0, min=0, max=1, step=0.1, description="grey of the cover", layout={"width": "400px"}
        ),
    )


def switch(name, pressed):
    """A button that covers a patch; after the fourth in a row a new row begins, so they lie as the patches do."""
    margin = f"2px calc(100% - {scaled(262)}) 2px 2px" if name.startswith("D") else "2px"
    return widgets.ToggleButton(pressed, description=name, layout={"width": "60px", "margin": margin})


class CoverPicture:
    """A digit with covered patches, the probabilities before and after, and the drop for each patch alone."""

    def __init__(self, digits):
        self.digits = digits
        fig, (left, self.middle, right) = plots.figure(9, 3.7, columns=3)
        self.stage = Stage(fig)
        lay_out_board(left, "what the model sees", SQUARES, left=30)
        self.seen = left.imshow(np.zeros((8, 8)), cmap="gray_r", vmin=0, vmax=1, zorder=0)
        self.heat = Board(right, "drop when covered alone (points)", SQUARES, left=608)
        self.frames = [left.add_patch(frame(name)) for name in NAMES]
        classes = range(len(digits[0][1]))
        self.middle.set_position([365 / 900, 68 / 370, 190 / 900, 270 / 370])
        self.middle.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "50 %", "100 %"], yticks=classes)
        self.middle.set(ylim=(len(classes) - 0.5, -0.5))
        self.middle.set_title("probability", size=12)
        self.middle.grid(visible=False, axis="y")
        self.before = self.middle.barh(classes, 0, height=0.8, color=PALE)
        self.after = self.middle.barh(classes, 0, height=0.4, color=plots.BLUE)
        self.numbers, self.words = Letters(fig, 12), Letters(fig, 13, align=0)
        flat = [*self.frames, *self.before, *self.after, self.numbers.artist, self.words.artist]
        self.moving = [self.seen, *self.heat.moving, *flat]

    def drops(self, image, cover):
        """What each patch (16,), covered alone, takes from the probability of the model's answer."""
        return occlusion(self.digits.model, self.digits[image][0], baseline=cover, groups=SQUARES)[0]

    def draw(self, image, cover, **covered):
        """PNG bytes of this image with the patches covered whose names are True."""
        digit, before, words = self.digits[image]
        present = torch.tensor([not covered[name] for name in NAMES])
        seen = mask_inputs(digit, present[None, None], SQUARES, torch.tensor(cover))[:, 0]
        with torch.no_grad():
            after = self.digits.model(seen)[0]
        self.seen.set_data(seen[0].numpy())
        for patch, name in zip(self.frames, NAMES, strict=True):
            patch.set_visible(covered[name])
        for bars, values in ((self.before, before), (self.after, after)):
            for bar, value in zip(bars, values.tolist(), strict=True):
                bar.set_width(value)
        drops = self.drops(image, cover)
        self.heat.show(digit[0], drops)
        self.numbers.write(zip(map(points, drops), self.heat.centres, strict=True))
        then = f"; as it is covered now, {after.argmax()}, {percent(after.max())}" if any(covered.values()) else ""
        self.words.write([(f"{words}{then}", on_page(20, 12))])
        return self.stage.frame(self.moving)


def frame(name):
    """A frame round the patch of that name."""
    x, y = 2 * "ABCD".index(name[0]) - 0.5, 2 * int(name[1]) - 2.5
    return Rectangle((x, y), 2, 2, fill=False, edgecolor=plots.ORANGE, linewidth=3, clip_on=False)


# ---------------------------------------------------------------------------------------------------- LIME's samples

TOP, SEEDS = 5, 10
SAMPLES = (20, 50, 100, 200, 500, 1000, 2000)
ENDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)  # of the bars' axis: slopes far from the image are a hundred times smaller


def nearby(model, images, labels):
    """Choose how many samples LIME draws and what counts as near, and see whether ten seeds give one answer.

    `model` gives logits (N, K) for images (N, 8, 8). Raises ValueError for other shapes, and in training mode.
    """
    digits = Digits(model, images, labels)
    explore(
        NearbyPicture(digits).draw,
        "A digit with LIME's slope of each of its 16 patches in colours; the largest slopes as bars with those of ten "
        "seeds as ticks; and a table of the five patches that each of ten seeds puts first.",
        image=digits.chooser(),
        samples=number_slider("samples", SAMPLES, 50, **WIDE),
        width=number_slider("kernel width", (0.05, 0.1, 0.25, 0.5, 1), 0.25, **WIDE),
        seed=widgets.IntSlider(0, min=0, max=SEEDS - 1, description="seed", **WIDE),
    )


class NearbyPicture:
    """LIME's slopes as a map, the largest as bars, and the first patches of each seed as a table."""

    def __init__(self, digits):
        self.digits, self.key = digits, None
        fig, (left, self.middle, self.right) = plots.figure(9, 3.7, columns=3)
        self.stage = Stage(fig)
        self.heat = Board(left, "LIME's slope of each patch", SQUARES, left=30)
        self.middle.set_position([350 / 900, 68 / 370, 190 / 900, 270 / 370])
        self.middle.set(ylim=(TOP - 0.5, -0.5), yticks=[])
        self.middle.set_title(f"the {TOP} largest", size=12)
        self.middle.axvline(0, color=GREY, lw=1)
        self.bars = self.middle.barh(range(TOP), 0, height=0.6)
        (self.ticks,) = self.middle.plot([], [], "|", color="black", ms=12, mew=1.2)
        lay_out(self.right, f"the {TOP} largest for ten seeds", SEEDS, left=570, width=315)
        self.right.set_position([570 / 900, 68 / 370, 315 / 900, 270 / 370])
        self.right.set(ylim=(TOP - 0.5, -0.5), xticks=range(SEEDS), xlabel="seed")
        self.cells = self.right.imshow(np.zeros((TOP, SEEDS)), cmap="Blues", vmin=0, vmax=2 * SEEDS, aspect="auto")
        look = {"fill": False, "edgecolor": plots.ORANGE, "linewidth": 3, "clip_on": False}
        self.column = self.right.add_patch(Rectangle((0, -0.5), 1, TOP, **look))
        self.names, self.words = Letters(fig, 12), Letters(fig, 13, align=0)
        flat = [self.ticks, self.cells, self.column, self.names.artist, self.words.artist]
        self.moving = [*self.heat.moving, *self.bars, *flat]

    def slopes(self, image, samples, width):
        """LIME's slopes (SEEDS, 16) for the probability of the model's answer; kept until something changes."""
        if self.key != (image, samples, width):
            options = {"groups": SQUARES, "samples": samples, "kernel_width": width}
            digit = self.digits[image][0]
            self.kept = torch.cat([lime(self.digits.model, digit, seed=seed, **options) for seed in range(SEEDS)])
            self.key = image, samples, width
        return self.kept

    def draw(self, image, samples, width, seed):
        """PNG bytes of LIME with so many samples, and what other seeds say."""
        digit, _, words = self.digits[image]
        slopes = self.slopes(image, samples, width)
        first = slopes.abs().topk(TOP).indices  # (SEEDS, TOP)
        self.heat.show(digit[0], slopes[seed])
        end = self._show_bars(slopes[:, first[seed]].T, seed)
        self.cells.set_data(first.flatten().bincount(minlength=16)[first].T.numpy())
        self.column.set_x(seed - 0.5)
        self.names.write([*self._names(first), *self._labels(first[seed])])
        one, other = slopes.abs()[torch.combinations(torch.arange(SEEDS))].unbind(dim=1)
        shared = TOP * top_overlap(one, other, TOP).mean()
        sharing = f"Two seeds share {shared:.1f} of their {TOP}; dark: most seeds have it."
        self.words.write([(f"{words}. {sharing}", on_page(20, 12))])
        return self.stage.frame(self.moving, end)

    def _show_bars(self, values, seed):
        """Set the bars to one seed's values of (TOP, SEEDS), and the ticks to all; returns where the axis ends."""
        end = next((end for end in ENDS if end > values.abs().max()), values.abs().max().item())
        self.middle.set(xlim=(-end, end), xticks=[-end, 0, end], xticklabels=[f"−{end:.2g}", "0", f"{end:.2g}"])
        for bar, value in zip(self.bars, values[:, seed].tolist(), strict=True):
            bar.set_width(value)
            bar.set_facecolor(plots.RED if value < 0 else plots.BLUE)
        self.ticks.set_data(values.flatten(), torch.arange(TOP).repeat_interleave(SEEDS))
        return end

    def _names(self, first):
        """The names in the table, with their places."""
        for (seed, rank), patch in np.ndenumerate(first.numpy()):
            yield NAMES[patch], self.right.transData.transform((seed, rank))

    def _labels(self, patches):
        """The names beside the bars, with their places."""
        for rank, patch in enumerate(patches.tolist()):
            yield NAMES[patch], (plots.SHARP * 332, self.middle.transData.transform((0, rank))[1])


# -------------------------------------------------------------------------------------------------- Shapley's orders

PERMUTATIONS = tuple(2**power for power in range(2, 10))


def convergence(model, images, labels):
    """Choose from how many orders Shapley values are estimated, and see them, with error bars, beside the exact ones.

    `model` gives logits (N, K) for images (N, 8, 8). Raises ValueError for other shapes, and in training mode.
    """
    digits = Digits(model, images, labels)
    explore(
        ConvergencePicture(digits).draw,
        "A digit with the estimated Shapley value of each of 12 patches in colours; these values as dots with error "
        "bars on the exact values as bars; and the error, which falls with the number of orders.",
        image=digits.chooser(),
        permutations=number_slider("permutations", PERMUTATIONS, 16, **WIDE),
        seed=widgets.IntSlider(0, min=0, max=9, description="seed", **WIDE),
    )


class ConvergencePicture:
    """Estimated Shapley values as a map, as dots on the exact ones, and their errors at every number of orders."""

    def __init__(self, digits):
        self.digits, self.key = digits, None
        fig, (left, self.middle, right) = plots.figure(9, 3.7, columns=3)
        self.stage = Stage(fig)
        self.heat = Board(left, "estimated Shapley values", TWELVE, left=30)
        self.middle.set_position([350 / 900, 68 / 370, 250 / 900, 270 / 370])
        self.middle.set(ylim=(11.5, -0.5), yticks=range(12), yticklabels=names_of(TWELVE), xlim=(-0.8, 1))
        self.middle.set_title("bars: exact; dots: ± 2 standard errors", size=12)
        self.middle.axvline(0, color=GREY, lw=1)
        self.bars = self.middle.barh(range(12), 0, height=0.8, color=PALE)
        (self.dots,) = self.middle.plot([], [], "o", color=plots.ORANGE, mec="black", ms=7)
        self.errors = self.middle.hlines([0] * 12, 0, 0, color="black", lw=1.5)
        right.set_position([672 / 900, 84 / 370, 215 / 900, 254 / 370])
        right.set(xscale="log", yscale="log", xlim=(3, 700), ylim=(5e-4, 0.3), xlabel="permutations")
        right.set_title("mean over the patches", size=12)
        (self.expected,) = right.plot([], [], color=plots.BLUE, lw=2, label="standard error")
        (self.actual,) = right.plot([], [], "s--", color=plots.RED, ms=5, label="|estimate − exact|")
        (self.here,) = right.plot([], [], "o", mfc="none", mec=plots.ORANGE, mew=3, ms=15)
        right.legend(frameon=False, loc="lower left")
        self.words = Letters(fig, 13, align=0)
        lines = [self.errors, self.dots, self.expected, self.actual, self.here]
        self.moving = [*self.heat.moving, *self.bars, *lines, self.words.artist]

    def values(self, image, seed):
        """The exact values (12,), and estimates and standard errors, (P, 12) each; kept until something changes."""
        if self.key != (image, seed):
            digit, model = self.digits[image][0], self.digits.model
            runs = [
                shapley_sampling(model, digit, groups=TWELVE, permutations=count, seed=seed) for count in PERMUTATIONS
            ]
            self.kept = shapley_exact(model, digit, groups=TWELVE)[0], *map(torch.cat, zip(*runs, strict=True))
            self.key = image, seed
        return self.kept

    def draw(self, image, permutations, seed):
        """PNG bytes of the values from so many orders."""
        digit, _, words = self.digits[image]
        exact, estimates, errors = self.values(image, seed)
        row = PERMUTATIONS.index(permutations)
        self.heat.show(digit[0], estimates[row])
        for bar, value in zip(self.bars, exact.tolist(), strict=True):
            bar.set_width(value)
        middle, half = estimates[row], 2 * errors[row]
        self.dots.set_data(middle, range(12))
        ends = zip((middle - half).tolist(), (middle + half).tolist(), strict=True)
        self.errors.set_segments([[(low, y), (high, y)] for y, (low, high) in enumerate(ends)])
        wrong = (estimates - exact).abs().mean(dim=1)
        self.expected.set_data(PERMUTATIONS, errors.mean(dim=1))
        self.actual.set_data(PERMUTATIONS, wrong)
        self.here.set_data([permutations], [wrong[row]])
        cost = f"{permutations} orders: at most {11 * permutations + 2:,} model evaluations; exact: {2**12:,}"
        self.words.write([(f"{words}. {cost}.", on_page(20, 12))])
        return self.stage.frame(self.moving)


# ------------------------------------------------------------------------------------------------------ shaded words

SENTENCE = "Read the lines of a file from a socket, and close it after the timeout."
LEFT, RIGHT, TOP_ROW, ROW = 200, 890, 374, 60  # pixels: where words may be, the first method's line, from row to row
LETTERS = (18, 16, 14)  # pixels: the largest in which the text has room


def shades(model, words, kinds, text=SENTENCE, split=split_words):
    """Type a text, and see it once for each method, its words shaded by what they do for the model's answer.

    `model` is a SentenceClassifier, `words` the list that number_words was given for it, `kinds` its classes' names;
    `split` cuts a text into words: `list`, into single characters, is for Chinese.
    Raises ValueError when these do not belong together, in training mode, and for a first text without words.
    """
    check_sentences(model, words, kinds)
    picture = ShadesPicture(model, words, kinds, split)
    explore(
        picture.draw,
        "One sentence six times, once for each method of explanation: words that speak for the explained answer have a "
        "blue shade, words that speak against it an orange one, so that the methods can be compared.",
        write=picture.write,
        text=text_field(text),
        kind=widgets.Dropdown(
            options=[("the model's answer", -1), *((kind, number) for number, kind in enumerate(kinds))],
            description="explain",
        ),
    )


def check_sentences(model, words, kinds):
    check_evaluating(model)
    known, classes = model.embedding.num_embeddings, model.head.out_features
    if (len(words) + 2, len(kinds)) != (known, classes):
        raise ValueError(
            f"The model knows {known - 2} words and {classes} kinds; {len(words)} words and {len(kinds)} kinds came. "
            f"Pass the lists that it was trained with."
        )


def scores_by_method(model, tokens, target):
    """What each word of one text, tokens (1, T), does for the probability of the class `target`: {method: (T,)}.

    An absent word is one that the model does not know. Attention asks for no class: it is what the question takes.
    """

    def answer(tokens):
        return model(tokens).softmax(dim=-1)

    def read(vectors):
        return model.read(vectors).softmax(dim=-1)

    vectors, nothing = model.embedding(tokens).detach(), model.embedding.weight[UNKNOWN].detach()
    samples = max(300, 4 * tokens.shape[1])
    looks = encoder_attention(model.encoder, model.ask(vectors))[0, 0]  # (H, 1 + T, 1 + T)
    return {
        "occlusion": occlusion(answer, tokens, target, baseline=UNKNOWN)[0],
        "LIME": lime(answer, tokens, target, baseline=UNKNOWN, samples=samples)[0],
        "Shapley": kernel_shap(answer, tokens, target, baseline=UNKNOWN, samples=samples)[0],
        "gradient × input": gradient_times_input(read, vectors, target)[0].sum(dim=-1),
        "integrated gradients": integrated_gradients(read, vectors, target, nothing, steps=16)[0][0].sum(dim=-1),
        "attention": looks[:, 0, 1:].mean(dim=0).detach(),
    }


class ShadesPicture:
    """A text once for each method, with a box in the colour of its score behind each word."""

    def __init__(self, model, words, kinds, split):
        self.model, self.words, self.kinds, self.split = model, words, kinds, split
        self.fonts, self.png, self.problem = font_names(), None, ""
        fig, ax = plots.figure(9, 4.4)
        ax.remove()
        sharp = Affine2D().scale(plots.SHARP)  # all places are in pixels of the page
        self.stage, look = Stage(fig), {"transform": sharp, "linewidth": 0}
        self.boxes = fig.add_artist(PolyCollection([], **look))
        self.letters = fig.add_artist(PathCollection([], offset_transform=sharp, **look))
        places = Affine2D().translate(12, 410) + sharp, Affine2D().translate(12, 8) + sharp
        self.title, self.legend = (
            fig.add_artist(PathPatch(Path([(0, 0)]), color="black", linewidth=0, transform=place)) for place in places
        )
        self.methods = Letters(fig, 12, align=0)
        self.moving = [self.boxes, self.letters, self.title, self.legend, self.methods.artist]

    def draw(self, text, kind):
        """PNG bytes of the text; of one that cannot be explained, the picture from before, and `write` says why."""
        try:
            self.png, self.problem = self.shaded(text, kind), ""
        except ValueError as error:
            if self.png is None:
                raise
            self.problem = str(error)
        return self.png

    def write(self, text, kind):
        return line(self.problem)

    def shaded(self, text, kind):
        tokens = number_words([text], self.words, self.split)
        outlines, boxes, places = arranged(token_names(self.split(text), tokens.shape[1]), self.fonts)
        with torch.no_grad():
            p = self.model(tokens).softmax(dim=-1)[0]
        target = p.argmax().item() if kind < 0 else kind
        scores = scores_by_method(self.model, tokens, target)
        starts = TOP_ROW - ROW * np.arange(len(scores))
        self.methods.write([(name, on_page(12, y + 6)) for name, y in zip(scores, starts, strict=True)])
        offsets = (places + np.stack([np.zeros_like(starts), starts], 1)[:, None]).reshape(-1, 2)
        self.letters.set_paths(outlines)
        self.letters.set_offsets(offsets)
        self.letters.set_facecolor([GREY if token == UNKNOWN else "black" for token in tokens[0]])
        self.boxes.set_verts(offsets[:, None] + np.tile(boxes, (len(scores), 1, 1)))
        self.boxes.set_facecolor(np.concatenate([shades_of(values) for values in scores.values()]))
        self._describe(p, target, kind)
        return self.stage.frame(self.moving)

    def _describe(self, p, target, kind):
        """Write what the model says, likeliest first, and what the colours mean."""
        shares = ", ".join(f"{self.kinds[k]} {percent(p[k])}" for k in p.argsort(descending=True))
        explained = f"{self.kinds[target]}, the model's answer" if kind < 0 else self.kinds[target]
        legend = f"Explained: {explained}. Blue: for it, orange: against, each row by its own largest. Grey: not known."
        self.title.set_path(outline(f"The model says: {shares}", 18, self.fonts)[0])
        self.legend.set_path(outline(legend, 15, self.fonts)[0])


def shades_of(values):
    """A colour for each word's score (T,): white is 0, and the largest is pale enough for black letters."""
    largest = values.abs().max().item() or 1.0
    return SIGNS(0.5 + values.numpy() / largest / 3)


def arranged(words, fonts):
    """The words in lines, in the largest of LETTERS in which they have room: outlines, boxes, and places (T, 2).

    Raises ValueError where there is no room.
    """
    for size in LETTERS:
        outlines, widths = zip(*(outline(word, size, fonts) for word in words), strict=True)
        places, x, y = [], LEFT, 0
        for width in widths:
            if x + width > RIGHT:
                x, y = LEFT, y - 1.5 * size
            places.append((x, y))
            x += width + 0.7 * size
        if max(widths) <= RIGHT - LEFT and ROW + y > size:
            pad, low, high = 0.25 * size, -0.35 * size, 1.05 * size
            boxes = [[(-pad, low), (w + pad, low), (w + pad, high), (-pad, high)] for w in widths]
            return outlines, boxes, np.array(places)
    raise ValueError(f"The text has {len(words)} words, more than the picture has room for. Type a shorter one.")


@lru_cache(maxsize=1000)
def outline(word, size, fonts):
    """The outline of a word in letters of so many pixels, and its width."""
    path = TextPath((0, 0), drawable(word, fonts), size=size, prop=FontProperties(family=list(fonts)))
    return path, path.vertices[:, 0].max()  # of its control points: the curves' own extents take ten times as long
