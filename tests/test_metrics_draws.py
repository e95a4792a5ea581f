"""What measures draw, and what that leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from known_codes import ALL, DRAWN, SMALL, each, noisy
from partedvae.metrics.groups import SharedValues
from partedvae.metrics.rows import checked

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
