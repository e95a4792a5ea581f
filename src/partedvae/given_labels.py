"""Labels of any type, as users give them, some or most of them missing, made numbers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning

from partedvae.labels import (
    MISSING,
    NO_LABEL,
    Attribute,
    Integers,
    called_in_y,
    first_repeated,
    listed,
    nearly_equal,
    require_two,
)
from partedvae.warned import warn

Array = NDArray[Any]

_WRITTEN_OUT = ("", "-1", "-1.0", "nan", "NaN", "None", "NaT", "<NA>")


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
        warn(
            "A column-vector y was passed when a 1d array was expected; it is read as one attribute.",
            DataConversionWarning,
        )
    if array.ndim not in (1, 2):
        raise ValueError(f"y should be a 1d array of labels, or (N, A) for A attributes; it has shape {array.shape}.")
    if len(array) != n_rows:
        raise ValueError(f"X has {n_rows} rows and y has {len(array)}: they should have as many.")
    table = array[:, None] if array.ndim == 1 else array
    unnamed = ["class"] if table.shape[1] == 1 else [str(a) for a in range(table.shape[1])]
    return names or unnamed, list(table.T)


def encode(y: object, n_rows: int, *, lenient: bool = False) -> tuple[Integers, list[Attribute]]:
    """Labels as integers (N, A), and the attributes that y itself shows.

    Args:
        y: labels (N,) or (N, A).
        n_rows: how many there should be.
        lenient: accept labels that nothing can be learnt from: one class is enough, and attributes without any label
            are left out.

    Raises:
        ValueError: no label at all, an attribute with one class only, labels that are not classes.

    >>> codes, (animal,) = encode(["dog", None, "cat"], n_rows=3)
    >>> codes[:, 0], animal.classes
    (array([ 1, -1,  0]), array(['cat', 'dog'], dtype=object))
    """
    names, columns = columns_of(y, n_rows)
    missing = [_missing(column) for column in columns]
    if lenient:
        kept = [a for a, mask in enumerate(missing) if not mask.all()]
        names, columns = [names[a] for a in kept], [columns[a] for a in kept]
        missing = [missing[a] for a in kept]
        if not kept:
            return np.empty((n_rows, 0), dtype=np.int64), []
    elif all(mask.all() for mask in missing):
        raise ValueError(NO_LABEL)
    attributes = []
    for name, column, mask in zip(names, columns, missing, strict=True):
        called = called_in_y(name, len(names))
        classes = _classes(column[~mask], called)
        if not lenient:
            require_two(classes, called)
            _warn_of_written_out(classes, called)
            _warn_of_nearly_equal(classes, called)
        attributes.append(Attribute(name, classes))
    if not lenient and len(columns) > 1:
        _warn_of_one_hot(columns, missing)
    return _numbered(columns, missing, attributes), attributes


def encode_distinct(name: str, values: Sequence[Any]) -> tuple[Integers, Attribute | None]:
    """Numbers of the distinct values of a column, −1 for those that are missing, and the attribute they make.

    >>> encode_distinct("animal", ["dog", None, "cat"])
    (array([ 1, -1,  0]), Attribute(name='animal', classes=array(['cat', 'dog'], dtype=object)))
    """
    column = np.empty(len(values), dtype=object)
    column[:] = values
    mask = _missing(column)
    if mask.all():
        return np.full(len(values), MISSING, dtype=np.int64), None
    attribute = Attribute(name, _classes(column[~mask], "it"))
    return _numbered([column], [mask], [attribute])[:, 0], attribute


def encode_as(y: object, n_rows: int, attributes: Sequence[Attribute], *, lenient: bool = False) -> Integers:
    """Labels as integers (N, A) of attributes that are known already; of probabilities, the most probable class.

    Columns with names are found by name, if all attributes (or classes) are among them; if none is, they are taken in
    order.

    Args:
        y: labels (N,) or (N, A), or class probabilities (N, K).
        n_rows: how many there should be.
        attributes: those that are known.
        lenient: number a label that is none of its attribute's classes after the last of them.

    Raises:
        ValueError: another number of attributes, or, unless ``lenient``, a label that is none of its attribute's
            classes.

    >>> animal, age = Attribute("animal", np.array(["cat", "dog"])), Attribute("age", np.array([1, 2]))
    >>> encode_as([["dog", 1], [None, 2]], 2, [animal, age]).tolist()
    [[1, 0], [-1, 1]]
    """
    found = soft(y) if len(attributes) == 1 else None
    if found is not None and found[0].shape == (n_rows, len(attributes[0].classes)):
        probabilities = _in_order_of(attributes[0], *found) if hasattr(y, "columns") else found[0]
        return np.where(probabilities.any(axis=1), probabilities.argmax(axis=1), MISSING)[:, None]
    names, columns = columns_of(y, n_rows)
    known = [attribute.name for attribute in attributes]
    if len(attributes) > 1 and hasattr(y, "columns") and set(names) & set(known):
        absent = [name for name in known if name not in names]
        if absent:
            raise ValueError(f"y has no column {absent[0]!r}, which is an attribute that the model was fit on.")
        columns = [columns[names.index(name)] for name in known]
    if len(columns) != len(attributes):
        raise ValueError(f"y has {len(columns)} attributes; the model was fit on {len(attributes)}.")
    missing = [_missing(column) for column in columns]
    return _numbered(columns, missing, attributes, lenient=lenient)


def _in_order_of(known: Attribute, probabilities: Array, own: Attribute) -> Array:
    """Probabilities of classes with names, in the order of a known attribute that has the same ones."""
    names, wanted = own.classes.tolist(), known.classes.tolist()
    if not set(names) & set(wanted):
        return probabilities
    absent = [name for name in wanted if name not in names]
    if absent:
        raise ValueError(f"y has no column {absent[0]!r}, which is a class that the model was fit on.")
    return probabilities[:, [names.index(name) for name in wanted]]


def soft(y: object) -> tuple[Array, Attribute] | None:
    """Class probabilities (N, K), 0 throughout a row without a label, if that is what y holds; else ``None``.

    They are floats in a table whose rows are not negative and sum to 1, or are NaN (unlabelled).

    >>> probabilities, attribute = soft(np.array([[0.9, 0.1], [np.nan, np.nan]]))
    >>> probabilities, attribute.classes
    (array([[0.9, 0.1],
           [0. , 0. ]], dtype=float32), array([0, 1]))
    """
    table: Any = y
    array = np.asarray(table.to_numpy()) if hasattr(table, "to_numpy") else _as_array(table)
    if array.dtype == object and array.ndim == 2:
        array = _as_floats(array)
    if array.ndim != 2 or array.dtype.kind != "f" or array.shape[1] < 2:
        return None
    known = ~np.isnan(array).all(axis=1)
    rows = array[known]
    proper = (rows >= 0).all(axis=1) & np.isclose(rows.sum(axis=1), 1, atol=1e-3)
    if not proper.any():
        return None
    if not proper.all():
        # Some other table of floats holds no classes either; most rows of this one say what it is.
        if (np.nan_to_num(rows) % 1 != 0).any() and 2 * proper.sum() > len(rows):
            _refuse_improper(array, int(np.flatnonzero(known)[~proper][0]))
        return None
    names = _names(y)
    probabilities = np.zeros(array.shape, dtype=np.float32)
    probabilities[known] = rows / rows.sum(axis=1, keepdims=True)
    # In order, as scikit-learn takes classes and the columns of probabilities to be.
    classes, order = np.unique(np.array(names) if names else np.arange(array.shape[1]), return_index=True)
    return probabilities[:, order], Attribute("class", classes)


def _refuse_improper(probabilities: Array, row: int) -> None:
    """Say what keeps a row from being class probabilities."""
    values = probabilities[row]
    if np.isnan(values).any():
        wrong = f"are missing for some classes only, at row {row}: give all of them, or none if it has no label"
    elif (values < 0).any():
        wrong = f"are negative, {values[values < 0][0]:g}, at row {row}"
    else:
        wrong = f"sum to {values.sum():g}, not 1, at row {row}"
    raise ValueError(f"y has probabilities of classes that {wrong}.")


def _as_floats(table: Array) -> Array:
    """A table of numbers of which some are floats, NaN where one is missing; any other as it is."""
    values = table.ravel().tolist()
    absent = [_is_missing(value) and not isinstance(value, int) for value in values]
    there = [value for value, missing in zip(values, absent, strict=True) if not missing]
    if not any(isinstance(value, float) for value in there) or any(_kind(v) not in ("float", "int") for v in there):
        return table
    filled = [np.nan if missing else value for value, missing in zip(values, absent, strict=True)]
    return np.array(filled, dtype=np.float64).reshape(table.shape)


def complete(y: object, n_rows: int) -> NDArray[np.bool_]:
    """Rows of which no label is missing, whatever the labels are: (N,).

    >>> complete([["cat", 3], [None, 4], ["cow", -1]], 3)
    array([ True, False, False])
    """
    _, columns = columns_of(y, n_rows)
    found: NDArray[np.bool_] = ~np.any([_missing(column) for column in columns], axis=0)
    return found


def _numbered(
    columns: Sequence[Array], missing: Sequence[Array], attributes: Sequence[Attribute], lenient: bool = False
) -> Integers:
    codes = np.full((len(columns[0]), len(columns)), MISSING, dtype=np.int64)
    for a, (column, mask, attribute) in enumerate(zip(columns, missing, attributes, strict=True)):
        numbers = {label: number for number, label in enumerate(attribute.classes.tolist())}
        rows = np.flatnonzero(~mask)
        if lenient:
            codes[rows, a] = [numbers.get(label, len(numbers)) for label in column[rows].tolist()]
            continue
        try:
            codes[rows, a] = [numbers[label] for label in column[rows].tolist()]
        except KeyError:
            unknown = zip(rows, column[rows].tolist(), strict=True)
            row, label = next((row, label) for row, label in unknown if label not in numbers)
            raise ValueError(
                f"y has the label {label!r} at row {row}, which is not among the classes "
                f"{listed(attribute.classes)} that the model was fit on."
            ) from None
    return codes


def _classes(labels: Array, called: str) -> Array:
    kinds = {_kind(label) for label in labels.tolist()}
    if len(kinds) > 1:
        raise ValueError(f"{called} mixes labels of different types ({', '.join(sorted(kinds))}); use one.")
    if kinds == {"float"}:
        fractional = [label for label in labels.tolist() if not label.is_integer()]
        if fractional:
            raise ValueError(
                f"Unknown label type: continuous. {called} has {fractional[0]!r}, which is no class. "
                "(Class probabilities are a table of floats whose rows sum to 1, or are NaN.)"
            )
    if kinds - {"float", "int", "bool", "str"}:
        raise ValueError(f"Unknown label type: {kinds.pop()}. {called} should have integers or strings.")
    classes = np.unique(labels)
    return np.array(classes.tolist()) if labels.dtype == object and kinds != {"str"} else classes


def _missing(column: Array) -> Array:
    if column.dtype.kind in "iuf":  # of many millions, in one go
        nothing: Array = np.isnan(column) | (column == MISSING)
        return nothing
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


def _as_array(y: Any) -> Array:
    """Labels of any array type; those that have no type of their own as objects, so that None stays None."""
    if hasattr(y, "detach"):  # a tensor
        return np.array(y.detach().cpu().tolist())
    if isinstance(y, np.ma.MaskedArray):
        mask, y = np.ma.getmaskarray(y), y.data.astype(object)
        y[mask] = None
    if isinstance(y, np.ndarray) and y.dtype != object:
        if y.dtype.kind == "U":
            _refuse_written_out(y)
        return y
    if hasattr(y, "columns"):  # a data frame of pandas or Polars
        return np.stack([_as_array(y[name]) for name in _names(y)], axis=1)
    for way in ("tolist", "to_list"):  # a column of theirs: its own numbers, not floats where some are missing
        if hasattr(y, way):
            y = getattr(y, way)()
    array = np.array(y, dtype=object)
    plain = np.empty(array.size, dtype=object)
    plain[:] = [label.item() if isinstance(label, np.generic) else label for label in array.flat]
    return plain.reshape(array.shape)


def _names(y: Any) -> list[Any]:
    """Of the columns, if they have names."""
    names = list(getattr(y, "columns", []))
    twice = first_repeated([str(name) for name in names])
    if twice is not None:
        raise ValueError(f"y has two columns that are called {twice!r}.")
    return names


def _warn_of_written_out(classes: Array, called: str) -> None:
    """Text that Python, NumPy and pandas make of a missing label is hardly ever the name of a class."""
    written = [label for label in classes.tolist() if isinstance(label, str) and label.strip() in _WRITTEN_OUT]
    if written:
        warn(
            f"{called} has a class {written[0]!r}, a text. If that means unlabelled, give None, NaN or the number -1 "
            "in its place."
        )


def _warn_of_nearly_equal(classes: Array, called: str) -> None:
    """Classes that a person would write alike are hardly ever two."""
    for names in nearly_equal(classes):
        warn(f"{called} has classes {' and '.join(map(repr, names))}. If they are one, write them alike.")


def _warn_of_one_hot(columns: Sequence[Array], missing: Sequence[Array]) -> None:
    """Columns of 0 and 1 that have one 1 in each row are hardly ever as many attributes."""
    table = np.stack(columns, axis=1)[~np.any(missing, axis=0)]
    ones = table == 1
    if len(table) and ((table == 0) | ones).all() and (ones.sum(axis=1) == 1).all():
        warn(
            f"y has {len(columns)} columns of 0 and 1 with one 1 in each row, and is read as so many attributes. If "
            "it is one label, give y.argmax(axis=1), or y as floats."
        )


def _refuse_written_out(texts: Array) -> None:
    """NumPy makes text of numbers that stand beside texts: −1 would be a class."""
    for written in ("-1", "nan"):
        if (texts == written).any():
            raise ValueError(
                f"y is a NumPy array of texts, one of which is {written!r}: beside texts, NumPy writes missing labels "
                "out. Make it an array with dtype=object, or a list, where -1, None and NaN stay what they are."
            )
