"""The convolutional network and its parts, held equal to torch and to a slow loop."""

import doctest

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.models import cnn
from bmcourse.models.cnn import CNN, Conv2d, conv2d, convolve_loop, max_pool2d, receptive_field, windows
from tests.twins import assert_twins, randn


def test_the_examples_in_the_docstrings():
    done = doctest.testmod(cnn)
    assert done.attempted == 2 and done.failed == 0


def test_the_loop_equals_torch():
    image, kernel = randn(6, 5), randn(3, 2, seed=1)
    expected = F.conv2d(image[None, None], kernel[None, None])[0, 0]
    torch.testing.assert_close(convolve_loop(image, kernel), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_conv2d_equals_torch(stride, padding):
    ours, theirs = Conv2d(3, 4, 3, stride, padding), nn.Conv2d(3, 4, 3, stride, padding)
    theirs.load_state_dict(ours.state_dict())
    assert_twins(ours, theirs, randn(2, 3, 7, 9))


def test_conv2d_without_bias_and_with_an_oblong_kernel():
    x, weight = randn(2, 3, 7, 9), randn(4, 3, 2, 5, seed=1)
    torch.testing.assert_close(conv2d(x, weight), F.conv2d(x, weight), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_max_pooling_equals_torch_also_where_pixels_are_equal(size):
    x = randn(2, 3, 7, 8).relu().round()  # many zeros, and other ties
    assert_twins(
        nn.Identity(), nn.Identity(), x,
        call=lambda _, x: [max_pool2d(x, size)], call_theirs=lambda _, x: [F.max_pool2d(x, size)],
    )  # fmt: skip


def test_windows_copy_nothing():
    x = randn(2, 3, 7, 8)
    assert windows(x, (3, 2), 2).shape == (2, 3, 3, 4, 3, 2)
    assert windows(x, (3, 2), 2).data_ptr() == x.data_ptr()


def test_a_shifted_image_gives_a_shifted_output():
    conv, image = Conv2d(1, 4, 3), randn(1, 1, 10, 10)
    moved = torch.roll(image, shifts=(2, 1), dims=(2, 3))
    torch.testing.assert_close(conv(moved)[:, :, 2:, 1:], conv(image)[:, :, :-2, :-1], atol=1e-6, rtol=1e-5)


def test_the_cnn_equals_torchs_layers():
    ours = CNN(channels=4, classes=3)
    theirs = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32, 3),
    )  # fmt: skip
    for number, mine in ((0, ours.conv1), (3, ours.conv2), (7, ours.head)):
        theirs[number].load_state_dict(mine.state_dict())
    call, call_theirs = lambda module, x: [module(x)], lambda module, x: [module(x[:, None])]
    assert_twins(ours, theirs, randn(5, 8, 8), call=call, call_theirs=call_theirs)


def test_the_layers_start_as_torchs_do():
    torch.manual_seed(0)
    ours = Conv2d(3, 4, 5)
    torch.manual_seed(0)
    theirs = nn.Conv2d(3, 4, 5)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), atol=1e-7, rtol=0)


@pytest.mark.parametrize("layers", [[(3, 1)], [(3, 1), (3, 1)], [(3, 2), (3, 1)], [(3, 1), (2, 2), (3, 1), (2, 2)]])
def test_the_receptive_field_is_where_the_gradient_reaches(layers):
    image = torch.zeros(1, 1, 1, 64, requires_grad=True)
    x = image
    for kernel_size, stride in layers:
        x = conv2d(x, torch.ones(1, 1, 1, kernel_size), stride=stride)
    x[0, 0, 0, 3].backward()
    assert receptive_field(layers) == image.grad.count_nonzero()


def test_a_window_that_does_not_fit():
    with pytest.raises(ValueError, match="window of 3 × 3 does not fit into an image of 2 × 5. .*add padding"):
        conv2d(torch.zeros(1, 1, 2, 5), torch.zeros(1, 1, 3, 3))
    with pytest.raises(ValueError, match="stride is 0; the window must move by 1 pixel or more"):
        conv2d(torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 3, 3), stride=0)


def test_images_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"images are \(4, 8, 8\) and the kernels \(2, 1, 3, 3\).*images\[:, None\]"):
        Conv2d(1, 2, 3)(torch.zeros(4, 8, 8))
    with pytest.raises(ValueError, match="with the same C"):
        conv2d(torch.zeros(1, 2, 8, 8), torch.zeros(1, 1, 3, 3))
    with pytest.raises(ValueError, match=r"images are \(4, 64\); this network reads \(B, 8, 8\)"):
        CNN()(torch.zeros(4, 64))
