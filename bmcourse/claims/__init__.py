"""What the course says happens, measured: `claims.show("name")` in a lesson, `python -m bmcourse claims` to measure."""


def show(name):
    """Print a claim with its effect, interval and seeds, and draw one dot a seed. Raises ValueError for other names."""
    from bmcourse.claims import core

    core.show(name)
