"""Explorers for the lesson on data: the tokens of a text as it is typed, and a text that shrinks merge by merge."""

import html
import re
from functools import partial
from itertools import accumulate, groupby

import ipywidgets as widgets
from IPython.display import display
from traitlets import Unicode

from bmcourse import plots
from bmcourse.live.view import LETTERS, grow, scaled, widget_view

SENTENCE = "Large models 大模型 learn tokens. 🙂"
LONGER = "If the value of the expression is true, the function returns it. 大模型"
MARKS = {" ": "·", "\n": "↵", "\t": "⇥"}
PART = re.compile(r"([^\s+]+) (\d)(–\d)?/(\d)")  # of a character: a space in a name is ours, one of the text is a dot
MOST = 400  # boxes: a page with many more answers slowly
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 162, 34, 34, 625, 135  # of the curve, in pixels


def tokens(tokenizer, text=SENTENCE):
    """Type a text, and see its tokens with their ids below; where the tokenizer refuses a text, see why.

    For each tokenizer of the course. It starts with `text`.
    """
    field = text_field(text)
    show(partial(draw_tokens, tokenizer), partial(draw_tokens, tokenizer, text), [field], field)


def merges(tokenizer, text=LONGER):
    """Move a slider, and see what the first 0, 1, 2, ... merges of a BytePairTokenizer make of a text, typed too.

    It starts with `text`. Raises ValueError for a tokenizer that has none.
    """
    last = len(getattr(tokenizer, "merges", ()))
    if not last:
        raise ValueError(
            f"live.merges shows the merges of a BytePairTokenizer; this {type(tokenizer).__name__} has none. "
            f"Train one with BytePairTokenizer.train, or show this one with live.tokens."
        )
    field = text_field(text)
    look = {"layout": {"width": "480px"}, "style": {"description_width": "initial"}}
    slider = widgets.IntSlider(0, min=0, max=last, description="merges", **look)
    button = widgets.Button(description="next merge in this text", layout={"width": "auto"})
    button.on_click(lambda _: setattr(slider, "value", next_merge(tokenizer, field.value, slider.value)))
    row = widgets.HBox([slider, button], layout={"flex_flow": "row wrap"})
    show(partial(draw_merges, tokenizer), partial(draw_stages, tokenizer, text), [field, row], field, slider)


class TextField(widgets.Textarea):
    """Where a text is typed, also of several lines; what came from the page does not go back to it.

    A page may send half a character, a lone surrogate. Jupyter cannot send one, and would stop before the tokenizer
    says what is wrong.
    """

    value = Unicode().tag(sync=True, echo_update=False)


def text_field(text):
    """The field, with `text` in it. Raises ValueError for a lone surrogate, which no page can be sent."""
    text.encode()
    look = {"layout": {"width": "99%"}, "style": {"description_width": "initial"}}
    return TextField(text, rows=2, description="text", placeholder="Type a text", **look)


def show(draw, still, rows, *controls):
    """Display `rows` of controls over the HTML of `draw(*values)`; a saved notebook keeps what `still()` returns.

    Both return plain text and HTML.
    """
    page = widgets.HTML()

    def update(_=None):
        page.value = explained(draw, *[control.value for control in controls])[1]

    update()
    for control in controls:
        control.observe(update, names="value")
    grow(*controls)
    plain, saved = explained(still)
    saved = f'<div style="font-size: 15px">{saved}</div>'  # of a notebook that nobody has trusted Jupyter reads no more
    box = widgets.VBox([*rows, page]).add_class("bmcourse")
    display({"text/plain": plain, "text/html": saved, **widget_view(box)}, raw=True)


def explained(draw, *values):
    """What `draw(*values)` returns, or in its place the words of its ValueError: they say what to do."""
    try:
        return draw(*values)
    except ValueError as error:
        return str(error), line(str(error))


def line(words):
    """A line of words as HTML."""
    return f'<div style="font-size: {LETTERS}; line-height: 1.6">{html.escape(words)}</div>'


# -------------------------------------------------------------------------------------------------------- the tokens


def draw_tokens(tokenizer, text, made=None):
    """The tokens of a text as (plain text, HTML), with a frame around each token `made`."""
    ids = tokenizer.encode(text)
    names = text_names(tokenizer, ids)
    below = [counts(text, ids), *what_parts_are(names)]
    plain = [" | ".join(names), " ".join(map(str, ids[:MOST])), *below]
    return "\n".join(plain), token_boxes(names, ids, made) + "".join(map(line, below))


def pieces(tokenizer, ids):
    """What each token stands for, as bytes: only a byte-pair token may be part of a character."""
    known = getattr(tokenizer, "tokens", None)
    return [known[i] if known else tokenizer.decode([i]).encode() for i in ids]


def text_names(tokenizer, ids):
    """What a reader sees of the first `MOST` tokens of a text; a part of a character is named after the whole."""
    return visible_in_text(pieces(tokenizer, ids[: MOST + 3]))[:MOST]  # a character reaches at most three tokens on


def token_names(tokenizer, ids):
    """What a reader sees of the first `MOST` of tokens that do not follow each other."""
    return [visible(piece) for piece in pieces(tokenizer, ids[:MOST])]


def visible(piece):
    """Bytes as characters, all of which can be seen; bytes that make up no character are numbers in brackets.

    >>> visible(" 大\\n".encode()), visible("大".encode()[:2])
    ('·大↵', '⟨229 164⟩')
    """
    return visible_in_text([piece])[0]


def visible_in_text(pieces):
    """The pieces of a text as characters that can be seen; a part of one is that character and which of its bytes.

    >>> visible_in_text([b"a", "大".encode()[:2], "大".encode()[2:]])
    ['a', '大 1–2/3', '大 3/3']
    >>> visible_in_text(["大模型".encode()[:7]])
    ['大模⟨229⟩']
    """
    bytes_ = []  # of the text: for each the place of its character, the character, how many bytes that has, and which
    for place, character in enumerate(b"".join(pieces).decode(errors="surrogateescape")):
        size = len(character.encode(errors="surrogateescape"))
        bytes_ += [(place, character, size, number) for number in range(1, size + 1)]
    ends = accumulate(map(len, pieces))
    return [name_of_bytes(bytes_[end - len(piece) : end]) for piece, end in zip(pieces, ends, strict=True)]


def name_of_bytes(bytes_):
    """The name of one piece of `visible_in_text`."""
    names = []
    for (_, character, size), part in groupby(bytes_, lambda byte: byte[:3]):
        numbers = [str(number) for *_, number in part]
        if "\udc80" <= character <= "\udcff":  # which is how surrogateescape writes a byte that is no character
            names.append(f"⟨{ord(character) - 0xDC00}⟩")
        elif len(numbers) == size:
            names.append(seen(character))
        else:
            names.append(f"\0{seen(character)} {'–'.join(sorted({numbers[0], numbers[-1]}))}/{size}\0")
    return "+".join(filter(None, "".join(names).replace("⟩⟨", " ").split("\0")))


def seen(character):
    """The character, or signs for one that cannot be seen."""
    return MARKS.get(character) or (character if character.isprintable() else ascii(character)[1:-1])


def what_parts_are(names):
    """How to read the first name that is a part of a character, as a list of one line, or none."""
    for name in names:
        if part := PART.search(name):
            character, first, last, size = part.groups()
            return [f"{part[0]}: byte{'s' if last else ''} {first}{last or ''} of the {size} bytes of {character}"]
    return []


def token_boxes(names, ids, made):
    """One coloured box for each of `names`, with its id below, as HTML; those of the token `made` have a frame.

    Where a page takes the styles away, `code` and `sub` still tell names and ids apart.
    """
    shown = list(zip(names, ids, (plots.BLUE, plots.ORANGE) * len(names), strict=False))  # there may be more ids
    boxes = " ".join(token_box(name, token, color, token == made) for name, token, color in shown)
    more = f" … and {len(ids) - len(shown)} more" if len(ids) > len(shown) else ""
    return f'<div style="font-size: {LETTERS}; line-height: 1.35">{boxes}{more}</div>'


def token_box(name, token, color, made):
    """One box, and a new line after one that ends with a line break."""
    style = "display: inline-block; margin: 0.2em 0.13em; padding: 0.2em 0.27em; text-align: center"
    frame = f"; outline: 3px solid {plots.RED}" if made else ""
    box = (
        f'<span style="{style}; background: {color}38; border-bottom: 3px solid {color}{frame}">'
        f'<code style="font-size: 1.07em; background: none; color: inherit; padding: 0">{html.escape(name)}</code>'
        f'<sub style="display: block; font-size: 1em; line-height: inherit">{token}</sub></span>'
    )
    return f"{box}<br>" if name.endswith("↵") else box


def counts(text, ids):
    """How long a text is, in one line."""
    ratio = f" · tokens per character: {len(ids) / len(text):.2f}" if text else ""
    return f"characters: {len(text)} · bytes: {len(text.encode())} · tokens: {len(ids)}{ratio}"


# -------------------------------------------------------------------------------------------------------- the merges


def draw_merges(tokenizer, text, count):
    """A text after the first `count` merges under the curve of its lengths, as (plain text, HTML)."""
    lengths = lengths_after_merges(tokenizer, text)
    plain, page = draw_stage(tokenizer, text, count, lengths)
    return plain, curve(lengths, count) + page  # the curve first: the number of boxes does not move it


def draw_stage(tokenizer, text, count, lengths):
    """The last of the first `count` merges, and what they make of a text, as (plain text, HTML)."""
    merge = merge_name(tokenizer, count, lengths)
    plain, page = draw_tokens(type(tokenizer)(tokenizer.merges[:count]), text, made=255 + count if count else None)
    return f"{merge}\n{plain}", line(merge) + page


def draw_stages(tokenizer, text):
    """A text before the merges, after a sixteenth of them and after all, as (plain text, HTML).

    Without the curve: of a notebook that nobody has trusted yet Jupyter shows no SVG.
    """
    lengths, last = lengths_after_merges(tokenizer, text), len(tokenizer.merges)
    stages = [draw_stage(tokenizer, text, count, lengths) for count in sorted({0, last // 16, last})]
    return "\n\n".join(plain for plain, _ in stages), "<br>".join(page for _, page in stages)


def lengths_after_merges(tokenizer, text):
    """The number of tokens of a text after 0, 1, 2, ... all merges, as a list.

    Merges are made in the order in which they were learned. So the tokens after all of them tell which were made: those
    that a token consists of, and each made the text one token shorter.
    """
    shorter, left = [0] * (len(tokenizer.merges) + 1), tokenizer.encode(text)
    shorter[0] = len(text.encode())
    while left:
        number = left.pop() - 255
        if number > 0:
            shorter[number] -= 1
            left += tokenizer.merges[number - 1]
    return list(accumulate(shorter))


def next_merge(tokenizer, text, count):
    """The number of the first merge after `count` that changes the text; `count` if there is none."""
    try:
        lengths = lengths_after_merges(tokenizer, text)
    except ValueError:  # already on the screen
        return count
    return next((number for number in range(count + 1, len(lengths)) if lengths[number] < lengths[count]), count)


def merge_name(tokenizer, count, lengths):
    """What the last of the first `count` merges joins, and how often it does so in the text."""
    if count == 0:
        return "merge 0: none yet, so every byte is a token"
    left, right, both = token_names(tokenizer, [*tokenizer.merges[count - 1], 255 + count])
    here = lengths[count - 1] - lengths[count]
    parts = " (in brackets: bytes that make up no character yet)" if "⟨" in left + right else ""
    return f"merge {count}: '{left}' + '{right}' → '{both}', in this text {f'{here} ×' if here else 'nowhere'}{parts}"


def curve(lengths, count):
    """The number of tokens against merges, and where `count` is, as SVG."""
    x = [LEFT + (RIGHT - LEFT) * merge / (len(lengths) - 1) for merge in range(len(lengths))]
    y = [BOTTOM - (BOTTOM - TOP) * length / max(lengths[0], 1) for length in lengths]
    steps = " ".join(f"H{x[i]:.1f} V{y[i]:.1f}" for i in range(1, len(lengths)) if lengths[i] < lengths[i - 1])
    here = f'x="{x[count] - 8:.1f}" text-anchor="end"' if count > len(lengths) / 2 else f'x="{x[count] + 8:.1f}"'
    words = f"merges: {count} · tokens: {lengths[count]}"
    return f"""<svg role="img" aria-label="{words}; they fall from {lengths[0]} to {lengths[-1]}"
        viewBox="0 0 {WIDTH} {HEIGHT}" style="display: block; width: {scaled(WIDTH)}; max-width: 100%"
        font-size="15" fill="currentColor">
        <path d="M{LEFT} {TOP} V{BOTTOM} H{RIGHT}" fill="none" stroke="currentColor" opacity="0.5"/>
        <path d="M{LEFT} {y[0]:.1f} {steps} H{RIGHT}" fill="none" stroke="{plots.BLUE}" stroke-width="2.5"/>
        <path d="M{x[count]:.1f} {TOP - 24} V{BOTTOM}" stroke="{plots.ORANGE}" stroke-width="1.5"/>
        <circle cx="{x[count]:.1f}" cy="{y[count]:.1f}" r="6" fill="{plots.ORANGE}" stroke="black"/>
        <text {here} y="{TOP - 14}" font-weight="bold">{words}</text>
        <text x="{LEFT - 10}" y="{TOP + 5}" text-anchor="end">{lengths[0]}</text>
        <text x="{LEFT - 10}" y="{BOTTOM + 5}" text-anchor="end">0</text>
        <text x="{LEFT}" y="{BOTTOM + 20}">0</text>
        <text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 20}" text-anchor="middle">merges</text>
        <text x="{RIGHT}" y="{BOTTOM + 20}" text-anchor="end">{len(lengths) - 1}</text></svg>"""
