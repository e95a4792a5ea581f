"""What fit is told of classes: labels in any form, as numbers or probabilities, and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae import given_labels, labels
from partedvae.data.dataset import Dataset
from partedvae.labels import Attribute
from partedvae.warned import warn

Array = NDArray[Any]

_GIVEN_TWICE = "y is given twice: a Dataset has its labels with it."


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
    labels.require_two(attribute.classes[probabilities.any(axis=0)], "y")
    if probabilities.shape[1] == 2 and np.isin(probabilities, (0, 1)).all():
        first, second = attribute.classes.tolist()
        warn(
            f"y is taken for probabilities of the classes {first!r} and {second!r}, of which each row has one. If "
            "these are two attributes, give their labels as integers, -1 where missing, or as texts."
        )
    return probabilities, [attribute]


def known_as(X: Any, y: Any, n_rows: int, attributes: Sequence[Attribute], *, lenient: bool = False) -> labels.Integers:
    """Labels as numbers (N, A) of attributes that a model knows, −1 where missing; a data set's are found by name.

    Raises:
        ValueError: a label that training never saw, unless ``lenient``, which numbers it after the last class; other
            attributes, or labels given twice.
    """
    if not isinstance(X, Dataset):
        nothing = np.full((n_rows, len(attributes)), labels.MISSING)
        return nothing if y is None else given_labels.encode_as(y, n_rows, attributes, lenient=lenient)
    if y is not None:
        raise ValueError(_GIVEN_TWICE)
    codes = labels.recoded(X.codes, X.attributes, attributes)
    single = len(X.attributes) == len(attributes) == 1
    for a, attribute in enumerate(attributes):
        for column, own in zip(X.codes.T, X.attributes, strict=True):
            strange = np.flatnonzero((column != labels.MISSING) & (codes[:, a] == labels.MISSING))
            if len(strange) and (single or own.name == attribute.name):
                if lenient:
                    codes[strange, a] = len(attribute.classes)
                    continue
                row = int(strange[0])
                label, known = own.classes.tolist()[column[row]], ", ".join(map(str, attribute.classes))
                raise ValueError(
                    f"{X.ids[row]} has the label {label!r} of {own.name}, which training never saw; it saw {known}. If "
                    f"it means unlabelled: --missing {label}"
                )
    return codes


def with_labels_of_model(data: Dataset, attributes: Sequence[Attribute]) -> Dataset:
    """A data set with labels of a model's attributes alone: those that it lacks are missing everywhere.

    They are found by name; where it has one and the model too, by a class that both know, whatever the names.
    """
    columns, found = [], []
    for attribute in attributes:
        own = next((a for a, own in enumerate(data.attributes) if own.name == attribute.name), None)
        if own is None and len(data.attributes) == len(attributes) == 1:
            own = 0 if set(data.attributes[0].classes.tolist()) & set(attribute.classes.tolist()) else None
        columns.append(np.full(len(data), labels.MISSING) if own is None else data.codes[:, own])
        found.append(attribute if own is None else data.attributes[own])
    return replace(data, codes=np.stack(columns, axis=1), attributes=tuple(found))


def labelled_rows(X: Any, y: Any, n_rows: int, attributes: Sequence[Attribute]) -> NDArray[np.bool_]:
    """Which observations miss no label of a model's attributes, (N,).

    Of a data set where none is missing, all are taken to be hidden.
    """
    if not isinstance(X, Dataset):
        known = known_as(X, y, n_rows, attributes, lenient=True)
        return np.asarray((known != labels.MISSING).all(axis=1))
    if y is not None:
        raise ValueError(_GIVEN_TWICE)
    complete = with_labels_of_model(X, attributes).complete
    return np.zeros_like(complete) if complete.all() else complete


def class_counts(known: Array, attributes: Sequence[Attribute]) -> list[Array]:
    """How many labels each class of each attribute has; of probabilities, their sums."""
    if known.dtype.kind == "f":
        return [known.sum(axis=0)]
    return [
        np.bincount(column[column != labels.MISSING], minlength=len(attribute.classes))
        for column, attribute in zip(known.T, attributes, strict=True)
    ]
