"""Slow, independent re-computations of partedvae.metrics: one row, code, factor and value at a time."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.svm import LinearSVC

Array = NDArray[Any]
Table = list[list[float]]


def bins(values: Sequence[float], n: int) -> list[int]:
    """The bin of each value, of equal width from the least to the greatest."""
    low, high = min(values), max(values)
    found = []
    for value in values:
        k = 0
        while k + 1 < n and value >= low + (high - low) * (k + 1) / n:
            k += 1
        found.append(k)
    return found


def entropy(values: Sequence[Any]) -> float:
    """Nats."""
    return sum(-(n / len(values)) * math.log(n / len(values)) for n in Counter(values).values())


def information(a: Sequence[int], b: Sequence[int]) -> float:
    """H(a) + H(b) − H(a, b), nats."""
    return entropy(a) + entropy(b) - entropy(list(zip(a, b, strict=True)))


def information_table(codes: Array, factors: Array) -> Table:
    """[code][factor], 20 bins of each code."""
    return [[information(bins(c.tolist(), 20), f.tolist()) for f in factors.T] for c in codes.T]


def mean_gap(columns: Sequence[Sequence[float]]) -> float:
    """Best less second best of each column, on average."""
    tops = [sorted(column, reverse=True)[:2] for column in columns]
    return sum(first - second for first, second in tops) / len(tops)


def mig(codes: Array, factors: Array) -> float:
    """Mutual information gap."""
    table = information_table(codes, factors)
    columns = [[row[k] / entropy(f.tolist()) for row in table] for k, f in enumerate(factors.T)]
    return mean_gap(columns)


def modularity(codes: Array, factors: Array) -> float:
    """Ridgeway and Mozer's distance of each code's information from a template with one entry."""
    scores = []
    for row in information_table(codes, factors):
        best = row.index(max(row))
        off = sum(nats**2 for k, nats in enumerate(row) if k != best)
        scores.append(1 - off / (row[best] ** 2 * (len(row) - 1)))
    return sum(scores) / len(scores)


def sap(codes: Array, factors: Array, test_codes: Array, test_factors: Array) -> float:
    """By accuracy."""
    columns = []
    for k in range(factors.shape[1]):
        column = []
        for d in range(codes.shape[1]):
            machine = LinearSVC(C=0.01, class_weight="balanced", random_state=0).fit(codes[:, [d]], factors[:, k])
            guesses = machine.predict(test_codes[:, [d]]).tolist()
            column.append(sum(a == b for a, b in zip(guesses, test_factors[:, k].tolist(), strict=True)) / len(guesses))
        columns.append(column)
    return mean_gap(columns)


def sap_continuous(codes: Array, factors: Array) -> float:
    """By squared correlation."""
    return mean_gap([[float(np.corrcoef(c, f)[0, 1]) ** 2 for c in codes.T] for f in factors.T])


def pairs_in_order(answers: Sequence[float], positive: Sequence[bool]) -> float:
    """The area under the ROC curve, by looking at every pair."""
    ups = [a for a, p in zip(answers, positive, strict=True) if p]
    downs = [a for a, p in zip(answers, positive, strict=True) if not p]
    return sum((u > d) + 0.5 * (u == d) for u in ups for d in downs) / (len(ups) * len(downs))


def logistic_regression(x: Array, positive: Array) -> Callable[[Array], Array]:
    """Probabilities by the minimum of |w|²/2 + Σ ln(1 + e^−m), from a general minimiser."""
    sign = np.where(positive, 1.0, -1.0)

    def loss(w: Array) -> float:
        return float(w[:-1] @ w[:-1] / 2 + np.logaddexp(0, -sign * (x @ w[:-1] + w[-1])).sum())

    w = minimize(loss, np.zeros(x.shape[1] + 1), tol=1e-9).x
    return lambda new: 1 / (1 + np.exp(-(new @ w[:-1] + w[-1])))


def explicitness(codes: Array, factors: Array, test_codes: Array, test_factors: Array) -> float:
    """One value against the rest, normalised to sum to one."""
    x, x_test = ((a - codes.mean(axis=0)) / codes.std(axis=0) for a in (codes, test_codes))
    of_factors = []
    for f, f_test in zip(factors.T, test_factors.T, strict=True):
        values = sorted(set(f.tolist()))
        answers = np.stack([logistic_regression(x, f == v)(x_test) for v in values], axis=1)
        answers /= answers.sum(axis=1, keepdims=True)
        areas = [pairs_in_order(a.tolist(), (f_test == v).tolist()) for a, v in zip(answers.T, values, strict=True)]
        of_factors.append(sum(areas) / len(areas))
    return sum(of_factors) / len(of_factors)


def concentration(importance: Sequence[Sequence[float]]) -> float:
    """One minus the entropy of each row in base B, weighted by the row's sum."""
    total = sum(map(sum, importance))
    score = 0.0
    for row in importance:
        if sum(row) > 0:
            shares = [value / sum(row) for value in row]
            spread = -sum(p * math.log(p, len(row)) for p in shares if p > 0)
            score += sum(row) / total * (1 - spread)
    return score


def dci(codes: Array, factors: Array, test_codes: Array, test_factors: Array, seed: int) -> tuple[float, float, float]:
    """Disentanglement, completeness, informativeness, from gradient-boosted trees."""
    columns, accuracies = [], []
    for f, f_test in zip(factors.T, test_factors.T, strict=True):
        trees = GradientBoostingClassifier(random_state=seed).fit(codes, f)
        columns.append([abs(value) for value in trees.feature_importances_.tolist()])
        accuracies.append(sum(a == b for a, b in zip(trees.predict(test_codes), f_test, strict=True)) / len(f_test))
    rows = list(map(list, zip(*columns, strict=True)))
    return concentration(rows), concentration(columns), sum(accuracies) / len(accuracies)


def variance(values: Sequence[float]) -> float:
    """In two passes."""
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def factor_vae(codes: Array, factors: Array, n_train: int, n_eval: int, seed: int) -> float:
    """Groups drawn one row after the other."""
    draw = random.Random(seed)  # noqa: S311  # no secret
    everywhere = [variance(c.tolist()) for c in codes.T]

    def group() -> tuple[int, int]:
        k = draw.randrange(factors.shape[1])
        value = factors[draw.randrange(len(factors)), k]
        rows = draw.choices([n for n in range(len(factors)) if factors[n, k] == value], k=64)
        spread = [variance(codes[rows, d].tolist()) / everywhere[d] for d in range(codes.shape[1])]
        return k, spread.index(min(spread))

    votes = [group() for _ in range(n_train)]
    stands_for = {d: Counter(k for k, voted in votes if voted == d).most_common(1)[0][0] for _, d in votes}
    return sum(stands_for.get(d, 0) == k for k, d in (group() for _ in range(n_eval))) / n_eval


def pair_distances(codes: Array, first: Array, second: Array) -> Table:
    """[group][code] mean absolute difference over the pairs of a group."""
    return [
        [
            sum(abs(codes[a, d] - codes[b, d]) for a, b in zip(one, two, strict=True)) / len(one)
            for d in range(codes.shape[1])
        ]
        for one, two in zip(first, second, strict=True)
    ]


def quantile(values: Sequence[float], q: float) -> float:
    """Between the two nearest of the ordered values, in proportion."""
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def irs(codes: Array, factors: Array) -> float:
    """For factors of 20 values or fewer."""
    weights, scores = [], []
    for code in codes.T:
        mean = sum(code) / len(code)
        greatest = max(abs(c - mean) for c in code)
        robust = []
        for factor in factors.T:
            moved = []
            for value in sorted(set(factor.tolist())):
                group = [c for c, f in zip(code, factor, strict=True) if f == value]
                centre = sum(group) / len(group)
                moved.append(quantile([abs(c - centre) for c in group], 0.99))
            robust.append(1 - sum(moved) / len(moved) / greatest)
        weights.append(greatest)
        scores.append(max(robust))
    return float(sum(w * s for w, s in zip(weights, scores, strict=True)) / sum(weights))
