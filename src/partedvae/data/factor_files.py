"""What published files of rendered factors have in common: a grid seen in a table, and the data set it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import Dataset, Numbered
from partedvae.data.factor_labels import factor_labels
from partedvae.data.factors import FactorGrid
from partedvae.data.reading import Reading
from partedvae.data.subsets import random_rows

Array = NDArray[Any]


def observed_grid(names: Sequence[str], table: Array) -> tuple[FactorGrid, NDArray[np.int64]]:
    """The grid of what is in each column of a table (N, F), in order, and the point of each row.

    >>> grid, points = observed_grid(("shape", "size"), np.array([[2, 0.5], [1, 0.5], [2, 0.75]]))
    >>> grid.values, points
    (((1.0, 2.0), (0.5, 0.75)), array([2, 0, 3]))
    """
    columns = [np.unique(column, return_inverse=True) for column in table.T]
    grid = FactorGrid(tuple(names), tuple(tuple(values.tolist()) for values, _ in columns))
    return grid, grid.points(np.stack([places for _, places in columns], axis=1))


def with_value_names(grid: FactorGrid, factor: str, names: Mapping[float, str]) -> FactorGrid:
    """The grid with words for the values of one factor.

    >>> with_value_names(FactorGrid(("shape",), ((0.0, 1.0),)), "shape", {0.0: "cube", 1.0: "cylinder"}).values
    (('cube', 'cylinder'),)
    """
    column = grid.column(factor)
    unknown = [value for value in grid.values[column] if value not in names]
    if unknown:
        raise ValueError(f"{factor} has the value {unknown[0]:g}; it should be one of {', '.join(map(str, names))}")
    values = list(grid.values)
    values[column] = tuple(names[value] for value in values[column])
    return replace(grid, values=tuple(values))


def factor_dataset(x: Array, grid: FactorGrid, points: NDArray[np.int64], reading: Reading) -> Dataset:
    """Pictures with their factors; the attributes are the factors that ``reading.labels`` names, or the shape."""
    codes, attributes = factor_labels(grid, points, ("shape",) if reading.labels is None else reading.labels)
    data = Dataset(x, codes, attributes, Numbered(range(len(x))), grid=grid, points=points)
    return data if reading.max_rows is None else data.take(random_rows(len(data), reading.max_rows))
