"""A grid of known factors, and all arithmetic between its points and their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FactorGrid:
    """Factors that are combined in every way; the last one changes fastest from one point to the next.

    Attributes:
        names: of the factors.
        values: what each factor takes, in order.

    >>> grid = FactorGrid(("shape", "size"), (("square", "heart"), (0.5, 0.75, 1.0)))
    >>> len(grid), grid.factors([4]), grid.points([[1, 1]])
    (6, array([[1, 1]]), array([4]))
    """

    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each factor has."""
        return tuple(map(len, self.values))

    def __len__(self) -> int:
        return math.prod(self.sizes)

    def factors(self, points: ArrayLike) -> Integers:
        """The place on each factor (N, F) of points (N,).

        Raises:
            ValueError: a point is not on the grid.
        """
        return np.stack(np.unravel_index(np.asarray(points, dtype=np.int64), self.sizes), axis=1).astype(np.int64)

    def points(self, factors: ArrayLike) -> Integers:
        """The points (N,) at places (N, F).

        Raises:
            ValueError: a place is outside its factor.
        """
        places = np.asarray(factors, dtype=np.int64)
        points: Integers = np.ravel_multi_index(tuple(places.T), self.sizes).astype(np.int64)
        return points

    def column(self, name: str) -> int:
        """Which of the factors has a name, or a ValueError that lists them."""
        if name not in self.names:
            raise ValueError(f"There is no factor {name!r}; the factors are {', '.join(self.names)}.")
        return self.names.index(name)
