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

    >>> seen = Rounding(["when"])
    >>> seen.add(0, np.array([1_700_000_000, 1_700_000_050]))
    >>> seen.first_flattened
    'when'
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._least, self._most, self._error = (np.full(len(names), start) for start in (np.inf, -np.inf, 0.0))

    def add(self, place: int, values: NDArray[Any]) -> None:
        """Values of a column; those that are not finite say nothing."""
        if np.can_cast(values.dtype, np.float32):
            return
        finite = values[np.isfinite(values)].astype(np.float64)
        if not len(finite):
            return
        with np.errstate(over="ignore"):
            error = np.abs(finite - finite.astype(np.float32)).max()
        self._least[place] = min(self._least[place], finite.min())
        self._most[place] = max(self._most[place], finite.max())
        self._error[place] = max(self._error[place], error if np.isfinite(error) else 0.0)

    @property
    def first_flattened(self) -> str | None:
        """The first column that float32 would round by more than a hundredth of its range."""
        with np.errstate(invalid="ignore"):
            lost = np.flatnonzero((self._least < self._most) & (self._error > _NOTICED * (self._most - self._least)))
        return self._names[int(lost[0])] if len(lost) else None

    def require_little(self, path: Path) -> None:
        """Refuse a file with such a column.

        Raises:
            DataError: names it.
        """
        name = self.first_flattened
        if name is not None:
            raise DataError(
                f"{path}: column {name} varies by little more than 32 bits can tell of numbers of its size. Subtract "
                "the smallest first; or, if it is no feature, call it id or name the features with --feature-columns."
            )
