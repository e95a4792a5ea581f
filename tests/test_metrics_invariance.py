"""What may be done to codes and factors without changing a score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_metrics as oracle
from known_codes import ALL, DRAWN, Measure, each, noisy
from partedvae.metrics import factor_vae, irs, mig, modularity, sap
from partedvae.metrics.information import mutual_information

quick = settings(max_examples=20)
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
