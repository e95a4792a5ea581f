"""Schedules at their ends and between."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

from partedvae.config import Config, preset
from partedvae.factory import Schedule
from partedvae.plateau import Plateau
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


@given(st.lists(st.floats(0.01, 1e6), min_size=5, max_size=30), st.sampled_from([0.01, 0.1]))
def test_a_plateau_of_positive_losses_is_torchs(losses: list[float], share: float) -> None:
    ours, torchs = (torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0) for _ in range(2))
    plateau = Plateau(ours, share=share, factor=0.5, patience=1, cooldown=1)
    theirs = ReduceLROnPlateau(torchs, threshold=share, factor=0.5, patience=1, cooldown=1)
    for loss in losses:
        plateau.step(loss)
        theirs.step(loss)
        assert ours.param_groups[0]["lr"] == torchs.param_groups[0]["lr"]


@given(st.floats(1, 1e6), st.floats(1.0001, 3))
def test_a_plateau_of_negative_losses_is_one(size: float, growth: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    plateau = Plateau(optimizer, share=0.01, factor=0.5, patience=1)
    for epoch in range(6):
        plateau.step(-size * growth**-epoch)  # ever nearer to nought: worse
    assert optimizer.param_groups[0]["lr"] < 1
    falling = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    plateau = Plateau(falling, share=0.01, factor=0.5, patience=1)
    for epoch in range(6):
        plateau.step(-size * 1.1**epoch)
    assert falling.param_groups[0]["lr"] == 1
