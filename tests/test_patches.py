"""Products of patches are the convolutions that they stand for on a GPU."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from partedvae import doubling, halving
from partedvae.networks import ConvDecoder, ConvEncoder
from partedvae.patches import patches, summed

SIDES = st.tuples(st.integers(2, 9), st.integers(2, 9))
MORE = st.tuples(st.integers(0, 1), st.integers(0, 1))


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64).requires_grad_()


def assert_equal(one: Tensor, other: Tensor, *inputs: Tensor) -> None:
    torch.testing.assert_close(one, other)
    upstream = torch.randn_like(one)
    both = (torch.autograd.grad(result, inputs, upstream) for result in (one, other))
    for gradient, expected in zip(*both, strict=True):
        torch.testing.assert_close(gradient, expected)


@given(channels=st.integers(1, 4), sides=SIDES)
@settings(deadline=None, max_examples=30)
def test_products_with_patches_are_convolutions(channels: int, sides: tuple[int, int]) -> None:
    x, weight = numbers(2, channels, *sides), numbers(5, channels, 4, 4)
    halved = F.linear(patches(x), weight.flatten(1)).movedim(-1, 1)
    assert_equal(halved, F.conv2d(x, weight, stride=2, padding=1), x, weight)


@given(channels=st.integers(1, 4), sides=SIDES, more=MORE)
@settings(deadline=None, max_examples=30)
def test_summed_products_are_transposed_convolutions(
    channels: int, sides: tuple[int, int], more: tuple[int, int]
) -> None:
    h, weight = numbers(2, 5, *sides), numbers(5, channels, 4, 4)
    doubled = summed(h.movedim(1, -1) @ weight.flatten(1), channels, more)
    assert_equal(doubled, F.conv_transpose2d(h, weight, stride=2, padding=1, output_padding=more), h, weight)


@pytest.mark.parametrize("shape", [(1, 16, 18), (3, 17, 16)])
def test_networks_give_with_products_what_they_give_with_convolutions(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, decoder = ConvEncoder(shape, 8).double(), ConvDecoder(shape, 3, 8).double()
    x, codes = numbers(4, *shape), numbers(4, 3)
    with_convolutions = encoder(x), decoder(codes)
    asked: list[int] = []

    def as_products(_: Tensor, channels: int) -> bool:
        asked.append(channels)
        return channels == shape[0]

    for module in (halving, doubling):
        monkeypatch.setattr(module, "as_products", as_products)
    assert_equal(encoder(x), with_convolutions[0], x, *encoder.parameters())
    assert_equal(decoder(codes), with_convolutions[1], codes, *decoder.parameters())
    assert asked.count(shape[0]) == 2
