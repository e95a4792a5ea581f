"""How much guesses count and how far labels are believed: as the settings say, or as suits the observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from partedvae.config import Config
from partedvae.partition import Partition

_OF_GUESSES, _SMOOTHING = 2.0, 0.1


@dataclass(frozen=True)
class Teaching:
    """Pictures can be changed without changing their class, features hardly.

    Attributes:
        consistency: weight of what the predictor should say of changed and blended observations.
        smoothing: share of a label that is spread over all classes.

    >>> Teaching.of(Config(), as_they_are=False)
    Teaching(consistency=2.0, smoothing=0.0)
    >>> Teaching.of(Config(), as_they_are=True)
    Teaching(consistency=0.0, smoothing=0.1)
    """

    consistency: float
    smoothing: float

    @classmethod
    def of(cls, config: Config, as_they_are: bool) -> Self:
        """What the settings say, and where they leave it open, what suits observations that stay as they are or not."""
        of_guesses, smoothing = (0.0, _SMOOTHING) if as_they_are else (_OF_GUESSES, 0.0)
        return cls(
            of_guesses if config.consistency == "auto" else config.consistency,
            smoothing if config.label_smoothing == "auto" else config.label_smoothing,
        )


def smoothed(targets: Tensor, share: float, partition: Partition) -> Tensor:
    """Class probabilities (N, ΣK) of which a share is spread over all classes of the attribute; rows of 0 stay so.

    t' = (1 − s) · t + s · Σ_k t_k / K

    Source: Szegedy et al. 2016.

    >>> smoothed(torch.tensor([[0.0, 1.0], [0.0, 0.0]]), 0.1, Partition((2,), u_dim=1, z_dim=0))
    tensor([[0.0500, 0.9500],
            [0.0000, 0.0000]])
    """
    if not share:
        return targets
    parts = partition.by_attribute(targets)
    return torch.cat([(1 - share) * t + share * t.mean(dim=1, keepdim=True) for t in parts], dim=1)
