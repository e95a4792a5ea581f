"""The one form that every source is read into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from partedvae.labels import MISSING, Attribute

Array = NDArray[Any]


class DataError(ValueError):
    """Data that cannot be read or used; the message names the file, the row or the option."""


@dataclass(frozen=True)
class Dataset:
    """Observations and labels.

    Attributes:
        x: observations (N, …): features, or images of uint8 or floats.
        codes: labels (N, A) as numbers within each attribute, −1 where missing.
        attributes: names and classes; empty if the source has no labels.
        ids: one name a row: a file, or the number of the row.

    >>> animal = Attribute("animal", np.array(["cat", "dog"]))
    >>> data = Dataset(np.zeros((3, 4)), np.array([[1], [-1], [0]]), (animal,), ("a", "b", "c"))
    >>> data.y.tolist()
    ['dog', None, 'cat']
    >>> data.take([2, 1]).ids
    ('c', 'b')
    """

    x: Array
    codes: NDArray[np.int64]
    attributes: tuple[Attribute, ...]
    ids: tuple[str, ...]

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

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Self:
        """Some of the rows, in the order given."""
        chosen = np.asarray(rows, dtype=np.int64)
        ids = tuple(self.ids[row] for row in chosen)
        return replace(self, x=self.x[chosen], codes=self.codes[chosen], ids=ids)

    def with_labels_of(self, rows: Sequence[int] | NDArray[np.int64]) -> Self:
        """The same observations with all labels hidden but those of ``rows``."""
        codes = np.full_like(self.codes, MISSING)
        chosen = np.asarray(rows, dtype=np.int64)
        codes[chosen] = self.codes[chosen]
        return replace(self, codes=codes)
