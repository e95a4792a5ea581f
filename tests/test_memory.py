"""Memory that is freed within ``kept`` stays, and goes back to being given away afterwards."""

from __future__ import annotations

import ctypes
import platform
import resource

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


@glibc_alone
def test_memory_that_is_freed_within_stays_and_afterwards_does_not() -> None:
    with memory.kept():
        within = faults()
    assert within < faults() / 5


@glibc_alone
def test_an_error_within_ends_it_too() -> None:
    def failing() -> None:
        with memory.kept():
            within.append(faults())
            raise KeyError

    within: list[int] = []
    with pytest.raises(KeyError):
        failing()
    assert within[0] < faults() / 5


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(name: str | None) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", never)
    with memory.kept():
        pass
