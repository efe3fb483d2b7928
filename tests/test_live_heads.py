"""The attention viewer: every per cent on the page is the weight, for each head, and odd tokens and shapes are told."""

import base64
import html
import io
import re

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image

from bmcourse import live, plots
from bmcourse.live import heads, letters

TOKENS = ["The", " cat", "\n", "大", "<b>&amp;"]


def some_weights(layers=2, count=3, T=5, causal=True):
    scores = torch.randn(layers, count, T, T, generator=torch.Generator().manual_seed(0))
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    return (2 * scores).masked_fill(later & causal, -torch.inf).softmax(-1)


@pytest.fixture
def show(monkeypatch):
    """Show the explorer; returns what is saved of it, the buttons for layer and head, its page and its style."""

    def show_one(*arguments, **named):
        shown = []
        monkeypatch.setattr(heads, "display", lambda bundle, raw, metadata: shown.append((bundle, metadata)))
        assert live.attention(*arguments, **named) is None
        [(bundle, metadata)] = shown
        assert metadata["image/png"]["alt"] == bundle["text/plain"]
        box = widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
        row, page, style, alt = box.children
        assert html.escape(bundle["text/plain"]) in alt.value
        return bundle, *row.children, page, style

    return show_one


def percent(style):
    """The per cent in a style, as the array (looking, looked at)."""
    columns = re.findall(r" \.k\d+ \{ ([^}]*) \}", style)
    return np.array([[int(p) for p in re.findall(r"--p\d+: (\d+)", column)] for column in columns]).T


def pixels(style):
    """The heat map in a style, (T, T, 3)."""
    data = re.search(r"\.map \{ background-image: url\(data:image/png;base64,(.*?)\)", style).group(1)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


# ---------------------------------------------------------------------------------------------------------- the page


def test_the_per_cent_of_every_head_are_its_weights(show):
    weights = some_weights()
    _, layer, head, _, style = show(weights, TOKENS)
    for layer.value in range(2):
        for head.value in range(3):
            expected = 100 * weights[layer.value, head.value].numpy()
            np.testing.assert_allclose(percent(style.value), expected, atol=0.5001)
            assert f".l{layer.value}h{head.value} {{ outline" in style.value
            assert style.value.count("outline:") == 1


def test_a_box_takes_the_per_cent_of_the_token_that_is_chosen():
    rules = heads.style("view", 3)
    for number in range(3):
        [chosen] = re.findall(rf"(\.view:is\([^{{]*)\.box {{ --p: var\(--p{number}\) }}", rules)
        assert f".q{number}:hover" in chosen and f".q{number} :checked" in chosen
    page = heads.page("view", some_weights(T=3), ["a", "b", "c"])
    assert re.findall(r'<label class="box q (\w+ \w+)">', page) == ["q0 k0", "q1 k1", "q2 k2"]
    assert re.findall(r'<i class="q (\w+)">', page) == ["q0", "q1", "q2"]  # the rows of the map


def test_the_heat_map_is_white_for_0_blue_for_1_and_darker_for_more():
    weights = torch.tensor([[0, 1.0, 0], [0.01, 0.2, 0.79], [0.5, 0.25, 0.25]])[None, None]
    map_ = pixels(heads.head_style("view", weights, 0, 0))
    assert map_[0, 0].tolist() == [255] * 3
    assert bytes(map_[0, 1]).hex() == plots.BLUE[1:].lower()
    order = weights.flatten().argsort(stable=True)
    red = map_[..., 0].reshape(-1)[order].astype(int)
    assert (np.diff(red) <= 0).all() and red[2] > red[3] > red[4]


def test_tokens_are_shown_as_text_and_never_run(show):
    _, _, _, page, _ = show(some_weights(), TOKENS)
    names = [html.unescape(name) for name in re.findall(r"<code>(.*?)</code>", page.value)]
    assert names == ["The", "·cat", "↵", "大", "<b>&amp;"]
    assert "<b>" not in page.value and page.value.count("大") == 3  # in its box, its row and its column


def test_one_token_is_chosen_from_the_start_and_stays_when_the_head_changes(show):
    _, _, head, page, style = show(some_weights(), TOKENS)
    before, look = page.value, style.value
    assert re.findall(r"(?s)checked><code>(.*?)<", before) == ["&lt;b&gt;&amp;amp;"]
    head.value = 2
    assert page.value == before and style.value != look


def test_every_view_has_rules_of_its_own(show):
    pages = [show(some_weights(), TOKENS)[3].value for _ in range(2)]
    names = [set(re.findall(r"attention-\w+", page)) for page in pages]
    assert [len(name) for name in names] == [1, 1] and names[0] != names[1]
    for page in pages:
        rules = re.search(r"(?s)<style>(.*)</style>", page).group(1)
        assert all(rule.strip().startswith(".attention-") for rule in re.findall(r"([^{}]+)\{", rules))


def test_a_longest_text_is_quick_enough_to_send(show):
    T = heads.MOST
    _, _, head, page, style = show(some_weights(4, 4, T), ["x"] * T)
    head.value = 1
    assert len(style.value) < 100_000 and percent(style.value).shape == (T, T)


# ---------------------------------------------------------------------------------------------------------- the saved


def test_a_saved_notebook_keeps_a_picture_and_a_sentence(show):
    bundle, layer, head, *_ = show(some_weights(), TOKENS, layer=1, head=2)
    assert bundle.keys() == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert re.fullmatch(r"Attention weights of layer 1, head 2 .* 5 tokens.* all 2 × 3 heads\.", bundle["text/plain"])
    assert (layer.value, head.value) == (1, 2) and bundle["image/png"].startswith(b"\x89PNG")
    assert show(some_weights(), TOKENS)[0]["image/png"] != bundle["image/png"]
    assert show(some_weights(), TOKENS, layer=1, head=2)[0]["image/png"] == bundle["image/png"]


@pytest.mark.parametrize("T", [1, 2, 12, 13, 64])
def test_every_length_has_a_picture(show, T):
    for count in (1, 4):
        weights = some_weights(1, count, T, causal=False)
        assert Image.open(io.BytesIO(show(weights, ["大 🙂"] * T)[0]["image/png"])).size == (1800, 880)


@pytest.mark.parametrize("T", [2, 12, 24, 40, 64])
def test_names_beside_the_map_have_room_and_the_map_fits_into_a_window(T):
    rows = re.findall(r'<span class="q q\d+">(.*?)</span>', heads.page("view", some_weights(T=T), ["x"] * T))
    named = [number for number, name in enumerate(rows) if name]
    assert len(rows) == T and heads.cell_size(T) * np.diff(named).min(initial=99) >= heads.LINE
    assert heads.cell_size(T) * T <= 384


def test_a_picture_shows_code_points_where_no_font_has_the_character(monkeypatch):
    monkeypatch.setattr(letters.fontManager, "get_font_names", lambda: ["DejaVu Sans"])
    letters.font_names.cache_clear()
    try:
        assert letters.font_names() == ("DejaVu Sans",)
        assert heads.picture(some_weights(), TOKENS, 0, 0)  # a missing glyph would be a warning, and so an error
    finally:
        letters.font_names.cache_clear()


def test_the_mosaic_holds_every_map():
    weights = some_weights(2, 3, 9)
    mosaic, step = heads.mosaic(weights), 9 + heads.gap(9)
    for layer in range(2):
        for head in range(3):
            part = mosaic[layer * step : layer * step + 9, head * step : head * step + 9]
            assert torch.equal(part, weights[layer, head])
    assert mosaic.shape == (step + 9, 2 * step + 9) and mosaic.isnan().sum() == mosaic.numel() - weights.numel()


# -------------------------------------------------------------------------------------------------- what may come in


def test_weights_of_every_origin(show):
    weights = some_weights().requires_grad_()
    expected = percent(show(weights, TOKENS)[4].value)
    for same in (list(weights), weights.double(), [*weights.detach()]):
        assert (percent(show(same, TOKENS)[4].value) == expected).all()
    assert show(some_weights(), tuple(TOKENS)) and show(some_weights(), "hello")  # five characters


@pytest.mark.parametrize(
    "weights",
    [
        some_weights()[0, 0],
        some_weights()[0],
        some_weights()[..., :4],
        [some_weights()[0], some_weights()[0, :2]],
        some_weights()[None],
        some_weights()[:0],
        some_weights()[:, :0],
    ],
)
def test_weights_of_another_shape_are_refused(weights):
    with pytest.raises(ValueError, match=r"must be \(heads, T, T\), .*what came is \[.*Pass weights\[None\]"):
        live.attention(weights, TOKENS)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_scores_are_refused(value):
    weights = some_weights()
    weights[1, 0, 2, 0] = value
    with pytest.raises(ValueError, match="between 0 and 1; these go from .* to .*the softmax, not the scores"):
        live.attention(weights, TOKENS)


def test_other_tokens_are_refused():
    for tokens, came in ((TOKENS[:4], "4 of str"), ([1, 2, 3, 4, 5], "5 of int"), ([], "0 of nothing")):
        with pytest.raises(ValueError, match=rf"for 5 tokens, so 5 strings are needed; {came} came\. Pass the tokens"):
            live.attention(some_weights(), tokens)


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match=r"has 65 tokens; live.attention shows at most 64. Pass .*:64\] and tokens"):
        live.attention(some_weights(1, 1, 65), ["x"] * 65)


@pytest.mark.parametrize("place", [(2, 0), (0, 3), (-1, 0), (0, -1)])
def test_a_head_that_is_not_there_is_refused(place):
    layer, head = place
    with pytest.raises(ValueError, match=rf"no layer {layer}, head {head}: layers go from 0 to 1, heads from 0 to 2"):
        live.attention(some_weights(), TOKENS, layer, head)


def test_half_a_character_can_be_a_token(show):
    page = show(some_weights(), ["\ud83d", "", "\x1b", "a", "b"])[3].value
    names = re.findall(r"<code>(.*?)</code>", page)
    page.encode()
    assert names == ["⟨237 160 189⟩", "", r"\x1b", "a", "b"]


def test_no_explorer_has_the_name_of_a_file():
    assert not live.EXPLORERS.keys() & set(live.EXPLORERS.values())  # the file, once imported, would take its place
