"""What fit is told of classes: labels in any form, their counts, those held out, and those that contradict."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from partedvae import given_labels, labels
from partedvae.batches import Observations, known_rows
from partedvae.data.conflicts import find_duplicates
from partedvae.data.dataset import Dataset
from partedvae.data.lazy import is_stream, take
from partedvae.labels import Attribute
from partedvae.ondemand import OnDemand, Raw, take_rows

Array = NDArray[Any]

_COMPARED = 100_000  # labelled observations
_GIVEN_TWICE = "y is given twice: a Dataset has its labels with it."


class ConflictingLabelsWarning(UserWarning):
    """Observations that are the same to the last bit have different labels."""


def labels_of(X: Any, y: Any, n_rows: int) -> tuple[Array, list[Attribute]]:
    """Labels as numbers (N, A), −1 where missing, or as probabilities (N, K), 0 where missing; and their attributes."""
    if isinstance(X, Dataset):
        if y is not None:
            raise ValueError(_GIVEN_TWICE)
        return labels.learnable(X.codes, X.attributes)
    soft = given_labels.soft(y) if y is not None else None
    if soft is None:
        return given_labels.encode(y, n_rows)
    probabilities, attribute = soft
    if len(probabilities) != n_rows:
        raise ValueError(f"X has {n_rows} rows and y has {len(probabilities)}: they should have as many.")
    return probabilities, [attribute]


def known_as(X: Any, y: Any, n_rows: int, attributes: Sequence[Attribute]) -> labels.Integers:
    """Labels as numbers (N, A) of attributes that a model knows, −1 where missing; a data set's are found by name.

    Raises:
        ValueError: a label that training never saw, other attributes, or labels given twice.
    """
    if not isinstance(X, Dataset):
        nothing = np.full((n_rows, len(attributes)), labels.MISSING)
        return nothing if y is None else given_labels.encode_as(y, n_rows, attributes)
    if y is not None:
        raise ValueError(_GIVEN_TWICE)
    codes = labels.recoded(X.codes, X.attributes, attributes)
    single = len(X.attributes) == len(attributes) == 1
    for a, attribute in enumerate(attributes):
        for column, own in zip(X.codes.T, X.attributes, strict=True):
            strange = np.flatnonzero((column != labels.MISSING) & (codes[:, a] == labels.MISSING))
            if len(strange) and (single or own.name == attribute.name):
                row = int(strange[0])
                label, known = own.classes.tolist()[column[row]], ", ".join(map(str, attribute.classes))
                raise ValueError(
                    f"{X.ids[row]} has the label {label!r} of {own.name}, which training never saw; it saw {known}."
                )
    return codes


def labelled_rows(X: Any, y: Any, n_rows: int) -> NDArray[np.bool_]:
    """Which observations miss no label, (N,). Of a data set where no label is missing, all are taken to be hidden."""
    if not isinstance(X, Dataset):
        return np.zeros(n_rows, dtype=bool) if y is None else given_labels.complete(y, n_rows)
    if y is not None:
        raise ValueError(_GIVEN_TWICE)
    complete = X.complete
    return np.zeros_like(complete) if complete.all() else complete


def class_counts(known: Array, attributes: Sequence[Attribute]) -> list[Array]:
    """How many labels each class of each attribute has; of probabilities, their sums."""
    if known.dtype.kind == "f":
        return [known.sum(axis=0)]
    return [
        np.bincount(column[column != labels.MISSING], minlength=len(attribute.classes))
        for column, attribute in zip(known.T, attributes, strict=True)
    ]


def held_out(given: Observations, fraction: float, seed: int) -> tuple[Observations, Observations | None]:
    """Training and validation rows; the share is taken of labelled and of unlabelled rows alike.

    Training keeps a label of each class that has one.
    """
    if fraction == 0:
        return given, None
    shuffled = torch.from_numpy(np.random.default_rng(seed).permutation(len(given.x)))
    known = known_rows(given.labels)[shuffled]
    parts = [shuffled[known], shuffled[~known]]
    held = torch.zeros(len(given.x), dtype=torch.bool)
    held[torch.cat([part[: round(fraction * len(part))] for part in parts])] = True
    all_labels = not known_rows(given.labels)[~held].any()
    held = but_for_the_first(held, given.labels, 1)
    if all_labels or not held.any():
        raise ValueError(f"validation_fraction={fraction}: too few observations to divide; X has {len(given.x)}.")
    kept, out = (~held).nonzero()[:, 0], held.nonzero()[:, 0]
    training, validation = (Observations(take_rows(given.x, rows), given.labels[rows]) for rows in (kept, out))
    return training, validation


def as_classes(known: torch.Tensor) -> torch.Tensor:
    """Labels as numbers (N, A), of probabilities the most probable class; −1 where missing."""
    if not known.is_floating_point():
        return known
    return torch.where(known_rows(known), known.argmax(dim=1), labels.MISSING)[:, None]


def but_for_the_first(taken: torch.Tensor, known: torch.Tensor, n: int) -> torch.Tensor:
    """Rows to take away, (N,), less the first of each class that would have fewer than n labels left."""
    left = taken.clone()
    for column in as_classes(known).T:
        lost = (left & (column != labels.MISSING)).nonzero()[:, 0]
        kept = column[~left & (column != labels.MISSING)].bincount(minlength=int(column.max()) + 1)
        classes = column[lost]
        left[lost[ranks(classes) < n - kept[classes]]] = False
    return left


def ranks(groups: torch.Tensor) -> torch.Tensor:
    """How many rows before each are of its group, (N,), by the groups' numbers.

    >>> ranks(torch.tensor([2, 0, 2, 2, 0]))
    tensor([0, 0, 1, 2, 1])
    """
    order = groups.argsort(stable=True)
    sizes = groups.bincount()
    place = torch.arange(len(groups)) - (sizes.cumsum(0) - sizes)[groups[order]]
    return torch.empty_like(place).scatter_(0, order, place)


def warn_of_conflicts(x: Raw, known: Array) -> None:
    """Say so if equal observations have different labels; of very many labelled ones, the first are looked at."""
    rows = known_rows(torch.from_numpy(known)).nonzero()[:_COMPARED, 0]
    codes = known.argmax(axis=1)[:, None] if known.dtype.kind == "f" else known
    if isinstance(x, OnDemand) and is_stream(x.rows):
        return  # finding rows of a stream means reading it once more
    labelled = take(x.rows, rows.numpy()) if isinstance(x, OnDemand) else x[rows].numpy()
    groups = find_duplicates(labelled, codes[rows.numpy()]).conflicts
    if groups:
        found = ", ".join(map(str, rows[list(groups[0])].tolist()))
        warnings.warn(
            f"{len(groups)} groups of equal observations have different labels, such as rows {found}.",
            ConflictingLabelsWarning,
            stacklevel=3,
        )
