"""An explorer for the lesson on pruning: how many weights can go, what is left of them, and what it saves."""

import contextlib
import copy
import io
import math
import time
import zlib

import ipywidgets as widgets
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import LinearSegmentedColormap

from bmcourse import plots
from bmcourse.inference import evaluating
from bmcourse.live.curve import GREY
from bmcourse.live.explorer import Stage, explore
from bmcourse.live.losses import enlarge
from bmcourse.live.run import Run
from bmcourse.live.view import LETTERS
from bmcourse.pruning import check_model, choose_masks, prunable_weights, prune_model
from bmcourse.quantization import file_bytes, model_bytes

LOOKS = {"global": (plots.BLUE, "-", "o"), "layer": (plots.GREEN, "--", "^"), "random": (plots.RED, "-.", "s")}
RATES = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
SHADES = [(0, plots.RED), (0.5, "#f6d4bf"), (0.5, "#bfdbec"), (1, plots.BLUE)]  # the smallest is pale, never white
WEIGHTS = LinearSegmentedColormap.from_list("", SHADES)
BESIDE = {
    "layout": {"display": "flex", "width": "max-content"},
    "style": {"button_width": "80px", "description_width": "60px"},
}
SIDE = 64  # rows and columns of the first layer that are shown
SHOWN = 60_000  # weights in the histogram: of a large model every so many
SECONDS = 8.0  # that a fine-tuning takes at least when it is watched: time to move the learning rate
ZIPPED = 60_000  # bytes of a large model that are zipped, to estimate the rest


def sparsity(model, train, validation, steps=200, lr=1e-3, batch_size=32):
    """Set more and more of a model's weights to zero, see what it costs and what it saves, and fine-tune what is left.

    `train` and `validation` are pairs (inputs, targets): labels (N,) for a model that classifies, tokens (N, T) for a
    language model. Every move of the slider asks the model all of `validation`; "fine-tune" trains a pruned copy on
    `train`. The model itself stays as it is.

    Raises ValueError for a model with nothing to prune, and for data that do not belong together.
    """
    check_model(model)
    for name, pair in {"train": train, "validation": validation}.items():
        check_pair(name, pair)
    place = widgets.VBox()
    desk = Desk(model, train, validation, steps, lr, batch_size, place)
    explore(
        desk.draw,
        "Left, what three ways of pruning leave of a model's quality at more and more zeros; in the middle, how large "
        "the weights are, those that are removed in grey; right, a part of the first layer, with its zeros in white.",
        write=desk.write,
        acts={"fine-tune": desk.fine_tune},
        below=place,
        sparsity=widgets.FloatSlider(
            0.5, min=0, max=0.98, step=0.02, description="sparsity", readout_format=".2f", layout={"width": "420px"}
        ),
        method=widgets.ToggleButtons(options=list(LOOKS), description="method", **BESIDE),
    )


# ---------------------------------------------------------------------------------------------------- what is measured


@torch.no_grad()
def quality(model, inputs, targets):
    """The accuracy in percent for labels (N,), the loss in nats a token for tokens (N, T)."""
    with evaluating(model):
        logits = model(inputs)
    if targets.ndim == 1:
        return 100 * (logits.argmax(-1) == targets).float().mean().item()
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten()).item()


@torch.no_grad()
def answer_times(model, other, inputs, seconds=0.05):
    """The seconds that the one and the other model take for one input when nothing disturbs them; they take turns.

    Each answers three times at least, and on for `seconds`.
    """
    fastest, end, turns = [math.inf, math.inf], time.perf_counter() + seconds, 0
    with evaluating(model), evaluating(other):
        while turns < 3 or time.perf_counter() < end:
            for number, one in enumerate((model, other)):
                start = time.perf_counter()
                one(inputs[:1])
                fastest[number] = min(fastest[number], time.perf_counter() - start)
            turns += 1
    return fastest


def zipped_bytes(model):
    """The bytes of the model's file when zipped; for a large model an estimate, by some rows of each of its tensors."""
    size = model_bytes(model)
    if size < 4 * ZIPPED:
        return file_bytes(model, compressed=True)
    rows = b"".join(t.detach()[:: size // ZIPPED].cpu().numpy().tobytes() for t in model.parameters())
    return float(f"{size * len(zlib.compress(rows)) / len(rows):.2g}")


# --------------------------------------------------------------------------------------------------------- the explorer


class Desk:
    """A model, copies of it that are pruned or fine-tuned, and the picture of the one that is chosen."""

    def __init__(self, model, train, validation, steps, lr, batch_size, place):
        self.model, self.train, self.validation, self.place = model, train, validation, place
        self.steps, self.lr, self.batch_size = steps, lr, batch_size
        self.weights = [weight.detach() for weight in prunable_weights(model).values()]
        self.copy = copy.deepcopy(model)
        self.tuned, self.notes = {}, {}  # {(sparsity, method): a fine-tuned model, or how its last run ended}
        self.dense = quality(model, *validation)
        self.curves = {method: [self.measured(rate, method) for rate in RATES] for method in LOOKS}
        self.picture = Picture(self)

    def measured(self, sparsity, method):
        """The quality of the model that is pruned so, and not fine-tuned."""
        return quality(self.pruned(sparsity, method), *self.validation)

    @torch.no_grad()
    def pruned(self, sparsity, method):
        """The model with so many zeros: one copy, overwritten at each move, because copies take time."""
        masks = choose_masks(self.weights, sparsity, method, torch.Generator().manual_seed(0))
        for place, weight, mask in zip(prunable_weights(self.copy).values(), self.weights, masks, strict=True):
            torch.mul(weight, mask, out=place)
        return self.copy

    def chosen(self, sparsity, method):
        """The model of this choice, fine-tuned if it has been."""
        return self.tuned.get((sparsity, method)) or self.pruned(sparsity, method)

    def draw(self, sparsity, method):
        """PNG bytes of the picture, and what `write` needs."""
        self.shown = self.chosen(sparsity, method)
        self.now = quality(self.shown, *self.validation)
        return self.picture.draw(self.shown, self.now, sparsity, method)

    def write(self, sparsity, method):
        """What is left, and what it saves: measured now, on this machine."""
        weights = list(prunable_weights(self.shown).values())
        left, count = sum(weight.count_nonzero().item() for weight in weights), sum(w.numel() for w in weights)
        seconds, dense_seconds = answer_times(self.shown, self.model, self.validation[0])
        tuned = "fine-tuned" if (sparsity, method) in self.tuned else "not fine-tuned"
        lines = [
            f"<b>{self.named(self.now)}</b>, {tuned}; with all weights {self.named(self.dense)}. "
            f"<b>{left:,}</b> of {count:,} weights are left.",
            f"File on disk: {model_bytes(self.shown) / 1000:,.0f} kB, zipped about "
            f"<b>{zipped_bytes(self.shown) / 1000:,.0f} kB</b>. "
            f"One answer takes <b>{milliseconds(seconds)}</b>, with all weights {milliseconds(dense_seconds)}.",
            self.notes.get((sparsity, method)),
        ]
        words = "<br>".join(line for line in lines if line)
        return f'<div style="font-size: {LETTERS}; line-height: 1.4">{words}</div>'

    def named(self, value):
        return f"accuracy {value:.1f} %" if self.is_classifier() else f"loss {value:.2f} nats a token"

    def is_classifier(self):
        return self.validation[1].ndim == 1

    # ---- fine-tuning

    def fine_tune(self, sparsity, method):
        """Train a copy of the chosen model, its zeros kept, as a live run; a run that diverges is thrown away."""
        model = copy.deepcopy(self.tuned.get((sparsity, method))) or prune_model(
            self.model, sparsity, method, generator=torch.Generator().manual_seed(0)
        )
        run = Run(self.steps, self.lr, place=self.place, seconds=SECONDS)
        with contextlib.redirect_stdout(io.StringIO()) as said, torch.random.fork_rng():  # dropout draws numbers
            self.follow(run, model)
        if run.ended == "diverged":
            self.notes[sparsity, method] = said.getvalue()
        else:
            self.tuned[sparsity, method] = model
            self.notes[sparsity, method] = f"Fine-tuned for {run.step} of {self.steps} steps. Press again to go on."
            self.picture.add_star(sparsity, quality(model, *self.validation), method)

    def follow(self, run, model):
        """The loop of the run."""
        inputs, targets = self.train
        generator = torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(model.parameters(), lr=self.lr)
        was_training = model.training
        model.train()
        with contextlib.closing(iter(run)) as steps:  # after an error too the page gets its controls back
            for _ in steps:
                batch = torch.randint(len(inputs), (self.batch_size,), generator=generator)
                loss = F.cross_entropy(model(inputs[batch]).flatten(0, -2), targets[batch].flatten())
                optimizer.zero_grad()
                loss.backward()
                run.steer(optimizer)
                optimizer.step()
                run.log(train=loss)
        model.train(was_training)


class Picture:
    """The quality at every sparsity, the histogram of the weights, and a part of the first layer."""

    def __init__(self, desk):
        grid = {"left": 0.07, "right": 0.985, "bottom": 0.15, "top": 0.88, "wspace": 0.2, "width_ratios": [1.25, 1, 1]}
        fig, (self.left, middle, right) = plots.figure(10, 3.7, columns=3, gridspec_kw=grid)
        self.percent = desk.is_classifier()
        self.prepare_curves(desk)
        self.prepare_histogram(middle, desk.weights)
        right.set(title="first layer, zeros white", xticks=[], yticks=[])
        right.grid(visible=False)
        right.spines[:].set(visible=True, color=GREY)
        first = part(desk.weights[0])
        limit = np.abs(first).max()
        self.mask = right.imshow(first, cmap=WEIGHTS, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
        enlarge(self.left, middle, right)
        self.scene, self.stage = 0, Stage(fig)

    def prepare_curves(self, desk):
        ax = self.left
        ax.axhline(desk.dense, color=GREY, lw=1, ls=":")
        for method, (color, dashes, marker) in LOOKS.items():
            look = {"color": color, "linestyle": dashes, "marker": marker, "ms": 4, "lw": 2}
            ax.plot(RATES, desk.curves[method], label=method, **look)
        ax.set(xlabel="sparsity: share of zeros", xlim=(-0.02, 1.0))
        ax.set_title("accuracy (%)" if self.percent else "loss (nats a token)")
        if self.percent:
            ax.set_ylim(0, 102)
        ax.legend(frameon=False, loc="lower left" if self.percent else "upper left")
        (self.here,) = ax.plot([], [], "o", mfc="none", mec=plots.ORANGE, mew=3, ms=17, clip_on=False)
        (self.upright,) = ax.plot([], [], color=plots.ORANGE, lw=1.5, transform=ax.get_xaxis_transform())

    def prepare_histogram(self, ax, weights):
        values = self.sampled(weights)
        end = np.quantile(np.abs(values), 0.998)
        self.edges = np.linspace(-end, end, 62)  # an odd number of bars: one has its middle at 0
        counts = np.histogram(values, self.edges)[0]
        ax.stairs(counts, self.edges, fill=True, color="#b8b8b8", label="removed")
        self.kept = ax.stairs(counts, self.edges, fill=True, color=plots.BLUE, label="left")
        ax.set(title="how many weights are so large", xlabel="weight", yticks=[], xlim=(-end, end))
        ax.set_ylim(0, 1.25 * counts.max())
        ax.grid(visible=False)
        ax.legend(frameon=False, loc="upper right", ncols=2)

    def sampled(self, weights):
        """Some of the weights (count,): the shape of the histogram is that of all."""
        step = math.ceil(sum(weight.numel() for weight in weights) / SHOWN)
        return torch.cat([weight.detach().flatten()[::step] for weight in weights]).cpu().numpy()

    def add_star(self, sparsity, value, method):
        """A mark that stays: what fine-tuning has reached here."""
        self.left.plot(sparsity, value, "*", color=LOOKS[method][0], mec="black", ms=15, clip_on=False)
        self.scene += 1

    def draw(self, model, value, sparsity, method):
        """PNG bytes with the mark at this place and the weights of this model."""
        self.here.set_data([sparsity], [value])
        self.upright.set_data([sparsity, sparsity], [0, 1])
        weights = list(prunable_weights(model).values())
        values = self.sampled(weights)
        self.kept.set_data(np.histogram(values[values != 0], self.edges)[0])
        first = part(weights[0])
        self.mask.set_data(np.where(first == 0, math.nan, first))
        return self.stage.frame([self.kept, self.mask, self.upright, self.here], self.scene)


def milliseconds(seconds):
    """Seconds in words, with two digits.

    >>> milliseconds(0.0000731), milliseconds(0.0071), milliseconds(1.3)
    ('0.073 ms', '7.1 ms', '1,300 ms')
    """
    rounded = float(f"{1000 * seconds:.2g}")
    return f"{rounded:,.0f} ms" if rounded >= 10 else f"{rounded:g} ms"


def part(weight):
    """The first rows and columns of a layer's weight, (out, in)."""
    return weight.detach().flatten(1)[:SIDE, :SIDE].cpu().numpy()


def check_pair(name, pair):
    if len(pair) != 2 or len(pair[0]) != len(pair[1]) or len(pair[0]) == 0:
        raise ValueError(
            f"{name} is {len(pair)} things of length {[len(thing) for thing in pair]}; two of the same length were "
            f"expected. Pass (inputs, targets)."
        )
