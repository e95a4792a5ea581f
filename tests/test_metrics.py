"""Each measure on codes whose score is known, against slow re-computations, and on what it should refuse."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import hadamard

import oracles_metrics as oracle
from partedvae.metrics import Score, beta_vae, dci, explicitness, factor_vae, irs, mig, modularity, sap
from partedvae.metrics.dci import concentration
from partedvae.metrics.groups import SharedValues
from partedvae.metrics.information import discretise, mutual_information
from partedvae.metrics.interventions import distances, variances
from partedvae.metrics.predictability import area_under_roc
from partedvae.metrics.rows import checked

Array = NDArray[Any]
Measure = Callable[..., Score]

ALL: dict[str, Measure] = {
    "mig": mig,
    "sap": sap,
    "dci": lambda codes, factors, **more: dci(codes, factors, trees="fast", **more),
    "factor_vae": factor_vae,
    "beta_vae": beta_vae,
    "modularity": modularity,
    "explicitness": explicitness,
    "irs": irs,
}
DRAWN = ("sap", "dci", "factor_vae", "beta_vae", "explicitness")
WITH_TEST_ROWS = ("sap", "dci", "explicitness")
COMPARING = ("dci", "factor_vae", "beta_vae", "modularity")
PUBLISHED = ((2, 3, 5), 1200, 800)
quick = settings(deadline=None, max_examples=20)


def each(names: tuple[str, ...] = tuple(ALL)) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names)


def grid(*sizes: int, times: int) -> Array:
    """Every combination of factors, several times each."""
    points = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), axis=1)
    return np.tile(points, (times, 1))


def unit(codes: Array) -> Array:
    found: Array = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    return found


def noisy(seed: int, n: int, sizes: tuple[int, ...] = (2, 3, 4), scale: float = 0.4) -> tuple[Array, Array]:
    """Codes that mix factors a little, one that is noise alone; and the factors."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(size, size=n) for size in sizes], axis=1)
    codes = np.concatenate([unit(factors), rng.normal(size=(n, 1))], axis=1)
    turn = np.eye(len(sizes) + 1) + 0.2 * np.random.default_rng(7).normal(size=(len(sizes) + 1,) * 2)
    return codes @ turn + scale * rng.normal(size=codes.shape), factors


def published(seed: int, n: int) -> tuple[Array, Array]:
    """The data that disentanglement_lib was run on."""
    draw = np.random.RandomState(seed)
    factors = np.stack([draw.randint(size, size=n) for size in PUBLISHED[0]], axis=1)
    hidden = np.hstack([factors, draw.uniform(size=(n, 1)) * 3])
    turn = np.array([[1, 0.2, 0, 0], [0, 1, 0.1, 0], [0, 0.3, 0.5, 0.1], [0.1, 0, 0, 1]])
    return hidden @ turn + 0.9 * draw.uniform(size=(n, 4)), factors


BINARY = grid(2, 2, 2, times=100)
THREE = grid(2, 3, 4, times=50)
NOISE = np.random.default_rng(0).normal(size=(1200, 4))
TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]


# Known answers

IDEAL = {
    "mig": 1.0,
    "sap": 0.5,  # of two values: all rows right against half of them
    "dci": 1.0,
    "factor_vae": 1.0,
    "beta_vae": 1.0,
    "modularity": 1.0,
    "explicitness": 1.0,
    "irs": 1.0,
}


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


# Against slow re-computations, and against Google's

SMALL = noisy(1, 150)
SMALL_TEST = noisy(2, 90)


def test_information_against_loops() -> None:
    assert mig(*SMALL) == pytest.approx(oracle.mig(*SMALL), abs=1e-9)
    assert modularity(*SMALL) == pytest.approx(oracle.modularity(*SMALL), abs=1e-9)
    assert mig(*SMALL).mutual_information == pytest.approx(np.array(oracle.information_table(*SMALL)), abs=1e-9)


def test_sap_against_loops() -> None:
    assert sap(*SMALL, *SMALL_TEST) == pytest.approx(oracle.sap(*SMALL, *SMALL_TEST), abs=1e-9)
    assert sap(*SMALL, continuous=True) == pytest.approx(oracle.sap_continuous(*SMALL), abs=1e-9)


def test_explicitness_against_a_general_minimiser() -> None:
    # Both stop near the minimum; a pair of test rows may change its order on the last of the way.
    assert explicitness(*SMALL, *SMALL_TEST) == pytest.approx(oracle.explicitness(*SMALL, *SMALL_TEST), abs=1e-4)


def test_dci_against_loops() -> None:
    score = dci(*SMALL, *SMALL_TEST)
    found = (score.disentanglement, score.completeness, score.informativeness)
    seed = int(np.random.default_rng(0).integers(2**31))  # trees break ties at random
    assert found == pytest.approx(oracle.dci(*SMALL, *SMALL_TEST, seed=seed), abs=1e-6)
    assert score == pytest.approx(oracle.concentration(score.importance.tolist()), abs=1e-9)
    assert score.completeness == pytest.approx(oracle.concentration(score.importance.T.tolist()), abs=1e-9)


def test_irs_against_loops() -> None:
    assert irs(*SMALL) == pytest.approx(oracle.irs(*SMALL), abs=1e-9)


def test_groups_against_loops() -> None:
    codes = SMALL[0]
    groups, others = np.random.default_rng(0).integers(len(codes), size=(2, 30, 16))
    slow = [[oracle.variance(codes[group, d].tolist()) for d in range(codes.shape[1])] for group in groups]
    assert variances(codes, groups) == pytest.approx(np.array(slow), abs=1e-9)
    assert distances(codes, groups, others) == pytest.approx(np.array(oracle.pair_distances(codes, groups, others)))


def test_factor_vae_against_loops_that_draw_on_their_own() -> None:
    codes, factors = noisy(4, 300, scale=1.2)
    slow = oracle.factor_vae(codes, factors, n_train=600, n_eval=600, seed=0)
    fast = factor_vae(codes, factors)
    assert 0.5 < fast < 0.97
    assert fast == pytest.approx(slow, abs=0.06)


def test_factor_vae_is_made_of_its_votes() -> None:
    score = factor_vae(*noisy(4, 300, scale=1.2), n_train=3000, n_eval=2000)
    assert (score.votes.sum(), score.evaluation_votes.sum()) == (3000, 2000)
    right = sum(score.evaluation_votes[score.votes[:, d].argmax(), d] for d in range(4))
    assert score == right / 2000


def test_beta_vae_is_made_of_its_confusion() -> None:
    score = beta_vae(*noisy(4, 300, scale=1.2), n_train=3000, n_eval=2000)
    assert score.confusion.sum() == 2000
    assert score == np.trace(score.confusion) / 2000
    assert score.training_accuracy == pytest.approx(score, abs=0.05)


def test_google_computes_the_same() -> None:
    """Its numbers for the same rows, from its pure NumPy parts and scikit-learn 1.9.1."""
    (codes, factors), test = published(0, PUBLISHED[1]), published(1, PUBLISHED[2])
    assert mig(codes, factors) == pytest.approx(0.6463566046974490, abs=1e-9)
    assert modularity(codes, factors) == pytest.approx(0.9755511483439094, abs=1e-9)
    assert sap(codes, factors, *test) == pytest.approx(0.3225, abs=1e-3)
    assert sap(codes, factors, continuous=True) == pytest.approx(0.7100861742566278, abs=1e-9)
    assert explicitness(codes, factors, *test, multinomial=True) == pytest.approx(0.973900156209797, abs=1e-5)
    assert irs(codes, factors) == pytest.approx(0.4323480878718162, abs=1e-9)


@pytest.mark.slow
def test_google_grows_the_same_trees() -> None:
    score = dci(*published(0, PUBLISHED[1]), *published(1, PUBLISHED[2]))
    assert score.disentanglement == pytest.approx(0.6649188777897385, abs=2e-3)
    assert score.completeness == pytest.approx(0.6690277446434183, abs=2e-3)
    assert score.informativeness == pytest.approx(0.8695833333333334, abs=5e-3)


def test_fast_trees_are_near_the_reference() -> None:
    rows = noisy(1, 500, scale=0.2)
    fast, boosted = dci(*rows, trees="fast"), dci(*rows)
    assert fast.disentanglement == pytest.approx(boosted.disentanglement, abs=0.1)
    assert fast.completeness == pytest.approx(boosted.completeness, abs=0.1)
    assert fast.informativeness == pytest.approx(boosted.informativeness, abs=0.1)


# Draws

UNEVEN = np.stack([np.repeat([4, -1, 9, 7], [1, 2, 3, 4]), np.arange(10) // 5], axis=1)


def test_draws_share_the_value() -> None:
    shared, rng = SharedValues(checked(np.eye(10), UNEVEN)), np.random.default_rng(0)
    factor = rng.integers(2, size=(3000, 4))
    first = shared.any_row(factor, rng)
    for other in (shared.like(factor, first, rng), shared.other(factor, first, rng)):
        assert (UNEVEN[first, factor] == UNEVEN[other, factor]).all()
    assert (other != first).all()
    assert not (UNEVEN[first, factor][factor == 0] == 4).any()  # no other row has it


def test_draws_are_even() -> None:
    shared, rng = SharedValues(checked(np.eye(10), UNEVEN)), np.random.default_rng(0)
    zeros, rows = np.zeros(60_000, dtype=np.int64), np.full(60_000, 8)
    assert np.bincount(shared.any_row(zeros, rng)) / 60_000 == pytest.approx(np.r_[0, np.full(9, 1 / 9)], abs=0.01)
    assert np.bincount(shared.like(zeros, rows, rng))[6:] / 60_000 == pytest.approx(np.full(4, 1 / 4), abs=0.01)
    assert np.bincount(shared.other(zeros, rows, rng))[6:] / 60_000 == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3], abs=0.01)


@each(DRAWN)
def test_the_same_seed_gives_the_same_number(name: str) -> None:
    rows = noisy(4, 200, scale=1.2)
    first, again, other = (ALL[name](*rows, random_state=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert ALL[name](*rows, random_state=np.random.default_rng(1)) == first


@each()
def test_global_random_state_is_left_alone(name: str) -> None:
    before = np.random.get_state()  # noqa: NPY002  # the global state is what this is about
    ALL[name](*SMALL)
    after = np.random.get_state()  # noqa: NPY002  # the global state is what this is about
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@each()
def test_what_is_given_is_left_alone(name: str) -> None:
    codes, factors = (array.copy() for array in SMALL)
    codes.flags.writeable = factors.flags.writeable = False
    ALL[name](codes, factors)


# Columns that never vary


@each()
def test_dead_codes_and_constant_factors_change_nothing_and_are_counted(name: str) -> None:
    codes, factors = noisy(4, 200)
    padded = np.insert(codes, [0, 2], [0.1, -3e5], axis=1)
    plain, score = ALL[name](codes, factors), ALL[name](padded, np.insert(factors, 1, 6, axis=1))
    assert score == pytest.approx(plain, abs=1e-12)
    assert (plain.n_dead, plain.n_constant) == (0, 0)
    assert (score.n_dead, score.n_constant) == (2, 1)


def test_tables_keep_the_columns_that_were_given() -> None:
    codes, factors = noisy(4, 200)
    padded, more = np.insert(codes, 1, 0.1, axis=1), np.insert(factors, 2, 6, axis=1)
    for table in (
        mig(padded, more).mutual_information,
        modularity(padded, more).mutual_information,
        sap(padded, more).predictability,
        dci(padded, more, trees="fast").importance,
        factor_vae(padded, more).votes.T,
        irs(padded, more).robustness,
    ):
        assert table.shape == (5, 4)
        assert not np.nan_to_num(table)[1].any()
        assert not np.nan_to_num(table)[:, 2].any()
        assert np.nan_to_num(table)[0].any()
    assert np.isnan(mig(padded, more).by_factor).tolist() == [False, False, True, False]
    assert np.isnan(sap(padded, more).by_factor).tolist() == [False, False, True, False]
    assert np.isnan(explicitness(padded, more).by_factor).tolist() == [False, False, True, False]
    assert np.isnan(dci(padded, more, trees="fast").accuracy).tolist() == [False, False, True, False]
    assert np.isnan(modularity(padded, more).by_code).tolist() == [False, True, False, False, False]
    assert irs(padded, more).greatest_deviation[1] == 0
    assert beta_vae(padded, more).confusion[2].sum() == 0


def test_a_code_is_dead_within_the_rounding_of_its_type() -> None:
    flicker = (0.1 + 1e-8 * (np.arange(len(THREE)) % 3)[:, None]).astype(np.float32)
    assert len(np.unique(flicker)) > 1
    assert mig(flicker, THREE).n_dead == 1
    assert mig(flicker.astype(np.float64), THREE).n_dead == 0
    assert mig(1e-9 * unit(THREE), THREE).n_dead == 0


@each(WITH_TEST_ROWS)
def test_what_varies_is_judged_on_training_rows(name: str) -> None:
    codes, factors = noisy(4, 200)
    still, one = np.insert(codes, 0, 2.0, axis=1), np.insert(factors, 0, 1, axis=1)
    moving, two = np.insert(codes, 0, np.arange(200.0), axis=1), np.insert(factors, 0, np.arange(200), axis=1)
    score = ALL[name](still, one, test_codes=moving, test_factors=two)
    assert (score.n_dead, score.n_constant) == (1, 1)
    assert score == pytest.approx(ALL[name](codes, factors, test_codes=codes, test_factors=factors))


@each(WITH_TEST_ROWS)
def test_values_that_training_did_not_show_are_not_read(name: str) -> None:
    codes, factors = noisy(4, 200)
    assert ALL[name](codes, factors, test_codes=codes, test_factors=np.where(factors == 1, 50, factors)) >= 0


def test_a_factor_without_a_value_in_both_parts_is_refused() -> None:
    codes, factors = noisy(4, 200)
    with pytest.raises(ValueError, match="column 0 of the factors"):
        explicitness(codes, factors, codes, factors * 0 + 50)


@each(("mig", "sap", "explicitness", "irs"))
def test_one_code_and_one_factor_are_enough(name: str) -> None:
    codes, factor = unit(BINARY)[:, :1], BINARY[:, 0]
    assert ALL[name](codes, factor) == pytest.approx(IDEAL[name], abs=0.06)


# What a score is


def test_a_score_is_a_float_that_keeps_its_tables() -> None:
    score = mig(*SMALL)
    assert isinstance(score, float)
    assert float(score) == score.value == score
    assert f"{score:.3f}" == f"{score.value:.3f}"
    for twin in (pickle.loads(pickle.dumps(score)), copy.deepcopy(score)):  # noqa: S301  # our own bytes
        assert twin == score
        assert np.array_equal(twin.mutual_information, score.mutual_information)
    with pytest.raises(AttributeError):
        score.n_dead = 3  # type: ignore[misc]  # which is the point


# What is refused


@each()
@pytest.mark.parametrize(
    ("codes", "factors", "what"),
    [
        (SMALL[0][:, 0], SMALL[1], r"codes have shape \(150,\)"),
        (SMALL[0][:, :0], SMALL[1], r"codes have shape \(150, 0\)"),
        (SMALL[0][:0], SMALL[1][:0], r"codes have shape \(0, 4\)"),
        (SMALL[0], SMALL[1][:, :, None], r"factors have shape \(150, 3, 1\)"),
        (SMALL[0], SMALL[1][:-1], "codes have 150 rows and factors 149"),
        (np.where(np.arange(4) == 2, np.nan, SMALL[0]), SMALL[1], r"codes\[0, 2\] is nan"),
        (np.where(np.arange(4) == 1, np.inf, SMALL[0]), SMALL[1], r"codes\[0, 1\] is inf"),
        (SMALL[0] * 1e200, SMALL[1], r"codes\[0, 0\] is .*e\+"),
        (SMALL[0].astype(str), SMALL[1], "codes have type <U"),
        (SMALL[0], SMALL[1].astype(object), "factors have type object"),
        (SMALL[0], SMALL[1] + 0.5, r"factors\[0, 0\] is .*integers"),
        (SMALL[0], np.where(SMALL[1] == 0, np.nan, SMALL[1]), r"factors\[.*\] is nan"),
        (SMALL[0], SMALL[1] * 0, "0 of the factors vary"),
        (SMALL[0][:1], SMALL[1][:1], "0 of the factors vary|one row"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(name: str, codes: Array, factors: Array, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        ALL[name](codes, factors)


@each(COMPARING)
def test_what_compares_factors_needs_two(name: str) -> None:
    with pytest.raises(ValueError, match="1 of the factors vary among these rows; at least 2 are needed"):
        ALL[name](SMALL[0], SMALL[1][:, 0])


@each(("factor_vae", "beta_vae"))
def test_a_factor_that_never_repeats_cannot_be_held(name: str) -> None:
    with pytest.raises(ValueError, match="Column 3 of the factors has another value in every row"):
        ALL[name](SMALL[0], np.insert(SMALL[1], 3, np.arange(150), axis=1))


@each(WITH_TEST_ROWS)
def test_test_rows_come_whole(name: str) -> None:
    codes, factors = SMALL
    for more, what in (
        ({"test_codes": codes}, "test_factors are missing"),
        ({"test_factors": factors}, "test_codes are missing"),
        ({"test_codes": codes[:, :2], "test_factors": factors}, "codes have 4 columns and test_codes 2"),
        ({"test_codes": codes, "test_factors": factors[:, :2]}, "factors have 3 columns and test_factors 2"),
        ({"test_codes": codes[:9], "test_factors": factors}, "test_codes have 9 rows and test_factors 150"),
        ({"test_codes": codes[:0], "test_factors": factors[:0]}, "test_codes have shape"),
    ):
        with pytest.raises(ValueError, match=what):
            ALL[name](codes, factors, **more)


def test_options_are_checked() -> None:
    for call, what in (
        (lambda: mig(*SMALL, n_bins=0), "n_bins is 0"),
        (lambda: irs(*SMALL, quantile=99), "quantile is 99"),
        (lambda: dci(*SMALL, trees="quick"), "trees is 'quick'"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: factor_vae(*SMALL, group_size=1), "group_size is 1"),
        (lambda: beta_vae(*SMALL, n_eval=0), "n_eval is 0"),
    ):
        with pytest.raises(ValueError, match=what):
            call()


# Invariances

seeds = st.integers(0, 2**32 - 1)
scales = st.floats(0.1, 50) | st.floats(-50, -0.1)
EXACT: dict[str, Measure] = {
    "mig": mig,
    "modularity": modularity,
    "irs": irs,
    "sap": lambda codes, factors: sap(codes, factors, continuous=True),
    "factor_vae": lambda codes, factors: factor_vae(codes, factors, n_train=500, n_eval=500, min_std=0),
}


@each(tuple(EXACT))
@quick
@given(seeds, st.permutations(range(4)))
def test_codes_may_change_places(name: str, seed: int, order: list[int]) -> None:
    codes, factors = noisy(seed, 120)
    assert EXACT[name](codes[:, order], factors) == pytest.approx(EXACT[name](codes, factors))


@each(("mig", "modularity", "sap", "factor_vae"))
@quick
@given(seeds, st.lists(scales, min_size=4, max_size=4), st.lists(st.floats(-100, 100), min_size=4, max_size=4))
def test_codes_may_be_measured_in_other_units(name: str, seed: int, scale: list[float], shift: list[float]) -> None:
    codes, factors = noisy(seed, 120)
    assert EXACT[name](codes * scale + shift, factors) == pytest.approx(EXACT[name](codes, factors), abs=1e-6)


@quick
@given(seeds, scales, st.floats(-100, 100))
def test_irs_may_be_measured_in_another_unit_for_all_codes(seed: int, scale: float, shift: float) -> None:
    codes, factors = noisy(seed, 120)
    assert irs(codes * scale + shift, factors) == pytest.approx(irs(codes, factors))


@each(("mig", "modularity", "irs"))
@quick
@given(seeds, st.lists(st.integers(-1000, 1000), min_size=4, max_size=4, unique=True))
def test_values_of_factors_are_names_only(name: str, seed: int, names: list[int]) -> None:
    codes, factors = noisy(seed, 120)
    assert EXACT[name](codes, np.array(names)[factors]) == pytest.approx(EXACT[name](codes, factors))


@each(DRAWN)
def test_names_that_keep_their_order_change_nothing_drawn(name: str) -> None:
    codes, factors = noisy(4, 200)
    assert ALL[name](codes, np.array([-7, 0, 3, 400])[factors]) == pytest.approx(ALL[name](codes, factors))


@quick
@given(seeds, st.integers(1, 6), st.integers(1, 6))
def test_information_is_symmetric_and_no_more_than_either_entropy(seed: int, n_a: int, n_b: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(n_a, size=50), rng.integers(n_b, size=50)
    nats = mutual_information(a, b)
    assert nats == pytest.approx(mutual_information(b, a))
    assert 0 <= nats <= min(oracle.entropy(a.tolist()), oracle.entropy(b.tolist())) + 1e-9
    assert nats == pytest.approx(oracle.information(a.tolist(), b.tolist()), abs=1e-9)
