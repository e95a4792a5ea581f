"""Draws of rows that share the value of one factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partedvae.metrics.rows import Rows, levels

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class SharedValues:
    """For each row and factor, the rows with the same value; any number of draws at once.

    The rows are kept sorted by each factor. Those that share a value are then a block, and a draw is a random place in
    it. Where a factor is held fixed and the row is free, rows whose value no other row has are passed over.

    Raises:
        ValueError: a factor has another value in every row.
    """

    def __init__(self, rows: Rows) -> None:
        n_factors, self._n_rows = rows.factors.shape[1], len(rows.factors)
        self._order, self._start, self._size, self._place = np.empty((4, n_factors, self._n_rows), dtype=np.int64)
        free = []
        for k, (column, number) in enumerate(zip(rows.factors.T, np.flatnonzero(rows.factor_varies), strict=True)):
            level = levels(column)
            size = np.bincount(level)
            start = np.cumsum(size) - size
            self._order[k] = np.argsort(level, kind="stable")
            self._start[k], self._size[k] = start[level], size[level]
            self._place[k, self._order[k]] = np.arange(self._n_rows)
            free.append(np.flatnonzero(self._size[k] > 1))
            if not len(free[k]):
                raise ValueError(f"Column {number} of the factors has another value in every row: none to hold fixed.")
        self._free = np.concatenate(free)
        self._n_free = np.array([len(rows) for rows in free])
        self._free_start = np.cumsum(self._n_free) - self._n_free

    def any_row(self, factor: Integers, rng: np.random.Generator) -> Integers:
        """A random row for each factor (…), so that a value is as likely as it is frequent."""
        return self._free[_draw(self._free_start[factor], self._n_free[factor], rng)]

    def like(self, factor: Integers, row: Integers, rng: np.random.Generator) -> Integers:
        """For each factor and row (…), a random row with the same value; it may be the row itself."""
        at = factor * self._n_rows + row
        place = _draw(self._start.take(at), self._size.take(at), rng)
        return self._order.take(factor * self._n_rows + place)

    def other(self, factor: Integers, row: Integers, rng: np.random.Generator) -> Integers:
        """For each factor and row (…), another random row with the same value."""
        at = factor * self._n_rows + row
        start, size = self._start.take(at), self._size.take(at)
        own = self._place.take(at)
        place = _draw(start, size - 1, rng)
        return self._order.take(factor * self._n_rows + place + (place >= own))


def _draw(start: Integers, size: Integers, rng: np.random.Generator) -> Integers:
    """A random whole number for each, start ≤ number < start + size."""
    return start + (rng.random(start.shape) * size).astype(np.int64)
