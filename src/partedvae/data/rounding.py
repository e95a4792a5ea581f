"""Numbers that 32 bits cannot tell apart: times in seconds, long ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import DataError

_NOTICED = 0.01  # of the range of a column


class Rounding:
    """How far float32 is from what columns hold, learned a part of the rows at a time.

    >>> seen = Rounding(n_columns=1)
    >>> seen.add(np.array([[1_700_000_000], [1_700_000_050]]))
    >>> seen.first_flattened
    0
    """

    def __init__(self, n_columns: int) -> None:
        self._least, self._most, self._error = (
            np.full(n_columns, start, dtype=kind)  # Python's whole numbers: a long id is more than a float can hold
            for start, kind in ((np.inf, object), (-np.inf, object), (0.0, float))
        )

    def add(self, values: NDArray[Any], first: int = 0) -> None:
        """Values (n, k) of k columns from the first on; those that are not finite say nothing."""
        if np.can_cast(values.dtype, np.float32):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            near = values.astype(np.float32)
            if values.dtype.kind in "iu":
                largest = np.nextafter(np.float32(np.iinfo(values.dtype).max), np.float32(0))  # that is no larger
                back = np.minimum(near, largest).astype(values.dtype)
                error = np.maximum(values, back) - np.minimum(values, back)
                self.add_ends(values.min(axis=0), values.max(axis=0), error.max(axis=0), first)
                return
            error = np.abs(values - near)
        finite = np.isfinite(error)  # nor do those beyond float32, which are refused as such
        self.add_ends(
            values.min(axis=0, where=finite, initial=np.inf),
            values.max(axis=0, where=finite, initial=-np.inf),
            error.max(axis=0, where=finite, initial=0.0),
            first,
        )

    def add_ends(self, least: NDArray[Any], most: NDArray[Any], error: NDArray[Any], first: int = 0) -> None:
        """The same by smallest and largest values, and by how far float32 is from any, each (k,)."""
        columns = slice(first, first + len(least))
        self._least[columns] = np.minimum(self._least[columns], least.astype(object))
        self._most[columns] = np.maximum(self._most[columns], most.astype(object))
        self._error[columns] = np.maximum(self._error[columns], error)

    @property
    def first_flattened(self) -> int | None:
        """The first column that float32 would round by more than a hundredth of its range."""
        with np.errstate(invalid="ignore"):
            lost = np.flatnonzero((self._least < self._most) & (self._error > _NOTICED * (self._most - self._least)))
        return int(lost[0]) if len(lost) else None

    def require_little(self, path: Path, names: Sequence[str]) -> None:
        """Refuse a file with such a column.

        Raises:
            DataError: names it.
        """
        column = self.first_flattened
        if column is not None:
            raise DataError(
                f"{path}: column {names[column]} varies by little more than 32 bits can tell of numbers of its size. "
                "Subtract the smallest first; or, if it is no feature, call it id or name the features with "
                "--feature-columns."
            )
