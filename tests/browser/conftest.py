"""One Jupyter server for all browser tests of a worker, and one browser for each file of them."""

import os

import pytest

from bmcourse.course import setup
from tests.browser import lab

pytest.register_assert_rewrite("tests.browser.training")  # its asserts explain themselves as a test's do


@pytest.fixture(scope="session")
def executable():
    """The browser to drive; without one the tests are skipped, but fail where CI is true."""
    found = setup.find_browser()
    if found is None:
        unable = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        unable(f"There is no Chromium or Chrome to test with. {setup.browser_advice()}")
    return found


@pytest.fixture(scope="session")
def server(executable):
    with lab.jupyter() as running:
        yield running


@pytest.fixture(scope="module")  # its own: jupyter_server mixes up files of the same name in JupyterLab and Notebook 7
def notebook7_server(executable):
    with lab.jupyter() as running:
        yield running


@pytest.fixture(scope="module")  # not session: Playwright's event loop would be in the way of other tests' kernels
def browser(executable):
    with lab.chromium(executable) as context:
        yield context


@pytest.fixture(scope="module")
def page(browser, server):
    """JupyterLab, open once for the tests of a file."""
    return lab.open_lab(browser, server)


@pytest.fixture
def open_notebook(request, browser):
    """Open a notebook of the code cells given, or one that is there, in JupyterLab; it is closed with the test."""
    opened = []

    def open_one(name, cells=None, kernel="python3", notebook7=False):
        server = request.getfixturevalue("notebook7_server" if notebook7 else "server")
        path = server.folder / name
        if cells:
            lab.write_notebook(path, cells, kernel)
        if notebook7:
            opened.append(lab.open_notebook7(browser, server, path))
        else:
            opened.append(lab.open_notebook(request.getfixturevalue("page"), path))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.close()
