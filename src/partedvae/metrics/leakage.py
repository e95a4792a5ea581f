"""How well the class can be read from a code, by whichever of several probes reads it best."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from partedvae.given_labels import complete
from partedvae.metrics.rows import Seed, codes_of

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FOLDS = 5
FEWEST = 2 * _FOLDS
"""Rows of a class with which it can be measured."""

_VALIDATION = 0.25  # of a fold's training rows, to choose the probe on
_DRAWS = 1_000  # of the bootstrap and of the permutations


@dataclass(frozen=True)
class Leakage:
    """How well labels can be read from codes; converts to its value.

    Attributes:
        value: (balanced accuracy − chance) / (1 − chance): 0 no better than chance, 1 perfectly; may be below 0.
        interval: its 95 % interval, from a bootstrap of the rows.
        null: its 95 % quantile if codes told nothing: labels permuted against the probe's answers.
        balanced_accuracy: mean over classes of the share that is read rightly.
        probes: how many of the folds chose each probe.
        n_rows: rows that were used.
    """

    value: float
    interval: tuple[float, float]
    null: float
    balanced_accuracy: float
    probes: Mapping[str, int]
    n_rows: int

    def __float__(self) -> float:
        return self.value


def leakage(codes: ArrayLike, labels: ArrayLike, *, max_rows: int | None = 5_000, random_state: Seed = 0) -> Leakage:
    """How well a probe that never saw a row reads its label from its code.

    The rows are divided into five parts. For each, logistic regression, gradient-boosted trees and a small neural
    network are fit on some of the other rows, with every class repeated until it is as frequent as the largest; the
    best one on the rest of them is fit on all of them, and judged on the part.

    Args:
        codes: (N, D).
        labels: (N,), of two classes or more, each in at least ten rows.
        max_rows: of more rows, a random choice is used, and beside it so many of rare classes that each has ten.
        random_state: seed.

    Raises:
        ValueError: shapes do not agree, codes are not finite, a class has too few rows, or a label is missing (−1,
            ``None``, NaN, masked).

    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(2, size=200)
    >>> told, untold = rng.normal(size=(2, 200, 2)) + np.array([4, 0])[:, None, None] * labels[:, None]
    >>> float(leakage(told, labels)) > 0.9, leakage(untold, labels).null > leakage(untold, labels).value
    (True, True)
    """
    x, y = _checked(codes, labels)
    rng = np.random.default_rng(random_state)
    seed = int(random_state) if isinstance(random_state, int | np.integer) else int(rng.integers(2**31))
    if max_rows is not None and len(x) > max_rows:
        rows = _some(y, max_rows, rng)
        x, y = x[rows], y[rows]
    classes, y = np.unique(y, return_inverse=True)
    rarest = int(np.bincount(y).min())
    if rarest < FEWEST:
        raise ValueError(f"A class has {rarest} labelled rows; each should have at least {FEWEST}.")
    # The probes are small: on busy cores, threads that wait for each other took 80 times as long as a single one.
    with threadpool_limits(1):
        seen, chosen = _read_out_of_fold(x, y, seed)
    chance = 1 / len(classes)

    def normalised(truth: Integers, guesses: Integers) -> float:
        recalls = [(guesses[truth == k] == k).mean() for k in range(len(classes)) if (truth == k).any()]
        return float((np.mean(recalls) - chance) / (1 - chance))

    resampled = (rng.integers(len(y), size=len(y)) for _ in range(_DRAWS))
    boot = [normalised(y[rows], seen[rows]) for rows in resampled]
    null = [normalised(rng.permutation(y), seen) for _ in range(_DRAWS)]
    low, high = np.quantile(boot, [0.025, 0.975])
    return Leakage(
        value=normalised(y, seen),
        interval=(float(low), float(high)),
        null=float(np.quantile(null, 0.95)),
        balanced_accuracy=float(balanced_accuracy_score(y, seen)),
        probes=chosen,
        n_rows=len(y),
    )


def _some(y: Array, at_most: int, rng: np.random.Generator) -> Integers:
    """At most so many rows, drawn at random; and the first few of each class, which may be rare, in any case."""
    order = rng.permutation(len(y))
    _, y = np.unique(y[order], return_inverse=True)
    by_class = np.argsort(y, kind="stable")
    counts = np.bincount(y)
    nth = np.empty(len(y), dtype=np.int64)
    nth[by_class] = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen: Integers = order[(np.arange(len(y)) < at_most) | (nth < FEWEST)]
    return chosen


def probes(random_state: int) -> dict[str, ClassifierMixin]:
    """The panel, by name."""
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
        "boosted": HistGradientBoostingClassifier(max_iter=40, random_state=random_state),
        "network": make_pipeline(
            StandardScaler(), MLPClassifier((64, 64), alpha=1e-3, max_iter=60, random_state=random_state)
        ),
    }


def balanced_fit(probe: ClassifierMixin, x: Array, y: Array) -> ClassifierMixin:
    """A copy of the probe, fit with every class repeated until it is as frequent as the largest."""
    counts = np.bincount(y)
    rows = np.concatenate([np.resize(np.flatnonzero(y == k), counts.max()) for k in np.flatnonzero(counts)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is part of the probe
        return clone(probe).fit(x[rows], y[rows])


def _read_out_of_fold(x: Floats, y: Integers, seed: int) -> tuple[Integers, dict[str, int]]:
    """What the probes say of rows they did not see, and how often each probe was chosen."""
    panel = probes(seed)
    seen = np.empty_like(y)
    chosen = dict.fromkeys(panel, 0)
    for fit_rows, rows in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(x, y):
        first, second = train_test_split(fit_rows, test_size=_VALIDATION, stratify=y[fit_rows], random_state=seed)
        guesses = {name: balanced_fit(probe, x[first], y[first]).predict(x[second]) for name, probe in panel.items()}
        scores = {name: balanced_accuracy_score(y[second], guess) for name, guess in guesses.items()}
        best = max(scores, key=scores.__getitem__)
        chosen[best] += 1
        seen[rows] = balanced_fit(panel[best], x[fit_rows], y[fit_rows]).predict(x[rows])
    return seen, chosen


def _checked(codes: ArrayLike, labels: ArrayLike) -> tuple[Floats, Array]:
    x, y = codes_of(codes, "codes")[0], np.asarray(labels)
    if y.ndim != 1 or len(x) != len(y):
        raise ValueError(f"codes have shape {x.shape} and labels {y.shape}; they should be (N, D) and (N,).")
    missing = np.flatnonzero(~complete(labels, len(x)))
    if len(missing):
        raise ValueError(f"labels have none at row {missing[0]} (-1, None, NaN or masked): leave such rows out.")
    if len(np.unique(y)) < 2:
        raise ValueError("labels are of one class; at least two are needed.")
    return x, y
