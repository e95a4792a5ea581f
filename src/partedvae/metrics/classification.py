"""What a classifier is worth, and how far so many rows can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from partedvae.metrics.calibration import (
    calibration_error_by_chance,
    expected_calibration_error,
    surprise,
)
from partedvae.metrics.rows import Seed

Array = NDArray[Any]

_DRAWS = 1_000


def classification(probabilities: ArrayLike, labels: ArrayLike, *, random_state: Seed = 0) -> dict[str, float]:
    """Accuracy, balanced accuracy, negative log-likelihood (nats) and calibration error, and what chance does to them.

    ``_low`` and ``_high`` are the ends of 95 % intervals: Wilson's of the accuracy, for the two after it of a bootstrap
    of the rows. ``ece_null`` is what the calibration error stays below in 95 % of cases if the probabilities are right.

    Args:
        probabilities: (N, K), rows that sum to 1.
        labels: (N,), numbers of the classes.
        random_state: seed of the draws.

    Raises:
        ValueError: shapes do not agree, or there are no rows.

    Source: Efron 1979, *Bootstrap methods: another look at the jackknife*.

    >>> found = classification([[0.75, 0.25]] * 4, [0, 0, 0, 1])
    >>> found["accuracy"], round(found["accuracy_low"], 2), round(found["accuracy_high"], 2)
    (0.75, 0.3, 0.95)
    """
    rng = np.random.default_rng(random_state)
    costs = surprise(probabilities, labels)
    truth: Array = np.asarray(labels)
    right: Array = np.asarray(probabilities).argmax(axis=1) == truth

    def balanced(rows: Array) -> float:
        there = np.bincount(truth[rows])
        hits = np.bincount(truth[rows], right[rows])
        return float((hits[there > 0] / there[there > 0]).mean())

    everything = np.arange(len(truth))
    draws = [rng.integers(len(truth), size=len(truth)) for _ in range(_DRAWS)]
    intervals: dict[str, tuple[float, tuple[float, float]]] = {
        "accuracy": (float(right.mean()), interval_of_share(int(right.sum()), len(truth))),
        "balanced_accuracy": (balanced(everything), _middle([balanced(rows) for rows in draws])),
        "nll": (float(costs.mean()), _middle([costs[rows].mean() for rows in draws])),
    }
    found: dict[str, float] = {}
    for name, (value, (low, high)) in intervals.items():
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    by_chance = calibration_error_by_chance(probabilities, random_state=rng)
    return found | {"ece": expected_calibration_error(probabilities, labels), "ece_null": by_chance}


def interval_of_share(n_right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of which ``n_right`` of ``n`` independent cases were seen.

    Source: Wilson 1927, *Probable inference, the law of succession, and statistical inference*.

    >>> [round(end, 3) for end in interval_of_share(19, 20)]
    [0.764, 0.991]
    """
    found = binomtest(n_right, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _middle(values: list[float]) -> tuple[float, float]:
    """Of draws, the ends between which 95 % lie."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
