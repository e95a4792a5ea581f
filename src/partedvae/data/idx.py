"""The IDX format of MNIST and its kin, gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import DataError

_UNSIGNED_BYTE = 8


def read_idx(path: Path) -> NDArray[Any]:
    """The array of unsigned bytes in an IDX file.

    Format: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit integer, then
    the numbers. Source: LeCun, Cortes and Burges, *The MNIST database*.

    Raises:
        DataError: the file is missing, truncated, or not IDX.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path} is not an IDX file of unsigned bytes.")
    n_dimensions = content[3]
    start = 4 + 4 * n_dimensions
    shape = np.frombuffer(content[4:start], dtype=">u4").astype(int)
    if len(shape) != n_dimensions or len(content) - start != math.prod(shape.tolist()):
        raise DataError(
            f"{path} is truncated or damaged: {len(content)} bytes do not make an array of {shape.tolist()}."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
