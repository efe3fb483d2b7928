"""An explorer for the lesson on inference: the next token's probabilities, under sliders, while text is written."""

import asyncio
import html

import ipywidgets as widgets
import torch
from IPython.display import display

from bmcourse import plots
from bmcourse.inference import check_prompt, evaluating, process_logits, sample
from bmcourse.live import view
from bmcourse.live.curve import GREY
from bmcourse.live.data import line, text_field, text_names, token_names, visible
from bmcourse.live.letters import drawable, font_names

TEXT = "The value of"
ROWS = 10  # tokens with a bar; the others share one
COUNT, PAUSE = 40, 0.1  # tokens written at a press, and seconds between two: time to read, and to move a slider
MOST, JUMP = 80, 40  # at most so many tokens of the text have a button; of a longer text the first JUMP have none
KEPT, TAIL = 5, 60  # branches, and how many characters of each are shown
ROW = view.scaled(28, least=22)  # from one bar to the next
BAR = f"min({view.scaled(250)}, 20vw)"  # the longest bar
SHORT = 0.2  # where the bars' axis ends, if the model is so unsure that none is longer; else at 1


def next_token(model, tokenizer, text=TEXT):
    """See the likeliest next tokens of a text as bars, and what temperature, top-k, top-p and min-p make of them.

    Let the model write, and move the sliders as it does. A click on a bar's token appends it; a click on a token of the
    text takes the text back to where it stood, and what it was is kept below.

    Raises ValueError when model and tokenizer do not belong together, and for a text the model cannot go on from.
    """
    known, expected = tokenizer.vocabulary_size, model.config.vocabulary_size
    if known != expected:
        raise ValueError(
            f"The tokenizer has {known} tokens and the model {expected}; they do not belong together. "
            f"Pass the tokenizer that the model was trained with."
        )
    Desk(model, tokenizer, text).show()


# ------------------------------------------------------------------------------------------------ what comes next


@torch.no_grad()
def next_logits(model, ids):
    """The logits (V,) of the token that follows `ids`, of which the model reads as many as its context holds."""
    tokens = torch.tensor([ids[-model.config.context :]], device=model.head.weight.device)
    with evaluating(model):
        return model(tokens)[0, -1].float().cpu()


def candidates(before, after):
    """The likeliest tokens by the model, [(id, probability before, after)]; the last, (None, ...), is all the others.

    `before` (V,) are the model's probabilities, and `after` (V,) those under the settings, which keep the order.
    """
    order = before.argsort(descending=True)
    top, others = order[:ROWS], order[ROWS:]
    rows = zip(top.tolist(), before[top].tolist(), after[top].tolist(), strict=True)
    return [*rows, (None, before[others].sum().item(), after[others].sum().item())]


def bars(rows):
    """A bar for each of the rows as HTML: solid under the settings, and pale behind it by the model alone.

    Below them stands where their axis ends: it has room for the longest bar of a token.
    """
    end = SHORT if max(max(before, after) for _, before, after in rows[:-1]) <= SHORT else 1
    look = f"width: {BAR}; display: flex; justify-content: space-between"
    axis = f'<div style="{look}"><span>0</span><span>{end:.0%}</span></div>'
    return f'<div style="font-size: {view.LETTERS}">{"".join(bar(*row, end) for row in rows)}{axis}</div>'


def bar(token, before, after, end):
    """One row; a token that is never drawn has only the pale bar, and a bar that is too long an arrow."""
    numbers = f"<b>{after:.1%}</b>" if after else "never drawn"
    whose = "" if token is not None else "all others: "
    pale = f"top: 12%; height: 72%; width: {min(before / end, 1):.2%}; background: {plots.SKY}60"
    pale += f"; border: 1px solid {plots.SKY}; box-sizing: border-box"  # seen on black, too
    solid = f"top: 27%; height: 42%; width: {min(after / end, 1):.2%}; background: {plots.BLUE}"
    arrow = "→ " if max(before, after) > end else ""
    return (
        f'<div style="height: {ROW}; line-height: {ROW}; display: flex; white-space: nowrap">'
        f'<div style="position: relative; width: {BAR}; border-left: 1px solid {GREY}">'
        f'<div style="position: absolute; {pale}"></div><div style="position: absolute; {solid}"></div></div>'
        f'<div style="padding-left: 8px">{arrow}{whose}{numbers} (model: {before:.1%})</div></div>'
    )


def still(rows, names):
    """The bars as PNG bytes, for the saved notebook."""
    (fig, ax), fonts = plots.figure(7, 3.6), list(font_names())
    ax.barh(range(len(rows)), [round(before, 4) for _, before, _ in rows], color=plots.BLUE, height=0.62)
    ax.set_yticks(range(len(rows)), [drawable(name, fonts) for name in names], family=fonts, size=11)
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlabel="probability of being the next token")
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    return plots.png(fig)


# ------------------------------------------------------------------------------------------------------ the text


class Draft:
    """A text as a list of ids that grows, and the branches that were left: such lists, the last one first."""

    def __init__(self, prompt):
        self.ids, self.prompt, self.there, self.branches = prompt, prompt, None, []

    def is_prompt(self, place):
        """Whether the token at this place, and all before it, are those of the prompt."""
        return self.ids[: place + 1] == self.prompt[: place + 1]

    def append(self, token):
        self.ids, self.there = [*self.ids, token], None

    def restart(self, prompt):
        """Begin with another prompt; the text is kept if something was written."""
        if self.is_prompt(len(self.ids) - 1):
            self.ids = prompt
        self.go_to(prompt)
        self.prompt = prompt

    def cut(self, index):
        """Take the text back to before its token `index`, and remember in `there` which one it was."""
        there = self.ids[index]
        self.go_to(self.ids[:index])
        self.there = there

    def go_to(self, ids):
        """Go on with other ids, and keep the text, unless it is the beginning of them or of another branch."""
        kept, self.there = [], None
        for branch in (self.ids, *self.branches):
            if not any(longer[: len(branch)] == branch for longer in (ids, *kept)):
                kept.append(branch)
        self.ids, self.branches = ids, kept[:KEPT]


class Pool:
    """Buttons in a row, of which as many are shown as there are words; a click calls `press` with its place."""

    def __init__(self, press, width="auto"):
        self.press, self.buttons = press, []
        self.layout = widgets.Layout(width=width, height=f"calc({ROW} - 4px)", margin="2px", padding="0 5px")

    def show(self, words, styles=()):
        """The buttons with these words, and in these styles if there are any."""
        for number in range(len(self.buttons), len(words)):
            self.buttons.append(widgets.Button(layout=self.layout))
            self.buttons[number].on_click(lambda _, number=number: self.click(number))
        self.shown = self.buttons[: len(words)]
        for button, description in zip(self.shown, words, strict=True):
            button.description = description
        for button, style in zip(self.shown, styles, strict=False):
            button.style = style
        return self.shown

    def click(self, number):
        """A page that lags behind may send a click on a button that is gone: it does nothing."""
        if number < len(self.shown):
            self.press(number)


def sampling_sliders():
    """A slider for each setting of process_logits that the explorer has, all where they change nothing."""

    def look(name, width):
        return {"description": name, "style": {"description_width": "initial"}, "layout": {"width": f"{width}px"}}

    sizes = [*((str(k), k) for k in (1, 2, 3, 5, 10, 20, 50, 100)), ("all", 0)]
    return {
        "temperature": widgets.FloatSlider(1, min=0, max=2, step=0.05, **look("temperature", 300)),
        "top_k": widgets.SelectionSlider(options=sizes, value=0, **look("top-k", 250)),
        "top_p": widgets.FloatSlider(1, min=0.05, max=1, step=0.05, **look("top-p", 255)),
        "min_p": widgets.FloatSlider(0, min=0, max=0.5, step=0.01, **look("min-p", 255)),
    }


class Desk:
    """The controls, the text as buttons, and the bars of what may come next."""

    def __init__(self, model, tokenizer, text):
        self.model, self.tokenizer, self.generator = model, tokenizer, torch.Generator().manual_seed(0)
        self.draft, self.read, self.timer, self.left = Draft(self.checked(text)), None, None, 0
        self.field, self.problem, self.reading = text_field(text), widgets.HTML(), widgets.HTML()
        self.sliders = sampling_sliders()
        # what was written, and the prompt
        self.styles = [widgets.ButtonStyle(button_color=color) for color in (f"{plots.ORANGE}60", f"{plots.SKY}60")]
        self.tokens, self.choices, self.returns = Pool(self.cut), Pool(self.choose, view.scaled(150)), Pool(self.go_to)
        self.text = widgets.HBox(layout={"flex_flow": "row wrap"}).add_class("bmcourse-text")
        self.column = widgets.VBox(layout={"flex": f"0 0 {view.scaled(160)}"})
        self.branches = widgets.VBox(layout={"align_items": "flex-start"})
        self.bars, self.kept = widgets.HTML(), widgets.HTML()

    def show(self):
        """Display it; a saved notebook keeps the bars as they are before a slider is moved."""
        self.redraw()
        for slider in self.sliders.values():
            slider.observe(lambda _: self.do(), names="value")
        self.field.observe(self.typed, names="value")
        acts = {f"write {COUNT} tokens": self.write, "write one": self.add, "stop": self.stop}
        buttons = [widgets.Button(description=words, layout={"width": "auto"}) for words in acts]
        for button in buttons:
            button.on_click(lambda pressed: self.do(acts[pressed.description]))
        view.grow(*self.sliders.values())
        controls = widgets.HBox([*self.sliders.values(), *buttons], layout={"flex_flow": "row wrap"})
        table = widgets.VBox([widgets.HBox([self.column, self.bars]), self.kept, self.branches])
        text = widgets.VBox([self.text, self.reading], layout={"flex": "1 1 300px"})
        sides = widgets.HBox([table, text], layout={"flex_flow": "row wrap"})
        alt = "The likeliest next tokens of a text as bars, the likeliest first; the last bar is all others together."
        box = view.described(alt, self.field, self.problem, controls, sides)
        bundle = {"text/plain": alt, "image/png": still(self.rows, self.names()), **view.widget_view(box)}
        display(bundle, raw=True, metadata={"image/png": {"alt": alt}})

    # ---- what a reader does

    def do(self, act=lambda: None):
        """Act and draw anew. An error is shown, ends the writing, and is raised, so that no test misses it."""
        try:
            act()
            self.problem.value = ""
            self.redraw()
        except Exception as error:
            self.stop()
            self.problem.value = f"{type(error).__name__}: the model could not go on. Run this cell again."
            raise

    def typed(self, change):
        """Begin with the text of the field, or say what is wrong with it."""
        self.stop()
        try:
            ids = self.checked(change.new)
        except ValueError as error:
            self.problem.value = f"<b>{html.escape(str(error))}</b>"
        else:
            self.do(lambda: self.draft.restart(ids))

    def checked(self, text):
        """The ids of a text. Raises ValueError for one that the tokenizer or the model cannot begin with."""
        ids = self.tokenizer.encode(text)
        check_prompt(self.model, ids)
        return ids

    def write(self):
        """Begin to write."""
        self.stop()
        self.left = COUNT
        self.go_on()

    def go_on(self):
        """Write a token, and come back for the next one after a pause, in which the kernel hears what the page says."""
        self.add()
        self.left -= 1
        if self.left:
            self.timer = asyncio.get_running_loop().call_later(PAUSE, self.do, self.go_on)

    def stop(self):
        if self.timer:
            self.timer.cancel()

    def add(self):
        """Let the model write one token under the sliders as they are now."""
        self.draft.append(sample(self.processed(), self.generator).item())

    def choose(self, number):
        """Append the token of a bar."""
        self.do(lambda: self.draft.append(self.rows[number][0]))

    def cut(self, number):
        """Take the text back to before a token of it."""
        self.stop()
        self.do(lambda: self.draft.cut(self.first() + number))

    def go_to(self, number):
        """Go on with a branch that was left."""
        self.stop()
        self.do(lambda: self.draft.go_to(self.draft.branches[number]))

    # ---- what a reader sees

    def settings(self):
        """The sliders as process_logits takes them: one at the end where it changes nothing is left out."""
        values = {name: slider.value for name, slider in self.sliders.items()}
        without = {"top_k": 0, "top_p": 1, "min_p": 0}
        return {name: value for name, value in values.items() if value != without.get(name)}

    def logits(self):
        """The model's logits (V,) for what comes next; the model is asked only when the text is another one."""
        if self.read != self.draft.ids:
            self.read, self.answer = self.draft.ids, next_logits(self.model, self.draft.ids)
        return self.answer

    def processed(self):
        """The logits (V,) under the sliders."""
        return process_logits(self.logits(), torch.tensor(self.draft.ids), **self.settings())

    def first(self):
        """The first token of the text that has a button. It moves seldom: all buttons change when it does."""
        return max(0, -(-(len(self.draft.ids) - MOST) // JUMP)) * JUMP

    def names(self):
        """What the rows are called."""
        return [*token_names(self.tokenizer, [token for token, *_ in self.rows[:-1]]), "all others"]

    def redraw(self):
        """Show the text and the bars as they are now."""
        ids, first = self.draft.ids, self.first()
        before, after = self.logits().softmax(dim=-1), self.processed().softmax(dim=-1)
        self.rows = candidates(before, after)
        styles = [self.styles[self.draft.is_prompt(place)] for place in range(first, len(ids))]
        self.text.children = self.tokens.show(text_names(self.tokenizer, ids[first:]), styles)
        self.tokens.buttons[0].disabled = first == 0  # nothing to go on from; bmcourse-text keeps it from fading
        self.reading.value = reading(self.tokenizer.decode(ids[first:]))
        pairs = zip(self.names(), self.rows[:-1], strict=False)  # the others have no button
        self.column.children = self.choices.show([f"{name} {token}" for name, (token, *_) in pairs])
        self.bars.value = bars(self.rows)
        self.kept.value = line(self.words(before, after))
        tails = [visible(self.tokenizer.decode(branch).encode())[-TAIL:] for branch in self.draft.branches]
        self.branches.children = self.returns.show([f"↩ … {tail}" for tail in tails])

    def words(self, before, after):
        """A line on what can be drawn, and on the token that stood here before the text was taken back."""
        drawn = after > 0
        words = f"{drawn.sum()} of {len(after)} tokens can be drawn: the model gives them {before[drawn].sum():.1%}."
        if self.draft.there is None:
            return words
        [name] = token_names(self.tokenizer, [self.draft.there])
        return f"{words} Here stood '{name}' ({before[self.draft.there]:.1%})."


def reading(text):
    """The text as one reads it, as HTML."""
    look = f"white-space: pre-wrap; line-height: 1.4; font-size: {view.LETTERS}"
    return f'<div style="{look}">{html.escape(text)}</div>'
