"""Labels that lie in a file of their own."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import numpy as np

from partedvae.data.arrays import encode_labels, map_npy
from partedvae.data.dataset import DataError, Dataset, Numbered
from partedvae.data.reading import Reading
from partedvae.data.tables import ID, PATH, column_called, label_codes, open_table
from partedvae.labels import first_repeated

RANK, LABEL, CONFIDENCE = "rank", "label", "confidence"
"""Columns that a suggestion has beside ids; of several attributes, labels and confidences have their names behind."""

_COMPARED = 20_000  # ids that a name is held against which the data does not have


def with_label_file(data: Dataset, path: Path, reading: Reading) -> Dataset:
    """The same observations with the labels of a file in place of their own.

    An ``.npy`` has one label (or one row of them) an observation, in order. A CSV or Parquet file has a column ``id``,
    or ``path``, which says whose labels a row holds (a file as the source names it, or a row number), and one column an
    attribute; observations that it does not name are unlabelled. In what ``suggest`` wrote, ranks and confidences are
    no labels.

    Raises:
        DataError: an id that is twice in the file or that the data does not have; it says in which row.
    """
    if not path.is_file():
        raise DataError(f"--label-file {path}: there is no such file.")
    if path.suffix.lower() == ".npy":
        called = f"--label-file {path}"
        y = map_npy(path, called)
        if reading.max_rows is not None and isinstance(data.ids, Numbered) and len(y) > len(data):
            y = y[np.array([int(name) for name in data.ids])]  # of a choice of rows, their own labels
        codes, attributes = encode_labels(y, len(data), called, reading)
        return replace(data, codes=codes, attributes=attributes)
    table = open_table(path)
    if not table.n_rows:
        raise DataError(f"{path} has no rows.")
    key = column_called(ID, table) or column_called(PATH, table)
    if key is None:
        raise DataError(f"{path}: has no column id or path; it has {', '.join(table.names)}.")
    names = reading.labels if reading.labels is not None else _labels_among(table.names, key)
    unknown = [name for name in names if name not in table.names]
    if unknown:
        raise DataError(f"{path} has no column {unknown[0]}, of labels; it has {', '.join(table.names)}.")
    if not names:
        raise DataError(f"{path}: has no column of labels beside {key}.")
    found, attributes = label_codes(table, names, reading)
    row_of = {_composed(name): row for row, name in enumerate(data.ids)}
    if len(row_of) < len(data):
        raise DataError(
            f"--label-file {path}: two rows of the data are called {first_repeated([*map(_composed, data.ids)])!r}."
        )
    skipped = {_composed(name) for name, _ in data.skipped}
    codes = np.full((len(data), len(attributes)), -1, dtype=np.int64)
    first: dict[str, int] = {}
    for line, name in enumerate(map(_composed, table.texts(key))):
        if name in first:
            raise DataError(f"{path}, {table.place(line)}: {name!r} is at {table.place(first[name])} already.")
        first[name] = line
        if name in row_of:
            codes[row_of[name]] = found[line]
        elif name not in skipped and reading.max_rows is None:
            near = get_close_matches(name, islice(row_of, _COMPARED), n=1)
            example = f"; nearest is {near[0]!r}" if near else f"; its first is {next(iter(row_of))!r}"
            raise DataError(f"{path}, {table.place(line)}: the data has no {name!r}{example}.")
    return replace(data, codes=codes, attributes=attributes)


def _composed(name: str) -> str:
    """A name with accents in their letters, as a person types it; of some systems' files they stand behind them."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _labels_among(columns: Sequence[str], key: str) -> list[str]:
    """Columns of labels, of those of a file in which nobody said which they are."""
    beside = {ID, PATH, key}
    if columns[:2] == [RANK, ID]:
        beside |= {RANK, *(name.replace(LABEL, CONFIDENCE, 1) for name in columns if name.startswith(LABEL))}
    return [name for name in columns if name not in beside]
