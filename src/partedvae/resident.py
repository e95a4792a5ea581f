"""Observations that are in memory are kept on the GPU that trains, where they fit: a batch need not travel then."""

from __future__ import annotations

import torch
from torch import Tensor

from partedvae.ondemand import Raw

_LEFT = 2  # times what they take has to be free: the networks, their gradients and a step need room too


def home(x: Raw, device: torch.device) -> torch.device | None:
    """Where training keeps observations: on a GPU that has the room, else where they are.

    Args:
        x: observations; those that are read on demand stay where they are.
        device: that trains.

    >>> home(torch.zeros(3, 2), torch.device("cpu")) is None
    True
    """
    if device.type != "cuda" or not isinstance(x, Tensor):
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return device if _LEFT * x.nbytes <= free else None
