"""Many pictures become one array: decoded once, on all cores, into a file that the next start maps."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from PIL.Image import Image

from partedvae.data.cache import digest_of_files, stored, write_rows
from partedvae.data.dataset import DataError, Skipped
from partedvae.data.images import FURTHER, fit_to, of_mode, read_picture
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading, Size

Array = NDArray[Any]
Encoded = Path | bytes
"""A picture as it is stored: a file, or the content of one."""

_PART = 64  # pictures that a worker takes at once, and holds in memory
WORTH_PROCESSES = 2_000  # fewer pictures are decoded before other processes have started
_PICTURES, _REPORT = "pictures.npy", "report.npz"


@dataclass(frozen=True)
class Decoded:
    """Pictures as an array, the numbers of those that could be read, what is wrong with others, and further lines."""

    x: Rows
    kept: NDArray[np.int64]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()


class _Part(NamedTuple):
    """What a worker found in its pictures; those that it could read lie in a file of its own."""

    sizes: list[Size | None]
    faults: list[str | None]
    grey: bool
    further: list[str]  # names of those whose files hold more


def decode(paths: Sequence[Path], reading: Reading, name: str, ids: Sequence[str] | None = None) -> Decoded:
    """Pictures of files, (N, H, W) if all are grey, else (N, H, W, 3), in a mapped file of the cache.

    Args:
        paths: of the pictures.
        reading: their size, whether bad ones are skipped, and whether the cache is used.
        name: of the source, for the cache.
        ids: what the source calls the pictures, if not by their paths.

    Raises:
        DataError: a picture cannot be read, or sizes differ; it names which.
    """
    names = [str(path) for path in paths]
    return decode_encoded(paths, names, reading, name, lambda: digest_of_files(paths), ids)


def decode_encoded(
    pictures: Sequence[Encoded],
    names: Sequence[str],
    reading: Reading,
    source: str,
    fingerprint: Callable[[], str],
    ids: Sequence[str] | None = None,
) -> Decoded:
    """The same for pictures of any kind.

    Args:
        pictures: read a slice at a time.
        names: of the pictures, for errors.
        reading, ids: see :func:`decode`.
        source: its name, for the cache.
        fingerprint: changes with the pictures; asked for only if the cache is used.

    Raises:
        DataError: see :func:`decode`.
    """
    if reading.cache:
        mark = f"{fingerprint()} {reading.size} {reading.pad} {reading.skip_bad}"
        return stored(
            source,
            mark,
            lambda folder: _build(pictures, names, reading, folder),
            lambda folder: _read(folder, ids or names, mapped=True),
        )
    try:
        with TemporaryDirectory() as folder:
            _build(pictures, names, reading, Path(folder))
            return _read(Path(folder), ids or names, mapped=False)
    except OSError as error:
        raise DataError(
            f"The folder {gettempdir()} of temporary files cannot be written: {error}. Make room there, or name "
            "another folder in the environment variable TMPDIR."
        ) from None


def _build(pictures: Sequence[Encoded], names: Sequence[str], reading: Reading, folder: Path) -> None:
    starts = range(0, len(pictures), _PART)
    files = [folder / f"part-{start}.npy" for start in starts]
    parts: list[_Part] = Parallel(n_jobs=_workers(len(pictures)))(
        delayed(_decode_part)(pictures[start : start + _PART], names[start : start + _PART], reading, file)
        for start, file in zip(starts, files, strict=True)
    )
    faults = [fault for part in parts for fault in part.faults]
    if not reading.skip_bad:
        _refuse_first(faults)
    good = np.array([i for i, fault in enumerate(faults) if fault is None], dtype=np.int64)
    if not len(good):
        raise DataError(f"None of the {len(faults)} pictures can be read: {faults[0]}")
    sizes = [size for part in parts for size in part.sizes]
    size = _one_size([names[i] for i in good], [sizes[i] for i in good])
    shape = (len(good), *size) if all(part.grey for part in parts) else (len(good), *size, 3)
    write_rows(folder / _PICTURES, shape, np.uint8, _joined([file for file in files if file.exists()], len(shape)))
    bad = np.setdiff1d(np.arange(len(faults)), good)
    reasons = [str(faults[i]) for i in bad]
    further = [name for part in parts for name in part.further]
    np.savez(
        folder / _REPORT, kept=good, bad=bad, reasons=np.array(reasons, dtype=str), further=np.array(further, dtype=str)
    )


def _decode_part(pictures: Sequence[Encoded], names: Sequence[str], reading: Reading, file: Path) -> _Part:
    images: list[Image] = []
    sizes: list[Size | None] = []
    faults: list[str | None] = []
    further: list[str] = []
    different: set[Size] = set()
    for picture, name in zip(pictures, names, strict=True):
        try:
            read = read_picture(_opened(picture), name)
            image = fit_to(read, reading.size, reading.pad)
        except DataError as error:
            sizes.append(None)
            faults.append(str(error))
        else:
            further += [name] if FURTHER in read.info else []
            different.add(image.size)
            images.append(image)
            if len(different) > 1:  # of different sizes there is no array: they are only measured, to be named
                images.clear()
            sizes.append((image.height, image.width))
            faults.append(None)
    grey = all(image.mode == "L" for image in images)
    if images:
        shape = (images[0].height, images[0].width) if grey else (images[0].height, images[0].width, 3)
        arrays = (np.asarray(of_mode(image, "L" if grey else "RGB")) for image in images)
        write_rows(file, (len(images), *shape), np.uint8, arrays)
    return _Part(sizes, faults, grey, further)


def _joined(files: list[Path], n_axes: int) -> Iterator[Array]:
    """The parts one after the other, each gone when the next is read; where some are in colour, all are."""
    for file in files:
        part = np.load(file, allow_pickle=False)
        yield part if part.ndim == n_axes else np.repeat(part[..., None], 3, axis=3)
        file.unlink()


def _read(folder: Path, names: Sequence[str], mapped: bool) -> Decoded:
    with np.load(folder / _REPORT, allow_pickle=False) as report:
        kept, bad, reasons, further = (report[name] for name in ("kept", "bad", "reasons", "further"))
    x = np.load(folder / _PICTURES, mmap_mode="r" if mapped else None, allow_pickle=False)
    skipped = tuple(Skipped(names[i], str(reason)) for i, reason in zip(bad, reasons, strict=True))
    if not len(further):
        return Decoded(x, kept, skipped)
    note = (
        f"of {len(further):,} files only the first page or frame is read, such as {further[0]}; to learn from the "
        "others, make each a file of its own"
    )
    return Decoded(x, kept, skipped, (note,))


def _workers(n_pictures: int) -> int:
    return cpu_count() if n_pictures >= WORTH_PROCESSES else 1


def _opened(picture: Encoded) -> Path | io.BytesIO:
    return picture if isinstance(picture, Path) else io.BytesIO(picture)


def _refuse_first(faults: list[str | None]) -> None:
    found = [fault for fault in faults if fault is not None]
    if len(found) == 1:
        raise DataError(f"{found[0]} --skip-bad goes on without it.")
    if found:
        raise DataError(f"{found[0]} So it is with {len(found) - 1} more; --skip-bad goes on without them.")


def _one_size(names: list[str], sizes: list[Size | None]) -> Size:
    counts = Counter(size for size in sizes if size is not None)
    most = counts.most_common(1)[0][0]
    if len(counts) == 1:
        return most
    others = [(name, size) for name, size in zip(names, sizes, strict=True) if size is not None and size != most]
    shown = ", ".join(f"{name} ({height}x{width})" for name, (height, width) in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    common = "{}x{}".format(*most)
    raise DataError(
        f"The pictures have different sizes: most are {common} (height x width), but not {shown}{more}. "
        f"--size {common} stretches them all to one size; with --pad they keep their proportions."
    )
