"""Sinusoidal and rotary positions, held equal to their formulas; what each is good for, as a property."""

import math

import pytest
import torch

from bmcourse.models.attention import MultiHeadAttention
from bmcourse.models.positions import position_angles, rotary, sinusoidal_positions
from tests.twins import randn


def test_sinusoidal_positions_are_the_papers_formula():
    T, C = 7, 10
    expected = torch.empty(T, C)
    for t in range(T):
        for i in range(C // 2):
            expected[t, 2 * i] = math.sin(t / 10000 ** (2 * i / C))
            expected[t, 2 * i + 1] = math.cos(t / 10000 ** (2 * i / C))
    torch.testing.assert_close(sinusoidal_positions(T, C), expected, atol=1e-5, rtol=1e-5)


def test_sinusoidal_positions_are_all_different_and_alike_when_near():
    positions = sinusoidal_positions(200, 32)
    similarity = positions @ positions.T
    assert (similarity.diagonal() - 16).abs().max() < 1e-4
    assert similarity.fill_diagonal_(0).max() < 15.9
    assert similarity[100, 101] > similarity[100, 103] > similarity[100, 110]


def test_attention_sees_no_order_without_positions_and_one_with_them():
    mha, x = MultiHeadAttention(16, 2).eval(), randn(1, 6, 16)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(mha(x[:, order], x[:, order], x[:, order])[0], mha(x, x, x)[0][:, order])
    here = x + sinusoidal_positions(6, 16)
    there = x[:, order] + sinusoidal_positions(6, 16)
    assert not torch.allclose(mha(there, there, there)[0], mha(here, here, here)[0][:, order], atol=1e-3)


def test_rotary_is_a_product_of_complex_numbers():
    x = randn(2, 3, 9, 8)
    pairs = torch.view_as_complex(x.view(2, 3, 9, 4, 2))
    turns = torch.polar(torch.ones(9, 4), position_angles(9, 8))
    torch.testing.assert_close(rotary(x), torch.view_as_real(pairs * turns).flatten(-2), atol=1e-5, rtol=1e-5)


def test_rotary_keeps_lengths_and_the_first_position():
    x = randn(2, 30, 8)
    torch.testing.assert_close(rotary(x).norm(dim=-1), x.norm(dim=-1), atol=1e-5, rtol=1e-5)
    assert torch.equal(rotary(x)[:, 0], x[:, 0])


def test_after_rotary_a_product_depends_on_the_distance_only():
    query, key = randn(8), randn(8, seed=1)
    scores = rotary(query.expand(40, 8)) @ rotary(key.expand(40, 8)).T
    for distance in range(-39, 40):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4, rtol=1e-4)
    assert scores[0].std() > 0.1, "and on the distance it does depend"


def test_rotary_keeps_the_dtype_and_stays_exact_far_out():
    x = torch.ones(3000, 4)
    assert rotary(x.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(rotary(x.bfloat16()).float(), rotary(x), atol=0.02, rtol=0)


@pytest.mark.parametrize("function", [lambda: sinusoidal_positions(4, 7), lambda: rotary(torch.zeros(2, 4, 7))])
def test_an_odd_number_of_channels(function):
    with pytest.raises(ValueError, match="written into pairs of channels, so their number must be even; 7 came"):
        function()
