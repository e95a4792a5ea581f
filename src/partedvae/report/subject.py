"""What a report is about, and what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from partedvae import labels
from partedvae.data.dataset import Dataset
from partedvae.estimator import Codes, PartedVAE
from partedvae.labels import Attribute
from partedvae.observed import as_generated

Array = NDArray[Any]


@dataclass(frozen=True)
class Shown:
    """A figure with what a person who cannot see it is told, and a caption for one who can."""

    name: str
    figure: Figure
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One result: what a reader should know of it, paragraphs apart by an empty line, and its figures."""

    title: str
    text: str
    figures: Sequence[Shown] = field(default_factory=tuple)


@dataclass(frozen=True)
class Subject:
    """A fitted model and the observations that the report shows it on.

    Attributes:
        x: observations (N, …).
        codes: their labels (N, A), −1 where unknown.
        unseen: the observations had no part in training.
        ids: names of the observations; without them they are numbered.
    """

    model: PartedVAE
    x: Array
    codes: NDArray[np.int64]
    unseen: bool
    ids: Sequence[str] = ()

    @classmethod
    def of(cls, model: PartedVAE, data: Dataset, *, unseen: bool) -> Subject:
        """A model and a data set that fits into memory."""
        codes = labels.recoded(data.codes, data.attributes, model.attributes_)
        return cls(model, data.array, codes, unseen, data.ids)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def attributes(self) -> list[Attribute]:
        """The attributes that the model knows."""
        return self.model.attributes_

    @property
    def pictures(self) -> bool:
        """Whether observations can be shown as pictures."""
        return self.model.layout_.kind != "features"

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, their numbers if fit saw none."""
        given = getattr(self.model, "feature_names_in_", None)
        return [str(i) for i in range(self.model.n_features_in_)] if given is None else [str(n) for n in given]

    @cached_property
    def encoded(self) -> Codes:
        """Class probabilities and posterior means of every observation."""
        return self.model.encode(self.x)

    @property
    def probabilities(self) -> list[Array]:
        """Class probabilities (N, K), one array an attribute."""
        c = self.encoded.c
        return c if isinstance(c, list) else [c]

    def u(self, attribute: int) -> Array:
        """The class-related code of one attribute: (N, d_u)."""
        block: Array = np.split(self.encoded.u, len(self.attributes), axis=1)[attribute]
        return block

    def known(self, attribute: int) -> NDArray[np.bool_]:
        """Which observations have a label of an attribute."""
        known: NDArray[np.bool_] = self.codes[:, attribute] != labels.MISSING
        return known

    def class_names(self, attribute: int) -> list[str]:
        """The classes of an attribute in words."""
        return [str(name) for name in self.attributes[attribute].classes]

    def called(self, attribute: int, text: str) -> str:
        """A text with the attribute's name before it, where there are several."""
        return f"Attribute {self.attributes[attribute].name}: {text}" if len(self.attributes) > 1 else text

    def some(self, n: int, seed: int) -> NDArray[np.int64]:
        """Rows at random, n or all."""
        return np.random.default_rng(seed).permutation(len(self))[:n]

    def as_pictures(self, rows: NDArray[np.int64]) -> Array:
        """Observations in the range of the model's own pictures."""
        return as_generated(self.x[rows], self.model.net_)

    def scaled(self, x: Array) -> Array:
        """Observations as the networks see them: pictures in [0, 1], features in standard deviations."""
        scaling = self.model.net_.scaling
        scaled: Array = scaling(self.model.layout_.to_tensor(x).to(scaling.offset.device)).cpu().numpy()
        return scaled

    def name(self, row: int) -> str:
        """What an observation is called."""
        return str(self.ids[row]) if len(self.ids) else str(row)


def paragraphs(*texts: str) -> str:
    """Texts as paragraphs of a section."""
    return "\n\n".join(texts)


def typical(subject: Subject) -> NDArray[np.int64]:
    """A row of each class of the first attribute that is predicted at all: the one predicted with most confidence.

    Typical examples are the most legible.
    """
    p = subject.probabilities[0]
    predicted = p.argmax(axis=1)
    rows = [np.flatnonzero(predicted == k) for k in range(p.shape[1])]
    return np.array([own[p[own, k].argmax()] for k, own in enumerate(rows) if len(own)])
