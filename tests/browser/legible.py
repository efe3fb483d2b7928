"""What a reader cannot read or reach in an open notebook: too high for the window, cut, blurred, or without a name."""

from axe_playwright_python.sync_playwright import Axe

BARS = 116  # pixels of JupyterLab's own, above and below the notebook
SIZES = ((1280, 720), (1920, 1080))
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}, "resultTypes": ["violations"]}
MEASURE = """bars => {
    const found = []
    const say = (what, part) => found.push(`${what}: ${part.textContent.trim() || part.alt || part.className}`)
    for (const box of document.querySelectorAll('.bmcourse')) {
        if (box.offsetHeight > innerHeight - bars) say(`${box.offsetHeight} pixels high`, box)
        for (const part of box.querySelectorAll('.widget-label, .widget-readout, button, .widget-html-content'))
            if (part.scrollWidth > part.clientWidth + 1 && part.clientWidth) say('cut', part)
        for (const slider of box.querySelectorAll('.noUi-target'))
            if (slider.offsetHeight && slider.offsetWidth < 80)
                say(`a track of ${slider.offsetWidth} pixels`, slider.closest('.widget-inline-hbox'))
    }
    for (const picture of document.querySelectorAll('.jp-OutputArea-output img')) {
        if (['', 'Image'].includes(picture.alt)) say('no alt text', picture)  // JupyterLab's word for none is Image
        const smooth = getComputedStyle(picture).imageRendering !== 'pixelated'
        if (smooth && picture.closest('.bmcourse') && picture.clientWidth > 1.1 * picture.naturalWidth)
            say('blurred', picture)
    }
    return found
}"""


def faults(notebook):
    """One line for each fault, in a small window and in that of a projector, and by axe's rules (levels A and AA)."""
    found = []
    for width, height in SIZES:
        notebook.page.set_viewport_size({"width": width, "height": height})
        notebook.page.wait_for_timeout(300)
        found += [f"{width} × {height}: {line}" for line in notebook.page.evaluate(MEASURE, BARS)]
    return found + violations(notebook.page)


def violations(page):
    """What axe calls serious or critical in the cells' outputs."""
    report = Axe().run(page, context=".jp-OutputArea-output", options=RULES).response
    serious = (rule for rule in report["violations"] if rule["impact"] in ("serious", "critical"))
    return [f"{rule['id']}: {node['html'][:200]}" for rule in serious for node in rule["nodes"]]
