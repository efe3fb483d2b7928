"""The computation graph: values go forward through it, slopes come back, step by step."""

import operator

import ipywidgets as widgets
from matplotlib.patches import FancyBboxPatch

from bmcourse import plots
from bmcourse.backpropagation import Value
from bmcourse.live.explorer import Stage, explore

SIZE = 12  # of letters, in points
WIDTH, HEIGHT = 1.07, 0.92  # of a box, in inches
INPUTS = ("w", "x", "b", "y")
LAST = 11  # steps: five values forward, the first slope, five values backward


def square(value):
    return value**2


# For each graph what is computed, {name: (formula, function, its inputs)}, and where all of it stands, in inches.
GRAPHS = {
    "one neuron": (
        {
            "p": ("w · x", operator.mul, "wx"),
            "s": ("p + b", operator.add, "pb"),
            "h": ("tanh(s)", Value.tanh, "s"),
            "d": ("h − y", operator.sub, "hy"),
            "L": ("d²", square, "d"),
        },
        {"w": (0.6, 2.6), "x": (0.6, 1.2), "p": (2.16, 2.2), "b": (2.16, 0.7), "s": (3.72, 1.9)}
        | {"h": (5.28, 1.9), "y": (5.28, 0.6), "d": (6.84, 1.6), "L": (8.4, 1.6)},
    ),
    "w used twice": (
        {
            "p": ("w · x", operator.mul, "wx"),
            "t": ("tanh(w)", Value.tanh, "w"),
            "s": ("p + t", operator.add, "pt"),
            "d": ("s − y", operator.sub, "sy"),
            "L": ("d²", square, "d"),
        },
        {"x": (0.65, 0.7), "w": (0.65, 2.0), "p": (2.6, 0.9), "t": (2.6, 2.5), "s": (4.6, 1.9), "y": (4.6, 0.6)}
        | {"d": (6.5, 1.6), "L": (8.3, 1.6)},
    ),
    "tanh of tanh": (
        {
            "p": ("w · x", operator.mul, "wx"),
            "t": ("tanh(p)", Value.tanh, "p"),
            "u": ("tanh(t)", Value.tanh, "t"),
            "v": ("tanh(u)", Value.tanh, "u"),
            "L": ("v − y", operator.sub, "vy"),
        },
        {"w": (0.6, 2.7), "x": (0.6, 1.0), "p": (2.16, 1.9), "t": (3.72, 1.9), "u": (5.28, 1.9), "v": (6.84, 1.9)}
        | {"y": (6.84, 0.6), "L": (8.4, 1.6)},
    ),
}


def graph():
    """Step through a graph: values forward, then slopes backward, each the sum of what its users pass to it."""
    step = widgets.IntSlider(LAST, min=0, max=LAST, description="step", layout={"width": "330px"})
    play = widgets.Play(value=LAST, min=0, max=LAST, interval=1500, show_repeat=False, layout={"width": "80px"})
    widgets.jslink((play, "value"), (step, "value"))
    start = {"w": 0.5, "x": 2.0, "b": -0.6, "y": -0.5}
    look = {"min": -3.0, "max": 3.0, "step": 0.1, "readout_format": ".1f", "layout": {"width": "230px"}}
    explore(
        GraphPicture().draw,
        "A graph of nine boxes for the loss of one neuron, each with its value and below it the slope of the loss for "
        "it, with the local slope on every arrow.",
        graph=widgets.ToggleButtons(options=list(GRAPHS), description="graph", style={"button_width": "140px"}),
        play=play,
        step=step,
        **{name: widgets.FloatSlider(value, description=name, **look) for name, value in start.items()},
    )


def computed(formulas, inputs):
    """{name: Value} of the inputs that the formulas need, and of all that is computed, in order."""
    used = "".join(sources for _, _, sources in formulas.values())
    values = {name: Value(inputs[name]) for name in INPUTS if name in used}
    for name, (_, function, sources) in formulas.items():
        values[name] = function(*(values[source] for source in sources))
    return values


def slopes_so_far(values, passed):
    """{name: slope} after the result has got its 1 and the last `passed` values that were computed passed theirs on."""
    names = {value: name for name, value in values.items()}
    *_, result = values
    slopes = {result: 1.0}
    for name in [name for name, value in reversed(values.items()) if value.inputs][:passed]:
        for source, local in values[name].inputs:
            slopes[names[source]] = slopes.get(names[source], 0.0) + local * slopes[name]
    return slopes


def number(value, digits=3):
    """The value to three digits, with a true minus, and no minus before a zero."""
    return f"{value + 0.0:.{digits}g}".replace("-", "−")


def short_slope(value):
    """Three digits, or two where a small number has a sign or many zeros, so that it fits into its box."""
    words = number(value)
    return words if len(words) <= 6 else number(value, 2 if abs(value) >= 0.001 else 1)


class Box:
    """One value: its formula, its number, and the slope of the result for it."""

    def __init__(self, ax, place):
        x, y = place
        corner = x - WIDTH / 2, y - HEIGHT / 2
        self.frame = ax.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, "round,pad=0,rounding_size=0.1", fc="white"))
        look = {"ha": "center", "va": "center", "size": SIZE}
        self.formula = ax.text(x, y + 0.29, "", weight="bold", **look | {"size": SIZE - 1.5})
        self.value = ax.text(x, y + 0.01, "", color=plots.BLUE, **look)
        self.slope = ax.text(x, y - 0.27, "", color=plots.RED, **look | {"size": SIZE - 1.5})
        self.moving = [self.frame, self.formula, self.value, self.slope]

    def write(self, formula, value, slope, now):
        """Fill the box in; `now` is the one at work, with a thick frame."""
        self.formula.set_text(formula)
        self.value.set_text(value)
        self.slope.set_text(slope)
        self.frame.set(edgecolor=plots.ORANGE if now else plots.GREY, linewidth=4 if now else 1.2)


class GraphPicture:
    """Boxes joined by arrows, what is known of them at a step, and that step in words."""

    def __init__(self):
        self.fig, ax = plots.figure(9, 3.7)
        ax.set_position([0, 0, 1, 1])
        ax.set(xlim=(0, 9), ylim=(0, 3.7))
        ax.axis("off")
        self.ax, self.stage, self.shown, self.boxes, self.locals = ax, Stage(self.fig), None, {}, {}
        self.words = ax.text(0.12, 3.42, "", size=SIZE + 0.5, va="center")

    def draw(self, graph, step, play=0, **inputs):
        """PNG bytes of the graph after `step` steps; `play` moves their slider."""
        formulas, places = GRAPHS[graph]
        if self.shown != graph:
            self._new_graph(graph, formulas, places)
        values = computed(formulas, inputs)
        order, backward = list(formulas), step - len(formulas)
        known = {*order[:step], *(values.keys() - formulas.keys())}
        slopes = slopes_so_far(values, backward - 1) if backward > 0 else {}
        now = ([None, *order, order[-1]] + order[::-1])[step]
        for name, box in self.boxes.items():
            formula = f"{name} = {formulas[name][0]}" if name in formulas else name
            value = number(values[name].data) if name in known else ""
            slope = f"slope {short_slope(slopes[name])}" if name in slopes else ""
            box.write(formula, value, slope, name == now)
        passed = order[::-1][: max(backward - 1, 0)]
        for (source, user), words in self.locals.items():
            local = dict(zip(formulas[user][2], (slope for _, slope in values[user].inputs), strict=True))[source]
            words.set_text(f"×{number(local, 2)}" if user in passed else "")
        self.words.set_text(in_words(formulas, values, backward, now))
        boxes = [artist for box in self.boxes.values() for artist in box.moving]
        return self.stage.frame([*boxes, *self.locals.values(), self.words], graph)

    def _new_graph(self, graph, formulas, places):
        """Draw its arrows and empty boxes; those of the graph before go."""
        for artist in (*self.ax.patches, *self.ax.texts):
            if artist is not self.words:
                artist.remove()
        self.shown = graph
        self.locals = {
            (source, user): self._arrow(places[source], places[user])
            for user, (_, _, sources) in formulas.items()
            for source in sources
        }
        self.boxes = {name: Box(self.ax, place) for name, place in places.items()}

    def _arrow(self, start, end):
        """An arrow from box to box; returns the words on it, still empty."""
        (x0, y0), (x1, y1) = (start[0] + WIDTH / 2, start[1]), (end[0] - WIDTH / 2, end[1])
        look = {"arrowstyle": "-|>", "color": plots.GREY, "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
        self.ax.annotate("", (x1, y1), (x0, y0), arrowprops=look)
        look = {"va": "bottom", "size": SIZE - 1.5, "color": plots.GREEN, "weight": "bold"}
        look["ha"] = "right" if y1 - y0 > 0.6 else "center"  # beside an arrow that rises, above any other
        return self.ax.text((x0 + x1) / 2, (y0 + y1) / 2 + (0.12 if y1 < y0 - 0.2 else 0.06), "", **look)


def in_words(formulas, values, backward, now):
    """The step as a sentence."""
    if now is None:
        return "The inputs are known. Move the step: forward, one box at a time."
    if backward <= 0:
        return f"Forward: {now} = {formulas[now][0]} = {number(values[now].data)}"
    if backward == 1:
        return f"Backward begins at {now}: its own slope is 1."
    before, parts = slopes_so_far(values, backward - 2), []
    for name, (_, local) in zip(formulas[now][2], values[now].inputs, strict=True):
        more = " more" if name in before else ""
        parts.append(f"{name} gets {number(local)} × {number(before[now])} = {number(local * before[now])}{more}")
    return f"Backward: {now} passes on.  " + ",  ".join(parts)
