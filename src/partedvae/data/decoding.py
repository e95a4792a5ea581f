"""Many pictures become one array: decoded once, on all cores, into a file that the next start maps."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from PIL.Image import Image

from partedvae.data.cache import digest_of_files, stored, write_rows
from partedvae.data.dataset import DataError, Skipped
from partedvae.data.images import fit_to, read_picture
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading, Size

Encoded = Path | bytes
"""A picture as it is stored: a file, or the content of one."""

_PART = 256  # pictures that a worker takes at once
_WORTH_PROCESSES = 2_000  # fewer are decoded before the workers have started
_PICTURES, _REPORT = "pictures.npy", "report.npz"


@dataclass(frozen=True)
class Decoded:
    """Pictures as an array, the numbers of those that could be read, and what is wrong with the others."""

    x: Rows
    kept: NDArray[np.int64]
    skipped: tuple[Skipped, ...]


class _Part(NamedTuple):
    """What a worker found in its pictures; those that it could read lie in a file of its own."""

    sizes: list[Size | None]
    faults: list[str | None]


def decode(paths: Sequence[Path], reading: Reading, name: str) -> Decoded:
    """Pictures of files, (N, H, W) if all are grey, else (N, H, W, 3), in a mapped file of the cache.

    Args:
        paths: of the pictures.
        reading: their size, whether bad ones are skipped, and whether the cache is used.
        name: of the source, for the cache.

    Raises:
        DataError: a picture cannot be read, or sizes differ; it names which.
    """
    files: list[Encoded] = list(paths)
    if not reading.cache:
        with TemporaryDirectory() as folder:
            _build(files, [str(path) for path in files], reading, Path(folder))
            return _read(Path(folder), files, mapped=False)
    try:
        fingerprint = digest_of_files(paths, reading.size, reading.pad, reading.skip_bad)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None
    names = [str(path) for path in files]
    return _read(stored(name, fingerprint, lambda folder: _build(files, names, reading, folder)), files, mapped=True)


def decode_into(folder: Path, pictures: Sequence[Encoded], names: Sequence[str], reading: Reading) -> None:
    """Decode pictures into ``folder``, for a cache that is filled with more than files."""
    _build(pictures, list(names), reading, folder)


def decoded_in(folder: Path, names: Sequence[Any], mapped: bool = True) -> Decoded:
    """What ``decode_into`` left in ``folder``."""
    return _read(folder, names, mapped)


def _build(pictures: Sequence[Encoded], names: list[str], reading: Reading, folder: Path) -> None:
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
    _require_one_size([names[i] for i in good], [sizes[i] for i in good])
    _join([file for file in files if file.exists()], len(good), folder / _PICTURES)
    bad = np.setdiff1d(np.arange(len(faults)), good)
    np.savez(folder / _REPORT, kept=good, bad=bad, reasons=np.array([str(faults[i]) for i in bad], dtype=str))


def _decode_part(pictures: Sequence[Encoded], names: list[str], reading: Reading, file: Path) -> _Part:
    images: list[Image] = []
    sizes: list[Size | None] = []
    faults: list[str | None] = []
    for picture, name in zip(pictures, names, strict=True):
        try:
            image = fit_to(read_picture(_opened(picture), name), reading.size, reading.pad)
        except DataError as error:
            sizes.append(None)
            faults.append(str(error))
        else:
            images.append(image)
            sizes.append((image.height, image.width))
            faults.append(None)
    if len({image.size for image in images}) == 1:  # of different sizes there is no array, and nothing to go on with
        grey = all(image.mode == "L" for image in images)
        np.save(file, np.stack([np.asarray(image if grey else image.convert("RGB")) for image in images]))
    return _Part(sizes, faults)


def _join(files: list[Path], n: int, target: Path) -> None:
    """One array of the parts; if any is in colour, all are."""
    parts = [np.load(file, mmap_mode="r") for file in files]
    grey = all(part.ndim == 3 for part in parts)
    shape = (n, *parts[0].shape[1:3]) if grey else (n, *parts[0].shape[1:3], 3)
    colours = (part if grey or part.ndim == 4 else np.repeat(part[..., None], 3, axis=3) for part in parts)
    write_rows(target, shape, np.uint8, colours)
    for file in files:
        file.unlink()


def _read(folder: Path, names: Sequence[Any], mapped: bool) -> Decoded:
    with np.load(folder / _REPORT, allow_pickle=False) as report:
        kept, bad, reasons = report["kept"], report["bad"], report["reasons"]
    x = np.load(folder / _PICTURES, mmap_mode="r" if mapped else None, allow_pickle=False)
    skipped = tuple(Skipped(str(names[i]), str(reason)) for i, reason in zip(bad, reasons, strict=True))
    return Decoded(x, kept, skipped)


def _workers(n_pictures: int) -> int:
    return (os.cpu_count() or 1) if n_pictures >= _WORTH_PROCESSES else 1


def _opened(picture: Encoded) -> Path | io.BytesIO:
    return picture if isinstance(picture, Path) else io.BytesIO(picture)


def _refuse_first(faults: list[str | None]) -> None:
    found = [fault for fault in faults if fault is not None]
    if len(found) == 1:
        raise DataError(f"{found[0]} --skip-bad goes on without it.")
    if found:
        raise DataError(f"{found[0]} So it is with {len(found) - 1} more; --skip-bad goes on without them.")


def _require_one_size(names: list[str], sizes: list[Size | None]) -> None:
    counts = Counter(size for size in sizes if size is not None)
    if len(counts) == 1:
        return
    most = counts.most_common(1)[0][0]
    others = [(name, size) for name, size in zip(names, sizes, strict=True) if size is not None and size != most]
    shown = ", ".join(f"{name} ({height}x{width})" for name, (height, width) in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    common = "{}x{}".format(*most)
    raise DataError(
        f"The pictures have different sizes: most are {common} (height x width), but not {shown}{more}. "
        f"--size {common} stretches them all to one size; with --pad they keep their proportions."
    )
