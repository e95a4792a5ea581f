"""Encoders and decoders for images of any size and for feature vectors."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from partedvae.doubling import Doubling
from partedvae.halving import Halving

LEAK = 0.1  # slope of the leaky ReLUs in front of and behind the hidden layer, as published
_CHANNELS_LAST_FROM = 256  # pixels; of smaller pictures, changing the order costs more than it saves


def n_halvings(height: int, width: int) -> int:
    """How often an image is halved: until its shorter side is about 4 (32 → 3 times, 64 → 4, 218 × 178 → 5).

    >>> [n_halvings(side, side) for side in (8, 28, 32, 64, 178)]
    [1, 3, 3, 4, 5]
    """
    return max(1, round(math.log2(min(height, width) / 4)))


class ConvEncoder(nn.Sequential):
    """(N, C, H, W) → (N, hidden_dim): 4×4 stride-2 convolutions, 32 channels in the first half and 64 in the second.

    Source: Hajimiri et al. 2021.
    """

    def __init__(self, shape: tuple[int, int, int], hidden_dim: int) -> None:
        channels, height, width = shape
        n = n_halvings(height, width)
        widths = [channels] + [32] * (n // 2) + [64] * (n - n // 2)
        layers: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            layers += [Halving(inside, outside), nn.ReLU(inplace=True)]
        layers[-1] = nn.LeakyReLU(LEAK)
        flat = 64 * (height >> n) * (width >> n)
        super().__init__(*layers, nn.Flatten(), nn.Linear(flat, hidden_dim), nn.LeakyReLU(LEAK))
        _lay_out_for(self, height * width)


class ConvDecoder(nn.Module):
    """(N, codes) → (N, C, H, W): the encoder mirrored, with the published channels (… 64, 32, 32, C).

    Source: Hajimiri et al. 2021.
    """

    def __init__(self, shape: tuple[int, int, int], n_codes: int, hidden_dim: int) -> None:
        super().__init__()
        channels, height, width = shape
        n = n_halvings(height, width)
        self.start = (64, height >> n, width >> n)
        self.hidden = nn.Sequential(
            nn.Linear(n_codes, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, math.prod(self.start)), nn.ReLU()
        )
        widths = [64] * max(1, n - 2) + [32] * min(2, n - 1) + [channels]
        layers: list[nn.Module] = []
        for level, (inside, outside) in zip(reversed(range(n)), pairwise(widths), strict=True):
            # An odd side lost its last row or column in halving: the transposed convolution puts it back.
            odd = ((height >> level) % 2, (width >> level) % 2)
            layers += [Doubling(inside, outside, odd), nn.ReLU(inplace=True)]
        self.image = nn.Sequential(*layers[:-1])
        _lay_out_for(self, height * width)

    def forward(self, codes: Tensor) -> Tensor:
        """The likelihood's parameters, one a pixel and channel."""
        image: Tensor = self.image(self.hidden(codes).unflatten(1, self.start))
        return image


def _lay_out_for(network: nn.Module, pixels: int) -> None:
    """Let the channels of large pictures come last in memory: the same numbers, but convolutions are faster."""
    if pixels >= _CHANNELS_LAST_FROM:
        lay_out(network, torch.channels_last)


def lay_out(network: nn.Module, layout: torch.memory_format) -> None:
    """Bring the weights into a layout, in place; what flows through convolutions takes it up."""
    network.to(memory_format=layout)  # type: ignore[call-overload]  # torch's hints do not know it


def first_layer(decoder: nn.Module) -> nn.Linear:
    """The layer of a decoder that the codes go into."""
    layers = decoder.hidden if isinstance(decoder, ConvDecoder) else decoder
    first = next(iter(layers.children()))
    if not isinstance(first, nn.Linear):
        raise TypeError(f"The codes should go into a linear layer, not into {type(first).__name__}.")
    return first


def make_encoder(shape: tuple[int, ...], hidden_dim: int) -> nn.Module:
    """A network from observations of ``shape`` ((C, H, W) or (F,)) to (N, hidden_dim).

    >>> import torch
    >>> make_encoder((3, 20, 37), hidden_dim=256)(torch.rand(2, 3, 20, 37)).shape
    torch.Size([2, 256])
    """
    if len(shape) == 3:
        return ConvEncoder((shape[0], shape[1], shape[2]), hidden_dim)
    return nn.Sequential(
        nn.Linear(shape[0], hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim), nn.LeakyReLU(LEAK)
    )


def make_decoder(shape: tuple[int, ...], n_codes: int, hidden_dim: int) -> nn.Module:
    """A network from (N, n_codes) to observations of ``shape``.

    >>> import torch
    >>> make_decoder((3, 20, 37), n_codes=16, hidden_dim=256)(torch.rand(2, 16)).shape
    torch.Size([2, 3, 20, 37])
    """
    if len(shape) == 3:
        return ConvDecoder((shape[0], shape[1], shape[2]), n_codes, hidden_dim)
    return nn.Sequential(
        nn.Linear(n_codes, hidden_dim),
        nn.ReLU(),
        nn.Linear(hidden_dim, hidden_dim),
        nn.ReLU(),
        nn.Linear(hidden_dim, shape[0]),
    )
