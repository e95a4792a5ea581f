"""Pictures read as they come, for data that fits neither in memory nor on this disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import DataError
from partedvae.data.images import fit_to, read_picture
from partedvae.data.lazy import RowNumbers
from partedvae.data.reading import Reading

Array = NDArray[Any]

_SHUFFLED = 10_000  # pictures among which the next one is drawn


class Stream:
    """Pictures of a streaming data set, from first to last; some rows are found by reading up to them.

    Args:
        part: an ``IterableDataset`` of Hugging Face's library.
        column: of pictures.
        reading: their size. Grey or colour is decided by the first picture.
        n_rows: how many there are.
    """

    def __init__(self, part: Any, column: str, reading: Reading, n_rows: int) -> None:
        import datasets

        self._part = part.select_columns([column]).cast_column(column, datasets.Image(decode=False))
        self._column, self._reading = column, reading
        first = next(iter(self._part), None)
        if first is None or not n_rows:
            raise DataError("The stream has no rows.")
        image = self._decoded(first)
        self._mode = image.mode
        size = (image.height, image.width)
        self.shape: tuple[int, ...] = (n_rows, *size) if image.mode == "L" else (n_rows, *size, 3)
        self.dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: RowNumbers) -> Array:
        """Some rows, at the cost of reading all that come before the last of them."""
        wanted = np.asarray(rows)
        found: dict[int, Array] = {}
        needed = set(wanted.tolist())
        for number, example in enumerate(self._part):
            if number in needed:
                found[number] = self._array(example)
                if len(found) == len(needed):
                    break
        if not len(wanted):
            return np.empty((0, *self.shape[1:]), self.dtype)
        return np.stack([found[row] for row in wanted.tolist()])

    def parts(self, n_rows: int) -> Iterator[Array]:
        """All pictures in order, so many at a time."""
        yield from _stacked(map(self._array, self._part), n_rows)

    def epoch(self, number: int, seed: int, n_rows: int, rank: int = 0, world_size: int = 1) -> Iterator[Array]:
        """The pictures of an epoch without end, shuffled, so many at a time; of several processes each gets its share.

        The library divides files among processes, and rows where there are too few files. Since shares may differ in
        length, one that is used up starts again.
        """
        from datasets.distributed import split_dataset_by_node

        shuffled = self._part.shuffle(seed=seed, buffer_size=_SHUFFLED)
        shuffled.set_epoch(number)
        share = split_dataset_by_node(shuffled, rank=rank, world_size=world_size)

        def endless() -> Iterator[Array]:
            while True:
                yield from map(self._array, share)

        yield from _stacked(endless(), n_rows)

    def _array(self, example: dict[str, Any]) -> Array:
        image = self._decoded(example)
        array = np.asarray(image.convert(self._mode))
        if array.shape != self.shape[1:]:
            raise DataError(
                f"A picture of the stream is {image.height}x{image.width}, the first {self.shape[1]}x{self.shape[2]}. "
                "--size brings all to one size."
            )
        return array

    def _decoded(self, example: dict[str, Any]) -> Any:
        picture = example[self._column]
        content = picture["bytes"]
        file = io.BytesIO(content) if content is not None else open(picture["path"], "rb")  # noqa: SIM115, PTH123
        with file:
            return fit_to(read_picture(file, picture.get("path") or "a picture"), self._reading.size, self._reading.pad)


def _stacked(pictures: Iterator[Array], n_rows: int) -> Iterator[Array]:
    gathered: list[Array] = []
    for picture in pictures:
        gathered.append(picture)
        if len(gathered) == n_rows:
            yield np.stack(gathered)
            gathered = []
    if gathered:
        yield np.stack(gathered)
