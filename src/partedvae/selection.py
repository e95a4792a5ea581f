"""Which observations to label next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

Array = NDArray[Any]

_STARTS = 3
_LEAST_WEIGHT = 1e-9


def most_worth_labelling(entropy: Array, u: Array, n: int, seed: int) -> Array:
    """Rows of all parts of u-space, the likelier the less sure the model is of them: (n,) row numbers, none twice.

    A row weighs as much as the entropy of its q(c|x), and half of all weight is spread evenly: a model is also sure of
    what it is wrong about, most of all of classes that no label has named. One row is drawn from each of n clusters of
    u-space, by weight; the least sure of those drawn come first.

    Args:
        entropy: (N,) nats, of q(c|x).
        u: (N, D_u), posterior means.
        n: how many, at most N.

    Source: clusters of uncertainty, Prabhu et al. 2021 (CLUE), whose centres alone were worse than random rows.

    >>> u = np.array([[0.0], [5.0], [5.1], [5.3], [9.0], [9.2]])
    >>> most_worth_labelling(np.array([1.0, 0.0, 1.0, 0.0, 0.0, 1.0]), u, n=3, seed=0).tolist()
    [0, 2, 5]
    """
    weight, codes = entropy + max(float(entropy.mean()), _LEAST_WEIGHT), u.astype(np.float64)
    n_clusters = min(n, len(np.unique(codes, axis=0)))
    cluster = KMeans(n_clusters, n_init=_STARTS, random_state=seed).fit(codes, sample_weight=weight).labels_
    random = np.random.default_rng(seed)
    drawn = [_draw(np.flatnonzero(cluster == k), weight, 1, random) for k in range(n_clusters)]
    others = np.setdiff1d(
        np.arange(len(weight)), np.concatenate(drawn)
    )  # where there are fewer clusters than asked for
    chosen = np.sort(np.concatenate([*drawn, _draw(others, weight, n - n_clusters, random)]))
    return chosen[np.argsort(-entropy[chosen], kind="stable")]


def _draw(rows: Array, weight: Array, n: int, random: np.random.Generator) -> Array:
    """So many of the rows, by weight."""
    share = weight[rows] / weight[rows].sum()
    return random.choice(rows, n, replace=False, p=share) if n else rows[:0]
