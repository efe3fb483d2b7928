"""The explorer for the lesson on the Transformer: what the shape of a GPT costs, part by part."""

import ipywidgets as widgets

from bmcourse import plots
from bmcourse.live.architectures import on_page
from bmcourse.live.explorer import Stage, explore, number_slider
from bmcourse.live.letters import Letters
from bmcourse.models.gpt import GPTConfig
from bmcourse.scaling import flops_by_part, parameters_by_part

CHANNELS = (64, 128, 256, 384, 512, 768, 1024, 1600, 2048, 4096, 8192, 12288)  # each a multiple of all HEADS
HEADS = (1, 2, 4, 8, 16, 32, 64)
VOCABULARIES = (256, 1024, 4096, 16384, 50257, 131072)
CONTEXTS = (16, 64, 256, 1024, 4096, 16384, 131072)
WIDE = {"layout": {"width": "350px"}, "style": {"description_width": "88px"}}
PARTS = {
    "token embedding": plots.GREEN,
    "position embedding": plots.GREEN,
    "attention: projections": plots.BLUE,
    "attention: scores, T × T": plots.RED,
    "feed-forward": plots.ORANGE,
    "norms": plots.PURPLE,
    "output head": plots.SKY,
}


def counter():
    """Choose the shape of a GPT, and see how many parameters each part has, and what each part costs to run."""
    explore(
        CounterPicture().draw,
        "Two charts of bars, one bar for each part of a GPT: on the left its share of the parameters, on the right its "
        "share of the FLOPs for one sequence.",
        layers=widgets.IntSlider(4, min=1, max=96, description="layers", **WIDE),
        channels=number_slider("channels", CHANNELS, 128, **WIDE),
        heads=number_slider("heads", HEADS, 4, **WIDE),
        vocabulary=number_slider("vocabulary", VOCABULARIES, 1024, **WIDE),
        context=number_slider("context", CONTEXTS, 256, **WIDE),
    )


class CounterPicture:
    """The parts of a GPT as two charts: shares of the parameters and of the FLOPs, and the sums above."""

    def __init__(self):
        grid = {"left": 0.235, "right": 0.985, "bottom": 0.09, "top": 0.76, "wspace": 0.06}
        fig, (self.left, self.right) = plots.figure(9, 4.4, columns=2, gridspec_kw=grid)
        self.stage = Stage(fig)
        self.bars = {ax: self._chart(ax) for ax in (self.left, self.right)}
        self.left.set_yticks(range(len(PARTS)), PARTS, size=12)
        self.right.set_yticks(range(len(PARTS)), [])
        self.left.set_title("parameters", size=13)
        self.right.set_title("FLOPs, one sequence forward", size=13)
        self.numbers, self.words = Letters(fig, 11, align=0), Letters(fig, 13, align=0)
        self.moving = [*self.bars[self.left], *self.bars[self.right], self.numbers.artist, self.words.artist]

    def _chart(self, ax):
        """Prepare a chart; returns its bars."""
        ax.set(xlim=(0, 1.45), ylim=(len(PARTS) - 0.5, -0.5), xticks=[0, 0.5, 1], xticklabels=["0", "50 %", "100 %"])
        ax.tick_params(axis="y", length=0)
        ax.tick_params(labelsize=11)
        ax.grid(visible=False, axis="y")
        return ax.barh(range(len(PARTS)), 0, height=0.65, color=list(PARTS.values()))

    def draw(self, layers, channels, heads, vocabulary, context):
        """PNG bytes for a GPT of this shape."""
        config = GPTConfig(vocabulary, context, layers, heads, channels)
        parameters, flops = parameters_by_part(config), flops_by_part(config)
        self.numbers.write([*self._show(self.left, parameters), *self._show(self.right, flops)])
        total, forward = sum(parameters.values()), sum(flops.values())
        size = f"{total:,} parameters; {channels // heads:,} channels a head, feed-forward width {4 * channels:,}"
        cost = f"{unit(forward, 'FLOPs')} forward, {unit(3 * forward, 'FLOPs')} in training"
        self.words.write([(size, on_page(14, 412)), (f"one sequence of {context:,} tokens: {cost}", on_page(14, 382))])
        return self.stage.frame(self.moving)

    def _show(self, ax, numbers):
        """Set the bars to the number of each part; returns the words beside them, with their places."""
        for row, (bar, number) in enumerate(zip(self.bars[ax], numbers.values(), strict=True)):
            share = number / sum(numbers.values())
            bar.set_width(share)
            words = f"{unit(number)} ({percent(share)})" if number else "0"
            yield words, ax.transData.transform((share + 0.02, row))


def percent(share):
    return f"{100 * share:.0f} %" if share >= 0.01 else "< 1 %"


def unit(number, name=""):
    """A number in three digits, with the letter for thousands (k), millions (M), ... before the name of its unit.

    >>> unit(950), unit(1_234_567, "FLOPs"), unit(999_999)
    ('950', '1.23 MFLOPs', '1 M')
    """
    letters = iter(["", "k", "M", "G", "T", "P", "E", "Z"])
    letter = next(letters)
    while number >= 999.5:
        number, letter = number / 1000, next(letters)
    return f"{number:.3g} {letter}{name}".rstrip()
