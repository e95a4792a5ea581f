"""Batches of observations in memory, cut from tensors by rows; which rows is a pure function of seed and epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

from partedvae.ondemand import Raw
from partedvae.processes import world

_LONGEST_DECK = 2**22  # rows dealt in a round: 32 MiB


class Late(NamedTuple):
    """Labels that are not learned from before an epoch: the numbers of their rows, ascending, and the epoch."""

    rows: Tensor
    epoch: int


@dataclass(frozen=True)
class Observations:
    """Raw observations (N, …), channels first, and labels: see :func:`known_rows`."""

    x: Raw
    labels: Tensor
    late: Late | None = None


class Batch(NamedTuple):
    """What one training step sees: raw observations, and labelled ones beside them with labels (M, A) or (M, K)."""

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


class Deck:
    """The labelled rows that are dealt in an epoch, by their numbers among the M labelled ones.

    Args:
        labels: of the labelled rows, (M, A) or (M, K).
        balance: see :func:`balancing_repeats`.
        late: which of the labelled rows are left out before the epoch ``joining``, (M,).
        joining: see ``late``.

    >>> deck = Deck(torch.tensor([[0], [0], [1]]), balance=True, late=torch.tensor([True, False, False]), joining=3)
    >>> deck.of(2, torch.Generator()), deck.of(3, torch.Generator())
    (tensor([1, 2]), tensor([0, 1, 2, 2]))
    """

    def __init__(self, labels: Tensor, balance: bool = False, late: Tensor | None = None, joining: int = 0) -> None:
        self.labels, self.balance, self.joining = labels, balance, joining
        self.late = torch.zeros(len(labels), dtype=torch.bool) if late is None else late

    def of(self, epoch: int, generator: torch.Generator) -> Tensor:
        """Row numbers, each as often as it is dealt in a round.

        Where very many rows of some class would have to come very often each, a choice of the others is dealt instead.
        """
        rows = self._known(epoch)
        if not self.balance:
            return rows
        repeats = balancing_repeats(self.labels[rows])
        too_many = int(repeats.sum()) / _LONGEST_DECK
        if too_many > 1:
            by_chance = torch.rand(len(repeats), dtype=torch.float64, generator=generator)
            repeats = (repeats / too_many + by_chance).long()
        return rows.repeat_interleave(repeats)

    def _known(self, epoch: int) -> Tensor:
        """The rows whose labels have joined by an epoch."""
        rows = torch.arange(len(self.labels))
        return rows[~self.late] if epoch < self.joining else rows

    def hands(self, epoch: int, batch_size: int, generator: torch.Generator, n_processes: int = 1) -> Iterator[Tensor]:
        """Hands without end for batches of a size, of as many rows if so many have labels."""
        size = min(batch_size, len(self._known(epoch)))
        return dealt(self.of(epoch, generator), size * n_processes, generator)


class Draws(Sampler[Draw]):
    """The batches of an epoch.

    Every observation comes once an epoch, in an order of its own. The labelled rows are dealt in rounds. Of several
    processes each is given its part of the same draws, of ``batch_size`` rows each; parts are of one size, so in the
    last batch of an epoch a few rows may be left out.

    >>> draws = Draws(n_rows=5, deck=Deck(torch.tensor([[0], [0], [1]])), batch_size=4, seed=0)
    >>> [(len(rows), len(labelled)) for rows, labelled in draws]
    [(4, 3), (1, 3)]
    """

    def __init__(self, n_rows: int, deck: Deck, batch_size: int, seed: int, n_processes: int = 1) -> None:
        self.n_rows, self.deck, self.batch_size, self.seed = n_rows, deck, batch_size, seed
        self.n_processes = n_processes
        self.epoch = self.first = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says here which epoch comes next, also after a resume."""
        self.epoch = epoch

    def skip(self, n_batches: int) -> None:
        """Leave out the first batches of the epoch, which were dealt before."""
        self.first = n_batches

    def __len__(self) -> int:
        return math.ceil(self.n_rows // self.n_processes / self.batch_size)

    def __iter__(self) -> Iterator[Draw]:
        rank, size = world()[0], self.n_processes
        generator = torch.Generator().manual_seed(mixed(self.seed, self.epoch))
        order = torch.randperm(self.n_rows, generator=generator)[: self.n_rows // size * size]
        labelled = self.deck.hands(self.epoch, self.batch_size, generator, size)
        for whole in islice(map(Draw, order.split(self.batch_size * size), labelled), self.first, None):
            yield Draw(*(rows.chunk(size)[rank] for rows in whole))


def dealt(deck: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Hands of ``size`` cards without end, from decks shuffled one after the other.

    >>> hands = dealt(torch.arange(4), 3, torch.Generator().manual_seed(0))
    >>> torch.cat([next(hands) for _ in range(4)]).bincount()
    tensor([3, 3, 3, 3])
    """
    left = deck[:0]
    while True:
        while len(left) < size:
            left = torch.cat([left, deck[torch.randperm(len(deck), generator=generator)]])
        yield left[:size]
        left = left[size:]


def known_rows(labels: Tensor) -> Tensor:
    """Which observations have a label, (N,).

    Labels are numbers (N, A), −1 where missing, or class probabilities (N, K) of one attribute, 0 where missing.
    """
    return labels.sum(dim=1) > 0 if labels.is_floating_point() else (labels >= 0).any(dim=1)


def balancing_repeats(labels: Tensor) -> Tensor:
    """How often each labelled row is dealt in a round, so that all classes of an attribute come equally often.

    A row of a class that is n times rarer than the most frequent one comes about n times; with several attributes, by
    the mean over those that it has a label of. Class probabilities count as the most probable class.

    >>> balancing_repeats(torch.tensor([[0], [0], [0], [1]]))
    tensor([1, 1, 1, 3])
    """
    codes = labels.argmax(dim=1, keepdim=True) if labels.is_floating_point() else labels
    known = codes >= 0
    weights = torch.zeros(codes.shape, dtype=torch.float64)
    for column, has, weight in zip(codes.T, known.T, weights.T, strict=True):
        weight[has] = 1 / torch.bincount(column[has])[column[has]].double()
    each = weights.sum(dim=1) / known.sum(dim=1)
    quarters = (4 * each / each.min()).round().long()  # 12 rows against 8: in quarters 1.5 times needs no rounding
    return quarters // math.gcd(*quarters.unique().tolist())


class Rows(Dataset[Batch]):
    """Observations (N, …) and labels (N, A), read a batch at a time.

    Args:
        x: observations.
        labels: theirs.
        device: where both are kept, if observations are in memory and not on demand.
    """

    def __init__(self, x: Raw, labels: Tensor, device: torch.device | None = None) -> None:
        self.labelled = known_rows(labels).nonzero()[:, 0]
        self.x = x.to(device) if isinstance(x, Tensor) else x
        self.labels = labels.to(device)
        self.device = device

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, draw: Draw) -> Batch:
        both = draw.rows, self.labelled[draw.labelled]
        sizes = [len(rows) for rows in both]
        # Without waiting for a device, which indices on the processor would do. A GPU is told one thing, not two.
        together = torch.cat(both).to(self.device, non_blocking=True)
        rows, labelled = together.split(sizes)
        in_memory = isinstance(self.x, Tensor)
        x, x_labelled = self.x[together].split(sizes) if in_memory else (self.x[rows], self.x[labelled])
        return Batch(x, x_labelled, self.labels[labelled])


class OrderedRows(IterableDataset[LabelledBatch]):
    """Observations and labels in their order, a part at a time."""

    def __init__(self, x: Raw, labels: Tensor, batch_size: int) -> None:
        self.x, self.labels, self.batch_size = x, labels, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __iter__(self) -> Iterator[LabelledBatch]:
        parts = zip(self.x.split(self.batch_size), self.labels.split(self.batch_size), strict=True)
        yield from (LabelledBatch(x, labels) for x, labels in parts)


def training_loader(
    given: Observations,
    batch_size: int,
    seed: int,
    balance: bool = False,
    n_processes: int = 1,
    device: torch.device | None = None,
) -> DataLoader[Batch]:
    """A loader of shuffled training batches; at least one row must have a label. ``device``: see :class:`Rows`."""
    rows = Rows(given.x, given.labels, device)
    deck = deck_of(given, rows.labelled, balance)
    draws = Draws(len(rows), deck, batch_size, seed, n_processes)
    # The loader draws a seed for workers it does not have: from a generator of its own, not the global one.
    return DataLoader(rows, sampler=draws, batch_size=None, generator=torch.Generator())


def deck_of(given: Observations, labelled: Tensor, balance: bool) -> Deck:
    """The deck of the labelled rows of observations, whose numbers are given."""
    if given.late is None:
        return Deck(given.labels[labelled], balance)
    return Deck(given.labels[labelled], balance, torch.isin(labelled, given.late.rows), given.late.epoch)


def validation_loader(x: Raw, labels: Tensor, batch_size: int) -> DataLoader[LabelledBatch]:
    """A loader of batches in order."""
    return DataLoader(OrderedRows(x, labels, batch_size), batch_size=None, generator=torch.Generator())


def mixed(seed: int, epoch: int) -> int:
    """One seed from two numbers, so that epoch 1 of seed 0 is not epoch 0 of seed 1."""
    return (seed * 1_000_003 + epoch * 7_919 + 1) % 2**63
