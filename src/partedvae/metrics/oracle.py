"""An independent judge of what an observation shows: it knows observations and their labels, and no model of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC

from partedvae.data.images import in_unit_range

Array = NDArray[Any]

_COMPONENTS, _TREES, _ROWS = 60, 200, 10_000


class Oracle:
    """A support vector machine on the principal components of pictures; extremely randomised trees on features.

    Args:
        x: observations (N, …); pictures of uint8, or floats in the range of the model's.
        labels: (N,), of two classes or more.
        random_state: seed of the choice among more than 10,000 rows, and of the components.

    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(2, size=100)
    >>> x = rng.normal(size=(100, 8, 8)) + labels[:, None, None]
    >>> float(Oracle(x, labels).accuracy(x, labels)) > 0.9
    True
    """

    def __init__(self, x: Array, labels: Array, random_state: int = 0) -> None:
        rows = np.random.default_rng(random_state).permutation(len(x))[:_ROWS]
        flat = flattened(x[rows])
        judge = _of_pictures(flat, random_state) if x.ndim > 2 else _of_features(random_state)
        self._judge = judge.fit(flat, labels[rows])

    def judge(self, x: Array) -> Array:
        """What each observation shows, (N,)."""
        seen: Array = self._judge.predict(flattened(x))
        return seen

    def accuracy(self, x: Array, labels: Array) -> float:
        """The share of observations in which it sees the label."""
        return float(np.mean(self.judge(x) == labels))


def flattened(x: Array) -> Array:
    """Observations as rows of floats; pictures of uint8 in [0, 1], as the model gives them back."""
    return in_unit_range(x).astype(np.float64).reshape(len(x), -1)


def _of_pictures(flat: Array, random_state: int) -> Pipeline:
    components = PCA(min(_COMPONENTS, *flat.shape), random_state=random_state)
    return make_pipeline(components, SVC(C=10.0, gamma="scale", class_weight="balanced"))


def _of_features(random_state: int) -> ExtraTreesClassifier:
    # Not by distances: in units of a column that hardly varies, the little by which decoders stray is everything.
    return ExtraTreesClassifier(_TREES, class_weight="balanced", random_state=random_state)
