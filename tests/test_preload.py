"""What torch loads late is loaded before a check forks: in a notebook while the student reads, elsewhere then."""

import subprocess
import sys

from jupyter_client.manager import start_new_kernel

SHOW = (
    "import sys, threading; "
    "print('torch._dynamo' in sys.modules or 'preload' in [t.name for t in threading.enumerate()])"
)


def test_a_notebook_loads_it_once_its_first_cell_is_done():
    manager, client = start_new_kernel()
    try:
        said = []
        for cell in (f"import bmcourse.exercises\n{SHOW}", SHOW):
            client.execute_interactive(
                cell, output_hook=lambda message: said.append(message["content"].get("text")), timeout=60
            )
        assert [text for text in said if text] == ["False\n", "True\n"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def test_a_script_loads_it_only_when_it_waits_for_it():
    script = (
        f"import bmcourse.exercises; from bmcourse import preload\n{SHOW}\n"
        "preload.start(); preload.start(); preload.wait(); print('torch._dynamo' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\nTrue\n"
