"""The layer of the encoder that makes pictures half as large."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partedvae.patches import PADDING, SIDE, STRIDE, as_products, gradients_as_products, patches, summed


class Halving(nn.Conv2d):
    """(N, C, H, W) → (N, C', ⌊H/2⌋, ⌊W/2⌋): a 4×4 convolution of stride 2.

    Compiled for a GPU, that of few channels, as pictures have, is a product of matrices, and so are the gradients of
    others in small batches: the same weights, and the same numbers but for their rounding.

    >>> import torch
    >>> Halving(1, 2)(torch.rand(2, 1, 8, 9)).shape
    torch.Size([2, 2, 4, 4])
    """

    bias: Tensor

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__(inside, outside, kernel_size=SIDE, stride=STRIDE, padding=PADDING)

    def forward(self, x: Tensor) -> Tensor:
        """The smaller picture."""
        if as_products(x, self.in_channels):
            return F.linear(patches(x), self.weight.flatten(1), self.bias).movedim(-1, 1)
        if gradients_as_products(x, x.shape[0] * (x.shape[2] // 2) * (x.shape[3] // 2)):
            image: Tensor = _Halved.apply(x, self.weight)
            return image + self.bias.to(image.dtype)[:, None, None]
        return super().forward(x)


class _Halved(torch.autograd.Function):
    """The convolution, with products of matrices for gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, stride=STRIDE, padding=PADDING)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        of_places = gradients[0].movedim(1, -1)
        more = x.shape[2] % 2, x.shape[3] % 2
        of_x = summed(of_places @ weight.flatten(1).to(of_places.dtype), x.shape[1], more)
        of_weight = of_places.flatten(0, 2).T @ patches(x.to(of_places.dtype)).flatten(0, 2)
        return of_x.to(x.dtype), of_weight.view_as(weight).to(weight.dtype)
