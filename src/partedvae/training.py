"""The recipe of two optimisers as a LightningModule: what they do when, what epochs leave, what a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import lightning.pytorch as lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Adam

from partedvae import compiling, processes
from partedvae.augmentation import Augmentation
from partedvae.averaging import Average
from partedvae.batches import Batch, Draws, LabelledBatch, mixed
from partedvae.config import Config, to_json
from partedvae.extra_terms import Term
from partedvae.factory import Schedule
from partedvae.late_labels import Waiting
from partedvae.lessons import Lessons, Shown
from partedvae.model import PartedModel
from partedvae.plateau import Plateau
from partedvae.recorded import Recorded, records
from partedvae.recorder import HINT, Record, Recorder, TrainingDivergedError, all_finite, require_finite
from partedvae.same_run import SameRun
from partedvae.schedules import annealed, capacity
from partedvae.step import Step, Values
from partedvae.streaming import StreamLoader

_SCALE_LR = 20.0  # the one number that is the likelihood's scale has orders of magnitude to travel


class Training(lightning.LightningModule):
    """One step: the labelled Adam takes a step on what is known of classes, the main Adam one on the objective.

    What they descend :mod:`partedvae.step` computes. The labelled optimiser moves only the encoder and the class head:
    for the labels, and for what :mod:`partedvae.consistency` expects of observations without one. The noise comes from
    a generator of its own, which is saved with a checkpoint, as are the number of the step and the history.

    Source: Hajimiri et al. 2021.
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
        waiting: Waiting | None = None,
        data: str | None = None,
        validation: str | None = None,
        compiled: bool = False,
        times_shown: float = math.inf,
    ) -> None:
        super().__init__()
        self.waiting = waiting
        self.compiled = compiled
        self.data, self.validation = data, validation  # fingerprints
        self.n_batches = n_batches
        self.lessons = Lessons(model, config, augment, times_shown)
        self._augments = augment is not None
        self._of_users = bool(extra_terms) or self._augments  # which may draw from torch's global generator
        self._recorded: tuple[tuple[Any, ...], Recorded] | None = None
        self.step = Step(model, config, schedule, self.lessons.with_guesses, n_processes, extra_terms)
        self.average = Average(model, config.averaged_steps) if config.averaged_steps > 1 else None
        self.automatic_optimization = False
        self.config, self.seed = config, seed
        self.steps_taken = 0
        self.history: list[Record] = []
        self._train, self._validation = Recorder(), Recorder()
        self._validation_means: Record = {}
        self._batches_done = 0  # of this epoch
        self._noise_state: Tensor | None = None
        self._global_noise_state: Tensor | None = None

    def configure_optimizers(self) -> tuple[list[Adam], list[Plateau]]:
        """The two Adams, and their plateau schedulers unless ``lr_patience`` is ``None``."""
        model, config = self.model, self.config
        supervised = [*model.encoder.parameters(), *model.class_head.parameters()]
        scale = list(model.likelihood.parameters())
        rest = [p for name, p in model.named_parameters() if not name.startswith("likelihood.")]
        groups: list[dict[str, Any]] = [{"params": rest}]
        if scale:
            groups.append({"params": scale, "lr": _SCALE_LR * config.lr})
        adam = compiling.CompiledAdam if self._recordable else partial(Adam, fused=self.device.type in ("cpu", "cuda"))
        main, labelled = adam(groups, lr=config.lr), adam(supervised, lr=config.lr_labelled)
        if config.lr_patience is None:
            return [main, labelled], []
        # Thresholds and cooldowns as published.
        plateaus = [
            Plateau(main, share=1e-2, factor=0.5, patience=config.lr_patience, cooldown=4, eps=1e-7),
            Plateau(labelled, share=1e-1, factor=0.5, patience=config.lr_patience, cooldown=3, eps=1e-6),
        ]
        return [main, labelled], plateaus

    def on_fit_start(self) -> None:
        """Start the noise where the seed, or the checkpoint, says."""
        rank = processes.world()[0]  # each process has observations of its own, and noise of its own
        self.noise = torch.Generator(self.device).manual_seed(mixed(self.seed, rank) if rank else self.seed)
        if self._noise_state is not None:
            self.noise.set_state(self._noise_state)
        if self.compiled:
            self._compiled_shown = compiling.compiled(self.lessons.shown)
            self._compiled_codes = compiling.compiled(self.step.codes)
            self._compiled_classes = compiling.compiled(self.step.classes)

    def on_train_start(self) -> None:
        """Go on within the epoch if it was begun before."""
        if self._global_noise_state is not None:
            torch.set_rng_state(self._global_noise_state)
        self._sampler.skip(self._batches_done)

    def on_train_epoch_start(self) -> None:
        """An epoch from its first batch; Lightning does not say this of one that is gone on with."""
        self._batches_done = 0
        self._sampler.skip(0)
        if self.waiting is not None and self.current_epoch == self.waiting.joining:
            self.waiting.end(self.fitted)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of each optimiser: first of the labelled one, as published, unless it needs what the other is told.

        Guesses are what the predictor says of the batch as the main step sees it: nothing asks the encoder for them.
        """
        self.steps_taken += 1
        self._batches_done += 1
        if self.config.supervised:
            self._anneal(self._both_optimizers()[1])
        learn = self._launch if self._recordable and self._compiles(batch.x) else self._learn
        values = learn(batch, self.steps_taken, self.lessons.weight(self.steps_taken))
        if self.average is not None:
            self.average.follow(self.model, self.steps_taken)
        self._train.add(values, len(batch.x), self.steps_taken)

    def _learn(self, batch: Batch, number: int | Tensor, weight: float | Tensor) -> Values:
        """What both optimisers descend, by name; steps and weights of guesses are numbers, or tensors if recorded."""
        show = self._compiled_shown if self._compiles(batch.x) else self.lessons.shown
        shown = show(batch)
        guesses = self.step.guesses
        known = self._learn_classes(shown) if guesses is None else {}
        terms, log_c = self._learn_codes(shown.x, number)
        if guesses is not None:
            known = self._learn_classes(shown, guesses(log_c), weight)
        return {**terms, **known}

    def _launch(self, batch: Batch, number: int, weight: float) -> Values:
        """``_learn`` as the GPU has recorded it, of batches of these shapes while guesses count, or no longer."""
        groups = [group for optimizer in self._both_optimizers() for group in optimizer.param_groups]

        def learn(given: list[Tensor], numbers: list[Tensor]) -> Values:
            step, of_guesses, *rates = numbers
            with compiling.rates_from(groups, rates):
                return self._learn(Batch(*given), step, of_guesses if weight else 0.0)

        kind = (bool(weight), *(part.shape for part in batch))  # which changes once or twice in a run, for good
        if self._recorded is None or self._recorded[0] != kind:
            self.forget_recorded()
            self._recorded = kind, Recorded(learn, self.noise, self.device)
        recorded = self._recorded[1]
        if recorded.is_recorded:  # the optimisers are not run, which else tell Lightning
            taken = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
            for _ in range(1 + self.config.supervised):
                taken.increment_ready()
                taken.increment_completed()
        return recorded(batch, [number, weight, *(group["lr"] for group in groups)])

    def forget_recorded(self) -> None:
        """Give back the memory of a GPU that a recorded step keeps."""
        if self._recorded is not None:
            self._recorded[1].finish()
        self._recorded = None

    def _learn_codes(self, x: Tensor, number: int | Tensor) -> tuple[Values, Tensor]:
        """A step of the main optimiser; the terms, and what was said of classes."""
        main, _ = self._both_optimizers()
        noise = self.step.noise(x, self.noise)
        if self._compiles(x):
            counted = number if isinstance(number, Tensor) else x.new_full((), number)
            loss, terms, log_c = self._compiled_codes(x, noise, counted)
        else:
            loss, terms, log_c = self.step.codes(x, noise, number)
        if not self._descend(main, loss):
            self._stop(terms, lambda: self.step.drawn(x, noise, number)[1].weighted)
        return terms, log_c

    def _learn_classes(self, shown: Shown, guesses: Tensor | None = None, weight: float | Tensor = 0.0) -> Values:
        """A step of the labelled optimiser; its terms, weights included."""
        _, labelled = self._both_optimizers()
        terms = self._supervision(shown, guesses, weight)
        known = {name: loss.detach() for name, loss in terms.items()}
        if self.config.supervised and not self._descend(labelled, torch.stack(list(terms.values())).sum()):
            self._stop(known, lambda: self._supervision(shown, guesses, weight))
        return known

    def validation_step(self, batch: LabelledBatch, batch_idx: int) -> None:
        """The objective of what training would leave now."""
        x = self.fitted.scaling(batch.x)
        self._validation.add(self.step.without_noise(self.fitted, x).named(), len(x), self.steps_taken)

    def on_validation_epoch_end(self) -> None:
        """Log the validation loss, which early stopping watches."""
        self._validation_means = {f"val_{name}": value for name, value in self._validation.means(self.device).items()}
        self.log("val_loss", self._validation_means["val_loss"], prog_bar=True)

    def on_train_epoch_end(self) -> None:
        """Keep the epoch's record, log it, and let the plateau schedulers see it."""
        self._batches_done = 0
        record = self._train.means(self.device)
        main, labelled = self._both_optimizers()
        for scheduler, monitored in zip(self._schedulers(), ("loss", "cross_entropy"), strict=False):
            scheduler.step(record[monitored])
        self.log("loss", record["loss"], prog_bar=True)
        self.log_dict({name: value for name, value in record.items() if name != "loss"})
        limits = self.step.objective.capacities
        self.history.append(
            {
                "epoch": self.current_epoch,
                "step": self.steps_taken,
                "z_capacity": capacity(self.steps_taken, limits.z, limits.steps),
                "u_capacity": capacity(self.steps_taken, limits.u, limits.steps),
                "lr": main.param_groups[0]["lr"],
                "lr_labelled": labelled.param_groups[0]["lr"],
                **record,
                **self._validation_means,
            }
        )
        self._validation_means = {}  # not every epoch need have some

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What a resumed run needs beside weights and optimisers.

        Raises:
            TrainingDivergedError: there is something in it that is not finite; the checkpoints that are there stay.
        """
        self._train.require_finite()
        self.require_finite_weights()
        checkpoint["partedvae"] = {
            **self._run.state(),
            "steps_taken": self.steps_taken,
            "batches_done": self._batches_done,
            "history": self.history,
            "epoch_so_far": processes.of_each(self._train.state()),
            "noise": processes.of_each(self.noise.get_state()),
            "global_noise": processes.of_each(torch.get_rng_state() if self._of_users else None),
        }

    def require_finite_weights(self) -> None:
        """What a GPU has made of a gradient that was not finite must not be kept.

        Raises:
            TrainingDivergedError: it names the step.
        """
        if not all_finite(self.model.parameters()):
            raise TrainingDivergedError(
                f"Training stopped: weights are not finite after step {self.steps_taken}. {HINT}"
            )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up step, history and noise where the checkpoint left them.

        Raises:
            CheckpointError: it is of another run, or of another version of this program.
        """
        rank, n_processes = processes.world()
        state = self._run.require(self.trainer.ckpt_path, checkpoint, self.state_dict(), n_processes)
        self.steps_taken, self.history, self._noise_state = state["steps_taken"], state["history"], state["noise"][rank]
        self._global_noise_state, self._batches_done = state["global_noise"][rank], state["batches_done"]
        self._train.take_up(state["epoch_so_far"][rank], self.trainer.strategy.root_device)

    @property
    def model(self) -> PartedModel:
        """What is trained."""
        return self.step.model

    @property
    def fitted(self) -> PartedModel:
        """What training leaves: the average of the last steps, or the last weights."""
        return self.model if self.average is None else self.average.model

    @property
    def _run(self) -> SameRun:
        return SameRun(
            to_json(self.config),
            self.n_batches,
            self.data,
            self.validation,
            self.trainer.precision,
            self.compiled,
            self.trainer.strategy.root_device.type,
            sorted(self.step.extra_terms),
            self._augments,
        )

    def _compiles(self, x: Tensor) -> bool:
        """Whether a batch has the usual size: for that of the last one alone it would be compiled once more."""
        return self.compiled and (len(x) == self.config.batch_size or self.n_batches == 1)

    @property
    def _recordable(self) -> bool:
        """Whether a GPU may record a step: nothing in it waits for the device, or is done by Python each time anew."""
        return (
            self.compiled
            and records(self.device)
            and not self._of_users
            and not self.model.prior.waits
            and self.trainer.precision != "16-mixed"  # whose scale is read off the device
        )

    def _supervision(self, shown: Shown, guesses: Tensor | None, weight: float | Tensor = 0.0) -> Values:
        """What the labelled optimiser descends, by name, weights included; of guesses too if given."""
        lesson = self.lessons.of(shown, guesses, weight, self.noise)
        teach = self._compiled_classes if self._compiles(shown.x) else self.step.classes
        known = teach(lesson.x, lesson.targets, lesson.left, lesson.guesses)
        if guesses is None:
            return known
        disagreement = known.get("consistency", torch.zeros_like(known["cross_entropy"]))
        return {**known, "consistency": lesson.weight * disagreement}

    def _anneal(self, labelled: LightningOptimizer) -> None:
        """Lower the rate by a step's share, so that what a plateau has halved stays halved."""
        steps, end = self.n_batches * self.config.max_epochs, self.config.lr_labelled_end
        for group in labelled.param_groups:
            group["lr"] *= annealed(self.steps_taken, steps, end) / annealed(self.steps_taken - 1, steps, end)

    def _descend(self, optimizer: LightningOptimizer, loss: Tensor) -> bool:
        """Take a step, or say no: a gradient that is not finite would spoil the weights.

        On processors only: elsewhere looking would mean waiting, and the next losses tell.
        """
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.device.type == "cpu":
            gradients = [weight.grad for group in optimizer.param_groups for weight in group["params"]]
            if not all_finite(gradients):
                return False
        optimizer.step()
        return True

    def _stop(self, values: Mapping[str, Tensor], again: Callable[[], Mapping[str, Tensor]]) -> NoReturn:
        """Name what is not finite: values if they are not themselves, else the terms whose gradient is not.

        Several processes would have to look for those together, and may be here for different reasons: they do not.
        """
        require_finite(values, self.steps_taken)
        weights = list(self.model.parameters())
        bad = [
            name
            for name, term in (again() if processes.world()[1] == 1 else {}).items()
            if term.requires_grad
            and not all_finite(torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True))
        ]
        raise TrainingDivergedError(
            f"Training stopped: the gradient of {', '.join(bad) or 'the loss'} is not finite at step "
            f"{self.steps_taken}, though the value is. {HINT}"
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
