"""Measures from the mutual information of each code with each factor: MIG and modularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partedvae.metrics.rows import Rows, checked, levels
from partedvae.metrics.score import Score, gap_of_top_two

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

N_BINS = 20
_NO_INFORMATION = 1e-12  # nats; what sums of logarithms leave of an exact zero is below this


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Mig(Score):
    """The mutual information gap.

    Attributes:
        mutual_information: (D, K) nats, of each code with each factor; 0 for dead codes and constant factors.
        entropy: (K,) nats, of each factor.
        by_factor: (K,), the gap of each factor as a share of its entropy; NaN for constant factors.
    """

    mutual_information: Floats
    entropy: Floats
    by_factor: Floats


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Modularity(Score):
    """How far each code tells of one factor only.

    Attributes:
        mutual_information: (D, K) nats, of each code with each factor; 0 for dead codes and constant factors.
        by_code: (D,), the modularity of each code; NaN for dead ones.
    """

    mutual_information: Floats
    by_code: Floats


def mig(codes: ArrayLike, factors: ArrayLike, *, n_bins: int = N_BINS) -> Mig:
    """Mutual information gap: by how much the code that tells most of a factor leads the next one, 0 to 1.

    1/K Σ_k [I(c₁; f_k) − I(c₂; f_k)] / H(f_k),  c₁ and c₂ the codes with the most information on f_k

    Constant factors are left out: there is nothing to tell. Codes that are constant tell nothing; where fewer than two
    vary, the second one counts as 0 nats. With one code for each factor and nothing else in it the score is 1.

    Args:
        codes: (N, D); each is divided into bins of equal width between its least and greatest value.
        factors: (N, K) integers.
        n_bins: bins of a code.

    Raises:
        ValueError: codes or factors are not such arrays, or no factor varies.

    Source: Chen et al. 2018, equation 6; bins as in Locatello et al. 2019.

    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> mig(factors * 2.5, factors), mig(np.repeat(factors, 2, axis=1) * 2.5, factors)
    (1.0, 0.0)
    """
    rows = checked(codes, factors)
    shared = _of_each_pair(rows, n_bins)
    entropy = np.array([_entropy(column) for column in rows.factors.T])
    gaps = gap_of_top_two(shared, nothing=np.zeros(len(entropy))) / entropy
    return Mig(
        float(gaps.mean()),
        mutual_information=rows.table(shared),
        entropy=rows.by_factor(entropy),
        by_factor=rows.by_factor(gaps, fill=np.nan),
        **rows.left_out,
    )


def modularity(codes: ArrayLike, factors: ArrayLike, *, n_bins: int = N_BINS) -> Modularity:
    """Mean over codes of how far a code tells of one factor and of no other, 0 to 1.

    1 − Σ_{k ≠ k*} I(c; f_k)² / (I(c; f_k*)² (K − 1)),  k* the factor that c tells most of

    A code that varies and tells nothing of any factor counts as 0. Constant codes and factors are left out; if no code
    varies the score is 0. Noise gets a small share of information with every factor by chance, and a low score.

    Args:
        codes: (N, D); each is divided into bins of equal width between its least and greatest value.
        factors: (N, K) integers.
        n_bins: bins of a code.

    Raises:
        ValueError: codes or factors are not such arrays, or fewer than two factors vary.

    Source: Ridgeway and Mozer 2018, section 2; bins as in Locatello et al. 2019.

    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> mixed = np.array([[0.0], [0.0], [0.0], [1.0]])
    >>> modularity(factors * 2.5, factors), modularity(mixed, factors)
    (1.0, 0.0)
    """
    rows = checked(codes, factors, least_factors=2)
    shared = _of_each_pair(rows, n_bins)
    squared = np.square(shared)
    most = squared.max(axis=1)
    others = (squared.sum(axis=1) - most) / (squared.shape[1] - 1)
    tells = most > 0
    by_code = np.where(tells, 1 - others / np.where(tells, most, 1), 0)
    return Modularity(
        float(by_code.mean()) if len(by_code) else 0.0,
        mutual_information=rows.table(shared),
        by_code=rows.by_code(by_code, fill=np.nan),
        **rows.left_out,
    )


def discretise(values: NDArray[np.float64 | np.int64], n_bins: int) -> Integers:
    """Which of the bins of equal width between its least and greatest value each value of a column (N,) falls into.

    A value on an edge belongs to the bin above it, the greatest value to the last bin.

    >>> discretise(np.array([0.0, 0.9, 1.0, 4.0]), n_bins=4)
    array([0, 0, 1, 3])
    """
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}; at least one bin is needed.")
    edges = np.linspace(values.min(), values.max(), n_bins + 1)
    return np.searchsorted(edges[:-1], values, side="right") - 1


def mutual_information(a: Integers, b: Integers) -> float:
    """Mutual information of two columns (N,) of counting numbers, from their shares of the rows.

    Σ p(a, b) ln [p(a, b) / (p(a) p(b))]

    Source: Cover and Thomas, *Elements of Information Theory*, chapter 2.

    >>> round(mutual_information(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])), 4)
    0.6931
    """
    n_a, n_b = int(a.max()) + 1, int(b.max()) + 1
    joint = np.bincount(a * n_b + b, minlength=n_a * n_b).reshape(n_a, n_b) / len(a)
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    met = joint > 0
    nats = float((joint[met] * np.log(joint[met] / independent[met])).sum())
    return nats if nats > _NO_INFORMATION else 0.0


def _of_each_pair(rows: Rows, n_bins: int) -> Floats:
    """(D', K') nats."""
    binned = [discretise(column, n_bins) for column in rows.codes.T]
    valued = [levels(column) for column in rows.factors.T]
    pairs = [mutual_information(a, b) for a in binned for b in valued]
    return np.array(pairs, dtype=np.float64).reshape(len(binned), len(valued))


def _entropy(column: Integers) -> float:
    """Nats."""
    value = levels(column)
    return mutual_information(value, value)
