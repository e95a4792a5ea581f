"""The columns of a Parquet file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.cache import stored_rows
from partedvae.data.columns import Codes, coded_labels, require_different
from partedvae.data.dataset import DataError
from partedvae.data.extras import require
from partedvae.data.faults import naming
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading
from partedvae.data.rounding import Rounding
from partedvae.labels import Attribute

Array = NDArray[Any]

PARQUET = (".parquet", ".pq")

_ROWS_AT_ONCE = 16_384
_INDEX = "__index_level_"  # columns that pandas adds


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
        require_different(path, [field.name for field in fields])
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
        parts = partial(self._parts, names, shape, dtype, reading.skip_bad)
        options = (*names, "skip_bad") if reading.skip_bad else names
        return stored_rows("table", self.path, whole, dtype, parts, reading.cache, *options)

    def fault(self, name: str, row: int) -> str:
        """What is wrong with a value that is no finite number, in words."""
        return "holds no finite number"

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
        return coded_labels(self, name, distinct, inverse, missing)

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

    def _parts(
        self, names: Sequence[str], shape: tuple[int, ...], dtype: np.dtype[Any], blank_is_nan: bool
    ) -> Iterator[Array]:
        from pyarrow import float64

        start, rounding = 0, Rounding(len(names))
        for batch in self._batches(_ROWS_AT_ONCE, names):
            part = np.empty((len(batch), *shape), dtype)
            for place, name in enumerate(names):
                column = batch.column(name)
                lists = hasattr(column, "flatten")
                if column.null_count and (lists or not blank_is_nan):
                    row = start + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
                    advice = "" if lists else " --skip-bad leaves such rows out."
                    raise DataError(f"{self.path}, {self.place(row)}: column {name} is blank.{advice}")
                with np.errstate(over="ignore", invalid="ignore"):  # becomes infinity or NaN, which fit refuses
                    if lists:
                        part[:] = self._of_lists(column, part.shape, name, start)
                    else:
                        whole = column.cast(float64()) if column.null_count else column  # then its nulls are NaN
                        values = whole.to_numpy(zero_copy_only=False)
                        rounding.add(values[:, None], place)
                        part[:, place] = values
            start += len(batch)
            yield part
        rounding.require_little(self.path, names)

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


def _inner(kind: Any) -> Any:
    """The type of what lists hold, if a type is one of lists."""
    from pyarrow import types

    while types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
    return kind
