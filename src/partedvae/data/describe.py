"""What a data set holds, in lines that a person would check first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.conflicts import find_duplicates
from partedvae.data.dataset import Dataset, Numbered
from partedvae.data.images import DARK, WHITE
from partedvae.data.lazy import chunks, in_memory, mapping
from partedvae.data.subsets import random_rows
from partedvae.labels import MISSING, Attribute, first_repeated, nearly_equal
from partedvae.layout import Layout

_LOOKED_AT = 20_000  # observations read for ranges and duplicates, of more a random choice
_LISTED = 12
_FEW_CLASSES = 10
_COUNTED, _LEAST_COUNTED = 100, 20  # rows that are looked at for an index, and how few are chance
_MISSING_ELSEWHERE = {"na", "n/a", "nan", "null", "none", "?", "-", "-1", "unknown"}  # what other programs write for it


def describe(source: str, data: Dataset) -> Iterator[str]:
    """Lines of text: the observations, the labels of each attribute, the factors, and whatever is wrong."""
    for line in _lines(source, data):
        # A class may be called by two lines, a file by what is no Unicode.
        yield "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _lines(source: str, data: Dataset) -> Iterator[str]:
    shape = "×".join(map(str, data.x.shape[1:]))
    kind = "features" if len(data.x.shape) == 2 else "pictures of"
    what = f"{shape} {kind}" if kind == "features" else f"{kind} {shape}"
    yield f"{source}: {len(data):,} observations, {what}, {data.x.dtype}, {_place(data)}"
    try:
        Layout.of(data.x)
    except ValueError as error:
        yield f"problem: {error}"
    seen = data.take(random_rows(len(data), _LOOKED_AT))
    of = "" if len(seen) == len(data) else f" (of {len(seen):,} looked at)"
    yield from _values(seen, of)
    if data.feature_names:
        yield f"features: {_few(list(data.feature_names))}"
        if _are_numbers_without_order(data.feature_names):
            yield "problem: all features are called by numbers; if the first line is a row, put one above it with names"
    yield from (f"problem: {doubt}" for doubt in counted_rows(data))
    for attribute, column in zip(data.attributes, data.codes.T, strict=True):
        yield from _attribute(attribute, column)
    if not data.attributes:
        yield "labels: none; to train, a few per class are needed"
    if data.grid is not None:
        parts = (f"{name} ({size})" for name, size in zip(data.grid.names, data.grid.sizes, strict=True))
        yield f"factors: {', '.join(parts)}"
    twice = None if isinstance(data.ids, Numbered) else first_repeated(data.ids)
    if twice is not None:
        yield f"problem: more than one row is called {twice!r}, so that a label file cannot say which it means"
    found = find_duplicates(seen.x, seen.codes)
    yield f"exact duplicates: {found.repeated:,} observations repeat another{of}"
    for group in found.conflicts[:_LISTED]:
        yield f"problem: equal observations with different labels: {', '.join(seen.ids[row] for row in group[:6])}"
    if len(found.conflicts) > _LISTED:
        yield f"problem: and {len(found.conflicts) - _LISTED:,} more groups like these"
    yield from (f"problem: {note}" for note in data.notes)
    for _, reason in data.skipped[:_LISTED]:
        yield f"problem: {reason}"
    if len(data.skipped) > _LISTED:
        yield f"problem: and {len(data.skipped) - _LISTED:,} more that cannot be read"
    if data.skipped:
        n_bad, n_all = len(data.skipped), len(data) + len(data.skipped)
        yield f"--skip-bad goes on without what cannot be read: {n_bad:,} of {n_all:,}"


def _are_numbers_without_order(names: Sequence[str]) -> bool:
    """As the cells of a row are; wavelengths, or columns that are counted, have an order."""
    try:
        numbers = [float(name) for name in names]
    except ValueError:
        return False
    return len(numbers) > 1 and numbers not in (sorted(numbers), sorted(numbers, reverse=True))


def _place(data: Dataset) -> str:
    if in_memory(data.x):
        return "in memory"
    return "mapped from a file" if mapping(data.x) is not None else "read on demand"


def _values(data: Dataset, of: str) -> Iterator[str]:
    least, most, not_finite, first = np.inf, -np.inf, 0, None
    for start, part in chunks(data.x):
        finite = np.isfinite(part)
        if first is None and not finite.all():
            first = data.ids[start + int(np.argwhere(~finite)[0, 0])]
        not_finite += part.size - int(finite.sum())
        if finite.any():
            found = part[finite]
            least, most = min(least, float(found.min())), max(most, float(found.max()))
    if least <= most:
        yield f"values: from {least:g} to {most:g}{of}"
        if data.x.dtype == np.uint8 and len(data.x.shape) > 2 and most < DARK:
            yield f"problem: no picture is brighter than {most:g} of 255. {WHITE}"
    if not_finite:
        yield f"problem: {not_finite:,} values are NaN or infinite{of}, the first in {first}; training refuses them"


def _attribute(attribute: Attribute, column: NDArray[Any]) -> Iterator[str]:
    counts = np.bincount(column[column != MISSING], minlength=len(attribute.classes))
    unlabelled = int((column == MISSING).sum())
    named = [f"{name} {count:,}" for name, count in zip(attribute.classes.tolist(), counts, strict=True)]
    how_many = f"{counts.sum():,} labelled, {unlabelled:,} unlabelled"
    classes = "1 class" if len(counts) == 1 else f"{len(counts)} classes"
    yield f"{attribute.name}: {how_many}; {classes}: {_few(named)}"
    yield from (f"problem: {doubt}" for doubt in doubtful_classes(attribute))
    yield from (f"problem: {doubt}" for doubt in too_many_classes(attribute, column))
    if (counts > 0).sum() < 2:
        yield f"problem: {attribute.name} has labels of one class only; training needs two"


def doubtful_classes(attribute: Attribute) -> Iterator[str]:
    """A line on each class whose name is what other programs write where there is no label, or almost another's.

    >>> list(doubtful_classes(Attribute("animal", np.array(["Cat ", "NA", "cat"]))))
    ["animal has a class 'NA'; if that means unlabelled: --missing NA", "animal has classes 'Cat ' and 'cat'; ..."]
    """
    for name in map(str, attribute.classes.tolist()):
        if name.lower() in _MISSING_ELSEWHERE:
            yield f"{attribute.name} has a class {name!r}; if that means unlabelled: --missing {name}"
    for names in nearly_equal(attribute.classes):
        called = " and ".join(map(repr, names))
        yield f"{attribute.name} has classes {called}; if they are one, write them alike in the data"


def counted_rows(data: Dataset) -> Iterator[str]:
    """A line on each feature that goes up by one from row to row, as an index does: it may tell classes in order.

    >>> x = np.stack([np.arange(1, 31), np.arange(30) % 7], axis=1)
    >>> list(counted_rows(Dataset(x, np.empty((30, 0), int), (), Numbered(range(30)), ("sample", "age"))))
    ['sample counts the rows; if it is no feature, call it id, or name the features with --feature-columns']
    """
    if not data.feature_names or len(data) < _LEAST_COUNTED:
        return
    first = np.asarray(data.x[np.arange(min(len(data), _COUNTED))], dtype=np.float64)
    for column in np.flatnonzero((np.diff(first, axis=0) == 1).all(axis=0)):
        yield (
            f"{data.feature_names[column]} counts the rows; if it is no feature, call it id, or name the features with "
            "--feature-columns"
        )


def too_many_classes(attribute: Attribute, column: NDArray[Any]) -> Iterator[str]:
    """A line on an attribute of which most labels are the only one of their class, as dates and names are.

    Args:
        attribute: its classes.
        column: (N,), its labels as numbers.
    """
    n_classes, n_labelled = len(attribute.classes), int((column != MISSING).sum())
    if n_classes > _FEW_CLASSES and 2 * n_classes > n_labelled:
        yield (
            f"{attribute.name} has {n_classes:,} classes in {n_labelled:,} labels; if it is no label, name those that "
            "are with --label-columns"
        )


def _few(items: list[str]) -> str:
    return ", ".join(items if len(items) <= _LISTED else [*items[: _LISTED - 1], f"… ({len(items)} in all)"])
