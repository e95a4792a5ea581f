"""What is asked of a file of columns, whatever its format: numbers, texts or labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import DataError
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading, numbers_among
from partedvae.given_labels import encode_distinct
from partedvae.labels import Attribute, first_repeated

Codes = NDArray[np.int64]

LABEL_NAMES = {"class", "label", "labels", "target", "y"}
"""What a column of labels is called, if nobody says which it is."""

MOST_UNSHARED = 50
"""So many classes may have one label each; a column with more, and none that two rows share, holds no labels."""


class Table(Protocol):
    """What is asked of a file of columns."""

    path: Path
    names: list[str]
    n_rows: int

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds numbers (or arrays of them)."""

    def numbers(self, names: Sequence[str], reading: Reading) -> Rows:
        """Columns side by side, (N, F) of float32; one column of arrays with the shape of these.

        What is no number is an error, or, if what cannot be read is to be left out, NaN.
        """

    def fault(self, name: str, row: int) -> str:
        """What is wrong with a value that is no finite number, in words."""

    def stray_text(self, name: str) -> tuple[int, str] | None:
        """Row and text of the first cell that is no number, in a column that seems to be meant for numbers."""

    def texts(self, name: str) -> list[str]:
        """A column as text, blank where it has no value."""

    def labels(self, name: str, missing: Sequence[str]) -> tuple[Codes, Attribute | None]:
        """A column as labels (N,), −1 where blank or among ``missing``; no attribute if it has none at all."""

    def place(self, row: int) -> str:
        """Where a row stands, as a person would look for it."""


def coded_labels(
    table: Table, name: str, distinct: list[Any], inverse: Codes, missing: Sequence[str]
) -> tuple[Codes, Attribute | None]:
    """A column as labels (N,), −1 where missing, from its distinct values and where they stand, −1 where none does."""
    numbers = numbers_among(missing)  # 99 is 99.0, too
    known = [
        None
        if value is None or str(value).strip() in ("", *missing) or (isinstance(value, float) and value in numbers)
        else value
        for value in distinct
    ]
    try:
        codes, attribute = encode_distinct(name, known)
    except ValueError as error:
        advice = "If it is no label, name the columns that are with --label-columns."
        raise DataError(f"{table.path}: column {name}: {error} {advice}") from None
    codes = np.append(codes, -1)[inverse]  # −1, a null, finds the last
    if attribute is not None:
        _require_labels(table, name, codes, attribute)
    return codes, attribute


def require_different(path: Path, names: Sequence[str]) -> None:
    """Refuse columns of the same name."""
    twice = first_repeated(names)
    if twice is not None:
        raise DataError(f"{path}: column {twice!r} is there twice.")


def _require_labels(table: Table, name: str, codes: Codes, attribute: Attribute) -> None:
    n_classes, n_labelled = len(attribute.classes), int((codes >= 0).sum())
    if n_classes > MOST_UNSHARED and n_classes == n_labelled:
        raise DataError(
            f"{table.path}: column {name} has {n_classes} different values in as many rows, so it is no label. "
            "Name the columns that are with --label-columns."
        )
