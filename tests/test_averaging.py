"""The average of weights: its definition, what fit leaves, what validation sees."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import Callback
from sklearn.datasets import load_digits
from torch import Tensor

from partedvae import PartedVAE
from partedvae.averaging import Average
from partedvae.likelihoods import Bernoulli
from partedvae.model import PartedModel
from partedvae.partition import Partition
from partedvae.scaling import Scaling

SMALL: dict[str, Any] = {
    "calibration_fraction": 0,
    "max_epochs": 6,
    "hidden_dim": 16,
    "u_dim": 2,
    "z_dim": 2,
    "random_state": 0,
}


class Trajectory(Callback):
    """The weights after each step."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:
        model = pl_module.model
        assert isinstance(model, PartedModel)
        self.weights.append({name: weight.detach().clone() for name, weight in model.named_parameters()})


def averaged(weights: list[dict[str, Tensor]], n_steps: int) -> dict[str, np.ndarray]:
    """The definition, in float64."""
    mean = {name: weight.double().numpy() for name, weight in weights[0].items()}
    for step, now in enumerate(weights, start=1):
        share = 1 / max(1, min(n_steps, step / 10))
        mean = {name: mean[name] + share * (weight.double().numpy() - mean[name]) for name, weight in now.items()}
    return mean


@given(n_steps=st.integers(2, 5), steps=st.integers(1, 60), seed=st.integers(0, 1000))
def test_the_average_is_its_definition(n_steps: int, steps: int, seed: int) -> None:
    model = PartedModel(Scaling((3,)), Partition((2,), u_dim=1, z_dim=1), torch.ones(2), Bernoulli(), hidden_dim=2)
    average, noise = Average(model, n_steps), torch.Generator().manual_seed(seed)
    seen = []
    for step in range(1, steps + 1):
        with torch.no_grad():
            for weight in model.parameters():
                weight.normal_(generator=noise)
        average.follow(model, step)
        seen.append({name: weight.detach().clone() for name, weight in model.named_parameters()})
    expected = averaged(seen, n_steps)
    for name, weight in average.model.named_parameters():
        np.testing.assert_allclose(weight.numpy(), expected[name], atol=1e-5)
        assert not weight.requires_grad


@pytest.mark.parametrize("n_steps", [0, 1, 4])
def test_fit_leaves_the_average_of_the_weights_that_training_had(n_steps: int) -> None:
    x, y = load_digits(return_X_y=True)
    seen = Trajectory()
    model = PartedVAE(**SMALL, averaged_steps=n_steps, fit_prior=False, trainer_options={"callbacks": [seen]})
    model.fit(x[:600], y[:600])
    expected = averaged(seen.weights, max(1, n_steps))
    left = dict(model.net_.named_parameters())
    assert left.keys() == expected.keys()
    for name, weight in left.items():
        np.testing.assert_allclose(weight.detach().numpy(), expected[name], atol=1e-6)


def test_training_does_not_see_the_average() -> None:
    x, y = load_digits(return_X_y=True)
    histories = []
    for n_steps in (0, 50):
        histories.append(PartedVAE(**SMALL, averaged_steps=n_steps).fit(x[:300], y[:300]).history_)
    assert histories[0] == histories[1]


def test_early_stopping_leaves_the_average_that_validation_liked_best() -> None:
    x, y = load_digits(return_X_y=True)
    seen: list[dict[str, Tensor]] = []

    class Seen(Callback):
        def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            fitted = pl_module.fitted
            assert isinstance(fitted, PartedModel)
            seen.append({name: weight.detach().clone() for name, weight in fitted.named_parameters()})

    stopping = {"max_epochs": 40, "validation_fraction": 0.3, "early_stopping": True, "early_stopping_patience": 2}
    model = PartedVAE(
        **{**SMALL, **stopping}, lr=2e-2, averaged_steps=4, fit_prior=False, trainer_options={"callbacks": [Seen()]}
    ).fit(x[:400], y[:400])
    best = int(np.argmin([record["val_loss"] for record in model.history_]))
    assert best < len(seen) - 1
    for name, weight in model.net_.named_parameters():
        assert torch.equal(weight, seen[best][name])


def test_validation_is_of_the_model_that_is_left() -> None:
    """Training is the same with and without: only what validation looks at can make its losses differ."""
    x, y = load_digits(return_X_y=True)
    settings = {**SMALL, "validation_fraction": 0.3, "fit_prior": False}
    last, mean = (PartedVAE(**settings, averaged_steps=n).fit(x[:400], y[:400]).history_ for n in (0, 3))
    assert [record["loss"] for record in last] == [record["loss"] for record in mean]
    assert all(a["val_loss"] != b["val_loss"] for a, b in zip(last[2:], mean[2:], strict=True))
