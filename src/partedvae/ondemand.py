"""Observations that stay on disk, or are drawn when needed: as much of a tensor's face as training asks for."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from partedvae.data.lazy import Rows, forgettable, in_memory, is_stream, mapping, split, take
from partedvae.layout import Layout

_KEPT_IN_MEMORY = 2**28  # bytes: a mapped file of so many is read whole, since that is faster
_TOUCHED_A_ROW = 2**21  # bytes that reading one row of a mapped file may bring in: a huge page
_HELD = 2**29  # bytes of a mapped file that may stay in memory before they are let go


class OnDemand:
    """Raw observations (N, …), channels first, made tensors a batch at a time.

    What a mapped file has brought into memory is let go again, so that a run needs no more memory for many rows than
    for few.

    >>> x = OnDemand(np.arange(12).reshape(3, 4), Layout("features", (4,)))
    >>> x.shape, x[torch.tensor([2])]
    (torch.Size([3, 4]), tensor([[ 8.,  9., 10., 11.]]))
    """

    def __init__(self, rows: Rows, layout: Layout) -> None:
        self.rows, self.layout = rows, layout
        self.shape = torch.Size((len(rows), *layout.tensor_shape))
        self.dtype = torch.uint8 if rows.dtype == np.uint8 else torch.float32
        self._mapping = forgettable(rows)
        self._advice: int | None = None
        self._touched = 0

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        if isinstance(rows, Tensor) and is_stream(self.rows):
            raise ValueError("Of a stream no rows can be drawn: train on all of it, or on the first (max_rows).")
        numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows.cpu().numpy()
        self._advise(mmap.MADV_RANDOM)
        return self._tensor(self.rows[numbers])

    def split(self, size: int) -> Iterator[Tensor]:
        """All rows in order, so many at a time."""
        self._advise(mmap.MADV_SEQUENTIAL)
        yield from map(self._tensor, split(self.rows, size))

    def take(self, rows: Tensor) -> OnDemand:
        """Some of the rows, which stay where they are.

        Raises:
            ValueError: they come as a stream, of which no row can be left out.
        """
        if is_stream(self.rows):
            raise ValueError("A stream cannot be divided: validate on data of its own (validation_data).")
        return OnDemand(take(self.rows, rows.cpu().numpy()), self.layout)

    def _tensor(self, rows: NDArray[Any]) -> Tensor:
        part = self.layout.to_tensor(rows)
        self._let_go(max(part.nbytes, len(rows) * _TOUCHED_A_ROW))
        return part

    def _advise(self, advice: int) -> None:
        """Tell the system in which order a mapped file is read: at random, reading ahead costs more than it brings."""
        if self._mapping is not None and advice != self._advice:
            self._mapping.madvise(advice)
            self._advice = advice

    def _let_go(self, touched: int) -> None:
        self._touched += touched
        if self._mapping is not None and self._touched > _HELD:
            self._mapping.madvise(mmap.MADV_DONTNEED)
            self._touched = 0


Raw = Tensor | OnDemand
"""Raw observations (N, …), channels first."""


def stays_put(x: Rows) -> bool:
    """Whether observations are to be read on demand: those that are not in memory, unless it is a small file."""
    size = x.dtype.itemsize * int(np.prod(x.shape))
    return not in_memory(x) and (mapping(x) is None or size > _KEPT_IN_MEMORY)


def is_read_in_order(x: Raw) -> bool:
    """Whether observations come as a stream, of which rows cannot be chosen."""
    return isinstance(x, OnDemand) and is_stream(x.rows)


def take_rows(x: Raw, rows: Tensor) -> Raw:
    """Some of the rows."""
    return x.take(rows) if isinstance(x, OnDemand) else x[rows]


def rows_in_order(x: Raw, rows: Tensor) -> Raw:
    """Some of the rows, by ascending numbers, to be read in that order: of a stream too."""
    return OnDemand(take(x.rows, rows.cpu().numpy()), x.layout) if isinstance(x, OnDemand) else x[rows]


def parts(x: Raw, numbers_at_once: int = 2**24) -> Iterator[Tensor]:
    """All observations in order, a bounded number of values at a time."""
    each = max(1, int(np.prod(x.shape[1:])))
    yield from x.split(max(1, numbers_at_once // each))
