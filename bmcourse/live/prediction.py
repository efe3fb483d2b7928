"""A question asked before a run: the student chooses an option and locks it, and the run itself says what happened."""

import base64
import html

from bmcourse import plots
from bmcourse.live.run import notebook_shell

WAITS = "The result stays hidden until you have made your prediction."
_waiting = {}  # {question: what shows its answer}: the cell that asks may have run again since the one that answers


class Prediction:
    """One question with its options, as widgets in a live notebook and as readable text everywhere else.

    `chosen` is the option locked on an earlier day, or None; `on_lock(option)` is called when one is locked.
    Raises `ValueError` for fewer than two options or for the same one twice.
    """

    def __init__(self, question, options, chosen=None, on_lock=lambda option: None):
        self.question, self.options, self.on_lock = question, _checked(options), on_lock
        self.chosen = chosen if chosen in self.options else None
        self._radio = self._button = self._note = None

    def __repr__(self):
        return "\n".join([f"Your prediction: {self.question}", *(f"  ○ {option}" for option in self.options)])

    def show(self):
        """Display the question: the widgets, and beside them the text that a saved notebook keeps."""
        from IPython.display import display

        if not notebook_shell():
            print(self)
            return
        bundle = {"text/plain": repr(self), "text/html": self._html()}
        display(bundle | self._widget_view(), raw=True)

    def answer(self, option, *shown):
        """Say what the run found, with what shows it: pictures (`plots.Picture`) and lines of text.

        Where no option was chosen all of it stays folded, in the notebook until one is chosen or a click asks for it.
        """
        from IPython.display import display

        if option not in self.options:
            raise ValueError(f"The answer must be one of {', '.join(self.options)}. What came is {option!r}.")
        pictures = [part for part in shown if isinstance(part, plots.Picture)]
        lines = [part for part in shown if isinstance(part, str)]
        if self.chosen is None and notebook_shell():
            bundle = {"text/plain": "\n".join([*lines, self._verdict(option)])}
            bundle |= {"text/html": self._folded(option, pictures, lines)} | self._opening(option, pictures, lines)
            display(bundle, raw=True)
        else:
            if notebook_shell():
                display(*pictures)
            print(*lines, self._verdict(option), sep="\n")

    def _verdict(self, option):
        if self.chosen is None:
            return f"Result: {option}."
        if self.chosen == option:
            return f"You predicted: {self.chosen}. That is what happened. Well done!"
        return f"You predicted: {self.chosen}. What happened: {option}. Take a minute: why?"

    def _folded(self, option, pictures, lines):
        """The answer as HTML that a click unfolds: what a saved notebook keeps."""
        images = "".join(f"<p>{_image(picture)}</p>" for picture in pictures)
        summary = f"<summary>{WAITS} Click here to see it anyway.</summary>"
        return f"<details>{summary}{images}{self._text(option, lines)}</details>"

    def _text(self, option, lines):
        return f"<pre>{html.escape(chr(10).join(lines))}</pre>" * bool(lines) + (
            f"<p>{html.escape(self._verdict(option))}</p>"
        )

    def _opening(self, option, pictures, lines):
        """The answer as a box that opens with the choice, or with a click: what a live page shows."""
        import ipywidgets as widgets

        from bmcourse.live import view

        show_me = widgets.Button(description="Show me", tooltip="Show the answer without a prediction")
        box = widgets.HBox([widgets.HTML(WAITS), show_me], layout={"flex_flow": "row wrap"}).add_class("bmcourse")

        def reveal(_=None, chosen=None):
            self.chosen = chosen
            self._freeze("The result has been shown.")
            parts = [view.described(p.alt, view.picture(plots.png(p.fig))) for p in pictures]
            box.children = [widgets.VBox([*parts, widgets.HTML(self._text(option, lines))])]

        _waiting[self.question] = reveal
        show_me.on_click(reveal)
        return view.widget_view(box)

    def _html(self):
        options = "".join(f"<li>{html.escape(option)}</li>" for option in self.options)
        return f"<p><b>Your prediction:</b> {html.escape(self.question)}</p><ul>{options}</ul>"

    def _widget_view(self):
        """Make the widgets; returns what a front end finds them by."""
        import ipywidgets as widgets

        from bmcourse.live.view import widget_view

        wide = widgets.Layout(width="max-content")
        question = widgets.HTML(f"<b>Your prediction:</b> {html.escape(self.question)}")
        self._radio = widgets.RadioButtons(options=self.options, value=self.chosen, layout=wide)
        self._button = widgets.Button(description="Lock it", disabled=True, tooltip="Once locked, it stays")
        self._note = widgets.HTML()
        self._radio.observe(self._on_choice, names="value")
        self._button.on_click(self._lock)
        if self.chosen is not None:
            self._freeze("Locked.")
        box = widgets.VBox([question, self._radio, widgets.HBox([self._button, self._note])]).add_class("bmcourse")
        return widget_view(box)

    def _on_choice(self, change):
        self._button.disabled = change["new"] is None

    def _lock(self, button):
        if self.chosen is None and self._radio.value is not None and not self._radio.disabled:
            self.chosen = self._radio.value
            self._freeze("Locked. The run will show the result.")
            self.on_lock(self.chosen)
            _waiting.pop(self.question, lambda chosen: None)(chosen=self.chosen)

    def _freeze(self, note):
        """Take no more choices; nothing to do where no widget was made."""
        if self._radio is None:
            return
        self._radio.disabled = self._button.disabled = True
        self._note.value = html.escape(note)


def _image(picture):
    """A picture (`plots.Picture`) as HTML, as large as where it is shown by itself."""
    from bmcourse.live import view

    png = plots.png(picture.fig)
    width = view.page_width(png)
    return (
        f'<img alt="{html.escape(picture.alt)}" width="{width}" style="width: {view.scaled(width)}; max-width: 100%" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    )


def _checked(options):
    options = list(options)
    if len(options) < 2 or len(set(options)) < len(options) or not all(isinstance(option, str) for option in options):
        raise ValueError(f"A prediction needs two or more different options, each a text. What came is {options}.")
    return options
