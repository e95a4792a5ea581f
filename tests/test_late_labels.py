"""Labels that join late: which they are, when they teach, and that what they told before is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from partedvae import PartedVAE
from partedvae.batches import Observations
from partedvae.late_labels import with_late_labels
from partedvae.temperature import temperature

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]

EARLY = 2  # of five epochs


def quick(**settings: Any) -> PartedVAE:
    usual: dict[str, Any] = {"u_dim": 2, "z_dim": 2, "hidden_dim": 32, "max_epochs": 5, "random_state": 0}
    return PartedVAE(**{**usual, **settings})


def late_rows(y: Array, fraction: float = 0.33, epochs: int = 5) -> Array:
    """The rows whose labels join late in a fit with seed 0."""
    labels = torch.from_numpy(y)
    given = Observations(torch.zeros(len(y), 1), labels if y.ndim == 2 else labels[:, None])
    late = with_late_labels(given, fraction, epochs, 0).late
    return np.array([], dtype=int) if late is None else late.rows.numpy()


class Seen(Callback):
    """Which labelled observations each epoch had; their first feature is their number."""

    def __init__(self) -> None:
        self.rows: dict[int, set[int]] = {}

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        rows = self.rows.setdefault(trainer.current_epoch, set())
        rows.update(batch.x_labelled[:, 0].int().tolist())


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    fraction=st.floats(0, 0.99),
    seed=st.integers(0, 99),
)
def test_the_share_is_taken_of_each_class_beyond_five(counts: list[int], fraction: float, seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    late = np.bincount(y[late_rows(y, fraction)], minlength=len(counts))
    assert late.tolist() == [round(fraction * max(0, n - 5)) for n in counts]


@pytest.mark.parametrize(("n_classes", "labels_of_each"), [(10, 2_000), (1_500, 12), (2_001, 100)])
def test_a_thousand_are_enough(n_classes: int, labels_of_each: int) -> None:
    y = np.arange(n_classes * labels_of_each) % n_classes
    late = late_rows(y)
    assert len(late) == 1_000
    assert (np.bincount(y) - np.bincount(y[late], minlength=n_classes)).min() >= 5


@given(seed=st.integers(0, 99))
def test_each_class_of_every_attribute_has_five_labels_or_all_from_the_beginning(seed: int) -> None:
    generator = np.random.default_rng(seed)
    y = np.stack([generator.integers(-1, 2, 80), (generator.random(80) < 0.1).astype(int)], axis=1)
    early = np.delete(y, late_rows(y, 0.9), axis=0)
    for column, kept in zip(y.T, early.T, strict=True):
        for k in range(2):
            assert (kept == k).sum() >= min(5, (column == k).sum())


def test_late_labels_teach_when_their_epoch_has_come_and_not_before() -> None:
    x = np.random.default_rng(0).normal(size=(80, 4))
    x[:, 0] = np.arange(80)
    y = np.where(np.arange(80) < 60, np.arange(80) % 3, -1)
    late = set(late_rows(y).tolist())
    assert len(late) == 15
    seen = Seen()
    quick(trainer_options={"callbacks": [seen]}).fit(x, y)
    for epoch in range(5):
        assert seen.rows[epoch] == set(range(60)) - (late if epoch < EARLY else set())


@pytest.mark.parametrize("settings", [{"max_epochs": 1}, {"early_stopping": True, "validation_fraction": 0.3}], ids=str)
def test_where_they_might_never_teach_none_waits(settings: dict[str, Any], digits: Digits) -> None:
    x, _, y = digits
    assert len(late_rows(y))
    models = [quick(**settings, **more).fit(x, y) for more in ({}, {"calibration_fraction": 0})]
    here, there = (model.predict_proba(x) for model in models)
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("kind", ["numbers", "probabilities"])
def test_a_run_that_is_ended_before_they_teach_has_the_temperature_all_the_same(kind: str, digits: Digits) -> None:
    x, _, y = digits
    late = late_rows(y)
    early = np.where(np.isin(np.arange(len(y)), late), -1, y)

    def told(known: Array) -> Array:
        return known if kind == "numbers" else np.where(known[:, None] == -1, np.nan, np.eye(10)[known])

    class Ended(Callback):
        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            trainer.should_stop = trainer.current_epoch + 1 == EARLY

    settings = {"trainer_options": {"callbacks": [Ended()]}, "fit_prior": False, "class_prior": "uniform"}
    model = quick(**settings).fit(x, told(y))
    expected = quick(**settings, calibration_fraction=0).fit(x, told(early))
    np.testing.assert_array_equal(model.transform(x), expected.transform(x))
    assert not np.array_equal(model.predict_proba(x), expected.predict_proba(x))
    np.testing.assert_allclose(model.predict_proba(x), expected.calibrate(x[late], y[late]).predict_proba(x), atol=1e-6)


def test_the_temperature_is_that_of_the_moment_before_they_teach(digits: Digits) -> None:
    x, _, y = digits
    late = late_rows(y)
    seen: dict[str, torch.Tensor] = {}

    class Look(Callback):
        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            model = pl_module.fitted
            if trainer.current_epoch == EARLY - 1:
                with torch.no_grad():
                    shown = torch.tensor(x[late], dtype=torch.float32)[:, None]
                    seen["then"] = model.log_classes(model.encoder(model.scaling(shown)))
            seen["bias"] = model.class_head.bias.clone()

    model = quick(trainer_options={"callbacks": [Look()]}).fit(x, y)
    expected = temperature(seen["then"], torch.eye(10)[y[late]])
    assert expected != pytest.approx(1, abs=0.01)
    torch.testing.assert_close(model.net_.class_head.bias * expected, seen["bias"])


@pytest.mark.parametrize("stopped_after", [EARLY - 1, EARLY])
def test_a_resumed_run_knows_the_temperature(stopped_after: int, digits: Digits, tmp_path: Path) -> None:
    class Stop(Callback):
        def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
            if trainer.current_epoch == stopped_after and trainer.fit_loop.epoch_loop.batch_idx == 2:
                raise RuntimeError("stopped here")

    x, _, y = digits
    whole = quick().fit(x, y)
    with pytest.raises(RuntimeError, match="stopped here"):
        quick(trainer_options={"callbacks": [Stop()]}).fit(x, y, checkpoints=tmp_path, checkpoint_minutes=0)
    resumed = quick().fit(x, y, checkpoints=tmp_path, resume_from=tmp_path)
    np.testing.assert_array_equal(resumed.predict_proba(x), whole.predict_proba(x))


def test_without_supervision_no_label_is_asked(digits: Digits) -> None:
    x, _, y = digits
    free = quick(supervised=False, max_epochs=1)
    same = quick(supervised=False, max_epochs=1, calibration_fraction=0)
    np.testing.assert_array_equal(free.fit(x, y).predict_proba(x), same.fit(x, y).predict_proba(x))
