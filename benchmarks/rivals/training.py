"""The same batches, steps and optimiser for every rival that is a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from partedvae.batches import Draws, Observations, training_loader
from tasks import Task


class Step(NamedTuple):
    """What one step is given: pictures (N, 1, H, W) in [0, 1], labelled ones with labels (M,), and how far it is."""

    x: Tensor
    x_labelled: Tensor
    labels: Tensor
    progress: float


def train(task: Task, seed: int, step: Callable[[Step], None]) -> None:
    """Call ``step`` for every batch of every epoch: the batches that PartedVAE gets with the same seed."""
    config = task.config
    x, y = torch.from_numpy(task.x[:, None]), torch.from_numpy(task.y[:, None])
    loader = training_loader(Observations(x, y), config.batch_size, seed, config.balance_labels)
    draws = loader.sampler
    if not isinstance(draws, Draws):
        raise TypeError("The loader of training batches should draw rows with Draws.")
    done, steps = 0, len(draws) * config.max_epochs
    for epoch in range(config.max_epochs):
        draws.set_epoch(epoch)
        for batch in loader:
            done += 1
            step(Step(batch.x / 255, batch.x_labelled / 255, batch.labels[:, 0], done / steps))
