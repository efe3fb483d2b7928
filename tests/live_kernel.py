"""A real kernel for the tests of the live run, on any of the ipykernels it must work with."""

import contextlib
import json
import os
import time
from pathlib import Path

import jupyter_client
import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ROOT / ".venv" / "kernels"
OTHERS = [line.strip() for line in (ROOT / "tests" / "kernels.txt").read_text().splitlines() if "==" in line]
VERSIONS = ["pinned", *(line.replace("==", "-") for line in OTHERS if not line.startswith("#"))]
TIMEOUT = 40  # seconds; only a failing test waits so long

# A loop that goes on until the test has done something to it, or for half a minute.
LOOP = """
import json, time
from bmcourse import live
run = live.Run(steps=20_000, lr=1e-3)
for step in run:
    time.sleep(0.001)
    run.log(train=1 + 1 / step)
    if step == 1:
        panel = run._panel
        ids = {"slider": panel.slider, "pause": panel.pause, "stop": panel.stop, "box": panel.box}
        print("IDS " + json.dumps({name: widget.model_id for name, widget in ids.items()}))
    if UNTIL:
        break
"""


@contextlib.contextmanager
def started(version, folder):
    """A `Kernel` of this version that is stopped at the end; its files are in `folder`."""
    path = [str(ROOT)]
    if version != "pinned":
        if not (FOLDERS / version).is_dir():
            fault = f"{FOLDERS / version} is missing: `python3 -m bmcourse test` installs it."
            pytest.fail(fault) if os.environ.get("CI") == "true" else pytest.skip(fault)
        path.insert(0, str(FOLDERS / version))
    manager = jupyter_client.KernelManager(connection_file=str(folder / "kernel.json"))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path), "IPYTHONDIR": str(folder), "OMP_NUM_THREADS": "1"}
    with open(folder / "kernel.log", "w") as log:
        manager.start_kernel(env=env, cwd=str(folder), stdout=log, stderr=log)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=TIMEOUT)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


class Kernel:
    """What a page does with its kernel: run cells, move widgets, and read all that the kernel publishes."""

    def __init__(self, manager, client):
        self.manager, self.client, self.published, self.replies, self.asked = manager, client, [], {}, []

    def send(self, kind, subshell=None, **content):
        message = self.client.session.msg(kind, content, metadata={"version": "1.0.0"})  # of the widget control
        if subshell:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        if kind.endswith("_request"):
            self.asked.append(message["header"]["msg_id"])
        return message["header"]["msg_id"]

    def execute(self, code, person=False):
        """Send a cell; `person`: from a page where somebody could answer, and not from a program."""
        self.asked.append(self.client.execute(code, allow_stdin=person))
        return self.asked[-1]

    def reply(self, request):
        """The kernel's reply to a request on the shell channel."""
        while request not in self.replies:
            reply = self.client.get_shell_msg(timeout=TIMEOUT)
            self.replies[reply["parent_header"].get("msg_id")] = reply
        return self.replies[request]

    def update(self, widget, subshell=None, **state):
        data = {"method": "update", "state": state, "buffer_paths": []}
        return self.send("comm_msg", subshell, comm_id=widget, data=data)

    def click(self, widget):
        return self.send("comm_msg", comm_id=widget, data={"method": "custom", "content": {"event": "click"}})

    def wait(self, found):
        """The first published message, old or new, for which `found` is true."""
        end = time.monotonic() + TIMEOUT
        for message in self.published:
            if found(message):
                return message
        while time.monotonic() < end:
            self.published.append(self.client.get_iopub_msg(timeout=TIMEOUT))
            if found(self.published[-1]):
                return self.published[-1]
        raise TimeoutError("the kernel never published what the test waits for")

    def wait_idle(self, request):
        return self.wait(
            lambda message: (
                message["parent_header"].get("msg_id") == request
                and message["content"].get("execution_state") == "idle"
            )
        )

    def wait_text(self, text):
        return self.wait(lambda message: text in message["content"].get("text", ""))["content"]["text"]

    def wait_quiet(self):
        """Wait for all replies: ipykernel 7.3, by a fault of its own, goes deaf to what comes while it sends one."""
        for request in self.asked:
            self.reply(request)
        self.asked.clear()

    def start_loop(self, until="False", after=""):
        """Run the cell `LOOP` that ends when `until` is true; the ids of its widgets once it is in its first step."""
        self.wait_quiet()
        self.published.clear()
        self.loop = self.execute(LOOP.replace("UNTIL", until) + after)
        return json.loads(self.wait_text("IDS").split("IDS", 1)[1])

    def run(self, code):
        """Everything a cell prints, and its error, as one text."""
        self.wait_quiet()
        request = self.execute(code)
        self.wait_idle(request)
        return self.outputs(request)

    def outputs(self, request):
        contents = [m["content"] for m in self.published if m["parent_header"].get("msg_id") == request]
        return "".join(f"{c['ename']}: {c['evalue']}" if "ename" in c else c.get("text", "") for c in contents)

    def displays(self, request):
        """What a cell displayed, updates included: [(data, metadata)]."""
        return [
            (m["content"]["data"], m["content"]["metadata"])
            for m in self.published
            if m["parent_header"].get("msg_id") == request and m["msg_type"] in ("display_data", "update_display_data")
        ]
