"""Which observations to label next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import kmeans_plusplus

Array = NDArray[Any]


def most_worth_labelling(entropy: Array, u: Array, n: int, seed: int) -> Array:
    """Rows that the model is unsure of and that differ from each other: (n,) row numbers, none twice.

    k-means++ seeding in u-space with the entropy of q(c|x) as weight: a row is the likelier to be chosen the less sure
    its class is and the further it lies from the rows chosen before.

    Args:
        entropy: (N,) nats, of q(c|x).
        u: (N, D_u), posterior means.
        n: how many, at most N.

    Source: Arthur and Vassilvitskii 2007 (the seeding); Zhdanov 2019 (weighing it by uncertainty).

    >>> most_worth_labelling(np.array([0.0, 1.0, 1.0]), np.array([[0.0], [1.0], [9.0]]), n=2, seed=0).tolist()
    [1, 2]
    """
    # Where the model is sure of everything, distance alone decides: weights must not all be zero.
    weight = np.maximum(entropy, 1e-9)
    _, chosen = kmeans_plusplus(u.astype(np.float64), n, sample_weight=weight, random_state=seed)
    unique = list(dict.fromkeys(chosen.tolist()))  # identical codes can be drawn twice
    by_entropy = np.argsort(-entropy, kind="stable")
    spare = by_entropy[~np.isin(by_entropy, unique)].tolist()
    return np.sort(np.array((unique + spare)[:n], dtype=np.int64))
