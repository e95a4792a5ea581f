"""How much guesses count and how labels are kept from being learned by heart: as is said, or as suits observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from partedvae.config import Config
from partedvae.partition import Partition

_OF_GUESSES, _SMOOTHING, _DROPOUT = 2.0, 0.1, 0.5


@dataclass(frozen=True)
class Teaching:
    """Pictures can be changed without changing their class, features hardly.

    Labelled ones are changed only if they are shown so often that they would be learned by heart: otherwise what is
    lost is more than what is gained, since nothing that is to be predicted is changed.

    Attributes:
        changes_labelled: whether labelled observations are changed, where others are.
        consistency: weight of what the predictor should say of changed and blended observations.
        smoothing: share of a label that is spread over all classes.
        dropout: share of the hidden units that a labelled step leaves out.

    >>> Teaching.of(Config(), as_they_are=False, times_shown=1_000)
    Teaching(changes_labelled=True, consistency=2.0, smoothing=0.0, dropout=0.0)
    >>> Teaching.of(Config(), as_they_are=True, times_shown=1_000)
    Teaching(changes_labelled=False, consistency=0.0, smoothing=0.1, dropout=0.5)
    """

    changes_labelled: bool
    consistency: float
    smoothing: float
    dropout: float

    @classmethod
    def of(cls, config: Config, as_they_are: bool, times_shown: float) -> Self:
        """What the settings say, and where they leave it open, what suits observations that stay as they are or not.

        Args:
            times_shown: how often a run shows each labelled observation.
        """
        consistency, smoothing, dropout = (0.0, _SMOOTHING, _DROPOUT) if as_they_are else (_OF_GUESSES, 0.0, 0.0)
        return cls(
            not as_they_are and times_shown >= config.memorised_after,
            consistency if config.consistency == "auto" else config.consistency,
            smoothing if config.label_smoothing == "auto" else config.label_smoothing,
            dropout if config.labelled_dropout == "auto" else config.labelled_dropout,
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


def gaps(encoder: nn.Module, x: Tensor, share: float, generator: torch.Generator) -> list[Tensor]:
    """What to multiply the units behind each linear layer by: 0 for a share of them, more than 1 for the others.

    The noise comes from a generator of its own, which a checkpoint holds; that of torch's layers is the global one.

    Args:
        encoder: a sequence of layers.
        x: (N, …), observations.
        share: of the units that is left out; nothing is drawn for none.

    Returns:
        (N, H) for each linear layer of H units.

    Source: Srivastava et al. 2014 (dropout).

    >>> encoder = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> (left,) = gaps(encoder, torch.ones(5, 2), 0.5, torch.Generator().manual_seed(0))
    >>> left.shape, left.unique()
    (torch.Size([5, 3]), tensor([0., 2.]))
    """
    if not share:
        return []
    sizes = [layer.out_features for layer in encoder.children() if isinstance(layer, nn.Linear)]
    return [x.new_empty(len(x), size).bernoulli_(1 - share, generator=generator) / (1 - share) for size in sizes]


def with_gaps(encoder: nn.Module, x: Tensor, left: Sequence[Tensor]) -> Tensor:
    """Hidden features h, (N, H), with ``gaps`` behind the activation of each linear layer.

    >>> encoder = nn.Sequential(nn.Linear(2, 1_000), nn.ReLU())
    >>> x = torch.ones(1, 2)
    >>> h = with_gaps(encoder, x, gaps(encoder, x, 0.5, torch.Generator().manual_seed(0)))
    >>> bool(((h == 0) | (h == 2 * encoder(x))).all())
    True
    """
    if not left:
        h: Tensor = encoder(x)
        return h
    masks, behind_linear = iter(left), False
    for layer in encoder.children():
        x = layer(x)
        if behind_linear:
            x = x * next(masks)
        behind_linear = isinstance(layer, nn.Linear)
    return x
