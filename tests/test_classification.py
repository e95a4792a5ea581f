"""What a classifier is worth, and how far so many rows can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from partedvae.metrics import calibration_error_by_chance, expected_calibration_error
from partedvae.metrics.classification import classification

Array = NDArray[Any]


def drawn(n: int, seed: int, sharpness: float = 1.0) -> tuple[Array, Array]:
    """Probabilities of four classes, and labels drawn from them after they were made sharper or flatter."""
    generator = np.random.default_rng(seed)
    p = generator.dirichlet(np.ones(4), size=n)
    right = p**sharpness
    right /= right.sum(axis=1, keepdims=True)
    return p, (right.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1).clip(max=3)


@given(n=st.integers(5, 60), seed=st.integers(0, 100))
@settings(max_examples=20)
def test_values_are_those_of_scikit_learn_and_lie_in_their_intervals(n: int, seed: int) -> None:
    p, labels = drawn(n, seed)
    found = classification(p, labels, random_state=seed)
    guesses = p.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, guesses))
    assert found["nll"] == pytest.approx(log_loss(labels, p, labels=range(4)))
    present = np.isin(guesses, labels)  # where a class is guessed that no row has, scikit-learn warns
    if present.all():
        assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, guesses))
    for name in ("accuracy", "balanced_accuracy", "nll"):
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_intervals_hold_what_is_true_in_19_cases_of_20() -> None:
    p, labels = drawn(400_000, 0)
    truth = classification(p[:200_000], labels[:200_000])
    parts = [classification(p[at : at + 80], labels[at : at + 80]) for at in range(0, 16_000, 80)]
    for name in ("accuracy", "nll"):
        held = np.mean([part[f"{name}_low"] <= truth[name] <= part[f"{name}_high"] for part in parts])
        assert 0.9 <= held <= 0.99, name


def test_all_right_in_few_rows_is_not_certain() -> None:
    found = classification([[0.9, 0.1]] * 20, [0] * 20)
    assert (found["accuracy"], found["accuracy_high"]) == (1, 1)
    assert found["accuracy_low"] == pytest.approx(1 - 1.96**2 / (20 + 1.96**2), abs=1e-4)  # Wilson's, by hand


def test_right_probabilities_stay_below_what_chance_explains_and_sharp_ones_do_not() -> None:
    held = []
    for seed in range(200):
        p, labels = drawn(100, seed)
        held.append(expected_calibration_error(p, labels) < calibration_error_by_chance(p, random_state=seed))
    assert 0.91 <= np.mean(held) <= 0.99
    p, labels = drawn(1_000, 0, sharpness=0.3)
    found = classification(p, labels)
    assert found["ece"] > 2 * found["ece_null"]
