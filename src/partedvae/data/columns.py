"""The columns of a CSV or a Parquet file, as numbers, texts or labels."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from partedvae.data.cache import stored_rows
from partedvae.data.dataset import DataError
from partedvae.data.extras import require
from partedvae.data.faults import naming
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading
from partedvae.labels import Attribute, encode_distinct, first_repeated

Array = NDArray[Any]
Codes = NDArray[np.int64]

PARQUET = (".parquet", ".pq")
LABEL_NAMES = {"class", "label", "labels", "target", "y"}
"""What a column of labels is called, if nobody says which it is."""

_ROWS_AT_ONCE = 16_384
_NAME = re.compile(r"[+-]?0[0-9]|.*_")  # what Python would read as a number, but people write as a name: 007, 1_2
_WITH_COMMA = re.compile(r"[+-]?[\d.]*\d,\d[\d.,]*(e[+-]?\d+)?", re.IGNORECASE)  # 5,1 or 1.000,5 or 1,000.5
_INDEX = "__index_level_"  # columns that pandas adds


class Table(Protocol):
    """What is asked of a file of columns."""

    path: Path
    names: list[str]
    n_rows: int

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds numbers (or arrays of them)."""

    def numbers(self, names: Sequence[str], reading: Reading) -> Rows:
        """Columns side by side, (N, F) of float32; one column of arrays with the shape of these."""

    def stray_text(self, name: str) -> tuple[int, str] | None:
        """Row and text of the first cell that is no number, in a column that seems to be meant for numbers."""

    def texts(self, name: str) -> list[str]:
        """A column as text, blank where it has no value."""

    def labels(self, name: str, missing: Sequence[str]) -> tuple[Codes, Attribute | None]:
        """A column as labels (N,), −1 where blank or among ``missing``; no attribute if it has none at all."""

    def place(self, row: int) -> str:
        """Where a row stands, as a person would look for it."""


class CsvTable:
    """A CSV, in memory: UTF-8, its columns divided by commas, semicolons or tabs, their names in the first line.

    Raises:
        DataError: no header, a column without a name or with that of another, a row of another length, another
            encoding; it says in which line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = self._lines()
        self.names = lines[0][1] if lines else []
        if not any(self.names):
            raise DataError(f"{path} is empty; its first line should name the columns.")
        if not all(self.names):
            raise DataError(
                f"{path}: column {self.names.index('') + 1} has no name in the first line. Name it id if it tells the "
                "rows apart (pandas: to_csv(index=False) leaves it out)."
            )
        _require_different(path, self.names)
        self.n_rows = len(lines) - 1
        self._numbers = [number for number, _ in lines[1:]]
        for row, (_, cells) in enumerate(lines[1:]):
            if len(cells) != len(self.names):
                raise DataError(f"{path}, {self.place(row)}: has {len(cells)} cells, the header {len(self.names)}.")
        table = [cells for _, cells in lines[1:]]
        columns = zip(*table, strict=True) if table else [()] * len(self.names)
        self._columns: dict[str, tuple[str, ...]] = dict(zip(self.names, columns, strict=True))

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
                raise DataError(f"{self.path}, {self.place(row)}: column {name} {what}. Mend it, or leave out its row.")
            with np.errstate(over="ignore"):  # becomes infinity, which fit refuses as it refuses that of the file
                x[:, place] = values
        return x

    def stray_text(self, name: str) -> tuple[int, str] | None:
        """Seems to be: nine of ten cells are numbers, some perhaps with commas, and of more than twenty values."""
        filled = [(row, cell) for row, cell in enumerate(self._columns[name]) if cell]
        strays = [(row, cell) for row, cell in filled if _as_floats([cell]) is None]
        texts = [cell for _, cell in strays if not _WITH_COMMA.fullmatch(cell)]
        n_values = len({cell for _, cell in filled}) - len(set(texts))
        return strays[0] if strays and 10 * len(texts) <= len(filled) and n_values > 20 else None

    def texts(self, name: str) -> list[str]:
        """A column as text."""
        return list(self._columns[name])

    def labels(self, name: str, missing: Sequence[str]) -> tuple[Codes, Attribute | None]:
        """A column as labels; whole numbers become integers."""
        distinct, inverse = np.unique(np.array(self._columns[name], dtype=object), return_inverse=True)
        texts = ["" if value in missing else str(value) for value in distinct]
        return _labels(self, name, _numbers_or_texts(texts), inverse, ())

    def place(self, row: int) -> str:
        """The line in which a row ends."""
        return f"line {self._numbers[row]}"

    def _lines(self) -> list[tuple[int, list[str]]]:
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                header = file.readline()
                file.seek(0)
                delimiter = max(",;\t", key=lambda mark: _n_cells(header, mark))
                return self._rows(csv.reader(file, delimiter=delimiter, strict=True))
        except UnicodeDecodeError:
            raise DataError(f"{self.path}{self._first_undecodable()} is not UTF-8. Save it as UTF-8.") from None
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error}") from None

    def _rows(self, reader: Any) -> list[tuple[int, list[str]]]:
        """The last line and the cells of each row that is not blank."""
        found, line = [], 1
        try:
            for row in reader:
                if row:
                    found.append((reader.line_num, [cell.strip() for cell in row]))
                line = reader.line_num + 1
        except csv.Error as error:  # of a quote that is not closed, csv would make one cell of all that follows
            raise DataError(
                f'{self.path}, line {line} cannot be read: {error}. Is a quote (") left open, or not doubled in a cell?'
            ) from None
        return found

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
        DataError: it is no Parquet file, it is damaged, or pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        require("pyarrow", "tables", f"{path} is a Parquet file")
        from pyarrow import parquet

        self.path = path
        with self._naming():
            self._file = parquet.ParquetFile(path)
            fields = list(self._file.schema_arrow)
        _require_different(path, [field.name for field in fields])
        self._types = {field.name: field.type for field in fields}
        self.names = [name for name in self._types if not name.startswith(_INDEX)]
        self.n_rows = self._file.metadata.num_rows

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds numbers, or lists of them."""
        from pyarrow import types

        kind = _inner(self._types[name])
        return bool(types.is_integer(kind) or types.is_floating(kind))

    def numbers(self, names: Sequence[str], reading: Reading) -> Rows:
        """Columns side by side, (N, F) of float32; a column of lists with the shape and type that these have."""
        self._require_numbers(names)
        shape, dtype = self._shape(names)
        whole = (self.n_rows, *shape)
        parts = partial(self._parts, names, shape, dtype)
        return stored_rows("table", self.path, whole, dtype, parts, reading.cache, *names)

    def stray_text(self, name: str) -> None:
        """None: a column has one type."""

    def texts(self, name: str) -> list[str]:
        """A column as text, blank where it is null."""
        with self._naming():
            return ["" if value is None else str(value) for value in self._column(name).to_pylist()]

    def labels(self, name: str, missing: Sequence[str]) -> tuple[Codes, Attribute | None]:
        """A column as labels, of the type that the file has."""
        from pyarrow import types

        if types.is_nested(self._types[name]):
            raise DataError(
                f"{self.path}: column {name} holds {self._types[name]}, which is no label. "
                "Name the columns that are with --label-columns."
            )
        with self._naming():
            column = self._column(name).combine_chunks()
            coded = column if hasattr(column, "dictionary") else column.dictionary_encode()
            inverse = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            distinct = coded.dictionary.to_pylist()
        return _labels(self, name, distinct, inverse, missing)

    def place(self, row: int) -> str:
        """A row, counted from 0."""
        return f"row {row}"

    def _column(self, name: str) -> Any:
        column = self._file.read([name])[name]
        self._require_rows(len(column))
        return column

    def _require_numbers(self, names: Sequence[str]) -> None:
        from pyarrow import types

        for name in names:
            kind = self._types[name]
            if not self.is_numeric(name) and not types.is_boolean(kind):
                raise DataError(f"{self.path}: column {name} holds {kind}, which is no number.")
            if types.is_nested(kind) and len(names) > 1:
                raise DataError(f"{self.path}: column {name} holds lists; it can be the only feature column.")

    def _shape(self, names: Sequence[str]) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and type of a row, as the first one has it."""
        if not hasattr(self._types[names[0]], "value_type"):
            return (len(names),), np.dtype(np.float32)
        value = next(first.column(0)[0].as_py() for first in self._batches(1, names))
        sides = []
        while isinstance(value, list):
            sides.append(len(value))
            value = value[0] if value else None
        if 0 in sides:
            raise DataError(f"{self.path}, {self.place(0)}: column {names[0]} has an empty list.")
        dtype = np.dtype(np.uint8 if str(_inner(self._types[names[0]])) == "uint8" else np.float32)
        return tuple(sides), dtype

    def _parts(self, names: Sequence[str], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[Array]:
        start = 0
        for batch in self._batches(_ROWS_AT_ONCE, names):
            part = np.empty((len(batch), *shape), dtype)
            for place, name in enumerate(names):
                column = batch.column(name)
                if column.null_count:
                    row = start + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
                    raise DataError(f"{self.path}, {self.place(row)}: column {name} is blank.")
                with np.errstate(over="ignore", invalid="ignore"):  # becomes infinity or NaN, which fit refuses
                    if hasattr(column, "flatten"):
                        part[:] = self._of_lists(column, part.shape, name, start)
                    else:
                        part[:, place] = column.to_numpy(zero_copy_only=False)
            start += len(batch)
            yield part

    def _batches(self, n_rows: int, names: Sequence[str]) -> Iterator[Any]:
        n_found = 0
        with self._naming():
            for batch in self._file.iter_batches(n_rows, columns=list(names)):
                n_found += len(batch)
                if n_found > self.n_rows:
                    break
                yield batch
        self._require_rows(n_found)

    def _of_lists(self, column: Any, shape: tuple[int, ...], name: str, start: int) -> Array:
        """Lists of equal lengths, and lists within them, as one array."""
        flat = column
        for side in shape[1:]:
            lengths = flat.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
            others = np.flatnonzero(lengths != side)
            if len(others):
                row = start + int(others[0]) // (len(lengths) // shape[0])
                raise DataError(
                    f"{self.path}, {self.place(row)}: column {name} has a list of {lengths[others[0]]}, "
                    f"where the first row has {side}."
                )
            flat = flat.flatten()
        if flat.null_count:
            row = start + int(np.flatnonzero(flat.is_null().to_numpy(zero_copy_only=False))[0]) // math.prod(shape[1:])
            raise DataError(f"{self.path}, {self.place(row)}: column {name} has a blank in its list.")
        values: Array = flat.to_numpy(zero_copy_only=False).reshape(shape)
        return values

    def _require_rows(self, n_found: int) -> None:
        if n_found != self.n_rows:
            raise DataError(
                f"{self.path} is damaged: it says that it has {self.n_rows} rows, but not so many are there."
            )

    def _naming(self) -> AbstractContextManager[None]:
        from pyarrow import ArrowException

        return naming(self.path, OSError, ValueError, ArrowException)


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


def _require_different(path: Path, names: Sequence[str]) -> None:
    twice = first_repeated(names)
    if twice is not None:
        raise DataError(f"{path}: column {twice!r} is there twice.")


def _n_cells(line: str, delimiter: str) -> int:
    return len(next(csv.reader([line], delimiter=delimiter), []))


def _inner(kind: Any) -> Any:
    """The type of what lists hold, if a type is one of lists."""
    from pyarrow import types

    while types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
    return kind


def _as_floats(cells: Sequence[str]) -> Array | None:
    if any("_" in cell for cell in cells):  # which Python would read over
        return None
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return None


def _numbers_or_texts(values: list[str]) -> list[Any]:
    """Whole numbers if all that is not blank are, floats if all are numbers, else the texts themselves."""
    filled = [value for value in values if value]
    for kind in () if any(map(_NAME.match, filled)) else (int, float):
        try:
            read = {value: kind(value) for value in filled}
        except ValueError:
            continue
        return [read.get(value) for value in values]
    return list(values)
