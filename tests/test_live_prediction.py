"""Predictions: a choice is kept, and what gives the answer away waits for it."""

import re

import pytest

from bmcourse import exercises, plots
from bmcourse.live import prediction as module
from bmcourse.live.prediction import Prediction


@pytest.fixture(autouse=True)
def own_progress(monkeypatch, tmp_path):
    monkeypatch.setenv("BMCOURSE_PROGRESS", str(tmp_path / "progress.json"))


def test_a_prediction_without_a_notebook_prints_the_question(capsys):
    noise = exercises.predict("What will the loss do?", ["fall", "rise"])
    assert capsys.readouterr().out == "Your prediction: What will the loss do?\n  ○ fall\n  ○ rise\n"
    noise.answer("rise")
    assert capsys.readouterr().out == "Result: rise.\n"


def choose(prediction, option):
    """What the page does when a student chooses and locks."""
    prediction._widget_view()
    assert prediction._button.disabled
    prediction._radio.value = option
    assert not prediction._button.disabled
    prediction._button.click()


def test_a_choice_is_locked_and_stays_so_when_the_cell_runs_again(capsys):
    noise = exercises.predict("Up?", ["fall", "rise"])
    choose(noise, "fall")
    assert noise.chosen == "fall" and noise._radio.disabled and noise._button.disabled
    again = exercises.predict("Up?", ["fall", "rise"])
    again._widget_view()
    assert again.chosen == "fall" and again._radio.value == "fall" and again._radio.disabled
    capsys.readouterr()
    again.answer("fall")
    again.answer("rise")
    assert capsys.readouterr().out == (
        "You predicted: fall. That is what happened. Well done!\n"
        "You predicted: fall. What happened: rise. Take a minute: why?\n"
    )


@pytest.fixture
def shown(monkeypatch):
    """What predictions display in a notebook: bundles of {mime type: data}, and pictures."""
    kept = []
    monkeypatch.setattr(module, "notebook_shell", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda *parts, raw=False: kept.extend(parts))
    return kept


def rising():
    return plots.Picture(plots.curves({"a": [1, 2]}), "A line that <rises>.")


def opened(bundle):
    """The box that a page shows for a waiting answer."""
    import ipywidgets as widgets

    return widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]


def test_an_answer_waits_for_the_choice_and_then_shows_everything(shown, capsys):
    noise = Prediction("Up?", ["fall", "rise"])
    noise.answer("rise", rising(), "by 3 nats")
    (bundle,) = shown
    box = opened(bundle)
    assert capsys.readouterr().out == "" and "rise" not in box.children[0].value
    choose(noise, "fall")
    assert noise.chosen == "fall" and noise._radio.disabled
    picture, text = box.children[0].children
    assert (
        bytes(picture.children[0].value).startswith(b"\x89PNG")
        and "A line that &lt;rises&gt;." in picture.children[1].value
    )
    assert "by 3 nats" in text.value and "You predicted: fall. What happened: rise." in text.value


def test_a_question_asked_again_keeps_its_answer_waiting(shown):
    Prediction("Up?", ["fall", "rise"]).answer("rise", rising())
    again = Prediction("Up?", ["fall", "rise"])
    choose(again, "rise")
    assert "You predicted: rise. That is what happened." in opened(shown[0]).children[0].children[1].value


def test_an_answer_can_be_seen_without_a_choice_and_then_nothing_is_locked(shown):
    noise = Prediction("Up?", ["fall", "rise"])
    noise._widget_view()
    noise._radio.value = "fall"
    noise.answer("rise", rising())
    box = opened(shown[0])
    box.children[1].click()
    assert "Result: rise." in box.children[0].children[1].value
    noise._lock(noise._button)
    assert noise.chosen is None and noise._radio.disabled


def test_a_saved_notebook_keeps_the_answer_folded(shown):
    noise = Prediction("Up?", ["fall", "rise"])
    noise.answer("rise", rising(), "by 3 nats")
    assert shown[0]["text/plain"] == "by 3 nats\nResult: rise."
    page = re.fullmatch(r"<details><summary>([^<]*)</summary>(.*)</details>", shown[0]["text/html"])
    assert "rise" not in page[1]
    assert '<p><img alt="A line that &lt;rises&gt;." width="640" ' in page[2]
    assert ' src="data:image/png;base64,' in page[2]
    assert "<pre>by 3 nats</pre><p>Result: rise.</p>" in page[2]


def test_after_the_choice_an_answer_is_shown_at_once(shown, capsys):
    noise, picture = Prediction("Up?", ["fall", "rise"], chosen="rise"), rising()
    noise.answer("rise", picture, "by 3 nats")
    assert shown == [picture]
    assert capsys.readouterr().out == "by 3 nats\nYou predicted: rise. That is what happened. Well done!\n"


def test_a_kept_choice_that_is_no_option_any_more_is_forgotten():
    assert Prediction("Up?", ["fall", "rise"], chosen="stay").chosen is None


@pytest.mark.parametrize("options", [["fall"], [], ["fall", "fall"], ["fall", 3]])
def test_options_must_be_two_different_texts(options):
    with pytest.raises(ValueError, match="A prediction needs two or more different options, each a text. What came is"):
        exercises.predict("Up?", options)


def test_the_answer_must_be_an_option():
    with pytest.raises(ValueError, match="The answer must be one of fall, rise. What came is 'stay'."):
        Prediction("Up?", ["fall", "rise"]).answer("stay")


def test_the_page_is_given_escaped_text():
    prediction = Prediction("Is 1 < 2?", ["a & b", "c"])
    assert prediction._html() == ("<p><b>Your prediction:</b> Is 1 &lt; 2?</p><ul><li>a &amp; b</li><li>c</li></ul>")
