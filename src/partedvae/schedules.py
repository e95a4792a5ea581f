"""Schedules: pure functions of the number of steps taken, with nothing to save and nothing to advance."""

from __future__ import annotations

import math
from typing import overload

from torch import Tensor

SHARPEST = 8.0
"""The sharpness at which class attention ends, and which it has at test time."""


@overload
def passed(step: int, steps: int) -> float: ...
@overload
def passed(step: Tensor, steps: int) -> Tensor: ...
def passed(step: int | Tensor, steps: int) -> float | Tensor:
    """The share of a schedule that has passed, at most 1; of a step that is on a device, without waiting for it.

    min(1, t / T)

    >>> import torch
    >>> passed(50, steps=100), passed(torch.tensor(50.0), steps=100)
    (0.5, tensor(0.5000))
    """
    share = step / steps
    return share.clamp(max=1.0) if isinstance(share, Tensor) else min(1.0, share)


@overload
def capacity(step: int, maximum: float, steps: int) -> float: ...
@overload
def capacity(step: Tensor, maximum: float, steps: int) -> Tensor: ...
def capacity(step: int | Tensor, maximum: float, steps: int) -> float | Tensor:
    """C(t): nats that a code may carry, growing linearly from 0 to ``maximum`` in ``steps`` steps.

    C(t) = C_max · min(1, t / T)

    Source: Hajimiri et al. 2021; Burgess et al. 2018.

    >>> [capacity(step, maximum=7.0, steps=100) for step in (0, 50, 100, 1000)]
    [0.0, 3.5, 7.0, 7.0]
    """
    return maximum * passed(step, steps)


@overload
def sharpness(step: int, steps: int) -> float: ...
@overload
def sharpness(step: Tensor, steps: int) -> Tensor: ...
def sharpness(step: int | Tensor, steps: int) -> float | Tensor:
    """s(t): the slope of the attention's sigmoid, growing linearly from 1 to 8 in ``steps`` steps.

    s(t) = 1 + 7 · min(1, t / T); the published rate of 2·10⁻⁴ a step is T = 35 000.

    Source: Hajimiri et al. 2021.

    >>> [sharpness(step, steps=35_000) for step in (0, 5_000, 35_000, 10**6)]
    [1.0, 2.0, 8.0, 8.0]
    """
    return 1.0 + (SHARPEST - 1.0) * passed(step, steps)


def fading(step: int, steps: int) -> float:
    """What is left of a weight: all of it for ``steps`` steps, nothing after as many more, linearly in between.

    w(t) = min(1, max(0, 2 − t / T))

    >>> [fading(step, steps=100) for step in (0, 100, 150, 200, 1000)]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """
    return min(1.0, max(0.0, 2.0 - step / steps))


def annealed(step: int, steps: int, end: float) -> float:
    """What is left of a learning rate: all of it at first, ``end`` of it after ``steps`` steps, by a cosine.

    r(t) = end + (1 − end) · (1 + cos(π · min(1, t / T))) / 2

    Source: Loshchilov and Hutter 2017.

    >>> [round(annealed(step, steps=100, end=0.2), 3) for step in (0, 50, 100, 1000)]
    [1.0, 0.6, 0.2, 0.2]
    """
    return end + (1 - end) * (1 + math.cos(math.pi * passed(step, steps))) / 2
