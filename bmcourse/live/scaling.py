"""Explorers for the lesson on scaling: what a budget buys by Chinchilla's law, and when a training would be done."""

import ipywidgets as widgets
import numpy as np

from bmcourse import data, plots, scaling
from bmcourse.live.concepts import THIRD, number, paragraph, size
from bmcourse.live.curve import GREY
from bmcourse.live.explorer import Stage, explore, number_slider
from bmcourse.live.letters import write_names

CHIPS = {hardware.name: hardware for hardware in scaling.HARDWARE}
LONG = {"layout": {"width": "500px"}}  # of a slider with many steps
UTILISATION = 0.4  # of the peak: what the trainings of lesson 14 reached
HOUR, DAY = 3600, 86_400

# ----------------------------------------------------------------------------------------------------- Chinchilla's law

LAWS = {"Hoffmann et al., 2022": scaling.CHINCHILLA, "Besiroglu et al., 2024": scaling.REPLICATION}
LOOKS = dict(zip(LAWS, ((plots.BLUE, "-"), (plots.RED, "--")), strict=True))
SIZES = np.logspace(7, 14, 141)  # parameters
BUDGETS = np.arange(18, 28)  # powers of ten: the curves that are always there
HIGHEST = 4  # the loss where the picture ends
PLACES = np.logspace(18, 27, 55)  # budgets that the lines of both laws go through
NAMED = ("GPT-3", "PaLM", "Chinchilla", "Llama 3.1 405B", "Qwen3-235B-A22B", "Qwen2.5-72B", "DeepSeek-V3")


def chinchilla():
    """Choose a budget and one of the two published laws: the best size, its loss, its price, beside real models."""
    explore(
        LawPicture(data.published_models()).draw,
        "Left, curves of the predicted loss against the parameters, one for each budget, each with its lowest point; "
        "right, the best number of tokens for each parameter by both laws against the budget, with published models "
        "as dots, most of them since 2024 above both lines.",
        write=price,
        budget=widgets.FloatSlider(
            23.5, min=18, max=27, step=0.1, description="budget: 10 to the power of", readout_format=".1f", **LONG
        ),
        law=widgets.Dropdown(options=list(LAWS), description="law", layout={"width": "240px"}),
        chip=chip_menu(),
    )


def chip_menu():
    return widgets.Dropdown(options=list(CHIPS), value="NVIDIA H100 SXM", description="chip", layout={"width": "260px"})


class LawPicture:
    """The loss of every size at a budget, and the tokens for each parameter that are best at every budget."""

    def __init__(self, models):
        grid = {"left": 0.07, "right": 0.99, "bottom": 0.13, "top": 0.93, "wspace": 0.31}
        fig, (self.left, self.right) = plots.figure(10, 4.2, columns=2, gridspec_kw=grid)
        self.left.set(xscale="log", xlabel="parameters", ylabel="loss by the law (nats a token)")
        self.left.set(ylim=(1.5, HIGHEST), xlim=(SIZES[0], SIZES[-1]))
        self.left.text(0, 1.012, "FLOPs:", transform=self.left.transAxes)
        self.left.minorticks_off()
        self.right.set(xscale="log", yscale="log", xlabel="budget (FLOPs)", ylabel="tokens for each parameter")
        self.right.set(xlim=(1e18, 1e27), ylim=(0.1, 5000))
        self.right.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
        self.right.minorticks_off()
        grey = {"color": GREY, "lw": 1}
        self.others = [self.left.plot([], [], **grey)[0] for _ in BUDGETS]
        (self.optima,) = self.left.plot([], [], ":", color=plots.BLACK, lw=1.5)
        (self.floor,) = self.left.plot([], [], "-.", **grey)
        (self.curve,) = self.left.plot([], [], lw=3)
        ring = {"mfc": "none", "mec": plots.ORANGE, "mew": 3, "ms": 15, "clip_on": False}
        (self.best,) = self.left.plot([], [], "o", **ring)
        (self.here,) = self.right.plot([], [], "o", **ring)
        self.words = self.left.text(0.01, 0.015, "", transform=self.left.transAxes)
        self.signs = {power: self.left.text(0, 0, f"$10^{{{power}}}$") for power in BUDGETS if power != 26}  # no room
        self.prepare_models(models)
        self.stage = Stage(fig)

    def prepare_models(self, models):
        """Both laws' lines, and the models whose tokens are known."""
        lines = []
        for name, law in LAWS.items():
            sizes, tokens = np.array([scaling.compute_optimal(flops, law) for flops in PLACES]).T
            color, dashes = LOOKS[name]
            self.right.plot(PLACES, tokens / sizes, color=color, ls=dashes, lw=2, label=name)
            lines += zip(PLACES, tokens / sizes, strict=True)
        points = {model.name: place(model) for model in models if place(model)}
        self.right.plot(*zip(*points.values(), strict=True), "o", color=plots.GREEN, ms=5, alpha=0.8, label="published")
        for model in models:
            if model.active_parameters and model.parameters and model.name in points:
                flops, ratio = points[model.name]
                both = [ratio, model.training_tokens / model.parameters]  # by active and by all parameters
                self.right.plot([flops, flops], both, color=plots.GREEN, lw=1, alpha=0.6, zorder=1)
        self.right.legend(frameon=False, loc="lower left")
        write_names(self.right, points, NAMED, lines)

    def draw(self, budget, law, chip):
        """PNG bytes for a budget of 10 to that power, a law and a chip."""
        flops, by, color = 10.0**budget, LAWS[law], LOOKS[law][0]
        for line, power in zip(self.others, BUDGETS, strict=True):
            line.set_data(SIZES, by.loss(SIZES, 10.0**power / (6 * SIZES)))
            if power in self.signs:
                self.signs[power].set(**way_out(*line.get_data()))
        optima = np.array([scaling.compute_optimal(10.0**power, by) for power in BUDGETS]).T
        self.optima.set_data(optima[0], by.loss(*optima))
        self.floor.set_data(SIZES[[0, -1]], [by.E, by.E])
        self.curve.set(data=(SIZES, by.loss(SIZES, flops / (6 * SIZES))), color=color)
        parameters, tokens = scaling.compute_optimal(flops, by)
        self.best.set_data([parameters], [by.loss(parameters, tokens)])
        self.here.set_data([flops], [tokens / parameters])
        self.words.set_text(f"{short(chip_hours(flops, CHIPS[chip]))} hours of {chip}")
        moving = [
            *self.others,
            self.optima,
            self.floor,
            self.curve,
            self.best,
            self.words,
            *self.signs.values(),
            self.here,
        ]
        return self.stage.frame(moving)


def way_out(sizes, losses):
    """Where the name of a curve stands, as settings of a text: where it leaves the picture on its way up."""
    rising = slice(losses.argmin(), None)
    if losses[-1] < HIGHEST:
        return {"position": (1.15 * sizes[-1], losses[-1]), "ha": "left", "va": "center"}
    return {
        "position": (np.interp(HIGHEST, losses[rising], sizes[rising]), HIGHEST + 0.03),
        "ha": "center",
        "va": "bottom",
    }


def place(model):
    """Where a language model since GPT-3 stands, (FLOPs, tokens for each parameter); None where these are not known."""
    parameters = model.active_parameters or model.parameters
    if model.year < 2020 or model.modality != "language" or not (parameters and model.training_tokens):
        return None
    flops = model.training_flops or scaling.training_flops(parameters, model.training_tokens)
    return flops, model.training_tokens / parameters


def chip_hours(flops, hardware):
    return scaling.training_seconds(flops, hardware, utilisation=UTILISATION) / HOUR


def price(budget, law, chip):
    """The best size for a budget, its loss and its price, as HTML."""
    flops, by, hardware = 10.0**budget, LAWS[law], CHIPS[chip]
    parameters, tokens = scaling.compute_optimal(flops, by)
    rent = "no price is known"
    if hardware.dollars_per_hour:
        rent = f"<b>{short(scaling.training_dollars(flops, hardware, UTILISATION))} dollars</b> of rent"
    return paragraph(
        f"<b>{number(parameters)}</b> parameters and <b>{number(tokens)}</b> tokens, "
        f"{short(tokens / parameters)} for each parameter. Predicted loss: "
        f"<b>{by.loss(parameters, tokens):.3f}</b> nats a token, of which {by.E:.2f} are the text's own surprise.<br>"
        f"{short(chip_hours(flops, hardware))} hours of {chip} at {UTILISATION:.0%} of its peak; {rent}.<br>"
        f"{hardware.source}"
    )


def short(value):
    """A number in two digits, as a reader says it.

    >>> short(20.31), short(0.234), short(1_650_000.0), short(876.0)
    ('20', '0.23', '1.7 million', '880')
    """
    if value >= 1e6:
        return number(float(f"{value:.2g}"))
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 9.95 else f"{value:.2g}"


# --------------------------------------------------------------------------------------------- how long, how many chips

MODELS = (1e8, 3e8, 1e9, 3e9, 7e9, 13e9, 30e9, 70e9, 175e9, 405e9, 1e12)
RATIOS = (1, 2, 5, 10, 20, 40, 100, 300, 1000)
CLUSTERS = np.logspace(0, 5, 101)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
TIMES = {
    1 / 1440: "a minute",
    1 / 24: "an hour",
    1: "a day",
    7: "a week",
    30: "a month",
    365: "a year",
    36_500: "100 years",
    3_650_000: "10,000 years",
}
SHORTEST, LONGEST = 1e-4, 1e7  # days, the ends of the axis


def bill():
    """Choose a model, what it reads and the chips: how long it takes, what it costs, and whether it fits."""
    explore(
        BillPicture().draw,
        "Lines that fall from thousands of years on one chip to weeks on thousands, one for each kind of chip, the "
        "chosen one thick, with a ring at the chosen number, and grey where so few chips cannot hold the model.",
        write=invoice,
        presets=PLANS,
        parameters=widgets.SelectionSlider(
            options=[(number(count), int(count)) for count in MODELS],
            value=int(405e9),
            description="parameters",
            **THIRD,
        ),
        ratio=number_slider("tokens per parameter", RATIOS, 40, **THIRD),
        chips=number_slider("chips", COUNTS, 16_384, **THIRD),
        utilisation=widgets.FloatSlider(0.4, min=0.1, max=0.6, step=0.05, description="share of the peak", **THIRD),
        chip=chip_menu(),
    )


PLANS = {
    "GPT-3": {"parameters": int(175e9), "ratio": 2, "chips": 1024},
    "Chinchilla": {"parameters": int(70e9), "ratio": 20, "chips": 4096},
    "Llama 3.1 405B": {"parameters": int(405e9), "ratio": 40, "chips": 16_384},
    "my own, on eight chips": {"parameters": int(1e9), "ratio": 20, "chips": 8},
}


class BillPicture:
    """Days against chips, a line for each kind of chip; grey to the left, where they cannot hold the model."""

    def __init__(self):
        fig, ax = plots.figure(9, 4)
        ax.set_position([0.125, 0.13, 0.835, 0.85])
        ax.set(xscale="log", yscale="log", xlabel="chips", xlim=(1, 1e5), ylim=(SHORTEST, LONGEST))
        ax.set_xticks(10 ** np.arange(6), [f"{10**power:,}" for power in range(6)])
        ax.set_yticks(list(TIMES), TIMES.values())
        ax.minorticks_off()
        self.lines = {name: ax.plot([], [], color=GREY)[0] for name in CHIPS}
        (self.here,) = ax.plot([], [], "o", mfc="none", mec=plots.ORANGE, mew=3, ms=15, clip_on=False)
        self.small = ax.axvspan(1, 2, color="#dddddd", zorder=0)
        self.words = ax.text(1.2, 3e-4, "too few to hold it", size=11, color=plots.GREY)
        self.days = ax.annotate("", (0, 0), (10, 10), textcoords="offset points", size=13, weight="bold")
        self.days.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85})
        self.stage = Stage(fig)

    def draw(self, parameters, ratio, chips, utilisation, chip):
        """PNG bytes for a model, its tokens for each parameter, and so many chips of a kind."""
        flops = scaling.training_flops(parameters, ratio * parameters)
        for name, line in self.lines.items():
            days = scaling.training_seconds(flops, CHIPS[name], 1, utilisation) / DAY / CLUSTERS
            chosen = name == chip
            line.set(data=(CLUSTERS, days), lw=3 if chosen else 1, color=plots.BLUE if chosen else GREY)
        days = scaling.training_seconds(flops, CHIPS[chip], chips, utilisation) / DAY
        seen = np.clip(days, SHORTEST, LONGEST)  # what lies beyond the axis stands at its end, with its number
        self.here.set_data([chips], [seen])
        self.days.xy = chips, seen
        left = chips < 300
        above = seen < 30 * SHORTEST or (left and seen < LONGEST / 30)  # else below, where no line is
        self.days.set(text=duration(days), ha="left" if left else "right", va="bottom" if above else "top")
        self.days.set_position((10 if left else -10, 10 if above else -10))
        least = least_chips(parameters, CHIPS[chip])
        self.small.set(x=0.5, width=least - 0.5)
        self.words.set_visible(least > 12)
        lines = sorted(self.lines.values(), key=lambda line: line.get_lw())  # the chosen one lies on top
        return self.stage.frame([self.small, self.words, *lines, self.here, self.days])


def duration(days):
    """A time as a reader says it.

    >>> duration(33.2), duration(0.44), duration(0.001), duration(1e6)
    ('33 days', '11 hours', '86 seconds', '2,700 years')
    """
    for unit, name in ((365, "years"), (1, "days"), (1 / 24, "hours"), (1 / 1440, "minutes")):
        if days >= 2 * unit:
            return f"{short(days / unit)} {name}"
    return f"{short(days * DAY)} seconds"


def least_chips(parameters, hardware):
    """How many chips hold what training in bf16 with Adam keeps for the weights, shared out; activations aside."""
    return int(np.ceil(parameters * sum(scaling.TRAINING_BYTES["bf16"].values()) / hardware.memory))


def invoice(parameters, ratio, chips, utilisation, chip):
    """What the training takes and costs, as HTML."""
    hardware, tokens = CHIPS[chip], ratio * parameters
    flops = scaling.training_flops(parameters, tokens)
    days = scaling.training_seconds(flops, hardware, chips, utilisation) / DAY
    rent = "no price is known"
    if hardware.dollars_per_hour:
        rent = f"<b>{short(scaling.training_dollars(flops, hardware, utilisation))} dollars</b>"
    least = least_chips(parameters, hardware)
    count = "1 chip" if chips == 1 else f"{chips:,} chips"
    fits = f"fits on {count}" if chips >= least else f"<b>does not fit</b> on {count}: {least:,} are needed"
    return paragraph(
        f"{number(tokens)} tokens, {number(flops)} FLOPs: <b>{duration(days)}</b> on {count}, {rent}. "
        f"Weights, gradients and optimizer take {size(16 * parameters)}; that {fits}."
    )
