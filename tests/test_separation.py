"""Leakage, swaps, calibration: known answers for codes and generators that are ideal, useless or wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score

from partedvae.metrics.calibration import (
    expected_calibration_error,
    negative_log_likelihood,
    novelty_auroc,
    reliability,
)
from partedvae.metrics.leakage import leakage
from partedvae.metrics.oracle import Oracle
from partedvae.metrics.separation import balanced_pairs, diversity, style_preservation, swap_accuracy

Array = NDArray[Any]


@pytest.fixture(scope="module")
def labels() -> Array:
    return np.random.default_rng(0).integers(3, size=300)


# ----------------------------------------------------------------------------------------------------------- leakage


def test_a_code_that_is_the_class_leaks_all_and_noise_leaks_nothing(labels: Array) -> None:
    rng = np.random.default_rng(1)
    all_of_it = leakage(np.eye(3)[labels], labels)
    assert all_of_it.value == pytest.approx(1)
    assert list(all_of_it.interval) == [1, 1]
    nothing = leakage(rng.normal(size=(300, 4)), labels)
    assert nothing.interval[0] < 0.05
    assert abs(nothing.value) < 0.12
    assert all_of_it.null < 0.15
    assert nothing.value < nothing.null + 0.05


def test_a_class_that_only_a_curve_separates_is_found(labels: Array) -> None:
    rng = np.random.default_rng(2)
    angle = rng.uniform(0, 2 * np.pi, size=300)
    rings = (1.0 + labels)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = leakage(rings + rng.normal(scale=0.05, size=rings.shape), labels)
    assert found.value > 0.9
    assert found.probes["logistic"] == 0


def test_leakage_is_normalised_by_chance_and_blind_to_how_rare_a_class_is() -> None:
    rng = np.random.default_rng(3)
    rare = (np.arange(600) % 20 == 0).astype(int)
    always_common = leakage(rng.normal(size=(600, 2)), rare)
    assert abs(always_common.value) < 0.25  # plain accuracy would be 0.95
    assert always_common.balanced_accuracy == pytest.approx(0.5 + 0.5 * always_common.value)


def test_leakage_keeps_its_scale_under_other_units_and_names(labels: Array) -> None:
    rng = np.random.default_rng(4)
    codes = rng.normal(size=(300, 2)) + np.eye(3)[labels][:, :2]
    names = np.array(["x", "y", "z"])[labels]
    first = leakage(codes, labels)
    assert leakage(codes * [1e-3, 1e3] + [5, -7], names).value == pytest.approx(first.value, abs=0.08)
    assert leakage(codes, labels) == first
    low, high = first.interval
    assert low < first.value < high


def test_of_many_rows_some_are_read_and_a_rare_class_is_among_them() -> None:
    rng = np.random.default_rng(6)
    names = np.array(["often", "seldom"])[(np.arange(4_000) % 250 == 7).astype(int)]  # 16 of 4,000
    codes = rng.normal(size=(4_000, 2)) + 9.0 * (names == "seldom")[:, None]
    found = leakage(codes, names, max_rows=300)
    assert 300 < found.n_rows <= 310
    assert found.value > 0.9
    assert leakage(codes, names, max_rows=4_000).n_rows == 4_000
    with pytest.raises(ValueError, match="has 9 labelled rows"):
        leakage(codes[: 250 * 9], names[: 250 * 9], max_rows=300)


def test_leakage_refuses_what_it_cannot_measure(labels: Array) -> None:
    codes = np.random.default_rng(0).normal(size=(300, 2))
    for wrong, message in (
        ((codes[:5], labels), "shape"),
        ((codes, np.zeros(300)), "one class"),
        ((np.where(codes > 2, np.nan, codes), labels), r"codes\[39, 1\] is nan; values should be finite"),
        ((np.full((300, 2), 1e300), labels), r"codes\[0, 0\] is 1e\+300"),
        ((codes[:, :0], labels), r"codes have shape \(300, 0\); they should be \(N, D\), neither of them 0"),
        ((codes[:12], labels[:12]), "at least 10"),
        ((codes, np.where(labels == 0, -1, labels)), "labels have none at row"),
        ((codes, np.where(labels == 0, np.nan, labels)), "labels have none at row"),
        ((codes, [None if k == 0 else k for k in labels.tolist()]), "labels have none at row"),
        ((codes, np.ma.masked_equal(labels, 0)), "labels have none at row"),
    ):
        with pytest.raises(ValueError, match=message):
            leakage(*wrong)


# ------------------------------------------------------------------------------------------------------------- swaps


@pytest.fixture(scope="module")
def world(labels: Array) -> tuple[Array, Array]:
    """Pictures whose upper half shows the class and whose lower half shows a style of two values."""
    style = np.random.default_rng(5).integers(2, size=300)
    x = np.zeros((300, 8, 8))
    x[:, :4] = (labels / 2)[:, None, None]
    x[:, 4:] = style[:, None, None]
    return x + np.random.default_rng(6).normal(scale=0.05, size=x.shape), style


def ideal(content: Array, style: Array) -> Array:
    return np.concatenate([content[:, :4], style[:, 4:]], axis=1)


def test_swaps_by_ideal_useless_and_reversed_generators(world: tuple[Array, Array], labels: Array) -> None:
    x, style = world
    oracle, of_style = Oracle(x, labels), Oracle(x, style)
    best = swap_accuracy(ideal, x, labels, oracle, n_pairs=600)
    assert (best.kept, best.normalised, best.style_class) == (1, 1, 0)
    assert style_preservation(ideal, x, labels, style, of_style, n_pairs=600) == 1
    wrong = swap_accuracy(lambda content, styles: styles, x, labels, oracle, n_pairs=600)
    assert (wrong.kept, wrong.style_class) == (0, 1)
    keeps_all = style_preservation(lambda content, styles: content, x, labels, style, of_style, n_pairs=600)
    assert keeps_all == pytest.approx(0.5, abs=0.1)  # as often as two styles agree by chance
    constant = swap_accuracy(lambda content, styles: np.zeros_like(content), x, labels, oracle, n_pairs=600)
    assert constant.kept == pytest.approx(1 / 3, abs=0.02)


def test_pairs_are_balanced_and_of_different_classes() -> None:
    labels = np.repeat([0, 1, 2, 3], [500, 50, 5, 1])
    contents, styles = balanced_pairs(labels, 6_000)
    assert (labels[contents] != labels[styles]).all()
    counts = np.unique(np.stack([labels[contents], labels[styles]]), axis=1, return_counts=True)[1]
    assert counts.tolist() == [500] * 12


def test_diversity_is_a_share_of_the_real_variance() -> None:
    real = np.random.default_rng(0).normal(size=(4_000, 5))
    assert diversity(real, real) == pytest.approx(1)
    assert diversity(0.5 * real, real) == pytest.approx(0.25)
    assert diversity(np.repeat(real[:1], 10, axis=0), real) == pytest.approx(0)


# ------------------------------------------------------------------------------------------------------- calibration


def test_calibration_against_plain_loops() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), size=300)
    y = rng.integers(4, size=300)
    by_hand = 0.0
    for b in range(15):
        rows = [i for i in range(300) if b / 15 < p[i].max() <= (b + 1) / 15]
        if rows:
            right = np.mean([p[i].argmax() == y[i] for i in rows])
            by_hand += len(rows) / 300 * abs(right - np.mean([p[i].max() for i in rows]))
    assert expected_calibration_error(p, y) == pytest.approx(by_hand, abs=1e-12)
    assert negative_log_likelihood(p, y) == pytest.approx(-np.mean([np.log(p[i, y[i]]) for i in range(300)]))
    assert reliability(p, y).counts.sum() == 300


def test_one_who_tells_the_truth_is_calibrated_and_one_who_is_too_sure_is_not() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(3), size=20_000)
    y = np.array([rng.choice(3, p=row) for row in p])
    assert expected_calibration_error(p, y) < 0.02
    sure = np.where(p == p.max(axis=1, keepdims=True), 1 - 2e-6, 1e-6)
    wrong = 1 - balanced_accuracy_score(y, p.argmax(axis=1))
    assert expected_calibration_error(sure, y) == pytest.approx(wrong, abs=0.02)


def test_an_impossible_truth_costs_much_but_not_infinitely_much() -> None:
    assert 700 < negative_log_likelihood([[1.0, 0.0]], [1]) < 710


def test_novelty_is_told_by_low_scores() -> None:
    assert novelty_auroc([3.0, 4.0], [1.0, 2.0]) == 1
    assert novelty_auroc([1.0, 2.0], [3.0, 4.0]) == 0


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[0.5, 0.6]], [0], "sum to 1"),
        ([[1.5, -0.5]], [0], "negative"),
        ([[0.5, 0.5]], [2], "from 0 to 1"),
        ([[0.5, 0.5]], [0, 1], "shape"),
    ],
)
def test_what_is_no_probability_is_refused(probabilities: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(probabilities, labels)


def test_the_judge_of_a_table_bears_that_decoders_stray_a_little() -> None:
    """Some pixels of digits are dark in all rows but a few: a hundredth of the range is many deviations there."""
    x, labels = load_digits(return_X_y=True)
    oracle = Oracle(x[:1200], labels[:1200])
    strayed = x[1200:] + np.random.default_rng(0).normal(scale=0.01 * x.max(), size=x[1200:].shape)
    assert oracle.accuracy(x[1200:], labels[1200:]) > 0.9
    assert oracle.accuracy(strayed, labels[1200:]) > 0.9


def test_what_there_is_nothing_to_measure_of_is_refused() -> None:
    for call, message in (
        (lambda: novelty_auroc([], [1.0]), "There are 0 scores of known and 1 of novel"),
        (lambda: expected_calibration_error([[0.5, 0.5]], [0], n_bins=0), "n_bins is 0"),
        (lambda: balanced_pairs(np.array([0, 1]), 0), "n_pairs is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_probabilities_that_are_not_finite_are_named_by_row() -> None:
    with pytest.raises(ValueError, match="probabilities are not finite at row 1"):
        expected_calibration_error([[0.5, 0.5], [np.nan, 1.0]], [0, 1])
