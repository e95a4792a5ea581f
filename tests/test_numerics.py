"""Losses and answers stay finite whatever the data look like, or the data are refused by name."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from partedvae import PartedVAE
from partedvae.data.rounding import Rounding

Array = NDArray[Any]

N = 40
FEW = np.where(np.arange(N) < 20, np.arange(N) % 3, -1)
RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.random((N, 8, 8))
NORMAL = RANDOM.normal(size=(N, 5))


def assert_finite(x: Array, y: Array, **changed: Any) -> PartedVAE:
    """Train a little and look at everything that comes out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equal observations with different labels are meant here
        model = PartedVAE(**{"max_epochs": 2, "hidden_dim": 8, "random_state": 0, **changed}).fit(x, y)
    assert all(np.isfinite(list(record.values())).all() for record in model.history_)
    for found in (
        model.predict_proba(x), model.transform(x), model.reconstruct(x), model.score_samples(x),
        model.sample(3, random_state=0), model.swap(x[:4], x[4:8]), model.counterfactual(x[:2], model.classes_[0]),
    ):  # fmt: skip
        assert np.isfinite(found).all()
    return model


ODD: dict[str, Array] = {
    "constant pictures": np.full((N, 8, 8), 0.5),
    "black": np.zeros((N, 8, 8), np.uint8),
    "white": np.full((N, 8, 8), 255, np.uint8),
    "one picture again and again": np.repeat(PICTURES[:1], N, axis=0),
    "tiny numbers in pictures": 1e-6 * PICTURES,
    "large numbers in pictures": 1e6 * PICTURES,
    "negative pictures": PICTURES - 0.5,
    "one colour": np.full((N, 8, 8, 3), 0.3),
    "one-hot": np.eye(6)[RANDOM.integers(6, size=N)],
    "truth values": RANDOM.random((N, 7)) > 0.5,
    "whole numbers": RANDOM.integers(-5, 5, (N, 7)),
    "half precision": NORMAL.astype(np.float16),
    "one feature": NORMAL[:, :1],
    "constant features": np.ones((N, 4)),
    "features of all sizes": NORMAL * [1e-6, 1, 1e6, 0, 1e3],
    "far from 0": NORMAL + 1e5,
    "heavy tails": RANDOM.standard_cauchy(size=(N, 5)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_data(name: str) -> None:
    assert_finite(ODD[name], FEW)


@pytest.mark.parametrize("exponent", [-30, -6, 6, 30])
def test_features_of_any_size_are_learned_in_their_own_units(exponent: int) -> None:
    plain, scaled = (assert_finite(x, FEW) for x in (NORMAL, NORMAL * 10.0**exponent))
    np.testing.assert_allclose(
        scaled.reconstruct(NORMAL * 10.0**exponent) / 10.0**exponent, plain.reconstruct(NORMAL), atol=0.02
    )


@pytest.mark.parametrize(
    "changed", [{"u_dim": 1}, {"z_dim": 0}, {"u_dim": 1, "z_dim": 0}, {"batch_size": 1}, {"batch_size": 1000}]
)
def test_extreme_settings(changed: dict[str, Any]) -> None:
    assert_finite(PICTURES, FEW, **changed)


def test_one_label_a_class() -> None:
    assert_finite(PICTURES, np.where(np.arange(N) < 5, np.arange(N), -1))


def test_as_many_classes_as_observations() -> None:
    assert_finite(PICTURES, np.arange(N))


def test_a_thousand_classes() -> None:
    x = np.random.default_rng(0).random((1100, 8, 8))
    assert_finite(x, np.where(np.arange(1100) < 1000, np.arange(1100), -1), max_epochs=1)


def test_one_to_a_thousand() -> None:
    x = np.random.default_rng(0).normal(size=(1100, 4))
    assert_finite(x, np.where(np.arange(1100) < 1001, np.arange(1100) == 0, -1).astype(int), max_epochs=1)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 1000),
    exponents=st.lists(st.integers(-20, 20), min_size=1, max_size=5),
    n_classes=st.integers(2, 12),
    u_dim=st.integers(1, 6),
    z_dim=st.integers(0, 6),
    batch_size=st.integers(1, 64),
    discrete=st.booleans(),
)
def test_tables_of_any_kind(
    seed: int, exponents: list[int], n_classes: int, u_dim: int, z_dim: int, batch_size: int, discrete: bool
) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(24, len(exponents))) * 10.0 ** np.array(exponents)
    x = np.sign(x) if discrete else x
    y = np.where(random.random(24) < 0.5, random.integers(n_classes, size=24), -1)
    y[:2] = 0, 1
    assert_finite(x, y, max_epochs=1, u_dim=u_dim, z_dim=z_dim, batch_size=batch_size)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (NORMAL * 1e300, r"too large for float32, at row 0, column 0"),
        (np.where(PICTURES == PICTURES[3, 2, 1], 1e39, PICTURES), r"too large for float32, at row 3, pixel \(2, 1\)"),
        (np.where(PICTURES == PICTURES[3, 2, 1], -np.inf, PICTURES), r"infinity at row 3, pixel \(2, 1\)"),
        (NORMAL + np.array([0, 0, 1e9, 0, 0]), r"Column 2 of X varies by little more than float32 can tell"),
        (csr_array(NORMAL + np.array([0, 0, 1e9, 0, 0])), r"Column 2 of X varies by little more than float32 can tell"),
        (NORMAL + np.arange(len(NORMAL))[:, None] * [0, 1, 0, 0, 0] + [0, 1e9, 0, 0, 0], r"Column 1 of X varies by"),
    ],
)
def test_what_cannot_be_computed_with_is_refused_by_name(x: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PartedVAE(max_epochs=1).fit(x, FEW)


@pytest.mark.parametrize("start", [2**30, 2**53, 2**60, -(2**62), 2**63 - 10])
def test_whole_numbers_that_32_bits_cannot_tell_apart_are_found_however_large(start: int) -> None:
    values = np.array([start + row % 7 for row in range(20)], dtype=np.int64)[:, None]
    for parts in ([values], [values[:1], values[1:]]):
        seen = Rounding(n_columns=1)
        for part in parts:
            seen.add(part)
        assert seen.first_flattened == 0


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_whole_numbers_all_over_their_range_are_told_apart(kind: Any) -> None:
    ends = np.iinfo(kind)
    seen = Rounding(n_columns=2)
    seen.add(np.random.default_rng(0).integers(ends.min, ends.max, size=(50, 2), dtype=kind, endpoint=True))
    seen.add(np.array([[ends.min, ends.max]], dtype=kind))
    assert seen.first_flattened is None
