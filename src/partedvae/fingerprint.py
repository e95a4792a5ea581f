"""A short name of what a run is trained on, so that it is not gone on with on something else."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from partedvae.batches import Observations
from partedvae.data import Dataset
from partedvae.layout import Layout
from partedvae.ondemand import OnDemand, is_read_in_order

_ROWS = 64  # that may have to be read from files, spread over all


def fingerprint(given: Observations) -> str:
    """Of sizes, all labels, and some of the observations; of a stream, which cannot be asked for rows, not of these.

    >>> x, labels = torch.zeros(100, 3), torch.zeros(100, 1, dtype=torch.int64)
    >>> fingerprint(Observations(x, labels)) == fingerprint(Observations(x.clone(), labels))
    True
    >>> fingerprint(Observations(x, labels)) == fingerprint(Observations(x, labels + 1))
    False
    """
    found = hashlib.sha256(f"{tuple(given.x.shape)} {tuple(given.labels.shape)}".encode())
    found.update(given.labels.contiguous().numpy().tobytes())
    if not is_read_in_order(given.x):
        n = len(given.x)
        spread = np.linspace(0, n - 1, min(n, _ROWS)).round().astype(np.int64)  # 32 bits could not count the rows
        rows = given.x[torch.from_numpy(spread)]
        found.update(rows.contiguous().numpy().tobytes())
    return found.hexdigest()


def fingerprint_of(data: Dataset) -> str:
    """The same of a data set.

    Raises:
        ValueError: its observations are neither features nor pictures.
    """
    return fingerprint(Observations(OnDemand(data.x, Layout.of(data.x)), torch.from_numpy(data.codes)))
