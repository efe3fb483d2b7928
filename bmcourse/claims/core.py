"""A claim is an experiment: a function that measures an effect for a seed, and the least effect that would bear it out.

The evidence is kept in data/claims.json with a hash of the experiment's code. Code that changed makes it stale.
"""

import argparse
import ast
import hashlib
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import sys
import textwrap
from dataclasses import dataclass

EVIDENCE = pathlib.Path(__file__).parents[2] / "data" / "claims.json"
SEEDS = 5


@dataclass(frozen=True)
class Claim:
    """`measure(seed)` gives the effect in `unit`; a seed bears the claim out when its effect is at least `at_least`.

    A `belief` is what people say; the course shows what it measured, whether or not that bears it out.
    `table(seed)` gives more of the same experiment for a lesson to draw, as nested lists of numbers.
    """

    statement: str
    unit: str
    at_least: float
    measure: callable
    belief: bool = False
    table: callable = None

    @property
    def name(self):
        return self.measure.__name__


def claim(statement, unit, at_least=0.0, belief=False, table=None):
    """Turn the function below it, `measure(seed) -> float`, into a claim of that name."""
    return lambda measure: Claim(statement, unit, at_least, measure, belief, table)


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


@dataclass(frozen=True)
class Verdict:
    """The mean effect over seeds, its 95 % interval (Student's t), and how many seeds bear the claim out."""

    mean: float
    low: float
    high: float
    bearing: int
    seeds: int
    holds: bool


def judge(effects, at_least):
    """A claim holds when the interval of its mean lies at or above `at_least`, and so do four of five seeds."""
    from scipy import stats

    count, mean = len(effects), sum(effects) / len(effects)
    reach = float(stats.t.ppf(0.975, count - 1) * stats.sem(effects))
    bearing = sum(effect >= at_least for effect in effects)
    holds = mean - reach >= at_least and bearing >= 0.8 * count
    return Verdict(mean, mean - reach, mean + reach, bearing, count, holds)


def text(a_claim, measured):
    """The claim and its evidence in four lines."""
    if a_claim.name not in measured:
        return f"{a_claim.statement}\nNot measured yet. Run: python -m bmcourse claims {a_claim.name}"
    verdict = judge(measured[a_claim.name]["effects"], a_claim.at_least)
    says = "People say" if a_claim.belief else "Claim"
    return "\n".join(
        [
            balanced(f"{says}: {a_claim.statement}"),
            balanced(
                f"Measured: {digits(verdict.mean)} {a_claim.unit} "
                f"(95 % interval {digits(verdict.low)} to {digits(verdict.high)})."
            ),
            f"Seeds that bear it out: {verdict.bearing} of {verdict.seeds}. "
            f"{'It holds here.' if verdict.holds else 'It does NOT hold here.'}",
            f"What would refute it: an interval reaching below {a_claim.at_least:g}, or fewer than four of five seeds.",
        ]
    )


def balanced(sentence, width=90):
    """`sentence` in as few lines of `width` as hold it, and these as equal as words allow: none with a single word."""
    lines = len(textwrap.wrap(sentence, width))
    return next(
        textwrap.fill(sentence, narrower)
        for narrower in range(len(sentence) // lines, width + 1)
        if len(textwrap.wrap(sentence, narrower)) == lines
    )


def digits(number):
    """Two digits, and all of those before the point: 0.031, 99, 100."""
    return f"{number:.0f}" if abs(number) >= 99.5 else f"{number:.2g}"


def show(name):
    """Print the claim and its evidence, and draw one dot a seed."""
    claims, measured = find_all(), evidence()
    if name not in claims:
        raise ValueError(f"There is no claim {name!r}. The claims are: {', '.join(sorted(claims))}.")
    print(text(claims[name], measured))
    if name in measured:
        print()  # the picture begins where the words end
        _draw(claims[name], measured[name]["effects"])


def _draw(a_claim, effects):
    from bmcourse import plots

    plots.show(
        picture(a_claim, effects),
        f"{len(effects)} seeds, one dot each, from {digits(min(effects))} to {digits(max(effects))}; "
        f"the claim needs at least {a_claim.at_least:g}.",
    )


def picture(a_claim, effects):
    """The effects as a matplotlib figure: one dot a seed, the interval of their mean, and what the claim needs."""
    from bmcourse import plots

    verdict = judge(effects, a_claim.at_least)
    fig, ax = plots.figure(6.4, 1.4)
    ax.axvline(a_claim.at_least, color=plots.BLACK, ls="--", lw=1)
    ax.plot([verdict.low, verdict.high], [0, 0], color=plots.SKY, lw=8, alpha=0.5, solid_capstyle="butt")
    ax.plot(verdict.mean, 0, "|", color=plots.BLACK, ms=26)
    ax.update_datalim([(effect, 0) for effect in effects])
    ax.autoscale_view()
    left, right = ax.get_xlim()
    ax.plot(effects, stacked(effects, 0.016 * (right - left)), "o", color=plots.BLUE, alpha=0.8, mew=0)
    key = "dot: a seed, line: their mean, band: its 95 % interval, dashed: what the claim needs"
    ax.set(yticks=[], ylim=(-3, 3), xlim=(left, right), xlabel=f"{a_claim.unit}\n{key}")
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
        print(f"\n{a_claim.name}\n{textwrap.indent(text(a_claim, evidence()), '  ')}")
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
