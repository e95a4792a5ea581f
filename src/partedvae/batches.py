"""Batches of observations in memory, cut from tensors by rows; which rows is a pure function of seed and epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler


class Batch(NamedTuple):
    """What one training step sees: raw observations, and labelled ones beside them with labels (M, A)."""

    x: Tensor
    x_labelled: Tensor
    labels: Tensor


class LabelledBatch(NamedTuple):
    """What one validation step sees: raw observations and their labels, −1 where missing."""

    x: Tensor
    labels: Tensor


class Draw(NamedTuple):
    """Row numbers of one batch: among all observations, and among the labelled ones."""

    rows: Tensor
    labelled: Tensor


class Draws(Sampler[Draw]):
    """The batches of an epoch.

    Every observation comes once an epoch, in an order of its own. The labelled rows are dealt in rounds: each round
    every one of them once.

    >>> draws = Draws(n_rows=5, n_labelled=3, batch_size=4, seed=0)
    >>> [(len(rows), len(labelled)) for rows, labelled in draws]
    [(4, 3), (1, 3)]
    """

    def __init__(self, n_rows: int, n_labelled: int, batch_size: int, seed: int) -> None:
        self.n_rows, self.n_labelled, self.batch_size, self.seed = n_rows, n_labelled, batch_size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says here which epoch comes next, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.n_rows / self.batch_size)

    def __iter__(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(_mix(self.seed, self.epoch))
        order = torch.randperm(self.n_rows, generator=generator)
        labelled_size = min(self.batch_size, self.n_labelled)
        rounds = math.ceil(len(self) * labelled_size / self.n_labelled)
        dealt = torch.cat([torch.randperm(self.n_labelled, generator=generator) for _ in range(rounds)])
        for rows, labelled in zip(order.split(self.batch_size), dealt.split(labelled_size), strict=False):
            yield Draw(rows, labelled)


class Rows(Dataset[Batch]):
    """Observations (N, …) and labels (N, A), read a batch at a time."""

    def __init__(self, x: Tensor, labels: Tensor) -> None:
        known = (labels >= 0).any(dim=1)
        self.x, self.x_labelled, self.labels = x, x[known], labels[known]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, draw: Draw) -> Batch:
        return Batch(self.x[draw.rows], self.x_labelled[draw.labelled], self.labels[draw.labelled])


class OrderedRows(Dataset[LabelledBatch]):
    """Observations and labels in their order, a slice at a time."""

    def __init__(self, x: Tensor, labels: Tensor, batch_size: int) -> None:
        self.x, self.labels, self.batch_size = x, labels, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> LabelledBatch:
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return LabelledBatch(self.x[part], self.labels[part])


def training_loader(x: Tensor, labels: Tensor, batch_size: int, seed: int) -> DataLoader[Batch]:
    """A loader of shuffled training batches; at least one row of ``labels`` must have a label."""
    rows = Rows(x, labels)
    draws = Draws(len(rows), len(rows.labels), batch_size, seed)
    # The loader draws a seed for workers it does not have: from a generator of its own, not the global one.
    return DataLoader(rows, sampler=draws, batch_size=None, generator=torch.Generator())


def validation_loader(x: Tensor, labels: Tensor, batch_size: int) -> DataLoader[LabelledBatch]:
    """A loader of batches in order."""
    return DataLoader(OrderedRows(x, labels, batch_size), batch_size=None, generator=torch.Generator())


def _mix(seed: int, epoch: int) -> int:
    """One seed from two numbers, so that epoch 1 of seed 0 is not epoch 0 of seed 1."""
    return (seed * 1_000_003 + epoch * 7_919 + 1) % 2**63
