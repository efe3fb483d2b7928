"""The race: the course's optimizers from one point over one surface, step by step, under the student's sliders."""

import functools

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.lines import Line2D

from bmcourse import optimizers, plots
from bmcourse.live.explorer import Stage, explore, number_slider
from bmcourse.live.surfaces import EDGE, SURFACES

STEPS, MARK, DECAY, FAR = 50, 10, 0.5, 1000.0
SIZE = 11  # of letters, in points
INSIDE = 0.96 * EDGE  # where a cross at the edge is clear of the words around the picture
LOOKS = {  # the colour and the marks of each racer
    "SGD": (plots.BLACK, "o"),
    "Momentum": (plots.ORANGE, "^"),
    "Nesterov": (plots.RED, "v"),
    "RMSProp": (plots.PURPLE, "D"),
    "Adam": (plots.BLUE, "P"),
    "AdamW": (plots.SKY, "X"),
    "Muon": (plots.GREEN, "*"),
}
RATES = [float(f"{digits}e{power}") for power in (-3, -2, -1) for digits in (1, 1.2, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)] + [1]
KEPT = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999]  # of an average, at each step
LISTENS = "μ: Momentum, Nesterov, Muon\nβ₁, β₂: Adam, AdamW\nβ₂, as α: RMSProp"
SHADES = [str(1 - (1 - 0x55 / 255) * (level // 2) / 15) for level in range(13)]  # greys of the screen's palette


def race():
    """Race the optimizers you tick on one surface, all from one point and with one learning rate, step by step.

    With noise all get a noisy gradient, like a mini-batch's: in each step the same. Momentum, Nesterov and Muon listen
    to μ, Adam and AdamW to β₁ and β₂; RMSProp's α is β₂, for it is the same thing. AdamW's weight decay is 0.5.
    """
    step = widgets.IntSlider(STEPS, min=0, max=STEPS, description="step", layout={"width": "470px"})
    play = widgets.Play(value=STEPS, min=0, max=STEPS, interval=250, show_repeat=False, layout={"width": "80px"})
    widgets.jslink((play, "value"), (step, "value"))
    wide, start = {"layout": {"width": "290px"}}, {"min": -EDGE, "max": EDGE, "step": 0.1, "readout_format": ".1f"}
    explore(
        Track().draw,
        "The paths of three optimizers from one start over the contours of an elongated bowl, and the loss of each "
        "against the step: SGD and Momentum swing from side to side, Adam walks straight to the minimum.",
        presets=QUESTIONS,
        surface=widgets.Dropdown(options=list(SURFACES), description="surface", layout={"width": "230px"}),
        play=play,
        step=step,
        lr=number_slider("learning rate", RATES, STAGE["lr"], **wide),
        **{name: tick(name, STAGE[name]) for name in LOOKS},
        noise=widgets.FloatSlider(0, min=0, max=4, step=0.5, description="noise", readout_format=".1f", **wide),
        momentum=number_slider("momentum μ", KEPT[:7], STAGE["momentum"], **wide),
        beta1=number_slider("β₁", KEPT[:7], STAGE["beta1"], **wide),
        beta2=number_slider("β₂", KEPT, STAGE["beta2"], **wide),
        x=widgets.FloatSlider(STAGE["x"], description="start x", **start, **wide),
        y=widgets.FloatSlider(STAGE["y"], description="start y", **start, **wide),
    )


def tick(name, value):
    """The check box of one racer."""
    look = {"width": "max-content", "margin": "2px 16px 2px 2px"}
    return widgets.Checkbox(value, description=name, indent=False, layout=look)


def stage(*names, **settings):
    """What the controls say when the racers of these names are ticked and the rest is as `settings` say, or usual."""
    usual = {"surface": "elongated bowl", "step": STEPS, "noise": 0, "lr": 0.06, "momentum": 0.9}
    usual |= {"beta1": 0.9, "beta2": 0.99, "x": -1.5, "y": 1.4}
    return usual | {name: name in names for name in LOOKS} | settings


STAGE = stage("SGD", "Momentum", "Adam")
QUESTIONS = {
    "1 the limit": stage("SGD", "Momentum", "Nesterov"),
    "2 one rate for all": stage("SGD", "Momentum", "Adam", lr=0.02),
    "3 first step": stage("RMSProp", "Adam", step=1, lr=0.1),
    "4 bent valley": stage("SGD", "Momentum", "Adam", surface="Rosenbrock"),
    "5 ridge": stage(*LOOKS, surface="saddle", x=-1, y=1),
    "6 noise": stage("SGD", "Momentum", "Adam", surface="round bowl", noise=2),
    "7 plateau": stage("SGD", "Momentum", "RMSProp", "Adam", surface="plateau"),
}


def racers(names, momentum, beta1, beta2):
    """[(class, its settings)] of the racers of these names; none is given what it does not depend on."""
    mu, adam = ("momentum", momentum), ("betas", (beta1, beta2))
    settings = {
        "Momentum": (mu,),
        "Nesterov": (mu,),
        "RMSProp": (("alpha", beta2),),
        "Adam": (adam,),
        "AdamW": (adam, ("weight_decay", DECAY)),
        "Muon": (mu, ("weight_decay", 0.0)),
    }
    return [(getattr(optimizers, name), settings.get(name, ())) for name in names]


@functools.lru_cache(maxsize=1000)
def path(optimizer, settings, surface, noise, lr, start):
    """The points (STEPS + 1, 2) where `optimizer` stands; NaN after the first with a coordinate over 1000.

    It calls the optimizer's `update`, all of `step` but the bookkeeping and the checks, which take longer than that.
    """
    gradient_at = SURFACES[surface].gradient
    noise = (noise * np.random.default_rng(0).standard_normal((STEPS + 1, 2))).tolist()
    points = [[np.nan, np.nan]] * (STEPS + 1)
    with torch.inference_mode():
        parameter = torch.tensor([start], dtype=torch.float32)  # a matrix of one row, since Muon wants one
        gradient, state, stepper = torch.zeros(1, 2), {}, optimizer([parameter], lr=lr, **dict(settings))
        numbers, group = gradient.numpy()[0], stepper.param_groups[0]
        for step, (noise_x, noise_y) in enumerate(noise):
            points[step] = x, y = parameter.tolist()[0]
            if not max(abs(x), abs(y)) <= FAR:
                break
            across, up = gradient_at(x, y)
            numbers[:] = across + noise_x, up + noise_y
            stepper.update(parameter, gradient, state, group)
    return np.array(points)


class Track:
    """The picture of the race: the surface with the paths, the losses, and a row of the table for each racer."""

    def __init__(self):
        self.fig, (self.ground, self.losses) = plots.figure(9, 3.9, columns=2)
        self.stage, self.contours = Stage(self.fig), []
        self.ground.set_position([0.055, 0.13, 0.78 * 3.9 / 9, 0.78])
        self.ground.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), yticks=range(-2, 3))
        self.ground.grid(visible=False)
        self.ground.set_xlabel("x   (○ start, ☆ minimum)", size=SIZE)
        self.ground.set_ylabel("y", size=SIZE, labelpad=-4)
        self.losses.set_position([0.47, 0.13, 0.225, 0.78])
        self.losses.set(yscale="log", xlim=(0, 1.02 * STEPS), ylim=(1e-5, 1e2))
        self.losses.set_yticks([100, 1, 0.01, 0.0001], ["100", "1", "0.01", "0.0001"])
        self.losses.set_title("loss", loc="left", size=SIZE)
        self.losses.set_xlabel(f"step   (a mark every {MARK})", size=SIZE)
        self.racers = {name: Racer(self, name) for name in reversed(LOOKS)}  # the first is drawn last, on top
        self.head = self.fig.text(0.715, 0.94, "", size=SIZE, weight="bold", va="center")
        self.fig.text(0.715, 0.13, LISTENS, size=SIZE, linespacing=1.5)
        (self.goals,) = self.ground.plot([], [], "*", color=plots.BLACK, markerfacecolor="none", markersize=16)
        ring = {"color": plots.BLACK, "markerfacecolor": "white", "markersize": 9, "clip_on": False}
        (self.start,) = self.ground.plot([], [], "o", **ring)

    def draw(self, surface, lr, momentum, beta1, beta2, noise, x, y, step, play=0, **ticked):
        """PNG bytes of the race of the racers `ticked` until `step`; `play` moves the slider of the step."""
        if surface not in self.stage.backgrounds:
            self._new_ground(surface)
        names = [name for name in LOOKS if ticked[name]]
        for name in LOOKS:
            self.racers[name].hide()
        for row, (name, racer) in enumerate(zip(names, racers(names, momentum, beta1, beta2), strict=True)):
            points = path(*racer, surface, noise, lr, (x, y))
            self.racers[name].show(points, SURFACES[surface].function, step, height=0.86 - 0.08 * row)
        self.head.set_text(f"after step {step}" if names else "tick an optimizer")
        self.start.set_data([x], [y])
        self.goals.set_data(*zip(*SURFACES[surface].minima, strict=True))
        moving = [artist for racer in self.racers.values() for artist in racer.artists]
        return self.stage.frame([*moving, self.start, self.goals, self.head], surface)

    def _new_ground(self, name):
        """Make the contours and the formula of a surface that was not drawn before."""
        for artist in self.contours:
            artist.remove()
        surface, side = SURFACES[name], np.linspace(-EDGE, EDGE, 201)
        heights = surface.function(side, side[:, None])
        levels = np.geomspace(0.004, 0.98, 12) * heights.max()
        self.contours = [
            self.ground.contourf(side, side, heights, [0, *levels, np.inf], colors=SHADES, zorder=0),
            self.ground.contour(side, side, heights, levels, colors="#a0a0a0", linewidths=0.6, zorder=0.5),
        ]
        self.ground.set_title(f"loss = {surface.formula}", loc="left", size=SIZE)


class Racer:
    """What one optimizer has in the picture: its path, its losses, a cross where it leaves, and a row of the table."""

    def __init__(self, track, name):
        color, marker = LOOKS[name]
        look = {"color": color, "linewidth": 1.8, "marker": marker, "markersize": 10 if marker in "PX*" else 7.5}
        look |= {"markeredgecolor": "white", "markeredgewidth": 0.6}
        cross = {"color": color, "marker": "x", "markersize": 11, "markeredgewidth": 3, "zorder": 4}
        (self.walk,), (self.curve,) = track.ground.plot([], [], **look), track.losses.plot([], [], **look)
        (self.out,) = track.ground.plot([], [], **cross)
        self.sample = track.fig.add_artist(Line2D([0.715, 0.7275, 0.74], [0, 0, 0], **look, markevery=[1]))
        self.name = track.fig.text(0.75, 0, name, size=SIZE, va="center")
        self.words = track.fig.text(0.998, 0, "", size=SIZE, va="center", ha="right")
        self.artists = [self.walk, self.curve, self.out, self.sample, self.name, self.words]

    def hide(self):
        for artist in self.artists:
            artist.set_visible(False)

    def show(self, points, loss, step, height):
        """Draw the path until `step`, or until it leaves; write how it stands then into the row at `height`."""
        leaves = left_at(points)
        gone = leaves is not None and leaves <= step
        seen = points[: (leaves if gone else step) + 1]
        walked = until_edge(seen) if gone else seen
        self.walk.set_data(*walked.T)
        self.curve.set_data(np.arange(len(seen)), loss(*seen.T))
        for line in (self.walk, self.curve):
            line.set_markevery([*range(MARK, len(seen) - 1, MARK), *([] if gone else [len(seen) - 1])])
        self.out.set_data(*np.clip(walked[-1:], -INSIDE, INSIDE).T if gone else ([], []))
        self.words.set_text(f"✕ left at step {leaves}" if gone else short(loss(*seen[-1])))
        self.sample.set_ydata([height] * 3)
        for artist in (self.name, self.words):
            artist.set_y(height)
        for artist in self.artists:
            artist.set_visible(True)


def left_at(points):
    """The step at which a path leaves the picture, for good or for a place twice as far out; None for all others."""
    far = np.nan_to_num(np.abs(points).max(axis=1), nan=np.inf)
    end = int((far > 2 * EDGE).argmax()) or STEPS
    return int(np.flatnonzero(far[: end + 1] <= EDGE)[-1]) + 1 if far[end] > EDGE else None


def until_edge(points):
    """The path whose last point alone is outside the picture, with that point moved back to the edge."""
    inside, outside = points[-2:]
    way = outside - inside
    moved = way != 0
    share = ((np.sign(way) * EDGE - inside)[moved] / way[moved]).min()
    return np.vstack([points[:-1], inside + share * way])


def short(loss):
    """The loss with two digits."""
    if loss < 1e-5:
        return "under 0.00001"
    return np.format_float_positional(loss, precision=2, unique=False, fractional=False, trim="k").rstrip(".")
