"""A folder for one process at a time: two that write into it would leave a mixture of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from partedvae.processes import writes_files

_LOCK = ".lock"


@contextmanager
def alone_in(folder: Path, taken: Exception) -> Iterator[None]:
    """A folder, made if need be, that nobody else is in meanwhile; gone again if it is left empty.

    Of processes that train together, the one that writes files asks for all.

    Args:
        folder: whose lock is a file in it. What a process that was killed leaves of it is not in the way.
        taken: is raised if somebody is in it.
    """
    if not writes_files():
        yield
        return
    with _made(folder), _locked(folder, taken):
        yield


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if created and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _locked(folder: Path, taken: Exception) -> Iterator[None]:
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise taken from None
    try:
        yield
    finally:
        with suppress(OSError):  # of a file that is open, which a system may keep until it is closed
            (folder / _LOCK).unlink(missing_ok=True)
        lock.release()
