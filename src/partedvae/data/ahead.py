"""The same work on one thing after another, done by other processes ahead of who waits for it."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from joblib import cpu_count

from partedvae.data.dataset import DataError

Task = TypeVar("Task")
Result = TypeVar("Result")

_MOST = 16  # processes


def ahead(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """What ``work`` makes of each task, in their order, two tasks for each process ahead.

    Tasks are drawn here. They are done here too where this process may have none of its own, and on other systems than
    Linux, where a process begins with the program anew.

    Args:
        work: what it raises, is raised here when its turn comes.
        tasks: small enough to be sent, as results are.

    Raises:
        DataError: a process was killed.

    >>> list(ahead(len, ["one", "three"]))
    [3, 5]
    """
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        yield from map(work, tasks)
        return
    import torch
    from torch.utils.data import DataLoader

    loader: DataLoader[Any] = DataLoader(
        _Done(work),  # type: ignore[arg-type]
        batch_size=None,
        sampler=tasks,
        num_workers=min(_MOST, cpu_count()),
        collate_fn=_as_it_is,
        worker_init_fn=_not_interrupted,
        multiprocessing_context="fork",
        generator=torch.Generator(),  # the loader draws a seed, which must not be one of the caller's
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork.*")  # they touch none of its threads
        results = iter(loader)
    try:
        while True:
            try:
                result = next(results)
            except StopIteration:
                return
            except RuntimeError as error:
                if "DataLoader worker" not in str(error):
                    raise
                raise DataError(f"A process that decodes pictures has ended: {error}") from None
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        del results  # ends the processes, which an error that is kept would hold


@dataclass(frozen=True)
class _Done:
    """Tasks in place of numbers: what a loader asks of a data set is to do them."""

    work: Callable[[Any], Any]

    def __getitem__(self, task: Any) -> Any:
        try:
            return self.work(task)
        except Exception as error:  # torch would raise another one, of several lines
            return error


def _as_it_is(result: Any) -> Any:
    return result


def _not_interrupted(number: int) -> None:
    """Ctrl-C is for the process that waits, which may want to finish a step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
