"""Which rows are labelled and which are held out: stratified, and the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import DataError, Dataset

Rows = NDArray[np.int64]


def choose_labelled(data: Dataset, total: int | None = None, per_class: int | None = None, seed: int = 0) -> Rows:
    """Rows that keep their labels: so many in all, in the classes' proportions, or so many of each class.

    With several attributes, a combination of labels counts as a class.

    Raises:
        DataError: more labels are asked for than there are, or fewer than there are classes.
    """
    strata = _strata(data)
    available = {name: len(rows) for name, rows in strata.items()}
    if per_class is not None:
        poorest = min(available, key=lambda name: available[name])
        if not 1 <= per_class <= available[poorest]:
            raise DataError(
                f"--labels-per-class {per_class}: should be between 1 and {available[poorest]}, "
                f"the labels of class {poorest}."
            )
        sizes = dict.fromkeys(strata, per_class)
    else:
        wanted = total if total is not None else sum(available.values())
        if not len(strata) <= wanted <= sum(available.values()):
            raise DataError(
                f"--labels {wanted}: should be between {len(strata)}, one a class, and {sum(available.values())}, "
                "all there are."
            )
        sizes = _proportional(available, wanted)
    rng = np.random.default_rng(seed)
    return np.sort(np.concatenate([rng.permutation(rows)[: sizes[name]] for name, rows in strata.items()]))


def hold_out(data: Dataset, fraction: float, seed: int = 0) -> tuple[Rows, Rows]:
    """Rows for training and rows held out: a share of each class's labelled rows; the unlabelled all train.

    Raises:
        DataError: the fraction is not between 0 and 1, or leaves a class without rows on either side.
    """
    if not 0 < fraction < 1:
        raise DataError(f"--holdout {fraction:g}: should be more than 0 and less than 1.")
    rng = np.random.default_rng(seed)
    out: list[Rows] = []
    for name, rows in _strata(data).items():
        size = round(fraction * len(rows))
        if not 0 < size < len(rows):
            raise DataError(f"--holdout {fraction:g}: class {name} has only {len(rows)} labelled rows to divide.")
        out.append(rng.permutation(rows)[:size])
    held = np.sort(np.concatenate(out))
    return np.setdiff1d(np.arange(len(data)), held), held


def random_rows(n: int, at_most: int | None) -> Rows:
    """All of n rows, or a random choice of them, the same each time, in order.

    >>> random_rows(5, None), random_rows(1000, 3)
    (array([0, 1, 2, 3, 4]), array([511, 636, 848]))
    """
    if at_most is None or at_most >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, at_most, replace=False))


def _strata(data: Dataset) -> dict[str, Rows]:
    """Labelled rows by class (or combination of classes), each named as a person would."""
    labelled = data.labelled
    if not len(labelled):
        raise DataError("There are no labels in the data.")
    combinations, membership = np.unique(data.codes[labelled], axis=0, return_inverse=True)
    named: dict[str, Rows] = {}
    for number, combination in enumerate(combinations):
        named[_name(data, combination)] = labelled[membership.ravel() == number]
    return named


def _name(data: Dataset, combination: NDArray[Any]) -> str:
    parts = [
        repr(attribute.classes.tolist()[code]) if code >= 0 else "unlabelled"
        for code, attribute in zip(combination, data.attributes, strict=True)
    ]
    return " with ".join(parts)


def _proportional(available: dict[str, int], total: int) -> dict[str, int]:
    """Sizes in proportion to what is available, at least one each, by largest remainder."""
    everything = sum(available.values())
    shares = {name: total * count / everything for name, count in available.items()}
    sizes = {name: min(available[name], max(1, int(share))) for name, share in shares.items()}
    while (missing := total - sum(sizes.values())) != 0:
        step = 1 if missing > 0 else -1
        open_to_change = [n for n in sizes if (sizes[n] < available[n] if step > 0 else sizes[n] > 1)]
        chosen = max(open_to_change, key=lambda name: step * (shares[name] - sizes[name]))
        sizes[chosen] += step
    return sizes
