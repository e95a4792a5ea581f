"""Temperature scaling: what it finds, and that it changes how sure the predictor is and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from partedvae import PartedVAE
from partedvae.data import load
from partedvae.metrics import negative_log_likelihood
from partedvae.temperature import temperature

Array = NDArray[Any]

SETTINGS: dict[str, Any] = {"u_dim": 3, "z_dim": 2, "hidden_dim": 32, "max_epochs": 8, "random_state": 0}


def drawn(true_temperature: float, n: int, seed: int = 0) -> tuple[Array, Array]:
    """Log-probabilities that are wrong by a temperature, and labels drawn from the right ones."""
    generator = np.random.default_rng(seed)
    logits = 3 * generator.normal(size=(n, 4))
    p = softmax(logits / true_temperature, axis=1)
    labels = (p.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)
    return log_softmax(logits, axis=1), labels


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_it_finds_the_temperature_that_labels_were_drawn_with(true_temperature: float) -> None:
    log_c, labels = drawn(true_temperature, 20_000)
    assert temperature(torch.tensor(log_c), torch.eye(4)[labels]) == pytest.approx(true_temperature, rel=0.05)


@given(seed=st.integers(0, 1000), n=st.integers(1, 30))
def test_no_temperature_on_a_grid_does_better(seed: int, n: int) -> None:
    log_c, labels = drawn(1.5, n, seed)

    def surprise(t: float) -> float:
        said = log_softmax(log_c / t, axis=1)
        # Beside the labels, twenty rows in which what was stated comes true.
        return float(-said[np.arange(n), labels].sum() - 20 * (np.exp(log_c) * said).sum(axis=1).mean())

    found = temperature(torch.tensor(log_c), torch.eye(4)[labels])
    assert surprise(found) <= min(map(surprise, np.geomspace(0.01, 100, 201))) + 1e-6


def test_a_few_labels_that_are_all_right_do_not_make_it_certain() -> None:
    log_c = np.log(np.full((20, 4), 0.02 / 3))
    log_c[:, 1] = np.log(0.98)
    found = temperature(torch.tensor(log_c), torch.eye(4)[np.ones(20, dtype=int)])
    # Right in 20 cases, and in 0.98 of twenty that are believed.
    assert softmax(log_c[0] / found)[1] == pytest.approx((20 + 0.98 * 20) / 40, rel=1e-3)


def test_ten_labels_leave_a_predictor_that_keeps_its_word_nearly_as_it_is() -> None:
    said, labels = drawn(1.0, 2_000)
    found = [
        temperature(torch.tensor(s), torch.eye(4)[y])
        for s, y in zip(np.split(said, 200), np.split(labels, 200), strict=True)
    ]
    assert np.quantile(np.abs(np.log(found)), 0.95) < np.log(1.5)


def test_calibrating_changes_how_sure_the_predictor_is_and_nothing_else(digits: tuple[Array, Array, Array]) -> None:
    x, truth, y = digits
    model = PartedVAE(**SETTINGS).fit(x, y)
    rows = np.flatnonzero(y == -1)[::2]
    before, codes = model.predict_proba(x), model.transform(x)
    predicted = model.predict(x)
    assert model.calibrate(x[rows], truth[rows]) is model
    after = model.predict_proba(x)
    assert negative_log_likelihood(after[rows], truth[rows]) < negative_log_likelihood(before[rows], truth[rows])
    np.testing.assert_array_equal(model.predict(x), predicted)
    np.testing.assert_array_equal(model.transform(x), codes)
    # One temperature for all: log-odds shrink by the same factor.
    odds = [np.log(np.asarray(p)[:, 0] / np.asarray(p)[:, 1]) for p in (before, after)]
    np.testing.assert_allclose(odds[1] / odds[0], np.median(odds[1] / odds[0]), rtol=1e-2)
    # A second time the same labels count twice: what is left to find is little.
    again = model.calibrate(x[rows], truth[rows]).predict_proba(x)
    assert np.abs(np.asarray(again) - after).max() < 0.5 * np.abs(np.asarray(after) - before).max()


def test_a_calibrated_model_is_kept_as_it_is(digits: tuple[Array, Array, Array], tmp_path: Any) -> None:
    x, truth, y = digits
    model = PartedVAE(**SETTINGS).fit(x, y).calibrate(x, truth)
    model.save(tmp_path)
    np.testing.assert_array_equal(PartedVAE.load(tmp_path).predict_proba(x), model.predict_proba(x))


def test_an_attribute_without_labels_keeps_its_probabilities(two_attributes: tuple[Array, Array]) -> None:
    x, y = two_attributes
    model = PartedVAE(**SETTINGS).fit(x, y)
    first, second = model.predict_proba(x)
    told = y.copy()
    told[:, 1] = -1
    changed, kept = model.calibrate(x, told).predict_proba(x)
    assert not np.allclose(changed, first)
    np.testing.assert_array_equal(kept, second)


def test_a_data_set_brings_its_labels() -> None:
    data = load("digits").take(range(200))
    model = PartedVAE(**{**SETTINGS, "max_epochs": 2}).fit(data)
    before = model.predict_proba(data)
    assert not np.array_equal(model.calibrate(data).predict_proba(data), before)


def test_what_cannot_be_calibrated_is_refused(digits: tuple[Array, Array, Array]) -> None:
    x, _, y = digits
    model = PartedVAE(**{**SETTINGS, "max_epochs": 1}).fit(x, y)
    with pytest.raises(ValueError, match="no label at all"):
        model.calibrate(x, np.full(len(x), -1))
    with pytest.raises(ValueError, match="11"):
        model.calibrate(x, np.full(len(x), 11))
