"""What the codes keep of an observation, the worst cases first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from partedvae.data.lazy import chunks
from partedvae.report import figures
from partedvae.report.subject import Section, Shown, Subject

Array = NDArray[Any]

_JUDGED = 5_000  # observations at most
_PICTURES = 12
_ROWS = 10  # of features
_DOTS = 500  # observations in a scatter plot


def reconstructions(subject: Subject) -> Section:
    """The observations that are reconstructed worst, and some at random, with their errors."""
    judged = _Judged.of(subject)
    what = "pixels" if subject.pictures else "features"
    in_unit = subject.pictures or subject.model.likelihood_ == "bernoulli"
    unit = f"{what}, which go from 0 to 1" if in_unit else f"{what}, in standard deviations"
    return Section(
        "What the codes keep",
        "Observations are encoded to u and z and decoded again; what is lost here is in neither code. The error is the "
        f"root mean squared difference of the {unit}. Half of {len(judged.rows):,} observations have an error below "
        f"{np.median(judged.errors):.2f}; the largest is {judged.errors.max():.2f}.",
        _of_pictures(subject, judged) if subject.pictures else _of_features(subject, judged),
    )


@dataclass(frozen=True)
class _Judged:
    """Rows of the observations in random order, and their errors."""

    rows: NDArray[np.int64]
    errors: Array

    @classmethod
    def of(cls, subject: Subject) -> Self:
        rows = subject.some(_JUDGED, seed=0)
        return cls(rows, errors(subject, rows))

    def first(self, n: int) -> Self:
        """Some at random."""
        return type(self)(self.rows[:n], self.errors[:n])

    def worst(self, n: int) -> Self:
        """Those of the largest errors, the worst first."""
        order = np.argsort(-self.errors, kind="stable")[:n]
        return type(self)(self.rows[order], self.errors[order])


def errors(subject: Subject, rows: NDArray[np.int64]) -> Array:
    """Root mean squared error of reconstruction of each row, as the networks see observations: (N,)."""
    found = []
    for start, part in chunks(subject.x[rows]):
        difference = subject.scaled(_again(subject, rows[start : start + len(part)])) - subject.scaled(part)
        found.append(np.sqrt(np.square(difference.reshape(len(part), -1), dtype=np.float64).mean(axis=1)))
    return np.concatenate(found)


def _of_pictures(subject: Subject, judged: _Judged) -> list[Shown]:
    worst, some = judged.worst(_PICTURES), judged.first(_PICTURES)
    names = ", ".join(map(subject.name, worst.rows.tolist()))
    return [
        Shown(
            "reconstructions_worst",
            _pairs(subject, worst),
            f"The {len(worst.rows)} worst reconstructions, each below its original, the worst first.",
            f"The worst reconstructions, the worst first, with their errors above. They are the observations {names}.",
        ),
        Shown(
            "reconstructions",
            _pairs(subject, some),
            f"{len(some.rows)} originals chosen at random, each above its reconstruction.",
            "Observations chosen at random, with their errors above.",
        ),
    ]


def _of_features(subject: Subject, judged: _Judged) -> list[Shown]:
    worst, some = judged.worst(_ROWS), judged.first(_DOTS)
    difference = subject.scaled(_again(subject, worst.rows)) - subject.scaled(subject.x[worst.rows])
    labels = [f"{subject.name(row)}: {error:.2f}" for row, error in zip(worst.rows, worst.errors, strict=True)]
    return [
        Shown(
            "reconstructions_worst",
            figures.heat_map(difference, labels, subject.feature_names, "model − original, standardised"),
            f"What is wrong with the {len(labels)} worst reconstructions, feature by feature.",
            "The worst reconstructions, the worst on top, each with its error: red where the model puts a feature too "
            "high, blue where too low." + figures.most_different(len(subject.feature_names)),
        ),
        Shown(
            "reconstructions",
            figures.scatter(subject.scaled(subject.x[some.rows]), subject.scaled(_again(subject, some.rows))),
            "Features against their reconstructions; on the diagonal they agree.",
            f"Features of {len(some.rows)} observations chosen at random, a dot each. On the line the two agree.",
        ),
    ]


def _pairs(subject: Subject, judged: _Judged) -> Figure:
    return figures.pairs(
        subject.as_pictures(judged.rows), _again(subject, judged.rows), [f"{error:.2f}" for error in judged.errors]
    )


def _again(subject: Subject, rows: NDArray[np.int64]) -> Array:
    return subject.model.decode(subject.encoded.u[rows], subject.encoded.z[rows])
