"""The explorer of inference: bars are the model's probabilities, sliders act while text streams, branches are kept."""

import asyncio
import html
import re

import ipywidgets as widgets
import pytest
import torch

from bmcourse import inference, live
from bmcourse.live import inference as explorer
from bmcourse.live.inference import Desk, Draft, candidates
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.tokenizer import BytePairTokenizer, CharacterTokenizer

TEXT = "the other theory of the thing, 大模型 and the other"


@pytest.fixture
def tokenizer():
    return CharacterTokenizer(TEXT + "$<b>&")


@pytest.fixture
def model(tokenizer):
    torch.manual_seed(0)
    model = GPT(GPTConfig(tokenizer.vocabulary_size, context=32, layers=2, heads=2, channels=16, dropout=0.5))
    with torch.no_grad():
        model.head.weight *= 20  # an untrained model finds all tokens about equally likely
    return model.train()


@pytest.fixture
def desk(model, tokenizer, monkeypatch):
    """The explorer's controls, as its reader has them."""
    return shown(monkeypatch, model, tokenizer, "the other")[0]


def shown(monkeypatch, model, tokenizer, *text):
    """The desk that `live.next_token` makes, and what it displays with its metadata."""
    desks, bundles = [], []

    class Kept(Desk):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            desks.append(self)

    monkeypatch.setattr(explorer, "Desk", Kept)
    monkeypatch.setattr(explorer, "display", lambda bundle, **options: bundles.append((bundle, options)))
    assert live.next_token(model, tokenizer, *text) is None
    [desk], [(bundle, options)] = desks, bundles
    return desk, bundle, options["metadata"]


def press(words):
    """Click the last button made that has these words on it, as a page does."""
    found = [w for w in widgets.widget._instances.values() if getattr(w, "description", None) == words]
    found[-1].click()


def written(bars):
    """The numbers beside the bars: [(under the settings or None, by the model)] in percent."""
    found = re.findall(r"(?:<b>([\d.]+)%</b>|never drawn) \(model: ([\d.]+)%\)", bars)
    return [(float(after) if after else None, float(before)) for after, before in found]


def names(children):
    return [child.description for child in children]


def expected(model, ids):
    """The probabilities of what follows, from the model itself."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        probabilities = model(torch.tensor([ids[-model.config.context :]]))[0, -1].softmax(-1)
    model.train(was_training)
    return probabilities


# ---------------------------------------------------------------------------------------------------------- the bars


def test_the_bars_are_the_models_probabilities_the_likeliest_first(desk, model, tokenizer):
    probabilities = expected(model, tokenizer.encode("the other"))
    values, order = probabilities.sort(descending=True)
    assert [row[0] for row in desk.rows] == [*order[:10].tolist(), None]
    numbers = [*values[:10].tolist(), values[10:].sum().item()]
    assert written(desk.bars.value) == [(pytest.approx(100 * p, abs=0.051),) * 2 for p in numbers]
    assert names(desk.column.children) == [
        f"{explorer.token_names(tokenizer, [i])[0]} {i}" for i in order[:10].tolist()
    ]
    assert model.training  # dropout was off while it was asked, and is on again


SETTINGS = [("temperature", 0.5), ("temperature", 0.0), ("top_k", 3), ("top_p", 0.3), ("min_p", 0.25)]


@pytest.mark.parametrize("name, value", SETTINGS)
def test_a_slider_changes_the_bars_as_process_logits_does(desk, model, tokenizer, name, value):
    ids = tokenizer.encode("the other")
    desk.sliders[name].value = value
    before = expected(model, ids)
    after = inference.process_logits(before.log(), torch.tensor(ids), **{name: value}).softmax(-1)
    rows = written(desk.bars.value)
    for (token, *_), (number, model_number) in zip(desk.rows[:-1], rows, strict=False):
        assert model_number == pytest.approx(100 * before[token].item(), abs=0.051)
        assert (number or 0) == pytest.approx(100 * after[token].item(), abs=0.051)
    assert f"{(after > 0).sum()} of {len(after)} tokens can be drawn" in desk.kept.value
    assert f"{before[after > 0].sum():.1%}" in desk.kept.value
    assert {"temperature": desk.sliders["temperature"].value} | desk.settings() == {"temperature": 1.0} | {name: value}


def test_without_a_move_nothing_is_changed(desk):
    assert desk.settings() == {"temperature": 1}
    assert all(after == before for after, before in written(desk.bars.value))
    assert torch.equal(desk.processed(), desk.logits())


def test_all_others_share_the_last_bar_even_where_there_are_none():
    probabilities = torch.tensor([0.5, 0.2, 0.3])
    rows = candidates(probabilities, probabilities)
    assert [row[0] for row in rows] == [0, 2, 1, None] and rows[-1][1:] == (0, 0)


@pytest.mark.parametrize("scale, end", [(0.0, 20), (20.0, 100)])
def test_the_longest_bar_of_a_token_fills_much_of_its_axis(scale, end):
    probabilities = (scale * torch.eye(40)[3]).softmax(-1)
    page = explorer.bars(candidates(probabilities, probabilities))
    assert f">{end}%</span>" in page
    widths = [float(width) for width in re.findall(r"width: ([\d.]+)%", page)]
    assert max(widths) <= 100 and max(widths[:-2]) == pytest.approx(
        100 * probabilities.max().item() * 100 / end, abs=0.01
    )
    assert page.count("→") == (scale == 0)  # the others' bar ends beyond the axis


def test_the_model_is_asked_once_for_a_text(desk, model):
    asked = []
    model.register_forward_hook(lambda *_: asked.append(1))
    for value in (0.1, 0.7, 2.0):
        desk.sliders["temperature"].value = value
    assert asked == []
    press("write one")
    assert len(asked) == 1


# ------------------------------------------------------------------------------------------------------ while it writes


def stream(desk, during, seconds=60):
    """Press write in a running event loop; `during` is a coroutine of what happens meanwhile."""

    async def main():
        press(f"write {explorer.COUNT} tokens")
        await asyncio.wait_for(during(), seconds)

    asyncio.run(main())


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(explorer, "PAUSE", 0.002)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_untouched_it_writes_what_stream_writes_and_then_ends(desk, model, tokenizer):
    ids = tokenizer.encode("the other")

    async def to_the_end():
        await until(lambda: len(desk.draft.ids) == len(ids) + explorer.COUNT)
        await asyncio.sleep(0.05)

    stream(desk, to_the_end)
    expected_ids = inference.stream(model, ids, explorer.COUNT, torch.Generator().manual_seed(0), cache=False)
    assert desk.draft.ids == ids + list(expected_ids)
    assert desk.reading.value.endswith(html.escape(tokenizer.decode(desk.draft.ids)) + "</div>")


def test_a_slider_moved_while_it_writes_acts_on_the_next_token(desk, model, tokenizer):
    cold = []

    async def freeze():
        await until(lambda: len(desk.draft.ids) > 15)
        desk.sliders["temperature"].value = 0
        cold.append(len(desk.draft.ids))
        await until(lambda: desk.left == 0)

    stream(desk, freeze)
    [start] = cold
    ids = desk.draft.ids
    assert ids[start:] == list(inference.stream(model, ids[:start], len(ids) - start, temperature=0))
    assert ids[:start] != [*ids[:9], *inference.stream(model, ids[:9], start - 9, temperature=0)]


@pytest.mark.parametrize("how", ["stop", "a token of the text", "another prompt"])
def test_it_stops_at_once(desk, tokenizer, how):
    async def end():
        await until(lambda: len(desk.draft.ids) > 15)
        if how == "stop":
            press("stop")
        elif how == "another prompt":
            desk.field.value = "of the thing"
        else:
            desk.text.children[4].click()
        ids = list(desk.draft.ids)
        await asyncio.sleep(0.05)
        assert desk.draft.ids == ids

    stream(desk, end)
    assert len(desk.draft.ids) == {"stop": 16, "a token of the text": 4, "another prompt": 12}[how]


def test_write_pressed_again_writes_no_faster_and_forty_more(desk):
    async def twice():
        for _ in range(3):
            await asyncio.sleep(0)
            press(f"write {explorer.COUNT} tokens")
        start = len(desk.draft.ids)
        await until(lambda: desk.left == 0)
        await asyncio.sleep(0.03)
        assert len(desk.draft.ids) == start + explorer.COUNT - 1

    stream(desk, twice)


def test_an_error_is_shown_and_ends_the_writing_and_is_raised(desk, model, monkeypatch):
    heard = []

    async def break_it():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))
        await until(lambda: len(desk.draft.ids) > 12)
        monkeypatch.setattr(explorer, "next_logits", lambda *_: 1 / 0)
        await until(lambda: heard)
        await asyncio.sleep(0.03)

    stream(desk, break_it)
    assert [type(error) for error in heard] == [ZeroDivisionError]
    assert desk.problem.value == "ZeroDivisionError: the model could not go on. Run this cell again."
    monkeypatch.undo()
    desk.do()
    assert desk.problem.value == ""


# ---------------------------------------------------------------------------------------------------------- branches


def test_a_text_goes_back_to_a_token_takes_another_one_and_returns(desk, tokenizer):
    for _ in range(5):
        press("write one")
    long = desk.draft.ids
    desk.text.children[11].click()
    assert desk.draft.ids == long[:11] and desk.draft.branches == [long]
    [there] = explorer.token_names(tokenizer, [long[11]])
    assert f"Here stood {html.escape(repr(there))} (" in desk.kept.value
    choice = next(place for place, row in enumerate(desk.rows) if row[0] != long[11])
    token = desk.rows[choice][0]
    desk.column.children[choice].click()
    other = [*long[:11], token]
    assert desk.draft.ids == other and "Here stood" not in desk.kept.value
    desk.branches.children[0].click()
    assert desk.draft.ids == long and desk.draft.branches == [other]
    assert names(desk.branches.children) == [f"↩ … {explorer.visible(tokenizer.decode(other).encode())}"]


def test_a_branch_that_another_one_continues_is_not_kept_and_only_some_are():
    draft = Draft([1, 2, 3])
    draft.cut(2)
    draft.go_to([1, 2, 3])
    assert draft.branches == []
    for token in range(10, 20):
        draft.append(token)
        draft.cut(3)
        assert draft.there == token
    assert draft.branches == [[1, 2, 3, token] for token in (19, 18, 17, 16, 15)]


def test_a_new_prompt_keeps_what_was_written_but_not_what_was_only_typed(desk, tokenizer):
    for prompt in ("the", "the thing", "th"):
        desk.field.value = prompt
    assert desk.draft.branches == []
    press("write one")
    kept = desk.draft.ids
    desk.field.value = "of"
    assert desk.draft.branches == [kept] and desk.draft.ids == tokenizer.encode("of")


def test_the_prompt_has_another_colour_than_what_was_written(desk):
    press("write one")
    colours = [child.style.button_color for child in desk.text.children]
    assert len(set(colours[:9])) == 1 and colours[9] != colours[8]
    desk.text.children[4].click()
    token = next(place for place, row in enumerate(desk.rows) if row[0] != desk.draft.prompt[4])
    desk.column.children[token].click()
    assert [child.style.button_color for child in desk.text.children] == [*colours[:4], colours[9]]


def test_the_first_token_has_nothing_before_it_to_go_on_from(desk):
    assert [child.disabled for child in desk.text.children] == [True] + [False] * 8


def test_a_click_on_a_button_that_is_gone_does_nothing(desk):
    gone = desk.text.children[8]
    desk.text.children[3].click()
    ids = desk.draft.ids
    gone.click()
    assert desk.draft.ids == ids and desk.problem.value == ""


def test_of_a_long_text_the_last_tokens_have_buttons_and_a_click_finds_the_right_one(desk, tokenizer):
    desk.field.value = (TEXT * 5)[:200]
    ids = tokenizer.encode(desk.field.value)
    shown = len(desk.text.children)
    assert explorer.JUMP <= shown <= explorer.MOST and not desk.text.children[0].disabled
    assert names(desk.text.children) == explorer.token_names(tokenizer, ids[-shown:])
    desk.text.children[5].click()
    assert desk.draft.ids == ids[: len(ids) - shown + 5]


# ------------------------------------------------------------------------------------------------------ what is typed


@pytest.mark.parametrize(
    "text, message", [("", "The prompt is empty"), ("Ω", "has never seen 'Ω'"), ("\ud83d", "has never seen")]
)
def test_what_is_wrong_with_a_text_is_said_and_the_text_before_stays(desk, text, message):
    desk.field.value = text
    assert message in html.unescape(desk.problem.value)
    assert len(desk.draft.ids) == 9
    desk.field.value = "the"
    assert desk.problem.value == "" and len(desk.draft.ids) == 3


def test_what_is_typed_is_shown_and_never_run(desk):
    desk.field.value = "<b>$&"
    assert "<b>$" not in desk.reading.value and "&lt;b&gt;$&amp;" in desk.reading.value


def test_bytes_of_half_characters_are_seen(monkeypatch):
    tokenizer = BytePairTokenizer()
    torch.manual_seed(0)
    model = GPT(GPTConfig(256, context=16, layers=1, heads=1, channels=8))
    desk, *_ = shown(monkeypatch, model, tokenizer, "大 x")
    assert names(desk.text.children) == ["大 1/3", "大 2/3", "大 3/3", "·", "x"]
    desk.text.children[2].click()
    assert "\ufffd" in desk.reading.value


def test_a_tokenizer_of_another_model_is_refused(model):
    with pytest.raises(ValueError, match="The tokenizer has 256 tokens and the model .* Pass the tokenizer"):
        live.next_token(model, BytePairTokenizer())


def test_a_prompt_the_model_cannot_begin_with_is_refused(model, tokenizer):
    with pytest.raises(ValueError, match="The prompt is empty"):
        live.next_token(model, tokenizer, "")


# ---------------------------------------------------------------------------------------------------- what is saved


def test_a_saved_notebook_keeps_the_bars_and_a_sentence_without_numbers(monkeypatch, model, tokenizer):
    _, first, metadata = shown(monkeypatch, model, tokenizer, "the other")
    _, again, _ = shown(monkeypatch, model, tokenizer, "the other")
    assert first["image/png"] == again["image/png"] and first["image/png"].startswith(b"\x89PNG")
    assert first["text/plain"] == metadata["image/png"]["alt"] == again["text/plain"]
    assert re.fullmatch(r"[A-Z][^.\d]{60,}\.", first["text/plain"])


def test_the_saved_picture_has_escapes_for_characters_its_font_lacks(monkeypatch, model, tokenizer):
    assert explorer.still([(0, 0.5, 0.5), (1, 0.3, 0.3), (None, 0.2, 0.2)], ["大", "$x$", "all others"])


def test_the_text_it_begins_with_is_one_the_course_can_read(monkeypatch):
    tokenizer = BytePairTokenizer()
    desk, *_ = shown(monkeypatch, GPT(GPTConfig(256, context=16, layers=1, heads=1, channels=8)), tokenizer)
    assert desk.field.value == explorer.TEXT == tokenizer.decode(desk.draft.ids)
