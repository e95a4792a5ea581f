"""The one form that every source is read into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self, overload

import numpy as np
from numpy.typing import NDArray

from partedvae.data.factors import FactorGrid
from partedvae.data.lazy import Rows, take
from partedvae.labels import MISSING, Attribute

Array = NDArray[Any]


class DataError(ValueError):
    """Data that cannot be read or used; the message names the file, the row or the option."""


class Skipped(NamedTuple):
    """A file or row that was left out on request, and what is wrong with it."""

    id: str
    reason: str


class Numbered(Sequence[str]):
    """Row numbers as names of rows, written out only when one is asked for.

    >>> list(Numbered(np.array([3, 5])))
    ['3', '5']
    """

    def __init__(self, rows: NDArray[np.int64] | range) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Numbered: ...
    def __getitem__(self, index: int | slice) -> str | Numbered:
        return Numbered(self._rows[index]) if isinstance(index, slice) else str(self._rows[index])

    def __iter__(self) -> Iterator[str]:
        return map(str, self._rows)

    def take(self, rows: NDArray[np.int64]) -> Numbered:
        """The names of some of the rows."""
        return Numbered(np.asarray(self._rows)[rows])


@dataclass(frozen=True)
class Dataset:
    """Observations and labels.

    Attributes:
        x: observations (N, …): features, or images of uint8 or floats; in memory, in a mapped file, or lazy.
        codes: labels (N, A) as numbers within each attribute, −1 where missing.
        attributes: names and classes; empty if the source has no labels.
        ids: one name a row: a file, or the number of the row.
        feature_names: one name a column, if the source names its features.
        grid: the factors of the source, if every row is one point of a grid of known factors.
        points: the row numbers (N,) of that grid, which tell each row's factors.
        skipped: what was left out because it could not be read, if that was asked for.
        notes: lines on what else was not read, such as files that are no pictures by their names.

    >>> animal = Attribute("animal", np.array(["cat", "dog"]))
    >>> data = Dataset(np.zeros((3, 4)), np.array([[1], [-1], [0]]), (animal,), ("a", "b", "c"))
    >>> data.y.tolist()
    ['dog', None, 'cat']
    >>> data.take([2, 1]).ids
    ('c', 'b')
    """

    x: Rows
    codes: NDArray[np.int64]
    attributes: tuple[Attribute, ...]
    ids: Sequence[str]
    feature_names: tuple[str, ...] = ()
    grid: FactorGrid | None = None
    points: NDArray[np.int64] | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    @property
    def y(self) -> Array:
        """Labels as the source names them, ``None`` where missing: (N,), or (N, A) for several attributes."""
        columns = []
        for code, attribute in zip(self.codes.T, self.attributes, strict=True):
            names = np.array([*attribute.classes.tolist(), None], dtype=object)  # −1 finds the last
            columns.append(names[code])
        table = np.stack(columns, axis=1) if columns else np.full((len(self), 1), None, dtype=object)
        return table[:, 0] if table.shape[1] == 1 else table

    @property
    def labelled(self) -> NDArray[np.int64]:
        """Rows with a label of at least one attribute."""
        return np.flatnonzero((self.codes != MISSING).any(axis=1))

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Whether a row misses no label: (N,). None is complete if the source has no labels."""
        found: NDArray[np.bool_] = (self.codes != MISSING).all(axis=1)
        return found if self.attributes else np.zeros(len(self), dtype=bool)

    @property
    def factors(self) -> NDArray[np.int64]:
        """Each row's place on each factor of the grid: (N, F).

        Raises:
            DataError: the source has no known factors.
        """
        if self.grid is None or self.points is None:
            raise DataError("This data set has no known factors.")
        return self.grid.factors(self.points)

    def take(self, rows: Sequence[int] | Sequence[bool] | Array) -> Self:
        """Some of the rows, in the order given, or those of a mask.

        Observations that are not in memory stay where they are.
        """
        chosen = self._numbers(rows)
        names = self.ids
        return replace(
            self,
            x=take(self.x, chosen),
            codes=self.codes[chosen],
            ids=names.take(chosen) if isinstance(names, Numbered) else tuple(names[row] for row in chosen),
            points=None if self.points is None else self.points[chosen],
        )

    def with_labels_of(self, rows: Sequence[int] | Sequence[bool] | Array) -> Self:
        """The same observations with all labels hidden but those of ``rows``: numbers, or a mask."""
        codes = np.full_like(self.codes, MISSING)
        chosen = self._numbers(rows)
        codes[chosen] = self.codes[chosen]
        return replace(self, codes=codes)

    def _numbers(self, rows: Sequence[int] | Sequence[bool] | Array) -> NDArray[np.int64]:
        """Numbers of rows, of which there may be a mask."""
        given = np.asarray(rows)
        if given.dtype != np.bool_:
            return given.astype(np.int64)
        if given.shape != (len(self),):
            raise ValueError(f"The mask of rows has shape {given.shape}; there are {len(self)} rows.")
        return np.flatnonzero(given)

    @property
    def array(self) -> Array:
        """The observations in memory."""
        return self.x if isinstance(self.x, np.ndarray) else self.x[np.arange(len(self))]
