"""What the course says happens, measured: `claims.show("name")` shows it, `python -m bmcourse claims` measures."""


def show(*names):
    """Show what was measured of these claims: a line each and one picture. Raises ValueError for other names."""
    from bmcourse.claims import core

    core.show(*names)


def table(name):
    """What a claim's experiment measured beside its effect: one table a seed. Raises ValueError where there is none."""
    from bmcourse.claims import core

    measured = core.evidence()
    if "table" not in measured.get(name, {}):
        having = ", ".join(sorted(claim for claim in measured if "table" in measured[claim]))
        raise ValueError(f"The evidence has no table of {name!r}. The claims with a table are: {having}.")
    return measured[name]["table"]
