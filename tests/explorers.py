"""What the tests of explorers share: an explorer as its reader has it, and what holds for each of them."""

import inspect
import re

import ipywidgets as widgets

from bmcourse.live.explorer import explore

SIGNATURE = inspect.signature(explore)  # a control must not have the name of a parameter


def taken(monkeypatch, module, explorer):
    """What `explorer()` of that module hands to explore(): draw, the alt text, and the controls by their names."""
    kept = []
    monkeypatch.setattr(module, "explore", lambda *given, **named: kept.append(SIGNATURE.bind(*given, **named)))
    assert explorer() is None
    [handed] = [bound.arguments for bound in kept]
    return handed["draw"], handed["alt"], handed["controls"]


def written(letters):
    """Keep what Letters are given to write: returns the list, which always holds the latest."""
    kept, write = [], letters.write
    letters.write = lambda placed: (kept.__setitem__(slice(None), placed := list(placed)), write(placed))
    return kept


def ends(control):
    """The values a reader can push a control to; of a menu or of buttons all of them."""
    if hasattr(control, "min"):
        return [control.min, control.max]
    if not hasattr(control, "options"):
        return [False, True]
    options = [option[1] if isinstance(option, tuple) else option for option in control.options]
    return [options[0], options[-1]] if isinstance(control, widgets.SelectionSlider) else options


def assert_every_control_changes_the_picture(draw, controls):
    """At each of its ends another picture, and at the start the first one again."""
    start = {name: control.value for name, control in controls.items()}
    first = draw(**start)
    for name in controls.keys() - {"play"}:  # which moves the slider, in the page
        pictures = [draw(**start | {name: value}) for value in ends(controls[name])]
        assert len(set(pictures)) == len(pictures), name
    assert draw(**start) == first


def assert_all_controls_go_to_their_ends_together(draw, controls):
    low, high = ({name: ends(control)[at] for name, control in controls.items()} for at in (0, -1))
    one, other = draw(**low), draw(**high)
    assert one.startswith(b"\x89PNG") and one != other == draw(**high)


def assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls):
    assert re.fullmatch(r"[A-Z][^.]{60,}\.", alt)
    labels = [control.description for name, control in controls.items() if name != "play"]
    assert len(set(labels)) == len(labels) and all(labels) and not any("_" in label for label in labels)
