"""The explorers of data: ids are the tokenizer's, pieces make up the text, and what is typed is shown, never run."""

import html
import re

import ipywidgets as widgets
import pytest

from bmcourse import live
from bmcourse.live import data
from bmcourse.tokenizer import BytePairTokenizer, CharacterTokenizer, WordTokenizer

LEARNED = "the theory of the other thing, then the other theory; aaaaaaaa 大模型 大模型\n" * 3
TEXTS = [
    data.SENTENCE,
    data.LONGER,
    LEARNED,
    "the other aaaaa aaaaaaa",
    " \n\t\u200d",
    "a <script>alert(1)</script> &lt; '\"",
    "",
    "大",
]
SURROGATE = "half \ud83d"


@pytest.fixture(scope="module")
def tokenizer():
    return BytePairTokenizer.train(LEARNED, 330)


@pytest.fixture
def show(monkeypatch):
    """Show an explorer; returns what is saved of it, its controls by kind, and the view below them."""

    def show_one(explorer, *arguments, **named):
        shown = []
        monkeypatch.setattr(data, "display", lambda bundle, raw: shown.append(bundle))
        assert explorer(*arguments, **named) is None
        [bundle] = shown
        box = widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
        field, *rows, view = box.children
        return bundle, field, rows[0].children if rows else (), view

    return show_one


def boxes(page):
    """What is written in the boxes of a page: [(name, id)]."""
    found = re.findall(r"<code[^>]*>(.*?)</code><sub[^>]*>(\d+)</sub>", page)
    return [(html.unescape(name), int(token)) for name, token in found]


def framed(page):
    """The ids of the boxes that have a frame."""
    return [boxes(box)[0][1] for box in re.findall(r"<span.*?</span>", page) if "outline" in box]


def after(tokenizer, count):
    return BytePairTokenizer(tokenizer.merges[:count])


# ---------------------------------------------------------------------------------------------------------- the view


@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_the_tokenizers_and_the_pieces_make_up_the_text(tokenizer, text):
    ids = tokenizer.encode(text)
    plain, page = data.draw_tokens(tokenizer, text)
    assert [token for _, token in boxes(page)] == ids
    assert b"".join(data.pieces(tokenizer, ids)).decode() == text
    names, written, *_ = plain.split("\n")
    assert names == " | ".join(name for name, _ in boxes(page)) and written.split() == [str(i) for i in ids]


def test_white_space_and_parts_of_characters_can_be_seen():
    assert data.visible(b" the\t\n") == "·the⇥↵"
    assert data.visible("\u200d\u3000大\x1b".encode()) == r"\u200d\u3000大\x1b"
    assert [data.visible("大".encode()[:end]) for end in (1, 2, 3)] == ["⟨229⟩", "⟨229 164⟩", "大"]
    assert data.visible(b" \xe5") == "·⟨229⟩"
    assert data.visible("\ud83d".encode(errors="surrogatepass")) == "⟨237 160 189⟩"


@pytest.mark.parametrize("text", ["大模型", "a é🙂 大", "大 1/3 + 2", "\x00+\u200d"])
def test_tokens_that_are_parts_of_a_character_are_named_after_it(text):
    for cuts in ([1], [2], [1, 2], [4], [2, 5], [1, 4, 7]):
        whole = text.encode()
        pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        names = data.visible_in_text(pieces)
        for name, piece in zip(names, pieces, strict=True):
            cut = "\ufffd" in piece.decode(errors="replace")
            assert bool(data.PART.search(name)) == cut and "⟨" not in name  # a typed "1/3" is no part of a character
            assert cut or name == data.visible(piece)
    assert data.visible_in_text(["大模".encode()[:4], "大模".encode()[4:]]) == ["大+模 1/3", "模 2–3/3"]
    assert data.visible_in_text([b"\xe5", b"\xe5\xa4x"]) == ["⟨229⟩", "⟨229 164⟩x"]  # as a model may write


def test_a_character_that_is_no_token_is_shown_with_which_of_its_bytes_it_is():
    plain, page = data.draw_tokens(BytePairTokenizer(), "é!")
    assert boxes(page) == [("é 1/2", 195), ("é 2/2", 169), ("!", 33)]
    assert all("é 1/2: byte 1 of the 2 bytes of é" in shown for shown in (plain, page))
    known = BytePairTokenizer([(229, 164)])
    assert "大 1–2/3: bytes 1–2 of the 3 bytes of 大" in data.draw_tokens(known, "大")[0]
    assert "'⟨229⟩' + '⟨164⟩' → '⟨229 164⟩', in this text 1 × (in brackets" in data.draw_merges(known, "大", 1)[0]
    assert "byte 1" not in data.draw_tokens(known, "1/3")[0]


def test_what_is_typed_is_shown_and_never_run(tokenizer):
    for draw in (data.draw_tokens, lambda *what: data.draw_merges(*what, 0)):
        for known in (tokenizer, BytePairTokenizer([(ord("<"), ord("s")), (256, ord("c"))])):
            page = draw(known, "<script>alert(1)</script><b>&amp;")[1]
            assert not re.search(r"<(script|b)>|&amp;amp", page) and "&lt;" in page
    assert data.draw_merges(BytePairTokenizer([(ord("<"), ord("b"))]), "x", 1)[1].count("&lt;b") == 1


def test_two_neighbours_have_different_colours(tokenizer):
    colors = re.findall(r"border-bottom: 3px solid (#\w+)", data.draw_tokens(tokenizer, data.SENTENCE)[1])
    assert len(set(colors)) == 2 and all(one != other for one, other in zip(colors, colors[1:], strict=False))


def test_counts():
    assert data.counts("大 a", [1, 2]) == "characters: 3 · bytes: 5 · tokens: 2 · tokens per character: 0.67"
    assert data.counts("", []) == "characters: 0 · bytes: 0 · tokens: 0"


def test_a_long_text_is_counted_whole_and_shown_in_part():
    plain, page = data.draw_tokens(BytePairTokenizer(), "x" * 1000)
    assert len(boxes(page)) == data.MOST and "and 600 more" in page and "tokens: 1000" in page
    assert plain.split("\n")[1].split() == ["120"] * data.MOST
    shown = boxes(data.draw_tokens(BytePairTokenizer(), "大" * 200)[1])
    assert len(shown) == data.MOST and shown[-1] == ("大 1/3", 229)  # it is cut within a character


def test_a_line_of_boxes_ends_with_the_line():
    assert data.draw_tokens(BytePairTokenizer(), "a\nb")[1].count("<br>") == 1


def test_characters_and_words_have_the_same_view():
    known = CharacterTokenizer("hello, world")
    assert boxes(data.draw_tokens(known, "hole")[1]) == list(zip("hole", known.encode("hole"), strict=True))
    assert boxes(data.draw_tokens(WordTokenizer("to be"), "to sleep")[1]) == [("to", 2), ("<unknown>", 0)]


# -------------------------------------------------------------------------------------------------------- the merges


@pytest.mark.parametrize("text", TEXTS)
def test_lengths_are_those_of_the_tokenizer_after_each_merge(tokenizer, text):
    expected = [len(after(tokenizer, count).encode(text)) for count in range(len(tokenizer.merges) + 1)]
    assert data.lengths_after_merges(tokenizer, text) == expected


def test_the_view_is_of_the_tokenizer_after_that_many_merges(tokenizer):
    for count in (0, 1, 12, len(tokenizer.merges)):
        plain, page = data.draw_merges(tokenizer, LEARNED, count)
        assert [token for _, token in boxes(page)] == after(tokenizer, count).encode(LEARNED)
        assert f"merges: {count} · tokens: {len(boxes(page))};" in page
        assert plain.split("\n")[0] in html.unescape(page) and plain.startswith(f"merge {count}: ")


def test_the_last_merge_is_named_and_what_it_made_has_a_frame():
    known = BytePairTokenizer([(ord("t"), ord("h")), (256, ord("e")), (ord(" "), 257)])
    names = [data.draw_merges(known, "the then", count)[0].split("\n")[0] for count in range(4)]
    assert names == [
        "merge 0: none yet, so every byte is a token",
        "merge 1: 't' + 'h' → 'th', in this text 2 ×",
        "merge 2: 'th' + 'e' → 'the', in this text 2 ×",
        "merge 3: '·' + 'the' → '·the', in this text 1 ×",
    ]
    assert data.draw_merges(known, "x", 1)[0].startswith("merge 1: 't' + 'h' → 'th', in this text nowhere\n")
    assert [framed(data.draw_merges(known, "the then", count)[1]) for count in (0, 2, 3)] == [[], [257] * 2, [258]]


def test_the_curve_falls_where_the_number_of_tokens_does():
    curve = data.curve([10, 8, 8, 4], 1)
    across, low = (data.RIGHT - data.LEFT) / 3, data.BOTTOM - data.TOP
    at_8, at_4 = (f"{data.BOTTOM - share * low:.1f}" for share in (0.8, 0.4))
    assert f'cx="{data.LEFT + across:.1f}" cy="{at_8}"' in curve
    assert f"H{data.LEFT + across:.1f} V{at_8} H{data.RIGHT:.1f} V{at_4} H{data.RIGHT}" in curve
    assert "fall from 10 to 4" in curve


def test_the_next_merge_is_the_first_that_changes_the_text(tokenizer):
    lengths, count, visited = data.lengths_after_merges(tokenizer, "the theory"), 0, []
    while (count := data.next_merge(tokenizer, "the theory", before := count)) != before:
        visited.append(count)
    assert visited == [i for i in range(1, len(lengths)) if lengths[i] < lengths[i - 1]] and len(visited) > 3
    assert data.next_merge(tokenizer, "", 5) == data.next_merge(tokenizer, SURROGATE, 5) == 5


# ------------------------------------------------------------------------------------------------------- the widgets


def test_a_saved_notebook_keeps_text_and_html(show, tokenizer):
    bundle, *_, view = show(live.tokens, tokenizer)
    assert (bundle["text/plain"], view.value) == data.draw_tokens(tokenizer, data.SENTENCE)
    assert bundle["text/html"] == f'<div style="font-size: 15px">{view.value}</div>'


@pytest.mark.parametrize("explorer", [live.tokens, live.merges])
def test_the_box_is_looked_at_for_legibility_and_its_letters_grow(show, tokenizer, explorer):
    _, field, *_, view = show(explorer, tokenizer)
    [box] = [one for one in widgets.widget._instances.values() if field in getattr(one, "children", ())]
    assert "bmcourse" in box._dom_classes
    assert data.LETTERS in view.value and not re.search(r"font-size: \d+px", view.value)


def test_a_saved_notebook_keeps_the_text_before_the_merges_on_the_way_and_after_them(show, tokenizer):
    bundle, *_, view = show(live.merges, tokenizer, text="the theory")
    stages = [0, len(tokenizer.merges) // 16, len(tokenizer.merges)]
    expected = [token for count in stages for token in after(tokenizer, count).encode("the theory")]
    assert [token for _, token in boxes(bundle["text/html"])] == expected and "<svg" not in bundle["text/html"]
    plain = bundle["text/plain"].split("\n\n")
    assert [int(re.match(r"merge (\d+)", stage)[1]) for stage in plain] == stages
    assert view.value == data.draw_merges(tokenizer, "the theory", 0)[1] and "<svg" in view.value
    bundle, *_ = show(live.merges, BytePairTokenizer(tokenizer.merges[:1]))
    assert bundle["text/plain"].count("merge 0") == bundle["text/plain"].count("merge 1") == 1


def test_typing_changes_the_view(show, tokenizer):
    _, field, _, view = show(live.tokens, tokenizer, text="the")
    assert field.value == "the" and field.continuous_update
    for text in ("then", "then\n", ""):
        field.value = text
        assert [token for _, token in boxes(view.value)] == tokenizer.encode(text)
    assert "tokens: 0" in view.value


def test_the_slider_goes_from_bytes_to_all_merges_and_the_text_can_be_typed(show, tokenizer):
    _, field, (slider, _), view = show(live.merges, tokenizer)
    assert (slider.min, slider.value, slider.max) == (0, 0, len(tokenizer.merges))
    for count in (slider.max, 0, 7):
        slider.value = count
        assert view.value == data.draw_merges(tokenizer, data.LONGER, count)[1]
    field.value = "the theory"
    assert view.value == data.draw_merges(tokenizer, "the theory", 7)[1]
    field.value = ""
    slider.value = slider.max
    assert boxes(view.value) == []


def test_the_button_goes_to_the_next_merge_in_the_text(show, tokenizer):
    _, field, (slider, button), view = show(live.merges, tokenizer)
    field.value = "the"
    button.click()
    assert slider.value == data.next_merge(tokenizer, "the", 0) > 0
    assert view.value == data.draw_merges(tokenizer, "the", slider.value)[1]


@pytest.mark.parametrize("explorer", [live.tokens, live.merges])
def test_half_a_character_is_explained_and_the_next_text_is_shown(show, tokenizer, explorer):
    _, field, controls, view = show(explorer, tokenizer)
    field.set_state({"value": SURROGATE})  # as it comes from the page
    assert "a lone surrogate" in view.value and r"\ud83d" in view.value and not boxes(view.value)
    for button in controls[1:]:
        button.click()
    field.set_state({"value": "the"})
    assert boxes(view.value)


def test_what_is_typed_is_not_sent_back(show, tokenizer, monkeypatch):
    _, field, *_ = show(live.tokens, tokenizer)
    sent = []
    monkeypatch.setattr(type(field), "_send", lambda self, message, buffers=None: sent.append(message))
    field.set_state({"value": "the"})
    assert field.value == "the" and sent == []


def test_a_text_that_the_tokenizer_refuses_is_explained_from_the_start(show):
    bundle, field, _, view = show(live.tokens, CharacterTokenizer("<hello>"), text="<hi>")
    assert "has never seen 'i'" in bundle["text/plain"] and "has never seen &#x27;i&#x27;" in view.value
    field.value = "<h>"
    assert [name for name, _ in boxes(view.value)] == ["<", "h", ">"]


def test_no_page_can_be_sent_half_a_character(tokenizer):
    for explorer in (live.tokens, live.merges):
        with pytest.raises(ValueError, match="surrogates not allowed"):
            explorer(tokenizer, text=SURROGATE)


@pytest.mark.parametrize("known", [CharacterTokenizer("a"), BytePairTokenizer()])
def test_merges_need_merges(known):
    with pytest.raises(ValueError, match=rf"this {type(known).__name__} has none\. Train one with BytePairTokenizer"):
        live.merges(known)
