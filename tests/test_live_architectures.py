"""The explorer of convolutions: its sums are the convolution's, and its controls reach their ends."""

import re

import ipywidgets as widgets
import pytest
import torch
import torch.nn.functional as F

from bmcourse import live
from bmcourse.live import architectures
from bmcourse.live.architectures import KERNELS, ConvolutionPicture
from tests import explorers
from tests.explorers import written

IMAGE = torch.randint(0, 17, (8, 8), generator=torch.Generator().manual_seed(0)) / 16
TRAINED = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
EXPLORERS = {"convolution": lambda: live.convolution(IMAGE, {"trained": TRAINED})}


def value(words):
    return float(words.replace("−", "-"))


# --------------------------------------------------------------------------------------------------- the convolution


@pytest.mark.parametrize("name", [*KERNELS, "trained"])
def test_what_is_written_is_the_convolution(name):
    kernels = KERNELS | {"trained": TRAINED}
    picture = ConvolutionPicture(IMAGE, kernels)
    factors, products, sums = map(written, (picture.factors, picture.products, picture.sums))
    expected = F.conv2d(IMAGE[None, None], kernels[name][None, None]).flatten()
    for place in range(36):
        picture.draw(name, place)
        nine = [value(words) for words, _ in products[1:]]
        pixels, weights = [torch.tensor([value(w.strip("× ")) for w, _ in factors[at::2]]) for at in (0, 1)]
        row, column = divmod(place, 6)
        window = IMAGE[row : row + 3, column : column + 3]
        torch.testing.assert_close(pixels, window.flatten(), atol=0.0051, rtol=0)
        torch.testing.assert_close(weights, kernels[name].flatten(), atol=0.0051, rtol=0)
        torch.testing.assert_close(torch.tensor(nine), (window * kernels[name]).flatten(), atol=0.0051, rtol=0)
        total = value(re.fullmatch("sum = (.*) →", products[0][0]).group(1))
        assert total == pytest.approx(expected[place].item(), abs=0.0051)
        if place == 0:
            whole = torch.tensor([value(words) for words, _ in sums])
    torch.testing.assert_close(whole, expected, atol=0.0051, rtol=0)


def test_the_colour_of_a_product_is_its_sign_and_size():
    picture, kernel = ConvolutionPicture(IMAGE, KERNELS), KERNELS["all edges"]
    for name in ("blur", "all edges"):
        picture.draw(name, 7)
    products = (IMAGE[1:4, 1:4] * kernel).flatten()
    red, green, blue, _ = picture.shades.to_rgba(picture.shades.get_array()).reshape(-1, 4).T
    assert products.min() < 0 < products.max()
    for product, shade in zip(products.tolist(), zip(red, green, blue, strict=True), strict=True):
        assert (shade[2] - shade[0]) * product > 0 or product == 0 and min(shade) > 0.98
    assert (blue - red).argsort().tolist() == products.numpy().argsort(kind="stable").tolist()
    assert min(red.min(), green.min()) > 0.2  # black words can be read on it


def test_the_output_is_hidden_behind_the_window():
    picture = ConvolutionPicture(IMAGE, KERNELS)
    for place in range(36):
        picture.draw("blur", place)
        boxes = [cover.get_bbox() for cover in picture.covers]
        hidden = [any(box.contains(number % 6, number // 6) for box in boxes) for number in range(36)]
        assert hidden == [number > place for number in range(36)]
        assert picture.here.get_xy() == picture.window.get_xy() == (place % 6 - 0.5, place // 6 - 0.5)


def test_a_kernel_chosen_again_gives_the_same_picture():
    picture = ConvolutionPicture(IMAGE, KERNELS)
    first = [picture.draw(name, 14) for name in KERNELS]
    assert [picture.draw(name, 14) for name in KERNELS] == first and len(set(first)) == len(first)


def test_an_empty_image_and_a_kernel_of_zeros():
    for image, kernel in ((torch.zeros(8, 8), TRAINED), (IMAGE, torch.zeros(3, 3))):
        assert ConvolutionPicture(image, {"one": kernel}).draw("one", 35).startswith(b"\x89PNG")


def test_a_trained_kernel_may_need_a_gradient():
    weight = torch.nn.Conv2d(1, 4, 3).weight
    assert ConvolutionPicture(IMAGE, {"trained": weight[0, 0]}).draw("trained", 0)


def test_the_kernels_do_what_their_names_say():
    flat, step = torch.full((1, 1, 8, 8), 0.5), torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1  # dark on the left, bright on the right: an upright edge
    images = flat, step, step.mT
    answers = {name: [F.conv2d(x, kernel[None, None]) for x in images] for name, kernel in KERNELS.items()}
    for name in ("vertical edges", "horizontal edges", "all edges"):
        assert answers[name][0].abs().max() == 0
    assert answers["vertical edges"][1].max() == answers["horizontal edges"][2].max() == 3
    assert answers["vertical edges"][2].abs().max() == answers["horizontal edges"][1].abs().max() == 0
    assert answers["all edges"][1].abs().max() > 0 and answers["all edges"][2].abs().max() > 0
    torch.testing.assert_close(answers["blur"][0], torch.full((1, 1, 6, 6), 0.5))
    assert answers["sharpen"][0].unique().tolist() == [0.5] and answers["sharpen"][1].max() > 1


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"The image is \(1, 8, 8\); live.convolution shows one of \(8, 8\)"):
        live.convolution(IMAGE[None])
    with pytest.raises(ValueError, match=r"The kernel 'mine' is \(1, 3, 3\); \(3, 3\) was expected.*weight\[0, 0\]"):
        live.convolution(IMAGE, {"mine": TRAINED[None]})


# ---------------------------------------------------------------------------------------------------------- explorers


@pytest.fixture(params=EXPLORERS)
def shown(request, monkeypatch):
    """An explorer as its reader has it: draw(), the alt text, and the controls by their names."""
    return explorers.taken(monkeypatch, architectures, EXPLORERS[request.param])


def test_every_control_changes_the_picture_and_draws_to_its_ends(shown):
    draw, _, controls = shown
    explorers.assert_every_control_changes_the_picture(draw, controls)


def test_all_controls_at_their_ends_together(shown):
    draw, _, controls = shown
    explorers.assert_all_controls_go_to_their_ends_together(draw, controls)


def test_labels_are_words_and_the_alt_text_is_a_sentence(shown):
    _, alt, controls = shown
    explorers.assert_labels_are_words_and_the_alt_text_a_sentence(alt, controls)


def test_a_reader_gets_the_picture_the_alt_text_and_no_error(monkeypatch):
    bundles = []
    monkeypatch.setattr(live.explorer, "display", lambda bundle, **options: bundles.append(bundle))
    for explorer in EXPLORERS.values():
        explorer()
    for bundle in bundles:
        box = widgets.widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
        row, picture, problem, _ = box.children
        assert picture.value == bundle["image/png"] and problem.value == ""
        slider = next(control for control in row.children if isinstance(control, widgets.IntSlider))
        slider.value = slider.max
        assert picture.value != bundle["image/png"] and problem.value == ""
