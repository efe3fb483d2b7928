"""The longest tests come first, so that at the end no worker is alone with one of them."""

LONGEST = ("tests/browser/test_notebooks.py", "tests/test_commands.py", "tests/browser", "notebooks")


def pytest_collection_modifyitems(items):
    """pytest itself puts the tests of a folder in the folder's order, whatever files of it are named before."""
    items.sort(
        key=lambda item: next((i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start)), len(LONGEST))
    )
