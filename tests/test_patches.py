"""Products of patches are the convolutions that they stand for on a GPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from partedvae import doubling, halving
from partedvae import patches as _patches
from partedvae.doubling import Doubling
from partedvae.halving import Halving
from partedvae.networks import ConvDecoder, ConvEncoder
from partedvae.patches import as_products, gradients_as_products, patches, summed

SIDES = st.tuples(st.integers(2, 9), st.integers(2, 9))
MORE = st.tuples(st.integers(0, 1), st.integers(0, 1))


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64).requires_grad_()


def assert_equal(one: Tensor, other: Tensor, *inputs: Tensor, apart: float = 1e-7) -> None:
    """Values and gradients are alike, up to a share of what they are."""
    upstream = torch.randn_like(one)
    gradients = (torch.autograd.grad(result, inputs, upstream) for result in (one, other))
    for found, expected in [(one, other), *zip(*gradients, strict=True)]:
        assert (found - expected).norm() <= apart * expected.norm()


@given(channels=st.integers(1, 4), sides=SIDES)
@settings(max_examples=30)
def test_products_with_patches_are_convolutions(channels: int, sides: tuple[int, int]) -> None:
    x, weight = numbers(2, channels, *sides), numbers(5, channels, 4, 4)
    halved = F.linear(patches(x), weight.flatten(1)).movedim(-1, 1)
    assert_equal(halved, F.conv2d(x, weight, stride=2, padding=1), x, weight)


@given(channels=st.integers(1, 4), sides=SIDES, more=MORE)
@settings(max_examples=30)
def test_summed_products_are_transposed_convolutions(
    channels: int, sides: tuple[int, int], more: tuple[int, int]
) -> None:
    h, weight = numbers(2, 5, *sides), numbers(5, channels, 4, 4)
    doubled = summed(h.movedim(1, -1) @ weight.flatten(1), channels, more)
    assert_equal(doubled, F.conv_transpose2d(h, weight, stride=2, padding=1, output_padding=more), h, weight)


@given(channels=st.integers(1, 4), sides=SIDES, more=MORE)
@settings(max_examples=30)
def test_gradients_that_are_products_are_those_of_convolutions(
    channels: int, sides: tuple[int, int], more: tuple[int, int]
) -> None:
    x = numbers(2, channels, *sides)
    for layer in (Halving(channels, 3).double(), Doubling(channels, 3, more).double()):
        usual = layer(x)
        with pytest.MonkeyPatch.context() as patched:
            for module in (halving, doubling):
                patched.setattr(module, "gradients_as_products", lambda *_: True)
            assert_equal(layer(x), usual, x, *layer.parameters())


@pytest.mark.parametrize("layer", [Halving(2, 3), Doubling(2, 3, (1, 0))])
def test_gradients_have_the_digits_of_what_they_are_of(
    layer: Halving | Doubling, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(4, 2, 8, 8, requires_grad=True)
    both: list[tuple[Tensor, ...]] = []
    for chosen in (False, True):
        for module in (halving, doubling):
            monkeypatch.setattr(module, "gradients_as_products", lambda *_, chosen=chosen: chosen)
        with torch.autocast("cpu", torch.bfloat16):
            image = layer(x)
        assert image.dtype == torch.bfloat16
        both.append(torch.autograd.grad(image.float().square().sum(), [x, *layer.parameters()]))
    for usual, found in zip(*both, strict=True):
        assert found.dtype == usual.dtype == torch.float32
        assert (found - usual).norm() <= 0.02 * usual.norm()


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # which torch itself does
def test_torch_compiles_gradients_that_are_products(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (halving, doubling):
        monkeypatch.setattr(module, "gradients_as_products", lambda *_: True)
    layers = torch.nn.Sequential(Halving(2, 3), Doubling(3, 2, (0, 1))).double()
    x = numbers(4, 2, 8, 9)
    assert_equal(torch.compile(layers, backend="aot_eager", fullgraph=True)(x), layers(x), x, *layers.parameters())


@pytest.mark.parametrize("shape", [(1, 16, 18), (3, 17, 16), (6, 16, 16)])
@pytest.mark.parametrize(("few_digits", "gradients"), [(False, False), (True, False), (False, True)])
def test_networks_give_with_products_what_they_give_with_convolutions(
    shape: tuple[int, int, int], few_digits: bool, gradients: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype = torch.float32 if few_digits else torch.float64
    encoder, decoder = ConvEncoder(shape, 8).to(dtype), ConvDecoder(shape, 3, 8).to(dtype)
    x, codes = (torch.randn(4, *size, dtype=dtype).requires_grad_() for size in (shape, (3,)))
    asked: list[int] = []

    def both() -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=few_digits):
            return encoder(x), decoder(codes)

    def as_products(_: Tensor, channels: int) -> bool:
        asked.append(channels)
        return channels == shape[0] < 5

    with_convolutions = both()
    for module in (halving, doubling):
        monkeypatch.setattr(module, "as_products", as_products)
        monkeypatch.setattr(module, "gradients_as_products", lambda *_: gradients)
    with_products = both()
    assert asked.count(shape[0]) == 2
    inputs = (x, *encoder.parameters()), (codes, *decoder.parameters())
    for one, other, given_ones in zip(with_products, with_convolutions, inputs, strict=True):
        assert_equal(one, other, *given_ones, apart=0.02 if few_digits else 1e-7)


@pytest.mark.parametrize(
    ("channels", "device", "compiled", "exported", "chosen"),
    [
        (1, "cuda", True, False, True),
        (4, "cuda", True, False, True),
        (5, "cuda", True, False, False),
        (1, "cuda", False, False, False),
        (1, "cuda", True, True, False),
        (1, "cpu", True, False, False),
    ],
)
def test_products_are_for_pictures_that_are_compiled_for_a_gpu(
    channels: int, device: str, compiled: bool, exported: bool, chosen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: compiled)
    monkeypatch.setattr(_patches, "_exported", lambda: exported)
    x: Any = SimpleNamespace(device=torch.device(device))
    assert as_products(x, channels) == chosen
    assert gradients_as_products(x, n_patches=64 * 16 * 16) == (device == "cuda" and compiled and not exported)
    assert not gradients_as_products(x, n_patches=1024 * 16 * 16)
