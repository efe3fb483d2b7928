"""An explorer of attention weights: hover a token, and see how much it takes of every token."""

import base64
import html
import io

import ipywidgets as widgets
import numpy as np
import torch
from IPython.display import display
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Rectangle
from PIL import Image

from bmcourse import plots
from bmcourse.live.data import visible
from bmcourse.live.letters import drawable, font_names
from bmcourse.live.view import LETTERS, described, grow, picture_metadata, widget_view

MOST = 64  # tokens: the heat map of more does not fit on a page
HIGH, LINE = 300, 15  # the map, where it can be, and a line of its names, in pixels of a window of 1280 × 720
FRAME = f"2px solid {plots.RED}"

# Everything is done by the page itself. The chosen token is the one under the mouse or, without one, the one that was
# clicked or reached with the arrow keys, a radio button. It hands its weight in per cent, --p, to every box.
LOOK = """
.VIEW { font-size: LETTERS; line-height: 1.35; overflow-x: auto; padding: 0 3px 3px }
.VIEW .box { position: relative; display: inline-block; min-width: 2.4em; margin: 3px 1px; padding: 3px 4px;
    text-align: center; cursor: pointer; --strength: sqrt(var(--p) / 100); border: 1px solid GREY;
    background: color-mix(in srgb, BLUE calc(100% * var(--strength)), white);
    color: hsl(0 0% calc((var(--p) - 80) * 100%)) }
.VIEW .box code { font-size: 1.07em; background: none; color: inherit; padding: 0; white-space: pre }
.VIEW .box::after { display: block; counter-reset: percent var(--p); content: counter(percent) "%" }
.VIEW input { position: absolute; opacity: 0 }
.VIEW .maps { display: flex; flex-wrap: wrap; gap: 0.8em 2.4em; align-items: flex-start; margin-top: 8px }
.VIEW .chart { display: grid; grid-template-columns: max-content max-content; line-height: CELL }
.VIEW .rows, .VIEW .map { display: grid; grid-auto-rows: CELL }
.VIEW .columns { display: grid; grid-auto-flow: column; grid-auto-columns: CELL; align-items: end }
.VIEW .chart span { max-width: 5.6em; overflow-x: clip; text-overflow: ellipsis; white-space: pre;
    text-align: right; padding: 0 4px }
.VIEW .columns span { max-width: none; max-height: 5.6em; overflow: visible clip; padding: 4px 0;
    writing-mode: vertical-rl; text-orientation: sideways; transform: rotate(180deg); text-align: left }
.VIEW .map { width: SIZE; background-size: 100% 100%; image-rendering: pixelated; box-shadow: 0 0 0 1px GREY }
.VIEW .q { cursor: pointer }
.VIEW .heads { display: grid; gap: 6px; align-items: center; justify-items: center }
.VIEW .heads img { width: THUMB; height: THUMB; box-shadow: 0 0 0 1px GREY; image-rendering: pixelated }
"""
HINT = (
    "Hover or tap a token, or a row of the map: every token shows how much of it the framed one takes. "
    "The darker, the more."
)


def attention(weights, tokens, layer=0, head=0):
    """Hover a token, and see how much of every token it takes, in per cent; choose the layer and the head.

    `weights` are (layers, heads, T, T), or a list of (heads, T, T), one for each layer: a row for each token that
    looks, a column for each token looked at. `tokens` are T strings, at most 64. What a token takes is shown by the
    page alone: it needs no kernel. A saved notebook keeps the picture of the first `layer` and `head`.
    Raises ValueError for weights of another shape or outside 0 to 1, for other tokens, and for an unknown head.
    """
    weights = check_weights(weights)
    names = token_names(tokens, weights.shape[-1])
    check_head(weights, layer, head)
    shown = widgets.HTML()
    view = f"attention-{shown.model_id}"
    chosen = [choice("layer", len(weights), layer), choice("head", weights.shape[1], head)]

    def update(_=None):
        shown.value = head_style(view, weights, *(buttons.value for buttons in chosen))

    update()
    for buttons in chosen:
        buttons.observe(update, names="value")
    alt, row = alt_text(weights, layer, head), widgets.HBox(chosen, layout={"flex_flow": "row wrap"})
    box = described(alt, row, widgets.HTML(page(view, weights, names)), shown)
    png = picture(weights, names, layer, head)
    bundle = {"text/plain": alt, "image/png": png, **widget_view(box)}
    display(bundle, raw=True, metadata=picture_metadata(png, alt))


def choice(description, count, value):
    """One button for each number from 0."""
    options = [(str(number), number) for number in range(count)]
    look = {
        "style": {"button_width": "44px", "description_width": "48px"},
        "layout": {"display": "flex", "margin": "2px 24px 2px 2px"},
    }
    buttons = widgets.ToggleButtons(options=options, value=value, description=description, **look)
    grow(buttons)
    return buttons


def alt_text(weights, layer, head):
    layers, heads, T, _ = weights.shape
    return (
        f"Attention weights of layer {layer}, head {head} as a heat map: one row for each of {T} tokens, one column "
        f"for each token that it looks at; beside it, small, the maps of all {layers} × {heads} heads."
    )


# ------------------------------------------------------------------------------------------------- what may come in


def check_weights(weights):
    """The weights as one float tensor (layers, heads, T, T). Raises ValueError for another shape, or no weights."""
    shapes = [tuple(layer.shape) for layer in weights]
    if not shapes or len(set(shapes)) > 1 or len(shapes[0]) != 3 or shapes[0][1] != shapes[0][2] or 0 in shapes[0]:
        raise ValueError(
            f"Each layer's weights must be (heads, T, T), the same for all layers; what came is {shapes}. "
            f"Pass weights[None] for one layer, weights[None, None] for one head, and one text at a time."
        )
    weights = torch.stack([layer.detach().float().cpu() for layer in weights])
    if weights.shape[-1] > MOST:
        raise ValueError(
            f"The text has {weights.shape[-1]} tokens; live.attention shows at most {MOST}. "
            f"Pass a part of it: weights[:, :, :{MOST}, :{MOST}] and tokens[:{MOST}]."
        )
    if not ((weights >= 0) & (weights <= 1.001)).all():  # and NaN is neither
        raise ValueError(
            f"Attention weights lie between 0 and 1; these go from {weights.min():.3g} to {weights.max():.3g}. "
            f"Pass the weights behind the softmax, not the scores before it."
        )
    return weights


def token_names(tokens, T):
    """What a reader sees of the tokens. Raises ValueError unless they are T strings."""
    if len(tokens) != T or not all(isinstance(token, str) for token in tokens):
        kinds = ", ".join(sorted({type(token).__name__ for token in tokens}))
        raise ValueError(
            f"The weights are for {T} tokens, so {T} strings are needed; {len(tokens)} of {kinds or 'nothing'} came. "
            f"Pass the tokens as text, such as [tokenizer.decode([i]) for i in ids]."
        )
    return [visible(token.encode(errors="surrogatepass")) for token in tokens]


def check_head(weights, layer, head):
    layers, heads = weights.shape[:2]
    if not (0 <= layer < layers and 0 <= head < heads):
        raise ValueError(
            f"There is no layer {layer}, head {head}: layers go from 0 to {layers - 1}, heads from 0 to {heads - 1}."
        )


# ---------------------------------------------------------------------------------------------------------- the page


def page(view, weights, names):
    """The tokens, the heat map without its picture, and the small maps of all heads, as HTML of the class `view`."""
    names = [html.escape(name) for name in names]
    boxes = " ".join(token_box(view, number, name, number == len(names) - 1) for number, name in enumerate(names))
    every = -(-LINE // cell_size(len(names)))  # a name has no room in a narrower row
    labels = [name if number % every == 0 else "" for number, name in enumerate(names)]
    rows = "".join(f'<span class="q q{number}">{name}</span>' for number, name in enumerate(labels))
    columns = "".join(f"<span>{name}</span>" for name in labels)
    strips = "".join(f'<i class="q q{number}"></i>' for number in range(len(names)))
    return (
        f"<style>{style(view, len(names))}</style>"
        f'<div class="{view}"><div>{boxes}</div><div>{HINT}</div>'
        f'<div class="maps"><div class="chart"><span></span><div class="columns">{columns}</div>'
        f'<div class="rows">{rows}</div><div class="map">{strips}</div></div>{small_maps(weights)}</div></div>'
    )


def token_box(view, number, name, checked):
    """One token: a radio button, of which only the label is seen, and under it the per cent from the style."""
    keys = "data-lm-suppress-shortcuts"  # else JupyterLab takes the arrow keys to go to another cell
    radio = f'<input type="radio" name="{view}" {keys}{" checked" if checked else ""}>'
    return f'<label class="box q q{number} k{number}">{radio}<code>{name}</code></label>'


def style(view, T):
    """The rules of a view: its look, and for each token what happens when it is the chosen one."""
    cell = cell_size(T)
    sizes = {name: f"{pixels / 15:.4g}em" for name, pixels in (("CELL", cell), ("SIZE", cell * T), ("THUMB", 64))}
    look = LOOK
    for name, value in (sizes | {"LETTERS": LETTERS, "VIEW": view, "BLUE": plots.BLUE, "GREY": "#999999"}).items():
        look = look.replace(name, str(value))
    return look + "".join(chosen_token(view, number) for number in range(T))


def cell_size(T):
    """How many pixels of the map a weight takes: the map and all above it shall fit into a window."""
    return min(max(HIGH // T, 6), 30)


def chosen_token(view, number):
    """The rules for when token `number` is under the mouse, or no token is and it is the one last clicked."""
    here = f".{view}:is(:has(.q{number}:hover), :not(:has(.q:hover)):has(.q{number} :checked))"
    return f"{here} .box {{ --p: var(--p{number}) }} {here} .q{number} {{ outline: {FRAME} }}\n"


def small_maps(weights):
    """The heat maps of all heads, a row for each layer, as HTML."""
    heads = weights.shape[1]
    cells = ["", *(f"head {head}" if head == 0 else str(head) for head in range(heads))]
    for layer, maps in enumerate(weights):
        cells.append(f"layer {layer}")
        for head, one in enumerate(maps):
            cells.append(f'<img class="l{layer}h{head}" alt="layer {layer}, head {head}" src="{data_uri(one)}">')
    columns = f"grid-template-columns: repeat({heads + 1}, max-content)"
    return f'<div class="heads" style="{columns}">{"".join(f"<div>{cell}</div>" for cell in cells)}</div>'


def head_style(view, weights, layer, head):
    """What depends on the head, as one style sheet: every weight in per cent, the heat map, a frame in the small maps.

    `--p3` of a box is what token 3 takes of its token.
    """
    percent = (100 * weights[layer, head].T).round().int().tolist()  # (looked at, looking)
    rules = [
        f".{view} .k{key} {{ {'; '.join(f'--p{query}: {p}' for query, p in enumerate(column))} }}"
        for key, column in enumerate(percent)
    ]
    rules.append(f".{view} .map {{ background-image: url({data_uri(weights[layer, head])}) }}")
    rules.append(f".{view} .l{layer}h{head} {{ outline: {FRAME}; outline-offset: 2px }}")
    return f"<style>{' '.join(rules)}</style>"


def data_uri(weights):
    """The weights (T, T) as a picture of T × T pixels, from white for 0 to blue for 1, by their square roots.

    Most weights are small; their roots can be told apart.
    """
    shades = 1 + weights.sqrt()[..., None] * (torch.tensor(to_rgb(plots.BLUE)) - 1)  # (T, T, 3)
    file = io.BytesIO()
    Image.fromarray((255 * shades).round().byte().numpy()).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


# ------------------------------------------------------------------------------------------------------- the picture


def picture(weights, names, layer, head):
    """The heat map of one head, with its numbers where they fit, beside the small ones of all: PNG bytes."""
    fig, (left, right) = plots.figure(9, 4.4, columns=2)
    fonts, T = list(font_names()), len(names)
    every = -(-T // 20)  # a name has no room in a narrower row
    look = {"cmap": LinearSegmentedColormap.from_list("", ["white", plots.BLUE]), "vmin": 0, "vmax": 1}
    left.imshow(weights[layer, head].sqrt().numpy(), **look)
    labels = [drawable(name[:12], fonts) for name in names[::every]]
    left.set_xticks(range(0, T, every), labels, rotation=90, family=fonts)
    left.set_yticks(range(0, T, every), labels, family=fonts)
    left.set(title=f"layer {layer}, head {head}", xlabel="looked at", ylabel="looks")
    if T <= 10:
        write_percent(left, weights[layer, head])
    right.imshow(mosaic(weights).sqrt().numpy(), **look)
    layers, heads = weights.shape[:2]
    right.set_xticks([T / 2 + (T + gap(T)) * one for one in range(heads)], range(heads))
    right.set_yticks([T / 2 + (T + gap(T)) * one for one in range(layers)], range(layers))
    right.set(title="all heads", xlabel="head", ylabel="layer")
    corner = (T + gap(T)) * head - 0.5, (T + gap(T)) * layer - 0.5
    right.add_patch(Rectangle(corner, T, T, fill=False, edgecolor=plots.RED, linewidth=2.5, clip_on=False))
    for ax in (left, right):
        ax.grid(visible=False)
    return plots.png(fig, plots.SHARP * plots.INCH)


def write_percent(ax, weights):
    """Write each weight (T, T) into its cell, in per cent."""
    for (row, column), weight in np.ndenumerate(weights.numpy()):
        color = "white" if weight > 0.6 else "black"
        ax.text(column, row, f"{100 * weight:.0f}", ha="center", va="center", color=color)


def mosaic(weights):
    """The maps (layers, heads, T, T) as one, with gaps between them that are not a number, and so are not drawn."""
    T = weights.shape[-1]
    space = gap(T)
    padded = torch.nn.functional.pad(weights, (0, space, 0, space), value=torch.nan)
    return padded.transpose(1, 2).flatten(2).flatten(0, 1)[:-space, :-space]


def gap(T):
    """Cells between two maps."""
    return max(1, T // 8)
