"""How a step's cost grows with one size after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np

from speed.timing import fitted, pictures

# Of many rows, a few steps show what each costs.
_SHORT: dict[str, Any] = {"max_epochs": 1, "trainer_options": {"limit_train_batches": 30}}


def growth() -> dict[str, Any]:
    """Milliseconds of a step of the default as one size grows, and the exponent that a line through them has."""

    def step(n: int = 512, side: int = 16, n_classes: int = 10, n_attributes: int = 1, **settings: Any) -> float:
        rows = max(n, 2 * n_classes)
        y = np.full((rows, n_attributes), -1)
        y[: 2 * n_classes] = np.arange(2 * n_classes)[:, None] % n_classes  # no class without a label
        clock = fitted(pictures(rows, side), y if n_attributes > 1 else y[:, 0], settings)
        return 1000 * median(clock.steps[1:])

    sizes: dict[str, tuple[Sequence[int], Callable[[int], float]]] = {
        "batch": ((32, 64, 128, 256, 512, 1024), lambda size: step(n=2 * size, batch_size=size)),
        "side": ((16, 32, 64, 128), lambda size: step(n=256, side=size)),
        "classes, d_u = 32": ((2, 10, 100, 1000), lambda size: step(n_classes=size, u_dim=32)),
        "classes, d_u = 32, 64×64": ((10, 1000), lambda size: step(side=64, n_classes=size, u_dim=32)),
        "attributes of two classes, d_u = 2": (
            (1, 4, 10, 40),
            lambda size: step(n_classes=2, n_attributes=size, u_dim=2),
        ),
        "rows, 8×8": ((1_000, 100_000, 10_000_000), lambda size: step(n=size, side=8, **_SHORT)),
    }
    found = {}
    for name, (values, measure) in sizes.items():
        times = [measure(value) for value in values]
        exponent = float(np.polyfit(np.log(values), np.log(times), 1)[0])
        found[name] = {
            "milliseconds": {str(value): round(ms, 2) for value, ms in zip(values, times, strict=True)},
            "exponent": round(exponent, 2),
        }
    return found
