"""Observations that are the same to the last bit but have different labels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from partedvae.data.dataset import Dataset
from partedvae.data.lazy import Rows, in_memory, split, take
from partedvae.labels import MISSING

_AT_ONCE = 1024


@dataclass(frozen=True)
class Duplicates:
    """Groups of row numbers whose observations are equal, and those of them whose labels contradict each other."""

    groups: tuple[tuple[int, ...], ...]
    conflicts: tuple[tuple[int, ...], ...]

    @property
    def repeated(self) -> int:
        """How many rows repeat an earlier one."""
        return sum(len(group) - 1 for group in self.groups)


def find_duplicates(x: Rows, codes: np.ndarray) -> Duplicates:
    """Equal rows of observations (N, …) with labels (N, A), −1 where missing.

    >>> find_duplicates(np.array([[1.0], [2.0], [1.0]]), np.array([[0], [0], [1]])).conflicts
    ((0, 2),)
    """
    rows_of: dict[bytes, list[int]] = defaultdict(list)
    observations = (observation for part in split(x, _AT_ONCE) for observation in part)
    for row, observation in enumerate(observations):
        rows_of[hashlib.blake2b(observation.tobytes(), digest_size=16).digest()].append(row)
    groups = tuple(tuple(rows) for rows in rows_of.values() if len(rows) > 1)
    return Duplicates(groups, tuple(group for group in groups if _contradict(codes[list(group)])))


def labelled_conflicts(data: Dataset) -> list[list[str]]:
    """The ids of equal observations whose labels contradict each other, group by group; only labelled rows are read."""
    rows = data.labelled
    x = data.x[rows] if in_memory(data.x) else take(data.x, rows)
    found = find_duplicates(x, data.codes[rows]).conflicts
    return [[data.ids[int(rows[row])] for row in group] for group in found]


def _contradict(codes: np.ndarray) -> bool:
    return any(len(np.unique(column[column != MISSING])) > 1 for column in codes.T)
