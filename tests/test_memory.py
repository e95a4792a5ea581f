"""Memory that is freed within ``kept`` stays, and goes back to being given away afterwards."""

from __future__ import annotations

import ctypes
import multiprocessing
import platform
import resource
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from partedvae import memory

glibc_alone = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep what they keep")


def faults() -> int:
    """Pages that the system had to find for five pieces of 100 MiB, one after the other, after a first one."""
    np.ones(100 * 2**17)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(100 * 2**17)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def within_and_afterwards(interrupted: bool) -> tuple[int, int]:
    """The faults within ``kept``, left by an error or not, and those after it."""
    with suppress(KeyError), memory.kept():
        within = faults()
        if interrupted:
            raise KeyError
    return within, faults()


# In a process of its own: where an allocation ever failed, as in tests of too little memory, glibc has sent the main
# thread to another arena, and the options hold for the first one.
@glibc_alone
@pytest.mark.parametrize("interrupted", [False, True])
def test_memory_that_is_freed_within_stays_and_afterwards_does_not(interrupted: bool) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        within, afterwards = fresh.submit(within_and_afterwards, interrupted).result()
    assert within < afterwards / 5


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(name: str | None) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", never)
    with memory.kept():
        pass
