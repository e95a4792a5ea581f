"""Fits of two whole batches and a part of one an epoch: short, and enough to be compiled and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

History = Sequence[Mapping[str, float]]

SETTINGS: dict[str, Any] = {"u_dim": 2, "z_dim": 2, "hidden_dim": 16, "max_epochs": 2, "random_state": 0}
PUBLISHED: dict[str, Any] = {"consistency": 0, "gamma_zc": 0, "gamma_swap": 0, "averaged_steps": 0}

# Torch says of parts of itself, which its compiler loads and makes, that they are old.
OF_THE_COMPILER = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
]


def digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """Two batches of 64 and one of 22, a third of them labelled."""
    x, y = load_digits().images[:150], load_digits().target[:150]
    return x, np.where(np.arange(150) < 50, y, -1)


def assert_alike(first: History, second: History, rel: float = 1e-9, absolute: float = 1e-12) -> None:
    for one, other in zip(first, second, strict=True):
        assert one == pytest.approx(other, rel=rel, abs=absolute)
