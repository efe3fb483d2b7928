"""How a display names a widget, beside the text and the picture that a saved notebook keeps of it."""


def widget_view(widget):
    """The part of a display's data, {mime type: value}, by which a page finds `widget`."""
    reference = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": reference}
