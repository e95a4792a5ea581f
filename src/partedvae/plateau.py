"""A learning rate that is halved when a loss no longer falls, whatever the sign of the loss."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau


class Plateau(ReduceLROnPlateau):
    """Torch's, but that the loss has to fall by a share of what it amounts to, with either sign.

    Torch's asks for less than best · (1 − share): where the loss is negative, as of a density it may be, that is more
    than the best, so every loss would do.

    Args:
        optimizer: whose rates are lowered.
        share: of the best loss so far.
        options: torch's.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> plateau = Plateau(optimizer, share=0.01, factor=0.5, patience=1)
    >>> for loss in (-100.0, -100.5, -99.0):
    ...     plateau.step(loss)
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    def __init__(self, optimizer: Optimizer, share: float, **options: Any) -> None:
        super().__init__(optimizer, threshold_mode="abs", **options)
        self.share = share

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]  # torch's differs from its base, too
        """Look at a loss, and lower the rates if it is not among the better ones for too long."""
        self.threshold = self.share * abs(self.best) if math.isfinite(self.best) else 0.0
        super().step(metrics, epoch)
