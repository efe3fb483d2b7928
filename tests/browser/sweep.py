"""Move every control of an open notebook to its ends and back, and report what raised on the way."""

# Where ipywidgets' controls are in the page of JupyterLab and of Notebook 7.
OUTPUT = ".jp-OutputArea-output"


def slide(handle):
    """One handle of a slider to its ends; then back to the number that was written beside it."""
    readout = handle.locator("xpath=ancestor::*[contains(@class, 'widget-slider')]").locator("[contenteditable=true]")
    before = readout.inner_text() if readout.count() and readout.is_visible() else None
    for key in ("Home", "End", "Home"):  # a slider that stands at its start moves there only from elsewhere
        handle.press(key)
        yield key
    if before is not None:
        readout.fill(before)
        readout.press("Enter")
        yield f"back to {before}"


def choose(select):
    """Every option once, then the one that was chosen."""
    before = select.evaluate("select => select.selectedIndex")
    for index in [*range(select.locator("option").count()), *([before] if before >= 0 else [])]:
        select.select_option(index=index)
        yield f"option {index}"


def type_ends(field):
    """The smallest and the largest number that a field takes, where it says so; then what was in it."""
    before = field.input_value()
    for value in (field.get_attribute("min"), field.get_attribute("max"), before):
        if value:
            field.fill(value)
            field.press("Enter")
            yield value


def press_each(group):
    """Every button of a group once, then the one that was pressed; a group that locks is left alone."""
    buttons = group.locator("input, button")
    before = buttons.evaluate_all("all => all.findIndex(one => one.checked || one.classList.contains('mod-active'))")
    for index in [*range(buttons.count()), max(before, 0)]:
        if buttons.nth(index).is_enabled():
            buttons.nth(index).click()
            yield f"button {index}"


def click(button):
    button.click()
    yield "click"


def click_twice(toggle):
    yield from click(toggle)
    yield from click(toggle)


# Buttons come last: they may reset or lock the others.
MOVES = {
    ".noUi-target:not([disabled]) .noUi-handle": slide,
    "select:enabled": choose,
    "input[type=number]:enabled": type_ends,
    "input[type=checkbox]:enabled": click_twice,
    ".widget-radio-box": press_each,
    ".widget-toggle-buttons": press_each,
    "button.widget-toggle-button:enabled:not(.widget-toggle-buttons *)": click_twice,
    "button.widget-button:enabled": click,
}


def sweep(notebook):
    """Move every control to its ends and back: returns the number of moves made, and one line for each problem met."""
    moves, problems = 0, notebook.problems()
    for selector, move in MOVES.items():
        controls = notebook.page.locator(f"{OUTPUT} {selector}")
        for index in range(controls.count()):
            if index >= controls.count():  # a move before took it away
                break
            control = controls.nth(index)
            name = describe(control)
            for done in move(control):
                notebook.wait_answered()
                moves += 1
                problems += [f"{name}, {done}: {problem}" for problem in notebook.problems()]
    return moves, problems


def describe(control):
    """The control as its reader knows it: its label or its own text."""
    widget = control.locator("xpath=ancestor-or-self::*[contains(@class, 'jupyter-widgets')][1]")
    return " ".join(widget.inner_text().split())[:40] or control.evaluate("e => e.tagName.toLowerCase()")
