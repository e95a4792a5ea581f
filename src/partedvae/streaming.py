"""Training batches from observations that come as a stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from partedvae.batches import Batch, dealt, known_rows, mixed, repeats
from partedvae.data.stream import Stream
from partedvae.layout import Layout
from partedvae.processes import world

_LABELLED_IN_MEMORY = 100_000


class StreamLoader:
    """A loader whose observations are read from a stream anew each epoch, while the labelled ones are in memory.

    Args:
        stream: the observations.
        layout: of them.
        labels: of all rows of the stream; see :func:`partedvae.batches.known_rows`.
        batch_size: observations a batch, in each process.
        seed: of the order.
        balance: see :func:`partedvae.batches.balancing_repeats`.
        n_processes: that share the stream.

    Raises:
        ValueError: more labelled observations than should be held in memory.
    """

    def __init__(
        self,
        stream: Stream,
        layout: Layout,
        labels: Tensor,
        batch_size: int,
        seed: int,
        balance: bool,
        n_processes: int = 1,
    ) -> None:
        rows = known_rows(labels).nonzero()[:, 0]
        if len(rows) > _LABELLED_IN_MEMORY:
            raise ValueError(
                f"{len(rows):,} observations of the stream are labelled, and these are held in memory; at most "
                f"{_LABELLED_IN_MEMORY:,} may be. --labels chooses some."
            )
        self.stream, self.layout, self.batch_size, self.seed = stream, layout, batch_size, seed
        self.n_processes = n_processes
        self.x_labelled, self.labels = layout.to_tensor(stream[rows.numpy()]), labels[rows]
        self.deck = torch.arange(len(rows)).repeat_interleave(repeats(self.labels, balance))
        self.epoch = self.first = 0

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
        hands = dealt(self.deck, min(self.batch_size, len(self.labels)), generator)
        batches = zip(self.stream.epoch(self.epoch, self.seed, self.batch_size, rank, world_size), hands, strict=False)
        for x, labelled in islice(batches, self.first, None):
            yield Batch(self.layout.to_tensor(x), self.x_labelled[labelled], self.labels[labelled])
