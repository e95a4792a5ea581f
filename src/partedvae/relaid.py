"""Pictures laid out as a model knows them: how many channels there are, and where they stand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partedvae.data import Dataset
from partedvae.data.lazy import Rows, changed
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
    return replace(data, x=changed(data.x, layout.shape, partial(_as, layout=layout)))


def other_colours(x: Rows, layout: Layout) -> str | None:
    """What becomes of the colours, in words; ``None`` if pictures have as many as the layout.

    >>> other_colours(np.zeros((1, 8, 8), dtype=np.uint8), Layout("channels_last", (8, 8, 3)))
    'is grey, and the model knows colours: red, green and blue are each the grey'
    """
    if not _can_be(x, layout):
        return None
    own, wanted = Layout.of(x).tensor_shape[0], layout.tensor_shape[0]
    if own > wanted:
        return "is in colour, and the model knows grey pictures only: they are turned grey"
    return "is grey, and the model knows colours: red, green and blue are each the grey" if own < wanted else None


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
