"""Which rows are labelled and which are held out: stratified, and the same for the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import DataError, Dataset

Rows = NDArray[np.int64]


def choose_labelled(data: Dataset, total: int | None = None, per_class: int | None = None, seed: int = 0) -> Rows:
    """Rows that keep their labels: so many in all, in the classes' proportions, or so many of each class.

    With several attributes a row shows a class of each: of every class at least ``per_class`` rows, or at least one of
    ``total`` rows, that are in the proportions of the combinations otherwise.

    Raises:
        DataError: more labels are asked for than there are, or too few for every class to have one.
    """
    labelled = _labelled(data)
    rng = np.random.default_rng(seed)
    if per_class is not None:
        poorest = min(_classes(data), key=lambda one: len(one.rows))
        if not 1 <= per_class <= len(poorest.rows):
            raise DataError(
                f"--labels-per-class {per_class}: should be between 1 and {len(poorest.rows)}, "
                f"the labels of class {poorest.name}."
            )
        if len(data.attributes) > 1:
            return _covering(data, per_class, rng)
        return _of_each(data, [per_class] * len(_classes(data)), rng)
    wanted = len(labelled) if total is None else total
    least = _covering(data, 1, np.random.default_rng(seed))
    if not len(least) <= wanted <= len(labelled):
        raise DataError(
            f"--labels {wanted}: should be between {len(least)}, so that every class has one, and {len(labelled)}, "
            "all there are."
        )
    if len(data.attributes) == 1:
        return _of_each(data, _proportional([len(one.rows) for one in _classes(data)], wanted), rng)
    others = np.setdiff1d(labelled, least)
    return np.sort(np.concatenate([least, _spread(data, others, wanted - len(least), rng)]))


def hold_out(data: Dataset, fraction: float, seed: int = 0) -> tuple[Rows, Rows]:
    """Rows for training and rows held out: a share of each class's labelled rows; the unlabelled all train.

    Every class trains: one of a single labelled row is not held out, and a warning says so. With several attributes
    the share is of the combinations of classes, taken together where they are rare.

    Raises:
        DataError: the fraction is not between 0 and 1, or there are too few labelled rows to hold any out.
    """
    if not 0 < fraction < 1:
        raise DataError(f"--holdout {fraction:g}: should be more than 0 and less than 1.")
    labelled = _labelled(data)
    rng = np.random.default_rng(seed)
    if len(data.attributes) == 1:
        held = _of_each(data, [_share(fraction, len(one.rows)) for one in _classes(data)], rng)
    else:
        others = np.setdiff1d(labelled, _covering(data, 1, rng))
        held = np.sort(_spread(data, others, min(round(fraction * len(labelled)), len(others)), rng))
    if not len(held):
        raise DataError(f"--holdout {fraction:g}: {len(labelled)} labelled rows are too few to hold any of them out.")
    missing = [one.name for one in _classes(data) if not np.isin(one.rows, held).any()]
    if missing:
        warnings.warn(
            f"--holdout {fraction:g}: too few labelled rows to hold any out of {_listed(missing)}; what is measured on "
            "the rows held out says nothing of that.",
            stacklevel=2,
        )
    return np.setdiff1d(np.arange(len(data)), held), held


def random_rows(n: int, at_most: int | None) -> Rows:
    """All of n rows, or a random choice of them, the same each time, in order.

    >>> random_rows(5, None), random_rows(1000, 3)
    (array([0, 1, 2, 3, 4]), array([511, 636, 848]))
    """
    if at_most is None or at_most >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, at_most, replace=False))


class _Class(NamedTuple):
    """A class, named as a person would, and the rows that are labelled with it."""

    name: str
    rows: Rows


def _classes(data: Dataset) -> list[_Class]:
    """The classes of every attribute that have labelled rows."""
    return [
        _Class(repr(name) if len(data.attributes) == 1 else f"{name!r} of {attribute.name}", rows)
        for codes, attribute in zip(data.codes.T, data.attributes, strict=True)
        for code, name in enumerate(attribute.classes.tolist())
        if len(rows := np.flatnonzero(codes == code))
    ]


def _labelled(data: Dataset) -> Rows:
    if not len(data.labelled):
        raise DataError("There are no labels in the data.")
    return data.labelled


def _share(fraction: float, n: int) -> int:
    """How many of n rows are held out; never all of them."""
    return min(round(fraction * n), n - 1)


def _of_each(data: Dataset, sizes: Sequence[int], rng: np.random.Generator) -> Rows:
    """So many rows of each class of the one attribute."""
    chosen = [rng.permutation(one.rows)[:size] for one, size in zip(_classes(data), sizes, strict=True)]
    return np.sort(np.concatenate(chosen))


def _covering(data: Dataset, each: int, rng: np.random.Generator) -> Rows:
    """Rows, few of them, that show every class at least so many times: the rarest classes are served first."""
    chosen = np.zeros(len(data), dtype=bool)
    for one in sorted(_classes(data), key=lambda one: len(one.rows)):
        free = rng.permutation(one.rows[~chosen[one.rows]])
        chosen[free[: max(0, each - int(chosen[one.rows].sum()))]] = True
    return np.flatnonzero(chosen)


def _spread(data: Dataset, rows: Rows, size: int, rng: np.random.Generator) -> Rows:
    """So many of the rows, evenly over them in the order of their combinations of classes."""
    shuffled = rng.permutation(rows)
    ordered = shuffled[np.lexsort(data.codes[shuffled].T[::-1])]
    places = (np.arange(size) + rng.random()) * len(ordered) / max(size, 1)
    return ordered[places.astype(np.int64)]


def _proportional(available: Sequence[int], total: int) -> list[int]:
    """Sizes in proportion to what is available, at least one each, by largest remainder."""
    shares = [total * count / sum(available) for count in available]
    sizes = [min(count, max(1, int(share))) for count, share in zip(available, shares, strict=True)]
    while (missing := total - sum(sizes)) != 0:
        step = 1 if missing > 0 else -1
        open_to_change = [i for i, size in enumerate(sizes) if (size < available[i] if step > 0 else size > 1)]
        chosen = max(open_to_change, key=lambda i: step * (shares[i] - sizes[i]))
        sizes[chosen] += step
    return sizes


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
