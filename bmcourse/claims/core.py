"""A claim is an experiment: a function that measures an effect for a seed, and the least effect that it needs.

The evidence is kept in data/claims.json with a hash of the experiment's code. Code that changed makes it stale.
"""

import argparse
import ast
import hashlib
import html
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import sys
import textwrap
from dataclasses import dataclass

import numpy as np

EVIDENCE = pathlib.Path(__file__).parents[2] / "data" / "claims.json"
SEEDS = 5


@dataclass(frozen=True)
class Claim:
    """`measure(seed)` gives the effect in `unit`; a seed supports the claim when its effect is at least `at_least`.

    `opposite` is the unit of an effect below zero: "points less accurate", where the unit is "points more accurate".
    A `belief` is what people say; the course shows what it measured, whether or not that supports it.
    `table(seed)` gives more of the same experiment for a lesson to draw, as nested lists of numbers.
    """

    statement: str
    unit: str
    at_least: float
    measure: callable
    belief: bool = False
    table: callable = None
    opposite: str = ""

    @property
    def name(self):
        return self.measure.__name__


def claim(statement, unit, at_least=0.0, belief=False, table=None, opposite=""):
    """Turn the function below it, `measure(seed) -> float`, into a claim of that name."""
    return lambda measure: Claim(statement, unit, at_least, measure, belief, table, opposite)


def find_all():
    """Every claim of the course by its name, lesson by lesson."""
    found = {}
    for module in pkgutil.iter_modules([str(pathlib.Path(__file__).parent)]):
        if module.name != "core":
            lesson = importlib.import_module(f"bmcourse.claims.{module.name}")
            found |= {c.name: c for c in vars(lesson).values() if isinstance(c, Claim)}
    return found


# ---------------------------------------------------------------- evidence


def evidence():
    """What has been measured: {name: {"experiment": hash, "effects": [one per seed]}}, some with a "table" per seed."""
    return json.loads(EVIDENCE.read_text()) if EVIDENCE.exists() else {}


def is_stale(a_claim, measured):
    """True when the claim was never measured, or its experiment has changed since."""
    return measured.get(a_claim.name, {}).get("experiment") != fingerprint(a_claim.measure)


def fingerprint(function):
    """A hash of the function's code and of all code and constants of the course that it uses; no comment counts."""
    parts = []
    todo, seen = [inspect.unwrap(function)], set()
    while todo:
        thing = todo.pop()
        if thing in seen:
            continue
        seen.add(thing)
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
        tree.body[0].decorator_list = []  # a claim's wording may change; what is measured may not
        parts.append(ast.unparse(without_docstrings(tree)))
        for name, used in _named_in(tree, vars(sys.modules[thing.__module__])):
            if isinstance(used, int | float | str | tuple):
                parts.append(f"{name} = {used!r}")
            elif _is_ours(used):
                todo.append(used)
    return hashlib.sha256("\n".join(sorted(set(parts))).encode()).hexdigest()[:16]


def _named_in(tree, namespace):
    """What `tree` names from its module, as `name` or as `module.name`: pairs of the name and the thing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in namespace:
            yield node.id, inspect.unwrap(namespace[node.id])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in namespace:
            owner = namespace[node.value.id]
            if owner is not os and owner is not sys:  # whose names stand for what this machine has
                yield node.attr, inspect.unwrap(getattr(owner, node.attr, None))


def _is_ours(thing):
    is_code = inspect.isfunction(thing) or inspect.isclass(thing)
    return is_code and thing.__module__.startswith("bmcourse.")


def without_docstrings(tree):
    """`tree` with every docstring taken out, in place."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and _is_text(body[0].value):
            node.body = body[1:] or [ast.Pass()]
    return tree


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


# ---------------------------------------------------------------- verdicts

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
MARKS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "?"}


@dataclass(frozen=True)
class Verdict:
    """The mean effect over seeds, its 95 % interval (Student's t), how many seeds support it, and what it says."""

    mean: float
    low: float
    high: float
    supporting: int
    seeds: int
    verdict: str


def judge(effects, at_least):
    """What the effects say of a claim that needs `at_least`.

    It holds when the interval of the mean lies at or above that, and so do four of five seeds; it does not hold when
    the interval lies below; and it is undecided when the interval contains what it needs, or too few seeds agree.
    """
    from scipy import stats

    count, mean = len(effects), sum(effects) / len(effects)
    reach = float(stats.t.ppf(0.975, count - 1) * stats.sem(effects))
    supporting = sum(effect >= at_least for effect in effects)
    decided = HOLDS if mean - reach >= at_least and supporting >= 0.8 * count else UNDECIDED
    verdict = FAILS if mean + reach < at_least else decided
    return Verdict(mean, mean - reach, mean + reach, supporting, count, verdict)


def line(a_claim, measured):
    """The claim and what was measured, in one line."""
    says = f"People say: {a_claim.statement}" if a_claim.belief else a_claim.statement
    if a_claim.name not in measured:
        return f"{says} Not measured yet. Run: python -m bmcourse claims {a_claim.name}"
    verdict = judge(measured[a_claim.name]["effects"], a_claim.at_least)
    numbers, unit = (verdict.mean, verdict.low, verdict.high), a_claim.unit
    if verdict.mean < 0 and a_claim.opposite:
        numbers, unit = (-verdict.mean, -verdict.high, -verdict.low), a_claim.opposite
    mean, low, high = map(digits, numbers)
    return f"{MARKS[verdict.verdict]} {verdict.verdict}: {says} Measured: {mean} {unit} ({low} to {high})."


def refutation(a_claim, measured):
    """How many seeds support the claim, and what would refute it."""
    verdict = judge(measured[a_claim.name]["effects"], a_claim.at_least)
    return (
        f"{verdict.supporting} of {verdict.seeds} seeds support it. The numbers in brackets are the 95 % interval of "
        f"their mean. An interval below {a_claim.at_least:g} {a_claim.unit} would refute the claim. An interval that "
        "contains this number, or support from fewer than four of five seeds, would leave it undecided."
    )


def digits(number):
    """Two digits, and all of those before the point: 0.031, 99, 100."""
    return f"{number:.0f}" if abs(number) >= 99.5 else f"{number:.2g}"


def show(*names):
    """Show claims and their evidence: a line of words each, what would refute it at a click, and one picture of all."""
    claims, measured = find_all(), evidence()
    for name in names:
        if name not in claims:
            raise ValueError(f"There is no claim {name!r}. The claims are: {', '.join(sorted(claims))}.")
    _write([claims[name] for name in names], measured)
    if shown := [claims[name] for name in names if name in measured]:
        _draw(shown, measured)


def _write(claims, measured):
    from bmcourse.exercises.core import show_bundle

    lines = [f"{number} {line(a_claim, measured)}" for number, a_claim in enumerate(claims, 1)]
    folded = [
        f"<details><summary>{html.escape(words)}</summary>{html.escape(refutation(a_claim, measured))}</details>"
        if a_claim.name in measured
        else f"<div>{html.escape(words)}</div>"
        for a_claim, words in zip(claims, lines, strict=True)
    ]
    show_bundle({"text/plain": "\n".join(lines), "text/html": "\n".join(folded)})


def _draw(claims, measured):
    from bmcourse import plots

    effects = [measured[a_claim.name]["effects"] for a_claim in claims]
    rows = [
        f"{number}: {len(row)} seeds from {digits(min(row))} to {digits(max(row))}, {digits(a_claim.at_least)} needed"
        for number, (a_claim, row) in enumerate(zip(claims, effects, strict=True), 1)
    ]
    plots.show(picture(claims, effects), "; ".join(rows) + ".")


KEY = "dots: seeds    band: 95 % interval of their mean    dashed: what the claim needs"


def picture(claims, effects):
    """A row for each claim: one dot a seed, the interval of their mean, and dashed what the claim needs."""
    from bmcourse import plots

    fig, axes = plots.figure(6.4, 0.85 * len(claims) + 0.5, rows=len(claims))
    fig.suptitle(KEY, size="medium", color=plots.BLACK)
    for number, (ax, a_claim, row) in enumerate(zip(np.atleast_1d(axes), claims, effects, strict=True), 1):
        verdict = judge(row, a_claim.at_least)
        ax.axvline(a_claim.at_least, color=plots.BLACK, ls="--", lw=1)
        ax.plot([verdict.low, verdict.high], [0, 0], color=plots.SKY, lw=8, alpha=0.5, solid_capstyle="butt")
        ax.plot(verdict.mean, 0, "|", color=plots.BLACK, ms=18)
        ax.update_datalim([(effect, 0) for effect in row])
        ax.autoscale_view()
        left, right = ax.get_xlim()
        ax.plot(row, stacked(row, 0.016 * (right - left)), "o", color=plots.BLUE, alpha=0.8, mew=0, ms=5)
        ax.set(yticks=[], ylim=(-2.8, 2.8), xlim=(left, right), xlabel=a_claim.unit)
        ax.set_ylabel(number, rotation=0, va="center", labelpad=10)
        ax.locator_params(axis="x", nbins=6)
        ax.spines["left"].set_visible(False)
    return fig


def stacked(values, apart):
    """A height for each of `values`, 0 where there is room: those less than `apart` from each other differ in it."""
    heights, nearest_first = [], sorted(range(-len(values), len(values)), key=abs)
    for value in values:
        taken = [height for other, height in zip(values, heights, strict=False) if abs(other - value) < apart]
        heights.append(next(height for height in nearest_first if height not in taken))
    return heights


# ---------------------------------------------------------------- python -m bmcourse claims


def main(argv):
    """Measure the claims named, or all whose evidence is missing or stale; print what holds. Returns an exit status."""
    parser = argparse.ArgumentParser(prog="python -m bmcourse claims", description="Measure the course's claims.")
    parser.add_argument("names", nargs="*", help="claims to measure again (default: missing and stale ones)")
    names = parser.parse_args(argv).names
    claims = find_all()
    unknown = sorted(set(names) - set(claims))
    if unknown:
        print(f"There is no claim {unknown[0]!r}. The claims are: {', '.join(sorted(claims))}.")
        return 2
    todo = [claims[name] for name in names] or [c for c in claims.values() if is_stale(c, evidence())]
    for number, a_claim in enumerate(todo, 1):
        _measure(a_claim, f"[{number}/{len(todo)}]")
    for a_claim in claims.values():
        print(f"\n{a_claim.name}\n  {line(a_claim, evidence())}")
    return 0


def _measure(a_claim, prefix):
    effects = []
    for seed in range(SEEDS):
        print(f"\r{prefix} {a_claim.name}: seed {seed + 1} of {SEEDS}", end="", flush=True)
        effects.append(round(float(a_claim.measure(seed)), 4))
    print()
    found = {"experiment": fingerprint(a_claim.measure), "effects": effects}
    if a_claim.table:
        found["table"] = [a_claim.table(seed) for seed in range(SEEDS)]
    measured = evidence() | {a_claim.name: found}  # read last: another process may have measured something meanwhile
    unfinished = EVIDENCE.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n")
    os.replace(unfinished, EVIDENCE)
