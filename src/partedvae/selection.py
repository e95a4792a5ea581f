"""Which observations to label next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import euclidean_distances

Array = NDArray[Any]
Rows = NDArray[np.int64]

_COMPARED = 4096  # observations without a label, and as many with one: their distances are 64 MiB


def compared(labelled: Array, n: int, seed: int) -> Rows:
    """Rows to choose n from and rows that have a label already, ascending: of many, a random choice.

    Args:
        labelled: (N,), whether an observation has its label.

    Raises:
        ValueError: fewer than n have none.
    """
    without, having = np.flatnonzero(~labelled), np.flatnonzero(labelled)
    if not 1 <= n <= len(without):
        raise ValueError(f"n={n}: should be between 1 and {len(without)}, the observations of X without a label.")
    random = np.random.default_rng(seed)
    return np.sort(
        np.concatenate([random.permutation(without)[: max(n, _COMPARED)], random.permutation(having)[:_COMPARED]])
    )


def most_worth_labelling(h: Array, doubt: Array, labelled: Array, n: int) -> Rows:
    """The n observations whose labels leave the others nearest to one that has a label: (n,), the most helpful first.

    One after another is chosen, each the one that most lowers the sum of squared distances, in hidden features, of all
    observations to the nearest that has a label or is chosen. An observation counts by how unsure the model is of it,
    and half of all that counts is spread evenly: a model is also sure of what it is wrong about, most of all of classes
    that no label has named. If all that have none are to be chosen, the least sure come first.

    Args:
        h: (N, H), hidden features.
        doubt: (N,) nats, entropy of q(c|x).
        labelled: (N,), whether an observation has its label.

    Source: facility location, greedily, as Wei, Iyer and Bilmes 2015 choose what to learn from.

    >>> h = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]])
    >>> most_worth_labelling(h, np.zeros(5), np.array([True, False, False, False, False]), n=2).tolist()
    [3, 4]
    """
    rows = np.flatnonzero(~labelled)
    weight = (doubt[rows] + max(float(doubt[rows].mean()), np.finfo(np.float32).tiny)).astype(h.dtype)
    if n == len(rows):
        return rows[np.argsort(-weight, kind="stable")]
    distance = euclidean_distances(h[rows], squared=True)
    left = distance.max(axis=1)
    if labelled.any():
        left = np.minimum(left, euclidean_distances(h[rows], h[labelled], squared=True).min(axis=1))
    chosen: list[int] = []
    for _ in range(n):
        gain = weight @ np.maximum(left[:, None] - distance, 0)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        left = np.minimum(left, distance[:, chosen[-1]])
    return rows[chosen]
