"""Jupyter on loopback and a Chromium that looks at it, for the browser tests, the benchmark and README's picture."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from bmcourse.course import setup

PATIENCE = 180_000  # milliseconds until a wait is given up: three workers share two cores
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
CHROMIUM += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # every cell is in the page, seen or not
}

# What the page remembers of the kernel's messages: errors and stderr of every kind, also those that no cell shows (an
# exception in a widget's callback), and the widget messages that the kernel has not answered yet.
LISTEN = """() => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
    const seen = window.bmcourse = {problems: [], unanswered: new Set()}
    kernel.anyMessage.connect((_, {msg, direction}) => {
        const {msg_type, msg_id} = msg.header, content = msg.content, parent = msg.parent_header.msg_id
        if (direction === 'send' && msg_type === 'comm_msg') seen.unanswered.add(msg_id)
        if (direction === 'send') return
        if (msg_type === 'status' && content.execution_state === 'idle') seen.unanswered.delete(parent)
        if (msg_type === 'error') seen.problems.push(`${content.ename}: ${content.evalue}`)
        if (msg_type === 'stream' && content.name === 'stderr') seen.problems.push(`stderr: ${content.text.trim()}`)
    })
}"""
READY = """name => {
    const {context, sessionContext} = window.jupyterapp?.shell.currentWidget ?? {}
    const status = sessionContext?.session?.kernel?.status
    return context?.path === name && context.isReady && ['idle', 'busy'].includes(status)
}"""
# An idle kernel is not a finished run (its subshells go idle one by one): the command itself says when it is.
START = """command => {
    window.bmcourse.done = false
    window.jupyterapp.commands.execute(command).finally(() => window.bmcourse.done = true)
}"""
DONE = "() => window.bmcourse.done"
ANSWERED = "() => window.bmcourse.unanswered.size === 0"

# Problems that say nothing about a notebook.
HARMLESS = (
    # A page that opens asks the kernel for widgets it may already have, and this one has not imported ipywidgets yet.
    "No such comm",
    # Notebook 7.6 asks for parts of JupyterLab that it does not have.
    "Cannot read properties of undefined (reading 'schema')",
    "Command 'filebrowser:open-path' not registered",
)


@dataclass(frozen=True)
class Server:
    """A running Jupyter server: its address, its token, and the folder its notebooks lie in."""

    url: str
    token: str
    folder: Path


@contextlib.contextmanager
def jupyter():
    """Start a server for JupyterLab and Notebook 7 on a free port, with settings and notebooks of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.close()
        server = Server(f"http://127.0.0.1:{port}", secrets.token_hex(16), Path(home, "notebooks"))
        server.folder.mkdir()
        _write(Path(home, "config", "labconfig", "default_setting_overrides.json"), SETTINGS)
        for kernel in setup.kernels().values():
            _write(Path(home, "data", "kernels", kernel.name, "kernel.json"), _kernelspec(kernel))
        with _process(server, port, home):
            yield server


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _kernelspec(kernel):
    """The kernelspec that runs our own Python with another version of ipykernel before the installed one."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    path = os.pathsep.join([str(kernel), str(setup.ROOT)])
    return {"argv": argv, "display_name": kernel.name, "language": "python", "env": {"PYTHONPATH": path}}


@contextlib.contextmanager
def _process(server, port, home):
    """The server's process: it has answered when the body starts, and it and its kernels are gone at the end."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={server.token}"]
    command += [f"--ServerApp.root_dir={server.folder}", "--LabApp.expose_app_in_browser=True"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True"]
    command += [f"--{app}.extra_labextensions_path={setup.LABEXTENSIONS}" for app in ("LabApp", "JupyterNotebookApp")]
    log_path = Path(home, "log.txt")
    with log_path.open("w") as log:
        process = subprocess.Popen(command, env=_environment(home), stdout=log, stderr=log)
    try:
        _wait_for(f"{server.url}/api/status?token={server.token}", process, log_path)
        yield
    finally:
        process.send_signal(signal.SIGTERM)  # one only: the server then ends its kernels
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(home):
    """The course's own, with Jupyter's settings, kernels and progress kept apart from those of this machine's user."""
    own = {f"JUPYTER_{kind.upper()}_DIR": f"{home}/{kind}" for kind in ("config", "data", "runtime")}
    own |= {"IPYTHONDIR": f"{home}/ipython", "BMCOURSE_PROGRESS": f"{home}/progress.json"}
    return setup.environment() | own | {"PYTHONPATH": str(setup.ROOT)}


def _wait_for(url, process, log_path):
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"The Jupyter server did not start:\n{log_path.read_text()[-3000:]}")


@contextlib.contextmanager
def chromium(executable, width=1280, height=900):
    """A browser window; `executable` is the path of a Chromium or Chrome."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=CHROMIUM)
        with contextlib.closing(browser), browser.new_context(viewport={"width": width, "height": height}) as context:
            context.set_default_timeout(PATIENCE)
            yield context


def write_notebook(path, cells, kernel="python3"):
    """Write a notebook whose code cells are the strings `cells`."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
    nbformat.write(notebook, path)


def open_lab(context, server):
    """A page with JupyterLab in it, ready; notebooks then open in it in a second, a new page takes several."""
    page = context.new_page()
    workspace = secrets.token_hex(4)  # of its own: two pages in one workspace would share their tabs
    page.goto(f"{server.url}/lab/workspaces/{workspace}?token={server.token}")
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate("async () => { await window.jupyterapp.restored }")
    return page


def open_notebook(page, path):
    """Open the notebook at `path`, which the server knows by its name, in the JupyterLab of `page`."""
    page.evaluate("path => { window.jupyterapp.commands.execute('docmanager:open', {path}) }", path.name)
    return Notebook(page, path)


def open_notebook7(context, server, path):
    """Open the notebook at `path` in a page of Notebook 7."""
    page = context.new_page()
    page.goto(f"{server.url}/notebooks/{path.name}?token={server.token}")
    return Notebook(page, path)


class Notebook:
    """One notebook open in the browser, with its kernel running."""

    def __init__(self, page, path):
        self.page, self.path, self._console = page, path, []
        page.on("console", self._hear)
        page.on("pageerror", self._hear)
        self.listen()

    def _hear(self, said):
        if not hasattr(said, "type"):
            self._console.append(str(said))  # an error that no script caught
        elif said.type == "error":
            self._console.append(f"{said.text} {said.location['url']}")

    def listen(self):
        """Wait until page and kernel are ready, and note from now on what the kernel says."""
        self.page.wait_for_function(READY, arg=self.path.name)
        self.page.evaluate(LISTEN)

    def close(self):
        """End the kernel, so that the next notebook has the machine to itself, and close the tab without asking."""
        self.page.remove_listener("console", self._hear)
        self.page.remove_listener("pageerror", self._hear)
        self.page.evaluate("""async () => {
            const notebook = window.jupyterapp.shell.currentWidget
            await notebook.sessionContext.shutdown()
            notebook.dispose()
        }""")

    def command(self, command):
        """Execute a command of JupyterLab to its end."""
        self.page.evaluate("async command => { await window.jupyterapp.commands.execute(command) }", command)

    def run_all(self):
        """Start all cells; `wait_done` waits for them."""
        self.page.evaluate(START, "notebook:run-all-cells")

    def run_cell(self, index):
        """Start one cell; `wait_done` waits for it."""
        self.page.evaluate("index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index }", index)
        self.page.evaluate(START, "notebook:run-cell")

    def wait_done(self, milliseconds=PATIENCE):
        self.page.wait_for_function(DONE, timeout=milliseconds)

    def wait_answered(self):
        """Wait until the kernel has answered every widget message; twice, since an answer can let another one go."""
        for _ in range(2):
            self.page.wait_for_timeout(50)
            self.page.wait_for_function(ANSWERED)

    def problems(self):
        """Take what went wrong since the last call: errors and stderr of the kernel, errors of the browser."""
        found = self.page.evaluate("() => window.bmcourse.problems.splice(0)")
        found += [f"browser console: {text}" for text in self._console]
        self._console.clear()
        return [problem for problem in found if not any(known in problem for known in HARMLESS)]

    def saved(self):
        """Save the notebook and read it back from disk."""
        self.command("docmanager:save")
        return nbformat.read(self.path, 4)
