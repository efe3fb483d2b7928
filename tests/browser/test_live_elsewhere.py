"""The live run in Notebook 7, and with the other versions of ipykernel that the course supports."""

import pytest

from bmcourse.course import setup
from tests.browser.training import session


def test_in_notebook7(open_notebook):
    session(open_notebook, "notebook7", notebook7=True)


@pytest.mark.parametrize("version", setup.kernels())
def test_with_another_ipykernel(open_notebook, version):
    notebook = session(open_notebook, f"with-{version}", kernel=f"ipykernel-{version}")
    assert notebook.cells[0].outputs[0].text == f"ipykernel {version}\n"
