"""Codes whose scores are known, and the measures by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from partedvae.metrics import Score, beta_vae, dci, explicitness, factor_vae, irs, mig, modularity, sap

Array = NDArray[Any]
Measure = Callable[..., Score]

ALL: dict[str, Measure] = {
    "mig": mig,
    "sap": sap,
    "dci": lambda codes, factors, **more: dci(codes, factors, trees="fast", **more),
    "factor_vae": factor_vae,
    "beta_vae": beta_vae,
    "modularity": modularity,
    "explicitness": explicitness,
    "irs": irs,
}
DRAWN = ("sap", "dci", "factor_vae", "beta_vae", "explicitness")
WITH_TEST_ROWS = ("sap", "dci", "explicitness")
COMPARING = ("dci", "factor_vae", "beta_vae", "modularity")
PUBLISHED = ((2, 3, 5), 1200, 800)


def each(names: tuple[str, ...] = tuple(ALL)) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names)


def grid(*sizes: int, times: int) -> Array:
    """Every combination of factors, several times each."""
    points = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), axis=1)
    return np.tile(points, (times, 1))


def unit(codes: Array) -> Array:
    found: Array = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    return found


def noisy(seed: int, n: int, sizes: tuple[int, ...] = (2, 3, 4), scale: float = 0.4) -> tuple[Array, Array]:
    """Codes that mix factors a little, one that is noise alone; and the factors."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(size, size=n) for size in sizes], axis=1)
    codes = np.concatenate([unit(factors), rng.normal(size=(n, 1))], axis=1)
    turn = np.eye(len(sizes) + 1) + 0.2 * np.random.default_rng(7).normal(size=(len(sizes) + 1,) * 2)
    return codes @ turn + scale * rng.normal(size=codes.shape), factors


def published(seed: int, n: int) -> tuple[Array, Array]:
    """The data that disentanglement_lib was run on."""
    draw = np.random.RandomState(seed)
    factors = np.stack([draw.randint(size, size=n) for size in PUBLISHED[0]], axis=1)
    hidden = np.hstack([factors, draw.uniform(size=(n, 1)) * 3])
    turn = np.array([[1, 0.2, 0, 0], [0, 1, 0.1, 0], [0, 0.3, 0.5, 0.1], [0.1, 0, 0, 1]])
    return hidden @ turn + 0.9 * draw.uniform(size=(n, 4)), factors


BINARY = grid(2, 2, 2, times=100)
THREE = grid(2, 3, 4, times=50)
NOISE = np.random.default_rng(0).normal(size=(1200, 4))
TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
SMALL = noisy(1, 150)
SMALL_TEST = noisy(2, 90)

IDEAL = {
    "mig": 1.0,
    "sap": 0.5,  # of two values: all rows right against half of them
    "dci": 1.0,
    "factor_vae": 1.0,
    "beta_vae": 1.0,
    "modularity": 1.0,
    "explicitness": 1.0,
    "irs": 1.0,
}
