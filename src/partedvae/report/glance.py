"""A look at data before anything is learnt from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from partedvae.data.dataset import DataError, Dataset
from partedvae.labels import MISSING
from partedvae.report import figures

Array = NDArray[Any]

_COLUMNS, _CLASSES, _POINTS = 12, 12, 2_000


def glance(data: Dataset, seed: int = 0) -> Figure:
    """Some observations of each class and some unlabelled ones; features as points on their two widest directions.

    Raises:
        DataError: there are too few features to draw.
    """
    rng = np.random.default_rng(seed)
    groups = {name: rng.permutation(rows) for name, rows in _groups(data)}
    if len(data.x.shape) > 2:
        names = [f"{name} ({len(rows):,})" for name, rows in groups.items()]
        pictures = [list(data.take(np.sort(rows[:_COLUMNS])).array) for rows in groups.values()]
        return figures.picture_grid(pictures, row_labels=names, above=_some(data))
    return _points(data, groups, rng)


def _some(data: Dataset) -> str:
    """That there are more classes than are shown."""
    if not data.attributes:
        return ""
    present = len(np.setdiff1d(data.codes[:, 0], [MISSING]))
    return f"The first {_CLASSES} of {present} classes of {data.attributes[0].name}." if present > _CLASSES else ""


def _groups(data: Dataset) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Rows of each class of the first attribute, then those without a label of it."""
    if not data.attributes:
        yield "unlabelled", np.arange(len(data))
        return
    attribute, codes = data.attributes[0], data.codes[:, 0]
    present = [code for code in range(len(attribute.classes)) if (codes == code).any()]
    for code in present[:_CLASSES]:
        yield str(attribute.classes[code]), np.flatnonzero(codes == code)
    if (codes == MISSING).any():
        yield "unlabelled", np.flatnonzero(codes == MISSING)


def _points(data: Dataset, groups: dict[str, NDArray[np.int64]], rng: np.random.Generator) -> Figure:
    if data.x.shape[1] < 2 or len(data) < 2:
        raise DataError("There is nothing to draw: at least two features and two observations are needed.")
    shown = np.sort(rng.permutation(len(data))[:_POINTS])
    places = np.full(len(data), -1)
    places[shown] = np.arange(len(shown))
    x = data.take(shown).array.astype(float)
    if not np.isfinite(x).all():
        raise DataError("There is nothing to draw: features are NaN or infinite; data describe counts them.")
    flat = PCA(2, random_state=0).fit_transform(StandardScaler().fit_transform(x))
    members = {name: flat[places[rows][places[rows] >= 0]] for name, rows in groups.items()}
    return figures.groups(members, ("first principal component", "second"), above=_some(data))
