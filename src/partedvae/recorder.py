"""The terms of the loss by epoch, and the end of a run in which one is no longer a number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor

from partedvae import processes

Record = dict[str, float]

HINT = "A lower lr, observations without extreme values, or smaller gamma weights may help."
_ROWS_BETWEEN_CHECKS = 100  # reading a loss off a device waits for it: look at many steps at once


class TrainingDivergedError(RuntimeError):
    """A term of the loss became NaN or infinite; the message names the term and the step."""


def all_finite(tensors: Iterable[Tensor | None]) -> bool:
    """Whether no number of them is NaN or infinite; those that are not there do not count."""
    found = [tensor for tensor in tensors if tensor is not None]
    # A sum is many times faster than looking at each number, and finite unless one is not, or all are near the largest.
    return all(math.isfinite(tensor.sum().item()) or bool(tensor.isfinite().all()) for tensor in found)


def require_finite(values: Mapping[str, Tensor], step: int) -> None:
    """Look at the values of one step.

    Raises:
        TrainingDivergedError: it names those that are not finite.

    >>> require_finite({"loss": torch.tensor(1.0), "u_kl": torch.tensor(float("nan"))}, step=3)
    Traceback (most recent call last):
    ...
    partedvae.recorder.TrainingDivergedError: Training stopped: u_kl is nan at step 3. A lower lr, ...
    """
    only = Recorder()
    only.add(values, 1, step)
    only.require_finite()


class Recorder:
    """Sums named values over an epoch without waiting for the device, and stops at the first that is not finite."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._pending: list[tuple[Tensor, int, int]] = []
        self._sums: Tensor | float = 0.0
        self._weight = 0

    def add(self, values: Mapping[str, Tensor], weight: int, step: int) -> None:
        """Values of one step, means over ``weight`` observations."""
        self._names = list(values)
        self._pending.append((torch.stack(list(values.values())), weight, step))
        if len(self._pending) >= _ROWS_BETWEEN_CHECKS:
            self._settle()

    def state(self) -> dict[str, Any]:
        """What was added, in numbers and tensors: summed up later, as it would have been, so that no digit differs."""
        rows, weights, steps = zip(*self._pending, strict=True) if self._pending else ((), (), ())
        return {
            "names": self._names,
            "pending": [list(rows), list(weights), list(steps)],
            "sums": self._sums,
            "weight": self._weight,
        }

    def take_up(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a ``state``, which a checkpoint has brought elsewhere, with values of a device."""
        self._names, self._sums, self._weight = state["names"], state["sums"], state["weight"]
        rows, weights, steps = state["pending"]
        self._pending = list(zip((row.to(device) for row in rows), weights, steps, strict=True))

    def means(self, device: torch.device) -> Record:
        """The epoch's means by name, over all processes; the next epoch starts from nothing."""
        self._settle()
        means = []
        if isinstance(self._sums, Tensor):
            weight = torch.tensor([self._weight], dtype=self._sums.dtype)
            sums = processes.total(torch.cat([self._sums, weight]), device)
            means = (sums[:-1] / sums[-1]).tolist()
        self._sums, self._weight = 0.0, 0
        return dict(zip(self._names, means, strict=True))

    def require_finite(self) -> None:
        """Look at all that was added.

        Raises:
            TrainingDivergedError: it names the values that are not finite, and their step.
        """
        if self._pending:
            self._finite_rows()

    def _settle(self) -> None:
        if not self._pending:
            return
        rows = self._finite_rows()
        weights = torch.tensor([weight for _, weight, _ in self._pending], dtype=rows.dtype)
        self._sums = self._sums + weights @ rows
        self._weight += int(weights.sum())
        self._pending.clear()

    def _finite_rows(self) -> Tensor:
        rows = torch.stack([row for row, _, _ in self._pending]).cpu().double()
        if not rows.isfinite().all():
            self._refuse(rows)
        return rows

    def _refuse(self, rows: Tensor) -> NoReturn:
        row = int((~rows.isfinite()).any(dim=1).nonzero()[0])
        bad = [name for name, value in zip(self._names, rows[row], strict=True) if not value.isfinite()]
        named = [name for name in bad if name != "loss"] or bad  # the total only follows its terms
        values = ", ".join(f"{name} is {rows[row, self._names.index(name)].item()}" for name in named)
        raise TrainingDivergedError(f"Training stopped: {values} at step {self._pending[row][2]}. {HINT}")
