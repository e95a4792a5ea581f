"""The recipe of two optimisers as a LightningModule, and ``fit``, which runs it."""

from __future__ import annotations

import logging
import math
import pickle
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader

from partedvae import precision, processes
from partedvae.augmentation import Augmentation, augmentation_for, changed
from partedvae.batches import Batch, Draws, LabelledBatch, mixed, training_loader, validation_loader
from partedvae.checkpoints import MINUTES, CheckpointError, Checkpoints, KeepBest, SyncedFiles
from partedvae.config import Config, to_json
from partedvae.consistency import Guesses, blended, disagreement
from partedvae.data.stream import Stream
from partedvae.exchange import unrecognised
from partedvae.extra_terms import Seen, Term, with_extra
from partedvae.factory import Schedule, make_objective
from partedvae.independence import ClassIndependence
from partedvae.model import PartedModel, Posterior
from partedvae.objective import Terms, cross_entropy, targets_of
from partedvae.ondemand import OnDemand, Raw
from partedvae.progress import EpochLines
from partedvae.schedules import annealed, capacity, sharpness
from partedvae.streaming import StreamLoader

Record = dict[str, float]

_ROWS_BETWEEN_CHECKS = 100  # reading a loss off a device waits for it: look at many steps at once
_BATCHES_REMEMBERED = 4  # enough to have of each of ten classes two dozen; older ones are of another encoder
_SCALE_LR = 20.0  # the one number that is the likelihood's scale has orders of magnitude to travel

_HINT = "A lower lr, observations without extreme values, or smaller gamma weights may help."
_NO_MEMORY = re.compile("allocate memory|out of memory", re.IGNORECASE)
_LOST = re.compile("gloo|nccl|connection|peer", re.IGNORECASE)


class ProcessLostError(RuntimeError):
    """One of several processes of a run has ended, and the others cannot go on without it."""


class TrainingDivergedError(RuntimeError):
    """A term of the loss became NaN or infinite; the message names the term and the step."""


@dataclass(frozen=True)
class Observations:
    """Raw observations (N, …), channels first, and labels: see :func:`partedvae.batches.known_rows`."""

    x: Raw
    labels: Tensor


class Training(lightning.LightningModule):
    """One step: the labelled Adam takes a step on what is known of classes, then the main Adam one on the objective.

    The labelled optimiser moves only the encoder and the class head: for the labels, and for what
    :mod:`partedvae.consistency` expects of observations without one. The noise comes from a generator of its own, which
    is saved with a checkpoint, as are the step and the history.

    Source: METHOD.md, objective and supervision.
    """

    def __init__(
        self,
        model: PartedModel,
        config: Config,
        schedule: Schedule,
        seed: int,
        n_batches: int,
        n_processes: int = 1,
        extra_terms: Mapping[str, Term] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__()
        self.n_batches = n_batches
        self.augment = augment or augmentation_for(model.scaling.shape)
        self.independence = (
            ClassIndependence(model.partition, _BATCHES_REMEMBERED * config.batch_size * n_processes)
            if config.gamma_zc and model.partition.z_dim
            else None
        )
        self.guesses = (
            Guesses(model.prior.log_class_prior, model.partition) if config.supervised and config.consistency else None
        )
        self.extra_terms = dict(extra_terms or {})
        self.automatic_optimization = False
        self.model, self.config, self.schedule, self.seed = model, config, schedule, seed
        self.objective = make_objective(config, model.scaling.shape, schedule)
        self.steps_taken = 0
        self.history: list[Record] = []
        self._train, self._validation = Recorder(), Recorder()
        self._batches_done = 0  # of an epoch that a checkpoint was written in
        self._noise_state: Tensor | None = None

    def configure_optimizers(self) -> tuple[list[Adam], list[ReduceLROnPlateau]]:
        """The two Adams, and their plateau schedulers unless ``lr_patience`` is ``None``."""
        model, config = self.model, self.config
        supervised = [*model.encoder.parameters(), *model.class_head.parameters()]
        scale = list(model.likelihood.parameters())
        rest = [p for name, p in model.named_parameters() if not name.startswith("likelihood.")]
        groups: list[dict[str, Any]] = [{"params": rest}]
        if scale:
            groups.append({"params": scale, "lr": _SCALE_LR * config.lr})
        fused = self.device.type in ("cpu", "cuda")
        main = Adam(groups, lr=config.lr, fused=fused)
        labelled = Adam(supervised, lr=config.lr_labelled, fused=fused)
        if config.lr_patience is None:
            return [main, labelled], []
        # Thresholds and cooldowns as published.
        plateaus = [
            ReduceLROnPlateau(main, factor=0.5, patience=config.lr_patience, threshold=1e-2, cooldown=4, eps=1e-7),
            ReduceLROnPlateau(labelled, factor=0.5, patience=config.lr_patience, threshold=1e-1, cooldown=3, eps=1e-6),
        ]
        return [main, labelled], plateaus

    def on_fit_start(self) -> None:
        """Start the noise where the seed, or the checkpoint, says."""
        self.noise = torch.Generator(self.device).manual_seed(self.seed)
        if self._noise_state is not None:
            self.noise.set_state(self._noise_state)
        if processes.world()[0]:  # each process has observations of its own, and noise of its own
            self.noise.manual_seed(mixed(self.seed, processes.world()[0]) + self.steps_taken)

    def on_train_start(self) -> None:
        """Go on within the epoch if it was begun before."""
        self._sampler.skip(self._batches_done)

    def on_train_epoch_start(self) -> None:
        """An epoch from its first batch; Lightning does not say this of one that is gone on with."""
        self._sampler.skip(0)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of each optimiser."""
        main, labelled = self._both_optimizers()
        self.steps_taken += 1
        x = self.model.scaling(batch.x)
        sound = True
        supervision = self._supervision(x, batch)
        if self.config.supervised:
            self._anneal(labelled)
            sound = self._descend(labelled, torch.stack(list(supervision.values())).sum())

        terms = self._drawn_terms(x)
        sound = self._descend(main, terms.total) and sound

        known = {name: loss.detach() for name, loss in supervision.items()}
        self._train.add({**terms.named(), **known}, len(x), self.steps_taken)
        if not sound:
            self._stop_at(x, batch)

    def validation_step(self, batch: LabelledBatch, batch_idx: int) -> None:
        """The objective that the schedules end at, without noise, so that epochs can be compared."""
        x = self.model.scaling(batch.x)
        posterior = self.model.infer(x)
        terms = self._terms(x, posterior, posterior.mean, self.objective.capacities.steps)
        self._validation.add(terms.named(), len(x), self.steps_taken)

    def on_validation_epoch_end(self) -> None:
        """Log the validation loss, which early stopping watches."""
        self._validation_means = {f"val_{name}": value for name, value in self._validation.means(self.device).items()}
        self.log("val_loss", self._validation_means["val_loss"], prog_bar=True)

    def on_train_epoch_end(self) -> None:
        """Keep the epoch's record, log it, and let the plateau schedulers see it."""
        record = self._train.means(self.device)
        main, labelled = self._both_optimizers()
        for scheduler, monitored in zip(self._schedulers(), ("loss", "cross_entropy"), strict=False):
            scheduler.step(record[monitored])
        self.log("loss", record["loss"], prog_bar=True)
        self.log_dict({name: value for name, value in record.items() if name != "loss"})
        limits = self.objective.capacities
        self.history.append(
            {
                "epoch": self.current_epoch,
                "step": self.steps_taken,
                "z_capacity": capacity(self.steps_taken, limits.z, limits.steps),
                "u_capacity": capacity(self.steps_taken, limits.u, limits.steps),
                "lr": main.param_groups[0]["lr"],
                "lr_labelled": labelled.param_groups[0]["lr"],
                **record,
                **getattr(self, "_validation_means", {}),
            }
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What a resumed run needs beside weights and optimisers.

        Raises:
            TrainingDivergedError: there is something in it that is not finite; the checkpoints that are there stay.
        """
        self._train.require_finite()
        if not _all_finite(self.model.parameters()):
            raise TrainingDivergedError(
                f"Training stopped: weights are not finite after step {self.steps_taken}. {_HINT}"
            )
        checkpoint["partedvae"] = {
            "settings": to_json(self.config),
            "batches": self.n_batches,
            "steps_taken": self.steps_taken,
            "history": self.history,
            "epoch_so_far": self._train.state(),
            "noise": self.noise.get_state(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up step, history and noise where the checkpoint left them.

        Raises:
            CheckpointError: it is of other settings or data, or of another version of this program.
        """
        path, state = self.trainer.ckpt_path, checkpoint.get("partedvae", {})
        if not isinstance(state, dict) or state.keys() < {"settings", "batches", "epoch_so_far"}:
            raise CheckpointError(f"{path} is not of this version of partedvae; begin anew.")
        here, there = to_json(self.config), state["settings"]
        different = [name for name in here if here[name] != there.get(name)]
        if different:
            name = different[0]
            raise CheckpointError(f"{path} is of a run with {name}={there.get(name)!r}, not {here[name]!r}.")
        if state["batches"] != self.n_batches:
            found = f"{state['batches']} batches an epoch; these data make {self.n_batches}"
            raise CheckpointError(f"{path} is of a run with {found}.")
        self.steps_taken, self.history, self._noise_state = state["steps_taken"], state["history"], state["noise"]
        self._batches_done = self.steps_taken - self.n_batches * len(self.history)
        self._train.take_up(state["epoch_so_far"])

    def _terms(self, x: Tensor, posterior: Posterior, codes: Tensor, step: int) -> Terms:
        output = self.model.decoder(codes)
        terms = self.objective(posterior, self.model.prior, self.model.likelihood.log_prob(output, x), step)
        if self.independence is not None:
            told = self.independence(posterior.z_mean, posterior.log_c.exp())
            terms = terms.plus("zc_term", self.config.gamma_zc * told, zc_dependence=told)
        if self.config.gamma_swap and self.model.partition.z_dim:
            missed = unrecognised(self.model, posterior, codes)
            terms = terms.plus("swap_term", self.config.gamma_swap * missed, swap_kl=missed)
        return with_extra(terms, self.extra_terms, Seen(x, posterior, codes, output, self.model, step))

    def _supervision(self, x: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What the labelled optimiser descends, by name, weights included."""
        layout, labelled = self.model.partition, self.model.scaling(batch.x_labelled)
        targets = targets_of(batch.labels, layout)
        if self.guesses is None:
            return {"cross_entropy": cross_entropy(self._log_classes(labelled), targets, layout)}
        with torch.no_grad():
            guesses = self.guesses(self._log_classes(x))
        # Labelled observations are changed and blended too: few as they are, they would be learned by heart.
        labelled, targets = blended(changed(labelled, self.augment, self.noise), targets, self.noise)
        x, guesses = blended(changed(x, self.augment, self.noise), guesses, self.noise)
        of_labelled, of_all = self._log_classes(torch.cat([labelled, x])).split([len(labelled), len(x)])
        return {
            "cross_entropy": cross_entropy(of_labelled, targets, layout),
            "consistency": self.config.consistency * disagreement(of_all, guesses),
        }

    def _log_classes(self, x: Tensor) -> Tensor:
        return self.model.log_classes(self.model.encoder(x))

    def _anneal(self, labelled: LightningOptimizer) -> None:
        """Lower the rate by a step's share, so that what a plateau has halved stays halved."""
        steps, end = self.n_batches * self.config.max_epochs, self.config.lr_labelled_end
        for group in labelled.param_groups:
            group["lr"] *= annealed(self.steps_taken, steps, end) / annealed(self.steps_taken - 1, steps, end)

    def _drawn_terms(self, x: Tensor) -> Terms:
        """The objective of observations, with classes and codes drawn."""
        slope = sharpness(self.steps_taken, self.schedule.sharpness_steps)
        posterior = self.model.infer(x, slope, self.noise)
        return self._terms(x, posterior, posterior.sample(self.noise), self.steps_taken)

    def _descend(self, optimizer: LightningOptimizer, loss: Tensor) -> bool:
        """Take a step, or say no: a gradient that is not finite would spoil the weights.

        On processors only: elsewhere looking would mean waiting, and the next losses tell.
        """
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.device.type == "cpu":
            gradients = [weight.grad for group in optimizer.param_groups for weight in group["params"]]
            if not _all_finite(gradients):
                return False
        optimizer.step()
        return True

    def _stop_at(self, x: Tensor, batch: Batch) -> NoReturn:
        """Name what is not finite: terms if they are not themselves, else those whose gradient is not."""
        self._train.require_finite()
        weights = list(self.model.parameters())
        terms = {**(self._supervision(x, batch) if self.config.supervised else {}), **self._drawn_terms(x).weighted}
        bad = [
            name
            for name, term in terms.items()
            if term.requires_grad
            and not _all_finite(torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True))
        ]
        raise TrainingDivergedError(
            f"Training stopped: the gradient of {', '.join(bad) or 'the loss'} is not finite at step "
            f"{self.steps_taken}, though the value is. {_HINT}"
        )

    @property
    def _sampler(self) -> Draws | StreamLoader:
        loader: Any = self.trainer.train_dataloader
        sampler: Draws | StreamLoader = loader.sampler
        return sampler

    def _both_optimizers(self) -> tuple[LightningOptimizer, LightningOptimizer]:
        optimizers = self.optimizers()
        if not isinstance(optimizers, list):
            raise TypeError("Training needs both of the optimisers that it configures.")
        main, labelled = optimizers
        return main, labelled

    def _schedulers(self) -> list[Any]:
        schedulers = self.lr_schedulers()
        return schedulers if isinstance(schedulers, list) else []


def _all_finite(gradients: Iterable[Tensor | None]) -> bool:
    found = [gradient for gradient in gradients if gradient is not None]
    return bool(get_total_norm(found, norm_type=math.inf).isfinite())


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

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self._names, self._sums, self._weight = state["names"], state["sums"], state["weight"]
        self._pending = list(zip(*state["pending"], strict=True))

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
        rows = torch.stack([row for row, _, _ in self._pending]).double().cpu()
        if not rows.isfinite().all():
            self._refuse(rows)
        return rows

    def _refuse(self, rows: Tensor) -> NoReturn:
        row = int((~rows.isfinite()).any(dim=1).nonzero()[0])
        bad = [name for name, value in zip(self._names, rows[row], strict=True) if not value.isfinite()]
        named = [name for name in bad if name != "loss"] or bad  # the total only follows its terms
        values = ", ".join(f"{name} is {rows[row, self._names.index(name)].item()}" for name in named)
        raise TrainingDivergedError(f"Training stopped: {values} at step {self._pending[row][2]}. {_HINT}")


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
        verbose: show a progress bar on a terminal, else a line an epoch.
        trainer_options: passed to Lightning's ``Trainer`` (devices, precision, logger, callbacks, …);
            ``precision="auto"`` is :func:`partedvae.precision.fastest`.
        extra_terms: added to the objective; see :mod:`partedvae.extra_terms`.
        augment: how observations are changed for ``consistency``; default: see :mod:`partedvae.augmentation`.
        checkpoints: folder that gets a checkpoint (``last.ckpt``) after each epoch, and when the process is asked to
            stop; the one before it stays (``previous.ckpt``).
        checkpoint_minutes: between checkpoints within an epoch.
        resume_from: checkpoint to go on from.

    Raises:
        TrainingDivergedError: a term of the loss is no longer finite.
        CheckpointError: ``resume_from`` is not of this run.
        ProcessLostError: one of several processes has ended.
        MemoryError: a step needs more memory than there is.
    """
    options = processes.placed(trainer_options or {})
    if options.get("precision") == precision.AUTO:
        options["precision"] = precision.fastest(model.scaling.shape, str(options.get("accelerator", "auto")))
    callbacks: list[Callback] = _as_list(options.pop("callbacks", None))
    plugins: list[Any] = _as_list(options.pop("plugins", None))
    best = KeepBest() if config.early_stopping else None
    if best is not None:
        callbacks += [EarlyStopping("val_loss", patience=config.early_stopping_patience), best]
    writing = Checkpoints(checkpoints, checkpoint_minutes) if checkpoints is not None else None
    if writing is not None:
        callbacks.append(writing)
        plugins.append(SyncedFiles())
    if verbose:
        callbacks.append(EpochLines())
    with _quiet_lightning():
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
        loader = _loader(training, config, seed, trainer.world_size)
        schedule = Schedule.of(config, len(loader) * config.max_epochs)
        module = Training(model, config, schedule, seed, len(loader), trainer.world_size, extra_terms, augment)
        held_out = validation and validation_loader(validation.x, validation.labels, max(256, config.batch_size))
        try:
            trainer.fit(module, loader, held_out, ckpt_path=resume_from, weights_only=True if resume_from else None)
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
            if trainer.world_size > 1 and _LOST.search(str(error)):
                raise ProcessLostError(
                    f"Another process of the run has ended: {str(error).splitlines()[0]} "
                    "--resume, or resume_from, goes on from the last checkpoint."
                ) from error
            raise
        finally:
            if writing is not None:
                writing.stop_listening()
    if best is not None and best.weights:
        module.load_state_dict(best.weights)
    model.cpu().eval()
    return module.history


def _loader(training: Observations, config: Config, seed: int, n_processes: int) -> DataLoader[Batch] | StreamLoader:
    x, labels = training.x, training.labels
    if isinstance(x, OnDemand) and isinstance(x.rows, Stream):
        return StreamLoader(x.rows, x.layout, labels, config.batch_size, seed, config.balance_labels, n_processes)
    return training_loader(x, labels, config.batch_size, seed, config.balance_labels, n_processes)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning's banners and its advice about loader workers (batches are slices of tensors: there is no work)."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*Your `IterableDataset` has `__len__` defined.*")
        warnings.filterwarnings("ignore", message=".*You defined a `validation_step` but have no `val_dataloader`.*")
        warnings.filterwarnings("ignore", message=".*ended before the epoch ended and your dataloader is not.*")
        warnings.filterwarnings("ignore", message=".*recommended to use .*sync_dist=True.*")  # they are alike already
        warnings.filterwarnings("ignore", message=".*Grad strides do not match bucket view strides.*")
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")  # Lightning's own call
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _as_list(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]
