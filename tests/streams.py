"""Streams of numbered pictures, and models that are soon fitted to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hub_files import pixels
from partedvae import PartedVAE
from partedvae.data import Dataset
from partedvae.data.stream import Stream

Array = NDArray[Any]

N = 40
CODES: list[int | None] = [0, 1, None, None] * (N // 4)


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(
        **{"u_dim": 2, "z_dim": 2, "hidden_dim": 16, "batch_size": 16, "max_epochs": 2, "random_state": 0, **settings}
    )


def same(first: PartedVAE, second: PartedVAE) -> bool:
    weights = second.net_.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in first.net_.state_dict().items())


def blocks(n: int = N) -> Array:
    """Pictures whose top left pixel is the number of their row, and whose rest shows which of two animals it is."""
    x = pixels(n) // 4
    x[1::4, 6:] += 128
    x[3::4, 6:] += 128
    x[:, 0, 0] = np.arange(n)
    return x


def rows_of(parts: Iterator[Array]) -> list[int]:
    return [int(row) for part in parts for row in part[:, 0, 0]]


def the_stream(data: Dataset) -> Stream:
    assert isinstance(data.x, Stream)
    return data.x
