"""The columns of a CSV or a Parquet file, as numbers, texts or labels."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from partedvae.data.cache import stored_rows
from partedvae.data.dataset import DataError
from partedvae.data.extras import require
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading
from partedvae.labels import Attribute, encode_distinct

Array = NDArray[Any]
Codes = NDArray[np.int64]

_ROWS_AT_ONCE = 16_384
_WORTH_A_FILE = 2**28  # bytes: larger tables are mapped, smaller ones are in memory


class Table(Protocol):
    """What is asked of a file of columns."""

    path: Path
    names: list[str]
    n_rows: int

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds numbers (or arrays of them)."""

    def numbers(self, names: Sequence[str], reading: Reading) -> Rows:
        """Columns side by side, (N, F) of float32; one column of arrays with the shape of these."""

    def texts(self, name: str) -> list[str]:
        """A column as text, blank where it has no value."""

    def labels(self, name: str, missing: Sequence[str]) -> tuple[Codes, Attribute | None]:
        """A column as labels (N,), −1 where blank or among ``missing``; no attribute if it has none at all."""

    def place(self, row: int) -> str:
        """Where a row stands, as a person would look for it."""


class CsvTable:
    """A CSV, in memory: UTF-8, its columns divided by commas, semicolons or tabs, their names in the first line.

    Raises:
        DataError: no header, a name twice, a row of another length, another encoding; it says in which line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = self._lines()
        self.names = lines[0][1] if lines else []
        if not any(self.names):
            raise DataError(f"{path} is empty; its first line should name the columns.")
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise DataError(f"{path}: column {twice[0]!r} is there twice.")
        self.n_rows = len(lines) - 1
        self._numbers = [number for number, _ in lines[1:]]
        for row, (_, cells) in enumerate(lines[1:]):
            if len(cells) != len(self.names):
                raise DataError(f"{path}, {self.place(row)}: has {len(cells)} cells, the header {len(self.names)}.")
        table = [cells for _, cells in lines[1:]]
        self._columns = dict(zip(self.names, zip(*table, strict=True), strict=True)) if table else {}

    def is_numeric(self, name: str) -> bool:
        """Whether every cell is a number or blank, and one is not blank."""
        cells = [cell for cell in self._columns[name] if cell]
        return bool(cells) and _as_floats(cells) is not None

    def numbers(self, names: Sequence[str], reading: Reading) -> Rows:
        """Columns side by side, (N, F) of float32."""
        x = np.empty((self.n_rows, len(names)), dtype=np.float32)
        for place, name in enumerate(names):
            values = _as_floats(self._columns[name])
            if values is None:
                row, cell = next((r, c) for r, c in enumerate(self._columns[name]) if _as_floats([c]) is None)
                what = f"holds {cell!r}, which is no number" if cell else "is blank"
                raise DataError(f"{self.path}, {self.place(row)}: column {name} {what}.")
            x[:, place] = values
        return x

    def texts(self, name: str) -> list[str]:
        """A column as text."""
        return list(self._columns[name])

    def labels(self, name: str, missing: Sequence[str]) -> tuple[Codes, Attribute | None]:
        """A column as labels; whole numbers become integers."""
        distinct, inverse = np.unique(np.array(self._columns[name], dtype=object), return_inverse=True)
        return _labels(self, name, _numbers_or_texts([str(value) for value in distinct]), inverse, missing)

    def place(self, row: int) -> str:
        """The line in which a row ends."""
        return f"line {self._numbers[row]}"

    def _lines(self) -> list[tuple[int, list[str]]]:
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                header = file.readline()
                file.seek(0)
                delimiter = max(",;\t", key=header.count)
                reader = csv.reader(file, delimiter=delimiter)
                return [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
        except UnicodeDecodeError:
            raise DataError(f"{self.path}{self._first_undecodable()} is not UTF-8. Save it as UTF-8.") from None
        except (OSError, csv.Error) as error:
            raise DataError(f"{self.path} cannot be read: {error}") from None

    def _first_undecodable(self) -> str:
        for number, line in enumerate(self.path.read_bytes().splitlines(), 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return f", line {number},"
        return ""


class ParquetTable:
    """A Parquet file, of which only the columns asked for are read, and features a part of the rows at a time.

    Raises:
        DataError: it is no Parquet file, or pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        arrow = require("pyarrow", "tables", f"{path} is a Parquet file")
        from pyarrow import parquet

        self.path = path
        try:
            self._file = parquet.ParquetFile(path)
        except (OSError, arrow.ArrowException) as error:
            raise DataError(f"{path} cannot be read: {error}") from None
        self._types = {field.name: field.type for field in self._file.schema_arrow}
        self.names = list(self._types)
        self.n_rows = self._file.metadata.num_rows

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds numbers, or lists of them."""
        from pyarrow import types

        kind = self._types[name]
        while types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind):
            kind = kind.value_type
        return bool(types.is_integer(kind) or types.is_floating(kind))

    def numbers(self, names: Sequence[str], reading: Reading) -> Rows:
        """Columns side by side, (N, F) of float32; a column of lists with the shape and type that these have."""
        shape, dtype = self._shape(names)
        size = self.n_rows * dtype.itemsize * int(np.prod(shape))
        in_memory = size < _WORTH_A_FILE or not reading.cache
        whole = (self.n_rows, *shape)
        return stored_rows(
            "table", self.path, whole, dtype, lambda: self._parts(names, shape, dtype), in_memory, *names
        )

    def texts(self, name: str) -> list[str]:
        """A column as text, blank where it is null."""
        return ["" if value is None else str(value) for value in self._file.read([name])[name].to_pylist()]

    def labels(self, name: str, missing: Sequence[str]) -> tuple[Codes, Attribute | None]:
        """A column as labels, of the type that the file has."""
        column = self._file.read([name])[name].combine_chunks()
        coded = column if hasattr(column, "dictionary") else column.dictionary_encode()
        inverse = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return _labels(self, name, coded.dictionary.to_pylist(), inverse, missing)

    def place(self, row: int) -> str:
        """A row, counted from 0."""
        return f"row {row}"

    def _shape(self, names: Sequence[str]) -> tuple[tuple[int, ...], np.dtype[Any]]:
        first = next(self._file.iter_batches(1, columns=list(names)))
        value = first.column(0)[0].as_py()
        if not isinstance(value, list):
            return (len(names),), np.dtype(np.float32)
        if len(names) > 1:
            raise DataError(f"{self.path}: column {names[0]} holds lists; it can be the only feature column.")
        kind = self._types[names[0]]
        while hasattr(kind, "value_type"):
            kind = kind.value_type
        dtype = np.dtype(np.uint8 if str(kind) == "uint8" else np.float32)
        return np.array(value).shape, dtype

    def _parts(self, names: Sequence[str], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[Array]:
        start = 0
        for batch in self._file.iter_batches(_ROWS_AT_ONCE, columns=list(names)):
            part = np.empty((len(batch), *shape), dtype)
            for column, name in zip(batch.columns, names, strict=True):
                if column.null_count:
                    row = start + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
                    raise DataError(f"{self.path}, {self.place(row)}: column {name} is blank.")
            if hasattr(batch.column(0), "flatten"):
                part[:] = self._of_lists(batch.column(0), part.shape, names[0], start)
            else:
                for place, column in enumerate(batch.columns):
                    part[:, place] = column.to_numpy(zero_copy_only=False)
            yield part
            start += len(batch)

    def _of_lists(self, column: Any, shape: tuple[int, ...], name: str, start: int) -> Array:
        flat = column
        while hasattr(flat, "flatten"):
            flat = flat.flatten()
        if len(flat) != math.prod(shape) or flat.null_count:
            raise DataError(
                f"{self.path}: column {name} has lists of different lengths between {self.place(start)} and "
                f"{self.place(start + shape[0] - 1)}; the first row has shape {shape[1:]}."
            )
        values: Array = flat.to_numpy(zero_copy_only=False).reshape(shape)
        return values


def _labels(
    table: Table, name: str, distinct: list[Any], inverse: Codes, missing: Sequence[str]
) -> tuple[Codes, Attribute | None]:
    known = [None if value is None or str(value).strip() in ("", *missing) else value for value in distinct]
    try:
        numbers, attribute = encode_distinct(name, known)
    except ValueError as error:
        raise DataError(f"{table.path}: column {name}: {error}") from None
    codes = np.append(numbers, -1)[inverse]  # −1, a null, finds the last
    if attribute is not None:
        _require_labels(table, name, codes, attribute)
    return codes, attribute


def _require_labels(table: Table, name: str, codes: Codes, attribute: Attribute) -> None:
    n_classes, n_labelled = len(attribute.classes), int((codes >= 0).sum())
    if n_classes > 50 and n_classes == n_labelled:
        raise DataError(
            f"{table.path}: column {name} has {n_classes} different values in as many rows, so it is no label. "
            "Name the columns that are with --label-columns."
        )


def _as_floats(cells: Sequence[str]) -> Array | None:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return None


def _numbers_or_texts(values: list[str]) -> list[Any]:
    """Whole numbers if all that is not blank are, floats if all are numbers, else the texts themselves."""
    filled = [value for value in values if value]
    for kind in (int, float):
        try:
            read = {value: kind(value) for value in filled}
        except ValueError:
            continue
        return [read.get(value) for value in values]
    return list(values)
