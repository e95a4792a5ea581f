"""CSV and Parquet: a manifest of pictures with their labels, or a table of features with labels beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partedvae.data.columns import LABEL_NAMES, MOST_UNSHARED, Table
from partedvae.data.csv_table import CsvTable
from partedvae.data.dataset import DataError, Dataset, Numbered, Skipped
from partedvae.data.decoding import decode
from partedvae.data.inside import inside
from partedvae.data.lazy import chunks
from partedvae.data.parquet_table import PARQUET, ParquetTable
from partedvae.data.reading import Reading
from partedvae.data.subsets import random_rows
from partedvae.labels import Attribute, first_repeated

PATH, ID = "path", "id"
_FEW = 10  # rows that may well have a class each

Codes = NDArray[np.int64]


def open_table(path: Path) -> Table:
    """A CSV (comma, semicolon or tab) or a Parquet file."""
    return ParquetTable(path) if path.suffix.lower() in PARQUET else CsvTable(path)


def read_table(path: Path, reading: Reading) -> Dataset:
    """A manifest if there is a column ``path``, else a table of features.

    Manifest: ``path`` is relative to the manifest, or to ``reading.data_dir``; every other column, or those of
    ``reading.labels``, is an attribute. Table: see :func:`divide`. A blank label is a missing one.

    Raises:
        DataError: names the file and the row or column at fault.
    """
    table = open_table(path)
    if not table.n_rows:
        raise DataError(f"{path} has no rows.")
    for named, what in ((reading.labels, "labels"), (reading.features, "features")):
        unknown = [name for name in named or () if name not in table.names]
        if unknown:
            raise DataError(f"{path} has no column {unknown[0]}, of {what}; it has {', '.join(table.names)}.")
    twice = first_repeated([*(reading.features or ()), *(reading.labels or ())])
    if twice is not None:
        raise DataError(f"{path}: column {twice} is named twice, of features and labels together.")
    if column_called(PATH, table) is not None and not reading.features:
        return _manifest(table, reading)
    if reading.data_dir is not None:
        raise DataError(f"--data-dir: says where pictures lie; {path} is read as a table of features.")
    return _features(table, reading)


def column_called(key: str, table: Table) -> str | None:
    """The column ``id`` or ``path``, or one that is written so with capitals; a path in capitals is text."""
    if key in table.names:
        return key
    alike = (name for name in table.names if name.lower() == key)
    return next((name for name in alike if key == ID or not table.is_numeric(name)), None)


def divide(table: Table, reading: Reading) -> tuple[list[str], list[str]]:
    """Which columns are features and which are labels.

    Those that are named are what they are named. Of the others, columns of text and those called class, label, target
    or y are labels if no labels are named, and columns of numbers are features if no features are named. Columns
    ``id`` and ``path`` are neither.
    """
    others = _beside_keys(table)
    labels = reading.labels_among(table.names)
    asked = others if None in (reading.features, labels) else reading.features or ()
    if not reading.skip_bad:
        _require_no_stray_text(table, [name for name in asked if name not in (labels or ())])
    if reading.features is not None:
        features = list(reading.features)
        rest = [name for name in others if name not in features]
        named = labels if labels is not None else [n for n in rest if _looks_like_labels(table, n, reading)]
        return features, list(named)
    chosen = labels if labels is not None else [n for n in others if _looks_like_labels(table, n, reading)]
    features = [name for name in others if name not in chosen]
    texts = [name for name in features if not _holds_numbers(table, name, reading)]
    if texts:
        raise DataError(
            f"{table.path}: column {texts[0]} holds text, so it is no feature. "
            "Name the features with --feature-columns, or name it a label with --label-columns."
        )
    return features, list(chosen)


def _beside_keys(table: Table) -> list[str]:
    keys = {column_called(key, table) for key in (ID, PATH)}
    return [name for name in table.names if name not in keys]


def label_codes(table: Table, names: Sequence[str], reading: Reading) -> tuple[Codes, tuple[Attribute, ...]]:
    """Labels (N, A) of some columns; a column without any label is left out."""
    columns, attributes = [], []
    for name in names:
        codes, attribute = table.labels(name, reading.missing)
        if attribute is not None:
            columns.append(codes)
            attributes.append(attribute)
    return np.stack(columns, axis=1) if columns else np.empty((table.n_rows, 0), dtype=np.int64), tuple(attributes)


def _require_no_stray_text(table: Table, names: Sequence[str]) -> None:
    """One cell of text must not make labels, or nothing at all, of a column of measurements."""
    for name in names:
        stray = table.stray_text(name)
        if stray is not None:
            row, text = stray
            raise DataError(
                f"{table.path}, {table.place(row)}: column {name} holds {text!r}, which is not read as a number, where "
                "nearly all are meant to be. Mend it (decimals take a point), leave out such rows with --skip-bad, or "
                "name the column with --label-columns if its values are labels."
            )


def _looks_like_labels(table: Table, name: str, reading: Reading) -> bool:
    return not _holds_numbers(table, name, reading) or name.lower() in LABEL_NAMES


def _holds_numbers(table: Table, name: str, reading: Reading) -> bool:
    """Whether a column does, but for what is to be left out."""
    return table.is_numeric(name) or (reading.skip_bad and table.stray_text(name) is not None)


def _require_shared(table: Table, names: Sequence[str]) -> None:
    """A column that tells every row from every other holds names or measurements; nobody said that it holds labels.

    Of a longer table, which may be too long to have as texts, no column of that kind is read as labels anyway.
    """
    for name in names if _FEW < table.n_rows <= MOST_UNSHARED else ():
        texts = table.texts(name)
        if all(texts) and len(set(texts)) == len(texts):
            raise DataError(
                f"{table.path}: column {name} is another in every row, so it is no label. Name the columns that are "
                "with --label-columns; a column called id tells rows apart."
            )


def _features(table: Table, reading: Reading) -> Dataset:
    features, labelled = divide(table, reading)
    if reading.labels_among(table.names) is None:
        _require_shared(table, labelled)
    if not features:
        raise DataError(
            f"{table.path} has neither a column path, of pictures, nor a column of numbers, of features; "
            f"it has {', '.join(table.names)}."
        )
    codes, attributes = label_codes(table, labelled, reading)
    x = table.numbers(features, reading)
    key = column_called(ID, table)
    ids = tuple(table.texts(key)) if key is not None else Numbered(range(table.n_rows))
    names = tuple(features) if len(x.shape) == 2 and x.shape[1] == len(features) else ()
    data = Dataset(x, codes, attributes, ids, names)
    if reading.skip_bad:
        data = _readable(table, data)
    return data if reading.max_rows is None else data.take(random_rows(len(data), reading.max_rows))


def _readable(table: Table, data: Dataset) -> Dataset:
    """The rows whose features are all finite numbers; the others are listed, with the first column at fault.

    Raises:
        DataError: there are none.
    """
    skipped: dict[int, Skipped] = {}
    for start, part in chunks(data.x):
        values = part.reshape(len(part), -1)
        for row in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
            column = int(np.flatnonzero(~np.isfinite(values[row]))[0])
            named = data.feature_names[column] if data.feature_names else str(column)
            reason = f"{table.path}, {table.place(start + row)}: column {named} {table.fault(named, start + row)}"
            skipped[start + row] = Skipped(data.ids[start + row], reason)
    if len(skipped) == len(data):
        raise DataError(f"{next(iter(skipped.values())).reason}, and so it is with every other row in some column.")
    kept = np.setdiff1d(np.arange(len(data)), list(skipped))
    return replace(data.take(kept), skipped=tuple(skipped.values()))


def _manifest(table: Table, reading: Reading) -> Dataset:
    named = reading.labels_among(table.names)
    names = named if named is not None else _beside_keys(table)
    if named is None:
        _require_shared(table, names)
    codes, attributes = label_codes(table, names, reading)
    texts = table.texts(column_called(PATH, table) or PATH)
    root = Path(reading.data_dir) if reading.data_dir else table.path.parent
    _require_each_once(table, texts)
    rows = random_rows(len(texts), reading.max_rows)
    paths = [_inside(root, texts[row], table, row) for row in rows]
    if not reading.skip_bad:
        _require_there(table, paths, rows, "" if reading.data_dir else " --data-dir names another folder to start at.")
    ids = [texts[row] for row in rows]
    decoded = decode(paths, reading, f"manifest {table.path.resolve()}", ids)
    return Dataset(
        x=decoded.x,
        codes=codes[rows[decoded.kept]],
        attributes=attributes,
        ids=tuple(ids[row] for row in decoded.kept),
        skipped=decoded.skipped,
        notes=decoded.notes,
    )


def _require_each_once(table: Table, texts: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        if not text:
            raise DataError(f"{table.path}, {table.place(row)}: path is blank.")
        if text in first:
            raise DataError(f"{table.path}, {table.place(row)}: {text} is at {table.place(first[text])} already.")
        first[text] = row


def _inside(root: Path, text: str, table: Table, row: int) -> Path:
    """The file that a path names, which must lie in the folder that the manifest speaks of."""
    advice = (
        "If that is meant, name a folder that holds all pictures with --data-dir and make the paths relative to it."
    )
    return inside(root, text, f"{table.path}, {table.place(row)}", advice)


def _require_there(table: Table, paths: Sequence[Path], rows: NDArray[np.int64], advice: str) -> None:
    absent = [
        (path, row)
        for path, row in zip(paths, rows, strict=True)
        if not os.path.isfile(path)  # noqa: PTH113  # Path.is_file would raise where a name is too long
    ]
    if absent:
        path, row = absent[0]
        more = f" So it is with {len(absent) - 1} more." if len(absent) > 1 else ""
        absence = f"{table.path}, {table.place(row)}: there is no file {path}.{more}"
        raise DataError(f"{absence}{advice} --skip-bad goes on without.")
