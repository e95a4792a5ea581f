"""Pictures to train on, how long a fit of them takes, and how rounds are told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clock import Clock
from partedvae import PartedVAE
from partedvae.data import Dataset

Array = NDArray[Any]
Spread = dict[str, float]

ROWS, SIDE, BATCH, LABELLED, CLASSES = 4_096, 32, 64, 256, 10


def pictures(n: int, side: int, channels: int = 1) -> Array:
    """Noise: what it costs does not depend on what it shows."""
    shape = (n, side, side) if channels == 1 else (n, side, side, channels)
    return np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)


def few_labels(n: int) -> Array:
    """Labels of the first pictures, and none of the others."""
    return np.where(np.arange(n) < LABELLED, np.arange(n) % CLASSES, -1)


def fitted(x: Array | Dataset, y: Array | None, settings: Mapping[str, Any]) -> Clock:
    """A fit of two epochs, and how long they took; labelled pictures are changed as in a run that is long."""
    clock = Clock()
    given = settings.get("trainer_options", {})
    options = {"accelerator": "cpu", **given, "callbacks": [clock, *given.get("callbacks", [])]}
    usual = {"max_epochs": 2, "memorised_after": 0, "random_state": 0, "fit_prior": False}
    PartedVAE(**{**usual, **settings, "trainer_options": options}).fit(x, y)
    return clock


def seconds(task: Callable[[], Any], times: int) -> float:
    """Of one call, of so many."""
    started = time.perf_counter()
    for _ in range(times):
        task()
    return (time.perf_counter() - started) / times


def spread(values: Sequence[float]) -> Spread:
    """Least, median and most."""
    return {"least": short(min(values)), "median": short(median(values)), "most": short(max(values))}


def told(found: Mapping[str, float]) -> str:
    """As a table has it: the median, and the others in brackets."""
    return f"{found['median']:g} ({found['least']:g} – {found['most']:g})"


def ratios(values: Sequence[float], others: Sequence[float]) -> Spread:
    """Of the rounds, one by one."""
    return spread([value / other for value, other in zip(values, others, strict=True)])


def short(value: float) -> float:
    """Three digits."""
    return round(value, max(0, 3 - math.floor(math.log10(value)) - 1))
