"""Training batches from observations that come as a stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch

from partedvae.batches import Batch, Observations, deck_of, known_rows, mixed
from partedvae.data.stream import Stream
from partedvae.ondemand import OnDemand
from partedvae.processes import world

_LABELLED_IN_MEMORY = 100_000


class StreamLoader:
    """A loader whose observations are read from a stream anew each epoch, while the labelled ones are in memory.

    Args:
        given: a stream of observations, and their labels.
        batch_size: observations a batch, in each process.
        seed: of the order.
        balance: see :func:`partedvae.batches.balancing_repeats`.
        n_processes: that share the stream.

    Raises:
        ValueError: more labelled observations than should be held in memory.
    """

    def __init__(
        self, given: Observations, batch_size: int, seed: int, balance: bool = False, n_processes: int = 1
    ) -> None:
        if not (isinstance(given.x, OnDemand) and isinstance(given.x.rows, Stream)):
            raise TypeError("StreamLoader reads a stream; what is in memory, training_loader has.")
        rows = known_rows(given.labels).nonzero()[:, 0]
        if len(rows) > _LABELLED_IN_MEMORY:
            raise ValueError(
                f"{len(rows):,} observations of the stream are labelled, and these are held in memory; at most "
                f"{_LABELLED_IN_MEMORY:,} may be. --labels chooses some."
            )
        self.stream, self.layout, self.batch_size, self.seed = given.x.rows, given.x.layout, batch_size, seed
        self.n_processes = n_processes
        self.x_labelled, self.labels = self.layout.to_tensor(self.stream[rows.numpy()]), given.labels[rows]
        self.deck = deck_of(given, rows, balance)
        self.epoch = self.first = 0

    @property
    def late(self) -> Observations:
        """Those whose labels join late."""
        return Observations(self.x_labelled[self.deck.late], self.labels[self.deck.late])

    @property
    def sampler(self) -> StreamLoader:
        """What Lightning tells which epoch comes next."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning says here which epoch comes next, also after a resume."""
        self.epoch = epoch

    def skip(self, n_batches: int) -> None:
        """Leave out the first batches of the epoch, which were seen before; the stream is read past them."""
        self.first = n_batches

    def __len__(self) -> int:
        return math.ceil(self.stream.share(self.n_processes) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        rank, world_size = world()[0], self.n_processes
        generator = torch.Generator().manual_seed(mixed(self.seed, self.epoch) + rank)
        hands = self.deck.hands(self.epoch, self.batch_size, generator)
        batches = zip(self.stream.epoch(self.epoch, self.seed, self.batch_size, rank, world_size), hands, strict=False)
        for x, labelled in islice(batches, self.first, None):
            yield Batch(self.layout.to_tensor(x), self.x_labelled[labelled], self.labels[labelled])
