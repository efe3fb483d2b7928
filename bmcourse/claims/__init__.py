"""What the course says happens, measured: `claims.show("name")` in a lesson, `python -m bmcourse claims` to measure."""


def show(name):
    """Print a claim with its effect, interval and seeds, and draw one dot a seed. Raises ValueError for other names."""
    from bmcourse.claims import core

    core.show(name)


def table(name):
    """What a claim's experiment measured beside its effect: one table a seed. Raises ValueError where there is none."""
    from bmcourse.claims import core

    measured = core.evidence()
    if "table" not in measured.get(name, {}):
        having = ", ".join(sorted(claim for claim in measured if "table" in measured[claim]))
        raise ValueError(f"The evidence has no table of {name!r}. The claims with a table are: {having}.")
    return measured[name]["table"]
