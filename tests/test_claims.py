"""Claims: the verdict's arithmetic, the fingerprint, and that the evidence kept is of the code that is there."""

import csv
import dataclasses
import json
import sys

import numpy as np
import pytest
from scipy import stats

from bmcourse import claims as front
from bmcourse import plots
from bmcourse.claims import core
from bmcourse.claims import training as lesson

CLAIMS = core.find_all()


@pytest.mark.parametrize("name", CLAIMS)
def test_the_evidence_is_of_the_code_that_is_there(name):
    assert not core.is_stale(CLAIMS[name], core.evidence()), "run: python -m bmcourse claims"


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_taught_holds(name):
    verdict = core.judge(core.evidence()[name]["effects"], CLAIMS[name].at_least)
    assert verdict.seeds >= 5
    assert verdict.verdict == core.HOLDS or CLAIMS[name].belief


def test_no_evidence_without_a_claim():
    assert set(core.evidence()) == set(CLAIMS)


def test_every_claim_answers_the_five_questions():
    """Is each rival tuned, what does one score who knows nothing, can it fail, what else could it be, what is shown?"""
    with open(core.EVIDENCE.with_name("questions.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["claim"] for row in rows] == list(CLAIMS)
    assert set(rows[0]) == {"claim", "rival", "ignorant", "can_fail", "confound", "shown"}
    assert all(answer.strip() for row in rows for answer in row.values())


def test_the_interval_is_students_t():
    effects = [0.1, 0.3, 0.2, 0.5, 0.4]
    verdict = core.judge(effects, 0.0)
    expected = stats.ttest_1samp(effects, 0).confidence_interval(0.95)
    assert (verdict.low, verdict.high) == pytest.approx(tuple(expected))
    assert verdict.mean == pytest.approx(np.mean(effects))


@pytest.mark.parametrize(
    "effects, at_least, verdict",
    [
        ([1.0, 1.1, 0.9, 1.0, 1.0], 0.5, "holds"),
        ([1.0, 1.1, 0.9, 1.0, 1.0], 0.99, "undecided"),  # the interval reaches below
        ([0.1, 9.0, 9.1, 9.0, 0.2], 0.0, "undecided"),  # so does this one, though every seed supports it
        ([3.0, 3.0, 3.1, -0.1, -0.1, 3.0, 3.1, 3.0, 3.0], 0.0, "undecided"),  # two of nine seeds do not
        ([1.0, 1.1, 0.9, 1.0, 1.0], 1.5, "does not hold"),
        ([1.0, 1.0, 1.0, 1.0, 1.0], 1.0, "holds"),
    ],
)
def test_what_holds_and_what_is_undecided(effects, at_least, verdict):
    assert core.judge(effects, at_least).verdict == verdict


def helper(seed):
    return seed * SCALE


SCALE = 2.0


@core.claim("Twice a seed is more than the seed.", unit="more", at_least=0.5)
def doubling(seed):
    """What this says does not matter."""
    return helper(seed) - seed


def test_the_fingerprint_sees_the_code_it_uses_but_no_wording(monkeypatch):
    monkeypatch.setattr(core, "_is_ours", lambda thing: thing is helper)
    before = core.fingerprint(doubling.measure)
    assert core.fingerprint(doubling.measure) == before
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert core.fingerprint(doubling.measure) != before


def test_the_fingerprint_follows_the_courses_own_code(monkeypatch):
    before = core.fingerprint(lesson.seeds_differ.measure)
    monkeypatch.setattr(lesson, "train", lesson.evaluate)
    assert core.fingerprint(lesson.seeds_differ.measure) != before


def of_this_machine(seed):
    return len(sys.executable) + seed


def test_the_fingerprint_is_the_same_on_every_machine(monkeypatch):
    before = core.fingerprint(of_this_machine)
    monkeypatch.setattr(sys, "executable", "/elsewhere/python")
    assert core.fingerprint(of_this_machine) == before


def test_every_caption_lies_within_its_picture():
    measured = core.evidence()
    for name, a_claim in CLAIMS.items():
        fig = core.picture([a_claim], [measured[name]["effects"]])
        fig.draw_without_rendering()
        box, whole = fig.get_tightbbox(), fig.bbox_inches
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= whole.x1 and box.y1 <= whole.y1, name


@pytest.mark.parametrize("effects", [[1.0] * 5, [0.0, 0.0, 0.01, -0.01, 9.0], [1.0, 2.0, 3.0, 2.0, 2.01]])
def test_no_seed_hides_another(effects):
    fig = core.picture([doubling] * 3, [effects, [1.0, 2.0], effects])
    fig.draw_without_rendering()
    ax = fig.axes[2]
    dots = next(line for line in ax.lines if line.get_marker() == "o")
    places = ax.transData.transform(dots.get_xydata())
    apart = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(len(places), 1)]
    assert apart.min() > dots.get_markersize() / 72 * fig.dpi
    assert all(ax.bbox.contains(*place) for place in places)


@pytest.fixture
def own_evidence(tmp_path, monkeypatch):
    monkeypatch.setattr(core, "EVIDENCE", tmp_path / "claims.json")
    monkeypatch.setattr(core, "find_all", lambda: {"doubling": doubling})
    monkeypatch.setattr(core, "_is_ours", lambda thing: False)
    return tmp_path / "claims.json"


def test_measuring_writes_the_evidence_and_measures_once(own_evidence, capsys):
    assert core.main([]) == 0
    assert json.loads(own_evidence.read_text())["doubling"]["effects"] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert "seed 5 of 5" in capsys.readouterr().out
    core.main([])
    out = capsys.readouterr().out
    assert "seed 5 of 5" not in out and "Measured: 2 more (0.037 to 4)." in out


def test_a_table_is_kept_beside_the_effects(own_evidence, monkeypatch):
    with_table = core.claim("As before.", "more", table=lambda seed: [[seed, 2 * seed]])(doubling.measure)
    monkeypatch.setattr(core, "find_all", lambda: {"doubling": with_table})
    core.main([])
    assert front.table("doubling") == [[[0, 0]], [[1, 2]], [[2, 4]], [[3, 6]], [[4, 8]]]
    with pytest.raises(ValueError, match="no table of 'tripling'. The claims with a table are: doubling."):
        front.table("tripling")


def test_what_another_process_measures_meanwhile_is_kept(own_evidence, monkeypatch):
    def table(seed):
        own_evidence.write_text(json.dumps({"another": {"experiment": "0", "effects": [1.0]}}))
        return [seed]

    monkeypatch.setattr(core, "find_all", lambda: {"doubling": dataclasses.replace(doubling, table=table)})
    core.main(["doubling"])
    assert set(json.loads(own_evidence.read_text())) == {"another", "doubling"}


def test_several_claims_have_a_line_each_and_one_picture(own_evidence, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "show", lambda fig, alt: shown.append((len(fig.axes), alt)))
    core.main(["doubling"])
    capsys.readouterr()
    front.show("doubling", "doubling")
    first, second = capsys.readouterr().out.splitlines()
    assert first == "1 ? undecided: Twice a seed is more than the seed. Measured: 2 more (0.037 to 4)."
    assert second[:13] == "2 ? undecided"
    assert shown == [(2, "1: 5 seeds from 0 to 4, 0.5 needed; 2: 5 seeds from 0 to 4, 0.5 needed.")]


def test_an_effect_the_other_way_round_is_said_in_its_own_words():
    a_claim = dataclasses.replace(doubling, unit="points more accurate", opposite="points less accurate")
    told = core.line(a_claim, {"doubling": {"effects": [-4.0, -4.5, -5.0]}})
    assert told.startswith("✗ does not hold") and told.endswith("Measured: 4.5 points less accurate (3.3 to 5.7).")
    assert core.line(a_claim, {"doubling": {"effects": [4.0, 4.5, 5.0]}}).endswith(
        "4.5 points more accurate (3.3 to 5.7)."
    )


def test_what_would_refute_a_claim_is_told():
    told = core.refutation(doubling, {"doubling": {"effects": [0.0, 1.0, 2.0, 3.0, 4.0]}})
    assert told.startswith("4 of 5 seeds support it.") and "below 0.5 more would refute the claim" in told


@pytest.mark.parametrize(
    ("number", "shown"), [(0.0314, "0.031"), (-2.5, "-2.5"), (99.4, "99"), (99.96, "100"), (-123.4, "-123")]
)
def test_two_digits_and_all_before_the_point(number, shown):
    assert core.digits(number) == shown


def test_a_claim_not_yet_measured(own_evidence, capsys):
    front.show("doubling")
    assert "Not measured yet. Run: python -m bmcourse claims doubling" in capsys.readouterr().out


def test_unknown_names(own_evidence, capsys):
    assert core.main(["tripling"]) == 2
    assert "There is no claim 'tripling'. The claims are: doubling." in capsys.readouterr().out
    with pytest.raises(ValueError, match="There is no claim 'tripling'. The claims are: doubling"):
        front.show("tripling")
