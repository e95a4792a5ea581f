"""``fit``: a Lightning trainer around the step, with its loaders, its checkpoints, and what its failures mean."""

from __future__ import annotations

import logging
import pickle
import re
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader

from partedvae import compiling, memory, precision, processes
from partedvae.augmentation import Augmentation
from partedvae.batches import Batch, Observations, known_rows, training_loader, validation_loader
from partedvae.checkpoint_files import MINUTES, CheckpointError
from partedvae.checkpoints import Checkpoints, KeepBest, StopEarly, SyncedFiles
from partedvae.compiling import CompileError
from partedvae.config import Config
from partedvae.data.stream import Stream
from partedvae.extra_terms import Term
from partedvae.factory import Schedule
from partedvae.fingerprint import fingerprint
from partedvae.late_labels import Waiting
from partedvae.model import PartedModel
from partedvae.ondemand import OnDemand
from partedvae.progress import EpochLines
from partedvae.recorder import Record
from partedvae.resident import home
from partedvae.streaming import StreamLoader
from partedvae.training import Training

_HALF_WEIGHTS = ("bf16-true", "16-true")
_NOT_LIGHTNINGS = {
    "max_epochs": "name PartedVAE's own, by which rates and capacities change",
    "max_steps": "name max_epochs, by which rates and capacities change; limit_train_batches makes epochs shorter",
}

_QUIET = threading.Lock()
_quieted: list[list[int]] = []  # what the loggers' levels were, for each fit that is under way

_NO_MEMORY = re.compile("allocate memory|out of memory", re.IGNORECASE)
_COMPILER = ("torch._dynamo", "torch._inductor")
_LOST = re.compile("gloo|nccl|connection|peer", re.IGNORECASE)


class ProcessLostError(RuntimeError):
    """One of several processes of a run has ended, and the others cannot go on without it."""


def fit(
    model: PartedModel,
    config: Config,
    training: Observations,
    validation: Observations | None,
    seed: int,
    *,
    verbose: bool = False,
    trainer_options: Mapping[str, Any] | None = None,
    extra_terms: Mapping[str, Term] | None = None,
    augment: Augmentation | None = None,
    checkpoints: Path | None = None,
    checkpoint_minutes: float = MINUTES,
    resume_from: Path | None = None,
) -> list[Record]:
    """Train ``model`` in place and return the history, one record an epoch.

    Args:
        validation: observations that only validation sees.
        seed: of batches and noise.
        verbose: show a progress bar on a terminal, else some ten lines.
        trainer_options: passed to Lightning's ``Trainer`` (devices, precision, logger, callbacks, …);
            ``precision="auto"`` is :func:`partedvae.precision.fastest`, and ``compile=True`` is ours: what a step
            computes goes through torch's compiler.
        extra_terms: added to the objective; see :mod:`partedvae.extra_terms`.
        augment: how observations are changed for ``consistency``; default: see :mod:`partedvae.augmentation`.
        checkpoints: folder that gets a checkpoint (``last.ckpt``) after each epoch, and when the process is asked to
            stop; the one before it stays (``previous.ckpt``).
        checkpoint_minutes: between checkpoints within an epoch.
        resume_from: checkpoint to go on from.

    Raises:
        ValueError: ``trainer_options`` ask for what training cannot be, or keep: weights of 16 bits, batches of
            Lightning's choice, validation within an epoch.
        TrainingDivergedError: a term of the loss, its gradient or a weight is no longer finite.
        CheckpointError: ``resume_from`` is not of this run.
        ProcessLostError: one of several processes has ended.
        CompileError: torch cannot compile the step here.
        MemoryError: a step needs more memory than there is.
    """
    # No batch can have more, and what is remembered of the last ones goes by it.
    config = config.model_copy(update={"batch_size": min(config.batch_size, len(training.x))})
    options = processes.placed(trainer_options or {})
    _require_possible(options, config, checkpoints is not None)
    compiled = options.pop("compile", False)
    if options.get("precision") == precision.AUTO:
        options["precision"] = precision.fastest(model.scaling.shape, str(options.get("accelerator", "auto")))
    callbacks: list[Callback] = _as_list(options.pop("callbacks", None))
    plugins: list[Any] = _as_list(options.pop("plugins", None))
    best = KeepBest() if config.early_stopping else None
    if best is not None:
        callbacks += [StopEarly("val_loss", patience=config.early_stopping_patience), best]
    writing = Checkpoints(checkpoints, checkpoint_minutes) if checkpoints is not None else None
    if writing is not None:
        callbacks.append(writing)
        plugins.append(SyncedFiles())
    if verbose:
        callbacks.append(EpochLines(compiled))
    if compiled and not options.get("deterministic"):
        options.setdefault("benchmark", True)  # a GPU's convolutions try what algorithms there are
    with quiet_lightning(), compiling.usual_algorithms():
        trainer = lightning.Trainer(
            **{
                "max_epochs": config.max_epochs,
                "logger": False,
                "enable_model_summary": False,
                "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
                "enable_progress_bar": False,
                "num_sanity_val_steps": 0,
                "use_distributed_sampler": False,
                "log_every_n_steps": 1,
                **options,
            },
            callbacks=callbacks,
            plugins=plugins,
        )
        if compiled and trainer.world_size > 1:
            raise ValueError("compile is for one process: what several tell each other within a step is not compiled.")
        loader = _loader(training, config, seed, trainer)
        n_batches = _batches(loader, options.get("limit_train_batches"))
        n_steps = n_batches * config.max_epochs
        schedule = Schedule.of(config, n_steps)
        waiting = _waiting(training, loader, model.partition.n_attributes)
        module = Training(
            model,
            config,
            schedule,
            seed,
            n_batches,
            trainer.world_size,
            extra_terms,
            augment,
            waiting,
            fingerprint(training),
            fingerprint(validation) if validation is not None else None,
            compiled,
            _times_shown(training, config.batch_size * trainer.world_size, n_steps),
        )
        if trainer.precision == "64-true":
            module.double()  # before a checkpoint of 64 bits is read, which Lightning would read into 32
        held_out = validation and validation_loader(validation.x, validation.labels, max(256, config.batch_size))
        try:
            with memory.kept(), processes.alone() if trainer.world_size == 1 else nullcontext():
                trainer.fit(module, loader, held_out, ckpt_path=resume_from, weights_only=True if resume_from else None)
        except SIGTERMException:  # before the first step, or without checkpoints: Lightning's status would be 0
            raise SystemExit(128 + signal.SIGTERM) from None
        except SystemExit as left:
            if left.code == 1:  # Lightning's answer to Ctrl-C; the caller decides how to end
                raise KeyboardInterrupt from None
            raise
        except pickle.UnpicklingError:
            raise CheckpointError(
                f"{resume_from} holds more than numbers and text: it is not of this program."
            ) from None
        except RuntimeError as error:
            if _NO_MEMORY.search(str(error)):
                raise MemoryError(
                    f"There is not enough memory for a step with batch_size={config.batch_size}; try "
                    f"batch_size={max(1, config.batch_size // 2)}, then half of that. ({str(error).splitlines()[0]})"
                ) from error
            if type(error).__module__.startswith(_COMPILER):
                raise CompileError(
                    f"torch could not compile the step ({str(error).splitlines()[0]}). Train without --compile, or "
                    "without compile in trainer_options."
                ) from error
            if trainer.world_size > 1 and _LOST.search(str(error)):
                raise ProcessLostError(
                    f"Another process of the run has ended: {str(error).splitlines()[0]} "
                    "--resume, or resume_from, goes on from the last checkpoint."
                ) from error
            raise
        finally:
            module.forget_recorded()
            if writing is not None:
                writing.stop_listening()
        if writing is not None:
            writing.obey()
    if best is not None and best.weights:
        module.load_state_dict(best.weights)
    if not module.history:
        raise RuntimeError(
            "Training was stopped before its first epoch ended, by trainer_options: there is nothing to keep."
        )
    module.require_finite_weights()
    if module.fitted is not model:
        model.load_state_dict(module.fitted.state_dict())
    model.float().cpu().eval()  # of a training in 64 bits, too
    if module.waiting is not None:
        module.waiting.cpu().calibrate(model)
    return module.history


def _require_possible(options: Mapping[str, Any], config: Config, keeps_checkpoints: bool) -> None:
    """Refuse what training would not understand, before anything is begun."""
    for name, why in _NOT_LIGHTNINGS.items():
        if name in options:
            raise ValueError(f"{name} in trainer_options: {why}.")
    if options.get("overfit_batches"):
        raise ValueError("overfit_batches is not possible: which rows a batch has is not Lightning's to say.")
    if options.get("val_check_interval", 1.0) not in (None, 1.0) or options.get("check_val_every_n_epoch", 1) is None:
        raise ValueError(
            "trainer_options: validation is at the end of an epoch; one that is within it would be missed by a run "
            "that goes on from there. check_val_every_n_epoch may be 1 or more."
        )
    limit = options.get("limit_train_batches")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float)):
        raise ValueError(f"limit_train_batches in trainer_options should be a number, not {limit!r}.")
    if config.early_stopping and options.get("limit_val_batches", 1) == 0:
        raise ValueError("limit_val_batches in trainer_options is 0: early_stopping goes by validation.")
    if keeps_checkpoints and options.get("enable_checkpointing") is False:
        raise ValueError("enable_checkpointing in trainer_options is False, but checkpoints names a folder for them.")
    if not isinstance(options.get("compile", False), bool):
        raise ValueError(f"compile in trainer_options should be True or False, not {options['compile']!r}.")
    if options.get("precision") in _HALF_WEIGHTS:
        raise ValueError(
            f"precision {options['precision']}: weights and losses need 32 bits. "
            f"{options['precision'].removesuffix('-true')}-mixed computes the networks in 16."
        )


def _loader(
    training: Observations, config: Config, seed: int, trainer: lightning.Trainer
) -> DataLoader[Batch] | StreamLoader:
    how = training, config.batch_size, seed, config.balance_labels, trainer.world_size
    if isinstance(training.x, OnDemand) and isinstance(training.x.rows, Stream):
        return StreamLoader(*how)
    # Of several processes each has a part of the rows, and its device may not be known yet.
    alone = trainer.world_size == 1
    return training_loader(*how, home(training.x, trainer.strategy.root_device) if alone else None)


def _batches(loader: DataLoader[Batch] | StreamLoader, limit: float | None) -> int:
    """How many batches an epoch has: all, at most so many, or, of a float, that share of them."""
    if limit is None:
        return len(loader)
    return int(len(loader) * limit) if isinstance(limit, float) else min(limit, len(loader))


def _times_shown(training: Observations, batch_size: int, n_steps: int) -> float:
    """How often each labelled observation is shown in a run, as many of them beside the others in each step."""
    return n_steps * min(1.0, batch_size / max(1, int(known_rows(training.labels).sum())))


def _waiting(training: Observations, loader: DataLoader[Batch] | StreamLoader, n_attributes: int) -> Waiting | None:
    """The labels that join late, with their observations in memory: they are few."""
    if training.late is None:
        return None
    rows, epoch = training.late
    labelled = (
        loader.late if isinstance(loader, StreamLoader) else Observations(training.x[rows], training.labels[rows])
    )
    return Waiting(labelled, epoch, n_attributes)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Lightning's banners and its advice about loader workers (batches are slices of tensors: there is no work)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*Your `IterableDataset` has `__len__` defined.*")
        warnings.filterwarnings("ignore", message=".*You defined a `validation_step` but have no `val_dataloader`.*")
        warnings.filterwarnings("ignore", message=".*ended before the epoch ended and your dataloader is not.*")
        warnings.filterwarnings("ignore", message=".*recommended to use .*sync_dist=True.*")  # they are alike already
        warnings.filterwarnings("ignore", message=".*Grad strides do not match bucket view strides.*")
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")  # Lightning's own call
        loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
        with _QUIET:  # of several threads the first puts the levels down, and the last puts them back
            _quieted.append([logger.level for logger in loggers] if not _quieted else _quieted[0])
            for logger in loggers:
                logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            with _QUIET:
                levels = _quieted.pop()
                if not _quieted:
                    for logger, level in zip(loggers, levels, strict=True):
                        logger.setLevel(level)


def _as_list(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]
