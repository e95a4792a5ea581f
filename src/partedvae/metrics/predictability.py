"""Measures from what linear classifiers read from codes: SAP and explicitness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from partedvae.metrics.rows import Rows, Seed, checked, divided, for_classifier, standardised
from partedvae.metrics.score import Score, gap_of_top_two

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Sap(Score):
    """The separated attribute predictability.

    Attributes:
        predictability: (D, K), how well each code predicts each factor: accuracy on test rows, or squared correlation.
            NaN for dead codes and constant factors.
        by_factor: (K,), the lead of the best code; NaN for constant factors.
    """

    predictability: Floats
    by_factor: Floats


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Explicitness(Score):
    """How well a linear classifier reads the factors from all codes.

    Attributes:
        by_factor: (K,), the mean over its values of the area under the ROC curve; NaN for constant factors.
    """

    by_factor: Floats


def sap(
    codes: ArrayLike,
    factors: ArrayLike,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    continuous: bool = False,
    *,
    random_state: Seed = 0,
) -> Sap:
    """Separated attribute predictability: by how much the best code of a factor leads the second best.

    1/K Σ_k [s(c₁, f_k) − s(c₂, f_k)],  c₁ and c₂ the codes with the greatest s

    s is the accuracy on test rows of a linear support vector machine (C = 0.01, classes weighted to balance) that is
    given the one code; if the factors are continuous, their squared correlation. The machine's penalty acts on codes as
    they are, so the accuracy depends on their scale: it is meant for codes of about unit variance.

    Constant codes and factors are left out. Where fewer than two codes vary, the second one is a code that is zero
    everywhere, so that codes without any information score 0.

    Args:
        codes, factors: (N, D) and (N, K); factors are integers, or any numbers if they are continuous.
        test_codes, test_factors: rows to test on; without them 30 % of the rows are. Continuous factors need none, and
            ignore them.
        continuous: whether the order and size of the factors' values mean anything.
        random_state: seed of the division and of the classifier.

    Raises:
        ValueError: arrays are not as above, or no factor varies among the training rows.

    Source: Kumar et al. 2018, section 3; classifier as in Locatello et al. 2019.

    >>> factors = np.stack(np.meshgrid(np.arange(2), np.arange(2), np.arange(50)), axis=-1).reshape(-1, 3)[:, :2]
    >>> sap(2.0 * factors - 1, factors) > 0.3, sap(factors, factors, continuous=True)
    (True, 1.0)
    """
    if continuous:
        rows = checked(codes, factors, whole=False)
        table = _squared_correlations(rows)
        nothing = np.zeros(table.shape[1])
    else:
        rng = np.random.default_rng(random_state)
        rows, test = divided(codes, factors, test_codes, test_factors, rng)
        table, nothing = _accuracies(rows, test, seed=int(rng.integers(2**31)))
    gaps = gap_of_top_two(table, nothing)
    return Sap(
        float(gaps.mean()),
        predictability=rows.table(table, fill=np.nan),
        by_factor=rows.by_factor(gaps, fill=np.nan),
        **rows.left_out,
    )


def explicitness(
    codes: ArrayLike,
    factors: ArrayLike,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    *,
    multinomial: bool = False,
    random_state: Seed = 0,
) -> Explicitness:
    """How well logistic regression reads each value of each factor from all codes: 0.5 is chance, 1 perfect.

    1/K Σ_k 1/V_k Σ_v AUC(p(f_k = v | codes))

    One classifier for each value against the rest, their answers normalised to sum to one. AUC is the area under the
    ROC curve on test rows: the chance that a row with the value is given a higher probability than one without. It is
    the mean itself, not stretched to put chance at 0. Codes are standardised by the training rows first.

    A factor of three values or more that lies along one code in order stays a little below 1, since no line sets a
    middle value apart.

    Constant codes and factors are left out; if no code varies the score is 0.5. Values that are not in both training
    and test rows cannot be judged, and do not count.

    Args:
        codes, factors: (N, D) and (N, K) integers.
        test_codes, test_factors: rows to test on; without them 30 % of the rows are.
        multinomial: one classifier for all values of a factor together. It sets middle values apart, too, and it is
            what disentanglement_lib computes since scikit-learn changed its default in 2019.
        random_state: seed of the division.

    Raises:
        ValueError: arrays are not as above, no factor varies among the training rows, or a factor that does has no
            value that can be judged.

    Source: Ridgeway and Mozer 2018, section 2; normalised probabilities as in Locatello et al. 2019.

    >>> factors = np.arange(200) % 2
    >>> explicitness(factors[:, None] * 5.0, factors), explicitness(np.ones((200, 3)), factors)
    (1.0, 0.5)
    """
    rows, test = divided(codes, factors, test_codes, test_factors, np.random.default_rng(random_state))
    x, x_test = for_classifier(rows.codes, test.codes)
    numbers = np.flatnonzero(rows.factor_varies)
    areas = np.array(
        [
            _mean_area(x, y, x_test, y_test, multinomial, f"column {number} of the factors")
            for y, y_test, number in zip(rows.factors.T, test.factors.T, numbers, strict=True)
        ]
    )
    return Explicitness(float(areas.mean()), by_factor=rows.by_factor(areas, fill=np.nan), **rows.left_out)


def area_under_roc(answers: Floats, is_positive: NDArray[np.bool_]) -> float:
    """The share of pairs, one positive and one not, in which the positive has the greater answer; ties count half.

    (R − n(n + 1)/2) / (n m),  R the sum of the n positives' ranks, m the number of the others

    Source: Mann and Whitney 1947.

    >>> area_under_roc(np.array([0.1, 0.7, 0.7, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    n_positive = int(is_positive.sum())
    n_pairs = n_positive * (len(answers) - n_positive)
    ranks = rankdata(answers)[is_positive].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / n_pairs)


def _squared_correlations(rows: Rows) -> Floats:
    x, y = (standardised(a, a) for a in (rows.codes, rows.factors.astype(np.float64)))
    return np.square(x.T @ y / len(x))


def _accuracies(train: Rows, test: Rows, seed: int) -> tuple[Floats, Floats]:
    """(D', K') on test rows, and (K',) of a code that is zero everywhere; the latter only where it is needed."""

    def accuracy(x: Floats, x_test: Floats, y: Integers, y_test: Integers) -> float:
        classifier = LinearSVC(C=0.01, class_weight="balanced", random_state=seed).fit(x[:, None], y)
        return float(np.mean(classifier.predict(x_test[:, None]) == y_test))

    pairs = list(zip(train.factors.T, test.factors.T, strict=True))
    of_codes = [
        accuracy(x, x_test, y, y_test)
        for x, x_test in zip(train.codes.T, test.codes.T, strict=True)
        for y, y_test in pairs
    ]
    nothing = np.zeros(len(pairs))
    if train.codes.shape[1] < 2:
        nothing = np.array([accuracy(np.zeros(len(y)), np.zeros(len(y_test)), y, y_test) for y, y_test in pairs])
    return np.array(of_codes, dtype=np.float64).reshape(-1, len(pairs)), nothing


def _mean_area(x: Floats, y: Integers, x_test: Floats, y_test: Integers, multinomial: bool, name: str) -> float:
    logistic = LogisticRegression(solver="newton-cholesky")
    classifier = (logistic if multinomial else OneVsRestClassifier(logistic)).fit(x, y)
    answers = classifier.predict_proba(x_test)
    areas = [
        area_under_roc(answers[:, k], y_test == value)
        for k, value in enumerate(classifier.classes_)
        if 0 < (y_test == value).sum() < len(y_test)
    ]
    if not areas:
        raise ValueError(f"No value of {name} is both in training rows and in some, not all, of the test rows.")
    return float(np.mean(areas))
