"""The columns of a CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.columns import Codes, coded_labels, require_different
from partedvae.data.dataset import DataError
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading
from partedvae.data.rounding import Rounding
from partedvae.labels import Attribute

Array = NDArray[Any]

_LARGEST = float(np.finfo(np.float32).max)
_NAME = re.compile(r"[+-]?0[0-9]|.*_")  # what Python would read as a number, but people write as a name: 007, 1_2
_WITH_COMMA = re.compile(r"[+-]?[\d.]*\d,\d[\d.,]*(e[+-]?\d+)?", re.IGNORECASE)  # 5,1 or 1.000,5 or 1,000.5


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
        require_different(path, self.names)
        self.n_rows = len(lines) - 1
        self._numbers = [number for number, _ in lines[1:]]
        for row, (_, cells) in enumerate(lines[1:]):
            if len(cells) != len(self.names):
                raise DataError(f"{path}, {self.place(row)}: has {len(cells)} cells, the header {len(self.names)}.")
        table = [cells for _, cells in lines[1:]]
        columns = zip(*table, strict=True) if table else [()] * len(self.names)
        self._columns: dict[str, tuple[str, ...]] = dict(zip(self.names, columns, strict=True))
        if self._begins_with_a_row():
            raise DataError(
                f"{path}, line 1: {', '.join(self.names[:4])}, … look like the first row, not like names of columns. "
                "Put a line of names above it."
            )

    def is_numeric(self, name: str) -> bool:
        """Whether every cell is a number or blank, and one is not blank."""
        cells = [cell for cell in self._columns[name] if cell]
        return bool(cells) and _as_floats(cells) is not None

    def numbers(self, names: Sequence[str], reading: Reading) -> Rows:
        """Columns side by side, (N, F) of float32; what is no number is an error, or NaN if it is to be left out."""
        x, rounding = np.empty((self.n_rows, len(names)), dtype=np.float32), Rounding(len(names))
        for place, name in enumerate(names):
            values = _as_floats(self._columns[name])
            if values is None or not (np.abs(values) <= _LARGEST).all():
                if not reading.skip_bad:
                    row, wrong = next((r, wrong) for r in range(self.n_rows) if (wrong := self.fault(name, r)))
                    found = f"{self.path}, {self.place(row)}: column {name} {wrong}"
                    raise DataError(f"{found}. Mend it; --skip-bad leaves such rows out.")
                values = np.array([_finite(cell) for cell in self._columns[name]])
            rounding.add(values[:, None], place)
            x[:, place] = values
        rounding.require_little(self.path, names)
        return x

    def fault(self, name: str, row: int) -> str:
        """What keeps a cell from being a finite number of 32 bits, in words; nothing if it is one."""
        cell = self._columns[name][row]
        if not cell:
            return "is blank"
        if _as_floats([cell]) is None:
            advice = " (decimals take a point)" if _WITH_COMMA.fullmatch(cell) else ""
            return f"holds {cell!r}, which is no number{advice}"
        return f"holds {cell!r}, which is no finite number of 32 bits" if np.isnan(_finite(cell)) else ""

    def stray_text(self, name: str) -> tuple[int, str] | None:
        """Seems to be: all cells are numbers, some with commas; or nine of ten are, and of more than twenty values."""
        filled = [(row, cell) for row, cell in enumerate(self._columns[name]) if cell]
        strays = [(row, cell) for row, cell in filled if _as_floats([cell]) is None]
        texts = [cell for _, cell in strays if not _WITH_COMMA.fullmatch(cell)]
        n_values = len({cell for _, cell in filled}) - len(set(texts))
        many = 10 * len(texts) <= len(filled) and n_values > 20
        return strays[0] if strays and (many or not texts) else None

    def texts(self, name: str) -> list[str]:
        """A column as text."""
        return list(self._columns[name])

    def labels(self, name: str, missing: Sequence[str]) -> tuple[Codes, Attribute | None]:
        """A column as labels; whole numbers become integers."""
        distinct, inverse = np.unique(np.array(self._columns[name], dtype=object), return_inverse=True)
        texts = ["" if value in missing else str(value) for value in distinct]
        return coded_labels(self, name, _numbers_or_texts(texts), inverse, ())

    def place(self, row: int) -> str:
        """The line in which a row ends."""
        return f"line {self._numbers[row]}"

    def _begins_with_a_row(self) -> bool:
        """Whether what should be names are numbers beside a label that other rows have, or fractions in no order.

        Columns may be called by numbers: whole ones, as genes are, or by wavelengths, which have an order.
        """
        numbers = [value for name in self.names if (value := _as_floats([name])) is not None]
        labels = [name for name in self.names if _as_floats([name]) is None]
        if numbers and any(name in self._columns[name] for name in labels):
            return True
        values = np.concatenate(numbers) if numbers else np.empty(0)
        steps = np.diff(values)
        return bool((values % 1 != 0).any() and (steps > 0).any() and (steps < 0).any())

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


def _n_cells(line: str, delimiter: str) -> int:
    return len(next(csv.reader([line], delimiter=delimiter), []))


def _as_floats(cells: Sequence[str]) -> Array | None:
    if any("_" in cell for cell in cells):  # which Python would read over
        return None
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return None


def _finite(cell: str) -> float:
    """A number of 32 bits, or NaN."""
    values = _as_floats([cell])
    return float(values[0]) if values is not None and abs(values[0]) <= _LARGEST else np.nan


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
