"""Each measure on codes whose score is known, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import hadamard

from known_codes import ALL, BINARY, IDEAL, NOISE, THREE, TURN, each, grid, noisy, unit
from partedvae.metrics import dci, explicitness, factor_vae, irs, mig, modularity, sap
from partedvae.metrics.dci import concentration
from partedvae.metrics.information import discretise
from partedvae.metrics.predictability import area_under_roc


@each()
def test_one_code_a_factor_is_best(name: str) -> None:
    tolerance = 0.06 if name == "sap" else 1e-9  # which half of the rows is right depends on the division
    assert ALL[name](unit(BINARY), BINARY) == pytest.approx(IDEAL[name], abs=tolerance)


@each()
def test_the_order_of_codes_does_not_matter(name: str) -> None:
    assert ALL[name](unit(BINARY)[:, [2, 0, 1]], BINARY) == pytest.approx(ALL[name](unit(BINARY), BINARY))


@each(("mig", "dci", "factor_vae", "modularity", "explicitness", "irs"))
def test_scale_and_shift_do_not_matter(name: str) -> None:
    assert ALL[name](unit(BINARY) * [0.1, 7, -400] + [1e6, 0, -3], BINARY) == pytest.approx(IDEAL[name])


def test_what_depends_on_scale_does_so_as_documented() -> None:
    codes = unit(THREE)
    assert sap(codes * [9, 0.2, -4] + [5, 0, -5], THREE, continuous=True) == pytest.approx(1)
    assert factor_vae(codes * 0.04, THREE) == 0.0
    assert factor_vae(codes * 0.04, THREE, min_std=0) == 1.0
    tilted = codes + 0.3 * codes[:, ::-1]
    assert irs(tilted * [100, 1, 1], THREE) != pytest.approx(irs(tilted, THREE), abs=1e-3)


@each(("mig", "dci", "modularity", "irs"))
def test_rotated_codes_score_less(name: str) -> None:
    assert ALL[name](unit(THREE) @ TURN, THREE) < 0.8 * ALL[name](unit(THREE), THREE)


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        ("mig", 0, 1e-9),
        ("sap", 0, 0.1),
        ("dci", 0, 0.1),
        ("factor_vae", 0.25, 0.03),
        ("beta_vae", 0.25, 0.03),
        ("modularity", 0, 1e-9),
        ("explicitness", 1, 1e-9),
        ("irs", 0.25, 0.03),
    ],
)
def test_codes_that_mix_all_factors_evenly(name: str, expected: float, tolerance: float) -> None:
    factors = grid(2, 2, 2, 2, times=50)
    mixed = unit(factors) @ hadamard(4) / 2
    assert ALL[name](mixed, factors) == pytest.approx(expected, abs=tolerance)


def test_what_rotation_leaves() -> None:
    assert sap(unit(THREE) @ TURN, THREE, continuous=True) < 0.5
    assert explicitness(unit(THREE) @ TURN, THREE) == pytest.approx(explicitness(unit(THREE), THREE), abs=0.01)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("mig", 0, 0.02),
        ("sap", 0, 0.1),
        ("dci", 0, 0.1),
        ("factor_vae", 0.28, 0.40),
        ("beta_vae", 0.28, 0.40),
        ("explicitness", 0.45, 0.55),
        ("irs", 0, 0.4),
        ("modularity", 0, 0.9),
    ],
)
def test_noise_scores_by_chance(name: str, low: float, high: float) -> None:
    assert low <= ALL[name](NOISE, THREE) <= high


@each()
def test_collapsed_codes_score_nothing(name: str) -> None:
    score = ALL[name](np.full((len(THREE), 5), 0.1), THREE)
    blind = {"explicitness": pytest.approx(0.5), "beta_vae": pytest.approx(1 / 3, abs=0.03)}
    assert score == blind.get(name, 0)
    assert score.n_dead == 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mig", 0),
        ("sap", 0),
        ("dci", 1),
        ("factor_vae", 1),
        ("beta_vae", 1),
        ("modularity", 1),
        ("explicitness", 1),
        ("irs", 1),
    ],
)
def test_duplicated_codes(name: str, expected: float) -> None:
    twice = np.concatenate([unit(BINARY)] * 2, axis=1)
    assert ALL[name](twice, BINARY) == pytest.approx(expected, abs=1e-9)


def test_duplicates_share_the_importance() -> None:
    score = dci(np.concatenate([unit(BINARY)] * 2, axis=1), BINARY, trees="fast")
    assert score.importance.sum(axis=0) == pytest.approx(np.ones(3))
    assert 1 - math.log(2) / math.log(6) <= score.completeness + 1e-9 < 1
    assert score.informativeness == 1


def test_one_code_of_two_factors_is_complete_and_entangled() -> None:
    factors = grid(2, 2, times=100)
    score = dci(factors @ [[1.0], [2.0]], factors, trees="fast")
    assert (score.disentanglement, score.completeness, score.informativeness) == (0, 1, 1)
    assert modularity(factors @ [[1.0], [2.0]], factors) == pytest.approx(0, abs=1e-9)
    assert mig(factors @ [[1.0], [2.0]], factors) == pytest.approx(1)


@each()
def test_scores_lie_between_0_and_1(name: str) -> None:
    assert 0 <= ALL[name](*noisy(3, 400)) <= 1


# Values by hand

TINY = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
TOLD = math.log(2) - 0.75 * (math.log(3) - 2 / 3 * math.log(2))  # by the second column, of the first: ln 2 − ¾ H(⅓)


def test_information_by_hand() -> None:
    score = mig(TINY, np.array([0, 0, 1, 1]))
    assert score.mutual_information[:, 0] == pytest.approx([math.log(2), TOLD])
    assert score == pytest.approx(1 - TOLD / math.log(2))
    assert score.entropy == pytest.approx([math.log(2)])


def test_modularity_by_hand() -> None:
    # The second code tells all of the second factor, and of the first what the first tells of it.
    score = modularity(TINY[:, 1:], TINY.astype(int))
    everything = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert score == pytest.approx(1 - (TOLD / everything) ** 2)


def test_correlation_by_hand() -> None:
    codes = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [3.0, 1.0]])
    assert sap(codes, [0.5, 1.0, 1.5, 2.0], continuous=True) == pytest.approx(1)
    assert sap(codes, [0, 1, 1, 1], continuous=True) == pytest.approx(0.6 - 1 / 3)


def test_concentration_by_hand() -> None:
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert concentration(np.array([[3.0, 1.0], [0.0, 4.0]])) == pytest.approx(0.5 * (1 - quarter) + 0.5)
    assert concentration(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])) == 1
    assert concentration(np.array([[1.0, 1.0, 0.0, 0.0]])) == pytest.approx(0.5)


def test_irs_by_hand() -> None:
    # While the factor is 0 the code moves by 1 from its mean, while it is 1 by 3; its greatest deviation is 9.
    codes, factors = np.array([[0.0], [2.0], [10.0], [16.0], [7.0], [7.0]]), [0, 0, 1, 1, 2, 2]
    assert irs(codes, factors, quantile=1) == pytest.approx(1 - (1 + 3 + 0) / 3 / 9)


def test_area_by_hand() -> None:
    assert area_under_roc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True])) == 0.75


def test_bins_are_those_of_numpy() -> None:
    for values in (np.random.default_rng(0).normal(size=500), np.arange(11.0), np.linspace(-1, 1, 7)):
        edges = np.histogram(values, 20)[1]
        assert discretise(values, 20).tolist() == (np.digitize(values, edges[:-1]) - 1).tolist()


def test_many_values_of_a_factor_are_merged_for_irs_in_their_order() -> None:
    codes, factors = noisy(0, 800, sizes=(40, 2))
    assert irs(codes, factors[:, 0]) == pytest.approx(irs(codes, factors[:, 0] // 2))
