"""Which observations to label next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin

Array = NDArray[Any]

_STARTS = 3
_LEAST_WEIGHT = 1e-9


def most_worth_labelling(entropy: Array, u: Array, n: int, seed: int) -> Array:
    """Rows that stand for what the model is unsure of: (n,) row numbers, none twice.

    The centres of n clusters in u-space, in which a row weighs as much as the entropy of its q(c|x): each answer speaks
    for many rows whose class is in doubt, and no two for the same ones. Rows far from all others are not asked for.

    Args:
        entropy: (N,) nats, of q(c|x).
        u: (N, D_u), posterior means.
        n: how many, at most N.

    Source: Prabhu et al. 2021 (CLUE).

    >>> u = np.array([[0.0], [5.0], [5.1], [5.3], [9.0], [9.2]])
    >>> most_worth_labelling(np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.1]), u, n=2, seed=0).tolist()
    [2, 4]
    """
    # Where the model is sure of everything, distance alone decides: weights must not all be zero.
    weight, codes = np.maximum(entropy, _LEAST_WEIGHT), u.astype(np.float64)
    n_clusters = min(n, len(np.unique(codes, axis=0)))
    clusters = KMeans(n_clusters, n_init=_STARTS, random_state=seed).fit(codes, sample_weight=weight)
    nearest = list(dict.fromkeys(pairwise_distances_argmin(clusters.cluster_centers_, codes).tolist()))
    by_entropy = np.argsort(-entropy, kind="stable")
    spare = by_entropy[~np.isin(by_entropy, nearest)].tolist()
    return np.sort(np.array((nearest + spare)[:n], dtype=np.int64))
