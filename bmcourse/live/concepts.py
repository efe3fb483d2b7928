"""Explorers for the lesson on concepts: published models by their year and size, and what a size costs in memory."""

import html
import re

import ipywidgets as widgets
import numpy as np
import psutil
from matplotlib.lines import Line2D

from bmcourse import data, plots, scaling
from bmcourse.live import view
from bmcourse.live.curve import GREY
from bmcourse.live.explorer import Stage, explore, number_slider
from bmcourse.live.letters import write_names
from bmcourse.models.gpt import GPTConfig

# Of a slider: three of them in a row of a page of 1280 pixels.
THIRD = {"layout": {"width": "340px", "margin": "2px 24px 2px 2px"}}

# -------------------------------------------------------------------------------------------------------- the timeline

LOOKS = {"language": (plots.BLUE, "o"), "image": (plots.GREEN, "s"), "multimodal": (plots.RED, "^")}
FIGURES = {
    "parameters": "parameters",
    "training FLOPs": "training_flops",
    "training tokens": "training_tokens",
    "tokens of context": "context",
}
LANDMARKS = (
    *("GPT-3", "Kimi K3", "LeNet-5", "BERT-large", "AlexNet", "GPT-2", "Llama 3.1 405B", "DeepSeek-V3", "PaLM"),
    *("Switch-C", "ViT-22B", "CLIP ViT-L/14", "Transformer (big)", "VGG-16", "LLaMA-65B", "GPT-4", "Gemini 1.5 Pro"),
    *("DALL-E", "Chinchilla", "Qwen3-235B-A22B", "GPT-5", "Mistral 7B", "T5-11B", "GPT", "Llama 4 Scout", "Inkling"),
    *("Stable Diffusion 1.4", "Sparsely gated LSTM", "LSTM for translation", "iGPT-XL", "GPT-J-6B"),
)
SQUEEZED = 2011  # one year before it is as wide as an eighth of a year after it


def timeline():
    """Choose what is drawn against the year of 78 published models, and one model to read about."""
    models = data.published_models()
    picture, count = TimelinePicture(models), len(models)
    # Beside the slider a long name would be cut: it stands in the picture.
    places = [(f"{place} of {count}", model.name) for place, model in enumerate(models, 1)]
    for y in FIGURES:
        picture.draw(y, "GPT-3")  # the first of each is slow: here, and not when the menu is moved
    explore(
        picture.draw,
        "Published models by year and number of parameters, which grows from tens of thousands to trillions: language "
        "models as blue circles, image models as green squares, multimodal ones as red triangles, closed ones hollow.",
        write=lambda y, model: description(models, y, model),
        y=widgets.Dropdown(options=list(FIGURES), description="upwards", layout={"width": "260px"}),
        model=widgets.SelectionSlider(options=places, value="GPT-3", description="model", layout={"width": "480px"}),
    )


class TimelinePicture:
    """A figure of the models against their years, with a ring around one."""

    def __init__(self, models):
        self.models, self.places = models, dict(zip([m.name for m in models], spread_years(models), strict=True))
        fig, self.ax = plots.figure(9, 4.3)
        self.ax.set_position([0.075, 0.12, 0.915, 0.785])
        self.ax.set(yscale="log", xlabel="year (narrower before 2011; models of one year side by side)")
        self.ax.set_xscale("function", functions=(squeeze, stretch))
        self.ax.set(xlim=(1996, 2027), xticks=[1998, *range(2012, 2027, 2)])
        self.ax.tick_params(labelsize=11)
        self.ax.minorticks_off()
        fig.legend(handles=legend_entries(), loc="upper center", ncols=5, frameon=False, fontsize=11)
        (self.ring,) = self.ax.plot([], [], "o", ms=15, mfc="none", mec=plots.BLACK, mew=2.5)
        self.name = self.ax.text(0.02, 0.94, "", size=14, va="center", transform=self.ax.transAxes)
        self.stage, self.drawn, self.y = Stage(fig), [], None

    def draw(self, y, model):
        """PNG bytes with the figure `y` upwards and a ring around the model of that name, if it has that figure."""
        points = self.points(y)
        if self.y != y:
            self.y, values = y, [value for _, value in points.values()]
            self.ax.set(ylabel=f"{y} (each line: ten times more)", ylim=(min(values) / 3, max(values) * 4))
            self.ax.minorticks_off()
            if y not in self.stage.backgrounds:
                self._new_scene(points)
        self.ring.set_data(*coordinates(points, [model]))
        self.name.set_text(f"○ {model}" if model in points else f"{model}: not known")
        return self.stage.frame([self.ring, self.name], y)

    def points(self, y):
        """{name: (year, value)} of the models that have the figure `y`."""
        known = [(m.name, getattr(m, FIGURES[y])) for m in self.models]
        return {name: (self.places[name], value) for name, value in known if value is not None}

    def _new_scene(self, points):
        """Draw all models that have a point, and the names of some."""
        for artist in self.drawn:
            artist.remove()
        self.drawn = []
        for (modality, is_open), look in looks().items():
            names = [m.name for m in self.models if (m.modality, m.open) == (modality, is_open)]
            self.drawn += self.ax.plot(*coordinates(points, names), **look)
        self.drawn += write_names(self.ax, points, [name for name in LANDMARKS if name in points])


def coordinates(points, names):
    """The x and the y of the points with these names, each (n,)."""
    return np.array([points[name] for name in names if name in points]).reshape(-1, 2).T


def looks():
    """How a model is drawn, {(modality, open or not): Line2D's settings}."""
    marks = {"linestyle": "none", "markersize": 7, "markeredgewidth": 1.6}
    return {
        (modality, is_open): {"color": color, "marker": marker, "mfc": color if is_open else "white", **marks}
        for modality, (color, marker) in LOOKS.items()
        for is_open in (True, False)
    }


def legend_entries():
    """One entry for each modality, and what filled and hollow mean."""
    entries = [Line2D([], [], label=modality, **look) for (modality, is_open), look in looks().items() if is_open]
    for words, face in (("open: weights given away", GREY), ("closed", "white")):
        look = looks()["language", True] | {"color": GREY, "mfc": face}
        entries.append(Line2D([], [], label=words, **look))
    return entries


def spread_years(models):
    """Where each model stands, (N,): those of one year side by side, in their order, so that none hides another."""
    years = np.array([model.year for model in models])
    before, count = (
        np.array([sum(years[:i] == years[i]) for i in range(len(years))]),
        (years[:, None] == years).sum(1),
    )
    return years + (before + 0.5) / count * 0.9 - 0.45


def squeeze(year):
    """Where a year lies on the axis: the few models before SQUEEZED need little room."""
    return np.where(np.less(year, SQUEEZED), SQUEEZED + (np.asarray(year) - SQUEEZED) / 8, year)


def stretch(place):
    """The inverse of `squeeze`."""
    return np.where(np.less(place, SQUEEZED), SQUEEZED + (np.asarray(place) - SQUEEZED) * 8, place)


def description(models, y, name):
    """A line about the model of that name, and how many models are not drawn, as HTML."""
    [model] = [model for model in models if model.name == name]
    known = {words: getattr(model, field) for words, field in FIGURES.items()}
    known["active parameters"] = model.active_parameters
    figures = ", ".join(f"{number(value)} {words}" for words, value in known.items() if value is not None)
    missing = sum(getattr(model, FIGURES[y]) is None for model in models)
    access = "open" if model.open else "closed"
    return paragraph(
        f"<b>{html.escape(name)}</b> ({html.escape(model.organisation)}, {model.year}, {model.modality}, {access}): "
        f"{figures}.<br>{links(model.source)}<br>"
        f"{len(models) - missing} of {len(models)} models are drawn; for the other {missing} we know no such figure."
    )


def number(value):
    """A number as a reader says it.

    >>> number(175e9), number(2048.0), number(3.14e23)
    ('175 billion', '2,048', '3.14 × 10<sup>23</sup>')
    """
    if value >= 1e15:
        mantissa, exponent = f"{value:.2e}".split("e+")
        return f"{float(mantissa):g} × 10<sup>{exponent}</sup>"
    for size, word in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if value >= size:
            return f"{value / size:.3g}{word}"
    return f"{value:,.0f}"


def links(text):
    """The text as HTML, with its addresses as links."""
    return re.sub(r"https://[^\s);]+", r'<a href="\g<0>" target="_blank">\g<0></a>', html.escape(text))


def paragraph(words):
    """Words that are HTML already, as a paragraph."""
    return f'<div style="font-size: {view.LETTERS}; line-height: 1.5; max-width: {view.scaled(1000)}">{words}</div>'


# ---------------------------------------------------------------------------------------------------------- the ledger

PARTS = {
    "weights": plots.BLUE,
    "gradients": plots.ORANGE,
    "optimizer": plots.GREEN,
    "activations": plots.RED,
    "KV cache": plots.PURPLE,
}
JOBS = ("train in fp32", "train in bf16", "answer in fp32", "answer in bf16", "answer in int8", "answer in int4")
DEVICES = {"phone, 8 GB": 8e9, "laptop, 16 GB": 16e9, "GPU, 24 GB": 24e9, "GPU, 80 GB": 80e9}
LARGEST = "GPU, 80 GB"
UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))
CHANNELS = (64, 128, 256, 512, 768, 1024, 1280, 1600, 2048, 2560, 4096, 5120, 8192, 12_288, 16_384)
VOCABULARIES = (256, 1024, 8192, 32_000, 50_257, 100_000, 200_000)
CONTEXTS = tuple(2**n for n in range(7, 18))  # 128 to 131,072

# Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019, table 2;
# Brown et al., "Language Models are Few-Shot Learners" (GPT-3), 2020, table 2.1.
SHAPES = {
    "pocket GPT": {"layers": 4, "channels": 128, "vocabulary": 1024, "context": 128},
    "GPT-2": {"layers": 48, "channels": 1600, "vocabulary": 50_257, "context": 1024},
    "GPT-3 6.7B": {"layers": 32, "channels": 4096, "vocabulary": 50_257, "context": 2048},
    "GPT-3": {"layers": 96, "channels": 12_288, "vocabulary": 50_257, "context": 2048},
}


def ledger():
    """Choose the shape of a GPT and what it is to do, and see what takes how much memory, and where it fits."""
    machine = widgets.Checkbox(False, description="this machine", indent=False)
    explore(
        LedgerPicture(psutil.virtual_memory().total).draw,
        "Bars of the memory that training GPT-2 in fp32 takes, one behind the other: weights and gradients the same, "
        "the optimizer twice as much; below their total, bars of what a phone, a laptop and two GPUs have.",
        write=verdict,
        presets=SHAPES,
        layers=widgets.IntSlider(48, min=1, max=128, description="layers", **THIRD),
        channels=number_slider("channels", CHANNELS, 1600, **THIRD),
        vocabulary=number_slider("vocabulary", VOCABULARIES, 50_257, **THIRD),
        context=number_slider("context", CONTEXTS, 1024, **THIRD),
        batch=number_slider("texts at once", (1, 2, 4, 8, 16, 32, 64), 1, **THIRD),
        job=widgets.ToggleButtons(options=JOBS, style={"button_width": "133px"}),
        machine=machine,
    )
    machine.value = True  # after the picture was saved: it is to be the same on every machine


def memory_of(layers, channels, vocabulary, context, batch, job):
    """The shape as a GPTConfig, and {part: bytes} of what its job takes."""
    config = GPTConfig(vocabulary, context, layers, heads=channels // 64, channels=channels)
    verb, precision = job.split(" in ")
    if verb == "train":
        return config, scaling.training_memory(config, batch, precision)
    cache = "fp32" if precision == "fp32" else "bf16"
    return config, scaling.inference_memory(config, batch, precision, cache)


class LedgerPicture:
    """Bars as long as they have bytes: the parts one behind the other, their total, and what each device has.

    `machine` is the memory of this machine.
    """

    def __init__(self, machine):
        self.devices = {**DEVICES, f"this machine, {size(machine)}": machine}
        self.rows = [*PARTS, "total", *self.devices]
        fig, ax = plots.figure(9, 3.6)
        ax.set_position([0.205, 0.09, 0.67, 0.9])
        ax.set(xlim=(0, 1), ylim=(len(self.rows) - 0.4, -0.6))
        ax.set_xticks(SHARES, [""] * len(SHARES))
        ax.set_yticks(range(len(self.rows) - 1), self.rows[:-1], size=12)
        ax.tick_params(axis="y", length=0)
        ax.axhline(len(PARTS) + 0.5, color=GREY, lw=1)
        colors = [*PARTS.values(), plots.BLACK, *[plots.SKY] * len(DEVICES), plots.ORANGE]
        self.bars = ax.barh(range(len(self.rows)), 0, color=colors, height=0.66, zorder=2)
        place = {"transform": ax.get_yaxis_transform(), "size": 12, "va": "center", "ha": "right"}
        self.words = [ax.text(1.18, row, "", **place) for row in range(len(self.rows))]
        self.own = ax.text(-0.012, len(self.rows) - 1, self.rows[-1], **place | {"size": 11})
        below = {"transform": ax.get_xaxis_transform(), "size": 11, "va": "top", "ha": "center"}
        self.ticks = [ax.text(share, -0.015, "", **below) for share in SHARES]
        (self.edge,) = ax.plot([], [], "--", color=plots.BLACK, lw=1.5, zorder=3)
        (self.beyond,) = ax.plot([], [], ">", color=plots.BLACK, ms=9, clip_on=False, zorder=3)
        self.stage = Stage(fig)

    def draw(self, layers, channels, vocabulary, context, batch, job, machine):
        """PNG bytes for one shape and job; `machine`: with the bar of this machine."""
        _, parts = memory_of(layers, channels, vocabulary, context, batch, job)
        total, start = sum(parts.values()), 0
        end = axis_end(total)
        for name, bar, words in zip(self.rows, self.bars, self.words, strict=True):
            value = total if name == "total" else parts.get(name, self.devices.get(name, 0))
            bar.set(x=start / end if name in PARTS else 0, width=value / end)
            start += value if name in PARTS else 0
            fits = "✓ fits" if value >= total else "✗ too small"
            words.set_text(fits if name in self.devices else size(value) if value else "–")
        for share, tick in zip(SHARES, self.ticks, strict=True):
            tick.set_text(tick_label(share, end))
        self.edge.set_data([total / end] * 2, [len(PARTS) - 0.4, len(self.rows) - 0.6])
        longer = [
            row for row, bar in enumerate(self.bars) if bar.get_width() > 1 and (machine or row < len(self.rows) - 1)
        ]
        self.beyond.set_data([1] * len(longer), longer)
        for artist in (self.bars[-1], self.words[-1], self.own):
            artist.set_visible(machine)
        return self.stage.frame([*self.bars, *self.words, *self.ticks, self.own, self.edge, self.beyond])


SHARES = (0, 0.2, 0.4, 0.6, 0.8, 1)  # of the axis: where it has a number


def axis_end(total):
    """Where an axis for so many bytes ends: the first of 1, 2, 5, 10, 20, ... that leaves a little room.

    >>> axis_end(31.5e9), axis_end(49e9), axis_end(1.1e12)
    (50000000000.0, 100000000000.0, 2000000000000.0)
    """
    power = 10.0 ** np.floor(np.log10(total))
    return next(float(power * digit) for digit in (1, 2, 5, 10, 20) if total <= 0.95 * power * digit)


def tick_label(share, end):
    """What stands at a share of an axis that ends with so many bytes; the unit stands at its end alone."""
    count, name = unit(end)
    return f"{share * end / count:,g}{f' {name}' if share == 1 else ''}"


def unit(count):
    """The largest unit that so many bytes are one of, as (bytes, name)."""
    return next((pair for pair in UNITS if count >= pair[0]), UNITS[-1])


def size(count):
    """Bytes as a reader says them, in steps of 1,000.

    >>> size(3.5e11), size(8e5), size(1.31e9)
    ('350 GB', '0.80 MB', '1.31 GB')
    """
    of, name = unit(count)
    value = count / of
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} {name}"


def verdict(layers, channels, vocabulary, context, batch, job, machine):
    """What the ledger comes to, in sentences, as HTML."""
    config, parts = memory_of(layers, channels, vocabulary, context, batch, job)
    total, count = sum(parts.values()), scaling.gpt_parameters(config)
    fitting = [name for name, memory in DEVICES.items() if total <= memory]
    needed = -(-total // DEVICES[LARGEST])
    where = (
        f"It fits into: {'; '.join(fitting)}."
        if fitting
        else f"It fits into none of these; {needed:,.0f} GPUs of 80 GB hold it."
    )
    own = psutil.virtual_memory().total
    here = f" This machine has {size(own)}: {'enough' if total <= own else 'not enough'}." if machine else ""
    return paragraph(
        f"{number(count)} parameters (with a table of tokens at each end); to {job}: <b>{size(total)}</b>. "
        f"{where}{here}"
    )
