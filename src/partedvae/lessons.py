"""What the labelled optimiser is shown in a step: labelled observations, and others with guesses of their classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from partedvae.augmentation import Augmentation, augmentation_for, changed
from partedvae.batches import Batch
from partedvae.config import Config
from partedvae.consistency import blended
from partedvae.model import PartedModel
from partedvae.objective import targets_of
from partedvae.schedules import fading
from partedvae.teaching import Teaching, gaps, smoothed


class Shown(NamedTuple):
    """Scaled observations (N, …), labelled ones (M, …) beside them, and what should be said of these, (M, ΣK)."""

    x: Tensor
    x_labelled: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Lesson:
    """What is shown, and what should be said of it.

    Attributes:
        x: (N + M, …), labelled observations, and behind them those with guesses.
        targets: (N, ΣK), classes of the first.
        left: gaps in the encoder, as ``teaching.gaps`` makes them.
        guesses: (M, ΣK), classes of the others; ``None`` if there are none.
        weight: of the guesses.
    """

    x: Tensor
    targets: Tensor
    left: list[Tensor]
    guesses: Tensor | None = None
    weight: float | Tensor = 0.0


class Lessons:
    """Makes them: labels are smoothed, observations changed and those without a label blended, hidden units left out.

    Labelled pictures are changed too, if they are so few that they would be learned by heart, but not blended: what a
    guess may be wrong in is best shown as half of something, what a label says is best shown whole. Features are not
    changed, unless someone says how: which class a row is of may lie in how its values go together, and that the label
    vouches for.

    Args:
        model: its layout, scaling and encoder.
        config: how much of each.
        augment: how observations are changed, or as suits their shape.
        times_shown: how often the run shows each labelled observation.
    """

    def __init__(
        self, model: PartedModel, config: Config, augment: Augmentation | None, times_shown: float = math.inf
    ) -> None:
        self._model, self._config = model, config
        self._augment = augment or augmentation_for(model.scaling.shape, model.partition.n_attributes)
        as_they_are = augment is None and len(model.scaling.shape) == 1
        self._teaching = Teaching.of(config, as_they_are, times_shown)

    @property
    def with_guesses(self) -> bool:
        """Whether observations without a label are shown too."""
        return bool(self._config.supervised and self._teaching.consistency)

    def weight(self, step: int) -> float:
        """How much guesses count after so many steps: less and less, and at last not at all."""
        return self._teaching.consistency * fading(step, self._config.consistency_steps) if self.with_guesses else 0.0

    def shown(self, batch: Batch) -> Shown:
        """A batch as the networks are shown it."""
        layout, scaling = self._model.partition, self._model.scaling
        targets = smoothed(targets_of(batch.labels, layout), self._teaching.smoothing, layout)
        return Shown(scaling(batch.x), scaling(batch.x_labelled), targets)

    def of(self, shown: Shown, guesses: Tensor | None, weight: float | Tensor, noise: torch.Generator) -> Lesson:
        """The lesson of a batch.

        Args:
            shown: the batch.
            guesses: of the classes of its observations, (N, ΣK), if they are learned from.
            weight: of guesses; a tensor is more than 0.
            noise: what chance is drawn from.
        """
        x, labelled, targets = shown
        if guesses is None:
            return Lesson(labelled, targets, self._gaps(labelled, noise))
        if not isinstance(weight, Tensor) and not weight:
            if self._teaching.changes_labelled:
                labelled = changed(labelled, self._augment, noise)
            return Lesson(labelled, targets, self._gaps(labelled, noise))
        if self._teaching.changes_labelled:
            labelled, x = changed(torch.cat([labelled, x]), self._augment, noise).split([len(labelled), len(x)])
        else:
            x = changed(x, self._augment, noise)
        x, guesses = blended(x, guesses, noise)
        everything = torch.cat([labelled, x])
        return Lesson(everything, targets, self._gaps(everything, noise), guesses, weight)

    def _gaps(self, x: Tensor, noise: torch.Generator) -> list[Tensor]:
        return gaps(self._model.encoder, x, self._teaching.dropout, noise)
