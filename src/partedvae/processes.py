"""Several processes that train one model: what is of the whole batch is computed over the batches of all of them."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed

_lock = threading.Lock()
_n_alone = 0
_alone = False  # not the number, by which torch would compile a step anew for each fit of another thread


@contextmanager
def alone() -> Iterator[None]:
    """While a fit is of this process only, though others may be there that do something else."""
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def _count(more: int) -> None:
    global _n_alone, _alone
    with _lock:
        _n_alone += more
        _alone = _n_alone > 0


def world() -> tuple[int, int]:
    """This process's number, and how many there are that train together."""
    if not _alone and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def writes_files() -> bool:
    """Whether this is the process that writes files; known also before the processes have found each other."""
    from lightning.pytorch.utilities import rank_zero_only

    return not getattr(rank_zero_only, "rank", 0)


def placed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of Lightning's ``Trainer`` with where to train: on one device unless asked, or as torchrun says.

    The labelled optimiser's loss does not reach all weights, which DDP has to know.

    >>> placed({}), placed({"devices": 2})
    ({'devices': 1}, {'devices': 2, 'strategy': 'ddp_find_unused_parameters_true'})
    """
    found = dict(options)
    if "LOCAL_WORLD_SIZE" in os.environ:  # torchrun has started so many processes on this machine
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        found.setdefault("devices", here)
        found.setdefault("num_nodes", int(os.environ["WORLD_SIZE"]) // here)
    found.setdefault("devices", 1)
    several = found.get("num_nodes", 1) > 1 or _are_several(found["devices"], found.get("accelerator"))
    if found.get("strategy", "auto") in (("auto", "ddp") if several else ("ddp",)):
        found["strategy"] = "ddp_find_unused_parameters_true"
    return found


def _are_several(devices: Any, accelerator: Any) -> bool:
    """Whether Lightning takes this for more than one device: how many, which ones, either as text, or all there are."""
    if devices in ("auto", "-1", -1):
        return accelerator != "cpu" and torch.cuda.device_count() > 1
    if isinstance(devices, str):
        which = [one for one in devices.split(",") if one.strip()]
        devices = which if "," in devices or not devices.isdecimal() else int(devices)
    return devices > 1 if isinstance(devices, int) else len(devices) > 1


def mean(value: Tensor) -> Tensor:
    """The mean over processes of a mean over a process's batch; batches are of one size.

    Its gradient is that of this process's share, which is what the mean over processes of all gradients needs.
    """
    if world()[1] == 1:
        return value
    return value + (total(value.detach()) / world()[1] - value.detach())


def log_mean(value: Tensor) -> Tensor:
    """The same of the logarithm of a mean: ln of the mean over processes of e^value."""
    size = world()[1]
    if size == 1:
        return value
    own = value.detach()
    whole = joined(own[None]).logsumexp(dim=0) - math.log(size)
    return whole + (own - whole).exp() * (value - own)


def total(value: Tensor, device: torch.device | None = None) -> Tensor:
    """The sum over processes, without gradient; ``device`` is the one they talk by, if not that of the value."""
    if world()[1] == 1:
        return value
    summed = value.detach().to(device, copy=True)
    distributed.all_reduce(summed)
    return summed.to(value.device)


def of_each(value: Any) -> list[Any]:
    """What each process has, in the order of their numbers."""
    found = [value] * world()[1]
    if len(found) > 1:
        distributed.all_gather_object(found, value)
    return found


def joined(rows: Tensor) -> Tensor:
    """Rows (N, …) of all processes, (N · processes, …), in the order of their numbers; without gradient."""
    if world()[1] == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(world()[1])]
    distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def own_first(rows: Tensor) -> Tensor:
    """``joined`` rows, turned so that this process's come first."""
    rank, size = world()
    return rows.roll(-rank * (len(rows) // size), dims=0)
