"""Whether the generator keeps the two codes apart: what an independent oracle sees in swaps and in samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from partedvae.metrics.oracle import flattened

Array = NDArray[Any]
Integers = NDArray[np.int64]

_AT_ONCE = 1_000


class Judge(Protocol):
    """What says what an observation shows."""

    def judge(self, x: Array, /) -> Array:
        """What each observation shows, (N,)."""


Swap = Callable[[Array, Array], Array]
"""From contents and styles (N, …) to observations with the u of one and the z of the other."""


@dataclass(frozen=True)
class SwapAccuracy:
    """How often a swap keeps the class of its content; converts to that share.

    Attributes:
        kept: share of swaps in which the oracle sees the class of the content.
        normalised: the same over the share of reconstructions in which it sees their class.
        style_class: share in which it sees the class of the style instead: what z carries of it.
        n_pairs: pairs judged.
    """

    kept: float
    normalised: float
    style_class: float
    n_pairs: int

    def __float__(self) -> float:
        return self.kept


def balanced_pairs(labels: Array, n_pairs: int, random_state: int = 0) -> tuple[Integers, Integers]:
    """Rows of contents and of styles with different classes, every ordered pair of classes about equally often.

    >>> contents, styles = balanced_pairs(np.array([0, 0, 0, 1, 2]), n_pairs=6)
    >>> labels = np.array([0, 0, 0, 1, 2])
    >>> sorted(zip(labels[contents].tolist(), labels[styles].tolist()))
    [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    """
    if n_pairs < 1:
        raise ValueError(f"n_pairs is {n_pairs}; it should be 1 or more.")
    rng = np.random.default_rng(random_state)
    rows = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    if len(rows) < 2:
        raise ValueError("labels are of one class; pairs of different classes need two.")
    ordered = np.array([(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j])
    chosen = np.resize(rng.permutation(ordered), (n_pairs, 2))
    contents = np.array([rng.choice(rows[i]) for i in chosen[:, 0]])
    styles = np.array([rng.choice(rows[j]) for j in chosen[:, 1]])
    return contents, styles


def swap_accuracy(
    swap: Swap, x: Array, labels: Array, oracle: Judge, *, n_pairs: int = 5_000, random_state: int = 0
) -> SwapAccuracy:
    """How often decode(u of one observation, z of another of a different class) shows the class of the first.

    Args:
        swap: such as ``PartedVAE.swap``.
        x: observations (N, …).
        labels: (N,).
        oracle: judges swaps.
        n_pairs: see :func:`balanced_pairs`.
        random_state: seed.
    """
    labels = np.asarray(labels)
    contents, styles = balanced_pairs(labels, n_pairs, random_state)
    seen = in_parts(lambda rows: oracle.judge(swap(x[contents[rows]], x[styles[rows]])), n_pairs)
    own = in_parts(lambda rows: oracle.judge(swap(x[contents[rows]], x[contents[rows]])), n_pairs)
    kept, reconstructed = float(np.mean(seen == labels[contents])), float(np.mean(own == labels[contents]))
    return SwapAccuracy(
        kept=kept,
        normalised=kept / reconstructed if reconstructed else float("nan"),
        style_class=float(np.mean(seen == labels[styles])),
        n_pairs=n_pairs,
    )


def style_preservation(
    swap: Swap, x: Array, labels: Array, factor: Array, oracle: Judge, *, n_pairs: int = 5_000, random_state: int = 0
) -> float:
    """How often a swap shows a factor of its style as it is in the style, over how often a reconstruction does.

    Args:
        swap, x, labels, n_pairs, random_state: see :func:`swap_accuracy`.
        factor: (N,), a factor of style.
        oracle: judges that factor.
    """
    labels = np.asarray(labels)
    contents, styles = balanced_pairs(labels, n_pairs, random_state)
    seen = in_parts(lambda rows: oracle.judge(swap(x[contents[rows]], x[styles[rows]])), n_pairs)
    own = in_parts(lambda rows: oracle.judge(swap(x[styles[rows]], x[styles[rows]])), n_pairs)
    reconstructed = float(np.mean(own == factor[styles]))
    return float(np.mean(seen == factor[styles])) / reconstructed if reconstructed else float("nan")


def diversity(samples: Array, real: Array) -> float:
    """Mean variance of the numbers in samples of a class, over that in real observations of it; 1: as diverse."""
    spread = float(flattened(real).var(axis=0).mean())
    return float(flattened(samples).var(axis=0).mean()) / spread if spread else float("nan")


def in_parts(judge: Callable[[slice], Array], n: int) -> Array:
    """What is said of n rows, a bounded number of them at a time."""
    return np.concatenate([judge(slice(start, min(start + _AT_ONCE, n))) for start in range(0, n, _AT_ONCE)])
