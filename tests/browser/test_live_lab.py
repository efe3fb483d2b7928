"""The live run in JupyterLab."""

from tests.browser.training import HANDLE, Training, session


def test_in_jupyterlab(open_notebook):
    session(open_notebook, "lab")


def test_a_reloaded_page_steers_the_run_that_goes_on(open_notebook):
    training = Training(open_notebook, "reloaded")
    training.go()
    training.notebook.saved()  # a page shows again what was saved
    training.page.reload()
    training.notebook.listen()
    training.page.wait_for_selector(HANDLE)
    training.press("End")
    assert training.until_lr_is_as_shown() == 1.0
    training.click("Stop")
    training.until(lambda state: state["schedule"][-1][1:] == ["stop", True], "the stop")
