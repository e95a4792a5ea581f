"""What keeps labels from being learned by heart: how they are smoothed, what is left out, and of which observations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor

from partedvae import PartedVAE, lessons
from partedvae.augmentation import change_features
from partedvae.networks import make_encoder
from partedvae.partition import Partition
from partedvae.teaching import gaps, smoothed, with_gaps

SMALL: dict[str, Any] = {"max_epochs": 2, "hidden_dim": 16, "u_dim": 2, "z_dim": 2, "random_state": 0}


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(0, 10_000), st.floats(0, 0.9))
def test_smoothed_labels_are_mixtures_with_evenness_where_there_are_labels(seed: int, share: float) -> None:
    layout, random = Partition((2, 3), u_dim=1, z_dim=0), np.random.default_rng(seed)
    targets = np.concatenate([random.dirichlet(np.ones(size), 6) for size in (2, 3)], axis=1)
    targets[:2, :2] = 0  # the first attribute is not known of two rows
    expected = (1 - share) * targets
    expected[2:, :2] += share / 2
    expected[:, 2:] += share / 3
    np.testing.assert_allclose(smoothed(torch.tensor(targets), share, layout).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "changed", "guessing", "smoothing"),
    [
        ((64,), dict[str, Any](), False, 0.1),
        ((64,), {"augment": change_features}, True, 0.0),
        ((64,), {"consistency": 2.0}, True, 0.1),
        ((64,), {"label_smoothing": 0.0}, False, 0.0),
        ((8, 8), dict[str, Any](), True, 0.0),
        ((8, 8), {"consistency": 0.0, "label_smoothing": 0.3}, False, 0.3),
    ],
)
def test_features_have_smoothed_labels_and_no_guesses_unless_someone_says_otherwise(
    shape: tuple[int, ...],
    changed: dict[str, Any],
    guessing: bool,
    smoothing: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares = []

    def noted(targets: Tensor, share: float, partition: Partition) -> Tensor:
        shares.append(share)
        return smoothed(targets, share, partition)

    monkeypatch.setattr(lessons, "smoothed", noted)
    x, y = load_digits(return_X_y=True)
    model = PartedVAE(**SMALL, **changed).fit(x[:100].reshape(100, *shape), y[:100])
    assert ("consistency" in model.history_[-1]) == guessing
    assert set(shares) == {smoothing}


@pytest.mark.parametrize(
    ("shape", "changed", "share"),
    [
        ((64,), dict[str, Any](), 0.5),
        ((64,), {"augment": change_features}, 0.0),
        ((64,), {"labelled_dropout": 0.2}, 0.2),
        ((8, 8), dict[str, Any](), 0.0),
        ((8, 8), {"labelled_dropout": 0.2}, 0.2),
    ],
)
def test_a_labelled_step_leaves_out_hidden_units_of_features_unless_someone_says_otherwise(
    shape: tuple[int, ...], changed: dict[str, Any], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = []

    def noted(encoder: torch.nn.Module, x: Tensor, share: float, generator: torch.Generator) -> list[Tensor]:
        shares.append(share)
        return gaps(encoder, x, share, generator)

    monkeypatch.setattr(lessons, "gaps", noted)
    x, y = load_digits(return_X_y=True)
    PartedVAE(**SMALL, **changed).fit(x[:100].reshape(100, *shape), y[:100])
    assert set(shares) == {share}


def left_out(encoder: torch.nn.Module, x: Tensor, share: float) -> Tensor:
    return with_gaps(encoder, x, gaps(encoder, x, share, noise()))


def test_what_is_left_out_is_made_up_for_by_the_others() -> None:
    pictures, features = torch.rand(1, 1, 16, 16, generator=noise()), torch.rand(1, 7, generator=noise())
    encoder = make_encoder((1, 16, 16), 256)
    h, whole = left_out(encoder, pictures.expand(400, 1, 16, 16), 0.3), encoder(pictures)
    assert 0.25 < float((h == 0).float().mean()) < 0.35
    torch.testing.assert_close(h[h != 0], (whole / 0.7).expand_as(h)[h != 0])  # pictures: behind the convolutions
    encoder = make_encoder((7,), 256)
    h = left_out(encoder, features.expand(400, 7), 0.3)
    assert len(h[:, 0].unique()) > 2  # features: in front of the second layer, too
    assert torch.equal(left_out(encoder, features, 0.0), encoder(features))
