"""What is slow to decode is kept on disk in the form that is read, and made again when its source has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from partedvae.data.dataset import DataError

Array = NDArray[Any]
Found = TypeVar("Found")

WORTH_A_FILE = 2**28
"""Bytes: fewer are read in the time that it takes to look for them in the cache."""

_TRIES = 5
_FORMAT = 3  # another number makes every cached file anew
_COMPLETE, _ROWS = "fingerprint.json", "rows.npy"


def cache_folder() -> Path:
    """Where cached files lie: ``$PARTEDVAE_CACHE``, else ``partedvae`` in the user's cache folder."""
    chosen = os.environ.get("PARTEDVAE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "partedvae"


def stored(name: str, fingerprint: str, build: Callable[[Path], None], read: Callable[[Path], Found]) -> Found:
    """What is read from a folder that ``build`` has filled, which is called only if the fingerprint is new.

    Args:
        name: of the source; a source has one folder, which is made anew when its fingerprint changes.
        fingerprint: changes whenever what ``build`` would write does.
        build: fills an empty folder; nothing of it is left if it fails.
        read: opens what is there; asked again if another process has put something else there meanwhile.

    Raises:
        DataError: the cache cannot be written, it says how to do without; or others do not cease to change it.
    """
    place = cache_folder() / hashlib.sha256(os.fsencode(name)).hexdigest()[:24]
    mark = {"format": _FORMAT, "source": name, "fingerprint": fingerprint}
    for _ in range(_TRIES):
        _fill(place, mark, build)
        try:
            found = read(place)
        except FileNotFoundError:  # moved away between two files
            continue
        if _holds(place, mark):
            return found
    raise DataError(f"Another process makes something else of {name} in the cache, again and again; use --no-cache.")


def _fill(place: Path, mark: dict[str, object], build: Callable[[Path], None]) -> None:
    if _holds(place, mark):
        return
    temporary = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    try:
        temporary.mkdir(parents=True)
        build(temporary)
        (temporary / _COMPLETE).write_text(json.dumps({**mark, "files": _files(temporary)}), encoding="utf-8")
        if place.exists() and not _holds(place, mark):
            _remove(place)
        temporary.replace(place)
    except OSError as error:
        if not _holds(place, mark):  # another process may have made it meanwhile, and use it already
            raise DataError(
                f"The cache {cache_folder()} cannot be written: {error}. Make room there, name another folder in the "
                "environment variable PARTEDVAE_CACHE, or use --no-cache."
            ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def digest_of_files(paths: Sequence[Path], *options: object) -> str:
    """A fingerprint of files by name, size and time of change, and of whatever else decides what is made of them."""
    digest = hashlib.sha256(repr(options).encode())
    for path in paths:
        digest.update(os.fsencode(f"{path}\0{_state(path)}\n"))
    return digest.hexdigest()


def stored_rows(
    kind: str,
    path: Path,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    parts: Callable[[], Iterable[Array]],
    cache: bool,
    *options: object,
) -> Array:
    """Rows (N, …) that come from a file a part at a time: in memory if they are few, else mapped from the cache.

    Args:
        kind: what the file is, for the cache.
        path: of the file.
        shape: of all rows together.
        dtype: of their numbers.
        parts: reads them.
        cache: whether the cache may be used.
        options: what else decides which rows they are.
    """
    if not cache or np.dtype(dtype).itemsize * math.prod(shape) < WORTH_A_FILE:
        rows, start = np.empty(shape, dtype), 0
        for part in parts():
            rows[start : start + len(part)] = part
            start += len(part)
        return rows
    return stored(
        f"{kind} {path.resolve()} {options}",
        digest_of_files([path], shape),
        lambda folder: write_rows(folder / _ROWS, shape, dtype, parts()),
        lambda folder: np.load(folder / _ROWS, mmap_mode="r", allow_pickle=False),
    )


def write_rows(path: Path, shape: tuple[int, ...], dtype: DTypeLike, parts: Iterable[Array]) -> None:
    """An ``.npy`` of rows that come a part at a time.

    Written rather than mapped: a full disk is then an error, where a mapping would end the process.
    """
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype=dtype).data)


def _holds(place: Path, mark: dict[str, object]) -> bool:
    """Whether a folder was filled to the end for this source, and its files are as they were left then."""
    try:
        found = json.loads((place / _COMPLETE).read_text(encoding="utf-8"))
        return bool(found == {**mark, "files": _files(place)})
    except (OSError, ValueError):
        return False


def _remove(place: Path) -> None:
    """Move a folder away in one step, so that no reader finds it half removed, unless another process has."""
    old = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        place.replace(old)
        shutil.rmtree(old)


def _files(folder: Path) -> dict[str, str]:
    return {path.name: _state(path) for path in folder.iterdir() if path.name != _COMPLETE}


def _state(path: Path) -> str:
    """Size and time of change of a file, or why it cannot be read, which may change too."""
    try:
        found = path.stat()
    except OSError as error:
        return str(error.strerror)
    return f"{found.st_size}\0{found.st_mtime_ns}"
