"""Schedules at their ends and between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partedvae.config import Config, preset
from partedvae.factory import Schedule
from partedvae.schedules import SHARPEST, annealed, capacity, fading, sharpness


def test_sharpness_is_the_published_one_at_its_ends() -> None:
    assert sharpness(0, 35_000) == 1.0
    assert sharpness(1, 35_000) == 1.0 + 2e-4
    assert sharpness(35_000, 35_000) == sharpness(10**9, 35_000) == SHARPEST == 8.0


@given(step=st.integers(0, 10**7), steps=st.integers(1, 10**6), maximum=st.floats(0, 1000))
def test_schedules_never_fall_and_never_pass_their_end(step: int, steps: int, maximum: float) -> None:
    assert 0 <= capacity(step, maximum, steps) <= capacity(step + 1, maximum, steps) <= maximum
    assert 1 <= sharpness(step, steps) <= sharpness(step + 1, steps) <= SHARPEST


def test_automatic_schedules_end_at_half_the_run_and_published_ones_where_they_say() -> None:
    assert Schedule.of(Config(), steps_in_run=1000) == Schedule(capacity_steps=500, sharpness_steps=500)
    assert Schedule.of(Config(), steps_in_run=1) == Schedule(capacity_steps=1, sharpness_steps=1)
    published = Config(**preset("paper-mnist"))
    assert Schedule.of(published, steps_in_run=1000) == Schedule(capacity_steps=100_000, sharpness_steps=35_000)


@given(step=st.integers(0, 10**6), steps=st.integers(1, 10**5), end=st.floats(0.01, 1))
def test_an_annealed_rate_falls_from_all_to_what_is_left_at_the_end(step: int, steps: int, end: float) -> None:
    assert annealed(0, steps, end) == 1
    assert annealed(step, steps, end) >= annealed(step + 1, steps, end) >= end * (1 - 1e-12)
    assert annealed(steps + step, steps, end) == pytest.approx(end)


@given(step=st.integers(0, 10**6), steps=st.integers(1, 10**5))
def test_a_fading_weight_is_all_of_it_then_falls_to_nothing(step: int, steps: int) -> None:
    assert 1 >= fading(step, steps) >= fading(step + 1, steps) >= 0
    assert fading(min(step, steps), steps) == 1
    assert fading(2 * steps + step, steps) == 0
