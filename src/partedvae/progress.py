"""What a person sees while a model trains: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINES = 10  # lines in all when the output is a file: a run of 80 epochs need not print 80


class EpochLines(Callback):
    """Epochs done, the loss and the time left, on stderr.

    Args:
        compiles: whether the first step is compiled, which takes its time.
    """

    def __init__(self, compiles: bool = False) -> None:
        self._compiles, self._began = compiles, 0.0
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs · {task.fields[loss]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the bar."""
        if trainer.is_global_zero:
            self.task = self.progress.add_task("", total=trainer.max_epochs, completed=trainer.current_epoch, loss="")
            self.progress.start()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Look at the clock before a step that is compiled."""
        if self._compiles:
            self._began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say what the compiler took, if there was one."""
        if self._compiles:
            seconds = time.perf_counter() - self._began
            self.console.print(f"the first step took {seconds:.0f} s, in which it was compiled", highlight=False)
        self._compiles = False

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Show the epoch before: its losses are known only after the callbacks of its end."""
        self._show(trainer, done=trainer.current_epoch)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Show the last epoch."""
        self._show(trainer, done=trainer.current_epoch, last=True)

    def _show(self, trainer: lightning.Trainer, done: int, last: bool = False) -> None:
        if not trainer.is_global_zero or done == 0:
            return
        total = trainer.max_epochs or done
        metrics = trainer.callback_metrics
        names = [name for name in ("loss", "cross_entropy", "val_loss") if name in metrics]
        losses = " · ".join(f"{name} {float(metrics[name]):.4g}" for name in names)
        self.progress.update(self.task, completed=done, loss=losses)
        if not self.console.is_terminal and (last or done % max(1, total // _LINES) == 0):
            self.console.print(f"epoch {done}/{total} · {losses}", highlight=False, soft_wrap=True)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Leave the terminal as it was, however training ended."""
        self.progress.stop()
