"""How people lay out observations, and how the networks want them: channels first, in tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from torch import Tensor

from partedvae.data.lazy import Rows, chunks
from partedvae.data.rounding import Rounding

Array = NDArray[Any]
_LARGEST = float(np.finfo(np.float32).max)

Kind = Literal["features", "grey", "channels_first", "channels_last"]

SMALLEST_SIDE = 8
LARGEST_DEPTH = 4


@dataclass(frozen=True)
class Layout:
    """One way of laying out observations.

    Attributes:
        kind: features (N, F), grey images (N, H, W), or images with their channels first or last.
        shape: of one observation as its owner has it.

    >>> Layout.of(np.zeros((5, 20, 20, 3)))
    Layout(kind='channels_last', shape=(20, 20, 3))
    >>> Layout.of(np.zeros((5, 20, 20, 3))).to_tensor(np.zeros((5, 20, 20, 3))).shape
    torch.Size([5, 3, 20, 20])
    """

    kind: Kind
    shape: tuple[int, ...]

    @classmethod
    def of(cls, x: Rows) -> Layout:
        """The layout of observations, or a ValueError if observations cannot have it."""
        shape = tuple(int(side) for side in x.shape[1:])
        if len(shape) == 1:
            return cls("features", shape)
        if len(shape) == 2:
            layout = cls("grey", shape)
        elif len(shape) == 3 and shape[0] <= LARGEST_DEPTH:
            layout = cls("channels_first", shape)
        elif len(shape) == 3 and shape[2] <= LARGEST_DEPTH:
            layout = cls("channels_last", shape)
        else:
            raise ValueError(
                f"X has shape {x.shape}; it should be (N, F) features, (N, H, W) grey images, or (N, H, W, C) or "
                f"(N, C, H, W) images with 1 to {LARGEST_DEPTH} channels."
            )
        _, height, width = layout.tensor_shape
        if min(height, width) < SMALLEST_SIDE:
            raise ValueError(
                f"X has images of {height}×{width} pixels; {SMALLEST_SIDE}×{SMALLEST_SIDE} is the smallest size."
            )
        return layout

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """The shape of one observation, channels first."""
        match self.kind:
            case "grey":
                return (1, *self.shape)
            case "channels_last":
                return (self.shape[2], *self.shape[:2])
            case _:
                return self.shape

    def to_tensor(self, x: Array) -> Tensor:
        """Observations (N, …) as a tensor, channels first; uint8 stays uint8, all else becomes float32."""
        if self.kind == "grey":
            x = x[:, None]
        elif self.kind == "channels_last":
            x = np.moveaxis(x, -1, 1)
        kept = x if x.dtype == np.uint8 else x.astype(np.float32)
        # A copy: torch would share memory that its owner may have marked read-only, or change later.
        return torch.tensor(np.ascontiguousarray(kept))

    def to_array(self, x: Tensor) -> Array:
        """Observations (…, C, H, W) or (…, F) as their owner lays them out."""
        array: Array = x.cpu().numpy()
        if self.kind == "grey":
            return array[..., 0, :, :]
        return np.moveaxis(array, -3, -1) if self.kind == "channels_last" else array


def first_not_finite(x: Rows, names: Sequence[str] = ()) -> str | None:
    """Where the first NaN, infinity or number beyond float32 of observations is, in words; ``None`` if there is none.

    >>> first_not_finite(np.array([[1.0, 2.0], [np.nan, 1.0]]))
    'NaN at row 1, column 0'
    >>> first_not_finite(np.array([[1.0, 2.0], [1.0, np.inf]]), names=["width", "height"])
    'infinity at row 1, column height'
    """
    if x.dtype.kind != "f":
        return None
    for start, part in chunks(x):
        # A sum of squares is small if its parts are, and needs no memory; only doubtful parts are searched.
        flat = part.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.vdot(flat, flat) < _LARGEST:
                continue
        largest = min(_LARGEST, float(np.finfo(part.dtype).max))  # beyond which float16 would have infinity
        bad = np.argwhere(~(np.abs(part) <= largest))
        if len(bad):
            row, *place = (int(i) for i in bad[0])
            value = part[tuple(bad[0])]
            what = "NaN" if np.isnan(value) else "infinity" if np.isinf(value) else f"{value:g}, too large for float32,"
            named = names[place[0]] if len(names) else place[0]
            where = f"column {named}" if len(place) == 1 else f"pixel {tuple(place)}"
            return f"{what} at row {start + row}, {where}"
    return None


def first_flattened(features: Any) -> int | None:
    """The first column that float32 would round by more than a hundredth of its range; ``None`` if there is none.

    Args:
        features: (N, F), an array, lazy rows or a sparse matrix.

    >>> first_flattened(np.array([[0.0, 1e9], [1.0, 1e9 + 1]]))
    1
    """
    rounding = Rounding(features.shape[1])
    if not issparse(features):
        for _, part in chunks(features):
            rounding.add(part)
    elif not np.can_cast(features.dtype, np.float32):
        found = features.tocsc()
        least, most = (ends.toarray().ravel() for ends in (found.min(axis=0), found.max(axis=0)))
        rounding.add_ends(least, most, abs(found - found.astype(np.float32)).max(axis=0).toarray().ravel())
    return rounding.first_flattened
