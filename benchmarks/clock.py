"""How long training takes, as it goes on."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as lightning
import torch


def finished() -> None:
    """Wait for a GPU to do what it was told; a processor has done it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Clock(lightning.Callback):
    """Seconds that epochs took, without what comes before and after them, and of each step."""

    def __init__(self) -> None:
        self.epochs: list[float] = []
        self.steps: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start."""
        self._epoch = self._step = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        """A step has ended; what lies between steps counts too."""
        now = time.perf_counter()
        self.steps.append(now - self._step)
        self._step = now

    def on_train_epoch_end(self, *_: Any) -> None:
        """Stop."""
        finished()
        self.epochs.append(time.perf_counter() - self._epoch)
