"""Rows of a sparse matrix, made dense only when asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.lazy import RowNumbers


class SparseRows:
    """A SciPy matrix as lazy rows (N, F) of float32.

    >>> from scipy.sparse import csr_array
    >>> SparseRows(csr_array([[0, 1], [2, 0]]))[np.array([1])]
    array([[2., 0.]], dtype=float32)
    """

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix.tocsr()
        self.shape = tuple(int(size) for size in matrix.shape)
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: RowNumbers) -> NDArray[Any]:
        dense: NDArray[Any] = self.matrix[rows].toarray()
        return dense.astype(np.float32)
