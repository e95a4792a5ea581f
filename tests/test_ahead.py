"""Work done ahead by other processes: its order, how far ahead it is, and what becomes of the processes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partedvae.data import ahead as module
from partedvae.data.ahead import ahead


@pytest.fixture(autouse=True)
def two_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two, of which a test leaves none; joblib keeps its own between tests."""
    monkeypatch.setattr(module, "idle_cores", lambda: 2)
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) <= before


@settings(max_examples=10)
@given(st.lists(st.integers(), max_size=20))
def test_results_come_in_the_order_of_their_tasks(tasks: list[int]) -> None:
    assert list(ahead(lambda task: -task, tasks)) == [-task for task in tasks]


def test_tasks_are_done_elsewhere_and_only_so_far_ahead() -> None:
    drawn = iter(range(100))
    results = ahead(lambda task: (task, os.getpid()), drawn)
    first, worker = next(results)
    assert first == 0
    assert worker != os.getpid()
    assert next(drawn) == 5  # two for each process, and the one that is here


def test_what_work_raises_is_raised_when_its_turn_comes() -> None:
    results = ahead(lambda task: 6 // task, [3, 2, 0, 1])
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_drawing_raises_is_raised() -> None:
    def tasks() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(ahead(int, tasks()))


def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    script = tmp_path / "begin.py"
    script.write_text(
        "import os, time\n"
        "from itertools import count\n"
        "from partedvae.data import ahead\n"
        "ahead.idle_cores = lambda: 2\n"
        "results = ahead.ahead(lambda task: time.sleep(0.05) or os.getpid(), count())\n"
        "print(*{next(results) for _ in range(20)}, flush=True)\n"
        "time.sleep(60)\n",
        encoding="utf-8",
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = [Path("/proc") / number for number in process.stdout.readline().split()]
        assert workers
        assert all(map(is_running, workers))
        process.kill()
    until = time.monotonic() + 20
    while any(map(is_running, workers)):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_running(process: Path) -> bool:
    try:
        return ") Z " not in (process / "stat").read_text(encoding="utf-8")  # not one that only waits to be forgotten
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("cores", "threads", "gpu", "idle"), [(16, 12, False, 4), (2, 2, False, 0), (16, 12, True, 16)]
)
def test_cores_that_training_fills_are_not_idle(
    cores: int, threads: int, gpu: bool, idle: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(module, "cpu_count", lambda: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: gpu)
    assert module.idle_cores() == idle
