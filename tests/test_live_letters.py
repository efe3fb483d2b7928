"""Words as outlines stand where matplotlib's own text stands."""

import json
import pathlib

import numpy as np
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from bmcourse import plots
from bmcourse.live.letters import Letters, drawable, font_names, outlines, write_names

NOTEBOOKS = pathlib.Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("weight", ["normal", "bold"])
@pytest.mark.parametrize("words", ["× −0.25", "sum = 12.5 →", "1.23 M (17 %)", "0"])
def test_words_are_as_matplotlib_sets_them(words, weight):
    fig, _ = plots.figure(4, 3)
    letters = Letters(fig, 12, weight, align=0)
    letters.write([(words, (200, 150))])
    ours = letters.artist.get_path()
    own = TextPath((200, 150), words, size=12 * fig.dpi / 72, prop=FontProperties(weight=weight))
    assert ours.get_extents().width == pytest.approx(own.get_extents().width, abs=0.5)
    assert ours.get_extents().x0 == pytest.approx(own.get_extents().x0)
    assert len(ours.vertices) == len(own.vertices)


@pytest.mark.parametrize("align", [0, 0.5, 1])
def test_words_stand_left_of_their_place_or_around_it_or_right_of_it(align):
    box = outlines([("808", (100, 150))], 0.2, "normal", align).get_extents()
    assert (1 - align) * box.x0 + align * box.x1 == pytest.approx(100, abs=2)
    assert (box.y0 + box.y1) / 2 == pytest.approx(150, abs=0.5)


def test_all_words_are_one_path_and_each_stands_at_its_place():
    placed = [("12", (10, 20)), ("3", (50, 60)), ("", (5, 5)), (" ", (7, 7))]
    whole = outlines(placed, 0.1, "normal", 0.5)
    alone = [outlines([one], 0.1, "normal", 0.5) for one in placed]
    np.testing.assert_allclose(whole.vertices, np.concatenate([path.vertices for path in alone]))
    assert [len(path.vertices) > 0 for path in alone] == [True, True, False, False]


def test_a_space_is_as_wide_as_in_matplotlib():
    one, two = (outlines([(words, (0, 0))], 1, "normal", 0).get_extents().x1 for words in ("a b", "a  b"))
    assert 25 < two - one < 40  # 31.8 of 100 in DejaVu Sans


@pytest.mark.parametrize("seed", range(3))
def test_names_lie_over_no_other_name_and_no_point(seed):
    fig, ax = plots.figure(8, 5)
    places = np.random.default_rng(seed).normal(size=(40, 2)) ** 3  # most of them in the middle
    ax.plot(*places.T, ".")
    fig.draw_without_rendering()
    fig.set_layout_engine("none")
    points = {f"word{number}": place for number, place in enumerate(places)}
    notes = write_names(ax, points, points, colors={"word1": plots.RED})
    fig.draw_without_rendering()
    dots, boxes = ax.transData.transform(places), [super(type(note), note).get_window_extent() for note in notes]
    assert 15 < len(notes) < 40  # some find no room
    assert all((note.get_color()[0] > 0) == (note.get_text() == "word1") for note in notes)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert not any(box.contains(*dot) for dot in dots)
        assert ax.bbox.contains(*box.min) and ax.bbox.contains(*box.max)


def test_nothing_to_write_is_nothing_to_draw():
    fig, _ = plots.figure(4, 3)
    letters = Letters(fig, 12)
    letters.write([("1", (5, 5))])
    letters.write([])
    fig.canvas.draw()
    assert len(letters.artist.get_path().vertices) == 0


def test_chinese_has_outlines_where_the_machine_has_a_font():
    if len(font_names()) == 1:
        pytest.skip("no Chinese font here")
    assert drawable("大a", font_names()) == "大a"
    box, other = (outlines([(words, (0, 0))], 1, "normal", 0).get_extents() for words in "大模")
    assert box.width > 70 and box.bounds != other.bounds


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_stored_picture_depends_on_the_fonts_of_a_machine(notebook):
    for cell in json.loads(notebook.read_text())["cells"]:
        stored = [output.get("data", {}) for output in cell.get("outputs", [])]
        if any("image/png" in data or "data:image/png" in str(data.get("text/html")) for data in stored):
            signs = "".join(cell["source"]).replace("$", "")
            assert drawable(signs, font_names()[:1]) == signs.replace("\n", r"\n")


def test_what_no_font_has_and_what_begins_a_formula_is_written_with_signs():
    assert drawable("aé↵·大", ["DejaVu Sans"]) == r"aé↵·\u5927"
    assert drawable("$x$", ["DejaVu Sans"]) == r"\$x\$"
