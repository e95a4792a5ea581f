"""Columns that never vary, what a score is, and what cannot be measured."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from known_codes import ALL, BINARY, COMPARING, IDEAL, SMALL, THREE, WITH_TEST_ROWS, Array, each, noisy, unit
from partedvae.metrics import beta_vae, dci, explicitness, factor_vae, irs, mig, modularity, sap

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
        (lambda: factor_vae(*SMALL, min_std=float("nan")), "min_std is nan"),
        (lambda: mig(SMALL[0], np.ma.masked_equal(SMALL[1], 0)), "factors are a masked array"),
        (lambda: mig(np.ma.masked_greater(SMALL[0], 0), SMALL[1]), "codes are a masked array"),
        (lambda: beta_vae(*SMALL, n_eval=0), "n_eval is 0"),
    ):
        with pytest.raises(ValueError, match=what):
            call()
