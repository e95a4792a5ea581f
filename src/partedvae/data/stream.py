"""Pictures read as they come, for data that fits neither in memory nor on this disk."""

from __future__ import annotations

import inspect
import io
import math
from collections.abc import Iterable, Iterator
from itertools import compress, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from partedvae.data import decoding
from partedvae.data.ahead import ahead
from partedvae.data.dataset import DataError
from partedvae.data.images import FURTHER, fit_to, of_mode, read_picture
from partedvae.data.inside import inside
from partedvae.data.lazy import RowNumbers
from partedvae.data.reading import Reading
from partedvae.warned import warn

Array = NDArray[Any]

IN_THE_TABLE = "Put the picture itself into the table, or its file beside it."
_SHUFFLED = 10_000  # pictures among which the next one is drawn
_GROUP = 32  # pictures that another process decodes at once


class Stream:
    """Pictures of a streaming data set, from first to last; some rows are found by reading up to them.

    Args:
        part: an ``IterableDataset`` of Hugging Face's library.
        column: of pictures.
        reading: their size. Grey or colour is decided by the first picture.
        n_rows: how many there are, at least one.
        called: the source, in errors.
        root: the folder that pictures which are files must lie in; ``None``: they are wherever the library says.
    """

    def __init__(
        self,
        part: Any,
        column: str,
        reading: Reading,
        n_rows: int,
        called: str = "The stream",
        root: Path | None = None,
    ) -> None:
        import datasets

        self._root = root

        self._part = part.select_columns([column]).cast_column(column, datasets.Image(decode=False))
        self._column, self._reading, self._called = column, reading, called
        image, _ = self._decoded(next(iter(self._part)))
        self._told_of_pages = False
        self._mode = image.mode
        size = (image.height, image.width)
        self.shape: tuple[int, ...] = (n_rows, *size) if image.mode == "L" else (n_rows, *size, 3)
        self.dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: RowNumbers) -> Array:
        """Some rows, at the cost of reading all that come before the last of them."""
        needed, places = np.unique(np.asarray(rows), return_inverse=True)
        if not len(needed):
            return np.empty((0, *self.shape[1:]), self.dtype)
        return next(self.parts(len(needed), needed))[places]

    def parts(self, n_rows: int, rows: RowNumbers | None = None) -> Iterator[Array]:
        """All pictures in order, or those of ascending numbers, so many at a time."""
        yield from self._decoded_parts(self._read(self._part) if rows is None else self._some(rows), n_rows)

    def _some(self, rows: RowNumbers) -> Iterator[dict[str, Any]]:
        wanted = np.zeros(rows.max(initial=-1) + 1, dtype=bool)
        wanted[rows] = True
        return compress(self._read(self._part), wanted)

    def epoch(self, number: int, seed: int, n_rows: int, rank: int = 0, world_size: int = 1) -> Iterator[Array]:
        """The pictures of an epoch, shuffled, so many at a time; each of several processes gets equally many.

        The library divides files among processes, and rows where there are too few files. Since its shares may differ
        in length, one that is used up starts again.
        """
        from datasets.distributed import split_dataset_by_node

        shuffled = self._part.shuffle(seed=seed, buffer_size=_SHUFFLED, **self._of_one_file())
        share = split_dataset_by_node(shuffled, rank=rank, world_size=world_size)
        share.set_epoch(number)  # only now, since dividing starts again from epoch 0
        yield from self._decoded_parts(islice(self._read(_endless(share)), self.share(world_size)), n_rows)

    def _of_one_file(self) -> dict[str, int]:
        """That there is nothing to mix with: after what several threads have read, the library waits five seconds."""
        known = "max_buffer_input_shards" in inspect.signature(self._part.shuffle).parameters
        return {"max_buffer_input_shards": 1} if known and self._part.num_shards == 1 else {}

    def _read(self, examples: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The rows, or one error that names the source: the library's own are of many kinds, and may not."""
        try:
            yield from examples
        except (DataError, MemoryError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{self._called} can no longer be read: {type(error).__name__}: {reason}") from error

    def share(self, world_size: int) -> int:
        """How many pictures each of several processes gets in an epoch."""
        return math.ceil(len(self) / world_size)

    def _decoded_parts(self, examples: Iterator[dict[str, Any]], n_rows: int) -> Iterator[Array]:
        decoded = ahead if len(self) >= decoding.WORTH_PROCESSES else map
        yield from _joined(self._told(decoded(self._arrays, _groups(examples, n_rows))), n_rows)

    def _told(self, groups: Iterable[tuple[Array, str | None]]) -> Iterator[Array]:
        """The pictures; whoever reads them is told once if a file has more."""
        for pictures, of_pages in groups:
            if of_pages is not None and not self._told_of_pages:
                self._told_of_pages = True
                warn(
                    f"{of_pages} has further pages or frames, of which only the first is read, here and in all files "
                    "of the stream. To learn from the others, make each a file of its own."
                )
            yield pictures

    def _arrays(self, examples: list[dict[str, Any]]) -> tuple[Array, str | None]:
        """Pictures, and the name of the first whose file has further pages."""
        arrays, of_pages = zip(*map(self._array, examples), strict=True)
        return np.stack(arrays), next(filter(None, of_pages), None)

    def _array(self, example: dict[str, Any]) -> tuple[Array, str | None]:
        image, of_pages = self._decoded(example)
        array = np.asarray(of_mode(image, self._mode))
        if array.shape != self.shape[1:]:
            raise DataError(
                f"A picture of the stream is {image.height}x{image.width}, the first {self.shape[1]}x{self.shape[2]}. "
                "--size brings all to one size."
            )
        return array, of_pages

    def _decoded(self, example: dict[str, Any]) -> tuple[Image, str | None]:
        """A picture, and its name if its file has further pages."""
        picture = example[self._column] or {"bytes": b""}
        named = picture.get("path") or "A picture of the stream"
        try:
            with self._opened(picture) as file:
                read = read_picture(file, named)
                return fit_to(read, self._reading.size, self._reading.pad), named if FURTHER in read.info else None
        except (DataError, OSError) as error:
            raise DataError(
                f"{str(error).removesuffix('.')}. Without --streaming, --skip-bad goes on without it."
            ) from None

    def _opened(self, picture: dict[str, Any]) -> IO[bytes]:
        from datasets.utils.file_utils import xopen

        content = picture["bytes"]
        if content is not None:
            return io.BytesIO(content)
        if self._root is not None:
            return inside(self._root, picture["path"], self._called, IN_THE_TABLE).open("rb")
        file: IO[bytes] = xopen(picture["path"], "rb")  # inside an archive or over the network, too
        return file


def _endless(share: Any) -> Iterator[dict[str, Any]]:
    """The rows of a share from first to last, again and again."""
    while True:
        row = None
        for row in share:
            yield row
        if row is None:
            raise DataError("The stream has no rows for one of the processes: use fewer.")


def _groups(examples: Iterator[dict[str, Any]], n_rows: int) -> Iterator[list[dict[str, Any]]]:
    """Rows by the few, none of them on both sides of where a part of so many ends."""
    left = n_rows
    while group := list(islice(examples, min(left, _GROUP))):
        yield group
        left = (left - len(group)) or n_rows


def _joined(groups: Iterator[Array], n_rows: int) -> Iterator[Array]:
    """Parts of so many rows, of groups that end where they do."""
    gathered: list[Array] = []
    for group in groups:
        gathered.append(group)
        if sum(map(len, gathered)) == n_rows:
            yield np.concatenate(gathered)
            gathered = []
    if gathered:
        yield np.concatenate(gathered)
