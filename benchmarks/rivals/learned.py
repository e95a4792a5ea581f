"""What every method leaves behind, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from partedvae.metrics.information import discretise, mutual_information
from tasks import Task

Array = NDArray[Any]

_AT_ONCE = 2_000
_BOUND_DRAWS = 16  # as many as PartedVAE's bound has
_BINS = 20


class Parted(NamedTuple):
    """A class-related and a class-independent code of each picture, (N, D_u) and (N, D_z)."""

    u: Array
    z: Array


@dataclass(frozen=True)
class Learned:
    """What can be asked of a method; ``None`` where it has no such thing.

    Attributes:
        proba: pictures (N, H, W) to class probabilities (N, K).
        encode: pictures to codes.
        decode: codes to pictures (N, H, W) in [0, 1].
        sample: how many, of which class, and a seed, to pictures.
        bound: pictures to lower bounds on their log-likelihoods, (N,) nats.
        z_kl: pictures to the KL of their z to its prior, (N,) nats.
        own_u: whether u is a part of the method, or columns that were chosen after training.
    """

    proba: Callable[[Array], Array] | None = None
    encode: Callable[[Array], Parted] | None = None
    decode: Callable[[Array, Array], Array] | None = None
    sample: Callable[[int, int, int], Array] | None = None
    bound: Callable[[Array], Array] | None = None
    z_kl: Callable[[Array], Array] | None = None
    own_u: bool = True


def on_tensors(function: Callable[..., Tensor], *arrays: Array) -> Array:
    """Apply a function of tensors to arrays of rows, some rows at a time; pictures of bytes become (N, 1, H, W)."""
    with torch.inference_mode():
        parts = [
            function(*(as_tensor(array[start : start + _AT_ONCE]) for array in arrays))
            for start in range(0, len(arrays[0]), _AT_ONCE)
        ]
    return torch.cat(parts).numpy()


def as_tensor(array: Array) -> Tensor:
    """Pictures of bytes in [0, 1] with their one channel; codes as they are."""
    if array.dtype == np.uint8:
        return torch.from_numpy(array[:, None] / np.float32(255))
    return torch.from_numpy(np.asarray(array, dtype=np.float32))


def shared_noise(size: int) -> Iterator[Tensor]:
    """Draws of N(0, I), (size,), the same for every observation, as PartedVAE's bound has them."""
    generator = torch.Generator().manual_seed(0)
    yield from torch.randn(_BOUND_DRAWS, size, generator=generator)


def read_from_codes(encode: Callable[[Array], Parted], task: Task) -> Callable[[Array], Array]:
    """The classifier of a method that has none: logistic regression on its codes, fit on the labelled rows."""

    def codes(x: Array) -> Array:
        return np.concatenate(encode(x), axis=1)

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5_000))
    probe.fit(codes(task.x[task.labelled]), task.y[task.labelled])
    return lambda x: probe.predict_proba(codes(x))


def most_telling_first(codes: Array, labels: Array) -> NDArray[np.int64]:
    """Columns by how much each tells of the labels, most first: mutual information with 20 equal-width bins."""
    told = [mutual_information(discretise(column, _BINS), labels) for column in codes.T]
    return np.argsort(told)[::-1]
