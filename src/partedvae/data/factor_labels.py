"""Factors of a grid as attributes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import DataError
from partedvae.data.factors import FactorGrid
from partedvae.labels import Attribute


def factor_labels(
    grid: FactorGrid, points: NDArray[np.int64], names: Sequence[str]
) -> tuple[NDArray[np.int64], tuple[Attribute, ...]]:
    """Labels of points (N,): one attribute for each factor named, whose classes are the factor's values in order.

    Returns:
        Codes (N, A) and attributes.

    Raises:
        DataError: there is no such factor; it lists those there are.

    >>> grid = FactorGrid(("shape", "size"), (("square", "heart"), (0.5, 0.75, 1.0)))
    >>> codes, (size,) = factor_labels(grid, np.array([0, 5]), ["size"])
    >>> codes.tolist(), size.classes
    ([[0], [2]], array([0.5 , 0.75, 1.  ]))
    """
    try:
        columns = [grid.column(name) for name in names]
    except ValueError as error:
        raise DataError(f"--label-columns: {error}") from None
    # A part at a time, since the places on all factors of a large grid take far more memory than a few columns.
    parts = np.array_split(points, len(points) // 2**16 + 1)
    codes = np.concatenate([grid.factors(part)[:, columns] for part in parts])
    return codes, tuple(Attribute(grid.names[k], np.array(grid.values[k])) for k in columns)
