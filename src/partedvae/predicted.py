"""What a fitted model says of observations: their classes, how sure it is of them, how likely they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from partedvae import labels
from partedvae.fitted import Fitted
from partedvae.inference import evidence_bound, hidden, infer_classes
from partedvae.observed import Observed
from partedvae.ondemand import rows_in_order
from partedvae.seeds import RandomState, seed_of
from partedvae.selection import most_worth_labelling
from partedvae.supervision import known_as, labelled_rows

Array = NDArray[Any]


class Predicts(Fitted, ClassifierMixin):  # type: ignore[misc]  # scikit-learn has no types
    """The classifier: what a thing is, and whether it is worth asking somebody."""

    def predict_proba(self, X: Observed) -> Array | list[Array]:
        """Class probabilities q(c | x): (N, K), or a list of them, one an attribute."""
        parts = infer_classes(self._fitted_net(), self._observations(X))
        return self._probabilities(torch.cat(list(parts)))

    def predict(self, X: Observed) -> Array:
        """The most probable class: (N,), or (N, A) for A attributes."""
        predicted = self._most_probable(X).T
        columns: list[Array] = [
            attribute.classes[numbers] for attribute, numbers in zip(self.attributes_, predicted, strict=True)
        ]
        if len(columns) == 1:
            return columns[0]
        kinds = {column.dtype.kind for column in columns}
        # Side by side, labels of different types would all become strings.
        return np.stack(columns if len(kinds) == 1 else [c.astype(object) for c in columns], axis=1)

    def score(self, X: Observed, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy over the labels that are not missing; the mean over attributes if there are several.

        A label that fit never saw is one that is not predicted, unless all are: then y is of something else.

        Args:
            X: observations; or a :class:`partedvae.data.Dataset`, whose labels are those to be right about.
            y: labels in place of those.
            sample_weight: (N,), how much each observation counts.

        Raises:
            ValueError: y has no label at all, or none that fit saw.
        """
        predicted = self._most_probable(X)
        given = X if y is None else None
        known = known_as(given, y, len(predicted), self.attributes_, lenient=True)
        n_classes = [len(attribute.classes) for attribute in self.attributes_]
        if not ((known != labels.MISSING) & (known < n_classes)).any():
            known_as(given, y, len(predicted), self.attributes_)
        weight = np.ones(len(known)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        if weight.shape != (len(known),) or not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError(f"sample_weight should be {len(known)} numbers of at least 0, one an observation.")
        accuracies = []
        for numbers, column in zip(predicted.T, known.T, strict=True):
            rows = (column != labels.MISSING) & (weight > 0)
            if rows.any():
                accuracies.append(np.average(numbers[rows] == column[rows], weights=weight[rows]))
        if not accuracies:
            raise ValueError("y has no label at all that counts: there is nothing to score.")
        return float(np.mean(accuracies))

    def score_samples(self, X: Observed, random_state: RandomState = None) -> Array:
        """Lower bound on the log-likelihood of each observation, in nats: (N,). Low means novel.

        It is of the observation as the model sees it: images in [0, 1], features with mean 0 and deviation 1.

        Args:
            X: observations.
            random_state: of draws for each observation, whose mean over many observations is closer to its
                expectation; by default all have the same draws, so that what is said of one depends on nothing else.

        Source: see :func:`partedvae.inference.evidence_bound`.
        """
        seed = None if random_state is None else seed_of(random_state)
        return evidence_bound(self._fitted_net(), self._observations(X), seed).numpy()

    def suggest(
        self, X: Observed, n: int = 10, random_state: RandomState = None, *, y: ArrayLike | None = None
    ) -> Array:
        """The rows of n observations to label next, the most helpful first; see ``selection``.

        Args:
            X: observations; or a :class:`partedvae.data.Dataset`, which has its labels with it, unless all of them are
                there: then none counts.
            n: how many rows.
            random_state: of the random choice that is looked at, where X is of more than some thousands.
            y: labels of X, missing ones marked, of all attributes that the model knows; of a frame, other columns are
                not looked at. Rows that miss none are not suggested, nor what is like them.

        Raises:
            ValueError: n is not between 1 and the number of observations without a label; y lacks an attribute.
        """
        net, raw = self._fitted_net(), self._observations(X)

        def features(rows: NDArray[np.int64]) -> Array:
            return hidden(net, rows_in_order(raw, torch.from_numpy(rows)), rows.tolist()).numpy()

        return most_worth_labelling(labelled_rows(X, y, len(raw), self.attributes_), n, seed_of(random_state), features)

    def _most_probable(self, X: Observed) -> Array:
        """Numbers of the most probable classes, (N, A)."""
        net = self._fitted_net()
        found = [
            torch.stack([part.argmax(dim=1) for part in net.partition.by_attribute(log_c)], dim=1)
            for log_c in infer_classes(net, self._observations(X))
        ]
        return torch.cat(found).numpy()
