"""What torch loads late: a notebook loads it while the student reads, a script before its first check."""

import subprocess
import sys

from jupyter_client.manager import start_new_kernel

CHECK = "from bmcourse.exercises import check\ndef average(numbers): return sum(numbers) / len(numbers)\n"
CELLS = (
    f"from bmcourse import preload\npreload.DELAY = 1000\n{CHECK}",
    "check(average)\nprint(preload.done(), preload._timer.is_alive())",
    "preload._timer.cancel()\npreload._timer, preload.DELAY = None, 0",
    "preload._timer.join()\nprint(preload.done())",
)


def test_a_notebook_loads_it_in_the_background_and_its_first_check_does_not_wait():
    manager, client = start_new_kernel()
    try:
        said = []
        for cell in CELLS:
            client.execute_interactive(cell, output_hook=lambda m: said.append(m["content"].get("text")), timeout=60)
        assert [text for text in said if text] == ["False True\n", "True\n"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def test_a_script_loads_it_with_its_first_check():
    script = f"{CHECK}from bmcourse import preload\nprint(preload.done())\ncheck(average)\nprint(preload.done())"
    said = subprocess.check_output([sys.executable, "-c", script], text=True).splitlines()
    assert (said[0], said[-1]) == ("False", "True")
