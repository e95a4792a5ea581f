"""Which observations to label next."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import euclidean_distances

Array = NDArray[Any]
Rows = NDArray[np.int64]

_COMPARED = 4096  # observations without a label, and as many with one: twice 128 MiB of distances


def most_worth_labelling(labelled: Array, n: int, seed: int, hidden: Callable[[Rows], Array]) -> Rows:
    """Rows of n observations whose labels would help most: (n,), the most helpful first.

    Of more than 4,096 observations without a label so many are drawn to choose from; whoever asks for more than that
    gets the others at random.

    Args:
        labelled: (N,), whether an observation has its label.
        n: how many.
        seed: of what is drawn.
        hidden: gives hidden features (M, H) of rows, which it is given ascending.

    Raises:
        ValueError: fewer than n have no label, or n is no whole number from 1.
    """
    without, having = np.flatnonzero(~labelled), np.flatnonzero(labelled)
    if not isinstance(n, int | np.integer) or not 1 <= n <= len(without):
        if not len(without):
            raise ValueError("Every observation has its label: there is none to suggest.")
        raise ValueError(f"n={n}: should be a whole number from 1 to {len(without)}, the observations without a label.")
    random = np.random.default_rng(seed)
    without = random.choice(without, min(max(n, _COMPARED), len(without)), replace=False)
    having = random.choice(having, min(_COMPARED, len(having)), replace=False)
    rows = np.sort(np.concatenate([without[:_COMPARED], having]))
    chosen = rows[covering(hidden(rows), labelled[rows], min(n, _COMPARED))]
    return np.concatenate([chosen, without[_COMPARED:n]])


def covering(h: Array, labelled: Array, n: int) -> Rows:
    """The n observations whose labels leave all nearest to one that has a label: (n,), the most helpful first.

    One after another is chosen, each the one that most lowers the sum of squared distances, in hidden features, of all
    observations to the nearest that has a label or is chosen.

    Args:
        h: (N, H), hidden features.
        labelled: (N,), whether an observation has its label.
        n: how many.

    Source: facility location, greedily, as Wei, Iyer and Bilmes 2015 choose what to learn from.

    >>> h = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]])
    >>> covering(h, np.array([True, False, False, False, False]), n=2).tolist()
    [3, 4]
    """
    rows, h = np.flatnonzero(~labelled), h.astype(np.float64)  # squares of what is far away are beyond 32 bits
    distance = euclidean_distances(h[rows], squared=True)
    left = distance.max(axis=1)
    if labelled.any():
        left = np.minimum(left, euclidean_distances(h[rows], h[labelled], squared=True).min(axis=1))
    # Gains only fall as others are chosen: the first in the queue whose gain is of now has the most.
    queue = [(-float(np.maximum(left - near, 0).sum()), i) for i, near in enumerate(distance)]
    heapify(queue)
    chosen: list[int] = []
    while len(chosen) < n:
        _, best = heappop(queue)
        gain = float(np.maximum(left - distance[best], 0).sum())
        if queue and gain < -queue[0][0]:
            heappush(queue, (-gain, best))
            continue
        chosen.append(best)
        left = np.minimum(left, distance[best])
    return rows[chosen]
