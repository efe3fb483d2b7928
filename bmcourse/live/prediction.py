"""A question asked before a run: the student chooses an option and locks it, and the run itself says what happened."""

import html

from bmcourse.live.view import widget_view


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
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is None:
            print(self)
            return
        bundle = {"text/plain": repr(self), "text/html": self._html()}
        display(bundle | self._widget_view(), raw=True)

    def answer(self, option):
        """Say what the run found, and how the prediction compares; no option can be chosen after that."""
        if option not in self.options:
            raise ValueError(f"The answer must be one of {', '.join(self.options)}. What came is {option!r}.")
        self._freeze(f"The run says: {option}.")
        if self.chosen is None:
            print(f"You made no prediction. The run says: {option}.")
        elif self.chosen == option:
            print(f"You predicted: {self.chosen}. The run says the same. Well seen!")
        else:
            print(f"You predicted: {self.chosen}. The run says: {option}. A surprise is worth a minute: why is it so?")

    def _html(self):
        options = "".join(f"<li>{html.escape(option)}</li>" for option in self.options)
        return f"<p><b>Your prediction:</b> {html.escape(self.question)}</p><ul>{options}</ul>"

    def _widget_view(self):
        """Make the widgets; returns what a front end finds them by."""
        import ipywidgets as widgets

        wide = widgets.Layout(width="max-content")
        question = widgets.HTML(f"<b>Your prediction:</b> {html.escape(self.question)}")
        self._radio = widgets.RadioButtons(options=self.options, value=self.chosen, layout=wide)
        self._button = widgets.Button(description="Lock it", disabled=True, tooltip="Once locked, it stays")
        self._note = widgets.HTML()
        self._radio.observe(self._on_choice, names="value")
        self._button.on_click(self._lock)
        if self.chosen is not None:
            self._freeze("Locked.")
        box = widgets.VBox([question, self._radio, widgets.HBox([self._button, self._note])])
        return widget_view(box)

    def _on_choice(self, change):
        self._button.disabled = change["new"] is None

    def _lock(self, button):
        if self.chosen is None and self._radio.value is not None and not self._radio.disabled:
            self.chosen = self._radio.value
            self._freeze("Locked. The run will say.")
            self.on_lock(self.chosen)

    def _freeze(self, note):
        """Take no more choices; nothing to do where no widget was made."""
        if self._radio is None:
            return
        self._radio.disabled = self._button.disabled = True
        self._note.value = html.escape(note)


def _checked(options):
    options = list(options)
    if len(options) < 2 or len(set(options)) < len(options) or not all(isinstance(option, str) for option in options):
        raise ValueError(f"A prediction needs two or more different options, each a text. What came is {options}.")
    return options
