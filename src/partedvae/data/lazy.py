"""Observations that are not in memory: rendered, decompressed or read from a mapped file only when asked for."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
RowNumbers = NDArray[np.int64]


@runtime_checkable
class LazyRows(Protocol):
    """What is asked of observations that are read on demand: as much of an array's face as that takes.

    ``rows`` in ``[rows]`` are row numbers; the result is an array in memory.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, …)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: RowNumbers, /) -> Array: ...


Rows = Array | LazyRows
"""Observations in memory, mapped from a file, or lazy."""


@dataclass(frozen=True)
class Chosen:
    """Some rows of observations that stay where they are.

    >>> few = Chosen(np.arange(10.0)[:, None], np.array([7, 2]))
    >>> few.shape, few[np.array([1])]
    ((2, 1), array([[2.]]))
    """

    base: Rows
    rows: RowNumbers

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, …)."""
        return (len(self.rows), *self.base.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""
        return self.base.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: RowNumbers) -> Array:
        return self.base[self.rows[rows]]


@dataclass(frozen=True)
class Changed:
    """Observations that are changed as they are read.

    >>> doubled = Changed(np.arange(4.0)[:, None], (1,), lambda part: 2 * part)
    >>> doubled.shape, doubled[np.array([3])]
    ((4, 1), array([[6.]]))
    """

    base: Rows
    row_shape: tuple[int, ...]
    change: Callable[[Array], Array]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, …)."""
        return (len(self.base), *self.row_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""
        return self.base.dtype

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, rows: RowNumbers) -> Array:
        return self.change(self.base[rows])


def changed(x: Rows, row_shape: tuple[int, ...], change: Callable[[Array], Array]) -> Rows:
    """Observations (N, …) as changed ones (N, *row_shape): now if they are in memory, else as they are read."""
    return change(x) if isinstance(x, np.ndarray) and in_memory(x) else Changed(x, row_shape, change)


def in_memory(x: Rows) -> bool:
    """Whether reading a row costs no more than looking at it."""
    return isinstance(x, np.ndarray) and mapping(x) is None


def mapping(x: Rows) -> mmap.mmap | None:
    """The file mapping that observations lie in, if they do."""
    holder: Any = x
    while holder is not None and not isinstance(holder, mmap.mmap):
        holder = holder.obj if isinstance(holder, memoryview) else getattr(holder, "base", None)
    return holder


def take(x: Rows, rows: RowNumbers) -> Rows:
    """Some rows, in the order given; what is not in memory stays where it is."""
    if len(rows) == len(x) and np.array_equal(rows, np.arange(len(x))):
        return x
    if in_memory(x):
        return x[rows]
    if isinstance(x, Changed):
        return Changed(take(x.base, rows), x.row_shape, x.change)
    return Chosen(x.base, x.rows[rows]) if isinstance(x, Chosen) else Chosen(x, rows)


def forgettable(x: Rows) -> mmap.mmap | None:
    """The mapping that observations lie in, if what it holds in memory can be let go of: if a file has it all.

    A file has not what was written to a mapping that is copied on writing.
    """
    holder: Any = x
    while holder is not None and not isinstance(holder, np.memmap):
        holder = getattr(holder, "base", None)
    return mapping(holder) if holder is not None and holder.mode != "c" else None


@runtime_checkable
class InOrder(Protocol):
    """Lazy rows that are cheap to read from first to last, and only so."""

    def parts(self, n_rows: int, rows: RowNumbers | None = None) -> Iterator[Array]:
        """All rows in order, or those of ascending numbers, so many at a time."""


def is_stream(x: Rows) -> bool:
    """Whether rows, or those that they are chosen from, are cheap to read from first to last, and only so."""
    return is_stream(x.base) if isinstance(x, Chosen | Changed) else isinstance(x, InOrder)


def split(x: Rows, n_rows: int) -> Iterator[Array]:
    """All rows in order, so many at a time."""
    if isinstance(x, Changed):
        yield from map(x.change, split(x.base, n_rows))
        return
    if isinstance(x, InOrder):
        yield from x.parts(n_rows)
        return
    if isinstance(x, Chosen) and isinstance(x.base, InOrder) and (np.diff(x.rows) > 0).all():
        yield from x.base.parts(n_rows, x.rows)
        return
    for start in range(0, len(x), n_rows):
        stop = min(start + n_rows, len(x))
        yield x[start:stop] if isinstance(x, np.ndarray) else x[np.arange(start, stop)]


def chunks(x: Rows, bytes_at_once: int = 2**26) -> Iterator[tuple[int, Array]]:
    """All rows in order, a bounded number of bytes at a time, each part with the number of its first row.

    >>> [(start, len(part)) for start, part in chunks(np.zeros((5, 4)), bytes_at_once=64)]
    [(0, 2), (2, 2), (4, 1)]
    """
    row_bytes = x.dtype.itemsize * int(np.prod(x.shape[1:]))
    start, mapped = 0, forgettable(x)
    for part in split(x, max(1, bytes_at_once // max(1, row_bytes))):
        yield start, part
        start += len(part)
        if mapped is not None:
            mapped.madvise(mmap.MADV_DONTNEED)
