"""Memory that a step of training gives back stays at hand for the next one: asking the system again costs time."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # as malloc.h has them
_MIB = 2**20
# Up to 2 GiB stay, and grow by 64 MiB at a time. After training, what glibc's own rule arrives at where large pieces
# come and go: it cannot be told to take up that rule again.
_KEEPING = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * _MIB, _MMAP_THRESHOLD: 2**30}
_AFTERWARDS = {_TRIM_THRESHOLD: 64 * _MIB, _TOP_PAD: 128 * 2**10, _MMAP_THRESHOLD: 32 * _MIB}


@contextmanager
def kept() -> Iterator[None]:
    """Within, memory that is freed stays with this process, where the C library is glibc; elsewhere nothing changes.

    It serves the thread that glibc gives its first arena: the main one, unless an allocation failed in it before.
    Training in another thread is right too, and as slow as without.

    Activations of a batch are some dozen MiB, allocated and freed in every step. glibc gives so much back to the system
    at once, and each page of it costs a fault when it comes again;
    ``benchmarks/kept_memory.py`` measures what that is.

    Source: the manual of the GNU C Library, *Malloc Tunable Parameters*.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    _set(libc, _KEEPING)
    try:
        yield
    finally:
        _set(libc, _AFTERWARDS)
        libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        libc.mallopt(option, value)
