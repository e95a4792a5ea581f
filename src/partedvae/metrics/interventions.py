"""Measures from groups of rows in which one factor is held fixed: FactorVAE's, β-VAE's and IRS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from partedvae.metrics.groups import SharedValues
from partedvae.metrics.information import N_BINS, discretise
from partedvae.metrics.rows import Rows, Seed, checked, levels, standardised
from partedvae.metrics.score import Score

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GROUP_SIZE, N_TRAIN, N_EVAL = 64, 10_000, 5_000
_AT_ONCE = 256  # groups whose differences are formed together, so that they stay in the processor's cache


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FactorVae(Score):
    """The score of FactorVAE; dead codes are those whose standard deviation is too small to count, too.

    Attributes:
        votes: (K, D), training groups by the factor that was fixed and the code that varied least.
        evaluation_votes: (K, D), likewise of evaluation groups.
    """

    votes: Floats
    evaluation_votes: Floats


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BetaVae(Score):
    """The score of β-VAE.

    Attributes:
        confusion: (K, K), evaluation groups by the factor that was fixed and the classifier's answer.
        training_accuracy: of the classifier on the groups it was fit on.
    """

    confusion: Floats
    training_accuracy: float


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Irs(Score):
    """The interventional robustness score.

    Attributes:
        robustness: (D, K), how little each code moves while each factor is fixed: 1 − deviation / greatest deviation.
            NaN for dead codes and constant factors.
        greatest_deviation: (D,), of each code from its mean.
    """

    robustness: Floats
    greatest_deviation: Floats


def factor_vae(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    group_size: int = GROUP_SIZE,
    n_train: int = N_TRAIN,
    n_eval: int = N_EVAL,
    min_std: float = 0.05,
    random_state: Seed = 0,
) -> FactorVae:
    """Accuracy of telling which factor was fixed in a group from the code that varies least in it.

    d* = argmin_d Var_group(c_d) / Var(c_d);  each d* stands for the factor that it met most often in training groups

    A group fixes one factor, drawn evenly, at the value of a random row, and consists of random rows with that value.
    Rows are drawn from those given, with replacement, so the other factors vary as they do there.

    Codes whose standard deviation over all rows is below ``min_std`` are dead, as are constant ones. This is the
    published rule, meant for codes whose prior has unit variance; 0 keeps every code that varies. If none is left the
    score is 0. Constant factors are left out. Chance is 1/K of the K factors that vary.

    Args:
        codes: (N, D).
        factors: (N, K) integers.
        group_size: rows of a group.
        n_train, n_eval: groups.
        min_std: least standard deviation of a code.
        random_state: seed of the groups.

    Raises:
        ValueError: codes or factors are not such arrays, a number is out of range, fewer than two factors vary, or one
            has another value in every row.

    Source: Kim and Mnih 2018, section 4; numbers and the rule for dead codes from Locatello et al. 2019.

    >>> factors = np.stack(np.divmod(np.arange(1000) % 20, 5), axis=1)
    >>> factor_vae(factors * 2.5, factors), factor_vae(factors * 0.0, factors)
    (1.0, 0.0)
    """
    _require_at_least(2, group_size=group_size)
    _require_at_least(1, n_train=n_train, n_eval=n_eval)
    if not min_std >= 0:
        raise ValueError(f"min_std is {min_std}; it should be 0 or more.")
    rows = _without_narrow(checked(codes, factors, least_factors=2), min_std)
    shared = SharedValues(rows)
    if not rows.codes.shape[1]:
        none = np.zeros((len(rows.factor_varies), len(rows.code_varies)))
        return FactorVae(0.0, votes=none, evaluation_votes=none, **rows.left_out)
    rng = np.random.default_rng(random_state)
    n_factors, n_codes = rows.factors.shape[1], rows.codes.shape[1]
    fixed = rng.integers(n_factors, size=n_train + n_eval)
    first = np.broadcast_to(shared.any_row(fixed, rng)[:, None], (len(fixed), group_size))
    groups = shared.like(fixed[:, None], first, rng)
    steadiest = variances(standardised(rows.codes, like=rows.codes), groups).argmin(axis=1)
    votes = _count(fixed[:n_train], steadiest[:n_train], n_factors, n_codes)
    judged = _count(fixed[n_train:], steadiest[n_train:], n_factors, n_codes)
    right = judged[votes.argmax(axis=0), np.arange(n_codes)].sum()
    return FactorVae(
        float(right / n_eval),
        votes=rows.table(votes.T).T,
        evaluation_votes=rows.table(judged.T).T,
        **rows.left_out,
    )


def beta_vae(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    group_size: int = GROUP_SIZE,
    n_train: int = N_TRAIN,
    n_eval: int = N_EVAL,
    random_state: Seed = 0,
) -> BetaVae:
    """Accuracy of telling which factor the pairs of a group share from how far apart their codes are on average.

    x_d = 1/L Σ_l |c_d(a_l) − c_d(b_l)|,  (a_l, b_l) pairs of rows that agree in one factor

    Logistic regression predicts that factor from x. The shared factor is drawn evenly; a is a random row, b another
    random row with the same value of that factor, so the other factors vary as they do among the rows given. The
    penalty of the regression acts on x as it is, so that codes far below unit variance score less.

    Constant codes and factors are left out; if no code varies, what is left is a blind guess. Chance is 1/K of the K
    factors that vary.

    Args:
        codes: (N, D).
        factors: (N, K) integers.
        group_size: pairs of a group.
        n_train, n_eval: groups.
        random_state: seed of the groups.

    Raises:
        ValueError: codes or factors are not such arrays, a number is out of range, fewer than two factors vary, or one
            has another value in every row.

    Source: Higgins et al. 2017, section 3; numbers from Locatello et al. 2019.

    >>> factors = np.stack(np.divmod(np.arange(1000) % 20, 5), axis=1)
    >>> beta_vae(factors * 2.5, factors)
    1.0
    """
    _require_at_least(1, group_size=group_size, n_train=n_train, n_eval=n_eval)
    rows = checked(codes, factors, least_factors=2)
    shared = SharedValues(rows)
    rng = np.random.default_rng(random_state)
    n_factors = rows.factors.shape[1]
    fixed = rng.integers(n_factors, size=n_train + n_eval)
    spread = np.broadcast_to(fixed[:, None], (len(fixed), group_size))
    first = shared.any_row(spread, rng)
    seen = rows.codes if rows.codes.shape[1] else np.zeros((len(rows.codes), 1))
    x = distances(seen, first, shared.other(spread, first, rng))
    classifier = LogisticRegression(solver="newton-cholesky").fit(x[:n_train], fixed[:n_train])
    answers = classifier.predict(x)
    right = answers == fixed
    confusion = np.zeros((len(rows.factor_varies),) * 2)
    confusion[np.ix_(rows.factor_varies, rows.factor_varies)] = _count(
        fixed[n_train:], answers[n_train:], n_factors, n_factors
    )
    return BetaVae(
        float(right[n_train:].mean()),
        confusion=confusion,
        training_accuracy=float(right[:n_train].mean()),
        **rows.left_out,
    )


def irs(codes: ArrayLike, factors: ArrayLike, *, quantile: float = 0.99, n_bins: int = N_BINS) -> Irs:
    """Interventional robustness: how little each code moves while the factor it follows is fixed, 0 to 1.

    R_dk = 1 − mean_v Q_{n: f_k = v} |c_d − E[c_d | f_k = v]| / max_n |c_d − E[c_d]|;  Σ_d w_d max_k R_dk

    Q is the quantile over the rows with the value v; w_d is the share of code d in the codes' greatest deviations, so
    that codes weigh by their scale. Values of a factor with more than ``n_bins`` of them are merged, in their order,
    into that many bins. Constant codes and factors are left out; if no code varies the score is 0.

    Deviations are measured about means of few rows if a value has few; the score then comes out too high, also for
    noise. It tells most when every value has a hundred rows or more.

    Args:
        codes: (N, D).
        factors: (N, K) integers.
        quantile: 1 is the greatest deviation, as in the paper; less is robust to outliers.
        n_bins: most values of a factor.

    Raises:
        ValueError: codes or factors are not such arrays, the quantile is not between 0 and 1, or no factor varies.

    Source: Suter et al. 2019, section 4; the quantile and weights as in disentanglement_lib.

    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> irs(factors * 2.5, factors), irs(factors.sum(axis=1, keepdims=True), factors, quantile=1)
    (1.0, 0.5)
    """
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile is {quantile:g}; it should be between 0 and 1.")
    rows = checked(codes, factors)
    greatest = np.abs(rows.codes - rows.codes.mean(axis=0)).max(axis=0)
    moved = np.stack([_deviation(rows.codes, column, quantile, n_bins) for column in rows.factors.T], axis=1)
    robustness = 1 - moved / greatest[:, None]
    return Irs(
        float(np.average(robustness.max(axis=1), weights=greatest)) if len(greatest) else 0.0,
        robustness=rows.table(robustness, fill=np.nan),
        greatest_deviation=rows.by_code(greatest),
        **rows.left_out,
    )


def variances(codes: Floats, groups: Integers) -> Floats:
    """Variance of each code (N, D) within groups of rows (G, L): (G, D).

    E[c²] − E[c]², which copies no row. It is right to about 1e-16 max c², so codes are best standardised.

    >>> variances(np.array([[1.0], [3.0], [7.0]]), np.array([[0, 1], [2, 2]]))
    array([[1.],
           [0.]])
    """
    n_groups, size = groups.shape
    membership = csr_array(
        (np.full(groups.size, 1 / size), groups.ravel(), np.arange(0, groups.size + 1, size)),
        shape=(n_groups, len(codes)),
    )
    means = membership @ np.concatenate([codes, np.square(codes)], axis=1)
    n_codes = codes.shape[1]
    found: Floats = means[:, n_codes:] - np.square(means[:, :n_codes])
    return found


def distances(codes: Floats, first: Integers, second: Integers) -> Floats:
    """Mean absolute difference of each code (N, D) over groups of pairs of rows (G, L): (G, D).

    >>> distances(np.array([[1.0], [3.0], [7.0]]), np.array([[0, 1]]), np.array([[1, 2]]))
    array([[3.]])
    """
    found = np.empty((len(first), codes.shape[1]))
    for start in range(0, len(first), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        apart = codes.take(first[part], axis=0)
        apart -= codes.take(second[part], axis=0)
        np.abs(apart, out=apart).mean(axis=1, out=found[part])
    return found


def _without_narrow(rows: Rows, min_std: float) -> Rows:
    wide = rows.codes.std(axis=0, ddof=1) >= min_std
    kept = rows.by_code(wide) > 0
    return Rows(rows.codes[:, wide], rows.factors, kept, rows.factor_varies)


def _deviation(codes: Floats, factor: Integers, quantile: float, n_bins: int) -> Floats:
    """(D',): the quantile of the distance to the mean, within each value of a factor, on average over the values."""
    value = discretise(levels(factor), n_bins)
    groups = [codes[value == v] for v in np.unique(value)]
    deviations = [np.quantile(np.abs(group - group.mean(axis=0)), quantile, axis=0) for group in groups]
    return np.asarray(np.mean(deviations, axis=0))


def _count(rows: Integers, columns: Integers, n_rows: int, n_columns: int) -> Integers:
    """How often each pair of numbers occurs, (n_rows, n_columns)."""
    return np.bincount(rows * n_columns + columns, minlength=n_rows * n_columns).reshape(n_rows, n_columns)


def _require_at_least(least: int, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < least:
            raise ValueError(f"{name} is {number}; it should be {least} or more.")
