"""Whether stated probabilities are kept: negative log-likelihood, calibration error, reliability; novelty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from partedvae.metrics.rows import Seed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_DRAWS = 1_000


@dataclass(frozen=True)
class Reliability:
    """By bins of confidence: how sure the predictions were, how many were right, and how many there were (B,)."""

    confidence: Floats
    accuracy: Floats
    counts: Integers


def negative_log_likelihood(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """− mean ln p(label), in nats.

    Args:
        probabilities: (N, K), rows that sum to 1.
        labels: (N,), numbers of the classes.

    >>> round(negative_log_likelihood([[0.5, 0.5], [0.25, 0.75]], [0, 1]), 4)
    0.4904
    """
    return float(surprise(probabilities, labels).mean())


def surprise(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """− ln p(label) of each row (N,), in nats.

    A class that was called impossible costs 708 nats, not infinitely many.
    """
    p, y = _checked(probabilities, labels)
    costs: Floats = -np.log(np.maximum(p[np.arange(len(y)), y], np.finfo(np.float64).tiny))
    return costs


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, n_bins: int = 15) -> float:
    """Σ_b (n_b / N) · |accuracy_b − confidence_b| over bins b of equal width of the largest probability.

    Source: Guo et al. 2017, *On calibration of modern neural networks*.

    >>> expected_calibration_error([[0.75, 0.25]] * 4, [0, 0, 0, 1])
    0.0
    """
    bins = reliability(probabilities, labels, n_bins)
    gaps = np.abs(bins.accuracy - bins.confidence)
    return float((bins.counts * np.nan_to_num(gaps)).sum() / bins.counts.sum())


def calibration_error_by_chance(
    probabilities: ArrayLike, n_bins: int = 15, *, level: float = 0.95, random_state: Seed = 0
) -> float:
    """What the calibration error stays below, at a level, if every probability is right: of few rows it is never 0.

    Source: Bröcker & Smith 2007, *Increasing the reliability of reliability diagrams*: labels are drawn from the
    probabilities themselves, 1,000 times.

    >>> calibration_error_by_chance([[1.0, 0.0]] * 9)
    0.0
    >>> few, many = (calibration_error_by_chance([[0.6, 0.4]] * n) for n in (20, 2_000))
    >>> few > 0.15, many < 0.03
    (True, True)
    """
    p, _ = _checked(probabilities, np.zeros(len(np.asarray(probabilities)), dtype=int))
    confidence, rng = p.max(axis=1), np.random.default_rng(random_state)
    place = _places(confidence, n_bins)
    errors = []
    for _ in range(_DRAWS):
        right = rng.random(len(p)) < confidence
        errors.append(np.abs(np.bincount(place, right - confidence, n_bins)).sum() / len(p))
    return float(np.quantile(errors, level))


def reliability(probabilities: ArrayLike, labels: ArrayLike, n_bins: int = 15) -> Reliability:
    """What lies behind the calibration error; NaN in empty bins.

    >>> bins = reliability([[0.9, 0.1], [0.4, 0.6]], [0, 0], n_bins=2)
    >>> bins.confidence, bins.accuracy, bins.counts
    (array([ nan, 0.75]), array([nan, 0.5]), array([0, 2]))
    """
    p, y = _checked(probabilities, labels)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    place = _places(confidence, n_bins)
    counts = np.bincount(place, minlength=n_bins)
    shown = np.where(counts, counts, np.nan)
    return Reliability(
        np.bincount(place, confidence, n_bins) / shown, np.bincount(place, right, n_bins) / shown, counts
    )


def novelty_auroc(scores_known: ArrayLike, scores_novel: ArrayLike) -> float:
    """How well low scores tell novel observations from known ones: 0.5 not at all, 1 always.

    Args:
        scores_known: of observations like those of the training, as ``PartedVAE.score_samples`` gives them.
        scores_novel: of others, such as those of a class that training never saw.

    >>> novelty_auroc([-1.0, -2.0], [-5.0, -1.5])
    0.75
    """
    known, novel = np.asarray(scores_known, dtype=float), np.asarray(scores_novel, dtype=float)
    if not len(known) or not len(novel):
        raise ValueError(f"There are {len(known)} scores of known and {len(novel)} of novel; both need one or more.")
    truth = np.concatenate([np.zeros(len(known)), np.ones(len(novel))])
    return float(roc_auc_score(truth, -np.concatenate([known, novel])))


def _places(confidence: Floats, n_bins: int) -> Integers:
    """The bins of confidences, which are closed on the right."""
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}; it should be 1 or more.")
    places: Integers = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    return places


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Integers]:
    p: Any = np.asarray(probabilities, dtype=np.float64)
    y: Any = np.asarray(labels)
    if p.ndim != 2 or y.shape != (len(p),) or not len(p):
        raise ValueError(f"probabilities have shape {p.shape} and labels {y.shape}; they should be (N, K) and (N,).")
    if not np.isfinite(p).all():
        raise ValueError(f"probabilities are not finite at row {np.flatnonzero(~np.isfinite(p).all(axis=1))[0]}.")
    if not np.allclose(p.sum(axis=1), 1, atol=1e-3) or (p < 0).any():
        raise ValueError("probabilities should not be negative, and each row should sum to 1.")
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"labels should be integers from 0 to {p.shape[1] - 1}, the columns of probabilities.")
    return p, y
