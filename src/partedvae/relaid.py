"""Pictures laid out as a model knows them: how many channels there are, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partedvae.data import Dataset
from partedvae.data.lazy import RowNumbers, Rows, in_memory
from partedvae.layout import Layout

Array = NDArray[Any]


def relaid(data: Dataset, layout: Layout) -> Dataset:
    """The same pictures, grey ones in colour or colours turned grey, and channels where the layout has them.

    What cannot be brought to that layout, as features cannot, stays as it is.

    Args:
        data: pictures (N, …) at the layout's size.
        layout: that of the model.

    >>> grey = Dataset(np.zeros((5, 8, 8), dtype=np.uint8), np.empty((5, 0), dtype=np.int64), (), tuple("abcde"))
    >>> relaid(grey, Layout("channels_last", (8, 8, 3))).x.shape
    (5, 8, 8, 3)
    """
    if not _can_be(data.x, layout) or data.x.shape[1:] == layout.shape:
        return data
    if in_memory(data.x) and isinstance(data.x, np.ndarray):
        return replace(data, x=_as(data.x, layout))
    return replace(data, x=_Relaid(data.x, layout))


def turned_grey(x: Rows, layout: Layout) -> bool:
    """Whether colours would be lost."""
    return _can_be(x, layout) and Layout.of(x).tensor_shape[0] > layout.tensor_shape[0]


@dataclass(frozen=True)
class _Relaid:
    """Pictures that are not in memory, laid out anew as they are read."""

    base: Rows
    layout: Layout

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.base), *self.layout.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.base.dtype

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, rows: RowNumbers) -> Array:
        return _as(self.base[rows], self.layout)


def _can_be(x: Rows, layout: Layout) -> bool:
    """Bytes of one channel or of red, green and blue, where the layout has the one or the other."""
    if x.dtype != np.uint8 or len(x.shape) not in (3, 4) or layout.kind == "features":
        return False
    own, wanted = Layout.of(x).tensor_shape, layout.tensor_shape
    return own[1:] == wanted[1:] and {own[0], wanted[0]} <= {1, 3}


def _as(x: Array, layout: Layout) -> Array:
    if not len(x):
        return np.empty((0, *layout.shape), dtype=x.dtype)
    match Layout.of(x).kind:
        case "grey":
            x = x[..., None]
        case "channels_first":
            x = np.moveaxis(x, 1, -1)
    n_channels = layout.tensor_shape[0]
    if x.shape[-1] < n_channels:
        x = np.repeat(x, n_channels, axis=-1)
    elif x.shape[-1] > n_channels:
        x = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in x])[..., None]
    match layout.kind:
        case "grey":
            return x[..., 0]
        case "channels_first":
            return np.moveaxis(x, -1, 1)
        case _:
            return x
