"""Checkpoints of a run that may be killed at any moment, and a clean end when it is asked to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping
from torch import Tensor

from partedvae.checkpoint_files import LAST, MINUTES, PREVIOUS

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STEPS_BETWEEN_TALKS = 16  # of several processes about whether to stop or to write


class SyncedFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its name and renames it when it is on the disk; the one before it is kept."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write, whole or not at all.

        Raises:
            OSError: the disk is full, the folder cannot be written to; the checkpoint that was there stays.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        for unfinished in path.parent.glob(f".{path.name}.*"):
            unfinished.unlink(missing_ok=True)  # of a process that was killed
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if path.name == LAST and path.exists():  # not those of a user's own callback
                path.replace(path.with_name(PREVIOUS))
            beside.replace(path)
        except (OSError, RuntimeError) as error:
            raise OSError(f"{path} cannot be written: {error}") from error
        finally:
            beside.unlink(missing_ok=True)
        _sync(path.parent)


def _sync(folder: Path) -> None:
    """Let the names in a folder reach the disk as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Checkpoints(Checkpoint):
    """Writes a checkpoint after each epoch, every so many minutes, and when SIGINT or SIGTERM ask the run to stop.

    The step that a signal falls into is finished first, so that the checkpoint is of a whole number of steps. A second
    signal ends the run at once. What the process was started to ignore, as SIGINT in the background, it ignores.

    Args:
        folder: gets ``last.ckpt`` and ``previous.ckpt``.
        minutes: between checkpoints within an epoch; 0: after every step, or where several processes have to agree, at
            every sixteenth.
    """

    def __init__(self, folder: Path, minutes: float = MINUTES) -> None:
        if not minutes >= 0:
            raise ValueError(f"checkpoint_minutes={minutes}: should be 0 or more.")
        self.path, self.seconds = folder / LAST, 60 * minutes
        self._asked: int | None = None
        self._before: dict[int, Any] = {}

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Remember who heeds signals, before Lightning does."""
        self._written = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in _SIGNALS}
            self._listen()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen in Lightning's place, which leaves without a checkpoint and with status 0."""
        self._listen()

    def _listen(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if handler is signal.SIG_IGN else self._hear)

    def stop_listening(self) -> None:
        """Give signals back to those who had them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def obey(self) -> None:
        """Stop if that was asked for after the last step, which no hook follows."""
        if self._asked is not None:
            self._stop()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Write what is due, and stop if that was asked for."""
        if trainer.is_last_batch:
            return  # the end of the epoch comes next
        asked, due = self._agreed(trainer)
        if asked or due:
            self._write(trainer)
        if asked:
            self._stop()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write, and stop if that was asked for."""
        self._write(trainer)
        if trainer.strategy.reduce_boolean_decision(self._asked is not None, all=False):
            self._stop()

    def _agreed(self, trainer: lightning.Trainer) -> tuple[bool, bool]:
        """Whether to stop and whether to write: of one mind in all processes, which look at it together."""
        asked, due = self._asked is not None, time.monotonic() - self._written >= self.seconds
        if trainer.world_size == 1:
            return asked, due
        if trainer.fit_loop.epoch_loop.batch_idx % _STEPS_BETWEEN_TALKS:
            return False, False
        agree = trainer.strategy.reduce_boolean_decision
        return agree(asked, all=False), agree(due, all=False)

    def _write(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._written = time.monotonic()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._asked is not None:
            self.stop_listening()
            signal.raise_signal(number)
        self._asked = number

    def _stop(self) -> None:
        if self._asked == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt


class StopEarly(EarlyStopping):
    """Lightning's, but a run that it has stopped stays so when it is gone on with."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop again, if the checkpoint was of a run that had."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class KeepBest(Callback):
    """Remembers the weights at which the validation loss was lowest."""

    def __init__(self) -> None:
        self.loss = float("inf")
        self.weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Look."""
        loss = float(trainer.callback_metrics["val_loss"])
        if loss < self.loss:
            self.loss = loss
            self.weights = {name: value.detach().cpu().clone() for name, value in pl_module.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: a resumed run must know them."""
        return {"loss": self.loss, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.loss, self.weights = state_dict["loss"], state_dict["weights"]
