"""The layer of the encoder that makes pictures half as large."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from partedvae.patches import as_products, patches


class Halving(nn.Conv2d):
    """(N, C, H, W) → (N, C', ⌊H/2⌋, ⌊W/2⌋): a 4×4 convolution of stride 2.

    Compiled for a GPU, that of few channels, as pictures have, is a product of matrices: the same weights, and the same
    numbers but for their rounding.

    >>> import torch
    >>> Halving(1, 2)(torch.rand(2, 1, 8, 9)).shape
    torch.Size([2, 2, 4, 4])
    """

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__(inside, outside, kernel_size=4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """The smaller picture."""
        if as_products(x, self.in_channels):
            return F.linear(patches(x), self.weight.flatten(1), self.bias).movedim(-1, 1)
        return super().forward(x)
