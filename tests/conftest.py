"""How the tests are shared out among the workers of `python -m bmcourse test`."""

import pytest

LONGEST = "tests/browser/test_notebooks.py"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """All tests of a file on one worker, where they share a browser or a kernel; the longest file's on two."""
    for number, item in enumerate(items):
        half = f" {number % 2 + 1} of 2" if item.nodeid.startswith(LONGEST) else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}{half}"))
