"""Labels of any type, some or most of them missing, as integers with −1 for missing."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning

Array = NDArray[Any]
Integers = NDArray[np.int64]

MISSING = -1


@dataclass(frozen=True)
class Attribute:
    """One categorical variable: its name, and its classes in order."""

    name: str
    classes: Array


def columns_of(y: object, n_rows: int) -> tuple[list[str], list[Array]]:
    """Names and columns of labels (N,) or (N, A), of whatever array type.

    >>> columns_of([["cat", "old"], [None, "new"]], n_rows=2)[0]
    ['0', '1']
    """
    if y is None:
        raise ValueError("PartedVAE requires y to be passed, but the target y is None.")
    names = [str(name) for name in getattr(y, "columns", [])]
    array = _as_array(y)
    if array.ndim == 2 and array.shape[1] == 1 and not names:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected; it is read as one attribute.",
            DataConversionWarning,
            stacklevel=4,
        )
    if array.ndim not in (1, 2):
        raise ValueError(f"y should be a 1d array of labels, or (N, A) for A attributes; it has shape {array.shape}.")
    if len(array) != n_rows:
        raise ValueError(f"X has {n_rows} rows and y has {len(array)}: they should have as many.")
    table = array[:, None] if array.ndim == 1 else array
    unnamed = ["class"] if table.shape[1] == 1 else [str(a) for a in range(table.shape[1])]
    return names or unnamed, list(table.T)


def encode(y: object, n_rows: int) -> tuple[Integers, list[Attribute]]:
    """Labels as integers (N, A), and the attributes that y itself shows.

    Raises:
        ValueError: no label at all, an attribute with one class only, labels that are not classes.

    >>> codes, (animal,) = encode(["dog", None, "cat"], n_rows=3)
    >>> codes[:, 0], animal.classes
    (array([ 1, -1,  0]), array(['cat', 'dog'], dtype=object))
    """
    names, columns = columns_of(y, n_rows)
    missing = [_missing(column) for column in columns]
    if all(mask.all() for mask in missing):
        raise ValueError("y has no label at all: every value is missing (-1, None or NaN). A few per class are needed.")
    attributes = []
    for name, column, mask in zip(names, columns, missing, strict=True):
        classes = _classes(column[~mask], _called(name, len(names)))
        attributes.append(Attribute(name, classes))
    return _numbered(columns, missing, attributes), attributes


def encode_as(y: object, n_rows: int, attributes: Sequence[Attribute]) -> Integers:
    """Labels as integers (N, A) of attributes that are known already.

    Raises:
        ValueError: another number of attributes, or a label that is none of its attribute's classes.
    """
    _, columns = columns_of(y, n_rows)
    if len(columns) != len(attributes):
        raise ValueError(f"y has {len(columns)} attributes; the model was fit on {len(attributes)}.")
    missing = [_missing(column) for column in columns]
    return _numbered(columns, missing, attributes)


def number_of(label: object, attribute: Attribute) -> int:
    """The number of a label among its attribute's classes, or a ValueError that lists them.

    >>> number_of("cat", Attribute("animal", np.array(["cat", "dog"])))
    0
    """
    found = np.flatnonzero(attribute.classes == label)
    if not len(found):
        raise ValueError(f"{label!r} is not a class; the classes are {_listed(attribute.classes)}.")
    return int(found[0])


def _numbered(columns: Sequence[Array], missing: Sequence[Array], attributes: Sequence[Attribute]) -> Integers:
    codes = np.full((len(columns[0]), len(columns)), MISSING, dtype=np.int64)
    for a, (column, mask, attribute) in enumerate(zip(columns, missing, attributes, strict=True)):
        numbers = {label: number for number, label in enumerate(attribute.classes.tolist())}
        rows = np.flatnonzero(~mask)
        try:
            codes[rows, a] = [numbers[label] for label in column[rows].tolist()]
        except KeyError:
            unknown = zip(rows, column[rows].tolist(), strict=True)
            row, label = next((row, label) for row, label in unknown if label not in numbers)
            raise ValueError(
                f"y has the label {label!r} at row {row}, which is not among the classes "
                f"{_listed(attribute.classes)} that the model was fit on."
            ) from None
    return codes


def _classes(labels: Array, called: str) -> Array:
    kinds = {_kind(label) for label in labels.tolist()}
    if len(kinds) > 1:
        raise ValueError(f"{called} mixes labels of different types ({', '.join(sorted(kinds))}); use one.")
    if kinds == {"float"}:
        fractional = [label for label in labels.tolist() if not label.is_integer()]
        if fractional:
            raise ValueError(f"Unknown label type: continuous. {called} has {fractional[0]!r}, which is no class.")
    if kinds - {"float", "int", "bool", "str"}:
        raise ValueError(f"Unknown label type: {kinds.pop()}. {called} should have integers or strings.")
    classes = np.unique(labels)
    if labels.dtype == object and kinds != {"str"}:
        classes = np.array(classes.tolist())
    if len(classes) < 2:
        seen = f"one class, {classes.tolist()[0]!r}" if len(classes) else "no label at all"
        raise ValueError(f"{called} has {seen}; at least two classes are needed. (-1, None and NaN mean unlabelled.)")
    return classes


def _missing(column: Array) -> Array:
    return np.array([_is_missing(label) for label in column.tolist()], dtype=bool)


def _is_missing(label: object) -> bool:
    if label is None or (isinstance(label, float) and np.isnan(label)):
        return True
    pandas = sys.modules.get("pandas")  # only if somebody imported it can its NA be here
    if pandas is not None and (label is pandas.NA or label is pandas.NaT):
        return True
    return isinstance(label, int | float) and not isinstance(label, bool) and label == MISSING


def _kind(label: object) -> str:
    return type(label).__name__


def _called(name: str, n_attributes: int) -> str:
    return "y" if n_attributes == 1 else f"Attribute {name!r} of y"


def _listed(classes: Array) -> str:
    shown = [repr(label) for label in classes.tolist()]
    return ", ".join(shown if len(shown) <= 12 else [*shown[:11], f"… ({len(shown)} in all)"])


def _as_array(y: Any) -> Array:
    """Labels of any array type; those that have no type of their own as objects, so that None stays None."""
    if hasattr(y, "detach"):  # a tensor
        return np.array(y.detach().cpu().tolist())
    if isinstance(y, np.ndarray):
        return y
    if hasattr(y, "columns"):  # a data frame of pandas or Polars
        return np.stack([_as_array(y[name]) for name in y.columns], axis=1)
    for way in ("to_list", "tolist"):  # a column of theirs: its own numbers, not floats where some are missing
        if hasattr(y, way):
            y = getattr(y, way)()
    return np.array(y, dtype=object)
