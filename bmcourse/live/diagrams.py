"""How models are built, drawn: boxes for what computes, arrows for what flows, in the course's colours.

Each function returns a figure for `plots.show`. What a step adds is orange; what stood there before is blue.
"""

from matplotlib.patches import FancyBboxPatch

from bmcourse import plots
from bmcourse.plots import GREY

PALE = {plots.BLUE: "#d9e8f3", plots.ORANGE: "#fdf0d5", plots.GREEN: "#d5ede6", GREY: "#eeeeee"}


def canvas(width, height, right, top):
    """A figure of `width` × `height` inches whose axes, not drawn, reach from 0 to `right` and from 0 to `top`."""
    fig, ax = plots.figure(width, height)
    ax.set(xlim=(0, right), ylim=(0, top))
    ax.axis("off")
    return fig, ax


def box(ax, x, y, text, color=plots.BLUE, width=1.5, height=0.8):
    """A box with its middle at (x, y)."""
    corner = x - width / 2, y - height / 2
    shape = FancyBboxPatch(corner, width, height, "round,pad=0,rounding_size=0.1", fc=PALE[color], ec=color, lw=1.6)
    ax.add_patch(shape)
    ax.text(x, y, text, ha="center", va="center")


def ring(ax, x, y, text, color=plots.BLUE, size=17):
    """A small circle with a sign in it: + adds, × multiplies number by number."""
    ax.plot(x, y, "o", ms=size, mfc="white", mec=color, mew=1.6, zorder=5)
    ax.text(x, y, text, ha="center", va="center_baseline", color=color, zorder=6)


def arrow(ax, *points, color=GREY, text="", width=1.4):
    """A line through `points` with a head at its end, and `text` beside the middle of its first part."""
    for start, end in zip(points, points[1:-1], strict=False):
        ax.plot(*zip(start, end, strict=True), color=color, lw=width, solid_capstyle="round")
    style = {"arrowstyle": "-|>", "color": color, "lw": width, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", points[-1], points[-2], arrowprops=style)
    (x, y), (to_x, to_y) = points[:2]
    if text:
        ax.text((x + to_x) / 2, (y + to_y) / 2 + 0.12, text, ha="center", va="bottom", color=GREY)


# ---------------------------------------------------------------- lesson 03


def mlp(sizes=(4, 6, 6, 3)):
    """Layers of neurons: every one is connected with all of the layer before."""
    fig, ax = canvas(6.4, 2.6, len(sizes) - 0.2, 7.4)
    columns = [[(i + 0.4, 3.2 + k - (n - 1) / 2) for k in range(n)] for i, n in enumerate(sizes)]
    for left, right in zip(columns, columns[1:], strict=False):
        for start in left:
            for end in right:
                ax.plot(*zip(start, end, strict=True), color=plots.SKY, lw=0.8, zorder=1)
    names = ["input", *[f"layer {i}\nReLU" for i in range(1, len(sizes) - 1)], f"layer {len(sizes) - 1}\nlogits"]
    for i, (column, name) in enumerate(zip(columns, names, strict=True)):
        color = GREY if i == 0 else plots.BLUE
        ax.plot(*zip(*column, strict=True), "o", ms=13, mfc=PALE[color], mec=color, mew=1.6)
        ax.text(i + 0.4, 7.4, name, ha="center", va="top")
    return fig


def unrolled(steps=4):
    """A recurrent network, drawn once for each step: the same box with the same weights, and the state between."""
    fig, ax = canvas(7.2, 2.3, 2.4 * steps, 4.4)
    for i in range(steps):
        x = 2.4 * i + 1.3
        box(ax, x, 2.2, "RNN cell", width=1.4, height=1.1)
        arrow(ax, (x, 0.7), (x, 1.62))
        ax.text(x, 0.3, f"$x_{i + 1}$", ha="center", va="center")
        arrow(ax, (x, 2.78), (x, 3.7))
        ax.text(x, 4.05, f"$h_{i + 1}$", ha="center", va="center")
        arrow(ax, (x - 1.3 if i == 0 else x - 1.7, 2.2), (x - 0.72, 2.2), color=plots.ORANGE, width=2.2)
    ax.text(0.25, 2.75, "$h_0$", ha="center")
    return fig


def lstm():
    """An LSTM cell: the memory runs along the top, and three gates decide what happens to it."""
    fig, ax = canvas(7.2, 3.1, 9.6, 5.2)
    arrow(ax, (0.3, 4.4), (9.4, 4.4), color=plots.ORANGE, width=2.6)
    ax.text(0.3, 4.75, "$c_{t-1}$: memory", ha="left")
    ax.text(9.4, 4.75, "$c_t$", ha="right")
    ring(ax, 2.1, 4.4, "×")
    ring(ax, 4.6, 4.4, "+")
    ring(ax, 4.6, 3.1, "×")
    ring(ax, 7.4, 2.9, "×")
    for x, text, color in (
        (2.1, "$f$: keep?", plots.GREEN),
        (3.8, "$i$: write?", plots.GREEN),
        (5.4, "$g$: what", plots.BLUE),
        (7.4, "$o$: show?", plots.GREEN),
    ):
        box(ax, x, 1.7, text, color, width=1.45, height=0.75)
        arrow(ax, (x, 0.5), (x, 1.3))
    arrow(ax, (2.1, 2.1), (2.1, 4.1))
    arrow(ax, (3.8, 2.1), (3.8, 3.1), (4.38, 3.1))
    arrow(ax, (5.4, 2.1), (5.4, 3.1), (4.82, 3.1))
    arrow(ax, (4.6, 3.4), (4.6, 4.1))
    arrow(ax, (7.4, 2.1), (7.4, 2.6))
    arrow(ax, (7.4, 4.4), (7.4, 3.2))
    ax.text(7.55, 3.75, "tanh", ha="left", va="center", color=GREY)
    arrow(ax, (7.62, 2.9), (9.4, 2.9))
    ax.text(9.4, 3.15, "$h_t$", ha="right")
    ax.plot([0.3, 7.4], [0.5, 0.5], color=GREY, lw=1.4)
    ax.text(0.3, 0.75, "$x_t$ and $h_{t-1}$", ha="left")
    return fig


# ---------------------------------------------------------------- lesson 04


def lookup(tokens=("the", "cat", "sat"), weights=(0.1, 0.7, 0.2)):
    """One query looks up three keys: the scores become weights, and the weights mix the values."""
    fig, ax = canvas(7.2, 2.9, 9.8, 4.6)
    box(ax, 1.1, 2.2, "query\nof “it”", plots.ORANGE, width=1.6, height=1.1)
    for name, x in (("keys", 3.6), ("weights", 5.9), ("values", 7.6)):
        ax.text(x, 4.5, name, ha="center", va="top", weight="bold")
    for token, weight, y in zip(tokens, weights, (3.5, 2.2, 0.9), strict=True):
        arrow(ax, (1.95, 2.2), (2.75, y), color=plots.ORANGE, width=0.8 + 4 * weight)
        box(ax, 3.6, y, token, width=1.5)
        ax.barh(y, 1.6 * weight, 0.5, left=5.1, color=plots.ORANGE)
        ax.text(5.2 + 1.6 * weight, y, f"{weight:g}", va="center")
        box(ax, 7.6, y, token, plots.GREEN, width=1.2)
        arrow(ax, (8.25, y), (9.0, 2.2), color=plots.GREEN, width=0.8 + 4 * weight)
    ax.text(9.1, 2.2, "mix", va="center")
    return fig


GPT_STEPS = ("embeddings", "attention", "the residual stream", "the MLP", "more blocks", "the head")


def gpt(step):
    """A GPT as far as it is built after `step` of GPT_STEPS, 1 to 6; what this step adds is orange."""
    if not 1 <= step <= len(GPT_STEPS):
        raise ValueError(f"step counts what is built, 1 to {len(GPT_STEPS)}; {step} came.")
    fig, ax = canvas(8.8, 3.0, 13.6, 4.3)
    ax.set_ylim(-0.4, 4.3)

    def color(built):
        return plots.ORANGE if built == step else plots.BLUE if built < step else None

    _embed(ax, color(1))
    if step >= 2:
        _branch(ax, 4.6, "attention", color(2), None if step < 3 else color(3))
    if step >= 4:
        _branch(ax, 7.4, "MLP", color(4), color(4))
    end = {1: 3.6, 2: 3.95, 3: 6.6, 4: 9.4}.get(step, 9.62)
    arrow(ax, (2.75, 1.1), (end, 1.1), color=plots.ORANGE if step == 3 else GREY, width=3 if step >= 3 else 1.6)
    ax.text(3.2, 0.75, "(B, T, C)", ha="center", va="top", color=GREY)
    if step >= 5:
        ax.plot([3.75, 3.75, 9.15, 9.15], [0.75, 0.25, 0.25, 0.75], color=color(5), lw=1.6)
        ax.text(6.5, 0.1, "a block, repeated `layers` times", ha="center", va="top", color=color(5))
    if step >= 6:
        box(ax, 10.2, 1.1, "norm", color(6), width=1.1)
        box(ax, 11.6, 1.1, "head", color(6), width=1.1)
        arrow(ax, (10.76, 1.1), (11.04, 1.1))
        arrow(ax, (12.16, 1.1), (12.6, 1.1))
        ax.text(12.65, 1.1, "logits\n(B, T, V)", va="center")
    return fig


def _embed(ax, color):
    ax.text(0.1, 2.6, "tokens\n(B, T)", va="center")
    box(ax, 2.1, 3.4, "token\nembedding", color, width=1.7, height=1.0)
    box(ax, 2.1, 2.1, "position\nembedding", color, width=1.7, height=1.0)
    arrow(ax, (0.95, 2.75), (1.22, 3.3))
    arrow(ax, (0.95, 2.45), (1.22, 2.1))
    arrow(ax, (2.98, 3.4), (3.2, 3.4), (3.2, 1.5), (2.75, 1.1))
    arrow(ax, (2.1, 1.58), (2.45, 1.25))
    ring(ax, 2.6, 1.1, "+", color)


def _branch(ax, x, name, color, stream):
    """A norm and `name` above the stream: they read it at x - 0.6, and what they find is added at x + 1.3."""
    box(ax, x, 2.2, "norm", color, width=1.0, height=0.7)
    box(ax, x, 3.5, name, color, width=1.7, height=0.8)
    arrow(ax, (x - 0.6, 1.1), (x - 0.2, 1.82), color=color)
    arrow(ax, (x, 2.57), (x, 3.07), color=color)
    if stream is None:
        arrow(ax, (x + 0.87, 3.5), (x + 1.6, 3.5), color=color)
    else:
        arrow(ax, (x + 0.87, 3.5), (x + 1.3, 3.5), (x + 1.3, 1.35), color=color)
        ring(ax, x + 1.3, 1.1, "+", stream)


# ---------------------------------------------------------------- lesson 15


def lora():
    """LoRA: a large matrix that is frozen, and beside it two thin ones that learn."""
    fig, ax = canvas(7.2, 2.8, 10.4, 4.4)
    ax.text(0.5, 2.2, "$x$\n$n$ numbers", ha="center", va="center")
    box(ax, 3.4, 3.3, "$W$, frozen\n$m × n$", GREY, width=2.4, height=1.6)
    box(ax, 2.6, 0.9, "$A$\n$r × n$", plots.ORANGE, width=1.7, height=0.7)
    box(ax, 5.4, 0.9, "$B$\n$m × r$", plots.ORANGE, width=0.8, height=1.5)
    arrow(ax, (1.2, 2.4), (2.15, 3.3))
    arrow(ax, (1.2, 2.0), (1.7, 0.9))
    arrow(ax, (3.5, 0.9), (4.95, 0.9), text="$r$ numbers")
    arrow(ax, (4.65, 3.3), (7.3, 3.3), (7.75, 2.5))
    arrow(ax, (5.85, 0.9), (7.3, 0.9), (7.75, 1.95), color=plots.ORANGE)
    ax.text(6.5, 1.05, "× α / r", ha="center", va="bottom", color=GREY)
    ring(ax, 7.9, 2.2, "+")
    arrow(ax, (8.15, 2.2), (8.9, 2.2))
    ax.text(9.6, 2.2, "$y$\n$m$ numbers", ha="center", va="center")
    return fig
