"""Execute the notebooks and write them back in one fixed form: running it twice changes no byte."""

import argparse
import pathlib
import tempfile
import time

FOLDER = pathlib.Path(__file__).parents[2] / "notebooks"
CELL_SECONDS = 120
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def main(argv):
    """Execute and normalise the notebooks whose names start with one of `argv` (default: all)."""
    parser = argparse.ArgumentParser(prog="python -m bmcourse notebooks", description="Execute and normalise.")
    parser.add_argument("names", nargs="*", help="number or start of a name, such as 06 (default: all)")
    names = tuple(parser.parse_args(argv).names)
    paths = [path for path in sorted(FOLDER.glob("*.ipynb")) if not names or path.name.startswith(names)]
    if not paths:
        print(f"No notebook's name starts with {' or '.join(names)} in {FOLDER.name}/.")
        return 2
    for number, path in enumerate(paths, 1):
        print(f"[{number}/{len(paths)}] {path.name} ...", end=" ", flush=True)
        started = time.perf_counter()
        changed = write(path, normalised(executed(read(path))))
        print(f"{time.perf_counter() - started:.0f} s, {'changed' if changed else 'not one byte changed'}")
    return 0


def read(path):
    import nbformat

    return nbformat.read(path, as_version=4)


def executed(notebook):
    """The notebook after a Run All in a fresh kernel. Raises nbclient's CellExecutionError where a cell fails."""
    from nbclient import NotebookClient

    from bmcourse.course.setup import environment

    resources = {"metadata": {"path": str(FOLDER)}}
    quiet = [
        "--IPKernelApp.log_level=ERROR"
    ]  # the kernel's words on transport would stand between the lines of progress
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, store_widget_state=False, resources=resources, extra_arguments=quiet
    )
    with tempfile.TemporaryDirectory() as folder:  # hints taken and predictions made here are no part of the lesson
        return client.execute(env=environment() | {"BMCOURSE_PROGRESS": f"{folder}/progress.json"})


def normalised(notebook):
    """The notebook without what differs from run to run or says nothing to a reader, in place."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code_cells, 1):
        cell.execution_count = count
        cell.outputs = _joined([_plain(output, count) for output in cell.outputs])
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
    return notebook


def _plain(output, count):
    if "data" in output:
        output.data.pop(WIDGET, None)  # a widget is dead in a saved file; its text beside it stays
    if "execution_count" in output:
        output.execution_count = count
    return output


def _joined(outputs):
    """Prints that follow each other as one output: a busy machine cuts a print in two now and then."""
    joined = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def write(path, notebook):
    """Write the notebook if that changes a byte; returns whether it did."""
    import nbformat

    content = nbformat.writes(notebook).rstrip("\n") + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == content:
        return False
    path.write_text(content, encoding="utf-8")
    return True
