"""Pictures as the 4×4 patches that convolutions of stride 2 see, and back; what is between is a product of matrices."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE, STRIDE, PADDING = 4, 2, 1
"""Of the convolutions that patches stand for."""

_FEW = 4
_AT_MOST = 2**14  # patches: those of the first wide layer for a batch of 64 pictures of 64×64
_exported: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)  # which older torch does not say


def as_products(x: Tensor, channels: int) -> bool:
    """Whether products of matrices are the faster way to pictures, or from pictures, of so many channels.

    On a GPU convolutions of few channels take several times what the products take, if a compiler makes few kernels of
    what is between. What is exported, for who knows what device, keeps its convolutions.

    >>> as_products(torch.rand(2, 1, 8, 8), channels=1)
    False
    """
    return channels <= _FEW and _compiled_for_a_gpu(x)


def gradients_as_products(x: Tensor, n_patches: int) -> bool:
    """Whether gradients of a convolution that sees so many patches are products of matrices as well.

    In a small step those that a GPU's library chooses for weights are often slow ones. Of large batches they are fast,
    and patches, which are written out, are not.

    >>> gradients_as_products(torch.rand(2, 32, 8, 8), n_patches=32)
    False
    """
    return _compiled_for_a_gpu(x) and n_patches <= _AT_MOST  # in this order: what is exported has any number


def _compiled_for_a_gpu(x: Tensor) -> bool:
    return x.device.type == "cuda" and torch.compiler.is_compiling() and not _exported()


def patches(x: Tensor) -> Tensor:
    """Every second 4×4 patch of pictures with a frame of zeros: (N, C, H, W) → (N, ⌊H/2⌋, ⌊W/2⌋, 16 C).

    Columns are channel by channel, row by row, as the weights of a convolution are. They are put together of 2×2
    blocks, of which compilers make one kernel.

    >>> import torch
    >>> patches(torch.ones(5, 3, 8, 9)).shape
    torch.Size([5, 4, 4, 48])
    """
    n, channels, height, width = x.shape
    rows, columns = height // 2, width // 2
    framed = F.pad(x, (1, 2 * columns + 1 - width, 1, 2 * rows + 1 - height))
    blocks = framed.reshape(n, channels, rows + 1, 2, columns + 1, 2).permute(0, 2, 4, 1, 3, 5)  # N, rows, columns, C
    blocks = _with_next(_with_next(blocks, 1, 4), 2, 5)
    return blocks.reshape(n, rows, columns, 16 * channels)


def summed(columns: Tensor, channels: int, more: tuple[int, int]) -> Tensor:
    """Patches added up where they lie: (N, H, W, 16 C) → (N, C, 2H, 2W), or a row or a column more.

    >>> import torch
    >>> summed(torch.ones(1, 2, 2, 16), channels=1, more=(0, 0))[0, 0]
    tensor([[1., 2., 2., 1.],
            [2., 4., 4., 2.],
            [2., 4., 4., 2.],
            [1., 2., 2., 1.]])
    """
    n, rows, width, _ = columns.shape
    blocks = columns.reshape(n, rows, width, channels, 4, 4)
    blocks = _onto_next(_onto_next(blocks, 1, 4), 2, 5)
    framed = blocks.permute(0, 3, 1, 4, 2, 5).reshape(n, channels, 2 * rows + 2, 2 * width + 2)
    return framed[:, :, 1 : 1 + 2 * rows + more[0], 1 : 1 + 2 * width + more[1]]


def _with_next(blocks: Tensor, place: int, within: int) -> Tensor:
    """Blocks of 2 with those of the next place behind them, which makes 4, and one place less."""
    n = blocks.shape[place] - 1
    return torch.cat([blocks.narrow(place, start, n) for start in (0, 1)], dim=within)


def _onto_next(blocks: Tensor, place: int, within: int) -> Tensor:
    """Blocks of 4 whose second half is added to the next place: blocks of 2, and one place more."""
    behind = [0, 0] * (blocks.ndim - 1 - place)
    here, there = blocks.chunk(2, dim=within)
    return F.pad(here, [*behind, 0, 1]) + F.pad(there, [*behind, 1, 0])
