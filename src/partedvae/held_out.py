"""Rows that are taken away from training, so that each class keeps some of its labels."""

from __future__ import annotations

import numpy as np
import torch

from partedvae import labels
from partedvae.batches import Observations, known_rows
from partedvae.ondemand import take_rows


def held_out(given: Observations, fraction: float, seed: int) -> tuple[Observations, Observations | None]:
    """Training and validation rows; the share is taken of labelled and of unlabelled rows alike.

    Training keeps a label of each class that has one.
    """
    if fraction == 0:
        return given, None
    shuffled = torch.from_numpy(np.random.default_rng(seed).permutation(len(given.x)))
    known = known_rows(given.labels)[shuffled]
    parts = [shuffled[known], shuffled[~known]]
    held = torch.zeros(len(given.x), dtype=torch.bool)
    held[torch.cat([part[: round(fraction * len(part))] for part in parts])] = True
    held = but_for_the_first(held, given.labels, 1)
    if not held.any():
        raise ValueError(f"validation_fraction={fraction}: too few observations to divide; X has {len(given.x)}.")
    kept, out = (~held).nonzero()[:, 0], held.nonzero()[:, 0]
    training, validation = (Observations(take_rows(given.x, rows), given.labels[rows]) for rows in (kept, out))
    return training, validation


def as_classes(known: torch.Tensor) -> torch.Tensor:
    """Labels as numbers (N, A), of probabilities the most probable class; −1 where missing."""
    if not known.is_floating_point():
        return known
    return torch.where(known_rows(known), known.argmax(dim=1), labels.MISSING)[:, None]


def but_for_the_first(taken: torch.Tensor, known: torch.Tensor, n: int) -> torch.Tensor:
    """Rows to take away, (N,), less the first of each class that would have fewer than n labels left."""
    left = taken.clone()
    for column in as_classes(known).T:
        lost = (left & (column != labels.MISSING)).nonzero()[:, 0]
        kept = column[~left & (column != labels.MISSING)].bincount(minlength=int(column.max()) + 1)
        classes = column[lost]
        left[lost[ranks(classes) < n - kept[classes]]] = False
    return left


def ranks(groups: torch.Tensor) -> torch.Tensor:
    """How many rows before each are of its group, (N,), by the groups' numbers.

    >>> ranks(torch.tensor([2, 0, 2, 2, 0]))
    tensor([0, 0, 1, 2, 1])
    """
    order = groups.argsort(stable=True)
    sizes = groups.bincount()
    place = torch.arange(len(groups)) - (sizes.cumsum(0) - sizes)[groups[order]]
    return torch.empty_like(place).scatter_(0, order, place)
