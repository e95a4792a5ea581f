"""The same work on one thing after another, done by other processes ahead of who waits for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from typing import Any, TypeVar

from joblib import cpu_count

from partedvae.warned import warn

Task = TypeVar("Task")
Result = TypeVar("Result")

_MOST = 16  # processes
_work: Callable[[Any], Any]  # in each of them


def ahead(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """What ``work`` makes of each task, in their order, two tasks for each process ahead.

    Tasks are drawn by this process. They are done by it too where it may have none of its own, on other systems than
    Linux, where a process begins with the program anew, and once one of the others was killed.

    Args:
        work: what it raises, is raised here when its turn comes.
        tasks: small enough to be sent, as results are.

    >>> list(ahead(len, ["one", "three"]))
    [3, 5]
    """
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        yield from map(work, tasks)
        return
    n_processes = min(_MOST, max(1, idle_cores()))
    tasks, sent = iter(tasks), deque[Task]()
    pool = ProcessPoolExecutor(n_processes, multiprocessing.get_context("fork"), _begin, (work,))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork.*")  # they use none of its threads
            pool.submit(int)  # starts them all
        yield from _results(pool, tasks, sent, 2 * n_processes)
    except BrokenProcessPool:
        warn("A process that reads ahead was killed, perhaps for memory; until the next epoch nothing is read ahead.")
    finally:
        pool.shutdown(cancel_futures=True)
    yield from map(work, chain(sent, tasks))


def idle_cores() -> int:
    """How many this process does not compute with: those that torch has no thread for, or all but beside a GPU's."""
    torch = sys.modules.get("torch")  # who has not loaded it does not compute
    if torch is None or torch.accelerator.is_available():
        return int(cpu_count())
    return int(cpu_count()) - int(torch.get_num_threads())


def _results(pool: ProcessPoolExecutor, tasks: Iterator[Any], sent: deque[Any], most: int) -> Iterator[Any]:
    """What others make of tasks; ``sent`` are those whose results have not come."""
    begun: deque[Future[Any]] = deque()
    for task in tasks:
        sent.append(task)
        begun.append(pool.submit(_do, task))
        if len(begun) > most:
            yield _first(begun, sent)
    while begun:
        yield _first(begun, sent)


def _first(begun: deque[Future[Any]], sent: deque[Any]) -> Any:
    result = begun.popleft().result()
    sent.popleft()
    return result


def _begin(work: Callable[[Any], Any]) -> None:
    """In a new process: Ctrl-C is for the one that waits, which may want to finish a step; without it none stays."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _do(task: Any) -> Any:
    return _work(task)
