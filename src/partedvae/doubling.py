"""The layer of the decoder that makes pictures twice as large."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partedvae.patches import PADDING, SIDE, STRIDE, as_products, gradients_as_products, patches, summed


class Doubling(nn.ConvTranspose2d):
    """(N, C, H, W) → (N, C', 2H, 2W), or a row or a column more: a 4×4 transposed convolution of stride 2.

    With the same weights and numbers but for their rounding, wherever it is computed:

    - The bias is added to what the convolution gives: of one that is handed to torch, the library that it asks computes
      the gradient in a slow loop where channels come last.
    - To one channel, as grey pictures have, that library takes several times what the multiplications need, and less to
      four, which are the pixels of 2×2. GPUs' libraries are slow to a few channels, too, where the step is compiled: it
      is one product of matrices then, whose sixteen numbers for each place are added up where they fall.
    - Compiled for a GPU, the gradient of the weights is a product of matrices in small batches.

    >>> import torch
    >>> Doubling(3, 1, more=(0, 1))(torch.rand(2, 3, 4, 4)).shape
    torch.Size([2, 1, 8, 9])
    """

    bias: Tensor

    def __init__(self, inside: int, outside: int, more: tuple[int, int]) -> None:
        super().__init__(inside, outside, kernel_size=SIDE, stride=STRIDE, padding=PADDING, output_padding=more)
        self.more = more

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # torch's may be asked for a size
        """The larger picture."""
        if as_products(x, self.out_channels):
            image = summed(x.movedim(1, -1) @ self.weight.flatten(1), self.out_channels, self.more)
        elif self.out_channels == 1 and x.device.type == "cpu":
            image = _to_one_channel(x, self.weight, self.more)
            return image + self.bias.to(image.dtype)[:, None, None]
        elif gradients_as_products(x, x.shape[0] * x.shape[2] * x.shape[3]):
            image = _Doubled.apply(x, self.weight, self.more)
        else:
            image = F.conv_transpose2d(x, self.weight, stride=STRIDE, padding=PADDING, output_padding=self.more)
        return image.add_(self.bias.to(image.dtype)[:, None, None])


def _to_one_channel(x: Tensor, weight: Tensor, more: tuple[int, int]) -> Tensor:
    """The transposed convolution to one channel as one of 2×2 and stride 1 to four, the pixels of blocks of 2×2.

    Blocks begin one pixel before the picture, which the padding cuts off.
    """
    of_blocks = weight.reshape(-1, 2, 2, 2, 2).permute(0, 2, 4, 1, 3).reshape(-1, 4, 2, 2)
    framed = F.pixel_shuffle(F.conv_transpose2d(x, of_blocks), STRIDE)
    height, width = (STRIDE * side + odd for side, odd in zip(x.shape[2:], more, strict=True))
    return framed[..., PADDING : PADDING + height, PADDING : PADDING + width]


class _Doubled(torch.autograd.Function):
    """The transposed convolution, with a product of matrices for the gradient of its weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, more: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv_transpose2d(x, weight, stride=STRIDE, padding=PADDING, output_padding=more)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        of_image = gradients[0]
        of_x = F.conv2d(of_image, weight.to(of_image.dtype), stride=STRIDE, padding=PADDING)
        of_weight = x.to(of_image.dtype).movedim(1, -1).flatten(0, 2).T @ patches(of_image).flatten(0, 2)
        return of_x.to(x.dtype), of_weight.view_as(weight).to(weight.dtype), None
